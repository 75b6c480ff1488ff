/*
 * Tokenizers: text -> ids, identical to the Hugging Face fast tokenizers. WordPiece, byte-level BPE and the unigram model of SentencePiece; the kind is
 * told by the folder's files.
 */
#ifndef SKIP_TEXT_TOKENIZER_H
#define SKIP_TEXT_TOKENIZER_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skip_tokenizer;

struct skip_encoding {
	int32_t *ids, *types;
	size_t length, capacity;
};

/* Reads tokenizer.json of a model folder or of a package's tokenizer/ folder; without it vocab.txt (WordPiece), vocab.json and merges.txt (GPT-2, RoBERTa), or
 * a SentencePiece model by the name its family gives it: sentencepiece.bpe.model (XLM-R), spiece.model (ALBERT), spm.model (DeBERTa). tokenizer_config.json
 * is read beside them. Errors: SKIP_ERR_INPUT with file and line (duplicate or missing special tokens, bad UTF-8, empty); SKIP_ERR_UNSUPPORTED: a setting
 * under which ids would differ from the library's; SKIP_ERR_IO: none of these files. */
enum skip_status skip_tokenizer_open(const char *folder, struct skip_tokenizer **out, struct skip_err *err);
void skip_tokenizer_close(struct skip_tokenizer *tokenizer);
/*
 * Encodes `text` (bytes, valid UTF-8 required: SKIP_ERR_INPUT with byte offset; NUL bytes are refused) and `pair` (NULL for single) with special
 * tokens, cut to `max_length` tokens (special tokens kept, pairs longest first as the fast tokenizer does). Appends nothing: `out` is overwritten.
 */
enum skip_status skip_tokenizer_encode(const struct skip_tokenizer *tokenizer, const char *text, size_t text_size, const char *pair,
				       size_t pair_size, int max_length, struct skip_encoding *out, struct skip_err *err);
void skip_encoding_deinit(struct skip_encoding *encoding);
size_t skip_tokenizer_vocab_size(const struct skip_tokenizer *tokenizer);
/* "wordpiece", "bpe" or "unigram". */
const char *skip_tokenizer_kind(const struct skip_tokenizer *tokenizer);
const char *skip_tokenizer_token(const struct skip_tokenizer *tokenizer, int32_t id); /* NULL when out of range */
/* Names of the files (inside the folder it was opened from) that a package must carry to open the same tokenizer again; NULL-terminated. */
const char *const *skip_tokenizer_files(const struct skip_tokenizer *tokenizer);

#endif
