/*
 * The tuner: its judge refuses wrong numbers however fast they come and keeps what stands unless another is clearly faster; lowering takes a tile only
 * where it is one of the family's own; what was found for a device is found again, and nothing else is.
 *
 * The table of families of this program has one more candidate for linear than the library's: a poisoned one, whose products are wrong.
 */
#include "device/tune/internal.h"
#include "base/file.h"
#include "base/rng.h"
#include "device/lower_graph.h"
#include "graph/op.h"
#include "open_device.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { POISON = 7 }; /* rows of the poisoned tile: no candidate of linear has them */

extern const struct skip_family skip_family_linear;
static struct skip_family poisoned;
static struct skip_tiling poisoned_tiling;
const struct skip_family *const skip_families[] = {&poisoned, NULL};

static bool poison_candidate(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node, size_t i,
			     struct skip_tile *out)
{
	struct skip_tile before;
	const struct skip_tiling *linear = skip_family_linear.tiling;
	if (linear->candidate(graph, profile, variant, node, i, out)) return true;
	if (i > 0 && !linear->candidate(graph, profile, variant, node, i - 1, &before)) return false;
	linear->candidate(graph, profile, variant, node, 0, out);
	out->number[0] = POISON;
	return true;
}

/* A wrong product: negative sums are zero. */
static enum skip_status poison_lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	struct skip_node wrong = *node;
	if (!strcmp(variant, "cpu") && skip_lowering_tile(lowering)->number[0] == POISON) wrong.attrs.linear.act = SKIP_ACT_RELU;
	return skip_family_linear.lower(lowering, &wrong, variant, err);
}

__attribute__((constructor)) static void poison(void)
{
	poisoned_tiling = *skip_family_linear.tiling;
	poisoned_tiling.candidate = poison_candidate;
	poisoned = skip_family_linear;
	poisoned.lower = poison_lower;
	poisoned.tiling = &poisoned_tiling;
}

/* ---- the judge, on candidates made up ---- */

struct made_up {
	float answer[4]; /* of each candidate; 1 is right */
	double seconds[4];
	int timed[4];
};

static enum skip_status answer(void *context, size_t candidate, float *out, struct skip_err *err)
{
	const struct made_up *made = context;
	if (made->answer[candidate] < 0) return skip_err_set(err, SKIP_ERR_DEVICE, "does not build");
	out[0] = 1;
	out[1] = made->answer[candidate];
	return SKIP_OK;
}

static enum skip_status seconds(void *context, size_t candidate, size_t batch, double *out, struct skip_err *err)
{
	struct made_up *made = context;
	(void)err;
	made->timed[candidate]++;
	*out = made->seconds[candidate] * (double)(batch + 1);
	return SKIP_OK;
}

struct verdict_case {
	struct made_up made;
	size_t best, rejected;
	double gain;
};

static const struct verdict_case cases[] = {
    {{{1, 1, 1, 1}, {4, 3, 2, 5}, {0}}, 2, 0, 2}, /* the fastest */
    {{{1, 1, 2, 1}, {4, 3, 2, 5}, {0}}, 1, 1, 4.0 / 3},		    /* the fastest is wrong */
    {{{1, 1.001f, -1, NAN}, {4, 3, 2, 1}, {0}}, 0, 3, 1},	    /* all others are */
    {{{1, 1, 1, 1}, {4, 3.97, 3.99, 4.1}, {0}}, 0, 0, 1},	    /* no one is clearly faster */
    {{{5, 1, 1, 1}, {1, 3, 2, 4}, {0}}, 2, 1, 1},		    /* the profile's own is wrong: there is no gain to speak of */
};

ParameterizedTestParameters(tune, the_judge)
{
	return cr_make_param_array(struct verdict_case, (void *)cases, sizeof(cases) / sizeof(cases[0]));
}
ParameterizedTest(struct verdict_case *test, tune, the_judge)
{
	struct skip_err err;
	struct skip_verdict verdict;
	const double known[] = {1, 1}, bound[] = {1e-4, 1e-4};
	const struct skip_search search = {4, 2, known, bound, 2, answer, seconds, &test->made};
	CHECK_OK(skip_search_run(&search, &verdict, &err));
	cr_expect(verdict.best == test->best && verdict.rejected == test->rejected, "%zu, %zu rejected", verdict.best, verdict.rejected);
	cr_expect(fabs(verdict.gain - test->gain) < 1e-6, "%g", verdict.gain);
	for (int c = 1; c < 4; c++) cr_expect(test->made.answer[c] == 1 || test->made.timed[c] == 0, "wrong candidate %d was timed", c);
}

Test(tune, without_a_right_candidate_there_is_an_error)
{
	struct skip_err err;
	struct skip_verdict verdict;
	struct made_up made = {{2, 2, -1, NAN}, {1, 1, 1, 1}, {0}};
	const double known[] = {1, 1}, bound[] = {1e-4, 1e-4};
	const struct skip_search search = {4, 1, known, bound, 2, answer, seconds, &made};
	CHECK_FAILS(skip_search_run(&search, &verdict, &err), SKIP_ERR_DEVICE);
}

/* ---- lowering ---- */

enum { K = 61, N = 37 };

static struct skip_graph *one_product(int k, int n, enum skip_precision precision, int *out)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	struct skip_tensor *w = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .n_param = 1, .n_out = 1};
	node.attrs.linear.precision = precision;
	CHECK_OK(skip_graph_create(&graph, &err));
	CHECK_OK(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, k, &node.in[0], &err));
	CHECK_OK(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){n, k}, &w, &err));
	CHECK_OK(skip_graph_add_tensor(graph, w, &node.param[0], &err));
	CHECK_OK(skip_graph_add_node(graph, &node, (const char *[]){"y"}, NULL, &err));
	skip_tensor_unref(w);
	*out = node.out[0];
	return graph;
}

static struct skip_graph *one_linear(enum skip_precision precision, int *out) { return one_product(K, N, precision, out); }

static struct skip_tile_choice choice_of(const char *tile)
{
	struct skip_tile_choice choice = {"linear", "k61 n37 T f32 cpu", ""};
	snprintf(choice.tile, sizeof(choice.tile), "%s", tile);
	return choice;
}

struct lower_case {
	char shipped[24], tuned[24]; /* "": none; no pointers: parameters go to another process */
	enum skip_tile_origin origin;
	int height, nv; /* 0: the profile's */
	bool refused;
};

static const struct lower_case lower_cases[] = {
	{"", "", SKIP_TILE_DEFAULT, 0, 0, false},
	{"", "mr12 nv1", SKIP_TILE_TUNED, 12, 1, false},
	{"mr5 nv3", "", SKIP_TILE_SHIPPED, 5, 3, false},
	{"mr5 nv3", "mr12 nv1", SKIP_TILE_TUNED, 12, 1, false},
	/* What is none of the family's is not taken from a cache, and is an error of a board file. */
	{"", "mr11 nv1", SKIP_TILE_DEFAULT, 0, 0, false},
	{"", "mr64 nv64 block-9", SKIP_TILE_DEFAULT, 0, 0, false},
	{"", "%s%n", SKIP_TILE_DEFAULT, 0, 0, false},
	{"mr5 nv3", "mr14 nv2", SKIP_TILE_SHIPPED, 5, 3, false},
	{"mr14 nv2", "", SKIP_TILE_NONE, 0, 0, true},
	{"mr14 nv2", "mr12 nv1", SKIP_TILE_TUNED, 12, 1, false},
};

ParameterizedTestParameters(tune, lowering_takes_only_tiles_of_the_family)
{
	return cr_make_param_array(struct lower_case, (void *)lower_cases, sizeof(lower_cases) / sizeof(lower_cases[0]));
}
ParameterizedTest(struct lower_case *test, tune, lowering_takes_only_tiles_of_the_family)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_plan *plan = NULL;
	int y;
	struct skip_graph *graph = one_linear(SKIP_PRECISION_F32, &y);
	struct skip_profile profile = *skip_profiles_find(profiles, "pocl-x86-avx512");
	const struct skip_tile_choice shipped = choice_of(test->shipped), tuned = choice_of(test->tuned);
	profile.shipped = &shipped;
	profile.n_shipped = test->shipped[0] != 0;
	profile.tuned = &tuned;
	profile.n_tuned = test->tuned[0] != 0;
	if (test->refused) {
		CHECK_FAILS(skip_lower(graph, &profile, &y, 1, &plan, &err), SKIP_ERR_INPUT);
		cr_expect(strstr(err.message, test->shipped) != NULL, "%s", err.message);
	} else {
		char nv[64];
		CHECK_OK(skip_lower(graph, &profile, &y, 1, &plan, &err));
		const struct skip_plan_launch *launch = &plan->launches[0];
		snprintf(nv, sizeof(nv), "#define SKIP_LINEAR_NV %d\n", test->nv ? test->nv : profile.nv);
		cr_expect(launch->tile == test->origin, "%s", skip_tile_origin_names[launch->tile]);
		cr_expect(launch->cover[0].tile == (test->height ? test->height : profile.mr[0]), "%d", launch->cover[0].tile);
		cr_expect(strstr(plan->programs[0].text, nv) != NULL);
		/* The manifest says where the tile came from, and reads it back. */
		json_t *json = NULL;
		struct skip_plan *again = NULL;
		CHECK_OK(skip_plan_to_json(plan, &json, &err));
		const char *said = json_string_value(json_object_get(json_array_get(json_object_get(json, "launches"), 0), "tile"));
		cr_expect(said && !strcmp(said, skip_tile_origin_names[test->origin]), "%s", said);
		CHECK_OK(skip_plan_from_json(json, &again, &err));
		cr_expect(again->launches[0].tile == test->origin);
		skip_plan_destroy(again);
		json_decref(json);
	}
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

/* Every board, every type: naming the family's first tile changes nothing, and every candidate lowers to a cover that its slack holds. */
Test(tune, the_first_candidate_is_what_the_profile_says)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	size_t asked = 0;
	for (size_t p = 0; p < skip_profiles_count(profiles); p++) {
		for (int t = 0; t < SKIP_PRECISION_COUNT; t++) {
			int y;
			struct skip_profile profile = *skip_profiles_at(profiles, p);
			struct skip_graph *graph = one_linear((enum skip_precision)t, &y);
			struct skip_tile_problem problem;
			struct skip_tile tile;
			struct skip_plan *bare = NULL;
			const char *variant = skip_family_variant(&skip_family_linear, &profile);
			if (variant && skip_family_linear.tiling->problem(graph, &profile, variant, &graph->nodes[0], &problem)) {
				struct skip_tile_choice choice = {.family = "linear"};
				snprintf(choice.shape, sizeof(choice.shape), "%s", problem.shape);
				CHECK_OK(skip_lower(graph, &profile, &y, 1, &bare, &err));
				profile.tuned = &choice;
				profile.n_tuned = 1;
				for (size_t i = 0; skip_family_linear.tiling->candidate(graph, &profile, variant, &graph->nodes[0], i, &tile); i++) {
					struct skip_plan *plan = NULL;
					skip_tile_text(skip_family_linear.tiling, &tile, choice.tile);
					CHECK_OK(skip_lower(graph, &profile, &y, 1, &plan, &err));
					cr_expect(plan->launches[0].tile == SKIP_TILE_TUNED, "%s %s", profile.id, choice.tile);
					const struct skip_plan_buffer *x = &plan->buffers[plan->value_buffer[y]];
					for (int c = 0; c < plan->launches[0].n_cover; c++)
						cr_expect(x->slack >= (int64_t)(plan->launches[0].cover[c].tile - 1) * x->cols, "%s %s", profile.id, choice.tile);
					cr_expect(i > 0 || !strcmp(plan->programs[0].hash, bare->programs[0].hash), "%s %s", profile.id, choice.tile);
					cr_expect(i > 0 || x->slack == bare->buffers[bare->value_buffer[y]].slack);
					skip_plan_destroy(plan);
					asked++;
				}
			}
			skip_plan_destroy(bare);
			skip_graph_destroy(graph);
		}
	}
	cr_expect(asked > 100, "%zu", asked);
	skip_profiles_destroy(profiles);
}

/* ---- on a device ---- */

static char folder[128];

static void use_cache(void)
{
	snprintf(folder, sizeof(folder), "/tmp/skip-tune-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
	setenv("SKIP_TUNE_CACHE", folder, 1);
}

static void drop_cache(void)
{
	char command[160];
	if (!folder[0]) return;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_expect(system(command) == 0);
}

TestSuite(tuner, .fini = drop_cache);

struct heard {
	int shapes;
	struct skip_tune_found last;
};

static void hear(void *context, const struct skip_tune_found *found)
{
	struct heard *heard = context;
	heard->shapes++;
	heard->last = *found;
}

/* Two of linear's own tiles and the poisoned one: every candidate is compiled. */
static bool few_candidates(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node, size_t i,
			   struct skip_tile *out)
{
	skip_family_linear.tiling->candidate(graph, profile, variant, node, i < 2 ? i : 0, out);
	if (i == 2) out->number[0] = POISON;
	return i < 3;
}

static void check_poison_is_refused(int k, int n, enum skip_precision precision)
{
	struct skip_err err;
	poisoned_tiling.candidate = few_candidates;
	struct test_device open = open_device(NULL);
	struct heard heard = {0};
	struct skip_tuning tuning = {0};
	const struct skip_tune_listener listener = {hear, &heard};
	int y;
	struct skip_graph *graph = one_product(k, n, precision, &y);
	CHECK_OK(skip_tune_graph(open.device, graph, &listener, &tuning, &err));
	cr_expect(heard.shapes == 1 && heard.last.tried == 3 && heard.last.rejected == 1, "%d shapes, %zu tried, %zu rejected", heard.shapes, heard.last.tried,
		  heard.last.rejected);
	cr_expect(tuning.n_choices == 1 && !strstr(tuning.choice[0].tile, "mr7"), "%s", tuning.choice[0].tile);
	cr_expect(heard.last.gain >= 1);
	skip_tuning_deinit(&tuning);
	skip_graph_destroy(graph);
	close_device(&open);
}

Test(tuner, a_wrong_candidate_is_refused_in_float32) { check_poison_is_refused(K, N, SKIP_PRECISION_F32); }
Test(tuner, a_wrong_candidate_is_refused_in_int8) { check_poison_is_refused(K, N, SKIP_PRECISION_INT8); }
/* A product of a real encoder has sums that are exactly zero, where the reference's own roundings leave a little. */
Test(tuner, only_a_wrong_candidate_is_refused_among_sums_of_zero) { check_poison_is_refused(384, 1536, SKIP_PRECISION_INT8); }

static struct skip_tuning one_choice(struct skip_tile_choice *choice, const char *tile)
{
	*choice = choice_of(tile);
	return (struct skip_tuning){.choice = choice, .n_choices = 1};
}

Test(tuner, what_was_found_is_found_again)
{
	struct skip_err err;
	use_cache();
	struct test_device open = open_device(NULL);
	struct heard heard = {0};
	struct skip_tile_choice choice;
	struct skip_tuning again = {0};
	const struct skip_tuning tuning = one_choice(&choice, "mr12 nv1");
	const struct skip_tune_listener listener = {hear, &heard};
	int y;
	struct skip_graph *graph = one_linear(SKIP_PRECISION_F32, &y);
	cr_expect(skip_device_tuning(open.device)->n_choices == 0);
	CHECK_OK(skip_tuning_store(open.device, &tuning, &err));
	CHECK_OK(skip_tuning_load(open.device, &again, &err));
	cr_assert(again.n_choices == 1 && !memcmp(&again.choice[0], &choice, sizeof(choice)));
	/* What is settled is not searched again, and a device opened now has it, in what it runs. */
	CHECK_OK(skip_tune_graph(open.device, graph, &listener, &again, &err));
	cr_expect(heard.shapes == 0 && again.n_choices == 1);
	struct test_device second = open_device(NULL);
	struct skip_session *session = NULL;
	CHECK_OK(skip_session_open(second.device, graph, &y, 1, false, &session, &err));
	cr_expect(skip_session_plan(session)->launches[0].tile == SKIP_TILE_TUNED);
	skip_session_destroy(session);
	/* Other profiles have their own file, and "off" is none. */
	setenv("SKIP_TUNE_CACHE", "off", 1);
	struct test_device third = open_device(NULL);
	cr_expect(skip_device_profile(third.device)->n_tuned == 0);
	setenv("SKIP_TUNE_CACHE", folder, 1);
	struct test_device generic = open_device("generic");
	cr_expect(skip_device_profile(generic.device)->n_tuned == 0);
	close_device(&generic);
	close_device(&third);
	close_device(&second);
	skip_tuning_deinit(&again);
	skip_graph_destroy(graph);
	close_device(&open);
}

static void only_file(char *out, size_t size)
{
	char command[256];
	snprintf(command, sizeof(command), "ls %s/*.tune.json", folder);
	FILE *list = popen(command, "r");
	cr_assert(list && fgets(out, (int)size, list));
	out[strcspn(out, "\n")] = '\0';
	pclose(list);
}

static void write_file(const char *path, const char *data, size_t size)
{
	FILE *file = fopen(path, "w");
	cr_assert(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

Test(tuner, a_damaged_or_foreign_file_is_ignored)
{
	struct skip_err err;
	use_cache();
	struct test_device open = open_device(NULL);
	struct skip_tile_choice choice;
	const struct skip_tuning tuning = one_choice(&choice, "mr12 nv1");
	struct skip_tuning read = {0};
	struct skip_buf whole;
	struct skip_rng rng;
	char path[512];
	CHECK_OK(skip_tuning_store(open.device, &tuning, &err));
	only_file(path, sizeof(path));
	skip_buf_init(&whole);
	CHECK_OK(skip_file_read(path, &whole, &err));
	/* Rubbish: any byte changed, any byte as the last. */
	skip_rng_init(&rng, 0, "rubbish");
	for (int i = 0; i < 300; i++) {
		char *text = skip_strdup(skip_buf_text(&whole));
		const size_t at = (size_t)skip_rng_below(&rng, whole.length);
		const bool cut = i % 3 == 0;
		if (!cut) text[at] = (char)(text[at] ^ (1 + (int)skip_rng_below(&rng, 127)));
		write_file(path, text, cut ? at : whole.length);
		CHECK_OK(skip_tuning_load(open.device, &read, &err));
		cr_expect(read.n_choices == 0 || !memcmp(&read.choice[0], &choice, sizeof(choice)), "byte %zu", at);
		skip_tuning_deinit(&read);
		skip_free(text);
	}
	const char *const rubbish[] = {"", "{", "[]", "null", "{\"sum\": 1}", "{\"for\": {}, \"tiles\": [], \"sum\": \"\"}", "\xff\xfe"};
	for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		write_file(path, rubbish[i], strlen(rubbish[i]));
		CHECK_OK(skip_tuning_load(open.device, &read, &err));
		cr_expect(read.n_choices == 0 && !read.choice, "%s", rubbish[i]);
	}
	/* The file of another profile, whole, under the name of this one's. */
	struct test_device generic = open_device("generic");
	CHECK_OK(skip_file_read(path, &whole, &err));
	cr_assert(unlink(path) == 0);
	CHECK_OK(skip_tuning_store(generic.device, &tuning, &err));
	char foreign[512];
	only_file(foreign, sizeof(foreign));
	cr_assert(strcmp(foreign, path) && rename(foreign, path) == 0);
	CHECK_OK(skip_tuning_load(open.device, &read, &err));
	cr_expect(read.n_choices == 0);
	skip_buf_deinit(&whole);
	close_device(&generic);
	close_device(&open);
}

/* Tiles for other kernels than today's are left out, in a file that is right otherwise. */
Test(tuner, tiles_for_other_texts_are_ignored)
{
	struct skip_err err;
	use_cache();
	struct test_device open = open_device(NULL);
	struct skip_tile_choice choice;
	const struct skip_tuning tuning = one_choice(&choice, "mr12 nv1");
	struct skip_tuning read = {0};
	/* The version is a hash over the shared texts a family names, too. */
	static const char *const fewer[] = {"maths", NULL};
	CHECK_OK(skip_tuning_store(open.device, &tuning, &err));
	poisoned.common = fewer;
	CHECK_OK(skip_tuning_load(open.device, &read, &err));
	cr_expect(read.n_choices == 0);
	skip_tuning_deinit(&read);
	poisoned.common = skip_family_linear.common;
	CHECK_OK(skip_tuning_load(open.device, &read, &err));
	cr_expect(read.n_choices == 1);
	skip_tuning_deinit(&read);
	close_device(&open);
}

/* ---- allocations fail: all of reading and writing the file, every eleventh of a search ---- */

static enum skip_status read_and_write(struct skip_device *device, struct skip_err *err)
{
	enum skip_status status;
	struct skip_tile_choice choice;
	struct skip_tuning read = {0};
	const struct skip_tuning tuning = one_choice(&choice, "mr12 nv1");
	SKIP_TRY(skip_tuning_store(device, &tuning, err));
	SKIP_TRY(skip_tuning_load(device, &read, err));
	if (read.n_choices != 1) SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERNAL, "a tuning was lost"));
cleanup:
	skip_tuning_deinit(&read);
	return status;
}

/* Runs `call` with the n-th allocation failing, for n in steps, until it gets through. */
static size_t fail_each(struct skip_device *device, enum skip_status (*call)(struct skip_device *, struct skip_err *), size_t step)
{
	enum skip_status status = SKIP_ERR_NOMEM;
	size_t n = 1;
	for (; status != SKIP_OK; n += step) {
		struct skip_err err;
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		status = call(device, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || (status == SKIP_ERR_NOMEM && err.message[0]), "allocation %zu: %s, '%s'", n, skip_status_text(status), err.message);
	}
	return n;
}

Test(tuner, every_allocation_of_the_file_fails)
{
	use_cache();
	struct test_device open = open_device(NULL);
	cr_expect(fail_each(open.device, read_and_write, 1) > 10);
	close_device(&open);
}

static struct skip_graph *searched;

static enum skip_status search_two(struct skip_device *device, struct skip_err *err)
{
	struct skip_tuning tuning = {0};
	enum skip_status status = skip_tune_graph(device, searched, NULL, &tuning, err);
	cr_expect(tuning.n_choices == (status == SKIP_OK));
	skip_tuning_deinit(&tuning);
	return status;
}

Test(tuner, allocations_of_a_search_fail)
{
	int y;
	struct test_device open = open_device(NULL);
	searched = one_linear(SKIP_PRECISION_F32, &y);
	poisoned_tiling.candidate = few_candidates;
	cr_expect(fail_each(open.device, search_two, 11) > 100);
	skip_graph_destroy(searched);
	close_device(&open);
}
