/*
 * The optimiser as a part of the graph: behind the gradients one chain of square_sum nodes, then one adamw node per trained tensor
 * (docs/method.md 2.5). So a step of training is one walk over one plan, and weights and moments never leave the device.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include <stdio.h>

#define EPS 1e-8f

/* Adds `op` with the outputs "<stem>.<suffix>", each made unique. */
static enum skip_status add_node(struct skip_graph *graph, const char *op, struct skip_node *node, const char *stem,
                                 const char *const *suffix, int n_out, struct skip_err *err)
{
	char name[3][SKIP_NAME], text[SKIP_NAME];
	const char *names[3];
	enum skip_status status = SKIP_OK;
	node->op = skip_op_find(op);
	node->layer = SKIP_NONE;
	node->n_out = n_out;
	for (int i = 0; i < n_out; i++) {
		snprintf(text, sizeof(text), "%.40s.%s", stem, suffix[i]);
		SKIP_TRY(skip_graph_unique_name(graph, text, name[i], err));
		names[i] = name[i];
	}
	SKIP_TRY(skip_graph_add_node(graph, node, names, NULL, err));
cleanup:
	return status;
}

/* A moment of `tensor`: zeros of its shape. */
static enum skip_status add_moment(struct skip_graph *graph, const struct skip_tensor *tensor, const char *suffix, int *out,
                                   struct skip_err *err)
{
	struct skip_tensor *moment = NULL;
	char name[SKIP_TENSOR_NAME];
	enum skip_status status = SKIP_OK;
	snprintf(name, sizeof(name), "%.*s.%s", SKIP_TENSOR_NAME - 8, tensor->name, suffix);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, tensor->rank, tensor->dim, &moment, err));
	SKIP_TRY(skip_graph_add_tensor(graph, moment, out, err));
cleanup:
	skip_tensor_unref(moment);
	return status;
}

static enum skip_status add_step(struct skip_graph *graph, struct skip_adamw_tensor *t, float clip, int norm, int step, struct skip_err *err)
{
	const struct skip_tensor *tensor = graph->tensors[t->tensor];
	struct skip_node node = {.n_in = 3, .in = {t->gradient, norm, step}, .n_param = 3};
	enum skip_status status = SKIP_OK;
	node.attrs.adamw = (struct skip_attrs_adamw){
	    .lr = t->lr, .decay = t->decay, .clip = clip, .beta1 = SKIP_ADAMW_BETA1, .beta2 = SKIP_ADAMW_BETA2, .eps = EPS};
	node.param[0] = t->tensor;
	SKIP_TRY(add_moment(graph, tensor, "m", &t->m, err));
	SKIP_TRY(add_moment(graph, tensor, "v", &t->v, err));
	node.param[1] = t->m;
	node.param[2] = t->v;
	SKIP_TRY(add_node(graph, "adamw", &node, tensor->name, (const char *[]){"next", "next.m", "next.v"}, 3, err));
	for (int i = 0; i < 3; i++) t->next[i] = node.out[i];
cleanup:
	return status;
}

enum skip_status skip_pass_adamw(const struct skip_graph *graph, struct skip_adamw_tensor *tensors, size_t n, float clip,
                                 struct skip_adamw *out, struct skip_err *err)
{
	struct skip_adamw made = {.norm = SKIP_NONE};
	char name[SKIP_NAME];
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &made.graph, err));
	SKIP_TRY(skip_graph_unique_name(made.graph, "optimiser.step", name, err));
	SKIP_TRY(skip_graph_add_value(made.graph, name, SKIP_ROWS_FIXED, 1, 3, &made.step, err));
	for (size_t i = 0; i < n; i++) {
		struct skip_node sum = {.n_in = 2, .in = {tensors[i].gradient, made.norm}};
		SKIP_TRY(add_node(made.graph, "square_sum", &sum, graph->tensors[tensors[i].tensor]->name, (const char *[]){"square"}, 1, err));
		made.norm = sum.out[0];
	}
	for (size_t i = 0; i < n; i++) SKIP_TRY(add_step(made.graph, &tensors[i], clip, made.norm, made.step, err));
	*out = made;
	made.graph = NULL;
cleanup:
	skip_graph_destroy(made.graph);
	return status;
}
