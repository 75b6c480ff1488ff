/* mask: y = x * m, m one number per column. The oracle of pruning: a zero there must equal the removed column. */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *x = skip_rule_in(graph, node, 0);
	skip_rule_like(out, x);
	return skip_rule_vector(graph, node, 0, x->cols, err);
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)node;
	(void)err;
	size_t cols = (size_t)io->in_cols[0], count = (size_t)io->in_rows[0] * cols;
	for (size_t i = 0; i < count; i++) io->out[0][i] = io->in[0][i] * io->param[0][i % cols];
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	if (!skip_grad_needs_value(grad, like.in[0])) return SKIP_OK;
	struct skip_node bwd = {.n_in = 1, .n_param = 1};
	bwd.in[0] = skip_grad_get(grad, like.out[0]);
	bwd.param[0] = like.param[0];
	return skip_grad_add_one(grad, &like, "mask", &bwd, err);
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	(void)graph;
	skip_ties_same(sink, node->in[0], node->out[0]);
	skip_ties_slice(sink, node->out[0], node->param[0], 0);
}

const struct skip_op skip_op_mask = {
    .name = "mask",
    .min_in = 1,
    .max_in = 1,
    .min_param = 1,
    .max_param = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
};
