/* The acceptance test of pruning: the small network answers like the masked one (docs/method.md 4, parity property). */
#include "base/alloc.h"
#include "toy_graph.h"

static const int lengths[] = {1, 7, 61, 2};

struct parity_case {
	int prefix, v, pool, pooler;
	unsigned removal;
	enum toy_form form;
};

ParameterizedTestParameters(prune, shrunk_equals_masked)
{
	static const unsigned removal[] = {TOY_FFN,
	                                   TOY_V,
	                                   TOY_QK,
	                                   TOY_HEADS,
	                                   TOY_NO_FFN,
	                                   TOY_NO_ATTENTION,
	                                   TOY_NOTHING_LEFT,
	                                   TOY_FFN | TOY_V | TOY_QK,
	                                   TOY_V | TOY_HEADS,
	                                   TOY_QK | TOY_HEADS,
	                                   TOY_FFN | TOY_V | TOY_QK | TOY_HEADS,
	                                   TOY_NO_FFN | TOY_NO_ATTENTION,
	                                   TOY_FFN | TOY_V | TOY_QK | TOY_HEADS | TOY_NO_FFN | TOY_NO_ATTENTION};
	static const int prefix[] = {0, 1, 20};
	enum { REMOVALS = sizeof(removal) / sizeof(removal[0]) };
	static struct parity_case all[REMOVALS * 6], other[REMOVALS * 3];
	for (int r = 0; r < REMOVALS; r++) {
		for (int p = 0; p < 3; p++) {
			all[3 * r + p] = (struct parity_case){prefix[p], (r + p) % 2 ? 4 : 3, (r + p) % 2 ? SKIP_POOL_MEAN : SKIP_POOL_CLS,
			                                      r % 3 == 0, removal[r], TOY_BERT};
			other[3 * r + p] = all[3 * r + p];
			other[3 * r + p].form = (enum toy_form)(TOY_BERT + 1 + (r + p) % (TOY_FORMS - 1));
		}
	}
	memcpy(all + REMOVALS * 3, other, sizeof(other));
	return cr_make_param_array(struct parity_case, all, sizeof(all) / sizeof(all[0]));
}

static struct skip_graph *case_graph(const struct parity_case *c, struct toy_options *options)
{
	*options = toy_defaults();
	options->prefix = c->prefix;
	options->v = c->v;
	options->pool = c->pool;
	options->pooler = c->pooler;
	options->seed = c->removal + 1;
	toy_set_form(options, c->form);
	return toy_graph(options);
}

ParameterizedTest(struct parity_case *c, prune, shrunk_equals_masked)
{
	struct toy_options options;
	struct skip_units units, masked_units;
	struct skip_graph *masked = NULL, *shrunk = NULL, *folded = NULL;
	struct skip_err err;
	struct skip_graph *graph = case_graph(c, &options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct skip_keep keep = toy_keep(&units, c->removal, seed);
		CHECK_OK(skip_pass_mask(graph, &units, &keep, &masked, &err));
		CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
		CHECK_OK(skip_graph_validate(shrunk, &err));
		double difference = toy_difference(shrunk, masked, &batch.batch, "logits");
		cr_assert(difference <= 1e-9, "seed %d: shrunk and masked differ by %g", (int)seed, difference);
		/* The masks are tied like weights, so the masked network prunes to the same one. */
		CHECK_OK(skip_units_find(masked, &masked_units, &err));
		cr_assert(masked_units.n_groups == units.n_groups);
		CHECK_OK(skip_pass_prune(masked, &masked_units, &keep, &folded, &err));
		difference = toy_difference(folded, masked, &batch.batch, "logits");
		cr_assert(difference <= 1e-9, "seed %d: folded and masked differ by %g", (int)seed, difference);
		/* Something left, and it mattered. */
		cr_assert(toy_difference(shrunk, graph, &batch.batch, "logits") > 1e-6);
		cr_assert(skip_graph_encoder_params(shrunk) < skip_graph_encoder_params(graph));
		skip_units_deinit(&masked_units);
		skip_graph_destroy(folded);
		skip_graph_destroy(masked);
		skip_graph_destroy(shrunk);
		skip_keep_deinit(&keep);
	}
	toy_batch_free(&batch);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

ParameterizedTestParameters(prune, slots_alone_and_mixed)
{
	static const unsigned with[] = {0, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, TOY_NO_FFN | TOY_NO_ATTENTION};
	static const int prefix[] = {1, 7, 61};
	static struct parity_case all[TOY_FORMS * 9];
	size_t n = 0;
	for (int form = 0; form < TOY_FORMS; form++) {
		for (int w = 0; w < 3; w++) {
			for (int p = 0; p < 3; p++, n++)
				all[n] = (struct parity_case){prefix[p], 3, (w + p) % 2 ? SKIP_POOL_MEAN : SKIP_POOL_CLS, false,
				                              with[w] | (n % 3 == 2 ? TOY_NO_PREFIX : TOY_SLOTS), (enum toy_form)form};
		}
	}
	return cr_make_param_array(struct parity_case, all, n);
}

/* A slot that is gone answers like one whose scores are -infinity, and takes nothing of the encoder with it. */
ParameterizedTest(struct parity_case *c, prune, slots_alone_and_mixed)
{
	struct toy_options options;
	struct skip_units units, masked_units;
	struct skip_graph *masked = NULL, *shrunk = NULL, *folded = NULL;
	struct skip_err err;
	struct skip_graph *graph = case_graph(c, &options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	cr_assert(units.n_all == units.n_groups + 2);
	struct skip_keep keep = toy_keep(&units, c->removal, 3);
	CHECK_OK(skip_pass_mask(graph, &units, &keep, &masked, &err));
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	CHECK_OK(skip_graph_validate(masked, &err));
	CHECK_OK(skip_graph_validate(shrunk, &err));
	double difference = toy_difference(shrunk, masked, &batch.batch, "logits");
	cr_assert(difference <= 1e-9, "shrunk and masked differ by %g", difference);
	CHECK_OK(skip_units_find(masked, &masked_units, &err));
	CHECK_OK(skip_pass_prune(masked, &masked_units, &keep, &folded, &err));
	difference = toy_difference(folded, masked, &batch.batch, "logits");
	cr_assert(difference <= 1e-9, "folded and masked differ by %g", difference);
	cr_assert(toy_difference(shrunk, graph, &batch.batch, "logits") > 1e-6);
	if (!(c->removal & ~(unsigned)(TOY_SLOTS | TOY_NO_PREFIX)))
		cr_assert(skip_graph_encoder_params(shrunk) == skip_graph_encoder_params(graph));
	cr_assert(shrunk->prefix == c->prefix, "the prefix that was tuned is carried along");
	skip_units_deinit(&masked_units);
	skip_graph_destroy(folded);
	skip_graph_destroy(masked);
	skip_graph_destroy(shrunk);
	skip_keep_deinit(&keep);
	toy_batch_free(&batch);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

Test(prune, keeping_everything_changes_nothing)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_keep keep;
	struct skip_graph *same = NULL;
	struct skip_err err;
	options.prefix = 7;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &same, &err));
	cr_assert(toy_difference(same, graph, &batch.batch, "logits") == 0);
	cr_assert(same->n_nodes == graph->n_nodes && same->n_tensors == graph->n_tensors);
	for (size_t t = 0; t < same->n_tensors; t++) cr_assert(same->tensors[t] == graph->tensors[t], "tensor %zu was copied", t);
	skip_graph_destroy(same);
	CHECK_OK(skip_pass_mask(graph, &units, &keep, &same, &err));
	cr_assert(same->n_nodes == graph->n_nodes);
	cr_assert(toy_difference(same, graph, &batch.batch, "logits") == 0);
	skip_graph_destroy(same);
	skip_keep_deinit(&keep);
	toy_batch_free(&batch);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

/* Parameters of the removed units leave, and nothing else: output biases of vanished sub-layers stay. */
Test(prune, parameters_add_up)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_graph *shrunk = NULL;
	struct skip_err err;
	options.prefix = 3;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS | TOY_NO_FFN | TOY_NO_ATTENTION, 5);
	int64_t wanted = skip_graph_encoder_params(graph);
	for (size_t g = 0; g < units.n_groups; g++) {
		for (int j = 0; j < units.group[g].width; j++) wanted -= keep.keep[g][j] ? 0 : skip_unit_params(graph, &units.group[g]);
	}
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	cr_assert(skip_graph_encoder_params(shrunk) == wanted);
	cr_assert(toy_count_nodes(shrunk, "add_bias") == 2);
	cr_assert(toy_count_nodes(shrunk, "attention") == 1);
	cr_assert(toy_count_nodes(shrunk, "act") == 1);
	cr_assert(skip_graph_find_tensor(shrunk, "prefix.1.key") == SKIP_NONE);
	cr_assert(skip_graph_find_tensor(shrunk, "encoder.layer.1.attention.output.dense.bias") != SKIP_NONE);
	const struct skip_tensor *key = shrunk->tensors[skip_graph_find_tensor(shrunk, "prefix.0.key")];
	cr_assert(key->trained && key->dim[0] == 3 && key->dim[1] == 2 * 1, "two heads of one qk dim are left, found %d columns",
	          (int)key->dim[1]);
	cr_assert(shrunk->tensors[skip_graph_find_tensor(shrunk, "head.weight")]->trained);
	for (size_t n = 0; n < shrunk->n_nodes; n++) {
		if (strcmp(shrunk->nodes[n].op->name, "attention")) continue;
		const struct skip_attrs_attention *attrs = &shrunk->nodes[n].attrs.attention;
		cr_assert(attrs->heads == 2 && attrs->qk == 1 && attrs->v == 2);
		cr_assert_float_eq(attrs->scale, 0.5f, 0, "the scale belongs to the original head width");
	}
	cr_assert(shrunk->heads == 3 && shrunk->ffn_width == 17 && shrunk->prefix == 3, "the checkpoint's sizes are carried along");
	skip_keep_deinit(&keep);
	skip_graph_destroy(shrunk);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

/* Moves index perm[j] of `axis` to j. */
static void permute_axis(struct skip_graph *graph, int tensor, int axis, const int *perm)
{
	const struct skip_tensor *old = graph->tensors[tensor];
	struct skip_tensor *moved = NULL;
	struct skip_err err;
	CHECK_OK(skip_tensor_create(old->name, old->dtype, old->rank, old->dim, &moved, &err));
	moved->trained = old->trained;
	int64_t rows = old->dim[0], cols = old->rank > 1 ? old->dim[1] : 1;
	for (int64_t r = 0; r < rows; r++) {
		for (int64_t c = 0; c < cols; c++) {
			int64_t from = axis == 0 ? perm[r] * cols + c : r * cols + perm[c];
			((double *)moved->owned)[r * cols + c] = ((const double *)old->data)[from];
		}
	}
	skip_graph_set_tensor(graph, tensor, moved);
	skip_tensor_unref(moved);
}

/* A permutation of a group that keeps heads together; the v and qk group of a layer get the same order of heads. */
static void head_permutation(const struct skip_unit_group *group, int *perm)
{
	struct skip_rng heads, dims;
	int order[64], within[64];
	skip_rng_init(&heads, (uint64_t)group->layer, "heads");
	skip_rng_init(&dims, (uint64_t)group->layer * 3 + group->kind, "dims");
	skip_rng_permute(&heads, order, (size_t)group->heads);
	for (int h = 0; h < group->heads; h++) {
		skip_rng_permute(&dims, within, (size_t)group->per_head);
		for (int e = 0; e < group->per_head; e++) perm[h * group->per_head + e] = order[h] * group->per_head + within[e];
	}
}

Test(prune, order_of_units_does_not_matter)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_keep moved_keep;
	struct skip_graph *moved = NULL, *shrunk = NULL, *moved_shrunk = NULL;
	struct skip_err err;
	options.prefix = 5;
	struct skip_graph *graph = toy_graph(&options);
	struct toy_batch batch = toy_batch_make(&options, lengths, 4, 3);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_graph_copy(graph, &moved, &err));
	CHECK_OK(skip_keep_create(&units, &moved_keep, &err));
	struct skip_keep keep = toy_keep(&units, TOY_FFN | TOY_V | TOY_QK | TOY_HEADS, 2);
	for (size_t g = 0; g < units.n_groups; g++) {
		const struct skip_unit_group *group = &units.group[g];
		int perm[64];
		head_permutation(group, perm);
		for (int i = 0; i < group->n_slices; i++) permute_axis(moved, group->slices[i].tensor, group->slices[i].axis, perm);
		for (int j = 0; j < group->width; j++) moved_keep.keep[g][j] = keep.keep[g][perm[j]];
	}
	cr_assert(toy_difference(graph, moved, &batch.batch, "logits") <= 1e-12);
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &shrunk, &err));
	CHECK_OK(skip_pass_prune(moved, &units, &moved_keep, &moved_shrunk, &err));
	cr_assert(toy_difference(shrunk, moved_shrunk, &batch.batch, "logits") <= 1e-12);
	skip_keep_deinit(&keep);
	skip_keep_deinit(&moved_keep);
	skip_graph_destroy(shrunk);
	skip_graph_destroy(moved_shrunk);
	skip_graph_destroy(moved);
	toy_batch_free(&batch);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

Test(prune, uneven_heads_are_refused)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_keep keep;
	struct skip_graph *shrunk = NULL;
	struct skip_err err;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	keep.keep[1][5] = 0;
	CHECK_FAILS(skip_pass_prune(graph, &units, &keep, &shrunk, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "layer 0: head 1 keeps 3 v dims") != NULL, "%s", err.message);
	cr_assert(shrunk == NULL);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

/* A branch that is not added to anything cannot leave its bias behind. */
Test(prune, a_vanished_layer_without_residual_is_refused)
{
	struct toy_options options = toy_defaults();
	struct toy toy = {.options = &options};
	struct skip_units units;
	struct skip_graph *shrunk = NULL;
	struct skip_err err;
	skip_rng_init(&toy.rng, 1, "toy");
	CHECK_OK(skip_graph_create(&toy.graph, &err));
	int word = toy_tensor(&toy, "word", options.vocab, options.width, 0, 1, false);
	int position = toy_tensor(&toy, "position", options.positions, options.width, 0, 1, false);
	int x = toy_node(&toy, "embed", SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, word, position, SKIP_NONE, (union skip_attrs){0}, "x");
	x = toy_linear(&toy, 0, x, 9, "up", false, "u");
	x = toy_node(&toy, "act", 0, x, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE,
	             (union skip_attrs){.act = {.kind = SKIP_ACT_RELU}}, "g");
	x = toy_linear(&toy, 0, x, options.width, "down", false, "y");
	toy_layernorm(&toy, 0, x, "norm", "hidden");
	CHECK_OK(skip_units_find(toy.graph, &units, &err));
	cr_assert(units.n_groups == 1 && units.group[0].width == 9);
	struct skip_keep keep = toy_keep(&units, TOY_NOTHING_LEFT, 1);
	CHECK_FAILS(skip_pass_prune(toy.graph, &units, &keep, &shrunk, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert_str_eq(err.message, "op 'layernorm' reads 'y', which lost all of its inputs; only an add can");
	skip_keep_deinit(&keep);
	keep = toy_keep(&units, TOY_FFN, 1);
	CHECK_OK(skip_pass_prune(toy.graph, &units, &keep, &shrunk, &err));
	skip_graph_destroy(shrunk);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(toy.graph);
}

Test(prune, every_failed_allocation_is_reported)
{
	struct toy_options options = toy_defaults();
	struct skip_units units;
	struct skip_graph *made = NULL;
	struct skip_err err;
	size_t failures[2] = {0};
	options.prefix = 2;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_units_find(graph, &units, &err));
	struct skip_keep keep = toy_keep(&units, TOY_FFN | TOY_V | TOY_QK | TOY_NO_FFN | TOY_SLOTS, 2);
	for (int which = 0; which < 2; which++) {
		for (size_t n = 1;; n++) {
			cr_assert(n < 10000);
			skip_err_init(&err);
			skip_alloc_fail_at(n);
			enum skip_status status =
			    which ? skip_pass_mask(graph, &units, &keep, &made, &err) : skip_pass_prune(graph, &units, &keep, &made, &err);
			skip_alloc_fail_at(0);
			if (status == SKIP_OK) break;
			cr_assert(status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
			cr_assert(made == NULL);
			failures[which]++;
		}
		skip_graph_destroy(made);
		made = NULL;
	}
	cr_assert(failures[0] > 40 && failures[1] > 10, "%zu and %zu allocations failed", failures[0], failures[1]);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}
