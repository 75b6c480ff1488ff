/* Finding tensors in one file and in shards; shapes, element types and numbers that are refused. */
#include "model/model.h"
#include "toy_bert.h"

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(checkpoint, .init = make_folder, .fini = drop_folder);

static const char *const prefixes[] = {"", "bert.", NULL};

Test(checkpoint, one_file_and_shards_give_the_same_tensors)
{
	for (int shards = 0; shards <= 7; shards += 7) {
		for (int prefixed = 0; prefixed < 2; prefixed++) {
			struct skip_err err;
			struct skip_checkpoint *checkpoint;
			struct skip_tensor *tensor;
			struct toy_bert toy = TOY_BERT;
			struct toy_tensors wanted;
			toy.shards = shards;
			toy.prefix = prefixed ? "bert." : "";
			toy_folder_remove(folder);
			toy_folder(folder);
			toy_bert_write(folder, &toy);
			toy_bert_tensors(&toy, &wanted);
			CHECK_OK(skip_checkpoint_open(folder, &checkpoint, &err));
			for (size_t i = 0; i < wanted.count; i++) {
				const struct skip_st_entry *entry = &wanted.entry[i];
				const char *name = entry->name + strlen(toy.prefix);
				int64_t any[2] = {-1, -1};
				cr_assert(false != skip_checkpoint_has(checkpoint, prefixes, name), "%s", name);
				CHECK_OK(skip_checkpoint_tensor(checkpoint, prefixes, name, "renamed", entry->rank, any, &tensor, &err));
				cr_assert(eq(str, tensor->name, "renamed"));
				cr_assert(tensor->rank == entry->rank && tensor->dim[0] == entry->dim[0]);
				cr_assert(memcmp(tensor->data, entry->data, entry->bytes) == 0, "%s", name);
				skip_tensor_unref(tensor);
			}
			cr_assert(not(skip_checkpoint_has(checkpoint, prefixes, "absent")));
			toy_bert_free(&wanted);
			skip_checkpoint_close(checkpoint);
		}
	}
	skip_checkpoint_close(NULL);
}

Test(checkpoint, tensors_outlive_it)
{
	struct skip_err err;
	struct skip_checkpoint *checkpoint;
	struct skip_tensor *tensor;
	struct toy_bert toy = TOY_BERT;
	float numbers[12];
	toy_bert_write(folder, &toy);
	CHECK_OK(skip_checkpoint_open(folder, &checkpoint, &err));
	CHECK_OK(skip_checkpoint_tensor(checkpoint, prefixes, "embeddings.LayerNorm.weight", "g", 1, (int64_t[]){12}, &tensor, &err));
	skip_checkpoint_close(checkpoint);
	skip_tensor_to_f32(tensor, numbers);
	for (int i = 0; i < 12; i++) cr_assert(fabsf(numbers[i] - 1) < 1);
	skip_tensor_unref(tensor);
}

Test(checkpoint, folders_without_weights)
{
	struct skip_err err;
	struct skip_checkpoint *checkpoint = NULL;
	CHECK_FAILS(skip_checkpoint_open(folder, &checkpoint, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.file, "/model.safetensors") != NULL);
	cr_assert(eq(str, err.message, "no such file, and no model.safetensors.index.json beside it"));
	toy_write_text(folder, "pytorch_model.bin", "pickle");
	CHECK_FAILS(skip_checkpoint_open(folder, &checkpoint, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.message, "pytorch_model.bin becomes one with") != NULL);
	cr_assert(checkpoint == NULL);
}

Test(checkpoint, an_index_that_lies)
{
	static const struct {
		const char *index;
		enum skip_status status;
		const char *file, *message;
	} rows[] = {
	    {"{", SKIP_ERR_INPUT, "index.json", "not JSON"},
	    {"{}", SKIP_ERR_INPUT, "index.json", "\"weight_map\" is missing; expected an object"},
	    {"{\"weight_map\": {\"a\": 7}}", SKIP_ERR_INPUT, "index.json", "the file of tensor 'a' is not a file name"},
	    {"{\"weight_map\": {\"a\": \"../x.safetensors\"}}", SKIP_ERR_INPUT, "index.json", "the file of tensor 'a' is not a file name"},
	    {"{\"weight_map\": {\"a\": \"\"}}", SKIP_ERR_INPUT, "index.json", "the file of tensor 'a' is not a file name"},
	    {"{\"weight_map\": {\"a\": \"gone.safetensors\"}}", SKIP_ERR_IO, "gone.safetensors", "cannot open"},
	    {"{\"weight_map\": {\"a\": \"s.safetensors\", \"b\": \"s.safetensors\"}}", SKIP_ERR_INPUT, "index.json",
	     "tensor 'b' is not in s.safetensors"},
	    {"{\"weight_map\": {\"a\": \"bad.safetensors\"}}", SKIP_ERR_INPUT, "bad.safetensors", "expected 8 bytes of header length"},
	};
	const struct skip_st_entry a = {.name = "a", .dtype = SKIP_U8, .rank = 1, .dim = {1}, .data = "x"};
	toy_write_tensors(toy_path(folder, "s.safetensors"), &a, 1);
	toy_write_text(folder, "bad.safetensors", "short");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct skip_err err;
		struct skip_checkpoint *checkpoint = NULL;
		toy_write_text(folder, "model.safetensors.index.json", rows[i].index);
		CHECK_FAILS(skip_checkpoint_open(folder, &checkpoint, &err), rows[i].status);
		cr_expect(strstr(err.message, rows[i].message) != NULL, "%s: %s", rows[i].index, err.message);
		cr_expect(strstr(err.file, rows[i].file) != NULL, "%s: %s", rows[i].index, err.file);
		cr_assert(checkpoint == NULL);
	}
}

Test(checkpoint, shapes_and_types_that_are_refused)
{
	struct skip_err err;
	struct skip_checkpoint *checkpoint;
	struct skip_tensor *tensor = NULL;
	static const float numbers[21];
	const struct skip_st_entry entries[] = {
	    {.name = "matrix", .dtype = SKIP_F32, .rank = 2, .dim = {3, 7}, .data = numbers},
	    {.name = "whole", .dtype = SKIP_I32, .rank = 1, .dim = {7}, .data = numbers},
	};
	toy_write_tensors(toy_path(folder, "model.safetensors"), entries, 2);
	CHECK_OK(skip_checkpoint_open(folder, &checkpoint, &err));
	CHECK_OK(skip_checkpoint_tensor(checkpoint, prefixes, "matrix", "m", 2, (int64_t[]){-1, 7}, &tensor, &err));
	skip_tensor_unref(tensor);
	tensor = NULL;
	CHECK_FAILS(skip_checkpoint_tensor(checkpoint, prefixes, "matrix", "m", 2, (int64_t[]){-1, 61}, &tensor, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "tensor 'matrix': config.json makes its shape [any, 61], the file has [3, 7]"));
	cr_assert(err.offset > 0 && err.offset % 64 == 0);
	CHECK_FAILS(skip_checkpoint_tensor(checkpoint, prefixes, "matrix", "m", 1, (int64_t[]){3}, &tensor, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "tensor 'matrix': config.json makes its shape [3], the file has [3, 7]"));
	CHECK_FAILS(skip_checkpoint_tensor(checkpoint, prefixes, "whole", "w", 1, (int64_t[]){7}, &tensor, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "tensor 'whole': expected F32, F16, BF16 or F64, found I32"));
	CHECK_FAILS(skip_checkpoint_tensor(checkpoint, prefixes, "absent", "w", 1, (int64_t[]){7}, &tensor, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "tensor 'absent' is missing"));
	cr_assert(strstr(err.file, "/model.safetensors") != NULL && tensor == NULL);
	skip_checkpoint_close(checkpoint);
}

/* One bad number at the start, in the middle, past the first block and at the end, in every element type. */
Test(checkpoint, numbers_that_are_not_finite)
{
	enum { N = 2500 };
	static const struct {
		enum skip_dtype dtype;
		uint64_t fine, infinite, nan;
	} types[] = {
	    {SKIP_F32, 0x7f7fffff, 0xff800000, 0x7f800001},
	    {SKIP_F16, 0x7bff, 0xfc00, 0x7e00},
	    {SKIP_BF16, 0x7f7f, 0xff80, 0x7fc0},
	    {SKIP_F64, 0x7fefffffffffffffULL, 0xfff0000000000000ULL, 0x7ff0000000000001ULL},
	};
	static const size_t places[] = {0, 7, 1023, 1024, 2000, N - 1};
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		unsigned char data[N * 8];
		size_t size = skip_dtype_size(types[t].dtype);
		for (size_t i = 0; i < N; i++) memcpy(data + i * size, &types[t].fine, size);
		for (size_t p = 0; p <= 2 * sizeof(places) / sizeof(*places); p++) {
			struct skip_err err;
			struct skip_checkpoint *checkpoint;
			struct skip_tensor *tensor = NULL;
			bool good = p == 2 * sizeof(places) / sizeof(*places);
			size_t at = good ? 0 : places[p / 2];
			uint64_t number = p % 2 ? types[t].nan : types[t].infinite;
			if (!good) memcpy(data + at * size, &number, size);
			const struct skip_st_entry entry = {.name = "w", .dtype = types[t].dtype, .rank = 1, .dim = {N}, .data = data};
			toy_write_tensors(toy_path(folder, "model.safetensors"), &entry, 1);
			CHECK_OK(skip_checkpoint_open(folder, &checkpoint, &err));
			if (good) {
				CHECK_OK(skip_checkpoint_tensor(checkpoint, prefixes, "w", "w", 1, (int64_t[]){N}, &tensor, &err));
				skip_tensor_unref(tensor);
			} else {
				char wanted[128];
				snprintf(wanted, sizeof(wanted), "tensor 'w': element %zu is", at);
				CHECK_FAILS(skip_checkpoint_tensor(checkpoint, prefixes, "w", "w", 1, (int64_t[]){N}, &tensor, &err),
				            SKIP_ERR_INPUT);
				cr_assert(strncmp(err.message, wanted, strlen(wanted)) == 0, "%s", err.message);
				cr_assert(strstr(err.message, p % 2 ? "nan" : "inf") != NULL, "%s", err.message);
				cr_assert(err.offset % 64 == (int64_t)(at * size % 64) && err.offset >= (int64_t)(at * size));
			}
			skip_checkpoint_close(checkpoint);
			memcpy(data + at * size, &types[t].fine, size);
		}
	}
}
