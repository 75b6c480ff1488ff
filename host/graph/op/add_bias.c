/* add_bias: y = x + b, b one number per column. What is left of a vanished sub-layer. */
#include "graph/rules.h"

#include <string.h>

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
	for (size_t i = 0; i < count; i++) io->out[0][i] = io->in[0][i] + io->param[0][i % cols];
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	int dy = skip_grad_get(grad, like.out[0]);
	enum skip_status status = SKIP_OK;
	if (skip_grad_needs_tensor(grad, like.param[0])) {
		char name[SKIP_TENSOR_NAME];
		memcpy(name, skip_grad_graph(grad)->tensors[like.param[0]]->name, sizeof(name));
		struct skip_node db = {.n_in = 1};
		db.in[0] = dy;
		const char *outs[2] = {NULL, name};
		status = skip_grad_add(grad, &like, "linear_dw", &db, outs, 2, err);
		if (status == SKIP_OK) skip_grad_set_tensor(grad, like.param[0], db.out[1]);
	}
	if (status == SKIP_OK && skip_grad_needs_value(grad, like.in[0])) status = skip_grad_accumulate(grad, like.in[0], dy, err);
	return status;
}

const struct skip_op skip_op_add_bias = {
    .name = "add_bias",
    .min_in = 1,
    .max_in = 1,
    .min_param = 1,
    .max_param = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .trains = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
};
