/* The file form of scores, the rows that are scored, and criteria of weights. */
#include "base/alloc.h"
#include "base/file.h"
#include "graph/toy_graph.h"
#include "method/skill/sample.h"
#include "method/skill/skill.h"
#include <unistd.h>

static struct skip_err err;

struct scene {
	struct toy_options options;
	struct skip_graph *graph;
	struct skip_units units;
};

static void scene_init_prefix(struct scene *s, int prefix)
{
	s->options = toy_defaults();
	s->options.dtype = SKIP_F32;
	s->options.prefix = prefix;
	s->graph = toy_graph(&s->options);
	CHECK_OK(skip_units_find(s->graph, &s->units, &err));
}

static void scene_init(struct scene *s)
{
	scene_init_prefix(s, toy_defaults().prefix);
}

static void scene_deinit(struct scene *s)
{
	skip_units_deinit(&s->units);
	skip_graph_destroy(s->graph);
}

static void score(struct scene *s, const char *criterion, uint64_t seed, struct skip_scores *out)
{
	struct skip_skill_options options;
	skip_skill_defaults(&options);
	options.criterion = criterion;
	options.seed = seed;
	CHECK_OK(skip_attribute(NULL, s->graph, &s->units, NULL, &options, NULL, out, &err)); /* weights need neither device nor data */
}

Test(scores, write_and_read_back_the_same)
{
	struct scene s;
	struct skip_scores a, b;
	char path[600];
	scene_init(&s);
	snprintf(path, sizeof(path), "%s/scores-%ld.safetensors", getenv("SKIP_TEST_BINARY"), (long)getpid());
	score(&s, "random", 1, &a);
	CHECK_OK(skip_scores_save(&a, &s.units, path, &err));
	CHECK_OK(skip_scores_load(path, &s.units, &b, &err));
	cr_assert_str_eq(b.criterion, "random");
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int j = 0; j < s.units.group[g].width; j++) cr_assert_eq(a.unit[g][j], b.unit[g][j]);
		cr_assert_eq(a.head[g] == NULL, b.head[g] == NULL);
		for (int h = 0; a.head[g] && h < s.units.group[g].heads; h++) cr_assert_eq(a.head[g][h], b.head[g][h]);
	}
	skip_scores_deinit(&b);

	/* of a file that does not say what it holds */
	struct skip_st_entry *entries;
	struct skip_output *output;
	size_t count;
	CHECK_OK(skip_scores_entries(&a, &s.units, &entries, &count, &err));
	CHECK_OK(skip_output_create_file(path, &output, &err));
	CHECK_OK(skip_st_write(output, NULL, entries, count, NULL, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
	skip_free(entries);
	CHECK_OK(skip_scores_load(path, &s.units, &b, &err));
	cr_assert_str_eq(b.criterion, "file");
	skip_scores_deinit(&b);
	CHECK_OK(skip_scores_save(&a, &s.units, path, &err));

	/* another model's widths, a missing group, a number that is none */
	s.units.group[0].width++;
	CHECK_FAILS(skip_scores_load(path, &s.units, &b, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "expected") != NULL && err.file[0], "%s", err.message);
	s.units.group[0].width--;
	s.units.group[0].layer = 17;
	CHECK_FAILS(skip_scores_load(path, &s.units, &b, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "layer17.") != NULL, "%s", err.message);
	s.units.group[0].layer = 0;
	a.unit[1][0] = NAN;
	CHECK_OK(skip_scores_save(&a, &s.units, path, &err));
	CHECK_FAILS(skip_scores_load(path, &s.units, &b, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "not finite") != NULL, "%s", err.message);
	skip_scores_deinit(&a);
	remove(path);
	scene_deinit(&s);
}

/* What is not known of slots is not made up: neither by a criterion, nor from a file of another prefix. */
Test(scores, of_slots_may_be_absent)
{
	struct scene with, other;
	struct skip_scores a, b;
	char path[600];
	scene_init_prefix(&with, 7);
	snprintf(path, sizeof(path), "%s/slots-%ld.safetensors", getenv("SKIP_TEST_BINARY"), (long)getpid());
	score(&with, "magnitude", 1, &a);
	cr_assert_not(skip_scores_know_slots(&a, &with.units));
	cr_assert_null(a.unit[with.units.n_groups]);
	CHECK_OK(skip_scores_save(&a, &with.units, path, &err));
	CHECK_OK(skip_scores_load(path, &with.units, &b, &err));
	cr_assert_not(skip_scores_know_slots(&b, &with.units));
	skip_scores_deinit(&a);
	skip_scores_deinit(&b);
	score(&with, "random", 1, &a);
	cr_assert(skip_scores_know_slots(&a, &with.units));
	CHECK_OK(skip_scores_save(&a, &with.units, path, &err));
	CHECK_OK(skip_scores_load(path, &with.units, &b, &err));
	for (size_t g = with.units.n_groups; g < with.units.n_all; g++)
		cr_assert_eq(memcmp(a.unit[g], b.unit[g], (size_t)with.units.group[g].width * sizeof(double)), 0);
	skip_scores_deinit(&b);
	scene_init_prefix(&other, 6);
	CHECK_OK(skip_scores_load(path, &other.units, &b, &err));
	cr_assert_not(skip_scores_know_slots(&b, &other.units));
	skip_scores_deinit(&a);
	skip_scores_deinit(&b);
	remove(path);
	scene_deinit(&with);
	scene_deinit(&other);
}

Test(scores, random_depends_on_the_seed_only)
{
	struct scene s;
	struct skip_scores a, b, c;
	scene_init(&s);
	score(&s, "random", 1, &a);
	score(&s, "random", 1, &b);
	score(&s, "random", 2, &c);
	size_t same = 0, all = 0;
	for (size_t g = 0; g < s.units.n_groups; g++) {
		for (int j = 0; j < s.units.group[g].width; j++, all++) {
			cr_assert_eq(a.unit[g][j], b.unit[g][j]);
			cr_assert(a.unit[g][j] >= 0 && a.unit[g][j] < 1);
			same += a.unit[g][j] == c.unit[g][j];
		}
	}
	cr_assert_lt(same, all / 10);
	skip_scores_deinit(&a);
	skip_scores_deinit(&b);
	skip_scores_deinit(&c);
	scene_deinit(&s);
}

static double norm(const struct skip_graph *graph, const char *name, int axis, int index)
{
	int t = skip_graph_find_tensor(graph, name);
	cr_assert(t != SKIP_NONE, "no tensor %s", name);
	const struct skip_tensor *tensor = graph->tensors[t];
	int64_t n = skip_tensor_count(tensor), inner = tensor->rank == 2 ? tensor->dim[1] : 1;
	double *data = malloc((size_t)n * sizeof(*data)), sum = 0;
	skip_tensor_to_f64(tensor, data);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = axis == 0 ? i / inner : i % inner;
		if (at == index) sum += data[i] * data[i];
	}
	free(data);
	return sum;
}

Test(scores, magnitude_is_the_product_of_norms)
{
	struct scene s;
	struct skip_scores a;
	scene_init(&s);
	score(&s, "magnitude", 0, &a);
	for (size_t g = 0; g < s.units.n_groups; g++) {
		const struct skip_unit_group *group = &s.units.group[g];
		const char *in[3] = {[SKIP_UNIT_FFN] = "intermediate.dense",
				     [SKIP_UNIT_V] = "attention.self.value",
				     [SKIP_UNIT_QK] = "attention.self.query"};
		const char *out[3] = {
		    [SKIP_UNIT_FFN] = "output.dense", [SKIP_UNIT_V] = "attention.output.dense", [SKIP_UNIT_QK] = "attention.self.key"};
		char name[4][128];
		snprintf(name[0], 128, "encoder.layer.%d.%s.weight", group->layer, in[group->kind]);
		snprintf(name[1], 128, "encoder.layer.%d.%s.bias", group->layer, in[group->kind]);
		snprintf(name[2], 128, "encoder.layer.%d.%s.weight", group->layer, out[group->kind]);
		snprintf(name[3], 128, "encoder.layer.%d.%s.bias", group->layer, out[group->kind]);
		bool qk = group->kind == SKIP_UNIT_QK;
		double head = 0;
		for (int j = 0; j < group->width; j++) {
			double first = norm(s.graph, name[0], 0, j) + norm(s.graph, name[1], 0, j);
			double second = norm(s.graph, name[2], qk ? 0 : 1, j) + (qk ? norm(s.graph, name[3], 0, j) : 0);
			cr_assert_float_eq(a.unit[g][j], sqrt(first) * sqrt(second), 1e-6, "layer %d %s %d", group->layer, in[group->kind],
					   j);
			head += a.unit[g][j];
			if (!a.head[g] || (j + 1) % group->per_head) continue;
			cr_assert_float_eq(a.head[g][j / group->per_head], head, 1e-9);
			head = 0;
		}
	}
	skip_scores_deinit(&a);
	scene_deinit(&s);
}

Test(scores, unknown_criterion_is_usage)
{
	struct scene s;
	struct skip_scores a;
	struct skip_skill_options options;
	scene_init(&s);
	skip_skill_defaults(&options);
	options.criterion = "oracle";
	CHECK_FAILS(skip_attribute(NULL, s.graph, &s.units, NULL, &options, NULL, &a, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "oracle") != NULL);
	scene_deinit(&s);
}

/* n rows of one token each; row i has id i and label i * i % classes, so that classes come unevenly. */
static void make_data(struct skip_dataset *data, int n, int classes)
{
	*data = (struct skip_dataset){.n_rows = (size_t)n, .labelled = true};
	data->ids = skip_alloc_zeroed((size_t)n, sizeof(int32_t));
	data->types = skip_alloc_zeroed((size_t)n, sizeof(int32_t));
	data->label = skip_alloc_zeroed((size_t)n, sizeof(int32_t));
	data->offset = skip_alloc_zeroed((size_t)n + 1, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		data->ids[i] = i;
		data->label[i] = i * i % classes;
		data->offset[i + 1] = i + 1;
	}
}

struct sample_case {
	char criterion[16];
	int rows, samples, wanted;
	int balanced;
};

ParameterizedTestParameters(sample, sizes)
{
	static struct sample_case cases[] = {{"skip", 1000, 0, 60, 1},	  {"skip", 1000, 7, 21, 1}, {"skip", 61, 0, 60, 0},
					     {"fisher", 1000, 0, 512, 0}, {"fisher", 61, 0, 61, 0}, {"taylor", 1000, 7, 7, 0}};
	return cr_make_param_array(struct sample_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct sample_case *c, sample, sizes)
{
	struct skip_dataset data, sample;
	struct skip_skill_options options;
	make_data(&data, c->rows, 3); /* labels 0 and 1 only: squares modulo 3; class 2 is missing */
	skip_skill_defaults(&options);
	options.samples = c->samples;
	struct skip_scoring scoring = {.options = &options, .classes = 3};
	CHECK_OK(skip_skill_sample(&scoring, skip_criterion_find(c->criterion), &data, &sample, &err));
	cr_assert_eq(sample.n_rows, (size_t)c->wanted, "%zu rows", sample.n_rows);
	int seen[1000] = {0}, of_class[3] = {0};
	for (size_t i = 0; i < sample.n_rows; i++) {
		cr_assert_eq(seen[sample.ids[i]]++, 0, "row %d twice", sample.ids[i]);
		of_class[sample.label[i]]++;
	}
	if (c->balanced) cr_assert(abs(of_class[0] - of_class[1]) <= 1, "%d and %d", of_class[0], of_class[1]);
	skip_dataset_deinit(&sample);
	skip_dataset_deinit(&data);
}

Test(sample, refuses_missing_and_impossible_labels)
{
	struct skip_dataset data, sample;
	struct skip_skill_options options;
	const struct skip_criterion *criterion = skip_criterion_find("fisher");
	make_data(&data, 7, 3);
	skip_skill_defaults(&options);
	struct skip_scoring scoring = {.options = &options, .classes = 1};
	CHECK_FAILS(skip_skill_sample(&scoring, criterion, &data, &sample, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "row 1 has label 1") != NULL, "%s", err.message);
	data.labelled = false;
	scoring.classes = 3;
	CHECK_FAILS(skip_skill_sample(&scoring, criterion, &data, &sample, &err), SKIP_ERR_INPUT);
	options.labels = SKIP_LABELS_PRED;
	CHECK_OK(skip_skill_sample(&scoring, criterion, &data, &sample, &err));
	skip_dataset_deinit(&sample);
	data.n_rows = 0;
	CHECK_FAILS(skip_skill_sample(&scoring, criterion, &data, &sample, &err), SKIP_ERR_INPUT);
	data.n_rows = 7;
	skip_dataset_deinit(&data);
}

Test(criteria, names_are_unique_and_each_has_what_it_needs)
{
	for (const struct skip_criterion *const *a = skip_criteria; *a; a++) {
		cr_assert_eq(skip_criterion_find((*a)->name), *a);
		cr_assert_not_null((*a)->summary);
		int ways = ((*a)->accumulate != NULL) + ((*a)->score != NULL) + ((*a)->compute != NULL);
		cr_assert_eq(ways, 1, "%s", (*a)->name);
		bool sampled = (*a)->compute || (*a)->default_samples > 0;
		cr_assert(sampled, "%s", (*a)->name);
	}
}

Test(criteria, accumulate_by_hand)
{
	/* 2 samples, 2 heads of 2 dims */
	struct skip_unit_group group = {.kind = SKIP_UNIT_V, .width = 4, .heads = 2, .per_head = 2, .n_pre = 1};
	const float post[8] = {1, 2, -1, 0, 3, -1, 2, 4}, pre[8] = {5, 6, 7, 8, 1, 1, 1, 1}, pre2[8] = {1, 0, 1, 0, 3, 3, 3, 3};
	const double weight[2] = {1, 0.5};
	struct skip_criterion_batch batch = {
	    .group = &group, .n_samples = 2, .sum_post = post, .reduce_pre = {pre, NULL}, .weight = weight};
	struct {
		const char *name;
		double unit[4], head[2];
	} cases[] = {
	    {"taylor", {2.5, 1.5, 0, 2}, {4, 2}},
	    /* squares of (1 2 -1 0) and (1.5 -.5 1 2), halved; heads: 3, -1 and 1, 3 */
	    {"fisher", {(1 + 2.25) / 2, (4 + 0.25) / 2, (1 + 1) / 2.0, 4 / 2.0}, {(9 + 1) / 2.0, (1 + 9) / 2.0}},
	    {"taylor+fisher", {2.5 + 1.625, 1.5 + 2.125, 0 + 1, 2 + 2}, {4 + 5, 2 + 5}},
	    {"skip", {5.5, 6.5, 7.5, 8.5}, {12, 16}},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double unit[4] = {0}, head[2] = {0};
		skip_criterion_find(cases[i].name)->accumulate(&batch, unit, head);
		for (int j = 0; j < 4; j++)
			cr_assert_float_eq(unit[j], cases[i].unit[j], 1e-12, "%s unit %d: %g", cases[i].name, j, unit[j]);
		for (int h = 0; h < 2; h++)
			cr_assert_float_eq(head[h], cases[i].head[h], 1e-12, "%s head %d: %g", cases[i].name, h, head[h]);
	}
	/* a qk dim is the mean of Q and K; there are no head scores */
	double unit[4] = {0};
	group.kind = SKIP_UNIT_QK;
	group.n_pre = 2;
	batch.reduce_pre[1] = pre2;
	skip_criterion_find("skip")->accumulate(&batch, unit, NULL);
	cr_assert_float_eq(unit[0], (5 + 0.5) / 2 + (1 + 1.5) / 2, 1e-12);
}
