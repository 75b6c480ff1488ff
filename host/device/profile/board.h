/*
 * The fields of a board file that only FPGA boards have (docs/boards.md): what the chip holds, what the shell takes, memories, costs of
 * lanes and ports, toolchains. profile.c checks them when a file is loaded; the estimator and the emitter read them here.
 */
#ifndef SKIP_DEVICE_BOARD_H
#define SKIP_DEVICE_BOARD_H

#include "device/profile/profile.h"

/* A number of a board file. Without a provenance entry that says `verified` it is unverified, and whoever prints it says so. */
struct skip_figure {
	double value;
	bool verified;
	char pointer[48]; /* where it stands: "/resources/total/dsp" */
};

enum skip_resource { SKIP_RESOURCE_LOGIC, SKIP_RESOURCE_FF, SKIP_RESOURCE_DSP, SKIP_RESOURCE_BRAM, SKIP_RESOURCE_URAM, SKIP_RESOURCE_COUNT };
/* The memory block of the chip's BRAM class. */
enum skip_block { SKIP_BLOCK_BRAM18, SKIP_BLOCK_BRAM36, SKIP_BLOCK_M20K, SKIP_BLOCK_URAM };

#define SKIP_BOARD_REGIONS 8
#define SKIP_BOARD_MEMORIES 4
#define SKIP_BOARD_TOOLCHAINS 4

/* A part of the chip that signals cross at a price (AMD: super logic region). What the file leaves out is not `known`. */
struct skip_board_region {
	char name[16];
	struct skip_figure amount[SKIP_RESOURCE_COUNT];
	bool known[SKIP_RESOURCE_COUNT];
};

struct skip_board_memory {
	char kind[16], name[16];
	char tag_link[32], tag_kernel[32]; /* for `sp=` of a link file and `buffer_location`; "" where there is none */
	struct skip_figure banks, gbps_per_bank, efficiency, width_bits;
};

struct skip_board_toolchain {
	const char *name, *min, *max; /* borrowed from the profile */
	const char *source_kind, *target_macro;
	const json_t *flags; /* emulate, report, hardware: arrays of strings */
};

struct skip_board {
	const struct skip_profile *profile;
	const char *part, *shell, *note; /* borrowed; note "" where there is none */
	const char *unit[SKIP_RESOURCE_COUNT]; /* as the file calls them: "lut" or "alm"; NULL where the chip has none */
	enum skip_block block;
	bool die; /* counts are of the whole chip: the shell's share is still to be taken off */
	struct skip_figure total[SKIP_RESOURCE_COUNT], shell_used[SKIP_RESOURCE_COUNT], usable[SKIP_RESOURCE_COUNT];
	struct skip_board_region region[SKIP_BOARD_REGIONS];
	int n_regions;
	struct skip_figure sll[SKIP_BOARD_REGIONS]; /* signals that may cross from region i to i + 1; value 0 where unknown */
	struct skip_board_memory memory[SKIP_BOARD_MEMORIES];
	int n_memories;
	struct skip_figure int8_macs, fp32_dsps; /* products of int8 in a DSP block; blocks of a float32 multiply-add */
	struct skip_figure default_mhz, max_mhz;
	struct skip_figure lut_port, lut_stage, lut_control, lut_lane[2]; /* lane: [0] float32, [1] int8 */
	struct skip_figure launch_us, accumulate_latency, align;
	struct skip_board_toolchain toolchain[SKIP_BOARD_TOOLCHAINS];
	int n_toolchains;
};

/* Whether the profile is a board and not a parent of boards: kind `fpga` with counts of its resources. */
bool skip_profile_is_board(const struct skip_profile *profile);
/* Whether kernels are FPGA engines on this device: a board, or one that pretends to be one. */
bool skip_profile_has_engines(const struct skip_profile *profile);
/*
 * Reads a board; it borrows from `profile`. SKIP_ERR_INPUT names the field: unknown, missing, out of range, resources of no known unit, regions
 * whose sum is not the total without a `note` that says why.
 */
enum skip_status skip_board_read(const struct skip_profile *profile, struct skip_board *out, struct skip_err *err);
/* The same without keeping it; of a parent only what is there is checked. */
enum skip_status skip_board_check(const struct skip_profile *profile, struct skip_err *err);
/* Whether it is built from SystemVerilog (its first toolchain takes "sv"): then only families with such a body have engines on it. */
bool skip_board_is_rtl(const struct skip_board *board);
bool skip_profile_is_rtl(const struct skip_profile *profile);
/* Whether a pointer may reach a range of banks (HBM behind its switch) and not one alone. */
bool skip_board_memory_has_ranges(const struct skip_board_memory *memory);
/* "lut", "ff", "dsp", "bram", "uram": names of the classes, as in usable_fraction. */
const char *skip_resource_name(enum skip_resource resource);

#endif
