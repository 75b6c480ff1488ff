/*
 * Unigram model of SentencePiece (XLM-R, ALBERT, DeBERTa-v3) as the Hugging Face library runs it: blanks become U+2581, which begins a word; a word is cut
 * into the pieces whose scores have the largest sum (Viterbi). A character no piece covers costs the lowest score less 10; neighbours of that sort are one
 * unknown token.
 */
#ifndef SKIP_TEXT_UNIGRAM_H
#define SKIP_TEXT_UNIGRAM_H

#include "text/added.h"

enum skip_unigram_front { SKIP_FRONT_NEVER, SKIP_FRONT_ALWAYS, SKIP_FRONT_FIRST };

struct skip_unigram {
	struct skip_vocab vocab;
	double *score; /* [vocab.count] */
	size_t cap_score;
	double lowest;
	int32_t unknown;
	bool split_spaces;             /* white space separates words and vanishes; else blanks alone begin words */
	enum skip_unigram_front front; /* U+2581 is put before a word that does not begin with it: each, or that at the start of the text */
};

void skip_unigram_init(struct skip_unigram *unigram);
void skip_unigram_deinit(struct skip_unigram *unigram);
/* The next piece; its id is the number of pieces before it. SKIP_ERR_INPUT when it is there already or its score is not finite. */
enum skip_status skip_unigram_add(struct skip_unigram *unigram, const char *piece, double score, struct skip_err *err);
/* Appends the ids of `text` (normalised, checked UTF-8); `at_start`: the text as it came begins here. Stops once out->length >= enough. */
bool skip_unigram_encode(const struct skip_unigram *unigram, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out);

#endif
