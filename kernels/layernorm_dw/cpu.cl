/*
 * STATS: ROWS rows per work-item, stats[row] = mean, 1/sqrt(var + EPS); a sum has VEC lanes, which are added pairwise, then the D mod VEC
 * last columns in order. SUM: VEC columns per work-item, dgamma[d] = sum over rows of dy (x - mean) r, dbeta[d] = sum of dy, rows in order;
 * the last vector ends with the row and repeats columns of its neighbour, with the same values.
 * D: columns, at least VEC; EPS and ROWS (STATS only), EPS above 0.
 */
#ifndef SKIP_LAYERNORM_DW_D
#error "SKIP_LAYERNORM_DW_D: columns"
#endif
#ifndef SKIP_LAYERNORM_DW_VEC
#error "SKIP_LAYERNORM_DW_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_LAYERNORM_DW_F SKIP_PASTE(float, SKIP_LAYERNORM_DW_VEC)
#define SKIP_LAYERNORM_DW_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LAYERNORM_DW_VEC, i, p)
#define SKIP_LAYERNORM_DW_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LAYERNORM_DW_VEC, i, p) = (v)

#ifdef SKIP_LAYERNORM_DW_KERNEL_STATS
#ifndef SKIP_LAYERNORM_DW_EPS
#error "SKIP_LAYERNORM_DW_EPS: added to the variance"
#endif
#ifndef SKIP_LAYERNORM_DW_ROWS
#error "SKIP_LAYERNORM_DW_ROWS: rows per work-item"
#endif
#define SKIP_LAYERNORM_DW_SUM SKIP_PASTE(skip_sum_f, SKIP_LAYERNORM_DW_VEC)
#define SKIP_LAYERNORM_DW_WHOLE (SKIP_LAYERNORM_DW_D / SKIP_LAYERNORM_DW_VEC * SKIP_LAYERNORM_DW_VEC)
SKIP_KERNEL(SKIP_LAYERNORM_DW_GROUP) void SKIP_LAYERNORM_DW_NAME(
	SKIP_ITEM
	__global const float *restrict x, /* [rows][D] */
	__global float *restrict stats,   /* [rows][2] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_DW_D >= SKIP_LAYERNORM_DW_VEC && SKIP_LAYERNORM_DW_ROWS > 0);
	const uint first = SKIP_ID(0) * SKIP_LAYERNORM_DW_ROWS, last = min(first + SKIP_LAYERNORM_DW_ROWS, (uint)rows);
	for (uint row = first; row < last; row++) {
		__global const float *from = x + row * SKIP_LAYERNORM_DW_D;
		SKIP_LAYERNORM_DW_F sum = (SKIP_LAYERNORM_DW_F)(0.0f);
		for (uint d = 0; d < SKIP_LAYERNORM_DW_WHOLE; d += SKIP_LAYERNORM_DW_VEC) sum += SKIP_LAYERNORM_DW_LOAD(0, from + d);
		float mean = SKIP_LAYERNORM_DW_SUM(sum);
		for (uint d = SKIP_LAYERNORM_DW_WHOLE; d < SKIP_LAYERNORM_DW_D; d++) mean += from[d];
		mean /= SKIP_LAYERNORM_DW_D;
		sum = (SKIP_LAYERNORM_DW_F)(0.0f);
		for (uint d = 0; d < SKIP_LAYERNORM_DW_WHOLE; d += SKIP_LAYERNORM_DW_VEC) {
			const SKIP_LAYERNORM_DW_F apart = SKIP_LAYERNORM_DW_LOAD(0, from + d) - mean;
			sum = fma(apart, apart, sum);
		}
		float var = SKIP_LAYERNORM_DW_SUM(sum);
		for (uint d = SKIP_LAYERNORM_DW_WHOLE; d < SKIP_LAYERNORM_DW_D; d++) var = fma(from[d] - mean, from[d] - mean, var);
		stats[2 * row] = mean;
		stats[2 * row + 1] = 1.0f / sqrt(var / SKIP_LAYERNORM_DW_D + SKIP_LAYERNORM_DW_EPS);
	}
}
#undef SKIP_LAYERNORM_DW_SUM
#undef SKIP_LAYERNORM_DW_WHOLE
#else
SKIP_KERNEL(SKIP_LAYERNORM_DW_GROUP) void SKIP_LAYERNORM_DW_NAME(
	SKIP_ITEM
	__global const float *restrict x,     /* [rows][D] */
	__global const float *restrict dy,    /* [rows][D] */
	__global const float *restrict stats, /* [rows][2] */
	__global float *restrict dgamma,      /* [D] */
	__global float *restrict dbeta,       /* [D] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_DW_D >= SKIP_LAYERNORM_DW_VEC);
	const uint d = min(SKIP_ID(0) * SKIP_LAYERNORM_DW_VEC, (uint)(SKIP_LAYERNORM_DW_D - SKIP_LAYERNORM_DW_VEC));
	SKIP_LAYERNORM_DW_F along = (SKIP_LAYERNORM_DW_F)(0.0f), sum = along;
	for (uint row = 0; row < (uint)rows; row++) {
		const SKIP_LAYERNORM_DW_F g = SKIP_LAYERNORM_DW_LOAD(0, dy + row * SKIP_LAYERNORM_DW_D + d);
		along = fma(g, (SKIP_LAYERNORM_DW_LOAD(0, x + row * SKIP_LAYERNORM_DW_D + d) - stats[2 * row]) * stats[2 * row + 1], along);
		sum += g;
	}
	SKIP_LAYERNORM_DW_STORE(along, 0, dgamma + d);
	SKIP_LAYERNORM_DW_STORE(sum, 0, dbeta + d);
}
#endif
#undef SKIP_LAYERNORM_DW_F
#undef SKIP_LAYERNORM_DW_LOAD
#undef SKIP_LAYERNORM_DW_STORE
