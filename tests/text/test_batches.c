/* Plans of batches and packing. */
#include "base/alloc.h"
#include "check.h"
#include "text/dataset.h"
#include <string.h>

/* n rows of made-up lengths 2..max; ids count up over the whole dataset. */
static struct skip_dataset make_rows(size_t n, int max)
{
	struct skip_dataset data = {.n_rows = n};
	struct skip_rng rng;
	skip_rng_init(&rng, 3, "lengths");
	data.offset = skip_alloc_zeroed(n + 1, sizeof(*data.offset));
	data.label = skip_alloc_zeroed(n, sizeof(*data.label));
	for (size_t i = 0; i < n; i++) data.offset[i + 1] = data.offset[i] + 2 + (int64_t)skip_rng_below(&rng, (uint64_t)max - 1);
	data.ids = skip_alloc_array((size_t)data.offset[n], sizeof(*data.ids));
	data.types = skip_alloc_array((size_t)data.offset[n], sizeof(*data.types));
	for (int64_t t = 0; t < data.offset[n]; t++) {
		data.ids[t] = (int32_t)t;
		data.types[t] = (int32_t)(t % 3);
	}
	return data;
}

static int64_t length_of(const struct skip_dataset *data, int row)
{
	return data->offset[row + 1] - data->offset[row];
}

/* Every row once, batches in one piece, none empty. */
static void covers_all(const struct skip_dataset *data, const struct skip_batches *batches)
{
	char *seen = skip_alloc_zeroed(data->n_rows, 1);
	cr_assert(batches->start[0] == 0 && batches->start[batches->n_batches] == data->n_rows);
	for (size_t i = 0; i < batches->n_batches; i++) cr_assert(batches->start[i] < batches->start[i + 1]);
	for (size_t i = 0; i < data->n_rows; i++) {
		cr_assert(batches->rows[i] >= 0 && (size_t)batches->rows[i] < data->n_rows && !seen[batches->rows[i]]);
		seen[batches->rows[i]] = 1;
	}
	skip_free(seen);
}

struct size_case {
	size_t rows;
	int size;
};

ParameterizedTestParameters(batches, by_size)
{
	static struct size_case cases[] = {{0, 7}, {1, 1}, {1, 7}, {7, 7}, {61, 7}, {61, 1}, {610, 4}, {611, 3}};
	return cr_make_param_array(struct size_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct size_case *c, batches, by_size)
{
	struct skip_err err;
	struct skip_batches plain, a, b, other;
	struct skip_rng rng;
	struct skip_dataset data = make_rows(c->rows, 61);
	size_t n = (c->rows + (size_t)c->size - 1) / (size_t)c->size, chunk = 24 * (size_t)c->size;
	CHECK_OK(skip_batches_plain(&data, c->size, &plain, &err));
	covers_all(&data, &plain);
	cr_assert(eq(sz, plain.n_batches, n));
	for (size_t i = 0; i < c->rows; i++) cr_assert(plain.rows[i] == (int)i);
	for (size_t i = 0; i + 1 < n; i++) cr_assert(plain.start[i + 1] - plain.start[i] == (size_t)c->size);
	skip_rng_init(&rng, 5, "order");
	CHECK_OK(skip_batches_shuffled(&data, c->size, &rng, &a, &err));
	CHECK_OK(skip_batches_shuffled(&data, c->size, &rng, &other, &err));
	skip_rng_init(&rng, 5, "order");
	CHECK_OK(skip_batches_shuffled(&data, c->size, &rng, &b, &err));
	covers_all(&data, &a);
	cr_assert(a.n_batches == n && b.n_batches == n);
	cr_assert(memcmp(a.rows, b.rows, c->rows * sizeof(*a.rows)) == 0, "one seed, two orders");
	cr_assert(memcmp(a.start, b.start, (n + 1) * sizeof(*a.start)) == 0);
	if (c->rows > 60) cr_assert(memcmp(a.rows, other.rows, c->rows * sizeof(*a.rows)) != 0, "two epochs, one order");
	int64_t spread = 0; /* sorted within a chunk: batches of a large chunk hold near-equal lengths */
	for (size_t i = 0; i < n; i++) {
		for (size_t j = a.start[i] + 1; j < a.start[i + 1]; j++)
			cr_assert(length_of(&data, a.rows[j - 1]) <= length_of(&data, a.rows[j]));
		spread += length_of(&data, a.rows[a.start[i + 1] - 1]) - length_of(&data, a.rows[a.start[i]]);
	}
	if (c->rows >= chunk) cr_assert(spread < 8 * (int64_t)n, "mean spread %g", (double)spread / (double)n);
	skip_batches_deinit(&plain);
	skip_batches_deinit(&a);
	skip_batches_deinit(&b);
	skip_batches_deinit(&other);
	skip_dataset_deinit(&data);
}

struct limit_case {
	size_t rows;
	int max_tokens, max_rows;
};

ParameterizedTestParameters(batches, by_length)
{
	static struct limit_case cases[] = {{0, 10, 10},     {1, 1, 1},     {61, 1, 7},           {61, 128, 1000},
	                                    {61, 100000, 7}, {610, 128, 7}, {610, 100000, 100000}};
	return cr_make_param_array(struct limit_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct limit_case *c, batches, by_length)
{
	struct skip_err err;
	struct skip_batches plan;
	struct skip_dataset data = make_rows(c->rows, 61);
	CHECK_OK(skip_batches_sorted(&data, c->max_tokens, c->max_rows, &plan, &err));
	covers_all(&data, &plan);
	for (size_t i = 1; i < c->rows; i++) {
		int64_t before = length_of(&data, plan.rows[i - 1]), here = length_of(&data, plan.rows[i]);
		cr_assert(before < here || (before == here && plan.rows[i - 1] < plan.rows[i]), "not in stable order of length at %zu", i);
	}
	for (size_t i = 0; i < plan.n_batches; i++) {
		int64_t tokens = 0, n = (int64_t)(plan.start[i + 1] - plan.start[i]);
		for (size_t j = plan.start[i]; j < plan.start[i + 1]; j++) tokens += length_of(&data, plan.rows[j]);
		cr_assert(n <= c->max_rows && (tokens <= c->max_tokens || n == 1), "batch %zu: %lld rows, %lld tokens", i, (long long)n,
		          (long long)tokens);
		if (i + 1 < plan.n_batches) /* full: the next row would have been too much */
			cr_assert(n == c->max_rows || tokens + length_of(&data, plan.rows[plan.start[i + 1]]) > c->max_tokens,
			          "batch %zu is not full", i);
	}
	skip_batches_deinit(&plan);
	skip_dataset_deinit(&data);
}

Test(batches, packs)
{
	struct skip_err err;
	struct skip_packer packer;
	struct skip_dataset data = make_rows(61, 7);
	struct skip_rng rng;
	int order[61];
	skip_packer_init(&packer);
	skip_rng_init(&rng, 1, "pack");
	static const size_t sizes[] = {1, 0, 7, 61, 3};
	for (size_t k = 0; k < 5; k++) {
		size_t n = sizes[k];
		skip_rng_permute(&rng, order, 61);
		CHECK_OK(skip_packer_pack(&packer, &data, order, n, &err));
		const struct skip_batch *batch = &packer.batch;
		cr_assert(batch->n_seqs == (int)n && batch->offset[0] == 0 && batch->offset[n] == batch->n_tokens);
		for (size_t b = 0; b < n; b++) {
			cr_assert(batch->offset[b + 1] - batch->offset[b] == length_of(&data, order[b]));
			for (int t = batch->offset[b]; t < batch->offset[b + 1]; t++) {
				int64_t from = data.offset[order[b]] + t - batch->offset[b];
				cr_assert(batch->ids[t] == data.ids[from] && batch->types[t] == data.types[from]);
			}
		}
	}
	skip_packer_deinit(&packer);
	skip_packer_deinit(NULL);
	skip_dataset_deinit(&data);
}

Test(batches, survive_lack_of_memory)
{
	struct skip_err err;
	struct skip_dataset data = make_rows(61, 7);
	int rows[61];
	for (int i = 0; i < 61; i++) rows[i] = i;
	size_t n = 1, failures = 0;
	for (bool done = false; !done; n++) {
		struct skip_batches a = {0}, b = {0}, c = {0};
		struct skip_packer packer;
		struct skip_rng rng;
		skip_rng_init(&rng, 1, "order");
		skip_packer_init(&packer);
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_batches_shuffled(&data, 7, &rng, &a, &err);
		if (status == SKIP_OK) status = skip_batches_sorted(&data, 40, 7, &b, &err);
		if (status == SKIP_OK) status = skip_batches_plain(&data, 7, &c, &err);
		if (status == SKIP_OK) status = skip_packer_pack(&packer, &data, rows, 7, &err);
		if (status == SKIP_OK) status = skip_packer_pack(&packer, &data, rows, 61, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM);
		done = status == SKIP_OK;
		failures += !done;
		skip_batches_deinit(&a);
		skip_batches_deinit(&b);
		skip_batches_deinit(&c);
		skip_packer_deinit(&packer);
	}
	cr_assert(failures >= 15, "only %zu", failures);
	skip_dataset_deinit(&data);
}
