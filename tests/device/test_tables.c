/* Sizes and index tables of a batch against a plain second way of computing them. */
#include "base/rng.h"
#include "check.h"
#include "device/run/run.h"
#include <string.h>

#define MAX_ROWS 400

struct layout {
	int prefix, query_block, key_align;
};

ParameterizedTestParameters(tables, say_what_plan_h_says)
{
	static struct layout layouts[] = {{0, 8, 16}, {20, 8, 16}, {7, 4, 4}, {1, 1, 1}, {61, 5, 8}};
	return cr_make_param_array(struct layout, layouts, sizeof(layouts) / sizeof(layouts[0]));
}

static int32_t table_of[SKIP_BATCH_DATA_COUNT][4 * MAX_ROWS + 8];

/* Fills every table with guard words behind it. */
static void fill_all(const struct skip_batch *batch, const struct skip_plan *plan, const struct skip_sizes *sizes)
{
	for (int d = 0; d < SKIP_BATCH_DATA_COUNT; d++) {
		size_t n = skip_batch_table_count((enum skip_batch_data)d, sizes);
		cr_assert(n + 8 <= sizeof(table_of[d]) / sizeof(int32_t));
		memset(table_of[d], 0x5a, sizeof(table_of[d]));
		skip_batch_table_fill(batch, plan, (enum skip_batch_data)d, table_of[d]);
		for (size_t i = n; i < n + 8; i++) cr_assert(table_of[d][i] == 0x5a5a5a5a, "table %d writes past its end", d);
		if (n > 0) cr_assert(table_of[d][n - 1] != 0x5a5a5a5a, "table %d is not full", d);
	}
}

static void check_batch(const struct skip_batch *batch)
{
	for (int t = 0; t < batch->n_tokens; t++) {
		int b = 0;
		while (batch->offset[b + 1] <= t) b++;
		cr_expect(table_of[SKIP_BATCH_SEQ][t] == b);
		cr_expect(table_of[SKIP_BATCH_POSITIONS][t] == t - batch->offset[b]);
		cr_expect(table_of[SKIP_BATCH_IDS][t] == batch->ids[t] && table_of[SKIP_BATCH_TYPES][t] == batch->types[t]);
	}
}

ParameterizedTest(struct layout *layout, tables, say_what_plan_h_says)
{
	struct skip_err err;
	struct skip_rng rng;
	const struct skip_plan plan = {.prefix = layout->prefix, .query_block = layout->query_block, .key_align = layout->key_align};
	skip_rng_init(&rng, 3, "tables");
	for (int trial = 0; trial < 40; trial++) {
		int32_t offset[33] = {0}, ids[MAX_ROWS], types[MAX_ROWS];
		int n_seqs = 1 + (int)skip_rng_below(&rng, 12);
		for (int b = 0; b < n_seqs; b++) offset[b + 1] = offset[b] + 1 + (int32_t)skip_rng_below(&rng, 33);
		for (int t = 0; t < offset[n_seqs]; t++) ids[t] = 1000 + t, types[t] = t & 1;
		const struct skip_batch batch = {offset[n_seqs], n_seqs, ids, types, offset};
		struct skip_sizes sizes;
		CHECK_OK(skip_batch_sizes(&batch, &plan, &sizes, &err));
		fill_all(&batch, &plan, &sizes);
		check_batch(&batch);
		int32_t keys = 0, block = 0;
		for (int b = 0; b < n_seqs; b++) {
			cr_expect(table_of[SKIP_BATCH_OFFSET][b] == offset[b] && table_of[SKIP_BATCH_KEY_OFFSET][b] == keys);
			cr_expect(keys % layout->key_align == 0);
			for (int32_t t = offset[b]; t < offset[b + 1]; block++) {
				const int32_t *q = &table_of[SKIP_BATCH_QBLOCK][4 * block];
				cr_expect(q[0] == b && q[1] == t && q[3] == keys);
				cr_expect(q[2] >= 1 && q[2] <= layout->query_block && t + q[2] <= offset[b + 1]);
				cr_expect(q[2] == layout->query_block || t + q[2] == offset[b + 1]);
				t += q[2];
			}
			for (int i = 0; i < layout->prefix + offset[b + 1] - offset[b] || keys % layout->key_align; i++) keys++;
		}
		cr_expect(table_of[SKIP_BATCH_OFFSET][n_seqs] == offset[n_seqs] && table_of[SKIP_BATCH_KEY_OFFSET][n_seqs] == keys);
		cr_expect(sizes.of[SKIP_SIZE_ONE] == 1 && sizes.of[SKIP_SIZE_T] == offset[n_seqs] && sizes.of[SKIP_SIZE_B] == n_seqs);
		cr_expect(sizes.of[SKIP_SIZE_R] == keys && sizes.of[SKIP_SIZE_Q] == block);
	}
}

Test(tables, extents_round_up)
{
	const struct skip_sizes sizes = {{1, 61, 7, 112, 16}};
	const struct {
		struct skip_extent extent;
		int64_t rows;
	} cases[] = {
	    {{SKIP_SIZE_T, 1, 0, 1}, 61}, {{SKIP_SIZE_T, 1, 0, 12}, 6},
	    {{SKIP_SIZE_B, 1, 1, 1}, 8},  {{SKIP_SIZE_ONE, 384, 0, 32}, 12},
	    {{SKIP_SIZE_R, 3, 2, 5}, 68}, {{SKIP_SIZE_Q, 0, 0, 1}, 0},
	    {{SKIP_SIZE_T, 1, 0, 61}, 1}, {{SKIP_SIZE_T, INT32_MAX, 0, 1}, (int64_t)61 * INT32_MAX},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect(skip_extent_rows(&cases[i].extent, &sizes) == cases[i].rows, "case %zu", i);
	}
}
