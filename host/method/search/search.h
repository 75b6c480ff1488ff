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
#include <jansson.h>

/* Kinds of --units, any mix. HEAD removes whole heads; V and QK remove dims, an equal count per head; LAYER allows whole sub-layers to go. PREFIX
 * removes slots of the prefix, beside units that hold parameters of the encoder. */
#define SKIP_UNITS_FFN 1u
#define SKIP_UNITS_HEAD 2u
#define SKIP_UNITS_V 4u
#define SKIP_UNITS_QK 8u
#define SKIP_UNITS_LAYER 16u
#define SKIP_UNITS_PREFIX 32u

enum skip_compensate { SKIP_COMPENSATE_NONE, SKIP_COMPENSATE_BIAS, SKIP_COMPENSATE_LS };

/*
 * The choice that removes share `rate` of the encoder's parameters (prefix excluded), one rate for every prunable group: the top units of
 * each group (each head's own top dims for V and QK). When the kinds given cannot reach `rate` alone their own rate is raised accordingly;
 * SKIP_ERR_USAGE names the largest rate possible. The share reached comes back in *removed and is within 0.1 % of encoder parameters of
 * `rate` where the widths allow it. With PREFIX every layer loses the same share of its slots as its groups.
 *
 * `classes` > 0: layers of one shape keep one shape, to the unit, and SKIP_ERR_USAGE says when they have more shapes than that to begin with; 0: what
 * rounding leaves over goes from layer to layer.
 */
enum skip_status skip_select_rate(const struct skip_graph *graph, const struct skip_units *units, const struct skip_scores *scores,
				  unsigned kinds, int classes, double rate, struct skip_keep *out, double *removed, struct skip_err *err);

/* Drops `share` of every layer's slots, those with the lowest scores; at least one of a layer stays. */
enum skip_status skip_select_slots(const struct skip_units *units, const struct skip_scores *scores, double share, struct skip_keep *keep,
				   struct skip_err *err);
/* SKIP_ERR_USAGE where `kinds` has PREFIX but there are no slots, no scores of them, or no other kind to carry a share. */
enum skip_status skip_select_check(const struct skip_units *units, const struct skip_scores *scores, unsigned kinds, struct skip_err *err);

/* The largest share of encoder parameters that skip_select_rate can remove with these kinds. */
double skip_select_largest(const struct skip_graph *graph, const struct skip_units *units, unsigned kinds);

struct skip_compensate_options {
	enum skip_compensate mode;
	double damping; /* 1e-2 of the mean diagonal */
	int64_t tokens; /* of calibration sentences, about; all of them where there are fewer */
	uint64_t seed;
};
/*
 * `dense` without the units `keep` (of `units`, its own; normalised on the way) drops. Asymmetric, bottom-up (docs/method.md 5): refits the
 * consumers (W_O, W_2 and biases) so that the residual stream follows dense's; LS also what makes queries and keys, where qk dims went, the
 * linears that read the stream, the norms behind sub-layers and the classifier. A new graph with tensors of its own where it was refitted.
 * Canonical graphs. Seconds in *seconds (may be NULL).
 */
enum skip_status skip_compensate_graph(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
				       struct skip_keep *keep, const struct skip_dataset *calibration,
				       const struct skip_compensate_options *options, const struct skip_progress *progress,
				       struct skip_graph **out, double *seconds, struct skip_err *err);

/* The same before it is cut to size: in the shape of `dense`, whose values and units keep their indices, with zeros and masks where units went. */
enum skip_status skip_compensate_masked(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
					struct skip_keep *keep, const struct skip_dataset *calibration,
					const struct skip_compensate_options *options, const struct skip_progress *progress,
					struct skip_graph **out, double *seconds, struct skip_err *err);

/* What an amount removed is a share of: encoder parameters, encoder multiply-adds at the mean length, milliseconds of the whole. */
enum skip_cost { SKIP_COST_PARAMS, SKIP_COST_MACS, SKIP_COST_TIME, SKIP_COST_COUNT };

/* When a drop measured on dev is within the margin (docs/method.md 5). */
enum skip_margin_mode {
	SKIP_MARGIN_FIXED,    /* drop <= margin: the paper's */
	SKIP_MARGIN_ADAPTIVE, /* the drop by labels and by the dense network's probabilities <= margin (method/belief.h) */
	SKIP_MARGIN_STRICT    /* drop + 1.645 SE <= margin: five in a hundred are wrong */
};
bool skip_margin_holds(enum skip_margin_mode mode, double margin, const struct skip_paired *paired);
/* The drop that a mode goes by: the estimate, or the labels' own. */
double skip_margin_drop(enum skip_margin_mode mode, const struct skip_paired *paired);

struct skip_board;
struct skip_prune_options {
	unsigned kinds;	       /* 0: those of the allocation */
	const char *allocate;  /* "uniform", "kl" ... (allocation.h); NULL: kl, where layers share weights uniform */
	int classes;	       /* most shapes of attention (heads, qk, v), and most widths of ffn, that any cut leaves; 0: any number */
	/* One target; without any the largest removal within the margin. */
	double rate;	       /* >= 0: this share of encoder parameters */
	double flops;	       /* > 0: this share of the encoder's multiply-adds */
	double speedup;	       /* > 0: smallest removal measured at least this fast in packed batches */
	double latency_ms;     /* > 0: smallest removal that answers one sequence alone in this time, mean over dev rows */
	double margin;	       /* psi in points */
	const char *search;    /* "binary", "adaptive", "surrogate" */
	enum skip_margin_mode margin_mode; /* of searches other than the paper's */
	int rounds;	       /* steps on the way to a share, flops or speed-up, with scores renewed in between (rounds.c); 1: at once */
	const struct skip_skill_options *skill; /* how they are renewed; NULL: they cannot be, 1 round only */
	int restarts;	       /* choices at the share found whose divergence is compared (restart.c); 0: none beside the allocation's own */
	const json_t *time_table; /* read instead of measured; NULL: measured where an allocation needs it */
	const struct skip_board *board; /* an FPGA board whose widths, and whose estimated times of one sequence, stand in for the device's; NULL: none */
	enum skip_precision board_precision; /* of products there */
	struct skip_compensate_options compensate;
	int retune_epochs; /* distilled; 0: none */
	struct skip_tune_options retune;	  /* `full`: the kept weights too, not prompt and head alone */
	const struct skip_dataset *retune_rows; /* borrowed, with or without labels; NULL: the training rows */
	enum skip_precision precision; /* F32 or BF16: of the passes that find what options lose and refit what reads them; networks are timed and answer in F32 */
	uint64_t seed;
};
void skip_prune_defaults(struct skip_prune_options *options);
/* Whether the margin decides: no other target is given. */
bool skip_prune_by_margin(const struct skip_prune_options *options);

struct skip_probe_point {
	double rate, removed; /* share asked (of what the target counts), share of encoder parameters reached */
	int round;	      /* > 0: a step on the way, cut, compensated and scored; not answered */
	bool answered;	      /* compensated and run over dev; else only measured: metrics, paired and kl are zero */
	size_t rows;	      /* of dev it was run over: fewer than all where the drop was certainly too much */
	struct skip_metrics metrics;
	struct skip_paired paired;
	double kl, macs_share, seconds, speedup; /* speedup 0 when not measured, of a board estimated */
	bool accepted;
};
struct skip_prune_result {
	struct skip_graph *graph;
	struct skip_keep keep;
	struct skip_metrics dense, pruned; /* on dev */
	struct skip_paired paired;
	double removed;
	bool target_met;
	const char *allocate; /* name of the allocation */
	double ceiling;	      /* dense time over the time of what nothing removes; 0: not known */
	struct {
		double dense_ms, pruned_ms; /* estimated, each in the fastest form that fits */
		int length;                 /* tokens of the one sequence; 0: no board was asked for */
		bool fits;                  /* whether any form of the pruned network does */
	} board;
	json_t *time_table;   /* what a search measured or read, with the shares it arrived at; NULL: none */
	struct skip_probe_point *trace;
	size_t n_trace;
	double score_seconds, allocate_seconds, compensate_seconds, search_seconds, retune_seconds;
};
/* `train` gives calibration and re-tuning rows, `dev` the decisions. A target that no choice of these units can reach is SKIP_ERR_USAGE, naming
 * what is possible. */
enum skip_status skip_prune(struct skip_device *device, const struct skip_graph *dense, const struct skip_scores *scores,
			    const struct skip_dataset *train, const struct skip_dataset *dev, const struct skip_prune_options *options,
			    const struct skip_progress *progress, struct skip_prune_result *out, struct skip_err *err);
void skip_prune_result_deinit(struct skip_prune_result *result);

/* Whether more rows would not bring a drop back within the margin of the adaptive mode: the estimate is three of its errors above, on 64 rows at least. */
bool skip_margin_is_lost(double margin, const struct skip_paired *paired, size_t rows);

/*
 * A search asks for probes until it knows. `probe` compensates one share and runs it over dev; the point belongs to the caller of the search
 * and stays valid until the next probe, and the search writes its verdict into `accepted`. `surrogate` gives the mean KL divergence from the
 * dense answers of the same share, cheaply and without labels; exact enough to tell on which side of kappa it lies. `same` says whether two shares
 * leave the same units: nothing lies between them.
 */
struct skip_search_state {
	void *context;
	enum skip_status (*probe)(void *context, double share, struct skip_probe_point **out, struct skip_err *err);
	enum skip_status (*surrogate)(void *context, double share, double kappa, double *kl, struct skip_err *err);
	enum skip_status (*same)(void *context, double share, double other, bool *same, struct skip_err *err);
	double margin;	/* points */
	double largest; /* share that can be removed at all */
	enum skip_margin_mode mode;
};
struct skip_search {
	const char *name, *summary;
	bool by_mode; /* the margin mode decides, and in the adaptive one a probe may end early (skip_margin_is_lost); else a drop up to the margin does, on all rows */
	/* Best accepted share in *share (0 when none). */
	enum skip_status (*run)(struct skip_search_state *state, double *share, struct skip_err *err);
};
/* Non-decreasing values nearest to y[0..n-1] in the sum of squares (pool adjacent violators), in place; x is ascending already. */
void skip_isotonic(double *y, size_t n);
extern const struct skip_search *const skip_searches[]; /* NULL-terminated, made by CMake */
const struct skip_search *skip_search_find(const char *name);

/* Rows that a speed is measured on, spread over the lengths of the data: four batches, since a batch's own speed-up is off by 2 %, and few, so that several
 * short rounds see each of them. */
#define SKIP_TIMING_ROWS 128

/* One network of an interleaved timing: passes over all batches, and how many times as fast as the last of the networks where nothing disturbs either. */
struct skip_timing {
	double median_ms, p95_ms, speedup;
};
/*
 * Times n networks over the rows of `data` in packed batches of `batch` sequences, batch by batch in turn, for at least `repeats` rounds and `seconds` of
 * wall time each. A speed-up is the ratio of sums over the batches, each batch at its fastest: what other work on the machine adds is left out.
 */
enum skip_status skip_measure_interleaved(struct skip_session *const *sessions, const int *values, size_t n, const struct skip_dataset *data, int batch,
					  int repeats, double seconds, struct skip_timing *out, struct skip_err *err);

#endif
