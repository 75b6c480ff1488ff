/*
 * a[b][col] = the products h * dh of sequence b reduced in row order; one column of one sequence per work-item, dimension 0 walks columns,
 * dimension 1 sequences.
 *
 * COLS: columns. MAX 0: sum, 1: largest; ABS 1: of absolute values; MEAN 1: divided by the tokens of b. ROWS_B 1: h and dh have the first
 * row of each sequence only and the other rows count as zeros.
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

__kernel __attribute__((reqd_work_group_size(SKIP_SCORE_GROUP))) void SKIP_SCORE_NAME(
	__global const float *restrict h,    /* [T or B][COLS] */
	__global const float *restrict dh,   /* [T or B][COLS] */
	__global const int *restrict offset, /* [B+1] */
	__global float *restrict a)          /* [B][COLS] */
{
	SKIP_REQUIRE(sizes, SKIP_SCORE_COLS > 0);
	const uint col = (uint)get_global_id(0), b = (uint)get_global_id(1);
	if (col >= SKIP_SCORE_COLS) return;
	const uint tokens = (uint)(offset[b + 1] - offset[b]);
	const uint first = SKIP_SCORE_ROWS_B ? b : (uint)offset[b], rows = SKIP_SCORE_ROWS_B ? 1 : tokens;
	/* the search for the largest starts below every number; rows left out count as zeros */
	const float lowest = SKIP_SCORE_MAX > SKIP_SCORE_ABS ? -INFINITY : 0.0f;
	float sum = rows == tokens ? lowest : 0.0f;
	for (uint row = first; row < first + rows; row++) {
		float product = h[row * SKIP_SCORE_COLS + col] * dh[row * SKIP_SCORE_COLS + col];
		if (SKIP_SCORE_ABS) product = fabs(product);
		sum = SKIP_SCORE_MAX ? fmax(sum, product) : sum + product;
	}
	a[b * SKIP_SCORE_COLS + col] = SKIP_SCORE_MEAN ? sum / (float)tokens : sum;
}
