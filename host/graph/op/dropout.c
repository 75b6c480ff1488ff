/*
 * dropout: element i = row * cols + col of stream s is kept when skip_rng_hash(key, s, i) >= threshold and scaled by 1/(1-rate), else 0.
 * threshold = (uint32)(rate * 2^32) with the float rate widened to double; 1/(1-rate) is computed in float. Its gradient is the same op.
 */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	skip_rule_like(out, skip_rule_in(graph, node, 0));
	return skip_rule_rate("rate", node->attrs.dropout.rate, err);
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const struct skip_attrs_dropout *attrs = &node->attrs.dropout;
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	for (size_t i = 0; i < count; i++)
		io->out[0][i] = io->in[0][i] * skip_dropout_factor(attrs->rate, io->dropout_key, (uint32_t)attrs->stream, (uint32_t)i);
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	if (!skip_grad_needs_value(grad, like.in[0])) return SKIP_OK;
	struct skip_node bwd = {.n_in = 1, .attrs = like.attrs};
	bwd.in[0] = skip_grad_get(grad, like.out[0]);
	return skip_grad_add_one(grad, &like, "dropout", &bwd, err);
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	(void)graph;
	skip_ties_same(sink, node->in[0], node->out[0]);
}

static const struct skip_attr_desc table[] = {
    {"rate", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_dropout, rate), NULL},
    {"stream", SKIP_ATTR_INT, offsetof(struct skip_attrs_dropout, stream), NULL},
};

const struct skip_op skip_op_dropout = {
    .name = "dropout",
    .min_in = 1,
    .max_in = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = table,
    .n_attrs = 2,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
};
