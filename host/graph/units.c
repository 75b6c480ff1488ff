/*
 * Finds the removable units: a union-find over values, fed by the tie rules of the ops, then one group per class that nothing fixes; and the
 * slots, which are rows of tensors.
 *
 * Neighbours: op/ (ties), pass/prune.c and pass/mask.c (users), units_keep.c (choices of units). It knows ops by their rules only and never
 * looks at a name. Classes outside the layers (a pooler's width) are not groups: a unit belongs to a layer.
 */
#include "graph/units.h"
#include "base/alloc.h"
#include "graph/op.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct tie_value {
	int parent; /* union-find */
	int place;  /* the class before shared weights joined classes: one place where units act */
	bool fixed, pre, post, also, pairs;
	int kind, heads; /* kind SKIP_NONE: none given */
	int consumer;
};

struct tie_slice {
	int value;
	struct skip_unit_slice slice;
};

struct skip_ties {
	const struct skip_graph *graph;
	struct tie_value *value; /* [n_values] */
	struct tie_slice *slice;
	size_t n_slices, cap_slices;
	struct tie_slice *row; /* those of one value in a run */
	size_t n_rows, cap_rows;
	bool failed; /* out of memory: rules are void functions, the end asks */
};

const char *skip_unit_kind_name(enum skip_unit_kind kind)
{
	static const char *const name[SKIP_UNIT_KIND_COUNT] = {[SKIP_UNIT_FFN] = "ffn", [SKIP_UNIT_V] = "v", [SKIP_UNIT_QK] = "qk", [SKIP_UNIT_PREFIX] = "prefix"};
	return name[kind];
}

static int ties_root(struct skip_ties *ties, int value)
{
	while (ties->value[value].parent != value) {
		ties->value[value].parent = ties->value[ties->value[value].parent].parent;
		value = ties->value[value].parent;
	}
	return value;
}

void skip_ties_same(struct skip_ties *ties, int value_a, int value_b)
{
	if (value_a == SKIP_NONE || value_b == SKIP_NONE) return;
	assert(ties->graph->values[value_a].cols == ties->graph->values[value_b].cols);
	ties->value[ties_root(ties, value_a)].parent = ties_root(ties, value_b);
}

static void append(struct skip_ties *ties, struct tie_slice **list, size_t *n, size_t *capacity, struct tie_slice entry)
{
	if (entry.value == SKIP_NONE || entry.slice.tensor == SKIP_NONE) return;
	if (!skip_grow((void **)list, capacity, *n + 1, sizeof(**list))) {
		ties->failed = true;
		return;
	}
	(*list)[(*n)++] = entry;
}

static void add_slice(struct skip_ties *ties, int value, struct skip_unit_slice slice)
{
	append(ties, &ties->slice, &ties->n_slices, &ties->cap_slices, (struct tie_slice){value, slice});
}

void skip_ties_slice(struct skip_ties *ties, int value, int tensor, int axis)
{
	add_slice(ties, value, (struct skip_unit_slice){tensor, axis, false});
}

void skip_ties_head_slice(struct skip_ties *ties, int value, int tensor, int axis)
{
	add_slice(ties, value, (struct skip_unit_slice){tensor, axis, true});
}

void skip_ties_row(struct skip_ties *ties, int value, int tensor)
{
	append(ties, &ties->row, &ties->n_rows, &ties->cap_rows, (struct tie_slice){value, {tensor, 0, false}});
}

void skip_ties_pairs(struct skip_ties *ties, int value)
{
	ties->value[value].pairs = true;
}

void skip_ties_fixed(struct skip_ties *ties, int value)
{
	if (value != SKIP_NONE) ties->value[value].fixed = true;
}

void skip_ties_kind(struct skip_ties *ties, int value, enum skip_unit_kind kind, int heads)
{
	ties->value[value].kind = (int)kind;
	ties->value[value].heads = heads;
}

void skip_ties_post(struct skip_ties *ties, int value)
{
	ties->value[value].post = true;
}

void skip_ties_also(struct skip_ties *ties, int value)
{
	ties->value[value].also = true;
}

void skip_ties_pre(struct skip_ties *ties, int value)
{
	ties->value[value].pre = true;
}

void skip_ties_consumer(struct skip_ties *ties, int value, int node)
{
	if (ties->value[value].consumer == SKIP_NONE) ties->value[value].consumer = node;
}

static enum skip_status ties_collect(struct skip_ties *ties, struct skip_err *err)
{
	const struct skip_graph *graph = ties->graph;
	for (size_t v = 0; v < graph->n_values; v++) {
		/* What a caller feeds in has the width the caller knows. */
		ties->value[v] = (struct tie_value){
		    .parent = (int)v, .fixed = graph->values[v].producer == SKIP_NONE, .kind = SKIP_NONE, .consumer = SKIP_NONE};
	}
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (node->op->ties) {
			node->op->ties(graph, node, ties);
			continue;
		}
		for (int i = 0; i < node->n_in; i++) skip_ties_fixed(ties, node->in[i]);
		for (int i = 0; i < node->n_out; i++) skip_ties_fixed(ties, node->out[i]);
	}
	if (ties->failed) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the tie rules of %zu nodes", graph->n_nodes);
	return SKIP_OK;
}

static int compare_slices(const void *a, const void *b)
{
	const struct skip_unit_slice *x = &((const struct tie_slice *)a)->slice, *y = &((const struct tie_slice *)b)->slice;
	return x->tensor != y->tensor ? (x->tensor < y->tensor ? -1 : 1) : x->axis - y->axis;
}

/* Values whose columns slice one tensor along one axis are one class: layers that share the tensor lose a unit together. */
static enum skip_status ties_join_shared(struct skip_ties *ties, struct skip_err *err)
{
	struct tie_slice *sorted = skip_alloc_array(ties->n_slices, sizeof(*sorted));
	if (!sorted) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu tensor slices", ties->n_slices);
	for (size_t v = 0; v < ties->graph->n_values; v++) ties->value[v].place = ties_root(ties, (int)v);
	if (ties->n_slices > 0) memcpy(sorted, ties->slice, ties->n_slices * sizeof(*sorted));
	qsort(sorted, ties->n_slices, sizeof(*sorted), compare_slices);
	for (size_t i = 1; i < ties->n_slices; i++) {
		if (compare_slices(&sorted[i - 1], &sorted[i]) == 0) skip_ties_same(ties, sorted[i - 1].value, sorted[i].value);
	}
	skip_free(sorted);
	return SKIP_OK;
}

static enum skip_status group_too_large(const struct skip_graph *graph, int value, const char *what, int limit, struct skip_err *err)
{
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "units of value '%s' tie more than %d %s", graph->values[value].name, limit, what);
}

static enum skip_status group_add_slices(struct skip_ties *ties, int root, struct skip_unit_group *group, struct skip_err *err)
{
	for (size_t i = 0; i < ties->n_slices; i++) {
		const struct skip_unit_slice slice = ties->slice[i].slice;
		if (ties_root(ties, ties->slice[i].value) != root) continue;
		bool known = false;
		for (int k = 0; k < group->n_slices; k++) {
			known = known || (group->slices[k].tensor == slice.tensor && group->slices[k].axis == slice.axis);
		}
		if (known) continue;
		if (group->n_slices == SKIP_UNIT_MAX_SLICES)
			return group_too_large(ties->graph, root, "tensor slices", SKIP_UNIT_MAX_SLICES, err);
		group->slices[group->n_slices++] = slice;
	}
	return SKIP_OK;
}

/* The use that value `v` belongs to; a new one when it is the first of its place. NULL: more than fit. */
static struct skip_unit_use *group_use(const struct skip_ties *ties, struct skip_unit_group *group, int *place, int v)
{
	for (int i = 0; i < group->n_uses; i++) {
		if (place[i] == ties->value[v].place) return &group->use[i];
	}
	if (group->n_uses == SKIP_UNIT_MAX_USES) return NULL;
	place[group->n_uses] = ties->value[v].place;
	group->use[group->n_uses] = (struct skip_unit_use){.layer = SKIP_NONE, .post = SKIP_NONE, .also = SKIP_NONE, .consumer = SKIP_NONE};
	return &group->use[group->n_uses++];
}

/* Adds what value `v` of the class says; false when the group is full. */
static bool group_add_value(const struct skip_ties *ties, struct skip_unit_group *group, int *place, int v)
{
	const struct tie_value *value = &ties->value[v];
	struct skip_unit_use *use = group_use(ties, group, place, v);
	if (!use || group->n_values == SKIP_UNIT_MAX_VALUES) return false;
	if (value->post) { /* the last: of a gated ffn the product, not the activation before it */
		use->post = v;
		use->layer = ties->graph->nodes[ties->graph->values[v].producer].layer;
	}
	if (value->also) use->also = v;
	if (value->pairs) group->columns = 2;
	if (value->consumer != SKIP_NONE && use->consumer == SKIP_NONE) use->consumer = value->consumer;
	if (value->pre && use->n_pre < 2) use->pre[use->n_pre++] = v;
	group->values[group->n_values++] = v;
	return true;
}

/* What the class of `root` is; `*is_group` false when something fixes it, nothing names its kind, or it lies outside the layers. */
static enum skip_status group_build(struct skip_ties *ties, int root, struct skip_unit_group *group, bool *is_group, struct skip_err *err)
{
	const struct skip_graph *graph = ties->graph;
	int kind = SKIP_NONE, place[SKIP_UNIT_MAX_USES];
	bool fixed = false, complete = true;
	*group = (struct skip_unit_group){.width = graph->values[root].cols, .columns = 1};
	*is_group = false;
	for (int v = 0; v < (int)graph->n_values; v++) {
		if (ties_root(ties, v) != root) continue;
		fixed = fixed || ties->value[v].fixed;
		if (ties->value[v].kind != SKIP_NONE && kind == SKIP_NONE) {
			kind = ties->value[v].kind;
			group->heads = ties->value[v].heads;
		}
		complete = complete && group_add_value(ties, group, place, v);
	}
	if (fixed || kind == SKIP_NONE) return SKIP_OK;
	if (!complete) return group_too_large(graph, root, "values", SKIP_UNIT_MAX_VALUES, err);
	for (int i = 0; i < group->n_uses; i++) {
		if (group->use[i].post != SKIP_NONE) continue;
		return skip_err_set(err, SKIP_ERR_INTERNAL, "units of value '%s' have a kind but no mask site", graph->values[root].name);
	}
	const struct skip_unit_use *first = &group->use[0];
	group->layer = first->layer;
	if (group->layer == SKIP_NONE) return SKIP_OK;
	group->post = first->post;
	group->n_pre = first->n_pre;
	memcpy(group->pre, first->pre, sizeof(group->pre));
	group->consumer = first->consumer;
	group->kind = (enum skip_unit_kind)kind;
	group->width /= group->columns;
	group->per_head = group->width / group->heads;
	*is_group = true;
	return group_add_slices(ties, root, group, err);
}

/* Groups come in order of appearance; a stable insertion behind the first `from` brings layers into order. */
static enum skip_status units_insert(struct skip_units *units, size_t from, size_t *capacity, const struct skip_unit_group *group,
                                     struct skip_err *err)
{
	if (!skip_grow((void **)&units->group, capacity, units->n_all + 1, sizeof(*units->group))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu unit groups", units->n_all + 1);
	}
	size_t at = units->n_all;
	for (; at > from && units->group[at - 1].layer > group->layer; at--) units->group[at] = units->group[at - 1];
	units->group[at] = *group;
	units->n_all++;
	units->total += (size_t)group->width;
	return SKIP_OK;
}

/* The slots whose rows begin at ties->row[i]; how many entries they take. */
static size_t slots_build(const struct skip_ties *ties, size_t i, struct skip_unit_group *group)
{
	const int value = ties->row[i].value, layer = ties->graph->nodes[ties->graph->values[value].producer].layer;
	const int slots = (int)ties->graph->tensors[ties->row[i].slice.tensor]->dim[0];
	size_t n = 0;
	*group = (struct skip_unit_group){.kind = SKIP_UNIT_PREFIX, .layer = layer, .width = slots, .columns = 1, .heads = 1, .per_head = slots,
	                                  .post = value, .consumer = SKIP_NONE, .n_uses = 1};
	group->use[0] = (struct skip_unit_use){.layer = layer, .post = value, .also = SKIP_NONE, .consumer = SKIP_NONE};
	for (; i + n < ties->n_rows && ties->row[i + n].value == value; n++) group->slices[group->n_slices++] = ties->row[i + n].slice;
	return n;
}

static enum skip_status units_build(struct skip_ties *ties, bool *seen, size_t *capacity, struct skip_units *units, struct skip_err *err)
{
	const struct skip_graph *graph = ties->graph;
	enum skip_status status = SKIP_OK;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		for (int i = 0; i < node->n_out; i++) {
			if (node->out[i] == SKIP_NONE) continue;
			int root = ties_root(ties, node->out[i]);
			struct skip_unit_group group;
			bool is_group;
			if (seen[root]) continue;
			seen[root] = true;
			SKIP_TRY(group_build(ties, root, &group, &is_group, err));
			if (is_group) SKIP_TRY(units_insert(units, 0, capacity, &group, err));
		}
	}
	units->n_groups = units->n_all;
cleanup:
	return status;
}

static enum skip_status units_build_slots(const struct skip_ties *ties, size_t *capacity, struct skip_units *units, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_unit_group group;
	for (size_t i = 0; i < ties->n_rows;) {
		i += slots_build(ties, i, &group);
		if (group.layer != SKIP_NONE) SKIP_TRY(units_insert(units, units->n_groups, capacity, &group, err));
	}
cleanup:
	return status;
}

enum skip_status skip_units_find(const struct skip_graph *graph, struct skip_units *out, struct skip_err *err)
{
	struct skip_ties ties = {.graph = graph};
	struct skip_units units = {0};
	enum skip_status status = SKIP_OK;
	size_t capacity = 0;
	bool *seen = skip_alloc_zeroed(graph->n_values, sizeof(*seen));
	ties.value = skip_alloc_zeroed(graph->n_values, sizeof(*ties.value));
	if (!seen || !ties.value) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the ties of %zu values", graph->n_values));
	SKIP_TRY(ties_collect(&ties, err));
	SKIP_TRY(ties_join_shared(&ties, err));
	SKIP_TRY(units_build(&ties, seen, &capacity, &units, err));
	SKIP_TRY(units_build_slots(&ties, &capacity, &units, err));
	*out = units;
	units = (struct skip_units){0};
cleanup:
	skip_units_deinit(&units);
	skip_free(ties.slice);
	skip_free(ties.row);
	skip_free(ties.value);
	skip_free(seen);
	return status;
}

void skip_units_deinit(struct skip_units *units)
{
	if (!units) return;
	skip_free(units->group);
	*units = (struct skip_units){0};
}

const struct skip_unit_group *skip_units_get(const struct skip_units *units, int layer, enum skip_unit_kind kind)
{
	for (size_t g = 0; g < units->n_all; g++) {
		if (units->group[g].layer == layer && units->group[g].kind == kind) return &units->group[g];
	}
	return NULL;
}

const struct skip_unit_group *skip_units_in(const struct skip_units *units, int layer, enum skip_unit_kind kind)
{
	for (size_t g = 0; g < units->n_all; g++) {
		const struct skip_unit_group *group = &units->group[g];
		for (int i = 0; group->kind == kind && i < group->n_uses; i++) {
			if (group->use[i].layer == layer) return group;
		}
	}
	return NULL;
}

bool skip_units_shared(const struct skip_units *units)
{
	for (size_t g = 0; g < units->n_groups; g++) {
		if (units->group[g].n_uses > 1) return true;
	}
	return false;
}

int skip_unit_column(const struct skip_unit_group *group, int unit, int k)
{
	int head = unit / group->per_head;
	return (head * group->columns + k) * group->per_head + unit % group->per_head;
}

/* Whether a node reads the tensor as something that is not counted. */
static bool is_no_weight(const struct skip_graph *graph, int tensor)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (!node->op->no_weights) continue;
		for (int i = 0; i < node->n_param; i++) {
			if (node->param[i] == tensor) return true;
		}
	}
	return false;
}

int64_t skip_unit_params(const struct skip_graph *graph, const struct skip_unit_group *group)
{
	int64_t count = 0;
	for (int i = 0; i < group->n_slices; i++) {
		const struct skip_tensor *tensor = graph->tensors[group->slices[i].tensor];
		if (!is_no_weight(graph, group->slices[i].tensor)) count += skip_tensor_count(tensor) / group->width;
	}
	return count;
}
