/* What values of the network are for the rows of a sample: a forward walk. */
#ifndef SKIP_METHOD_SKILL_ACTIVATIONS_H
#define SKIP_METHOD_SKILL_ACTIVATIONS_H

#include "device/session.h"
#include "method/skill/skill.h"

/* Rows of value `which` of the list for one batch: [rows][cols], the tokens of the batch, or one row per sequence where only the pooled row is ever
 * used. */
typedef enum skip_status (*skip_activations_sink)(void *context, size_t which, const float *data, int rows, const struct skip_batch *batch,
						  struct skip_err *err);
/* Runs the sample through scoring->graph once, its last layer for pooled rows only, and hands over the values [n] of scoring->graph in turn. */
enum skip_status skip_activations_walk(const struct skip_scoring *scoring, const int *value, size_t n, skip_activations_sink sink, void *context,
				       struct skip_err *err);

#endif
