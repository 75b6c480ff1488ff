/* Calibration of int8: the clips it keeps are no worse than any other it tried, outliers saturate where that pays, and the same rows give the same. */
#include "method/clip/clip.h"
#include "graph/pass.h"
#include "method/clip/product.h"
#include "method/scene.h"
#include <math.h>

static struct skip_err err;

static struct skip_graph *in_int8(const struct skip_graph *graph)
{
	struct skip_graph *out = NULL;
	CHECK_OK(skip_pass_precision(graph, SKIP_PRECISION_INT8, &out, &err));
	return out;
}

/* Every product of the layers gets a clip, the same for a seed, and the network answers nearly as in float32. */
Test(clip, of_a_network)
{
	struct scene s;
	struct skip_graph *out[2] = {NULL};
	struct skip_clip_report report = {0};
	scene_init(&s, 100, 40, 3);
	struct skip_graph *typed = in_int8(s.graph);
	for (int i = 0; i < 2; i++) CHECK_OK(skip_clip_find(s.device.device, typed, &s.train, 7, NULL, &out[i], &report, &err));
	cr_expect(report.tensors == (size_t)(4 * s.options.layers), "%zu tensors", report.tensors);
	cr_expect(report.tokens > 100 && report.error > 0 && report.error <= report.error_widest && report.error < 0.05 && report.error_rows < 0.05,
		  "%lld tokens: %g, %g, %g", (long long)report.tokens, report.error, report.error_widest, report.error_rows);
	for (size_t n = 0; n < typed->n_nodes; n++) {
		const struct skip_node *a = &out[0]->nodes[n], *b = &out[1]->nodes[n];
		if (strcmp(a->op->name, "linear")) continue;
		cr_expect(a->attrs.linear.clip == b->attrs.linear.clip);
		const bool clipped = a->attrs.linear.clip > 0;
		cr_expect(clipped == (a->attrs.linear.precision == SKIP_PRECISION_INT8));
	}
	size_t count;
	double *exact = scene_reference(s.graph, &s.dev, "logits", &count), *rounded = scene_reference(out[0], &s.dev, "logits", NULL), off = 0, size = 0;
	for (size_t i = 0; i < count; i++) off += pow(exact[i] - rounded[i], 2), size += pow(exact[i], 2);
	cr_expect(off > 0 && off < 0.01 * size, "%g of %g", off, size);
	free(exact);
	free(rounded);
	for (int i = 0; i < 2; i++) skip_graph_destroy(out[i]);
	skip_graph_destroy(typed);
	scene_deinit(&s);
}

Test(clip, needs_int8_and_rows)
{
	struct scene s;
	struct skip_graph *out = NULL;
	struct skip_clip_report report;
	const struct skip_dataset none = {0};
	scene_init(&s, 20, 20, 0);
	struct skip_graph *typed = in_int8(s.graph);
	CHECK_FAILS(skip_clip_find(s.device.device, s.graph, &s.train, 0, NULL, &out, &report, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_clip_find(s.device.device, typed, &none, 0, NULL, &out, &report, &err), SKIP_ERR_INPUT);
	cr_expect(out == NULL);
	skip_graph_destroy(typed);
	scene_deinit(&s);
}

static bool stop(void *context, const char *stage, int64_t done, int64_t total, const char *what)
{
	(void)context, (void)stage, (void)total, (void)what;
	return done < 3;
}

Test(clip, stops_when_asked)
{
	struct scene s;
	struct skip_graph *out = NULL;
	struct skip_clip_report report;
	const struct skip_progress progress = {.report = stop};
	scene_init(&s, 20, 20, 0);
	struct skip_graph *typed = in_int8(s.graph);
	CHECK_FAILS(skip_clip_find(s.device.device, typed, &s.train, 0, &progress, &out, &report, &err), SKIP_ERR_INTERRUPTED);
	cr_expect(out == NULL);
	skip_graph_destroy(typed);
	scene_deinit(&s);
}

enum { ROWS = 4000, DEPTH = 24, COLUMNS = 31 };

/* One product alone on x, normal numbers with one of `outlier` among them where that is not 0. */
static void product_of(float outlier, struct skip_clip_product *out, float *x)
{
	struct skip_graph *graph = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .n_param = 1, .n_out = 1};
	struct skip_tensor *w = NULL;
	struct skip_rng rng;
	const char *y = "y";
	skip_rng_init(&rng, 0, "clip");
	CHECK_OK(skip_graph_create(&graph, &err));
	CHECK_OK(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, DEPTH, &node.in[0], &err));
	CHECK_OK(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){COLUMNS, DEPTH}, &w, &err));
	for (int i = 0; i < COLUMNS * DEPTH; i++) skip_tensor_f32(w)[i] = (float)skip_rng_normal(&rng);
	CHECK_OK(skip_graph_add_tensor(graph, w, &node.param[0], &err));
	CHECK_OK(skip_graph_add_node(graph, &node, &y, NULL, &err));
	for (int i = 0; i < ROWS * DEPTH; i++) x[i] = (float)skip_rng_normal(&rng);
	if (outlier != 0) x[7] = outlier;
	*out = (struct skip_clip_product){0};
	CHECK_OK(skip_clip_product_init(out, graph, &graph->nodes[0], x, ROWS, &err));
	skip_tensor_unref(w);
	skip_graph_destroy(graph);
}

/* An outlier among a hundred thousand saturates where the smaller steps of all others gain more; one that is too far out does not. */
Test(clip, outliers_saturate_where_that_pays)
{
	static float x[ROWS * DEPTH];
	struct skip_clip_product product;
	product_of(0, &product, x);
	const double rows = skip_clip_product_error(&product, 0), wide = skip_clip_product_error(&product, 4.5f), narrow = skip_clip_product_error(&product, 1);
	cr_expect(rows > 0 && rows < wide && wide < narrow && narrow < product.size, "%g %g %g of %g", rows, wide, narrow, product.size);
	skip_clip_product_deinit(&product);
	product_of(9, &product, x);
	cr_expect(skip_clip_product_error(&product, 4.5f) < skip_clip_product_error(&product, 9));
	skip_clip_product_deinit(&product);
	product_of(30, &product, x);
	cr_expect(skip_clip_product_error(&product, 30) < skip_clip_product_error(&product, 4.5f));
	skip_clip_product_deinit(&product);
}
