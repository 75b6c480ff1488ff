/* Selection at a rate: the share reached, which units go, every mix of kinds. */
#include "base/alloc.h"
#include "graph/toy_graph.h"
#include "method/search/search.h"

static struct skip_err err;

struct scene {
	struct toy_options options;
	struct skip_graph *graph;
	struct skip_units units;
	struct skip_scores scores;
};

static void scene_init_prefix(struct scene *s, int layers, int width, int heads, int qk, int v, int ffn, int prefix)
{
	s->options = toy_defaults();
	s->options.layers = layers;
	s->options.width = width;
	s->options.heads = heads;
	s->options.qk = qk;
	s->options.v = v;
	s->options.ffn = ffn;
	s->options.vocab = 7;
	s->options.dtype = SKIP_F32;
	s->options.prefix = prefix;
	s->graph = toy_graph(&s->options);
	CHECK_OK(skip_units_find(s->graph, &s->units, &err));
	CHECK_OK(skip_scores_alloc(&s->units, &s->scores, &err));
	struct skip_rng rng;
	skip_rng_init(&rng, 3, "scores");
	for (size_t g = 0; g < s->units.n_all; g++) {
		const struct skip_unit_group *group = &s->units.group[g];
		for (int j = 0; j < group->width; j++) {
			s->scores.unit[g][j] = skip_rng_normal(&rng);
			if (s->scores.head[g]) s->scores.head[g][j / group->per_head] += s->scores.unit[g][j];
		}
	}
}

static void scene_init(struct scene *s, int layers, int width, int heads, int qk, int v, int ffn)
{
	scene_init_prefix(s, layers, width, heads, qk, v, ffn, 0);
}

static void scene_deinit(struct scene *s)
{
	skip_scores_deinit(&s->scores);
	skip_units_deinit(&s->units);
	skip_graph_destroy(s->graph);
}

static int count(const struct scene *s, const struct skip_keep *keep, int layer, enum skip_unit_kind kind)
{
	const struct skip_unit_group *group = skip_units_get(&s->units, layer, kind);
	size_t g = (size_t)(group - s->units.group);
	int n = 0;
	for (int j = 0; j < group->width; j++) n += keep->keep[g][j];
	return n;
}

/* Share removed as the graph counts it after cutting. */
static double cut_share(const struct scene *s, struct skip_keep *keep)
{
	struct skip_graph *cut = NULL;
	CHECK_OK(skip_pass_prune(s->graph, &s->units, keep, &cut, &err));
	double share = 1 - (double)skip_graph_encoder_params(cut) / (double)skip_graph_encoder_params(s->graph);
	skip_graph_destroy(cut);
	return share;
}

Test(select, the_widths_of_the_reference_at_its_rate)
{
	/* the encoder of all-MiniLM-L6-v2: 51.8 % leaves 737 neurons, 15 qk dims and 16 v dims a head, in every layer */
	struct scene s;
	struct skip_keep keep;
	double removed;
	scene_init(&s, 6, 384, 12, 32, 32, 1536);
	cr_assert_eq(skip_graph_encoder_params(s.graph), 10646784);
	CHECK_OK(
	    skip_select_rate(s.graph, &s.units, &s.scores, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0, 0.518, &keep, &removed, &err));
	for (int l = 0; l < 6; l++) {
		cr_assert_eq(count(&s, &keep, l, SKIP_UNIT_QK), 12 * 15);
		cr_assert_eq(count(&s, &keep, l, SKIP_UNIT_V), 12 * 16);
		int ffn = count(&s, &keep, l, SKIP_UNIT_FFN);
		cr_assert(ffn >= 736 && ffn <= 738, "layer %d keeps %d neurons", l, ffn);
	}
	cr_assert_float_eq(removed, 0.518, 1e-4);
	cr_assert_float_eq(cut_share(&s, &keep), removed, 1e-12);
	skip_keep_deinit(&keep);
	scene_deinit(&s);
}

struct rate_case {
	unsigned kinds;
	double rate, tolerance;
};

#define FFN SKIP_UNITS_FFN
#define HEAD SKIP_UNITS_HEAD
#define V SKIP_UNITS_V
#define QK SKIP_UNITS_QK
#define LAYER SKIP_UNITS_LAYER
#define PREFIX SKIP_UNITS_PREFIX

/* Four layers cut at the case's rate, which is what goes by the selection's word and by the graph's. */
static void select_rate(const struct rate_case *c, int classes, struct scene *s, struct skip_keep *keep)
{
	double removed;
	scene_init(s, 4, 64, 4, 16, 16, 256);
	CHECK_OK(skip_select_rate(s->graph, &s->units, &s->scores, c->kinds, classes, c->rate, keep, &removed, &err));
	cr_assert_float_eq(removed, c->rate, c->tolerance, "kinds %u, rate %g: removed %g", c->kinds, c->rate, removed);
	cr_assert_float_eq(cut_share(s, keep), removed, 1e-12, "kinds %u: the graph says %g, not %g", c->kinds, cut_share(s, keep), removed);
}

ParameterizedTestParameters(select, reaches_the_rate)
{
	/* one head is 2.1 % of this encoder, one dim of all heads of a layer 0.27 %, one sub-layer up to 17 % */
	static struct rate_case cases[] = {
	    {FFN | V | QK, 0, 1e-12},
	    {FFN | V | QK, 0.1, 1e-3},
	    {FFN | V | QK, 0.37, 1e-3},
	    {FFN | V | QK, 0.8, 1e-3},
	    {FFN | V | QK, 0.95, 1e-3},
	    {FFN, 0.3, 1e-3},
	    {FFN, 0.6, 1e-3},
	    {V | QK, 0.2, 2e-3},
	    {V, 0.1, 2e-3},
	    {QK, 0.1, 2e-3},
	    {HEAD, 0.2, 0.011},
	    {FFN | HEAD, 0.5, 1e-3},
	    {FFN | HEAD | V, 0.5, 1e-3},
	    {FFN | HEAD | V | QK, 0.7, 1e-3},
	    {FFN | HEAD | V | QK | LAYER, 0.6, 1e-3},
	    {FFN | LAYER, 0.6, 1e-3},
	    {LAYER, 0.5, 0.09},
	    {V | QK | LAYER, 0.5, 2e-3},
	};
	return cr_make_param_array(struct rate_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct rate_case *c, select, reaches_the_rate)
{
	struct scene s;
	struct skip_keep keep;
	select_rate(c, 0, &s, &keep);
	for (int l = 0; l < 4; l++) {
		int ffn = count(&s, &keep, l, SKIP_UNIT_FFN), v = count(&s, &keep, l, SKIP_UNIT_V), qk = count(&s, &keep, l, SKIP_UNIT_QK);
		if (!(c->kinds & LAYER)) cr_assert(ffn > 0 && v > 0 && qk > 0, "layer %d vanished", l);
		if (!(c->kinds & (FFN | LAYER))) cr_assert_eq(ffn, 256);
		if (!(c->kinds & (V | HEAD | LAYER))) cr_assert_eq(v, 64);
		if (!(c->kinds & (QK | HEAD | LAYER))) cr_assert_eq(qk, 64);
		if (!(c->kinds & (V | QK | LAYER))) cr_assert_eq(v, qk, "whole heads go");
	}
	skip_keep_deinit(&keep);
	scene_deinit(&s);
}

Test(select, the_lowest_scores_go_and_each_head_has_its_own_dims)
{
	struct scene s;
	struct skip_keep keep;
	double removed;
	scene_init(&s, 2, 32, 4, 8, 8, 61);
	CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, FFN | V | QK, 0, 0.5, &keep, &removed, &err));
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		for (int h = 0; h < group->heads; h++) {
			double lowest_kept = INFINITY, highest_gone = -INFINITY;
			for (int j = h * group->per_head; j < (h + 1) * group->per_head; j++) {
				if (keep.keep[g][j]) lowest_kept = fmin(lowest_kept, s.scores.unit[g][j]);
				else
					highest_gone = fmax(highest_gone, s.scores.unit[g][j]);
			}
			cr_assert_lt(highest_gone, lowest_kept, "group %zu head %d", g, h);
		}
	}
	skip_keep_deinit(&keep);
	scene_deinit(&s);
}

Test(select, whole_heads_and_sublayers_go_by_their_scores)
{
	struct scene s;
	struct skip_keep keep;
	double removed;
	scene_init(&s, 2, 32, 4, 8, 8, 61);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int h = 0; s.scores.head[g] && h < 4; h++) s.scores.head[g][h] = h == 2 ? -5 : h;
	}
	CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, HEAD, 0, 0.13, &keep, &removed, &err));
	for (int l = 0; l < 2; l++) {
		const struct skip_unit_group *v = skip_units_get(&s.units, l, SKIP_UNIT_V);
		cr_assert_eq(count(&s, &keep, l, SKIP_UNIT_V), 24);
		cr_assert_eq(keep.keep[v - s.units.group][2 * 8], 0);
	}
	skip_keep_deinit(&keep);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int j = 0; j < s.units.group[g].width; j++) s.scores.unit[g][j] = s.units.group[g].layer;
	}
	CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, LAYER, 0, 0.49, &keep, &removed, &err));
	cr_assert_eq(count(&s, &keep, 0, SKIP_UNIT_FFN) + count(&s, &keep, 0, SKIP_UNIT_V) + count(&s, &keep, 0, SKIP_UNIT_QK), 0);
	cr_assert_eq(count(&s, &keep, 1, SKIP_UNIT_FFN), 61);
	cr_assert_eq(count(&s, &keep, 1, SKIP_UNIT_V), 32);
	skip_keep_deinit(&keep);
	scene_deinit(&s);
}

/* As many slots of every layer as of its groups; they count for nothing in the rate. */
Test(select, slots_go_with_the_share_and_one_stays)
{
	struct skip_keep plain, keep;
	double removed[2];
	for (int slots = 1; slots <= 61; slots += 20) {
		struct scene s;
		scene_init_prefix(&s, 2, 32, 4, 8, 8, 61, slots);
		CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, FFN | V | QK, 0, 0.6, &plain, &removed[0], &err));
		CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, FFN | V | QK | PREFIX, 0, 0.6, &keep, &removed[1], &err));
		cr_assert_eq(removed[0], removed[1]);
		for (size_t g = 0; g < s.units.n_groups; g++)
			cr_assert_eq(memcmp(plain.keep[g], keep.keep[g], (size_t)s.units.group[g].width), 0, "slots moved other units");
		for (int l = 0; l < 2; l++) {
			int left = count(&s, &keep, l, SKIP_UNIT_PREFIX), wanted = (int)round(0.4 * slots);
			cr_assert(left >= 1 && abs(left - wanted) <= 2, "%d of %d slots are left", left, slots);
			const size_t g = s.units.n_groups + (size_t)l;
			for (int i = 0; i < slots; i++)
				for (int j = 0; j < slots; j++)
					cr_assert(keep.keep[g][i] || !keep.keep[g][j] || s.scores.unit[g][i] < s.scores.unit[g][j]);
		}
		skip_keep_deinit(&plain);
		skip_keep_deinit(&keep);
		scene_deinit(&s);
	}
}

Test(select, slots_need_scores_a_prefix_and_other_units)
{
	struct scene with, without;
	struct skip_keep keep;
	double removed;
	scene_init_prefix(&with, 1, 8, 2, 4, 4, 7, 5);
	scene_init(&without, 1, 8, 2, 4, 4, 7);
	CHECK_FAILS(skip_select_rate(with.graph, &with.units, &with.scores, PREFIX, 0, 0.1, &keep, &removed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "name other units beside them") != NULL, "%s", err.message);
	CHECK_FAILS(skip_select_rate(without.graph, &without.units, &without.scores, FFN | PREFIX, 0, 0.1, &keep, &removed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "no prefix") != NULL, "%s", err.message);
	skip_free(with.scores.unit[with.units.n_groups]);
	with.scores.unit[with.units.n_groups] = NULL;
	CHECK_FAILS(skip_select_rate(with.graph, &with.units, &with.scores, FFN | PREFIX, 0, 0.1, &keep, &removed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "say nothing of the slots") != NULL, "%s", err.message);
	scene_deinit(&with);
	scene_deinit(&without);
}

Test(select, refuses_what_cannot_be_done)
{
	struct scene s;
	struct skip_keep keep;
	double removed, largest;
	scene_init(&s, 2, 32, 4, 8, 8, 61);
	largest = skip_select_largest(s.graph, &s.units, FFN);
	CHECK_FAILS(skip_select_rate(s.graph, &s.units, &s.scores, FFN, 0, largest + 0.01, &keep, &removed, &err), SKIP_ERR_USAGE);
	char text[32];
	snprintf(text, sizeof(text), "largest possible is %.4f", largest);
	cr_assert(strstr(err.message, text) != NULL, "%s", err.message);
	CHECK_OK(skip_select_rate(s.graph, &s.units, &s.scores, FFN, 0, largest, &keep, &removed, &err));
	cr_assert_float_eq(removed, largest, 1e-9);
	cr_assert_eq(count(&s, &keep, 0, SKIP_UNIT_FFN), 1);
	skip_keep_deinit(&keep);
	const double bad[] = {-0.1, 1, 1.5, NAN};
	for (size_t i = 0; i < 4; i++)
		CHECK_FAILS(skip_select_rate(s.graph, &s.units, &s.scores, FFN, 0, bad[i], &keep, &removed, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_select_rate(s.graph, &s.units, &s.scores, 0, 0, 0.1, &keep, &removed, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_select_rate(s.graph, &s.units, &s.scores, 1u << 9, 0, 0.1, &keep, &removed, &err), SKIP_ERR_USAGE);
	scene_deinit(&s);
}

/* In classes what rounding leaves over goes nowhere: layers that stay are equal, and the rate is met within four times as much, for four layers. */
ParameterizedTestParameters(select, in_classes_layers_stay_alike)
{
	static struct rate_case cases[] = {
	    {FFN | V | QK, 0, 1e-12},	    {FFN | V | QK, 0.1, 4e-3},	{FFN | V | QK, 0.37, 4e-3},		{FFN | V | QK, 0.95, 4e-3},
	    {FFN, 0.3, 4e-3},		    {V | QK, 0.2, 8e-3},	{HEAD, 0.2, 0.044},			{FFN | HEAD | V | QK, 0.7, 4e-3},
	    {FFN | HEAD | V | QK | LAYER, 0.6, 4e-3},
	};
	return cr_make_param_array(struct rate_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct rate_case *c, select, in_classes_layers_stay_alike)
{
	static const enum skip_unit_kind kinds[] = {SKIP_UNIT_FFN, SKIP_UNIT_V, SKIP_UNIT_QK};
	struct scene s;
	struct skip_keep keep;
	select_rate(c, 1, &s, &keep);
	for (int k = 0; k < 3; k++) {
		int width = 0;
		for (int l = 0; l < 4; l++) {
			int stays = count(&s, &keep, l, kinds[k]);
			cr_assert(stays == 0 || width == 0 || stays == width, "kind %d: %d and %d units", k, width, stays);
			if (stays > 0) width = stays;
			cr_assert(stays > 0 || c->kinds & LAYER);
		}
		cr_assert(width > 0);
	}
	skip_keep_deinit(&keep);
	scene_deinit(&s);
}

/* Layers that differ to begin with stay as many shapes as they are, or nothing is done. */
Test(select, in_classes_needs_as_many_as_there_are_shapes)
{
	struct scene s;
	struct skip_keep keep;
	struct skip_graph *uneven = NULL;
	struct skip_units units;
	struct skip_scores scores;
	double removed;
	scene_init(&s, 3, 64, 4, 16, 16, 256);
	CHECK_OK(skip_keep_create(&s.units, &keep, &err));
	size_t g = (size_t)(skip_units_get(&s.units, 1, SKIP_UNIT_FFN) - s.units.group);
	memset(keep.keep[g], 0, 100);
	CHECK_OK(skip_pass_prune(s.graph, &s.units, &keep, &uneven, &err));
	skip_keep_deinit(&keep);
	CHECK_OK(skip_units_find(uneven, &units, &err));
	CHECK_OK(skip_scores_alloc(&units, &scores, &err));
	CHECK_FAILS(skip_select_rate(uneven, &units, &scores, FFN | V, 1, 0.3, &keep, &removed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "2 shapes of ffn") != NULL, "%s", err.message);
	CHECK_OK(skip_select_rate(uneven, &units, &scores, FFN | V, 2, 0.3, &keep, &removed, &err));
	cr_assert_float_eq(removed, 0.3, 4e-3);
	skip_keep_deinit(&keep);
	skip_scores_deinit(&scores);
	skip_units_deinit(&units);
	skip_graph_destroy(uneven);
	scene_deinit(&s);
}

Test(select, out_of_memory_is_reported_wherever_it_strikes)
{
	struct scene s;
	scene_init_prefix(&s, 1, 8, 2, 4, 4, 7, 3);
	int failures = 0;
	for (size_t n = 1;; n++) {
		struct skip_keep keep = {0};
		double removed;
		skip_alloc_fail_at(n);
		enum skip_status status =
		    skip_select_rate(s.graph, &s.units, &s.scores, FFN | HEAD | V | QK | LAYER | PREFIX, 0, 0.5, &keep, &removed, &err);
		skip_alloc_fail_at(0);
		skip_keep_deinit(&keep);
		if (status == SKIP_OK) break;
		cr_assert_eq(status, SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		failures++;
	}
	cr_assert_gt(failures, 5);
	scene_deinit(&s);
}
