/* Ranking of units by score: rank.h. */
#include "method/search/rank.h"
#include "base/alloc.h"
#include <stdlib.h>

struct ranked {
	double score;
	int index;
};

static int lowest_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? -1 : 1;
	return (x->index < y->index) - (x->index > y->index);
}

enum skip_status skip_rank_drop_lowest(const double *score, int n, int n_gone, unsigned char *keep, struct skip_err *err)
{
	struct ranked *order = skip_alloc_array((size_t)n, sizeof(*order));
	if (!order) return skip_err_set(err, SKIP_ERR_NOMEM, "ranking of %d units", n);
	for (int i = 0; i < n; i++) order[i] = (struct ranked){score[i], i};
	qsort(order, (size_t)n, sizeof(*order), lowest_first);
	for (int i = 0; i < n_gone; i++) keep[order[i].index] = 0;
	skip_free(order);
	return SKIP_OK;
}
