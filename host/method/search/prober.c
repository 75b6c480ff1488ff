/* Probes of the searches: prober.h. */
#include "method/search/prober.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <stdio.h>

#define TIMING_ROWS 256
#define TIMING_BATCH 32
#define TIMING_REPEATS 5
#define TIMING_SECONDS 0.5

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

enum skip_status skip_prober_init(struct skip_prober *p, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int rows[TIMING_ROWS];
	int n = p->dev->n_rows < TIMING_ROWS ? (int)p->dev->n_rows : TIMING_ROWS;
	SKIP_TRY(skip_open_inference(p->device, p->dense, "logits", false, &p->dense_session, &p->dense_value, err));
	p->classes = skip_session_graph(p->dense_session)->values[p->dense_value].cols;
	p->dense_logits = skip_alloc_array(p->dev->n_rows * (size_t)p->classes, sizeof(*p->dense_logits));
	if (!p->dense_logits) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu rows", p->dev->n_rows);
		goto cleanup;
	}
	SKIP_TRY(skip_predict(p->dense_session, p->dense_value, p->dev, 0, p->dense_logits, NULL, err));
	for (int i = 0; i < n; i++) rows[i] = i;
	if (p->options->speedup > 0) SKIP_TRY(skip_dataset_take(p->dev, rows, (size_t)n, &p->timing, err));
	p->largest = skip_select_largest(p->dense, p->units, p->options->kinds);
	p->mean_length = skip_dataset_mean_length(p->dev);
cleanup:
	return status;
}

void skip_prober_deinit(struct skip_prober *p)
{
	skip_session_destroy(p->dense_session);
	skip_dataset_deinit(&p->timing);
	skip_candidate_deinit(&p->last);
	skip_candidate_deinit(&p->best);
	skip_free(p->dense_logits);
	skip_free(p->trace);
}

void skip_prober_settle(struct skip_prober *p)
{
	if (!p->last.graph) return;
	const struct skip_probe_point *point = &p->trace[p->last.point];
	bool take = point->accepted;
	if (take && p->best.graph) {
		double best = p->trace[p->best.point].removed;
		take = p->options->speedup > 0 ? point->removed < best : point->removed > best;
	}
	if (take) {
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

static enum skip_status make_candidate(struct skip_prober *p, double rate, struct skip_candidate *candidate, struct skip_probe_point *point,
				       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *cut = NULL;
	double seconds = 0;
	const struct skip_progress inside = { .report = report_as_search, .context = p };
	SKIP_TRY(skip_select_rate(p->dense, p->units, p->scores, p->options->kinds, rate, &candidate->keep, &point->removed, err));
	SKIP_TRY(skip_pass_prune(p->dense, p->units, &candidate->keep, &cut, err));
	SKIP_TRY(skip_compensate_graph(p->device, p->dense, cut, &candidate->keep, p->train, &p->options->compensate, &inside, &candidate->graph,
				       &seconds, err));
	p->compensate_seconds += seconds;
cleanup:
	skip_graph_destroy(cut);
	return status;
}

static enum skip_status evaluate(struct skip_prober *p, struct skip_candidate *candidate, struct skip_probe_point *point,
				 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = p->dev->n_rows;
	SKIP_TRY(skip_prober_logits(p->device, candidate->graph, p->dev, &candidate->logits, err));
	SKIP_TRY(skip_measure(candidate->logits, p->dev, p->classes, &point->metrics, NULL, err));
	skip_compare(p->dense_logits, candidate->logits, p->dev, p->classes, &point->paired);
	point->kl = skip_divergence(p->dev->problem, p->dense_logits, candidate->logits, n, p->classes);
	point->macs_share = skip_graph_macs(candidate->graph, p->mean_length, true) / skip_graph_macs(p->dense, p->mean_length, true);
cleanup:
	return status;
}

static enum skip_status measure(struct skip_prober *p, const struct skip_candidate *candidate, double *speedup, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session[2] = {p->dense_session, NULL};
	int value[2] = {p->dense_value, SKIP_NONE};
	double ms[2][2];
	SKIP_TRY(skip_open_inference(p->device, candidate->graph, "logits", true, &session[1], &value[1], err));
	SKIP_TRY(skip_measure_interleaved(session, value, 2, &p->timing, TIMING_BATCH, TIMING_REPEATS, TIMING_SECONDS, ms, err));
	*speedup = ms[0][0] / ms[1][0];
cleanup:
	skip_session_destroy(session[1]);
	return status;
}

enum skip_status skip_prober_probe(void *context, double rate, struct skip_probe_point **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_prober *p = context;
	struct skip_candidate candidate = {.point = p->n_trace};
	struct skip_probe_point point = {.rate = rate};
	double start = skip_clock_seconds();
	char note[64];
	skip_prober_settle(p);
	snprintf(note, sizeof(note), "rate %.4f", rate);
	if (!skip_progress_report(p->progress, "search", (int64_t)p->n_trace, 0, note)) {
		status = skip_err_set(err, SKIP_ERR_INTERRUPTED, "search stopped after %zu probes", p->n_trace);
		goto cleanup;
	}
	if (!skip_grow((void **)&p->trace, &p->cap_trace, p->n_trace + 1, sizeof(*p->trace))) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "trace of %zu probes", p->n_trace + 1);
		goto cleanup;
	}
	SKIP_TRY(make_candidate(p, rate < p->largest ? rate : p->largest, &candidate, &point, err));
	SKIP_TRY(evaluate(p, &candidate, &point, err));
	if (p->options->speedup > 0) SKIP_TRY(measure(p, &candidate, &point.speedup, err));
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
