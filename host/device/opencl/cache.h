/*
 * Program binaries on disk, one file per key. A file that is short, long, or wrong in any field counts as absent, because the source is
 * always at hand. Internal to opencl/, and to its tests.
 */
#ifndef SKIP_DEVICE_OPENCL_CACHE_H
#define SKIP_DEVICE_OPENCL_CACHE_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Appends the bytes of such a file: the binary with what proves it whole. */
void skip_cl_cache_pack(const char *key, const void *data, size_t size, struct skip_buf *out);
/* Appends the binary of such bytes; false when they are not whole, or of another key. */
bool skip_cl_cache_unpack(const struct skip_buf *file, const char *key, struct skip_buf *out);
/* Appends the binary stored under `key` (64 characters); false when there is none that is whole. */
bool skip_cl_cache_load(const char *folder, const char *key, struct skip_buf *out);
/* Stores under a temporary name and renames, making the folder when needed. */
enum skip_status skip_cl_cache_store(const char *folder, const char *key, const void *data, size_t size, struct skip_err *err);

#endif
