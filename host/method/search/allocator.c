/* An allocation made ready for one network: allocation.h. */
#include "method/search/allocation.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "device/device.h"
#include "method/search/on_board.h"
#include "method/search/programme.h"
#include "method/search/times.h"
#include <math.h>
#include <string.h>

const struct skip_allocation *skip_allocation_find(const char *name)
{
	for (const struct skip_allocation *const *entry = skip_allocations; *entry; entry++) {
		if (strcmp((*entry)->name, name) == 0) return *entry;
	}
	return NULL;
}

static bool within(const struct skip_widths *small, const struct skip_widths *large)
{
	return small->heads <= large->heads && small->qk <= large->qk && small->v <= large->v && small->ffn <= large->ffn;
}

/* What keeps more never loses more: the least error of all options an option contains. */
static void running_minimum(struct skip_sublayer *sub)
{
	for (size_t k = 0; k < sub->n_options; k++) {
		for (size_t j = 0; j < sub->n_options; j++) {
			if (within(&sub->option[j], &sub->option[k])) sub->error[k] = fmin(sub->error[k], sub->error[j]);
		}
	}
}

static enum skip_status find_times(struct skip_allocator *a, const json_t *table, const struct skip_dataset *timing, int batch, struct skip_err *err)
{
	const struct skip_allocation_input *in = &a->input;
	if (table) return skip_times_from_json(table, a->on_board, batch, &a->options, err);
	if (a->on_board) return skip_times_estimate(a->on_board, in->graph, in->units, in->scores, &a->options, err);
	return skip_times_measure(in->device, in->graph, in->units, in->scores, timing, batch, &a->options, err);
}

/* What is kept takes whole buckets of the budget, for each sub-layer up to one more than it costs. */
static double largest_share(const struct skip_options *o, enum skip_cost cost, double smallest)
{
	const double fixed = skip_options_fixed(o, cost), least = (smallest - fixed) / (1 - (double)o->n / SKIP_BUCKETS);
	return 1 - (fixed + least) / o->dense[cost];
}

enum skip_status skip_allocator_init(struct skip_allocator *a, double mean_length, const json_t *table, const struct skip_dataset *timing,
				     int batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_allocation_input *in = &a->input;
	double start = skip_clock_seconds(), smallest;
	if (!a->kinds) a->kinds = a->allocation->kinds;
	SKIP_TRY(skip_select_check(in->units, in->scores, a->kinds, err));
	if (!a->allocation->errors) {
		a->largest = skip_select_largest(in->graph, in->units, a->kinds);
		return SKIP_OK;
	}
	const struct skip_profile *grid = a->on_board ? a->on_board->board->profile : skip_device_profile(in->device);
	SKIP_TRY(skip_options_init(in->graph, in->units, grid, a->kinds, a->classes > 0, mean_length, &a->options, err));
	if (a->cost == SKIP_COST_TIME) SKIP_TRY(find_times(a, table, timing, batch, err));
	SKIP_TRY(a->allocation->errors(in, &a->options, err));
	for (size_t s = 0; s < a->options.n; s++) running_minimum(&a->options.sub[s]);
	SKIP_TRY(skip_options_smallest(&a->options, a->cost, a->classes, &smallest, err));
	a->largest = largest_share(&a->options, a->cost, smallest);
cleanup:
	a->seconds = skip_clock_seconds() - start;
	return status;
}

enum skip_status skip_allocator_renew(struct skip_allocator *a, const struct skip_graph *graph, const struct skip_scores *scores,
				      const struct skip_keep *left, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double start = skip_clock_seconds();
	a->input.graph = a->input.working = graph;
	a->input.scores = scores;
	if (!a->allocation->errors) return SKIP_OK;
	for (size_t s = 0; s < a->options.n; s++)
		memset(a->options.sub[s].error, 0, a->options.sub[s].n_options * sizeof(*a->options.sub[s].error));
	SKIP_TRY(a->allocation->errors(&a->input, &a->options, err));
	for (size_t s = 0; s < a->options.n; s++) {
		struct skip_sublayer *sub = &a->options.sub[s];
		const struct skip_widths widths = skip_keep_widths(a->input.units, sub, left);
		running_minimum(sub);
		for (size_t k = 0; k < sub->n_options; k++) {
			if (!within(&sub->option[k], &widths)) sub->error[k] = INFINITY;
		}
	}
cleanup:
	a->seconds += skip_clock_seconds() - start;
	return status;
}

void skip_allocator_deinit(struct skip_allocator *a)
{
	skip_options_deinit(&a->options);
	skip_free(a->weight);
}

static enum skip_status keep_choice(const struct skip_allocator *a, const int *choice, double share, struct skip_keep *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	SKIP_TRY(skip_keep_create(a->input.units, &keep, err));
	for (size_t s = 0; s < a->options.n; s++) {
		const struct skip_sublayer *sub = &a->options.sub[s];
		SKIP_TRY(skip_widths_keep(a->input.units, a->input.scores, sub, &sub->option[choice[s]], &keep, err));
	}
	if (a->kinds & SKIP_UNITS_PREFIX) SKIP_TRY(skip_select_slots(a->input.units, a->input.scores, share, &keep, err));
	*out = keep;
	keep = (struct skip_keep){0};
cleanup:
	skip_keep_deinit(&keep);
	return status;
}

enum skip_status skip_allocator_choose(const struct skip_allocator *a, double share, struct skip_keep *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double ignored;
	bool fits = false;
	int *choice = NULL;
	if (!a->allocation->errors)
		return skip_select_rate(a->input.graph, a->input.units, a->input.scores, a->kinds, a->classes, fmin(share, a->largest), out,
					&ignored, err);
	const struct skip_options *o = &a->options;
	double budget = (1 - share) * o->dense[a->cost] - skip_options_fixed(o, a->cost);
	choice = skip_alloc_zeroed(o->n, sizeof(*choice));
	if (!choice) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", o->n);
	SKIP_TRY(skip_options_allocate(o, a->cost, budget, a->weight, a->classes, choice, &ignored, &fits, err));
	if (!fits)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "%.1f %% cannot be removed with these units, the largest possible is %.1f %%",
				      100 * share, 100 * a->largest));
	SKIP_TRY(keep_choice(a, choice, share, out, err));
cleanup:
	skip_free(choice);
	return status;
}
