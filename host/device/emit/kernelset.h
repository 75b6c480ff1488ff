/*
 * A kernel set: the kernels of one network in one form for one device, and what identifies them. The manifest says everything that decides what is built; its
 * SHA-256 names the built file, so that a file of another hash is of other kernels. Weights are data and no part of it.
 */
#ifndef SKIP_DEVICE_EMIT_KERNELSET_H
#define SKIP_DEVICE_EMIT_KERNELSET_H

#include "base/buf.h"
#include "base/json.h"
#include "base/sha256.h"
#include "device/plan.h"
#include "device/profile/board.h"

#define SKIP_KERNEL_SET_FORMAT 1
#define SKIP_KERNEL_SET_CLASSES 64 /* most shape classes of a set */

struct skip_kernel_set {
	json_t *manifest;           /* what is hashed */
	char hash[SKIP_SHA256_HEX]; /* of its canonical text */
	char name[160];             /* <kernelset>-<board>-<dtype>-<hash12>, the stem of the built file */
	struct skip_buf link;       /* text of link.cfg; empty where the toolchain takes none */
};

/*
 * Of `plan`, lowered from `graph` for `forms`: a board's profile, or one of a device that only pretends to be one (kind "emulated"). The caller deinits *out,
 * also after a failure.
 */
enum skip_status skip_kernel_set_make(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_profile *forms, struct skip_kernel_set *out,
				      struct skip_err *err);
/* Hash and name of a set whose manifest is there; and its rows of tools. */
enum skip_status skip_kernel_set_seal(const struct skip_graph *graph, struct skip_kernel_set *set, struct skip_err *err);
json_t *skip_kernel_set_toolchains(const struct skip_board *board);
/* Of a manifest that was written: what is no part of the identity ("hash", "name", "plan") is left out. SKIP_ERR_INPUT: a later format, or no manifest. */
enum skip_status skip_kernel_set_read(const json_t *manifest, struct skip_kernel_set *out, struct skip_err *err);
void skip_kernel_set_deinit(struct skip_kernel_set *set);
/* "opencl" or "emulated", and what a manifest says under a key of its first row; "" where it says nothing. */
const char *skip_kernel_set_text(const struct skip_kernel_set *set, const char *key);

/* Shape classes its network was widened to (graph->shape_classes); 0: as it is, SKIP_NONE: a number that no set has. */
int skip_kernel_set_classes(const struct skip_kernel_set *set);

enum skip_build_step { SKIP_BUILD_EMULATE, SKIP_BUILD_REPORT, SKIP_BUILD_BITSTREAM, SKIP_BUILD_COUNT };
/* The lines that do one step in an emitted folder, for sh; build_<board>.sh holds the same. */
void skip_emit_commands(const struct skip_kernel_set *set, const struct skip_board *board, enum skip_build_step step, struct skip_buf *out);
/* build_<board>.sh. */
void skip_emit_script(const struct skip_kernel_set *set, const struct skip_board *board, struct skip_buf *out);
/* CMakeLists.txt: its steps as targets, and the host check as a program where there is one. */
void skip_emit_targets(const char *board, bool hostcheck, struct skip_buf *out);

#endif
