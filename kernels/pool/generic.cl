/*
 * One column of one sequence per work-item; dimension 0 walks columns, dimension 1 sequences. Rows are added in order.
 *
 * Kernels: MAIN z[b] = mean of the rows of b, or one of them. BWD dx = dz[b] / n_b in every row of b, or dz[b] in the one and 0 in the
 * others. COLS: columns; ONE 1: one row, 0: mean; LAST 1: the one row is the last, 0: the first.
 */
#ifndef SKIP_POOL_COLS
#error "SKIP_POOL_COLS: columns"
#endif
#ifndef SKIP_POOL_ONE
#error "SKIP_POOL_ONE: 0 or 1"
#endif
#ifndef SKIP_POOL_LAST
#error "SKIP_POOL_LAST: 0 or 1"
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_POOL_GROUP))) void SKIP_POOL_NAME(
	__global const float *restrict in,   /* MAIN: [T][COLS], BWD: [B][COLS] */
	__global const int *restrict offset, /* [B+1] */
	__global float *restrict out)        /* MAIN: [B][COLS], BWD: [T][COLS] */
{
	SKIP_REQUIRE(sizes, SKIP_POOL_COLS > 0);
	const uint col = (uint)get_global_id(0), b = (uint)get_global_id(1);
	if (col >= SKIP_POOL_COLS) return;
	const uint first = (uint)offset[b], end = (uint)offset[b + 1], one = SKIP_POOL_LAST ? end - 1 : first;
#ifdef SKIP_POOL_KERNEL_MAIN
#if SKIP_POOL_ONE
	out[b * SKIP_POOL_COLS + col] = in[one * SKIP_POOL_COLS + col];
#else
	float sum = 0.0f;
	for (uint row = first; row < end; row++) sum += in[row * SKIP_POOL_COLS + col];
	out[b * SKIP_POOL_COLS + col] = sum / (float)(end - first);
#endif
#else
	const float dz = in[b * SKIP_POOL_COLS + col];
	for (uint row = first; row < end; row++)
		out[row * SKIP_POOL_COLS + col] = SKIP_POOL_ONE ? (row == one ? dz : 0.0f) : dz / (float)(end - first);
#endif
}
