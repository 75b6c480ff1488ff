/*
 * The same as generic.cl in vectors of VEC lanes.
 *
 * SQUARES  part[i] = sum of x^2 over ELEMENTS elements of COUNT; VEC lanes, added pairwise, then the last COUNT mod VEC in order. PARTS 1:
 *          the part is the total, plus `before` (BEFORE 0 or 1: is the argument there).
 * STEP     ELEMENTS elements of COUNT per work-item.
 * PACK     panels [ceil(N / NR)][K][NR] of w [N][K], or [K][N] with TRANSPOSE 1, NR = NV * VEC, zeros after N. Dimension 0 walks panels,
 *          dimension 1 blocks of DEPTH numbers of their columns.
 * PACK_WORDS  the same in words of two bfloat16 of one column, lower one first: [ceil(N / NR)][ceil(K / 2)][NR], DEPTH words per work-item, zeros after N and K.
 */
#ifndef SKIP_ADAMW_VEC
#error "SKIP_ADAMW_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_ADAMW_F SKIP_PASTE(float, SKIP_ADAMW_VEC)
#define SKIP_ADAMW_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ADAMW_VEC, i, p)
#define SKIP_ADAMW_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ADAMW_VEC, i, p) = (v)
#if defined(SKIP_ADAMW_KERNEL_SQUARES) || defined(SKIP_ADAMW_KERNEL_STEP)
#ifndef SKIP_ADAMW_COUNT
#error "SKIP_ADAMW_COUNT: elements of the tensor"
#endif
#ifndef SKIP_ADAMW_ELEMENTS
#error "SKIP_ADAMW_ELEMENTS: elements of a work-item"
#endif
#define SKIP_ADAMW_FIRST (SKIP_ID(0) * SKIP_ADAMW_ELEMENTS)
#endif
#ifdef SKIP_ADAMW_KERNEL_SQUARES
#ifndef SKIP_ADAMW_PARTS
#error "SKIP_ADAMW_PARTS: partial sums"
#endif
#ifndef SKIP_ADAMW_BEFORE
#error "SKIP_ADAMW_BEFORE: 0 or 1"
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
#if defined(SKIP_ADAMW_KERNEL_PACK) || defined(SKIP_ADAMW_KERNEL_PACK_WORDS)
#ifndef SKIP_ADAMW_N
#error "SKIP_ADAMW_N: columns of all panels"
#endif
#ifndef SKIP_ADAMW_K
#error "SKIP_ADAMW_K: numbers of a column"
#endif
#ifndef SKIP_ADAMW_NV
#error "SKIP_ADAMW_NV: vectors of a row of a panel"
#endif
#ifndef SKIP_ADAMW_DEPTH
#error "SKIP_ADAMW_DEPTH: numbers of a column, or words, per work-item"
#endif
#ifndef SKIP_ADAMW_TRANSPOSE
#error "SKIP_ADAMW_TRANSPOSE: 0 or 1"
#endif
#define SKIP_ADAMW_NR (SKIP_ADAMW_NV * SKIP_ADAMW_VEC)
#endif

#ifdef SKIP_ADAMW_KERNEL_SQUARES
SKIP_KERNEL(SKIP_ADAMW_GROUP) void SKIP_ADAMW_NAME(
	SKIP_ITEM
	__global const float *restrict x, /* [COUNT] */
#if SKIP_ADAMW_BEFORE
	__global const float *restrict before, /* [1] */
#endif
	__global float *restrict part) /* [PARTS] */
{
	SKIP_REQUIRE(parts, SKIP_ADAMW_PARTS * SKIP_ADAMW_ELEMENTS >= SKIP_ADAMW_COUNT && (SKIP_ADAMW_PARTS == 1 || !SKIP_ADAMW_BEFORE));
	const uint last = min(SKIP_ADAMW_FIRST + SKIP_ADAMW_ELEMENTS, (uint)SKIP_ADAMW_COUNT);
	uint i = SKIP_ADAMW_FIRST;
	SKIP_ADAMW_F sum[4];
	for (uint j = 0; j < 4; j++) sum[j] = (SKIP_ADAMW_F)(0.0f);
	for (; i + 4 * SKIP_ADAMW_VEC <= last; i += 4 * SKIP_ADAMW_VEC)
		SKIP_UNROLL(4)
		for (uint j = 0; j < 4; j++) {
			const SKIP_ADAMW_F now = SKIP_ADAMW_LOAD(j, x + i);
			sum[j] = fma(now, now, sum[j]);
		}
	float total = SKIP_PASTE(skip_sum_f, SKIP_ADAMW_VEC)((sum[0] + sum[2]) + (sum[1] + sum[3]));
	for (; i < last; i++) total = fma(x[i], x[i], total);
#if SKIP_ADAMW_BEFORE
	total += before[0];
#endif
	part[SKIP_ID(0)] = total;
}
#endif

#ifdef SKIP_ADAMW_KERNEL_STEP
SKIP_KERNEL(SKIP_ADAMW_GROUP) void SKIP_ADAMW_NAME(
	SKIP_ITEM
	__global const float *restrict g,     /* [COUNT] */
	__global const float *restrict norm2, /* [1] */
	__global const float *restrict step,  /* [3] */
	__global float *restrict w,           /* [COUNT] */
	__global float *restrict m,           /* [COUNT] */
	__global float *restrict v,           /* [COUNT] */
	float lr, float decay, float clip)
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_COUNT > 0 && SKIP_ADAMW_ELEMENTS > 0);
	const float scale = clip > 0.0f ? fmin(1.0f, clip / (sqrt(norm2[0]) + 1e-6f)) : 1.0f, rate = -lr * step[0];
	const uint last = min(SKIP_ADAMW_FIRST + SKIP_ADAMW_ELEMENTS, (uint)SKIP_ADAMW_COUNT);
	uint i = SKIP_ADAMW_FIRST;
	for (; i + SKIP_ADAMW_VEC <= last; i += SKIP_ADAMW_VEC) {
		const SKIP_ADAMW_F grad = scale * SKIP_ADAMW_LOAD(0, g + i), old = SKIP_ADAMW_LOAD(0, w + i);
		const SKIP_ADAMW_F m_new = fma((SKIP_ADAMW_F)(SKIP_ADAMW_BETA1), SKIP_ADAMW_LOAD(0, m + i), (1.0f - SKIP_ADAMW_BETA1) * grad);
		const SKIP_ADAMW_F v_new =
			fma((SKIP_ADAMW_F)(SKIP_ADAMW_BETA2), SKIP_ADAMW_LOAD(0, v + i), (1.0f - SKIP_ADAMW_BETA2) * grad * grad);
		SKIP_ADAMW_STORE(m_new, 0, m + i);
		SKIP_ADAMW_STORE(v_new, 0, v + i);
		const SKIP_ADAMW_F move = m_new * step[1] / (sqrt(v_new * step[2]) + SKIP_ADAMW_EPS);
		SKIP_ADAMW_STORE(fma((SKIP_ADAMW_F)(rate), fma((SKIP_ADAMW_F)(decay), old, move), old), 0, w + i);
	}
	for (; i < last; i++) {
		const float grad = scale * g[i];
		const float m_new = fma(SKIP_ADAMW_BETA1, m[i], (1.0f - SKIP_ADAMW_BETA1) * grad);
		const float v_new = fma(SKIP_ADAMW_BETA2, v[i], (1.0f - SKIP_ADAMW_BETA2) * grad * grad);
		m[i] = m_new;
		v[i] = v_new;
		w[i] = fma(rate, fma(decay, w[i], m_new * step[1] / (sqrt(v_new * step[2]) + SKIP_ADAMW_EPS)), w[i]);
	}
}
#endif

#ifdef SKIP_ADAMW_KERNEL_PACK
SKIP_KERNEL(SKIP_ADAMW_GROUP) void SKIP_ADAMW_NAME(
	SKIP_ITEM
	__global const float *restrict w, /* [N][K] or [K][N] */
	__global float *restrict panels)  /* [ceil(N / NR)][K][NR] */
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_N > 0 && SKIP_ADAMW_K > 0 && SKIP_ADAMW_DEPTH % SKIP_ADAMW_VEC == 0);
	const uint n = SKIP_ID(0) * SKIP_ADAMW_NR, first = SKIP_ID(1) * SKIP_ADAMW_DEPTH;
	const uint last = min(first + SKIP_ADAMW_DEPTH, (uint)SKIP_ADAMW_K), columns = min((uint)SKIP_ADAMW_NR, SKIP_ADAMW_N - n);
	panels += (size_t)n * SKIP_ADAMW_K;
#if SKIP_ADAMW_TRANSPOSE
	for (uint k = first; k < last; k++) {
		__global const float *from = w + k * SKIP_ADAMW_N + n;
		if (columns == SKIP_ADAMW_NR) {
			SKIP_UNROLL(SKIP_ADAMW_NV)
			for (uint j = 0; j < SKIP_ADAMW_NV; j++) SKIP_ADAMW_STORE(SKIP_ADAMW_LOAD(j, from), j, panels + k * SKIP_ADAMW_NR);
		} else {
			for (uint j = 0; j < SKIP_ADAMW_NR; j++) panels[k * SKIP_ADAMW_NR + j] = j < columns ? from[j] : 0.0f;
		}
	}
#else
	for (uint j = 0; j < SKIP_ADAMW_NR; j += SKIP_ADAMW_VEC) {
		uint k = first;
		for (; k + SKIP_ADAMW_VEC <= last; k += SKIP_ADAMW_VEC) {
			SKIP_ADAMW_F t[SKIP_ADAMW_VEC];
			SKIP_UNROLL(SKIP_ADAMW_VEC)
			for (uint i = 0; i < SKIP_ADAMW_VEC; i++) {
				t[i] = (SKIP_ADAMW_F)(0.0f);
				if (j + i < columns) t[i] = SKIP_ADAMW_LOAD(0, w + (n + j + i) * SKIP_ADAMW_K + k);
			}
			SKIP_PASTE(skip_lanes_turn_f, SKIP_ADAMW_VEC)(t);
			SKIP_UNROLL(SKIP_ADAMW_VEC)
			for (uint i = 0; i < SKIP_ADAMW_VEC; i++) SKIP_ADAMW_STORE(t[i], 0, panels + (k + i) * SKIP_ADAMW_NR + j);
		}
		for (; k < last; k++)
			for (uint i = j; i < j + SKIP_ADAMW_VEC; i++)
				panels[k * SKIP_ADAMW_NR + i] = i < columns ? w[(n + i) * SKIP_ADAMW_K + k] : 0.0f;
	}
#endif
}
#endif

#ifdef SKIP_ADAMW_KERNEL_PACK_WORDS
#define SKIP_ADAMW_U SKIP_PASTE(uint, SKIP_ADAMW_VEC)
#define SKIP_ADAMW_WORDS ((SKIP_ADAMW_K + 1) / 2)
#if SKIP_ADAMW_TRANSPOSE
#define SKIP_ADAMW_PLACE(n, k) ((k) * SKIP_ADAMW_N + (n))
#else
#define SKIP_ADAMW_PLACE(n, k) ((n) * SKIP_ADAMW_K + (k))
#endif

static inline uint SKIP_JOIN(SKIP_ADAMW_NAME, word)(__global const float *w, uint n, uint k)
{
	float16 low = (float16)(0.0f), high = (float16)(0.0f);
	if (n < SKIP_ADAMW_N) low.s0 = w[SKIP_ADAMW_PLACE(n, k)];
	if (n < SKIP_ADAMW_N && k + 1 < SKIP_ADAMW_K) high.s0 = w[SKIP_ADAMW_PLACE(n, k + 1)];
	return skip_words_bf16x2_rows_f16(low, high).s0;
}

SKIP_KERNEL(SKIP_ADAMW_GROUP) void SKIP_ADAMW_NAME(
	SKIP_ITEM
	__global const float *restrict w, /* [N][K] or [K][N] */
	__global uint *restrict panels)   /* [ceil(N / NR)][ceil(K / 2)][NR] */
{
	SKIP_REQUIRE(sizes, SKIP_ADAMW_N > 0 && SKIP_ADAMW_K > 0 && SKIP_ADAMW_DEPTH % SKIP_ADAMW_VEC == 0);
	const uint n = SKIP_ID(0) * SKIP_ADAMW_NR, first = SKIP_ID(1) * SKIP_ADAMW_DEPTH, last = min(first + SKIP_ADAMW_DEPTH, (uint)SKIP_ADAMW_WORDS);
	panels += (size_t)n * SKIP_ADAMW_WORDS;
	for (uint j = 0; j < SKIP_ADAMW_NR; j += SKIP_ADAMW_VEC) {
		uint word = first;
		if (n + j + SKIP_ADAMW_VEC <= SKIP_ADAMW_N) {
#if SKIP_ADAMW_TRANSPOSE
			for (; word < last && 2 * word + 1 < SKIP_ADAMW_K; word++) {
				__global const float *from = w + 2 * word * SKIP_ADAMW_N + n + j;
				SKIP_AT(__global, uint, SKIP_ADAMW_VEC, 0, panels + word * SKIP_ADAMW_NR + j) =
					SKIP_PASTE(skip_words_bf16x2_rows_f, SKIP_ADAMW_VEC)(SKIP_ADAMW_LOAD(0, from), SKIP_ADAMW_LOAD(0, from + SKIP_ADAMW_N));
			}
#else
			for (; word + SKIP_ADAMW_VEC <= last && 2 * (word + SKIP_ADAMW_VEC) <= SKIP_ADAMW_K; word += SKIP_ADAMW_VEC) {
				SKIP_ADAMW_F t[SKIP_ADAMW_VEC];
				SKIP_UNROLL(SKIP_ADAMW_VEC)
				for (uint i = 0; i < SKIP_ADAMW_VEC; i++) {
					__global const float *from = w + (n + j + i) * SKIP_ADAMW_K + 2 * word;
					t[i] = SKIP_PASTE(as_float, SKIP_ADAMW_VEC)((SKIP_ADAMW_U)(SKIP_PASTE(skip_words_bf16x2_f, SKIP_ADAMW_VEC)(SKIP_ADAMW_LOAD(0, from), 0.0f),
												   SKIP_PASTE(skip_words_bf16x2_f, SKIP_ADAMW_VEC)(SKIP_ADAMW_LOAD(1, from), 0.0f)));
				}
				SKIP_PASTE(skip_lanes_turn_f, SKIP_ADAMW_VEC)(t);
				SKIP_UNROLL(SKIP_ADAMW_VEC)
				for (uint i = 0; i < SKIP_ADAMW_VEC; i++)
					SKIP_AT(__global, uint, SKIP_ADAMW_VEC, 0, panels + (word + i) * SKIP_ADAMW_NR + j) = SKIP_PASTE(as_uint, SKIP_ADAMW_VEC)(t[i]);
			}
#endif
		}
		for (; word < last; word++)
			for (uint i = j; i < j + SKIP_ADAMW_VEC; i++) panels[word * SKIP_ADAMW_NR + i] = SKIP_JOIN(SKIP_ADAMW_NAME, word)(w, n + i, 2 * word);
	}
}
#endif
#undef SKIP_ADAMW_F
#undef SKIP_ADAMW_LOAD
#undef SKIP_ADAMW_STORE
#undef SKIP_ADAMW_FIRST
#undef SKIP_ADAMW_NR
#undef SKIP_ADAMW_U
#undef SKIP_ADAMW_WORDS
#undef SKIP_ADAMW_PLACE
