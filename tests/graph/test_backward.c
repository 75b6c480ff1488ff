/* Gradients of whole networks against central differences in float64 (docs/method.md 2.8). */
#include "base/alloc.h"
#include "toy_graph.h"

static const int lengths[] = {1, 7, 61};
#define STEP 1e-5

/* A fixed random dJ/doutput, so J = sum of seed * output. */
static double *make_seed(size_t n)
{
	double *seed = malloc(n * sizeof(*seed));
	struct skip_rng rng;
	skip_rng_init(&rng, 9, "seed");
	for (size_t i = 0; i < n; i++) seed[i] = skip_rng_normal(&rng);
	return seed;
}

static double objective(const struct skip_graph *graph, const struct skip_batch *batch, const struct skip_ref_input *inputs,
                        size_t n_inputs, const char *output, const double *seed)
{
	size_t n;
	double *y = toy_run_inputs(graph, batch, inputs, n_inputs, output, &n), sum = 0;
	for (size_t i = 0; i < n; i++) sum += seed[i] * y[i];
	free(y);
	return sum;
}

struct gradients {
	struct skip_backward backward;
	struct skip_ref_result result;
	double *seed;
	const char *output;
};

static struct gradients run_backward(const struct skip_graph *graph, const struct skip_batch *batch, const char *output, const int *want,
                                     size_t n_want)
{
	struct gradients g = {.output = output};
	struct skip_err err;
	int value = skip_graph_find_value(graph, output);
	CHECK_OK(skip_pass_backward(graph, value, want, n_want, &g.backward, &err));
	CHECK_OK(skip_graph_validate(g.backward.graph, &err));
	cr_assert(g.backward.n_forward == graph->n_nodes);
	for (size_t v = 0; v < graph->n_values; v++) cr_assert_str_eq(g.backward.graph->values[v].name, graph->values[v].name);
	g.seed = make_seed((size_t)skip_value_rows(&graph->values[value], batch) * (size_t)graph->values[value].cols);
	struct skip_ref_input input = {g.backward.seed, g.seed};
	CHECK_OK(skip_reference_run(g.backward.graph, batch, &input, 1, 0, &g.result, &err));
	return g;
}

static void free_gradients(struct gradients *g)
{
	skip_reference_free(&g->result);
	skip_backward_deinit(&g->backward);
	free(g->seed);
}

static double largest(const double *x, size_t n)
{
	double worst = 0;
	for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs(x[i]));
	return worst;
}

/* Some elements of one trained tensor. */
static void check_tensor(const struct skip_graph *graph, const struct skip_batch *batch, const struct gradients *g, int t, int samples)
{
	struct skip_tensor *tensor = graph->tensors[t];
	size_t count = (size_t)skip_tensor_count(tensor);
	double *x = tensor->owned;
	struct skip_rng rng;
	int value = g->backward.grad_of_tensor[t];
	cr_assert(value != SKIP_NONE, "no gradient of %s", tensor->name);
	const double *gradient = g->result.data[value];
	double scale = largest(gradient, count);
	cr_assert(scale > 1e-6, "gradient of %s is zero", tensor->name);
	skip_rng_init(&rng, (uint64_t)t, "elements");
	for (int s = 0; s < samples; s++) {
		size_t i = (size_t)skip_rng_below(&rng, count);
		double old = x[i];
		x[i] = old + STEP;
		double high = objective(graph, batch, NULL, 0, g->output, g->seed);
		x[i] = old - STEP;
		double low = objective(graph, batch, NULL, 0, g->output, g->seed), slope = (high - low) / (2 * STEP);
		x[i] = old;
		cr_assert(fabs(slope - gradient[i]) <= 1e-6 * fmax(fabs(slope), 0.1 * scale), "%s[%zu]: gradient %.12g, difference %.12g",
		          tensor->name, i, gradient[i], slope);
	}
}

static void check_tensors(const struct skip_graph *graph, const struct skip_batch *batch, const struct gradients *g, int samples,
                          int wanted)
{
	int checked = 0;
	for (int t = 0; t < (int)graph->n_tensors; t++) {
		if (graph->tensors[t]->trained) {
			check_tensor(graph, batch, g, t, samples);
			checked++;
		} else {
			cr_assert(g->backward.grad_of_tensor[t] == SKIP_NONE, "%s is frozen", graph->tensors[t]->name);
		}
	}
	cr_assert(checked == wanted, "%d trained tensors", checked);
}

struct backward_case {
	int prefix, pool, pooler, pooled_only;
	unsigned removal;
};

ParameterizedTestParameters(backward, trained_tensors)
{
	static struct backward_case all[3 * 2 * 2 * 2 + 2];
	static const int prefix[] = {0, 1, 20};
	int n = 0;
	for (int i = 0; i < 24; i++) {
		all[n++] = (struct backward_case){prefix[i / 8], i & 1 ? SKIP_POOL_MEAN : SKIP_POOL_CLS, i & 2, 0,
		                                  i & 4 ? TOY_V | TOY_QK | TOY_FFN | TOY_HEADS : 0};
	}
	all[n++] = (struct backward_case){20, SKIP_POOL_CLS, 1, 1, TOY_V | TOY_QK};
	all[n++] = (struct backward_case){1, SKIP_POOL_MEAN, 0, 0, TOY_NO_ATTENTION | TOY_NO_FFN};
	return cr_make_param_array(struct backward_case, all, (size_t)n);
}

static int count_trained(const struct skip_graph *graph)
{
	int count = 0;
	for (size_t t = 0; t < graph->n_tensors; t++) count += graph->tensors[t]->trained;
	return count;
}

/* The same gradients from the fused form that training runs. */
static void check_fused(const struct skip_graph *graph, const struct skip_batch *batch, const struct gradients *plain)
{
	struct skip_graph *fused = NULL;
	struct skip_err err;
	CHECK_OK(skip_pass_fuse(graph, true, NULL, 0, &fused, &err));
	struct gradients g = run_backward(fused, batch, plain->output, NULL, 0);
	for (int t = 0; t < (int)graph->n_tensors; t++) {
		if (!graph->tensors[t]->trained) continue;
		int in_fused = skip_graph_find_tensor(fused, graph->tensors[t]->name);
		size_t count = (size_t)skip_tensor_count(graph->tensors[t]);
		const double *a = plain->result.data[plain->backward.grad_of_tensor[t]];
		const double *b = g.result.data[g.backward.grad_of_tensor[in_fused]];
		double difference = check_max_diff(a, b, count, NULL);
		cr_assert(difference <= 1e-12 * fmax(1, largest(a, count)), "%s: fused gradient differs by %g", graph->tensors[t]->name,
		          difference);
	}
	free_gradients(&g);
	skip_graph_destroy(fused);
}

ParameterizedTest(struct backward_case *c, backward, trained_tensors)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = NULL;
	struct skip_err err;
	options.prefix = c->prefix;
	options.pool = c->pool;
	options.pooler = c->pooler;
	struct skip_graph *dense = toy_graph(&options);
	struct skip_graph *pruned = toy_prune(dense, c->removal, 3);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(c->pooled_only ? skip_pass_pooled_only(pruned, &graph, &err) : skip_graph_copy(pruned, &graph, &err));
	struct gradients g = run_backward(graph, &batch.batch, "logits", NULL, 0);
	cr_assert_str_eq(g.backward.graph->values[g.backward.seed].name, "logits.grad");
	check_tensors(graph, &batch.batch, &g, 8, count_trained(graph));
	check_fused(graph, &batch.batch, &g);
	free_gradients(&g);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	skip_graph_destroy(pruned);
	skip_graph_destroy(dense);
}

struct weights_case {
	int prefix, pool;
	unsigned removal;
};

ParameterizedTestParameters(backward, every_weight)
{
	static struct weights_case all[] = {{2, SKIP_POOL_CLS, 0}, /* without a prefix the key bias changes nothing */
	                                    {3, SKIP_POOL_MEAN, TOY_V | TOY_QK | TOY_FFN | TOY_HEADS},
	                                    {1, SKIP_POOL_MEAN, TOY_NO_ATTENTION | TOY_NO_FFN}};
	return cr_make_param_array(struct weights_case, all, sizeof(all) / sizeof(all[0]));
}

/* Fine-tuning: all the thaw pass would train, in float64. */
ParameterizedTest(struct weights_case *c, backward, every_weight)
{
	struct toy_options options = toy_defaults();
	options.prefix = c->prefix;
	options.pool = c->pool;
	options.pooler = 1;
	struct skip_graph *dense = toy_graph(&options), *graph = toy_prune(dense, c->removal, 3);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		for (int i = 0; node->layer != SKIP_NONE && i < node->n_param; i++) {
			if (node->op->trains >> i & 1 && node->param[i] != SKIP_NONE) graph->tensors[node->param[i]]->trained = true;
		}
	}
	struct gradients g = run_backward(graph, &batch.batch, "logits", NULL, 0);
	cr_assert_gt(count_trained(graph), 10);
	check_tensors(graph, &batch.batch, &g, 3, count_trained(graph));
	check_fused(graph, &batch.batch, &g);
	free_gradients(&g);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
	skip_graph_destroy(dense);
}

static const char *const wanted_name[] = {"layer0.attention.q",       "layer0.attention.k",
                                          "layer0.attention.v",       "layer0.attention.context",
                                          "layer0.ffn.hidden",        "layer0.ffn.act",
                                          "layer0.ffn.norm",          "layer1.attention.q",
                                          "layer1.attention.k",       "layer1.attention.v",
                                          "layer1.attention.context", "layer1.ffn.hidden",
                                          "layer1.ffn.act",           "hidden"};
#define N_WANTED (sizeof(wanted_name) / sizeof(wanted_name[0]))

struct want_case {
	int prefix, pool;
};

ParameterizedTestParameters(backward, wanted_values)
{
	static struct want_case all[] = {{0, SKIP_POOL_CLS}, {1, SKIP_POOL_MEAN}, {20, SKIP_POOL_MEAN}};
	return cr_make_param_array(struct want_case, all, 3);
}

/* dJ/dvalue against an addition to the value. */
static void check_want(const struct toy_options *options, const struct skip_batch *batch, const struct gradients *g, size_t w)
{
	struct toy_options perturbed = *options;
	struct skip_rng rng;
	perturbed.perturb = wanted_name[w];
	struct skip_graph *graph = toy_graph(&perturbed);
	int value = skip_graph_find_value(graph, "perturb"), made = g->backward.grad_of_want[w];
	size_t count = (size_t)batch->n_tokens * (size_t)graph->values[value].cols;
	double *delta = calloc(count, sizeof(*delta));
	struct skip_ref_input input = {value, delta};
	cr_assert(made != SKIP_NONE, "no gradient of %s", wanted_name[w]);
	cr_assert(g->backward.graph->values[made].cols == graph->values[value].cols && g->result.rows[made] == batch->n_tokens);
	const double *gradient = g->result.data[made];
	double scale = largest(gradient, count);
	cr_assert(scale > 1e-6, "gradient of %s is zero", wanted_name[w]);
	skip_rng_init(&rng, w, "elements");
	for (int s = 0; s < 10; s++) {
		/* The first rows of the sequences matter most under CLS pooling. */
		size_t i = s < 4 ? (size_t)skip_rng_below(&rng, 2 * count / (size_t)batch->n_tokens) : (size_t)skip_rng_below(&rng, count);
		delta[i] = STEP;
		double high = objective(graph, batch, &input, 1, g->output, g->seed);
		delta[i] = -STEP;
		double low = objective(graph, batch, &input, 1, g->output, g->seed), slope = (high - low) / (2 * STEP);
		delta[i] = 0;
		cr_assert(fabs(slope - gradient[i]) <= 1e-6 * fmax(fabs(slope), 0.1 * scale), "%s[%zu]: gradient %.12g, difference %.12g",
		          wanted_name[w], i, gradient[i], slope);
	}
	free(delta);
	skip_graph_destroy(graph);
}

ParameterizedTest(struct want_case *c, backward, wanted_values)
{
	struct toy_options options = toy_defaults();
	int want[N_WANTED];
	options.prefix = c->prefix;
	options.pool = c->pool;
	options.v = 3;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	for (size_t w = 0; w < N_WANTED; w++) want[w] = skip_graph_find_value(graph, wanted_name[w]);
	struct gradients g = run_backward(graph, &batch.batch, "logits", want, N_WANTED);
	for (size_t w = 0; w < N_WANTED; w++) check_want(&options, &batch.batch, &g, w);
	free_gradients(&g);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

/* What attribution runs: fused around the values it asks for. */
Test(backward, wanted_values_of_a_fused_network)
{
	struct toy_options options = toy_defaults();
	static const char *const name[] = {"layer0.attention.context", "layer1.ffn.hidden", "layer1.ffn.act", "layer0.attention.q"};
	int want[4], fused_want[4];
	struct skip_graph *fused = NULL;
	struct skip_err err;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	for (int w = 0; w < 4; w++) want[w] = fused_want[w] = skip_graph_find_value(graph, name[w]);
	CHECK_OK(skip_pass_fuse(graph, true, fused_want, 4, &fused, &err));
	struct gradients a = run_backward(graph, &batch.batch, "logits", want, 4),
	                 b = run_backward(fused, &batch.batch, "logits", fused_want, 4);
	for (int w = 0; w < 4; w++) {
		int in_a = a.backward.grad_of_want[w], in_b = b.backward.grad_of_want[w];
		size_t count = (size_t)a.result.rows[in_a] * (size_t)a.backward.graph->values[in_a].cols;
		cr_assert(check_max_diff(a.result.data[in_a], b.result.data[in_b], count, NULL) <= 1e-12, "%s", name[w]);
	}
	free_gradients(&a);
	free_gradients(&b);
	toy_batch_free(&batch);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

/* Weights of the backbone can be trained too; a tensor that two nodes read gets the sum of both gradients. */
Test(backward, backbone_and_shared_tensors)
{
	struct toy_options options = toy_defaults();
	options.prefix = 3;
	options.v = 3;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	int from = skip_graph_find_tensor(graph, "encoder.layer.1.intermediate.dense.weight");
	int shared = skip_graph_find_tensor(graph, "encoder.layer.0.intermediate.dense.weight");
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_node *node = &graph->nodes[n];
		if (strcmp(node->op->name, "linear")) continue;
		if (node->param[0] == from) node->param[0] = shared;
		graph->tensors[node->param[0]]->trained = graph->tensors[node->param[1]]->trained = true;
	}
	struct gradients g = run_backward(graph, &batch.batch, "logits", NULL, 0);
	/* 12 linears with weight and bias, less the weight that is shared; two prefixes of two; the head */
	check_tensors(graph, &batch.batch, &g, 4, 12 * 2 - 1 + 4 + 2);
	free_gradients(&g);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

static bool reaches_layer(const struct skip_backward *backward, int layer, const char *op)
{
	for (size_t n = backward->n_forward; n < backward->graph->n_nodes; n++) {
		const struct skip_node *node = &backward->graph->nodes[n];
		if (node->layer == layer && !strcmp(node->op->name, op)) return true;
	}
	return false;
}

Test(backward, nothing_is_computed_for_nobody)
{
	struct toy_options options = toy_defaults();
	struct skip_backward backward;
	struct skip_err err;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options), *bare = NULL;
	CHECK_OK(skip_pass_backward(graph, skip_graph_find_value(graph, "logits"), NULL, 0, &backward, &err));
	for (size_t n = backward.n_forward; n < backward.graph->n_nodes; n++) {
		const struct skip_node *node = &backward.graph->nodes[n];
		if (strcmp(node->op->name, "attention_bwd")) continue;
		for (int i = 0; i < 3; i++) cr_assert_eq(node->out[i] == SKIP_NONE, node->layer == 0, "layer %d output %d", node->layer, i);
		if (node->layer == 0) cr_assert(n == backward.graph->n_nodes - 1, "layer 0 goes on after its prefix");
	}
	for (int v = 0; v < (int)backward.graph->n_values; v++) {
		int readers = 0;
		for (size_t n = 0; n < backward.graph->n_nodes; n++) {
			for (int i = 0; i < backward.graph->nodes[n].n_in; i++) readers += backward.graph->nodes[n].in[i] == v;
		}
		bool asked_for = v == skip_graph_find_value(graph, "logits");
		for (size_t t = 0; t < graph->n_tensors; t++) asked_for = asked_for || backward.grad_of_tensor[t] == v;
		cr_assert(readers > 0 || asked_for, "nobody needs '%s'", backward.graph->values[v].name);
	}
	skip_backward_deinit(&backward);
	/* Without a prefix only the head is trained: the encoder sees no gradient at all. */
	CHECK_OK(skip_pass_prefix(graph, 0, &bare, &err));
	CHECK_OK(skip_pass_backward(bare, skip_graph_find_value(bare, "logits"), NULL, 0, &backward, &err));
	cr_assert(backward.graph->n_nodes == backward.n_forward + 1 && reaches_layer(&backward, SKIP_NONE, "linear_dw"));
	skip_backward_deinit(&backward);
	/* A wanted value of layer 1 needs nothing of layer 0. */
	int want = skip_graph_find_value(bare, "layer1.ffn.act");
	CHECK_OK(skip_pass_backward(bare, skip_graph_find_value(bare, "logits"), &want, 1, &backward, &err));
	cr_assert(reaches_layer(&backward, 1, "layernorm_bwd") && !reaches_layer(&backward, 1, "act_bwd") &&
	          !reaches_layer(&backward, 1, "attention_bwd"));
	for (size_t n = backward.n_forward; n < backward.graph->n_nodes; n++) cr_assert(backward.graph->nodes[n].layer != 0);
	skip_backward_deinit(&backward);
	skip_backward_deinit(NULL);
	skip_graph_destroy(bare);
	skip_graph_destroy(graph);
}

/* A wanted value that the output does not depend on. */
/* |a - b| / |b|, Euclidean. */
static double apart(const double *a, const double *b, size_t n)
{
	double difference = 0, length = 0;
	for (size_t i = 0; i < n; i++) {
		difference += (a[i] - b[i]) * (a[i] - b[i]);
		length += b[i] * b[i];
	}
	return sqrt(difference / length);
}

/* Gradient nodes take the precision of what they are made from, so the caller sets that of the forward part alone. A number rounded to bfloat16 is
 * off by 2^-9 of itself at most, and every gradient here went through some twenty roundings in a row. */
Test(backward, in_bf16_as_the_forward_part)
{
	struct skip_err err;
	struct toy_options options = toy_defaults();
	options.prefix = 4;
	struct skip_graph *exact = toy_graph(&options), *rounding = NULL;
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 5);
	int linears = 0, attentions = 0, moved = 0;
	CHECK_OK(skip_pass_precision(exact, SKIP_PRECISION_BF16, &rounding, &err));
	struct gradients a = run_backward(rounding, &batch.batch, "logits", NULL, 0), b = run_backward(exact, &batch.batch, "logits", NULL, 0);
	const struct skip_graph *graph = a.backward.graph;
	cr_assert_eq(graph->n_nodes, b.backward.graph->n_nodes);
	for (size_t n = a.backward.n_forward; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		const bool linear = !strcmp(node->op->name, "linear"), attention = !strcmp(node->op->name, "attention_bwd");
		const enum skip_precision wanted = node->layer == SKIP_NONE ? SKIP_PRECISION_F32 : SKIP_PRECISION_BF16;
		if (linear) cr_assert_eq(node->attrs.linear.precision, wanted);
		if (attention) cr_assert_eq(node->attrs.attention.precision, wanted);
		linears += linear;
		attentions += attention;
	}
	cr_assert(linears > attentions && attentions == options.layers);
	for (size_t t = 0; t < graph->n_tensors; t++) {
		int value = a.backward.grad_of_tensor[t];
		if (value == SKIP_NONE) continue;
		double off = apart(a.result.data[value], b.result.data[value], (size_t)skip_tensor_count(graph->tensors[t]));
		cr_assert_lt(off, 20 * 0x1p-9, "the gradient of %s is off by %g", graph->tensors[t]->name, off);
		moved += off > 1e-6;
	}
	cr_assert_geq(moved, 2 * options.layers, "only %d gradients were rounded", moved);
	free_gradients(&a);
	free_gradients(&b);
	toy_batch_free(&batch);
	skip_graph_destroy(rounding);
	skip_graph_destroy(exact);
}

Test(backward, no_path_no_gradient)
{
	struct toy_options options = toy_defaults();
	struct skip_backward backward;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	int want[2] = {skip_graph_find_value(graph, "layer1.ffn.act"), skip_graph_find_value(graph, "layer0.ffn.act")};
	CHECK_OK(skip_pass_backward(graph, skip_graph_find_value(graph, "layer1.attention.norm"), want, 2, &backward, &err));
	cr_assert(backward.grad_of_want[0] == SKIP_NONE && backward.grad_of_want[1] != SKIP_NONE);
	for (size_t t = 0; t < graph->n_tensors; t++) cr_assert(backward.grad_of_tensor[t] == SKIP_NONE);
	skip_backward_deinit(&backward);
	skip_graph_destroy(graph);
}

/* Unused forward values leave a gradient graph, column ranges of one value stay together. */
Test(backward, dead_nodes_leave_a_gradient_graph)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *fused = NULL, *lean = NULL;
	struct skip_err err;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_fuse(graph, true, NULL, 0, &fused, &err));
	struct gradients g = run_backward(fused, &batch.batch, "logits", NULL, 0);
	int tensor = skip_graph_find_tensor(fused, "prefix.0.value");
	int wanted[2] = {g.backward.grad_of_tensor[tensor], g.backward.seed};
	CHECK_OK(skip_pass_dead(g.backward.graph, wanted, 2, &lean, &err));
	cr_assert(lean->n_nodes < g.backward.graph->n_nodes, "the head's own gradients are not needed");
	struct skip_ref_input input = {wanted[1], g.seed};
	size_t count;
	double *again = toy_run_inputs(lean, &batch.batch, &input, 1, lean->values[wanted[0]].name, &count);
	cr_assert(count == (size_t)skip_tensor_count(fused->tensors[tensor]));
	cr_assert(check_max_diff(again, g.result.data[g.backward.grad_of_tensor[tensor]], count, NULL) == 0);
	free(again);
	free_gradients(&g);
	skip_graph_destroy(lean);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
	toy_batch_free(&batch);
}

Test(backward, every_failed_allocation_is_reported)
{
	struct toy_options options = toy_defaults();
	struct skip_backward backward = {0};
	struct skip_err err;
	size_t failures = 0;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	int want = skip_graph_find_value(graph, "layer0.ffn.act"), output = skip_graph_find_value(graph, "logits");
	for (size_t n = 1;; n++) {
		cr_assert(n < 10000);
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_pass_backward(graph, output, &want, 1, &backward, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) break;
		cr_assert(status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		cr_assert(backward.graph == NULL);
		failures++;
	}
	cr_assert(failures >= 8, "%zu allocations failed", failures);
	skip_backward_deinit(&backward);
	skip_graph_destroy(graph);
}
