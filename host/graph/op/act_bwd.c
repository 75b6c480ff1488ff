/* act_bwd: du = dg * kind'(u), elementwise (docs/method.md 2.8). */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status = skip_rule_same(graph, node, 0, 1, err);
	return status == SKIP_OK ? skip_op_find("act")->infer(graph, node, out, err) : status;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	for (size_t i = 0; i < count; i++) io->out[0][i] = io->in[1][i] * skip_act_slope(node->attrs.act.kind, io->in[0][i]);
	return SKIP_OK;
}

const struct skip_op skip_op_act_bwd = {
    .name = "act_bwd",
    .min_in = 2,
    .max_in = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_act,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
