/*
 * Every checkpoint of tests/golden/models against what transformers computes with it in float64: our float64 references to 1e-9 of the RMS, the device to
 * eight times the error of PyTorch's own float32 (2e-5 of the RMS where that is more).
 */
#include "device/session.h"
#include "golden_model.h"
#include "method/predict.h"
#include "model/model.h"
#include "device/open_device.h"

#define REFERENCE_WITHIN 1e-9 /* of the RMS */
#define DEVICE_FACTOR 8       /* times PyTorch's error */
#define DEVICE_WITHIN 2e-5    /* of the RMS */

struct model_case {
	char name[GOLDEN_NAME];
};

/* Every checkpoint, or those whose heads answer with classes: other answers are the same kernels. */
static struct criterion_test_params models(bool every_answer)
{
	static char names[GOLDEN_MAX][GOLDEN_NAME];
	static struct model_case all[GOLDEN_MAX];
	size_t n = golden_list(names), count = 0;
	for (size_t i = 0; i < n; i++)
		if (every_answer || (!strstr(names[i], "-multi") && !strstr(names[i], "-regression"))) memcpy(all[count++].name, names[i], GOLDEN_NAME);
	return cr_make_param_array(struct model_case, all, count);
}

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(models, .init = make_folder, .fini = drop_folder);

static double rms(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
	return sqrt(sum / (double)n);
}

/* max |got - want| of n numbers is at most `within`. */
static void compare(const char *what, const double *got, const double *want, size_t n, double within)
{
	size_t where = 0;
	double worst = check_max_diff(got, want, n, &where);
	cr_assert(worst <= within, "%s %zu is off by %g, allowed are %g", what, where, worst, within);
}

/* The rows of `x` [T][width] that are known. */
static double *known_rows(const struct golden *golden, const double *x)
{
	size_t width = (size_t)golden->width;
	double *out = malloc((size_t)golden->n_rows * width * sizeof(*out));
	for (int r = 0; r < golden->n_rows; r++) memcpy(out + (size_t)r * width, x + (size_t)golden->rows[r] * width, width * sizeof(*out));
	return out;
}

ParameterizedTestParameters(models, float64_references)
{
	return models(true);
}

ParameterizedTest(struct model_case *c, models, float64_references)
{
	struct skip_err err;
	struct skip_model model;
	struct skip_ref_result result;
	golden_write(c->name, folder);
	struct golden golden = golden_open(c->name);
	CHECK_OK(skip_model_open(folder, &model, &err));
	CHECK_OK(skip_graph_validate(model.graph, &err));
	int hidden = skip_graph_find_value(model.graph, "hidden"), logits = skip_graph_find_value(model.graph, "logits");
	cr_assert(model.graph->values[hidden].cols == golden.width && (logits != SKIP_NONE) == (golden.logits != NULL));
	CHECK_OK(skip_reference_run(model.graph, &golden.batch, NULL, 0, 0, &result, &err));
	size_t n = (size_t)golden.n_rows * (size_t)golden.width, n_logits = (size_t)(golden.batch.n_seqs * golden.classes);
	double *rows = known_rows(&golden, result.data[hidden]);
	compare("hidden state", rows, golden.hidden, n, REFERENCE_WITHIN * rms(golden.hidden, n));
	if (golden.logits) {
		cr_assert(model.graph->values[logits].cols == golden.classes && model.n_labels == golden.classes);
		compare("logit", result.data[logits], golden.logits, n_logits, REFERENCE_WITHIN * rms(golden.logits, n_logits));
	}
	free(rows);
	skip_reference_free(&result);
	skip_model_deinit(&model);
	golden_close(&golden);
}

/* Value `name` of the inference graph from the device, as doubles. */
static double *from_device(struct skip_device *device, const struct skip_graph *graph, const char *name, const struct skip_batch *batch)
{
	struct skip_err err;
	struct skip_session *session;
	int value;
	CHECK_OK(skip_open_inference(device, graph, name, false, &session, &value, &err));
	const struct skip_value *shape = &skip_session_graph(session)->values[value];
	size_t n = (size_t)skip_value_rows(shape, batch) * (size_t)shape->cols;
	float *got = malloc(n * sizeof(*got));
	double *out = malloc(n * sizeof(*out));
	CHECK_OK(skip_session_run(session, batch, value, got, &err));
	for (size_t i = 0; i < n; i++) out[i] = (double)got[i];
	free(got);
	skip_session_destroy(session);
	return out;
}

static double allowed(const double *want, size_t n, double torch_error)
{
	return fmax(DEVICE_FACTOR * torch_error, DEVICE_WITHIN * rms(want, n));
}

ParameterizedTestParameters(models, on_the_device)
{
	return models(false);
}

/* What the model ends with: logits where it has a head, else hidden states. */
ParameterizedTest(struct model_case *c, models, on_the_device)
{
	struct skip_err err;
	struct skip_model model;
	struct test_device device = open_device("auto");
	golden_write(c->name, folder);
	struct golden golden = golden_open(c->name);
	CHECK_OK(skip_model_open(folder, &model, &err));
	double *got = from_device(device.device, model.graph, golden.logits ? "logits" : "hidden", &golden.batch);
	if (golden.logits) {
		size_t n = (size_t)(golden.batch.n_seqs * golden.classes);
		compare("logit", got, golden.logits, n, allowed(golden.logits, n, golden.logits_error));
	} else {
		size_t n = (size_t)golden.n_rows * (size_t)golden.width;
		double *rows = known_rows(&golden, got);
		compare("hidden state", rows, golden.hidden, n, allowed(golden.hidden, n, golden.hidden_error));
		free(rows);
	}
	free(got);
	skip_model_deinit(&model);
	golden_close(&golden);
	close_device(&device);
}

Test(models, every_architecture_has_a_checkpoint)
{
	char names[GOLDEN_MAX][GOLDEN_NAME];
	size_t n = golden_list(names);
	for (size_t a = 0; skip_archs[a]; a++) {
		for (const char *const *type = skip_archs[a]->types; *type; type++) {
			bool found = false;
			for (size_t i = 0; i < n && !found; i++) {
				char wanted[80];
				struct skip_buf config = golden_read(golden_path(names[i], "config.json"));
				snprintf(wanted, sizeof(wanted), "\"model_type\": \"%s\"", *type);
				found = strstr(skip_buf_text(&config), wanted) != NULL;
				skip_buf_deinit(&config);
			}
			cr_expect(found, "no checkpoint of %s; add one to tools/make-golden", *type);
		}
	}
}
