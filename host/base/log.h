/* The library's only voice: a callback, silent by default. */
#ifndef SKIP_BASE_LOG_H
#define SKIP_BASE_LOG_H

enum skip_log_level { SKIP_LOG_DEBUG, SKIP_LOG_INFO, SKIP_LOG_WARN };
typedef void (*skip_log_fn)(void *context, enum skip_log_level level, const char *text);

void skip_log_set(skip_log_fn fn, void *context);
void skip_log(enum skip_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
