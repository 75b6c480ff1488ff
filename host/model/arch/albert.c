/*
 * ALBERT (Lan et al., 2020; Hugging Face AlbertModel): narrow tables projected to the model's width, and layers that share their weights. Layer i of L reads
 * group floor(i G / L) of G, which is `inner_group_num` layers one after the other; a layer of the graph is one of those.
 */
#include "model/config.h"
#include "model/encoder.h"

static const struct skip_layer_names names = {
    .query = "attention.query",
    .key = "attention.key",
    .value = "attention.value",
    .output = "attention.dense",
    .attention_norm = "attention.LayerNorm",
    .up = "ffn",
    .down = "ffn_output",
    .ffn_norm = "full_layer_layer_norm",
};

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	enum skip_status status;
	int groups, inner, x;
	SKIP_TRY(skip_encoder_read(config, &encoder, err));
	SKIP_TRY(skip_config_act_or(config, "hidden_act", "gelu_new", &encoder.act, err));
	SKIP_TRY(skip_config_size_or(config, "embedding_size", 128, 1 << 16, &encoder.embedding, err));
	SKIP_TRY(skip_config_size_or(config, "num_hidden_groups", 1, encoder.layers, &groups, err));
	SKIP_TRY(skip_config_size_or(config, "inner_group_num", 1, 1 << 5, &inner, err));
	int outer = encoder.layers;
	encoder.layers *= inner;
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	SKIP_TRY(skip_build_linear(build, SKIP_NONE, x, encoder.width, "encoder.embedding_hidden_mapping_in", "embeddings.projected", &x, err));
	for (int l = 0; l < encoder.layers; l++) {
		char stem[SKIP_TENSOR_NAME];
		snprintf(stem, sizeof(stem), "encoder.albert_layer_groups.%d.albert_layers.%d.", l / inner * groups / outer, l % inner);
		SKIP_TRY(skip_encoder_layer(build, &encoder, l, stem, &names, &x, err));
	}
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(build, &(struct skip_build_head){.dense = "pooler", .act = SKIP_ACT_TANH, .out = "classifier"}, err);
}

static const char *const types[] = {"albert", NULL}, *const prefixes[] = {"", "albert.", NULL};

const struct skip_arch skip_arch_albert = {
    .types = types,
    .prefixes = prefixes,
    .pooler = "pooler",
    .build = build,
    .head = head,
};
