/* From a network and a library to a plan with its built program. See library.h. */
#include "device/bitstream/library.h"
#include "base/alloc.h"
#include "base/file.h"
#include "device/session.h"
#include "graph/pass.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is looked for. */
struct search {
	const struct skip_graph *graph;
	const char *value_name;
	const struct skip_bitstream_want *want;
};

/* What a program was built in: rows of a tile, outputs of a cycle, shape classes (0: none). */
struct form {
	int rows, outputs, classes;
};

/* The network lowered in one form, and what identifies that. */
struct candidate {
	struct skip_built built;
	struct skip_kernel_set set;
};

void skip_built_deinit(struct skip_built *built)
{
	skip_plan_destroy(built->plan);
	skip_graph_destroy(built->graph);
	skip_library_entry_deinit(&built->entry);
	memset(built, 0, sizeof(*built));
}

static void drop(struct candidate *c)
{
	skip_built_deinit(&c->built);
	skip_kernel_set_deinit(&c->set);
}

static enum skip_status lower(const struct search *s, const struct form *form, struct candidate *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_profile forms = *s->want->profile;
	struct skip_graph *wide = NULL;
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->set.link);
	forms.mr[0] = form->rows;
	forms.nv = form->outputs;
	if (skip_profile_is_rtl(&forms)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' is built from RTL, and a library holds programs of OpenCL kernels", forms.id);
	if (form->classes) SKIP_TRY(skip_pass_classes(s->graph, form->classes, &wide, err));
	SKIP_TRY(skip_pass_inference(wide ? wide : s->graph, s->value_name, forms.combine, &out->built.graph, &out->built.value, err));
	SKIP_TRY(skip_lower(out->built.graph, &forms, &out->built.value, 1, &out->built.plan, err));
	status = skip_kernel_set_make(out->built.graph, out->built.plan, &forms, &out->set, err);
cleanup:
	skip_graph_destroy(wide);
	return status;
}

/* Loads the entry of a candidate into its plan; *found says whether there is one. */
static enum skip_status take(struct candidate *c, const struct skip_bitstream_want *want, bool *found, struct skip_err *err)
{
	enum skip_status status;
	struct skip_bitstream_want exact = *want;
	struct skip_buf bytes;
	char folder[1024];
	skip_buf_init(&bytes);
	SKIP_TRY(skip_library_folder(want->library, c->set.hash, folder, sizeof(folder), err));
	*found = skip_file_exists(folder);
	if (!*found) goto cleanup;
	exact.set = &c->set;
	SKIP_TRY(skip_library_read(folder, &c->built.entry, err));
	SKIP_TRY(skip_library_load(&c->built.entry, &exact, &bytes, err));
	skip_plan_take_binary(c->built.plan, &bytes);
cleanup:
	skip_buf_deinit(&bytes);
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

/* ---- forms ---- */

/* The form of an entry for this device; false where the entry is of another device or says none. */
static bool form_of(const struct skip_library_entry *entry, const struct skip_profile *profile, struct form *out)
{
	const json_t *form = json_object_get(entry->set.manifest, "form");
	const json_int_t rows = json_integer_value(json_object_get(form, "rows")), outputs = json_integer_value(json_object_get(form, "outputs"));
	const int classes = skip_kernel_set_classes(&entry->set);
	if (strcmp(skip_kernel_set_text(&entry->set, "board"), profile->id) != 0 || rows < 1 || rows > 4096 || outputs < 1 || outputs > 4096 || classes == SKIP_NONE) return false;
	*out = (struct form){(int)rows, (int)outputs, classes};
	return true;
}

/* Networks as they are first, then those with most shapes, which are padded least. */
static int by_classes(const void *a, const void *b)
{
	const struct form *x = a, *y = b;
	if (x->classes != y->classes) return x->classes == 0 ? -1 : y->classes == 0 ? 1 : x->classes > y->classes ? -1 : 1;
	if (x->rows != y->rows) return x->rows < y->rows ? -1 : 1;
	return (x->outputs > y->outputs) - (x->outputs < y->outputs);
}

/* Forms [n of list] of the entries; *out is freed with skip_free. */
static enum skip_status read_forms(char *const *list, size_t n, const struct skip_profile *profile, struct form **out, size_t *n_out, struct skip_err *err)
{
	struct form *forms = skip_alloc_array(n ? n : 1, sizeof(*forms));
	if (!forms) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the forms of %zu entries", n);
	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		struct skip_library_entry entry;
		if (skip_library_read(list[i], &entry, NULL) == SKIP_OK && form_of(&entry, profile, &forms[*n_out])) ++*n_out;
		skip_library_entry_deinit(&entry);
	}
	qsort(forms, *n_out, sizeof(*forms), by_classes);
	*out = forms;
	return SKIP_OK;
}

/* Tries the forms of the entries but `own`, which was tried already, each once. */
static enum skip_status try_forms(const struct search *s, const struct form *form, size_t n, const struct form *own, struct candidate *out, bool *found, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < n && !*found; i++) {
		if (by_classes(&form[i], own) == 0 || (i > 0 && by_classes(&form[i], &form[i - 1]) == 0)) continue;
		drop(out);
		SKIP_TRY(lower(s, &form[i], out, err));
		SKIP_TRY(take(out, s->want, found, err));
	}
cleanup:
	return status;
}

enum skip_status skip_bitstream_find(const struct skip_graph *graph, const char *value_name, const struct skip_bitstream_want *want, struct skip_built *out,
				     struct skip_err *err)
{
	enum skip_status status;
	const struct search s = {graph, value_name, want};
	const struct form own = {want->profile->mr[0], want->profile->nv, 0};
	bool found = false;
	char **list = NULL;
	size_t n = 0, n_forms = 0;
	struct form *forms = NULL;
	struct candidate first = {.set = {.manifest = NULL}}, other = {.set = {.manifest = NULL}}, *taken = &first;
	memset(out, 0, sizeof(*out));
	SKIP_TRY(lower(&s, &own, &first, err));
	SKIP_TRY(take(&first, want, &found, err));
	if (!found) {
		SKIP_TRY(skip_library_list(want->library, &list, &n, err));
		SKIP_TRY(read_forms(list, n, want->profile, &forms, &n_forms, err));
		SKIP_TRY(try_forms(&s, forms, n_forms, &own, &other, &found, err));
		taken = &other;
	}
	if (!found) SKIP_TRY(not_found(&first.set, list, n, want, err));
	*out = taken->built;
	memset(&taken->built, 0, sizeof(taken->built));
cleanup:
	skip_free(forms);
	skip_library_free_list(list, n);
	drop(&first);
	drop(&other);
	return status;
}
