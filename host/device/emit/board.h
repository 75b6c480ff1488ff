/*
 * The folder an FPGA board's programs are built from: kernel texts, what identifies the set, link and build files, a check of the built file, a page that
 * explains them. Same plan, same board, same bytes; no date, path or host name. Tools are called by the build script only.
 * What the board's first toolchain takes decides the kind: OpenCL C and its C++ form (board.c), or SystemVerilog (rtl.c).
 */
#ifndef SKIP_DEVICE_EMIT_BOARD_H
#define SKIP_DEVICE_EMIT_BOARD_H

#include "base/buf.h"
#include "device/estimate/estimate.h"
#include "device/plan.h"

#define SKIP_EMIT_FILES 10

struct skip_emitted_file {
	char name[96];
	struct skip_buf text;
};

struct skip_emitted {
	struct skip_emitted_file file[SKIP_EMIT_FILES];
	int n_files;
	char set[160];                /* <kernelset>-<board>-<dtype>-<hash12>, the stem of the built file */
	char hash[SKIP_SHA256_HEX];   /* of the canonical manifest */
	char module[SKIP_NAME];       /* of the engine in SystemVerilog; "" in a folder of OpenCL kernels */
};

/*
 * `plan` (not asked for in RTL) was lowered from `graph` for the board's profile, `estimate` made of the same. The caller deinits *out, also after a failure.
 * Errors: SKIP_ERR_UNSUPPORTED, an op or a type that this kind of folder has not; SKIP_ERR_TARGET, shapes that want more engines than it holds.
 */
enum skip_status skip_emit_board(const struct skip_graph *graph, const struct skip_plan *plan, const struct skip_estimate *estimate,
				 struct skip_emitted *out, struct skip_err *err);
void skip_emitted_deinit(struct skip_emitted *emitted);

/* The same text as C++: SKIP_HLS set, and the few functions of C that stand for OpenCL's. `streams`: stages are joined by an HLS compiler's hls::stream;
 * else it is for any C++ compiler. */
void skip_emit_twin(const char *text, bool streams, struct skip_buf *out);

/* hostcheck.c: the C text of a host program for the smallest kernel of the plan, and the answers it must give. */
enum skip_status skip_emit_hostcheck(const struct skip_graph *graph, const struct skip_plan *plan, const char *set, struct skip_buf *out,
				     struct skip_err *err);

#endif
