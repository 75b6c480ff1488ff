/*
 * Attention of packed sequences with a prefix, forward, one work-group per block of up to R query rows of a sequence (dimension 0) and head (dimension 1).
 * The scores of the block stay in local memory from the product with the keys to the one with the values.
 *
 *   Z = SCALE Q Kt^T, A_ij = exp(Z_ij - max_j Z_ij), Ctx = A Vt / sum_j A_ij      Kt = [Pk; K_b], Vt = [Pv; V_b]
 *
 * Work-items walk keys in the first product, LANES of them share a row in the softmax (pairwise sums), and walk columns in the second.
 * H heads; QK, V: widths; P: prefix rows, 0 for none; S: most keys of a sequence, P included; R: rows of a block; SCALE; Q_STRIDE, K_STRIDE, V_STRIDE:
 * columns of the values that hold q, k, v, Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence; DROPOUT, CAUSAL, WINDOW,
 * BIAS, RK, RQ are 0: no dropout, and no query looks at places.
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
#ifndef SKIP_ATTENTION_R
#error "SKIP_ATTENTION_R: query rows of a block"
#endif
#ifndef SKIP_ATTENTION_LANES
#error "SKIP_ATTENTION_LANES: work-items of a row in the softmax, a power of two"
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
#error "SKIP_ATTENTION_WINDOW: keys on either side, 0 for all"
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

#define SKIP_ATTENTION_ITEMS (SKIP_ATTENTION_R * SKIP_ATTENTION_LANES)
#define SKIP_ATTENTION_K_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_V_COLS (SKIP_ATTENTION_H * SKIP_ATTENTION_V)
/* Key and value j of the sequence: a prefix row, then the tokens. */
#if SKIP_ATTENTION_P
#define SKIP_ATTENTION_KEY(j)                                                                                                             \
	((j) < SKIP_ATTENTION_P ? pk + (j) * SKIP_ATTENTION_K_COLS + head * SKIP_ATTENTION_QK                                             \
				: k + (size_t)(first + (j) - SKIP_ATTENTION_P) * SKIP_ATTENTION_K_STRIDE + head * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_VALUE(j)                                                                                                           \
	((j) < SKIP_ATTENTION_P ? pv + (j) * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V                                              \
				: v + (size_t)(first + (j) - SKIP_ATTENTION_P) * SKIP_ATTENTION_V_STRIDE + head * SKIP_ATTENTION_V)
#else
#define SKIP_ATTENTION_KEY(j) (k + (size_t)(first + (j)) * SKIP_ATTENTION_K_STRIDE + head * SKIP_ATTENTION_QK)
#define SKIP_ATTENTION_VALUE(j) (v + (size_t)(first + (j)) * SKIP_ATTENTION_V_STRIDE + head * SKIP_ATTENTION_V)
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_ATTENTION_GROUP))) void SKIP_ATTENTION_NAME(
	__global const float *restrict q, /* [T or B][Q_STRIDE] */
	__global const float *restrict k, /* [T][K_STRIDE] */
	__global const float *restrict v, /* [T][V_STRIDE] */
#if SKIP_ATTENTION_P
	__global const float *restrict pk, /* [P][H*QK] */
	__global const float *restrict pv, /* [P][H*V] */
#endif
	__global const int *restrict offset, /* [B+1] */
#if !SKIP_ATTENTION_ROWS_B
	__global const int *restrict block, /* [Q][4] sequence, first row, rows, first gathered row */
#endif
	__global float *restrict ctx) /* [T or B][H*V] */
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && !SKIP_ATTENTION_DROPOUT);
	SKIP_REQUIRE(places, !SKIP_ATTENTION_CAUSAL && !SKIP_ATTENTION_WINDOW && !SKIP_ATTENTION_BIAS && !SKIP_ATTENTION_RK && !SKIP_ATTENTION_RQ);
	SKIP_REQUIRE(lanes, (SKIP_ATTENTION_LANES & (SKIP_ATTENTION_LANES - 1)) == 0);
	__local float query[SKIP_ATTENTION_R * SKIP_ATTENTION_QK], weight[SKIP_ATTENTION_R * SKIP_ATTENTION_S], part[SKIP_ATTENTION_ITEMS];
	__local float inverse[SKIP_ATTENTION_R];
	const uint group = (uint)get_group_id(0), head = (uint)get_group_id(1), item = (uint)get_local_id(0);
#if SKIP_ATTENTION_ROWS_B
	const uint b = group, row = group, rows = 1;
#else
	const uint b = (uint)block[4 * group], row = (uint)block[4 * group + 1], rows = (uint)block[4 * group + 2];
#endif
	const uint first = (uint)offset[b], keys = SKIP_ATTENTION_P + (uint)offset[b + 1] - first;
	k += SKIP_ATTENTION_K_COL;
	v += SKIP_ATTENTION_V_COL;
	for (uint i = item; i < rows * SKIP_ATTENTION_QK; i += SKIP_ATTENTION_ITEMS) {
		query[i] = q[(size_t)(row + i / SKIP_ATTENTION_QK) * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK + i % SKIP_ATTENTION_QK];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	for (uint j = item; j < keys; j += SKIP_ATTENTION_ITEMS) {
		__global const float *key = SKIP_ATTENTION_KEY(j);
		float sum[SKIP_ATTENTION_R];
		for (uint r = 0; r < SKIP_ATTENTION_R; r++) sum[r] = 0.0f;
		for (uint e = 0; e < SKIP_ATTENTION_QK; e++) {
			const float at = key[e];
			for (uint r = 0; r < rows; r++) sum[r] = fma(query[r * SKIP_ATTENTION_QK + e], at, sum[r]);
		}
		for (uint r = 0; r < rows; r++) weight[r * SKIP_ATTENTION_S + j] = SKIP_ATTENTION_SCALE * sum[r];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	const uint mine = item / SKIP_ATTENTION_LANES, lane = item % SKIP_ATTENTION_LANES;
	__local float *own = weight + mine * SKIP_ATTENTION_S;
	float most = -INFINITY, total = 0.0f;
	for (uint j = lane; mine < rows && j < keys; j += SKIP_ATTENTION_LANES) most = fmax(most, own[j]);
	part[item] = most;
	for (uint step = SKIP_ATTENTION_LANES / 2; step > 0; step /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (lane < step) part[item] = fmax(part[item], part[item + step]);
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	most = part[mine * SKIP_ATTENTION_LANES];
	barrier(CLK_LOCAL_MEM_FENCE);
	for (uint j = lane; mine < rows && j < keys; j += SKIP_ATTENTION_LANES) {
		own[j] = skip_exp_f1(own[j] - most);
		total += own[j];
	}
	part[item] = total;
	for (uint step = SKIP_ATTENTION_LANES / 2; step > 0; step /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (lane < step) part[item] += part[item + step];
	}
	if (lane == 0) inverse[mine] = 1.0f / part[item];
	barrier(CLK_LOCAL_MEM_FENCE);
	for (uint i = item; i < rows * SKIP_ATTENTION_V; i += SKIP_ATTENTION_ITEMS) {
		const uint r = i / SKIP_ATTENTION_V, e = i % SKIP_ATTENTION_V;
		float sum = 0.0f;
		for (uint j = 0; j < keys; j++) sum = fma(weight[r * SKIP_ATTENTION_S + j], SKIP_ATTENTION_VALUE(j)[e], sum);
		ctx[(size_t)(row + r) * SKIP_ATTENTION_V_COLS + head * SKIP_ATTENTION_V + e] = sum * inverse[r];
	}
}

#undef SKIP_ATTENTION_ITEMS
#undef SKIP_ATTENTION_K_COLS
#undef SKIP_ATTENTION_V_COLS
#undef SKIP_ATTENTION_KEY
#undef SKIP_ATTENTION_VALUE
