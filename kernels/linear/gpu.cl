/*
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n], one work-group per block of MR rows and NR = NV * VEC columns: slabs of BK columns of x
 * and BK rows of the panel lie in local memory, two of each, so that the next ones come while these are multiplied. A work-item keeps TM rows of VEC
 * columns. Dimension 0 are row blocks, dimension 1 panels.
 *
 * Sum: one fma per k, in order, from the bias on. K N: sizes; MR NV VEC: block; TM: rows of a work-item; BK: depth of a slab; ACT: skip_none skip_gelu
 * skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument there.
 * Edges: rows past the last one are read from slack and written to slack; columns past N have zero weights and are not written.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: depth of the product"
#endif
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_MR
#error "SKIP_LINEAR_MR: rows of a block"
#endif
#ifndef SKIP_LINEAR_NV
#error "SKIP_LINEAR_NV: vectors in a row of a block"
#endif
#ifndef SKIP_LINEAR_VEC
#error "SKIP_LINEAR_VEC: lanes of a vector, 4, 8 or 16"
#endif
#ifndef SKIP_LINEAR_TM
#error "SKIP_LINEAR_TM: rows of a work-item"
#endif
#ifndef SKIP_LINEAR_BK
#error "SKIP_LINEAR_BK: depth of a slab"
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

#define SKIP_LINEAR_V SKIP_PASTE(float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_LOAD SKIP_PASTE(vload, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_STORE SKIP_PASTE(vstore, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_ACT_V SKIP_PASTE(SKIP_LINEAR_ACT, SKIP_PASTE(_f, SKIP_LINEAR_VEC))
#define SKIP_LINEAR_NR (SKIP_LINEAR_NV * SKIP_LINEAR_VEC)
#define SKIP_LINEAR_TAIL (SKIP_LINEAR_N % SKIP_LINEAR_NR) /* real columns of a last panel that is not full */
#define SKIP_LINEAR_ITEMS (SKIP_LINEAR_MR / SKIP_LINEAR_TM * SKIP_LINEAR_NV)
#define SKIP_LINEAR_SLABS ((SKIP_LINEAR_K + SKIP_LINEAR_BK - 1) / SKIP_LINEAR_BK)
#define SKIP_LINEAR_XROW (SKIP_LINEAR_MR + 1) /* a row more, so that the columns of a slab begin in different banks */

/* Slab s of x, turned, and of the panel; zeros behind column K. */
static inline void SKIP_JOIN(SKIP_LINEAR_NAME, fetch)(__global const float *x, __global const float *w, uint s, uint item, __local float *xs, __local float *ws)
{
	for (uint i = item; i < SKIP_LINEAR_MR * SKIP_LINEAR_BK / 4; i += SKIP_LINEAR_ITEMS) {
		const uint row = i / (SKIP_LINEAR_BK / 4), k = i % (SKIP_LINEAR_BK / 4) * 4, at = s * SKIP_LINEAR_BK + k;
		__local float *to = xs + k * SKIP_LINEAR_XROW + row;
		__global const float *from = x + row * SKIP_LINEAR_K + at;
#if SKIP_LINEAR_K % SKIP_LINEAR_BK
		if (at + 4 > SKIP_LINEAR_K) {
			for (uint j = 0; j < 4; j++) to[j * SKIP_LINEAR_XROW] = at + j < SKIP_LINEAR_K ? from[j] : 0.0f;
			continue;
		}
#endif
		const float4 four = vload4(0, from);
		to[0] = four.s0;
		to[SKIP_LINEAR_XROW] = four.s1;
		to[2 * SKIP_LINEAR_XROW] = four.s2;
		to[3 * SKIP_LINEAR_XROW] = four.s3;
	}
	for (uint i = item; i < SKIP_LINEAR_BK * SKIP_LINEAR_NV; i += SKIP_LINEAR_ITEMS) {
		SKIP_LINEAR_V row = (SKIP_LINEAR_V)(0.0f);
		if (s * SKIP_LINEAR_BK + i / SKIP_LINEAR_NV < SKIP_LINEAR_K) row = SKIP_LINEAR_LOAD(s * SKIP_LINEAR_BK * SKIP_LINEAR_NV + i, w);
		SKIP_LINEAR_STORE(row, i, ws);
	}
}

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_GROUP))) void SKIP_LINEAR_NAME(
	__global const float *restrict x, /* [M][K] */
	__global const float *restrict w, /* [ceil(N / NR)][K][NR] */
#if SKIP_LINEAR_BIAS
	__global const float *restrict bias, /* [ceil(N / NR)][NR] */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y, /* [M][N] */
	uint row0)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0);
	SKIP_REQUIRE(block, SKIP_LINEAR_MR % SKIP_LINEAR_TM == 0 && SKIP_LINEAR_BK % 4 == 0 && SKIP_LINEAR_TM > 0);
	__local float xs[2][SKIP_LINEAR_BK * SKIP_LINEAR_XROW], ws[2][SKIP_LINEAR_BK * SKIP_LINEAR_NR];
	const uint item = (uint)get_local_id(0), panel = (uint)get_group_id(1), column = item % SKIP_LINEAR_NV, row = item / SKIP_LINEAR_NV * SKIP_LINEAR_TM;
	const size_t m = row0 + get_group_id(0) * SKIP_LINEAR_MR;
	x += m * SKIP_LINEAR_K;
	w += (size_t)panel * SKIP_LINEAR_K * SKIP_LINEAR_NR;
	SKIP_LINEAR_V sum[SKIP_LINEAR_TM];
	for (uint i = 0; i < SKIP_LINEAR_TM; i++) {
#if SKIP_LINEAR_BIAS
		sum[i] = SKIP_LINEAR_LOAD(panel * SKIP_LINEAR_NV + column, bias);
#else
		sum[i] = (SKIP_LINEAR_V)(0.0f);
#endif
	}
	SKIP_JOIN(SKIP_LINEAR_NAME, fetch)(x, w, 0, item, xs[0], ws[0]);
	for (uint s = 0; s < SKIP_LINEAR_SLABS; s++) {
		const uint now = s & 1;
		barrier(CLK_LOCAL_MEM_FENCE);
		if (s + 1 < SKIP_LINEAR_SLABS) SKIP_JOIN(SKIP_LINEAR_NAME, fetch)(x, w, s + 1, item, xs[now ^ 1], ws[now ^ 1]);
		for (uint k = 0; k < SKIP_LINEAR_BK; k++) {
			const SKIP_LINEAR_V wk = SKIP_LINEAR_LOAD(k * SKIP_LINEAR_NV + column, ws[now]);
			SKIP_UNROLL(SKIP_LINEAR_TM)
			for (uint i = 0; i < SKIP_LINEAR_TM; i++) {
				sum[i] = fma((SKIP_LINEAR_V)(xs[now][k * SKIP_LINEAR_XROW + row + i]), wk, sum[i]);
			}
		}
	}
	const uint n = panel * SKIP_LINEAR_NR + column * SKIP_LINEAR_VEC;
	for (uint i = 0; i < SKIP_LINEAR_TM; i++) {
		const size_t at = (m + row + i) * SKIP_LINEAR_N + n;
		SKIP_LINEAR_V out = SKIP_LINEAR_ACT_V(sum[i]);
#if SKIP_LINEAR_TAIL
		if (n + SKIP_LINEAR_VEC > SKIP_LINEAR_N) {
			float lane[SKIP_LINEAR_VEC];
			SKIP_LINEAR_STORE(out, 0, lane);
			for (uint j = 0; n + j < SKIP_LINEAR_N; j++) {
#if SKIP_LINEAR_RESIDUAL
				lane[j] += residual[at + j];
#endif
				y[at + j] = lane[j];
			}
			continue;
		}
#endif
#if SKIP_LINEAR_RESIDUAL
		out += SKIP_LINEAR_LOAD(0, residual + at);
#endif
		SKIP_LINEAR_STORE(out, 0, y + at);
	}
}

#undef SKIP_LINEAR_V
#undef SKIP_LINEAR_LOAD
#undef SKIP_LINEAR_STORE
#undef SKIP_LINEAR_ACT_V
#undef SKIP_LINEAR_NR
#undef SKIP_LINEAR_TAIL
#undef SKIP_LINEAR_ITEMS
#undef SKIP_LINEAR_SLABS
#undef SKIP_LINEAR_XROW
