/*
 * Trials: what the dense network's answers become when one sub-layer, or all of them, take another option, refitted from moments. Runs in
 * the dense network's own programs (zero.h), from the changed sub-layer on; no trial compiles anything.
 */
#ifndef SKIP_METHOD_SEARCH_TRIAL_H
#define SKIP_METHOD_SEARCH_TRIAL_H

#include "method/search/consumer_fit.h"
#include "method/search/moments.h"
#include "method/search/options.h"

struct skip_trial {
	struct skip_device *device;
	const struct skip_graph *graph;
	const struct skip_units *units;
	const struct skip_scores *scores;
	const struct skip_options *options;
	bool slots; /* choices may drop slots of the prefix */
	double damping;
	struct skip_moments moments;
	struct skip_calibration rows; /* the sentences answers are compared on */
	struct skip_graph *work;      /* the network with exchangeable weights */
	struct skip_session *session;
	int logits, classes;
	struct skip_trial_place *place; /* [n sub-layers] */
	float *dense, *answer;		/* [sentences][C] */
	struct skip_keep keep;		/* of the option at work */
};

/* Which rows: at most `sentences` of `data` and about `tokens` tokens for answers, `moment_tokens` for moments. */
struct skip_trial_options {
	const struct skip_dataset *data;
	int sentences;
	int64_t tokens, moment_tokens;
	double damping;
	uint64_t seed;
};
/* Zero the struct, then fill device .. slots. deinit accepts a zeroed one. */
enum skip_status skip_trial_init(struct skip_trial *trial, const struct skip_trial_options *options, struct skip_err *err);
void skip_trial_deinit(struct skip_trial *trial);

/* Mean KL(dense || network with option k in this sub-layer alone) over the sentences for every sub-layer s and option k: error[s][k]. */
enum skip_status skip_trial_each(struct skip_trial *trial, double *const *error, const struct skip_progress *progress,
				 struct skip_err *err);
/*
 * The same for a whole choice, every sub-layer refitted on its own. Ends early, after any 64 sentences, when the mean is more than three
 * standard errors on one side of `kappa` (INFINITY: never).
 */
enum skip_status skip_trial_keep(struct skip_trial *trial, const struct skip_keep *keep, double kappa, double *kl, struct skip_err *err);

#endif
