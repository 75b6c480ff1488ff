/*
 * The optimiser: square_sum and adamw. Weights and moments are changed where they are; adamw comes behind every reader of its weight, so it
 * knows all layouts the plan holds of it and brings the new numbers into each.
 *
 * generic: one element per work-item. cpu: blocks of vectors.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum { ELEMENTS = 16384, GENERIC_PARTS = 256, GROUP = 32, DEPTH = 128 };

static int count_of(const struct skip_graph *graph, int value)
{
	return graph->values[value].fixed_rows * graph->values[value].cols;
}

static int parts_of(int count, int most, bool cpu)
{
	int blocks = (count + ELEMENTS - 1) / ELEMENTS;
	return cpu ? blocks : count < most ? count : most;
}

static enum skip_status lower_total(struct skip_lowering *lowering, int part, int parts, int before, int y, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel;
	skip_spec_init(&spec, "adamw", "generic", "TOTAL");
	skip_spec_int(&spec, "ADAMW_PARTS", parts);
	skip_spec_int(&spec, "ADAMW_BEFORE", before != SKIP_NONE);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, part);
	if (before != SKIP_NONE) skip_launch_buffer(launch, before);
	skip_launch_buffer(launch, y);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower_squares(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, struct skip_err *err)
{
	enum skip_status status;
	const int count = count_of(skip_lowering_graph(lowering), node->in[0]), parts = parts_of(count, GENERIC_PARTS, cpu);
	const bool whole = cpu && parts == 1; /* one launch does it */
	struct skip_kernel_spec spec;
	int kernel, x, y, before = SKIP_NONE, part = SKIP_NONE;
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &x, err));
	if (node->n_in > 1 && node->in[1] != SKIP_NONE) SKIP_TRY(skip_lowering_value(lowering, node->in[1], &before, err));
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &y, err));
	if (!whole)
		SKIP_TRY(skip_lowering_scratch(lowering, "squares", (struct skip_extent){.size = SKIP_SIZE_ONE, .mul = 1, .div = 1}, parts, &part,
					       err));
	skip_spec_init(&spec, "adamw", cpu ? "cpu" : "generic", "SQUARES");
	skip_spec_int(&spec, "ADAMW_COUNT", count);
	skip_spec_int(&spec, "ADAMW_PARTS", parts);
	if (cpu) {
		skip_spec_int(&spec, "ADAMW_ELEMENTS", ELEMENTS);
		skip_spec_int(&spec, "ADAMW_VEC", skip_lowering_profile(lowering)->vec);
		skip_spec_int(&spec, "ADAMW_BEFORE", whole && before != SKIP_NONE);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, x);
	if (whole && before != SKIP_NONE) skip_launch_buffer(launch, before);
	skip_launch_buffer(launch, whole ? y : part);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, parts, 0, 1);
	SKIP_TRY(skip_lowering_end(lowering, launch, err));
	if (!whole) SKIP_TRY(lower_total(lowering, part, parts, before, y, err));
cleanup:
	return status;
}

/* w, m and v as they are stored, each the place of one output. */
static enum skip_status place_outputs(struct skip_lowering *lowering, const struct skip_node *node, int buffer[3], struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < 3; i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer[i], err));
		skip_lowering_place(lowering, node->out[i], buffer[i]);
	}
cleanup:
	return status;
}

static enum skip_status lower_update(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, const int buffer[3],
				     struct skip_err *err)
{
	enum skip_status status;
	const struct skip_attrs_adamw *a = &node->attrs.adamw;
	const int count = count_of(skip_lowering_graph(lowering), node->in[0]);
	struct skip_kernel_spec spec;
	int kernel, in;
	skip_spec_init(&spec, "adamw", cpu ? "cpu" : "generic", "STEP");
	skip_spec_int(&spec, "ADAMW_COUNT", count);
	skip_spec_float(&spec, "ADAMW_BETA1", a->beta1);
	skip_spec_float(&spec, "ADAMW_BETA2", a->beta2);
	skip_spec_float(&spec, "ADAMW_EPS", a->eps);
	if (cpu) {
		skip_spec_int(&spec, "ADAMW_ELEMENTS", ELEMENTS);
		skip_spec_int(&spec, "ADAMW_VEC", skip_lowering_profile(lowering)->vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < 3; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &in, err));
		skip_launch_buffer(launch, in);
	}
	for (int i = 0; i < 3; i++) skip_launch_buffer(launch, buffer[i]);
	skip_launch_float(launch, a->lr);
	skip_launch_float(launch, a->decay);
	skip_launch_float(launch, a->clip);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, count, 0, cpu ? ELEMENTS : 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

/* Panels in whole vectors; everything else word by word. A vector is one row of numbers, one to a column. */
static enum skip_status lower_pack(struct skip_lowering *lowering, const struct skip_tensor *tensor, bool cpu, int from, int to,
				   struct skip_err *err)
{
	enum skip_status status;
	const struct skip_plan_buffer target = *skip_lowering_buffer(lowering, to);
	const int vec = skip_lowering_profile(lowering)->vec, per_word = skip_layout_per_word(target.layout), words = per_word ? per_word : 1;
	const bool padded = target.layout == SKIP_LAYOUT_PADDED;
	const int n = (int)(padded ? skip_tensor_count(tensor) : tensor->dim[target.transpose]);
	const int k = padded ? 1 : (int)tensor->dim[!target.transpose];
	struct skip_kernel_spec spec;
	int kernel;
	if (skip_layout_side(target.layout) || words > 2)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "tensor '%s' cannot be trained in the layout its readers take", tensor->name);
	cpu = cpu && target.nr % vec == 0;
	skip_spec_init(&spec, "adamw", cpu ? "cpu" : "generic", cpu && words == 2 ? "PACK_WORDS" : "PACK");
	skip_spec_int(&spec, "ADAMW_N", n);
	skip_spec_int(&spec, "ADAMW_K", k);
	skip_spec_int(&spec, "ADAMW_TRANSPOSE", target.transpose);
	if (cpu) {
		skip_spec_int(&spec, "ADAMW_NV", target.nr / vec);
		skip_spec_int(&spec, "ADAMW_VEC", vec);
		skip_spec_int(&spec, "ADAMW_DEPTH", DEPTH);
	} else {
		skip_spec_int(&spec, "ADAMW_NR", target.nr);
		skip_spec_int(&spec, "ADAMW_E", words);
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	skip_launch_buffer(launch, from);
	skip_launch_buffer(launch, to);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, cpu ? n : (n + target.nr - 1) / target.nr * target.nr, 0, cpu ? target.nr : 1);
	skip_launch_global(launch, 1, SKIP_SIZE_ONE, k, 0, cpu ? DEPTH * words : words);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static enum skip_status lower_step(struct skip_lowering *lowering, const struct skip_node *node, bool cpu, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_tensor *tensor = skip_lowering_graph(lowering)->tensors[node->param[0]];
	int buffer[3];
	SKIP_TRY(place_outputs(lowering, node, buffer, err));
	SKIP_TRY(lower_update(lowering, node, cpu, buffer, err));
	for (int to = SKIP_NONE; (to = skip_lowering_next_layout(lowering, node->param[0], to)) != SKIP_NONE;) {
		if (to != buffer[0]) SKIP_TRY(lower_pack(lowering, tensor, cpu, buffer[0], to, err));
	}
cleanup:
	return status;
}

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	const bool cpu = !strcmp(variant, "cpu");
	return strcmp(node->op->name, "adamw") ? lower_squares(lowering, node, cpu, err) : lower_step(lowering, node, cpu, err);
}

static const char *const ops[] = {"square_sum", "adamw", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};
static const char *const common[] = {"maths", "lanes", "words", NULL};

const struct skip_family skip_family_adamw = {.name = "adamw", .ops = ops, .variants = variants, .common = common, .lower = lower};
