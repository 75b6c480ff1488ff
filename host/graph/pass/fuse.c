/*
 * Fewer, larger nodes for execution, in three steps: linears that feed one attention from one input; linear + act; linear + add. The
 * numbers stay the same up to the order of sums. Neighbours: pooled_only.c and backward.c come before it (backward with keep_pre after it,
 * too).
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <stdio.h>

struct fuse {
	struct skip_rewrite rewrite;
	const struct skip_graph *graph;
	const int *wanted;
	size_t n_wanted;
	int *partner; /* [n_nodes] node that this one is fused with, SKIP_NONE: stays alone */
};

static enum skip_status fuse_begin(struct fuse *fuse, const struct skip_graph *graph, const int *wanted, size_t n_wanted,
                                   struct skip_err *err)
{
	fuse->graph = graph;
	fuse->wanted = wanted;
	fuse->n_wanted = n_wanted;
	fuse->partner = skip_alloc_array(graph->n_nodes, sizeof(*fuse->partner));
	if (!fuse->partner) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory to fuse %zu nodes", graph->n_nodes);
	for (size_t n = 0; n < graph->n_nodes; n++) fuse->partner[n] = SKIP_NONE;
	return skip_rewrite_begin(&fuse->rewrite, graph, err);
}

static void fuse_end(struct fuse *fuse, int *wanted, struct skip_graph **out)
{
	skip_rewrite_indices(&fuse->rewrite, wanted, fuse->n_wanted);
	*out = skip_rewrite_end(&fuse->rewrite);
}

static void fuse_deinit(struct fuse *fuse)
{
	skip_free(fuse->partner);
	skip_rewrite_deinit(&fuse->rewrite);
}

/* The only node that reads `value`, once, when nobody asked for the value; SKIP_NONE otherwise. */
static int only_reader(const struct fuse *fuse, int value)
{
	size_t reader = 0;
	for (size_t i = 0; i < fuse->n_wanted; i++) {
		if (fuse->wanted[i] == value) return SKIP_NONE;
	}
	return skip_value_readers(fuse->graph, value, &reader) == 1 ? (int)reader : SKIP_NONE;
}

static bool has_residual(const struct skip_node *linear)
{
	return linear->n_in > 1 && linear->in[1] != SKIP_NONE;
}
static bool has_bias(const struct skip_node *linear)
{
	return linear->n_param > 1 && linear->param[1] != SKIP_NONE;
}

/* ---- linears of one attention ---- */

#define BUNDLE_MAX 3

struct bundle {
	int n;
	int input[BUNDLE_MAX];  /* of the attention node, ascending */
	int linear[BUNDLE_MAX]; /* node */
};

/* The linear behind input `i` of attention node `n`, SKIP_NONE when it cannot be part of a larger one. A concatenation has no gradient, so
 * trained weights stay apart. */
static int plain_linear(const struct fuse *fuse, int n, int i)
{
	const struct skip_graph *graph = fuse->graph;
	int value = graph->nodes[n].in[i], producer = graph->values[value].producer;
	if (producer == SKIP_NONE || only_reader(fuse, value) != n) return SKIP_NONE;
	const struct skip_node *linear = &graph->nodes[producer];
	if (!skip_node_is(linear, "linear") || linear->attrs.linear.act != SKIP_ACT_NONE || linear->attrs.linear.transpose ||
	    has_residual(linear)) {
		return SKIP_NONE;
	}
	for (int p = 0; p < linear->n_param; p++) {
		if (linear->param[p] != SKIP_NONE && graph->tensors[linear->param[p]]->trained) return SKIP_NONE;
	}
	return producer;
}

static bool can_join(const struct skip_graph *graph, const struct skip_node *a, const struct skip_node *b)
{
	if (a->in[0] != b->in[0] || has_bias(a) != has_bias(b)) return false;
	if (a->attrs.linear.precision != b->attrs.linear.precision || a->attrs.linear.clip != b->attrs.linear.clip) return false;
	if (graph->tensors[a->param[0]]->dtype != graph->tensors[b->param[0]]->dtype) return false;
	return !has_bias(a) || graph->tensors[a->param[1]]->dtype == graph->tensors[b->param[1]]->dtype;
}

/* Inputs of attention node `n` whose linears can be one; n = 0 when there are not two. */
static struct bundle find_bundle(const struct fuse *fuse, int n)
{
	const struct skip_graph *graph = fuse->graph;
	int linear[BUNDLE_MAX];
	for (int i = 0; i < BUNDLE_MAX; i++) linear[i] = plain_linear(fuse, n, i);
	for (int first = 0; first + 1 < BUNDLE_MAX; first++) {
		struct bundle bundle = {0};
		for (int i = first; linear[first] != SKIP_NONE && i < BUNDLE_MAX; i++) {
			if (linear[i] == SKIP_NONE || !can_join(graph, &graph->nodes[linear[first]], &graph->nodes[linear[i]])) continue;
			bundle.input[bundle.n] = i;
			bundle.linear[bundle.n++] = linear[i];
		}
		if (bundle.n > 1) return bundle;
	}
	return (struct bundle){0};
}

/* A concatenation of the same parts that an earlier layer made, SKIP_NONE without: layers that share weights share it too. */
static int find_concat(const struct skip_graph *graph, struct skip_tensor *const *part, int n)
{
	for (size_t t = 0; t < graph->n_tensors; t++) {
		const struct skip_tensor *tensor = graph->tensors[t];
		bool same = tensor->n_parts == n;
		for (int i = 0; same && i < n; i++) same = tensor->part[i] == part[i];
		if (same) return (int)t;
	}
	return SKIP_NONE;
}

static enum skip_status concat_params(struct fuse *fuse, const struct bundle *bundle, int which, const char *name, int *out,
                                      struct skip_err *err)
{
	struct skip_tensor *part[BUNDLE_MAX], *whole = NULL;
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < bundle->n; i++) part[i] = fuse->graph->tensors[fuse->graph->nodes[bundle->linear[i]].param[which]];
	*out = find_concat(fuse->rewrite.to, part, bundle->n);
	if (*out != SKIP_NONE) return SKIP_OK;
	SKIP_TRY(skip_tensor_concat(name, part, bundle->n, &whole, err));
	SKIP_TRY(skip_graph_add_tensor(fuse->rewrite.to, whole, out, err));
cleanup:
	skip_tensor_unref(whole);
	return status;
}

/* The one linear of a bundle; its output stands for those of all members. */
static enum skip_status emit_bundle(struct fuse *fuse, const struct bundle *bundle, struct skip_err *err)
{
	static const char letter[BUNDLE_MAX] = {'q', 'k', 'v'};
	struct skip_node node = fuse->graph->nodes[bundle->linear[0]];
	char parts[BUNDLE_MAX + 1] = "", name[SKIP_NAME], tensor[SKIP_NAME + 8];
	int made;
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < bundle->n; i++) parts[i] = letter[bundle->input[i]];
	snprintf(name, sizeof(name), "layer%d.attention.%s", node.layer, parts);
	SKIP_TRY(skip_rewrite_value(&fuse->rewrite, node.in[0], &node.in[0], err));
	snprintf(tensor, sizeof(tensor), "%s.weight", name);
	SKIP_TRY(concat_params(fuse, bundle, 0, tensor, &node.param[0], err));
	snprintf(tensor, sizeof(tensor), "%s.bias", name);
	if (has_bias(&node)) SKIP_TRY(concat_params(fuse, bundle, 1, tensor, &node.param[1], err));
	SKIP_TRY(skip_rewrite_insert(&fuse->rewrite, &node, name, &made, err));
	for (int i = 0; i < bundle->n; i++) fuse->rewrite.value[fuse->graph->nodes[bundle->linear[i]].out[0]] = made;
cleanup:
	return status;
}

/* The attention that reads column ranges of the bundle's output. */
static enum skip_status emit_attention(struct fuse *fuse, size_t n, const struct bundle *bundle, struct skip_err *err)
{
	struct skip_node node;
	int first = 0;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_map(&fuse->rewrite, n, &node, err));
	int *const col[BUNDLE_MAX] = {&node.attrs.attention.q_col, &node.attrs.attention.k_col, &node.attrs.attention.v_col};
	for (int i = 0; i < bundle->n; i++) {
		*col[bundle->input[i]] += first;
		first += fuse->graph->values[fuse->graph->nodes[n].in[bundle->input[i]]].cols;
	}
	SKIP_TRY(skip_rewrite_emit(&fuse->rewrite, &node, err));
cleanup:
	return status;
}

static enum skip_status fuse_attention(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out,
                                       struct skip_err *err)
{
	struct fuse fuse = {0};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(fuse_begin(&fuse, graph, wanted, n_wanted, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (!skip_node_is(&graph->nodes[n], "attention")) continue;
		struct bundle bundle = find_bundle(&fuse, (int)n);
		for (int i = 0; i < bundle.n; i++) fuse.partner[bundle.linear[i]] = (int)n;
	}
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (fuse.partner[n] != SKIP_NONE) {
			struct bundle bundle = find_bundle(&fuse, fuse.partner[n]);
			if (fuse.rewrite.value[node->out[0]] == SKIP_NONE) SKIP_TRY(emit_bundle(&fuse, &bundle, err));
		} else if (skip_node_is(node, "attention")) {
			struct bundle bundle = find_bundle(&fuse, (int)n);
			SKIP_TRY(emit_attention(&fuse, n, &bundle, err));
		} else {
			SKIP_TRY(skip_rewrite_copy(&fuse.rewrite, n, err));
		}
	}
	fuse_end(&fuse, wanted, out);
cleanup:
	fuse_deinit(&fuse);
	return status;
}

/* ---- linear + act ---- */

static enum skip_status fuse_act(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out,
                                 struct skip_err *err)
{
	struct fuse fuse = {0};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(fuse_begin(&fuse, graph, wanted, n_wanted, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (!skip_node_is(node, "linear") || node->attrs.linear.act != SKIP_ACT_NONE || has_residual(node)) continue;
		int reader = only_reader(&fuse, node->out[0]);
		if (reader == SKIP_NONE || !skip_node_is(&graph->nodes[reader], "act")) continue;
		fuse.partner[n] = reader;
		fuse.partner[reader] = (int)n;
	}
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_node node;
		bool is_linear = skip_node_is(&graph->nodes[n], "linear");
		if (fuse.partner[n] != SKIP_NONE && !is_linear) continue;
		SKIP_TRY(skip_rewrite_map(&fuse.rewrite, n, &node, err));
		if (fuse.partner[n] != SKIP_NONE) {
			const struct skip_node *act = &graph->nodes[fuse.partner[n]];
			node.attrs.linear.act = act->attrs.act.kind;
			node.out[0] = act->out[0];
		}
		SKIP_TRY(skip_rewrite_emit(&fuse.rewrite, &node, err));
	}
	fuse_end(&fuse, wanted, out);
cleanup:
	fuse_deinit(&fuse);
	return status;
}

/* ---- linear + add ---- */

/* The linear whose output the add `n` can take over; the second operand first, where models put the branch. */
static int branch_of(const struct fuse *fuse, size_t n)
{
	const struct skip_graph *graph = fuse->graph;
	for (int i = 1; i >= 0; i--) {
		int value = graph->nodes[n].in[i], producer = graph->values[value].producer;
		if (producer == SKIP_NONE || only_reader(fuse, value) == SKIP_NONE) continue;
		if (skip_node_is(&graph->nodes[producer], "linear") && !has_residual(&graph->nodes[producer])) return producer;
	}
	return SKIP_NONE;
}

/* The linear stands where the add stood: only there are both its inputs known. */
static enum skip_status emit_residual(struct fuse *fuse, size_t add, struct skip_err *err)
{
	const struct skip_node *old = &fuse->graph->nodes[add];
	struct skip_node node;
	enum skip_status status = SKIP_OK;
	size_t linear = (size_t)fuse->partner[add];
	int branch = fuse->graph->nodes[linear].out[0];
	SKIP_TRY(skip_rewrite_map(&fuse->rewrite, linear, &node, err));
	SKIP_TRY(skip_rewrite_value(&fuse->rewrite, old->in[0] == branch ? old->in[1] : old->in[0], &node.in[1], err));
	node.n_in = 2;
	node.out[0] = old->out[0];
	SKIP_TRY(skip_rewrite_emit(&fuse->rewrite, &node, err));
cleanup:
	return status;
}

static enum skip_status fuse_add(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out,
                                 struct skip_err *err)
{
	struct fuse fuse = {0};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(fuse_begin(&fuse, graph, wanted, n_wanted, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		int linear = skip_node_is(&graph->nodes[n], "add") ? branch_of(&fuse, n) : SKIP_NONE;
		if (linear == SKIP_NONE) continue;
		fuse.partner[n] = linear;
		fuse.partner[linear] = (int)n;
	}
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (fuse.partner[n] == SKIP_NONE) {
			SKIP_TRY(skip_rewrite_copy(&fuse.rewrite, n, err));
		} else if (skip_node_is(&graph->nodes[n], "add")) {
			SKIP_TRY(emit_residual(&fuse, n, err));
		}
	}
	fuse_end(&fuse, wanted, out);
cleanup:
	fuse_deinit(&fuse);
	return status;
}

enum skip_status skip_pass_fuse(const struct skip_graph *graph, bool keep_pre, int *wanted, size_t n_wanted, struct skip_graph **out,
                                struct skip_err *err)
{
	struct skip_graph *joined = NULL, *active = NULL, *made = NULL;
	enum skip_status status = SKIP_OK;
	int *index = skip_alloc_array(n_wanted, sizeof(*index));
	if (!index) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu wanted values", n_wanted));
	for (size_t i = 0; i < n_wanted; i++) index[i] = wanted[i];
	SKIP_TRY(fuse_attention(graph, index, n_wanted, &joined, err));
	if (!keep_pre) SKIP_TRY(fuse_act(joined, index, n_wanted, &active, err));
	SKIP_TRY(fuse_add(active ? active : joined, index, n_wanted, &made, err));
	for (size_t i = 0; i < n_wanted; i++) wanted[i] = index[i];
	*out = made;
cleanup:
	skip_graph_destroy(joined);
	skip_graph_destroy(active);
	skip_free(index);
	return status;
}
