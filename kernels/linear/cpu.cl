/*
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n], one work-item per tile of MR rows and NR = NV * VEC columns. Dimensions are row tiles
 * and panels; within them items are dealt out in blocks of BLOCK row tiles, so that neighbours share a weight panel and the rows of a block stay in
 * cache until they have met every panel.
 *
 * The MR * NV sums of a tile stay in registers; each step of k loads NV vectors of the panel and broadcasts MR numbers of x. Sum: one fma per k, in order.
 * A panel is as large as the first-level cache and larger, so every tile reads it from the second level: the vectors of AHEAD steps on are asked for.
 * The last tile of a panel also asks for the next panel, which would else come at the pace of memory while nothing of it is left to do.
 * K N: sizes; MR NV VEC: tile; BLOCK: row tiles; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument there.
 * Edges: rows past the last one are read from slack and written to slack; columns past N have zero weights and are not written.
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
#error "SKIP_LINEAR_BLOCK: row tiles whose rows of x stay in cache"
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
#define SKIP_LINEAR_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LINEAR_VEC, i, p)
#define SKIP_LINEAR_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LINEAR_VEC, i, p) = (v)
#define SKIP_LINEAR_ACT_V SKIP_PASTE(SKIP_LINEAR_ACT, SKIP_PASTE(_f, SKIP_LINEAR_VEC))
#define SKIP_LINEAR_NR (SKIP_LINEAR_NV * SKIP_LINEAR_VEC)
#define SKIP_LINEAR_PANELS ((SKIP_LINEAR_N + SKIP_LINEAR_NR - 1) / SKIP_LINEAR_NR)
#define SKIP_LINEAR_AHEAD 16 /* 4 are enough for the second level, 16 for the last one */
/* Steps of k in a round of the loop. */
#if SKIP_LINEAR_K % 4 == 0
#define SKIP_LINEAR_STEPS 4
#elif SKIP_LINEAR_K % 2 == 0
#define SKIP_LINEAR_STEPS 2
#else
#define SKIP_LINEAR_STEPS 1
#endif
#define SKIP_LINEAR_TAIL (SKIP_LINEAR_N % SKIP_LINEAR_NR) /* real columns of a last panel that is not full */

/* The MR rows from m on in the columns of the panel w; bias and residual are read where BIAS and RESIDUAL say so, the panel `ahead` is asked for. */
SKIP_APART void SKIP_JOIN(SKIP_LINEAR_NAME, tile)(__global const float *x, __global const SKIP_LINEAR_V *w, __global const SKIP_LINEAR_V *ahead,
						  __global const SKIP_LINEAR_V *bias, __global const float *residual, __global float *y, size_t m, uint panel)
{
	x += m * SKIP_LINEAR_K;
	SKIP_LINEAR_V sum[SKIP_LINEAR_MR][SKIP_LINEAR_NV];
	SKIP_UNROLL(SKIP_LINEAR_MR)
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_BIAS
			sum[i][v] = bias[panel * SKIP_LINEAR_NV + v];
#else
			sum[i][v] = (SKIP_LINEAR_V)(0.0f);
#endif
		}
	}
	for (uint k = 0; k < SKIP_LINEAR_K; k += SKIP_LINEAR_STEPS) {
		SKIP_UNROLL(SKIP_LINEAR_STEPS)
		for (uint s = 0; s < SKIP_LINEAR_STEPS; s++) {
			SKIP_LINEAR_V wk[SKIP_LINEAR_NV];
			SKIP_UNROLL(SKIP_LINEAR_NV)
			for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
				wk[v] = w[s * SKIP_LINEAR_NV + v];
				if ((s * SKIP_LINEAR_NV + v) * SKIP_LINEAR_VEC % 16) continue; /* a cache line is asked for once */
				SKIP_PREFETCH_NEAR(w + (SKIP_LINEAR_AHEAD + s) * SKIP_LINEAR_NV + v);
				SKIP_PREFETCH(ahead + s * SKIP_LINEAR_NV + v);
			}
			SKIP_UNROLL(SKIP_LINEAR_MR)
			for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
				const SKIP_LINEAR_V xk = (SKIP_LINEAR_V)(x[i * SKIP_LINEAR_K + s]);
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) sum[i][v] = fma(xk, wk[v], sum[i][v]);
			}
		}
		x += SKIP_LINEAR_STEPS;
		w += SKIP_LINEAR_STEPS * SKIP_LINEAR_NV;
		ahead += SKIP_LINEAR_STEPS * SKIP_LINEAR_NV;
	}
	SKIP_LINEAR_V done[SKIP_LINEAR_MR][SKIP_LINEAR_NV];
	SKIP_UNROLL(SKIP_LINEAR_MR)
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) done[i][v] = sum[i][v];
	}
	y += m * SKIP_LINEAR_N + panel * SKIP_LINEAR_NR;
#if SKIP_LINEAR_RESIDUAL
	residual += m * SKIP_LINEAR_N + panel * SKIP_LINEAR_NR;
#endif
	/* Row by row: the activation of all sums at once would spill them, and takes the compiler longer than the product. */
	SKIP_UNROLL(1)
	for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
		SKIP_LINEAR_V row[SKIP_LINEAR_NV];
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
			row[v] = SKIP_LINEAR_ACT_V(done[i][v]);
#if SKIP_LINEAR_RESIDUAL
			row[v] += SKIP_LINEAR_LOAD(v, residual + i * SKIP_LINEAR_N);
#endif
		}
#if SKIP_LINEAR_TAIL
		if (panel == SKIP_LINEAR_N / SKIP_LINEAR_NR) {
			SKIP_UNROLL(SKIP_LINEAR_NV)
			for (uint v = 0; v < SKIP_LINEAR_TAIL / SKIP_LINEAR_VEC; v++) SKIP_LINEAR_STORE(row[v], v, y + i * SKIP_LINEAR_N);
#if SKIP_LINEAR_TAIL % SKIP_LINEAR_VEC
			float lane[SKIP_LINEAR_VEC];
			SKIP_AT(__private, float, SKIP_LINEAR_VEC, 0, lane) = row[SKIP_LINEAR_TAIL / SKIP_LINEAR_VEC];
			for (uint j = 0; j < SKIP_LINEAR_TAIL % SKIP_LINEAR_VEC; j++) {
				y[i * SKIP_LINEAR_N + SKIP_LINEAR_TAIL / SKIP_LINEAR_VEC * SKIP_LINEAR_VEC + j] = lane[j];
			}
#endif
			continue;
		}
#endif
		SKIP_UNROLL(SKIP_LINEAR_NV)
		for (uint v = 0; v < SKIP_LINEAR_NV; v++) SKIP_LINEAR_STORE(row[v], v, y + i * SKIP_LINEAR_N);
	}
}

SKIP_KERNEL(SKIP_LINEAR_GROUP) void SKIP_LINEAR_NAME(
	SKIP_ITEM
	__global const float *restrict x, /* [M][K] */
	__global const SKIP_LINEAR_V *restrict w, /* [ceil(N / NR)][K][NV] vectors */
#if SKIP_LINEAR_BIAS
	__global const SKIP_LINEAR_V *restrict bias, /* [ceil(N / NR)][NV] vectors */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y, /* [M][N] */
	uint row0)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0);
	SKIP_REQUIRE(registers, SKIP_LINEAR_MR > 0 && SKIP_LINEAR_NV > 0 && SKIP_LINEAR_MR * SKIP_LINEAR_NV <= 24);
	/* Items come in order of id; blocks of BLOCK row tiles walk all panels before the next block starts. The last block may be smaller. */
	const uint tiles = SKIP_IDS(0), id = SKIP_ID(1) * tiles + SKIP_ID(0);
	const uint block = id / (SKIP_LINEAR_BLOCK * SKIP_LINEAR_PANELS), first = block * SKIP_LINEAR_BLOCK;
	const uint within = id - first * SKIP_LINEAR_PANELS, height = min(tiles - first, (uint)SKIP_LINEAR_BLOCK);
	const uint panel = within / height;
	const size_t m = row0 + (first + within - panel * height) * SKIP_LINEAR_MR;
#if !SKIP_LINEAR_BIAS
	__global const SKIP_LINEAR_V *bias = 0; /* not there */
#endif
#if !SKIP_LINEAR_RESIDUAL
	__global const float *residual = 0;
#endif
	__global const SKIP_LINEAR_V *wp = w + (size_t)panel * SKIP_LINEAR_K * SKIP_LINEAR_NV;
	/* The item behind the last one of a panel wants the next panel. */
	__global const SKIP_LINEAR_V *ahead = within - panel * height + 1 == height && panel + 1 < SKIP_LINEAR_PANELS ? wp + SKIP_LINEAR_K * SKIP_LINEAR_NV : wp;
	SKIP_JOIN(SKIP_LINEAR_NAME, tile)(x, wp, ahead, bias, residual, y, m, panel);
}

#undef SKIP_LINEAR_V
#undef SKIP_LINEAR_LOAD
#undef SKIP_LINEAR_STORE
#undef SKIP_LINEAR_ACT_V
#undef SKIP_LINEAR_NR
#undef SKIP_LINEAR_PANELS
#undef SKIP_LINEAR_AHEAD
#undef SKIP_LINEAR_STEPS
#undef SKIP_LINEAR_TAIL
