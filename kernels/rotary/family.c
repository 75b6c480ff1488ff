/*
 * rotary: pairs of columns turned by the place of their row. Both bodies take cosine and sine again for every row: no table grows with the length.
 *
 * cpu: one work-item per row, needs at least one vector of columns in half a head; narrower heads take the generic body.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum { GROUP = 32 };

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const struct skip_attrs_rotary *attrs = &node->attrs.rotary;
	const int cols = graph->values[node->out[0]].cols, half = cols / attrs->heads / 2, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && half >= vec, rows_b = graph->values[node->out[0]].rows == SKIP_ROWS_B;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	skip_spec_init(&spec, "rotary", cpu ? "cpu" : "generic", "MAIN");
	skip_spec_int(&spec, "ROTARY_H", attrs->heads);
	skip_spec_int(&spec, "ROTARY_HALF", half);
	skip_spec_int(&spec, "ROTARY_INVERSE", attrs->inverse);
	skip_spec_int(&spec, "ROTARY_ROWS_B", rows_b);
	skip_spec_int(&spec, "ROTARY_LAST", rows_b && attrs->at == SKIP_AT_LAST);
	if (cpu) skip_spec_int(&spec, "ROTARY_VEC", vec);
	else
		spec.local[0] = GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_weight(lowering, node->param[0], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_batch(lowering, rows_b ? SKIP_BATCH_OFFSET : SKIP_BATCH_POSITIONS, &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	const enum skip_size size = rows_b ? SKIP_SIZE_B : SKIP_SIZE_T;
	if (cpu) {
		skip_launch_global(launch, 0, size, 1, 0, 1);
	} else {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (cols / 2 + GROUP - 1) / GROUP * GROUP, 0, 1);
		skip_launch_global(launch, 1, size, 1, 0, 1);
	}
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"rotary", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};

const struct skip_family skip_family_rotary = {.name = "rotary", .ops = ops, .variants = variants, .common = NULL, .lower = lower};
