/* act: g = kind(u), elementwise. In a layer its columns are the ffn units and g is where their mask acts. */
#include "graph/rules.h"

const struct skip_attr_desc skip_desc_act[1] = {
    {"kind", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_act, kind), skip_act_names},
};

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	if (node->attrs.act.kind == SKIP_ACT_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "kind is 'none'");
	skip_rule_like(out, skip_rule_in(graph, node, 0));
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	for (size_t i = 0; i < count; i++) io->out[0][i] = skip_act_value(node->attrs.act.kind, io->in[0][i]);
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	if (!skip_grad_needs_value(grad, like.in[0])) return SKIP_OK;
	struct skip_node bwd = {.n_in = 2, .attrs = like.attrs};
	bwd.in[0] = like.in[0];
	bwd.in[1] = skip_grad_get(grad, like.out[0]);
	return skip_grad_add_one(grad, &like, "act_bwd", &bwd, err);
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	(void)graph;
	int u = node->in[0], g = node->out[0];
	if (node->layer < 0) { /* a pooler's activation: not an encoder unit */
		skip_ties_fixed(sink, u);
		skip_ties_fixed(sink, g);
		return;
	}
	skip_ties_same(sink, u, g);
	skip_ties_kind(sink, g, SKIP_UNIT_FFN, 1);
	skip_ties_post(sink, g);
}

const struct skip_op skip_op_act = {
    .name = "act",
    .min_in = 1,
    .max_in = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_act,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
};
