/* Forms of products in short types: a form that fails its known answer gives way to the next, and the last one's failure is an error. */
#include "open_device.h"
#include "device/session.h"
#include "graph/op.h"
#include <string.h>

static struct skip_graph *one_linear(enum skip_precision precision, int *out)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	struct skip_tensor *w = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .n_param = 1, .n_out = 1};
	node.attrs.linear.precision = precision;
	CHECK_OK(skip_graph_create(&graph, &err));
	CHECK_OK(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, 8, &node.in[0], &err));
	CHECK_OK(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){4, 8}, &w, &err));
	CHECK_OK(skip_graph_add_tensor(graph, w, &node.param[0], &err));
	skip_tensor_unref(w);
	CHECK_OK(skip_graph_add_node(graph, &node, (const char *[]){"y"}, NULL, &err));
	*out = node.out[0];
	return graph;
}

/* Every profile names `first` as its first form, with `rest` of its own forms behind it. */
static void put_first(const struct skip_profiles *profiles, enum skip_precision precision, const char *first, int rest)
{
	for (size_t i = 0; i < skip_profiles_count(profiles); i++) {
		struct skip_profile *profile = (struct skip_profile *)(uintptr_t)skip_profiles_at(profiles, i);
		int n = profile->n_dot[precision] < rest ? profile->n_dot[precision] : rest;
		memmove(profile->dot[precision][1], profile->dot[precision][0], (size_t)n * sizeof(profile->dot[precision][0]));
		strcpy(profile->dot[precision][0], first);
		profile->n_dot[precision] = n + 1;
	}
}

static void open_with(int rest, enum skip_precision precision, bool works)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	struct skip_session *session = NULL;
	int y;
	struct skip_graph *graph = one_linear(precision, &y);
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	put_first(profiles, precision, "no-such-form", rest);
	CHECK_OK(skip_device_open(profiles, NULL, 0, &device, &err));
	enum skip_status status = skip_session_open(device, graph, &y, 1, false, &session, &err);
	bool opened = status == SKIP_OK;
	cr_expect(opened == works, "%s: %s", skip_status_text(status), err.message);
	if (works) {
		cr_expect(strcmp(skip_device_profile(device)->dot[precision][0], "no-such-form") != 0);
		cr_expect(strcmp(skip_profiles_find(profiles, skip_device_profile(device)->id)->dot[precision][0], "no-such-form") == 0, "the profile itself stays");
	}
	skip_session_destroy(session);
	skip_device_close(device);
	skip_profiles_destroy(profiles);
	skip_graph_destroy(graph);
}

Test(known, the_next_form_takes_over)
{
	open_with(2, SKIP_PRECISION_INT8, true);
	open_with(2, SKIP_PRECISION_BF16, true);
}

/* Only a form that is right and has instructions of its own is worth choosing unasked. */
Test(known, what_a_device_accelerates)
{
	static const struct {
		const char *first;
		int rest;
		bool fast;
	} cases[] = {{"portable", 0, false}, {"generic", 0, false}, {"no-such-form", 0, false}, {"no-such-form", 2, true}, {NULL, 0, true}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_err err;
		struct skip_profiles *profiles = NULL;
		struct skip_device *device = NULL;
		bool fast = !cases[i].fast;
		CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
		if (cases[i].first) put_first(profiles, SKIP_PRECISION_BF16, cases[i].first, cases[i].rest);
		CHECK_OK(skip_device_open(profiles, NULL, 0, &device, &err));
		CHECK_OK(skip_device_accelerates(device, SKIP_PRECISION_BF16, &fast, &err));
		const char *id = skip_device_profile(device)->id;
		bool has_form = !strcmp(id, "pocl-x86-avx512-bf16") || !strcmp(id, "pocl-x86-amx");
		cr_expect_eq(fast, cases[i].fast && has_form, "case %zu", i);
		skip_device_close(device);
		skip_profiles_destroy(profiles);
	}
}

Test(known, without_a_right_form_nothing_runs)
{
	open_with(0, SKIP_PRECISION_INT8, false);
	open_with(0, SKIP_PRECISION_BF16, false);
}

Test(known, what_no_form_answers_has_no_peak_and_is_not_probed)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	struct skip_device_probes probes;
	double gflops = 7;
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	put_first(profiles, SKIP_PRECISION_INT8, "no-such-form", 0);
	put_first(profiles, SKIP_PRECISION_BF16, "no-such-form", 2);
	CHECK_OK(skip_device_open(profiles, NULL, 0, &device, &err));
	CHECK_OK(skip_device_probe(device, &probes, &err));
	cr_expect(probes.n_dot[SKIP_PRECISION_INT8] == 0);
	cr_expect(probes.n_dot[SKIP_PRECISION_BF16] >= 1 && strcmp(probes.dot[SKIP_PRECISION_BF16][0], "no-such-form") != 0);
	CHECK_OK(skip_device_measure_peak(device, SKIP_PRECISION_INT8, &gflops, &err));
	cr_expect(gflops == 0, "%g", gflops);
	skip_device_close(device);
	skip_profiles_destroy(profiles);
}
