/*
 * z[b] = mean of the rows of b, or its first row, on an FPGA: a word of 16 numbers a cycle; rows are added in order, the loop over words being the inner one.
 *
 * COLS: columns; CLS 1: first row, 0: mean.
 */
#ifndef SKIP_POOL_COLS
#error "SKIP_POOL_COLS: columns"
#endif
#ifndef SKIP_POOL_CLS
#error "SKIP_POOL_CLS: 0 or 1"
#endif
#define SKIP_POOL_W ((SKIP_POOL_COLS + SKIP_WORD - 1) / SKIP_WORD)

SKIP_TASK SKIP_POOL_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT in, /* [T][COLS] */
	SKIP_GLOBAL const int *SKIP_RESTRICT offset, /* [B+1] */
	SKIP_GLOBAL float *SKIP_RESTRICT out, /* [B][COLS] */
	int sequences)
{
	SKIP_REQUIRE(sizes, SKIP_POOL_COLS > 0);
	for (int b = 0; b < sequences; b++) {
		const int first = offset[b], end = SKIP_POOL_CLS ? first + 1 : offset[b + 1];
		float sum[SKIP_POOL_W * SKIP_WORD];
		for (int row = first; row < end; row++) {
			SKIP_PIPE
			for (int w = 0; w < SKIP_POOL_W; w++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const int col = w * SKIP_WORD + l;
					const float value = col < SKIP_POOL_COLS ? in[(size_t)row * SKIP_POOL_COLS + col] : 0.0f;
					sum[col] = row == first ? value : sum[col] + value;
				}
			}
		}
		SKIP_PIPE
		for (int w = 0; w < SKIP_POOL_W; w++) {
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) {
				const int col = w * SKIP_WORD + l;
				if (col < SKIP_POOL_COLS) out[(size_t)b * SKIP_POOL_COLS + col] = SKIP_POOL_CLS ? sum[col] : sum[col] / (float)(end - first);
			}
		}
	}
}
#undef SKIP_POOL_W
