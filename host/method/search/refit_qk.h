/*
 * Compensation of removed qk dims (docs/method.md 5). A head's scores are Q K^T; softmax does not see what is added to all scores of a
 * query. Cutting E to E' dims leaves the rank; which rank-E' product is nearest to the dense one over real tokens has a closed form in
 * each factor alone, so both are refitted in turn, starting from the kept dims.
 */
#ifndef SKIP_METHOD_SEARCH_REFIT_QK_H
#define SKIP_METHOD_SEARCH_REFIT_QK_H

#include "method/search/moments.h"

/*
 * One head. Minimises the sum over queries q and keys k of (q . k - (T q) . (U k))^2 by SWEEPS steps in T and U [kept][dims], which start
 * as the selection of the kept dims: T = (U Ck U^T + lam Id)^-1 (U Ck + lam T_before),   U = (T Cq T^T + lam Id)^-1 (T Cq + lam U_before)
 * Cq, Ck [dims][dims]: second moments of queries, and of keys centred in their sentence. lam = damping * mean diagonal of what is inverted.
 */
enum skip_status skip_refit_qk_head(const double *cq, const double *ck, int dims, const unsigned char *keep, double damping, double *t,
				    double *u, struct skip_err *err);

/*
 * The heads of qk group `g` in `result`, which is a copy of `graph` with tensors of its own for what is tied to the group (skip_zero_units):
 * query and key weights, biases, tables by distance and prefix keys of the units kept become T W_Q, T Rq, U W_K, U Rk, U P_K per head, those of the others zero. A group
 * without moments, or that loses nothing, stays as it is.
 */
enum skip_status skip_refit_qk(const struct skip_graph *graph, const struct skip_units *units, size_t g, const struct skip_moments *moments,
			       const unsigned char *keep, double damping, struct skip_graph *result, struct skip_err *err);

#endif
