/* Weight layouts element by element: every dtype, odd sizes, concatenations, through small and large stages. */
#include "base/rng.h"
#include "check.h"
#include "device/run/run.h"
#include <string.h>

struct shape {
	enum skip_dtype dtype;
	int rows, cols; /* cols 0: a vector */
	int nr, transpose, parts;
	enum skip_layout layout;
	int stage;
};

struct sink {
	float data[40000];
	size_t count;
};

static enum skip_status collect(void *context, size_t first, const float *data, size_t count, struct skip_err *err)
{
	struct sink *sink = context;
	(void)err;
	cr_assert(first == sink->count, "block starts at %zu, %zu elements came before", first, sink->count);
	cr_assert(first + count <= sizeof(sink->data) / sizeof(float));
	memcpy(sink->data + first, data, count * sizeof(*data));
	sink->count += count;
	return SKIP_OK;
}

/* Numbers that F16 and BF16 hold exactly. */
static struct skip_tensor *numbered(enum skip_dtype dtype, int rows, int cols, int first)
{
	struct skip_err err;
	struct skip_tensor *tensor = NULL;
	CHECK_OK(skip_tensor_create("w", dtype, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, &err));
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) {
		float x = (float)((i + first) % 113 + 1);
		uint32_t bits;
		memcpy(&bits, &x, sizeof(bits));
		if (dtype == SKIP_F32) ((float *)tensor->owned)[i] = x;
		if (dtype == SKIP_F64) ((double *)tensor->owned)[i] = x;
		if (dtype == SKIP_BF16) ((uint16_t *)tensor->owned)[i] = (uint16_t)(bits >> 16);
		if (dtype == SKIP_F16) ((uint16_t *)tensor->owned)[i] = (uint16_t)((bits >> 13 & 0x3ff) | ((bits >> 23) - 112) << 10);
	}
	return tensor;
}

static struct skip_tensor *make(const struct shape *shape)
{
	struct skip_err err;
	struct skip_tensor *part[3] = {NULL, NULL, NULL}, *joined = NULL;
	int width = shape->cols ? shape->cols : 1, row = 0;
	if (shape->parts == 1) return numbered(shape->dtype, shape->rows, shape->cols, 0);
	for (int p = 0; p < shape->parts; p++) {
		int n = p + 1 < shape->parts ? shape->rows / shape->parts : shape->rows - row;
		part[p] = numbered(shape->dtype, n, shape->cols, row * width);
		row += n;
	}
	CHECK_OK(skip_tensor_concat("w", part, shape->parts, &joined, &err));
	for (int p = 0; p < shape->parts; p++) skip_tensor_unref(part[p]);
	return joined;
}

/* What stands at element i of the layout. */
static float expected(const struct shape *shape, size_t i)
{
	size_t rows = (size_t)shape->rows, cols = shape->cols ? (size_t)shape->cols : 1, nr = (size_t)shape->nr, index;
	if (shape->layout == SKIP_LAYOUT_PANELS) {
		size_t depth = shape->transpose ? rows : cols, outputs = shape->transpose ? cols : rows;
		size_t panel = i / (depth * nr), k = i / nr % depth, n = panel * nr + i % nr;
		if (n >= outputs) return 0.0f;
		index = shape->transpose ? k * cols + n : n * cols + k;
	} else {
		if (i >= rows * cols) return 0.0f;
		index = i;
	}
	return (float)(index % 113 + 1);
}

ParameterizedTestParameters(pack, places_every_element)
{
	static struct shape shapes[] = {
	    {SKIP_F32, 61, 7, 32, 0, 1, SKIP_LAYOUT_PANELS, 65536},  {SKIP_F32, 61, 7, 32, 1, 1, SKIP_LAYOUT_PANELS, 65536},
	    {SKIP_F16, 33, 200, 16, 0, 1, SKIP_LAYOUT_PANELS, 4096}, {SKIP_BF16, 130, 33, 8, 1, 2, SKIP_LAYOUT_PANELS, 1024},
	    {SKIP_F64, 96, 65, 32, 0, 3, SKIP_LAYOUT_PANELS, 4096},  {SKIP_F32, 96, 64, 4, 0, 3, SKIP_LAYOUT_PANELS, 65536},
	    {SKIP_F32, 1, 1, 32, 0, 1, SKIP_LAYOUT_PANELS, 4096},    {SKIP_F32, 61, 0, 32, 0, 1, SKIP_LAYOUT_PADDED, 65536},
	    {SKIP_F16, 64, 0, 32, 0, 2, SKIP_LAYOUT_PADDED, 256},    {SKIP_BF16, 61, 7, 0, 0, 3, SKIP_LAYOUT_ROWS, 64},
	    {SKIP_F32, 5, 7000, 0, 0, 1, SKIP_LAYOUT_ROWS, 4096},    {SKIP_F64, 7, 0, 0, 0, 1, SKIP_LAYOUT_ROWS, 16},
	};
	return cr_make_param_array(struct shape, shapes, sizeof(shapes) / sizeof(shapes[0]));
}

ParameterizedTest(struct shape *shape, pack, places_every_element)
{
	struct skip_err err;
	static struct sink sink;
	struct skip_tensor *tensor = make(shape);
	float *stage = calloc((size_t)shape->stage, sizeof(*stage));
	const struct skip_pack pack = {shape->layout, shape->nr, shape->transpose, stage, (size_t)shape->stage, collect, &sink};
	size_t count = 0;
	CHECK_OK(skip_pack_count(tensor, shape->layout, shape->nr, shape->transpose, &count, &err));
	CHECK_OK(skip_pack(&pack, tensor, &err));
	cr_assert(sink.count == count, "%zu elements, expected %zu", sink.count, count);
	for (size_t i = 0; i < count; i++) {
		cr_assert(sink.data[i] == expected(shape, i), "element %zu is %g, expected %g", i, sink.data[i], expected(shape, i));
	}
	free(stage);
	skip_tensor_unref(tensor);
}

Test(pack, refuses_what_has_no_layout)
{
	struct skip_err err;
	size_t count = 0;
	struct skip_tensor *vector = numbered(SKIP_F32, 7, 0, 0), *integers = NULL;
	CHECK_OK(skip_tensor_create("ids", SKIP_I32, 1, (const int64_t[]){7}, &integers, &err));
	CHECK_FAILS(skip_pack_count(vector, SKIP_LAYOUT_PANELS, 32, 0, &count, &err), SKIP_ERR_INTERNAL);
	CHECK_FAILS(skip_pack_count(vector, SKIP_LAYOUT_PADDED, 0, 0, &count, &err), SKIP_ERR_INTERNAL);
	CHECK_FAILS(skip_pack_count(integers, SKIP_LAYOUT_ROWS, 0, 0, &count, &err), SKIP_ERR_INTERNAL);
	cr_expect(strstr(err.message, "I32") != NULL, "%s", err.message);
	skip_tensor_unref(vector);
	skip_tensor_unref(integers);
}

static enum skip_status refuse(void *context, size_t first, const float *data, size_t count, struct skip_err *err)
{
	(void)context, (void)data, (void)count;
	return first > 0 ? skip_err_set(err, SKIP_ERR_DEVICE, "full") : SKIP_OK;
}

Test(pack, hands_on_a_failed_write)
{
	struct skip_err err;
	float stage[4096];
	struct skip_tensor *tensor = numbered(SKIP_F32, 64, 128, 0);
	const struct skip_pack pack = {SKIP_LAYOUT_PANELS, 32, 0, stage, 4096, refuse, NULL};
	CHECK_FAILS(skip_pack(&pack, tensor, &err), SKIP_ERR_DEVICE);
	skip_tensor_unref(tensor);
}
