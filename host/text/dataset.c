/* A dataset in memory: release, subsets, mean length. Reading files is dataset_read.c, batches are batches.c. */
#include "text/dataset.h"

#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++) skip_free(texts[i]);
	skip_free(texts);
}

void skip_dataset_deinit(struct skip_dataset *dataset)
{
	if (!dataset) return;
	free_texts(dataset->text, dataset->n_rows);
	free_texts(dataset->pair, dataset->n_rows);
	skip_free(dataset->ids);
	skip_free(dataset->types);
	skip_free(dataset->offset);
	skip_free(dataset->label);
	skip_free(dataset->target);
	memset(dataset, 0, sizeof(*dataset));
}

/* texts[rows[i]], NULL entries stay NULL; false when out of memory, what is made so far stands in *out. */
static bool take_texts(char **texts, const int *rows, size_t n, char ***out)
{
	if (!texts) return true;
	*out = skip_alloc_zeroed(n, sizeof(**out));
	for (size_t i = 0; *out && i < n; i++) {
		if (!texts[rows[i]]) continue;
		(*out)[i] = skip_strdup(texts[rows[i]]);
		if (!(*out)[i]) return false;
	}
	return *out != NULL;
}

enum skip_status skip_dataset_take(const struct skip_dataset *dataset, const int *rows, size_t n, struct skip_dataset *out,
                                   struct skip_err *err)
{
	struct skip_dataset part = {
	    .n_rows = n, .labelled = dataset->labelled && n > 0, .problem = dataset->problem, .n_targets = dataset->n_targets};
	size_t target_size = (size_t)dataset->n_targets * sizeof(*part.target);
	int64_t tokens = 0;
	for (size_t i = 0; i < n; i++) tokens += dataset->offset[rows[i] + 1] - dataset->offset[rows[i]];
	part.ids = skip_alloc_array((size_t)tokens, sizeof(*part.ids));
	part.types = skip_alloc_array((size_t)tokens, sizeof(*part.types));
	part.offset = skip_alloc_zeroed(n + 1, sizeof(*part.offset));
	part.label = skip_alloc_array(n, sizeof(*part.label));
	if (dataset->target) part.target = skip_alloc_array(n, target_size);
	if (!part.ids || !part.types || !part.offset || !part.label || (dataset->target && !part.target) || !take_texts(dataset->text, rows, n, &part.text) ||
	    !take_texts(dataset->pair, rows, n, &part.pair)) {
		skip_dataset_deinit(&part);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu rows", n);
	}
	for (size_t i = 0; i < n; i++) {
		int64_t from = dataset->offset[rows[i]], length = dataset->offset[rows[i] + 1] - from;
		memcpy(part.ids + part.offset[i], dataset->ids + from, (size_t)length * sizeof(*part.ids));
		memcpy(part.types + part.offset[i], dataset->types + from, (size_t)length * sizeof(*part.types));
		part.offset[i + 1] = part.offset[i] + length;
		part.label[i] = dataset->label[rows[i]];
		if (part.target)
			memcpy(part.target + i * (size_t)part.n_targets, dataset->target + (size_t)rows[i] * (size_t)part.n_targets, target_size);
	}
	*out = part;
	return SKIP_OK;
}

struct by_length {
	int64_t length;
	int row;
};

static int shorter_first(const void *a, const void *b)
{
	const struct by_length *x = a, *y = b;
	if (x->length != y->length) return x->length < y->length ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static size_t divisor(size_t a, size_t b)
{
	while (b > 0) {
		const size_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* Multiples of it modulo n are each number once, and as many in a row as may be lie far apart: about n over the golden ratio, without a divisor of n. */
static size_t stride_of(size_t n)
{
	size_t stride = n / 100 * 62 + n % 100 * 62 / 100;
	while (stride == 0 || divisor(stride, n) != 1) stride++;
	return stride;
}

enum skip_status skip_dataset_spread(const struct skip_dataset *dataset, size_t n, struct skip_dataset *out, struct skip_err *err)
{
	const size_t rows = dataset->n_rows;
	if (n > rows) n = rows;
	struct by_length *order = skip_alloc_array(rows, sizeof(*order));
	int *chosen = skip_alloc_array(n, sizeof(*chosen));
	enum skip_status status = order && chosen ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", rows);
	if (status == SKIP_OK) {
		for (size_t i = 0; i < rows; i++) order[i] = (struct by_length){dataset->offset[i + 1] - dataset->offset[i], (int)i};
		qsort(order, rows, sizeof(*order), shorter_first);
		for (size_t i = 0, at = 0, stride = n ? stride_of(n) : 0; i < n; i++, at = (at + stride) % n) chosen[i] = order[(2 * at + 1) * rows / (2 * n)].row;
		status = skip_dataset_take(dataset, chosen, n, out, err);
	}
	skip_free(order);
	skip_free(chosen);
	return status;
}

double skip_dataset_mean_length(const struct skip_dataset *dataset)
{
	return dataset->n_rows ? (double)dataset->offset[dataset->n_rows] / (double)dataset->n_rows : 0;
}
