/* Choice of the rows that are scored: sample.h. */
#include "method/skill/sample.h"
#include "base/alloc.h"
#include "method/metrics.h"
#include "method/skill/activations.h"
#include "method/skill/choice.h"
#include <string.h>

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

/* Answers and pooled vectors of the network for a pool of rows. */
struct answers {
	struct skip_pool_view view;
	double *p; /* [n][C] */
	float *z;  /* [n][D] */
};

static enum skip_status take_answers(void *context, const struct skip_activations *seen, struct skip_err *err)
{
	struct answers *a = context;
	const size_t classes = (size_t)a->view.classes, width = (size_t)a->view.width;
	(void)err;
	for (int b = 0; b < seen->rows; b++) {
		const size_t row = (size_t)seen->row[b];
		if (seen->which == 0)
			skip_softmax(seen->data + (size_t)b * classes, a->view.classes, 1, a->p + row * classes);
		else
			memcpy(a->z + row * width, seen->data + (size_t)b * width, width * sizeof(*a->z));
	}
	return SKIP_OK;
}

static enum skip_status ask_network(const struct skip_scoring *scoring, const struct skip_dataset *rows, struct answers *a, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_graph *graph = scoring->graph;
	const int value[2] = {skip_graph_find_value(graph, "logits"), skip_graph_find_value(graph, "pooled")};
	struct skip_scoring asking = *scoring;
	asking.sample = rows;
	a->view = (struct skip_pool_view){.n = rows->n_rows, .classes = scoring->classes, .width = graph->values[value[1]].cols};
	a->p = skip_alloc_array(rows->n_rows, (size_t)a->view.classes * sizeof(*a->p));
	a->z = skip_alloc_array(rows->n_rows, (size_t)a->view.width * sizeof(*a->z));
	if (!a->p || !a->z) return skip_err_set(err, SKIP_ERR_NOMEM, "answers for %zu rows", rows->n_rows);
	SKIP_TRY(skip_activations_walk(&asking, value, 2, take_answers, a, err));
	a->view.p = a->p;
	a->view.z = a->z;
cleanup:
	return status;
}

/* Brings `count` rows as the choice has them to the front of `rows` [n]. */
static enum skip_status apply_choice(const struct skip_scoring *scoring, const struct skip_choice *choice, const struct skip_dataset *data, int *rows,
				     size_t count, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset shuffled = {0};
	struct answers answers = {.view = {.n = data->n_rows}};
	int *chosen = skip_alloc_array(count, sizeof(*chosen));
	if (!chosen) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu samples", count);
	if (choice->needs_model) {
		SKIP_TRY(skip_dataset_take(data, rows, data->n_rows, &shuffled, err));
		SKIP_TRY(ask_network(scoring, &shuffled, &answers, err));
	}
	SKIP_TRY(choice->choose(&answers.view, count, chosen, err));
	for (size_t i = 0; i < count; i++) chosen[i] = rows[chosen[i]];
	memcpy(rows, chosen, count * sizeof(*rows));
cleanup:
	skip_dataset_deinit(&shuffled);
	skip_free(chosen);
	skip_free(answers.p);
	skip_free(answers.z);
	return status;
}

enum skip_status skip_skill_sample(const struct skip_scoring *scoring, const struct skip_criterion *criterion, const struct skip_dataset *data,
				   struct skip_dataset *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_skill_options *options = scoring->options;
	const struct skip_choice *choice = skip_choice_find(options->choice ? options->choice : "random");
	struct skip_rng rng;
	int *rows = NULL;
	bool gold = options->labels == SKIP_LABELS_GOLD && skip_criterion_reads_labels(criterion);
	if (!choice) return skip_err_set(err, SKIP_ERR_USAGE, "no choice '%s'", options->choice);
	if (data->n_rows == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to score");
	const bool single = data->problem == SKIP_SINGLE_LABEL;
	if (choice->needs_model && !single)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "samples are chosen by the answers of single-label heads only; supported here: random");
	if (gold && single) SKIP_TRY(check_labels(data, scoring->classes, err));
	if (!single && skip_criterion_reads_labels(criterion) && !data->labelled)
		return skip_err_set(err, SKIP_ERR_INPUT, "the rows to score have no labels");
	size_t count = (size_t)(options->samples > 0 ? options->samples : criterion->default_samples);
	if (criterion->draws > 0) count *= (size_t)criterion->draws;
	if (count > data->n_rows) count = data->n_rows;
	rows = skip_alloc_array(data->n_rows, sizeof(*rows));
	if (!rows) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", data->n_rows);
	skip_rng_init(&rng, options->seed, "samples");
	skip_rng_permute(&rng, rows, data->n_rows);
	if (criterion->draws > 0 && gold && single && !choice->needs_model)
		SKIP_TRY(balance(data, scoring->classes, rows, count, err));
	else
		SKIP_TRY(apply_choice(scoring, choice, data, rows, count, err));
	SKIP_TRY(skip_dataset_take(data, rows, count, out, err));
cleanup:
	skip_free(rows);
	return status;
}
