/*
 * Inside the dynamic programme over the table of options (options.h, docs/method.md 4): the options that may be taken, counted in buckets of the budget, and
 * the knapsack over some of the sub-layers. programme.c asks it once for all of them, classes.c once for every set of shapes that may hold the best.
 */
#ifndef SKIP_METHOD_SEARCH_PROGRAMME_H
#define SKIP_METHOD_SEARCH_PROGRAMME_H

#include "method/search/options.h"

#define SKIP_BUCKETS 10000 /* the budget has; a curve has one more point */

/* An option that fits the budget and loses something finite. */
struct skip_entry {
	int option, takes; /* which of the sub-layer's; buckets */
	double cost, error; /* error with its coefficient */
	uint64_t shape;	    /* the bit of the shape it would share; 0: it leaves, or shapes are free */
};
struct skip_programme {
	const struct skip_options *options;
	struct skip_entry *entry; /* of sub-layer s from first[s] to before first[s + 1] */
	size_t *first;		  /* [n + 1] */
};

/* Of options whose costs and errors are filled in; weight NULL is 1. An infinite budget takes everything. deinit accepts a zeroed one. */
enum skip_status skip_programme_init(struct skip_programme *programme, const struct skip_options *options, enum skip_cost cost, double budget,
				     const double *weight, struct skip_err *err);
void skip_programme_deinit(struct skip_programme *programme);

/* Whether the entry may be taken where only `shapes` stay. */
static inline bool skip_entry_allowed(const struct skip_entry *entry, uint64_t shapes)
{
	return !entry->shape || entry->shape & shapes;
}

/*
 * curve[x], x = 0..SKIP_BUCKETS: the least error of the sub-layers sub[0..n) in at most x buckets, with entries of `shapes` alone; INFINITY where nothing
 * fits. `scratch` has room for another curve, argument[n][SKIP_BUCKETS + 1] gets the way there (NULL: not wanted).
 */
void skip_programme_curve(const struct skip_programme *programme, const size_t *sub, size_t n, uint64_t shapes, double *curve, double *scratch,
			  uint8_t *argument);
/* The options on the way to a point x of the curve that is finite: choice[sub[i]]. */
void skip_programme_trace(const struct skip_programme *programme, const size_t *sub, size_t n, const uint8_t *argument, int x, int *choice);

/* The same as skip_options_allocate and skip_options_smallest where at most `classes` (>= 1) shapes of either kind may stay: classes.c. */
enum skip_status skip_classes_allocate(struct skip_programme *programme, int classes, int *choice, double *error, struct skip_err *err);
enum skip_status skip_classes_smallest(struct skip_programme *programme, int classes, double *cost, struct skip_err *err);

#endif
