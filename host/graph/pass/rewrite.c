/* Copying a graph node by node; see rewrite.h. It holds no rule of any pass. */
#include "graph/pass/rewrite.h"
#include "base/alloc.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static int *index_map(size_t n)
{
	int *map = skip_alloc_array(n, sizeof(*map));
	for (size_t i = 0; map && i < n; i++) map[i] = SKIP_NONE;
	return map;
}

static void copy_information(const struct skip_graph *from, struct skip_graph *to)
{
	memcpy(to->architecture, from->architecture, sizeof(to->architecture));
	to->model_width = from->model_width;
	to->layers = from->layers;
	to->heads = from->heads;
	to->head_width = from->head_width;
	to->ffn_width = from->ffn_width;
	to->prefix = from->prefix;
	to->classes = from->classes;
	to->problem = from->problem;
	to->max_positions = from->max_positions;
	to->dense_encoder_params = from->dense_encoder_params;
	to->dense_macs_per_token = from->dense_macs_per_token;
	to->shape_classes = from->shape_classes;
}

enum skip_status skip_rewrite_begin(struct skip_rewrite *rewrite, const struct skip_graph *from, struct skip_err *err)
{
	struct skip_rewrite made = {.from = from, .value = index_map(from->n_values), .tensor = index_map(from->n_tensors)};
	enum skip_status status = SKIP_OK;
	if (!made.value || !made.tensor)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to rewrite a graph of %zu nodes", from->n_nodes));
	SKIP_TRY(skip_graph_create(&made.to, err));
	copy_information(from, made.to);
	*rewrite = made;
	made = (struct skip_rewrite){0};
cleanup:
	skip_rewrite_deinit(&made);
	return status;
}

void skip_rewrite_deinit(struct skip_rewrite *rewrite)
{
	skip_graph_destroy(rewrite->to);
	skip_free(rewrite->value);
	skip_free(rewrite->tensor);
	*rewrite = (struct skip_rewrite){0};
}

struct skip_graph *skip_rewrite_end(struct skip_rewrite *rewrite)
{
	struct skip_graph *graph = rewrite->to;
	rewrite->to = NULL;
	return graph;
}

enum skip_status skip_rewrite_value(struct skip_rewrite *rewrite, int value, int *out, struct skip_err *err)
{
	if (value != SKIP_NONE && rewrite->value[value] == SKIP_NONE) {
		const struct skip_value *old = &rewrite->from->values[value];
		assert(old->producer == SKIP_NONE);
		enum skip_status status = skip_rewrite_declare(rewrite, value, NULL, old->rows, old->cols, err);
		if (status != SKIP_OK) return status;
	}
	*out = value == SKIP_NONE ? SKIP_NONE : rewrite->value[value];
	return SKIP_OK;
}

enum skip_status skip_rewrite_tensor(struct skip_rewrite *rewrite, int tensor, int *out, struct skip_err *err)
{
	if (tensor != SKIP_NONE && rewrite->tensor[tensor] == SKIP_NONE) {
		enum skip_status status = skip_graph_add_tensor(rewrite->to, rewrite->from->tensors[tensor], &rewrite->tensor[tensor], err);
		if (status != SKIP_OK) return status;
	}
	*out = tensor == SKIP_NONE ? SKIP_NONE : rewrite->tensor[tensor];
	return SKIP_OK;
}

enum skip_status skip_rewrite_declare(struct skip_rewrite *rewrite, int value, const char *name, enum skip_rows rows, int cols,
                                      struct skip_err *err)
{
	const struct skip_value *old = &rewrite->from->values[value];
	return skip_graph_add_value(rewrite->to, name ? name : old->name, rows, old->fixed_rows, cols, &rewrite->value[value], err);
}

enum skip_status skip_rewrite_map(struct skip_rewrite *rewrite, size_t n, struct skip_node *out, struct skip_err *err)
{
	struct skip_node node = rewrite->from->nodes[n];
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node.n_in; i++) SKIP_TRY(skip_rewrite_value(rewrite, node.in[i], &node.in[i], err));
	for (int i = 0; i < node.n_param; i++) SKIP_TRY(skip_rewrite_tensor(rewrite, node.param[i], &node.param[i], err));
	*out = node;
cleanup:
	return status;
}

enum skip_status skip_rewrite_emit(struct skip_rewrite *rewrite, struct skip_node *node, struct skip_err *err)
{
	int out[SKIP_NODE_MAX_OUT];
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node->n_out; i++) {
		int value = node->out[i];
		if (value != SKIP_NONE && rewrite->value[value] == SKIP_NONE) {
			const struct skip_value *old = &rewrite->from->values[value];
			SKIP_TRY(skip_rewrite_declare(rewrite, value, NULL, old->rows, old->cols, err));
		}
		out[i] = value == SKIP_NONE ? SKIP_NONE : rewrite->value[value];
	}
	SKIP_TRY(skip_graph_add_node(rewrite->to, node, NULL, out, err));
cleanup:
	return status;
}

enum skip_status skip_rewrite_copy(struct skip_rewrite *rewrite, size_t n, struct skip_err *err)
{
	struct skip_node node;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_map(rewrite, n, &node, err));
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

void skip_rewrite_name(const struct skip_rewrite *rewrite, const char *stem, char out[SKIP_NAME])
{
	snprintf(out, SKIP_NAME, "%s", stem);
	for (int n = 2; skip_graph_find_value(rewrite->from, out) != SKIP_NONE || skip_graph_find_value(rewrite->to, out) != SKIP_NONE;
	     n++) {
		snprintf(out, SKIP_NAME, "%.*s%d", SKIP_NAME - 12, stem, n);
	}
}

enum skip_status skip_rewrite_insert(struct skip_rewrite *rewrite, struct skip_node *node, const char *name, int *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	node->n_out = 1;
	SKIP_TRY(skip_graph_add_node(rewrite->to, node, &name, NULL, err));
	*out = node->out[0];
cleanup:
	return status;
}

void skip_rewrite_indices(const struct skip_rewrite *rewrite, int *wanted, size_t n_wanted)
{
	for (size_t i = 0; i < n_wanted; i++) {
		if (wanted[i] != SKIP_NONE) wanted[i] = rewrite->value[wanted[i]];
	}
}

bool skip_node_is(const struct skip_node *node, const char *op)
{
	return strcmp(node->op->name, op) == 0;
}

int skip_value_readers(const struct skip_graph *graph, int value, size_t *last)
{
	int count = 0;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int i = 0; i < graph->nodes[n].n_in; i++) {
			if (graph->nodes[n].in[i] != value) continue;
			count++;
			if (last) *last = n;
		}
	}
	return count;
}
