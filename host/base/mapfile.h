/* A read-only mapped file, reference counted: tensors that are views keep it alive. */
#ifndef SKIP_BASE_MAPFILE_H
#define SKIP_BASE_MAPFILE_H

#include "base/err.h"
#include <stddef.h>

struct skip_mapfile;

/* Errors: SKIP_ERR_IO (missing, unreadable, a folder). An empty file maps to size 0. The caller owns one reference. */
enum skip_status skip_mapfile_open(const char *path, struct skip_mapfile **out, struct skip_err *err);
struct skip_mapfile *skip_mapfile_ref(struct skip_mapfile *map);
void skip_mapfile_unref(struct skip_mapfile *map); /* NULL is fine */
const unsigned char *skip_mapfile_data(const struct skip_mapfile *map);
size_t skip_mapfile_size(const struct skip_mapfile *map);
const char *skip_mapfile_path(const struct skip_mapfile *map);
/* Copies [data, data+size) of the map by reading the file: for scattered pieces, because touching the mapping brings whole neighbourhoods of pages
 * into resident memory. */
void skip_mapfile_copy(const struct skip_mapfile *map, const void *data, size_t size, void *out);
/* Advice: the pages of [data, data+size) are not needed soon; they leave resident memory and come back on the next touch. */
void skip_mapfile_drop(const struct skip_mapfile *map, const void *data, size_t size);

#endif
