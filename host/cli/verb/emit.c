/* skip emit: what an FPGA board's toolchain needs, as a folder. */
#include "cli/board.h"
#include "device/emit/board.h"

#include <stdio.h>

struct settings {
	struct skip_cli_common common;
	struct skip_cli_board_options board;
	const char *out;
};

static enum skip_status write_folder(const char *path, const struct skip_emitted *emitted, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	SKIP_TRY(skip_output_create_folder(path, "manifest.json", &output, err));
	for (int i = 0; i < emitted->n_files; i++)
		SKIP_TRY(skip_output_write(output, emitted->file[i].name, skip_buf_text(&emitted->file[i].text), emitted->file[i].text.length, err));
	status = skip_output_commit(output, err);
cleanup:
	skip_output_destroy(output);
	return status;
}

static enum skip_status print_result(const struct settings *set, const struct skip_plan *plan, const struct skip_emitted *emitted, const struct skip_estimate *e,
				     struct skip_err *err)
{
	json_t *files = json_array(), *kernels = json_array();
	for (int i = 0; i < emitted->n_files; i++) json_array_append_new(files, json_string(emitted->file[i].name));
	if (emitted->module[0]) json_array_append_new(kernels, json_string(emitted->module));
	for (size_t k = 0; !emitted->module[0] && k < plan->n_kernels; k++) json_array_append_new(kernels, json_string(plan->kernels[k].name));
	if (set->common.json)
		return skip_cli_print_json(json_pack("{s:s, s:s, s:o, s:o, s:s}", "folder", set->out, "name", emitted->set, "files", files, "kernels", kernels, "manifest_hash", emitted->hash),
					   err);
	printf("%-10s%s\n%-10s%s: %d files, %zu kernels\n", "name", emitted->set, "written", set->out, emitted->n_files, emitted->module[0] ? (size_t)1 : plan->n_kernels);
	printf("%-10s%.0f MHz, %.1f us (estimated by formula, never run)\n%-10ssh %s/build_%s.sh report\n", "estimate", e->clock_mhz, 1e6 * e->seconds, "next", set->out, set->board.board);
	json_decref(files);
	json_decref(kernels);
	return skip_cli_printed(err);
}

static enum skip_status emit(const struct skip_cli_model *model, const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_board board;
	struct skip_emitted emitted = { 0 };
	SKIP_TRY(skip_cli_open_board(model, profiles, &set->board, false, &board, err));
	SKIP_TRY(skip_emit_board(board.graph, board.plan, &board.estimate, &emitted, err));
	SKIP_TRY(write_folder(set->out, &emitted, err));
	status = print_result(set, board.plan, &emitted, &board.estimate, err);
cleanup:
	skip_emitted_deinit(&emitted);
	skip_cli_close_board(&board);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct settings set = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_profiles *profiles = NULL;
	skip_cli_common_options(&args, &set.common, false);
	skip_cli_board_options(&args, &set.board);
	skip_cli_string(&args, "-o", &set.out);
	skip_cli_string(&args, "--dtype", &set.common.dtype);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!set.board.board) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--board ID is missing; skip estimate MODEL --all lists the boards"));
	if (!set.out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "-o DIR is missing"));
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	SKIP_TRY(skip_cli_apply_dtype(&set.common, &model, err));
	status = emit(&model, &set, profiles, err);
cleanup:
	skip_cli_close_model(&model);
	skip_profiles_destroy(profiles);
	return status;
}

const struct skip_verb skip_verb_emit = {
	.name = "emit",
	.arguments = "PKG --board ID -o DIR",
	.summary = "Write what an FPGA board is built from: kernels, manifest, link and build files",
	.help = "  --board ID     a board of skip estimate --all\n"
		"  -o DIR         the folder; one of an earlier call is replaced whole\n"
		"  --fit          the fastest form that fits the board; else the form of its file\n"
		"  --classes K    at most K shapes of attention and of ffn; narrower layers get units of zeros\n"
		"  --dtype T      f32 or int8; else the type of the package\n"
		"  --json         one JSON object\n\n"
		"No vendor's tool is called; build_<board>.sh in the folder does that.\n\n"
		"examples:\n"
		"  skip emit tickets.skip --board p520n -o tickets-p520n\n"
		"  skip emit tickets.skip --board u280 --dtype int8 --fit -o tickets-u280\n",
	.order = 74,
	.run = run,
};
