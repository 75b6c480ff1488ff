/* What skip export writes is read as the network it came from: whole, with a prefix, and with uneven widths; what the file cannot say is refused. */
#include "export/onnx.h"
#include "golden_model.h"
#include "graph/toy_graph.h"
#include "model/model.h"

#define WITHIN 1e-6 /* of the RMS: the file holds float32 */
#define PREFIX 2

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(onnx_back, .init = make_folder, .fini = drop_folder);

struct scene {
	char from[600], to[600];
	struct golden golden;
	struct skip_model model;
	struct skip_graph *graph;
};

/* A prefix of random numbers in float32, as tuning leaves it. */
static struct skip_graph *prompted(const struct skip_graph *graph)
{
	struct skip_err err;
	struct skip_rng rng;
	struct skip_graph *out = NULL;
	skip_rng_init(&rng, 1, "prefix");
	CHECK_OK(skip_pass_prefix(graph, PREFIX, &out, &err));
	for (size_t t = 0; t < out->n_tensors; t++) {
		if (strncmp(out->tensors[t]->name, "prefix.", 7) != 0) continue;
		for (int64_t i = 0; i < skip_tensor_count(out->tensors[t]); i++) skip_tensor_f32(out->tensors[t])[i] = 0.5f * (float)skip_rng_normal(&rng);
	}
	return out;
}

/* A head that averages rows, for checkpoints that bring none. */
static struct skip_graph *headed(const struct skip_graph *graph)
{
	struct skip_err err;
	struct skip_rng rng;
	struct skip_graph *out = NULL;
	skip_rng_init(&rng, 1, "head");
	CHECK_OK(skip_pass_head(graph, SKIP_POOL_MEAN, NULL, NULL, 3, &out, &err));
	for (size_t t = 0; t < out->n_tensors; t++)
		for (int64_t i = 0; out->tensors[t]->trained && i < skip_tensor_count(out->tensors[t]); i++)
			skip_tensor_f32(out->tensors[t])[i] = (float)skip_rng_normal(&rng);
	out->classes = 3;
	return out;
}

static struct scene open_scene(const char *name, bool prefix, unsigned removal)
{
	static char *const labels[] = {"a", "b", "c"};
	struct scene scene;
	struct skip_err err;
	snprintf(scene.from, sizeof(scene.from), "%s/from", folder);
	snprintf(scene.to, sizeof(scene.to), "%s/to", folder);
	cr_assert(mkdir(scene.from, 0777) == 0 && mkdir(scene.to, 0777) == 0);
	golden_write(name, scene.from);
	scene.golden = golden_open(name);
	CHECK_OK(skip_model_open(scene.from, &scene.model, &err));
	struct skip_graph *whole = scene.model.has_head ? NULL : headed(scene.model.graph), *more = prefix ? prompted(whole ? whole : scene.model.graph) : NULL;
	const struct skip_graph *last = more ? more : whole ? whole : scene.model.graph;
	if (removal) scene.graph = toy_prune(last, removal, 3);
	else
		CHECK_OK(skip_graph_copy(last, &scene.graph, &err));
	skip_graph_destroy(more);
	skip_graph_destroy(whole);
	struct skip_onnx_info info = {.label = (const char *const *)(scene.model.has_head ? scene.model.label : labels), .max_length = 60, .version = "1"};
	struct skip_output *output;
	uint64_t bytes;
	CHECK_OK(skip_output_create_file(toy_path(scene.to, "model.onnx"), &output, &err));
	CHECK_OK(skip_export_onnx(scene.graph, &info, output, &bytes, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
	return scene;
}

static void close_scene(struct scene *scene)
{
	skip_graph_destroy(scene->graph);
	skip_model_deinit(&scene->model);
	golden_close(&scene->golden);
}

struct back_case {
	char name[GOLDEN_NAME];
	bool prefix;
	unsigned removal;
};

#define UNEVEN (TOY_FFN | TOY_V | TOY_QK | TOY_HEADS)

ParameterizedTestParameters(onnx_back, is_the_same_network)
{
	static struct back_case all[] = {
	    {"bert", false, 0},           {"bert", true, UNEVEN},        {"bert-multi", false, UNEVEN}, {"bert-odd", true, 0},
	    {"bert-odd", false, UNEVEN},  {"roberta", false, 0},         {"roberta", true, UNEVEN},     {"xlm-roberta", true, UNEVEN},
	    {"camembert", false, UNEVEN}, {"distilbert", false, 0},      {"distilbert", true, UNEVEN},  {"distilbert-regression", false, UNEVEN},
	    {"electra", false, 0},        {"electra", true, UNEVEN},     {"albert", false, 0},          {"albert", true, UNEVEN},
	    {"bert", true, TOY_SLOTS},    {"roberta", true, TOY_NO_PREFIX},
	};
	return cr_make_param_array(struct back_case, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct back_case *c, onnx_back, is_the_same_network)
{
	struct skip_err err;
	struct skip_model again;
	struct skip_units units;
	size_t n, n_again;
	struct scene scene = open_scene(c->name, c->prefix, c->removal);
	CHECK_OK(skip_model_open(scene.to, &again, &err));
	const struct skip_graph *a = scene.graph, *b = again.graph;
	double *wanted = toy_run(a, &scene.golden.batch, "logits", &n), *got = toy_run(b, &scene.golden.batch, "logits", &n_again), square = 0;
	for (size_t i = 0; i < n; i++) square += wanted[i] * wanted[i] / (double)n;
	double worst = n == n_again ? check_max_diff(wanted, got, n, NULL) : INFINITY;
	cr_assert(worst <= WITHIN * sqrt(square), "logits are off by %g", worst);
	cr_assert(a->layers == b->layers && a->problem == b->problem && a->max_positions == b->max_positions);
	cr_assert(a->prefix == b->prefix || (c->removal & TOY_SLOTS));
	cr_assert(skip_graph_encoder_params(a) == skip_graph_encoder_params(b), "widths differ");
	cr_assert(again.has_head && again.n_labels == a->classes);
	cr_assert(eq(str, again.label[0], scene.model.has_head ? scene.model.label[0] : "a"));
	/* It can be cut again, layer by layer. */
	CHECK_OK(skip_units_find(b, &units, &err));
	cr_assert(skip_units_in(&units, 1, SKIP_UNIT_FFN) != NULL && skip_units_in(&units, 1, SKIP_UNIT_QK) != NULL);
	skip_units_deinit(&units);
	free(wanted);
	free(got);
	skip_model_deinit(&again);
	close_scene(&scene);
}

static void refuses(const char *name, unsigned removal, const char *message)
{
	struct skip_err err;
	struct skip_model again;
	struct scene scene = open_scene(name, false, removal);
	CHECK_FAILS(skip_model_open(scene.to, &again, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, message) != NULL, "%s", err.message);
	cr_assert(strstr(err.file, "model.onnx") != NULL, "%s", err.file);
	close_scene(&scene);
}

Test(onnx_back, a_sub_layer_that_is_gone)
{
	refuses("bert", TOY_NO_FFN, "layer 0 is not attention and feed-forward");
}

struct other_case {
	char name[GOLDEN_NAME], message[80];
};

ParameterizedTestParameters(onnx_back, attention_that_looks_at_places)
{
	static struct other_case all[] = {{"gpt2", "is not understood"}, {"modernbert", "is not understood"}, {"mpnet", "is not understood"}, {"deberta-v2", "is not understood"}};
	return cr_make_param_array(struct other_case, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct other_case *c, onnx_back, attention_that_looks_at_places)
{
	refuses(c->name, 0, c->message);
}
