/*
 * The gradient of a weight is a product of depth T, dw[n][k] = sum_m dy[m][n] x[m][k]. Both factors are first packed into tiles that are
 * walked in order of memory; then each work-item keeps a register tile of OUTPUTS x VECTORS * VEC sums over all rows, one fma per row, in
 * order.
 *
 * Kernels:
 * PACK  a [M][COLS] -> tiles [ceil(COLS / WIDTH)][M][WIDTH], zeros after COLS; ROWS rows per work-item.
 * WEIGHT  of packed dy (WIDTH = OUTPUTS) and packed x (WIDTH = VECTORS * VEC); dimension 0 walks tiles of n (neighbours share a tile of x),
 *   dimension 1 tiles of k. Sums past N or K are not written.
 * BIAS  db[n] = sum_m dy[m][n], VECTORS * VEC columns per work-item, at most N of them; the last work-item ends with the row: it repeats
 *   sums of its neighbour, with the same values.
 * N: columns of dy; K: columns of x. M = rows, at run time.
 */
#ifdef SKIP_LINEAR_DW_KERNEL_PACK
#ifndef SKIP_LINEAR_DW_COLS
#error "SKIP_LINEAR_DW_COLS: columns of the factor"
#endif
#ifndef SKIP_LINEAR_DW_WIDTH
#error "SKIP_LINEAR_DW_WIDTH: columns of a tile"
#endif
#ifndef SKIP_LINEAR_DW_ROWS
#error "SKIP_LINEAR_DW_ROWS: rows of a work-item"
#endif
#else
#ifndef SKIP_LINEAR_DW_N
#error "SKIP_LINEAR_DW_N: columns of dy"
#endif
#ifndef SKIP_LINEAR_DW_VECTORS
#error "SKIP_LINEAR_DW_VECTORS: vectors of a tile"
#endif
#ifndef SKIP_LINEAR_DW_VEC
#error "SKIP_LINEAR_DW_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_LINEAR_DW_F SKIP_PASTE(float, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LINEAR_DW_VEC, i, p)
#define SKIP_LINEAR_DW_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LINEAR_DW_VEC, i, p) = (v)
#define SKIP_LINEAR_DW_TILE (SKIP_LINEAR_DW_VECTORS * SKIP_LINEAR_DW_VEC)
#endif
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
#ifndef SKIP_LINEAR_DW_K
#error "SKIP_LINEAR_DW_K: columns of x"
#endif
#ifndef SKIP_LINEAR_DW_OUTPUTS
#error "SKIP_LINEAR_DW_OUTPUTS: rows of dw of a tile"
#endif
#endif

#ifdef SKIP_LINEAR_DW_KERNEL_PACK
SKIP_KERNEL(SKIP_LINEAR_DW_GROUP) void SKIP_LINEAR_DW_NAME(
	SKIP_ITEM
	__global const float *restrict a,     /* [M][COLS] */
	__global float *restrict tiles, /* [ceil(COLS / WIDTH)][M][WIDTH] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_COLS > 0 && SKIP_LINEAR_DW_WIDTH > 0 && SKIP_LINEAR_DW_ROWS > 0);
	const uint first = SKIP_ID(0) * SKIP_LINEAR_DW_ROWS, last = min(first + SKIP_LINEAR_DW_ROWS, (uint)rows);
	for (uint tile = 0; tile < SKIP_LINEAR_DW_COLS / SKIP_LINEAR_DW_WIDTH; tile++) {
		__global float *to = tiles + (size_t)tile * (uint)rows * SKIP_LINEAR_DW_WIDTH;
		for (uint m = first; m < last; m++) {
			__global const float *from = a + m * SKIP_LINEAR_DW_COLS + tile * SKIP_LINEAR_DW_WIDTH;
			SKIP_UNROLL(SKIP_LINEAR_DW_WIDTH)
			for (uint j = 0; j < SKIP_LINEAR_DW_WIDTH; j++) to[m * SKIP_LINEAR_DW_WIDTH + j] = from[j];
		}
	}
#if SKIP_LINEAR_DW_COLS % SKIP_LINEAR_DW_WIDTH
	__global float *to = tiles + (size_t)(SKIP_LINEAR_DW_COLS / SKIP_LINEAR_DW_WIDTH) * (uint)rows * SKIP_LINEAR_DW_WIDTH;
	for (uint m = first; m < last; m++) {
		__global const float *from = a + m * SKIP_LINEAR_DW_COLS + SKIP_LINEAR_DW_COLS / SKIP_LINEAR_DW_WIDTH * SKIP_LINEAR_DW_WIDTH;
		for (uint j = 0; j < SKIP_LINEAR_DW_WIDTH; j++)
			to[m * SKIP_LINEAR_DW_WIDTH + j] = j < SKIP_LINEAR_DW_COLS % SKIP_LINEAR_DW_WIDTH ? from[j] : 0.0f;
	}
#endif
}
#endif

#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
SKIP_KERNEL(SKIP_LINEAR_DW_GROUP) void SKIP_LINEAR_DW_NAME(
	SKIP_ITEM
	__global const float *restrict dy,           /* [ceil(N / OUTPUTS)][M][OUTPUTS] */
	__global const SKIP_LINEAR_DW_F *restrict x, /* [ceil(K / TILE)][M][VECTORS] vectors */
	__global float *restrict dw,                 /* [N][K] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N > 0 && SKIP_LINEAR_DW_K > 0);
	SKIP_REQUIRE(registers, SKIP_LINEAR_DW_OUTPUTS * SKIP_LINEAR_DW_VECTORS <= 24);
	const uint n = SKIP_ID(0) * SKIP_LINEAR_DW_OUTPUTS, tile = SKIP_ID(1), k = tile * SKIP_LINEAR_DW_TILE;
	SKIP_LINEAR_DW_F sum[SKIP_LINEAR_DW_OUTPUTS][SKIP_LINEAR_DW_VECTORS];
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = (SKIP_LINEAR_DW_F)(0.0f);
	dy += (size_t)n * (uint)rows;
	x += (size_t)tile * (uint)rows * SKIP_LINEAR_DW_VECTORS;
	for (uint m = 0; m < (uint)rows; m++) {
		SKIP_LINEAR_DW_F v[SKIP_LINEAR_DW_VECTORS];
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) v[j] = x[m * SKIP_LINEAR_DW_VECTORS + j];
		SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
		for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++) {
			const SKIP_LINEAR_DW_F g = (SKIP_LINEAR_DW_F)(dy[m * SKIP_LINEAR_DW_OUTPUTS + i]);
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = fma(g, v[j], sum[i][j]);
		}
	}
	dw += n * SKIP_LINEAR_DW_K + k;
#if SKIP_LINEAR_DW_K % SKIP_LINEAR_DW_TILE
	if (tile == SKIP_LINEAR_DW_K / SKIP_LINEAR_DW_TILE) {
		SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
		for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++) {
			float lane[SKIP_LINEAR_DW_TILE];
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) SKIP_AT(__private, float, SKIP_LINEAR_DW_VEC, j, lane) = sum[i][j];
			for (uint j = 0; n + i < SKIP_LINEAR_DW_N && j < SKIP_LINEAR_DW_K % SKIP_LINEAR_DW_TILE; j++) dw[i * SKIP_LINEAR_DW_K + j] = lane[j];
		}
		return;
	}
#endif
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++) {
		if (n + i < SKIP_LINEAR_DW_N) {
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) SKIP_LINEAR_DW_STORE(sum[i][j], j, dw + i * SKIP_LINEAR_DW_K);
		}
	}
}
#endif

#ifdef SKIP_LINEAR_DW_KERNEL_BIAS
SKIP_KERNEL(SKIP_LINEAR_DW_GROUP) void SKIP_LINEAR_DW_NAME(
	SKIP_ITEM
	__global const float *restrict dy, /* [M][N] */
	__global float *restrict db,       /* [N] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N >= SKIP_LINEAR_DW_TILE);
	const uint n = min(SKIP_ID(0) * SKIP_LINEAR_DW_TILE, (uint)(SKIP_LINEAR_DW_N - SKIP_LINEAR_DW_TILE));
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
#undef SKIP_LINEAR_DW_TILE
