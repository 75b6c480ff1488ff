/*
 * Two products with an activation between, one row per work-item, the hidden row in private memory.
 *
 * y[m][n] = sum_f act(sum_d x[m][d] w1[f][d] + b1[f]) w2[n][f] + b2[n] + residual[m][n].
 * D: depth of the first product; F: hidden; N: columns of y; INT 1: x, the hidden row and the weights rounded to int8 with one scale per row and column, sums
 * in int32 (as kernels/linear/generic_dot.cl); ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS1, BIAS2, RESIDUAL 0 or 1.
 */
#ifndef SKIP_FFN_D
#error "SKIP_FFN_D: depth of the first product"
#endif
#ifndef SKIP_FFN_F
#error "SKIP_FFN_F: hidden columns"
#endif
#ifndef SKIP_FFN_N
#error "SKIP_FFN_N: columns of the result"
#endif
#ifndef SKIP_FFN_INT
#error "SKIP_FFN_INT: 0 or 1"
#endif
#ifndef SKIP_FFN_ACT
#error "SKIP_FFN_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_FFN_BIAS1
#error "SKIP_FFN_BIAS1: 0 or 1"
#endif
#ifndef SKIP_FFN_BIAS2
#error "SKIP_FFN_BIAS2: 0 or 1"
#endif
#ifndef SKIP_FFN_RESIDUAL
#error "SKIP_FFN_RESIDUAL: 0 or 1"
#endif

#if SKIP_FFN_INT
#define SKIP_FFN_WEIGHT int
#define SKIP_FFN_COLUMN(k) (((k) + 3) / 4 + 2)
/* 127 / largest |x|, 0 for a row of zeros; the largest comes back too. */
static inline float SKIP_JOIN(SKIP_FFN_NAME, inverse)(const float *x, uint k, float *most)
{
	*most = 0.0f;
	for (uint i = 0; i < k; i++) *most = max(*most, fabs(x[i]));
	return *most > 0x1p-100f ? 127.0f / *most : 0.0f;
}

static inline float SKIP_JOIN(SKIP_FFN_NAME, dot)(const float *x, __global const int *w, uint k, float inverse, float most)
{
	int sum = 0;
	/* Adding 1.5 * 2^23 leaves the nearest integer in the low bits. */
	for (uint i = 0; i < k; i++) sum += (as_int(fma(x[i], inverse, 0x1.8p+23f)) << 24 >> 24) * (w[i / 4] << (24 - 8 * (i % 4)) >> 24);
	return (float)sum * (as_float(w[(k + 3) / 4]) * (most * 0x1.020408p-7f));
}
#else
#define SKIP_FFN_WEIGHT float
#define SKIP_FFN_COLUMN(k) (k)
static inline float SKIP_JOIN(SKIP_FFN_NAME, dot)(const float *x, __global const float *w, uint k)
{
	float sum = 0.0f;
	for (uint i = 0; i < k; i++) sum = fma(x[i], w[i], sum);
	return sum;
}
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_FFN_GROUP))) void SKIP_FFN_NAME(
	__global const float *restrict x, /* [M][D] */
	__global const SKIP_FFN_WEIGHT *restrict w1, /* [F][D], INT: [F][ceil(D/4) + 2] words: the numbers, the scale, the start of the sum */
	__global const SKIP_FFN_WEIGHT *restrict w2, /* [N][F] likewise */
#if SKIP_FFN_BIAS1
	__global const float *restrict b1, /* [F] */
#endif
#if SKIP_FFN_BIAS2
	__global const float *restrict b2, /* [N] */
#endif
#if SKIP_FFN_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y) /* [M][N] */
{
	SKIP_REQUIRE(sizes, SKIP_FFN_D > 0 && SKIP_FFN_F > 0 && SKIP_FFN_N > 0 && SKIP_FFN_D <= 65536 && SKIP_FFN_F <= 65536);
	const size_t m = get_global_id(0);
	float row[SKIP_FFN_D], hidden[SKIP_FFN_F];
	for (uint d = 0; d < SKIP_FFN_D; d++) row[d] = x[m * SKIP_FFN_D + d];
#if SKIP_FFN_INT
	float most;
	float inverse = SKIP_JOIN(SKIP_FFN_NAME, inverse)(row, SKIP_FFN_D, &most);
#define SKIP_FFN_SCALE , inverse, most
#else
#define SKIP_FFN_SCALE
#endif
	for (uint f = 0; f < SKIP_FFN_F; f++) {
		float sum = SKIP_JOIN(SKIP_FFN_NAME, dot)(row, w1 + (size_t)f * SKIP_FFN_COLUMN(SKIP_FFN_D), SKIP_FFN_D SKIP_FFN_SCALE);
#if SKIP_FFN_BIAS1
		sum += b1[f];
#endif
		hidden[f] = SKIP_PASTE(SKIP_FFN_ACT, _f1)(sum);
	}
#if SKIP_FFN_INT
	inverse = SKIP_JOIN(SKIP_FFN_NAME, inverse)(hidden, SKIP_FFN_F, &most);
#endif
	for (uint n = 0; n < SKIP_FFN_N; n++) {
		float sum = SKIP_JOIN(SKIP_FFN_NAME, dot)(hidden, w2 + (size_t)n * SKIP_FFN_COLUMN(SKIP_FFN_F), SKIP_FFN_F SKIP_FFN_SCALE);
#if SKIP_FFN_BIAS2
		sum += b2[n];
#endif
#if SKIP_FFN_RESIDUAL
		sum += residual[m * SKIP_FFN_N + n];
#endif
		y[m * SKIP_FFN_N + n] = sum;
	}
}
#undef SKIP_FFN_WEIGHT
#undef SKIP_FFN_COLUMN
#undef SKIP_FFN_SCALE
