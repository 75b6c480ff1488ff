/* What a unit adds to the variance of what reads it, its mean folded into the bias: variance over the rows times the squared norm of the
 * consumer's column; of a qk dim its share of the variance of the scores (docs/method.md 3.4). No labels, no gradients. */
#include "base/alloc.h"
#include "method/skill/consumer.h"
#include "method/skill/unit_moments.h"

static enum skip_status score(const struct skip_scoring *scoring, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_unit_moments *moments = NULL;
	double *weight = NULL;
	const struct skip_units *units = scoring->units;
	SKIP_TRY(skip_unit_moments_collect(scoring, false, &moments, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		double *unit = scoring->scores->unit[g], *head = scoring->scores->head[g];
		int outputs = 0;
		for (int j = 0; j < group->width; j++) unit[j] = moments[g].spread[j];
		if (group->kind == SKIP_UNIT_QK) continue;
		SKIP_TRY(skip_consumer_weight(scoring->graph, group, &weight, &outputs, err));
		for (int j = 0; j < group->width; j++) {
			double norm = 0;
			for (int d = 0; d < outputs; d++) {
				double w = weight[(size_t)d * (size_t)group->width + (size_t)j];
				norm += w * w;
			}
			unit[j] *= norm;
			if (head) head[j / group->per_head] += unit[j];
		}
		skip_free(weight);
		weight = NULL;
	}
cleanup:
	skip_free(weight);
	skip_unit_moments_free(moments, units->n_groups);
	return status;
}

const struct skip_criterion skip_criterion_actvar = {
    .name = "actvar",
    .summary = "variance of the activation times the norm of the weights that read it",
    .default_samples = 512,
    .default_target = -1,
    .score = score,
};
