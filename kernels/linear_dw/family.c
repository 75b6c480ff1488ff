/*
 * Gradients of a linear's own numbers: dW = dY^T X and db = column sums of dY, over all rows in order. Either may be absent.
 *
 * generic: one sum per work-item. cpu: dW is a product of depth T of two packed factors, in the register tiles of the profile; with factors in bfloat16 of
 * words of two rows (dot.cl). db needs one vector of columns, else the generic body does it; it is made of floats always.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum { BLOCK = 4, GROUP = 32, PACK_ROWS = 32, SUMS_MAX = 24, WORDS = 16 /* words of two rows in a block, and columns that turn together */ };

/* The run-time rows of dy as the next argument. */
static void add_rows(struct skip_lowering *lowering, const struct skip_node *node, struct skip_plan_launch *launch)
{
	int fixed;
	const enum skip_size size = skip_value_size(skip_lowering_graph(lowering), node->in[0], &fixed);
	if (size == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	else
		skip_launch_size(launch, size);
}

/* Begins the launch of `spec` on both factors, its arguments in place; the work-items are the caller's. */
static enum skip_status begin_weight(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_kernel_spec *spec, int dy, int x,
				     struct skip_plan_launch **out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	int kernel, dw;
	SKIP_TRY(skip_lowering_kernel(lowering, spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &dw, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, dy);
	skip_launch_buffer(launch, x);
	skip_launch_buffer(launch, dw);
	add_rows(lowering, node, launch);
	launch->macs_per_row = (double)values[node->in[0]].cols * values[node->in[1]].cols;
	*out = launch;
cleanup:
	return status;
}

static enum skip_status lower_generic_weight(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	const int n = values[node->in[0]].cols, k = values[node->in[1]].cols;
	struct skip_kernel_spec spec;
	struct skip_plan_launch *launch = NULL;
	int dy, x;
	skip_spec_init(&spec, "linear_dw", "generic", "WEIGHT");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	skip_spec_int(&spec, "LINEAR_DW_K", k);
	skip_spec_int(&spec, "LINEAR_DW_BF16", node->attrs.linear_dw.precision == SKIP_PRECISION_BF16);
	spec.local[0] = GROUP;
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &dy, err));
	SKIP_TRY(skip_lowering_value(lowering, node->in[1], &x, err));
	SKIP_TRY(begin_weight(lowering, node, &spec, dy, x, &launch, err));
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, k, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, n, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The outputs of a tile: the height of the profile that wastes fewest, the larger of equals. */
static int outputs_of(const struct skip_profile *profile, int nv, int n)
{
	int best = 0, waste = 0;
	for (int i = 0; i < profile->n_mr; i++) {
		int tile = profile->mr[i], lost = (tile - n % tile) % tile;
		if (tile * nv > SUMS_MAX || (best && lost >= waste)) continue;
		best = tile;
		waste = lost;
	}
	return best ? best : 1;
}

/* Packs the factor `value` into tiles of `width` columns; the buffer in *tiles. */
static enum skip_status lower_pack(struct skip_lowering *lowering, const struct skip_node *node, int value, int width, const char *name,
				   int *tiles, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[value].cols, padded = (cols + width - 1) / width * width;
	struct skip_kernel_spec spec;
	int kernel, from, fixed;
	const enum skip_size size = skip_value_size(graph, value, &fixed);
	const int count = size == SKIP_SIZE_ONE ? fixed : 1;
	skip_spec_init(&spec, "linear_dw", "cpu", "PACK");
	skip_spec_int(&spec, "LINEAR_DW_COLS", cols);
	skip_spec_int(&spec, "LINEAR_DW_WIDTH", width);
	skip_spec_int(&spec, "LINEAR_DW_ROWS", PACK_ROWS);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, value, &from, err));
	SKIP_TRY(skip_lowering_scratch(lowering, name, (struct skip_extent){.size = size, .mul = count, .div = 1}, padded, tiles, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, from);
	skip_launch_buffer(launch, *tiles);
	add_rows(lowering, node, launch);
	skip_launch_global(launch, 0, size, count, 0, PACK_ROWS);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* Launches the body of `spec` on both packed factors, in tiles of `outputs` rows and `columns` columns of dw. */
static enum skip_status launch_weight(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_kernel_spec *spec, int dy, int x,
				      int outputs, int columns, struct skip_err *err)
{
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	struct skip_plan_launch *launch = NULL;
	enum skip_status status = begin_weight(lowering, node, spec, dy, x, &launch, err);
	if (status != SKIP_OK) return status;
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, values[node->in[0]].cols, 0, outputs);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, values[node->in[1]].cols, 0, columns);
	return skip_lowering_end(lowering, launch, err);
}

static enum skip_status lower_cpu_weight(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	const int n = values[node->in[0]].cols, k = values[node->in[1]].cols, vec = profile->vec, nv = profile->nv > 0 ? profile->nv : 1;
	const int outputs = outputs_of(profile, nv, n);
	struct skip_kernel_spec spec;
	int dy, x;
	SKIP_TRY(lower_pack(lowering, node, node->in[0], outputs, "dy", &dy, err));
	SKIP_TRY(lower_pack(lowering, node, node->in[1], nv * vec, "x", &x, err));
	skip_spec_init(&spec, "linear_dw", "cpu", "WEIGHT");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	skip_spec_int(&spec, "LINEAR_DW_K", k);
	skip_spec_int(&spec, "LINEAR_DW_OUTPUTS", outputs);
	skip_spec_int(&spec, "LINEAR_DW_VECTORS", nv);
	skip_spec_int(&spec, "LINEAR_DW_VEC", vec);
	status = launch_weight(lowering, node, &spec, dy, x, outputs, nv * vec, err);
cleanup:
	return status;
}

/* Packs the factor `value` into words of two rows, in tiles of `width` columns, turned when it is dy; the buffer in *words. */
static enum skip_status lower_pack_words(struct skip_lowering *lowering, const struct skip_node *node, int value, int width, bool dy, int *words,
					 struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[value].cols, padded = (cols + width - 1) / width * width;
	struct skip_kernel_spec spec;
	int kernel, from, fixed;
	const enum skip_size size = skip_value_size(graph, value, &fixed);
	const struct skip_extent blocks = {.size = size, .mul = size == SKIP_SIZE_ONE ? fixed : 1, .div = 2 * WORDS};
	skip_spec_init(&spec, "linear_dw", "dot", dy ? "PACK_DY" : "PACK_X");
	skip_spec_int(&spec, "LINEAR_DW_COLS", cols);
	skip_spec_int(&spec, "LINEAR_DW_WIDTH", width);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, value, &from, err));
	SKIP_TRY(skip_lowering_scratch(lowering, dy ? "dy" : "x", blocks, (int64_t)padded * WORDS, words, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, from);
	skip_launch_buffer(launch, *words);
	add_rows(lowering, node, launch);
	skip_launch_global(launch, 0, size, blocks.mul, 0, blocks.div);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* What multiplies in dot.cl, by the number it has there. */
enum assembly { PLAIN, VECTORS, AMX };

static enum assembly assembly_of(const struct skip_profile *profile)
{
	if (skip_profile_form_is(profile, SKIP_PRECISION_BF16, "x86-amx-bf16")) return AMX;
	return skip_profile_form_is(profile, SKIP_PRECISION_BF16, "x86-avx512-bf16") ? VECTORS : PLAIN;
}

/* As much of a tile in words as registers hold, columns in whole groups that turn. */
static void words_tile(const struct skip_profile *profile, enum assembly assembly, int *outputs, int *vectors)
{
	*vectors = profile->nv > 1 ? profile->nv : 1;
	while (*vectors * profile->vec % WORDS) ++*vectors;
	for (*outputs = WORDS; *outputs * *vectors > SUMS_MAX;) *outputs /= 2;
	if (assembly == AMX) *outputs = 32, *vectors = 2;
}

static enum skip_status lower_dot_weight(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	const int n = values[node->in[0]].cols, k = values[node->in[1]].cols;
	const enum assembly assembly = assembly_of(profile);
	struct skip_kernel_spec spec;
	int dy, x, outputs, vectors;
	words_tile(profile, assembly, &outputs, &vectors);
	SKIP_TRY(lower_pack_words(lowering, node, node->in[0], outputs > WORDS ? outputs : WORDS, true, &dy, err));
	SKIP_TRY(lower_pack_words(lowering, node, node->in[1], vectors * profile->vec, false, &x, err));
	skip_spec_init(&spec, "linear_dw", "dot", "WEIGHT");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	skip_spec_int(&spec, "LINEAR_DW_K", k);
	skip_spec_int(&spec, "LINEAR_DW_OUTPUTS", outputs);
	skip_spec_int(&spec, "LINEAR_DW_VECTORS", vectors);
	skip_spec_int(&spec, "LINEAR_DW_VEC", profile->vec);
	skip_spec_int(&spec, "LINEAR_DW_ASM", (int)assembly);
	status = launch_weight(lowering, node, &spec, dy, x, outputs, vectors * profile->vec, err);
cleanup:
	return status;
}

static enum skip_status lower_bias(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, int vec, struct skip_err *err)
{
	enum skip_status status;
	const int n = skip_lowering_graph(lowering)->values[node->in[0]].cols;
	struct skip_kernel_spec spec;
	int kernel, dy, db;
	cpu = cpu && n >= vec;
	skip_spec_init(&spec, "linear_dw", cpu ? "cpu" : "generic", "BIAS");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	if (cpu) {
		skip_spec_int(&spec, "LINEAR_DW_VECTORS", n < BLOCK * vec ? 1 : BLOCK);
		skip_spec_int(&spec, "LINEAR_DW_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &dy, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[1], &db, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, dy);
	skip_launch_buffer(launch, db);
	add_rows(lowering, node, launch);
	if (cpu) skip_launch_global(launch, 0, SKIP_SIZE_ONE, n, 0, (n < BLOCK * vec ? 1 : BLOCK) * vec);
	else
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, n, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const bool cpu = !strcmp(variant, "cpu");
	const int vec = skip_lowering_profile(lowering)->vec;
	if (node->n_out > 0 && node->out[0] != SKIP_NONE) {
		if (!cpu) SKIP_TRY(lower_generic_weight(lowering, node, err));
		else if (node->attrs.linear_dw.precision == SKIP_PRECISION_BF16)
			SKIP_TRY(lower_dot_weight(lowering, node, err));
		else
			SKIP_TRY(lower_cpu_weight(lowering, node, err));
	}
	if (node->n_out > 1 && node->out[1] != SKIP_NONE) SKIP_TRY(lower_bias(lowering, node, cpu, vec, err));
cleanup:
	return status;
}

static const char *const ops[] = {"linear_dw", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};
static const char *const common[] = {"maths", "lanes", "words", NULL};

const struct skip_family skip_family_linear_dw = {.name = "linear_dw", .ops = ops, .variants = variants, .common = common, .lower = lower};
