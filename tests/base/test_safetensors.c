#include "base/json.h"
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
TestSuite(safetensors, .init = make_folder, .fini = drop_folder);

/* A file from a header text and `size` bytes of data; the length field says what it must, or `length` when that is not 0. */
static const char *make_file(const char *header, size_t size, uint64_t length)
{
	static unsigned char bytes[4096];
	size_t n = strlen(header);
	cr_assert(8 + n + size <= sizeof(bytes));
	if (!length) length = n;
	for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> (8 * i));
	memcpy(bytes + 8, header, n);
	for (size_t i = 0; i < size; i++) bytes[8 + n + i] = (unsigned char)i;
	toy_write_file(folder, "x.safetensors", bytes, 8 + n + size);
	return toy_path(folder, "x.safetensors");
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define B "\"b\":{\"dtype\":\"U8\",\"shape\":[1,3],\"data_offsets\":[8,11]}"

Test(safetensors, reads_what_the_header_says)
{
	struct skip_err err;
	struct skip_st_file *file;
	/* odd start of the data, entries out of order, an empty tensor, a scalar, metadata, padding */
	const char *path = make_file(
	    "{" B "," A ",\"__metadata__\":{\"format\":\"pt\"},\"none\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[8,8]},"
	    "\"one\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[11,19]}}   ",
	    19, 0);
	CHECK_OK(skip_st_open(path, &file, &err));
	cr_assert(eq(sz, file->count, 4));
	static const char *const names[] = {"a", "b", "none", "one"};
	for (size_t i = 0; i < 4; i++) cr_assert(eq(str, file->entries[i].name, (char *)names[i]));
	const struct skip_st_entry *b = skip_st_find(file, "b");
	cr_assert(b->dtype == SKIP_U8 && b->rank == 2 && b->dim[0] == 1 && b->dim[1] == 3 && b->bytes == 3);
	cr_assert(memcmp(b->data, "\x08\x09\x0a", 3) == 0);
	cr_assert(skip_mapfile_data(file->map) + b->offset == b->data);
	cr_assert(skip_st_find(file, "none")->bytes == 0 && skip_st_find(file, "one")->rank == 0);
	cr_assert(skip_st_find(file, "") == NULL && skip_st_find(file, "zz") == NULL && skip_st_find(file, "aa") == NULL);
	skip_st_close(file);
	skip_st_close(NULL);
}

Test(safetensors, views_outlive_the_file_object)
{
	struct skip_err err;
	struct skip_st_file *file;
	CHECK_OK(skip_st_open(make_file("{" A "}", 8, 0), &file, &err));
	struct skip_mapfile *map = skip_mapfile_ref(file->map);
	const void *data = file->entries[0].data;
	skip_st_close(file);
	cr_assert(memcmp(data, "\0\1\2\3\4\5\6\7", 8) == 0);
	skip_mapfile_unref(map);
}

Test(safetensors, a_file_of_no_tensors)
{
	struct skip_err err;
	struct skip_st_file *file;
	CHECK_OK(skip_st_open(make_file("{}", 0, 0), &file, &err));
	cr_assert(file->count == 0 && skip_st_find(file, "a") == NULL);
	skip_st_close(file);
}

struct lie {
	const char *header;
	size_t data;
	uint64_t length;
	int64_t offset; /* expected in the error; -2: the start of the data, -3: its start + 8 */
	const char *message;
};

Test(safetensors, every_lie_is_found)
{
#define ONE(fields) "{\"t\":{" fields "}}"
	static const struct lie lies[] = {
	    {"{}", 0, 100000001, 0, "header length is 100000001 bytes; expected at most 100000000"},
	    {"{}", 0, 3, 0, "header length is 3 bytes, the file has 2 after it"},
	    {"{}", 0, UINT64_MAX, 0, "expected at most 100000000"},
	    {"[]", 0, 0, 8, "does not begin with '{'"},
	    {" {}", 0, 0, 8, "does not begin with '{'"},
	    {"{\"a\"}", 0, 0, 8, "header: not JSON at line 1"},
	    {"{" A "," A "}", 8, 0, 8, "duplicate object key"},
	    {"{\"__metadata__\":[]}", 0, 0, 8, "__metadata__: expected an object of strings"},
	    {"{\"__metadata__\":{\"a\":1}}", 0, 0, 8, "__metadata__: expected an object of strings"},
	    {"{\"t\":7}", 0, 0, 8, "tensor 't': its description is no object"},
	    {"{\"\":{}}", 0, 0, 8, "has 0 bytes; expected 1 to 127"},
	    {ONE("\"shape\":[1],\"data_offsets\":[0,1]"), 1, 0, 8, "tensor 't': \"dtype\" is missing"},
	    {ONE("\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]"), 1, 0, 8,
	     "tensor 't': dtype 'F8_E4M3' is not known; expected F64"},
	    {ONE("\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]"), 4, 0, 8, "dtype 'f32' is not known"},
	    {ONE("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, 0, 8, "tensor 't': \"shape\" is no array"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]"), 4, 0, 8, "tensor 't': 5 dims; expected at most 4"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"), 4, 0, 8, "dim 0 of the shape is no size"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1,1.0],\"data_offsets\":[0,4]"), 4, 0, 8, "dim 1 of the shape is no size"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), 0, 0, 8,
	     "product of its shape is too large"},
	    {ONE("\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]"), 0, 0, 8, "product of its shape is too large"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1]"), 4, 0, 8, "\"data_offsets\" is no pair"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]"), 4, 0, 8, "\"data_offsets\" is no pair"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]"), 4, 0, 8, "\"data_offsets\" is no pair"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]"), 4, 0, -2, "data offsets -4 to 0 do not lie in the 4 bytes"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), 4, 0, -2, "data offsets 4 to 0 do not lie in the 4 bytes"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 7, 0, -2, "data offsets 0 to 8 do not lie in the 7 bytes"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]"), 4, 0, -2, "do not lie in the 4 bytes"},
	    {ONE("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]"), 8, 0, -2,
	     "its shape in F32 takes 12 bytes, its data offsets hold 8"},
	    {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[6,9]}}", 9, 0, -4, "tensor 'b' overlaps tensor 'a'"},
	    {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, 0, -2, "tensor 'b' overlaps tensor 'a'"},
	    {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[9,12]}}", 12, 0, -3,
	     "1 bytes before tensor 'b' belong to no tensor"},
	    {"{" A "}", 9, 0, -3, "the file has 1 bytes after the last tensor"},
	    {"{}", 1, 0, -2, "the file has 1 bytes after the last tensor"},
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct skip_err err;
		struct skip_st_file *file = NULL;
		int64_t data = 8 + (int64_t)strlen(lies[i].header);
		int64_t offset = lies[i].offset >= 0    ? lies[i].offset
		                 : lies[i].offset == -2 ? data
		                 : lies[i].offset == -3 ? data + 8
		                                        : data + 6;
		CHECK_FAILS(skip_st_open(make_file(lies[i].header, lies[i].data, lies[i].length), &file, &err), SKIP_ERR_INPUT);
		cr_expect(strstr(err.message, lies[i].message) != NULL, "%s: %s", lies[i].header, err.message);
		cr_expect(err.offset == offset, "%s: offset %lld, wanted %lld", lies[i].header, (long long)err.offset, (long long)offset);
		cr_expect(strstr(err.file, "x.safetensors") != NULL);
		cr_assert(file == NULL);
	}
}

Test(safetensors, names_that_are_too_long)
{
	struct skip_err err;
	struct skip_st_file *file;
	char name[130], header[512];
	for (int length = 127; length <= 128; length++) {
		memset(name, 'n', sizeof(name));
		name[length] = '\0';
		snprintf(header, sizeof(header), "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", name);
		const char *path = make_file(header, 8, 0);
		if (length == 127) {
			CHECK_OK(skip_st_open(path, &file, &err));
			cr_assert(skip_st_find(file, name) != NULL);
			skip_st_close(file);
		} else {
			CHECK_FAILS(skip_st_open(path, &file, &err), SKIP_ERR_INPUT);
			cr_assert(strstr(err.message, "has 128 bytes; expected 1 to 127") != NULL);
		}
	}
}

/* Four tensors with different sizes, out of order of name. */
static void write_sample(const char *path)
{
	static const float numbers[61 * 7] = {1, 2, 3};
	static const unsigned char bytes[7] = {9, 8, 7};
	const struct skip_st_entry entries[] = {
	    {.name = "w", .dtype = SKIP_F32, .rank = 2, .dim = {3, 7}, .data = numbers},
	    {.name = "b", .dtype = SKIP_U8, .rank = 1, .dim = {7}, .data = bytes},
	    {.name = "empty", .dtype = SKIP_F64, .rank = 1, .dim = {0}, .data = NULL},
	    {.name = "a \"q\"", .dtype = SKIP_F16, .rank = 3, .dim = {1, 2, 1}, .data = numbers},
	};
	toy_write_tensors(path, entries, 4);
}

Test(safetensors, writes_what_it_reads)
{
	struct skip_err err;
	struct skip_st_file *file;
	struct skip_buf first, second;
	write_sample(toy_path(folder, "a"));
	CHECK_OK(skip_st_open(toy_path(folder, "a"), &file, &err));
	cr_assert(eq(sz, file->count, 4));
	cr_assert(file->entries[0].offset % 64 == 0);
	cr_assert(skip_st_find(file, "a \"q\"") != NULL);
	toy_write_tensors(toy_path(folder, "b"), file->entries, file->count);
	skip_st_close(file);
	skip_buf_init(&first);
	skip_buf_init(&second);
	CHECK_OK(skip_file_read(toy_path(folder, "a"), &first, &err));
	CHECK_OK(skip_file_read(toy_path(folder, "b"), &second, &err));
	cr_assert(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
	skip_buf_deinit(&first);
	skip_buf_deinit(&second);
}

Test(safetensors, keeps_what_is_said_beside_the_tensors)
{
	struct skip_err err;
	struct skip_st_file *file;
	struct skip_output *output;
	const struct skip_st_entry entry = {.name = "a", .dtype = SKIP_U8, .rank = 1, .dim = {1}, .data = "x"};
	json_t *said = json_pack("{s:s, s:s}", "criterion", "fisher", "a \"q\"", "");
	CHECK_OK(skip_output_create_file(toy_path(folder, "said"), &output, &err));
	CHECK_OK(skip_st_write(output, NULL, &entry, 1, said, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
	CHECK_OK(skip_st_open(toy_path(folder, "said"), &file, &err));
	cr_assert(json_equal(file->metadata, said));
	cr_assert(eq(sz, file->count, 1));
	skip_st_close(file);
	json_decref(said);
	write_sample(toy_path(folder, "a"));
	CHECK_OK(skip_st_open(toy_path(folder, "a"), &file, &err));
	cr_assert(file->metadata == NULL);
	skip_st_close(file);
}

Test(safetensors, refuses_two_tensors_of_one_name)
{
	struct skip_err err;
	struct skip_output *output;
	const struct skip_st_entry twins[] = {{.name = "a", .dtype = SKIP_U8, .rank = 1, .dim = {1}, .data = "x"},
	                                      {.name = "a", .dtype = SKIP_U8, .rank = 1, .dim = {1}, .data = "y"}};
	CHECK_OK(skip_output_create_file(toy_path(folder, "out"), &output, &err));
	CHECK_FAILS(skip_st_write(output, NULL, twins, 2, NULL, &err), SKIP_ERR_INTERNAL);
	cr_assert(eq(str, err.message, "two tensors are called 'a'"));
	skip_output_destroy(output);
}

Test(safetensors, a_full_disk_is_reported)
{
	struct skip_err err;
	struct skip_output *output;
	static const float numbers[40000];
	const struct skip_st_entry entry = {.name = "a", .dtype = SKIP_F32, .rank = 1, .dim = {40000}, .data = numbers};
	CHECK_OK(skip_output_create_file("/dev/full", &output, &err));
	CHECK_FAILS(skip_st_write(output, NULL, &entry, 1, NULL, &err), SKIP_ERR_OUTPUT);
	cr_assert(strstr(err.message, "No space left on device") != NULL);
	skip_output_destroy(output);
}

Test(safetensors, truncation_at_every_byte)
{
	struct skip_err err;
	struct skip_buf whole;
	struct skip_st_file *file;
	write_sample(toy_path(folder, "a"));
	skip_buf_init(&whole);
	CHECK_OK(skip_file_read(toy_path(folder, "a"), &whole, &err));
	for (size_t size = 0; size < whole.length; size++) {
		file = NULL;
		toy_write_file(folder, "cut", whole.data, size);
		CHECK_FAILS(skip_st_open(toy_path(folder, "cut"), &file, &err), SKIP_ERR_INPUT);
		cr_assert(err.offset >= 0 && strstr(err.file, "/cut") != NULL && file == NULL);
	}
	skip_buf_deinit(&whole);
}

/* Any byte of the header may be anything: refused or read, never a crash, and what is read lies inside the file. */
Test(safetensors, damage_at_every_byte_of_the_header)
{
	struct skip_err err;
	struct skip_buf whole;
	static const char values[] = {0, '0', '9', '"', '}', '[', ',', '-', (char)0xff};
	write_sample(toy_path(folder, "a"));
	skip_buf_init(&whole);
	CHECK_OK(skip_file_read(toy_path(folder, "a"), &whole, &err));
	size_t header = 8 + (size_t)(unsigned char)whole.data[0] + 256 * (size_t)(unsigned char)whole.data[1];
	for (size_t at = 0; at < header; at++) {
		char old = whole.data[at];
		for (size_t v = 0; v < sizeof(values); v++) {
			struct skip_st_file *file = NULL;
			whole.data[at] = values[v];
			toy_write_file(folder, "hurt", whole.data, whole.length);
			enum skip_status status = skip_st_open(toy_path(folder, "hurt"), &file, &err);
			cr_assert(status == SKIP_OK || status == SKIP_ERR_INPUT);
			for (size_t i = 0; file && i < file->count; i++)
				cr_assert(file->entries[i].bytes <= whole.length - (size_t)file->entries[i].offset);
			skip_st_close(file);
		}
		whole.data[at] = old;
	}
	skip_buf_deinit(&whole);
}

static void *counted_malloc(size_t size)
{
	return skip_alloc_array(1, size);
}

Test(safetensors, survives_failing_allocations)
{
	struct skip_err err;
	size_t n = 1;
	json_set_alloc_funcs(counted_malloc, skip_free);
	write_sample(toy_path(folder, "a"));
	for (; n < 2000; n++) {
		struct skip_st_file *file = NULL;
		struct skip_output *output = NULL;
		json_t *said = json_pack("{s:s}", "criterion", "fisher");
		skip_alloc_fail_at(n);
		enum skip_status status = skip_st_open(toy_path(folder, "a"), &file, &err);
		if (status == SKIP_OK) status = skip_output_create_file(toy_path(folder, "b"), &output, &err);
		if (status == SKIP_OK) status = skip_st_write(output, NULL, file->entries, file->count, said, &err);
		skip_alloc_fail_at(0);
		json_decref(said);
		skip_st_close(file);
		skip_output_destroy(output);
		if (status == SKIP_OK) break;
		/* inside a string jansson reports a failed allocation as a bad token */
		cr_assert(status == SKIP_ERR_NOMEM || status == SKIP_ERR_INPUT, "allocation %zu: %s", n, err.message);
	}
	cr_assert(n > 10 && n < 2000, "%zu", n);
}
