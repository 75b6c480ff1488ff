/*
 * linear on FPGA boards: rows of a tile on the chip, weights streamed past them, `outputs` dot products of a word each a cycle. fpga.cl is the body.
 */
#include "linear/fpga.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>

/* Multiply-adds of an activation of one number: the polynomial of erf and what surrounds it. */
#define ACT_MACS 19

/* Function of kernels/common/fpga.cl, without the suffix. */
static const char *act_word(enum skip_act act)
{
	static const char *const words[] = {
		[SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
		[SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
	};
	return words[act];
}

enum skip_status skip_linear_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const struct skip_profile *profile = skip_lowering_profile(lowering);
	const struct skip_attrs_linear *attrs = &node->attrs.linear;
	const bool int8 = attrs->precision == SKIP_PRECISION_INT8, bias = node->n_param > 1 && node->param[1] != SKIP_NONE,
		   residual = node->n_in > 1 && node->in[1] != SKIP_NONE;
	struct skip_kernel_spec spec;
	int kernel, buffer, fixed;
	if (attrs->precision == SKIP_PRECISION_BF16) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "products on FPGA boards are float32 or int8, not bf16");
	if (attrs->clip > 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "products on FPGA boards find the scales of int8 as they run, not one for all rows");
	skip_spec_init(&spec, "linear", "fpga", "MAIN");
	skip_spec_int(&spec, "LINEAR_K", graph->values[node->in[0]].cols);
	skip_spec_int(&spec, "LINEAR_N", graph->values[node->out[0]].cols);
	skip_spec_int(&spec, "LINEAR_T", profile->mr[0]);
	skip_spec_int(&spec, "LINEAR_P", profile->nv);
	skip_spec_int(&spec, "LINEAR_INT", int8);
	skip_spec_word(&spec, "LINEAR_ACT", act_word(attrs->act));
	skip_spec_int(&spec, "LINEAR_BIAS", bias);
	skip_spec_int(&spec, "LINEAR_RESIDUAL", residual);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "x");
	SKIP_TRY(skip_lowering_weight(lowering, node->param[0], int8 ? SKIP_LAYOUT_S8X4 : SKIP_LAYOUT_PANELS, profile->nv, attrs->transpose, &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "w");
	if (bias) SKIP_TRY(skip_lowering_weight(lowering, node->param[1], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
	if (bias) skip_launch_buffer(launch, buffer);
	if (bias) skip_launch_name(launch, "bias");
	if (residual) SKIP_TRY(skip_lowering_value(lowering, node->in[1], &buffer, err));
	if (residual) skip_launch_buffer(launch, buffer);
	if (residual) skip_launch_name(launch, "residual");
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "y");
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), node->out[0], &fixed);
	if (rows == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	if (rows != SKIP_SIZE_ONE) skip_launch_size(launch, rows);
	launch->macs_per_row = (double)graph->values[node->in[0]].cols * graph->values[node->out[0]].cols;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_linear_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				    struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	const struct skip_attrs_linear *attrs = &node->attrs.linear;
	if (attrs->precision == SKIP_PRECISION_BF16) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "products on FPGA boards are float32 or int8, not bf16");
	if (attrs->clip > 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "products on FPGA boards find the scales of int8 as they run, not one for all rows");
	const struct skip_engine_form form = skip_engine_form(profile, attrs->precision == SKIP_PRECISION_INT8);
	const double rows = skip_engine_rows(graph, node->out[0], work), tiles = ceil(rows / form.rows);
	const int k = graph->values[node->in[0]].cols, n = graph->values[node->out[0]].cols;
	const bool residual = node->n_in > 1 && node->in[1] != SKIP_NONE;
	snprintf(out->name, sizeof(out->name), "linear_k%d_n%d%s%s", k, n, attrs->act != SKIP_ACT_NONE ? "_act" : "", residual ? "_residual" : "");
	out->lanes[form.int8] = form.outputs * form.depth;
	out->units = form.int8 ? form.outputs : 0;
	if (attrs->act != SKIP_ACT_NONE) out->lanes[0] += ACT_MACS * skip_engine_act_units(&form, k);
	out->stages = 4;
	out->overlaps = true;
	const int64_t words = (k + form.depth - 1) / form.depth;
	skip_engine_add_memory(out, 512, form.rows * words, 1, 1, true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, k), false);
	skip_engine_add_port(out, tiles * skip_engine_weight_bytes(&form, n, k), true);
	if (residual) skip_engine_add_port(out, skip_engine_row_bytes(rows, n), false);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, n), false);
	out->macs = rows * n * k;
	out->rounds = tiles;
	out->cycles = skip_engine_product(&form, rows, n, k);
	out->fill = skip_engine_fill(&form);
	return SKIP_OK;
}
