/*
 * The float64 interpreter: runs the nodes in order with the references of their ops. The truth for kernels and gradients, not a fast
 * engine.
 */
#include "base/alloc.h"
#include "graph/op.h"

#include <string.h>

int skip_value_rows(const struct skip_value *value, const struct skip_batch *batch)
{
	switch (value->rows) {
	case SKIP_ROWS_T:
		return batch->n_tokens;
	case SKIP_ROWS_B:
		return batch->n_seqs;
	case SKIP_ROWS_FIXED:
		return value->fixed_rows;
	}
	return 0;
}

void skip_reference_free(struct skip_ref_result *result)
{
	for (size_t i = 0; result->data && i < result->n_values; i++) skip_free(result->data[i]);
	skip_free(result->data);
	skip_free(result->rows);
	memset(result, 0, sizeof(*result));
}

static enum skip_status prepare(const struct skip_graph *graph, const struct skip_batch *batch, struct skip_ref_result *result,
                                struct skip_err *err)
{
	result->n_values = graph->n_values;
	result->data = skip_alloc_zeroed(graph->n_values, sizeof(*result->data));
	result->rows = skip_alloc_zeroed(graph->n_values, sizeof(*result->rows));
	if (!result->data || !result->rows) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu values", graph->n_values);
	for (size_t i = 0; i < graph->n_values; i++) result->rows[i] = skip_value_rows(&graph->values[i], batch);
	return SKIP_OK;
}

/* Zeroed storage of one value. */
static enum skip_status make_value(const struct skip_graph *graph, int value, struct skip_ref_result *result, struct skip_err *err)
{
	result->data[value] = skip_alloc_zeroed((size_t)result->rows[value], (size_t)graph->values[value].cols * sizeof(double));
	if (!result->data[value]) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for value '%s'", graph->values[value].name);
	return SKIP_OK;
}

static enum skip_status run_node(const struct skip_graph *graph, const struct skip_node *node, struct skip_ref_io *io,
                                 struct skip_ref_result *result, struct skip_err *err)
{
	double *number[SKIP_NODE_MAX_PARAM] = {NULL};
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node->n_in; i++) {
		int value = node->in[i];
		if (value == SKIP_NONE) continue;
		if (!result->data[value]) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "no data for the graph input '%s'", graph->values[value].name);
			goto cleanup;
		}
		io->in[i] = result->data[value];
		io->in_rows[i] = result->rows[value];
		io->in_cols[i] = graph->values[value].cols;
	}
	for (int i = 0; i < node->n_param; i++) {
		if (node->param[i] == SKIP_NONE) continue;
		io->tensor[i] = graph->tensors[node->param[i]];
		io->param[i] = number[i] = skip_alloc_array((size_t)skip_tensor_count(io->tensor[i]), sizeof(double));
		if (!number[i]) {
			status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the numbers of '%s'", io->tensor[i]->name);
			goto cleanup;
		}
		skip_tensor_to_f64(io->tensor[i], number[i]);
	}
	for (int i = 0; i < node->n_out; i++) {
		int value = node->out[i];
		if (value == SKIP_NONE) continue;
		if (!result->data[value]) SKIP_TRY(make_value(graph, value, result, err));
		io->out[i] = result->data[value];
		io->out_rows[i] = result->rows[value];
		io->out_cols[i] = graph->values[value].cols;
	}
	SKIP_TRY(node->op->reference(node, io, err));
cleanup:
	for (int i = 0; i < SKIP_NODE_MAX_PARAM; i++) skip_free(number[i]);
	return status;
}

enum skip_status skip_reference_run(const struct skip_graph *graph, const struct skip_batch *batch, const struct skip_ref_input *inputs,
                                    size_t n_inputs, uint32_t dropout_key, struct skip_ref_result *out, struct skip_err *err)
{
	struct skip_ref_result result = {NULL, NULL, 0};
	enum skip_status status;
	SKIP_TRY(prepare(graph, batch, &result, err));
	for (size_t i = 0; i < n_inputs; i++) {
		int value = inputs[i].value;
		if (value < 0 || (size_t)value >= graph->n_values || graph->values[value].producer != SKIP_NONE || result.data[value]) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "value %d is not a graph input or is given twice", value);
			goto cleanup;
		}
		SKIP_TRY(make_value(graph, value, &result, err));
		memcpy(result.data[value], inputs[i].data, (size_t)result.rows[value] * (size_t)graph->values[value].cols * sizeof(double));
	}
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_ref_io io = {.batch = batch, .dropout_key = dropout_key};
		SKIP_TRY(run_node(graph, &graph->nodes[n], &io, &result, err));
	}
	*out = result;
	memset(&result, 0, sizeof(result));
cleanup:
	skip_reference_free(&result);
	return status;
}
