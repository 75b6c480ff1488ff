/* Board files of FPGA boards: the set, its figures and their sources, and what is refused. Matching and merging: test_profile.c. */
#include "check.h"
#include "device/profile/board.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct skip_profiles *load(const char *folder)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	return profiles;
}

static struct skip_board board_of(const struct skip_profiles *profiles, const char *id)
{
	struct skip_err err;
	struct skip_board board;
	const struct skip_profile *profile = skip_profiles_find(profiles, id);
	cr_assert(profile != NULL && skip_profile_is_board(profile), "no board '%s'", id);
	CHECK_OK(skip_board_read(profile, &board, &err));
	return board;
}

Test(board, the_set)
{
	static const char *const ids[] = {"a10gx", "de10_pro", "de5a_net_ddr4", "ecp5_85", "ia840f", "kv260", "n6001",       "p520n", "p520n_mx", "pac_a10",
	                                  "pac_d5005", "u200", "u200_201830",   "u250",   "u280",  "u50",         "u55c",  "vck5000"};
	struct skip_profiles *profiles = load(NULL);
	size_t n = 0;
	for (size_t i = 0; i < skip_profiles_count(profiles); i++) {
		const struct skip_profile *profile = skip_profiles_at(profiles, i);
		if (!skip_profile_is_board(profile)) continue;
		cr_assert(n < sizeof(ids) / sizeof(ids[0]) && !strcmp(profile->id, ids[n]), "%s", profile->id);
		cr_expect(strchr(profile->id, '-') == NULL, "%s: the name of a bitstream splits at '-'", profile->id);
		struct skip_board board = board_of(profiles, profile->id);
		cr_expect(board.part[0] && board.shell[0] && board.n_toolchains >= 1 && board.n_memories >= 1, "%s", profile->id);
		n++;
	}
	cr_expect(n == sizeof(ids) / sizeof(ids[0]), "%zu boards", n);
	cr_expect(skip_profile_is_board(skip_profiles_find(profiles, "fpga-generic")) == false);
	cr_expect(skip_profile_is_board(skip_profiles_find(profiles, "generic")) == false);
	skip_profiles_destroy(profiles);
}

struct figure_case {
	const char *id;
	enum skip_resource resource;
	const char *unit;
	double total, shell;
	bool verified;
};

Test(board, figures_are_those_of_the_documents)
{
	static const struct figure_case cases[] = {
		{"u50", SKIP_RESOURCE_LOGIC, "lut", 742560, 0, true},       {"u50", SKIP_RESOURCE_DSP, "dsp", 5352, 0, true},
		{"u55c", SKIP_RESOURCE_BRAM, "bram18", 3552, 0, true},      {"u200", SKIP_RESOURCE_BRAM, "bram36", 1860, 0, true},
		{"u200_201830", SKIP_RESOURCE_DSP, "dsp", 6833, 0, true},   {"u250", SKIP_RESOURCE_URAM, "uram", 1280, 0, true},
		{"u280", SKIP_RESOURCE_DSP, "dsp", 8496, 0, true},          {"kv260", SKIP_RESOURCE_LOGIC, "lut", 117120, 0, true},
		{"kv260", SKIP_RESOURCE_FF, "ff", 234240, 0, false},        {"vck5000", SKIP_RESOURCE_DSP, "dsp", 1968, 0, false},
		{"a10gx", SKIP_RESOURCE_BRAM, "m20k", 2713, 0, true},       {"pac_d5005", SKIP_RESOURCE_LOGIC, "alm", 933120, 233396, true},
		{"pac_d5005", SKIP_RESOURCE_BRAM, "m20k", 11721, 3039, true}, {"p520n_mx", SKIP_RESOURCE_DSP, "dsp", 3960, 0, true},
		{"p520n_mx", SKIP_RESOURCE_LOGIC, "alm", 702720, 0, false}, {"n6001", SKIP_RESOURCE_DSP, "dsp", 4510, 2284, true},
		{"ia840f", SKIP_RESOURCE_LOGIC, "alm", 912800, 0, false},
	};
	struct skip_profiles *profiles = load(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct figure_case *c = &cases[i];
		struct skip_board board = board_of(profiles, c->id);
		const struct skip_figure *total = &board.total[c->resource];
		cr_expect(board.unit[c->resource] && !strcmp(board.unit[c->resource], c->unit), "%s: %s", c->id, c->unit);
		cr_expect(total->value == c->total && total->verified == c->verified && board.shell_used[c->resource].value == c->shell, "%s %s: %g, %s", c->id, c->unit,
			  total->value, total->verified ? "verified" : "unverified");
		cr_expect(strstr(total->pointer, c->unit) != NULL, "%s", total->pointer);
	}
	skip_profiles_destroy(profiles);
}

Test(board, a_board_is_known_by_what_a_binary_was_built_for)
{
	static const struct {
		const char *embedded, *id;
	} cases[] = {
		{"p520_hpc_sg280l", "p520n"},          {"p520_hpc_m210h_g3x16", "p520n_mx"}, {"xilinx_u280_xdma_201920_3", "u280"}, {"pac_s10_usm", "pac_d5005"},
		{"xilinx_u250_gen3x16_xdma_shell_4_1", "u250"}, {"de5a_net_e1", "de5a_net_ddr4"}, {"xilinx_u99", "generic"}, {"", "generic"},
	};
	struct skip_profiles *profiles = load(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_err err;
		struct skip_device_facts facts = {.type = "accel", .platform = "p", .name = "n"};
		const struct skip_profile *profile = NULL;
		snprintf(facts.embedded_board, sizeof(facts.embedded_board), "%s", cases[i].embedded);
		CHECK_OK(skip_profiles_match(profiles, &facts, &profile, &err));
		cr_expect(strcmp(profile->id, cases[i].id) == 0, "%s is %s", cases[i].embedded, profile->id);
	}
	skip_profiles_destroy(profiles);
}

/* A small board that is right; each case below changes one thing of it. */
#define PART "\"fpga\":{\"part\":\"p\",\"shell\":\"s\"}"
#define TOTAL "\"total\":{\"lut\":100,\"dsp\":10,\"bram18\":4}"
#define MEMORY "\"memory\":[{\"kind\":\"ddr4\",\"name\":\"DDR\",\"banks\":1,\"width_bits\":512,\"gbps_per_bank\":19,\"efficiency\":0.8}]"
#define BOARD(parts) "{\"schema\":1,\"id\":\"x\",\"title\":\"X\",\"kind\":\"fpga\",\"extends\":\"fpga-amd\"," parts "}"
#define RESOURCES(parts) BOARD(PART ",\"resources\":{" parts "}," MEMORY)

static char folder[256];

static void copy_parents(void)
{
	char command[700];
	snprintf(folder, sizeof(folder), "%s/board-test-XXXXXX", getenv("SKIP_TEST_BINARY"));
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(command, sizeof(command), "cp '%s'/boards/generic.json '%s'/boards/fpga-generic.json '%s'/boards/fpga-amd.json '%s'", getenv("SKIP_TEST_SOURCE"),
		 getenv("SKIP_TEST_SOURCE"), getenv("SKIP_TEST_SOURCE"), folder);
	cr_assert(system(command) == 0);
}

static void put(const char *text)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/x.json", folder);
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (folder[0]) cr_expect(system(command) == 0);
}

Test(board, wrong_boards_are_refused, .fini = remove_folder)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{BOARD("\"resources\":{" TOTAL "}," MEMORY), "\"part\""},
		{BOARD("\"fpga\":{\"part\":\"p\"},\"resources\":{" TOTAL "}," MEMORY), "\"shell\""},
		{BOARD(PART ",\"resources\":{" TOTAL "}"), "\"memory\""},
		{BOARD("\"fpga\":{\"colour\":1}"), "\"fpga.colour\": unknown field"},
		{BOARD("\"fpga\":7"), "\"/fpga\": expected an object"},
		{BOARD("\"fpga\":{\"part\":\"p\",\"shell\":\"s\",\"dsp\":{\"int8_macs\":0}},\"resources\":{" TOTAL "}," MEMORY), "\"/fpga/dsp/int8_macs\""},
		{BOARD("\"fpga\":{\"part\":\"p\",\"shell\":\"s\",\"clock\":{\"default_mhz\":\"fast\"}},\"resources\":{" TOTAL "}," MEMORY), "\"/fpga/clock/default_mhz\": expected a number"},
		{BOARD("\"fpga\":{\"part\":\"p\",\"shell\":\"s\",\"clock\":{\"default_mhz\":600}},\"resources\":{" TOTAL "}," MEMORY), "above max_mhz"},
		{BOARD("\"numeric\":{\"digits\":3}"), "\"numeric.digits\": unknown field"},
		{RESOURCES(TOTAL ",\"region\":\"shell\""), "\"resources.region\""},
		{RESOURCES("\"total\":{\"lut\":100,\"dsp\":10,\"bram\":4}"), "no such unit"},
		{RESOURCES("\"total\":{\"lut\":100,\"alm\":10,\"dsp\":1,\"m20k\":4}"), "counts in \"lut\""},
		{RESOURCES("\"total\":{\"lut\":100,\"bram18\":4}"), "\"resources.total\": no dsp"},
		{RESOURCES("\"total\":{\"lut\":-1,\"dsp\":10,\"bram18\":4}"), "\"/resources/total/lut\""},
		{RESOURCES(TOTAL ",\"shell_used\":{\"lut\":5}"), "\"resources.shell_used\""},
		{RESOURCES(TOTAL ",\"region\":\"die\",\"shell_used\":{\"uram\":5}"), "the board's total has none"},
		{RESOURCES(TOTAL ",\"usable_fraction\":{\"dsp\":1.5}"), "\"/resources/usable_fraction/dsp\""},
		{RESOURCES(TOTAL ",\"slr\":[{\"name\":\"A\",\"lut\":60},{\"name\":\"B\",\"lut\":41}]"), "add up to 101, the total is 100"},
		{RESOURCES(TOTAL ",\"slr\":[{\"lut\":100}]"), "\"resources.slr[0].name\""},
		{RESOURCES(TOTAL ",\"slr\":[{\"name\":\"A\",\"lut\":100,\"m20k\":4}]"), "counts in \"bram18\""},
		{RESOURCES(TOTAL ",\"slr\":[{\"name\":\"A\",\"lut\":60},{\"name\":\"B\",\"lut\":40}],\"sll_budget\":[1,2]"), "\"resources.sll_budget\""},
		{BOARD(PART ",\"resources\":{" TOTAL "},\"memory\":[{\"kind\":\"ddr4\"}]"), "\"memory[0].name\""},
		{BOARD(PART ",\"resources\":{" TOTAL "},\"memory\":[{\"kind\":\"ddr4\",\"name\":\"DDR\",\"banks\":1,\"speed\":2}]"), "\"memory[0].speed\": unknown field"},
		{BOARD(PART ",\"resources\":{" TOTAL "},\"memory\":[{\"kind\":\"ddr4\",\"name\":\"DDR\",\"banks\":0}]"), "\"/memory/0/banks\""},
		{BOARD(PART ",\"compile\":{\"toolchain\":[{\"name\":\"v\",\"min\":\"1\",\"max\":\"2\",\"source_kind\":\"vhdl\",\"target_macro\":\"M\"}]},\"resources\":{" TOTAL "}," MEMORY), "source_kind\": expected \"cl\", \"hls_cpp\" or \"sv\""},
		{BOARD(PART ",\"compile\":{\"toolchain\":[{\"name\":\"v\",\"min\":\"1\",\"max\":\"2\",\"source_kind\":\"cl\",\"target_macro\":\"M\",\"flags\":{\"report\":[]}}]},\"resources\":{" TOTAL "}," MEMORY), "flags.emulate"},
	};
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	copy_parents();
	put(BOARD(PART ",\"resources\":{" TOTAL "}," MEMORY));
	profiles = load(folder);
	cr_assert(skip_profile_is_board(skip_profiles_find(profiles, "x")));
	skip_profiles_destroy(profiles);
	put(RESOURCES(TOTAL ",\"note\":\"one region is the shell's\",\"slr\":[{\"name\":\"A\",\"lut\":60},{\"name\":\"B\",\"lut\":30}]"));
	profiles = load(folder);
	skip_profiles_destroy(profiles);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		profiles = NULL;
		put(cases[i].text);
		CHECK_FAILS(skip_profiles_load(folder, &profiles, &err), SKIP_ERR_INPUT);
		cr_expect(profiles == NULL && strstr(err.file, "/x.json") != NULL, "%s: file is \"%s\"", cases[i].text, err.file);
		cr_expect(strstr(err.message, cases[i].says) != NULL, "%s: %s", cases[i].text, err.message);
	}
}
