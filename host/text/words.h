/*
 * Text -> words, as the BERT normaliser and pre-tokenizer of the Hugging Face fast tokenizers do it: clean, set ideographs apart, decompose
 * and drop accents, lower case, split at white space and around punctuation. One pass, no heap.
 */
#ifndef SKIP_TEXT_WORDS_H
#define SKIP_TEXT_WORDS_H

#include "base/buf.h"
#include "text/unicode.h"

#define SKIP_WORD_MAX_CHARS 100

struct skip_word_rules {
	bool clean, split_cjk, strip_accents, lower;
};

struct skip_word {
	char bytes[SKIP_WORD_MAX_CHARS * SKIP_CHAR_MAX_BYTES]; /* normalised UTF-8; the first 100 characters only */
	size_t size;
	size_t n_chars; /* of the whole word: more than SKIP_WORD_MAX_CHARS means that `bytes` is cut */
};

/* Calls fn for each word of `text` (checked UTF-8, see skip_utf8_check) in order, until fn returns false. */
typedef bool (*skip_word_fn)(void *context, const struct skip_word *word);
void skip_words_each(const struct skip_word_rules *rules, const char *text, size_t size, skip_word_fn fn, void *context);
/* The normaliser alone: appends the text that skip_words_each cuts, ideographs between blanks. */
void skip_words_normalize(const struct skip_word_rules *rules, const char *text, size_t size, struct skip_buf *out);

#endif
