/*
 * Rows of short numbers: 32-bit words that hold several of them, lowest first, as products read their left side (kernels/linear/dot.cl). A row takes whole
 * vectors of 16 numbers, of which those past k count for nothing; rows of integers have room for their scale, a float, behind the words.
 *
 *   skip_words_bf16x2_f16(x, clip)          16 numbers (_f8, _f4: 8, 4) as bfloat16, two a word, to the nearest, ties to even
 *   skip_words_bf16x2_rows_f16(low, high)   16 words (_f8, _f4: 8, 4) of two rows, lane by lane
 *   skip_words_s8x4_f16(x, clip)            as int8 in steps of clip / 127, four a word, each with 128 added; what lies beyond +-clip saturates
 *   skip_words_s16x2_f16(x, clip)           as int8 in 16 bits, two a word
 *   skip_words_row_bf16x2(x, k, clip, to)   a row of k numbers
 *   skip_words_row_s8x4(x, k, clip, to)     clip 0: max |x| of the row, and the scale stands behind it; above 0 it is the reader's to know
 *   skip_words_row_s16x2(x, k, clip, to)
 *
 * bfloat16 has float's range: no clip. The same rounding to the bit as host/base/quant.h.
 */
#define SKIP_WORDS_ROUND 0x1.8p+23f /* added, it leaves the nearest integer in the low bits */

/* The functions of one width: F floats, U unsigned integers, H half as many of these. */
#define SKIP_WORDS_WIDTH(W, F, U, H)                                                                                                       \
	static inline H SKIP_PASTE(skip_words_bf16x2_f, W)(F x, float clip)                                                                \
	{                                                                                                                                  \
		const U bits = SKIP_PASTE(as_, U)(x), near = bits + 0x7fff + (bits >> 16 & 1);                                             \
		return near.even >> 16 | (near.odd & 0xffff0000u);                                                                         \
	}                                                                                                                                  \
	static inline U SKIP_PASTE(skip_words_bf16x2_rows_f, W)(F low, F high)                                                             \
	{                                                                                                                                  \
		const U a = SKIP_PASTE(as_, U)(low), b = SKIP_PASTE(as_, U)(high);                                                         \
		return (a + 0x7fff + (a >> 16 & 1)) >> 16 | ((b + 0x7fff + (b >> 16 & 1)) & 0xffff0000u);                                  \
	}                                                                                                                                  \
	/* NaN becomes clip. */                                                                                                            \
	static inline F SKIP_PASTE(skip_words_within_f, W)(F x, float clip)                                                                \
	{                                                                                                                                  \
		const F low = x < (F)(clip) ? x : (F)(clip);                                                                               \
		return low > (F)(-clip) ? low : (F)(-clip);                                                                                \
	}                                                                                                                                  \
	/* The nearest integers, `start` added, in the low bits of numbers that start with 0x4b40: 16 of them are an int16. */              \
	static inline U SKIP_PASTE(skip_words_near_f, W)(F x, float inverse, float start)                                                  \
	{                                                                                                                                  \
		return SKIP_PASTE(as_, U)(fma(x, (F)(inverse), (F)(SKIP_WORDS_ROUND + start)));                                            \
	}                                                                                                                                  \
	static inline H SKIP_PASTE(skip_words_s16x2_by_f, W)(F x, float inverse)                                                           \
	{                                                                                                                                  \
		const U bits = SKIP_PASTE(skip_words_near_f, W)(x, inverse, 0.0f);                                                         \
		return (bits.even & 0xffff) | bits.odd << 16;                                                                              \
	}                                                                                                                                  \
	static inline H SKIP_PASTE(skip_words_s16x2_f, W)(F x, float clip)                                                                 \
	{                                                                                                                                  \
		return SKIP_PASTE(skip_words_s16x2_by_f, W)(SKIP_PASTE(skip_words_within_f, W)(x, clip), 127.0f / clip);                    \
	}
SKIP_WORDS_WIDTH(4, float4, uint4, uint2)
SKIP_WORDS_WIDTH(8, float8, uint8, uint4)
SKIP_WORDS_WIDTH(16, float16, uint16, uint8)

static inline uint4 skip_words_s8x4_by_f16(float16 x, float inverse) { return as_uint4(convert_uchar16(skip_words_near_f16(x, inverse, 128.0f) & 0xff)); }
static inline uint4 skip_words_s8x4_f16(float16 x, float clip) { return skip_words_s8x4_by_f16(skip_words_within_f16(x, clip), 127.0f / clip); }
static inline uint2 skip_words_s8x4_f8(float8 x, float clip)
{
	return as_uint2(convert_uchar8(skip_words_near_f8(skip_words_within_f8(x, clip), 127.0f / clip, 128.0f) & 0xff));
}
static inline uint skip_words_s8x4_f4(float4 x, float clip)
{
	return as_uint(convert_uchar4(skip_words_near_f4(skip_words_within_f4(x, clip), 127.0f / clip, 128.0f) & 0xff));
}

/* Numbers from `from` up to k, then zeros. */
static inline float16 skip_words_last(__global const float *x, uint from, uint k)
{
	float last[16];
	for (uint i = 0; i < 16; i++) last[i] = from + i < k ? x[from + i] : 0.0f;
	return SKIP_AT(__private, float, 16, 0, last);
}

static inline float skip_words_largest(__global const float *x, uint k)
{
	float most = 0.0f;
	if (k >= 16) {
		float16 top = fabs(SKIP_AT(__global const, float, 16, 0, x));
		for (uint i = 16; i + 16 <= k; i += 16) {
			const float16 size = fabs(SKIP_AT(__global const, float, 16, 0, x + i));
			top = size > top ? size : top;
		}
		most = skip_max_f16(top);
	}
	for (uint i = k & ~15u; i < k; i++) most = max(most, fabs(x[i]));
	return most;
}

static inline void skip_words_row_bf16x2(__global const float *x, uint k, float clip, __global uint *to)
{
	uint i = 0;
	for (; i + 16 <= k; i += 16) SKIP_AT(__global, uint, 8, 0, to + i / 2) = skip_words_bf16x2_f16(SKIP_AT(__global const, float, 16, 0, x + i), clip);
	if (i < k) SKIP_AT(__global, uint, 8, 0, to + i / 2) = skip_words_bf16x2_f16(skip_words_last(x, i, k), clip);
}

/* Rows of integers; WORDS of them hold 16 numbers. */
#define SKIP_WORDS_ROW(layout, WORDS)                                                                                                      \
	static inline void SKIP_PASTE(skip_words_row_, layout)(__global const float *x, uint k, float clip, __global uint *to)             \
	{                                                                                                                                  \
		uint i = 0;                                                                                                                \
		if (clip > 0.0f) {                                                                                                         \
			for (; i + 16 <= k; i += 16)                                                                                       \
				SKIP_AT(__global, uint, WORDS, i / 16, to) = SKIP_WORDS_FN(layout, _f16)(SKIP_AT(__global const, float, 16, 0, x + i), clip); \
			if (i < k) SKIP_AT(__global, uint, WORDS, i / 16, to) = SKIP_WORDS_FN(layout, _f16)(skip_words_last(x, i, k), clip);          \
			return;                                                                                                            \
		}                                                                                                                          \
		const float most = skip_words_largest(x, k), inverse = most > 0x1p-100f ? 127.0f / most : 0.0f;                            \
		for (; i + 16 <= k; i += 16)                                                                                               \
			SKIP_AT(__global, uint, WORDS, i / 16, to) = SKIP_WORDS_FN(layout, _by_f16)(SKIP_AT(__global const, float, 16, 0, x + i), inverse); \
		if (i < k) SKIP_AT(__global, uint, WORDS, i / 16, to) = SKIP_WORDS_FN(layout, _by_f16)(skip_words_last(x, i, k), inverse);            \
		to[(k + 15) / 16 * WORDS] = as_uint(most * 0x1.020408p-7f); /* 1 / 127 */                                                   \
	}
#define SKIP_WORDS_FN(layout, name) SKIP_PASTE(SKIP_PASTE(skip_words_, layout), name)
SKIP_WORDS_ROW(s8x4, 4)
SKIP_WORDS_ROW(s16x2, 8)
#undef SKIP_WORDS_ROUND
#undef SKIP_WORDS_WIDTH
#undef SKIP_WORDS_ROW
#undef SKIP_WORDS_FN
