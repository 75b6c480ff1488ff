/*
 * A vocabulary: token <-> id, and the longest token at a place (a trie over bytes).
 */
#ifndef SKIP_TEXT_VOCAB_H
#define SKIP_TEXT_VOCAB_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKIP_VOCAB_NO_NODE UINT32_MAX

struct skip_vocab {
	struct skip_buf bytes; /* the tokens, each NUL-terminated */
	size_t *start;         /* [count] in `bytes`; SIZE_MAX where an id has no token */
	size_t count, cap_start;
	struct skip_vocab_edge *edges; /* open addressing; a power of two */
	size_t n_edges, cap_edges;
	int32_t *node_id; /* [n_nodes] id of the token that ends at a node, -1 where none does; node 0 is the root */
	size_t n_nodes, cap_nodes;
};

void skip_vocab_init(struct skip_vocab *vocab);
void skip_vocab_deinit(struct skip_vocab *vocab);
/* Adds `token` (copied; size >= 1, no NUL) under `id`. SKIP_ERR_INPUT when the token or the id is there already. */
enum skip_status skip_vocab_add(struct skip_vocab *vocab, const char *token, size_t size, int32_t id, struct skip_err *err);
/* The token, NULL when `id` has none. Valid until the next add. */
const char *skip_vocab_token(const struct skip_vocab *vocab, int32_t id);
/* -1 when absent. */
int32_t skip_vocab_find(const struct skip_vocab *vocab, const char *token, size_t size);

/* The node reached from `node` by `text`, SKIP_VOCAB_NO_NODE when no token goes on like that. The root is node 0. */
uint32_t skip_vocab_walk(const struct skip_vocab *vocab, uint32_t node, const char *text, size_t size);
/* The longest continuation of `node` that starts `text` and ends a token: bytes taken (0: none) and its id. */
size_t skip_vocab_longest(const struct skip_vocab *vocab, uint32_t node, const char *text, size_t size, int32_t *id);

#endif
