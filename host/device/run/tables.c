/* The batch on the device: run-time sizes and index tables (enum skip_batch_data). */
#include "device/run/run.h"
#include <assert.h>

int64_t skip_extent_rows(const struct skip_extent *extent, const struct skip_sizes *sizes)
{
	int64_t size = sizes->of[extent->size];
	return (extent->mul * size + extent->add + extent->div - 1) / extent->div;
}

static int64_t round_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

enum skip_status skip_batch_sizes(const struct skip_batch *batch, const struct skip_plan *plan, struct skip_sizes *out,
				  struct skip_err *err)
{
	int64_t keys = 0, blocks = 0;
	if (batch->n_seqs < 1 || batch->n_tokens < 1) {
		return skip_err_set(err, SKIP_ERR_INPUT, "a batch needs at least one sequence and one token, found %d and %d",
				    batch->n_seqs, batch->n_tokens);
	}
	if (batch->offset[0] != 0 || batch->offset[batch->n_seqs] != batch->n_tokens) {
		return skip_err_set(err, SKIP_ERR_INPUT, "offsets of a batch run from 0 to %d, found %d to %d", batch->n_tokens,
				    batch->offset[0], batch->offset[batch->n_seqs]);
	}
	for (int b = 0; b < batch->n_seqs; b++) {
		int64_t n = (int64_t)batch->offset[b + 1] - batch->offset[b];
		if (n < 1) return skip_err_set(err, SKIP_ERR_INPUT, "sequence %d of a batch has %lld tokens", b, (long long)n);
		keys += round_up(plan->prefix + n, plan->key_align);
		blocks += (n + plan->query_block - 1) / plan->query_block;
	}
	if (keys > INT32_MAX) return skip_err_set(err, SKIP_ERR_INPUT, "a batch of %lld key rows is too large", (long long)keys);
	out->of[SKIP_SIZE_ONE] = 1;
	out->of[SKIP_SIZE_T] = batch->n_tokens;
	out->of[SKIP_SIZE_B] = batch->n_seqs;
	out->of[SKIP_SIZE_R] = (int32_t)keys;
	out->of[SKIP_SIZE_Q] = (int32_t)blocks;
	return SKIP_OK;
}

size_t skip_batch_table_count(enum skip_batch_data data, const struct skip_sizes *sizes)
{
	switch (data) {
	case SKIP_BATCH_IDS:
	case SKIP_BATCH_TYPES:
	case SKIP_BATCH_POSITIONS:
	case SKIP_BATCH_SEQ:
		return (size_t)sizes->of[SKIP_SIZE_T];
	case SKIP_BATCH_OFFSET:
	case SKIP_BATCH_KEY_OFFSET:
		return (size_t)sizes->of[SKIP_SIZE_B] + 1;
	case SKIP_BATCH_QBLOCK:
		return (size_t)sizes->of[SKIP_SIZE_Q] * 4;
	case SKIP_BATCH_DATA_COUNT:
		break;
	}
	return 0;
}

static void fill_rows(const struct skip_batch *batch, enum skip_batch_data data, int32_t *out)
{
	for (int b = 0; b < batch->n_seqs; b++) {
		for (int32_t t = batch->offset[b]; t < batch->offset[b + 1]; t++)
			out[t] = data == SKIP_BATCH_SEQ ? b : t - batch->offset[b];
	}
}

static void fill_key_offsets(const struct skip_batch *batch, const struct skip_plan *plan, int32_t *out)
{
	out[0] = 0;
	for (int b = 0; b < batch->n_seqs; b++) {
		out[b + 1] = out[b] + (int32_t)round_up(plan->prefix + batch->offset[b + 1] - batch->offset[b], plan->key_align);
	}
}

static void fill_query_blocks(const struct skip_batch *batch, const struct skip_plan *plan, int32_t *out)
{
	int32_t key = 0;
	for (int b = 0; b < batch->n_seqs; b++) {
		int32_t end = batch->offset[b + 1];
		for (int32_t t = batch->offset[b]; t < end; t += plan->query_block, out += 4) {
			out[0] = b;
			out[1] = t;
			out[2] = end - t < plan->query_block ? end - t : plan->query_block;
			out[3] = key;
		}
		key += (int32_t)round_up(plan->prefix + end - batch->offset[b], plan->key_align);
	}
}

void skip_batch_table_fill(const struct skip_batch *batch, const struct skip_plan *plan, enum skip_batch_data data, int32_t *out)
{
	switch (data) {
	case SKIP_BATCH_IDS:
		for (int t = 0; t < batch->n_tokens; t++) out[t] = batch->ids[t];
		break;
	case SKIP_BATCH_TYPES:
		for (int t = 0; t < batch->n_tokens; t++) out[t] = batch->types[t];
		break;
	case SKIP_BATCH_POSITIONS:
	case SKIP_BATCH_SEQ:
		fill_rows(batch, data, out);
		break;
	case SKIP_BATCH_OFFSET:
		for (int b = 0; b <= batch->n_seqs; b++) out[b] = batch->offset[b];
		break;
	case SKIP_BATCH_KEY_OFFSET:
		fill_key_offsets(batch, plan, out);
		break;
	case SKIP_BATCH_QBLOCK:
		fill_query_blocks(batch, plan, out);
		break;
	case SKIP_BATCH_DATA_COUNT:
		assert(false);
	}
}
