/*
 * The product of linear in a short type: words of E numbers, one instruction for the E products of each lane.
 *
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n], x and w rounded before: INT 1 to int8 with one scale per row of x and of w and an
 * exact int32 sum, INT 0 to bfloat16 with a float sum. A work-item takes one panel of NR = NV * VEC columns and `rows` rows, in tiles of MR. Dimensions
 * are row items and panels; within them items are dealt out so that BLOCK rows of x stay in cache until they have met every panel, and neighbours share one.
 *
 * Numbers per word: 4 int8 (x as unsigned x + 128; what that adds to a sum depends on w alone and comes with it), 2 int16 that hold int8, 2 bfloat16.
 * ASM 1: vpdpbusd, vpmaddwd and vpaddd, vdpbf16ps; 0: the same in plain arithmetic (bfloat16: two fused multiply-adds, low number first); 2: tdpbusd and
 * tdpbf16ps on tiles of AMX, which hold 16 rows of 16 words.
 * K N: sizes; MR NV VEC BLOCK: tile; E INT ASM: form; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument
 * there; CLIP: the x that is 127, one scale for all, or 0: a row's scale stands behind it. WORDS: words of a row of y, 0 for floats; then ROUND: the function
 * that makes them, without its width, Y_E: numbers in one, Y_CLIP: the y that becomes 127 in int8.
 * Edges: rows past the last one are read from slack and written to slack; columns past N have zero weights and are not written, but as zeros of words.
 * PEAK is the innermost loop alone, BLOCK times over operands that stay in the first cache: the yardstick of MAIN.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: depth of the product"
#endif
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_MR
#error "SKIP_LINEAR_MR: rows of a tile"
#endif
#ifndef SKIP_LINEAR_NV
#error "SKIP_LINEAR_NV: vectors in a row of a tile"
#endif
#ifndef SKIP_LINEAR_VEC
#error "SKIP_LINEAR_VEC: lanes of a vector, 4, 8 or 16"
#endif
#ifndef SKIP_LINEAR_BLOCK
#error "SKIP_LINEAR_BLOCK: rows of x that stay in cache"
#endif
#ifndef SKIP_LINEAR_E
#error "SKIP_LINEAR_E: numbers in a word, 2 or 4"
#endif
#ifndef SKIP_LINEAR_INT
#error "SKIP_LINEAR_INT: 0 or 1"
#endif
#ifndef SKIP_LINEAR_ASM
#error "SKIP_LINEAR_ASM: 0, 1 or 2"
#endif
#ifndef SKIP_LINEAR_ACT
#error "SKIP_LINEAR_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_LINEAR_BIAS
#error "SKIP_LINEAR_BIAS: 0 or 1"
#endif
#ifndef SKIP_LINEAR_RESIDUAL
#error "SKIP_LINEAR_RESIDUAL: 0 or 1"
#endif
#ifndef SKIP_LINEAR_CLIP
#error "SKIP_LINEAR_CLIP: the magnitude that x reaches in int8, 0: each row's own"
#endif
#ifndef SKIP_LINEAR_WORDS
#error "SKIP_LINEAR_WORDS: words of a row of y, or 0"
#endif
#if SKIP_LINEAR_WORDS && !defined(SKIP_LINEAR_ROUND)
#error "SKIP_LINEAR_ROUND: skip_words_bf16x2, skip_words_s8x4 or skip_words_s16x2"
#endif
#if SKIP_LINEAR_WORDS && !defined(SKIP_LINEAR_Y_E)
#error "SKIP_LINEAR_Y_E: numbers in a word of y, 2 or 4"
#endif
#if SKIP_LINEAR_WORDS && !defined(SKIP_LINEAR_Y_CLIP)
#error "SKIP_LINEAR_Y_CLIP: the magnitude that y reaches in int8; 0 in bfloat16"
#endif
#if SKIP_LINEAR_ASM && !(defined(__x86_64__) && (SKIP_LINEAR_VEC == 8 ? defined(__AVX2__) : defined(__AVX512F__)))
#error "assembly of x86-64: this device is none, or has no vectors of this width"
#endif
#if SKIP_LINEAR_ASM == 2 && (SKIP_LINEAR_VEC != 16 || (SKIP_LINEAR_INT ? SKIP_LINEAR_E != 4 : SKIP_LINEAR_E != 2))
#error "tiles of AMX: 16 lanes, words of 4 int8 or 2 bfloat16"
#endif

#define SKIP_LINEAR_V SKIP_PASTE(float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_INT_V SKIP_PASTE(int, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LINEAR_VEC, i, p)
#define SKIP_LINEAR_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LINEAR_VEC, i, p) = (v)
/* Vector v behind element `at` of rows: where rows are whole vectors the compiler may know that it is aligned. */
#if SKIP_LINEAR_N % SKIP_LINEAR_VEC
#define SKIP_LINEAR_IN(from, at, v) SKIP_LINEAR_LOAD(v, from + at)
#define SKIP_LINEAR_OUT(x, to, at, v) SKIP_LINEAR_STORE(x, v, to + at)
#else
#define SKIP_LINEAR_IN(from, at, v) ((__global const SKIP_LINEAR_V *)(from + at))[v]
#define SKIP_LINEAR_OUT(x, to, at, v) ((__global SKIP_LINEAR_V *)(to + at))[v] = x
#endif
#define SKIP_LINEAR_AS_FLOAT SKIP_PASTE(as_float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_TO_FLOAT SKIP_PASTE(convert_float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_ACT_V SKIP_PASTE(SKIP_LINEAR_ACT, SKIP_PASTE(_f, SKIP_LINEAR_VEC))
#define SKIP_LINEAR_NR (SKIP_LINEAR_NV * SKIP_LINEAR_VEC)
#define SKIP_LINEAR_PANELS ((SKIP_LINEAR_N + SKIP_LINEAR_NR - 1) / SKIP_LINEAR_NR)
#define SKIP_LINEAR_TAIL (SKIP_LINEAR_N % SKIP_LINEAR_NR) /* real columns of a last panel that is not full */
#define SKIP_LINEAR_KW ((SKIP_LINEAR_K + SKIP_LINEAR_E - 1) / SKIP_LINEAR_E) /* words of a row of w */
#define SKIP_LINEAR_XW ((SKIP_LINEAR_K + 15) / 16 * 16 / SKIP_LINEAR_E + SKIP_LINEAR_INT) /* words of a row of x: whole vectors of 16 numbers, a scale */
#define SKIP_LINEAR_PANEL ((SKIP_LINEAR_KW + 2 * SKIP_LINEAR_INT) * SKIP_LINEAR_NV) /* vectors of a panel */
/* What a row tile keeps in registers. */
#if SKIP_LINEAR_ASM == 2
#define SKIP_LINEAR_REGISTERS                                                                                                              \
	SKIP_REQUIRE(registers, SKIP_LINEAR_MR > 0 && SKIP_LINEAR_NV > 0 && SKIP_LINEAR_DOWN <= 2 && SKIP_LINEAR_DOWN * SKIP_LINEAR_NV <= 4 && SKIP_LINEAR_MR % SKIP_LINEAR_DOWN == 0)
#else
#define SKIP_LINEAR_REGISTERS SKIP_REQUIRE(registers, SKIP_LINEAR_MR > 0 && SKIP_LINEAR_NV > 0 && SKIP_LINEAR_MR * SKIP_LINEAR_NV <= 24)
#endif
#if SKIP_LINEAR_INT
#define SKIP_LINEAR_SUM_V SKIP_LINEAR_INT_V
#else
#define SKIP_LINEAR_SUM_V SKIP_LINEAR_V
#endif
#if SKIP_LINEAR_WORDS
#define SKIP_LINEAR_Y_WORDS ((SKIP_LINEAR_N + 15) / 16 * 16 / SKIP_LINEAR_Y_E) /* words of a row of y that hold numbers */
/* The words of a vector, number v behind `to`. */
#if SKIP_LINEAR_VEC / SKIP_LINEAR_Y_E == 8
#define SKIP_LINEAR_Y_LANES 8
#elif SKIP_LINEAR_VEC / SKIP_LINEAR_Y_E == 4
#define SKIP_LINEAR_Y_LANES 4
#else
#define SKIP_LINEAR_Y_LANES 2
#endif
#if SKIP_LINEAR_VEC / SKIP_LINEAR_Y_E > 1
#define SKIP_LINEAR_PUT(words, v, to) SKIP_AT(__global, uint, SKIP_LINEAR_Y_LANES, v, to) = words
#define SKIP_LINEAR_Y_V SKIP_PASTE(uint, SKIP_LINEAR_Y_LANES)
#else
#define SKIP_LINEAR_Y_V uint
#define SKIP_LINEAR_PUT(words, v, to) (to)[v] = words
#endif
#endif

/* What a sum begins with: in integers what the 128 of x adds. */
#if SKIP_LINEAR_INT
#define SKIP_LINEAR_START(v) w[(SKIP_LINEAR_KW + 1) * SKIP_LINEAR_NV + (v)]
#elif SKIP_LINEAR_BIAS
#define SKIP_LINEAR_START(v) bias[panel * SKIP_LINEAR_NV + (v)]
#else
#define SKIP_LINEAR_START(v) (SKIP_LINEAR_SUM_V)(0.0f)
#endif

#if SKIP_LINEAR_ASM == 2
/*
 * Registers 0 to 3 are sums, DOWN tiles below each other of ACROSS rows, and NV beside each other. 4 holds words of x and 5 of w, 16 deep; 6 and 7 the same for
 * the last REST words of a depth that is no multiple of 16: nothing is read behind them. Their names stand in the text of the assembly, hence no loops.
 */
#define SKIP_LINEAR_DOWN ((SKIP_LINEAR_MR + 15) / 16)
#define SKIP_LINEAR_ACROSS (SKIP_LINEAR_MR / SKIP_LINEAR_DOWN)
#define SKIP_LINEAR_REST (SKIP_LINEAR_KW % 16)
#define SKIP_LINEAR_REST_16 (SKIP_LINEAR_REST ? SKIP_LINEAR_REST : 16) /* an unused register has a shape too */
#define SKIP_LINEAR_BESIDE (SKIP_LINEAR_KW < 16 ? SKIP_LINEAR_MR : (SKIP_LINEAR_MR + SKIP_LINEAR_KW / 16 - 1) / (SKIP_LINEAR_KW / 16)) /* rows to finish beside a step */
#define SKIP_LINEAR_TILE_LOAD(t, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_LINEAR_TILE_STORE(t, p, stride) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_LINEAR_TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")
#if SKIP_LINEAR_INT
#define SKIP_LINEAR_TILE_DOT(sum, x, w) __asm__ volatile("tdpbusd %%tmm" #w ", %%tmm" #x ", %%tmm" #sum : : : "memory")
#else
#define SKIP_LINEAR_TILE_DOT(sum, x, w) __asm__ volatile("tdpbf16ps %%tmm" #w ", %%tmm" #x ", %%tmm" #sum : : : "memory")
#endif
/* The words behind x and w in registers xt and wt, added to all sums; the lower tiles meet those of w in the other order, of which one is there already. */
#define SKIP_LINEAR_TILE_STEP(xt, wt, x, w)                                                                                                \
	do {                                                                                                                               \
		SKIP_LINEAR_TILE_LOAD(xt, x, SKIP_LINEAR_XW * 4);                                                                          \
		SKIP_LINEAR_TILE_LOAD(wt, w, SKIP_LINEAR_NV * 64);                                                                         \
		SKIP_LINEAR_TILE_DOT(0, xt, wt);                                                                                           \
		if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_LOAD(wt, (w) + 1, SKIP_LINEAR_NV * 64);                                           \
		if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_DOT(1, xt, wt);                                                                   \
		if (SKIP_LINEAR_NV > 2) SKIP_LINEAR_TILE_LOAD(wt, (w) + 2, SKIP_LINEAR_NV * 64);                                           \
		if (SKIP_LINEAR_NV > 2) SKIP_LINEAR_TILE_DOT(2, xt, wt);                                                                   \
		if (SKIP_LINEAR_NV > 3) SKIP_LINEAR_TILE_LOAD(wt, (w) + 3, SKIP_LINEAR_NV * 64);                                           \
		if (SKIP_LINEAR_NV > 3) SKIP_LINEAR_TILE_DOT(3, xt, wt);                                                                   \
		if (SKIP_LINEAR_DOWN == 1) break;                                                                                          \
		SKIP_LINEAR_TILE_LOAD(xt, (x) + SKIP_LINEAR_ACROSS * SKIP_LINEAR_XW, SKIP_LINEAR_XW * 4);                                  \
		if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_DOT(3, xt, wt);                                                                   \
		if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_LOAD(wt, w, SKIP_LINEAR_NV * 64);                                                 \
		SKIP_LINEAR_TILE_DOT(2, xt, wt);                                                                                           \
	} while (0)

/* The shapes of the registers, until tilerelease: a palette, 8 counts of bytes in a row, 8 of rows. */
static inline void SKIP_JOIN(SKIP_LINEAR_NAME, shapes)(void)
{
	const uint rows = SKIP_LINEAR_ACROSS, rest = SKIP_LINEAR_REST_16;
	const uint16 shapes = (uint16)(1, 0, 0, 0, 0x400040, 0x400040, 0x400040, rest * 4 | 0x400000, 0, 0, 0, 0, rows * 0x01010101, rows | 16 << 8 | rows << 16 | rest << 24,
				       0, 0);
	__asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
}

static inline void SKIP_JOIN(SKIP_LINEAR_NAME, zero)(void)
{
	SKIP_LINEAR_TILE_ZERO(0);
	SKIP_LINEAR_TILE_ZERO(1);
	SKIP_LINEAR_TILE_ZERO(2);
	SKIP_LINEAR_TILE_ZERO(3);
}

/* [MR][NV] sums. */
static inline void SKIP_JOIN(SKIP_LINEAR_NAME, store)(SKIP_LINEAR_SUM_V *sum)
{
	SKIP_LINEAR_TILE_STORE(0, sum, SKIP_LINEAR_NV * 64);
	if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_STORE(1, sum + 1, SKIP_LINEAR_NV * 64);
	if (SKIP_LINEAR_NV > 2) SKIP_LINEAR_TILE_STORE(2, sum + 2, SKIP_LINEAR_NV * 64);
	if (SKIP_LINEAR_NV > 3) SKIP_LINEAR_TILE_STORE(3, sum + 3, SKIP_LINEAR_NV * 64);
	if (SKIP_LINEAR_DOWN == 1) return;
	SKIP_LINEAR_TILE_STORE(2, sum + SKIP_LINEAR_ACROSS * SKIP_LINEAR_NV, SKIP_LINEAR_NV * 64);
	if (SKIP_LINEAR_NV > 1) SKIP_LINEAR_TILE_STORE(3, sum + SKIP_LINEAR_ACROSS * SKIP_LINEAR_NV + 1, SKIP_LINEAR_NV * 64);
}
#else
/* sum + the E products of each lane: one word of x against a word of w per lane. */
static inline SKIP_LINEAR_SUM_V SKIP_JOIN(SKIP_LINEAR_NAME, dot)(SKIP_LINEAR_SUM_V sum, uint x, SKIP_LINEAR_INT_V w)
{
	const SKIP_LINEAR_INT_V xs = (SKIP_LINEAR_INT_V)((int)x);
#if SKIP_LINEAR_ASM && !SKIP_LINEAR_INT
	__asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(xs), "v"(w));
#elif SKIP_LINEAR_ASM && SKIP_LINEAR_E == 4
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(xs), "v"(w));
#elif SKIP_LINEAR_ASM
	SKIP_LINEAR_INT_V two;
	__asm__("vpmaddwd %2, %1, %0" : "=v"(two) : "v"(xs), "v"(w));
	sum += two;
#elif !SKIP_LINEAR_INT
	sum = fma(SKIP_LINEAR_AS_FLOAT(xs << 16), SKIP_LINEAR_AS_FLOAT(w << 16), sum);
	sum = fma(SKIP_LINEAR_AS_FLOAT(xs & (int)0xffff0000), SKIP_LINEAR_AS_FLOAT(w & (int)0xffff0000), sum);
#elif SKIP_LINEAR_E == 4
	sum += (xs & 0xff) * (w << 24 >> 24) + (xs >> 8 & 0xff) * (w << 16 >> 24) + (xs >> 16 & 0xff) * (w << 8 >> 24) + (xs >> 24 & 0xff) * (w >> 24);
#else
	sum += (xs << 16 >> 16) * (w << 16 >> 16) + (xs >> 16) * (w >> 16);
#endif
	return sum;
}
#endif

#ifdef SKIP_LINEAR_KERNEL_MAIN
#if SKIP_LINEAR_WORDS
#define SKIP_LINEAR_Y_T uint
#else
#define SKIP_LINEAR_Y_T float
#endif
#if SKIP_LINEAR_WORDS
#if SKIP_LINEAR_ASM == 2 && SKIP_LINEAR_Y_E == 2
/* Words of bfloat16 in one instruction. Denormal numbers become 0, as which tdpbf16ps would take them. */
static inline uint8 SKIP_JOIN(SKIP_LINEAR_NAME, words)(float16 x)
{
	uint8 words;
	__asm__("vcvtneps2bf16 %1, %0" : "=v"(words) : "v"(x));
	return words;
}
#else
#define SKIP_LINEAR_WORDS_OF SKIP_PASTE(SKIP_LINEAR_ROUND, SKIP_PASTE(_f, SKIP_LINEAR_VEC))
static inline SKIP_LINEAR_Y_V SKIP_JOIN(SKIP_LINEAR_NAME, words)(SKIP_LINEAR_V x) { return SKIP_LINEAR_WORDS_OF(x, SKIP_LINEAR_Y_CLIP); }
#endif
#endif

/* Sums become row m of y. */
static inline void SKIP_JOIN(SKIP_LINEAR_NAME, finish)(const SKIP_LINEAR_SUM_V *sum, __global const uint *x, __global const SKIP_LINEAR_INT_V *w,
						       __global const SKIP_LINEAR_V *bias, __global const float *residual, __global SKIP_LINEAR_Y_T *y, size_t m,
						       uint panel)
{
	SKIP_LINEAR_V out[SKIP_LINEAR_NV];
	SKIP_UNROLL(SKIP_LINEAR_NV)
	for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_ASM == 2
		const SKIP_LINEAR_SUM_V all = sum[v] + SKIP_LINEAR_START(v);
#else
		const SKIP_LINEAR_SUM_V all = sum[v];
#endif
#if SKIP_LINEAR_INT
		const float scale = SKIP_LINEAR_CLIP > 0.0f ? SKIP_LINEAR_CLIP * 0x1.020408p-7f : as_float(x[m * SKIP_LINEAR_XW + SKIP_LINEAR_XW - 1]); /* 1 / 127 */
		const SKIP_LINEAR_V factor = SKIP_LINEAR_AS_FLOAT(w[SKIP_LINEAR_KW * SKIP_LINEAR_NV + v]) * scale;
#if SKIP_LINEAR_BIAS
		out[v] = fma(SKIP_LINEAR_TO_FLOAT(all), factor, bias[panel * SKIP_LINEAR_NV + v]);
#else
		out[v] = SKIP_LINEAR_TO_FLOAT(all) * factor;
#endif
#else
		out[v] = all;
#endif
		out[v] = SKIP_LINEAR_ACT_V(out[v]);
	}
#if SKIP_LINEAR_WORDS
	const uint column = panel * SKIP_LINEAR_NR / SKIP_LINEAR_Y_E;
	SKIP_UNROLL(SKIP_LINEAR_NV)
	for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
		/* A row has whole vectors of 16 numbers, which the last panel may pass. */
		if (SKIP_LINEAR_TAIL && column + v * (SKIP_LINEAR_VEC / SKIP_LINEAR_Y_E) >= SKIP_LINEAR_Y_WORDS) break;
		SKIP_LINEAR_PUT(SKIP_JOIN(SKIP_LINEAR_NAME, words)(out[v]), v, y + m * SKIP_LINEAR_WORDS + column);
	}
#else
	const size_t at = m * SKIP_LINEAR_N + panel * SKIP_LINEAR_NR;
#if SKIP_LINEAR_TAIL
	if (panel == SKIP_LINEAR_N / SKIP_LINEAR_NR) {
		float lane[SKIP_LINEAR_NR];
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) SKIP_AT(__private, float, SKIP_LINEAR_VEC, v, lane) = out[v];
		for (uint j = 0; j < SKIP_LINEAR_TAIL; j++) {
#if SKIP_LINEAR_RESIDUAL
			lane[j] += residual[at + j];
#endif
			y[at + j] = lane[j];
		}
		return;
	}
#endif
	SKIP_UNROLL(SKIP_LINEAR_NV)
	for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_RESIDUAL
		out[v] += SKIP_LINEAR_IN(residual, at, v);
#endif
		SKIP_LINEAR_OUT(out[v], y, at, v);
	}
#endif
}

#if SKIP_LINEAR_ASM != 2
/* The MR rows from m on in the columns of the panel w; bias and residual are read where BIAS and RESIDUAL say so, the panel `ahead` is asked for. */
SKIP_APART void SKIP_JOIN(SKIP_LINEAR_NAME, tile)(__global const uint *x, __global const SKIP_LINEAR_INT_V *w, __global const SKIP_LINEAR_INT_V *ahead,
						  __global const SKIP_LINEAR_V *bias, __global const float *residual, __global SKIP_LINEAR_Y_T *y, size_t m,
						  uint panel)
{
	__global const uint *from = x + m * SKIP_LINEAR_XW;
	SKIP_LINEAR_SUM_V sum[SKIP_LINEAR_MR][SKIP_LINEAR_NV];
	SKIP_UNROLL(SKIP_LINEAR_MR)
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) sum[i][v] = SKIP_LINEAR_START(v);
	}
	for (uint k = 0; k < SKIP_LINEAR_KW; k++) {
		SKIP_LINEAR_INT_V wk[SKIP_LINEAR_NV];
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
			wk[v] = w[k * SKIP_LINEAR_NV + v];
			SKIP_PREFETCH(ahead + k * SKIP_LINEAR_NV + v);
		}
		SKIP_UNROLL(SKIP_LINEAR_MR)
		for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
			const uint xk = from[i * SKIP_LINEAR_XW + k];
			SKIP_UNROLL(SKIP_LINEAR_NV)
			for (uint v = 0; v < SKIP_LINEAR_NV; v++) sum[i][v] = SKIP_JOIN(SKIP_LINEAR_NAME, dot)(sum[i][v], xk, wk[v]);
		}
	}
	SKIP_UNROLL(SKIP_LINEAR_MR)
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) SKIP_JOIN(SKIP_LINEAR_NAME, finish)(sum[i], x, w, bias, residual, y, m + i, panel);
}
#endif

#if SKIP_LINEAR_ASM == 2
/*
 * The `rows` rows from m on. While the tiles of one row tile are multiplied, the vectors finish rows of the one before: either alone would leave the other's
 * units idle for as long. The panel `ahead` is asked for beside the last.
 */
SKIP_APART void SKIP_JOIN(SKIP_LINEAR_NAME, tiles)(__global const uint *x, __global const SKIP_LINEAR_INT_V *w, __global const SKIP_LINEAR_INT_V *ahead,
						   __global const SKIP_LINEAR_V *bias, __global const float *residual, __global SKIP_LINEAR_Y_T *y, size_t m,
						   uint rows, uint panel)
{
	SKIP_LINEAR_SUM_V sum[2][SKIP_LINEAR_MR * SKIP_LINEAR_NV];
	uint left = 0; /* rows not finished of the tile before */
	for (uint tile = 0; tile < rows / SKIP_LINEAR_MR; tile++, m += SKIP_LINEAR_MR) {
		const SKIP_LINEAR_SUM_V *before = sum[~tile & 1] + SKIP_LINEAR_MR * SKIP_LINEAR_NV;
		__global const uint *from = x + m * SKIP_LINEAR_XW;
		const bool last = (tile + 1) * SKIP_LINEAR_MR == rows && ahead != w;
		uint k = 0;
		SKIP_JOIN(SKIP_LINEAR_NAME, zero)();
		for (; k + 16 <= SKIP_LINEAR_KW; k += 16) {
			SKIP_LINEAR_TILE_STEP(4, 5, from + k, w + k * SKIP_LINEAR_NV);
			SKIP_UNROLL(1)
			for (uint i = 0; i < SKIP_LINEAR_BESIDE && left > 0; i++, left--)
				SKIP_JOIN(SKIP_LINEAR_NAME, finish)(before - left * SKIP_LINEAR_NV, x, w, bias, residual, y, m - left, panel);
			if (!last) continue;
			SKIP_UNROLL(16 * SKIP_LINEAR_NV)
			for (uint v = 0; v < 16 * SKIP_LINEAR_NV; v++) SKIP_PREFETCH(ahead + k * SKIP_LINEAR_NV + v);
		}
		if (SKIP_LINEAR_REST) SKIP_LINEAR_TILE_STEP(6, 7, from + k, w + k * SKIP_LINEAR_NV);
		for (; SKIP_LINEAR_KW < 16 && left > 0; left--) SKIP_JOIN(SKIP_LINEAR_NAME, finish)(before - left * SKIP_LINEAR_NV, x, w, bias, residual, y, m - left, panel);
		SKIP_JOIN(SKIP_LINEAR_NAME, store)(sum[tile & 1]);
		left = SKIP_LINEAR_MR;
	}
	for (; left > 0; left--)
		SKIP_JOIN(SKIP_LINEAR_NAME, finish)(sum[~(rows / SKIP_LINEAR_MR) & 1] + (SKIP_LINEAR_MR - left) * SKIP_LINEAR_NV, x, w, bias, residual, y, m - left, panel);
}
#endif

SKIP_KERNEL(SKIP_LINEAR_GROUP) void SKIP_LINEAR_NAME(
	SKIP_ITEM
	__global const uint *restrict x, /* [M][XW] words, with INT the scale last (kernels/common/words.cl) */
	__global const SKIP_LINEAR_INT_V *restrict w, /* [ceil(N / NR)][PANEL] vectors: [KW][NV] words, with INT [NV] scales and [NV] starts of the sums */
#if SKIP_LINEAR_BIAS
	__global const SKIP_LINEAR_V *restrict bias, /* [ceil(N / NR)][NV] vectors */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global SKIP_LINEAR_Y_T *restrict y, /* [M][WORDS] words or [M][N] */
	uint rows, uint row0)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0 && SKIP_LINEAR_K <= 65536 && SKIP_LINEAR_BLOCK > 0);
	SKIP_LINEAR_REGISTERS;
#if SKIP_LINEAR_WORDS
	SKIP_REQUIRE(words, SKIP_LINEAR_WORDS >= SKIP_LINEAR_Y_WORDS && SKIP_LINEAR_NR % 16 == 0 && !SKIP_LINEAR_RESIDUAL);
#endif
	/* Items come in order of id; blocks of rows walk all panels before the next block starts. The last block may be smaller. */
	const uint items = SKIP_IDS(0), id = SKIP_ID(1) * items + SKIP_ID(0);
	const uint most = max(SKIP_LINEAR_BLOCK / rows, 1u), block = id / (most * SKIP_LINEAR_PANELS), first = block * most;
	const uint within = id - first * SKIP_LINEAR_PANELS, height = min(items - first, most), panel = within / height;
	const size_t m0 = row0 + (first + within - panel * height) * rows;
	__global const SKIP_LINEAR_INT_V *wp = w + (size_t)panel * SKIP_LINEAR_PANEL;
	/* The item behind the last one of a panel wants the next panel. */
	__global const SKIP_LINEAR_INT_V *ahead = within - panel * height + 1 == height && panel + 1 < SKIP_LINEAR_PANELS ? wp + SKIP_LINEAR_PANEL : wp;
#if !SKIP_LINEAR_BIAS
	__global const SKIP_LINEAR_V *bias = 0; /* not there */
#endif
#if !SKIP_LINEAR_RESIDUAL
	__global const float *residual = 0;
#endif
#if SKIP_LINEAR_ASM == 2
	SKIP_JOIN(SKIP_LINEAR_NAME, shapes)();
	SKIP_JOIN(SKIP_LINEAR_NAME, tiles)(x, wp, ahead, bias, residual, y, m0, rows, panel);
	__asm__ volatile("tilerelease" : : : "memory");
#else
	for (size_t m = m0; m < m0 + rows; m += SKIP_LINEAR_MR) SKIP_JOIN(SKIP_LINEAR_NAME, tile)(x, wp, ahead, bias, residual, y, m, panel);
#endif
}
#endif

#ifdef SKIP_LINEAR_KERNEL_PEAK
SKIP_KERNEL(SKIP_LINEAR_GROUP) void SKIP_LINEAR_NAME(
	SKIP_ITEM
	__global const uint *restrict x, /* [MR][XW] words */
	__global const SKIP_LINEAR_INT_V *restrict w, /* [KW][NV] vectors of words */
	__global SKIP_LINEAR_SUM_V *restrict out) /* one vector that every work-item writes, so that nothing may be left out */
{
	SKIP_LINEAR_REGISTERS;
	SKIP_LINEAR_SUM_V sum[SKIP_LINEAR_MR][SKIP_LINEAR_NV], all = (SKIP_LINEAR_SUM_V)(0);
#if SKIP_LINEAR_ASM == 2
	SKIP_JOIN(SKIP_LINEAR_NAME, shapes)();
	for (uint pass = 0; pass < SKIP_LINEAR_BLOCK; pass++) {
		SKIP_JOIN(SKIP_LINEAR_NAME, zero)();
		for (uint k = 0; k + 16 <= SKIP_LINEAR_KW; k += 16) SKIP_LINEAR_TILE_STEP(4, 5, x + k, w + k * SKIP_LINEAR_NV);
		SKIP_JOIN(SKIP_LINEAR_NAME, store)(sum[0]);
	}
	__asm__ volatile("tilerelease" : : : "memory");
#else
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) sum[i][v] = (SKIP_LINEAR_SUM_V)(0);
	}
	for (uint pass = 0; pass < SKIP_LINEAR_BLOCK; pass++) {
		for (uint k = 0; k < SKIP_LINEAR_KW; k++) {
			SKIP_UNROLL(SKIP_LINEAR_MR)
			for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
					sum[i][v] = SKIP_JOIN(SKIP_LINEAR_NAME, dot)(sum[i][v], x[i * SKIP_LINEAR_XW + k], w[k * SKIP_LINEAR_NV + v]);
				}
			}
		}
	}
#endif
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) all += sum[i][v];
	}
	*out = all;
}
#endif

#undef SKIP_LINEAR_V
#undef SKIP_LINEAR_INT_V
#undef SKIP_LINEAR_LOAD
#undef SKIP_LINEAR_IN
#undef SKIP_LINEAR_OUT
#undef SKIP_LINEAR_STORE
#undef SKIP_LINEAR_AS_FLOAT
#undef SKIP_LINEAR_TO_FLOAT
#undef SKIP_LINEAR_ACT_V
#undef SKIP_LINEAR_NR
#undef SKIP_LINEAR_PANELS
#undef SKIP_LINEAR_TAIL
#undef SKIP_LINEAR_KW
#undef SKIP_LINEAR_XW
#undef SKIP_LINEAR_PANEL
#undef SKIP_LINEAR_SUM_V
#undef SKIP_LINEAR_Y_WORDS
#undef SKIP_LINEAR_PUT
#undef SKIP_LINEAR_Y_T
#undef SKIP_LINEAR_Y_LANES
#undef SKIP_LINEAR_START
#undef SKIP_LINEAR_REGISTERS
#undef SKIP_LINEAR_BESIDE
#undef SKIP_LINEAR_WORDS_OF
#undef SKIP_LINEAR_Y_V
#undef SKIP_LINEAR_DOWN
#undef SKIP_LINEAR_ACROSS
#undef SKIP_LINEAR_REST
#undef SKIP_LINEAR_REST_16
#undef SKIP_LINEAR_TILE_LOAD
#undef SKIP_LINEAR_TILE_STORE
#undef SKIP_LINEAR_TILE_ZERO
#undef SKIP_LINEAR_TILE_DOT
#undef SKIP_LINEAR_TILE_STEP
