/* The paper's score: per sample the signed maximum over tokens of activation x gradient at the outputs of the producing linears
 * (docs/method.md 3.2). */
#include "method/skill/skill.h"

static void accumulate(const struct skip_criterion_batch *batch, double *unit, double *head)
{
	const struct skip_unit_group *group = batch->group;
	/* A qk dim has two producers, Q and K: their mean. A slot has none: the gradient of its mask, of which there is one for all tokens. */
	const float *const site[2] = {group->n_pre > 0 ? batch->reduce_pre[0] : batch->sum_post, batch->reduce_pre[1]};
	const int n_sites = group->n_pre > 0 ? group->n_pre : 1;
	const double share = 1.0 / n_sites;
	for (int s = 0; s < batch->n_samples; s++) {
		for (int i = 0; i < n_sites; i++) {
			const float *row = site[i] + (int64_t)s * group->width;
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
    .slots = true,
    .accumulate = accumulate,
};
