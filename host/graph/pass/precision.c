/* Chooses the type products are taken in, and the scales of int8. Both change attributes only. */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

static enum skip_status set_precision(const struct skip_graph *graph, enum skip_precision precision, enum skip_precision attention, struct skip_graph **out,
				      struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t n = 0; n < copy->n_nodes; n++) {
		struct skip_node *node = &copy->nodes[n];
		/* What is outside of the layers is small, and the head decides. */
		if (skip_node_is(node, "linear") && node->layer != SKIP_NONE) {
			node->attrs.linear.precision = precision;
			node->attrs.linear.clip = 0;
		}
		/* The kinds that look at places have a float32 form only. */
		if (skip_node_is(node, "attention") && skip_attention_is_plain(node)) node->attrs.attention.precision = attention;
	}
	SKIP_TRY(skip_graph_validate(copy, err));
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}

enum skip_status skip_pass_precision(const struct skip_graph *graph, enum skip_precision precision, struct skip_graph **out, struct skip_err *err)
{
	/* Its sums are over few numbers, and one scale for all weights of a row would lose the small ones: bfloat16 at the least. */
	return set_precision(graph, precision, precision == SKIP_PRECISION_INT8 ? SKIP_PRECISION_BF16 : precision, out, err);
}

enum skip_status skip_pass_linear_precision(const struct skip_graph *graph, enum skip_precision precision, struct skip_graph **out, struct skip_err *err)
{
	return set_precision(graph, precision, SKIP_PRECISION_F32, out, err);
}

enum skip_status skip_pass_clip(const struct skip_graph *graph, const float *clip, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t n = 0; n < copy->n_nodes; n++) {
		struct skip_node *node = &copy->nodes[n];
		if (skip_node_is(node, "linear") && node->attrs.linear.precision == SKIP_PRECISION_INT8) node->attrs.linear.clip = clip[node->in[0]];
	}
	SKIP_TRY(skip_graph_validate(copy, err));
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}
