/*
 * The ONNX form of every op, one function each and one table. To export a new op, write its function here.
 *
 * A value with T rows is [batch][sequence][cols] here, one with B rows [batch][cols]. Padding rows hold numbers nobody reads: attention gives them the
 * weight 0 as keys, pooling leaves them out.
 */
#include "base/alloc.h"
#include "export/onnx_build.h"
#include "graph/rules.h"

#include <math.h>
#include <string.h>

#define LIST(onnx, ...) skip_onnx_list(onnx, (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static const char *input(const struct skip_onnx *onnx, const struct skip_node *node, int i)
{
	return onnx->value[node->in[i]];
}

static bool has_param(const struct skip_node *node, int i)
{
	return i < node->n_param && node->param[i] != SKIP_NONE;
}

static bool per_token(const struct skip_onnx *onnx, int value)
{
	return onnx->graph->values[value].rows == SKIP_ROWS_T;
}

/* `sum` and the row of the type, where there are types. */
static const char *write_types(struct skip_onnx *onnx, const struct skip_node *node, const char *out, const char *sum)
{
	if (!has_param(node, 2)) return sum;
	const char *type = skip_onnx_tensor(onnx, node->param[2]);
	if (onnx->graph->tensors[node->param[2]]->dim[0] > 1) {
		onnx->takes_types = true;
		type = skip_onnx_binary(onnx, "Gather", skip_onnx_part(onnx, out, "type"), type, "token_type_ids");
	}
	return skip_onnx_binary(onnx, "Add", out, sum, type);
}

/* A word's row, the row of its place, the row of its type. Places are counted from the left, which is right for padding on the right. */
static const char *write_embed(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	int64_t base = node->attrs.embed.position_base;
	bool alone = !has_param(node, 1) && !has_param(node, 2);
	const char *word = skip_onnx_node(onnx, "Gather", alone ? out : skip_onnx_part(onnx, out, "word"), (const char *const[]){skip_onnx_tensor(onnx, node->param[0]), "input_ids", NULL});
	if (!has_param(node, 1)) return write_types(onnx, node, out, word);
	const char *end = skip_onnx_unary(onnx, "Shape", skip_onnx_part(onnx, out, "length"), "input_ids");
	skip_onnx_int(onnx, "start", 1);
	if (base) end = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "end"), end, LIST(onnx, base));
	const char *place = skip_onnx_node(onnx, "Slice", skip_onnx_part(onnx, out, "position"),
					   (const char *const[]){skip_onnx_tensor(onnx, node->param[1]), LIST(onnx, base), end, LIST(onnx, 0), NULL});
	return write_types(onnx, node, out, skip_onnx_binary(onnx, "Add", has_param(node, 2) ? skip_onnx_part(onnx, out, "placed") : out, word, place));
}

static const char *write_layernorm(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const char *gamma = skip_onnx_tensor(onnx, node->param[0]), *beta = skip_onnx_tensor(onnx, node->param[1]);
	skip_onnx_node(onnx, "LayerNormalization", out, (const char *const[]){input(onnx, node, 0), gamma, beta, NULL});
	skip_onnx_int(onnx, "axis", -1);
	skip_onnx_float(onnx, "epsilon", node->attrs.layernorm.eps);
	return out;
}

/* Both forms of GELU are written as exporters write them, so that runtimes find them and put one kernel in their place. */
static const char *write_gelu(struct skip_onnx *onnx, const char *u, const char *out)
{
	const char *scaled = skip_onnx_binary(onnx, "Div", skip_onnx_part(onnx, out, "scaled"), u, skip_onnx_number(onnx, (float)M_SQRT2));
	const char *erf = skip_onnx_unary(onnx, "Erf", skip_onnx_part(onnx, out, "erf"), scaled);
	const char *above = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "above"), erf, skip_onnx_number(onnx, 1));
	const char *twice = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "twice"), u, above);
	return skip_onnx_binary(onnx, "Mul", out, twice, skip_onnx_number(onnx, 0.5f));
}

static const char *write_gelu_tanh(struct skip_onnx *onnx, const char *u, const char *out)
{
	const char *cube = skip_onnx_binary(onnx, "Pow", skip_onnx_part(onnx, out, "cube"), u, skip_onnx_number(onnx, 3));
	const char *bent = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "bent"), cube, skip_onnx_number(onnx, 0.044715f));
	const char *sum = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "sum"), u, bent);
	const char *scaled = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "scaled"), sum, skip_onnx_number(onnx, (float)sqrt(M_2_PI)));
	const char *tanh = skip_onnx_unary(onnx, "Tanh", skip_onnx_part(onnx, out, "tanh"), scaled);
	const char *above = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "above"), tanh, skip_onnx_number(onnx, 1));
	const char *twice = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "twice"), u, above);
	return skip_onnx_binary(onnx, "Mul", out, twice, skip_onnx_number(onnx, 0.5f));
}

static const char *write_kind(struct skip_onnx *onnx, enum skip_act kind, const char *u, const char *out)
{
	switch (kind) {
	case SKIP_ACT_NONE: return skip_onnx_unary(onnx, "Identity", out, u);
	case SKIP_ACT_GELU: return write_gelu(onnx, u, out);
	case SKIP_ACT_GELU_TANH: return write_gelu_tanh(onnx, u, out);
	case SKIP_ACT_RELU: return skip_onnx_unary(onnx, "Relu", out, u);
	case SKIP_ACT_TANH: return skip_onnx_unary(onnx, "Tanh", out, u);
	}
	return NULL;
}

static const char *write_act(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	return write_kind(onnx, node->attrs.act.kind, input(onnx, node, 0), out);
}

static const char *write_linear(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const struct skip_attrs_linear *attrs = &node->attrs.linear;
	const char *residual = node->n_in > 1 && node->in[1] != SKIP_NONE ? input(onnx, node, 1) : NULL;
	bool bias = has_param(node, 1), act = attrs->act != SKIP_ACT_NONE;
	const char *w = attrs->transpose ? skip_onnx_tensor(onnx, node->param[0]) : skip_onnx_turned(onnx, node->param[0]);
	const char *y = skip_onnx_binary(onnx, "MatMul", bias || act || residual ? skip_onnx_part(onnx, out, "product") : out, input(onnx, node, 0), w);
	if (bias) y = skip_onnx_binary(onnx, "Add", act || residual ? skip_onnx_part(onnx, out, "biased") : out, y, skip_onnx_tensor(onnx, node->param[1]));
	if (act) y = write_kind(onnx, attrs->act, y, residual ? skip_onnx_part(onnx, out, "act") : out);
	return residual ? skip_onnx_binary(onnx, "Add", out, y, residual) : y;
}

/* Columns `first` .. `first + count` of a value, split into heads: [batch][H][sequence or 1][width], or with `turned` [batch][H][width][sequence]. */
static const char *heads_of(struct skip_onnx *onnx, int value, int first, int heads, int width, const char *stem, bool turned)
{
	const char *x = onnx->value[value];
	int count = heads * width;
	if (first != 0 || count != onnx->graph->values[value].cols)
		x = skip_onnx_node(onnx, "Slice", skip_onnx_part(onnx, stem, "columns"),
				   (const char *const[]){x, LIST(onnx, first), LIST(onnx, first + count), LIST(onnx, -1), NULL});
	const char *shape = per_token(onnx, value) ? LIST(onnx, 0, 0, heads, width) : LIST(onnx, 0, 1, heads, width);
	const char *split = skip_onnx_binary(onnx, "Reshape", skip_onnx_part(onnx, stem, "split"), x, shape);
	static const int64_t plain[4] = {0, 2, 1, 3}, across[4] = {0, 2, 3, 1};
	skip_onnx_unary(onnx, "Transpose", stem, split);
	skip_onnx_ints(onnx, "perm", turned ? across : plain, 4);
	return stem;
}

/* The prefix [P][H * width] as a constant [1][H][P][width], or with `turned` [1][H][width][P], repeated for every sequence of the batch. */
static const char *prefix_of(struct skip_onnx *onnx, int index, int heads, int width, const char *stem, bool turned)
{
	const struct skip_tensor *tensor = onnx->graph->tensors[index];
	const size_t slots = (size_t)tensor->dim[0], cols = (size_t)tensor->dim[1], e = (size_t)width;
	float *from = skip_alloc_array(slots, cols * sizeof(*from)), *to = skip_onnx_alloc(onnx, slots * cols, sizeof(*to));
	if (!from || !to) {
		onnx->failed = true;
		skip_free(from);
		return NULL;
	}
	skip_tensor_to_f32(tensor, from);
	for (size_t p = 0; p < slots; p++)
		for (size_t c = 0; c < cols; c++) to[turned ? c * slots + p : (c / e * slots + p) * e + c % e] = from[p * cols + c];
	skip_free(from);
	const int64_t p = tensor->dim[0], dim[2][4] = {{1, heads, p, width}, {1, heads, width, p}};
	const char *constant = skip_onnx_floats(onnx, tensor->name, 4, dim[turned], to);
	if (!onnx->batch) {
		const char *size = skip_onnx_unary(onnx, "Shape", "batch/size", "input_ids");
		skip_onnx_int(onnx, "end", 1);
		onnx->batch = skip_onnx_binary(onnx, "Concat", "batch/shape", size, LIST(onnx, 1, 1, 1));
		skip_onnx_int(onnx, "axis", 0);
	}
	return skip_onnx_binary(onnx, "Expand", skip_onnx_part(onnx, stem, "prefix"), constant, onnx->batch);
}

/* What is added to the scores of tokens: 0, hugely negative for padding. One for all layers. */
static const char *padding_of(struct skip_onnx *onnx)
{
	if (onnx->padding) return onnx->padding;
	const char *mask = skip_onnx_unary(onnx, "Cast", "mask/float", "attention_mask");
	skip_onnx_int(onnx, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	const char *padding = skip_onnx_binary(onnx, "Sub", "mask/padding", skip_onnx_number(onnx, 1), mask);
	const char *low = skip_onnx_binary(onnx, "Mul", "mask/low", padding, skip_onnx_number(onnx, -1e9f));
	onnx->padding = skip_onnx_binary(onnx, "Unsqueeze", "mask/tokens", low, LIST(onnx, 1, 2));
	return onnx->padding;
}

/* The same with a 0 for every slot of a prefix. One for layers of equal prefix in a row. */
static const char *bias_of(struct skip_onnx *onnx, const char *out, int prefix)
{
	const char *padding = padding_of(onnx);
	if (!prefix) return padding;
	if (onnx->bias && onnx->bias_prefix == prefix) return onnx->bias;
	onnx->bias = skip_onnx_binary(onnx, "Pad", skip_onnx_part(onnx, out, "mask"), padding, LIST(onnx, 0, 0, 0, prefix, 0, 0, 0, 0));
	onnx->bias_prefix = prefix;
	return onnx->bias;
}

static const char *write_attention(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const struct skip_attrs_attention *a = &node->attrs.attention;
	int prefix = has_param(node, 0) ? (int)onnx->graph->tensors[node->param[0]]->dim[0] : 0;
	const char *q = heads_of(onnx, node->in[0], a->q_col, a->heads, a->qk, skip_onnx_part(onnx, out, "q"), false);
	const char *k = heads_of(onnx, node->in[1], a->k_col, a->heads, a->qk, skip_onnx_part(onnx, out, "k"), true);
	const char *v = heads_of(onnx, node->in[2], a->v_col, a->heads, a->v, skip_onnx_part(onnx, out, "v"), false);
	const char *tokens = k;
	if (prefix) {
		const char *key = prefix_of(onnx, node->param[0], a->heads, a->qk, k, true);
		k = skip_onnx_binary(onnx, "Concat", skip_onnx_part(onnx, out, "keys"), key, k);
		skip_onnx_int(onnx, "axis", 3);
		const char *value = prefix_of(onnx, node->param[1], a->heads, a->v, v, false);
		v = skip_onnx_binary(onnx, "Concat", skip_onnx_part(onnx, out, "values"), value, v);
		skip_onnx_int(onnx, "axis", 2);
	}
	const char *scaled = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "scaled"), q, skip_onnx_number(onnx, a->scale));
	const char *scores = skip_onnx_binary(onnx, "MatMul", skip_onnx_part(onnx, out, "scores"), scaled, k);
	const char *beside = skip_onnx_beside(onnx, node, out, scaled, tokens, prefix);
	if (beside) scores = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "placed"), scores, beside);
	const char *masked = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "masked"), scores, bias_of(onnx, out, prefix));
	const char *weights = skip_onnx_unary(onnx, "Softmax", skip_onnx_part(onnx, out, "weights"), masked);
	skip_onnx_int(onnx, "axis", -1);
	const char *context = skip_onnx_binary(onnx, "MatMul", skip_onnx_part(onnx, out, "context"), weights, v);
	const char *rows = skip_onnx_unary(onnx, "Transpose", skip_onnx_part(onnx, out, "rows"), context);
	skip_onnx_ints(onnx, "perm", (const int64_t[]){0, 2, 1, 3}, 4);
	const char *shape = per_token(onnx, node->in[0]) ? LIST(onnx, 0, 0, a->heads * a->v) : LIST(onnx, 0, a->heads * a->v);
	return skip_onnx_binary(onnx, "Reshape", out, rows, shape);
}

static const char *write_pool(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const char *x = input(onnx, node, 0);
	if (node->attrs.pool.mode == SKIP_POOL_CLS) {
		skip_onnx_binary(onnx, "Gather", out, x, skip_onnx_index(onnx, 0));
		skip_onnx_int(onnx, "axis", 1);
		return out;
	}
	if (node->attrs.pool.mode == SKIP_POOL_LAST) {
		skip_onnx_binary(onnx, "GatherND", out, x, skip_onnx_last(onnx));
		skip_onnx_int(onnx, "batch_dims", 1);
		return out;
	}
	const char *mask = skip_onnx_unary(onnx, "Cast", skip_onnx_part(onnx, out, "mask"), "attention_mask");
	skip_onnx_int(onnx, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	const char *column = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, out, "column"), mask, LIST(onnx, 2));
	const char *tokens = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "tokens"), x, column);
	const char *sum = skip_onnx_binary(onnx, "ReduceSum", skip_onnx_part(onnx, out, "sum"), tokens, LIST(onnx, 1));
	skip_onnx_int(onnx, "keepdims", 0);
	const char *count = skip_onnx_binary(onnx, "ReduceSum", skip_onnx_part(onnx, out, "count"), column, LIST(onnx, 1));
	skip_onnx_int(onnx, "keepdims", 0);
	return skip_onnx_binary(onnx, "Div", out, sum, count);
}

/* Off when a model is used. */
static const char *write_dropout(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	(void)out;
	return input(onnx, node, 0);
}

static const char *write_mask(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	return skip_onnx_binary(onnx, "Mul", out, input(onnx, node, 0), skip_onnx_tensor(onnx, node->param[0]));
}

static const char *write_add(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	return skip_onnx_binary(onnx, "Add", out, input(onnx, node, 0), input(onnx, node, 1));
}

static const char *write_mul(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	return skip_onnx_binary(onnx, "Mul", out, input(onnx, node, 0), input(onnx, node, 1));
}

static const char *write_add_bias(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	return skip_onnx_binary(onnx, "Add", out, input(onnx, node, 0), skip_onnx_tensor(onnx, node->param[0]));
}

bool skip_onnx_write_op(struct skip_onnx *onnx, const struct skip_node *node)
{
	static const struct {
		const char *op;
		const char *(*write)(struct skip_onnx *onnx, const struct skip_node *node, const char *out);
	} forms[] = {
		{"act", write_act},         {"add", write_add},     {"add_bias", write_add_bias}, {"attention", write_attention}, {"dropout", write_dropout},
		{"embed", write_embed},     {"linear", write_linear}, {"layernorm", write_layernorm}, {"mask", write_mask},       {"pool", write_pool},
		{"mul", write_mul},         {"rotary", skip_onnx_rotary},
	};
	/* a mask of slots is a means of searching, not of a result */
	if (!strcmp(node->op->name, "attention") && has_param(node, SKIP_ATTENTION_SLOTS)) return false;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strcmp(forms[i].op, node->op->name) != 0) continue;
		onnx->value[node->out[0]] = forms[i].write(onnx, node, onnx->graph->values[node->out[0]].name);
		return true;
	}
	return false;
}
