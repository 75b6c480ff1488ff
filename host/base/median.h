/* The middle of samples: times of repeated runs mostly, where a mean would follow the one run that was disturbed. */
#ifndef SKIP_BASE_MEDIAN_H
#define SKIP_BASE_MEDIAN_H

#include <stddef.h>

/* Sorts n numbers, n > 0, the least first, and gives the one in the middle, of an even n the mean of two. */
double skip_median(double *sample, size_t n);

#endif
