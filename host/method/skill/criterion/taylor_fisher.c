/* First and second order together: a frozen, prompt-tuned network is not stationary in its masks, so neither term is small by itself
 * (docs/method.md 3.4). */
#include "method/skill/skill.h"

static double rise(double g) { return g + 0.5 * g * g; }

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
				unit[j] += rise(g);
				whole += g;
			}
			if (head) head[h] += rise(whole);
		}
	}
}

const struct skip_criterion skip_criterion_taylor_fisher = {
    .name = "taylor+fisher",
    .summary = "mean mask gradient of log p and half its mean square",
    .default_samples = 512,
    .default_target = SKIP_TARGET_LOGPROB,
    .slots = true,
    .accumulate = accumulate,
};
