/*
 * The way back from pooled_only.c: a pool that stands before the last layer's queries moves behind the last norm, so that the layer is the others' kind
 * again. For networks that come from elsewhere with the short cut built in.
 */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

static bool has_pooled_rows(const struct skip_graph *graph, const struct skip_node *node)
{
	return node->n_out > 0 && node->out[0] != SKIP_NONE && graph->values[node->out[0]].rows == SKIP_ROWS_B;
}

/* The last norm of pooled rows, where attention has queries of such rows; n_nodes: there is no short cut. */
static size_t last_norm(const struct skip_graph *graph)
{
	size_t last = graph->n_nodes;
	bool short_cut = false;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (!has_pooled_rows(graph, node)) continue;
		short_cut = short_cut || skip_node_is(node, "attention");
		if (skip_node_is(node, "layernorm")) last = n;
	}
	return short_cut ? last : graph->n_nodes;
}

/* A node of the short cut, for every row. */
static enum skip_status copy_wide(struct skip_rewrite *rewrite, size_t n, struct skip_err *err)
{
	struct skip_node node;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_map(rewrite, n, &node, err));
	if (skip_node_is(&node, "attention")) node.attrs.attention.at = SKIP_AT_FIRST;
	if (skip_node_is(&node, "rotary")) node.attrs.rotary.at = SKIP_AT_FIRST;
	SKIP_TRY(skip_rewrite_declare(rewrite, node.out[0], NULL, SKIP_ROWS_T, rewrite->from->values[node.out[0]].cols, err));
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

/* What read old value `value` from here on reads its pooled rows. */
static enum skip_status pool(struct skip_rewrite *rewrite, int value, enum skip_pool mode, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("pool"), .layer = SKIP_NONE, .n_in = 1, .in = {rewrite->value[value]}, .attrs.pool.mode = mode};
	char name[SKIP_NAME];
	skip_rewrite_name(rewrite, "pooled.rows", name);
	return skip_rewrite_insert(rewrite, &node, name, &rewrite->value[value], err);
}

enum skip_status skip_pass_all_rows(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct skip_rewrite rewrite = {0};
	enum skip_pool mode = SKIP_POOL_CLS;
	const size_t last = last_norm(graph);
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		const bool moves = last < graph->n_nodes && n <= last && has_pooled_rows(graph, node);
		if (moves && skip_node_is(node, "pool")) {
			mode = node->attrs.pool.mode;
			rewrite.value[node->out[0]] = rewrite.value[node->in[0]];
		} else if (moves) {
			SKIP_TRY(copy_wide(&rewrite, n, err));
		} else {
			SKIP_TRY(skip_rewrite_copy(&rewrite, n, err));
		}
		if (n == last) SKIP_TRY(pool(&rewrite, node->out[0], mode, err));
	}
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	return status;
}
