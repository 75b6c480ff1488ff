/*
 * rotary: turns pairs of columns of x by an angle that grows with the place of the row (Su et al., arXiv 2104.09864, in the form that pairs
 * halves): with w columns per head, m = w / 2, e < m and angle = place * frequency[column],
 *
 *     y_e = x_e cos - x_{e+m} sin      y_{e+m} = x_{e+m} cos + x_e sin
 *
 * Both columns of a pair have the same frequency in the table, so that a pair leaves with its own and nothing is numbered anew. The angle is
 * a float32 product, as in the models that are built this way; cosine and sine are exact here. The gradient turns back (inverse = 1).
 */
#include "graph/rules.h"

#include <math.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_attrs_rotary *attrs = &node->attrs.rotary;
	const struct skip_value *x = skip_rule_in(graph, node, 0);
	enum skip_status status = skip_rule_vector(graph, node, 0, x->cols, err);
	if (status != SKIP_OK) return status;
	if (attrs->heads < 1 || x->cols % attrs->heads || x->cols / attrs->heads % 2)
		return skip_err_set(err, SKIP_ERR_INPUT, "%d columns of '%s' are not pairs in %d heads", x->cols, x->name, attrs->heads);
	if (attrs->inverse != 0 && attrs->inverse != 1)
		return skip_err_set(err, SKIP_ERR_INPUT, "inverse is %d, possible are 0 and 1", attrs->inverse);
	if (x->rows == SKIP_ROWS_FIXED) return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' has no rows per sequence", x->name);
	skip_rule_like(out, x);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const struct skip_attrs_rotary *attrs = &node->attrs.rotary;
	const enum skip_rows rows = skip_span_rows(io->batch, io->in_rows[0]);
	const int cols = io->in_cols[0], width = cols / attrs->heads, half = width / 2;
	for (int b = 0; b < io->batch->n_seqs; b++) {
		struct skip_span span = skip_span_of(io->batch, rows, b);
		for (int row = span.first; row < span.first + span.count; row++) {
			const float place = (float)skip_place_of(io->batch, rows, attrs->at, b, row);
			const double *x = io->in[0] + (size_t)row * (size_t)cols;
			double *y = io->out[0] + (size_t)row * (size_t)cols;
			for (int c = 0; c < cols; c++) {
				bool low = c % width < half;
				int pair = low ? c + half : c - half;
				double angle = (double)(place * (float)io->param[0][c]);
				y[c] = x[c] * cos(angle) + (low != (attrs->inverse == 1) ? -1 : 1) * x[pair] * sin(angle);
			}
		}
	}
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	if (!skip_grad_needs_value(grad, like.in[0])) return SKIP_OK;
	struct skip_node bwd = {.n_in = 1, .n_param = 1, .param = {like.param[0]}, .attrs = like.attrs};
	bwd.in[0] = skip_grad_get(grad, like.out[0]);
	bwd.attrs.rotary.inverse = !like.attrs.rotary.inverse;
	return skip_grad_add_one(grad, &like, "rotary", &bwd, err);
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	(void)graph;
	skip_ties_same(sink, node->in[0], node->out[0]);
	skip_ties_slice(sink, node->out[0], node->param[0], 0);
	skip_ties_pairs(sink, node->out[0]);
}

static enum skip_status resize(struct skip_node *node, const struct skip_resize *to, struct skip_err *err)
{
	(void)err;
	node->attrs.rotary.heads = to->in_heads[0];
	return SKIP_OK;
}

static const struct skip_attr_desc attrs[] = {
    {"heads", SKIP_ATTR_INT, offsetof(struct skip_attrs_rotary, heads), NULL},
    {"inverse", SKIP_ATTR_INT, offsetof(struct skip_attrs_rotary, inverse), NULL},
    {"at", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_rotary, at), skip_at_names},
};

const struct skip_op skip_op_rotary = {
    .name = "rotary",
    .min_in = 1,
    .max_in = 1,
    .min_param = 1,
    .max_param = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .no_weights = true,
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
    .resize = resize,
};
