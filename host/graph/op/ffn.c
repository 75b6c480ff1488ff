/*
 * ffn: y = act(x W1^T + b1) W2^T + b2 + residual; W1 [F][in], W2 [out][F]. What pass/ffn.c makes of two linears, for kernels that keep the hidden
 * row on the chip. Only for running: it has no gradient and no ties.
 */
#include "base/alloc.h"
#include "graph/rules.h"
#include <stddef.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *x = skip_rule_in(graph, node, 0), *residual = skip_rule_in(graph, node, 1);
	SKIP_TRY(skip_rule_matrix(graph, node, 0, -1, x->cols, err));
	const int hidden = (int)skip_rule_param(graph, node, 0)->dim[0];
	SKIP_TRY(skip_rule_matrix(graph, node, 1, -1, hidden, err));
	const int cols = (int)skip_rule_param(graph, node, 1)->dim[0];
	if (skip_rule_param(graph, node, 2)) SKIP_TRY(skip_rule_vector(graph, node, 2, hidden, err));
	if (skip_rule_param(graph, node, 3)) SKIP_TRY(skip_rule_vector(graph, node, 3, cols, err));
	skip_rule_shape(out, x->rows, x->fixed_rows, cols);
	if (residual && !skip_rule_equal(residual, out)) {
		char text[2][16];
		return skip_err_set(err, SKIP_ERR_INPUT, "residual '%s' is [%s][%d], needed is [%s][%d]", residual->name,
				    skip_rule_rows_text(residual, text[0]), residual->cols, skip_rule_rows_text(out, text[1]), cols);
	}
cleanup:
	return status;
}

/* The two linears one after the other: there is one definition of a product. */
static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_op *linear = skip_op_find("linear");
	const int rows = io->in_rows[0], hidden = (int)io->tensor[0]->dim[0];
	double *h = skip_alloc_zeroed((size_t)rows * (size_t)hidden, sizeof(*h));
	struct skip_node part = {.op = linear};
	struct skip_ref_io first = *io, second = *io;
	if (!h) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a hidden layer of %d rows", rows);
	part.attrs.linear.precision = node->attrs.ffn.precision;
	part.attrs.linear.act = node->attrs.ffn.act;
	first.in[1] = NULL;
	first.param[1] = io->param[2];
	first.tensor[1] = io->tensor[2];
	first.out[0] = h;
	first.out_cols[0] = hidden;
	SKIP_TRY(linear->reference(&part, &first, err));
	part.attrs.linear.act = SKIP_ACT_NONE;
	second.in[0] = h;
	second.in_cols[0] = hidden;
	second.param[0] = io->param[1];
	second.param[1] = io->param[3];
	second.tensor[0] = io->tensor[1];
	second.tensor[1] = io->tensor[3];
	status = linear->reference(&part, &second, err);
cleanup:
	skip_free(h);
	return status;
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_tensor *w1 = skip_rule_param(graph, node, 0), *w2 = skip_rule_param(graph, node, 1);
	return skip_rows_per_sequence(skip_rule_in(graph, node, 0), n) * (double)w1->dim[0] * (double)(w1->dim[1] + w2->dim[0]);
}

static const struct skip_attr_desc attrs[] = {
	{"act", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_ffn, act), skip_act_names},
	{"dtype", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_ffn, precision), skip_precision_names},
};

const struct skip_op skip_op_ffn = {
	.name = "ffn",
	.min_in = 1,
	.max_in = 2,
	.min_param = 2,
	.max_param = 4,
	.n_out_min = 1,
	.n_out_max = 1,
	.attrs = attrs,
	.n_attrs = sizeof(attrs) / sizeof(attrs[0]),
	.infer = infer,
	.reference = reference,
	.macs = macs,
};
