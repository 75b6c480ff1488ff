/*
 * Gradients of attention with products in bfloat16: what BWD of cpu.cl does, VEC queries side by side. One work-item per head and sequence (dimensions 0,
 * 1): it rounds the keys and values once, into words, and takes all query blocks against them.
 *
 *   A = softmax of SCALE r(Q) r(Kt)^T, dA = r(dCtx) r(Vt)^T, dZ = A (dA - sum_j A_ij dA_ij)      r rounds to bfloat16; sums are float
 *   dVt = r(A)^T r(dCtx), dQ = SCALE r(dZ) r(Kt), dKt = SCALE r(dZ)^T r(Q); rows of the prefix are the sequence's part gk, gv of dPk, dPv
 *
 * E 2: words of two bfloat16, multiplied by vdpbf16ps: neighbouring columns for scores, neighbouring rows for sums over rows. E 1: words are floats that
 * hold a bfloat16. Keys behind the last, up to a whole tile, are zeros; so are the weights of lanes behind the last query.
 * H heads; QK, V: widths; P: prefix rows, 0 for none; S: most keys of a sequence, P included; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns of the values
 * that hold q, k, v and their gradients, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT 1: the prefix arguments
 * are [B][P][..]; DQ DK DV GK GV 0 or 1: which outputs are there.
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
#ifndef SKIP_ATTENTION_DQ
#error "SKIP_ATTENTION_DQ: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_DK
#error "SKIP_ATTENTION_DK: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_DV
#error "SKIP_ATTENTION_DV: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_GK
#error "SKIP_ATTENTION_GK: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_GV
#error "SKIP_ATTENTION_GV: 0 or 1"
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
/* Row lengths of the prefix and of ctx. */
#define SKIP_ATTENTION_K_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
#define SKIP_ATTENTION_TILE_KEYS 16 /* keys side by side */
#define SKIP_ATTENTION_MOST 16      /* columns of dq side by side */
#define SKIP_ATTENTION_KW ((SKIP_ATTENTION_QK + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E) /* words of a key */
#define SKIP_ATTENTION_KEYS ((SKIP_ATTENTION_S + SKIP_ATTENTION_TILE_KEYS - 1) / SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_TILE_KEYS)
#define SKIP_ATTENTION_ROWS (SKIP_ATTENTION_KEYS / SKIP_ATTENTION_E) /* word rows of the keys */
#define SKIP_ATTENTION_TILES ((SKIP_ATTENTION_QK + SKIP_ATTENTION_MOST - 1) / SKIP_ATTENTION_MOST)
#define SKIP_ATTENTION_TILE ((SKIP_ATTENTION_QK + SKIP_ATTENTION_TILES - 1) / SKIP_ATTENTION_TILES)
/* Where key and value j of a sequence are. */
#if SKIP_ATTENTION_P
#define SKIP_ATTENTION_KEY(j) ((j) < SKIP_ATTENTION_P ? pk + (j) * SKIP_ATTENTION_K_COLS : k + ((j) - SKIP_ATTENTION_P) * SKIP_ATTENTION_K_STRIDE)
#define SKIP_ATTENTION_VALUE(j) ((j) < SKIP_ATTENTION_P ? pv + (j) * SKIP_ATTENTION_V_COLS : v + ((j) - SKIP_ATTENTION_P) * SKIP_ATTENTION_V_STRIDE)
#else
#define SKIP_ATTENTION_KEY(j) (k + (j) * SKIP_ATTENTION_K_STRIDE)
#define SKIP_ATTENTION_VALUE(j) (v + (j) * SKIP_ATTENTION_V_STRIDE)
#endif
#define SKIP_ATTENTION_HIGH 0xffff0000u
/* To the nearest bfloat16, ties to even: its bits are the high half. */
#define SKIP_ATTENTION_NEAR(bits) ((bits) + 0x7fff + ((bits) >> 16 & 1))

#define SKIP_ATTENTION_SPREAD SKIP_PASTE(skip_lanes_spread_f, SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_VW ((SKIP_ATTENTION_V + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E) /* words of a value */
#define SKIP_ATTENTION_VECTORS(width) (((width) + SKIP_ATTENTION_VEC - 1) / SKIP_ATTENTION_VEC) /* that hold `width` columns */
#define SKIP_ATTENTION_OUTER 8 /* keys side by side in outer; divides TILE_KEYS */
#if SKIP_ATTENTION_E == 1
#define SKIP_ATTENTION_LW SKIP_ATTENTION_VEC /* words of the lanes of a vector */
#elif SKIP_ATTENTION_VEC == 16
#define SKIP_ATTENTION_LW 8
#elif SKIP_ATTENTION_VEC == 8
#define SKIP_ATTENTION_LW 4
#else
#define SKIP_ATTENTION_LW 2
#endif

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

/* The words of one row, for scores: its columns E at a time. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, key)(__global const float *row, uint width, uint *to)
{
	uint e = 0;
	for (; e + 16 <= width; e += 16) {
		const uint16 near = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, row + e)));
#if SKIP_ATTENTION_E == 2
		SKIP_AT(__private, uint, 8, 0, to + e / 2) = near.even >> 16 | (near.odd & SKIP_ATTENTION_HIGH);
#else
		SKIP_AT(__private, uint, 16, 0, to + e) = near & SKIP_ATTENTION_HIGH;
#endif
	}
	for (; e < width; e += SKIP_ATTENTION_E) {
		const float second = SKIP_ATTENTION_E == 2 && e + 1 < width ? row[e + 1] : 0.0f;
		to[e / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(word)(as_uint(row[e]), as_uint(second));
	}
}

/* The words of E rows, for sums over rows: the same column of each. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, value)(__global const float *first, __global const float *second, uint width, uint *to)
{
	uint e = 0;
	for (; e + 16 <= width; e += 16) {
		const uint16 low = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, first + e)));
#if SKIP_ATTENTION_E == 2
		const uint16 high = SKIP_ATTENTION_NEAR(as_uint16(SKIP_AT(__global const, float, 16, 0, second + e)));
		SKIP_AT(__private, uint, 16, 0, to + e) = low >> 16 | (high & SKIP_ATTENTION_HIGH);
#else
		SKIP_AT(__private, uint, 16, 0, to + e) = low & SKIP_ATTENTION_HIGH;
#endif
	}
	for (; e < width; e++) to[e] = SKIP_ATTENTION_FN(word)(as_uint(first[e]), as_uint(second[e]));
}

/* The words of VEC rows, a lane each: columns E at a time. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, query)(__global const float *x, uint stride, uint width, uint rows, SKIP_ATTENTION_U *to)
{
	SKIP_ATTENTION_F lanes[(SKIP_ATTENTION_QK > SKIP_ATTENTION_V ? SKIP_ATTENTION_QK : SKIP_ATTENTION_V) + 1];
	SKIP_PASTE(skip_lanes_load_f, SKIP_ATTENTION_VEC)(x, stride, width, rows, (SKIP_ATTENTION_F)(1.0f), lanes);
	lanes[width] = (SKIP_ATTENTION_F)(0.0f);
	for (uint e = 0; e < width; e += SKIP_ATTENTION_E) to[e / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(words)(lanes[e], lanes[e + SKIP_ATTENTION_E - 1]);
}

/* Scores of all keys, in tiles; a key has `width` words. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, scores)(const uint *keys, uint n, uint width, const SKIP_ATTENTION_U *x, SKIP_ATTENTION_F *z)
{
	for (uint j = 0; j < n; j += SKIP_ATTENTION_TILE_KEYS, keys += SKIP_ATTENTION_TILE_KEYS * width) {
		SKIP_ATTENTION_F sum[SKIP_ATTENTION_TILE_KEYS];
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) sum[i] = (SKIP_ATTENTION_F)(0.0f);
		for (uint e = 0; e < width; e++) {
			const SKIP_ATTENTION_U lanes = x[e];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], keys[i * width + e], lanes);
		}
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE_KEYS) z[j + i] = sum[i];
	}
}

/* y[e] = factor * sum_j weight j * column e of row j. The last tile of columns ends with the row. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, mix)(const uint *row, uint rows, const SKIP_ATTENTION_U *a, SKIP_ATTENTION_F factor, SKIP_ATTENTION_F *y)
{
	for (uint from = 0; from < SKIP_ATTENTION_QK; from += SKIP_ATTENTION_TILE) {
		const uint e = min(from, (uint)(SKIP_ATTENTION_QK - SKIP_ATTENTION_TILE));
		SKIP_ATTENTION_F sum[SKIP_ATTENTION_TILE];
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) sum[i] = (SKIP_ATTENTION_F)(0.0f);
		for (uint j = 0; j < rows; j++) {
			const SKIP_ATTENTION_U lanes = a[j];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], row[j * SKIP_ATTENTION_QK + e + i], lanes);
		}
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE) y[e + i] = sum[i] * factor;
	}
}

/* The words of a vector: neighbouring lanes. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, lanes)(SKIP_ATTENTION_F x, uint *to)
{
	const SKIP_ATTENTION_U near = SKIP_ATTENTION_NEAR(SKIP_ATTENTION_AS_U(x));
#if SKIP_ATTENTION_E == 2
	SKIP_AT(__private, uint, SKIP_ATTENTION_LW, 0, to) = near.even >> 16 | (near.odd & SKIP_ATTENTION_HIGH);
#else
	SKIP_AT(__private, uint, SKIP_ATTENTION_LW, 0, to) = near & SKIP_ATTENTION_HIGH;
#endif
}

/* `rows` rows of x as words of E rows, in whole vectors. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, block)(__global const float *x, uint stride, uint width, uint rows, uint *to)
{
	for (uint r = 0; r < rows; r += SKIP_ATTENTION_E, to += SKIP_ATTENTION_VECTORS(width) * SKIP_ATTENTION_VEC) {
		SKIP_ATTENTION_FN(value)(x + r * stride, x + min(r + 1, rows - 1) * stride, width, to);
		for (uint e = width; e < SKIP_ATTENTION_VECTORS(width) * SKIP_ATTENTION_VEC; e++) to[e] = 0;
	}
}

/* sums[j][c] (+)= sum_r weight[j] lane r * row r of `block`, whose rows take `n` words. Keys are taken OUTER at a time: sums reach behind `keys`. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, outer)(const SKIP_ATTENTION_F *weight, const uint *block, uint vectors, uint n, uint keys, uint add,
							 SKIP_ATTENTION_F *sums)
{
	for (uint j = 0; j < keys; j += SKIP_ATTENTION_OUTER) {
		uint words[SKIP_ATTENTION_OUTER * SKIP_ATTENTION_LW];
		SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) SKIP_ATTENTION_FN(lanes)(weight[j + i], words + i * SKIP_ATTENTION_LW);
		for (uint c = 0; c < vectors; c++) {
			SKIP_ATTENTION_F *to = sums + j * vectors + c, sum[SKIP_ATTENTION_OUTER];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) sum[i] = add ? to[i * vectors] : (SKIP_ATTENTION_F)(0.0f);
			for (uint r = 0; r < n; r++) {
				const SKIP_ATTENTION_U cols = SKIP_AT(__private const, uint, SKIP_ATTENTION_VEC, r * vectors + c, block);
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) sum[i] = SKIP_ATTENTION_FN(dot)(sum[i], words[i * SKIP_ATTENTION_LW + r], cols);
			}
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) to[i * vectors] = sum[i];
		}
	}
}

/* Scores become A, dA becomes dZ; both are 0 in lanes where `real` is. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, slopes)(SKIP_ATTENTION_F *a, SKIP_ATTENTION_F *dz, uint keys, SKIP_ATTENTION_F real)
{
	SKIP_ATTENTION_F largest = a[0], sum = (SKIP_ATTENTION_F)(0.0f), delta = sum;
	for (uint j = 1; j < keys; j++) largest = a[j] > largest ? a[j] : largest;
	for (uint j = 0; j < keys; j++) {
		a[j] = SKIP_PASTE(skip_exp_f, SKIP_ATTENTION_VEC)((a[j] - largest) * SKIP_ATTENTION_SCALE);
		sum += a[j];
		delta = fma(a[j], dz[j], delta);
	}
	const SKIP_ATTENTION_F inverse = real / sum;
	delta *= inverse;
	for (uint j = 0; j < keys; j++) {
		a[j] *= inverse;
		dz[j] = a[j] * (dz[j] - delta);
	}
}

SKIP_KERNEL(SKIP_ATTENTION_GROUP) void SKIP_ATTENTION_NAME(
	SKIP_ITEM
	__global const float *restrict q,    /* [T or B][Q_STRIDE] */
	__global const float *restrict k,    /* [T][K_STRIDE] */
	__global const float *restrict v,    /* [T][V_STRIDE] */
	__global const float *restrict dctx, /* [T or B][H*V] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK], DROPOUT: [B][P][H*QK] */
	__global const float *restrict pv, /* [P][H*V], DROPOUT: [B][P][H*V] */
#endif
#if SKIP_ATTENTION_DQ
	__global float *restrict dq, /* [T or B][Q_STRIDE] */
#endif
#if SKIP_ATTENTION_DK
	__global float *restrict dk, /* [T][K_STRIDE] */
#endif
#if SKIP_ATTENTION_DV
	__global float *restrict dv, /* [T][V_STRIDE] */
#endif
#if SKIP_ATTENTION_GK
	__global float *restrict gk, /* [B][P][H*QK], rows 0..P-1 of dKt */
#endif
#if SKIP_ATTENTION_GV
	__global float *restrict gv, /* [B][P][H*V], rows 0..P-1 of dVt */
#endif
	__global const int *restrict offset) /* [B+1] */
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P);
	const uint head = SKIP_ID(0), b = SKIP_ID(1);
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first, keys = SKIP_ATTENTION_P + n;
	const uint column = head * SKIP_ATTENTION_QK, column_v = head * SKIP_ATTENTION_V;
	const uint first_query = SKIP_ATTENTION_ROWS_B ? b : first, queries = SKIP_ATTENTION_ROWS_B ? 1 : n;
	uint key_words[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_KW], value_words[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_VW];
	q += first_query * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + column;
	k += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + column;
	v += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + column_v;
	dctx += first_query * SKIP_ATTENTION_V_COLS + column_v;
#if SKIP_ATTENTION_P
	pk += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_K_COLS) : 0) + column;
	pv += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_V_COLS) : 0) + column_v;
#endif
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_FN(key)(SKIP_ATTENTION_KEY(j), SKIP_ATTENTION_QK, key_words + j * SKIP_ATTENTION_KW);
		SKIP_ATTENTION_FN(key)(SKIP_ATTENTION_VALUE(j), SKIP_ATTENTION_V, value_words + j * SKIP_ATTENTION_VW);
	}
	for (uint i = keys * SKIP_ATTENTION_KW; i % (SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_KW); i++) key_words[i] = 0;
	for (uint i = keys * SKIP_ATTENTION_VW; i % (SKIP_ATTENTION_TILE_KEYS * SKIP_ATTENTION_VW); i++) value_words[i] = 0;
#if SKIP_ATTENTION_DQ
	uint key_rows[SKIP_ATTENTION_ROWS * SKIP_ATTENTION_QK];
	for (uint j = 0; j < keys; j += SKIP_ATTENTION_E) {
		const uint second = min(j + 1, keys - 1);
		SKIP_ATTENTION_FN(value)(SKIP_ATTENTION_KEY(j), SKIP_ATTENTION_KEY(second), SKIP_ATTENTION_QK, key_rows + j / SKIP_ATTENTION_E * SKIP_ATTENTION_QK);
	}
	dq += first_query * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + column;
#endif
#if SKIP_ATTENTION_DK || SKIP_ATTENTION_GK
	SKIP_ATTENTION_F sum_k[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK)];
#endif
#if SKIP_ATTENTION_DV || SKIP_ATTENTION_GV
	SKIP_ATTENTION_F sum_v[SKIP_ATTENTION_KEYS * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V)];
#endif
	for (uint i = 0; i < queries; i += SKIP_ATTENTION_VEC) {
		SKIP_ATTENTION_F real, a[SKIP_ATTENTION_KEYS], dz[SKIP_ATTENTION_KEYS]; /* real: 1 in lanes that are queries */
		SKIP_ATTENTION_U words[SKIP_ATTENTION_KW], g_words[SKIP_ATTENTION_VW];
		const uint rows = min((uint)SKIP_ATTENTION_VEC, queries - i), n_words = (rows + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E;
		for (uint r = 0; r < SKIP_ATTENTION_VEC; r++) ((float *)&real)[r] = r < rows ? 1.0f : 0.0f;
		SKIP_ATTENTION_FN(query)(q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, words);
		SKIP_ATTENTION_FN(query)(dctx, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_V, rows, g_words);
		SKIP_ATTENTION_FN(scores)(key_words, keys, SKIP_ATTENTION_KW, words, a);
		SKIP_ATTENTION_FN(scores)(value_words, keys, SKIP_ATTENTION_VW, g_words, dz);
		SKIP_ATTENTION_FN(slopes)(a, dz, keys, real);
		for (uint j = keys; j % SKIP_ATTENTION_TILE_KEYS; j++) a[j] = dz[j] = (SKIP_ATTENTION_F)(0.0f);
#if SKIP_ATTENTION_DK || SKIP_ATTENTION_GK
		uint q_rows[SKIP_ATTENTION_LW * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK) * SKIP_ATTENTION_VEC];
		SKIP_ATTENTION_FN(block)(q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, q_rows);
		SKIP_ATTENTION_FN(outer)(dz, q_rows, SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK), n_words, SKIP_ATTENTION_DK ? keys : SKIP_ATTENTION_P, i, sum_k);
#endif
#if SKIP_ATTENTION_DV || SKIP_ATTENTION_GV
		uint g_rows[SKIP_ATTENTION_LW * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V) * SKIP_ATTENTION_VEC];
		SKIP_ATTENTION_FN(block)(dctx, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_V, rows, g_rows);
		SKIP_ATTENTION_FN(outer)(a, g_rows, SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V), n_words, SKIP_ATTENTION_DV ? keys : SKIP_ATTENTION_P, i, sum_v);
#endif
#if SKIP_ATTENTION_DQ
		SKIP_ATTENTION_F y[SKIP_ATTENTION_QK];
		SKIP_ATTENTION_U dz_words[SKIP_ATTENTION_ROWS];
		for (uint j = 0; j < keys; j += SKIP_ATTENTION_E) dz_words[j / SKIP_ATTENTION_E] = SKIP_ATTENTION_FN(words)(dz[j], dz[j + SKIP_ATTENTION_E - 1]);
		SKIP_ATTENTION_FN(mix)(key_rows, (keys + SKIP_ATTENTION_E - 1) / SKIP_ATTENTION_E, dz_words, (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE), y);
		SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)(y, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, dq);
		dq += SKIP_ATTENTION_VEC * SKIP_ATTENTION_Q_STRIDE;
#endif
		q += SKIP_ATTENTION_VEC * SKIP_ATTENTION_Q_STRIDE;
		dctx += SKIP_ATTENTION_VEC * SKIP_ATTENTION_V_COLS;
	}
#if SKIP_ATTENTION_DK
	dk += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + column;
	SKIP_ATTENTION_SPREAD(sum_k + SKIP_ATTENTION_P * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK), n, SKIP_ATTENTION_QK, SKIP_ATTENTION_SCALE,
			      SKIP_ATTENTION_K_STRIDE, dk);
#endif
#if SKIP_ATTENTION_DV
	dv += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + column_v;
	SKIP_ATTENTION_SPREAD(sum_v + SKIP_ATTENTION_P * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V), n, SKIP_ATTENTION_V, 1.0f, SKIP_ATTENTION_V_STRIDE, dv);
#endif
#if SKIP_ATTENTION_GK
	SKIP_ATTENTION_SPREAD(sum_k, SKIP_ATTENTION_P, SKIP_ATTENTION_QK, SKIP_ATTENTION_SCALE, SKIP_ATTENTION_K_COLS,
			      gk + b * (SKIP_ATTENTION_P * SKIP_ATTENTION_K_COLS) + column);
#endif
#if SKIP_ATTENTION_GV
	SKIP_ATTENTION_SPREAD(sum_v, SKIP_ATTENTION_P, SKIP_ATTENTION_V, 1.0f, SKIP_ATTENTION_V_COLS,
			      gv + b * (SKIP_ATTENTION_P * SKIP_ATTENTION_V_COLS) + column_v);
#endif
}

#undef SKIP_ATTENTION_FN
#undef SKIP_ATTENTION_F
#undef SKIP_ATTENTION_U
#undef SKIP_ATTENTION_AS_F
#undef SKIP_ATTENTION_AS_U
#undef SKIP_ATTENTION_EACH
#undef SKIP_ATTENTION_K_COLS
#undef SKIP_ATTENTION_V_COLS
#undef SKIP_ATTENTION_TILE_KEYS
#undef SKIP_ATTENTION_MOST
#undef SKIP_ATTENTION_KW
#undef SKIP_ATTENTION_KEYS
#undef SKIP_ATTENTION_ROWS
#undef SKIP_ATTENTION_TILES
#undef SKIP_ATTENTION_TILE
#undef SKIP_ATTENTION_HIGH
#undef SKIP_ATTENTION_NEAR
#undef SKIP_ATTENTION_KEY
#undef SKIP_ATTENTION_VALUE
#undef SKIP_ATTENTION_SPREAD
#undef SKIP_ATTENTION_VW
#undef SKIP_ATTENTION_VECTORS
#undef SKIP_ATTENTION_OUTER
#undef SKIP_ATTENTION_LW
