/* Whole networks on a device against float64: the shrunk network is the masked one, and gradients are gradients. */
#include "base/alloc.h"
#include "device/opencl/cl.h"
#include "device/session.h"
#include "graph/pass.h"
#include "graph/toy_graph.h"
#include "open_device.h"

#define WITHIN 1e-4 /* of the largest number compared */
/* In bfloat16, against a reference that rounds alike: a number computed beside the middle of two bfloat16 goes to either, 2^-8 of it away. */
#define WITHIN_BF16 0x1p-7

static const int lengths[] = {1, 7, 61, 2};

static struct toy_options network_options(int prefix, int pool, enum toy_form form)
{
	struct toy_options options = toy_defaults();
	options.prefix = prefix;
	options.pool = pool;
	options.dtype = SKIP_F32;
	toy_set_form(&options, form);
	return options;
}

/* max |got - want| over the largest |want| */
static double off(const float *got, const double *want, size_t n)
{
	double worst = 0, scale = 0;
	for (size_t i = 0; i < n; i++) {
		worst = fmax(worst, fabs(got[i] - want[i]));
		scale = fmax(scale, fabs(want[i]));
	}
	cr_assert_gt(scale, 1e-6, "nothing to compare");
	return worst / scale;
}

struct network_case {
	char profile[16]; /* no pointer: parameters go to another process */
	int prefix, pool;
	unsigned removal;
	enum toy_form form;
};

ParameterizedTestParameters(network, shrunk_on_the_device_equals_masked)
{
	static struct network_case all[] = {
	    {"auto", 0, SKIP_POOL_MEAN, TOY_FFN | TOY_V | TOY_QK, TOY_BERT},
	    {"auto", 20, SKIP_POOL_CLS, TOY_FFN, TOY_BERT},
	    {"auto", 20, SKIP_POOL_MEAN, TOY_V, TOY_BERT},
	    {"auto", 20, SKIP_POOL_MEAN, TOY_QK, TOY_BERT},
	    {"auto", 0, SKIP_POOL_CLS, TOY_HEADS, TOY_BERT},
	    {"auto", 20, SKIP_POOL_MEAN, TOY_NO_FFN, TOY_BERT},
	    {"auto", 20, SKIP_POOL_CLS, TOY_NO_ATTENTION, TOY_BERT},
	    {"auto", 0, SKIP_POOL_MEAN, TOY_NOTHING_LEFT, TOY_BERT},
	    {"auto", 20, SKIP_POOL_MEAN, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS | TOY_NO_FFN | TOY_NO_ATTENTION, TOY_BERT},
	    {"generic", 20, SKIP_POOL_MEAN, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, TOY_BERT},
	    {"generic", 0, SKIP_POOL_CLS, TOY_FFN | TOY_V | TOY_NO_ATTENTION, TOY_BERT},
	    {"auto", 3, SKIP_POOL_LAST, TOY_FFN | TOY_V | TOY_HEADS, TOY_GPT2},
	    {"auto", 2, SKIP_POOL_CLS, TOY_FFN | TOY_QK | TOY_NO_ATTENTION, TOY_MODERNBERT},
	    {"auto", 0, SKIP_POOL_MEAN, TOY_V | TOY_HEADS, TOY_MPNET},
	    {"auto", 2, SKIP_POOL_CLS, TOY_FFN | TOY_QK, TOY_DEBERTA},
	};
	return cr_make_param_array(struct network_case, all, sizeof(all) / sizeof(all[0]));
}

/* The fused shrunk network's logits from the device, to free. */
static float *device_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_batch *batch)
{
	struct skip_err err;
	struct skip_graph *live = NULL, *fused = NULL;
	struct skip_session *session = NULL;
	int logits = skip_graph_find_value(graph, "logits");
	float *out = malloc((size_t)batch->n_seqs * (size_t)graph->values[logits].cols * sizeof(*out));
	CHECK_OK(skip_pass_dead(graph, &logits, 1, &live, &err));
	CHECK_OK(skip_pass_fuse(live, false, &logits, 1, &fused, &err));
	CHECK_OK(skip_session_open(device, fused, &logits, 1, false, &session, &err));
	CHECK_OK(skip_session_run(session, batch, logits, out, &err));
	skip_session_destroy(session);
	skip_graph_destroy(fused);
	skip_graph_destroy(live);
	return out;
}

ParameterizedTest(struct network_case *c, network, shrunk_on_the_device_equals_masked)
{
	struct skip_err err;
	struct skip_units units;
	struct skip_graph *masked = NULL, *shrunk = NULL;
	struct test_device device = open_device(c->profile);
	struct toy_options options = network_options(c->prefix, c->pool, c->form);
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, c->removal, 5);
	CHECK_OK(skip_pass_mask(graph, &units, &keep, &masked, &err));
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	size_t n;
	double *want = toy_run(masked, &batch.batch, "logits", &n);
	float *got = device_logits(device.device, shrunk, &batch.batch);
	double worst = off(got, want, n);
	cr_assert_leq(worst, WITHIN, "shrunk on the device and masked in float64 differ by %g", worst);
	free(got);
	free(want);
	skip_graph_destroy(shrunk);
	skip_graph_destroy(masked);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	close_device(&device);
}

struct gradient_case {
	char profile[16];
	int prefix, pool;
	unsigned removal;
	enum skip_precision precision;
	enum toy_form form;
};

/* Profiles of devices that are not here: their forms are the same text, so what is here can run it. */
Test(network, the_gpu_form_equals_float64)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	struct toy_options options = network_options(20, SKIP_POOL_MEAN, TOY_BERT);
	struct skip_graph *graph = toy_graph(&options), *live = NULL, *fused = NULL;
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	int logits = skip_graph_find_value(graph, "logits");
	size_t n;
	double *want = toy_run(graph, &batch.batch, "logits", &n);
	float *got = malloc(n * sizeof(*got));
	CHECK_OK(skip_pass_dead(graph, &logits, 1, &live, &err));
	CHECK_OK(skip_pass_fuse(live, false, &logits, 1, &fused, &err));
	CHECK_OK(skip_lower(fused, skip_profiles_find(device.profiles, "nvidia-generic"), &logits, 1, &plan, &err));
	const char *families[] = {"linear_main", "attention_main", "layernorm_main"};
	for (size_t f = 0; f < 3; f++) {
		bool group = false;
		for (size_t k = 0; k < plan->n_kernels; k++)
			group = group || (!strncmp(plan->kernels[k].name, families[f], strlen(families[f])) && plan->kernels[k].local[0] > 32);
		cr_expect(group, "%s has no work-groups", families[f]);
	}
	CHECK_OK(skip_session_create(device.device, fused, plan, false, &session, &err));
	CHECK_OK(skip_session_run(session, &batch.batch, logits, got, &err));
	double worst = off(got, want, n);
	cr_assert_leq(worst, WITHIN, "%g", worst);
	skip_session_destroy(session);
	skip_plan_destroy(plan);
	skip_graph_destroy(fused);
	skip_graph_destroy(live);
	free(got);
	free(want);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	close_device(&device);
}

/* Products that a library takes, in the network and in its manifest. */
Test(network, the_library_equals_float64)
{
	struct skip_err err;
	if (!skip_cl_has_gemm()) cr_skip_test("built without CLBlast");
	struct test_device device = open_device("pocl-clblast");
	struct toy_options options = network_options(0, SKIP_POOL_CLS, TOY_BERT);
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	struct skip_plan *plan = NULL, *again = NULL;
	json_t *json = NULL, *second = NULL;
	int logits = skip_graph_find_value(graph, "logits"), calls = 0;
	size_t n;
	double *want = toy_run(graph, &batch.batch, "logits", &n);
	float *got = device_logits(device.device, graph, &batch.batch);
	double worst = off(got, want, n);
	cr_assert_leq(worst, WITHIN, "%g", worst);
	CHECK_OK(skip_lower(graph, skip_device_profile(device.device), &logits, 1, &plan, &err));
	for (size_t i = 0; i < plan->n_launches; i++) {
		calls += plan->launches[i].call == SKIP_CALL_GEMM;
		bool call = plan->launches[i].call != SKIP_CALL_NONE;
		cr_expect(call == (plan->launches[i].kernel == SKIP_NONE));
	}
	cr_expect(calls > 0);
	CHECK_OK(skip_plan_to_json(plan, &json, &err));
	CHECK_OK(skip_plan_from_json(json, &again, &err));
	CHECK_OK(skip_plan_to_json(again, &second, &err));
	cr_expect(json_equal(json, second));
	json_decref(json);
	json_decref(second);
	skip_plan_destroy(plan);
	skip_plan_destroy(again);
	free(got);
	free(want);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	close_device(&device);
}

ParameterizedTestParameters(network, gradients_on_the_device)
{
	static struct gradient_case all[] = {
	    {"auto", 20, SKIP_POOL_MEAN, 0, SKIP_PRECISION_F32, TOY_BERT},
	    {"auto", 1, SKIP_POOL_CLS, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, SKIP_PRECISION_F32, TOY_BERT},
	    {"generic", 20, SKIP_POOL_MEAN, TOY_FFN | TOY_V, SKIP_PRECISION_F32, TOY_BERT},
	    {"auto", 20, SKIP_POOL_MEAN, 0, SKIP_PRECISION_BF16, TOY_BERT},
	    {"auto", 3, SKIP_POOL_CLS, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, SKIP_PRECISION_BF16, TOY_BERT},
	    {"generic", 20, SKIP_POOL_MEAN, 0, SKIP_PRECISION_BF16, TOY_BERT},
	    {"auto", 3, SKIP_POOL_LAST, 0, SKIP_PRECISION_F32, TOY_GPT2},
	    {"auto", 2, SKIP_POOL_CLS, TOY_QK | TOY_FFN, SKIP_PRECISION_F32, TOY_MODERNBERT},
	    {"auto", 1, SKIP_POOL_MEAN, TOY_HEADS, SKIP_PRECISION_F32, TOY_MPNET},
	    {"auto", 2, SKIP_POOL_CLS, TOY_QK, SKIP_PRECISION_F32, TOY_DEBERTA},
	};
	return cr_make_param_array(struct gradient_case, all, sizeof(all) / sizeof(all[0]));
}

/* The gradient graph of all trained tensors; wanted[0] is logits, then one value per trained tensor. */
static struct skip_backward training_graph(const struct skip_graph *graph, enum skip_precision precision, int *wanted, size_t *n_wanted)
{
	struct skip_err err;
	struct skip_graph *rounding = NULL, *fused = NULL;
	struct skip_backward backward = {0};
	wanted[0] = skip_graph_find_value(graph, "logits");
	CHECK_OK(skip_pass_precision(graph, precision, &rounding, &err));
	CHECK_OK(skip_pass_fuse(rounding, true, wanted, 1, &fused, &err));
	CHECK_OK(skip_pass_backward(fused, wanted[0], NULL, 0, &backward, &err));
	*n_wanted = 1;
	for (size_t t = 0; t < backward.graph->n_tensors; t++) {
		if (backward.graph->tensors[t]->trained) wanted[(*n_wanted)++] = backward.grad_of_tensor[t];
	}
	skip_graph_destroy(fused);
	skip_graph_destroy(rounding);
	return backward;
}

ParameterizedTest(struct gradient_case *c, network, gradients_on_the_device)
{
	struct skip_err err;
	struct skip_units units;
	struct skip_graph *small = NULL;
	struct skip_session *session = NULL;
	struct skip_ref_result truth;
	int wanted[64];
	size_t n_wanted;
	struct test_device device = open_device(c->profile);
	struct toy_options options = network_options(c->prefix, c->pool, c->form);
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, c->removal, 5);
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &small, &err));
	struct skip_backward backward = training_graph(small, c->precision, wanted, &n_wanted);
	cr_assert_gt(n_wanted, 2);
	double seed64[4 * 16];
	float seed[4 * 16];
	struct skip_rng rng;
	skip_rng_init(&rng, 9, "seed");
	cr_assert_leq(options.classes, 16);
	for (int i = 0; i < 4 * options.classes; i++) seed64[i] = seed[i] = (float)skip_rng_normal(&rng);
	struct skip_ref_input input = {backward.seed, seed64};
	CHECK_OK(skip_reference_run(backward.graph, &batch.batch, &input, 1, 0, &truth, &err));
	CHECK_OK(skip_session_open(device.device, backward.graph, wanted, n_wanted, false, &session, &err));
	CHECK_OK(skip_session_set_batch(session, &batch.batch, &err));
	CHECK_OK(skip_session_enqueue(session, 0, backward.n_forward, 0, &err));
	CHECK_OK(skip_session_write(session, backward.seed, seed, &err));
	CHECK_OK(skip_session_enqueue(session, backward.n_forward, backward.graph->n_nodes, 0, &err));
	for (size_t w = 0; w < n_wanted; w++) {
		const struct skip_value *value = &skip_session_graph(session)->values[wanted[w]];
		size_t n = (size_t)skip_value_rows(value, &batch.batch) * (size_t)value->cols;
		float *got = malloc(n * sizeof(*got));
		CHECK_OK(skip_session_read(session, wanted[w], got, &err));
		double worst = off(got, truth.data[wanted[w]], n);
		cr_assert_leq(worst, c->precision == SKIP_PRECISION_F32 ? WITHIN : WITHIN_BF16, "%s is off by %g", value->name, worst);
		free(got);
	}
	skip_session_destroy(session);
	skip_reference_free(&truth);
	skip_backward_deinit(&backward);
	skip_graph_destroy(small);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	close_device(&device);
}
