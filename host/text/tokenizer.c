/*
 * Encoding, for every kind alike: added tokens inside the text (added.c), normalising (normalize.c), the template of special tokens, truncation, type
 * ids. What a kind does with the text between is wordpiece.c, bpe.c, unigram.c; reading the files of a folder is tokenizer_open.c.
 */
#include "text/tokenizer.h"

#include "base/alloc.h"
#include "text/tokenizer_impl.h"
#include <string.h>

struct stretch {
	const struct skip_tokenizer *tokenizer;
	const char *start; /* of the text as it came */
	struct skip_buf *normal;
	bool at_start;
	size_t enough;
	struct skip_encoding *out;
};

/* A stretch of normalised text between added tokens. */
static bool encode_normal(void *context, const char *text, size_t size)
{
	const struct stretch *s = context;
	bool at_start = s->at_start && text == (s->tokenizer->normalizer.count ? skip_buf_text(s->normal) : s->start);
	return s->tokenizer->kind->encode(s->tokenizer, text, size, at_start, s->enough, s->out);
}

/* A stretch of the text as it came. */
static bool encode_raw(void *context, const char *text, size_t size)
{
	struct stretch *s = context;
	const struct skip_tokenizer *tokenizer = s->tokenizer;
	s->at_start = text == s->start;
	if (tokenizer->normalizer.count) {
		if (!skip_normalize(&tokenizer->normalizer, text, size, s->normal)) return false;
		text = skip_buf_text(s->normal);
		size = s->normal->length;
	}
	return skip_added_split(&tokenizer->normal, text, size, s->enough, s->out, encode_normal, s);
}

/* Appends the ids of `text`. */
static bool encode_text(const struct skip_tokenizer *tokenizer, const char *text, size_t size, size_t enough, struct skip_encoding *out)
{
	struct skip_buf normal;
	skip_buf_init(&normal);
	struct stretch s = {.tokenizer = tokenizer, .start = text, .normal = &normal, .enough = enough, .out = out};
	bool good = skip_added_split(&tokenizer->raw, text, size, enough, out, encode_raw, &s);
	skip_buf_deinit(&normal);
	return good;
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

static void put_part(const struct skip_template_part *part, struct skip_encoding *out)
{
	for (size_t i = 0; i < part->count; i++) {
		out->ids[out->length] = part->id[i];
		out->types[out->length++] = part->type[i];
	}
}

static void put_types(struct skip_encoding *out, size_t count, int32_t type)
{
	for (size_t i = 0; i < count; i++) out->types[out->length++] = type;
}

enum skip_status skip_tokenizer_encode(const struct skip_tokenizer *tokenizer, const char *text, size_t text_size, const char *pair,
                                       size_t pair_size, int max_length, struct skip_encoding *out, struct skip_err *err)
{
	const struct skip_template *form = pair ? &tokenizer->pair : &tokenizer->single;
	size_t before = form->before.count, between = form->between.count, n_special = before + between + form->behind.count;
	if (max_length < 1 || (size_t)max_length < n_special)
		return skip_err_set(err, SKIP_ERR_USAGE, "a maximum length of %d leaves no room for the %zu special tokens", max_length,
		                    n_special);
	enum skip_status status = check_text("text", text, text_size, err);
	if (status == SKIP_OK && pair) status = check_text("second text", pair, pair_size, err);
	if (status != SKIP_OK) return status;

	size_t room = (size_t)max_length - n_special;
	out->length = 0;
	if (!skip_encoding_reserve(out, n_special + 1)) goto no_memory; /* room even for nothing, so that the arrays exist */
	out->length = before;
	/* Of a single text nothing past the cut matters; how two texts share the room depends on both lengths. */
	if (!encode_text(tokenizer, text, text_size, pair ? SIZE_MAX : before + room, out)) goto no_memory;
	size_t first = out->length - before, second_at = out->length, second = 0;
	if (pair) {
		if (!encode_text(tokenizer, pair, pair_size, SIZE_MAX, out)) goto no_memory;
		second = out->length - second_at;
	}
	share_room(room, &first, &second);
	if (!skip_encoding_reserve(out, n_special)) goto no_memory;
	memmove(out->ids + before + first + between, out->ids + second_at, second * sizeof(*out->ids));
	out->length = 0;
	put_part(&form->before, out);
	put_types(out, first, form->type_a);
	put_part(&form->between, out);
	put_types(out, second, form->type_b);
	put_part(&form->behind, out);
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

static const char *added_token(const struct skip_added *added, int32_t id)
{
	for (size_t i = 0; i < added->count; i++)
		if (added->token[i].id == id) return added->token[i].content;
	return NULL;
}

const char *skip_tokenizer_token(const struct skip_tokenizer *tokenizer, int32_t id)
{
	const char *token = skip_vocab_token(tokenizer->kind->vocab(tokenizer), id);
	if (!token) token = added_token(&tokenizer->raw, id);
	return token ? token : added_token(&tokenizer->normal, id);
}

const char *const *skip_tokenizer_files(const struct skip_tokenizer *tokenizer)
{
	return tokenizer->files;
}

const char *skip_tokenizer_kind(const struct skip_tokenizer *tokenizer)
{
	return tokenizer->kind->name;
}
