/*
 * layernorm forward, one work-group of ITEMS per row: y = gamma (x - mean) / sqrt(var + EPS) + beta. Each work-item adds up every ITEMS-th column, the
 * sums are added pairwise in local memory.
 * D: columns; EPS above 0; ITEMS: a power of two.
 */
#ifndef SKIP_LAYERNORM_D
#error "SKIP_LAYERNORM_D: columns"
#endif
#ifndef SKIP_LAYERNORM_EPS
#error "SKIP_LAYERNORM_EPS: added to the variance"
#endif
#ifndef SKIP_LAYERNORM_ITEMS
#error "SKIP_LAYERNORM_ITEMS: work-items of a row"
#endif
/* part[0] becomes the sum of all; between two of these nobody writes `part`. A macro, since helpers may hold no barrier. */
#define SKIP_LAYERNORM_SUM(value)                                                                                                         \
	barrier(CLK_LOCAL_MEM_FENCE);                                                                                                     \
	part[item] = (value);                                                                                                             \
	for (uint step = SKIP_LAYERNORM_ITEMS / 2; step > 0; step /= 2) {                                                                 \
		barrier(CLK_LOCAL_MEM_FENCE);                                                                                             \
		if (item < step) part[item] += part[item + step];                                                                         \
	}                                                                                                                                 \
	barrier(CLK_LOCAL_MEM_FENCE)

__kernel __attribute__((reqd_work_group_size(SKIP_LAYERNORM_GROUP))) void SKIP_LAYERNORM_NAME(
	__global const float *restrict x, /* [rows][D] */
	__global const float *restrict gamma, /* [D] */
	__global const float *restrict beta, /* [D] */
	__global float *restrict y) /* [rows][D] */
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_D > 0 && (SKIP_LAYERNORM_ITEMS & (SKIP_LAYERNORM_ITEMS - 1)) == 0);
	__local float part[SKIP_LAYERNORM_ITEMS];
	const uint item = (uint)get_local_id(0);
	const size_t start = get_group_id(0) * SKIP_LAYERNORM_D;
	float sum = 0.0f, squares = 0.0f;
	for (uint d = item; d < SKIP_LAYERNORM_D; d += SKIP_LAYERNORM_ITEMS) sum += x[start + d];
	SKIP_LAYERNORM_SUM(sum);
	const float mean = part[0] / SKIP_LAYERNORM_D;
	for (uint d = item; d < SKIP_LAYERNORM_D; d += SKIP_LAYERNORM_ITEMS) squares = fma(x[start + d] - mean, x[start + d] - mean, squares);
	SKIP_LAYERNORM_SUM(squares);
	const float r = 1.0f / sqrt(part[0] / SKIP_LAYERNORM_D + SKIP_LAYERNORM_EPS);
	for (uint d = item; d < SKIP_LAYERNORM_D; d += SKIP_LAYERNORM_ITEMS) y[start + d] = fma(gamma[d], (x[start + d] - mean) * r, beta[d]);
}
#undef SKIP_LAYERNORM_SUM
