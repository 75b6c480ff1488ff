/*
 * Graph -> config.json and model.safetensors of BertForSequenceClassification; see folder.h. The canonical layer is read back from the graph node by
 * node: what is not there, or has another width than the layer before, is what the message names.
 */
#include "export/folder.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "graph/op.h"
#include "graph/rules.h"

#include <math.h>
#include <string.h>

/* What one folder can say, read from the graph; 0: not seen yet. */
struct shape {
	int width, layers, heads, ffn, vocab, positions, types, classes;
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
		if (node->param[i] != SKIP_NONE) return refuse_layer(err, node->layer, "it has a prefix, which BERT has no place for (tune with --prefix 0)");
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
		return refuse_layer(err, layer, "a sub-layer of it was removed or is not BERT's");
	}
	if (node + LAYER_OPS < graph->nodes + graph->n_nodes && node[LAYER_OPS].layer == layer) return refuse_layer(err, layer, "it has more nodes than BERT's");
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
	if (!good || node[0].attrs.pool.mode != SKIP_POOL_CLS || node[2].attrs.act.kind != SKIP_ACT_TANH)
		return skip_err_set(err, SKIP_ERR_USAGE, "the head cannot stand in a checkpoint folder: BERT's reads the first row through a pooler (a tanh layer), this one %s; export ONNX instead",
				    is(&node[0], "pool") && node[0].attrs.pool.mode == SKIP_POOL_MEAN ? "averages the rows" : "does not");
	shape->classes = graph->values[end[-1].out[0]].cols;
	return SKIP_OK;
}

static enum skip_status read_shape(const struct skip_graph *graph, struct shape *shape, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_node *node = graph->nodes, *end = graph->nodes + graph->n_nodes;
	if (strcmp(graph->architecture, "bert") != 0)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "checkpoint folders are written of bert, this is %s; export ONNX instead", graph->architecture);
	if (graph->n_nodes < 3 || !is(node, "embed") || node->n_param < 3 || node->param[2] == SKIP_NONE || node->attrs.embed.position_base || !is(node + 1, "layernorm"))
		return skip_err_set(err, SKIP_ERR_USAGE, "the embeddings cannot stand in a checkpoint folder: they are not BERT's");
	shape->width = graph->values[node->out[0]].cols;
	shape->vocab = (int)graph->tensors[node->param[0]]->dim[0];
	shape->positions = (int)graph->tensors[node->param[1]]->dim[0];
	shape->types = (int)graph->tensors[node->param[2]]->dim[0];
	SKIP_TRY(same_eps(shape, node + 1, err));
	for (node += 2; node < end && node->layer != SKIP_NONE; node += LAYER_OPS) SKIP_TRY(read_layer(graph, shape, node, err));
	if (shape->layers != graph->layers) status = refuse_layer(err, shape->layers, "the whole layer was removed");
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

static enum skip_status put_config(const struct skip_folder_write *write, const struct shape *shape, struct skip_output *output, struct skip_err *err)
{
	static const char *const act[] = {[SKIP_ACT_GELU] = "gelu", [SKIP_ACT_GELU_TANH] = "gelu_new", [SKIP_ACT_RELU] = "relu", [SKIP_ACT_TANH] = "tanh"};
	json_t *names = json_object(), *ids = json_object(), *config = NULL;
	bool good = names && ids;
	for (int i = 0; good && i < shape->classes; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		good = json_object_set_new(names, key, json_string(write->label[i])) == 0 && json_object_set_new(ids, write->label[i], json_integer(i)) == 0;
	}
	if (good)
		config = json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:f, s:s, s:s, s:s, s:O, s:O}", "architectures", "BertForSequenceClassification",
				   "model_type", "bert", "hidden_size", shape->width, "num_hidden_layers", shape->layers, "num_attention_heads", shape->heads,
				   "intermediate_size", shape->ffn, "hidden_act", act[shape->act], "vocab_size", shape->vocab, "max_position_embeddings",
				   shape->positions, "type_vocab_size", shape->types, "layer_norm_eps", (double)shape->eps, "position_embedding_type", "absolute",
				   "problem_type", "single_label_classification", "dtype", "float32", "id2label", names, "label2id", ids);
	enum skip_status status = put_json(output, "config.json", config, err);
	json_decref(names);
	json_decref(ids);
	json_decref(config);
	return status;
}

/* The name in the checkpoint of a tensor of the graph. */
static void checkpoint_name(const char *name, char out[SKIP_TENSOR_NAME])
{
	static const char *const renamed[][2] = {{"pooler.", "bert.pooler.dense."}, {"head.", "classifier."}, {"", "bert."}};
	size_t i = 0;
	while (strncmp(name, renamed[i][0], strlen(renamed[i][0])) != 0) i++;
	snprintf(out, SKIP_TENSOR_NAME, "%s%s", renamed[i][1], name + strlen(renamed[i][0]));
}

static enum skip_status put_weights(const struct skip_graph *graph, struct skip_output *output, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	float **copy = skip_alloc_zeroed(graph->n_tensors, sizeof(*copy));
	struct skip_st_entry *entry = skip_alloc_zeroed(graph->n_tensors, sizeof(*entry));
	if (!copy || !entry) SKIP_TRY(no_memory(err));
	for (size_t i = 0; i < graph->n_tensors; i++) {
		const struct skip_tensor *tensor = graph->tensors[i];
		size_t count = (size_t)skip_tensor_count(tensor);
		checkpoint_name(tensor->name, entry[i].name);
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
	SKIP_TRY(skip_st_write(output, "model.safetensors", entry, graph->n_tensors, err));
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
	if (status == SKIP_OK) status = put_weights(write->graph, output, err);
	if (status == SKIP_OK) status = put_tokenizer(write, output, err);
	return status;
}
