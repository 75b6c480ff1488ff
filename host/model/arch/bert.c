/*
 * BERT (Devlin et al., 2019; Hugging Face BertModel): post-LayerNorm encoder with learned absolute positions.
 *
 *     X = LN(word + position + type)
 *     per layer: X1 = LN1(X + attention(X) W_O^T + b_O);  X = LN2(X1 + act(X1 W_1^T + b_1) W_2^T + b_2)
 */
#include "model/build.h"
#include <math.h>
#include <string.h>

struct config {
	int width, heads, layers, ffn; /* D, H, L, F */
	int vocab, positions, types;
	float eps;
	enum skip_act act;
};

static const char *const prefixes[] = {"", "bert.", NULL};

/* An integer of 1 to `max`, as int. */
static enum skip_status read_size(const json_t *json, const char *key, int64_t max, int *out, struct skip_err *err)
{
	int64_t value = 0;
	enum skip_status status = skip_json_int(json, key, 1, max, &value, err);
	if (status == SKIP_OK) *out = (int)value;
	return status;
}

static enum skip_status read_text_or(const json_t *json, const char *key, const char *fallback, const char **out, struct skip_err *err)
{
	const json_t *value = json_object_get(json, key);
	if (value && !json_is_null(value)) return skip_json_string(json, key, out, err);
	*out = fallback;
	return SKIP_OK;
}

static enum skip_status read_config(const json_t *json, struct config *config, struct skip_err *err)
{
	enum skip_status status;
	const char *act, *position;
	double eps;
	bool decoder;
	SKIP_TRY(read_text_or(json, "hidden_act", "gelu", &act, err));
	SKIP_TRY(skip_build_act("hidden_act", act, &config->act, err));
	SKIP_TRY(read_text_or(json, "position_embedding_type", "absolute", &position, err));
	if (strcmp(position, "absolute") != 0) {
		status =
		    skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported position_embedding_type '%.60s'; supported: absolute", position);
		goto cleanup;
	}
	SKIP_TRY(skip_json_bool_or(json, "is_decoder", false, &decoder, err));
	if (decoder) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported is_decoder true; supported: encoders");
		goto cleanup;
	}
	SKIP_TRY(read_size(json, "hidden_size", 1 << 16, &config->width, err));
	SKIP_TRY(read_size(json, "num_attention_heads", 1 << 12, &config->heads, err));
	SKIP_TRY(read_size(json, "num_hidden_layers", 1 << 10, &config->layers, err));
	SKIP_TRY(read_size(json, "intermediate_size", 1 << 18, &config->ffn, err));
	SKIP_TRY(read_size(json, "vocab_size", 1 << 24, &config->vocab, err));
	SKIP_TRY(read_size(json, "max_position_embeddings", 1 << 20, &config->positions, err));
	SKIP_TRY(read_size(json, "type_vocab_size", 1 << 10, &config->types, err));
	SKIP_TRY(skip_json_real_or(json, "layer_norm_eps", 1e-12, &eps, err));
	config->eps = (float)eps;
	if (!(config->eps > 0) || !isfinite(config->eps))
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"layer_norm_eps\": expected a small positive number, found %g", eps);
	else if (config->width % config->heads)
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"hidden_size\" %d is not a multiple of \"num_attention_heads\" %d",
		                      config->width, config->heads);
cleanup:
	return status;
}

/* "encoder.layer.<l>.<what>" and "layer<l>.<what>"; valid until the next call with the same buffer. */
static const char *stem(int layer, const char *what, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "encoder.layer.%d.%s", layer, what);
	return out;
}

static const char *name(int layer, const char *what, char out[SKIP_NAME])
{
	snprintf(out, SKIP_NAME, "layer%d.%s", layer, what);
	return out;
}

static enum skip_status add_embeddings(struct skip_build *build, const struct config *config, int *x, struct skip_err *err)
{
	int param[3];
	enum skip_status status;
	SKIP_TRY(skip_build_tensor(build, "embeddings.word_embeddings.weight", config->vocab, config->width, &param[0], err));
	SKIP_TRY(skip_build_tensor(build, "embeddings.position_embeddings.weight", config->positions, config->width, &param[1], err));
	SKIP_TRY(skip_build_tensor(build, "embeddings.token_type_embeddings.weight", config->types, config->width, &param[2], err));
	SKIP_TRY(skip_build_node(build, "embed", SKIP_NONE, NULL, 0, param, 3, (union skip_attrs){0}, "embeddings.sum", x, err));
	SKIP_TRY(skip_build_layernorm(build, SKIP_NONE, *x, config->eps, "embeddings.LayerNorm", "embeddings.norm", x, err));
cleanup:
	return status;
}

static enum skip_status add_attention(struct skip_build *build, const struct config *config, int l, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int head_width = config->width / config->heads, qkv[3], sum[2] = {*x, 0}, context;
	union skip_attrs attrs = {
	    .attention = {.heads = config->heads, .qk = head_width, .v = head_width, .scale = (float)(1 / sqrt(head_width))}};
	enum skip_status status;
	SKIP_TRY(
	    skip_build_linear(build, l, *x, config->width, stem(l, "attention.self.query", s), name(l, "attention.q", n), &qkv[0], err));
	SKIP_TRY(skip_build_linear(build, l, *x, config->width, stem(l, "attention.self.key", s), name(l, "attention.k", n), &qkv[1], err));
	SKIP_TRY(
	    skip_build_linear(build, l, *x, config->width, stem(l, "attention.self.value", s), name(l, "attention.v", n), &qkv[2], err));
	SKIP_TRY(skip_build_node(build, "attention", l, qkv, 3, NULL, 0, attrs, name(l, "attention.context", n), &context, err));
	SKIP_TRY(skip_build_linear(build, l, context, config->width, stem(l, "attention.output.dense", s), name(l, "attention.output", n),
	                           &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "attention.sum", n), x, err));
	SKIP_TRY(skip_build_layernorm(build, l, *x, config->eps, stem(l, "attention.output.LayerNorm", s), name(l, "attention.norm", n), x,
	                              err));
cleanup:
	return status;
}

static enum skip_status add_ffn(struct skip_build *build, const struct config *config, int l, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int hidden, sum[2] = {*x, 0};
	bool last = l == config->layers - 1;
	enum skip_status status;
	SKIP_TRY(skip_build_linear(build, l, *x, config->ffn, stem(l, "intermediate.dense", s), name(l, "ffn.hidden", n), &hidden, err));
	SKIP_TRY(skip_build_node(build, "act", l, &hidden, 1, NULL, 0, (union skip_attrs){.act = {.kind = config->act}},
	                         name(l, "ffn.act", n), &hidden, err));
	SKIP_TRY(skip_build_linear(build, l, hidden, config->width, stem(l, "output.dense", s), name(l, "ffn.output", n), &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "ffn.sum", n), x, err));
	SKIP_TRY(skip_build_layernorm(build, l, *x, config->eps, stem(l, "output.LayerNorm", s), last ? "hidden" : name(l, "ffn.norm", n),
	                              x, err));
cleanup:
	return status;
}

static enum skip_status build_graph(const json_t *json, struct skip_checkpoint *checkpoint, const char *config_path,
                                    struct skip_graph **out, struct skip_err *err)
{
	struct config config;
	struct skip_build build = {.checkpoint = checkpoint, .prefixes = prefixes};
	enum skip_status status;
	int x;
	SKIP_TRY(read_config(json, &config, err));
	SKIP_TRY(skip_graph_create(&build.graph, err));
	SKIP_TRY(add_embeddings(&build, &config, &x, err));
	for (int l = 0; l < config.layers; l++) {
		SKIP_TRY(add_attention(&build, &config, l, &x, err));
		SKIP_TRY(add_ffn(&build, &config, l, &x, err));
	}
	build.graph->model_width = config.width;
	build.graph->layers = config.layers;
	build.graph->heads = config.heads;
	build.graph->head_width = config.width / config.heads;
	build.graph->ffn_width = config.ffn;
	build.graph->max_positions = config.positions;
	*out = build.graph;
	build.graph = NULL;
cleanup:
	skip_graph_destroy(build.graph);
	if (status != SKIP_OK) skip_err_add_file(err, config_path);
	return status;
}

const struct skip_arch skip_arch_bert = {
    .model_type = "bert",
    .prefixes = prefixes,
    .pooler = "pooler.dense",
    .classifier = "classifier",
    .build = build_graph,
};
