/*
 * Matrix products with everything that can hang on them: bias, activation, residual.
 *
 * generic: weights as they stand, one work-item per element. cpu, gpu: weights in panels of NR columns, row tiles of several heights that cover the
 * rows, each a work-item's on cpu, a work-group's on gpu. clblast: float32 by a library, the rest as in generic.
 * Precisions below float32 have bodies of their own, one for each of the two (dot.cl, generic_dot.cl), in the form the profile names. The one for cpu
 * reads rows that are rounded already: by the node before where it can (skip_lowering_words), else by round.cl.
 */
#include "graph/rules.h"
#include "linear/fpga.h"
#include "linear/product.h"
#include <stdio.h>
#include <string.h>

#define SUMS_MIN 8     /* fewer do not hide the latency of a multiply-add: not worth trying */
#define NV_MAX 4
#define GENERIC_GROUP 32
#define BLOCK_MAX 32
#define CACHE (512 * 1024) /* rows of x in float32 that meet every panel before the next rows come: a part of the second-level cache */

/* Function of kernels/common/maths.cl, without the width. The whole name: runtimes define the bare ones (tanh) as macros. */
static const char *act_word(enum skip_act act)
{
	static const char *const words[] = {
		[SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
		[SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
	};
	return words[act];
}

const char *skip_words_row_function(enum skip_layout layout)
{
	static const char *const names[SKIP_LAYOUT_COUNT] = {
		[SKIP_LAYOUT_BF16X2] = "skip_words_row_bf16x2", [SKIP_LAYOUT_S8X4] = "skip_words_row_s8x4", [SKIP_LAYOUT_S16X2] = "skip_words_row_s16x2",
	};
	return names[layout];
}

const char *skip_words_function(enum skip_layout layout)
{
	static const char *const names[SKIP_LAYOUT_COUNT] = {
		[SKIP_LAYOUT_BF16X2] = "skip_words_bf16x2", [SKIP_LAYOUT_S8X4] = "skip_words_s8x4", [SKIP_LAYOUT_S16X2] = "skip_words_s16x2",
	};
	return names[layout];
}

enum skip_status skip_lowering_rounded(struct skip_lowering *lowering, int value, enum skip_layout layout, int *buffer, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	struct skip_kernel_spec spec;
	int kernel, x, fixed;
	bool written;
	SKIP_TRY(skip_lowering_words(lowering, value, layout, buffer, &written, err));
	if (written) goto cleanup;
	skip_spec_init(&spec, "linear", "round", "MAIN");
	skip_spec_int(&spec, "LINEAR_K", graph->values[value].cols);
	skip_spec_int(&spec, "LINEAR_WORDS", skip_layout_row(layout, graph->values[value].cols));
	skip_spec_word(&spec, "LINEAR_ROUND", skip_words_row_function(layout));
	skip_spec_float(&spec, "LINEAR_CLIP", skip_lowering_clip(lowering, value, layout));
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, value, &x, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, x);
	skip_launch_buffer(launch, *buffer);
	enum skip_size size = skip_value_size(graph, value, &fixed);
	skip_launch_global(launch, 0, size, size == SKIP_SIZE_ONE ? fixed : 1, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The layout of words that the product writes its result in: that is how all read it, no scale has to be found for it, and its panels are whole rows of words. */
static enum skip_layout writes_words(const struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form, int nr)
{
	const bool residual = node->n_in > 1 && node->in[1] != SKIP_NONE;
	if (!form || form->generic || nr % 16 || residual) return SKIP_LAYOUT_ROWS;
	return skip_lowering_only_words(lowering, node->out[0]);
}

enum skip_status skip_linear_bind(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form, int nr,
				  struct skip_linear_product *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	struct skip_linear_product p = {.bias = SKIP_NONE, .residual = SKIP_NONE, .rows_value = node->out[0]};
	p.k = graph->values[node->in[0]].cols;
	p.n = graph->values[node->out[0]].cols;
	p.transpose = node->attrs.linear.transpose;
	/* Behind products in a short type a coarser polynomial is as good. */
	p.act = form && node->attrs.linear.act == SKIP_ACT_GELU ? "skip_gelu_short" : act_word(node->attrs.linear.act);
	p.words = writes_words(lowering, node, form, nr);
	p.clip = node->attrs.linear.clip;
	p.y_clip = skip_lowering_clip(lowering, node->out[0], p.words);
	bool written;
	if (form && !form->generic) {
		SKIP_TRY(skip_lowering_rounded(lowering, node->in[0], form->layout, &p.x, err));
	} else {
		SKIP_TRY(skip_lowering_value(lowering, node->in[0], &p.x, err));
	}
	const enum skip_layout layout = form ? form->layout : nr ? SKIP_LAYOUT_PANELS : SKIP_LAYOUT_ROWS;
	SKIP_TRY(skip_lowering_weight(lowering, node->param[0], layout, nr ? nr : 1, p.transpose, &p.w, err));
	if (node->n_param > 1 && node->param[1] != SKIP_NONE) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[1], nr ? SKIP_LAYOUT_PADDED : SKIP_LAYOUT_ROWS, nr, 0, &p.bias, err));
	}
	if (node->n_in > 1 && node->in[1] != SKIP_NONE) SKIP_TRY(skip_lowering_value(lowering, node->in[1], &p.residual, err));
	if (p.words) {
		SKIP_TRY(skip_lowering_words(lowering, node->out[0], p.words, &p.y, &written, err));
	} else {
		SKIP_TRY(skip_lowering_value(lowering, node->out[0], &p.y, err));
	}
	*out = p;
cleanup:
	return status;
}

void skip_linear_sizes(struct skip_kernel_spec *spec, const struct skip_linear_product *p)
{
	skip_spec_int(spec, "LINEAR_K", p->k);
	skip_spec_int(spec, "LINEAR_N", p->n);
}

void skip_linear_tile(struct skip_kernel_spec *spec, int mr, int nv, int vec, int block)
{
	skip_spec_int(spec, "LINEAR_MR", mr);
	skip_spec_int(spec, "LINEAR_NV", nv);
	skip_spec_int(spec, "LINEAR_VEC", vec);
	skip_spec_int(spec, "LINEAR_BLOCK", block);
}

void skip_linear_epilogue(struct skip_kernel_spec *spec, const struct skip_linear_product *p)
{
	skip_spec_word(spec, "LINEAR_ACT", p->act);
	skip_spec_int(spec, "LINEAR_BIAS", p->bias != SKIP_NONE);
	skip_spec_int(spec, "LINEAR_RESIDUAL", p->residual != SKIP_NONE);
}

void skip_linear_buffers(struct skip_plan_launch *launch, const struct skip_linear_product *p)
{
	skip_launch_buffer(launch, p->x);
	skip_launch_buffer(launch, p->w);
	if (p->bias != SKIP_NONE) skip_launch_buffer(launch, p->bias);
	if (p->residual != SKIP_NONE) skip_launch_buffer(launch, p->residual);
	skip_launch_buffer(launch, p->y);
}

/* form: NULL for float32. */
static enum skip_status lower_generic(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form,
				      struct skip_err *err)
{
	enum skip_status status;
	struct skip_linear_product p;
	struct skip_kernel_spec spec;
	int kernel, fixed;
	SKIP_TRY(skip_linear_bind(lowering, node, form, 0, &p, err));
	skip_spec_init(&spec, "linear", form ? "generic_dot" : "generic", "MAIN");
	skip_linear_sizes(&spec, &p);
	if (form) skip_linear_form_constants(&spec, form);
	if (form) skip_spec_float(&spec, "LINEAR_CLIP", p.clip);
	if (!form) skip_spec_int(&spec, "LINEAR_TRANSPOSE", p.transpose);
	skip_linear_epilogue(&spec, &p);
	spec.local[0] = GENERIC_GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_linear_buffers(launch, &p);
	enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, (p.n + GENERIC_GROUP - 1) / GENERIC_GROUP * GENERIC_GROUP, 0, 1);
	skip_launch_global(launch, 1, rows, rows == SKIP_SIZE_ONE ? fixed : 1, 0, 1);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

bool skip_linear_fits(const struct skip_linear_form *form, int mr, int nv)
{
	if (!form || form->assembly != SKIP_LINEAR_AMX) return mr * nv <= SKIP_LINEAR_SUMS_MAX;
	/* Four tiles of up to 16 rows and 16 columns, two above each other; those are equally high. */
	const int down = (mr + 15) / 16;
	return down <= 2 && down * nv <= 4 && mr % down == 0;
}

struct skip_linear_cut skip_linear_make_cut(const struct skip_profile *profile, const struct skip_linear_form *form, int highest, int nv, int block)
{
	struct skip_linear_cut cut = {.nv = nv, .block = block};
	if (skip_linear_fits(form, highest, nv)) cut.mr[cut.n_mr++] = highest;
	for (int i = 0; i < profile->n_mr && cut.n_mr < SKIP_LAUNCH_MAX_COVER; i++) {
		if (profile->mr[i] < highest && skip_linear_fits(form, profile->mr[i], nv)) cut.mr[cut.n_mr++] = profile->mr[i];
	}
	if (cut.n_mr == 0) cut.mr[cut.n_mr++] = 1;
	return cut;
}

struct skip_linear_cut skip_linear_own_cut(const struct skip_profile *profile, const struct skip_linear_form *form)
{
	return skip_linear_make_cut(profile, form, profile->mr[0], profile->nv, profile->block);
}

int skip_linear_best_height(const struct skip_linear_cut *cut, int rows)
{
	int best = cut->mr[0];
	for (int i = 1; i < cut->n_mr; i++) {
		if ((cut->mr[i] - rows % cut->mr[i]) % cut->mr[i] < (best - rows % best) % best) best = cut->mr[i];
	}
	return best;
}

/* Row tiles of a block. */
static int block_of(int tile, int k)
{
	int64_t block = CACHE / ((int64_t)tile * k * (int64_t)sizeof(float));
	return block < 1 ? 1 : block > BLOCK_MAX ? BLOCK_MAX : (int)block;
}

static enum skip_status cpu_kernel(struct skip_lowering *lowering, const struct skip_linear_product *p, int mr, int nv, int *kernel, struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "cpu", "MAIN");
	skip_linear_sizes(&spec, p);
	skip_linear_tile(&spec, mr, nv, skip_lowering_profile(lowering)->vec, block_of(mr, p->k));
	skip_linear_epilogue(&spec, p);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

/* One height for a fixed number of rows, else a cover of all. */
static enum skip_status lower_cpu(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_cut *cut, struct skip_err *err)
{
	enum skip_status status;
	const int nr = skip_lowering_profile(lowering)->vec * cut->nv;
	struct skip_linear_product p;
	int fixed, kernel[SKIP_LAUNCH_MAX_COVER];
	SKIP_TRY(skip_linear_bind(lowering, node, NULL, nr, &p, err));
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	const bool covers = rows != SKIP_SIZE_ONE;
	const int single = skip_linear_best_height(cut, fixed), n = covers ? cut->n_mr : 1;
	for (int i = 0; i < n; i++) SKIP_TRY(cpu_kernel(lowering, &p, covers ? cut->mr[i] : single, cut->nv, &kernel[i], err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel[0]);
	skip_linear_buffers(launch, &p);
	if (covers) {
		skip_launch_row0(launch);
		for (int i = 0; i < n; i++) skip_launch_cover(launch, rows, kernel[i], cut->mr[i]);
	} else {
		skip_launch_int(launch, 0);
		skip_launch_global(launch, 0, rows, fixed, 0, single);
	}
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, p.n, 0, nr);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The bodies of a node's products: the generic ones, none but a library's, and those with tiles. */
enum way { WAY_GENERIC, WAY_CLBLAST, WAY_CPU, WAY_DOT, WAY_GPU };

/* Which it is, and the form in a short type; NULL in float32. */
static enum skip_status find_way(const struct skip_profile *profile, const char *variant, const struct skip_node *node, const struct skip_linear_form **form,
				 enum way *way, struct skip_err *err)
{
	const enum skip_precision precision = node->attrs.linear.precision;
	*form = NULL;
	if (precision != SKIP_PRECISION_F32) {
		enum skip_status status = skip_linear_find_form(profile, precision, form, err);
		if (status != SKIP_OK) return status;
	}
	*way = WAY_GENERIC;
	if (!strcmp(variant, "cpu") && !*form) *way = WAY_CPU;
	if (!strcmp(variant, "cpu") && *form && !(*form)->generic) *way = WAY_DOT;
	if (!strcmp(variant, "gpu") && !*form) *way = WAY_GPU;
	if (!strcmp(variant, "clblast") && !*form) *way = WAY_CLBLAST;
	return SKIP_OK;
}

/*
 * Tuning: heights, vectors of a row and, in short types, tiles of a work-item. Products share a choice when depth, columns, kind of rows, type and form are
 * the same; what hangs on them does not matter to it. A fixed number of rows has one height that fits it.
 */
static bool problem(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
		    struct skip_tile_problem *out)
{
	const struct skip_linear_form *form;
	enum way way;
	const struct skip_value *y = &graph->values[node->out[0]];
	const int k = graph->values[node->in[0]].cols;
	if (y->rows == SKIP_ROWS_FIXED || find_way(profile, variant, node, &form, &way, NULL) != SKIP_OK || way < WAY_CPU) return false;
	snprintf(out->shape, sizeof(out->shape), "k%d n%d %s %s %s", k, y->cols, y->rows == SKIP_ROWS_T ? "T" : "B",
		 skip_precision_names[node->attrs.linear.precision], form ? form->name : variant);
	out->node = *node;
	out->node.n_in = out->node.n_param = 1;
	out->node.attrs.linear.act = SKIP_ACT_NONE;
	out->node.attrs.linear.clip = 0;
	out->exact = node->attrs.linear.precision == SKIP_PRECISION_INT8;
	/* Any order of k sums, and the last rounding; of an exact sum: to float, its scale, their product. */
	out->roundings = out->exact ? 4 : k + 6;
	return true;
}

/* Enough sums to hide the latency of a multiply-add, as many as registers hold, and no vectors behind n columns. Words are rounded in whole rows of 16
 * (writes_words). form: NULL for float32. */
static bool cpu_tile(const struct skip_profile *profile, int n_columns, const struct skip_linear_form *form, size_t i, struct skip_tile *out)
{
	static const int low[] = {12, 10, 8, 6, 5, 4, 3, 0}, high[] = {32, 16, 0}, blocks[] = {1, 2, 8};
	const int *heights = form && form->assembly == SKIP_LINEAR_AMX ? high : low;
	const struct skip_linear_cut own = skip_linear_own_cut(profile, form);
	const bool words = form != NULL;
	const int widest = words && n_columns < 16 ? 16 : n_columns;
	struct skip_linear_cut cut = own;
	size_t n = 0;
	bool found = i == 0;
	for (int nv = 1; nv <= NV_MAX && (nv - 1) * profile->vec < widest; nv++) {
		for (size_t h = 0; heights[h] && !found; h++) {
			if (!skip_linear_fits(form, heights[h], nv) || heights[h] * nv < SUMS_MIN || (words && nv * profile->vec % 16)) continue;
			found = ++n == i;
			if (found) cut = skip_linear_make_cut(profile, form, heights[h], nv, own.block);
		}
	}
	for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]) && words && !found; b++) {
		found = ++n == i;
		if (found) cut.block = blocks[b];
	}
	*out = (struct skip_tile){.reach_rows = cut.mr[0] * cut.block, .reach_cols = cut.nv * profile->vec};
	out->number[SKIP_LINEAR_TILE_MR] = cut.mr[0];
	out->number[SKIP_LINEAR_TILE_NV] = cut.nv;
	out->number[SKIP_LINEAR_TILE_BLOCK] = words ? cut.block : 0;
	return found;
}

static bool candidate(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node, size_t i,
		      struct skip_tile *out)
{
	if (!strcmp(variant, "gpu")) return skip_linear_gpu_tile(profile, i, out);
	const struct skip_linear_form *form;
	enum way way;
	/* Whose shape is no problem is not asked about. */
	if (find_way(profile, variant, node, &form, &way, NULL) != SKIP_OK) return false;
	return cpu_tile(profile, graph->values[node->out[0]].cols, form, i, out);
}

static const char *const tile_names[] = {"mr", "nv", "block", "tm", NULL};
static const struct skip_tiling tiling = {tile_names, problem, candidate};

/* The tile chosen for a node, as a cut. */
static struct skip_linear_cut chosen_cut(const struct skip_profile *profile, const struct skip_linear_form *form, const struct skip_tile *tile)
{
	if (!tile) return skip_linear_own_cut(profile, form);
	const int block = tile->number[SKIP_LINEAR_TILE_BLOCK];
	return skip_linear_make_cut(profile, form, tile->number[SKIP_LINEAR_TILE_MR], tile->number[SKIP_LINEAR_TILE_NV], block ? block : profile->block);
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_linear_form *form;
	enum way way;
	if (!strcmp(variant, "fpga")) return skip_linear_lower_fpga(lowering, node, err);
	enum skip_status status = find_way(profile, variant, node, &form, &way, err);
	if (status != SKIP_OK) return status;
	if (way == WAY_GENERIC) return lower_generic(lowering, node, form, err);
	if (way == WAY_CLBLAST) return skip_linear_lower_clblast(lowering, node, err);
	/* A fixed number of rows goes by the profile. */
	const bool fixed = skip_lowering_graph(lowering)->values[node->out[0]].rows == SKIP_ROWS_FIXED;
	const struct skip_tile *tile = fixed ? NULL : skip_lowering_tile(lowering);
	if (way == WAY_GPU) return skip_linear_lower_gpu(lowering, node, tile, err);
	const struct skip_linear_cut cut = chosen_cut(profile, form, tile);
	return way == WAY_DOT ? skip_linear_lower_dot(lowering, node, form, &cut, err) : lower_cpu(lowering, node, &cut, err);
}

static enum skip_layout reads(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
			      int input, float *clip)
{
	(void)graph;
	const struct skip_linear_form *form;
	if (input != 0 || strcmp(variant, "cpu") || node->attrs.linear.precision == SKIP_PRECISION_F32) return SKIP_LAYOUT_ROWS;
	if (skip_linear_find_form(profile, node->attrs.linear.precision, &form, NULL) != SKIP_OK || form->generic) return SKIP_LAYOUT_ROWS;
	*clip = node->attrs.linear.clip;
	return form->layout;
}

static const char *const ops[] = {"linear", NULL};
static const char *const variants[] = {"clblast", "cpu", "fpga", "gpu", "generic", NULL};
static const char *const common[] = {"maths", "words", NULL};

const struct skip_family skip_family_linear = {
	.name = "linear", .ops = ops, .variants = variants, .common = common, .lower = lower, .reads = reads, .peak = skip_linear_peak, .engine = skip_linear_engine,
	.tiling = &tiling};
