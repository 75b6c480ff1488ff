/* DistilBERT (Sanh et al., 2019; Hugging Face DistilBertModel): BERT's layers under other names, no token types, no pooler; its head has a ReLU. */
#include "model/config.h"
#include "model/encoder.h"

static const struct skip_layer_names names = {
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .output = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .ffn_norm = "output_layer_norm",
};

static enum skip_status read_config(const json_t *config, struct skip_encoder *out, struct skip_err *err)
{
	struct skip_encoder encoder = {.eps = 1e-12f};
	enum skip_status status;
	SKIP_TRY(skip_config_act_or(config, "activation", "gelu", &encoder.act, err));
	SKIP_TRY(skip_config_size(config, "dim", 1 << 16, &encoder.width, err));
	SKIP_TRY(skip_config_size(config, "n_heads", 1 << 12, &encoder.heads, err));
	SKIP_TRY(skip_config_size(config, "n_layers", 1 << 10, &encoder.layers, err));
	SKIP_TRY(skip_config_size(config, "hidden_dim", 1 << 18, &encoder.ffn, err));
	SKIP_TRY(skip_config_size(config, "vocab_size", 1 << 24, &encoder.vocab, err));
	SKIP_TRY(skip_config_size(config, "max_position_embeddings", 1 << 20, &encoder.positions, err));
	SKIP_TRY(skip_config_heads("dim", encoder.width, "n_heads", encoder.heads, err));
	encoder.embedding = encoder.width;
	*out = encoder;
cleanup:
	return status;
}

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	enum skip_status status;
	int x;
	SKIP_TRY(read_config(config, &encoder, err));
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	for (int l = 0; l < encoder.layers; l++) {
		char stem[SKIP_TENSOR_NAME];
		snprintf(stem, sizeof(stem), "transformer.layer.%d.", l);
		SKIP_TRY(skip_encoder_layer(build, &encoder, l, stem, &names, &x, err));
	}
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(build, &(struct skip_build_head){.dense = "pre_classifier", .act = SKIP_ACT_RELU, .out = "classifier"}, err);
}

static const char *const types[] = {"distilbert", NULL}, *const prefixes[] = {"", "distilbert.", NULL};

static const char *const classes[] = {"DistilBertForSequenceClassification"};

static const struct skip_arch_folder folder = {
    .classes = classes,
    .prefix = "distilbert.",
    .width = "dim",
    .heads = "n_heads",
    .layers = "n_layers",
    .ffn = "hidden_dim",
    .act = "activation",
    .fixed_eps = 1e-12f,
    .dense = "pre_classifier",
    .out = "classifier",
    .head_act = SKIP_ACT_RELU,
};

const struct skip_arch skip_arch_distilbert = {
    .types = types,
    .prefixes = prefixes,
    .build = build,
    .head = head,
    .folder = &folder,
};
