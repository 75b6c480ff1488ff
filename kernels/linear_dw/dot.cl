/*
 * The gradient of a weight from factors rounded to bfloat16, dw[n][k] = sum_m dy[m][n] x[m][k] with float sums: one instruction for two rows of each lane. Both
 * factors are first packed into words of two rows, the lower one first, in blocks of 32 rows; rows past the last one are zeros.
 *
 * Kernels:
 * PACK_X  x [M][COLS] -> [ceil(COLS / WIDTH)][ceil(M / 32)][16][WIDTH] words, one block per work-item; zeros after COLS.
 * PACK_DY  dy [M][COLS] -> the same with its blocks turned, [ceil(COLS / WIDTH) * WIDTH / 16][ceil(M / 32)][16 columns][16].
 * WEIGHT  of both; dimension 0 walks tiles of OUTPUTS rows of dw (neighbours share a tile of x), dimension 1 tiles of VECTORS * VEC columns. Sums past N or K
 *   are not written.
 * ASM 1: vdpbf16ps; 0: the same in plain arithmetic (two fused multiply-adds, lower row first); 2: tdpbf16ps on tiles of AMX, 32 rows by 32 columns.
 * N: columns of dy; K: columns of x. M = rows, at run time.
 */
#ifdef SKIP_LINEAR_DW_KERNEL_WEIGHT
#ifndef SKIP_LINEAR_DW_N
#error "SKIP_LINEAR_DW_N: columns of dy"
#endif
#ifndef SKIP_LINEAR_DW_K
#error "SKIP_LINEAR_DW_K: columns of x"
#endif
#ifndef SKIP_LINEAR_DW_OUTPUTS
#error "SKIP_LINEAR_DW_OUTPUTS: rows of dw of a tile"
#endif
#ifndef SKIP_LINEAR_DW_VECTORS
#error "SKIP_LINEAR_DW_VECTORS: vectors of a tile"
#endif
#ifndef SKIP_LINEAR_DW_VEC
#error "SKIP_LINEAR_DW_VEC: lanes, 4, 8 or 16"
#endif
#ifndef SKIP_LINEAR_DW_ASM
#error "SKIP_LINEAR_DW_ASM: 0, 1 or 2"
#endif
#if SKIP_LINEAR_DW_ASM && !(defined(__x86_64__) && SKIP_LINEAR_DW_VEC == 16 && defined(__AVX512F__))
#error "assembly of x86-64: this device is none, or has no vectors of this width"
#endif
#define SKIP_LINEAR_DW_F SKIP_PASTE(float, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_I SKIP_PASTE(int, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_AS_F SKIP_PASTE(as_float, SKIP_LINEAR_DW_VEC)
#define SKIP_LINEAR_DW_TILE (SKIP_LINEAR_DW_VECTORS * SKIP_LINEAR_DW_VEC)
#else
#ifndef SKIP_LINEAR_DW_COLS
#error "SKIP_LINEAR_DW_COLS: columns of the factor"
#endif
#ifndef SKIP_LINEAR_DW_WIDTH
#error "SKIP_LINEAR_DW_WIDTH: columns of a tile"
#endif
#endif

#ifndef SKIP_LINEAR_DW_KERNEL_WEIGHT
/* 16 columns of row m from column c on, zeros where there are none. */
static inline float16 SKIP_JOIN(SKIP_LINEAR_DW_NAME, part)(__global const float *a, uint m, uint rows, uint c)
{
	__global const float *row = a + (size_t)m * SKIP_LINEAR_DW_COLS;
	if (m >= rows || c >= SKIP_LINEAR_DW_COLS) return (float16)(0.0f);
	return c + 16 <= SKIP_LINEAR_DW_COLS ? SKIP_AT(__global const, float, 16, 0, row + c) : skip_words_last(row, c, SKIP_LINEAR_DW_COLS);
}

SKIP_KERNEL(SKIP_LINEAR_DW_GROUP) void SKIP_LINEAR_DW_NAME(
	SKIP_ITEM
	__global const float *restrict a, /* [M][COLS] */
	__global uint *restrict words,    /* in blocks of 32 rows, above */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_COLS > 0 && SKIP_LINEAR_DW_WIDTH > 0 && SKIP_LINEAR_DW_WIDTH % 16 == 0);
	const uint block = SKIP_ID(0), blocks = ((uint)rows + 31) / 32;
	for (uint c = 0; c < (SKIP_LINEAR_DW_COLS + SKIP_LINEAR_DW_WIDTH - 1) / SKIP_LINEAR_DW_WIDTH * SKIP_LINEAR_DW_WIDTH; c += 16) {
		float16 pair[16];
		for (uint p = 0; p < 16; p++)
			pair[p] = as_float16(skip_words_bf16x2_rows_f16(SKIP_JOIN(SKIP_LINEAR_DW_NAME, part)(a, block * 32 + 2 * p, (uint)rows, c),
									SKIP_JOIN(SKIP_LINEAR_DW_NAME, part)(a, block * 32 + 2 * p + 1, (uint)rows, c)));
#ifdef SKIP_LINEAR_DW_KERNEL_PACK_DY
		skip_lanes_turn_f16(pair);
		__global uint *to = words + ((size_t)(c / 16) * blocks + block) * 256;
		SKIP_UNROLL(16)
		for (uint p = 0; p < 16; p++) SKIP_AT(__global, uint, 16, p, to) = as_uint16(pair[p]);
#else
		__global uint *to = words + ((size_t)(c / SKIP_LINEAR_DW_WIDTH) * blocks + block) * 16 * SKIP_LINEAR_DW_WIDTH + c % SKIP_LINEAR_DW_WIDTH;
		SKIP_UNROLL(16)
		for (uint p = 0; p < 16; p++) SKIP_AT(__global, uint, 16, 0, to + p * SKIP_LINEAR_DW_WIDTH) = as_uint16(pair[p]);
#endif
	}
}
#else

/* Sums of a tile, [OUTPUTS][TILE], as far as dw has rows and columns there. */
static inline void SKIP_JOIN(SKIP_LINEAR_DW_NAME, write)(const float *sum, __global float *dw, uint n, uint k)
{
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS && n + i < SKIP_LINEAR_DW_N; i++) {
		for (uint j = 0; j < SKIP_LINEAR_DW_TILE && k + j < SKIP_LINEAR_DW_K; j++) dw[(size_t)(n + i) * SKIP_LINEAR_DW_K + k + j] = sum[i * SKIP_LINEAR_DW_TILE + j];
	}
}

#if SKIP_LINEAR_DW_ASM == 2
/* Registers 0 to 3 are sums, two below each other and two beside; 4 and 5 hold words of dy, 6 and 7 of x, 16 rows of 16 words each. */
#define SKIP_LINEAR_DW_TILE_LOAD(t, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_LINEAR_DW_TILE_STORE(t, p, stride) __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")
#define SKIP_LINEAR_DW_TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")
#define SKIP_LINEAR_DW_TILE_DOT(sum, dy, x) __asm__ volatile("tdpbf16ps %%tmm" #x ", %%tmm" #dy ", %%tmm" #sum : : : "memory")

SKIP_APART void SKIP_JOIN(SKIP_LINEAR_DW_NAME, tile)(__global const uint *dy, __global const uint *x, __global float *dw, uint n, uint k, uint blocks)
{
	/* A palette, 8 counts of bytes in a row, 8 of rows. */
	const uint16 shapes = (uint16)(1, 0, 0, 0, 0x400040, 0x400040, 0x400040, 0x400040, 0, 0, 0, 0, 0x10101010, 0x10101010, 0, 0);
	__asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
	SKIP_LINEAR_DW_TILE_ZERO(0);
	SKIP_LINEAR_DW_TILE_ZERO(1);
	SKIP_LINEAR_DW_TILE_ZERO(2);
	SKIP_LINEAR_DW_TILE_ZERO(3);
	for (uint b = 0; b < blocks; b++) {
		SKIP_LINEAR_DW_TILE_LOAD(4, dy + b * 256, 64);
		SKIP_LINEAR_DW_TILE_LOAD(6, x + b * 512, 128);
		SKIP_LINEAR_DW_TILE_DOT(0, 4, 6);
		SKIP_LINEAR_DW_TILE_LOAD(7, x + b * 512 + 16, 128);
		SKIP_LINEAR_DW_TILE_DOT(1, 4, 7);
		SKIP_LINEAR_DW_TILE_LOAD(5, dy + (size_t)(blocks + b) * 256, 64);
		SKIP_LINEAR_DW_TILE_DOT(2, 5, 6);
		SKIP_LINEAR_DW_TILE_DOT(3, 5, 7);
	}
	if (n + 32 <= SKIP_LINEAR_DW_N && k + 32 <= SKIP_LINEAR_DW_K) {
		__global float *to = dw + (size_t)n * SKIP_LINEAR_DW_K + k;
		SKIP_LINEAR_DW_TILE_STORE(0, to, SKIP_LINEAR_DW_K * 4);
		SKIP_LINEAR_DW_TILE_STORE(1, to + 16, SKIP_LINEAR_DW_K * 4);
		SKIP_LINEAR_DW_TILE_STORE(2, to + 16 * SKIP_LINEAR_DW_K, SKIP_LINEAR_DW_K * 4);
		SKIP_LINEAR_DW_TILE_STORE(3, to + 16 * SKIP_LINEAR_DW_K + 16, SKIP_LINEAR_DW_K * 4);
	} else {
		float sum[32 * 32];
		SKIP_LINEAR_DW_TILE_STORE(0, sum, 128);
		SKIP_LINEAR_DW_TILE_STORE(1, sum + 16, 128);
		SKIP_LINEAR_DW_TILE_STORE(2, sum + 16 * 32, 128);
		SKIP_LINEAR_DW_TILE_STORE(3, sum + 16 * 32 + 16, 128);
		SKIP_JOIN(SKIP_LINEAR_DW_NAME, write)(sum, dw, n, k);
	}
	__asm__ volatile("tilerelease" : : : "memory");
}
#else
/* sum + the products of two rows in each lane. */
static inline SKIP_LINEAR_DW_F SKIP_JOIN(SKIP_LINEAR_DW_NAME, dot)(SKIP_LINEAR_DW_F sum, uint dy, SKIP_LINEAR_DW_I x)
{
	const SKIP_LINEAR_DW_I both = (SKIP_LINEAR_DW_I)((int)dy);
#if SKIP_LINEAR_DW_ASM
	__asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(both), "v"(x));
#else
	sum = fma(SKIP_LINEAR_DW_AS_F(both << 16), SKIP_LINEAR_DW_AS_F(x << 16), sum);
	sum = fma(SKIP_LINEAR_DW_AS_F(both & (int)0xffff0000), SKIP_LINEAR_DW_AS_F(x & (int)0xffff0000), sum);
#endif
	return sum;
}

SKIP_APART void SKIP_JOIN(SKIP_LINEAR_DW_NAME, tile)(__global const uint *dy, __global const uint *x, __global float *dw, uint n, uint k, uint blocks)
{
	SKIP_LINEAR_DW_F sum[SKIP_LINEAR_DW_OUTPUTS][SKIP_LINEAR_DW_VECTORS];
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = (SKIP_LINEAR_DW_F)(0.0f);
	for (uint b = 0; b < blocks; b++, dy += 256) {
		SKIP_UNROLL(1)
		for (uint p = 0; p < 16; p++, x += SKIP_LINEAR_DW_TILE) {
			SKIP_LINEAR_DW_I v[SKIP_LINEAR_DW_VECTORS];
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) v[j] = ((__global const SKIP_LINEAR_DW_I *)x)[j];
			SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
			for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
				SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
				for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) sum[i][j] = SKIP_JOIN(SKIP_LINEAR_DW_NAME, dot)(sum[i][j], dy[i * 16 + p], v[j]);
		}
	}
	if (n + SKIP_LINEAR_DW_OUTPUTS <= SKIP_LINEAR_DW_N && k + SKIP_LINEAR_DW_TILE <= SKIP_LINEAR_DW_K) {
		SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
		for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
			SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
			for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++)
				SKIP_AT(__global, float, SKIP_LINEAR_DW_VEC, j, dw + (size_t)(n + i) * SKIP_LINEAR_DW_K + k) = sum[i][j];
		return;
	}
	float all[SKIP_LINEAR_DW_OUTPUTS * SKIP_LINEAR_DW_TILE];
	SKIP_UNROLL(SKIP_LINEAR_DW_OUTPUTS)
	for (uint i = 0; i < SKIP_LINEAR_DW_OUTPUTS; i++)
		SKIP_UNROLL(SKIP_LINEAR_DW_VECTORS)
		for (uint j = 0; j < SKIP_LINEAR_DW_VECTORS; j++) SKIP_AT(__private, float, SKIP_LINEAR_DW_VEC, j, all + i * SKIP_LINEAR_DW_TILE) = sum[i][j];
	SKIP_JOIN(SKIP_LINEAR_DW_NAME, write)(all, dw, n, k);
}
#endif

SKIP_KERNEL(SKIP_LINEAR_DW_GROUP) void SKIP_LINEAR_DW_NAME(
	SKIP_ITEM
	__global const uint *restrict dy, /* [ceil(N / OUTPUTS) * OUTPUTS / 16][ceil(M / 32)][16][16] */
	__global const uint *restrict x,  /* [ceil(K / TILE)][ceil(M / 32)][16][TILE] */
	__global float *restrict dw,      /* [N][K] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_DW_N > 0 && SKIP_LINEAR_DW_K > 0 && SKIP_LINEAR_DW_TILE % 16 == 0);
#if SKIP_LINEAR_DW_ASM == 2
	SKIP_REQUIRE(registers, SKIP_LINEAR_DW_OUTPUTS == 32 && SKIP_LINEAR_DW_VECTORS == 2);
#else
	SKIP_REQUIRE(registers, 16 % SKIP_LINEAR_DW_OUTPUTS == 0 && SKIP_LINEAR_DW_OUTPUTS * SKIP_LINEAR_DW_VECTORS <= 24);
#endif
	const uint n = SKIP_ID(0) * SKIP_LINEAR_DW_OUTPUTS, tile = SKIP_ID(1), blocks = ((uint)rows + 31) / 32;
	dy += (size_t)(n / 16) * blocks * 256 + n % 16 * 16;
	x += (size_t)tile * blocks * 16 * SKIP_LINEAR_DW_TILE;
	SKIP_JOIN(SKIP_LINEAR_DW_NAME, tile)(dy, x, dw, n, tile * SKIP_LINEAR_DW_TILE, blocks);
}
#endif
#undef SKIP_LINEAR_DW_F
#undef SKIP_LINEAR_DW_I
#undef SKIP_LINEAR_DW_AS_F
#undef SKIP_LINEAR_DW_TILE
#undef SKIP_LINEAR_DW_TILE_LOAD
#undef SKIP_LINEAR_DW_TILE_STORE
#undef SKIP_LINEAR_DW_TILE_ZERO
#undef SKIP_LINEAR_DW_TILE_DOT
