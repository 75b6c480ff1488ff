/*
 * embed: sums of table rows. Ids are checked before they reach a device.
 *
 * cpu: one work-item per block of rows, needs at least one vector of columns; narrower values take the generic body.
 */
#include "device/family.h"
#include "embed/fpga.h"
#include "graph/op.h"
#include <string.h>

enum {
	ELEMENTS = 2048, /* of one work-item of the cpu body */
	GROUP = 32
};

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	static const enum skip_batch_data tables[] = {SKIP_BATCH_IDS, SKIP_BATCH_POSITIONS, SKIP_BATCH_TYPES};
	enum skip_status status;
	const int cols = skip_lowering_graph(lowering)->values[node->out[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec;
	bool has[3];
	for (int i = 0; i < 3; i++) has[i] = i < node->n_param && node->param[i] != SKIP_NONE;
	struct skip_kernel_spec spec;
	int kernel, buffer, rows = 1;
	if (!strcmp(variant, "fpga")) return skip_embed_lower_fpga(lowering, node, err);
	skip_spec_init(&spec, "embed", cpu ? "cpu" : "generic", "MAIN");
	skip_spec_int(&spec, "EMBED_D", cols);
	skip_spec_int(&spec, "EMBED_POSITION_BASE", node->attrs.embed.position_base);
	skip_spec_int(&spec, "EMBED_POSITIONS", has[1]);
	skip_spec_int(&spec, "EMBED_TYPES", has[2]);
	if (cpu) {
		rows = cols < ELEMENTS ? ELEMENTS / cols : 1;
		skip_spec_int(&spec, "EMBED_ROWS", rows);
		skip_spec_int(&spec, "EMBED_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < 3; i++) {
		if (!has[i]) continue;
		SKIP_TRY(skip_lowering_batch(lowering, tables[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	for (int i = 0; i < 3; i++) {
		if (!has[i]) continue;
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	if (cpu) {
		skip_launch_size(launch, SKIP_SIZE_T);
		skip_launch_global(launch, 0, SKIP_SIZE_T, 1, 0, rows);
	} else {
		skip_launch_global(launch, 0, SKIP_SIZE_ONE, (cols + GROUP - 1) / GROUP * GROUP, 0, 1);
		skip_launch_global(launch, 1, SKIP_SIZE_T, 1, 0, 1);
	}
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"embed", NULL};
static const char *const variants[] = {"cpu", "fpga", "generic", NULL};

const struct skip_family skip_family_embed = {.name = "embed", .ops = ops, .variants = variants, .common = NULL, .lower = lower, .engine = skip_embed_engine};
