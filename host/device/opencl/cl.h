/*
 * The door to OpenCL: the only files that know CL/cl.h are in this folder, everything else of device/ sees these few objects.
 *
 * One `struct skip_cl` is one context with one in-order queue. Objects belong to the context they were made from and must be destroyed
 * before it. A failed call is SKIP_ERR_DEVICE with the function, the code's name and its number in err->cl_code. Internal to device/.
 */
#ifndef SKIP_DEVICE_OPENCL_CL_H
#define SKIP_DEVICE_OPENCL_CL_H

#include "base/buf.h"
#include "base/err.h"
#include "device/device.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skip_cl;		/* context and queue */
struct skip_cl_buffer;	/* device memory */
struct skip_cl_program; /* a built program */
struct skip_cl_kernel;	/* one kernel with its own arguments */
struct skip_cl_event;	/* a moment in the queue */

/* Name of an OpenCL code, "CL_OUT_OF_RESOURCES"; "unknown code" for others. */
const char *skip_cl_code_name(int32_t code);

/* A device that exists. The handles are what clGetDeviceIDs gave. */
struct skip_cl_found {
	void *platform, *device;
	char platform_version[256];
	struct skip_device_info info; /* profile_id is left NULL */
};
/*
 * Every device of every platform, in the loader's order. No platform, and a platform without devices, are no errors. *out is freed with
 * skip_free. The first call of a process loads the platforms, and PoCL reads its environment then; what the user has set stays. `threads` >
 * 0 limits PoCL's threads (POCL_MAX_PTHREAD_COUNT, POCL_CPU_MAX_CU_COUNT since 4.0) if it comes with that first call.
 * POCL_WORK_GROUP_SPECIALIZATION is set to 0: else PoCL 3.1 compiles a kernel once for small grids, again for large ones and a third time
 * when its binary is asked for, each 0.1 to 0.2 s, and runs our kernels no faster (they have one work-item per group on CPUs).
 */
enum skip_status skip_cl_enumerate(int threads, struct skip_cl_found **out, size_t *n, struct skip_err *err);

enum skip_status skip_cl_open(const struct skip_cl_found *found, struct skip_cl **out, struct skip_err *err);
void skip_cl_close(struct skip_cl *cl);

/* The context of an open device (device.c); it belongs to the device. */
struct skip_cl *skip_device_cl(struct skip_device *device);

/* `bytes` > 0 of device memory, contents undefined. */
enum skip_status skip_cl_buffer_create(struct skip_cl *cl, size_t bytes, struct skip_cl_buffer **out, struct skip_err *err);
/* Read-only device memory that is `bytes` of host memory where the device shares it (no copy is made by PoCL, whatever the alignment). The
 * host memory must outlive the buffer and must not change. */
enum skip_status skip_cl_buffer_wrap(struct skip_cl *cl, const void *data, size_t bytes, struct skip_cl_buffer **out, struct skip_err *err);
void skip_cl_buffer_destroy(struct skip_cl_buffer *buffer);
size_t skip_cl_buffer_bytes(const struct skip_cl_buffer *buffer);
/* True when kernels run on host memory (a CPU device): wrapping then saves memory instead of costing a second copy. */
bool skip_cl_shares_host_memory(const struct skip_cl *cl);

/* Writes at byte `offset`; when it returns `data` may change. */
enum skip_status skip_cl_write(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, const void *data, size_t bytes,
			       struct skip_err *err);
/* Returns at once; `data` stays as it is until skip_cl_event_wait(*event) has returned. */
enum skip_status skip_cl_write_later(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, const void *data, size_t bytes,
				     struct skip_cl_event **event, struct skip_err *err);
/* Enqueues zeros; offset and bytes are multiples of 4. */
enum skip_status skip_cl_zero(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, size_t bytes, struct skip_err *err);
/* Reads from byte `offset`; waits for everything enqueued before. */
enum skip_status skip_cl_read(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, void *out, size_t bytes,
			      struct skip_err *err);
/* Waits and destroys; destroys only. NULL is fine. */
enum skip_status skip_cl_event_wait(struct skip_cl_event *event, struct skip_err *err);
void skip_cl_event_forget(struct skip_cl_event *event);

/*
 * Builds `text` with `options`, from a stored binary when there is one; its key covers text, options, platform, device and driver. A build
 * failure is SKIP_ERR_DEVICE with `name` and the first lines of the log.
 */
enum skip_status skip_cl_program_build(struct skip_cl *cl, const char *name, const char *text, const char *options,
				       struct skip_cl_program **out, struct skip_err *err);
/*
 * compile.c: builds n texts, program[i] of source[i], as skip_cl_program_build does each (all NULL before; after a failure some may be set, for the caller to
 * destroy). With skip_cl_compile_beside those that are not stored are compiled side by side: `<compiler> compile P:D --options OPTIONS` gets a text on its standard
 * input and prints what skip_cl_compile gives, one less of them than the device has compute units, SKIP_COMPILERS at most.
 */
struct skip_cl_source {
	const char *name, *text;
};
enum skip_status skip_cl_programs_build(struct skip_cl *cl, const struct skip_cl_source *source, size_t n, const char *options,
					struct skip_cl_program **program, struct skip_err *err);
/* Appends the program in its built form, with what proves it whole and of this text and device. */
enum skip_status skip_cl_compile(struct skip_cl *cl, const char *text, const char *options, struct skip_buf *out, struct skip_err *err);
enum skip_status skip_cl_compile_beside(struct skip_cl *cl, const char *compiler, struct skip_err *err);
/* Loads a program that was built beforehand. Who calls has checked that it is the right one. */
enum skip_status skip_cl_program_load(struct skip_cl *cl, const char *name, const void *data, size_t size, const char *options, struct skip_cl_program **out,
				      struct skip_err *err);
/* Appends the program's binary, as the runtime gives it. */
enum skip_status skip_cl_program_binary(const struct skip_cl_program *program, struct skip_buf *out, struct skip_err *err);
void skip_cl_program_destroy(struct skip_cl_program *program);
/* Keeps the binary of a program that was compiled from source. Call it after all its kernels have run: some drivers compile when a kernel
 * is created, PoCL when it is first launched. A failure to store is logged and is no error. */
void skip_cl_program_store(struct skip_cl *cl, struct skip_cl_program *program);
/* True when the program came from the cache. */
bool skip_cl_program_was_cached(const struct skip_cl_program *program);

enum skip_status skip_cl_kernel_create(struct skip_cl_program *program, const char *name, struct skip_cl_kernel **out,
				       struct skip_err *err);
void skip_cl_kernel_destroy(struct skip_cl_kernel *kernel);
unsigned skip_cl_kernel_args(const struct skip_cl_kernel *kernel); /* how many it takes */
/* Arguments stay until set again. Every scalar of our dialect has four bytes. */
enum skip_status skip_cl_set_buffer(struct skip_cl_kernel *kernel, unsigned index, const struct skip_cl_buffer *buffer,
				    struct skip_err *err);
enum skip_status skip_cl_set_word(struct skip_cl_kernel *kernel, unsigned index, const void *word, struct skip_err *err);
/* Enqueues global work-items (a multiple of local in each dimension) and returns. */
enum skip_status skip_cl_enqueue(struct skip_cl *cl, struct skip_cl_kernel *kernel, const size_t global[3], const size_t local[3],
				 struct skip_err *err);
/* The same, waits, and gives the device's own time from start to end of the kernel. */
enum skip_status skip_cl_enqueue_timed(struct skip_cl *cl, struct skip_cl_kernel *kernel, const size_t global[3], const size_t local[3],
				       double *seconds, struct skip_err *err);
/*
 * Kernels that wait for each other (stages joined by channels): runs one work-item of each, every one on a queue of its own, after what was enqueued before,
 * and waits. Nothing in OpenCL says that such kernels hang, so after SKIP_FLOW_TIMEOUT seconds (default 120) it is SKIP_ERR_DEVICE with the names of
 * those that did not end; they go on running.
 */
#define SKIP_CL_TOGETHER 8
enum skip_status skip_cl_run_together(struct skip_cl *cl, struct skip_cl_kernel *const *kernel, int n, struct skip_err *err);
/*
 * clblast.c: a library's product, y [m][n] = x [m][k] W with W stored [n][k], or [k][n] when `transpose`, enqueued like a kernel; m may be 0. The first
 * call of a shape's kind compiles. Without the library in the build: false, and SKIP_ERR_UNSUPPORTED.
 */
struct skip_cl_gemm {
	struct skip_cl_buffer *x, *w, *y;
	int m, n, k, transpose;
};
bool skip_cl_has_gemm(void);
enum skip_status skip_cl_gemm(struct skip_cl *cl, const struct skip_cl_gemm *gemm, struct skip_err *err);
enum skip_status skip_cl_flush(struct skip_cl *cl, struct skip_err *err);
enum skip_status skip_cl_finish(struct skip_cl *cl, struct skip_err *err);

#endif
