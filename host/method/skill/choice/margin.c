/* Rows whose two likeliest classes lie closest together. */
#include "base/alloc.h"
#include "method/skill/choice.h"

static enum skip_status choose(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err)
{
	double *key = skip_alloc_array(pool->n, sizeof(*key));
	if (!key) return skip_err_set(err, SKIP_ERR_NOMEM, "margins of %zu rows", pool->n);
	for (size_t i = 0; i < pool->n; i++) {
		double first = 0, second = 0;
		for (int c = 0; c < pool->classes; c++) {
			double p = pool->p[i * (size_t)pool->classes + (size_t)c];
			if (p > first) {
				second = first;
				first = p;
			} else if (p > second) {
				second = p;
			}
		}
		key[i] = second - first;
	}
	enum skip_status status = skip_choice_largest(key, pool->n, count, rows, err);
	skip_free(key);
	return status;
}

const struct skip_choice skip_choice_margin = {
    .name = "margin", .summary = "smallest distance between the two likeliest classes", .needs_model = true, .choose = choose};
