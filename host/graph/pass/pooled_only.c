/*
 * CLS pooling reads one row per sequence; this pass moves the pooling up until something mixes rows, so that the last layer computes its
 * queries, its ffn and its norms on B rows instead of T (docs/method.md 4, "Last layer"). Neighbours: fuse.c, which comes after it.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <stdio.h>

static bool pools_first_row(const struct skip_node *node)
{
	return skip_node_is(node, "pool") && node->attrs.pool.mode == SKIP_POOL_CLS;
}

/* Whether output row t depends on row t of input `i` alone. Dropout does too, but draws its mask from the row's index. */
static bool row_wise(const struct skip_node *node, int i)
{
	static const char *const op[] = {"linear", "act", "layernorm", "mask", "add", "add_bias"};
	if (skip_node_is(node, "attention")) return i == 0;
	for (size_t k = 0; k < sizeof(op) / sizeof(op[0]); k++) {
		if (skip_node_is(node, op[k])) return true;
	}
	return false;
}

/* Whether the node can be computed for first rows only. */
static bool can_narrow(const struct skip_node *node)
{
	return node->n_out == 1 && node->n_in > 0 && row_wise(node, 0);
}

/*
 * full [n_values]: all rows are needed, because a reader mixes rows, nothing reads the value (a result of the graph), the caller feeds it,
 * or its node cannot do less. read [n_values]: scratch, something reads the value.
 */
static void mark_full(const struct skip_graph *graph, bool *full, bool *read)
{
	for (size_t v = 0; v < graph->n_values; v++) full[v] = graph->values[v].producer == SKIP_NONE;
	for (size_t n = graph->n_nodes; n-- > 0;) {
		const struct skip_node *node = &graph->nodes[n];
		for (int k = 0; k < node->n_out; k++) {
			if (node->out[k] != SKIP_NONE && (!read[node->out[k]] || !can_narrow(node))) full[node->out[k]] = true;
		}
		for (int i = 0; i < node->n_in; i++) {
			if (node->in[i] == SKIP_NONE) continue;
			bool first_only = pools_first_row(node) || (can_narrow(node) && !full[node->out[0]] && row_wise(node, i));
			read[node->in[i]] = true;
			if (!first_only) full[node->in[i]] = true;
		}
	}
}

/* The value that holds the first rows of old value `value` in the new graph. first [n_values] remembers them. */
static enum skip_status first_rows(struct skip_rewrite *rewrite, const bool *full, int *first, int value, int layer, int *out,
                                   struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("pool"), .layer = layer, .n_in = 1, .attrs.pool.mode = SKIP_POOL_CLS};
	char stem[SKIP_NAME], name[SKIP_NAME];
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_value(rewrite, value, &node.in[0], err));
	if (full[value] && first[value] == SKIP_NONE) {
		snprintf(stem, sizeof(stem), "%.*s.first", SKIP_NAME - 16, rewrite->from->values[value].name);
		skip_rewrite_name(rewrite, stem, name);
		SKIP_TRY(skip_rewrite_insert(rewrite, &node, name, &first[value], err));
	}
	*out = full[value] ? first[value] : node.in[0];
cleanup:
	return status;
}

/* Name of the pooled value when `value` is what a pool node reads: the new row takes over its name. */
static const char *pooled_name(const struct skip_graph *graph, int value)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (pools_first_row(&graph->nodes[n]) && graph->nodes[n].in[0] == value) return graph->values[graph->nodes[n].out[0]].name;
	}
	return NULL;
}

static enum skip_status copy_narrow(struct skip_rewrite *rewrite, const bool *full, int *first, size_t n, struct skip_err *err)
{
	const struct skip_graph *graph = rewrite->from;
	struct skip_node node = graph->nodes[n];
	const struct skip_value *out = &graph->values[node.out[0]];
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node.n_in; i++) {
		if (node.in[i] == SKIP_NONE) continue;
		if (row_wise(&node, i)) {
			SKIP_TRY(first_rows(rewrite, full, first, node.in[i], node.layer, &node.in[i], err));
		} else {
			SKIP_TRY(skip_rewrite_value(rewrite, node.in[i], &node.in[i], err));
		}
	}
	for (int i = 0; i < node.n_param; i++) SKIP_TRY(skip_rewrite_tensor(rewrite, node.param[i], &node.param[i], err));
	SKIP_TRY(skip_rewrite_declare(rewrite, node.out[0], pooled_name(graph, node.out[0]), SKIP_ROWS_B, out->cols, err));
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

static enum skip_status copy_nodes(struct skip_rewrite *rewrite, const bool *full, int *first, struct skip_err *err)
{
	const struct skip_graph *graph = rewrite->from;
	enum skip_status status = SKIP_OK;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (pools_first_row(node) && !full[node->in[0]]) {
			rewrite->value[node->out[0]] = rewrite->value[node->in[0]];
		} else if (can_narrow(node) && !full[node->out[0]]) {
			SKIP_TRY(copy_narrow(rewrite, full, first, n, err));
		} else {
			SKIP_TRY(skip_rewrite_copy(rewrite, n, err));
		}
	}
cleanup:
	return status;
}

enum skip_status skip_pass_pooled_only(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct skip_rewrite rewrite = {0};
	enum skip_status status = SKIP_OK;
	bool *full = skip_alloc_zeroed(graph->n_values, sizeof(*full));
	bool *read = skip_alloc_zeroed(graph->n_values, sizeof(*read));
	int *first = skip_alloc_array(graph->n_values, sizeof(*first));
	if (!full || !read || !first) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to mark %zu values", graph->n_values));
	for (size_t v = 0; v < graph->n_values; v++) first[v] = SKIP_NONE;
	mark_full(graph, full, read);
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	SKIP_TRY(copy_nodes(&rewrite, full, first, err));
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	skip_free(first);
	skip_free(read);
	skip_free(full);
	return status;
}
