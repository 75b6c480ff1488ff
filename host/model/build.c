/* Adds canonical nodes with the tensors of a checkpoint. */
#include "model/build.h"
#include <string.h>

static enum skip_status add_tensor_as(struct skip_build *build, const char *name, const char *as, int rows, int cols, int *out,
                                      struct skip_err *err)
{
	const int64_t dim[2] = {rows, cols};
	struct skip_tensor *tensor = NULL;
	enum skip_status status;
	*out = skip_graph_find_tensor(build->graph, as);
	if (*out != SKIP_NONE) return SKIP_OK;
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

/* Rows first .. first + width - 1 of a matrix or vector of the file, a view of them; of a turned matrix its columns, as rows, in a copy. */
static enum skip_status cut_rows(const struct skip_tensor *whole, int first, int width, bool turned, struct skip_tensor **out, struct skip_err *err)
{
	const int64_t dim[2] = {width, whole->rank > 1 ? whole->dim[turned ? 0 : 1] : 1};
	const size_t size = skip_dtype_size(whole->dtype), cols = (size_t)dim[1];
	const unsigned char *data = whole->data;
	if (!turned || whole->rank == 1)
		return skip_tensor_view(whole->name, whole->dtype, whole->rank, dim, data + (size_t)first * cols * size, whole->map, out, err);
	enum skip_status status = skip_tensor_create(whole->name, whole->dtype, 2, dim, out, err);
	if (status != SKIP_OK) return status;
	unsigned char *to = (*out)->owned;
	for (size_t r = 0; r < (size_t)width; r++)
		for (size_t c = 0; c < cols; c++, to += size)
			memcpy(to, data + (c * (size_t)whole->dim[1] + (size_t)first + r) * size, size);
	return SKIP_OK;
}

static enum skip_status add_rows(struct skip_build *build, const struct skip_build_rows *from, const char *what, const char *as, int width, int cols,
                                 int *out, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME], new_name[SKIP_TENSOR_NAME];
	const int64_t straight[2] = {from->rows, cols}, turned[2] = {cols, from->rows};
	struct skip_tensor *whole = NULL, *part = NULL;
	enum skip_status status;
	SKIP_TRY(skip_checkpoint_tensor(build->checkpoint, build->prefixes, join(from->stem, what, name), join(as, what, new_name), cols ? 2 : 1,
	                                from->turned && cols ? turned : straight, &whole, err));
	SKIP_TRY(cut_rows(whole, from->first, width, from->turned, &part, err));
	SKIP_TRY(skip_graph_add_tensor(build->graph, part, out, err));
cleanup:
	skip_tensor_unref(part);
	skip_tensor_unref(whole);
	return status;
}

enum skip_status skip_build_linear_rows(struct skip_build *build, int layer, int x, int width, const struct skip_build_rows *from, const char *as,
                                        const char *value, int *out, struct skip_err *err)
{
	int param[2] = {SKIP_NONE, SKIP_NONE}, cols = build->graph->values[x].cols;
	enum skip_status status;
	SKIP_TRY(add_rows(build, from, "weight", as, width, cols, &param[0], err));
	if (!from->no_bias) SKIP_TRY(add_rows(build, from, "bias", as, width, 0, &param[1], err));
	SKIP_TRY(skip_build_node(build, "linear", layer, &x, 1, param, from->no_bias ? 1 : 2, (union skip_attrs){0}, value, out, err));
cleanup:
	return status;
}

enum skip_status skip_build_made(struct skip_build *build, const char *name, int rows, int cols, int *out, float **numbers, struct skip_err *err)
{
	struct skip_tensor *tensor = NULL;
	enum skip_status status;
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, err));
	SKIP_TRY(skip_graph_add_tensor(build->graph, tensor, out, err));
	*numbers = skip_tensor_f32(tensor);
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

enum skip_status skip_build_layernorm_scale(struct skip_build *build, int layer, int x, float eps, const char *stem, const char *value, int *out,
                                            struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME];
	int param[2], width = build->graph->values[x].cols;
	float *zeros;
	enum skip_status status;
	SKIP_TRY(skip_build_tensor(build, join(stem, "weight", name), width, 0, &param[0], err));
	SKIP_TRY(skip_build_made(build, join(stem, "bias", name), width, 0, &param[1], &zeros, err));
	SKIP_TRY(skip_build_node(build, "layernorm", layer, &x, 1, param, 2, (union skip_attrs){.layernorm = {.eps = eps}}, value, out, err));
cleanup:
	return status;
}

/* width -1: as many rows as the file has. The graph's tensors are called <as>.weight and <as>.bias. */
static enum skip_status add_linear_as(struct skip_build *build, int layer, int x, int width, const char *stem, const char *as, bool bias,
                                      const char *value, int *out, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME], new_name[SKIP_TENSOR_NAME];
	int param[2], cols = build->graph->values[x].cols;
	enum skip_status status;
	SKIP_TRY(add_tensor_as(build, join(stem, "weight", name), join(as, "weight", new_name), width, cols, &param[0], err));
	width = (int)build->graph->tensors[param[0]]->dim[0];
	if (bias) SKIP_TRY(add_tensor_as(build, join(stem, "bias", name), join(as, "bias", new_name), width, 0, &param[1], err));
	SKIP_TRY(skip_build_node(build, "linear", layer, &x, 1, param, bias ? 2 : 1, (union skip_attrs){0}, value, out, err));
cleanup:
	return status;
}

enum skip_status skip_build_linear(struct skip_build *build, int layer, int x, int width, const char *stem, const char *value, int *out,
                                   struct skip_err *err)
{
	return add_linear_as(build, layer, x, width, stem, stem, true, value, out, err);
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

enum skip_status skip_build_classifier(struct skip_build *build, const char *stem, int x, bool bias, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_build_node(build, "dropout", SKIP_NONE, &x, 1, NULL, 0, (union skip_attrs){0}, "pooled.dropout", &x, err));
	SKIP_TRY(add_linear_as(build, SKIP_NONE, x, -1, stem, "head", bias, "logits", &x, err));
	build->graph->classes = build->graph->values[x].cols;
cleanup:
	return status;
}

enum skip_status skip_build_head(struct skip_build *build, const struct skip_build_head *head, struct skip_err *err)
{
	const union skip_attrs row = {.pool = {.mode = head->last_row ? SKIP_POOL_LAST : SKIP_POOL_CLS}}, act = {.act = {.kind = head->act}};
	int x = skip_graph_find_value(build->graph, "hidden"), width = build->graph->values[x].cols;
	enum skip_status status;
	SKIP_TRY(skip_build_node(build, "pool", SKIP_NONE, &x, 1, NULL, 0, row, head->dense ? "pooled.rows" : "pooled", &x, err));
	if (head->dense) {
		SKIP_TRY(add_linear_as(build, SKIP_NONE, x, width, head->dense, "pooler", true, "pooled.dense", &x, err));
		SKIP_TRY(skip_build_node(build, "act", SKIP_NONE, &x, 1, NULL, 0, act, "pooled", &x, err));
	}
	status = skip_build_classifier(build, head->out, x, !head->no_bias, err);
cleanup:
	return status;
}
