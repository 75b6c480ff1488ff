/* A folder with a small vocabulary, and its tokenizer, for the tests of text/. */
#ifndef SKIP_TESTS_TOY_TOKENIZER_H
#define SKIP_TESTS_TOY_TOKENIZER_H

#include "text/tokenizer.h"
#include "toy_bert.h"
#include <stdio.h>
#include <string.h>

/* ids:                    0      1      2      3      4       5    6    7      8    9    10   11    12    13 */
#define TOY_VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n##s\n.\na\n##b\ncafe\n\u4e2d\n"
#define TOY_VOCAB_SIZE 14

static char toy_dir[512];

static inline void toy_dir_make(void)
{
	toy_folder(toy_dir);
}
static inline void toy_dir_drop(void)
{
	toy_folder_remove(toy_dir);
}

static inline struct skip_tokenizer *toy_tokenizer(void)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	toy_write_text(toy_dir, "vocab.txt", TOY_VOCAB);
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	return tokenizer;
}

/* "2 5 3" */
static inline const char *toy_ids(const int32_t *ids, size_t n)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < n && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d", i ? " " : "", ids[i]);
	return text;
}

#endif
