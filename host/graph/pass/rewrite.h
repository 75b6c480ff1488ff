/*
 * What the passes share: copying a graph node by node into a new one, with maps from old to new values and tensors.
 *
 * A pass begins a rewrite, visits the old nodes in order and copies, changes or leaves out each, and ends it. Graph inputs and tensors come
 * along only when something reads them. On failure the pass calls deinit, which destroys the half-built graph. Not for use outside graph/.
 */
#ifndef SKIP_GRAPH_PASS_REWRITE_H
#define SKIP_GRAPH_PASS_REWRITE_H

#include "graph/op.h"

struct skip_rewrite {
	const struct skip_graph *from;
	struct skip_graph *to;
	int *value;  /* [from->n_values] index in `to`, SKIP_NONE: not there (yet) */
	int *tensor; /* [from->n_tensors] likewise */
};

/* An empty `to` that carries the information of `from`. */
enum skip_status skip_rewrite_begin(struct skip_rewrite *rewrite, const struct skip_graph *from, struct skip_err *err);
void skip_rewrite_deinit(struct skip_rewrite *rewrite);
/* Hands the new graph over; the rewrite must still be deinitialised. */
struct skip_graph *skip_rewrite_end(struct skip_rewrite *rewrite);

/* Index in `to` of an old value: what it was mapped to, or a new graph input when it is one in `from`. SKIP_NONE stays SKIP_NONE. */
enum skip_status skip_rewrite_value(struct skip_rewrite *rewrite, int value, int *out, struct skip_err *err);
/* Index in `to` of an old tensor, shared. SKIP_NONE stays SKIP_NONE. */
enum skip_status skip_rewrite_tensor(struct skip_rewrite *rewrite, int tensor, int *out, struct skip_err *err);
/* Makes the new value of an old one that a node is about to write, with another name (NULL: the same), rows or cols. */
enum skip_status skip_rewrite_declare(struct skip_rewrite *rewrite, int value, const char *name, enum skip_rows rows, int cols,
                                      struct skip_err *err);

/* Old node `n` with inputs and parameters of `to`; outputs still old. */
enum skip_status skip_rewrite_map(struct skip_rewrite *rewrite, size_t n, struct skip_node *out, struct skip_err *err);
/* Adds a node with inputs and parameters of `to` whose node->out are old values; those not declared get the shape they had. */
enum skip_status skip_rewrite_emit(struct skip_rewrite *rewrite, struct skip_node *node, struct skip_err *err);
/* Map and emit. */
enum skip_status skip_rewrite_copy(struct skip_rewrite *rewrite, size_t n, struct skip_err *err);
/* `stem`, or `stem` and a number, such that no value of either graph is called so. */
void skip_rewrite_name(const struct skip_rewrite *rewrite, const char *stem, char out[SKIP_NAME]);
/* Adds a node that nothing in `from` corresponds to, one new output called `name`. */
enum skip_status skip_rewrite_insert(struct skip_rewrite *rewrite, struct skip_node *node, const char *name, int *out,
                                     struct skip_err *err);

/* wanted[i] <- its index in `to`; for the end of a pass. */
void skip_rewrite_indices(const struct skip_rewrite *rewrite, int *wanted, size_t n_wanted);

bool skip_node_is(const struct skip_node *node, const char *op);
/* How many inputs of nodes read `value`; `*last` (may be NULL) is the last node that does. */
int skip_value_readers(const struct skip_graph *graph, int value, size_t *last);

#endif
