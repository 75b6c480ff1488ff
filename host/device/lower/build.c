/*
 * What families call while they lower a node (device/family.h): kernels, buffers and launches of the plan. Equal requests give the same object.
 * Which family and variant is used is decided in lower.c, who shares memory in memory.c.
 */
#include "device/lower/lowering.h"
#include "base/alloc.h"
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const struct skip_graph *skip_lowering_graph(const struct skip_lowering *lowering) { return lowering->graph; }
const struct skip_profile *skip_lowering_profile(const struct skip_lowering *lowering) { return lowering->profile; }

static bool same_spec(const struct skip_kernel_spec *a, const struct skip_kernel_spec *b)
{
	return !strcmp(a->family, b->family) && !strcmp(a->variant, b->variant) && !strcmp(a->body_kernel, b->body_kernel) &&
	       a->n_constants == b->n_constants && !memcmp(a->constant, b->constant, sizeof(a->constant)) &&
	       !memcmp(a->local, b->local, sizeof(a->local));
}

enum skip_status skip_lowering_kernel(struct skip_lowering *lowering, const struct skip_kernel_spec *spec, int *kernel, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	for (size_t i = 0; i < plan->n_kernels; i++) {
		if (!lowering->specs[i].stage_of && same_spec(&lowering->specs[i], spec)) {
			*kernel = (int)i;
			return SKIP_OK;
		}
	}
	size_t n = plan->n_kernels;
	if (!skip_grow((void **)&plan->kernels, &lowering->cap_kernels, n + 1, sizeof(*plan->kernels)) ||
	    !skip_grow((void **)&lowering->specs, &lowering->cap_specs, n + 1, sizeof(*lowering->specs))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "kernel %zu of the plan", n);
	}
	struct skip_plan_kernel made = {.program = SKIP_NONE};
	memcpy(made.local, spec->local, sizeof(made.local));
	skip_spec_name(spec, made.name);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(plan->kernels[i].name, made.name)) {
			return skip_err_set(err, SKIP_ERR_INTERNAL, "two different kernels are both named %s", made.name);
		}
	}
	lowering->specs[n] = *spec;
	plan->kernels[n] = made;
	plan->n_kernels++;
	*kernel = (int)n;
	return SKIP_OK;
}

enum skip_status skip_lowering_stage(struct skip_lowering *lowering, int kernel, const char *stage, int *out, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	struct skip_plan_kernel made = plan->kernels[kernel];
	size_t n = plan->n_kernels, used = strlen(made.name);
	int length = snprintf(made.name + used, sizeof(made.name) - used, "_%s", stage);
	if (length < 0 || (size_t)length >= sizeof(made.name) - used) {
		return skip_err_set(err, SKIP_ERR_INTERNAL, "stage '%s' of kernel %s: the name is too long", stage, plan->kernels[kernel].name);
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(plan->kernels[i].name, made.name)) continue;
		*out = (int)i;
		return SKIP_OK;
	}
	if (!skip_grow((void **)&plan->kernels, &lowering->cap_kernels, n + 1, sizeof(*plan->kernels)) ||
	    !skip_grow((void **)&lowering->specs, &lowering->cap_specs, n + 1, sizeof(*lowering->specs))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "kernel %zu of the plan", n);
	}
	lowering->specs[n] = lowering->specs[kernel];
	lowering->specs[n].stage_of = kernel + 1;
	plan->kernels[plan->n_kernels++] = made;
	*out = (int)n;
	return SKIP_OK;
}

static enum skip_status add_buffer(struct skip_lowering *lowering, const struct skip_plan_buffer *made, int *buffer, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	if (!skip_grow((void **)&plan->buffers, &lowering->cap_buffers, plan->n_buffers + 1, sizeof(*plan->buffers))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "buffer '%s' of the plan", made->name);
	}
	plan->buffers[plan->n_buffers] = *made;
	*buffer = (int)plan->n_buffers++;
	return SKIP_OK;
}

static struct skip_plan_buffer new_buffer(enum skip_buffer_role role)
{
	return (struct skip_plan_buffer){.role = role, .value = SKIP_NONE, .tensor = SKIP_NONE, .pool = SKIP_NONE};
}

/* Elements behind the last row that a row tile, or a whole vector at the end of the last row, may touch. Generic bodies touch none. */
static int64_t slack_of(const struct skip_lowering *lowering, int64_t cols)
{
	const struct skip_profile *profile = lowering->profile;
	if (profile->n_variants == 0 || !strcmp(profile->variants[0], "generic")) return 0;
	int64_t rows = profile->query_block > lowering->reach_rows ? profile->query_block : lowering->reach_rows;
	for (int i = 0; i < profile->n_mr; i++) {
		if (profile->mr[i] * profile->block > rows) rows = profile->mr[i] * profile->block;
	}
	const int64_t panel = (int64_t)profile->vec * (profile->nv > 1 ? profile->nv : 1);
	return rows * cols + (panel > lowering->reach_cols ? panel : lowering->reach_cols);
}

enum skip_size skip_value_size(const struct skip_graph *graph, int value, int *fixed)
{
	const struct skip_value *v = &graph->values[value];
	if (fixed) *fixed = v->rows == SKIP_ROWS_FIXED ? v->fixed_rows : 0;
	switch (v->rows) {
	case SKIP_ROWS_T: return SKIP_SIZE_T;
	case SKIP_ROWS_B: return SKIP_SIZE_B;
	default: return SKIP_SIZE_ONE;
	}
}

enum skip_status skip_lowering_value(struct skip_lowering *lowering, int value, int *buffer, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	assert(value >= 0 && (size_t)value < plan->n_values);
	if (plan->value_buffer[value] != SKIP_NONE) {
		*buffer = plan->value_buffer[value];
		return SKIP_OK;
	}
	const struct skip_value *v = &lowering->graph->values[value];
	struct skip_plan_buffer made = new_buffer(SKIP_BUFFER_VALUE);
	int fixed;
	made.rows = (struct skip_extent){.size = skip_value_size(lowering->graph, value, &fixed), .mul = 1, .div = 1};
	if (made.rows.size == SKIP_SIZE_ONE) made.rows.mul = fixed;
	made.cols = v->cols;
	made.slack = slack_of(lowering, made.cols);
	made.value = value;
	snprintf(made.name, sizeof(made.name), "%s", v->name);
	enum skip_status status = add_buffer(lowering, &made, buffer, err);
	if (status == SKIP_OK) plan->value_buffer[value] = *buffer;
	return status;
}

enum skip_status skip_lowering_scratch(struct skip_lowering *lowering, const char *name, struct skip_extent rows, int64_t cols, int *buffer,
				       struct skip_err *err)
{
	struct skip_plan_buffer made = new_buffer(SKIP_BUFFER_SCRATCH);
	made.rows = rows;
	made.cols = cols;
	made.slack = slack_of(lowering, cols);
	snprintf(made.name, sizeof(made.name), "node%d.%s", lowering->node, name);
	return add_buffer(lowering, &made, buffer, err);
}

static const char *layout_name(enum skip_layout layout)
{
	static const char *const names[SKIP_LAYOUT_COUNT] = {
	    [SKIP_LAYOUT_ROWS] = "rows",     [SKIP_LAYOUT_PANELS] = "panels", [SKIP_LAYOUT_PADDED] = "padded",
	    [SKIP_LAYOUT_BF16X2] = "bf16x2", [SKIP_LAYOUT_S8X4] = "s8x4",     [SKIP_LAYOUT_S16X2] = "s16x2",
	};
	return names[layout];
}

bool skip_lowering_is_read(const struct skip_lowering *lowering, int value, enum skip_layout layout)
{
	return lowering->read_as[value] >> layout & 1;
}

bool skip_lowering_is_wanted(const struct skip_lowering *lowering, int value)
{
	return lowering->read_as[value] & SKIP_LOWERING_WANTED;
}

float skip_lowering_clip(const struct skip_lowering *lowering, int value, enum skip_layout layout)
{
	return lowering->clip[(size_t)value * SKIP_LAYOUT_COUNT + layout];
}

enum skip_layout skip_lowering_only_words(const struct skip_lowering *lowering, int value)
{
	for (int l = 0; l < SKIP_LAYOUT_COUNT; l++) {
		const enum skip_layout layout = (enum skip_layout)l;
		if (!skip_layout_per_word(layout) || lowering->read_as[value] != 1u << layout) continue;
		if (layout == SKIP_LAYOUT_BF16X2 || skip_lowering_clip(lowering, value, layout) > 0) return layout;
	}
	return SKIP_LAYOUT_ROWS;
}

bool skip_lowering_has_words(const struct skip_lowering *lowering, int value, enum skip_layout layout)
{
	return lowering->words[(size_t)value * SKIP_LAYOUT_COUNT + layout] != SKIP_NONE;
}

enum skip_status skip_lowering_words(struct skip_lowering *lowering, int value, enum skip_layout layout, int *buffer, bool *written,
				     struct skip_err *err)
{
	const struct skip_value *v = &lowering->graph->values[value];
	int *known = &lowering->words[(size_t)value * SKIP_LAYOUT_COUNT + layout], fixed;
	*written = *known != SKIP_NONE;
	if (*written) {
		*buffer = *known;
		return SKIP_OK;
	}
	struct skip_plan_buffer made = new_buffer(SKIP_BUFFER_SCRATCH);
	made.rows = (struct skip_extent){.size = skip_value_size(lowering->graph, value, &fixed), .mul = 1, .div = 1};
	if (made.rows.size == SKIP_SIZE_ONE) made.rows.mul = fixed;
	made.cols = skip_layout_row(layout, v->cols);
	made.slack = slack_of(lowering, made.cols);
	snprintf(made.name, sizeof(made.name), "%.*s.%s", (int)sizeof(made.name) - 10, v->name, layout_name(layout));
	enum skip_status status = add_buffer(lowering, &made, buffer, err);
	if (status == SKIP_OK) *known = *buffer;
	return status;
}

enum skip_status skip_lowering_batch(struct skip_lowering *lowering, enum skip_batch_data data, int *buffer, struct skip_err *err)
{
	static const struct {
		const char *name;
		enum skip_size size;
		int add, cols;
	} table[SKIP_BATCH_DATA_COUNT] = {
		[SKIP_BATCH_IDS] = {"batch.ids", SKIP_SIZE_T, 0, 1},
		[SKIP_BATCH_TYPES] = {"batch.types", SKIP_SIZE_T, 0, 1},
		[SKIP_BATCH_POSITIONS] = {"batch.positions", SKIP_SIZE_T, 0, 1},
		[SKIP_BATCH_SEQ] = {"batch.seq", SKIP_SIZE_T, 0, 1},
		[SKIP_BATCH_OFFSET] = {"batch.offset", SKIP_SIZE_B, 1, 1},
		[SKIP_BATCH_KEY_OFFSET] = {"batch.key_offset", SKIP_SIZE_B, 1, 1},
		[SKIP_BATCH_QBLOCK] = {"batch.qblock", SKIP_SIZE_Q, 0, 4},
	};
	const struct skip_plan *plan = lowering->plan;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role == SKIP_BUFFER_BATCH && plan->buffers[i].batch == data) {
			*buffer = (int)i;
			return SKIP_OK;
		}
	}
	struct skip_plan_buffer made = new_buffer(SKIP_BUFFER_BATCH);
	made.rows = (struct skip_extent){.size = table[data].size, .mul = 1, .add = table[data].add, .div = 1};
	made.cols = table[data].cols;
	made.batch = data;
	snprintf(made.name, sizeof(made.name), "%s", table[data].name);
	return add_buffer(lowering, &made, buffer, err);
}

enum skip_status skip_lowering_weight(struct skip_lowering *lowering, int tensor, enum skip_layout layout, int nr, int transpose, int *buffer,
				      struct skip_err *err)
{
	const struct skip_plan *plan = lowering->plan;
	const struct skip_tensor *t = lowering->graph->tensors[tensor];
	if (layout == SKIP_LAYOUT_ROWS) nr = 0;
	if (!skip_layout_is_panels(layout)) transpose = 0;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &plan->buffers[i];
		if (b->role == SKIP_BUFFER_WEIGHT && b->tensor == tensor && b->layout == layout && b->nr == nr && b->transpose == transpose) {
			*buffer = (int)i;
			return SKIP_OK;
		}
	}
	int64_t rows = t->rank > 1 ? t->dim[0] : 1;
	int64_t cols = rows > 0 ? skip_tensor_count(t) / rows : 0;
	if (rows > INT_MAX || cols > INT_MAX) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "tensor '%s' has a dimension above %d", t->name, INT_MAX);
	}
	struct skip_plan_buffer made = new_buffer(SKIP_BUFFER_WEIGHT);
	made.rows = (struct skip_extent){.size = SKIP_SIZE_ONE, .mul = (int)rows, .div = 1};
	made.cols = cols;
	if (skip_layout_is_panels(layout)) {
		assert(t->rank == 2 && nr > 0);
		const int64_t depth = transpose ? rows : cols, per_word = skip_layout_per_word(layout);
		made.rows.mul = (int)(transpose ? cols : rows);
		made.rows.div = nr;
		made.cols = (per_word ? (depth + per_word - 1) / per_word + skip_layout_side(layout) : depth) * nr;
	} else if (layout == SKIP_LAYOUT_PADDED) {
		assert(nr > 0);
		made.rows.mul = (int)skip_tensor_count(t);
		made.rows.div = nr;
		made.cols = nr;
	}
	made.tensor = tensor;
	made.layout = layout;
	made.nr = nr;
	made.transpose = transpose;
	snprintf(made.name, sizeof(made.name), "%.*s.%s", (int)sizeof(made.name) - 10, t->name, layout_name(layout));
	return add_buffer(lowering, &made, buffer, err);
}

void skip_lowering_place(struct skip_lowering *lowering, int value, int buffer)
{
	assert(lowering->plan->buffers[buffer].role == SKIP_BUFFER_WEIGHT && lowering->plan->buffers[buffer].layout == SKIP_LAYOUT_ROWS);
	assert(lowering->plan->value_buffer[value] == SKIP_NONE);
	lowering->plan->value_buffer[value] = buffer;
}

int skip_lowering_next_layout(const struct skip_lowering *lowering, int tensor, int after)
{
	const struct skip_plan *plan = lowering->plan;
	for (size_t i = after == SKIP_NONE ? 0 : (size_t)after + 1; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role == SKIP_BUFFER_WEIGHT && plan->buffers[i].tensor == tensor) return (int)i;
	}
	return SKIP_NONE;
}

const struct skip_plan_buffer *skip_lowering_buffer(const struct skip_lowering *lowering, int buffer)
{
	return &lowering->plan->buffers[buffer];
}

const struct skip_tile *skip_lowering_tile(struct skip_lowering *lowering)
{
	const struct skip_lowering_tile *chosen = &lowering->tiles[lowering->node];
	assert(chosen->origin != SKIP_TILE_NONE);
	return &chosen->tile;
}

struct skip_plan_launch *skip_lowering_begin(struct skip_lowering *lowering, int kernel)
{
	assert(!lowering->open);
	lowering->open = true;
	memset(&lowering->launch, 0, sizeof(lowering->launch));
	lowering->launch.node = lowering->node;
	lowering->launch.kernel = kernel;
	for (int d = 0; d < 3; d++) lowering->launch.global[d] = (struct skip_extent){.size = SKIP_SIZE_ONE, .mul = 1, .div = 1};
	return &lowering->launch;
}

struct skip_plan_launch *skip_lowering_begin_call(struct skip_lowering *lowering, enum skip_call call)
{
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, SKIP_NONE);
	launch->call = call;
	return launch;
}

static void add_arg(struct skip_plan_launch *launch, struct skip_plan_arg arg)
{
	assert(launch->n_args < SKIP_LAUNCH_MAX_ARGS);
	launch->arg[launch->n_args++] = arg;
}

void skip_launch_buffer(struct skip_plan_launch *launch, int buffer)
{
	assert(buffer >= 0);
	add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_BUFFER, .buffer = buffer});
}

void skip_launch_name(struct skip_plan_launch *launch, const char *name)
{
	struct skip_plan_arg *arg = &launch->arg[launch->n_args - 1];
	assert(launch->n_args > 0 && strlen(name) < sizeof(arg->name));
	strcpy(arg->name, name);
}

void skip_launch_size(struct skip_plan_launch *launch, enum skip_size size)
{
	add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_SIZE, .size = size});
}

void skip_launch_int(struct skip_plan_launch *launch, int32_t value)
{
	add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_INT, .i = value});
}

void skip_launch_float(struct skip_plan_launch *launch, float value)
{
	add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_FLOAT, .f = value});
}

void skip_launch_row0(struct skip_plan_launch *launch) { add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_ROW0}); }
void skip_launch_tile(struct skip_plan_launch *launch) { add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_TILE}); }
void skip_launch_key(struct skip_plan_launch *launch) { add_arg(launch, (struct skip_plan_arg){.kind = SKIP_ARG_KEY}); }

void skip_launch_global(struct skip_plan_launch *launch, int dim, enum skip_size size, int mul, int add, int div)
{
	assert(dim >= 0 && dim < 3 && mul >= 0 && add >= 0 && div >= 1);
	launch->global[dim] = (struct skip_extent){.size = size, .mul = mul, .add = add, .div = div};
}

void skip_launch_cover(struct skip_plan_launch *launch, enum skip_size rows, int kernel, int tile)
{
	assert(launch->n_cover < SKIP_LAUNCH_MAX_COVER && tile > 0);
	assert(launch->n_cover == 0 || (launch->cover_rows == rows && launch->cover[launch->n_cover - 1].tile > tile));
	launch->cover_rows = rows;
	launch->cover[launch->n_cover].kernel = kernel;
	launch->cover[launch->n_cover].tile = tile;
	launch->n_cover++;
}

void skip_launch_together(struct skip_plan_launch *launch)
{
	assert(launch->n_cover == 0);
	launch->together = true;
}

enum skip_status skip_lowering_end(struct skip_lowering *lowering, struct skip_plan_launch *launch, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	assert(lowering->open && launch == &lowering->launch);
	lowering->open = false;
	launch->tile = lowering->tiles[lowering->node].origin;
	if (!skip_grow((void **)&plan->launches, &lowering->cap_launches, plan->n_launches + 1, sizeof(*plan->launches))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "launch %zu of the plan", plan->n_launches);
	}
	plan->launches[plan->n_launches++] = *launch;
	return SKIP_OK;
}
