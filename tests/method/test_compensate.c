/* Compensation through the real device: what it leaves alone, what it brings back. */
#include "method/world.h"

static struct skip_err err;
static struct skip_keep keep; /* of the last cut */

static struct skip_graph *cut_at(struct world *w, unsigned kinds, double rate)
{
	struct skip_graph *cut = NULL;
	double removed;
	skip_keep_deinit(&keep);
	CHECK_OK(skip_select_rate(w->scene.graph, &w->units, &w->scores, kinds, 0, rate, &keep, &removed, &err));
	CHECK_OK(skip_pass_prune(w->scene.graph, &w->units, &keep, &cut, &err));
	return cut;
}

static void finish(struct world *w)
{
	skip_keep_deinit(&keep);
	world_deinit(w);
}

static struct skip_graph *compensated(struct world *w, enum skip_compensate mode)
{
	struct skip_compensate_options options = {.mode = mode, .damping = 1e-2, .tokens = 32768};
	struct skip_dataset some = w->scene.train; /* its first rows */
	struct skip_graph *out = NULL;
	double seconds = -1;
	some.n_rows = 300;
	CHECK_OK(skip_compensate_graph(w->scene.device.device, w->scene.graph, &w->units, &keep, &some, &options, NULL, &out, &seconds, &err));
	cr_assert_geq(seconds, 0);
	CHECK_OK(skip_graph_validate(out, &err));
	return out;
}

/* Mean squared distance of a value of two graphs over dev, relative to the first. */
static double distance(struct world *w, const struct skip_graph *a, const struct skip_graph *b, const char *value)
{
	size_t n;
	double *x = scene_reference(a, &w->scene.dev, value, &n), *y = scene_reference(b, &w->scene.dev, value, NULL), off = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		off += (x[i] - y[i]) * (x[i] - y[i]);
		size += x[i] * x[i];
	}
	free(x);
	free(y);
	return sqrt(off / size);
}

Test(compensate, identical_networks_stay_identical)
{
	struct world w;
	world_init(&w, false);
	CHECK_OK(skip_keep_create(&w.units, &keep, &err));
	for (int mode = SKIP_COMPENSATE_NONE; mode <= SKIP_COMPENSATE_LS; mode++) {
		struct skip_graph *out = compensated(&w, (enum skip_compensate)mode);
		cr_assert_eq(out->n_tensors, w.scene.graph->n_tensors);
		for (size_t t = 0; t < out->n_tensors; t++) {
			float *a = scene_tensor(w.scene.graph, (int)t), *b = scene_tensor(out, (int)t);
			for (int64_t i = 0; i < skip_tensor_count(out->tensors[t]); i++)
				cr_assert_float_eq(a[i], b[i], 1e-4, "mode %d, %s[%ld]: %g, was %g", mode, out->tensors[t]->name, (long)i,
						   b[i], a[i]);
			free(a);
			free(b);
		}
		cr_assert_lt(distance(&w, w.scene.graph, out, "logits"), 1e-4);
		skip_graph_destroy(out);
	}
	finish(&w);
}

/* Below the first cut the streams are one: no bit moves. What reads the stream, norms and classifier move above it, and only where weights may (ls). */
Test(compensate, layers_below_the_first_cut_keep_their_bits)
{
	struct world w;
	world_init(&w, false);
	CHECK_OK(skip_keep_create(&w.units, &keep, &err));
	const struct skip_unit_group *v = skip_units_get(&w.units, 1, SKIP_UNIT_V), *qk = skip_units_get(&w.units, 1, SKIP_UNIT_QK);
	memset(keep.keep[v - w.units.group], 0, (size_t)v->per_head); /* a head of the second layer */
	memset(keep.keep[qk - w.units.group], 0, (size_t)qk->per_head);
	for (int mode = SKIP_COMPENSATE_BIAS; mode <= SKIP_COMPENSATE_LS; mode++) {
		struct skip_graph *out = compensated(&w, (enum skip_compensate)mode);
		bool read = false, norm = false, classifier = false;
		for (size_t t = 0; t < w.scene.graph->n_tensors; t++) {
			const struct skip_tensor *was = w.scene.graph->tensors[t], *is = out->tensors[t];
			if (skip_tensor_count(was) != skip_tensor_count(is)) continue; /* the cut itself */
			float *a = scene_tensor(w.scene.graph, (int)t), *b = scene_tensor(out, (int)t);
			bool moved = memcmp(a, b, (size_t)skip_tensor_count(was) * sizeof(*a)) != 0;
			cr_assert_not(moved && strstr(was->name, "layer.0."), "mode %d: %s moved", mode, was->name);
			read |= moved && strstr(was->name, "layer.1.intermediate.dense.weight");
			norm |= moved && strstr(was->name, "layer.1.output.LayerNorm.weight");
			classifier |= moved && strcmp(was->name, "head.weight") == 0;
			free(a);
			free(b);
		}
		bool ls = mode == SKIP_COMPENSATE_LS;
		cr_assert(read == ls && norm == ls && classifier == ls, "mode %d: %d %d %d", mode, read, norm, classifier);
		skip_graph_destroy(out);
	}
	finish(&w);
}

struct mix {
	unsigned kinds;
	double rate;
};

ParameterizedTestParameters(compensate, least_squares_brings_the_stream_back)
{
	static struct mix cases[] = {{SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.5},
				     {SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_PREFIX, 0.5},
				     {SKIP_UNITS_FFN, 0.3},
				     {SKIP_UNITS_V | SKIP_UNITS_HEAD, 0.2},
				     {SKIP_UNITS_LAYER, 0.4},
				     {SKIP_UNITS_LAYER | SKIP_UNITS_FFN, 0.7}};
	return cr_make_param_array(struct mix, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct mix *c, compensate, least_squares_brings_the_stream_back)
{
	struct world w;
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, c->kinds, c->rate), *graph[3];
	double off[3];
	for (int mode = 0; mode < 3; mode++) {
		graph[mode] = compensated(&w, (enum skip_compensate)mode);
		off[mode] = distance(&w, w.scene.graph, graph[mode], "hidden");
		cr_assert_eq(skip_graph_encoder_params(graph[mode]), skip_graph_encoder_params(cut));
	}
	cr_assert_float_eq(off[0], distance(&w, w.scene.graph, cut, "hidden"), 1e-12, "none changes nothing");
	cr_assert_lt(off[1], off[0], "off %g with bias, %g without", off[1], off[0]);
	/* what is left of a network without whole sub-layers has little to refit */
	double most = c->kinds & SKIP_UNITS_LAYER ? 1.05 : 0.95;
	cr_assert_lt(off[2], off[1] * most, "off %g with ls, %g with bias", off[2], off[1]);
	for (int mode = 0; mode < 3; mode++) skip_graph_destroy(graph[mode]);
	skip_graph_destroy(cut);
	finish(&w);
}

ParameterizedTestParameters(compensate, streams_in_bfloat16_fit_the_same)
{
	static struct mix cases[] = {{SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.5}, {SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_PREFIX, 0.5}};
	return cr_make_param_array(struct mix, cases, sizeof(cases) / sizeof(*cases));
}

/* The streams wait on the host between sub-layers and go back over values whose words were made beside them: those must not be read again. */
ParameterizedTest(struct mix *c, compensate, streams_in_bfloat16_fit_the_same)
{
	struct world w;
	struct skip_graph *rounding = NULL, *fitted = NULL, *own;
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, c->kinds, c->rate), *plain = compensated(&w, SKIP_COMPENSATE_LS);
	CHECK_OK(skip_pass_precision(w.scene.graph, SKIP_PRECISION_BF16, &rounding, &err));
	own = w.scene.graph;
	w.scene.graph = rounding;
	struct skip_graph *made = compensated(&w, SKIP_COMPENSATE_LS);
	w.scene.graph = own;
	CHECK_OK(skip_pass_precision(made, SKIP_PRECISION_F32, &fitted, &err));
	double before = distance(&w, own, cut, "hidden"), in_f32 = distance(&w, own, plain, "hidden"), in_bf16 = distance(&w, own, fitted, "hidden");
	cr_assert_lt(in_bf16, in_f32 + 0.1 * (before - in_f32), "off %g in bf16, %g in f32, %g uncompensated", in_bf16, in_f32, before);
	skip_graph_destroy(fitted);
	skip_graph_destroy(made);
	skip_graph_destroy(rounding);
	skip_graph_destroy(plain);
	skip_graph_destroy(cut);
	finish(&w);
}

struct form_case {
	enum toy_form form;
	unsigned kinds;
	double rate;
};

ParameterizedTestParameters(compensate, other_forms_of_layers)
{
	static struct form_case cases[] = {{TOY_GPT2, SKIP_UNITS_FFN | SKIP_UNITS_V, 0.4},
					   {TOY_MODERNBERT, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.4},
					   {TOY_MODERNBERT, SKIP_UNITS_LAYER, 0.4},
					   {TOY_MPNET, SKIP_UNITS_HEAD, 0.2},
					   {TOY_DEBERTA, SKIP_UNITS_FFN | SKIP_UNITS_QK, 0.3}};
	return cr_make_param_array(struct form_case, cases, sizeof(cases) / sizeof(*cases));
}

/* Norms inside the branches, no biases, the last row pooled: the stream comes back all the same. */
ParameterizedTest(struct form_case *c, compensate, other_forms_of_layers)
{
	struct world w;
	world_init_form(&w, false, c->form);
	struct skip_graph *cut = cut_at(&w, c->kinds, c->rate), *fitted = compensated(&w, SKIP_COMPENSATE_LS);
	double before = distance(&w, w.scene.graph, cut, "hidden"), after = distance(&w, w.scene.graph, fitted, "hidden");
	cr_assert_gt(before, 1e-3);
	/* what vanished without a bias leaves nothing to refit */
	cr_assert_lt(after, (c->kinds & SKIP_UNITS_LAYER ? 1.05 : 0.95) * before, "off %g with ls, %g without", after, before);
	skip_graph_destroy(fitted);
	skip_graph_destroy(cut);
	finish(&w);
}

Test(compensate, bias_keeps_the_mean_of_the_first_sublayer)
{
	/* over the calibration rows (all of train), sum of X and branch, per column */
	struct world w;
	struct skip_compensate_options options = {.mode = SKIP_COMPENSATE_BIAS, .damping = 1e-2, .tokens = 32768};
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.6), *out = NULL;
	CHECK_OK(skip_compensate_graph(w.scene.device.device, w.scene.graph, &w.units, &keep, &w.scene.train, &options, NULL, &out, NULL, &err));
	const struct skip_unit_group *v = skip_units_get(&w.units, 0, SKIP_UNIT_V);
	int y = w.scene.graph->nodes[v->consumer].out[0], sum = SKIP_NONE;
	for (size_t n = 0; n < w.scene.graph->n_nodes; n++) {
		const struct skip_node *node = &w.scene.graph->nodes[n];
		if (strcmp(node->op->name, "add") == 0 && (node->in[0] == y || node->in[1] == y)) sum = node->out[0];
	}
	const char *name = w.scene.graph->values[sum].name;
	size_t n;
	int cols = w.scene.graph->values[sum].cols;
	double *a = scene_reference(w.scene.graph, &w.scene.train, name, &n), *b = scene_reference(out, &w.scene.train, name, NULL);
	double *raw = scene_reference(cut, &w.scene.train, name, NULL), moved = 0;
	for (int j = 0; j < cols; j++) {
		double dense = 0, kept = 0, plain = 0;
		size_t rows = n / (size_t)cols;
		for (size_t i = 0; i < rows; i++) {
			dense += a[i * (size_t)cols + (size_t)j] / (double)rows;
			kept += b[i * (size_t)cols + (size_t)j] / (double)rows;
			plain += raw[i * (size_t)cols + (size_t)j] / (double)rows;
		}
		cr_assert_float_eq(kept, dense, 1e-4, "column %d: %g, dense %g", j, kept, dense);
		moved = fmax(moved, fabs(plain - dense));
	}
	cr_assert_gt(moved, 1e-2, "the cut did not move any mean; nothing was tested");
	free(a);
	free(b);
	free(raw);
	skip_graph_destroy(out);
	skip_graph_destroy(cut);
	finish(&w);
}

Test(compensate, cls_pooling_and_refusals)
{
	struct world w;
	world_init(&w, false);
	skip_graph_destroy(w.scene.graph);
	w.scene.options.pool = SKIP_POOL_CLS;
	w.scene.graph = toy_graph(&w.scene.options); /* same units */
	struct skip_graph *cut = cut_at(&w, SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK, 0.5);
	struct skip_graph *out = compensated(&w, SKIP_COMPENSATE_LS);
	cr_assert_lt(distance(&w, w.scene.graph, out, "logits"), distance(&w, w.scene.graph, cut, "logits"));
	skip_graph_destroy(out);
	struct skip_compensate_options options = {.mode = SKIP_COMPENSATE_LS, .damping = 1e-2, .tokens = 0};
	CHECK_FAILS(skip_compensate_graph(w.scene.device.device, w.scene.graph, &w.units, &keep, &w.scene.train, &options, NULL, &out, NULL, &err),
		    SKIP_ERR_USAGE);
	skip_graph_destroy(cut);
	finish(&w);
}

Test(compensate, least_squares_refits_queries_and_keys)
{
	struct world w;
	world_init(&w, false);
	struct skip_graph *cut = cut_at(&w, SKIP_UNITS_QK, 0.08), *out = compensated(&w, SKIP_COMPENSATE_LS);
	double before = distance(&w, w.scene.graph, cut, "hidden"), after = distance(&w, w.scene.graph, out, "hidden");
	cr_assert_gt(before, 0);
	cr_assert_lt(after, 0.7 * before, "off %g refitted, %g only cut", after, before);
	skip_graph_destroy(out);
	skip_graph_destroy(cut);
	finish(&w);
}
