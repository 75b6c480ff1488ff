/* JSON through jansson, with our error object: position in the message, duplicate keys refused. Include <jansson.h> for the values. */
#ifndef SKIP_BASE_JSON_H
#define SKIP_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

/* Parses `path`; SKIP_ERR_INPUT with file and line when it is not JSON, SKIP_ERR_IO when unreadable. The caller owns a reference. */
enum skip_status skip_json_load(const char *path, json_t **out, struct skip_err *err);
/* The same with every number as a real, for files that may hold integers past 64 bits. */
enum skip_status skip_json_load_reals(const char *path, json_t **out, struct skip_err *err);
enum skip_status skip_json_parse(const char *text, size_t size, json_t **out, struct skip_err *err);
/* The first value of the text, whatever follows it (JSON inside a script). */
enum skip_status skip_json_parse_first(const char *text, size_t size, json_t **out, struct skip_err *err);

/* Typed reads of an object's member; the message names `key`, the expected type and what was found. `*_or` use a default when the member is
 * absent or null. */
enum skip_status skip_json_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out, struct skip_err *err);
enum skip_status skip_json_int_or(const json_t *object, const char *key, int64_t fallback, int64_t min, int64_t max, int64_t *out,
				  struct skip_err *err);
enum skip_status skip_json_real(const json_t *object, const char *key, double *out, struct skip_err *err);
enum skip_status skip_json_real_or(const json_t *object, const char *key, double fallback, double *out, struct skip_err *err);
enum skip_status skip_json_bool_or(const json_t *object, const char *key, bool fallback, bool *out, struct skip_err *err);
enum skip_status skip_json_string(const json_t *object, const char *key, const char **out, struct skip_err *err); /* borrowed */
enum skip_status skip_json_array(const json_t *object, const char *key, json_t **out, struct skip_err *err);      /* borrowed */
enum skip_status skip_json_object(const json_t *object, const char *key, json_t **out, struct skip_err *err);     /* borrowed */

/* Canonical text, appended: sorted keys, two-space indent (arrays of numbers on one line), reals in the shortest form that reads back the
 * same, newline at the end. Same value, same bytes. */
enum skip_status skip_json_write(const json_t *value, struct skip_buf *out, struct skip_err *err);

#endif
