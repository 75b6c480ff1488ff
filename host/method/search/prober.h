/* One probe of a share removed: choose, cut, compensate, evaluate on dev, or only measure. Used by prune.c and target.c. */
#ifndef SKIP_METHOD_SEARCH_PROBER_H
#define SKIP_METHOD_SEARCH_PROBER_H

#include "method/search/allocation.h"
#include "method/search/on_board.h"
#include "method/search/trial.h"

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
	struct skip_graph *working; /* the same in the type in which trials and compensation take products */
	const struct skip_units *units;
	const struct skip_scores *scores;
	const struct skip_dataset *train, *dev; /* dev: from init on `shuffled` */
	const struct skip_prune_options *options;
	const struct skip_progress *progress;
	struct skip_on_board on_board; /* where the options name a board */
	struct skip_allocator allocator;
	struct skip_options sublayers; /* of the trial */
	struct skip_trial trial;       /* opened by the first surrogate */
	struct skip_dataset shuffled; /* the rows of dev in an order that says nothing */
	double stop_margin;	      /* probes end once their drop is certainly above it; NAN: they see all rows */
	bool timed;		    /* the target is a time */
	struct skip_dataset timing; /* rows the speed is measured on */
	int timing_batch;	    /* sequences that run together there */
	double dense_ms;	    /* all of them, in the last measurement */
	struct skip_session *dense_session;
	int dense_value, classes;
	float *dense_logits; /* [dev rows][C] */
	double calibration; /* factor on them (method/belief.h) */
	double mean_length, compensate_seconds;
	struct skip_graph *stepped;  /* of the last round but one, in the dense shape; NULL: there was none */
	struct skip_scores renewed;  /* its scores */
	struct skip_probe_point *trace;
	size_t n_trace, cap_trace;
	struct skip_candidate last, best; /* of the latest probe; of those accepted so far */
};

/* Opens the dense network and runs it over dev. Zero the struct, then fill device .. progress. deinit accepts a zeroed one. */
enum skip_status skip_prober_init(struct skip_prober *prober, struct skip_err *err);
void skip_prober_deinit(struct skip_prober *prober);
/* Probes the removal of `share` (lowered to the largest possible); has the form a search asks for, context is the prober. The verdict of the point
 * before is read first: an accepted candidate becomes the best when it removes more than the best so far. */
enum skip_status skip_prober_probe(void *context, double share, struct skip_probe_point **out, struct skip_err *err);
/* Only measures: speed-up over the dense network of what is left when `share` goes, without compensation, on which it does not depend. */
enum skip_status skip_prober_measure(struct skip_prober *prober, double share, struct skip_probe_point **out, struct skip_err *err);
/* Divergence from the dense answers on calibration rows, by a trial. For a search: see search.h. */
enum skip_status skip_prober_surrogate(void *context, double share, double kappa, double *kl, struct skip_err *err);
/* The same of a choice. It may be cut short once it is certainly above or below `kappa`. */
enum skip_status skip_prober_divergence(struct skip_prober *prober, struct skip_keep *keep, double kappa, double *kl, struct skip_err *err);
/* Whether two shares leave the same units. For a search: see search.h. */
enum skip_status skip_prober_same(void *context, double share, double other, bool *same, struct skip_err *err);
/* restart.c: gives the allocator the coefficients whose choice at `share` diverges least, of as many as the options say. */
enum skip_status skip_prober_restart(struct skip_prober *prober, double share, struct skip_err *err);
/* target.c: the smallest share whose measured time is within the target of the options, probing no further than needed; *met false: the fastest there
 * is. A speed-up beyond what the time table allows is SKIP_ERR_USAGE. */
enum skip_status skip_prober_reach(struct skip_prober *prober, double *share, bool *met, struct skip_err *err);
/* rounds.c: all rounds but the last on the way to removing `share`; the allocator then chooses from what they have left. */
enum skip_status skip_prober_rounds(struct skip_prober *prober, double share, struct skip_err *err);
/* SKIP_ERR_USAGE naming the ceiling, where the time table says that the speed-up cannot be reached. */
enum skip_status skip_prober_check_ceiling(const struct skip_prober *prober, double speedup, struct skip_err *err);
/* A place for the next point in the trace; the context stops here when nobody wants to go on. */
enum skip_status skip_prober_begin(struct skip_prober *prober, double share, struct skip_err *err);
/* The progress of a stage inside a probe: it keeps the stage of the search, and only asks whether to go on. */
struct skip_progress skip_prober_inside(struct skip_prober *prober);
/* Reads the verdict of the last point. */
void skip_prober_settle(struct skip_prober *prober);
/* Logits of a graph over `data`; the caller frees *out ([rows][C]). */
enum skip_status skip_prober_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data,
				    float **out, struct skip_err *err);
void skip_candidate_deinit(struct skip_candidate *candidate);

#endif
