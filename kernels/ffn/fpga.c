/*
 * ffn on FPGA boards: one engine for both products. The hidden rows of a tile stay on the chip; while the second product works on them the first
 * fills those of the next tile. fpga.cl is the body.
 */
#include "ffn/fpga.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>

#define ACT_MACS 19 /* as in linear/fpga.c */
#define DEPTH 64    /* tokens of a channel between two stages that keep step */

/* Function of kernels/common/fpga.cl, without the suffix. */
static const char *act_word(enum skip_act act)
{
	static const char *const words[] = {
		[SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
		[SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
	};
	return words[act];
}

static bool has_param(const struct skip_node *node, int i)
{
	return i < node->n_param && node->param[i] != SKIP_NONE;
}

int skip_ffn_least_residual_tokens(const struct skip_ffn_shape *shape)
{
	const int whole = skip_ffn_residual_tokens(shape), before = shape->rows * ((shape->d + 15) / 16) - 1;
	return whole < before ? whole : before;
}

static void add_rows(struct skip_lowering *lowering, const struct skip_node *node, struct skip_plan_launch *launch)
{
	int fixed;
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), node->out[0], &fixed);
	if (rows == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	if (rows != SKIP_SIZE_ONE) skip_launch_size(launch, rows);
}

/* An argument of the engine; those a node has not are left out. */
enum argument { X, W1, W2, B1, B2, RESIDUAL, Y, NO_ARGUMENT };

/* Adds one argument to a launch. */
static enum skip_status add_argument(struct skip_lowering *lowering, const struct skip_node *node, enum argument argument, struct skip_plan_launch *launch,
				     struct skip_err *err)
{
	static const char *const names[] = {[X] = "x", [W1] = "w1", [W2] = "w2", [B1] = "b1", [B2] = "b2", [RESIDUAL] = "residual", [Y] = "y"};
	static const int param[] = {[W1] = 0, [W2] = 1, [B1] = 2, [B2] = 3};
	const enum skip_layout weights = node->attrs.ffn.precision == SKIP_PRECISION_INT8 ? SKIP_LAYOUT_S8X4 : SKIP_LAYOUT_PANELS;
	const int outputs = skip_lowering_profile(lowering)->nv;
	enum skip_status status;
	int buffer;
	switch (argument) {
	case X: SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err)); break;
	case Y: SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err)); break;
	case W1:
	case W2: SKIP_TRY(skip_lowering_weight(lowering, node->param[param[argument]], weights, outputs, 0, &buffer, err)); break;
	case B1:
	case B2:
		if (!has_param(node, param[argument])) return SKIP_OK;
		SKIP_TRY(skip_lowering_weight(lowering, node->param[param[argument]], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		break;
	case RESIDUAL:
		if (node->n_in < 2 || node->in[1] == SKIP_NONE) return SKIP_OK;
		SKIP_TRY(skip_lowering_value(lowering, node->in[1], &buffer, err));
		break;
	case NO_ARGUMENT: return SKIP_OK;
	}
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, names[argument]);
cleanup:
	return status;
}

static enum skip_status add_arguments(struct skip_lowering *lowering, const struct skip_node *node, const enum argument *list,
				      struct skip_plan_launch *launch, struct skip_err *err)
{
	for (; *list != NO_ARGUMENT; list++) {
		enum skip_status status = add_argument(lowering, node, *list, launch, err);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
}

/* The kernels of fpga.cl with INTEL_FPGA, in the order data goes. */
static enum skip_status lower_stages(struct skip_lowering *lowering, const struct skip_node *node, int kernel, struct skip_err *err)
{
	static const struct {
		const char *name;
		enum argument list[4];
	} stages[] = {
		{"load_x", {X, RESIDUAL, NO_ARGUMENT}}, {"load_1", {W1, NO_ARGUMENT}},     {"load_2", {W2, NO_ARGUMENT}},
		{"first", {B1, NO_ARGUMENT}},           {"second", {B2, NO_ARGUMENT}},     {"store", {Y, NO_ARGUMENT}},
	};
	enum skip_status status = SKIP_OK;
	for (size_t s = 0; s < sizeof(stages) / sizeof(stages[0]); s++) {
		int stage;
		SKIP_TRY(skip_lowering_stage(lowering, kernel, stages[s].name, &stage, err));
		struct skip_plan_launch *launch = skip_lowering_begin(lowering, stage);
		SKIP_TRY(add_arguments(lowering, node, stages[s].list, launch, err));
		add_rows(lowering, node, launch);
		if (s > 0) skip_launch_together(launch);
		SKIP_TRY(skip_lowering_end(lowering, launch, err));
	}
cleanup:
	return status;
}

void skip_ffn_spec(const struct skip_ffn_shape *shape, struct skip_kernel_spec *spec)
{
	skip_spec_init(spec, "ffn", "fpga", "MAIN");
	skip_spec_int(spec, "FFN_D", shape->d);
	skip_spec_int(spec, "FFN_F", shape->f);
	skip_spec_int(spec, "FFN_N", shape->n);
	skip_spec_int(spec, "FFN_T", shape->rows);
	skip_spec_int(spec, "FFN_P", shape->outputs);
	skip_spec_int(spec, "FFN_INT", shape->int8);
	skip_spec_word(spec, "FFN_ACT", act_word(shape->act));
	skip_spec_int(spec, "FFN_BIAS1", shape->bias1);
	skip_spec_int(spec, "FFN_BIAS2", shape->bias2);
	skip_spec_int(spec, "FFN_RESIDUAL", shape->residual);
	skip_spec_int(spec, "FFN_DEPTH", DEPTH);
	skip_spec_int(spec, "FFN_DEPTH_RESIDUAL", skip_ffn_residual_tokens(shape));
}

int skip_ffn_residual_tokens(const struct skip_ffn_shape *shape)
{
	return shape->rows * ((shape->n + shape->outputs - 1) / shape->outputs);
}

struct skip_ffn_shape skip_ffn_shape_of(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile)
{
	const struct skip_attrs_ffn *attrs = &node->attrs.ffn;
	return (struct skip_ffn_shape){
		.d = graph->values[node->in[0]].cols,
		.f = (int)graph->tensors[node->param[0]]->dim[0],
		.n = graph->values[node->out[0]].cols,
		.rows = profile->mr[0],
		.outputs = profile->nv,
		.int8 = attrs->precision == SKIP_PRECISION_INT8,
		.bias1 = has_param(node, 2),
		.bias2 = has_param(node, 3),
		.residual = node->n_in > 1 && node->in[1] != SKIP_NONE,
		.act = attrs->act,
	};
}

enum skip_status skip_ffn_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_ffn_shape shape = skip_ffn_shape_of(skip_lowering_graph(lowering), node, profile);
	struct skip_kernel_spec spec;
	int kernel;
	skip_ffn_spec(&shape, &spec);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	if (profile->channels) return lower_stages(lowering, node, kernel, err);
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	static const enum argument all[] = {X, W1, W2, B1, B2, RESIDUAL, Y, NO_ARGUMENT};
	SKIP_TRY(add_arguments(lowering, node, all, launch, err));
	add_rows(lowering, node, launch);
	launch->macs_per_row = (double)shape.f * (shape.d + shape.n);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_ffn_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				 struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	const struct skip_attrs_ffn *attrs = &node->attrs.ffn;
	if (attrs->precision == SKIP_PRECISION_BF16) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "products on FPGA boards are float32 or int8, not bf16");
	const struct skip_engine_form form = skip_engine_form(profile, attrs->precision == SKIP_PRECISION_INT8);
	const double rows = skip_engine_rows(graph, node->out[0], work), tiles = ceil(rows / form.rows);
	const int d = graph->values[node->in[0]].cols, n = graph->values[node->out[0]].cols, f = (int)graph->tensors[node->param[0]]->dim[0];
	const int64_t d_words = (d + form.depth - 1) / form.depth, f_words = (f + form.depth - 1) / form.depth, row_words = (d + 15) / 16;
	const bool residual = node->n_in > 1 && node->in[1] != SKIP_NONE;
	snprintf(out->name, sizeof(out->name), "ffn_d%d_f%d%s", d, f, residual ? "_residual" : "");
	out->lanes[form.int8] = 2 * form.outputs * form.depth;
	out->lanes[0] += ACT_MACS * skip_engine_act_units(&form, d);
	out->units = form.int8 ? 2 * form.outputs : 0;
	out->stages = 6;
	out->overlaps = true;
	skip_engine_add_memory(out, 512, form.rows * d_words, 1, 1, true);
	skip_engine_add_memory(out, 512, form.rows * f_words, 1, 1, true);
	/* int8 rows of the hidden layer get their scale when they are complete, so they wait as floats. */
	if (form.int8) skip_engine_add_memory(out, 32 * form.outputs, (int64_t)form.rows * ((f + form.outputs - 1) / form.outputs), 1, 1, false);
	if (residual) skip_engine_add_memory(out, 512, form.rows * row_words, 1, 1, false);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, d), false);
	skip_engine_add_port(out, tiles * skip_engine_weight_bytes(&form, f, d), true);
	skip_engine_add_port(out, tiles * skip_engine_weight_bytes(&form, n, f), true);
	if (residual) skip_engine_add_port(out, skip_engine_row_bytes(rows, n), false);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, n), false);
	out->macs = rows * f * (double)(d + n);
	out->rounds = tiles;
	const double first = skip_engine_product(&form, rows, f, d), second = skip_engine_product(&form, rows, n, f);
	out->cycles = fmax(first, second);
	/* The second product starts when the first has done its first tile. */
	out->fill = 2 * skip_engine_fill(&form) + fmin(first, second) / fmax(tiles, 1);
	return SKIP_OK;
}
