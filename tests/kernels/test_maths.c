/*
 * kernels/common/maths.cl and rng.cl on the device: every function of every width against float64 over the whole range of its argument. The bounds
 * are those promised in kernels/NAMING.md.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "device/emit/emit.h"
#include "device/opencl/cl.h"
#include "graph/rules.h"
#include "../device/open_device.h"
#include <float.h>
#include <string.h>

#define POINTS 65536

static double ref_exp(double x) { return exp(x); }
static double ref_exp2(double x) { return exp2(x); }
static double ref_erf(double x) { return erf(x); }
static double value_none(double u) { return skip_act_value(SKIP_ACT_NONE, u); }
static double value_relu(double u) { return skip_act_value(SKIP_ACT_RELU, u); }
static double value_gelu(double u) { return skip_act_value(SKIP_ACT_GELU, u); }
static double value_gelu_tanh(double u) { return skip_act_value(SKIP_ACT_GELU_TANH, u); }
static double value_tanh(double u) { return skip_act_value(SKIP_ACT_TANH, u); }
static double slope_none(double u) { return skip_act_slope(SKIP_ACT_NONE, u); }
static double slope_relu(double u) { return skip_act_slope(SKIP_ACT_RELU, u); }
static double slope_gelu(double u) { return skip_act_slope(SKIP_ACT_GELU, u); }
static double slope_gelu_tanh(double u) { return skip_act_slope(SKIP_ACT_GELU_TANH, u); }
static double slope_tanh(double u) { return skip_act_slope(SKIP_ACT_TANH, u); }

struct function {
	const char *name;
	double (*reference)(double);
	double from, to;
	double absolute, per_input, relative; /* error <= absolute * max(1, per_input * |x|) + relative * |f(x)| */
};

static const struct function functions[] = {
	{"exp", ref_exp, -87.3, 88.3, 0, 0, 2e-7},
	{"exp2_short", ref_exp2, -126, 126, 0, 0, 8e-5},
	{"erf", ref_erf, -12, 12, 2e-7, 0, 0},
	{"none", value_none, -100, 100, 0, 0, 0},
	{"relu", value_relu, -100, 100, 0, 0, 0},
	{"gelu", value_gelu, -100, 100, 2e-7, 1, 0},
	{"gelu_short", value_gelu, -100, 100, 2e-4, 0, 0},
	{"gelu_tanh", value_gelu_tanh, -100, 100, 3e-7, 1, 0},
	{"tanh", value_tanh, -100, 100, 2e-7, 0, 0},
	{"none_grad", slope_none, -100, 100, 0, 0, 0},
	{"relu_grad", slope_relu, -100, 100, 0, 0, 0},
	{"gelu_grad", slope_gelu, -100, 100, 5e-7, 0, 0},
	{"gelu_tanh_grad", slope_gelu_tanh, -100, 100, 5e-7, 0, 0},
	{"tanh_grad", slope_tanh, -100, 100, 5e-7, 0, 0},
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
static const int widths[] = {1, 4, 8, 16};

static struct skip_cl_program *build(struct skip_cl *cl, const char *const *common, const struct skip_buf *kernels)
{
	struct skip_err err;
	struct skip_buf text;
	struct skip_cl_program *program = NULL;
	skip_buf_init(&text);
	CHECK_OK(skip_emit_common(common, &text, &err));
	skip_buf_puts(&text, skip_buf_text(kernels));
	cr_assert(skip_buf_ok(&text));
	CHECK_OK(skip_cl_program_build(cl, "maths", skip_buf_text(&text), "", &program, &err));
	skip_buf_deinit(&text);
	return program;
}

/* Runs kernel `name`(x, y) over n / width items and reads y. */
static void run(struct skip_cl *cl, struct skip_cl_program *program, const char *name, const float *x, float *y, size_t n, size_t n_out, int width)
{
	struct skip_err err;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *in = NULL, *out = NULL;
	CHECK_OK(skip_cl_kernel_create(program, name, &kernel, &err));
	CHECK_OK(skip_cl_buffer_create(cl, n * sizeof(float), &in, &err));
	CHECK_OK(skip_cl_buffer_create(cl, n_out * sizeof(float), &out, &err));
	CHECK_OK(skip_cl_write(cl, in, 0, x, n * sizeof(float), &err));
	CHECK_OK(skip_cl_set_buffer(kernel, 0, in, &err));
	CHECK_OK(skip_cl_set_buffer(kernel, 1, out, &err));
	CHECK_OK(skip_cl_enqueue(cl, kernel, (const size_t[3]){n / (size_t)width, 1, 1}, (const size_t[3]){1, 1, 1}, &err));
	CHECK_OK(skip_cl_read(cl, out, 0, y, n_out * sizeof(float), &err));
	skip_cl_buffer_destroy(in);
	skip_cl_buffer_destroy(out);
	skip_cl_kernel_destroy(kernel);
}

static double allowed(const struct function *f, double x, double value)
{
	return f->absolute * fmax(1, f->per_input * fabs(x)) + f->relative * fabs(value);
}

/* Half of the points evenly over the range, half crowded towards 0, where activations bend. */
static void fill(const struct function *f, float *x)
{
	for (int i = 0; i < POINTS; i++) {
		double t = (i / 2 + 0.5) / (POINTS / 2);
		double wide = f->from + (f->to - f->from) * t, narrow = -8 + 16 * t;
		x[i] = (float)(i % 2 ? wide : narrow);
	}
	x[0] = 0;
}

static void check_values(const struct function *f, int width, const float *x, const float *y)
{
	double worst = -1;
	int where = 0;
	for (int i = 0; i < POINTS; i++) {
		double value = f->reference(x[i]), over = fabs(y[i] - value) - allowed(f, x[i], value);
		if (!(over <= worst)) {
			worst = over;
			where = i;
			if (isnan(over)) break;
		}
	}
	cr_expect(worst <= 0, "skip_%s_f%d(%.9g) is %.9g, should be %.9g within %.3g", f->name, width, x[where], y[where], f->reference(x[where]),
		  allowed(f, x[where], f->reference(x[where])));
}

Test(maths, every_function_of_every_width_keeps_its_bound)
{
	struct test_device device = open_device(NULL);
	struct skip_cl *cl = skip_device_cl(device.device);
	struct skip_buf kernels;
	float *x = skip_alloc_array(POINTS, sizeof(float)), *y = skip_alloc_array(POINTS, sizeof(float));
	skip_buf_init(&kernels);
	for (size_t f = 0; f < N_FUNCTIONS; f++) {
		for (size_t w = 0; w < 4; w++) {
			const char *load = widths[w] == 1 ? "x[get_global_id(0)]" : NULL;
			skip_buf_printf(&kernels, "__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void %s_%d(__global const float *restrict x, "
						  "__global float *restrict y)\n{\n",
					functions[f].name, widths[w]);
			if (load) {
				skip_buf_printf(&kernels, "\ty[get_global_id(0)] = skip_%s_f1(%s);\n}\n", functions[f].name, load);
			} else {
				skip_buf_printf(&kernels, "\tvstore%d(skip_%s_f%d(vload%d(get_global_id(0), x)), get_global_id(0), y);\n}\n", widths[w],
						functions[f].name, widths[w], widths[w]);
			}
		}
	}
	struct skip_cl_program *program = build(cl, (const char *const[]){"maths", NULL}, &kernels);
	for (size_t f = 0; f < N_FUNCTIONS; f++) {
		for (size_t w = 0; w < 4; w++) {
			char name[64];
			snprintf(name, sizeof(name), "%s_%d", functions[f].name, widths[w]);
			fill(&functions[f], x);
			run(cl, program, name, x, y, POINTS, POINTS, widths[w]);
			check_values(&functions[f], widths[w], x, y);
		}
	}
	skip_cl_program_destroy(program);
	skip_buf_deinit(&kernels);
	skip_free(x);
	skip_free(y);
	close_device(&device);
}

Test(maths, small_edges_of_exp_and_reductions)
{
	static const char source[] =
		"__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void edges(__global const float *restrict x, __global float *restrict y)\n"
		"{\n"
		"	const float16 v = vload16(0, x);\n"
		"	vstore16(skip_exp_f16(v), 0, y);\n"
		"	vstore16(skip_tanh_f16(v), 1, y);\n"
		"	const float16 ramp = (float16)(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, -15, 0);\n"
		"	y[32] = skip_sum_f16(ramp); y[33] = skip_max_f16(ramp); y[34] = skip_sum_f8(ramp.lo); y[35] = skip_max_f8(ramp.hi);\n"
		"	y[36] = skip_sum_f4(ramp.s3210); y[37] = skip_max_f4(ramp.s0123); y[38] = skip_sum_f1(3.0f); y[39] = skip_max_f1(-3.0f);\n"
		"}\n";
	const float x[16] = {-INFINITY, INFINITY, NAN, -1e30f, 1e30f, -88, 89, 0, -0.0f, 1, -1, 50, -50, 1e-20f, FLT_MAX, -FLT_MAX};
	static const float sums[8] = {90, 14, 36, 14, 10, 4, 3, -3};
	float y[40];
	struct test_device device = open_device(NULL);
	struct skip_cl *cl = skip_device_cl(device.device);
	struct skip_buf kernels;
	skip_buf_init(&kernels);
	skip_buf_puts(&kernels, source);
	struct skip_cl_program *program = build(cl, (const char *const[]){"maths", NULL}, &kernels);
	run(cl, program, "edges", x, y, 16, 40, 16);
	for (int i = 0; i < 16; i++) {
		if (isnan(x[i])) {
			cr_expect(isnan(y[i]) && isnan(y[16 + i]), "NaN is lost");
			continue;
		}
		double e = x[i] < -87.3f ? 0 : x[i] > 88.3f ? INFINITY : exp(x[i]);
		cr_expect(y[i] == e || fabs(y[i] - e) <= 2e-7 * e, "exp(%g) is %g, should be %g", x[i], y[i], e);
		cr_expect(fabs(y[16 + i] - tanh(x[i])) <= 2e-7, "tanh(%g) is %g", x[i], y[16 + i]);
	}
	for (int i = 0; i < 8; i++) cr_expect(y[32 + i] == sums[i], "reduction %d is %g, should be %g", i, y[32 + i], sums[i]);
	skip_cl_program_destroy(program);
	skip_buf_deinit(&kernels);
	close_device(&device);
}

Test(rng, small_device_and_host_agree_on_every_bit)
{
	static const char source[] =
		"__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void bits(__global const float *restrict x, __global uint *restrict y)\n"
		"{\n"
		"	const uint i = (uint)get_global_id(0), key = as_uint(x[i]);\n"
		"	y[i] = skip_rng_hash(key, i * 2654435761u, i ^ 0xffffffffu);\n"
		"}\n";
	enum { N = 64 };
	float x[N], y[N];
	uint32_t words[N], got[N];
	for (uint32_t i = 0; i < N; i++) words[i] = (i + 1) * 0x12345u; /* bits of small floats: never a NaN */
	memcpy(x, words, sizeof(x));
	struct test_device device = open_device(NULL);
	struct skip_cl *cl = skip_device_cl(device.device);
	struct skip_buf kernels;
	skip_buf_init(&kernels);
	skip_buf_puts(&kernels, source);
	struct skip_cl_program *program = build(cl, (const char *const[]){"rng", NULL}, &kernels);
	run(cl, program, "bits", x, y, N, N, 1);
	memcpy(got, y, sizeof(got));
	for (uint32_t i = 0; i < N; i++) cr_expect(got[i] == skip_rng_hash(words[i], i * 2654435761u, i ^ 0xffffffffu), "word %u", i);
	skip_cl_program_destroy(program);
	skip_buf_deinit(&kernels);
	close_device(&device);
}
