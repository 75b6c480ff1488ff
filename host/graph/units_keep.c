/*
 * Choices of units: one byte per unit of every group, and the rule that keeps attention dense (docs/method.md 4, "Dense attention").
 *
 * Neighbours: units.c finds the groups, pass/prune.c and pass/mask.c carry a choice out, method/search makes one. It chooses nothing
 * itself.
 */
#include "base/alloc.h"
#include "graph/units.h"
#include <assert.h>
#include <string.h>

enum skip_status skip_keep_create(const struct skip_units *units, struct skip_keep *out, struct skip_err *err)
{
	struct skip_keep keep = {.keep = skip_alloc_zeroed(units->n_all, sizeof(*keep.keep)), .n_all = units->n_all};
	bool complete = keep.keep != NULL;
	for (size_t g = 0; complete && g < units->n_all; g++) {
		size_t width = (size_t)units->group[g].width;
		keep.keep[g] = skip_alloc_array(width, 1);
		complete = keep.keep[g] != NULL;
		if (complete) memset(keep.keep[g], 1, width);
	}
	if (!complete) {
		skip_keep_deinit(&keep);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a choice of %zu units", units->total);
	}
	*out = keep;
	return SKIP_OK;
}

void skip_keep_deinit(struct skip_keep *keep)
{
	if (!keep) return;
	for (size_t g = 0; keep->keep && g < keep->n_all; g++) skip_free(keep->keep[g]);
	skip_free(keep->keep);
	*keep = (struct skip_keep){0};
}

/* Both groups of one attention layer; either may be absent (NULL). */
struct head_choice {
	const struct skip_unit_group *group[2];
	unsigned char *keep[2];
};

static int head_count(const struct head_choice *choice, int which, int head)
{
	int per_head = choice->group[which]->per_head, count = 0;
	for (int e = 0; e < per_head; e++) count += choice->keep[which][head * per_head + e] != 0;
	return count;
}

static bool head_stays(const struct head_choice *choice, int head)
{
	for (int which = 0; which < 2; which++) {
		if (choice->group[which] && head_count(choice, which, head) == 0) return false;
	}
	return true;
}

static enum skip_status check_equal(const struct head_choice *choice, int which, int heads, struct skip_err *err)
{
	const struct skip_unit_group *group = choice->group[which];
	int first = SKIP_NONE, wanted = 0;
	for (int h = 0; group && h < heads; h++) {
		if (!head_stays(choice, h)) continue;
		int count = head_count(choice, which, h);
		if (first == SKIP_NONE) {
			first = h;
			wanted = count;
		}
		if (count != wanted) {
			return skip_err_set(err, SKIP_ERR_INPUT,
			                    "layer %d: head %d keeps %d %s dims, head %d keeps %d; every kept head needs the same number",
			                    group->layer, h, count, skip_unit_kind_name(group->kind), first, wanted);
		}
	}
	return SKIP_OK;
}

static enum skip_status normalise_layer(struct head_choice *choice, struct skip_err *err)
{
	const struct skip_unit_group *any = choice->group[0] ? choice->group[0] : choice->group[1];
	enum skip_status status = SKIP_OK;
	assert(!choice->group[0] || !choice->group[1] || choice->group[0]->heads == choice->group[1]->heads);
	SKIP_TRY(check_equal(choice, 0, any->heads, err));
	SKIP_TRY(check_equal(choice, 1, any->heads, err));
	for (int h = 0; h < any->heads; h++) {
		if (head_stays(choice, h)) continue;
		for (int which = 0; which < 2; which++) {
			if (!choice->group[which]) continue;
			size_t per_head = (size_t)choice->group[which]->per_head;
			memset(choice->keep[which] + (size_t)h * per_head, 0, per_head);
		}
	}
cleanup:
	return status;
}

enum skip_status skip_keep_normalise(const struct skip_units *units, struct skip_keep *keep, struct skip_err *err)
{
	static const enum skip_unit_kind kind[2] = {SKIP_UNIT_V, SKIP_UNIT_QK};
	enum skip_status status = SKIP_OK;
	assert(keep->n_all == units->n_all);
	for (size_t g = 0; g < units->n_groups; g++) {
		struct head_choice choice = {0};
		for (int which = 0; which < 2; which++) {
			choice.group[which] = skip_units_get(units, units->group[g].layer, kind[which]);
			if (choice.group[which]) choice.keep[which] = keep->keep[choice.group[which] - units->group];
		}
		/* Once per layer: with the first of its two groups. */
		const struct skip_unit_group *first = choice.group[0];
		if (!first || (choice.group[1] && choice.group[1] < first)) first = choice.group[1];
		if (first == &units->group[g]) SKIP_TRY(normalise_layer(&choice, err));
	}
cleanup:
	return status;
}
