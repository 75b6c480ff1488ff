/*
 * The graph: storage, additions, look-up, counts. Shape rules live with the ops; node checks in check.c; JSON in graph_json.c.
 */
#include "graph/graph.h"

#include "base/alloc.h"
#include "graph/check.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum skip_status skip_graph_create(struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *graph = skip_alloc_zeroed(1, sizeof(*graph));
	if (!graph) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a graph");
	*out = graph;
	return SKIP_OK;
}

void skip_graph_destroy(struct skip_graph *graph)
{
	if (!graph) return;
	for (size_t i = 0; i < graph->n_tensors; i++) skip_tensor_unref(graph->tensors[i]);
	skip_free(graph->tensors);
	skip_free(graph->nodes);
	skip_free(graph->values);
	skip_free(graph);
}

/* Room for `need` elements of the array behind `array`. */
static bool reserve(void *array, size_t *capacity, size_t need, size_t size)
{
	void *block;
	memcpy(&block, array, sizeof(block));
	if (!skip_grow(&block, capacity, need, size)) return false;
	memcpy(array, &block, sizeof(block));
	return true;
}

enum skip_status skip_graph_copy(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *copy = skip_alloc_array(1, sizeof(*copy));
	if (!copy) goto no_memory;
	*copy = *graph;
	copy->values = NULL;
	copy->nodes = NULL;
	copy->tensors = NULL;
	copy->n_tensors = copy->cap_values = copy->cap_nodes = copy->cap_tensors = 0;
	if (!reserve(&copy->values, &copy->cap_values, graph->n_values, sizeof(*copy->values)) ||
	    !reserve(&copy->nodes, &copy->cap_nodes, graph->n_nodes, sizeof(*copy->nodes)) ||
	    !reserve(&copy->tensors, &copy->cap_tensors, graph->n_tensors, sizeof(*copy->tensors)))
		goto no_memory;
	if (graph->n_values) memcpy(copy->values, graph->values, graph->n_values * sizeof(*copy->values));
	if (graph->n_nodes) memcpy(copy->nodes, graph->nodes, graph->n_nodes * sizeof(*copy->nodes));
	for (size_t i = 0; i < graph->n_tensors; i++) copy->tensors[copy->n_tensors++] = skip_tensor_ref(graph->tensors[i]);
	*out = copy;
	return SKIP_OK;
no_memory:
	skip_graph_destroy(copy);
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a copy of a graph of %zu nodes", graph->n_nodes);
}

enum skip_status skip_graph_add_value(struct skip_graph *graph, const char *name, enum skip_rows rows, int fixed_rows, int cols, int *out,
                                      struct skip_err *err)
{
	if (name[0] == '\0' || strlen(name) >= SKIP_NAME)
		return skip_err_set(err, SKIP_ERR_INPUT, "value name '%s' must have 1 to %d characters", name, SKIP_NAME - 1);
	if (skip_graph_find_value(graph, name) != SKIP_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "two values are called '%s'", name);
	if (cols < 1 || (rows == SKIP_ROWS_FIXED && fixed_rows < 1))
		return skip_err_set(err, SKIP_ERR_INPUT, "value '%s' has %d columns and %d fixed rows, needed is at least 1", name, cols,
		                    fixed_rows);
	if (!reserve(&graph->values, &graph->cap_values, graph->n_values + 1, sizeof(*graph->values)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for value '%s'", name);
	struct skip_value *value = &graph->values[graph->n_values];
	memset(value, 0, sizeof(*value));
	strcpy(value->name, name);
	value->rows = rows;
	value->fixed_rows = rows == SKIP_ROWS_FIXED ? fixed_rows : 0;
	value->cols = cols;
	value->producer = SKIP_NONE;
	*out = (int)graph->n_values++;
	return SKIP_OK;
}

enum skip_status skip_graph_add_tensor(struct skip_graph *graph, struct skip_tensor *tensor, int *out, struct skip_err *err)
{
	for (size_t i = 0; i < graph->n_tensors; i++)
		if (graph->tensors[i] == tensor) {
			*out = (int)i;
			return SKIP_OK;
		}
	if (!reserve(&graph->tensors, &graph->cap_tensors, graph->n_tensors + 1, sizeof(struct skip_tensor *)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for tensor '%s'", tensor->name);
	graph->tensors[graph->n_tensors] = skip_tensor_ref(tensor);
	*out = (int)graph->n_tensors++;
	return SKIP_OK;
}

void skip_graph_set_tensor(struct skip_graph *graph, int index, struct skip_tensor *tensor)
{
	assert(index >= 0 && (size_t)index < graph->n_tensors);
	skip_tensor_ref(tensor);
	skip_tensor_unref(graph->tensors[index]);
	graph->tensors[index] = tensor;
}

enum skip_status skip_graph_own_tensor(struct skip_graph *graph, int index, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_tensor *own = NULL;
	if (index == SKIP_NONE) return SKIP_OK;
	const struct skip_tensor *old = graph->tensors[index];
	SKIP_TRY(skip_tensor_create(old->name, SKIP_F32, old->rank, old->dim, &own, err));
	skip_tensor_to_f32(old, skip_tensor_f32(own));
	own->trained = old->trained;
	skip_graph_set_tensor(graph, index, own);
cleanup:
	skip_tensor_unref(own);
	return status;
}

int skip_graph_count_readers(const struct skip_graph *graph, int tensor)
{
	int uses = 0;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int p = 0; p < graph->nodes[n].n_param; p++) uses += graph->nodes[n].param[p] == tensor;
	}
	return uses;
}

/* Fills node->out: existing values, or the indices new values will get (equal names, one value). */
static enum skip_status choose_outputs(const struct skip_graph *graph, struct skip_node *node, const char *const *out_names,
                                       const int *out_values, struct skip_err *err)
{
	int fresh = 0;
	if (node->n_out == 0 && node->op->n_out_min == node->op->n_out_max) node->n_out = node->op->n_out_max;
	if (node->n_out < node->op->n_out_min || node->n_out > node->op->n_out_max)
		return skip_err_set(err, SKIP_ERR_INPUT, "a new %s node has %d outputs, possible are %d to %d", node->op->name, node->n_out,
		                    node->op->n_out_min, node->op->n_out_max);
	for (int i = 0; i < node->n_out; i++) {
		node->out[i] = SKIP_NONE;
		if (out_values) {
			node->out[i] = out_values[i];
		} else if (out_names[i]) {
			for (int j = 0; j < i && node->out[i] == SKIP_NONE; j++)
				if (out_names[j] && strcmp(out_names[i], out_names[j]) == 0) node->out[i] = node->out[j];
			if (node->out[i] == SKIP_NONE) node->out[i] = (int)graph->n_values + fresh++;
		}
	}
	return SKIP_OK;
}

enum skip_status skip_graph_add_node(struct skip_graph *graph, struct skip_node *node, const char *const *out_names, const int *out_values,
                                     struct skip_err *err)
{
	struct skip_node added = *node;
	struct skip_value shape[SKIP_NODE_MAX_OUT];
	size_t old_values = graph->n_values;
	int index = (int)graph->n_nodes;
	enum skip_status status;
	SKIP_TRY(choose_outputs(graph, &added, out_names, out_values, err));
	SKIP_TRY(skip_check_node(graph, index, &added, shape, err));
	if (!reserve(&graph->nodes, &graph->cap_nodes, graph->n_nodes + 1, sizeof(*graph->nodes))) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for node %d", index);
		goto cleanup;
	}
	for (int i = 0; i < added.n_out && !out_values; i++) {
		int made;
		if (added.out[i] != (int)graph->n_values) continue;
		SKIP_TRY(skip_graph_add_value(graph, out_names[i], shape[i].rows, shape[i].fixed_rows, shape[i].cols, &made, err));
	}
	SKIP_TRY(skip_check_outputs(graph, index, &added, shape, err));
	for (int i = 0; i < added.n_out; i++)
		if (added.out[i] != SKIP_NONE) graph->values[added.out[i]].producer = index;
	graph->nodes[graph->n_nodes++] = added;
	*node = added;
cleanup:
	if (status != SKIP_OK) graph->n_values = old_values;
	return status;
}

int skip_graph_find_value(const struct skip_graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->n_values; i++)
		if (strcmp(graph->values[i].name, name) == 0) return (int)i;
	return SKIP_NONE;
}

int skip_graph_find_tensor(const struct skip_graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->n_tensors; i++)
		if (strcmp(graph->tensors[i]->name, name) == 0) return (int)i;
	return SKIP_NONE;
}

enum skip_status skip_graph_unique_name(const struct skip_graph *graph, const char *stem, char out[SKIP_NAME], struct skip_err *err)
{
	char name[SKIP_NAME];
	for (size_t n = 1;; n++) {
		int length = n == 1 ? snprintf(name, sizeof(name), "%s", stem) : snprintf(name, sizeof(name), "%s%zu", stem, n);
		if (length < 0 || length >= SKIP_NAME)
			return skip_err_set(err, SKIP_ERR_INPUT, "value name '%s' does not fit %d characters", stem, SKIP_NAME - 1);
		if (skip_graph_find_value(graph, name) == SKIP_NONE) break;
	}
	strcpy(out, name);
	return SKIP_OK;
}

static bool holds(const struct skip_tensor *tensor, const struct skip_tensor *leaf)
{
	bool found = tensor == leaf;
	for (int p = 0; p < tensor->n_parts && !found; p++) found = holds(tensor->part[p], leaf);
	return found;
}

/* Whether the parameters of the node count. */
static bool counts(const struct skip_node *node, bool encoder_only)
{
	return !encoder_only || (node->layer >= 0 && !node->op->no_weights);
}

/* Whether parameter `slot` of node `index` is the first place that reads `leaf`. */
static bool first_reader(const struct skip_graph *graph, size_t index, int slot, const struct skip_tensor *leaf, bool encoder_only)
{
	for (size_t i = 0; i <= index; i++) {
		const struct skip_node *node = &graph->nodes[i];
		int end = i == index ? slot : node->n_param;
		for (int p = 0; p < end; p++)
			if (node->param[p] != SKIP_NONE && counts(node, encoder_only) && holds(graph->tensors[node->param[p]], leaf))
				return false;
	}
	return true;
}

/* Elements of `tensor` that no earlier place read. Concatenations are taken apart: a part that is also read alone counts once. */
static int64_t count_new(const struct skip_graph *graph, size_t index, int slot, const struct skip_tensor *tensor, bool encoder_only)
{
	int64_t count = 0;
	for (int p = 0; p < tensor->n_parts; p++) count += count_new(graph, index, slot, tensor->part[p], encoder_only);
	if (tensor->n_parts) return count;
	return first_reader(graph, index, slot, tensor, encoder_only) ? skip_tensor_count(tensor) : 0;
}

static int64_t count_params(const struct skip_graph *graph, bool encoder_only)
{
	int64_t total = 0;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct skip_node *node = &graph->nodes[i];
		for (int p = 0; p < node->n_param; p++)
			if (node->param[p] != SKIP_NONE && counts(node, encoder_only))
				total += count_new(graph, i, p, graph->tensors[node->param[p]], encoder_only);
	}
	return total;
}

int64_t skip_graph_encoder_params(const struct skip_graph *graph)
{
	return count_params(graph, true);
}

int64_t skip_graph_total_params(const struct skip_graph *graph)
{
	return count_params(graph, false);
}

double skip_graph_macs(const struct skip_graph *graph, double n, bool encoder_only)
{
	double total = 0;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct skip_node *node = &graph->nodes[i];
		if (node->op->macs && (!encoder_only || node->layer >= 0)) total += node->op->macs(graph, node, n);
	}
	return total;
}
