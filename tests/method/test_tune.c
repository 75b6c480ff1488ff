/* Tuning through the real device: it learns, repeats itself, stops and goes on, refuses what it must. */
#include "method/metrics.h"
#include "method/scene.h"
#include "method/tune/tune.h"
#include <unistd.h>

static struct skip_err err;

static void fast_options(struct skip_tune_options *o, int prefix)
{
	skip_tune_defaults(o);
	o->prefix = prefix;
	o->epochs = 6;
	o->lr = 2e-2;
	o->lr_head = 2e-2;
	o->probe_start = false;
}

static double accuracy(struct scene *s, const struct skip_graph *graph)
{
	struct skip_session *session = NULL;
	struct skip_metrics metrics;
	int value;
	float *logits = malloc(s->dev.n_rows * SCENE_CLASSES * sizeof(*logits));
	CHECK_OK(skip_open_inference(s->device.device, graph, "logits", false, &session, &value, &err));
	CHECK_OK(skip_predict(session, value, &s->dev, 0, logits, NULL, &err));
	CHECK_OK(skip_metrics_compute(logits, s->dev.label, s->dev.n_rows, SCENE_CLASSES, &metrics, NULL, &err));
	skip_session_destroy(session);
	free(logits);
	return metrics.accuracy;
}

struct learn_case {
	int prefix, probe_start, init_tokens;
	double prefix_dropout;
	enum skip_precision precision;
};

ParameterizedTestParameters(tune, learns_a_separable_task)
{
	static struct learn_case cases[] = {{5, 0, 0, 0, 0}, {5, 1, 0, 0.1, 0}, {5, 0, 1, 0, 0}, {0, 0, 0, 0, 0}, {0, 1, 0, 0, 0}, {5, 0, 0, 0.1, SKIP_PRECISION_BF16}};
	return cr_make_param_array(struct learn_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct learn_case *c, tune, learns_a_separable_task)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	scene_init(&s, 600, 200, c->prefix);
	struct skip_graph *before = NULL;
	CHECK_OK(skip_pass_own_trained(s.graph, &before, &err));
	fast_options(&options, c->prefix);
	options.probe_start = c->probe_start;
	options.init_tokens = c->init_tokens;
	options.prefix_dropout = c->prefix_dropout;
	options.precision = c->precision;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	double found = accuracy(&s, result.graph);
	cr_assert_gt(found, 0.95, "accuracy %.3f on dev, %.3f on the selection rows", found, result.selection_accuracy);
	cr_assert_eq(result.held_out, 60);
	cr_assert_eq(result.precision, c->precision);
	cr_assert(result.best_epoch >= 1 && result.best_epoch <= result.epochs);
	cr_assert_eq(result.history[result.best_epoch - 1], result.selection_accuracy);
	for (int e = result.best_epoch; e < result.epochs; e++)
		cr_assert_lt(result.history[e], result.selection_accuracy, "a later equal wins");
	cr_assert_gt(result.steps_per_second, 0);
	cr_assert_eq(isnan(result.probe_accuracy), !c->probe_start);
	if (c->probe_start) cr_assert_gt(result.probe_accuracy, 0.8);
	cr_assert(scene_same_trained(before, s.graph), "the graph given was changed");
	CHECK_OK(skip_graph_validate(result.graph, &err));
	cr_assert_eq(result.graph->n_nodes, s.graph->n_nodes, "the result is the canonical graph");
	skip_tune_result_deinit(&result);
	skip_graph_destroy(before);
	scene_deinit(&s);
}

Test(tune, training_on_the_prefix_alone_lowers_the_loss)
{
	/* a frozen random head: only the prefix can help, so its gradient must be right */
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	scene_init(&s, 300, 100, 5);
	fast_options(&options, 5);
	options.lr_head = 0;
	options.epochs = 15;
	options.keep_start = true;
	options.head_dropout = 0;
	double before = accuracy(&s, s.graph);
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	double after = accuracy(&s, result.graph);
	cr_assert_gt(after, before + 0.1, "accuracy %.3f before, %.3f after", before, after);
	skip_tune_result_deinit(&result);
	scene_deinit(&s);
}

struct full_case {
	int prefix, head_moves;
};

ParameterizedTestParameters(tune, full_moves_every_weight)
{
	static struct full_case cases[] = {{0, 1}, {0, 0}, {3, 1}};
	return cr_make_param_array(struct full_case, cases, sizeof(cases) / sizeof(*cases));
}

/* With the random head standing still only the weights of the layers can help: their gradients must be right. */
ParameterizedTest(struct full_case *c, tune, full_moves_every_weight)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	scene_init(&s, 400, 100, c->prefix);
	fast_options(&options, c->prefix);
	options.full = true;
	options.lr_weights = 3e-3;
	options.keep_start = !c->head_moves;
	if (!c->head_moves) options.lr_head = 0;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	double found = accuracy(&s, result.graph);
	cr_assert_gt(found, 0.95, "accuracy %.3f on dev", found);
	size_t numbers = 0;
	for (size_t t = 0; t < s.graph->n_tensors; t++) {
		const char *name = s.graph->tensors[t]->name;
		bool frozen = !strncmp(name, "embeddings.", 11), head = !strncmp(name, "head.", 5);
		float *before = scene_tensor(s.graph, (int)t), *after = scene_tensor(result.graph, skip_graph_find_tensor(result.graph, name));
		bool same = memcmp(before, after, (size_t)skip_tensor_count(s.graph->tensors[t]) * sizeof(float)) == 0;
		cr_assert(same == (frozen || (head && !c->head_moves)), "%s", name);
		cr_assert_eq(result.graph->tensors[t]->trained, s.graph->tensors[t]->trained, "%s is frozen again", name);
		if (!frozen) numbers += (size_t)skip_tensor_count(s.graph->tensors[t]);
		free(before);
		free(after);
	}
	cr_assert_eq(result.trained, numbers);
	cr_assert_gt(result.device_bytes, 4 * 4 * numbers, "weights, gradients and two moments at the least");
	skip_tune_result_deinit(&result);
	scene_deinit(&s);
}

Test(tune, same_seed_same_bits_other_seed_other_bits)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result a, b, c;
	scene_init(&s, 200, 7, 3);
	fast_options(&options, 3);
	options.epochs = 2;
	options.prefix_dropout = 0.2;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &a, &err));
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &b, &err));
	options.seed = 1;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &c, &err));
	cr_assert(scene_same_trained(a.graph, b.graph));
	cr_assert_not(scene_same_trained(a.graph, c.graph));
	skip_tune_result_deinit(&a);
	skip_tune_result_deinit(&b);
	skip_tune_result_deinit(&c);
	scene_deinit(&s);
}

/* Stops at the n-th report. */
struct stopper {
	int left;
};

static bool stop_after(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
	struct stopper *stopper = context;
	(void)note;
	cr_assert_str_eq(stage, "tune");
	cr_assert(done >= 0 && done <= total);
	return --stopper->left > 0;
}

struct stop_case {
	int at; /* report, from 1; 6 steps an epoch */
	int probe_start, full;
};

ParameterizedTestParameters(tune, resumed_equals_uninterrupted)
{
	static struct stop_case cases[] = {{1, 0, 0}, {1, 1, 0}, {4, 0, 0}, {7, 0, 0}, {8, 1, 0}, {18, 0, 0}, {8, 0, 1}};
	return cr_make_param_array(struct stop_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct stop_case *c, tune, resumed_equals_uninterrupted)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result whole, resumed;
	char path[600];
	scene_init(&s, 200, 7, 3); /* 180 rows to fit: 6 steps */
	snprintf(path, sizeof(path), "%s/tune-%ld.safetensors", getenv("SKIP_TEST_BINARY"), (long)getpid());
	remove(path);
	fast_options(&options, 3);
	options.epochs = 3;
	options.prefix_dropout = 0.2;
	options.probe_start = c->probe_start;
	options.full = c->full;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &whole, &err));

	struct stopper stopper = {.left = c->at};
	struct skip_progress progress = {stop_after, &stopper};
	options.checkpoint_path = path;
	options.resume = true; /* without a checkpoint it starts at the beginning */
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, &progress, &resumed, &err), SKIP_ERR_INTERRUPTED);
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &resumed, &err));
	cr_assert(scene_same_trained(whole.graph, resumed.graph));
	cr_assert_eq(whole.best_epoch, resumed.best_epoch);
	for (int e = 0; e < 3; e++) cr_assert_eq(whole.history[e], resumed.history[e]);
	bool both_nan = isnan(whole.probe_accuracy) && isnan(resumed.probe_accuracy);
	cr_assert(both_nan || whole.probe_accuracy == resumed.probe_accuracy);

	/* a finished run resumes to its result; other settings are refused by name */
	skip_tune_result_deinit(&resumed);
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &resumed, &err));
	cr_assert(scene_same_trained(whole.graph, resumed.graph));
	skip_tune_result_deinit(&resumed);
	options.lr = 0.5;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &resumed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "'lr 0.02") != NULL && strstr(err.message, "'lr 0.5'") != NULL, "%s", err.message);
	options.lr = 2e-2;
	options.precision = SKIP_PRECISION_BF16;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &resumed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "'train_dtype f32'") != NULL, "%s", err.message);
	options.precision = SKIP_PRECISION_F32;
	s.train.label[0] = (s.train.label[0] + 1) % SCENE_CLASSES;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &resumed, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "labels ") != NULL, "%s", err.message);
	remove(path);
	skip_tune_result_deinit(&whole);
	scene_deinit(&s);
}

Test(tune, a_damaged_checkpoint_is_bad_input)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	char path[600];
	scene_init(&s, 40, 7, 1);
	snprintf(path, sizeof(path), "%s/tune-bad-%ld.safetensors", getenv("SKIP_TEST_BINARY"), (long)getpid());
	fast_options(&options, 1);
	options.epochs = 1;
	options.checkpoint_path = path;
	options.resume = true;
	FILE *file = fopen(path, "wb");
	fputs("not a checkpoint", file);
	fclose(file);
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.file, "tune-bad") != NULL, "file '%s'", err.file);
	options.resume = false;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	skip_tune_result_deinit(&result);
	remove(path);
	scene_deinit(&s);
}

Test(tune, keep_start_is_never_worse_on_the_selection_rows)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result first, second;
	scene_init(&s, 300, 7, 3);
	fast_options(&options, 3);
	options.epochs = 4;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &first, &err));
	options.keep_start = true;
	options.lr = options.lr_head = 3; /* ruins everything */
	options.epochs = 2;
	CHECK_OK(skip_tune(s.device.device, first.graph, &s.train, &options, NULL, &second, &err));
	cr_assert_eq(second.best_epoch, 0);
	cr_assert_eq(second.selection_accuracy, first.selection_accuracy);
	cr_assert(scene_same_trained(first.graph, second.graph));
	skip_tune_result_deinit(&first);
	skip_tune_result_deinit(&second);
	scene_deinit(&s);
}

Test(tune, patience_ends_a_run_that_stands_still)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	scene_init(&s, 60, 7, 1);
	fast_options(&options, 1);
	options.lr = options.lr_head = 0; /* the first evaluation stays the best; nine are a quarter of 36 */
	options.epochs = 36;
	options.patience = 2;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	cr_assert_eq(result.epochs, 9);
	cr_assert_eq(result.best_epoch, 9, "of equals the latest");
	skip_tune_result_deinit(&result);
	scene_deinit(&s);
}

Test(tune, tokens_become_prefix_rows)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	struct skip_graph *plain = NULL;
	size_t count;
	scene_init(&s, 40, 7, 3);
	fast_options(&options, 3);
	options.lr = options.lr_head = 0;
	options.epochs = 1;
	options.init_tokens = true;
	CHECK_OK(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err));
	CHECK_OK(skip_pass_prefix(s.graph, 0, &plain, &err));
	for (size_t n = 0; n < s.graph->n_nodes; n++) {
		if (strcmp(s.graph->nodes[n].op->name, "attention") != 0) continue;
		for (int which = 0; which < 2; which++) {
			const char *name = s.graph->values[s.graph->nodes[n].in[1 + which]].name;
			double *rows = scene_reference(plain, &s.train, name, &count);
			int cols = s.graph->values[s.graph->nodes[n].in[1 + which]].cols;
			float *table = scene_tensor(result.graph, result.graph->nodes[n].param[which]);
			for (int p = 0; p < 3; p++) {
				double nearest = INFINITY;
				for (size_t r = 0; r < count / (size_t)cols; r++) {
					double worst = 0;
					for (int j = 0; j < cols; j++)
						worst = fmax(worst, fabs(rows[r * (size_t)cols + (size_t)j] - table[p * cols + j]));
					nearest = fmin(nearest, worst);
				}
				cr_assert_lt(nearest, 1e-4, "row %d of %s is no token's", p, name);
			}
			free(table);
			free(rows);
		}
	}
	skip_graph_destroy(plain);
	skip_tune_result_deinit(&result);
	scene_deinit(&s);
}

Test(tune, refusals)
{
	struct scene s;
	struct skip_tune_options options;
	struct skip_tune_result result;
	scene_init(&s, 40, 7, 1);
	fast_options(&options, 1);
	options.epochs = 0;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	options.epochs = 2;
	options.precision = SKIP_PRECISION_INT8;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "gradients in int8") != NULL, "%s", err.message);
	options.precision = SKIP_PRECISION_F32;
	options.lr_head = 1e38;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "not finite") != NULL, "%s", err.message);
	options.lr_head = 1e-2;
	s.train.label[7] = SCENE_CLASSES;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "row 7 has label 3, expected 0..2") != NULL, "%s", err.message);
	s.train.label[7] = 0;
	s.train.labelled = false;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	s.train.labelled = true;
	s.train.n_rows = 1;
	CHECK_FAILS(skip_tune(s.device.device, s.graph, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	s.train.n_rows = 40;
	struct skip_graph *headless = NULL;
	CHECK_OK(skip_pass_head(s.graph, SKIP_POOL_MEAN, NULL, NULL, 0, &headless, &err));
	CHECK_FAILS(skip_tune(s.device.device, headless, &s.train, &options, NULL, &result, &err), SKIP_ERR_INPUT);
	skip_graph_destroy(headless);
	scene_deinit(&s);
}
