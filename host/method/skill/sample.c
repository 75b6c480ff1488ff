/* Choice of the rows that are scored: sample.h. */
#include "method/skill/sample.h"
#include "base/alloc.h"

static enum skip_status check_labels(const struct skip_dataset *data, int classes, struct skip_err *err)
{
	if (!data->labelled) return skip_err_set(err, SKIP_ERR_INPUT, "the rows to score have no labels");
	for (size_t i = 0; i < data->n_rows; i++) {
		if (data->label[i] < 0 || data->label[i] >= classes)
			return skip_err_set(err, SKIP_ERR_INPUT, "row %zu has label %d, expected 0..%d", i, (int)data->label[i],
					    classes - 1);
	}
	return SKIP_OK;
}

/* Brings rows forward so that the first `count` hold the classes in turn; inside a class the order stays. */
static enum skip_status balance(const struct skip_dataset *data, int classes, int *rows, size_t count, struct skip_err *err)
{
	const size_t n = data->n_rows;
	int *chosen = skip_alloc_array(count, sizeof(*chosen));
	size_t *next = skip_alloc_zeroed((size_t)classes, sizeof(*next)); /* where the class is looked for further */
	if (!chosen || !next) {
		skip_free(chosen);
		skip_free(next);
		return skip_err_set(err, SKIP_ERR_NOMEM, "%zu samples", count);
	}
	size_t found = 0;
	for (int c = 0; found < count; c = (c + 1) % classes) {
		size_t i = next[c];
		while (i < n && data->label[rows[i]] != c) i++;
		next[c] = i < n ? i + 1 : n;
		if (i < n) chosen[found++] = rows[i];
	}
	for (size_t i = 0; i < count; i++) rows[i] = chosen[i];
	skip_free(chosen);
	skip_free(next);
	return SKIP_OK;
}

enum skip_status skip_skill_sample(const struct skip_dataset *data, const struct skip_criterion *criterion,
				   const struct skip_skill_options *options, int classes, struct skip_dataset *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rng rng;
	int *rows = NULL;
	bool gold = options->labels == SKIP_LABELS_GOLD && skip_criterion_reads_labels(criterion);
	if (data->n_rows == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to score");
	if (gold && data->problem == SKIP_SINGLE_LABEL) SKIP_TRY(check_labels(data, classes, err));
	if (data->problem != SKIP_SINGLE_LABEL && !data->labelled) return skip_err_set(err, SKIP_ERR_INPUT, "the rows to score have no labels");
	size_t count = (size_t)(options->samples > 0 ? options->samples : criterion->default_samples);
	if (criterion->draws > 0) count *= (size_t)criterion->draws;
	if (count > data->n_rows) count = data->n_rows;
	rows = skip_alloc_array(data->n_rows, sizeof(*rows));
	if (!rows) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", data->n_rows);
	skip_rng_init(&rng, options->seed, "samples");
	skip_rng_permute(&rng, rows, data->n_rows);
	if (criterion->draws > 0 && gold && data->problem == SKIP_SINGLE_LABEL) SKIP_TRY(balance(data, classes, rows, count, err));
	SKIP_TRY(skip_dataset_take(data, rows, count, out, err));
cleanup:
	skip_free(rows);
	return status;
}
