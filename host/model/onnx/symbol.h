/*
 * Reading model.onnx by meaning: every value of the file is a symbol, which says what it stands for in the network, and every op is a rule from symbols to
 * a symbol. Exporters write one layer in many forms (a LayerNormalization or its nine parts, the scale of attention on either side, shapes computed or
 * fixed); the rules meet them where they differ and add canonical nodes to a graph as soon as one is complete. A node no rule understands is refused.
 *
 * open.c reads the file and walks it, numbers.c holds constants, rules.c, shapes.c and masks.c are the rules, label.c gives the graph its canonical names.
 */
#ifndef SKIP_MODEL_ONNX_SYMBOL_H
#define SKIP_MODEL_ONNX_SYMBOL_H

#include "base/onnx.pb-c.h"
#include "graph/op.h"
#include "model/build.h"

#define SKIP_ONNX_RANK 6
#define SKIP_ONNX_INPUTS 6 /* of a node, the most a rule reads */
#define SKIP_ONNX_LARGEST (1 << 24) /* of ids, positions and widths */
#define SKIP_ONNX_FREE INT64_MIN /* a size known only when the network runs: batch, length */

/* A constant of the file. */
struct skip_numbers {
	int rank;
	int64_t dim[SKIP_ONNX_RANK];
	size_t count;
	enum skip_dtype dtype;     /* floats */
	bool integers;
	const unsigned char *data; /* floats: [count] of dtype; NULL: use `value` */
	double *value;             /* [count] where few, else NULL */
	bool turned;               /* a matrix to be read with its axes exchanged; dim is that of the result */
};

enum skip_symbol_kind {
	SKIP_SYM_NONE,     /* an input that is left out */
	SKIP_SYM_UNKNOWN,  /* no rule understands `unknown`, which it comes from; matters only where the output needs it */
	SKIP_SYM_CONST,    /* numbers */
	SKIP_SYM_INTS,     /* a shape, or numbers computed from shapes: size [count], some SKIP_ONNX_FREE */
	SKIP_SYM_IDS,      /* input_ids */
	SKIP_SYM_TYPES,    /* token_type_ids */
	SKIP_SYM_MASK,     /* attention_mask and what is computed from it alone */
	SKIP_SYM_REAL,     /* ids != base - 1, and its running count: RoBERTa's positions on the way */
	SKIP_SYM_COUNT,
	SKIP_SYM_POSITIONS,/* base, base + 1, ... along a sequence */
	SKIP_SYM_INDEX,    /* computed from positions and shapes alone: good for picking parts of the mask */
	SKIP_SYM_LOOKUP,   /* a sum of looked-up rows: table[word, position, type] */
	SKIP_SYM_ROWS,     /* factor * x: [batch][sequence][cols], or [batch][cols] for B rows */
	SKIP_SYM_FIRST,    /* the first row of x, [batch][1][cols] */
	SKIP_SYM_MASKED,   /* x, zero where there is no token; its sum over the tokens [batch][cols]; how many there are. Their ratio is the mean */
	SKIP_SYM_SUM,
	SKIP_SYM_TOKENS,
	SKIP_SYM_PRODUCT,  /* x W^T, a bias may follow */
	SKIP_SYM_SPLIT,    /* factor * x in heads; `layout` names the axes b, s, h, e in their order */
	SKIP_SYM_SCORES,   /* factor * q k^T */
	SKIP_SYM_WEIGHTS,  /* its softmax; where that is no number, because every key is padding */
	SKIP_SYM_NO_WEIGHTS,
	SKIP_SYM_CONTEXT,  /* weights * v, with a layout */
	SKIP_SYM_MEAN,     /* parts of a layer norm of x */
	SKIP_SYM_CENTRED,
	SKIP_SYM_SQUARE,
	SKIP_SYM_VARIANCE, /* + eps where eps > 0 */
	SKIP_SYM_SPREAD,   /* sqrt(variance + eps) */
	SKIP_SYM_INVERSE,  /* 1 / spread */
	SKIP_SYM_NORMED,
	SKIP_SYM_SCALED,   /* normed * gamma */
	SKIP_SYM_ERF,      /* parts of GELU: erf(x / sqrt 2); factor * (1 + that) */
	SKIP_SYM_ERF_ONE,
	SKIP_SYM_CUBE,     /* of its tanh form: factor * x^3; factor * (x + 0.044715 x^3); tanh of that; factor * (1 + that) */
	SKIP_SYM_BENT,
	SKIP_SYM_BENT_TANH,
	SKIP_SYM_BENT_ONE,
	SKIP_SYM_TWICE,    /* 2 * act(x): GELU before it is halved */
};

struct skip_symbol {
	enum skip_symbol_kind kind;
	const struct skip_numbers *numbers;
	int64_t size[SKIP_ONNX_RANK];
	int count;
	bool scalar; /* of INTS: no axis */
	int x, k, v; /* values of the graph; x is q of attention */
	double factor;
	char layout[5];
	int heads, width, v_width;
	int tensor;  /* W of PRODUCT, gamma of SCALED */
	float eps;
	enum skip_act act;
	int base;
	const struct skip_numbers *table[3];
	const struct skip_numbers *prefix[2]; /* in front of keys and of values: of SPLIT its own is the first; [1][heads][width][P] or [1][heads][P][width] */
	const Onnx__NodeProto *unknown;
};

struct skip_onnx_in {
	Onnx__ModelProto *model;
	const char *path, *folder;
	struct skip_graph *graph;
	json_t *names; /* value of the file -> index of `symbol` */
	struct skip_symbol *symbol;
	size_t n_symbols, cap_symbols;
	struct skip_numbers **numbers; /* owned */
	size_t n_numbers, cap_numbers;
	struct skip_onnx_tensor *made; /* tensors of the graph by the constant they come from */
	size_t n_made, cap_made;
	struct skip_mapfile **files;   /* of external data */
	size_t n_files, cap_files;
	int n_values;                  /* for names until label.c gives better ones */
	enum skip_status status;       /* of a rule that failed rather than not understood */
	struct skip_err *err;
};

/* A node of the file on its way through a rule. */
struct skip_onnx_op {
	const Onnx__NodeProto *node;
	const struct skip_symbol *in[SKIP_ONNX_INPUTS]; /* left out: kind NONE */
	int n_in;
};

/* Rules: false where the symbols are not understood, or where in->status says what failed. */
typedef bool (*skip_onnx_rule)(struct skip_onnx_in *in, const struct skip_onnx_op *op, struct skip_symbol *out);
skip_onnx_rule skip_onnx_in_find_rule(const char *op);       /* rules.c; NULL when there is none */
skip_onnx_rule skip_onnx_in_find_shape_rule(const char *op); /* shapes.c */
skip_onnx_rule skip_onnx_in_find_mask_rule(const char *op);  /* masks.c */

const Onnx__AttributeProto *skip_onnx_in_attribute(const struct skip_onnx_op *op, const char *name);
int64_t skip_onnx_in_int_or(const struct skip_onnx_op *op, const char *name, int64_t fallback);

static inline bool skip_onnx_in_is(const struct skip_symbol *symbol, enum skip_symbol_kind kind)
{
	return symbol->kind == kind;
}
/* shapes.c: a shape; a symbol as whole numbers with at most one axis (shapes, and constants used as such); its only number, perhaps SKIP_ONNX_FREE. */
struct skip_symbol skip_onnx_in_sizes(int count, const int64_t *size);
bool skip_onnx_in_ints(const struct skip_symbol *symbol, struct skip_symbol *out);
bool skip_onnx_in_int(const struct skip_symbol *symbol, int64_t *out);
/* masks.c: whether every input is a position or an index, or a whole number they are computed with. */
bool skip_onnx_in_index_arithmetic(const struct skip_onnx_op *op, struct skip_symbol *out);

/* numbers.c: the constant of a tensor of the file; one number; all numbers of few. NULL: in->status. */
const struct skip_numbers *skip_onnx_in_numbers(struct skip_onnx_in *in, const Onnx__TensorProto *proto);
/* New numbers of few values, `value` [count] copied. */
const struct skip_numbers *skip_onnx_in_make_numbers(struct skip_onnx_in *in, int rank, const int64_t *dim, bool integers, const double *value);
const struct skip_numbers *skip_onnx_in_turned(struct skip_onnx_in *in, const struct skip_numbers *numbers);
/* Whether the symbol is one number (in any shape); *out takes it. */
bool skip_onnx_in_number(const struct skip_symbol *symbol, double *out);
bool skip_onnx_in_is_number(const struct skip_symbol *symbol, double value, double within);
/* A tensor of the graph with the constant's numbers, the same for the same constant; `rows_of` adds that row to every row (a type that never changes). */
bool skip_onnx_in_tensor_of(struct skip_onnx_in *in, const struct skip_numbers *numbers, int *out);
bool skip_onnx_in_tensor_plus(struct skip_onnx_in *in, const struct skip_numbers *numbers, const struct skip_numbers *row, int *out);
/* A prefix [P][heads * width] from keys [1][heads][width][P] (`turned`) or values [1][heads][P][width]. */
bool skip_onnx_in_prefix_of(struct skip_onnx_in *in, const struct skip_numbers *numbers, bool turned, int *out);
void skip_onnx_in_numbers_deinit(struct skip_onnx_in *in);

/* Adds a node with one new value; false: in->status. */
bool skip_onnx_in_emit(struct skip_onnx_in *in, const char *op, const int *x, int n_in, const int *param, int n_param, union skip_attrs attrs, int *out);
/* The value a symbol is as it stands: rows with factor 1, or a product without a bias. SKIP_NONE when it is neither. */
int skip_onnx_in_rows(struct skip_onnx_in *in, const struct skip_symbol *symbol);
struct skip_symbol skip_onnx_in_rows_symbol(int value);

/* label.c: layers, names of values and tensors, and what the graph is; SKIP_ERR_UNSUPPORTED where it is no post-LayerNorm encoder. */
enum skip_status skip_onnx_in_label(struct skip_graph *graph, struct skip_err *err);
/* open.c: the network of <folder>/model.onnx. What a file that this program wrote says of its answers comes back in *said in the words of config.json
 * ("id2label", "problem_type"); NULL: nothing. */
enum skip_status skip_onnx_open(const char *folder, struct skip_graph **out, json_t **said, struct skip_err *err);

#endif
