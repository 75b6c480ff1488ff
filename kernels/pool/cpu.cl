/*
 * One sequence per work-item, VEC columns at a time; rows are added in order. The last vector of a row is moved back so that it ends with
 * the row: it repeats columns already written, with the same values.
 *
 * Kernels: MAIN z[b] = mean of the rows of b, or one of them. BWD dx = dz[b] / n_b in every row of b, or dz[b] in the one and 0 in the
 * others. COLS: columns, at least VEC; ONE 1: one row, 0: mean; LAST 1: the one row is the last, 0: the first.
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
#ifndef SKIP_POOL_VEC
#error "SKIP_POOL_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_POOL_F SKIP_PASTE(float, SKIP_POOL_VEC)
#define SKIP_POOL_LOAD(i, p) SKIP_AT(__global const, float, SKIP_POOL_VEC, i, p)
#define SKIP_POOL_STORE(v, i, p) SKIP_AT(__global, float, SKIP_POOL_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_POOL_GROUP) void SKIP_POOL_NAME(
	SKIP_ITEM
	__global const float *restrict in,   /* MAIN: [T][COLS], BWD: [B][COLS] */
	__global const int *restrict offset, /* [B+1] */
	__global float *restrict out)        /* MAIN: [B][COLS], BWD: [T][COLS] */
{
	SKIP_REQUIRE(sizes, SKIP_POOL_COLS >= SKIP_POOL_VEC);
	const uint b = SKIP_ID(0);
	const uint first = (uint)offset[b], end = (uint)offset[b + 1], one = SKIP_POOL_LAST ? end - 1 : first;
	for (uint from = 0; from < SKIP_POOL_COLS; from += SKIP_POOL_VEC) {
		const uint col = min(from, (uint)(SKIP_POOL_COLS - SKIP_POOL_VEC));
#ifdef SKIP_POOL_KERNEL_MAIN
		SKIP_POOL_F z = SKIP_POOL_LOAD(0, in + (SKIP_POOL_ONE ? one : first) * SKIP_POOL_COLS + col);
#if !SKIP_POOL_ONE
		for (uint row = first + 1; row < end; row++) z += SKIP_POOL_LOAD(0, in + row * SKIP_POOL_COLS + col);
		z /= (float)(end - first);
#endif
		SKIP_POOL_STORE(z, 0, out + b * SKIP_POOL_COLS + col);
#else
		const SKIP_POOL_F dz = SKIP_POOL_LOAD(0, in + b * SKIP_POOL_COLS + col);
		const SKIP_POOL_F other = SKIP_POOL_ONE ? (SKIP_POOL_F)(0.0f) : dz / (float)(end - first);
		for (uint row = first; row < end; row++)
			SKIP_POOL_STORE(SKIP_POOL_ONE && row == one ? dz : other, 0, out + row * SKIP_POOL_COLS + col);
#endif
	}
}
#undef SKIP_POOL_F
#undef SKIP_POOL_LOAD
#undef SKIP_POOL_STORE
