/* Ridge regression by Cholesky: ridge.h. */
#include "method/search/ridge.h"
#include "base/alloc.h"
#include <cblas.h>
#include <lapacke.h>
#include <string.h>

#define BLOCK 1024
#define SMALLEST_DAMPING 1e-9 /* keeps a constant input solvable */

struct work {
	double *mean_in, *mean_target; /* [width], [outputs] */
	float *in, *target;	       /* centred block [BLOCK][width], [BLOCK][outputs] */
	float *cov, *cross;	       /* of one block: [width][width] upper triangle, [outputs][width] */
	double *cov_sum, *cross_sum;
};

static size_t row_of(const struct skip_ridge *p, size_t i)
{
	return p->row ? (size_t)p->row[i] : i;
}

/* A matrix of which some columns count; column NULL: all. */
struct columns {
	const float *data;
	const int *column;
	int stride, n;
};

static void column_means(const struct skip_ridge *p, const struct columns *c, double *mean)
{
	for (int j = 0; j < c->n; j++) mean[j] = 0;
	if (p->through_origin) return;
	for (size_t i = 0; i < p->n; i++) {
		const float *row = c->data + row_of(p, i) * (size_t)c->stride;
		for (int j = 0; j < c->n; j++) mean[j] += row[c->column ? c->column[j] : j];
	}
	for (int j = 0; j < c->n; j++) mean[j] /= (double)p->n;
}

static void centre_block(const struct skip_ridge *p, const struct columns *c, const double *mean, size_t first, size_t count, float *out)
{
	for (size_t i = 0; i < count; i++) {
		const float *row = c->data + row_of(p, first + i) * (size_t)c->stride;
		for (int j = 0; j < c->n; j++)
			out[i * (size_t)c->n + (size_t)j] = (float)(row[c->column ? c->column[j] : j] - mean[j]);
	}
}

static int stride_of(const struct skip_ridge *p)
{
	return p->column ? p->stride : p->width;
}

static struct columns inputs(const struct skip_ridge *p)
{
	return (struct columns){p->in, p->column, stride_of(p), p->width};
}
static struct columns targets(const struct skip_ridge *p)
{
	return (struct columns){p->target, NULL, p->outputs, p->outputs};
}

static void accumulate(const struct skip_ridge *p, struct work *w)
{
	const struct columns in = inputs(p), target = targets(p);
	const int width = p->width, outputs = p->outputs;
	for (size_t first = 0; first < p->n; first += BLOCK) {
		size_t count = p->n - first < BLOCK ? p->n - first : BLOCK;
		centre_block(p, &in, w->mean_in, first, count, w->in);
		centre_block(p, &target, w->mean_target, first, count, w->target);
		cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, width, (int)count, 1, w->in, width, 0, w->cov, width);
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, width, (int)count, 1, w->target, outputs, w->in, width, 0,
			    w->cross, width);
		for (size_t i = 0; i < (size_t)width; i++) {
			for (size_t j = i; j < (size_t)width; j++) w->cov_sum[i * (size_t)width + j] += w->cov[i * (size_t)width + j];
		}
		for (size_t i = 0; i < (size_t)outputs * (size_t)width; i++) w->cross_sum[i] += w->cross[i];
	}
}

/* Where element i of [outputs][width] stands in [outputs][stride]. */
static size_t place(const struct skip_ridge *p, size_t i)
{
	const size_t j = i % (size_t)p->width;
	return i / (size_t)p->width * (size_t)stride_of(p) + (p->column ? (size_t)p->column[j] : j);
}

static enum skip_status solve(const struct skip_ridge *p, struct work *w, float *weight, struct skip_err *err)
{
	const size_t width = (size_t)p->width, count = width * (size_t)p->outputs;
	double trace = 0;
	for (size_t i = 0; i < width; i++) trace += w->cov_sum[i * width + i];
	double lam = p->damping * trace / (double)width + SMALLEST_DAMPING;
	for (size_t i = 0; i < width; i++) w->cov_sum[i * width + i] += lam;
	for (size_t i = 0; i < count; i++) w->cross_sum[i] += lam * weight[place(p, i)];
	/* the upper triangle of rows is the lower one of columns, and [outputs][width] rows are right-hand sides in columns */
	lapack_int info = LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', p->width, p->outputs, w->cov_sum, p->width, w->cross_sum, p->width);
	if (info != 0)
		return skip_err_set(err, SKIP_ERR_INTERNAL, "covariance of %d inputs over %zu rows is not positive definite (%d)", p->width,
				    p->n, (int)info);
	for (size_t i = 0; i < count; i++) weight[place(p, i)] = (float)w->cross_sum[i];
	return SKIP_OK;
}

static void work_free(struct work *w)
{
	skip_free(w->mean_in);
	skip_free(w->mean_target);
	skip_free(w->in);
	skip_free(w->target);
	skip_free(w->cov);
	skip_free(w->cross);
	skip_free(w->cov_sum);
	skip_free(w->cross_sum);
}

static enum skip_status work_alloc(const struct skip_ridge *p, struct work *w, struct skip_err *err)
{
	const size_t width = (size_t)p->width, outputs = (size_t)p->outputs;
	w->mean_in = skip_alloc_zeroed(width, sizeof(double));
	w->mean_target = skip_alloc_zeroed(outputs, sizeof(double));
	bool ok = w->mean_in && w->mean_target;
	if (ok && !p->bias_only && width > 0) {
		w->in = skip_alloc_array(width, BLOCK * sizeof(float));
		w->target = skip_alloc_array(outputs, BLOCK * sizeof(float));
		w->cov = skip_alloc_zeroed(width, width * sizeof(float));
		w->cross = skip_alloc_zeroed(outputs, width * sizeof(float));
		w->cov_sum = skip_alloc_zeroed(width, width * sizeof(double));
		w->cross_sum = skip_alloc_zeroed(outputs, width * sizeof(double));
		ok = w->in && w->target && w->cov && w->cross && w->cov_sum && w->cross_sum;
	}
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "least squares of %d inputs and %d outputs", p->width, p->outputs);
}

enum skip_status skip_ridge_fit(const struct skip_ridge *p, float *weight, float *bias, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct work w = {0};
	if (p->n == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to fit");
	SKIP_TRY(work_alloc(p, &w, err));
	const struct columns in = inputs(p), target = targets(p);
	column_means(p, &in, w.mean_in);
	column_means(p, &target, w.mean_target);
	if (!p->bias_only && p->width > 0) {
		accumulate(p, &w);
		SKIP_TRY(solve(p, &w, weight, err));
	}
	for (int d = 0; !p->through_origin && d < p->outputs; d++) {
		double kept = 0;
		for (int j = 0; j < p->width; j++) kept += weight[place(p, (size_t)d * (size_t)p->width + (size_t)j)] * w.mean_in[j];
		bias[d] = (float)(w.mean_target[d] - kept);
	}
cleanup:
	work_free(&w);
	return status;
}
