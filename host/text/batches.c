/* Which rows form a batch, and packing them; see dataset.h. */
#include "base/alloc.h"
#include "text/dataset.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BATCHES 24

struct keyed_row {
	int64_t length;
	size_t place; /* before sorting, so that equal lengths keep their order */
	int row;
};

static int compare_rows(const void *a, const void *b)
{
	const struct keyed_row *x = a, *y = b;
	if (x->length != y->length) return x->length < y->length ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static int64_t row_length(const struct skip_dataset *dataset, int row)
{
	return dataset->offset[row + 1] - dataset->offset[row];
}

/* Sorts order[0..n-1] by length, stable; `keyed` is scratch [n]. */
static void sort_rows(const struct skip_dataset *dataset, int *order, size_t n, struct keyed_row *keyed)
{
	for (size_t i = 0; i < n; i++) keyed[i] = (struct keyed_row){row_length(dataset, order[i]), i, order[i]};
	qsort(keyed, n, sizeof(*keyed), compare_rows);
	for (size_t i = 0; i < n; i++) order[i] = keyed[i].row;
}

/* Rows and starts for at most `max_batches` batches; rows are 0..n-1. */
static enum skip_status allocate(const struct skip_dataset *dataset, size_t max_batches, struct skip_batches *out, struct skip_err *err)
{
	memset(out, 0, sizeof(*out));
	if (dataset->n_rows > INT_MAX) return skip_err_set(err, SKIP_ERR_INPUT, "%zu rows are too many", dataset->n_rows);
	out->rows = skip_alloc_array(dataset->n_rows, sizeof(*out->rows));
	out->start = skip_alloc_zeroed(max_batches + 1, sizeof(*out->start));
	if (!out->rows || !out->start) {
		skip_batches_deinit(out);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for batches");
	}
	for (size_t i = 0; i < dataset->n_rows; i++) out->rows[i] = (int)i;
	return SKIP_OK;
}

enum skip_status skip_batches_plain(const struct skip_dataset *dataset, int size, struct skip_batches *out, struct skip_err *err)
{
	assert(size > 0);
	size_t n = dataset->n_rows, step = (size_t)size;
	struct skip_batches plan;
	enum skip_status status = allocate(dataset, n / step + 1, &plan, err);
	if (status != SKIP_OK) return status;
	for (size_t at = 0; at < n; at += step) plan.start[++plan.n_batches] = at + step < n ? at + step : n;
	*out = plan;
	return SKIP_OK;
}

enum skip_status skip_batches_sorted(const struct skip_dataset *dataset, int max_tokens, int max_rows, struct skip_batches *out,
                                     struct skip_err *err)
{
	assert(max_tokens > 0 && max_rows > 0);
	struct skip_batches plan;
	enum skip_status status = allocate(dataset, dataset->n_rows, &plan, err);
	if (status != SKIP_OK) return status;
	struct keyed_row *keyed = skip_alloc_array(dataset->n_rows, sizeof(*keyed));
	if (!keyed) {
		skip_batches_deinit(&plan);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for batches");
	}
	sort_rows(dataset, plan.rows, dataset->n_rows, keyed);
	skip_free(keyed);
	size_t start = 0;
	int64_t tokens = 0;
	for (size_t i = 0; i < dataset->n_rows; i++) {
		int64_t length = row_length(dataset, plan.rows[i]);
		if (i > start && (tokens + length > max_tokens || i - start >= (size_t)max_rows)) {
			plan.start[++plan.n_batches] = start = i;
			tokens = 0;
		}
		tokens += length;
	}
	if (dataset->n_rows) plan.start[++plan.n_batches] = dataset->n_rows;
	*out = plan;
	return SKIP_OK;
}

enum skip_status skip_batches_shuffled(const struct skip_dataset *dataset, int size, struct skip_rng *rng, struct skip_batches *out,
                                       struct skip_err *err)
{
	assert(size > 0);
	enum skip_status status;
	struct skip_batches cut = {0}, plan = {0};
	size_t n = dataset->n_rows, chunk = CHUNK_BATCHES * (size_t)size;
	struct keyed_row *keyed = skip_alloc_array(chunk < n ? chunk : n, sizeof(*keyed));
	int *order = NULL;
	SKIP_TRY(skip_batches_plain(dataset, size, &cut, err));
	SKIP_TRY(allocate(dataset, cut.n_batches, &plan, err));
	order = skip_alloc_array(cut.n_batches, sizeof(*order));
	if (!keyed || !order) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for batches");
		goto cleanup;
	}
	skip_rng_permute(rng, cut.rows, n);
	for (size_t at = 0; at < n; at += chunk) sort_rows(dataset, cut.rows + at, n - at < chunk ? n - at : chunk, keyed);
	skip_rng_permute(rng, order, cut.n_batches);
	for (size_t i = 0; i < cut.n_batches; i++) {
		size_t first = cut.start[order[i]], rows = cut.start[order[i] + 1] - first;
		memcpy(plan.rows + plan.start[i], cut.rows + first, rows * sizeof(*plan.rows));
		plan.start[i + 1] = plan.start[i] + rows;
	}
	plan.n_batches = cut.n_batches;
	*out = plan;
	memset(&plan, 0, sizeof(plan));
cleanup:
	skip_batches_deinit(&cut);
	skip_batches_deinit(&plan);
	skip_free(keyed);
	skip_free(order);
	return status;
}

void skip_batches_deinit(struct skip_batches *batches)
{
	if (!batches) return;
	skip_free(batches->rows);
	skip_free(batches->start);
	memset(batches, 0, sizeof(*batches));
}

void skip_packer_init(struct skip_packer *packer)
{
	memset(packer, 0, sizeof(*packer));
}

void skip_packer_deinit(struct skip_packer *packer)
{
	if (!packer) return;
	skip_free(packer->ids);
	skip_free(packer->types);
	skip_free(packer->offset);
	skip_packer_init(packer);
}

/* Makes room; the arrays grow together, so a half-grown packer stays usable and is freed as usual. */
static bool packer_reserve(struct skip_packer *packer, size_t tokens, size_t seqs)
{
	void *ids = packer->ids, *types = packer->types, *offset = packer->offset;
	size_t cap_ids = packer->cap_tokens, cap_types = packer->cap_tokens;
	bool grown = skip_grow(&ids, &cap_ids, tokens, sizeof(*packer->ids));
	packer->ids = ids;
	grown = grown && skip_grow(&types, &cap_types, tokens, sizeof(*packer->types));
	packer->types = types;
	if (grown) packer->cap_tokens = cap_ids < cap_types ? cap_ids : cap_types;
	grown = grown && skip_grow(&offset, &packer->cap_seqs, seqs + 1, sizeof(*packer->offset));
	packer->offset = offset;
	return grown;
}

enum skip_status skip_packer_pack(struct skip_packer *packer, const struct skip_dataset *dataset, const int *rows, size_t n,
                                  struct skip_err *err)
{
	int64_t tokens = 0;
	for (size_t i = 0; i < n; i++) tokens += row_length(dataset, rows[i]);
	if (tokens > INT32_MAX || n >= INT32_MAX)
		return skip_err_set(err, SKIP_ERR_INPUT, "a batch of %lld tokens is too large", (long long)tokens);
	if (!packer_reserve(packer, (size_t)tokens, n))
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a batch of %lld tokens", (long long)tokens);
	int32_t at = 0;
	packer->offset[0] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t length = (size_t)row_length(dataset, rows[i]);
		memcpy(packer->ids + at, dataset->ids + dataset->offset[rows[i]], length * sizeof(*packer->ids));
		memcpy(packer->types + at, dataset->types + dataset->offset[rows[i]], length * sizeof(*packer->types));
		at += (int32_t)length;
		packer->offset[i + 1] = at;
	}
	packer->batch = (struct skip_batch){at, (int)n, packer->ids, packer->types, packer->offset};
	return SKIP_OK;
}
