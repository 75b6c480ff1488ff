/*
 * Compensation: refits what reads the pruned units so that the pruned stream follows the dense one, sub-layer by sub-layer, bottom-up
 * (docs/method.md 5, asymmetric form). Both networks advance on the device through node ranges; the streams wait on the host in between, so
 * that all rows are seen before a sub-layer's new weights are used. The numbers are ridge.c's.
 *
 * The pruned network runs in the dense one's shape, with zeros where units went and masks where slots did (zero.c), and is cut to size at the end: no choice of widths
 * needs programs of its own, and every probe of a search runs the same ones.
 *
 * Of a sub-layer (refit_sites.h) three things are refitted in turn: the linears that read the stream, the consumer, the norm behind it. The classifier comes last.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include "method/predict.h"
#include "method/search/calibration.h"
#include "method/search/refit_head.h"
#include "method/search/refit_norm.h"
#include "method/search/refit_qk.h"
#include "method/search/refit_sites.h"
#include "method/search/ridge.h"
#include "method/search/search.h"
#include "method/search/zero.h"
#include <limits.h>
#include <math.h>
#include <string.h>

#define MOMENT_TOKENS 8192 /* for the second moments of queries and keys, at most E numbers wide */
#define POOLED_DAMPING 0.1	/* last layer where one row per sentence is pooled */
#define CLASSIFIER_DAMPING 1.0	/* few sentences for so many inputs, and the same that everything below was fitted to */
#define POOLED_ROWS_PER_INPUT 4 /* fewer: only the bias is fitted */

/* One network: its graph and session, its sub-layers, its stream. */
struct network {
	struct skip_site_values *sub;
	struct skip_session *session;
	float *stream; /* [rows][D] */
	int at;	       /* session value the stream holds, SKIP_NONE before the first */
	int pooled;    /* value that the classifier reads; SKIP_NONE: it stays as it is */
};

struct compensation {
	const struct skip_compensate_options *options;
	const struct skip_progress *progress;
	const struct skip_units *units;
	const struct skip_keep *keep;
	struct skip_graph *result; /* in the dense graph's shape */
	struct network dense, pruned;
	struct skip_refit_sites sites; /* in the result graph */
	int n_sub, width;	       /* sub-layers, D */
	enum skip_pool pool;	       /* of the dense graph */
	struct skip_calibration rows;
	float *in, *target;   /* [rows][widest], [rows][D] */
	float *delta, *shift; /* of what the readers read: [D][D], [D] */
};

/* ---- sessions and rows */

static enum skip_status find_sites(struct compensation *c, const struct skip_graph *dense, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct network *const network[2] = {&c->dense, &c->pruned};
	c->pool = skip_calibration_pool(dense);
	SKIP_TRY(skip_refit_sites_find(dense, c->units, c->options->mode == SKIP_COMPENSATE_LS, c->result, &c->sites, err));
	c->n_sub = (int)c->sites.n;
	for (int i = 0; i < 2; i++) {
		network[i]->sub = skip_alloc_array(c->sites.n, sizeof(*network[i]->sub));
		if (!network[i]->sub) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%d sub-layers", c->n_sub));
		for (size_t s = 0; s < c->sites.n; s++) network[i]->sub[s] = c->sites.site[s].value;
		network[i]->pooled = c->sites.pooled;
	}
cleanup:
	return status;
}

/* Fuses the part of the graph that the sub-layers need and opens it; indices in `sub` become those of the session's graph. */
static enum skip_status open_network(struct network *network, struct skip_device *device, const struct skip_graph *graph, int n_sub,
				     bool with_in, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int **place = skip_alloc_array(4 * (size_t)n_sub + 1, sizeof(*place));
	size_t n = 0;
	if (!place) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%d sub-layers", n_sub);
		goto cleanup;
	}
	for (int s = 0; s < n_sub; s++) {
		/* the dense network shows R, the pruned one In */
		int *const of[4] = {&network->sub[s].x, &network->sub[s].read, with_in ? &network->sub[s].in : &network->sub[s].r, &network->sub[s].next};
		for (int i = 0; i < 4; i++) place[n++] = of[i];
	}
	if (network->pooled != SKIP_NONE) place[n++] = &network->pooled;
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
	if (c->width > widest) widest = c->width;
	c->in = skip_alloc_array(c->rows.n_rows, (size_t)widest * sizeof(float));
	c->delta = skip_alloc_array((size_t)c->width, (size_t)c->width * sizeof(float));
	c->shift = skip_alloc_array((size_t)c->width, sizeof(float));
	if (!c->dense.stream || !c->pruned.stream || !c->target || !c->in || !c->delta || !c->shift)
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
static enum skip_status finish_pruned(struct compensation *c, const struct skip_site_values *sub, int cols, struct skip_err *err)
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
		const struct skip_tensor *tensor = graph->tensors[t];
		bool holds = tensor == c->result->tensors[index];
		for (int p = 0; p < tensor->n_parts; p++) holds |= tensor->part[p] == c->result->tensors[index];
		if (holds) return skip_session_update(c->pruned.session, (int)t, err);
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

static const int *pooled_rows(const struct compensation *c)
{
	return c->pool == SKIP_POOL_LAST ? c->rows.last_row : c->rows.first_row;
}

/* Only the rows that are pooled count. */
static void use_pooled_rows(const struct compensation *c, struct skip_ridge *problem)
{
	problem->row = pooled_rows(c);
	problem->n = c->rows.data.n_rows;
	problem->damping = fmax(problem->damping, POOLED_DAMPING);
	problem->bias_only |= problem->n < (size_t)POOLED_ROWS_PER_INPUT * (size_t)problem->width;
}

/* Into `in` and `target`: what the readers of sub-layer `s` read in the pruned network, and how far it is behind the dense one. */
static enum skip_status read_inputs(struct compensation *c, int s, bool *differ, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t cells = c->rows.n_rows * (size_t)c->width;
	struct network *const network[2] = {&c->pruned, &c->dense};
	float *const into[2] = {c->in, c->target};
	for (int i = 0; i < 2; i++) {
		const struct skip_site_values *sub = &network[i]->sub[s];
		if (sub->read == sub->x) memcpy(into[i], network[i]->stream, cells * sizeof(float));
		else
			SKIP_TRY(advance(c, network[i], sub->read, sub->read, into[i], c->width, err));
	}
	*differ = memcmp(c->in, c->target, cells * sizeof(float)) != 0;
	for (size_t i = 0; i < cells; i++) c->target[i] -= c->in[i];
cleanup:
	return status;
}

/* The linears that read the stream take back what of its error is linear in it: Nd ~ Np + delta Np + shift, pulled towards Np. */
static enum skip_status fit_readers(struct compensation *c, int s, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_refit_site *site = &c->sites.site[s];
	const struct skip_readers *readers = &site->readers;
	bool differ;
	struct skip_ridge problem = {.in = c->in,
				     .target = c->target,
				     .n = c->rows.n_rows,
				     .width = c->width,
				     .outputs = c->width,
				     .damping = c->options->damping,
				     .through_origin = !readers->biased};
	if (readers->n == 0) return SKIP_OK;
	SKIP_TRY(read_inputs(c, s, &differ, err));
	if (!differ) return SKIP_OK;
	if (site->pooled && c->units->group[site->group].kind == SKIP_UNIT_FFN) use_pooled_rows(c, &problem);
	if (problem.bias_only) return SKIP_OK;
	memset(c->delta, 0, (size_t)c->width * (size_t)c->width * sizeof(float));
	SKIP_TRY(skip_ridge_fit(&problem, c->delta, c->shift, err));
	SKIP_TRY(skip_readers_move(c->result, readers, c->delta, readers->biased ? c->shift : NULL, err));
	for (int i = 0; i < readers->n; i++) {
		SKIP_TRY(upload(c, readers->weight[i], err));
		SKIP_TRY(upload(c, readers->bias[i], err));
	}
cleanup:
	return status;
}

static enum skip_status fit(struct compensation *c, const struct skip_refit_site *site, int cols, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int kept, *column = list_kept(c, site->group, &kept);
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
	if (site->pooled) use_pooled_rows(c, &problem);
	SKIP_TRY(skip_ridge_fit(&problem, skip_tensor_f32(c->result->tensors[site->weight]),
				skip_tensor_f32(c->result->tensors[site->bias]), err));
	SKIP_TRY(upload(c, site->weight, err));
	SKIP_TRY(upload(c, site->bias, err));
cleanup:
	skip_free(column);
	return status;
}

/* gamma and beta of the norm behind the sub-layer bring each channel of the stream back; the stream moves with them. */
static enum skip_status fit_norm(struct compensation *c, int s, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_refit_site *site = &c->sites.site[s];
	if (site->norm == SKIP_NONE) return SKIP_OK;
	const int *param = c->result->nodes[site->norm].param;
	const struct skip_norm_fit fit = {.dense = c->dense.stream,
					  .row = site->pooled ? pooled_rows(c) : NULL,
					  .n = site->pooled ? c->rows.data.n_rows : c->rows.n_rows,
					  .n_rows = c->rows.n_rows,
					  .width = c->width,
					  .damping = c->options->damping};
	SKIP_TRY(skip_refit_norm(&fit, c->pruned.stream, skip_tensor_f32(c->result->tensors[param[0]]),
				 skip_tensor_f32(c->result->tensors[param[1]]), err));
	SKIP_TRY(upload(c, param[0], err));
	SKIP_TRY(upload(c, param[1], err));
cleanup:
	return status;
}

/* Whether anything is cut in the layers up to that of sub-layer `s`: before, the streams are one and nothing is to be refitted. */
static bool lost_so_far(const struct compensation *c, int s)
{
	const int layer = c->units->group[c->sites.site[s].group].layer;
	for (size_t g = 0; g < c->units->n_all; g++) {
		const struct skip_unit_group *group = &c->units->group[g];
		if (group->layer <= layer && memchr(c->keep->keep[g], 0, (size_t)group->width)) return true;
	}
	return false;
}

static enum skip_status compensate_sublayer(struct compensation *c, int s, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_site_values *dense = &c->dense.sub[s], *pruned = &c->pruned.sub[s];
	int cols = skip_session_graph(c->pruned.session)->values[pruned->in].cols;
	if (!lost_so_far(c, s)) return SKIP_OK; /* later ones bring the streams past it */
	SKIP_TRY(bring_to(c, &c->dense, dense->x, err));
	SKIP_TRY(bring_to(c, &c->pruned, pruned->x, err));
	SKIP_TRY(fit_readers(c, s, err));
	SKIP_TRY(advance(c, &c->dense, dense->next, dense->r, c->target, c->width, err));
	if (dense->next == dense->r) memcpy(c->dense.stream, c->target, c->rows.n_rows * (size_t)c->width * sizeof(*c->target));
	c->dense.at = dense->next;
	for (size_t i = 0; i < c->rows.n_rows * (size_t)c->width; i++) c->target[i] -= c->pruned.stream[i];
	SKIP_TRY(advance(c, &c->pruned, pruned->in, pruned->in, c->in, cols, err));
	SKIP_TRY(fit(c, &c->sites.site[s], cols, err));
	SKIP_TRY(finish_pruned(c, pruned, cols, err));
	SKIP_TRY(fit_norm(c, s, err));
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
	skip_refit_sites_deinit(&c->sites);
	skip_free(c->in);
	skip_free(c->target);
	skip_free(c->delta);
	skip_free(c->shift);
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

/* What the classifier reads, one row per sentence: from where the stream of `network` is. */
static enum skip_status read_pooled(struct compensation *c, const struct network *network, float *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session = network->session;
	const int cols = skip_session_graph(session)->values[network->pooled].cols;
	size_t row = 0, sentence = 0;
	for (size_t i = 0; i < c->rows.n_batches; i++) {
		const struct skip_batch *batch = &c->rows.packer[i].batch;
		SKIP_TRY(skip_session_set_batch(session, batch, err));
		SKIP_TRY(skip_session_write(session, network->at, network->stream + row * (size_t)c->width, err));
		SKIP_TRY(skip_session_enqueue(session, after(network, network->at), after(network, network->pooled), 0, err));
		SKIP_TRY(skip_session_read(session, network->pooled, out + sentence * (size_t)cols, err));
		row += (size_t)batch->n_tokens;
		sentence += (size_t)batch->n_seqs;
	}
cleanup:
	return status;
}

/* The classifier's answers on the pruned network's pooled vectors follow the dense network's. */
static enum skip_status fit_classifier(struct compensation *c, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (c->sites.classifier == SKIP_NONE || !lost_so_far(c, c->n_sub - 1)) return SKIP_OK;
	const struct skip_node *node = &c->result->nodes[c->sites.classifier];
	struct skip_tensor *weight = c->result->tensors[node->param[0]], *bias = c->result->tensors[node->param[1]];
	struct skip_head_fit fit = {.problem = c->rows.data.problem,
				    .n = c->rows.data.n_rows,
				    .width = (int)weight->dim[1],
				    .outputs = (int)weight->dim[0],
				    .damping = CLASSIFIER_DAMPING};
	float *dense = skip_alloc_array(fit.n, (size_t)fit.width * sizeof(*dense));
	float *pruned = skip_alloc_array(fit.n, (size_t)fit.width * sizeof(*pruned));
	if (!dense || !pruned) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "pooled vectors of %zu rows", fit.n));
	SKIP_TRY(read_pooled(c, &c->dense, dense, err));
	SKIP_TRY(read_pooled(c, &c->pruned, pruned, err));
	fit.dense = dense;
	fit.pruned = pruned;
	SKIP_TRY(skip_refit_head(&fit, skip_tensor_f32(weight), skip_tensor_f32(bias), err));
cleanup:
	skip_free(dense);
	skip_free(pruned);
	return status;
}

static enum skip_status compensate(struct compensation *c, struct skip_device *device, const struct skip_graph *dense,
				   const struct skip_dataset *calibration, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_zero_biases(c->result, c->units, err));
	SKIP_TRY(find_sites(c, dense, err));
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
	SKIP_TRY(fit_classifier(c, err));
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
