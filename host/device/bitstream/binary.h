/*
 * Built programs of FPGA boards as files: what an .xclbin or .aocx says of itself, read from the bytes without any tool or device. Sources: the layout of axlf
 * in XRT's public xclbin.h; the sections of an .aocx as Intel's open runtime names them. An emulator's own binary says nothing that is documented.
 */
#ifndef SKIP_DEVICE_BITSTREAM_BINARY_H
#define SKIP_DEVICE_BITSTREAM_BINARY_H

#include "base/err.h"
#include "base/sha256.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum skip_container { SKIP_CONTAINER_OTHER, SKIP_CONTAINER_AOCX, SKIP_CONTAINER_XCLBIN };
enum skip_binary_mode { SKIP_MODE_UNKNOWN, SKIP_MODE_HARDWARE, SKIP_MODE_EMULATED, SKIP_MODE_SIMULATED };
const char *skip_container_name(enum skip_container container); /* "program binary", "aocx", "xclbin" */
const char *skip_mode_name(enum skip_binary_mode mode);         /* "unknown", "hardware", "emulated", "simulated" */

struct skip_binary_arg {
	char name[32];
	bool pointer;
};

struct skip_binary_kernel {
	char name[80];
	size_t first_arg, n_args;
};

struct skip_binary {
	enum skip_container container;
	enum skip_binary_mode mode;
	char board[128];            /* .acl.board, m_platformVBNV */
	char version[64];           /* of the tool that built it, "" where the file does not say */
	char uuid[33];              /* xclbin */
	char manifest_hash[SKIP_SHA256_HEX]; /* USER:skip_manifest, "" without one */
	double clock_mhz;           /* of kernels, 0 where the file does not say */
	bool has_kernels;           /* the file lists them */
	struct skip_binary_kernel *kernel;
	size_t n_kernels, kernel_capacity;
	struct skip_binary_arg *arg; /* of all kernels, in order */
	size_t n_args, arg_capacity;
};

/*
 * Every offset is checked before it is followed. SKIP_ERR_INPUT with the offset: it starts as an .xclbin or .aocx and is damaged. What starts as neither is
 * OTHER, and no error. The caller deinits *out, also after a failure.
 */
enum skip_status skip_binary_read(const void *data, size_t size, struct skip_binary *out, struct skip_err *err);
void skip_binary_deinit(struct skip_binary *binary);

/* For the readers. */
struct skip_bytes {
	const unsigned char *data;
	size_t size;
};
uint64_t skip_bytes_le(const unsigned char *at, int bytes);
enum skip_status skip_binary_read_xclbin(struct skip_bytes file, struct skip_binary *out, struct skip_err *err);
enum skip_status skip_binary_read_aocx(struct skip_bytes file, struct skip_binary *out, struct skip_err *err);
/* Kernels and arguments: <kernel name><argument name opencl_access_type> of .acl.kernel_arg_info.xml, <kernel name><arg name addressQualifier> of EMBEDDED_METADATA. */
enum skip_status skip_binary_read_kernels(struct skip_bytes xml, struct skip_binary *out, struct skip_err *err);

#endif
