/* What the files of opencl/ share; the one place that includes CL/cl.h. */
#ifndef SKIP_DEVICE_OPENCL_INTERNAL_H
#define SKIP_DEVICE_OPENCL_INTERNAL_H

#include "base/sha256.h"
#include "device/opencl/cache.h"
#include "device/opencl/cl.h"
#include "device/opencl/pages.h"
#include <CL/cl.h>

struct skip_cl {
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
	cl_command_queue beside[SKIP_CL_TOGETHER]; /* made when kernels first run together */
	cl_command_queue timed; /* made when something is timed first: events with times cost a little on every enqueue */
	bool host_memory;
	struct skip_pages *pages; /* that small buffers are taken from, on devices of host memory */
	bool library_used; /* clblast.c has something to forget */
	struct skip_buf identity; /* platform, device and driver, as they enter cache keys */
	char cache_folder[1024];  /* "" when the cache is off */
	char index[24];		  /* "P:D" */
	int compute_units;
	char *compiler; /* path of the program that compiles beside this process, NULL without */
};

struct skip_cl_buffer {
	cl_mem mem;
	size_t bytes;
};

struct skip_cl_program {
	cl_program program;
	char name[SKIP_NAME];
	char key[SKIP_SHA256_HEX]; /* "" of a program that never had a text here */
	bool was_cached;
};

/* The program as the cache has it; *out is NULL when it has not. */
enum skip_status skip_cl_program_find(struct skip_cl *cl, const struct skip_cl_source *source, const char *options, struct skip_cl_program **out,
				      struct skip_err *err);
/* The program from its text, whatever the cache has. */
enum skip_status skip_cl_program_compile(struct skip_cl *cl, const struct skip_cl_source *source, const char *options, struct skip_cl_program **out,
					 struct skip_err *err);
/* The program of what skip_cl_compile gave elsewhere; SKIP_ERR_DEVICE when that is not whole, or of another text, device or driver. */
enum skip_status skip_cl_program_unpack(struct skip_cl *cl, const struct skip_cl_source *source, const struct skip_buf *packed, const char *options,
					struct skip_cl_program **out, struct skip_err *err);
/* Compiles what the runtime would leave to the first launch of each kernel. */
void skip_cl_program_complete(struct skip_cl_program *program);

cl_kernel skip_cl_kernel_handle(const struct skip_cl_kernel *kernel);
const char *skip_cl_kernel_name(const struct skip_cl_kernel *kernel);
void skip_cl_forget_library(struct skip_cl *cl);

/* Fills `err` with SKIP_ERR_DEVICE (SKIP_ERR_NOMEM for a host that ran out) and "<call> (<what>): <name of code> (<code>)"; `what` may be
 * NULL. */
enum skip_status skip_cl_fail(struct skip_err *err, cl_int code, const char *call, const char *what);

#endif
