/* A dataset in memory: release, subsets, mean length. Reading files is dataset_read.c, batches are batches.c. */
#include "text/dataset.h"

#include "base/alloc.h"
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

double skip_dataset_mean_length(const struct skip_dataset *dataset)
{
	return dataset->n_rows ? (double)dataset->offset[dataset->n_rows] / (double)dataset->n_rows : 0;
}
