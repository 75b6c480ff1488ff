/*
 * Code points as the Hugging Face fast tokenizers see them.
 *
 * The categories of the BERT tokenizer are those of Unicode 8, decompositions of Unicode 9, lower case of Unicode 17, letters and numbers of the
 * pattern of GPT-2 those of Unicode 16 (unicode_tables.inc, read off that library by tools/make-unicode-tables). utf8proc supplies what no later Unicode version can change: decompositions, combining classes,
 * simple lower case.
 */
#ifndef SKIP_TEXT_UNICODE_H
#define SKIP_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKIP_CHAR_MAX_DECOMPOSED 4
#define SKIP_CHAR_MAX_COMPAT 18
#define SKIP_CHAR_MAX_LOWER 2
#define SKIP_CHAR_MAX_BYTES 4

/* False when `text` holds a NUL byte or is not UTF-8 (surrogates, overlong forms and code points past U+10FFFF are not); `*bad` is the
 * offset. */
bool skip_utf8_check(const char *text, size_t size, size_t *bad);
/* The code point at `*text` of checked UTF-8; moves `*text` behind it. */
uint32_t skip_utf8_next(const char **text);
/* Writes 1..4 bytes, returns how many. */
size_t skip_utf8_put(uint32_t c, char out[SKIP_CHAR_MAX_BYTES]);

bool skip_char_removed(uint32_t c);     /* control, format, private use, U+FFFD: dropped by text cleaning */
bool skip_char_space(uint32_t c);       /* White_Space */
bool skip_char_cjk(uint32_t c);         /* an ideograph that is a word of its own */
bool skip_char_punctuation(uint32_t c); /* ASCII punctuation or P* */
bool skip_char_mark(uint32_t c);        /* Mn */
bool skip_char_combining(uint32_t c);   /* M* of Unicode 9 */
bool skip_char_letter(uint32_t c);      /* L* of Unicode 16 */
bool skip_char_number(uint32_t c);      /* N* of Unicode 16 */
int skip_char_class(uint32_t c);        /* canonical combining class */
int skip_char_decompose(uint32_t c, uint32_t out[SKIP_CHAR_MAX_DECOMPOSED]); /* full canonical decomposition, not yet reordered; count */
/* The canonical composition of two characters, 0 when there is none. */
uint32_t skip_char_compose(uint32_t a, uint32_t b);
/* The compatibility decomposition, in the same manner. */
int skip_char_decompose_compat(uint32_t c, uint32_t out[SKIP_CHAR_MAX_COMPAT]);
int skip_char_lower(uint32_t c, uint32_t out[SKIP_CHAR_MAX_LOWER]);          /* full lower case without context; count */

#endif
