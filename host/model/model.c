/*
 * Opening a model folder: config.json chooses the architecture; pooling and a head of the checkpoint are read here, for every architecture
 * alike.
 */
#include "model/model.h"
#include "base/alloc.h"
#include <string.h>

static enum skip_status join_path(const char *folder, const char *name, char path[4096], struct skip_err *err)
{
	if (skip_path_join(path, 4096, folder, name)) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_IO, folder, 0, -1, "the path is too long");
}

static enum skip_status find_arch(const json_t *config, const struct skip_arch **out, struct skip_err *err)
{
	const char *type;
	enum skip_status status = skip_json_string(config, "model_type", &type, err);
	if (status != SKIP_OK) return status;
	char known[256] = "";
	for (size_t i = 0; skip_archs[i]; i++) {
		if (strcmp(skip_archs[i]->model_type, type) == 0) {
			*out = skip_archs[i];
			return SKIP_OK;
		}
		size_t used = strlen(known);
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", skip_archs[i]->model_type);
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported model_type '%.60s'; supported: %s", type, known);
}

/* 1_Pooling/config.json of sentence-transformers, where the folder has one. */
static enum skip_status read_pooling(const char *folder, struct skip_model *model, struct skip_err *err)
{
	enum skip_status status;
	char path[4096];
	json_t *json = NULL;
	bool mean, cls;
	int64_t width;
	SKIP_TRY(join_path(folder, "1_Pooling/config.json", path, err));
	if (!skip_file_exists(path)) return SKIP_OK;
	SKIP_TRY(skip_json_load(path, &json, err));
	SKIP_TRY(skip_json_bool_or(json, "pooling_mode_mean_tokens", false, &mean, err));
	SKIP_TRY(skip_json_bool_or(json, "pooling_mode_cls_token", false, &cls, err));
	SKIP_TRY(skip_json_int_or(json, "word_embedding_dimension", model->graph->model_width, 1, 1 << 20, &width, err));
	if (mean == cls) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                      "Unsupported pooling; supported: one of pooling_mode_mean_tokens and pooling_mode_cls_token");
	} else if (width != model->graph->model_width) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"word_embedding_dimension\": expected the model's %d, found %lld",
		                      model->graph->model_width, (long long)width);
	} else {
		model->pool = mean ? SKIP_POOL_MEAN : SKIP_POOL_CLS;
		model->pool_known = true;
	}
cleanup:
	json_decref(json);
	if (status != SKIP_OK) skip_err_add_file(err, path);
	return status;
}

/* <stem>.weight [rows or any][D] and <stem>.bias [rows], called <as>.weight and <as>.bias. */
static enum skip_status read_dense(struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *stem, const char *as,
                                   int64_t rows, int width, struct skip_tensor **weight, struct skip_tensor **bias, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME], new_name[SKIP_TENSOR_NAME];
	int64_t dim[2] = {rows, width};
	enum skip_status status;
	snprintf(name, sizeof(name), "%s.weight", stem);
	snprintf(new_name, sizeof(new_name), "%s.weight", as);
	SKIP_TRY(skip_checkpoint_tensor(checkpoint, prefixes, name, new_name, 2, dim, weight, err));
	snprintf(name, sizeof(name), "%s.bias", stem);
	snprintf(new_name, sizeof(new_name), "%s.bias", as);
	SKIP_TRY(skip_checkpoint_tensor(checkpoint, prefixes, name, new_name, 1, &(*weight)->dim[0], bias, err));
cleanup:
	return status;
}

static bool has_classifier(const json_t *config)
{
	static const char ending[] = "ForSequenceClassification";
	size_t i;
	json_t *value;
	json_array_foreach(json_object_get(config, "architectures"), i, value)
	{
		const char *text = json_string_value(value);
		size_t length = text ? strlen(text) : 0;
		if (length >= strlen(ending) && strcmp(text + length - strlen(ending), ending) == 0) return true;
	}
	return false;
}

/* id2label maps "0".."C-1" to names; without it the names are LABEL_0 .., as other readers of such folders make them. */
static enum skip_status read_labels(const json_t *config, int classes, struct skip_model *model, struct skip_err *err)
{
	const json_t *map = json_object_get(config, "id2label");
	if (map && !json_is_object(map)) return skip_err_set(err, SKIP_ERR_INPUT, "\"id2label\": expected an object");
	if (map && json_object_size(map) != (size_t)classes)
		return skip_err_set(err, SKIP_ERR_INPUT, "\"id2label\" has %zu labels, the head of the checkpoint has %d classes",
		                    json_object_size(map), classes);
	model->label = skip_alloc_zeroed((size_t)classes, sizeof(*model->label));
	if (!model->label) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d labels", classes);
	model->n_labels = classes;
	for (int c = 0; c < classes; c++) {
		char key[16], standard[32];
		snprintf(key, sizeof(key), "%d", c);
		snprintf(standard, sizeof(standard), "LABEL_%d", c);
		const char *text = map ? json_string_value(json_object_get(map, key)) : standard;
		if (!text) return skip_err_set(err, SKIP_ERR_INPUT, "\"id2label\": expected a string for \"%d\"", c);
		model->label[c] = skip_strdup(text);
		if (!model->label[c]) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d labels", classes);
	}
	return SKIP_OK;
}

/* Puts the checkpoint's own pooler and classifier behind the encoder: the graph then ends at "logits". */
static enum skip_status add_classifier(const json_t *config, const struct skip_arch *arch, struct skip_checkpoint *checkpoint,
                                       struct skip_model *model, struct skip_err *err)
{
	static const char *const no_prefix[] = {"", NULL};
	const json_t *problem = json_object_get(config, "problem_type");
	struct skip_tensor *weight = NULL, *bias = NULL;
	struct skip_graph *graph = NULL;
	enum skip_status status;
	SKIP_TRY(read_dense(checkpoint, no_prefix, arch->classifier, "head", -1, model->graph->model_width, &weight, &bias, err));
	if (weight->dim[0] < 2 || weight->dim[0] > 1 << 16) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported classification head of %lld outputs; supported: 2 to 65536",
		                      (long long)weight->dim[0]);
		goto cleanup;
	}
	if (json_is_string(problem) && strcmp(json_string_value(problem), "single_label_classification") != 0) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported problem_type '%.60s'; supported: single_label_classification",
		                      json_string_value(problem));
		goto cleanup;
	}
	int classes = (int)weight->dim[0];
	SKIP_TRY(read_labels(config, classes, model, err));
	SKIP_TRY(skip_pass_head(model->graph, SKIP_POOL_CLS, model->pooler_w, model->pooler_b, classes, &graph, err));
	skip_graph_set_tensor(graph, skip_graph_find_tensor(graph, "head.weight"), weight);
	skip_graph_set_tensor(graph, skip_graph_find_tensor(graph, "head.bias"), bias);
	skip_graph_destroy(model->graph);
	model->graph = graph;
	model->pool = SKIP_POOL_CLS;
	model->pool_known = true;
	model->has_head = true;
cleanup:
	skip_tensor_unref(weight);
	skip_tensor_unref(bias);
	return status;
}

enum skip_status skip_model_open(const char *folder, struct skip_model *out, struct skip_err *err)
{
	enum skip_status status;
	char path[4096];
	struct skip_model model = {.pool = SKIP_POOL_CLS};
	struct skip_checkpoint *checkpoint = NULL;
	const struct skip_arch *arch = NULL;
	json_t *config = NULL;
	SKIP_TRY(join_path(folder, "config.json", path, err));
	SKIP_TRY(skip_json_load(path, &config, err));
	status = find_arch(config, &arch, err);
	if (status != SKIP_OK) {
		skip_err_add_file(err, path);
		goto cleanup;
	}
	SKIP_TRY(skip_checkpoint_open(folder, &checkpoint, err));
	SKIP_TRY(arch->build(config, checkpoint, path, &model.graph, err));
	snprintf(model.graph->architecture, sizeof(model.graph->architecture), "%s", arch->model_type);
	model.graph->dense_encoder_params = skip_graph_encoder_params(model.graph);
	model.graph->dense_macs_per_token = skip_graph_macs(model.graph, 64, true) / 64;
	model.max_positions = model.graph->max_positions;
	SKIP_TRY(read_pooling(folder, &model, err));
	bool classifier = has_classifier(config);
	char pooler[SKIP_TENSOR_NAME] = "";
	if (arch->pooler) snprintf(pooler, sizeof(pooler), "%s.weight", arch->pooler);
	if (arch->pooler && (classifier || skip_checkpoint_has(checkpoint, arch->prefixes, pooler)))
		SKIP_TRY(read_dense(checkpoint, arch->prefixes, arch->pooler, "pooler", model.graph->model_width, model.graph->model_width,
		                    &model.pooler_w, &model.pooler_b, err));
	if (classifier) {
		status = add_classifier(config, arch, checkpoint, &model, err);
		if (status != SKIP_OK) skip_err_add_file(err, path);
	}
	if (status != SKIP_OK) goto cleanup;
	*out = model;
	memset(&model, 0, sizeof(model));
cleanup:
	skip_model_deinit(&model);
	skip_checkpoint_close(checkpoint);
	json_decref(config);
	return status;
}

void skip_model_deinit(struct skip_model *model)
{
	if (!model) return;
	skip_graph_destroy(model->graph);
	skip_tensor_unref(model->pooler_w);
	skip_tensor_unref(model->pooler_b);
	for (int c = 0; model->label && c < model->n_labels; c++) skip_free(model->label[c]);
	skip_free(model->label);
	memset(model, 0, sizeof(*model));
}
