/*
 * Arithmetic of an ONNX file that is not of rows: sizes, positions, and what becomes of the attention mask; see symbol.h. Only padding masks are understood:
 * a comparison of positions with each other (a causal mask) has no rule.
 */
#include "model/onnx/symbol.h"
#include <string.h>

static bool any_of(const struct skip_onnx_op *op, enum skip_symbol_kind kind)
{
	for (int i = 0; i < op->n_in; i++)
		if (skip_onnx_in_is(op->in[i], kind)) return true;
	return false;
}

static int64_t combine(const char *op, int64_t a, int64_t b)
{
	if (a == SKIP_ONNX_FREE || b == SKIP_ONNX_FREE) return SKIP_ONNX_FREE;
	/* Unsigned, because a hostile file may overflow. */
	if (strcmp(op, "Add") == 0) return (int64_t)((uint64_t)a + (uint64_t)b);
	if (strcmp(op, "Sub") == 0) return (int64_t)((uint64_t)a - (uint64_t)b);
	if (strcmp(op, "Mul") == 0) return (int64_t)((uint64_t)a * (uint64_t)b);
	if (strcmp(op, "Div") == 0) return b ? a / b : SKIP_ONNX_FREE;
	if (strcmp(op, "Equal") == 0) return a == b;
	return SKIP_ONNX_FREE;
}

static bool int_arithmetic(const struct skip_onnx_op *op, struct skip_symbol *out)
{
	struct skip_symbol a, b;
	if (!skip_onnx_in_ints(op->in[0], &a) || !skip_onnx_in_ints(op->in[1], &b)) return false;
	if (!skip_onnx_in_is(op->in[0], SKIP_SYM_INTS) && !skip_onnx_in_is(op->in[1], SKIP_SYM_INTS)) return false;
	if (a.count != b.count && a.count != 1 && b.count != 1) return false;
	*out = a.count >= b.count ? a : b;
	out->scalar = a.scalar && b.scalar;
	for (int i = 0; i < out->count; i++) out->size[i] = combine(op->node->op_type, a.size[a.count == 1 ? 0 : i], b.size[b.count == 1 ? 0 : i]);
	return true;
}

/* And, Or of two numbers. */
static bool truth(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	double a, b, both;
	bool either = strcmp(op->node->op_type, "Or") == 0;
	if (!either && strcmp(op->node->op_type, "And") != 0) return false;
	if (!skip_onnx_in_number(op->in[0], &a) || !skip_onnx_in_number(op->in[1], &b)) return false;
	both = either ? a != 0 || b != 0 : a != 0 && b != 0;
	*out = (struct skip_symbol){.kind = SKIP_SYM_CONST, .numbers = skip_onnx_in_make_numbers(in, 0, NULL, true, &both)};
	return out->numbers != NULL;
}

/* Every input is the mask, or a number it is computed with. */
static bool mask_arithmetic(const struct skip_onnx_op *op, struct skip_symbol *out)
{
	if (!any_of(op, SKIP_SYM_MASK)) return false;
	for (int i = 0; i < op->n_in; i++) {
		enum skip_symbol_kind kind = op->in[i]->kind;
		if (kind != SKIP_SYM_MASK && kind != SKIP_SYM_CONST && kind != SKIP_SYM_INTS) return false;
	}
	*out = (struct skip_symbol){.kind = SKIP_SYM_MASK};
	return true;
}

/* RoBERTa's positions: count * real + padding id, where real marks the ids that are not padding. */
static bool position_arithmetic(const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const char *name = op->node->op_type;
	const struct skip_symbol *a = op->in[0], *b = op->in[1];
	double number;
	if (skip_onnx_in_number(b, &number) && !(number > -SKIP_ONNX_LARGEST && number < SKIP_ONNX_LARGEST)) return false;
	if (strcmp(name, "Equal") == 0 && skip_onnx_in_is(a, SKIP_SYM_IDS) && skip_onnx_in_number(b, &number)) {
		*out = (struct skip_symbol){.kind = SKIP_SYM_REAL, .base = (int)number + 1};
		return true; /* Not stands between, or Where takes it away; either way it marks padding by id */
	}
	*out = *a;
	if (strcmp(name, "Mul") == 0 && skip_onnx_in_is(a, SKIP_SYM_COUNT) && skip_onnx_in_is(b, SKIP_SYM_REAL)) return a->base == b->base;
	if (strcmp(name, "Add") != 0 || !skip_onnx_in_number(b, &number)) return false;
	if (skip_onnx_in_is(a, SKIP_SYM_POSITIONS)) {
		out->base += (int)number;
		return true;
	}
	if (!skip_onnx_in_is(a, SKIP_SYM_COUNT)) return false;
	if (number == 0) return true;
	out->kind = SKIP_SYM_POSITIONS;
	return number == a->base - 1;
}

/* Every input is a position or an index, or a whole number they are computed with. */
bool skip_onnx_in_index_arithmetic(const struct skip_onnx_op *op, struct skip_symbol *out)
{
	struct skip_symbol ints;
	if (!any_of(op, SKIP_SYM_POSITIONS) && !any_of(op, SKIP_SYM_INDEX)) return false;
	for (int i = 0; i < op->n_in; i++) {
		const struct skip_symbol *a = op->in[i];
		if (!skip_onnx_in_is(a, SKIP_SYM_POSITIONS) && !skip_onnx_in_is(a, SKIP_SYM_INDEX) && !skip_onnx_in_ints(a, &ints) && !(skip_onnx_in_is(a, SKIP_SYM_CONST) && a->numbers->integers)) return false;
	}
	*out = (struct skip_symbol){.kind = SKIP_SYM_INDEX};
	return true;
}

/* Positions are never below 0: a test for it is always true. */
static bool not_below(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	const struct skip_symbol *a = op->in[0];
	const double yes = 1;
	double number;
	*out = (struct skip_symbol){.kind = SKIP_SYM_CONST};
	if ((!skip_onnx_in_is(a, SKIP_SYM_POSITIONS) && !skip_onnx_in_is(a, SKIP_SYM_INDEX)) || !skip_onnx_in_number(op->in[1], &number) || number > 0) return false;
	out->numbers = skip_onnx_in_make_numbers(in, 0, NULL, true, &yes);
	return out->numbers != NULL;
}

static bool arithmetic(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	return truth(in, op, out) || int_arithmetic(op, out) || mask_arithmetic(op, out) || (op->n_in == 2 && position_arithmetic(op, out)) ||
	       (strcmp(op->node->op_type, "Equal") != 0 && skip_onnx_in_index_arithmetic(op, out));
}

static bool not_(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	*out = *op->in[0];
	return skip_onnx_in_is(out, SKIP_SYM_REAL) || skip_onnx_in_is(out, SKIP_SYM_MASK);
}

static bool cumsum(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	double axis;
	*out = *op->in[0];
	out->kind = SKIP_SYM_COUNT;
	return skip_onnx_in_is(op->in[0], SKIP_SYM_REAL) && skip_onnx_in_number(op->in[1], &axis) && axis == 1;
}

static bool range(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	int64_t start, step;
	*out = (struct skip_symbol){.kind = SKIP_SYM_POSITIONS};
	if (!skip_onnx_in_int(op->in[0], &start) || !skip_onnx_in_int(op->in[2], &step) || start < 0 || start > SKIP_ONNX_LARGEST || step != 1) return false;
	out->base = (int)start;
	return true;
}

static bool where(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out)
{
	(void)in;
	struct skip_symbol condition, a, b;
	if (mask_arithmetic(op, out)) return true;
	if (skip_onnx_in_is(op->in[0], SKIP_SYM_MASK) && skip_onnx_in_is(op->in[1], SKIP_SYM_SCORES)) { /* padding gets a low number */
		*out = *op->in[1];
		return op->in[2]->kind == SKIP_SYM_CONST || op->in[2]->kind == SKIP_SYM_MASK;
	}
	if (skip_onnx_in_is(op->in[0], SKIP_SYM_MASK) && skip_onnx_in_is(op->in[2], SKIP_SYM_SCORES)) {
		*out = *op->in[2];
		return op->in[1]->kind == SKIP_SYM_CONST || op->in[1]->kind == SKIP_SYM_MASK;
	}
	if (skip_onnx_in_is(op->in[0], SKIP_SYM_NO_WEIGHTS) && skip_onnx_in_is(op->in[2], SKIP_SYM_WEIGHTS)) { /* a sequence has at least one token */
		*out = *op->in[2];
		return skip_onnx_in_is_number(op->in[1], 0, 0) && op->in[0]->x == out->x && op->in[0]->k == out->k;
	}
	if (!skip_onnx_in_ints(op->in[0], &condition) || !skip_onnx_in_ints(op->in[1], &a) || !skip_onnx_in_ints(op->in[2], &b)) return false;
	*out = condition;
	if ((a.count != out->count && a.count != 1) || (b.count != out->count && b.count != 1)) return false;
	for (int i = 0; i < out->count; i++) {
		int64_t yes = a.size[a.count == 1 ? 0 : i], no = b.size[b.count == 1 ? 0 : i];
		out->size[i] = condition.size[i] == SKIP_ONNX_FREE ? (yes == no ? yes : SKIP_ONNX_FREE) : condition.size[i] ? yes : no;
	}
	return true;
}

static const struct {
	const char *op;
	skip_onnx_rule rule;
} mask_rules[] = {
    {"Add", arithmetic},
    {"And", arithmetic},
    {"CumSum", cumsum},
    {"Div", arithmetic},
    {"Equal", arithmetic},
    {"GreaterOrEqual", not_below},
    {"Max", arithmetic},
    {"Min", arithmetic},
    {"Mul", arithmetic},
    {"Not", not_},
    {"Or", arithmetic},
    {"Range", range},
    {"Sub", arithmetic},
    {"Where", where},
};

skip_onnx_rule skip_onnx_in_find_mask_rule(const char *op)
{
	for (size_t i = 0; i < sizeof(mask_rules) / sizeof(mask_rules[0]); i++)
		if (strcmp(mask_rules[i].op, op) == 0) return mask_rules[i].rule;
	return NULL;
}
