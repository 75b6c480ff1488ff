/*
 * Compensation: refits what reads the pruned units so that the pruned stream follows the dense one, sub-layer by sub-layer, bottom-up
 * (docs/method.md 6, asymmetric form). Both networks advance on the device through node ranges; the streams wait on the host in between, so
 * that all rows are seen before a sub-layer's new weights are used. The numbers are ridge.c's.
 *
 * The pruned network runs in the dense one's shape, with zeros where units went and masks where slots did (zero.c), and is cut to size at the end: no choice of widths
 * needs programs of its own, and every probe of a search runs the same ones.
 *
 * A sub-layer here is: X, [..., inputs In of the consumer, consumer W In + b], R = X + ..., Xn = LayerNorm(R), or Xn = R where the norms stand
 * inside the branches. A consumer without a bias gets one, because the fit has a mean to put somewhere.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "method/predict.h"
#include "method/search/calibration.h"
#include "method/search/refit_qk.h"
#include "method/search/ridge.h"
#include "method/search/search.h"
#include "method/search/zero.h"
#include <limits.h>
#include <math.h>
#include <string.h>

#define MOMENT_TOKENS 8192 /* for the second moments of queries and keys, at most E numbers wide */
#define POOLED_DAMPING 0.1	/* last layer where one row per sentence is pooled */
#define POOLED_ROWS_PER_INPUT 4 /* fewer: only the bias is fitted */

/* Value indices in one network's own graph, then (after opening) in its session's graph. SKIP_NONE: absent. */
struct sublayer {
	int x, in, r, next; /* X, In, R, Xn */
};

/* One network: its graph and session, its sub-layers, its stream. */
struct network {
	struct sublayer *sub;
	struct skip_session *session;
	float *stream; /* [rows][D] */
	int at;	       /* session value the stream holds, SKIP_NONE before the first */
};

/* What is refitted in the new graph. */
struct consumer {
	size_t group;	  /* whose units it reads */
	int weight, bias; /* tensors */
	bool pooled;	  /* only the pooled row of each sentence counts */
};

struct compensation {
	const struct skip_compensate_options *options;
	const struct skip_progress *progress;
	const struct skip_units *units;
	const struct skip_keep *keep;
	struct skip_graph *result; /* in the dense graph's shape */
	struct network dense, pruned;
	struct consumer *consumer;
	int n_sub, width; /* sub-layers, D */
	enum skip_pool pool; /* of the dense graph */
	struct skip_calibration rows;
	float *in, *target; /* [rows][widest], [rows][D] */
};

/* ---- finding sub-layers */

static int first_reader(const struct skip_graph *graph, int value)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int i = 0; i < graph->nodes[n].n_in; i++) {
			if (graph->nodes[n].in[i] == value) return (int)n;
		}
	}
	return SKIP_NONE;
}

/* Sub-layer of the dense graph behind `group`; false when the graph is not of the canonical form. */
static bool find_dense(const struct skip_graph *graph, const struct skip_unit_group *group, struct sublayer *out)
{
	if (group->consumer == SKIP_NONE) return false;
	int y = graph->nodes[group->consumer].out[0], add = first_reader(graph, y);
	if (add == SKIP_NONE || graph->nodes[add].op != skip_op_find("add")) return false;
	const struct skip_node *sum = &graph->nodes[add];
	int r = sum->out[0], norm = first_reader(graph, r), readers = 0;
	for (size_t n = 0; n < graph->n_nodes; n++)
		for (int i = 0; i < graph->nodes[n].n_in; i++) readers += graph->nodes[n].in[i] == r;
	bool behind = readers == 1 && graph->nodes[norm].op == skip_op_find("layernorm"); /* LayerNorm(R) is all that goes on */
	*out = (struct sublayer){
	    .x = sum->in[0] == y ? sum->in[1] : sum->in[0], .in = group->post, .r = r, .next = behind ? graph->nodes[norm].out[0] : r};
	return true;
}

/* What is refitted behind group `g`. */
static void find_consumer(const struct compensation *c, size_t g, struct consumer *out)
{
	const struct skip_node *node = &c->result->nodes[c->units->group[g].consumer];
	*out = (struct consumer){.group = g, .weight = node->param[0], .bias = node->param[1]};
}

static enum skip_status find_sublayers(struct compensation *c, const struct skip_graph *dense, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int last_layer = 0;
	c->pool = skip_calibration_pool(dense);
	c->dense.sub = skip_alloc_zeroed(c->units->n_groups, sizeof(*c->dense.sub));
	c->pruned.sub = skip_alloc_zeroed(c->units->n_groups, sizeof(*c->pruned.sub));
	c->consumer = skip_alloc_zeroed(c->units->n_groups, sizeof(*c->consumer));
	if (!c->dense.sub || !c->pruned.sub || !c->consumer) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", c->units->n_groups);
		goto cleanup;
	}
	for (size_t g = 0; g < c->units->n_groups; g++) {
		if (c->units->group[g].layer > last_layer) last_layer = c->units->group[g].layer;
	}
	for (size_t g = 0; g < c->units->n_groups; g++) {
		const struct skip_unit_group *group = &c->units->group[g];
		/* A qk dim has no linear consumer; one that several layers share cannot follow each of their streams. */
		if (group->kind == SKIP_UNIT_QK || group->n_uses > 1) continue;
		if (!find_dense(dense, group, &c->dense.sub[c->n_sub])) {
			status = skip_err_set(err, SKIP_ERR_UNSUPPORTED,
					      "layer %d: compensation expects linear and add behind its %s units", group->layer,
					      skip_unit_kind_name(group->kind));
			goto cleanup;
		}
		c->pruned.sub[c->n_sub] = c->dense.sub[c->n_sub];
		find_consumer(c, g, &c->consumer[c->n_sub]);
		c->consumer[c->n_sub].pooled = c->pool != SKIP_POOL_MEAN && group->layer == last_layer;
		SKIP_TRY(skip_graph_own_tensor(c->result, c->consumer[c->n_sub].weight, err));
		SKIP_TRY(skip_graph_own_tensor(c->result, c->consumer[c->n_sub].bias, err));
		c->n_sub++;
	}
cleanup:
	return status;
}

/* ---- sessions and rows */

/* Fuses the part of the graph that the sub-layers need and opens it; indices in `sub` become those of the session's graph. */
static enum skip_status open_network(struct network *network, struct skip_device *device, const struct skip_graph *graph, int n_sub,
				     bool with_in, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int **place = skip_alloc_array(3 * (size_t)n_sub, sizeof(*place));
	size_t n = 0;
	if (!place) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%d sub-layers", n_sub);
		goto cleanup;
	}
	for (int s = 0; s < n_sub; s++) {
		/* the dense network shows R, the pruned one In */
		int *const of[3] = {&network->sub[s].x, with_in ? &network->sub[s].in : &network->sub[s].r, &network->sub[s].next};
		for (int i = 0; i < 3; i++) {
			place[n++] = of[i];
		}
	}
	SKIP_TRY(skip_open_values(device, graph, place, n, &network->session, err));
	network->at = SKIP_NONE;
cleanup:
	skip_free(place);
	return status;
}

static enum skip_status alloc_streams(struct compensation *c, struct skip_err *err)
{
	const struct skip_graph *graph = skip_session_graph(c->pruned.session);
	int widest = 0;
	for (int s = 0; s < c->n_sub; s++) {
		if (graph->values[c->pruned.sub[s].in].cols > widest) widest = graph->values[c->pruned.sub[s].in].cols;
	}
	c->width = c->n_sub ? graph->values[c->pruned.sub[0].x].cols : 0;
	c->dense.stream = skip_alloc_array(c->rows.n_rows, (size_t)c->width * sizeof(float));
	c->pruned.stream = skip_alloc_array(c->rows.n_rows, (size_t)c->width * sizeof(float));
	c->target = skip_alloc_array(c->rows.n_rows, (size_t)c->width * sizeof(float));
	c->in = skip_alloc_array(c->rows.n_rows, (size_t)widest * sizeof(float));
	if (!c->dense.stream || !c->pruned.stream || !c->target || !c->in)
		return skip_err_set(err, SKIP_ERR_NOMEM, "streams of %zu rows", c->rows.n_rows);
	return SKIP_OK;
}

/* ---- advancing */

static size_t after(const struct network *network, int value)
{
	return value == SKIP_NONE ? 0 : (size_t)skip_session_graph(network->session)->values[value].producer + 1;
}

/* For every batch: sets it, puts the stream back, runs up to value `to`. `seen` of them is read into rows of `into` after each. */
static enum skip_status advance(struct compensation *c, struct network *network, int to, int seen, float *into, int cols,
				struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t row = 0;
	for (size_t i = 0; i < c->rows.n_batches; i++) {
		const struct skip_batch *batch = &c->rows.packer[i].batch;
		SKIP_TRY(skip_session_set_batch(network->session, batch, err));
		float *stream = network->stream + row * (size_t)c->width;
		if (network->at != SKIP_NONE) SKIP_TRY(skip_session_write(network->session, network->at, stream, err));
		SKIP_TRY(skip_session_enqueue(network->session, after(network, network->at), after(network, to), 0, err));
		if (seen != SKIP_NONE) SKIP_TRY(skip_session_read(network->session, seen, into + row * (size_t)cols, err));
		if (into != network->stream && seen != to) SKIP_TRY(skip_session_read(network->session, to, stream, err));
		row += (size_t)batch->n_tokens;
	}
cleanup:
	return status;
}

/* Brings a stream to value `x`, from the tokens or across sub-layers that vanished in both networks. */
static enum skip_status bring_to(struct compensation *c, struct network *network, int x, struct skip_err *err)
{
	if (network->at == x) return SKIP_OK;
	enum skip_status status = advance(c, network, x, x, network->stream, c->width, err);
	if (status == SKIP_OK) network->at = x;
	return status;
}

/* The pruned stream passes the refitted consumer: In and X go back to the device, Xn comes out. */
static enum skip_status finish_pruned(struct compensation *c, const struct sublayer *sub, int cols, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session = c->pruned.session;
	size_t row = 0, first = after(&c->pruned, sub->in);
	for (size_t i = 0; i < c->rows.n_batches; i++) {
		const struct skip_batch *batch = &c->rows.packer[i].batch;
		float *stream = c->pruned.stream + row * (size_t)c->width;
		SKIP_TRY(skip_session_set_batch(session, batch, err));
		SKIP_TRY(skip_session_write(session, sub->x, stream, err));
		SKIP_TRY(skip_session_write(session, sub->in, c->in + row * (size_t)cols, err));
		SKIP_TRY(skip_session_enqueue(session, first, after(&c->pruned, sub->next), 0, err));
		SKIP_TRY(skip_session_read(session, sub->next, stream, err));
		row += (size_t)batch->n_tokens;
	}
	c->pruned.at = sub->next;
cleanup:
	return status;
}

/* ---- fitting */

/* Uploads tensor `index` of the result graph again. */
static enum skip_status upload(struct compensation *c, int index, struct skip_err *err)
{
	const struct skip_graph *graph = skip_session_graph(c->pruned.session);
	for (size_t t = 0; index != SKIP_NONE && t < graph->n_tensors; t++) {
		if (graph->tensors[t] == c->result->tensors[index]) return skip_session_update(c->pruned.session, (int)t, err);
	}
	return SKIP_OK;
}

/* The columns of the units that stay; *n of them. */
static int *list_kept(const struct compensation *c, size_t group, int *n)
{
	const struct skip_unit_group *units = &c->units->group[group];
	int *column = skip_alloc_array((size_t)units->width, sizeof(*column));
	*n = 0;
	for (int j = 0; column && j < units->width; j++) {
		if (c->keep->keep[group][j]) column[(*n)++] = j;
	}
	return column;
}

static enum skip_status fit(struct compensation *c, const struct consumer *consumer, int cols, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int kept, *column = list_kept(c, consumer->group, &kept);
	if (!column) return skip_err_set(err, SKIP_ERR_NOMEM, "list of %d units", cols);
	struct skip_ridge problem = {.in = c->in,
				     .target = c->target,
				     .n = c->rows.n_rows,
				     .stride = cols,
				     .column = column,
				     .width = kept,
				     .outputs = c->width,
				     .damping = c->options->damping,
				     .bias_only = c->options->mode == SKIP_COMPENSATE_BIAS};
	if (consumer->pooled) {
		problem.row = c->pool == SKIP_POOL_LAST ? c->rows.last_row : c->rows.first_row;
		problem.n = c->rows.data.n_rows;
		problem.damping = fmax(problem.damping, POOLED_DAMPING);
		problem.bias_only |= problem.n < (size_t)POOLED_ROWS_PER_INPUT * (size_t)kept;
	}
	SKIP_TRY(skip_ridge_fit(&problem, skip_tensor_f32(c->result->tensors[consumer->weight]),
				skip_tensor_f32(c->result->tensors[consumer->bias]), err));
	SKIP_TRY(upload(c, consumer->weight, err));
	SKIP_TRY(upload(c, consumer->bias, err));
cleanup:
	skip_free(column);
	return status;
}

static void log_distance(const struct compensation *c, int s)
{
	double off = 0, size = 0;
	for (size_t i = 0; i < c->rows.n_rows * (size_t)c->width; i++) {
		double d = (double)c->pruned.stream[i] - c->dense.stream[i];
		off += d * d;
		size += (double)c->dense.stream[i] * c->dense.stream[i];
	}
	skip_log(SKIP_LOG_DEBUG, "compensate: sub-layer %d, pruned stream is off by %.4f", s, size > 0 ? sqrt(off / size) : 0);
}

static enum skip_status compensate_sublayer(struct compensation *c, int s, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct sublayer *dense = &c->dense.sub[s], *pruned = &c->pruned.sub[s];
	int cols = skip_session_graph(c->pruned.session)->values[pruned->in].cols;
	SKIP_TRY(bring_to(c, &c->dense, dense->x, err));
	SKIP_TRY(bring_to(c, &c->pruned, pruned->x, err));
	SKIP_TRY(advance(c, &c->dense, dense->next, dense->r, c->target, c->width, err));
	if (dense->next == dense->r) memcpy(c->dense.stream, c->target, c->rows.n_rows * (size_t)c->width * sizeof(*c->target));
	c->dense.at = dense->next;
	for (size_t i = 0; i < c->rows.n_rows * (size_t)c->width; i++) c->target[i] -= c->pruned.stream[i];
	SKIP_TRY(advance(c, &c->pruned, pruned->in, pruned->in, c->in, cols, err));
	SKIP_TRY(fit(c, &c->consumer[s], cols, err));
	SKIP_TRY(finish_pruned(c, pruned, cols, err));
	log_distance(c, s);
cleanup:
	return status;
}

static void compensation_deinit(struct compensation *c)
{
	skip_session_destroy(c->dense.session);
	skip_session_destroy(c->pruned.session);
	skip_free(c->dense.sub);
	skip_free(c->pruned.sub);
	skip_free(c->dense.stream);
	skip_free(c->pruned.stream);
	skip_free(c->consumer);
	skip_free(c->in);
	skip_free(c->target);
	skip_calibration_deinit(&c->rows);
	skip_graph_destroy(c->result);
}

/* Queries and keys of the groups that lose dims, before anything runs. */
static enum skip_status refit_qk(struct compensation *c, struct skip_device *device, const struct skip_graph *dense, const struct skip_dataset *calibration,
				 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_units *units = c->units;
	struct skip_moments moments = {0};
	struct skip_calibration rows = {0};
	const int64_t tokens = c->options->tokens < MOMENT_TOKENS ? c->options->tokens : MOMENT_TOKENS;
	bool *cut = skip_alloc_zeroed(units->n_groups, sizeof(*cut));
	if (!cut) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", units->n_groups);
	for (size_t g = 0; g < units->n_groups; g++)
		cut[g] = units->group[g].kind == SKIP_UNIT_QK && units->group[g].n_uses <= 1 &&
			 memchr(c->keep->keep[g], 0, (size_t)units->group[g].width);
	SKIP_TRY(skip_calibration_init(calibration, INT_MAX, tokens, c->options->seed, &rows, err));
	SKIP_TRY(skip_moments_collect(device, dense, units, &rows, cut, &moments, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		if (cut[g]) SKIP_TRY(skip_refit_qk(dense, units, g, &moments, c->keep->keep[g], c->options->damping, c->result, err));
	}
cleanup:
	skip_moments_deinit(&moments);
	skip_calibration_deinit(&rows);
	skip_free(cut);
	return status;
}

static enum skip_status compensate(struct compensation *c, struct skip_device *device, const struct skip_graph *dense,
				   const struct skip_dataset *calibration, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_zero_biases(c->result, c->units, err));
	SKIP_TRY(find_sublayers(c, dense, err));
	if (c->n_sub == 0) return SKIP_OK;
	SKIP_TRY(skip_calibration_init(calibration, INT_MAX, c->options->tokens, c->options->seed, &c->rows, err));
	if (c->options->mode == SKIP_COMPENSATE_LS) SKIP_TRY(refit_qk(c, device, dense, calibration, err));
	SKIP_TRY(open_network(&c->dense, device, dense, c->n_sub, false, err));
	SKIP_TRY(open_network(&c->pruned, device, c->result, c->n_sub, true, err));
	SKIP_TRY(alloc_streams(c, err));
	for (int s = 0; s < c->n_sub; s++) {
		if (!skip_progress_report(c->progress, "compensate", s, c->n_sub, "")) {
			status = skip_err_set(err, SKIP_ERR_INTERRUPTED, "compensation stopped after %d of %d sub-layers", s, c->n_sub);
			goto cleanup;
		}
		SKIP_TRY(compensate_sublayer(c, s, err));
	}
	skip_progress_report(c->progress, "compensate", c->n_sub, c->n_sub, "");
cleanup:
	return status;
}

enum skip_status skip_compensate_masked(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
					struct skip_keep *keep, const struct skip_dataset *calibration,
					const struct skip_compensate_options *options, const struct skip_progress *progress,
					struct skip_graph **out, double *seconds, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double start = skip_clock_seconds();
	struct compensation c = {.options = options, .progress = progress, .units = units, .keep = keep};
	if (options->mode != SKIP_COMPENSATE_NONE && (options->tokens < 1 || calibration->n_rows == 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "compensation needs rows to calibrate on");
	SKIP_TRY(skip_keep_normalise(units, keep, err));
	SKIP_TRY(skip_zero_units(dense, units, keep, &c.result, err));
	if (options->mode != SKIP_COMPENSATE_NONE) SKIP_TRY(compensate(&c, device, dense, calibration, err));
	*out = c.result;
	c.result = NULL;
	if (seconds) *seconds = skip_clock_seconds() - start;
cleanup:
	compensation_deinit(&c);
	return status;
}

enum skip_status skip_compensate_graph(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
				       struct skip_keep *keep, const struct skip_dataset *calibration,
				       const struct skip_compensate_options *options, const struct skip_progress *progress,
				       struct skip_graph **out, double *seconds, struct skip_err *err)
{
	struct skip_graph *masked = NULL;
	enum skip_status status = skip_compensate_masked(device, dense, units, keep, calibration, options, progress, &masked, seconds, err);
	if (status != SKIP_OK) return status;
	skip_unmask_slots(masked, units);
	status = skip_pass_prune(masked, units, keep, out, err);
	skip_graph_destroy(masked);
	return status;
}
