/*
 * layernorm_dw: dgamma [1][D] = column sums of dy * xh, dbeta [1][D] = column sums of dy, over all rows; xh = (x - mean) / sqrt(var + eps)
 * is taken from x again (docs/method.md 2.8).
 */
#include "graph/rules.h"

#include <math.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status = skip_rule_same(graph, node, 0, 1, err);
	if (status != SKIP_OK) return status;
	if (!(node->attrs.layernorm.eps > 0))
		return skip_err_set(err, SKIP_ERR_INPUT, "eps is %g, it must be above 0", (double)node->attrs.layernorm.eps);
	for (int i = 0; i < 2; i++) skip_rule_shape(&out[i], SKIP_ROWS_FIXED, 1, skip_rule_in(graph, node, 0)->cols);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const double eps = (double)node->attrs.layernorm.eps;
	int width = io->in_cols[0];
	for (int r = 0; r < io->in_rows[0]; r++) {
		const double *x = io->in[0] + (size_t)r * (size_t)width, *dy = io->in[1] + (size_t)r * (size_t)width;
		double mean = 0, var = 0;
		for (int d = 0; d < width; d++) mean += x[d];
		mean /= width;
		for (int d = 0; d < width; d++) var += (x[d] - mean) * (x[d] - mean);
		double scale = 1 / sqrt(var / width + eps);
		for (int d = 0; d < width; d++) {
			io->out[0][d] += dy[d] * ((x[d] - mean) * scale);
			io->out[1][d] += dy[d];
		}
	}
	return SKIP_OK;
}

const struct skip_op skip_op_layernorm_dw = {
    .name = "layernorm_dw",
    .min_in = 2,
    .max_in = 2,
    .n_out_min = 2,
    .n_out_max = 2,
    .attrs = skip_desc_layernorm,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
