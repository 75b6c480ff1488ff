/* A growing text buffer, always NUL-terminated. An allocation failure is sticky: appends become no-ops and skip_buf_ok is false. */
#ifndef SKIP_BASE_BUF_H
#define SKIP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct skip_buf {
	char *data; /* NULL until the first append */
	size_t length, capacity;
	bool failed;
};

void skip_buf_init(struct skip_buf *buf);
void skip_buf_deinit(struct skip_buf *buf);
void skip_buf_clear(struct skip_buf *buf);
void skip_buf_append(struct skip_buf *buf, const char *text, size_t length);
void skip_buf_puts(struct skip_buf *buf, const char *text);
void skip_buf_printf(struct skip_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool skip_buf_ok(const struct skip_buf *buf) { return !buf->failed; }
/* The text, "" when empty; owned by the buffer. */
const char *skip_buf_text(const struct skip_buf *buf);

#endif
