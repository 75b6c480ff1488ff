/*
 * Graph -> config.json and model.safetensors of ...ForSequenceClassification; see folder.h. The canonical layer is read back from the graph node by
 * node: what is not there, or has another width than the layer before, is what the message names. The words of an architecture are its own
 * (struct skip_arch_folder).
 */
#include "export/folder.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "graph/op.h"
#include "graph/rules.h"
#include "model/model.h"

#include <math.h>
#include <string.h>

/* What one folder can say, read from the graph; 0: not seen yet. */
struct shape {
	const struct skip_arch_folder *words;
	const char *type, *class; /* "bert", "BertForSequenceClassification" */
	int width, embedding, layers, heads, ffn, vocab, positions, first_position, types, classes;
	float eps;
	enum skip_act act;
};

static const char *const layer_ops[] = {"linear", "linear", "linear", "attention", "linear", "add", "layernorm", "linear", "act", "linear", "add", "layernorm"};
#define LAYER_OPS (sizeof(layer_ops) / sizeof(layer_ops[0]))

static bool is(const struct skip_node *node, const char *op)
{
	return strcmp(node->op->name, op) == 0;
}

static enum skip_status refuse_layer(struct skip_err *err, int layer, const char *reason)
{
	return skip_err_set(err, SKIP_ERR_USAGE, "layer %d cannot stand in a checkpoint folder: %s; export ONNX instead", layer, reason);
}

static enum skip_status same_eps(struct shape *shape, const struct skip_node *node, struct skip_err *err)
{
	if (shape->eps > 0 && shape->eps != node->attrs.layernorm.eps)
		return refuse_layer(err, node->layer, "its layer norms have another epsilon than those before");
	shape->eps = node->attrs.layernorm.eps;
	return SKIP_OK;
}

static enum skip_status read_attention(struct shape *shape, const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *a = &node->attrs.attention;
	char reason[200];
	for (int i = 0; i < node->n_param; i++)
		if (node->param[i] != SKIP_NONE) return refuse_layer(err, node->layer, "it has a prefix, which a checkpoint has no place for (tune with --prefix 0)");
	if (a->heads * a->qk != shape->width || a->qk != a->v) {
		snprintf(reason, sizeof(reason), "%d heads of %d query and key and %d value columns; a configuration says heads that share %d columns evenly", a->heads, a->qk,
			 a->v, shape->width);
		return refuse_layer(err, node->layer, reason);
	}
	if (shape->heads && shape->heads != a->heads) {
		snprintf(reason, sizeof(reason), "it has %d heads, the layers before have %d", a->heads, shape->heads);
		return refuse_layer(err, node->layer, reason);
	}
	if (a->scale != (float)(1 / sqrt(a->qk))) return refuse_layer(err, node->layer, "the scale of attention is not that of its head width");
	shape->heads = a->heads;
	return SKIP_OK;
}

static enum skip_status read_layer(const struct skip_graph *graph, struct shape *shape, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int layer = shape->layers;
	char reason[200];
	for (size_t i = 0; i < LAYER_OPS; i++) {
		if (node + i < graph->nodes + graph->n_nodes && node[i].layer == layer && is(&node[i], layer_ops[i])) continue;
		return refuse_layer(err, layer, "a sub-layer of it was removed or has another form");
	}
	if (node + LAYER_OPS < graph->nodes + graph->n_nodes && node[LAYER_OPS].layer == layer) return refuse_layer(err, layer, "it has more nodes than a checkpoint's");
	SKIP_TRY(read_attention(shape, &node[3], err));
	SKIP_TRY(same_eps(shape, &node[6], err));
	SKIP_TRY(same_eps(shape, &node[11], err));
	int ffn = graph->values[node[7].out[0]].cols;
	if (shape->layers && (ffn != shape->ffn || node[8].attrs.act.kind != shape->act)) {
		snprintf(reason, sizeof(reason), "its feed-forward part has %d columns, the layers before have %d", ffn, shape->ffn);
		status = refuse_layer(err, layer, reason);
		goto cleanup;
	}
	shape->ffn = ffn;
	shape->act = node[8].attrs.act.kind;
	shape->layers++;
cleanup:
	return status;
}

static enum skip_status read_head(const struct skip_graph *graph, const struct skip_node *node, struct shape *shape, struct skip_err *err)
{
	static const char *const ops[] = {"pool", "linear", "act", "dropout", "linear"};
	const struct skip_node *end = graph->nodes + graph->n_nodes;
	bool good = end - node == 5;
	for (size_t i = 0; good && i < 5; i++) good = is(&node[i], ops[i]);
	if (!good || node[0].attrs.pool.mode != SKIP_POOL_CLS || node[2].attrs.act.kind != shape->words->head_act)
		return skip_err_set(err, SKIP_ERR_USAGE,
				    "the head cannot stand in a checkpoint folder: that of %s reads the first row through a pooler (a dense %s layer), this one %s; export ONNX instead",
				    shape->type, skip_act_names[shape->words->head_act],
				    is(&node[0], "pool") && node[0].attrs.pool.mode == SKIP_POOL_MEAN ? "averages the rows" : "does not");
	shape->classes = graph->values[end[-1].out[0]].cols;
	return SKIP_OK;
}

static enum skip_status refuse_embeddings(const struct shape *shape, struct skip_err *err)
{
	return skip_err_set(err, SKIP_ERR_USAGE, "the embeddings cannot stand in a checkpoint folder: they are not those of %s", shape->type);
}

/* Tables, norm and perhaps a projection; *next is the first node of the layers. */
static enum skip_status read_embeddings(const struct skip_graph *graph, struct shape *shape, const struct skip_node **next, struct skip_err *err)
{
	const struct skip_node *node = graph->nodes;
	if (graph->n_nodes < 3 || !is(node, "embed") || !is(node + 1, "layernorm")) return refuse_embeddings(shape, err);
	bool types = node->n_param > 2 && node->param[2] != SKIP_NONE, projected = is(node + 2, "linear") && node[2].layer == SKIP_NONE;
	shape->embedding = graph->values[node->out[0]].cols;
	shape->width = graph->values[node[projected ? 2 : 1].out[0]].cols;
	shape->vocab = (int)graph->tensors[node->param[0]]->dim[0];
	shape->positions = (int)graph->tensors[node->param[1]]->dim[0];
	shape->first_position = node->attrs.embed.position_base;
	shape->types = types ? (int)graph->tensors[node->param[2]]->dim[0] : 0;
	if (types != (shape->words->types != NULL) || (projected && !shape->words->embedding)) return refuse_embeddings(shape, err);
	if (shape->first_position && !shape->words->padding_token) return refuse_embeddings(shape, err);
	*next = node + 2 + projected;
	return same_eps(shape, node + 1, err);
}

static enum skip_status read_shape(const struct skip_graph *graph, struct shape *shape, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_node *node = NULL, *end = graph->nodes + graph->n_nodes;
	int place = 0;
	const struct skip_arch *arch = skip_arch_find(graph->architecture, &place);
	if (!arch || !arch->folder)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "no checkpoint folder is written of %s; export ONNX instead", graph->architecture);
	shape->words = arch->folder;
	shape->type = arch->types[place];
	shape->class = arch->folder->classes[place];
	SKIP_TRY(read_embeddings(graph, shape, &node, err));
	for (; node < end && node->layer != SKIP_NONE; node += LAYER_OPS) SKIP_TRY(read_layer(graph, shape, node, err));
	if (shape->layers != graph->layers) status = refuse_layer(err, shape->layers, "the whole layer was removed");
	if (status == SKIP_OK && !shape->words->eps && shape->eps != shape->words->fixed_eps)
		status = skip_err_set(err, SKIP_ERR_USAGE, "the epsilon of layer norms cannot stand in a folder of %s", shape->type);
	if (status == SKIP_OK) status = read_head(graph, node, shape, err);
cleanup:
	return status;
}

static enum skip_status no_memory(struct skip_err *err)
{
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a checkpoint folder");
}

static enum skip_status put_json(struct skip_output *output, const char *name, const json_t *json, struct skip_err *err)
{
	struct skip_buf text;
	skip_buf_init(&text);
	enum skip_status status = json ? skip_json_write(json, &text, err) : no_memory(err);
	if (status == SKIP_OK) status = skip_output_write(output, name, skip_buf_text(&text), text.length, err);
	skip_buf_deinit(&text);
	return status;
}

static bool set_int(json_t *config, const char *key, int number)
{
	return !key || json_object_set_new(config, key, json_integer(number)) == 0;
}

/* What the shape says in the words of the architecture. */
static bool set_shape(json_t *config, const struct shape *shape)
{
	static const char *const act[] = {[SKIP_ACT_GELU] = "gelu", [SKIP_ACT_GELU_TANH] = "gelu_new", [SKIP_ACT_RELU] = "relu", [SKIP_ACT_TANH] = "tanh"};
	const struct skip_arch_folder *words = shape->words;
	return set_int(config, words->width, shape->width) && set_int(config, words->layers, shape->layers) && set_int(config, words->heads, shape->heads) &&
	       set_int(config, words->ffn, shape->ffn) && set_int(config, words->types, shape->types) &&
	       set_int(config, words->embedding, shape->embedding) && set_int(config, words->padding_token, shape->first_position - 1) &&
	       json_object_set_new(config, words->act, json_string(act[shape->act])) == 0 &&
	       (!words->eps || json_object_set_new(config, words->eps, json_real((double)shape->eps)) == 0);
}

static enum skip_status put_config(const struct skip_folder_write *write, const struct shape *shape, struct skip_output *output, struct skip_err *err)
{
	json_t *names = json_object(), *ids = json_object(), *config = NULL;
	bool good = names && ids;
	for (int i = 0; good && i < shape->classes; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		good = json_object_set_new(names, key, json_string(write->label[i])) == 0 && json_object_set_new(ids, write->label[i], json_integer(i)) == 0;
	}
	if (good)
		config = json_pack("{s:[s], s:s, s:i, s:i, s:s, s:s, s:s, s:O, s:O}", "architectures", shape->class, "model_type", shape->type, "vocab_size",
				   shape->vocab, "max_position_embeddings", shape->positions, "position_embedding_type", "absolute", "problem_type",
				   skip_problem_names[write->graph->problem], "dtype", "float32", "id2label", names, "label2id", ids);
	good = config && set_shape(config, shape);
	enum skip_status status = put_json(output, "config.json", good ? config : NULL, err);
	json_decref(names);
	json_decref(ids);
	json_decref(config);
	return status;
}

/* The name in the checkpoint of a tensor of the graph. */
static void checkpoint_name(const struct skip_arch_folder *words, const char *name, char out[SKIP_TENSOR_NAME])
{
	const char *const stems[][2] = {{"pooler.", words->dense}, {"head.", words->out}};
	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(stems[i][0]);
		if (strncmp(name, stems[i][0], length) != 0) continue;
		snprintf(out, SKIP_TENSOR_NAME, "%s.%s", stems[i][1], name + length);
		return;
	}
	snprintf(out, SKIP_TENSOR_NAME, "%s%s", words->prefix, name);
}

static enum skip_status put_weights(const struct skip_graph *graph, const struct skip_arch_folder *words, struct skip_output *output, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	float **copy = skip_alloc_zeroed(graph->n_tensors, sizeof(*copy));
	struct skip_st_entry *entry = skip_alloc_zeroed(graph->n_tensors, sizeof(*entry));
	if (!copy || !entry) SKIP_TRY(no_memory(err));
	for (size_t i = 0; i < graph->n_tensors; i++) {
		const struct skip_tensor *tensor = graph->tensors[i];
		size_t count = (size_t)skip_tensor_count(tensor);
		checkpoint_name(words, tensor->name, entry[i].name);
		memcpy(entry[i].dim, tensor->dim, sizeof(entry[i].dim));
		entry[i].dtype = SKIP_F32;
		entry[i].rank = tensor->rank;
		entry[i].bytes = count * sizeof(float);
		entry[i].data = tensor->data;
		if (tensor->dtype == SKIP_F32 && tensor->data) continue;
		copy[i] = skip_alloc_array(count, sizeof(float));
		if (!copy[i]) SKIP_TRY(no_memory(err));
		skip_tensor_to_f32(tensor, copy[i]);
		entry[i].data = copy[i];
	}
	SKIP_TRY(skip_st_write(output, "model.safetensors", entry, graph->n_tensors, NULL, err));
cleanup:
	for (size_t i = 0; copy && i < graph->n_tensors; i++) skip_free(copy[i]);
	skip_free(copy);
	skip_free(entry);
	return status;
}

static enum skip_status put_tokenizer(const struct skip_folder_write *write, struct skip_output *output, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_buf text;
	skip_buf_init(&text);
	for (const char *const *name = skip_tokenizer_files(write->tokenizer); *name; name++) {
		char path[4096];
		if (strcmp(*name, "config.json") == 0) continue; /* the folder has its own, which says the same of the tokenizer */
		skip_buf_clear(&text);
		if (!skip_path_join(path, sizeof(path), write->tokenizer_folder, *name))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s/%s", write->tokenizer_folder, *name));
		SKIP_TRY(skip_file_read(path, &text, err));
		SKIP_TRY(skip_output_write(output, *name, skip_buf_text(&text), text.length, err));
	}
cleanup:
	skip_buf_deinit(&text);
	return status;
}

enum skip_status skip_export_folder(const struct skip_folder_write *write, struct skip_output *output, struct skip_err *err)
{
	struct shape shape = {0};
	enum skip_status status = read_shape(write->graph, &shape, err);
	if (status == SKIP_OK) status = put_config(write, &shape, output, err);
	if (status == SKIP_OK) status = put_weights(write->graph, shape.words, output, err);
	if (status == SKIP_OK) status = put_tokenizer(write, output, err);
	return status;
}
