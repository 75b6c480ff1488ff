/*
 * An ONNX graph under construction: nodes, constants and names, all owned by one arena. For the files of this room that write ONNX.
 *
 * Running out of memory is sticky, as with skip_buf: calls then give NULL names and do nothing, and onnx.c asks once at the end.
 */
#ifndef SKIP_EXPORT_ONNX_BUILD_H
#define SKIP_EXPORT_ONNX_BUILD_H

#include "base/onnx.pb-c.h"
#include "graph/op.h"

struct skip_onnx_block;

struct skip_onnx {
	const struct skip_graph *graph;
	const char **value; /* [graph->n_values] the ONNX value that stands for a value of the graph; NULL: not written yet */
	bool takes_types;   /* input token_type_ids is read */
	const char *places; /* int64 [sequence]: 0, 1, 2 ...; NULL: not written yet */
	const char *last;   /* int64 [batch][1]: place of the last token; NULL: not written yet */
	const char *padding; /* [batch][1][1][sequence], 0 for a token and hugely negative for padding; NULL: not written yet */
	int bias_prefix;    /* P of `bias` */
	const char *batch;  /* int64 [4]: batch, 1, 1, 1; NULL: not written yet */
	const char *bias;   /* [batch][1][1][P + sequence]: `padding` behind a 0 for each slot; NULL: not written yet */
	Onnx__NodeProto **node;
	size_t n_nodes, cap_nodes;
	Onnx__TensorProto **constant;
	size_t n_constants, cap_constants;
	struct skip_onnx_block *blocks;
	bool failed;
};

void skip_onnx_init(struct skip_onnx *onnx, const struct skip_graph *graph);
void skip_onnx_deinit(struct skip_onnx *onnx);

/* Zeroed memory that lives as long as the graph; NULL marks the failure. */
void *skip_onnx_alloc(struct skip_onnx *onnx, size_t count, size_t size);
const char *skip_onnx_text(struct skip_onnx *onnx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a node with one output called `out`, `in` ends with NULL; gives `out` back. */
const char *skip_onnx_node(struct skip_onnx *onnx, const char *op, const char *out, const char *const *in);
/* Attributes of the node added last. */
void skip_onnx_int(struct skip_onnx *onnx, const char *name, int64_t value);
void skip_onnx_ints(struct skip_onnx *onnx, const char *name, const int64_t *value, size_t n);
void skip_onnx_float(struct skip_onnx *onnx, const char *name, float value);

/* The same with one or two inputs, and the name of an inner value of the op whose output is `out`. */
const char *skip_onnx_unary(struct skip_onnx *onnx, const char *op, const char *out, const char *a);
const char *skip_onnx_binary(struct skip_onnx *onnx, const char *op, const char *out, const char *a, const char *b);
const char *skip_onnx_part(struct skip_onnx *onnx, const char *out, const char *what);

/* Constants; one of each, however often it is asked for. They give the constant's name. */
const char *skip_onnx_number(struct skip_onnx *onnx, float value);                      /* a scalar */
const char *skip_onnx_list(struct skip_onnx *onnx, const int64_t *value, size_t n);     /* int64 [n] */
const char *skip_onnx_index(struct skip_onnx *onnx, int64_t value);                     /* int64 scalar */
const char *skip_onnx_tensor(struct skip_onnx *onnx, int tensor);                       /* a tensor of the graph */
const char *skip_onnx_turned(struct skip_onnx *onnx, int tensor);                       /* its transpose (rank 2) */
/* New numbers: `data` [product of dim] is kept, not copied, and comes from skip_onnx_alloc. */
const char *skip_onnx_floats(struct skip_onnx *onnx, const char *name, int rank, const int64_t *dim, const float *data);

/* onnx_places.c: what depends on the places of tokens, counted from the left: padding is on the right. */
const char *skip_onnx_last(struct skip_onnx *onnx);
/* What attention adds to its scores because of places, [batch or 1][H or 1][queries][P + sequence]; NULL: nothing. `q` [batch][H][queries][E] carries the
 * scale, `k` [batch][H][E][sequence] does not. */
const char *skip_onnx_beside(struct skip_onnx *onnx, const struct skip_node *node, const char *out, const char *q, const char *k, int prefix);
const char *skip_onnx_rotary(struct skip_onnx *onnx, const struct skip_node *node, const char *out);

/* The form of an op: writes the nodes of node `n` and sets onnx->value of its output. False: the op has none. */
bool skip_onnx_write_op(struct skip_onnx *onnx, const struct skip_node *node);

#endif
