/*
 * ELECTRA (Clark et al., 2020; Hugging Face ElectraModel): BERT's encoder behind tables that may be narrower, then projected to the model's width. The
 * discriminator's head has a dense layer with GELU.
 */
#include "model/config.h"
#include "model/encoder.h"

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	enum skip_status status;
	int x;
	SKIP_TRY(skip_encoder_read(config, &encoder, err));
	SKIP_TRY(skip_config_size_or(config, "embedding_size", 128, 1 << 16, &encoder.embedding, err));
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	if (encoder.embedding != encoder.width)
		SKIP_TRY(skip_build_linear(build, SKIP_NONE, x, encoder.width, "embeddings_project", "embeddings.projected", &x, err));
	SKIP_TRY(skip_encoder_bert_layers(build, &encoder, &x, err));
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(
	    build, &(struct skip_build_head){.dense = "classifier.dense", .act = SKIP_ACT_GELU, .out = "classifier.out_proj"}, err);
}

static const char *const types[] = {"electra", NULL}, *const prefixes[] = {"", "electra.", NULL};

static const char *const classes[] = {"ElectraForSequenceClassification"};

static const struct skip_arch_folder folder = {
    .classes = classes,
    .prefix = "electra.",
    .width = "hidden_size",
    .heads = "num_attention_heads",
    .layers = "num_hidden_layers",
    .ffn = "intermediate_size",
    .act = "hidden_act",
    .types = "type_vocab_size",
    .eps = "layer_norm_eps",
    .embedding = "embedding_size",
    .dense = "classifier.dense",
    .out = "classifier.out_proj",
    .head_act = SKIP_ACT_GELU,
};

const struct skip_arch skip_arch_electra = {
    .types = types,
    .prefixes = prefixes,
    .build = build,
    .head = head,
    .folder = &folder,
};
