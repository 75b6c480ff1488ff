/* Rows the network is least sure of by the entropy of its answer. */
#include "base/alloc.h"
#include "method/skill/choice.h"
#include <math.h>

static enum skip_status choose(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err)
{
	double *key = skip_alloc_zeroed(pool->n, sizeof(*key));
	if (!key) return skip_err_set(err, SKIP_ERR_NOMEM, "entropies of %zu rows", pool->n);
	for (size_t i = 0; i < pool->n; i++) {
		for (int c = 0; c < pool->classes; c++) {
			double p = pool->p[i * (size_t)pool->classes + (size_t)c];
			if (p > 0) key[i] -= p * log(p);
		}
	}
	enum skip_status status = skip_choice_largest(key, pool->n, count, rows, err);
	skip_free(key);
	return status;
}

const struct skip_choice skip_choice_entropy = {
    .name = "entropy", .summary = "largest entropy of the answer", .needs_model = true, .choose = choose};
