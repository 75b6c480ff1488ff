/* The folder of a board: see board.h. hostcheck.c is written by hostcheck.c. */
#include "device/emit/board.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/sha256.h"
#include <stdio.h>
#include <string.h>

#define FORMAT 1

static struct skip_buf *add_file(struct skip_emitted *out, const char *name)
{
	struct skip_emitted_file *file = &out->file[out->n_files++];
	snprintf(file->name, sizeof(file->name), "%s", name);
	skip_buf_init(&file->text);
	return &file->text;
}

void skip_emitted_deinit(struct skip_emitted *emitted)
{
	for (int i = 0; i < emitted->n_files; i++) skip_buf_deinit(&emitted->file[i].text);
	emitted->n_files = 0;
}

/* The kernels that are launched, once each, with the launch that says what they take. */
static const struct skip_plan_launch *launch_of(const struct skip_plan *plan, size_t kernel)
{
	for (size_t l = 0; l < plan->n_launches; l++) {
		if (plan->launches[l].kernel == (int)kernel) return &plan->launches[l];
	}
	return NULL;
}

static const struct skip_board_toolchain *toolchain_of(const struct skip_board *board, const char *source_kind)
{
	for (int i = 0; i < board->n_toolchains; i++) {
		if (strcmp(board->toolchain[i].source_kind, source_kind) == 0) return &board->toolchain[i];
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

static json_t *toolchains_json(const struct skip_board *board)
{
	json_t *list = json_array();
	for (int i = 0; i < board->n_toolchains; i++) {
		const struct skip_board_toolchain *tool = &board->toolchain[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:O}", "name", tool->name, "min", tool->min, "max", tool->max, "source_kind", tool->source_kind,
						      "flags", tool->flags));
	}
	return list;
}

/* Everything that decides what is built; weights are data and no part of it. */
static json_t *identity_json(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_estimate *e, const char *link)
{
	const struct skip_board *board = e->board;
	char link_hash[SKIP_SHA256_HEX];
	json_t *kernels = json_array();
	skip_sha256_hex(link, strlen(link), link_hash);
	for (size_t k = 0; k < plan->n_kernels; k++) {
		if (launch_of(plan, k)) json_array_append_new(kernels, kernel_json(plan, k));
	}
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:i, s:i, s:i}, s:{s:i, s:i}}", "format", FORMAT, "kind", "opencl", "board",
			 board->profile->id, "part", board->part, "shell", board->shell, "dtype", e->int8 ? "int8" : "f32", "program", plan->programs[0].hash, "link", link_hash,
			 "kernels", kernels, "toolchains", toolchains_json(board), "dims", "model_width", graph->model_width, "layers", graph->layers, "max_positions",
			 graph->max_positions, "prefix", graph->prefix, "form", "rows", e->rows, "outputs", e->outputs);
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

static enum skip_status write_manifest(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_estimate *e, const char *link,
				       struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_buf canonical;
	json_t *plan_json = NULL, *root = identity_json(graph, plan, e, link);
	char stem[48];
	skip_buf_init(&canonical);
	if (!root) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest"));
	SKIP_TRY(skip_json_write(root, &canonical, err));
	skip_sha256_hex(skip_buf_text(&canonical), canonical.length, out->hash);
	set_name(graph, stem, sizeof(stem));
	snprintf(out->set, sizeof(out->set), "%s-%s-%s-%.12s", stem, e->board->profile->id, e->int8 ? "int8" : "f32", out->hash);
	SKIP_TRY(skip_plan_to_json(plan, &plan_json, err));
	if (json_object_set_new(root, "hash", json_string(out->hash)) || json_object_set_new(root, "name", json_string(out->set)) ||
	    json_object_set(root, "plan", plan_json)) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest"));
	}
	status = skip_json_write(root, add_file(out, "manifest.json"), err);
cleanup:
	skip_buf_deinit(&canonical);
	json_decref(plan_json);
	json_decref(root);
	return status;
}

/* ---- build script ---- */

static void write_flags(struct skip_buf *out, const struct skip_board_toolchain *tool, const char *step)
{
	const json_t *list = json_object_get(tool->flags, step);
	for (size_t i = 0; i < json_array_size(list); i++) skip_buf_printf(out, " %s", json_string_value(json_array_get(list, i)));
}

static void write_aoc(struct skip_buf *out, const struct skip_board *board, const struct skip_board_toolchain *tool, const char *set)
{
	skip_buf_puts(out, "case $step in\n");
	skip_buf_printf(out, "emulate)\n\taoc kernels.cl -D%s", tool->target_macro);
	write_flags(out, tool, "emulate");
	skip_buf_printf(out, " -o %s_emulate.aocx\n\t;;\nreport)\n\taoc kernels.cl -D%s", set, tool->target_macro);
	write_flags(out, tool, "report");
	skip_buf_printf(out, " -board=%s -o %s_report\n\t;;\nbitstream)\n\taoc kernels.cl -D%s", board->shell, set, tool->target_macro);
	write_flags(out, tool, "hardware");
	skip_buf_printf(out, " -board=%s -o %s.aocx\n\t;;\nesac\n", board->shell, set);
}

static void write_kernel_list(struct skip_buf *out, const struct skip_plan *plan)
{
	skip_buf_puts(out, "kernels='");
	for (size_t k = 0; k < plan->n_kernels; k++) {
		if (launch_of(plan, k)) skip_buf_printf(out, "%s ", plan->kernels[k].name);
	}
	skip_buf_puts(out, "'\n");
}

/* Up to 2023.1 v++ takes OpenCL C; the versions after it take the same text as C++. */
static void write_vpp(struct skip_buf *out, const struct skip_plan *plan, const struct skip_board *board, const char *set)
{
	write_kernel_list(out, plan);
	skip_buf_printf(out, "platform=${PLATFORM:-%s}\n", board->shell);
	skip_buf_puts(out, "version=$(v++ --version | sed -n 's/.*v++ v\\([0-9]*\\.[0-9]*\\).*/\\1/p' | head -n 1)\n"
			   "case $step in\nemulate) target=hw_emu ;;\n*) target=hw ;;\nesac\n"
			   "objects=\nfor kernel in $kernels; do\n"
			   "\tif [ \"$(printf '%s\\n2023.1\\n' \"$version\" | sort -V | tail -n 1)\" = 2023.1 ]; then\n");
	skip_buf_printf(out, "\t\tv++ -c -t $target --platform \"$platform\" -D%s -k \"$kernel\" -o \"$kernel.$target.xo\" kernels.cl\n", board->toolchain[0].target_macro);
	skip_buf_puts(out, "\telse\n\t\tprintf '[hls]\\nsyn.file=kernels.cpp\\nsyn.top=%s\\nflow_target=vitis\\npackage.output.format=xo\\npackage.output.file=%s\\n' \"$kernel\" "
			   "\"$kernel.$target.xo\" >\"$kernel.cfg\"\n"
			   "\t\tv++ -c --mode hls --platform \"$platform\" --config \"$kernel.cfg\" --work_dir \"$kernel.hls\"\n\tfi\n"
			   "\tobjects=\"$objects $kernel.$target.xo\"\ndone\n[ \"$step\" != report ] || exit 0\n");
	skip_buf_printf(out, "v++ -l -t $target --platform \"$platform\" --config link.cfg -o %s.$target.xclbin $objects\n", set);
	skip_buf_printf(out, "[ \"$step\" = emulate ] || xclbinutil --input %s.hw.xclbin --output %s.xclbin --key-value USER:skip_manifest:\"$hash\"\n", set, set);
}

static void write_script(struct skip_buf *out, const struct skip_plan *plan, const struct skip_board *board, const struct skip_emitted *emitted)
{
	const struct skip_board_toolchain *tool = &board->toolchain[0];
	skip_buf_printf(out,
			"#!/bin/sh\n# Builds the kernels of this folder for %s.\n# usage: sh build_%s.sh emulate | report | bitstream     (minutes, minutes, hours)\nset -eu\n"
			"cd \"$(dirname \"$0\")\"\nhash=%s\nstep=${1-}\ncase $step in\nemulate | report | bitstream) ;;\n"
			"*)\n\techo \"usage: sh build_%s.sh emulate | report | bitstream\" >&2\n\texit 2\n\t;;\nesac\n",
			board->profile->title, board->profile->id, emitted->hash, board->profile->id);
	skip_buf_printf(out, "command -v %s >/dev/null || {\n\techo \"%s is not in PATH: versions %s to %s build this board\" >&2\n\texit 77\n}\n", tool->name, tool->name,
			tool->min, board->toolchain[board->n_toolchains - 1].max);
	if (strcmp(tool->name, "aoc") == 0)
		write_aoc(out, board, tool, emitted->set);
	else
		write_vpp(out, plan, board, emitted->set);
	skip_buf_printf(out, "echo \"$step of %s done, manifest %.12s\"\n", emitted->set, emitted->hash);
}

/* ---- README ---- */

static void write_readme(struct skip_buf *out, const struct skip_estimate *e, const struct skip_emitted *emitted, bool twin, bool link)
{
	const struct skip_board *board = e->board;
	skip_buf_printf(out,
			"# %s\n\nKernels of one network for %s (%s, %s), in %s, tiles of %d rows, %d outputs a cycle. The name of the built file starts with the manifest's hash: a file "
			"of another name is of other kernels.\n\n",
			emitted->set, board->profile->title, board->part, board->shell, e->int8 ? "int8" : "float32", e->rows, e->outputs);
	skip_buf_printf(out,
			"| file | is |\n|---|---|\n| `kernels.cl` | all kernels, OpenCL C 1.2; without a target macro they are ordinary kernels of one work-item |\n%s"
			"| `manifest.json` | what is built and for what: its hash, the kernels and their arguments, tool versions, the plan of launches |\n%s"
			"| `build_%s.sh` | `emulate`, `report`, `bitstream` |\n| `hostcheck.c` | a host program that runs one kernel and compares with known answers; ends with 77 where the "
			"device is missing |\n\n",
			twin ? "| `kernels.cpp` | the same text for HLS compilers (Vitis from 2023.2 on) |\n" : "",
			link ? "| `link.cfg` | clock, compute units, the memory bank of every pointer |\n" : "", board->profile->id);
	skip_buf_printf(out,
			"Estimated by formula, never run: %.0f MHz, %.1f us for a batch of %d x %d tokens (%.1f to %.1f), bound by %s; inputs %s. `skip estimate --board %s` prints where "
			"every number comes from.\n\n    sh build_%s.sh report\n    cc -std=c11 hostcheck.c -lOpenCL -lm -o hostcheck && ./hostcheck FILE\n",
			e->clock_mhz, 1e6 * e->seconds, e->work.batch, e->work.length, 1e6 * e->low_seconds, 1e6 * e->high_seconds, skip_bound_name(e->bound),
			e->verified ? "verified" : "partly unverified", board->profile->id, board->profile->id);
}

enum skip_status skip_emit_board(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_estimate *estimate,
				 struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_board *board = estimate->board;
	const bool twin = toolchain_of(board, "hls_cpp") != NULL, links = board->memory[0].tag_link[0] != '\0';
	struct skip_buf link;
	char name[96];
	memset(out, 0, sizeof(*out));
	skip_buf_init(&link);
	if (!toolchain_of(board, "cl")) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' has no toolchain for OpenCL C", board->profile->id));
	skip_buf_puts(add_file(out, "kernels.cl"), plan->programs[0].text);
	if (twin) skip_emit_twin(plan->programs[0].text, add_file(out, "kernels.cpp"));
	if (links) write_link(plan, board, &link);
	if (links) skip_buf_puts(add_file(out, "link.cfg"), skip_buf_text(&link));
	SKIP_TRY(write_manifest(graph, plan, estimate, skip_buf_text(&link), out, err));
	snprintf(name, sizeof(name), "build_%s.sh", board->profile->id);
	write_script(add_file(out, name), plan, board, out);
	SKIP_TRY(skip_emit_hostcheck(graph, plan, out->set, add_file(out, "hostcheck.c"), err));
	write_readme(add_file(out, "README.md"), estimate, out, twin, links);
	for (int i = 0; i < out->n_files; i++) {
		if (!skip_buf_ok(&out->file[i].text)) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %s", out->file[i].name));
	}
cleanup:
	skip_buf_deinit(&link);
	return status;
}
