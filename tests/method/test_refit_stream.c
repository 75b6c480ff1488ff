/* What the stream's error can be taken back by: the linears that read it, the norm behind a sub-layer, the classifier. */
#include "method/metrics.h"
#include "method/search/refit_head.h"
#include "method/search/refit_in.h"
#include "method/search/refit_norm.h"
#include "method/search/ridge.h"
#include "method/world.h"
#include <cblas.h>

#define ROWS 900
#define WIDTH 24
#define OUT 5

static struct skip_err err;
static float pruned[ROWS * WIDTH], dense[ROWS * WIDTH];

/* Correlated rows, off zero; the other stream is a linear map of them with noise. */
static void fill(double noise)
{
	struct skip_rng rng;
	float map[WIDTH * WIDTH];
	skip_rng_init(&rng, 3, "streams");
	for (int i = 0; i < WIDTH * WIDTH; i++) map[i] = (float)(0.2 * skip_rng_normal(&rng) + (i % (WIDTH + 1) == 0));
	for (int i = 0; i < ROWS; i++) {
		double shared = skip_rng_normal(&rng);
		for (int j = 0; j < WIDTH; j++) pruned[i * WIDTH + j] = (float)(0.5 * shared + skip_rng_normal(&rng) + 1);
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ROWS, WIDTH, WIDTH, 1, pruned, WIDTH, map, WIDTH, 0, dense, WIDTH);
	for (int i = 0; i < ROWS * WIDTH; i++) dense[i] += (float)(0.3 + noise * skip_rng_normal(&rng));
}

struct found {
	enum toy_form form;
	int ffn, attention; /* linears that read the stream */
	bool biased;
};

ParameterizedTestParameters(refit_stream, readers_of_every_form)
{
	static struct found cases[] = {{TOY_BERT, 1, 3, true}, {TOY_GPT2, 1, 3, true}, {TOY_MODERNBERT, 2, 3, false}, {TOY_MPNET, 1, 3, true}};
	return cr_make_param_array(struct found, cases, sizeof(cases) / sizeof(*cases));
}

/* A linear error of what they read is taken back whole: W' Np + b' is W Nd + b. */
ParameterizedTest(struct found *c, refit_stream, readers_of_every_form)
{
	struct world w;
	world_init_form(&w, false, c->form);
	for (size_t g = 0; g < w.units.n_groups; g++) {
		const struct skip_unit_group *group = &w.units.group[g];
		struct skip_readers readers;
		if (group->kind == SKIP_UNIT_QK) continue;
		cr_assert(skip_readers_find(w.scene.graph, &w.units, g, &readers));
		cr_assert_eq(readers.n, group->kind == SKIP_UNIT_FFN ? c->ffn : c->attention);
		cr_assert_eq(readers.biased, c->biased);
		const int width = w.scene.graph->values[readers.value].cols;
		float *delta = calloc((size_t)(width * width), sizeof(*delta)), *shift = calloc((size_t)width, sizeof(*shift));
		for (int i = 0; i < width * width; i++) delta[i] = (float)(i % 7 - 3) / 8;
		for (int i = 0; i < width; i++) shift[i] = (float)i / 4;
		for (int i = 0; i < readers.n; i++) {
			CHECK_OK(skip_graph_own_tensor(w.scene.graph, readers.weight[i], &err));
			CHECK_OK(skip_graph_own_tensor(w.scene.graph, readers.bias[i], &err));
			float *before = scene_tensor(w.scene.graph, readers.weight[i]);
			float *bias = readers.bias[i] == SKIP_NONE ? NULL : scene_tensor(w.scene.graph, readers.bias[i]);
			struct skip_readers one = {.value = readers.value, .weight = {readers.weight[i]}, .bias = {readers.bias[i]}, .n = 1};
			CHECK_OK(skip_readers_move(w.scene.graph, &one, delta, c->biased ? shift : NULL, &err));
			const struct skip_tensor *after = w.scene.graph->tensors[readers.weight[i]];
			for (int o = 0; o < (int)after->dim[0]; o++) {
				double moved = bias ? bias[o] : 0;
				for (int j = 0; j < width; j++) {
					double sum = before[o * width + j];
					for (int k = 0; k < width; k++) sum += (double)before[o * width + k] * delta[k * width + j];
					cr_assert_float_eq(((const float *)after->data)[o * width + j], sum, 1e-5);
					moved += (double)before[o * width + j] * shift[j];
				}
				if (bias)
					cr_assert_float_eq(((const float *)w.scene.graph->tensors[readers.bias[i]]->data)[o], moved, 1e-5);
			}
			free(before);
			free(bias);
		}
		free(delta);
		free(shift);
	}
	world_deinit(&w);
}

Test(refit_stream, layers_that_share_weights_keep_them)
{
	struct world w;
	world_init_form(&w, false, TOY_BERT);
	struct skip_readers readers;
	const struct skip_unit_group *first = skip_units_get(&w.units, 0, SKIP_UNIT_FFN), *second = skip_units_get(&w.units, 1, SKIP_UNIT_FFN);
	struct skip_node *a = &w.scene.graph->nodes[w.scene.graph->values[first->pre[0]].producer];
	struct skip_node *b = &w.scene.graph->nodes[w.scene.graph->values[second->pre[0]].producer];
	b->param[0] = a->param[0];
	cr_assert_not(skip_readers_find(w.scene.graph, &w.units, (size_t)(first - w.units.group), &readers));
	world_deinit(&w);
}

/* Against the formula, and what cannot be bettered: streams that agree stay. */
Test(refit_stream, a_norm_brings_each_channel_back)
{
	float gamma[WIDTH], beta[WIDTH], old[ROWS * WIDTH];
	fill(0.2);
	memcpy(old, pruned, sizeof(old));
	for (int j = 0; j < WIDTH; j++) {
		gamma[j] = 1 + (float)j / WIDTH;
		beta[j] = 0.5F;
	}
	struct skip_norm_fit fit = {.dense = dense, .n = ROWS, .n_rows = ROWS, .width = WIDTH, .damping = 1e-2};
	CHECK_OK(skip_refit_norm(&fit, pruned, gamma, beta, &err));
	for (int j = 0; j < WIDTH; j++) {
		double mp = 0, md = 0, square = 0, product = 0;
		for (int i = 0; i < ROWS; i++) {
			mp += (double)old[i * WIDTH + j] / ROWS;
			md += (double)dense[i * WIDTH + j] / ROWS;
		}
		for (int i = 0; i < ROWS; i++) {
			square += (old[i * WIDTH + j] - mp) * (old[i * WIDTH + j] - mp);
			product += (old[i * WIDTH + j] - mp) * (dense[i * WIDTH + j] - md);
		}
		double g = (product + 1e-2 * square) / (1.01 * square), h = md - g * mp;
		cr_assert_float_eq(gamma[j], g * (1 + (double)j / WIDTH), 1e-5);
		cr_assert_float_eq(beta[j], 0.5 * g + h, 1e-5);
		for (int i = 0; i < ROWS; i++) cr_assert_float_eq(pruned[i * WIDTH + j], g * old[i * WIDTH + j] + h, 1e-5);
	}
	memcpy(old, gamma, sizeof(gamma));
	fit.dense = pruned;
	CHECK_OK(skip_refit_norm(&fit, pruned, gamma, beta, &err));
	for (int j = 0; j < WIDTH; j++) cr_assert_float_eq(gamma[j], old[j], 1e-6);
}

static double divergence(enum skip_problem problem, const float *was, const float *was_bias, const float *now, const float *now_bias)
{
	static float said[ROWS * OUT], says[ROWS * OUT];
	for (int i = 0; i < ROWS; i++) {
		for (int c = 0; c < OUT; c++) {
			said[i * OUT + c] = was_bias[c] + cblas_sdot(WIDTH, dense + i * WIDTH, 1, was + c * WIDTH, 1);
			says[i * OUT + c] = now_bias[c] + cblas_sdot(WIDTH, pruned + i * WIDTH, 1, now + c * WIDTH, 1);
		}
	}
	return skip_divergence(problem, said, says, ROWS, OUT);
}

static void fill_head(float *weight, float *bias)
{
	struct skip_rng rng;
	skip_rng_init(&rng, 4, "head");
	for (int i = 0; i < OUT * WIDTH; i++) weight[i] = (float)(0.3 * skip_rng_normal(&rng));
	for (int c = 0; c < OUT; c++) bias[c] = (float)skip_rng_normal(&rng);
}

ParameterizedTestParameters(refit_stream, a_classifier_answers_as_the_dense_one)
{
	static enum skip_problem cases[] = {SKIP_SINGLE_LABEL, SKIP_MULTI_LABEL, SKIP_REGRESSION};
	return cr_make_param_array(enum skip_problem, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(enum skip_problem *problem, refit_stream, a_classifier_answers_as_the_dense_one)
{
	float weight[OUT * WIDTH], bias[OUT], was[OUT * WIDTH], was_bias[OUT];
	fill(0.1);
	fill_head(was, was_bias);
	memcpy(weight, was, sizeof(was));
	memcpy(bias, was_bias, sizeof(bias));
	struct skip_head_fit fit = {
	    .problem = *problem, .dense = dense, .pruned = dense, .n = ROWS, .width = WIDTH, .outputs = OUT, .damping = 1e-3};
	CHECK_OK(skip_refit_head(&fit, weight, bias, &err));
	for (int i = 0; i < OUT * WIDTH; i++) cr_assert_float_eq(weight[i], was[i], 1e-5, "vectors that agree leave it");
	for (int c = 0; c < OUT; c++) cr_assert_float_eq(bias[c], was_bias[c], 1e-4);
	fit.pruned = pruned;
	CHECK_OK(skip_refit_head(&fit, weight, bias, &err));
	double before = divergence(*problem, was, was_bias, was, was_bias), after = divergence(*problem, was, was_bias, weight, bias);
	cr_assert_lt(after, 0.2 * before, "diverges by %g, by %g before", after, before);
}

/* Of numbers it is the ridge regression that every other consumer gets. */
Test(refit_stream, a_classifier_of_numbers_is_a_ridge_regression)
{
	float weight[OUT * WIDTH], bias[OUT], other[OUT * WIDTH], other_bias[OUT], target[ROWS * OUT];
	fill(0.3);
	fill_head(weight, bias);
	memcpy(other, weight, sizeof(weight));
	for (int i = 0; i < ROWS; i++)
		for (int c = 0; c < OUT; c++) target[i * OUT + c] = bias[c] + cblas_sdot(WIDTH, dense + i * WIDTH, 1, weight + c * WIDTH, 1);
	struct skip_ridge ridge = {.in = pruned, .target = target, .n = ROWS, .width = WIDTH, .outputs = OUT, .damping = 0.05};
	CHECK_OK(skip_ridge_fit(&ridge, other, other_bias, &err));
	struct skip_head_fit fit = {
	    .problem = SKIP_REGRESSION, .dense = dense, .pruned = pruned, .n = ROWS, .width = WIDTH, .outputs = OUT, .damping = 0.05};
	CHECK_OK(skip_refit_head(&fit, weight, bias, &err));
	for (int i = 0; i < OUT * WIDTH; i++) cr_assert_float_eq(weight[i], other[i], 1e-5);
	for (int c = 0; c < OUT; c++) cr_assert_float_eq(bias[c], other_bias[c], 1e-4);
}

Test(refit_stream, failures_are_reported)
{
	float weight[OUT * WIDTH], bias[OUT], gamma[WIDTH] = {0}, beta[WIDTH] = {0};
	fill(0.1);
	fill_head(weight, bias);
	struct skip_head_fit fit = {.dense = dense, .pruned = pruned, .n = ROWS, .width = WIDTH, .outputs = OUT, .damping = 1e-2};
	for (size_t k = 1; k <= 8; k++) {
		skip_alloc_fail_at(k);
		CHECK_FAILS(skip_refit_head(&fit, weight, bias, &err), SKIP_ERR_NOMEM);
	}
	skip_alloc_fail_at(1);
	struct skip_norm_fit norm = {.dense = dense, .n = ROWS, .n_rows = ROWS, .width = WIDTH, .damping = 1e-2};
	CHECK_FAILS(skip_refit_norm(&norm, pruned, gamma, beta, &err), SKIP_ERR_NOMEM);
	skip_alloc_fail_at(0);
	fit.n = 0;
	CHECK_FAILS(skip_refit_head(&fit, weight, bias, &err), SKIP_ERR_INPUT);
}
