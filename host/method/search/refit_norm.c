/* Refit of the norm behind a sub-layer: refit_norm.h. */
#include "method/search/refit_norm.h"
#include "base/alloc.h"
#include <math.h>

#define SMALLEST_DAMPING 1e-9 /* a constant channel stays solvable */

/* Sums over the rows that count, less the first of them, so that large means do not drown what varies. Each [width]. */
struct sums {
	double *pruned, *dense, *square, *product;
};

static void add_up(const struct skip_norm_fit *f, const float *pruned, const struct sums *to)
{
	const size_t width = (size_t)f->width, first = f->row ? (size_t)f->row[0] * width : 0;
	double *restrict sum_p = to->pruned, *restrict sum_d = to->dense, *restrict square = to->square, *restrict product = to->product;
	const float *p0 = pruned + first, *d0 = f->dense + first;
	for (size_t i = 0; i < f->n; i++) {
		const size_t at = (f->row ? (size_t)f->row[i] : i) * width;
		const float *p = pruned + at, *d = f->dense + at;
		for (size_t j = 0; j < width; j++) {
			const double x = (double)p[j] - p0[j], y = (double)d[j] - d0[j];
			sum_p[j] += x;
			sum_d[j] += y;
			square[j] += x * x;
			product[j] += x * y;
		}
	}
}

/* Factors and shifts of the channels, where the sums of the streams were. */
static void solve(const struct skip_norm_fit *f, const float *pruned, const struct sums *sums)
{
	const double n = (double)f->n;
	const size_t first = f->row ? (size_t)f->row[0] * (size_t)f->width : 0;
	for (int j = 0; j < f->width; j++) {
		const double mean_p = sums->pruned[j] / n, mean_d = sums->dense[j] / n;
		const double square = fmax(0, sums->square[j] - n * mean_p * mean_p), product = sums->product[j] - n * mean_p * mean_d;
		const double lam = f->damping * square + SMALLEST_DAMPING, g = (product + lam) / (square + lam);
		sums->pruned[j] = g;
		sums->dense[j] = mean_d + f->dense[first + (size_t)j] - g * (mean_p + pruned[first + (size_t)j]);
	}
}

enum skip_status skip_refit_norm(const struct skip_norm_fit *f, float *pruned, float *gamma, float *beta, struct skip_err *err)
{
	const size_t width = (size_t)f->width;
	double *room = skip_alloc_zeroed(4 * width, sizeof(*room));
	if (!room) return skip_err_set(err, SKIP_ERR_NOMEM, "norm of %d channels", f->width);
	const struct sums sums = {room, room + width, room + 2 * width, room + 3 * width};
	const double *g = sums.pruned, *h = sums.dense;
	add_up(f, pruned, &sums);
	solve(f, pruned, &sums);
	for (size_t j = 0; j < width; j++) {
		gamma[j] = (float)(g[j] * gamma[j]);
		beta[j] = (float)(g[j] * beta[j] + h[j]);
	}
	for (size_t i = 0; i < f->n_rows; i++) {
		float *row = pruned + i * width;
		for (size_t j = 0; j < width; j++) row[j] = (float)(g[j] * row[j] + h[j]);
	}
	skip_free(room);
	return SKIP_OK;
}
