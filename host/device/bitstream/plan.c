/* From a network and a library to a plan with its built program. See library.h. */
#include "device/bitstream/library.h"
#include "base/file.h"
#include "device/session.h"
#include <stdio.h>
#include <string.h>

/* The network lowered in one form, and what identifies that. */
struct candidate {
	struct skip_plan *plan;
	struct skip_kernel_set set;
};

static void drop(struct candidate *c)
{
	skip_plan_destroy(c->plan);
	skip_kernel_set_deinit(&c->set);
	memset(c, 0, sizeof(*c));
}

static enum skip_status lower(const struct skip_graph *graph, const int *wanted, size_t n_wanted, const struct skip_profile *forms, struct candidate *out, struct skip_err *err)
{
	enum skip_status status;
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->set.link);
	if (skip_profile_is_rtl(forms)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' is built from RTL, and a library holds programs of OpenCL kernels", forms->id);
	SKIP_TRY(skip_lower(graph, forms, wanted, n_wanted, &out->plan, err));
	status = skip_kernel_set_make(graph, out->plan, forms, &out->set, err);
cleanup:
	return status;
}

/* The form of an entry for this device: rows of a tile and outputs of a cycle; false where the entry is of another device or says none. */
static bool form_of(const struct skip_library_entry *entry, const struct skip_profile *profile, struct skip_profile *out)
{
	const json_t *form = json_object_get(entry->set.manifest, "form");
	const json_int_t rows = json_integer_value(json_object_get(form, "rows")), outputs = json_integer_value(json_object_get(form, "outputs"));
	*out = *profile;
	if (strcmp(skip_kernel_set_text(&entry->set, "board"), profile->id) != 0 || rows < 1 || rows > 4096 || outputs < 1 || outputs > 4096) return false;
	out->mr[0] = (int)rows;
	out->nv = (int)outputs;
	return true;
}

/* Loads the entry of a candidate into its plan; *found says whether there is one. */
static enum skip_status take(struct candidate *c, const struct skip_bitstream_want *want, bool *found, struct skip_err *err)
{
	enum skip_status status;
	struct skip_bitstream_want exact = *want;
	struct skip_library_entry entry = {.bytes = 0};
	struct skip_buf bytes;
	char folder[1024];
	skip_buf_init(&bytes);
	SKIP_TRY(skip_library_folder(want->library, c->set.hash, folder, sizeof(folder), err));
	*found = skip_file_exists(folder);
	if (!*found) goto cleanup;
	exact.set = &c->set;
	SKIP_TRY(skip_library_read(folder, &entry, err));
	SKIP_TRY(skip_library_load(&entry, &exact, &bytes, err));
	skip_plan_take_binary(c->plan, &bytes);
cleanup:
	skip_buf_deinit(&bytes);
	skip_library_entry_deinit(&entry);
	return status;
}

/* Fields in which two sets differ, counted: the nearest differs in fewest. */
static int distance(const struct skip_kernel_set *a, const struct skip_kernel_set *b, char *fields, size_t size)
{
	struct skip_buf text;
	int n = 1;
	skip_buf_init(&text);
	skip_kernel_set_differences(a, b, &text);
	snprintf(fields, size, "%s", skip_buf_text(&text));
	for (const char *at = fields; (at = strchr(at, ',')); at++) n++;
	skip_buf_deinit(&text);
	return n;
}

static enum skip_status not_found(const struct skip_kernel_set *set, char *const *list, size_t n, const struct skip_bitstream_want *want, struct skip_err *err)
{
	char nearest[160] = "", differs[160] = "";
	int least = 0;
	struct skip_bitstream_want exact = *want;
	struct skip_buf command;
	for (size_t i = 0; i < n; i++) {
		struct skip_library_entry entry;
		char fields[160];
		if (skip_library_read(list[i], &entry, NULL) == SKIP_OK) {
			const int far = distance(set, &entry.set, fields, sizeof(fields));
			if (!nearest[0] || far < least) {
				least = far;
				snprintf(nearest, sizeof(nearest), "%s", entry.set.name);
				snprintf(differs, sizeof(differs), "%s", fields);
			}
		}
		skip_library_entry_deinit(&entry);
	}
	exact.set = set;
	skip_buf_init(&command);
	skip_bitstream_command(&exact, &command);
	skip_err_at(err, SKIP_ERR_INPUT, want->library, 0, -1, "check 'library' failed\n    expected    %.100s (package)\n    found       none (%zu entries)\n    nearest     %s%s%s\n    make it     %.300s",
		    set->name, n, nearest[0] ? nearest : "none", nearest[0] ? ", differs in " : "", differs, skip_buf_text(&command));
	skip_buf_deinit(&command);
	return SKIP_ERR_INPUT;
}

/* Tries the forms of the entries, each once. */
static enum skip_status try_entries(const struct skip_graph *graph, const int *wanted, size_t n_wanted, char *const *list, size_t n, const struct skip_bitstream_want *want,
				    struct candidate *out, bool *found, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < n && !*found; i++) {
		struct skip_library_entry entry;
		struct skip_profile forms;
		const bool usable = skip_library_read(list[i], &entry, NULL) == SKIP_OK && form_of(&entry, want->profile, &forms);
		skip_library_entry_deinit(&entry);
		if (!usable) continue;
		drop(out);
		SKIP_TRY(lower(graph, wanted, n_wanted, &forms, out, err));
		SKIP_TRY(take(out, want, found, err));
	}
cleanup:
	return status;
}

enum skip_status skip_bitstream_plan(const struct skip_graph *graph, const int *wanted, size_t n_wanted, const struct skip_bitstream_want *want, struct skip_plan **out,
				     struct skip_err *err)
{
	enum skip_status status;
	bool found = false;
	char **list = NULL;
	size_t n = 0;
	struct candidate first = {.plan = NULL}, other = {.plan = NULL};
	SKIP_TRY(lower(graph, wanted, n_wanted, want->profile, &first, err));
	SKIP_TRY(take(&first, want, &found, err));
	if (found) {
		*out = first.plan;
		first.plan = NULL;
		goto cleanup;
	}
	SKIP_TRY(skip_library_list(want->library, &list, &n, err));
	SKIP_TRY(try_entries(graph, wanted, n_wanted, list, n, want, &other, &found, err));
	if (!found) SKIP_TRY(not_found(&first.set, list, n, want, err));
	*out = other.plan;
	other.plan = NULL;
cleanup:
	skip_library_free_list(list, n);
	drop(&first);
	drop(&other);
	return status;
}
