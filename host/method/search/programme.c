/* The dynamic programme over the table of options: options.h, docs/method.md 5.4. */
#include "base/alloc.h"
#include "method/search/options.h"
#include <math.h>
#include <stdint.h>

#define BUCKETS 10000

/* Buckets an option takes. A cost of 0 fits any budget; more than all of it never fits. */
static int buckets_of(double cost, double budget)
{
	if (cost <= 0) return 0;
	double n = budget > 0 ? ceil(cost / budget * BUCKETS) : BUCKETS + 1;
	return n > BUCKETS ? BUCKETS + 1 : (int)n;
}

/* best[x]: least error of the sub-layers so far in x buckets; argument[x]: the option of the last of them. */
static void add_sublayer(const struct skip_sublayer *sub, const double *cost, double budget, double weight, const double *before,
			 double *best, uint8_t *argument)
{
	for (int x = 0; x <= BUCKETS; x++) best[x] = INFINITY;
	for (size_t k = 0; k < sub->n_options; k++) {
		int takes = buckets_of(cost[k], budget);
		double error = weight * sub->error[k];
		for (int x = takes; x <= BUCKETS; x++) {
			if (before[x - takes] + error >= best[x]) continue;
			best[x] = before[x - takes] + error;
			argument[x] = (uint8_t)k;
		}
	}
}

enum skip_status skip_options_allocate(const struct skip_options *o, enum skip_cost cost, double budget, const double *weight, int *choice,
				       double *error, bool *fits, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t row = BUCKETS + 1;
	double *best = skip_alloc_zeroed(2 * row, sizeof(*best));
	uint8_t *argument = skip_alloc_zeroed(o->n, row);
	if (!best || !argument) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "allocation over %zu sub-layers", o->n));
	double *now = best, *next = best + row;
	for (size_t s = 0; s < o->n; s++) {
		add_sublayer(&o->sub[s], o->sub[s].cost[cost], budget, weight ? weight[s] : 1, now, next, argument + s * row);
		double *swap = now;
		now = next;
		next = swap;
	}
	int x = 0;
	for (int i = 1; i <= BUCKETS; i++) {
		if (now[i] < now[x]) x = i;
	}
	*fits = budget >= -1e-9 * o->dense[cost] && isfinite(now[x]); /* rounding must not refuse what costs nothing */
	*error = now[x];
	for (size_t s = o->n; *fits && s-- > 0;) {
		choice[s] = argument[s * row + (size_t)x];
		x -= buckets_of(o->sub[s].cost[cost][choice[s]], budget);
	}
cleanup:
	skip_free(argument);
	skip_free(best);
	return status;
}
