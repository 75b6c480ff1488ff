/* The error object and the table of outcomes (status.def). Formats text only; never prints. */
#include "base/err.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	int exit_code;
} status_table[] = {
#define SKIP_STATUS(name, status_text, code) {status_text, code},
#include "base/status.def"
#undef SKIP_STATUS
};

void skip_err_init(struct skip_err *err)
{
	if (!err) return;
	memset(err, 0, sizeof(*err));
	err->offset = -1;
}

/* Arguments may point into `err` itself (a message wrapped in a longer one), so everything is formatted before `err` changes. */
static enum skip_status set_error(struct skip_err *err, enum skip_status status, const char *file, int64_t line, int64_t offset,
                                  const char *format, va_list args) __attribute__((format(printf, 6, 0)));

static enum skip_status set_error(struct skip_err *err, enum skip_status status, const char *file, int64_t line, int64_t offset,
                                  const char *format, va_list args)
{
	if (!err) return status;
	struct skip_err filled;
	skip_err_init(&filled);
	filled.status = status;
	vsnprintf(filled.message, sizeof(filled.message), format, args);
	if (file) snprintf(filled.file, sizeof(filled.file), "%s", file);
	filled.line = line > 0 ? line : 0;
	filled.offset = offset >= 0 ? offset : -1;
	*err = filled;
	return status;
}

enum skip_status skip_err_set(struct skip_err *err, enum skip_status status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_error(err, status, NULL, 0, -1, format, args);
	va_end(args);
	return status;
}

enum skip_status skip_err_at(struct skip_err *err, enum skip_status status, const char *file, int64_t line, int64_t offset,
                             const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_error(err, status, file, line, offset, format, args);
	va_end(args);
	return status;
}

void skip_err_add_file(struct skip_err *err, const char *file)
{
	if (!err || err->file[0] || !file) return;
	snprintf(err->file, sizeof(err->file), "%s", file);
}

void skip_err_format(const struct skip_err *err, char *out, uint64_t size)
{
	if (size == 0) return;
	size_t room = (size_t)size;
	if (!err->file[0]) snprintf(out, room, "%s", err->message);
	else if (err->line > 0)
		snprintf(out, room, "%s:%lld: %s", err->file, (long long)err->line, err->message);
	else if (err->offset >= 0)
		snprintf(out, room, "%s: offset %lld: %s", err->file, (long long)err->offset, err->message);
	else
		snprintf(out, room, "%s: %s", err->file, err->message);
}

const char *skip_status_text(enum skip_status status)
{
	return (unsigned)status < SKIP_STATUS_COUNT ? status_table[status].text : "unknown status";
}

int skip_status_exit_code(enum skip_status status)
{
	return (unsigned)status < SKIP_STATUS_COUNT ? status_table[status].exit_code : 1;
}
