/*
 * Ops: one file each in graph/op/. A file defines `const struct skip_op skip_op_<file>`; CMake writes the table from the folder.
 *
 * The ops (X [rows][cols]; params in order; attributes in graph/attrs.h):
 *   embed          ()                -> X [T][D]        word [V][D], position [N][D] or absent, type [M][D] or absent. Sum of the rows
 *   layernorm      x                 -> y               gamma [D], beta [D]
 *   linear         x, [residual]     -> y               W [out][in] ([in][out] when transpose), [b]. y = act(x W^T + b) + residual
 *   ffn            x, [residual]     -> y               W1 [F][in], W2 [out][F], [b1], [b2]. Two linears with an activation between
 *   act            u                 -> g
 *   attention      q, k, v           -> ctx             [Pk [P][H*qk], Pv [P][H*v]], tables by distance [bias [H][2N-1]], [Rk, Rq [H*qk][2N-1]],
 *                                                       [slots [P]: added to the scores of the prefix rows]. rows of q: T, or B = one query per sequence
 *   rotary         x                 -> y               frequency [cols]. Turns pairs of columns by the place of the row
 *   pool           x [T]             -> z [B]           mean of the rows of each sequence, its first row, or its last
 *   dropout        x                 -> y               scaled by 1/(1-rate), mask by skip_rng_hash (element index, stream)
 *   mask           x                 -> y               m [cols]. y = x * m
 *   add            a, b              -> y
 *   mul            a, b              -> y               y = a * b
 *   add_bias       x                 -> y               b [cols]. What is left of a vanished sub-layer
 * and the gradient ops the backward pass appends:
 *   layernorm_bwd  x, dy             -> dx              gamma, beta
 *   layernorm_dw   x, dy             -> dgamma [1][D], dbeta [1][D]
 *   act_bwd        u, dg             -> du
 *   attention_bwd  q, k, v, dctx     -> [dq], [dk], [dv], [dPk], [dPv], [dslots [B][H*P]]
 *                                       as attention; n_out 3, 5 or 6, any output but not all may be absent
 *                                       (SKIP_NONE). dq, dk, dv have the shapes of q, k, v: for column ranges of one value they are one value
 *   pool_bwd       dz [B]            -> dx [T]
 *   linear_dw      dy, [x]           -> [dW [out][in]], [db [1][out]]   x and dW are absent together: only a bias. In bf16 dW is of rounded factors
 *   score          h, dh             -> a [B][cols]     per sequence: reduce over its rows of h * dh. With B rows the other n_b - 1 rows of a
 *                                       sequence were not computed and count as zeros (max is then max(0, value), mean divides by n_b)
 * and those the optimiser is made of (skip_pass_adamw):
 *   square_sum     x, [so far]       -> y [1][1]        sum of squares
 *   adamw          g, norm^2, step   -> w', m', v'      w, m, v. On a device they take the place of w, m and v
 * Positions below min_in, min_param, n_out_min must be present; later ones up to the maximum may be left off or be SKIP_NONE.
 * Each gradient op has the float64 reference and tests of an op; its own gradient is absent.
 */
#ifndef SKIP_GRAPH_OP_H
#define SKIP_GRAPH_OP_H

#include "base/batch.h"
#include "graph/graph.h"

/* LATE_INT, LATE_ENUM, LATE_FLOAT: older files do not have them; left off they are 0, the first name. */
enum skip_attr_type { SKIP_ATTR_INT, SKIP_ATTR_FLOAT, SKIP_ATTR_ENUM, SKIP_ATTR_LATE_INT, SKIP_ATTR_LATE_ENUM, SKIP_ATTR_LATE_FLOAT };

struct skip_attr_desc {
	const char *name;
	enum skip_attr_type type;
	size_t offset;             /* in union skip_attrs */
	const char *const *names;  /* of enums, NULL-terminated */
};

/* What the float64 reference of an op sees: matrices in double. Absent optional inputs and params are NULL. */
struct skip_ref_io {
	const struct skip_batch *batch;
	const double *in[SKIP_NODE_MAX_IN];
	int in_rows[SKIP_NODE_MAX_IN], in_cols[SKIP_NODE_MAX_IN];
	const double *param[SKIP_NODE_MAX_PARAM];
	const struct skip_tensor *tensor[SKIP_NODE_MAX_PARAM]; /* shapes */
	double *out[SKIP_NODE_MAX_OUT]; /* zeroed before the call */
	int out_rows[SKIP_NODE_MAX_OUT], out_cols[SKIP_NODE_MAX_OUT];
	uint32_t dropout_key; /* of this step: seed and step number mixed by the caller */
};

struct skip_grad;  /* graph/pass.h: the state of the backward pass */
struct skip_ties;  /* graph/units.h: sink of the tie rules */
/* New widths seen by one node after pruning. For each input value: how many columns stay per head and how many heads (heads 1 for plain columns). */
struct skip_resize {
	int in_cols[SKIP_NODE_MAX_IN];
	int in_heads[SKIP_NODE_MAX_IN];    /* heads that keep at least one column */
	int in_per_head[SKIP_NODE_MAX_IN]; /* columns kept in each of them */
};

struct skip_op {
	const char *name;
	int min_in, max_in, min_param, max_param, n_out_min, n_out_max;
	bool no_weights; /* its parameters are not weights of the encoder: the prefix, tables of places. They are not counted */
	const struct skip_attr_desc *attrs;
	size_t n_attrs;
	unsigned trains; /* bit i: parameter i may be trained; `gradient` then gives its gradient */
	/* Shape rule: checks inputs, params and attributes; writes rows/fixed_rows/cols of each output into `out`. */
	enum skip_status (*infer)(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err);
	/* Reference in float64: the definition every kernel is tested against. */
	enum skip_status (*reference)(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err);
	/* Appends the nodes that carry gradients of outputs to inputs and trained tensors; NULL: no gradient passes (embed, gradient ops). The
	 * backward pass has refused what `trains` does not name. */
	enum skip_status (*gradient)(struct skip_grad *grad, int node, struct skip_err *err);
	/* Declares which columns live and die together; NULL: all inputs and outputs are fixed. */
	void (*ties)(const struct skip_graph *graph, const struct skip_node *node, struct skip_ties *ties);
	/* Adjusts attributes after columns left; NULL when nothing depends on widths. */
	enum skip_status (*resize)(struct skip_node *node, const struct skip_resize *resize, struct skip_err *err);
	/* Multiply-adds for one sequence of n tokens. NULL: 0. */
	double (*macs)(const struct skip_graph *graph, const struct skip_node *node, double n);
};

/* Whether attention (or attention_bwd) does not look at places: not causal, no window, no table by distance. */
bool skip_attention_is_plain(const struct skip_node *node);

/* The table CMake makes from graph/op/ (NULL-terminated), and look-up by name (NULL when absent). */
extern const struct skip_op *const skip_ops[];
const struct skip_op *skip_op_find(const char *name);

/*
 * The reference interpreter: runs every node in float64.
 * `inputs` gives data for graph inputs (value index -> double [rows][cols]); results are kept in `out->data[value]` for all values.
 */
struct skip_ref_input {
	int value;
	const double *data;
};
struct skip_ref_result {
	double **data; /* [n_values], NULL for values not computed */
	int *rows;     /* [n_values] */
	size_t n_values;
};
enum skip_status skip_reference_run(const struct skip_graph *graph, const struct skip_batch *batch, const struct skip_ref_input *inputs,
				    size_t n_inputs, uint32_t dropout_key, struct skip_ref_result *out, struct skip_err *err);
void skip_reference_free(struct skip_ref_result *result);
/* Rows of a value for this batch. */
int skip_value_rows(const struct skip_value *value, const struct skip_batch *batch);

#endif
