/*
 * Status codes and the error object every fallible function fills.
 *
 * A function that can fail returns enum skip_status and takes a `struct skip_err *` as its last parameter, which may be NULL.
 * On success the object is left untouched; on failure it holds a message, and where known the file, the line (text files) or
 * byte offset (binary files), and the raw OpenCL code. The library never prints: callers decide what to show.
 */
#ifndef SKIP_BASE_ERR_H
#define SKIP_BASE_ERR_H

#include <stdint.h>

enum skip_status {
#define SKIP_STATUS(name, text, code) SKIP_##name,
#include "base/status.def"
#undef SKIP_STATUS
	SKIP_STATUS_COUNT
};

struct skip_err {
	enum skip_status status;
	char message[1024]; /* what was found and what was expected; no trailing newline */
	char file[512];     /* "" when no file is concerned */
	int64_t line;       /* 1-based; 0 when unknown */
	int64_t offset;     /* byte offset; -1 when unknown */
	int32_t cl_code;    /* raw cl_int; 0 when no OpenCL call failed */
};

/* Resets `err` to "no error"; offset becomes -1. */
void skip_err_init(struct skip_err *err);

/*
 * Fills `err` (may be NULL) with `status` and a printf-style message, clears position, and returns `status`:
 *     return skip_err_set(err, SKIP_ERR_INPUT, "header is %zu bytes, file has %zu", a, b);
 */
enum skip_status skip_err_set(struct skip_err *err, enum skip_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a position; `file` may be NULL, line <= 0 and offset < 0 mean unknown. */
enum skip_status skip_err_at(struct skip_err *err, enum skip_status status, const char *file, int64_t line, int64_t offset,
			     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Adds the file to an error that was raised by code which knew only bytes; keeps a file that is already there. */
void skip_err_add_file(struct skip_err *err, const char *file);

/* "file:line: message" / "file: offset N: message" / "message" into `out` of `size` bytes, always terminated. */
void skip_err_format(const struct skip_err *err, char *out, uint64_t size);

/* Constant text of a status ("bad input") and the exit code of the command line for it. */
const char *skip_status_text(enum skip_status status);
int skip_status_exit_code(enum skip_status status);

#define SKIP_TRY(call)                                                                                                         \
	do {                                                                                                                   \
		status = (call);                                                                                               \
		if (status != SKIP_OK) goto cleanup;                                                                           \
	} while (0)

#endif
