/*
 * linear_dw: dW [out][in] = dY^T X and db [1][out] = column sums of dY, over all rows. Without dW the input x is absent too: a bias alone.
 */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *dy = skip_rule_in(graph, node, 0), *x = skip_rule_in(graph, node, 1);
	bool has_dw = node->n_out > 0 && node->out[0] != SKIP_NONE;
	if (has_dw != (x != NULL)) return skip_err_set(err, SKIP_ERR_INPUT, "x and dW must be there or absent together");
	if (!has_dw && (node->n_out < 2 || node->out[1] == SKIP_NONE))
		return skip_err_set(err, SKIP_ERR_INPUT, "neither dW nor db is wanted");
	if (x && (x->rows != dy->rows || x->fixed_rows != dy->fixed_rows)) {
		char text[2][16];
		return skip_err_set(err, SKIP_ERR_INPUT, "inputs '%s' [%s][%d] and '%s' [%s][%d] must have as many rows", dy->name,
		                    skip_rule_rows_text(dy, text[0]), dy->cols, x->name, skip_rule_rows_text(x, text[1]), x->cols);
	}
	if (has_dw) skip_rule_shape(&out[0], SKIP_ROWS_FIXED, dy->cols, x->cols);
	if (node->n_out > 1) skip_rule_shape(&out[1], SKIP_ROWS_FIXED, 1, dy->cols);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)node;
	(void)err;
	int n_out = io->in_cols[0], n_in = io->in_cols[1];
	for (int r = 0; r < io->in_rows[0]; r++) {
		const double *restrict dy = io->in[0] + (size_t)r * (size_t)n_out;
		for (int o = 0; io->out[1] && o < n_out; o++) io->out[1][o] += dy[o];
		for (int o = 0; io->out[0] && o < n_out; o++) {
			const double *restrict x = io->in[1] + (size_t)r * (size_t)n_in;
			double *restrict dw = io->out[0] + (size_t)o * (size_t)n_in;
			for (int i = 0; i < n_in; i++) dw[i] += dy[o] * x[i];
		}
	}
	return SKIP_OK;
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_value *dy = skip_rule_in(graph, node, 0), *x = skip_rule_in(graph, node, 1);
	return x ? skip_rows_per_sequence(dy, n) * dy->cols * x->cols : 0;
}

const struct skip_op skip_op_linear_dw = {
    .name = "linear_dw",
    .min_in = 1,
    .max_in = 2,
    .n_out_min = 0,
    .n_out_max = 2,
    .infer = infer,
    .reference = reference,
    .macs = macs,
};
