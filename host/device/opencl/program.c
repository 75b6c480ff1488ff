/* Programs and kernels: build through the cache, arguments, launches. */
#include "base/alloc.h"
#include "base/log.h"
#include "device/opencl/internal.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

struct skip_cl_kernel {
	cl_kernel kernel;
	unsigned n_args;
	char name[SKIP_NAME];
};

/* Raised whenever the key or the file changes meaning, so that old files are never read as new ones. */
#define CACHE_VERSION 1

static enum skip_status make_key(const struct skip_cl *cl, const char *text, const char *options, char out[SKIP_SHA256_HEX],
				 struct skip_err *err)
{
	struct skip_buf buf;
	skip_buf_init(&buf);
	skip_buf_printf(&buf, "%d\n%zu %s\n%zu\n", CACHE_VERSION, strlen(options), options, strlen(text));
	skip_buf_puts(&buf, text);
	skip_buf_puts(&buf, skip_buf_text(&cl->identity));
	bool ok = skip_buf_ok(&buf);
	if (ok) skip_sha256_hex(buf.data, buf.length, out);
	skip_buf_deinit(&buf);
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a cache key");
}

/* The build log from its first word on, NULL when there is none; the caller frees *memory. */
static const char *read_log(const struct skip_cl *cl, cl_program program, char **memory)
{
	size_t size = 0;
	*memory = NULL;
	if (clGetProgramBuildInfo(program, cl->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) != CL_SUCCESS || size == 0) return NULL;
	char *log = *memory = skip_alloc_zeroed(size + 1, 1);
	if (!log || clGetProgramBuildInfo(program, cl->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) != CL_SUCCESS) return NULL;
	log += strspn(log, " \n\r\t");
	return *log ? log : NULL;
}

/* Fills `err` with the first lines of the build log. */
static enum skip_status build_failure(const struct skip_cl *cl, cl_program program, const char *name, cl_int code, struct skip_err *err)
{
	char *memory;
	const char *log = read_log(cl, program, &memory), *text = log ? log : "(empty build log)";
	int length = 0;
	for (int lines = 0; text[length] && length < 800; length++) {
		if (text[length] == '\n' && ++lines == 8) break;
	}
	skip_err_set(err, SKIP_ERR_DEVICE, "program %s does not build: %s (%d)\n%.*s", name, skip_cl_code_name(code), code, length, text);
	if (err) err->cl_code = code;
	skip_free(memory);
	return SKIP_ERR_DEVICE;
}

/* What the compiler had to say of a program that it built: emitted text should leave it nothing. */
static void log_warnings(const struct skip_cl *cl, cl_program program, const char *name)
{
	char *memory;
	const char *log = read_log(cl, program, &memory);
	if (log) skip_log(SKIP_LOG_DEBUG, "build log of %s: %s", name, log);
	skip_free(memory);
}

static enum skip_status make_program(const struct skip_cl *cl, const char *name, const char *text, const char *options, struct skip_cl_program **out,
				     struct skip_err *err)
{
	struct skip_cl_program *made = skip_alloc_zeroed(1, sizeof(*made));
	if (!made) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a program");
	snprintf(made->name, sizeof(made->name), "%s", name);
	enum skip_status status = text ? make_key(cl, text, options, made->key, err) : SKIP_OK;
	if (status != SKIP_OK)
		skip_cl_program_destroy(made);
	else
		*out = made;
	return status;
}

/* A program from a stored binary, or NULL: whatever is wrong with a binary, the source still builds. */
static cl_program from_binary(const struct skip_cl *cl, const struct skip_buf *binary, const char *options)
{
	const unsigned char *data = (const unsigned char *)binary->data;
	cl_int code = CL_SUCCESS, status = CL_SUCCESS;
	cl_program program = clCreateProgramWithBinary(cl->context, 1, &cl->device, &binary->length, &data, &status, &code);
	if (code == CL_SUCCESS && status == CL_SUCCESS) code = clBuildProgram(program, 1, &cl->device, options, NULL, NULL);
	if (program && (code != CL_SUCCESS || status != CL_SUCCESS)) {
		clReleaseProgram(program);
		program = NULL;
	}
	return program;
}

enum skip_status skip_cl_program_find(struct skip_cl *cl, const struct skip_cl_source *source, const char *options, struct skip_cl_program **out,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_program *made = NULL;
	struct skip_buf binary;
	*out = NULL;
	if (!cl->cache_folder[0]) return SKIP_OK;
	skip_buf_init(&binary);
	SKIP_TRY(make_program(cl, source->name, source->text, options, &made, err));
	if (skip_cl_cache_load(cl->cache_folder, made->key, &binary)) made->program = from_binary(cl, &binary, options);
	made->was_cached = made->program != NULL;
	skip_log(SKIP_LOG_DEBUG, "kernel cache: %s %s (%s)", made->was_cached ? "hit" : "miss", source->name, made->key);
	if (made->was_cached) {
		*out = made;
		made = NULL;
	}
cleanup:
	skip_cl_program_destroy(made);
	skip_buf_deinit(&binary);
	return status;
}

enum skip_status skip_cl_program_unpack(struct skip_cl *cl, const struct skip_cl_source *source, const struct skip_buf *packed, const char *options,
					struct skip_cl_program **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_program *made = NULL;
	struct skip_buf binary;
	skip_buf_init(&binary);
	SKIP_TRY(make_program(cl, source->name, source->text, options, &made, err));
	if (skip_cl_cache_unpack(packed, made->key, &binary)) made->program = from_binary(cl, &binary, options);
	if (!made->program) SKIP_TRY(skip_err_set(err, SKIP_ERR_DEVICE, "%zu bytes that are no binary of this program", packed->length));
	*out = made;
	made = NULL;
cleanup:
	skip_cl_program_destroy(made);
	skip_buf_deinit(&binary);
	return status;
}

enum skip_status skip_cl_program_compile(struct skip_cl *cl, const struct skip_cl_source *source, const char *options, struct skip_cl_program **out,
					 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *text = source->text;
	cl_int code = CL_SUCCESS;
	struct skip_cl_program *made = NULL;
	SKIP_TRY(make_program(cl, source->name, text, options, &made, err));
	made->program = clCreateProgramWithSource(cl->context, 1, &text, NULL, &code);
	if (code != CL_SUCCESS) SKIP_TRY(skip_cl_fail(err, code, "clCreateProgramWithSource", made->name));
	code = clBuildProgram(made->program, 1, &cl->device, options, NULL, NULL);
	if (code != CL_SUCCESS) SKIP_TRY(build_failure(cl, made->program, made->name, code, err));
	log_warnings(cl, made->program, made->name);
	*out = made;
	made = NULL;
cleanup:
	skip_cl_program_destroy(made);
	return status;
}

enum skip_status skip_cl_program_build(struct skip_cl *cl, const char *name, const char *text, const char *options,
				       struct skip_cl_program **out, struct skip_err *err)
{
	const struct skip_cl_source source = {name, text};
	enum skip_status status = skip_cl_program_find(cl, &source, options, out, err);
	return status == SKIP_OK && !*out ? skip_cl_program_compile(cl, &source, options, out, err) : status;
}

void skip_cl_program_complete(struct skip_cl_program *program)
{
	size_t size = 0;
	clGetProgramInfo(program->program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL);
}

void skip_cl_program_destroy(struct skip_cl_program *program)
{
	if (!program) return;
	if (program->program) clReleaseProgram(program->program);
	skip_free(program);
}

enum skip_status skip_cl_program_load(struct skip_cl *cl, const char *name, const void *data, size_t size, const char *options, struct skip_cl_program **out,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	cl_int code = CL_SUCCESS, loaded = CL_SUCCESS;
	const unsigned char *bytes = data;
	struct skip_cl_program *made = NULL;
	SKIP_TRY(make_program(cl, name, NULL, options, &made, err));
	made->program = clCreateProgramWithBinary(cl->context, 1, &cl->device, &size, &bytes, &loaded, &code);
	if (code == CL_SUCCESS) code = loaded;
	if (code != CL_SUCCESS) {
		status = skip_cl_fail(err, code, "clCreateProgramWithBinary", name);
		goto cleanup;
	}
	/* Boards accept this call, emulators need it. */
	code = clBuildProgram(made->program, 1, &cl->device, options, NULL, NULL);
	if (code != CL_SUCCESS) {
		status = build_failure(cl, made->program, name, code, err);
		goto cleanup;
	}
	*out = made;
	made = NULL;
cleanup:
	skip_cl_program_destroy(made);
	return status;
}

enum skip_status skip_cl_program_binary(const struct skip_cl_program *program, struct skip_buf *out, struct skip_err *err)
{
	size_t size = 0;
	cl_int code = clGetProgramInfo(program->program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL);
	if (code != CL_SUCCESS) return skip_cl_fail(err, code, "clGetProgramInfo", program->name);
	if (size == 0) return skip_err_set(err, SKIP_ERR_DEVICE, "the driver gives no binary of %s", program->name);
	unsigned char *data = skip_alloc_array(size, 1);
	if (!data) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a binary of %zu bytes", size);
	code = clGetProgramInfo(program->program, CL_PROGRAM_BINARIES, sizeof(data), &data, NULL);
	if (code == CL_SUCCESS) skip_buf_append(out, (const char *)data, size);
	skip_free(data);
	if (code != CL_SUCCESS) return skip_cl_fail(err, code, "clGetProgramInfo", program->name);
	return skip_buf_ok(out) ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a binary of %zu bytes", size);
}

void skip_cl_program_store(struct skip_cl *cl, struct skip_cl_program *program)
{
	struct skip_err err;
	struct skip_buf binary;
	if (program->was_cached || !cl->cache_folder[0] || !program->key[0]) return;
	skip_err_init(&err);
	skip_buf_init(&binary);
	if (skip_cl_program_binary(program, &binary, &err) != SKIP_OK)
		skip_log(SKIP_LOG_DEBUG, "kernel cache: no binary of %s: %s", program->name, err.message);
	else if (skip_cl_cache_store(cl->cache_folder, program->key, binary.data, binary.length, &err) != SKIP_OK)
		skip_log(SKIP_LOG_WARN, "kernel cache: %s is not stored: %s", program->name, err.message);
	else
		skip_log(SKIP_LOG_DEBUG, "kernel cache: store %s (%s)", program->name, program->key);
	skip_buf_deinit(&binary);
}

bool skip_cl_program_was_cached(const struct skip_cl_program *program)
{
	return program->was_cached;
}

enum skip_status skip_cl_kernel_create(struct skip_cl_program *program, const char *name, struct skip_cl_kernel **out, struct skip_err *err)
{
	cl_int code = CL_SUCCESS;
	cl_uint n_args = 0;
	struct skip_cl_kernel *kernel = skip_alloc_zeroed(1, sizeof(*kernel));
	if (!kernel) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for kernel %s", name);
	kernel->kernel = clCreateKernel(program->program, name, &code);
	if (code != CL_SUCCESS) {
		skip_free(kernel);
		return skip_cl_fail(err, code, "clCreateKernel", name);
	}
	code = clGetKernelInfo(kernel->kernel, CL_KERNEL_NUM_ARGS, sizeof(n_args), &n_args, NULL);
	if (code != CL_SUCCESS) {
		skip_cl_kernel_destroy(kernel);
		return skip_cl_fail(err, code, "clGetKernelInfo", name);
	}
	kernel->n_args = n_args;
	snprintf(kernel->name, sizeof(kernel->name), "%s", name);
	*out = kernel;
	return SKIP_OK;
}

void skip_cl_kernel_destroy(struct skip_cl_kernel *kernel)
{
	if (!kernel) return;
	clReleaseKernel(kernel->kernel);
	skip_free(kernel);
}

const char *skip_cl_kernel_name(const struct skip_cl_kernel *kernel)
{
	return kernel->name;
}

cl_kernel skip_cl_kernel_handle(const struct skip_cl_kernel *kernel)
{
	return kernel->kernel;
}

unsigned skip_cl_kernel_args(const struct skip_cl_kernel *kernel)
{
	return kernel->n_args;
}

enum skip_status skip_cl_set_buffer(struct skip_cl_kernel *kernel, unsigned index, const struct skip_cl_buffer *buffer,
				    struct skip_err *err)
{
	cl_int code = clSetKernelArg(kernel->kernel, index, sizeof(buffer->mem), &buffer->mem);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clSetKernelArg", kernel->name);
}

enum skip_status skip_cl_set_word(struct skip_cl_kernel *kernel, unsigned index, const void *word, struct skip_err *err)
{
	cl_int code = clSetKernelArg(kernel->kernel, index, 4, word);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clSetKernelArg", kernel->name);
}

enum skip_status skip_cl_enqueue(struct skip_cl *cl, struct skip_cl_kernel *kernel, const size_t global[3], const size_t local[3],
				 struct skip_err *err)
{
	cl_int code = clEnqueueNDRangeKernel(cl->queue, kernel->kernel, 3, NULL, global, local, 0, NULL, NULL);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clEnqueueNDRangeKernel", kernel->name);
}

enum skip_status skip_cl_enqueue_timed(struct skip_cl *cl, struct skip_cl_kernel *kernel, const size_t global[3], const size_t local[3],
				       double *seconds, struct skip_err *err)
{
	cl_int code = CL_SUCCESS;
	cl_event event = NULL;
	cl_ulong start = 0, end = 0;
	const char *call = "clCreateCommandQueue";
	if (!cl->timed) cl->timed = clCreateCommandQueue(cl->context, cl->device, CL_QUEUE_PROFILING_ENABLE, &code);
	if (code != CL_SUCCESS) goto cleanup;
	/* Two queues know no order between them. */
	call = "clFinish";
	code = clFinish(cl->queue);
	if (code != CL_SUCCESS) goto cleanup;
	call = "clEnqueueNDRangeKernel";
	code = clEnqueueNDRangeKernel(cl->timed, kernel->kernel, 3, NULL, global, local, 0, NULL, &event);
	if (code != CL_SUCCESS) goto cleanup;
	call = "clWaitForEvents";
	code = clWaitForEvents(1, &event);
	if (code != CL_SUCCESS) goto cleanup;
	call = "clGetEventProfilingInfo";
	code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL);
	if (code == CL_SUCCESS) code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL);
	if (code == CL_SUCCESS) *seconds = end > start ? (double)(end - start) * 1e-9 : 0.0;
cleanup:
	if (event) clReleaseEvent(event);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, call, kernel->name);
}
