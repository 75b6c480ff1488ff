/* Context, queue, memory and transfers. */
#include "base/alloc.h"
#include "base/file.h"
#include "device/opencl/internal.h"
#include <assert.h>
#include <stdio.h>

struct skip_cl_event {
	cl_event event;
};

enum skip_status skip_cl_open(const struct skip_cl_found *found, struct skip_cl **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	cl_int code = CL_SUCCESS;
	const struct skip_device_facts *facts = &found->info.facts;
	struct skip_cl *cl = skip_alloc_zeroed(1, sizeof(*cl));
	if (!cl) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a context");
	cl->device = found->device;
	cl->host_memory = facts->local_cpu;
	cl->compute_units = found->info.compute_units;
	snprintf(cl->index, sizeof(cl->index), "%d:%d", found->info.platform_index, found->info.device_index);
	cl->context = clCreateContext(NULL, 1, &cl->device, NULL, NULL, &code);
	if (code != CL_SUCCESS) {
		status = skip_cl_fail(err, code, "clCreateContext", facts->name);
		goto cleanup;
	}
	cl->queue = clCreateCommandQueue(cl->context, cl->device, 0, &code);
	if (code != CL_SUCCESS) {
		status = skip_cl_fail(err, code, "clCreateCommandQueue", facts->name);
		goto cleanup;
	}
	skip_buf_init(&cl->identity);
	const char *part[] = {facts->platform, found->platform_version, facts->name, facts->vendor, facts->version, facts->driver};
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) skip_buf_printf(&cl->identity, "%s\n", part[i]);
	if (!skip_buf_ok(&cl->identity)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a context");
		goto cleanup;
	}
	if (!skip_cache_folder("SKIP_KERNEL_CACHE_DIR", cl->cache_folder, sizeof(cl->cache_folder))) cl->cache_folder[0] = '\0';
	*out = cl;
	cl = NULL;
cleanup:
	skip_cl_close(cl);
	return status;
}

void skip_cl_close(struct skip_cl *cl)
{
	if (!cl) return;
	skip_cl_forget_library(cl);
	for (int i = 0; i < SKIP_CL_TOGETHER; i++) {
		if (cl->beside[i]) clReleaseCommandQueue(cl->beside[i]);
	}
	if (cl->timed) clReleaseCommandQueue(cl->timed);
	if (cl->queue) clReleaseCommandQueue(cl->queue);
	if (cl->context) clReleaseContext(cl->context);
	skip_pages_release(cl->pages);
	skip_buf_deinit(&cl->identity);
	skip_free(cl->compiler);
	skip_free(cl);
}

bool skip_cl_shares_host_memory(const struct skip_cl *cl)
{
	return cl->host_memory;
}

static enum skip_status make_buffer(struct skip_cl *cl, cl_mem_flags flags, void *host, size_t bytes, struct skip_cl_buffer **out,
				    struct skip_err *err)
{
	assert(bytes > 0);
	cl_int code = CL_SUCCESS;
	struct skip_cl_buffer *buffer = skip_alloc_zeroed(1, sizeof(*buffer));
	if (!buffer) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a buffer");
	buffer->mem = clCreateBuffer(cl->context, flags, bytes, host, &code);
	if (code != CL_SUCCESS) {
		char what[32];
		snprintf(what, sizeof(what), "%zu bytes", bytes);
		skip_free(buffer);
		return skip_cl_fail(err, code, "clCreateBuffer", what);
	}
	buffer->bytes = bytes;
	*out = buffer;
	return SKIP_OK;
}

/* The runtime's word that it needs the memory no more, which may come after the buffer was let go. */
static void CL_CALLBACK release_pages(cl_mem mem, void *block)
{
	(void)mem;
	skip_pages_release(block);
}

static enum skip_status make_paged_buffer(struct skip_cl *cl, size_t bytes, struct skip_cl_buffer **out, struct skip_err *err)
{
	struct skip_pages *block = NULL;
	void *memory = skip_pages_take(&cl->pages, bytes, &block);
	if (!memory) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a buffer of %zu bytes", bytes);
	enum skip_status status = make_buffer(cl, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, memory, bytes, out, err);
	if (status != SKIP_OK) {
		skip_pages_release(block);
		return status;
	}
	cl_int code = clSetMemObjectDestructorCallback((*out)->mem, release_pages, block);
	if (code == CL_SUCCESS) return SKIP_OK;
	skip_cl_buffer_destroy(*out);
	skip_pages_release(block);
	return skip_cl_fail(err, code, "clSetMemObjectDestructorCallback", NULL);
}

enum skip_status skip_cl_buffer_create(struct skip_cl *cl, size_t bytes, struct skip_cl_buffer **out, struct skip_err *err)
{
	return cl->host_memory ? make_paged_buffer(cl, bytes, out, err) : make_buffer(cl, CL_MEM_READ_WRITE, NULL, bytes, out, err);
}

enum skip_status skip_cl_buffer_wrap(struct skip_cl *cl, const void *data, size_t bytes, struct skip_cl_buffer **out, struct skip_err *err)
{
	/* The flag promises that kernels only read, which is what makes dropping `const` right. */
	return make_buffer(cl, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, (void *)(uintptr_t)data, bytes, out, err);
}

void skip_cl_buffer_destroy(struct skip_cl_buffer *buffer)
{
	if (!buffer) return;
	clReleaseMemObject(buffer->mem);
	skip_free(buffer);
}

size_t skip_cl_buffer_bytes(const struct skip_cl_buffer *buffer)
{
	return buffer->bytes;
}

enum skip_status skip_cl_write(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, const void *data, size_t bytes,
			       struct skip_err *err)
{
	assert(offset <= buffer->bytes && bytes <= buffer->bytes - offset);
	cl_int code = clEnqueueWriteBuffer(cl->queue, buffer->mem, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clEnqueueWriteBuffer", NULL);
}

enum skip_status skip_cl_write_later(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, const void *data, size_t bytes,
				     struct skip_cl_event **event, struct skip_err *err)
{
	assert(offset <= buffer->bytes && bytes <= buffer->bytes - offset);
	struct skip_cl_event *made = skip_alloc_zeroed(1, sizeof(*made));
	if (!made) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an event");
	cl_int code = clEnqueueWriteBuffer(cl->queue, buffer->mem, CL_FALSE, offset, bytes, data, 0, NULL, &made->event);
	if (code != CL_SUCCESS) {
		skip_free(made);
		return skip_cl_fail(err, code, "clEnqueueWriteBuffer", NULL);
	}
	*event = made;
	return SKIP_OK;
}

enum skip_status skip_cl_zero(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, size_t bytes, struct skip_err *err)
{
	assert(offset <= buffer->bytes && bytes <= buffer->bytes - offset && offset % 4 == 0 && bytes % 4 == 0);
	const cl_uint zero = 0;
	if (bytes == 0) return SKIP_OK;
	cl_int code = clEnqueueFillBuffer(cl->queue, buffer->mem, &zero, sizeof(zero), offset, bytes, 0, NULL, NULL);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clEnqueueFillBuffer", NULL);
}

enum skip_status skip_cl_read(struct skip_cl *cl, struct skip_cl_buffer *buffer, size_t offset, void *out, size_t bytes,
			      struct skip_err *err)
{
	assert(offset <= buffer->bytes && bytes <= buffer->bytes - offset);
	cl_int code = clEnqueueReadBuffer(cl->queue, buffer->mem, CL_TRUE, offset, bytes, out, 0, NULL, NULL);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clEnqueueReadBuffer", NULL);
}

void skip_cl_event_forget(struct skip_cl_event *event)
{
	if (!event) return;
	clReleaseEvent(event->event);
	skip_free(event);
}

enum skip_status skip_cl_event_wait(struct skip_cl_event *event, struct skip_err *err)
{
	if (!event) return SKIP_OK;
	cl_int code = clWaitForEvents(1, &event->event);
	skip_cl_event_forget(event);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clWaitForEvents", NULL);
}

enum skip_status skip_cl_flush(struct skip_cl *cl, struct skip_err *err)
{
	cl_int code = clFlush(cl->queue);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clFlush", NULL);
}

enum skip_status skip_cl_finish(struct skip_cl *cl, struct skip_err *err)
{
	cl_int code = clFinish(cl->queue);
	return code == CL_SUCCESS ? SKIP_OK : skip_cl_fail(err, code, "clFinish", NULL);
}
