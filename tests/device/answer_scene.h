/*
 * A library whose program was built from another text than its manifest says, and the session that would run it. Shared by the test on PoCL and that on Intel's
 * FPGA emulation platform.
 */
#ifndef SKIP_TESTS_ANSWER_SCENE_H
#define SKIP_TESTS_ANSWER_SCENE_H

#include "bitstream_scene.h"
#include "open_device.h"

struct spoilt {
	int precision;
	const char *from, *to; /* in the text of the kernels; NULL: as it is */
	const char *kernel;    /* whose answer is wrong: the start of its name */
};

/* One number or index each, as a wrong constant, an old text or a tool's mistake would have it. */
static const struct spoilt spoilt[] = {
	{SKIP_PRECISION_F32, "SKIP_LAYERNORM_D + SKIP_LAYERNORM_EPS)", "SKIP_LAYERNORM_D + 1.0e-5f)", "layernorm_"},
	{SKIP_PRECISION_F32, "* SKIP_ATTENTION_SCALE", "* (SKIP_ATTENTION_SCALE * 1.01f)", "attention_"},
	{SKIP_PRECISION_F32, "p * t + 0x1.7d09c8p-2f", "p * t + 0x1.7e09c8p-2f", "ffn_"},
	{SKIP_PRECISION_F32, "positions[t])", "positions[t] + 1)", "embed_"},
	{SKIP_PRECISION_F32, "out = out + bias[column];", "out = out + bias[column] * 1.001f;", "linear_"},
	{SKIP_PRECISION_INT8, "return most * 0x1.020408p-7f", "return most * 0x1.08p-7f", "ffn_"},
	{SKIP_PRECISION_INT8, "(a >> 24) * (b >> 24)", "(a >> 24) * (b >> 25)", "ffn_"}, /* of linear too, but that is less far off */
};

/* Every `from` becomes `to`. */
static inline void change_text(struct skip_plan *plan, const char *from, const char *to)
{
	struct skip_buf made;
	const char *at = plan->programs[0].text;
	int n = 0;
	skip_buf_init(&made);
	for (const char *next; (next = strstr(at, from)); at = next + strlen(from), n++) skip_buf_printf(&made, "%.*s%s", (int)(next - at), at, to);
	skip_buf_puts(&made, at);
	cr_assert(n > 0, "the text has no '%s'", from);
	skip_free(plan->programs[0].text);
	plan->programs[0].text = skip_strdup(skip_buf_text(&made));
	skip_buf_deinit(&made);
}

/* An entry of the set of the network, whose program the device built from a text that may be another. */
static inline void build_entry(struct skip_device *device, const struct spoilt *c, struct skip_kernel_set *set)
{
	struct skip_err err;
	int value;
	char runtime[320];
	struct skip_buf bytes;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_graph *graph = network((enum skip_precision)c->precision, &value);
	skip_buf_init(&bytes);
	CHECK_OK(skip_lower(graph, profile, &value, 1, &plan, &err));
	CHECK_OK(skip_kernel_set_make(graph, plan, profile, set, &err));
	if (c->from) change_text(plan, c->from, c->to);
	CHECK_OK(skip_session_create(device, graph, plan, true, &session, &err));
	CHECK_OK(skip_session_binary(session, &bytes, &err));
	skip_bitstream_runtime(&skip_device_get_info(device)->facts, runtime, sizeof(runtime));
	CHECK_OK(skip_library_add("lib", set, skip_buf_text(&bytes), bytes.length, runtime, &err));
	skip_session_destroy(session);
	skip_plan_destroy(plan);
	skip_buf_deinit(&bytes);
	skip_graph_destroy(graph);
}

/* Kernels of the set: what must have answered. */
static inline int kernels_of(const struct skip_kernel_set *set)
{
	return (int)json_array_size(json_object_get(set->manifest, "kernels"));
}

/* In a folder of its own: the program runs where its text is the manifest's, and is refused, with the kernel that is wrong, where it is not. */
static inline void check_answer(struct skip_device *device, const struct spoilt *c)
{
	struct skip_err err;
	int value;
	struct skip_kernel_set set;
	struct skip_session *session = NULL;
	struct skip_graph *graph = saved_network((enum skip_precision)c->precision);
	char work[] = "/tmp/skip-answer-XXXXXX", command[64];
	cr_assert(mkdtemp(work) != NULL && chdir(work) == 0);
	build_entry(device, c, &set);
	CHECK_OK(skip_device_use_bitstreams(device, "lib", "net.skip", &err));
	if (c->from) {
		CHECK_FAILS(skip_open_inference(device, graph, "logits", false, &session, &value, &err), SKIP_ERR_VERIFY);
		const char *found = strstr(err.message, "\n    found       ");
		cr_expect(strncmp(err.message, "check 'answer' failed\n", 22) == 0 && strstr(err.message, " within ") && strstr(err.message, "(float64 reference)"), "%s", err.message);
		cr_expect(found && strstr(found, c->kernel), "%s", err.message);
		cr_expect(strstr(err.message, "make it     skip bitstream build lib net.skip") && strncmp(err.file, "lib/", 4) == 0, "%s in %s", err.message, err.file);
	} else {
		CHECK_OK(skip_open_inference(device, graph, "logits", false, &session, &value, &err));
		const struct skip_session_answer *answer = skip_session_get_answer(session);
		cr_assert(answer != NULL);
		cr_expect(answer->kernels == kernels_of(&set) && answer->numbers > 100 && answer->tokens == 5, "%d of %d kernels, %d numbers", answer->kernels, kernels_of(&set), answer->numbers);
		cr_expect(answer->share < 0.5, "no margin: %g of what is allowed (%s)", answer->share, answer->kernel);
		cr_expect_str_eq(answer->set, set.name);
		cr_log_info("%d kernels, %d numbers, at most %.2g of the allowed difference, %.1f ms\n", answer->kernels, answer->numbers, answer->share, 1e3 * answer->seconds);
	}
	skip_session_destroy(session);
	skip_kernel_set_deinit(&set);
	skip_graph_destroy(graph);
	snprintf(command, sizeof(command), "rm -rf %s", work);
	cr_assert(chdir("/") == 0 && system(command) == 0);
}

#endif
