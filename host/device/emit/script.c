/* Command lines of vendors' tools: see kernelset.h. */
#include "device/emit/kernelset.h"
#include <string.h>

static void write_flags(struct skip_buf *out, const struct skip_board_toolchain *tool, const char *step)
{
	const json_t *list = json_object_get(tool->flags, step);
	for (size_t i = 0; i < json_array_size(list); i++) skip_buf_printf(out, " %s", json_string_value(json_array_get(list, i)));
}

static void write_aoc(struct skip_buf *out, const struct skip_board *board, const char *set, enum skip_build_step step)
{
	static const struct {
		const char *flags, *suffix;
	} steps[SKIP_BUILD_COUNT] = {{"emulate", "_emulate.aocx"}, {"report", "_report"}, {"hardware", ".aocx"}};
	const struct skip_board_toolchain *tool = &board->toolchain[0];
	skip_buf_printf(out, "aoc kernels.cl -D%s", tool->target_macro);
	write_flags(out, tool, steps[step].flags);
	if (step != SKIP_BUILD_EMULATE) skip_buf_printf(out, " -board=%s", board->shell);
	skip_buf_printf(out, " -o %s%s\n", set, steps[step].suffix);
}

static void write_kernel_list(struct skip_buf *out, const json_t *kernels)
{
	skip_buf_puts(out, "kernels='");
	for (size_t k = 0; k < json_array_size(kernels); k++)
		skip_buf_printf(out, "%s ", json_string_value(json_object_get(json_array_get(kernels, k), "name")));
	skip_buf_puts(out, "'\n");
}

/* All steps, by $step. Up to 2023.1 v++ takes OpenCL C; the versions after it take the same text as C++. */
static void write_vpp(struct skip_buf *out, const struct skip_kernel_set *set, const struct skip_board *board)
{
	write_kernel_list(out, json_object_get(set->manifest, "kernels"));
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
	skip_buf_printf(out, "v++ -l -t $target --platform \"$platform\" --config link.cfg -o %s.$target.xclbin $objects\n", set->name);
	skip_buf_printf(out, "[ \"$step\" = emulate ] || xclbinutil --input %s.hw.xclbin --output %s.xclbin --key-value USER:skip_manifest:\"$hash\"\n", set->name, set->name);
}

void skip_emit_commands(const struct skip_kernel_set *set, const struct skip_board *board, enum skip_build_step step, struct skip_buf *out)
{
	static const char *const names[SKIP_BUILD_COUNT] = {"emulate", "report", "bitstream"};
	if (strcmp(board->toolchain[0].name, "aoc") == 0) {
		write_aoc(out, board, set->name, step);
		return;
	}
	skip_buf_printf(out, "hash=%s\nstep=%s\n", set->hash, names[step]);
	write_vpp(out, set, board);
}

static void write_steps(struct skip_buf *out, const struct skip_kernel_set *set, const struct skip_board *board)
{
	static const char *const heads[SKIP_BUILD_COUNT] = {"emulate)\n\t", "\t;;\nreport)\n\t", "\t;;\nbitstream)\n\t"};
	if (strcmp(board->toolchain[0].name, "aoc") != 0) {
		write_vpp(out, set, board);
		return;
	}
	skip_buf_puts(out, "case $step in\n");
	for (int step = 0; step < SKIP_BUILD_COUNT; step++) {
		skip_buf_puts(out, heads[step]);
		write_aoc(out, board, set->name, (enum skip_build_step)step);
	}
	skip_buf_puts(out, "\t;;\nesac\n");
}

void skip_emit_script(const struct skip_kernel_set *set, const struct skip_board *board, struct skip_buf *out)
{
	const struct skip_board_toolchain *tool = &board->toolchain[0];
	skip_buf_printf(out,
			"#!/bin/sh\n# Builds the kernels of this folder for %s.\n# usage: sh build_%s.sh emulate | report | bitstream     (minutes, minutes, hours)\nset -eu\n"
			"cd \"$(dirname \"$0\")\"\nhash=%s\nstep=${1-}\ncase $step in\nemulate | report | bitstream) ;;\n"
			"*)\n\techo \"usage: sh build_%s.sh emulate | report | bitstream\" >&2\n\texit 2\n\t;;\nesac\n",
			board->profile->title, board->profile->id, set->hash, board->profile->id);
	skip_buf_printf(out, "command -v %s >/dev/null || {\n\techo \"%s is not in PATH: versions %s to %s build this board\" >&2\n\texit 77\n}\n", tool->name, tool->name,
			tool->min, board->toolchain[board->n_toolchains - 1].max);
	write_steps(out, set, board);
	skip_buf_printf(out, "echo \"$step of %s done, manifest %.12s\"\n", set->name, set->hash);
}

void skip_emit_targets(const char *board, bool hostcheck, struct skip_buf *out)
{
	skip_buf_printf(out,
			"# The steps of build_%s.sh as targets: cmake -S . -B build && cmake --build build --target report\n"
			"cmake_minimum_required(VERSION 3.16)\nproject(%s C)\n"
			"foreach(step emulate report bitstream)\n"
			"  add_custom_target(${step} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/build_%s.sh ${step} USES_TERMINAL VERBATIM)\n"
			"endforeach()\n",
			board, board, board);
	if (!hostcheck) return;
	skip_buf_puts(out, "find_package(OpenCL)\nif(OpenCL_FOUND)\n  add_executable(hostcheck hostcheck.c)\n  set_target_properties(hostcheck PROPERTIES C_STANDARD 11)\n"
			   "  target_link_libraries(hostcheck PRIVATE OpenCL::OpenCL m)\nendif()\n");
}
