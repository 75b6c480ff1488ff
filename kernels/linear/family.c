/*
 * Matrix products with everything that can hang on them: bias, activation, residual.
 *
 * generic: weights as they stand, one work-item per element. cpu: weights in panels of NR columns, row tiles of several heights that cover the rows.
 * Precisions below float32 have bodies of their own, one for each of the two (dot.cl, generic_dot.cl), in the form the profile names. The one for cpu
 * reads rows that are rounded already: by the node before where it can (skip_lowering_words), else by round.cl.
 */
#include "device/family.h"
#include "graph/rules.h"
#include "linear/fpga.h"
#include <stdio.h>
#include <string.h>

#define SUMS_MAX 24    /* vectors a row tile may keep in registers: more spill, at half the speed */
#define SUMS_MIN 8     /* fewer do not hide the latency of a multiply-add: not worth trying */
#define NV_MAX 4
#define GENERIC_GROUP 32
#define BLOCK_BYTES (256 * 1024) /* rows of x that meet every panel before the next rows come: a part of the second-level cache */
#define BLOCK_MAX 16
#define ITEM_DEPTH 1536 /* depth times row tiles of a work-item in a short type: less is not worth its launch */

/* How products in a short type are taken (dot.cl). */
static const struct form {
	const char *name;
	enum skip_precision precision;
	enum skip_layout layout;
	bool assembly, generic;
} forms[] = {
	{"generic", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, false, true},
	{"generic", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, false, true},
	{"portable", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, false, false},
	{"portable", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, false, false},
	{"x86-avx2", SKIP_PRECISION_INT8, SKIP_LAYOUT_S16X2, true, false},
	{"x86-avx512-vnni", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, true, false},
	{"x86-avx512-bf16", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, true, false},
};

struct product {
	int x, w, bias, residual, y; /* buffers; bias and residual may be SKIP_NONE */
	int rows_value;              /* the value whose rows are walked */
	int n, k;
	int transpose;
	bool words; /* y is rounded to bfloat16 */
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

/* Behind products in a short type a coarser polynomial is as good. */
static const char *short_act_word(enum skip_act act) { return act == SKIP_ACT_GELU ? "skip_gelu_short" : act_word(act); }

const char *skip_words_row_function(enum skip_layout layout)
{
	static const char *const names[SKIP_LAYOUT_COUNT] = {
		[SKIP_LAYOUT_BF16X2] = "skip_words_row_bf16x2", [SKIP_LAYOUT_S8X4] = "skip_words_row_s8x4", [SKIP_LAYOUT_S16X2] = "skip_words_row_s16x2",
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

/* Whether the product writes its result as words of bfloat16: that is how all read it, and its panels are whole rows of words. */
static bool writes_words(const struct skip_lowering *lowering, const struct skip_node *node, const struct form *form, int nr)
{
	bool residual = node->n_in > 1 && node->in[1] != SKIP_NONE;
	return form && !form->generic && nr % 16 == 0 && !residual && skip_lowering_is_read(lowering, node->out[0], SKIP_LAYOUT_BF16X2) &&
	       !skip_lowering_is_read(lowering, node->out[0], SKIP_LAYOUT_ROWS);
}

/* Buffers of the node. form: NULL for float32. nr 0: weights and bias as they stand; else padded to whole panels of nr columns. */
static enum skip_status bind(struct skip_lowering *lowering, const struct skip_node *node, const struct form *form, int nr, struct product *out,
			     struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	struct product p = {.bias = SKIP_NONE, .residual = SKIP_NONE, .rows_value = node->out[0]};
	p.k = graph->values[node->in[0]].cols;
	p.n = graph->values[node->out[0]].cols;
	p.transpose = node->attrs.linear.transpose;
	p.act = act_word(node->attrs.linear.act);
	p.words = writes_words(lowering, node, form, nr);
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
		SKIP_TRY(skip_lowering_words(lowering, node->out[0], SKIP_LAYOUT_BF16X2, &p.y, &written, err));
	} else {
		SKIP_TRY(skip_lowering_value(lowering, node->out[0], &p.y, err));
	}
	*out = p;
cleanup:
	return status;
}

static void common_constants(struct skip_kernel_spec *spec, const struct product *p)
{
	skip_spec_int(spec, "LINEAR_K", p->k);
	skip_spec_int(spec, "LINEAR_N", p->n);
}

static void tile_constants(struct skip_kernel_spec *spec, int mr, int nv, int vec, int block)
{
	skip_spec_int(spec, "LINEAR_MR", mr);
	skip_spec_int(spec, "LINEAR_NV", nv);
	skip_spec_int(spec, "LINEAR_VEC", vec);
	skip_spec_int(spec, "LINEAR_BLOCK", block);
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

static void form_constants(struct skip_kernel_spec *spec, const struct form *form)
{
	skip_spec_int(spec, "LINEAR_E", skip_layout_per_word(form->layout));
	skip_spec_int(spec, "LINEAR_INT", form->precision == SKIP_PRECISION_INT8);
	if (!form->generic) skip_spec_int(spec, "LINEAR_ASM", form->assembly);
}

/* form: NULL for float32. */
static enum skip_status lower_generic(struct skip_lowering *lowering, const struct skip_node *node, const struct form *form, struct skip_err *err)
{
	enum skip_status status;
	struct product p;
	struct skip_kernel_spec spec;
	int kernel, fixed;
	SKIP_TRY(bind(lowering, node, form, 0, &p, err));
	skip_spec_init(&spec, "linear", form ? "generic_dot" : "generic", "MAIN");
	common_constants(&spec, &p);
	if (form) p.act = short_act_word(node->attrs.linear.act);
	if (form) form_constants(&spec, form);
	if (!form) skip_spec_int(&spec, "LINEAR_TRANSPOSE", p.transpose);
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

/* How a product is cut: heights of its row tiles, descending, vectors in a row of them, and most tiles that a work-item of a short type takes. */
struct cut {
	int mr[SKIP_LAUNCH_MAX_COVER], n_mr, nv, block;
};

/* The heights of the profile from `highest` down, and itself; those that do not fit registers are left out. */
static struct cut make_cut(const struct skip_profile *profile, int highest, int nv, int block)
{
	struct cut cut = {.nv = nv, .block = block};
	if (highest * nv <= SUMS_MAX) cut.mr[cut.n_mr++] = highest;
	for (int i = 0; i < profile->n_mr && cut.n_mr < SKIP_LAUNCH_MAX_COVER; i++) {
		if (profile->mr[i] < highest && profile->mr[i] * nv <= SUMS_MAX) cut.mr[cut.n_mr++] = profile->mr[i];
	}
	if (cut.n_mr == 0) cut.mr[cut.n_mr++] = 1;
	return cut;
}

/* As the profile says. */
static struct cut own_cut(const struct skip_profile *profile) { return make_cut(profile, profile->mr[0], profile->nv, profile->block); }

/* The height that wastes the fewest of `rows`; the larger of equals. */
static int best_height(const struct cut *cut, int rows)
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
	int64_t block = BLOCK_BYTES / ((int64_t)tile * k * (int64_t)sizeof(float));
	return block < 1 ? 1 : block > BLOCK_MAX ? BLOCK_MAX : (int)block;
}

static enum skip_status cpu_kernel(struct skip_lowering *lowering, const struct product *p, int mr, int nv, int *kernel, struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "cpu", "MAIN");
	common_constants(&spec, p);
	tile_constants(&spec, mr, nv, skip_lowering_profile(lowering)->vec, block_of(mr, p->k));
	epilogue_constants(&spec, p);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

/* One height for a fixed number of rows, else a cover of all. */
static enum skip_status lower_cpu(struct skip_lowering *lowering, const struct skip_node *node, const struct cut *cut, struct skip_err *err)
{
	enum skip_status status;
	const int nr = skip_lowering_profile(lowering)->vec * cut->nv;
	struct product p;
	int fixed, kernel[SKIP_LAUNCH_MAX_COVER];
	SKIP_TRY(bind(lowering, node, NULL, nr, &p, err));
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	const bool covers = rows != SKIP_SIZE_ONE;
	const int single = best_height(cut, fixed), n = covers ? cut->n_mr : 1;
	for (int i = 0; i < n; i++) SKIP_TRY(cpu_kernel(lowering, &p, covers ? cut->mr[i] : single, cut->nv, &kernel[i], err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel[0]);
	add_buffers(launch, &p);
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

/* Rows of x in words that stay in cache while they meet every panel. */
static int dot_block(const struct form *form, int k)
{
	int64_t rows = BLOCK_BYTES / ((int64_t)skip_layout_row(form->layout, k) * (int64_t)sizeof(uint32_t));
	return rows < 1 ? 1 : (int)rows;
}

static enum skip_status dot_kernel(struct skip_lowering *lowering, const struct product *p, const struct form *form, int mr, int nv, int *kernel,
				   struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "dot", "MAIN");
	common_constants(&spec, p);
	tile_constants(&spec, mr, nv, skip_lowering_profile(lowering)->vec, dot_block(form, p->k));
	form_constants(&spec, form);
	epilogue_constants(&spec, p);
	skip_spec_int(&spec, "LINEAR_WORDS", p->words ? skip_layout_row(SKIP_LAYOUT_BF16X2, p->n) : 0);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

/*
 * Row tiles of a work-item: at most the block of the cut, and so many that an item is worth its launch but 64 rows still make 48 items, which two or more
 * threads share evenly.
 */
static int dot_tiles(const struct cut *cut, int vec, const struct product *p)
{
	const int nr = vec * cut->nv, panels = (p->n + nr - 1) / nr;
	int tiles = cut->block;
	if (tiles > ITEM_DEPTH / p->k) tiles = ITEM_DEPTH / p->k;
	if (tiles > panels * 64 / (48 * cut->mr[0])) tiles = panels * 64 / (48 * cut->mr[0]);
	return tiles > 1 ? tiles : 1;
}

/* Launches of several heights: work-items of several, half as many and so on down to one of the largest tile, which one kernel serves, then smaller tiles. */
static enum skip_status dot_cover(struct skip_lowering *lowering, const struct product *p, const struct form *form, const struct cut *cut,
				  enum skip_size size, struct skip_plan_launch *launch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int vec = skip_lowering_profile(lowering)->vec;
	int kernel;
	for (int i = 0; i < cut->n_mr; i++) {
		SKIP_TRY(dot_kernel(lowering, p, form, cut->mr[i], cut->nv, &kernel, err));
		for (int tiles = launch->n_cover ? 1 : dot_tiles(cut, vec, p); tiles > 0 && launch->n_cover < SKIP_LAUNCH_MAX_COVER; tiles /= 2)
			skip_launch_cover(launch, size, kernel, cut->mr[i] * tiles);
	}
cleanup:
	return status;
}

static enum skip_status lower_dot(struct skip_lowering *lowering, const struct skip_node *node, const struct form *form, const struct cut *cut,
				  struct skip_err *err)
{
	enum skip_status status;
	const int nr = skip_lowering_profile(lowering)->vec * cut->nv;
	struct product p;
	int fixed, kernel;
	SKIP_TRY(bind(lowering, node, form, nr, &p, err));
	p.act = short_act_word(node->attrs.linear.act);
	enum skip_size size = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	const int height = best_height(cut, size == SKIP_SIZE_ONE ? fixed : cut->mr[0]);
	SKIP_TRY(dot_kernel(lowering, &p, form, height, cut->nv, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_buffers(launch, &p);
	if (size == SKIP_SIZE_ONE) {
		skip_launch_int(launch, height);
		skip_launch_int(launch, 0);
		skip_launch_global(launch, 0, size, fixed, 0, height);
	} else {
		skip_launch_tile(launch);
		skip_launch_row0(launch);
		SKIP_TRY(dot_cover(lowering, &p, form, cut, size, launch, err));
	}
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, p.n, 0, nr);
	launch->macs_per_row = (double)p.n * p.k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The first form of the profile. */
static enum skip_status find_form(const struct skip_profile *profile, enum skip_precision precision, const struct form **out, struct skip_err *err)
{
	const char *name = profile->n_dot[precision] > 0 ? profile->dot[precision][0] : "none";
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (forms[f].precision != precision || strcmp(forms[f].name, name)) continue;
		*out = &forms[f];
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "profile '%s': there is no form '%s' of products in this type", profile->id, name);
}

/* The form of the node's products, NULL in float32, and whether they go through the bodies of tiles at all. */
static enum skip_status find_way(const struct skip_profile *profile, const char *variant, const struct skip_node *node, const struct form **form,
				 bool *tiled, struct skip_err *err)
{
	const enum skip_precision precision = node->attrs.linear.precision;
	*form = NULL;
	if (precision != SKIP_PRECISION_F32) {
		enum skip_status status = find_form(profile, precision, form, err);
		if (status != SKIP_OK) return status;
	}
	*tiled = !strcmp(variant, "cpu") && !(*form && (*form)->generic);
	return SKIP_OK;
}

/*
 * Tuning: heights, vectors of a row and, in short types, tiles of a work-item. Products share a choice when depth, columns, kind of rows, type and form are
 * the same; what hangs on them does not matter to it. A fixed number of rows has one height that fits it.
 */
static bool problem(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
		    struct skip_tile_problem *out)
{
	const struct form *form;
	bool tiled;
	const struct skip_value *y = &graph->values[node->out[0]];
	const int k = graph->values[node->in[0]].cols;
	if (y->rows == SKIP_ROWS_FIXED || find_way(profile, variant, node, &form, &tiled, NULL) != SKIP_OK || !tiled) return false;
	snprintf(out->shape, sizeof(out->shape), "k%d n%d %s %s %s", k, y->cols, y->rows == SKIP_ROWS_T ? "T" : "B",
		 skip_precision_names[node->attrs.linear.precision], form ? form->name : variant);
	out->node = *node;
	out->node.n_in = out->node.n_param = 1;
	out->node.attrs.linear.act = SKIP_ACT_NONE;
	out->exact = node->attrs.linear.precision == SKIP_PRECISION_INT8;
	/* Any order of k sums, and the last rounding; of an exact sum: to float, its scale, their product. */
	out->roundings = out->exact ? 4 : k + 6;
	return true;
}

/* Enough sums to hide the latency of a multiply-add, and as many as registers hold. Words are rounded in whole rows of 16 (writes_words). */
static bool candidate(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node, size_t i,
		      struct skip_tile *out)
{
	static const int heights[] = {12, 10, 8, 6, 5, 4, 3}, blocks[] = {1, 2, 8};
	const bool words = node->attrs.linear.precision != SKIP_PRECISION_F32;
	const struct cut own = own_cut(profile);
	struct cut cut = own;
	size_t n = 0;
	bool found = i == 0;
	(void)graph;
	(void)variant;
	for (int nv = 1; nv <= NV_MAX; nv++) {
		for (size_t h = 0; h < sizeof(heights) / sizeof(heights[0]) && !found; h++) {
			if (heights[h] * nv > SUMS_MAX || heights[h] * nv < SUMS_MIN || (words && nv * profile->vec % 16)) continue;
			found = ++n == i;
			if (found) cut = make_cut(profile, heights[h], nv, own.block);
		}
	}
	for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]) && words && !found; b++) {
		found = ++n == i;
		if (found) cut.block = blocks[b];
	}
	*out = (struct skip_tile){{cut.mr[0], cut.nv, words ? cut.block : 0}, .reach_rows = cut.mr[0] * cut.block, .reach_cols = cut.nv * profile->vec};
	return found;
}

static const char *const tile_names[] = {"mr", "nv", "block", NULL};
static const struct skip_tiling tiling = {tile_names, problem, candidate};

/* The tile chosen for a node, as a cut; a fixed number of rows goes by the profile. */
static struct cut chosen_cut(struct skip_lowering *lowering, const struct skip_node *node)
{
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	if (skip_lowering_graph(lowering)->values[node->out[0]].rows == SKIP_ROWS_FIXED) return own_cut(profile);
	const struct skip_tile *tile = skip_lowering_tile(lowering);
	return make_cut(profile, tile->number[0], tile->number[1], tile->number[2] ? tile->number[2] : profile->block);
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	const struct form *form;
	bool tiled;
	if (!strcmp(variant, "fpga")) return skip_linear_lower_fpga(lowering, node, err);
	enum skip_status status = find_way(skip_lowering_profile(lowering), variant, node, &form, &tiled, err);
	if (status != SKIP_OK) return status;
	if (!tiled) return lower_generic(lowering, node, form, err);
	const struct cut cut = chosen_cut(lowering, node);
	return form ? lower_dot(lowering, node, form, &cut, err) : lower_cpu(lowering, node, &cut, err);
}

static enum skip_layout reads(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
			      int input)
{
	(void)graph;
	const struct form *form;
	if (input != 0 || strcmp(variant, "cpu") || node->attrs.linear.precision == SKIP_PRECISION_F32) return SKIP_LAYOUT_ROWS;
	return find_form(profile, node->attrs.linear.precision, &form, NULL) == SKIP_OK && !form->generic ? form->layout : SKIP_LAYOUT_ROWS;
}

/* Words of the loop's operands: 10 KiB at most, and 4096 steps, since checkers skip loops of more than 65,535. */
enum { PEAK_WORDS = 64, PEAK_PASSES = 64 };

/* A form without vectors of its own is measured in plain arithmetic on the profile's. */
static enum skip_status peak(const struct skip_profile *profile, enum skip_precision precision, struct skip_peak_loop *out, struct skip_err *err)
{
	const struct form *form = NULL;
	enum skip_status status = find_form(profile, precision, &form, err);
	if (status != SKIP_OK) return status;
	const struct cut cut = own_cut(profile);
	const int per_word = skip_layout_per_word(form->layout), tile = cut.mr[0];
	const struct product none = {.act = "skip_none", .bias = SKIP_NONE, .residual = SKIP_NONE, .k = PEAK_WORDS * per_word, .n = profile->vec * profile->nv};
	struct skip_kernel_spec *spec = &out->spec;
	skip_spec_init(spec, "linear", "dot", "PEAK");
	common_constants(spec, &none);
	tile_constants(spec, tile, cut.nv, profile->vec, PEAK_PASSES);
	skip_spec_int(spec, "LINEAR_E", per_word);
	skip_spec_int(spec, "LINEAR_INT", precision == SKIP_PRECISION_INT8);
	skip_spec_int(spec, "LINEAR_ASM", form->assembly);
	epilogue_constants(spec, &none);
	skip_spec_int(spec, "LINEAR_WORDS", 0);
	out->x_words = (size_t)tile * (size_t)skip_layout_row(form->layout, none.k);
	out->w_words = (size_t)PEAK_WORDS * (size_t)none.n;
	out->out_words = (size_t)profile->vec;
	out->ones = precision == SKIP_PRECISION_BF16 ? 0x3f803f80 : per_word == 4 ? 0x01010101 : 0x00010001;
	out->macs = (double)tile * none.n * none.k * PEAK_PASSES;
	return SKIP_OK;
}

static const char *const ops[] = {"linear", NULL};
static const char *const variants[] = {"cpu", "fpga", "generic", NULL};
static const char *const common[] = {"maths", "words", NULL};

const struct skip_family skip_family_linear = {
	.name = "linear", .ops = ops, .variants = variants, .common = common, .lower = lower, .reads = reads, .peak = peak, .engine = skip_linear_engine,
	.tiling = &tiling};
