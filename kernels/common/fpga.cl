/*
 * What FPGA bodies are written with. They keep to the common part of C99 and C++, lanes being unrolled loops over arrays, so that one text is an OpenCL task
 * for a vendor's compiler, a C++ function for an HLS compiler and, where neither asks, an ordinary kernel of one work-item that does the same arithmetic in
 * the same order. The C++ form comes with a head of its own (host/device/emit/twin.c). Floats are multiplied and added, each rounded: no fused operation except where the rounding to int8 is defined by one.
 */
#ifdef SKIP_HLS
#define SKIP_AS_INT(x) skip_bits_of(x)
#define SKIP_AS_FLOAT(x) skip_float_of(x)
#define SKIP_GLOBAL
#define SKIP_RESTRICT __restrict
#define SKIP_TASK extern "C" void
#define SKIP_FMA(a, b, c) fmaf(a, b, c)
#define SKIP_SQRT(x) sqrtf(x)
#define SKIP_FABS(x) fabsf(x)
#define SKIP_PIPE SKIP_PRAGMA(HLS PIPELINE II = 1)
#define SKIP_LANES(n) SKIP_PRAGMA(HLS UNROLL)
#define SKIP_FLOW SKIP_PRAGMA(HLS DATAFLOW)
#else
#define SKIP_GLOBAL __global
#define SKIP_RESTRICT restrict
#define SKIP_FMA(a, b, c) fma(a, b, c)
#define SKIP_SQRT(x) sqrt(x)
#define SKIP_FABS(x) fabs(x)
#define SKIP_AS_INT(x) as_int(x)
#define SKIP_AS_FLOAT(x) as_float(x)
#ifdef INTEL_FPGA
#pragma OPENCL EXTENSION cl_intel_channels : enable
#define SKIP_CHANNEL(type, name, tokens) channel type name __attribute__((depth(tokens)))
#define SKIP_TASK __attribute__((max_global_work_dim(0))) __attribute__((uses_global_work_offset(0))) __kernel void
#define SKIP_PIPE SKIP_PRAGMA(ii 1)
#define SKIP_LANES(n) SKIP_UNROLL(n)
#else
#define SKIP_TASK __attribute__((reqd_work_group_size(1, 1, 1))) __kernel void
#ifdef XILINX_FPGA
#define SKIP_PIPE __attribute__((xcl_pipeline_loop(1)))
#define SKIP_LANES(n) __attribute__((opencl_unroll_hint(n)))
#define SKIP_FLOW __attribute__((xcl_dataflow))
#else
#define SKIP_PIPE
#define SKIP_LANES(n) SKIP_UNROLL(n)
#define SKIP_FLOW
#endif
#endif
#endif

/* A word of 64 bytes: 16 numbers of four bytes, or 64 of one. */
#define SKIP_WORD 16
typedef struct {
	float v[SKIP_WORD];
} skip_floats;
typedef struct {
	int v[SKIP_WORD];
} skip_ints;

/* The sum of 16 numbers, halves first. `p` is used up. */
static inline float skip_sum_m16(float *p)
{
	SKIP_LANES(8)
	for (int i = 0; i < 8; i++) p[i] = p[i] + p[i + 8];
	SKIP_LANES(4)
	for (int i = 0; i < 4; i++) p[i] = p[i] + p[i + 4];
	p[0] = p[0] + p[2];
	p[1] = p[1] + p[3];
	return p[0] + p[1];
}

/* e^x as in maths.cl, with separate multiplications and additions; ln 2 in two parts keeps r exact. */
static inline float skip_exp_m1(float x)
{
	const float shifted = x * 0x1.715476p+0f + 0x1.8p+23f;
	const float n = shifted - 0x1.8p+23f;
	const float r = (x - n * 0x1.62ep-1f) - n * 0x1.0bfbe8p-15f;
	float q = 0x1.10627ap-7f;
	q = q * r + 0x1.572a08p-5f;
	q = q * r + 0x1.5557aep-3f;
	q = q * r + 0x1.fffdfcp-2f;
	q = (q * (r * r) + r) + 1.0f;
	q = q * SKIP_AS_FLOAT((SKIP_AS_INT(shifted) << 23) + 0x3f800000);
	if (x < -87.3f) q = 0.0f;
	if (x > 88.3f) q = SKIP_AS_FLOAT(0x7f800000);
	return q;
}

/* erf x, the polynomial of maths.cl. */
static inline float skip_erf_m1(float x)
{
	float z = x > 0x1.e66666p+1f ? 0x1.e66666p+1f : x;
	z = z < -0x1.e66666p+1f ? -0x1.e66666p+1f : z;
	const float t = (z * z) * 0x1.1ba812p-3f + -1.0f;
	float p = 0x1.0bef16p-10f;
	p = p * t + -0x1.6156b2p-9f;
	p = p * t + 0x1.36489ap-9f;
	p = p * t + -0x1.b077bap-9f;
	p = p * t + 0x1.4606a4p-7f;
	p = p * t + -0x1.2c5f56p-6f;
	p = p * t + 0x1.b556a8p-6f;
	p = p * t + -0x1.3efe5ep-5f;
	p = p * t + 0x1.c305fcp-5f;
	p = p * t + -0x1.290602p-4f;
	p = p * t + 0x1.740dp-4f;
	p = p * t + -0x1.c76a86p-4f;
	p = p * t + 0x1.1a172cp-3f;
	p = p * t + -0x1.7c3174p-3f;
	p = p * t + 0x1.7d09c8p-2f;
	return z * p;
}

static inline float skip_none_m1(float u) { return u; }
static inline float skip_relu_m1(float u) { return u < 0.0f ? 0.0f : u; }

static inline float skip_gelu_m1(float u)
{
	const float h = u * 0.5f;
	return h * skip_erf_m1(u * 0x1.6a09e6p-1f) + h;
}

static inline float skip_tanh_m1(float u)
{
	const float e = skip_exp_m1(SKIP_FABS(u) * 2.0f), t = 1.0f - 2.0f / (e + 1.0f);
	return u < 0.0f ? -t : t;
}

static inline float skip_gelu_tanh_m1(float u)
{
	const float a = u * 0x1.988454p-1f * ((u * u) * 0x1.6e4e26p-5f + 1.0f);
	return u / (1.0f + skip_exp_m1(a * -2.0f));
}

/* To int8 as host/base/quant.h defines it: x * inverse to the nearest integer in one rounding. */
static inline int skip_int8_m1(float x, float inverse) { return SKIP_AS_INT(SKIP_FMA(x, inverse, 0x1.8p+23f)) << 24 >> 24; }
static inline float skip_inverse_m1(float most) { return most > 0x1p-100f ? 127.0f / most : 0.0f; }

/* Four int8 of two words, multiplied and added. */
static inline int skip_dot4_m1(int a, int b)
{
	return (a << 24 >> 24) * (b << 24 >> 24) + (a << 16 >> 24) * (b << 16 >> 24) + (a << 8 >> 24) * (b << 8 >> 24) + (a >> 24) * (b >> 24);
}

/* The nearest bfloat16, ties to even, as a float. */
static inline float skip_bf16_m1(float x)
{
	const int bits = SKIP_AS_INT(x);
	return SKIP_AS_FLOAT((bits + 0x7fff + (bits >> 16 & 1)) & (int)0xffff0000);
}
