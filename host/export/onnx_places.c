/*
 * The ONNX form of what depends on the places of tokens: causal and local attention, tables by distance, rotary positions, the last token. For onnx_ops.c.
 *
 * Distances query - key are int64 [batch or 1][queries][sequence]; a table's column is the distance + N-1.
 */
#include "base/alloc.h"
#include "export/onnx_build.h"

#define LIST(onnx, ...) skip_onnx_list(onnx, (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static const char *places(struct skip_onnx *onnx)
{
	if (onnx->places) return onnx->places;
	const char *length = skip_onnx_unary(onnx, "Shape", "places/length", "input_ids");
	skip_onnx_int(onnx, "start", 1);
	const char *end = skip_onnx_unary(onnx, "Squeeze", "places/end", length);
	onnx->places = skip_onnx_node(onnx, "Range", "places", (const char *const[]){skip_onnx_index(onnx, 0), end, skip_onnx_index(onnx, 1), NULL});
	return onnx->places;
}

const char *skip_onnx_last(struct skip_onnx *onnx)
{
	if (onnx->last) return onnx->last;
	const char *count = skip_onnx_binary(onnx, "ReduceSum", "last/count", "attention_mask", LIST(onnx, 1));
	skip_onnx_int(onnx, "keepdims", 1);
	onnx->last = skip_onnx_binary(onnx, "Sub", "last", count, skip_onnx_index(onnx, 1));
	return onnx->last;
}

/* query - key. */
static const char *distance_of(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const char *name = skip_onnx_part(onnx, out, "distance"), *query;
	if (onnx->graph->values[node->in[0]].rows == SKIP_ROWS_T)
		query = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, name, "query"), places(onnx), LIST(onnx, 0, 2));
	else if (node->attrs.attention.at == SKIP_AT_LAST)
		query = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, name, "query"), skip_onnx_last(onnx), LIST(onnx, 2));
	else
		query = LIST(onnx, 0);
	const char *key = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, name, "key"), places(onnx), LIST(onnx, 0, 1));
	return skip_onnx_binary(onnx, "Sub", name, query, key);
}

/* 0 where a query sees a key, hugely negative elsewhere: [batch or 1][1][queries][sequence]; NULL: it sees all. */
static const char *mask_of(struct skip_onnx *onnx, const struct skip_node *node, const char *out, const char *distance)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const char *ahead = NULL, *far = NULL, *unseen;
	if (!attrs->causal && !attrs->window) return NULL;
	if (attrs->causal) ahead = skip_onnx_binary(onnx, "Less", skip_onnx_part(onnx, out, "ahead"), distance, skip_onnx_index(onnx, 0));
	if (attrs->window) {
		const char *size = skip_onnx_unary(onnx, "Abs", skip_onnx_part(onnx, out, "size"), distance);
		far = skip_onnx_binary(onnx, "Greater", skip_onnx_part(onnx, out, "far"), size, skip_onnx_index(onnx, attrs->window));
	}
	unseen = ahead && far ? skip_onnx_binary(onnx, "Or", skip_onnx_part(onnx, out, "unseen"), ahead, far) : ahead ? ahead : far;
	const char *low = skip_onnx_node(onnx, "Where", skip_onnx_part(onnx, out, "low"),
					 (const char *const[]){unseen, skip_onnx_number(onnx, -1e9f), skip_onnx_number(onnx, 0), NULL});
	return skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, out, "sight"), low, LIST(onnx, 1));
}

/* A table [H*E][2N-1] as a constant [1][H][E][2N-1], or with `turned` [1][H][2N-1][E]. */
static const char *table_of(struct skip_onnx *onnx, const struct skip_tensor *tensor, int heads, bool turned)
{
	const size_t count = (size_t)skip_tensor_count(tensor), columns = (size_t)tensor->dim[1], width = (size_t)tensor->dim[0] / (size_t)heads;
	const int64_t e = (int64_t)width, dim[2][4] = {{1, heads, e, tensor->dim[1]}, {1, heads, tensor->dim[1], e}};
	float *from = skip_alloc_array(count, sizeof(*from)), *to = skip_onnx_alloc(onnx, count, sizeof(*to));
	if (!from || !to) {
		onnx->failed = true;
		skip_free(from);
		return NULL;
	}
	skip_tensor_to_f32(tensor, from);
	for (size_t i = 0; i < count; i++) {
		size_t row = i / columns, h = row / width;
		to[turned ? (h * columns + i % columns) * width + row % width : i] = from[i];
	}
	skip_free(from);
	return skip_onnx_floats(onnx, tensor->name, 4, dim[turned], to);
}

static const struct skip_tensor *table(const struct skip_onnx *onnx, const struct skip_node *node, enum skip_attention_param which)
{
	return (int)which < node->n_param && node->param[which] != SKIP_NONE ? onnx->graph->tensors[node->param[which]] : NULL;
}

/* Either may be absent. */
static const char *sum_of(struct skip_onnx *onnx, const char *sum, const char *more)
{
	return sum && more ? skip_onnx_binary(onnx, "Add", skip_onnx_text(onnx, "%s.sum", more), sum, more) : sum ? sum : more;
}

/* What the tables add: [batch][H][queries][sequence]; NULL: there are none. */
static const char *tables_of(struct skip_onnx *onnx, const struct skip_node *node, const char *out, const char *q, const char *k, const char *distance)
{
	const struct skip_tensor *bias = table(onnx, node, SKIP_ATTENTION_BIAS), *rk = table(onnx, node, SKIP_ATTENTION_RK),
				 *rq = table(onnx, node, SKIP_ATTENTION_RQ), *any = bias ? bias : rk ? rk : rq;
	const int heads = node->attrs.attention.heads;
	const char *sum = NULL, *index;
	if (!any) return NULL;
	const char *column = skip_onnx_binary(onnx, "Add", skip_onnx_part(onnx, out, "column"), distance, skip_onnx_index(onnx, any->dim[1] / 2));
	if (bias) {
		const char *rows = skip_onnx_binary(onnx, "Gather", skip_onnx_part(onnx, out, "bias.rows"),
						    skip_onnx_tensor(onnx, node->param[SKIP_ATTENTION_BIAS]), column);
		skip_onnx_int(onnx, "axis", 1);
		sum = skip_onnx_unary(onnx, "Transpose", skip_onnx_part(onnx, out, "bias"), rows);
		skip_onnx_ints(onnx, "perm", (const int64_t[]){1, 0, 2, 3}, 4);
	}
	if (!rk && !rq) return sum;
	const char *shape = skip_onnx_unary(onnx, "Shape", skip_onnx_part(onnx, out, "at.rows"), q), *length = skip_onnx_unary(onnx, "Shape", skip_onnx_part(onnx, out, "at.length"), k);
	skip_onnx_int(onnx, "start", 3);
	shape = skip_onnx_node(onnx, "Slice", skip_onnx_part(onnx, out, "at.first"), (const char *const[]){shape, LIST(onnx, 0), LIST(onnx, 3), NULL});
	shape = skip_onnx_binary(onnx, "Concat", skip_onnx_part(onnx, out, "at.shape"), shape, length);
	skip_onnx_int(onnx, "axis", 0);
	index = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, out, "index.one"), column, LIST(onnx, 1));
	index = skip_onnx_binary(onnx, "Expand", skip_onnx_part(onnx, out, "index"), index, shape);
	if (rk) {
		const char *all = skip_onnx_binary(onnx, "MatMul", skip_onnx_part(onnx, out, "c2p.all"), q, table_of(onnx, rk, heads, false));
		const char *c2p = skip_onnx_binary(onnx, "GatherElements", skip_onnx_part(onnx, out, "c2p"), all, index);
		skip_onnx_int(onnx, "axis", 3);
		sum = sum_of(onnx, sum, c2p);
	}
	if (rq) {
		const char *all = skip_onnx_binary(onnx, "MatMul", skip_onnx_part(onnx, out, "p2c.all"), table_of(onnx, rq, heads, true), k);
		const char *p2c = skip_onnx_binary(onnx, "GatherElements", skip_onnx_part(onnx, out, "p2c.plain"), all, index);
		skip_onnx_int(onnx, "axis", 2);
		p2c = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "p2c"), p2c, skip_onnx_number(onnx, node->attrs.attention.scale));
		sum = sum_of(onnx, sum, p2c);
	}
	return sum;
}

const char *skip_onnx_beside(struct skip_onnx *onnx, const struct skip_node *node, const char *out, const char *q, const char *k, int prefix)
{
	if (skip_attention_is_plain(node)) return NULL;
	const char *distance = distance_of(onnx, node, out);
	const char *sum = sum_of(onnx, tables_of(onnx, node, out, q, k, distance), mask_of(onnx, node, out, distance));
	if (!prefix) return sum;
	return skip_onnx_binary(onnx, "Pad", skip_onnx_part(onnx, out, "beside"), sum, LIST(onnx, 0, 0, 0, prefix, 0, 0, 0, 0));
}

const char *skip_onnx_rotary(struct skip_onnx *onnx, const struct skip_node *node, const char *out)
{
	const struct skip_attrs_rotary *attrs = &node->attrs.rotary;
	const struct skip_value *value = &onnx->graph->values[node->in[0]];
	const char *x = onnx->value[node->in[0]], *place;
	const int cols = value->cols, width = cols / attrs->heads, half = width / 2;
	const int64_t dim[1] = {cols};
	if (value->rows == SKIP_ROWS_B && attrs->at == SKIP_AT_FIRST) return x; /* at place 0 nothing turns */
	int64_t *pair = skip_onnx_alloc(onnx, (size_t)cols, sizeof(*pair));
	float *sign = skip_onnx_alloc(onnx, (size_t)cols, sizeof(*sign));
	for (int c = 0; pair && sign && c < cols; c++) {
		bool low = c % width < half;
		pair[c] = low ? c + half : c - half;
		sign[c] = low == (attrs->inverse == 1) ? 1 : -1;
	}
	if (!pair || !sign) return NULL;
	if (value->rows == SKIP_ROWS_T) place = skip_onnx_binary(onnx, "Unsqueeze", skip_onnx_part(onnx, out, "place"), places(onnx), LIST(onnx, 1));
	else
		place = skip_onnx_last(onnx);
	place = skip_onnx_unary(onnx, "Cast", skip_onnx_part(onnx, out, "place.float"), place);
	skip_onnx_int(onnx, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	const char *angle = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "angle"), place, skip_onnx_tensor(onnx, node->param[0]));
	const char *cosine = skip_onnx_unary(onnx, "Cos", skip_onnx_part(onnx, out, "cos"), angle);
	const char *sine = skip_onnx_unary(onnx, "Sin", skip_onnx_part(onnx, out, "sin"), angle);
	const char *signs = skip_onnx_floats(onnx, skip_onnx_part(onnx, out, "signs"), 1, dim, sign);
	const char *other = skip_onnx_binary(onnx, "Gather", skip_onnx_part(onnx, out, "other"), x, skip_onnx_list(onnx, pair, (size_t)cols));
	skip_onnx_int(onnx, "axis", -1);
	const char *straight = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "straight"), x, cosine);
	const char *across = skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "across"), other, sine);
	return skip_onnx_binary(onnx, "Add", out, straight, skip_onnx_binary(onnx, "Mul", skip_onnx_part(onnx, out, "signed"), across, signs));
}
