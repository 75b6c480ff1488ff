/*
 * Compensation of removed qk dims (docs/method.md 6). A head's scores are Q K^T; softmax does not see what is added to all scores of a
 * query. Cutting E to E' dims leaves the rank; which rank-E' product is nearest to the dense one over real tokens has a closed form in
 * each factor alone, so both are refitted in turn, starting from the kept dims.
 */
#ifndef SKIP_METHOD_SEARCH_REFIT_QK_H
#define SKIP_METHOD_SEARCH_REFIT_QK_H

#include "graph/units.h"
#include "text/dataset.h"

struct skip_device;

/*
 * One head. Minimises the sum over queries q and keys k of (q . k - (T q) . (U k))^2 by SWEEPS steps in T and U [kept][dims], which start
 * as the selection of the kept dims: T = (U Ck U^T + lam Id)^-1 (U Ck + lam T_before),   U = (T Cq T^T + lam Id)^-1 (T Cq + lam U_before)
 * Cq, Ck [dims][dims]: second moments of queries, and of keys centred in their sentence. lam = damping * mean diagonal of what is inverted.
 */
enum skip_status skip_refit_qk_head(const double *cq, const double *ck, int dims, const unsigned char *keep, double damping, double *t,
				    double *u, struct skip_err *err);

/*
 * Every attention of `result`, which is `dense` without the units `keep` drops: its query and key weights, biases and prefix keys become
 * T W_Q, U W_K, U P_K per head. `units` are dense's; moments come from the dense network over the packed batches. Layers whose queries or
 * keys do not come straight from a linear stay as they are.
 */
enum skip_status skip_refit_qk(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
			       const struct skip_keep *keep, const struct skip_packer *packer, size_t n_batches, double damping,
			       struct skip_graph *result, struct skip_err *err);

#endif
