/*
 * ROWS rows per work-item, VEC elements at a time. The last vector of a range is moved back so that it ends with the range: it repeats
 * elements already written, with the same values, and needs no tail code.
 *
 * Kernels: ADD y = a + b; MUL y = a * b; ADD_BIAS y = a + w[col]; MASK y = a * w[col]; DROPOUT y = a * factor of element row * COLS + col
 * (kernels/common/dropout.cl). COLS: columns, at least VEC. DROPOUT only: THRESHOLD = rate * 2^32, SCALE = 1/(1-rate).
 */
#ifndef SKIP_ELEMENTWISE_COLS
#error "SKIP_ELEMENTWISE_COLS: columns"
#endif
#ifndef SKIP_ELEMENTWISE_ROWS
#error "SKIP_ELEMENTWISE_ROWS: rows per work-item"
#endif
#ifndef SKIP_ELEMENTWISE_VEC
#error "SKIP_ELEMENTWISE_VEC: lanes, 4, 8 or 16"
#endif
#ifdef SKIP_ELEMENTWISE_KERNEL_DROPOUT
#ifndef SKIP_ELEMENTWISE_THRESHOLD
#error "SKIP_ELEMENTWISE_THRESHOLD: rate * 2^32"
#endif
#ifndef SKIP_ELEMENTWISE_SCALE
#error "SKIP_ELEMENTWISE_SCALE: 1/(1-rate)"
#endif
#endif
#define SKIP_ELEMENTWISE_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ELEMENTWISE_VEC, i, p)
#define SKIP_ELEMENTWISE_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ELEMENTWISE_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_ELEMENTWISE_GROUP) void SKIP_ELEMENTWISE_NAME(
	SKIP_ITEM
	__global const float *restrict a, /* [rows][COLS] */
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD) || defined(SKIP_ELEMENTWISE_KERNEL_MUL)
	__global const float *restrict b, /* [rows][COLS] */
#endif
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD_BIAS) || defined(SKIP_ELEMENTWISE_KERNEL_MASK)
	__global const float *restrict w, /* [COLS] */
#endif
	__global float *restrict y, /* [rows][COLS] */
	int rows
#ifdef SKIP_ELEMENTWISE_KERNEL_DROPOUT
	, int stream, uint key
#endif
)
{
	SKIP_REQUIRE(sizes, SKIP_ELEMENTWISE_COLS >= SKIP_ELEMENTWISE_VEC && SKIP_ELEMENTWISE_ROWS > 0);
	const uint row = SKIP_ID(0) * SKIP_ELEMENTWISE_ROWS;
	const uint row_end = min(row + SKIP_ELEMENTWISE_ROWS, (uint)rows);
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD) || defined(SKIP_ELEMENTWISE_KERNEL_MUL) || defined(SKIP_ELEMENTWISE_KERNEL_DROPOUT)
	const uint end = row_end * SKIP_ELEMENTWISE_COLS;
	for (uint from = row * SKIP_ELEMENTWISE_COLS; from < end; from += SKIP_ELEMENTWISE_VEC) {
		const uint i = min(from, end - SKIP_ELEMENTWISE_VEC);
#ifdef SKIP_ELEMENTWISE_KERNEL_ADD
		SKIP_ELEMENTWISE_STORE(SKIP_ELEMENTWISE_LOAD(0, a + i) + SKIP_ELEMENTWISE_LOAD(0, b + i), 0, y + i);
#elif defined(SKIP_ELEMENTWISE_KERNEL_MUL)
		SKIP_ELEMENTWISE_STORE(SKIP_ELEMENTWISE_LOAD(0, a + i) * SKIP_ELEMENTWISE_LOAD(0, b + i), 0, y + i);
#else
		SKIP_ELEMENTWISE_STORE(SKIP_ELEMENTWISE_LOAD(0, a + i) * SKIP_PASTE(skip_dropout_f, SKIP_ELEMENTWISE_VEC)(
					       key, (uint)stream, i, (uint)SKIP_ELEMENTWISE_THRESHOLD, SKIP_ELEMENTWISE_SCALE), 0, y + i);
#endif
	}
#else
	for (uint r = row; r < row_end; r++) {
		for (uint from = 0; from < SKIP_ELEMENTWISE_COLS; from += SKIP_ELEMENTWISE_VEC) {
			const uint col = min(from, (uint)(SKIP_ELEMENTWISE_COLS - SKIP_ELEMENTWISE_VEC));
			const uint i = r * SKIP_ELEMENTWISE_COLS + col;
#ifdef SKIP_ELEMENTWISE_KERNEL_ADD_BIAS
			SKIP_ELEMENTWISE_STORE(SKIP_ELEMENTWISE_LOAD(0, a + i) + SKIP_ELEMENTWISE_LOAD(0, w + col), 0, y + i);
#else
			SKIP_ELEMENTWISE_STORE(SKIP_ELEMENTWISE_LOAD(0, a + i) * SKIP_ELEMENTWISE_LOAD(0, w + col), 0, y + i);
#endif
		}
	}
#endif
}
#undef SKIP_ELEMENTWISE_LOAD
#undef SKIP_ELEMENTWISE_STORE
