/* Steps of normalisers, each against what the Hugging Face library makes of the same text. */
#include "base/alloc.h"
#include "check.h"
#include "text/normalize.h"
#include <string.h>

struct norm_case {
	enum skip_norm kind;
	const char *pattern, *content, *text, *wanted;
};

static const struct norm_case cases[] = {
    {SKIP_NORM_NFC, NULL, NULL, "plain", "plain"},
    {SKIP_NORM_NFC, NULL, NULL, "e\u0301 \u00e9", "\u00e9 \u00e9"},
    {SKIP_NORM_NFC, NULL, NULL, "a\u0323\u0307 a\u0307\u0323", "\u1ea1\u0307 \u1ea1\u0307"},
    {SKIP_NORM_NFC, NULL, NULL, "\u1112\u1161\u11ab", "\ud55c"},
    {SKIP_NORM_NFC, NULL, NULL, "\u0958", "\u0915\u093c"}, /* excluded from composition */
    {SKIP_NORM_NFC, NULL, NULL, "\U00011935\U00011930 \U00011938", "\U00011935\U00011930 \U00011938"}, /* younger than the library's tables */
    {SKIP_NORM_NFC, NULL, NULL, "\u212b\ufb01", "\u00c5\ufb01"},
    {SKIP_NORM_NFD, NULL, NULL, "\u00e9\u1ea1\u0307\ud55c", "e\u0301a\u0323\u0307\u1112\u1161\u11ab"},
    {SKIP_NORM_NFKC, NULL, NULL, "\ufb01 \u2460 \uff21\u0301", "fi 1 \u00c1"},
    {SKIP_NORM_NFKD, NULL, NULL, "\u00bd\u00a0\ufdfa", "1\u20442 \u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"},
    {SKIP_NORM_NFKD, NULL, NULL, "\u32ff", "\u32ff"}, /* younger than the library's tables */
    {SKIP_NORM_LOWER, NULL, NULL, "\u0130AB\u00c9\u03a3", "i\u0307ab\u00e9\u03c3"},
    {SKIP_NORM_ACCENTS, NULL, NULL, "e\u0301\u0903\u20dda", "ea"},
    {SKIP_NORM_REPLACE, "``", "\"", "``a```", "\"a\"`"},
    {SKIP_NORM_BLANKS, "", " ", "  a b   c\t\td ", " a b c\t\td "},
    {SKIP_NORM_SPACES, "", " ", "a\tb \u3000 c\u00a0d\n", "a b c\u00a0d "},
    {SKIP_NORM_STRIP, NULL, NULL, " \u3000a b\u2028\n", "a b"},
    {SKIP_NORM_STRIP, NULL, NULL, " \t", ""},
};

Test(normalize, steps)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_normalizer normalizer = {0};
		struct skip_buf out;
		skip_buf_init(&out);
		struct skip_norm_step *step = skip_normalizer_add(&normalizer, cases[i].kind);
		step->left = step->right = true;
		if (cases[i].content) step->pattern = skip_strdup(cases[i].pattern), step->content = skip_strdup(cases[i].content);
		cr_assert(skip_normalize(&normalizer, cases[i].text, strlen(cases[i].text), &out));
		cr_expect(eq(str, (char *)skip_buf_text(&out), (char *)cases[i].wanted), "case %zu", i);
		skip_buf_deinit(&out);
		skip_normalizer_deinit(&normalizer);
	}
}

Test(normalize, one_side_of_strip_and_many_steps)
{
	struct skip_normalizer normalizer = {0};
	struct skip_buf out;
	skip_buf_init(&out);
	skip_normalizer_add(&normalizer, SKIP_NORM_STRIP)->right = true;
	skip_normalizer_add(&normalizer, SKIP_NORM_NFD);
	skip_normalizer_add(&normalizer, SKIP_NORM_ACCENTS);
	skip_normalizer_add(&normalizer, SKIP_NORM_LOWER);
	cr_assert(skip_normalize(&normalizer, " \u00c9T\u00c9 ", 7, &out));
	cr_assert(eq(str, (char *)skip_buf_text(&out), " ete"));
	skip_buf_deinit(&out);
	skip_normalizer_deinit(&normalizer);
}

Test(normalize, a_long_run_of_marks_is_sorted_in_time)
{
	struct skip_normalizer normalizer = {0};
	struct skip_buf text, out;
	skip_buf_init(&text);
	skip_buf_init(&out);
	skip_normalizer_add(&normalizer, SKIP_NORM_NFC);
	skip_buf_puts(&text, "q");
	for (int i = 0; i < 200000; i++) skip_buf_puts(&text, i % 2 ? "\u0323" : "\u0307");
	cr_assert(skip_normalize(&normalizer, skip_buf_text(&text), text.length, &out));
	cr_assert(eq(sz, out.length, text.length));
	cr_assert(memcmp(out.data + 1, "\u0323\u0323", 4) == 0 && memcmp(out.data + out.length - 4, "\u0307\u0307", 4) == 0);
	skip_buf_deinit(&text);
	skip_buf_deinit(&out);
	skip_normalizer_deinit(&normalizer);
}

/* The map { "a" -> "bc", "ab" -> "x" } as a double array: root's children at 'a' ^ 256, and so on. */
static size_t make_map(unsigned char *data)
{
	enum { UNITS = 1024, ROOT = 256, A = ROOT ^ 'a', A_BELOW = 512, B = A_BELOW ^ 'b', B_BELOW = 768 };
	static uint32_t unit[UNITS];
	memset(unit, 0, sizeof(unit));
	unit[0] = (uint32_t)ROOT << 10;
	unit[A] = (uint32_t)(A ^ A_BELOW) << 10 | 1u << 8 | 'a';
	unit[A_BELOW] = 0x80000000u | 0;
	unit[B] = (uint32_t)(B ^ B_BELOW) << 10 | 1u << 8 | 'b';
	unit[B_BELOW] = 0x80000000u | 3;
	uint32_t bytes = sizeof(unit);
	memcpy(data, &bytes, 4);
	memcpy(data + 4, unit, bytes);
	memcpy(data + 4 + bytes, "bc\0x", 5);
	return 4 + bytes + 5;
}

Test(normalize, character_maps)
{
	static unsigned char data[8192];
	struct skip_err err;
	struct skip_charsmap map;
	struct skip_buf out;
	size_t size = make_map(data);
	skip_buf_init(&out);
	CHECK_OK(skip_charsmap_open(&map, data, size, &err));
	cr_assert(eq(str, (char *)skip_charsmap_find(&map, "ab", 2), "bc")); /* the shortest entry, as in the library */
	cr_assert(skip_charsmap_find(&map, "b", 1) == NULL && skip_charsmap_find(&map, "", 0) == NULL);
	skip_charsmap_apply(&map, "xaa\u0301b", strlen("xaa\u0301b"), &out);
	cr_assert(eq(str, (char *)skip_buf_text(&out), "xbcbcb")); /* a grapheme is replaced whole, mark and all */
	skip_charsmap_deinit(&map);
	for (size_t cut = 0; cut < size; cut += 61) CHECK_FAILS(skip_charsmap_open(&map, data, cut, &err), SKIP_ERR_INPUT);
	for (size_t i = 4; i < size - 1; i += 7) { /* damaged units lead nowhere, not out of the map */
		unsigned char old = data[i];
		data[i] = 0xff;
		if (skip_charsmap_open(&map, data, size, &err) == SKIP_OK) {
			skip_charsmap_apply(&map, "abab a\u0301", 8, &out);
			skip_charsmap_deinit(&map);
		}
		data[i] = old;
	}
	skip_buf_deinit(&out);
}
