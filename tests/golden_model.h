/*
 * The checkpoints of tests/golden/models (tools/make-golden): folders for any test, and what transformers computes with them.
 *
 *     char names[64][GOLDEN_NAME];
 *     size_t n = golden_list(names);             -- every folder, sorted
 *     golden_write(names[i], folder);            -- config.json and model.safetensors into `folder`, the numbers made from weights.tsv
 *     struct golden golden = golden_open(names[i]);
 */
#ifndef SKIP_TESTS_GOLDEN_MODEL_H
#define SKIP_TESTS_GOLDEN_MODEL_H

#include "base/alloc.h"
#include "base/batch.h"
#include "base/rng.h"
#include "toy_folder.h"
#include <dirent.h>

#define GOLDEN_NAME 40
#define GOLDEN_MAX 96

struct golden {
	struct skip_st_file *file;
	struct skip_batch batch;
	const int32_t *rows; /* [n_rows] tokens whose hidden states are known */
	int n_rows, width, classes;
	const double *hidden;       /* [n_rows][width] */
	const double *logits;       /* [B][classes], NULL without a head */
	double hidden_error, logits_error; /* of PyTorch's float32 */
};

/* tests/golden/models/<name>/<file>, in one of two static buffers. */
static inline const char *golden_path(const char *name, const char *file)
{
	static char path[2][1024];
	static int next;
	const char *source = getenv("SKIP_TEST_SOURCE");
	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/tests/golden/models/%s%s%s", source ? source : ".", name, file[0] ? "/" : "", file);
	return path[next];
}

static inline int golden_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static inline size_t golden_list(char names[GOLDEN_MAX][GOLDEN_NAME])
{
	size_t n = 0;
	DIR *folder = opendir(golden_path("", ""));
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.' || n == GOLDEN_MAX) continue;
		if (access(golden_path(entry->d_name, "weights.tsv"), R_OK) != 0) continue;
		snprintf(names[n++], GOLDEN_NAME, "%.39s", entry->d_name);
	}
	if (folder) closedir(folder);
	qsort(names, n, GOLDEN_NAME, golden_compare);
	return n;
}

/* The bits of `number`, which the recipes make exact, in `dtype`, to `out`; returns their size. */
static inline size_t golden_encode(enum skip_dtype dtype, float number, unsigned char *out)
{
	uint32_t wide;
	memcpy(&wide, &number, sizeof(wide));
	if (dtype == SKIP_F32) {
		memcpy(out, &wide, sizeof(wide));
		return sizeof(wide);
	}
	uint32_t sign = wide >> 16 & 0x8000, exponent = wide >> 23 & 0xff, fraction = wide >> 13 & 0x3ff;
	uint16_t narrow = (uint16_t)(dtype == SKIP_BF16 ? wide >> 16 : number != 0 ? sign | (exponent - 112) << 10 | fraction : sign);
	float back;
	skip_dtype_to_f32(dtype, &narrow, 1, &back);
	cr_assert(back == number, "%g is not exact in %s", (double)number, skip_dtype_name(dtype));
	memcpy(out, &narrow, sizeof(narrow));
	return sizeof(narrow);
}

/* One line of weights.tsv as a tensor. */
static inline struct skip_st_entry golden_tensor(const char *line)
{
	struct skip_st_entry entry = {.rank = 0};
	char dtype[8], shape[64];
	int mean, bits, step;
	size_t count = 1;
	uint32_t key = 0x811c9dc5u; /* FNV-1a */
	int fields = sscanf(line, "%127s %7s %63s %d %d %d", entry.name, dtype, shape, &mean, &bits, &step);
	cr_assert(fields == 6, "not a tensor: %s", line);
	for (entry.dtype = SKIP_F64; strcmp(skip_dtype_name(entry.dtype), dtype) != 0;) entry.dtype++;
	for (char *at = shape; *at; at += *at == 'x') {
		entry.dim[entry.rank] = strtol(at, &at, 10);
		count *= (size_t)entry.dim[entry.rank++];
	}
	for (const char *c = entry.name; *c; c++) key = (key ^ (unsigned char)*c) * 0x01000193u;
	entry.bytes = count * skip_dtype_size(entry.dtype);
	unsigned char *data = skip_alloc_array(count, skip_dtype_size(entry.dtype)), *at = data;
	cr_assert(data != NULL);
	for (uint32_t i = 0; i < count; i++) {
		int k = (int)(skip_rng_hash(key, i, 0) >> (32 - bits)) - (1 << (bits - 1));
		at += golden_encode(entry.dtype, (float)(mean + ldexp(k, step)), at);
	}
	entry.data = data;
	return entry;
}

/* A file of the repository, whole. */
static inline struct skip_buf golden_read(const char *path)
{
	struct skip_err err;
	struct skip_buf text;
	skip_buf_init(&text);
	CHECK_OK(skip_file_read(path, &text, &err));
	return text;
}

/* config.json and model.safetensors of golden `name` into `folder`. */
static inline void golden_write(const char *name, const char *folder)
{
	static struct skip_st_entry entry[1024];
	size_t n = 0;
	char *rest = NULL;
	struct skip_buf config = golden_read(golden_path(name, "config.json")), weights = golden_read(golden_path(name, "weights.tsv"));
	toy_write_text(folder, "config.json", skip_buf_text(&config));
	for (char *line = strtok_r(weights.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) entry[n++] = golden_tensor(line);
	toy_write_tensors(toy_path(folder, "model.safetensors"), entry, n);
	for (size_t i = 0; i < n; i++) skip_free((void *)(uintptr_t)entry[i].data);
	skip_buf_deinit(&weights);
	skip_buf_deinit(&config);
}

static inline const struct skip_st_entry *golden_entry(const struct skip_st_file *file, const char *name)
{
	const struct skip_st_entry *entry = skip_st_find(file, name);
	cr_assert(entry != NULL, "no %s", name);
	return entry;
}

static inline struct golden golden_open(const char *name)
{
	struct skip_err err;
	struct golden golden = {0};
	CHECK_OK(skip_st_open(golden_path(name, "expected.safetensors"), &golden.file, &err));
	const struct skip_st_entry *ids = golden_entry(golden.file, "ids"), *offset = golden_entry(golden.file, "offset");
	const struct skip_st_entry *hidden = golden_entry(golden.file, "hidden"), *logits = skip_st_find(golden.file, "logits");
	golden.batch = (struct skip_batch){.n_tokens = (int)ids->dim[0], .n_seqs = (int)offset->dim[0] - 1, .ids = ids->data, .offset = offset->data,
	                                   .types = golden_entry(golden.file, "types")->data};
	golden.rows = golden_entry(golden.file, "rows")->data;
	golden.n_rows = (int)hidden->dim[0];
	golden.width = (int)hidden->dim[1];
	golden.hidden = hidden->data;
	golden.logits = logits ? logits->data : NULL;
	golden.classes = logits ? (int)logits->dim[1] : 0;
	const double *error = golden_entry(golden.file, "errors")->data;
	golden.hidden_error = error[0];
	golden.logits_error = error[1];
	return golden;
}

static inline void golden_close(struct golden *golden)
{
	skip_st_close(golden->file);
}

#endif
