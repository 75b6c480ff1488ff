/* What the ops of an ONNX file mean for rows: products, norms, activations, attention, embeddings; see symbol.h. */
#include "model/onnx/symbol.h"
#include <math.h>
#include <string.h>

#define NEAR 1e-4 /* constants are written with few digits or many */
#define SQRT_HALF 0.70710678118654752
#define SQRT_2_OVER_PI 0.79788456080286536
#define GELU_CUBIC 0.044715

bool skip_onnx_in_emit(struct skip_onnx_in *in, const char *op, const int *x, int n_in, const int *param, int n_param, union skip_attrs attrs, int *out)
{
	char name[32];
	struct skip_build build = {.graph = in->graph};
	snprintf(name, sizeof(name), "value%d", in->n_values++);
	in->status = skip_build_node(&build, op, SKIP_NONE, x, n_in, param, n_param, attrs, name, out, in->err);
	return in->status == SKIP_OK;
}

struct skip_symbol skip_onnx_in_rows_symbol(int value)
{
	return (struct skip_symbol){.kind = SKIP_SYM_ROWS, .x = value, .factor = 1};
}

int skip_onnx_in_rows(struct skip_onnx_in *in, const struct skip_symbol *symbol)
{
	int value;
	if (symbol->kind == SKIP_SYM_ROWS && fabs(symbol->factor - 1) < 1e-9) return symbol->x;
	if (symbol->kind != SKIP_SYM_PRODUCT) return SKIP_NONE;
	return skip_onnx_in_emit(in, "linear", &symbol->x, 1, &symbol->tensor, 1, (union skip_attrs){0}, &value) ? value : SKIP_NONE;
}

/* Rows from one node of the graph. */
static bool rows_of(struct skip_onnx_in *in, const char *op, int x, union skip_attrs attrs, struct skip_symbol *out)
{
	int value;
	if (!skip_onnx_in_emit(in, op, &x, 1, NULL, 0, attrs, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

static bool activation(struct skip_onnx_in *in, int x, enum skip_act act, struct skip_symbol *out)
{
	return x != SKIP_NONE && rows_of(in, "act", x, (union skip_attrs){.act = {.kind = act}}, out);
}

/* The two inputs in the order (first, second) of kinds, whichever way they stand. */
static bool pair(const struct skip_onnx_op *op, enum skip_symbol_kind first, enum skip_symbol_kind second, const struct skip_symbol **a,
                 const struct skip_symbol **b)
{
	for (int i = 0; i < 2; i++) {
		*a = op->in[i];
		*b = op->in[1 - i];
		if ((*a)->kind == first && (*b)->kind == second) return true;
	}
	return false;
}

/* One number and the other input. */
static bool with_number(const struct skip_onnx_op *op, const struct skip_symbol **other, double *number)
{
	for (int i = 0; i < 2; i++) {
		*other = op->in[i];
		if (skip_onnx_in_number(op->in[1 - i], number)) return true;
	}
	return false;
}

static bool is_vector(const struct skip_symbol *symbol)
{
	return symbol->kind == SKIP_SYM_CONST && symbol->numbers->rank == 1 && !symbol->numbers->integers;
}

/* ---- products */

/* A number per column is added to rows: what is left of a sub-layer that was removed. */
static bool add_vector(struct skip_onnx_in *in, int x, const struct skip_numbers *bias, struct skip_symbol *out)
{
	int tensor, value;
	if (x == SKIP_NONE || (int64_t)bias->count != in->graph->values[x].cols || !skip_onnx_in_tensor_of(in, bias, &tensor)) return false;
	if (!skip_onnx_in_emit(in, "add_bias", &x, 1, &tensor, 1, (union skip_attrs){0}, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

static bool add_linear(struct skip_onnx_in *in, int x, int tensor, const struct skip_numbers *bias, struct skip_symbol *out)
{
	int param[2] = {tensor, SKIP_NONE}, value;
	if (!skip_onnx_in_tensor_of(in, bias, &param[1])) return false;
	if (!skip_onnx_in_emit(in, "linear", &x, 1, param, 2, (union skip_attrs){0}, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

/* x W with W [in][out]; the graph keeps [out][in]. */
static bool product(struct skip_onnx_in *in, int x, const struct skip_numbers *w, bool turn, struct skip_symbol *out)
{
	const struct skip_numbers *kept = turn ? skip_onnx_in_turned(in, w) : w;
	*out = (struct skip_symbol){.kind = SKIP_SYM_PRODUCT, .x = x};
	return x != SKIP_NONE && kept && kept->rank == 2 && kept->dim[1] == in->graph->values[x].cols && skip_onnx_in_tensor_of(in, kept, &out->tensor);
}

static bool matmul(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0], *b = op->in[1];
	if (b->kind == SKIP_SYM_CONST) return product(in, skip_onnx_in_rows(in, a), b->numbers, true, out);
	if (a->kind == SKIP_SYM_SPLIT && b->kind == SKIP_SYM_SPLIT && !strcmp(a->layout, "bhse") && !strcmp(b->layout, "bhes")) {
		*out = (struct skip_symbol){.kind = SKIP_SYM_SCORES, .x = a->x, .k = b->x, .heads = a->heads, .width = a->width, .factor = a->factor * b->factor,
					    .prefix = {b->prefix[0]}};
		return a->heads == b->heads && a->width == b->width && !a->prefix[0] && (!b->prefix[0] || b->factor == 1);
	}
	if (a->kind == SKIP_SYM_WEIGHTS && b->kind == SKIP_SYM_SPLIT && !strcmp(b->layout, "bhse") && b->factor == 1 && a->heads == b->heads) {
		*out = *a;
		out->kind = SKIP_SYM_CONTEXT;
		out->v = b->x;
		out->v_width = b->width;
		out->prefix[1] = b->prefix[0];
		strcpy(out->layout, "bhse");
		return !out->prefix[0] == !out->prefix[1];
	}
	return false;
}

static bool gemm(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const Onnx__AttributeProto *alpha = skip_onnx_in_attribute(op, "alpha"), *beta = skip_onnx_in_attribute(op, "beta");
	const struct skip_symbol *w = op->in[1], *bias = op->in[2];
	struct skip_symbol made;
	if ((alpha && alpha->f != 1) || (beta && beta->f != 1) || skip_onnx_in_int_or(op, "transA", 0) || w->kind != SKIP_SYM_CONST) return false;
	if (!product(in, skip_onnx_in_rows(in, op->in[0]), w->numbers, !skip_onnx_in_int_or(op, "transB", 0), &made)) return false;
	if (bias->kind == SKIP_SYM_NONE) *out = made;
	else
		return is_vector(bias) && add_linear(in, made.x, made.tensor, bias->numbers, out);
	return true;
}

/* ---- layer norms */

static bool emit_layernorm(struct skip_onnx_in *in, int x, int gamma, const struct skip_symbol *beta, float eps, struct skip_symbol *out)
{
	int param[2] = {gamma, SKIP_NONE}, value;
	if (x == SKIP_NONE || !is_vector(beta) || !skip_onnx_in_tensor_of(in, beta->numbers, &param[1])) return false;
	if (!skip_onnx_in_emit(in, "layernorm", &x, 1, param, 2, (union skip_attrs){.layernorm = {.eps = eps}}, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

/* Looked-up rows become the embed node when something reads their sum. */
static int embedded(struct skip_onnx_in *in, const struct skip_symbol *symbol)
{
	int param[3], value;
	const union skip_attrs attrs = {.embed = {.position_base = symbol->base}};
	const struct skip_numbers *const *table = symbol->table;
	if (symbol->kind != SKIP_SYM_LOOKUP) return skip_onnx_in_rows(in, symbol);
	if (!table[0] || !table[1]) return SKIP_NONE;
	/* A type that never changes is added to every position; its row is marked by rank 1. */
	bool fixed = table[2] && table[2]->rank == 1;
	if (!skip_onnx_in_tensor_of(in, table[0], &param[0]) || !skip_onnx_in_tensor_plus(in, table[1], fixed ? table[2] : NULL, &param[1])) return SKIP_NONE;
	if (table[2] && !fixed && !skip_onnx_in_tensor_of(in, table[2], &param[2])) return SKIP_NONE;
	if (!skip_onnx_in_emit(in, "embed", NULL, 0, param, table[2] && !fixed ? 3 : 2, attrs, &value)) return SKIP_NONE;
	return value;
}

static bool layernorm(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const Onnx__AttributeProto *eps = skip_onnx_in_attribute(op, "epsilon");
	int gamma;
	if (skip_onnx_in_int_or(op, "axis", -1) != -1 && skip_onnx_in_int_or(op, "axis", -1) != 2) return false;
	if (!is_vector(op->in[1]) || !skip_onnx_in_tensor_of(in, op->in[1]->numbers, &gamma)) return false;
	return emit_layernorm(in, embedded(in, op->in[0]), gamma, op->in[2], eps ? eps->f : 1e-5f, out);
}

static bool last_axis(const struct skip_onnx_op *op)
{
	const Onnx__AttributeProto *axes = skip_onnx_in_attribute(op, "axes");
	double axis;
	if (axes) return axes->n_ints == 1 && (axes->ints[0] == -1 || axes->ints[0] == 2);
	return skip_onnx_in_number(op->in[1], &axis) && (axis == -1 || axis == 2);
}

static bool reduce_mean(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	if (!last_axis(op) || !skip_onnx_in_int_or(op, "keepdims", 1)) return false;
	if (a->kind == SKIP_SYM_SQUARE) {
		*out = *a;
		out->kind = SKIP_SYM_VARIANCE;
		return true;
	}
	*out = (struct skip_symbol){.kind = SKIP_SYM_MEAN, .x = embedded(in, a)};
	return out->x != SKIP_NONE;
}

/* Sums over the tokens: of rows that are zero elsewhere, and of the mask. */
static bool reduce_sum(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	const struct skip_symbol *a = op->in[0];
	const Onnx__AttributeProto *axes = skip_onnx_in_attribute(op, "axes");
	bool along = axes ? axes->n_ints == 1 && axes->ints[0] == 1 : skip_onnx_in_is_number(op->in[1], 1, 0);
	*out = (struct skip_symbol){.kind = a->kind == SKIP_SYM_MASKED ? SKIP_SYM_SUM : SKIP_SYM_TOKENS, .x = a->x};
	return along && (a->kind == SKIP_SYM_MASKED || a->kind == SKIP_SYM_MASK);
}

/* The number of tokens is at least 1; a lower limit that keeps a division from zero changes nothing. */
static bool at_least(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	double low;
	*out = *op->in[0];
	return out->kind == SKIP_SYM_TOKENS && op->in[2]->kind == SKIP_SYM_NONE && skip_onnx_in_number(op->in[1], &low) && low <= 1;
}

static bool subtract(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0], *mean = op->in[1];
	if (mean->kind != SKIP_SYM_MEAN) return false;
	/* Looked-up rows were made a value when their mean was taken. */
	*out = (struct skip_symbol){.kind = SKIP_SYM_CENTRED, .x = mean->x};
	return a->kind == SKIP_SYM_LOOKUP || skip_onnx_in_rows(in, a) == mean->x;
}

static bool power(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	*out = *a;
	if (a->kind == SKIP_SYM_CENTRED && skip_onnx_in_is_number(op->in[1], 2, 0)) out->kind = SKIP_SYM_SQUARE;
	else if (skip_onnx_in_is_number(op->in[1], 3, 0)) {
		*out = (struct skip_symbol){.kind = SKIP_SYM_CUBE, .x = skip_onnx_in_rows(in, a), .factor = 1};
		return out->x != SKIP_NONE;
	} else
		return false;
	return true;
}

static bool one_number(struct skip_onnx_in *in, double number, struct skip_symbol *out)
{
	*out = (struct skip_symbol){.kind = SKIP_SYM_CONST, .numbers = skip_onnx_in_make_numbers(in, 0, NULL, false, &number)};
	return out->numbers != NULL;
}

static bool square_root(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	double number; /* a scale computed from a width */
	if (skip_onnx_in_number(op->in[0], &number)) return number > 0 && one_number(in, sqrt(number), out);
	*out = *op->in[0];
	out->kind = SKIP_SYM_SPREAD;
	return op->in[0]->kind == SKIP_SYM_VARIANCE && op->in[0]->eps > 0;
}

static bool reciprocal(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	out->kind = SKIP_SYM_INVERSE;
	return op->in[0]->kind == SKIP_SYM_SPREAD;
}

/* ---- activations */

static bool relu(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	return activation(in, skip_onnx_in_rows(in, op->in[0]), SKIP_ACT_RELU, out);
}

static bool hyperbolic(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	if (a->kind != SKIP_SYM_BENT) return activation(in, skip_onnx_in_rows(in, a), SKIP_ACT_TANH, out);
	*out = *a;
	out->kind = SKIP_SYM_BENT_TANH;
	return fabs(a->factor - SQRT_2_OVER_PI) < NEAR;
}

static bool gelu(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const Onnx__AttributeProto *form = skip_onnx_in_attribute(op, "approximate");
	bool bent = form && form->s.len == 4 && memcmp(form->s.data, "tanh", 4) == 0;
	return activation(in, skip_onnx_in_rows(in, op->in[0]), bent ? SKIP_ACT_GELU_TANH : SKIP_ACT_GELU, out);
}

static bool erf_of(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	const struct skip_symbol *a = op->in[0];
	*out = (struct skip_symbol){.kind = SKIP_SYM_ERF, .x = a->x};
	return a->kind == SKIP_SYM_ROWS && fabs(a->factor - SQRT_HALF) < NEAR;
}

/* factor * x times (1 + erf) or (1 + tanh) of the same x; half of it is GELU. */
static bool gelu_product(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a, *b;
	enum skip_act act;
	if (pair(op, SKIP_SYM_ROWS, SKIP_SYM_ERF_ONE, &a, &b)) act = SKIP_ACT_GELU;
	else if (pair(op, SKIP_SYM_ROWS, SKIP_SYM_BENT_ONE, &a, &b))
		act = SKIP_ACT_GELU_TANH;
	else
		return false;
	if (a->x != b->x) return false;
	double factor = a->factor * b->factor;
	if (fabs(factor - 0.5) < NEAR) return activation(in, a->x, act, out);
	*out = (struct skip_symbol){.kind = SKIP_SYM_TWICE, .x = a->x, .act = act};
	return fabs(factor - 1) < NEAR;
}

/* ---- sums and products of two symbols */

static bool add_tables(const struct skip_symbol *a, const struct skip_symbol *b, struct skip_symbol *out)
{
	*out = *a;
	for (int i = 0; i < 3; i++) {
		if (a->table[i] && b->table[i]) return false;
		if (b->table[i]) out->table[i] = b->table[i];
	}
	if (b->table[1]) out->base = b->base;
	return true;
}

/* The row of the only type there is, the same for every token. */
static bool add_type(struct skip_onnx_in *in, const struct skip_symbol *a, const struct skip_numbers *row, struct skip_symbol *out)
{
	bool one_row = !row->integers && row->value && row->rank >= 1 && row->count == (size_t)row->dim[row->rank - 1];
	*out = *a;
	if (a->table[2] || !one_row) return false;
	out->table[2] = skip_onnx_in_make_numbers(in, 1, &row->dim[row->rank - 1], false, row->value);
	return out->table[2] != NULL;
}

static bool add_rows(struct skip_onnx_in *in, const struct skip_symbol *a, const struct skip_symbol *b, struct skip_symbol *out)
{
	int x[2] = {skip_onnx_in_rows(in, a), skip_onnx_in_rows(in, b)}, value;
	if (x[0] == SKIP_NONE || x[1] == SKIP_NONE || !skip_onnx_in_emit(in, "add", x, 2, NULL, 0, (union skip_attrs){0}, &value)) return false;
	*out = skip_onnx_in_rows_symbol(value);
	return true;
}

static bool add(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a, *b;
	double number;
	if (pair(op, SKIP_SYM_LOOKUP, SKIP_SYM_LOOKUP, &a, &b)) return add_tables(a, b, out);
	if (pair(op, SKIP_SYM_LOOKUP, SKIP_SYM_CONST, &a, &b)) return add_type(in, a, b->numbers, out);
	if (pair(op, SKIP_SYM_PRODUCT, SKIP_SYM_CONST, &a, &b)) return is_vector(b) && add_linear(in, a->x, a->tensor, b->numbers, out);
	if (pair(op, SKIP_SYM_SCALED, SKIP_SYM_CONST, &a, &b)) return emit_layernorm(in, a->x, a->tensor, b, a->eps, out);
	if (pair(op, SKIP_SYM_SCORES, SKIP_SYM_MASK, &a, &b)) {
		*out = *a;
		return true;
	}
	if (pair(op, SKIP_SYM_ROWS, SKIP_SYM_CUBE, &a, &b)) {
		*out = (struct skip_symbol){.kind = SKIP_SYM_BENT, .x = a->x, .factor = 1};
		return a->x == b->x && a->factor == 1 && fabs(b->factor - GELU_CUBIC) < NEAR * GELU_CUBIC;
	}
	if (with_number(op, &a, &number)) {
		*out = *a;
		out->factor = 1;
		if (a->kind == SKIP_SYM_VARIANCE && number > 0) out->eps = (float)number;
		else if (a->kind == SKIP_SYM_ERF && number == 1)
			out->kind = SKIP_SYM_ERF_ONE;
		else if (a->kind == SKIP_SYM_BENT_TANH && number == 1)
			out->kind = SKIP_SYM_BENT_ONE;
		else
			return false;
		return true;
	}
	if (pair(op, SKIP_SYM_ROWS, SKIP_SYM_CONST, &a, &b)) return is_vector(b) && add_vector(in, skip_onnx_in_rows(in, a), b->numbers, out);
	return add_rows(in, op->in[0], op->in[1], out);
}

/* A symbol times a number. */
static bool scale(struct skip_onnx_in *in, const struct skip_symbol *a, double number, struct skip_symbol *out)
{
	*out = *a;
	switch (a->kind) {
	case SKIP_SYM_PRODUCT:
		out->x = skip_onnx_in_rows(in, a);
		out->kind = SKIP_SYM_ROWS;
		out->factor = number;
		return out->x != SKIP_NONE;
	case SKIP_SYM_ROWS:
	case SKIP_SYM_SPLIT:
	case SKIP_SYM_SCORES:
	case SKIP_SYM_CUBE:
	case SKIP_SYM_BENT:
	case SKIP_SYM_ERF_ONE:
	case SKIP_SYM_BENT_ONE:
		out->factor = a->factor * number;
		return true;
	case SKIP_SYM_TWICE:
		return fabs(number - 0.5) < NEAR && activation(in, a->x, a->act, out);
	default:
		return false;
	}
}

static bool multiply(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a, *b;
	double number;
	if (with_number(op, &a, &number)) return scale(in, a, number, out);
	if (pair(op, SKIP_SYM_NORMED, SKIP_SYM_CONST, &a, &b)) {
		*out = *a;
		out->kind = SKIP_SYM_SCALED;
		return is_vector(b) && skip_onnx_in_tensor_of(in, b->numbers, &out->tensor);
	}
	if (pair(op, SKIP_SYM_ROWS, SKIP_SYM_MASK, &a, &b)) {
		*out = (struct skip_symbol){.kind = SKIP_SYM_MASKED, .x = skip_onnx_in_rows(in, a)};
		return out->x != SKIP_NONE && in->graph->values[out->x].rows == SKIP_ROWS_T;
	}
	if (pair(op, SKIP_SYM_CENTRED, SKIP_SYM_INVERSE, &a, &b)) {
		*out = *b;
		out->kind = SKIP_SYM_NORMED;
		return a->x == b->x;
	}
	if (pair(op, SKIP_SYM_CENTRED, SKIP_SYM_CENTRED, &a, &b)) {
		*out = *a;
		out->kind = SKIP_SYM_SQUARE;
		return a->x == b->x;
	}
	return gelu_product(in, op, out);
}

static bool divide(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0], *b = op->in[1];
	double number, over;
	if (skip_onnx_in_number(b, &number) && number != 0) return skip_onnx_in_number(a, &over) ? one_number(in, over / number, out) : scale(in, a, 1 / number, out);
	if (a->kind == SKIP_SYM_SUM && b->kind == SKIP_SYM_TOKENS) return rows_of(in, "pool", a->x, (union skip_attrs){.pool = {.mode = SKIP_POOL_MEAN}}, out);
	*out = *b;
	out->kind = a->kind == SKIP_SYM_CENTRED ? SKIP_SYM_NORMED : SKIP_SYM_INVERSE;
	if (b->kind != SKIP_SYM_SPREAD) return false;
	return a->kind == SKIP_SYM_CENTRED ? a->x == b->x : skip_onnx_in_is_number(a, 1, 0);
}

/* ---- attention */

static bool softmax(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	int64_t axis = skip_onnx_in_int_or(op, "axis", -1);
	*out = *op->in[0];
	out->kind = SKIP_SYM_WEIGHTS;
	return op->in[0]->kind == SKIP_SYM_SCORES && (axis == -1 || axis == 3);
}

static bool is_nan(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	out->kind = SKIP_SYM_NO_WEIGHTS;
	return op->in[0]->kind == SKIP_SYM_WEIGHTS;
}

static const struct {
	const char *op;
	skip_onnx_rule rule;
} row_rules[] = {
    {"Add", add},
    {"Clip", at_least},
    {"Div", divide},
    {"Erf", erf_of},
    {"Gelu", gelu},
    {"Gemm", gemm},
    {"IsNaN", is_nan},
    {"LayerNormalization", layernorm},
    {"MatMul", matmul},
    {"Max", at_least},
    {"Mul", multiply},
    {"Pow", power},
    {"Reciprocal", reciprocal},
    {"ReduceMean", reduce_mean},
    {"ReduceSum", reduce_sum},
    {"Relu", relu},
    {"Softmax", softmax},
    {"Sqrt", square_root},
    {"Sub", subtract},
    {"Tanh", hyperbolic},
};

skip_onnx_rule skip_onnx_in_find_rule(const char *op)
{
	for (size_t i = 0; i < sizeof(row_rules) / sizeof(row_rules[0]); i++)
		if (strcmp(row_rules[i].op, op) == 0) return row_rules[i].rule;
	return NULL;
}
