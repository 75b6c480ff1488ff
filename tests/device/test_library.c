/* Libraries of built programs: folders, damaged ones, plans that get their programs there, and what identifies a kernel set. */
#include "bitstream_scene.h"

/* ---- folders ---- */

static const char *work_folder(void)
{
	static char path[64];
	strcpy(path, "/tmp/skip-bitstream-XXXXXX");
	cr_assert(mkdtemp(path) != NULL && chdir(path) == 0);
	return path;
}

static void remove_work(const char *path)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert(chdir("/") == 0 && system(command) == 0);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");
	cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(library, keeps_what_is_added)
{
	struct skip_err err;
	struct scene s;
	char **list = NULL;
	size_t n = 0;
	struct skip_buf bytes;
	const char *work = work_folder();
	begin(&s, "p520n");
	skip_buf_init(&bytes);
	CHECK_OK(skip_library_list("lib", &list, &n, &err));
	cr_expect(n == 0, "a library that is not there is empty");
	skip_library_free_list(list, n);
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 20.4", &err));
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 20.4", &err));
	s.says.version = "21.1";
	make_bytes(&s);
	CHECK_FAILS(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 21.1", &err), SKIP_ERR_USAGE);
	cr_expect(strstr(err.message, "written once") != NULL);
	s.says.board = "EmulatorDevice";
	make_bytes(&s);
	CHECK_FAILS(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 20.4", &err), SKIP_ERR_VERIFY);
	CHECK_OK(skip_library_list("lib", &list, &n, &err));
	cr_assert(n == 1 && strcmp(list[0], s.entry.folder) == 0, "%zu entries", n);
	skip_kernel_set_deinit(&s.entry.set);
	CHECK_OK(skip_library_read(list[0], &s.entry, &err));
	cr_expect_str_eq(s.entry.built_by, "aoc 20.4");
	cr_expect_str_eq(s.entry.set.hash, s.set.hash);
	CHECK_OK(skip_library_load(&s.entry, &s.want, &bytes, &err));
	cr_expect(bytes.length == (size_t)s.entry.bytes);
	skip_library_free_list(list, n);
	skip_buf_deinit(&bytes);
	end(&s);
	remove_work(work);
	no_platform_is_loaded();
}

struct folder_case {
	const char *name, *command; /* $E: the entry, $F: the built file, $J: the side file */
	enum skip_status status;
	const char *says;
	bool aside;
};

static const struct folder_case folders[] = {
	{"no built file", "rm $F", SKIP_ERR_INPUT, "check 'file' failed", false},
	{"a link", "mv $F x && ln -s $PWD/x $F", SKIP_ERR_INPUT, "check 'place' failed", false},
	{"a folder", "rm $F && mkdir $F", SKIP_ERR_INPUT, "check 'place' failed", false},
	{"a path in the side file", "sed -i 's#\"file\": \"#&../../#' $J", SKIP_ERR_INPUT, "check 'place' failed", false},
	{"no side file", "rm $J", SKIP_ERR_INPUT, "check 'entry' failed", false},
	{"no JSON", "echo '{' >$J", SKIP_ERR_INPUT, "not JSON", false},
	{"no manifest", "sed -i 's/\"manifest\"/\"other\"/' $J", SKIP_ERR_INPUT, "\"manifest\" is missing", false},
	{"no hash of the file", "sed -i 's/\"sha256\"/\"other\"/' $J", SKIP_ERR_INPUT, "\"sha256\" is missing", false},
	{"a later side file", "awk '{ if (!sub(/^  \"format\": 1/, \"  \\\"format\\\": 2\")) ; print }' $J >x && mv x $J", SKIP_ERR_INPUT, "check 'format' failed", false},
	{"a later manifest", "sed -i 's/^    \"format\": 1/    \"format\": 7/' $J", SKIP_ERR_INPUT, "format 7, this program reads up to 1", false},
	{"another folder", "mv $E lib/00/0000000000000000000000000000000000000000000000000000000000000000", SKIP_ERR_VERIFY, "check 'name' failed", false},
	{"cut short", "truncate -s -1 $F", SKIP_ERR_VERIFY, "check 'size' failed", true},
	{"one byte", "printf X | dd of=$F bs=1 seek=700 conv=notrunc 2>/dev/null", SKIP_ERR_VERIFY, "check 'sha256' failed", true},
	{"an edited manifest", "sed -i 's/\"layers\": [0-9]*/\"layers\": 61/' $J", SKIP_ERR_VERIFY, "check 'hash' failed", false},
};

ParameterizedTestParameters(library, refuses) { return check_rows(sizeof(folders) / sizeof(folders[0])); }
ParameterizedTest(size_t *row, library, refuses)
{
	const struct folder_case *c = &folders[*row];
	struct skip_err err;
	struct scene s;
	char script[2048], **list = NULL;
	size_t n = 0;
	struct skip_buf bytes;
	const char *work = work_folder();
	begin(&s, "u280");
	skip_buf_init(&bytes);
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "v++ 2022.2", &err));
	cr_assert(mkdir("lib/00", 0777) == 0 || true);
	snprintf(script, sizeof(script), "E=%s F=%s/%s J=%s/%s.json; %s", s.entry.folder, s.entry.folder, s.entry.file, s.entry.folder, s.set.name, c->command);
	cr_assert(system(script) == 0, "%s", script);
	CHECK_OK(skip_library_list("lib", &list, &n, &err));
	cr_assert(n == 1);
	skip_kernel_set_deinit(&s.entry.set);
	s.want.set = NULL;
	skip_err_init(&err);
	enum skip_status status = skip_library_read(list[0], &s.entry, &err);
	if (status == SKIP_OK) status = skip_library_load(&s.entry, &s.want, &bytes, &err);
	cr_expect(status == c->status && strstr(err.message, c->says) != NULL && err.file[0], "%s: %s (%s) in %s", c->name, err.message, skip_status_text(status), err.file);
	skip_library_free_list(list, n);
	CHECK_OK(skip_library_list("lib", &list, &n, &err));
	cr_expect(n == (c->aside ? 0 : 1), "%s: damaged bytes are moved aside, nothing else is", c->name);
	skip_library_free_list(list, n);
	skip_buf_deinit(&bytes);
	end(&s);
	remove_work(work);
	no_platform_is_loaded();
}

/* ---- plans ---- */

static enum skip_status find_in(const struct skip_graph *graph, const char *profile, struct skip_built *built, struct skip_err *err)
{
	const struct skip_bitstream_want want = {.profile = profile_of(profile), .library = "lib", .source = "net.skip"};
	return skip_bitstream_find(graph, "logits", &want, built, err);
}

static enum skip_status find_for(const char *profile, enum skip_precision precision, struct skip_built *built, struct skip_err *err)
{
	struct skip_graph *graph = saved_network(precision);
	enum skip_status status = find_in(graph, profile, built, err);
	skip_graph_destroy(graph);
	return status;
}

Test(plan, gets_its_program_in_whatever_form_it_was_built)
{
	struct skip_err err;
	struct scene s;
	struct skip_built built;
	const char *work = work_folder();
	struct skip_profile wide = *profile_of("p520n");
	wide.nv = 4;
	begin(&s, "p520n");
	skip_kernel_set_deinit(&s.set);
	s.set = set_for(&wide, SKIP_PRECISION_F32);
	make_bytes(&s);
	CHECK_FAILS(find_for("p520n", SKIP_PRECISION_F32, &built, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "check 'library' failed") && strstr(err.message, "none (0 entries)") && strstr(err.message, "skip emit net.skip --board p520n --dtype f32 --fit"), "%s", err.message);
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 20.4", &err));
	CHECK_OK(find_for("p520n", SKIP_PRECISION_F32, &built, &err));
	cr_expect(built.plan->programs[0].binary.length == s.bytes.length && memcmp(built.plan->programs[0].binary.data, s.bytes.data, s.bytes.length) == 0);
	skip_built_deinit(&built);
	CHECK_FAILS(find_for("p520n", SKIP_PRECISION_INT8, &built, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "nearest     ") && strstr(err.message, "differs in dtype") && strstr(err.message, s.set.name), "%s", err.message);
	CHECK_FAILS(find_for("u280", SKIP_PRECISION_F32, &built, &err), SKIP_ERR_INPUT);
	end(&s);
	remove_work(work);
	no_platform_is_loaded();
}

Test(plan, a_damaged_program_is_refused_and_moved_aside)
{
	struct skip_err err;
	struct scene s;
	struct skip_built built;
	char path[1400];
	const char *work = work_folder();
	begin(&s, "intel_fpga_emulator");
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, RUNTIME, &err));
	CHECK_OK(find_for("intel_fpga_emulator", SKIP_PRECISION_F32, &built, &err));
	skip_built_deinit(&built);
	snprintf(path, sizeof(path), "%s/%s", s.entry.folder, s.entry.file);
	write_text(path, "something else of this len..");
	CHECK_FAILS(find_for("intel_fpga_emulator", SKIP_PRECISION_F32, &built, &err), SKIP_ERR_VERIFY);
	cr_expect(strstr(err.message, "skip bitstream build lib net.skip --device intel_fpga_emulator --dtype f32") != NULL, "%s", err.message);
	CHECK_FAILS(find_for("intel_fpga_emulator", SKIP_PRECISION_F32, &built, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "none (0 entries)") != NULL, "%s", err.message);
	end(&s);
	remove_work(work);
	no_platform_is_loaded();
}

/* ---- shape classes ---- */

/* Layers of three widths, so that one, two and three classes are three networks. */
static struct skip_graph *uneven_network(void)
{
	struct skip_err err;
	struct skip_units units;
	struct skip_keep keep;
	struct toy_options options = toy_defaults();
	struct skip_graph *made = NULL;
	options.dtype = SKIP_F32;
	options.layers = 3;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	for (size_t g = 0; g < units.n_groups; g++) {
		for (int u = 0; units.group[g].kind == SKIP_UNIT_FFN && u < 2 * units.group[g].layer; u++) keep.keep[g][u] = 0;
	}
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &made, &err));
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
	return made;
}

/* Puts the set of `graph` with at most `classes` shapes into the library. */
static void add_classed(const struct skip_graph *graph, int classes, const char *profile, struct skip_kernel_set *set)
{
	struct skip_err err;
	int value;
	struct skip_buf bytes;
	struct skip_graph *wide = NULL, *live = NULL;
	struct skip_plan *plan = NULL;
	skip_buf_init(&bytes);
	CHECK_OK(skip_pass_classes(graph, classes, &wide, &err));
	CHECK_OK(skip_pass_inference(wide, "logits", profile_of(profile)->combine, &live, &value, &err));
	CHECK_OK(skip_lower(live, profile_of(profile), &value, 1, &plan, &err));
	CHECK_OK(skip_kernel_set_make(live, plan, profile_of(profile), set, &err));
	skip_buf_printf(&bytes, "the program of %d classes", classes);
	CHECK_OK(skip_library_add("lib", set, skip_buf_text(&bytes), bytes.length, RUNTIME, &err));
	skip_buf_deinit(&bytes);
	skip_plan_destroy(plan);
	skip_graph_destroy(live);
	skip_graph_destroy(wide);
}

/* What runs is the network widened as the entry says, and of several the one that is padded least. */
Test(classes, are_those_of_the_entry)
{
	static const char *const profile = "intel_fpga_emulator";
	struct skip_err err;
	struct skip_built built;
	struct skip_kernel_set set[4] = {{.manifest = NULL}};
	const char *work = work_folder();
	struct skip_graph *graph = uneven_network();
	const int order[] = {1, 2, 3}, recorded[] = {0, 1, 2, 0};
	CHECK_FAILS(find_in(graph, profile, &built, &err), SKIP_ERR_INPUT);
	for (int i = 0; i < 3; i++) {
		const int classes = order[i];
		char bytes[64];
		add_classed(graph, classes, profile, &set[classes]);
		cr_expect(skip_kernel_set_classes(&set[classes]) == recorded[classes], "three classes of three shapes make no layer wider");
		CHECK_OK(find_in(graph, profile, &built, &err));
		snprintf(bytes, sizeof(bytes), "the program of %d classes", classes);
		cr_expect_str_eq(built.plan->programs[0].binary.data, bytes);
		cr_expect_str_eq(built.entry.hash, set[classes].hash);
		cr_expect(built.graph->shape_classes == recorded[classes]);
		cr_expect(skip_graph_total_params(built.graph) >= skip_graph_total_params(graph));
		cr_expect_str_eq(built.graph->values[built.value].name, "logits");
		skip_built_deinit(&built);
	}
	for (int i = 1; i < 4; i++) skip_kernel_set_deinit(&set[i]);
	skip_graph_destroy(graph);
	remove_work(work);
	no_platform_is_loaded();
}

struct classes_case {
	char name[40], edit[60], says[60];
};

/* A number nobody's set has is no form to try, and another number than the set's is another network: neither runs. */
ParameterizedTestParameters(classes, that_are_not_the_sets_are_not_run)
{
	static struct classes_case cases[] = {{"another number", "s/\"classes\": 1/\"classes\": 2/", "differs in classes"},
					      {"none", "/\"classes\": 1/d", "differs in kernels"},
					      {"no number", "s/\"classes\": 1/\"classes\": \"all\"/", "differs in classes"},
					      {"too many", "s/\"classes\": 1/\"classes\": 1000000/", "differs in classes"},
					      {"below one", "s/\"classes\": 1/\"classes\": -1/", "differs in classes"}};
	return cr_make_param_array(struct classes_case, cases, sizeof(cases) / sizeof(cases[0]));
}
ParameterizedTest(struct classes_case *c, classes, that_are_not_the_sets_are_not_run)
{
	struct skip_err err;
	struct skip_built built;
	struct skip_kernel_set set;
	char command[200];
	const char *work = work_folder();
	struct skip_graph *graph = uneven_network();
	add_classed(graph, 1, "intel_fpga_emulator", &set);
	snprintf(command, sizeof(command), "sed -i '%s' lib/*/*/*.json", c->edit);
	cr_assert(system(command) == 0);
	CHECK_FAILS(find_in(graph, "intel_fpga_emulator", &built, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "check 'library' failed") && strstr(err.message, c->says), "%s: %s", c->name, err.message);
	skip_kernel_set_deinit(&set);
	skip_graph_destroy(graph);
	remove_work(work);
	no_platform_is_loaded();
}

/* A damaged entry of classes is refused with the command that makes it anew. */
Test(classes, stand_in_the_command_that_makes_them)
{
	struct skip_err err;
	struct skip_built built;
	struct skip_kernel_set set;
	const char *work = work_folder();
	struct skip_graph *graph = uneven_network();
	add_classed(graph, 2, "intel_fpga_emulator", &set);
	cr_assert(system("truncate -s -1 lib/*/*/*.emulated") == 0);
	CHECK_FAILS(find_in(graph, "intel_fpga_emulator", &built, &err), SKIP_ERR_VERIFY);
	cr_expect(strstr(err.message, "skip bitstream build lib net.skip --device intel_fpga_emulator --dtype f32 --classes 2") != NULL, "%s", err.message);
	skip_kernel_set_deinit(&set);
	skip_graph_destroy(graph);
	remove_work(work);
	no_platform_is_loaded();
}

/* ---- kernel sets ---- */

Test(set, is_the_same_when_made_and_when_read)
{
	struct skip_kernel_set a = set_for(profile_of("u280"), SKIP_PRECISION_F32), b = copy_set(&a), c = set_for(profile_of("u280"), SKIP_PRECISION_INT8);
	struct skip_buf fields;
	skip_buf_init(&fields);
	cr_expect_str_eq(a.hash, b.hash);
	cr_expect(strcmp(a.hash, c.hash) != 0 && strstr(c.name, "-u280-int8-") && strncmp(strrchr(c.name, '-') + 1, c.hash, 12) == 0);
	skip_kernel_set_differences(&a, &b, &fields);
	cr_expect_str_eq(skip_buf_text(&fields), "");
	skip_kernel_set_differences(&a, &c, &fields);
	cr_expect(strncmp(skip_buf_text(&fields), "dtype", 5) == 0, "%s", skip_buf_text(&fields));
	skip_buf_deinit(&fields);
	skip_kernel_set_deinit(&a);
	skip_kernel_set_deinit(&b);
	skip_kernel_set_deinit(&c);
}

Test(set, commands_stand_in_the_script)
{
	static const char *const boards[] = {"p520n", "u280"};
	for (int b = 0; b < 2; b++) {
		struct skip_err err;
		struct skip_board board;
		struct skip_buf lines, script;
		struct skip_kernel_set set = set_for(profile_of(boards[b]), SKIP_PRECISION_F32);
		skip_buf_init(&lines);
		skip_buf_init(&script);
		CHECK_OK(skip_board_read(profile_of(boards[b]), &board, &err));
		skip_emit_script(&set, &board, &script);
		skip_emit_commands(&set, &board, SKIP_BUILD_BITSTREAM, &lines);
		for (char *line = strtok(lines.data, "\n"); line; line = strtok(NULL, "\n")) {
			cr_expect(strncmp(line, "step=", 5) == 0 || strstr(script.data, line) != NULL, "%s: not in the script: %s", boards[b], line);
		}
		skip_buf_deinit(&lines);
		skip_buf_deinit(&script);
		skip_kernel_set_deinit(&set);
	}
}
