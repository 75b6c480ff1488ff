/*
 * Tensors: creation, reference counting, element access over the three forms.
 *
 * Neighbours: base/dtype converts elements, base/mapfile keeps views alive. Knows nothing of graphs or ops.
 */
#include "graph/tensor.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

/* Elements of a shape; false when a dim is negative or the bytes overflow. */
static bool shape_count(enum skip_dtype dtype, int rank, const int64_t *dim, size_t *out)
{
	size_t count = 1, bytes;
	for (int i = 0; i < rank; i++)
		if (dim[i] < 0 || !skip_size_mul(count, (size_t)dim[i], &count)) return false;
	if (!skip_size_mul(count, skip_dtype_size(dtype), &bytes) || bytes > INT64_MAX) return false;
	*out = count;
	return true;
}

/* A zeroed object with its name and shape; the caller adds the storage. */
static enum skip_status tensor_new(const char *name, enum skip_dtype dtype, int rank, const int64_t *dim, struct skip_tensor **out,
                                   size_t *count, struct skip_err *err)
{
	assert(dtype < SKIP_DTYPE_COUNT);
	if (strlen(name) >= SKIP_TENSOR_NAME)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor name '%s' is longer than %d characters", name, SKIP_TENSOR_NAME - 1);
	if (rank < 0 || rank > SKIP_TENSOR_MAX_RANK)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' has rank %d, the largest is %d", name, rank, SKIP_TENSOR_MAX_RANK);
	if (!shape_count(dtype, rank, dim, count))
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' has a negative dimension or too many elements", name);
	struct skip_tensor *tensor = skip_alloc_zeroed(1, sizeof(*tensor));
	if (!tensor) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for tensor '%s'", name);
	tensor->refs = 1;
	strcpy(tensor->name, name);
	tensor->dtype = dtype;
	tensor->rank = rank;
	for (int i = 0; i < rank; i++) tensor->dim[i] = dim[i];
	*out = tensor;
	return SKIP_OK;
}

enum skip_status skip_tensor_create(const char *name, enum skip_dtype dtype, int rank, const int64_t *dim, struct skip_tensor **out,
                                    struct skip_err *err)
{
	struct skip_tensor *tensor;
	size_t count;
	enum skip_status status = tensor_new(name, dtype, rank, dim, &tensor, &count, err);
	if (status != SKIP_OK) return status;
	tensor->owned = skip_alloc_zeroed(count, skip_dtype_size(dtype));
	if (!tensor->owned) {
		skip_tensor_unref(tensor);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu elements of tensor '%s'", count, name);
	}
	tensor->data = tensor->owned;
	*out = tensor;
	return SKIP_OK;
}

enum skip_status skip_tensor_view(const char *name, enum skip_dtype dtype, int rank, const int64_t *dim, const void *data,
                                  struct skip_mapfile *map, struct skip_tensor **out, struct skip_err *err)
{
	struct skip_tensor *tensor;
	size_t count;
	enum skip_status status = tensor_new(name, dtype, rank, dim, &tensor, &count, err);
	if (status != SKIP_OK) return status;
	tensor->data = data;
	tensor->map = map ? skip_mapfile_ref(map) : NULL;
	*out = tensor;
	return SKIP_OK;
}

enum skip_status skip_tensor_concat(const char *name, struct skip_tensor *const *part, int n_parts, struct skip_tensor **out,
                                    struct skip_err *err)
{
	if (n_parts < 1 || n_parts > SKIP_TENSOR_MAX_PARTS)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' joins %d parts, possible are 1 to %d", name, n_parts,
		                    SKIP_TENSOR_MAX_PARTS);
	int64_t dim[SKIP_TENSOR_MAX_RANK] = {0};
	const struct skip_tensor *first = part[0];
	for (int p = 0; p < n_parts; p++) {
		bool same = first->rank > 0 && part[p]->rank == first->rank && part[p]->dtype == first->dtype;
		for (int i = 1; same && i < first->rank; i++) same = part[p]->dim[i] == first->dim[i];
		if (!same)
			return skip_err_set(err, SKIP_ERR_INPUT,
			                    "tensor '%s': part '%s' does not fit '%s' in type, rank or trailing dimensions", name,
			                    part[p]->name, first->name);
		dim[0] += part[p]->dim[0];
	}
	for (int i = 1; i < first->rank; i++) dim[i] = first->dim[i];
	struct skip_tensor *tensor;
	size_t count;
	enum skip_status status = tensor_new(name, first->dtype, first->rank, dim, &tensor, &count, err);
	if (status != SKIP_OK) return status;
	for (int p = 0; p < n_parts; p++) tensor->part[p] = skip_tensor_ref(part[p]);
	tensor->n_parts = n_parts;
	*out = tensor;
	return SKIP_OK;
}

struct skip_tensor *skip_tensor_ref(struct skip_tensor *tensor)
{
	assert(tensor->refs > 0);
	tensor->refs++;
	return tensor;
}

void skip_tensor_unref(struct skip_tensor *tensor)
{
	if (!tensor) return;
	assert(tensor->refs > 0);
	if (--tensor->refs > 0) return;
	for (int p = 0; p < tensor->n_parts; p++) skip_tensor_unref(tensor->part[p]);
	skip_mapfile_unref(tensor->map);
	skip_free(tensor->owned);
	skip_free(tensor);
}

int64_t skip_tensor_count(const struct skip_tensor *tensor)
{
	int64_t count = 1;
	for (int i = 0; i < tensor->rank; i++) count *= tensor->dim[i];
	return count;
}

void skip_tensor_to_f32(const struct skip_tensor *tensor, float *out)
{
	if (!tensor->n_parts) skip_dtype_to_f32(tensor->dtype, tensor->data, (size_t)skip_tensor_count(tensor), out);
	for (int p = 0; p < tensor->n_parts; p++) {
		skip_tensor_to_f32(tensor->part[p], out);
		out += skip_tensor_count(tensor->part[p]);
	}
}

void skip_tensor_to_f64(const struct skip_tensor *tensor, double *out)
{
	if (!tensor->n_parts) skip_dtype_to_f64(tensor->dtype, tensor->data, (size_t)skip_tensor_count(tensor), out);
	for (int p = 0; p < tensor->n_parts; p++) {
		skip_tensor_to_f64(tensor->part[p], out);
		out += skip_tensor_count(tensor->part[p]);
	}
}

float *skip_tensor_f32(struct skip_tensor *tensor)
{
	assert(tensor->owned && tensor->dtype == SKIP_F32);
	return tensor->owned;
}

/* Bytes of row `row` (axis 0); `row_bytes` is the size of one. Looks into the parts of a concatenation. */
static const unsigned char *tensor_row(const struct skip_tensor *tensor, int64_t row, size_t row_bytes)
{
	while (tensor->n_parts) {
		int p = 0;
		while (row >= tensor->part[p]->dim[0]) row -= tensor->part[p++]->dim[0];
		tensor = tensor->part[p];
	}
	return (const unsigned char *)tensor->data + (size_t)row * row_bytes;
}

enum skip_status skip_tensor_take(const struct skip_tensor *tensor, int axis, const int *kept, int n_kept, struct skip_tensor **out,
                                  struct skip_err *err)
{
	assert(tensor->rank >= 1 && tensor->rank <= 2 && axis >= 0 && axis < tensor->rank);
	for (int i = 0; i < n_kept; i++)
		if (kept[i] < 0 || kept[i] >= tensor->dim[axis] || (i > 0 && kept[i] <= kept[i - 1]))
			return skip_err_set(err, SKIP_ERR_INPUT,
			                    "tensor '%s': kept index %d of axis %d (%lld long) is out of range or order", tensor->name,
			                    kept[i], axis, (long long)tensor->dim[axis]);
	int64_t dim[SKIP_TENSOR_MAX_RANK] = {tensor->dim[0], tensor->rank > 1 ? tensor->dim[1] : 1};
	size_t element = skip_dtype_size(tensor->dtype), row_bytes = element * (size_t)dim[1];
	dim[axis] = n_kept;
	struct skip_tensor *taken;
	enum skip_status status = skip_tensor_create(tensor->name, tensor->dtype, tensor->rank, dim, &taken, err);
	if (status != SKIP_OK) return status;
	taken->trained = tensor->trained;
	unsigned char *to = taken->owned;
	for (int64_t r = 0; r < dim[0]; r++) {
		const unsigned char *row = tensor_row(tensor, axis == 0 ? kept[r] : r, row_bytes);
		if (axis == 0) {
			memcpy(to, row, row_bytes);
			to += row_bytes;
			continue;
		}
		for (int i = 0; i < n_kept; i++, to += element) memcpy(to, row + (size_t)kept[i] * element, element);
	}
	*out = taken;
	return SKIP_OK;
}

enum skip_status skip_tensor_spread(const struct skip_tensor *tensor, int axis, const int *from, int n, struct skip_tensor **out,
				    struct skip_err *err)
{
	assert(tensor->rank >= 1 && tensor->rank <= 2 && axis >= 0 && axis < tensor->rank);
	int64_t dim[SKIP_TENSOR_MAX_RANK] = {tensor->dim[0], tensor->rank > 1 ? tensor->dim[1] : 1};
	const size_t element = skip_dtype_size(tensor->dtype), row_bytes = element * (size_t)dim[1];
	dim[axis] = n;
	struct skip_tensor *made;
	enum skip_status status = skip_tensor_create(tensor->name, tensor->dtype, tensor->rank, dim, &made, err);
	if (status != SKIP_OK) return status;
	made->trained = tensor->trained;
	unsigned char *to = made->owned;
	for (int64_t r = 0; r < dim[0]; r++, to += element * (size_t)dim[1]) {
		if (axis == 0 && from[r] < 0) continue;
		const unsigned char *row = tensor_row(tensor, axis == 0 ? from[r] : r, row_bytes);
		if (axis == 0) memcpy(to, row, row_bytes);
		for (int i = 0; axis == 1 && i < n; i++) {
			if (from[i] >= 0) memcpy(to + (size_t)i * element, row + (size_t)from[i] * element, element);
		}
	}
	*out = made;
	return SKIP_OK;
}
