/* What the ops of an ONNX file mean for shapes and parts, and for the views that split rows into heads; see symbol.h. Arithmetic is masks.c. */
#include "model/onnx/symbol.h"
#include <math.h>
#include <string.h>

const Onnx__AttributeProto *skip_onnx_in_attribute(const struct skip_onnx_op *op, const char *name)
{
	for (size_t i = 0; i < op->node->n_attribute; i++)
		if (op->node->attribute[i]->name && strcmp(op->node->attribute[i]->name, name) == 0) return op->node->attribute[i];
	return NULL;
}

int64_t skip_onnx_in_int_or(const struct skip_onnx_op *op, const char *name, int64_t fallback)
{
	const Onnx__AttributeProto *found = skip_onnx_in_attribute(op, name);
	return found ? found->i : fallback;
}

struct skip_symbol skip_onnx_in_sizes(int count, const int64_t *size)
{
	struct skip_symbol out = {.kind = SKIP_SYM_INTS, .count = count};
	memcpy(out.size, size, (size_t)count * sizeof(*size));
	return out;
}

/* Numbers are kept as doubles, in which the largest integers, "to the end" of a slice, round to 2^63. */
static int64_t whole(double number)
{
	if (number >= 0x1p63) return INT64_MAX;
	return number > -0x1p63 ? (int64_t)number : -INT64_MAX;
}

bool skip_onnx_in_ints(const struct skip_symbol *symbol, struct skip_symbol *out)
{
	if (skip_onnx_in_is(symbol, SKIP_SYM_INTS)) {
		*out = *symbol;
		return true;
	}
	const struct skip_numbers *n = symbol->numbers;
	if (!skip_onnx_in_is(symbol, SKIP_SYM_CONST) || !n->integers || n->rank > 1 || n->count > SKIP_ONNX_RANK) return false;
	*out = (struct skip_symbol){.kind = SKIP_SYM_INTS, .count = (int)n->count, .scalar = n->rank == 0};
	for (int i = 0; i < out->count; i++) out->size[i] = whole(n->value[i]);
	return true;
}

bool skip_onnx_in_int(const struct skip_symbol *symbol, int64_t *out)
{
	struct skip_symbol ints;
	if (!skip_onnx_in_ints(symbol, &ints) || ints.count != 1) return false;
	*out = ints.size[0];
	return true;
}

/* The shape of what a symbol stands for. */
static bool shape_of(const struct skip_onnx_in *in, const struct skip_symbol *a, struct skip_symbol *out)
{
	const int64_t free_ = SKIP_ONNX_FREE;
	const struct skip_value *value = &in->graph->values[a->x];
	switch (a->kind) {
	case SKIP_SYM_IDS:
	case SKIP_SYM_TYPES:
	case SKIP_SYM_REAL:
	case SKIP_SYM_COUNT:
	case SKIP_SYM_POSITIONS:
		*out = skip_onnx_in_sizes(2, (const int64_t[]){free_, free_});
		return true;
	case SKIP_SYM_INDEX:
	case SKIP_SYM_MASK: /* of two or more axes, none of a known size */
		*out = skip_onnx_in_sizes(4, (const int64_t[]){free_, free_, free_, free_});
		return true;
	case SKIP_SYM_CONST:
		*out = skip_onnx_in_sizes(a->numbers->rank, a->numbers->dim);
		return true;
	case SKIP_SYM_INTS:
		*out = skip_onnx_in_sizes(a->scalar ? 0 : 1, (const int64_t[]){a->count});
		return true;
	case SKIP_SYM_LOOKUP:
		*out = skip_onnx_in_sizes(3, (const int64_t[]){free_, free_, (a->table[0] ? a->table[0] : a->table[1] ? a->table[1] : a->table[2])->dim[1]});
		return true;
	case SKIP_SYM_PRODUCT:
		*out = skip_onnx_in_sizes(3, (const int64_t[]){free_, free_, in->graph->tensors[a->tensor]->dim[0]});
		return true;
	case SKIP_SYM_ROWS:
		if (value->rows == SKIP_ROWS_B) *out = skip_onnx_in_sizes(2, (const int64_t[]){free_, value->cols});
		else
			*out = skip_onnx_in_sizes(3, (const int64_t[]){free_, free_, value->cols});
		return true;
	case SKIP_SYM_SPLIT:
	case SKIP_SYM_CONTEXT:
		*out = skip_onnx_in_sizes(4, (const int64_t[]){free_, free_, free_, free_});
		for (int i = 0; i < 4; i++) {
			if (a->layout[i] == 'h') out->size[i] = a->heads;
			if (a->layout[i] == 'e') out->size[i] = skip_onnx_in_is(a, SKIP_SYM_SPLIT) ? a->width : a->v_width;
		}
		return true;
	case SKIP_SYM_SCORES:
	case SKIP_SYM_WEIGHTS:
		*out = skip_onnx_in_sizes(4, (const int64_t[]){free_, a->heads, free_, free_});
		return true;
	default:
		return false;
	}
}

static bool shape(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	struct skip_symbol whole;
	if (!shape_of(in, op->in[0], &whole)) return false;
	int64_t start = skip_onnx_in_int_or(op, "start", 0), end = skip_onnx_in_int_or(op, "end", whole.count);
	if (start < 0) start += whole.count;
	if (end < 0) end += whole.count;
	if (start < 0 || end > whole.count || start > end) return false;
	*out = skip_onnx_in_sizes((int)(end - start), whole.size + start);
	return true;
}

/* ---- the same symbol in another form */

static bool same(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	return true;
}

/* Masks, positions and small constants keep what they are under new or fewer axes. */
static bool indifferent(const struct skip_symbol *a)
{
	return skip_onnx_in_is(a, SKIP_SYM_MASK) || skip_onnx_in_is(a, SKIP_SYM_POSITIONS) || skip_onnx_in_is(a, SKIP_SYM_IDS) || skip_onnx_in_is(a, SKIP_SYM_TYPES) || skip_onnx_in_is(a, SKIP_SYM_REAL) || skip_onnx_in_is(a, SKIP_SYM_COUNT) ||
	       skip_onnx_in_is(a, SKIP_SYM_INDEX);
}

static bool cast(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	int64_t type = skip_onnx_in_int_or(op, "to", 0);
	*out = *a;
	if (skip_onnx_in_is(a, SKIP_SYM_CONST) && a->numbers->value) {
		bool integers = type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 ||
				type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
		out->numbers = skip_onnx_in_make_numbers(in, a->numbers->rank, a->numbers->dim, integers, a->numbers->value);
		return out->numbers != NULL;
	}
	/* A cast of rows to another float type would round; to float32 it is what the file computes in. */
	return indifferent(a) || skip_onnx_in_is(a, SKIP_SYM_INTS) || type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

static bool unsqueeze(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	*out = *a;
	if (indifferent(a)) return true;
	if (skip_onnx_in_is(a, SKIP_SYM_INTS)) {
		out->scalar = false;
		return a->scalar;
	}
	if (!skip_onnx_in_is(a, SKIP_SYM_CONST) || !a->numbers->value || a->numbers->rank >= SKIP_ONNX_RANK) return false;
	/* Constants of one row: where the new axis stands does not matter for what is read of them. */
	int64_t dim[SKIP_ONNX_RANK] = {1};
	memcpy(dim + 1, a->numbers->dim, (size_t)a->numbers->rank * sizeof(*dim));
	out->numbers = skip_onnx_in_make_numbers(in, a->numbers->rank + 1, dim, a->numbers->integers, a->numbers->value);
	return out->numbers != NULL;
}

/* [batch][1][cols] of a first row loses its axis. */
static bool first_row(struct skip_onnx_in *in, int x, struct skip_symbol *out)
{
	int value;
	if (!skip_onnx_in_emit(in, "pool", &x, 1, NULL, 0, (union skip_attrs){.pool = {.mode = SKIP_POOL_CLS}}, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

static bool squeeze(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	*out = *a;
	if (skip_onnx_in_is(a, SKIP_SYM_FIRST)) return first_row(in, a->x, out);
	out->scalar = true;
	return indifferent(a) || (skip_onnx_in_is(a, SKIP_SYM_INTS) && a->count == 1);
}

static bool expand(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	return indifferent(out) || skip_onnx_in_is(out, SKIP_SYM_CONST);
}

/* ---- heads */

static bool join_heads(struct skip_onnx_in *in, const struct skip_symbol *a, struct skip_symbol *out)
{
	int qkv[3] = {a->x, a->k, a->v}, prefix[2], value, n_prefix = a->prefix[0] ? 2 : 0;
	const union skip_attrs attrs = {.attention = {.heads = a->heads, .qk = a->width, .v = a->v_width, .scale = (float)a->factor}};
	if (strcmp(a->layout, "bshe") != 0) return false;
	for (int i = 0; i < n_prefix; i++)
		if (!skip_onnx_in_prefix_of(in, a->prefix[i], i == 0, &prefix[i])) return false;
	if (!skip_onnx_in_emit(in, "attention", qkv, 3, prefix, n_prefix, attrs, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

/* Rows [batch][sequence][cols] as [batch][sequence][heads][width]; one of heads and width may be left to the reader. */
static bool split_heads(struct skip_onnx_in *in, const struct skip_symbol *a, const struct skip_symbol *target, struct skip_symbol *out)
{
	double factor = skip_onnx_in_is(a, SKIP_SYM_ROWS) ? a->factor : 1;
	int x = skip_onnx_in_is(a, SKIP_SYM_ROWS) ? a->x : skip_onnx_in_rows(in, a);
	if (x == SKIP_NONE) return false;
	int64_t cols = in->graph->values[x].cols, heads = target->size[2], width = target->size[3];
	if (heads > cols || width > cols) return false;
	if (heads < 1 && width > 0) heads = cols / width;
	if (width < 1 && heads > 0) width = cols / heads;
	*out = (struct skip_symbol){.kind = SKIP_SYM_SPLIT, .x = x, .factor = factor, .heads = (int)heads, .width = (int)width, .layout = "bshe"};
	return heads > 0 && width > 0 && heads * width == cols;
}

static bool reshape(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	struct skip_symbol target;
	*out = *a;
	if (indifferent(a)) return true;
	if (!skip_onnx_in_ints(op->in[1], &target)) return false;
	switch (a->kind) {
	case SKIP_SYM_CONTEXT: /* of all rows, or of the first, which lose their axis */
		return target.count == (in->graph->values[a->x].rows == SKIP_ROWS_T ? 3 : 2) && join_heads(in, a, out);
	case SKIP_SYM_FIRST:
		return target.count == 2 && first_row(in, a->x, out);
	case SKIP_SYM_PRODUCT:
	case SKIP_SYM_ROWS:
		if (target.count == 4) return split_heads(in, a, &target, out);
		return target.count == 3 || target.count == 2; /* tokens end to end, or in sequences again */
	case SKIP_SYM_INTS:
		out->scalar = target.count == 0;
		return a->count == 1 || (target.count == 1 && (target.size[0] == -1 || target.size[0] == a->count));
	case SKIP_SYM_CONST:
		return a->numbers->count == 1 || a->numbers->integers;
	default:
		return false;
	}
}

static bool transpose(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	const Onnx__AttributeProto *perm = skip_onnx_in_attribute(op, "perm");
	*out = *a;
	if (skip_onnx_in_is(a, SKIP_SYM_MASK)) return true;
	if (skip_onnx_in_is(a, SKIP_SYM_CONST)) {
		out->numbers = skip_onnx_in_turned(in, a->numbers);
		return out->numbers != NULL;
	}
	if ((!skip_onnx_in_is(a, SKIP_SYM_SPLIT) && !skip_onnx_in_is(a, SKIP_SYM_CONTEXT)) || !perm || perm->n_ints != 4) return false;
	if (skip_onnx_in_is(a, SKIP_SYM_SPLIT) && a->prefix[0]) return false; /* its numbers lie as they were put there */
	for (int i = 0; i < 4; i++) {
		if (perm->ints[i] < 0 || perm->ints[i] > 3) return false;
		out->layout[i] = a->layout[perm->ints[i]];
	}
	return true;
}

/* ---- parts: Gather, Slice, Concat */

/* Tables are looked up by ids, types, positions, or by a zero that never changes. */
static bool lookup(struct skip_onnx_in *in, const struct skip_numbers *table, const struct skip_symbol *index, struct skip_symbol *out)
{
	*out = (struct skip_symbol){.kind = SKIP_SYM_LOOKUP};
	if (table->integers || table->rank != 2) return false;
	switch (index->kind) {
	case SKIP_SYM_IDS:
		out->table[0] = table;
		return true;
	case SKIP_SYM_POSITIONS:
		out->table[1] = table;
		out->base = index->base;
		return true;
	case SKIP_SYM_TYPES:
		out->table[2] = table;
		return true;
	case SKIP_SYM_CONST: {
		int64_t dim[1] = {table->dim[1]};
		bool zeros = index->numbers->integers && table->value;
		for (size_t i = 0; zeros && i < index->numbers->count; i++) zeros = index->numbers->value[i] == 0;
		if (zeros) out->table[2] = skip_onnx_in_make_numbers(in, 1, dim, false, table->value);
		return out->table[2] != NULL;
	}
	default:
		return false;
	}
}

static bool gather(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0], *index = op->in[1];
	struct skip_symbol whole;
	int64_t at, axis = skip_onnx_in_int_or(op, "axis", 0);
	if (skip_onnx_in_is(a, SKIP_SYM_MASK)) {
		*out = *a;
		return true;
	}
	if (skip_onnx_in_is(a, SKIP_SYM_ROWS) && axis == 1 && skip_onnx_in_int(index, &at) && at == 0 && in->graph->values[a->x].rows == SKIP_ROWS_T && a->factor == 1)
		return first_row(in, a->x, out);
	if (skip_onnx_in_is(a, SKIP_SYM_CONST) && !a->numbers->integers) return axis == 0 && lookup(in, a->numbers, index, out);
	if (!skip_onnx_in_ints(a, &whole) || !skip_onnx_in_int(index, &at) || whole.scalar) return false;
	if (at < 0) at += whole.count;
	if (at < 0 || at >= whole.count) return false;
	*out = skip_onnx_in_sizes(1, &whole.size[at]);
	out->scalar = skip_onnx_in_is(index, SKIP_SYM_INTS) ? index->scalar : index->numbers->rank == 0;
	return true;
}

/* Zeros beside the mask: room for a prefix, which is never padding. */
static bool pad(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	const Onnx__AttributeProto *mode = skip_onnx_in_attribute(op, "mode");
	*out = *op->in[0];
	if (mode && (mode->s.len != 8 || memcmp(mode->s.data, "constant", 8) != 0)) return false;
	return skip_onnx_in_is(out, SKIP_SYM_MASK) && (skip_onnx_in_is(op->in[2], SKIP_SYM_NONE) || skip_onnx_in_is_number(op->in[2], 0, 0));
}

static bool flatten(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	return indifferent(out);
}

/* Types that never change, picked along the positions. */
static bool gather_elements(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	if (skip_onnx_in_is(out, SKIP_SYM_MASK)) return true;
	bool zeros = skip_onnx_in_is(out, SKIP_SYM_CONST) && out->numbers->integers;
	for (size_t i = 0; zeros && i < out->numbers->count; i++) zeros = out->numbers->value[i] == 0;
	return zeros;
}

/* 0, 1, 2, ... from `base` on, in one row of a constant. */
static bool is_range(const struct skip_numbers *n)
{
	if (!n->integers || n->count < 2 || n->rank < 1 || (size_t)n->dim[n->rank - 1] != n->count) return false;
	for (size_t i = 1; i < n->count; i++)
		if (n->value[i] != n->value[0] + (double)i) return false;
	return n->value[0] >= 0 && n->value[0] < SKIP_ONNX_LARGEST;
}

static bool slice(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	const struct skip_symbol *a = op->in[0];
	struct skip_symbol whole;
	int64_t start, end, axis = 0;
	*out = *a;
	if (skip_onnx_in_is(a, SKIP_SYM_MASK)) return true;
	if (!skip_onnx_in_int(op->in[1], &start) || !skip_onnx_in_int(op->in[2], &end)) return false;
	if (!skip_onnx_in_is(op->in[3], SKIP_SYM_NONE) && !skip_onnx_in_int(op->in[3], &axis)) return false;
	if (op->n_in > 4 && !skip_onnx_in_is_number(op->in[4], 1, 0)) return false;
	if (skip_onnx_in_is(a, SKIP_SYM_CONST) && a->numbers->integers && a->numbers->rank == 2 && start >= 0 && start < SKIP_ONNX_LARGEST) {
		/* A buffer of positions cut to the length, or of zeros. */
		if (axis == 0) return start == 0;
		if (is_range(a->numbers)) *out = (struct skip_symbol){.kind = SKIP_SYM_POSITIONS, .base = (int)(a->numbers->value[0] + (double)start)};
		return true;
	}
	if (skip_onnx_in_is(a, SKIP_SYM_CONST) && !a->numbers->integers && a->numbers->rank == 2 && axis == 0 && start >= 0 && start < SKIP_ONNX_LARGEST && end == SKIP_ONNX_FREE) {
		/* The rows of a table of positions, as many as there are tokens. */
		*out = (struct skip_symbol){.kind = SKIP_SYM_LOOKUP, .table = {NULL, a->numbers, NULL}, .base = (int)start};
		return true;
	}
	if (skip_onnx_in_is(a, SKIP_SYM_ROWS) && a->factor == 1) {
		bool all = start == 0 && (end == INT64_MAX || end == SKIP_ONNX_FREE || end >= INT32_MAX);
		if (axis == 1 && start == 0 && end == 1) out->kind = SKIP_SYM_FIRST;
		return all || (axis == 1 && start == 0 && end == 1);
	}
	if (!skip_onnx_in_ints(a, &whole) || start == SKIP_ONNX_FREE || end == SKIP_ONNX_FREE) return false;
	if (start < 0) start += whole.count;
	if (end < 0) end += whole.count;
	if (end > whole.count) end = whole.count;
	if (start < 0 || start > end) return false;
	*out = skip_onnx_in_sizes((int)(end - start), whole.size + start);
	return true;
}

/* A constant in front of the keys (turned) or the values of every sequence. */
static bool put_prefix(const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *constant = op->in[0], *split = op->in[1];
	if (op->n_in != 2 || !skip_onnx_in_is(constant, SKIP_SYM_CONST) || !skip_onnx_in_is(split, SKIP_SYM_SPLIT) || split->prefix[0]) return false;
	const bool keys = strcmp(split->layout, "bhes") == 0;
	const struct skip_numbers *n = constant->numbers;
	const int64_t axis = skip_onnx_in_int_or(op, "axis", 0);
	*out = *split;
	out->prefix[0] = n;
	if (!keys && strcmp(split->layout, "bhse") != 0) return false;
	if (n->integers || !n->data || n->turned || n->rank != 4 || n->dim[0] != 1 || n->dim[1] != split->heads || n->dim[keys ? 2 : 3] != split->width) return false;
	return axis == (keys ? 3 : 2) || axis == (keys ? -1 : -2);
}

static bool concat(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	if (skip_onnx_in_index_arithmetic(op, out) || put_prefix(op, out)) return true;
	*out = (struct skip_symbol){.kind = SKIP_SYM_INTS};
	for (int i = 0; i < op->n_in; i++) {
		struct skip_symbol part;
		if (!skip_onnx_in_ints(op->in[i], &part) || out->count + part.count > SKIP_ONNX_RANK) return false;
		memcpy(out->size + out->count, part.size, (size_t)part.count * sizeof(*part.size));
		out->count += part.count;
	}
	return true;
}

/* One number over a shape of any size stands for itself. */
static bool constant_of_shape(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const Onnx__AttributeProto *value = skip_onnx_in_attribute(op, "value");
	struct skip_symbol target;
	double zero = 0;
	*out = (struct skip_symbol){.kind = SKIP_SYM_CONST};
	out->numbers = value && value->t ? skip_onnx_in_numbers(in, value->t) : skip_onnx_in_make_numbers(in, 0, NULL, false, &zero);
	if (!out->numbers) return false;
	/* The shape of a shape: as many numbers. */
	if (out->numbers->integers && skip_onnx_in_ints(op->in[0], &target) && target.count == 1 && target.size[0] >= 1 && target.size[0] <= SKIP_ONNX_RANK) {
		double number = out->numbers->value[0];
		*out = (struct skip_symbol){.kind = SKIP_SYM_INTS, .count = (int)target.size[0]};
		for (int i = 0; i < out->count; i++) out->size[i] = (int64_t)number;
	}
	return true;
}

static bool constant(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const Onnx__AttributeProto *value = skip_onnx_in_attribute(op, "value"), *number;
	double real;
	*out = (struct skip_symbol){.kind = SKIP_SYM_CONST};
	if (value && value->t) out->numbers = skip_onnx_in_numbers(in, value->t);
	else if ((number = skip_onnx_in_attribute(op, "value_float"))) {
		real = (double)number->f;
		out->numbers = skip_onnx_in_make_numbers(in, 0, NULL, false, &real);
	} else if ((number = skip_onnx_in_attribute(op, "value_int"))) {
		real = (double)number->i;
		out->numbers = skip_onnx_in_make_numbers(in, 0, NULL, true, &real);
	} else if ((number = skip_onnx_in_attribute(op, "value_ints")) && number->n_ints <= SKIP_ONNX_RANK) {
		*out = skip_onnx_in_sizes((int)number->n_ints, number->ints);
		return true;
	}
	return out->numbers != NULL;
}

static const struct {
	const char *op;
	skip_onnx_rule rule;
} shape_rules[] = {
    {"Cast", cast},
    {"Concat", concat},
    {"Constant", constant},
    {"ConstantOfShape", constant_of_shape},
    {"Dropout", same},
    {"Expand", expand},
    {"Flatten", flatten},
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather},
    {"Identity", same},
    {"Pad", pad},
    {"Reshape", reshape},
    {"Shape", shape},
    {"Slice", slice},
    {"Squeeze", squeeze},
    {"Transpose", transpose},
    {"Unsqueeze", unsqueeze},
};

skip_onnx_rule skip_onnx_in_find_shape_rule(const char *op)
{
	for (size_t i = 0; i < sizeof(shape_rules) / sizeof(shape_rules[0]); i++)
		if (strcmp(shape_rules[i].op, op) == 0) return shape_rules[i].rule;
	return NULL;
}
