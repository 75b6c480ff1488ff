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
 *   SLOT   prefix slots; dPk and dPv from stats, over all sequences and their queries in order
 *
 * H heads; QK, V: widths; P: prefix rows, 0 for none; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE: columns of the values that hold q, k, v and
 * their gradients, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT 1: prefix elements carry the
 * factors of kernels/common/dropout.cl with THRESHOLD = rate * 2^32 and KEPT = 1/(1-rate), stream for keys and stream + 1 for values.
 * BF16 1: what is multiplied by rows is rounded to bfloat16: q, k, v, dctx, exp(z - largest), and in gradients A and dZ.
 * OUT_A, OUT_B 0 or 1: QUERY: dq, -; KEY: dk, dv; SLOT: dPk, dPv; which outputs are there.
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
#endif

#define SKIP_ATTENTION_FN(name) SKIP_JOIN(SKIP_ATTENTION_NAME, name)
#define SKIP_ATTENTION_K_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
/* Where the token t starts in k or v, and the query row in q. */
#define SKIP_ATTENTION_K_AT(t) ((t) * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + head * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_AT(t) ((t) * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + head * SKIP_ATTENTION_V)
#define SKIP_ATTENTION_Q_AT(row) ((row) * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK)

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

#if SKIP_ATTENTION_P
/* Key or value j of the sequence into `out`: a prefix row, then the tokens. */
#define SKIP_ATTENTION_KEY(j, out)                                                                                                        \
	if ((j) < SKIP_ATTENTION_P)                                                                                                       \
		SKIP_ATTENTION_FN(slot)(pk, SKIP_ATTENTION_K_COLS, head * SKIP_ATTENTION_QK, SKIP_ATTENTION_QK, b, j, (uint)stream,       \
						     seed, out);                                                                          \
	else                                                                                                                              \
		SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(first + (j) - SKIP_ATTENTION_P), SKIP_ATTENTION_QK, out)
#define SKIP_ATTENTION_VALUE(j, out)                                                                                                      \
	if ((j) < SKIP_ATTENTION_P)                                                                                                       \
		SKIP_ATTENTION_FN(slot)(pv, SKIP_ATTENTION_V_COLS, head * SKIP_ATTENTION_V, SKIP_ATTENTION_V, b, j,                       \
						     (uint)stream + 1, seed, out);                                                        \
	else                                                                                                                              \
		SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(first + (j) - SKIP_ATTENTION_P), SKIP_ATTENTION_V, out)
#else
#define SKIP_ATTENTION_KEY(j, out) SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(first + (j)), SKIP_ATTENTION_QK, out)
#define SKIP_ATTENTION_VALUE(j, out) SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(first + (j)), SKIP_ATTENTION_V, out)
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
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0);
	const uint head = (uint)get_global_id(0), row = (uint)get_global_id(1);
#if SKIP_ATTENTION_ROWS_B
	const uint b = row;
#else
	const uint b = (uint)seq[row];
#endif
	const uint first = (uint)offset[b], keys = SKIP_ATTENTION_P + (uint)offset[b + 1] - first;
	float query[SKIP_ATTENTION_QK], key[SKIP_ATTENTION_QK], value[SKIP_ATTENTION_V], total[SKIP_ATTENTION_V];
	SKIP_ATTENTION_FN(copy)(q + SKIP_ATTENTION_Q_AT(row), SKIP_ATTENTION_QK, query);
	float largest = -INFINITY, sum = 0.0f;
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		largest = fmax(largest, SKIP_ATTENTION_SCALE * SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK));
	}
#ifdef SKIP_ATTENTION_KERNEL_MAIN
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) total[e] = 0.0f;
	for (uint j = 0; j < keys; j++) {
		SKIP_ATTENTION_KEY(j, key);
		SKIP_ATTENTION_VALUE(j, value);
		const float a = skip_exp_f1(SKIP_ATTENTION_SCALE * SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK) - largest);
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
		const float a = skip_exp_f1(SKIP_ATTENTION_SCALE * SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK) - largest);
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
		const float a = skip_exp_f1(SKIP_ATTENTION_SCALE * SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK) - largest) / sum;
		const float dz = SKIP_ATTENTION_ROUND(a * (SKIP_ATTENTION_FN(dot)(total, value, SKIP_ATTENTION_V) - delta));
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dquery[e] = fma(dz, key[e], dquery[e]);
	}
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dq[SKIP_ATTENTION_Q_AT(row) + e] = dquery[e] * SKIP_ATTENTION_SCALE;
#endif
#endif
}
#endif

#if defined(SKIP_ATTENTION_KERNEL_KEY) || defined(SKIP_ATTENTION_KERNEL_SLOT)
/* dKt and dVt of one key of one sequence: sums over its queries in order. */
static inline void SKIP_JOIN(SKIP_ATTENTION_NAME, queries)(__global const float *q, __global const float *dctx,
							   __global const float *stats, uint head, uint first_query, uint end,
							   const float *key, const float *value, float *dkey, float *dvalue)
{
	float query[SKIP_ATTENTION_QK], g[SKIP_ATTENTION_V];
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] = 0.0f;
	for (uint e = 0; e < SKIP_ATTENTION_V; e++) dvalue[e] = 0.0f;
	for (uint row = first_query; row < end; row++) {
		__global const float *kept = stats + (row * SKIP_ATTENTION_H + head) * 3;
		SKIP_ATTENTION_FN(copy)(q + SKIP_ATTENTION_Q_AT(row), SKIP_ATTENTION_QK, query);
		SKIP_ATTENTION_FN(copy)(dctx + row * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V, SKIP_ATTENTION_V, g);
		const float a =
			skip_exp_f1(SKIP_ATTENTION_SCALE * SKIP_ATTENTION_FN(dot)(query, key, SKIP_ATTENTION_QK) - kept[0]) * kept[1];
		const float dz = SKIP_ATTENTION_ROUND(a * (SKIP_ATTENTION_FN(dot)(g, value, SKIP_ATTENTION_V) - kept[2]));
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] = fma(dz, query[e], dkey[e]);
		for (uint e = 0; e < SKIP_ATTENTION_V; e++) dvalue[e] = fma(SKIP_ATTENTION_ROUND(a), g[e], dvalue[e]);
	}
	for (uint e = 0; e < SKIP_ATTENTION_QK; e++) dkey[e] *= SKIP_ATTENTION_SCALE;
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
	int sequences, int stream, uint seed)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0);
	const uint head = (uint)get_global_id(0);
	float key[SKIP_ATTENTION_QK], value[SKIP_ATTENTION_V], dkey[SKIP_ATTENTION_QK], dvalue[SKIP_ATTENTION_V];
#ifdef SKIP_ATTENTION_KERNEL_KEY
	const uint t = (uint)get_global_id(1), b = (uint)seq[t];
	const uint first_query = SKIP_ATTENTION_ROWS_B ? b : (uint)offset[b], end = SKIP_ATTENTION_ROWS_B ? b + 1 : (uint)offset[b + 1];
	SKIP_ATTENTION_FN(copy)(k + SKIP_ATTENTION_K_AT(t), SKIP_ATTENTION_QK, key);
	SKIP_ATTENTION_FN(copy)(v + SKIP_ATTENTION_V_AT(t), SKIP_ATTENTION_V, value);
	SKIP_ATTENTION_FN(queries)(q, dctx, stats, head, first_query, end, key, value, dkey, dvalue);
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
		const uint first = (uint)offset[b];
		const uint first_query = SKIP_ATTENTION_ROWS_B ? b : first, end = SKIP_ATTENTION_ROWS_B ? b + 1 : (uint)offset[b + 1];
		SKIP_ATTENTION_KEY(slot, key);
		SKIP_ATTENTION_VALUE(slot, value);
		SKIP_ATTENTION_FN(queries)(q, dctx, stats, head, first_query, end, key, value, dkey, dvalue);
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
#undef SKIP_ATTENTION_KEY
#undef SKIP_ATTENTION_VALUE
#undef SKIP_ATTENTION_ROUND
