/* Refit of queries and keys after a cut: refit_qk.h. Neighbours: compensate.c walks the sub-layers, ridge.c fits what reads v dims and
 * neurons. */
#include "method/search/refit_qk.h"
#include "base/alloc.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define SWEEPS 10
#define SMALLEST_DAMPING 1e-12 /* a head without any signal stays solvable */

/* One half step: `moving` = (fixed C fixed^T + lam Id)^-1 (fixed C + lam moving), all [kept][dims]. room: [kept][dims] + [kept][kept]. */
static enum skip_status half_step(const double *c, const double *fixed, double *moving, int dims, int kept, double damping, double *room,
				  struct skip_err *err)
{
	double *right = room, *left = room + (size_t)kept * (size_t)dims, trace = 0;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kept, dims, dims, 1, fixed, dims, c, dims, 0, right, dims);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kept, kept, dims, 1, right, dims, fixed, dims, 0, left, kept);
	for (int i = 0; i < kept; i++) trace += left[i * kept + i];
	double lam = damping * trace / kept + SMALLEST_DAMPING;
	for (int i = 0; i < kept; i++) left[i * kept + i] += lam;
	cblas_daxpy(kept * dims, lam, moving, 1, right, 1);
	lapack_int info = LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', kept, dims, left, kept, right, dims);
	if (info != 0) return skip_err_set(err, SKIP_ERR_INTERNAL, "moments of %d kept dims are not positive definite", kept);
	memcpy(moving, right, (size_t)kept * (size_t)dims * sizeof(*moving));
	return SKIP_OK;
}

enum skip_status skip_refit_qk_head(const double *cq, const double *ck, int dims, const unsigned char *keep, double damping, double *t,
				    double *u, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int kept = 0;
	for (int e = 0; e < dims; e++) kept += keep[e] != 0;
	if (kept == 0) return SKIP_OK;
	size_t cells = (size_t)kept * (size_t)dims;
	double *room = skip_alloc_array(cells + (size_t)kept * (size_t)kept, sizeof(*room));
	if (!room) return skip_err_set(err, SKIP_ERR_NOMEM, "refit of %d dims", dims);
	memset(t, 0, cells * sizeof(*t));
	for (int e = 0, i = 0; e < dims; e++) {
		if (keep[e]) t[i++ * dims + e] = 1;
	}
	memcpy(u, t, cells * sizeof(*t));
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		SKIP_TRY(half_step(ck, u, t, dims, kept, damping, room, err));
		SKIP_TRY(half_step(cq, t, u, dims, kept, damping, room, err));
	}
cleanup:
	skip_free(room);
	return status;
}

/* ---- writing */

/* Rows first .. first+dims of `to` (axis 0) or its columns (axis 1) become map [dims][dims] times those of `from`. */
static enum skip_status map_head(const struct skip_tensor *from, struct skip_tensor *to, int axis, const double *map, int first, int dims,
				 struct skip_err *err)
{
	float *dense = skip_alloc_array((size_t)skip_tensor_count(from), sizeof(*dense)), *out = skip_tensor_f32(to);
	if (!dense) return skip_err_set(err, SKIP_ERR_NOMEM, "tensor '%s'", from->name);
	skip_tensor_to_f32(from, dense);
	const int64_t others = skip_tensor_count(from) / from->dim[axis], step = axis == 0 ? others : 1, along = axis == 0 ? 1 : from->dim[1];
	for (int i = 0; i < dims; i++) {
		for (int64_t o = 0; o < others; o++) {
			double sum = 0;
			for (int e = 0; e < dims; e++) sum += map[i * dims + e] * dense[(first + e) * step + o * along];
			out[(first + i) * step + o * along] = (float)sum;
		}
	}
	skip_free(dense);
	return SKIP_OK;
}

/* map [kept][dims] -> [dims][dims] in place: row i goes to the i-th kept dim, the others are zero. */
static void spread_rows(double *map, int dims, const unsigned char *keep, int kept)
{
	for (int e = dims; e-- > 0;) {
		double *to = map + e * dims;
		if (keep[e]) memmove(to, map + --kept * dims, (size_t)dims * sizeof(*map));
		else
			memset(to, 0, (size_t)dims * sizeof(*map));
	}
}

static enum skip_status write_head(const struct skip_graph *graph, struct skip_graph *result, const struct skip_qk_source *source, int side,
				   const double *map, int first, int dims, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int tensor[4] = {source->weight[side], source->bias[side], source->table[side], side == 1 ? source->prefix : SKIP_NONE};
	for (int i = 0; i < 4; i++) {
		if (tensor[i] == SKIP_NONE) continue;
		SKIP_TRY(map_head(graph->tensors[tensor[i]], result->tensors[tensor[i]], i == 3, map, first, dims, err));
	}
cleanup:
	return status;
}

enum skip_status skip_refit_qk(const struct skip_graph *graph, const struct skip_units *units, size_t g, const struct skip_moments *moments,
			       const unsigned char *keep, double damping, struct skip_graph *result, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &units->group[g];
	const int dims = group->per_head;
	const size_t cells = (size_t)dims * (size_t)dims;
	struct skip_qk_source source;
	if (!moments->cq[g] || !memchr(keep, 0, (size_t)group->width)) return SKIP_OK;
	skip_qk_source_find(graph, group, &source);
	double *map = skip_alloc_array(2 * cells, sizeof(*map));
	if (!map) return skip_err_set(err, SKIP_ERR_NOMEM, "refit of %d dims", dims);
	for (int h = 0; h < group->heads; h++) {
		const unsigned char *mine = keep + h * dims;
		int kept = 0;
		for (int e = 0; e < dims; e++) kept += mine[e] != 0;
		if (kept == 0 || kept == dims) continue; /* zeros already, or all as it was */
		SKIP_TRY(skip_refit_qk_head(moments->cq[g] + (size_t)h * cells, moments->ck[g] + (size_t)h * cells, dims, mine, damping,
					    map, map + cells, err));
		for (int side = 0; side < 2; side++) {
			spread_rows(map + (size_t)side * cells, dims, mine, kept);
			SKIP_TRY(write_head(graph, result, &source, side, map + (size_t)side * cells, h * dims, dims, err));
		}
	}
cleanup:
	skip_free(map);
	return status;
}
