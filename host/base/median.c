/* Medians: median.h. */
#include "base/median.h"
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double skip_median(double *sample, size_t n)
{
	qsort(sample, n, sizeof(*sample), by_size);
	return n % 2 ? sample[n / 2] : (sample[n / 2 - 1] + sample[n / 2]) / 2;
}
