/*
 * Passes: each reads one graph and gives another that shares its tensors where nothing changed.
 */
#ifndef SKIP_GRAPH_PASS_H
#define SKIP_GRAPH_PASS_H

#include "graph/op.h"
#include "graph/units.h"

/* The small network: tied slices gathered in ascending order, attention attributes resized, vanished sub-layers replaced by their output bias
 * (add_bias), dead nodes removed. `keep` is normalised first. docs/method.md 4. Values keep their names, not their indices. SKIP_ERR_INPUT: uneven
 * heads; SKIP_ERR_UNSUPPORTED: a vanished branch that is not added to anything. */
enum skip_status skip_pass_prune(const struct skip_graph *graph, const struct skip_units *units, struct skip_keep *keep, struct skip_graph **out,
				 struct skip_err *err);

/* The masked network: a `mask` node at the post site of every group whose choice removes something; value and tensor
 * are called "layer<l>.<kind>.mask". Slots get the tensor alone. Oracle of skip_pass_prune, which also takes the masked network itself. */
enum skip_status skip_pass_mask(const struct skip_graph *graph, const struct skip_units *units, const struct skip_keep *keep,
				struct skip_graph **out, struct skip_err *err);

/* Switches off the slots of the prefix of attention node `node` that keep[P] drops, beside those that are off already, in place. On failure the graph is
 * still whole. */
enum skip_status skip_mask_slots(struct skip_graph *graph, int node, const unsigned char *keep, struct skip_err *err);

/* Weights of its own for every layer, where layers share them ("<name>.layer<l>" from the second on): units then belong to one layer each, and
 * dense_encoder_params grows by what the copies hold. A graph without shared weights comes back as a copy. */
enum skip_status skip_pass_untie(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err);

/* Removes nodes that no value of `wanted` needs, and values and tensors nobody uses. wanted[] indices are rewritten. */
enum skip_status skip_pass_dead(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out, struct skip_err *err);

/* Pooling of the first or the last row only: from the last layer on, the other rows of each sequence are not computed (keys and values excepted).
 * Exact. The last norm takes over the name of the pooled value ("hidden" is gone), gathered rows are called "<value>.first" or "<value>.last". A
 * graph that pools by mean comes back as a copy. */
enum skip_status skip_pass_pooled_only(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err);

/* The inverse: where attention has queries of pooled rows, the pool moves behind the last norm of such rows, whose value keeps its name; the pooled value is
 * called "pooled.rows". Any other graph comes back as a copy. */
enum skip_status skip_pass_all_rows(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err);

/* Fusing for execution: linears that share an input become one (tensors concatenated, attention reads column ranges); linear + act; linear +
 * add. Linears with trained weights are not joined, because a concatenation has no gradient. With `keep_pre` the linear + act fusing is left
 * out, because a backward pass needs the pre-activations. Values that disappear: those between the fused nodes; `wanted` values are never fused
 * away and their indices are rewritten. The joined value of layer l is "layer<l>.attention.qkv" (".kv" ... when one of them stays alone). */
enum skip_status skip_pass_fuse(const struct skip_graph *graph, bool keep_pre, int *wanted, size_t n_wanted, struct skip_graph **out,
				struct skip_err *err);

/* Two linears with an activation between that nobody else reads become one `ffn`; for devices that have a kernel for the whole. Comes after
 * skip_pass_fuse; `wanted` as there. */
enum skip_status skip_pass_ffn(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out, struct skip_err *err);

/*
 * Shape classes: the layers share at most `most` shapes of attention (heads, qk, v) and as many of ffn, each as wide as the widest of its layers; the others
 * get units of zeros, which change nothing. For devices where every shape costs hardware of its own. Works on unfused graphs (graph/units.h). The classes are
 * those with the least sum of widths, for attention of heads (qk + v). Where a layer grew, `shape_classes` of the result is `most`. SKIP_ERR_NOMEM.
 */
enum skip_status skip_pass_classes(const struct skip_graph *graph, int most, struct skip_graph **out, struct skip_err *err);
/*
 * The choice behind it: width[n] -> out[n], the width of each one's class, with at most `most` classes and the least sum, exactly, by dynamic programme
 * over the sorted widths. *classes is how many there are.
 */
enum skip_status skip_shape_classes(const int *width, int n, int most, int *out, int *classes, struct skip_err *err);

/*
 * The graph that is run to get `value_name` and nothing else: pooled_only, dead, fuse, then the ops of `combine` (names, NULL-terminated; NULL: none),
 * each made of the smaller ones it stands for ("ffn"). *value is the value's index in *out. SKIP_ERR_INPUT: no such value, no such op.
 */
enum skip_status skip_pass_inference(const struct skip_graph *graph, const char *value_name, const char *const *combine, struct skip_graph **out,
				     int *value, struct skip_err *err);
/* Whether skip_pass_inference can make this op. */
bool skip_pass_can_combine(const char *op);

/*
 * Backward: appends gradient nodes. The seed is a new graph input `<name of output>.grad`, shape of value `output`.
 * Gradients are built for trained tensors and for the values in `want` only; nothing else is computed (layer 0 stops after what its prefix
 * needs). In the result: grad_of_tensor[i] (size n_tensors) and grad_of_want[i] are value indices or SKIP_NONE. Value indices of the input graph
 * stay valid. n_forward: number of nodes of the forward part.
 */
struct skip_backward {
	struct skip_graph *graph;
	int seed;
	int *grad_of_tensor; /* [graph->n_tensors] */
	int *grad_of_want;   /* [n_want] */
	size_t n_forward;
};
enum skip_status skip_pass_backward(const struct skip_graph *graph, int output, const int *want, size_t n_want, struct skip_backward *out,
				    struct skip_err *err);
void skip_backward_deinit(struct skip_backward *backward);

/* For ops' `gradient` (node index in grad's graph): the graph being extended; does this value / tensor need a gradient; the gradient value of an
 * output (SKIP_NONE: none arrived); the gradient accumulated so far for a value; and its replacement. An op that can add (linear's residual
 * input) takes the sum so far as its residual and sets the result; skip_grad_accumulate does the same with an `add` node. A tensor
 * that several nodes read gets the sum of what they set. */
struct skip_graph *skip_grad_graph(struct skip_grad *grad);
bool skip_grad_needs_value(const struct skip_grad *grad, int value);
bool skip_grad_needs_tensor(const struct skip_grad *grad, int tensor);
int skip_grad_get(const struct skip_grad *grad, int value);
void skip_grad_set(struct skip_grad *grad, int value, int grad_value);
enum skip_status skip_grad_accumulate(struct skip_grad *grad, int value, int grad_value, struct skip_err *err);
void skip_grad_set_tensor(struct skip_grad *grad, int tensor, int grad_value);

/* Turns dropout on or off: sets the rate of every dropout node and prefix_dropout of every attention node. */
enum skip_status skip_pass_dropout(const struct skip_graph *graph, float head_rate, float prefix_rate, struct skip_graph **out,
				   struct skip_err *err);

/* Sets the precision of every linear of an encoder layer and of attention, where int8 means bfloat16; the pooler and the head keep float32. Scales of
 * int8 are those of rows. */
enum skip_status skip_pass_precision(const struct skip_graph *graph, enum skip_precision precision, struct skip_graph **out, struct skip_err *err);
/* The linears alone, attention in float32, whose slots can be scored. */
enum skip_status skip_pass_linear_precision(const struct skip_graph *graph, enum skip_precision precision, struct skip_graph **out, struct skip_err *err);
/* One scale for all rows: every linear in int8 takes clip[its input] (struct skip_attrs_linear), clip [n_values], 0 for the scales of rows. */
enum skip_status skip_pass_clip(const struct skip_graph *graph, const float *clip, struct skip_graph **out, struct skip_err *err);

/* Puts a prefix in front of every attention node: tensors "prefix.<layer>.key" [P][H*qk] and "prefix.<layer>.value" [P][H*v], trained, zero. P = 0
 * removes an existing prefix. */
enum skip_status skip_pass_prefix(const struct skip_graph *graph, int prefix, struct skip_graph **out, struct skip_err *err);

/* Replaces whatever follows "hidden" by pooling, [dense tanh "pooler.*" when `pooler` tensors are given], dropout node (rate 0) and the head
 * "head.weight" [C][D], "head.bias" [C] (trained, zero): values "pooled", "logits" (with a pooler "pooled.rows" and
 * "pooled.dense" come first). classes = 0: no dropout and no head. */
enum skip_status skip_pass_head(const struct skip_graph *graph, enum skip_pool pool, struct skip_tensor *pooler_w, struct skip_tensor *pooler_b,
				int classes, struct skip_graph **out, struct skip_err *err);

/* Tensors with `trained` set (and, through the returned graph only, their own storage): a deep copy of trained tensors, so that tuning one graph
 * never changes another. The copies are float32 (float64 stays float64). */
enum skip_status skip_pass_own_trained(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err);

/* What is to be trained becomes trained tensors of the graph's own, float32: prefixes and the linear that makes "logits", with `weights` every
 * weight from the first layer on that its op can train. The embedding block stays as it is. Tensors already trained are shared as they are. */
enum skip_status skip_pass_thaw(const struct skip_graph *graph, bool weights, struct skip_graph **out, struct skip_err *err);

/*
 * The optimiser: appends to a graph with gradients one step of AdamW (docs/method.md 2.5) for each of `tensors`, gradients clipped to the
 * global norm `clip` (0: never). `step` is a new graph input [1][3]: factor of the learning rates, 1/(1 - b1^i), 1/(1 - b2^i) of step i;
 * `norm` the square of the global norm before clipping, SKIP_NONE for n = 0. Value and tensor indices of `graph` stay valid. Each step of a
 * session leaves the new numbers where the old ones were.
 */
struct skip_adamw_tensor {
	int tensor, gradient; /* given: index of the tensor, value of its gradient */
	float lr, decay;
	int m, v;    /* made: tensors of the moments, zero */
	int next[3]; /* made: values of w, m and v after the step */
};
struct skip_adamw {
	struct skip_graph *graph;
	int step, norm;
};
enum skip_status skip_pass_adamw(const struct skip_graph *graph, struct skip_adamw_tensor *tensors, size_t n, float clip,
                                 struct skip_adamw *out, struct skip_err *err);

#endif
