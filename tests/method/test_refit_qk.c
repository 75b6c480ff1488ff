/* The refit of one head against the best product of that rank. */
#include "base/rng.h"
#include "check.h"
#include "method/search/refit_qk.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define DIMS 12

static struct skip_err err;

/* X^T X of random rows whose columns are mixed, so that dims lean on each other. */
static void random_moments(struct skip_rng *rng, double *c)
{
	double mix[DIMS * DIMS], x[DIMS], row[DIMS];
	for (int i = 0; i < DIMS * DIMS; i++) mix[i] = skip_rng_normal(rng) / (1 + i % DIMS);
	memset(c, 0, DIMS * DIMS * sizeof(*c));
	for (int n = 0; n < 400; n++) {
		for (int i = 0; i < DIMS; i++) x[i] = skip_rng_normal(rng);
		cblas_dgemv(CblasRowMajor, CblasNoTrans, DIMS, DIMS, 1, mix, DIMS, x, 1, 0, row, 1);
		cblas_dger(CblasRowMajor, DIMS, DIMS, 1, row, 1, row, 1, c, DIMS);
	}
}

/* sum over q, k of (q . k - (T q) . (U k))^2 = tr(A^T Cq A Ck), A = Id - T^T U */
static double squared_error(const double *cq, const double *ck, const double *t, const double *u, int kept)
{
	double a[DIMS * DIMS] = {0}, left[DIMS * DIMS], right[DIMS * DIMS];
	for (int i = 0; i < DIMS; i++) a[i * DIMS + i] = 1;
	cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, DIMS, DIMS, kept, -1, t, DIMS, u, DIMS, 1, a, DIMS);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, DIMS, DIMS, DIMS, 1, cq, DIMS, a, DIMS, 0, left, DIMS);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, DIMS, DIMS, DIMS, 1, left, DIMS, ck, DIMS, 0, right, DIMS);
	return cblas_ddot(DIMS * DIMS, a, 1, right, 1);
}

/* Eckart and Young: the squared singular values of Cq^1/2 Ck^1/2 left out, which are eigenvalues of Cq Ck. */
static double smallest_error(const double *cq, const double *ck, int kept)
{
	double a[DIMS * DIMS], b[DIMS * DIMS], value[DIMS], sum = 0;
	memcpy(a, cq, sizeof(a));
	memcpy(b, ck, sizeof(b));
	cr_assert_eq(LAPACKE_dsygv(LAPACK_ROW_MAJOR, 2, 'N', 'U', DIMS, a, DIMS, b, DIMS, value), 0);
	for (int i = 0; i < DIMS - kept; i++) sum += value[i];
	return sum;
}

static void keep_some(struct skip_rng *rng, int kept, unsigned char *keep)
{
	int order[DIMS];
	memset(keep, 0, DIMS);
	skip_rng_permute(rng, order, DIMS);
	for (int i = 0; i < kept; i++) keep[order[i]] = 1;
}

static void selection(const unsigned char *keep, double *t)
{
	memset(t, 0, DIMS * DIMS * sizeof(*t));
	for (int e = 0, i = 0; e < DIMS; e++) {
		if (keep[e]) t[i++ * DIMS + e] = 1;
	}
}

Test(refit_qk, comes_near_the_best_product_of_the_rank)
{
	struct skip_rng rng;
	double cq[DIMS * DIMS], ck[DIMS * DIMS], t[DIMS * DIMS], u[DIMS * DIMS], plain[DIMS * DIMS];
	unsigned char keep[DIMS];
	skip_rng_init(&rng, 5, "refit");
	for (int kept = 1; kept < DIMS; kept++) {
		random_moments(&rng, cq);
		random_moments(&rng, ck);
		keep_some(&rng, kept, keep);
		CHECK_OK(skip_refit_qk_head(cq, ck, DIMS, keep, 1e-9, t, u, &err));
		selection(keep, plain);
		double best = smallest_error(cq, ck, kept), got = squared_error(cq, ck, t, u, kept);
		double cut = squared_error(cq, ck, plain, plain, kept);
		cr_assert_geq(got, best * (1 - 1e-6), "kept %d: %g, cannot be under %g", kept, got, best);
		cr_assert_lt(got, fmax(1.1 * best, 0.05 * cut), "kept %d: %g, best %g, cut %g", kept, got, best, cut);
	}
}

Test(refit_qk, damping_holds_on_to_the_kept_dims)
{
	struct skip_rng rng;
	double cq[DIMS * DIMS], ck[DIMS * DIMS], t[DIMS * DIMS], u[DIMS * DIMS], plain[DIMS * DIMS];
	unsigned char keep[DIMS];
	skip_rng_init(&rng, 6, "refit");
	random_moments(&rng, cq);
	random_moments(&rng, ck);
	keep_some(&rng, DIMS, keep);
	CHECK_OK(skip_refit_qk_head(cq, ck, DIMS, keep, 1e-2, t, u, &err));
	selection(keep, plain);
	for (int i = 0; i < DIMS * DIMS; i++) cr_assert_float_eq(t[i], plain[i], 1e-9, "nothing gone, nothing moves: %d", i);
	keep_some(&rng, DIMS / 2, keep);
	CHECK_OK(skip_refit_qk_head(cq, ck, DIMS, keep, 1e12, t, u, &err));
	selection(keep, plain);
	for (int i = 0; i < DIMS / 2 * DIMS; i++) cr_assert_float_eq(u[i], plain[i], 1e-6, "endless damping is the plain cut: %d", i);
}

Test(refit_qk, a_dead_head_stays_a_cut)
{
	double zero[DIMS * DIMS] = {0}, t[DIMS * DIMS], u[DIMS * DIMS], plain[DIMS * DIMS];
	unsigned char keep[DIMS] = {1, 0, 1};
	CHECK_OK(skip_refit_qk_head(zero, zero, DIMS, keep, 1e-2, t, u, &err));
	selection(keep, plain);
	for (int i = 0; i < 2 * DIMS; i++) cr_assert_float_eq(t[i], plain[i], 1e-12);
}
