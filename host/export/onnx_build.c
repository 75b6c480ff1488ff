/* Nodes, constants and names of an ONNX graph; see onnx_build.h. Knows nothing of what the ops mean. */
#include "export/onnx_build.h"

#include "base/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct skip_onnx_block {
	struct skip_onnx_block *next;
	max_align_t data[];
};

void skip_onnx_init(struct skip_onnx *onnx, const struct skip_graph *graph)
{
	memset(onnx, 0, sizeof(*onnx));
	onnx->graph = graph;
	onnx->value = skip_onnx_alloc(onnx, graph->n_values, sizeof(*onnx->value));
}

void skip_onnx_deinit(struct skip_onnx *onnx)
{
	while (onnx->blocks) {
		struct skip_onnx_block *block = onnx->blocks;
		onnx->blocks = block->next;
		skip_free(block);
	}
	skip_free(onnx->node);
	skip_free(onnx->constant);
	memset(onnx, 0, sizeof(*onnx));
}

void *skip_onnx_alloc(struct skip_onnx *onnx, size_t count, size_t size)
{
	size_t bytes;
	struct skip_onnx_block *block = NULL;
	if (!onnx->failed && skip_size_mul(count, size, &bytes) && skip_size_add(bytes, sizeof(*block), &bytes)) block = skip_alloc_zeroed(1, bytes);
	if (!block) {
		onnx->failed = true;
		return NULL;
	}
	block->next = onnx->blocks;
	onnx->blocks = block;
	return block->data;
}

const char *skip_onnx_text(struct skip_onnx *onnx, const char *format, ...)
{
	va_list list, again;
	va_start(list, format);
	va_copy(again, list);
	int length = vsnprintf(NULL, 0, format, list);
	char *text = length < 0 ? NULL : skip_onnx_alloc(onnx, (size_t)length + 1, 1);
	if (text) vsnprintf(text, (size_t)length + 1, format, again);
	else
		onnx->failed = true;
	va_end(again);
	va_end(list);
	return text;
}

/* The messages of protobuf-c hold plain `char *` and never write through it. */
static char *plain(const char *text)
{
	return (char *)(uintptr_t)text;
}

const char *skip_onnx_node(struct skip_onnx *onnx, const char *op, const char *out, const char *const *in)
{
	size_t n_in = 0;
	while (in[n_in]) n_in++;
	Onnx__NodeProto *node = skip_onnx_alloc(onnx, 1, sizeof(*node));
	char **names = skip_onnx_alloc(onnx, n_in + 1, sizeof(*names));
	void *grown = onnx->node;
	if (onnx->failed || !skip_grow(&grown, &onnx->cap_nodes, onnx->n_nodes + 1, sizeof(*onnx->node))) {
		onnx->failed = true;
		return NULL;
	}
	onnx->node = grown;
	onnx__node_proto__init(node);
	for (size_t i = 0; i < n_in; i++) names[i] = plain(in[i]);
	names[n_in] = plain(out);
	node->name = plain(out);
	node->op_type = plain(op);
	node->n_input = n_in;
	node->input = names;
	node->n_output = 1;
	node->output = names + n_in;
	onnx->node[onnx->n_nodes++] = node;
	return out;
}

const char *skip_onnx_unary(struct skip_onnx *onnx, const char *op, const char *out, const char *a)
{
	return skip_onnx_node(onnx, op, out, (const char *const[]){a, NULL});
}

const char *skip_onnx_binary(struct skip_onnx *onnx, const char *op, const char *out, const char *a, const char *b)
{
	return skip_onnx_node(onnx, op, out, (const char *const[]){a, b, NULL});
}

const char *skip_onnx_part(struct skip_onnx *onnx, const char *out, const char *what)
{
	return skip_onnx_text(onnx, "%s/%s", out, what);
}

#define MAX_ATTRIBUTES 4

/* A new attribute of the last node. */
static Onnx__AttributeProto *add_attribute(struct skip_onnx *onnx, const char *name, Onnx__AttributeProto__AttributeType type)
{
	Onnx__AttributeProto *attribute = skip_onnx_alloc(onnx, 1, sizeof(*attribute));
	if (!attribute) return NULL;
	Onnx__NodeProto *node = onnx->node[onnx->n_nodes - 1];
	if (!node->attribute) node->attribute = skip_onnx_alloc(onnx, MAX_ATTRIBUTES, sizeof(*node->attribute));
	if (onnx->failed || node->n_attribute == MAX_ATTRIBUTES) {
		onnx->failed = true;
		return NULL;
	}
	onnx__attribute_proto__init(attribute);
	attribute->name = plain(name);
	attribute->has_type = 1;
	attribute->type = type;
	node->attribute[node->n_attribute++] = attribute;
	return attribute;
}

void skip_onnx_int(struct skip_onnx *onnx, const char *name, int64_t value)
{
	Onnx__AttributeProto *attribute = add_attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
	if (!attribute) return;
	attribute->has_i = 1;
	attribute->i = value;
}

void skip_onnx_ints(struct skip_onnx *onnx, const char *name, const int64_t *value, size_t n)
{
	Onnx__AttributeProto *attribute = add_attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
	int64_t *copy = skip_onnx_alloc(onnx, n, sizeof(*copy));
	if (!attribute || !copy) return;
	memcpy(copy, value, n * sizeof(*copy));
	attribute->n_ints = n;
	attribute->ints = copy;
}

void skip_onnx_float(struct skip_onnx *onnx, const char *name, float value)
{
	Onnx__AttributeProto *attribute = add_attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
	if (!attribute) return;
	attribute->has_f = 1;
	attribute->f = value;
}

static bool has_constant(const struct skip_onnx *onnx, const char *name)
{
	for (size_t i = 0; name && i < onnx->n_constants; i++)
		if (strcmp(onnx->constant[i]->name, name) == 0) return true;
	return false;
}

static const char *add_constant(struct skip_onnx *onnx, const char *name, int type, int rank, const int64_t *dim, const void *data, size_t bytes)
{
	Onnx__TensorProto *tensor = skip_onnx_alloc(onnx, 1, sizeof(*tensor));
	int64_t *dims = skip_onnx_alloc(onnx, (size_t)rank, sizeof(*dims));
	void *grown = onnx->constant;
	if (onnx->failed || !skip_grow(&grown, &onnx->cap_constants, onnx->n_constants + 1, sizeof(*onnx->constant))) {
		onnx->failed = true;
		return NULL;
	}
	onnx->constant = grown;
	onnx__tensor_proto__init(tensor);
	for (int i = 0; i < rank; i++) dims[i] = dim[i];
	tensor->name = plain(name);
	tensor->n_dims = (size_t)rank;
	tensor->dims = dims;
	tensor->has_data_type = 1;
	tensor->data_type = type;
	tensor->has_raw_data = 1;
	tensor->raw_data.len = bytes;
	tensor->raw_data.data = (uint8_t *)(uintptr_t)data;
	onnx->constant[onnx->n_constants++] = tensor;
	return name;
}

const char *skip_onnx_floats(struct skip_onnx *onnx, const char *name, int rank, const int64_t *dim, const float *data)
{
	size_t count = 1;
	for (int i = 0; i < rank; i++) count *= (size_t)dim[i];
	return add_constant(onnx, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dim, data, count * sizeof(*data));
}

const char *skip_onnx_number(struct skip_onnx *onnx, float value)
{
	const char *name = skip_onnx_text(onnx, "number.%.9g", (double)value);
	if (!name || has_constant(onnx, name)) return name;
	float *copy = skip_onnx_alloc(onnx, 1, sizeof(*copy));
	if (copy) *copy = value;
	return skip_onnx_floats(onnx, name, 0, NULL, copy);
}

const char *skip_onnx_list(struct skip_onnx *onnx, const int64_t *value, size_t n)
{
	const char *name = "list";
	for (size_t i = 0; i < n && name; i++) name = skip_onnx_text(onnx, "%s.%lld", name, (long long)value[i]);
	if (!name || has_constant(onnx, name)) return name;
	int64_t *copy = skip_onnx_alloc(onnx, n, sizeof(*copy));
	if (copy) memcpy(copy, value, n * sizeof(*copy));
	return add_constant(onnx, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, (const int64_t[]){(int64_t)n}, copy, n * sizeof(*copy));
}

const char *skip_onnx_index(struct skip_onnx *onnx, int64_t value)
{
	const char *name = skip_onnx_text(onnx, "index.%lld", (long long)value);
	if (!name || has_constant(onnx, name)) return name;
	int64_t *copy = skip_onnx_alloc(onnx, 1, sizeof(*copy));
	if (copy) *copy = value;
	return add_constant(onnx, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 0, NULL, copy, sizeof(*copy));
}

/* The numbers of a tensor as float32: where they lie, or a copy. */
static const float *numbers_of(struct skip_onnx *onnx, const struct skip_tensor *tensor)
{
	if (tensor->dtype == SKIP_F32 && tensor->data) return tensor->data;
	float *data = skip_onnx_alloc(onnx, (size_t)skip_tensor_count(tensor), sizeof(*data));
	if (data) skip_tensor_to_f32(tensor, data);
	return data;
}

const char *skip_onnx_tensor(struct skip_onnx *onnx, int index)
{
	const struct skip_tensor *tensor = onnx->graph->tensors[index];
	if (has_constant(onnx, tensor->name)) return tensor->name;
	return skip_onnx_floats(onnx, tensor->name, tensor->rank, tensor->dim, numbers_of(onnx, tensor));
}

const char *skip_onnx_turned(struct skip_onnx *onnx, int index)
{
	const struct skip_tensor *tensor = onnx->graph->tensors[index];
	size_t rows = (size_t)tensor->dim[0], cols = (size_t)tensor->dim[1];
	const char *name = skip_onnx_text(onnx, "%s.T", tensor->name);
	if (!name || has_constant(onnx, name)) return name;
	float *turned = skip_onnx_alloc(onnx, rows * cols, sizeof(*turned)), *copy = skip_alloc_array(rows * cols, sizeof(*copy));
	if (!turned || !copy) {
		onnx->failed = true;
		skip_free(copy);
		return NULL;
	}
	skip_tensor_to_f32(tensor, copy);
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c++) turned[c * rows + r] = copy[r * cols + c];
	skip_free(copy);
	return skip_onnx_floats(onnx, name, 2, (const int64_t[]){tensor->dim[1], tensor->dim[0]}, turned);
}
