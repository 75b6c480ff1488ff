/*
 * Attention of packed sequences with a prefix, scalars only; scores are computed again wherever they are needed, so nothing grows with the
 * length.
 *
 *   Z = SCALE Q Kt^T, A = softmax of the rows of Z, Ctx = A Vt      per sequence and head; Kt = [Pk; K_b], Vt = [Pv; V_b]
 *   dVt = A^T dCtx, dA = dCtx Vt^T, delta_i = sum_j A_ij dA_ij, dZ = A (dA - delta), dQ = SCALE dZ Kt, dKt = SCALE dZ^T Q
 *
 * Kernels, one work-item per head (dimension 0) and what dimension 1 walks:
 *   MAIN   query rows; ctx
 *   QUERY  query rows; stats [rows][H][3] = largest score, 1 / sum, delta; dq
 *   KEY    tokens; dk and dv from stats, over the queries of the token's sequence in order
 *   SLOT   prefix slots; dPk, dPv and dslots from stats, over all sequences and their queries in order
 *
 * H heads; QK, V: widths; P: prefix rows, 0 for none; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns of the values that hold q, k, v and
 * their gradients, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT 1: prefix elements carry the
 * factors of kernels/common/dropout.cl with THRESHOLD = rate * 2^32 and KEPT = 1/(1-rate), stream for keys and stream + 1 for values.
 * CAUSAL 1: tokens see no token behind them; WINDOW w > 0: none more than w places away, 0: any; LAST 1: with ROWS_B the query stands at the last place
 * of its sequence, 0: at the first. Every query sees the prefix.
 * BIAS, RK, RQ 0 or 1: tables by distance are there, N their longest sequence. Of a token at distance d = query - key, c = d + N-1:
 *   Z = SCALE (q . k + q . Rk[.][c] + k . Rq[.][c]) + bias[h][c]
 * SLOTS 1: slots [P] is added to the scores of the prefix rows.
 * BF16 1: what is multiplied by rows is rounded to bfloat16: q, k, v, dctx, exp(z - largest), and in gradients A and dZ.
 * OUT_A, OUT_B, OUT_C 0 or 1: QUERY: dq, -, -; KEY: dk, dv, -; SLOT: dPk, dPv, dslots; which outputs are there.
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
#ifndef SKIP_ATTENTION_BF16
#error "SKIP_ATTENTION_BF16: 0 or 1"
#endif
#if SKIP_ATTENTION_DROPOUT
#ifndef SKIP_ATTENTION_THRESHOLD
#error "SKIP_ATTENTION_THRESHOLD: rate * 2^32"
#endif
#ifndef SKIP_ATTENTION_KEPT
#error "SKIP_ATTENTION_KEPT: 1/(1-rate)"
#endif
#endif
#ifndef SKIP_ATTENTION_KERNEL_MAIN
#ifndef SKIP_ATTENTION_OUT_A
#error "SKIP_ATTENTION_OUT_A: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_OUT_B
#error "SKIP_ATTENTION_OUT_B: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_OUT_C
#error "SKIP_ATTENTION_OUT_C: 0 or 1"
#endif
#endif

#define SKIP_ATTENTION_FN(name) SKIP_JOIN(SKIP_ATTENTION_NAME, name)
#define SKIP_ATTENTION_K_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
/* Where the token t starts in k or v, and the query row in q. */
#define SKIP_ATTENTION_K_AT(t) ((t) * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + head * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_AT(t) ((t) * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + head * SKIP_ATTENTION_V)
#define SKIP_ATTENTION_Q_AT(row) ((row) * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK)

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

/* Factor of column `col` of row `slot` of a prefix with `cols` columns, as sequence b sees it. */
#if SKIP_ATTENTION_DROPOUT
#define SKIP_ATTENTION_FACTOR(stream, cols, col)                                                                                          \
	skip_dropout_f1(seed, stream, (b * SKIP_ATTENTION_P + slot) * (cols) + (col), (uint)SKIP_ATTENTION_THRESHOLD, SKIP_ATTENTION_KEPT)
#else
#define SKIP_ATTENTION_FACTOR(stream, cols, col) 1.0f
#endif

#if SKIP_ATTENTION_BF16
/* To the nearest bfloat16, ties to even. */
static inline float SKIP_JOIN(SKIP_ATTENTION_NAME, round)(float x)
{
	const uint bits = as_uint(x);
	return as_float((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}
#define SKIP_ATTENTION_ROUND(x) SKIP_ATTENTION_FN(round)(x)
#else
#define SKIP_ATTENTION_ROUND(x) (x)
#endif

static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, slot)(__global const float *prefix, uint cols, uint col, uint width, uint b,
							uint slot, uint stream, uint seed, float *out)
{
	for (uint e = 0; e < width; e++) out[e] = SKIP_ATTENTION_ROUND(prefix[slot * cols + col + e] * SKIP_ATTENTION_FACTOR(stream, cols, col + e));
}

static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, copy)(__global const float *from, uint width, float *out)
{
	for (uint e = 0; e < width; e++) out[e] = SKIP_ATTENTION_ROUND(from[e]);
}

static inline float SKIP_JOIN(SKIP_ATTENTION_NAME, dot)(const float *a, const float *b, uint width)
{
	float sum = 0.0f;
	for (uint e = 0; e < width; e++) sum = fma(a[e], b[e], sum);
	return sum;
}

/* What a table adds to column e of a token, 0 to a prefix row. */
static inline float SKIP_JOIN(SKIP_ATTENTION_NAME, beside)(__global const float *table, int token, uint head, uint e, int away)
{
	return token ? table[SKIP_ATTENTION_TABLE(head * SKIP_ATTENTION_QK + e, away)] : 0.0f;
}

/* The score of a query and a key; of a token `away` places behind the query, with what the tables add. */
static inline float SKIP_JOIN(SKIP_ATTENTION_NAME, score)(const float *query, const float *key, int token, uint head, int away,
							  __global const float *bias, __global const float *rk, __global const float *rq)
{
	float sum = SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK);
#if SKIP_ATTENTION_RK
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) sum = fma(query[e], SKIP_ATTENTION_FN(beside)(rk, token, head, e, away), sum);
#endif
#if SKIP_ATTENTION_RQ
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) sum = fma(key[e], SKIP_ATTENTION_FN(beside)(rq, token, head, e, away), sum);
#endif
	sum *= SKIP_ATTENTION_SCALE;
#if SKIP_ATTENTION_BIAS
	if (token) sum += bias[SKIP_ATTENTION_TABLE(head, away)];
#endif
	return sum;
}
/* What is added to the score of key j, a prefix row or not. */
#if SKIP_ATTENTION_SLOTS
#define SKIP_ATTENTION_ADDED(j) ((j) < SKIP_ATTENTION_P ? slots[j] : 0.0f)
#else
#define SKIP_ATTENTION_ADDED(j) 0.0f
#endif
/* The score of key j of those the query sees. */
#define SKIP_ATTENTION_SCORE(j)                                                                                                           \
	(SKIP_ATTENTION_FN(score)(query, key, (j) >= SKIP_ATTENTION_P, head, SKIP_ATTENTION_AWAY(j), bias, rk, rq) + SKIP_ATTENTION_ADDED(j))
#define SKIP_ATTENTION_AWAY(j) ((int)place - (int)(low + (j)) + SKIP_ATTENTION_P)

#if SKIP_ATTENTION_P
/* Key or value j into `out`: a prefix row, then the tokens from token `low` of the sequence on. */
#define SKIP_ATTENTION_KEY(j, out)                                                                                                        \
	if ((j) < SKIP_ATTENTION_P)                                                                                                       \
		SKIP_ATTENTION_FN(slot)(pk, SKIP_ATTENTION_K_COLS, head * SKIP_ATTENTION_QK, SKIP_ATTENTION_QK, b, j, (uint)stream,       \
						     seed, out);                                                                          \
	else                                                                                                                              \
		SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(first + low + (j) - SKIP_ATTENTION_P), SKIP_ATTENTION_QK, out)
#define SKIP_ATTENTION_VALUE(j, out)                                                                                                      \
	if ((j) < SKIP_ATTENTION_P)                                                                                                       \
		SKIP_ATTENTION_FN(slot)(pv, SKIP_ATTENTION_V_COLS, head * SKIP_ATTENTION_V, SKIP_ATTENTION_V, b, j,                       \
						     (uint)stream + 1, seed, out);                                                        \
	else                                                                                                                              \
		SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(first + low + (j) - SKIP_ATTENTION_P), SKIP_ATTENTION_V, out)
#else
#define SKIP_ATTENTION_KEY(j, out) SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(first + low + (j)), SKIP_ATTENTION_QK, out)
#define SKIP_ATTENTION_VALUE(j, out) SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(first + low + (j)), SKIP_ATTENTION_V, out)
#endif

#if defined(SKIP_ATTENTION_KERNEL_MAIN) || defined(SKIP_ATTENTION_KERNEL_QUERY)
__kernel __attribute__((reqd_work_group_size(SKIP_ATTENTION_GROUP))) void SKIP_ATTENTION_NAME(
	__global const float *restrict q, /* [T or B][Q_STRIDE] */
	__global const float *restrict k, /* [T][K_STRIDE] */
	__global const float *restrict v, /* [T][V_STRIDE] */
#ifdef SKIP_ATTENTION_KERNEL_QUERY
	__global const float *restrict dctx, /* [T or B][H*V] */
#endif
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK] */
	__global const float *restrict pv, /* [P][H*V] */
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
	__global const int *restrict seq, /* [T] */
#endif
#ifdef SKIP_ATTENTION_KERNEL_MAIN
	__global float *restrict ctx, /* [T or B][H*V] */
#else
	__global float *restrict stats, /* [T or B][H][3] */
#if SKIP_ATTENTION_OUT_A
	__global float *restrict dq, /* [T or B][Q_STRIDE] */
#endif
#endif
	int stream, uint seed)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_N > 0);
#if !SKIP_ATTENTION_BIAS
	__global const float *bias = 0; /* not there */
#endif
#if !SKIP_ATTENTION_RK
	__global const float *rk = 0;
#endif
#if !SKIP_ATTENTION_RQ
	__global const float *rq = 0;
#endif
	const uint head = (uint)get_global_id(0), row = (uint)get_global_id(1);
#if SKIP_ATTENTION_ROWS_B
	const uint b = row;
#else
	const uint b = (uint)seq[row];
#endif
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first, place = SKIP_ATTENTION_PLACE(row, first, n);
	const uint low = SKIP_ATTENTION_LOW(place), keys = SKIP_ATTENTION_P + SKIP_ATTENTION_END(place, n) - low; /* that it sees */
	float query[SKIP_ATTENTION_QK], key[SKIP_ATTENTION_QK], value[SKIP_ATTENTION_V], total[SKIP_ATTENTION_V];
	SKIP_ATTENTION_FN(copy)(q + SKIP_ATTENTION_Q_AT(row), SKIP_ATTENTION_QK, query);
	float largest = -INFINITY, sum = 0.0f;
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		largest = fmax(largest, SKIP_ATTENTION_SCORE(j));
	}
#ifdef SKIP_ATTENTION_KERNEL_MAIN
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) total[e] = 0.0f;
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		SKIP_ATTENTION_VALUE(j, value);
		const float a = skip_exp_f1(SKIP_ATTENTION_SCORE(j) - largest);
		sum += a;
		for (uint e = 0; e < SKIP_ATTENTION_V; e++) total[e] = fma(SKIP_ATTENTION_ROUND(a), value[e], total[e]);
	}
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) ctx[row * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V + e] = total[e] / sum;
#else
	float delta = 0.0f;
	SKIP_ATTENTION_FN(copy)(dctx + row * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V, SKIP_ATTENTION_V, total);
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		SKIP_ATTENTION_VALUE(j, value);
		const float a = skip_exp_f1(SKIP_ATTENTION_SCORE(j) - largest);
		sum += a;
		delta = fma(a, SKIP_ATTENTION_FN(dot)(total, value, SKIP_ATTENTION_V), delta);
	}
	delta /= sum;
	__global float *kept = stats + (row * SKIP_ATTENTION_H + head) * 3;
	kept[0] = largest;
	kept[1] = 1.0f / sum;
	kept[2] = delta;
#if SKIP_ATTENTION_OUT_A
	float dquery[SKIP_ATTENTION_QK];
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dquery[e] = 0.0f;
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		SKIP_ATTENTION_VALUE(j, value);
		const float a = skip_exp_f1(SKIP_ATTENTION_SCORE(j) - largest) / sum;
		const float dz = SKIP_ATTENTION_ROUND(a * (SKIP_ATTENTION_FN(dot)(total, value, SKIP_ATTENTION_V) - delta));
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dquery[e] = fma(dz, key[e], dquery[e]);
#if SKIP_ATTENTION_RK
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++)
			dquery[e] = fma(dz, SKIP_ATTENTION_FN(beside)(rk, j >= SKIP_ATTENTION_P, head, e, SKIP_ATTENTION_AWAY(j)), dquery[e]);
#endif
	}
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dq[SKIP_ATTENTION_Q_AT(row) + e] = dquery[e] * SKIP_ATTENTION_SCALE;
#endif
#endif
}
#endif

#if defined(SKIP_ATTENTION_KERNEL_KEY) || defined(SKIP_ATTENTION_KERNEL_SLOT)
/* dKt and dVt of one key of one sequence, token `at` of it or no token but with `added` to its scores: sums over the queries that see it in order. What
 * comes back is the sum of dZ. */
static inline float SKIP_JOIN(SKIP_ATTENTION_NAME, queries)(__global const float *q, __global const float *dctx,
							    __global const float *stats, uint head, uint b, __global const int *offset,
							    int token, uint at, float added, __global const float *bias,
							    __global const float *rk, __global const float *rq, const float *key,
							    const float *value, float *dkey, float *dvalue)
{
	float sum = 0.0f;
	const uint first = (uint)offset[b], n = (uint)offset[b + 1] - first;
	const uint first_query = SKIP_ATTENTION_ROWS_B ? b : first, end = SKIP_ATTENTION_ROWS_B ? b + 1 : first + n;
	float query[SKIP_ATTENTION_QK], g[SKIP_ATTENTION_V];
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] = 0.0f;
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) dvalue[e] = 0.0f;
	for (uint row = first_query; row < end; row++) {
		const uint place = SKIP_ATTENTION_PLACE(row, first, n);
		if (token && (at < SKIP_ATTENTION_LOW(place) || at >= SKIP_ATTENTION_END(place, n))) continue;
		const int away = (int)place - (int)at;
		__global const float *kept = stats + (row * SKIP_ATTENTION_H + head) * 3;
		SKIP_ATTENTION_FN(copy)(q + SKIP_ATTENTION_Q_AT(row), SKIP_ATTENTION_QK, query);
		SKIP_ATTENTION_FN(copy)(dctx + row * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V, SKIP_ATTENTION_V, g);
		const float a =
			skip_exp_f1(SKIP_ATTENTION_FN(score)(query, key, token, head, away, bias, rk, rq) + added - kept[0]) * kept[1];
		const float whole = a * (SKIP_ATTENTION_FN(dot)(g, value, SKIP_ATTENTION_V) - kept[2]);
		const float dz = SKIP_ATTENTION_ROUND(whole);
		sum += whole;
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] = fma(dz, query[e], dkey[e]);
#if SKIP_ATTENTION_RQ
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] = fma(dz, SKIP_ATTENTION_FN(beside)(rq, token, head, e, away), dkey[e]);
#endif
		for (uint e = 0; e < SKIP_ATTENTION_V; e++) dvalue[e] = fma(SKIP_ATTENTION_ROUND(a), g[e], dvalue[e]);
	}
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] *= SKIP_ATTENTION_SCALE;
	return sum;
}

__kernel __attribute__((reqd_work_group_size(SKIP_ATTENTION_GROUP))) void SKIP_ATTENTION_NAME(
	__global const float *restrict q,     /* [T or B][Q_STRIDE] */
	__global const float *restrict k,     /* [T][K_STRIDE] */
	__global const float *restrict v,     /* [T][V_STRIDE] */
	__global const float *restrict dctx,  /* [T or B][H*V] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK] */
	__global const float *restrict pv, /* [P][H*V] */
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
	__global const float *restrict stats, /* [T or B][H][3] */
	__global const int *restrict offset,  /* [B+1] */
#ifdef SKIP_ATTENTION_KERNEL_KEY
	__global const int *restrict seq, /* [T] */
#endif
#if SKIP_ATTENTION_OUT_A
	__global float *restrict out_a, /* KEY: dk [T][K_STRIDE], SLOT: dPk [P][H*QK] */
#endif
#if SKIP_ATTENTION_OUT_B
	__global float *restrict out_b, /* KEY: dv [T][V_STRIDE], SLOT: dPv [P][H*V] */
#endif
#if SKIP_ATTENTION_OUT_C
	__global float *restrict out_c, /* SLOT: dslots [B][H*P] */
#endif
	int sequences, int stream, uint seed)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_N > 0);
#if !SKIP_ATTENTION_BIAS
	__global const float *bias = 0; /* not there */
#endif
#if !SKIP_ATTENTION_RK
	__global const float *rk = 0;
#endif
#if !SKIP_ATTENTION_RQ
	__global const float *rq = 0;
#endif
	const uint head = (uint)get_global_id(0);
	float key[SKIP_ATTENTION_QK], value[SKIP_ATTENTION_V], dkey[SKIP_ATTENTION_QK], dvalue[SKIP_ATTENTION_V];
#ifdef SKIP_ATTENTION_KERNEL_KEY
	const uint t = (uint)get_global_id(1), b = (uint)seq[t];
	SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(t), SKIP_ATTENTION_QK, key);
	SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(t), SKIP_ATTENTION_V, value);
	SKIP_ATTENTION_FN(queries)(q, dctx, stats, head, b, offset, true, t - (uint)offset[b], 0.0f, bias, rk, rq, key, value, dkey, dvalue);
#if SKIP_ATTENTION_OUT_A
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) out_a[SKIP_ATTENTION_K_AT(t) + e] = dkey[e];
#endif
#if SKIP_ATTENTION_OUT_B
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) out_b[SKIP_ATTENTION_V_AT(t) + e] = dvalue[e];
#endif
#else
	const uint slot = (uint)get_global_id(1);
	float total_a[SKIP_ATTENTION_QK], total_b[SKIP_ATTENTION_V];
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) total_a[e] = 0.0f;
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) total_b[e] = 0.0f;
	for (uint b = 0; b < (uint)sequences; b++) {
		const uint first = (uint)offset[b], low = 0;
		SKIP_ATTENTION_KEY(slot, key);
		SKIP_ATTENTION_VALUE(slot, value);
		const float sum = SKIP_ATTENTION_FN(queries)(q, dctx, stats, head, b, offset, false, 0, SKIP_ATTENTION_ADDED(slot), bias, rk, rq, key,
							     value, dkey, dvalue);
#if SKIP_ATTENTION_OUT_C
		out_c[(b * SKIP_ATTENTION_H + head) * SKIP_ATTENTION_P + slot] = sum;
#else
		(void)sum;
#endif
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++)
			total_a[e] += dkey[e] * SKIP_ATTENTION_FACTOR((uint)stream, SKIP_ATTENTION_K_COLS, head * SKIP_ATTENTION_QK + e);
		for (uint e = 0; e < SKIP_ATTENTION_V; e++)
			total_b[e] += dvalue[e] *
				      SKIP_ATTENTION_FACTOR((uint)stream + 1, SKIP_ATTENTION_V_COLS, head * SKIP_ATTENTION_V + e);
	}
#if SKIP_ATTENTION_OUT_A
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) out_a[slot * SKIP_ATTENTION_K_COLS + head * SKIP_ATTENTION_QK + e] = total_a[e];
#endif
#if SKIP_ATTENTION_OUT_B
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) out_b[slot * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V + e] = total_b[e];
#endif
#endif
}
#endif

#undef SKIP_ATTENTION_FN
#undef SKIP_ATTENTION_K_COLS
#undef SKIP_ATTENTION_V_COLS
#undef SKIP_ATTENTION_K_AT
#undef SKIP_ATTENTION_V_AT
#undef SKIP_ATTENTION_Q_AT
#undef SKIP_ATTENTION_FACTOR
#undef SKIP_ATTENTION_PLACE
#undef SKIP_ATTENTION_LOW
#undef SKIP_ATTENTION_END
#undef SKIP_ATTENTION_TABLE
#undef SKIP_ATTENTION_SCORE
#undef SKIP_ATTENTION_ADDED
#undef SKIP_ATTENTION_AWAY
#undef SKIP_ATTENTION_KEY
#undef SKIP_ATTENTION_VALUE
#undef SKIP_ATTENTION_ROUND
