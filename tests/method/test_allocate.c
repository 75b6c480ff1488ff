/* Allocation: the errors, the time table, and whole prunings through them. */
#include "device/device.h"
#include "method/options_of.h"
#include "method/search/allocation.h"
#include "method/search/times.h"
#include "method/search/trial.h"

static struct skip_err err;

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
						  .working = w->scene.graph,
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
	json_t *table = skip_times_to_json(w.scene.device.device, NULL, o, 32);
	open_allocator(&w, "fisher", SKIP_COST_TIME, table, &b);
	for (size_t s = 0; s < o->n; s++) {
		for (size_t k = 0; k < o->sub[s].n_options; k++)
			cr_assert_eq(o->sub[s].cost[SKIP_COST_TIME][k], b.options.sub[s].cost[SKIP_COST_TIME][k]);
	}
	CHECK_FAILS(skip_times_from_json(table, NULL, 1, &b.options, &err), SKIP_ERR_INPUT);
	json_t *first = json_array_get(json_object_get(table, "sublayers"), 0);
	json_object_set_new(json_array_get(json_object_get(first, "options"), 1), "qk", json_integer(1000));
	CHECK_FAILS(skip_times_from_json(table, NULL, 32, &b.options, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "1000") != NULL, "%s", err.message);
	json_array_clear(json_object_get(table, "sublayers"));
	CHECK_FAILS(skip_times_from_json(table, NULL, 32, &b.options, &err), SKIP_ERR_INPUT);
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
	options.compensate.tokens = 1000;
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
	options.allocate = "fisher"; /* nor is that of another allocation */
	skip_prune_result_deinit(&again);
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &again, &err));
	cr_assert_gt(again.n_trace, 1, "it is searched for anew");
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
	options.compensate.tokens = 1000;
	options.flops = 0.4;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	cr_assert(result.trace[0].macs_share <= 0.6 && result.trace[0].macs_share > 0.5, "%g left", result.trace[0].macs_share);
	cr_assert_null(result.time_table);
	skip_prune_result_deinit(&result);
	world_deinit(&w);
}
