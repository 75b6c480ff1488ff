/* Words: the rules one by one. Identity with the library over all code points is tests/golden/test_tokens.c. */
#include "base/buf.h"
#include "check.h"
#include "text/words.h"
#include <string.h>

static bool collect(void *context, const struct skip_word *word)
{
	struct skip_buf *text = context;
	skip_buf_puts(text, text->length ? "|" : "");
	skip_buf_append(text, word->bytes, word->size);
	return true;
}

struct words_case {
	struct skip_word_rules rules;
	char text[48], words[48];
};

#define UNCASED                                                                                                                            \
	{                                                                                                                                  \
		true, true, true, true                                                                                                     \
	}
#define CASED                                                                                                                              \
	{                                                                                                                                  \
		true, true, false, false                                                                                                   \
	}
#define LOWER_ONLY                                                                                                                         \
	{                                                                                                                                  \
		false, false, false, true                                                                                                  \
	}

ParameterizedTestParameters(words, splits)
{
	static struct words_case cases[] = {
	    {UNCASED, "", ""},
	    {UNCASED, " \t\n", ""},
	    {UNCASED, "One, two.", "one|,|two|."},
	    {UNCASED, "It's", "it|'|s"},
	    {UNCASED, "Caf\u00e9 e\u0301", "cafe|e"},
	    {CASED, "Caf\u00e9 E\u0301", "Caf\u00e9|E\u0301"},
	    {UNCASED, "a\u4e2d\u6587b", "a|\u4e2d|\u6587|b"},
	    {LOWER_ONLY, "A\u4e2d\u6587B", "a\u4e2d\u6587b"},
	    {UNCASED, "\uf900", "\u8c48"},
	    {UNCASED, "\u0130x", "ix"},
	    {LOWER_ONLY, "\u0130x", "i\u0307x"},
	    {UNCASED, "\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"},
	    {UNCASED, "a\u200bb\u00adc\x01", "abc"},
	    {LOWER_ONLY, "a\u200bb\x01\x0b\xc2\x85", "a\u200bb\x01"},
	    {UNCASED, "a\u00a0b\u3000c\u2028d", "a|b|c|d"},
	    {UNCASED, "a\u302e\u1baa", "a\u1baa\u302e"},           /* canonical order: class 9 before 224 */
	    {UNCASED, "a\u302e\x01\u0301\u1baa", "a\u1baa\u302e"}, /* across what is dropped */
	    {UNCASED, "a\u302e\u0900\u1baa", "a\u302e\u1baa"},     /* not across a mark of class 0 */
	    {CASED, "a\u302e\u1baa", "a\u302e\u1baa"},
	    {UNCASED, "\uac01", "\u1100\u1161\u11a8"},
	    {UNCASED, "\U00011938", "\U00011938"},
	    {UNCASED, "x\u2e43y", "x\u2e43y"}, /* punctuation since Unicode 9 only */
	    {UNCASED, "\ua7cb\U00010d50", "\u0264\U00010d70"},
	};
	return cr_make_param_array(struct words_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct words_case *c, words, splits)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_words_each(&c->rules, c->text, strlen(c->text), collect, &text);
	cr_assert(eq(str, (char *)skip_buf_text(&text), c->words));
	skip_buf_deinit(&text);
}

struct lengths {
	size_t n, n_chars, size;
};

static bool last_length(void *context, const struct skip_word *word)
{
	struct lengths *lengths = context;
	lengths->n++;
	lengths->n_chars = word->n_chars;
	lengths->size = word->size;
	return true;
}

/* `unit` repeated n times makes one word of n * chars characters. */
Test(words, long_words_are_counted_and_cut)
{
	static const struct {
		const char *unit;
		size_t chars, bytes;
	} units[] = {{"a", 1, 1}, {"\u00c9", 1, 1}, {"\U0001f600", 1, 4}, {"\u302e\u1baa", 2, 6}, {"\uac01", 3, 9}};
	static const struct skip_word_rules rules = UNCASED;
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		for (size_t n = 1; n <= 250; n++) {
			struct skip_buf text;
			struct lengths lengths = {0};
			skip_buf_init(&text);
			for (size_t i = 0; i < n; i++) skip_buf_puts(&text, units[u].unit);
			skip_words_each(&rules, text.data, text.length, last_length, &lengths);
			cr_assert(lengths.n == 1 && lengths.n_chars == n * units[u].chars, "unit %zu times %zu: %zu characters", u, n,
			          lengths.n_chars);
			if (n * units[u].chars <= SKIP_WORD_MAX_CHARS) cr_assert(lengths.size == n * units[u].bytes);
			skip_buf_deinit(&text);
		}
	}
}

static bool stop_at_second(void *context, const struct skip_word *word)
{
	(void)word;
	return ++*(int *)context < 2;
}

Test(words, stops_when_asked)
{
	static const struct skip_word_rules rules = UNCASED;
	int n = 0;
	skip_words_each(&rules, "a, b. c d\u00e9", 11, stop_at_second, &n);
	cr_assert(n == 2);
}

struct utf8_case {
	char text[24];
	size_t size, bad; /* bad == size: good */
};

ParameterizedTestParameters(words, utf8)
{
	static struct utf8_case cases[] = {
	    {"", 0, 0},
	    {"plain ascii text", 16, 16},
	    {"\u00e9\u4e2d\U0001f600\uffff", 12, 12},
	    {"\xf4\x8f\xbf\xbf", 4, 4},
	    {"abc\x80", 4, 3},
	    {"abc\xff", 4, 3},
	    {"\xc0\x80", 2, 0},         /* overlong */
	    {"ab\xe0\x9f\xbf", 5, 2},   /* overlong */
	    {"\xed\xa0\x80", 3, 0},     /* surrogate */
	    {"\xf4\x90\x80\x80", 4, 0}, /* past U+10FFFF */
	    {"\xf8\x88\x80\x80\x80", 5, 0},
	    {"a\xc3", 2, 1}, /* cut off */
	    {"a\xe4\xb8", 3, 1},
	    {"a\xf0\x9f\x98", 4, 1},
	    {"a\xf0\x9f\x98 b", 6, 1},
	    {"eight by\0es long", 17, 8},
	    {"01234567\xc3\xa9\0", 11, 10},
	    {"0123456\x80 789", 12, 7},
	};
	return cr_make_param_array(struct utf8_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct utf8_case *c, words, utf8)
{
	size_t bad = c->size;
	cr_assert(eq(int, skip_utf8_check(c->text, c->size, &bad), c->bad == c->size));
	cr_assert(eq(sz, bad, c->bad));
}

Test(words, utf8_round_trip)
{
	for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
		char bytes[SKIP_CHAR_MAX_BYTES];
		if (c >= 0xd800 && c < 0xe000) continue;
		size_t size = skip_utf8_put(c, bytes), bad;
		const char *at = bytes;
		cr_assert(skip_utf8_check(bytes, size, &bad));
		cr_assert(skip_utf8_next(&at) == c && at == bytes + size, "U+%04X", c);
	}
}

struct normal_case {
	struct skip_word_rules rules;
	char text[48], normal[48];
};

ParameterizedTestParameters(words, normalizes)
{
	static struct normal_case cases[] = {
	    {UNCASED, "Ab\tc,\x01 D", "ab c, d"},
	    {UNCASED, "\u00c9\u4e2dx", "e \u4e2d x"},
	    {CASED, "\u00c9\u4e2dx\n", "\u00c9 \u4e2d x "},
	    {LOWER_ONLY, "\u00c9\u4e2d\x01", "\u00e9\u4e2d\x01"},
	    {UNCASED, "", ""},
	};
	return cr_make_param_array(struct normal_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct normal_case *c, words, normalizes)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_words_normalize(&c->rules, c->text, strlen(c->text), &text);
	cr_assert(eq(str, (char *)skip_buf_text(&text), c->normal));
	skip_buf_deinit(&text);
}
