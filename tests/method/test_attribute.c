/* Attribution through the real device against differences and gradients of the float64 reference. */
#include "method/metrics.h"
#include "method/scene.h"
#include "method/skill/skill.h"

static struct skip_err err;

#define SAMPLES 13

static void softmax(const double *logits, double temperature, double *p)
{
	double sum = 0;
	for (int c = 0; c < SCENE_CLASSES; c++) sum += p[c] = exp(logits[c] / temperature);
	for (int c = 0; c < SCENE_CLASSES; c++) p[c] /= sum;
}

/* log p of the label of every row, in float64. */
static void log_p(const struct skip_graph *graph, const struct skip_dataset *data, const int32_t *label, double *out)
{
	double *logits = scene_reference(graph, data, "logits", NULL), p[SCENE_CLASSES];
	for (size_t i = 0; i < data->n_rows; i++) {
		softmax(logits + i * SCENE_CLASSES, 1, p);
		out[i] = log(p[label[i]]);
	}
	free(logits);
}

/* A copy whose unit j of the group is scaled by m: where it is produced for qk (Q only), where it is consumed otherwise. */
static struct skip_graph *scaled(const struct skip_graph *graph, const struct skip_unit_group *group, int j, float m)
{
	struct skip_graph *copy = NULL;
	CHECK_OK(skip_graph_copy(graph, &copy, &err));
	const struct skip_node *node =
	    group->kind == SKIP_UNIT_QK ? &copy->nodes[copy->values[group->post].producer] : &copy->nodes[group->consumer];
	for (int k = 0; k < (group->kind == SKIP_UNIT_QK ? 2 : 1); k++) {
		int index = node->param[k];
		struct skip_tensor *old = copy->tensors[index], *own = NULL;
		CHECK_OK(skip_tensor_create(old->name, SKIP_F32, old->rank, old->dim, &own, &err));
		float *w = skip_tensor_f32(own);
		skip_tensor_to_f32(old, w);
		int64_t cols = old->rank == 2 ? old->dim[1] : 1;
		for (int64_t i = 0; i < skip_tensor_count(old); i++) {
			if ((group->kind == SKIP_UNIT_QK ? i / cols : i % cols) == j) w[i] *= m;
		}
		skip_graph_set_tensor(copy, index, own);
		skip_tensor_unref(own);
	}
	return copy;
}

static void attribute(struct scene *s, const struct skip_units *units, const struct skip_skill_options *options, struct skip_scores *out)
{
	CHECK_OK(skip_attribute(s->device.device, s->graph, units, &s->dev, options, NULL, out, &err));
}

static void check_close(double found, double wanted, double scale, const char *what, size_t g, int j)
{
	cr_assert_float_eq(found, wanted, 2e-3 * scale + 1e-5, "%s of group %zu unit %d: %.7g, difference %.7g", what, g, j, found, wanted);
}

Test(attribute, taylor_and_fisher_are_differences_of_soft_removal)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores taylor, fisher;
	double up[SAMPLES], down[SAMPLES];
	scene_init(&s, 7, SAMPLES, 3);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	skip_skill_defaults(&options);
	options.criterion = "taylor";
	attribute(&s, &units, &options, &taylor);
	options.criterion = "fisher";
	attribute(&s, &units, &options, &fisher);
	cr_assert_eq(taylor.samples, SAMPLES);
	cr_assert_str_eq(taylor.criterion, "taylor");
	for (size_t g = 0; g < units.n_groups; g++) {
		const struct skip_unit_group *group = &units.group[g];
		double head_mean[3] = {0}, head_g[SAMPLES][3] = {{0}};
		for (int j = 0; j < group->width; j++) {
			const float h = 0x1p-8f; /* exact in the scaled weights' own precision is not: it is the same on both sides */
			struct skip_graph *more = scaled(s.graph, group, j, 1 + h), *less = scaled(s.graph, group, j, 1 - h);
			double mean = 0, square = 0, size = 0;
			log_p(more, &s.dev, s.dev.label, up);
			log_p(less, &s.dev, s.dev.label, down);
			for (int i = 0; i < SAMPLES; i++) {
				double slope = (up[i] - down[i]) / (2 * h);
				mean += slope / SAMPLES;
				square += slope * slope / (2 * SAMPLES);
				size += fabs(slope) / SAMPLES;
				head_g[i][j / group->per_head % 3] += slope;
			}
			check_close(taylor.unit[g][j], mean, size, "taylor", g, j);
			check_close(fisher.unit[g][j], square, square, "fisher", g, j);
			skip_graph_destroy(more);
			skip_graph_destroy(less);
		}
		cr_assert_eq(taylor.head[g] != NULL, group->kind == SKIP_UNIT_V);
		for (int e = 0; taylor.head[g] && e < group->heads; e++) {
			double square = 0;
			for (int i = 0; i < SAMPLES; i++) {
				head_mean[e] += head_g[i][e] / SAMPLES;
				square += head_g[i][e] * head_g[i][e] / (2 * SAMPLES);
			}
			check_close(taylor.head[g][e], head_mean[e], fabs(head_mean[e]) + sqrt(square), "taylor", g, e);
			check_close(fisher.head[g][e], square, square, "fisher", g, e);
		}
	}
	skip_scores_deinit(&taylor);
	skip_scores_deinit(&fisher);
	skip_units_deinit(&units);
	scene_deinit(&s);
}

/* A copy in which m of slot j's weight is left before the softmax divides. */
static struct skip_graph *slot_scaled(const struct skip_graph *graph, const struct skip_unit_group *group, int j, double m)
{
	struct skip_graph *copy = NULL;
	unsigned char all[3] = {1, 1, 1};
	CHECK_OK(skip_graph_copy(graph, &copy, &err));
	const int attention = copy->values[group->post].producer;
	cr_assert_eq(group->width, 3);
	CHECK_OK(skip_mask_slots(copy, attention, all, &err));
	skip_tensor_f32(copy->tensors[copy->nodes[attention].param[SKIP_ATTENTION_SLOTS]])[j] = (float)log(m);
	return copy;
}

/* Under a mask m inside the softmax a slot weighs m exp(Z). */
Test(attribute, slots_are_scored_by_the_gradients_of_their_masks)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores taylor, fisher, skip;
	double up[SAMPLES], down[SAMPLES], whole[SAMPLES];
	scene_init(&s, 7, SAMPLES, 3);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	skip_skill_defaults(&options);
	options.labels = SKIP_LABELS_PRED;
	double *logits = scene_reference(s.graph, &s.dev, "logits", NULL);
	int32_t label[SAMPLES];
	for (int i = 0; i < SAMPLES; i++) {
		label[i] = 0;
		for (int c = 1; c < SCENE_CLASSES; c++) label[i] = logits[i * SCENE_CLASSES + c] > logits[i * SCENE_CLASSES + label[i]] ? c : label[i];
	}
	free(logits);
	log_p(s.graph, &s.dev, label, whole);
	options.criterion = "taylor";
	attribute(&s, &units, &options, &taylor);
	options.criterion = "fisher";
	attribute(&s, &units, &options, &fisher);
	options.criterion = "skip";
	attribute(&s, &units, &options, &skip);
	cr_assert_eq(units.n_all, units.n_groups + 2);
	cr_assert(skip_scores_know_slots(&taylor, &units) && skip_scores_know_slots(&skip, &units));
	for (size_t g = units.n_groups; g < units.n_all; g++) {
		for (int j = 0; j < 3; j++) {
			const double h = 0x1p-8;
			struct skip_graph *more = slot_scaled(s.graph, &units.group[g], j, 1 + h), *less = slot_scaled(s.graph, &units.group[g], j, 1 - h);
			double mean = 0, square = 0, size = 0, of_p = 0;
			log_p(more, &s.dev, label, up);
			log_p(less, &s.dev, label, down);
			for (int i = 0; i < SAMPLES; i++) {
				double slope = (up[i] - down[i]) / (2 * h);
				mean += slope / SAMPLES;
				square += slope * slope / (2 * SAMPLES);
				size += fabs(slope) / SAMPLES;
				of_p += exp(whole[i]) * slope / SAMPLES;
			}
			cr_assert_gt(size, 1e-4, "a slot nobody looks at");
			check_close(taylor.unit[g][j], mean, size, "taylor", g, j);
			check_close(fisher.unit[g][j], square, square, "fisher", g, j);
			check_close(skip.unit[g][j], of_p, size, "skip", g, j);
			skip_graph_destroy(more);
			skip_graph_destroy(less);
		}
		cr_assert_null(taylor.head[g]);
	}
	skip_scores_deinit(&taylor);
	skip_scores_deinit(&fisher);
	skip_scores_deinit(&skip);
	skip_units_deinit(&units);
	scene_deinit(&s);
}

/* Per sample: the reduced h * df/dh of a value, f = log p of the label, from the reference of the backward graph. */
static double *reference_products(struct scene *s, int value, const int32_t *label, enum skip_reduce reduce, double *p_out)
{
	struct skip_backward backward = {0};
	struct skip_ref_result result = {0};
	struct skip_packer packer;
	double *logits = scene_reference(s->graph, &s->dev, "logits", NULL), seed[SAMPLES * SCENE_CLASSES], p[SCENE_CLASSES];
	for (int i = 0; i < SAMPLES; i++) {
		softmax(logits + i * SCENE_CLASSES, 1, p);
		for (int c = 0; c < SCENE_CLASSES; c++) seed[i * SCENE_CLASSES + c] = (c == label[i]) - p[c];
		p_out[i] = p[label[i]];
	}
	free(logits);
	CHECK_OK(skip_pass_backward(s->graph, skip_graph_find_value(s->graph, "logits"), &value, 1, &backward, &err));
	skip_packer_init(&packer);
	struct skip_batch batch = scene_batch(&s->dev, &packer);
	struct skip_ref_input input = {backward.seed, seed};
	CHECK_OK(skip_reference_run(backward.graph, &batch, &input, 1, 0, &result, &err));
	int cols = s->graph->values[value].cols;
	double *out = calloc((size_t)SAMPLES * (size_t)cols, sizeof(*out));
	const double *h = result.data[value], *dh = result.data[backward.grad_of_want[0]];
	for (int b = 0; b < SAMPLES; b++) {
		for (int j = 0; j < cols; j++) {
			double best = -INFINITY, sum = 0;
			for (int t = batch.offset[b]; t < batch.offset[b + 1]; t++) {
				best = fmax(best, h[t * cols + j] * dh[t * cols + j]);
				sum += h[t * cols + j] * dh[t * cols + j];
			}
			out[b * cols + j] = reduce == SKIP_REDUCE_MAX ? best : sum;
		}
	}
	skip_reference_free(&result);
	skip_backward_deinit(&backward);
	skip_packer_deinit(&packer);
	return out;
}

struct skip_case {
	enum skip_reduce reduce;
	int target;
	enum skip_pool pool;
	int pred;
};

ParameterizedTestParameters(attribute, skip_is_the_signed_maximum)
{
	static struct skip_case cases[] = {{SKIP_REDUCE_MAX, -1, SKIP_POOL_MEAN, 0},
					   {SKIP_REDUCE_SUM, SKIP_TARGET_LOGPROB, SKIP_POOL_MEAN, 0},
					   {SKIP_REDUCE_MAX, SKIP_TARGET_PROB, SKIP_POOL_CLS, 1}};
	return cr_make_param_array(struct skip_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct skip_case *c, attribute, skip_is_the_signed_maximum)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores scores;
	double p[SAMPLES];
	int32_t label[SAMPLES];
	scene_init(&s, 7, SAMPLES, 3);
	skip_graph_destroy(s.graph);
	s.options.pool = c->pool;
	s.graph = toy_graph(&s.options);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	double *logits = scene_reference(s.graph, &s.dev, "logits", NULL);
	for (int i = 0; i < SAMPLES; i++) {
		label[i] = s.dev.label[i];
		for (int k = 0; c->pred && k < SCENE_CLASSES; k++)
			label[i] = logits[i * SCENE_CLASSES + k] > logits[i * SCENE_CLASSES + label[i]] ? k : label[i];
	}
	free(logits);
	skip_skill_defaults(&options);
	options.criterion = "skip";
	options.reduce = c->reduce;
	options.target = c->target;
	options.labels = c->pred ? SKIP_LABELS_PRED : SKIP_LABELS_GOLD;
	attribute(&s, &units, &options, &scores);
	for (size_t g = 0; g < units.n_groups; g++) {
		const struct skip_unit_group *group = &units.group[g];
		double *wanted = calloc((size_t)group->width, sizeof(*wanted)), *size = calloc((size_t)group->width, sizeof(*size));
		for (int k = 0; k < group->n_pre; k++) {
			double *a = reference_products(&s, group->pre[k], label, c->reduce, p);
			for (int i = 0; i < SAMPLES; i++) {
				double weight = c->target == SKIP_TARGET_LOGPROB ? 1 : p[i];
				for (int j = 0; j < group->width; j++) {
					wanted[j] += weight * a[i * group->width + j] / (SAMPLES * group->n_pre);
					size[j] += fabs(a[i * group->width + j]) / SAMPLES;
				}
			}
			free(a);
		}
		for (int j = 0; j < group->width; j++) check_close(scores.unit[g][j], wanted[j], 0.1 * size[j], "skip", g, j);
		free(wanted);
		free(size);
	}
	skip_scores_deinit(&scores);
	skip_units_deinit(&units);
	scene_deinit(&s);
}

Test(attribute, without_labels_and_repeatable)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores a, b;
	scene_init(&s, 7, 61, 3);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	s.dev.labelled = false;
	for (size_t i = 0; i < s.dev.n_rows; i++) s.dev.label[i] = -1;
	skip_skill_defaults(&options);
	options.criterion = "fisher";
	options.labels = SKIP_LABELS_NONE;
	attribute(&s, &units, &options, &a);
	attribute(&s, &units, &options, &b);
	bool any = false;
	for (size_t g = 0; g < units.n_groups; g++) {
		for (int j = 0; j < units.group[g].width; j++) {
			cr_assert_eq(a.unit[g][j], b.unit[g][j]);
			cr_assert_geq(a.unit[g][j], 0);
			any |= a.unit[g][j] > 0;
		}
	}
	cr_assert(any);
	skip_scores_deinit(&a);
	skip_scores_deinit(&b);
	CHECK_FAILS(skip_attribute(s.device.device, s.graph, &units, &s.dev,
				   &(struct skip_skill_options){.criterion = "taylor", .target = -1, .labels = SKIP_LABELS_NONE}, NULL, &a,
				   &err),
		    SKIP_ERR_USAGE);
	CHECK_FAILS(skip_attribute(s.device.device, s.graph, &units, &s.dev,
				   &(struct skip_skill_options){.criterion = "skip", .target = SKIP_TARGET_KL, .labels = SKIP_LABELS_PRED},
				   NULL, &a, &err),
		    SKIP_ERR_USAGE);
	CHECK_FAILS(skip_attribute(s.device.device, s.graph, &units, &s.dev,
				   &(struct skip_skill_options){.criterion = "skip", .target = -1, .labels = SKIP_LABELS_GOLD}, NULL, &a,
				   &err),
		    SKIP_ERR_INPUT);
	skip_units_deinit(&units);
	scene_deinit(&s);
}

static bool stop_at_once(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
	(void)context;
	(void)done;
	(void)total;
	(void)note;
	cr_assert_str_eq(stage, "score");
	return false;
}

Test(attribute, can_be_interrupted)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores scores;
	struct skip_progress progress = {stop_at_once, NULL};
	scene_init(&s, 7, 7, 0);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	skip_skill_defaults(&options);
	CHECK_FAILS(skip_attribute(s.device.device, s.graph, &units, &s.dev, &options, &progress, &scores, &err), SKIP_ERR_INTERRUPTED);
	skip_units_deinit(&units);
	scene_deinit(&s);
}
