/*
 * The feed-forward layer whole: two products with an activation between, the hidden row never in global memory. For devices whose profile lists "ffn"
 * in forms.combine; elsewhere two linears do the same.
 *
 * generic: one work-item per row.
 */
#include "device/family.h"
#include "ffn/fpga.h"
#include "ffn/rtl.h"
#include <string.h>

/* Function of kernels/common/maths.cl, without the width; behind int8 a coarser polynomial is as good. */
static const char *act_word(enum skip_act act, bool int8)
{
	static const char *const words[] = {
		[SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
		[SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
	};
	return int8 && act == SKIP_ACT_GELU ? "skip_gelu_short" : words[act];
}

static bool has_param(const struct skip_node *node, int i)
{
	return i < node->n_param && node->param[i] != SKIP_NONE;
}

static bool has_residual(const struct skip_node *node)
{
	return node->n_in > 1 && node->in[1] != SKIP_NONE;
}

static enum skip_status add_arguments(struct skip_lowering *lowering, const struct skip_node *node, struct skip_plan_launch *launch,
				      struct skip_err *err)
{
	const enum skip_layout layout = node->attrs.ffn.precision == SKIP_PRECISION_INT8 ? SKIP_LAYOUT_S8X4 : SKIP_LAYOUT_ROWS;
	enum skip_status status;
	int buffer;
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	for (int i = 0; i < 4; i++) {
		if (!has_param(node, i)) continue;
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], i < 2 ? layout : SKIP_LAYOUT_ROWS, 1, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	if (has_residual(node)) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[1], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const struct skip_attrs_ffn *attrs = &node->attrs.ffn;
	const bool int8 = attrs->precision == SKIP_PRECISION_INT8;
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, fixed;
	if (!strcmp(variant, "fpga")) return skip_ffn_lower_fpga(lowering, node, err);
	if (attrs->precision == SKIP_PRECISION_BF16) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "profile '%s': a whole feed-forward layer is float32 or int8, not bf16",
				    skip_lowering_profile(lowering)->id);
	}
	skip_spec_init(&spec, "ffn", "generic", "MAIN");
	skip_spec_int(&spec, "FFN_D", graph->values[node->in[0]].cols);
	skip_spec_int(&spec, "FFN_F", graph->tensors[node->param[0]]->dim[0]);
	skip_spec_int(&spec, "FFN_N", graph->values[node->out[0]].cols);
	skip_spec_int(&spec, "FFN_INT", int8);
	skip_spec_word(&spec, "FFN_ACT", act_word(attrs->act, int8));
	skip_spec_int(&spec, "FFN_BIAS1", has_param(node, 2));
	skip_spec_int(&spec, "FFN_BIAS2", has_param(node, 3));
	skip_spec_int(&spec, "FFN_RESIDUAL", has_residual(node));
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(add_arguments(lowering, node, launch, err));
	const enum skip_size rows = skip_value_size(graph, node->out[0], &fixed);
	skip_launch_global(launch, 0, rows, rows == SKIP_SIZE_ONE ? fixed : 1, 0, 1);
	launch->macs_per_row = (double)graph->tensors[node->param[0]]->dim[0] * (graph->values[node->in[0]].cols + graph->values[node->out[0]].cols);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"ffn", NULL};
static const char *const variants[] = {"fpga", "generic", NULL};
static const char *const common[] = {"maths", NULL};

const struct skip_family skip_family_ffn = {
	.name = "ffn", .ops = ops, .variants = variants, .common = common, .lower = lower, .engine = skip_ffn_engine, .rtl = &skip_ffn_rtl};
