/*
 * The measured limits: how many float32 fused multiply-adds a device does when nothing else is in the way, and how fast it reads memory. They are
 * the yardsticks of every speed report, so they are measured with programs of the same dialect and vector width as the kernels.
 *
 * peak: a work-item holds CHAINS vectors, each fed from itself: enough of them to hide the latency of an FMA (4 cycles on two ports), few enough
 * to stay in registers (16 on AVX2, 32 on AVX-512).
 * stream: work-items add up a buffer that no cache holds. Reading, not copying: weights are most of what kernels move, and how a store moves
 * (with or without reading its line first) is another question.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "device/opencl/cl.h"

#define CHAINS 12
#define STEPS 4096 /* per work-item: checkers skip loops that run longer than 65,535 rounds */
#define LOCAL_GPU 64
#define RUNS 7
#define RUN_SECONDS 0.05
#define MAX_ITEMS ((size_t)1 << 26)
#define STREAM_BYTES ((size_t)256 << 20)
#define STREAM_BYTES_CHECKER ((size_t)1 << 20) /* checkers interpret */
#define STREAM_LOADS 1024		       /* vectors of a work-item on CPUs; on GPUs items read side by side */
#define STREAM_SUMS 4

static void write_peak(struct skip_buf *text, int vec, size_t local)
{
	skip_buf_puts(text, "#pragma OPENCL FP_CONTRACT OFF\n");
	skip_buf_printf(text, "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n", local);
	skip_buf_puts(text, "void peak(__global float *restrict out, float scale, float shift)\n{\n");
	skip_buf_printf(text, "\tconst float%d a = (float%d)(scale), b = (float%d)(shift);\n", vec, vec, vec);
	for (int i = 0; i < CHAINS; i++) skip_buf_printf(text, "\tfloat%d c%d = (float%d)(%d.0f);\n", vec, i, vec, i);
	skip_buf_printf(text, "\tfor (uint step = 0; step < %du; step++) {\n", STEPS);
	for (int i = 0; i < CHAINS; i++) skip_buf_printf(text, "\t\tc%d = fma(c%d, a, b);\n", i, i);
	skip_buf_puts(text, "\t}\n\tc0 = c0");
	for (int i = 1; i < CHAINS; i++) skip_buf_printf(text, " + c%d", i);
	/* Every item writes the same place: nothing may be left out, and nothing is measured but arithmetic. */
	skip_buf_printf(text, ";\n\tvstore%d(c0, 0, out);\n}\n", vec);
}

/* Best time of several runs of at least RUN_SECONDS; gives work-items per second. */
static enum skip_status best_rate(struct skip_cl *cl, struct skip_cl_kernel *kernel, size_t local, size_t start, double *rate,
				  struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t group[3] = {local, 1, 1};
	size_t items = start;
	double best = 0;
	for (int run = 0; run < RUNS;) {
		const size_t global[3] = {items, 1, 1};
		double begin = skip_clock_seconds();
		SKIP_TRY(skip_cl_enqueue(cl, kernel, global, group, err));
		SKIP_TRY(skip_cl_finish(cl, err));
		double seconds = skip_clock_seconds() - begin;
		if (seconds < RUN_SECONDS && items < MAX_ITEMS) {
			items *= 2;
			continue;
		}
		double now = (double)items / seconds;
		if (now > best) best = now;
		run++;
	}
	*rate = best;
cleanup:
	return status;
}

enum skip_status skip_device_measure_peak(struct skip_device *device, double *gflops_f32, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl *cl = skip_device_cl(device);
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *out = NULL;
	struct skip_buf text;
	const float scale = 0.5f, shift = 1.0f;
	const size_t local = profile->kind == SKIP_PROFILE_GPU ? LOCAL_GPU : 1;
	double rate = 0;
	skip_buf_init(&text);
	write_peak(&text, profile->vec, local);
	if (!skip_buf_ok(&text)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a kernel");
		goto cleanup;
	}
	SKIP_TRY(skip_cl_program_build(cl, "peak", skip_buf_text(&text), profile->options, &program, err));
	SKIP_TRY(skip_cl_kernel_create(program, "peak", &kernel, err));
	SKIP_TRY(skip_cl_buffer_create(cl, 16 * sizeof(float), &out, err));
	SKIP_TRY(skip_cl_set_buffer(kernel, 0, out, err));
	SKIP_TRY(skip_cl_set_word(kernel, 1, &scale, err));
	SKIP_TRY(skip_cl_set_word(kernel, 2, &shift, err));
	SKIP_TRY(best_rate(cl, kernel, local, (size_t)skip_device_get_info(device)->compute_units * 16 * local, &rate, err));
	skip_cl_program_store(cl, program);
	*gflops_f32 = rate * STEPS * CHAINS * profile->vec * 2.0 * 1e-9;
cleanup:
	skip_cl_buffer_destroy(out);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	skip_buf_deinit(&text);
	return status;
}

/*
 * A group reads one stretch of STREAM_LOADS * local vectors; its items take turns, so that neighbours read neighbouring vectors. On a CPU a group
 * is one item, which then walks its stretch from end to end.
 */
static void write_stream(struct skip_buf *text, int vec, size_t local)
{
	skip_buf_printf(text, "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n", local);
	skip_buf_puts(text, "void stream(__global const float *restrict in, __global float *restrict out)\n{\n");
	skip_buf_printf(text, "\tconst size_t at = get_group_id(0) * %zu + get_local_id(0);\n", STREAM_LOADS * local);
	for (int i = 0; i < STREAM_SUMS; i++) skip_buf_printf(text, "\tfloat%d s%d = (float%d)(0.0f);\n", vec, i, vec);
	skip_buf_printf(text, "\tfor (uint step = 0; step < %du; step += %du) {\n", STREAM_LOADS, STREAM_SUMS);
	for (int i = 0; i < STREAM_SUMS; i++) skip_buf_printf(text, "\t\ts%d += vload%d(at + (step + %du) * %zu, in);\n", i, vec, i, local);
	skip_buf_puts(text, "\t}\n\ts0 = s0");
	for (int i = 1; i < STREAM_SUMS; i++) skip_buf_printf(text, " + s%d", i);
	skip_buf_printf(text, ";\n\tvstore%d(s0, 0, out);\n}\n", vec);
}

enum skip_status skip_device_measure_bandwidth(struct skip_device *device, double *gbs, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl *cl = skip_device_cl(device);
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *in = NULL, *out = NULL;
	struct skip_buf text;
	const size_t local = profile->kind == SKIP_PROFILE_GPU ? LOCAL_GPU : 1;
	const size_t group_bytes = STREAM_LOADS * local * (size_t)profile->vec * sizeof(float);
	const size_t wanted = profile->kind == SKIP_PROFILE_CHECKER ? STREAM_BYTES_CHECKER : STREAM_BYTES;
	const size_t groups = wanted > group_bytes ? wanted / group_bytes : 1;
	double best = 0;
	skip_buf_init(&text);
	write_stream(&text, profile->vec, local);
	if (!skip_buf_ok(&text)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a kernel");
		goto cleanup;
	}
	SKIP_TRY(skip_cl_program_build(cl, "stream", skip_buf_text(&text), profile->options, &program, err));
	SKIP_TRY(skip_cl_kernel_create(program, "stream", &kernel, err));
	SKIP_TRY(skip_cl_buffer_create(cl, groups * group_bytes, &in, err));
	SKIP_TRY(skip_cl_buffer_create(cl, 16 * sizeof(float), &out, err));
	/* Pages nobody has written may all be one page of zeros, and that one stays in the cache. */
	SKIP_TRY(skip_cl_zero(cl, in, 0, groups * group_bytes, err));
	SKIP_TRY(skip_cl_set_buffer(kernel, 0, in, err));
	SKIP_TRY(skip_cl_set_buffer(kernel, 1, out, err));
	/* The first run may compile. */
	for (int run = 0; run <= RUNS; run++) {
		const size_t global[3] = {groups * local, 1, 1}, group[3] = {local, 1, 1};
		SKIP_TRY(skip_cl_finish(cl, err));
		double begin = skip_clock_seconds();
		SKIP_TRY(skip_cl_enqueue(cl, kernel, global, group, err));
		SKIP_TRY(skip_cl_finish(cl, err));
		double now = (double)(groups * group_bytes) / (skip_clock_seconds() - begin);
		if (run > 0 && now > best) best = now;
	}
	skip_cl_program_store(cl, program);
	*gbs = best * 1e-9;
cleanup:
	skip_cl_buffer_destroy(in);
	skip_cl_buffer_destroy(out);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	skip_buf_deinit(&text);
	return status;
}
