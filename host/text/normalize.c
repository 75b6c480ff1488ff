/* Steps of normalisers; see normalize.h. Properties of characters are unicode.c, character maps charsmap.c. */
#include "text/normalize.h"

#include "base/alloc.h"
#include "text/unicode.h"
#include <string.h>

struct skip_norm_step *skip_normalizer_add(struct skip_normalizer *normalizer, enum skip_norm kind)
{
	void *grown = normalizer->step;
	if (!skip_grow(&grown, &normalizer->cap, normalizer->count + 1, sizeof(*normalizer->step))) return NULL;
	normalizer->step = grown;
	struct skip_norm_step *step = &normalizer->step[normalizer->count++];
	*step = (struct skip_norm_step){.kind = kind};
	return step;
}

void skip_normalizer_deinit(struct skip_normalizer *normalizer)
{
	for (size_t i = 0; i < normalizer->count; i++) {
		skip_free(normalizer->step[i].pattern);
		skip_free(normalizer->step[i].content);
		skip_charsmap_deinit(&normalizer->step[i].map);
	}
	skip_free(normalizer->step);
	memset(normalizer, 0, sizeof(*normalizer));
}

static void put_char(struct skip_buf *out, uint32_t c)
{
	char bytes[SKIP_CHAR_MAX_BYTES];
	skip_buf_append(out, bytes, skip_utf8_put(c, bytes));
}

/* Puts the characters [first, last), all of a class other than 0, into the order of their classes; equal classes keep theirs. */
static bool sort_marks(uint32_t *point, size_t first, size_t last)
{
	size_t start[256] = {0}, n = last - first, sum = 0;
	uint32_t *copy = skip_alloc_array(n, sizeof(*copy));
	if (!copy) return false;
	memcpy(copy, point + first, n * sizeof(*copy));
	for (size_t i = 0; i < n; i++) start[skip_char_class(copy[i]) & 255]++;
	for (size_t k = 0; k < 256; k++) {
		size_t count = start[k];
		start[k] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++) point[first + start[skip_char_class(copy[i]) & 255]++] = copy[i];
	skip_free(copy);
	return true;
}

static bool sort_all(uint32_t *point, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t end = i;
		int before = 0;
		bool sorted = true;
		for (int class; end < n && (class = skip_char_class(point[end])) != 0; end++, before = class) sorted = sorted && class >= before;
		if (!sorted && !sort_marks(point, i, end)) return false;
		i = end + 1;
	}
	return true;
}

/* Joins what composes, in place: a character joins the last starter unless one between them has its class or is a starter. Gives the new length. */
static size_t compose_all(uint32_t *point, size_t n)
{
	size_t starter = SIZE_MAX, out = 0;
	int before = 0; /* class of the character before, 0 right behind the starter */
	for (size_t i = 0; i < n; i++) {
		int class = skip_char_class(point[i]);
		bool free = starter != SIZE_MAX && (out == starter + 1 || (before != 0 && before < class));
		uint32_t joined = free ? skip_char_compose(point[starter], point[i]) : 0;
		if (joined) {
			point[starter] = joined;
			continue;
		}
		if (class == 0) starter = out;
		before = class;
		point[out++] = point[i];
	}
	return out;
}

/* NFD, NFKD, NFC, NFKC. */
static bool put_form(enum skip_norm kind, const char *text, size_t size, struct skip_buf *out)
{
	bool compose = kind == SKIP_NORM_NFC || kind == SKIP_NORM_NFKC, compat = kind == SKIP_NORM_NFKC || kind == SKIP_NORM_NFKD;
	/* Text below U+0300 is its own NFC, ASCII every form of itself. */
	unsigned char plain_below = compose && !compat ? 0xcc : 0xc2;
	size_t at = 0, n = 0;
	while (at < size && (unsigned char)text[at] < plain_below) at++;
	if (at == size) {
		skip_buf_append(out, text, size);
		return true;
	}
	uint32_t *point = NULL;
	size_t cap = 0;
	for (const char *p = text, *end = text + size; p < end;) {
		uint32_t c = skip_utf8_next(&p);
		void *grown = point;
		if (!skip_grow(&grown, &cap, n + SKIP_CHAR_MAX_COMPAT, sizeof(*point))) {
			skip_free(point);
			return false;
		}
		point = grown;
		n += (size_t)(compat ? skip_char_decompose_compat(c, point + n) : skip_char_decompose(c, point + n));
	}
	bool good = sort_all(point, n);
	if (compose) n = compose_all(point, n);
	for (size_t i = 0; i < n; i++) put_char(out, point[i]);
	skip_free(point);
	return good;
}

static void put_lower(const char *text, size_t size, struct skip_buf *out)
{
	for (const char *p = text, *end = text + size; p < end;) {
		uint32_t lower[SKIP_CHAR_MAX_LOWER];
		int n = skip_char_lower(skip_utf8_next(&p), lower);
		for (int i = 0; i < n; i++) put_char(out, lower[i]);
	}
}

static void put_without_accents(const char *text, size_t size, struct skip_buf *out)
{
	for (const char *p = text, *end = text + size; p < end;) {
		const char *start = p;
		if (!skip_char_combining(skip_utf8_next(&p))) skip_buf_append(out, start, (size_t)(p - start));
	}
}

static void put_replaced(const struct skip_norm_step *step, const char *text, size_t size, struct skip_buf *out)
{
	size_t length = strlen(step->pattern);
	for (const char *p = text, *end = text + size; p < end;) {
		const char *found = memmem(p, (size_t)(end - p), step->pattern, length);
		skip_buf_append(out, p, (size_t)((found ? found : end) - p));
		if (!found) break;
		skip_buf_puts(out, step->content);
		p = found + length;
	}
}

/* Runs of blanks, or of white space. */
static void put_single_spaces(const struct skip_norm_step *step, const char *text, size_t size, struct skip_buf *out)
{
	for (const char *p = text, *end = text + size; p < end;) {
		const char *start = p;
		size_t n = 0;
		while (p < end) {
			const char *next = p;
			uint32_t c = skip_utf8_next(&next);
			if (step->kind == SKIP_NORM_BLANKS ? c != ' ' : !skip_char_space(c)) break;
			p = next;
			n++;
		}
		bool line = n == 1 && step->kind == SKIP_NORM_SPACES && (*start == '\n' || *start == '\r' || *start == '\t');
		if (n > 1 || line) {
			skip_buf_puts(out, step->content);
			continue;
		}
		if (n == 0) skip_utf8_next(&p);
		skip_buf_append(out, start, (size_t)(p - start));
	}
}

static void put_stripped(const struct skip_norm_step *step, const char *text, size_t size, struct skip_buf *out)
{
	const char *end = text + size, *last = text;
	while (step->left && text < end) {
		const char *next = text;
		if (!skip_char_space(skip_utf8_next(&next))) break;
		text = next;
	}
	last = text; /* behind the last character that stays */
	for (const char *p = text; p < end;)
		if (!skip_char_space(skip_utf8_next(&p)) || !step->right) last = p;
	skip_buf_append(out, text, (size_t)(last - text));
}

static bool run_step(const struct skip_norm_step *step, const char *text, size_t size, struct skip_buf *out)
{
	switch (step->kind) {
	case SKIP_NORM_NFC:
	case SKIP_NORM_NFD:
	case SKIP_NORM_NFKC:
	case SKIP_NORM_NFKD: return put_form(step->kind, text, size, out);
	case SKIP_NORM_LOWER: put_lower(text, size, out); break;
	case SKIP_NORM_ACCENTS: put_without_accents(text, size, out); break;
	case SKIP_NORM_REPLACE: put_replaced(step, text, size, out); break;
	case SKIP_NORM_BLANKS:
	case SKIP_NORM_SPACES: put_single_spaces(step, text, size, out); break;
	case SKIP_NORM_STRIP: put_stripped(step, text, size, out); break;
	case SKIP_NORM_CHARSMAP: skip_charsmap_apply(&step->map, text, size, out); break;
	case SKIP_NORM_BERT: skip_words_normalize(&step->rules, text, size, out); break;
	}
	return true;
}

bool skip_normalize(const struct skip_normalizer *normalizer, const char *text, size_t size, struct skip_buf *out)
{
	struct skip_buf spare;
	bool good = true;
	skip_buf_init(&spare);
	skip_buf_clear(out);
	skip_buf_append(out, text, size);
	for (size_t i = 0; i < normalizer->count && good; i++) {
		struct skip_buf from = *out;
		*out = spare;
		spare = from;
		skip_buf_clear(out);
		good = run_step(&normalizer->step[i], skip_buf_text(&spare), spare.length, out);
	}
	good = good && skip_buf_ok(out) && skip_buf_ok(&spare);
	skip_buf_deinit(&spare);
	return good;
}
