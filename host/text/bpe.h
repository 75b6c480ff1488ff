/*
 * Byte-level byte-pair encoding (GPT-2, RoBERTa, ModernBERT): text -> words by the pattern of GPT-2, each word's bytes joined pair by pair, the pair that
 * was learnt first before others, the leftmost first among equals.
 *
 * Vocabularies spell a byte as a printable character (a blank as U+0120): skip_byte_spelling has the alphabet.
 */
#ifndef SKIP_TEXT_BPE_H
#define SKIP_TEXT_BPE_H

#include "text/added.h"

struct skip_bpe {
	struct skip_vocab vocab; /* as spelt in the files */
	int32_t byte_id[256];    /* -1: the vocabulary lacks it, and such bytes are dropped */
	struct skip_bpe_merge *merge; /* open addressing; a power of two */
	size_t n_merges, cap_merges;
	bool blank_in_front; /* a blank is put before text that does not start with one */
	bool pattern;        /* cut by the pattern; else a stretch is one word */
};

void skip_bpe_init(struct skip_bpe *bpe);
void skip_bpe_deinit(struct skip_bpe *bpe);
/* The character that stands for a byte. */
uint32_t skip_byte_spelling(unsigned char byte);
/* After the vocabulary is read: SKIP_ERR_NOMEM only. Merges come in the order they were learnt; SKIP_ERR_INPUT for tokens the vocabulary lacks. */
void skip_bpe_index_bytes(struct skip_bpe *bpe);
enum skip_status skip_bpe_add_merge(struct skip_bpe *bpe, const char *left, size_t left_size, const char *right, size_t right_size, struct skip_err *err);
/* Bytes of the first word of `text` (checked UTF-8, not empty). */
size_t skip_bpe_word(const char *text, size_t size);
/* Appends the ids of `text`; stops once out->length >= enough. False without memory. */
bool skip_bpe_encode(const struct skip_bpe *bpe, const char *text, size_t size, size_t enough, struct skip_encoding *out);

#endif
