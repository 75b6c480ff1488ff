/*
 * One sum per work-item, rows in order.
 *
 * Kernels: WEIGHT dw[n][k] = sum_m dy[m][n] x[m][k], dimension 0 walks k, dimension 1 n. BIAS db[n] = sum_m dy[m][n], dimension 0 walks n.
 * N: columns of dy; K (WEIGHT only): columns of x; BF16 (WEIGHT only) 1: both factors are rounded to bfloat16 first. M = rows, at run time.
 */
#ifndef SKIP_LINEAR_DW_N
#error "SKIP_LINEAR_DW_N: columns of dy"
#endif
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
#ifndef SKIP_LINEAR_DW_K
#error "SKIP_LINEAR_DW_K: columns of x"
#endif
#ifndef SKIP_LINEAR_DW_BF16
#error "SKIP_LINEAR_DW_BF16: 0 or 1"
#endif

static inline float SKIP_JOIN(SKIP_LINEAR_DW_NAME, factor)(float x)
{
#if SKIP_LINEAR_DW_BF16
	const uint bits = as_uint(x);
	x = as_float((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u); /* to the nearest, ties to even */
#endif
	return x;
}
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_DW_GROUP))) void SKIP_LINEAR_DW_NAME(
	__global const float *restrict dy, /* [M][N] */
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
	__global const float *restrict x, /* [M][K] */
#endif
	__global float *restrict out, /* WEIGHT: [N][K], BIAS: [N] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N > 0);
	float sum = 0.0f;
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
	const uint k = (uint)get_global_id(0), n = (uint)get_global_id(1);
	if (k >= SKIP_LINEAR_DW_K) return;
	for (uint m = 0; m < (uint)rows; m++)
		sum = fma(SKIP_JOIN(SKIP_LINEAR_DW_NAME, factor)(dy[m * SKIP_LINEAR_DW_N + n]), SKIP_JOIN(SKIP_LINEAR_DW_NAME, factor)(x[m * SKIP_LINEAR_DW_K + k]), sum);
	out[n * SKIP_LINEAR_DW_K + k] = sum;
#else
	const uint n = (uint)get_global_id(0);
	if (n >= SKIP_LINEAR_DW_N) return;
	for (uint m = 0; m < (uint)rows; m++) sum += dy[m * SKIP_LINEAR_DW_N + n];
	out[n] = sum;
#endif
}
