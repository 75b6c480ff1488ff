/*
 * What the files of graph/op/ share: checks of shape rules, attribute tables used by an op and its gradient op, activations and dropout in
 * float64. Not for use outside the room.
 *
 * The checks name the input or parameter and both shapes; graph.c puts the node in front of the message.
 */
#ifndef SKIP_GRAPH_RULES_H
#define SKIP_GRAPH_RULES_H

#include "graph/op.h"
#include "graph/pass.h"

/* NULL when absent. */
const struct skip_value *skip_rule_in(const struct skip_graph *graph, const struct skip_node *node, int i);
const struct skip_tensor *skip_rule_param(const struct skip_graph *graph, const struct skip_node *node, int i);

/* Same rows, fixed_rows and cols of inputs i and j. */
enum skip_status skip_rule_same(const struct skip_graph *graph, const struct skip_node *node, int i, int j, struct skip_err *err);
/* Rows of input i are T (or B). */
enum skip_status skip_rule_rows(const struct skip_graph *graph, const struct skip_node *node, int i, enum skip_rows rows,
                                struct skip_err *err);
/* Parameter i is a vector of `dim` numbers. */
enum skip_status skip_rule_vector(const struct skip_graph *graph, const struct skip_node *node, int i, int64_t dim, struct skip_err *err);
/* Parameter i is a matrix [rows][cols]; -1 accepts any size from 1 to INT_MAX. */
enum skip_status skip_rule_matrix(const struct skip_graph *graph, const struct skip_node *node, int i, int64_t rows, int64_t cols,
                                  struct skip_err *err);
bool skip_rule_equal(const struct skip_value *a, const struct skip_value *b);
/* Copies the shape of `from`, or sets one. */
void skip_rule_like(struct skip_value *out, const struct skip_value *from);
void skip_rule_shape(struct skip_value *out, enum skip_rows rows, int fixed_rows, int cols);
/* "T", "B" or the number, for messages. */
const char *skip_rule_rows_text(const struct skip_value *value, char text[16]);

/* Rows of a value in one sequence of n tokens: n, 1 (B) or the fixed number. */
double skip_rows_per_sequence(const struct skip_value *value, double n);

/* Rows of one sequence that a value of `io` with `rows` rows carries: with T rows its tokens, with B rows the one row b. */
struct skip_span {
	int first, count;
};
struct skip_span skip_span_of(const struct skip_batch *batch, enum skip_rows rows, int b);
/* Rows of a value with T rows that pooling sequence b averages. */
struct skip_span skip_pooled_rows(enum skip_pool mode, const struct skip_batch *batch, int b);
/* Place in its sequence b of row `row` of a value with T or B rows. */
int skip_place_of(const struct skip_batch *batch, enum skip_rows rows, enum skip_at at, int b, int row);
/* Whether a matrix of an op that accepts both has T or B rows. A batch of one-token sequences has as many of either, and then both agree.
 */
enum skip_rows skip_span_rows(const struct skip_batch *batch, int rows);

/* Value and slope of an activation (docs/method.md 2.8): gelu with erfc, gelu_tanh with 0.044715. NONE is the identity. */
double skip_act_value(enum skip_act act, double u);
double skip_act_slope(enum skip_act act, double u);
extern const char *const skip_act_names[];
extern const char *const skip_precision_names[]; /* "f32", "bf16", "int8", NULL */
extern const char *const skip_at_names[];        /* "first", "last", NULL */
/* What the products of a node are taken in; F32 for ops without products. */
enum skip_precision skip_node_precision(const struct skip_node *node);

/* 0 where element `index` of stream `stream` is dropped, else 1/(1-rate) rounded to float (docs/method.md 2.1; the kernels compute the
 * same). */
double skip_dropout_factor(float rate, uint32_t key, uint32_t stream, uint32_t index);
/* rate in [0, 1). */
enum skip_status skip_rule_rate(const char *name, float rate, struct skip_err *err);

/*
 * Adds a gradient node: op `op`, layer of `like`; `outs` name the values whose gradients the outputs are (value names or tensor names, NULL
 * for an output that is not made). `node` arrives with in, param and attrs filled.
 */
enum skip_status skip_grad_add(struct skip_grad *grad, const struct skip_node *like, const char *op, struct skip_node *node,
                               const char *const *outs, int n_out, struct skip_err *err);
/* The usual case: one output, the gradient of input 0 of `like`, accumulated there. */
enum skip_status skip_grad_add_one(struct skip_grad *grad, const struct skip_node *like, const char *op, struct skip_node *node,
                                   struct skip_err *err);

/* Attribute tables used by more than one op. */
extern const struct skip_attr_desc skip_desc_layernorm[1];
extern const struct skip_attr_desc skip_desc_act[1];
extern const struct skip_attr_desc skip_desc_attention[12];
extern const struct skip_attr_desc skip_desc_pool[1];

#endif
