/*
 * ROWS rows per work-item, VEC elements at a time over the contiguous rows. The last vector is moved back so that it ends with the last
 * row: it repeats elements already written, with the same values.
 *
 * Kernels: MAIN g = kind(u); BWD du = dg * kind'(u). COLS: columns, at least VEC; KIND: skip_gelu skip_gelu_tanh skip_relu skip_tanh.
 */
#ifndef SKIP_ACT_COLS
#error "SKIP_ACT_COLS: columns"
#endif
#ifndef SKIP_ACT_KIND
#error "SKIP_ACT_KIND: name of the activation"
#endif
#ifndef SKIP_ACT_ROWS
#error "SKIP_ACT_ROWS: rows per work-item"
#endif
#ifndef SKIP_ACT_VEC
#error "SKIP_ACT_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_ACT_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ACT_VEC, i, p)
#define SKIP_ACT_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ACT_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_ACT_GROUP) void SKIP_ACT_NAME(
	SKIP_ITEM
	__global const float *restrict u, /* [rows][COLS] */
#ifdef SKIP_ACT_KERNEL_BWD
	__global const float *restrict dg, /* [rows][COLS] */
#endif
	__global float *restrict y, /* [rows][COLS] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_ACT_COLS >= SKIP_ACT_VEC && SKIP_ACT_ROWS > 0);
	const uint row = SKIP_ID(0) * SKIP_ACT_ROWS;
	const uint end = min(row + SKIP_ACT_ROWS, (uint)rows) * SKIP_ACT_COLS;
	for (uint from = row * SKIP_ACT_COLS; from < end; from += SKIP_ACT_VEC) {
		const uint i = min(from, end - SKIP_ACT_VEC);
#ifdef SKIP_ACT_KERNEL_BWD
		SKIP_ACT_STORE(SKIP_ACT_LOAD(0, dg + i) *
				       SKIP_PASTE(SKIP_PASTE(SKIP_ACT_KIND, _grad_f), SKIP_ACT_VEC)(SKIP_ACT_LOAD(0, u + i)), 0, y + i);
#else
		SKIP_ACT_STORE(SKIP_PASTE(SKIP_PASTE(SKIP_ACT_KIND, _f), SKIP_ACT_VEC)(SKIP_ACT_LOAD(0, u + i)), 0, y + i);
#endif
	}
}
#undef SKIP_ACT_LOAD
#undef SKIP_ACT_STORE
