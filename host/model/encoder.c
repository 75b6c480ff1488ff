/* The layers that BERT and its descendants share; see encoder.h. */
#include "model/encoder.h"
#include "model/config.h"
#include <math.h>

const struct skip_layer_names skip_bert_layer_names = {
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .ffn_norm = "output.LayerNorm",
};

enum skip_status skip_encoder_read(const json_t *config, struct skip_encoder *out, struct skip_err *err)
{
	struct skip_encoder encoder = {0};
	enum skip_status status;
	int64_t types;
	SKIP_TRY(skip_config_act_or(config, "hidden_act", "gelu", &encoder.act, err));
	SKIP_TRY(skip_config_only(config, "position_embedding_type", "absolute", err));
	SKIP_TRY(skip_config_not(config, "is_decoder", "encoders", err));
	SKIP_TRY(skip_config_size(config, "hidden_size", 1 << 16, &encoder.width, err));
	SKIP_TRY(skip_config_size(config, "num_attention_heads", 1 << 12, &encoder.heads, err));
	SKIP_TRY(skip_config_size(config, "num_hidden_layers", 1 << 10, &encoder.layers, err));
	SKIP_TRY(skip_config_size(config, "intermediate_size", 1 << 18, &encoder.ffn, err));
	SKIP_TRY(skip_config_size(config, "vocab_size", 1 << 24, &encoder.vocab, err));
	SKIP_TRY(skip_config_size(config, "max_position_embeddings", 1 << 20, &encoder.positions, err));
	SKIP_TRY(skip_json_int_or(config, "type_vocab_size", 2, 0, 1 << 10, &types, err));
	SKIP_TRY(skip_config_epsilon_or(config, "layer_norm_eps", 1e-12, &encoder.eps, err));
	SKIP_TRY(skip_config_heads("hidden_size", encoder.width, "num_attention_heads", encoder.heads, err));
	encoder.types = (int)types;
	encoder.embedding = encoder.width;
	*out = encoder;
cleanup:
	return status;
}

enum skip_status skip_encoder_embed(struct skip_build *build, const struct skip_encoder *encoder, int *x, struct skip_err *err)
{
	const union skip_attrs attrs = {.embed = {.position_base = encoder->position_base}};
	int param[3] = {SKIP_NONE, SKIP_NONE, SKIP_NONE}, n_param = encoder->types ? 3 : encoder->no_places ? 1 : 2;
	enum skip_status status;
	SKIP_TRY(skip_build_tensor(build, "embeddings.word_embeddings.weight", encoder->vocab, encoder->embedding, &param[0], err));
	if (!encoder->no_places)
		SKIP_TRY(
		    skip_build_tensor(build, "embeddings.position_embeddings.weight", encoder->positions, encoder->embedding, &param[1], err));
	if (encoder->types)
		SKIP_TRY(
		    skip_build_tensor(build, "embeddings.token_type_embeddings.weight", encoder->types, encoder->embedding, &param[2], err));
	SKIP_TRY(skip_build_node(build, "embed", SKIP_NONE, NULL, 0, param, n_param, attrs, "embeddings.sum", x, err));
	SKIP_TRY(skip_build_layernorm(build, SKIP_NONE, *x, encoder->eps, "embeddings.LayerNorm", "embeddings.norm", x, err));
cleanup:
	return status;
}

/* <stem><what>, and "layer<l>.<what>". */
static const char *join(const char *stem, const char *what, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "%s%s", stem, what);
	return out;
}

static const char *name(int layer, const char *what, char out[SKIP_NAME])
{
	snprintf(out, SKIP_NAME, "layer%d.%s", layer, what);
	return out;
}

static enum skip_status add_attention(struct skip_build *build, const struct skip_encoder *encoder, int l, const char *stem,
                                      const struct skip_layer_names *names, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int width = encoder->width, head_width = width / encoder->heads, qkv[3], sum[2] = {*x, 0}, context;
	int param[SKIP_ATTENTION_PARAMS], n_param = encoder->tables ? SKIP_ATTENTION_RQ + 1 : 0;
	union skip_attrs attrs = {.attention = {.heads = encoder->heads, .qk = head_width, .v = head_width, .scale = encoder->scale}};
	enum skip_status status;
	if (encoder->scale == 0) attrs.attention.scale = (float)(1 / sqrt(head_width));
	for (int i = 0; i < n_param; i++) param[i] = i < SKIP_ATTENTION_BIAS ? SKIP_NONE : encoder->tables[i - SKIP_ATTENTION_BIAS];
	while (n_param > 0 && param[n_param - 1] == SKIP_NONE) n_param--;
	SKIP_TRY(skip_build_linear(build, l, *x, width, join(stem, names->query, s), name(l, "attention.q", n), &qkv[0], err));
	SKIP_TRY(skip_build_linear(build, l, *x, width, join(stem, names->key, s), name(l, "attention.k", n), &qkv[1], err));
	SKIP_TRY(skip_build_linear(build, l, *x, width, join(stem, names->value, s), name(l, "attention.v", n), &qkv[2], err));
	SKIP_TRY(skip_build_node(build, "attention", l, qkv, 3, param, n_param, attrs, name(l, "attention.context", n), &context, err));
	SKIP_TRY(skip_build_linear(build, l, context, width, join(stem, names->output, s), name(l, "attention.output", n), &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "attention.sum", n), x, err));
	SKIP_TRY(skip_build_layernorm(build, l, *x, encoder->eps, join(stem, names->attention_norm, s), name(l, "attention.norm", n), x, err));
cleanup:
	return status;
}

static enum skip_status add_ffn(struct skip_build *build, const struct skip_encoder *encoder, int l, const char *stem,
                                const struct skip_layer_names *names, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int hidden, sum[2] = {*x, 0};
	const union skip_attrs act = {.act = {.kind = encoder->act}};
	enum skip_status status;
	SKIP_TRY(skip_build_linear(build, l, *x, encoder->ffn, join(stem, names->up, s), name(l, "ffn.hidden", n), &hidden, err));
	SKIP_TRY(skip_build_node(build, "act", l, &hidden, 1, NULL, 0, act, name(l, "ffn.act", n), &hidden, err));
	SKIP_TRY(skip_build_linear(build, l, hidden, encoder->width, join(stem, names->down, s), name(l, "ffn.output", n), &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "ffn.sum", n), x, err));
	SKIP_TRY(skip_build_layernorm(build, l, *x, encoder->eps, join(stem, names->ffn_norm, s),
	                              l == encoder->layers - 1 ? "hidden" : name(l, "ffn.norm", n), x, err));
cleanup:
	return status;
}

enum skip_status skip_encoder_layer(struct skip_build *build, const struct skip_encoder *encoder, int l, const char *stem,
                                    const struct skip_layer_names *names, int *x, struct skip_err *err)
{
	enum skip_status status = add_attention(build, encoder, l, stem, names, x, err);
	return status == SKIP_OK ? add_ffn(build, encoder, l, stem, names, x, err) : status;
}

enum skip_status skip_encoder_bert_layers(struct skip_build *build, const struct skip_encoder *encoder, int *x, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int l = 0; status == SKIP_OK && l < encoder->layers; l++) {
		char stem[SKIP_TENSOR_NAME];
		snprintf(stem, sizeof(stem), "encoder.layer.%d.", l);
		status = skip_encoder_layer(build, encoder, l, stem, &skip_bert_layer_names, x, err);
	}
	return status;
}

void skip_encoder_describe(const struct skip_encoder *encoder, struct skip_graph *graph)
{
	graph->model_width = encoder->width;
	graph->layers = encoder->layers;
	graph->heads = encoder->heads;
	graph->head_width = encoder->width / encoder->heads;
	graph->ffn_width = encoder->ffn;
	graph->max_positions = encoder->positions - encoder->position_base;
}
