/* Reads labelled data files; formats and errors are said in dataset.h. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "text/labels.h"
#include "text/unicode.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 3

enum column { COLUMN_TEXT, COLUMN_PAIR, COLUMN_LABEL };

struct field {
	const char *text; /* NULL: absent */
	size_t size;
};

struct reader {
	const char *name; /* of the file, for messages */
	int64_t line;     /* of the file, from 1 */
	const struct skip_tokenizer *tokenizer;
	const struct skip_read_options *options;
	bool use_labels;
	enum column column[MAX_COLUMNS];
	int n_columns;
	struct skip_vocab found; /* label names, when learning */
	struct skip_encoding encoding;
	struct skip_buf label_text; /* labels of a JSON row, put together as a TSV field has them */
	struct skip_dataset data;
	size_t cap_tokens, cap_rows; /* of data's arrays; cap_rows counts offsets, so one more than rows */
	size_t n_labelled;
};

static enum skip_status no_memory(const struct reader *r, struct skip_err *err)
{
	return skip_err_at(err, SKIP_ERR_NOMEM, r->name, r->line, -1, "no memory for the rows");
}

static bool grow_int32(int32_t **array, size_t *capacity, size_t need)
{
	void *block = *array;
	bool grown = skip_grow(&block, capacity, need, sizeof(**array));
	*array = block;
	return grown;
}

/* Both token arrays; *capacity is that of the smaller one. */
static bool reserve_tokens(struct reader *r, size_t need)
{
	size_t cap_ids = r->cap_tokens, cap_types = r->cap_tokens;
	if (!grow_int32(&r->data.ids, &cap_ids, need) || !grow_int32(&r->data.types, &cap_types, need)) return false;
	r->cap_tokens = cap_ids < cap_types ? cap_ids : cap_types;
	return true;
}

static bool grow_texts(char ***texts, size_t *capacity, size_t need)
{
	void *block = *texts;
	bool grown = skip_grow(&block, capacity, need, sizeof(**texts));
	*texts = block;
	return grown;
}

static bool reserve_row(struct reader *r)
{
	struct skip_dataset *data = &r->data;
	size_t need = data->n_rows + 2, old = r->cap_rows, cap_label = old, cap_text = old, cap_pair = old, cap_offset = old;
	if (need <= old) return true;
	void *offset = data->offset;
	bool grown = skip_grow(&offset, &cap_offset, need, sizeof(*data->offset));
	data->offset = offset;
	if (!grown || !grow_int32(&data->label, &cap_label, need)) return false;
	if (data->n_targets > 0) {
		float *grown_targets = skip_realloc_array(data->target, cap_offset, (size_t)data->n_targets * sizeof(*data->target));
		if (!grown_targets) return false;
		data->target = grown_targets;
	}
	if (r->options->keep_text && (!grow_texts(&data->text, &cap_text, need) || !grow_texts(&data->pair, &cap_pair, need))) return false;
	r->cap_rows = cap_offset;
	return true;
}

static char *copy_field(struct field field)
{
	char *copy = skip_alloc_array(field.size + 1, 1);
	if (!copy) return NULL;
	memcpy(copy, field.text, field.size);
	copy[field.size] = '\0';
	return copy;
}

static enum skip_status unknown_label(const struct reader *r, const char *name, struct skip_err *err)
{
	const struct skip_labels *known = r->options->known;
	struct skip_buf list;
	skip_buf_init(&list);
	for (int i = 0; i < known->count && list.length < 400; i++) skip_buf_printf(&list, "%s\"%s\"", i ? ", " : "", known->name[i]);
	enum skip_status status = skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "unknown label \"%.200s\"; expected one of %.500s",
	                                      name, skip_buf_text(&list));
	skip_buf_deinit(&list);
	return status;
}

/* Class index, or while learning the place among the names found. */
static enum skip_status label_index(struct reader *r, struct field field, int32_t *out, struct skip_err *err)
{
	if (field.size == 0) return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "empty label");
	char *name = copy_field(field);
	if (!name) return no_memory(r, err);
	enum skip_status status = SKIP_OK;
	int32_t index;
	if (r->options->known) {
		index = skip_labels_find(r->options->known, name);
		if (index < 0) status = unknown_label(r, name, err);
	} else {
		index = skip_vocab_find(&r->found, name, field.size);
		if (index < 0) {
			index = (int32_t)r->found.count;
			status = skip_vocab_add(&r->found, name, field.size, index, err);
		}
	}
	skip_free(name);
	if (status == SKIP_OK) *out = index;
	return status;
}

/* One part of a field of several: sets the class it names, or reads the next number. */
static enum skip_status read_target(struct reader *r, const char *part, int nth, float *out, struct skip_err *err)
{
	int count = r->data.n_targets;
	if (r->data.problem == SKIP_MULTI_LABEL) {
		int index = skip_labels_find(r->options->known, part);
		if (index < 0) return unknown_label(r, part, err);
		out[index] = 1;
		return SKIP_OK;
	}
	char *end;
	double number = strtod(part, &end);
	if (end == part || *end || !isfinite(number))
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "\"%.100s\" is no number; the model answers with %d", part, count);
	if (nth >= count) return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "more than %d numbers", count);
	out[nth] = (float)number;
	return SKIP_OK;
}

/* The labels or numbers of a field, with | between, into out [n_targets]. */
static enum skip_status read_targets(struct reader *r, struct field field, float *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int n = 0;
	char *text = copy_field(field);
	if (!text) return no_memory(r, err);
	for (int c = 0; c < r->data.n_targets; c++) out[c] = 0;
	for (char *part = text, *next; field.size > 0 && part; part = next) {
		next = strchr(part, '|');
		if (next) *next++ = '\0';
		SKIP_TRY(read_target(r, part, n++, out, err));
	}
	if (r->data.problem == SKIP_REGRESSION && n != r->data.n_targets)
		status = skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "%d number%s; the model answers with %d", n, n == 1 ? "" : "s",
		                     r->data.n_targets);
cleanup:
	skip_free(text);
	return status;
}

static enum skip_status add_row(struct reader *r, struct field text, struct field pair, struct field label, struct skip_err *err)
{
	struct skip_dataset *data = &r->data;
	int32_t index = -1;
	enum skip_status status;
	if (!reserve_row(r)) return no_memory(r, err);
	if (label.text && r->use_labels && data->n_targets > 0) {
		index = 0;
		SKIP_TRY(read_targets(r, label, data->target + data->n_rows * (size_t)data->n_targets, err));
		r->n_labelled++;
	} else if (label.text && r->use_labels) {
		SKIP_TRY(label_index(r, label, &index, err));
		r->n_labelled++;
	} else if (r->options->need_labels) {
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "row without a label");
	}
	SKIP_TRY(
	    skip_tokenizer_encode(r->tokenizer, text.text, text.size, pair.text, pair.size, r->options->max_length, &r->encoding, err));
	size_t row = data->n_rows, at = (size_t)data->offset[row], n = r->encoding.length;
	if (!reserve_tokens(r, at + n)) return no_memory(r, err);
	memcpy(data->ids + at, r->encoding.ids, n * sizeof(*data->ids));
	memcpy(data->types + at, r->encoding.types, n * sizeof(*data->types));
	data->label[row] = index;
	data->offset[row + 1] = (int64_t)(at + n);
	data->n_rows++;
	if (data->text) {
		data->text[row] = copy_field(text);
		data->pair[row] = pair.text ? copy_field(pair) : NULL;
		if (!data->text[row] || (pair.text && !data->pair[row])) return no_memory(r, err);
	}
cleanup:
	return status;
}

/* ---- TSV ---- */

static struct field next_field(const char **at, const char *end)
{
	const char *tab = memchr(*at, '\t', (size_t)(end - *at)), *stop = tab ? tab : end;
	struct field field = {*at, (size_t)(stop - *at)};
	*at = tab ? tab + 1 : NULL;
	return field;
}

static bool field_is(struct field field, const char *text)
{
	return strlen(text) == field.size && memcmp(field.text, text, field.size) == 0;
}

/* Reads the header into `column`; the number of columns, 0 when it is not one of the known headers. */
static int parse_header(const char *line, size_t size, enum column column[MAX_COLUMNS])
{
	static const struct {
		const char *name;
		enum column column;
		unsigned bit;
	} known[] = {
	    {"sentence", COLUMN_TEXT, 1}, {"sentence1", COLUMN_TEXT, 2}, {"sentence2", COLUMN_PAIR, 4}, {"label", COLUMN_LABEL, 8}};
	unsigned seen = 0;
	int n = 0;
	for (const char *at = line, *end = line + size; at;) {
		struct field field = next_field(&at, end);
		size_t i = 0;
		while (i < 4 && !field_is(field, known[i].name)) i++;
		if (i == 4 || (seen & known[i].bit) || n == MAX_COLUMNS) return 0;
		seen |= known[i].bit;
		column[n++] = known[i].column;
	}
	return (seen & 7) == 1 || (seen & 7) == 6 ? n : 0;
}

static enum skip_status read_header(struct reader *r, const char *line, size_t size, struct skip_err *err)
{
	static const char expected[] =
	    "expected the columns \"sentence\", or \"sentence1\" and \"sentence2\", and \"label\", separated by tabs";
	r->n_columns = parse_header(line, size, r->column);
	if (r->n_columns == 0)
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "no known header: found \"%.*s\"; %s",
		                   size < 120 ? (int)size : 120, line, expected);
	for (int i = 0; i < r->n_columns; i++)
		if (r->column[i] == COLUMN_LABEL) return SKIP_OK;
	if (r->options->need_labels) return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "no column \"label\"; %s", expected);
	return SKIP_OK;
}

static enum skip_status read_tsv_line(struct reader *r, const char *line, size_t size, struct skip_err *err)
{
	if (r->n_columns == 0) return read_header(r, line, size, err);
	struct field row[3] = {{NULL, 0}}, field;
	int n = 0;
	for (const char *at = line, *end = line + size; at; n++) {
		field = next_field(&at, end);
		if (n < r->n_columns) row[r->column[n]] = field;
	}
	if (n != r->n_columns)
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "%d field%s; expected %d as in the header", n,
		                   n == 1 ? "" : "s", r->n_columns);
	return add_row(r, row[COLUMN_TEXT], row[COLUMN_PAIR], row[COLUMN_LABEL], err);
}

/* ---- JSON Lines ---- */

/* Strings and numbers of an array as a TSV field has them. */
static bool join_labels(struct skip_buf *text, const json_t *list)
{
	size_t i;
	json_t *value;
	skip_buf_clear(text);
	json_array_foreach(list, i, value)
	{
		if (i) skip_buf_puts(text, "|");
		if (json_is_string(value)) skip_buf_puts(text, json_string_value(value));
		else if (json_is_number(value)) skip_buf_printf(text, "%.17g", json_number_value(value));
		else
			return false;
	}
	return skip_buf_ok(text);
}

static enum skip_status read_json_value(struct reader *r, const char *key, const json_t *value, struct field row[3], char number[32],
                                        struct skip_err *err)
{
	static const char *const keys[] = {"text", "text_pair", "label"};
	size_t column = 0;
	while (column < 3 && strcmp(key, keys[column]) != 0) column++;
	if (column == 3)
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1,
		                   "unknown key \"%.100s\"; expected \"text\", \"text_pair\", \"label\"", key);
	if (json_is_string(value)) {
		row[column] = (struct field){json_string_value(value), json_string_length(value)};
	} else if (column == COLUMN_LABEL && json_is_integer(value)) {
		int length = snprintf(number, 32, "%lld", (long long)json_integer_value(value));
		row[column] = (struct field){number, (size_t)length};
	} else if (column == COLUMN_LABEL && r->data.n_targets > 0 && json_is_real(value)) {
		int length = snprintf(number, 32, "%.17g", json_real_value(value));
		row[column] = (struct field){number, (size_t)length};
	} else if (column == COLUMN_LABEL && r->data.n_targets > 0 && json_is_array(value) && join_labels(&r->label_text, value)) {
		row[column] = (struct field){skip_buf_text(&r->label_text), r->label_text.length};
	} else if (column == COLUMN_TEXT || !json_is_null(value)) {
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "\"%s\" is no string%s", key,
		                   column == COLUMN_LABEL ? " and no integer" : "");
	}
	return SKIP_OK;
}

static enum skip_status read_json_line(struct reader *r, const char *line, size_t size, struct skip_err *err)
{
	size_t blank = 0;
	while (blank < size && (line[blank] == ' ' || line[blank] == '\t')) blank++;
	if (blank == size) return SKIP_OK;
	enum skip_status status;
	json_error_t error;
	char number[32];
	struct field row[3] = {{NULL, 0}};
	const char *key;
	json_t *value, *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "not a JSON object: %s (offset %d of the line)", error.text,
		                   error.position);
	if (!json_is_object(object)) {
		status =
		    skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "not a JSON object; expected {\"text\": ..., \"label\": ...}");
		goto cleanup;
	}
	json_object_foreach(object, key, value) SKIP_TRY(read_json_value(r, key, value, row, number, err));
	if (!row[COLUMN_TEXT].text) {
		status = skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "no \"text\"");
		goto cleanup;
	}
	SKIP_TRY(add_row(r, row[COLUMN_TEXT], row[COLUMN_PAIR], row[COLUMN_LABEL], err));
cleanup:
	json_decref(object);
	return status;
}

/* ---- all formats ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static enum skip_input_format guess_format(const char *path, const char *text, size_t size)
{
	if (ends_with(path, ".tsv")) return SKIP_INPUT_TSV;
	if (ends_with(path, ".jsonl") || ends_with(path, ".json")) return SKIP_INPUT_JSONL;
	if (ends_with(path, ".txt")) return SKIP_INPUT_TEXT;
	const char *line = memchr(text, '\n', size);
	size_t length = line ? (size_t)(line - text) : size;
	enum column column[MAX_COLUMNS];
	if (length && text[length - 1] == '\r') length--;
	if (parse_header(text, length, column)) return SKIP_INPUT_TSV;
	return length && text[0] == '{' ? SKIP_INPUT_JSONL : SKIP_INPUT_TEXT;
}

static enum skip_status read_line(struct reader *r, enum skip_input_format format, const char *line, size_t size, struct skip_err *err)
{
	size_t bad;
	if (!skip_utf8_check(line, size, &bad)) {
		if (line[bad] == '\0')
			return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "NUL byte at offset %zu of the line", bad);
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, r->line, -1, "not UTF-8 text: byte 0x%02x at offset %zu of the line",
		                   (unsigned char)line[bad], bad);
	}
	if (format == SKIP_INPUT_TSV) return read_tsv_line(r, line, size, err);
	if (format == SKIP_INPUT_JSONL) return read_json_line(r, line, size, err);
	struct field none = {NULL, 0};
	return add_row(r, (struct field){line, size}, none, none, err);
}

static enum skip_status read_lines(struct reader *r, const char *path, const char *text, size_t size, struct skip_err *err)
{
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	enum skip_input_format format = r->options->format;
	if (format == SKIP_INPUT_AUTO) format = guess_format(path, text, size);
	if (format == SKIP_INPUT_TEXT && r->options->need_labels)
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, 0, -1,
		                   "plain lines carry no labels; expected TSV with a header or JSON Lines");
	for (size_t at = 0; at < size;) {
		const char *line = text + at, *end = memchr(line, '\n', size - at);
		size_t length = end ? (size_t)(end - line) : size - at;
		at += length + 1;
		r->line++;
		if (length && line[length - 1] == '\r') length--;
		enum skip_status status = read_line(r, format, line, length, err);
		if (status != SKIP_OK) return status;
	}
	if (r->options->need_labels && r->data.n_rows == 0) {
		const char *found = size == 0 ? "empty" : format == SKIP_INPUT_TSV ? "a header and no rows" : "no rows";
		return skip_err_at(err, SKIP_ERR_INPUT, r->name, 0, -1, "%s; expected labelled rows", found);
	}
	return SKIP_OK;
}

enum skip_status skip_dataset_read(const char *path, const struct skip_tokenizer *tokenizer, const struct skip_read_options *options,
                                   struct skip_labels *labels_out, struct skip_dataset *out, struct skip_err *err)
{
	bool learn = labels_out && !options->known;
	assert(!options->need_labels || learn || options->known);
	enum skip_status status;
	struct skip_buf text;
	struct reader r = {.name = strcmp(path, "-") == 0 ? "standard input" : path,
	                   .tokenizer = tokenizer,
	                   .options = options,
	                   .use_labels = learn || options->known};
	if (options->known && options->known->problem != SKIP_SINGLE_LABEL) {
		r.data.problem = options->known->problem;
		r.data.n_targets = options->known->count;
	}
	skip_buf_init(&text);
	skip_buf_init(&r.label_text);
	skip_vocab_init(&r.found);
	SKIP_TRY(skip_file_read(path, &text, err));
	if (!reserve_row(&r)) {
		status = no_memory(&r, err);
		goto cleanup;
	}
	r.data.offset[0] = 0;
	SKIP_TRY(read_lines(&r, path, skip_buf_text(&text), text.length, err));
	r.data.labelled = r.data.n_rows > 0 && r.n_labelled == r.data.n_rows;
	if (learn && r.found.count == 1) {
		status = skip_err_at(err, SKIP_ERR_INPUT, r.name, 0, -1,
		                     "all rows have the label \"%.200s\"; expected at least two classes", skip_vocab_token(&r.found, 0));
		goto cleanup;
	}
	if (learn) SKIP_TRY(skip_labels_from_names(&r.found, r.data.label, r.data.n_rows, labels_out, err));
	*out = r.data;
	memset(&r.data, 0, sizeof(r.data));
cleanup:
	skip_buf_deinit(&text);
	skip_buf_deinit(&r.label_text);
	skip_vocab_deinit(&r.found);
	skip_encoding_deinit(&r.encoding);
	skip_dataset_deinit(&r.data);
	return status;
}
