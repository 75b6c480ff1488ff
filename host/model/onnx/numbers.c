/* Constants of an ONNX file: views of its bytes, few of them as doubles, and tensors of the graph made from them. */
#include "base/alloc.h"
#include "base/file.h"
#include "model/onnx/symbol.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEW 8192 /* numbers kept as doubles too: tables of positions, shapes, scales */

struct skip_onnx_tensor {
	const struct skip_numbers *from, *plus;
	int tensor;
};

static bool fail(struct skip_onnx_in *in, enum skip_status status, const char *message, const char *name)
{
	in->status = skip_err_at(in->err, status, in->path, 0, -1, "tensor '%.100s': %s", name ? name : "", message);
	return false;
}

static bool float_type(int type, enum skip_dtype *out)
{
	switch (type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		*out = SKIP_F32;
		return true;
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
		*out = SKIP_F64;
		return true;
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
		*out = SKIP_F16;
		return true;
	case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
		*out = SKIP_BF16;
		return true;
	}
	return false;
}

/* The file beside model.onnx called `location`, opened once; NULL: in->status. */
static const struct skip_mapfile *external_file(struct skip_onnx_in *in, const char *location, const char *tensor)
{
	char path[4096];
	struct skip_mapfile *map;
	bool inside = location && location[0] && location[0] != '.' && !strchr(location, '/');
	if (!inside || !skip_path_join(path, sizeof(path), in->folder, location)) {
		fail(in, SKIP_ERR_INPUT, "its external data lie in no file of the folder", tensor);
		return NULL;
	}
	for (size_t i = 0; i < in->n_files; i++)
		if (strcmp(skip_mapfile_path(in->files[i]), path) == 0) return in->files[i];
	if (!skip_grow((void **)&in->files, &in->cap_files, in->n_files + 1, sizeof(*in->files))) {
		fail(in, SKIP_ERR_NOMEM, "no memory", tensor);
		return NULL;
	}
	in->status = skip_mapfile_open(path, &map, in->err);
	if (in->status != SKIP_OK) return NULL;
	in->files[in->n_files++] = map;
	return map;
}

/* The `wanted` bytes that "location" and "offset" of a tensor name. */
static bool external_bytes(struct skip_onnx_in *in, const Onnx__TensorProto *proto, size_t wanted, const unsigned char **out)
{
	const char *location = NULL;
	uint64_t offset = 0;
	for (size_t i = 0; i < proto->n_external_data; i++) {
		const Onnx__StringStringEntryProto *entry = proto->external_data[i];
		if (!entry->key || !entry->value) continue;
		if (strcmp(entry->key, "location") == 0) location = entry->value;
		if (strcmp(entry->key, "offset") == 0) offset = strtoull(entry->value, NULL, 10);
	}
	const struct skip_mapfile *map = external_file(in, location, proto->name);
	if (!map) return false;
	if (offset > skip_mapfile_size(map) || wanted > skip_mapfile_size(map) - offset)
		return fail(in, SKIP_ERR_INPUT, "its external data end behind their file", proto->name);
	*out = skip_mapfile_data(map) + offset;
	return true;
}

/* An owned, empty constant. */
static struct skip_numbers *add_numbers(struct skip_onnx_in *in)
{
	struct skip_numbers *made = skip_alloc_zeroed(1, sizeof(*made));
	if (made && skip_grow((void **)&in->numbers, &in->cap_numbers, in->n_numbers + 1, sizeof(*in->numbers))) {
		in->numbers[in->n_numbers++] = made;
		return made;
	}
	skip_free(made);
	fail(in, SKIP_ERR_NOMEM, "no memory", NULL);
	return NULL;
}

/* Reads few numbers as doubles. Raw bytes are little-endian. */
static bool read_few(struct skip_onnx_in *in, const Onnx__TensorProto *proto, struct skip_numbers *made, const unsigned char *raw)
{
	made->value = skip_alloc_array(made->count, sizeof(double));
	if (!made->value) return fail(in, SKIP_ERR_NOMEM, "no memory", proto->name);
	for (size_t i = 0; i < made->count; i++) {
		int64_t wide;
		int32_t narrow;
		switch (proto->data_type) {
		case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
			if (raw) memcpy(&wide, raw + 8 * i, sizeof(wide));
			else
				wide = proto->int64_data[i];
			made->value[i] = (double)wide;
			break;
		case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
			if (raw) memcpy(&narrow, raw + 4 * i, sizeof(narrow));
			else
				narrow = proto->int32_data[i];
			made->value[i] = narrow;
			break;
		case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
			made->value[i] = raw ? raw[i] : proto->int32_data[i];
			break;
		default:
			skip_dtype_to_f64(made->dtype, made->data + i * skip_dtype_size(made->dtype), 1, &made->value[i]);
		}
	}
	return true;
}

/* The bytes of a constant: beside the file, raw, or (*raw NULL) integers in a field of their type. */
static bool find_bytes(struct skip_onnx_in *in, const Onnx__TensorProto *proto, struct skip_numbers *made, size_t size, const unsigned char **raw)
{
	size_t bytes = made->count * size;
	*raw = NULL;
	if (proto->n_external_data > 0) return external_bytes(in, proto, bytes, raw);
	if (proto->has_raw_data) {
		if (proto->raw_data.len != bytes) return fail(in, SKIP_ERR_INPUT, "its shape and its bytes disagree", proto->name);
		*raw = proto->raw_data.data;
		return true;
	}
	size_t found = proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT   ? proto->n_float_data
		       : proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? proto->n_int64_data
										  : proto->n_int32_data;
	if (found != made->count || (!made->integers && made->dtype != SKIP_F32))
		return fail(in, SKIP_ERR_INPUT, "its shape and its numbers disagree", proto->name);
	if (!made->integers) *raw = (const unsigned char *)proto->float_data;
	return true;
}

static size_t integer_size(int type)
{
	switch (type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
		return 8;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
		return 4;
	case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
		return 1;
	}
	return 0;
}

static bool read_shape(struct skip_onnx_in *in, const Onnx__TensorProto *proto, struct skip_numbers *made)
{
	if (proto->n_dims > SKIP_ONNX_RANK) return fail(in, SKIP_ERR_UNSUPPORTED, "it has too many axes", proto->name);
	made->rank = (int)proto->n_dims;
	made->count = 1;
	for (int i = 0; i < made->rank; i++) {
		made->dim[i] = proto->dims[i];
		if (made->dim[i] < 0 || !skip_size_mul(made->count, (size_t)made->dim[i], &made->count))
			return fail(in, SKIP_ERR_INPUT, "its shape is no shape", proto->name);
	}
	return true;
}

const struct skip_numbers *skip_onnx_in_numbers(struct skip_onnx_in *in, const Onnx__TensorProto *proto)
{
	struct skip_numbers *made = add_numbers(in);
	const unsigned char *raw;
	size_t all;
	if (!made || !read_shape(in, proto, made)) return NULL;
	made->integers = !float_type(proto->data_type, &made->dtype);
	size_t size = made->integers ? integer_size(proto->data_type) : skip_dtype_size(made->dtype);
	if (size == 0) fail(in, SKIP_ERR_UNSUPPORTED, "expected float32, float64, float16, bfloat16, int64, int32 or bool", proto->name);
	else if (!skip_size_mul(made->count, size, &all))
		fail(in, SKIP_ERR_INPUT, "its shape is no shape", proto->name);
	if (in->status != SKIP_OK || !find_bytes(in, proto, made, size, &raw)) return NULL;
	made->data = made->integers ? NULL : raw;
	if ((made->integers || made->count <= FEW) && !read_few(in, proto, made, raw)) return NULL;
	return made;
}

const struct skip_numbers *skip_onnx_in_make_numbers(struct skip_onnx_in *in, int rank, const int64_t *dim, bool integers, const double *value)
{
	struct skip_numbers *made = add_numbers(in);
	if (!made) return NULL;
	made->rank = rank;
	made->integers = integers;
	made->count = 1;
	for (int i = 0; i < rank; i++) {
		made->dim[i] = dim[i];
		made->count *= (size_t)dim[i];
	}
	made->value = skip_alloc_array(made->count, sizeof(double));
	if (!made->value) {
		fail(in, SKIP_ERR_NOMEM, "no memory", NULL);
		return NULL;
	}
	memcpy(made->value, value, made->count * sizeof(double));
	return made;
}

const struct skip_numbers *skip_onnx_in_turned(struct skip_onnx_in *in, const struct skip_numbers *numbers)
{
	/* The same matrix turned twice is the same constant, so that layers which share it still do. */
	for (size_t i = 0; i < in->n_numbers; i++) {
		const struct skip_numbers *known = in->numbers[i];
		if (known->data && known->data == numbers->data && known->turned != numbers->turned && known->rank == 2 && known->dim[0] == numbers->dim[1])
			return known;
	}
	struct skip_numbers *made = numbers->rank == 2 && numbers->data ? add_numbers(in) : NULL;
	if (!made) return NULL;
	*made = *numbers;
	made->value = NULL;
	made->turned = !numbers->turned;
	made->dim[0] = numbers->dim[1];
	made->dim[1] = numbers->dim[0];
	return made;
}

bool skip_onnx_in_number(const struct skip_symbol *symbol, double *out)
{
	if (symbol->kind == SKIP_SYM_INTS && symbol->count == 1 && symbol->size[0] != SKIP_ONNX_FREE) {
		*out = (double)symbol->size[0];
		return true;
	}
	if (symbol->kind != SKIP_SYM_CONST || symbol->numbers->count != 1 || !symbol->numbers->value) return false;
	*out = symbol->numbers->value[0];
	return true;
}

bool skip_onnx_in_is_number(const struct skip_symbol *symbol, double value, double within)
{
	double found;
	return skip_onnx_in_number(symbol, &found) && fabs(found - value) <= within * fabs(value);
}

/* Numbers as float32 into out [count], matrices in the order of `dim`. */
static bool to_f32(struct skip_onnx_in *in, const struct skip_numbers *numbers, float *out)
{
	if (!numbers->data) {
		for (size_t i = 0; i < numbers->count; i++) out[i] = (float)numbers->value[i];
		return true;
	}
	if (!numbers->turned) {
		skip_dtype_to_f32(numbers->dtype, numbers->data, numbers->count, out);
		return true;
	}
	size_t rows = (size_t)numbers->dim[0], cols = (size_t)numbers->dim[1];
	float *line = skip_alloc_array(rows, sizeof(*line));
	if (!line) return fail(in, SKIP_ERR_NOMEM, "no memory", NULL);
	for (size_t c = 0; c < cols; c++) {
		skip_dtype_to_f32(numbers->dtype, numbers->data + c * rows * skip_dtype_size(numbers->dtype), rows, line);
		for (size_t r = 0; r < rows; r++) out[r * cols + c] = line[r];
	}
	skip_free(line);
	return true;
}

bool skip_onnx_in_tensor_plus(struct skip_onnx_in *in, const struct skip_numbers *numbers, const struct skip_numbers *row, int *out)
{
	struct skip_tensor *tensor = NULL;
	char name[32];
	for (size_t i = 0; i < in->n_made; i++) {
		if (in->made[i].from != numbers || in->made[i].plus != row) continue;
		*out = in->made[i].tensor;
		return true;
	}
	if (numbers->rank < 1 || numbers->rank > 2 || numbers->integers) return false;
	if (!skip_grow((void **)&in->made, &in->cap_made, in->n_made + 1, sizeof(*in->made))) return fail(in, SKIP_ERR_NOMEM, "no memory", NULL);
	snprintf(name, sizeof(name), "constant%zu", in->n_made);
	in->status = skip_tensor_create(name, SKIP_F32, numbers->rank, numbers->dim, &tensor, in->err);
	bool good = in->status == SKIP_OK && to_f32(in, numbers, skip_tensor_f32(tensor));
	for (size_t i = 0; good && i < numbers->count; i++) {
		float *number = skip_tensor_f32(tensor) + i;
		if (row) *number += (float)row->value[i % (size_t)numbers->dim[1]];
		if (!isfinite(*number)) good = fail(in, SKIP_ERR_INPUT, "expected finite numbers", name);
	}
	if (good) in->status = skip_graph_add_tensor(in->graph, tensor, out, in->err);
	good = good && in->status == SKIP_OK;
	if (good) in->made[in->n_made++] = (struct skip_onnx_tensor){numbers, row, *out};
	skip_tensor_unref(tensor);
	return good;
}

bool skip_onnx_in_tensor_of(struct skip_onnx_in *in, const struct skip_numbers *numbers, int *out)
{
	return skip_onnx_in_tensor_plus(in, numbers, NULL, out);
}

bool skip_onnx_in_prefix_of(struct skip_onnx_in *in, const struct skip_numbers *numbers, bool turned, int *out)
{
	const size_t heads = (size_t)numbers->dim[1], width = (size_t)numbers->dim[turned ? 2 : 3], slots = (size_t)numbers->dim[turned ? 3 : 2];
	const int64_t dim[2] = {(int64_t)slots, (int64_t)(heads * width)};
	struct skip_tensor *tensor = NULL;
	char name[32];
	float *from = skip_alloc_array(numbers->count, sizeof(*from));
	if (!from) return fail(in, SKIP_ERR_NOMEM, "no memory", NULL);
	snprintf(name, sizeof(name), "prefix%d.%d", in->n_values, turned);
	bool good = to_f32(in, numbers, from);
	if (good) in->status = skip_tensor_create(name, SKIP_F32, 2, dim, &tensor, in->err);
	good = good && in->status == SKIP_OK;
	for (size_t i = 0; good && i < numbers->count; i++) {
		size_t inner = turned ? slots : width, h = i / (slots * width), r = i / inner % (turned ? width : slots), c = i % inner;
		skip_tensor_f32(tensor)[(turned ? c : r) * heads * width + h * width + (turned ? r : c)] = from[i];
		if (!isfinite(from[i])) good = fail(in, SKIP_ERR_INPUT, "expected finite numbers", name);
	}
	if (good) in->status = skip_graph_add_tensor(in->graph, tensor, out, in->err);
	skip_tensor_unref(tensor);
	skip_free(from);
	return good && in->status == SKIP_OK;
}

void skip_onnx_in_numbers_deinit(struct skip_onnx_in *in)
{
	for (size_t i = 0; i < in->n_numbers; i++) {
		skip_free(in->numbers[i]->value);
		skip_free(in->numbers[i]);
	}
	for (size_t i = 0; i < in->n_files; i++) skip_mapfile_unref(in->files[i]);
	skip_free(in->numbers);
	skip_free(in->files);
	skip_free(in->made);
}
