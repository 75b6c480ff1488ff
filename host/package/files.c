/* The files of a package against its manifest: nothing missing, nothing more, no links, every sha256 right. See docs/package.md. */
#include "base/file.h"
#include "base/json.h"
#include "package/internal.h"
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096
#define MAX_DEPTH 8

enum skip_status skip_package_hash_json(const json_t *value, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	struct skip_buf text;
	skip_buf_init(&text);
	enum skip_status status = skip_json_write(value, &text, err);
	if (status == SKIP_OK) skip_sha256_hex(skip_buf_text(&text), text.length, out);
	skip_buf_deinit(&text);
	return status;
}

enum skip_status skip_package_seal(const json_t *manifest, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)manifest);
	if (!rest) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the manifest");
	json_object_del(rest, "seal");
	enum skip_status status = skip_package_hash_json(rest, out, err);
	json_decref(rest);
	return status;
}

static enum skip_status join(char out[PATH_BYTES], const char *folder, const char *name, struct skip_err *err)
{
	if (skip_path_join(out, PATH_BYTES, folder, name)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "path too long: %.200s/%.200s", folder, name);
}

/* A relative path of plain parts: no empty part, no "." and no "..". */
static bool name_is_plain(const char *name)
{
	for (const char *part = name;; part++) {
		size_t length = strcspn(part, "/");
		if (length == 0 || (length <= 2 && strncmp(part, "..", length) == 0)) return false;
		part += length;
		if (!*part) return true;
	}
}

/* Checks one listed file: a regular file with the sha256 of the manifest. */
static enum skip_status check_file(const char *folder, const char *name, const json_t *wanted, struct skip_err *err)
{
	char path[PATH_BYTES], found[SKIP_SHA256_HEX];
	struct stat info;
	const char *hash = json_string_value(wanted);
	if (!name_is_plain(name) || !hash || strcmp(name, SKIP_PACKAGE_MANIFEST) == 0)
		return skip_err_set(err, SKIP_ERR_INPUT, "entry \"%.200s\" is no relative path with a sha256", name);
	enum skip_status status = join(path, folder, name, err);
	if (status != SKIP_OK) return status;
	if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
		return skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "the manifest names this file and it is not there");
	status = skip_sha256_file(path, found, err);
	if (status == SKIP_OK && strcmp(found, hash) != 0)
		status = skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "sha256 is %s; the manifest says %.80s", found, hash);
	return status;
}

static enum skip_status check_folder(const char *folder, const char *below, const json_t *files, const json_t *records, int depth,
                                     struct skip_err *err);

/* `name` is the path inside the package. */
static enum skip_status check_entry(const char *folder, const char *name, const json_t *files, const json_t *records, int depth,
                                    struct skip_err *err)
{
	char path[PATH_BYTES];
	struct stat info;
	enum skip_status status = join(path, folder, name, err);
	if (status != SKIP_OK) return status;
	if (lstat(path, &info) != 0) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot read: %m");
	if (S_ISLNK(info.st_mode)) return skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "is a link; a package holds none");
	if (S_ISDIR(info.st_mode)) return check_folder(folder, name, files, records, depth + 1, err);
	if (strcmp(name, SKIP_PACKAGE_MANIFEST) == 0 || json_object_get(files, name) || json_object_get(records, name)) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "the manifest does not name this file");
}

static enum skip_status check_folder(const char *folder, const char *below, const json_t *files, const json_t *records, int depth,
                                     struct skip_err *err)
{
	char path[PATH_BYTES], name[PATH_BYTES];
	enum skip_status status = join(path, folder, below, err);
	if (status != SKIP_OK) return status;
	if (depth > MAX_DEPTH) return skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "lies more than %d folders deep", MAX_DEPTH);
	DIR *open_folder = opendir(path);
	if (!open_folder) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot read: %m");
	for (struct dirent *entry; status == SKIP_OK && (entry = readdir(open_folder));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
		status = join(name, below, entry->d_name, err);
		if (status == SKIP_OK) status = check_entry(folder, name, files, records, depth, err);
	}
	closedir(open_folder);
	return status;
}

enum skip_status skip_package_check_files(const char *folder, const json_t *manifest, struct skip_err *err)
{
	enum skip_status status;
	json_t *files, *records, *value;
	const char *name;
	SKIP_TRY(skip_json_object(manifest, "files", &files, err));
	SKIP_TRY(skip_json_object(manifest, "records", &records, err));
	if (!json_object_get(files, SKIP_PACKAGE_WEIGHTS)) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"files\" does not name %s", SKIP_PACKAGE_WEIGHTS);
		goto cleanup;
	}
	json_object_foreach(records, name, value)
	{
		if (strcmp(name, SKIP_PACKAGE_METRICS) == 0 || strcmp(name, SKIP_PACKAGE_REPORT) == 0) continue;
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"records\" names \"%.200s\"; expected %s and %s only", name,
		                      SKIP_PACKAGE_METRICS, SKIP_PACKAGE_REPORT);
		goto cleanup;
	}
	SKIP_TRY(check_folder(folder, "", files, records, 0, err));
	json_object_foreach(files, name, value) SKIP_TRY(check_file(folder, name, value, err));
	json_object_foreach(records, name, value) SKIP_TRY(check_file(folder, name, value, err));
cleanup:
	return status;
}
