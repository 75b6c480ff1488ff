/*
 * The safetensors container: 8 bytes little-endian header length, JSON header, data.
 * Everything is checked before anything is used: header length against the file, JSON, dtype names, shapes (no overflow), offsets inside
 * the data, size == product(shape) * element, no overlap and no hole. Errors name the tensor and the offset.
 */
#ifndef SKIP_BASE_SAFETENSORS_H
#define SKIP_BASE_SAFETENSORS_H

#include "base/dtype.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mapfile.h"

#define SKIP_TENSOR_MAX_RANK 4
#define SKIP_TENSOR_NAME 128

struct skip_st_entry {
	char name[SKIP_TENSOR_NAME];
	enum skip_dtype dtype;
	int rank;
	int64_t dim[SKIP_TENSOR_MAX_RANK];
	const void *data; /* view into the map, at any alignment */
	size_t bytes;
	int64_t offset; /* of the data in the file, for error messages */
};

struct skip_st_file {
	struct skip_mapfile *map;
	struct skip_st_entry *entries; /* sorted by name */
	size_t count;
	json_t *metadata; /* __metadata__: an object of strings; NULL without */
};

enum skip_status skip_st_open(const char *path, struct skip_st_file **out, struct skip_err *err);
void skip_st_close(struct skip_st_file *file); /* NULL is fine; views that hold a map reference stay valid */
const struct skip_st_entry *skip_st_find(const struct skip_st_file *file, const char *name); /* NULL when absent */

/* Writes `entries` (name, dtype, rank, dim, data are read) in order of name, data 64-byte aligned as far as the format allows (header
 * padded with spaces), to `name` inside `output`. `metadata`: an object of strings, NULL for none. Same entries, same bytes. */
enum skip_status skip_st_write(struct skip_output *output, const char *name, const struct skip_st_entry *entries, size_t count,
			       const json_t *metadata, struct skip_err *err);

#endif
