/* One probe of a rate: select, cut, compensate, evaluate on dev. Used by prune.c. */
#ifndef SKIP_METHOD_SEARCH_PROBER_H
#define SKIP_METHOD_SEARCH_PROBER_H

#include "method/search/search.h"

/* A cut network with what was found out about it. */
struct skip_candidate {
	struct skip_graph *graph; /* NULL: none */
	struct skip_keep keep;
	float *logits; /* [dev rows][C] */
	size_t point;  /* its place in the trace */
};

struct skip_prober {
	struct skip_device *device;
	const struct skip_graph *dense;
	const struct skip_units *units;
	const struct skip_scores *scores;
	const struct skip_dataset *train, *dev;
	const struct skip_prune_options *options;
	const struct skip_progress *progress;
	struct skip_dataset timing; /* rows the speed is measured on */
	struct skip_session *dense_session;
	int dense_value, classes;
	float *dense_logits; /* [dev rows][C] */
	double largest, mean_length, compensate_seconds;
	struct skip_probe_point *trace;
	size_t n_trace, cap_trace;
	struct skip_candidate last, best; /* of the latest probe; of those accepted so far */
};

/* Opens the dense network and runs it over dev. Zero the struct, then fill device .. progress. deinit accepts a zeroed one. */
enum skip_status skip_prober_init(struct skip_prober *prober, struct skip_err *err);
void skip_prober_deinit(struct skip_prober *prober);
/* Probes `rate` (lowered to the largest possible); has the form a search asks for, context is the prober. The verdict of the point before
 * is read first: an accepted candidate becomes the best when it removes more, or, with a speed-up asked for, less than the best so far. */
enum skip_status skip_prober_probe(void *context, double rate, struct skip_probe_point **out, struct skip_err *err);
/* Reads the verdict of the last point. */
void skip_prober_settle(struct skip_prober *prober);
/* Logits of a graph over `data`; the caller frees *out ([rows][C]). */
enum skip_status skip_prober_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data,
				    float **out, struct skip_err *err);
void skip_candidate_deinit(struct skip_candidate *candidate);

#endif
