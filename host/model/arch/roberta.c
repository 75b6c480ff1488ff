/*
 * RoBERTa (Liu et al., 2019; Hugging Face RobertaModel), XLM-R (Conneau et al., 2020) and CamemBERT (Martin et al., 2020): BERT's encoder whose positions
 * count from behind the padding token's id, so that the table's first rows are never read. The head has a dense layer of its own.
 */
#include "model/config.h"
#include "model/encoder.h"

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct skip_encoder encoder;
	enum skip_status status;
	int64_t padding;
	int x;
	SKIP_TRY(skip_encoder_read(config, &encoder, err));
	SKIP_TRY(skip_json_int_or(config, "pad_token_id", 1, 0, encoder.positions - 2, &padding, err));
	encoder.position_base = (int)padding + 1;
	SKIP_TRY(skip_encoder_embed(build, &encoder, &x, err));
	SKIP_TRY(skip_encoder_bert_layers(build, &encoder, &x, err));
	skip_encoder_describe(&encoder, build->graph);
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(
	    build, &(struct skip_build_head){.dense = "classifier.dense", .act = SKIP_ACT_TANH, .out = "classifier.out_proj"}, err);
}

static const char *const types[] = {"roberta", "xlm-roberta", "camembert", NULL}, *const prefixes[] = {"", "roberta.", NULL};

static const char *const classes[] = {"RobertaForSequenceClassification", "XLMRobertaForSequenceClassification", "CamembertForSequenceClassification"};

static const struct skip_arch_folder folder = {
    .classes = classes,
    .prefix = "roberta.",
    .width = "hidden_size",
    .heads = "num_attention_heads",
    .layers = "num_hidden_layers",
    .ffn = "intermediate_size",
    .act = "hidden_act",
    .types = "type_vocab_size",
    .eps = "layer_norm_eps",
    .padding_token = "pad_token_id",
    .dense = "classifier.dense",
    .out = "classifier.out_proj",
    .head_act = SKIP_ACT_TANH,
};

const struct skip_arch skip_arch_roberta = {
    .types = types,
    .prefixes = prefixes,
    .pooler = "pooler.dense",
    .build = build,
    .head = head,
    .folder = &folder,
};
