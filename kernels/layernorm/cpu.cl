/*
 * ROWS rows per work-item side by side, so that their sums do not wait for one another; a sum has VEC lanes, which are added pairwise,
 * then the D mod VEC last columns in order. Rows past the end repeat the last row.
 *
 * r = 1/sqrt(var + EPS), xh = (x - mean) r. MAIN: y = gamma xh + beta. BWD, a = dy gamma: dx = r (a - mean(a) - xh mean(a xh)).
 * D: columns, at least VEC; EPS above 0; WORDS: words of a row of y in a short type, which MAIN writes too, 0 for none; ROUND: the function that does,
 * CLIP: what becomes 127 in int8, 0: the largest of each row.
 */
#ifndef SKIP_LAYERNORM_D
#error "SKIP_LAYERNORM_D: columns"
#endif
#ifndef SKIP_LAYERNORM_EPS
#error "SKIP_LAYERNORM_EPS: added to the variance"
#endif
#ifndef SKIP_LAYERNORM_ROWS
#error "SKIP_LAYERNORM_ROWS: rows per work-item"
#endif
#ifndef SKIP_LAYERNORM_VEC
#error "SKIP_LAYERNORM_VEC: lanes, 4, 8 or 16"
#endif
#ifndef SKIP_LAYERNORM_WORDS
#error "SKIP_LAYERNORM_WORDS: words of a row, or 0"
#endif
#if SKIP_LAYERNORM_WORDS && !defined(SKIP_LAYERNORM_ROUND)
#error "SKIP_LAYERNORM_ROUND: skip_words_row_bf16x2, skip_words_row_s8x4 or skip_words_row_s16x2"
#endif
#if SKIP_LAYERNORM_WORDS && !defined(SKIP_LAYERNORM_CLIP)
#error "SKIP_LAYERNORM_CLIP: the magnitude that int8 reaches, 0: each row's own"
#endif
#define SKIP_LAYERNORM_F SKIP_PASTE(float, SKIP_LAYERNORM_VEC)
#define SKIP_LAYERNORM_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LAYERNORM_VEC, i, p)
#define SKIP_LAYERNORM_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LAYERNORM_VEC, i, p) = (v)
#define SKIP_LAYERNORM_SUM SKIP_PASTE(skip_sum_f, SKIP_LAYERNORM_VEC)
#define SKIP_LAYERNORM_WHOLE (SKIP_LAYERNORM_D / SKIP_LAYERNORM_VEC * SKIP_LAYERNORM_VEC)
#define SKIP_LAYERNORM_EACH_ROW SKIP_UNROLL(SKIP_LAYERNORM_ROWS) for (uint i = 0; i < SKIP_LAYERNORM_ROWS; i++)

SKIP_KERNEL(SKIP_LAYERNORM_GROUP) void SKIP_LAYERNORM_NAME(
	SKIP_ITEM
	__global const float *restrict x, /* [rows][D] */
#ifdef SKIP_LAYERNORM_KERNEL_BWD
	__global const float *restrict dy, /* [rows][D] */
#endif
	__global const float *restrict gamma, /* [D] */
#ifdef SKIP_LAYERNORM_KERNEL_MAIN
	__global const float *restrict beta, /* [D] */
#endif
	__global float *restrict y, /* [rows][D] */
#if SKIP_LAYERNORM_WORDS
	__global uint *restrict words, /* [rows][WORDS] */
#endif
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_D >= SKIP_LAYERNORM_VEC && SKIP_LAYERNORM_ROWS > 0);
	uint start[SKIP_LAYERNORM_ROWS]; /* element of each row's first column */
	float mean[SKIP_LAYERNORM_ROWS], r[SKIP_LAYERNORM_ROWS];
	SKIP_LAYERNORM_F sum[SKIP_LAYERNORM_ROWS];
	SKIP_LAYERNORM_EACH_ROW
	{
		start[i] = min(SKIP_ID(0) * SKIP_LAYERNORM_ROWS + i, (uint)rows - 1) * SKIP_LAYERNORM_D;
		sum[i] = (SKIP_LAYERNORM_F)(0.0f);
	}
	for (uint d = 0; d < SKIP_LAYERNORM_WHOLE; d += SKIP_LAYERNORM_VEC)
		SKIP_LAYERNORM_EACH_ROW sum[i] += SKIP_LAYERNORM_LOAD(0, x + start[i] + d);
	SKIP_LAYERNORM_EACH_ROW
	{
		mean[i] = SKIP_LAYERNORM_SUM(sum[i]);
		for (uint d = SKIP_LAYERNORM_WHOLE; d < SKIP_LAYERNORM_D; d++) mean[i] += x[start[i] + d];
		mean[i] /= SKIP_LAYERNORM_D;
		sum[i] = (SKIP_LAYERNORM_F)(0.0f);
	}
	for (uint d = 0; d < SKIP_LAYERNORM_WHOLE; d += SKIP_LAYERNORM_VEC) {
		SKIP_LAYERNORM_EACH_ROW
		{
			const SKIP_LAYERNORM_F apart = SKIP_LAYERNORM_LOAD(0, x + start[i] + d) - mean[i];
			sum[i] = fma(apart, apart, sum[i]);
		}
	}
	SKIP_LAYERNORM_EACH_ROW
	{
		float var = SKIP_LAYERNORM_SUM(sum[i]);
		for (uint d = SKIP_LAYERNORM_WHOLE; d < SKIP_LAYERNORM_D; d++) {
			const float apart = x[start[i] + d] - mean[i];
			var = fma(apart, apart, var);
		}
		r[i] = 1.0f / sqrt(var / SKIP_LAYERNORM_D + SKIP_LAYERNORM_EPS);
	}
#ifdef SKIP_LAYERNORM_KERNEL_BWD
	SKIP_LAYERNORM_F along[SKIP_LAYERNORM_ROWS];
	float mean_a[SKIP_LAYERNORM_ROWS], mean_axh[SKIP_LAYERNORM_ROWS];
	SKIP_LAYERNORM_EACH_ROW sum[i] = along[i] = (SKIP_LAYERNORM_F)(0.0f);
	for (uint d = 0; d < SKIP_LAYERNORM_WHOLE; d += SKIP_LAYERNORM_VEC) {
		const SKIP_LAYERNORM_F g = SKIP_LAYERNORM_LOAD(0, gamma + d);
		SKIP_LAYERNORM_EACH_ROW
		{
			const SKIP_LAYERNORM_F a = SKIP_LAYERNORM_LOAD(0, dy + start[i] + d) * g;
			sum[i] += a;
			along[i] = fma(a, (SKIP_LAYERNORM_LOAD(0, x + start[i] + d) - mean[i]) * r[i], along[i]);
		}
	}
	SKIP_LAYERNORM_EACH_ROW
	{
		mean_a[i] = SKIP_LAYERNORM_SUM(sum[i]);
		mean_axh[i] = SKIP_LAYERNORM_SUM(along[i]);
		for (uint d = SKIP_LAYERNORM_WHOLE; d < SKIP_LAYERNORM_D; d++) {
			const float a = dy[start[i] + d] * gamma[d];
			mean_a[i] += a;
			mean_axh[i] = fma(a, (x[start[i] + d] - mean[i]) * r[i], mean_axh[i]);
		}
		mean_a[i] /= SKIP_LAYERNORM_D;
		mean_axh[i] /= SKIP_LAYERNORM_D;
	}
#endif
	for (uint from = 0; from < SKIP_LAYERNORM_D; from += SKIP_LAYERNORM_VEC) {
		/* The last vector ends with the row and repeats columns already written. */
		const uint d = min(from, (uint)(SKIP_LAYERNORM_D - SKIP_LAYERNORM_VEC));
		const SKIP_LAYERNORM_F g = SKIP_LAYERNORM_LOAD(0, gamma + d);
#ifdef SKIP_LAYERNORM_KERNEL_MAIN
		const SKIP_LAYERNORM_F b = SKIP_LAYERNORM_LOAD(0, beta + d);
#endif
		SKIP_LAYERNORM_EACH_ROW
		{
			const SKIP_LAYERNORM_F xh = (SKIP_LAYERNORM_LOAD(0, x + start[i] + d) - mean[i]) * r[i];
#ifdef SKIP_LAYERNORM_KERNEL_MAIN
			SKIP_LAYERNORM_STORE(fma(g, xh, b), 0, y + start[i] + d);
#else
			const SKIP_LAYERNORM_F a = SKIP_LAYERNORM_LOAD(0, dy + start[i] + d) * g;
			SKIP_LAYERNORM_STORE(r[i] * fma(-xh, (SKIP_LAYERNORM_F)(mean_axh[i]), a - mean_a[i]), 0, y + start[i] + d);
#endif
		}
	}
#if SKIP_LAYERNORM_WORDS
	for (uint i = 0; i < SKIP_LAYERNORM_ROWS; i++)
		SKIP_LAYERNORM_ROUND(y + start[i], SKIP_LAYERNORM_D, SKIP_LAYERNORM_CLIP, words + start[i] / SKIP_LAYERNORM_D * SKIP_LAYERNORM_WORDS);
#endif
}
#undef SKIP_LAYERNORM_F
#undef SKIP_LAYERNORM_LOAD
#undef SKIP_LAYERNORM_STORE
#undef SKIP_LAYERNORM_SUM
#undef SKIP_LAYERNORM_WHOLE
#undef SKIP_LAYERNORM_EACH_ROW
