/* Shape classes: the choice is the best there is, and the wider network computes the same. */
#include "toy_graph.h"

static const int lengths[] = {7, 1, 20};

/* Least padded sum by trying every set of class widths. */
static int64_t best_by_trying(const int *width, int n, int most)
{
	int64_t best = INT64_MAX;
	for (unsigned set = 1; set < 1u << n; set++) {
		int64_t sum = 0;
		if (__builtin_popcount(set) > most) continue;
		for (int i = 0; i < n && sum >= 0; i++) {
			int least = INT32_MAX;
			for (int c = 0; c < n; c++) {
				if (set >> c & 1 && width[c] >= width[i] && width[c] < least) least = width[c];
			}
			sum = least == INT32_MAX ? -1 : sum + least;
		}
		if (sum >= 0 && sum < best) best = sum;
	}
	return best;
}

Test(classes, are_the_best_there_are)
{
	static const int widths[][6] = {{736, 512, 1024, 608, 640, 96}, {1, 1, 1, 1, 1, 1}, {6, 5, 4, 3, 2, 1}, {100, 1, 100, 1, 100, 1}, {7, 61, 61, 7, 8, 60}};
	for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
		for (int most = 1; most <= 6; most++) {
			struct skip_err err;
			int out[6], classes = 0, distinct = 0;
			int64_t sum = 0;
			CHECK_OK(skip_shape_classes(widths[w], 6, most, out, &classes, &err));
			for (int i = 0; i < 6; i++) {
				bool old = false;
				for (int j = 0; j < i; j++) old |= out[j] == out[i];
				distinct += !old;
				sum += out[i];
				cr_expect(out[i] >= widths[w][i]);
			}
			cr_expect(classes == distinct && distinct <= most, "%d classes, %d found, %d allowed", classes, distinct, most);
			cr_expect(sum == best_by_trying(widths[w], 6, most), "set %zu, %d classes: %lld", w, most, (long long)sum);
		}
	}
}

/* Heads, qk, v and ffn of a layer in one line. */
static void shape_of(const struct skip_units *units, int layer, char text[64])
{
	const struct skip_unit_group *qk = skip_units_get(units, layer, SKIP_UNIT_QK), *v = skip_units_get(units, layer, SKIP_UNIT_V),
				     *ffn = skip_units_get(units, layer, SKIP_UNIT_FFN);
	snprintf(text, 64, "%d x %d, %d x %d, %d", qk ? qk->heads : 0, qk ? qk->per_head : 0, v ? v->heads : 0, v ? v->per_head : 0, ffn ? ffn->width : 0);
}

struct class_case {
	int most;
	unsigned removal;
};

ParameterizedTestParameters(classes, zeros_change_nothing)
{
	static struct class_case cases[] = {{1, TOY_V | TOY_QK | TOY_FFN | TOY_HEADS}, {2, TOY_V | TOY_QK | TOY_FFN | TOY_HEADS}, {1, TOY_NO_FFN}, {1, TOY_NO_ATTENTION},
					    {3, TOY_HEADS}, {1, 0}};
	return cr_make_param_array(struct class_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct class_case *c, classes, zeros_change_nothing)
{
	struct skip_err err;
	struct toy_options options = toy_defaults();
	struct skip_graph *wide = NULL;
	struct skip_units units;
	options.layers = 3;
	options.prefix = 3;
	options.v = 3;
	struct skip_graph *dense = toy_graph(&options), *pruned = toy_prune(dense, c->removal, 11);
	struct toy_batch batch = toy_batch_make(&options, lengths, 3, 3);
	CHECK_OK(skip_pass_classes(pruned, c->most, &wide, &err));
	CHECK_OK(skip_graph_validate(wide, &err));
	double difference = toy_difference(wide, pruned, &batch.batch, "logits");
	cr_assert(difference <= 1e-13, "they differ by %g", difference);
	CHECK_OK(skip_units_find(wide, &units, &err));
	char shape[3][64];
	int distinct = 0;
	for (int l = 0; l < 3; l++) {
		bool old = false;
		shape_of(&units, l, shape[l]);
		for (int k = 0; k < l; k++) old |= !strcmp(shape[k], shape[l]);
		distinct += !old;
	}
	const bool whole = !(c->removal & (TOY_NO_FFN | TOY_NO_ATTENTION));
	if (whole && c->most == 1) cr_expect(distinct == 1, "%s; %s; %s", shape[0], shape[1], shape[2]);
	const bool grew = skip_graph_total_params(wide) > skip_graph_total_params(pruned);
	cr_expect(grew || skip_graph_total_params(wide) == skip_graph_total_params(pruned));
	cr_expect(wide->shape_classes == (grew ? c->most : 0) && pruned->shape_classes == 0, "%d", wide->shape_classes);
	if (c->removal == 0) cr_expect(skip_graph_total_params(wide) == skip_graph_total_params(pruned));
	skip_units_deinit(&units);
	toy_batch_free(&batch);
	skip_graph_destroy(wide);
	skip_graph_destroy(pruned);
	skip_graph_destroy(dense);
}
