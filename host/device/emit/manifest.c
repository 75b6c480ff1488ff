/*
 * The plan as JSON and back: the part of a manifest an executor needs beside the program texts. Every number read is checked against the range its
 * field can have, every index against its table; whether the plan fits a graph is checked where it is bound (run/).
 */
#include "device/plan.h"
#include "base/alloc.h"
#include "base/json.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const size_names[] = {[SKIP_SIZE_ONE] = "1", [SKIP_SIZE_T] = "T", [SKIP_SIZE_B] = "B", [SKIP_SIZE_R] = "R", [SKIP_SIZE_Q] = "Q", [SKIP_SIZE_W] = "W", NULL};
static const char *const role_names[] = {
	[SKIP_BUFFER_WEIGHT] = "weight", [SKIP_BUFFER_VALUE] = "value", [SKIP_BUFFER_SCRATCH] = "scratch", [SKIP_BUFFER_BATCH] = "batch", NULL,
};
static const char *const layout_names[] = {
	[SKIP_LAYOUT_ROWS] = "rows", [SKIP_LAYOUT_PANELS] = "panels", [SKIP_LAYOUT_PADDED] = "padded",
	[SKIP_LAYOUT_BF16X2] = "bf16x2", [SKIP_LAYOUT_S8X4] = "s8x4", [SKIP_LAYOUT_S16X2] = "s16x2", NULL,
};
static const char *const batch_names[] = {
	[SKIP_BATCH_IDS] = "ids",       [SKIP_BATCH_TYPES] = "types",           [SKIP_BATCH_POSITIONS] = "positions", [SKIP_BATCH_SEQ] = "seq",
	[SKIP_BATCH_OFFSET] = "offset", [SKIP_BATCH_KEY_OFFSET] = "key_offset", [SKIP_BATCH_QBLOCK] = "qblock",       NULL,
};
static const char *const arg_names[] = {
	[SKIP_ARG_BUFFER] = "buffer", [SKIP_ARG_SIZE] = "size", [SKIP_ARG_INT] = "int",
	[SKIP_ARG_FLOAT] = "float",   [SKIP_ARG_ROW0] = "row0", [SKIP_ARG_TILE] = "tile",
	[SKIP_ARG_KEY] = "key",       NULL,
};

/* Writing. json_pack gives NULL when memory runs out; every caller passes that on. */

static json_t *extent_json(const struct skip_extent *e)
{
	return json_pack("{s:s, s:i, s:i, s:i}", "size", size_names[e->size], "mul", e->mul, "add", e->add, "div", e->div);
}

static json_t *local_json(const uint16_t *local) { return json_pack("[i, i, i]", (int)local[0], (int)local[1], (int)local[2]); }

static json_t *buffer_json(const struct skip_plan_buffer *b)
{
	json_t *object = json_pack("{s:s, s:s, s:o, s:I, s:I, s:i}", "name", b->name, "role", role_names[b->role], "rows", extent_json(&b->rows), "cols",
				   (json_int_t)b->cols, "slack", (json_int_t)b->slack, "pool", b->pool);
	json_t *more = NULL;
	switch (b->role) {
	case SKIP_BUFFER_VALUE: more = json_pack("{s:i}", "value", b->value); break;
	case SKIP_BUFFER_BATCH: more = json_pack("{s:s}", "batch", batch_names[b->batch]); break;
	case SKIP_BUFFER_WEIGHT:
		more = json_pack("{s:i, s:s, s:i, s:i}", "tensor", b->tensor, "layout", layout_names[b->layout], "nr", b->nr, "transpose", b->transpose);
		break;
	case SKIP_BUFFER_SCRATCH: more = json_object(); break;
	}
	if (!object || !more || json_object_update(object, more)) {
		json_decref(object);
		object = NULL;
	}
	json_decref(more);
	return object;
}

static json_t *bare_arg_json(const struct skip_plan_arg *arg)
{
	const char *kind = arg_names[arg->kind];
	switch (arg->kind) {
	case SKIP_ARG_BUFFER: return json_pack("{s:s, s:i}", "kind", kind, "buffer", arg->buffer);
	case SKIP_ARG_SIZE: return json_pack("{s:s, s:s}", "kind", kind, "size", size_names[arg->size]);
	case SKIP_ARG_INT: return json_pack("{s:s, s:i}", "kind", kind, "value", (int)arg->i);
	case SKIP_ARG_FLOAT: return json_pack("{s:s, s:f}", "kind", kind, "value", (double)arg->f);
	default: return json_pack("{s:s}", "kind", kind);
	}
}

static json_t *arg_json(const struct skip_plan_arg *arg)
{
	json_t *out = bare_arg_json(arg);
	if (!out || !arg->name[0] || json_object_set_new(out, "name", json_string(arg->name)) == 0) return out;
	json_decref(out);
	return NULL;
}

/* Takes over `item`; false when it, or the array, could not be made. */
static bool append(json_t *array, json_t *item) { return item && array && json_array_append_new(array, item) == 0; }

static json_t *launch_json(const struct skip_plan_launch *launch)
{
	json_t *global = json_array(), *args = json_array(), *cover = json_array();
	bool ok = true;
	for (int d = 0; d < 3; d++) ok = ok && append(global, extent_json(&launch->global[d]));
	for (int a = 0; a < launch->n_args; a++) ok = ok && append(args, arg_json(&launch->arg[a]));
	for (int c = 0; c < launch->n_cover; c++) {
		ok = ok && append(cover, json_pack("{s:i, s:i}", "kernel", launch->cover[c].kernel, "tile", launch->cover[c].tile));
	}
	if (!ok || !global || !args || !cover) {
		json_decref(global);
		json_decref(args);
		json_decref(cover);
		return NULL;
	}
	json_t *out = json_pack("{s:i, s:i, s:o, s:o, s:o, s:s, s:f}", "node", launch->node, "kernel", launch->kernel, "global", global, "args", args, "cover",
				cover, "cover_rows", size_names[launch->cover_rows], "macs_per_row", launch->macs_per_row);
	bool said = out != NULL;
	if (said && launch->together) said = json_object_set_new(out, "together", json_true()) == 0;
	if (said && launch->call) said = json_object_set_new(out, "call", json_string(skip_call_names[launch->call])) == 0;
	if (said && launch->tile) said = json_object_set_new(out, "tile", json_string(skip_tile_origin_names[launch->tile])) == 0;
	if (said) return out;
	json_decref(out);
	return NULL;
}

enum skip_status skip_plan_to_json(const struct skip_plan *plan, json_t **out, struct skip_err *err)
{
	json_t *root = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:[], s:[], s:[], s:[], s:[]}", "profile", plan->profile, "options", plan->options, "prefix",
				 plan->prefix, "query_block", plan->query_block, "key_align", plan->key_align, "pools", plan->n_pools, "programs", "kernels",
				 "buffers", "launches", "value_buffer");
	bool ok = root != NULL;
	for (size_t i = 0; ok && i < plan->n_programs; i++) {
		const struct skip_plan_program *p = &plan->programs[i];
		ok = append(json_object_get(root, "programs"), json_pack("{s:s, s:s}", "name", p->name, "hash", p->hash));
	}
	for (size_t i = 0; ok && i < plan->n_kernels; i++) {
		const struct skip_plan_kernel *k = &plan->kernels[i];
		ok = append(json_object_get(root, "kernels"), json_pack("{s:s, s:i, s:o}", "name", k->name, "program", k->program, "local", local_json(k->local)));
	}
	for (size_t i = 0; ok && i < plan->n_buffers; i++) ok = append(json_object_get(root, "buffers"), buffer_json(&plan->buffers[i]));
	for (size_t i = 0; ok && i < plan->n_launches; i++) ok = append(json_object_get(root, "launches"), launch_json(&plan->launches[i]));
	for (size_t i = 0; ok && i < plan->n_values; i++) ok = append(json_object_get(root, "value_buffer"), json_integer(plan->value_buffer[i]));
	if (!ok) {
		json_decref(root);
		return skip_err_set(err, SKIP_ERR_NOMEM, "manifest of a plan of %zu launches", plan->n_launches);
	}
	*out = root;
	return SKIP_OK;
}

/* Reading. */

static enum skip_status read_int(const json_t *object, const char *key, int64_t min, int64_t max, int *out, struct skip_err *err)
{
	int64_t value;
	enum skip_status status = skip_json_int(object, key, min, max, &value, err);
	if (status == SKIP_OK) *out = (int)value;
	return status;
}

static enum skip_status read_text(const json_t *object, const char *key, char *out, size_t size, struct skip_err *err)
{
	const char *text;
	enum skip_status status = skip_json_string(object, key, &text, err);
	if (status != SKIP_OK) return status;
	if (strlen(text) >= size) return skip_err_set(err, SKIP_ERR_INPUT, "'%s' is %zu characters, at most %zu fit", key, strlen(text), size - 1);
	strcpy(out, text);
	return SKIP_OK;
}

static enum skip_status read_word(const json_t *object, const char *key, const char *const *names, int *out, struct skip_err *err)
{
	const char *text;
	enum skip_status status = skip_json_string(object, key, &text, err);
	if (status != SKIP_OK) return status;
	for (int i = 0; names[i]; i++) {
		if (!strcmp(names[i], text)) {
			*out = i;
			return SKIP_OK;
		}
	}
	return skip_err_set(err, SKIP_ERR_INPUT, "'%s' is '%s', which is none of the known words", key, text);
}

static enum skip_status read_extent(const json_t *object, struct skip_extent *out, struct skip_err *err)
{
	enum skip_status status;
	int size = 0;
	SKIP_TRY(read_word(object, "size", size_names, &size, err));
	SKIP_TRY(read_int(object, "mul", 0, INT_MAX, &out->mul, err));
	SKIP_TRY(read_int(object, "add", 0, INT_MAX, &out->add, err));
	SKIP_TRY(read_int(object, "div", 1, INT_MAX, &out->div, err));
	out->size = (enum skip_size)size;
cleanup:
	return status;
}

static enum skip_status read_program(const json_t *object, struct skip_plan_program *out, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(read_text(object, "name", out->name, sizeof(out->name), err));
	SKIP_TRY(read_text(object, "hash", out->hash, sizeof(out->hash), err));
cleanup:
	return status;
}

static enum skip_status read_kernel(const json_t *object, const struct skip_plan *plan, struct skip_plan_kernel *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *local;
	SKIP_TRY(read_text(object, "name", out->name, sizeof(out->name), err));
	SKIP_TRY(read_int(object, "program", 0, (int64_t)plan->n_programs - 1, &out->program, err));
	SKIP_TRY(skip_json_array(object, "local", &local, err));
	for (size_t d = 0; d < 3; d++) {
		const json_t *item = json_array_get(local, d);
		if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > UINT16_MAX) {
			return skip_err_set(err, SKIP_ERR_INPUT, "'local' of kernel %s is no list of three sizes", out->name);
		}
		out->local[d] = (uint16_t)json_integer_value(item);
	}
cleanup:
	return status;
}

static enum skip_status read_buffer(const json_t *object, const struct skip_plan *plan, struct skip_plan_buffer *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *rows;
	int word;
	out->value = out->tensor = SKIP_NONE;
	SKIP_TRY(read_text(object, "name", out->name, sizeof(out->name), err));
	SKIP_TRY(read_word(object, "role", role_names, &word, err));
	out->role = (enum skip_buffer_role)word;
	SKIP_TRY(skip_json_object(object, "rows", &rows, err));
	SKIP_TRY(read_extent(rows, &out->rows, err));
	SKIP_TRY(skip_json_int(object, "cols", 0, INT64_MAX, &out->cols, err));
	SKIP_TRY(skip_json_int(object, "slack", 0, INT64_MAX, &out->slack, err));
	SKIP_TRY(read_int(object, "pool", SKIP_NONE, plan->n_pools - 1, &out->pool, err));
	switch (out->role) {
	case SKIP_BUFFER_VALUE: SKIP_TRY(read_int(object, "value", 0, (int64_t)plan->n_values - 1, &out->value, err)); break;
	case SKIP_BUFFER_BATCH:
		SKIP_TRY(read_word(object, "batch", batch_names, &word, err));
		out->batch = (enum skip_batch_data)word;
		break;
	case SKIP_BUFFER_WEIGHT:
		SKIP_TRY(read_int(object, "tensor", 0, INT_MAX, &out->tensor, err));
		SKIP_TRY(read_word(object, "layout", layout_names, &word, err));
		out->layout = (enum skip_layout)word;
		SKIP_TRY(read_int(object, "nr", out->layout == SKIP_LAYOUT_ROWS ? 0 : 1, INT_MAX, &out->nr, err));
		SKIP_TRY(read_int(object, "transpose", 0, 1, &out->transpose, err));
		break;
	case SKIP_BUFFER_SCRATCH: break;
	}
cleanup:
	return status;
}

static enum skip_status read_arg(const json_t *object, const struct skip_plan *plan, struct skip_plan_arg *out, struct skip_err *err)
{
	enum skip_status status;
	int word, value;
	double real;
	SKIP_TRY(read_word(object, "kind", arg_names, &word, err));
	if (json_object_get(object, "name")) SKIP_TRY(read_text(object, "name", out->name, sizeof(out->name), err));
	out->kind = (enum skip_arg_kind)word;
	switch (out->kind) {
	case SKIP_ARG_BUFFER: SKIP_TRY(read_int(object, "buffer", 0, (int64_t)plan->n_buffers - 1, &out->buffer, err)); break;
	case SKIP_ARG_SIZE:
		SKIP_TRY(read_word(object, "size", size_names, &word, err));
		out->size = (enum skip_size)word;
		break;
	case SKIP_ARG_INT:
		SKIP_TRY(read_int(object, "value", INT_MIN, INT_MAX, &value, err));
		out->i = value;
		break;
	case SKIP_ARG_FLOAT:
		SKIP_TRY(skip_json_real(object, "value", &real, err));
		out->f = (float)real;
		break;
	case SKIP_ARG_ROW0:
	case SKIP_ARG_TILE:
	case SKIP_ARG_COUNT:
	case SKIP_ARG_KEY: break;
	}
cleanup:
	return status;
}

static enum skip_status read_cover(const json_t *cover, const struct skip_plan *plan, struct skip_plan_launch *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (json_array_size(cover) > SKIP_LAUNCH_MAX_COVER) {
		return skip_err_set(err, SKIP_ERR_INPUT, "'cover' has %zu tiles, at most %d fit", json_array_size(cover), SKIP_LAUNCH_MAX_COVER);
	}
	for (size_t c = 0; c < json_array_size(cover); c++) {
		const json_t *item = json_array_get(cover, c);
		SKIP_TRY(read_int(item, "kernel", 0, (int64_t)plan->n_kernels - 1, &out->cover[c].kernel, err));
		SKIP_TRY(read_int(item, "tile", 1, INT_MAX, &out->cover[c].tile, err));
		if (c > 0 && out->cover[c].tile >= out->cover[c - 1].tile) return skip_err_set(err, SKIP_ERR_INPUT, "tiles of 'cover' do not descend");
		out->n_cover++;
	}
cleanup:
	return status;
}

static enum skip_status read_launch(const json_t *object, const struct skip_plan *plan, struct skip_plan_launch *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *global, *args, *cover;
	int word = 0;
	SKIP_TRY(read_int(object, "node", 0, INT_MAX, &out->node, err));
	if (json_object_get(object, "call")) SKIP_TRY(read_word(object, "call", skip_call_names, &word, err));
	out->call = (enum skip_call)word;
	SKIP_TRY(read_int(object, "kernel", out->call ? SKIP_NONE : 0, out->call ? SKIP_NONE : (int64_t)plan->n_kernels - 1, &out->kernel, err));
	SKIP_TRY(skip_json_array(object, "global", &global, err));
	SKIP_TRY(skip_json_array(object, "args", &args, err));
	SKIP_TRY(skip_json_array(object, "cover", &cover, err));
	SKIP_TRY(skip_json_real(object, "macs_per_row", &out->macs_per_row, err));
	SKIP_TRY(read_word(object, "cover_rows", size_names, &word, err));
	out->cover_rows = (enum skip_size)word;
	SKIP_TRY(skip_json_bool_or(object, "together", false, &out->together, err));
	if (json_object_get(object, "tile")) {
		SKIP_TRY(read_word(object, "tile", skip_tile_origin_names, &word, err));
		out->tile = (enum skip_tile_origin)word;
	}
	if (json_array_size(global) != 3 || json_array_size(args) > SKIP_LAUNCH_MAX_ARGS) {
		return skip_err_set(err, SKIP_ERR_INPUT, "launch has %zu dimensions and %zu arguments, possible are 3 and up to %d", json_array_size(global),
				    json_array_size(args), SKIP_LAUNCH_MAX_ARGS);
	}
	for (size_t d = 0; d < 3; d++) SKIP_TRY(read_extent(json_array_get(global, d), &out->global[d], err));
	for (size_t a = 0; a < json_array_size(args); a++) {
		SKIP_TRY(read_arg(json_array_get(args, a), plan, &out->arg[a], err));
		out->n_args++;
	}
	SKIP_TRY(read_cover(cover, plan, out, err));
cleanup:
	return status;
}

/* Room for the elements of array `key`, zeroed. */
static enum skip_status make_table(const json_t *json, const char *key, size_t size, json_t **array, void **table, size_t *n, struct skip_err *err)
{
	enum skip_status status = skip_json_array(json, key, array, err);
	if (status != SKIP_OK) return status;
	size_t count = json_array_size(*array);
	if (count > INT_MAX) return skip_err_set(err, SKIP_ERR_INPUT, "'%s' has %zu entries", key, count);
	*table = skip_alloc_zeroed(count, size);
	if (!*table) return skip_err_set(err, SKIP_ERR_NOMEM, "'%s' of %zu entries", key, count);
	*n = count;
	return SKIP_OK;
}

static enum skip_status read_tables(const json_t *json, struct skip_plan *plan, struct skip_err *err)
{
	enum skip_status status;
	json_t *values, *array;
	SKIP_TRY(make_table(json, "value_buffer", sizeof(*plan->value_buffer), &values, (void **)&plan->value_buffer, &plan->n_values, err));
	SKIP_TRY(make_table(json, "programs", sizeof(*plan->programs), &array, (void **)&plan->programs, &plan->n_programs, err));
	for (size_t i = 0; i < plan->n_programs; i++) SKIP_TRY(read_program(json_array_get(array, i), &plan->programs[i], err));
	SKIP_TRY(make_table(json, "kernels", sizeof(*plan->kernels), &array, (void **)&plan->kernels, &plan->n_kernels, err));
	for (size_t i = 0; i < plan->n_kernels; i++) SKIP_TRY(read_kernel(json_array_get(array, i), plan, &plan->kernels[i], err));
	SKIP_TRY(make_table(json, "buffers", sizeof(*plan->buffers), &array, (void **)&plan->buffers, &plan->n_buffers, err));
	for (size_t i = 0; i < plan->n_buffers; i++) SKIP_TRY(read_buffer(json_array_get(array, i), plan, &plan->buffers[i], err));
	SKIP_TRY(make_table(json, "launches", sizeof(*plan->launches), &array, (void **)&plan->launches, &plan->n_launches, err));
	for (size_t i = 0; i < plan->n_launches; i++) SKIP_TRY(read_launch(json_array_get(array, i), plan, &plan->launches[i], err));
	for (size_t i = 0; i < plan->n_values; i++) {
		const json_t *item = json_array_get(values, i);
		json_int_t buffer = json_integer_value(item);
		if (!json_is_integer(item) || buffer < SKIP_NONE || buffer >= (json_int_t)plan->n_buffers) {
			return skip_err_set(err, SKIP_ERR_INPUT, "'value_buffer' entry %zu names no buffer", i);
		}
		plan->value_buffer[i] = (int)buffer;
	}
cleanup:
	return status;
}

enum skip_status skip_plan_from_json(const json_t *json, struct skip_plan **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_plan *plan = skip_alloc_zeroed(1, sizeof(*plan));
	if (!plan) return skip_err_set(err, SKIP_ERR_NOMEM, "plan");
	SKIP_TRY(read_text(json, "profile", plan->profile, sizeof(plan->profile), err));
	SKIP_TRY(read_text(json, "options", plan->options, sizeof(plan->options), err));
	SKIP_TRY(read_int(json, "prefix", 0, INT_MAX, &plan->prefix, err));
	SKIP_TRY(read_int(json, "query_block", 1, INT_MAX, &plan->query_block, err));
	SKIP_TRY(read_int(json, "key_align", 1, INT_MAX, &plan->key_align, err));
	SKIP_TRY(read_int(json, "pools", 0, INT_MAX, &plan->n_pools, err));
	SKIP_TRY(read_tables(json, plan, err));
	*out = plan;
	plan = NULL;
cleanup:
	skip_plan_destroy(plan);
	return status;
}
