/* The ops of the optimiser against steps worked out by hand, and the pass that puts them behind gradients. */
#include "one_op.h"

/* One step for two numbers from zero moments: m/(1-b1) = g and v/(1-b2) = g^2, so it is lr * (sign(g) + decay * w) up to eps; then a step
 * with moments, written out. The norm of (0.5, -0.25) is below the clip of 1, that of (-3, 4) is 5. */
Test(optimiser, two_steps_by_hand)
{
	const double g[2][2] = {{0.5, -0.25}, {-3, 4}}, factor[2] = {0.5, 1};
	double w[2] = {1, -2}, m[2] = {0, 0}, v[2] = {0, 0};
	for (int step = 0; step < 2; step++) {
		struct one_op one = one_make("adamw");
		one_input(&one, "g", SKIP_ROWS_FIXED, 1, 2);
		one_input(&one, "norm2", SKIP_ROWS_FIXED, 1, 1);
		one_input(&one, "step", SKIP_ROWS_FIXED, 1, 3);
		double *param[3] = {one_tensor(&one, "w", 2, 0, true), one_tensor(&one, "m", 2, 0, false), one_tensor(&one, "v", 2, 0, false)};
		const double clipped = step ? 1 / (5 + 1e-6) : 1, correct1 = 1 - pow(0.9, step + 1), correct2 = 1 - pow(0.99, step + 1);
		one.node.attrs.adamw = (struct skip_attrs_adamw){.lr = 0.125f, .decay = 0.25f, .clip = 1, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f};
		one.data[1][0] = g[step][0] * g[step][0] + g[step][1] * g[step][1];
		one.data[2][0] = factor[step];
		one.data[2][1] = 1 / correct1;
		one.data[2][2] = 1 / correct2;
		for (int i = 0; i < 2; i++) one.data[0][i] = g[step][i], param[0][i] = w[i], param[1][i] = m[i], param[2][i] = v[i];
		struct skip_ref_result result = one_run(&one);
		for (int i = 0; i < 2; i++) {
			double grad = clipped * g[step][i];
			m[i] = 0.9 * m[i] + 0.1 * grad;
			v[i] = 0.99 * v[i] + 0.01 * grad * grad;
			w[i] -= 0.125 * factor[step] * (m[i] / correct1 / (sqrt(v[i] / correct2) + 1e-8) + 0.25 * w[i]);
			/* betas are floats in the graph */
			cr_assert_float_eq(result.data[one.node.out[0]][i], w[i], 2e-7, "step %d", step);
			cr_assert_float_eq(result.data[one.node.out[1]][i], m[i], 2e-7, "step %d", step);
			cr_assert_float_eq(result.data[one.node.out[2]][i], v[i], 2e-7, "step %d", step);
		}
		if (step == 0) cr_assert_float_eq(w[0], 1 - 0.0625 * (1 + 0.25), 1e-7);
		one_free(&one, &result);
	}
}

Test(optimiser, square_sum)
{
	for (int chained = 0; chained < 2; chained++) {
		struct one_op one = one_make("square_sum");
		one_input(&one, "g", SKIP_ROWS_FIXED, 3, 7);
		if (chained) one_input(&one, "before", SKIP_ROWS_FIXED, 1, 1);
		struct skip_ref_result result = one_run(&one);
		double wanted = chained ? one.data[1][0] : 0;
		for (int i = 0; i < 21; i++) wanted += one.data[0][i] * one.data[0][i];
		cr_assert_float_eq(result.data[one.node.out[0]][0], wanted, 1e-12);
		one_free(&one, &result);
	}
}

Test(optimiser, refuses_shapes_that_do_not_fit)
{
	static const struct {
		int g_rows, norm, step, width;
		float eps;
		const char *message;
	} cases[] = {
	    {3, 1, 3, 7, 1, "tensor 'w' has 7 elements, its gradient [3][7]"},
	    {1, 2, 3, 7, 1, "are not a gradient"},
	    {1, 1, 2, 7, 1, "are not a gradient"},
	    {1, 1, 3, 7, 0, "are no settings of AdamW"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct one_op one = one_make("adamw");
		struct skip_err err;
		one_input(&one, "g", SKIP_ROWS_FIXED, cases[i].g_rows, cases[i].width);
		one_input(&one, "norm2", SKIP_ROWS_FIXED, 1, cases[i].norm);
		one_input(&one, "step", SKIP_ROWS_FIXED, 1, cases[i].step);
		static const char *const names[] = {"w", "m", "v"};
		for (int k = 0; k < 3; k++) one_tensor(&one, names[k], 7, 0, false);
		one.node.attrs.adamw = (struct skip_attrs_adamw){.eps = cases[i].eps};
		CHECK_FAILS(skip_graph_add_node(one.graph, &one.node, (const char *[]){"a", "b", "c"}, NULL, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, cases[i].message) != NULL, "%s", err.message);
		one_free(&one, NULL);
	}
	struct one_op sum = one_make("square_sum");
	struct skip_err err;
	one_input(&sum, "x", SKIP_ROWS_T, 0, 7);
	CHECK_FAILS(skip_graph_add_node(sum.graph, &sum.node, (const char *[]){"a"}, NULL, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "the gradient of a tensor is wanted") != NULL, "%s", err.message);
	one_free(&sum, NULL);
}

Test(optimiser, one_chain_of_squares_and_one_step_per_tensor)
{
	struct skip_graph *graph = NULL;
	struct skip_err err;
	struct skip_adamw made;
	int g[2], w[2];
	CHECK_OK(skip_graph_create(&graph, &err));
	for (int i = 0; i < 2; i++) {
		struct skip_tensor *tensor = NULL;
		CHECK_OK(skip_tensor_create(i ? "b" : "w", SKIP_F64, i ? 1 : 2, (const int64_t[]){i ? 3 : 2, 3}, &tensor, &err));
		CHECK_OK(skip_graph_add_tensor(graph, tensor, &w[i], &err));
		skip_tensor_unref(tensor);
		CHECK_OK(skip_graph_add_value(graph, i ? "gb" : "gw", SKIP_ROWS_FIXED, i ? 1 : 2, 3, &g[i], &err));
	}
	struct skip_adamw_tensor tensors[2] = {{.tensor = w[0], .gradient = g[0], .lr = 0.5f, .decay = 0.1f}, {.tensor = w[1], .gradient = g[1], .lr = 0.25f}};
	CHECK_OK(skip_pass_adamw(graph, tensors, 2, 1, &made, &err));
	CHECK_OK(skip_graph_validate(made.graph, &err));
	cr_assert(made.graph->n_nodes == 4 && made.graph->n_tensors == 2 + 4 && graph->n_tensors == 2);
	const double gw[6] = {1, 2, 3, 4, 5, 6}, gb[3] = {-1, 0, 1}, step[3] = {1, 10, 1000};
	const int32_t offset[2] = {0, 1};
	const struct skip_batch batch = {1, 1, NULL, NULL, offset};
	struct skip_ref_input inputs[3] = {{g[0], gw}, {g[1], gb}, {made.step, step}};
	struct skip_ref_result result;
	CHECK_OK(skip_reference_run(made.graph, &batch, inputs, 3, 0, &result, &err));
	cr_assert_float_eq(result.data[made.norm][0], 93, 1e-12);
	/* from zero moments every number moves by its rate, against its gradient, whatever the norm */
	for (int i = 0; i < 6; i++) cr_assert_float_eq(result.data[tensors[0].next[0]][i], -0.5, 1e-4);
	for (int i = 0; i < 3; i++) cr_assert_float_eq(result.data[tensors[1].next[0]][i], 0.25 * (i == 0) - 0.25 * (i == 2), 1e-4);
	cr_assert_float_eq(result.data[tensors[0].next[1]][0], 0.1 / sqrt(93), 1e-6);
	skip_reference_free(&result);
	skip_graph_destroy(made.graph);
	skip_graph_destroy(graph);
}
