/*
 * Attention of packed sequences with a prefix, VEC queries side by side: a vector holds one number of VEC query rows (its lanes), so keys
 * and values are read in place as scalars, any head width is whole, and the softmax needs no sums across lanes and no padding. Lanes
 * behind the last query of a block repeat it, or carry zeros where they would reach a sum.
 *
 *   Z = SCALE Q Kt^T, A = softmax of the rows of Z, Ctx = A Vt      per sequence and head; Kt = [Pk; K_b], Vt = [Pv; V_b]
 *   dVt = A^T dCtx, dA = dCtx Vt^T, delta_i = sum_j A_ij dA_ij, dZ = A (dA - delta), dQ = SCALE dZ Kt, dKt = SCALE dZ^T Q
 *
 * Kernels:
 *   MAIN    ctx. One work-item per query block and head (dimensions 0, 1); with ROWS_B per sequence and head
 *   BWD     dq, dk, dv, each sequence's part gk, gv of dPk, dPv, and dslots. One work-item per head and sequence (dimensions 0, 1)
 *
 * H heads; QK, V: widths; P: prefix rows, 0 for none; S: most keys of a sequence, P included; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns
 * of the values that hold q, k, v and their gradients, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence;
 * DROPOUT 1: the prefix arguments are [B][P][..] as PREFIX of prefix.cl made them.
 * CAUSAL 1: tokens see no token behind them; WINDOW w > 0: none more than w places away, 0: any; LAST 1: with ROWS_B the query stands at the last place
 * of its sequence, 0: at the first. Every query sees the prefix.
 * BIAS, RK, RQ 0 or 1: tables by distance are there, N their longest sequence. Of a token at distance d = query - key, c = d + N-1:
 *   Z = SCALE (q . k + q . Rk[.][c] + k . Rq[.][c]) + bias[h][c]
 * SLOTS 1: slots [P] is added to the scores of the prefix rows.
 * BWD: DQ DK DV GK GV GS 0 or 1: which outputs are there.
 */
#ifndef SKIP_ATTENTION_P
#error "SKIP_ATTENTION_P: prefix rows"
#endif
#ifndef SKIP_ATTENTION_VEC
#error "SKIP_ATTENTION_VEC: lanes, 4, 8 or 16"
#endif
#ifndef SKIP_ATTENTION_DROPOUT
#error "SKIP_ATTENTION_DROPOUT: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_H
#error "SKIP_ATTENTION_H: heads"
#endif
#ifndef SKIP_ATTENTION_QK
#error "SKIP_ATTENTION_QK: columns per head of q and k"
#endif
#ifndef SKIP_ATTENTION_V
#error "SKIP_ATTENTION_V: columns per head of v"
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
#ifndef SKIP_ATTENTION_CAUSAL
#error "SKIP_ATTENTION_CAUSAL: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_WINDOW
#error "SKIP_ATTENTION_WINDOW: places a query sees on each side, 0 for all"
#endif
#ifndef SKIP_ATTENTION_LAST
#error "SKIP_ATTENTION_LAST: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_BIAS
#error "SKIP_ATTENTION_BIAS: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_RK
#error "SKIP_ATTENTION_RK: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_RQ
#error "SKIP_ATTENTION_RQ: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_N
#error "SKIP_ATTENTION_N: longest sequence of the tables"
#endif
#ifndef SKIP_ATTENTION_SLOTS
#error "SKIP_ATTENTION_SLOTS: 0 or 1"
#endif
#ifdef SKIP_ATTENTION_KERNEL_BWD
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
#ifndef SKIP_ATTENTION_GS
#error "SKIP_ATTENTION_GS: 0 or 1"
#endif
#endif

#define SKIP_ATTENTION_FN(name) SKIP_JOIN(SKIP_ATTENTION_NAME, name)
#define SKIP_ATTENTION_F SKIP_PASTE(float, SKIP_ATTENTION_VEC)
/* Row lengths of the prefix and of ctx. */
#define SKIP_ATTENTION_K_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
/* Place of a query row in its sequence of n tokens; the tokens low .. end - 1 that queries from `place` to `last` see some of. */
#if SKIP_ATTENTION_ROWS_B
#define SKIP_ATTENTION_PLACE(row, first, n) (SKIP_ATTENTION_LAST ? (n) - 1 : 0)
#else
#define SKIP_ATTENTION_PLACE(row, first, n) ((row) - (first))
#endif
#define SKIP_ATTENTION_LOW(place) (SKIP_ATTENTION_WINDOW ? (place) - min((uint)(place), (uint)SKIP_ATTENTION_WINDOW) : 0)
#define SKIP_ATTENTION_END(last, n)                                                                                                       \
	(SKIP_ATTENTION_CAUSAL ? (last) + 1 : SKIP_ATTENTION_WINDOW ? min((uint)(n), (uint)((last) + SKIP_ATTENTION_WINDOW + 1)) : (n))
/* Number of a table in row `row` at a distance. */
#define SKIP_ATTENTION_TABLE(row, away) ((uint)((int)((row) * (2 * SKIP_ATTENTION_N - 1) + SKIP_ATTENTION_N - 1) + (away)))
/* Whether scores depend on places. */
#define SKIP_ATTENTION_PLACES (SKIP_ATTENTION_CAUSAL || SKIP_ATTENTION_WINDOW || SKIP_ATTENTION_BIAS || SKIP_ATTENTION_RK || SKIP_ATTENTION_RQ)
#define SKIP_ATTENTION_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ATTENTION_VEC, i, p)
#define SKIP_ATTENTION_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ATTENTION_VEC, i, p) = (v)

/* Vector accumulators side by side: MOST is what the registers hold, MANY the usual tile of keys. 512-bit lanes come with 32 registers. */
#if SKIP_ATTENTION_VEC == 16
#define SKIP_ATTENTION_MOST 24
#define SKIP_ATTENTION_MANY 16
#elif SKIP_ATTENTION_VEC == 8
#define SKIP_ATTENTION_MOST 12
#define SKIP_ATTENTION_MANY 12
#else
#define SKIP_ATTENTION_MOST 12
#define SKIP_ATTENTION_MANY 12
#endif
#define SKIP_ATTENTION_UNSEEN -1e30f /* the score of a key without weight */
#define SKIP_ATTENTION_EACH(i, count) SKIP_UNROLL(count) for (uint i = 0; i < (count); i++)

/* out[j] = sum_e rows[j][e] x[e] in order of e, for `count` rows at a time. */
#define SKIP_ATTENTION_DOTS(name, count)                                                                                                  \
	static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(__global const float *rows, uint stride, uint width,                      \
								const SKIP_ATTENTION_F *x, SKIP_ATTENTION_F *out)                         \
	{                                                                                                                                 \
		SKIP_ATTENTION_F sum[count];                                                                                              \
		SKIP_ATTENTION_EACH(i, count) sum[i] = (SKIP_ATTENTION_F)(0.0f);                                                          \
		for (uint e = 0; e < width; e++, rows++) {                                                                                \
			const SKIP_ATTENTION_F lanes = x[e];                                                                              \
			SKIP_ATTENTION_EACH(i, count) sum[i] = fma((SKIP_ATTENTION_F)(rows[i * stride]), lanes, sum[i]);                  \
		}                                                                                                                         \
		SKIP_ATTENTION_EACH(i, count) out[i] = sum[i];                                                                            \
	}
SKIP_ATTENTION_DOTS(dots_many, SKIP_ATTENTION_MANY)
SKIP_ATTENTION_DOTS(dots_four, 4)
SKIP_ATTENTION_DOTS(dots_one, 1)

SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, dots)(__global const float *rows, uint stride, uint n, uint width,
							const SKIP_ATTENTION_F *x, SKIP_ATTENTION_F *out)
{
	uint j = 0;
	for (; j + SKIP_ATTENTION_MANY <= n; j += SKIP_ATTENTION_MANY)
		SKIP_ATTENTION_FN(dots_many)(rows + j * stride, stride, width, x, out + j);
	if (n >= 4) {
		for (; j < n; j += 4) { /* the last four end with the rows and repeat what is there */
			const uint i = min(j, n - 4);
			SKIP_ATTENTION_FN(dots_four)(rows + i * stride, stride, width, x, out + i);
		}
	} else {
		for (; j < n; j++) SKIP_ATTENTION_FN(dots_one)(rows + j * stride, stride, width, x, out + j);
	}
}

/* A tile of columns that divides `width` into equal parts, nearly. */
#define SKIP_ATTENTION_TILES(width) (((width) + SKIP_ATTENTION_MOST - 1) / SKIP_ATTENTION_MOST)
#define SKIP_ATTENTION_TILE(width) (((width) + SKIP_ATTENTION_TILES(width) - 1) / SKIP_ATTENTION_TILES(width))
/* out[e] = factor * sum_j weight[j] rows[j][e] over the P prefix rows, then n rows, in order. The last tile ends with the row. */
#define SKIP_ATTENTION_MIX(name, width)                                                                                                   \
	SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, name)(__global const float *prefix, __global const float *rows, uint stride,    \
								uint n, const SKIP_ATTENTION_F *weight, SKIP_ATTENTION_F factor,          \
								SKIP_ATTENTION_F *out)                                                    \
	{                                                                                                                                 \
		for (uint from = 0; from < (width); from += SKIP_ATTENTION_TILE(width)) {                                                 \
			const uint e = min(from, (uint)((width) - SKIP_ATTENTION_TILE(width)));                                           \
			SKIP_ATTENTION_F sum[SKIP_ATTENTION_TILE(width)];                                                                 \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE(width)) sum[i] = (SKIP_ATTENTION_F)(0.0f);                             \
			const SKIP_ATTENTION_F *lanes = weight;                                                                           \
			__global const float *row = prefix + e;                                                                           \
			for (uint j = 0; j < SKIP_ATTENTION_P; j++, row += SKIP_ATTENTION_H * (width), lanes++)                           \
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE(width))                                                        \
				sum[i] = fma((SKIP_ATTENTION_F)(row[i]), *lanes, sum[i]);                                                 \
			row = rows + e;                                                                                                   \
			for (uint j = 0; j < n; j++, row += stride, lanes++)                                                              \
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE(width))                                                        \
				sum[i] = fma((SKIP_ATTENTION_F)(row[i]), *lanes, sum[i]);                                                 \
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_TILE(width)) out[e + i] = sum[i] * factor;                                  \
		}                                                                                                                         \
	}

#if SKIP_ATTENTION_PLACES
/* A table at the distances of the lanes, which grow by one; lanes behind the last query repeat it. */
static inline SKIP_ATTENTION_F SKIP_JOIN(SKIP_ATTENTION_NAME, beside)(__global const float *table, uint rows)
{
	if (rows == SKIP_ATTENTION_VEC) return SKIP_ATTENTION_LOAD(0, table);
	SKIP_ATTENTION_F lanes;
	for (uint r = 0; r < SKIP_ATTENTION_VEC; r++) ((float *)&lanes)[r] = table[min(r, rows - 1)];
	return lanes;
}

/*
 * z[j] of token low + j, for queries from `place` on: adds what the tables have for its distance, and where a query does not see it takes so
 * much off that no weight is left. x carries SCALE.
 */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, places)(const SKIP_ATTENTION_F *x, __global const float *k, uint head, uint place, uint rows,
							  uint low, uint count, __global const float *bias, __global const float *rk,
							  __global const float *rq, SKIP_ATTENTION_F *z)
{
	SKIP_ATTENTION_F lane;
	for (uint r = 0; r < SKIP_ATTENTION_VEC; r++) ((float *)&lane)[r] = (float)r;
	for (uint j = 0; j < count; j++, k += SKIP_ATTENTION_K_STRIDE) {
		const int away = (int)place - (int)(low + j);
		SKIP_ATTENTION_F sum = z[j];
#if SKIP_ATTENTION_RK
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++)
			sum = fma(x[e], SKIP_ATTENTION_FN(beside)(rk + SKIP_ATTENTION_TABLE(head * SKIP_ATTENTION_QK + e, away), rows), sum);
#endif
#if SKIP_ATTENTION_RQ
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++)
			sum = fma((SKIP_ATTENTION_F)(k[e] * SKIP_ATTENTION_SCALE),
				  SKIP_ATTENTION_FN(beside)(rq + SKIP_ATTENTION_TABLE(head * SKIP_ATTENTION_QK + e, away), rows), sum);
#endif
#if SKIP_ATTENTION_BIAS
		sum += SKIP_ATTENTION_FN(beside)(bias + SKIP_ATTENTION_TABLE(head, away), rows);
#endif
#if SKIP_ATTENTION_CAUSAL
		sum = lane + (float)away < 0.0f ? (SKIP_ATTENTION_F)(SKIP_ATTENTION_UNSEEN) : sum;
#endif
#if SKIP_ATTENTION_WINDOW
		sum = fabs(lane + (float)away) > (float)SKIP_ATTENTION_WINDOW ? (SKIP_ATTENTION_F)(SKIP_ATTENTION_UNSEEN) : sum;
#endif
		z[j] = sum;
	}
}
#endif

/* exp(z - largest) over the keys; what comes back is 1 / their sum. */
SKIP_APART SKIP_ATTENTION_F SKIP_JOIN(SKIP_ATTENTION_NAME, softmax)(SKIP_ATTENTION_F *z, uint keys)
{
	SKIP_ATTENTION_F largest = z[0], sum = (SKIP_ATTENTION_F)(0.0f);
	for (uint j = 1; j < keys; j++) largest = fmax(largest, z[j]);
	for (uint j = 0; j < keys; j++) {
		z[j] = SKIP_PASTE(skip_exp_f, SKIP_ATTENTION_VEC)(z[j] - largest);
		sum += z[j];
	}
	return 1.0f / sum;
}

#ifdef SKIP_ATTENTION_KERNEL_MAIN
SKIP_ATTENTION_MIX(mix_v, SKIP_ATTENTION_V)

SKIP_KERNEL(SKIP_ATTENTION_GROUP) void SKIP_ATTENTION_NAME(
	SKIP_ITEM
	__global const float *restrict q, /* [T or B][Q_STRIDE] */
	__global const float *restrict k, /* [T][K_STRIDE] */
	__global const float *restrict v, /* [T][V_STRIDE] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK], DROPOUT: [B][P][H*QK] */
	__global const float *restrict pv, /* [P][H*V], DROPOUT: [B][P][H*V] */
#endif
#if SKIP_ATTENTION_BIAS
	__global const float *restrict bias, /* [H][2N-1] */
#endif
#if SKIP_ATTENTION_RK
	__global const float *restrict rk, /* [H*QK][2N-1] */
#endif
#if SKIP_ATTENTION_RQ
	__global const float *restrict rq, /* [H*QK][2N-1] */
#endif
#if SKIP_ATTENTION_SLOTS
	__global const float *restrict slots, /* [P] */
#endif
	__global const int *restrict offset, /* [B+1] */
#if !SKIP_ATTENTION_ROWS_B
	__global const int *restrict qblock, /* [Q][4] */
#endif
	__global float *restrict ctx) /* [T or B][H*V] */
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P && SKIP_ATTENTION_N > 0);
#if SKIP_ATTENTION_PLACES
#if !SKIP_ATTENTION_BIAS
	__global const float *bias = 0; /* not there */
#endif
#if !SKIP_ATTENTION_RK
	__global const float *rk = 0;
#endif
#if !SKIP_ATTENTION_RQ
	__global const float *rq = 0;
#endif
#endif
	const uint head = SKIP_ID(1);
#if SKIP_ATTENTION_ROWS_B
	const uint b = SKIP_ID(0), row = b, rows = 1;
#else
	__global const int *block = qblock + 4 * SKIP_ID(0);
	const uint b = (uint)block[0], row = (uint)block[1], rows = (uint)block[2];
#endif
	const uint first = (uint)offset[b], length = (uint)offset[b + 1] - first, place = SKIP_ATTENTION_PLACE(row, first, length);
	const uint low = SKIP_ATTENTION_LOW(place), n = SKIP_ATTENTION_END(place + rows - 1, length) - low; /* tokens that some query sees */
	const uint column = head * SKIP_ATTENTION_QK, column_v = head * SKIP_ATTENTION_V;
	SKIP_ATTENTION_F x[SKIP_ATTENTION_QK], a[SKIP_ATTENTION_S], y[SKIP_ATTENTION_V];
	q += row * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + column;
	k += (first + low) * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + column;
	v += (first + low) * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + column_v;
	ctx += row * SKIP_ATTENTION_V_COLS + column_v;
	SKIP_PASTE(skip_lanes_load_f, SKIP_ATTENTION_VEC)(q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE), x);
#if SKIP_ATTENTION_P
	pk += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_K_COLS) : 0) + column;
	pv += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_V_COLS) : 0) + column_v;
	SKIP_ATTENTION_FN(dots)(pk, SKIP_ATTENTION_K_COLS, SKIP_ATTENTION_P, SKIP_ATTENTION_QK, x, a);
#if SKIP_ATTENTION_SLOTS
	for (uint j = 0; j < SKIP_ATTENTION_P; j++) a[j] += slots[j];
#endif
#else
	__global const float *pv = v; /* of no rows */
#endif
	SKIP_ATTENTION_FN(dots)(k, SKIP_ATTENTION_K_STRIDE, n, SKIP_ATTENTION_QK, x, a + SKIP_ATTENTION_P);
#if SKIP_ATTENTION_PLACES
	SKIP_ATTENTION_FN(places)(x, k, head, place, rows, low, n, bias, rk, rq, a + SKIP_ATTENTION_P);
#endif
	const SKIP_ATTENTION_F inverse = SKIP_ATTENTION_FN(softmax)(a, SKIP_ATTENTION_P + n);
	SKIP_ATTENTION_FN(mix_v)(pv, v, SKIP_ATTENTION_V_STRIDE, n, a, inverse, y);
	SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)(y, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_V, rows, ctx);
}
#endif

#ifdef SKIP_ATTENTION_KERNEL_BWD
SKIP_ATTENTION_MIX(mix_qk, SKIP_ATTENTION_QK)

/* Vectors that hold `width` columns, and keys side by side in outer. */
#define SKIP_ATTENTION_VECTORS(width) (((width) + SKIP_ATTENTION_VEC - 1) / SKIP_ATTENTION_VEC)
#define SKIP_ATTENTION_OUTER 8

/*
 * sums[j][c] (+)= sum_r weight[j] lane r * x[r][c], r < rows in order. Reads whole vectors of x: columns behind `width` give sums nobody
 * reads. Keys are taken OUTER at a time, so weight and sums reach up to OUTER - 1 behind `keys`.
 */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, outer)(const SKIP_ATTENTION_F *weight, __global const float *x, uint stride,
							 uint width, uint rows, uint keys, uint add, SKIP_ATTENTION_F *sums)
{
	const uint vectors = SKIP_ATTENTION_VECTORS(width);
	for (uint j = 0; j < keys; j += SKIP_ATTENTION_OUTER) {
		for (uint c = 0; c < vectors; c++) {
			const float *w = (const float *)(weight + j);
			__global const float *row = x + c * SKIP_ATTENTION_VEC;
			SKIP_ATTENTION_F *to = sums + j * vectors + c;
			SKIP_ATTENTION_F sum[SKIP_ATTENTION_OUTER];
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) sum[i] = add ? to[i * vectors] : (SKIP_ATTENTION_F)(0.0f);
			for (uint r = 0; r < rows; r++, row += stride, w++) {
				const SKIP_ATTENTION_F cols = SKIP_ATTENTION_LOAD(0, row);
				SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER)
				sum[i] = fma((SKIP_ATTENTION_F)(w[i * SKIP_ATTENTION_VEC]), cols, sum[i]);
			}
			SKIP_ATTENTION_EACH(i, SKIP_ATTENTION_OUTER) to[i * vectors] = sum[i];
		}
	}
}

#if SKIP_ATTENTION_RK
/* dq[e] += SCALE * sum_j dz[j] * what the table adds to token j. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, beside_query)(const SKIP_ATTENTION_F *dz, __global const float *rk, uint head, uint place,
								uint rows, uint n, SKIP_ATTENTION_F *dq)
{
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) {
		__global const float *table = rk + SKIP_ATTENTION_TABLE(head * SKIP_ATTENTION_QK + e, (int)place);
		SKIP_ATTENTION_F sum = (SKIP_ATTENTION_F)(0.0f);
		for (uint j = 0; j < n; j++) sum = fma(dz[j], SKIP_ATTENTION_FN(beside)(table - j, rows), sum);
		dq[e] = fma(sum, (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE), dq[e]);
	}
}
#endif

#if SKIP_ATTENTION_RQ
/* sums[j][e] += what the table adds to the queries of the lanes at the distance of token j, times dz. Lanes that are no queries have dz 0. */
SKIP_APART void SKIP_JOIN(SKIP_ATTENTION_NAME, beside_keys)(const SKIP_ATTENTION_F *dz, __global const float *rq, uint head, uint place,
							       uint rows, uint n, SKIP_ATTENTION_F *sums)
{
	float *to = (float *)sums;
	for (uint j = 0; j < n; j++, to += SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK) * SKIP_ATTENTION_VEC) {
		const int away = (int)place - (int)j;
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++)
			to[e] += SKIP_PASTE(skip_sum_f, SKIP_ATTENTION_VEC)(
				dz[j] * SKIP_ATTENTION_FN(beside)(rq + SKIP_ATTENTION_TABLE(head * SKIP_ATTENTION_QK + e, away), rows));
	}
}
#endif

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
#if SKIP_ATTENTION_BIAS
	__global const float *restrict bias, /* [H][2N-1] */
#endif
#if SKIP_ATTENTION_RK
	__global const float *restrict rk, /* [H*QK][2N-1] */
#endif
#if SKIP_ATTENTION_RQ
	__global const float *restrict rq, /* [H*QK][2N-1] */
#endif
#if SKIP_ATTENTION_SLOTS
	__global const float *restrict slots, /* [P] */
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
#if SKIP_ATTENTION_GS
	__global float *restrict dslots, /* [B][H*P], sums of dZ over the queries */
#endif
	__global const int *restrict offset) /* [B+1] */
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P && SKIP_ATTENTION_N > 0);
#if SKIP_ATTENTION_PLACES
#if !SKIP_ATTENTION_BIAS
	__global const float *bias = 0; /* not there */
#endif
#if !SKIP_ATTENTION_RK
	__global const float *rk = 0;
#endif
#if !SKIP_ATTENTION_RQ
	__global const float *rq = 0;
#endif
#endif
	const uint head = SKIP_ID(0), b = SKIP_ID(1);
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first, keys = SKIP_ATTENTION_P + n;
	const uint first_query = SKIP_ATTENTION_ROWS_B ? b : first, queries = SKIP_ATTENTION_ROWS_B ? 1 : n;
	SKIP_ATTENTION_F x[SKIP_ATTENTION_QK], g[SKIP_ATTENTION_V];
	SKIP_ATTENTION_F a[SKIP_ATTENTION_S + SKIP_ATTENTION_OUTER], dz[SKIP_ATTENTION_S + SKIP_ATTENTION_OUTER];
	const uint column = head * SKIP_ATTENTION_QK, column_v = head * SKIP_ATTENTION_V;
	q += first_query * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + column;
	k += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + column;
	v += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + column_v;
	dctx += first_query * SKIP_ATTENTION_V_COLS + column_v;
#if SKIP_ATTENTION_P
	pk += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_K_COLS) : 0) + column;
	pv += (SKIP_ATTENTION_DROPOUT ? b * (SKIP_ATTENTION_P * SKIP_ATTENTION_V_COLS) : 0) + column_v;
#else
	__global const float *pk = k; /* of no rows */
#endif
#if SKIP_ATTENTION_DQ
	dq += first_query * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + column;
#endif
#if SKIP_ATTENTION_DK || SKIP_ATTENTION_GK
	SKIP_ATTENTION_F sum_k[(SKIP_ATTENTION_S + SKIP_ATTENTION_OUTER) * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK)];
#endif
#if SKIP_ATTENTION_GS
	SKIP_ATTENTION_F sum_z[SKIP_ATTENTION_P];
	for (uint j = 0; j < SKIP_ATTENTION_P; j++) sum_z[j] = (SKIP_ATTENTION_F)(0.0f);
#endif
#if SKIP_ATTENTION_DV || SKIP_ATTENTION_GV
	SKIP_ATTENTION_F sum_v[(SKIP_ATTENTION_S + SKIP_ATTENTION_OUTER) * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V)];
#endif
	for (uint i = 0; i < queries; i += SKIP_ATTENTION_VEC) {
		const uint rows = min((uint)SKIP_ATTENTION_VEC, queries - i);
		SKIP_ATTENTION_F real; /* 1 in lanes that are queries */
		for (uint r = 0; r < SKIP_ATTENTION_VEC; r++) ((float *)&real)[r] = r < rows ? 1.0f : 0.0f;
		SKIP_PASTE(skip_lanes_load_f, SKIP_ATTENTION_VEC)(q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE), x);
		SKIP_PASTE(skip_lanes_load_f, SKIP_ATTENTION_VEC)(dctx, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_V, rows, real, g);
#if SKIP_ATTENTION_P
		SKIP_ATTENTION_FN(dots)(pk, SKIP_ATTENTION_K_COLS, SKIP_ATTENTION_P, SKIP_ATTENTION_QK, x, a);
		SKIP_ATTENTION_FN(dots)(pv, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_P, SKIP_ATTENTION_V, g, dz);
#if SKIP_ATTENTION_SLOTS
		for (uint j = 0; j < SKIP_ATTENTION_P; j++) a[j] += slots[j];
#endif
#endif
		SKIP_ATTENTION_FN(dots)(k, SKIP_ATTENTION_K_STRIDE, n, SKIP_ATTENTION_QK, x, a + SKIP_ATTENTION_P);
		SKIP_ATTENTION_FN(dots)(v, SKIP_ATTENTION_V_STRIDE, n, SKIP_ATTENTION_V, g, dz + SKIP_ATTENTION_P);
#if SKIP_ATTENTION_PLACES
		const uint place = SKIP_ATTENTION_PLACE(i, 0, n);
		SKIP_ATTENTION_FN(places)(x, k, head, place, rows, 0, n, bias, rk, rq, a + SKIP_ATTENTION_P);
#endif
		const SKIP_ATTENTION_F inverse = SKIP_ATTENTION_FN(softmax)(a, keys);
		SKIP_ATTENTION_F delta = (SKIP_ATTENTION_F)(0.0f);
		for (uint j = 0; j < keys; j++) {
			a[j] *= inverse;
			delta = fma(a[j], dz[j], delta);
		}
		for (uint j = 0; j < keys; j++) dz[j] = a[j] * (dz[j] - delta);
		for (uint j = keys; j < keys + SKIP_ATTENTION_OUTER; j++) a[j] = dz[j] = (SKIP_ATTENTION_F)(0.0f);
#if SKIP_ATTENTION_GS
		for (uint j = 0; j < SKIP_ATTENTION_P; j++) sum_z[j] += dz[j]; /* lanes that are no queries have dz 0 */
#endif
#if SKIP_ATTENTION_DK || SKIP_ATTENTION_GK
		SKIP_ATTENTION_FN(outer)(dz, q, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows,
					 SKIP_ATTENTION_DK ? keys : SKIP_ATTENTION_P, i, sum_k);
#endif
#if SKIP_ATTENTION_DK && SKIP_ATTENTION_RQ
		SKIP_ATTENTION_FN(beside_keys)(dz + SKIP_ATTENTION_P, rq, head, place, rows, n,
					       sum_k + SKIP_ATTENTION_P * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK));
#endif
#if SKIP_ATTENTION_DV || SKIP_ATTENTION_GV
		SKIP_ATTENTION_FN(outer)(a, dctx, SKIP_ATTENTION_V_COLS, SKIP_ATTENTION_V, rows,
					 SKIP_ATTENTION_DV ? keys : SKIP_ATTENTION_P, i, sum_v);
#endif
#if SKIP_ATTENTION_DQ
		SKIP_ATTENTION_FN(mix_qk)(pk, k, SKIP_ATTENTION_K_STRIDE, n, dz, (SKIP_ATTENTION_F)(SKIP_ATTENTION_SCALE), x);
#if SKIP_ATTENTION_RK
		SKIP_ATTENTION_FN(beside_query)(dz + SKIP_ATTENTION_P, rk, head, place, rows, n, x);
#endif
		SKIP_PASTE(skip_lanes_store_f, SKIP_ATTENTION_VEC)(x, SKIP_ATTENTION_Q_STRIDE, SKIP_ATTENTION_QK, rows, dq);
		dq += SKIP_ATTENTION_VEC * SKIP_ATTENTION_Q_STRIDE;
#endif
		q += SKIP_ATTENTION_VEC * SKIP_ATTENTION_Q_STRIDE;
		dctx += SKIP_ATTENTION_VEC * SKIP_ATTENTION_V_COLS;
	}
#if SKIP_ATTENTION_DK
	dk += first * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + column;
	SKIP_PASTE(skip_lanes_spread_f, SKIP_ATTENTION_VEC)(sum_k + SKIP_ATTENTION_P * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_QK), n, SKIP_ATTENTION_QK,
				  SKIP_ATTENTION_SCALE, SKIP_ATTENTION_K_STRIDE, dk);
#endif
#if SKIP_ATTENTION_DV
	dv += first * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + column_v;
	SKIP_PASTE(skip_lanes_spread_f, SKIP_ATTENTION_VEC)(sum_v + SKIP_ATTENTION_P * SKIP_ATTENTION_VECTORS(SKIP_ATTENTION_V), n, SKIP_ATTENTION_V, 1.0f,
				  SKIP_ATTENTION_V_STRIDE, dv);
#endif
#if SKIP_ATTENTION_GK
	SKIP_PASTE(skip_lanes_spread_f, SKIP_ATTENTION_VEC)(sum_k, SKIP_ATTENTION_P, SKIP_ATTENTION_QK, SKIP_ATTENTION_SCALE, SKIP_ATTENTION_K_COLS,
				  gk + b * (SKIP_ATTENTION_P * SKIP_ATTENTION_K_COLS) + column);
#endif
#if SKIP_ATTENTION_GV
	SKIP_PASTE(skip_lanes_spread_f, SKIP_ATTENTION_VEC)(sum_v, SKIP_ATTENTION_P, SKIP_ATTENTION_V, 1.0f, SKIP_ATTENTION_V_COLS,
				  gv + b * (SKIP_ATTENTION_P * SKIP_ATTENTION_V_COLS) + column_v);
#endif
#if SKIP_ATTENTION_GS
	for (uint j = 0; j < SKIP_ATTENTION_P; j++)
		dslots[(b * SKIP_ATTENTION_H + head) * SKIP_ATTENTION_P + j] = SKIP_PASTE(skip_sum_f, SKIP_ATTENTION_VEC)(sum_z[j]);
#endif
}
#endif

#undef SKIP_ATTENTION_FN
#undef SKIP_ATTENTION_F
#undef SKIP_ATTENTION_K_COLS
#undef SKIP_ATTENTION_V_COLS
#undef SKIP_ATTENTION_PLACE
#undef SKIP_ATTENTION_LOW
#undef SKIP_ATTENTION_END
#undef SKIP_ATTENTION_TABLE
#undef SKIP_ATTENTION_PLACES
#undef SKIP_ATTENTION_LOAD
#undef SKIP_ATTENTION_STORE
#undef SKIP_ATTENTION_MOST
#undef SKIP_ATTENTION_MANY
#undef SKIP_ATTENTION_EACH
#undef SKIP_ATTENTION_UNSEEN
#undef SKIP_ATTENTION_DOTS
#undef SKIP_ATTENTION_TILES
#undef SKIP_ATTENTION_TILE
#undef SKIP_ATTENTION_MIX
#ifdef SKIP_ATTENTION_KERNEL_BWD
#undef SKIP_ATTENTION_VECTORS
#undef SKIP_ATTENTION_OUTER
#endif
