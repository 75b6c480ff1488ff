/*
 * Pooling of the first or the last row reads one row per sequence; this pass moves the pooling up until something mixes rows, so that the last
 * layer computes its queries, its ffn and its norms on B rows instead of T (docs/method.md 4, "Last layer"). Neighbours: fuse.c, which comes
 * after it.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <stdio.h>

/* The pool that is moved up: the mode of the first one that takes a single row; MEAN when there is none. */
static enum skip_pool mode_of(const struct skip_graph *graph)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (skip_node_is(node, "pool") && node->attrs.pool.mode != SKIP_POOL_MEAN) return node->attrs.pool.mode;
	}
	return SKIP_POOL_MEAN;
}

static bool pools_one_row(const struct skip_node *node, enum skip_pool mode)
{
	return mode != SKIP_POOL_MEAN && skip_node_is(node, "pool") && node->attrs.pool.mode == mode;
}

/* Whether output row t depends on row t of input `i`, and its place, alone. Dropout does too, but draws its mask from the row's index. */
static bool row_wise(const struct skip_node *node, int i)
{
	static const char *const op[] = {"linear", "act", "layernorm", "mask", "add", "add_bias", "mul", "rotary"};
	if (skip_node_is(node, "attention")) return i == 0;
	for (size_t k = 0; k < sizeof(op) / sizeof(op[0]); k++) {
		if (skip_node_is(node, op[k])) return true;
	}
	return false;
}

/* Whether the node can be computed for pooled rows only. */
static bool can_narrow(const struct skip_node *node)
{
	return node->n_out == 1 && node->n_in > 0 && row_wise(node, 0);
}

/* Tells a node that looks at places which row of each sequence it gets. */
static void set_place(struct skip_node *node, enum skip_pool mode)
{
	enum skip_at at = mode == SKIP_POOL_LAST ? SKIP_AT_LAST : SKIP_AT_FIRST;
	if (skip_node_is(node, "attention")) node->attrs.attention.at = at;
	if (skip_node_is(node, "rotary")) node->attrs.rotary.at = at;
}

/* What the steps share. */
struct narrowing {
	struct skip_rewrite rewrite;
	enum skip_pool mode;
	bool *full, *read; /* [n_values] see mark_full */
	int *row;          /* [n_values] value of the new graph with the pooled rows of a full one, SKIP_NONE before it is needed */
};

/*
 * full [n_values]: all rows are needed, because a reader mixes rows, nothing reads the value (a result of the graph), the caller feeds it,
 * or its node cannot do less. read [n_values]: scratch, something reads the value.
 */
static void mark_full(const struct skip_graph *graph, enum skip_pool mode, bool *full, bool *read)
{
	for (size_t v = 0; v < graph->n_values; v++) full[v] = graph->values[v].producer == SKIP_NONE;
	for (size_t n = graph->n_nodes; n-- > 0;) {
		const struct skip_node *node = &graph->nodes[n];
		for (int k = 0; k < node->n_out; k++) {
			if (node->out[k] != SKIP_NONE && (!read[node->out[k]] || !can_narrow(node))) full[node->out[k]] = true;
		}
		for (int i = 0; i < node->n_in; i++) {
			if (node->in[i] == SKIP_NONE) continue;
			bool one_row = pools_one_row(node, mode) || (can_narrow(node) && !full[node->out[0]] && row_wise(node, i));
			read[node->in[i]] = true;
			if (!one_row) full[node->in[i]] = true;
		}
	}
}

/* The value that holds the pooled rows of old value `value` in the new graph. */
static enum skip_status pooled_rows(struct narrowing *it, int value, int layer, int *out, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("pool"), .layer = layer, .n_in = 1, .attrs.pool.mode = it->mode};
	char stem[SKIP_NAME], name[SKIP_NAME];
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_value(&it->rewrite, value, &node.in[0], err));
	if (it->full[value] && it->row[value] == SKIP_NONE) {
		snprintf(stem, sizeof(stem), "%.*s.%s", SKIP_NAME - 16, it->rewrite.from->values[value].name,
		         it->mode == SKIP_POOL_LAST ? "last" : "first");
		skip_rewrite_name(&it->rewrite, stem, name);
		SKIP_TRY(skip_rewrite_insert(&it->rewrite, &node, name, &it->row[value], err));
	}
	*out = it->full[value] ? it->row[value] : node.in[0];
cleanup:
	return status;
}

/* Name of the pooled value when `value` is what a pool node reads: the new row takes over its name. */
static const char *pooled_name(const struct skip_graph *graph, enum skip_pool mode, int value)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (pools_one_row(&graph->nodes[n], mode) && graph->nodes[n].in[0] == value)
			return graph->values[graph->nodes[n].out[0]].name;
	}
	return NULL;
}

static enum skip_status copy_narrow(struct narrowing *it, size_t n, struct skip_err *err)
{
	const struct skip_graph *graph = it->rewrite.from;
	struct skip_node node = graph->nodes[n];
	const struct skip_value *out = &graph->values[node.out[0]];
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node.n_in; i++) {
		if (node.in[i] == SKIP_NONE) continue;
		if (row_wise(&node, i)) {
			SKIP_TRY(pooled_rows(it, node.in[i], node.layer, &node.in[i], err));
		} else {
			SKIP_TRY(skip_rewrite_value(&it->rewrite, node.in[i], &node.in[i], err));
		}
	}
	for (int i = 0; i < node.n_param; i++) SKIP_TRY(skip_rewrite_tensor(&it->rewrite, node.param[i], &node.param[i], err));
	set_place(&node, it->mode);
	SKIP_TRY(skip_rewrite_declare(&it->rewrite, node.out[0], pooled_name(graph, it->mode, node.out[0]), SKIP_ROWS_B, out->cols, err));
	SKIP_TRY(skip_rewrite_emit(&it->rewrite, &node, err));
cleanup:
	return status;
}

static enum skip_status copy_nodes(struct narrowing *it, struct skip_err *err)
{
	const struct skip_graph *graph = it->rewrite.from;
	enum skip_status status = SKIP_OK;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (pools_one_row(node, it->mode) && !it->full[node->in[0]]) {
			it->rewrite.value[node->out[0]] = it->rewrite.value[node->in[0]];
		} else if (can_narrow(node) && !it->full[node->out[0]]) {
			SKIP_TRY(copy_narrow(it, n, err));
		} else {
			SKIP_TRY(skip_rewrite_copy(&it->rewrite, n, err));
		}
	}
cleanup:
	return status;
}

enum skip_status skip_pass_pooled_only(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct narrowing it = {.mode = mode_of(graph)};
	enum skip_status status = SKIP_OK;
	it.full = skip_alloc_zeroed(graph->n_values, sizeof(*it.full));
	it.read = skip_alloc_zeroed(graph->n_values, sizeof(*it.read));
	it.row = skip_alloc_array(graph->n_values, sizeof(*it.row));
	if (!it.full || !it.read || !it.row) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to mark %zu values", graph->n_values));
	for (size_t v = 0; v < graph->n_values; v++) it.row[v] = SKIP_NONE;
	mark_full(graph, it.mode, it.full, it.read);
	SKIP_TRY(skip_rewrite_begin(&it.rewrite, graph, err));
	SKIP_TRY(copy_nodes(&it, err));
	*out = skip_rewrite_end(&it.rewrite);
cleanup:
	skip_rewrite_deinit(&it.rewrite);
	skip_free(it.row);
	skip_free(it.read);
	skip_free(it.full);
	return status;
}
