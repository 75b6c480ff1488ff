/*
 * The product of linear in a short type: words of E numbers, one instruction for the E products of each lane.
 *
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n] with x and w rounded first: INT 1 to int8 with one scale per row of x and of w and an
 * exact int32 sum, INT 0 to bfloat16 with a float sum. A work-item takes BLOCK tiles of MR rows, rounds them once into words, and walks its share of the
 * panels of NR = NV * VEC columns; dimension 0 are the row blocks, dimension 1 the shares, of any number.
 *
 * Numbers per word: 4 int8 (x as unsigned x + 128; what that adds to a sum depends on w alone and comes with it), 2 int16 that hold int8, 2 bfloat16.
 * ASM 1: vpdpbusd, vpmaddwd and vpaddd, vdpbf16ps; 0: the same in plain arithmetic (bfloat16: two fused multiply-adds, low number first).
 * K N: sizes; MR NV VEC BLOCK: tile; E INT ASM: form; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument there.
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
#error "SKIP_LINEAR_BLOCK: row tiles of a work-item"
#endif
#ifndef SKIP_LINEAR_E
#error "SKIP_LINEAR_E: numbers in a word, 2 or 4"
#endif
#ifndef SKIP_LINEAR_INT
#error "SKIP_LINEAR_INT: 0 or 1"
#endif
#ifndef SKIP_LINEAR_ASM
#error "SKIP_LINEAR_ASM: 0 or 1"
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
#if SKIP_LINEAR_ASM && !(defined(__x86_64__) && (SKIP_LINEAR_VEC == 8 ? defined(__AVX2__) : defined(__AVX512F__)))
#error "assembly of x86-64: this device is none, or has no vectors of this width"
#endif

#define SKIP_LINEAR_V SKIP_PASTE(float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_INT_V SKIP_PASTE(int, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_LOAD SKIP_PASTE(vload, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_STORE SKIP_PASTE(vstore, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_AS_FLOAT SKIP_PASTE(as_float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_TO_FLOAT SKIP_PASTE(convert_float, SKIP_LINEAR_VEC)
#define SKIP_LINEAR_ACT_V SKIP_PASTE(SKIP_LINEAR_ACT, SKIP_PASTE(_f, SKIP_LINEAR_VEC))
#define SKIP_LINEAR_NR (SKIP_LINEAR_NV * SKIP_LINEAR_VEC)
#define SKIP_LINEAR_PANELS ((SKIP_LINEAR_N + SKIP_LINEAR_NR - 1) / SKIP_LINEAR_NR)
#define SKIP_LINEAR_TAIL (SKIP_LINEAR_N % SKIP_LINEAR_NR) /* real columns of a last panel that is not full */
#define SKIP_LINEAR_KW ((SKIP_LINEAR_K + SKIP_LINEAR_E - 1) / SKIP_LINEAR_E) /* words of a row of w */
#define SKIP_LINEAR_XW ((SKIP_LINEAR_K + 15) / 16 * 16 / SKIP_LINEAR_E) /* words of a row of x: whole vectors of 16 numbers */
#define SKIP_LINEAR_PANEL ((SKIP_LINEAR_KW + 2 * SKIP_LINEAR_INT) * SKIP_LINEAR_NV) /* vectors of a panel */
#define SKIP_LINEAR_ROUND 0x1.8p+23f /* added, it leaves the nearest integer in the low bits */
#if SKIP_LINEAR_INT
#define SKIP_LINEAR_SUM_V SKIP_LINEAR_INT_V
#else
#define SKIP_LINEAR_SUM_V SKIP_LINEAR_V
#endif

/* 16 numbers as 16 / E words. */
#if !SKIP_LINEAR_INT
static inline uint8 SKIP_JOIN(SKIP_LINEAR_NAME, pack)(float16 x, float inverse)
{
	const uint16 bits = as_uint16(x), near = bits + 0x7fff + (bits >> 16 & 1); /* to the nearest, ties to even */
	return near.even >> 16 | (near.odd & 0xffff0000u);
}
#define SKIP_LINEAR_PUT(words, to) vstore8(words, 0, to)
#elif SKIP_LINEAR_E == 4
static inline uint4 SKIP_JOIN(SKIP_LINEAR_NAME, pack)(float16 x, float inverse)
{
	const uint16 bits = as_uint16(fma(x, (float16)(inverse), (float16)(SKIP_LINEAR_ROUND + 128.0f)));
	return as_uint4(convert_uchar16(bits & 0xff));
}
#define SKIP_LINEAR_PUT(words, to) vstore4(words, 0, to)
#else
static inline uint8 SKIP_JOIN(SKIP_LINEAR_NAME, pack)(float16 x, float inverse)
{
	/* The integer sits in the low bits of a number that starts with 0x4b40: sign-extending 16 of them gives the int16. */
	const uint16 bits = as_uint16(fma(x, (float16)(inverse), (float16)(SKIP_LINEAR_ROUND)));
	return (bits.even & 0xffff) | bits.odd << 16;
}
#define SKIP_LINEAR_PUT(words, to) vstore8(words, 0, to)
#endif

/* sum + the E products of each lane: one word of x against a word of w per lane. */
static inline SKIP_LINEAR_SUM_V SKIP_JOIN(SKIP_LINEAR_NAME, dot)(SKIP_LINEAR_SUM_V sum, uint x, SKIP_LINEAR_INT_V w)
{
	const SKIP_LINEAR_INT_V xs = (SKIP_LINEAR_INT_V)((int)x);
#if SKIP_LINEAR_ASM && !SKIP_LINEAR_INT
	__asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(xs), "v"(w));
#elif SKIP_LINEAR_ASM && SKIP_LINEAR_E == 4
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(xs), "v"(w));
#elif SKIP_LINEAR_ASM
	SKIP_LINEAR_INT_V two;
	__asm__("vpmaddwd %2, %1, %0" : "=v"(two) : "v"(xs), "v"(w));
	sum += two;
#elif !SKIP_LINEAR_INT
	sum = fma(SKIP_LINEAR_AS_FLOAT(xs << 16), SKIP_LINEAR_AS_FLOAT(w << 16), sum);
	sum = fma(SKIP_LINEAR_AS_FLOAT(xs & (int)0xffff0000), SKIP_LINEAR_AS_FLOAT(w & (int)0xffff0000), sum);
#elif SKIP_LINEAR_E == 4
	sum += (xs & 0xff) * (w << 24 >> 24) + (xs >> 8 & 0xff) * (w << 16 >> 24) + (xs >> 16 & 0xff) * (w << 8 >> 24) + (xs >> 24 & 0xff) * (w >> 24);
#else
	sum += (xs << 16 >> 16) * (w << 16 >> 16) + (xs >> 16) * (w >> 16);
#endif
	return sum;
}

/* A row of x as words; gives its scale. */
static inline float SKIP_JOIN(SKIP_LINEAR_NAME, convert)(__global const float *x, uint *words)
{
	float scale = 1.0f, inverse = 1.0f;
#if SKIP_LINEAR_INT
	float most = 0.0f;
#if SKIP_LINEAR_K >= 16
	float16 top = fabs(vload16(0, x));
	for (uint k = 16; k + 16 <= SKIP_LINEAR_K; k += 16) {
		const float16 size = fabs(vload16(0, x + k));
		top = size > top ? size : top;
	}
	most = skip_max_f16(top);
#endif
	for (uint k = SKIP_LINEAR_K & ~15u; k < SKIP_LINEAR_K; k++) most = max(most, fabs(x[k]));
	scale = most * 0x1.020408p-7f; /* 1 / 127 */
	inverse = most > 0x1p-100f ? 127.0f / most : 0.0f;
#endif
	for (uint k = 0; k + 16 <= SKIP_LINEAR_K; k += 16) {
		SKIP_LINEAR_PUT(SKIP_JOIN(SKIP_LINEAR_NAME, pack)(vload16(0, x + k), inverse), words + k / SKIP_LINEAR_E);
	}
#if SKIP_LINEAR_K % 16
	float last[16];
	for (uint k = 0; k < 16; k++) last[k] = k < SKIP_LINEAR_K % 16 ? x[(SKIP_LINEAR_K & ~15u) + k] : 0.0f;
	SKIP_LINEAR_PUT(SKIP_JOIN(SKIP_LINEAR_NAME, pack)(vload16(0, last), inverse), words + (SKIP_LINEAR_K & ~15u) / SKIP_LINEAR_E);
#endif
	return scale;
}

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_GROUP))) void SKIP_LINEAR_NAME(
	__global const float *restrict x, /* [M][K] */
	__global const SKIP_LINEAR_INT_V *restrict w, /* [ceil(N / NR)][PANEL] vectors: [KW][NV] words, with INT [NV] scales and [NV] starts of the sums */
#if SKIP_LINEAR_BIAS
	__global const SKIP_LINEAR_V *restrict bias, /* [ceil(N / NR)][NV] vectors */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y, /* [M][N] */
	uint row0)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0 && SKIP_LINEAR_K <= 65536 && SKIP_LINEAR_BLOCK > 0);
	SKIP_REQUIRE(registers, SKIP_LINEAR_MR > 0 && SKIP_LINEAR_NV > 0 && SKIP_LINEAR_MR * SKIP_LINEAR_NV <= 24);
	const size_t m = row0 + get_global_id(0) * (SKIP_LINEAR_MR * SKIP_LINEAR_BLOCK);
	const uint share = (uint)get_global_id(1), shares = (uint)get_global_size(1);
	const uint first = share * SKIP_LINEAR_PANELS / shares, end = (share + 1) * SKIP_LINEAR_PANELS / shares;
	uint words[SKIP_LINEAR_MR * SKIP_LINEAR_BLOCK * SKIP_LINEAR_XW];
	float scale[SKIP_LINEAR_MR * SKIP_LINEAR_BLOCK];
	for (uint i = 0; i < SKIP_LINEAR_MR * SKIP_LINEAR_BLOCK; i++) {
		scale[i] = SKIP_JOIN(SKIP_LINEAR_NAME, convert)(x + (m + i) * SKIP_LINEAR_K, words + i * SKIP_LINEAR_XW);
	}
	for (uint panel = first; panel < end; panel++) {
		__global const SKIP_LINEAR_INT_V *wp = w + (size_t)panel * SKIP_LINEAR_PANEL;
		for (uint tile = 0; tile < SKIP_LINEAR_BLOCK; tile++) {
			const uint *xp = words + tile * (SKIP_LINEAR_MR * SKIP_LINEAR_XW);
			SKIP_LINEAR_SUM_V sum[SKIP_LINEAR_MR][SKIP_LINEAR_NV];
			SKIP_UNROLL(SKIP_LINEAR_MR)
			for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_INT
					sum[i][v] = wp[(SKIP_LINEAR_KW + 1) * SKIP_LINEAR_NV + v];
#elif SKIP_LINEAR_BIAS
					sum[i][v] = bias[panel * SKIP_LINEAR_NV + v];
#else
					sum[i][v] = (SKIP_LINEAR_SUM_V)(0.0f);
#endif
				}
			}
			for (uint k = 0; k < SKIP_LINEAR_KW; k++) {
				SKIP_LINEAR_INT_V wk[SKIP_LINEAR_NV];
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) wk[v] = wp[k * SKIP_LINEAR_NV + v];
				SKIP_UNROLL(SKIP_LINEAR_MR)
				for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
					const uint xk = xp[i * SKIP_LINEAR_XW + k];
					SKIP_UNROLL(SKIP_LINEAR_NV)
					for (uint v = 0; v < SKIP_LINEAR_NV; v++) sum[i][v] = SKIP_JOIN(SKIP_LINEAR_NAME, dot)(sum[i][v], xk, wk[v]);
				}
			}
			const size_t at = (m + tile * SKIP_LINEAR_MR) * SKIP_LINEAR_N + panel * SKIP_LINEAR_NR;
			SKIP_UNROLL(SKIP_LINEAR_MR)
			for (uint i = 0; i < SKIP_LINEAR_MR; i++) {
				SKIP_LINEAR_V out[SKIP_LINEAR_NV];
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_INT
					out[v] = SKIP_LINEAR_TO_FLOAT(sum[i][v]) * (SKIP_LINEAR_AS_FLOAT(wp[SKIP_LINEAR_KW * SKIP_LINEAR_NV + v]) * scale[tile * SKIP_LINEAR_MR + i]);
#if SKIP_LINEAR_BIAS
					out[v] += bias[panel * SKIP_LINEAR_NV + v];
#endif
#else
					out[v] = sum[i][v];
#endif
					out[v] = SKIP_LINEAR_ACT_V(out[v]);
				}
#if SKIP_LINEAR_TAIL
				if (panel == SKIP_LINEAR_N / SKIP_LINEAR_NR) {
					float lane[SKIP_LINEAR_NR];
					SKIP_UNROLL(SKIP_LINEAR_NV)
					for (uint v = 0; v < SKIP_LINEAR_NV; v++) SKIP_LINEAR_STORE(out[v], v, lane);
					for (uint j = 0; j < SKIP_LINEAR_TAIL; j++) {
#if SKIP_LINEAR_RESIDUAL
						lane[j] += residual[at + i * SKIP_LINEAR_N + j];
#endif
						y[at + i * SKIP_LINEAR_N + j] = lane[j];
					}
					continue;
				}
#endif
				SKIP_UNROLL(SKIP_LINEAR_NV)
				for (uint v = 0; v < SKIP_LINEAR_NV; v++) {
#if SKIP_LINEAR_RESIDUAL
					out[v] += SKIP_LINEAR_LOAD(v, residual + at + i * SKIP_LINEAR_N);
#endif
					SKIP_LINEAR_STORE(out[v], v, y + at + i * SKIP_LINEAR_N);
				}
			}
		}
	}
}

#undef SKIP_LINEAR_V
#undef SKIP_LINEAR_INT_V
#undef SKIP_LINEAR_LOAD
#undef SKIP_LINEAR_STORE
#undef SKIP_LINEAR_AS_FLOAT
#undef SKIP_LINEAR_TO_FLOAT
#undef SKIP_LINEAR_ACT_V
#undef SKIP_LINEAR_NR
#undef SKIP_LINEAR_PANELS
#undef SKIP_LINEAR_TAIL
#undef SKIP_LINEAR_KW
#undef SKIP_LINEAR_XW
#undef SKIP_LINEAR_PANEL
#undef SKIP_LINEAR_ROUND
#undef SKIP_LINEAR_SUM_V
#undef SKIP_LINEAR_PUT
