/*
 * Where a network is cut: one share for every sub-layer, or what each sub-layer's options lose weighed against what they cost
 * (docs/method.md 5.4). One allocation per file in method/search/allocate/, found by CMake (`const struct skip_allocation
 * skip_allocation_<file>`).
 */
#ifndef SKIP_METHOD_SEARCH_ALLOCATION_H
#define SKIP_METHOD_SEARCH_ALLOCATION_H

#include "method/search/options.h"

/* What an allocation may look at. */
struct skip_on_board;
struct skip_allocation_input {
	struct skip_device *device;
	const struct skip_graph *graph; /* dense, canonical */
	const struct skip_graph *working; /* the same in the type that errors are found in */
	const struct skip_units *units;
	const struct skip_scores *scores;
	const struct skip_dataset *calibration;
	double damping;
	uint64_t seed;
	const struct skip_progress *progress;
};
struct skip_allocation {
	const char *name, *summary;
	unsigned kinds; /* what goes where --units names nothing */
	/* Fills what every option loses (error[0] stays 0); sums over sub-layers are compared. NULL: one share for all. */
	enum skip_status (*errors)(const struct skip_allocation_input *input, struct skip_options *options, struct skip_err *err);
};
extern const struct skip_allocation *const skip_allocations[]; /* NULL-terminated, made by CMake */
const struct skip_allocation *skip_allocation_find(const char *name);

/* An allocation made ready for one network: choices for any amount. */
struct skip_allocator {
	const struct skip_allocation *allocation;
	struct skip_allocation_input input;
	enum skip_cost cost;
	unsigned kinds;
	int classes;		     /* most shapes of attention, and of ffn, that may stay; 0: any number */
	const struct skip_on_board *on_board; /* whose widths and times the options have; NULL: the device's */
	struct skip_options options; /* empty for one share */
	double *weight;		     /* [sub-layers] coefficients of their errors, owned; NULL: 1 */
	double largest;		     /* share of the cost that can go */
	double seconds;
};
/*
 * Zero the struct, then fill allocation .. on_board. With the cost SKIP_COST_TIME the times are taken from `table`, or, when that is NULL,
 * estimated for the board, or without one measured over rows of `timing` in batches of `batch`. One share for all counts parameters whatever the cost. deinit accepts a zeroed one.
 */
enum skip_status skip_allocator_init(struct skip_allocator *allocator, double mean_length, const json_t *table,
				     const struct skip_dataset *timing, int batch, struct skip_err *err);
void skip_allocator_deinit(struct skip_allocator *allocator);
/*
 * The same allocator for what a cut has left: `graph` in the dense network's shape with the units that `left` keeps, and its scores, both of which must
 * outlive the allocator. Errors are found anew, costs stay; no sub-layer gets wider again.
 */
enum skip_status skip_allocator_renew(struct skip_allocator *allocator, const struct skip_graph *graph, const struct skip_scores *scores,
				      const struct skip_keep *left, struct skip_err *err);
/* The units that stay when about `share` of the cost goes (for one share exactly that of the parameters, else at least that). Slots have no options: every
 * layer loses `share` of them. */
enum skip_status skip_allocator_choose(const struct skip_allocator *allocator, double share, struct skip_keep *out, struct skip_err *err);

#endif
