/*
 * WordPiece: words -> ids by greedy longest match, "[UNK]" for a word that cannot be covered or has more than 100 characters.
 */
#ifndef SKIP_TEXT_WORDPIECE_H
#define SKIP_TEXT_WORDPIECE_H

#include "text/added.h"
#include "text/words.h"

struct skip_wordpiece {
	struct skip_vocab vocab;
	struct skip_word_rules rules;
	uint32_t inside; /* trie node of "##", where pieces inside a word go on */
	int32_t unknown;
};

/* Appends the ids of `text` (checked UTF-8) to out->ids. Stops early once out->length >= `enough`. False when out of memory. */
bool skip_wordpiece_encode(const struct skip_wordpiece *wordpiece, const char *text, size_t size, size_t enough, struct skip_encoding *out);

#endif
