/* The shapes to settle where no model is at hand: products of encoders of widths 384 and 768, whose values a graph names once. */
#include "device/tune.h"
#include "graph/op.h"
#include <stdio.h>

static enum skip_status add_product(struct skip_graph *graph, int k, int n, enum skip_precision precision, struct skip_err *err)
{
	enum skip_status status;
	char name[3][32];
	struct skip_tensor *w = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = SKIP_NONE, .n_in = 1, .n_param = 1, .n_out = 1};
	node.attrs.linear.precision = precision;
	snprintf(name[0], sizeof(name[0]), "x%dx%d", k, n);
	snprintf(name[1], sizeof(name[1]), "w%dx%d", k, n);
	snprintf(name[2], sizeof(name[2]), "y%dx%d", k, n);
	SKIP_TRY(skip_graph_add_value(graph, name[0], SKIP_ROWS_T, 0, k, &node.in[0], err));
	SKIP_TRY(skip_tensor_create(name[1], SKIP_F32, 2, (const int64_t[]){n, k}, &w, err));
	SKIP_TRY(skip_graph_add_tensor(graph, w, &node.param[0], err));
	SKIP_TRY(skip_graph_add_node(graph, &node, (const char *[]){name[2]}, NULL, err));
cleanup:
	skip_tensor_unref(w);
	return status;
}

enum skip_status skip_tune_usual(enum skip_precision precision, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *graph = NULL;
	SKIP_TRY(skip_graph_create(&graph, err));
	for (int d = 384; d <= 768; d += 384) {
		SKIP_TRY(add_product(graph, d, 3 * d, precision, err)); /* queries, keys and values at once */
		SKIP_TRY(add_product(graph, d, d, precision, err));
		SKIP_TRY(add_product(graph, d, 4 * d, precision, err));
		SKIP_TRY(add_product(graph, 4 * d, d, precision, err));
	}
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}
