/* The learning-rate schedule (docs/method.md 2.5). */
#include "method/tune/tune.h"
#include <assert.h>
#include <math.h>

#define WARM_SHARE 0.06

double skip_tune_schedule(int64_t step, int64_t steps)
{
	assert(step >= 1 && step <= steps);
	int64_t warm = (int64_t)ceil(WARM_SHARE * (double)steps);
	if (step <= warm) return (double)step / (double)warm;
	return (double)(steps - step) / (double)(steps - warm);
}
