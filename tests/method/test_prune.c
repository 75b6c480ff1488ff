/* Pruning through the real device: at a rate, within a margin, for a speed-up. Also interleaved timing. */
#include "method/metrics.h"
#include "method/world.h"

static struct skip_err err;

static void fast_prune(struct skip_prune_options *o)
{
	skip_prune_defaults(o);
	o->allocate = "uniform";
	o->search = "binary";
	o->compensate.tokens = 1000;
}

static void check_result(const struct world *w, const struct skip_prune_result *r)
{
	CHECK_OK(skip_graph_validate(r->graph, &err));
	double all = (double)skip_graph_encoder_params(w->scene.graph);
	cr_assert_float_eq(1 - (double)skip_graph_encoder_params(r->graph) / all, r->removed, 1e-9);
	cr_assert_float_eq(r->paired.drop, 100 * (r->dense.accuracy - r->pruned.accuracy), 1e-9);
	cr_assert_eq(r->keep.n_all, w->units.n_all);
}

Test(prune, at_a_rate_with_retuning)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result plain, retuned;
	world_init(&w, true);
	fast_prune(&options);
	options.rate = 0.6;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &plain, &err));
	check_result(&w, &plain);
	cr_assert_eq(plain.n_trace, 1);
	cr_assert(plain.target_met && plain.trace[0].accepted);
	cr_assert_float_eq(plain.removed, 0.6, 0.01);
	cr_assert_gt(plain.trace[0].kl, 0);
	cr_assert(plain.trace[0].macs_share > 0.2 && plain.trace[0].macs_share < 0.6, "%g", plain.trace[0].macs_share);
	cr_assert_gt(plain.pruned.accuracy, 0.6);
	options.retune_epochs = 2;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &retuned, &err));
	check_result(&w, &retuned);
	cr_assert_gt(retuned.retune_seconds, 0);
	cr_assert_leq(retuned.pruned.loss, plain.pruned.loss + 0.1, "%g after, %g before", retuned.pruned.loss, plain.pruned.loss);
	skip_prune_result_deinit(&plain);
	skip_prune_result_deinit(&retuned);
	world_deinit(&w);
}

struct retune_case {
	int full, labelled;
};

ParameterizedTestParameters(prune, retuning_moves_what_it_should)
{
	static struct retune_case cases[] = {{0, 1}, {1, 1}, {1, 0}};
	return cr_make_param_array(struct retune_case, cases, sizeof(cases) / sizeof(*cases));
}

/* Tensors as a package gives them back, none marked as trained; rows of their own, with and without labels. */
ParameterizedTest(struct retune_case *c, prune, retuning_moves_what_it_should)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result plain, retuned;
	int heads = 0, weights = 0;
	world_init(&w, true);
	fast_prune(&options);
	for (size_t t = 0; t < w.scene.graph->n_tensors; t++) w.scene.graph->tensors[t]->trained = false;
	options.rate = 0.7;
	options.compensate.mode = SKIP_COMPENSATE_NONE;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &plain, &err));
	struct skip_dataset rows = w.scene.train; /* borrows the arrays */
	int32_t *none = malloc(rows.n_rows * sizeof(*none));
	for (size_t i = 0; i < rows.n_rows; i++) none[i] = -1;
	rows.labelled = c->labelled;
	if (!c->labelled) rows.label = none;
	options.retune_rows = &rows;
	options.retune_epochs = 4;
	options.retune.full = c->full;
	options.retune.lr_weights = 3e-3;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &retuned, &err));
	check_result(&w, &retuned);
	cr_assert_lt(retuned.pruned.loss, plain.pruned.loss, "%g after, %g before", retuned.pruned.loss, plain.pruned.loss);
	for (size_t t = 0; t < plain.graph->n_tensors; t++) {
		const char *name = plain.graph->tensors[t]->name;
		float *before = scene_tensor(plain.graph, (int)t), *after = scene_tensor(retuned.graph, skip_graph_find_tensor(retuned.graph, name));
		bool moved = memcmp(before, after, (size_t)skip_tensor_count(plain.graph->tensors[t]) * sizeof(float)) != 0;
		if (!strncmp(name, "head.", 5) || !strncmp(name, "prefix.", 7)) heads += moved;
		else
			weights += moved;
		free(before);
		free(after);
	}
	cr_assert_gt(heads, 0);
	cr_assert_eq(weights > 10, c->full, "%d weights moved", weights);
	free(none);
	skip_prune_result_deinit(&plain);
	skip_prune_result_deinit(&retuned);
	world_deinit(&w);
}

struct search_case {
	char search[16];
	double margin;
};

ParameterizedTestParameters(prune, keeps_a_margin)
{
	static struct search_case cases[] = {{"binary", 3}, {"adaptive", 3}, {"surrogate", 3}};
	return cr_make_param_array(struct search_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct search_case *c, prune, keeps_a_margin)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result;
	char search[16];
	world_init(&w, true);
	fast_prune(&options);
	snprintf(search, sizeof(search), "%s", c->search);
	options.search = search;
	options.margin = c->margin;
	if (strcmp(search, "binary") == 0) options.compensate.mode = SKIP_COMPENSATE_NONE; /* seven probes: keep them short */
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	check_result(&w, &result);
	cr_assert_gt(result.n_trace, 1);
	double best = 0;
	for (size_t i = 0; i < result.n_trace; i++) {
		if (result.trace[i].accepted && result.trace[i].answered) best = fmax(best, result.trace[i].removed);
	}
	cr_assert_eq(result.removed, best, "the largest accepted removal is the result");
	cr_assert(result.target_met && result.paired.drop <= fmax(c->margin, result.paired.drop_se));
	skip_prune_result_deinit(&result);
	world_deinit(&w);
}

Test(prune, an_impossible_speed_up_gives_the_fastest_and_says_so)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result;
	world_init(&w, false);
	fast_prune(&options);
	options.speedup = 1000;
	options.compensate.mode = SKIP_COMPENSATE_NONE;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	check_result(&w, &result);
	cr_assert_not(result.target_met);
	cr_assert_gt(result.removed, 0.5);
	cr_assert_gt(result.trace[result.n_trace - 1].speedup, 0);
	skip_prune_result_deinit(&result);
	world_deinit(&w);
}

Test(prune, refusals)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result;
	struct scene *s = &w.scene;
	world_init(&w, false);
	fast_prune(&options);
	options.rate = 0.9999;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "largest possible") != NULL, "%s", err.message);
	options.rate = 1;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	options.rate = 0.5;
	options.classes = -1;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	options.classes = 0;
	options.rate = -1;
	options.search = "oracle";
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	options.margin = NAN;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	options.speedup = 0.5;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	s->dev.labelled = false;
	options.speedup = 2;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	s->dev.labelled = true;
	world_deinit(&w);
}

Test(measure, interleaved_times_of_two_sessions)
{
	struct world w;
	struct skip_session *session[2] = {NULL, NULL};
	int value[2];
	struct skip_timing timing[2];
	world_init(&w, false);
	for (int i = 0; i < 2; i++)
		CHECK_OK(skip_open_inference(w.scene.device.device, w.scene.graph, "logits", true, &session[i], &value[i], &err));
	CHECK_OK(skip_measure_interleaved(session, value, 2, &w.scene.dev, 7, 5, 0.05, timing, &err));
	for (int i = 0; i < 2; i++) cr_assert(timing[i].median_ms > 0 && timing[i].p95_ms >= timing[i].median_ms && timing[i].speedup > 0, "median %g, p95 %g, %gx", timing[i].median_ms, timing[i].p95_ms, timing[i].speedup);
	cr_assert(timing[1].speedup == 1, "the last is what the others are compared with");
	CHECK_FAILS(skip_measure_interleaved(session, value, 0, &w.scene.dev, 7, 5, 0, timing, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_measure_interleaved(session, value, 2, &w.scene.dev, 0, 5, 0, timing, &err), SKIP_ERR_USAGE);
	skip_session_destroy(session[0]);
	skip_session_destroy(session[1]);
	world_deinit(&w);
}
