/* Reader and writer of the safetensors container. What a tensor means is model/'s and package/'s business. */
#include "base/safetensors.h"
#include "base/alloc.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8
#define MAX_HEADER_BYTES 100000000 /* the limit of the format's own library */
#define DATA_ALIGN 64
#define METADATA "__metadata__"

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct skip_st_entry *)a)->name, ((const struct skip_st_entry *)b)->name);
}

static int compare_offsets(const void *a, const void *b)
{
	const struct skip_st_entry *x = a, *y = b;
	if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1; /* empty ones first: they end where the next begins */
	return strcmp(x->name, y->name);
}

/* What reading the header needs to know. */
struct header {
	const char *path;
	json_t *root;
	int64_t data_offset; /* of the data section in the file */
	size_t data_size;
};

static enum skip_status parse_header(const struct skip_mapfile *map, struct header *header, struct skip_err *err)
{
	const unsigned char *bytes = skip_mapfile_data(map);
	size_t size = skip_mapfile_size(map);
	struct skip_err inner;
	uint64_t length = 0;
	if (size < LENGTH_BYTES)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, 0,
		                   "the file is %zu bytes; expected %d bytes of header length first", size, LENGTH_BYTES);
	for (int i = LENGTH_BYTES; i-- > 0;) length = length << 8 | bytes[i];
	if (length > MAX_HEADER_BYTES)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, 0, "header length is %llu bytes; expected at most %d",
		                   (unsigned long long)length, MAX_HEADER_BYTES);
	if (length > size - LENGTH_BYTES)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, 0, "header length is %llu bytes, the file has %zu after it",
		                   (unsigned long long)length, size - LENGTH_BYTES);
	if (length == 0 || bytes[LENGTH_BYTES] != '{')
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, "the header does not begin with '{'");
	skip_err_init(&inner);
	enum skip_status status = skip_json_parse((const char *)bytes + LENGTH_BYTES, (size_t)length, &header->root, &inner);
	if (status != SKIP_OK) return skip_err_at(err, status, header->path, 0, LENGTH_BYTES, "header: %s", inner.message);
	header->data_offset = LENGTH_BYTES + (int64_t)length;
	header->data_size = size - LENGTH_BYTES - (size_t)length;
	return SKIP_OK;
}

static enum skip_status check_metadata(const struct header *header, json_t *metadata, struct skip_err *err)
{
	const char *key;
	json_t *value;
	bool texts = json_is_object(metadata);
	json_object_foreach(metadata, key, value) texts = texts && json_is_string(value);
	if (texts) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, METADATA ": expected an object of strings");
}

static enum skip_status read_dtype(const struct header *header, const char *name, const json_t *fields, enum skip_dtype *out,
                                   struct skip_err *err)
{
	struct skip_err inner;
	const char *text;
	skip_err_init(&inner);
	if (skip_json_string(fields, "dtype", &text, &inner) != SKIP_OK)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, "tensor '%s': %s", name, inner.message);
	for (int i = 0; i < SKIP_DTYPE_COUNT; i++) {
		if (strcmp(text, skip_dtype_name((enum skip_dtype)i)) == 0) {
			*out = (enum skip_dtype)i;
			return SKIP_OK;
		}
	}
	return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES,
	                   "tensor '%s': dtype '%.32s' is not known; expected F64, F32, F16, BF16, I64, I32, I8 or U8", name, text);
}

/* Fills rank and dims; `*bytes` = product of the dims * element size. */
static enum skip_status read_shape(const struct header *header, const json_t *fields, struct skip_st_entry *entry, size_t *bytes,
                                   struct skip_err *err)
{
	json_t *shape = json_object_get(fields, "shape");
	size_t product = skip_dtype_size(entry->dtype);
	bool empty = false;
	if (!json_is_array(shape))
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, "tensor '%s': \"shape\" is no array", entry->name);
	if (json_array_size(shape) > SKIP_TENSOR_MAX_RANK)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, "tensor '%s': %zu dims; expected at most %d",
		                   entry->name, json_array_size(shape), SKIP_TENSOR_MAX_RANK);
	entry->rank = (int)json_array_size(shape);
	for (int i = 0; i < entry->rank; i++) {
		const json_t *dim = json_array_get(shape, (size_t)i);
		if (!json_is_integer(dim) || json_integer_value(dim) < 0)
			return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES,
			                   "tensor '%s': dim %d of the shape is no size >= 0", entry->name, i);
		entry->dim[i] = json_integer_value(dim);
		empty = empty || entry->dim[i] == 0;
		if (entry->dim[i] && !skip_size_mul(product, (size_t)entry->dim[i], &product))
			return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES,
			                   "tensor '%s': the product of its shape is too large", entry->name);
	}
	*bytes = empty ? 0 : product;
	return SKIP_OK;
}

static enum skip_status read_entry(const struct header *header, const char *name, const json_t *fields, struct skip_st_entry *entry,
                                   struct skip_err *err)
{
	enum skip_status status;
	size_t bytes = 0;
	if (!name[0] || strlen(name) >= SKIP_TENSOR_NAME)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES,
		                   "tensor name '%.40s%s' has %zu bytes; expected 1 to %d", name, strlen(name) > 40 ? "..." : "",
		                   strlen(name), SKIP_TENSOR_NAME - 1);
	if (!json_is_object(fields))
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES, "tensor '%s': its description is no object", name);
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, name, strlen(name));
	status = read_dtype(header, name, fields, &entry->dtype, err);
	if (status != SKIP_OK) return status;
	status = read_shape(header, fields, entry, &bytes, err);
	if (status != SKIP_OK) return status;

	const json_t *range = json_object_get(fields, "data_offsets");
	const json_t *first = json_array_get(range, 0), *last = json_array_get(range, 1);
	if (json_array_size(range) != 2 || !json_is_integer(first) || !json_is_integer(last))
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, LENGTH_BYTES,
		                   "tensor '%s': \"data_offsets\" is no pair of integers", name);
	int64_t begin = json_integer_value(first), end = json_integer_value(last);
	if (begin < 0 || begin > end || (uint64_t)end > header->data_size)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, header->data_offset,
		                   "tensor '%s': data offsets %lld to %lld do not lie in the %zu bytes of data", name, (long long)begin,
		                   (long long)end, header->data_size);
	if ((uint64_t)(end - begin) != bytes)
		return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, header->data_offset + begin,
		                   "tensor '%s': its shape in %s takes %zu bytes, its data offsets hold %lld", name,
		                   skip_dtype_name(entry->dtype), bytes, (long long)(end - begin));
	entry->bytes = bytes;
	entry->offset = header->data_offset + begin;
	return SKIP_OK;
}

/* Every byte of the data belongs to exactly one tensor. Leaves the entries in order of offset. */
static enum skip_status check_coverage(const struct header *header, struct skip_st_entry *entries, size_t count, struct skip_err *err)
{
	int64_t expected = header->data_offset;
	qsort(entries, count, sizeof(*entries), compare_offsets);
	for (size_t i = 0; i < count; i++) {
		if (entries[i].offset < expected)
			return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, entries[i].offset, "tensor '%s' overlaps tensor '%s'",
			                   entries[i].name, entries[i - 1].name);
		if (entries[i].offset > expected)
			return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, expected,
			                   "%lld bytes before tensor '%s' belong to no tensor", (long long)(entries[i].offset - expected),
			                   entries[i].name);
		expected += (int64_t)entries[i].bytes;
	}
	int64_t end = header->data_offset + (int64_t)header->data_size;
	if (expected == end) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_INPUT, header->path, 0, expected, "the file has %lld bytes after the last tensor",
	                   (long long)(end - expected));
}

enum skip_status skip_st_open(const char *path, struct skip_st_file **out, struct skip_err *err)
{
	enum skip_status status;
	struct header header = {.path = path};
	const char *name;
	json_t *fields;
	struct skip_st_file *file = skip_alloc_zeroed(1, sizeof(*file));
	if (!file) return skip_err_at(err, SKIP_ERR_NOMEM, path, 0, -1, "no memory to open the file");
	SKIP_TRY(skip_mapfile_open(path, &file->map, err));
	SKIP_TRY(parse_header(file->map, &header, err));
	file->entries = skip_alloc_array(json_object_size(header.root), sizeof(*file->entries));
	if (!file->entries) {
		status = skip_err_at(err, SKIP_ERR_NOMEM, path, 0, -1, "no memory for the names of the tensors");
		goto cleanup;
	}
	json_object_foreach(header.root, name, fields)
	{
		if (strcmp(name, METADATA) == 0) {
			SKIP_TRY(check_metadata(&header, fields, err));
			file->metadata = json_incref(fields);
			continue;
		}
		SKIP_TRY(read_entry(&header, name, fields, &file->entries[file->count], err));
		file->count++;
	}
	SKIP_TRY(check_coverage(&header, file->entries, file->count, err));
	for (size_t i = 0; i < file->count; i++) file->entries[i].data = skip_mapfile_data(file->map) + file->entries[i].offset;
	qsort(file->entries, file->count, sizeof(*file->entries), compare_names);
	*out = file;
	file = NULL;
cleanup:
	json_decref(header.root);
	skip_st_close(file);
	return status;
}

void skip_st_close(struct skip_st_file *file)
{
	if (!file) return;
	json_decref(file->metadata);
	skip_mapfile_unref(file->map);
	skip_free(file->entries);
	skip_free(file);
}

const struct skip_st_entry *skip_st_find(const struct skip_st_file *file, const char *name)
{
	size_t low = 0, high = file->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, file->entries[middle].name);
		if (order == 0) return &file->entries[middle];
		if (order < 0) high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static size_t entry_bytes(const struct skip_st_entry *entry)
{
	size_t bytes = skip_dtype_size(entry->dtype);
	for (int i = 0; i < entry->rank; i++)
		if (!skip_size_mul(bytes, (size_t)entry->dim[i], &bytes)) assert(0 && "data of this size exists");
	return bytes;
}

static int append_text(const char *text, size_t size, void *buf)
{
	skip_buf_append(buf, text, size);
	return skip_buf_ok(buf) ? 0 : -1;
}

/* {"dtype": .., "shape": .., "data_offsets": ..}; NULL when out of memory. */
static json_t *describe(const struct skip_st_entry *entry, size_t begin, size_t end)
{
	json_t *shape = json_array();
	for (int d = 0; d < entry->rank; d++) {
		if (json_array_append_new(shape, json_integer(entry->dim[d])) != 0) {
			json_decref(shape);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o, s:[I,I]}", "dtype", skip_dtype_name(entry->dtype), "shape", shape, "data_offsets", (json_int_t)begin,
	                 (json_int_t)end);
}

/* The JSON header of sorted entries, padded so that the data begins at a multiple of DATA_ALIGN. */
static enum skip_status build_header(const struct skip_st_entry *const *sorted, size_t count, const json_t *metadata, struct skip_buf *out,
                                     struct skip_err *err)
{
	size_t begin = 0;
	json_t *root = json_object();
	bool done = !metadata || json_object_set_new(root, METADATA, json_deep_copy(metadata)) == 0;
	for (size_t i = 0; done && i < count; i++) {
		size_t end = begin + entry_bytes(sorted[i]);
		done = json_object_set_new(root, sorted[i]->name, describe(sorted[i], begin, end)) == 0;
		begin = end;
	}
	done = done && root && json_dump_callback(root, append_text, out, JSON_COMPACT) == 0;
	while (done && (LENGTH_BYTES + out->length) % DATA_ALIGN) {
		skip_buf_puts(out, " ");
		done = skip_buf_ok(out);
	}
	json_decref(root);
	return done ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the header of the tensors");
}

static int compare_entry_pointers(const void *a, const void *b)
{
	return compare_names(*(const struct skip_st_entry *const *)a, *(const struct skip_st_entry *const *)b);
}

enum skip_status skip_st_write(struct skip_output *output, const char *name, const struct skip_st_entry *entries, size_t count,
                               const json_t *metadata, struct skip_err *err)
{
	enum skip_status status;
	struct skip_buf header;
	unsigned char length[LENGTH_BYTES];
	FILE *file;
	skip_buf_init(&header);
	const struct skip_st_entry **sorted = skip_alloc_array(count, sizeof(*sorted));
	if (!sorted) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory to write tensors");
		goto cleanup;
	}
	for (size_t i = 0; i < count; i++) sorted[i] = &entries[i];
	qsort(sorted, count, sizeof(*sorted), compare_entry_pointers);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "two tensors are called '%s'", sorted[i]->name);
			goto cleanup;
		}
	}
	SKIP_TRY(build_header(sorted, count, metadata, &header, err));
	for (int i = 0; i < LENGTH_BYTES; i++) length[i] = (unsigned char)((uint64_t)header.length >> (8 * i));
	SKIP_TRY(skip_output_open(output, name, &file, err));
	bool written =
	    fwrite(length, 1, sizeof(length), file) == sizeof(length) && fwrite(header.data, 1, header.length, file) == header.length;
	for (size_t i = 0; written && i < count; i++) {
		size_t bytes = entry_bytes(sorted[i]);
		written = !bytes || fwrite(sorted[i]->data, 1, bytes, file) == bytes;
	}
	status = skip_output_close(output, file, err);
cleanup:
	skip_free(sorted);
	skip_buf_deinit(&header);
	return status;
}
