/*
 * Rows of short numbers: 32-bit words that hold several of them, lowest first, as products read their left side (kernels/linear/dot.cl). A row takes whole
 * vectors of 16 numbers, of which those past k are zeros; rows of integers have their scale, a float, behind the words.
 *
 *   skip_words_bf16x2_f16(x)          16 numbers (_f8, _f4: 8, 4) as bfloat16, two a word, to the nearest, ties to even
 *   skip_words_row_bf16x2(x, k, to)   a row of k numbers as bfloat16
 *   skip_words_row_s8x4(x, k, to)     as int8, scale max |x| / 127, four a word, each with 128 added
 *   skip_words_row_s16x2(x, k, to)    as int8 in 16 bits, two a word
 *
 * The same rounding to the bit as host/base/quant.h.
 */
#define SKIP_WORDS_ROUND 0x1.8p+23f /* added, it leaves the nearest integer in the low bits */

static inline uint2 skip_words_bf16x2_f4(float4 x)
{
	const uint4 bits = as_uint4(x), near = bits + 0x7fff + (bits >> 16 & 1);
	return near.even >> 16 | (near.odd & 0xffff0000u);
}

static inline uint4 skip_words_bf16x2_f8(float8 x)
{
	const uint8 bits = as_uint8(x), near = bits + 0x7fff + (bits >> 16 & 1);
	return near.even >> 16 | (near.odd & 0xffff0000u);
}

static inline uint8 skip_words_bf16x2_f16(float16 x)
{
	const uint16 bits = as_uint16(x), near = bits + 0x7fff + (bits >> 16 & 1);
	return near.even >> 16 | (near.odd & 0xffff0000u);
}

static inline uint4 skip_words_s8x4_f16(float16 x, float inverse)
{
	const uint16 bits = as_uint16(fma(x, (float16)(inverse), (float16)(SKIP_WORDS_ROUND + 128.0f)));
	return as_uint4(convert_uchar16(bits & 0xff));
}

static inline uint8 skip_words_s16x2_f16(float16 x, float inverse)
{
	/* The integer sits in the low bits of a number that starts with 0x4b40: 16 of them are the int16. */
	const uint16 bits = as_uint16(fma(x, (float16)(inverse), (float16)(SKIP_WORDS_ROUND)));
	return (bits.even & 0xffff) | bits.odd << 16;
}

/* Numbers from `from` up to k, then zeros. */
static inline float16 skip_words_last(__global const float *x, uint from, uint k)
{
	float last[16];
	for (uint i = 0; i < 16; i++) last[i] = from + i < k ? x[from + i] : 0.0f;
	return vload16(0, last);
}

static inline float skip_words_largest(__global const float *x, uint k)
{
	float most = 0.0f;
	if (k >= 16) {
		float16 top = fabs(vload16(0, x));
		for (uint i = 16; i + 16 <= k; i += 16) {
			const float16 size = fabs(vload16(0, x + i));
			top = size > top ? size : top;
		}
		most = skip_max_f16(top);
	}
	for (uint i = k & ~15u; i < k; i++) most = max(most, fabs(x[i]));
	return most;
}

static inline void skip_words_row_bf16x2(__global const float *x, uint k, __global uint *to)
{
	uint i = 0;
	for (; i + 16 <= k; i += 16) vstore8(skip_words_bf16x2_f16(vload16(0, x + i)), 0, to + i / 2);
	if (i < k) vstore8(skip_words_bf16x2_f16(skip_words_last(x, i, k)), 0, to + i / 2);
}

static inline void skip_words_row_s8x4(__global const float *x, uint k, __global uint *to)
{
	const float most = skip_words_largest(x, k), inverse = most > 0x1p-100f ? 127.0f / most : 0.0f;
	uint i = 0;
	for (; i + 16 <= k; i += 16) vstore4(skip_words_s8x4_f16(vload16(0, x + i), inverse), 0, to + i / 4);
	if (i < k) vstore4(skip_words_s8x4_f16(skip_words_last(x, i, k), inverse), 0, to + i / 4);
	to[(k + 15) / 16 * 4] = as_uint(most * 0x1.020408p-7f); /* 1 / 127 */
}

static inline void skip_words_row_s16x2(__global const float *x, uint k, __global uint *to)
{
	const float most = skip_words_largest(x, k), inverse = most > 0x1p-100f ? 127.0f / most : 0.0f;
	uint i = 0;
	for (; i + 16 <= k; i += 16) vstore8(skip_words_s16x2_f16(vload16(0, x + i), inverse), 0, to + i / 2);
	if (i < k) vstore8(skip_words_s16x2_f16(skip_words_last(x, i, k), inverse), 0, to + i / 2);
	to[(k + 15) / 16 * 8] = as_uint(most * 0x1.020408p-7f);
}
#undef SKIP_WORDS_ROUND
