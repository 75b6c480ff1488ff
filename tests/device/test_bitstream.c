/*
 * Built programs: what files say of themselves, and every check with a file or an entry that fails it and nothing before it. Files are made in the documented
 * layouts; no board, no tool, and, which every test looks at, no OpenCL.
 */
#include "bitstream_scene.h"

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
		if (strcmp(skip_bitstream_checks[i], SKIP_BITSTREAM_ANSWER) == 0) continue; /* asks a device: test_answer.c */
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
