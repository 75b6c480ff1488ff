/* skip bitstream: the library of programs that FPGA boards are loaded with. */
#include "base/file.h"
#include "cli/board.h"
#include "device/bitstream/library.h"
#include "graph/pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct settings {
	struct skip_cli_common common;
	struct skip_cli_board_options board;
	const char *manifest;
	const char *library, *subject; /* a package, or the file to add */
};

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* ---- list, and verify of a whole library ---- */

static json_t *entry_json(const struct skip_library_entry *entry, const char *problem)
{
	json_t *form = json_object_get(entry->set.manifest, "form");
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O?, s:s, s:I, s:s, s:b, s:s?}", "name", entry->set.name, "hash", entry->hash, "board", skip_kernel_set_text(&entry->set, "board"), "kind",
			 skip_kernel_set_text(&entry->set, "kind"), "dtype", skip_kernel_set_text(&entry->set, "dtype"), "form", form, "file", entry->file, "bytes", (json_int_t)entry->bytes,
			 "built_by", entry->built_by, "ok", !problem[0], "problem", text_or_null(problem));
}

/* First line of a problem. */
static void print_entry(const struct skip_library_entry *entry, bool verified, const char *problem)
{
	const int line = (int)strcspn(problem, "\n");
	printf("%-60s %-9s %12" PRId64 "  %s%.*s\n", entry->set.name[0] ? entry->set.name : entry->hash, skip_kernel_set_text(&entry->set, "kind"), entry->bytes,
	       problem[0] ? "" : verified ? "ok" : "not verified", line, problem);
}

/* One entry; its problem, where it has one, is no failure of the verb until all are seen. */
static enum skip_status look_at(const char *folder, const struct settings *set, const struct skip_profiles *profiles, bool verify, json_t *list, enum skip_status *worst,
				struct skip_err *err)
{
	struct skip_err problem;
	struct skip_library_entry entry;
	struct skip_buf bytes;
	skip_err_init(&problem);
	skip_buf_init(&bytes);
	enum skip_status status = skip_library_read(folder, &entry, &problem);
	if (status == SKIP_OK && verify) {
		const struct skip_profile *profile = skip_profiles_find(profiles, skip_kernel_set_text(&entry.set, "board"));
		const struct skip_bitstream_want want = { .set = &entry.set, .profile = profile, .library = set->library };
		status = skip_library_load(&entry, &want, &bytes, &problem);
	}
	if (status == SKIP_ERR_NOMEM && err) *err = problem;
	if (status != SKIP_OK && *worst != SKIP_ERR_VERIFY) *worst = status;
	if (set->common.json)
		json_array_append_new(list, entry_json(&entry, problem.message));
	else
		print_entry(&entry, verify, problem.message);
	skip_buf_deinit(&bytes);
	skip_library_entry_deinit(&entry);
	return status == SKIP_ERR_NOMEM ? status : SKIP_OK;
}

static enum skip_status walk(const struct settings *set, const struct skip_profiles *profiles, bool verify, struct skip_err *err)
{
	enum skip_status status, worst = SKIP_OK;
	char **folders = NULL;
	size_t n = 0;
	json_t *list = json_array();
	if (!skip_file_is_folder(set->library)) SKIP_TRY(skip_err_at(err, SKIP_ERR_IO, set->library, 0, -1, "is no folder"));
	SKIP_TRY(skip_library_list(set->library, &folders, &n, err));
	for (size_t i = 0; i < n; i++) SKIP_TRY(look_at(folders[i], set, profiles, verify, list, &worst, err));
	if (set->common.json)
		status = skip_cli_print_json(json_pack("{s:O}", "entries", list), err);
	else if (!n)
		skip_cli_note(&set->common, "library", "%s has no entries", set->library);
	if (status == SKIP_OK && worst != SKIP_OK && verify) status = skip_err_at(err, worst, set->library, 0, -1, "not every entry is as it should be");
cleanup:
	skip_library_free_list(folders, n);
	json_decref(list);
	return status;
}

/* ---- verify and command of a package ---- */

static enum skip_status open_model(const struct settings *set, struct skip_cli_model *out, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_cli_open_model(set->subject, out, err));
	SKIP_TRY(skip_cli_need_classes(out, err));
	status = skip_cli_apply_dtype(&set->common, out, err);
cleanup:
	return status;
}

static enum skip_status verify_package(const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_model model = { 0 };
	struct skip_cli_common common = set->common;
	const struct skip_profile *profile = skip_profiles_find(profiles, set->board.board);
	if (!profile || !skip_profile_has_engines(profile) || (profile->kind == SKIP_PROFILE_FPGA && !skip_profile_is_board(profile)))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--board: there is no FPGA board '%s'; skip estimate MODEL --all lists them", set->board.board));
	SKIP_TRY(open_model(set, &model, err));
	common.device = set->board.board;
	common.bitstreams = set->library;
	SKIP_TRY(skip_cli_check_bitstreams(&common, &model, err));
	if (set->common.json)
		status = skip_cli_print_json(json_pack("{s:[{s:s, s:b}]}", "entries", "board", set->board.board, "ok", 1), err);
	else
		printf("ok          %s has the program of %s for %s\n", set->library, set->subject, set->board.board);
cleanup:
	skip_cli_close_model(&model);
	return status;
}

/* The lines from a package to its entry, for sh. */
static void write_lines(const struct settings *set, const struct skip_cli_board *board, struct skip_buf *out)
{
	const char *id = board->profile->id, *dtype = skip_kernel_set_text(&board->set, "dtype");
	char classes[32] = "";
	if (set->board.classes) snprintf(classes, sizeof(classes), " --classes %d", (int)set->board.classes);
	if (!skip_profile_is_board(board->profile)) {
		skip_buf_printf(out, "skip bitstream build %s %s --device %s --dtype %s%s\n", set->library, set->subject, id, dtype, classes);
		return;
	}
	skip_buf_printf(out, "skip emit %s --board %s --dtype %s%s%s -o %s\n", set->subject, id, dtype, classes, set->board.fit ? " --fit" : "", id);
	skip_buf_printf(out, "(\ncd %s\n", id);
	skip_emit_commands(&board->set, &board->board, SKIP_BUILD_BITSTREAM, out);
	skip_buf_printf(out, ")\nskip bitstream add %s %s/%s.%s\n", set->library, id, board->set.name, skip_bitstream_suffix(&board->set));
}

static enum skip_status command(const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_model model = { 0 };
	struct skip_cli_board board = { 0 };
	struct skip_buf lines;
	char folder[1024];
	skip_buf_init(&lines);
	SKIP_TRY(open_model(set, &model, err));
	SKIP_TRY(skip_cli_open_board(&model, profiles, &set->board, true, &board, err));
	if (skip_profile_is_rtl(board.profile))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' is built from RTL, and a library holds programs of OpenCL kernels; skip emit writes its engine", board.profile->id));
	SKIP_TRY(skip_library_folder(set->library, board.set.hash, folder, sizeof(folder), err));
	write_lines(set, &board, &lines);
	if (!skip_buf_ok(&lines)) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the commands"));
	const bool present = skip_file_exists(folder);
	if (present) skip_cli_note(&set->common, "library", "%s is there already", board.set.name);
	if (set->common.json) {
		status = skip_cli_print_json(json_pack("{s:[{s:s, s:s, s:s, s:b, s:s}]}", "entries", "name", board.set.name, "hash", board.set.hash, "board", board.profile->id, "present",
						       (int)present, "commands", skip_buf_text(&lines)),
					     err);
	} else {
		fputs(skip_buf_text(&lines), stdout);
		status = skip_cli_printed(err);
	}
cleanup:
	skip_buf_deinit(&lines);
	skip_cli_close_board(&board);
	skip_cli_close_model(&model);
	return status;
}

/* ---- add and build ---- */

static enum skip_status print_added(const struct settings *set, const struct skip_kernel_set *kernels, struct skip_err *err)
{
	if (set->common.json)
		return skip_cli_print_json(json_pack("{s:[{s:s, s:s, s:s}]}", "entries", "name", kernels->name, "hash", kernels->hash, "kind", skip_kernel_set_text(kernels, "kind")), err);
	printf("%-12s%s (%s)\n", "added", kernels->name, skip_kernel_set_text(kernels, "kind"));
	return skip_cli_printed(err);
}

/* manifest.json of the folder a file lies in. */
static enum skip_status manifest_path(const struct settings *set, char *out, size_t size, struct skip_err *err)
{
	const char *slash = strrchr(set->subject, '/');
	const int n = set->manifest ? snprintf(out, size, "%s", set->manifest) : snprintf(out, size, "%.*smanifest.json", slash ? (int)(slash + 1 - set->subject) : 0, set->subject);
	return n >= 0 && (size_t)n < size ? SKIP_OK : skip_err_at(err, SKIP_ERR_INPUT, set->subject, 0, -1, "path is too long");
}

/* What a file says of the tool that built it; whether it is a right one is the checks' business. */
static void tool_of(const struct skip_buf *bytes, const struct skip_kernel_set *kernels, char *out, size_t size)
{
	struct skip_binary binary;
	const json_t *tool = json_array_get(json_object_get(kernels->manifest, "toolchains"), 0);
	const char *name = json_string_value(json_object_get(tool, "name"));
	const bool known = skip_binary_read(skip_buf_text(bytes), bytes->length, &binary, NULL) == SKIP_OK && binary.version[0];
	snprintf(out, size, "%s%s%s", name ? name : "", known ? " " : "", known ? binary.version : "");
	skip_binary_deinit(&binary);
}

/* A file's name says what it is of (docs/boards.md): one of another name was not built by the folder's script. */
static enum skip_status check_file_name(const struct settings *set, const struct skip_kernel_set *kernels, struct skip_err *err)
{
	const char *slash = strrchr(set->subject, '/'), *base = slash ? slash + 1 : set->subject;
	char expected[200];
	snprintf(expected, sizeof(expected), "%s.%s", kernels->name, skip_bitstream_suffix(kernels));
	if (strcmp(expected, base) == 0) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_VERIFY, set->subject, 0, -1, "check 'name' failed\n    expected    %s (manifest)\n    found       %s (file)", expected, base);
}

static enum skip_status add(const struct settings *set, struct skip_err *err)
{
	enum skip_status status;
	char path[1100], built_by[160];
	json_t *manifest = NULL;
	struct skip_kernel_set kernels = { .manifest = NULL };
	struct skip_buf bytes;
	skip_buf_init(&bytes);
	SKIP_TRY(manifest_path(set, path, sizeof(path), err));
	SKIP_TRY(skip_file_read(set->subject, &bytes, err));
	SKIP_TRY(skip_json_load(path, &manifest, err));
	status = skip_kernel_set_read(manifest, &kernels, err);
	if (status != SKIP_OK) skip_err_add_file(err, path);
	if (status != SKIP_OK) goto cleanup;
	SKIP_TRY(check_file_name(set, &kernels, err));
	tool_of(&bytes, &kernels, built_by, sizeof(built_by));
	SKIP_TRY(skip_library_add(set->library, &kernels, skip_buf_text(&bytes), bytes.length, built_by, err));
	status = print_added(set, &kernels, err);
cleanup:
	skip_buf_deinit(&bytes);
	skip_kernel_set_deinit(&kernels);
	json_decref(manifest);
	return status;
}

/* By the runtime of a device that compiles: an emulation. */
static enum skip_status build(const struct settings *set, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_session *session = NULL;
	struct skip_kernel_set kernels = { .manifest = NULL };
	struct skip_graph *classed = NULL;
	struct skip_buf bytes;
	char runtime[320];
	int value;
	skip_buf_init(&bytes);
	SKIP_TRY(open_model(set, &model, err));
	SKIP_TRY(skip_cli_open_device(&set->common, &device, err));
	const struct skip_profile *profile = skip_device_profile(device.device);
	if (skip_profile_is_board(profile) || !skip_profile_has_engines(profile))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "profile '%s' does not emulate an FPGA board; programs of boards are built by their tools: skip bitstream command", profile->id));
	if (set->board.classes) SKIP_TRY(skip_pass_classes(model.graph, (int)set->board.classes, &classed, err));
	SKIP_TRY(skip_open_inference(device.device, classed ? classed : model.graph, "logits", true, &session, &value, err));
	SKIP_TRY(skip_session_binary(session, &bytes, err));
	SKIP_TRY(skip_kernel_set_make(skip_session_graph(session), skip_session_plan(session), profile, &kernels, err));
	skip_bitstream_runtime(&skip_device_get_info(device.device)->facts, runtime, sizeof(runtime));
	SKIP_TRY(skip_library_add(set->library, &kernels, skip_buf_text(&bytes), bytes.length, runtime, err));
	status = print_added(set, &kernels, err);
cleanup:
	skip_buf_deinit(&bytes);
	skip_kernel_set_deinit(&kernels);
	skip_session_destroy(session);
	skip_graph_destroy(classed);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

/* ---- the verb ---- */

enum action { LIST, VERIFY, COMMAND, ADD, BUILD };

static enum skip_status check_words(enum action action, const struct settings *set, struct skip_err *err)
{
	const bool wants_subject = action == COMMAND || action == ADD || action == BUILD;
	if (wants_subject && !set->subject) return skip_err_set(err, SKIP_ERR_USAGE, "%s is missing after %s", action == ADD ? "FILE" : "PKG", set->library);
	if (action == LIST && set->subject) return skip_err_set(err, SKIP_ERR_USAGE, "unexpected '%s': list takes DIR alone", set->subject);
	const bool wants_board = action == COMMAND || (action == VERIFY && set->subject);
	if (wants_board && !set->board.board) return skip_err_set(err, SKIP_ERR_USAGE, "--board ID is missing; skip estimate MODEL --all lists the boards");
	if (!wants_board && (set->board.board || set->board.fit)) return skip_err_set(err, SKIP_ERR_USAGE, "--board and --fit belong to command and verify of a package");
	if (action != COMMAND && action != BUILD && set->board.classes) return skip_err_set(err, SKIP_ERR_USAGE, "--classes belongs to command and build");
	if (action == BUILD && !set->common.device) return skip_err_set(err, SKIP_ERR_USAGE, "--device D is missing: an emulation of a board");
	if (action != BUILD && set->common.device) return skip_err_set(err, SKIP_ERR_USAGE, "--device belongs to build");
	if (action != ADD && set->manifest) return skip_err_set(err, SKIP_ERR_USAGE, "--manifest belongs to add");
	return SKIP_OK;
}

static enum skip_status act(enum action action, const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	switch (action) {
	case LIST: return walk(set, profiles, false, err);
	case VERIFY: return set->subject ? verify_package(set, profiles, err) : walk(set, profiles, true, err);
	case COMMAND: return command(set, profiles, err);
	case ADD: return add(set, err);
	case BUILD: return build(set, err);
	}
	return SKIP_OK;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	static const char *const actions[] = { "list", "verify", "command", "add", "build", NULL };
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct settings set = { 0 };
	struct skip_profiles *profiles = NULL;
	int action;
	skip_cli_common_options(&args, &set.common, false);
	skip_cli_board_options(&args, &set.board);
	skip_cli_string(&args, "--dtype", &set.common.dtype);
	skip_cli_string(&args, "--device", &set.common.device);
	skip_cli_string(&args, "--manifest", &set.manifest);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 2, 3, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_cli_choice("skip bitstream's first word", args.word[0], actions, &action, err));
	set.library = args.word[1];
	set.subject = args.n_words > 2 ? args.word[2] : NULL;
	SKIP_TRY(check_words((enum action)action, &set, err));
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	status = act((enum action)action, &set, profiles, err);
cleanup:
	skip_profiles_destroy(profiles);
	return status;
}

const struct skip_verb skip_verb_bitstream = {
	.name = "bitstream",
	.arguments = "list|verify|command|add|build DIR [PKG|FILE]",
	.summary = "Keep the library of programs that FPGA boards are loaded with",
	.help = "  list DIR                     what the library has\n"
		"  verify DIR                   every entry: bytes, hashes, kernels; exit 6 where one is not as it should be\n"
		"  verify DIR PKG --board ID    whether it has the right program of a package for a board\n"
		"  command DIR PKG --board ID [--fit] [--classes K]\n"
		"                               the commands that make it, as they stand in build_<board>.sh of skip emit\n"
		"  add DIR FILE [--manifest M]  a file that such commands made; M: manifest.json beside it\n"
		"  build DIR PKG --device D [--classes K]\n"
		"                               the program for an emulation of a board, by its runtime; it is always called emulated\n"
		"  --dtype T                    f32 or int8; else the type of the package\n"
		"  --json                       one JSON object\n\n"
		"No vendor's tool is called. skip run --bitstreams DIR loads what is here.\n\n"
		"examples:\n"
		"  skip bitstream command bitstreams tickets.skip --board p520n --fit | sh -e\n"
		"  skip bitstream verify bitstreams\n",
	.order = 76,
	.run = run,
};
