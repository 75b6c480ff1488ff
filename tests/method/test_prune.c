/* Compensation and pruning through the real device. */
#include "method/metrics.h"
#include "method/scene.h"
#include "method/search/search.h"

static struct skip_err err;

struct world {
	struct scene scene;
	struct skip_units units;
	struct skip_scores scores;
};

/* A tuned scene with scores. */
static void world_init(struct world *w, bool tuned)
{
	struct scene *s = &w->scene;
	struct skip_skill_options options;
	scene_init(s, 400, 150, 3);
	if (tuned) {
		struct skip_tune_options tune;
		struct skip_tune_result result;
		skip_tune_defaults(&tune);
		tune.prefix = 3;
		tune.epochs = 3;
		tune.lr = tune.lr_head = 2e-2;
		CHECK_OK(skip_tune(s->device.device, s->graph, &s->train, &tune, NULL, &result, &err));
		skip_graph_destroy(s->graph);
		s->graph = result.graph;
		result.graph = NULL;
		skip_tune_result_deinit(&result);
	}
	CHECK_OK(skip_units_find(s->graph, &w->units, &err));
	skip_skill_defaults(&options);
	options.criterion = "fisher";
	CHECK_OK(skip_attribute(s->device.device, s->graph, &w->units, &s->train, &options, NULL, &w->scores, &err));
}

static void world_deinit(struct world *w)
{
	skip_scores_deinit(&w->scores);
	skip_units_deinit(&w->units);
	scene_deinit(&w->scene);
}

static struct skip_graph *cut_at(struct world *w, unsigned kinds, double rate)
{
	struct skip_keep keep;
	struct skip_graph *cut = NULL;
	double removed;
	CHECK_OK(skip_select_rate(w->scene.graph, &w->units, &w->scores, kinds, rate, &keep, &removed, &err));
	CHECK_OK(skip_pass_prune(w->scene.graph, &w->units, &keep, &cut, &err));
	skip_keep_deinit(&keep);
	return cut;
}

static struct skip_graph *compensated(struct world *w, const struct skip_graph *cut, enum skip_compensate mode)
{
	struct skip_compensate_options options = {.mode = mode, .damping = 1e-2, .rows = 300};
	struct skip_graph *out = NULL;
	double seconds = -1;
	CHECK_OK(skip_compensate_graph(w->scene.device.device, w->scene.graph, cut, &w->scene.train, &options, NULL, &out, &seconds, &err));
	cr_assert_geq(seconds, 0);
	CHECK_OK(skip_graph_validate(out, &err));
	return out;
}

/* Mean squared distance of a value of two graphs over dev, relative to the first. */
static double distance(struct world *w, const struct skip_graph *a, const struct skip_graph *b, const char *value)
{
	size_t n;
	double *x = scene_reference(a, &w->scene.dev, value, &n), *y = scene_reference(b, &w->scene.dev, value, NULL), off = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		off += (x[i] - y[i]) * (x[i] - y[i]);
		size += x[i] * x[i];
	}
	free(x);
	free(y);
	return sqrt(off / size);
}

Test(compensate, identical_networks_stay_identical)
{
	struct world w;
	world_init(&w, false);
	for (int mode = SKIP_COMPENSATE_NONE; mode <= SKIP_COMPENSATE_LS; mode++) {
		struct skip_graph *out = compensated(&w, w.scene.graph, (enum skip_compensate)mode);
		cr_assert_eq(out->n_tensors, w.scene.graph->n_tensors);
		for (size_t t = 0; t < out->n_tensors; t++) {
			float *a = scene_tensor(w.scene.graph, (int)t), *b = scene_tensor(out, (int)t);
			for (int64_t i = 0; i < skip_tensor_count(out->tensors[t]); i++)
				cr_assert_float_eq(a[i], b[i], 1e-4, "mode %d, %s[%ld]: %g, was %g", mode, out->tensors[t]->name, (long)i,
						   b[i], a[i]);
			free(a);
			free(b);
		}
		cr_assert_lt(distance(&w, w.scene.graph, out, "logits"), 1e-4);
		skip_graph_destroy(out);
	}
	world_deinit(&w);
}

struct mix {
	unsigned kinds;
	double rate;
};

ParameterizedTestParameters(compensate, least_squares_brings_the_stream_back)
{
	static struct mix cases[] = {{SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.5},
				     {SKIP_UNITS_FFN, 0.3},
				     {SKIP_UNITS_V | SKIP_UNITS_HEAD, 0.2},
				     {SKIP_UNITS_LAYER, 0.4},
				     {SKIP_UNITS_LAYER | SKIP_UNITS_FFN, 0.7}};
	return cr_make_param_array(struct mix, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct mix *c, compensate, least_squares_brings_the_stream_back)
{
	struct world w;
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, c->kinds, c->rate), *graph[3];
	double off[3];
	for (int mode = 0; mode < 3; mode++) {
		graph[mode] = compensated(&w, cut, (enum skip_compensate)mode);
		off[mode] = distance(&w, w.scene.graph, graph[mode], "hidden");
		cr_assert_eq(skip_graph_encoder_params(graph[mode]), skip_graph_encoder_params(cut));
	}
	cr_assert_float_eq(off[0], distance(&w, w.scene.graph, cut, "hidden"), 1e-12, "none changes nothing");
	cr_assert_lt(off[1], off[0], "off %g with bias, %g without", off[1], off[0]);
	/* what is left of a network without whole sub-layers has little to refit */
	double most = c->kinds & SKIP_UNITS_LAYER ? 1.05 : 0.95;
	cr_assert_lt(off[2], off[1] * most, "off %g with ls, %g with bias", off[2], off[1]);
	for (int mode = 0; mode < 3; mode++) skip_graph_destroy(graph[mode]);
	skip_graph_destroy(cut);
	world_deinit(&w);
}

Test(compensate, bias_keeps_the_mean_of_the_first_sublayer)
{
	/* over the calibration rows (all of train), sum of X and branch, per column */
	struct world w;
	struct skip_compensate_options options = {.mode = SKIP_COMPENSATE_BIAS, .damping = 1e-2, .rows = 400};
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.6), *out = NULL;
	CHECK_OK(skip_compensate_graph(w.scene.device.device, w.scene.graph, cut, &w.scene.train, &options, NULL, &out, NULL, &err));
	const struct skip_unit_group *v = skip_units_get(&w.units, 0, SKIP_UNIT_V);
	int y = w.scene.graph->nodes[v->consumer].out[0], sum = SKIP_NONE;
	for (size_t n = 0; n < w.scene.graph->n_nodes; n++) {
		const struct skip_node *node = &w.scene.graph->nodes[n];
		if (strcmp(node->op->name, "add") == 0 && (node->in[0] == y || node->in[1] == y)) sum = node->out[0];
	}
	const char *name = w.scene.graph->values[sum].name;
	size_t n;
	int cols = w.scene.graph->values[sum].cols;
	double *a = scene_reference(w.scene.graph, &w.scene.train, name, &n), *b = scene_reference(out, &w.scene.train, name, NULL);
	double *raw = scene_reference(cut, &w.scene.train, name, NULL), moved = 0;
	for (int j = 0; j < cols; j++) {
		double dense = 0, kept = 0, plain = 0;
		size_t rows = n / (size_t)cols;
		for (size_t i = 0; i < rows; i++) {
			dense += a[i * (size_t)cols + (size_t)j] / (double)rows;
			kept += b[i * (size_t)cols + (size_t)j] / (double)rows;
			plain += raw[i * (size_t)cols + (size_t)j] / (double)rows;
		}
		cr_assert_float_eq(kept, dense, 1e-4, "column %d: %g, dense %g", j, kept, dense);
		moved = fmax(moved, fabs(plain - dense));
	}
	cr_assert_gt(moved, 1e-2, "the cut did not move any mean; nothing was tested");
	free(a);
	free(b);
	free(raw);
	skip_graph_destroy(out);
	skip_graph_destroy(cut);
	world_deinit(&w);
}

Test(compensate, cls_pooling_and_refusals)
{
	struct world w;
	world_init(&w, false);
	skip_graph_destroy(w.scene.graph);
	w.scene.options.pool = SKIP_POOL_CLS;
	w.scene.graph = toy_graph(&w.scene.options); /* same units */
	struct skip_graph *cut = cut_at(&w, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.5);
	struct skip_graph *out = compensated(&w, cut, SKIP_COMPENSATE_LS);
	cr_assert_lt(distance(&w, w.scene.graph, out, "logits"), distance(&w, w.scene.graph, cut, "logits"));
	skip_graph_destroy(out);
	struct skip_compensate_options options = {.mode = SKIP_COMPENSATE_LS, .damping = 1e-2, .rows = 0};
	CHECK_FAILS(skip_compensate_graph(w.scene.device.device, w.scene.graph, cut, &w.scene.train, &options, NULL, &out, NULL, &err),
		    SKIP_ERR_USAGE);
	skip_graph_destroy(cut);
	world_deinit(&w);
}

static void fast_prune(struct skip_prune_options *o)
{
	skip_prune_defaults(o);
	o->compensate.rows = 200;
}

static void check_result(const struct world *w, const struct skip_prune_result *r)
{
	CHECK_OK(skip_graph_validate(r->graph, &err));
	double all = (double)skip_graph_encoder_params(w->scene.graph);
	cr_assert_float_eq(1 - (double)skip_graph_encoder_params(r->graph) / all, r->removed, 1e-9);
	cr_assert_float_eq(r->paired.drop, 100 * (r->dense.accuracy - r->pruned.accuracy), 1e-9);
	cr_assert_eq(r->keep.n_groups, w->units.n_groups);
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

struct search_case {
	char search[16];
	double margin;
};

ParameterizedTestParameters(prune, keeps_a_margin)
{
	static struct search_case cases[] = {{"binary", 3}, {"adaptive", 3}};
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
		if (result.trace[i].accepted) best = fmax(best, result.trace[i].removed);
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
	double ms[2][2];
	world_init(&w, false);
	for (int i = 0; i < 2; i++)
		CHECK_OK(skip_open_inference(w.scene.device.device, w.scene.graph, "logits", true, &session[i], &value[i], &err));
	CHECK_OK(skip_measure_interleaved(session, value, 2, &w.scene.dev, 7, 5, 0.05, ms, &err));
	for (int i = 0; i < 2; i++) cr_assert(ms[i][0] > 0 && ms[i][1] >= ms[i][0], "median %g, p95 %g", ms[i][0], ms[i][1]);
	CHECK_FAILS(skip_measure_interleaved(session, value, 0, &w.scene.dev, 7, 5, 0, ms, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_measure_interleaved(session, value, 2, &w.scene.dev, 0, 5, 0, ms, &err), SKIP_ERR_USAGE);
	skip_session_destroy(session[0]);
	skip_session_destroy(session[1]);
	world_deinit(&w);
}
