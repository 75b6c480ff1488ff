/*
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n], one work-item per element: dimension 0 walks columns, dimension 1 rows.
 *
 * Sum: four partial sums over k mod 4, added pairwise, then the last K mod 4 products in order (transposed weights: one sum in order of k).
 * M N K: sizes of the product; TRANSPOSE 1: w is [K][N]; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument there.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: depth of the product"
#endif
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_TRANSPOSE
#error "SKIP_LINEAR_TRANSPOSE: 0 or 1"
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

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_GROUP))) void SKIP_LINEAR_NAME(
	__global const float *restrict x, /* [M][K] */
	__global const float *restrict w, /* [N][K], or [K][N] */
#if SKIP_LINEAR_BIAS
	__global const float *restrict bias, /* [N] */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y) /* [M][N] */
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0);
	const uint n = (uint)get_global_id(0), m = (uint)get_global_id(1);
	if (n >= SKIP_LINEAR_N) return;
	x += (size_t)m * SKIP_LINEAR_K;
	float sum = 0.0f;
#if SKIP_LINEAR_TRANSPOSE
	for (uint k = 0; k < SKIP_LINEAR_K; k++) sum = fma(x[k], w[(size_t)k * SKIP_LINEAR_N + n], sum);
#else
	w += (size_t)n * SKIP_LINEAR_K;
	float4 part = (float4)(0.0f);
	for (uint k = 0; k < SKIP_LINEAR_K / 4; k++) part = fma(vload4(k, x), vload4(k, w), part);
	sum = (part.s0 + part.s2) + (part.s1 + part.s3);
	for (uint k = SKIP_LINEAR_K & ~3u; k < SKIP_LINEAR_K; k++) sum = fma(x[k], w[k], sum);
#endif
#if SKIP_LINEAR_BIAS
	sum += bias[n];
#endif
	sum = SKIP_PASTE(SKIP_LINEAR_ACT, _f1)(sum);
#if SKIP_LINEAR_RESIDUAL
	sum += residual[(size_t)m * SKIP_LINEAR_N + n];
#endif
	y[(size_t)m * SKIP_LINEAR_N + n] = sum;
}
