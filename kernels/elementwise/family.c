/*
 * add, mul, add_bias, mask, dropout: one output element per input element. Dropout masks are hashed again wherever they are needed, never
 * stored.
 *
 * cpu: one work-item per block of rows, needs at least one vector of columns; narrower values take the generic body.
 */
#include "device/family.h"
#include "elementwise/fpga.h"
#include "graph/op.h"
#include <string.h>

enum {
	ELEMENTS = 4096, /* of one work-item of the cpu body: a few hundred nanoseconds of work against about 20 for its launch */
	GROUP = 32
};

static enum skip_status bind(struct skip_lowering *lowering, const struct skip_node *node, struct skip_plan_launch *launch,
			     struct skip_err *err)
{
	enum skip_status status;
	int buffer;
	for (int i = 0; i < node->n_in; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	for (int i = 0; i < node->n_param; i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	status = skip_lowering_value(lowering, node->out[0], &buffer, err);
	if (status == SKIP_OK) skip_launch_buffer(launch, buffer);
cleanup:
	return status;
}

static const char *body_of(const char *op)
{
	static const char *const bodies[][2] = {{"add", "ADD"}, {"mul", "MUL"}, {"add_bias", "ADD_BIAS"}, {"mask", "MASK"}, {"dropout", "DROPOUT"}};
	size_t i = 0;
	while (strcmp(bodies[i][0], op)) i++;
	return bodies[i][1];
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[node->out[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec, dropout = !strcmp(node->op->name, "dropout");
	struct skip_kernel_spec spec;
	int kernel, fixed, rows = 1;
	if (!strcmp(variant, "fpga")) return skip_elementwise_lower_fpga(lowering, node, err);
	skip_spec_init(&spec, "elementwise", cpu ? "cpu" : "generic", body_of(node->op->name));
	skip_spec_int(&spec, "ELEMENTWISE_COLS", cols);
	if (cpu) {
		rows = cols < ELEMENTS ? ELEMENTS / cols : 1;
		skip_spec_int(&spec, "ELEMENTWISE_ROWS", rows);
		skip_spec_int(&spec, "ELEMENTWISE_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	if (dropout) {
		const float rate = node->attrs.dropout.rate;
		skip_spec_int(&spec, "ELEMENTWISE_THRESHOLD", (uint32_t)((double)rate * 4294967296.0));
		skip_spec_float(&spec, "ELEMENTWISE_SCALE", 1.0f / (1.0f - rate));
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(bind(lowering, node, launch, err));
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
	if (dropout) {
		skip_launch_int(launch, node->attrs.dropout.stream);
		skip_launch_key(launch);
	}
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"add", "mul", "add_bias", "mask", "dropout", NULL};
static const char *const variants[] = {"cpu", "fpga", "generic", NULL};
static const char *const common[] = {"dropout", NULL};

const struct skip_family skip_family_elementwise = {
    .name = "elementwise", .ops = ops, .variants = variants, .common = common, .lower = lower, .engine = skip_elementwise_engine};
