/*
 * linear_dw: dW [out][in] = dY^T X and db [1][out] = column sums of dY, over all rows. Without dW the input x is absent too: a bias alone. In bf16 both factors
 * of dW are rounded first; the sums are exact all the same.
 */
#include "base/quant.h"
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *dy = skip_rule_in(graph, node, 0), *x = skip_rule_in(graph, node, 1);
	const enum skip_precision precision = node->attrs.linear_dw.precision;
	if (precision != SKIP_PRECISION_F32 && precision != SKIP_PRECISION_BF16)
		return skip_err_set(err, SKIP_ERR_INPUT, "dtype of linear_dw is %s, possible are f32 and bf16", skip_precision_names[precision]);
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

static double factor(enum skip_precision precision, double x)
{
	return precision == SKIP_PRECISION_BF16 ? skip_bf16_value(skip_bf16_round((float)x)) : x;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const enum skip_precision precision = node->attrs.linear_dw.precision;
	int n_out = io->in_cols[0], n_in = io->in_cols[1];
	for (int r = 0; r < io->in_rows[0]; r++) {
		const double *restrict dy = io->in[0] + (size_t)r * (size_t)n_out;
		for (int o = 0; io->out[1] && o < n_out; o++) io->out[1][o] += dy[o];
		for (int o = 0; io->out[0] && o < n_out; o++) {
			const double *restrict x = io->in[1] + (size_t)r * (size_t)n_in;
			double *restrict dw = io->out[0] + (size_t)o * (size_t)n_in;
			const double d = factor(precision, dy[o]);
			for (int i = 0; i < n_in; i++) dw[i] += d * factor(precision, x[i]);
		}
	}
	return SKIP_OK;
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_value *dy = skip_rule_in(graph, node, 0), *x = skip_rule_in(graph, node, 1);
	return x ? skip_rows_per_sequence(dy, n) * dy->cols * x->cols : 0;
}

static const struct skip_attr_desc attrs[] = {
    {"dtype", SKIP_ATTR_LATE_ENUM, offsetof(struct skip_attrs_linear_dw, precision), skip_precision_names},
};

const struct skip_op skip_op_linear_dw = {
    .name = "linear_dw",
    .min_in = 1,
    .max_in = 2,
    .n_out_min = 0,
    .n_out_max = 2,
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .infer = infer,
    .reference = reference,
    .macs = macs,
};
