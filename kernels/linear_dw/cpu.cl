/*
 * A register tile per work-item, all rows in order. The last tile of a dimension is moved back so that it ends with it: it repeats sums of
 * its neighbour, with the same values.
 *
 * Kernels: WEIGHT dw[n][k] = sum_m dy[m][n] x[m][k], tile OUTPUTS x VECTORS * VEC, dimension 0 walks tiles of n (neighbours share the
 * columns of x), dimension 1 tiles of k. BIAS db[n] = sum_m dy[m][n], VECTORS * VEC columns, dimension 0 walks n.
 * N: columns of dy, WEIGHT at least OUTPUTS, BIAS at least VECTORS * VEC; K (WEIGHT only): columns of x, at least VECTORS * VEC. M = rows,
 * at run time.
 */
#ifndef SKIP_LINEAR_DW_N
#error "SKIP_LINEAR_DW_N: columns of dy"
#endif
#ifndef SKIP_LINEAR_DW_VECTORS
#error "SKIP_LINEAR_DW_VECTORS: vectors of a tile"
#endif
#ifndef SKIP_LINEAR_DW_VEC
#error "SKIP_LINEAR_DW_VEC: lanes, 4, 8 or 16"
#endif
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
#ifndef SKIP_LINEAR_DW_K
#error "SKIP_LINEAR_DW_K: columns of x"
#endif
#ifndef SKIP_LINEAR_DW_OUTPUTS
#error "SKIP_LINEAR_DW_OUTPUTS: rows of dw of a tile"
#endif
#endif
#define SKIP_LINEAR_DW_F SKIP_PASTE(float, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_LOAD SKIP_PASTE(vload, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_STORE SKIP_PASTE(vstore, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_WIDTH (SKIP_LINEAR_DW_VECTORS * SKIP_LINEAR_DW_VEC)

#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_DW_GROUP))) void SKIP_LINEAR_DW_NAME(
	__global const float *restrict dy, /* [M][N] */
	__global const float *restrict x,  /* [M][K] */
	__global float *restrict dw,       /* [N][K] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N >= SKIP_LINEAR_DW_OUTPUTS && SKIP_LINEAR_DW_K >= SKIP_LINEAR_DW_WIDTH);
	const uint n = min((uint)get_global_id(0) * SKIP_LINEAR_DW_OUTPUTS, (uint)(SKIP_LINEAR_DW_N - SKIP_LINEAR_DW_OUTPUTS));
	const uint k = min((uint)get_global_id(1) * SKIP_LINEAR_DW_WIDTH, (uint)(SKIP_LINEAR_DW_K - SKIP_LINEAR_DW_WIDTH));
	SKIP_LINEAR_DW_F sum[SKIP_LINEAR_DW_OUTPUTS][SKIP_LINEAR_DW_VECTORS];
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = (SKIP_LINEAR_DW_F)(0.0f);
	dy += n;
	x += k;
	for (uint m = 0; m < (uint)rows; m++) {
		SKIP_LINEAR_DW_F v[SKIP_LINEAR_DW_VECTORS];
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) v[j] = SKIP_LINEAR_DW_LOAD(j, x);
		SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
		for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = fma((SKIP_LINEAR_DW_F)(dy[i]), v[j], sum[i][j]);
		dy += SKIP_LINEAR_DW_N;
		x += SKIP_LINEAR_DW_K;
	}
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) SKIP_LINEAR_DW_STORE(sum[i][j], j, dw + (n + i) * SKIP_LINEAR_DW_K + k);
}
#else
__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_DW_GROUP))) void SKIP_LINEAR_DW_NAME(
	__global const float *restrict dy, /* [M][N] */
	__global float *restrict db,       /* [N] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N >= SKIP_LINEAR_DW_WIDTH);
	const uint n = min((uint)get_global_id(0) * SKIP_LINEAR_DW_WIDTH, (uint)(SKIP_LINEAR_DW_N - SKIP_LINEAR_DW_WIDTH));
	SKIP_LINEAR_DW_F sum[SKIP_LINEAR_DW_VECTORS];
	SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
	for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[j] = (SKIP_LINEAR_DW_F)(0.0f);
	for (uint m = 0; m < (uint)rows; m++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[j] += SKIP_LINEAR_DW_LOAD(j, dy + m * SKIP_LINEAR_DW_N + n);
	SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
	for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) SKIP_LINEAR_DW_STORE(sum[j], j, db + n);
}
#endif
#undef SKIP_LINEAR_DW_F
#undef SKIP_LINEAR_DW_LOAD
#undef SKIP_LINEAR_DW_STORE
#undef SKIP_LINEAR_DW_WIDTH
