/*
 * A tensor: named constant or trained numbers, shared between graphs by reference count.
 *
 * Three forms: a view into a mapped checkpoint, an owned block, or a concatenation of other tensors along axis 0 (`parts`; made by the fuse
 * pass, so that Q, K and V become one product without copying weights). Read elements through skip_tensor_to_*, which knows all three.
 */
#ifndef SKIP_GRAPH_TENSOR_H
#define SKIP_GRAPH_TENSOR_H

#include "base/dtype.h"
#include "base/err.h"
#include "base/mapfile.h"
#include "base/safetensors.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKIP_TENSOR_MAX_PARTS 4

struct skip_tensor {
	int refs;
	char name[SKIP_TENSOR_NAME];
	enum skip_dtype dtype;
	int rank;
	int64_t dim[SKIP_TENSOR_MAX_RANK];
	const void *data;        /* NULL for a concatenation */
	void *owned;             /* == data when this tensor owns its block, else NULL */
	struct skip_mapfile *map; /* reference that keeps a view alive, else NULL */
	int n_parts;
	struct skip_tensor *part[SKIP_TENSOR_MAX_PARTS]; /* references */
	bool trained; /* owns a gradient when a backward pass is built */
};

/* A zeroed owned tensor. The caller owns one reference. NULL data type sizes never occur: dims may be 0. */
enum skip_status skip_tensor_create(const char *name, enum skip_dtype dtype, int rank, const int64_t *dim, struct skip_tensor **out,
				    struct skip_err *err);
/* A view of mapped data; takes its own reference to `map` (may be NULL when the data outlives the tensor otherwise). */
enum skip_status skip_tensor_view(const char *name, enum skip_dtype dtype, int rank, const int64_t *dim, const void *data,
				  struct skip_mapfile *map, struct skip_tensor **out, struct skip_err *err);
/* Rows of `part[0]`, then of `part[1]` ...: same rank, dtype and trailing dims. */
enum skip_status skip_tensor_concat(const char *name, struct skip_tensor *const *part, int n_parts, struct skip_tensor **out,
				    struct skip_err *err);
struct skip_tensor *skip_tensor_ref(struct skip_tensor *tensor);
void skip_tensor_unref(struct skip_tensor *tensor);

int64_t skip_tensor_count(const struct skip_tensor *tensor); /* elements */
void skip_tensor_to_f32(const struct skip_tensor *tensor, float *out);
void skip_tensor_to_f64(const struct skip_tensor *tensor, double *out);
/* Elements of an owned F32 tensor, for trained tensors; asserts otherwise. */
float *skip_tensor_f32(struct skip_tensor *tensor);
/* New owned tensor with the rows (axis 0) or columns (axis 1) named by `kept` (ascending), same dtype, name and trained flag; rank 1 or 2. */
enum skip_status skip_tensor_take(const struct skip_tensor *tensor, int axis, const int *kept, int n_kept, struct skip_tensor **out,
				  struct skip_err *err);
/* The other way round: `n` rows or columns, of which i is from[i] of the tensor, or zeros where that is negative. */
enum skip_status skip_tensor_spread(const struct skip_tensor *tensor, int axis, const int *from, int n, struct skip_tensor **out,
				    struct skip_err *err);

#endif
