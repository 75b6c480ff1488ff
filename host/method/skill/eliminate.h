/* Optimal brain surgeon on a linear map: which inputs cost least, taking into account that the others are refitted each time. */
#ifndef SKIP_METHOD_SKILL_ELIMINATE_H
#define SKIP_METHOD_SKILL_ELIMINATE_H

#include "base/err.h"

/*
 * Y = W x, W [outputs][width], Hess [width][width] the damped second moment of x. A unit is `size` consecutive inputs (width = size * units).
 * Removes unit after unit, each time the one of lowest tr(W_u (Hess^-1_uu)^-1 W_u^T), and refits the rest (docs/method.md 6, update form); in
 * rounds of `together` units, whose order within a round is that of their scores at its start.
 *
 * cost [units]: what the removal of a unit added to tr((W' - W) Hess (W' - W)^T). order [units]: who left first. The matrices are used up.
 * SKIP_ERR_INTERNAL: Hess is not positive definite.
 */
enum skip_status skip_eliminate(double *hess, double *weight, int width, int outputs, int size, int together, double *cost, int *order,
				struct skip_err *err);

/*
 * Scores of units: the error reached when they leave by skip_eliminate, each with those before it, so that scores rise in the order of leaving and the
 * score at a width is the error of that width. `cov` [width][width] of the inputs, damped here, and `weight` are left as they are. out [width / size].
 */
enum skip_status skip_eliminate_errors(const double *cov, const double *weight, int width, int outputs, int size, double *out, struct skip_err *err);

#endif
