/* Calibration rows: calibration.h. */
#include "method/search/calibration.h"
#include "base/alloc.h"
#include "graph/op.h"

#define BATCH_TOKENS 1024

static enum skip_status choose(const struct skip_dataset *data, int sentences, int64_t tokens, uint64_t seed, struct skip_dataset *out,
			       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rng rng;
	int *order = skip_alloc_array(data->n_rows, sizeof(*order));
	if (!order) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", data->n_rows);
	skip_rng_init(&rng, seed, "calibration");
	skip_rng_permute(&rng, order, data->n_rows);
	size_t n = 0;
	int64_t drawn = 0;
	while (n < data->n_rows && n < (size_t)sentences) {
		drawn += data->offset[order[n] + 1] - data->offset[order[n]];
		if (n > 0 && drawn > tokens) break;
		n++;
	}
	SKIP_TRY(skip_dataset_take(data, order, n, out, err));
cleanup:
	skip_free(order);
	return status;
}

static enum skip_status pack(struct skip_calibration *c, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_batches batches = {0};
	SKIP_TRY(skip_batches_sorted(&c->data, BATCH_TOKENS, (int)c->data.n_rows, &batches, err));
	c->packer = skip_alloc_zeroed(batches.n_batches, sizeof(*c->packer));
	c->first_row = skip_alloc_array(c->data.n_rows, sizeof(*c->first_row));
	c->last_row = skip_alloc_array(c->data.n_rows, sizeof(*c->last_row));
	if (!c->packer || !c->first_row || !c->last_row) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu calibration batches", batches.n_batches);
		goto cleanup;
	}
	for (size_t i = 0, sentence = 0; i < batches.n_batches; i++) {
		struct skip_packer *packer = &c->packer[i];
		skip_packer_init(packer);
		c->n_batches = i + 1;
		SKIP_TRY(skip_packer_pack(packer, &c->data, batches.rows + batches.start[i], batches.start[i + 1] - batches.start[i], err));
		for (int b = 0; b < packer->batch.n_seqs; b++, sentence++) {
			c->first_row[sentence] = (int)c->n_rows + packer->batch.offset[b];
			c->last_row[sentence] = (int)c->n_rows + packer->batch.offset[b + 1] - 1;
		}
		c->n_rows += (size_t)packer->batch.n_tokens;
	}
cleanup:
	skip_batches_deinit(&batches);
	return status;
}

enum skip_status skip_calibration_init(const struct skip_dataset *data, int sentences, int64_t tokens, uint64_t seed,
				       struct skip_calibration *out, struct skip_err *err)
{
	struct skip_calibration c = {0};
	enum skip_status status = choose(data, sentences, tokens, seed, &c.data, err);
	if (status == SKIP_OK) status = pack(&c, err);
	if (status == SKIP_OK) *out = c;
	else
		skip_calibration_deinit(&c);
	return status;
}

enum skip_pool skip_calibration_pool(const struct skip_graph *graph)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (graph->nodes[n].op == skip_op_find("pool")) return graph->nodes[n].attrs.pool.mode;
	}
	return SKIP_POOL_MEAN;
}

void skip_calibration_deinit(struct skip_calibration *c)
{
	for (size_t i = 0; i < c->n_batches; i++) skip_packer_deinit(&c->packer[i]);
	skip_free(c->packer);
	skip_free(c->first_row);
	skip_free(c->last_row);
	skip_dataset_deinit(&c->data);
	*c = (struct skip_calibration){0};
}
