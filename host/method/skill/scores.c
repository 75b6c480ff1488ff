/* Scores per unit: memory, file form, look-up of criteria. Computes nothing. */
#include "base/alloc.h"
#include "method/skill/skill.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct skip_criterion *skip_criterion_find(const char *name)
{
	for (const struct skip_criterion *const *entry = skip_criteria; *entry; entry++) {
		if (strcmp((*entry)->name, name) == 0) return *entry;
	}
	return NULL;
}

bool skip_criterion_reads_labels(const struct skip_criterion *criterion)
{
	return !criterion->compute && criterion->default_target >= 0;
}

bool skip_scores_know_slots(const struct skip_scores *scores, const struct skip_units *units)
{
	for (size_t g = units->n_groups; g < units->n_all; g++) {
		if (!scores->unit[g]) return false;
	}
	return true;
}

void skip_scores_deinit(struct skip_scores *scores)
{
	if (!scores) return;
	for (size_t g = 0; g < scores->n_all; g++) {
		if (scores->unit) skip_free(scores->unit[g]);
		if (scores->head) skip_free(scores->head[g]);
	}
	skip_free(scores->unit);
	skip_free(scores->head);
	*scores = (struct skip_scores){0};
}

enum skip_status skip_scores_alloc(const struct skip_units *units, struct skip_scores *out, struct skip_err *err)
{
	struct skip_scores scores = {.n_all = units->n_all};
	scores.unit = skip_alloc_zeroed(units->n_all, sizeof(*scores.unit));
	scores.head = skip_alloc_zeroed(units->n_all, sizeof(*scores.head));
	bool ok = scores.unit && scores.head;
	for (size_t g = 0; ok && g < units->n_all; g++) {
		const struct skip_unit_group *group = &units->group[g];
		scores.unit[g] = skip_alloc_zeroed((size_t)group->width, sizeof(double));
		ok = scores.unit[g] != NULL;
		if (!ok || group->kind != SKIP_UNIT_V) continue;
		scores.head[g] = skip_alloc_zeroed((size_t)group->heads, sizeof(double));
		ok = scores.head[g] != NULL;
	}
	if (!ok) {
		skip_scores_deinit(&scores);
		return skip_err_set(err, SKIP_ERR_NOMEM, "scores of %zu units", units->total);
	}
	*out = scores;
	return SKIP_OK;
}

static void entry_name(const struct skip_unit_group *group, bool head, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "layer%d.%s", group->layer, head ? "head" : skip_unit_kind_name(group->kind));
}

enum skip_status skip_scores_entries(const struct skip_scores *scores, const struct skip_units *units, struct skip_st_entry **out, size_t *count,
				     struct skip_err *err)
{
	size_t n = 0;
	struct skip_st_entry *entries = skip_alloc_zeroed(2 * units->n_all, sizeof(*entries));
	if (!entries) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu score tensors", 2 * units->n_all);
	for (size_t g = 0; g < units->n_all; g++) {
		const struct skip_unit_group *group = &units->group[g];
		for (int head = 0; head < 2; head++) {
			if (!(head ? scores->head : scores->unit)[g]) continue;
			struct skip_st_entry *entry = &entries[n++];
			entry_name(group, head, entry->name);
			entry->dtype = SKIP_F64;
			entry->rank = 1;
			entry->dim[0] = head ? group->heads : group->width;
			entry->data = head ? scores->head[g] : scores->unit[g];
		}
	}
	*out = entries;
	*count = n;
	return SKIP_OK;
}

json_t *skip_scores_metadata(const struct skip_scores *scores)
{
	return json_pack("{s:s}", "criterion", scores->criterion);
}

enum skip_status skip_scores_save(const struct skip_scores *scores, const struct skip_units *units, const char *path, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_output *output = NULL;
	struct skip_st_entry *entries = NULL;
	json_t *metadata = skip_scores_metadata(scores);
	size_t count = 0;
	if (!metadata) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory to write scores");
	SKIP_TRY(skip_scores_entries(scores, units, &entries, &count, err));
	SKIP_TRY(skip_output_create_file(path, &output, err));
	SKIP_TRY(skip_st_write(output, NULL, entries, count, metadata, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	json_decref(metadata);
	skip_free(entries);
	return status;
}

static enum skip_status read_entry(const struct skip_st_file *file, const char *path, const struct skip_unit_group *group, bool head,
				   double *out, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME];
	entry_name(group, head, name);
	int width = head ? group->heads : group->width;
	const struct skip_st_entry *entry = skip_st_find(file, name);
	if (!entry) return skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "no scores '%s'", name);
	if (entry->dtype != SKIP_F64 || entry->rank != 1 || entry->dim[0] != width)
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset, "scores '%s': rank %d, %lld %s, expected %d F64", name,
				   entry->rank, (long long)(entry->rank > 0 ? entry->dim[0] : 1), skip_dtype_name(entry->dtype), width);
	memcpy(out, entry->data, (size_t)width * sizeof(*out));
	for (int j = 0; j < width; j++) {
		if (!isfinite(out[j]))
			return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset + 8 * (int64_t)j, "score %d of '%s' is not finite",
					   j, name);
	}
	return SKIP_OK;
}

/* Whether the file scores these slots. */
static bool has_slots(const struct skip_st_file *file, const struct skip_unit_group *group)
{
	char name[SKIP_TENSOR_NAME];
	entry_name(group, false, name);
	const struct skip_st_entry *entry = skip_st_find(file, name);
	return entry && entry->rank == 1 && entry->dim[0] == group->width;
}

enum skip_status skip_scores_load(const char *path, const struct skip_units *units, struct skip_scores *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_st_file *file = NULL;
	struct skip_scores scores = {0};
	SKIP_TRY(skip_st_open(path, &file, err));
	SKIP_TRY(skip_scores_alloc(units, &scores, err));
	for (size_t g = 0; g < units->n_all; g++) {
		if (g >= units->n_groups && !has_slots(file, &units->group[g])) {
			skip_free(scores.unit[g]);
			scores.unit[g] = NULL;
			continue;
		}
		SKIP_TRY(read_entry(file, path, &units->group[g], false, scores.unit[g], err));
		if (scores.head[g]) SKIP_TRY(read_entry(file, path, &units->group[g], true, scores.head[g], err));
	}
	const char *criterion = json_string_value(json_object_get(file->metadata, "criterion"));
	snprintf(scores.criterion, sizeof(scores.criterion), "%s", criterion ? criterion : "file");
	*out = scores;
	scores = (struct skip_scores){0};
cleanup:
	skip_scores_deinit(&scores);
	skip_st_close(file);
	return status;
}
