/*
 * linear: y = act(x W^T + b) + residual; W [out][in], or [in][out] with transpose = 1 (y = act(x W + b) + residual). With a precision
 * below float32 x and W are rounded first; the sums are exact all the same.
 *
 * The gradient is made before fusing: a linear whose act is fused has lost its pre-activation and is refused.
 */
#include "base/alloc.h"
#include "base/quant.h"
#include "graph/rules.h"

#include <math.h>
#include <string.h>

/* Scales and their inverses are normal floats. */
static enum skip_status check_clip(const struct skip_attrs_linear *attrs, struct skip_err *err)
{
	const bool fits = attrs->precision == SKIP_PRECISION_INT8 && attrs->clip > 0x1p-100f && attrs->clip < 0x1p+100f;
	if (attrs->clip == 0 || fits) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "clip is %g in %s, possible are 0 and in int8 2^-100 to 2^100", (double)attrs->clip,
			    skip_precision_names[attrs->precision]);
}

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *x = skip_rule_in(graph, node, 0), *residual = skip_rule_in(graph, node, 1);
	int transpose = node->attrs.linear.transpose;
	if (transpose != 0 && transpose != 1) return skip_err_set(err, SKIP_ERR_INPUT, "transpose is %d, possible are 0 and 1", transpose);
	enum skip_status status = skip_rule_matrix(graph, node, 0, transpose ? x->cols : -1, transpose ? -1 : x->cols, err);
	if (status != SKIP_OK) return status;
	status = check_clip(&node->attrs.linear, err);
	if (status != SKIP_OK) return status;
	int cols = (int)skip_rule_param(graph, node, 0)->dim[transpose];
	if (skip_rule_param(graph, node, 1)) status = skip_rule_vector(graph, node, 1, cols, err);
	if (status != SKIP_OK) return status;
	skip_rule_shape(out, x->rows, x->fixed_rows, cols);
	if (residual && !skip_rule_equal(residual, out)) {
		char text[2][16];
		return skip_err_set(err, SKIP_ERR_INPUT, "residual '%s' is [%s][%d], needed is [%s][%d]", residual->name,
		                    skip_rule_rows_text(residual, text[0]), residual->cols, skip_rule_rows_text(out, text[1]), cols);
	}
	return SKIP_OK;
}

/* y[0..1][n_out] for two rows of x: eight independent sums keep the adders busy. W [n_out][n_in]. */
static void two_rows(const double *restrict x0, const double *restrict x1, const double *restrict w, int n_in, int n_out,
                     double *restrict y0, double *restrict y1)
{
	int n = 0;
	size_t stride = (size_t)n_in;
	for (; n + 4 <= n_out; n += 4) {
		const double *w0 = w + (size_t)n * stride, *w1 = w0 + stride, *w2 = w1 + stride, *w3 = w2 + stride;
		double a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
		for (int k = 0; k < n_in; k++) {
			double p = x0[k], q = x1[k];
			a0 += p * w0[k], a1 += p * w1[k], a2 += p * w2[k], a3 += p * w3[k];
			b0 += q * w0[k], b1 += q * w1[k], b2 += q * w2[k], b3 += q * w3[k];
		}
		y0[n] = a0, y0[n + 1] = a1, y0[n + 2] = a2, y0[n + 3] = a3;
		y1[n] = b0, y1[n + 1] = b1, y1[n + 2] = b2, y1[n + 3] = b3;
	}
	for (; n < n_out; n++) {
		const double *row = w + (size_t)n * stride;
		double a = 0, b = 0;
		for (int k = 0; k < n_in; k++) a += x0[k] * row[k], b += x1[k] * row[k];
		y0[n] = a;
		y1[n] = b;
	}
}

/* `rows` rows of n numbers as the products see them, each row with its own scale unless there is a clip. */
static void round_rows(enum skip_precision precision, float clip, size_t rows, size_t n, double *x)
{
	for (size_t r = 0; r < rows; r++, x += n) {
		float largest = clip;
		for (size_t i = 0; i < n && clip == 0; i++) largest = fmaxf(largest, fabsf((float)x[i]));
		struct skip_int8_scale scale = skip_int8_scale(largest);
		for (size_t i = 0; i < n; i++) {
			if (precision == SKIP_PRECISION_BF16) x[i] = skip_bf16_value(skip_bf16_round((float)x[i]));
			if (precision == SKIP_PRECISION_INT8) x[i] = (double)scale.scale * skip_int8_round(clip > 0 ? skip_int8_within((float)x[i], clip) : (float)x[i], scale);
		}
	}
}

/* A rounded copy of x [rows][n], or of W [n][rows] turned when `turn`; NULL without memory. */
static double *operand(enum skip_precision precision, float clip, const double *x, size_t rows, size_t n, bool turn)
{
	double *copy = skip_alloc_array(rows * n, sizeof(double));
	for (size_t i = 0; copy && i < rows; i++)
		for (size_t k = 0; k < n; k++) copy[i * n + k] = turn ? x[k * rows + i] : x[i * n + k];
	if (copy && precision != SKIP_PRECISION_F32) round_rows(precision, clip, rows, n, copy);
	return copy;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	int rows = io->in_rows[0], n_in = io->in_cols[0], n_out = io->out_cols[0];
	const struct skip_attrs_linear *attrs = &node->attrs.linear;
	const double *x = io->in[0], *w = io->param[0], *bias = io->param[1], *residual = io->in[1];
	double *own_w = NULL, *own_x = NULL, *spare = skip_alloc_array((size_t)n_out, sizeof(double));
	enum skip_status status = SKIP_OK;
	bool rounds = attrs->precision != SKIP_PRECISION_F32;
	if (attrs->transpose || rounds) w = own_w = operand(attrs->precision, 0, w, (size_t)n_out, (size_t)n_in, attrs->transpose);
	if (rounds) x = own_x = operand(attrs->precision, attrs->clip, x, (size_t)rows, (size_t)n_in, false);
	if (!w || !x || !spare) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a product of %d rows", rows);
		goto cleanup;
	}
	for (int r = 0; r < rows; r += 2) {
		const double *x0 = x + (size_t)r * (size_t)n_in, *x1 = r + 1 < rows ? x0 + n_in : x0;
		double *y0 = io->out[0] + (size_t)r * (size_t)n_out, *y1 = r + 1 < rows ? y0 + n_out : spare;
		two_rows(x0, x1, w, n_in, n_out, y0, y1);
	}
	for (int r = 0; r < rows; r++)
		for (int n = 0; n < n_out; n++) {
			size_t i = (size_t)r * (size_t)n_out + (size_t)n;
			io->out[0][i] = skip_act_value(attrs->act, io->out[0][i] + (bias ? bias[n] : 0)) + (residual ? residual[i] : 0);
		}
cleanup:
	skip_free(own_w);
	skip_free(own_x);
	skip_free(spare);
	return status;
}

/* dW = dY^T X (its transpose when W is [in][out]) and db, for those of them that are trained. */
static enum skip_status weight_gradient(struct skip_grad *grad, const struct skip_node *like, int dy, struct skip_err *err)
{
	const struct skip_graph *graph = skip_grad_graph(grad);
	bool needs_w = skip_grad_needs_tensor(grad, like->param[0]);
	bool needs_b = like->n_param > 1 && like->param[1] != SKIP_NONE && skip_grad_needs_tensor(grad, like->param[1]);
	char w_name[SKIP_TENSOR_NAME], b_name[SKIP_TENSOR_NAME];
	if (!needs_w && !needs_b) return SKIP_OK;
	memcpy(w_name, graph->tensors[like->param[0]]->name, sizeof(w_name));
	if (needs_b) memcpy(b_name, graph->tensors[like->param[1]]->name, sizeof(b_name));
	enum skip_status status = SKIP_OK;
	bool turned = like->attrs.linear.transpose;
	if (needs_w) {
		struct skip_node dw = {.n_in = 2, .attrs = {.linear_dw = {like->attrs.linear.precision}}};
		dw.in[0] = turned ? like->in[0] : dy;
		dw.in[1] = turned ? dy : like->in[0];
		const char *outs[2] = {w_name, needs_b && !turned ? b_name : NULL};
		status = skip_grad_add(grad, like, "linear_dw", &dw, outs, outs[1] ? 2 : 1, err);
		if (status != SKIP_OK) return status;
		skip_grad_set_tensor(grad, like->param[0], dw.out[0]);
		if (outs[1]) skip_grad_set_tensor(grad, like->param[1], dw.out[1]);
	}
	if (needs_b && (turned || !needs_w)) {
		struct skip_node db = {.n_in = 1};
		db.in[0] = dy;
		const char *outs[2] = {NULL, b_name};
		status = skip_grad_add(grad, like, "linear_dw", &db, outs, 2, err);
		if (status == SKIP_OK) skip_grad_set_tensor(grad, like->param[1], db.out[1]);
	}
	return status;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	int dy = skip_grad_get(grad, like.out[0]), x = like.in[0], residual = like.n_in > 1 ? like.in[1] : SKIP_NONE;
	if (like.attrs.linear.precision == SKIP_PRECISION_INT8)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a linear in int8 has no gradient");
	if (like.attrs.linear.act != SKIP_ACT_NONE)
		return skip_err_set(err, SKIP_ERR_INTERNAL, "linear with a fused activation has no gradient: fuse after the backward pass");
	enum skip_status status = weight_gradient(grad, &like, dy, err);
	if (status == SKIP_OK && skip_grad_needs_value(grad, x)) {
		struct skip_node dx = {.n_in = 2, .n_param = 1};
		dx.in[0] = dy;
		dx.in[1] = skip_grad_get(grad, x);
		dx.param[0] = like.param[0];
		dx.attrs.linear.transpose = !like.attrs.linear.transpose;
		dx.attrs.linear.precision = like.attrs.linear.precision;
		char name[SKIP_NAME];
		memcpy(name, skip_grad_graph(grad)->values[x].name, sizeof(name));
		const char *outs[1] = {name};
		status = skip_grad_add(grad, &like, "linear", &dx, outs, 1, err);
		if (status == SKIP_OK) skip_grad_set(grad, x, dx.out[0]);
	}
	if (status == SKIP_OK && residual != SKIP_NONE && skip_grad_needs_value(grad, residual))
		status = skip_grad_accumulate(grad, residual, dy, err);
	return status;
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	int transpose = node->attrs.linear.transpose, x = node->in[0], y = node->out[0];
	skip_ties_slice(sink, y, node->param[0], transpose ? 1 : 0);
	skip_ties_slice(sink, x, node->param[0], transpose ? 0 : 1);
	if (skip_rule_param(graph, node, 1)) skip_ties_slice(sink, y, node->param[1], 0);
	skip_ties_pre(sink, y);
	skip_ties_consumer(sink, x, (int)(node - graph->nodes));
	if (skip_rule_in(graph, node, 1)) {
		skip_ties_fixed(sink, node->in[1]);
		skip_ties_fixed(sink, y);
	}
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_tensor *w = skip_rule_param(graph, node, 0);
	return skip_rows_per_sequence(skip_rule_in(graph, node, 0), n) * (double)w->dim[0] * (double)w->dim[1];
}

static const struct skip_attr_desc attrs[] = {
    {"act", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_linear, act), skip_act_names},
    {"transpose", SKIP_ATTR_INT, offsetof(struct skip_attrs_linear, transpose), NULL},
    {"dtype", SKIP_ATTR_LATE_ENUM, offsetof(struct skip_attrs_linear, precision), skip_precision_names},
    {"clip", SKIP_ATTR_LATE_FLOAT, offsetof(struct skip_attrs_linear, clip), NULL},
};

const struct skip_op skip_op_linear = {
    .name = "linear",
    .min_in = 1,
    .max_in = 2,
    .min_param = 1,
    .max_param = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .trains = 3,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
    .macs = macs,
};
