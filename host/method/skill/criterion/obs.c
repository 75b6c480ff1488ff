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
		SKIP_TRY(skip_eliminate_errors(moments[g].cov, weight, group->width, outputs, 1, unit, err));
		if (head) SKIP_TRY(skip_eliminate_errors(moments[g].cov, weight, group->width, outputs, group->per_head, head, err));
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
