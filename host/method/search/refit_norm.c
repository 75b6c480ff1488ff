/* Refit of the norm behind a sub-layer: refit_norm.h. */
#include "method/search/refit_norm.h"
#include "base/alloc.h"

#define SMALLEST_DAMPING 1e-9 /* a constant channel stays solvable */

static size_t row_of(const struct skip_norm_fit *f, size_t i)
{
	return (f->row ? (size_t)f->row[i] : i) * (size_t)f->width;
}

/* sums [4][width]: means of both streams, then centred sums of squares and products. */
static void add_up(const struct skip_norm_fit *f, const float *pruned, double *sums)
{
	const size_t width = (size_t)f->width;
	double *mean_p = sums, *mean_d = sums + width, *square = sums + 2 * width, *product = sums + 3 * width;
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < width; j++) {
			mean_p[j] += (double)pruned[row_of(f, i) + j] / (double)f->n;
			mean_d[j] += (double)f->dense[row_of(f, i) + j] / (double)f->n;
		}
	}
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < width; j++) {
			const double x = pruned[row_of(f, i) + j] - mean_p[j];
			square[j] += x * x;
			product[j] += x * (f->dense[row_of(f, i) + j] - mean_d[j]);
		}
	}
}

enum skip_status skip_refit_norm(const struct skip_norm_fit *f, float *pruned, float *gamma, float *beta, struct skip_err *err)
{
	const size_t width = (size_t)f->width;
	double *sums = skip_alloc_zeroed(4 * width, sizeof(*sums));
	if (!sums) return skip_err_set(err, SKIP_ERR_NOMEM, "norm of %d channels", f->width);
	add_up(f, pruned, sums);
	for (size_t j = 0; j < width; j++) {
		const double square = sums[2 * width + j], lam = f->damping * square + SMALLEST_DAMPING;
		const double g = (sums[3 * width + j] + lam) / (square + lam), h = sums[width + j] - g * sums[j];
		gamma[j] = (float)(g * gamma[j]);
		beta[j] = (float)(g * beta[j] + h);
		for (size_t i = 0; i < f->n_rows; i++) pruned[i * width + j] = (float)(g * pruned[i * width + j] + h);
	}
	skip_free(sums);
	return SKIP_OK;
}
