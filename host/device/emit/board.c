/* The folder of a board: see board.h. hostcheck.c is written by hostcheck.c. */
#include "device/emit/folder.h"
#include <stdio.h>
#include <string.h>

struct skip_buf *skip_emit_file(struct skip_emitted *out, const char *name)
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

static const struct skip_board_toolchain *toolchain_of(const struct skip_board *board, const char *source_kind)
{
	for (int i = 0; i < board->n_toolchains; i++) {
		if (strcmp(board->toolchain[i].source_kind, source_kind) == 0) return &board->toolchain[i];
	}
	return NULL;
}

enum skip_status skip_emit_manifest(const struct skip_kernel_set *set, const char *key, json_t *more, struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *root = json_copy(set->manifest);
	memcpy(out->set, set->name, sizeof(out->set));
	memcpy(out->hash, set->hash, sizeof(out->hash));
	if (!root || !more || json_object_set_new(root, "hash", json_string(set->hash)) || json_object_set_new(root, "name", json_string(set->name)) ||
	    json_object_set(root, key, more)) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest"));
	}
	status = skip_json_write(root, skip_emit_file(out, "manifest.json"), err);
cleanup:
	json_decref(more);
	json_decref(root);
	return status;
}

/* Beside what is hashed the plan of launches, for whoever loads the built file. */
static enum skip_status write_manifest(const struct skip_plan *plan, const struct skip_kernel_set *set, struct skip_emitted *out, struct skip_err *err)
{
	json_t *plan_json = NULL;
	enum skip_status status = skip_plan_to_json(plan, &plan_json, err);
	return status == SKIP_OK ? skip_emit_manifest(set, "plan", plan_json, out, err) : status;
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
			"| `build_%s.sh` | `emulate`, `report`, `bitstream` |\n| `CMakeLists.txt` | targets of the same names, and `hostcheck` |\n| `hostcheck.c` | a host program that runs one kernel and compares with known answers; ends with 77 where the "
			"device is missing |\n\n",
			twin ? "| `kernels.cpp` | the same text for HLS compilers (Vitis from 2023.2 on) |\n" : "",
			link ? "| `link.cfg` | clock, compute units, the memory bank of every pointer |\n" : "", board->profile->id);
	skip_buf_printf(out,
			"Estimated by formula, never run: %.0f MHz, %.1f us for a batch of %d x %d tokens (%.1f to %.1f), bound by %s; inputs %s. `skip estimate --board %s` prints where "
			"every number comes from.\n\n    sh build_%s.sh report\n    cc -std=c11 hostcheck.c -lOpenCL -lm -o hostcheck && ./hostcheck FILE\n    skip bitstream add LIBRARY FILE\n",
			e->clock_mhz, 1e6 * e->seconds, e->work.batch, e->work.length, 1e6 * e->low_seconds, 1e6 * e->high_seconds, skip_bound_name(e->bound),
			e->verified ? "verified" : "partly unverified", board->profile->id, board->profile->id);
}

static enum skip_status emit_opencl(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_profile *forms,
				    const struct skip_estimate *estimate, struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_board *board = estimate->board;
	const bool twin = toolchain_of(board, "hls_cpp") != NULL;
	struct skip_kernel_set set;
	char name[96];
	SKIP_TRY(skip_kernel_set_make(graph, plan, forms, &set, err));
	const bool links = set.link.length > 0;
	if (!toolchain_of(board, "cl")) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' has no toolchain for OpenCL C", board->profile->id));
	skip_buf_puts(skip_emit_file(out, "kernels.cl"), plan->programs[0].text);
	if (twin) skip_emit_twin(plan->programs[0].text, true, skip_emit_file(out, "kernels.cpp"));
	if (links) skip_buf_puts(skip_emit_file(out, "link.cfg"), skip_buf_text(&set.link));
	SKIP_TRY(write_manifest(plan, &set, out, err));
	snprintf(name, sizeof(name), "build_%s.sh", board->profile->id);
	skip_emit_script(&set, board, skip_emit_file(out, name));
	skip_emit_targets(board->profile->id, true, skip_emit_file(out, "CMakeLists.txt"));
	SKIP_TRY(skip_emit_hostcheck(graph, plan, out->set, skip_emit_file(out, "hostcheck.c"), err));
	write_readme(skip_emit_file(out, "README.md"), estimate, out, twin, links);
cleanup:
	skip_kernel_set_deinit(&set);
	return status;
}

enum skip_status skip_emit_board(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_estimate *estimate,
				 struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_profile forms = *estimate->board->profile;
	memset(out, 0, sizeof(*out));
	forms.mr[0] = estimate->rows;
	forms.nv = estimate->outputs;
	if (skip_board_is_rtl(estimate->board))
		status = skip_emit_rtl(graph, &forms, estimate, out, err);
	else
		status = emit_opencl(graph, plan, &forms, estimate, out, err);
	for (int i = 0; status == SKIP_OK && i < out->n_files; i++) {
		if (!skip_buf_ok(&out->file[i].text)) status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %s", out->file[i].name);
	}
	return status;
}
