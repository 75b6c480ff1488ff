/* Probes of the searches: prober.h. */
#include "method/search/prober.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include "method/belief.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TIMING_BATCH 32
#define SURROGATE_SENTENCES 256
#define SURROGATE_TOKENS 8192
#define DECIDE_EVERY 64 /* rows of dev between two looks at the drop */
#define TIMING_SECONDS 0.2
#define TIMING_REPEATS 4

void skip_candidate_deinit(struct skip_candidate *candidate)
{
	skip_graph_destroy(candidate->graph);
	skip_keep_deinit(&candidate->keep);
	skip_free(candidate->logits);
	*candidate = (struct skip_candidate){0};
}

enum skip_status skip_prober_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data,
				    float **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session = NULL;
	float *logits = NULL;
	int value;
	SKIP_TRY(skip_open_inference(device, graph, "logits", false, &session, &value, err));
	logits = skip_alloc_array(data->n_rows * (size_t)skip_session_graph(session)->values[value].cols, sizeof(*logits));
	if (!logits) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu rows", data->n_rows);
		goto cleanup;
	}
	SKIP_TRY(skip_predict(session, value, data, 0, logits, NULL, err));
	*out = logits;
	logits = NULL;
cleanup:
	skip_free(logits);
	skip_session_destroy(session);
	return status;
}

/* What a target's amounts are shares of. A margin looks for the fastest network. */
static enum skip_cost cost_of(const struct skip_prune_options *o)
{
	return o->rate >= 0 ? SKIP_COST_PARAMS : o->flops > 0 ? SKIP_COST_MACS : SKIP_COST_TIME;
}

static enum skip_status init_allocator(struct skip_prober *p, struct skip_err *err)
{
	const struct skip_prune_options *o = p->options;
	struct skip_allocator *a = &p->allocator;
	a->allocation = skip_allocation_find(o->allocate);
	if (!a->allocation) return skip_err_set(err, SKIP_ERR_USAGE, "no allocation '%s'", o->allocate);
	a->kinds = o->kinds;
	a->classes = o->classes;
	a->on_board = o->board ? &p->on_board : NULL;
	a->cost = cost_of(o);
	a->input = (struct skip_allocation_input){.device = p->device,
						  .graph = p->dense,
						  .working = p->working,
						  .units = p->units,
						  .scores = p->scores,
						  .calibration = p->train,
						  .damping = o->compensate.damping,
						  .seed = o->seed,
						  .progress = p->progress};
	return skip_allocator_init(a, p->mean_length, o->time_table, &p->timing, p->timing_batch, err);
}

static enum skip_status take_timing(struct skip_prober *p, struct skip_err *err)
{
	p->timed = p->options->speedup > 0 || p->options->latency_ms > 0;
	p->timing_batch = p->options->latency_ms > 0 || p->options->board ? 1 : TIMING_BATCH;
	return skip_dataset_spread(p->dev, SKIP_TIMING_ROWS, &p->timing, err);
}

/* The first rows of dev must speak for all. */
static enum skip_status shuffle_dev(struct skip_prober *p, struct skip_err *err)
{
	struct skip_rng rng;
	int *order = skip_alloc_array(p->dev->n_rows, sizeof(*order));
	if (!order) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", p->dev->n_rows);
	skip_rng_init(&rng, p->options->seed, "dev order");
	skip_rng_permute(&rng, order, p->dev->n_rows);
	enum skip_status status = skip_dataset_take(p->dev, order, p->dev->n_rows, &p->shuffled, err);
	skip_free(order);
	if (status == SKIP_OK) p->dev = &p->shuffled;
	return status;
}

enum skip_status skip_prober_init(struct skip_prober *p, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	p->stop_margin = NAN;
	SKIP_TRY(skip_pass_precision(p->dense, p->options->precision, &p->working, err));
	SKIP_TRY(take_timing(p, err));
	SKIP_TRY(shuffle_dev(p, err));
	SKIP_TRY(skip_open_inference(p->device, p->dense, "logits", false, &p->dense_session, &p->dense_value, err));
	p->classes = skip_session_graph(p->dense_session)->values[p->dense_value].cols;
	p->dense_logits = skip_alloc_array(p->dev->n_rows * (size_t)p->classes, sizeof(*p->dense_logits));
	if (!p->dense_logits) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu rows", p->dev->n_rows);
		goto cleanup;
	}
	SKIP_TRY(skip_predict(p->dense_session, p->dense_value, p->dev, 0, p->dense_logits, NULL, err));
	p->calibration = skip_calibrate(p->dense_logits, p->dev, p->classes);
	p->mean_length = skip_dataset_mean_length(p->dev);
	if (p->options->board) SKIP_TRY(skip_on_board_init(p->options->board, p->options->board_precision, p->dense, p->mean_length, &p->on_board, err));
	SKIP_TRY(init_allocator(p, err));
cleanup:
	return status;
}

void skip_prober_deinit(struct skip_prober *p)
{
	skip_session_destroy(p->dense_session);
	skip_graph_destroy(p->working);
	skip_dataset_deinit(&p->timing);
	skip_dataset_deinit(&p->shuffled);
	skip_allocator_deinit(&p->allocator);
	skip_graph_destroy(p->stepped);
	skip_scores_deinit(&p->renewed);
	skip_trial_deinit(&p->trial);
	skip_options_deinit(&p->sublayers);
	skip_candidate_deinit(&p->last);
	skip_candidate_deinit(&p->best);
	skip_free(p->dense_logits);
	skip_free(p->trace);
}

void skip_prober_settle(struct skip_prober *p)
{
	if (!p->last.graph) return;
	const struct skip_probe_point *point = &p->trace[p->last.point];
	if (point->accepted && (!p->best.graph || point->rate > p->trace[p->best.point].rate)) {
		skip_candidate_deinit(&p->best);
		p->best = p->last;
		p->last = (struct skip_candidate){0};
	} else {
		skip_candidate_deinit(&p->last);
	}
}

/* Compensation inside a probe is part of the search: it keeps that stage and its note, and only asks whether to go on. */
static bool report_as_search(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
	const struct skip_prober *p = context;
	(void)stage, (void)done, (void)total, (void)note;
	return skip_progress_report(p->progress, "search", (int64_t)p->n_trace, 0, "");
}

struct skip_progress skip_prober_inside(struct skip_prober *p)
{
	return (struct skip_progress){.report = report_as_search, .context = p};
}

static double share_removed(const struct skip_prober *p, const struct skip_graph *cut)
{
	return 1 - (double)skip_graph_encoder_params(cut) / (double)skip_graph_encoder_params(p->dense);
}

static enum skip_status make_candidate(struct skip_prober *p, double share, struct skip_candidate *candidate, struct skip_probe_point *point,
				       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double seconds = 0;
	struct skip_graph *cut = NULL;
	const struct skip_progress inside = skip_prober_inside(p);
	SKIP_TRY(skip_allocator_choose(&p->allocator, share, &candidate->keep, err));
	SKIP_TRY(skip_compensate_graph(p->device, p->working, p->units, &candidate->keep, p->train, &p->options->compensate, &inside, &cut, &seconds, err));
	SKIP_TRY(skip_pass_precision(cut, SKIP_PRECISION_F32, &candidate->graph, err));
	point->removed = share_removed(p, candidate->graph);
	p->compensate_seconds += seconds;
cleanup:
	skip_graph_destroy(cut);
	return status;
}

/* Rows first .. first + n - 1 of dev through the network. */
static enum skip_status answer_rows(const struct skip_prober *p, struct skip_session *session, int value, size_t first, size_t n, float *logits,
				    struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset rows = {0};
	int index[DECIDE_EVERY];
	for (size_t i = 0; i < n; i++) index[i] = (int)(first + i);
	SKIP_TRY(skip_dataset_take(p->dev, index, n, &rows, err));
	SKIP_TRY(skip_predict(session, value, &rows, 0, logits + first * (size_t)p->classes, NULL, err));
cleanup:
	skip_dataset_deinit(&rows);
	return status;
}

/* Answers as many of dev's rows, in order, as it takes to see that the drop is too much; *seen of them. */
static enum skip_status answer_until_lost(const struct skip_prober *p, const struct skip_graph *graph, float *logits, size_t *seen, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session = NULL;
	struct skip_dataset rows = *p->dev; /* its first rows */
	struct skip_paired paired;
	int value;
	SKIP_TRY(skip_open_inference(p->device, graph, "logits", false, &session, &value, err));
	for (rows.n_rows = 0; rows.n_rows < p->dev->n_rows;) {
		size_t left = p->dev->n_rows - rows.n_rows, n = left < DECIDE_EVERY ? left : DECIDE_EVERY;
		SKIP_TRY(answer_rows(p, session, value, rows.n_rows, n, logits, err));
		rows.n_rows += n;
		skip_compare_at(p->dense_logits, logits, &rows, p->classes, p->calibration, &paired);
		if (skip_margin_is_lost(p->stop_margin, &paired, rows.n_rows)) break;
	}
	*seen = rows.n_rows;
cleanup:
	skip_session_destroy(session);
	return status;
}

static enum skip_status evaluate(struct skip_prober *p, struct skip_candidate *candidate, struct skip_probe_point *point,
				 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset rows = *p->dev; /* those that were answered */
	if (isnan(p->stop_margin)) {
		SKIP_TRY(skip_prober_logits(p->device, candidate->graph, p->dev, &candidate->logits, err));
	} else {
		candidate->logits = skip_alloc_zeroed(p->dev->n_rows, (size_t)p->classes * sizeof(float));
		if (!candidate->logits) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu rows", p->dev->n_rows));
		SKIP_TRY(answer_until_lost(p, candidate->graph, candidate->logits, &rows.n_rows, err));
	}
	point->answered = true;
	point->rows = rows.n_rows;
	SKIP_TRY(skip_measure(candidate->logits, &rows, p->classes, &point->metrics, NULL, err));
	skip_compare_at(p->dense_logits, candidate->logits, &rows, p->classes, p->calibration, &point->paired);
	point->kl = skip_divergence(p->dev->problem, p->dense_logits, candidate->logits, rows.n_rows, p->classes);
	point->macs_share = skip_graph_macs(candidate->graph, p->mean_length, true) / skip_graph_macs(p->dense, p->mean_length, true);
cleanup:
	return status;
}

enum skip_status skip_prober_begin(struct skip_prober *p, double share, struct skip_err *err)
{
	char note[64];
	skip_prober_settle(p);
	snprintf(note, sizeof(note), "share %.4f", share);
	if (!skip_progress_report(p->progress, "search", (int64_t)p->n_trace, 0, note))
		return skip_err_set(err, SKIP_ERR_INTERRUPTED, "search stopped after %zu probes", p->n_trace);
	if (!skip_grow((void **)&p->trace, &p->cap_trace, p->n_trace + 1, sizeof(*p->trace)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "trace of %zu probes", p->n_trace + 1);
	return SKIP_OK;
}

/* Both networks on the rows of the timing, in turn. */
static enum skip_status time_on_device(struct skip_prober *p, const struct skip_graph *cut, double *speedup, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session[2] = {NULL, p->dense_session};
	struct skip_timing timing[2];
	int value[2] = {SKIP_NONE, p->dense_value};
	SKIP_TRY(skip_open_inference(p->device, cut, "logits", true, &session[0], &value[0], err));
	SKIP_TRY(skip_measure_interleaved(session, value, 2, &p->timing, p->timing_batch, TIMING_REPEATS, TIMING_SECONDS, timing, err));
	p->dense_ms = timing[1].median_ms;
	*speedup = timing[0].speedup;
cleanup:
	skip_session_destroy(session[0]);
	return status;
}

/* As if the rows of the timing went to the board one by one. */
static enum skip_status time_on_board(struct skip_prober *p, const struct skip_graph *cut, double share, double *speedup, struct skip_err *err)
{
	const char *id = p->on_board.board->profile->id;
	double ms;
	bool fits;
	enum skip_status status = skip_on_board_ms(&p->on_board, cut, &ms, &fits, err);
	if (status != SKIP_OK) return status;
	if (!fits)
		return skip_err_set(err, SKIP_ERR_USAGE, "with %.1f %% less the layers have more shapes than %s has room for, an engine each; --classes K cuts them to K",
				    100 * share, id);
	p->dense_ms = p->on_board.dense_ms * (double)p->timing.n_rows;
	*speedup = p->on_board.dense_ms / ms;
	return SKIP_OK;
}

enum skip_status skip_prober_measure(struct skip_prober *p, double share, struct skip_probe_point **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_probe_point point = {.rate = fmin(share, p->allocator.largest)};
	struct skip_keep keep = {0};
	struct skip_graph *cut = NULL;
	const double start = skip_clock_seconds();
	SKIP_TRY(skip_prober_begin(p, point.rate, err));
	SKIP_TRY(skip_allocator_choose(&p->allocator, point.rate, &keep, err));
	SKIP_TRY(skip_pass_prune(p->dense, p->units, &keep, &cut, err));
	SKIP_TRY(p->options->board ? time_on_board(p, cut, point.rate, &point.speedup, err) : time_on_device(p, cut, &point.speedup, err));
	point.removed = share_removed(p, cut);
	point.macs_share = skip_graph_macs(cut, p->mean_length, true) / skip_graph_macs(p->dense, p->mean_length, true);
	point.seconds = skip_clock_seconds() - start;
	p->trace[p->n_trace] = point;
	*out = &p->trace[p->n_trace++];
cleanup:
	skip_graph_destroy(cut);
	skip_keep_deinit(&keep);
	return status;
}

static enum skip_status open_trial(struct skip_prober *p, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_trial_options how = {.data = p->train,
					       .sentences = SURROGATE_SENTENCES,
					       .tokens = SURROGATE_TOKENS,
					       .moment_tokens = SURROGATE_TOKENS,
					       .damping = p->options->compensate.damping,
					       .seed = p->options->seed};
	if (p->trial.session) return SKIP_OK;
	SKIP_TRY(skip_options_init(p->dense, p->units, skip_device_profile(p->device), 0, false, p->mean_length, &p->sublayers, err));
	p->trial = (struct skip_trial){
	    .device = p->device, .graph = p->working, .units = p->units, .scores = p->scores, .options = &p->sublayers,
	    .slots = (p->allocator.kinds & SKIP_UNITS_PREFIX) != 0};
	SKIP_TRY(skip_trial_init(&p->trial, &how, err));
cleanup:
	return status;
}

enum skip_status skip_prober_divergence(struct skip_prober *p, struct skip_keep *keep, double kappa, double *kl, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(open_trial(p, err));
	SKIP_TRY(skip_keep_normalise(p->units, keep, err));
	SKIP_TRY(skip_trial_keep(&p->trial, keep, kappa, kl, err));
cleanup:
	return status;
}

enum skip_status skip_prober_surrogate(void *context, double share, double kappa, double *kl, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_prober *p = context;
	struct skip_probe_point point = {.rate = fmin(share, p->allocator.largest)};
	struct skip_keep keep = {0};
	double start = skip_clock_seconds();
	SKIP_TRY(skip_prober_begin(p, point.rate, err));
	SKIP_TRY(skip_allocator_choose(&p->allocator, point.rate, &keep, err));
	SKIP_TRY(skip_prober_divergence(p, &keep, kappa, &point.kl, err));
	*kl = point.kl;
	point.seconds = skip_clock_seconds() - start;
	point.accepted = *kl <= kappa;
	p->trace[p->n_trace++] = point;
cleanup:
	skip_keep_deinit(&keep);
	return status;
}

enum skip_status skip_prober_same(void *context, double share, double other, bool *same, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_prober *p = context;
	struct skip_keep a = {0}, b = {0};
	SKIP_TRY(skip_allocator_choose(&p->allocator, fmin(share, p->allocator.largest), &a, err));
	SKIP_TRY(skip_allocator_choose(&p->allocator, fmin(other, p->allocator.largest), &b, err));
	*same = true;
	for (size_t g = 0; g < p->units->n_all && *same; g++) *same = memcmp(a.keep[g], b.keep[g], (size_t)p->units->group[g].width) == 0;
cleanup:
	skip_keep_deinit(&a);
	skip_keep_deinit(&b);
	return status;
}

enum skip_status skip_prober_probe(void *context, double share, struct skip_probe_point **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_prober *p = context;
	struct skip_candidate candidate = {.point = p->n_trace};
	struct skip_probe_point point = {.rate = fmin(share, p->allocator.largest)};
	double start = skip_clock_seconds();
	char note[64];
	SKIP_TRY(skip_prober_begin(p, point.rate, err));
	SKIP_TRY(make_candidate(p, point.rate, &candidate, &point, err));
	SKIP_TRY(evaluate(p, &candidate, &point, err));
	point.seconds = skip_clock_seconds() - start;
	snprintf(note, sizeof(note), "%.1f %% removed, drop %.1f on dev", 100 * point.removed, point.paired.drop);
	skip_progress_report(p->progress, "search", (int64_t)p->n_trace + 1, 0, note);
	p->trace[p->n_trace] = point;
	*out = &p->trace[p->n_trace++];
	p->last = candidate;
	candidate = (struct skip_candidate){0};
cleanup:
	skip_candidate_deinit(&candidate);
	return status;
}
