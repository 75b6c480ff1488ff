/* The dynamic programme over the table of options: options.h, programme.h, docs/method.md 4. */
#include "method/search/programme.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

#define ROW ((size_t)SKIP_BUCKETS + 1)

/* Buckets an option takes. A cost of 0 fits any budget; more than all of it never fits. */
static int buckets_of(double cost, double budget)
{
	if (cost <= 0) return 0;
	double n = budget > 0 ? ceil(cost / budget * SKIP_BUCKETS) : SKIP_BUCKETS + 1;
	return n > SKIP_BUCKETS ? SKIP_BUCKETS + 1 : (int)n;
}

enum skip_status skip_programme_init(struct skip_programme *p, const struct skip_options *o, enum skip_cost cost, double budget,
				     const double *weight, struct skip_err *err)
{
	size_t most = 0, n = 0;
	for (size_t s = 0; s < o->n; s++) most += o->sub[s].n_options;
	*p = (struct skip_programme){.options = o, .entry = skip_alloc_array(most, sizeof(*p->entry)), .first = skip_alloc_array(o->n + 1, sizeof(*p->first))};
	if (!p->entry || !p->first) return skip_err_set(err, SKIP_ERR_NOMEM, "programme of %zu options", most);
	for (size_t s = 0; s < o->n; s++) {
		const struct skip_sublayer *sub = &o->sub[s];
		p->first[s] = n;
		for (size_t k = 0; k < sub->n_options; k++) {
			const double error = (weight ? weight[s] : 1) * sub->error[k];
			const int takes = buckets_of(sub->cost[cost][k], budget);
			if (takes > SKIP_BUCKETS || !isfinite(error)) continue;
			p->entry[n++] = (struct skip_entry){.option = (int)k, .takes = takes, .cost = sub->cost[cost][k], .error = error};
		}
	}
	p->first[o->n] = n;
	return SKIP_OK;
}

void skip_programme_deinit(struct skip_programme *p)
{
	skip_free(p->entry);
	skip_free(p->first);
}

/* best[x]: least error of the sub-layers so far in x buckets; argument[x]: the entry of the last of them. */
static void add_sublayer(const struct skip_programme *p, size_t s, uint64_t shapes, const double *before, double *best, uint8_t *argument)
{
	for (size_t x = 0; x < ROW; x++) best[x] = INFINITY;
	for (size_t i = p->first[s]; i < p->first[s + 1]; i++) {
		const struct skip_entry *entry = &p->entry[i];
		if (!skip_entry_allowed(entry, shapes)) continue;
		for (int x = entry->takes; x <= SKIP_BUCKETS; x++) {
			const double error = before[x - entry->takes] + entry->error;
			if (error >= best[x]) continue;
			best[x] = error;
			if (argument) argument[x] = (uint8_t)(i - p->first[s]);
		}
	}
}

void skip_programme_curve(const struct skip_programme *p, const size_t *sub, size_t n, uint64_t shapes, double *curve, double *scratch,
			  uint8_t *argument)
{
	double *now = n % 2 ? scratch : curve, *next = n % 2 ? curve : scratch; /* the last sub-layer writes into the curve */
	memset(now, 0, ROW * sizeof(*now));
	for (size_t i = 0; i < n; i++) {
		add_sublayer(p, sub[i], shapes, now, next, argument ? argument + i * ROW : NULL);
		double *swap = now;
		now = next;
		next = swap;
	}
}

void skip_programme_trace(const struct skip_programme *p, const size_t *sub, size_t n, const uint8_t *argument, int x, int *choice)
{
	for (size_t i = n; i-- > 0;) {
		const struct skip_entry *entry = &p->entry[p->first[sub[i]] + argument[i * ROW + (size_t)x]];
		choice[sub[i]] = entry->option;
		x -= entry->takes;
	}
}

/* Every sub-layer by itself. */
static enum skip_status allocate_free(const struct skip_programme *p, int *choice, double *error, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = p->options->n;
	double *curve = skip_alloc_array(2 * ROW, sizeof(*curve));
	uint8_t *argument = skip_alloc_zeroed(n, ROW);
	size_t *sub = skip_alloc_array(n, sizeof(*sub));
	int x = 0;
	if (!curve || !argument || !sub) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "allocation over %zu sub-layers", n));
	for (size_t s = 0; s < n; s++) sub[s] = s;
	skip_programme_curve(p, sub, n, 0, curve, curve + ROW, argument);
	for (int i = 1; i <= SKIP_BUCKETS; i++) {
		if (curve[i] < curve[x]) x = i;
	}
	*error = curve[x];
	if (isfinite(*error)) skip_programme_trace(p, sub, n, argument, x, choice);
cleanup:
	skip_free(sub);
	skip_free(argument);
	skip_free(curve);
	return status;
}

enum skip_status skip_options_allocate(const struct skip_options *o, enum skip_cost cost, double budget, const double *weight, int classes,
				       int *choice, double *error, bool *fits, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_programme programme = {0};
	SKIP_TRY(skip_programme_init(&programme, o, cost, budget, weight, err));
	if (classes > 0) SKIP_TRY(skip_classes_allocate(&programme, classes, choice, error, err));
	else
		SKIP_TRY(allocate_free(&programme, choice, error, err));
	*fits = budget >= -1e-9 * o->dense[cost] && isfinite(*error); /* rounding must not refuse what costs nothing */
cleanup:
	skip_programme_deinit(&programme);
	return status;
}

enum skip_status skip_options_smallest(const struct skip_options *o, enum skip_cost cost, int classes, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_programme programme = {0};
	double sum = skip_options_fixed(o, cost), shared = 0;
	SKIP_TRY(skip_programme_init(&programme, o, cost, INFINITY, NULL, err));
	if (classes > 0) SKIP_TRY(skip_classes_smallest(&programme, classes, &shared, err));
	for (size_t s = 0; classes == 0 && s < o->n; s++) {
		double least = INFINITY;
		for (size_t i = programme.first[s]; i < programme.first[s + 1]; i++) least = fmin(least, programme.entry[i].cost);
		sum += least;
	}
	*out = sum + shared;
cleanup:
	skip_programme_deinit(&programme);
	return status;
}
