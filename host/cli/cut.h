/* Scoring, pruning and measuring as `prune` and `fit` share them. */
#ifndef SKIP_CLI_CUT_H
#define SKIP_CLI_CUT_H

#include "cli/calibrate.h"
#include "cli/stage.h"

struct skip_cli_speed {
	double dense_ms, pruned_ms;               /* median of one sequence alone, over the rows given */
	double dense_packed_ms, pruned_packed_ms; /* median of all rows in packed batches of 32 */
	double tokens;                            /* mean length */
	double speedup;                           /* packed */
};
struct skip_cli_cut {
	bool untied; /* layers shared weights and were given their own */
	struct skip_units units;
	struct skip_scores scores;
	struct skip_prune_result result; /* in float32 */
	struct skip_graph *graph;        /* what is kept: the result in the type asked for */
	enum skip_precision precision;
	int classes;                     /* most shapes that were asked for; 0: any number */
	const char *board;               /* that times were estimated for; NULL: none */
	struct skip_clip_report clip;	 /* of int8 with scales found beforehand; tensors 0: it has none */
	int retune_epochs;               /* and the type their steps were taken in */
	enum skip_precision train;
	struct skip_cli_speed speed;
	const struct skip_dataset *dev;	 /* borrowed: the rows that the search decided on, whose answers it has */
};
/* With --untie: weights of its own for every layer, where layers share them; *out stays NULL where they do not, and prune->untie is taken back. */
enum skip_status skip_cli_untie(const struct skip_graph *graph, struct skip_cli_prune *prune, struct skip_graph **out, struct skip_err *err);
/* Scores (or reads prune->scores), searches and cuts in float32, then measures dense and what is kept interleaved on `timing` rows. */
enum skip_status skip_cli_run_cut(struct skip_device *device, const struct skip_graph *dense, const struct skip_dataset *train,
				  const struct skip_dataset *dev, const struct skip_dataset *timing, const struct skip_cli_prune *prune,
				  const struct skip_cli_skill *skill, enum skip_precision precision, const struct skip_progress *progress, struct skip_cli_cut *out,
				  struct skip_err *err);
void skip_cli_cut_deinit(struct skip_cli_cut *cut);

/* What both verbs print and record: dense{}, pruned{}, drop, drop_se, speedup_measured, removed_*_percent, latency{}, trace[], layers[], ... */
struct skip_cli_outcome {
	const char *split; /* "test" or "dev" */
	struct skip_metrics dense, pruned; /* pruned in its type, dense in float32 */
	struct skip_metrics pruned_f32;
	struct skip_paired paired;
};
enum skip_status skip_cli_cut_evaluate(struct skip_device *device, const struct skip_graph *dense, const struct skip_cli_cut *cut, const char *split,
				       const struct skip_dataset *held, struct skip_cli_outcome *out, struct skip_err *err);
json_t *skip_cli_cut_record(const struct skip_cli_cut *cut, const struct skip_graph *dense, const struct skip_cli_outcome *outcome, double margin,
			    struct skip_err *err);
void skip_cli_cut_print(const struct skip_cli_cut *cut, const struct skip_graph *dense, const struct skip_cli_outcome *outcome, double margin);
/* SKIP_OK, or SKIP_ERR_TARGET with a sentence when the search missed what was asked for. */
enum skip_status skip_cli_cut_verdict(const struct skip_cli_cut *cut, const struct skip_cli_prune *prune, struct skip_err *err);

#endif
