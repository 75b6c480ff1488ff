/* add: y = a + b. */
#include "graph/rules.h"

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
	for (size_t i = 0; i < count; i++) io->out[0][i] = io->in[0][i] + io->in[1][i];
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	int dy = skip_grad_get(grad, like.out[0]);
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < 2 && status == SKIP_OK; i++)
		if (skip_grad_needs_value(grad, like.in[i])) status = skip_grad_accumulate(grad, like.in[i], dy, err);
	return status;
}

const struct skip_op skip_op_add = {
    .name = "add",
    .min_in = 2,
    .max_in = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
};
