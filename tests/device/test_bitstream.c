/*
 * Bitstream libraries: what files say of themselves, every check with a file or an entry that fails it and nothing before it, folders, and plans that get
 * their programs there. Files are made in the documented layouts; no board, no tool, and, which every test looks at, no OpenCL.
 */
#include "../graph/toy_graph.h"
#include "base/alloc.h"
#include "base/file.h"
#include "bitstream_files.h"
#include "device/bitstream/library.h"
#include "device/session.h"
#include "graph/pass.h"
#include <criterion/new/assert.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME "Some Platform, 1.2"

static const struct skip_profiles *profiles(void)
{
	static struct skip_profiles *all;
	struct skip_err err;
	if (!all) CHECK_OK(skip_profiles_load(NULL, &all, &err));
	return all;
}

static const struct skip_profile *profile_of(const char *id)
{
	const struct skip_profile *profile = skip_profiles_find(profiles(), id);
	cr_assert(profile != NULL, "no profile %s", id);
	return profile;
}

/* A small network as it is emitted. */
static struct skip_graph *network(enum skip_precision precision, int *value)
{
	struct skip_err err;
	static const char *const combine[] = {"ffn", NULL};
	struct toy_options options = toy_defaults();
	struct skip_graph *made = NULL, *typed = NULL, *graph;
	options.dtype = SKIP_F32;
	options.width = 32;
	options.heads = 2;
	options.qk = options.v = 16;
	options.ffn = 48;
	graph = toy_graph(&options);
	CHECK_OK(skip_pass_precision(graph, precision, &typed, &err));
	CHECK_OK(skip_pass_inference(typed, "logits", combine, &made, value, &err));
	skip_graph_destroy(graph);
	skip_graph_destroy(typed);
	return made;
}

static struct skip_kernel_set set_for(const struct skip_profile *forms, enum skip_precision precision)
{
	struct skip_err err;
	int value;
	struct skip_kernel_set set;
	struct skip_plan *plan = NULL;
	struct skip_graph *graph = network(precision, &value);
	CHECK_OK(skip_lower(graph, forms, &value, 1, &plan, &err));
	CHECK_OK(skip_kernel_set_make(graph, plan, forms, &set, &err));
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	return set;
}

/* The same set with a manifest of its own, to be changed. */
static struct skip_kernel_set copy_set(const struct skip_kernel_set *set)
{
	struct skip_err err;
	struct skip_kernel_set copy;
	json_t *manifest = json_deep_copy(set->manifest);
	json_object_set_new(manifest, "name", json_string(set->name));
	CHECK_OK(skip_kernel_set_read(manifest, &copy, &err));
	json_decref(manifest);
	return copy;
}

/* What checks needs nothing of OpenCL: a program that only checks is linked without it, and would be with it if any code here could ask a device. */
static void no_platform_is_loaded(void)
{
	struct skip_buf maps;
	struct skip_err err;
	skip_buf_init(&maps);
	CHECK_OK(skip_file_read("/proc/self/maps", &maps, &err));
	cr_expect(strstr(skip_buf_text(&maps), "libc.so") != NULL, "the list is one of libraries");
	cr_expect(strstr(skip_buf_text(&maps), "libOpenCL") == NULL && strstr(skip_buf_text(&maps), "libpocl") == NULL);
	skip_buf_deinit(&maps);
}

/* ---- scenes ---- */

struct scene {
	const char *board; /* profile of the set */
	struct skip_kernel_set set, wanted;
	struct file_says says;
	struct skip_buf bytes;
	struct skip_library_entry entry;
	struct skip_bitstream_want want;
};

static void make_bytes(struct scene *s)
{
	skip_buf_clear(&s->bytes);
	if (strcmp(s->board, "u280") == 0)
		make_xclbin(&s->set, &s->says, &s->bytes);
	else if (strcmp(s->board, "p520n") == 0)
		make_aocx(&s->set, &s->says, &s->bytes);
	else
		skip_buf_puts(&s->bytes, "what a runtime calls a binary");
}

static void sign(struct scene *s)
{
	s->entry.bytes = (int64_t)s->bytes.length;
	skip_sha256_hex(s->bytes.data, s->bytes.length, s->entry.sha256);
}

static void begin(struct scene *s, const char *board)
{
	const bool amd = strcmp(board, "u280") == 0;
	memset(s, 0, sizeof(*s));
	s->board = board;
	s->set = set_for(profile_of(board), SKIP_PRECISION_F32);
	s->wanted = copy_set(&s->set);
	s->entry.set = copy_set(&s->set);
	s->says = (struct file_says){.board = amd ? "xilinx_u280_gen3x16_xdma_1_202211_1" : "p520_hpc_sg280l", .version = amd ? "2022.2" : "20.4.0 Build 72", .hash = s->set.hash, .mode = 1};
	skip_buf_init(&s->bytes);
	make_bytes(s);
	sign(s);
	memcpy(s->entry.hash, s->set.hash, sizeof(s->entry.hash));
	snprintf(s->entry.folder, sizeof(s->entry.folder), "lib/%.2s/%s", s->set.hash, s->set.hash);
	snprintf(s->entry.file, sizeof(s->entry.file), "%s.%s", s->set.name, skip_bitstream_suffix(&s->set));
	snprintf(s->entry.built_by, sizeof(s->entry.built_by), RUNTIME);
	s->want = (struct skip_bitstream_want){.set = &s->wanted, .profile = profile_of(board), .runtime = RUNTIME, .library = "lib", .source = "net.skip"};
}

static void end(struct scene *s)
{
	skip_kernel_set_deinit(&s->set);
	skip_kernel_set_deinit(&s->wanted);
	skip_kernel_set_deinit(&s->entry.set);
	skip_buf_deinit(&s->bytes);
}

/* What the file says of itself is changed, and the side file knows that file. */
#define REMADE(field, value)                                                                                                           \
	do {                                                                                                                           \
		s->says.field = (value);                                                                                               \
		make_bytes(s);                                                                                                         \
		sign(s);                                                                                                               \
	} while (0)

static void cut_short(struct scene *s) { s->bytes.length -= 7; }
static void one_bit(struct scene *s) { s->bytes.data[s->bytes.length / 2] ^= 1; }
static void no_magic(struct scene *s) { s->bytes.data[1] = 'X', sign(s); }
static void says_longer(struct scene *s) { put(&s->bytes, 304, s->bytes.length + 1, 8), sign(s); }
static void many_sections(struct scene *s) { put(&s->bytes, 448, 60000, 4), sign(s); }
static void section_outside(struct scene *s) { put(&s->bytes, 456 + 40 + 24, UINT64_MAX - 3, 8), sign(s); }
static void header_only(struct scene *s) { s->bytes.length = 400, sign(s); }
static void elf_table_outside(struct scene *s) { put(&s->bytes, offsetof(Elf32_Ehdr, e_shoff), 0xfffffff0u, 4), sign(s); }
static void elf_class(struct scene *s) { s->bytes.data[EI_CLASS] = 7, sign(s); }
static void elf_cut(struct scene *s) { s->bytes.length = 20, sign(s); }
static void other_xml(struct scene *s) { *(char *)memmem(s->bytes.data, s->bytes.length, "<kernel", 7) = '&', sign(s); }
static void other_name(struct scene *s) { strcpy(s->entry.file, "net.aocx"); }
static void other_name_hash(struct scene *s) { s->entry.set.name[strlen(s->entry.set.name) - 1] ^= 1; }
static void path_out(struct scene *s) { strcpy(s->entry.file, "../../x.aocx"); }
static void emulator_file(struct scene *s) { REMADE(board, "EmulatorDevice"); }
static void simulator_file(struct scene *s) { REMADE(board, "SimulatorDevice"); }
static void hw_emu_file(struct scene *s) { REMADE(mode, 4); }
static void sw_emu_file(struct scene *s) { REMADE(mode, 5); }
static void unknown_mode(struct scene *s) { REMADE(mode, 99); }
static void on_emulator(struct scene *s) { s->want.profile = profile_of("intel_fpga_emulator"); }
static void on_board(struct scene *s) { s->want.profile = profile_of("p520n"); }
static void on_other_board(struct scene *s) { s->want.profile = profile_of("u250"); }
static void other_bsp(struct scene *s) { REMADE(board, "p520_max_sg280l"); }
static void other_platform(struct scene *s) { REMADE(board, "xilinx_u250_gen3x16_xdma_4_1_202210_1"); }
static void other_shell(struct scene *s) { json_object_set_new(s->wanted.manifest, "shell", json_string("another")); }
static void late_aoc(struct scene *s) { REMADE(version, "23.1.0 Build 1"); }
static void early_vpp(struct scene *s) { REMADE(version, "2019.2"); }
static void other_driver(struct scene *s) { s->want.runtime = "Some Platform, 1.3"; }
static void kernel_missing(struct scene *s)
{
	REMADE(leave_out, json_string_value(json_object_get(json_array_get(json_object_get(s->set.manifest, "kernels"), 1), "name")));
}
static void kernel_more(struct scene *s) { REMADE(add, "another"); }
static void arg_missing(struct scene *s) { REMADE(drop_arg, true); }
static void arg_renamed(struct scene *s) { REMADE(rename_arg, "another"); }
static void arg_of_other_kind(struct scene *s) { REMADE(flip_arg, true); }
static void other_channels(struct scene *s) { json_object_set_new(s->wanted.manifest, "channels", json_boolean(!json_is_true(json_object_get(s->wanted.manifest, "channels")))); }
static void other_dtype(struct scene *s) { json_object_set_new(s->wanted.manifest, "dtype", json_string("int8")); }
static void other_layers(struct scene *s) { json_object_set_new(json_object_get(s->wanted.manifest, "dims"), "layers", json_integer(61)); }
static void other_width(struct scene *s) { json_object_set_new(json_object_get(s->wanted.manifest, "dims"), "model_width", json_integer(7)); }
static void other_form(struct scene *s) { json_object_set_new(json_object_get(s->wanted.manifest, "form"), "outputs", json_integer(64)); }
static void other_text(struct scene *s) { json_object_set_new(s->wanted.manifest, "program", json_string("0123")); }
static void other_embedded(struct scene *s) { REMADE(hash, "0123"); }
static void other_options(struct scene *s) { s->wanted.hash[0] ^= 1; }
static void manifest_edited(struct scene *s) { s->entry.set.hash[5] ^= 1; }

struct kind {
	const char *name, *board;
	void (*spoil)(struct scene *s);
	const char *check;
	enum skip_status status;
	const char *expected, *found;
};

static const struct kind kinds[] = {
	{"a name that leads out of the folder", "p520n", path_out, "place", SKIP_ERR_INPUT, "a name without a path", "../../x.aocx"},
	{"a file of another name", "p520n", other_name, "name", SKIP_ERR_VERIFY, "", "net.aocx"},
	{"a name of another hash", "p520n", other_name_hash, "name", SKIP_ERR_VERIFY, "", ""},
	{"cut short", "u280", cut_short, "size", SKIP_ERR_VERIFY, "", ""},
	{"one bit", "u280", one_bit, "sha256", SKIP_ERR_VERIFY, "", ""},
	{"one bit of an emulated one", "intel_fpga_emulator", one_bit, "sha256", SKIP_ERR_VERIFY, "", ""},
	{"no magic, xclbin", "u280", no_magic, "container", SKIP_ERR_VERIFY, "xclbin", "program binary"},
	{"no magic, aocx", "p520n", no_magic, "container", SKIP_ERR_VERIFY, "aocx", "program binary"},
	{"a header of another length", "u280", says_longer, "container", SKIP_ERR_VERIFY, "xclbin", "the header says"},
	{"too many sections", "u280", many_sections, "container", SKIP_ERR_VERIFY, "xclbin", "60000 sections have no room"},
	{"a section past the end", "u280", section_outside, "container", SKIP_ERR_VERIFY, "xclbin", "reaches past the end"},
	{"half a header", "u280", header_only, "container", SKIP_ERR_VERIFY, "xclbin", "the header of an xclbin is 456 bytes, the file has 400"},
	{"metadata that is no XML", "u280", other_xml, "container", SKIP_ERR_VERIFY, "xclbin", "not XML"},
	{"a table of sections past the end", "p520n", elf_table_outside, "container", SKIP_ERR_VERIFY, "aocx", "has no room"},
	{"an ELF file of no class", "p520n", elf_class, "container", SKIP_ERR_VERIFY, "aocx", "neither 32 nor 64"},
	{"half an ELF header", "p520n", elf_cut, "container", SKIP_ERR_VERIFY, "aocx", "the file has 20"},
	{"an emulator's file for a board", "p520n", emulator_file, "mode", SKIP_ERR_VERIFY, "hardware", "emulated"},
	{"a simulator's file for a board", "p520n", simulator_file, "mode", SKIP_ERR_VERIFY, "hardware", "simulated"},
	{"hw_emu for a board", "u280", hw_emu_file, "mode", SKIP_ERR_VERIFY, "hardware", "emulated"},
	{"sw_emu for a board", "u280", sw_emu_file, "mode", SKIP_ERR_VERIFY, "hardware", "emulated"},
	{"a mode nobody knows", "u280", unknown_mode, "mode", SKIP_ERR_VERIFY, "hardware", "unknown"},
	{"a board's file on an emulation", "p520n", on_emulator, "mode", SKIP_ERR_VERIFY, "emulated", "hardware"},
	{"an emulated one on a board", "intel_fpga_emulator", on_board, "mode", SKIP_ERR_VERIFY, "hardware", "emulated"},
	{"another board", "u280", on_other_board, "board", SKIP_ERR_VERIFY, "u250", "u280"},
	{"another board package", "p520n", other_bsp, "board", SKIP_ERR_VERIFY, "p520_hpc_sg280l", "p520_max_sg280l"},
	{"another platform", "u280", other_platform, "board", SKIP_ERR_VERIFY, "xilinx_u280", "xilinx_u250"},
	{"another shell", "u280", other_shell, "shell", SKIP_ERR_VERIFY, "another", "xilinx_u280"},
	{"a later aoc", "p520n", late_aoc, "toolchain", SKIP_ERR_VERIFY, "aoc 19.1 to 22.4", "23.1.0 Build 1"},
	{"an earlier v++", "u280", early_vpp, "toolchain", SKIP_ERR_VERIFY, "v++ 2020.1 to 2023.1, v++ 2023.2 to 2025.1", "2019.2"},
	{"another runtime", "intel_fpga_emulator", other_driver, "toolchain", SKIP_ERR_VERIFY, "Some Platform, 1.3", RUNTIME},
	{"a kernel less", "p520n", kernel_missing, "kernels", SKIP_ERR_VERIFY, "", "no such kernel"},
	{"a kernel more", "u280", kernel_more, "kernels", SKIP_ERR_VERIFY, "", ""},
	{"an argument less", "u280", arg_missing, "arguments", SKIP_ERR_VERIFY, "", "arguments in the file"},
	{"an argument of another name", "p520n", arg_renamed, "arguments", SKIP_ERR_VERIFY, "argument 0: pointer", "argument 0: pointer another"},
	{"an argument of another kind", "u280", arg_of_other_kind, "arguments", SKIP_ERR_VERIFY, "argument 0: pointer", "argument 0: int"},
	{"the other form of channels", "p520n", other_channels, "channels", SKIP_ERR_VERIFY, "each engine one kernel", "kernels joined by channels"},
	{"another type", "u280", other_dtype, "dtype", SKIP_ERR_VERIFY, "int8", "f32"},
	{"another depth", "u280", other_layers, "dims", SKIP_ERR_VERIFY, "layers 61", "layers "},
	{"another width", "p520n", other_width, "dims", SKIP_ERR_VERIFY, "model_width 7", "model_width 32"},
	{"another form", "p520n", other_form, "form", SKIP_ERR_VERIFY, "outputs 64", "outputs "},
	{"another text of a kernel", "u280", other_text, "text", SKIP_ERR_VERIFY, "0123", ""},
	{"another hash within", "u280", other_embedded, "embedded", SKIP_ERR_VERIFY, "", "0123"},
	{"an edited manifest", "u280", manifest_edited, "hash", SKIP_ERR_VERIFY, "", "hash of the manifest"},
	{"anything else", "u280", other_options, "hash", SKIP_ERR_VERIFY, "", ""},
};

ParameterizedTestParameters(checks, each_fails_by_itself) { return check_rows(sizeof(kinds) / sizeof(kinds[0])); }
ParameterizedTest(size_t *row, checks, each_fails_by_itself)
{
	const struct kind *k = &kinds[*row];
	struct skip_err err;
	struct scene s;
	char line[64];
	begin(&s, k->board);
	CHECK_OK(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err));
	k->spoil(&s);
	CHECK_FAILS(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err), k->status);
	snprintf(line, sizeof(line), "check '%s' failed\n", k->check);
	const char *expected = strstr(err.message, "\n    expected    "), *found = strstr(err.message, "\n    found       "), *make = strstr(err.message, "\n    make it     ");
	cr_assert(strncmp(err.message, line, strlen(line)) == 0, "%s: %s", k->name, err.message);
	cr_assert(expected && found && make && expected < found && found < make, "%s: %s", k->name, err.message);
	const char *is = strstr(expected, k->expected), *was = strstr(found, k->found);
	cr_expect(is && is < found, "%s: expected '%s' in: %s", k->name, k->expected, err.message);
	cr_expect(was && was < make, "%s: found '%s' in: %s", k->name, k->found, err.message);
	cr_expect(strstr(make, s.want.profile && !skip_profile_is_board(s.want.profile) ? "skip bitstream build lib net.skip --device intel_fpga_emulator" : "skip emit net.skip --board ") != NULL, "%s", make);
	cr_expect(strncmp(err.file, "lib/", 4) == 0 && strstr(err.file, s.entry.file) != NULL, "%s", err.file);
	no_platform_is_loaded();
	end(&s);
}

Test(checks, the_table_has_all_of_them)
{
	for (size_t i = 0; skip_bitstream_checks[i]; i++) {
		bool tested = false;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) tested |= strcmp(kinds[k].check, skip_bitstream_checks[i]) == 0;
		cr_expect(tested, "check '%s' has no test", skip_bitstream_checks[i]);
	}
}

/* With all faults at once the first check speaks. */
Test(checks, come_in_their_order)
{
	struct skip_err err;
	struct scene s;
	begin(&s, "u280");
	other_text(&s);
	other_dtype(&s);
	other_platform(&s);
	one_bit(&s);
	CHECK_FAILS(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err), SKIP_ERR_VERIFY);
	cr_expect(strncmp(err.message, "check 'sha256'", 14) == 0, "%s", err.message);
	sign(&s);
	CHECK_FAILS(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err), SKIP_ERR_VERIFY);
	cr_expect(strncmp(err.message, "check 'board'", 13) == 0 || strncmp(err.message, "check 'container'", 17) == 0, "%s", err.message);
	end(&s);
}

Test(checks, a_shell_goes_by_its_other_names)
{
	struct skip_err err;
	struct scene s;
	begin(&s, "u280");
	s.says.board = "xilinx:u280:xdma:201920.3";
	make_bytes(&s);
	sign(&s);
	CHECK_OK(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err));
	s.want.set = NULL; /* of an entry by itself nothing more is asked */
	CHECK_OK(skip_bitstream_check(&s.entry, s.bytes.data, s.bytes.length, &s.want, &err));
	end(&s);
}

/* ---- what files say ---- */

Test(binary, says_what_was_built)
{
	struct skip_err err;
	struct scene s;
	struct skip_binary binary;
	begin(&s, "u280");
	CHECK_OK(skip_binary_read(s.bytes.data, s.bytes.length, &binary, &err));
	cr_expect(binary.container == SKIP_CONTAINER_XCLBIN && binary.mode == SKIP_MODE_HARDWARE && binary.clock_mhz == 236);
	cr_expect_str_eq(binary.board, "xilinx_u280_gen3x16_xdma_1_202211_1");
	cr_expect_str_eq(binary.version, "2022.2");
	cr_expect_str_eq(binary.uuid, "abababababababababababababababab");
	cr_expect_str_eq(binary.manifest_hash, s.set.hash);
	cr_expect(binary.n_kernels == json_array_size(json_object_get(s.set.manifest, "kernels")) && binary.n_kernels > 4);
	skip_binary_deinit(&binary);
	end(&s);
	begin(&s, "p520n");
	CHECK_OK(skip_binary_read(s.bytes.data, s.bytes.length, &binary, &err));
	cr_expect(binary.container == SKIP_CONTAINER_AOCX && binary.mode == SKIP_MODE_HARDWARE && binary.clock_mhz == 273.5);
	cr_expect_str_eq(binary.board, "p520_hpc_sg280l");
	cr_expect_str_eq(binary.version, "20.4.0 Build 72");
	skip_binary_deinit(&binary);
	end(&s);
}

/* Every prefix, and every byte set to 255, is read or refused; the sanitizers look on. */
Test(binary, survives_any_damage)
{
	static const char *const boards[] = {"u280", "p520n"};
	for (int b = 0; b < 2; b++) {
		struct scene s;
		struct skip_binary binary;
		begin(&s, boards[b]);
		for (size_t i = 0; i < s.bytes.length; i += i < 1200 ? 1 : 37) {
			unsigned char *copy = skip_alloc_array(s.bytes.length, 1);
			memcpy(copy, s.bytes.data, s.bytes.length);
			(void)skip_binary_read(copy, i, &binary, NULL);
			skip_binary_deinit(&binary);
			copy[i] = 255;
			(void)skip_binary_read(copy, s.bytes.length, &binary, NULL);
			skip_binary_deinit(&binary);
			skip_free(copy);
		}
		end(&s);
	}
}

Test(binary, every_allocation_may_fail)
{
	struct skip_err err;
	struct scene s;
	struct skip_binary binary;
	enum skip_status status = SKIP_ERR_NOMEM;
	int n = 0;
	begin(&s, "u280");
	while (status != SKIP_OK && n < 10000) {
		skip_err_init(&err);
		skip_alloc_fail_at((size_t)++n);
		status = skip_binary_read(s.bytes.data, s.bytes.length, &binary, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %d: %s", n, err.message);
		skip_binary_deinit(&binary);
	}
	cr_expect(status == SKIP_OK && n > 3, "%d allocations", n);
	end(&s);
}

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
	emulator_file(&s);
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

static enum skip_status plan_for(const char *profile, enum skip_precision precision, struct skip_plan **plan, struct skip_err *err)
{
	int value;
	struct skip_graph *graph = network(precision, &value);
	const struct skip_bitstream_want want = {.profile = profile_of(profile), .library = "lib", .source = "net.skip"};
	enum skip_status status = skip_bitstream_plan(graph, &value, 1, &want, plan, err);
	skip_graph_destroy(graph);
	return status;
}

Test(plan, gets_its_program_in_whatever_form_it_was_built)
{
	struct skip_err err;
	struct scene s;
	struct skip_plan *plan = NULL;
	const char *work = work_folder();
	struct skip_profile wide = *profile_of("p520n");
	wide.nv = 4;
	begin(&s, "p520n");
	skip_kernel_set_deinit(&s.set);
	s.set = set_for(&wide, SKIP_PRECISION_F32);
	make_bytes(&s);
	CHECK_FAILS(plan_for("p520n", SKIP_PRECISION_F32, &plan, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "check 'library' failed") && strstr(err.message, "none (0 entries)") && strstr(err.message, "skip emit net.skip --board p520n --dtype f32 --fit"), "%s", err.message);
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, "aoc 20.4", &err));
	CHECK_OK(plan_for("p520n", SKIP_PRECISION_F32, &plan, &err));
	cr_expect(plan->programs[0].binary.length == s.bytes.length && memcmp(plan->programs[0].binary.data, s.bytes.data, s.bytes.length) == 0);
	skip_plan_destroy(plan);
	CHECK_FAILS(plan_for("p520n", SKIP_PRECISION_INT8, &plan, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "nearest     ") && strstr(err.message, "differs in dtype") && strstr(err.message, s.set.name), "%s", err.message);
	CHECK_FAILS(plan_for("u280", SKIP_PRECISION_F32, &plan, &err), SKIP_ERR_INPUT);
	end(&s);
	remove_work(work);
	no_platform_is_loaded();
}

Test(plan, a_damaged_program_is_refused_and_moved_aside)
{
	struct skip_err err;
	struct scene s;
	struct skip_plan *plan = NULL;
	char path[1400];
	const char *work = work_folder();
	begin(&s, "intel_fpga_emulator");
	CHECK_OK(skip_library_add("lib", &s.set, s.bytes.data, s.bytes.length, RUNTIME, &err));
	CHECK_OK(plan_for("intel_fpga_emulator", SKIP_PRECISION_F32, &plan, &err));
	skip_plan_destroy(plan);
	snprintf(path, sizeof(path), "%s/%s", s.entry.folder, s.entry.file);
	write_text(path, "something else of this len..");
	CHECK_FAILS(plan_for("intel_fpga_emulator", SKIP_PRECISION_F32, &plan, &err), SKIP_ERR_VERIFY);
	cr_expect(strstr(err.message, "skip bitstream build lib net.skip --device intel_fpga_emulator --dtype f32") != NULL, "%s", err.message);
	CHECK_FAILS(plan_for("intel_fpga_emulator", SKIP_PRECISION_F32, &plan, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "none (0 entries)") != NULL, "%s", err.message);
	end(&s);
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
