/* layernorm: per row, mean and variance over the D columns (divided by D), y = gamma * (x - mean) / sqrt(var + eps) + beta. */
#include "graph/rules.h"

#include <math.h>
#include <string.h>

const struct skip_attr_desc skip_desc_layernorm[1] = {
    {"eps", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_layernorm, eps), NULL},
};

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *x = skip_rule_in(graph, node, 0);
	enum skip_status status = skip_rule_vector(graph, node, 0, x->cols, err);
	if (status == SKIP_OK) status = skip_rule_vector(graph, node, 1, x->cols, err);
	if (status != SKIP_OK) return status;
	if (!(node->attrs.layernorm.eps > 0))
		return skip_err_set(err, SKIP_ERR_INPUT, "eps is %g, it must be above 0", (double)node->attrs.layernorm.eps);
	skip_rule_like(out, x);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const double eps = (double)node->attrs.layernorm.eps, *gamma = io->param[0], *beta = io->param[1];
	int width = io->in_cols[0];
	for (int r = 0; r < io->in_rows[0]; r++) {
		const double *x = io->in[0] + (size_t)r * (size_t)width;
		double *y = io->out[0] + (size_t)r * (size_t)width;
		double mean = 0, var = 0;
		for (int d = 0; d < width; d++) mean += x[d];
		mean /= width;
		for (int d = 0; d < width; d++) var += (x[d] - mean) * (x[d] - mean);
		double scale = 1 / sqrt(var / width + eps);
		for (int d = 0; d < width; d++) y[d] = gamma[d] * ((x[d] - mean) * scale) + beta[d];
	}
	return SKIP_OK;
}

/* Both sums are cheap beside what they read: one node gives them, trained or not. */
static enum skip_status weight_gradient(struct skip_grad *grad, const struct skip_node *like, struct skip_err *err)
{
	const struct skip_graph *graph = skip_grad_graph(grad);
	bool needs[2] = {skip_grad_needs_tensor(grad, like->param[0]), skip_grad_needs_tensor(grad, like->param[1])};
	char name[2][SKIP_TENSOR_NAME];
	if (!needs[0] && !needs[1]) return SKIP_OK;
	for (int i = 0; i < 2; i++) memcpy(name[i], graph->tensors[like->param[i]]->name, sizeof(name[i]));
	struct skip_node dw = {.n_in = 2, .in = {like->in[0], skip_grad_get(grad, like->out[0])}, .attrs = like->attrs};
	enum skip_status status = skip_grad_add(grad, like, "layernorm_dw", &dw, (const char *[]){name[0], name[1]}, 2, err);
	for (int i = 0; status == SKIP_OK && i < 2; i++) {
		if (needs[i]) skip_grad_set_tensor(grad, like->param[i], dw.out[i]);
	}
	return status;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	enum skip_status status = weight_gradient(grad, &like, err);
	if (status != SKIP_OK || !skip_grad_needs_value(grad, like.in[0])) return status;
	struct skip_node bwd = {.n_in = 2, .n_param = 2, .attrs = like.attrs};
	bwd.in[0] = like.in[0];
	bwd.in[1] = skip_grad_get(grad, like.out[0]);
	bwd.param[0] = like.param[0];
	bwd.param[1] = like.param[1];
	return skip_grad_add_one(grad, &like, "layernorm_bwd", &bwd, err);
}

const struct skip_op skip_op_layernorm = {
    .name = "layernorm",
    .min_in = 1,
    .max_in = 1,
    .min_param = 2,
    .max_param = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_layernorm,
    .n_attrs = 1,
    .trains = 3,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
};
