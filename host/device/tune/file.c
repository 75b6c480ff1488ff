/*
 * The file of a device in the user's cache: what was found, as JSON, with a hash over it, so that a damaged file is told from a whole one. Nothing in it
 * can make a kernel wrong: lowering takes a tile only where it is one of the family's own.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sha256.h"
#include "device/family.h"
#include "device/tune.h"
#include <stdio.h>
#include <string.h>

#define FORMAT 1 /* raised whenever the file or the meaning of a tile changes */

/* What a file is for: made, and compared when it is read. NULL: no memory. */
static json_t *key_of(const struct skip_device *device)
{
	const struct skip_device_info *info = skip_device_get_info(device);
	const struct skip_profile *profile = skip_device_profile(device);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:O}", "format", FORMAT, "platform", info->facts.platform, "device", info->facts.name,
			 "version", info->facts.version, "driver", info->facts.driver, "compute_units", info->compute_units, "profile", profile->id,
			 "options", profile->options, "forms", json_object_get(profile->json, "forms"));
}

static enum skip_status hash_of(const json_t *value, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	struct skip_buf text;
	skip_buf_init(&text);
	enum skip_status status = value ? skip_json_write(value, &text, err) : SKIP_ERR_NOMEM;
	if (status == SKIP_OK && !skip_buf_ok(&text)) status = SKIP_ERR_NOMEM;
	if (status == SKIP_OK) skip_sha256_hex(text.data, text.length, out);
	if (status == SKIP_ERR_NOMEM) skip_err_set(err, status, "no memory for a tuning");
	skip_buf_deinit(&text);
	return status;
}

/* Folder and file, both of `size` characters. out "": no file for this device, because it is off or there is no place. */
static enum skip_status file_path(const json_t *key, char *folder, char *out, size_t size, struct skip_err *err)
{
	char name[SKIP_SHA256_HEX + 16], hash[SKIP_SHA256_HEX];
	out[0] = '\0';
	if (!skip_cache_folder("SKIP_TUNE_CACHE", folder, size)) return SKIP_OK;
	enum skip_status status = hash_of(key, hash, err);
	if (status != SKIP_OK) return status;
	snprintf(name, sizeof(name), "%.32s.tune.json", hash);
	if (!skip_path_join(out, size, folder, name)) out[0] = '\0';
	return SKIP_OK;
}

/* The hash over everything but the member "sum" itself. */
static enum skip_status sum_of(const json_t *root, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)root);
	if (copy) json_object_del(copy, "sum");
	enum skip_status status = hash_of(copy, out, err);
	json_decref(copy);
	return status;
}

static const struct skip_family *family_named(const char *name)
{
	for (size_t i = 0; skip_families[i]; i++) {
		if (!strcmp(skip_families[i]->name, name)) return skip_families[i];
	}
	return NULL;
}

/* One choice; `usable` false where it is for other texts than those of today. */
static enum skip_status read_choice(const json_t *object, struct skip_tile_choice *out, bool *usable, struct skip_err *err)
{
	enum skip_status status;
	char now[SKIP_SHA256_HEX];
	const char *version = NULL;
	SKIP_TRY(skip_tile_choice_read(object, out, err));
	SKIP_TRY(skip_json_string(object, "version", &version, err));
	const struct skip_family *family = family_named(out->family);
	*usable = false;
	if (!family) goto cleanup;
	SKIP_TRY(skip_family_version(family, now, err));
	*usable = !strcmp(now, version);
cleanup:
	return status;
}

static enum skip_status check_root(const json_t *root, const json_t *key, struct skip_err *err)
{
	enum skip_status status;
	char sum[SKIP_SHA256_HEX];
	const char *said = NULL;
	SKIP_TRY(skip_json_string(root, "sum", &said, err));
	SKIP_TRY(sum_of(root, sum, err));
	if (strcmp(sum, said)) return skip_err_set(err, SKIP_ERR_INPUT, "its hash does not fit its contents");
	if (!json_equal(json_object_get(root, "for"), key)) return skip_err_set(err, SKIP_ERR_INPUT, "it is for another device, driver or profile");
cleanup:
	return status;
}

static enum skip_status read_tuning(const json_t *root, const json_t *key, const char *path, struct skip_tuning *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *tiles = NULL;
	size_t stale = 0;
	SKIP_TRY(check_root(root, key, err));
	SKIP_TRY(skip_json_array(root, "tiles", &tiles, err));
	out->choice = skip_alloc_zeroed(json_array_size(tiles), sizeof(*out->choice));
	if (!out->choice) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tuning");
	out->capacity = json_array_size(tiles);
	for (size_t i = 0; i < out->capacity; i++) {
		bool usable = false;
		SKIP_TRY(read_choice(json_array_get(tiles, i), &out->choice[out->n_choices], &usable, err));
		out->n_choices += usable;
		stale += !usable;
	}
	if (stale) skip_log(SKIP_LOG_WARN, "%zu tiles in %s were found for other kernels and are not used; skip devices --tune finds them again", stale, path);
cleanup:
	return status;
}

enum skip_status skip_tuning_load(const struct skip_device *device, struct skip_tuning *out, struct skip_err *err)
{
	enum skip_status status;
	char folder[1200], path[1200];
	struct skip_err why;
	json_t *root = NULL, *key = key_of(device);
	*out = (struct skip_tuning){0};
	SKIP_TRY(file_path(key, folder, path, sizeof(path), err));
	if (!path[0] || !skip_file_exists(path)) goto cleanup;
	skip_err_init(&why);
	status = skip_json_load(path, &root, &why);
	if (status == SKIP_OK) status = read_tuning(root, key, path, out, &why);
	if (status == SKIP_OK) goto cleanup;
	skip_tuning_deinit(out);
	if (status == SKIP_ERR_NOMEM) SKIP_TRY(skip_err_set(err, status, "%s", why.message));
	skip_log(SKIP_LOG_WARN, "the tuning in %s is not used: %s", path, why.message);
	status = SKIP_OK;
cleanup:
	json_decref(root);
	json_decref(key);
	return status;
}

static enum skip_status add_choice(json_t *tiles, const struct skip_tile_choice *choice, struct skip_err *err)
{
	char version[SKIP_SHA256_HEX];
	const struct skip_family *family = family_named(choice->family);
	if (!family) return skip_err_set(err, SKIP_ERR_INTERNAL, "a tile for '%s', which is no family", choice->family);
	enum skip_status status = skip_family_version(family, version, err);
	if (status != SKIP_OK) return status;
	json_t *object = skip_tile_choice_json(choice);
	if (object && json_object_set_new(object, "version", json_string(version)) == 0 && json_array_append(tiles, object) == 0) {
		json_decref(object);
		return SKIP_OK;
	}
	json_decref(object);
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tuning");
}

static enum skip_status write_tuning(const json_t *key, const struct skip_tuning *tuning, struct skip_buf *text, struct skip_err *err)
{
	enum skip_status status;
	char sum[SKIP_SHA256_HEX];
	json_t *root = json_pack("{s:O, s:[]}", "for", key, "tiles");
	if (!root) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tuning");
	for (size_t i = 0; i < tuning->n_choices; i++) SKIP_TRY(add_choice(json_object_get(root, "tiles"), &tuning->choice[i], err));
	SKIP_TRY(sum_of(root, sum, err));
	if (json_object_set_new(root, "sum", json_string(sum))) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tuning"));
	SKIP_TRY(skip_json_write(root, text, err));
cleanup:
	json_decref(root);
	return status;
}

enum skip_status skip_tuning_store(const struct skip_device *device, const struct skip_tuning *tuning, struct skip_err *err)
{
	enum skip_status status;
	char folder[1200], path[1200];
	struct skip_output *output = NULL;
	struct skip_buf text;
	json_t *key = key_of(device);
	skip_buf_init(&text);
	SKIP_TRY(file_path(key, folder, path, sizeof(path), err));
	if (!path[0]) goto cleanup;
	SKIP_TRY(write_tuning(key, tuning, &text, err));
	SKIP_TRY(skip_folder_make(folder, err));
	SKIP_TRY(skip_output_create_file(path, &output, err));
	SKIP_TRY(skip_output_write(output, NULL, text.data, text.length, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	skip_buf_deinit(&text);
	json_decref(key);
	return status;
}
