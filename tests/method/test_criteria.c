/* Criteria that walk by themselves, against the float64 reference: integrated gradients, moments, elimination, Shapley values. */
#include "graph/pass.h"
#include "method/metrics.h"
#include "method/scene.h"
#include "method/skill/eliminate.h"
#include "method/skill/masked.h"
#include "method/skill/ranks.h"
#include "method/skill/skill.h"

static struct skip_err err;

#define SAMPLES 13

struct setting {
	struct scene scene;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores scores;
};

static void setting_init(struct setting *s, const char *criterion)
{
	scene_init(&s->scene, 7, SAMPLES, 3);
	s->scene.options.pool = SKIP_POOL_MEAN;
	skip_graph_destroy(s->scene.graph);
	s->scene.graph = toy_graph(&s->scene.options);
	CHECK_OK(skip_units_find(s->scene.graph, &s->units, &err));
	skip_skill_defaults(&s->options);
	s->options.criterion = criterion;
}

static void attribute(struct setting *s)
{
	CHECK_OK(skip_attribute(s->scene.device.device, s->scene.graph, &s->units, &s->scene.dev, &s->options, NULL, &s->scores, &err));
}

static void setting_deinit(struct setting *s)
{
	skip_scores_deinit(&s->scores);
	skip_units_deinit(&s->units);
	scene_deinit(&s->scene);
}

/* Mean over the samples of log p of the label with groups first .. last-1 switched off, in float64. */
static double mean_log_p(struct setting *s, size_t first, size_t last)
{
	struct skip_masked masked;
	CHECK_OK(skip_masked_init(s->scene.graph, &s->units, &masked, &err));
	for (size_t g = first; g < last; g++) {
		for (int j = 0; j < s->units.group[g].width; j++) skip_masked_set(&masked, g, j, 0);
	}
	double *logits = scene_reference(masked.graph, &s->scene.dev, "logits", NULL), mean = 0;
	for (int i = 0; i < SAMPLES; i++) {
		const double *row = logits + i * SCENE_CLASSES;
		double sum = 0;
		for (int c = 0; c < SCENE_CLASSES; c++) sum += exp(row[c]);
		mean += (row[s->scene.dev.label[i]] - log(sum)) / SAMPLES;
	}
	free(logits);
	skip_masked_deinit(&masked);
	return mean;
}

static double sum_of_group(const struct setting *s, size_t g)
{
	double sum = 0;
	for (int j = 0; j < s->units.group[g].width; j++) sum += s->scores.unit[g][j];
	return sum;
}

Test(ig, sums_to_what_the_group_carries)
{
	struct setting s;
	setting_init(&s, "ig");
	s.options.steps = 24;
	attribute(&s);
	const double whole = mean_log_p(&s, 0, 0);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		double carried = whole - mean_log_p(&s, g, g + 1), sum = sum_of_group(&s, g), heads = 0;
		cr_assert_float_eq(sum, carried, 2e-3 * fabs(carried) + 2e-4, "group %zu: %.6g, carried %.6g", g, sum, carried);
		for (int h = 0; s.scores.head[g] && h < group->heads; h++) heads += s.scores.head[g][h];
		if (s.scores.head[g]) cr_assert_float_eq(heads, sum, 1e-9);
	}
	cr_assert_eq(s.scores.backward, SAMPLES * 24 * (int64_t)s.units.n_groups);
	setting_deinit(&s);
}

Test(ig, whole_path_sums_to_what_all_groups_carry)
{
	struct setting s;
	double sum = 0;
	setting_init(&s, "ig");
	s.options.steps = 48;
	s.options.whole_path = true;
	attribute(&s);
	for (size_t g = 0; g < s.units.n_groups; g++) sum += sum_of_group(&s, g);
	double carried = mean_log_p(&s, 0, 0) - mean_log_p(&s, 0, s.units.n_groups);
	cr_assert_float_eq(sum, carried, 5e-3 * fabs(carried) + 2e-4, "%.6g, carried %.6g", sum, carried);
	cr_assert_eq(s.scores.backward, SAMPLES * 48);
	setting_deinit(&s);
}

/* Column norms of the consumer, squared. */
static double column(const struct setting *s, const struct skip_unit_group *group, int j)
{
	float *w = scene_tensor(s->scene.graph, s->scene.graph->nodes[group->consumer].param[0]);
	double sum = 0;
	for (int d = 0; d < s->scene.options.width; d++) sum += (double)w[d * group->width + j] * w[d * group->width + j];
	free(w);
	return sum;
}

/* Mean square of column j of a value over the rows, with its mean, or that of each sentence, taken off. */
static double spread(const struct setting *s, int value, int j, bool centred, bool by_sentence)
{
	size_t count = 0;
	const int cols = s->scene.graph->values[value].cols;
	double *x = scene_reference(s->scene.graph, &s->scene.dev, s->scene.graph->values[value].name, &count), mean = 0, sum = 0;
	const size_t rows = count / (size_t)cols;
	for (size_t r = 0; r < rows; r++) mean += x[r * (size_t)cols + (size_t)j] / (double)rows;
	const int64_t *offset = s->scene.dev.offset;
	for (size_t b = 0; b < s->scene.dev.n_rows; b++) {
		double own = 0;
		for (int64_t r = offset[b]; r < offset[b + 1]; r++) own += x[r * cols + j] / (double)(offset[b + 1] - offset[b]);
		for (int64_t r = offset[b]; r < offset[b + 1]; r++) {
			double y = x[r * cols + j] - (by_sentence ? own : centred ? mean : 0);
			sum += y * y;
		}
	}
	free(x);
	return sum / (double)rows;
}

Test(actvar, is_variance_times_norm)
{
	struct setting s;
	setting_init(&s, "actvar");
	s.scene.dev.labelled = false; /* labels are not looked at */
	attribute(&s);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		for (int j = 0; j < group->width; j += 5) {
			double wanted = group->kind == SKIP_UNIT_QK
					    ? spread(&s, group->pre[0], j, false, false) * spread(&s, group->pre[1], j, false, true)
					    : spread(&s, group->post, j, true, false) * column(&s, group, j);
			cr_assert_float_eq(s.scores.unit[g][j], wanted, 1e-3 * wanted + 1e-9, "group %zu unit %d: %g, expected %g", g, j,
					   s.scores.unit[g][j], wanted);
		}
	}
	cr_assert_eq(s.scores.forward, SAMPLES);
	cr_assert_eq(s.scores.backward, 0);
	setting_deinit(&s);
}

/* ---- elimination */

#define N 12
#define OUT 5

static void random_problem(uint64_t seed, double *hess, double *weight)
{
	struct skip_rng rng;
	double x[3 * N][N];
	skip_rng_init(&rng, seed, "elimination");
	for (int r = 0; r < 3 * N; r++) {
		double shared = skip_rng_normal(&rng);
		for (int j = 0; j < N; j++) x[r][j] = skip_rng_normal(&rng) + shared * (j % 3);
	}
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++) {
			hess[i * N + j] = i == j ? 0.1 : 0;
			for (int r = 0; r < 3 * N; r++) hess[i * N + j] += x[r][i] * x[r][j];
		}
	}
	for (int i = 0; i < OUT * N; i++) weight[i] = skip_rng_normal(&rng);
}

/* Least of tr(D Hess D^T), D = W' - W, over W' that is 0 where gone: sum over outputs of w_g^T (Hess^-1_gg)^-1 w_g, by elimination of the kept. */
static double least_error(const double *hess, const double *weight, const bool *gone)
{
	double a[N][N], sum = 0;
	int g[N], k[N], n_gone = 0, n_kept = 0;
	for (int j = 0; j < N; j++) {
		if (gone[j]) g[n_gone++] = j;
		if (!gone[j]) k[n_kept++] = j;
	}
	/* Schur complement Hess_gg - Hess_gk Hess_kk^-1 Hess_kg: Gauss, kept first */
	int order[N];
	for (int i = 0; i < n_kept; i++) order[i] = k[i];
	for (int i = 0; i < n_gone; i++) order[n_kept + i] = g[i];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) a[i][j] = hess[order[i] * N + order[j]];
	for (int p = 0; p < n_kept; p++)
		for (int i = p + 1; i < N; i++) {
			double f = a[i][p] / a[p][p];
			for (int j = p; j < N; j++) a[i][j] -= f * a[p][j];
		}
	for (int d = 0; d < OUT; d++)
		for (int i = 0; i < n_gone; i++)
			for (int j = 0; j < n_gone; j++) sum += weight[d * N + g[i]] * a[n_kept + i][n_kept + j] * weight[d * N + g[j]];
	return sum;
}

struct shape {
	int size, together;
};

ParameterizedTestParameters(eliminate, costs_add_up_to_the_least_error)
{
	static struct shape shapes[] = {{1, 1}, {1, 4}, {1, 5}, {3, 1}, {3, 2}, {4, 3}, {N, 1}};
	return cr_make_param_array(struct shape, shapes, sizeof(shapes) / sizeof(*shapes));
}

ParameterizedTest(struct shape *shape, eliminate, costs_add_up_to_the_least_error)
{
	for (uint64_t seed = 0; seed < 5; seed++) {
		double hess[N * N], weight[OUT * N], left_hess[N * N], left_weight[OUT * N], cost[N], sum = 0;
		int order[N], units = N / shape->size;
		bool gone[N] = {0};
		random_problem(seed, hess, weight);
		memcpy(left_hess, hess, sizeof(hess));
		memcpy(left_weight, weight, sizeof(weight));
		CHECK_OK(skip_eliminate(left_hess, left_weight, N, OUT, shape->size, shape->together, cost, order, &err));
		for (int i = 0; i < units; i++) {
			/* greedy: nobody still there would have cost less, where units leave one by one */
			for (int u = 0; shape->together == 1 && u < units; u++) {
				if (gone[u * shape->size]) continue;
				bool with[N];
				memcpy(with, gone, sizeof(gone));
				for (int k = 0; k < shape->size; k++) with[u * shape->size + k] = true;
				cr_assert_geq(least_error(hess, weight, with) - sum, cost[order[i]] * (1 - 1e-9));
			}
			for (int k = 0; k < shape->size; k++) {
				cr_assert_not(gone[order[i] * shape->size + k], "unit %d left twice", order[i]);
				gone[order[i] * shape->size + k] = true;
			}
			sum += cost[order[i]];
			double wanted = least_error(hess, weight, gone);
			cr_assert_float_eq(sum, wanted, 1e-8 * wanted, "after %d units: %.12g, least error %.12g", i + 1, sum, wanted);
		}
	}
}

Test(eliminate, refuses_what_cannot_be_inverted)
{
	double hess[4] = {1, 2, 2, 4}, weight[2] = {1, 1}, cost[2];
	int order[2];
	CHECK_FAILS(skip_eliminate(hess, weight, 2, 1, 1, 1, cost, order, &err), SKIP_ERR_INTERNAL);
}

Test(obs, scores_rise_to_the_variance_of_the_output)
{
	struct setting s;
	setting_init(&s, "obs");
	attribute(&s);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		if (group->kind == SKIP_UNIT_QK) continue;
		double most = 0, most_head = 0, trace = 0, damping = 0;
		for (int j = 0; j < group->width; j++) {
			most = fmax(most, s.scores.unit[g][j]);
			trace += spread(&s, group->post, j, true, false) / group->width;
			damping += column(&s, group, j);
		}
		for (int h = 0; s.scores.head[g] && h < group->heads; h++) most_head = fmax(most_head, s.scores.head[g][h]);
		/* with everything gone the error is the consumer's output about its mean, and the damping */
		int out = s.scene.graph->nodes[group->consumer].out[0];
		double wanted = 1e-2 * trace * damping;
		for (int d = 0; d < s.scene.options.width; d++) wanted += spread(&s, out, d, true, false);
		cr_assert_float_eq(most, wanted, 1e-3 * wanted, "group %zu: %g, expected %g", g, most, wanted);
		if (s.scores.head[g]) cr_assert_float_eq(most_head, wanted, 1e-3 * wanted, "heads of group %zu", g);
	}
	setting_deinit(&s);
}

/* ---- kfac */

/* Gradients [tokens][cols] of log p, or of p, of the labels at a value, in float64. */
static double *gradients_at(struct setting *s, int value, int target)
{
	struct skip_backward backward = {0};
	struct skip_ref_result result = {0};
	struct skip_packer packer;
	double *logits = scene_reference(s->scene.graph, &s->scene.dev, "logits", NULL), seed[SAMPLES * SCENE_CLASSES];
	for (int i = 0; i < SAMPLES; i++) {
		const double *row = logits + i * SCENE_CLASSES;
		const int label = s->scene.dev.label[i];
		double sum = 0;
		for (int c = 0; c < SCENE_CLASSES; c++) sum += exp(row[c]);
		const double weight = target == SKIP_TARGET_PROB ? exp(row[label]) / sum : 1;
		for (int c = 0; c < SCENE_CLASSES; c++) seed[i * SCENE_CLASSES + c] = weight * ((c == label) - exp(row[c]) / sum);
	}
	CHECK_OK(skip_pass_backward(s->scene.graph, skip_graph_find_value(s->scene.graph, "logits"), &value, 1, &backward, &err));
	skip_packer_init(&packer);
	struct skip_batch batch = scene_batch(&s->scene.dev, &packer);
	struct skip_ref_input input = {backward.seed, seed};
	CHECK_OK(skip_reference_run(backward.graph, &batch, &input, 1, 0, &result, &err));
	const size_t count = (size_t)batch.n_tokens * (size_t)s->scene.graph->values[value].cols;
	double *out = calloc(count, sizeof(*out));
	memcpy(out, result.data[backward.grad_of_want[0]], count * sizeof(*out));
	free(logits);
	skip_reference_free(&result);
	skip_backward_deinit(&backward);
	skip_packer_deinit(&packer);
	return out;
}

/* Mean over the rows of (g . (y - mean y))^2 for rows g and y that do not know of each other: g^T Cov(y) g. */
static double variance_along(const double *y, size_t rows, size_t cols, const double *g)
{
	double mean = 0, square = 0;
	for (size_t r = 0; r < rows; r++) {
		double along = 0;
		for (size_t d = 0; d < cols; d++) along += g[d] * y[r * cols + d];
		mean += along / (double)rows;
		square += along * along / (double)rows;
	}
	return square - mean * mean;
}

/* |W^T g|^2 */
static double read_along(const float *w, size_t width, size_t cols, const double *g)
{
	double square = 0;
	for (size_t j = 0; j < width; j++) {
		double along = 0;
		for (size_t d = 0; d < cols; d++) along += g[d] * w[d * width + j];
		square += along * along;
	}
	return square;
}

/* What is reached with everything gone: (1/2) tr(Cov(y) G), G the mean over samples of their sums of g g^T, with both dampings. */
static double everything_gone(struct setting *s, const struct skip_unit_group *group, int target)
{
	const struct skip_node *node = &s->scene.graph->nodes[group->consumer];
	const size_t cols = (size_t)s->scene.options.width, width = (size_t)group->width;
	size_t count = 0;
	double *y = scene_reference(s->scene.graph, &s->scene.dev, s->scene.graph->values[node->out[0]].name, &count), sum = 0, trace = 0, lam = 0;
	double *g = gradients_at(s, node->out[0], target);
	float *w = scene_tensor(s->scene.graph, node->param[0]);
	const size_t rows = count / cols;
	for (int j = 0; j < group->width; j++) lam += 1e-2 * spread(s, group->post, j, true, false) / group->width;
	for (size_t r = 0; r < rows; r++) {
		sum += (variance_along(y, rows, cols, g + r * cols) + lam * read_along(w, width, cols, g + r * cols)) / (2 * SAMPLES);
		for (size_t d = 0; d < cols; d++) trace += g[r * cols + d] * g[r * cols + d] / (2 * SAMPLES);
	}
	for (size_t d = 0; d < cols; d++) {
		double unit[64] = {0};
		unit[d] = 1;
		sum += 1e-2 * trace / (double)cols * (variance_along(y, rows, cols, unit) + lam * read_along(w, width, cols, unit));
	}
	free(y);
	free(g);
	free(w);
	return sum;
}

ParameterizedTestParameters(kfac, scores_rise_to_the_variance_in_the_metric_of_gradients)
{
	static int targets[] = {SKIP_TARGET_LOGPROB, SKIP_TARGET_PROB};
	return cr_make_param_array(int, targets, sizeof(targets) / sizeof(*targets));
}

ParameterizedTest(int *target, kfac, scores_rise_to_the_variance_in_the_metric_of_gradients)
{
	struct setting s;
	setting_init(&s, "kfac");
	s.options.target = *target;
	attribute(&s);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		if (group->kind == SKIP_UNIT_QK) continue;
		double most = 0, most_head = 0, wanted = everything_gone(&s, group, *target);
		for (int j = 0; j < group->width; j++) most = fmax(most, s.scores.unit[g][j]);
		for (int h = 0; s.scores.head[g] && h < group->heads; h++) most_head = fmax(most_head, s.scores.head[g][h]);
		cr_assert_float_eq(most, wanted, 1e-3 * wanted, "group %zu: %g, expected %g", g, most, wanted);
		if (s.scores.head[g]) cr_assert_float_eq(most_head, wanted, 1e-3 * wanted, "heads of group %zu", g);
	}
	cr_assert_eq(s.scores.forward, 2 * SAMPLES);
	cr_assert_eq(s.scores.backward, SAMPLES);
	setting_deinit(&s);
}

/* Units that no weight reads. */
Test(kfac, scores_qk_and_slots_as_fisher_does)
{
	struct setting s;
	setting_init(&s, "kfac");
	attribute(&s);
	struct skip_scores kfac = s.scores;
	s.options.criterion = "fisher";
	attribute(&s);
	for (size_t g = 0; g < s.units.n_all; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		for (int j = 0; group->consumer == SKIP_NONE && j < group->width; j++) {
			double wanted = s.scores.unit[g][j];
			cr_assert_float_eq(kfac.unit[g][j], wanted, 1e-3 * wanted, "group %zu unit %d: %g, fisher %g", g, j, kfac.unit[g][j], wanted);
		}
	}
	skip_scores_deinit(&kfac);
	setting_deinit(&s);
}

/* ---- shapley */

/* Writes zeros into the consumer's columns of units first .. last-1: they carry nothing. */
static void cut_off(struct setting *s, const struct skip_unit_group *group, int first, int last)
{
	int index = s->scene.graph->nodes[group->consumer].param[0];
	CHECK_OK(skip_graph_own_tensor(s->scene.graph, index, &err));
	float *w = skip_tensor_f32(s->scene.graph->tensors[index]);
	for (int d = 0; d < s->scene.options.width; d++) {
		for (int j = first; j < last; j++) w[d * group->width + j] = 0;
	}
}

/* Mean KL(whole || off) with groups [0, last) switched off. */
static double divergence(struct setting *s, size_t last)
{
	struct skip_masked masked;
	CHECK_OK(skip_masked_init(s->scene.graph, &s->units, &masked, &err));
	double *whole = scene_reference(masked.graph, &s->scene.dev, "logits", NULL);
	for (size_t g = 0; g < last; g++) {
		for (int j = 0; j < s->units.group[g].width; j++) skip_masked_set(&masked, g, j, 0);
	}
	double *off = scene_reference(masked.graph, &s->scene.dev, "logits", NULL);
	float a[SAMPLES * SCENE_CLASSES], b[SAMPLES * SCENE_CLASSES];
	for (int i = 0; i < SAMPLES * SCENE_CLASSES; i++) {
		a[i] = (float)whole[i];
		b[i] = (float)off[i];
	}
	free(whole);
	free(off);
	skip_masked_deinit(&masked);
	return skip_mean_kl(a, b, SAMPLES, SCENE_CLASSES);
}

Test(shapley, values_share_the_whole_and_a_dummy_gets_nothing)
{
	struct setting s;
	double heads = 0, blocks = 0;
	setting_init(&s, "shapley");
	s.options.permutations = 3;
	const struct skip_unit_group *v = skip_units_get(&s.units, 0, SKIP_UNIT_V);
	const size_t at = (size_t)(v - s.units.group);
	cut_off(&s, v, v->per_head, 2 * v->per_head); /* head 1 of layer 0 */
	attribute(&s);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int h = 0; s.scores.head[g] && h < s.units.group[g].heads; h++) heads += s.scores.head[g][h];
		if (s.units.group[g].kind == SKIP_UNIT_FFN) blocks += sum_of_group(&s, g);
	}
	const double all = divergence(&s, s.units.n_groups), dummy = s.scores.head[at][1];
	/* a walk that sinks below the end stops there, so walks may find more than the whole, never less */
	cr_assert_geq(heads + blocks, all * 0.999, "%g of %g", heads + blocks, all);
	cr_assert_lt(fabs(dummy), 1e-5 * all, "a head that nobody reads: %g of %g", dummy, all);
	cr_assert_gt(fabs(s.scores.head[at][0]), 1e-3 * all);
	/* units of a head share its value */
	double sum = 0;
	for (int e = 0; e < v->per_head; e++) sum += s.scores.unit[at][e];
	cr_assert_float_eq(sum, s.scores.head[at][0], 1e-9 + 1e-9 * fabs(sum));
	cr_assert_eq(s.scores.forward % SAMPLES, 0);
	setting_deinit(&s);
}

static struct criterion_test_params all_criteria(void)
{
	static char names[16][32];
	size_t n = 0;
	for (; skip_criteria[n] && n < 16; n++) snprintf(names[n], sizeof(names[n]), "%s", skip_criteria[n]->name);
	return cr_make_param_array(char[32], names, n);
}

ParameterizedTestParameters(criteria, are_repeatable_and_finite)
{
	return all_criteria();
}

ParameterizedTest(char (*name)[32], criteria, are_repeatable_and_finite)
{
	struct setting s;
	struct skip_scores first;
	setting_init(&s, *name);
	s.options.steps = 2;
	s.options.permutations = 1;
	attribute(&s);
	first = s.scores;
	attribute(&s);
	double lowest = INFINITY, highest = -INFINITY;
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int j = 0; j < s.units.group[g].width; j++) {
			cr_assert(isfinite(first.unit[g][j]), "%s group %zu unit %d", *name, g, j);
			cr_assert_eq(first.unit[g][j], s.scores.unit[g][j]);
			lowest = fmin(lowest, first.unit[g][j]);
			highest = fmax(highest, first.unit[g][j]);
		}
	}
	cr_assert_lt(lowest, highest, "%s scores everything alike", *name);
	skip_scores_deinit(&first);
	setting_deinit(&s);
}

ParameterizedTestParameters(criteria, rank_in_bf16_as_in_f32)
{
	return all_criteria();
}

ParameterizedTest(char (*name)[32], criteria, rank_in_bf16_as_in_f32)
{
	struct setting s;
	struct skip_scores f32;
	struct skip_agreement agreement;
	const struct skip_criterion *criterion = skip_criterion_find(*name);
	setting_init(&s, *name);
	s.options.steps = 2;
	s.options.permutations = 1;
	attribute(&s);
	f32 = s.scores;
	s.options.precision = SKIP_PRECISION_BF16;
	attribute(&s);
	CHECK_OK(skip_scores_agree(&f32, &s.scores, &s.units, &agreement, &err));
	cr_assert_gt(agreement.mean, 0.9, "%s: mean rank correlation %g, lowest %g", *name, agreement.mean, agreement.lowest);
	bool same = true;
	for (size_t g = 0; g < s.units.n_groups; g++) same &= !memcmp(f32.unit[g], s.scores.unit[g], sizeof(double) * (size_t)s.units.group[g].width);
	cr_assert_eq(same, criterion->compute != NULL, "%s in bf16 %s", *name, same ? "is f32's to the bit" : "differs, though it looks at no data");
	skip_scores_deinit(&f32);
	setting_deinit(&s);
}
