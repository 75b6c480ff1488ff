/*
 * a[b][col] = the products h * dh of sequence b reduced in row order; BLOCK columns of one sequence per work-item, VEC at a time:
 * dimension 0 walks blocks, dimension 1 sequences. The last vector is moved back so that it ends with the row: it repeats columns already
 * written, with the same values.
 *
 * COLS: columns, at least VEC. MAX 0: sum, 1: largest; ABS 1: of absolute values; MEAN 1: divided by the tokens of b. ROWS_B 1: h and dh
 * have the first row of each sequence only and the other rows count as zeros.
 */
#ifndef SKIP_SCORE_COLS
#error "SKIP_SCORE_COLS: columns"
#endif
#ifndef SKIP_SCORE_MAX
#error "SKIP_SCORE_MAX: 0 or 1"
#endif
#ifndef SKIP_SCORE_ABS
#error "SKIP_SCORE_ABS: 0 or 1"
#endif
#ifndef SKIP_SCORE_MEAN
#error "SKIP_SCORE_MEAN: 0 or 1"
#endif
#ifndef SKIP_SCORE_ROWS_B
#error "SKIP_SCORE_ROWS_B: 0 or 1"
#endif
#ifndef SKIP_SCORE_BLOCK
#error "SKIP_SCORE_BLOCK: columns per work-item, a multiple of VEC"
#endif
#ifndef SKIP_SCORE_VEC
#error "SKIP_SCORE_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_SCORE_F SKIP_PASTE(float, SKIP_SCORE_VEC)
#define SKIP_SCORE_LOAD(i, p) SKIP_AT(__global const, float, SKIP_SCORE_VEC, i, p)
#define SKIP_SCORE_STORE(v, i, p) SKIP_AT(__global, float, SKIP_SCORE_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_SCORE_GROUP) void SKIP_SCORE_NAME(
	SKIP_ITEM
	__global const float *restrict h,    /* [T or B][COLS] */
	__global const float *restrict dh,   /* [T or B][COLS] */
	__global const int *restrict offset, /* [B+1] */
	__global float *restrict a)          /* [B][COLS] */
{
	SKIP_REQUIRE(sizes, SKIP_SCORE_COLS >= SKIP_SCORE_VEC && SKIP_SCORE_BLOCK % SKIP_SCORE_VEC == 0);
	const uint start = SKIP_ID(0) * SKIP_SCORE_BLOCK, b = SKIP_ID(1);
	const uint end = min(start + SKIP_SCORE_BLOCK, (uint)SKIP_SCORE_COLS);
	const uint tokens = (uint)(offset[b + 1] - offset[b]);
	const uint first = SKIP_SCORE_ROWS_B ? b : (uint)offset[b], rows = SKIP_SCORE_ROWS_B ? 1 : tokens;
	/* the search for the largest starts below every number; rows left out count as zeros */
	const float lowest = SKIP_SCORE_MAX > SKIP_SCORE_ABS ? -INFINITY : 0.0f;
	for (uint from = start; from < end; from += SKIP_SCORE_VEC) {
		const uint col = min(from, (uint)(SKIP_SCORE_COLS - SKIP_SCORE_VEC));
		SKIP_SCORE_F sum = (SKIP_SCORE_F)(rows == tokens ? lowest : 0.0f);
		for (uint row = first; row < first + rows; row++) {
			const uint i = row * SKIP_SCORE_COLS + col;
			SKIP_SCORE_F product = SKIP_SCORE_LOAD(0, h + i) * SKIP_SCORE_LOAD(0, dh + i);
			if (SKIP_SCORE_ABS) product = fabs(product);
			sum = SKIP_SCORE_MAX ? fmax(sum, product) : sum + product;
		}
		SKIP_SCORE_STORE(SKIP_SCORE_MEAN ? sum / (float)tokens : sum, 0, a + b * SKIP_SCORE_COLS + col);
	}
}
#undef SKIP_SCORE_F
#undef SKIP_SCORE_LOAD
#undef SKIP_SCORE_STORE
