/*
 * The small network: every slice of a removed unit leaves its tensor, attributes follow, and a sub-layer that lost all units leaves its
 * output bias behind (docs/method.md 4). Neighbours: units.c says what is tied to what, mask.c is the oracle. It chooses nothing and
 * compensates nothing.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <assert.h>

struct prune {
	struct skip_rewrite rewrite;
	const struct skip_units *units;
	int **kept;         /* [n_all][n_kept] columns, ascending */
	int *n_kept;        /* [n_all] */
	int **heads;        /* [n_all][heads_kept] heads that keep at least one unit, ascending */
	int *heads_kept;    /* [n_all] */
	int *group_of;      /* [n_values], SKIP_NONE: not a unit */
	bool *constant;     /* [n_values] the value is the same row everywhere: what a linear without inputs gives */
	int *constant_bias; /* [n_values] that row as an old tensor; SKIP_NONE: zeros */
};

static void prune_deinit(struct prune *prune)
{
	for (size_t g = 0; prune->kept && g < prune->units->n_all; g++) skip_free(prune->kept[g]);
	for (size_t g = 0; prune->heads && g < prune->units->n_all; g++) skip_free(prune->heads[g]);
	skip_free(prune->kept);
	skip_free(prune->heads);
	skip_free(prune->n_kept);
	skip_free(prune->heads_kept);
	skip_free(prune->group_of);
	skip_free(prune->constant);
	skip_free(prune->constant_bias);
	skip_rewrite_deinit(&prune->rewrite);
}

static enum skip_status list_kept(struct prune *prune, const struct skip_keep *keep, size_t g, struct skip_err *err)
{
	const struct skip_unit_group *group = &prune->units->group[g];
	size_t columns = (size_t)group->width * (size_t)group->columns;
	prune->kept[g] = skip_alloc_array(columns, sizeof(**prune->kept));
	prune->heads[g] = skip_alloc_array((size_t)group->heads, sizeof(**prune->heads));
	if (!prune->kept[g] || !prune->heads[g])
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of %d units", group->width);
	for (int h = 0; h < group->heads; h++) {
		int before = prune->n_kept[g];
		for (int k = 0; k < group->columns; k++)
			for (int j = h * group->per_head; j < (h + 1) * group->per_head; j++)
				if (keep->keep[g][j]) prune->kept[g][prune->n_kept[g]++] = skip_unit_column(group, j, k);
		if (prune->n_kept[g] > before) prune->heads[g][prune->heads_kept[g]++] = h;
	}
	for (int i = 0; i < group->n_values; i++) prune->group_of[group->values[i]] = (int)g;
	return SKIP_OK;
}

static enum skip_status prune_begin(struct prune *prune, const struct skip_graph *graph, const struct skip_keep *keep, struct skip_err *err)
{
	size_t n_all = prune->units->n_all;
	enum skip_status status = SKIP_OK;
	prune->kept = skip_alloc_zeroed(n_all, sizeof(*prune->kept));
	prune->heads = skip_alloc_zeroed(n_all, sizeof(*prune->heads));
	prune->n_kept = skip_alloc_zeroed(n_all, sizeof(*prune->n_kept));
	prune->heads_kept = skip_alloc_zeroed(n_all, sizeof(*prune->heads_kept));
	prune->group_of = skip_alloc_array(graph->n_values, sizeof(*prune->group_of));
	prune->constant = skip_alloc_zeroed(graph->n_values, sizeof(*prune->constant));
	prune->constant_bias = skip_alloc_array(graph->n_values, sizeof(*prune->constant_bias));
	if (!prune->kept || !prune->heads || !prune->n_kept || !prune->heads_kept || !prune->group_of || !prune->constant || !prune->constant_bias) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to prune a graph of %zu values", graph->n_values));
	}
	for (size_t v = 0; v < graph->n_values; v++) prune->group_of[v] = prune->constant_bias[v] = SKIP_NONE;
	for (size_t g = 0; g < n_all; g++) SKIP_TRY(list_kept(prune, keep, g, err));
	SKIP_TRY(skip_rewrite_begin(&prune->rewrite, graph, err));
cleanup:
	return status;
}

/* Whether `value` has columns and loses all of them. */
static bool vanishes(const struct prune *prune, int value)
{
	return value != SKIP_NONE && prune->group_of[value] != SKIP_NONE && prune->n_kept[prune->group_of[value]] == 0;
}

/* Old tensor `t` without the slices of removed units; shared when none of its slices leaves. */
static enum skip_status slice_tensor(const struct prune *prune, int t, struct skip_tensor **out, struct skip_err *err)
{
	struct skip_tensor *tensor = skip_tensor_ref(prune->rewrite.from->tensors[t]);
	enum skip_status status = SKIP_OK;
	for (size_t g = 0; g < prune->units->n_all; g++) {
		const struct skip_unit_group *group = &prune->units->group[g];
		for (int i = 0; i < group->n_slices && prune->n_kept[g] < group->width * group->columns; i++) {
			const struct skip_unit_slice *slice = &group->slices[i];
			struct skip_tensor *taken;
			if (slice->tensor != t || (slice->by_head && prune->heads_kept[g] == group->heads)) continue;
			SKIP_TRY(skip_tensor_take(tensor, slice->axis, slice->by_head ? prune->heads[g] : prune->kept[g],
			                          slice->by_head ? prune->heads_kept[g] : prune->n_kept[g], &taken, err));
			skip_tensor_unref(tensor);
			tensor = taken;
		}
	}
	*out = tensor;
	tensor = NULL;
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

/* What lost all of its numbers is absent: a prefix without slots. */
static enum skip_status map_tensor(struct prune *prune, int t, int *out, struct skip_err *err)
{
	struct skip_tensor *tensor = NULL;
	enum skip_status status = SKIP_OK;
	if (t != SKIP_NONE && prune->rewrite.tensor[t] == SKIP_NONE) {
		SKIP_TRY(slice_tensor(prune, t, &tensor, err));
		if (skip_tensor_count(tensor) > 0) SKIP_TRY(skip_graph_add_tensor(prune->rewrite.to, tensor, &prune->rewrite.tensor[t], err));
	}
	*out = t == SKIP_NONE ? SKIP_NONE : prune->rewrite.tensor[t];
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

static enum skip_status resize_node(const struct prune *prune, const struct skip_node *old, struct skip_node *node, struct skip_err *err)
{
	struct skip_resize resize = {0};
	if (!node->op->resize) return SKIP_OK;
	for (int i = 0; i < old->n_in; i++) {
		if (old->in[i] == SKIP_NONE) continue;
		int g = prune->group_of[old->in[i]];
		resize.in_cols[i] = g == SKIP_NONE ? prune->rewrite.from->values[old->in[i]].cols : prune->n_kept[g];
		resize.in_heads[i] = g == SKIP_NONE ? 1 : prune->heads_kept[g];
		resize.in_per_head[i] = resize.in_cols[i] / resize.in_heads[i];
	}
	return node->op->resize(node, &resize, err);
}

static enum skip_status copy_resized(struct prune *prune, size_t n, struct skip_err *err)
{
	struct skip_rewrite *rewrite = &prune->rewrite;
	const struct skip_node *old = &rewrite->from->nodes[n];
	struct skip_node node = *old;
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < node.n_in; i++) {
		if (node.in[i] != SKIP_NONE && prune->constant[node.in[i]]) {
			SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED,
			                      "op '%s' reads '%s', which lost all of its inputs; only an add can", node.op->name,
			                      rewrite->from->values[node.in[i]].name));
		}
		SKIP_TRY(skip_rewrite_value(rewrite, node.in[i], &node.in[i], err));
	}
	for (int i = 0; i < node.n_param; i++) SKIP_TRY(map_tensor(prune, node.param[i], &node.param[i], err));
	SKIP_TRY(resize_node(prune, old, &node, err));
	for (int i = 0; i < node.n_out; i++) {
		int g = node.out[i] == SKIP_NONE ? SKIP_NONE : prune->group_of[node.out[i]];
		if (g == SKIP_NONE || rewrite->value[node.out[i]] != SKIP_NONE) continue;
		SKIP_TRY(skip_rewrite_declare(rewrite, node.out[i], NULL, rewrite->from->values[node.out[i]].rows, prune->n_kept[g], err));
	}
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

/* `value` + the row `bias` (old tensor, SKIP_NONE: zeros) takes the place of old node `n`. */
static enum skip_status replace_by_bias(struct prune *prune, size_t n, int value, int bias, struct skip_err *err)
{
	const struct skip_node *old = &prune->rewrite.from->nodes[n];
	struct skip_node node = {
	    .op = skip_op_find("add_bias"), .layer = old->layer, .n_in = 1, .n_param = 1, .n_out = 1, .out = {old->out[0]}};
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_rewrite_value(&prune->rewrite, value, &node.in[0], err));
	if (bias == SKIP_NONE) {
		prune->rewrite.value[old->out[0]] = node.in[0];
		return SKIP_OK;
	}
	SKIP_TRY(map_tensor(prune, bias, &node.param[0], err));
	SKIP_TRY(skip_rewrite_emit(&prune->rewrite, &node, err));
cleanup:
	return status;
}

/* Node `n` reads a vanished value: its weight is gone, its bias remains. */
static enum skip_status keep_bias(struct prune *prune, size_t n, struct skip_err *err)
{
	const struct skip_node *node = &prune->rewrite.from->nodes[n];
	if (!skip_node_is(node, "linear") || node->attrs.linear.act != SKIP_ACT_NONE) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                    "op '%s' of layer %d lost all of its inputs; only a linear without activation can", node->op->name,
		                    node->layer);
	}
	int bias = node->n_param > 1 ? node->param[1] : SKIP_NONE;
	if (node->n_in > 1 && node->in[1] != SKIP_NONE) return replace_by_bias(prune, n, node->in[1], bias, err);
	prune->constant[node->out[0]] = true;
	prune->constant_bias[node->out[0]] = bias;
	return SKIP_OK;
}

static enum skip_status prune_node(struct prune *prune, size_t n, struct skip_err *err)
{
	const struct skip_node *node = &prune->rewrite.from->nodes[n];
	if (node->n_out > 0 && vanishes(prune, node->out[0])) return SKIP_OK;
	for (int i = 0; i < node->n_in; i++) {
		if (vanishes(prune, node->in[i])) return keep_bias(prune, n, err);
	}
	if (skip_node_is(node, "add") && prune->constant[node->in[0]] != prune->constant[node->in[1]]) {
		int which = prune->constant[node->in[0]] ? 0 : 1;
		return replace_by_bias(prune, n, node->in[1 - which], prune->constant_bias[node->in[which]], err);
	}
	return copy_resized(prune, n, err);
}

/* Leaves out what only vanished branches read: the norm in front of them. */
static enum skip_status drop_unread(const struct prune *prune, struct skip_graph **out, struct skip_err *err)
{
	const struct skip_graph *from = prune->rewrite.from;
	enum skip_status status = SKIP_OK;
	size_t n_ends = 0;
	int *end = skip_alloc_array(from->n_values, sizeof(*end));
	if (!end) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu values", from->n_values);
	for (size_t v = 0; v < from->n_values; v++)
		if (skip_value_readers(from, (int)v, NULL) == 0) end[n_ends++] = prune->rewrite.value[v];
	SKIP_TRY(skip_pass_dead(prune->rewrite.to, end, n_ends, out, err));
cleanup:
	skip_free(end);
	return status;
}

enum skip_status skip_pass_prune(const struct skip_graph *graph, const struct skip_units *units, struct skip_keep *keep,
                                 struct skip_graph **out, struct skip_err *err)
{
	struct prune prune = {.units = units};
	enum skip_status status = SKIP_OK;
	assert(keep->n_all == units->n_all);
	SKIP_TRY(skip_keep_normalise(units, keep, err));
	SKIP_TRY(prune_begin(&prune, graph, keep, err));
	for (size_t n = 0; n < graph->n_nodes; n++) SKIP_TRY(prune_node(&prune, n, err));
	SKIP_TRY(drop_unread(&prune, out, err));
cleanup:
	prune_deinit(&prune);
	return status;
}
