/* Tensors: three forms, shared ownership, taking rows and columns, refusals. */
#include "base/alloc.h"
#include "check.h"
#include "graph/tensor.h"
#include <string.h>

static struct skip_tensor *counted(const char *name, enum skip_dtype dtype, int rank, int64_t rows, int64_t cols)
{
	struct skip_err err;
	struct skip_tensor *tensor = NULL;
	CHECK_OK(skip_tensor_create(name, dtype, rank, (const int64_t[]){rows, cols}, &tensor, &err));
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) {
		if (dtype == SKIP_F32) ((float *)tensor->owned)[i] = (float)i + 0.5f;
		else
			((double *)tensor->owned)[i] = (double)i + 0.5;
	}
	return tensor;
}

Test(tensor, created_is_zero_and_owned)
{
	struct skip_err err;
	struct skip_tensor *t = NULL;
	CHECK_OK(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){7, 61}, &t, &err));
	cr_assert(t->refs == 1 && t->owned == t->data && skip_tensor_count(t) == 427 && !t->trained);
	double out[427];
	skip_tensor_to_f64(t, out);
	for (int i = 0; i < 427; i++) cr_assert(out[i] == 0);
	skip_tensor_f32(t)[426] = 3;
	skip_tensor_to_f64(t, out);
	cr_assert(out[426] == 3);
	skip_tensor_unref(t);
}

Test(tensor, zero_dims_and_rank_zero)
{
	struct skip_err err;
	struct skip_tensor *empty = NULL, *scalar = NULL;
	CHECK_OK(skip_tensor_create("e", SKIP_F32, 2, (const int64_t[]){0, 5}, &empty, &err));
	CHECK_OK(skip_tensor_create("s", SKIP_F64, 0, NULL, &scalar, &err));
	cr_assert(skip_tensor_count(empty) == 0 && skip_tensor_count(scalar) == 1);
	skip_tensor_unref(empty);
	skip_tensor_unref(scalar);
	skip_tensor_unref(NULL);
}

Test(tensor, refuses_shapes_and_names)
{
	struct skip_err err;
	struct skip_tensor *t = NULL;
	char name[SKIP_TENSOR_NAME + 1];
	memset(name, 'n', SKIP_TENSOR_NAME);
	name[SKIP_TENSOR_NAME] = '\0';
	CHECK_FAILS(skip_tensor_create(name, SKIP_F32, 1, (const int64_t[]){1}, &t, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "127") != NULL);
	CHECK_FAILS(skip_tensor_create("w", SKIP_F32, 5, (const int64_t[]){1, 1, 1, 1, 1}, &t, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "'w' has rank 5") != NULL);
	CHECK_FAILS(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){3, -1}, &t, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){INT64_MAX, 4}, &t, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "too many elements") != NULL);
	cr_assert(t == NULL);
}

Test(tensor, view_reads_every_float_type)
{
	static const unsigned char f16[] = {0x00, 0x3c, 0x00, 0xc0}, bf16[] = {0x80, 0x3f, 0x00, 0xc0};
	static const double f64[] = {1, -2};
	static const float f32[] = {1, -2};
	const struct {
		enum skip_dtype dtype;
		const void *data;
	} forms[] = {{SKIP_F16, f16}, {SKIP_BF16, bf16}, {SKIP_F32, f32}, {SKIP_F64, f64}};
	for (size_t i = 0; i < 4; i++) {
		struct skip_err err;
		struct skip_tensor *t = NULL;
		float narrow[2];
		double wide[2];
		CHECK_OK(skip_tensor_view("v", forms[i].dtype, 1, (const int64_t[]){2}, forms[i].data, NULL, &t, &err));
		cr_assert(t->owned == NULL && t->data == forms[i].data);
		skip_tensor_to_f32(t, narrow);
		skip_tensor_to_f64(t, wide);
		cr_assert(narrow[0] == 1 && narrow[1] == -2 && wide[0] == 1 && wide[1] == -2, "type %zu", i);
		skip_tensor_unref(t);
	}
}

Test(tensor, concat_reads_parts_in_order_and_keeps_them)
{
	struct skip_err err;
	struct skip_tensor *a = counted("a", SKIP_F32, 2, 7, 3), *b = counted("b", SKIP_F32, 2, 1, 3), *both = NULL, *nested = NULL;
	CHECK_OK(skip_tensor_concat("ab", (struct skip_tensor *const[]){a, b}, 2, &both, &err));
	CHECK_OK(skip_tensor_concat("aba", (struct skip_tensor *const[]){both, a}, 2, &nested, &err));
	cr_assert(a->refs == 3 && b->refs == 2);
	skip_tensor_unref(a);
	skip_tensor_unref(b);
	skip_tensor_unref(both);
	cr_assert(nested->dim[0] == 15 && nested->dim[1] == 3 && nested->data == NULL);
	double out[45];
	float narrow[45];
	skip_tensor_to_f64(nested, out);
	skip_tensor_to_f32(nested, narrow);
	cr_assert(out[0] == 0.5 && out[20] == 20.5 && out[21] == 0.5 && out[23] == 2.5 && out[24] == 0.5 && out[44] == 20.5);
	for (int i = 0; i < 45; i++) cr_assert(out[i] == (double)narrow[i]);
	skip_tensor_unref(nested);
}

Test(tensor, concat_refuses_what_does_not_fit)
{
	struct skip_err err;
	struct skip_tensor *a = counted("a", SKIP_F32, 2, 7, 3), *out = NULL;
	struct skip_tensor *bad[] = {counted("cols", SKIP_F32, 2, 7, 4), counted("type", SKIP_F64, 2, 7, 3),
	                             counted("rank", SKIP_F32, 1, 7, 0)};
	for (int i = 0; i < 3; i++) {
		CHECK_FAILS(skip_tensor_concat("c", (struct skip_tensor *const[]){a, bad[i]}, 2, &out, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, bad[i]->name) != NULL);
		skip_tensor_unref(bad[i]);
	}
	CHECK_FAILS(skip_tensor_concat("c", (struct skip_tensor *const[]){a, a, a, a, a}, 5, &out, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_tensor_concat("c", (struct skip_tensor *const[]){a}, 0, &out, &err), SKIP_ERR_INPUT);
	cr_assert(a->refs == 1 && out == NULL);
	skip_tensor_unref(a);
}

Test(tensor, take_rows_and_columns)
{
	struct skip_err err;
	struct skip_tensor *a = counted("a", SKIP_F32, 2, 2, 3), *b = counted("b", SKIP_F32, 2, 3, 3), *both = NULL, *rows = NULL,
	                   *cols = NULL;
	struct skip_tensor *vector = counted("v", SKIP_F64, 1, 7, 0), *taken = NULL;
	CHECK_OK(skip_tensor_concat("ab", (struct skip_tensor *const[]){a, b}, 2, &both, &err));
	both->trained = true;
	CHECK_OK(skip_tensor_take(both, 0, (const int[]){1, 2, 4}, 3, &rows, &err));
	CHECK_OK(skip_tensor_take(both, 1, (const int[]){0, 2}, 2, &cols, &err));
	CHECK_OK(skip_tensor_take(vector, 0, (const int[]){6}, 1, &taken, &err));
	cr_assert(rows->dim[0] == 3 && rows->dim[1] == 3 && rows->trained && rows->dtype == SKIP_F32 && strcmp(rows->name, "ab") == 0);
	static const float wanted_rows[] = {3.5f, 4.5f, 5.5f, 0.5f, 1.5f, 2.5f, 6.5f, 7.5f, 8.5f};
	static const float wanted_cols[] = {0.5f, 2.5f, 3.5f, 5.5f, 0.5f, 2.5f, 3.5f, 5.5f, 6.5f, 8.5f};
	cr_assert(memcmp(skip_tensor_f32(rows), wanted_rows, sizeof(wanted_rows)) == 0);
	cr_assert(cols->dim[0] == 5 && cols->dim[1] == 2 && memcmp(skip_tensor_f32(cols), wanted_cols, sizeof(wanted_cols)) == 0);
	cr_assert(taken->rank == 1 && taken->dim[0] == 1 && *(double *)taken->owned == 6.5);
	struct skip_tensor *all[] = {a, b, both, rows, cols, vector, taken};
	for (int i = 0; i < 7; i++) skip_tensor_unref(all[i]);
}

Test(tensor, take_refuses_indices)
{
	static const int lists[][2] = {{1, 1}, {2, 1}, {1, 7}, {-1, 2}};
	struct skip_err err;
	struct skip_tensor *t = counted("t", SKIP_F32, 2, 7, 7), *out = NULL;
	for (size_t i = 0; i < 4; i++)
		for (int axis = 0; axis < 2; axis++) {
			CHECK_FAILS(skip_tensor_take(t, axis, lists[i], 2, &out, &err), SKIP_ERR_INPUT);
			cr_assert(strstr(err.message, "'t'") && strstr(err.message, "out of range or order"));
		}
	cr_assert(out == NULL);
	skip_tensor_unref(t);
}

Test(tensor, every_allocation_may_fail)
{
	struct skip_err err;
	struct skip_tensor *a = counted("a", SKIP_F32, 2, 7, 3), *out = NULL;
	for (size_t n = 1; n <= 2; n++) {
		skip_alloc_fail_at(n);
		CHECK_FAILS(skip_tensor_create("w", SKIP_F32, 1, (const int64_t[]){3}, &out, &err), SKIP_ERR_NOMEM);
		skip_alloc_fail_at(n);
		CHECK_FAILS(skip_tensor_take(a, 0, (const int[]){1}, 1, &out, &err), SKIP_ERR_NOMEM);
	}
	skip_alloc_fail_at(1);
	CHECK_FAILS(skip_tensor_concat("c", (struct skip_tensor *const[]){a, a}, 2, &out, &err), SKIP_ERR_NOMEM);
	cr_assert(out == NULL && a->refs == 1);
	skip_tensor_unref(a);
}
