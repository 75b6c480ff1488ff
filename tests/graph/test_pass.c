/* The small passes: dead nodes, dropout, prefix, head, storage of trained tensors. */
#include "base/alloc.h"
#include "toy_graph.h"

static const int lengths[] = {7, 1, 3};

static const struct skip_tensor *tensor_of(const struct skip_graph *graph, const char *name)
{
	int t = skip_graph_find_tensor(graph, name);
	return t == SKIP_NONE ? NULL : graph->tensors[t];
}

Test(dead, only_what_is_wanted_stays)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *part = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	int wanted[] = {skip_graph_find_value(graph, "layer0.ffn.act"), SKIP_NONE, skip_graph_find_value(graph, "layer0.attention.k")};
	CHECK_OK(skip_pass_dead(graph, wanted, 3, &part, &err));
	CHECK_OK(skip_graph_validate(part, &err));
	cr_assert(wanted[0] == skip_graph_find_value(part, "layer0.ffn.act") && wanted[0] != SKIP_NONE);
	cr_assert(wanted[1] == SKIP_NONE && wanted[2] == skip_graph_find_value(part, "layer0.attention.k"));
	cr_assert(skip_graph_find_value(part, "layer0.ffn.output") == SKIP_NONE);
	cr_assert(tensor_of(part, "encoder.layer.0.output.dense.weight") == NULL);
	cr_assert(toy_difference(part, graph, &batch.batch, "layer0.ffn.act") == 0);
	cr_assert(part->layers == 2 && !strcmp(part->architecture, "toy"), "the information is carried along");
	skip_graph_destroy(part);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

Test(dead, a_wanted_graph_input_stays)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *part = NULL;
	struct skip_err err;
	options.perturb = "layer1.ffn.hidden";
	struct skip_graph *graph = toy_graph(&options);
	int wanted[] = {skip_graph_find_value(graph, "perturb"), skip_graph_find_value(graph, "layer0.ffn.act")};
	CHECK_OK(skip_pass_dead(graph, wanted, 2, &part, &err));
	cr_assert(wanted[0] == skip_graph_find_value(part, "perturb") && part->values[wanted[0]].producer == SKIP_NONE);
	skip_graph_destroy(part);
	wanted[0] = SKIP_NONE;
	wanted[1] = skip_graph_find_value(graph, "layer0.ffn.act");
	CHECK_OK(skip_pass_dead(graph, wanted, 2, &part, &err));
	cr_assert(skip_graph_find_value(part, "perturb") == SKIP_NONE);
	skip_graph_destroy(part);
	skip_graph_destroy(graph);
}

Test(dropout, rates_reach_every_node)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *noisy = NULL, *quiet = NULL;
	struct skip_err err;
	options.prefix = 7;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_dropout(graph, 0.5f, 0.25f, &noisy, &err));
	int seen = 0;
	for (size_t n = 0; n < noisy->n_nodes; n++) {
		const struct skip_node *node = &noisy->nodes[n];
		if (!strcmp(node->op->name, "dropout")) seen += node->attrs.dropout.rate == 0.5f;
		if (!strcmp(node->op->name, "attention")) seen += node->attrs.attention.prefix_dropout == 0.25f;
	}
	cr_assert(seen == 3, "%d nodes", seen);
	cr_assert(toy_difference(noisy, graph, &batch.batch, "logits") > 1e-6);
	CHECK_OK(skip_pass_dropout(noisy, 0, 0, &quiet, &err));
	cr_assert(toy_difference(quiet, graph, &batch.batch, "logits") == 0);
	skip_graph_destroy(quiet);
	CHECK_FAILS(skip_pass_dropout(graph, 1.0f, 0, &quiet, &err), SKIP_ERR_INPUT);
	skip_graph_destroy(noisy);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

ParameterizedTestParameters(prefix, shapes_follow_the_heads)
{
	static int slots[] = {1, 20, 61};
	return cr_make_param_array(int, slots, 3);
}

ParameterizedTest(int *slots, prefix, shapes_follow_the_heads)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *with = NULL, *without = NULL;
	struct skip_err err;
	options.v = 3;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	struct skip_graph *small = toy_prune(graph, TOY_HEADS | TOY_NO_ATTENTION, 1);
	CHECK_OK(skip_pass_prefix(small, *slots, &with, &err));
	CHECK_OK(skip_graph_validate(with, &err));
	const struct skip_tensor *key = tensor_of(with, "prefix.0.key"), *value = tensor_of(with, "prefix.0.value");
	cr_assert(key && value && key->trained && value->trained && key->dtype == SKIP_F32);
	cr_assert(key->dim[0] == *slots && key->dim[1] == 2 * 4 && value->dim[0] == *slots && value->dim[1] == 2 * 3);
	cr_assert_eq(((const float *)key->data)[0], 0, "a new prefix is zero");
	cr_assert(tensor_of(with, "prefix.1.key") == NULL, "a vanished layer has no prefix");
	cr_assert(with->prefix == *slots && small->prefix == 2);
	CHECK_OK(skip_pass_prefix(with, 0, &without, &err));
	cr_assert(tensor_of(without, "prefix.0.key") == NULL && without->prefix == 0);
	CHECK_FAILS(skip_pass_prefix(with, -1, &without, &err), SKIP_ERR_USAGE);
	skip_graph_destroy(without);
	skip_graph_destroy(with);
	skip_graph_destroy(small);
	skip_graph_destroy(graph);
}

Test(prefix, the_dense_model_is_counted_with_it)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *with = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_prefix(graph, 20, &with, &err));
	cr_assert_float_eq(with->dense_macs_per_token, skip_graph_macs(with, 64, true) / 64, 1e-9);
	cr_assert(with->dense_macs_per_token > graph->dense_macs_per_token);
	skip_graph_destroy(with);
	skip_graph_destroy(graph);
}

struct head_case {
	int pool, pooler, classes;
};

ParameterizedTestParameters(head, placed_behind_hidden)
{
	static struct head_case all[] = {
	    {SKIP_POOL_CLS, 0, 3}, {SKIP_POOL_MEAN, 0, 7}, {SKIP_POOL_CLS, 1, 2}, {SKIP_POOL_MEAN, 1, 0}, {SKIP_POOL_CLS, 0, 0}};
	return cr_make_param_array(struct head_case, all, 5);
}

/* The toy with its own head is the model; the pass must give the same network from the bare encoder and from one that has another head. */
ParameterizedTest(struct head_case *c, head, placed_behind_hidden)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *made = NULL, *again = NULL;
	struct skip_tensor *weight = NULL, *bias = NULL;
	struct skip_err err;
	options.pool = c->pool;
	options.pooler = c->pooler;
	options.classes = c->classes;
	struct skip_graph *model = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	options.no_pool = true;
	struct skip_graph *bare = toy_graph(&options);
	if (c->pooler) {
		weight = model->tensors[skip_graph_find_tensor(model, "pooler.weight")];
		bias = model->tensors[skip_graph_find_tensor(model, "pooler.bias")];
	}
	CHECK_OK(skip_pass_head(bare, c->pool, weight, bias, c->classes, &made, &err));
	CHECK_OK(skip_graph_validate(made, &err));
	cr_assert(toy_difference(made, model, &batch.batch, "pooled") == 0);
	cr_assert_eq(skip_graph_find_value(made, "logits") != SKIP_NONE, c->classes > 0);
	cr_assert(made->classes == c->classes && toy_count_nodes(made, "dropout") == (c->classes > 0));
	if (c->classes) {
		const struct skip_tensor *head = tensor_of(made, "head.weight");
		cr_assert(head->trained && head->dim[0] == c->classes && head->dim[1] == 12 && ((const float *)head->data)[0] == 0);
		cr_assert(tensor_of(made, "head.bias")->trained);
	}
	CHECK_OK(skip_pass_head(model, c->pool, weight, bias, c->classes + 1, &again, &err));
	cr_assert(toy_difference(again, model, &batch.batch, "pooled") == 0);
	cr_assert(again->values[skip_graph_find_value(again, "logits")].cols == c->classes + 1);
	skip_graph_destroy(again);
	skip_graph_destroy(made);
	skip_graph_destroy(bare);
	skip_graph_destroy(model);
	toy_batch_free(&batch);
}

Test(head, needs_hidden)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *narrow = NULL, *made = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_pooled_only(graph, &narrow, &err));
	CHECK_FAILS(skip_pass_head(narrow, SKIP_POOL_CLS, NULL, NULL, 2, &made, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "'hidden'") != NULL);
	CHECK_FAILS(skip_pass_head(graph, SKIP_POOL_CLS, NULL, NULL, -1, &made, &err), SKIP_ERR_USAGE);
	skip_graph_destroy(narrow);
	skip_graph_destroy(graph);
}

Test(own_trained, tuning_one_graph_leaves_the_other)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *own = NULL;
	struct skip_err err;
	options.prefix = 2;
	options.dtype = SKIP_F32;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_own_trained(graph, &own, &err));
	cr_assert(own->n_tensors == graph->n_tensors);
	for (size_t t = 0; t < graph->n_tensors; t++) {
		const struct skip_tensor *a = graph->tensors[t], *b = own->tensors[t];
		cr_assert_eq(a == b, !a->trained, "%s", a->name);
		cr_assert(a->trained == b->trained && !strcmp(a->name, b->name));
		if (a->trained) cr_assert(memcmp(a->data, b->data, (size_t)skip_tensor_count(a) * sizeof(float)) == 0);
	}
	float before = ((const float *)tensor_of(graph, "head.bias")->data)[0];
	skip_tensor_f32(own->tensors[skip_graph_find_tensor(own, "head.bias")])[0] += 1;
	cr_assert_eq(((const float *)tensor_of(graph, "head.bias")->data)[0], before);
	skip_graph_destroy(own);
	skip_graph_destroy(graph);
}

/* Two graphs that share a wide trained type: the copy is in the tuner's float32. */
Test(own_trained, half_precision_becomes_float32)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *own = NULL;
	struct skip_tensor *half = NULL;
	struct skip_err err;
	const uint16_t one = 0x3f80; /* 1.0 in bf16 */
	struct skip_graph *graph = toy_graph(&options);
	int at = skip_graph_find_tensor(graph, "head.bias");
	CHECK_OK(skip_tensor_create("head.bias", SKIP_BF16, 1, graph->tensors[at]->dim, &half, &err));
	memcpy(half->owned, &one, sizeof(one));
	half->trained = true;
	skip_graph_set_tensor(graph, at, half);
	skip_tensor_unref(half);
	CHECK_OK(skip_pass_own_trained(graph, &own, &err));
	cr_assert(skip_tensor_f32(own->tensors[at])[0] == 1.0f && skip_tensor_f32(own->tensors[at])[1] == 0.0f);
	skip_graph_destroy(own);
	skip_graph_destroy(graph);
}

static enum skip_status small_pass(int which, const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	int wanted = skip_graph_find_value(graph, "logits");
	switch (which) {
	case 0:
		return skip_pass_dead(graph, &wanted, 1, out, err);
	case 1:
		return skip_pass_dropout(graph, 0.1f, 0.1f, out, err);
	case 2:
		return skip_pass_prefix(graph, 3, out, err);
	case 3:
		return skip_pass_head(graph, SKIP_POOL_CLS, NULL, NULL, 4, out, err);
	case 4:
		return skip_pass_own_trained(graph, out, err);
	case 5: {
		static const float none[256];
		cr_assert(graph->n_values <= 256);
		return skip_pass_clip(graph, none, out, err);
	}
	default:
		return skip_pass_pooled_only(graph, out, err);
	}
}

ParameterizedTestParameters(pass, every_failed_allocation_is_reported)
{
	static int which[] = {0, 1, 2, 3, 4, 5, 6};
	return cr_make_param_array(int, which, 7);
}

ParameterizedTest(int *which, pass, every_failed_allocation_is_reported)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *made = NULL;
	struct skip_err err;
	size_t failures = 0;
	struct skip_graph *graph = toy_graph(&options);
	for (size_t n = 1;; n++) {
		cr_assert(n < 10000);
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = small_pass(*which, graph, &made, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) break;
		cr_assert(status == SKIP_ERR_NOMEM && made == NULL, "allocation %zu: %s", n, err.message);
		failures++;
	}
	cr_assert(failures > 3);
	skip_graph_destroy(made);
	skip_graph_destroy(graph);
}

Test(thaw, weights_from_the_first_layer_on_and_nothing_before)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *thawed = NULL;
	struct skip_err err;
	options.dtype = SKIP_F32;
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_thaw(graph, true, &thawed, &err));
	CHECK_OK(skip_graph_validate(thawed, &err));
	cr_assert(toy_difference(thawed, graph, &batch.batch, "logits") == 0);
	for (size_t t = 0; t < graph->n_tensors; t++) {
		const char *name = graph->tensors[t]->name;
		bool embedding = !strncmp(name, "embeddings.", 11);
		cr_assert(thawed->tensors[t]->trained == !embedding, "%s", name);
		if (!graph->tensors[t]->trained && !embedding) cr_assert(thawed->tensors[t] != graph->tensors[t], "%s is shared", name);
	}
	skip_graph_destroy(thawed);
	/* as a package gives it back: nothing is marked */
	for (size_t t = 0; t < graph->n_tensors; t++) graph->tensors[t]->trained = false;
	CHECK_OK(skip_pass_thaw(graph, false, &thawed, &err));
	for (size_t t = 0; t < graph->n_tensors; t++) {
		const char *name = graph->tensors[t]->name;
		cr_assert(thawed->tensors[t]->trained == (!strncmp(name, "prefix.", 7) || !strncmp(name, "head.", 5)), "%s", name);
	}
	skip_graph_destroy(thawed);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

/* Linears in int8 take the clip of their input, through fusing too; another type, or int8 asked for anew, has none; an ffn is not made of such linears. */
Test(clip, goes_with_the_products)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options), *typed = NULL, *clipped = NULL, *fused = NULL, *again = NULL, *combined = NULL;
	struct skip_err err;
	float clip[256];
	int seen = 0;
	cr_assert(graph->n_values <= 256);
	for (size_t v = 0; v < graph->n_values; v++) clip[v] = 1 + (float)v;
	CHECK_OK(skip_pass_precision(graph, SKIP_PRECISION_INT8, &typed, &err));
	CHECK_OK(skip_pass_clip(typed, clip, &clipped, &err));
	for (size_t n = 0; n < clipped->n_nodes; n++) {
		const struct skip_node *node = &clipped->nodes[n];
		if (strcmp(node->op->name, "linear")) continue;
		const bool int8 = node->attrs.linear.precision == SKIP_PRECISION_INT8;
		cr_expect(node->attrs.linear.clip == (int8 ? clip[node->in[0]] : 0));
		seen += int8;
	}
	cr_expect(seen == 6 * options.layers, "%d", seen);
	CHECK_OK(skip_pass_fuse(clipped, false, NULL, 0, &fused, &err));
	const int qkv = skip_graph_find_value(fused, "layer0.attention.qkv");
	cr_assert(qkv != SKIP_NONE);
	cr_expect(fused->nodes[fused->values[qkv].producer].attrs.linear.clip > 0);
	CHECK_OK(skip_pass_ffn(fused, NULL, 0, &combined, &err));
	cr_expect(toy_count_nodes(combined, "ffn") == 0);
	CHECK_OK(skip_pass_precision(clipped, SKIP_PRECISION_INT8, &again, &err));
	for (size_t n = 0; n < again->n_nodes; n++) cr_expect(strcmp(again->nodes[n].op->name, "linear") || again->nodes[n].attrs.linear.clip == 0);
	/* Products of one input with two clips stay apart. */
	skip_graph_destroy(fused);
	for (size_t n = 0; n < clipped->n_nodes; n++) {
		struct skip_node *node = &clipped->nodes[n];
		if (!strcmp(node->op->name, "linear") && !strcmp(clipped->values[node->out[0]].name, "layer0.attention.k")) node->attrs.linear.clip *= 2;
	}
	CHECK_OK(skip_pass_fuse(clipped, false, NULL, 0, &fused, &err));
	cr_expect(skip_graph_find_value(fused, "layer0.attention.qkv") == SKIP_NONE && skip_graph_find_value(fused, "layer0.attention.qv") != SKIP_NONE);
	skip_graph_destroy(combined);
	skip_graph_destroy(again);
	skip_graph_destroy(fused);
	skip_graph_destroy(clipped);
	skip_graph_destroy(typed);
	skip_graph_destroy(graph);
}
