/* Reading of board files: see board.h. Every number goes through `figure`, which finds out whether a source vouches for it. */
#include "device/profile/internal.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const class_names[SKIP_RESOURCE_COUNT] = {"lut", "ff", "dsp", "bram", "uram"};

/* Units of the classes. */
static const struct unit {
	const char *name;
	enum skip_resource resource;
	enum skip_block block;
} units[] = {
    {"lut", SKIP_RESOURCE_LOGIC, 0},
    {"alm", SKIP_RESOURCE_LOGIC, 0},
    {"ff", SKIP_RESOURCE_FF, 0},
    {"dsp", SKIP_RESOURCE_DSP, 0},
    {"bram18", SKIP_RESOURCE_BRAM, SKIP_BLOCK_BRAM18},
    {"bram36", SKIP_RESOURCE_BRAM, SKIP_BLOCK_BRAM36},
    {"m20k", SKIP_RESOURCE_BRAM, SKIP_BLOCK_M20K},
    {"uram", SKIP_RESOURCE_URAM, SKIP_BLOCK_URAM},
};

/* The objects of a board and what may stand in them; lists of objects are checked where they are read. */
static const struct object {
	const char *pointer, *where;
	const char *known[12];
} objects[] = {
    {"/fpga", "fpga.", {"part", "shell", "shell_aliases", "dsp", "clock", "cost", NULL}},
    {"/fpga/dsp", "fpga.dsp.", {"type", "int8_macs", "fp32_dsps_per_mac", NULL}},
    {"/fpga/clock", "fpga.clock.", {"default_mhz", "max_mhz", NULL}},
    {"/fpga/cost", "fpga.cost.", {"lut_per_port", "lut_per_stage", "lut_control", "lut_per_lane_f32", "lut_per_lane_int8", NULL}},
    {"/resources", "resources.", {"region", "total", "shell_used", "usable_fraction", "slr", "sll_budget", "note", NULL}},
    {"/resources/usable_fraction", "resources.usable_fraction.", {"lut", "ff", "dsp", "bram", "uram", NULL}},
    {"/host", "host.", {"align", "dma_align", "pcie", "measured", "launch_us", NULL}},
    {"/host/measured", "host.measured.", {"read", "write", NULL}},
    {"/numeric", "numeric.", {"fma", "ieee_mul", "denormals", "fp32_accumulate_latency", "tolerance", NULL}},
};

/* Numbers that every board has, its own or its parents'. */
static const struct scalar {
	const char *pointer;
	size_t offset;
	double min, max;
} scalars[] = {
    {"/fpga/dsp/int8_macs", offsetof(struct skip_board, int8_macs), 1, 16},
    {"/fpga/dsp/fp32_dsps_per_mac", offsetof(struct skip_board, fp32_dsps), 0.25, 16},
    {"/fpga/clock/default_mhz", offsetof(struct skip_board, default_mhz), 10, 2000},
    {"/fpga/clock/max_mhz", offsetof(struct skip_board, max_mhz), 10, 2000},
    {"/fpga/cost/lut_per_port", offsetof(struct skip_board, lut_port), 0, 1e6},
    {"/fpga/cost/lut_per_stage", offsetof(struct skip_board, lut_stage), 0, 1e6},
    {"/fpga/cost/lut_control", offsetof(struct skip_board, lut_control), 0, 1e6},
    {"/fpga/cost/lut_per_lane_f32", offsetof(struct skip_board, lut_lane[0]), 1, 1e5},
    {"/fpga/cost/lut_per_lane_int8", offsetof(struct skip_board, lut_lane[1]), 1, 1e5},
    {"/host/align", offsetof(struct skip_board, align), 1, 1 << 20},
    {"/host/launch_us", offsetof(struct skip_board, launch_us), 0, 1e6},
    {"/numeric/fp32_accumulate_latency", offsetof(struct skip_board, accumulate_latency), 1, 64},
};

const char *skip_resource_name(enum skip_resource resource)
{
	return class_names[resource];
}

bool skip_profile_is_rtl(const struct skip_profile *profile)
{
	const char *kind = json_string_value(skip_profile_at(profile->json, "/compile/toolchain/0/source_kind"));
	return kind && strcmp(kind, "sv") == 0;
}

bool skip_board_is_rtl(const struct skip_board *board)
{
	return skip_profile_is_rtl(board->profile);
}

bool skip_board_memory_has_ranges(const struct skip_board_memory *memory)
{
	return strncmp(memory->kind, "hbm", 3) == 0;
}

bool skip_profile_is_board(const struct skip_profile *profile)
{
	return profile->kind == SKIP_PROFILE_FPGA && json_is_object(skip_profile_at(profile->json, "/resources/total"));
}

bool skip_profile_has_engines(const struct skip_profile *profile) { return strcmp(profile->variants[0], "fpga") == 0; }

static enum skip_status figure(const json_t *document, const char *pointer, double min, double max, struct skip_figure *out, struct skip_err *err)
{
	const json_t *value = skip_profile_at(document, pointer);
	const char *status = json_string_value(json_object_get(json_object_get(json_object_get(document, "provenance"), pointer), "status"));
	if (!json_is_number(value)) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected a number", pointer);
	double number = json_number_value(value);
	if (!(number >= min && number <= max)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected a number from %g to %g, found %g", pointer, min, max, number);
	}
	*out = (struct skip_figure){.value = number, .verified = status && strcmp(status, "verified") == 0};
	snprintf(out->pointer, sizeof(out->pointer), "%s", pointer);
	return SKIP_OK;
}

static enum skip_status check_objects(const json_t *document, struct skip_err *err)
{
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		const json_t *object = skip_profile_at(document, objects[i].pointer);
		if (!object) continue;
		if (!json_is_object(object)) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected an object", objects[i].pointer);
		enum skip_status status = skip_profile_check_fields(object, objects[i].where, objects[i].known, err);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
}

/* Counts of resources at `pointer`; with `known` only those that are there, else a chip's whole list, which sets units and block. */
static enum skip_status read_amounts(const json_t *document, const char *pointer, struct skip_figure *out, bool *known, struct skip_board *board,
                                     struct skip_err *err)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)skip_profile_at(document, pointer), key, value)
	{
		char path[96];
		size_t u = 0, n = sizeof(units) / sizeof(units[0]);
		while (u < n && strcmp(units[u].name, key) != 0) u++;
		snprintf(path, sizeof(path), "%s/%.40s", pointer, key);
		if (known && (strcmp(key, "name") == 0 || strcmp(key, "mem") == 0)) continue;
		if (u == n) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": no such unit; there are lut, alm, ff, dsp, bram18, bram36, m20k, uram", path);
		const struct unit *unit = &units[u];
		const char **name = &board->unit[unit->resource];
		if (*name && strcmp(*name, unit->name) != 0) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": the same board counts in \"%s\"", path, *name);
		}
		if (!*name && known) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": the board's total has none", path);
		*name = unit->name;
		if (unit->resource == SKIP_RESOURCE_BRAM) board->block = unit->block;
		enum skip_status status = figure(document, path, 0, 1e8, &out[unit->resource], err);
		if (status != SKIP_OK) return status;
		if (known) known[unit->resource] = true;
	}
	return SKIP_OK;
}

/* Regions that all count a resource have to add up to the chip, or a note says why not. */
static enum skip_status check_sums(const struct skip_board *board, struct skip_err *err)
{
	for (int r = 0; r < SKIP_RESOURCE_COUNT && !board->note[0]; r++) {
		double sum = 0;
		int counted = 0;
		for (int s = 0; s < board->n_regions; s++) {
			sum += board->region[s].known[r] ? board->region[s].amount[r].value : 0;
			counted += board->region[s].known[r];
		}
		if (counted < board->n_regions || counted == 0 || sum == board->total[r].value) continue;
		return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.slr\": its %s add up to %.0f, the total is %.0f; \"resources.note\" has to say why",
		                    board->unit[r], sum, board->total[r].value);
	}
	return SKIP_OK;
}

static enum skip_status read_regions(const json_t *document, struct skip_board *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const json_t *list = skip_profile_at(document, "/resources/slr"), *sll = skip_profile_at(document, "/resources/sll_budget");
	size_t n = json_array_size(list);
	if (n > SKIP_BOARD_REGIONS) return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.slr\": at most %d regions", SKIP_BOARD_REGIONS);
	for (size_t i = 0; i < n; i++) {
		struct skip_board_region *region = &out->region[i];
		const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));
		char pointer[48];
		if (!name || !name[0]) return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.slr[%zu].name\": expected a string", i);
		snprintf(region->name, sizeof(region->name), "%s", name);
		snprintf(pointer, sizeof(pointer), "/resources/slr/%zu", i);
		SKIP_TRY(read_amounts(document, pointer, region->amount, region->known, out, err));
	}
	out->n_regions = (int)n;
	if (sll && json_array_size(sll) + 1 != n) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.sll_budget\": expected one number between each two regions");
	}
	for (size_t i = 0; i < json_array_size(sll); i++) {
		char pointer[48];
		snprintf(pointer, sizeof(pointer), "/resources/sll_budget/%zu", i);
		SKIP_TRY(figure(document, pointer, 1, 1e6, &out->sll[i], err));
	}
	status = check_sums(out, err);
cleanup:
	return status;
}

static enum skip_status read_resources(const json_t *document, struct skip_board *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *region = json_string_value(skip_profile_at(document, "/resources/region"));
	const char *note = json_string_value(skip_profile_at(document, "/resources/note"));
	if (!region || (strcmp(region, "kernel") != 0 && strcmp(region, "die") != 0)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.region\": expected \"kernel\" or \"die\"");
	}
	out->die = strcmp(region, "die") == 0;
	out->note = note ? note : "";
	SKIP_TRY(read_amounts(document, "/resources/total", out->total, NULL, out, err));
	bool shell_known[SKIP_RESOURCE_COUNT] = {false};
	SKIP_TRY(read_amounts(document, "/resources/shell_used", out->shell_used, shell_known, out, err));
	if (!out->die && json_object_size(skip_profile_at(document, "/resources/shell_used")) > 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.shell_used\": a region \"kernel\" has the shell taken off already");
	}
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		char pointer[48];
		snprintf(pointer, sizeof(pointer), "/resources/usable_fraction/%s", class_names[r]);
		SKIP_TRY(figure(document, pointer, 0.01, 1, &out->usable[r], err));
	}
	for (int r = SKIP_RESOURCE_LOGIC; r <= SKIP_RESOURCE_BRAM; r++) {
		if (out->unit[r] || r == SKIP_RESOURCE_FF) continue;
		return skip_err_set(err, SKIP_ERR_INPUT, "\"resources.total\": no %s", class_names[r]);
	}
	status = read_regions(document, out, err);
cleanup:
	return status;
}

static enum skip_status read_memory(const json_t *document, size_t index, struct skip_board_memory *out, struct skip_err *err)
{
	static const char *const known[] = {"kind", "name", "banks", "bytes_per_bank", "width_bits", "gbps_per_bank", "max_burst", "efficiency", "tag_link", "tag_kernel", "host_flag", NULL};
	const struct {
		const char *key;
		double min, max;
		struct skip_figure *out;
	} numbers[] = {
	    {"banks", 1, 64, &out->banks},
	    {"gbps_per_bank", 0.1, 2000, &out->gbps_per_bank},
	    {"efficiency", 0.05, 1, &out->efficiency},
	    {"width_bits", 8, 4096, &out->width_bits},
	};
	const struct {
		const char *key;
		char *out;
		size_t size;
		bool needed;
	} texts[] = {
	    {"kind", out->kind, sizeof(out->kind), true},
	    {"name", out->name, sizeof(out->name), true},
	    {"tag_link", out->tag_link, sizeof(out->tag_link), false},
	    {"tag_kernel", out->tag_kernel, sizeof(out->tag_kernel), false},
	};
	enum skip_status status = SKIP_OK;
	char where[32], pointer[64];
	snprintf(where, sizeof(where), "memory[%zu].", index);
	snprintf(pointer, sizeof(pointer), "/memory/%zu", index);
	const json_t *memory = skip_profile_at(document, pointer);
	SKIP_TRY(skip_profile_check_fields(memory, where, known, err));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *value = json_object_get(memory, texts[i].key);
		const char *text = json_string_value(value);
		if ((value || texts[i].needed) && (!text || !text[0] || strlen(text) >= texts[i].size)) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"%s%s\": expected a string of 1 to %zu characters", where, texts[i].key, texts[i].size - 1);
		}
		if (text) memcpy(texts[i].out, text, strlen(text) + 1);
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(pointer, sizeof(pointer), "/memory/%zu/%s", index, numbers[i].key);
		SKIP_TRY(figure(document, pointer, numbers[i].min, numbers[i].max, numbers[i].out, err));
	}
cleanup:
	return status;
}

static enum skip_status read_memories(const json_t *document, struct skip_board *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t n = json_array_size(json_object_get(document, "memory"));
	if (n == 0 || n > SKIP_BOARD_MEMORIES) return skip_err_set(err, SKIP_ERR_INPUT, "\"memory\": expected 1 to %d memories", SKIP_BOARD_MEMORIES);
	for (size_t i = 0; i < n; i++) SKIP_TRY(read_memory(document, i, &out->memory[i], err));
	out->n_memories = (int)n;
cleanup:
	return status;
}

static enum skip_status read_flags(const json_t *flags, size_t index, struct skip_err *err)
{
	static const char *const steps[] = {"emulate", "report", "hardware", NULL};
	for (int s = 0; steps[s]; s++) {
		const json_t *list = json_object_get(flags, steps[s]);
		bool good = json_is_array(list);
		for (size_t i = 0; i < json_array_size(list); i++) good &= json_is_string(json_array_get(list, i));
		if (!good) return skip_err_set(err, SKIP_ERR_INPUT, "\"compile.toolchain[%zu].flags.%s\": expected an array of strings", index, steps[s]);
	}
	return SKIP_OK;
}

static enum skip_status read_toolchains(const json_t *document, struct skip_board *out, struct skip_err *err)
{
	static const char *const known[] = {"name", "min", "max", "source_kind", "target_macro", "flags", NULL};
	enum skip_status status = SKIP_OK;
	const json_t *list = skip_profile_at(document, "/compile/toolchain");
	size_t n = json_array_size(list);
	if (n == 0 || n > SKIP_BOARD_TOOLCHAINS) return skip_err_set(err, SKIP_ERR_INPUT, "\"compile.toolchain\": expected 1 to %d entries", SKIP_BOARD_TOOLCHAINS);
	for (size_t i = 0; i < n; i++) {
		struct skip_board_toolchain *tool = &out->toolchain[i];
		const json_t *entry = json_array_get(list, i);
		char where[48];
		snprintf(where, sizeof(where), "compile.toolchain[%zu].", i);
		SKIP_TRY(skip_profile_check_fields(entry, where, known, err));
		SKIP_TRY(skip_json_string(entry, "name", &tool->name, err));
		SKIP_TRY(skip_json_string(entry, "min", &tool->min, err));
		SKIP_TRY(skip_json_string(entry, "max", &tool->max, err));
		SKIP_TRY(skip_json_string(entry, "source_kind", &tool->source_kind, err));
		SKIP_TRY(skip_json_string(entry, "target_macro", &tool->target_macro, err));
		if (strcmp(tool->source_kind, "cl") != 0 && strcmp(tool->source_kind, "hls_cpp") != 0 && strcmp(tool->source_kind, "sv") != 0) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"%ssource_kind\": expected \"cl\", \"hls_cpp\" or \"sv\", found \"%.40s\"", where, tool->source_kind);
		}
		tool->flags = json_object_get(entry, "flags");
		SKIP_TRY(read_flags(tool->flags, i, err));
	}
	out->n_toolchains = (int)n;
cleanup:
	return status;
}

enum skip_status skip_board_read(const struct skip_profile *profile, struct skip_board *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const json_t *document = profile->json, *fpga = json_object_get(document, "fpga");
	struct skip_board board = {.profile = profile};
	SKIP_TRY(check_objects(document, err));
	SKIP_TRY(skip_json_string(fpga, "part", &board.part, err));
	SKIP_TRY(skip_json_string(fpga, "shell", &board.shell, err));
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
		struct skip_figure *into = (struct skip_figure *)(void *)((char *)&board + scalars[i].offset);
		SKIP_TRY(figure(document, scalars[i].pointer, scalars[i].min, scalars[i].max, into, err));
	}
	if (board.default_mhz.value > board.max_mhz.value) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"fpga.clock.default_mhz\": %g is above max_mhz %g", board.default_mhz.value, board.max_mhz.value);
	}
	SKIP_TRY(read_resources(document, &board, err));
	SKIP_TRY(read_memories(document, &board, err));
	SKIP_TRY(read_toolchains(document, &board, err));
	*out = board;
cleanup:
	return status;
}

enum skip_status skip_board_check(const struct skip_profile *profile, struct skip_err *err)
{
	struct skip_board board;
	return skip_profile_is_board(profile) ? skip_board_read(profile, &board, err) : check_objects(profile->json, err);
}
