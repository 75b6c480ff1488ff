/*
 * The optimiser: squares of a gradient summed in two stages of fixed order, one step of AdamW in place, and the new weights brought into
 * the layouts other kernels read them in.
 *
 * SQUARES  part[i] = sum of x^2 over elements i, i + PARTS, i + 2 PARTS ... of COUNT; one part per work-item.
 * TOTAL    y = sum of PARTS parts in order, plus `before` (BEFORE 0 or 1: is the argument there); one work-item.
 * STEP     s = min(1, clip / (sqrt(norm2) + 1e-6)), 1 when clip is 0; m = b1 m + (1 - b1) s g; v = b2 v + (1 - b2) (s g)^2;
 *          w -= lr step[0] (m step[1] / (sqrt(v step[2]) + EPS) + decay w); one of COUNT elements per work-item.
 * PACK     one word of the layout per work-item: panels [ceil(N / NR)][ceil(K / E)][NR] of w [N][K], or [K][N] with TRANSPOSE 1; a word is
 *          E numbers of one column, lowest first: E 1 a float, E 2 bfloat16 to nearest even; zeros after N and K.
 */
#ifdef SKIP_ADAMW_KERNEL_TOTAL
#ifndef SKIP_ADAMW_BEFORE
#error "SKIP_ADAMW_BEFORE: 0 or 1"
#endif
#endif
#if defined(SKIP_ADAMW_KERNEL_SQUARES) || defined(SKIP_ADAMW_KERNEL_TOTAL)
#ifndef SKIP_ADAMW_PARTS
#error "SKIP_ADAMW_PARTS: partial sums"
#endif
#endif
#if defined(SKIP_ADAMW_KERNEL_SQUARES) || defined(SKIP_ADAMW_KERNEL_STEP)
#ifndef SKIP_ADAMW_COUNT
#error "SKIP_ADAMW_COUNT: elements of the tensor"
#endif
#endif
#ifdef SKIP_ADAMW_KERNEL_STEP
#ifndef SKIP_ADAMW_BETA1
#error "SKIP_ADAMW_BETA1: share of the old first moment"
#endif
#ifndef SKIP_ADAMW_BETA2
#error "SKIP_ADAMW_BETA2: share of the old second moment"
#endif
#ifndef SKIP_ADAMW_EPS
#error "SKIP_ADAMW_EPS: beside the root of the second moment"
#endif
#endif
#ifdef SKIP_ADAMW_KERNEL_PACK
#ifndef SKIP_ADAMW_N
#error "SKIP_ADAMW_N: columns of all panels"
#endif
#ifndef SKIP_ADAMW_K
#error "SKIP_ADAMW_K: numbers of a column"
#endif
#ifndef SKIP_ADAMW_NR
#error "SKIP_ADAMW_NR: columns of a panel"
#endif
#ifndef SKIP_ADAMW_E
#error "SKIP_ADAMW_E: numbers of a word, 1 or 2"
#endif
#ifndef SKIP_ADAMW_TRANSPOSE
#error "SKIP_ADAMW_TRANSPOSE: 0 or 1"
#endif
#endif

#ifdef SKIP_ADAMW_KERNEL_SQUARES
__kernel __attribute__((reqd_work_group_size(SKIP_ADAMW_GROUP))) void SKIP_ADAMW_NAME(
	__global const float *restrict x, /* [COUNT] */
	__global float *restrict part)    /* [PARTS] */
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_COUNT > 0 && SKIP_ADAMW_PARTS > 0);
	const uint first = (uint)get_global_id(0);
	if (first >= SKIP_ADAMW_PARTS) return;
	float sum = 0.0f;
	for (uint i = first; i < SKIP_ADAMW_COUNT; i += SKIP_ADAMW_PARTS) sum = fma(x[i], x[i], sum);
	part[first] = sum;
}
#endif

#ifdef SKIP_ADAMW_KERNEL_TOTAL
__kernel __attribute__((reqd_work_group_size(SKIP_ADAMW_GROUP))) void SKIP_ADAMW_NAME(
	__global const float *restrict part, /* [PARTS] */
#if SKIP_ADAMW_BEFORE
	__global const float *restrict before, /* [1] */
#endif
	__global float *restrict y) /* [1] */
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_PARTS > 0);
	float sum = 0.0f;
	for (uint i = 0; i < SKIP_ADAMW_PARTS; i++) sum += part[i];
#if SKIP_ADAMW_BEFORE
	sum += before[0];
#endif
	y[0] = sum;
}
#endif

#ifdef SKIP_ADAMW_KERNEL_STEP
__kernel __attribute__((reqd_work_group_size(SKIP_ADAMW_GROUP))) void SKIP_ADAMW_NAME(
	__global const float *restrict g,     /* [COUNT] */
	__global const float *restrict norm2, /* [1] */
	__global const float *restrict step,  /* [3] */
	__global float *restrict w,           /* [COUNT] */
	__global float *restrict m,           /* [COUNT] */
	__global float *restrict v,           /* [COUNT] */
	float lr, float decay, float clip)
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_COUNT > 0);
	const uint i = (uint)get_global_id(0);
	if (i >= SKIP_ADAMW_COUNT) return;
	const float scale = clip > 0.0f ? fmin(1.0f, clip / (sqrt(norm2[0]) + 1e-6f)) : 1.0f, grad = scale * g[i];
	const float m_new = fma(SKIP_ADAMW_BETA1, m[i], (1.0f - SKIP_ADAMW_BETA1) * grad);
	const float v_new = fma(SKIP_ADAMW_BETA2, v[i], (1.0f - SKIP_ADAMW_BETA2) * grad * grad);
	m[i] = m_new;
	v[i] = v_new;
	w[i] = fma(-lr * step[0], fma(decay, w[i], m_new * step[1] / (sqrt(v_new * step[2]) + SKIP_ADAMW_EPS)), w[i]);
}
#endif

#ifdef SKIP_ADAMW_KERNEL_PACK
static inline float SKIP_JOIN(SKIP_ADAMW_NAME, at)(__global const float *w, uint n, uint k)
{
	if (n >= SKIP_ADAMW_N || k >= SKIP_ADAMW_K) return 0.0f;
#if SKIP_ADAMW_TRANSPOSE
	return w[k * SKIP_ADAMW_N + n];
#else
	return w[n * SKIP_ADAMW_K + k];
#endif
}
__kernel __attribute__((reqd_work_group_size(SKIP_ADAMW_GROUP))) void SKIP_ADAMW_NAME(
	__global const float *restrict w, /* [N][K] or [K][N] */
	__global uint *restrict panels)   /* [ceil(N / NR)][ceil(K / E)][NR] */
{
	SKIP_REQUIRE(word, SKIP_ADAMW_E == 1 || SKIP_ADAMW_E == 2);
	const uint n = (uint)get_global_id(0), word = (uint)get_global_id(1), words = (SKIP_ADAMW_K + SKIP_ADAMW_E - 1) / SKIP_ADAMW_E;
	if (n >= (SKIP_ADAMW_N + SKIP_ADAMW_NR - 1) / SKIP_ADAMW_NR * SKIP_ADAMW_NR) return;
	uint bits = as_uint(SKIP_JOIN(SKIP_ADAMW_NAME, at)(w, n, word * SKIP_ADAMW_E));
#if SKIP_ADAMW_E == 2
	const uint high = as_uint(SKIP_JOIN(SKIP_ADAMW_NAME, at)(w, n, word * SKIP_ADAMW_E + 1));
	bits = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16 | ((high + 0x7fffu + (high >> 16 & 1u)) & 0xffff0000u);
#endif
	panels[(n / SKIP_ADAMW_NR * words + word) * SKIP_ADAMW_NR + n % SKIP_ADAMW_NR] = bits;
}
#endif
