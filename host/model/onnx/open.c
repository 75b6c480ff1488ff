/* Opens model.onnx and walks its nodes in order, each through the rule of its op; see symbol.h. */
#include "base/alloc.h"
#include "base/file.h"
#include "graph/pass.h"
#include "model/onnx/symbol.h"
#include <string.h>

#define FILE_NAME "model.onnx"

static enum skip_status add_symbol(struct skip_onnx_in *in, const char *name, const struct skip_symbol *symbol)
{
	if (!skip_grow((void **)&in->symbol, &in->cap_symbols, in->n_symbols + 1, sizeof(*in->symbol)) ||
	    json_object_set_new(in->names, name, json_integer((json_int_t)in->n_symbols)) != 0)
		return skip_err_at(in->err, SKIP_ERR_NOMEM, in->path, 0, -1, "no memory for the value '%.100s'", name);
	in->symbol[in->n_symbols++] = *symbol;
	return SKIP_OK;
}

/* NULL when nothing wrote it. */
static const struct skip_symbol *find_symbol(const struct skip_onnx_in *in, const char *name)
{
	const json_t *index = json_object_get(in->names, name);
	return index ? &in->symbol[json_integer_value(index)] : NULL;
}

static enum skip_status add_inputs(struct skip_onnx_in *in)
{
	static const struct {
		const char *name;
		enum skip_symbol_kind kind;
	} known[] = {{"input_ids", SKIP_SYM_IDS}, {"attention_mask", SKIP_SYM_MASK}, {"token_type_ids", SKIP_SYM_TYPES}};
	const Onnx__GraphProto *file = in->model->graph;
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < file->n_initializer; i++) {
		struct skip_symbol symbol = {.kind = SKIP_SYM_CONST, .numbers = skip_onnx_in_numbers(in, file->initializer[i])};
		if (!symbol.numbers) return in->status;
		SKIP_TRY(add_symbol(in, file->initializer[i]->name, &symbol));
	}
	for (size_t i = 0; i < file->n_input; i++) {
		size_t k = 0;
		if (find_symbol(in, file->input[i]->name)) continue; /* older files list constants among the inputs */
		while (k < 3 && strcmp(known[k].name, file->input[i]->name) != 0) k++;
		if (k == 3)
			SKIP_TRY(skip_err_at(in->err, SKIP_ERR_UNSUPPORTED, in->path, 0, -1,
			                     "Unsupported input '%.100s'; supported: input_ids, attention_mask, token_type_ids", file->input[i]->name));
		SKIP_TRY(add_symbol(in, known[k].name, &(struct skip_symbol){.kind = known[k].kind}));
	}
cleanup:
	return status;
}

static enum skip_status not_understood(struct skip_onnx_in *in, const Onnx__NodeProto *node)
{
	return skip_err_at(in->err, SKIP_ERR_UNSUPPORTED, in->path, 0, -1,
	                   "node '%.200s' (%.60s) is not understood; supported are post-LayerNorm encoders in the manner of BERT",
	                   node->name && node->name[0] ? node->name : node->n_output ? node->output[0] : "", node->op_type ? node->op_type : "");
}

/* Every output of a node. */
static enum skip_status add_outputs(struct skip_onnx_in *in, const Onnx__NodeProto *node, const struct skip_symbol *first, const Onnx__NodeProto *unknown)
{
	const struct skip_symbol other = {.kind = SKIP_SYM_UNKNOWN, .unknown = unknown};
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < node->n_output && status == SKIP_OK; i++)
		if (node->output[i][0]) status = add_symbol(in, node->output[i], i == 0 ? first : &other);
	return status;
}

/* A node that no rule understands is refused only where the output needs it: files have outputs that nobody asks for. */
static enum skip_status read_node(struct skip_onnx_in *in, const Onnx__NodeProto *node)
{
	static const struct skip_symbol none = {.kind = SKIP_SYM_NONE};
	struct skip_onnx_op op = {.node = node, .n_in = (int)node->n_input};
	struct skip_symbol out = {.kind = SKIP_SYM_UNKNOWN, .unknown = node}, made = {.kind = SKIP_SYM_NONE};
	bool understood = false, standard = !node->domain || !node->domain[0] || strcmp(node->domain, "ai.onnx") == 0;
	const char *name = node->op_type ? node->op_type : "";
	bool known = standard && node->n_input <= SKIP_ONNX_INPUTS;
	for (size_t i = 0; i < SKIP_ONNX_INPUTS; i++) {
		op.in[i] = &none;
		if (i >= node->n_input || !node->input[i][0]) continue;
		op.in[i] = find_symbol(in, node->input[i]);
		if (!op.in[i]) return not_understood(in, node);
		if (op.in[i]->kind != SKIP_SYM_UNKNOWN) continue;
		out.unknown = op.in[i]->unknown;
		known = false;
	}
	const skip_onnx_rule rules[3] = {skip_onnx_in_find_shape_rule(name), skip_onnx_in_find_mask_rule(name), skip_onnx_in_find_rule(name)};
	for (int i = 0; i < 3 && known && !understood && in->status == SKIP_OK; i++) understood = rules[i] && rules[i](in, &op, &made);
	if (in->status != SKIP_OK) return in->status;
	return add_outputs(in, node, understood ? &made : &out, out.unknown);
}

/* The value called "logits", else the first output. */
static const char *output_name(const Onnx__GraphProto *file)
{
	for (size_t i = 0; i < file->n_output; i++)
		if (strcmp(file->output[i]->name, "logits") == 0) return "logits";
	return file->n_output ? file->output[0]->name : "";
}

/* Files of skip export pool before the last layer; the canonical form pools behind it. */
static enum skip_status take_output(struct skip_onnx_in *in, struct skip_graph **out)
{
	struct skip_graph *needed = NULL;
	const char *name = output_name(in->model->graph);
	const struct skip_symbol *symbol = find_symbol(in, name);
	if (symbol && symbol->kind == SKIP_SYM_UNKNOWN) return not_understood(in, symbol->unknown);
	int value = symbol ? skip_onnx_in_rows(in, symbol) : SKIP_NONE;
	if (in->status != SKIP_OK) return in->status;
	if (value == SKIP_NONE)
		return skip_err_at(in->err, SKIP_ERR_UNSUPPORTED, in->path, 0, -1, "the output '%.100s' is neither hidden states nor logits", name);
	enum skip_status status = skip_pass_dead(in->graph, &value, 1, &needed, in->err);
	if (status == SKIP_OK) status = skip_pass_all_rows(needed, out, in->err);
	skip_graph_destroy(needed);
	return status;
}

static const char *metadata(const Onnx__ModelProto *model, const char *key)
{
	for (size_t i = 0; i < model->n_metadata_props; i++) {
		const Onnx__StringStringEntryProto *entry = model->metadata_props[i];
		if (entry->key && entry->value && strcmp(entry->key, key) == 0) return entry->value;
	}
	return NULL;
}

/* {"id2label": {"0": name, ...}, "problem_type": ...} of a file of skip export; NULL: it is another's. */
static json_t *answers_of(const Onnx__ModelProto *model)
{
	const char *labels = metadata(model, "labels"), *problem = metadata(model, "problem_type");
	json_t *list = labels ? json_loads(labels, 0, NULL) : NULL, *map = json_object(), *out = NULL, *name;
	size_t i;
	json_array_foreach(list, i, name)
	{
		char key[24];
		snprintf(key, sizeof(key), "%zu", i);
		json_object_set(map, key, name);
	}
	if (json_is_array(list)) out = json_pack("{s:O, s:s*}", "id2label", map, "problem_type", problem);
	json_decref(map);
	json_decref(list);
	return out;
}

static enum skip_status read_model(struct skip_onnx_in *in, struct skip_graph **out)
{
	const Onnx__GraphProto *file = in->model->graph;
	enum skip_status status = SKIP_OK;
	if (!file) return skip_err_at(in->err, SKIP_ERR_INPUT, in->path, 0, -1, "expected an ONNX model, found none");
	SKIP_TRY(skip_graph_create(&in->graph, in->err));
	SKIP_TRY(add_inputs(in));
	for (size_t i = 0; i < file->n_node; i++) SKIP_TRY(read_node(in, file->node[i]));
	SKIP_TRY(take_output(in, out));
cleanup:
	return status;
}

enum skip_status skip_onnx_open(const char *folder, struct skip_graph **out, json_t **said, struct skip_err *err)
{
	enum skip_status status;
	char path[4096];
	struct skip_mapfile *map = NULL;
	struct skip_graph *graph = NULL;
	struct skip_onnx_in in = {.folder = folder, .path = path, .err = err, .names = json_object()};
	if (!skip_path_join(path, sizeof(path), folder, FILE_NAME)) SKIP_TRY(skip_err_at(err, SKIP_ERR_IO, folder, 0, -1, "the path is too long"));
	if (!in.names) SKIP_TRY(skip_err_at(err, SKIP_ERR_NOMEM, path, 0, -1, "no memory to read the file"));
	SKIP_TRY(skip_mapfile_open(path, &map, err));
	in.model = onnx__model_proto__unpack(NULL, skip_mapfile_size(map), skip_mapfile_data(map));
	if (!in.model) SKIP_TRY(skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "expected an ONNX model; these bytes are none"));
	SKIP_TRY(read_model(&in, &graph));
	status = skip_onnx_in_label(graph, err);
	if (status != SKIP_OK) {
		skip_err_add_file(err, path);
		goto cleanup;
	}
	*said = answers_of(in.model);
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	skip_graph_destroy(in.graph);
	skip_onnx_in_numbers_deinit(&in);
	skip_free(in.symbol);
	json_decref(in.names);
	if (in.model) onnx__model_proto__free_unpacked(in.model, NULL);
	skip_mapfile_unref(map);
	return status;
}
