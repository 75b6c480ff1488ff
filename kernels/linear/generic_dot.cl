/*
 * The product of linear in a short type, one work-item per element: dimension 0 walks columns, dimension 1 rows. x is rounded as it is read.
 *
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n], x and w rounded first: INT 1 to int8 with one scale per row of x and of w and an exact
 * int32 sum, INT 0 to bfloat16 with a float sum, one fma per k, in order. CLIP above 0: one scale for all of x, in which it is 127; beyond it x saturates.
 * N K: sizes of the product; E: numbers in a word of w; INT; CLIP; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: depth of the product"
#endif
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_E
#error "SKIP_LINEAR_E: numbers in a word, 2 or 4"
#endif
#ifndef SKIP_LINEAR_INT
#error "SKIP_LINEAR_INT: 0 or 1"
#endif
#ifndef SKIP_LINEAR_CLIP
#error "SKIP_LINEAR_CLIP: the magnitude that int8 reaches, 0: each row's own"
#endif
#ifndef SKIP_LINEAR_ACT
#error "SKIP_LINEAR_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_LINEAR_BIAS
#error "SKIP_LINEAR_BIAS: 0 or 1"
#endif
#ifndef SKIP_LINEAR_RESIDUAL
#error "SKIP_LINEAR_RESIDUAL: 0 or 1"
#endif
#define SKIP_LINEAR_KW ((SKIP_LINEAR_K + SKIP_LINEAR_E - 1) / SKIP_LINEAR_E)
#define SKIP_LINEAR_BITS (32 / SKIP_LINEAR_E)

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_GROUP))) void SKIP_LINEAR_NAME(
	__global const float *restrict x, /* [M][K] */
	__global const int *restrict w, /* [N][KW + 2 INT] words: the numbers, with INT the scale and the start of the sum, which x + 128 would need */
#if SKIP_LINEAR_BIAS
	__global const float *restrict bias, /* [N] */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y) /* [M][N] */
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0 && SKIP_LINEAR_K <= 65536);
	const uint n = (uint)get_global_id(0), m = (uint)get_global_id(1);
	if (n >= SKIP_LINEAR_N) return;
	x += (size_t)m * SKIP_LINEAR_K;
	w += (size_t)n * (SKIP_LINEAR_KW + 2 * SKIP_LINEAR_INT);
#if SKIP_LINEAR_INT
	float most = SKIP_LINEAR_CLIP;
	for (uint k = 0; k < SKIP_LINEAR_K && !(SKIP_LINEAR_CLIP > 0.0f); k++) most = max(most, fabs(x[k]));
	const float inverse = most > 0x1p-100f ? 127.0f / most : 0.0f;
	int sum = 0;
	for (uint k = 0; k < SKIP_LINEAR_K; k++) {
		const float low = !(SKIP_LINEAR_CLIP > 0.0f) || x[k] < most ? x[k] : most, within = !(SKIP_LINEAR_CLIP > 0.0f) || low > -most ? low : -most;
		/* Adding 1.5 * 2^23 leaves the nearest integer in the low bits. */
		const int q = as_int(fma(within, inverse, 0x1.8p+23f)) << 24 >> 24;
		sum += q * (w[k / SKIP_LINEAR_E] << (32 - SKIP_LINEAR_BITS * (k % SKIP_LINEAR_E + 1)) >> (32 - SKIP_LINEAR_BITS));
	}
	float out = (float)sum * (as_float(w[SKIP_LINEAR_KW]) * (most * 0x1.020408p-7f));
#else
	float out = 0.0f;
	for (uint k = 0; k < SKIP_LINEAR_K; k++) {
		const uint bits = as_uint(x[k]), near = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u; /* to the nearest, ties to even */
		out = fma(as_float(near), as_float(w[k / 2] << (16 * (1 - k % 2)) & (int)0xffff0000), out);
	}
#endif
#if SKIP_LINEAR_BIAS
	out += bias[n];
#endif
	out = SKIP_PASTE(SKIP_LINEAR_ACT, _f1)(out);
#if SKIP_LINEAR_RESIDUAL
	out += residual[(size_t)m * SKIP_LINEAR_N + n];
#endif
	y[(size_t)m * SKIP_LINEAR_N + n] = out;
}
#undef SKIP_LINEAR_KW
#undef SKIP_LINEAR_BITS
