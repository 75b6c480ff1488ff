/*
 * One output element per input element on an FPGA, a word of 16 numbers a cycle.
 *
 * Kernels: ADD y = a + b; ADD_BIAS y = a + w[col]; MASK y = a * w[col]; DROPOUT with rate 0, which is a copy: boards do not train. COLS: columns.
 */
#ifndef SKIP_ELEMENTWISE_COLS
#error "SKIP_ELEMENTWISE_COLS: columns"
#endif

SKIP_TASK SKIP_ELEMENTWISE_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT a, /* [rows][COLS] */
#ifdef SKIP_ELEMENTWISE_KERNEL_ADD
	SKIP_GLOBAL const float *SKIP_RESTRICT b, /* [rows][COLS] */
#endif
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD_BIAS) || defined(SKIP_ELEMENTWISE_KERNEL_MASK)
	SKIP_GLOBAL const float *SKIP_RESTRICT w, /* [COLS] */
#endif
	SKIP_GLOBAL float *SKIP_RESTRICT y, /* [rows][COLS] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_ELEMENTWISE_COLS > 0);
	for (int row = 0; row < rows; row++) {
		SKIP_PIPE
		for (int first = 0; first < SKIP_ELEMENTWISE_COLS; first += SKIP_WORD) {
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) {
				const int col = first + l;
				const size_t i = (size_t)row * SKIP_ELEMENTWISE_COLS + col;
				if (col >= SKIP_ELEMENTWISE_COLS) continue;
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD)
				y[i] = a[i] + b[i];
#elif defined(SKIP_ELEMENTWISE_KERNEL_ADD_BIAS)
				y[i] = a[i] + w[col];
#elif defined(SKIP_ELEMENTWISE_KERNEL_MASK)
				y[i] = a[i] * w[col];
#else
				y[i] = a[i];
#endif
			}
		}
	}
}
