/*
 * layernorm_bwd: dx = r * (a - mean(a) - xh * mean(a * xh)), a = dy * gamma, r = 1/sqrt(var + eps), xh = (x - mean) * r
 * (docs/method.md 2.8). mean and var are taken from x again; beta is a parameter of the pair and has no part in dx.
 */
#include "graph/rules.h"

#include <math.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status = skip_rule_same(graph, node, 0, 1, err);
	return status == SKIP_OK ? skip_op_find("layernorm")->infer(graph, node, out, err) : status;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const double eps = (double)node->attrs.layernorm.eps, *gamma = io->param[0];
	int width = io->in_cols[0];
	for (int r = 0; r < io->in_rows[0]; r++) {
		const double *x = io->in[0] + (size_t)r * (size_t)width, *dy = io->in[1] + (size_t)r * (size_t)width;
		double *dx = io->out[0] + (size_t)r * (size_t)width;
		double mean = 0, var = 0, mean_a = 0, mean_axh = 0;
		for (int d = 0; d < width; d++) mean += x[d];
		mean /= width;
		for (int d = 0; d < width; d++) var += (x[d] - mean) * (x[d] - mean);
		double scale = 1 / sqrt(var / width + eps);
		for (int d = 0; d < width; d++) {
			double a = dy[d] * gamma[d];
			mean_a += a;
			mean_axh += a * (x[d] - mean) * scale;
		}
		mean_a /= width;
		mean_axh /= width;
		for (int d = 0; d < width; d++) dx[d] = scale * (dy[d] * gamma[d] - mean_a - (x[d] - mean) * scale * mean_axh);
	}
	return SKIP_OK;
}

const struct skip_op skip_op_layernorm_bwd = {
    .name = "layernorm_bwd",
    .min_in = 2,
    .max_in = 2,
    .min_param = 2,
    .max_param = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_layernorm,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
