/*
 * Greedy elimination in rounds: eliminate.h.
 *
 * With u the columns of a round, Hi = Hess^-1, Hi_uu = L L^T, Z = W_u L^-T, X = L^-1 Hi_u: the round's cost is |Z|^2, column by column the cost of
 * leaving one after the other, and W <- W - Z X, Hi <- Hi - X^T X. Columns that left are taken out of the matrices before they make up a quarter.
 */
#include "method/skill/eliminate.h"
#include "base/alloc.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAMPING 1e-2 /* of the mean diagonal */
#define ROUNDS 96    /* units leave in about so many rounds */

struct elimination {
	double *inverse, *weight; /* [n][n] upper triangle, [outputs][n] */
	size_t n, outputs, size;
	int *unit;  /* [n / size] which unit the columns are */
	bool *gone; /* [n / size] of the units in the matrices */
	/* of a round: its columns, r of them */
	int *column;
	double *block, *z, *x; /* [r][r], [outputs][r], [r][n] */
	struct rank *rank;
};
struct rank {
	double score;
	int place; /* of the unit in the matrices */
};

static double at(const struct elimination *e, size_t i, size_t j)
{
	return i < j ? e->inverse[i * e->n + j] : e->inverse[j * e->n + i];
}

static int by_score(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? -1 : 1;
	return x->place - y->place;
}

/* Fills block, z and x for `r` columns of e->column. */
static enum skip_status factor(struct elimination *e, size_t r, struct skip_err *err)
{
	for (size_t i = 0; i < r; i++) {
		for (size_t j = 0; j < r; j++) e->block[i * r + j] = at(e, (size_t)e->column[i], (size_t)e->column[j]);
	}
	for (size_t d = 0; d < e->outputs; d++) {
		for (size_t i = 0; i < r; i++) e->z[d * r + i] = e->weight[d * e->n + (size_t)e->column[i]];
	}
	lapack_int info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (lapack_int)r, e->block, (lapack_int)r);
	if (info != 0) return skip_err_set(err, SKIP_ERR_INTERNAL, "second moments of %zu inputs are not positive definite", e->n);
	cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)e->outputs, (int)r, 1, e->block, (int)r, e->z, (int)r);
	return SKIP_OK;
}

/* |column i of z|^2 */
static double column_cost(const struct elimination *e, size_t r, size_t i)
{
	double sum = 0;
	for (size_t d = 0; d < e->outputs; d++) sum += e->z[d * r + i] * e->z[d * r + i];
	return sum;
}

static void take_columns(struct elimination *e, int place, size_t first)
{
	for (size_t k = 0; k < e->size; k++) e->column[first + k] = place * (int)e->size + (int)k;
}

/* cost[n] <- |w_j|^2 / Hi_jj: a unit of one column needs no factor, and all of them one pass over the weights. */
static void column_costs(const struct elimination *e, double *restrict cost)
{
	memset(cost, 0, e->n * sizeof(*cost));
	for (size_t d = 0; d < e->outputs; d++) {
		const double *w = e->weight + d * e->n;
		for (size_t j = 0; j < e->n; j++) cost[j] += w[j] * w[j];
	}
	for (size_t j = 0; j < e->n; j++) cost[j] /= e->inverse[j * e->n + j];
}

static enum skip_status unit_cost(struct elimination *e, size_t place, double *cost, struct skip_err *err)
{
	take_columns(e, (int)place, 0);
	enum skip_status status = factor(e, e->size, err);
	*cost = 0;
	for (size_t k = 0; status == SKIP_OK && k < e->size; k++) *cost += column_cost(e, e->size, k);
	return status;
}

/* Scores of the units still there, lowest first; how many in *count. */
static enum skip_status rank_units(struct elimination *e, size_t *count, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	*count = 0;
	if (e->size == 1) column_costs(e, e->x); /* x is free between rounds */
	for (size_t p = 0; p < e->n / e->size; p++) {
		double score;
		if (e->gone[p]) continue;
		if (e->size > 1) SKIP_TRY(unit_cost(e, p, &score, err));
		else
			score = e->x[p];
		e->rank[(*count)++] = (struct rank){score, (int)p};
	}
	qsort(e->rank, *count, sizeof(*e->rank), by_score);
cleanup:
	return status;
}

/* The `m` first of the ranking leave. */
static enum skip_status remove_round(struct elimination *e, size_t m, double *cost, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t r = m * e->size, n = e->n;
	for (size_t i = 0; i < m; i++) take_columns(e, e->rank[i].place, i * e->size);
	SKIP_TRY(factor(e, r, err));
	for (size_t i = 0; i < m; i++) {
		double sum = 0;
		for (size_t k = 0; k < e->size; k++) sum += column_cost(e, r, i * e->size + k);
		cost[e->unit[e->rank[i].place]] = sum;
		e->gone[e->rank[i].place] = true;
	}
	for (size_t i = 0; i < r; i++) {
		for (size_t j = 0; j < n; j++) e->x[i * n + j] = at(e, (size_t)e->column[i], j);
	}
	cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)r, (int)n, 1, e->block, (int)r, e->x, (int)n);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)e->outputs, (int)n, (int)r, -1, e->z, (int)r, e->x, (int)n, 1, e->weight,
		    (int)n);
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)r, -1, e->x, (int)n, 1, e->inverse, (int)n);
cleanup:
	return status;
}

/* Takes the columns of units that left out of the matrices, in place. */
static void compact(struct elimination *e)
{
	const size_t old = e->n;
	size_t kept = 0;
	for (size_t p = 0; p < old / e->size; p++) {
		if (e->gone[p]) continue;
		for (size_t k = 0; k < e->size; k++) e->column[kept * e->size + k] = (int)(p * e->size + k);
		e->unit[kept] = e->unit[p];
		e->gone[kept++] = false;
	}
	const size_t n = kept * e->size;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) e->inverse[i * n + j] = e->inverse[(size_t)e->column[i] * old + (size_t)e->column[j]];
	}
	for (size_t d = 0; d < e->outputs; d++) {
		for (size_t j = 0; j < n; j++) e->weight[d * n + j] = e->weight[d * old + (size_t)e->column[j]];
	}
	e->n = n;
}

static enum skip_status run(struct elimination *e, size_t together, double *cost, int *order, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t left = 0, count = 0;
	for (size_t all = e->n / e->size; left < all;) {
		SKIP_TRY(rank_units(e, &count, err));
		const size_t m = count < together ? count : together;
		for (size_t i = 0; i < m; i++) order[left++] = e->unit[e->rank[i].place];
		SKIP_TRY(remove_round(e, m, cost, err));
		if (4 * (count - m) < 3 * (e->n / e->size)) compact(e);
	}
cleanup:
	return status;
}

enum skip_status skip_eliminate(double *hess, double *weight, int width, int outputs, int size, int together, double *cost, int *order,
				struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct elimination e = {.inverse = hess, .weight = weight, .n = (size_t)width, .outputs = (size_t)outputs, .size = (size_t)size};
	const size_t units = e.n / e.size, round = (size_t)together < units ? (size_t)together : units, r = round * e.size;
	e.unit = skip_alloc_array(units, sizeof(*e.unit));
	e.gone = skip_alloc_zeroed(units, sizeof(*e.gone));
	e.rank = skip_alloc_array(units, sizeof(*e.rank));
	e.column = skip_alloc_array(e.n, sizeof(*e.column));
	e.block = skip_alloc_array(r, r * sizeof(double));
	e.z = skip_alloc_array(e.outputs, r * sizeof(double));
	e.x = skip_alloc_array(r, e.n * sizeof(double));
	if (!e.unit || !e.gone || !e.rank || !e.column || !e.block || !e.z || !e.x) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "elimination of %d inputs", width);
		goto cleanup;
	}
	for (size_t p = 0; p < units; p++) e.unit[p] = (int)p;
	/* the upper triangle of rows is the lower one of columns, which LAPACK takes without a copy */
	if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', width, hess, width) != 0 || LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', width, hess, width) != 0) {
		status = skip_err_set(err, SKIP_ERR_INTERNAL, "second moments of %d inputs are not positive definite", width);
		goto cleanup;
	}
	SKIP_TRY(run(&e, round, cost, order, err));
cleanup:
	skip_free(e.unit);
	skip_free(e.gone);
	skip_free(e.rank);
	skip_free(e.column);
	skip_free(e.block);
	skip_free(e.z);
	skip_free(e.x);
	return status;
}

enum skip_status skip_eliminate_errors(const double *cov, const double *weight, int width, int outputs, int size, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = (size_t)width, units = n / (size_t)size;
	double *hess = skip_alloc_array(n, n * sizeof(double)), *w = skip_alloc_array(n, (size_t)outputs * sizeof(double));
	double *cost = skip_alloc_array(units, sizeof(double)), trace = 0, sum = 0;
	int *order = skip_alloc_array(units, sizeof(int));
	if (!hess || !w || !cost || !order) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "elimination of %d units", width);
		goto cleanup;
	}
	memcpy(hess, cov, n * n * sizeof(double));
	memcpy(w, weight, n * (size_t)outputs * sizeof(double));
	for (size_t j = 0; j < n; j++) trace += cov[j * n + j];
	/* a group that never varies still has to be inverted */
	const double lam = trace > 0 ? DAMPING * trace / (double)n : 1;
	for (size_t j = 0; j < n; j++) hess[j * n + j] += lam;
	SKIP_TRY(skip_eliminate(hess, w, width, outputs, size, (int)((units + ROUNDS - 1) / ROUNDS), cost, order, err));
	for (size_t i = 0; i < units; i++) {
		sum += cost[order[i]];
		out[order[i]] = sum;
	}
cleanup:
	skip_free(hess);
	skip_free(w);
	skip_free(cost);
	skip_free(order);
	return status;
}
