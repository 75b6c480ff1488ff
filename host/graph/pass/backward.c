/*
 * The backward pass as a graph: gradient nodes appended behind the forward ones, for trained tensors and wanted values only
 * (docs/method.md 2.8).
 *
 * Ops append their own nodes (struct skip_op.gradient); this file knows the order, who needs a gradient, and sums what arrives from several
 * readers.
 */
#include "base/alloc.h"
#include "graph/op.h"
#include "graph/pass.h"
#include <assert.h>
#include <stdio.h>

struct skip_grad {
	struct skip_graph *graph;
	size_t n_values;  /* of the forward part */
	bool *needs;      /* [n_values] a trained tensor or a wanted value lies at or before the value */
	int *value;       /* [n_values] gradient so far */
	size_t n_tensors; /* of the forward part */
	int *tensor;      /* [n_tensors] gradient so far */
	int n_sums;
	enum skip_status status; /* of skip_grad_set_tensor, which cannot return one */
	struct skip_err *err;
};

struct skip_graph *skip_grad_graph(struct skip_grad *grad)
{
	return grad->graph;
}

bool skip_grad_needs_value(const struct skip_grad *grad, int value)
{
	assert(value == SKIP_NONE || (size_t)value < grad->n_values);
	return value != SKIP_NONE && grad->needs[value];
}

bool skip_grad_needs_tensor(const struct skip_grad *grad, int tensor)
{
	return tensor != SKIP_NONE && grad->graph->tensors[tensor]->trained;
}

int skip_grad_get(const struct skip_grad *grad, int value)
{
	assert((size_t)value < grad->n_values);
	return grad->value[value];
}

void skip_grad_set(struct skip_grad *grad, int value, int grad_value)
{
	assert((size_t)value < grad->n_values);
	grad->value[value] = grad_value;
}

/* *sum <- *sum + more; the first one is taken as it is. */
static enum skip_status grad_sum(struct skip_grad *grad, const char *name, int layer, int *sum, int more, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("add"), .layer = layer, .n_in = 2, .in = {*sum, more}, .n_out = 1};
	char text[SKIP_NAME];
	const char *out = text;
	if (*sum == SKIP_NONE) {
		*sum = more;
		return SKIP_OK;
	}
	snprintf(text, sizeof(text), "%.40s.grad.sum%d", name, grad->n_sums++);
	enum skip_status status = skip_graph_add_node(grad->graph, &node, &out, NULL, err);
	if (status == SKIP_OK) *sum = node.out[0];
	return status;
}

enum skip_status skip_grad_accumulate(struct skip_grad *grad, int value, int grad_value, struct skip_err *err)
{
	assert((size_t)value < grad->n_values);
	const struct skip_value *forward = &grad->graph->values[value];
	int layer = forward->producer == SKIP_NONE ? SKIP_NONE : grad->graph->nodes[forward->producer].layer;
	char name[SKIP_NAME];
	snprintf(name, sizeof(name), "%s", forward->name);
	return grad_sum(grad, name, layer, &grad->value[value], grad_value, err);
}

void skip_grad_set_tensor(struct skip_grad *grad, int tensor, int grad_value)
{
	assert((size_t)tensor < grad->n_tensors);
	if (grad->status != SKIP_OK) return;
	grad->status = grad_sum(grad, grad->graph->tensors[tensor]->name, SKIP_NONE, &grad->tensor[tensor], grad_value, grad->err);
}

/* Whether the gradient of `node` has anywhere to go. */
static bool node_needs(const struct skip_grad *grad, const struct skip_node *node)
{
	for (int i = 0; i < node->n_in; i++) {
		if (skip_grad_needs_value(grad, node->in[i])) return true;
	}
	for (int i = 0; i < node->n_param; i++) {
		if (skip_grad_needs_tensor(grad, node->param[i])) return true;
	}
	return false;
}

static void mark_needs(struct skip_grad *grad, const int *want, size_t n_want)
{
	for (size_t i = 0; i < n_want; i++) {
		if (want[i] != SKIP_NONE) grad->needs[want[i]] = true;
	}
	for (size_t n = 0; n < grad->graph->n_nodes; n++) {
		const struct skip_node *node = &grad->graph->nodes[n];
		if (!node_needs(grad, node)) continue;
		for (int i = 0; i < node->n_out; i++) {
			if (node->out[i] != SKIP_NONE) grad->needs[node->out[i]] = true;
		}
	}
}

static bool gradient_arrived(const struct skip_grad *grad, const struct skip_node *node)
{
	for (int i = 0; i < node->n_out; i++) {
		if (node->out[i] != SKIP_NONE && grad->value[node->out[i]] != SKIP_NONE) return true;
	}
	return false;
}

static enum skip_status grad_init(struct skip_grad *grad, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	grad->n_values = graph->n_values;
	grad->n_tensors = graph->n_tensors;
	grad->err = err;
	grad->needs = skip_alloc_zeroed(graph->n_values, sizeof(*grad->needs));
	grad->value = skip_alloc_array(graph->n_values, sizeof(*grad->value));
	grad->tensor = skip_alloc_array(graph->n_tensors, sizeof(*grad->tensor));
	if (!grad->needs || !grad->value || !grad->tensor) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the gradients of %zu values", graph->n_values));
	}
	for (size_t v = 0; v < graph->n_values; v++) grad->value[v] = SKIP_NONE;
	for (size_t t = 0; t < graph->n_tensors; t++) grad->tensor[t] = SKIP_NONE;
	SKIP_TRY(skip_graph_copy(graph, &grad->graph, err));
cleanup:
	return status;
}

static void grad_deinit(struct skip_grad *grad)
{
	skip_graph_destroy(grad->graph);
	skip_free(grad->needs);
	skip_free(grad->value);
	skip_free(grad->tensor);
}

static enum skip_status add_seed(struct skip_grad *grad, int output, int *seed, struct skip_err *err)
{
	const struct skip_value value = grad->graph->values[output];
	char name[SKIP_NAME];
	if (snprintf(name, sizeof(name), "%s.grad", value.name) >= (int)sizeof(name)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "the name of value '%s' leaves no room for '.grad'", value.name);
	}
	return skip_graph_add_value(grad->graph, name, value.rows, value.fixed_rows, value.cols, seed, err);
}

/* A trained parameter the op has no gradient for is an error, not a number that stands still. */
static enum skip_status check_trained(const struct skip_graph *graph, const struct skip_node *node, struct skip_err *err)
{
	for (int i = 0; i < node->n_param; i++) {
		if (node->param[i] == SKIP_NONE || !graph->tensors[node->param[i]]->trained || node->op->trains >> i & 1) continue;
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "tensor '%s' of op %s cannot be trained", graph->tensors[node->param[i]]->name,
		                    node->op->name);
	}
	return SKIP_OK;
}

static enum skip_status walk_back(struct skip_grad *grad, size_t n_forward, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t n = n_forward; n-- > 0;) {
		const struct skip_node *node = &grad->graph->nodes[n];
		if (!gradient_arrived(grad, node) || !node_needs(grad, node)) continue;
		SKIP_TRY(check_trained(grad->graph, node, err));
		if (!node->op->gradient) continue;
		SKIP_TRY(node->op->gradient(grad, (int)n, err));
		SKIP_TRY(grad->status);
	}
cleanup:
	return status;
}

enum skip_status skip_pass_backward(const struct skip_graph *graph, int output, const int *want, size_t n_want, struct skip_backward *out,
                                    struct skip_err *err)
{
	struct skip_grad grad = {0};
	struct skip_backward made = {.n_forward = graph->n_nodes};
	enum skip_status status = SKIP_OK;
	assert(output >= 0 && (size_t)output < graph->n_values);
	SKIP_TRY(grad_init(&grad, graph, err));
	SKIP_TRY(add_seed(&grad, output, &made.seed, err));
	mark_needs(&grad, want, n_want);
	grad.value[output] = made.seed;
	SKIP_TRY(walk_back(&grad, made.n_forward, err));
	made.grad_of_tensor = skip_alloc_array(grad.graph->n_tensors, sizeof(*made.grad_of_tensor));
	made.grad_of_want = skip_alloc_array(n_want, sizeof(*made.grad_of_want));
	if (!made.grad_of_tensor || !made.grad_of_want) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu gradients", n_want));
	for (size_t t = 0; t < grad.graph->n_tensors; t++) made.grad_of_tensor[t] = t < grad.n_tensors ? grad.tensor[t] : SKIP_NONE;
	for (size_t i = 0; i < n_want; i++) made.grad_of_want[i] = want[i] == SKIP_NONE ? SKIP_NONE : grad.value[want[i]];
	made.graph = grad.graph;
	grad.graph = NULL;
	*out = made;
	made = (struct skip_backward){0};
cleanup:
	skip_backward_deinit(&made);
	grad_deinit(&grad);
	return status;
}

void skip_backward_deinit(struct skip_backward *backward)
{
	if (!backward) return;
	skip_graph_destroy(backward->graph);
	skip_free(backward->grad_of_tensor);
	skip_free(backward->grad_of_want);
	*backward = (struct skip_backward){0};
}
