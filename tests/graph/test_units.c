/* Units are found by following ties: kinds, widths, slices and sites of the canonical network, and choices of heads. */
#include "base/alloc.h"
#include "toy_graph.h"

static void check_slices(const struct skip_graph *graph, const struct skip_unit_group *group, const char *const *wanted)
{
	int count = 0;
	for (; wanted[count]; count++) {
		char layered[SKIP_NAME * 2];
		int axis = wanted[count][0] - '0', found = 0;
		snprintf(layered, sizeof(layered), wanted[count] + 1, group->layer);
		for (int i = 0; i < group->n_slices; i++) {
			found += group->slices[i].axis == axis && !strcmp(graph->tensors[group->slices[i].tensor]->name, layered);
		}
		cr_assert(found == 1, "layer %d %s: slice %s axis %d found %d times", group->layer, skip_unit_kind_name(group->kind),
		          layered, axis, found);
	}
	cr_assert(group->n_slices == count, "layer %d %s has %d slices", group->layer, skip_unit_kind_name(group->kind), group->n_slices);
}

static const char *name_of(const struct skip_graph *graph, int value)
{
	return value == SKIP_NONE ? "none" : graph->values[value].name;
}

static void check_layer(const struct skip_graph *graph, const struct toy_options *o, const struct skip_unit_group group[3], int layer)
{
	static const char *const qk_slices[] = {"0encoder.layer.%d.attention.self.query.weight",
	                                        "0encoder.layer.%d.attention.self.query.bias",
	                                        "0encoder.layer.%d.attention.self.key.weight",
	                                        "0encoder.layer.%d.attention.self.key.bias",
	                                        "1prefix.%d.key",
	                                        NULL};
	static const char *const v_slices[] = {"0encoder.layer.%d.attention.self.value.weight",
	                                       "0encoder.layer.%d.attention.self.value.bias",
	                                       "1encoder.layer.%d.attention.output.dense.weight", "1prefix.%d.value", NULL};
	static const char *const ffn_slices[] = {"0encoder.layer.%d.intermediate.dense.weight", "0encoder.layer.%d.intermediate.dense.bias",
	                                         "1encoder.layer.%d.output.dense.weight", NULL};
	const struct skip_unit_group *qk = &group[0], *v = &group[1], *ffn = &group[2];
	cr_assert(qk->kind == SKIP_UNIT_QK && v->kind == SKIP_UNIT_V && ffn->kind == SKIP_UNIT_FFN);
	cr_assert(qk->layer == layer && v->layer == layer && ffn->layer == layer);
	cr_assert(qk->width == o->heads * o->qk && qk->heads == o->heads && qk->per_head == o->qk);
	cr_assert(v->width == o->heads * o->v && v->heads == o->heads && v->per_head == o->v);
	cr_assert(ffn->width == o->ffn && ffn->heads == 1 && ffn->per_head == o->ffn);
	cr_assert_str_eq(name_of(graph, qk->post), toy_value(layer, "attention.q"));
	cr_assert_str_eq(name_of(graph, v->post), toy_value(layer, "attention.context"));
	cr_assert_str_eq(name_of(graph, ffn->post), toy_value(layer, "ffn.act"));
	cr_assert(qk->n_pre == 2 && v->n_pre == 1 && ffn->n_pre == 1);
	cr_assert_str_eq(name_of(graph, qk->pre[0]), toy_value(layer, "attention.q"));
	cr_assert_str_eq(name_of(graph, qk->pre[1]), toy_value(layer, "attention.k"));
	cr_assert_str_eq(name_of(graph, v->pre[0]), toy_value(layer, "attention.v"));
	cr_assert_str_eq(name_of(graph, ffn->pre[0]), toy_value(layer, "ffn.hidden"));
	cr_assert(qk->consumer == SKIP_NONE);
	cr_assert(graph->nodes[v->consumer].in[0] == v->post);
	cr_assert(graph->nodes[ffn->consumer].in[0] == ffn->post);
	cr_assert(qk->n_values == 2 && v->n_values == 2 && ffn->n_values == 2);
	const char *short_qk[5] = {qk_slices[0], qk_slices[1], qk_slices[2], qk_slices[3], NULL};
	const char *short_v[4] = {v_slices[0], v_slices[1], v_slices[2], NULL};
	check_slices(graph, qk, o->prefix ? qk_slices : short_qk);
	check_slices(graph, v, o->prefix ? v_slices : short_v);
	check_slices(graph, ffn, ffn_slices);
	cr_assert(skip_unit_params(graph, qk) == 2 * o->width + 2);
	cr_assert(skip_unit_params(graph, v) == 2 * o->width + 1);
	cr_assert(skip_unit_params(graph, ffn) == 2 * o->width + 1);
}

static void check_slots(const struct skip_graph *graph, const struct toy_options *o, const struct skip_unit_group *slots, int layer)
{
	static const char *const slices[] = {"0prefix.%d.key", "0prefix.%d.value", NULL};
	cr_assert(slots->kind == SKIP_UNIT_PREFIX && slots->layer == layer && slots->width == o->prefix && slots->columns == 1);
	cr_assert(slots->heads == 1 && slots->per_head == o->prefix && slots->n_values == 0 && slots->consumer == SKIP_NONE);
	cr_assert(slots->n_uses == 1 && slots->use[0].layer == layer);
	cr_assert_str_eq(name_of(graph, slots->post), toy_value(layer, "attention.context"));
	check_slices(graph, slots, slices);
	cr_assert(skip_unit_params(graph, slots) == 0, "the prefix is no part of the encoder");
}

ParameterizedTestParameters(units, canonical_network)
{
	static int prefix[] = {0, 1, 20};
	return cr_make_param_array(int, prefix, 3);
}

ParameterizedTest(int *prefix, units, canonical_network)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_err err;
	options.prefix = *prefix;
	options.pooler = true;
	options.v = 3;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	cr_assert(units.n_groups == 6, "%zu groups", units.n_groups);
	cr_assert(units.n_all == (options.prefix ? 8 : 6), "%zu groups with slots", units.n_all);
	cr_assert(units.total == (size_t)(2 * (options.heads * (options.qk + options.v) + options.ffn + options.prefix)));
	for (int l = 0; l < 2; l++) check_layer(graph, &options, units.group + 3 * l, l);
	for (int l = 0; options.prefix && l < 2; l++) check_slots(graph, &options, &units.group[6 + l], l);
	cr_assert(skip_units_get(&units, 1, SKIP_UNIT_PREFIX) == (options.prefix ? &units.group[7] : NULL));
	cr_assert(skip_units_get(&units, 1, SKIP_UNIT_V) == &units.group[4]);
	cr_assert(skip_units_get(&units, 2, SKIP_UNIT_V) == NULL);
	skip_units_deinit(&units);
	skip_units_deinit(NULL);
	skip_graph_destroy(graph);
}

Test(units, vanished_layers_have_no_groups)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	struct skip_graph *pruned = toy_prune(graph, TOY_NO_FFN | TOY_NO_ATTENTION, 1);
	CHECK_OK(skip_units_find(pruned, &units, &err));
	cr_assert(units.n_groups == 3, "%zu groups", units.n_groups);
	cr_assert(skip_units_get(&units, 0, SKIP_UNIT_FFN) == NULL);
	cr_assert(skip_units_get(&units, 1, SKIP_UNIT_V) == NULL);
	cr_assert(skip_units_get(&units, 1, SKIP_UNIT_QK) == NULL);
	skip_units_deinit(&units);
	skip_graph_destroy(pruned);
	pruned = toy_prune(graph, TOY_NOTHING_LEFT, 1);
	CHECK_OK(skip_units_find(pruned, &units, &err));
	cr_assert(units.n_groups == 0 && units.total == 0);
	skip_units_deinit(&units);
	skip_graph_destroy(pruned);
	skip_graph_destroy(graph);
}

Test(units, a_fused_network_has_no_attention_units)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_graph *fused = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_fuse(graph, false, NULL, 0, &fused, &err));
	CHECK_OK(skip_units_find(fused, &units, &err));
	for (size_t g = 0; g < units.n_groups; g++) cr_assert(units.group[g].kind == SKIP_UNIT_FFN);
	skip_units_deinit(&units);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

/* The caller of a graph knows the width of what it feeds in. */
Test(units, graph_inputs_stay)
{
	struct toy_options options = toy_defaults();
	struct toy toy = {.options = &options};
	struct skip_units units;
	struct skip_err err;
	int x;
	skip_rng_init(&toy.rng, 1, "toy");
	CHECK_OK(skip_graph_create(&toy.graph, &err));
	CHECK_OK(skip_graph_add_value(toy.graph, "x", SKIP_ROWS_T, 0, 9, &x, &err));
	x = toy_node(&toy, "act", 0, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
	             (union skip_attrs){.act = {.kind = SKIP_ACT_RELU}}, "g");
	x = toy_linear(&toy, 0, x, 7, "first", false, "u");
	x = toy_node(&toy, "act", 0, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
	             (union skip_attrs){.act = {.kind = SKIP_ACT_RELU}}, "g2");
	toy_linear(&toy, 0, x, 5, "second", false, "y");
	CHECK_OK(skip_units_find(toy.graph, &units, &err));
	cr_assert(units.n_groups == 1 && units.group[0].width == 7, "%zu groups", units.n_groups);
	skip_units_deinit(&units);
	skip_graph_destroy(toy.graph);
}

Test(units, every_failed_allocation_is_reported)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	for (size_t n = 1;; n++) {
		cr_assert(n < 1000);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_units_find(graph, &units, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) break;
		cr_assert(status == SKIP_ERR_NOMEM);
	}
	for (size_t n = 1;; n++) {
		struct skip_keep keep;
		cr_assert(n < 1000);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_keep_create(&units, &keep, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) {
			skip_keep_deinit(&keep);
			break;
		}
		cr_assert(status == SKIP_ERR_NOMEM);
	}
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

static int head_sum(const struct skip_unit_group *group, const unsigned char *keep, int head)
{
	int sum = 0;
	for (int e = 0; e < group->per_head; e++) sum += keep[head * group->per_head + e];
	return sum;
}

Test(keep, a_head_without_v_or_qk_goes_whole)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_keep keep;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	memset(keep.keep[0] + 1 * 4, 0, 4); /* qk of layer 0, head 1 */
	memset(keep.keep[4] + 2 * 4, 0, 4); /* v of layer 1, head 2 */
	CHECK_OK(skip_keep_normalise(&units, &keep, &err));
	for (int h = 0; h < 3; h++) {
		cr_assert(head_sum(&units.group[0], keep.keep[0], h) == (h == 1 ? 0 : 4));
		cr_assert(head_sum(&units.group[1], keep.keep[1], h) == (h == 1 ? 0 : 4));
		cr_assert(head_sum(&units.group[3], keep.keep[3], h) == (h == 2 ? 0 : 4));
		cr_assert(head_sum(&units.group[4], keep.keep[4], h) == (h == 2 ? 0 : 4));
	}
	skip_keep_deinit(&keep);
	skip_keep_deinit(NULL);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

Test(keep, heads_of_different_width_are_refused)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_keep keep;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	memset(keep.keep[4], 0, 4); /* head 0 of layer 1 goes: no width to compare with */
	keep.keep[3][2 * 4 + 1] = 0;
	CHECK_FAILS(skip_keep_normalise(&units, &keep, &err), SKIP_ERR_INPUT);
	cr_assert_str_eq(err.message, "layer 1: head 2 keeps 3 qk dims, head 1 keeps 4; every kept head needs the same number");
	cr_assert(keep.keep[3][0] == 1, "a refused choice was changed");
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}
