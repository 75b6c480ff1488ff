/* Writing a task package: files first, each with its sha256, the manifest last, then the whole takes its place in one step. See
 * docs/package.md. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "package/internal.h"
#include <string.h>

struct saver {
	const struct skip_package_write *write;
	struct skip_output *output;
	json_t *files, *records, *plans; /* of the manifest */
};

static enum skip_status no_memory(struct skip_err *err)
{
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the manifest");
}

static enum skip_status put_file(struct saver *s, json_t *list, const char *name, const void *data, size_t size, struct skip_err *err)
{
	char hash[SKIP_SHA256_HEX];
	enum skip_status status = skip_output_write(s->output, name, data, size, err);
	if (status != SKIP_OK) return status;
	skip_sha256_hex(data, size, hash);
	return json_object_set_new(list, name, json_string(hash)) == 0 ? SKIP_OK : no_memory(err);
}

static enum skip_status put_json(struct saver *s, json_t *list, const char *name, const json_t *value, struct skip_err *err)
{
	struct skip_buf text;
	skip_buf_init(&text);
	enum skip_status status = skip_json_write(value, &text, err);
	if (status == SKIP_OK) status = put_file(s, list, name, skip_buf_text(&text), text.length, err);
	skip_buf_deinit(&text);
	return status;
}

static enum skip_status put_tensors(struct saver *s, const char *name, const struct skip_st_entry *entries, size_t n, const json_t *metadata, struct skip_err *err)
{
	enum skip_status status;
	char path[4096], hash[SKIP_SHA256_HEX];
	SKIP_TRY(skip_st_write(s->output, name, entries, n, metadata, err));
	if (!skip_path_join(path, sizeof(path), skip_output_path(s->output), name)) {
		status = skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", skip_output_path(s->output));
		goto cleanup;
	}
	SKIP_TRY(skip_sha256_file(path, hash, err));
	if (json_object_set_new(s->files, name, json_string(hash)) != 0) status = no_memory(err);
cleanup:
	return status;
}

static enum skip_status put_weights(struct saver *s, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = s->write->graph;
	struct skip_st_entry *entries = skip_alloc_zeroed(graph->n_tensors, sizeof(*entries));
	if (!entries) return no_memory(err);
	for (size_t i = 0; i < graph->n_tensors; i++) {
		const struct skip_tensor *tensor = graph->tensors[i];
		if (tensor->n_parts) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL,
			                      "tensor '%s' is put together from others; a package holds canonical graphs", tensor->name);
			goto cleanup;
		}
		memcpy(entries[i].name, tensor->name, sizeof(entries[i].name));
		memcpy(entries[i].dim, tensor->dim, sizeof(entries[i].dim));
		entries[i].dtype = tensor->dtype;
		entries[i].rank = tensor->rank;
		entries[i].data = tensor->data;
	}
	status = put_tensors(s, SKIP_PACKAGE_WEIGHTS, entries, graph->n_tensors, NULL, err);
cleanup:
	skip_free(entries);
	return status;
}

/* Copies the tokenizer's files; their names in the package go to *list. */
static enum skip_status put_tokenizer(struct saver *s, json_t *list, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_buf text;
	skip_buf_init(&text);
	for (const char *const *name = skip_tokenizer_files(s->write->tokenizer); *name; name++) {
		char path[4096], target[256];
		skip_buf_clear(&text);
		if (!skip_path_join(path, sizeof(path), s->write->tokenizer_folder, *name) ||
		    !skip_path_join(target, sizeof(target), SKIP_PACKAGE_TOKENIZER, *name)) {
			status = skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s/%s", s->write->tokenizer_folder, *name);
			goto cleanup;
		}
		SKIP_TRY(skip_file_read(path, &text, err));
		SKIP_TRY(put_file(s, s->files, target, skip_buf_text(&text), text.length, err));
		if (json_array_append_new(list, json_string(target)) != 0) {
			status = no_memory(err);
			goto cleanup;
		}
	}
cleanup:
	skip_buf_deinit(&text);
	return status;
}

/* Names of profiles and programs become names of files. */
static bool is_file_name(const char *name)
{
	if (!name[0] || name[0] == '.') return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static enum skip_status put_plan(struct saver *s, const struct skip_plan *plan, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	char name[3 * SKIP_NAME];
	json_t *json = NULL;
	for (size_t i = 0; i < plan->n_programs; i++) {
		const struct skip_plan_program *program = &plan->programs[i];
		if (!is_file_name(plan->profile) || !is_file_name(program->name)) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "program '%s' of profile '%s' cannot be a file name", program->name,
			                      plan->profile);
			goto cleanup;
		}
		snprintf(name, sizeof(name), "programs/%s/%s.cl", plan->profile, program->name);
		SKIP_TRY(put_file(s, s->files, name, program->text, strlen(program->text), err));
	}
	SKIP_TRY(skip_plan_to_json(plan, &json, err));
	snprintf(name, sizeof(name), "programs/%s/plan.json", plan->profile);
	SKIP_TRY(put_json(s, s->files, name, json, err));
	if (json_object_set_new(s->plans, plan->profile, json_string(name)) != 0) status = no_memory(err);
cleanup:
	json_decref(json);
	return status;
}

static json_t *labels_json(const struct skip_labels *labels)
{
	json_t *list = json_array();
	for (int i = 0; list && i < labels->count; i++) {
		if (json_array_append_new(list, json_string(labels->name[i])) == 0) continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static enum skip_status put_manifest(struct saver *s, json_t *tokenizer_files, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_package_write *write = s->write;
	char seal[SKIP_SHA256_HEX];
	json_t *graph = NULL, *manifest = NULL;
	struct skip_buf text;
	skip_buf_init(&text);
	SKIP_TRY(skip_graph_to_json(write->graph, &graph, err));
	manifest = json_pack("{s:i, s:s, s:s, s:O, s:o, s:{s:s, s:O}, s:i, s:O, s:O, s:O, s:o}", "format", SKIP_PACKAGE_FORMAT, "kind",
	                     SKIP_PACKAGE_KIND, "version", SKIP_VERSION, "graph", graph, "labels", labels_json(write->labels), "tokenizer",
	                     "kind", skip_tokenizer_kind(write->tokenizer), "files", tokenizer_files, "max_length", write->max_length, "files", s->files, "records",
	                     s->records, "plans", s->plans, "history", write->history ? json_deep_copy(write->history) : json_object());
	if (!manifest) {
		status = no_memory(err);
		goto cleanup;
	}
	SKIP_TRY(skip_package_seal(manifest, seal, err));
	if (json_object_set_new(manifest, "seal", json_string(seal)) != 0) {
		status = no_memory(err);
		goto cleanup;
	}
	SKIP_TRY(skip_json_write(manifest, &text, err));
	SKIP_TRY(skip_output_write(s->output, SKIP_PACKAGE_MANIFEST, skip_buf_text(&text), text.length, err));
cleanup:
	json_decref(graph);
	json_decref(manifest);
	skip_buf_deinit(&text);
	return status;
}

enum skip_status skip_package_save(const char *path, const struct skip_package_write *write, struct skip_err *err)
{
	enum skip_status status;
	struct saver s = {.write = write, .files = json_object(), .records = json_object(), .plans = json_object()};
	json_t *tokenizer_files = json_array();
	if (!s.files || !s.records || !s.plans || !tokenizer_files) {
		status = no_memory(err);
		goto cleanup;
	}
	SKIP_TRY(skip_package_check_parts(write->graph, write->labels, write->tokenizer, write->max_length, err));
	SKIP_TRY(skip_output_create_folder(path, SKIP_PACKAGE_MANIFEST, &s.output, err));
	SKIP_TRY(put_weights(&s, err));
	if (write->scores) SKIP_TRY(put_tensors(&s, SKIP_PACKAGE_SCORES, write->scores, write->n_scores, write->scores_metadata, err));
	SKIP_TRY(put_tokenizer(&s, tokenizer_files, err));
	for (size_t i = 0; i < write->n_plans; i++) SKIP_TRY(put_plan(&s, write->plans[i], err));
	if (write->metrics) SKIP_TRY(put_json(&s, s.records, SKIP_PACKAGE_METRICS, write->metrics, err));
	if (write->report_html) SKIP_TRY(put_file(&s, s.records, SKIP_PACKAGE_REPORT, write->report_html, strlen(write->report_html), err));
	SKIP_TRY(put_manifest(&s, tokenizer_files, err));
	SKIP_TRY(skip_output_commit(s.output, err));
cleanup:
	skip_output_destroy(s.output);
	json_decref(s.files);
	json_decref(s.records);
	json_decref(s.plans);
	json_decref(tokenizer_files);
	return status;
}
