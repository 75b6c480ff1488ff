/* Decides what is trained: prompt and head, or the weights too, for fine-tuning and for re-tuning what pruning kept. */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

/* The parameter in storage of its own, trained; one that several nodes read is taken once. */
static enum skip_status thaw_tensor(struct skip_graph *graph, int index, struct skip_err *err)
{
	if (index == SKIP_NONE || graph->tensors[index]->trained) return SKIP_OK;
	enum skip_status status = skip_graph_own_tensor(graph, index, err);
	if (status == SKIP_OK) graph->tensors[index]->trained = true;
	return status;
}

enum skip_status skip_pass_thaw(const struct skip_graph *graph, bool weights, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	int logits = skip_graph_find_value(graph, "logits");
	bool inside = false; /* past the embedding block */
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t n = 0; n < copy->n_nodes; n++) {
		const struct skip_node *node = &copy->nodes[n];
		inside = inside || node->layer != SKIP_NONE;
		const bool prompt = skip_node_is(node, "attention") || (logits != SKIP_NONE && node->out[0] == logits);
		for (int i = 0; (prompt || (weights && inside)) && i < node->n_param; i++) {
			if (node->op->trains >> i & 1) SKIP_TRY(thaw_tensor(copy, node->param[i], err));
		}
	}
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}
