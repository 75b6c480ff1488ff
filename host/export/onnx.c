/* The ONNX file: the graph as it runs, inputs and output, metadata, bytes. The form of each op is onnx_ops.c. */
#include "export/onnx.h"

#include "base/alloc.h"
#include "base/json.h"
#include "export/onnx_build.h"
#include "graph/pass.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define IR_VERSION 8 /* the first that knows opset 17 */

/* What is needed for the logits, the last layer on first rows where only those are read. */
static enum skip_status graph_to_write(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *narrow = NULL;
	SKIP_TRY(skip_pass_pooled_only(graph, &narrow, err));
	int wanted = skip_graph_find_value(narrow, "logits");
	SKIP_TRY(skip_pass_dead(narrow, &wanted, 1, out, err));
cleanup:
	skip_graph_destroy(narrow);
	return status;
}

/* A two-dimensional value [batch][`second`]; `number` 0: the second size is free. */
static Onnx__ValueInfoProto *value_info(struct skip_onnx *onnx, const char *name, int type, const char *second, int64_t number)
{
	struct value {
		Onnx__ValueInfoProto info;
		Onnx__TypeProto type;
		Onnx__TypeProto__Tensor tensor;
		Onnx__TensorShapeProto shape;
		Onnx__TensorShapeProto__Dimension dim[2], *dims[2];
	} *v = skip_onnx_alloc(onnx, 1, sizeof(*v));
	if (!v) return NULL;
	onnx__value_info_proto__init(&v->info);
	onnx__type_proto__init(&v->type);
	onnx__type_proto__tensor__init(&v->tensor);
	onnx__tensor_shape_proto__init(&v->shape);
	for (int i = 0; i < 2; i++) {
		onnx__tensor_shape_proto__dimension__init(&v->dim[i]);
		v->dims[i] = &v->dim[i];
		v->dim[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
		v->dim[i].dim_param = (char *)(uintptr_t)(i ? second : "batch");
	}
	if (number) {
		v->dim[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
		v->dim[1].dim_value = number;
	}
	v->shape.n_dim = 2;
	v->shape.dim = v->dims;
	v->tensor.has_elem_type = 1;
	v->tensor.elem_type = type;
	v->tensor.shape = &v->shape;
	v->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	v->type.tensor_type = &v->tensor;
	v->info.name = (char *)(uintptr_t)name;
	v->info.type = &v->type;
	return &v->info;
}

struct file {
	ProtobufCBuffer base;
	FILE *file;
};

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data)
{
	fwrite(data, 1, length, ((struct file *)buffer)->file); /* a failed write stays known to the stream */
}

static enum skip_status write_model(const Onnx__ModelProto *model, struct skip_output *output, uint64_t *bytes, struct skip_err *err)
{
	size_t size = onnx__model_proto__get_packed_size(model);
	struct file file = {.base.append = append};
	if (size > INT_MAX)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the model takes %zu bytes; an ONNX file holds at most 2 GiB", size);
	enum skip_status status = skip_output_open(output, NULL, &file.file, err);
	if (status != SKIP_OK) return status;
	onnx__model_proto__pack_to_buffer(model, &file.base);
	status = skip_output_close(output, file.file, err);
	if (status == SKIP_OK) *bytes = size;
	return status;
}

/* The names of the classes as a JSON array; to be freed with free(). */
static char *labels_text(const struct skip_graph *graph, const struct skip_onnx_info *info)
{
	json_t *list = json_array();
	for (int i = 0; list && i < graph->classes; i++)
		if (json_array_append_new(list, json_string(info->label[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	char *text = list ? json_dumps(list, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(list);
	return text;
}

static enum skip_status put_model(struct skip_onnx *onnx, const struct skip_onnx_info *info, struct skip_output *output, uint64_t *bytes,
				  struct skip_err *err)
{
	const struct skip_graph *graph = onnx->graph;
	char name[] = "skip", empty[] = "", key[4][16] = {"architecture", "labels", "max_length", "problem_type"}, length[16], *labels = labels_text(graph, info);
	Onnx__GraphProto body = ONNX__GRAPH_PROTO__INIT;
	Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
	Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[1] = {&opset};
	Onnx__StringStringEntryProto entry[4], *entries[4];
	Onnx__ValueInfoProto *inputs[3] = {value_info(onnx, "input_ids", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "sequence", 0),
					   value_info(onnx, "attention_mask", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "sequence", 0),
					   value_info(onnx, "token_type_ids", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "sequence", 0)};
	int64_t classes = graph->values[skip_graph_find_value(graph, "logits")].cols;
	Onnx__ValueInfoProto *result[1] = {value_info(onnx, "logits", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, classes)};
	enum skip_status status = onnx->failed || !labels ? skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the ONNX graph") : SKIP_OK;
	SKIP_TRY(status);
	snprintf(length, sizeof(length), "%d", info->max_length);
	char *value[4] = {(char *)(uintptr_t)graph->architecture, labels, length, (char *)(uintptr_t)skip_problem_names[graph->problem]};
	for (int i = 0; i < 4; i++) {
		onnx__string_string_entry_proto__init(&entry[i]);
		entry[i].key = key[i];
		entry[i].value = value[i];
		entries[i] = &entry[i];
	}
	body.name = name;
	body.n_node = onnx->n_nodes;
	body.node = onnx->node;
	body.n_initializer = onnx->n_constants;
	body.initializer = onnx->constant;
	body.n_input = onnx->takes_types ? 3 : 2;
	body.input = inputs;
	body.n_output = 1;
	body.output = result;
	opset.domain = empty;
	opset.has_version = 1;
	opset.version = SKIP_ONNX_OPSET;
	model.has_ir_version = 1;
	model.ir_version = IR_VERSION;
	model.producer_name = name;
	model.producer_version = (char *)(uintptr_t)info->version;
	model.graph = &body;
	model.n_opset_import = 1;
	model.opset_import = opsets;
	model.n_metadata_props = 4;
	model.metadata_props = entries;
	status = write_model(&model, output, bytes, err);
cleanup:
	free(labels);
	return status;
}

enum skip_status skip_export_onnx(const struct skip_graph *graph, const struct skip_onnx_info *info, struct skip_output *output, uint64_t *bytes,
				  struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *written = NULL;
	struct skip_onnx onnx = {0};
	if (skip_graph_find_value(graph, "logits") == SKIP_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "the graph has no value 'logits' to export");
	SKIP_TRY(graph_to_write(graph, &written, err));
	skip_onnx_init(&onnx, written);
	for (size_t i = 0; i < written->n_nodes && !onnx.failed; i++) {
		const struct skip_node *node = &written->nodes[i];
		if (skip_onnx_write_op(&onnx, node)) continue;
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s', which makes '%s', has no ONNX form", node->op->name, written->values[node->out[0]].name));
	}
	SKIP_TRY(put_model(&onnx, info, output, bytes, err));
cleanup:
	skip_onnx_deinit(&onnx);
	skip_graph_destroy(written);
	return status;
}
