/*
 * attention: per sequence b and head h, Z = scale Q Kt^T, A = softmax of each row, Ctx = A Vt; Kt = [Pk; K_b], Vt = [Pv; V_b], prefix rows
 * first (docs/method.md 0). q has T rows, or B: then query b is the first or the last row of sequence b (`at`).
 *
 * What depends on places (docs/method.md 1) concerns tokens only; every query sees every prefix row, at no distance. With the query's place i and
 * the key's place j in the sequence:
 *   causal 1: j <= i; window w > 0: |i - j| <= w; what a query does not see has no weight.
 *   tables by distance, column c = i - j + N-1 of 2N-1, N at least the longest sequence:
 *     Z_ij = scale (q_i . k_j + q_i . Rk[.][c] + k_j . Rq[.][c]) + bias[h][c]      Rk, Rq [H*qk][2N-1] like columns of k and q, bias [H][2N-1]
 *   Tables have no gradient.
 * slots [P] is added to the scores of the prefix rows: -infinity switches a slot off, 0 leaves it as it is.
 *
 * q, k, v may be column ranges of one value [T][H*(2*qk+v)]: q_col, k_col, v_col are the first columns, head h starts h*width later.
 *
 * With precision BF16 q, k and v are rounded, and so is exp(z - largest) before it meets the values; the sum it is divided by is not.
 *
 * Prefix dropout (docs/method.md 2.1): element (b, slot, col) of the key prefix is multiplied by 0 or 1/(1-rate) after the rule of
 * dropout.c, with stream 0x50000000 + 2*layer and index (b*P + slot)*(H*qk) + col; the value prefix has stream + 1 and its own width H*v.
 * Arithmetic is modulo 2^32.
 */
#include "graph/attention.h"

#include <string.h>

const struct skip_attr_desc skip_desc_attention[12] = {
    {"heads", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, heads), NULL},
    {"qk", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, qk), NULL},
    {"v", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, v), NULL},
    {"q_col", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, q_col), NULL},
    {"k_col", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, k_col), NULL},
    {"v_col", SKIP_ATTR_INT, offsetof(struct skip_attrs_attention, v_col), NULL},
    {"scale", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_attention, scale), NULL},
    {"prefix_dropout", SKIP_ATTR_FLOAT, offsetof(struct skip_attrs_attention, prefix_dropout), NULL},
    {"dtype", SKIP_ATTR_LATE_ENUM, offsetof(struct skip_attrs_attention, precision), skip_precision_names},
    {"causal", SKIP_ATTR_LATE_INT, offsetof(struct skip_attrs_attention, causal), NULL},
    {"window", SKIP_ATTR_LATE_INT, offsetof(struct skip_attrs_attention, window), NULL},
    {"at", SKIP_ATTR_LATE_ENUM, offsetof(struct skip_attrs_attention, at), skip_at_names},
};

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status = skip_attention_check(graph, node, err);
	if (status != SKIP_OK) return status;
	skip_rule_shape(out, skip_rule_in(graph, node, 0)->rows, 0, node->attrs.attention.heads * node->attrs.attention.v);
	return SKIP_OK;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	struct skip_attention_head head;
	enum skip_status status = skip_attention_alloc(node, io, &head, err);
	if (status != SKIP_OK) return status;
	for (int b = 0; b < io->batch->n_seqs; b++)
		for (int h = 0; h < attrs->heads; h++) {
			skip_attention_gather(node, io, b, h, &head);
			for (int i = 0; i < head.queries.count; i++) {
				int row = head.queries.first + i;
				double *ctx = io->out[0] + (size_t)row * (size_t)io->out_cols[0] + h * attrs->v;
				double sum = skip_attention_weights(node, io, row, &head);
				for (int j = 0; j < head.keys; j++) {
					double weight = skip_attention_round(attrs, head.weight[j]) / sum;
					for (int e = 0; e < attrs->v; e++) ctx[e] += weight * head.value[(size_t)j * (size_t)attrs->v + (size_t)e];
				}
			}
		}
	skip_attention_free(&head);
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_graph *graph = skip_grad_graph(grad);
	const struct skip_node like = graph->nodes[node];
	char names[5][SKIP_TENSOR_NAME];
	const char *outs[5] = {NULL};
	int n_out = 0;
	struct skip_node bwd = {.n_in = 4, .n_param = like.n_param, .attrs = like.attrs};
	for (int i = 0; i < 3; i++) {
		bwd.in[i] = like.in[i];
		strcpy(names[i], graph->values[like.in[i]].name);
		if (skip_grad_needs_value(grad, like.in[i])) outs[i] = names[i], n_out = 3;
	}
	bwd.in[3] = skip_grad_get(grad, like.out[0]);
	for (int i = 0; i < like.n_param; i++) {
		bwd.param[i] = like.param[i];
		if (like.param[i] == SKIP_NONE || !skip_grad_needs_tensor(grad, like.param[i])) continue;
		if (i > SKIP_ATTENTION_PV)
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "'%s' of attention cannot be trained", graph->tensors[like.param[i]]->name);
		strcpy(names[3 + i], graph->tensors[like.param[i]]->name);
		outs[3 + i] = names[3 + i];
		n_out = 5;
	}
	if (!n_out) return SKIP_OK;
	enum skip_status status = skip_grad_add(grad, &like, "attention_bwd", &bwd, outs, n_out, err);
	for (int i = 0; i < n_out && status == SKIP_OK; i++) {
		if (!outs[i]) continue;
		bool seen = false; /* column ranges of one value: one gradient */
		for (int j = 0; j < i; j++) seen = seen || bwd.out[j] == bwd.out[i];
		if (i >= 3) skip_grad_set_tensor(grad, like.param[i - 3], bwd.out[i]);
		else if (!seen)
			status = skip_grad_accumulate(grad, like.in[i], bwd.out[i], err);
	}
	return status;
}

static void ties(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *sink)
{
	int q = node->in[0], k = node->in[1], v = node->in[2], ctx = node->out[0], heads = node->attrs.attention.heads;
	if (q == k || k == v || q == v) { /* column ranges of a fused value: units are found before fusing */
		for (int i = 0; i < 3; i++) skip_ties_fixed(sink, node->in[i]);
		skip_ties_fixed(sink, ctx);
		return;
	}
	skip_ties_same(sink, q, k);
	skip_ties_same(sink, v, ctx);
	if (skip_rule_param(graph, node, 0)) {
		skip_ties_slice(sink, q, node->param[0], 1);
		skip_ties_slice(sink, ctx, node->param[1], 1);
		skip_ties_row(sink, ctx, node->param[0]);
		skip_ties_row(sink, ctx, node->param[1]);
	}
	if (skip_rule_param(graph, node, SKIP_ATTENTION_SLOTS)) skip_ties_row(sink, ctx, node->param[SKIP_ATTENTION_SLOTS]);
	for (int i = SKIP_ATTENTION_RK; i <= SKIP_ATTENTION_RQ; i++)
		if (skip_rule_param(graph, node, i)) skip_ties_slice(sink, q, node->param[i], 0);
	if (skip_rule_param(graph, node, SKIP_ATTENTION_BIAS)) skip_ties_head_slice(sink, q, node->param[SKIP_ATTENTION_BIAS], 0);
	if (skip_rule_param(graph, node, SKIP_ATTENTION_RQ)) skip_ties_also(sink, k);
	skip_ties_kind(sink, q, SKIP_UNIT_QK, heads);
	skip_ties_kind(sink, ctx, SKIP_UNIT_V, heads);
	skip_ties_post(sink, q);
	skip_ties_post(sink, ctx);
}

static enum skip_status resize(struct skip_node *node, const struct skip_resize *to, struct skip_err *err)
{
	struct skip_attrs_attention *attrs = &node->attrs.attention;
	if (attrs->q_col || attrs->k_col || attrs->v_col)
		return skip_err_set(err, SKIP_ERR_INTERNAL, "attention over a fused value cannot lose columns");
	if (to->in_heads[0] < 1 || to->in_heads[0] != to->in_heads[1] || to->in_heads[0] != to->in_heads[2] ||
	    to->in_per_head[0] != to->in_per_head[1])
		return skip_err_set(err, SKIP_ERR_INPUT,
		                    "attention of layer %d keeps %d x %d of q, %d x %d of k, %d x %d of v: heads must agree", node->layer,
		                    to->in_heads[0], to->in_per_head[0], to->in_heads[1], to->in_per_head[1], to->in_heads[2],
		                    to->in_per_head[2]);
	attrs->heads = to->in_heads[0];
	attrs->qk = to->in_per_head[0];
	attrs->v = to->in_per_head[2];
	return SKIP_OK;
}

double skip_attention_keys(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const struct skip_tensor *pk = skip_rule_param(graph, node, 0);
	double rows = skip_rows_per_sequence(skip_rule_in(graph, node, 0), n), w = attrs->window && attrs->window < n ? attrs->window : n - 1, seen;
	/* Keys behind query i: min(i, w); before it as many, when it may look there. */
	double behind = rows == 1 ? (attrs->at == SKIP_AT_LAST ? w : 0) : (w * (n - 1 - w) + w * (w + 1) / 2) / n;
	double ahead = attrs->causal ? 0 : rows == 1 ? (attrs->at == SKIP_AT_LAST ? 0 : w) : behind;
	seen = 1 + behind + ahead;
	return rows * (seen + (pk ? (double)pk->dim[0] : 0));
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const int tables = (skip_rule_param(graph, node, SKIP_ATTENTION_RK) != NULL) + (skip_rule_param(graph, node, SKIP_ATTENTION_RQ) != NULL);
	return skip_attention_keys(graph, node, n) * attrs->heads * ((1 + tables) * attrs->qk + attrs->v);
}

const struct skip_op skip_op_attention = {
    .name = "attention",
    .min_in = 3,
    .max_in = 3,
    .max_param = SKIP_ATTENTION_PARAMS,
    .n_out_min = 1,
    .n_out_max = 1,
    .no_weights = true,
    .attrs = skip_desc_attention,
    .n_attrs = sizeof(skip_desc_attention) / sizeof(skip_desc_attention[0]),
    .trains = 3,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
    .ties = ties,
    .resize = resize,
    .macs = macs,
};
