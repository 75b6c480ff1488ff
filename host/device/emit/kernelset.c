/* What identifies a kernel set: see kernelset.h. */
#include "device/emit/kernelset.h"
#include <stdio.h>
#include <string.h>

/* The kernels that are launched, once each, with the launch that says what they take. */
static const struct skip_plan_launch *launch_of(const struct skip_plan *plan, size_t kernel)
{
	for (size_t l = 0; l < plan->n_launches; l++) {
		if (plan->launches[l].kernel == (int)kernel) return &plan->launches[l];
	}
	return NULL;
}

/* ---- link.cfg ---- */

/*
 * The bank of a pointer. Rows of a network pass through many kernels, and a buffer lies in one place: all kernels find them in the same banks. Weights
 * belong to one kernel's pointer, so each of these has its own. Pointers to HBM may reach a range of banks, to DDR one.
 */
static void write_bank(struct skip_buf *out, const struct skip_board_memory *memory, bool weights, int port)
{
	const int banks = (int)memory->banks.value;
	if (skip_board_memory_has_ranges(memory))
		skip_buf_printf(out, "%s[%d:%d]", memory->tag_link, weights ? banks / 2 : 0, weights ? banks - 1 : banks / 2 - 1);
	else if (banks > 1)
		skip_buf_printf(out, "%s[%d]", memory->tag_link, weights ? 1 + port % (banks - 1) : 0);
	else
		skip_buf_printf(out, "%s", memory->tag_link);
}

static void write_link(const struct skip_plan *plan, const struct skip_board *board, struct skip_buf *out)
{
	skip_buf_printf(out, "kernel_frequency=0:%.0f\n\n[connectivity]\n", board->default_mhz.value);
	for (size_t k = 0; k < plan->n_kernels; k++) {
		const struct skip_plan_launch *launch = launch_of(plan, k);
		int port = 0;
		if (!launch) continue;
		skip_buf_printf(out, "nk=%s:1:%s_1\n", plan->kernels[k].name, plan->kernels[k].name);
		for (int a = 0; a < launch->n_args; a++) {
			if (launch->arg[a].kind != SKIP_ARG_BUFFER) continue;
			const bool weights = plan->buffers[launch->arg[a].buffer].role == SKIP_BUFFER_WEIGHT;
			skip_buf_printf(out, "sp=%s_1.%s:", plan->kernels[k].name, launch->arg[a].name);
			write_bank(out, &board->memory[0], weights, port);
			skip_buf_puts(out, "\n");
			port += weights;
		}
	}
}

/* ---- manifest ---- */

static const char *role_name(enum skip_buffer_role role)
{
	static const char *const names[] = {[SKIP_BUFFER_WEIGHT] = "weight", [SKIP_BUFFER_VALUE] = "value", [SKIP_BUFFER_SCRATCH] = "scratch", [SKIP_BUFFER_BATCH] = "batch"};
	return names[role];
}

static json_t *kernel_json(const struct skip_plan *plan, size_t k)
{
	const struct skip_plan_launch *launch = launch_of(plan, k);
	json_t *args = json_array();
	for (int a = 0; a < launch->n_args; a++) {
		const struct skip_plan_arg *arg = &launch->arg[a];
		const bool pointer = arg->kind == SKIP_ARG_BUFFER;
		json_t *row = json_pack("{s:s, s:s}", "name", arg->name[0] ? arg->name : "rows", "type", pointer ? "pointer" : "int");
		if (pointer) json_object_set_new(row, "role", json_string(role_name(plan->buffers[arg->buffer].role)));
		json_array_append_new(args, row);
	}
	return json_pack("{s:s, s:o}", "name", plan->kernels[k].name, "args", args);
}

json_t *skip_kernel_set_toolchains(const struct skip_board *board)
{
	json_t *list = json_array();
	for (int i = 0; i < board->n_toolchains; i++) {
		const struct skip_board_toolchain *tool = &board->toolchain[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:O}", "name", tool->name, "min", tool->min, "max", tool->max, "source_kind", tool->source_kind,
						      "flags", tool->flags));
	}
	return list;
}

/* Products in int8 read packed weights. */
static const char *dtype_of(const struct skip_plan *plan)
{
	for (size_t i = 0; i < plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &plan->buffers[i];
		if (b->role == SKIP_BUFFER_WEIGHT && (b->layout == SKIP_LAYOUT_S8X4 || b->layout == SKIP_LAYOUT_S16X2)) return "int8";
	}
	return "f32";
}

/* `board` NULL: of a device that pretends. */
static json_t *identity_json(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_profile *forms, const struct skip_board *board,
			     const struct skip_buf *link)
{
	char link_hash[SKIP_SHA256_HEX];
	json_t *kernels = json_array();
	skip_sha256_hex(skip_buf_text(link), link->length, link_hash);
	for (size_t k = 0; k < plan->n_kernels; k++) {
		if (launch_of(plan, k)) json_array_append_new(kernels, kernel_json(plan, k));
	}
	json_t *out = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:{s:i, s:i, s:i, s:i}, s:{s:i, s:i}}", "format", SKIP_KERNEL_SET_FORMAT, "kind",
			 board ? "opencl" : "emulated", "board", forms->id, "part", board ? board->part : "", "shell", board ? board->shell : "", "dtype", dtype_of(plan), "program",
			 plan->n_programs ? plan->programs[0].hash : "", "link", link_hash, "options", plan->options, "channels", (int)forms->channels, "kernels", kernels, "toolchains",
			 board ? skip_kernel_set_toolchains(board) : json_array(), "dims", "model_width", graph->model_width, "layers", graph->layers, "max_positions", graph->max_positions, "prefix",
			 graph->prefix, "form", "rows", forms->mr[0], "outputs", forms->nv);
	/* Widened layers are part of what was built, and whoever runs it has to widen them alike. A set without them has no such key. */
	if (out && graph->shape_classes && json_object_set_new(out, "classes", json_integer(graph->shape_classes))) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/* [a-z0-9_] of the architecture and its width. */
static void set_name(const struct skip_graph *graph, char *out, size_t size)
{
	snprintf(out, size, "%.30s_l%d_d%d", graph->architecture[0] ? graph->architecture : "net", graph->layers, graph->model_width);
	for (char *c = out; *c; c++) {
		if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 'a' - 'A');
		if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))) *c = '_';
	}
}

static enum skip_status hash_of(const json_t *manifest, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	struct skip_buf canonical;
	skip_buf_init(&canonical);
	enum skip_status status = skip_json_write(manifest, &canonical, err);
	if (status == SKIP_OK) skip_sha256_hex(skip_buf_text(&canonical), canonical.length, out);
	skip_buf_deinit(&canonical);
	return status;
}

enum skip_status skip_kernel_set_seal(const struct skip_graph *graph, struct skip_kernel_set *set, struct skip_err *err)
{
	char stem[48];
	enum skip_status status = hash_of(set->manifest, set->hash, err);
	set_name(graph, stem, sizeof(stem));
	snprintf(set->name, sizeof(set->name), "%s-%s-%s-%.12s", stem, skip_kernel_set_text(set, "board"), skip_kernel_set_text(set, "dtype"), set->hash);
	return status;
}

enum skip_status skip_kernel_set_make(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_profile *forms, struct skip_kernel_set *out,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_board board;
	const bool real = skip_profile_is_board(forms);
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->link);
	if (real) SKIP_TRY(skip_board_read(forms, &board, err));
	if (real && board.memory[0].tag_link[0]) write_link(plan, &board, &out->link);
	if (!skip_buf_ok(&out->link)) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a link file");
	out->manifest = identity_json(graph, plan, forms, real ? &board : NULL, &out->link);
	if (!out->manifest) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest");
	status = skip_kernel_set_seal(graph, out, err);
cleanup:
	return status;
}

enum skip_status skip_kernel_set_read(const json_t *manifest, struct skip_kernel_set *out, struct skip_err *err)
{
	static const char *const beside[] = {"hash", "name", "plan"};
	enum skip_status status;
	int64_t format;
	const char *name;
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->link);
	SKIP_TRY(skip_json_int(manifest, "format", 1, 1000000, &format, err));
	if (format > SKIP_KERNEL_SET_FORMAT) {
		return skip_err_set(err, SKIP_ERR_INPUT, "the manifest is of format %lld, this program reads up to %d: a newer skip wrote it", (long long)format, SKIP_KERNEL_SET_FORMAT);
	}
	SKIP_TRY(skip_json_string(manifest, "name", &name, err));
	if (strlen(name) >= sizeof(out->name)) return skip_err_set(err, SKIP_ERR_INPUT, "\"name\" is %zu characters, at most %zu fit", strlen(name), sizeof(out->name) - 1);
	strcpy(out->name, name);
	out->manifest = json_deep_copy(manifest);
	if (!out->manifest) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest");
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) json_object_del(out->manifest, beside[i]);
	status = hash_of(out->manifest, out->hash, err);
cleanup:
	return status;
}

void skip_kernel_set_deinit(struct skip_kernel_set *set)
{
	json_decref(set->manifest);
	skip_buf_deinit(&set->link);
	memset(set, 0, sizeof(*set));
}

int skip_kernel_set_classes(const struct skip_kernel_set *set)
{
	const json_t *classes = json_object_get(set->manifest, "classes");
	const json_int_t most = json_integer_value(classes);
	return !classes ? 0 : most >= 1 && most <= SKIP_KERNEL_SET_CLASSES ? (int)most : SKIP_NONE;
}

const char *skip_kernel_set_text(const struct skip_kernel_set *set, const char *key)
{
	const char *text = json_string_value(json_object_get(set->manifest, key));
	return text ? text : "";
}
