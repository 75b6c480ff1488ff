/* The log hook. Set once before threads start; silent until then. */
#include "base/log.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static skip_log_fn log_fn;
static void *log_context;

void skip_log_set(skip_log_fn fn, void *context)
{
	log_fn = fn;
	log_context = context;
}

void skip_log(enum skip_log_level level, const char *format, ...)
{
	if (!log_fn) return;
	char text[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_fn(log_context, level, text);
}
