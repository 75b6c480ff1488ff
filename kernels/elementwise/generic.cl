/*
 * One element per work-item; dimension 0 walks columns, dimension 1 rows.
 *
 * Kernels: ADD y = a + b; MUL y = a * b; ADD_BIAS y = a + w[col]; MASK y = a * w[col]; DROPOUT y = a * factor of element row * COLS + col
 * (kernels/common/dropout.cl). COLS: columns. DROPOUT only: THRESHOLD = rate * 2^32, SCALE = 1/(1-rate).
 */
#ifndef SKIP_ELEMENTWISE_COLS
#error "SKIP_ELEMENTWISE_COLS: columns"
#endif
#ifdef SKIP_ELEMENTWISE_KERNEL_DROPOUT
#ifndef SKIP_ELEMENTWISE_THRESHOLD
#error "SKIP_ELEMENTWISE_THRESHOLD: rate * 2^32"
#endif
#ifndef SKIP_ELEMENTWISE_SCALE
#error "SKIP_ELEMENTWISE_SCALE: 1/(1-rate)"
#endif
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_ELEMENTWISE_GROUP))) void SKIP_ELEMENTWISE_NAME(
	__global const float *restrict a, /* [rows][COLS] */
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD) || defined(SKIP_ELEMENTWISE_KERNEL_MUL)
	__global const float *restrict b, /* [rows][COLS] */
#endif
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD_BIAS) || defined(SKIP_ELEMENTWISE_KERNEL_MASK)
	__global const float *restrict w, /* [COLS] */
#endif
	__global float *restrict y /* [rows][COLS] */
#ifdef SKIP_ELEMENTWISE_KERNEL_DROPOUT
	, int stream, uint key
#endif
)
{
	SKIP_REQUIRE(sizes, SKIP_ELEMENTWISE_COLS > 0);
	const uint col = (uint)get_global_id(0);
	if (col >= SKIP_ELEMENTWISE_COLS) return;
	const uint i = (uint)get_global_id(1) * SKIP_ELEMENTWISE_COLS + col;
#if defined(SKIP_ELEMENTWISE_KERNEL_ADD)
	y[i] = a[i] + b[i];
#elif defined(SKIP_ELEMENTWISE_KERNEL_MUL)
	y[i] = a[i] * b[i];
#elif defined(SKIP_ELEMENTWISE_KERNEL_ADD_BIAS)
	y[i] = a[i] + w[col];
#elif defined(SKIP_ELEMENTWISE_KERNEL_MASK)
	y[i] = a[i] * w[col];
#else
	y[i] = a[i] * skip_dropout_f1(key, (uint)stream, i, (uint)SKIP_ELEMENTWISE_THRESHOLD, SKIP_ELEMENTWISE_SCALE);
#endif
}
