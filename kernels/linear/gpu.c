/*
 * The form of linear for GPUs (gpu.cl), float32: a work-group takes a block of rows and a panel of columns, a work-item a few rows of one vector of them.
 * In a profile `mr` are the rows of blocks, `nv` the vectors of a panel.
 */
#include "linear/product.h"

enum { ROWS = 4, DEPTH = 16 }; /* rows of a work-item, depth of a slab in local memory: with blocks of 64 x 64 two of them are 17 KiB */

/* Blocks have whole work-items; a profile that has none of them, one of a single row of work-items. */
static struct skip_linear_cut own_blocks(const struct skip_profile *profile)
{
	struct skip_linear_cut cut = {.nv = profile->nv, .block = ROWS};
	for (int i = 0; i < profile->n_mr; i++) {
		if (profile->mr[i] % ROWS == 0) cut.mr[cut.n_mr++] = profile->mr[i];
	}
	if (cut.n_mr == 0) cut.mr[cut.n_mr++] = ROWS;
	return cut;
}

/* Heights of the profile below the chosen one stay, so that a short rest of the rows wastes little. */
static struct skip_linear_cut chosen_blocks(const struct skip_profile *profile, const struct skip_tile *tile)
{
	struct skip_linear_cut cut = {.mr = {tile->number[SKIP_LINEAR_TILE_MR]}, .n_mr = 1, .nv = tile->number[SKIP_LINEAR_TILE_NV],
				      .block = tile->number[SKIP_LINEAR_TILE_TM]};
	for (int i = 0; i < profile->n_mr && cut.n_mr < SKIP_LAUNCH_MAX_COVER; i++) {
		if (profile->mr[i] < cut.mr[0] && profile->mr[i] % cut.block == 0) cut.mr[cut.n_mr++] = profile->mr[i];
	}
	return cut;
}

static int items_of(const struct skip_linear_cut *cut, int mr) { return mr / cut->block * cut->nv; }

static enum skip_status block_kernel(struct skip_lowering *lowering, const struct skip_linear_product *p, const struct skip_linear_cut *cut, int mr,
				     int *kernel, struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "gpu", "MAIN");
	skip_linear_sizes(&spec, p);
	skip_spec_int(&spec, "LINEAR_MR", mr);
	skip_spec_int(&spec, "LINEAR_NV", cut->nv);
	skip_spec_int(&spec, "LINEAR_VEC", skip_lowering_profile(lowering)->vec);
	skip_spec_int(&spec, "LINEAR_TM", cut->block);
	skip_spec_int(&spec, "LINEAR_BK", DEPTH);
	skip_linear_epilogue(&spec, p);
	spec.local[0] = (uint16_t)items_of(cut, mr);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

enum skip_status skip_linear_lower_gpu(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_tile *tile, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_linear_cut cut = tile ? chosen_blocks(profile, tile) : own_blocks(profile);
	struct skip_linear_product p;
	int fixed, kernel[SKIP_LAUNCH_MAX_COVER];
	SKIP_TRY(skip_linear_bind(lowering, node, NULL, profile->vec * cut.nv, &p, err));
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	const bool covers = rows != SKIP_SIZE_ONE;
	const int single = skip_linear_best_height(&cut, fixed), n = covers ? cut.n_mr : 1;
	for (int i = 0; i < n; i++) SKIP_TRY(block_kernel(lowering, &p, &cut, covers ? cut.mr[i] : single, &kernel[i], err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel[0]);
	skip_linear_buffers(launch, &p);
	if (covers) {
		skip_launch_row0(launch);
		for (int i = 0; i < n; i++) skip_launch_cover(launch, rows, kernel[i], cut.mr[i]);
	} else {
		skip_launch_int(launch, 0);
		skip_launch_global(launch, 0, rows, (fixed + single - 1) / single * items_of(&cut, single), 0, 1);
	}
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, p.n, 0, profile->vec * cut.nv);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

bool skip_linear_gpu_tile(const struct skip_profile *profile, size_t i, struct skip_tile *out)
{
	static const struct {
		int mr, nv, tm;
	} blocks[] = { /* at most 256 work-items, which GPUs have, and 32 KiB of local memory */
		{64, 16, 4}, {128, 16, 8}, {64, 32, 8}, {64, 8, 4}, {32, 16, 4}, {32, 32, 4}, {32, 8, 4}, {16, 16, 4}, {16, 32, 4},
	};
	const struct skip_linear_cut own = own_blocks(profile);
	if (i > sizeof(blocks) / sizeof(blocks[0])) return false;
	int mr = own.mr[0], nv = own.nv, tm = own.block;
	if (i > 0) mr = blocks[i - 1].mr, nv = blocks[i - 1].nv, tm = blocks[i - 1].tm;
	*out = (struct skip_tile){.reach_rows = mr, .reach_cols = nv * profile->vec};
	out->number[SKIP_LINEAR_TILE_MR] = mr;
	out->number[SKIP_LINEAR_TILE_NV] = nv;
	out->number[SKIP_LINEAR_TILE_TM] = tm;
	return true;
}
