/*
 * Opening what verbs read. No verb knows whether a model came from a checkpoint or from a package.
 */
#include "cli/source.h"
#include "device/bitstream/library.h"

#include "base/alloc.h"
#include "base/file.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "graph/rules.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum skip_status open_package(const char *path, struct skip_cli_model *model, struct skip_err *err)
{
	enum skip_status status = skip_package_open(path, &model->package, err);
	if (status != SKIP_OK) return status;
	model->graph = model->package->graph;
	model->tokenizer = model->package->tokenizer;
	model->max_length = model->package->max_length;
	status = skip_labels_copy(&model->package->labels, &model->labels, err);
	model->labels.problem = model->graph->problem;
	return status;
}

static enum skip_status copy_names(char *const *name, int count, struct skip_labels *out, struct skip_err *err)
{
	struct skip_labels labels = { .name = (char **)name, .count = count };
	return skip_labels_copy(&labels, out, err);
}

int skip_cli_vocabulary(const struct skip_graph *graph)
{
	for (size_t i = 0; i < graph->n_nodes; i++)
		if (!strcmp(graph->nodes[i].op->name, "embed")) return (int)graph->tensors[graph->nodes[i].param[0]]->dim[0];
	return 1;
}

static enum skip_status open_checkpoint(const char *path, struct skip_cli_model *model, struct skip_err *err)
{
	enum skip_status status = skip_model_open(path, &model->checkpoint, err);
	if (status != SKIP_OK) return status;
	status = skip_tokenizer_open(path, &model->tokenizer, err);
	if (status != SKIP_OK) return status;
	model->graph = model->checkpoint.graph;
	model->max_length = model->checkpoint.max_positions;
	size_t tokens = skip_tokenizer_vocab_size(model->tokenizer);
	int rows = skip_cli_vocabulary(model->graph);
	if (tokens > (size_t)rows)
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "the tokenizer has %zu tokens, the embedding of the model %d", tokens, rows);
	if (!model->checkpoint.has_head) return SKIP_OK;
	status = copy_names(model->checkpoint.label, model->checkpoint.n_labels, &model->labels, err);
	model->labels.problem = model->graph->problem;
	return status;
}

enum skip_status skip_cli_open_model(const char *path, struct skip_cli_model *out, struct skip_err *err)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->path, sizeof(out->path), "%s", path);
	if (!skip_file_exists(path)) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "no such model folder or package");
	if (!skip_file_is_folder(path)) return skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "expected a model folder or a package, found a file");
	enum skip_status status = skip_package_is(path) ? open_package(path, out, err) : open_checkpoint(path, out, err);
	if (status != SKIP_OK) skip_cli_close_model(out);
	return status;
}

enum skip_status skip_cli_open_tokenizer(const char *path, struct skip_cli_model *out, struct skip_err *err)
{
	char config[600];
	bool network = !skip_file_is_folder(path) || skip_package_is(path) || !skip_path_join(config, sizeof(config), path, "config.json") || skip_file_exists(config) || skip_model_is_onnx(path);
	if (network) return skip_cli_open_model(path, out, err);
	memset(out, 0, sizeof(*out));
	snprintf(out->path, sizeof(out->path), "%s", path);
	out->max_length = INT_MAX;
	return skip_tokenizer_open(path, &out->tokenizer, err);
}

void skip_cli_close_model(struct skip_cli_model *model)
{
	skip_labels_deinit(&model->labels);
	if (!model->package) skip_tokenizer_close(model->tokenizer);
	skip_package_close(model->package);
	skip_graph_destroy(model->chosen);
	skip_model_deinit(&model->checkpoint);
	memset(model, 0, sizeof(*model));
}

enum skip_precision skip_cli_precision(const struct skip_graph *graph)
{
	for (size_t i = 0; i < graph->n_nodes; i++)
		if (!strcmp(graph->nodes[i].op->name, "linear") && graph->nodes[i].layer != SKIP_NONE) return graph->nodes[i].attrs.linear.precision;
	return SKIP_PRECISION_F32;
}

bool skip_cli_is_static(const struct skip_graph *graph)
{
	for (size_t i = 0; i < graph->n_nodes; i++)
		if (!strcmp(graph->nodes[i].op->name, "linear") && graph->nodes[i].attrs.linear.clip > 0) return true;
	return false;
}

enum skip_status skip_cli_set_precision(struct skip_cli_model *model, enum skip_precision precision, struct skip_err *err)
{
	struct skip_graph *made = NULL;
	if (skip_cli_precision(model->graph) == precision && !skip_cli_is_static(model->graph)) return SKIP_OK;
	enum skip_status status = skip_pass_precision(model->graph, precision, &made, err);
	if (status != SKIP_OK) return status;
	skip_graph_destroy(model->chosen);
	model->graph = model->chosen = made;
	return SKIP_OK;
}

enum skip_status skip_cli_dtype(const struct skip_cli_common *common, enum skip_precision *out, struct skip_err *err)
{
	int choice = SKIP_PRECISION_F32;
	enum skip_status status = common->dtype ? skip_cli_choice("--dtype", common->dtype, skip_precision_names, &choice, err) : SKIP_OK;
	*out = (enum skip_precision)choice;
	return status;
}

enum skip_status skip_cli_train_dtype(const struct skip_cli_common *common, struct skip_device *device, enum skip_precision *out, struct skip_err *err)
{
	static const char *const names[] = { "f32", "bf16", "auto", NULL }; /* the first two are precisions */
	enum { AUTO = 2 };
	int choice = AUTO;
	bool fast = false;
	enum skip_status status = common->train_dtype ? skip_cli_choice("--train-dtype", common->train_dtype, names, &choice, err) : SKIP_OK;
	if (status == SKIP_OK && choice == AUTO && device) status = skip_device_accelerates(device, SKIP_PRECISION_BF16, &fast, err);
	*out = choice != AUTO ? (enum skip_precision)choice : fast ? SKIP_PRECISION_BF16 : SKIP_PRECISION_F32;
	return status;
}

enum skip_status skip_cli_apply_dtype(const struct skip_cli_common *common, struct skip_cli_model *model, struct skip_err *err)
{
	enum skip_precision precision;
	if (!common->dtype) return SKIP_OK;
	enum skip_status status = skip_cli_dtype(common, &precision, err);
	return status == SKIP_OK ? skip_cli_set_precision(model, precision, err) : status;
}

enum skip_status skip_cli_only_dtype(const struct skip_cli_common *common, enum skip_precision precision, const char *why, struct skip_err *err)
{
	enum skip_precision asked;
	enum skip_status status = skip_cli_dtype(common, &asked, err);
	if (status != SKIP_OK || !common->dtype || asked == precision) return status;
	return skip_err_set(err, SKIP_ERR_USAGE, "--dtype %s: %s", common->dtype, why);
}

enum skip_status skip_cli_need_classes(const struct skip_cli_model *model, struct skip_err *err)
{
	if (skip_graph_find_value(model->graph, "logits") != SKIP_NONE) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_USAGE, "%s is an encoder without a classification head; make a package with skip tune or skip fit first", model->path);
}

void skip_cli_tokenizer_folder(const struct skip_cli_model *model, char *out, size_t size)
{
	snprintf(out, size, "%s%s", model->path, model->package ? "/tokenizer" : "");
}

/* The profile that --device or SKIP_DEVICE names, NULL where they name none. */
static const struct skip_profile *named_profile(const struct skip_cli_common *common, const struct skip_profiles *profiles)
{
	const char *name = common->device ? common->device : getenv("SKIP_DEVICE");
	return name ? skip_profiles_find(profiles, name) : NULL;
}

/* The shell of a board whose program comes from a library: skip_cli_check_bitstreams has seen that it was built for it. */
static const char *shell_of(const struct skip_cli_common *common, const struct skip_profiles *profiles)
{
	const struct skip_profile *profile = common->bitstreams ? named_profile(common, profiles) : NULL;
	const char *shell = profile && skip_profile_is_board(profile) ? json_string_value(json_object_get(json_object_get(profile->json, "fpga"), "shell")) : NULL;
	return shell ? shell : "";
}

enum skip_status skip_cli_open_device(const struct skip_cli_common *common, struct skip_cli_device *out, struct skip_err *err)
{
	memset(out, 0, sizeof(*out));
	enum skip_precision precision;
	enum skip_status status = skip_cli_dtype(common, &precision, err);
	if (status == SKIP_OK) status = skip_profiles_load(NULL, &out->profiles, err);
	if (status == SKIP_OK) status = skip_device_open_for(out->profiles, common->device, shell_of(common, out->profiles), (int)common->threads, &out->device, err);
	if (status == SKIP_OK) status = skip_device_compile_beside(out->device, "/proc/self/exe", err);
	if (status != SKIP_OK) skip_cli_close_device(out);
	return status;
}

enum skip_status skip_cli_check_bitstreams(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_profiles *profiles = NULL;
	struct skip_built built = { .graph = NULL };
	if (!common->bitstreams) return SKIP_OK;
	SKIP_TRY(skip_cli_need_classes(model, err));
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	const struct skip_profile *profile = named_profile(common, profiles);
	if (!profile || !skip_profile_has_engines(profile)) goto cleanup;
	const struct skip_bitstream_want want = { .profile = profile, .library = common->bitstreams, .source = model->path };
	status = skip_bitstream_find(model->graph, "logits", &want, &built, err);
cleanup:
	skip_built_deinit(&built);
	skip_profiles_destroy(profiles);
	return status;
}

static void note_program(const struct skip_cli_common *common, const struct skip_session *session)
{
	const struct skip_session_answer *answer = skip_session_get_answer(session);
	const int classes = skip_session_graph(session)->shape_classes;
	char shapes[48] = "";
	if (!answer) return;
	if (classes) snprintf(shapes, sizeof(shapes), ", layers of %d shape%s", classes, classes > 1 ? "s" : "");
	skip_cli_note(common, "program", "%s%s: each of its %d kernels on %d tokens against float64, %d numbers, at most %.2g of the difference they may have, %.0f ms", answer->set,
		      shapes, answer->kernels, answer->tokens, answer->numbers, answer->share, 1e3 * answer->seconds);
}

enum skip_status skip_cli_use_bitstreams(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_device *device, struct skip_err *err)
{
	return common->bitstreams ? skip_device_use_bitstreams(device, common->bitstreams, model->path, err) : SKIP_OK;
}

enum skip_status skip_cli_open_session(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_device *device, bool warm, struct skip_session **out,
				       int *value, struct skip_err *err)
{
	enum skip_status status = skip_cli_use_bitstreams(common, model, device, err);
	if (status == SKIP_OK) status = skip_open_inference(device, model->graph, "logits", warm, out, value, err);
	if (status == SKIP_OK) note_program(common, *out);
	return status;
}

void skip_cli_close_device(struct skip_cli_device *device)
{
	skip_device_close(device->device);
	skip_profiles_destroy(device->profiles);
	memset(device, 0, sizeof(*device));
}

enum skip_status skip_cli_check_package_place(const char *path, struct skip_err *err)
{
	struct skip_output *output = NULL;
	enum skip_status status = skip_output_create_folder(path, "manifest.json", &output, err);
	skip_output_destroy(output);
	return status;
}

enum skip_status skip_cli_check_file_place(const char *path, struct skip_err *err)
{
	struct skip_output *output = NULL;
	enum skip_status status = skip_output_create_file(path, &output, err);
	skip_output_destroy(output);
	return status;
}

void skip_cli_input_options(struct skip_cli_args *args, struct skip_cli_input *input)
{
	skip_cli_string(args, "--input-format", &input->format);
	skip_cli_int(args, "--max-length", &input->max_length, 3, 1000000);
}

enum skip_status skip_cli_limit(const struct skip_cli_model *model, const struct skip_cli_input *input, int *out, struct skip_err *err)
{
	if (input->max_length > model->max_length)
		return skip_err_set(err, SKIP_ERR_USAGE, "--max-length %lld is more than the model's %d positions", (long long)input->max_length, model->max_length);
	*out = input->max_length ? (int)input->max_length : model->max_length;
	return SKIP_OK;
}

enum skip_status skip_cli_read(const char *path, const struct skip_cli_model *model, const struct skip_cli_input *input, bool need_labels,
			       bool keep_text, const struct skip_labels *known, struct skip_labels *learn, struct skip_dataset *out,
			       struct skip_err *err)
{
	static const char *const formats[] = { "tsv", "jsonl", "text", NULL };
	struct skip_read_options options = { .need_labels = need_labels, .keep_text = keep_text, .known = known };
	enum skip_status status = skip_cli_limit(model, input, &options.max_length, err);
	if (status != SKIP_OK) return status;
	if (input->format) {
		int kind;
		status = skip_cli_choice("--input-format", input->format, formats, &kind, err);
		if (status != SKIP_OK) return status;
		options.format = (enum skip_input_format)(SKIP_INPUT_TSV + kind);
	}
	return skip_dataset_read(path, model->tokenizer, &options, learn, out, err);
}

enum skip_status skip_cli_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, float **out,
				 struct skip_predict_time *time, struct skip_err *err)
{
	struct skip_session *session = NULL;
	int value, classes = graph->values[skip_graph_find_value(graph, "logits")].cols;
	float *logits = skip_alloc_array(data->n_rows, (size_t)classes * sizeof(*logits));
	enum skip_status status = logits ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu rows of logits", data->n_rows);
	SKIP_TRY(status);
	SKIP_TRY(skip_open_inference(device, graph, "logits", true, &session, &value, err));
	SKIP_TRY(skip_predict(session, value, data, 0, logits, time, err));
	*out = logits;
	logits = NULL;
cleanup:
	skip_session_destroy(session);
	skip_free(logits);
	return status;
}
