/* Refit of the classifier: refit_head.h. */
#include "method/search/refit_head.h"
#include "base/alloc.h"
#include "method/metrics.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define STEPS 50
#define SMALLEST_DAMPING 1e-9

struct work {
	double *z, *mean;	   /* [n][width + 1]: the last is one, its weight the bias; [width] */
	double *want, *miss;	   /* [n][outputs]: what the dense network says, less the answer */
	double *factor;		   /* [width + 1][width + 1] */
	double *w, *before, *step; /* [outputs][width + 1] */
};

/* Logits of one row become what they mean. */
static void answer(enum skip_problem problem, double *row, int outputs)
{
	if (problem == SKIP_SINGLE_LABEL) skip_softmax_in_place(row, outputs);
	for (int c = 0; problem == SKIP_MULTI_LABEL && c < outputs; c++) row[c] = 1 / (1 + exp(-row[c]));
}

static void work_free(struct work *w)
{
	skip_free(w->z);
	skip_free(w->mean);
	skip_free(w->want);
	skip_free(w->miss);
	skip_free(w->factor);
	skip_free(w->w);
	skip_free(w->before);
	skip_free(w->step);
}

static enum skip_status work_alloc(const struct skip_head_fit *f, struct work *w, struct skip_err *err)
{
	const size_t cols = (size_t)f->width + 1, cells = cols * (size_t)f->outputs;
	w->z = skip_alloc_array(f->n, cols * sizeof(double));
	w->mean = skip_alloc_zeroed(cols, sizeof(double));
	w->want = skip_alloc_array(f->n, (size_t)f->outputs * sizeof(double));
	w->miss = skip_alloc_array(f->n, (size_t)f->outputs * sizeof(double));
	w->factor = skip_alloc_zeroed(cols, cols * sizeof(double));
	w->w = skip_alloc_array(cells, sizeof(double));
	w->before = skip_alloc_array(cells, sizeof(double));
	w->step = skip_alloc_array(cells, sizeof(double));
	if (!w->z || !w->mean || !w->want || !w->miss || !w->factor || !w->w || !w->before || !w->step)
		return skip_err_set(err, SKIP_ERR_NOMEM, "classifier of %d inputs over %zu rows", f->width, f->n);
	return SKIP_OK;
}

/* Rows less their mean, with a one behind. */
static void centre(const struct skip_head_fit *f, struct work *w)
{
	const size_t width = (size_t)f->width;
	for (size_t i = 0; i < f->n; i++)
		for (size_t j = 0; j < width; j++) w->mean[j] += f->pruned[i * width + j] / (double)f->n;
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < width; j++) w->z[i * (width + 1) + j] = f->pruned[i * width + j] - w->mean[j];
		w->z[i * (width + 1) + width] = 1;
	}
}

/* The classifier as it stands, on the dense network's vectors and as the start on the pruned one's. */
static void start(const struct skip_head_fit *f, struct work *w, const float *weight, const float *bias)
{
	const int width = f->width, cols = width + 1, outputs = f->outputs;
	for (size_t i = 0; i < f->n; i++) {
		double *row = w->want + i * (size_t)outputs;
		for (int c = 0; c < outputs; c++) row[c] = bias[c] + cblas_dsdot(width, f->dense + i * (size_t)width, 1, weight + c * width, 1);
		answer(f->problem, row, outputs);
	}
	for (int c = 0; c < outputs; c++) {
		double *row = w->w + c * cols;
		row[width] = bias[c];
		for (int j = 0; j < width; j++) {
			row[j] = weight[c * width + j];
			row[width] += row[j] * w->mean[j];
		}
	}
	memcpy(w->before, w->w, (size_t)outputs * (size_t)cols * sizeof(*w->w));
}

/* Cholesky factor of k Z^T Z + lam, the bias not damped. */
static enum skip_status factorise(const struct skip_head_fit *f, struct work *w, double *lam, struct skip_err *err)
{
	const int cols = f->width + 1;
	const double bound = f->problem == SKIP_REGRESSION ? 1 : f->problem == SKIP_MULTI_LABEL ? 0.25 : 0.5;
	double trace = 0;
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, cols, (int)f->n, bound, w->z, cols, 0, w->factor, cols);
	for (int j = 0; j < f->width; j++) trace += w->factor[j * cols + j];
	*lam = f->damping * trace / f->width + SMALLEST_DAMPING;
	for (int j = 0; j < f->width; j++) w->factor[j * cols + j] += *lam;
	/* the upper triangle of rows is the lower one of columns */
	lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', cols, w->factor, cols);
	if (info != 0) return skip_err_set(err, SKIP_ERR_INTERNAL, "pooled vectors of %zu rows are not positive definite (%d)", f->n, (int)info);
	return SKIP_OK;
}

static void take_step(const struct skip_head_fit *f, struct work *w, double lam)
{
	const int cols = f->width + 1, outputs = f->outputs, n = (int)f->n;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, outputs, cols, 1, w->z, cols, w->w, cols, 0, w->miss, outputs);
	for (size_t i = 0; i < f->n; i++) {
		double *row = w->miss + i * (size_t)outputs;
		answer(f->problem, row, outputs);
		for (int c = 0; c < outputs; c++) row[c] = w->want[i * (size_t)outputs + (size_t)c] - row[c];
	}
	cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, cols, n, 1, w->miss, outputs, w->z, cols, 0, w->step, cols);
	for (int c = 0; c < outputs; c++) {
		for (int j = 0; j < f->width; j++) w->step[c * cols + j] -= lam * (w->w[c * cols + j] - w->before[c * cols + j]);
	}
	LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', cols, outputs, w->factor, cols, w->step, cols);
	cblas_daxpy(outputs * cols, 1, w->step, 1, w->w, 1);
}

static void store(const struct skip_head_fit *f, const struct work *w, float *weight, float *bias)
{
	const int width = f->width;
	for (int c = 0; c < f->outputs; c++) {
		const double *row = w->w + c * (width + 1);
		for (int j = 0; j < width; j++) weight[c * width + j] = (float)row[j];
		bias[c] = (float)(row[width] - cblas_ddot(width, row, 1, w->mean, 1));
	}
}

enum skip_status skip_refit_head(const struct skip_head_fit *f, float *weight, float *bias, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct work w = {0};
	double lam;
	if (f->n == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to fit");
	SKIP_TRY(work_alloc(f, &w, err));
	centre(f, &w);
	start(f, &w, weight, bias);
	SKIP_TRY(factorise(f, &w, &lam, err));
	for (int step = 0; step < STEPS; step++) take_step(f, &w, lam);
	store(f, &w, weight, bias);
cleanup:
	work_free(&w);
	return status;
}
