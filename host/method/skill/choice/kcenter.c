/* Rows that cover the pool: pooled vectors as far from each other as possible, greedily. */
#include "method/skill/choice.h"

static enum skip_status choose(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err)
{
	return skip_choice_spread(pool, NULL, pool->n, count, rows, err);
}

const struct skip_choice skip_choice_kcenter = {
    .name = "kcenter", .summary = "pooled vectors far from each other", .needs_model = true, .choose = choose};
