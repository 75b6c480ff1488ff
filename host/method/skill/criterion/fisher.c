/* Half the mean squared mask gradient; a head is one unit: its dims are added up before the square (docs/method.md 3.4). */
#include "method/skill/skill.h"

static void accumulate(const struct skip_criterion_batch *batch, double *unit, double *head)
{
	const struct skip_unit_group *group = batch->group;
	for (int s = 0; s < batch->n_samples; s++) {
		const float *row = batch->sum_post + (int64_t)s * group->width;
		for (int h = 0; h < group->heads; h++) {
			double whole = 0;
			for (int e = 0; e < group->per_head; e++) {
				int j = h * group->per_head + e;
				double g = batch->weight[s] * row[j];
				unit[j] += 0.5 * g * g;
				whole += g;
			}
			if (head) head[h] += 0.5 * whole * whole;
		}
	}
}

const struct skip_criterion skip_criterion_fisher = {
    .name = "fisher",
    .summary = "half the mean squared mask gradient of log p",
    .default_samples = 512,
    .default_target = SKIP_TARGET_LOGPROB,
    .label_free = true,
    .slots = true,
    .accumulate = accumulate,
};
