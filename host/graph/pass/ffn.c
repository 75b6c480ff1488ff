/* linear + act, linear -> ffn: see pass.h. Runs on fused graphs, where the activation is the first linear's own. */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

/* An ffn finds its scales as it runs. */
static bool is_plain(const struct skip_node *node)
{
	return skip_node_is(node, "linear") && !node->attrs.linear.transpose && node->attrs.linear.clip == 0;
}

static bool has_residual(const struct skip_node *linear)
{
	return linear->n_in > 1 && linear->in[1] != SKIP_NONE;
}

/* The linear behind `n` when the two are an ffn, else SKIP_NONE. */
static int second_of(const struct skip_graph *graph, size_t n, const int *wanted, size_t n_wanted)
{
	const struct skip_node *first = &graph->nodes[n];
	size_t reader = 0;
	if (!is_plain(first) || first->attrs.linear.act == SKIP_ACT_NONE || has_residual(first)) return SKIP_NONE;
	for (size_t w = 0; w < n_wanted; w++) {
		if (wanted[w] == first->out[0]) return SKIP_NONE;
	}
	if (skip_value_readers(graph, first->out[0], &reader) != 1) return SKIP_NONE;
	const struct skip_node *second = &graph->nodes[reader];
	if (!is_plain(second) || second->in[0] != first->out[0] || second->attrs.linear.act != SKIP_ACT_NONE ||
	    second->attrs.linear.precision != first->attrs.linear.precision) {
		return SKIP_NONE;
	}
	return (int)reader;
}

/* The ffn stands where its second linear stood: there all its inputs are known. */
static enum skip_status emit_ffn(struct skip_rewrite *rewrite, size_t first, size_t second, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_node *linear = &rewrite->from->nodes[second];
	struct skip_node node;
	SKIP_TRY(skip_rewrite_map(rewrite, first, &node, err));
	const struct skip_attrs_linear attrs = node.attrs.linear;
	node.attrs.ffn = (struct skip_attrs_ffn){attrs.act, attrs.precision};
	node.op = skip_op_find("ffn");
	node.param[2] = node.n_param > 1 ? node.param[1] : SKIP_NONE;
	node.n_param = 4;
	SKIP_TRY(skip_rewrite_tensor(rewrite, linear->param[0], &node.param[1], err));
	SKIP_TRY(skip_rewrite_tensor(rewrite, linear->n_param > 1 ? linear->param[1] : SKIP_NONE, &node.param[3], err));
	node.n_in = has_residual(linear) ? 2 : 1;
	if (has_residual(linear)) SKIP_TRY(skip_rewrite_value(rewrite, linear->in[1], &node.in[1], err));
	node.out[0] = linear->out[0];
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

enum skip_status skip_pass_ffn(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rewrite rewrite = {0};
	int *first_of = skip_alloc_array(graph->n_nodes, sizeof(*first_of)); /* of a second linear its first, of a first itself */
	if (!first_of) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu nodes", graph->n_nodes);
	for (size_t n = 0; n < graph->n_nodes; n++) first_of[n] = SKIP_NONE;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		int second = second_of(graph, n, wanted, n_wanted);
		if (second == SKIP_NONE) continue;
		first_of[n] = first_of[second] = (int)n;
	}
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (first_of[n] == SKIP_NONE) {
			SKIP_TRY(skip_rewrite_copy(&rewrite, n, err));
		} else if (first_of[n] != (int)n) {
			SKIP_TRY(emit_ffn(&rewrite, (size_t)first_of[n], n, err));
		}
	}
	skip_rewrite_indices(&rewrite, wanted, n_wanted);
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	skip_free(first_of);
	return status;
}
