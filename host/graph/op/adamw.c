/*
 * adamw: one step of AdamW (docs/method.md 2.5) for one tensor w with its moments m and v, all of one shape. in: its gradient g, the square
 * of the global gradient norm [1][1], and the numbers of the step [1][3]: factor of the learning rate, 1/(1 - b1^i), 1/(1 - b2^i).
 *
 *     s = min(1, clip / (norm + 1e-6)), 1 when clip is 0
 *     m' = b1 m + (1 - b1) s g ; v' = b2 v + (1 - b2) (s g)^2
 *     w' = w - factor lr (m' / (1 - b1^i) / (sqrt(v' / (1 - b2^i)) + eps) + decay w)
 *
 * On a device w', m' and v' take the place of w, m and v, in every layout some kernel reads w in.
 */
#include "graph/rules.h"

#include <math.h>

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *g = skip_rule_in(graph, node, 0), *norm = skip_rule_in(graph, node, 1), *step = skip_rule_in(graph, node, 2);
	const struct skip_attrs_adamw *a = &node->attrs.adamw;
	if (g->rows != SKIP_ROWS_FIXED || norm->rows != SKIP_ROWS_FIXED || norm->fixed_rows != 1 || norm->cols != 1 ||
	    step->rows != SKIP_ROWS_FIXED || step->fixed_rows != 1 || step->cols != 3)
		return skip_err_set(err, SKIP_ERR_INPUT, "'%s', '%s', '%s' are not a gradient, [1][1] and [1][3]", g->name, norm->name, step->name);
	if (!(a->lr >= 0) || !(a->decay >= 0) || !(a->clip >= 0) || !(a->beta1 >= 0 && a->beta1 < 1) || !(a->beta2 >= 0 && a->beta2 < 1) ||
	    !(a->eps > 0))
		return skip_err_set(err, SKIP_ERR_INPUT, "lr %g, decay %g, clip %g, betas %g and %g, eps %g are no settings of AdamW",
		                    (double)a->lr, (double)a->decay, (double)a->clip, (double)a->beta1, (double)a->beta2, (double)a->eps);
	for (int i = 0; i < 3; i++) {
		const struct skip_tensor *tensor = skip_rule_param(graph, node, i);
		if (skip_tensor_count(tensor) != (int64_t)g->fixed_rows * g->cols)
			return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' has %lld elements, its gradient [%d][%d]", tensor->name,
			                    (long long)skip_tensor_count(tensor), g->fixed_rows, g->cols);
		skip_rule_like(&out[i], g);
	}
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	const struct skip_attrs_adamw *a = &node->attrs.adamw;
	const double *g = io->in[0], *step = io->in[2], *w = io->param[0], *m = io->param[1], *v = io->param[2];
	const double b1 = (double)a->beta1, b2 = (double)a->beta2, rate = (double)a->lr * step[0];
	size_t count = (size_t)io->in_rows[0] * (size_t)io->in_cols[0];
	double scale = a->clip > 0 ? fmin(1, (double)a->clip / (sqrt(io->in[1][0]) + SKIP_CLIP_EPS)) : 1;
	for (size_t i = 0; i < count; i++) {
		double grad = scale * g[i];
		double m_new = io->out[1][i] = b1 * m[i] + (1 - b1) * grad;
		double v_new = io->out[2][i] = b2 * v[i] + (1 - b2) * grad * grad;
		io->out[0][i] = w[i] - rate * (m_new * step[1] / (sqrt(v_new * step[2]) + (double)a->eps) + (double)a->decay * w[i]);
	}
	return SKIP_OK;
}

static const struct skip_attr_desc attrs[] = {
    {"lr", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, lr), NULL},
    {"decay", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, decay), NULL},
    {"clip", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, clip), NULL},
    {"beta1", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, beta1), NULL},
    {"beta2", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, beta2), NULL},
    {"eps", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_adamw, eps), NULL},
};

const struct skip_op skip_op_adamw = {
    .name = "adamw",
    .min_in = 3,
    .max_in = 3,
    .min_param = 3,
    .max_param = 3,
    .n_out_min = 3,
    .n_out_max = 3,
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .infer = infer,
    .reference = reference,
};
