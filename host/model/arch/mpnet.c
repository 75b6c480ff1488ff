/*
 * MPNet (Song et al., arXiv 2004.09297; Hugging Face MPNetModel): BERT's encoder, positions counted as in RoBERTa, and a bias of the scores that depends
 * on the distance of query and key. The file holds it once, [buckets][H]; here every layer has a table by distance of its own, because heads leave
 * layer by layer.
 */
#include "base/alloc.h"
#include "model/config.h"
#include "model/encoder.h"
#include <math.h>
#include <stdlib.h>

#define FARTHEST 128 /* distances from here on share a bucket */

static const struct skip_layer_names layer_names = {
    .query = "attention.attn.q",
    .key = "attention.attn.k",
    .value = "attention.attn.v",
    .output = "attention.attn.o",
    .attention_norm = "attention.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .ffn_norm = "output.LayerNorm",
};

/*
 * T5's buckets (Raffel et al., 2020): a half of them for keys before the query, a half for those behind; in each, the first half are single distances and
 * the others grow with the logarithm.
 */
static int bucket_of(int away, int buckets)
{
	const int half = buckets / 2, exact = half / 2, far = abs(away);
	int bucket = far;
	if (far >= exact) {
		/* In float32, as the models were trained: the edges of buckets are where its rounding puts them. */
		float step = logf((float)far / (float)exact) / (float)log((double)FARTHEST / exact) * (float)(half - exact);
		bucket = exact + (int)step;
		if (bucket > half - 1) bucket = half - 1;
	}
	return bucket + (away < 0 ? half : 0);
}

/* The bias of layer l, [H][2N-1] by query - key. */
static enum skip_status add_bias(struct skip_build *build, const struct skip_encoder *encoder, const struct skip_tensor *table, int l, int *out,
                                 struct skip_err *err)
{
	const int longest = encoder->positions - encoder->position_base, buckets = (int)table->dim[0], columns = 2 * longest - 1;
	float *numbers, *by_bucket = skip_alloc_array((size_t)buckets, (size_t)encoder->heads * sizeof(float));
	char name[SKIP_TENSOR_NAME];
	enum skip_status status;
	if (!by_bucket) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the bias of %d buckets", buckets);
	skip_tensor_to_f32(table, by_bucket);
	snprintf(name, sizeof(name), "encoder.layer.%d.attention.bias", l);
	SKIP_TRY(skip_build_made(build, name, encoder->heads, columns, out, &numbers, err));
	for (int h = 0; h < encoder->heads; h++)
		for (int c = 0; c < columns; c++)
			numbers[h * columns + c] = by_bucket[bucket_of(c - (longest - 1), buckets) * encoder->heads + h];
cleanup:
	skip_free(by_bucket);
	return status;
}

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	struct skip_tensor *bias = NULL;
	enum skip_status status;
	int64_t dim[2];
	int x, buckets;
	SKIP_TRY(skip_encoder_read(config, &encoder, err));
	SKIP_TRY(skip_config_size_or(config, "relative_attention_num_buckets", 32, 1 << 16, &buckets, err));
	if (buckets < 4 || encoder.positions < 3)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported relative_attention_num_buckets %d, max_position_embeddings %d", buckets,
		                      encoder.positions));
	encoder.types = 0;
	encoder.position_base = 2; /* behind the padding token, which is always 1 */
	dim[0] = buckets;
	dim[1] = encoder.heads;
	SKIP_TRY(skip_checkpoint_tensor(build->checkpoint, build->prefixes, "encoder.relative_attention_bias.weight", "bias", 2, dim, &bias, err));
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	for (int l = 0; l < encoder.layers; l++) {
		char stem[SKIP_TENSOR_NAME];
		int tables[3] = {SKIP_NONE, SKIP_NONE, SKIP_NONE};
		SKIP_TRY(add_bias(build, &encoder, bias, l, &tables[0], err));
		encoder.tables = tables;
		snprintf(stem, sizeof(stem), "encoder.layer.%d.", l);
		SKIP_TRY(skip_encoder_layer(build, &encoder, l, stem, &layer_names, &x, err));
	}
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	skip_tensor_unref(bias);
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(
	    build, &(struct skip_build_head){.dense = "classifier.dense", .act = SKIP_ACT_TANH, .out = "classifier.out_proj"}, err);
}

static const char *const types[] = {"mpnet", NULL}, *const prefixes[] = {"", "mpnet.", NULL};

const struct skip_arch skip_arch_mpnet = {
    .types = types,
    .prefixes = prefixes,
    .pooler = "pooler.dense",
    .build = build,
    .head = head,
};
