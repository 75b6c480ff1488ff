/*
 * From a tuned dense network to the small one: at a rate, at a margin, or at a measured speed-up; then, when asked for, prompt and head are
 * tuned again with the dense network as teacher (docs/method.md 5, 7). Probes are prober.c's, margins are the searches'.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "method/search/prober.h"
#include "method/search/retune.h"
#include "method/search/times.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#define HIGHEST 0.95 /* share that searches look at */

void skip_prune_defaults(struct skip_prune_options *options)
{
	*options = (struct skip_prune_options){
	    .rate = -1,
	    .rounds = 1,
	    .margin = 1,
	    .margin_mode = SKIP_MARGIN_ADAPTIVE,
	    .search = "surrogate",
	    .compensate = {.mode = SKIP_COMPENSATE_LS, .damping = 1e-2, .tokens = 32768},
	};
	skip_retune_defaults(&options->retune);
}

bool skip_prune_by_margin(const struct skip_prune_options *options)
{
	return !(options->rate >= 0 || options->flops > 0 || options->speedup > 0 || options->latency_ms > 0);
}

void skip_prune_result_deinit(struct skip_prune_result *result)
{
	if (!result) return;
	skip_graph_destroy(result->graph);
	skip_keep_deinit(&result->keep);
	skip_free(result->trace);
	json_decref(result->time_table);
	*result = (struct skip_prune_result){0};
}

/* ---- the ways to a candidate */

static enum skip_status probe_share(struct skip_prober *prober, double share, struct skip_err *err)
{
	struct skip_probe_point *point = NULL;
	if (share > prober->allocator.largest)
		return skip_err_set(err, SKIP_ERR_USAGE, "a share of %.4f cannot be removed with these units, the largest possible is %.4f", share,
				    prober->allocator.largest);
	enum skip_status status = skip_prober_rounds(prober, share, err);
	if (status == SKIP_OK) status = skip_prober_restart(prober, share, err);
	if (status == SKIP_OK) status = skip_prober_probe(prober, share, &point, err);
	if (status == SKIP_OK) point->accepted = true;
	return status;
}

/* What was measured at `share`; 0 when it was taken from a time table. */
static double measured_speedup(const struct skip_prober *prober, double share)
{
	double speedup = 0;
	for (size_t i = 0; i < prober->n_trace; i++) {
		if (prober->trace[i].rate == share && prober->trace[i].round == 0) speedup = prober->trace[i].speedup;
	}
	return speedup;
}

static enum skip_status find_candidate(struct skip_prober *prober, bool *met, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_prune_options *o = prober->options;
	double share = 0;
	*met = true;
	if (o->rate >= 0) return probe_share(prober, o->rate, err);
	if (o->flops > 0) return probe_share(prober, o->flops, err);
	if (prober->timed) {
		struct skip_probe_point *point = NULL;
		if (o->rounds > 1) {
			SKIP_TRY(skip_prober_check_ceiling(prober, o->speedup, err));
			SKIP_TRY(skip_prober_rounds(prober, 1 - 1 / o->speedup, err));
		}
		SKIP_TRY(skip_prober_reach(prober, &share, met, err));
		double speedup = measured_speedup(prober, share);
		SKIP_TRY(skip_prober_restart(prober, share, err));
		SKIP_TRY(skip_prober_probe(prober, share, &point, err));
		point->accepted = true;
		point->speedup = speedup;
		return SKIP_OK;
	}
	const struct skip_search *search = skip_search_find(o->search);
	if (!search) return skip_err_set(err, SKIP_ERR_USAGE, "no search '%s'", o->search);
	struct skip_search_state state = {.context = prober,
					  .probe = skip_prober_probe,
					  .surrogate = skip_prober_surrogate,
					  .same = skip_prober_same,
					  .margin = o->margin,
					  .largest = fmin(HIGHEST, prober->allocator.largest),
					  .mode = o->margin_mode};
	if (search->by_mode && o->margin_mode == SKIP_MARGIN_ADAPTIVE) prober->stop_margin = o->margin;
	SKIP_TRY(search->run(&state, &share, err));
	skip_prober_settle(prober);
	*met = prober->best.graph != NULL;
cleanup:
	return status;
}

/* Takes the best candidate; the dense network where none was accepted. */
static enum skip_status take_candidate(struct skip_prober *prober, struct skip_candidate *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	skip_prober_settle(prober);
	if (prober->best.graph) {
		*out = prober->best;
		prober->best = (struct skip_candidate){0};
		return SKIP_OK;
	}
	struct skip_candidate none = {.point = prober->n_trace};
	SKIP_TRY(skip_keep_create(prober->units, &none.keep, err));
	SKIP_TRY(skip_graph_copy(prober->dense, &none.graph, err));
	*out = none;
	none = (struct skip_candidate){0};
cleanup:
	skip_candidate_deinit(&none);
	return status;
}

/* The last word of the search is what it settled on, not its last probe. */
static void report_choice(const struct skip_prober *prober, const struct skip_candidate *chosen)
{
	char note[64] = "nothing accepted";
	if (chosen->point < prober->n_trace) {
		const struct skip_probe_point *point = &prober->trace[chosen->point];
		snprintf(note, sizeof(note), "%.1f %% removed, drop %.1f on dev, estimate %.1f", 100 * point->removed, point->paired.drop, point->paired.estimate);
	}
	skip_progress_report(prober->progress, "search", (int64_t)prober->n_trace, (int64_t)prober->n_trace, note);
}

static enum skip_status check(const struct skip_dataset *train, const struct skip_dataset *dev, const struct skip_prune_options *o,
			      struct skip_err *err)
{
	if (o->retune_epochs > 0 && train->problem != SKIP_SINGLE_LABEL)
		return skip_err_set(err, SKIP_ERR_USAGE, "%s cannot be tuned again; single labels can", skip_problem_names[train->problem]);
	if (o->rate >= 1) return skip_err_set(err, SKIP_ERR_USAGE, "rate %g, expected 0 <= rate < 1", o->rate);
	if (skip_prune_by_margin(o) && !(o->margin >= 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "margin %g, expected at least 0", o->margin);
	if (o->flops >= 1) return skip_err_set(err, SKIP_ERR_USAGE, "share of multiply-adds %g, expected less than 1", o->flops);
	if (o->speedup > 0 && o->speedup < 1) return skip_err_set(err, SKIP_ERR_USAGE, "speed-up %g, expected at least 1", o->speedup);
	if (o->classes < 0) return skip_err_set(err, SKIP_ERR_USAGE, "%d classes, expected at least 0", o->classes);
	if (o->rounds < 1) return skip_err_set(err, SKIP_ERR_USAGE, "%d rounds, expected at least 1", o->rounds);
	if (o->rounds > 1 && !(o->rate >= 0 || o->flops > 0 || o->speedup > 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "rounds go to a share, a share of multiply-adds or a speed-up; this target is none of them");
	if (o->rounds > 1 && !o->skill)
		return skip_err_set(err, SKIP_ERR_USAGE, "rounds renew the scores, which cannot be read from a file or drawn towards those of others");
	if (dev->n_rows == 0 || !dev->labelled)
		return skip_err_set(err, SKIP_ERR_INPUT, "pruning decides on labelled dev rows, there are none");
	if (train->n_rows == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no training rows");
	return SKIP_OK;
}

static enum skip_status look_from_board(const struct skip_prober *prober, const struct skip_graph *pruned, struct skip_prune_result *result, struct skip_err *err)
{
	result->board.dense_ms = prober->on_board.dense_ms;
	result->board.length = prober->on_board.work.length;
	return skip_on_board_ms(&prober->on_board, pruned, &result->board.pruned_ms, &result->board.fits, err);
}

static enum skip_status finish(struct skip_prober *prober, struct skip_candidate *candidate, bool met, struct skip_prune_result *result,
			       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_dataset *dev = prober->dev;
	const float *logits = candidate->logits ? candidate->logits : prober->dense_logits;
	SKIP_TRY(skip_measure(prober->dense_logits, dev, prober->classes, &result->dense, NULL, err));
	SKIP_TRY(skip_measure(logits, dev, prober->classes, &result->pruned, NULL, err));
	skip_compare(prober->dense_logits, logits, dev, prober->classes, &result->paired);
	if (prober->options->board) SKIP_TRY(look_from_board(prober, candidate->graph, result, err));
	result->removed = candidate->point < prober->n_trace ? prober->trace[candidate->point].removed : 0;
	result->target_met = met;
	result->allocate = prober->allocator.allocation->name;
	result->graph = candidate->graph;
	result->keep = candidate->keep;
	candidate->graph = NULL;
	candidate->keep = (struct skip_keep){0};
	result->trace = prober->trace;
	result->n_trace = prober->n_trace;
	prober->trace = NULL;
	result->compensate_seconds = prober->compensate_seconds;
	result->score_seconds = prober->scores->seconds + prober->renewed.seconds;
	result->allocate_seconds = prober->allocator.seconds;
	const struct skip_options *table = &prober->allocator.options;
	if (table->known[SKIP_COST_TIME]) {
		result->ceiling = table->dense[SKIP_COST_TIME] / skip_options_fixed(table, SKIP_COST_TIME);
		result->time_table = skip_times_to_json(prober->device, prober->allocator.on_board, table, prober->timing_batch);
		if (!result->time_table) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "time table"));
		if (prober->timed && candidate->point < prober->n_trace)
			skip_times_add_aim(result->time_table, prober->options, result->trace[candidate->point].rate, met);
	}
cleanup:
	return status;
}

enum skip_status skip_prune(struct skip_device *device, const struct skip_graph *dense, const struct skip_scores *scores,
			    const struct skip_dataset *train, const struct skip_dataset *dev, const struct skip_prune_options *options,
			    const struct skip_progress *progress, struct skip_prune_result *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_units units = {0};
	struct skip_candidate candidate = {0};
	struct skip_prune_result result = {0};
	struct skip_prune_options chosen = *options;
	struct skip_prober prober = {.device = device,
				     .dense = dense,
				     .units = &units,
				     .scores = scores,
				     .train = train,
				     .dev = dev,
				     .options = &chosen,
				     .progress = progress};
	bool met = false;
	double start = skip_clock_seconds();
	SKIP_TRY(check(train, dev, options, err));
	SKIP_TRY(skip_units_find(dense, &units, err));
	if (!chosen.allocate) chosen.allocate = skip_units_shared(&units) ? "uniform" : "kl"; /* layers that share weights are cut alike */
	SKIP_TRY(skip_prober_init(&prober, err));
	SKIP_TRY(find_candidate(&prober, &met, err));
	SKIP_TRY(take_candidate(&prober, &candidate, err));
	report_choice(&prober, &candidate);
	result.search_seconds = skip_clock_seconds() - start - prober.compensate_seconds - prober.allocator.seconds;
	start = skip_clock_seconds();
	if (options->retune_epochs > 0 && candidate.logits) SKIP_TRY(skip_retune(&prober, &candidate, err));
	result.retune_seconds = skip_clock_seconds() - start;
	SKIP_TRY(finish(&prober, &candidate, met, &result, err));
	*out = result;
cleanup:
	skip_candidate_deinit(&candidate);
	skip_prober_deinit(&prober);
	skip_units_deinit(&units);
	return status;
}
