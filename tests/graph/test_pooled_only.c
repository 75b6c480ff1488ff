/* With pooling of the first or last row the last layer needs one row per sequence; with mean pooling nothing may change. */
#include "toy_graph.h"

static const int lengths[] = {61, 1, 7};

struct pooled_case {
	int prefix, layers, pooler;
	unsigned removal;
	enum toy_form form;
};

ParameterizedTestParameters(pooled_only, one_row_is_exact)
{
	static struct pooled_case all[] = {{0, 2, 0, 0, TOY_BERT},
	                                   {20, 2, 1, 0, TOY_BERT},
	                                   {1, 1, 0, 0, TOY_BERT},
	                                   {7, 3, 1, TOY_V | TOY_QK | TOY_FFN | TOY_HEADS, TOY_BERT},
	                                   {2, 2, 0, TOY_NO_ATTENTION, TOY_BERT},
	                                   {0, 3, 0, TOY_NO_ATTENTION | TOY_NO_FFN, TOY_BERT},
	                                   {3, 2, 1, TOY_NOTHING_LEFT, TOY_BERT},
	                                   {0, 2, 0, 0, TOY_GPT2},
	                                   {5, 3, 0, TOY_V | TOY_QK | TOY_FFN | TOY_HEADS, TOY_GPT2},
	                                   {3, 2, 0, TOY_NO_ATTENTION, TOY_GPT2},
	                                   {0, 2, 1, 0, TOY_MODERNBERT},
	                                   {4, 2, 1, TOY_QK | TOY_FFN, TOY_MODERNBERT},
	                                   {3, 2, 0, TOY_NOTHING_LEFT, TOY_MODERNBERT},
	                                   {2, 2, 0, TOY_HEADS, TOY_MPNET},
	                                   {2, 2, 0, TOY_QK | TOY_HEADS, TOY_DEBERTA}};
	return cr_make_param_array(struct pooled_case, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct pooled_case *c, pooled_only, one_row_is_exact)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *narrow = NULL, *twice = NULL;
	struct skip_err err;
	options.prefix = c->prefix;
	options.layers = c->layers;
	options.pooler = c->pooler;
	toy_set_form(&options, c->form);
	struct skip_graph *dense = toy_graph(&options);
	struct skip_graph *graph = toy_prune(dense, c->removal, 3);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_pooled_only(graph, &narrow, &err));
	CHECK_OK(skip_graph_validate(narrow, &err));
	double difference = toy_difference(narrow, graph, &batch.batch, "logits");
	cr_assert(difference <= 1e-13, "pooled-only differs by %g", difference);
	cr_assert(skip_graph_find_value(narrow, "hidden") == SKIP_NONE);
	cr_assert(skip_graph_macs(narrow, 61, true) < skip_graph_macs(graph, 61, true) || c->removal == TOY_NOTHING_LEFT);
	int pooled = skip_graph_find_value(narrow, c->pooler ? "pooled.rows" : "pooled");
	cr_assert(pooled != SKIP_NONE && narrow->values[pooled].rows == SKIP_ROWS_B);
	cr_assert_str_eq(narrow->nodes[narrow->values[pooled].producer].op->name, "layernorm");
	CHECK_OK(skip_pass_pooled_only(narrow, &twice, &err));
	cr_assert(twice->n_nodes == narrow->n_nodes && twice->n_values == narrow->n_values);
	skip_graph_destroy(twice);
	skip_graph_destroy(narrow);
	skip_graph_destroy(graph);
	skip_graph_destroy(dense);
	toy_batch_free(&batch);
}

static enum skip_rows rows_of(const struct skip_graph *graph, const char *name)
{
	int value = skip_graph_find_value(graph, name);
	cr_assert(value != SKIP_NONE, "no value '%s'", name);
	return graph->values[value].rows;
}

Test(pooled_only, only_keys_and_values_keep_their_rows)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *narrow = NULL;
	struct skip_err err;
	static const char *const whole[] = {"layer0.attention.q", "layer0.attention.norm", "layer0.ffn.norm", "layer1.attention.k",
	                                    "layer1.attention.v"};
	static const char *const first[] = {
	    "layer1.attention.q", "layer1.attention.context", "layer1.attention.output", "layer1.attention.sum", "layer1.attention.norm",
	    "layer1.ffn.hidden",  "layer1.ffn.act",           "layer1.ffn.output",       "layer1.ffn.sum",       "pooled"};
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_pooled_only(graph, &narrow, &err));
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) cr_assert(rows_of(narrow, whole[i]) == SKIP_ROWS_T, "%s", whole[i]);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) cr_assert(rows_of(narrow, first[i]) == SKIP_ROWS_B, "%s", first[i]);
	cr_assert(toy_count_nodes(narrow, "pool") == 1, "one gather of first rows serves queries and residual");
	skip_graph_destroy(narrow);
	skip_graph_destroy(graph);
}

Test(pooled_only, mean_pooling_and_bare_encoders_are_copied)
{
	struct skip_err err;
	for (int bare = 0; bare < 2; bare++) {
		struct toy_options options = toy_defaults();
		struct skip_graph *copy = NULL;
		options.pool = SKIP_POOL_MEAN;
		options.no_pool = bare;
		struct skip_graph *graph = toy_graph(&options);
		struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
		CHECK_OK(skip_pass_pooled_only(graph, &copy, &err));
		cr_assert(copy->n_nodes == graph->n_nodes && copy->n_values == graph->n_values);
		cr_assert(toy_difference(copy, graph, &batch.batch, bare ? "hidden" : "logits") == 0);
		skip_graph_destroy(copy);
		skip_graph_destroy(graph);
		toy_batch_free(&batch);
	}
}

/* Dropout draws its mask from the row's index, so rows behind it must not move. */
Test(pooled_only, rows_do_not_move_through_dropout)
{
	struct toy_options options = toy_defaults();
	struct toy toy = {.options = &options};
	struct skip_graph *narrow = NULL;
	struct skip_err err;
	const union skip_attrs half = {.dropout = {.rate = 0.5f}}, cls = {.pool = {.mode = SKIP_POOL_CLS}}, none = {0};
	skip_rng_init(&toy.rng, 1, "toy");
	CHECK_OK(skip_graph_create(&toy.graph, &err));
	int word = toy_tensor(&toy, "word", options.vocab, options.width, 0, 1, false);
	int position = toy_tensor(&toy, "position", options.positions, options.width, 0, 1, false);
	int x = toy_node(&toy, "embed", SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, word, position, SKIP_NONE, none, "x");
	x = toy_layernorm(&toy, SKIP_NONE, x, "norm", "y");
	x = toy_node(&toy, "dropout", SKIP_NONE, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, half, "dropped");
	x = toy_layernorm(&toy, SKIP_NONE, x, "norm2", "hidden");
	toy_node(&toy, "pool", SKIP_NONE, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, cls, "pooled");
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_pooled_only(toy.graph, &narrow, &err));
	cr_assert(rows_of(narrow, "dropped") == SKIP_ROWS_T && rows_of(narrow, "y") == SKIP_ROWS_T &&
	          rows_of(narrow, "pooled") == SKIP_ROWS_B);
	cr_assert(toy_difference(narrow, toy.graph, &batch.batch, "pooled") == 0);
	toy_batch_free(&batch);
	skip_graph_destroy(narrow);
	skip_graph_destroy(toy.graph);
}

static void comes_back(enum toy_form form, enum skip_pool pool)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *narrow = NULL, *wide = NULL;
	struct skip_err err;
	toy_set_form(&options, form);
	options.pool = pool;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_pooled_only(graph, &narrow, &err));
	CHECK_OK(skip_pass_all_rows(narrow, &wide, &err));
	CHECK_OK(skip_graph_validate(wide, &err));
	cr_assert(wide->n_nodes == graph->n_nodes, "form %d", form);
	for (size_t n = 0; n < graph->n_nodes; n++) {
		cr_assert(wide->nodes[n].op == graph->nodes[n].op, "form %d: node %zu", form, n);
		cr_assert(wide->values[wide->nodes[n].out[0]].rows == graph->values[graph->nodes[n].out[0]].rows, "form %d: node %zu", form, n);
	}
	cr_assert(toy_difference(wide, graph, &batch.batch, "logits") == 0, "form %d", form);
	skip_graph_destroy(wide);
	skip_graph_destroy(narrow);
	skip_graph_destroy(graph);
	toy_batch_free(&batch);
}

Test(pooled_only, all_rows_is_the_way_back)
{
	for (int form = 0; form < TOY_FORMS; form++) {
		comes_back((enum toy_form)form, SKIP_POOL_CLS);
		comes_back((enum toy_form)form, SKIP_POOL_LAST);
		comes_back((enum toy_form)form, SKIP_POOL_MEAN);
	}
}
