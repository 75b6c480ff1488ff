/*
 * act and act_bwd: an activation, or a gradient times its slope, elementwise over a contiguous value.
 *
 * cpu: one work-item per block of rows, needs at least one vector of columns; narrower values take the generic body.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum {
	ELEMENTS = 2048, /* of one work-item of the cpu body */
	GROUP = 32
};

/* Stems of the functions of kernels/common/maths.cl. */
static const char *const words[] = {
    [SKIP_ACT_NONE] = "skip_none", [SKIP_ACT_GELU] = "skip_gelu", [SKIP_ACT_GELU_TANH] = "skip_gelu_tanh",
    [SKIP_ACT_RELU] = "skip_relu", [SKIP_ACT_TANH] = "skip_tanh",
};

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[node->out[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec;
	struct skip_kernel_spec spec;
	int kernel, buffer, fixed, rows = 1;
	skip_spec_init(&spec, "act", cpu ? "cpu" : "generic", strcmp(node->op->name, "act") ? "BWD" : "MAIN");
	skip_spec_int(&spec, "ACT_COLS", cols);
	skip_spec_word(&spec, "ACT_KIND", words[node->attrs.act.kind]);
	if (cpu) {
		rows = cols < ELEMENTS ? ELEMENTS / cols : 1;
		skip_spec_int(&spec, "ACT_ROWS", rows);
		skip_spec_int(&spec, "ACT_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < node->n_in; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	const enum skip_size size = skip_value_size(graph, node->out[0], &fixed);
	const int count = size == SKIP_SIZE_ONE ? fixed : 1;
	if (cpu) {
		if (size == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
		if (size != SKIP_SIZE_ONE) skip_launch_size(launch, size);
		skip_launch_global(launch, 0, size, count, 0, rows);
	} else {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (cols + GROUP - 1) / GROUP * GROUP, 0, 1);
		skip_launch_global(launch, 1, size, count, 0, 1);
	}
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"act", "act_bwd", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};
static const char *const common[] = {"maths", NULL};

const struct skip_family skip_family_act = {.name = "act", .ops = ops, .variants = variants, .common = common, .lower = lower};
