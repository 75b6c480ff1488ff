/* AdamW with decoupled weight decay and the learning-rate schedule (docs/method.md 2.5). Moments are double, weights float. */
#include "method/tune/tune.h"
#include <assert.h>
#include <math.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8
#define WARM_SHARE 0.06

double skip_tune_schedule(int64_t step, int64_t steps)
{
	assert(step >= 1 && step <= steps);
	int64_t warm = (int64_t)ceil(WARM_SHARE * (double)steps);
	if (step <= warm) return (double)step / (double)warm;
	return (double)(steps - step) / (double)(steps - warm);
}

void skip_adamw_step(struct skip_adamw_block *blocks, size_t n_blocks, float *const *grad, int64_t step, double schedule)
{
	double correct1 = 1 - pow(BETA1, (double)step), correct2 = 1 - pow(BETA2, (double)step);
	for (size_t b = 0; b < n_blocks; b++) {
		struct skip_adamw_block *block = &blocks[b];
		double rate = block->lr * schedule;
		for (size_t i = 0; i < block->n; i++) {
			double g = grad[b][i];
			double m = block->m[i] = BETA1 * block->m[i] + (1 - BETA1) * g;
			double v = block->v[i] = BETA2 * block->v[i] + (1 - BETA2) * g * g;
			double w = block->w[i];
			block->w[i] = (float)(w - rate * (m / correct1 / (sqrt(v / correct2) + EPSILON) + block->weight_decay * w));
		}
	}
}
