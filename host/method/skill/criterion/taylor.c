/* First-order loss rise on removal: mean over samples of the mask gradient (docs/method.md 3.4). */
#include "method/skill/skill.h"

static void accumulate(const struct skip_criterion_batch *batch, double *unit, double *head)
{
	const struct skip_unit_group *group = batch->group;
	for (int s = 0; s < batch->n_samples; s++) {
		const float *row = batch->sum_post + (int64_t)s * group->width;
		for (int j = 0; j < group->width; j++) {
			double g = batch->weight[s] * row[j];
			unit[j] += g;
			if (head) head[j / group->per_head] += g;
		}
	}
}

const struct skip_criterion skip_criterion_taylor = {
    .name = "taylor",
    .summary = "mean mask gradient of log p: the first-order loss rise on removal",
    .default_samples = 512,
    .default_target = SKIP_TARGET_LOGPROB,
    .slots = true,
    .accumulate = accumulate,
};
