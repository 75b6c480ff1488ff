/* mul: y = a * b, elementwise: the gate of a gated ffn, whose units end here. */
#include "graph/rules.h"

#include <string.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	skip_rule_like(out, skip_rule_in(graph, node, 0));
	return skip_rule_same(graph, node, 0, 1, err);
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)node;
	(void)err;
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	for (size_t i = 0; i < count; i++) io->out[0][i] = io->in[0][i] * io->in[1][i];
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	int dy = skip_grad_get(grad, like.out[0]);
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < 2 && status == SKIP_OK; i++) {
		if (!skip_grad_needs_value(grad, like.in[i])) continue;
		struct skip_node bwd = {.n_in = 2, .in = {dy, like.in[1 - i]}};
		char name[SKIP_NAME];
		memcpy(name, skip_grad_graph(grad)->values[like.in[i]].name, sizeof(name));
		const char *outs[1] = {name};
		status = skip_grad_add(grad, &like, "mul", &bwd, outs, 1, err);
		if (status == SKIP_OK) status = skip_grad_accumulate(grad, like.in[i], bwd.out[0], err);
	}
	return status;
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	(void)graph;
	skip_ties_same(sink, node->in[0], node->out[0]);
	skip_ties_same(sink, node->in[1], node->out[0]);
	skip_ties_post(sink, node->out[0]);
}

const struct skip_op skip_op_mul = {
    .name = "mul",
    .min_in = 2,
    .max_in = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
};
