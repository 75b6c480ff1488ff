/* Refit of the norm behind a sub-layer (docs/method.md 5): gamma and beta are all that the stream passes on its way around the branches. */
#ifndef SKIP_METHOD_SEARCH_REFIT_NORM_H
#define SKIP_METHOD_SEARCH_REFIT_NORM_H

#include "base/err.h"
#include <stddef.h>

struct skip_norm_fit {
	const float *dense; /* [n_rows][width] stream of the dense network behind its norm */
	const int *row;	    /* [n] rows that count, NULL: the first n */
	size_t n, n_rows;
	int width;
	double damping; /* of a channel's variance */
};
/*
 * Per channel g = (sum xp xd + lam) / (sum xp^2 + lam), centred, lam = damping sum xp^2, and h = mean(Xd) - g mean(Xp): gamma' = g gamma, beta' = g beta + h. `pruned`
 * [n_rows][width] becomes g Xp + h.
 */
enum skip_status skip_refit_norm(const struct skip_norm_fit *fit, float *pruned, float *gamma, float *beta, struct skip_err *err);

#endif
