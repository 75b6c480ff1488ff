/* The forward walk: activations.h. */
#include "method/skill/activations.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "method/predict.h"
#include <string.h>

#define BATCH_TOKENS 2048

/* Opens the part of the graph that the values need; value[] become those of the session's graph. */
static enum skip_status open_session(const struct skip_scoring *scoring, int *value, size_t n, struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *pooled = NULL;
	int **place = skip_alloc_array(n, sizeof(*place));
	if (!place) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu values", n);
	SKIP_TRY(skip_pass_pooled_only(scoring->graph, &pooled, err));
	for (size_t i = 0; i < n; i++) {
		const char *name = scoring->graph->values[value[i]].name;
		place[i] = &value[i];
		value[i] = skip_graph_find_value(pooled, name);
		if (value[i] == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "value '%s' is only there before pooling", name);
			goto cleanup;
		}
	}
	SKIP_TRY(skip_open_values(scoring->device, pooled, place, n, out, err));
cleanup:
	skip_graph_destroy(pooled);
	skip_free(place);
	return status;
}

static int widest(const struct skip_graph *graph, const int *value, size_t n)
{
	int most = 0;
	for (size_t i = 0; i < n; i++) {
		if (graph->values[value[i]].cols > most) most = graph->values[value[i]].cols;
	}
	return most;
}

enum skip_status skip_activations_walk(const struct skip_scoring *scoring, const int *wanted, size_t n, skip_activations_sink sink, void *context,
				       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_dataset *sample = scoring->sample;
	struct skip_session *session = NULL;
	struct skip_batches batches = {0};
	struct skip_packer packer;
	float *data = NULL;
	int *value = skip_alloc_array(n, sizeof(*value));
	if (!value) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu values", n);
	memcpy(value, wanted, n * sizeof(*value));
	skip_packer_init(&packer);
	SKIP_TRY(open_session(scoring, value, n, &session, err));
	const struct skip_graph *graph = skip_session_graph(session);
	SKIP_TRY(skip_batches_sorted(sample, BATCH_TOKENS, (int)sample->n_rows, &batches, err));
	size_t cap = 0;
	for (size_t i = 0; i < batches.n_batches; i++) {
		const size_t start = batches.start[i], rows = batches.start[i + 1] - start;
		if (!skip_progress_report(scoring->progress, "score", (int64_t)start, (int64_t)sample->n_rows, scoring->name)) {
			status = skip_err_set(err, SKIP_ERR_INTERRUPTED, "scoring stopped after %zu of %zu samples", start, sample->n_rows);
			goto cleanup;
		}
		SKIP_TRY(skip_packer_pack(&packer, sample, batches.rows + start, rows, err));
		if (!skip_grow((void **)&data, &cap, (size_t)packer.batch.n_tokens * (size_t)widest(graph, value, n), sizeof(*data))) {
			status = skip_err_set(err, SKIP_ERR_NOMEM, "values of %d tokens", packer.batch.n_tokens);
			goto cleanup;
		}
		SKIP_TRY(skip_session_set_batch(session, &packer.batch, err));
		SKIP_TRY(skip_session_enqueue(session, 0, graph->n_nodes, 0, err));
		for (size_t v = 0; v < n; v++) {
			SKIP_TRY(skip_session_read(session, value[v], data, err));
			struct skip_activations seen = {.which = v,
							.data = data,
							.rows = skip_value_rows(&graph->values[value[v]], &packer.batch),
							.batch = &packer.batch,
							.row = batches.rows + start};
			SKIP_TRY(sink(context, &seen, err));
		}
		scoring->scores->forward += (int64_t)rows;
	}
	skip_progress_report(scoring->progress, "score", (int64_t)sample->n_rows, (int64_t)sample->n_rows, scoring->name);
cleanup:
	skip_free(data);
	skip_free(value);
	skip_packer_deinit(&packer);
	skip_batches_deinit(&batches);
	skip_session_destroy(session);
	return status;
}
