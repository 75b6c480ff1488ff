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
	const char *criterion; /* name of one in criterion/ */
	int samples;	       /* 0: the criterion's default; capped by the data */
	const char *choice;    /* of the samples, name of one in choice/; NULL: random */
	int target;	       /* enum skip_target, -1: the criterion's default */
	enum skip_label_source labels;
	enum skip_reduce reduce; /* of `skip`; SKIP_REDUCE_MAX by default */
	int steps;		 /* of `ig`: masks between 0 and 1 */
	bool whole_path;	 /* of `ig`: all groups fade together, not one after the other */
	int permutations;	 /* of `shapley`; each is walked from both ends */
	enum skip_precision precision; /* products of the passes over the samples; float32 by default */
	double stable; /* > 0: fewer samples do where two halves of them agree with this Spearman correlation in every group; sums of gradients only */
	uint64_t seed;
};
void skip_skill_defaults(struct skip_skill_options *options);

/* Scores, high = keep, one array per group of skip_units_find on the same graph, and per head where the group has heads. */
struct skip_scores {
	double **unit; /* [n_all][width]; slots: NULL where the criterion says nothing of them */
	double **head; /* [n_all][heads], NULL for ffn, qk and slots */
	size_t n_all;
	char criterion[SKIP_NAME];
	int samples;
	int64_t forward, backward; /* sample passes spent */
	double agreement;	   /* lowest Spearman correlation of two halves of the samples over the groups; NAN where it was not looked at */
	double seconds;
};
void skip_scores_deinit(struct skip_scores *scores);
enum skip_status skip_scores_alloc(const struct skip_units *units, struct skip_scores *out, struct skip_err *err);

/* What a criterion gets per batch of a backward pass: per sample and unit, h*dh of log p (or of the logit margin) reduced over the sample's
 * rows; for a unit of several columns the sum of theirs. */
struct skip_criterion_batch {
	const struct skip_unit_group *group;
	int n_samples;
	const float *sum_post;	    /* [B][width]: mask gradient g_j(s) at the post site (G, Ctx, Q), sum over rows; of a slot sum of dZ over rows and heads */
	const float *reduce_pre[2]; /* [B][width]: token-reduced activation x gradient at the pre sites, NULL unless asked for; slots have none */
	const double *weight;	    /* [B] >= 0, what makes the target's gradient of it: p of the label for `prob`, else 1 */
	const float *out;	    /* [n_out][width of the consumer's output]: the target's gradient at it, row by row of every use; NULL unless asked for, and
				       of units without a consumer */
	int n_out;
};
/* What a criterion with a walk of its own gets. */
struct skip_scoring {
	struct skip_device *device;
	const struct skip_graph *graph; /* canonical, tuned, ends at "logits" */
	const struct skip_units *units; /* of `graph` */
	size_t n_groups;		/* how many of them are scored: those of columns, or all */
	const struct skip_dataset *sample;
	const struct skip_skill_options *options;
	int target, classes;
	const char *name; /* of the criterion, for progress */
	const struct skip_progress *progress;
	struct skip_scores *scores; /* zeros; passes are counted here */
};
struct skip_criterion {
	const char *name;
	const char *summary;
	int default_samples, default_target; /* target -1: it looks at no labels */
	int draws;	 /* class-balanced draws of that many samples, averaged; 0: one draw of any rows */
	bool label_free; /* may be used with SKIP_TARGET_KL: squares the gradient */
	bool needs_pre;
	bool slots; /* scores the slots of a prefix too */
	/* One of the three. Gradients: adds a batch into unit (and head, NULL where the group has none) scores; called once per group and batch,
	 * then sums are divided by the number of samples. */
	void (*accumulate)(const struct skip_criterion_batch *batch, double *unit, double *head);
	/* Anything else that looks at data: fills scoring->scores. */
	enum skip_status (*score)(const struct skip_scoring *scoring, struct skip_err *err);
	/* Weights alone. */
	enum skip_status (*compute)(const struct skip_graph *graph, const struct skip_unit_group *group, uint64_t seed, double *unit,
				    double *head, struct skip_err *err);
};
extern const struct skip_criterion *const skip_criteria[]; /* NULL-terminated, made by CMake */
const struct skip_criterion *skip_criterion_find(const char *name);
bool skip_criterion_reads_labels(const struct skip_criterion *criterion);
/* Whether every slot of the network has a score. */
bool skip_scores_know_slots(const struct skip_scores *scores, const struct skip_units *units);

/* `graph`: canonical, tuned. Sums are means over the samples used. */
enum skip_status skip_attribute(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_skill_options *options,
				const struct skip_progress *progress, struct skip_scores *out, struct skip_err *err);

/* The tensors of the file form, *out to free; they point into the scores. */
enum skip_status skip_scores_entries(const struct skip_scores *scores, const struct skip_units *units, struct skip_st_entry **out, size_t *count,
				     struct skip_err *err);
/* What the file form says beside them: {"criterion": name}; NULL when memory runs out. */
json_t *skip_scores_metadata(const struct skip_scores *scores);
/* File form: one F64 tensor per group "layer<l>.<kind>" and "layer<l>.head"; reading checks the widths against `units`, and calls
 * the criterion of a file without metadata "file". Scores of slots may be absent; those of a prefix of another length are left out. */
enum skip_status skip_scores_save(const struct skip_scores *scores, const struct skip_units *units, const char *path, struct skip_err *err);
enum skip_status skip_scores_load(const char *path, const struct skip_units *units, struct skip_scores *out, struct skip_err *err);

#endif
