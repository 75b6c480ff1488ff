/*
 * What must hold of every architecture's graph, on the checkpoints of tests/golden/models: the shrunk network answers like the masked one, gradients are
 * gradients, and layers that share weights can be given their own.
 */
#include "golden_model.h"
#include "graph/toy_graph.h"
#include "model/model.h"

#define PREFIX 2
#define PARITY 1e-9 /* of the largest answer */
#define STEP 1e-5
#define SLOPE 1e-6  /* of the largest slope of a tensor */
#define PROBES 12   /* elements of each tensor */

struct graph_case {
	char name[GOLDEN_NAME];
};

static struct criterion_test_params every_model(void)
{
	static char names[GOLDEN_MAX][GOLDEN_NAME];
	static struct graph_case all[GOLDEN_MAX];
	size_t n = golden_list(names);
	for (size_t i = 0; i < n; i++) memcpy(all[i].name, names[i], GOLDEN_NAME);
	return cr_make_param_array(struct graph_case, all, n);
}

/* The sequences of 1 and 7 tokens of the golden batch. */
static struct skip_batch short_batch(const struct golden *golden)
{
	struct skip_batch batch = golden->batch;
	batch.n_seqs = 2;
	batch.n_tokens = batch.offset[2];
	return batch;
}

/* Trained tensors in float64 with random numbers, so that a step is a step. */
static void fill_trained(struct skip_graph *graph, struct skip_rng *rng)
{
	for (size_t t = 0; t < graph->n_tensors; t++) {
		struct skip_err err;
		struct skip_tensor *old = graph->tensors[t], *made;
		if (!old->trained) continue;
		CHECK_OK(skip_tensor_create(old->name, SKIP_F64, old->rank, old->dim, &made, &err));
		made->trained = true;
		for (int64_t i = 0; i < skip_tensor_count(made); i++) ((double *)made->owned)[i] = 0.5 * skip_rng_normal(rng);
		skip_graph_set_tensor(graph, (int)t, made);
		skip_tensor_unref(made);
	}
}

/* The checkpoint's graph with a prefix, and with a head of its own or a new one. */
static struct skip_graph *prompted(const struct skip_model *model, struct skip_rng *rng)
{
	struct skip_err err;
	struct skip_graph *prefixed = NULL, *out = NULL;
	CHECK_OK(skip_pass_prefix(model->graph, PREFIX, &prefixed, &err));
	if (model->has_head) CHECK_OK(skip_graph_copy(prefixed, &out, &err));
	else
		CHECK_OK(skip_pass_head(prefixed, SKIP_POOL_MEAN, NULL, NULL, 3, &out, &err));
	skip_graph_destroy(prefixed);
	fill_trained(out, rng);
	return out;
}

struct scene {
	char folder[512];
	struct golden golden;
	struct skip_batch batch;
	struct skip_model model;
	struct skip_graph *graph;
	struct skip_rng rng;
};

static struct scene open_scene(const char *name)
{
	struct scene scene;
	struct skip_err err;
	toy_folder(scene.folder);
	golden_write(name, scene.folder);
	scene.golden = golden_open(name);
	scene.batch = short_batch(&scene.golden);
	CHECK_OK(skip_model_open(scene.folder, &scene.model, &err));
	skip_rng_init(&scene.rng, 1, name);
	scene.graph = prompted(&scene.model, &scene.rng);
	return scene;
}

static void close_scene(struct scene *scene)
{
	skip_graph_destroy(scene->graph);
	skip_model_deinit(&scene->model);
	golden_close(&scene->golden);
	toy_folder_remove(scene->folder);
}

static double largest(const double *x, size_t n)
{
	double most = 0;
	for (size_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
	return most;
}

/* Shrunk and masked by the same random choice answer alike, and the choice changes the answers. */
static void check_parity(const struct scene *scene, const struct skip_graph *graph, unsigned removal, uint64_t seed)
{
	struct skip_err err;
	struct skip_units units;
	struct skip_graph *masked = NULL, *shrunk = NULL;
	size_t n;
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, removal, seed);
	CHECK_OK(skip_pass_mask(graph, &units, &keep, &masked, &err));
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	CHECK_OK(skip_graph_validate(shrunk, &err));
	cr_assert(skip_graph_encoder_params(shrunk) < skip_graph_encoder_params(graph));
	double *answers = toy_run(masked, &scene->batch, "logits", &n), within = PARITY * largest(answers, n);
	double off = toy_difference(masked, shrunk, &scene->batch, "logits"), moved = toy_difference(graph, masked, &scene->batch, "logits");
	cr_assert(off <= within, "removal %u: shrunk and masked differ by %g, allowed are %g", removal, off, within);
	cr_assert(moved > 1e-3 * largest(answers, n), "removal %u: nothing changed", removal);
	free(answers);
	skip_graph_destroy(shrunk);
	skip_graph_destroy(masked);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
}

ParameterizedTestParameters(graphs, shrunk_equals_masked)
{
	return every_model();
}

ParameterizedTest(struct graph_case *c, graphs, shrunk_equals_masked)
{
	static const unsigned removal[] = {TOY_FFN, TOY_V, TOY_QK, TOY_HEADS, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, TOY_NO_FFN | TOY_NO_ATTENTION,
	                                   TOY_NOTHING_LEFT};
	struct scene scene = open_scene(c->name);
	for (size_t i = 0; i < sizeof(removal) / sizeof(removal[0]); i++) check_parity(&scene, scene.graph, removal[i], i + 1);
	close_scene(&scene);
}

static double loss(const struct scene *scene, const double *seed)
{
	size_t n;
	double *logits = toy_run(scene->graph, &scene->batch, "logits", &n), sum = 0;
	for (size_t i = 0; i < n; i++) sum += seed[i] * logits[i];
	free(logits);
	return sum;
}

/* Some elements of a trained tensor by central differences. */
static void check_slopes(const struct scene *scene, const double *seed, const struct skip_tensor *tensor, const double *gradient, struct skip_rng *rng)
{
	double *number = tensor->owned, most = 0, worst = 0;
	int64_t count = skip_tensor_count(tensor);
	for (int k = 0; k < PROBES; k++) {
		int64_t i = (int64_t)skip_rng_below(rng, (uint64_t)count);
		double old = number[i];
		number[i] = old + STEP;
		double high = loss(scene, seed);
		number[i] = old - STEP;
		double slope = (high - loss(scene, seed)) / (2 * STEP);
		number[i] = old;
		most = fmax(most, fabs(slope));
		worst = fmax(worst, fabs(slope - gradient[i]));
	}
	cr_assert(worst <= SLOPE * most, "'%s' is off by %g, its largest slope is %g", tensor->name, worst, most);
	cr_assert(most > 1e-6, "'%s' has no gradient to speak of: %g", tensor->name, most);
}

ParameterizedTestParameters(graphs, gradients_are_central_differences)
{
	return every_model();
}

ParameterizedTest(struct graph_case *c, graphs, gradients_are_central_differences)
{
	struct skip_err err;
	struct skip_backward backward;
	struct skip_ref_result result;
	struct scene scene = open_scene(c->name);
	int logits = skip_graph_find_value(scene.graph, "logits");
	size_t n = (size_t)scene.batch.n_seqs * (size_t)scene.graph->values[logits].cols;
	double *seed = malloc(n * sizeof(*seed));
	for (size_t i = 0; i < n; i++) seed[i] = skip_rng_normal(&scene.rng);
	CHECK_OK(skip_pass_backward(scene.graph, logits, NULL, 0, &backward, &err));
	struct skip_ref_input input = {backward.seed, seed};
	CHECK_OK(skip_reference_run(backward.graph, &scene.batch, &input, 1, 0, &result, &err));
	int trained = 0;
	for (size_t t = 0; t < scene.graph->n_tensors; t++) {
		const struct skip_tensor *tensor = scene.graph->tensors[t];
		if (!tensor->trained) continue;
		cr_assert(backward.grad_of_tensor[t] != SKIP_NONE, "no gradient of '%s'", tensor->name);
		check_slopes(&scene, seed, tensor, result.data[backward.grad_of_tensor[t]], &scene.rng);
		trained++;
	}
	cr_assert(trained >= 2 * scene.graph->layers);
	skip_reference_free(&result);
	skip_backward_deinit(&backward);
	free(seed);
	close_scene(&scene);
}

ParameterizedTestParameters(graphs, untied_layers_answer_alike)
{
	return every_model();
}

ParameterizedTest(struct graph_case *c, graphs, untied_layers_answer_alike)
{
	struct skip_err err;
	struct skip_units tied, own;
	struct skip_graph *untied = NULL;
	struct scene scene = open_scene(c->name);
	CHECK_OK(skip_pass_untie(scene.graph, &untied, &err));
	CHECK_OK(skip_graph_validate(untied, &err));
	cr_assert(toy_difference(scene.graph, untied, &scene.batch, "logits") == 0);
	CHECK_OK(skip_units_find(scene.graph, &tied, &err));
	CHECK_OK(skip_units_find(untied, &own, &err));
	size_t uses = 0;
	for (size_t g = 0; g < tied.n_groups; g++) uses += (size_t)tied.group[g].n_uses;
	cr_assert(own.n_groups == 3 * (size_t)scene.graph->layers && uses == own.n_groups && !skip_units_shared(&own));
	cr_assert(skip_units_shared(&tied) == (strncmp(c->name, "albert", 6) == 0));
	bool grown = skip_graph_encoder_params(untied) > skip_graph_encoder_params(scene.graph);
	cr_assert(grown == skip_units_shared(&tied));
	cr_assert(untied->dense_encoder_params == skip_graph_encoder_params(untied));
	check_parity(&scene, untied, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, 9);
	skip_units_deinit(&own);
	skip_units_deinit(&tied);
	skip_graph_destroy(untied);
	close_scene(&scene);
}
