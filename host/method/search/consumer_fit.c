/* Symmetric least squares from second moments: consumer_fit.h. */
#include "method/search/consumer_fit.h"
#include "base/alloc.h"
#include <cblas.h>
#include <lapacke.h>
#include <string.h>

#define SMALLEST_DAMPING 1e-9 /* keeps constant inputs solvable */

enum skip_status skip_consumer_init(const double *cov, const double *mean, const float *weight, const float *bias, int width, int outputs,
				    double damping, struct skip_consumer *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = (size_t)width, m = (size_t)outputs;
	struct skip_consumer c = {.width = width, .outputs = outputs, .weight = weight, .bias = bias, .mean = mean};
	double *wide = skip_alloc_array(n, m * sizeof(*wide)), trace = 0;
	c.damped = skip_alloc_array(n, n * sizeof(*c.damped));
	c.cross = skip_alloc_array(n, m * sizeof(*c.cross));
	if (!wide || !c.damped || !c.cross) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "moments of %d inputs", width));
	memcpy(c.damped, cov, n * n * sizeof(*cov));
	for (size_t i = 0; i < n; i++) trace += cov[i * n + i];
	for (size_t i = 0; i < n; i++) c.damped[i * n + i] += damping * trace / (double)n + SMALLEST_DAMPING;
	for (size_t i = 0; i < n * m; i++) wide[i] = weight[i];
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, width, outputs, width, 1, c.damped, width, wide, width, 0, c.cross, outputs);
	for (size_t d = 0; d < m; d++) {
		for (size_t j = 0; j < n; j++) c.size += wide[d * n + j] * c.cross[j * m + d];
	}
	*out = c;
	c = (struct skip_consumer){0};
cleanup:
	skip_consumer_deinit(&c);
	skip_free(wide);
	return status;
}

void skip_consumer_deinit(struct skip_consumer *consumer)
{
	skip_free(consumer->damped);
	skip_free(consumer->cross);
	*consumer = (struct skip_consumer){0};
}

/* right [kept][outputs] <- Hess[kept,kept]^-1 Hess[kept,:] W^T. */
static enum skip_status solve(const struct skip_consumer *c, const int *column, int kept, double *left, double *right, struct skip_err *err)
{
	const size_t k = (size_t)kept, n = (size_t)c->width, m = (size_t)c->outputs;
	for (size_t i = 0; i < k; i++) {
		const double *row = c->damped + (size_t)column[i] * n;
		for (size_t j = 0; j <= i; j++) left[i * k + j] = row[column[j]];
		memcpy(right + i * m, c->cross + (size_t)column[i] * m, m * sizeof(*right));
	}
	/* the lower triangle of rows is the upper one of columns; row-major right-hand sides are solved by two triangles */
	lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', kept, left, kept);
	if (info != 0)
		return skip_err_set(err, SKIP_ERR_INTERNAL, "covariance of %d inputs is not positive definite (%d)", kept, (int)info);
	cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, kept, c->outputs, 1, left, kept, right, c->outputs);
	cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, kept, c->outputs, 1, left, kept, right, c->outputs);
	return SKIP_OK;
}

/* The solution to its columns of `weight`, row by row of `right` as it lies in memory; the dense mean output less the kept one to `shift` [outputs]. */
static void store(const struct skip_consumer *c, const int *column, int kept, const double *right, float *weight, double *shift,
		  double *residual)
{
	const size_t n = (size_t)c->width, m = (size_t)c->outputs;
	double explained = 0;
	memset(weight, 0, n * m * sizeof(*weight));
	for (size_t d = 0; d < m; d++) {
		shift[d] = c->bias ? c->bias[d] : 0;
		for (size_t j = 0; j < n; j++) shift[d] += c->weight[d * n + j] * c->mean[j];
	}
	for (int i = 0; i < kept; i++) {
		const size_t j = (size_t)column[i];
		const double *w = right + (size_t)i * m;
		for (size_t d = 0; d < m; d++) weight[d * n + j] = (float)w[d];
		cblas_daxpy((int)m, -c->mean[j], w, 1, shift, 1);
		explained += cblas_ddot((int)m, w, 1, c->cross + j * m, 1);
	}
	if (residual) *residual = c->size > 0 && explained < c->size ? 1 - explained / c->size : 0;
}

enum skip_status skip_consumer_fit(const struct skip_consumer *c, const unsigned char *keep, float *weight, float *bias, double *residual,
				   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int kept = 0, *column = skip_alloc_array((size_t)c->width, sizeof(*column));
	double *left = NULL, *right = NULL, *shift = NULL;
	if (!column) return skip_err_set(err, SKIP_ERR_NOMEM, "%d inputs", c->width);
	for (int j = 0; j < c->width; j++) {
		if (keep[j]) column[kept++] = j;
	}
	left = skip_alloc_array((size_t)kept, (size_t)kept * sizeof(*left));
	right = skip_alloc_array((size_t)kept, (size_t)c->outputs * sizeof(*right));
	shift = skip_alloc_array((size_t)c->outputs, sizeof(*shift));
	if (!left || !right || !shift) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "least squares of %d inputs", kept));
	if (kept > 0) SKIP_TRY(solve(c, column, kept, left, right, err));
	store(c, column, kept, right, weight, shift, residual);
	for (int d = 0; d < c->outputs; d++) bias[d] = (float)shift[d];
cleanup:
	skip_free(left);
	skip_free(right);
	skip_free(shift);
	skip_free(column);
	return status;
}
