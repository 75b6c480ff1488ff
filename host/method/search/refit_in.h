/*
 * Refit of what reads the stream (docs/method.md 5): the pruned stream is off the dense one, and of that error the part that is linear in the
 * pruned stream can be taken back by the linears that read it. compensate.c fits the map, this applies it.
 */
#ifndef SKIP_METHOD_SEARCH_REFIT_IN_H
#define SKIP_METHOD_SEARCH_REFIT_IN_H

#include "graph/units.h"

#define SKIP_MOST_READERS 4

/* The linears by which a sub-layer reads the stream: W_1, or W_u and W_g; W_Q, W_K, W_V. */
struct skip_readers {
	int value; /* what all of them read: X, or LN(X) where norms stand inside the branches */
	int weight[SKIP_MOST_READERS], bias[SKIP_MOST_READERS]; /* tensors; bias SKIP_NONE: absent */
	int n;
	bool biased; /* each has a bias */
};
/* Of the sub-layer whose consumer reads group `g` (ffn or v). False: they are not plain linears of one value, or have weights that others read too. */
bool skip_readers_find(const struct skip_graph *graph, const struct skip_units *units, size_t g, struct skip_readers *out);
/* W' = W + W delta, b' = b + W shift; delta [D][D], shift [D] (NULL where a bias is missing). Tensors of the graph's own in float32. */
enum skip_status skip_readers_move(struct skip_graph *graph, const struct skip_readers *readers, const float *delta, const float *shift,
				   struct skip_err *err);

#endif
