/*
 * DeBERTa-v2 and -v3 (He et al., arXiv 2006.03654, 2111.09543; Hugging Face DebertaV2Model): BERT's encoder with disentangled attention. Beside content to
 * content a score has content to position (c2p) and position to content (p2c):
 *
 *     Z_ij = (q_i . k_j + q_i . Rk[d_ij] + k_j . Rq[d_ij]) / sqrt(terms E),   Rk = P W^T + b, Rq = P W'^T + b',   d_ij a bucket of i - j
 *
 * P are embeddings of distances, the same for all layers, normed where the file says so; W and b are the layer's projections of keys and queries, or ones of
 * its own. Rk and Rq do not depend on the text: they are made here once, as the tables by distance of each layer.
 */
#include "base/alloc.h"
#include "model/config.h"
#include "model/encoder.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct deberta {
	struct skip_encoder encoder;
	bool relative, shared, c2p, p2c; /* shared: with the projections of content */
	bool normed;                     /* LayerNorm over the embeddings of distances */
	int buckets, farthest;           /* 0: single distances; distances from `farthest` on share a bucket */
	int span;                        /* half of the embeddings of distances */
	double *distance;                /* [2 span][D] */
};

/* "c2p|p2c", or a list. */
static bool has_kind(const json_t *config, const char *kind)
{
	const json_t *kinds = json_object_get(config, "pos_att_type");
	const char *text = json_string_value(kinds);
	bool found = text && strstr(text, kind) != NULL;
	for (size_t i = 0; i < json_array_size(kinds); i++) {
		const char *entry = json_string_value(json_array_get(kinds, i));
		found = found || (entry && !strcmp(entry, kind));
	}
	return found;
}

static enum skip_status read_relative(const json_t *config, struct deberta *it, struct skip_err *err)
{
	enum skip_status status;
	const char *norm;
	int64_t number;
	SKIP_TRY(skip_json_bool_or(config, "relative_attention", false, &it->relative, err));
	SKIP_TRY(skip_json_bool_or(config, "share_att_key", false, &it->shared, err));
	SKIP_TRY(skip_config_text_or(config, "norm_rel_ebd", "none", &norm, err));
	it->normed = strstr(norm, "layer_norm") != NULL;
	SKIP_TRY(skip_json_int_or(config, "max_relative_positions", -1, -1, 1 << 16, &number, err));
	it->farthest = number < 1 ? it->encoder.positions : (int)number;
	SKIP_TRY(skip_json_int_or(config, "position_buckets", -1, -1, 1 << 16, &number, err));
	it->buckets = number < 1 ? 0 : (int)number;
	it->span = it->buckets ? it->buckets : it->farthest;
	it->c2p = it->relative && has_kind(config, "c2p");
	it->p2c = it->relative && has_kind(config, "p2c");
	if (it->buckets && (it->buckets < 4 || it->farthest < it->buckets))
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported position_buckets %d for distances up to %d", it->buckets, it->farthest);
cleanup:
	return status;
}

static enum skip_status read_config(const json_t *config, struct deberta *it, struct skip_err *err)
{
	struct skip_encoder *encoder = &it->encoder;
	enum skip_status status;
	int64_t number;
	bool positions;
	SKIP_TRY(skip_encoder_read(config, encoder, err));
	SKIP_TRY(skip_json_int_or(config, "conv_kernel_size", 0, 0, 1 << 10, &number, err));
	if (number) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported conv_kernel_size %d; supported: no convolution", (int)number));
	SKIP_TRY(skip_json_int_or(config, "embedding_size", encoder->width, 1, 1 << 16, &number, err));
	if (number != encoder->width)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported embedding_size %d; supported: that of hidden_size, %d", (int)number,
		                      encoder->width));
	SKIP_TRY(skip_json_int_or(config, "attention_head_size", encoder->width / encoder->heads, 1, 1 << 16, &number, err));
	if (number != encoder->width / encoder->heads)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported attention_head_size %d; supported: %d", (int)number,
		                      encoder->width / encoder->heads));
	SKIP_TRY(skip_json_int_or(config, "type_vocab_size", 0, 0, 1 << 10, &number, err));
	encoder->types = (int)number;
	SKIP_TRY(skip_json_bool_or(config, "position_biased_input", true, &positions, err));
	encoder->no_places = !positions;
	SKIP_TRY(skip_config_epsilon_or(config, "layer_norm_eps", 1e-7, &encoder->eps, err));
	SKIP_TRY(read_relative(config, it, err));
	int terms = 1 + has_kind(config, "c2p") + has_kind(config, "p2c");
	encoder->scale = (float)(1 / sqrt((double)terms * (encoder->width / encoder->heads)));
cleanup:
	return status;
}

/* Tensor `name` of the file in float64; NULL and *status on failure. The caller frees it. */
static double *read_numbers(struct skip_build *build, const char *name, int rows, int cols, enum skip_status *status, struct skip_err *err)
{
	const int64_t dim[2] = {rows, cols};
	struct skip_tensor *tensor = NULL;
	double *out = NULL;
	*status = skip_checkpoint_tensor(build->checkpoint, build->prefixes, name, name, cols ? 2 : 1, dim, &tensor, err);
	if (*status != SKIP_OK) return NULL;
	out = skip_alloc_array((size_t)skip_tensor_count(tensor), sizeof(*out));
	if (out) skip_tensor_to_f64(tensor, out);
	else
		*status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the numbers of '%s'", name);
	skip_tensor_unref(tensor);
	return out;
}

static void norm_rows(double *x, int rows, int width, double eps, const double *gamma, const double *beta)
{
	for (int r = 0; r < rows; r++, x += width) {
		double mean = 0, var = 0;
		for (int d = 0; d < width; d++) mean += x[d] / width;
		for (int d = 0; d < width; d++) var += (x[d] - mean) * (x[d] - mean) / width;
		for (int d = 0; d < width; d++) x[d] = gamma[d] * (x[d] - mean) / sqrt(var + eps) + beta[d];
	}
}

/* The embeddings of distances, normed where the model does so. */
static enum skip_status read_distances(struct skip_build *build, struct deberta *it, struct skip_err *err)
{
	const int width = it->encoder.width;
	enum skip_status status;
	double *gamma = NULL, *beta = NULL;
	it->distance = read_numbers(build, "encoder.rel_embeddings.weight", 2 * it->span, width, &status, err);
	SKIP_TRY(status);
	if (it->normed) {
		gamma = read_numbers(build, "encoder.LayerNorm.weight", width, 0, &status, err);
		SKIP_TRY(status);
		beta = read_numbers(build, "encoder.LayerNorm.bias", width, 0, &status, err);
		SKIP_TRY(status);
		norm_rows(it->distance, 2 * it->span, width, (double)it->encoder.eps, gamma, beta);
	}
cleanup:
	skip_free(beta);
	skip_free(gamma);
	return status;
}

/* Row of the embeddings for a distance i - j: single steps up to half of the buckets, then in steps of the logarithm. */
static int row_of(const struct deberta *it, int away)
{
	const int half = it->buckets / 2, far = abs(away);
	int bucket = away;
	if (it->buckets && far > half) {
		/* In float32, as the models were trained: the edges of buckets are where its rounding puts them. */
		float step = ceilf(logf((float)far / (float)half) / logf((float)((it->farthest - 1) / (double)half)) * (float)(half - 1));
		bucket = ((int)step + half) * (away < 0 ? -1 : 1);
	}
	bucket += it->span;
	return bucket < 0 ? 0 : bucket > 2 * it->span - 1 ? 2 * it->span - 1 : bucket;
}

/* Table [H*E][2N-1] by query - key: the embeddings of distances through the projection <stem><what>. */
static enum skip_status add_table(struct skip_build *build, const struct deberta *it, const char *stem, const char *what, const char *as, int *out,
                                  struct skip_err *err)
{
	const int width = it->encoder.width, longest = it->encoder.positions, columns = 2 * longest - 1, rows = 2 * it->span;
	char name[SKIP_TENSOR_NAME];
	double *weight = NULL, *bias = NULL, *product = skip_alloc_array((size_t)width * (size_t)rows, sizeof(*product));
	float *numbers;
	enum skip_status status = product ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d distances", rows);
	SKIP_TRY(status);
	snprintf(name, sizeof(name), "%s%s.weight", stem, what);
	weight = read_numbers(build, name, width, width, &status, err);
	SKIP_TRY(status);
	snprintf(name, sizeof(name), "%s%s.bias", stem, what);
	bias = read_numbers(build, name, width, 0, &status, err);
	SKIP_TRY(status);
	snprintf(name, sizeof(name), "%s%s", stem, as);
	SKIP_TRY(skip_build_made(build, name, width, columns, out, &numbers, err));
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, width, rows, width, 1, weight, width, it->distance, width, 0, product, rows);
	for (int d = 0; d < width; d++) {
		for (int c = 0; c < columns; c++, numbers++)
			*numbers = (float)(product[(size_t)d * (size_t)rows + (size_t)row_of(it, c - (longest - 1))] + bias[d]);
	}
cleanup:
	skip_free(product);
	skip_free(bias);
	skip_free(weight);
	return status;
}

static enum skip_status add_layer(struct skip_build *build, struct deberta *it, int l, int *x, struct skip_err *err)
{
	struct skip_layer_names names = skip_bert_layer_names;
	int tables[3] = {SKIP_NONE, SKIP_NONE, SKIP_NONE};
	char stem[SKIP_TENSOR_NAME];
	enum skip_status status = SKIP_OK;
	names.query = "attention.self.query_proj";
	names.key = "attention.self.key_proj";
	names.value = "attention.self.value_proj";
	snprintf(stem, sizeof(stem), "encoder.layer.%d.", l);
	if (it->c2p)
		SKIP_TRY(add_table(build, it, stem, it->shared ? names.key : "attention.self.pos_key_proj", "attention.position.key", &tables[1], err));
	if (it->p2c)
		SKIP_TRY(
		    add_table(build, it, stem, it->shared ? names.query : "attention.self.pos_query_proj", "attention.position.query", &tables[2], err));
	it->encoder.tables = tables;
	status = skip_encoder_layer(build, &it->encoder, l, stem, &names, x, err);
cleanup:
	return status;
}

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct deberta it = {0};
	enum skip_status status;
	int x;
	SKIP_TRY(read_config(config, &it, err));
	if (it.c2p || it.p2c) SKIP_TRY(read_distances(build, &it, err));
	SKIP_TRY(skip_encoder_embed(build, &it.encoder, &x, err));
	for (int l = 0; l < it.encoder.layers; l++) SKIP_TRY(add_layer(build, &it, l, &x, err));
	skip_encoder_describe(&it.encoder, build->graph);
cleanup:
	skip_free(it.distance);
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_build_head parts = {.dense = "pooler.dense", .out = "classifier"};
	enum skip_status status = skip_config_act_or(config, "pooler_hidden_act", "gelu", &parts.act, err);
	return status == SKIP_OK ? skip_build_head(build, &parts, err) : status;
}

static const char *const types[] = {"deberta-v2", NULL}, *const prefixes[] = {"", "deberta.", NULL};

const struct skip_arch skip_arch_deberta = {
    .types = types,
    .prefixes = prefixes,
    .build = build,
    .head = head,
};
