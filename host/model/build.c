/* Adds canonical nodes with the tensors of a checkpoint. */
#include "model/build.h"
#include <string.h>

enum skip_status skip_build_act(const char *key, const char *name, enum skip_act *out, struct skip_err *err)
{
	static const struct {
		const char *name;
		enum skip_act act;
	} known[] = {
	    {"gelu", SKIP_ACT_GELU},
	    {"gelu_new", SKIP_ACT_GELU_TANH},
	    {"gelu_pytorch_tanh", SKIP_ACT_GELU_TANH},
	    {"relu", SKIP_ACT_RELU},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name) == 0) {
			*out = known[i].act;
			return SKIP_OK;
		}
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported %s '%.60s'; supported: gelu, gelu_new, gelu_pytorch_tanh, relu", key,
	                    name);
}

static enum skip_status add_tensor_as(struct skip_build *build, const char *name, const char *as, int rows, int cols, int *out,
                                      struct skip_err *err)
{
	const int64_t dim[2] = {rows, cols};
	struct skip_tensor *tensor = NULL;
	enum skip_status status;
	SKIP_TRY(skip_checkpoint_tensor(build->checkpoint, build->prefixes, name, as, cols ? 2 : 1, dim, &tensor, err));
	SKIP_TRY(skip_graph_add_tensor(build->graph, tensor, out, err));
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

enum skip_status skip_build_tensor(struct skip_build *build, const char *name, int rows, int cols, int *out, struct skip_err *err)
{
	return add_tensor_as(build, name, name, rows, cols, out, err);
}

enum skip_status skip_build_node(struct skip_build *build, const char *op, int layer, const int *in, int n_in, const int *param,
                                 int n_param, union skip_attrs attrs, const char *value, int *out, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find(op), .layer = layer, .n_in = n_in, .n_param = n_param, .n_out = 1, .attrs = attrs};
	for (int i = 0; i < n_in; i++) node.in[i] = in[i];
	for (int i = 0; i < n_param; i++) node.param[i] = param[i];
	enum skip_status status = skip_graph_add_node(build->graph, &node, &value, NULL, err);
	if (status == SKIP_OK) *out = node.out[0];
	return status;
}

/* "<stem>.<what>"; stems are ours and fit. */
static const char *join(const char *stem, const char *what, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "%s.%s", stem, what);
	return out;
}

enum skip_status skip_build_linear(struct skip_build *build, int layer, int x, int width, const char *stem, const char *value, int *out,
                                   struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME];
	int param[2];
	enum skip_status status;
	SKIP_TRY(skip_build_tensor(build, join(stem, "weight", name), width, build->graph->values[x].cols, &param[0], err));
	SKIP_TRY(skip_build_tensor(build, join(stem, "bias", name), width, 0, &param[1], err));
	SKIP_TRY(skip_build_node(build, "linear", layer, &x, 1, param, 2, (union skip_attrs){0}, value, out, err));
cleanup:
	return status;
}

enum skip_status skip_build_layernorm(struct skip_build *build, int layer, int x, float eps, const char *stem, const char *value, int *out,
                                      struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME], as[SKIP_TENSOR_NAME];
	int param[2], width = build->graph->values[x].cols;
	enum skip_status status;
	bool old = !skip_checkpoint_has(build->checkpoint, build->prefixes, join(stem, "weight", name)) &&
	           skip_checkpoint_has(build->checkpoint, build->prefixes, join(stem, "gamma", name));
	SKIP_TRY(add_tensor_as(build, join(stem, old ? "gamma" : "weight", name), join(stem, "weight", as), width, 0, &param[0], err));
	SKIP_TRY(add_tensor_as(build, join(stem, old ? "beta" : "bias", name), join(stem, "bias", as), width, 0, &param[1], err));
	SKIP_TRY(
	    skip_build_node(build, "layernorm", layer, &x, 1, param, 2, (union skip_attrs){.layernorm = {.eps = eps}}, value, out, err));
cleanup:
	return status;
}
