/*
 * Tokens that are found in the text before anything is cut ("[SEP]"): leftmost, longest, with the white space beside them where they say so. What lies
 * between them goes on to a callback.
 */
#ifndef SKIP_TEXT_ADDED_H
#define SKIP_TEXT_ADDED_H

#include "text/tokenizer.h"
#include "text/vocab.h"

struct skip_added_token {
	char *content;
	int32_t id;
	bool lstrip, rstrip; /* takes white space before or behind it along */
};

struct skip_added {
	struct skip_added_token *token;
	size_t count, cap;
	struct skip_vocab match; /* what is looked for, under the index of the token */
	bool first[256];         /* bytes a match begins with */
};

void skip_added_init(struct skip_added *added);
void skip_added_deinit(struct skip_added *added);
/* `match` is what is looked for: the content, or its normalised form. A second token that looks the same is left out, as in the library. */
enum skip_status skip_added_add(struct skip_added *added, const struct skip_added_token *token, const char *match, size_t match_size,
				struct skip_err *err);

/* Appends the ids of `text`: of added tokens here, of what lies between them by `fn`; stops once out->length >= enough. False: `fn` gave false, or no memory. */
typedef bool (*skip_stretch_fn)(void *context, const char *text, size_t size);
bool skip_added_split(const struct skip_added *added, const char *text, size_t size, size_t enough, struct skip_encoding *out, skip_stretch_fn fn,
		      void *context);

/* Room for `more` ids in both arrays of the encoding. */
bool skip_encoding_reserve(struct skip_encoding *out, size_t more);

#endif
