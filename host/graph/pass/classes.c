/*
 * Shape classes: see pass.h. The widths are chosen by a dynamic programme whose classes are runs of the layers sorted by width, as any crossing of runs
 * would only pad more; then every tied slice is spread over the wider shape, zeros between.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <stdlib.h>
#include <string.h>

struct layer {
	int width, index;
};

static int by_width(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;
	if (x->width != y->width) return x->width < y->width ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* cost[k][i]: the least sum of the first i layers in at most k classes; from[k][i]: the first layer of the last of them. */
static void fill_tables(const struct layer *layer, int n, int most, int64_t *cost, int *from)
{
	const size_t row = (size_t)n + 1;
	for (int k = 0; k <= most; k++) {
		for (int i = 0; i <= n; i++) {
			const size_t at = (size_t)k * row + (size_t)i;
			cost[at] = i == 0 ? 0 : INT64_MAX / 2;
			from[at] = 0;
			for (int j = 0; k > 0 && j < i; j++) {
				const int64_t with = cost[((size_t)k - 1) * row + (size_t)j] + (int64_t)(i - j) * layer[i - 1].width;
				if (with >= cost[at]) continue;
				cost[at] = with;
				from[at] = j;
			}
		}
	}
}

enum skip_status skip_shape_classes(const int *width, int n, int most, int *out, int *classes, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t row = (size_t)n + 1, cells = row * ((size_t)most + 1);
	struct layer *layer = skip_alloc_array((size_t)n, sizeof(*layer));
	int64_t *cost = skip_alloc_array(cells, sizeof(*cost));
	int *from = skip_alloc_array(cells, sizeof(*from)), used = 0;
	if (!layer || !cost || !from) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for classes of %d layers", n));
	for (int i = 0; i < n; i++) layer[i] = (struct layer){width[i], i};
	qsort(layer, (size_t)n, sizeof(*layer), by_width);
	fill_tables(layer, n, most, cost, from);
	for (int i = n, k = most; i > 0; k--) {
		const int first = from[(size_t)k * row + (size_t)i];
		for (int j = first; j < i; j++) out[layer[j].index] = layer[i - 1].width;
		if (i == n || layer[i - 1].width != layer[i].width) used++;
		i = first;
	}
	*classes = used;
cleanup:
	skip_free(layer);
	skip_free(cost);
	skip_free(from);
	return status;
}

/* ---- the wider network ---- */

struct widen {
	struct skip_rewrite rewrite;
	struct skip_units units;
	int *heads, *per_head; /* [n_groups] of the class */
	int **from;            /* [n_groups][heads * per_head] unit that stands there, -1: zeros */
	int *group_of;         /* [n_values], SKIP_NONE: not a unit */
};

static void widen_deinit(struct widen *widen)
{
	for (size_t g = 0; widen->from && g < widen->units.n_groups; g++) skip_free(widen->from[g]);
	skip_free(widen->from);
	skip_free(widen->heads);
	skip_free(widen->per_head);
	skip_free(widen->group_of);
	skip_units_deinit(&widen->units);
	skip_rewrite_deinit(&widen->rewrite);
}

static int new_width(const struct widen *widen, size_t g)
{
	return widen->heads[g] * widen->per_head[g];
}

/* The width that decides about the class of a layer: of ffn its units, of attention heads (qk + v), told by its v group. */
static int deciding_width(const struct skip_units *units, const struct skip_unit_group *group)
{
	const struct skip_unit_group *qk = skip_units_get(units, group->layer, SKIP_UNIT_QK);
	return group->width + (group->kind == SKIP_UNIT_V && qk ? qk->width : 0);
}

/* Classes of all groups of `kind`, and the shape of each: the largest heads and dims among its members, for qk those of the same layers. */
static enum skip_status choose(struct widen *widen, enum skip_unit_kind kind, int most, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_units *units = &widen->units;
	int *width = skip_alloc_array(units->n_groups, sizeof(*width)), *class = skip_alloc_array(units->n_groups, sizeof(*class));
	size_t *group = skip_alloc_array(units->n_groups, sizeof(*group));
	int n = 0, classes;
	if (!width || !class || !group) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for classes of %zu groups", units->n_groups));
	for (size_t g = 0; g < units->n_groups; g++) {
		if (units->group[g].kind != kind) continue;
		width[n] = deciding_width(units, &units->group[g]);
		group[n++] = g;
	}
	SKIP_TRY(skip_shape_classes(width, n, most, class, &classes, err));
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			if (class[i] != class[j]) continue;
			for (size_t g = 0; g < units->n_groups; g++) {
				const struct skip_unit_group *to = &units->group[g], *like = &units->group[group[j]];
				const bool partner = kind == SKIP_UNIT_V && to->kind == SKIP_UNIT_QK && to->layer == units->group[group[i]].layer;
				if (g != group[i] && !partner) continue;
				const struct skip_unit_group *from = partner ? skip_units_get(units, like->layer, SKIP_UNIT_QK) : like;
				if (from && from->heads > widen->heads[g]) widen->heads[g] = from->heads;
				if (from && from->per_head > widen->per_head[g]) widen->per_head[g] = from->per_head;
			}
		}
	}
cleanup:
	skip_free(width);
	skip_free(class);
	skip_free(group);
	return status;
}

static enum skip_status list_units(struct widen *widen, size_t g, struct skip_err *err)
{
	const struct skip_unit_group *group = &widen->units.group[g];
	widen->from[g] = skip_alloc_array((size_t)new_width(widen, g), sizeof(**widen->from));
	if (!widen->from[g]) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of %d units", new_width(widen, g));
	for (int j = 0; j < new_width(widen, g); j++) {
		const int head = j / widen->per_head[g], e = j % widen->per_head[g];
		widen->from[g][j] = head < group->heads && e < group->per_head ? head * group->per_head + e : -1;
	}
	for (int i = 0; i < group->n_values; i++) widen->group_of[group->values[i]] = (int)g;
	return SKIP_OK;
}

static enum skip_status widen_begin(struct widen *widen, const struct skip_graph *graph, int most, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_units_find(graph, &widen->units, err));
	const size_t n = widen->units.n_groups;
	widen->heads = skip_alloc_zeroed(n, sizeof(*widen->heads));
	widen->per_head = skip_alloc_zeroed(n, sizeof(*widen->per_head));
	widen->from = skip_alloc_zeroed(n, sizeof(*widen->from));
	widen->group_of = skip_alloc_array(graph->n_values, sizeof(*widen->group_of));
	if (!widen->heads || !widen->per_head || !widen->from || !widen->group_of) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for classes of %zu groups", n));
	}
	for (size_t v = 0; v < graph->n_values; v++) widen->group_of[v] = SKIP_NONE;
	SKIP_TRY(choose(widen, SKIP_UNIT_FFN, most, err));
	SKIP_TRY(choose(widen, SKIP_UNIT_V, most, err));
	for (size_t g = 0; g < n; g++) SKIP_TRY(list_units(widen, g, err));
	SKIP_TRY(skip_rewrite_begin(&widen->rewrite, graph, err));
cleanup:
	return status;
}

static bool grows(const struct widen *widen)
{
	for (size_t g = 0; g < widen->units.n_groups; g++) {
		if (new_width(widen, g) != widen->units.group[g].width) return true;
	}
	return false;
}

/* Old tensor `t` in the wider shape; shared when none of its slices belongs to a group that grew. */
static enum skip_status map_tensor(struct widen *widen, int t, int *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rewrite *rewrite = &widen->rewrite;
	*out = SKIP_NONE;
	if (t == SKIP_NONE) return SKIP_OK;
	struct skip_tensor *tensor = skip_tensor_ref(rewrite->from->tensors[t]);
	for (size_t g = 0; rewrite->tensor[t] == SKIP_NONE && g < widen->units.n_groups; g++) {
		const struct skip_unit_group *group = &widen->units.group[g];
		for (int i = 0; i < group->n_slices && new_width(widen, g) != group->width; i++) {
			struct skip_tensor *spread;
			if (group->slices[i].tensor != t) continue;
			SKIP_TRY(skip_tensor_spread(tensor, group->slices[i].axis, widen->from[g], new_width(widen, g), &spread, err));
			skip_tensor_unref(tensor);
			tensor = spread;
		}
	}
	if (rewrite->tensor[t] == SKIP_NONE) SKIP_TRY(skip_graph_add_tensor(rewrite->to, tensor, &rewrite->tensor[t], err));
	*out = rewrite->tensor[t];
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

static enum skip_status widen_node(struct widen *widen, size_t n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rewrite *rewrite = &widen->rewrite;
	const struct skip_node *old = &rewrite->from->nodes[n];
	struct skip_node node = *old;
	struct skip_resize resize = {0};
	for (int i = 0; i < node.n_in; i++) {
		const int g = old->in[i] == SKIP_NONE ? SKIP_NONE : widen->group_of[old->in[i]];
		SKIP_TRY(skip_rewrite_value(rewrite, node.in[i], &node.in[i], err));
		resize.in_heads[i] = g == SKIP_NONE ? 1 : widen->heads[g];
		resize.in_per_head[i] = g != SKIP_NONE ? widen->per_head[g] : old->in[i] == SKIP_NONE ? 0 : rewrite->from->values[old->in[i]].cols;
		resize.in_cols[i] = resize.in_heads[i] * resize.in_per_head[i];
	}
	for (int i = 0; i < node.n_param; i++) SKIP_TRY(map_tensor(widen, node.param[i], &node.param[i], err));
	if (node.op->resize) SKIP_TRY(node.op->resize(&node, &resize, err));
	for (int i = 0; i < node.n_out; i++) {
		const int g = node.out[i] == SKIP_NONE ? SKIP_NONE : widen->group_of[node.out[i]];
		if (g == SKIP_NONE || rewrite->value[node.out[i]] != SKIP_NONE) continue;
		SKIP_TRY(skip_rewrite_declare(rewrite, node.out[i], NULL, rewrite->from->values[node.out[i]].rows, new_width(widen, (size_t)g), err));
	}
	SKIP_TRY(skip_rewrite_emit(rewrite, &node, err));
cleanup:
	return status;
}

enum skip_status skip_pass_classes(const struct skip_graph *graph, int most, struct skip_graph **out, struct skip_err *err)
{
	struct widen widen = {0};
	enum skip_status status;
	SKIP_TRY(widen_begin(&widen, graph, most, err));
	for (size_t n = 0; n < graph->n_nodes; n++) SKIP_TRY(widen_node(&widen, n, err));
	if (grows(&widen)) widen.rewrite.to->shape_classes = most;
	*out = skip_rewrite_end(&widen.rewrite);
cleanup:
	widen_deinit(&widen);
	return status;
}
