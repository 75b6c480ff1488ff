/*
 * Gradients of a linear's own numbers: dW = dY^T X and db = column sums of dY, over all rows in order. Either may be absent.
 *
 * cpu: a register tile of outputs x vectors of inputs per work-item, walking all rows; needs one vector of input (db: of output) columns,
 * else the generic body does it.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum { OUTPUTS = 8, VECTORS = 2, BLOCK = 4, GROUP = 32 };

/* What both kernels have in common: dy, and its rows as the last argument. */
static enum skip_status begin(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_kernel_spec *spec, int x,
			      int out, struct skip_plan_launch **launch, struct skip_err *err)
{
	enum skip_status status;
	int kernel, fixed, dy_buffer, x_buffer = SKIP_NONE, out_buffer;
	SKIP_TRY(skip_lowering_kernel(lowering, spec, &kernel, err));
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &dy_buffer, err));
	if (x != SKIP_NONE) SKIP_TRY(skip_lowering_value(lowering, x, &x_buffer, err));
	SKIP_TRY(skip_lowering_value(lowering, out, &out_buffer, err));
	*launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(*launch, dy_buffer);
	if (x != SKIP_NONE) skip_launch_buffer(*launch, x_buffer);
	skip_launch_buffer(*launch, out_buffer);
	const enum skip_size size = skip_value_size(skip_lowering_graph(lowering), node->in[0], &fixed);
	if (size == SKIP_SIZE_ONE) skip_launch_int(*launch, fixed);
	else
		skip_launch_size(*launch, size);
cleanup:
	return status;
}

static enum skip_status lower_weight(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, int vec, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *values = skip_lowering_graph(lowering)->values;
	const int n = values[node->in[0]].cols, k = values[node->in[1]].cols;
	const int outputs = n < OUTPUTS ? n : OUTPUTS, vectors = k < VECTORS * vec ? 1 : VECTORS;
	struct skip_kernel_spec spec;
	struct skip_plan_launch *launch;
	cpu = cpu && k >= vec;
	skip_spec_init(&spec, "linear_dw", cpu ? "cpu" : "generic", "WEIGHT");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	skip_spec_int(&spec, "LINEAR_DW_K", k);
	if (cpu) {
		skip_spec_int(&spec, "LINEAR_DW_OUTPUTS", outputs);
		skip_spec_int(&spec, "LINEAR_DW_VECTORS", vectors);
		skip_spec_int(&spec, "LINEAR_DW_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(begin(lowering, node, &spec, node->in[1], node->out[0], &launch, err));
	if (cpu) {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, n, 0, outputs);
		skip_launch_global(launch, 1, SKIP_SIZE_ONE, k, 0, vectors * vec);
	} else {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (k + GROUP - 1) / GROUP * GROUP, 0, 1);
		skip_launch_global(launch, 1, SKIP_SIZE_ONE, n, 0, 1);
	}
	launch->macs_per_row = (double)n * k;
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower_bias(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, int vec, struct skip_err *err)
{
	enum skip_status status;
	const int n = skip_lowering_graph(lowering)->values[node->in[0]].cols;
	struct skip_kernel_spec spec;
	struct skip_plan_launch *launch;
	cpu = cpu && n >= vec;
	skip_spec_init(&spec, "linear_dw", cpu ? "cpu" : "generic", "BIAS");
	skip_spec_int(&spec, "LINEAR_DW_N", n);
	if (cpu) {
		skip_spec_int(&spec, "LINEAR_DW_VECTORS", n < BLOCK * vec ? 1 : BLOCK);
		skip_spec_int(&spec, "LINEAR_DW_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(begin(lowering, node, &spec, SKIP_NONE, node->out[1], &launch, err));
	if (cpu) skip_launch_global(launch, 0, SKIP_SIZE_ONE, n, 0, (n < BLOCK * vec ? 1 : BLOCK) * vec);
	else
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (n + GROUP - 1) / GROUP * GROUP, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const bool cpu = !strcmp(variant, "cpu");
	const int vec = skip_lowering_profile(lowering)->vec;
	if (node->n_out > 0 && node->out[0] != SKIP_NONE) SKIP_TRY(lower_weight(lowering, node, cpu, vec, err));
	if (node->n_out > 1 && node->out[1] != SKIP_NONE) SKIP_TRY(lower_bias(lowering, node, cpu, vec, err));
cleanup:
	return status;
}

static const char *const ops[] = {"linear_dw", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};

const struct skip_family skip_family_linear_dw = {.name = "linear_dw", .ops = ops, .variants = variants, .common = NULL, .lower = lower};
