/* Allocation: the options and what they cost, the dynamic programme, the errors, the time table, and whole prunings through them. */
#include "device/device.h"
#include "method/search/allocation.h"
#include "method/search/times.h"
#include "method/search/trial.h"
#include "method/world.h"

static struct skip_err err;

#define EVERYTHING (SKIP_UNITS_FFN | SKIP_UNITS_HEAD | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_LAYER)

static struct skip_options options_of(const struct world *w, unsigned kinds)
{
	struct skip_options options = {0};
	CHECK_OK(skip_options_init(w->scene.graph, &w->units, skip_device_profile(w->scene.device.device), kinds, false, 5, &options, &err));
	return options;
}

static struct skip_keep keep_of(const struct world *w, const struct skip_options *options, const int *choice)
{
	struct skip_keep keep = {0};
	CHECK_OK(skip_keep_create(&w->units, &keep, &err));
	for (size_t s = 0; s < options->n; s++)
		CHECK_OK(skip_widths_keep(&w->units, &w->scores, &options->sub[s], &options->sub[s].option[choice[s]], &keep, &err));
	return keep;
}

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

/* ---- errors */

/* Mean KL of the small network over the sentences of the trial, computed with the float64 reference. */
static double reference_kl(const struct world *w, const struct skip_trial *trial, const struct skip_graph *small)
{
	size_t n;
	double *dense = scene_reference(w->scene.graph, &trial->rows.data, "logits", &n), *cut = scene_reference(small, &trial->rows.data, "logits", NULL);
	float *a = malloc(n * sizeof(*a)), *b = malloc(n * sizeof(*b));
	for (size_t i = 0; i < n; i++) {
		a[i] = (float)dense[i];
		b[i] = (float)cut[i];
	}
	double kl = skip_mean_kl(a, b, n / SCENE_CLASSES, SCENE_CLASSES);
	free(a);
	free(b);
	free(dense);
	free(cut);
	return kl;
}

static void open_trial(struct world *w, const struct skip_options *options, struct skip_trial *trial)
{
	const struct skip_trial_options how = {.data = &w->scene.train, .sentences = 61, .tokens = 2000, .moment_tokens = 1500, .damping = 1e-2};
	*trial = (struct skip_trial){.device = w->scene.device.device, .graph = w->scene.graph, .units = &w->units, .scores = &w->scores,
				     .options = options, .slots = trial->slots};
	CHECK_OK(skip_trial_init(trial, &how, &err));
}

Test(trial, is_the_small_network_without_building_it)
{
	struct world w;
	struct skip_trial trial = {0};
	world_init(&w, false);
	struct skip_options o = options_of(&w, EVERYTHING);
	double *error[4];
	for (size_t s = 0; s < o.n; s++) error[s] = o.sub[s].error;
	open_trial(&w, &o, &trial);
	CHECK_OK(skip_trial_each(&trial, error, NULL, &err));
	for (size_t s = 0; s < o.n; s++) {
		cr_assert_eq(error[s][0], 0);
		for (size_t k = 1; k < o.sub[s].n_options; k++) {
			int choice[4] = {0};
			double kl;
			choice[s] = (int)k;
			struct skip_keep keep = keep_of(&w, &o, choice);
			CHECK_OK(skip_trial_keep(&trial, &keep, INFINITY, &kl, &err));
			skip_keep_deinit(&keep);
			cr_assert_float_eq(kl, error[s][k], 1e-5 + 1e-3 * kl, "sub-layer %zu, option %zu: %g alone, %g in the choice", s, k, error[s][k], kl);
			/* the network with the trial's weights, cut to size: the same answers from the float64 reference */
			struct skip_graph *small = NULL;
			CHECK_OK(skip_pass_prune(trial.work, &w.units, &trial.keep, &small, &err));
			cr_assert_float_eq(reference_kl(&w, &trial, small), kl, 1e-5 + 1e-3 * kl);
			skip_graph_destroy(small);
		}
	}
	int dense[4] = {0};
	double kl;
	struct skip_keep keep = keep_of(&w, &o, dense);
	CHECK_OK(skip_trial_keep(&trial, &keep, INFINITY, &kl, &err));
	skip_keep_deinit(&keep);
	cr_assert_lt(kl, 1e-7, "everything back: %g", kl);
	skip_trial_deinit(&trial);
	skip_options_deinit(&o);
	world_deinit(&w);
}

/* Slots are masked in the dense network's programs: the same answers as without them. */
Test(trial, masks_the_slots_that_go)
{
	struct world w;
	struct skip_keep keep;
	struct skip_graph *small = NULL;
	double kl;
	world_init(&w, false);
	struct skip_options o = options_of(&w, EVERYTHING);
	struct skip_trial trial = {.slots = true};
	open_trial(&w, &o, &trial);
	CHECK_OK(skip_keep_create(&w.units, &keep, &err));
	for (int gone = 0; gone < 4; gone++) {
		for (int j = 0; j < gone; j++) keep.keep[w.units.n_groups + 1][j] = 0;
		if (gone == 2) keep.keep[w.units.n_groups][2] = 0;
		CHECK_OK(skip_trial_keep(&trial, &keep, INFINITY, &kl, &err));
		CHECK_OK(skip_pass_prune(w.scene.graph, &w.units, &keep, &small, &err));
		double wanted = reference_kl(&w, &trial, small);
		cr_assert_float_eq(kl, wanted, 1e-5 + 1e-3 * wanted, "%d gone: %g, cut %g", gone, kl, wanted);
		cr_assert(gone == 0 || kl > 1e-6, "%d slots that nobody looks at", gone);
		skip_graph_destroy(small);
	}
	memset(keep.keep[w.units.n_groups], 1, 3);
	memset(keep.keep[w.units.n_groups + 1], 1, 3);
	CHECK_OK(skip_trial_keep(&trial, &keep, INFINITY, &kl, &err));
	cr_assert_lt(kl, 1e-7, "everything back: %g", kl);
	skip_keep_deinit(&keep);
	skip_trial_deinit(&trial);
	skip_options_deinit(&o);
	world_deinit(&w);
}

/* ---- allocations and times */

struct name_case {
	char name[16];
};

static void open_allocator(struct world *w, const char *name, enum skip_cost cost, const json_t *table, struct skip_allocator *a)
{
	*a = (struct skip_allocator){.allocation = skip_allocation_find(name), .cost = cost};
	cr_assert_not_null(a->allocation);
	a->input = (struct skip_allocation_input){.device = w->scene.device.device,
						  .graph = w->scene.graph,
						  .units = &w->units,
						  .scores = &w->scores,
						  .calibration = &w->scene.train,
						  .damping = 1e-2};
	CHECK_OK(skip_allocator_init(a, 5, table, &w->scene.dev, 32, &err));
}

ParameterizedTestParameters(allocation, removes_the_share_asked_for)
{
	static struct name_case cases[] = {{"uniform"}, {"kl"}, {"fisher"}, {"obs"}};
	return cr_make_param_array(struct name_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct name_case *c, allocation, removes_the_share_asked_for)
{
	struct world w;
	struct skip_allocator a;
	world_init(&w, false);
	open_allocator(&w, c->name, SKIP_COST_PARAMS, NULL, &a);
	for (double share = 0.1; share < 0.8; share += 0.1) {
		struct skip_keep keep = {0};
		struct skip_graph *cut = NULL;
		CHECK_OK(skip_allocator_choose(&a, share, &keep, &err));
		CHECK_OK(skip_pass_prune(w.scene.graph, &w.units, &keep, &cut, &err));
		double removed = 1 - (double)skip_graph_encoder_params(cut) / (double)skip_graph_encoder_params(w.scene.graph);
		cr_assert(removed > share - 0.01 && removed < share + 0.12, "%s: %g removed, asked for %g", c->name, removed, share);
		skip_graph_destroy(cut);
		skip_keep_deinit(&keep);
	}
	struct skip_keep keep = {0};
	if (a.allocation->errors) CHECK_FAILS(skip_allocator_choose(&a, 0.9999, &keep, &err), SKIP_ERR_USAGE);
	skip_allocator_deinit(&a);
	world_deinit(&w);
}

/* Different shapes that a kind of sub-layer keeps. */
static int shapes_kept(const struct world *w, const struct skip_keep *keep, bool ffn)
{
	struct skip_options o = options_of(w, EVERYTHING);
	struct skip_widths seen[8];
	int n = 0;
	for (size_t s = 0; s < o.n; s++) {
		const struct skip_widths at = skip_keep_widths(&w->units, &o.sub[s], keep);
		bool old = (o.sub[s].ffn != SKIP_NO_GROUP) != ffn || (at.heads == 0 && at.ffn == 0);
		for (int i = 0; i < n; i++) old |= skip_widths_same(&seen[i], &at);
		if (!old) seen[n++] = at;
	}
	skip_options_deinit(&o);
	return n;
}

ParameterizedTestParameters(allocation, in_one_class_leaves_one_shape)
{
	static struct name_case cases[] = {{"uniform"}, {"kl"}, {"fisher"}, {"obs"}};
	return cr_make_param_array(struct name_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct name_case *c, allocation, in_one_class_leaves_one_shape)
{
	struct world w;
	struct skip_allocator a;
	int freely = 0;
	world_init(&w, false);
	open_allocator(&w, c->name, SKIP_COST_PARAMS, NULL, &a);
	for (double share = 0.05; share < 0.8; share += 0.05) {
		for (a.classes = 0; a.classes <= 1; a.classes++) {
			struct skip_keep keep = {0};
			struct skip_graph *cut = NULL;
			CHECK_OK(skip_allocator_choose(&a, share, &keep, &err));
			CHECK_OK(skip_pass_prune(w.scene.graph, &w.units, &keep, &cut, &err));
			double removed = 1 - (double)skip_graph_encoder_params(cut) / (double)skip_graph_encoder_params(w.scene.graph);
			int attention = shapes_kept(&w, &keep, false), ffn = shapes_kept(&w, &keep, true);
			if (a.classes == 0) freely += attention > 1 || ffn > 1;
			else
				cr_assert(attention <= 1 && ffn <= 1, "%s at %g: %d and %d shapes", c->name, share, attention, ffn);
			cr_assert(removed > share - 0.02, "%s: %g removed, asked for %g", c->name, removed, share);
			skip_graph_destroy(cut);
			skip_keep_deinit(&keep);
		}
	}
	cr_assert_gt(freely, 0, "%s needs no classes here", c->name);
	skip_allocator_deinit(&a);
	world_deinit(&w);
}

Test(allocation, errors_never_grow_with_what_is_kept)
{
	struct world w;
	struct skip_allocator a;
	world_init(&w, false);
	open_allocator(&w, "kl", SKIP_COST_PARAMS, NULL, &a);
	for (size_t s = 0; s < a.options.n; s++) {
		const struct skip_sublayer *sub = &a.options.sub[s];
		for (size_t k = 0; k < sub->n_options; k++) {
			for (size_t j = 0; j < sub->n_options; j++) {
				const struct skip_widths *x = &sub->option[j], *y = &sub->option[k];
				bool inside = x->heads <= y->heads && x->qk <= y->qk && x->v <= y->v && x->ffn <= y->ffn;
				cr_assert(sub->error[k] <= sub->error[j] || !inside);
			}
		}
	}
	skip_allocator_deinit(&a);
	world_deinit(&w);
}

Test(times, of_options_add_up_and_survive_a_file)
{
	struct world w;
	struct skip_allocator a, b;
	world_init(&w, false);
	open_allocator(&w, "fisher", SKIP_COST_TIME, NULL, &a);
	const struct skip_options *o = &a.options;
	cr_assert(o->known[SKIP_COST_TIME]);
	double fixed = skip_options_fixed(o, SKIP_COST_TIME);
	cr_assert(fixed > 0 && fixed < o->dense[SKIP_COST_TIME], "fixed %g of %g", fixed, o->dense[SKIP_COST_TIME]);
	for (size_t s = 0; s < o->n; s++) {
		const double *ms = o->sub[s].cost[SKIP_COST_TIME];
		cr_assert_gt(ms[0], 0);
		cr_assert_eq(ms[o->sub[s].n_options - 1], 0, "a sub-layer that leaves takes no time");
		for (size_t k = 1; k < o->sub[s].n_options; k++) cr_assert(ms[k] >= 0 && isfinite(ms[k]));
	}
	json_t *table = skip_times_to_json(w.scene.device.device, o, 32);
	open_allocator(&w, "fisher", SKIP_COST_TIME, table, &b);
	for (size_t s = 0; s < o->n; s++) {
		for (size_t k = 0; k < o->sub[s].n_options; k++)
			cr_assert_eq(o->sub[s].cost[SKIP_COST_TIME][k], b.options.sub[s].cost[SKIP_COST_TIME][k]);
	}
	CHECK_FAILS(skip_times_from_json(table, 1, &b.options, &err), SKIP_ERR_INPUT);
	json_t *first = json_array_get(json_object_get(table, "sublayers"), 0);
	json_object_set_new(json_array_get(json_object_get(first, "options"), 1), "qk", json_integer(1000));
	CHECK_FAILS(skip_times_from_json(table, 32, &b.options, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "1000") != NULL, "%s", err.message);
	json_array_clear(json_object_get(table, "sublayers"));
	CHECK_FAILS(skip_times_from_json(table, 32, &b.options, &err), SKIP_ERR_INPUT);
	json_decref(table);
	skip_allocator_deinit(&a);
	skip_allocator_deinit(&b);
	world_deinit(&w);
}

/* ---- whole prunings */

Test(prune, for_a_speed_up_by_measured_times_and_again_from_the_table)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result first, again;
	world_init(&w, true);
	skip_prune_defaults(&options);
	options.allocate = "kl";
	options.compensate.rows = 200;
	options.speedup = 1.05;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &first, &err));
	cr_assert_not_null(first.time_table);
	cr_assert_gt(first.ceiling, 1);
	options.time_table = first.time_table;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &again, &err));
	cr_assert_eq(again.n_trace, 1, "nothing is measured again");
	cr_assert_eq(again.target_met, first.target_met);
	options.classes = 1; /* the share that was found is that of other shapes */
	skip_prune_result_deinit(&again);
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &again, &err));
	cr_assert_gt(again.n_trace, 1, "it is searched for anew");
	cr_assert(shapes_kept(&w, &again.keep, false) <= 1 && shapes_kept(&w, &again.keep, true) <= 1);
	cr_assert_eq(json_array_size(json_object_get(again.time_table, "aims")), 2);
	options.classes = 0;
	skip_prune_result_deinit(&again);
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &again, &err));
	for (size_t g = 0; g < first.keep.n_all; g++)
		cr_assert_eq(memcmp(first.keep.keep[g], again.keep.keep[g], (size_t)w.units.group[g].width), 0, "another choice");
	skip_prune_result_deinit(&again);
	options.speedup = 1000;
	CHECK_FAILS(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &again, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "ceiling") != NULL, "%s", err.message);
	skip_prune_result_deinit(&first);
	world_deinit(&w);
}

Test(prune, restarts_never_choose_what_diverges_more)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result[3];
	double kl[3];
	world_init(&w, true);
	skip_prune_defaults(&options);
	options.allocate = "fisher"; /* says little about divergences: room to gain */
	options.compensate.mode = SKIP_COMPENSATE_NONE;
	options.flops = 0.4;
	struct skip_options o = options_of(&w, 0);
	struct skip_trial trial = {0};
	open_trial(&w, &o, &trial);
	for (int i = 0; i < 3; i++) {
		options.restarts = i == 0 ? 0 : 12;
		CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result[i], &err));
		CHECK_OK(skip_trial_keep(&trial, &result[i].keep, INFINITY, &kl[i], &err));
	}
	cr_assert_leq(kl[1], kl[0] * 1.05, "%g after, %g before", kl[1], kl[0]);
	cr_assert_eq(kl[1], kl[2], "the same seed, the same choice");
	for (int i = 0; i < 3; i++) skip_prune_result_deinit(&result[i]);
	skip_trial_deinit(&trial);
	skip_options_deinit(&o);
	world_deinit(&w);
}

Test(prune, for_a_share_of_the_multiply_adds)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result;
	world_init(&w, false);
	skip_prune_defaults(&options);
	options.allocate = "fisher";
	options.compensate.rows = 200;
	options.flops = 0.4;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	cr_assert(result.trace[0].macs_share <= 0.6 && result.trace[0].macs_share > 0.5, "%g left", result.trace[0].macs_share);
	cr_assert_null(result.time_table);
	skip_prune_result_deinit(&result);
	world_deinit(&w);
}
