/* The pool comes in a random order: its first rows. */
#include "method/skill/choice.h"

static enum skip_status choose(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err)
{
	(void)pool;
	(void)err;
	for (size_t i = 0; i < count; i++) rows[i] = (int)i;
	return SKIP_OK;
}

const struct skip_choice skip_choice_random = {.name = "random", .summary = "any rows", .choose = choose};
