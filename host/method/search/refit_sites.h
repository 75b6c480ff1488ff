/*
 * Where compensation refits. A sub-layer is: X, N = X or a norm of it, [readers of N, ..., inputs In of the consumer, consumer W In + b], R = X + ..., Xn = LayerNorm(R), or
 * Xn = R where the norms stand inside the branches. A consumer without a bias got one before (skip_zero_biases), because the fit has a mean to put somewhere.
 */
#ifndef SKIP_METHOD_SEARCH_REFIT_SITES_H
#define SKIP_METHOD_SEARCH_REFIT_SITES_H

#include "method/search/refit_in.h"

/* Value indices in one network's own graph, then (after opening) in its session's graph. */
struct skip_site_values {
	int x, read, in, r, next; /* X, N, In, R, Xn */
};

struct skip_refit_site {
	size_t group;		     /* whose units the consumer reads */
	struct skip_site_values value;
	int weight, bias;	     /* tensors of the consumer */
	bool pooled;		     /* only the pooled row of each sentence counts */
	struct skip_readers readers; /* n 0: they stay as they are */
	int norm;		     /* node that makes Xn; SKIP_NONE: it stays as it is, or there is none */
};

struct skip_refit_sites {
	struct skip_refit_site *site; /* [n] bottom-up */
	size_t n;
	int classifier, pooled; /* node that makes the logits and the value it reads; SKIP_NONE: it stays as it is */
};
/*
 * Of `result`, a copy of `dense` with the same indices; what will be refitted becomes its own there. `all`: readers, norms and classifier too, where they are plain and belong
 * to one sub-layer alone. Groups that several layers share have no site. SKIP_ERR_UNSUPPORTED for graphs that are not of this form.
 */
enum skip_status skip_refit_sites_find(const struct skip_graph *dense, const struct skip_units *units, bool all, struct skip_graph *result,
				       struct skip_refit_sites *out, struct skip_err *err);
void skip_refit_sites_deinit(struct skip_refit_sites *sites);

#endif
