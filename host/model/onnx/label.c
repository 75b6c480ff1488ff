/*
 * Canonical names for a graph read from an ONNX file: layers, values and tensors are called as model/arch would call BERT's. What is not a post-LayerNorm
 * encoder with at most one head behind it is refused here.
 */
#include "model/onnx/symbol.h"
#include <stdio.h>
#include <string.h>

struct labels {
	struct skip_graph *graph;
	int layer;
};

static const struct skip_node *reader(const struct labels *l, int value, const char *op)
{
	for (size_t n = 0; n < l->graph->n_nodes; n++) {
		const struct skip_node *node = &l->graph->nodes[n];
		if (strcmp(node->op->name, op) != 0) continue;
		for (int i = 0; i < node->n_in; i++)
			if (node->in[i] == value) return node;
	}
	return NULL;
}

/* Names a node's layer and value, and its tensors <stem>.weight and <stem>.bias; "layer<l>." and "encoder.layer.<l>." stand before them in a layer. */
static void name_node(struct labels *l, const struct skip_node *node, const char *value, const char *stem)
{
	static const char *const ends[] = {"weight", "bias"};
	struct skip_node *own = &l->graph->nodes[node - l->graph->nodes];
	char *name = l->graph->values[own->out[0]].name;
	own->layer = l->layer;
	if (l->layer == SKIP_NONE || strcmp(value, "hidden") == 0) snprintf(name, SKIP_NAME, "%s", value);
	else
		snprintf(name, SKIP_NAME, "layer%d.%s", l->layer, value);
	for (int i = 0; stem && i < own->n_param; i++) {
		char *tensor = own->param[i] == SKIP_NONE ? NULL : l->graph->tensors[own->param[i]]->name;
		if (!tensor || strncmp(tensor, "constant", 8) != 0) continue; /* layers share it: the first names it */
		if (l->layer == SKIP_NONE) snprintf(tensor, SKIP_TENSOR_NAME, "%s.%s", stem, ends[i]);
		else
			snprintf(tensor, SKIP_TENSOR_NAME, "encoder.layer.%d.%s.%s", l->layer, stem, ends[i]);
	}
}

static bool name_embeddings(struct labels *l, int *x)
{
	static const char *const tables[] = {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
					     "embeddings.token_type_embeddings.weight"};
	const struct skip_node *embed = NULL, *norm, *project;
	for (size_t n = 0; n < l->graph->n_nodes && !embed; n++)
		if (strcmp(l->graph->nodes[n].op->name, "embed") == 0) embed = &l->graph->nodes[n];
	if (!embed || !(norm = reader(l, embed->out[0], "layernorm"))) return false;
	for (int i = 0; i < embed->n_param; i++) snprintf(l->graph->tensors[embed->param[i]]->name, SKIP_TENSOR_NAME, "%s", tables[i]);
	l->graph->max_positions = (int)l->graph->tensors[embed->param[1]]->dim[0] - embed->attrs.embed.position_base;
	name_node(l, embed, "embeddings.sum", NULL);
	name_node(l, norm, "embeddings.norm", "embeddings.LayerNorm");
	*x = norm->out[0];
	if (reader(l, *x, "add") || !(project = reader(l, *x, "linear"))) return true;
	name_node(l, project, "embeddings.projected", "embeddings_project");
	*x = project->out[0];
	return true;
}

/* The attention whose queries come from `x`. */
static const struct skip_node *attention_of(const struct labels *l, int x)
{
	for (size_t n = 0; n < l->graph->n_nodes; n++) {
		const struct skip_node *node = &l->graph->nodes[n];
		if (strcmp(node->op->name, "attention") != 0) continue;
		bool ours = true;
		for (int i = 0; i < 3; i++) {
			int producer = l->graph->values[node->in[i]].producer;
			ours = ours && producer != SKIP_NONE && strcmp(l->graph->nodes[producer].op->name, "linear") == 0 &&
			       l->graph->nodes[producer].in[0] == x;
		}
		if (ours) return node;
	}
	return NULL;
}

/* linear, add with x, layernorm behind `from`; *x becomes the norm. */
static bool name_tail(struct labels *l, int from, int *x, const char *const value[3], const char *const stem[2])
{
	const struct skip_node *linear = reader(l, from, "linear"), *sum = linear ? reader(l, linear->out[0], "add") : NULL;
	const struct skip_node *norm = sum ? reader(l, sum->out[0], "layernorm") : NULL;
	if (!norm || (sum->in[0] != *x && sum->in[1] != *x)) return false;
	name_node(l, linear, value[0], stem[0]);
	name_node(l, sum, value[1], NULL);
	name_node(l, norm, value[2], stem[1]);
	*x = norm->out[0];
	return true;
}

static void name_prefix(struct labels *l, int tensor, int part)
{
	struct skip_tensor *prefix = l->graph->tensors[tensor];
	snprintf(prefix->name, SKIP_TENSOR_NAME, "prefix.%d.%s", l->layer, part ? "value" : "key");
	if (prefix->dim[0] > l->graph->prefix) l->graph->prefix = (int)prefix->dim[0]; /* layers may have lost slots of their own */
}

static bool name_layer(struct labels *l, const struct skip_node *attention, int *x)
{
	static const char *const value[] = {"attention.q", "attention.k", "attention.v"};
	static const char *const stem[] = {"attention.self.query", "attention.self.key", "attention.self.value"};
	static const char *const after[] = {"attention.output", "attention.sum", "attention.norm"}, *const ffn[] = {"ffn.output", "ffn.sum", "ffn.norm"};
	static const char *const after_stem[] = {"attention.output.dense", "attention.output.LayerNorm"};
	static const char *const ffn_stem[] = {"output.dense", "output.LayerNorm"};
	struct skip_graph *graph = l->graph;
	for (int i = 0; i < 3; i++) name_node(l, &graph->nodes[graph->values[attention->in[i]].producer], value[i], stem[i]);
	name_node(l, attention, "attention.context", NULL);
	for (int i = 0; i < attention->n_param; i++) name_prefix(l, attention->param[i], i);
	if (!name_tail(l, attention->out[0], x, after, after_stem)) return false;
	const struct skip_node *up = reader(l, *x, "linear"), *act = up ? reader(l, up->out[0], "act") : NULL;
	if (!act) return false;
	name_node(l, up, "ffn.hidden", "intermediate.dense");
	name_node(l, act, "ffn.act", NULL);
	graph->ffn_width = graph->values[act->out[0]].cols;
	return name_tail(l, act->out[0], x, ffn, ffn_stem);
}

/* pool, [dense, act], classifier. */
static bool name_head(struct labels *l, int x)
{
	const struct skip_node *pool = reader(l, x, "pool"), *dense = pool ? reader(l, pool->out[0], "linear") : NULL;
	const struct skip_node *act = dense ? reader(l, dense->out[0], "act") : NULL, *out = act ? reader(l, act->out[0], "linear") : dense;
	l->layer = SKIP_NONE;
	if (!pool) return true; /* a bare encoder */
	if (!out) return false;
	name_node(l, pool, act ? "pooled.rows" : "pooled", NULL);
	if (act) {
		name_node(l, dense, "pooled.dense", "pooler");
		name_node(l, act, "pooled", NULL);
	}
	name_node(l, out, "logits", "head");
	l->graph->classes = l->graph->values[out->out[0]].cols;
	return true;
}

enum skip_status skip_onnx_in_label(struct skip_graph *graph, struct skip_err *err)
{
	struct labels l = {.graph = graph, .layer = SKIP_NONE};
	const struct skip_node *attention;
	int x;
	if (!name_embeddings(&l, &x)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the network does not begin with embeddings and their LayerNorm");
	graph->model_width = graph->values[x].cols;
	while ((attention = attention_of(&l, x))) {
		l.layer = graph->layers++;
		graph->heads = attention->attrs.attention.heads;
		graph->head_width = attention->attrs.attention.qk;
		if (!name_layer(&l, attention, &x))
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "layer %d is not attention and feed-forward, each with an addition and a LayerNorm behind",
			                    l.layer);
	}
	if (graph->layers == 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the network has no attention layers");
	snprintf(graph->values[x].name, SKIP_NAME, "hidden");
	if (!name_head(&l, x)) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the network behind the layers is no classification head");
	snprintf(graph->architecture, sizeof(graph->architecture), "onnx");
	return skip_graph_validate(graph, err);
}
