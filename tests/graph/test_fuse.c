/* Fusing changes the nodes, never the numbers. */
#include "base/alloc.h"
#include "toy_graph.h"

static const int lengths[] = {7, 1, 61};

struct fuse_case {
	int prefix, keep_pre, pooled_only;
	unsigned removal;
};

ParameterizedTestParameters(fuse, fused_equals_unfused)
{
	static const unsigned removal[] = {0, TOY_V | TOY_QK | TOY_FFN, TOY_HEADS | TOY_NO_FFN | TOY_QK, TOY_NO_ATTENTION,
	                                   TOY_NOTHING_LEFT};
	static struct fuse_case all[5 * 2 * 2 * 2];
	for (int i = 0; i < 40; i++) all[i] = (struct fuse_case){i & 1 ? 20 : 0, i & 2, i & 4, removal[i / 8]};
	return cr_make_param_array(struct fuse_case, all, 40);
}

ParameterizedTest(struct fuse_case *c, fuse, fused_equals_unfused)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = NULL, *fused = NULL;
	struct skip_err err;
	options.prefix = c->prefix;
	options.v = 3;
	options.pooler = true;
	struct skip_graph *dense = toy_graph(&options);
	struct skip_graph *pruned = toy_prune(dense, c->removal, 7);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(c->pooled_only ? skip_pass_pooled_only(pruned, &graph, &err) : skip_graph_copy(pruned, &graph, &err));
	int wanted[] = {skip_graph_find_value(graph, "logits"), SKIP_NONE};
	CHECK_OK(skip_pass_fuse(graph, c->keep_pre, wanted, 2, &fused, &err));
	CHECK_OK(skip_graph_validate(fused, &err));
	cr_assert(wanted[0] == skip_graph_find_value(fused, "logits") && wanted[1] == SKIP_NONE);
	double difference = toy_difference(fused, graph, &batch.batch, "logits");
	cr_assert(difference <= 1e-12, "fused and unfused differ by %g", difference);
	cr_assert(toy_count_nodes(fused, "act") == (c->keep_pre ? toy_count_nodes(graph, "act") : 0));
	cr_assert(toy_count_nodes(fused, "add") == 0);
	cr_assert(skip_graph_total_params(fused) == skip_graph_total_params(graph));
	toy_batch_free(&batch);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
	skip_graph_destroy(pruned);
	skip_graph_destroy(dense);
}

static const struct skip_node *producer(const struct skip_graph *graph, const char *name)
{
	int value = skip_graph_find_value(graph, name);
	cr_assert(value != SKIP_NONE, "no value '%s'", name);
	return &graph->nodes[graph->values[value].producer];
}

Test(fuse, one_product_feeds_attention)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *fused = NULL;
	struct skip_err err;
	options.v = 3;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_fuse(graph, false, NULL, 0, &fused, &err));
	const struct skip_node *linear = producer(fused, "layer1.attention.qkv"), *attention = producer(fused, "layer1.attention.context");
	cr_assert(fused->values[linear->out[0]].cols == 3 * (4 + 4 + 3));
	cr_assert(fused->tensors[linear->param[0]]->n_parts == 3);
	cr_assert_str_eq(fused->tensors[linear->param[0]]->name, "layer1.attention.qkv.weight");
	cr_assert_str_eq(fused->tensors[linear->param[1]]->name, "layer1.attention.qkv.bias");
	for (int i = 0; i < 3; i++) cr_assert(attention->in[i] == linear->out[0]);
	cr_assert(attention->attrs.attention.q_col == 0 && attention->attrs.attention.k_col == 12 &&
	          attention->attrs.attention.v_col == 24);
	const struct skip_node *up = producer(fused, "layer1.ffn.act"), *down = producer(fused, "layer1.ffn.sum");
	cr_assert(strcmp(up->op->name, "linear") == 0 && up->attrs.linear.act == SKIP_ACT_GELU);
	cr_assert(strcmp(down->op->name, "linear") == 0 && down->n_in == 2);
	cr_assert_str_eq(fused->values[down->in[1]].name, "layer1.attention.norm");
	/* embed, norm, 2 x (qkv, attention, o, norm, up, down, norm), pool, dropout, head */
	cr_assert(fused->n_nodes == 2 + 2 * 7 + 3, "%zu nodes", fused->n_nodes);
	cr_assert(skip_graph_find_value(fused, "layer0.attention.q") == SKIP_NONE);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

static const char *const intermediate[] = {"layer0.attention.q",       "layer0.attention.k",  "layer0.attention.v",
                                           "layer1.attention.context", "layer1.ffn.hidden",   "layer0.attention.output",
                                           "layer1.ffn.output",        "layer0.attention.sum"};

ParameterizedTestParameters(fuse, wanted_values_stay)
{
	static int index[] = {0, 1, 2, 3, 4, 5, 6, 7};
	return cr_make_param_array(int, index, 8);
}

ParameterizedTest(int *index, fuse, wanted_values_stay)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *fused = NULL;
	struct skip_err err;
	const char *name = intermediate[*index];
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	int wanted = skip_graph_find_value(graph, name);
	CHECK_OK(skip_pass_fuse(graph, false, &wanted, 1, &fused, &err));
	cr_assert(wanted != SKIP_NONE && wanted == skip_graph_find_value(fused, name));
	cr_assert(toy_difference(fused, graph, &batch.batch, name) <= 1e-12);
	cr_assert(toy_difference(fused, graph, &batch.batch, "logits") <= 1e-12);
	if (*index == 0) cr_assert(skip_graph_find_value(fused, "layer0.attention.kv") != SKIP_NONE, "k and v can still be one");
	if (*index == 1) cr_assert(skip_graph_find_value(fused, "layer0.attention.qv") != SKIP_NONE, "q and v can still be one");
	cr_assert(skip_graph_find_value(fused, "layer1.attention.qkv") != SKIP_NONE);
	toy_batch_free(&batch);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

/* act(x W + b) + x becomes one linear; act(x W + b + x) must not. */
Test(fuse, activation_comes_before_the_residual)
{
	struct toy_options options = toy_defaults();
	struct skip_err err;
	const union skip_attrs none = {0}, relu = {.act = {.kind = SKIP_ACT_RELU}};
	for (int add_first = 0; add_first < 2; add_first++) {
		struct toy toy = {.options = &options};
		struct skip_graph *fused = NULL, *again = NULL;
		skip_rng_init(&toy.rng, 1, "toy");
		CHECK_OK(skip_graph_create(&toy.graph, &err));
		int word = toy_tensor(&toy, "word", options.vocab, options.width, 0, 1, false);
		int position = toy_tensor(&toy, "position", options.positions, options.width, 0, 1, false);
		int x = toy_node(&toy, "embed", SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, word, position, SKIP_NONE, none, "x");
		int y = toy_linear(&toy, SKIP_NONE, x, options.width, "dense", false, "y");
		if (add_first) y = toy_node(&toy, "add", SKIP_NONE, y, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, none, "sum");
		y = toy_node(&toy, "act", SKIP_NONE, y, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, relu,
		             add_first ? "out" : "g");
		if (!add_first) toy_node(&toy, "add", SKIP_NONE, y, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, none, "out");
		struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
		CHECK_OK(skip_pass_fuse(toy.graph, false, NULL, 0, &fused, &err));
		cr_assert(toy_difference(fused, toy.graph, &batch.batch, "out") <= 1e-12);
		cr_assert(fused->n_nodes == (add_first ? 3 : 2), "%zu nodes", fused->n_nodes);
		cr_assert(producer(fused, add_first ? "sum" : "out")->n_in == 2);
		/* Fusing again finds nothing more, above all no activation to pull over the residual. */
		CHECK_OK(skip_pass_fuse(fused, false, NULL, 0, &again, &err));
		cr_assert(again->n_nodes == fused->n_nodes);
		cr_assert(toy_difference(again, toy.graph, &batch.batch, "out") <= 1e-12);
		skip_graph_destroy(again);
		toy_batch_free(&batch);
		skip_graph_destroy(fused);
		skip_graph_destroy(toy.graph);
	}
}

Test(fuse, trained_projections_stay_apart)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *fused = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	graph->tensors[skip_graph_find_tensor(graph, "encoder.layer.0.attention.self.key.weight")]->trained = true;
	CHECK_OK(skip_pass_fuse(graph, false, NULL, 0, &fused, &err));
	cr_assert(skip_graph_find_value(fused, "layer0.attention.k") != SKIP_NONE);
	cr_assert(skip_graph_find_value(fused, "layer0.attention.qv") != SKIP_NONE);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

Test(fuse, every_failed_allocation_is_reported)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *fused = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	int before = skip_graph_find_value(graph, "logits"), wanted = before;
	for (size_t n = 1;; n++) {
		cr_assert(n < 10000);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_pass_fuse(graph, false, &wanted, 1, &fused, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) break;
		cr_assert(status == SKIP_ERR_NOMEM && fused == NULL && wanted == before);
	}
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}

static const char *const with_ffn[] = {"ffn", NULL}, *const without[] = {NULL}, *const unknown[] = {"ffn", "conv", NULL};

ParameterizedTestParameters(inference, combined_equals_plain)
{
	static const unsigned removal[] = {0, TOY_V | TOY_QK | TOY_FFN, TOY_NO_FFN, TOY_NOTHING_LEFT};
	static struct fuse_case all[16];
	for (int i = 0; i < 16; i++) all[i] = (struct fuse_case){.prefix = i & 1 ? 20 : 0, .pooled_only = i & 2, .removal = removal[i / 4]};
	return cr_make_param_array(struct fuse_case, all, 16);
}

/* pooled_only here: CLS pooling, which the pass looks for. */
ParameterizedTest(struct fuse_case *c, inference, combined_equals_plain)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *plain = NULL, *combined = NULL;
	struct skip_err err;
	int value[2];
	options.prefix = c->prefix;
	options.pool = c->pooled_only ? SKIP_POOL_CLS : SKIP_POOL_MEAN;
	struct skip_graph *dense = toy_graph(&options);
	struct skip_graph *pruned = toy_prune(dense, c->removal, 7);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_inference(pruned, "logits", without, &plain, &value[0], &err));
	CHECK_OK(skip_pass_inference(pruned, "logits", with_ffn, &combined, &value[1], &err));
	CHECK_OK(skip_graph_validate(combined, &err));
	cr_assert(value[0] == skip_graph_find_value(plain, "logits") && value[1] == skip_graph_find_value(combined, "logits"));
	double difference = toy_difference(combined, plain, &batch.batch, "logits");
	cr_assert(difference == 0, "they differ by %g", difference);
	int gone = c->removal & TOY_NOTHING_LEFT ? 2 : c->removal & TOY_NO_FFN ? 1 : 0;
	cr_assert(toy_count_nodes(combined, "ffn") == 2 - gone, "%d ffn", toy_count_nodes(combined, "ffn"));
	cr_assert(combined->n_nodes == plain->n_nodes - (size_t)toy_count_nodes(combined, "ffn"));
	cr_assert(skip_graph_total_params(combined) == skip_graph_total_params(plain));
	toy_batch_free(&batch);
	skip_graph_destroy(combined);
	skip_graph_destroy(plain);
	skip_graph_destroy(pruned);
	skip_graph_destroy(dense);
}

Test(inference, refuses_what_is_not_there)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options), *out = NULL;
	struct skip_err err;
	int value;
	CHECK_FAILS(skip_pass_inference(graph, "answers", NULL, &out, &value, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_pass_inference(graph, "logits", unknown, &out, &value, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "'conv'") && out == NULL, "%s", err.message);
	cr_assert(skip_pass_can_combine("ffn") && !skip_pass_can_combine("linear"));
	skip_graph_destroy(graph);
}

/* A hidden value that somebody wants stays. */
Test(inference, wanted_hidden_values_stay)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options), *fused = NULL, *out = NULL;
	struct skip_err err;
	int wanted[] = {skip_graph_find_value(graph, "logits"), skip_graph_find_value(graph, "layer0.ffn.act")};
	CHECK_OK(skip_pass_fuse(graph, false, wanted, 2, &fused, &err));
	CHECK_OK(skip_pass_ffn(fused, wanted, 2, &out, &err));
	cr_assert(toy_count_nodes(out, "ffn") == 1 && wanted[1] == skip_graph_find_value(out, "layer0.ffn.act") && wanted[1] != SKIP_NONE);
	skip_graph_destroy(out);
	skip_graph_destroy(fused);
	skip_graph_destroy(graph);
}
