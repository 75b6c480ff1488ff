/*
 * The stages of the method as verbs use them: option groups, running, recording, saving. `fit` is these in a row.
 */
#ifndef SKIP_CLI_STAGE_H
#define SKIP_CLI_STAGE_H

#include "cli/record.h"
#include "cli/source.h"
#include "device/profile/board.h"
#include "method/search/search.h"
#include "method/skill/skill.h"
#include "method/tune/tune.h"

/* Option groups: the words a person typed, turned into library options by the *_finish functions. */
struct skip_cli_tune {
	struct skip_tune_options options;
	int64_t prefix, epochs, batch, patience;
	const char *pool, *init, *start;
	bool keep; /* go on from the model's own prompt and head */
};
void skip_cli_tune_options(struct skip_cli_args *args, struct skip_cli_tune *tune);
enum skip_status skip_cli_tune_finish(struct skip_cli_tune *tune, const struct skip_cli_args *args, const struct skip_cli_common *common,
				      struct skip_err *err);

struct skip_cli_skill {
	struct skip_skill_options options;
	int64_t samples, steps, permutations;
	const char *target, *labels, *reduce, *path, *warm_start;
	double prior; /* weight of the scores that --warm-start names, in samples */
};
void skip_cli_skill_options(struct skip_cli_args *args, struct skip_cli_skill *skill);
enum skip_status skip_cli_skill_finish(struct skip_cli_skill *skill, const struct skip_cli_common *common, struct skip_err *err);
/* Scores as the options say, drawn towards those of other tasks where --warm-start names some: score files, or packages that hold them. */
enum skip_status skip_cli_score(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_cli_skill *skill, const struct skip_progress *progress,
				struct skip_scores *out, struct skip_err *err);

struct skip_cli_prune {
	struct skip_prune_options options;
	int64_t retune, restarts, rounds, classes;
	bool untie; /* layers that share weights get their own first */
	double rate;
	const char *units, *compensate, *scores, *retune_data, *time_table, *margin_mode;
	const struct skip_dataset *calibration; /* rows that scales of int8 are found on, NULL: they are found as it runs */
	json_t *table; /* read from time_table, NULL: there is none yet */
	const char *board; /* --board */
	struct skip_board board_file;
};
void skip_cli_prune_options(struct skip_cli_args *args, struct skip_cli_prune *prune);
/* At most one of --rate, --flops, --speedup, --latency-ms, --margin; none: --margin 1. Reads --time-table where the file exists. */
enum skip_status skip_cli_prune_finish(struct skip_cli_prune *prune, const struct skip_cli_args *args, const struct skip_cli_common *common,
				       struct skip_err *err);

/* The board of --board, whose products are in `precision`. */
enum skip_status skip_cli_prune_board(struct skip_cli_prune *prune, const struct skip_profiles *profiles, enum skip_precision precision, struct skip_err *err);

void skip_cli_prune_deinit(struct skip_cli_prune *prune);
/* The margin asked for, -1 where the target is another. */
double skip_cli_prune_margin(const struct skip_cli_prune *prune);
/* Writes the time table of a search, with the share it arrived at, to --time-table when that was given. */
enum skip_status skip_cli_write_table(const struct skip_cli_prune *prune, const struct skip_prune_result *result, struct skip_err *err);

/* The labels tuning goes on with: the model's with --start keep, which then needs classes; NULL where the data say. */
enum skip_status skip_cli_tune_known(const struct skip_cli_tune *tune, const struct skip_cli_model *model, const struct skip_labels **known,
				     struct skip_err *err);
/* Places prefix and head on the encoder of a checkpoint, or keeps those that are there, and tunes. */
enum skip_status skip_cli_run_tune(struct skip_device *device, const struct skip_cli_model *model, const struct skip_cli_tune *tune, int classes,
				   const struct skip_dataset *train, const struct skip_progress *progress, struct skip_tune_result *out,
				   struct skip_err *err);
/* With --resume: says from where tuning goes on. */
void skip_cli_note_resume(const struct skip_cli_common *common, const char *checkpoint);
/* JSON of what was asked for, with digests of the training rows: deterministic, part of the manifest. */
json_t *skip_cli_tune_settings(const struct skip_cli_tune *tune, const struct skip_cli_model *model, const struct skip_dataset *train);
/* `scores`: those it was cut by. */
json_t *skip_cli_prune_settings(const struct skip_cli_prune *prune, const struct skip_cli_skill *skill, const struct skip_scores *scores,
				const struct skip_prune_result *result);
/* epochs, best_epoch, steps_per_second, train_seconds, train_dtype, history */
json_t *skip_cli_tune_record(const struct skip_tune_result *result);

/* Metrics of logits on labelled data; confusion [C][C] may be NULL. */
enum skip_status skip_cli_evaluate(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, float **logits,
				   struct skip_metrics *metrics, struct skip_err *err);

/* date, command, host: the head of every metrics document. */
json_t *skip_cli_metrics_head(struct skip_device *device);
/* Writes a package of a canonical classifier, with programs for the device's profile and for `generic` and with known answers. */
struct skip_cli_save {
	const struct skip_graph *graph;
	const struct skip_cli_model *source; /* tokenizer files */
	const struct skip_labels *labels;
	int max_length;
	const json_t *settings, *metrics; /* borrowed */
	const struct skip_scores *scores; /* of the dense network, NULL: none */
	const struct skip_units *units;
	bool report;
};
enum skip_status skip_cli_save(const char *path, const struct skip_cli_device *device, const struct skip_cli_save *save, struct skip_err *err);

/* Largest |logit difference| of a graph on this device from the known answers of a package; SKIP_ERR_VERIFY when there are none. */
enum skip_status skip_cli_known_error(struct skip_device *device, const struct skip_package *package, double *worst, double *allowed,
				      struct skip_err *err);

#endif
