/* State of lowering one graph; private to lower/. Families see it through device/family.h. */
#ifndef SKIP_DEVICE_LOWER_LOWERING_H
#define SKIP_DEVICE_LOWER_LOWERING_H

#include "device/emit/emit.h"

#define SKIP_LOWERING_WANTED (1u << SKIP_LAYOUT_COUNT) /* the caller reads the value, or writes another over it */

struct skip_lowering {
	const struct skip_graph *graph;
	const struct skip_profile *profile;
	struct skip_plan *plan;
	struct skip_kernel_spec *specs; /* one for each plan kernel */
	size_t cap_specs, cap_kernels, cap_buffers, cap_launches;
	unsigned *read_as; /* [graph->n_values] bit for each layout the value is read in, and SKIP_LOWERING_WANTED */
	float *clip;	   /* [graph->n_values][SKIP_LAYOUT_COUNT] of values in words of int8: what is 127, 0 where rows have scales */
	int *words;	   /* [graph->n_values][SKIP_LAYOUT_COUNT] buffers of values in words, SKIP_NONE */
	int node; /* being lowered */
	/* [graph->n_nodes] tiles, of nodes that have a choice (origin not NONE); and how far any of them reaches behind the rows of a value. */
	struct skip_lowering_tile {
		struct skip_tile tile;
		enum skip_tile_origin origin;
	} *tiles;
	int reach_rows, reach_cols;
	struct skip_team *teams; /* [n_teams] */
	size_t n_teams, cap_teams;
	struct skip_plan_launch launch; /* between begin and end */
	bool open;
};

/* tiles.c: the tile of every node that has a choice. */
enum skip_status skip_lowering_choose_tiles(struct skip_lowering *lowering, struct skip_err *err);

/* memory.c: gives every value and scratch buffer that may share memory its pool slot. `wanted` values and graph inputs keep their own. */
enum skip_status skip_lowering_plan_memory(struct skip_lowering *lowering, const int *wanted, size_t n_wanted, struct skip_err *err);

/* team.c: launches of one layer become one where their kernels are written for it. Nodes then have no launches of their own. */
enum skip_status skip_lowering_make_teams(struct skip_lowering *lowering, struct skip_err *err);

/* spec.c: "<family>_<body kernel>_<first dims>_<hash>", always shorter than SKIP_NAME. */
void skip_spec_name(const struct skip_kernel_spec *spec, char out[SKIP_NAME]);

#endif
