/* Refit of the classifier (docs/method.md 5): its answers on the pruned network's pooled vectors follow the dense network's probabilities. */
#ifndef SKIP_METHOD_SEARCH_REFIT_HEAD_H
#define SKIP_METHOD_SEARCH_REFIT_HEAD_H

#include "base/err.h"
#include "base/problem.h"
#include <stddef.h>

/* What a classifier reads and what it should say. */
struct skip_head_fit {
	enum skip_problem problem;
	const float *dense, *pruned; /* [n][width] what it reads in either network */
	size_t n;
	int width, outputs;
	double damping; /* lam = damping * mean diagonal of the curvature bound */
};
/*
 * Minimises sum of KL(dense || answer) (or half squared distance of numbers) + lam/2 |W' - W|^2 over W' and a free bias by steps with a fixed bound of the
 * curvature, k Z^T Z with k 1/2 of classes, 1/4 of independent labels, 1 of numbers, so that each step lowers it:
 * W += (k Z^T Z + lam)^-1 (Z^T (p_dense - p) - lam (W - W_before)). weight [outputs][width], bias [outputs] in place.
 */
enum skip_status skip_refit_head(const struct skip_head_fit *fit, float *weight, float *bias, struct skip_err *err);

#endif
