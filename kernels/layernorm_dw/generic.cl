/*
 * STATS: one row per work-item, stats[row] = mean, 1/sqrt(var + EPS); four partial sums over d mod 4, added pairwise.
 * SUM: one column per work-item, dgamma[d] = sum over rows of dy (x - mean) r, dbeta[d] = sum of dy, rows in order.
 * D: columns; EPS (STATS only) above 0.
 */
#ifndef SKIP_LAYERNORM_DW_D
#error "SKIP_LAYERNORM_DW_D: columns"
#endif

#ifdef SKIP_LAYERNORM_DW_KERNEL_STATS
#ifndef SKIP_LAYERNORM_DW_EPS
#error "SKIP_LAYERNORM_DW_EPS: added to the variance"
#endif
__kernel __attribute__((reqd_work_group_size(SKIP_LAYERNORM_DW_GROUP))) void SKIP_LAYERNORM_DW_NAME(
	__global const float *restrict x, /* [rows][D] */
	__global float *restrict stats,   /* [rows][2] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_DW_D > 0);
	const uint row = (uint)get_global_id(0);
	if (row >= (uint)rows) return;
	float part[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
	x += row * SKIP_LAYERNORM_DW_D;
	for (uint d = 0; d < SKIP_LAYERNORM_DW_D; d++) part[d & 3] += x[d];
	const float mean = ((part[0] + part[2]) + (part[1] + part[3])) / SKIP_LAYERNORM_DW_D;
	for (uint i = 0; i < 4; i++) part[i] = 0.0f;
	for (uint d = 0; d < SKIP_LAYERNORM_DW_D; d++) part[d & 3] = fma(x[d] - mean, x[d] - mean, part[d & 3]);
	stats[2 * row] = mean;
	stats[2 * row + 1] = 1.0f / sqrt(((part[0] + part[2]) + (part[1] + part[3])) / SKIP_LAYERNORM_DW_D + SKIP_LAYERNORM_DW_EPS);
}
#else
__kernel __attribute__((reqd_work_group_size(SKIP_LAYERNORM_DW_GROUP))) void SKIP_LAYERNORM_DW_NAME(
	__global const float *restrict x,     /* [rows][D] */
	__global const float *restrict dy,    /* [rows][D] */
	__global const float *restrict stats, /* [rows][2] */
	__global float *restrict dgamma,      /* [D] */
	__global float *restrict dbeta,       /* [D] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_DW_D > 0);
	const uint d = (uint)get_global_id(0);
	if (d >= SKIP_LAYERNORM_DW_D) return;
	float along = 0.0f, sum = 0.0f;
	for (uint row = 0; row < (uint)rows; row++) {
		const float g = dy[row * SKIP_LAYERNORM_DW_D + d];
		along = fma(g, (x[row * SKIP_LAYERNORM_DW_D + d] - stats[2 * row]) * stats[2 * row + 1], along);
		sum += g;
	}
	dgamma[d] = along;
	dbeta[d] = sum;
}
#endif
