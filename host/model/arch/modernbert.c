/*
 * ModernBERT (Warner et al., arXiv 2412.13663; Hugging Face ModernBertModel): an encoder with rotary positions, a gated ffn and its norms in front of the
 * branches; most layers see a window only.
 *
 *     X = LN(word);  per layer: X1 = X + attention(LN1(X)) W_O^T;  X = X1 + (act(N W_u^T) * N W_g^T) W_2^T, N = LN2(X1);  hidden = LN(X)
 *
 * Layer 0 has no LN1: the norm of the embeddings is in front of it. The file holds q, k, v in one matrix, W_u and W_g in another; biases are optional.
 */
#include "model/build.h"
#include "model/config.h"
#include <math.h>
#include <string.h>

struct modernbert {
	int width, heads, layers, ffn, vocab, positions, window;
	float eps;
	enum skip_act act;
	bool norm_bias, attention_bias, mlp_bias;
	int every;           /* each such layer sees everything, from the first on, where the file does not list kinds */
	const json_t *kinds; /* of the layers, or NULL */
	double theta[2];     /* base of the frequencies: of layers that see everything, of windows */
};

static const char *const kind_names[] = {"full_attention", "sliding_attention"};

/* rope_parameters of the newer files, else the older names. */
static enum skip_status read_theta(const json_t *config, struct modernbert *it, struct skip_err *err)
{
	static const char *const older[] = {"global_rope_theta", "local_rope_theta"};
	const double usual[] = {160000, 10000};
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < 2; i++) {
		const json_t *kind = json_object_get(json_object_get(config, "rope_parameters"), kind_names[i]);
		const json_t *local = json_object_get(config, older[i]);
		double fallback = i && local && json_is_null(local) ? it->theta[0] : usual[i];
		SKIP_TRY(skip_json_real_or(config, older[i], fallback, &it->theta[i], err));
		if (kind) SKIP_TRY(skip_config_only(kind, "rope_type", "default", err));
		if (kind) SKIP_TRY(skip_json_real_or(kind, "rope_theta", it->theta[i], &it->theta[i], err));
		if (!(it->theta[i] > 0)) SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": %g is no base of frequencies", older[i], it->theta[i]));
	}
	if (json_is_object(json_object_get(config, "rope_scaling")))
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported rope_scaling; supported: none");
cleanup:
	return status;
}

static enum skip_status read_config(const json_t *config, struct modernbert *it, struct skip_err *err)
{
	enum skip_status status;
	int local;
	SKIP_TRY(skip_config_act_or(config, "hidden_activation", "gelu", &it->act, err));
	SKIP_TRY(skip_config_size(config, "hidden_size", 1 << 16, &it->width, err));
	SKIP_TRY(skip_config_size(config, "num_attention_heads", 1 << 12, &it->heads, err));
	SKIP_TRY(skip_config_size(config, "num_hidden_layers", 1 << 10, &it->layers, err));
	SKIP_TRY(skip_config_size(config, "intermediate_size", 1 << 18, &it->ffn, err));
	SKIP_TRY(skip_config_size(config, "vocab_size", 1 << 24, &it->vocab, err));
	SKIP_TRY(skip_config_size(config, "max_position_embeddings", 1 << 20, &it->positions, err));
	SKIP_TRY(skip_config_size_or(config, "local_attention", 128, 1 << 20, &local, err));
	SKIP_TRY(skip_config_size_or(config, "global_attn_every_n_layers", 3, 1 << 10, &it->every, err));
	SKIP_TRY(skip_config_epsilon_or(config, "norm_eps", 1e-5, &it->eps, err));
	SKIP_TRY(skip_json_bool_or(config, "norm_bias", false, &it->norm_bias, err));
	SKIP_TRY(skip_json_bool_or(config, "attention_bias", false, &it->attention_bias, err));
	SKIP_TRY(skip_json_bool_or(config, "mlp_bias", false, &it->mlp_bias, err));
	SKIP_TRY(skip_config_heads("hidden_size", it->width, "num_attention_heads", it->heads, err));
	SKIP_TRY(read_theta(config, it, err));
	it->window = local / 2;
	it->kinds = json_is_array(json_object_get(config, "layer_types")) ? json_object_get(config, "layer_types") : NULL;
	if (it->window < 1 || it->width / it->heads % 2)
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported local_attention %d or heads of %d columns; supported: 2 or more, even", local,
		                      it->width / it->heads);
	else if (it->kinds && json_array_size(it->kinds) != (size_t)it->layers)
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"layer_types\" has %zu entries for %d layers", json_array_size(it->kinds), it->layers);
cleanup:
	return status;
}

/* Index in kind_names of layer l. */
static enum skip_status kind_of(const struct modernbert *it, int l, int *out, struct skip_err *err)
{
	const char *text = it->kinds ? json_string_value(json_array_get(it->kinds, (size_t)l)) : kind_names[l % it->every != 0];
	for (*out = 0; *out < 2; ++*out)
		if (text && !strcmp(text, kind_names[*out])) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported layer_types '%.60s'; supported: full_attention, sliding_attention", text ? text : "");
}

/* "layers.<l>.<what>", and "layer<l>.<what>". */
static const char *stem(int layer, const char *what, char out[SKIP_TENSOR_NAME])
{
	snprintf(out, SKIP_TENSOR_NAME, "layers.%d.%s", layer, what);
	return out;
}

static const char *name(int layer, const char *what, char out[SKIP_NAME])
{
	snprintf(out, SKIP_NAME, "layer%d.%s", layer, what);
	return out;
}

static enum skip_status add_norm(struct skip_build *build, const struct modernbert *it, int l, int x, const char *stem, const char *value, int *out,
                                 struct skip_err *err)
{
	if (it->norm_bias) return skip_build_layernorm(build, l, x, it->eps, stem, value, out, err);
	return skip_build_layernorm_scale(build, l, x, it->eps, stem, value, out, err);
}

/* Rows first .. of a matrix of `rows`, called `as` behind the layer. */
static enum skip_status add_linear(struct skip_build *build, int l, int x, int width, const char *what, int rows, int first, bool bias, const char *as,
                                   const char *value, int *out, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], a[SKIP_TENSOR_NAME], n[SKIP_NAME];
	const struct skip_build_rows from = {.stem = stem(l, what, s), .rows = rows, .first = first, .no_bias = !bias};
	return skip_build_linear_rows(build, l, x, width, &from, stem(l, as, a), name(l, value, n), out, err);
}

/* Frequencies of all columns, in float32 as the model was trained with: theta^(-2e/E) for columns e and e + E/2 of every head. */
static enum skip_status add_frequency(struct skip_build *build, const struct modernbert *it, int l, double theta, int *out, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME];
	float *frequency;
	int width = it->width / it->heads;
	enum skip_status status = skip_build_made(build, stem(l, "attn.frequency", s), it->width, 0, out, &frequency, err);
	for (int c = 0; status == SKIP_OK && c < it->width; c++) {
		float exponent = (float)(2 * (c % (width / 2))) / (float)width;
		frequency[c] = 1.0f / (float)pow(theta, (double)exponent);
	}
	return status;
}

static enum skip_status add_attention(struct skip_build *build, const struct modernbert *it, int l, int *x, struct skip_err *err)
{
	static const char *const parts[] = {"attn.q", "attn.k", "attn.v"}, *const values[] = {"attention.q", "attention.k", "attention.v"};
	static const char *const turned[] = {"attention.q.turned", "attention.k.turned"};
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int width = it->width, head_width = width / it->heads, kind, frequency, normed = *x, qkv[3], context, sum[2] = {*x, 0};
	const union skip_attrs rotary = {.rotary = {.heads = it->heads}};
	union skip_attrs attrs = {.attention = {.heads = it->heads, .qk = head_width, .v = head_width, .scale = (float)(1 / sqrt(head_width))}};
	enum skip_status status;
	SKIP_TRY(kind_of(it, l, &kind, err));
	attrs.attention.window = kind ? it->window : 0;
	if (l > 0) SKIP_TRY(add_norm(build, it, l, *x, stem(l, "attn_norm", s), name(l, "attention.norm", n), &normed, err));
	SKIP_TRY(add_frequency(build, it, l, it->theta[kind], &frequency, err));
	for (int i = 0; i < 3; i++)
		SKIP_TRY(add_linear(build, l, normed, width, "attn.Wqkv", 3 * width, i * width, it->attention_bias, parts[i], values[i], &qkv[i], err));
	for (int i = 0; i < 2; i++)
		SKIP_TRY(skip_build_node(build, "rotary", l, &qkv[i], 1, &frequency, 1, rotary, name(l, turned[i], n), &qkv[i], err));
	SKIP_TRY(skip_build_node(build, "attention", l, qkv, 3, NULL, 0, attrs, name(l, "attention.context", n), &context, err));
	SKIP_TRY(add_linear(build, l, context, width, "attn.Wo", width, 0, it->attention_bias, "attn.Wo", "attention.output", &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, (union skip_attrs){0}, name(l, "attention.sum", n), x, err));
cleanup:
	return status;
}

static enum skip_status add_ffn(struct skip_build *build, const struct modernbert *it, int l, int *x, struct skip_err *err)
{
	char s[SKIP_TENSOR_NAME], n[SKIP_NAME];
	int normed, gated[2], hidden, sum[2] = {*x, 0};
	const union skip_attrs act = {.act = {.kind = it->act}}, none = {0};
	enum skip_status status;
	SKIP_TRY(add_norm(build, it, l, *x, stem(l, "mlp_norm", s), name(l, "ffn.norm", n), &normed, err));
	SKIP_TRY(add_linear(build, l, normed, it->ffn, "mlp.Wi", 2 * it->ffn, 0, it->mlp_bias, "mlp.up", "ffn.hidden", &gated[0], err));
	SKIP_TRY(add_linear(build, l, normed, it->ffn, "mlp.Wi", 2 * it->ffn, it->ffn, it->mlp_bias, "mlp.gate", "ffn.gate", &gated[1], err));
	SKIP_TRY(skip_build_node(build, "act", l, &gated[0], 1, NULL, 0, act, name(l, "ffn.act", n), &gated[0], err));
	SKIP_TRY(skip_build_node(build, "mul", l, gated, 2, NULL, 0, none, name(l, "ffn.gated", n), &hidden, err));
	SKIP_TRY(add_linear(build, l, hidden, it->width, "mlp.Wo", it->width, 0, it->mlp_bias, "mlp.Wo", "ffn.output", &sum[1], err));
	SKIP_TRY(skip_build_node(build, "add", l, sum, 2, NULL, 0, none, name(l, "ffn.sum", n), x, err));
cleanup:
	return status;
}

static enum skip_status build(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct modernbert it;
	struct skip_graph *graph = build->graph;
	enum skip_status status;
	int word, x;
	SKIP_TRY(read_config(config, &it, err));
	SKIP_TRY(skip_build_tensor(build, "embeddings.tok_embeddings.weight", it.vocab, it.width, &word, err));
	SKIP_TRY(skip_build_node(build, "embed", SKIP_NONE, NULL, 0, &word, 1, (union skip_attrs){0}, "embeddings.sum", &x, err));
	SKIP_TRY(add_norm(build, &it, SKIP_NONE, x, "embeddings.norm", "embeddings.norm", &x, err));
	for (int l = 0; l < it.layers; l++) {
		SKIP_TRY(add_attention(build, &it, l, &x, err));
		SKIP_TRY(add_ffn(build, &it, l, &x, err));
	}
	SKIP_TRY(add_norm(build, &it, SKIP_NONE, x, "final_norm", "hidden", &x, err));
	graph->model_width = it.width;
	graph->layers = it.layers;
	graph->heads = it.heads;
	graph->head_width = it.width / it.heads;
	graph->ffn_width = it.ffn;
	graph->max_positions = it.positions;
cleanup:
	return status;
}

/* Pooling as config.json says, dense, activation, norm, dropout, classifier. */
static enum skip_status head(struct skip_build *build, const json_t *config, struct skip_err *err)
{
	struct modernbert it;
	struct skip_graph *graph = build->graph;
	const char *pooling;
	union skip_attrs pool = {.pool = {.mode = SKIP_POOL_CLS}}, act = {0};
	int x = skip_graph_find_value(graph, "hidden");
	bool bias;
	enum skip_status status;
	SKIP_TRY(read_config(config, &it, err));
	SKIP_TRY(skip_config_text_or(config, "classifier_pooling", "cls", &pooling, err));
	if (!strcmp(pooling, "mean")) pool.pool.mode = SKIP_POOL_MEAN;
	else
		SKIP_TRY(skip_config_only(config, "classifier_pooling", "cls", err));
	SKIP_TRY(skip_config_act_or(config, "classifier_activation", "gelu", &act.act.kind, err));
	SKIP_TRY(skip_json_bool_or(config, "classifier_bias", false, &bias, err));
	SKIP_TRY(skip_build_node(build, "pool", SKIP_NONE, &x, 1, NULL, 0, pool, "pooled.rows", &x, err));
	const struct skip_build_rows dense = {.stem = "head.dense", .rows = it.width, .no_bias = !bias};
	SKIP_TRY(skip_build_linear_rows(build, SKIP_NONE, x, it.width, &dense, "pooler", "pooled.dense", &x, err));
	SKIP_TRY(skip_build_node(build, "act", SKIP_NONE, &x, 1, NULL, 0, act, "pooled.act", &x, err));
	SKIP_TRY(add_norm(build, &it, SKIP_NONE, x, "head.norm", "pooled", &x, err));
	SKIP_TRY(skip_build_classifier(build, "classifier", x, true, err));
cleanup:
	return status;
}

static const char *const types[] = {"modernbert", NULL}, *const prefixes[] = {"", "model.", NULL};

const struct skip_arch skip_arch_modernbert = {
    .types = types,
    .prefixes = prefixes,
    .build = build,
    .head = head,
};
