/*
 * Known answers of a program that was not compiled here. Each kernel of the plan is run once, for the first node that uses it: its inputs are written, its
 * outputs read, and the float64 reference of that node alone, with the weights it has in the network, says what they should be. So a wrong kernel is
 * found by its own numbers, not by what a whole network makes of them, and layers that share a kernel cost nothing.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "device/run/run.h"
#include "graph/op.h"
#include "graph/rules.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One sequence of one token and one of a few: rows of T and of B differ, and neither fills a tile. */
enum { SEQS = 2, TOKENS = 5 };

struct trial {
	struct skip_session *session;
	struct skip_session_answer *answer;
	struct skip_batch batch;
	int32_t ids[TOKENS], types[TOKENS], places[TOKENS], offset[SEQS + 1];
	bool *done; /* [plan->n_kernels] */
	struct skip_rng rng;
};

/* ---- the batch ---- */

static bool is_embed(const struct skip_node *node) { return strcmp(node->op->name, "embed") == 0; }

/* Rows of parameter `p` that every embed node has. */
static int64_t rows_of_tables(const struct skip_graph *graph, int p)
{
	int64_t rows = INT_MAX;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (!is_embed(node) || p >= node->n_param || node->param[p] == SKIP_NONE) continue;
		if (graph->tensors[node->param[p]]->dim[0] < rows) rows = graph->tensors[node->param[p]]->dim[0];
	}
	return rows;
}

static void make_batch(struct trial *t)
{
	const struct skip_graph *graph = t->session->graph;
	const int64_t words = rows_of_tables(graph, 0), types = rows_of_tables(graph, 2);
	const int longest = graph->max_positions > 0 && graph->max_positions < TOKENS - 1 ? graph->max_positions : TOKENS - 1;
	t->offset[1] = 1;
	t->offset[2] = 1 + longest;
	for (int i = 0; i < TOKENS; i++) {
		t->ids[i] = (int32_t)skip_rng_below(&t->rng, (uint64_t)words);
		t->types[i] = types == INT_MAX ? 0 : (int32_t)(i % types);
		t->places[i] = i;
	}
	t->batch = (struct skip_batch){.n_tokens = t->offset[2], .n_seqs = SEQS, .ids = t->ids, .types = t->types, .offset = t->offset};
}

/* ---- one node by itself ---- */

/* A word table has as many rows as a vocabulary: the reference gets those of the batch, which its batch then counts from 0. */
static enum skip_status add_table(const struct trial *t, const struct skip_tensor *table, struct skip_graph *graph, int *out, struct skip_err *err)
{
	struct skip_tensor *rows = NULL;
	enum skip_status status = skip_tensor_spread(table, 0, t->ids, t->batch.n_tokens, &rows, err);
	if (status == SKIP_OK) status = skip_graph_add_tensor(graph, rows, out, err);
	skip_tensor_unref(rows);
	return status;
}

static enum skip_status copy_node(const struct trial *t, const struct skip_node *node, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *from = t->session->graph;
	struct skip_graph *graph = NULL;
	struct skip_node copy = *node;
	const char *names[SKIP_NODE_MAX_OUT] = {NULL};
	SKIP_TRY(skip_graph_create(&graph, err));
	graph->prefix = from->prefix;
	graph->max_positions = from->max_positions;
	for (int i = 0; i < node->n_in; i++) {
		if (node->in[i] == SKIP_NONE) continue;
		const struct skip_value *value = &from->values[node->in[i]];
		copy.in[i] = skip_graph_find_value(graph, value->name);
		if (copy.in[i] == SKIP_NONE) SKIP_TRY(skip_graph_add_value(graph, value->name, value->rows, value->fixed_rows, value->cols, &copy.in[i], err));
	}
	for (int p = 0; p < node->n_param; p++) {
		if (node->param[p] == SKIP_NONE) continue;
		struct skip_tensor *tensor = from->tensors[node->param[p]];
		SKIP_TRY(p == 0 && is_embed(node) ? add_table(t, tensor, graph, &copy.param[p], err) : skip_graph_add_tensor(graph, tensor, &copy.param[p], err));
	}
	for (int o = 0; o < node->n_out; o++) names[o] = node->out[o] == SKIP_NONE ? NULL : from->values[node->out[o]].name;
	SKIP_TRY(skip_graph_add_node(graph, &copy, names, NULL, err));
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}

/*
 * Inputs of `alone`, on the device and in double. Rows come in four sizes, so that what a kernel adds to a row (the eps of a norm) shows, and one row
 * in the place of another.
 */
static enum skip_status write_inputs(struct trial *t, const struct skip_graph *alone, struct skip_ref_input *input, double **wide, size_t *n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	float *narrow = NULL;
	*n = 0;
	for (size_t v = 0; v < alone->n_values; v++) {
		const struct skip_value *value = &alone->values[v];
		const size_t rows = (size_t)skip_value_rows(value, &t->batch), cols = (size_t)value->cols;
		if (value->producer != SKIP_NONE) continue;
		narrow = skip_alloc_array(rows * cols, sizeof(*narrow));
		wide[*n] = skip_alloc_array(rows * cols, sizeof(**wide));
		input[*n] = (struct skip_ref_input){(int)v, wide[*n]};
		if (!narrow || !wide[*n]) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu numbers", rows * cols));
		for (size_t i = 0; i < rows * cols; i++) {
			narrow[i] = (float)ldexp(skip_rng_normal(&t->rng), -3 * (int)(i / cols % 4));
			wide[*n][i] = narrow[i];
		}
		++*n;
		SKIP_TRY(skip_session_write(t->session, skip_graph_find_value(t->session->graph, value->name), narrow, err));
		skip_free(narrow);
		narrow = NULL;
	}
cleanup:
	skip_free(narrow);
	return status;
}

/* Of the largest number of a row, or of 1: see struct skip_session_answer. */
static double tolerance(const struct skip_graph *alone)
{
	int64_t most = 0;
	for (size_t v = 0; v < alone->n_values; v++) most = alone->values[v].cols > most ? alone->values[v].cols : most;
	for (size_t i = 0; i < alone->n_tensors; i++) {
		for (int d = 0; d < alone->tensors[i]->rank; d++) most = alone->tensors[i]->dim[d] > most ? alone->tensors[i]->dim[d] : most;
	}
	return skip_node_precision(&alone->nodes[0]) == SKIP_PRECISION_F32 ? ldexp(256.0 + 2.0 * (double)most, -24) : ldexp(1, -7);
}

/* Notes the number that is farthest off what it may be. */
static void compare(struct skip_session_answer *answer, const struct skip_value *value, int rows, double within, const float *got, const double *wanted, const char *kernel)
{
	for (int r = 0; r < rows; r++) {
		const size_t at = (size_t)r * (size_t)value->cols;
		double largest = 1;
		for (int c = 0; c < value->cols; c++) largest = fmax(largest, fabs(wanted[at + (size_t)c]));
		for (int c = 0; c < value->cols; c++) {
			const double expected = wanted[at + (size_t)c], found = (double)got[at + (size_t)c];
			const double share = isfinite(found) ? fabs(found - expected) / (within * largest) : (double)INFINITY;
			if (share <= answer->share && answer->kernel[0]) continue;
			answer->share = share;
			answer->expected = expected;
			answer->found = found;
			answer->allowed = within * largest;
			answer->row = r;
			answer->column = c;
			snprintf(answer->kernel, sizeof(answer->kernel), "%s", kernel);
			snprintf(answer->value, sizeof(answer->value), "%s", value->name);
		}
	}
	answer->numbers += rows * value->cols;
}

static enum skip_status compare_outputs(struct trial *t, const struct skip_graph *alone, const struct skip_ref_result *known, const char *kernel, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	float *got = NULL;
	for (size_t v = 0; v < alone->n_values; v++) {
		const struct skip_value *value = &alone->values[v];
		if (value->producer == SKIP_NONE) continue;
		got = skip_alloc_array((size_t)known->rows[v], (size_t)value->cols * sizeof(*got));
		if (!got) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d numbers", known->rows[v] * value->cols));
		SKIP_TRY(skip_session_read(t->session, skip_graph_find_value(t->session->graph, value->name), got, err));
		compare(t->answer, value, known->rows[v], tolerance(alone), got, known->data[v], kernel);
		skip_free(got);
		got = NULL;
	}
cleanup:
	skip_free(got);
	return status;
}

/* `kernel` is the one the node is run for. */
static enum skip_status check_node(struct trial *t, size_t n, const char *kernel, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_node *node = &t->session->graph->nodes[n];
	const struct skip_batch counted = {.n_tokens = t->batch.n_tokens, .n_seqs = SEQS, .ids = t->places, .types = t->types, .offset = t->offset};
	struct skip_graph *alone = NULL;
	struct skip_ref_input input[SKIP_NODE_MAX_IN];
	double *wide[SKIP_NODE_MAX_IN] = {NULL};
	struct skip_ref_result known = {0};
	size_t n_inputs = 0;
	SKIP_TRY(copy_node(t, node, &alone, err));
	SKIP_TRY(write_inputs(t, alone, input, wide, &n_inputs, err));
	SKIP_TRY(skip_session_enqueue(t->session, n, n + 1, 0, err));
	/* The device computes meanwhile. */
	SKIP_TRY(skip_reference_run(alone, &counted, input, n_inputs, 0, &known, err));
	status = compare_outputs(t, alone, &known, kernel, err);
cleanup:
	for (int i = 0; i < SKIP_NODE_MAX_IN; i++) skip_free(wide[i]);
	skip_reference_free(&known);
	skip_graph_destroy(alone);
	return status;
}

/* ---- all kernels ---- */

/* The first kernel of node `n` that nothing has run yet, SKIP_NONE where there is none; all of them count as run. */
static int take_kernels(const struct skip_plan *plan, size_t n, bool *done, int *count)
{
	int first = SKIP_NONE;
	for (size_t l = 0; l < plan->n_launches; l++) {
		const int kernel = plan->launches[l].kernel;
		if (plan->launches[l].node != (int)n || kernel == SKIP_NONE || done[kernel]) continue;
		done[kernel] = true;
		++*count;
		if (first == SKIP_NONE) first = kernel;
	}
	return first;
}

enum skip_status skip_answer_run(struct skip_session *session, struct skip_session_answer *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_plan *plan = session->plan;
	const double started = skip_clock_seconds();
	struct trial t = {.session = session, .answer = out};
	memset(out, 0, sizeof(*out));
	t.done = skip_alloc_zeroed(plan->n_kernels, sizeof(*t.done));
	if (!t.done) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers of %zu kernels", plan->n_kernels);
	skip_rng_init(&t.rng, 0, "known answers of a program");
	make_batch(&t);
	SKIP_TRY(skip_session_set_batch(session, &t.batch, err));
	for (size_t n = 0; n < session->graph->n_nodes; n++) {
		const int kernel = take_kernels(plan, n, t.done, &out->kernels);
		if (kernel != SKIP_NONE) SKIP_TRY(check_node(&t, n, plan->kernels[kernel].name, err));
	}
	out->tokens = t.batch.n_tokens;
	out->seconds = skip_clock_seconds() - started;
cleanup:
	session->sizes.of[SKIP_SIZE_T] = 0;
	skip_free(t.done);
	return status;
}
