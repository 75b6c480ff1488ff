/*
 * Attention with products in bfloat16, VEC queries side by side as in cpu.cl. One work-item per sequence and head (dimensions 0, 1): it rounds the keys
 * and values once, into words, and takes all query blocks against them.
 *
 *   Z = SCALE r(Q) r(Kt)^T, A_ij = exp(Z_ij - max_j Z_ij), Ctx = r(A) r(Vt) / sum_j A_ij      r rounds to bfloat16; sums are float
 *
 * E 2: words of two bfloat16, multiplied by vdpbf16ps: neighbouring columns of a key, the same column of two neighbouring values. E 1: words are
 * floats that hold a bfloat16. Keys behind the last, up to a whole tile, are zeros whose scores nobody reads; values behind it have weight 0.
 * H heads; QK, V: widths; P: prefix rows, 0 for none; S: most keys of a sequence, P included; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns of the values
 * that hold q, k, v, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT 1: the prefix arguments are [B][P][..].
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
#if SKIP_ATTENTION_E == 2 && !(defined(__x86_64__) && defined(__AVX512F__))
#error "assembly of x86-64 with AVX-512: this device has it not"
#endif

#define SKIP_ATTENTION_FN(name) SKIP_JOIN(SKIP_ATTENTION_NAME, name)
#define SKIP_ATTENTION_F SKIP_PASTE(float, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_U SKIP_PASTE(uint, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_AS_F SKIP_PASTE(as_float, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_AS_U SKIP_PASTE(as_uint, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_EACH(i, count) SKIP_UNROLL(count) for (uint i = 0; i < (count); i++)
#define SKIP_ATTENTION_TILE_KEYS 16 /* keys side by side */
#define SKIP_ATTENTION_MOST 16      /* columns of ctx side by side */
#define SKIP_ATTENTION_KW ((SKIP_ATTENTION_QK + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E) /* words of a key */
#define SKIP_ATTENTION_KEYS ((SKIP_ATTENTION_S + SKIP_ATTENTION_TILE_KEYS - 1) / SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_TILE_KEYS)
#define SKIP_ATTENTION_ROWS (SKIP_ATTENTION_KEYS / SKIP_ATTENTION_E) /* word rows of the values */
#define SKIP_ATTENTION_TILES ((SKIP_ATTENTION_V + SKIP_ATTENTION_MOST - 1) / SKIP_ATTENTION_MOST)
#define SKIP_ATTENTION_TILE ((SKIP_ATTENTION_V + SKIP_ATTENTION_TILES - 1) / SKIP_ATTENTION_TILES)
#define SKIP_ATTENTION_HIGH 0xffff0000u
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
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, key)(__global const float *row, uint *to)
{
	uint e = 0;
	for (; e + 16 <= SKIP_ATTENTION_QK; e += 16) {
		const uint16 near = SKIP_ATTENTION_NEAR(as_uint16(vload16(0, row + e)));
#if SKIP_ATTENTION_E == 2
		vstore8(near.even >> 16 | (near.odd & SKIP_ATTENTION_HIGH), 0, to + e / 2);
#else
		vstore16(near & SKIP_ATTENTION_HIGH, 0, to + e);
#endif
	}
	for (; e < SKIP_ATTENTION_QK; e += SKIP_ATTENTION_E) {
		const float second = SKIP_ATTENTION_E == 2 && e + 1 < SKIP_ATTENTION_QK ? row[e + 1] : 0.0f;
		to[e / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(word)(as_uint(row[e]), as_uint(second));
	}
}

/* The words of E values: the same column of each. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, value)(__global const float *first, __global const float *second, uint *to)
{
	uint e = 0;
	for (; e + 16 <= SKIP_ATTENTION_V; e += 16) {
		const uint16 low = SKIP_ATTENTION_NEAR(as_uint16(vload16(0, first + e)));
#if SKIP_ATTENTION_E == 2
		const uint16 high = SKIP_ATTENTION_NEAR(as_uint16(vload16(0, second + e)));
		vstore16(low >> 16 | (high & SKIP_ATTENTION_HIGH), 0, to + e);
#else
		vstore16(low & SKIP_ATTENTION_HIGH, 0, to + e);
#endif
	}
	for (; e < SKIP_ATTENTION_V; e++) to[e] = SKIP_ATTENTION_FN(word)(as_uint(first[e]), as_uint(second[e]));
}

/* Scores of all keys, in tiles. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, scores)(const uint *keys, uint n, const SKIP_ATTENTION_U *x, SKIP_ATTENTION_F *z)
{
	for (uint j = 0; j < n; j += SKIP_ATTENTION_TILE_KEYS, keys += SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_KW) {
		SKIP_ATTENTION_F sum[SKIP_ATTENTION_TILE_KEYS];
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) sum[i] = (SKIP_ATTENTION_F)(0.0f);
		for (uint e = 0; e < SKIP_ATTENTION_KW; e++) {
			const SKIP_ATTENTION_U lanes = x[e];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], keys[i * SKIP_ATTENTION_KW + e], lanes);
		}
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) z[j + i] = sum[i];
	}
}

/* Scores become words of weights; what comes back is 1 / the sum of the weights. */
static inline SKIP_ATTENTION_F SKIP_JOIN(SKIP_ATTENTION_NAME, softmax)(const SKIP_ATTENTION_F *z, uint keys, SKIP_ATTENTION_U *a)
{
	SKIP_ATTENTION_F largest = z[0], sum = (SKIP_ATTENTION_F)(0.0f), second = sum;
	for (uint j = 1; j < keys; j++) largest = z[j] > largest ? z[j] : largest;
	for (uint j = 0; j < keys; j += SKIP_ATTENTION_E) {
		const SKIP_ATTENTION_F first = SKIP_PASTE(skip_exp_f, SKIP_ATTENTION_VEC)((z[j] - largest) * SKIP_ATTENTION_SCALE);
		sum += first;
#if SKIP_ATTENTION_E == 2
		second = (SKIP_ATTENTION_F)(0.0f);
		if (j + 1 < keys) second = SKIP_PASTE(skip_exp_f, SKIP_ATTENTION_VEC)((z[j + 1] - largest) * SKIP_ATTENTION_SCALE);
		sum += second;
#endif
		a[j / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(words)(first, second);
	}
	return 1.0f / sum;
}

/* y[e] = factor * sum_j weight j * column e of value j. The last tile of columns ends with the row. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, mix)(const uint *values, uint rows, const SKIP_ATTENTION_U *a, SKIP_ATTENTION_F factor,
						       SKIP_ATTENTION_F *y)
{
	for (uint from = 0; from < SKIP_ATTENTION_V; from += SKIP_ATTENTION_TILE) {
		const uint e = min(from, (uint)(SKIP_ATTENTION_V - SKIP_ATTENTION_TILE));
		const uint *row = values + e;
		SKIP_ATTENTION_F sum[SKIP_ATTENTION_TILE];
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) sum[i] = (SKIP_ATTENTION_F)(0.0f);
		for (uint j = 0; j < rows; j++, row += SKIP_ATTENTION_V) {
			const SKIP_ATTENTION_U lanes = a[j];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], row[i], lanes);
		}
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) y[e + i] = sum[i] * factor;
	}
}

__kernel __attribute__((reqd_work_group_size(SKIP_ATTENTION_GROUP))) void SKIP_ATTENTION_NAME(
	__global const float *restrict q, /* [T or B][Q_STRIDE] */
	__global const float *restrict k, /* [T][K_STRIDE] */
	__global const float *restrict v, /* [T][V_STRIDE] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK], DROPOUT: [B][P][H*QK] */
	__global const float *restrict pv, /* [P][H*V], DROPOUT: [B][P][H*V] */
#endif
	__global const int *restrict offset, /* [B+1] */
	__global float *restrict ctx) /* [T or B][H*V] */
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P);
	const uint b = (uint)get_global_id(0), head = (uint)get_global_id(1);
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first, keys = SKIP_ATTENTION_P + n;
	uint key_words[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_KW], value_words[SKIP_ATTENTION_ROWS * SKIP_ATTENTION_V];
	k += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + head * SKIP_ATTENTION_QK;
	v += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + head * SKIP_ATTENTION_V;
#if SKIP_ATTENTION_P
	pk += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_H * SKIP_ATTENTION_QK) : 0) + head * SKIP_ATTENTION_QK;
	pv += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_H * SKIP_ATTENTION_V) : 0) + head * SKIP_ATTENTION_V;
#define SKIP_ATTENTION_VALUE(j)                                                                                                             \
	((j) < SKIP_ATTENTION_P ? pv + (j) * (SKIP_ATTENTION_H * SKIP_ATTENTION_V) : v + ((j) - SKIP_ATTENTION_P) * SKIP_ATTENTION_V_STRIDE)
	for (uint j = 0; j < SKIP_ATTENTION_P; j++)
		SKIP_ATTENTION_FN(key)(pk + j * (SKIP_ATTENTION_H * SKIP_ATTENTION_QK), key_words + j * SKIP_ATTENTION_KW);
#else
#define SKIP_ATTENTION_VALUE(j) (v + (j) * SKIP_ATTENTION_V_STRIDE)
#endif
	for (uint j = 0; j < n; j++)
		SKIP_ATTENTION_FN(key)(k + j * SKIP_ATTENTION_K_STRIDE, key_words + (SKIP_ATTENTION_P + j) * SKIP_ATTENTION_KW);
	for (uint i = keys * SKIP_ATTENTION_KW; i % (SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_KW); i++) key_words[i] = 0;
	for (uint j = 0; j < keys; j += SKIP_ATTENTION_E) {
		const uint second = min(j + 1, keys - 1);
		SKIP_ATTENTION_FN(value)(SKIP_ATTENTION_VALUE(j), SKIP_ATTENTION_VALUE(second), value_words + j / SKIP_ATTENTION_E * SKIP_ATTENTION_V);
	}
	const uint start = SKIP_ATTENTION_ROWS_B ? b : first, rows = SKIP_ATTENTION_ROWS_B ? 1 : n;
	for (uint row = 0; row < rows; row += SKIP_ATTENTION_VEC) {
		SKIP_ATTENTION_F x[SKIP_ATTENTION_QK + 1], z[SKIP_ATTENTION_KEYS], y[SKIP_ATTENTION_V];
		SKIP_ATTENTION_U words[SKIP_ATTENTION_KW], a[SKIP_ATTENTION_ROWS];
		const uint count = min(rows - row, (uint)SKIP_ATTENTION_VEC);
		SKIP_PASTE(skip_lanes_load_f, SKIP_ATTENTION_VEC)(q + (start + row) * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK,
			SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, count, (SKIP_ATTENTION_F)(1.0f), x);
		x[SKIP_ATTENTION_QK] = (SKIP_ATTENTION_F)(0.0f);
		for (uint e = 0; e < SKIP_ATTENTION_KW; e++) words[e] = SKIP_ATTENTION_FN(words)(x[SKIP_ATTENTION_E * e], x[SKIP_ATTENTION_E * e + SKIP_ATTENTION_E - 1]);
		SKIP_ATTENTION_FN(scores)(key_words, keys, words, z);
		const SKIP_ATTENTION_F inverse = SKIP_ATTENTION_FN(softmax)(z, keys, a);
		SKIP_ATTENTION_FN(mix)(value_words, (keys + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E, a, inverse, y);
		SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)(y, SKIP_ATTENTION_H * SKIP_ATTENTION_V, SKIP_ATTENTION_V, count,
			ctx + (start + row) * (SKIP_ATTENTION_H * SKIP_ATTENTION_V) + head * SKIP_ATTENTION_V);
	}
}

#undef SKIP_ATTENTION_FN
#undef SKIP_ATTENTION_F
#undef SKIP_ATTENTION_U
#undef SKIP_ATTENTION_AS_F
#undef SKIP_ATTENTION_AS_U
#undef SKIP_ATTENTION_EACH
#undef SKIP_ATTENTION_TILE_KEYS
#undef SKIP_ATTENTION_MOST
#undef SKIP_ATTENTION_KW
#undef SKIP_ATTENTION_KEYS
#undef SKIP_ATTENTION_ROWS
#undef SKIP_ATTENTION_TILES
#undef SKIP_ATTENTION_TILE
#undef SKIP_ATTENTION_HIGH
#undef SKIP_ATTENTION_NEAR
#undef SKIP_ATTENTION_VALUE
