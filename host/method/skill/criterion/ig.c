/*
 * Integrated gradients over masks: the mask gradient averaged along a straight line from all units of a group switched off to all on, by the
 * midpoint rule (docs/method.md 3.4). Summed over the group it is f(on) - f(off) up to the quadrature.
 *
 * At mask alpha a post site sees h and the gradient alpha * df/d(masked h), so what the score node gives is alpha times the mask gradient.
 */
#include "method/skill/gradients.h"
#include "method/skill/masked.h"

struct path {
	const struct skip_scoring *scoring;
	struct skip_masked masked;
	struct skip_gradients *gradients;
	double share; /* of one sample at one step: 1 / (alpha steps samples) */
};

static void add(void *context, size_t group, const struct skip_criterion_batch *batch)
{
	const struct path *path = context;
	const struct skip_unit_group *units = batch->group;
	double *unit = path->scoring->scores->unit[group], *head = path->scoring->scores->head[group];
	for (int s = 0; s < batch->n_samples; s++) {
		const float *row = batch->sum_post + (int64_t)s * units->width;
		for (int j = 0; j < units->width; j++) {
			double g = path->share * batch->weight[s] * row[j];
			unit[j] += g;
			if (head) head[j / units->per_head] += g;
		}
	}
}

static enum skip_status set_masks(struct path *path, size_t first, size_t last, float alpha, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t g = first; g < last; g++) {
		for (int j = 0; j < path->scoring->units->group[g].width; j++) skip_masked_set(&path->masked, g, j, alpha);
		SKIP_TRY(skip_masked_update(&path->masked, skip_gradients_session(path->gradients), g, err));
	}
cleanup:
	return status;
}

/* Fades groups first .. last-1 in together, the others stay on. */
static enum skip_status fade(struct path *path, size_t first, size_t last, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int steps = path->scoring->options->steps;
	for (int k = 0; k < steps; k++) {
		double alpha = (k + 0.5) / steps;
		path->share = 1 / (alpha * steps * (double)path->scoring->sample->n_rows);
		SKIP_TRY(set_masks(path, first, last, (float)alpha, err));
		SKIP_TRY(skip_gradients_walk(path->gradients, first, last, add, path, err));
	}
	SKIP_TRY(set_masks(path, first, last, 1, err));
cleanup:
	return status;
}

static enum skip_status score(const struct skip_scoring *scoring, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct path path = {.scoring = scoring};
	const size_t n_groups = scoring->units->n_groups, ways = scoring->options->whole_path ? 1 : n_groups;
	for (size_t g = 0; g < n_groups; g++) {
		/* two masks on one product: its path would be a parabola */
		if (scoring->units->group[g].use[0].also != SKIP_NONE)
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "criterion 'ig' cannot fade qk dims whose keys meet more than the queries");
	}
	SKIP_TRY(skip_masked_init(scoring->graph, scoring->units, &path.masked, err));
	const struct skip_gradients_needs needs = {0};
	SKIP_TRY(skip_gradients_open(scoring, path.masked.graph, needs, 1 + scoring->options->steps * (int)ways, &path.gradients, err));
	SKIP_TRY(skip_gradients_walk(path.gradients, 0, 0, NULL, NULL, err)); /* labels of the whole network */
	for (size_t w = 0; w < ways; w++) {
		bool whole = scoring->options->whole_path;
		SKIP_TRY(fade(&path, whole ? 0 : w, whole ? n_groups : w + 1, err));
	}
cleanup:
	skip_gradients_destroy(path.gradients);
	skip_masked_deinit(&path.masked);
	return status;
}

const struct skip_criterion skip_criterion_ig = {
    .name = "ig",
    .summary = "mask gradients of log p averaged while a group fades in",
    .default_samples = 32,
    .default_target = SKIP_TARGET_LOGPROB,
    .score = score,
};
