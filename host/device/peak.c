/*
 * The measured limits: how many multiply-adds a device does when nothing else is in the way, and how fast it reads memory. They are the yardsticks
 * of every speed report, so they are measured with programs of the same dialect and vector width as the kernels.
 *
 * float32: a work-item holds CHAINS vectors, each fed from itself: enough of them to hide the latency of an FMA (4 cycles on two ports), few enough
 * to stay in registers (16 on AVX2, 32 on AVX-512).
 * short types: the innermost loop of the form that products take on this device (struct skip_peak_loop).
 * stream: work-items add up a buffer that no cache holds. Reading, not copying: weights are most of what kernels move, and how a store moves
 * (with or without reading its line first) is another question.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "device/emit/emit.h"
#include "device/opencl/cl.h"
#include "device/run/run.h"
#include <stdio.h>

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

static enum skip_status measure_f32(struct skip_device *device, double *gflops, struct skip_err *err)
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
	*gflops = rate * STEPS * CHAINS * profile->vec * 2.0 * 1e-9;
cleanup:
	skip_cl_buffer_destroy(out);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	skip_buf_deinit(&text);
	return status;
}

static enum skip_status find_loop(const struct skip_profile *profile, enum skip_precision precision, struct skip_peak_loop *out, struct skip_err *err)
{
	for (size_t i = 0; skip_families[i]; i++) {
		if (skip_families[i]->peak) return skip_families[i]->peak(profile, precision, out, err);
	}
	return skip_err_set(err, SKIP_ERR_INTERNAL, "no kernel family has a loop to measure");
}

/* The loop as a program of its own. */
static enum skip_status emit_loop(const struct skip_profile *profile, const struct skip_peak_loop *loop, struct skip_plan **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_plan *plan = skip_alloc_zeroed(1, sizeof(*plan));
	if (plan) plan->kernels = skip_alloc_zeroed(1, sizeof(*plan->kernels));
	if (!plan || !plan->kernels) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a kernel"));
	plan->n_kernels = 1;
	snprintf(plan->profile, sizeof(plan->profile), "%s", profile->id);
	snprintf(plan->kernels[0].name, sizeof(plan->kernels[0].name), "peak");
	SKIP_TRY(skip_emit_programs(&loop->spec, NULL, 0, 0, plan, err));
	*out = plan;
	plan = NULL;
cleanup:
	skip_plan_destroy(plan);
	return status;
}

static enum skip_status make_operand(struct skip_cl *cl, size_t words, uint32_t word, struct skip_cl_buffer **out, struct skip_err *err)
{
	enum skip_status status;
	uint32_t *data = skip_alloc_array(words, sizeof(*data));
	if (!data) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an operand");
	for (size_t i = 0; i < words; i++) data[i] = word;
	SKIP_TRY(skip_cl_buffer_create(cl, words * sizeof(*data), out, err));
	SKIP_TRY(skip_cl_write(cl, *out, 0, data, words * sizeof(*data), err));
cleanup:
	skip_free(data);
	return status;
}

static enum skip_status measure_short(struct skip_device *device, enum skip_precision precision, double *gflops, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cl *cl = skip_device_cl(device);
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_peak_loop loop = {0};
	struct skip_plan *plan = NULL;
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *operand[3] = {NULL};
	double rate = 0;
	SKIP_TRY(skip_known_forms(device, precision, err));
	*gflops = 0;
	if (profile->n_dot[precision] == 0) goto cleanup;
	SKIP_TRY(find_loop(profile, precision, &loop, err));
	SKIP_TRY(emit_loop(profile, &loop, &plan, err));
	SKIP_TRY(skip_cl_program_build(cl, "peak", plan->programs[0].text, profile->options, &program, err));
	SKIP_TRY(skip_cl_kernel_create(program, plan->kernels[0].name, &kernel, err));
	const size_t words[3] = {loop.x_words, loop.w_words, loop.out_words};
	for (unsigned i = 0; i < 3; i++) {
		SKIP_TRY(make_operand(cl, words[i], i < 2 ? loop.ones : 0, &operand[i], err));
		SKIP_TRY(skip_cl_set_buffer(kernel, i, operand[i], err));
	}
	SKIP_TRY(best_rate(cl, kernel, loop.spec.local[0], (size_t)skip_device_get_info(device)->compute_units * 4, &rate, err));
	skip_cl_program_store(cl, program);
	*gflops = 2e-9 * rate * loop.macs;
cleanup:
	for (int i = 0; i < 3; i++) skip_cl_buffer_destroy(operand[i]);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	skip_plan_destroy(plan);
	return status;
}

enum skip_status skip_device_measure_peak(struct skip_device *device, enum skip_precision precision, double *gflops, struct skip_err *err)
{
	return precision == SKIP_PRECISION_F32 ? measure_f32(device, gflops, err) : measure_short(device, precision, gflops, err);
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
