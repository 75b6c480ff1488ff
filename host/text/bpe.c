/* Byte-level BPE; see bpe.h. */
#include "text/bpe.h"

#include "base/alloc.h"
#include "text/unicode.h"
#include <string.h>

struct skip_bpe_merge {
	uint64_t key;  /* left id << 32 | right id, plus 1; 0 is an empty cell */
	uint32_t rank; /* lower goes first */
	int32_t id;    /* of the two together */
};

void skip_bpe_init(struct skip_bpe *bpe)
{
	memset(bpe, 0, sizeof(*bpe));
	skip_vocab_init(&bpe->vocab);
}

void skip_bpe_deinit(struct skip_bpe *bpe)
{
	skip_vocab_deinit(&bpe->vocab);
	skip_free(bpe->merge);
	memset(bpe, 0, sizeof(*bpe));
}

uint32_t skip_byte_spelling(unsigned char byte)
{
	/* Printable bytes of Latin-1 stand for themselves, the others are counted from U+0100. */
	if ((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad)) return byte;
	if (byte <= ' ') return 0x100u + byte;
	return byte == 0xad ? 0x143u : 0x121u + (byte - 0x7fu);
}

void skip_bpe_index_bytes(struct skip_bpe *bpe)
{
	for (int byte = 0; byte < 256; byte++) {
		char text[SKIP_CHAR_MAX_BYTES];
		bpe->byte_id[byte] = skip_vocab_find(&bpe->vocab, text, skip_utf8_put(skip_byte_spelling((unsigned char)byte), text));
	}
}

static size_t cell_of(const struct skip_bpe_merge *merge, size_t capacity, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	size_t cell = (size_t)(hash >> 32) & (capacity - 1);
	while (merge[cell].key != 0 && merge[cell].key != key) cell = (cell + 1) & (capacity - 1);
	return cell;
}

static uint64_t key_of(int32_t left, int32_t right)
{
	return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
}

/* NULL when the two do not join. */
static const struct skip_bpe_merge *merge_of(const struct skip_bpe *bpe, int32_t left, int32_t right)
{
	if (!bpe->cap_merges) return NULL;
	const struct skip_bpe_merge *merge = &bpe->merge[cell_of(bpe->merge, bpe->cap_merges, key_of(left, right))];
	return merge->key ? merge : NULL;
}

/* Keeps the table at most half full. */
static bool reserve_merge(struct skip_bpe *bpe)
{
	if (2 * (bpe->n_merges + 1) <= bpe->cap_merges) return true;
	size_t capacity = bpe->cap_merges ? 2 * bpe->cap_merges : 1024;
	struct skip_bpe_merge *merge = skip_alloc_zeroed(capacity, sizeof(*merge));
	if (!merge) return false;
	for (size_t i = 0; i < bpe->cap_merges; i++)
		if (bpe->merge[i].key) merge[cell_of(merge, capacity, bpe->merge[i].key)] = bpe->merge[i];
	skip_free(bpe->merge);
	bpe->merge = merge;
	bpe->cap_merges = capacity;
	return true;
}

enum skip_status skip_bpe_add_merge(struct skip_bpe *bpe, const char *left, size_t left_size, const char *right, size_t right_size, struct skip_err *err)
{
	char both[1024];
	int32_t l = skip_vocab_find(&bpe->vocab, left, left_size), r = skip_vocab_find(&bpe->vocab, right, right_size), id = -1;
	if (left_size + right_size <= sizeof(both)) {
		memcpy(both, left, left_size);
		memcpy(both + left_size, right, right_size);
		id = skip_vocab_find(&bpe->vocab, both, left_size + right_size);
	}
	if (l < 0 || r < 0 || id < 0)
		return skip_err_set(err, SKIP_ERR_INPUT, "merge \"%.*s %.*s\": the vocabulary lacks %s", (int)left_size, left, (int)right_size, right,
		                    l < 0 ? "the first" : r < 0 ? "the second" : "the two together");
	if (!reserve_merge(bpe)) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for merges");
	struct skip_bpe_merge *merge = &bpe->merge[cell_of(bpe->merge, bpe->cap_merges, key_of(l, r))];
	/* A merge that stands twice has the rank of the later one, as in the library. */
	*merge = (struct skip_bpe_merge){key_of(l, r), (uint32_t)bpe->n_merges++, id};
	return SKIP_OK;
}

enum class { SPACE, LETTER, NUMBER, OTHER };

static enum class class_of(uint32_t c)
{
	if (c < 0x80) {
		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return LETTER;
		if (c >= '0' && c <= '9') return NUMBER;
		return c == ' ' || (c >= 0x09 && c <= 0x0d) ? SPACE : OTHER;
	}
	return skip_char_space(c) ? SPACE : skip_char_letter(c) ? LETTER : skip_char_number(c) ? NUMBER : OTHER;
}

/* Bytes of 's, 't, 're, 've, 'm, 'll, 'd at the start; 0: none. */
static size_t contraction(const char *text, size_t size)
{
	static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
	if (text[0] != '\'') return 0;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t length = strlen(endings[i]);
		if (length < size && memcmp(text + 1, endings[i], length) == 0) return 1 + length;
	}
	return 0;
}

/* White space at the start: all of it at the end of the text, else all but the last character, and that one when it is alone. */
static size_t space_run(const char *text, size_t size)
{
	const char *p = text, *end = text + size, *last = text;
	while (p < end) {
		const char *next = p;
		if (class_of(skip_utf8_next(&next)) != SPACE) break;
		last = p;
		p = next;
	}
	return (size_t)((p == end || last == text ? p : last) - text);
}

size_t skip_bpe_word(const char *text, size_t size)
{
	const char *p = text, *end = text + size;
	size_t taken = contraction(text, size);
	if (taken) return taken;
	if (*p == ' ' && size > 1) p++;
	enum class class = class_of(skip_utf8_next(&p));
	if (class == SPACE) return space_run(text, size);
	while (p < end) {
		const char *next = p;
		if (class_of(skip_utf8_next(&next)) != class) break;
		p = next;
	}
	return (size_t)(p - text);
}

struct symbol {
	int32_t id;
	uint32_t before, next; /* NOWHERE at the ends */
	bool joined;           /* it is part of the symbol on its left */
};

/* A pair that may be joined: the one with the lowest rank is on top of the heap, the leftmost among equals. */
struct pair {
	uint32_t rank, at;
	int32_t id;
};

#define NOWHERE UINT32_MAX
#define SMALL_WORD 64

struct joiner {
	const struct skip_bpe *bpe;
	struct symbol *symbol;
	struct pair *heap;
	size_t n_pairs;
};

static bool goes_first(const struct pair *a, const struct pair *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push_pair(struct joiner *j, uint32_t at)
{
	if (at == NOWHERE || j->symbol[at].next == NOWHERE) return;
	const struct skip_bpe_merge *merge = merge_of(j->bpe, j->symbol[at].id, j->symbol[j->symbol[at].next].id);
	if (!merge) return;
	struct pair pair = {merge->rank, at, merge->id};
	size_t i = j->n_pairs++;
	for (; i > 0 && goes_first(&pair, &j->heap[(i - 1) / 2]); i = (i - 1) / 2) j->heap[i] = j->heap[(i - 1) / 2];
	j->heap[i] = pair;
}

static struct pair pop_pair(struct joiner *j)
{
	struct pair top = j->heap[0], last = j->heap[--j->n_pairs];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < j->n_pairs; i = child) {
		if (child + 1 < j->n_pairs && goes_first(&j->heap[child + 1], &j->heap[child])) child++;
		if (!goes_first(&j->heap[child], &last)) break;
		j->heap[i] = j->heap[child];
	}
	j->heap[i] = last;
	return top;
}

static void join_all(struct joiner *j)
{
	while (j->n_pairs) {
		struct pair pair = pop_pair(j);
		struct symbol *left = &j->symbol[pair.at];
		if (left->joined || left->next == NOWHERE) continue;
		struct symbol *right = &j->symbol[left->next];
		const struct skip_bpe_merge *merge = merge_of(j->bpe, left->id, right->id);
		if (!merge || merge->id != pair.id) continue; /* one of the two has been joined with another */
		left->id = pair.id;
		left->next = right->next;
		right->joined = true;
		if (right->next != NOWHERE) j->symbol[right->next].before = pair.at;
		push_pair(j, left->before);
		push_pair(j, pair.at);
	}
}

static bool encode_word(const struct skip_bpe *bpe, const char *text, size_t size, struct skip_encoding *out)
{
	struct symbol small_symbols[SMALL_WORD], *symbol = small_symbols;
	struct pair small_heap[3 * SMALL_WORD], *heap = small_heap;
	bool large = size > SMALL_WORD, good = false;
	if (large) {
		symbol = skip_alloc_array(size, sizeof(*symbol));
		heap = skip_alloc_array(size, 3 * sizeof(*heap));
	}
	if (!symbol || !heap || size >= NOWHERE || !skip_encoding_reserve(out, size)) goto cleanup;
	uint32_t n = 0;
	for (size_t i = 0; i < size; i++) {
		int32_t id = bpe->byte_id[(unsigned char)text[i]];
		if (id < 0) continue;
		symbol[n] = (struct symbol){id, n ? n - 1 : NOWHERE, n + 1, false};
		n++;
	}
	if (n) symbol[n - 1].next = NOWHERE;
	struct joiner j = {bpe, symbol, heap, 0};
	for (uint32_t i = 0; i < n; i++) push_pair(&j, i);
	join_all(&j);
	for (uint32_t i = n ? 0 : NOWHERE; i != NOWHERE; i = symbol[i].next) out->ids[out->length++] = symbol[i].id;
	good = true;
cleanup:
	if (large) {
		skip_free(symbol);
		skip_free(heap);
	}
	return good;
}

static bool encode_words(const struct skip_bpe *bpe, const char *text, size_t size, size_t enough, struct skip_encoding *out)
{
	while (size > 0 && out->length < enough) {
		size_t word = bpe->pattern ? skip_bpe_word(text, size) : size;
		if (!encode_word(bpe, text, word, out)) return false;
		text += word;
		size -= word;
	}
	return true;
}

bool skip_bpe_encode(const struct skip_bpe *bpe, const char *text, size_t size, size_t enough, struct skip_encoding *out)
{
	if (size == 0 || !bpe->blank_in_front || text[0] == ' ') return encode_words(bpe, text, size, enough, out);
	struct skip_buf with_blank;
	skip_buf_init(&with_blank);
	skip_buf_puts(&with_blank, " ");
	skip_buf_append(&with_blank, text, size);
	bool good = skip_buf_ok(&with_blank) && encode_words(bpe, skip_buf_text(&with_blank), with_blank.length, enough, out);
	skip_buf_deinit(&with_blank);
	return good;
}
