/* The files: magic (8 bytes), key (64), length of the binary (8, little endian), SHA-256 of the binary (64), binary. */
#include "device/opencl/cache.h"
#include "base/file.h"
#include "base/sha256.h"
#include <stdio.h>
#include <string.h>

#define MAGIC "SKIPCLB1"
#define HEADER (8 + 64 + 8 + 64)

static bool file_path(char *out, size_t size, const char *folder, const char *key)
{
	char name[SKIP_SHA256_HEX + 8];
	snprintf(name, sizeof(name), "%s.clb", key);
	return skip_path_join(out, size, folder, name);
}

static void put_length(unsigned char out[8], uint64_t length)
{
	for (int i = 0; i < 8; i++) out[i] = (unsigned char)(length >> (8 * i));
}

bool skip_cl_cache_unpack(const struct skip_buf *file, const char *key, struct skip_buf *out)
{
	char sum[SKIP_SHA256_HEX];
	unsigned char length[8];
	if (file->length <= HEADER) return false;
	put_length(length, file->length - HEADER);
	if (memcmp(file->data, MAGIC, 8) != 0 || memcmp(file->data + 8, key, 64) != 0 || memcmp(file->data + 72, length, 8) != 0) return false;
	skip_sha256_hex(file->data + HEADER, file->length - HEADER, sum);
	if (memcmp(file->data + 80, sum, 64) != 0) return false;
	skip_buf_append(out, file->data + HEADER, file->length - HEADER);
	return skip_buf_ok(out);
}

void skip_cl_cache_pack(const char *key, const void *data, size_t size, struct skip_buf *out)
{
	char sum[SKIP_SHA256_HEX];
	unsigned char length[8];
	put_length(length, size);
	skip_sha256_hex(data, size, sum);
	skip_buf_append(out, MAGIC, 8);
	skip_buf_append(out, key, 64);
	skip_buf_append(out, (const char *)length, 8);
	skip_buf_append(out, sum, 64);
	skip_buf_append(out, data, size);
}

bool skip_cl_cache_load(const char *folder, const char *key, struct skip_buf *out)
{
	char path[1200];
	struct skip_buf file;
	skip_buf_init(&file);
	bool good = file_path(path, sizeof(path), folder, key) && skip_file_read(path, &file, NULL) == SKIP_OK && skip_cl_cache_unpack(&file, key, out);
	skip_buf_deinit(&file);
	return good;
}

enum skip_status skip_cl_cache_store(const char *folder, const char *key, const void *data, size_t size, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	char path[1200];
	struct skip_output *output = NULL;
	struct skip_buf file;
	skip_buf_init(&file);
	if (!file_path(path, sizeof(path), folder, key)) return skip_err_at(err, SKIP_ERR_OUTPUT, folder, 0, -1, "path is too long");
	SKIP_TRY(skip_folder_make(folder, err));
	skip_cl_cache_pack(key, data, size, &file);
	if (!skip_buf_ok(&file)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a cache file");
		goto cleanup;
	}
	SKIP_TRY(skip_output_create_file(path, &output, err));
	SKIP_TRY(skip_output_write(output, NULL, file.data, file.length, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	skip_buf_deinit(&file);
	return status;
}
