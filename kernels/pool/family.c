/*
 * pool and pool_bwd: between the rows of a sequence [T] and its one row [B], by mean, by the first row or by the last.
 *
 * cpu: one work-item per sequence, needs at least one vector of columns; narrower values take the generic body.
 */
#include "device/family.h"
#include "pool/fpga.h"
#include "graph/op.h"
#include <string.h>

enum { GROUP = 32 };

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const int cols = skip_lowering_graph(lowering)->values[node->out[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	if (!strcmp(variant, "fpga")) return skip_pool_lower_fpga(lowering, node, err);
	skip_spec_init(&spec, "pool", cpu ? "cpu" : "generic", strcmp(node->op->name, "pool") ? "BWD" : "MAIN");
	skip_spec_int(&spec, "POOL_COLS", cols);
	skip_spec_int(&spec, "POOL_ONE", node->attrs.pool.mode != SKIP_POOL_MEAN);
	skip_spec_int(&spec, "POOL_LAST", node->attrs.pool.mode == SKIP_POOL_LAST);
	if (cpu) skip_spec_int(&spec, "POOL_VEC", vec);
	else
		spec.local[0] = GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_OFFSET, &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	if (cpu) {
		skip_launch_global(launch, 0, SKIP_SIZE_B, 1, 0, 1);
	} else {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (cols + GROUP - 1) / GROUP * GROUP, 0, 1);
		skip_launch_global(launch, 1, SKIP_SIZE_B, 1, 0, 1);
	}
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"pool", "pool_bwd", NULL};
static const char *const variants[] = {"cpu", "fpga", "generic", NULL};

const struct skip_family skip_family_pool = {.name = "pool", .ops = ops, .variants = variants, .common = NULL, .lower = lower, .engine = skip_pool_engine};
