/*
 * Matrix products with everything that can hang on them: bias, activation, residual.
 *
 * generic: weights as they stand, one work-item per element. cpu: weights in panels of NR columns, row tiles of several heights that cover the rows.
 */
#include "device/family.h"
#include <string.h>

#define SUMS_MAX 24    /* vectors a row tile may keep in registers: more spill, at half the speed */
#define GENERIC_GROUP 32
#define BLOCK_BYTES (256 * 1024) /* rows of x that meet every panel before the next rows come: a part of the second-level cache */
#define BLOCK_MAX 16

struct product {
	int x, w, bias, residual, y; /* buffers; bias and residual may be SKIP_NONE */
	int rows_value;              /* the value whose rows are walked */
	int n, k;
	int transpose;
	const char *act;
};

/* Function of kernels/common/maths.cl, without the width. The whole name: runtimes define the bare ones (tanh) as macros. */
static const char *act_word(enum skip_act act)
{
	static const char *const words[] = {
		[SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
		[SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
	};
	return words[act];
}

/* Buffers of the node. nr 0: weights as they stand; else panels of nr columns and a bias padded to whole panels. */
static enum skip_status bind(struct skip_lowering *lowering, const struct skip_node *node, int nr, struct product *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	struct product p = {.bias = SKIP_NONE, .residual = SKIP_NONE, .rows_value = node->out[0]};
	p.k = graph->values[node->in[0]].cols;
	p.n = graph->values[node->out[0]].cols;
	p.transpose = node->attrs.linear.transpose;
	p.act = act_word(node->attrs.linear.act);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &p.x, err));
	SKIP_TRY(skip_lowering_weight(lowering, node->param[0], nr ? SKIP_LAYOUT_PANELS : SKIP_LAYOUT_ROWS, nr, p.transpose, &p.w, err));
	if (node->n_param > 1 && node->param[1] != SKIP_NONE) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[1], nr ? SKIP_LAYOUT_PADDED : SKIP_LAYOUT_ROWS, nr, 0, &p.bias, err));
	}
	if (node->n_in > 1 && node->in[1] != SKIP_NONE) SKIP_TRY(skip_lowering_value(lowering, node->in[1], &p.residual, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &p.y, err));
	*out = p;
cleanup:
	return status;
}

static void common_constants(struct skip_kernel_spec *spec, const struct product *p)
{
	skip_spec_int(spec, "LINEAR_K", p->k);
	skip_spec_int(spec, "LINEAR_N", p->n);
}

static void epilogue_constants(struct skip_kernel_spec *spec, const struct product *p)
{
	skip_spec_word(spec, "LINEAR_ACT", p->act);
	skip_spec_int(spec, "LINEAR_BIAS", p->bias != SKIP_NONE);
	skip_spec_int(spec, "LINEAR_RESIDUAL", p->residual != SKIP_NONE);
}

static void add_buffers(struct skip_plan_launch *launch, const struct product *p)
{
	skip_launch_buffer(launch, p->x);
	skip_launch_buffer(launch, p->w);
	if (p->bias != SKIP_NONE) skip_launch_buffer(launch, p->bias);
	if (p->residual != SKIP_NONE) skip_launch_buffer(launch, p->residual);
	skip_launch_buffer(launch, p->y);
}

static enum skip_status lower_generic(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct product p;
	struct skip_kernel_spec spec;
	int kernel, fixed;
	SKIP_TRY(bind(lowering, node, 0, &p, err));
	skip_spec_init(&spec, "linear", "generic", "MAIN");
	common_constants(&spec, &p);
	skip_spec_int(&spec, "LINEAR_TRANSPOSE", p.transpose);
	epilogue_constants(&spec, &p);
	spec.local[0] = GENERIC_GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_buffers(launch, &p);
	enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, (p.n + GENERIC_GROUP - 1) / GENERIC_GROUP * GENERIC_GROUP, 0, 1);
	skip_launch_global(launch, 1, rows, rows == SKIP_SIZE_ONE ? fixed : 1, 0, 1);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The row tile that wastes the fewest rows; the larger of equals. `mr` is descending. */
static int best_tile(const struct skip_profile *profile, int nv, int rows)
{
	int best = 0, waste = 0;
	for (int i = 0; i < profile->n_mr; i++) {
		int tile = profile->mr[i], lost = (tile - rows % tile) % tile;
		if (tile * nv > SUMS_MAX || (best && lost >= waste)) continue;
		best = tile;
		waste = lost;
	}
	return best ? best : 1;
}

/* Row tiles of a block. */
static int block_of(int tile, int k)
{
	int64_t block = BLOCK_BYTES / ((int64_t)tile * k * (int64_t)sizeof(float));
	return block < 1 ? 1 : block > BLOCK_MAX ? BLOCK_MAX : (int)block;
}

static enum skip_status cpu_kernel(struct skip_lowering *lowering, const struct product *p, int nv, int vec, int tile, int *kernel,
				   struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "cpu", "MAIN");
	common_constants(&spec, p);
	skip_spec_int(&spec, "LINEAR_MR", tile);
	skip_spec_int(&spec, "LINEAR_NV", nv);
	skip_spec_int(&spec, "LINEAR_VEC", vec);
	skip_spec_int(&spec, "LINEAR_BLOCK", block_of(tile, p->k));
	epilogue_constants(&spec, p);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

static enum skip_status lower_cpu(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const int vec = profile->vec, nv = profile->nv > 0 ? profile->nv : 1, nr = vec * nv;
	struct product p;
	int fixed, tile[SKIP_LAUNCH_MAX_COVER], tile_kernel[SKIP_LAUNCH_MAX_COVER], n_tiles = 0;
	SKIP_TRY(bind(lowering, node, nr, &p, err));
	enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	if (rows == SKIP_SIZE_ONE) {
		tile[n_tiles++] = best_tile(profile, nv, fixed);
	} else {
		for (int i = 0; i < profile->n_mr && n_tiles < SKIP_LAUNCH_MAX_COVER; i++) {
			if (profile->mr[i] * nv <= SUMS_MAX) tile[n_tiles++] = profile->mr[i];
		}
		if (n_tiles == 0) tile[n_tiles++] = 1;
	}
	for (int i = 0; i < n_tiles; i++) SKIP_TRY(cpu_kernel(lowering, &p, nv, vec, tile[i], &tile_kernel[i], err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, tile_kernel[0]);
	add_buffers(launch, &p);
	if (rows == SKIP_SIZE_ONE) {
		skip_launch_int(launch, 0);
		skip_launch_global(launch, 0, rows, fixed, 0, tile[0]);
	} else {
		skip_launch_row0(launch);
		for (int i = 0; i < n_tiles; i++) skip_launch_cover(launch, rows, tile_kernel[i], tile[i]);
	}
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, p.n, 0, nr);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	return strcmp(variant, "cpu") ? lower_generic(lowering, node, err) : lower_cpu(lowering, node, err);
}

static const char *const ops[] = {"linear", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};
static const char *const common[] = {"maths", NULL};

const struct skip_family skip_family_linear = {.name = "linear", .ops = ops, .variants = variants, .common = common, .lower = lower};
