/* Checks and float64 functions shared by the files of graph/op/. Neighbour: attention.c holds what only the attention ops share. */
#include "graph/rules.h"

#include "base/rng.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const skip_act_names[] = {"none", "gelu", "gelu_tanh", "relu", "tanh", NULL};
const char *const skip_precision_names[] = {"f32", "bf16", "int8", NULL};
const char *const skip_at_names[] = {"first", "last", NULL};

enum skip_precision skip_node_precision(const struct skip_node *node)
{
	for (size_t i = 0; i < node->op->n_attrs; i++) {
		const struct skip_attr_desc *attr = &node->op->attrs[i];
		enum skip_precision precision;
		if (attr->names != skip_precision_names) continue;
		memcpy(&precision, (const char *)&node->attrs + attr->offset, sizeof(precision));
		return precision;
	}
	return SKIP_PRECISION_F32;
}

const struct skip_value *skip_rule_in(const struct skip_graph *graph, const struct skip_node *node, int i)
{
	return i < node->n_in && node->in[i] != SKIP_NONE ? &graph->values[node->in[i]] : NULL;
}

const struct skip_tensor *skip_rule_param(const struct skip_graph *graph, const struct skip_node *node, int i)
{
	return i < node->n_param && node->param[i] != SKIP_NONE ? graph->tensors[node->param[i]] : NULL;
}

bool skip_rule_equal(const struct skip_value *a, const struct skip_value *b)
{
	return a->rows == b->rows && a->cols == b->cols && (a->rows != SKIP_ROWS_FIXED || a->fixed_rows == b->fixed_rows);
}

void skip_rule_shape(struct skip_value *out, enum skip_rows rows, int fixed_rows, int cols)
{
	out->rows = rows;
	out->fixed_rows = rows == SKIP_ROWS_FIXED ? fixed_rows : 0;
	out->cols = cols;
}

void skip_rule_like(struct skip_value *out, const struct skip_value *from)
{
	skip_rule_shape(out, from->rows, from->fixed_rows, from->cols);
}

const char *skip_rule_rows_text(const struct skip_value *value, char text[16])
{
	if (value->rows == SKIP_ROWS_FIXED) snprintf(text, 16, "%d", value->fixed_rows);
	else
		strcpy(text, value->rows == SKIP_ROWS_T ? "T" : "B");
	return text;
}

enum skip_status skip_rule_same(const struct skip_graph *graph, const struct skip_node *node, int i, int j, struct skip_err *err)
{
	const struct skip_value *a = skip_rule_in(graph, node, i), *b = skip_rule_in(graph, node, j);
	char text_a[16], text_b[16];
	if (skip_rule_equal(a, b)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "inputs '%s' [%s][%d] and '%s' [%s][%d] must have one shape", a->name,
	                    skip_rule_rows_text(a, text_a), a->cols, b->name, skip_rule_rows_text(b, text_b), b->cols);
}

enum skip_status skip_rule_rows(const struct skip_graph *graph, const struct skip_node *node, int i, enum skip_rows rows,
                                struct skip_err *err)
{
	const struct skip_value *value = skip_rule_in(graph, node, i);
	char text[16];
	if (value->rows == rows) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' has %s rows, needed are %s", value->name, skip_rule_rows_text(value, text),
	                    rows == SKIP_ROWS_T ? "T" : "B");
}

enum skip_status skip_rule_vector(const struct skip_graph *graph, const struct skip_node *node, int i, int64_t dim, struct skip_err *err)
{
	const struct skip_tensor *tensor = skip_rule_param(graph, node, i);
	if (tensor->rank != 1)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' has rank %d, needed is a vector [%lld]", tensor->name, tensor->rank,
		                    (long long)dim);
	if (tensor->dim[0] != dim)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' is [%lld], needed is [%lld]", tensor->name, (long long)tensor->dim[0],
		                    (long long)dim);
	return SKIP_OK;
}

enum skip_status skip_rule_matrix(const struct skip_graph *graph, const struct skip_node *node, int i, int64_t rows, int64_t cols,
                                  struct skip_err *err)
{
	const struct skip_tensor *tensor = skip_rule_param(graph, node, i);
	const int64_t wanted[2] = {rows, cols};
	char need[2][24];
	for (int d = 0; d < 2; d++) {
		if (wanted[d] < 0) strcpy(need[d], "any");
		else
			snprintf(need[d], sizeof(need[d]), "%lld", (long long)wanted[d]);
	}
	if (tensor->rank != 2)
		return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' has rank %d, needed is a matrix [%s][%s]", tensor->name, tensor->rank,
		                    need[0], need[1]);
	for (int d = 0; d < 2; d++)
		if (tensor->dim[d] < 1 || tensor->dim[d] > INT_MAX || (wanted[d] >= 0 && tensor->dim[d] != wanted[d]))
			return skip_err_set(err, SKIP_ERR_INPUT, "tensor '%s' is [%lld][%lld], needed is [%s][%s]", tensor->name,
			                    (long long)tensor->dim[0], (long long)tensor->dim[1], need[0], need[1]);
	return SKIP_OK;
}

enum skip_status skip_rule_rate(const char *name, float rate, struct skip_err *err)
{
	if (rate >= 0 && rate < 1) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "%s is %g, possible is 0 up to but not including 1", name, (double)rate);
}

struct skip_span skip_span_of(const struct skip_batch *batch, enum skip_rows rows, int b)
{
	if (rows == SKIP_ROWS_B) return (struct skip_span){b, 1};
	return (struct skip_span){batch->offset[b], batch->offset[b + 1] - batch->offset[b]};
}

int skip_place_of(const struct skip_batch *batch, enum skip_rows rows, enum skip_at at, int b, int row)
{
	int first = batch->offset[b], last = batch->offset[b + 1] - 1;
	return rows == SKIP_ROWS_T ? row - first : at == SKIP_AT_LAST ? last - first : 0;
}

enum skip_rows skip_span_rows(const struct skip_batch *batch, int rows)
{
	return rows == batch->n_tokens ? SKIP_ROWS_T : SKIP_ROWS_B;
}

double skip_rows_per_sequence(const struct skip_value *value, double n)
{
	return value->rows == SKIP_ROWS_T ? n : value->rows == SKIP_ROWS_B ? 1 : value->fixed_rows;
}

#define SQRT_HALF 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794
#define SQRT_2_OVER_PI 0.79788456080286535588
#define GELU_CUBIC 0.044715

double skip_act_value(enum skip_act act, double u)
{
	switch (act) {
	case SKIP_ACT_NONE:
		return u;
	case SKIP_ACT_GELU:
		return u * 0.5 * erfc(-u * SQRT_HALF);
	case SKIP_ACT_GELU_TANH:
		return 0.5 * u * (1 + tanh(SQRT_2_OVER_PI * (u + GELU_CUBIC * u * u * u)));
	case SKIP_ACT_RELU:
		return u > 0 ? u : 0;
	case SKIP_ACT_TANH:
		return tanh(u);
	}
	return u;
}

double skip_act_slope(enum skip_act act, double u)
{
	double t;
	switch (act) {
	case SKIP_ACT_NONE:
		return 1;
	case SKIP_ACT_GELU:
		return 0.5 * erfc(-u * SQRT_HALF) + u * INV_SQRT_2PI * exp(-0.5 * u * u);
	case SKIP_ACT_GELU_TANH:
		t = tanh(SQRT_2_OVER_PI * (u + GELU_CUBIC * u * u * u));
		return 0.5 * (1 + t) + 0.5 * u * (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * GELU_CUBIC * u * u);
	case SKIP_ACT_RELU:
		return u > 0 ? 1 : 0;
	case SKIP_ACT_TANH:
		t = tanh(u);
		return 1 - t * t;
	}
	return 1;
}

double skip_dropout_factor(float rate, uint32_t key, uint32_t stream, uint32_t index)
{
	uint32_t threshold = (uint32_t)((double)rate * 4294967296.0);
	return skip_rng_hash(key, stream, index) >= threshold ? (double)(1.0f / (1.0f - rate)) : 0;
}

enum skip_status skip_grad_add(struct skip_grad *grad, const struct skip_node *like, const char *op, struct skip_node *node,
                               const char *const *outs, int n_out, struct skip_err *err)
{
	struct skip_graph *graph = skip_grad_graph(grad);
	char stem[SKIP_TENSOR_NAME + 8], name[SKIP_NODE_MAX_OUT][SKIP_NAME];
	const char *names[SKIP_NODE_MAX_OUT] = {NULL};
	for (int i = 0; i < n_out; i++) {
		if (!outs[i]) continue;
		for (int j = 0; j < i && !names[i]; j++)
			if (outs[j] && strcmp(outs[i], outs[j]) == 0) names[i] = names[j];
		if (names[i]) continue;
		snprintf(stem, sizeof(stem), "%s.grad", outs[i]);
		enum skip_status status = skip_graph_unique_name(graph, stem, name[i], err);
		if (status != SKIP_OK) return status;
		names[i] = name[i];
	}
	node->op = skip_op_find(op);
	node->layer = like->layer;
	node->n_out = n_out;
	return skip_graph_add_node(graph, node, names, NULL, err);
}

enum skip_status skip_grad_add_one(struct skip_grad *grad, const struct skip_node *like, const char *op, struct skip_node *node,
                                   struct skip_err *err)
{
	char name[SKIP_NAME];
	strcpy(name, skip_grad_graph(grad)->values[like->in[0]].name);
	const char *outs[1] = {name};
	enum skip_status status = skip_grad_add(grad, like, op, node, outs, 1, err);
	return status == SKIP_OK ? skip_grad_accumulate(grad, like->in[0], node->out[0], err) : status;
}
