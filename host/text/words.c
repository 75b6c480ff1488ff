/*
 * The BERT normaliser and pre-tokenizer in one pass over the text; see words.h. Pieces of words are wordpiece.c, properties of characters
 * unicode.c.
 */
#include "text/words.h"

struct splitter {
	const struct skip_word_rules *rules;
	skip_word_fn fn;
	void *context;
	bool stopped;
	struct skip_buf *normal; /* takes the normalised text, which is then not cut; NULL: words go to fn */
	struct skip_word word;
	/* Decomposed characters of one run of combining marks, not yet in canonical order; those past the limit of a word cannot matter. */
	struct {
		uint32_t c;
		int class;
	} run[SKIP_WORD_MAX_CHARS + 1];
	size_t n_run;
};

static void end_word(struct splitter *s)
{
	if (s->word.n_chars && !s->stopped && !s->fn(s->context, &s->word)) s->stopped = true;
	s->word.size = 0;
	s->word.n_chars = 0;
}

static void add_char(struct splitter *s, uint32_t c)
{
	if (s->word.n_chars++ < SKIP_WORD_MAX_CHARS) s->word.size += skip_utf8_put(c, s->word.bytes + s->word.size);
}

/* A character of the normalised text. */
static void put_normalised(struct splitter *s, uint32_t c)
{
	if (s->normal) {
		char bytes[SKIP_CHAR_MAX_BYTES];
		skip_buf_append(s->normal, bytes, skip_utf8_put(c, bytes));
	} else if (skip_char_space(c)) {
		end_word(s);
	} else if (skip_char_punctuation(c)) {
		end_word(s);
		add_char(s, c);
		end_word(s);
	} else {
		add_char(s, c);
	}
}

static void put_lower(struct splitter *s, uint32_t c)
{
	if (!s->rules->lower) {
		put_normalised(s, c);
		return;
	}
	uint32_t lower[SKIP_CHAR_MAX_LOWER];
	int n = skip_char_lower(c, lower);
	for (int i = 0; i < n; i++) put_normalised(s, lower[i]);
}

static void end_run(struct splitter *s)
{
	for (size_t i = 0; i < s->n_run; i++) put_lower(s, s->run[i].c);
	s->n_run = 0;
}

/* Accents go; other combining characters stay, in canonical order (stable by class between characters of class 0). */
static void put_decomposed(struct splitter *s, uint32_t c)
{
	uint32_t parts[SKIP_CHAR_MAX_DECOMPOSED];
	int n = skip_char_decompose(c, parts);
	for (int i = 0; i < n; i++) {
		int class = skip_char_class(parts[i]);
		if (class == 0) end_run(s);
		if (skip_char_mark(parts[i])) continue;
		if (class == 0) {
			put_lower(s, parts[i]);
			continue;
		}
		if (s->n_run > SKIP_WORD_MAX_CHARS) { /* the word is too long whatever stands in it */
			s->word.n_chars++;
			continue;
		}
		size_t at = s->n_run++;
		for (; at > 0 && s->run[at - 1].class > class; at--) s->run[at] = s->run[at - 1];
		s->run[at].c = parts[i];
		s->run[at].class = class;
	}
}

/* The edge of an ideograph: a blank in the text. */
static void set_apart(struct splitter *s)
{
	end_run(s);
	put_normalised(s, ' ');
}

static void put_raw(struct splitter *s, uint32_t c)
{
	const struct skip_word_rules *rules = s->rules;
	if (rules->clean && skip_char_removed(c)) return;
	if (rules->clean && skip_char_space(c)) c = ' ';
	bool apart = rules->split_cjk && skip_char_cjk(c);
	if (apart) set_apart(s);
	if (rules->strip_accents) put_decomposed(s, c);
	else
		put_lower(s, c);
	if (apart) set_apart(s);
}

/* The same for ASCII, which has no accents and no ideographs. */
static void put_ascii(struct splitter *s, uint32_t c)
{
	bool upper = c >= 'A' && c <= 'Z';
	bool control = c < 0x20 || c == 0x7f;
	if (control && s->rules->clean && skip_char_removed(c)) return;
	if (s->n_run) end_run(s);
	if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (control && !skip_char_space(c))) {
		if (upper && s->rules->lower) c |= 0x20;
		if (s->word.n_chars++ < SKIP_WORD_MAX_CHARS) s->word.bytes[s->word.size++] = (char)c;
		return;
	}
	end_word(s);
	if (control || c == ' ') return;
	s->word.bytes[s->word.size++] = (char)c;
	s->word.n_chars++;
	end_word(s);
}

/* Not by an initialiser: most of the struct is room that needs no zeros. */
static void begin(struct splitter *s, const struct skip_word_rules *rules)
{
	s->rules = rules;
	s->fn = NULL;
	s->context = NULL;
	s->stopped = false;
	s->normal = NULL;
	s->word.size = 0;
	s->word.n_chars = 0;
	s->n_run = 0;
}

void skip_words_normalize(const struct skip_word_rules *rules, const char *text, size_t size, struct skip_buf *out)
{
	struct splitter s;
	begin(&s, rules);
	s.normal = out;
	for (const char *end = text + size; text < end;) put_raw(&s, skip_utf8_next(&text));
	end_run(&s);
}

void skip_words_each(const struct skip_word_rules *rules, const char *text, size_t size, skip_word_fn fn, void *context)
{
	struct splitter s;
	begin(&s, rules);
	s.fn = fn;
	s.context = context;
	const char *end = text + size;
	while (text < end && !s.stopped) {
		uint32_t c = (unsigned char)*text;
		if (c < 0x80) {
			text++;
			put_ascii(&s, c);
		} else {
			put_raw(&s, skip_utf8_next(&text));
		}
	}
	end_run(&s);
	end_word(&s);
}
