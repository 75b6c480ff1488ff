/* Host mathematics of compensation: ridge regression towards given weights. */
#ifndef SKIP_METHOD_SEARCH_RIDGE_H
#define SKIP_METHOD_SEARCH_RIDGE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct skip_ridge {
	const float *in, *target; /* [rows][stride], [rows][outputs] */
	const int *row;		  /* [n] rows that count, NULL: the first n */
	size_t n;
	const int *column; /* [width] columns of `in` that are inputs; NULL: all, and stride is width */
	int stride, width, outputs;
	double damping; /* lam = damping * mean diagonal of the covariance */
	bool bias_only; /* weights stay, only the means are made to agree */
	bool through_origin; /* no bias: nothing is centred */
};

/*
 * Minimises |Inc W'^T - Tgc|^2 + lam |W' - W|^2 over W' [outputs][width] with free bias: W'^T = (Inc^T Inc + lam Id)^-1 (Inc^T Tgc + lam
 * W^T), b' = mean(Tg) - W' mean(In); c = centred (docs/method.md 5, asymmetric ls). `weight` [outputs][stride] holds W and receives W' in the
 * columns named, the others stay; `bias` [outputs] receives b' (NULL through the origin). width 0 gives the bias alone. Products of blocks of rows in float, sums over
 * blocks and the solution in double.
 */
enum skip_status skip_ridge_fit(const struct skip_ridge *problem, float *weight, float *bias, struct skip_err *err);

#endif
