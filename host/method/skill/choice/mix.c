/* Unsure and different: five times as many rows by entropy, then those that cover these best. */
#include "base/alloc.h"
#include "method/skill/choice.h"

#define WIDER 5

static enum skip_status choose(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = count <= pool->n / WIDER ? WIDER * count : pool->n;
	int *unsure = skip_alloc_array(n, sizeof(*unsure));
	if (!unsure) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu rows", n);
	SKIP_TRY(skip_choice_find("entropy")->choose(pool, n, unsure, err));
	SKIP_TRY(skip_choice_spread(pool, unsure, n, count, rows, err));
cleanup:
	skip_free(unsure);
	return status;
}

const struct skip_choice skip_choice_mix = {
    .name = "mix", .summary = "five times as many by entropy, of these by kcenter", .needs_model = true, .choose = choose};
