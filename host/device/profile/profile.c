/*
 * Loading of profiles: files or the compiled-in set, `extends`, checks. Matching is match.c. The schema is docs/boards.md.
 */
#include "base/alloc.h"
#include "base/embedded.h"
#include "base/file.h"
#include "device/profile/internal.h"
#include "graph/pass.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA 1
#define MAX_PARENTS 4

/* A file as read. */
struct source {
	char id[SKIP_NAME];
	char path[512];
	json_t *json;
};

struct source_list {
	struct source *at;
	size_t count, capacity;
};

static const char *const kind_names[] = {"cpu", "gpu", "fpga", "checker", "custom"};
static const char *const top_fields[] = {"schema", "id",        "title",  "kind", "extends", "match", "by_name",   "compile",    "forms",
                                         "fpga",   "resources", "memory", "host", "numeric", "sources", "provenance", NULL};
static const char *const form_fields[] = {"variants", "vec", "mr", "nv", "block", "chunk", "bf16", "int8", "query_block", "key_align", "round_ffn", "round_head", "combine", "channels", "team", "tiles", NULL};
static const char *const compile_fields[] = {"mode", "options", "toolchain", NULL};

enum skip_status skip_profile_check_fields(const json_t *object, const char *where, const char *const *known, struct skip_err *err)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		size_t i = 0;
		while (known[i] && strcmp(known[i], key) != 0) i++;
		if (!known[i]) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s%.60s\": unknown field", where, key);
	}
	return SKIP_OK;
}

enum skip_status skip_profile_inside(enum skip_status status, const char *where, struct skip_err *err)
{
	if (status == SKIP_OK || !err || err->message[0] != '"') return status;
	char old[sizeof(err->message)];
	memcpy(old, err->message, sizeof(old));
	old[sizeof(old) - 1] = '\0';
	snprintf(err->message, sizeof(err->message), "\"%s.%.*s", where, (int)(sizeof(err->message) - 40), old + 1);
	return status;
}

static enum skip_status add_source(struct source_list *list, const char *name, const char *path, json_t *json, struct skip_err *err)
{
	size_t n = strlen(name) - strlen(".json");
	if (n == 0 || n >= SKIP_NAME) {
		skip_err_set(err, SKIP_ERR_INPUT, "the name of a profile has 1 to %d characters", SKIP_NAME - 1);
		goto fail;
	}
	if (!skip_grow((void **)&list->at, &list->capacity, list->count + 1, sizeof(*list->at))) {
		skip_err_set(err, SKIP_ERR_NOMEM, "no memory for profiles");
		json_decref(json);
		return SKIP_ERR_NOMEM;
	}
	struct source *source = &list->at[list->count++];
	memset(source, 0, sizeof(*source));
	memcpy(source->id, name, n);
	snprintf(source->path, sizeof(source->path), "%s", path);
	source->json = json;
	return SKIP_OK;
fail:
	json_decref(json);
	skip_err_add_file(err, path);
	return SKIP_ERR_INPUT;
}

static enum skip_status read_embedded(struct source_list *list, struct skip_err *err)
{
	for (const struct skip_embedded *e = skip_embedded_boards; e->path; e++) {
		json_t *json = NULL;
		enum skip_status status = skip_json_parse(e->text, strlen(e->text), &json, err);
		if (status != SKIP_OK) {
			skip_err_add_file(err, e->path);
			return status;
		}
		status = add_source(list, e->path, e->path, json, err);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
}

static enum skip_status read_folder(const char *folder, struct source_list *list, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	DIR *dir = opendir(folder);
	if (!dir) return skip_err_at(err, SKIP_ERR_IO, folder, 0, -1, "cannot read the folder of profiles: %s", strerror(errno));
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		char path[512];
		json_t *json = NULL;
		size_t n = strlen(entry->d_name);
		if (n <= 5 || entry->d_name[0] == '.' || strcmp(entry->d_name + n - 5, ".json") != 0) continue;
		if (!skip_path_join(path, sizeof(path), folder, entry->d_name)) {
			status = skip_err_at(err, SKIP_ERR_INPUT, folder, 0, -1, "path is too long");
			goto cleanup;
		}
		SKIP_TRY(skip_json_load(path, &json, err));
		SKIP_TRY(add_source(list, entry->d_name, path, json, err));
	}
cleanup:
	closedir(dir);
	return status;
}

static const struct source *find_source(const struct source_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->at[i].id, id) == 0) return &list->at[i];
	}
	return NULL;
}

/* Objects merge per key, everything else replaces; but `sources`, whose elements have names, grows, so that inherited provenance finds its
 * own. */
static bool merge(json_t *into, const json_t *from)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)from, key, value)
	{
		json_t *old = json_object_get(into, key);
		if (json_is_object(old) && json_is_object(value)) {
			if (!merge(old, value)) return false;
		} else if (strcmp(key, "sources") == 0 && json_is_array(old) && json_is_array(value)) {
			if (json_array_extend(old, value) != 0) return false;
		} else if (json_object_set_new(into, key, json_deep_copy(value)) != 0) {
			return false;
		}
	}
	return true;
}

const json_t *skip_profile_at(const json_t *at, const char *pointer)
{
	while (at && *pointer == '/') {
		size_t n = strcspn(pointer + 1, "/");
		char part[128];
		if (n >= sizeof(part)) return NULL;
		memcpy(part, pointer + 1, n);
		part[n] = '\0';
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10)) : json_object_get(at, part);
		pointer += n + 1;
	}
	return at;
}

/* Whether the child says anything about the value at `pointer`: the value itself, or a whole list it stood in. */
static bool sets_anew(const json_t *child, const char *pointer)
{
	char above[128];
	if (skip_profile_at(child, pointer)) return true;
	for (const char *slash = strchr(pointer + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t n = (size_t)(slash - pointer);
		if (n >= sizeof(above)) return false;
		memcpy(above, pointer, n);
		above[n] = '\0';
		if (json_is_array(skip_profile_at(child, above))) return true;
	}
	return false;
}

/* A number the child sets anew is not vouched for by what its parent knew about the old one. */
static void forget_provenance(json_t *resolved, const json_t *child)
{
	json_t *inherited = json_object_get(resolved, "provenance"), *value;
	const char *pointer;
	void *next;
	json_object_foreach_safe(inherited, next, pointer, value)
	{
		if (sets_anew(child, pointer)) json_object_del(inherited, pointer);
	}
}

/* A new document with all parents merged in; `match`, `by_name`, `id` and `extends` are the child's own. */
static enum skip_status resolve(const struct source_list *list, const struct source *source, int depth, json_t **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *resolved = NULL;
	if (!json_is_object(source->json)) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "expected an object");
		goto cleanup;
	}
	int64_t schema = 0;
	SKIP_TRY(skip_json_int(source->json, "schema", 1, INT32_MAX, &schema, err));
	if (schema > SCHEMA) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"schema\": %lld is newer than %d, the newest this program knows",
		                      (long long)schema, SCHEMA);
		goto cleanup;
	}
	const json_t *extends = json_object_get(source->json, "extends");
	if (extends) {
		const char *name = NULL;
		SKIP_TRY(skip_json_string(source->json, "extends", &name, err));
		const struct source *parent = find_source(list, name);
		if (!parent) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "\"extends\": there is no profile \"%.60s\"", name);
			goto cleanup;
		}
		if (depth == MAX_PARENTS) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "\"extends\": a cycle, or more than %d parents", MAX_PARENTS);
			goto cleanup;
		}
		SKIP_TRY(resolve(list, parent, depth + 1, &resolved, err));
		json_object_del(resolved, "match");
		json_object_del(resolved, "by_name");
		forget_provenance(resolved, source->json);
	} else {
		resolved = json_object();
	}
	if (!resolved || !merge(resolved, source->json)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a profile");
		goto cleanup;
	}
	*out = resolved;
	resolved = NULL;
cleanup:
	json_decref(resolved);
	if (status != SKIP_OK) skip_err_add_file(err, source->path);
	return status;
}

static enum skip_status read_variants(const json_t *forms, struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *list = NULL;
	SKIP_TRY(skip_profile_inside(skip_json_array(forms, "variants", &list, err), "forms", err));
	size_t n = json_array_size(list);
	if (n == 0 || n > sizeof(out->variants) / sizeof(out->variants[0])) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.variants\": expected 1 to %zu names, found %zu",
		                    sizeof(out->variants) / sizeof(out->variants[0]), n);
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name || !name[0] || strlen(name) >= sizeof(out->variants[0])) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.variants[%zu]\": expected a name of 1 to %zu characters", i,
			                    sizeof(out->variants[0]) - 1);
		}
		snprintf(out->variants[i], sizeof(out->variants[i]), "%s", name);
	}
	if (strcmp(out->variants[n - 1], "generic") != 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.variants\": the last must be \"generic\", found \"%s\"",
		                    out->variants[n - 1]);
	}
	out->n_variants = (int)n;
cleanup:
	return status;
}

static enum skip_status read_row_tiles(const json_t *forms, struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *list = NULL;
	SKIP_TRY(skip_profile_inside(skip_json_array(forms, "mr", &list, err), "forms", err));
	size_t n = json_array_size(list), most = sizeof(out->mr) / sizeof(out->mr[0]);
	if (n == 0 || n > most) return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.mr\": expected 1 to %zu row tiles, found %zu", most, n);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(list, i);
		json_int_t mr = json_is_integer(value) ? json_integer_value(value) : 0;
		if (mr < 1 || mr > 64 || (i > 0 && mr >= out->mr[i - 1])) {
			return skip_err_set(err, SKIP_ERR_INPUT,
			                    "\"forms.mr[%zu]\": expected an integer from 1 to 64, smaller than the one before", i);
		}
		out->mr[i] = (int)mr;
	}
	out->n_mr = (int)n;
cleanup:
	return status;
}

/* The forms of a short type; which of them exist is known to the family that has them. */
static enum skip_status read_dot(const json_t *forms, const char *key, enum skip_precision precision, struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *list = NULL;
	SKIP_TRY(skip_profile_inside(skip_json_array(forms, key, &list, err), "forms", err));
	size_t n = json_array_size(list), most = sizeof(out->dot[0]) / sizeof(out->dot[0][0]);
	if (n > most) return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.%s\": expected at most %zu forms, found %zu", key, most, n);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name || !name[0] || strlen(name) >= sizeof(out->dot[0][0]))
			return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.%s[%zu]\": expected a name of 1 to %zu characters", key, i, sizeof(out->dot[0][0]) - 1);
		snprintf(out->dot[precision][i], sizeof(out->dot[0][0]), "%s", name);
	}
	out->n_dot[precision] = (int)n;
cleanup:
	return status;
}

static enum skip_status read_combine(const json_t *forms, struct skip_profile *out, struct skip_err *err)
{
	const json_t *list = json_object_get(forms, "combine");
	size_t n = json_array_size(list), most = sizeof(out->combine) / sizeof(out->combine[0]) - 1;
	if (list && (!json_is_array(list) || n > most)) return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.combine\": expected at most %zu names of ops", most);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name || !skip_pass_can_combine(name)) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.combine[%zu]\": expected an op that others can be combined to", i);
		}
		out->combine[i] = name;
	}
	return SKIP_OK;
}

static enum skip_status read_forms(struct skip_profile *out, struct skip_err *err)
{
	const struct {
		const char *key;
		int64_t min, max;
		int *out;
	} number[] = {
	    {"vec", 1, 16, &out->vec},
	    {"nv", 1, 64, &out->nv},
	    {"block", 1, 16, &out->block},
	    {"chunk", 0, 1 << 20, &out->chunk},
	    {"query_block", 1, 64, &out->query_block},
	    {"key_align", 1, 256, &out->key_align},
	    {"round_ffn", 1, 1024, &out->round_ffn},
	    {"round_head", 1, 1024, &out->round_head},
	};
	enum skip_status status = SKIP_OK;
	json_t *forms = NULL;
	SKIP_TRY(skip_json_object(out->json, "forms", &forms, err));
	SKIP_TRY(skip_profile_check_fields(forms, "forms.", form_fields, err));
	SKIP_TRY(read_variants(forms, out, err));
	SKIP_TRY(read_row_tiles(forms, out, err));
	SKIP_TRY(read_combine(forms, out, err));
	SKIP_TRY(skip_profile_read_tiles(forms, out, err));
	SKIP_TRY(skip_profile_inside(skip_json_bool_or(forms, "channels", false, &out->channels, err), "forms", err));
	SKIP_TRY(skip_profile_inside(skip_json_bool_or(forms, "team", false, &out->team, err), "forms", err));
	SKIP_TRY(read_dot(forms, "bf16", SKIP_PRECISION_BF16, out, err));
	SKIP_TRY(read_dot(forms, "int8", SKIP_PRECISION_INT8, out, err));
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		int64_t value = 0;
		SKIP_TRY(skip_profile_inside(skip_json_int(forms, number[i].key, number[i].min, number[i].max, &value, err), "forms", err));
		*number[i].out = (int)value;
	}
	if (out->vec != 4 && out->vec != 8 && out->vec != 16) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.vec\": expected 4, 8 or 16, found %d", out->vec);
	}
	if (out->key_align % out->vec != 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.key_align\": expected a multiple of \"forms.vec\" (%d), found %d",
		                    out->vec, out->key_align);
	}
cleanup:
	return status;
}

static enum skip_status read_compile(struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *compile = NULL, *options = NULL;
	size_t used = 0;
	SKIP_TRY(skip_json_object(out->json, "compile", &compile, err));
	SKIP_TRY(skip_profile_check_fields(compile, "compile.", compile_fields, err));
	SKIP_TRY(skip_profile_inside(skip_json_array(compile, "options", &options, err), "compile", err));
	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *option = json_string_value(json_array_get(options, i));
		if (!option || option[0] != '-') {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"compile.options[%zu]\": expected a string that starts with \"-\"", i);
		}
		int n = snprintf(out->options + used, sizeof(out->options) - used, "%s%s", used ? " " : "", option);
		if (n < 0 || (size_t)n >= sizeof(out->options) - used) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"compile.options\": longer than %zu characters",
			                    sizeof(out->options) - 1);
		}
		used += (size_t)n;
	}
cleanup:
	return status;
}

/* Fills `out` from the resolved document out->json. */
static enum skip_status read_profile(const struct source *source, struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *id = NULL, *title = NULL, *kind = NULL;
	SKIP_TRY(skip_profile_check_fields(out->json, "", top_fields, err));
	SKIP_TRY(skip_json_string(out->json, "id", &id, err));
	if (strcmp(id, source->id) != 0) {
		status =
		    skip_err_set(err, SKIP_ERR_INPUT, "\"id\": expected \"%s\" as the file is called, found \"%.60s\"", source->id, id);
		goto cleanup;
	}
	memcpy(out->id, source->id, sizeof(out->id));
	SKIP_TRY(skip_json_string(out->json, "title", &title, err));
	snprintf(out->title, sizeof(out->title), "%s", title);
	SKIP_TRY(skip_json_string(out->json, "kind", &kind, err));
	size_t k = 0, n_kinds = sizeof(kind_names) / sizeof(kind_names[0]);
	while (k < n_kinds && strcmp(kind_names[k], kind) != 0) k++;
	if (k == n_kinds) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"kind\": expected cpu, gpu, fpga, checker or custom, found \"%.60s\"", kind);
		goto cleanup;
	}
	out->kind = (enum skip_profile_kind)k;
	SKIP_TRY(skip_json_bool_or(out->json, "by_name", false, &out->by_name, err));
	SKIP_TRY(read_forms(out, err));
	SKIP_TRY(read_compile(out, err));
	SKIP_TRY(skip_match_check(out->json, err));
	if (out->kind == SKIP_PROFILE_FPGA) SKIP_TRY(skip_board_check(out, err));
cleanup:
	if (status != SKIP_OK) skip_err_add_file(err, source->path);
	return status;
}

static void free_profile(struct skip_profile *profile)
{
	json_decref(profile->json);
	skip_free((void *)(uintptr_t)profile->shipped);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct skip_profile *)a)->id, ((const struct skip_profile *)b)->id);
}

enum skip_status skip_profiles_load(const char *folder, struct skip_profiles **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct source_list list = {NULL, 0, 0};
	struct skip_profiles *profiles = skip_alloc_zeroed(1, sizeof(*profiles));
	if (!profiles) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for profiles");
	if (!folder) folder = getenv("SKIP_BOARDS");
	SKIP_TRY(folder && folder[0] ? read_folder(folder, &list, err) : read_embedded(&list, err));
	profiles->profile = skip_alloc_zeroed(list.count, sizeof(*profiles->profile));
	if (!profiles->profile) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for profiles");
		goto cleanup;
	}
	for (; profiles->count < list.count; profiles->count++) {
		struct skip_profile *profile = &profiles->profile[profiles->count];
		SKIP_TRY(resolve(&list, &list.at[profiles->count], 0, &profile->json, err));
		status = read_profile(&list.at[profiles->count], profile, err);
		if (status != SKIP_OK) {
			free_profile(profile);
			goto cleanup;
		}
	}
	qsort(profiles->profile, profiles->count, sizeof(*profiles->profile), compare_ids);
	if (!skip_profiles_find(profiles, "generic")) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "there is no profile \"generic\"");
		skip_err_add_file(err, folder ? folder : "boards");
		goto cleanup;
	}
	*out = profiles;
	profiles = NULL;
cleanup:
	for (size_t i = 0; i < list.count; i++) json_decref(list.at[i].json);
	skip_free(list.at);
	skip_profiles_destroy(profiles);
	return status;
}

void skip_profiles_destroy(struct skip_profiles *profiles)
{
	if (!profiles) return;
	for (size_t i = 0; i < profiles->count; i++) free_profile(&profiles->profile[i]);
	skip_free(profiles->profile);
	skip_free(profiles);
}

size_t skip_profiles_count(const struct skip_profiles *profiles)
{
	return profiles->count;
}

const struct skip_profile *skip_profiles_at(const struct skip_profiles *profiles, size_t i)
{
	return &profiles->profile[i];
}

const struct skip_profile *skip_profiles_find(const struct skip_profiles *profiles, const char *id)
{
	for (size_t i = 0; i < profiles->count; i++) {
		if (strcmp(profiles->profile[i].id, id) == 0) return &profiles->profile[i];
	}
	return NULL;
}

bool skip_profile_form_is(const struct skip_profile *profile, enum skip_precision precision, const char *name)
{
	return profile->n_dot[precision] > 0 && !strcmp(profile->dot[precision][0], name);
}
