/*
 * One node under several tiles: a graph of the node alone on random numbers, its answer by the float64 reference, and for each tile a session, whose
 * answer is compared and whose time is taken.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "device/tune/internal.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RUN_SECONDS 0.003 /* of launches that are timed together */

/* Sequences and tokens of each: the batches that are timed, short ones and one that fills a chunk. */
static const int timed[][2] = {{1, 16}, {8, 16}, {32, 32}};
enum { TIMED = sizeof(timed) / sizeof(timed[0]), ANSWER_SEQS = 31, ANSWER_TOKENS = 61, MOST_TOKENS = 32 * 32 };

struct bench {
	const struct skip_trial *trial;
	struct skip_graph *graph; /* the node alone */
	int32_t zeros[MOST_TOKENS], answer_offset[ANSWER_SEQS + 1], offset[TIMED][33];
	struct skip_batch answer_batch, batch[TIMED];
	struct skip_profile profile; /* of the candidate at hand */
	struct skip_plan *plan[SKIP_SEARCH_MAX];
	struct skip_session *session[SKIP_SEARCH_MAX];
	int repeats[TIMED];
	double *known, *bound;
	size_t count;
};

/* Numbers of one stream, in magnitude where `magnitudes`. */
static void fill(float *out, size_t n, const char *stream, int index, bool magnitudes)
{
	struct skip_rng rng;
	skip_rng_init(&rng, (uint64_t)index, stream);
	for (size_t i = 0; i < n; i++) {
		out[i] = (float)skip_rng_normal(&rng);
		if (magnitudes) out[i] = fabsf(out[i]);
	}
}

static enum skip_status add_tensor(struct skip_graph *graph, const struct skip_tensor *like, int index, bool magnitudes, int *out, struct skip_err *err)
{
	enum skip_status status;
	char name[32];
	struct skip_tensor *tensor = NULL;
	snprintf(name, sizeof(name), "parameter%d", index);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, like->rank, like->dim, &tensor, err));
	fill(skip_tensor_f32(tensor), (size_t)skip_tensor_count(tensor), "tuning parameters", index, magnitudes);
	SKIP_TRY(skip_graph_add_tensor(graph, tensor, out, err));
cleanup:
	skip_tensor_unref(tensor);
	return status;
}

/* The node of the problem on values and tensors of its own; what stands twice stays one. */
static enum skip_status make_graph(const struct skip_trial *trial, bool magnitudes, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *like = trial->graph;
	struct skip_node node = trial->problem->node;
	struct skip_graph *graph = NULL;
	char name[SKIP_NODE_MAX_OUT][SKIP_NAME];
	const char *names[SKIP_NODE_MAX_OUT] = {NULL};
	SKIP_TRY(skip_graph_create(&graph, err));
	graph->prefix = like->prefix;
	graph->max_positions = like->max_positions;
	node.layer = SKIP_NONE;
	for (int i = 0; i < node.n_in; i++) {
		const int from = trial->problem->node.in[i];
		if (from == SKIP_NONE) continue;
		const struct skip_value *value = &like->values[from];
		node.in[i] = skip_graph_find_value(graph, value->name);
		if (node.in[i] == SKIP_NONE) SKIP_TRY(skip_graph_add_value(graph, value->name, value->rows, value->fixed_rows, value->cols, &node.in[i], err));
	}
	for (int p = 0; p < node.n_param; p++) {
		if (node.param[p] != SKIP_NONE) SKIP_TRY(add_tensor(graph, like->tensors[node.param[p]], p, magnitudes, &node.param[p], err));
	}
	for (int o = 0; o < node.n_out; o++) {
		if (node.out[o] == SKIP_NONE) continue;
		snprintf(name[o], sizeof(name[o]), "%s", like->values[node.out[o]].name);
		names[o] = name[o];
	}
	SKIP_TRY(skip_graph_add_node(graph, &node, names, NULL, err));
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}

static struct skip_batch batch_of(const struct bench *bench, int tokens, int seqs, const int32_t *offset)
{
	return (struct skip_batch){.n_tokens = tokens, .n_seqs = seqs, .ids = bench->zeros, .types = bench->zeros, .offset = offset};
}

/* The batch whose answer is compared has sequences of one token and a long one: odd counts of both kinds of rows. */
static void make_batches(struct bench *bench)
{
	for (int s = 0; s < ANSWER_SEQS; s++) bench->answer_offset[s] = s;
	bench->answer_offset[ANSWER_SEQS] = ANSWER_TOKENS;
	bench->answer_batch = batch_of(bench, ANSWER_TOKENS, ANSWER_SEQS, bench->answer_offset);
	for (int b = 0; b < TIMED; b++) {
		for (int s = 0; s <= timed[b][0]; s++) bench->offset[b][s] = s * timed[b][1];
		bench->batch[b] = batch_of(bench, timed[b][0] * timed[b][1], timed[b][0], bench->offset[b]);
	}
}

static bool is_input(const struct skip_graph *graph, size_t value) { return graph->values[value].producer == SKIP_NONE; }

static size_t numbers_of(const struct skip_graph *graph, size_t value, const struct skip_batch *batch)
{
	return (size_t)skip_value_rows(&graph->values[value], batch) * (size_t)graph->values[value].cols;
}

/* The result of the reference, all outputs end to end. */
static enum skip_status run_reference(const struct bench *bench, const struct skip_graph *graph, bool magnitudes, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_ref_input input[SKIP_NODE_MAX_IN];
	double *wide[SKIP_NODE_MAX_IN] = {NULL};
	float *narrow = NULL;
	size_t n = 0, at = 0;
	struct skip_ref_result result = {0};
	for (size_t v = 0; v < graph->n_values; v++) {
		if (!is_input(graph, v)) continue;
		const size_t count = numbers_of(graph, v, &bench->answer_batch);
		narrow = skip_alloc_array(count, sizeof(*narrow));
		wide[n] = skip_alloc_array(count, sizeof(**wide));
		if (!narrow || !wide[n]) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu numbers", count));
		fill(narrow, count, "tuning inputs", (int)v, magnitudes);
		for (size_t i = 0; i < count; i++) wide[n][i] = narrow[i];
		skip_free(narrow);
		narrow = NULL;
		input[n] = (struct skip_ref_input){(int)v, wide[n]};
		n++;
	}
	SKIP_TRY(skip_reference_run(graph, &bench->answer_batch, input, n, 0, &result, err));
	for (size_t v = 0; v < graph->n_values; v++) {
		if (is_input(graph, v)) continue;
		const size_t count = numbers_of(graph, v, &bench->answer_batch);
		memcpy(out + at, result.data[v], count * sizeof(*out));
		at += count;
	}
cleanup:
	for (size_t i = 0; i < SKIP_NODE_MAX_IN; i++) skip_free(wide[i]);
	skip_free(narrow);
	skip_reference_free(&result);
	return status;
}

/* What is right, and how far from it a right answer may be: so many roundings of the sum of magnitudes, or of the answer itself. */
static enum skip_status make_answer(struct bench *bench, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_tile_problem *problem = bench->trial->problem;
	struct skip_graph *magnitudes = NULL;
	for (size_t v = 0; v < bench->graph->n_values; v++) {
		if (!is_input(bench->graph, v)) bench->count += numbers_of(bench->graph, v, &bench->answer_batch);
	}
	bench->known = skip_alloc_array(bench->count, sizeof(*bench->known));
	bench->bound = skip_alloc_array(bench->count, sizeof(*bench->bound));
	if (!bench->known || !bench->bound) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an answer of %zu numbers", bench->count));
	SKIP_TRY(run_reference(bench, bench->graph, false, bench->known, err));
	if (problem->exact) {
		memcpy(bench->bound, bench->known, bench->count * sizeof(*bench->bound));
	} else {
		SKIP_TRY(make_graph(bench->trial, true, &magnitudes, err));
		SKIP_TRY(run_reference(bench, magnitudes, true, bench->bound, err));
	}
	/* An exact sum may be zero, where the reference's own roundings leave a little: far less than a step of int8. */
	double largest = 0;
	for (size_t i = 0; i < bench->count; i++) largest = fmax(largest, fabs(bench->known[i]));
	for (size_t i = 0; i < bench->count; i++) bench->bound[i] = problem->roundings * 0x1p-24 * fabs(bench->bound[i]) + 0x1p-40 * largest;
cleanup:
	skip_graph_destroy(magnitudes);
	return status;
}

static enum skip_status write_inputs(const struct bench *bench, struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	float *data = NULL;
	for (size_t v = 0; v < bench->graph->n_values; v++) {
		if (!is_input(bench->graph, v)) continue;
		const size_t count = numbers_of(bench->graph, v, &bench->answer_batch);
		data = skip_alloc_array(count, sizeof(*data));
		if (!data) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu numbers", count));
		fill(data, count, "tuning inputs", (int)v, false);
		SKIP_TRY(skip_session_write(session, (int)v, data, err));
		skip_free(data);
		data = NULL;
	}
cleanup:
	skip_free(data);
	return status;
}

/* Lowers the node with the candidate's tile. */
static enum skip_status open_candidate(struct bench *bench, size_t candidate, struct skip_err *err)
{
	enum skip_status status;
	int wanted[SKIP_NODE_MAX_OUT];
	size_t n = 0;
	for (size_t v = 0; v < bench->graph->n_values; v++) {
		if (!is_input(bench->graph, v)) wanted[n++] = (int)v;
	}
	bench->profile = *skip_device_profile(bench->trial->device);
	bench->profile.tuned = &bench->trial->choice[candidate];
	bench->profile.n_tuned = 1;
	SKIP_TRY(skip_lower(bench->graph, &bench->profile, wanted, n, &bench->plan[candidate], err));
	SKIP_TRY(skip_session_create(bench->trial->device, bench->graph, bench->plan[candidate], false, &bench->session[candidate], err));
cleanup:
	return status;
}

static enum skip_status answer(void *context, size_t candidate, float *out, struct skip_err *err)
{
	enum skip_status status;
	struct bench *bench = context;
	size_t at = 0;
	SKIP_TRY(open_candidate(bench, candidate, err));
	struct skip_session *session = bench->session[candidate];
	SKIP_TRY(skip_session_set_batch(session, &bench->answer_batch, err));
	SKIP_TRY(write_inputs(bench, session, err));
	SKIP_TRY(skip_session_enqueue(session, 0, bench->graph->n_nodes, 0, err));
	for (size_t v = 0; v < bench->graph->n_values; v++) {
		if (is_input(bench->graph, v)) continue;
		SKIP_TRY(skip_session_read(session, (int)v, out + at, err));
		at += numbers_of(bench->graph, v, &bench->answer_batch);
	}
cleanup:
	return status;
}

/* `repeats` runs without a wait between them. */
static enum skip_status time_launches(struct bench *bench, size_t candidate, size_t batch, int repeats, double *seconds, struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session = bench->session[candidate];
	SKIP_TRY(skip_session_set_batch(session, &bench->batch[batch], err));
	SKIP_TRY(skip_session_finish(session, err));
	double start = skip_clock_seconds();
	for (int i = 0; i < repeats; i++) SKIP_TRY(skip_session_enqueue(session, 0, bench->graph->n_nodes, 0, err));
	SKIP_TRY(skip_session_finish(session, err));
	*seconds = (skip_clock_seconds() - start) / repeats;
cleanup:
	return status;
}

static enum skip_status time_candidate(void *context, size_t candidate, size_t batch, double *seconds, struct skip_err *err)
{
	enum skip_status status;
	struct bench *bench = context;
	/* The same number of runs for every candidate, found by the first that is timed; the very first run may compile. */
	while (bench->repeats[batch] == 0) {
		double once = 0;
		SKIP_TRY(time_launches(bench, candidate, batch, 1, &once, err));
		SKIP_TRY(time_launches(bench, candidate, batch, 1, &once, err));
		bench->repeats[batch] = once > RUN_SECONDS ? 1 : (int)(RUN_SECONDS / (once + 1e-6)) + 1;
	}
	status = time_launches(bench, candidate, batch, bench->repeats[batch], seconds, err);
cleanup:
	return status;
}

enum skip_status skip_trial_run(const struct skip_trial *trial, struct skip_verdict *out, struct skip_err *err)
{
	enum skip_status status;
	struct bench *bench = skip_alloc_zeroed(1, sizeof(*bench));
	if (!bench) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a trial");
	bench->trial = trial;
	make_batches(bench);
	SKIP_TRY(make_graph(trial, false, &bench->graph, err));
	SKIP_TRY(make_answer(bench, err));
	const struct skip_search search = {.n_candidates = trial->n, .n_batches = TIMED, .known = bench->known, .bound = bench->bound,
					   .count = bench->count, .answer = answer, .time = time_candidate, .context = bench};
	SKIP_TRY(skip_search_run(&search, out, err));
cleanup:
	for (size_t c = 0; c < trial->n; c++) {
		skip_session_destroy(bench->session[c]);
		skip_plan_destroy(bench->plan[c]);
	}
	skip_graph_destroy(bench->graph);
	skip_free(bench->known);
	skip_free(bench->bound);
	skip_free(bench);
	return status;
}
