/* The growing text buffer. */
#include "base/buf.h"
#include "base/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void skip_buf_init(struct skip_buf *buf)
{
	memset(buf, 0, sizeof(*buf));
}

void skip_buf_deinit(struct skip_buf *buf)
{
	if (!buf) return;
	skip_free(buf->data);
	skip_buf_init(buf);
}

void skip_buf_clear(struct skip_buf *buf)
{
	buf->length = 0;
	buf->failed = false;
	if (buf->data) buf->data[0] = '\0';
}

/* Room for `extra` more bytes and the terminator. */
static bool reserve(struct skip_buf *buf, size_t extra)
{
	size_t need;
	void *data = buf->data;
	if (buf->failed) return false;
	if (!skip_size_add(buf->length, extra, &need) || !skip_size_add(need, 1, &need) || !skip_grow(&data, &buf->capacity, need, 1)) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	return true;
}

void skip_buf_append(struct skip_buf *buf, const char *text, size_t length)
{
	if (!reserve(buf, length)) return;
	if (length) memcpy(buf->data + buf->length, text, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

void skip_buf_puts(struct skip_buf *buf, const char *text)
{
	skip_buf_append(buf, text, strlen(text));
}

void skip_buf_printf(struct skip_buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0) {
		buf->failed = true;
		return;
	}
	if (!reserve(buf, (size_t)length)) return;
	va_start(args, format);
	vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
	va_end(args);
	buf->length += (size_t)length;
}

const char *skip_buf_text(const struct skip_buf *buf)
{
	return buf->data ? buf->data : "";
}
