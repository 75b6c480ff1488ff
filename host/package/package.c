/* Opening a task package: format, seal, files, then the graph over its weights, labels, tokenizer. Writing is save.c, the files' hashes
 * files.c. */
#include "package/package.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "graph/op.h"
#include "package/internal.h"
#include <string.h>
#include <sys/stat.h>

bool skip_package_is(const char *path)
{
	char manifest[4096];
	return skip_path_join(manifest, sizeof(manifest), path, SKIP_PACKAGE_MANIFEST) && skip_file_is_folder(path) &&
	       skip_file_exists(manifest);
}

enum skip_status skip_package_check_parts(const struct skip_graph *graph, const struct skip_labels *labels,
                                          const struct skip_tokenizer *tokenizer, int max_length, struct skip_err *err)
{
	int logits = skip_graph_find_value(graph, "logits");
	if (logits == SKIP_NONE || graph->values[logits].rows != SKIP_ROWS_B)
		return skip_err_set(err, SKIP_ERR_INPUT, "the graph has no value \"logits\" with a row for each sequence");
	if (graph->values[logits].cols != labels->count)
		return skip_err_set(err, SKIP_ERR_INPUT, "%d labels for %d classes", labels->count, graph->values[logits].cols);
	if (max_length < 2 || (graph->max_positions && max_length > graph->max_positions))
		return skip_err_set(err, SKIP_ERR_INPUT, "a maximum length of %d tokens; the graph has %d positions", max_length,
		                    graph->max_positions);
	const struct skip_op *embed = skip_op_find("embed");
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct skip_node *node = &graph->nodes[i];
		if (node->op != embed) continue;
		int64_t rows = graph->tensors[node->param[0]]->dim[0];
		if ((int64_t)skip_tokenizer_vocab_size(tokenizer) > rows)
			return skip_err_set(err, SKIP_ERR_INPUT, "a tokenizer of %zu tokens for %lld embedded ones",
			                    skip_tokenizer_vocab_size(tokenizer), (long long)rows);
	}
	return SKIP_OK;
}

/* Reads the manifest and checks everything that can be checked without knowing what the parts mean. */
static enum skip_status open_manifest(struct skip_package *package, struct skip_err *err)
{
	enum skip_status status;
	char path[4096], seal[SKIP_SHA256_HEX];
	struct stat info;
	int64_t format;
	const char *kind, *wanted;
	json_t *files;
	if (!skip_path_join(path, sizeof(path), package->path, SKIP_PACKAGE_MANIFEST))
		return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", package->path);
	if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode))
		return skip_err_at(err, SKIP_ERR_VERIFY, path, 0, -1, "is a link or no file; a package holds plain files only");
	SKIP_TRY(skip_json_load(path, &package->manifest, err));
	SKIP_TRY(skip_json_int(package->manifest, "format", 1, INT64_MAX, &format, err));
	if (format > SKIP_PACKAGE_FORMAT) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "format %lld is newer than %d, the newest this program reads", (long long)format,
		                      SKIP_PACKAGE_FORMAT);
		goto cleanup;
	}
	SKIP_TRY(skip_json_string(package->manifest, "kind", &kind, err));
	if (strcmp(kind, SKIP_PACKAGE_KIND) != 0) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "kind is \"%.100s\"; expected \"%s\"", kind, SKIP_PACKAGE_KIND);
		goto cleanup;
	}
	SKIP_TRY(skip_json_string(package->manifest, "seal", &wanted, err));
	SKIP_TRY(skip_package_seal(package->manifest, seal, err));
	if (strcmp(seal, wanted) != 0) {
		status = skip_err_set(err, SKIP_ERR_VERIFY, "the manifest does not match its seal: %s, it says %.80s", seal, wanted);
		goto cleanup;
	}
	SKIP_TRY(skip_package_check_files(package->path, package->manifest, err));
	SKIP_TRY(skip_json_object(package->manifest, "files", &files, err));
	SKIP_TRY(skip_package_hash_json(files, package->hash, err));
cleanup:
	if (status != SKIP_OK) skip_err_add_file(err, path);
	return status;
}

/* Tensors are views of the mapped weights; the graph keeps the map. */
static enum skip_status open_graph(struct skip_package *package, struct skip_err *err)
{
	enum skip_status status;
	char path[4096];
	struct skip_st_file *file = NULL;
	struct skip_tensor **tensors = NULL;
	json_t *graph;
	size_t n = 0;
	if (!skip_path_join(path, sizeof(path), package->path, SKIP_PACKAGE_WEIGHTS))
		return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", package->path);
	SKIP_TRY(skip_st_open(path, &file, err));
	tensors = skip_alloc_zeroed(file->count, sizeof(*tensors));
	if (!tensors) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu tensors", file->count);
		goto cleanup;
	}
	for (; n < file->count; n++) {
		const struct skip_st_entry *entry = &file->entries[n];
		SKIP_TRY(skip_tensor_view(entry->name, entry->dtype, entry->rank, entry->dim, entry->data, file->map, &tensors[n], err));
	}
	SKIP_TRY(skip_json_object(package->manifest, "graph", &graph, err));
	SKIP_TRY(skip_graph_from_json(graph, tensors, n, &package->graph, err));
cleanup:
	for (size_t i = 0; i < n; i++) skip_tensor_unref(tensors[i]);
	skip_free(tensors);
	skip_st_close(file);
	return status;
}

static enum skip_status open_labels(struct skip_package *package, struct skip_err *err)
{
	json_t *list;
	enum skip_status status = skip_json_array(package->manifest, "labels", &list, err);
	if (status != SKIP_OK) return status;
	size_t n = json_array_size(list);
	if (n > INT32_MAX) return skip_err_set(err, SKIP_ERR_INPUT, "too many labels");
	const char **names = skip_alloc_array(n, sizeof(*names));
	if (!names) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for labels");
	for (size_t i = 0; i < n && status == SKIP_OK; i++) {
		names[i] = json_string_value(json_array_get(list, i));
		if (!names[i]) status = skip_err_set(err, SKIP_ERR_INPUT, "label %zu is no string", i);
	}
	if (status == SKIP_OK) status = skip_labels_make(names, (int)n, &package->labels, err);
	skip_free(names);
	return status;
}

static enum skip_status open_parts(struct skip_package *package, struct skip_err *err)
{
	enum skip_status status;
	char manifest[4096], path[4096];
	int64_t max_length;
	if (!skip_path_join(manifest, sizeof(manifest), package->path, SKIP_PACKAGE_MANIFEST) ||
	    !skip_path_join(path, sizeof(path), package->path, SKIP_PACKAGE_TOKENIZER))
		return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", package->path);
	SKIP_TRY(open_graph(package, err));
	SKIP_TRY(open_labels(package, err));
	SKIP_TRY(skip_tokenizer_open(path, &package->tokenizer, err));
	SKIP_TRY(skip_json_int(package->manifest, "max_length", 2, INT32_MAX, &max_length, err));
	package->max_length = (int)max_length;
	SKIP_TRY(skip_package_check_parts(package->graph, &package->labels, package->tokenizer, package->max_length, err));
	if (json_object_get(json_object_get(package->manifest, "records"), SKIP_PACKAGE_METRICS)) {
		if (!skip_path_join(path, sizeof(path), package->path, SKIP_PACKAGE_METRICS))
			return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", package->path);
		SKIP_TRY(skip_json_load(path, &package->metrics, err));
	}
cleanup:
	if (status != SKIP_OK) skip_err_add_file(err, manifest);
	return status;
}

enum skip_status skip_package_open(const char *path, struct skip_package **out, struct skip_err *err)
{
	struct skip_package *package = skip_alloc_zeroed(1, sizeof(*package));
	if (!package) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a package");
	enum skip_status status = SKIP_OK;
	if (strlen(path) >= sizeof(package->path)) status = skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", path);
	else
		memcpy(package->path, path, strlen(path) + 1);
	if (status == SKIP_OK) status = open_manifest(package, err);
	if (status == SKIP_OK) status = open_parts(package, err);
	if (status == SKIP_OK) *out = package;
	else
		skip_package_close(package);
	return status;
}

void skip_package_close(struct skip_package *package)
{
	if (!package) return;
	skip_graph_destroy(package->graph);
	skip_labels_deinit(&package->labels);
	skip_tokenizer_close(package->tokenizer);
	json_decref(package->metrics);
	json_decref(package->manifest);
	skip_free(package);
}
