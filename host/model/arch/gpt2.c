/*
 * GPT-2 (Radford et al., 2019; Hugging Face GPT2Model): a decoder with learned absolute positions and its norms in front of the branches.
 *
 *     X = word + position;  per layer: X1 = X + attention(LN1(X)) W_O^T + b_O;  X = X1 + act(LN2(X1) W_1^T + b_1) W_2^T + b_2;  hidden = LN(X)
 *
 * A token sees itself and what is behind it, so a text is pooled at its last one. The file holds matrices turned, and queries, keys and values in one.
 */
#include "model/build.h"
#include "model/config.h"
#include <math.h>

struct gpt2 {
	int width, heads, layers, ffn, vocab, positions;
	float eps;
	enum skip_act act;
	bool scaled, by_layer; /* scores by 1/sqrt(E), and by 1/(l+1) */
};

static enum skip_status read_config(const json_t *config, struct gpt2 *gpt, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_config_act_or(config, "activation_function", "gelu_new", &gpt->act, err));
	SKIP_TRY(skip_config_not(config, "add_cross_attention", "decoders without cross-attention", err));
	SKIP_TRY(skip_config_size(config, "n_embd", 1 << 16, &gpt->width, err));
	SKIP_TRY(skip_config_size(config, "n_head", 1 << 12, &gpt->heads, err));
	SKIP_TRY(skip_config_size(config, "n_layer", 1 << 10, &gpt->layers, err));
	SKIP_TRY(skip_config_size_or(config, "n_inner", 4 * gpt->width, 1 << 18, &gpt->ffn, err));
	SKIP_TRY(skip_config_size(config, "vocab_size", 1 << 24, &gpt->vocab, err));
	SKIP_TRY(skip_config_size(config, "n_positions", 1 << 20, &gpt->positions, err));
	SKIP_TRY(skip_config_epsilon_or(config, "layer_norm_epsilon", 1e-5, &gpt->eps, err));
	SKIP_TRY(skip_json_bool_or(config, "scale_attn_weights", true, &gpt->scaled, err));
	SKIP_TRY(skip_json_bool_or(config, "scale_attn_by_inverse_layer_idx", false, &gpt->by_layer, err));
	SKIP_TRY(skip_config_heads("n_embd", gpt->width, "n_head", gpt->heads, err));
cleanup:
	return status;
}

/* "h.<l>.<what>", and "layer<l>.<what>". */
static const char *stem(int layer, const char *what, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "h.%d.%s", layer, what);
	return out;
}

static const char *name(int layer, const char *what, char out[SKIP_NAME])
{
	snprintf(out, SKIP_NAME, "layer%d.%s", layer, what);
	return out;
}

/* Rows first .. of a turned matrix of `rows`, called `as` behind the layer. */
static enum skip_status add_linear(struct skip_build *build, int l, int x, int width, const char *what, int rows, int first, const char *as,
                                   const char *value, int *out, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], a[SKIP_TENSOR_NAME], n[SKIP_NAME];
	const struct skip_build_rows from = {.stem = stem(l, what, s), .rows = rows, .first = first, .turned = true};
	return skip_build_linear_rows(build, l, x, width, &from, stem(l, as, a), name(l, value, n), out, err);
}

static enum skip_status add_attention(struct skip_build *build, const struct gpt2 *gpt, int l, int *x, struct skip_err *err)
{
	static const char *const parts[] = {"attn.q", "attn.k", "attn.v"}, *const values[] = {"attention.q", "attention.k", "attention.v"};
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int width = gpt->width, head_width = width / gpt->heads, normed, qkv[3], context, sum[2] = {*x, 0};
	union skip_attrs attrs = {.attention = {.heads = gpt->heads, .qk = head_width, .v = head_width, .causal = 1}};
	attrs.attention.scale = (float)((gpt->scaled ? 1 / sqrt(head_width) : 1) / (gpt->by_layer ? l + 1 : 1));
	enum skip_status status;
	SKIP_TRY(skip_build_layernorm(build, l, *x, gpt->eps, stem(l, "ln_1", s), name(l, "attention.norm", n), &normed, err));
	for (int i = 0; i < 3; i++)
		SKIP_TRY(add_linear(build, l, normed, width, "attn.c_attn", 3 * width, i * width, parts[i], values[i], &qkv[i], err));
	SKIP_TRY(skip_build_node(build, "attention", l, qkv, 3, NULL, 0, attrs, name(l, "attention.context", n), &context, err));
	SKIP_TRY(add_linear(build, l, context, width, "attn.c_proj", width, 0, "attn.c_proj", "attention.output", &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "attention.sum", n), x, err));
cleanup:
	return status;
}

static enum skip_status add_ffn(struct skip_build *build, const struct gpt2 *gpt, int l, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int normed, hidden, sum[2] = {*x, 0};
	const union skip_attrs act = {.act = {.kind = gpt->act}};
	enum skip_status status;
	SKIP_TRY(skip_build_layernorm(build, l, *x, gpt->eps, stem(l, "ln_2", s), name(l, "ffn.norm", n), &normed, err));
	SKIP_TRY(add_linear(build, l, normed, gpt->ffn, "mlp.c_fc", gpt->ffn, 0, "mlp.c_fc", "ffn.hidden", &hidden, err));
	SKIP_TRY(skip_build_node(build, "act", l, &hidden, 1, NULL, 0, act, name(l, "ffn.act", n), &hidden, err));
	SKIP_TRY(add_linear(build, l, hidden, gpt->width, "mlp.c_proj", gpt->width, 0, "mlp.c_proj", "ffn.output", &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "ffn.sum", n), x, err));
cleanup:
	return status;
}

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct gpt2 gpt;
	struct skip_graph *graph = build->graph;
	enum skip_status status;
	int param[2], x;
	SKIP_TRY(read_config(config, &gpt, err));
	SKIP_TRY(skip_build_tensor(build, "wte.weight", gpt.vocab, gpt.width, &param[0], err));
	SKIP_TRY(skip_build_tensor(build, "wpe.weight", gpt.positions, gpt.width, &param[1], err));
	SKIP_TRY(skip_build_node(build, "embed", SKIP_NONE, NULL, 0, param, 2, (union skip_attrs){0}, "embeddings.sum", &x, err));
	for (int l = 0; l < gpt.layers; l++) {
		SKIP_TRY(add_attention(build, &gpt, l, &x, err));
		SKIP_TRY(add_ffn(build, &gpt, l, &x, err));
	}
	SKIP_TRY(skip_build_layernorm(build, SKIP_NONE, x, gpt.eps, "ln_f", "hidden", &x, err));
	graph->model_width = gpt.width;
	graph->layers = gpt.layers;
	graph->heads = gpt.heads;
	graph->head_width = gpt.width / gpt.heads;
	graph->ffn_width = gpt.ffn;
	graph->max_positions = gpt.positions;
cleanup:
	return status;
}

static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	(void)config;
	return skip_build_head(build, &(struct skip_build_head){.out = "score", .last_row = true, .no_bias = true}, err);
}

static const char *const types[] = {"gpt2", NULL}, *const prefixes[] = {"", "transformer.", NULL};

const struct skip_arch skip_arch_gpt2 = {
    .types = types,
    .prefixes = prefixes,
    .last_row = true,
    .build = build,
    .head = head,
};
