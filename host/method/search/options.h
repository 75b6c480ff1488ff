/*
 * What each sub-layer may become, on the device's grid of widths, and what each option costs and loses: the table an allocation chooses
 * from (docs/method.md 5.4).
 */
#ifndef SKIP_METHOD_SEARCH_OPTIONS_H
#define SKIP_METHOD_SEARCH_OPTIONS_H

#include "method/search/search.h"

struct skip_profile;

#define SKIP_NO_GROUP ((size_t)-1)

/* Widths of one sub-layer; all 0: it leaves and its output bias stays. */
struct skip_widths {
	int heads, qk, v; /* attention: heads, dims of each */
	int ffn;	  /* neurons */
};

struct skip_sublayer {
	int layer;
	size_t qk, v, ffn;		       /* groups; attention has qk and v, ffn has ffn, the others are SKIP_NO_GROUP */
	struct skip_widths *option;	       /* option[0]: as it is */
	double *cost[SKIP_COST_COUNT], *error; /* [n_options] */
	size_t n_options;
	size_t peer; /* the first sub-layer with the same options and rows: what they take is measured once */
};

struct skip_options {
	struct skip_sublayer *sub; /* in graph order */
	size_t n;
	double dense[SKIP_COST_COUNT]; /* of the whole: encoder parameters, encoder multiply-adds, milliseconds */
	bool known[SKIP_COST_COUNT];
};

/*
 * Options of every sub-layer with the units `kinds` may remove, widths rounded up to the grid of `profile`; parameters and multiply-adds
 * (at `mean_length` tokens) filled in, times and errors zero. `shared`: layers that differ get each other's options as well, where they are as wide.
 */
enum skip_status skip_options_init(const struct skip_graph *graph, const struct skip_units *units, const struct skip_profile *profile,
				   unsigned kinds, bool shared, double mean_length, struct skip_options *out, struct skip_err *err);
void skip_options_deinit(struct skip_options *options);
/* Makes `keep` keep what `option` of sub-layer `s` says: the heads with the highest scores, in each the dims, or the neurons. Other groups
 * stay as they are. */
enum skip_status skip_widths_keep(const struct skip_units *units, const struct skip_scores *scores, const struct skip_sublayer *sub,
				  const struct skip_widths *option, struct skip_keep *keep, struct skip_err *err);
/* The widths a choice leaves the sub-layer: the other way round. */
struct skip_widths skip_keep_widths(const struct skip_units *units, const struct skip_sublayer *sub, const struct skip_keep *keep);
/* The cost of what no option removes; its share of the dense cost limits what can be asked for. */
double skip_options_fixed(const struct skip_options *options, enum skip_cost cost);
bool skip_widths_same(const struct skip_widths *a, const struct skip_widths *b);

/*
 * The dynamic programme: the option of every sub-layer with the least sum of weight[s] * error at a summed cost of at most `budget`. Costs
 * are counted in ten thousandths of the budget, rounded up, so that the sum never exceeds it; weight NULL is 1. `classes` > 0: among the choices that leave
 * at most so many different (heads, qk, v) and as many different ffn widths, a sub-layer that leaves having none; 0: among all. Gives choice[s] and *error;
 * *fits false when even the cheapest options cost more. SKIP_ERR_NOMEM; with classes also SKIP_ERR_USAGE, when there are too many ways to choose them.
 */
enum skip_status skip_options_allocate(const struct skip_options *options, enum skip_cost cost, double budget, const double *weight,
				       int classes, int *choice, double *error, bool *fits, struct skip_err *err);
/* The least cost of the whole that any such choice has. Errors must be filled in. SKIP_ERR_USAGE: the layers have no so few shapes in common. */
enum skip_status skip_options_smallest(const struct skip_options *options, enum skip_cost cost, int classes, double *out, struct skip_err *err);

#endif
