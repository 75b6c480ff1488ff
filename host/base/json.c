/* JSON: jansson's parser with our errors, typed member reads, and the canonical writer. */
#include "base/json.h"
#include "base/alloc.h"
#include "base/file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum skip_status parse(const char *text, size_t size, size_t flags, json_t **out, struct skip_err *err)
{
	json_error_t error;
	json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | flags, &error);
	if (value) {
		*out = value;
		return SKIP_OK;
	}
	/* Where memory runs out jansson fills in nothing. */
	if (!error.text[0] || json_error_code(&error) == json_error_out_of_memory)
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory to read JSON");
	return skip_err_at(err, SKIP_ERR_INPUT, NULL, error.line, -1, "not JSON at line %d, column %d (byte %d): %s", error.line,
	                   error.column, error.position, error.text);
}

enum skip_status skip_json_parse(const char *text, size_t size, json_t **out, struct skip_err *err)
{
	return parse(text, size, 0, out, err);
}

enum skip_status skip_json_parse_first(const char *text, size_t size, json_t **out, struct skip_err *err)
{
	return parse(text, size, JSON_DISABLE_EOF_CHECK, out, err);
}

static enum skip_status load(const char *path, size_t flags, json_t **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_buf text;
	skip_buf_init(&text);
	SKIP_TRY(skip_file_read(path, &text, err));
	SKIP_TRY(parse(skip_buf_text(&text), text.length, flags, out, err));
cleanup:
	skip_buf_deinit(&text);
	if (status != SKIP_OK) skip_err_add_file(err, path);
	return status;
}

enum skip_status skip_json_load(const char *path, json_t **out, struct skip_err *err)
{
	return load(path, 0, out, err);
}

enum skip_status skip_json_load_reals(const char *path, json_t **out, struct skip_err *err)
{
	return load(path, JSON_DECODE_INT_AS_REAL, out, err);
}

static const char *type_name(const json_t *value)
{
	if (!value) return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a real number";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "an unknown value";
}

static enum skip_status wrong_type(const char *key, const char *expected, const json_t *found, struct skip_err *err)
{
	if (!found) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\" is missing; expected %s", key, expected);
	if (json_is_string(found))
		return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected %s, found the string \"%.100s\"", key, expected,
		                    json_string_value(found));
	return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected %s, found %s", key, expected, type_name(found));
}

/* null stands for absent, as writers of configuration files use it. */
static const json_t *present(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_null(value) ? NULL : value;
}

enum skip_status skip_json_int(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out, struct skip_err *err)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value)) return wrong_type(key, "an integer", value, err);
	int64_t number = json_integer_value(value);
	if (number < min || number > max)
		return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected an integer from %lld to %lld, found %lld", key, (long long)min,
		                    (long long)max, (long long)number);
	*out = number;
	return SKIP_OK;
}

enum skip_status skip_json_int_or(const json_t *object, const char *key, int64_t fallback, int64_t min, int64_t max, int64_t *out,
                                  struct skip_err *err)
{
	if (present(object, key)) return skip_json_int(object, key, min, max, out, err);
	*out = fallback;
	return SKIP_OK;
}

enum skip_status skip_json_real(const json_t *object, const char *key, double *out, struct skip_err *err)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_number(value)) return wrong_type(key, "a number", value, err);
	*out = json_number_value(value);
	return SKIP_OK;
}

enum skip_status skip_json_real_or(const json_t *object, const char *key, double fallback, double *out, struct skip_err *err)
{
	if (present(object, key)) return skip_json_real(object, key, out, err);
	*out = fallback;
	return SKIP_OK;
}

enum skip_status skip_json_bool_or(const json_t *object, const char *key, bool fallback, bool *out, struct skip_err *err)
{
	const json_t *value = present(object, key);
	if (value && !json_is_boolean(value)) return wrong_type(key, "true or false", value, err);
	*out = value ? json_is_true(value) : fallback;
	return SKIP_OK;
}

enum skip_status skip_json_string(const json_t *object, const char *key, const char **out, struct skip_err *err)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_string(value)) return wrong_type(key, "a string", value, err);
	*out = json_string_value(value);
	return SKIP_OK;
}

enum skip_status skip_json_array(const json_t *object, const char *key, json_t **out, struct skip_err *err)
{
	json_t *value = json_object_get(object, key);
	if (!json_is_array(value)) return wrong_type(key, "an array", value, err);
	*out = value;
	return SKIP_OK;
}

enum skip_status skip_json_object(const json_t *object, const char *key, json_t **out, struct skip_err *err)
{
	json_t *value = json_object_get(object, key);
	if (!json_is_object(value)) return wrong_type(key, "an object", value, err);
	*out = value;
	return SKIP_OK;
}

static void write_string(const char *text, size_t length, struct skip_buf *out)
{
	skip_buf_puts(out, "\"");
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\') skip_buf_printf(out, "\\%c", c);
		else if (c == '\n')
			skip_buf_puts(out, "\\n");
		else if (c == '\t')
			skip_buf_puts(out, "\\t");
		else if (c < 0x20)
			skip_buf_printf(out, "\\u%04x", c);
		else
			skip_buf_append(out, text + i, 1);
	}
	skip_buf_puts(out, "\"");
}

/* Shortest text that reads back the same. The decimal point follows the process's locale in both C functions, and is a '.' in JSON. */
static void write_real(double value, struct skip_buf *out)
{
	char text[40];
	bool is_real = false;
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value) break;
	}
	for (const char *c = text; *c;) {
		size_t plain = strspn(c, "+-0123456789e");
		if (memchr(c, 'e', plain)) is_real = true;
		skip_buf_append(out, c, plain);
		c += plain;
		if (!*c) break;
		skip_buf_puts(out, ".");
		is_real = true;
		c += strcspn(c, "0123456789");
	}
	if (!is_real) skip_buf_puts(out, ".0");
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_indent(int depth, struct skip_buf *out)
{
	skip_buf_puts(out, "\n");
	for (int i = 0; i < depth; i++) skip_buf_puts(out, "  ");
}

static enum skip_status write_value(const json_t *value, int depth, struct skip_buf *out, struct skip_err *err);

static enum skip_status write_object(const json_t *object, int depth, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t n = 0;
	const char *key;
	json_t *member;
	json_t *walked = (json_t *)object; /* jansson's iteration takes no const */
	const char **keys = skip_alloc_array(json_object_size(object), sizeof(*keys));
	if (!keys) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory to write JSON");
	json_object_foreach(walked, key, member) keys[n++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	skip_buf_puts(out, "{");
	for (size_t i = 0; i < n; i++) {
		if (i) skip_buf_puts(out, ",");
		write_indent(depth + 1, out);
		write_string(keys[i], strlen(keys[i]), out);
		skip_buf_puts(out, ": ");
		SKIP_TRY(write_value(json_object_get(object, keys[i]), depth + 1, out, err));
	}
	if (n) write_indent(depth, out);
	skip_buf_puts(out, "}");
cleanup:
	skip_free(keys);
	return status;
}

static enum skip_status write_array(const json_t *array, int depth, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status;
	bool flat = true; /* numbers alone stand on one line */
	size_t i;
	json_t *element;
	json_array_foreach(array, i, element) flat = flat && json_is_number(element);
	skip_buf_puts(out, "[");
	json_array_foreach(array, i, element)
	{
		if (i) skip_buf_puts(out, flat ? ", " : ",");
		if (!flat) write_indent(depth + 1, out);
		status = write_value(element, depth + 1, out, err);
		if (status != SKIP_OK) return status;
	}
	if (!flat) write_indent(depth, out);
	skip_buf_puts(out, "]");
	return SKIP_OK;
}

static enum skip_status write_value(const json_t *value, int depth, struct skip_buf *out, struct skip_err *err)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return write_object(value, depth, out, err);
	case JSON_ARRAY:
		return write_array(value, depth, out, err);
	case JSON_STRING:
		write_string(json_string_value(value), json_string_length(value), out);
		break;
	case JSON_INTEGER:
		skip_buf_printf(out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		write_real(json_real_value(value), out);
		break;
	case JSON_TRUE:
		skip_buf_puts(out, "true");
		break;
	case JSON_FALSE:
		skip_buf_puts(out, "false");
		break;
	case JSON_NULL:
		skip_buf_puts(out, "null");
		break;
	}
	return SKIP_OK;
}

enum skip_status skip_json_write(const json_t *value, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = write_value(value, 0, out, err);
	if (status != SKIP_OK) return status;
	skip_buf_puts(out, "\n");
	return skip_buf_ok(out) ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory to write JSON");
}
