/* WordPiece; see wordpiece.h. Special tokens, truncation and type ids are tokenizer.c. */
#include "text/wordpiece.h"

#include "base/alloc.h"

struct run {
	const struct skip_wordpiece *wordpiece;
	struct skip_encoding *out;
	size_t enough;
	bool failed;
};

static bool add_word(void *context, const struct skip_word *word)
{
	struct run *run = context;
	const struct skip_wordpiece *wordpiece = run->wordpiece;
	struct skip_encoding *out = run->out;
	size_t n = word->n_chars > SKIP_WORD_MAX_CHARS ? 1 : word->n_chars; /* a piece takes at least one character */
	if (!skip_encoding_reserve(out, n)) {
		run->failed = true;
		return false;
	}
	size_t before = out->length, at = 0;
	if (word->n_chars <= SKIP_WORD_MAX_CHARS) {
		while (at < word->size) {
			int32_t id;
			size_t taken =
			    skip_vocab_longest(&wordpiece->vocab, at ? wordpiece->inside : 0, word->bytes + at, word->size - at, &id);
			if (!taken) break;
			out->ids[out->length++] = id;
			at += taken;
		}
	}
	if (at < word->size) {
		out->length = before;
		out->ids[out->length++] = wordpiece->unknown;
	}
	return out->length < run->enough;
}

bool skip_wordpiece_encode(const struct skip_wordpiece *wordpiece, const char *text, size_t size, size_t enough, struct skip_encoding *out)
{
	struct run run = {wordpiece, out, enough, false};
	if (out->length < enough) skip_words_each(&wordpiece->rules, text, size, add_word, &run);
	return !run.failed;
}
