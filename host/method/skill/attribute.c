/*
 * Attribution: finds the criterion, chooses target and samples, and lets the criterion fill the scores: from mask gradients (gradients.c), by a
 * walk of its own, or from the weights alone (docs/method.md 3).
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include "method/skill/gradients.h"
#include "method/skill/ranks.h"
#include "method/skill/sample.h"
#include <math.h>
#include <stdio.h>

void skip_skill_defaults(struct skip_skill_options *options)
{
	*options = (struct skip_skill_options){.criterion = "kfac",
					       .choice = "random",
					       .target = -1,
					       .labels = SKIP_LABELS_GOLD,
					       .reduce = SKIP_REDUCE_MAX,
					       .steps = 8,
					       .permutations = 4};
}

static enum skip_status choose_target(const struct skip_criterion *criterion, const struct skip_skill_options *options, int *target,
				      struct skip_err *err)
{
	bool unlabelled = options->labels == SKIP_LABELS_NONE;
	if (!skip_criterion_reads_labels(criterion)) return SKIP_OK;
	*target = options->target >= 0			? options->target
		  : unlabelled && criterion->label_free ? SKIP_TARGET_KL
							: criterion->default_target;
	if (*target == SKIP_TARGET_KL && !criterion->label_free)
		return skip_err_set(err, SKIP_ERR_USAGE,
				    "target kl has no first-order gradient at the model itself; criterion '%s' needs one", criterion->name);
	if (*target != SKIP_TARGET_KL && unlabelled)
		return skip_err_set(err, SKIP_ERR_USAGE, "criterion '%s' needs labels: gold or pred", criterion->name);
	return SKIP_OK;
}

struct sums {
	const struct skip_criterion *criterion;
	struct skip_scores *scores;
};

static void add_batch(void *context, size_t group, const struct skip_criterion_batch *batch)
{
	const struct sums *sums = context;
	sums->criterion->accumulate(batch, sums->scores->unit[group], sums->scores->head[group]);
}

/* Means over scoring->sample of what the criterion makes of its gradients. */
static enum skip_status score_gradients(const struct skip_scoring *scoring, const struct skip_criterion *criterion, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_gradients *gradients = NULL;
	struct sums sums = {criterion, scoring->scores};
	const struct skip_units *units = scoring->units;
	const double n = (double)scoring->sample->n_rows;
	const struct skip_gradients_needs needs = {.pre = criterion->needs_pre};
	SKIP_TRY(skip_gradients_open(scoring, scoring->graph, needs, 1, &gradients, err));
	SKIP_TRY(skip_gradients_walk(gradients, 0, scoring->n_groups, add_batch, &sums, err));
	for (size_t g = 0; g < scoring->n_groups; g++) {
		for (int j = 0; j < units->group[g].width; j++) sums.scores->unit[g][j] /= n;
		for (int h = 0; sums.scores->head[g] && h < units->group[g].heads; h++) sums.scores->head[g][h] /= n;
	}
	scoring->scores->samples = (int)scoring->sample->n_rows;
cleanup:
	skip_gradients_destroy(gradients);
	return status;
}

/* ---- growing samples */

/* Scores of every second of the first `n` rows of the sample, from row `first`. */
static enum skip_status score_half(const struct skip_scoring *scoring, const struct skip_criterion *criterion, size_t first, size_t n,
				   struct skip_scores *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_scoring half = *scoring;
	struct skip_dataset rows = {0};
	size_t count = 0;
	int *row = skip_alloc_array(n, sizeof(*row));
	if (!row) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu samples", n);
	for (size_t i = first; i < n; i += 2) row[count++] = (int)i;
	SKIP_TRY(skip_dataset_take(scoring->sample, row, count, &rows, err));
	SKIP_TRY(skip_scores_alloc(scoring->units, out, err));
	half.sample = &rows;
	half.scores = out;
	SKIP_TRY(score_gradients(&half, criterion, err));
	scoring->scores->forward += out->forward;
	scoring->scores->backward += out->backward;
cleanup:
	skip_dataset_deinit(&rows);
	skip_free(row);
	return status;
}

/* The halves' scores together, as if they had been scored in one. */
static void join_halves(const struct skip_scoring *scoring, const struct skip_scores half[2], struct skip_scores *out)
{
	const struct skip_units *units = scoring->units;
	const double n = half[0].samples + half[1].samples;
	for (size_t g = 0; g < scoring->n_groups; g++) {
		for (int j = 0; j < units->group[g].width; j++)
			out->unit[g][j] = (half[0].unit[g][j] * half[0].samples + half[1].unit[g][j] * half[1].samples) / n;
		for (int h = 0; out->head[g] && h < units->group[g].heads; h++)
			out->head[g][h] = (half[0].head[g][h] * half[0].samples + half[1].head[g][h] * half[1].samples) / n;
	}
	out->samples = (int)n;
}

/* Twenty samples, then more until two halves of them agree or the sample is used up. */
static enum skip_status score_until_stable(const struct skip_scoring *scoring, const struct skip_criterion *criterion, struct skip_err *err)
{
	static const size_t levels[] = {20, 64, 256, 1024};
	enum skip_status status = SKIP_OK;
	struct skip_scores half[2] = {{0}, {0}};
	for (size_t l = 0;; l++) {
		const size_t all = scoring->sample->n_rows, n = l < sizeof(levels) / sizeof(*levels) && levels[l] < all ? levels[l] : all;
		struct skip_agreement agreement;
		SKIP_TRY(score_half(scoring, criterion, 0, n, &half[0], err));
		SKIP_TRY(score_half(scoring, criterion, 1, n, &half[1], err));
		SKIP_TRY(skip_scores_agree(&half[0], &half[1], scoring->units, &agreement, err));
		join_halves(scoring, half, scoring->scores);
		scoring->scores->agreement = agreement.lowest;
		if (agreement.lowest >= scoring->options->stable || n == all) break;
		skip_scores_deinit(&half[0]);
		skip_scores_deinit(&half[1]);
	}
cleanup:
	skip_scores_deinit(&half[0]);
	skip_scores_deinit(&half[1]);
	return status;
}

static enum skip_status score_data(struct skip_scoring *scoring, const struct skip_criterion *criterion, const struct skip_dataset *data,
				   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset sample = {0};
	int logits = skip_graph_find_value(scoring->graph, "logits");
	if (logits == SKIP_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "the graph has no logits to attribute");
	scoring->classes = scoring->graph->values[logits].cols;
	SKIP_TRY(choose_target(criterion, scoring->options, &scoring->target, err));
	SKIP_TRY(skip_skill_sample(scoring, criterion, data, &sample, err));
	scoring->sample = &sample;
	scoring->scores->samples = (int)sample.n_rows;
	if (!criterion->accumulate)
		SKIP_TRY(criterion->score(scoring, err));
	else if (scoring->options->stable > 0 && sample.n_rows > 1)
		SKIP_TRY(score_until_stable(scoring, criterion, err));
	else
		SKIP_TRY(score_gradients(scoring, criterion, err));
cleanup:
	skip_dataset_deinit(&sample);
	return status;
}

enum skip_status skip_attribute(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_skill_options *options,
				const struct skip_progress *progress, struct skip_scores *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double start = skip_clock_seconds();
	struct skip_scores scores = {0};
	struct skip_graph *typed = NULL;
	const struct skip_criterion *criterion = skip_criterion_find(options->criterion);
	if (!criterion) return skip_err_set(err, SKIP_ERR_USAGE, "no criterion '%s'", options->criterion);
	if (options->stable > 0 && !criterion->accumulate)
		return skip_err_set(err, SKIP_ERR_USAGE, "criterion '%s' is no mean over samples; its samples cannot be grown", criterion->name);
	SKIP_TRY((criterion->slots ? skip_pass_linear_precision : skip_pass_precision)(graph, options->precision, &typed, err));
	struct skip_scoring scoring = {.device = device,
				       .graph = typed,
				       .units = units,
				       .n_groups = criterion->slots ? units->n_all : units->n_groups,
				       .options = options,
				       .target = -1,
				       .name = criterion->name,
				       .progress = progress,
				       .scores = &scores};
	SKIP_TRY(skip_scores_alloc(units, &scores, err));
	for (size_t g = scoring.n_groups; g < units->n_all; g++) {
		skip_free(scores.unit[g]);
		scores.unit[g] = NULL;
	}
	scores.agreement = NAN;
	if (criterion->compute) {
		for (size_t g = 0; g < scoring.n_groups; g++)
			SKIP_TRY(criterion->compute(graph, &units->group[g], options->seed, scores.unit[g], scores.head[g], err));
	} else {
		SKIP_TRY(score_data(&scoring, criterion, data, err));
	}
	snprintf(scores.criterion, sizeof(scores.criterion), "%s", criterion->name);
	scores.seconds = skip_clock_seconds() - start;
	*out = scores;
	scores = (struct skip_scores){0};
cleanup:
	skip_graph_destroy(typed);
	skip_scores_deinit(&scores);
	return status;
}
