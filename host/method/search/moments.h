/*
 * Second moments of the dense network over calibration rows: what compensation and the error tables need to know of the data. One pass over
 * the rows gives all of them, and any number of choices is then fitted from them.
 */
#ifndef SKIP_METHOD_SEARCH_MOMENTS_H
#define SKIP_METHOD_SEARCH_MOMENTS_H

#include "graph/units.h"
#include "method/search/calibration.h"

struct skip_device;

/* Where queries and keys of a qk group come from; SKIP_NONE: absent. Indices of the graph's values and tensors. */
struct skip_qk_source {
	bool plain; /* both come straight from a linear, without activation and not turned: only then they can be refitted */
	int q, k;
	int weight[2], bias[2], table[2]; /* of q and k; table: what a distance adds to them (Rq, Rk) */
	int prefix;			  /* keys */
};
void skip_qk_source_find(const struct skip_graph *graph, const struct skip_unit_group *group, struct skip_qk_source *out);

/* Arrays by group of the units; NULL where a group has none. */
struct skip_moments {
	size_t n_groups, rows;
	double **mean, **cov; /* of a consumer's inputs: [width], centred sum [width][width] */
	double **cq, **ck;    /* per head [heads][dims][dims]: queries; keys centred in their sentence, prefix keys included */
};

/* Of the groups with group[g] set. Products of a batch in float, sums over batches in double. */
enum skip_status skip_moments_collect(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				      const struct skip_calibration *rows, const bool *group, struct skip_moments *out,
				      struct skip_err *err);
void skip_moments_deinit(struct skip_moments *moments);

#endif
