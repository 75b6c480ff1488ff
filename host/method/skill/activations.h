/* What values of the network are for the rows of a sample: a forward walk. */
#ifndef SKIP_METHOD_SKILL_ACTIVATIONS_H
#define SKIP_METHOD_SKILL_ACTIVATIONS_H

#include "device/session.h"
#include "method/skill/skill.h"

/* One value for one batch. Pointers are good until the sink returns. */
struct skip_activations {
	size_t which;	   /* of the list of values */
	const float *data; /* [rows][cols] */
	int rows;	   /* the tokens of the batch; one per sequence where only the pooled row is ever used, or of a value behind pooling */
	const struct skip_batch *batch;
	const int *row; /* [B] rows of the sample */
};
typedef enum skip_status (*skip_activations_sink)(void *context, const struct skip_activations *seen, struct skip_err *err);
/* Runs the sample through scoring->graph once, its last layer for pooled rows only, and hands over the values [n] of scoring->graph in turn. */
enum skip_status skip_activations_walk(const struct skip_scoring *scoring, const int *value, size_t n, skip_activations_sink sink, void *context,
				       struct skip_err *err);

#endif
