/* Inside of struct skip_tokenizer: shared by tokenizer.c (encoding) and tokenizer_open.c (reading its files). Nobody else includes this. */
#ifndef SKIP_TEXT_TOKENIZER_IMPL_H
#define SKIP_TEXT_TOKENIZER_IMPL_H

#include "text/wordpiece.h"

/* A token that is found in the raw text before anything else is done to it ("[SEP]"); lstrip/rstrip: it takes white space beside it along.
 */
struct skip_added_token {
	char *content;
	size_t size;
	int32_t id;
	bool lstrip, rstrip;
};

#define SKIP_TOKENIZER_MAX_FILES 3

struct skip_tokenizer {
	struct skip_wordpiece wordpiece;
	struct skip_added_token *added;
	size_t n_added, cap_added;
	bool added_first[256]; /* bytes that begin an added token */
	size_t vocab_size;     /* largest id + 1, added tokens included */
	int32_t cls, sep;
	const char *files[SKIP_TOKENIZER_MAX_FILES + 1]; /* those that exist; NULL-terminated */
};

#endif
