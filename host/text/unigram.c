/* The unigram model; see unigram.h. */
#include "text/unigram.h"

#include "base/alloc.h"
#include "text/unicode.h"
#include <math.h>
#include <string.h>

#define UNKNOWN_COST 10.0
#define SMALL_WORD 256
static const char blank_sign[] = "\xe2\x96\x81"; /* U+2581 */
#define SIGN_BYTES 3

void skip_unigram_init(struct skip_unigram *unigram)
{
	memset(unigram, 0, sizeof(*unigram));
	skip_vocab_init(&unigram->vocab);
	unigram->lowest = INFINITY;
}

void skip_unigram_deinit(struct skip_unigram *unigram)
{
	skip_vocab_deinit(&unigram->vocab);
	skip_free(unigram->score);
	memset(unigram, 0, sizeof(*unigram));
}

enum skip_status skip_unigram_add(struct skip_unigram *unigram, const char *piece, double score, struct skip_err *err)
{
	size_t id = unigram->vocab.count;
	void *grown = unigram->score;
	if (!isfinite(score)) return skip_err_set(err, SKIP_ERR_INPUT, "piece \"%s\" has no finite score", piece);
	if (!skip_grow(&grown, &unigram->cap_score, id + 1, sizeof(*unigram->score))) return skip_err_set(err, SKIP_ERR_NOMEM, "vocabulary");
	unigram->score = grown;
	unigram->score[id] = score;
	if (score < unigram->lowest) unigram->lowest = score;
	return skip_vocab_add(&unigram->vocab, piece, strlen(piece), (int32_t)id, err);
}

/* The best way to a place in the word. */
struct path {
	double score;
	size_t start; /* of the last piece; NOWHERE: no way yet */
	int32_t id;
};
#define NOWHERE SIZE_MAX

static void offer(struct path *path, double score, size_t start, int32_t id)
{
	if (path->start != NOWHERE && score <= path->score) return;
	*path = (struct path){score, start, id};
}

static void find_paths(const struct skip_unigram *unigram, const char *word, size_t size, struct path *path)
{
	const struct skip_vocab *vocab = &unigram->vocab;
	for (size_t i = 1; i <= size; i++) path[i].start = NOWHERE;
	path[0].score = 0;
	for (size_t at = 0; at < size;) {
		const char *p = word + at;
		skip_utf8_next(&p);
		size_t one = (size_t)(p - word);
		bool covered = false;
		uint32_t node = 0;
		for (size_t end = at + 1; end <= size; end++) {
			node = skip_vocab_walk(vocab, node, word + end - 1, 1);
			if (node == SKIP_VOCAB_NO_NODE) break;
			int32_t id = vocab->node_id[node];
			if (id < 0) continue;
			offer(&path[end], unigram->score[id] + path[at].score, at, id);
			if (end == one) covered = true;
		}
		if (!covered) offer(&path[one], unigram->lowest - UNKNOWN_COST + path[at].score, at, unigram->unknown);
		at = one;
	}
}

static bool encode_word(const struct skip_unigram *unigram, const char *word, size_t size, struct skip_encoding *out)
{
	struct path small[SMALL_WORD + 1], *path = small;
	if (size > SMALL_WORD) path = skip_alloc_array(size + 1, sizeof(*path));
	bool good = path && skip_encoding_reserve(out, size);
	if (good) {
		find_paths(unigram, word, size, path);
		size_t n = 0;
		int32_t behind = -1;
		for (size_t at = size; at > 0; at = path[at].start) { /* from the end to the start */
			if (path[at].id != unigram->unknown || behind != unigram->unknown) out->ids[out->length + n++] = path[at].id;
			behind = path[at].id;
		}
		for (size_t i = 0; i < n / 2; i++) {
			int32_t id = out->ids[out->length + i];
			out->ids[out->length + i] = out->ids[out->length + n - 1 - i];
			out->ids[out->length + n - 1 - i] = id;
		}
		out->length += n;
	}
	if (path != small) skip_free(path);
	return good;
}

/* One chunk of text: its blanks become signs, and a word begins at each sign. */
static bool encode_chunk(const struct skip_unigram *unigram, const char *text, size_t size, bool front, size_t enough, struct skip_buf *word,
			 struct skip_encoding *out)
{
	skip_buf_clear(word);
	for (size_t at = 0; at < size && out->length < enough;) {
		bool sign = size - at >= SIGN_BYTES && memcmp(text + at, blank_sign, SIGN_BYTES) == 0, blank = text[at] == ' ';
		if (sign || blank) {
			if (word->length && !encode_word(unigram, word->data, word->length, out)) return false;
			skip_buf_clear(word);
			skip_buf_append(word, blank_sign, SIGN_BYTES);
			at += sign ? SIGN_BYTES : 1;
			front = false;
			continue;
		}
		if (front) skip_buf_append(word, blank_sign, SIGN_BYTES);
		front = false;
		size_t start = at++;
		while (at < size && text[at] != ' ' && (unsigned char)text[at] != (unsigned char)blank_sign[0]) at++;
		skip_buf_append(word, text + start, at - start);
	}
	if (!skip_buf_ok(word)) return false;
	return !word->length || out->length >= enough || encode_word(unigram, word->data, word->length, out);
}

bool skip_unigram_encode(const struct skip_unigram *unigram, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out)
{
	struct skip_buf word;
	bool good = true;
	skip_buf_init(&word);
	for (const char *p = text, *end = text + size; p < end && good && out->length < enough;) {
		const char *start = p, *stop = end;
		if (unigram->split_spaces) {
			for (const char *next = p; p < end; p = next)
				if (skip_char_space(skip_utf8_next(&next))) break;
			stop = p;
			if (p < end) skip_utf8_next(&p);
		} else {
			p = end;
		}
		bool front = unigram->front == SKIP_FRONT_ALWAYS || (unigram->front == SKIP_FRONT_FIRST && at_start && start == text);
		if (stop > start) good = encode_chunk(unigram, start, (size_t)(stop - start), front, enough, &word, out);
	}
	skip_buf_deinit(&word);
	return good;
}
