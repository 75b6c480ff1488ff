/* Teams: what the launches of a layer compute in one kernel is, to the bit, what they compute one after the other. */
#include "base/alloc.h"
#include "check.h"
#include "device/session.h"
#include "graph/pass.h"
#include "graph/toy_graph.h"
#include "open_device.h"
#include <string.h>

/* Wide enough that all of it has bodies for CPUs; with ragged ends. */
static struct toy_options wide_options(void)
{
	struct toy_options options = toy_defaults();
	options.width = 48;
	options.qk = options.v = 16;
	options.ffn = 83;
	options.dtype = SKIP_F32;
	return options;
}

/* Batches of one session, in this order: memory grows, and sizes of pieces change. */
static const struct {
	int n, lengths[6];
} batches[] = {{1, {1}}, {4, {1, 7, 61, 2}}, {1, {13}}, {6, {31, 31, 2, 64, 9, 40}}, {2, {1, 1}}};
#define BATCHES (sizeof(batches) / sizeof(batches[0]))

struct team_case {
	int threads, prefix, pool;
	enum toy_form form;
	enum skip_precision precision;
	unsigned removal;
};

ParameterizedTestParameters(team, computes_what_the_launches_do)
{
	static struct team_case all[] = {
	    {0, 0, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_F32, 0},	 {0, 20, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_INT8, 0},
	    {0, 3, SKIP_POOL_CLS, TOY_BERT, SKIP_PRECISION_BF16, 0},	 {0, 3, SKIP_POOL_LAST, TOY_GPT2, SKIP_PRECISION_F32, 0},
	    {0, 2, SKIP_POOL_CLS, TOY_MODERNBERT, SKIP_PRECISION_F32, 0}, {0, 0, SKIP_POOL_MEAN, TOY_MPNET, SKIP_PRECISION_F32, 0},
	    {0, 2, SKIP_POOL_CLS, TOY_DEBERTA, SKIP_PRECISION_F32, 0},	 {0, 20, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_F32, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS},
	    {0, 0, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_INT8, TOY_NOTHING_LEFT},
	    {1, 2, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_INT8, 0},	 {70, 0, SKIP_POOL_MEAN, TOY_BERT, SKIP_PRECISION_F32, 0},
	};
	return cr_make_param_array(struct team_case, all, sizeof(all) / sizeof(all[0]));
}

static struct test_device open_threads(int threads)
{
	struct test_device out = {NULL, NULL};
	struct skip_err err;
	CHECK_OK(skip_profiles_load(NULL, &out.profiles, &err));
	CHECK_OK(skip_device_open(out.profiles, NULL, threads, &out.device, &err));
	return out;
}

/* The toy with units removed, in a precision. */
static struct skip_graph *network(const struct toy_options *options, unsigned removal, enum skip_precision precision)
{
	struct skip_err err;
	struct skip_units units;
	struct skip_graph *graph = toy_graph(options), *shrunk = NULL, *out = NULL;
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, removal, 5);
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	CHECK_OK(skip_pass_precision(shrunk, precision, &out, &err));
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(shrunk);
	skip_graph_destroy(graph);
	return out;
}

ParameterizedTest(struct team_case *c, team, computes_what_the_launches_do)
{
	struct skip_err err;
	struct skip_session *team = NULL, *launches = NULL;
	int value, same;
	struct test_device device = open_threads(c->threads);
	struct toy_options options = wide_options();
	options.prefix = c->prefix;
	options.pool = c->pool;
	toy_set_form(&options, c->form);
	struct skip_graph *graph = network(&options, c->removal, c->precision);
	CHECK_OK(skip_open_inference(device.device, graph, "logits", false, &team, &value, &err));
	CHECK_OK(skip_open_launches(device.device, graph, "logits", &launches, &same, &err));
	cr_assert_eq(skip_session_plan(team)->whole, skip_device_profile(device.device)->team);
	cr_assert_not(skip_session_plan(launches)->whole);
	for (size_t b = 0; b < BATCHES; b++) {
		struct toy_batch batch = toy_batch_make(&options, batches[b].lengths, batches[b].n, 3);
		const size_t n = (size_t)batches[b].n * (size_t)skip_session_graph(team)->values[value].cols;
		float *got = malloc(n * sizeof(*got)), *want = malloc(n * sizeof(*want));
		CHECK_OK(skip_session_run(launches, &batch.batch, same, want, &err));
		/* Again and again: what one run leaves behind, the next begins with. */
		for (int run = 0; run < 20; run++) {
			memset(got, 0xff, n * sizeof(*got));
			CHECK_OK(skip_session_run(team, &batch.batch, value, got, &err));
			cr_assert_arr_eq(got, want, n * sizeof(*got), "batch %zu, run %d", b, run);
		}
		free(got);
		free(want);
		toy_batch_free(&batch);
	}
	skip_session_destroy(launches);
	skip_session_destroy(team);
	skip_graph_destroy(graph);
	close_device(&device);
}

/* The plan of a network for a profile. */
static struct skip_plan *lower_whole(const struct skip_profiles *profiles, const char *id, const struct skip_graph *graph)
{
	struct skip_err err;
	struct skip_graph *fused = NULL;
	struct skip_plan *plan = NULL;
	const struct skip_profile *profile = skip_profiles_find(profiles, id);
	int value;
	cr_assert_not_null(profile);
	CHECK_OK(skip_pass_inference(graph, "logits", profile->combine, &fused, &value, &err));
	CHECK_OK(skip_lower_whole(fused, profile, &value, 1, &plan, &err));
	skip_graph_destroy(fused);
	return plan;
}

static int team_kernels(const struct skip_plan *plan)
{
	int n = 0;
	for (size_t k = 0; k < plan->n_kernels; k++) n += !strncmp(plan->kernels[k].name, "team_", 5);
	return n;
}

Test(team, equal_layers_share_a_kernel)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct toy_options options = wide_options();
	options.layers = 4;
	options.pool = SKIP_POOL_MEAN; /* else the last one has fewer rows */
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	for (int p = SKIP_PRECISION_F32; p < SKIP_PRECISION_COUNT; p++) {
		struct skip_graph *graph = network(&options, 0, (enum skip_precision)p);
		struct skip_plan *plan = lower_whole(profiles, "pocl-x86-avx512-bf16", graph);
		/* What comes before the layers, a layer, what comes behind. */
		cr_assert_leq(team_kernels(plan), 3, "%d kernels", team_kernels(plan));
		cr_assert_leq(plan->n_launches, 4u + 4u, "%zu launches", plan->n_launches);
		skip_plan_destroy(plan);
		skip_graph_destroy(graph);
	}
	skip_profiles_destroy(profiles);
}

/* Work-items of GPUs are no threads, generic bodies are not written for it, and a device may say nothing. */
Test(team, is_for_devices_that_say_so)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct toy_options options = wide_options();
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	struct skip_graph *graph = network(&options, 0, SKIP_PRECISION_F32);
	static const char *const others[] = {"generic", "nvidia-generic", "oclgrind", "rusticl", "fpga-generic"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct skip_plan *plan = lower_whole(profiles, others[i], graph);
		cr_assert_not(plan->whole, "%s", others[i]);
		cr_assert_eq(team_kernels(plan), 0, "%s", others[i]);
		skip_plan_destroy(plan);
	}
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}
