/*
 * Gradients of every op, for every input and every trainable tensor, against central differences of the float64 references
 * (docs/method.md 2.8): a graph of one node, its backward pass, loss = sum of seed * output. Relative error against the largest element of
 * each gradient: 1e-6.
 */
#include "one_op.h"

#define STEP 1e-5
#define BOUND 1e-6

/* Loss of the forward graph. */
static double loss(const struct one_op *one, int output, const double *seed)
{
	struct skip_ref_result result = one_run_graph(one, one->graph, SKIP_NONE, NULL);
	double sum = 0;
	size_t n = (size_t)result.rows[output] * (size_t)one->graph->values[output].cols;
	for (size_t i = 0; i < n; i++) sum += seed[i] * result.data[output][i];
	skip_reference_free(&result);
	return sum;
}

/* Central differences of the loss in each of `n` numbers at `x`. */
static void compare(const struct one_op *one, int output, const double *seed, double *x, const double *grad, size_t n, const char *what)
{
	double largest = 0, worst = 0;
	size_t where = 0;
	for (size_t i = 0; i < n; i++) {
		double old = x[i];
		x[i] = old + STEP;
		double high = loss(one, output, seed);
		x[i] = old - STEP;
		double low = loss(one, output, seed), wanted = (high - low) / (2 * STEP);
		x[i] = old;
		largest = fmax(largest, fabs(wanted));
		if (!(fabs(grad[i] - wanted) <= worst)) {
			worst = fabs(grad[i] - wanted);
			where = i;
		}
	}
	cr_assert(largest > 1e-3, "%s: no gradient to speak of", what);
	cr_assert(worst <= BOUND * largest, "%s of %s: element %zu is off by %g, the largest is %g", what, one->node.op->name, where, worst,
	          largest);
}

/* Checks all inputs and all tensors that are trained, with `output` as the end of the graph. */
static void check_output(struct one_op *one, int output)
{
	struct skip_backward back;
	struct skip_err err;
	int want[ONE_MAX];
	size_t n_want = 0;
	for (int i = 0; i < ONE_MAX; i++)
		if (one->data[i]) want[n_want++] = i;
	CHECK_OK(skip_pass_backward(one->graph, output, want, n_want, &back, &err));
	CHECK_OK(skip_graph_validate(back.graph, &err));
	const struct skip_value *value = &one->graph->values[output];
	size_t n_seed = (size_t)skip_value_rows(value, &one->batch) * (size_t)value->cols;
	double *seed = malloc(n_seed * sizeof(*seed));
	for (size_t i = 0; i < n_seed; i++) seed[i] = skip_rng_normal(&one->rng);
	struct skip_ref_result result = one_run_graph(one, back.graph, back.seed, seed);
	for (size_t w = 0; w < n_want; w++) {
		const struct skip_value *in = &one->graph->values[want[w]];
		cr_assert(back.grad_of_want[w] != SKIP_NONE, "no gradient of '%s'", in->name);
		size_t n = (size_t)skip_value_rows(in, &one->batch) * (size_t)in->cols;
		compare(one, output, seed, one->data[want[w]], result.data[back.grad_of_want[w]], n, in->name);
	}
	for (size_t t = 0; t < one->graph->n_tensors; t++) {
		struct skip_tensor *tensor = one->graph->tensors[t];
		cr_assert(tensor->trained == (back.grad_of_tensor[t] != SKIP_NONE), "gradient of '%s'", tensor->name);
		if (tensor->trained)
			compare(one, output, seed, tensor->owned, result.data[back.grad_of_tensor[t]], (size_t)skip_tensor_count(tensor),
			        tensor->name);
	}
	skip_reference_free(&result);
	skip_backward_deinit(&back);
	free(seed);
}

static void check(struct one_op *one)
{
	one_add(one);
	check_output(one, one->node.out[0]);
	one_free(one, NULL);
}

Test(gradients, linear)
{
	for (int form = 0; form < 16; form++) { /* bits: bias, trained, residual, transpose */
		struct one_op one = one_make("linear");
		bool bias = form & 1, trained = form & 2, residual = form & 4, transpose = form & 8;
		one_input(&one, "x", SKIP_ROWS_T, 0, 7);
		if (residual) one_input(&one, "residual", SKIP_ROWS_T, 0, 5);
		if (transpose) one_tensor(&one, "w", 7, 5, trained);
		else
			one_tensor(&one, "w", 5, 7, trained);
		if (bias) one_tensor(&one, "b", 5, 0, trained);
		one.node.attrs.linear.transpose = transpose;
		check(&one);
	}
}

Test(gradients, linear_bias_alone_is_trained)
{
	struct one_op one = one_make("linear");
	one_input(&one, "x", SKIP_ROWS_B, 0, 7);
	one_tensor(&one, "w", 3, 7, false);
	one_tensor(&one, "b", 3, 0, true);
	check(&one);
}

Test(gradients, layernorm)
{
	for (int form = 0; form < 8; form++) { /* bits: wide, gamma trained, beta trained */
		struct one_op one = one_make("layernorm");
		int width = form & 1 ? 61 : 2;
		one_input(&one, "x", SKIP_ROWS_T, 0, width);
		one_tensor(&one, "gamma", width, 0, form & 2);
		one_tensor(&one, "beta", width, 0, form & 4);
		one.node.attrs.layernorm.eps = 0.01f;
		check(&one);
	}
}

Test(gradients, act)
{
	for (int kind = SKIP_ACT_GELU; kind <= SKIP_ACT_TANH; kind++) {
		struct one_op one = one_make("act");
		one_input(&one, "u", SKIP_ROWS_T, 0, 7);
		for (int i = 0; i < ONE_TOKENS * 7; i++)
			if (fabs(one.data[0][i]) < 10 * STEP) one.data[0][i] = 0.1; /* relu has no derivative at 0 */
		one.node.attrs.act.kind = (enum skip_act)kind;
		check(&one);
	}
}

Test(gradients, elementwise)
{
	static const char *const names[] = {"mask", "add_bias", "dropout", "pool", "pool", "pool"};
	static const enum skip_pool modes[] = {SKIP_POOL_MEAN, SKIP_POOL_CLS, SKIP_POOL_LAST};
	for (int i = 0; i < 6; i++) {
		struct one_op one = one_make(names[i]);
		one_input(&one, "x", SKIP_ROWS_T, 0, 7);
		if (i < 2) one_tensor(&one, "m", 7, 0, i == 1);
		if (i == 2) one.node.attrs.dropout = (struct skip_attrs_dropout){.rate = 0.4f, .stream = 3};
		if (i > 2) one.node.attrs.pool.mode = modes[i - 3];
		check(&one);
	}
}

Test(gradients, add)
{
	struct one_op one = one_make("add");
	one_input(&one, "a", SKIP_ROWS_B, 0, 7);
	one_input(&one, "b", SKIP_ROWS_B, 0, 7);
	check(&one);
}

Test(gradients, mul)
{
	struct one_op one = one_make("mul"), square = one_make("mul");
	one_input(&one, "a", SKIP_ROWS_T, 0, 7);
	one_input(&one, "b", SKIP_ROWS_T, 0, 7);
	check(&one);
	one_input(&square, "a", SKIP_ROWS_B, 0, 7);
	square.node.in[square.node.n_in++] = 0;
	check(&square);
}

Test(gradients, rotary)
{
	for (int form = 0; form < 4; form++) { /* bits: one row per sequence, inverse */
		struct one_op one = one_make("rotary");
		one_input(&one, "x", form & 1 ? SKIP_ROWS_B : SKIP_ROWS_T, 0, 8);
		double *frequency = one_tensor(&one, "frequency", 8, 0, false);
		for (int c = 0; c < 8; c++) frequency[c] = 1 / (1.0 + c % 2);
		one.node.attrs.rotary = (struct skip_attrs_rotary){.heads = 2, .inverse = form >> 1, .at = SKIP_AT_LAST};
		check(&one);
	}
}

Test(gradients, one_value_read_twice)
{
	struct one_op twice = one_make("add"), residual = one_make("linear");
	one_input(&twice, "x", SKIP_ROWS_B, 0, 7);
	twice.node.in[twice.node.n_in++] = 0;
	check(&twice);
	one_input(&residual, "x", SKIP_ROWS_B, 0, 7);
	residual.node.in[residual.node.n_in++] = 0;
	one_tensor(&residual, "w", 7, 7, true);
	check(&residual);
}

struct attention_case {
	int heads, qk, v, prefix;
	bool fused, one_query, trained;
	float dropout;
	int causal, window;
	bool tables;
};
static struct attention_case attention_cases[] = {
    {1, 1, 1, 0, false, false, false, 0, 0, 0, false},  {2, 3, 2, 0, false, false, false, 0, 0, 0, false},
    {2, 3, 2, 1, false, false, true, 0, 0, 0, false},   {2, 2, 3, 20, false, false, true, 0, 0, 0, false},
    {2, 2, 3, 20, false, false, false, 0, 0, 0, false}, {2, 2, 3, 20, true, false, true, 0, 0, 0, false},
    {2, 3, 1, 20, false, true, true, 0, 0, 0, false},   {2, 1, 3, 0, false, true, false, 0, 0, 0, false},
    {2, 3, 2, 20, false, false, true, 0.3f, 0, 0, false}, {2, 3, 2, 3, true, false, true, 0, 1, 0, false},
    {1, 3, 2, 3, false, false, true, 0, 0, 4, false},   {2, 2, 2, 3, false, false, true, 0.3f, 0, 0, true},
    {2, 2, 2, 0, false, true, false, 0, 1, 9, true},
};

ParameterizedTestParameters(gradients, attention)
{
	return cr_make_param_array(struct attention_case, attention_cases, sizeof(attention_cases) / sizeof(attention_cases[0]));
}

static void fill_attention(struct one_op *one, const struct attention_case *c)
{
	int wq = c->heads * c->qk, wv = c->heads * c->v;
	struct skip_attrs_attention *attrs = &one->node.attrs.attention;
	*attrs = (struct skip_attrs_attention){.heads = c->heads, .qk = c->qk, .v = c->v, .scale = 0.7f, .prefix_dropout = c->dropout,
	                                       .causal = c->causal, .window = c->window, .at = SKIP_AT_LAST};
	if (c->fused) {
		one_input(one, "vkq", SKIP_ROWS_T, 0, 2 * wq + wv);
		one->node.in[1] = one->node.in[2] = 0;
		one->node.n_in = 3;
		attrs->k_col = wv;
		attrs->q_col = wv + wq;
	} else {
		one_input(one, "q", c->one_query ? SKIP_ROWS_B : SKIP_ROWS_T, 0, wq);
		one_input(one, "k", SKIP_ROWS_T, 0, wq);
		one_input(one, "v", SKIP_ROWS_T, 0, wv);
	}
	if (c->prefix) {
		one_tensor(one, "pk", c->prefix, wq, c->trained);
		one_tensor(one, "pv", c->prefix, wv, c->trained);
	}
	if (c->tables) {
		while (one->node.n_param < SKIP_ATTENTION_BIAS) one->node.param[one->node.n_param++] = SKIP_NONE;
		one_tensor(one, "bias", c->heads, 2 * 61 - 1, false);
		one_tensor(one, "rk", wq, 2 * 61 - 1, false);
		one_tensor(one, "rq", wq, 2 * 61 - 1, false);
	}
}

ParameterizedTest(struct attention_case *c, gradients, attention)
{
	struct one_op one = one_make("attention");
	fill_attention(&one, c);
	check(&one);
}

/* Outputs that are not wanted are absent, and the others stay what they were. */
Test(gradients, attention_outputs_may_be_absent)
{
	static const struct attention_case c = {2, 3, 2, 20, false, false, true, 0.2f, 0, 0, false};
	struct one_op one = one_make("attention_bwd");
	struct skip_err err;
	fill_attention(&one, &c);
	one_input(&one, "dctx", SKIP_ROWS_T, 0, 4);
	one.node.n_out = 6;
	struct skip_node part = one.node;
	one_add(&one);
	for (int absent = 0; absent < 63; absent++) {
		static const char *const all[] = {"p0", "p1", "p2", "p3", "p4", "p5"};
		const char *names[6];
		struct skip_graph *graph = NULL;
		CHECK_OK(skip_graph_copy(one.graph, &graph, &err));
		for (int i = 0; i < 6; i++) names[i] = absent >> i & 1 ? NULL : all[i];
		struct skip_node node = part;
		CHECK_OK(skip_graph_add_node(graph, &node, names, NULL, &err));
		struct skip_ref_result result = one_run_graph(&one, graph, SKIP_NONE, NULL);
		for (int i = 0; i < 6; i++) {
			int full = one.node.out[i];
			cr_assert(names[i] ? node.out[i] != SKIP_NONE : node.out[i] == SKIP_NONE);
			if (names[i])
				one_equal(result.data[node.out[i]], result.data[full],
				          (size_t)result.rows[full] * (size_t)graph->values[full].cols, 0, all[i]);
		}
		skip_reference_free(&result);
		skip_graph_destroy(graph);
	}
	one_free(&one, NULL);
}

/* Of what is added to the scores of a slot: the gradient is given by sequence and head, the number is one for all of them. */
ParameterizedTestParameters(gradients, slots)
{
	return cr_make_param_array(struct attention_case, attention_cases, sizeof(attention_cases) / sizeof(attention_cases[0]));
}

ParameterizedTest(struct attention_case *c, gradients, slots)
{
	if (!c->prefix) return;
	struct one_op one = one_make("attention");
	struct skip_err err;
	fill_attention(&one, c);
	while (one.node.n_param < SKIP_ATTENTION_SLOTS) one.node.param[one.node.n_param++] = SKIP_NONE;
	double *slots = one_tensor(&one, "slots", c->prefix, 0, false), wanted[20] = {0};
	slots[0] = c->prefix > 3 ? -INFINITY : slots[0];
	one_add(&one);
	const int ctx = one.node.out[0], dctx = (int)one.graph->n_values, cols = c->heads * c->v;
	struct skip_node backward = one.node;
	backward.op = skip_op_find("attention_bwd");
	one_input(&one, "dctx", c->one_query ? SKIP_ROWS_B : SKIP_ROWS_T, 0, cols);
	backward.in[backward.n_in++] = dctx;
	backward.n_out = 6;
	const char *names[6] = {NULL, NULL, NULL, NULL, NULL, "dslots"};
	CHECK_OK(skip_graph_add_node(one.graph, &backward, names, NULL, &err));
	struct skip_ref_result result = one_run_graph(&one, one.graph, SKIP_NONE, NULL);
	cr_assert(result.rows[backward.out[5]] == ONE_SEQS && one.graph->values[backward.out[5]].cols == c->heads * c->prefix);
	for (int i = 0; i < ONE_SEQS * c->heads; i++)
		for (int j = 0; j < c->prefix; j++) wanted[j] += result.data[backward.out[5]][i * c->prefix + j];
	cr_assert(c->prefix <= 3 || wanted[0] == 0, "a slot that is off has no gradient");
	compare(&one, ctx, one.data[dctx], slots + (c->prefix > 3), wanted + (c->prefix > 3), (size_t)(c->prefix - (c->prefix > 3)), "slots");
	one_free(&one, &result);
}

/* x feeds q, k, v and the residual, as in a layer: sums of gradients from five readers, two layers deep. */
Test(gradients, shared_input_of_a_layer)
{
	struct one_op one = one_make("linear");
	struct skip_err err;
	const char *name;
	one_input(&one, "x", SKIP_ROWS_T, 0, 4);
	struct skip_node linear[3];
	for (int i = 0; i < 3; i++) {
		char tensor[8] = {'w', (char)('0' + i), '\0'};
		static const char *const names[] = {"q", "k", "v"};
		one.node.n_param = 0;
		one_tensor(&one, tensor, 4, 4, i == 1);
		name = names[i];
		linear[i] = one.node;
		CHECK_OK(skip_graph_add_node(one.graph, &linear[i], &name, NULL, &err));
	}
	struct skip_node attention = {.op = skip_op_find("attention"), .layer = 0, .n_in = 3};
	for (int i = 0; i < 3; i++) attention.in[i] = linear[i].out[0];
	attention.attrs.attention = (struct skip_attrs_attention){.heads = 2, .qk = 2, .v = 2, .scale = 0.7f};
	name = "ctx";
	CHECK_OK(skip_graph_add_node(one.graph, &attention, &name, NULL, &err));
	struct skip_node add = {.op = skip_op_find("add"), .layer = 0, .n_in = 2, .in = {attention.out[0], 0}};
	name = "sum";
	CHECK_OK(skip_graph_add_node(one.graph, &add, &name, NULL, &err));
	struct skip_node out = {.op = skip_op_find("linear"), .layer = 0, .n_in = 2, .in = {add.out[0], 0}, .n_param = 1, .param = {0}};
	name = "y";
	CHECK_OK(skip_graph_add_node(one.graph, &out, &name, NULL, &err));
	check_output(&one, out.out[0]);
	one_free(&one, NULL);
}

Test(gradients, refuses_what_it_cannot_train)
{
	struct skip_err err;
	struct skip_backward back = {0};
	struct one_op mask = one_make("mask"), embed = one_make("embed");
	int want_mask = one_input(&mask, "x", SKIP_ROWS_T, 0, 7);
	one_tensor(&mask, "scale", 7, 0, true);
	one_add(&mask);
	CHECK_FAILS(skip_pass_backward(mask.graph, mask.node.out[0], &want_mask, 1, &back, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, "'scale'") && strstr(err.message, "cannot be trained"), "%s", err.message);
	one_free(&mask, NULL);
	one_tensor(&embed, "word", 11, 7, true);
	one_tensor(&embed, "place", 64, 7, false);
	one_add(&embed);
	CHECK_FAILS(skip_pass_backward(embed.graph, embed.node.out[0], NULL, 0, &back, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, "'word'") && strstr(err.message, "cannot be trained"), "%s", err.message);
	one_free(&embed, NULL);
	struct one_op fused = one_make("linear");
	int want = one_input(&fused, "x", SKIP_ROWS_T, 0, 7);
	one_tensor(&fused, "w", 7, 7, false);
	fused.node.attrs.linear.act = SKIP_ACT_GELU;
	one_add(&fused);
	CHECK_FAILS(skip_pass_backward(fused.graph, fused.node.out[0], &want, 1, &back, &err), SKIP_ERR_INTERNAL);
	cr_assert(strstr(err.message, "fuse after the backward pass") != NULL, "%s", err.message);
	one_free(&fused, NULL);
}
