/*
 * The dynamic programme where at most K shapes of attention and K of ffn may stay (docs/method.md 4): every set of K shapes leaves a knapsack of its own, and
 * the two kinds share nothing but the budget. So the curve of a kind, least error by buckets, is the lowest of its sets' curves, and the best split of the
 * budget over both curves is the answer, exactly.
 *
 * Few sets need their curve. What a set loses at least follows from prices: for any price of a bucket, the sum over sub-layers of the least error + price x
 * buckets, less price x budget. Sets are taken in the order of that bound, and none is looked at whose bound is above the best answer so far.
 */
#include "base/alloc.h"
#include "method/search/programme.h"
#include <math.h>
#include <stdlib.h>

#define ROW ((size_t)SKIP_BUCKETS + 1)
#define MOST_SHAPES 64	   /* bits of a set */
#define MOST_SETS 200000   /* 16 shapes, of which any number is chosen, make 12,870 at most */
#define COARSE 24	   /* prices a factor of two apart, from far above what all errors together pay for the budget */
#define COARSE_ABOVE 10
#define FINE 16		   /* and on either side of the best of them, FINE_STEP apart */
#define FINE_STEP 0.125	   /* octaves */

struct set {
	uint64_t shapes;
	double relaxed, bound; /* at the price at hand; the best of all prices */
};

/* One kind of sub-layer. */
struct side {
	const char *name;
	size_t *sub, n;
	struct skip_widths shape[MOST_SHAPES];
	int n_shapes, n_kept; /* shapes there are; of a set */
	struct set *set;
	size_t n_sets, next; /* sets before next have their curve in `curve` */
	double *curve, *row; /* [SKIP_BUCKETS + 1] the lowest so far; of one set */
	uint32_t *by;	     /* [SKIP_BUCKETS + 1] the set it is of */
};

static void side_deinit(struct side *side)
{
	skip_free(side->sub);
	skip_free(side->set);
	skip_free(side->curve);
	skip_free(side->row);
	skip_free(side->by);
}

/* ---- shapes and their sets */

static bool leaves(const struct skip_widths *widths)
{
	return widths->heads == 0 && widths->ffn == 0;
}

/* Gives every entry of the side its shape. */
static enum skip_status list_shapes(struct skip_programme *p, struct side *side, struct skip_err *err)
{
	for (size_t m = 0; m < side->n; m++) {
		const struct skip_sublayer *sub = &p->options->sub[side->sub[m]];
		for (size_t i = p->first[side->sub[m]]; i < p->first[side->sub[m] + 1]; i++) {
			const struct skip_widths *widths = &sub->option[p->entry[i].option];
			int shape = 0;
			if (leaves(widths)) continue;
			while (shape < side->n_shapes && !skip_widths_same(&side->shape[shape], widths)) shape++;
			if (shape == MOST_SHAPES)
				return skip_err_set(err, SKIP_ERR_USAGE, "classes: the layers of this model may take more than %d shapes of %s", MOST_SHAPES, side->name);
			if (shape == side->n_shapes) side->shape[side->n_shapes++] = *widths;
			p->entry[i].shape = UINT64_C(1) << shape;
		}
	}
	return SKIP_OK;
}

static double binomial(int n, int k)
{
	double product = 1;
	for (int i = 1; i <= k; i++) product *= (double)(n - k + i) / i;
	return product;
}

/* All sets of as many shapes as may stay; smaller ones are contained in them. As many classes as sub-layers restrict nothing. */
static enum skip_status list_sets(struct side *side, int classes, struct skip_err *err)
{
	const int n = side->n_shapes, k = side->n_kept = (size_t)classes >= side->n || classes > n ? n : classes;
	const double sets = floor(binomial(n, k) + 0.5);
	if (sets > MOST_SETS)
		return skip_err_set(err, SKIP_ERR_USAGE, "classes: %d of %d shapes of %s can be chosen in %.0f ways, at most %d are looked at", k, n, side->name, sets,
				    MOST_SETS);
	side->set = skip_alloc_zeroed((size_t)sets, sizeof(*side->set));
	if (!side->set) return skip_err_set(err, SKIP_ERR_NOMEM, "%.0f sets of shapes", sets);
	uint64_t shapes = k == MOST_SHAPES ? UINT64_MAX : (UINT64_C(1) << k) - 1;
	for (side->n_sets = 0; side->n_sets < (size_t)sets; side->n_sets++) {
		side->set[side->n_sets].shapes = shapes;
		if (side->n_sets + 1 == (size_t)sets) continue;
		/* the next number with as many bits */
		const uint64_t lowest = shapes & (~shapes + 1), ripple = shapes + lowest;
		shapes = ripple | (((shapes ^ ripple) >> 2) / lowest);
	}
	return SKIP_OK;
}

static enum skip_status side_init(struct side *side, struct skip_programme *p, bool ffn, int classes, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	side->name = ffn ? "ffn" : "attention";
	side->sub = skip_alloc_array(p->options->n, sizeof(*side->sub));
	if (!side->sub) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", p->options->n));
	for (size_t s = 0; s < p->options->n; s++) {
		if ((p->options->sub[s].ffn != SKIP_NO_GROUP) == ffn) side->sub[side->n++] = s;
	}
	SKIP_TRY(list_shapes(p, side, err));
	SKIP_TRY(list_sets(side, classes, err));
cleanup:
	return status;
}

/* ---- what a set loses at least */

enum measure { BY_COST, BY_BUCKETS, BY_PRICE };

static double worth(const struct skip_entry *entry, enum measure measure, double price)
{
	switch (measure) {
	case BY_COST: return entry->cost;
	case BY_BUCKETS: return entry->takes;
	case BY_PRICE: break;
	}
	return entry->error + price * entry->takes;
}

/* The least sum over the side's sub-layers, each by itself; INFINITY where one has no option left. */
static double least(const struct skip_programme *p, const struct side *side, uint64_t shapes, enum measure measure, double price)
{
	double sum = 0;
	for (size_t m = 0; m < side->n; m++) {
		double best = INFINITY;
		for (size_t i = p->first[side->sub[m]]; i < p->first[side->sub[m] + 1]; i++) {
			if (skip_entry_allowed(&p->entry[i], shapes)) best = fmin(best, worth(&p->entry[i], measure, price));
		}
		sum += best;
	}
	return sum;
}

/* The least of all sets. */
static double relax(const struct skip_programme *p, struct side *side, enum measure measure, double price)
{
	double best = INFINITY;
	for (size_t i = 0; i < side->n_sets; i++) {
		side->set[i].relaxed = least(p, side, side->set[i].shapes, measure, price);
		best = fmin(best, side->set[i].relaxed);
	}
	return best;
}

/* What any choice loses at least by this price; raises the bounds of sets to what it says of each. */
static double try_price(const struct skip_programme *p, struct side side[2], double price)
{
	double best[2];
	for (int j = 0; j < 2; j++) best[j] = relax(p, &side[j], BY_PRICE, price) - price * SKIP_BUCKETS / 2;
	for (int j = 0; j < 2; j++) {
		for (size_t i = 0; i < side[j].n_sets; i++) {
			struct set *set = &side[j].set[i];
			set->bound = fmax(set->bound, set->relaxed + best[1 - j] - price * SKIP_BUCKETS / 2);
		}
	}
	return best[0] + best[1];
}

/* The bound of every set, whatever the other side chooses; INFINITY where it cannot fit. */
static void find_bounds(const struct skip_programme *p, struct side side[2])
{
	double error = 0, smallest[2], most = -INFINITY, price = 0;
	for (size_t i = 0; i < p->first[p->options->n]; i++) error = fmax(error, p->entry[i].error);
	const double unit = error * (double)p->options->n / SKIP_BUCKETS;
	for (int j = 0; j < 2; j++) smallest[j] = relax(p, &side[j], BY_BUCKETS, 0);
	for (int j = 0; j < 2; j++) {
		for (size_t i = 0; i < side[j].n_sets; i++)
			side[j].set[i].bound = side[j].set[i].relaxed + smallest[1 - j] > SKIP_BUCKETS ? INFINITY : -INFINITY;
	}
	for (int i = 0; i < COARSE; i++) {
		const double loses = try_price(p, side, ldexp(unit, COARSE_ABOVE - i));
		if (loses > most) price = ldexp(unit, COARSE_ABOVE - i);
		most = fmax(most, loses);
	}
	for (int i = -FINE; i <= FINE; i++) try_price(p, side, price * exp2(FINE_STEP * i));
}

static int by_bound(const void *a, const void *b)
{
	const struct set *x = a, *y = b;
	if (x->bound != y->bound) return x->bound < y->bound ? -1 : 1;
	return (x->shapes > y->shapes) - (x->shapes < y->shapes);
}

/* ---- curves, the most promising set first */

static enum skip_status open_curves(struct side *side, struct skip_err *err)
{
	side->curve = skip_alloc_array(2 * ROW, sizeof(*side->curve)); /* and what a pass needs beside a row */
	side->row = skip_alloc_array(ROW, sizeof(*side->row));
	side->by = skip_alloc_zeroed(ROW, sizeof(*side->by));
	if (!side->curve || !side->row || !side->by) return skip_err_set(err, SKIP_ERR_NOMEM, "curve of %zu sub-layers", side->n);
	for (size_t x = 0; x < ROW; x++) side->curve[x] = INFINITY;
	qsort(side->set, side->n_sets, sizeof(*side->set), by_bound);
	return SKIP_OK;
}

static void add_curve(const struct skip_programme *p, struct side *side)
{
	skip_programme_curve(p, side->sub, side->n, side->set[side->next].shapes, side->row, side->curve + ROW, NULL);
	for (size_t x = 0; x < ROW; x++) {
		if (side->row[x] >= side->curve[x]) continue;
		side->curve[x] = side->row[x];
		side->by[x] = (uint32_t)side->next;
	}
	side->next++;
}

static double next_bound(const struct side *side)
{
	return side->next < side->n_sets ? side->set[side->next].bound : INFINITY;
}

/* The best split of the budget: *at buckets for side 0. */
static double best_split(const struct side side[2], int *at)
{
	double best = INFINITY;
	*at = 0;
	for (int x = 0; x <= SKIP_BUCKETS; x++) {
		const double error = side[0].curve[x] + side[1].curve[SKIP_BUCKETS - x];
		if (error >= best) continue;
		best = error;
		*at = x;
	}
	return best;
}

/* The side to look at next: both need a curve before there is any answer. */
static struct side *most_promising(struct side side[2])
{
	for (int j = 0; j < 2; j++) {
		if (side[j].next == 0) return &side[j];
	}
	return next_bound(&side[1]) < next_bound(&side[0]) ? &side[1] : &side[0];
}

static double search(const struct skip_programme *p, struct side side[2], int *at)
{
	double best = INFINITY;
	*at = 0;
	for (struct side *next = most_promising(side); next_bound(next) < best; next = most_promising(side)) {
		add_curve(p, next);
		best = best_split(side, at);
	}
	return best;
}

/* The options behind point x of the side's curve. */
static enum skip_status take(const struct skip_programme *p, struct side *side, int x, int *choice, struct skip_err *err)
{
	uint8_t *argument = skip_alloc_zeroed(side->n + 1, ROW);
	if (!argument) return skip_err_set(err, SKIP_ERR_NOMEM, "way through %zu sub-layers", side->n);
	skip_programme_curve(p, side->sub, side->n, side->set[side->by[x]].shapes, side->row, side->curve + ROW, argument);
	skip_programme_trace(p, side->sub, side->n, argument, x, choice);
	skip_free(argument);
	return SKIP_OK;
}

/* ---- both programmes */

static enum skip_status open_sides(struct skip_programme *p, int classes, struct side side[2], struct skip_err *err)
{
	enum skip_status status = side_init(&side[0], p, false, classes, err);
	return status == SKIP_OK ? side_init(&side[1], p, true, classes, err) : status;
}

enum skip_status skip_classes_allocate(struct skip_programme *p, int classes, int *choice, double *error, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct side side[2] = {0};
	int at;
	SKIP_TRY(open_sides(p, classes, side, err));
	find_bounds(p, side);
	for (int j = 0; j < 2; j++) SKIP_TRY(open_curves(&side[j], err));
	*error = search(p, side, &at);
	if (!isfinite(*error)) goto cleanup;
	SKIP_TRY(take(p, &side[0], at, choice, err));
	SKIP_TRY(take(p, &side[1], SKIP_BUCKETS - at, choice, err));
cleanup:
	side_deinit(&side[0]);
	side_deinit(&side[1]);
	return status;
}

enum skip_status skip_classes_smallest(struct skip_programme *p, int classes, double *cost, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct side side[2] = {0};
	SKIP_TRY(open_sides(p, classes, side, err));
	*cost = relax(p, &side[0], BY_COST, 0) + relax(p, &side[1], BY_COST, 0);
	if (!isfinite(*cost))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "classes: the layers have no %d shapes in common that these units leave", classes));
cleanup:
	side_deinit(&side[0]);
	side_deinit(&side[1]);
	return status;
}
