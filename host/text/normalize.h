/*
 * The normaliser of a tokenizer: a list of steps over the whole text, each what the step of that name does in the Hugging Face library. (WordPiece needs
 * it only for added tokens that are found in normalised text; else it normalises in one pass with the cutting: words.h.)
 */
#ifndef SKIP_TEXT_NORMALIZE_H
#define SKIP_TEXT_NORMALIZE_H

#include "text/charsmap.h"
#include "text/words.h"

enum skip_norm {
	SKIP_NORM_NFC,
	SKIP_NORM_NFD,
	SKIP_NORM_NFKC,
	SKIP_NORM_NFKD,
	SKIP_NORM_LOWER,   /* full lower case without context */
	SKIP_NORM_ACCENTS, /* drops the category M */
	SKIP_NORM_REPLACE, /* every `pattern` becomes `content` */
	SKIP_NORM_BLANKS,  /* two blanks and more become `content` */
	SKIP_NORM_SPACES,  /* two White_Space characters and more, and each LF, CR and tab, become `content` */
	SKIP_NORM_STRIP,   /* White_Space at the ends goes */
	SKIP_NORM_CHARSMAP,
	SKIP_NORM_BERT     /* all that skip_words_each does before it cuts */
};

struct skip_norm_step {
	enum skip_norm kind;
	char *pattern, *content; /* owned */
	bool left, right;        /* of STRIP */
	struct skip_charsmap map;
	struct skip_word_rules rules; /* of BERT */
};

struct skip_normalizer {
	struct skip_norm_step *step;
	size_t count, cap;
};

/* Appends a zeroed step of this kind and gives it; NULL without memory. */
struct skip_norm_step *skip_normalizer_add(struct skip_normalizer *normalizer, enum skip_norm kind);
void skip_normalizer_deinit(struct skip_normalizer *normalizer);
/* Runs every step; the result replaces what `out` held. False without memory. */
bool skip_normalize(const struct skip_normalizer *normalizer, const char *text, size_t size, struct skip_buf *out);

#endif
