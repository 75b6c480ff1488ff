/*
 * Gradients of a layernorm's own numbers, in two launches: mean and 1/sqrt(var + eps) of every row, then sums over all rows in order.
 *
 * cpu: vectors of columns; values narrower than one take the generic body.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum { ROWS = 16, GROUP = 32 }; /* rows of one work-item of the cpu body's first kernel */

static void begin_spec(struct skip_kernel_spec *spec, const char *body, bool cpu, int cols, int vec)
{
	skip_spec_init(spec, "layernorm_dw", cpu ? "cpu" : "generic", body);
	skip_spec_int(spec, "LAYERNORM_DW_D", cols);
	if (cpu) skip_spec_int(spec, "LAYERNORM_DW_VEC", vec);
}

static void launch_rows(struct skip_plan_launch *launch, enum skip_size size, int fixed)
{
	if (size == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	else
		skip_launch_size(launch, size);
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[node->in[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec;
	struct skip_kernel_spec spec;
	int fixed, kernel, x, dy, stats, dgamma, dbeta;
	const enum skip_size size = skip_value_size(graph, node->in[0], &fixed);
	const int count = size == SKIP_SIZE_ONE ? fixed : 1;
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &x, err));
	SKIP_TRY(skip_lowering_value(lowering, node->in[1], &dy, err));
	SKIP_TRY(skip_lowering_scratch(lowering, "stats", (struct skip_extent){.size = size, .mul = count, .div = 1}, 2, &stats, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &dgamma, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[1], &dbeta, err));

	begin_spec(&spec, "STATS", cpu, cols, vec);
	skip_spec_float(&spec, "LAYERNORM_DW_EPS", node->attrs.layernorm.eps);
	if (cpu) skip_spec_int(&spec, "LAYERNORM_DW_ROWS", ROWS);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, x);
	skip_launch_buffer(launch, stats);
	launch_rows(launch, size, fixed);
	skip_launch_global(launch, 0, size, count, 0, cpu ? ROWS : 1);
	SKIP_TRY(skip_lowering_end(lowering, launch, err));

	begin_spec(&spec, "SUM", cpu, cols, vec);
	if (!cpu) spec.local[0] = GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, x);
	skip_launch_buffer(launch, dy);
	skip_launch_buffer(launch, stats);
	skip_launch_buffer(launch, dgamma);
	skip_launch_buffer(launch, dbeta);
	launch_rows(launch, size, fixed);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, cols, 0, cpu ? vec : 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"layernorm_dw", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};
static const char *const common[] = {"maths", NULL};

const struct skip_family skip_family_layernorm_dw = {
    .name = "layernorm_dw", .ops = ops, .variants = variants, .common = common, .lower = lower};
