/*
 * Attribution: scores per unit. One file per criterion in method/skill/criterion/, found by CMake (`const struct skip_criterion
 * skip_criterion_<file>`). docs/method.md 3.
 */
#ifndef SKIP_METHOD_SKILL_H
#define SKIP_METHOD_SKILL_H

#include "graph/units.h"
#include "method/predict.h"

enum skip_target { SKIP_TARGET_PROB, SKIP_TARGET_LOGPROB, SKIP_TARGET_LOGIT, SKIP_TARGET_KL };
enum skip_label_source { SKIP_LABELS_GOLD, SKIP_LABELS_PRED, SKIP_LABELS_NONE };

struct skip_skill_options {
	const char *criterion; /* "skip", "taylor", "fisher", "magnitude", "random" */
	int samples;	       /* 0: the criterion's default (skip 20 x 3 draws, others 512); capped by the data */
	int target;	       /* enum skip_target, -1: the criterion's default */
	enum skip_label_source labels;
	enum skip_reduce reduce; /* of `skip`; SKIP_REDUCE_MAX by default */
	uint64_t seed;
};
void skip_skill_defaults(struct skip_skill_options *options);

/* Scores, high = keep, one array per group of skip_units_find on the same graph, and per head where the group has heads. */
struct skip_scores {
	double **unit; /* [n_groups][width] */
	double **head; /* [n_groups][heads], NULL for ffn and qk groups */
	size_t n_groups;
	char criterion[SKIP_NAME];
	int samples;
	double seconds;
};
void skip_scores_deinit(struct skip_scores *scores);
enum skip_status skip_scores_alloc(const struct skip_units *units, struct skip_scores *out, struct skip_err *err);

/* What a criterion gets per batch of a backward pass: per sample and unit, h*dh of log p (or of the logit margin) reduced over the sample's
 * rows; for a unit of several columns the sum of theirs. */
struct skip_criterion_batch {
	const struct skip_unit_group *group;
	int n_samples;
	const float *sum_post;	    /* [B][width]: mask gradient g_j(s) at the post site (G, Ctx, Q), sum over rows */
	const float *reduce_pre[2]; /* [B][width]: token-reduced activation x gradient at the pre sites, NULL unless asked for */
	const double *weight;	    /* [B] >= 0, what makes the target's gradient of it: p of the label for `prob`, else 1 */
};
struct skip_criterion {
	const char *name;
	const char *summary;
	int default_samples, default_target;
	int draws;	 /* class-balanced draws of that many samples, averaged; 0: one draw of any rows */
	bool label_free; /* may be used with SKIP_TARGET_KL: squares the gradient */
	bool needs_backward, needs_pre;
	/* Adds a batch into unit (and head, NULL where the group has none) scores; called once per group and batch. NULL when
	 * needs_backward is false. */
	void (*accumulate)(const struct skip_criterion_batch *batch, double *unit, double *head);
	/* For criteria of weights alone. */
	enum skip_status (*compute)(const struct skip_graph *graph, const struct skip_unit_group *group, uint64_t seed, double *unit,
				    double *head, struct skip_err *err);
};
extern const struct skip_criterion *const skip_criteria[]; /* NULL-terminated, made by CMake */
const struct skip_criterion *skip_criterion_find(const char *name);

/* `graph`: canonical, tuned. Sums are means over the samples used. */
enum skip_status skip_attribute(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_skill_options *options,
				const struct skip_progress *progress, struct skip_scores *out, struct skip_err *err);

/* File form: one F64 tensor per group "layer<l>.<kind>" and "layer<l>.head"; reading checks the widths against `units` and calls the
 * criterion "file". */
enum skip_status skip_scores_save(const struct skip_scores *scores, const struct skip_units *units, const char *path, struct skip_err *err);
enum skip_status skip_scores_load(const char *path, const struct skip_units *units, struct skip_scores *out, struct skip_err *err);

#endif
