/*
 * Mask gradients of samples: one backward pass of a packed batch with a seed per sample. Sequences do not interact, so the pass holds every
 * per-sample gradient; `score` nodes reduce activation x gradient over each sample's rows on the device (docs/method.md 3).
 */
#ifndef SKIP_METHOD_SKILL_GRADIENTS_H
#define SKIP_METHOD_SKILL_GRADIENTS_H

#include "device/session.h"
#include "method/skill/skill.h"

struct skip_gradients;

/* What is handed over beside the post sites. */
struct skip_gradients_needs {
	bool pre; /* the pre sites */
	bool out; /* gradients at what consumers give */
};
/* Opens `graph` (scoring->graph, or its masked form) for walks over the sample; `units` are of scoring->graph and found in `graph` by the names
 * of their values. `walks`: how many will follow, for progress. Everything given must outlive the walks. */
enum skip_status skip_gradients_open(const struct skip_scoring *scoring, const struct skip_graph *graph, struct skip_gradients_needs needs, int walks,
				     struct skip_gradients **out, struct skip_err *err);
void skip_gradients_destroy(struct skip_gradients *gradients);
/* To change weights between walks. */
struct skip_session *skip_gradients_session(struct skip_gradients *gradients);

/* What arrives for one batch of one group. Pointers are good until it returns. */
typedef void (*skip_gradients_sink)(void *context, size_t group, const struct skip_criterion_batch *batch);
/*
 * Runs the whole sample once and hands over groups first .. last-1. first == last: forward only. Labels `pred` are those of the first walk, whatever
 * has happened to the weights since.
 */
enum skip_status skip_gradients_walk(struct skip_gradients *gradients, size_t first, size_t last, skip_gradients_sink sink, void *context,
				     struct skip_err *err);

#endif
