/* Ridge regression by Cholesky: ridge.h. */
#include "method/search/ridge.h"
#include "base/alloc.h"
#include <cblas.h>
#include <lapacke.h>
#include <string.h>

#define BLOCK 2048
#define SMALLEST_DAMPING 1e-9 /* keeps a constant input solvable */

/* A matrix of which some columns count, all where `column` is NULL; read in one pass, less about its mean so that the products of a block keep their digits. */
struct columns {
	const float *data;
	const int *column;
	size_t stride, n;
	float *shift;  /* [n] taken off; 0 through the origin */
	double *sum;   /* [n] of what is left */
	float *block;  /* [BLOCK][n] */
};
struct work {
	struct columns in, target;
	float *cov, *cross; /* of one block: [width][width] upper triangle, [outputs][width] */
	double *cov_sum, *cross_sum;
};

static const float *row_of(const struct skip_ridge *p, const struct columns *c, size_t i)
{
	return c->data + (p->row ? (size_t)p->row[i] : i) * c->stride;
}

static size_t rows_of_block(const struct skip_ridge *p, size_t first)
{
	return p->n - first < BLOCK ? p->n - first : BLOCK;
}

static void choose_shift(const struct skip_ridge *p, struct columns *c)
{
	const size_t count = rows_of_block(p, 0);
	for (size_t i = 0; i < count && !p->through_origin; i++) {
		const float *row = row_of(p, c, i);
		for (size_t j = 0; j < c->n; j++) c->shift[j] += row[c->column ? c->column[j] : (int)j] / (float)count;
	}
}

static void read_block(const struct skip_ridge *p, struct columns *c, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const float *row = row_of(p, c, first + i);
		float *restrict out = c->block + i * c->n;
		if (c->column) {
			for (size_t j = 0; j < c->n; j++) out[j] = row[c->column[j]];
		} else {
			memcpy(out, row, c->n * sizeof(*out));
		}
		for (size_t j = 0; j < c->n; j++) {
			out[j] -= c->shift[j];
			c->sum[j] += out[j];
		}
	}
}

/* Adds the products of the block that both matrices hold. */
static void add_products(const struct skip_ridge *p, struct work *w, size_t count)
{
	const int width = p->width, outputs = p->outputs;
	cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, width, (int)count, 1, w->in.block, width, 0, w->cov, width);
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, width, (int)count, 1, w->target.block, outputs, w->in.block, width, 0, w->cross, width);
	for (size_t i = 0; i < (size_t)width; i++) {
		for (size_t j = i; j < (size_t)width; j++) w->cov_sum[i * (size_t)width + j] += w->cov[i * (size_t)width + j];
	}
	for (size_t i = 0; i < (size_t)outputs * (size_t)width; i++) w->cross_sum[i] += w->cross[i];
}

/* Sums of products become those of rows less their mean. */
static void centre(const struct skip_ridge *p, struct work *w)
{
	const size_t width = w->in.n, outputs = w->target.n;
	for (size_t i = 0; i < width; i++) {
		const double mean = w->in.sum[i] / (double)p->n;
		for (size_t j = i; j < width; j++) w->cov_sum[i * width + j] -= mean * w->in.sum[j];
	}
	for (size_t d = 0; d < outputs; d++) {
		const double mean = w->target.sum[d] / (double)p->n;
		for (size_t j = 0; j < width; j++) w->cross_sum[d * width + j] -= mean * w->in.sum[j];
	}
}

/* All rows once: sums of both matrices and, where weights are fitted, of their products. */
static void accumulate(const struct skip_ridge *p, bool products, struct work *w)
{
	choose_shift(p, &w->in);
	choose_shift(p, &w->target);
	for (size_t first = 0; first < p->n; first += BLOCK) {
		const size_t count = rows_of_block(p, first);
		read_block(p, &w->in, first, count);
		read_block(p, &w->target, first, count);
		if (products) add_products(p, w, count);
	}
	if (products && !p->through_origin) centre(p, w);
}

static double mean_of(const struct skip_ridge *p, const struct columns *c, size_t j)
{
	return c->shift[j] + c->sum[j] / (double)p->n;
}

/* Where element i of [outputs][width] stands in [outputs][stride]. */
static size_t place(const struct skip_ridge *p, size_t i)
{
	const size_t j = i % (size_t)p->width;
	return i / (size_t)p->width * (size_t)(p->column ? p->stride : p->width) + (p->column ? (size_t)p->column[j] : j);
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

static void columns_free(const struct columns *c)
{
	skip_free(c->shift);
	skip_free(c->sum);
	skip_free(c->block);
}

static void work_free(struct work *w)
{
	columns_free(&w->in);
	columns_free(&w->target);
	skip_free(w->cov);
	skip_free(w->cross);
	skip_free(w->cov_sum);
	skip_free(w->cross_sum);
}

static bool columns_init(struct columns *c, const float *data, const int *column, int stride, int n)
{
	*c = (struct columns){.data = data, .column = column, .stride = (size_t)stride, .n = (size_t)n};
	c->shift = skip_alloc_zeroed(c->n, sizeof(*c->shift));
	c->sum = skip_alloc_zeroed(c->n, sizeof(*c->sum));
	c->block = skip_alloc_array(c->n, BLOCK * sizeof(*c->block));
	return c->shift && c->sum && c->block;
}

static enum skip_status work_init(const struct skip_ridge *p, bool products, struct work *w, struct skip_err *err)
{
	const size_t width = (size_t)p->width, outputs = (size_t)p->outputs;
	bool ok = columns_init(&w->in, p->in, p->column, p->column ? p->stride : p->width, p->width) && columns_init(&w->target, p->target, NULL, p->outputs, p->outputs);
	if (ok && products) {
		w->cov = skip_alloc_array(width, width * sizeof(float));
		w->cross = skip_alloc_array(outputs, width * sizeof(float));
		w->cov_sum = skip_alloc_zeroed(width, width * sizeof(double));
		w->cross_sum = skip_alloc_zeroed(outputs, width * sizeof(double));
		ok = w->cov && w->cross && w->cov_sum && w->cross_sum;
	}
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "least squares of %d inputs and %d outputs", p->width, p->outputs);
}

enum skip_status skip_ridge_fit(const struct skip_ridge *p, float *weight, float *bias, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const bool products = !p->bias_only && p->width > 0;
	struct work w = {0};
	if (p->n == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to fit");
	SKIP_TRY(work_init(p, products, &w, err));
	accumulate(p, products, &w);
	if (products) SKIP_TRY(solve(p, &w, weight, err));
	for (size_t d = 0; !p->through_origin && d < (size_t)p->outputs; d++) {
		double kept = 0;
		for (size_t j = 0; j < (size_t)p->width; j++) kept += weight[place(p, d * (size_t)p->width + j)] * mean_of(p, &w.in, j);
		bias[d] = (float)(mean_of(p, &w.target, d) - kept);
	}
cleanup:
	work_free(&w);
	return status;
}
