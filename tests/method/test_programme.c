/* The options of sub-layers and what they cost, and the dynamic programme over them, free and in classes, against all choices. */
#include "device/device.h"
#include "method/options_of.h"

static struct skip_err err;

static struct skip_graph *cut_to(const struct world *w, const struct skip_options *options, const int *choice)
{
	struct skip_keep keep = keep_of(w, options, choice);
	struct skip_graph *cut = NULL;
	CHECK_OK(skip_pass_prune(w->scene.graph, &w->units, &keep, &cut, &err));
	skip_keep_deinit(&keep);
	return cut;
}

/* ---- options */

Test(options, costs_are_those_of_the_cut_network)
{
	struct world w;
	world_init(&w, false);
	struct skip_options o = options_of(&w, EVERYTHING);
	cr_assert_eq(o.n, 4, "two layers of two sub-layers, not %zu", o.n);
	for (size_t s = 0; s < o.n; s++) {
		cr_assert_eq(o.sub[s].peer, s, "under CLS pooling the last layer runs on other rows");
		for (size_t k = 0; k < o.sub[s].n_options; k++) {
			int choice[4] = {0};
			choice[s] = (int)k;
			struct skip_graph *cut = cut_to(&w, &o, choice);
			double params = (double)skip_graph_encoder_params(w.scene.graph) - (double)skip_graph_encoder_params(cut);
			double macs = skip_graph_macs(w.scene.graph, 5, true) - skip_graph_macs(cut, 5, true);
			cr_assert_float_eq(o.sub[s].cost[SKIP_COST_PARAMS][0] - o.sub[s].cost[SKIP_COST_PARAMS][k], params, 1e-9);
			cr_assert_float_eq(o.sub[s].cost[SKIP_COST_MACS][0] - o.sub[s].cost[SKIP_COST_MACS][k], macs, 1e-6);
			skip_graph_destroy(cut);
		}
		const struct skip_widths *last = &o.sub[s].option[o.sub[s].n_options - 1];
		cr_assert(last->heads == 0 && last->ffn == 0, "the last option leaves");
		cr_assert_eq(o.sub[s].cost[SKIP_COST_MACS][o.sub[s].n_options - 1], 0);
	}
	cr_assert_gt(skip_options_fixed(&o, SKIP_COST_PARAMS), 0);
	skip_options_deinit(&o);
	world_deinit(&w);
}

Test(options, of_equal_layers_are_timed_once)
{
	struct world w;
	world_init(&w, false);
	skip_graph_destroy(w.scene.graph);
	w.scene.options.pool = SKIP_POOL_MEAN;
	w.scene.graph = toy_graph(&w.scene.options); /* same units */
	struct skip_options o = options_of(&w, EVERYTHING);
	for (size_t s = 0; s < o.n; s++) cr_assert_eq(o.sub[s].peer, s % 2);
	skip_options_deinit(&o);
	world_deinit(&w);
}

struct kinds_case {
	unsigned kinds;
	bool heads, qk, v, ffn, leaves;
};

ParameterizedTestParameters(options, only_the_kinds_asked_for)
{
	static struct kinds_case cases[] = {{SKIP_UNITS_FFN, false, false, false, true, false},
					    {SKIP_UNITS_HEAD, true, false, false, false, false},
					    {SKIP_UNITS_V | SKIP_UNITS_QK, false, true, true, false, false},
					    {SKIP_UNITS_QK | SKIP_UNITS_HEAD, true, true, false, false, false},
					    {SKIP_UNITS_LAYER, false, false, false, false, true},
					    {EVERYTHING, true, true, true, true, true}};
	return cr_make_param_array(struct kinds_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct kinds_case *c, options, only_the_kinds_asked_for)
{
	struct world w;
	bool heads = false, qk = false, v = false, ffn = false, leaves = false;
	world_init(&w, false);
	struct skip_options o = options_of(&w, c->kinds);
	for (size_t s = 0; s < o.n; s++) {
		for (size_t k = 1; k < o.sub[s].n_options; k++) {
			const struct skip_widths *at = &o.sub[s].option[k], *full = &o.sub[s].option[0];
			bool gone = at->heads == 0 && at->ffn == 0;
			leaves |= gone;
			heads |= !gone && at->heads < full->heads;
			qk |= !gone && at->qk < full->qk;
			v |= !gone && at->v < full->v;
			ffn |= !gone && at->ffn < full->ffn;
		}
	}
	cr_assert_eq(heads, c->heads);
	cr_assert_eq(qk, c->qk);
	cr_assert_eq(v, c->v);
	cr_assert_eq(ffn, c->ffn);
	cr_assert_eq(leaves, c->leaves);
	skip_options_deinit(&o);
	world_deinit(&w);
}

/* Layers that differ: in classes both may take what either may, where it is as wide and of the kinds asked for. */
Test(options, of_uneven_layers_are_exchanged_to_be_shared)
{
	struct world w;
	struct skip_graph *cut;
	world_init(&w, false);
	struct skip_profile fine = *skip_device_profile(w.scene.device.device), *profile = &fine;
	struct skip_options even, own, shared, few;
	int narrow[4] = {0, 2, 0, 0};
	fine.round_ffn = 1; /* on a coarse grid the narrow layer's widths are all among the wide one's */
	CHECK_OK(skip_options_init(w.scene.graph, &w.units, profile, EVERYTHING, false, 5, &even, &err));
	cut = cut_to(&w, &even, narrow);
	struct skip_units units;
	CHECK_OK(skip_units_find(cut, &units, &err));
	CHECK_OK(skip_options_init(cut, &units, profile, EVERYTHING, false, 5, &own, &err));
	CHECK_OK(skip_options_init(cut, &units, profile, EVERYTHING, true, 5, &shared, &err));
	CHECK_OK(skip_options_init(cut, &units, profile, SKIP_UNITS_HEAD, true, 5, &few, &err));
	cr_assert_gt(shared.sub[3].n_options, own.sub[3].n_options, "the wide ffn may become the narrow one");
	for (size_t s = 0; s < own.n; s++) {
		const struct skip_sublayer *sub = &shared.sub[s];
		cr_assert(skip_widths_same(&sub->option[0], &own.sub[s].option[0]));
		for (size_t k = 0; k < sub->n_options; k++) {
			cr_assert_eq(sub->option[k].heads == 0 && sub->option[k].ffn == 0, k + 1 == sub->n_options, "only the last leaves");
			cr_assert(sub->option[k].heads <= sub->option[0].heads && sub->option[k].ffn <= sub->option[0].ffn);
		}
		for (size_t k = 0; s % 2 && k < few.sub[s].n_options; k++) cr_assert_eq(few.sub[s].option[k].ffn, few.sub[s].option[0].ffn);
	}
	for (size_t k = 0; k < shared.sub[1].n_options; k++) {
		bool there = false;
		for (size_t j = 0; j < shared.sub[3].n_options; j++) there |= skip_widths_same(&shared.sub[1].option[k], &shared.sub[3].option[j]);
		cr_assert(there, "what the narrow one may become, so may the wide one");
	}
	skip_options_deinit(&even);
	skip_options_deinit(&own);
	skip_options_deinit(&shared);
	skip_options_deinit(&few);
	skip_units_deinit(&units);
	skip_graph_destroy(cut);
	world_deinit(&w);
}

/* ---- the dynamic programme against all choices */

#define SUBS 4
#define OPTIONS 5

static void random_table(struct skip_rng *rng, struct skip_sublayer *sub, struct skip_options *o)
{
	static double cost[SUBS][OPTIONS], error[SUBS][OPTIONS];
	*o = (struct skip_options){.sub = sub, .n = SUBS};
	for (int s = 0; s < SUBS; s++) {
		sub[s] = (struct skip_sublayer){.error = error[s], .n_options = OPTIONS};
		sub[s].cost[SKIP_COST_TIME] = cost[s];
		for (int k = 0; k < OPTIONS; k++) {
			cost[s][k] = k == OPTIONS - 1 ? 0 : 1 + skip_rng_uniform(rng);
			error[s][k] = k == 0 ? 0 : skip_rng_uniform(rng);
		}
	}
}

static double best_of_all(const struct skip_options *o, double budget, const double *weight)
{
	double best = INFINITY;
	for (int i = 0; i < OPTIONS * OPTIONS * OPTIONS * OPTIONS; i++) {
		double cost = 0, error = 0;
		for (int s = 0, rest = i; s < SUBS; s++, rest /= OPTIONS) {
			cost += o->sub[s].cost[SKIP_COST_TIME][rest % OPTIONS];
			error += weight[s] * o->sub[s].error[rest % OPTIONS];
		}
		if (cost <= budget && error < best) best = error;
	}
	return best;
}

Test(programme, finds_the_best_of_all_choices)
{
	struct skip_rng rng;
	struct skip_sublayer sub[SUBS];
	struct skip_options o;
	skip_rng_init(&rng, 1, "tables");
	for (int round = 0; round < 50; round++) {
		double weight[SUBS], error, sum = 0, lost = 0;
		int choice[SUBS];
		bool fits;
		random_table(&rng, sub, &o);
		for (int s = 0; s < SUBS; s++) weight[s] = round % 2 ? skip_rng_uniform(&rng) : 1;
		double budget = 6 * skip_rng_uniform(&rng);
		CHECK_OK(skip_options_allocate(&o, SKIP_COST_TIME, budget, round % 2 ? weight : NULL, 0, choice, &error, &fits, &err));
		cr_assert(fits);
		for (int s = 0; s < SUBS; s++) {
			sum += sub[s].cost[SKIP_COST_TIME][choice[s]];
			lost += weight[s] * sub[s].error[choice[s]];
		}
		cr_assert_leq(sum, budget, "round %d: %g of %g", round, sum, budget);
		cr_assert_float_eq(lost, error, 1e-12);
		/* rounding costs up loses at most four buckets */
		cr_assert_leq(error, best_of_all(&o, budget * (1 - 4e-4), weight) + 1e-12);
		cr_assert_geq(error, best_of_all(&o, budget, weight) - 1e-12);
	}
}

Test(programme, says_when_nothing_fits)
{
	struct skip_rng rng;
	struct skip_sublayer sub[SUBS];
	struct skip_options o;
	int choice[SUBS];
	double error;
	bool fits = true;
	skip_rng_init(&rng, 2, "tables");
	random_table(&rng, sub, &o);
	sub[2].cost[SKIP_COST_TIME][OPTIONS - 1] = 1;
	CHECK_OK(skip_options_allocate(&o, SKIP_COST_TIME, 0.9, NULL, 0, choice, &error, &fits, &err));
	cr_assert_not(fits);
	CHECK_OK(skip_options_allocate(&o, SKIP_COST_TIME, 0, NULL, 0, choice, &error, &fits, &err));
	cr_assert_not(fits);
	CHECK_OK(skip_options_allocate(&o, SKIP_COST_TIME, 1.0001, NULL, 0, choice, &error, &fits, &err));
	cr_assert(fits);
}

/* ---- the programme in classes, against all choices */

#define LAYERS 3
#define SHAPES 5 /* of a sub-layer, and one more option: it leaves */
#define CHOICES (SHAPES + 1)

struct classes_table {
	struct skip_sublayer sub[2 * LAYERS];
	struct skip_widths option[2 * LAYERS][CHOICES];
	double cost[2 * LAYERS][CHOICES], error[2 * LAYERS][CHOICES];
	struct skip_options options;
};

/* Attention and ffn in turn. `even`: all layers may take the same shapes; else only some are in common. */
static void classes_table_init(struct skip_rng *rng, bool even, bool leave, struct classes_table *t)
{
	*t = (struct classes_table){.options = {.sub = t->sub, .n = 2 * LAYERS, .dense = {[SKIP_COST_TIME] = 12}}};
	for (int s = 0; s < 2 * LAYERS; s++) {
		struct skip_sublayer *sub = &t->sub[s];
		const int first = even ? 0 : s / 2;
		*sub = (struct skip_sublayer){.option = t->option[s], .error = t->error[s], .ffn = s % 2 ? 1 : SKIP_NO_GROUP, .n_options = leave ? CHOICES : SHAPES};
		sub->cost[SKIP_COST_TIME] = t->cost[s];
		for (int k = 0; k < SHAPES; k++) {
			const int width = SHAPES + 2 - first - k;
			t->option[s][k] = s % 2 ? (struct skip_widths){.ffn = 8 * width} : (struct skip_widths){width, 4 + width % 2, 4, 0};
			t->cost[s][k] = width / 4.0 + 0.2 * skip_rng_uniform(rng);
			t->error[s][k] = k == 0 ? 0 : skip_rng_uniform(rng);
		}
		t->error[s][SHAPES] = 0.5 + skip_rng_uniform(rng);
	}
}

static int shapes_of(const struct classes_table *t, const int *choice, int first)
{
	int n = 0;
	for (int s = first; s < 2 * LAYERS; s += 2) {
		const struct skip_widths *at = &t->option[s][choice[s]];
		bool old = at->heads == 0 && at->ffn == 0;
		for (int r = first; r < s; r += 2) old |= skip_widths_same(at, &t->option[r][choice[r]]);
		n += !old;
	}
	return n;
}

/* INFINITY: none fits. *smallest: the least cost of any choice in so many classes. */
static double best_in_classes(const struct classes_table *t, double budget, const double *weight, int classes, double *smallest)
{
	double best = INFINITY;
	int all = 1;
	for (int s = 0; s < 2 * LAYERS; s++) all *= (int)t->sub[s].n_options;
	*smallest = INFINITY;
	for (int i = 0; i < all; i++) {
		double cost = 0, error = 0;
		int choice[2 * LAYERS];
		for (int s = 0, rest = i; s < 2 * LAYERS; rest /= (int)t->sub[s].n_options, s++) {
			choice[s] = rest % (int)t->sub[s].n_options;
			cost += t->cost[s][choice[s]];
			error += weight[s] * t->error[s][choice[s]];
		}
		if (shapes_of(t, choice, 0) > classes || shapes_of(t, choice, 1) > classes) continue;
		*smallest = fmin(*smallest, cost);
		if (cost <= budget && error < best) best = error;
	}
	return best;
}

struct classes_case {
	int classes;
	bool even, leave;
};

ParameterizedTestParameters(classes, find_the_best_of_all_choices)
{
	static struct classes_case cases[] = {{1, true, true}, {2, true, true}, {3, true, true}, {1, true, false}, {2, true, false},
					      {1, false, true}, {2, false, true}, {2, false, false}};
	return cr_make_param_array(struct classes_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct classes_case *c, classes, find_the_best_of_all_choices)
{
	struct skip_rng rng;
	int found = 0;
	skip_rng_init(&rng, 5, "classes");
	for (int round = 0; round < 12; round++) {
		static struct classes_table t;
		double weight[2 * LAYERS], error, cost = 0, lost = 0, least, smallest;
		int choice[2 * LAYERS];
		bool fits;
		classes_table_init(&rng, c->even, c->leave, &t);
		for (int s = 0; s < 2 * LAYERS; s++) weight[s] = round % 2 ? skip_rng_uniform(&rng) : 1;
		const double budget = (c->leave ? 0 : 3) + 7 * skip_rng_uniform(&rng);
		const double best = best_in_classes(&t, budget, weight, c->classes, &least);
		/* rounding costs up loses at most a bucket a sub-layer */
		const double within = best_in_classes(&t, budget * (1 - 6e-4), weight, c->classes, &least);
		CHECK_OK(skip_options_allocate(&t.options, SKIP_COST_TIME, budget, round % 2 ? weight : NULL, c->classes, choice, &error, &fits, &err));
		cr_assert(fits || isinf(within), "round %d: nothing found, %g is there", round, within);
		CHECK_OK(skip_options_smallest(&t.options, SKIP_COST_TIME, c->classes, &smallest, &err));
		cr_assert_float_eq(smallest, least + skip_options_fixed(&t.options, SKIP_COST_TIME), 1e-9);
		if (!fits) continue;
		found++;
		for (int s = 0; s < 2 * LAYERS; s++) {
			cost += t.cost[s][choice[s]];
			lost += weight[s] * t.error[s][choice[s]];
		}
		cr_assert_leq(cost, budget);
		cr_assert_float_eq(lost, error, 1e-12);
		cr_assert(shapes_of(&t, choice, 0) <= c->classes && shapes_of(&t, choice, 1) <= c->classes);
		cr_assert(error <= within + 1e-12 && error >= best - 1e-12, "round %d: %g, the best is %g", round, error, best);
	}
	cr_assert_gt(found, 6);
}

/* As many classes as layers are none at all. */
Test(classes, as_many_as_layers_change_nothing)
{
	struct skip_rng rng;
	skip_rng_init(&rng, 6, "classes");
	for (int round = 0; round < 10; round++) {
		static struct classes_table t;
		int choice[2 * LAYERS], in_classes[2 * LAYERS];
		double error, same;
		bool fits;
		classes_table_init(&rng, round % 2, true, &t);
		CHECK_OK(skip_options_allocate(&t.options, SKIP_COST_TIME, 5, NULL, 0, choice, &error, &fits, &err));
		CHECK_OK(skip_options_allocate(&t.options, SKIP_COST_TIME, 5, NULL, LAYERS, in_classes, &same, &fits, &err));
		cr_assert(fits);
		cr_assert_float_eq(error, same, 1e-12);
		for (int s = 0; s < 2 * LAYERS; s++) cr_assert_eq(choice[s], in_classes[s]);
	}
}

Test(classes, report_it_when_memory_runs_out)
{
	struct skip_rng rng;
	static struct classes_table t;
	int choice[2 * LAYERS], failures = 0;
	double error;
	bool fits;
	skip_rng_init(&rng, 8, "classes");
	classes_table_init(&rng, true, true, &t);
	for (size_t n = 1;; n++) {
		skip_alloc_fail_at(n);
		enum skip_status status = skip_options_allocate(&t.options, SKIP_COST_TIME, 5, NULL, 2, choice, &error, &fits, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) break;
		cr_assert_eq(status, SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		failures++;
	}
	cr_assert_gt(failures, 8);
}

Test(classes, are_refused_where_layers_have_too_little_in_common)
{
	struct skip_rng rng;
	static struct classes_table t;
	double smallest;
	skip_rng_init(&rng, 7, "classes");
	classes_table_init(&rng, false, false, &t);
	t.option[4][2].heads = t.option[4][3].heads = t.option[4][4].heads = 9; /* the third layer's attention shares none with the first two */
	t.option[4][0].heads = t.option[4][1].heads = 9;
	CHECK_FAILS(skip_options_smallest(&t.options, SKIP_COST_TIME, 1, &smallest, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "in common") != NULL, "%s", err.message);
	CHECK_OK(skip_options_smallest(&t.options, SKIP_COST_TIME, 2, &smallest, &err));
}
