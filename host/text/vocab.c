/* Token table and byte trie; see vocab.h. The trie's edges live in one hash table keyed by (node, byte), so a step is one probe. */
#include "text/vocab.h"

#include "base/alloc.h"
#include <string.h>

struct skip_vocab_edge {
	uint32_t key; /* parent node << 8 | byte, plus 1; 0 is an empty cell */
	uint32_t child;
};

#define MAX_NODES ((1u << 24) - 1) /* so that a key never wraps */

void skip_vocab_init(struct skip_vocab *vocab)
{
	memset(vocab, 0, sizeof(*vocab));
	skip_buf_init(&vocab->bytes);
}

void skip_vocab_deinit(struct skip_vocab *vocab)
{
	skip_buf_deinit(&vocab->bytes);
	skip_free(vocab->start);
	skip_free(vocab->edges);
	skip_free(vocab->node_id);
	memset(vocab, 0, sizeof(*vocab));
}

static size_t cell_of(const struct skip_vocab_edge *edges, size_t capacity, uint32_t key)
{
	uint32_t hash = key * 2654435761u;
	size_t cell = (hash ^ hash >> 15) & (capacity - 1);
	while (edges[cell].key != 0 && edges[cell].key != key) cell = (cell + 1) & (capacity - 1);
	return cell;
}

static uint32_t child_of(const struct skip_vocab *vocab, uint32_t node, unsigned char byte)
{
	if (vocab->cap_edges == 0) return SKIP_VOCAB_NO_NODE;
	const struct skip_vocab_edge *edge = &vocab->edges[cell_of(vocab->edges, vocab->cap_edges, (node << 8 | byte) + 1)];
	return edge->key ? edge->child : SKIP_VOCAB_NO_NODE;
}

/* Keeps the table at most half full. */
static bool reserve_edge(struct skip_vocab *vocab)
{
	if (2 * (vocab->n_edges + 1) <= vocab->cap_edges) return true;
	size_t capacity = vocab->cap_edges ? 2 * vocab->cap_edges : 1024;
	struct skip_vocab_edge *edges = skip_alloc_zeroed(capacity, sizeof(*edges));
	if (!edges) return false;
	for (size_t i = 0; i < vocab->cap_edges; i++)
		if (vocab->edges[i].key) edges[cell_of(edges, capacity, vocab->edges[i].key)] = vocab->edges[i];
	skip_free(vocab->edges);
	vocab->edges = edges;
	vocab->cap_edges = capacity;
	return true;
}

static bool add_node(struct skip_vocab *vocab)
{
	if (vocab->n_nodes >= MAX_NODES) return false;
	void *node_id = vocab->node_id;
	if (!skip_grow(&node_id, &vocab->cap_nodes, vocab->n_nodes + 1, sizeof(*vocab->node_id))) return false;
	vocab->node_id = node_id;
	vocab->node_id[vocab->n_nodes++] = -1;
	return true;
}

/* The node of `token`, made where it is missing; SKIP_VOCAB_NO_NODE when out of memory. */
static uint32_t make_path(struct skip_vocab *vocab, const char *token, size_t size)
{
	if (vocab->n_nodes == 0 && !add_node(vocab)) return SKIP_VOCAB_NO_NODE;
	uint32_t node = 0;
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)token[i];
		uint32_t child = child_of(vocab, node, byte);
		if (child == SKIP_VOCAB_NO_NODE) {
			if (!reserve_edge(vocab) || !add_node(vocab)) return SKIP_VOCAB_NO_NODE;
			child = (uint32_t)(vocab->n_nodes - 1);
			uint32_t key = (node << 8 | byte) + 1;
			vocab->edges[cell_of(vocab->edges, vocab->cap_edges, key)] = (struct skip_vocab_edge){key, child};
			vocab->n_edges++;
		}
		node = child;
	}
	return node;
}

enum skip_status skip_vocab_add(struct skip_vocab *vocab, const char *token, size_t size, int32_t id, struct skip_err *err)
{
	if (id < 0 || id >= (int32_t)MAX_NODES)
		return skip_err_set(err, SKIP_ERR_INPUT, "token id %d is out of range 0..%d", id, (int)MAX_NODES - 1);
	if (skip_vocab_token(vocab, id))
		return skip_err_set(err, SKIP_ERR_INPUT, "id %d stands for \"%s\" and for \"%.*s\"", id, skip_vocab_token(vocab, id),
		                    (int)size, token);
	int32_t old = skip_vocab_find(vocab, token, size);
	if (old >= 0)
		return skip_err_set(err, SKIP_ERR_INPUT, "token \"%.*s\" stands twice, with ids %d and %d", (int)size, token, old, id);
	void *start = vocab->start;
	if (!skip_grow(&start, &vocab->cap_start, (size_t)id + 1, sizeof(*vocab->start)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "vocabulary");
	vocab->start = start;
	uint32_t node = make_path(vocab, token, size);
	size_t at = vocab->bytes.length;
	skip_buf_append(&vocab->bytes, token, size);
	skip_buf_append(&vocab->bytes, "", 1);
	if (node == SKIP_VOCAB_NO_NODE || !skip_buf_ok(&vocab->bytes)) return skip_err_set(err, SKIP_ERR_NOMEM, "vocabulary");
	while (vocab->count <= (size_t)id) vocab->start[vocab->count++] = SIZE_MAX;
	vocab->start[id] = at;
	vocab->node_id[node] = id;
	return SKIP_OK;
}

const char *skip_vocab_token(const struct skip_vocab *vocab, int32_t id)
{
	if (id < 0 || (size_t)id >= vocab->count || vocab->start[id] == SIZE_MAX) return NULL;
	return vocab->bytes.data + vocab->start[id];
}

uint32_t skip_vocab_walk(const struct skip_vocab *vocab, uint32_t node, const char *text, size_t size)
{
	for (size_t i = 0; i < size && node != SKIP_VOCAB_NO_NODE; i++) node = child_of(vocab, node, (unsigned char)text[i]);
	return node;
}

int32_t skip_vocab_find(const struct skip_vocab *vocab, const char *token, size_t size)
{
	uint32_t node = skip_vocab_walk(vocab, 0, token, size);
	return node == SKIP_VOCAB_NO_NODE || vocab->n_nodes == 0 ? -1 : vocab->node_id[node];
}

size_t skip_vocab_longest(const struct skip_vocab *vocab, uint32_t node, const char *text, size_t size, int32_t *id)
{
	size_t longest = 0;
	for (size_t i = 0; i < size; i++) {
		node = child_of(vocab, node, (unsigned char)text[i]);
		if (node == SKIP_VOCAB_NO_NODE) break;
		if (vocab->node_id[node] >= 0) {
			longest = i + 1;
			*id = vocab->node_id[node];
		}
	}
	return longest;
}
