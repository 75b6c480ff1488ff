/* The paper's score: per sample the signed maximum over tokens of activation x gradient at the outputs of the producing linears
 * (docs/method.md 3.2). */
#include "method/skill/skill.h"

static void accumulate(const struct skip_criterion_batch *batch, double *unit, double *head)
{
	const struct skip_unit_group *group = batch->group;
	/* a qk dim has two producers, Q and K: their mean */
	const double share = 1.0 / group->n_pre;
	for (int s = 0; s < batch->n_samples; s++) {
		for (int i = 0; i < group->n_pre; i++) {
			const float *row = batch->reduce_pre[i] + (int64_t)s * group->width;
			for (int j = 0; j < group->width; j++) {
				double a = share * batch->weight[s] * row[j];
				unit[j] += a;
				if (head) head[j / group->per_head] += a;
			}
		}
	}
}

const struct skip_criterion skip_criterion_skip = {
    .name = "skip",
    .summary = "signed maximum over tokens of activation x gradient of p (the paper's)",
    .default_samples = 20,
    .default_target = SKIP_TARGET_PROB,
    .draws = 3,
    .needs_pre = true,
    .accumulate = accumulate,
};
