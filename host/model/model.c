/*
 * Opening a model folder: config.json chooses the architecture; pooling and a head of the checkpoint are read here, for every architecture
 * alike. A folder whose network is an ONNX file is read by onnx/.
 */
#include "model/model.h"
#include "base/alloc.h"
#include "model/build.h"
#include "model/config.h"
#include "model/onnx/symbol.h"
#include <string.h>

static enum skip_status join_path(const char *folder, const char *name, char path[4096], struct skip_err *err)
{
	if (skip_path_join(path, 4096, folder, name)) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_IO, folder, 0, -1, "the path is too long");
}

const struct skip_arch *skip_arch_find(const char *type, int *place)
{
	for (size_t i = 0; skip_archs[i]; i++) {
		for (int k = 0; skip_archs[i]->types[k]; k++) {
			if (strcmp(skip_archs[i]->types[k], type) != 0) continue;
			if (place) *place = k;
			return skip_archs[i];
		}
	}
	return NULL;
}

/* The architecture that reads config.json, and its name: the model_type, which stays as long as `config`. */
static enum skip_status find_arch(const json_t *config, const struct skip_arch **out, const char **name, struct skip_err *err)
{
	char known[512] = "";
	enum skip_status status = skip_json_string(config, "model_type", name, err);
	if (status != SKIP_OK) return status;
	*out = skip_arch_find(*name, NULL);
	if (*out) return SKIP_OK;
	for (size_t i = 0; skip_archs[i]; i++) {
		for (const char *const *type = skip_archs[i]->types; *type; type++) {
			size_t used = strlen(known);
			snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", *type);
		}
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported model_type '%.60s'; supported: %s", *name, known);
}

/* 1_Pooling/config.json of sentence-transformers, where the folder has one. */
static enum skip_status read_pooling(const char *folder, int model_width, struct skip_model *model, struct skip_err *err)
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
	SKIP_TRY(skip_json_int_or(json, "word_embedding_dimension", model_width, 1, 1 << 20, &width, err));
	if (mean == cls) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                      "Unsupported pooling; supported: one of pooling_mode_mean_tokens and pooling_mode_cls_token");
	} else if (width != model_width) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"word_embedding_dimension\": expected the model's %d, found %lld",
		                      model_width, (long long)width);
	} else {
		model->pool = mean ? SKIP_POOL_MEAN : SKIP_POOL_CLS;
		model->pool_known = true;
	}
cleanup:
	json_decref(json);
	if (status != SKIP_OK) skip_err_add_file(err, path);
	return status;
}

/* The pooler of a bare encoder or of one with a head, where the checkpoint has it: "pooler.weight" [D][D], "pooler.bias" [D]. */
static enum skip_status read_pooler(const struct skip_build *build, const char *stem, struct skip_model *model, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME];
	const int64_t dim[2] = {build->graph->model_width, build->graph->model_width};
	enum skip_status status;
	snprintf(name, sizeof(name), "%s.weight", stem);
	if (!skip_checkpoint_has(build->checkpoint, build->prefixes, name)) return SKIP_OK;
	SKIP_TRY(skip_checkpoint_tensor(build->checkpoint, build->prefixes, name, "pooler.weight", 2, dim, &model->pooler_w, err));
	snprintf(name, sizeof(name), "%s.bias", stem);
	SKIP_TRY(skip_checkpoint_tensor(build->checkpoint, build->prefixes, name, "pooler.bias", 1, dim, &model->pooler_b, err));
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

/* What the head answers: config.json may say it, else one output is a number and several are classes, as other readers of such folders take it. */
static enum skip_status read_problem(const json_t *config, struct skip_graph *graph, struct skip_err *err)
{
	const char *name;
	int problem = 0, outputs = graph->classes;
	enum skip_status status = skip_config_text_or(config, "problem_type", skip_problem_names[outputs == 1 ? SKIP_REGRESSION : SKIP_SINGLE_LABEL],
	                                              &name, err);
	if (status != SKIP_OK) return status;
	while (skip_problem_names[problem] && strcmp(skip_problem_names[problem], name) != 0) problem++;
	if (!skip_problem_names[problem])
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                    "Unsupported problem_type '%.60s'; supported: single_label_classification, multi_label_classification, regression", name);
	if (outputs > 1 << 16 || (outputs < 2 && problem == SKIP_SINGLE_LABEL))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported head of %d output%s for %s", outputs, outputs == 1 ? "" : "s", name);
	graph->problem = (enum skip_problem)problem;
	return SKIP_OK;
}

/* The head is there, and how it pools. */
static void take_pool(struct skip_model *model)
{
	for (size_t n = 0; n < model->graph->n_nodes; n++)
		if (model->graph->nodes[n].op == skip_op_find("pool")) model->pool = model->graph->nodes[n].attrs.pool.mode;
	model->pool_known = true;
	model->has_head = true;
}

/* Puts the checkpoint's own classification head behind the encoder: the graph then ends at "logits". */
static enum skip_status add_classifier(struct skip_build *build, const struct skip_arch *arch, const json_t *config,
                                       struct skip_model *model, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(arch->head(build, config, err));
	SKIP_TRY(read_problem(config, build->graph, err));
	SKIP_TRY(read_labels(config, build->graph->classes, model, err));
	take_pool(model);
cleanup:
	return status;
}

/* Everything that config.json speaks of: encoder, pooler, head. */
static enum skip_status build_model(struct skip_build *build, const struct skip_arch *arch, const json_t *config, const char *folder,
                                    struct skip_model *model, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *graph = build->graph;
	SKIP_TRY(arch->build(build, config, err));
	graph->dense_encoder_params = skip_graph_encoder_params(graph);
	graph->dense_macs_per_token = skip_graph_macs(graph, 64, true) / 64;
	model->max_positions = graph->max_positions;
	if (arch->pooler) SKIP_TRY(read_pooler(build, arch->pooler, model, err));
	SKIP_TRY(read_pooling(folder, graph->model_width, model, err));
	if (has_classifier(config)) SKIP_TRY(add_classifier(build, arch, config, model, err));
cleanup:
	return status;
}

/* config.json chooses the architecture, the weights are safetensors. */
static enum skip_status open_checkpoint(const char *folder, struct skip_model *out, struct skip_err *err)
{
	enum skip_status status;
	char path[4096];
	struct skip_model model = {.pool = SKIP_POOL_CLS};
	struct skip_build build = {0};
	const struct skip_arch *arch = NULL;
	const char *name = NULL;
	json_t *config = NULL;
	SKIP_TRY(join_path(folder, "config.json", path, err));
	SKIP_TRY(skip_json_load(path, &config, err));
	status = find_arch(config, &arch, &name, err);
	if (status == SKIP_OK) status = skip_checkpoint_open(folder, &build.checkpoint, err);
	if (status == SKIP_OK) status = skip_graph_create(&model.graph, err);
	build.graph = model.graph;
	if (status == SKIP_OK) {
		build.prefixes = arch->prefixes;
		if (arch->last_row) model.pool = SKIP_POOL_LAST;
		snprintf(model.graph->architecture, sizeof(model.graph->architecture), "%s", name);
		status = build_model(&build, arch, config, folder, &model, err);
	}
	if (status != SKIP_OK) {
		skip_err_add_file(err, path);
		goto cleanup;
	}
	*out = model;
	memset(&model, 0, sizeof(model));
cleanup:
	skip_model_deinit(&model);
	skip_checkpoint_close(build.checkpoint);
	json_decref(config);
	return status;
}

/* model.onnx says what the network is; config.json, where there is one, what its answers are called. */
static enum skip_status open_onnx(const char *folder, struct skip_model *out, struct skip_err *err)
{
	enum skip_status status;
	char path[4096] = "";
	struct skip_model model = {.pool = SKIP_POOL_CLS};
	json_t *config = NULL, *said = NULL;
	SKIP_TRY(join_path(folder, "config.json", path, err));
	SKIP_TRY(skip_onnx_open(folder, &model.graph, &said, err));
	if (skip_file_exists(path)) SKIP_TRY(skip_json_load(path, &config, err));
	else
		config = said ? json_incref(said) : json_object();
	if (!config) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to open a model"));
	model.graph->dense_encoder_params = skip_graph_encoder_params(model.graph);
	model.graph->dense_macs_per_token = skip_graph_macs(model.graph, 64, true) / 64;
	model.max_positions = model.graph->max_positions;
	SKIP_TRY(read_pooling(folder, model.graph->model_width, &model, err));
	if (model.graph->classes > 0) {
		SKIP_TRY(read_problem(config, model.graph, err));
		SKIP_TRY(read_labels(config, model.graph->classes, &model, err));
		take_pool(&model);
	}
	*out = model;
	memset(&model, 0, sizeof(model));
cleanup:
	if (status != SKIP_OK) skip_err_add_file(err, path);
	json_decref(said);
	json_decref(config);
	skip_model_deinit(&model);
	return status;
}

bool skip_model_is_onnx(const char *folder)
{
	static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json"};
	char path[4096];
	for (size_t i = 0; i < sizeof(weights) / sizeof(*weights); i++)
		if (skip_path_join(path, sizeof(path), folder, weights[i]) && skip_file_exists(path)) return false;
	return skip_path_join(path, sizeof(path), folder, "model.onnx") && skip_file_exists(path);
}

enum skip_status skip_model_open(const char *folder, struct skip_model *out, struct skip_err *err)
{
	return skip_model_is_onnx(folder) ? open_onnx(folder, out, err) : open_checkpoint(folder, out, err);
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
