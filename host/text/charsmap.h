/*
 * A precompiled character map of SentencePiece: a double array (Darts) over the bytes of what is replaced, and the replacements as one block of
 * NUL-terminated texts. Layout: uint32 little-endian size of the double array in bytes, the array of uint32 units, the block.
 */
#ifndef SKIP_TEXT_CHARSMAP_H
#define SKIP_TEXT_CHARSMAP_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skip_charsmap {
	uint32_t *unit;
	size_t n_units;
	char *text; /* ends with NUL */
	size_t text_size;
	bool same[128]; /* ASCII characters that stay */
};

/* `data` is copied; SKIP_ERR_INPUT when it is no such map. */
enum skip_status skip_charsmap_open(struct skip_charsmap *map, const unsigned char *data, size_t size, struct skip_err *err);
void skip_charsmap_deinit(struct skip_charsmap *map);
/* What replaces the start of `text`: that of the shortest entry that starts it, which is what the Hugging Face library takes. NULL: no entry. */
const char *skip_charsmap_find(const struct skip_charsmap *map, const char *text, size_t size);
/* Appends `text` (checked UTF-8) with every grapheme replaced, or its characters where a grapheme is long or has no entry. */
void skip_charsmap_apply(const struct skip_charsmap *map, const char *text, size_t size, struct skip_buf *out);

#endif
