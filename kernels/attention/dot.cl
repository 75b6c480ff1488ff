/*
 * Attention with products in bfloat16, VEC queries side by side as in cpu.cl. One work-item per sequence and head (dimensions 0, 1): it rounds the keys
 * and values once, into words, and takes all query blocks against them.
 *
 *   Z = SCALE r(Q) r(Kt)^T, A_ij = exp(Z_ij - max_j Z_ij), Ctx = r(A) r(Vt) / sum_j A_ij      r rounds to bfloat16; sums are float
 *
 * E 2: words of two bfloat16, multiplied by vdpbf16ps: neighbouring columns of a key, the same column of two neighbouring values. E 1: words are
 * floats that hold a bfloat16. Keys behind the last, up to a whole tile, are zeros whose scores nobody reads; values behind it have weight 0.
 * AMX 1: the products of words of two on tiles of 16 rows of 16 words: keys times queries as they are; for the other the values are turned once, a row per column.
 * H heads; QK, V: widths; P: prefix rows, 0 for none; S: most keys of a sequence, P included; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns of the values
 * that hold q, k, v, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT 1: the prefix arguments are [B][P][..].
 * WORDS 1: q, k, v are words of bfloat16 (kernels/common/words.cl), STRIDE and COL count words, and heads start at whole words.
 * OUT: words of a row of ctx, 0 for floats; then OUT_E: numbers in a word, CLIP: 0 for bfloat16, else what becomes 127 of int8 (kernels/common/words.cl).
 */
#ifndef SKIP_ATTENTION_H
#error "SKIP_ATTENTION_H: heads"
#endif
#ifndef SKIP_ATTENTION_QK
#error "SKIP_ATTENTION_QK: columns per head of q and k"
#endif
#ifndef SKIP_ATTENTION_V
#error "SKIP_ATTENTION_V: columns per head of v"
#endif
#ifndef SKIP_ATTENTION_P
#error "SKIP_ATTENTION_P: prefix rows"
#endif
#ifndef SKIP_ATTENTION_S
#error "SKIP_ATTENTION_S: most keys of a sequence"
#endif
#ifndef SKIP_ATTENTION_SCALE
#error "SKIP_ATTENTION_SCALE: factor of the scores"
#endif
#ifndef SKIP_ATTENTION_Q_STRIDE
#error "SKIP_ATTENTION_Q_STRIDE: columns of the value that holds q"
#endif
#ifndef SKIP_ATTENTION_K_STRIDE
#error "SKIP_ATTENTION_K_STRIDE: columns of the value that holds k"
#endif
#ifndef SKIP_ATTENTION_V_STRIDE
#error "SKIP_ATTENTION_V_STRIDE: columns of the value that holds v"
#endif
#ifndef SKIP_ATTENTION_Q_COL
#error "SKIP_ATTENTION_Q_COL: first column of q"
#endif
#ifndef SKIP_ATTENTION_K_COL
#error "SKIP_ATTENTION_K_COL: first column of k"
#endif
#ifndef SKIP_ATTENTION_V_COL
#error "SKIP_ATTENTION_V_COL: first column of v"
#endif
#ifndef SKIP_ATTENTION_ROWS_B
#error "SKIP_ATTENTION_ROWS_B: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_DROPOUT
#error "SKIP_ATTENTION_DROPOUT: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_VEC
#error "SKIP_ATTENTION_VEC: lanes, 4, 8 or 16"
#endif
#ifndef SKIP_ATTENTION_E
#error "SKIP_ATTENTION_E: numbers in a word, 1 or 2"
#endif
#ifndef SKIP_ATTENTION_AMX
#error "SKIP_ATTENTION_AMX: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_WORDS
#error "SKIP_ATTENTION_WORDS: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_OUT
#error "SKIP_ATTENTION_OUT: words of a row of ctx, or 0"
#endif
#if SKIP_ATTENTION_OUT && !defined(SKIP_ATTENTION_OUT_E)
#error "SKIP_ATTENTION_OUT_E: numbers in a word of ctx, 2 or 4"
#endif
#if SKIP_ATTENTION_OUT && !defined(SKIP_ATTENTION_CLIP)
#error "SKIP_ATTENTION_CLIP: the magnitude that ctx reaches in int8; 0 in bfloat16"
#endif
#if SKIP_ATTENTION_E == 2 && !(SKIP_ATTENTION_VEC == 16 && defined(__x86_64__) && defined(__AVX512F__))
#error "assembly of x86-64 with AVX-512 and 16 lanes: this device has it not"
#endif
#if SKIP_ATTENTION_AMX && SKIP_ATTENTION_E != 2
#error "tiles of AMX: words of two bfloat16"
#endif

#define SKIP_ATTENTION_FN(name) SKIP_JOIN(SKIP_ATTENTION_NAME, name)
#define SKIP_ATTENTION_F SKIP_PASTE(float, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_U SKIP_PASTE(uint, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_AS_F SKIP_PASTE(as_float, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_AS_U SKIP_PASTE(as_uint, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_EACH(i, count) SKIP_UNROLL(count) for (uint i = 0; i < (count); i++)
#define SKIP_ATTENTION_SUMS 16 /* vectors of sums side by side */
#define SKIP_ATTENTION_KW ((SKIP_ATTENTION_QK + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E) /* words of a key */
#define SKIP_ATTENTION_WHOLE(n, tile) (((n) + (tile)-1) / (tile) * (tile))
#if SKIP_ATTENTION_AMX
#define SKIP_ATTENTION_KEYS SKIP_ATTENTION_WHOLE(SKIP_ATTENTION_S, 32) /* weights of 32 are a tile */
#define SKIP_ATTENTION_Y SKIP_ATTENTION_WHOLE(SKIP_ATTENTION_V, 16) /* vectors of a result, whole tiles */
#else
#define SKIP_ATTENTION_KEYS SKIP_ATTENTION_WHOLE(SKIP_ATTENTION_S, SKIP_ATTENTION_SUMS)
#define SKIP_ATTENTION_Y SKIP_ATTENTION_V
#endif
#define SKIP_ATTENTION_ROWS (SKIP_ATTENTION_KEYS / SKIP_ATTENTION_E) /* word rows of the values */
/* Columns of ctx side by side for `nq` vectors of queries: equal tiles. */
#define SKIP_ATTENTION_TILES(nq) ((SKIP_ATTENTION_V * (nq) + SKIP_ATTENTION_SUMS - 1) / SKIP_ATTENTION_SUMS)
#define SKIP_ATTENTION_TILE(nq) ((SKIP_ATTENTION_V + SKIP_ATTENTION_TILES(nq) - 1) / SKIP_ATTENTION_TILES(nq))
#define SKIP_ATTENTION_MANY(nq) (SKIP_ATTENTION_TILE(nq) * (nq))
#define SKIP_ATTENTION_HIGH 0xffff0000u
#if SKIP_ATTENTION_OUT
#define SKIP_ATTENTION_OUT_BITS (32 / SKIP_ATTENTION_OUT_E)
#endif
#if SKIP_ATTENTION_WORDS
#define SKIP_ATTENTION_IN uint
#define SKIP_ATTENTION_QK_IN (SKIP_ATTENTION_QK / 2) /* elements of a head of q, k */
#define SKIP_ATTENTION_V_IN (SKIP_ATTENTION_V / 2)
#else
#define SKIP_ATTENTION_IN float
#define SKIP_ATTENTION_QK_IN SKIP_ATTENTION_QK
#define SKIP_ATTENTION_V_IN SKIP_ATTENTION_V
#endif
/* To the nearest bfloat16, ties to even: its bits are the high half. */
#define SKIP_ATTENTION_NEAR(bits) ((bits) + 0x7fff + ((bits) >> 16 & 1))

/* A word, or a vector of words, of numbers given by their bits: the first one low. */
static inline uint SKIP_JOIN(SKIP_ATTENTION_NAME, word)(uint first, uint second)
{
#if SKIP_ATTENTION_E == 2
	return SKIP_ATTENTION_NEAR(first) >> 16 | (SKIP_ATTENTION_NEAR(second) & SKIP_ATTENTION_HIGH);
#else
	return SKIP_ATTENTION_NEAR(first) & SKIP_ATTENTION_HIGH;
#endif
}

static inline SKIP_ATTENTION_U SKIP_JOIN(SKIP_ATTENTION_NAME, words)(SKIP_ATTENTION_F first, SKIP_ATTENTION_F second)
{
	const SKIP_ATTENTION_U low = SKIP_ATTENTION_NEAR(SKIP_ATTENTION_AS_U(first));
#if SKIP_ATTENTION_E == 2
	const SKIP_ATTENTION_U high = SKIP_ATTENTION_NEAR(SKIP_ATTENTION_AS_U(second));
	return low >> 16 | (high & SKIP_ATTENTION_HIGH);
#else
	return low & SKIP_ATTENTION_HIGH;
#endif
}

/* sum + the products of the numbers of a word with those of each lane. */
static inline SKIP_ATTENTION_F SKIP_JOIN(SKIP_ATTENTION_NAME, dot)(SKIP_ATTENTION_F sum, uint word, SKIP_ATTENTION_U lanes)
{
#if SKIP_ATTENTION_E == 2
	const SKIP_ATTENTION_U words = (SKIP_ATTENTION_U)(word);
	__asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(words), "v"(lanes));
	return sum;
#else
	return fma((SKIP_ATTENTION_F)(as_float(word)), SKIP_ATTENTION_AS_F(lanes), sum);
#endif
}

/* The words of one key: its columns E at a time. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, key)(__global const float *row, uint *to)
{
	uint e = 0;
	for (; e + 16 <= SKIP_ATTENTION_QK; e += 16) {
		const uint16 near = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, row + e)));
#if SKIP_ATTENTION_E == 2
		SKIP_AT(__private, uint, 8, 0, to + e / 2) = near.even >> 16 | (near.odd & SKIP_ATTENTION_HIGH);
#else
		SKIP_AT(__private, uint, 16, 0, to + e) = near & SKIP_ATTENTION_HIGH;
#endif
	}
	for (; e < SKIP_ATTENTION_QK; e += SKIP_ATTENTION_E) {
		const float second = SKIP_ATTENTION_E == 2 && e + 1 < SKIP_ATTENTION_QK ? row[e + 1] : 0.0f;
		to[e / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(word)(as_uint(row[e]), as_uint(second));
	}
}

/* The words of E values: the same column of each. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, value)(__global const float *first, __global const float *second, uint *to)
{
	uint e = 0;
	for (; e + 16 <= SKIP_ATTENTION_V; e += 16) {
		const uint16 low = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, first + e)));
#if SKIP_ATTENTION_E == 2
		const uint16 high = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, second + e)));
		SKIP_AT(__private, uint, 16, 0, to + e) = low >> 16 | (high & SKIP_ATTENTION_HIGH);
#else
		SKIP_AT(__private, uint, 16, 0, to + e) = low & SKIP_ATTENTION_HIGH;
#endif
	}
	for (; e < SKIP_ATTENTION_V; e++) to[e] = SKIP_ATTENTION_FN(word)(as_uint(first[e]), as_uint(second[e]));
}

#if SKIP_ATTENTION_WORDS
/* The same for rows that are words. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, copy_key)(__global const uint *row, uint *to)
{
	uint e = 0;
	for (; e + 16 <= SKIP_ATTENTION_KW; e += 16) SKIP_AT(__private, uint, 16, 0, to + e) = SKIP_AT(__global const, uint, 16, 0, row + e);
	for (; e < SKIP_ATTENTION_KW; e++) to[e] = row[e];
}

SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, join_values)(__global const uint *first, __global const uint *second, uint *to)
{
	uint e = 0;
	for (; e + 8 <= SKIP_ATTENTION_V_IN; e += 8) {
		const uint8 a = SKIP_AT(__global const, uint, 8, 0, first + e), b = SKIP_AT(__global const, uint, 8, 0, second + e);
		const uint8 low = (a & 0xffff) | b << 16, high = a >> 16 | (b & SKIP_ATTENTION_HIGH);
		SKIP_AT(__private, uint, 16, 0, to + 2 * e) = (uint16)(low.s0, high.s0, low.s1, high.s1, low.s2, high.s2, low.s3, high.s3, low.s4, high.s4,
								       low.s5, high.s5, low.s6, high.s6, low.s7, high.s7);
	}
	for (; e < SKIP_ATTENTION_V_IN; e++) {
		to[2 * e] = (first[e] & 0xffff) | second[e] << 16;
		to[2 * e + 1] = first[e] >> 16 | (second[e] & SKIP_ATTENTION_HIGH);
	}
}
#define SKIP_ATTENTION_TAKE_KEY SKIP_ATTENTION_FN(copy_key)
#define SKIP_ATTENTION_TAKE_VALUES SKIP_ATTENTION_FN(join_values)
#else
#define SKIP_ATTENTION_TAKE_KEY SKIP_ATTENTION_FN(key)
#define SKIP_ATTENTION_TAKE_VALUES SKIP_ATTENTION_FN(value)
#endif

/*
 * For nq vectors of queries: SCORES z[q][j] = words of key j times x[q], in tiles of keys; MIX y[q][e] = factor[q] * sum_j weight j * column e of value j,
 * where the last tile of columns ends with the row. Two vectors share what they read of keys and values.
 */
#if SKIP_ATTENTION_AMX
/* Registers 0 and 1 are the sums of two vectors of queries; 4 and 5, 6 and 7 what they meet, the latter for the last REST words of a key. */
#define SKIP_ATTENTION_REST (SKIP_ATTENTION_KW % 16)
#define SKIP_ATTENTION_REST_16 (SKIP_ATTENTION_REST ? SKIP_ATTENTION_REST : 16) /* an unused register has a shape too */
#define SKIP_ATTENTION_TILE_LOAD(t, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_ATTENTION_TILE_STORE(t, p, stride) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_ATTENTION_TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")
#define SKIP_ATTENTION_TILE_DOT(sum, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : : : "memory")
/* Registers a, b: rows of `lines`, `across` words apart, times vectors x, and those `next` behind for the second vector of queries. */
#define SKIP_ATTENTION_TILE_STEP(nq, a, b, lines, across, x, next)                                                                         \
	do {                                                                                                                               \
		SKIP_ATTENTION_TILE_LOAD(a, lines, (across) * 4);                                                                          \
		SKIP_ATTENTION_TILE_LOAD(b, x, 64);                                                                                        \
		SKIP_ATTENTION_TILE_DOT(0, a, b);                                                                                          \
		if ((nq) > 1) SKIP_ATTENTION_TILE_LOAD(b, (x) + (next), 64);                                                               \
		if ((nq) > 1) SKIP_ATTENTION_TILE_DOT(1, a, b);                                                                            \
	} while (0)

/* The shapes of the registers, until tilerelease: a palette, 8 counts of bytes in a row, 8 of rows. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, shapes)(void)
{
	const uint rest = SKIP_ATTENTION_REST_16;
	const uint16 shapes = (uint16)(1, 0, 0, 0, 0x400040, 0x400040, 0x400040, rest * 4 | 0x400000, 0, 0, 0, 0, 0x10101010, 0x101010 | rest << 24, 0, 0);
	__asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
}

#define SKIP_ATTENTION_SCORES(name, nq)                                                                                                    \
	SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(const uint *keys, uint n, const SKIP_ATTENTION_U *x, SKIP_ATTENTION_F *z)   \
	{                                                                                                                                  \
		for (uint j = 0; j < n; j += 16, keys += 16 * SKIP_ATTENTION_KW) {                                                         \
			uint e = 0;                                                                                                        \
			SKIP_ATTENTION_TILE_ZERO(0);                                                                                       \
			SKIP_ATTENTION_TILE_ZERO(1);                                                                                       \
			for (; e + 16 <= SKIP_ATTENTION_KW; e += 16)                                                                       \
				SKIP_ATTENTION_TILE_STEP(nq, 4, 5, keys + e, SKIP_ATTENTION_KW, x + e, SKIP_ATTENTION_KW);                 \
			if (SKIP_ATTENTION_REST) SKIP_ATTENTION_TILE_STEP(nq, 6, 7, keys + e, SKIP_ATTENTION_KW, x + e, SKIP_ATTENTION_KW); \
			SKIP_ATTENTION_TILE_STORE(0, z + j, 64);                                                                           \
			if ((nq) > 1) SKIP_ATTENTION_TILE_STORE(1, z + SKIP_ATTENTION_KEYS + j, 64);                                       \
		}                                                                                                                          \
	}
/* `values` are turned: a row of `rows` words, in whole tiles, for each column. */
#define SKIP_ATTENTION_MIX(name, nq)                                                                                                       \
	SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(const uint *values, uint rows, const SKIP_ATTENTION_F *a,                  \
								const SKIP_ATTENTION_F *factor, SKIP_ATTENTION_F *y)                       \
	{                                                                                                                                  \
		const uint across = SKIP_ATTENTION_WHOLE(rows, 16);                                                                        \
		for (uint e = 0; e < SKIP_ATTENTION_V; e += 16) {                                                                          \
			SKIP_ATTENTION_TILE_ZERO(0);                                                                                       \
			SKIP_ATTENTION_TILE_ZERO(1);                                                                                       \
			for (uint j = 0; j < rows; j += 16)                                                                                \
				SKIP_ATTENTION_TILE_STEP(nq, 4, 5, values + e * across + j, across, a + j, SKIP_ATTENTION_KEYS);           \
			SKIP_ATTENTION_TILE_STORE(0, y + e, 64);                                                                           \
			if ((nq) > 1) SKIP_ATTENTION_TILE_STORE(1, y + SKIP_ATTENTION_Y + e, 64);                                          \
		}                                                                                                                          \
		for (uint i = 0; i < (nq); i++)                                                                                            \
			for (uint e = 0; e < SKIP_ATTENTION_V; e++) y[i * SKIP_ATTENTION_Y + e] *= factor[i];                              \
	}

/* Word rows of values [rows][V] as [V][rows], `rows` whole tiles. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, turn)(const uint *values, uint rows, uint *to)
{
	for (uint j = 0; j < rows; j += 16) {
#if SKIP_ATTENTION_V >= 16
		for (uint from = 0; from < SKIP_ATTENTION_V; from += 16) {
			const uint e = min(from, (uint)(SKIP_ATTENTION_V - 16));
			float16 t[16];
			SKIP_ATTENTION_EACH(r, 16) t[r] = as_float16(SKIP_AT(__private const, uint, 16, 0, values + (j + r) * SKIP_ATTENTION_V + e));
			skip_lanes_turn_f16(t);
			SKIP_ATTENTION_EACH(r, 16) SKIP_AT(__private, uint, 16, 0, to + (e + r) * rows + j) = as_uint16(t[r]);
		}
#else
		for (uint e = 0; e < SKIP_ATTENTION_V; e++)
			for (uint r = 0; r < 16; r++) to[e * rows + j + r] = values[(j + r) * SKIP_ATTENTION_V + e];
#endif
	}
}
#else
#define SKIP_ATTENTION_SCORES(name, nq)                                                                                                    \
	SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(const uint *keys, uint n, const SKIP_ATTENTION_U *x, SKIP_ATTENTION_F *z)   \
	{                                                                                                                                  \
		for (uint j = 0; j < n; j += SKIP_ATTENTION_SUMS / (nq), keys += SKIP_ATTENTION_SUMS / (nq) * SKIP_ATTENTION_KW) {         \
			SKIP_ATTENTION_F sum[SKIP_ATTENTION_SUMS];                                                                         \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_SUMS) sum[i] = (SKIP_ATTENTION_F)(0.0f);                                     \
			for (uint e = 0; e < SKIP_ATTENTION_KW; e++)                                                                       \
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_SUMS)                                                                \
				sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], keys[i / (nq) * SKIP_ATTENTION_KW + e], x[i % (nq) * SKIP_ATTENTION_KW + e]); \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_SUMS) z[i % (nq) * SKIP_ATTENTION_KEYS + j + i / (nq)] = sum[i];             \
		}                                                                                                                          \
	}
#define SKIP_ATTENTION_MIX(name, nq)                                                                                                       \
	SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(const uint *values, uint rows, const SKIP_ATTENTION_F *a,                  \
								const SKIP_ATTENTION_F *factor, SKIP_ATTENTION_F *y)                       \
	{                                                                                                                                  \
		for (uint from = 0; from < SKIP_ATTENTION_V; from += SKIP_ATTENTION_TILE(nq)) {                                            \
			const uint e = min(from, (uint)(SKIP_ATTENTION_V - SKIP_ATTENTION_TILE(nq)));                                      \
			const uint *row = values + e;                                                                                      \
			SKIP_ATTENTION_F sum[SKIP_ATTENTION_MANY(nq)];                                                              \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_MANY(nq)) sum[i] = (SKIP_ATTENTION_F)(0.0f);                          \
			for (uint j = 0; j < rows; j++, row += SKIP_ATTENTION_V)                                                           \
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_MANY(nq))                                                     \
				sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], row[i / (nq)], SKIP_ATTENTION_AS_U(a[i % (nq) * SKIP_ATTENTION_KEYS + j])); \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_MANY(nq))                                                             \
			y[i % (nq) * SKIP_ATTENTION_V + e + i / (nq)] = sum[i] * factor[i % (nq)];                                         \
		}                                                                                                                          \
	}
#endif
SKIP_ATTENTION_SCORES(scores_1, 1)
SKIP_ATTENTION_SCORES(scores_2, 2)
SKIP_ATTENTION_MIX(mix_1, 1)
SKIP_ATTENTION_MIX(mix_2, 2)

/* The words of E weights. */
static inline SKIP_ATTENTION_U SKIP_JOIN(SKIP_ATTENTION_NAME, weights)(SKIP_ATTENTION_F first, SKIP_ATTENTION_F second)
{
#if SKIP_ATTENTION_E == 2
	/* All numbers of one, then all of the other; and a number of each side by side. */
	const SKIP_ATTENTION_U order = (SKIP_ATTENTION_U)(0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008, 0x190009,
							  0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f);
	SKIP_ATTENTION_U apart, words;
	__asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(apart) : "v"(first), "v"(second));
	__asm__("vpermw %1, %2, %0" : "=v"(words) : "v"(apart), "v"(order));
	return words;
#else
	return SKIP_ATTENTION_FN(words)(first, second);
#endif
}

/* Scores become words of weights exp(SCALE (z - the largest)), in place; what comes back is 1 / the sum of the weights. */
SKIP_APART SKIP_ATTENTION_F SKIP_JOIN(SKIP_ATTENTION_NAME, softmax)(SKIP_ATTENTION_F *z, uint keys)
{
	const SKIP_ATTENTION_F factor = (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE * 0x1.715476p+0f); /* 1 / ln 2 */
	SKIP_ATTENTION_F largest = z[0], sum = (SKIP_ATTENTION_F)(0.0f), top[4] = {largest, largest, largest, largest};
	uint from = 1;
	/* Four beside each other: one waits for the one before. */
	for (; from + 4 <= keys; from += 4) SKIP_ATTENTION_EACH(i, 4) top[i] = z[from + i] > top[i] ? z[from + i] : top[i];
	for (; from < keys; from++) largest = z[from] > largest ? z[from] : largest;
	SKIP_ATTENTION_EACH(i, 4) largest = top[i] > largest ? top[i] : largest;
	const SKIP_ATTENTION_F shift = largest * -factor;
	uint j = 0;
	for (; j + SKIP_ATTENTION_E <= keys; j += SKIP_ATTENTION_E) {
		const SKIP_ATTENTION_F first = SKIP_PASTE(skip_exp2_short_f, SKIP_ATTENTION_VEC)(fma(z[j], factor, shift));
		sum += first;
#if SKIP_ATTENTION_E == 2
		const SKIP_ATTENTION_F second = SKIP_PASTE(skip_exp2_short_f, SKIP_ATTENTION_VEC)(fma(z[j + 1], factor, shift));
		sum += second;
#else
		const SKIP_ATTENTION_F second = first;
#endif
		z[j / SKIP_ATTENTION_E] = SKIP_ATTENTION_AS_F(SKIP_ATTENTION_FN(weights)(first, second));
	}
	if (j < keys) {
		const SKIP_ATTENTION_F last = SKIP_PASTE(skip_exp2_short_f, SKIP_ATTENTION_VEC)(fma(z[j], factor, shift));
		sum += last;
		z[j / SKIP_ATTENTION_E] = SKIP_ATTENTION_AS_F(SKIP_ATTENTION_FN(weights)(last, (SKIP_ATTENTION_F)(0.0f)));
	}
	return 1.0f / sum;
}

/* `count` queries as lanes of words. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, queries)(__global const SKIP_ATTENTION_IN *q, uint count, SKIP_ATTENTION_U *words)
{
#if SKIP_ATTENTION_WORDS
	SKIP_PASTE(skip_lanes_take_f, SKIP_ATTENTION_VEC)((__global const float *)q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_KW, count, (SKIP_ATTENTION_F *)words);
#else
	SKIP_ATTENTION_F x[SKIP_ATTENTION_QK + 1];
	SKIP_PASTE(skip_lanes_take_f, SKIP_ATTENTION_VEC)(q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, count, x);
	x[SKIP_ATTENTION_QK] = (SKIP_ATTENTION_F)(0.0f);
	for (uint e = 0; e < SKIP_ATTENTION_KW; e++) words[e] = SKIP_ATTENTION_FN(words)(x[SKIP_ATTENTION_E * e], x[SKIP_ATTENTION_E * e + SKIP_ATTENTION_E - 1]);
#endif
}

/* Lanes y become `count` rows of ctx. */
#if SKIP_ATTENTION_OUT
#define SKIP_ATTENTION_CTX_STRIDE SKIP_ATTENTION_OUT
#define SKIP_ATTENTION_CTX_COLS (SKIP_ATTENTION_V / SKIP_ATTENTION_OUT_E)
/* OUT_E columns as words of int8. */
static inline SKIP_ATTENTION_U SKIP_JOIN(SKIP_ATTENTION_NAME, short_words)(const SKIP_ATTENTION_F *y)
{
	SKIP_ATTENTION_U word = (SKIP_ATTENTION_U)(0);
	for (uint i = 0; i < SKIP_ATTENTION_OUT_E; i++) {
		const SKIP_ATTENTION_F x = SKIP_PASTE(skip_words_within_f, SKIP_ATTENTION_VEC)(y[i], SKIP_ATTENTION_CLIP);
		const SKIP_ATTENTION_U near = SKIP_PASTE(skip_words_near_f, SKIP_ATTENTION_VEC)(x, 127.0f / SKIP_ATTENTION_CLIP, SKIP_ATTENTION_OUT_E == 4 ? 128.0f : 0.0f);
		word |= (near & ((1u << SKIP_ATTENTION_OUT_BITS) - 1)) << i * SKIP_ATTENTION_OUT_BITS;
	}
	return word;
}

static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, put)(const SKIP_ATTENTION_F *y, uint count, __global uint *ctx)
{
	SKIP_ATTENTION_U out[SKIP_ATTENTION_CTX_COLS];
	for (uint e = 0; e < SKIP_ATTENTION_CTX_COLS; e++) {
		const SKIP_ATTENTION_F *from = y + e * SKIP_ATTENTION_OUT_E;
		out[e] = SKIP_ATTENTION_CLIP > 0.0f ? SKIP_ATTENTION_FN(short_words)(from) : SKIP_ATTENTION_FN(words)(from[0], from[1]);
	}
	SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)((const SKIP_ATTENTION_F *)out, SKIP_ATTENTION_OUT, SKIP_ATTENTION_CTX_COLS, count, (__global float *)ctx);
}
#else
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, put)(const SKIP_ATTENTION_F *y, uint count, __global float *ctx)
{
	SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)(y, SKIP_ATTENTION_H * SKIP_ATTENTION_V, SKIP_ATTENTION_V, count, ctx);
}
#define SKIP_ATTENTION_CTX_STRIDE (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
#define SKIP_ATTENTION_CTX_COLS SKIP_ATTENTION_V
#endif

SKIP_KERNEL(SKIP_ATTENTION_GROUP) void SKIP_ATTENTION_NAME(
	SKIP_ITEM
	__global const SKIP_ATTENTION_IN *restrict q, /* [T or B][Q_STRIDE] */
	__global const SKIP_ATTENTION_IN *restrict k, /* [T][K_STRIDE] */
	__global const SKIP_ATTENTION_IN *restrict v, /* [T][V_STRIDE] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK], DROPOUT: [B][P][H*QK] */
	__global const float *restrict pv, /* [P][H*V], DROPOUT: [B][P][H*V] */
#endif
	__global const int *restrict offset, /* [B+1] */
#if SKIP_ATTENTION_OUT
	__global uint *restrict ctx) /* [T or B][OUT] */
#else
	__global float *restrict ctx) /* [T or B][H*V] */
#endif
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P);
	SKIP_REQUIRE(words, !SKIP_ATTENTION_WORDS || (SKIP_ATTENTION_E == 2 && SKIP_ATTENTION_QK % 2 == 0 && SKIP_ATTENTION_V % 2 == 0));
#if SKIP_ATTENTION_OUT
	SKIP_REQUIRE(out, SKIP_ATTENTION_V % SKIP_ATTENTION_OUT_E == 0 && SKIP_ATTENTION_OUT >= SKIP_ATTENTION_H * SKIP_ATTENTION_CTX_COLS);
#endif
	const uint b = SKIP_ID(0), head = SKIP_ID(1);
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first, keys = SKIP_ATTENTION_P + n;
	/* Rows of a tile are best whole cache lines. */
	__attribute__((aligned(64))) uint key_words[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_KW], value_words[SKIP_ATTENTION_ROWS * SKIP_ATTENTION_V];
	k += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + head * SKIP_ATTENTION_QK_IN;
	v += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + head * SKIP_ATTENTION_V_IN;
	uint from = 0; /* keys and values already taken */
#if SKIP_ATTENTION_P
	pk += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_H * SKIP_ATTENTION_QK) : 0) + head * SKIP_ATTENTION_QK;
	pv += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_H * SKIP_ATTENTION_V) : 0) + head * SKIP_ATTENTION_V;
#define SKIP_ATTENTION_PREFIX_VALUE(j) (pv + (j) * (SKIP_ATTENTION_H * SKIP_ATTENTION_V))
	for (uint j = 0; j < SKIP_ATTENTION_P; j++)
		SKIP_ATTENTION_FN(key)(pk + j * (SKIP_ATTENTION_H * SKIP_ATTENTION_QK), key_words + j * SKIP_ATTENTION_KW);
	for (; from + SKIP_ATTENTION_E <= SKIP_ATTENTION_P; from += SKIP_ATTENTION_E)
		SKIP_ATTENTION_FN(value)(SKIP_ATTENTION_PREFIX_VALUE(from), SKIP_ATTENTION_PREFIX_VALUE(from + SKIP_ATTENTION_E - 1),
					 value_words + from / SKIP_ATTENTION_E * SKIP_ATTENTION_V);
#endif
	for (uint j = 0; j < n; j++) SKIP_ATTENTION_TAKE_KEY(k + j * SKIP_ATTENTION_K_STRIDE, key_words + (SKIP_ATTENTION_P + j) * SKIP_ATTENTION_KW);
	for (uint i = keys * SKIP_ATTENTION_KW; i % (SKIP_ATTENTION_SUMS * SKIP_ATTENTION_KW); i++) key_words[i] = 0;
	for (; from < keys; from += SKIP_ATTENTION_E) {
#if SKIP_ATTENTION_P && SKIP_ATTENTION_P % SKIP_ATTENTION_E
		if (from < SKIP_ATTENTION_P) { /* the last of the prefix and the first of the sequence */
			SKIP_ATTENTION_FN(value)(SKIP_ATTENTION_PREFIX_VALUE(from), v, value_words + from / SKIP_ATTENTION_E * SKIP_ATTENTION_V);
			continue;
		}
#endif
		const uint second = min(from + 1, keys - 1);
		SKIP_ATTENTION_TAKE_VALUES(v + (from - SKIP_ATTENTION_P) * SKIP_ATTENTION_V_STRIDE, v + (second - SKIP_ATTENTION_P) * SKIP_ATTENTION_V_STRIDE,
					   value_words + from / SKIP_ATTENTION_E * SKIP_ATTENTION_V);
	}
#if SKIP_ATTENTION_AMX
	/* Words behind the last value are zeros in the values and in the weights: what is left in memory may be no number. */
	const uint word_rows = (keys + 1) / 2, tiled = SKIP_ATTENTION_WHOLE(word_rows, 16);
	__attribute__((aligned(64))) uint turned[SKIP_ATTENTION_ROWS * SKIP_ATTENTION_Y];
	for (uint i = word_rows * SKIP_ATTENTION_V; i < tiled * SKIP_ATTENTION_V; i++) value_words[i] = 0;
	SKIP_ATTENTION_FN(turn)(value_words, tiled, turned);
	const uint *values = turned;
	SKIP_ATTENTION_FN(shapes)();
#else
	const uint word_rows = (keys + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E;
	const uint *values = value_words;
#endif
	const uint start = SKIP_ATTENTION_ROWS_B ? b : first, rows = SKIP_ATTENTION_ROWS_B ? 1 : n;
	q += start * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK_IN;
	ctx += start * SKIP_ATTENTION_CTX_STRIDE + head * SKIP_ATTENTION_CTX_COLS;
	for (uint row = 0; row < rows; row += 2 * SKIP_ATTENTION_VEC) {
		SKIP_ATTENTION_F z[2 * SKIP_ATTENTION_KEYS], y[2 * SKIP_ATTENTION_Y], inverse[2];
		SKIP_ATTENTION_U words[2 * SKIP_ATTENTION_KW];
		const uint left = rows - row;
		const uint vectors = left > SKIP_ATTENTION_VEC ? 2 : 1;
		for (uint i = 0; i < vectors; i++)
			SKIP_ATTENTION_FN(queries)(q + (row + i * SKIP_ATTENTION_VEC) * SKIP_ATTENTION_Q_STRIDE, min(left - i * SKIP_ATTENTION_VEC, (uint)SKIP_ATTENTION_VEC),
						   words + i * SKIP_ATTENTION_KW);
		if (vectors == 2) {
			SKIP_ATTENTION_FN(scores_2)(key_words, keys, words, z);
		} else {
			SKIP_ATTENTION_FN(scores_1)(key_words, keys, words, z);
		}
		for (uint i = 0; i < vectors; i++) {
			inverse[i] = SKIP_ATTENTION_FN(softmax)(z + i * SKIP_ATTENTION_KEYS, keys);
#if SKIP_ATTENTION_AMX
			for (uint j = word_rows; j < tiled; j++) z[i * SKIP_ATTENTION_KEYS + j] = (SKIP_ATTENTION_F)(0.0f);
#endif
		}
		if (vectors == 2) {
			SKIP_ATTENTION_FN(mix_2)(values, word_rows, z, inverse, y);
		} else {
			SKIP_ATTENTION_FN(mix_1)(values, word_rows, z, inverse, y);
		}
		for (uint i = 0; i < vectors; i++)
			SKIP_ATTENTION_FN(put)(y + i * SKIP_ATTENTION_Y, min(left - i * SKIP_ATTENTION_VEC, (uint)SKIP_ATTENTION_VEC),
					       ctx + (row + i * SKIP_ATTENTION_VEC) * SKIP_ATTENTION_CTX_STRIDE);
	}
#if SKIP_ATTENTION_AMX
	__asm__ volatile("tilerelease" : : : "memory");
#endif
}

#undef SKIP_ATTENTION_FN
#undef SKIP_ATTENTION_F
#undef SKIP_ATTENTION_U
#undef SKIP_ATTENTION_AS_F
#undef SKIP_ATTENTION_AS_U
#undef SKIP_ATTENTION_EACH
#undef SKIP_ATTENTION_SUMS
#undef SKIP_ATTENTION_SCORES
#undef SKIP_ATTENTION_MIX
#undef SKIP_ATTENTION_CTX_STRIDE
#undef SKIP_ATTENTION_CTX_COLS
#undef SKIP_ATTENTION_OUT_BITS
#undef SKIP_ATTENTION_KW
#undef SKIP_ATTENTION_KEYS
#undef SKIP_ATTENTION_ROWS
#undef SKIP_ATTENTION_TILES
#undef SKIP_ATTENTION_TILE
#undef SKIP_ATTENTION_MANY
#undef SKIP_ATTENTION_HIGH
#undef SKIP_ATTENTION_NEAR
#undef SKIP_ATTENTION_PREFIX_VALUE
#undef SKIP_ATTENTION_TAKE_KEY
#undef SKIP_ATTENTION_TAKE_VALUES
#undef SKIP_ATTENTION_IN
#undef SKIP_ATTENTION_QK_IN
#undef SKIP_ATTENTION_V_IN
#undef SKIP_ATTENTION_WHOLE
#undef SKIP_ATTENTION_Y
#undef SKIP_ATTENTION_REST
#undef SKIP_ATTENTION_REST_16
#undef SKIP_ATTENTION_TILE_LOAD
#undef SKIP_ATTENTION_TILE_STORE
#undef SKIP_ATTENTION_TILE_ZERO
#undef SKIP_ATTENTION_TILE_DOT
#undef SKIP_ATTENTION_TILE_STEP
