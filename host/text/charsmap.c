/* Precompiled character maps; see charsmap.h. */
#include "text/charsmap.h"

#include "base/alloc.h"
#include "text/unicode.h"
#include <string.h>
#include <utf8proc.h>

#define LONG_GRAPHEME 6 /* bytes from which a grapheme is not looked up whole */

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum skip_status skip_charsmap_open(struct skip_charsmap *map, const unsigned char *data, size_t size, struct skip_err *err)
{
	memset(map, 0, sizeof(*map));
	size_t bytes = size >= 4 ? read_u32(data) : 0;
	if (size < 4 || bytes == 0 || bytes % 4 || bytes > size - 4 || bytes == size - 4 || data[size - 1] != 0)
		return skip_err_set(err, SKIP_ERR_INPUT, "the precompiled character map of %zu bytes is damaged", size);
	map->n_units = bytes / 4;
	map->text_size = size - 4 - bytes;
	map->unit = skip_alloc_array(map->n_units, sizeof(*map->unit));
	map->text = skip_alloc_array(map->text_size, 1);
	if (!map->unit || !map->text) {
		skip_charsmap_deinit(map);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a character map of %zu bytes", size);
	}
	for (size_t i = 0; i < map->n_units; i++) map->unit[i] = read_u32(data + 4 + 4 * i);
	memcpy(map->text, data + 4 + bytes, map->text_size);
	for (int c = 0; c < 128; c++) map->same[c] = !skip_charsmap_find(map, (const char[]){(char)c}, 1);
	return SKIP_OK;
}

void skip_charsmap_deinit(struct skip_charsmap *map)
{
	skip_free(map->unit);
	skip_free(map->text);
	memset(map, 0, sizeof(*map));
}

/* Of a unit: distance to its children. */
static size_t offset_of(uint32_t unit)
{
	return (size_t)(unit >> 10) << ((unit & 0x200u) >> 6);
}

const char *skip_charsmap_find(const struct skip_charsmap *map, const char *text, size_t size)
{
	size_t node = offset_of(map->unit[0]);
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];
		node ^= byte;
		if (byte == 0 || node >= map->n_units) return NULL;
		uint32_t unit = map->unit[node];
		if ((unit & 0x800000ffu) != byte) return NULL;
		node ^= offset_of(unit);
		if (!(unit >> 8 & 1)) continue;
		if (node >= map->n_units) return NULL;
		size_t at = map->unit[node] & 0x7fffffffu;
		return at < map->text_size ? map->text + at : NULL;
	}
	return NULL;
}

static void put_grapheme(const struct skip_charsmap *map, const char *text, size_t size, struct skip_buf *out)
{
	const char *found = size < LONG_GRAPHEME ? skip_charsmap_find(map, text, size) : NULL;
	if (found) {
		skip_buf_puts(out, found);
		return;
	}
	for (const char *p = text, *end = text + size; p < end;) {
		const char *start = p;
		skip_utf8_next(&p);
		found = skip_charsmap_find(map, start, (size_t)(p - start));
		if (found) skip_buf_puts(out, found);
		else
			skip_buf_append(out, start, (size_t)(p - start));
	}
}

void skip_charsmap_apply(const struct skip_charsmap *map, const char *text, size_t size, struct skip_buf *out)
{
	for (const char *p = text, *end = text + size; p < end;) {
		const char *start = p;
		/* An ASCII character before another stands alone, CR LF excepted. */
		while (p < end && (unsigned char)*p < 0x80 && map->same[(unsigned char)*p] && *p != '\r' && (p + 1 == end || (unsigned char)p[1] < 0x80)) p++;
		if (p > start) {
			skip_buf_append(out, start, (size_t)(p - start));
			continue;
		}
		utf8proc_int32_t state = 0;
		uint32_t c = skip_utf8_next(&p);
		while (p < end) {
			const char *next = p;
			uint32_t d = skip_utf8_next(&next);
			if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)c, (utf8proc_int32_t)d, &state)) break;
			c = d;
			p = next;
		}
		put_grapheme(map, start, (size_t)(p - start), out);
	}
}
