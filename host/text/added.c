/* Added tokens; see added.h. */
#include "text/added.h"

#include "base/alloc.h"
#include "text/unicode.h"
#include <string.h>

void skip_added_init(struct skip_added *added)
{
	memset(added, 0, sizeof(*added));
	skip_vocab_init(&added->match);
}

void skip_added_deinit(struct skip_added *added)
{
	for (size_t i = 0; i < added->count; i++) skip_free(added->token[i].content);
	skip_free(added->token);
	skip_vocab_deinit(&added->match);
	memset(added, 0, sizeof(*added));
}

enum skip_status skip_added_add(struct skip_added *added, const struct skip_added_token *token, const char *match, size_t match_size,
				struct skip_err *err)
{
	void *grown = added->token;
	if (match_size == 0 || skip_vocab_find(&added->match, match, match_size) >= 0) return SKIP_OK;
	bool good = skip_grow(&grown, &added->cap, added->count + 1, sizeof(*added->token));
	added->token = grown;
	char *copy = good ? skip_strdup(token->content) : NULL;
	if (!copy) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for added tokens");
	added->token[added->count] = *token;
	added->token[added->count++].content = copy;
	added->first[(unsigned char)match[0]] = true;
	return skip_vocab_add(&added->match, match, match_size, (int32_t)(added->count - 1), err);
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

bool skip_added_split(const struct skip_added *added, const char *text, size_t size, size_t enough, struct skip_encoding *out, skip_stretch_fn fn,
		      void *context)
{
	size_t start = 0; /* of the stretch that is not encoded yet */
	for (size_t i = 0; i < size && out->length < enough;) {
		int32_t index;
		size_t taken = added->first[(unsigned char)text[i]] ? skip_vocab_longest(&added->match, 0, text + i, size - i, &index) : 0;
		if (!taken) {
			i++;
			continue;
		}
		const struct skip_added_token *token = &added->token[index];
		if (i > start) {
			size_t end = token->lstrip ? without_space_before(text, start, i) : i;
			if (end > start && !fn(context, text + start, end - start)) return false;
		}
		if (!skip_encoding_reserve(out, 1)) return false;
		out->ids[out->length++] = token->id;
		i += taken;
		start = token->rstrip ? after_space(text, i, size) : i;
		if (start > i) i = start;
	}
	return start >= size || out->length >= enough || fn(context, text + start, size - start);
}

bool skip_encoding_reserve(struct skip_encoding *out, size_t more)
{
	size_t need;
	if (!skip_size_add(out->length, more, &need)) return false;
	if (need <= out->capacity) return true;
	void *ids = out->ids, *types = out->types;
	size_t cap_ids = out->capacity, cap_types = out->capacity;
	bool grown = skip_grow(&ids, &cap_ids, need, sizeof(*out->ids));
	out->ids = ids;
	grown = grown && skip_grow(&types, &cap_types, need, sizeof(*out->types));
	out->types = types;
	if (grown) out->capacity = cap_ids < cap_types ? cap_ids : cap_types;
	return grown;
}
