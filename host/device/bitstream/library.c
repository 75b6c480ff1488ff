/* Folders and files of a library. See library.h; the checks are check.c. */
#include "device/bitstream/library.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIDE_FORMAT 1

void skip_bitstream_runtime(const struct skip_device_facts *facts, char *out, size_t size)
{
	snprintf(out, size, "%s, %s", facts->platform, facts->driver);
}

enum skip_status skip_library_folder(const char *library, const char *hash, char *out, size_t size, struct skip_err *err)
{
	const int n = snprintf(out, size, "%s/%.2s/%s", library, hash, hash);
	return n > 0 && (size_t)n < size ? SKIP_OK : skip_err_at(err, SKIP_ERR_INPUT, library, 0, -1, "path is too long");
}

/* ---- reading ---- */

/* The side file: the one name in the folder that ends in .json. */
static enum skip_status find_side(const char *folder, char *out, size_t size, struct skip_err *err)
{
	bool found = false;
	DIR *list = opendir(folder);
	if (!list) return skip_err_at(err, SKIP_ERR_INPUT, folder, 0, -1, "check 'entry' failed: cannot open: %m");
	for (struct dirent *entry; !found && (entry = readdir(list));) {
		const size_t length = strlen(entry->d_name);
		if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0) found = skip_path_join(out, size, folder, entry->d_name);
	}
	closedir(list);
	return found ? SKIP_OK : skip_err_at(err, SKIP_ERR_INPUT, folder, 0, -1, "check 'entry' failed: no side file (*.json) in it");
}

static enum skip_status copy_text(const json_t *object, const char *key, char *out, size_t size, struct skip_err *err)
{
	const char *text;
	enum skip_status status = skip_json_string(object, key, &text, err);
	if (status != SKIP_OK) return status;
	if (strlen(text) >= size) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\" is %zu characters, at most %zu fit", key, strlen(text), size - 1);
	strcpy(out, text);
	return SKIP_OK;
}

static enum skip_status read_side(const json_t *side, struct skip_library_entry *out, struct skip_err *err)
{
	enum skip_status status;
	int64_t format;
	json_t *manifest;
	SKIP_TRY(skip_json_int(side, "format", 1, 1000000, &format, err));
	if (format > SIDE_FORMAT) {
		return skip_err_set(err, SKIP_ERR_INPUT, "check 'format' failed: the side file is of format %lld, this program reads up to %d: a newer skip wrote it", (long long)format,
				    SIDE_FORMAT);
	}
	SKIP_TRY(copy_text(side, "file", out->file, sizeof(out->file), err));
	SKIP_TRY(copy_text(side, "sha256", out->sha256, sizeof(out->sha256), err));
	SKIP_TRY(copy_text(side, "built_by", out->built_by, sizeof(out->built_by), err));
	SKIP_TRY(skip_json_int(side, "bytes", 0, INT64_MAX, &out->bytes, err));
	SKIP_TRY(skip_json_object(side, "manifest", &manifest, err));
	status = skip_kernel_set_read(manifest, &out->set, err);
cleanup:
	return status;
}

enum skip_status skip_library_read(const char *folder, struct skip_library_entry *out, struct skip_err *err)
{
	enum skip_status status;
	char path[1300];
	json_t *side = NULL;
	const char *last = strrchr(folder, '/');
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->set.link);
	snprintf(out->folder, sizeof(out->folder), "%s", folder);
	snprintf(out->hash, sizeof(out->hash), "%s", last ? last + 1 : folder);
	SKIP_TRY(find_side(folder, path, sizeof(path), err));
	SKIP_TRY(skip_json_load(path, &side, err));
	status = read_side(side, out, err);
	if (status != SKIP_OK) skip_err_add_file(err, path);
cleanup:
	json_decref(side);
	return status;
}

void skip_library_entry_deinit(struct skip_library_entry *entry)
{
	skip_kernel_set_deinit(&entry->set);
	memset(entry, 0, sizeof(*entry));
}

/* Out of the way of whoever looks for it, but still there to be looked into. */
static void set_aside(const struct skip_library_entry *entry)
{
	char path[1100];
	snprintf(path, sizeof(path), "%s.damaged", entry->folder);
	if (rename(entry->folder, path) == 0)
		skip_log(SKIP_LOG_WARN, "a damaged entry of the library is now %s", path);
	else
		skip_log(SKIP_LOG_WARN, "%s is damaged and cannot be moved aside: %s", entry->folder, strerror(errno));
}

/* What is wrong with the bytes alone. */
static bool is_damage(const struct skip_err *err)
{
	static const char *const checks[] = {"check 'size'", "check 'sha256'", "check 'container'"};
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strncmp(err->message, checks[i], strlen(checks[i])) == 0) return true;
	}
	return false;
}

enum skip_status skip_library_load(const struct skip_library_entry *entry, const struct skip_bitstream_want *want, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_err inner;
	struct stat info;
	char path[1300];
	skip_err_init(&inner);
	if (strchr(entry->file, '/')) return skip_bitstream_check(entry, "", 0, want, err); /* "place", without opening it */
	if (!skip_path_join(path, sizeof(path), entry->folder, entry->file) || lstat(path, &info) != 0)
		return skip_bitstream_fail(entry, want, SKIP_ERR_INPUT, "file", entry->file, "side file", "no such file", "folder", err);
	if (!S_ISREG(info.st_mode)) return skip_bitstream_fail(entry, want, SKIP_ERR_INPUT, "place", "a file in this folder", "docs/boards.md", "a link or no file", "folder", err);
	SKIP_TRY(skip_file_read(path, out, err));
	status = skip_bitstream_check(entry, skip_buf_text(out), out->length, want, &inner);
	if (status != SKIP_OK && err) *err = inner;
	if (status == SKIP_ERR_VERIFY && is_damage(&inner)) set_aside(entry);
cleanup:
	return status;
}

/* ---- listing ---- */

static bool is_hex(const char *name, size_t length)
{
	return strlen(name) == length && strspn(name, "0123456789abcdef") == length;
}

static int two_digits(const struct dirent *entry) { return is_hex(entry->d_name, 2); }

static int whole_hash(const struct dirent *entry) { return is_hex(entry->d_name, SKIP_SHA256_HEX - 1); }

static enum skip_status add_folder(char ***list, size_t *capacity, size_t *n, const char *folder, const char *name, struct skip_err *err)
{
	char path[1100];
	if (!skip_path_join(path, sizeof(path), folder, name)) return skip_err_at(err, SKIP_ERR_INPUT, folder, 0, -1, "path is too long");
	char *copy = skip_strdup(path);
	if (!copy || !skip_grow((void **)list, capacity, *n + 1, sizeof(**list))) {
		skip_free(copy);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of entries");
	}
	(*list)[(*n)++] = copy;
	return SKIP_OK;
}

static void free_names(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++) free(names[i]);
	free(names);
}

enum skip_status skip_library_list(const char *library, char ***out, size_t *n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct dirent **first = NULL, **second = NULL;
	char **list = NULL;
	size_t capacity = 0, count = 0;
	int n_second = 0;
	const int n_first = scandir(library, &first, two_digits, alphasort);
	if (n_first < 0 && errno != ENOENT) return skip_err_at(err, SKIP_ERR_INPUT, library, 0, -1, "not a library of bitstreams: %m");
	for (int i = 0; i < n_first; i++) {
		char folder[1100];
		if (!skip_path_join(folder, sizeof(folder), library, first[i]->d_name)) SKIP_TRY(skip_err_at(err, SKIP_ERR_INPUT, library, 0, -1, "path is too long"));
		n_second = scandir(folder, &second, whole_hash, alphasort);
		for (int j = 0; j < n_second; j++) SKIP_TRY(add_folder(&list, &capacity, &count, folder, second[j]->d_name, err));
		if (n_second >= 0) free_names(second, n_second);
		second = NULL;
		n_second = 0;
	}
	*out = list;
	*n = count;
	list = NULL;
	count = 0;
cleanup:
	if (n_first >= 0) free_names(first, n_first);
	free_names(second, n_second);
	skip_library_free_list(list, count);
	return status;
}

void skip_library_free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++) skip_free(list[i]);
	skip_free(list);
}

/* ---- adding ---- */

static enum skip_status make_folder(const char *path, struct skip_err *err)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_OUTPUT, path, 0, -1, "cannot make this folder: %m");
}

static enum skip_status write_entry(const struct skip_library_entry *entry, const void *data, size_t size, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	struct skip_buf text;
	char name[200];
	json_t *side = NULL, *manifest = json_copy(entry->set.manifest);
	skip_buf_init(&text);
	snprintf(name, sizeof(name), "%s.json", entry->set.name);
	if (!manifest || json_object_set_new(manifest, "name", json_string(entry->set.name)) || json_object_set_new(manifest, "hash", json_string(entry->set.hash)))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a side file"));
	side = json_pack("{s:i, s:s, s:s, s:I, s:s, s:O}", "format", SIDE_FORMAT, "file", entry->file, "sha256", entry->sha256, "bytes", (json_int_t)entry->bytes, "built_by", entry->built_by,
			 "manifest", manifest);
	if (!side) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a side file"));
	SKIP_TRY(skip_json_write(side, &text, err));
	SKIP_TRY(skip_output_create_folder(entry->folder, name, &output, err));
	SKIP_TRY(skip_output_write(output, entry->file, data, size, err));
	SKIP_TRY(skip_output_write(output, name, skip_buf_text(&text), text.length, err));
	status = skip_output_commit(output, err);
cleanup:
	skip_output_destroy(output);
	skip_buf_deinit(&text);
	json_decref(side);
	json_decref(manifest);
	return status;
}

/* What stands there already: the same bytes are as good as added, others stay. */
static enum skip_status check_written(const struct skip_library_entry *entry, bool *same, struct skip_err *err)
{
	struct skip_library_entry old;
	enum skip_status status = SKIP_OK;
	*same = false;
	if (!skip_file_exists(entry->folder)) return SKIP_OK;
	SKIP_TRY(skip_library_read(entry->folder, &old, err));
	*same = strcmp(old.sha256, entry->sha256) == 0;
	if (!*same) status = skip_err_at(err, SKIP_ERR_USAGE, entry->folder, 0, -1, "the library has another file of this kernel set (%s); entries are written once", old.file);
cleanup:
	skip_library_entry_deinit(&old);
	return status;
}

enum skip_status skip_library_add(const char *library, const struct skip_kernel_set *set, const void *data, size_t size, const char *built_by, struct skip_err *err)
{
	enum skip_status status;
	bool same;
	char parent[1100];
	/* Borrows the set. */
	struct skip_library_entry entry = {.bytes = (int64_t)size, .set = *set};
	const struct skip_bitstream_want itself = {.set = set, .library = library};
	SKIP_TRY(skip_library_folder(library, set->hash, entry.folder, sizeof(entry.folder), err));
	memcpy(entry.hash, set->hash, sizeof(entry.hash));
	snprintf(entry.file, sizeof(entry.file), "%s.%s", set->name, skip_bitstream_suffix(set));
	snprintf(entry.built_by, sizeof(entry.built_by), "%s", built_by);
	skip_sha256_hex(data, size, entry.sha256);
	SKIP_TRY(skip_bitstream_check(&entry, data, size, &itself, err));
	SKIP_TRY(check_written(&entry, &same, err));
	if (same) goto cleanup;
	SKIP_TRY(make_folder(library, err));
	snprintf(parent, sizeof(parent), "%s/%.2s", library, set->hash);
	SKIP_TRY(make_folder(parent, err));
	status = write_entry(&entry, data, size, err);
cleanup:
	return status;
}
