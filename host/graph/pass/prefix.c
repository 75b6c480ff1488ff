/* Places or removes the deep key/value prefix of method A (docs/method.md 2.1). Filling it with numbers is the tuner's work. */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <stdio.h>

static enum skip_status add_prefix(struct skip_graph *graph, int layer, const char *part, int prefix, int cols, int *out,
                                   struct skip_err *err)
{
	struct skip_tensor *tensor = NULL;
	char name[SKIP_TENSOR_NAME];
	enum skip_status status = SKIP_OK;
	snprintf(name, sizeof(name), "prefix.%d.%s", layer, part);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, 2, (const int64_t[]){prefix, cols}, &tensor, err));
	tensor->trained = true;
	SKIP_TRY(skip_graph_add_tensor(graph, tensor, out, err));
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

static enum skip_status copy_attention(struct skip_rewrite *rewrite, size_t n, int prefix, struct skip_err *err)
{
	struct skip_node node = rewrite->from->nodes[n];
	const struct skip_attrs_attention *attrs = &node.attrs.attention;
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node.n_in; i++) SKIP_TRY(skip_rewrite_value(rewrite, node.in[i], &node.in[i], err));
	if (node.n_param > SKIP_ATTENTION_SLOTS) node.n_param = SKIP_ATTENTION_SLOTS; /* of the prefix that was */
	for (int i = SKIP_ATTENTION_BIAS; i < node.n_param; i++) SKIP_TRY(skip_rewrite_tensor(rewrite, node.param[i], &node.param[i], err));
	node.param[SKIP_ATTENTION_PK] = node.param[SKIP_ATTENTION_PV] = SKIP_NONE;
	if (node.n_param <= 2) node.n_param = prefix > 0 ? 2 : 0;
	if (prefix > 0) {
		SKIP_TRY(add_prefix(rewrite->to, node.layer, "key", prefix, attrs->heads * attrs->qk, &node.param[0], err));
		SKIP_TRY(add_prefix(rewrite->to, node.layer, "value", prefix, attrs->heads * attrs->v, &node.param[1], err));
	}
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

enum skip_status skip_pass_prefix(const struct skip_graph *graph, int prefix, struct skip_graph **out, struct skip_err *err)
{
	struct skip_rewrite rewrite = {0};
	enum skip_status status = SKIP_OK;
	if (prefix < 0) return skip_err_set(err, SKIP_ERR_USAGE, "a prefix of %d slots; 0 or more are wanted", prefix);
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (skip_node_is(&graph->nodes[n], "attention")) {
			SKIP_TRY(copy_attention(&rewrite, n, prefix, err));
		} else {
			SKIP_TRY(skip_rewrite_copy(&rewrite, n, err));
		}
	}
	/* The dense encoder this graph is compared with carries the same prefix: n P H (E_qk + E_v) multiply-adds per layer
	 * (docs/method.md 2.6). */
	rewrite.to->dense_macs_per_token += 2.0 * (prefix - graph->prefix) * graph->layers * graph->heads * graph->head_width;
	rewrite.to->prefix = prefix;
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	return status;
}
