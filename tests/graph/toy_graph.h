/*
 * A small random network in the canonical unfused form (what model/arch builds), made directly with skip_graph_add_*, and batches to run it
 * on.
 *
 * For tests of every room that needs a whole graph. Sizes are odd on purpose. E_qk and E_v may differ, as after pruning. Numbers are
 * float64 (or float32 for device tests), all different from zero, and depend on the seed only. Not here: reference values; those come from
 * the interpreter.
 */
#ifndef SKIP_TESTS_TOY_GRAPH_H
#define SKIP_TESTS_TOY_GRAPH_H

#include "base/rng.h"
#include "check.h"
#include "graph/pass.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct toy_options {
	int layers, width, heads, qk, v, ffn; /* L, D, H, E_qk, E_v, F */
	int prefix, classes;                  /* P; C, 0: the graph ends at "pooled", or at "hidden" with no_pool */
	int vocab, positions, types;          /* rows of the embedding tables */
	enum skip_act act;
	enum skip_pool pool;
	bool pooler, no_pool;
	enum skip_dtype dtype; /* SKIP_F64 or SKIP_F32 */
	uint64_t seed;
	const char *perturb; /* name of a value; the graph input "perturb" is added to it before anything reads it. NULL: none */
	/* What other networks do otherwise. */
	bool pre_norm, no_bias, rotary, gated, bias_table, position_tables;
	int causal, window; /* the window in odd layers only */
};

/* The networks whose layers are not BERT's. */
enum toy_form { TOY_BERT, TOY_GPT2, TOY_MODERNBERT, TOY_MPNET, TOY_DEBERTA, TOY_FORMS };

static inline void toy_set_form(struct toy_options *o, enum toy_form form)
{
	o->pre_norm = form == TOY_GPT2 || form == TOY_MODERNBERT;
	o->causal = form == TOY_GPT2;
	if (form == TOY_GPT2) o->pool = SKIP_POOL_LAST;
	o->rotary = o->gated = o->no_bias = form == TOY_MODERNBERT;
	if (form == TOY_MODERNBERT) o->window = 3;
	o->bias_table = form == TOY_MPNET;
	o->position_tables = form == TOY_DEBERTA;
}

static inline struct toy_options toy_defaults(void)
{
	return (struct toy_options){.layers = 2,
	                            .width = 12,
	                            .heads = 3,
	                            .qk = 4,
	                            .v = 4,
	                            .ffn = 17,
	                            .prefix = 0,
	                            .classes = 5,
	                            .vocab = 50,
	                            .positions = 64,
	                            .types = 2,
	                            .act = SKIP_ACT_GELU,
	                            .pool = SKIP_POOL_CLS,
	                            .dtype = SKIP_F64,
	                            .seed = 1};
}

struct toy {
	const struct toy_options *options;
	struct skip_graph *graph;
	struct skip_rng rng;
	struct skip_err err;
};

/* A tensor of center + scale * normal in the graph; returns its index. cols 0: rank 1. */
static inline int toy_tensor(struct toy *toy, const char *name, int rows, int cols, double center, double scale, bool trained)
{
	struct skip_err err;
	struct skip_tensor *tensor = NULL;
	int index = SKIP_NONE;
	CHECK_OK(skip_tensor_create(name, toy->options->dtype, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, &err));
	tensor->trained = trained;
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) {
		double x = center + scale * skip_rng_normal(&toy->rng);
		if (toy->options->dtype == SKIP_F64) {
			((double *)tensor->owned)[i] = x;
		} else {
			((float *)tensor->owned)[i] = (float)x;
		}
	}
	CHECK_OK(skip_graph_add_tensor(toy->graph, tensor, &index, &err));
	skip_tensor_unref(tensor);
	return index;
}

/* Adds a filled node with one output and, where asked for, the perturbation behind it; returns the value to read. */
static inline int toy_add(struct toy *toy, struct skip_node *node, const char *name)
{
	struct skip_err err;
	CHECK_OK(skip_graph_add_node(toy->graph, node, &name, NULL, &err));
	int out = node->out[0];
	if (toy->options->perturb && !strcmp(toy->options->perturb, name)) {
		const struct skip_value *value = &toy->graph->values[out];
		const char *sum = "perturbed";
		struct skip_node add = {.op = skip_op_find("add"), .layer = node->layer, .n_in = 2, .in = {out}, .n_out = 1};
		CHECK_OK(skip_graph_add_value(toy->graph, "perturb", value->rows, value->fixed_rows, value->cols, &add.in[1], &err));
		CHECK_OK(skip_graph_add_node(toy->graph, &add, &sum, NULL, &err));
		out = add.out[0];
	}
	return out;
}

/* The same from its parts. Inputs that are SKIP_NONE at the end are left out. */
static inline int toy_node(struct toy *toy, const char *op, int layer, int a, int b, int c, int p0, int p1, int p2, union skip_attrs attrs,
                           const char *name)
{
	const int in[] = {a, b, c}, param[] = {p0, p1, p2};
	struct skip_node node = {.op = skip_op_find(op), .layer = layer, .attrs = attrs, .n_out = 1};
	cr_assert(node.op != NULL, "no op '%s'", op);
	for (int i = 0; i < 3; i++) {
		node.in[i] = in[i];
		node.param[i] = param[i];
		if (in[i] != SKIP_NONE) node.n_in = i + 1;
		if (param[i] != SKIP_NONE) node.n_param = i + 1;
	}
	return toy_add(toy, &node, name);
}

/* "encoder.layer.<l>.<what>" or, with layer SKIP_NONE, `what`. Valid until the call after the next. */
static inline const char *toy_name(int layer, const char *what)
{
	static char text[2][SKIP_NAME * 2];
	static int turn;
	turn = !turn;
	if (layer == SKIP_NONE) return what;
	snprintf(text[turn], sizeof(text[turn]), "encoder.layer.%d.%s", layer, what);
	return text[turn];
}

static inline const char *toy_value(int layer, const char *what)
{
	static char text[2][SKIP_NAME * 2];
	static int turn;
	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "layer%d.%s", layer, what);
	return text[turn];
}

/* y = x W^T + b of `out` columns; `stem` names the tensors. */
static inline int toy_linear(struct toy *toy, int layer, int x, int out, const char *stem, bool trained, const char *name)
{
	int in = toy->graph->values[x].cols, b = SKIP_NONE;
	char tensor[SKIP_NAME * 2];
	snprintf(tensor, sizeof(tensor), "%s.weight", toy_name(layer, stem));
	int w = toy_tensor(toy, tensor, out, in, 0, 1.5 / sqrt(in), trained);
	snprintf(tensor, sizeof(tensor), "%s.bias", toy_name(layer, stem));
	if (layer == SKIP_NONE || !toy->options->no_bias) b = toy_tensor(toy, tensor, out, 0, 0, 0.5, trained);
	return toy_node(toy, "linear", layer, x, SKIP_NONE, SKIP_NONE, w, b, SKIP_NONE, (union skip_attrs){0}, name);
}

static inline int toy_layernorm(struct toy *toy, int layer, int x, const char *stem, const char *name)
{
	char tensor[SKIP_NAME * 2];
	snprintf(tensor, sizeof(tensor), "%s.weight", toy_name(layer, stem));
	int gamma = toy_tensor(toy, tensor, toy->options->width, 0, 1, 0.2, false);
	snprintf(tensor, sizeof(tensor), "%s.bias", toy_name(layer, stem));
	int beta = toy_tensor(toy, tensor, toy->options->width, 0, 0, 0.2, false);
	union skip_attrs attrs = {.layernorm = {.eps = 1e-12f}};
	return toy_node(toy, "layernorm", layer, x, SKIP_NONE, SKIP_NONE, gamma, beta, SKIP_NONE, attrs, name);
}

/* Turns q or k by the place of its rows. */
static inline int toy_rotary(struct toy *toy, int l, int x, int frequency, const char *name)
{
	union skip_attrs attrs = {.rotary = {.heads = toy->options->heads}};
	return toy_node(toy, "rotary", l, x, SKIP_NONE, SKIP_NONE, frequency, SKIP_NONE, SKIP_NONE, attrs, name);
}

static inline int toy_frequency(struct toy *toy, int l)
{
	const int width = toy->options->qk, heads = toy->options->heads, half = width / 2;
	int index = toy_tensor(toy, toy_name(l, "attention.frequency"), heads * width, 0, 0, 1, false);
	struct skip_tensor *tensor = toy->graph->tensors[index];
	for (int c = 0; c < heads * width; c++) {
		double x = pow(100, -(double)(c % half) / half);
		if (tensor->dtype == SKIP_F64) ((double *)tensor->owned)[c] = (double)(float)x;
		else
			((float *)tensor->owned)[c] = (float)x;
	}
	return index;
}

static inline int toy_attention(struct toy *toy, int l, int x)
{
	const struct toy_options *o = toy->options;
	int n = o->pre_norm && (l > 0 || !o->rotary) ? toy_layernorm(toy, l, x, "attention.norm", toy_value(l, "attention.norm")) : x;
	int q = toy_linear(toy, l, n, o->heads * o->qk, "attention.self.query", false, toy_value(l, "attention.q"));
	int k = toy_linear(toy, l, n, o->heads * o->qk, "attention.self.key", false, toy_value(l, "attention.k"));
	int v = toy_linear(toy, l, n, o->heads * o->v, "attention.self.value", false, toy_value(l, "attention.v"));
	if (o->rotary) {
		int frequency = toy_frequency(toy, l);
		q = toy_rotary(toy, l, q, frequency, toy_value(l, "attention.q.turned"));
		k = toy_rotary(toy, l, k, frequency, toy_value(l, "attention.k.turned"));
	}
	struct skip_node node = {.op = skip_op_find("attention"), .layer = l, .n_in = 3, .in = {q, k, v}, .n_param = SKIP_ATTENTION_RQ + 1, .n_out = 1};
	node.attrs.attention = (struct skip_attrs_attention){.heads = o->heads, .qk = o->qk, .v = o->v, .scale = (float)(1 / sqrt(o->qk)),
	                                                     .causal = o->causal, .window = l % 2 ? o->window : 0};
	for (int i = 0; i < node.n_param; i++) node.param[i] = SKIP_NONE;
	const int rows[] = {o->prefix, o->prefix, o->bias_table ? o->heads : 0, o->position_tables ? o->heads * o->qk : 0,
	                    o->position_tables ? o->heads * o->qk : 0};
	const int cols[] = {o->heads * o->qk, o->heads * o->v, 2 * o->positions - 1, 2 * o->positions - 1, 2 * o->positions - 1};
	static const char *const names[] = {"prefix.%d.key", "prefix.%d.value", "layer%d.bias", "layer%d.position.k", "layer%d.position.q"};
	for (int i = 0; i < node.n_param; i++) {
		char name[SKIP_NAME];
		if (rows[i] == 0) continue;
		snprintf(name, sizeof(name), names[i], l);
		node.param[i] = toy_tensor(toy, name, rows[i], cols[i], 0, 1, i < 2);
	}
	while (node.n_param > 0 && node.param[node.n_param - 1] == SKIP_NONE) node.n_param--;
	int context = toy_add(toy, &node, toy_value(l, "attention.context"));
	int out = toy_linear(toy, l, context, o->width, "attention.output.dense", false, toy_value(l, "attention.output"));
	int sum = toy_node(toy, "add", l, x, out, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, (union skip_attrs){0},
	                   toy_value(l, "attention.sum"));
	return o->pre_norm ? sum : toy_layernorm(toy, l, sum, "attention.output.LayerNorm", toy_value(l, "attention.norm"));
}

static inline int toy_ffn(struct toy *toy, int l, int x)
{
	const struct toy_options *o = toy->options;
	const union skip_attrs none = {0};
	int n = o->pre_norm ? toy_layernorm(toy, l, x, "ffn.norm", toy_value(l, "ffn.norm")) : x;
	int hidden = toy_linear(toy, l, n, o->ffn, "intermediate.dense", false, toy_value(l, "ffn.hidden"));
	int act = toy_node(toy, "act", l, hidden, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
	                   (union skip_attrs){.act = {.kind = o->act}}, toy_value(l, "ffn.act"));
	if (o->gated) {
		int gate = toy_linear(toy, l, n, o->ffn, "intermediate.gate", false, toy_value(l, "ffn.gate"));
		act = toy_node(toy, "mul", l, act, gate, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, none, toy_value(l, "ffn.gated"));
	}
	int out = toy_linear(toy, l, act, o->width, "output.dense", false, toy_value(l, "ffn.output"));
	int sum = toy_node(toy, "add", l, x, out, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, none, toy_value(l, "ffn.sum"));
	if (o->pre_norm) return l < o->layers - 1 ? sum : toy_layernorm(toy, SKIP_NONE, sum, "final.norm", "hidden");
	return toy_layernorm(toy, l, sum, "output.LayerNorm", l == o->layers - 1 ? "hidden" : toy_value(l, "ffn.norm"));
}

/* The graph; prefix, head and (with `pooler`) pooler.* are trained. The caller destroys it. */
static inline struct skip_graph *toy_graph(const struct toy_options *options)
{
	struct toy toy = {.options = options};
	struct skip_err err;
	const struct toy_options *o = options;
	const union skip_attrs none = {0};
	skip_rng_init(&toy.rng, o->seed, "toy");
	CHECK_OK(skip_graph_create(&toy.graph, &err));
	struct skip_graph *g = toy.graph;
	snprintf(g->architecture, sizeof(g->architecture), "toy");
	g->model_width = o->width;
	g->layers = o->layers;
	g->heads = o->heads;
	g->head_width = o->qk;
	g->ffn_width = o->ffn;
	g->prefix = o->prefix;
	g->classes = o->classes;
	g->max_positions = o->positions;
	int word = toy_tensor(&toy, "embeddings.word_embeddings.weight", o->vocab, o->width, 0, 1, false);
	int position = toy_tensor(&toy, "embeddings.position_embeddings.weight", o->positions, o->width, 0, 0.5, false);
	int type = o->types ? toy_tensor(&toy, "embeddings.token_type_embeddings.weight", o->types, o->width, 0, 0.5, false) : SKIP_NONE;
	int x = toy_node(&toy, "embed", SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, word, position, type, none, "embeddings.sum");
	x = toy_layernorm(&toy, SKIP_NONE, x, "embeddings.LayerNorm", "embeddings.norm");
	for (int l = 0; l < o->layers; l++) {
		x = toy_attention(&toy, l, x);
		x = toy_ffn(&toy, l, x);
	}
	if (!o->no_pool) {
		x = toy_node(&toy, "pool", SKIP_NONE, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
		             (union skip_attrs){.pool = {.mode = o->pool}}, o->pooler ? "pooled.rows" : "pooled");
		if (o->pooler) {
			x = toy_linear(&toy, SKIP_NONE, x, o->width, "pooler", true, "pooled.dense");
			x = toy_node(&toy, "act", SKIP_NONE, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
			             (union skip_attrs){.act = {.kind = SKIP_ACT_TANH}}, "pooled");
		}
	}
	if (!o->no_pool && o->classes > 0) {
		x = toy_node(&toy, "dropout", SKIP_NONE, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, none, "pooled.dropout");
		toy_linear(&toy, SKIP_NONE, x, o->classes, "head", true, "logits");
	}
	CHECK_OK(skip_graph_validate(g, &err));
	g->dense_encoder_params = skip_graph_encoder_params(g);
	g->dense_macs_per_token = skip_graph_macs(g, 64, true) / 64;
	return g;
}

struct toy_batch {
	struct skip_batch batch;
	int32_t *ids, *types, *offset;
};

static inline struct toy_batch toy_batch_make(const struct toy_options *options, const int *length, int n_seqs, uint64_t seed)
{
	struct toy_batch toy;
	struct skip_rng rng;
	skip_rng_init(&rng, seed, "batch");
	toy.offset = calloc((size_t)n_seqs + 1, sizeof(*toy.offset));
	for (int b = 0; b < n_seqs; b++) toy.offset[b + 1] = toy.offset[b] + length[b];
	int tokens = toy.offset[n_seqs];
	toy.ids = calloc((size_t)tokens, sizeof(*toy.ids));
	toy.types = calloc((size_t)tokens, sizeof(*toy.types));
	for (int t = 0; t < tokens; t++) {
		toy.ids[t] = (int32_t)skip_rng_below(&rng, (uint64_t)options->vocab);
		toy.types[t] = options->types ? (int32_t)skip_rng_below(&rng, (uint64_t)options->types) : 0;
	}
	toy.batch = (struct skip_batch){tokens, n_seqs, toy.ids, toy.types, toy.offset};
	return toy;
}

static inline void toy_batch_free(struct toy_batch *toy)
{
	free(toy->ids);
	free(toy->types);
	free(toy->offset);
}

/* Runs the float64 reference and returns a copy of value `name` ([*count] numbers) to free. */
static inline double *toy_run_inputs(const struct skip_graph *graph, const struct skip_batch *batch, const struct skip_ref_input *inputs,
                                     size_t n_inputs, const char *name, size_t *count)
{
	struct skip_err err;
	struct skip_ref_result result = {0};
	int value = skip_graph_find_value(graph, name);
	cr_assert(value != SKIP_NONE, "no value '%s'", name);
	CHECK_OK(skip_reference_run(graph, batch, inputs, n_inputs, 0, &result, &err));
	size_t n = (size_t)result.rows[value] * (size_t)graph->values[value].cols;
	double *out = malloc((n ? n : 1) * sizeof(*out));
	if (n) memcpy(out, result.data[value], n * sizeof(*out));
	skip_reference_free(&result);
	if (count) *count = n;
	return out;
}

static inline double *toy_run(const struct skip_graph *graph, const struct skip_batch *batch, const char *name, size_t *count)
{
	return toy_run_inputs(graph, batch, NULL, 0, name, count);
}

/* What toy_keep removes; bits add up. */
enum toy_removal {
	TOY_FFN = 1,           /* about half of the neurons of every layer, at least one stays */
	TOY_V = 2,             /* the same number of v dims of every head, at least one stays */
	TOY_QK = 4,            /* likewise qk dims */
	TOY_HEADS = 8,         /* one whole head of every layer */
	TOY_NO_FFN = 16,       /* the ffn of the first layer */
	TOY_NO_ATTENTION = 32, /* the attention of the last layer */
	TOY_NOTHING_LEFT = 64, /* every unit but the slots */
	TOY_SLOTS = 128,       /* about half of the slots, another number in every layer */
	TOY_NO_PREFIX = 256    /* the prefix of the first layer */
};

/* Zeroes `gone` random bytes of keep[0..n). */
static inline void toy_remove(unsigned char *keep, int n, int gone, struct skip_rng *rng)
{
	int order[4096];
	cr_assert(n <= 4096);
	skip_rng_permute(rng, order, (size_t)n);
	for (int i = 0; i < gone; i++) keep[order[i]] = 0;
}

static inline bool toy_whole_gone(const struct skip_unit_group *group, int last_layer, unsigned removal)
{
	if (removal & TOY_NOTHING_LEFT) return true;
	if (group->kind == SKIP_UNIT_FFN) return (removal & TOY_NO_FFN) && group->layer == 0;
	return (removal & TOY_NO_ATTENTION) && group->layer == last_layer;
}

/* A random choice of units, in the form skip_keep_normalise wants. The caller deinitialises it. */
static inline struct skip_keep toy_keep(const struct skip_units *units, unsigned removal, uint64_t seed)
{
	static const unsigned bit[SKIP_UNIT_KIND_COUNT] = {[SKIP_UNIT_FFN] = TOY_FFN, [SKIP_UNIT_V] = TOY_V, [SKIP_UNIT_QK] = TOY_QK};
	struct skip_keep keep;
	struct skip_rng rng;
	struct skip_err err;
	skip_rng_init(&rng, seed, "keep");
	CHECK_OK(skip_keep_create(units, &keep, &err));
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (removal & bit[group->kind]) {
			int gone = group->per_head / 2 + (group->kind == SKIP_UNIT_QK && group->per_head > 3);
			for (int h = 0; h < group->heads; h++) toy_remove(keep.keep[g] + h * group->per_head, group->per_head, gone, &rng);
		}
		if ((removal & TOY_HEADS) && group->kind == SKIP_UNIT_V) {
			int head = (int)skip_rng_below(&rng, (uint64_t)group->heads);
			memset(keep.keep[g] + head * group->per_head, 0, (size_t)group->per_head);
		}
		if (toy_whole_gone(group, units->group[units->n_groups - 1].layer, removal)) memset(keep.keep[g], 0, (size_t)group->width);
	}
	for (size_t g = units->n_groups; g < units->n_all; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (removal & TOY_SLOTS) toy_remove(keep.keep[g], group->width, (group->width + group->layer) / 2, &rng);
		if (removal & TOY_NO_PREFIX && group->layer == 0) memset(keep.keep[g], 0, (size_t)group->width);
	}
	CHECK_OK(skip_keep_normalise(units, &keep, &err));
	return keep;
}

/* The pruned form of `graph`; see toy_keep. */
static inline struct skip_graph *toy_prune(const struct skip_graph *graph, unsigned removal, uint64_t seed)
{
	struct skip_units units;
	struct skip_graph *pruned = NULL;
	struct skip_err err;
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, removal, seed);
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &pruned, &err));
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	return pruned;
}

static inline int toy_count_nodes(const struct skip_graph *graph, const char *op)
{
	int count = 0;
	for (size_t n = 0; n < graph->n_nodes; n++) count += !strcmp(graph->nodes[n].op->name, op);
	return count;
}

/* Largest difference of one value between two graphs on one batch; both must have the same number of elements. */
static inline double toy_difference(const struct skip_graph *a, const struct skip_graph *b, const struct skip_batch *batch,
                                    const char *name)
{
	size_t n_a, n_b;
	double *in_a = toy_run(a, batch, name, &n_a), *in_b = toy_run(b, batch, name, &n_b);
	cr_assert(n_a == n_b, "'%s' has %zu and %zu elements", name, n_a, n_b);
	double worst = check_max_diff(in_a, in_b, n_a, NULL);
	free(in_a);
	free(in_b);
	return worst;
}

#endif
