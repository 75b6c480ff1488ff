/* Kernels that run side by side, with a watch on them: see cl.h. */
#include "base/alloc.h"
#include "base/clock.h"
#include "device/opencl/internal.h"
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_SECONDS 120

static double timeout_seconds(void)
{
	const char *text = getenv("SKIP_FLOW_TIMEOUT");
	double seconds = text ? strtod(text, NULL) : 0;
	return seconds > 0 ? seconds : TIMEOUT_SECONDS;
}

/* Whether the command has ended; a failed one is an error. */
static cl_int has_ended(cl_event event, bool *ended)
{
	cl_int state = CL_QUEUED, code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL);
	*ended = state == CL_COMPLETE;
	return code != CL_SUCCESS ? code : state < 0 ? state : CL_SUCCESS;
}

static enum skip_status hangs(struct skip_cl_kernel *const *kernel, const bool *ended, int n, double seconds, struct skip_err *err)
{
	struct skip_buf names;
	skip_buf_init(&names);
	for (int i = 0; i < n; i++) {
		if (!ended[i]) skip_buf_printf(&names, "%s%s", names.length ? ", " : "", skip_cl_kernel_name(kernel[i]));
	}
	skip_err_set(err, SKIP_ERR_DEVICE, "kernels joined by channels did not end in %.0f s (a channel may be too shallow): %s", seconds, skip_buf_text(&names));
	skip_buf_deinit(&names);
	return SKIP_ERR_DEVICE;
}

static enum skip_status wait_for(const cl_event *event, struct skip_cl_kernel *const *kernel, int n, struct skip_err *err)
{
	const double start = skip_clock_seconds(), limit = timeout_seconds();
	bool ended[SKIP_CL_TOGETHER] = {false};
	for (int left = n; left > 0;) {
		const struct timespec pause = {0, 100000};
		left = 0;
		for (int i = 0; i < n; i++) {
			cl_int code = ended[i] ? CL_SUCCESS : has_ended(event[i], &ended[i]);
			if (code != CL_SUCCESS) return skip_cl_fail(err, code, "kernel", skip_cl_kernel_name(kernel[i]));
			left += !ended[i];
		}
		if (left > 0 && skip_clock_seconds() - start > limit) return hangs(kernel, ended, n, limit, err);
		if (left > 0) nanosleep(&pause, NULL);
	}
	return SKIP_OK;
}

enum skip_status skip_cl_run_together(struct skip_cl *cl, struct skip_cl_kernel *const *kernel, int n, struct skip_err *err)
{
	static const size_t one[3] = {1, 1, 1};
	enum skip_status status = SKIP_OK;
	cl_int code = CL_SUCCESS;
	cl_event event[SKIP_CL_TOGETHER] = {NULL};
	if (n > SKIP_CL_TOGETHER) return skip_err_set(err, SKIP_ERR_INTERNAL, "%d kernels together, at most %d", n, SKIP_CL_TOGETHER);
	SKIP_TRY(skip_cl_finish(cl, err));
	for (int i = 0; i < n; i++) {
		if (!cl->beside[i]) cl->beside[i] = clCreateCommandQueue(cl->context, cl->device, 0, &code);
		if (code != CL_SUCCESS) SKIP_TRY(skip_cl_fail(err, code, "clCreateCommandQueue", NULL));
	}
	for (int i = 0; i < n; i++) {
		code = clEnqueueNDRangeKernel(cl->beside[i], skip_cl_kernel_handle(kernel[i]), 3, NULL, one, one, 0, NULL, &event[i]);
		if (code == CL_SUCCESS) code = clFlush(cl->beside[i]);
		if (code != CL_SUCCESS) SKIP_TRY(skip_cl_fail(err, code, "clEnqueueNDRangeKernel", skip_cl_kernel_name(kernel[i])));
	}
	status = wait_for(event, kernel, n, err);
cleanup:
	for (int i = 0; i < n; i++) {
		if (event[i]) clReleaseEvent(event[i]);
	}
	return status;
}
