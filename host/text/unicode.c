/* Code point properties and UTF-8; see unicode.h. What is done with them is words.c. */
#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

struct range {
	uint32_t first, last;
};
struct valued_range {
	uint32_t first, last;
	int32_t value;
};

#include "text/unicode_tables.inc"

/* Characters with a canonical decomposition that came after Unicode 9: the tokenizer leaves them whole, a recent utf8proc does not. */
static const struct range later_composed[] = {
    {0x105c9, 0x105c9}, {0x105e4, 0x105e4}, {0x11383, 0x11391}, {0x113c5, 0x113c8},
    {0x11938, 0x11938}, {0x16121, 0x16128}, {0x16d68, 0x16d6a},
};

#define IN(table, c) in_ranges(table, sizeof(table) / sizeof(table[0]), c)

static bool in_ranges(const struct range *ranges, size_t n, uint32_t c)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c > ranges[middle].last) low = middle + 1;
		else
			high = middle;
	}
	return low < n && c >= ranges[low].first;
}

/* The value of the range that holds `c`, else 0. */
static int32_t range_value(const struct valued_range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n && c >= ranges[i].first; i++)
		if (c <= ranges[i].last) return ranges[i].value;
	return 0;
}

bool skip_utf8_check(const char *text, size_t size, size_t *bad)
{
	size_t at = 0;
	while (at < size) {
		uint64_t word;
		if (size - at >= sizeof(word)) {
			memcpy(&word, text + at, sizeof(word));
			/* Eight bytes of 0x01..0x7f: no high bit, and subtracting 1 borrows into no high bit. */
			if (!((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080))) {
				at += sizeof(word);
				continue;
			}
		}
		utf8proc_int32_t c;
		size_t left = size - at < SKIP_CHAR_MAX_BYTES ? size - at : SKIP_CHAR_MAX_BYTES;
		utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, &c);
		if (n <= 0 || c == 0) {
			*bad = at;
			return false;
		}
		at += (size_t)n;
	}
	return true;
}

uint32_t skip_utf8_next(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	uint32_t c = p[0];
	int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	static const uint32_t lead[] = {0x7f, 0x1f, 0x0f, 0x07};
	c &= lead[more];
	for (int i = 1; i <= more; i++) c = c << 6 | (p[i] & 0x3fu);
	*text += more + 1;
	return c;
}

size_t skip_utf8_put(uint32_t c, char out[SKIP_CHAR_MAX_BYTES])
{
	return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

bool skip_char_removed(uint32_t c)
{
	return IN(removed_ranges, c);
}
bool skip_char_cjk(uint32_t c)
{
	return IN(cjk_ranges, c);
}
bool skip_char_punctuation(uint32_t c)
{
	return IN(punctuation_ranges, c);
}
bool skip_char_mark(uint32_t c)
{
	return IN(mark_ranges, c);
}

bool skip_char_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool skip_char_combining(uint32_t c)
{
	return c >= 0x300 && IN(combining_ranges, c);
}

static bool in_category(uint32_t c, utf8proc_category_t first, utf8proc_category_t last)
{
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
	return category >= first && category <= last;
}

bool skip_char_letter(uint32_t c)
{
	return in_category(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO) || IN(later_letter_ranges, c);
}
bool skip_char_number(uint32_t c)
{
	return in_category(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO) || IN(later_number_ranges, c);
}

int skip_char_class(uint32_t c)
{
	if (c < 0x300) return 0;
	if (skip_char_mark(c)) return utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
	return range_value(class_ranges, sizeof(class_ranges) / sizeof(class_ranges[0]), c);
}

int skip_char_decompose(uint32_t c, uint32_t out[SKIP_CHAR_MAX_DECOMPOSED])
{
	out[0] = c;
	if (c < 0xc0 || IN(later_composed, c)) return 1;
	utf8proc_int32_t parts[SKIP_CHAR_MAX_DECOMPOSED];
	int boundary = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, SKIP_CHAR_MAX_DECOMPOSED, UTF8PROC_DECOMPOSE, &boundary);
	if (n < 1 || n > SKIP_CHAR_MAX_DECOMPOSED) return 1;
	for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)parts[i];
	return (int)n;
}

uint32_t skip_char_compose(uint32_t a, uint32_t b)
{
	utf8proc_int32_t both[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
	if (utf8proc_normalize_utf32(both, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1 || IN(later_composed, (uint32_t)both[0])) return 0;
	return (uint32_t)both[0];
}

int skip_char_decompose_compat(uint32_t c, uint32_t out[SKIP_CHAR_MAX_COMPAT])
{
	out[0] = c;
	if (c < 0xa0 || IN(later_composed, c) || IN(later_compat_ranges, c)) return 1;
	utf8proc_int32_t parts[SKIP_CHAR_MAX_COMPAT];
	int boundary = 0;
	utf8proc_ssize_t n =
	    utf8proc_decompose_char((utf8proc_int32_t)c, parts, SKIP_CHAR_MAX_COMPAT, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
	if (n < 1 || n > SKIP_CHAR_MAX_COMPAT) return 1;
	for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)parts[i];
	return (int)n;
}

int skip_char_lower(uint32_t c, uint32_t out[SKIP_CHAR_MAX_LOWER])
{
	if (c == 0x130) { /* the only full lower case of two characters */
		out[0] = 'i';
		out[1] = 0x307;
		return 2;
	}
	int32_t distance = range_value(lower_ranges, sizeof(lower_ranges) / sizeof(lower_ranges[0]), c);
	out[0] = distance ? (uint32_t)((int32_t)c + distance) : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
	return 1;
}
