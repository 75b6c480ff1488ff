/* Turns dropout on for training and off for everything else. It changes attributes only. */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

enum skip_status skip_pass_dropout(const struct skip_graph *graph, float head_rate, float prefix_rate, struct skip_graph **out,
                                   struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t n = 0; n < copy->n_nodes; n++) {
		struct skip_node *node = &copy->nodes[n];
		if (skip_node_is(node, "dropout")) node->attrs.dropout.rate = head_rate;
		if (skip_node_is(node, "attention") || skip_node_is(node, "attention_bwd"))
			node->attrs.attention.prefix_dropout = prefix_rate;
	}
	SKIP_TRY(skip_graph_validate(copy, err));
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}
