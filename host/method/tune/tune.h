/*
 * Tuning: deep K/V prefix, head and optional pooler on a frozen encoder, or every weight of the layers with them (docs/method.md 2).
 */
#ifndef SKIP_METHOD_TUNE_H
#define SKIP_METHOD_TUNE_H

#include "method/predict.h"

struct skip_tune_options {
	int prefix;			     /* P; 0 trains the head only */
	int epochs, batch;		     /* 20 (fit chooses by budget), 32 */
	bool full;			     /* the weights of the layers too */
	double lr, lr_head, lr_weights;	     /* 7e-3, 1e-3, 5e-5 */
	double head_dropout, prefix_dropout; /* 0.1, 0 */
	double weight_decay;		     /* 0.01, matrices only, not the prefix */
	double clip;			     /* 1 */
	int patience;	  /* evaluations without a better selection score before stopping, not before 25 % of the budget; 0: never */
	bool probe_start; /* head from a linear probe; else random */
	bool init_tokens; /* prefix from K, V rows of random training tokens; else N(0, 0.02^2) */
	uint64_t seed;
	/* distillation (re-tuning, docs/method.md 7): teacher logits [n_train][C] or NULL */
	const float *teacher;
	double kd_weight, kd_temperature; /* 0.5, 2 */
	bool keep_start;		  /* re-tuning: start from the graph's prefix and head instead of initialising */
	enum skip_precision precision;	  /* of the products of a step: F32 or BF16. Weights, their moments and the loss stay float32 or better */
	const char *checkpoint_path;	  /* file for --resume, or NULL */
	bool resume;
};
void skip_tune_defaults(struct skip_tune_options *options);

struct skip_tune_result {
	struct skip_graph *graph;  /* tuned; inference form, canonical (unfused), trained tensors owned */
	int epochs, best_epoch;	   /* 1-based */
	double selection_accuracy; /* on the held-out tenth of train */
	double probe_accuracy;	   /* of the linear probe on the same rows, NaN without */
	double steps_per_second, train_seconds;
	enum skip_precision precision; /* steps were taken in */
	double *history; /* [epochs] selection accuracy */
	size_t held_out; /* rows of the selection set */
	size_t trained;	 /* numbers trained */
	size_t device_bytes; /* memory of the training session */
};
/*
 * `graph`: canonical encoder with prefix and head already placed (skip_pass_prefix, skip_pass_head), value "logits". Selection set: a tenth
 * of `train` (at most 800 rows) fixed by the seed. Interrupted: SKIP_ERR_INTERRUPTED after the checkpoint was written. SKIP_ERR_INPUT when
 * loss is not finite.
 */
enum skip_status skip_tune(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *train,
			   const struct skip_tune_options *options, const struct skip_progress *progress, struct skip_tune_result *out,
			   struct skip_err *err);
void skip_tune_result_deinit(struct skip_tune_result *result);

/* Linear probe: multinomial logistic regression on features [n][D] by L-BFGS with L2 1/(2 c n)... returns W [C][D], b [C]. */
enum skip_status skip_probe_fit(const float *features, const int32_t *label, size_t n, int width, int classes, double c, int max_iterations,
				float *weight, float *bias, struct skip_err *err);

double skip_tune_schedule(int64_t step, int64_t steps); /* warm-up 6 %, then linear to 0; factor of the base rate */

#endif
