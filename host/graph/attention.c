/* Shared by op/attention.c, which defines the op and its prefix dropout, and op/attention_bwd.c. Plain loops: the float64 definition. */
#include "graph/attention.h"

#include "base/alloc.h"
#include "base/quant.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_STREAM 0x50000000u
#define MAX_DROPOUT_LAYER 0x10000000

int skip_attention_col(const struct skip_attrs_attention *attrs, int i)
{
	return i == 0 ? attrs->q_col : i == 1 ? attrs->k_col : attrs->v_col;
}

int skip_attention_width(const struct skip_attrs_attention *attrs, int i)
{
	return i == 2 ? attrs->v : attrs->qk;
}

static enum skip_status check_attrs(const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	if (attrs->heads < 1 || attrs->qk < 1 || attrs->v < 1 || (int64_t)attrs->heads * attrs->qk > INT_MAX ||
	    (int64_t)attrs->heads * attrs->v > INT_MAX)
		return skip_err_set(err, SKIP_ERR_INPUT, "heads %d, qk %d, v %d: each is at least 1, heads times width fits an int",
		                    attrs->heads, attrs->qk, attrs->v);
	if (attrs->prefix_dropout > 0 && (node->layer < 0 || node->layer >= MAX_DROPOUT_LAYER))
		return skip_err_set(err, SKIP_ERR_INPUT, "prefix_dropout needs a layer, layer is %d", node->layer);
	if (attrs->precision != SKIP_PRECISION_F32 && attrs->precision != SKIP_PRECISION_BF16)
		return skip_err_set(err, SKIP_ERR_INPUT, "dtype of attention is %s, possible are f32 and bf16", skip_precision_names[attrs->precision]);
	if (attrs->causal < 0 || attrs->causal > 1 || attrs->window < 0)
		return skip_err_set(err, SKIP_ERR_INPUT, "causal %d, window %d: possible are 0 or 1, and 0 or more", attrs->causal,
		                    attrs->window);
	return skip_rule_rate("prefix_dropout", attrs->prefix_dropout, err);
}

bool skip_attention_is_plain(const struct skip_node *node)
{
	for (int i = SKIP_ATTENTION_BIAS; i < node->n_param; i++)
		if (node->param[i] != SKIP_NONE) return false;
	return !node->attrs.attention.causal && !node->attrs.attention.window;
}

/* Tables by distance: columns 2N-1, the same N for all of them, numbered by query - key + N-1. */
static enum skip_status check_tables(const struct skip_graph *graph, const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	enum skip_status status = SKIP_OK;
	int64_t columns = -1;
	for (int i = SKIP_ATTENTION_BIAS; i <= SKIP_ATTENTION_RQ && status == SKIP_OK; i++) {
		const struct skip_tensor *table = skip_rule_param(graph, node, i);
		if (!table) continue;
		status = skip_rule_matrix(graph, node, i, (int64_t)attrs->heads * (i == SKIP_ATTENTION_BIAS ? 1 : attrs->qk), columns, err);
		if (status != SKIP_OK) break;
		columns = table->dim[1];
		if (columns % 2 == 0)
			status = skip_err_set(err, SKIP_ERR_INPUT, "table '%s' has %lld columns, needed are 2N-1", table->name, (long long)columns);
	}
	if (status == SKIP_OK && attrs->precision != SKIP_PRECISION_F32 && !skip_attention_is_plain(node))
		status = skip_err_set(err, SKIP_ERR_INPUT, "attention that depends on places or switches slots off is computed in f32 only");
	return status;
}

enum skip_status skip_attention_check(const struct skip_graph *graph, const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	static const char *const names[] = {"q", "k", "v"};
	enum skip_status status = check_attrs(node, err);
	for (int i = 0; i < 3 && status == SKIP_OK; i++) {
		const struct skip_value *value = skip_rule_in(graph, node, i);
		int first = skip_attention_col(attrs, i);
		int64_t end = (int64_t)first + (int64_t)attrs->heads * skip_attention_width(attrs, i);
		if (first < 0 || end > value->cols)
			return skip_err_set(err, SKIP_ERR_INPUT, "%s takes columns %d to %lld of '%s', which has %d", names[i], first,
			                    (long long)end, value->name, value->cols);
		if (i > 0 || value->rows != SKIP_ROWS_B) status = skip_rule_rows(graph, node, i, SKIP_ROWS_T, err);
	}
	if (status != SKIP_OK) return status;
	const struct skip_tensor *pk = skip_rule_param(graph, node, 0), *pv = skip_rule_param(graph, node, 1);
	if (!pk != !pv) return skip_err_set(err, SKIP_ERR_INPUT, "key and value prefix must be there or absent together");
	if (!pk && skip_rule_param(graph, node, SKIP_ATTENTION_SLOTS))
		return skip_err_set(err, SKIP_ERR_INPUT, "something is added to the scores of a prefix, but there is none");
	status = check_tables(graph, node, err);
	if (!pk || status != SKIP_OK) return status;
	status = skip_rule_matrix(graph, node, 0, -1, (int64_t)attrs->heads * attrs->qk, err);
	if (status == SKIP_OK) status = skip_rule_matrix(graph, node, 1, pk->dim[0], (int64_t)attrs->heads * attrs->v, err);
	if (status == SKIP_OK && skip_rule_param(graph, node, SKIP_ATTENTION_SLOTS))
		status = skip_rule_vector(graph, node, SKIP_ATTENTION_SLOTS, pk->dim[0], err);
	return status;
}

int skip_attention_prefix(const struct skip_ref_io *io)
{
	return io->tensor[0] ? (int)io->tensor[0]->dim[0] : 0;
}

enum skip_status skip_attention_alloc(const struct skip_node *node, const struct skip_ref_io *io, struct skip_attention_head *head,
                                      struct skip_err *err)
{
	int longest = 0;
	for (int b = 0; b < io->batch->n_seqs; b++) {
		int tokens = io->batch->offset[b + 1] - io->batch->offset[b];
		if (tokens > longest) longest = tokens;
	}
	for (int i = SKIP_ATTENTION_BIAS; i <= SKIP_ATTENTION_RQ; i++)
		if (io->tensor[i] && longest > (io->tensor[i]->dim[1] + 1) / 2)
			return skip_err_set(err, SKIP_ERR_INPUT, "a sequence has %d tokens, table '%s' is for %lld", longest, io->tensor[i]->name,
			                    (long long)(io->tensor[i]->dim[1] + 1) / 2);
	memset(head, 0, sizeof(*head));
	head->prefix = skip_attention_prefix(io);
	size_t keys = (size_t)head->prefix + (size_t)longest, qk = (size_t)node->attrs.attention.qk, v = (size_t)node->attrs.attention.v;
	head->block = skip_alloc_array(keys, (qk + v + 1) * sizeof(double));
	if (!head->block) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for attention over %zu keys", keys);
	head->key = head->block;
	head->value = head->key + keys * qk;
	head->weight = head->value + keys * v;
	return SKIP_OK;
}

void skip_attention_free(struct skip_attention_head *head)
{
	skip_free(head->block);
	head->block = NULL;
}

double skip_attention_factor(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head, int which,
                             int slot, int e)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	if (!(attrs->prefix_dropout > 0)) return 1;
	uint32_t width = (uint32_t)skip_attention_width(attrs, which + 1);
	uint32_t stream = PREFIX_STREAM + 2u * (uint32_t)node->layer + (uint32_t)which;
	uint32_t row = (uint32_t)head->sequence * (uint32_t)head->prefix + (uint32_t)slot;
	uint32_t col = (uint32_t)head->head * width + (uint32_t)e;
	return skip_dropout_factor(attrs->prefix_dropout, io->dropout_key, stream, row * ((uint32_t)attrs->heads * width) + col);
}

double skip_attention_round(const struct skip_attrs_attention *attrs, double x)
{
	return attrs->precision == SKIP_PRECISION_BF16 ? skip_bf16_value(skip_bf16_round((float)x)) : x;
}

void skip_attention_gather(const struct skip_node *node, const struct skip_ref_io *io, int sequence, int h,
                           struct skip_attention_head *head)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	struct skip_span tokens = skip_span_of(io->batch, SKIP_ROWS_T, sequence);
	head->sequence = sequence;
	head->head = h;
	head->rows = skip_span_rows(io->batch, io->in_rows[0]);
	head->queries = skip_span_of(io->batch, head->rows, sequence);
	head->first_token = tokens.first;
	head->keys = head->prefix + tokens.count;
	for (int which = 0; which < 2; which++) {
		int width = skip_attention_width(attrs, which + 1), first = skip_attention_col(attrs, which + 1) + h * width;
		size_t prefix_cols = (size_t)attrs->heads * (size_t)width;
		double *to = which ? head->value : head->key;
		for (int slot = 0; slot < head->prefix; slot++)
			for (int e = 0; e < width; e++)
				*to++ = io->param[which][(size_t)slot * prefix_cols + (size_t)(h * width + e)] *
				        skip_attention_factor(node, io, head, which, slot, e);
		for (int t = 0; t < tokens.count; t++, to += width)
			memcpy(to, io->in[which + 1] + (size_t)(tokens.first + t) * (size_t)io->in_cols[which + 1] + first,
			       (size_t)width * sizeof(double));
		for (double *x = which ? head->value : head->key; x < to; x++) *x = skip_attention_round(attrs, *x);
	}
}

int skip_attention_place(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head, int row)
{
	return skip_place_of(io->batch, head->rows, node->attrs.attention.at, head->sequence, row);
}

bool skip_attention_sees(const struct skip_node *node, const struct skip_attention_head *head, int place, int j)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	int away = place - (j - head->prefix);
	if (j < head->prefix) return true;
	return (!attrs->causal || away >= 0) && (!attrs->window || abs(away) <= attrs->window);
}

/* Number of a table in row `row` at the distance of key j. */
static double table_at(const struct skip_ref_io *io, const struct skip_attention_head *head, enum skip_attention_param table, int row, int place,
                       int j)
{
	if (!io->param[table] || j < head->prefix) return 0;
	int columns = (int)io->tensor[table]->dim[1];
	return io->param[table][(size_t)row * (size_t)columns + (size_t)(place - (j - head->prefix) + columns / 2)];
}

double skip_attention_beside(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head,
                             enum skip_attention_param table, int place, int j, int e)
{
	return table_at(io, head, table, head->head * node->attrs.attention.qk + e, place, j);
}

double skip_attention_weights(const struct skip_node *node, const struct skip_ref_io *io, int row, struct skip_attention_head *head)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const double *q = io->in[0] + (size_t)row * (size_t)io->in_cols[0] + attrs->q_col + head->head * attrs->qk;
	const int place = skip_attention_place(node, io, head, row);
	double largest = -INFINITY, sum = 0;
	for (int j = 0; j < head->keys; j++) {
		const double *k = head->key + (size_t)j * (size_t)attrs->qk;
		double z = 0;
		head->weight[j] = -INFINITY;
		if (!skip_attention_sees(node, head, place, j)) continue;
		for (int e = 0; e < attrs->qk; e++)
			z += skip_attention_round(attrs, q[e]) * (k[e] + skip_attention_beside(node, io, head, SKIP_ATTENTION_RK, place, j, e)) +
			     k[e] * skip_attention_beside(node, io, head, SKIP_ATTENTION_RQ, place, j, e);
		head->weight[j] = z * (double)attrs->scale + table_at(io, head, SKIP_ATTENTION_BIAS, head->head, place, j);
		if (j < head->prefix && io->param[SKIP_ATTENTION_SLOTS]) head->weight[j] += io->param[SKIP_ATTENTION_SLOTS][j];
		if (head->weight[j] > largest) largest = head->weight[j];
	}
	for (int j = 0; j < head->keys; j++) {
		head->weight[j] = exp(head->weight[j] - largest);
		sum += head->weight[j];
	}
	return sum;
}
