/*
 * attention and attention_bwd. Keys and values are read where they are, and so are the prefix rows unless they drop: then every sequence
 * sees its own.
 *
 * cpu, forward: [PREFIX of keys, of values when they drop, both of the body prefix], MAIN. Backward: [PREFIX twice], BWD, SUM for each prefix gradient.
 * gpu, forward in float32 without dropout and without places, as long as the scores of a block of queries fit local memory: MAIN.
 * dot, forward with products in bfloat16: MAIN. dot_bwd: BWD in place of cpu's.
 * generic, forward: MAIN. Backward: QUERY, KEY, SLOT, as far as their outputs are wanted.
 */
#include "device/family.h"
#include "attention/fpga.h"
#include "graph/op.h"
#include <string.h>

enum { Q, K, V };
enum { DSLOTS = 5 }; /* output of attention_bwd */

struct shape {
	const struct skip_node *node;
	const struct skip_attrs_attention *attrs;
	int layer;
	int prefix, keys;  /* P; most keys of a sequence */
	int stride[3];	   /* columns of the values of q, k, v */
	bool rows_b, drop; /* one query per sequence; prefix dropout */
	int longest;	   /* sequence that the tables by distance are for, N */
	int vec;
	bool words;	   /* q, k, v are words of bfloat16 */
	int in[4], prefix_buffer[2], table[3], slots, offset; /* buffers; absent tables and slots SKIP_NONE */
};

/* Streams of the dropout of key and value prefix (graph/op/attention.c). */
static int32_t stream_of(const struct shape *shape, int value)
{
	return 0x50000000 + 2 * shape->layer + value;
}

/* Whether words hold two bfloat16. Processors with AMX have the instructions on vectors too. */
static bool pairs(const struct skip_profile *profile) { return skip_profile_form_is(profile, SKIP_PRECISION_BF16, "x86-avx512-bf16") || skip_profile_form_is(profile, SKIP_PRECISION_BF16, "x86-amx-bf16"); }

/* dot.cl takes words where every head, and what follows the prefix, starts at a whole one. */
static enum skip_layout reads(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
			      int input, float *clip)
{
	(void)clip;
	const struct skip_attrs_attention *a = &node->attrs.attention;
	const int64_t prefix = node->n_param > SKIP_ATTENTION_PV && node->param[SKIP_ATTENTION_PK] != SKIP_NONE ? graph->tensors[node->param[SKIP_ATTENTION_PK]]->dim[0] : 0;
	const bool whole = a->qk % 2 == 0 && a->v % 2 == 0 && a->q_col % 2 == 0 && a->k_col % 2 == 0 && a->v_col % 2 == 0 && prefix % 2 == 0;
	const bool dot = !strcmp(variant, "cpu") && !strcmp(node->op->name, "attention") && a->precision == SKIP_PRECISION_BF16;
	return dot && input <= V && whole && pairs(profile) ? SKIP_LAYOUT_BF16X2 : SKIP_LAYOUT_ROWS;
}

static enum skip_status bind_tables(struct skip_lowering *lowering, struct shape *shape, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	shape->longest = 1;
	for (int i = 0; i < 3; i++) {
		const int param = SKIP_ATTENTION_BIAS + i, tensor = param < shape->node->n_param ? shape->node->param[param] : SKIP_NONE;
		shape->table[i] = SKIP_NONE;
		if (tensor == SKIP_NONE) continue;
		const struct skip_tensor *table = graph->tensors[tensor];
		shape->longest = (int)(table->dim[1] + 1) / 2;
		if (shape->longest < graph->max_positions) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "table '%s' is for sequences of %d tokens, the graph takes %d", table->name,
					      shape->longest, graph->max_positions);
			goto cleanup;
		}
		SKIP_TRY(skip_lowering_weight(lowering, tensor, SKIP_LAYOUT_ROWS, 0, 0, &shape->table[i], err));
	}
cleanup:
	return status;
}

static enum skip_status bind(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct shape *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	struct shape shape = {.node = node, .attrs = &node->attrs.attention, .layer = node->layer};
	float clip = 0;
	shape.vec = skip_lowering_profile(lowering)->vec;
	shape.rows_b = graph->values[node->in[Q]].rows == SKIP_ROWS_B;
	for (int i = 0; i < 3; i++) {
		shape.stride[i] = graph->values[node->in[i]].cols;
		shape.words |= reads(graph, skip_lowering_profile(lowering), variant, node, i, &clip) == SKIP_LAYOUT_BF16X2 &&
			       skip_lowering_has_words(lowering, node->in[i], SKIP_LAYOUT_BF16X2);
	}
	for (int i = 0; i < node->n_in; i++) {
		if (shape.words) {
			SKIP_TRY(skip_lowering_rounded(lowering, node->in[i], SKIP_LAYOUT_BF16X2, &shape.in[i], err));
		} else {
			SKIP_TRY(skip_lowering_value(lowering, node->in[i], &shape.in[i], err));
		}
	}
	if (node->n_param > SKIP_ATTENTION_PV && node->param[SKIP_ATTENTION_PK] != SKIP_NONE) {
		shape.prefix = (int)graph->tensors[node->param[0]]->dim[0];
		for (int i = 0; i < 2 && shape.prefix; i++)
			SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &shape.prefix_buffer[i], err));
	}
	SKIP_TRY(bind_tables(lowering, &shape, err));
	shape.slots = SKIP_NONE;
	if (shape.prefix && node->n_param > SKIP_ATTENTION_SLOTS && node->param[SKIP_ATTENTION_SLOTS] != SKIP_NONE)
		SKIP_TRY(skip_lowering_weight(lowering, node->param[SKIP_ATTENTION_SLOTS], SKIP_LAYOUT_ROWS, 0, 0, &shape.slots, err));
	shape.drop = shape.prefix && node->attrs.attention.prefix_dropout > 0;
	shape.keys = shape.prefix + graph->max_positions;
	SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_OFFSET, &shape.offset, err));
	*out = shape;
cleanup:
	return status;
}

static void drop_constants(struct skip_kernel_spec *spec, const struct shape *shape)
{
	const float rate = shape->attrs->prefix_dropout;
	skip_spec_int(spec, "ATTENTION_THRESHOLD", (uint32_t)((double)rate * 4294967296.0));
	skip_spec_float(spec, "ATTENTION_KEPT", 1.0f / (1.0f - rate));
}

/* Elements of a row of q, k or v: floats or words. */
static int row_of(const struct shape *shape, int which)
{
	return shape->words ? skip_layout_row(SKIP_LAYOUT_BF16X2, shape->stride[which]) : shape->stride[which];
}

static void constants(struct skip_kernel_spec *spec, const struct shape *shape)
{
	skip_spec_int(spec, "ATTENTION_H", shape->attrs->heads);
	skip_spec_int(spec, "ATTENTION_QK", shape->attrs->qk);
	skip_spec_int(spec, "ATTENTION_V", shape->attrs->v);
	skip_spec_int(spec, "ATTENTION_P", shape->prefix);
	skip_spec_float(spec, "ATTENTION_SCALE", shape->attrs->scale);
	skip_spec_int(spec, "ATTENTION_Q_STRIDE", row_of(shape, Q));
	skip_spec_int(spec, "ATTENTION_K_STRIDE", row_of(shape, K));
	skip_spec_int(spec, "ATTENTION_V_STRIDE", row_of(shape, V));
	skip_spec_int(spec, "ATTENTION_Q_COL", shape->attrs->q_col / (shape->words ? 2 : 1));
	skip_spec_int(spec, "ATTENTION_K_COL", shape->attrs->k_col / (shape->words ? 2 : 1));
	skip_spec_int(spec, "ATTENTION_V_COL", shape->attrs->v_col / (shape->words ? 2 : 1));
	skip_spec_int(spec, "ATTENTION_ROWS_B", shape->rows_b);
	skip_spec_int(spec, "ATTENTION_DROPOUT", shape->drop);
	skip_spec_int(spec, "ATTENTION_CAUSAL", shape->attrs->causal);
	skip_spec_int(spec, "ATTENTION_WINDOW", shape->attrs->window);
	skip_spec_int(spec, "ATTENTION_LAST", shape->rows_b && shape->attrs->at == SKIP_AT_LAST);
	skip_spec_int(spec, "ATTENTION_BIAS", shape->table[0] != SKIP_NONE);
	skip_spec_int(spec, "ATTENTION_RK", shape->table[1] != SKIP_NONE);
	skip_spec_int(spec, "ATTENTION_RQ", shape->table[2] != SKIP_NONE);
	skip_spec_int(spec, "ATTENTION_N", shape->longest);
	skip_spec_int(spec, "ATTENTION_SLOTS", shape->slots != SKIP_NONE);
}

static void add_inputs(struct skip_plan_launch *launch, const struct shape *shape)
{
	for (int i = 0; i < shape->node->n_in; i++) skip_launch_buffer(launch, shape->in[i]);
	for (int i = 0; i < 2 && shape->prefix; i++) skip_launch_buffer(launch, shape->prefix_buffer[i]);
	for (int i = 0; i < 3; i++)
		if (shape->table[i] != SKIP_NONE) skip_launch_buffer(launch, shape->table[i]);
	if (shape->slots != SKIP_NONE) skip_launch_buffer(launch, shape->slots);
}

static bool has_out(const struct shape *shape, int i)
{
	return i < shape->node->n_out && shape->node->out[i] != SKIP_NONE;
}

/* The wanted ones of outputs from .. from + n - 1. */
static enum skip_status add_outputs(struct skip_lowering *lowering, struct skip_plan_launch *launch, const struct shape *shape, int from,
				    int n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int buffer;
	for (int i = from; i < from + n; i++) {
		if (!has_out(shape, i)) continue;
		SKIP_TRY(skip_lowering_value(lowering, shape->node->out[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
cleanup:
	return status;
}

/* ---- cpu ---- */

static int prefix_cols(const struct shape *shape, int which)
{
	return shape->attrs->heads * (which == V ? shape->attrs->v : shape->attrs->qk);
}

/* What PREFIX and SUM of keys (which = K) or values (V) share. */
static void prefix_spec(struct skip_kernel_spec *spec, const struct shape *shape, const char *body_kernel, int which)
{
	skip_spec_init(spec, "attention", "prefix", body_kernel);
	skip_spec_int(spec, "ATTENTION_COLS", prefix_cols(shape, which));
	skip_spec_int(spec, "ATTENTION_P", shape->prefix);
	skip_spec_int(spec, "ATTENTION_VEC", shape->vec);
	skip_spec_int(spec, "ATTENTION_DROPOUT", shape->drop);
	drop_constants(spec, shape);
}

/* [B][P][columns of the key or value prefix]. */
static enum skip_status prefix_scratch(struct skip_lowering *lowering, const struct shape *shape, const char *name, int which, int *buffer,
				       struct skip_err *err)
{
	const struct skip_extent rows = {.size = SKIP_SIZE_B, .mul = shape->prefix, .div = 1};
	return skip_lowering_scratch(lowering, name, rows, prefix_cols(shape, which), buffer, err);
}

/* Replaces the prefix buffers by ones that hold each sequence's own, dropped, prefix. */
static enum skip_status lower_drop(struct skip_lowering *lowering, struct shape *shape, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int which = K; which <= V; which++) {
		const int i = which - K;
		struct skip_kernel_spec spec;
		int kernel, dropped;
		prefix_spec(&spec, shape, "PREFIX", which);
		SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
		SKIP_TRY(prefix_scratch(lowering, shape, i ? "values" : "keys", which, &dropped, err));
		struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
		skip_launch_buffer(launch, shape->prefix_buffer[i]);
		skip_launch_buffer(launch, dropped);
		skip_launch_int(launch, stream_of(shape, i));
		skip_launch_key(launch);
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, shape->prefix, 0, 1);
		skip_launch_global(launch, 1, SKIP_SIZE_B, 1, 0, 1);
		SKIP_TRY(skip_lowering_end(lowering, launch, err));
		shape->prefix_buffer[i] = dropped;
	}
cleanup:
	return status;
}

enum { GPU_LANES = 16, GPU_LOCAL = 24 * 1024 }; /* work-items of a row of queries; bytes of scores and queries of a group: every device has 32 KiB */

static bool gpu_fits(const struct shape *shape, int rows)
{
	return shape->attrs->precision == SKIP_PRECISION_F32 && !shape->drop && skip_attention_is_plain(shape->node) &&
	       (int64_t)rows * (shape->keys + shape->attrs->qk) * (int64_t)sizeof(float) <= GPU_LOCAL;
}

/* A block of queries and a head are a work-item on cpu, a work-group on gpu. */
static enum skip_status forward_blocks(struct skip_lowering *lowering, const struct shape *shape, bool gpu, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, blocks;
	const int rows = skip_lowering_profile(lowering)->query_block, items = gpu ? rows * GPU_LANES : 1;
	skip_spec_init(&spec, "attention", gpu ? "gpu" : "cpu", "MAIN");
	constants(&spec, shape);
	skip_spec_int(&spec, "ATTENTION_S", shape->keys);
	if (gpu) {
		skip_spec_int(&spec, "ATTENTION_R", rows);
		skip_spec_int(&spec, "ATTENTION_LANES", GPU_LANES);
		spec.local[0] = (uint16_t)items;
	} else {
		skip_spec_int(&spec, "ATTENTION_VEC", shape->vec);
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_inputs(launch, shape);
	skip_launch_buffer(launch, shape->offset);
	if (!shape->rows_b) {
		SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_QBLOCK, &blocks, err));
		skip_launch_buffer(launch, blocks);
	}
	SKIP_TRY(add_outputs(lowering, launch, shape, 0, 1, err));
	skip_launch_global(launch, 0, shape->rows_b ? SKIP_SIZE_B : SKIP_SIZE_Q, items, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, shape->attrs->heads, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* The layout of words that dot.cl writes its result in, SKIP_LAYOUT_ROWS for floats: heads are whole words, and bfloat16 past the last column would count. */
static enum skip_layout out_layout(const struct skip_lowering *lowering, const struct shape *shape)
{
	const enum skip_layout layout = skip_lowering_only_words(lowering, shape->node->out[0]);
	const int v = shape->attrs->v, cols = shape->attrs->heads * v;
	if (layout == SKIP_LAYOUT_BF16X2) return pairs(skip_lowering_profile(lowering)) && v % 2 == 0 && cols % 16 == 0 ? layout : SKIP_LAYOUT_ROWS;
	return layout && v % skip_layout_per_word(layout) == 0 ? layout : SKIP_LAYOUT_ROWS;
}

/* Products in bfloat16. */
static enum skip_status forward_dot(struct skip_lowering *lowering, const struct shape *shape, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, ctx;
	bool written;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const int value = shape->node->out[0], ctx_cols = shape->attrs->heads * shape->attrs->v;
	const enum skip_layout out_words = out_layout(lowering, shape);
	/* The largest score is found before the scale is applied. */
	if (!(shape->attrs->scale > 0)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "attention in bfloat16 with a scale of %g", (double)shape->attrs->scale);
	skip_spec_init(&spec, "attention", "dot", "MAIN");
	constants(&spec, shape);
	skip_spec_int(&spec, "ATTENTION_WORDS", shape->words);
	skip_spec_int(&spec, "ATTENTION_OUT", out_words ? skip_layout_row(out_words, ctx_cols) : 0);
	if (out_words) {
		skip_spec_int(&spec, "ATTENTION_OUT_E", skip_layout_per_word(out_words));
		skip_spec_float(&spec, "ATTENTION_CLIP", skip_lowering_clip(lowering, value, out_words));
	}
	skip_spec_int(&spec, "ATTENTION_S", shape->keys);
	skip_spec_int(&spec, "ATTENTION_VEC", shape->vec);
	skip_spec_int(&spec, "ATTENTION_E", pairs(profile) ? 2 : 1);
	skip_spec_int(&spec, "ATTENTION_AMX", skip_profile_form_is(profile, SKIP_PRECISION_BF16, "x86-amx-bf16"));
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	if (out_words) {
		SKIP_TRY(skip_lowering_words(lowering, value, out_words, &ctx, &written, err));
	} else {
		SKIP_TRY(skip_lowering_value(lowering, value, &ctx, err));
	}
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_inputs(launch, shape);
	skip_launch_buffer(launch, shape->offset);
	skip_launch_buffer(launch, ctx);
	skip_launch_global(launch, 0, SKIP_SIZE_B, 1, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, shape->attrs->heads, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* dPk (which = K) or dPv (V) from the parts of the sequences. */
static enum skip_status lower_sum(struct skip_lowering *lowering, const struct shape *shape, int which, int parts, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel;
	prefix_spec(&spec, shape, "SUM", which);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, parts);
	SKIP_TRY(add_outputs(lowering, launch, shape, which + 2, 1, err));
	skip_launch_size(launch, SKIP_SIZE_B);
	if (shape->drop) {
		skip_launch_int(launch, stream_of(shape, which - K));
		skip_launch_key(launch);
	}
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, shape->prefix, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, prefix_cols(shape, which), 0, shape->vec);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* BWD has the same arguments in cpu and in dot_bwd, whose products are in bfloat16. */
static enum skip_status backward_cpu(struct skip_lowering *lowering, const struct shape *shape, struct skip_err *err)
{
	enum skip_status status;
	static const char *const flags[] = {"ATTENTION_DQ", "ATTENTION_DK", "ATTENTION_DV", "ATTENTION_GK", "ATTENTION_GV", "ATTENTION_GS"};
	struct skip_kernel_spec spec;
	int kernel, parts[3] = {SKIP_NONE, SKIP_NONE, SKIP_NONE};
	const bool bf16 = shape->attrs->precision == SKIP_PRECISION_BF16;
	/* The largest score is found before the scale is applied. */
	if (bf16 && !(shape->attrs->scale > 0))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "attention in bfloat16 with a scale of %g", (double)shape->attrs->scale);
	if (bf16 && has_out(shape, DSLOTS)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "gradients of slots are taken in f32 only");
	skip_spec_init(&spec, "attention", bf16 ? "dot_bwd" : "cpu", "BWD");
	if (bf16) skip_spec_int(&spec, "ATTENTION_E", pairs(skip_lowering_profile(lowering)) ? 2 : 1);
	constants(&spec, shape);
	skip_spec_int(&spec, "ATTENTION_S", shape->keys);
	skip_spec_int(&spec, "ATTENTION_VEC", shape->vec);
	for (int i = 0; i <= DSLOTS; i++) skip_spec_int(&spec, flags[i], has_out(shape, i));
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	for (int i = K; i <= V; i++)
		if (has_out(shape, i + 2)) SKIP_TRY(prefix_scratch(lowering, shape, i == K ? "dkeys" : "dvalues", i, &parts[i], err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_inputs(launch, shape);
	SKIP_TRY(add_outputs(lowering, launch, shape, 0, 3, err));
	for (int i = K; i <= V; i++)
		if (parts[i] != SKIP_NONE) skip_launch_buffer(launch, parts[i]);
	SKIP_TRY(add_outputs(lowering, launch, shape, DSLOTS, 1, err));
	skip_launch_buffer(launch, shape->offset);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, shape->attrs->heads, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_B, 1, 0, 1);
	SKIP_TRY(skip_lowering_end(lowering, launch, err));
	for (int i = K; i <= V; i++)
		if (parts[i] != SKIP_NONE) SKIP_TRY(lower_sum(lowering, shape, i, parts[i], err));
cleanup:
	return status;
}

/* ---- generic ---- */

/* Heads are the lanes of a work-group: the largest divisor that any device takes. */
static uint16_t group_of(int heads)
{
	int group = heads < 32 ? heads : 32;
	while (heads % group) group--;
	return (uint16_t)group;
}

static enum skip_status generic_kernel(struct skip_lowering *lowering, const struct shape *shape, const char *body_kernel, int out_a,
				       int *kernel, struct skip_err *err)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "attention", "generic", body_kernel);
	constants(&spec, shape);
	if (shape->drop) drop_constants(&spec, shape);
	skip_spec_int(&spec, "ATTENTION_BF16", shape->attrs->precision == SKIP_PRECISION_BF16);
	if (strcmp(body_kernel, "MAIN")) {
		skip_spec_int(&spec, "ATTENTION_OUT_A", has_out(shape, out_a));
		skip_spec_int(&spec, "ATTENTION_OUT_B", out_a && has_out(shape, out_a + 1));
		skip_spec_int(&spec, "ATTENTION_OUT_C", out_a == 3 && has_out(shape, DSLOTS));
	}
	spec.local[0] = group_of(shape->attrs->heads);
	return skip_lowering_kernel(lowering, &spec, kernel, err);
}

/* The arguments and size all generic kernels end with. */
static enum skip_status generic_end(struct skip_lowering *lowering, struct skip_plan_launch *launch, const struct shape *shape,
				    enum skip_size size, int count, struct skip_err *err)
{
	skip_launch_int(launch, stream_of(shape, 0));
	skip_launch_key(launch);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, shape->attrs->heads, 0, 1);
	skip_launch_global(launch, 1, size, count, 0, 1);
	return skip_lowering_end(lowering, launch, err);
}

/* MAIN, or QUERY when there is a buffer for stats. */
static enum skip_status generic_rows(struct skip_lowering *lowering, const struct shape *shape, int stats, struct skip_err *err)
{
	enum skip_status status;
	int kernel, seq;
	SKIP_TRY(generic_kernel(lowering, shape, stats == SKIP_NONE ? "MAIN" : "QUERY", 0, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_inputs(launch, shape);
	skip_launch_buffer(launch, shape->offset);
	if (!shape->rows_b) {
		SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_SEQ, &seq, err));
		skip_launch_buffer(launch, seq);
	}
	if (stats != SKIP_NONE) skip_launch_buffer(launch, stats);
	SKIP_TRY(add_outputs(lowering, launch, shape, 0, 1, err));
	status = generic_end(lowering, launch, shape, shape->rows_b ? SKIP_SIZE_B : SKIP_SIZE_T, 1, err);
cleanup:
	return status;
}

/* KEY (out_a = 1) or SLOT (3): the outputs that start at out_a. */
static enum skip_status generic_sums(struct skip_lowering *lowering, const struct shape *shape, int out_a, int stats, struct skip_err *err)
{
	enum skip_status status;
	int kernel, seq;
	const bool slots = out_a == 3;
	SKIP_TRY(generic_kernel(lowering, shape, slots ? "SLOT" : "KEY", out_a, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	add_inputs(launch, shape);
	skip_launch_buffer(launch, stats);
	skip_launch_buffer(launch, shape->offset);
	if (!slots) {
		SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_SEQ, &seq, err));
		skip_launch_buffer(launch, seq);
	}
	SKIP_TRY(add_outputs(lowering, launch, shape, out_a, slots ? 3 : 2, err));
	skip_launch_size(launch, SKIP_SIZE_B);
	status = generic_end(lowering, launch, shape, slots ? SKIP_SIZE_ONE : SKIP_SIZE_T, slots ? shape->prefix : 1, err);
cleanup:
	return status;
}

static enum skip_status backward_generic(struct skip_lowering *lowering, const struct shape *shape, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_extent rows = {.size = shape->rows_b ? SKIP_SIZE_B : SKIP_SIZE_T, .mul = 1, .div = 1};
	int stats;
	SKIP_TRY(skip_lowering_scratch(lowering, "stats", rows, 3 * shape->attrs->heads, &stats, err));
	SKIP_TRY(generic_rows(lowering, shape, stats, err));
	if (has_out(shape, 1) || has_out(shape, 2)) SKIP_TRY(generic_sums(lowering, shape, 1, stats, err));
	if (has_out(shape, 3) || has_out(shape, 4) || has_out(shape, DSLOTS)) SKIP_TRY(generic_sums(lowering, shape, 3, stats, err));
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const bool backward = strcmp(node->op->name, "attention") != 0;
	struct shape shape;
	if (!strcmp(variant, "fpga")) return skip_attention_lower_fpga(lowering, node, err);
	SKIP_TRY(bind(lowering, node, variant, &shape, err));
	if (!strcmp(variant, "gpu") && !backward && gpu_fits(&shape, profile->query_block)) return forward_blocks(lowering, &shape, true, err);
	if (strcmp(variant, "cpu")) {
		status = backward ? backward_generic(lowering, &shape, err) : generic_rows(lowering, &shape, SKIP_NONE, err);
		goto cleanup;
	}
	if (profile->query_block > profile->vec) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "profile '%s': query_block %d is above the %d lanes of a vector", profile->id,
				      profile->query_block, profile->vec);
		goto cleanup;
	}
	if (skip_lowering_graph(lowering)->max_positions < 1) {
		status = skip_err_set(err, SKIP_ERR_INTERNAL, "the graph does not say how long a sequence may be");
		goto cleanup;
	}
	if (shape.drop) SKIP_TRY(lower_drop(lowering, &shape, err));
	if (backward) {
		status = backward_cpu(lowering, &shape, err);
	} else if (shape.attrs->precision == SKIP_PRECISION_BF16) {
		status = forward_dot(lowering, &shape, err);
	} else {
		status = forward_blocks(lowering, &shape, false, err);
	}
cleanup:
	return status;
}

static const char *const ops[] = {"attention", "attention_bwd", NULL};
static const char *const variants[] = {"cpu", "fpga", "gpu", "generic", NULL};
static const char *const common[] = {"maths", "dropout", "lanes", "words", NULL};

const struct skip_family skip_family_attention = {.name = "attention", .ops = ops, .variants = variants, .common = common, .lower = lower, .reads = reads, .engine = skip_attention_engine};
