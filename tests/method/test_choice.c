/* Which samples are scored: ways of choosing on numbers made by hand, and through a network. */
#include "method/metrics.h"
#include "method/scene.h"
#include "method/skill/choice.h"
#include "method/skill/sample.h"

static struct skip_err err;

/* Six rows of two classes on a line: sure ones at the ends, unsure ones in the middle. */
static const double p[6][2] = {{0.99, 0.01}, {0.9, 0.1}, {0.6, 0.4}, {0.45, 0.55}, {0.2, 0.8}, {0.02, 0.98}};
static const float z[6][1] = {{0}, {1}, {4}, {5}, {9}, {20}};

static void choose(const char *name, size_t count, int *rows)
{
	struct skip_pool_view pool = {.n = 6, .classes = 2, .width = 1, .p = p[0], .z = z[0]};
	const struct skip_choice *choice = skip_choice_find(name);
	cr_assert_not_null(choice, "%s", name);
	CHECK_OK(choice->choose(&pool, count, rows, &err));
}

struct choice_case {
	char name[16];
	int count, rows[6];
};

ParameterizedTestParameters(choice, by_hand)
{
	static struct choice_case cases[] = {
	    {"random", 3, {0, 1, 2}},
	    {"entropy", 3, {3, 2, 4}},
	    {"margin", 6, {3, 2, 4, 1, 5, 0}},
	    {"kcenter", 4, {3, 5, 0, 4}}, /* nearest to the mean 6.5: 5 (row 3) before 4 and 9; then 20, 0, 9 */
	    {"mix", 1, {4}},		  /* of rows 3 2 4 1 5 the one nearest to their mean 7.8: 9 */
	};
	return cr_make_param_array(struct choice_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct choice_case *c, choice, by_hand)
{
	int rows[6];
	choose(c->name, (size_t)c->count, rows);
	for (int i = 0; i < c->count; i++) cr_assert_eq(rows[i], c->rows[i], "%s: place %d is row %d, expected %d", c->name, i, rows[i], c->rows[i]);
}

Test(choice, every_way_takes_each_row_at_most_once)
{
	for (const struct skip_choice *const *c = skip_choices; *c; c++) {
		for (size_t count = 1; count <= 6; count++) {
			int rows[6], seen[6] = {0};
			choose((*c)->name, count, rows);
			for (size_t i = 0; i < count; i++) cr_assert_eq(seen[rows[i]]++, 0, "%s: row %d twice", (*c)->name, rows[i]);
		}
	}
}

/* The rows an `entropy` sample holds are those of largest entropy by the float64 reference. */
Test(choice, asks_the_network)
{
	struct scene s;
	struct skip_units units;
	struct skip_dataset sample;
	struct skip_scores scores;
	struct skip_skill_options options;
	double entropy[31];
	scene_init(&s, 7, 31, 3);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	CHECK_OK(skip_scores_alloc(&units, &scores, &err));
	skip_skill_defaults(&options);
	options.choice = "entropy";
	options.samples = 5;
	struct skip_scoring scoring = {
	    .device = s.device.device, .graph = s.graph, .units = &units, .options = &options, .classes = SCENE_CLASSES, .scores = &scores};
	CHECK_OK(skip_skill_sample(&scoring, skip_criterion_find("fisher"), &s.dev, &sample, &err));
	cr_assert_eq(sample.n_rows, 5);
	cr_assert_eq(scores.forward, 31);
	double *all = scene_reference(s.graph, &s.dev, "logits", NULL), *taken = scene_reference(s.graph, &sample, "logits", NULL);
	double largest = -INFINITY;
	for (int pass = 0; pass < 2; pass++) {
		const double *logits = pass ? taken : all;
		for (size_t i = 0; i < (pass ? 5u : 31u); i++) {
			double sum = 0, h = 0;
			for (int c = 0; c < SCENE_CLASSES; c++) sum += exp(logits[i * SCENE_CLASSES + (size_t)c]);
			for (int c = 0; c < SCENE_CLASSES; c++) {
				double q = exp(logits[i * SCENE_CLASSES + (size_t)c]) / sum;
				h -= q * log(q);
			}
			if (pass == 0) {
				entropy[i] = h;
				largest = fmax(largest, h);
				continue;
			}
			if (i == 0) cr_assert_float_eq(h, largest, 1e-6);
			/* at most i rows are less sure than the i-th taken one, and at least i + 1 as unsure */
			int above = 0, level = 0;
			for (int k = 0; k < 31; k++) {
				above += entropy[k] > h + 1e-6;
				level += entropy[k] > h - 1e-6;
			}
			cr_assert(above <= (int)i && level > (int)i, "sample %zu has %d rows above it, %d as high", i, above, level);
		}
	}
	free(all);
	free(taken);
	skip_dataset_deinit(&sample);
	skip_scores_deinit(&scores);
	skip_units_deinit(&units);
	scene_deinit(&s);
}

Test(choice, unknown_is_usage)
{
	struct skip_dataset data = {.n_rows = 1}, sample;
	struct skip_skill_options options;
	skip_skill_defaults(&options);
	options.choice = "best";
	struct skip_scoring scoring = {.options = &options, .classes = 2};
	CHECK_FAILS(skip_skill_sample(&scoring, skip_criterion_find("fisher"), &data, &sample, &err), SKIP_ERR_USAGE);
}
