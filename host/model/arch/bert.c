/* BERT (Devlin et al., 2019; Hugging Face BertModel): post-LayerNorm encoder with learned absolute positions and token types. */
#include "model/encoder.h"

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	enum skip_status status;
	int x;
	SKIP_TRY(skip_encoder_read(config, &encoder, err));
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	SKIP_TRY(skip_encoder_bert_layers(build, &encoder, &x, err));
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(build, &(struct skip_build_head){.dense = "pooler.dense", .act = SKIP_ACT_TANH, .out = "classifier"}, err);
}

static const char *const types[] = {"bert", NULL}, *const prefixes[] = {"", "bert.", NULL};

static const char *const classes[] = {"BertForSequenceClassification"};

static const struct skip_arch_folder folder = {
    .classes = classes,
    .prefix = "bert.",
    .width = "hidden_size",
    .heads = "num_attention_heads",
    .layers = "num_hidden_layers",
    .ffn = "intermediate_size",
    .act = "hidden_act",
    .types = "type_vocab_size",
    .eps = "layer_norm_eps",
    .dense = "bert.pooler.dense",
    .out = "classifier",
    .head_act = SKIP_ACT_TANH,
};

const struct skip_arch skip_arch_bert = {
    .types = types,
    .prefixes = prefixes,
    .pooler = "pooler.dense",
    .build = build,
    .head = head,
    .folder = &folder,
};
