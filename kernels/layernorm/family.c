/*
 * layernorm and layernorm_bwd, row by row. The backward pass takes mean and variance from x again instead of keeping them.
 *
 * cpu: one work-item per four rows, needs at least one vector of columns; narrower values take the generic body, one work-item per row. It owns whole
 * rows, so it also writes them in the short type that products read. gpu: forward, one work-group per row.
 */
#include "device/family.h"
#include "layernorm/fpga.h"
#include "graph/op.h"
#include <string.h>

enum { ROWS = 4, ITEMS = 64 }; /* rows of one work-item of the cpu body, work-items of one row of the gpu body */

/* The layout of words that the output is read in; SKIP_LAYOUT_ROWS when there is none, or the caller may write another output. */
static enum skip_layout words_layout(const struct skip_lowering *lowering, int value)
{
	for (int layout = 0; layout < SKIP_LAYOUT_COUNT && !skip_lowering_is_wanted(lowering, value); layout++) {
		if (skip_layout_per_word((enum skip_layout)layout) && skip_lowering_is_read(lowering, value, (enum skip_layout)layout)) return (enum skip_layout)layout;
	}
	return SKIP_LAYOUT_ROWS;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const int cols = graph->values[node->out[0]].cols, vec = skip_lowering_profile(lowering)->vec;
	const bool cpu = !strcmp(variant, "cpu") && cols >= vec, backward = strcmp(node->op->name, "layernorm") != 0;
	const bool gpu = !strcmp(variant, "gpu") && !backward;
	struct skip_kernel_spec spec;
	int kernel, buffer, fixed;
	if (!strcmp(variant, "fpga")) return skip_layernorm_lower_fpga(lowering, node, err);
	skip_spec_init(&spec, "layernorm", cpu ? "cpu" : gpu ? "gpu" : "generic", backward ? "BWD" : "MAIN");
	skip_spec_int(&spec, "LAYERNORM_D", cols);
	skip_spec_float(&spec, "LAYERNORM_EPS", node->attrs.layernorm.eps);
	const enum skip_layout words = cpu && !backward ? words_layout(lowering, node->out[0]) : SKIP_LAYOUT_ROWS;
	if (cpu) {
		skip_spec_int(&spec, "LAYERNORM_ROWS", ROWS);
		skip_spec_int(&spec, "LAYERNORM_VEC", vec);
		skip_spec_int(&spec, "LAYERNORM_WORDS", words ? skip_layout_row(words, cols) : 0);
	}
	if (gpu) {
		skip_spec_int(&spec, "LAYERNORM_ITEMS", ITEMS);
		spec.local[0] = ITEMS;
	}
	if (words) skip_spec_word(&spec, "LAYERNORM_ROUND", skip_words_row_function(words));
	if (words) skip_spec_float(&spec, "LAYERNORM_CLIP", skip_lowering_clip(lowering, node->out[0], words));
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < node->n_in; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	for (int i = 0; i < (backward ? 1 : 2); i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	if (words) {
		bool written;
		SKIP_TRY(skip_lowering_words(lowering, node->out[0], words, &buffer, &written, err));
		skip_launch_buffer(launch, buffer);
	}
	const enum skip_size size = skip_value_size(graph, node->out[0], &fixed);
	const int count = size == SKIP_SIZE_ONE ? fixed : 1;
	if (cpu && size == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	if (cpu && size != SKIP_SIZE_ONE) skip_launch_size(launch, size);
	skip_launch_global(launch, 0, size, gpu ? count * ITEMS : count, 0, cpu ? ROWS : 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"layernorm", "layernorm_bwd", NULL};
static const char *const variants[] = {"cpu", "fpga", "gpu", "generic", NULL};
static const char *const common[] = {"maths", "words", NULL};

const struct skip_family skip_family_layernorm = {.name = "layernorm", .ops = ops, .variants = variants, .common = common, .lower = lower, .engine = skip_layernorm_engine};
