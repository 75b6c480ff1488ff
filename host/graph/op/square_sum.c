/* square_sum: y [1][1] = sum of the squares of all elements of x, plus what another square_sum has come to. A chain of them over all
 * gradients is the square of their global norm. */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *before = skip_rule_in(graph, node, 1);
	if (skip_rule_in(graph, node, 0)->rows != SKIP_ROWS_FIXED)
		return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' has rows of the batch; the gradient of a tensor is wanted",
		                    skip_rule_in(graph, node, 0)->name);
	skip_rule_shape(out, SKIP_ROWS_FIXED, 1, 1);
	if (before && !skip_rule_equal(before, out))
		return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' is no single number", before->name);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)node;
	(void)err;
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	double sum = 0;
	for (size_t i = 0; i < count; i++) sum += io->in[0][i] * io->in[0][i];
	io->out[0][0] = sum + (io->in[1] ? io->in[1][0] : 0);
	return SKIP_OK;
}

const struct skip_op skip_op_square_sum = {
    .name = "square_sum",
    .min_in = 1,
    .max_in = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .infer = infer,
    .reference = reference,
};
