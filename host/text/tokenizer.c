/*
 * Encoding: special tokens inside the text, the template [CLS] A [SEP] B [SEP], truncation, type ids. Words and pieces are words.c and
 * wordpiece.c; reading the files of a folder is tokenizer_open.c.
 */
#include "text/tokenizer.h"

#include "base/alloc.h"
#include "text/tokenizer_impl.h"
#include <string.h>

/* The longest added token that starts at `text`, or NULL. */
static const struct skip_added_token *added_at(const struct skip_tokenizer *tokenizer, const char *text, size_t size)
{
	const struct skip_added_token *best = NULL;
	for (size_t i = 0; i < tokenizer->n_added; i++) {
		const struct skip_added_token *token = &tokenizer->added[i];
		if (token->size <= size && (!best || token->size > best->size) && memcmp(text, token->content, token->size) == 0)
			best = token;
	}
	return best;
}

/* End of the text before `end` without the white space at its end, not below `start`. */
static size_t without_space_before(const char *text, size_t start, size_t end)
{
	while (end > start) {
		size_t at = end - 1;
		while (at > start && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
		const char *p = text + at;
		if (!skip_char_space(skip_utf8_next(&p))) break;
		end = at;
	}
	return end;
}

static size_t after_space(const char *text, size_t at, size_t size)
{
	while (at < size) {
		const char *p = text + at;
		if (!skip_char_space(skip_utf8_next(&p))) break;
		at = (size_t)(p - text);
	}
	return at;
}

/* Appends the ids of `text`, added tokens found first (leftmost, longest). */
static bool encode_text(const struct skip_tokenizer *tokenizer, const char *text, size_t size, size_t enough, struct skip_encoding *out)
{
	size_t start = 0; /* of the stretch that is not encoded yet */
	for (size_t i = 0; i < size && out->length < enough;) {
		const struct skip_added_token *token = NULL;
		if (tokenizer->added_first[(unsigned char)text[i]]) token = added_at(tokenizer, text + i, size - i);
		if (!token) {
			i++;
			continue;
		}
		if (i > start) {
			size_t end = token->lstrip ? without_space_before(text, start, i) : i;
			if (!skip_wordpiece_encode(&tokenizer->wordpiece, text + start, end - start, enough, out)) return false;
		}
		if (!skip_encoding_reserve(out, 1)) return false;
		out->ids[out->length++] = token->id;
		i += token->size;
		start = token->rstrip ? after_space(text, i, size) : i;
		if (start > i) i = start;
	}
	return start >= size || skip_wordpiece_encode(&tokenizer->wordpiece, text + start, size - start, enough, out);
}

/*
 * Lengths left of two sequences of `first` and `second` tokens when both share `room`: the library's longest_first. A sequence no longer
 * than half the room stays whole; else both get half, an odd one going to the longer (the second when they are equal).
 */
static void share_room(size_t room, size_t *first, size_t *second)
{
	if (*first + *second <= room) return;
	size_t *shorter = *first > *second ? second : first, *longer = shorter == first ? second : first;
	if (*shorter <= room / 2) {
		*longer = room - *shorter;
	} else {
		*shorter = room / 2;
		*longer = room - room / 2;
	}
}

static enum skip_status check_text(const char *what, const char *text, size_t size, struct skip_err *err)
{
	size_t bad;
	if (skip_utf8_check(text, size, &bad)) return SKIP_OK;
	if (text[bad] == '\0')
		return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, (int64_t)bad, "%s holds a NUL byte at offset %zu", what, bad);
	return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, (int64_t)bad, "%s is not UTF-8: byte 0x%02x at offset %zu", what,
	                   (unsigned char)text[bad], bad);
}

enum skip_status skip_tokenizer_encode(const struct skip_tokenizer *tokenizer, const char *text, size_t text_size, const char *pair,
                                       size_t pair_size, int max_length, struct skip_encoding *out, struct skip_err *err)
{
	size_t n_special = pair ? 3 : 2;
	if (max_length < (int)n_special)
		return skip_err_set(err, SKIP_ERR_USAGE, "a maximum length of %d leaves no room for the %zu special tokens", max_length,
		                    n_special);
	enum skip_status status = check_text("text", text, text_size, err);
	if (status == SKIP_OK && pair) status = check_text("second text", pair, pair_size, err);
	if (status != SKIP_OK) return status;

	size_t room = (size_t)max_length - n_special;
	out->length = 0;
	if (!skip_encoding_reserve(out, n_special)) goto no_memory;
	out->ids[out->length++] = tokenizer->cls;
	/* Of a single text nothing past the cut matters; how two texts share the room depends on both lengths. */
	if (!encode_text(tokenizer, text, text_size, pair ? SIZE_MAX : 1 + room, out)) goto no_memory;
	size_t first = out->length - 1, second = 0;
	if (pair) {
		if (!encode_text(tokenizer, pair, pair_size, SIZE_MAX, out)) goto no_memory;
		second = out->length - 1 - first;
	}
	size_t second_at = 1 + first;
	share_room(room, &first, &second);
	if (!skip_encoding_reserve(out, 2)) goto no_memory;
	/* The second text moves behind the first [SEP]: to the left when the first was cut, else one to the right. */
	memmove(out->ids + 1 + first + 1, out->ids + second_at, second * sizeof(*out->ids));
	out->ids[1 + first] = tokenizer->sep;
	out->length = 1 + first + 1;
	memset(out->types, 0, out->length * sizeof(*out->types));
	if (pair) {
		for (size_t i = 0; i <= second; i++) out->types[out->length + i] = 1;
		out->length += second;
		out->ids[out->length++] = tokenizer->sep;
	}
	return SKIP_OK;
no_memory:
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the tokens of a text");
}

void skip_encoding_deinit(struct skip_encoding *encoding)
{
	if (!encoding) return;
	skip_free(encoding->ids);
	skip_free(encoding->types);
	memset(encoding, 0, sizeof(*encoding));
}

size_t skip_tokenizer_vocab_size(const struct skip_tokenizer *tokenizer)
{
	return tokenizer->vocab_size;
}

const char *skip_tokenizer_token(const struct skip_tokenizer *tokenizer, int32_t id)
{
	const char *token = skip_vocab_token(&tokenizer->wordpiece.vocab, id);
	for (size_t i = 0; !token && i < tokenizer->n_added; i++)
		if (tokenizer->added[i].id == id) token = tokenizer->added[i].content;
	return token;
}

const char *const *skip_tokenizer_files(const struct skip_tokenizer *tokenizer)
{
	return tokenizer->files;
}
