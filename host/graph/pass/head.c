/* Puts pooling, an optional dense tanh layer and a classifier behind "hidden" (docs/method.md 2.3). Filling the head is the tuner's work.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

/* follows [n_values]: values that depend on `hidden`. */
static void mark_followers(const struct skip_graph *graph, int hidden, bool *follows)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		bool reads = false;
		for (int i = 0; i < node->n_in; i++) {
			if (node->in[i] != SKIP_NONE) reads = reads || node->in[i] == hidden || follows[node->in[i]];
		}
		for (int i = 0; reads && i < node->n_out; i++) {
			if (node->out[i] != SKIP_NONE) follows[node->out[i]] = true;
		}
	}
}

static enum skip_status copy_encoder(struct skip_rewrite *rewrite, int hidden, struct skip_err *err)
{
	const struct skip_graph *graph = rewrite->from;
	enum skip_status status = SKIP_OK;
	bool *follows = skip_alloc_zeroed(graph->n_values, sizeof(*follows));
	if (!follows) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to mark %zu values", graph->n_values));
	mark_followers(graph, hidden, follows);
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (node->n_out == 0 || node->out[0] == SKIP_NONE || follows[node->out[0]]) continue;
		SKIP_TRY(skip_rewrite_copy(rewrite, n, err));
	}
cleanup:
	skip_free(follows);
	return status;
}

static enum skip_status add_linear(struct skip_rewrite *rewrite, struct skip_tensor *weight, struct skip_tensor *bias, const char *name,
                                   int *value, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("linear"), .layer = SKIP_NONE, .n_in = 1, .in = {*value}, .n_param = bias ? 2 : 1};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_add_tensor(rewrite->to, weight, &node.param[0], err));
	if (bias) SKIP_TRY(skip_graph_add_tensor(rewrite->to, bias, &node.param[1], err));
	SKIP_TRY(skip_rewrite_insert(rewrite, &node, name, value, err));
cleanup:
	return status;
}

static enum skip_status add_plain(struct skip_rewrite *rewrite, const char *op, union skip_attrs attrs, const char *name, int *value,
                                  struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find(op), .layer = SKIP_NONE, .n_in = 1, .in = {*value}, .attrs = attrs};
	return skip_rewrite_insert(rewrite, &node, name, value, err);
}

static enum skip_status add_classifier(struct skip_rewrite *rewrite, int classes, int *value, struct skip_err *err)
{
	struct skip_tensor *weight = NULL, *bias = NULL;
	const int64_t dim[2] = {classes, rewrite->to->values[*value].cols};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_tensor_create("head.weight", SKIP_F32, 2, dim, &weight, err));
	SKIP_TRY(skip_tensor_create("head.bias", SKIP_F32, 1, dim, &bias, err));
	weight->trained = bias->trained = true;
	SKIP_TRY(add_plain(rewrite, "dropout", (union skip_attrs){0}, "pooled.dropout", value, err));
	SKIP_TRY(add_linear(rewrite, weight, bias, "logits", value, err));
cleanup:
	skip_tensor_unref(weight);
	skip_tensor_unref(bias);
	return status;
}

enum skip_status skip_pass_head(const struct skip_graph *graph, enum skip_pool pool, struct skip_tensor *pooler_w,
                                struct skip_tensor *pooler_b, int classes, struct skip_graph **out, struct skip_err *err)
{
	const union skip_attrs pool_attrs = {.pool = {.mode = pool}}, tanh_attrs = {.act = {.kind = SKIP_ACT_TANH}};
	struct skip_rewrite rewrite = {0};
	enum skip_status status = SKIP_OK;
	int hidden = skip_graph_find_value(graph, "hidden"), value;
	if (hidden == SKIP_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "the graph has no value 'hidden' to put a head behind");
	if (classes < 0) return skip_err_set(err, SKIP_ERR_USAGE, "a head of %d classes; 0 or more are wanted", classes);
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	SKIP_TRY(copy_encoder(&rewrite, hidden, err));
	SKIP_TRY(skip_rewrite_value(&rewrite, hidden, &value, err));
	SKIP_TRY(add_plain(&rewrite, "pool", pool_attrs, pooler_w ? "pooled.rows" : "pooled", &value, err));
	if (pooler_w) {
		SKIP_TRY(add_linear(&rewrite, pooler_w, pooler_b, "pooled.dense", &value, err));
		SKIP_TRY(add_plain(&rewrite, "act", tanh_attrs, "pooled", &value, err));
	}
	if (classes > 0) SKIP_TRY(add_classifier(&rewrite, classes, &value, err));
	rewrite.to->classes = classes;
	rewrite.to->problem = SKIP_SINGLE_LABEL;
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	return status;
}
