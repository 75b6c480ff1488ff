/*
 * attention_bwd (docs/method.md 2.8), A recomputed from q, k, v: dVt = A^T dCtx; dA = dCtx Vt^T; delta_i = sum_j A_ij dA_ij;
 * dZ = A * (dA - delta); dQ = scale dZ Kt; dKt = scale dZ^T Q, each with what a table adds to Kt and Q at that distance. Rows P.. of dKt, dVt are dK_b, dV_b; rows 0..P-1, times the dropout factors,
 * are summed over b in index order to dPk, dPv.
 *
 * With precision BF16 what is multiplied by rows is rounded: q, k, v, dCtx, and A and dZ where they meet rows. delta and the A of dZ are not.
 *
 * dslots [B][H*P] is the gradient of what is added to the score of a slot in one head: the sum of dZ over the queries of the sequence. It is the gradient of
 * the slot's mask too, m exp(Z) = exp(Z + log m), and is given by sequence, unlike dPk and dPv.
 *
 * Each of the six outputs may be absent. Outputs for column ranges of one input value are column ranges of one output value.
 */
#include "base/alloc.h"
#include "graph/attention.h"

#include <string.h>

#define DSLOTS 5 /* the output */

/* dq, dk, dv share an output value exactly when their inputs share one, and then cover it without gap or overlap. */
static enum skip_status check_outputs(const struct skip_graph *graph, const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	bool any = false;
	for (int i = 0; i < node->n_out; i++) any = any || node->out[i] != SKIP_NONE;
	if (!any || (node->n_out != 3 && node->n_out != 5 && node->n_out != 6))
		return skip_err_set(err, SKIP_ERR_INPUT, "outputs are dq, dk, dv and perhaps dPk, dPv and dslots, at least one of them present");
	for (int i = 0; i < 3; i++) {
		if (node->out[i] == SKIP_NONE) continue;
		const struct skip_value *value = skip_rule_in(graph, node, i);
		int covered = 0;
		for (int j = 0; j < 3; j++) {
			int first = skip_attention_col(attrs, i), other = skip_attention_col(attrs, j);
			int end = first + attrs->heads * skip_attention_width(attrs, i),
			    other_end = other + attrs->heads * skip_attention_width(attrs, j);
			if ((node->in[i] == node->in[j]) != (node->out[i] == node->out[j]))
				return skip_err_set(err, SKIP_ERR_INPUT,
				                    "gradients of column ranges of one value must be ranges of one value");
			if (node->in[i] != node->in[j]) continue;
			if (j != i && first < other_end && other < end)
				return skip_err_set(err, SKIP_ERR_INPUT, "column ranges of '%s' overlap", value->name);
			covered += other_end - other;
		}
		if (covered != value->cols)
			return skip_err_set(err, SKIP_ERR_INPUT, "column ranges cover %d of the %d columns of '%s'", covered, value->cols,
			                    value->name);
	}
	for (int i = 3; i < node->n_out; i++)
		if (node->out[i] != SKIP_NONE && !skip_rule_param(graph, node, SKIP_ATTENTION_PK))
			return skip_err_set(err, SKIP_ERR_INPUT, "a prefix gradient is wanted, but there is no prefix");
	return SKIP_OK;
}

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	enum skip_status status = skip_attention_check(graph, node, err);
	if (status == SKIP_OK) status = check_outputs(graph, node, err);
	if (status != SKIP_OK) return status;
	const struct skip_value *q = skip_rule_in(graph, node, 0), *dctx = skip_rule_in(graph, node, 3);
	if (dctx->rows != q->rows || dctx->cols != attrs->heads * attrs->v) {
		char text[2][16];
		return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' is [%s][%d], needed is [%s][%d]", dctx->name,
		                    skip_rule_rows_text(dctx, text[0]), dctx->cols, skip_rule_rows_text(q, text[1]),
		                    attrs->heads * attrs->v);
	}
	for (int i = 0; i < 3; i++) skip_rule_like(&out[i], skip_rule_in(graph, node, i));
	for (int i = 3; i < node->n_out; i++) {
		const struct skip_tensor *prefix = skip_rule_param(graph, node, i == DSLOTS ? SKIP_ATTENTION_PK : i - 3);
		if (prefix && i == DSLOTS) skip_rule_shape(&out[i], SKIP_ROWS_B, 0, attrs->heads * (int)prefix->dim[0]);
		else if (prefix)
			skip_rule_shape(&out[i], SKIP_ROWS_FIXED, (int)prefix->dim[0], (int)prefix->dim[1]);
	}
	return SKIP_OK;
}

/* dKt [P+n][qk], dVt [P+n][v], dA [P+n] of one (sequence, head). */
struct sums {
	double *dkey, *dvalue, *dweight, *block;
};

/* Adds one query row to the sums and writes its dq. */
static void add_query(const struct skip_node *node, const struct skip_ref_io *io, int row, struct skip_attention_head *head,
                      struct sums *sums)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	int qk = attrs->qk, v = attrs->v, q_first = attrs->q_col + head->head * qk, place = skip_attention_place(node, io, head, row);
	const double *q = io->in[0] + (size_t)row * (size_t)io->in_cols[0] + q_first;
	const double *dctx = io->in[3] + (size_t)row * (size_t)io->in_cols[3] + head->head * v;
	double *dq = io->out[0] ? io->out[0] + (size_t)row * (size_t)io->out_cols[0] + q_first : NULL;
	double *dslots = io->out[DSLOTS] ? io->out[DSLOTS] + (size_t)head->sequence * (size_t)io->out_cols[DSLOTS] + head->head * head->prefix : NULL;
	double delta = 0, sum = skip_attention_weights(node, io, row, head);
	for (int j = 0; j < head->keys; j++) {
		const double *value = head->value + (size_t)j * (size_t)v;
		double *dvalue = sums->dvalue + (size_t)j * (size_t)v;
		head->weight[j] /= sum;
		sums->dweight[j] = 0;
		for (int e = 0; e < v; e++) {
			double g = skip_attention_round(attrs, dctx[e]);
			dvalue[e] += skip_attention_round(attrs, head->weight[j]) * g;
			sums->dweight[j] += g * value[e];
		}
		delta += head->weight[j] * sums->dweight[j];
	}
	for (int j = 0; j < head->keys; j++) {
		const double *key = head->key + (size_t)j * (size_t)qk;
		double *dkey = sums->dkey + (size_t)j * (size_t)qk;
		double dz = head->weight[j] * (sums->dweight[j] - delta);
		if (dslots && j < head->prefix) dslots[j] += dz;
		dz = skip_attention_round(attrs, dz) * (double)attrs->scale;
		for (int e = 0; e < qk; e++) {
			dkey[e] += dz * (skip_attention_round(attrs, q[e]) + skip_attention_beside(node, io, head, SKIP_ATTENTION_RQ, place, j, e));
			if (dq) dq[e] += dz * (key[e] + skip_attention_beside(node, io, head, SKIP_ATTENTION_RK, place, j, e));
		}
	}
}

/* Spreads the finished sums over dk, dv and dPk, dPv. */
static void write_sums(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head,
                       const struct sums *sums)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	for (int which = 0; which < 2; which++) {
		int width = skip_attention_width(attrs, which + 1), first = skip_attention_col(attrs, which + 1) + head->head * width;
		const double *from = which ? sums->dvalue : sums->dkey;
		double *dprefix = io->out[3 + which], *dx = io->out[1 + which];
		for (int slot = 0; slot < head->prefix; slot++, from += width)
			for (int e = 0; dprefix && e < width; e++)
				dprefix[(size_t)slot * (size_t)io->out_cols[3 + which] + (size_t)(head->head * width + e)] +=
				    from[e] * skip_attention_factor(node, io, head, which, slot, e);
		for (int t = 0; dx && t < head->keys - head->prefix; t++, from += width)
			memcpy(dx + (size_t)(head->first_token + t) * (size_t)io->out_cols[1 + which] + first, from,
			       (size_t)width * sizeof(double));
	}
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	struct skip_attention_head head;
	struct sums sums = {NULL, NULL, NULL, NULL};
	enum skip_status status = skip_attention_alloc(node, io, &head, err);
	if (status != SKIP_OK) return status;
	size_t keys = (size_t)head.prefix + (size_t)io->batch->n_tokens, qk = (size_t)attrs->qk, v = (size_t)attrs->v;
	sums.block = skip_alloc_array(keys, (qk + v + 1) * sizeof(double));
	if (!sums.block) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for gradients of %zu keys", keys);
		goto cleanup;
	}
	sums.dkey = sums.block;
	sums.dvalue = sums.dkey + keys * qk;
	sums.dweight = sums.dvalue + keys * v;
	for (int b = 0; b < io->batch->n_seqs; b++)
		for (int h = 0; h < attrs->heads; h++) {
			skip_attention_gather(node, io, b, h, &head);
			memset(sums.dkey, 0, (size_t)head.keys * qk * sizeof(double));
			memset(sums.dvalue, 0, (size_t)head.keys * v * sizeof(double));
			for (int i = 0; i < head.queries.count; i++) add_query(node, io, head.queries.first + i, &head, &sums);
			write_sums(node, io, &head, &sums);
		}
cleanup:
	skip_free(sums.block);
	skip_attention_free(&head);
	return status;
}

static double macs(const struct skip_graph *graph, const struct skip_node *node, double n)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const int tables = (skip_rule_param(graph, node, SKIP_ATTENTION_RK) != NULL) + (skip_rule_param(graph, node, SKIP_ATTENTION_RQ) != NULL);
	return skip_attention_keys(graph, node, n) * attrs->heads * ((3 + 2 * tables) * attrs->qk + 2 * attrs->v);
}

const struct skip_op skip_op_attention_bwd = {
    .name = "attention_bwd",
    .min_in = 4,
    .max_in = 4,
    .max_param = SKIP_ATTENTION_PARAMS,
    .no_weights = true,
    .n_out_max = 6,
    .attrs = skip_desc_attention,
    .n_attrs = sizeof(skip_desc_attention) / sizeof(skip_desc_attention[0]),
    .infer = infer,
    .reference = reference,
    .macs = macs,
};
