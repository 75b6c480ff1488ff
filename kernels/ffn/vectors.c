/*
 * Known answers of an int8 ffn engine: random inputs and weights of the node's shape, weights packed as the device gets them, answers of the float64 reference.
 * The reference rounds to int8 as the engine does, but its activations differ in their last places, so that a hidden number may go to the next integer: the
 * tolerance is one step of the coarsest hidden row in as many numbers as make a random walk of F.
 */
#include "ffn/fpga.h"
#include "ffn/rtl.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "device/run/run.h"
#include "graph/op.h"
#include <math.h>
#include <string.h>

#define ROWS 3

static void write_words(struct skip_buf *out, const char *name, const float *data, size_t n)
{
	skip_buf_printf(out, "%s %zu", name, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &data[i], sizeof(bits));
		skip_buf_printf(out, "%c%08x", i % 16 ? ' ' : '\n', bits);
	}
	skip_buf_puts(out, "\n");
}

static enum skip_status add_param(struct skip_graph *graph, struct skip_rng *rng, const char *name, int rows, int cols, double size, int *out, struct skip_err *err)
{
	struct skip_tensor *tensor = NULL;
	enum skip_status status = skip_tensor_create(name, SKIP_F32, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, err);
	if (status != SKIP_OK) return status;
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) ((float *)tensor->owned)[i] = (float)(size * skip_rng_normal(rng));
	status = skip_graph_add_tensor(graph, tensor, out, err);
	skip_tensor_unref(tensor);
	return status;
}

/* A graph of the one node, and values for its inputs: x [ROWS][d], residual [ROWS][n]. */
static enum skip_status make_graph(const struct skip_ffn_shape *s, struct skip_rng *rng, struct skip_graph **out, struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *graph = NULL;
	*node = (struct skip_node){.op = skip_op_find("ffn"), .layer = SKIP_NONE, .n_in = 1 + s->residual, .n_param = 4, .n_out = 1};
	node->attrs.ffn = (struct skip_attrs_ffn){.act = s->act, .precision = SKIP_PRECISION_INT8};
	node->param[2] = node->param[3] = SKIP_NONE;
	SKIP_TRY(skip_graph_create(&graph, err));
	SKIP_TRY(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, s->d, &node->in[0], err));
	if (s->residual) SKIP_TRY(skip_graph_add_value(graph, "residual", SKIP_ROWS_T, 0, s->n, &node->in[1], err));
	SKIP_TRY(add_param(graph, rng, "w1", s->f, s->d, 1 / sqrt(s->d), &node->param[0], err));
	SKIP_TRY(add_param(graph, rng, "w2", s->n, s->f, 1 / sqrt(s->f), &node->param[1], err));
	if (s->bias1) SKIP_TRY(add_param(graph, rng, "b1", s->f, 0, 1, &node->param[2], err));
	if (s->bias2) SKIP_TRY(add_param(graph, rng, "b2", s->n, 0, 1, &node->param[3], err));
	SKIP_TRY(skip_graph_add_node(graph, node, (const char *[]){"y"}, NULL, err));
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}

static enum skip_status keep(void *context, size_t first, const float *data, size_t count, struct skip_err *err)
{
	(void)err;
	memcpy((float *)context + first, data, count * sizeof(*data));
	return SKIP_OK;
}

static enum skip_status write_panels(struct skip_buf *out, const char *name, const struct skip_tensor *tensor, int outputs, struct skip_err *err)
{
	enum skip_status status;
	size_t n = 0;
	float *words = NULL, *stage = skip_alloc_array(SKIP_PACK_STAGE, sizeof(*stage));
	if (!stage) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers"));
	SKIP_TRY(skip_pack_count(tensor, SKIP_LAYOUT_S8X4, outputs, 0, &n, err));
	words = skip_alloc_array(n, sizeof(*words));
	if (!words) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers"));
	const struct skip_pack pack = {SKIP_LAYOUT_S8X4, outputs, 0, stage, SKIP_PACK_STAGE, keep, words};
	SKIP_TRY(skip_pack(&pack, tensor, err));
	write_words(out, name, words, n);
cleanup:
	skip_free(words);
	skip_free(stage);
	return status;
}

static double largest(const struct skip_tensor *tensor)
{
	double most = 0;
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) most = fmax(most, fabs(((const float *)tensor->owned)[i]));
	return most;
}

/* A bound of |hidden|: no activation of these makes a number larger. */
static double largest_hidden(const struct skip_ffn_shape *s, const double *x, const struct skip_tensor *w, const struct skip_tensor *bias)
{
	double most = 0;
	for (int m = 0; m < ROWS; m++) {
		for (int f = 0; f < s->f; f++) {
			double sum = bias ? ((const float *)bias->owned)[f] : 0;
			for (int d = 0; d < s->d; d++) sum += x[m * s->d + d] * (double)((const float *)w->owned)[f * s->d + d];
			most = fmax(most, fabs(sum));
		}
	}
	return most;
}

static void write_doubles(struct skip_buf *out, const char *name, const double *data, size_t n, float *scratch)
{
	for (size_t i = 0; i < n; i++) scratch[i] = (float)data[i];
	write_words(out, name, scratch, n);
}

static enum skip_status write_all(const struct skip_ffn_shape *s, const struct skip_graph *graph, const struct skip_node *node, const double *x, const double *residual,
				  const double *y, float *scratch, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_tensor *w1 = graph->tensors[node->param[0]], *w2 = graph->tensors[node->param[1]];
	const struct skip_tensor *b1 = s->bias1 ? graph->tensors[node->param[2]] : NULL, *b2 = s->bias2 ? graph->tensors[node->param[3]] : NULL;
	const float tolerance = (float)(largest_hidden(s, x, w1, b1) / 127 * largest(w2) * sqrt(s->f) + 1e-5);
	uint32_t bits;
	memcpy(&bits, &tolerance, sizeof(bits));
	skip_buf_printf(out, "rows %d\ntolerance %08x\n", ROWS, bits);
	write_doubles(out, "x", x, (size_t)ROWS * (size_t)s->d, scratch);
	SKIP_TRY(write_panels(out, "w1", w1, s->outputs, err));
	SKIP_TRY(write_panels(out, "w2", w2, s->outputs, err));
	if (b1) write_words(out, "b1", b1->owned, (size_t)s->f);
	if (b2) write_words(out, "b2", b2->owned, (size_t)s->n);
	if (s->residual) write_doubles(out, "residual", residual, (size_t)ROWS * (size_t)s->n, scratch);
	write_doubles(out, "y", y, (size_t)ROWS * (size_t)s->n, scratch);
cleanup:
	return status;
}

enum skip_status skip_ffn_vectors(const struct skip_graph *like_graph, const struct skip_node *like, const struct skip_profile *profile, struct skip_buf *out,
				  struct skip_err *err)
{
	enum skip_status status;
	const struct skip_ffn_shape s = skip_ffn_shape_of(like_graph, like, profile);
	const int32_t zeros[ROWS] = {0}, offset[2] = {0, ROWS};
	const struct skip_batch batch = {ROWS, 1, zeros, zeros, offset};
	const size_t widest = (size_t)ROWS * (size_t)(s.d > s.n ? s.d : s.n);
	struct skip_graph *graph = NULL;
	struct skip_node node;
	struct skip_rng rng;
	struct skip_ref_result result = {0};
	double *x = skip_alloc_array(widest, sizeof(*x)), *residual = skip_alloc_array(widest, sizeof(*residual));
	float *scratch = skip_alloc_array(widest, sizeof(*scratch));
	if (!x || !residual || !scratch) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers"));
	skip_rng_init(&rng, 1, "vectors");
	for (size_t i = 0; i < widest; i++) x[i] = (float)skip_rng_normal(&rng);
	for (size_t i = 0; i < widest; i++) residual[i] = (float)skip_rng_normal(&rng);
	SKIP_TRY(make_graph(&s, &rng, &graph, &node, err));
	const struct skip_ref_input input[2] = {{node.in[0], x}, {s.residual ? node.in[1] : SKIP_NONE, residual}};
	SKIP_TRY(skip_reference_run(graph, &batch, input, 1 + s.residual, 0, &result, err));
	status = write_all(&s, graph, &node, x, residual, result.data[node.out[0]], scratch, out, err);
cleanup:
	skip_reference_free(&result);
	skip_graph_destroy(graph);
	skip_free(scratch);
	skip_free(residual);
	skip_free(x);
	return status;
}
