/*
 * Which units stay: selection at a rate, compensation, and the searches over the rate. One search per file in method/search/find/, found by
 * CMake
 * (`const struct skip_search skip_search_<file>`). docs/method.md 5, 6.
 */
#ifndef SKIP_METHOD_SEARCH_H
#define SKIP_METHOD_SEARCH_H

#include "graph/pass.h"
#include "method/metrics.h"
#include "method/skill/skill.h"
#include "method/tune/tune.h"

/* Kinds of --units, any mix. HEAD removes whole heads; V and QK remove dims, an equal count per head; LAYER allows whole sub-layers to go.
 */
#define SKIP_UNITS_FFN 1u
#define SKIP_UNITS_HEAD 2u
#define SKIP_UNITS_V 4u
#define SKIP_UNITS_QK 8u
#define SKIP_UNITS_LAYER 16u

enum skip_compensate { SKIP_COMPENSATE_NONE, SKIP_COMPENSATE_BIAS, SKIP_COMPENSATE_LS };

/*
 * The choice that removes share `rate` of the encoder's parameters (prefix excluded), one rate for every prunable group: the top units of
 * each group (each head's own top dims for V and QK). When the kinds given cannot reach `rate` alone their own rate is raised accordingly;
 * SKIP_ERR_USAGE names the largest rate possible. The share reached comes back in *removed and is within 0.1 % of encoder parameters of
 * `rate` where the widths allow it.
 */
enum skip_status skip_select_rate(const struct skip_graph *graph, const struct skip_units *units, const struct skip_scores *scores,
				  unsigned kinds, double rate, struct skip_keep *out, double *removed, struct skip_err *err);

/* The largest share of encoder parameters that skip_select_rate can remove with these kinds. */
double skip_select_largest(const struct skip_graph *graph, const struct skip_units *units, unsigned kinds);

struct skip_compensate_options {
	enum skip_compensate mode;
	double damping; /* 1e-2 of the mean diagonal */
	int rows;	/* most calibration sentences; no more than 32,768 tokens of them are taken */
	uint64_t seed;
};
/* Asymmetric, bottom-up (docs/method.md 6): refits the consumers (W_O, W_2 and biases) of `pruned` so that its residual stream follows
 * `dense`'s; LS also what makes queries and keys, where qk dims went. `keep` is what made `pruned` from `dense`. Gives a new graph with
 * tensors of its own where it was refitted. Both graphs canonical with the same layers. Seconds in *seconds. */
enum skip_status skip_compensate_graph(struct skip_device *device, const struct skip_graph *dense, const struct skip_graph *pruned,
				       const struct skip_keep *keep, const struct skip_dataset *calibration, const struct skip_compensate_options *options,
				       const struct skip_progress *progress, struct skip_graph **out, double *seconds,
				       struct skip_err *err);

struct skip_prune_options {
	unsigned kinds;	    /* FFN|V|QK */
	double rate;	    /* >= 0: this rate, no search */
	double margin;	    /* psi in points, used when rate < 0 and speedup <= 0 */
	double speedup;	    /* > 0: smallest removal measured at least this fast */
	const char *search; /* "binary", "adaptive" */
	struct skip_compensate_options compensate;
	int retune_epochs; /* distilled; 0: none */
	struct skip_tune_options retune;	  /* `full`: the kept weights too, not prompt and head alone */
	const struct skip_dataset *retune_rows; /* borrowed, with or without labels; NULL: the training rows */
	uint64_t seed;
};
void skip_prune_defaults(struct skip_prune_options *options);

struct skip_probe_point {
	double rate, removed; /* asked, reached (share of encoder parameters) */
	struct skip_metrics metrics;
	struct skip_paired paired;
	double kl, macs_share, seconds, speedup; /* speedup 0 when not measured */
	bool accepted;
};
struct skip_prune_result {
	struct skip_graph *graph;
	struct skip_keep keep;
	struct skip_metrics dense, pruned; /* on dev */
	struct skip_paired paired;
	double removed;
	bool target_met;
	struct skip_probe_point *trace;
	size_t n_trace;
	double score_seconds, compensate_seconds, search_seconds, retune_seconds;
};
/* `train` gives calibration and re-tuning rows, `dev` the decisions. */
enum skip_status skip_prune(struct skip_device *device, const struct skip_graph *dense, const struct skip_scores *scores,
			    const struct skip_dataset *train, const struct skip_dataset *dev, const struct skip_prune_options *options,
			    const struct skip_progress *progress, struct skip_prune_result *out, struct skip_err *err);
void skip_prune_result_deinit(struct skip_prune_result *result);

/* A search asks for probes until it knows. `probe` runs one rate; the point belongs to the caller of the search and stays valid until the
 * next probe, and the search writes its verdict into `accepted`. */
struct skip_search_state {
	void *context;
	enum skip_status (*probe)(void *context, double rate, struct skip_probe_point **out, struct skip_err *err);
	double margin; /* points */
};
struct skip_search {
	const char *name, *summary;
	/* Best accepted rate in *rate (0 when none). */
	enum skip_status (*run)(struct skip_search_state *state, double *rate, struct skip_err *err);
};
extern const struct skip_search *const skip_searches[]; /* NULL-terminated, made by CMake */
const struct skip_search *skip_search_find(const char *name);

/* Median milliseconds of the graphs over the rows of `data` in packed batches of `batch` sequences, interleaved, at least `repeats` rounds
 * and `seconds` of wall time each. ms[i][0] median, ms[i][1] p95 of one pass over all batches. */
enum skip_status skip_measure_interleaved(struct skip_session *const *sessions, const int *values, size_t n,
					  const struct skip_dataset *data, int batch, int repeats, double seconds, double (*ms)[2],
					  struct skip_err *err);

#endif
