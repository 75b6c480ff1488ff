/*
 * Products in a short type: the forms there are, and the body of explicit vectors (dot.cl), which reads rows that are rounded already.
 */
#include "linear/product.h"
#include <string.h>

#define ITEM_DEPTH 1536 /* depth times row tiles of a work-item: less is not worth its launch */
#define ITEM_DEPTH_AMX 6144

static const struct skip_linear_form forms[] = {
	{"generic", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, SKIP_LINEAR_PLAIN, true},
	{"generic", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, SKIP_LINEAR_PLAIN, true},
	{"portable", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, SKIP_LINEAR_PLAIN, false},
	{"portable", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, SKIP_LINEAR_PLAIN, false},
	{"x86-avx2", SKIP_PRECISION_INT8, SKIP_LAYOUT_S16X2, SKIP_LINEAR_VECTORS, false},
	{"x86-avx512-vnni", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, SKIP_LINEAR_VECTORS, false},
	{"x86-avx512-bf16", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, SKIP_LINEAR_VECTORS, false},
	{"x86-amx-int8", SKIP_PRECISION_INT8, SKIP_LAYOUT_S8X4, SKIP_LINEAR_AMX, false},
	{"x86-amx-bf16", SKIP_PRECISION_BF16, SKIP_LAYOUT_BF16X2, SKIP_LINEAR_AMX, false},
};

enum skip_status skip_linear_find_form(const struct skip_profile *profile, enum skip_precision precision, const struct skip_linear_form **out,
				       struct skip_err *err)
{
	const char *name = profile->n_dot[precision] > 0 ? profile->dot[precision][0] : "none";
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (forms[f].precision != precision || strcmp(forms[f].name, name)) continue;
		*out = &forms[f];
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "profile '%s': there is no form '%s' of products in this type", profile->id, name);
}

void skip_linear_form_constants(struct skip_kernel_spec *spec, const struct skip_linear_form *form)
{
	skip_spec_int(spec, "LINEAR_E", skip_layout_per_word(form->layout));
	skip_spec_int(spec, "LINEAR_INT", form->precision == SKIP_PRECISION_INT8);
	if (!form->generic) skip_spec_int(spec, "LINEAR_ASM", form->assembly);
}

/* Rows of x in words that stay in cache while they meet every panel. */
static int dot_block(const struct skip_linear_form *form, int k)
{
	int64_t rows = SKIP_LINEAR_CACHE / ((int64_t)skip_layout_row(form->layout, k) * (int64_t)sizeof(uint32_t));
	return rows < 1 ? 1 : (int)rows;
}

static enum skip_status dot_kernel(struct skip_lowering *lowering, const struct skip_linear_product *p, const struct skip_linear_form *form, int mr, int nv,
				   int *kernel, struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "dot", "MAIN");
	skip_linear_sizes(&spec, p);
	skip_linear_tile(&spec, mr, nv, skip_lowering_profile(lowering)->vec, dot_block(form, p->k));
	skip_linear_form_constants(&spec, form);
	skip_linear_epilogue(&spec, p);
	skip_spec_float(&spec, "LINEAR_CLIP", p->clip);
	skip_spec_int(&spec, "LINEAR_WORDS", p->words ? skip_layout_row(p->words, p->n) : 0);
	if (p->words) {
		skip_spec_word(&spec, "LINEAR_ROUND", skip_words_function(p->words));
		skip_spec_int(&spec, "LINEAR_Y_E", skip_layout_per_word(p->words));
		skip_spec_float(&spec, "LINEAR_Y_CLIP", p->y_clip);
	}
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

/*
 * Row tiles of a work-item: at most the block of the cut, and so many that an item is worth its launch but 64 rows still make 48 items, which two or more
 * threads share evenly. On tiles of AMX 128 rows make 12.
 */
static int dot_tiles(const struct skip_linear_cut *cut, const struct skip_linear_form *form, int vec, const struct skip_linear_product *p)
{
	const bool amx = form->assembly == SKIP_LINEAR_AMX;
	const int nr = vec * cut->nv, panels = (p->n + nr - 1) / nr, depth = amx ? ITEM_DEPTH_AMX : ITEM_DEPTH;
	const int most = amx ? panels * 128 / (12 * cut->mr[0]) : panels * 64 / (48 * cut->mr[0]);
	int tiles = cut->block;
	if (tiles > depth / p->k) tiles = depth / p->k;
	if (tiles > most) tiles = most;
	return tiles > 1 ? tiles : 1;
}

/* Launches of several heights: work-items of several, half as many and so on down to one of the largest tile, which one kernel serves, then smaller tiles. */
static enum skip_status dot_cover(struct skip_lowering *lowering, const struct skip_linear_product *p, const struct skip_linear_form *form,
				  const struct skip_linear_cut *cut, enum skip_size size, struct skip_plan_launch *launch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int vec = skip_lowering_profile(lowering)->vec;
	int kernel;
	for (int i = 0; i < cut->n_mr; i++) {
		SKIP_TRY(dot_kernel(lowering, p, form, cut->mr[i], cut->nv, &kernel, err));
		for (int tiles = launch->n_cover ? 1 : dot_tiles(cut, form, vec, p); tiles > 0 && launch->n_cover < SKIP_LAUNCH_MAX_COVER; tiles /= 2)
			skip_launch_cover(launch, size, kernel, cut->mr[i] * tiles);
	}
cleanup:
	return status;
}

enum skip_status skip_linear_lower_dot(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form,
				       const struct skip_linear_cut *cut, struct skip_err *err)
{
	enum skip_status status;
	const int nr = skip_lowering_profile(lowering)->vec * cut->nv;
	struct skip_linear_product p;
	int fixed, kernel;
	SKIP_TRY(skip_linear_bind(lowering, node, form, nr, &p, err));
	enum skip_size size = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	const int height = skip_linear_best_height(cut, size == SKIP_SIZE_ONE ? fixed : cut->mr[0]);
	SKIP_TRY(dot_kernel(lowering, &p, form, height, cut->nv, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_linear_buffers(launch, &p);
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

/* Words of the loop's operands: 10 KiB at most, and 4096 steps, since checkers skip loops of more than 65,535. */
enum { PEAK_WORDS = 64, PEAK_PASSES = 64 };

/* A form without vectors of its own is measured in plain arithmetic on the profile's. */
enum skip_status skip_linear_peak(const struct skip_profile *profile, enum skip_precision precision, struct skip_peak_loop *out, struct skip_err *err)
{
	const struct skip_linear_form *form = NULL;
	enum skip_status status = skip_linear_find_form(profile, precision, &form, err);
	if (status != SKIP_OK) return status;
	const struct skip_linear_cut cut = skip_linear_own_cut(profile, form);
	const int per_word = skip_layout_per_word(form->layout), tile = cut.mr[0];
	const struct skip_linear_product none = {
	    .act = "skip_none", .bias = SKIP_NONE, .residual = SKIP_NONE, .k = PEAK_WORDS * per_word, .n = profile->vec * cut.nv};
	struct skip_kernel_spec *spec = &out->spec;
	skip_spec_init(spec, "linear", "dot", "PEAK");
	skip_linear_sizes(spec, &none);
	skip_linear_tile(spec, tile, cut.nv, profile->vec, PEAK_PASSES);
	skip_spec_int(spec, "LINEAR_E", per_word);
	skip_spec_int(spec, "LINEAR_INT", precision == SKIP_PRECISION_INT8);
	skip_spec_int(spec, "LINEAR_ASM", form->assembly);
	skip_linear_epilogue(spec, &none);
	skip_spec_float(spec, "LINEAR_CLIP", 0);
	skip_spec_int(spec, "LINEAR_WORDS", 0);
	out->x_words = (size_t)tile * (size_t)skip_layout_row(form->layout, none.k);
	out->w_words = (size_t)PEAK_WORDS * (size_t)none.n;
	out->out_words = (size_t)profile->vec;
	out->ones = precision == SKIP_PRECISION_BF16 ? 0x3f803f80 : per_word == 4 ? 0x01010101 : 0x00010001;
	out->macs = (double)tile * none.n * none.k * PEAK_PASSES;
	return SKIP_OK;
}

