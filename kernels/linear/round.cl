/*
 * Rows of floats as rows of short numbers (kernels/common/words.cl), as dot.cl reads them; one row per work-item.
 *
 * K: numbers in a row; WORDS: words of a row of the result; ROUND: the function that rounds a row; CLIP: what becomes 127, 0: the largest of each row.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: numbers in a row"
#endif
#ifndef SKIP_LINEAR_WORDS
#error "SKIP_LINEAR_WORDS: words of a row"
#endif
#ifndef SKIP_LINEAR_ROUND
#error "SKIP_LINEAR_ROUND: skip_words_row_bf16x2, skip_words_row_s8x4 or skip_words_row_s16x2"
#endif
#ifndef SKIP_LINEAR_CLIP
#error "SKIP_LINEAR_CLIP: the magnitude that int8 reaches, 0: each row's own"
#endif

SKIP_KERNEL(SKIP_LINEAR_GROUP) void SKIP_LINEAR_NAME(
	SKIP_ITEM
	__global const float *restrict x, /* [rows][K] */
	__global uint *restrict words)    /* [rows][WORDS] */
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_WORDS > 0);
	const size_t row = SKIP_ID(0);
	SKIP_LINEAR_ROUND(x + row * SKIP_LINEAR_K, SKIP_LINEAR_K, SKIP_LINEAR_CLIP, words + row * SKIP_LINEAR_WORDS);
}
