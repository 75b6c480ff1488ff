/*
 * Optimal brain surgeon: the error of what reads the units after the least harmful ones have left one by one, the rest refitted each time
 * (docs/method.md 3.4). The score of a unit is the error reached with its removal, so scores rise in the order of leaving and the score at a
 * width is the error of that width, in squared output per row. qk dims have no linear reader: their score is actvar's.
 */
#include "base/alloc.h"
#include "method/skill/consumer.h"
#include "method/skill/eliminate.h"
#include "method/skill/unit_moments.h"
#include <string.h>

#define DAMPING 1e-2 /* of the mean diagonal */
#define ROUNDS 96    /* units leave in about so many rounds */

/* Errors reached, by unit of `size` inputs, into out [width / size]. `cov` and `weight` are left as they are. */
static enum skip_status reached(const double *cov, const double *weight, int width, int outputs, int size, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = (size_t)width, units = n / (size_t)size;
	double *hess = skip_alloc_array(n, n * sizeof(double)), *w = skip_alloc_array(n, (size_t)outputs * sizeof(double));
	double *cost = skip_alloc_array(units, sizeof(double)), trace = 0, sum = 0;
	int *order = skip_alloc_array(units, sizeof(int));
	if (!hess || !w || !cost || !order) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "elimination of %d units", width);
		goto cleanup;
	}
	memcpy(hess, cov, n * n * sizeof(double));
	memcpy(w, weight, n * (size_t)outputs * sizeof(double));
	for (size_t j = 0; j < n; j++) trace += cov[j * n + j];
	/* a group that never varies still has to be inverted */
	const double lam = trace > 0 ? DAMPING * trace / (double)n : 1;
	for (size_t j = 0; j < n; j++) hess[j * n + j] += lam;
	SKIP_TRY(skip_eliminate(hess, w, width, outputs, size, (int)((units + ROUNDS - 1) / ROUNDS), cost, order, err));
	for (size_t i = 0; i < units; i++) {
		sum += cost[order[i]];
		out[order[i]] = sum;
	}
cleanup:
	skip_free(hess);
	skip_free(w);
	skip_free(cost);
	skip_free(order);
	return status;
}

static enum skip_status score(const struct skip_scoring *scoring, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_unit_moments *moments = NULL;
	double *weight = NULL;
	const struct skip_units *units = scoring->units;
	SKIP_TRY(skip_unit_moments_collect(scoring, true, &moments, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		double *unit = scoring->scores->unit[g], *head = scoring->scores->head[g];
		int outputs = 0;
		if (group->kind == SKIP_UNIT_QK) {
			memcpy(unit, moments[g].spread, (size_t)group->width * sizeof(*unit));
			continue;
		}
		SKIP_TRY(skip_consumer_weight(scoring->graph, group, &weight, &outputs, err));
		SKIP_TRY(reached(moments[g].cov, weight, group->width, outputs, 1, unit, err));
		if (head) SKIP_TRY(reached(moments[g].cov, weight, group->width, outputs, group->per_head, head, err));
		skip_free(weight);
		weight = NULL;
	}
cleanup:
	skip_free(weight);
	skip_unit_moments_free(moments, units->n_groups);
	return status;
}

const struct skip_criterion skip_criterion_obs = {
    .name = "obs",
    .summary = "error of what reads the units when they leave one by one and the rest is refitted",
    .default_samples = 1024,
    .default_target = -1,
    .score = score,
};
