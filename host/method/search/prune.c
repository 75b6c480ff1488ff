/*
 * From a tuned dense network to the small one: at a rate, at a margin, or at a measured speed-up; then, when asked for, prompt and head are
 * tuned again with the dense network as teacher (docs/method.md 5, 7). Probes are prober.c's, margins are the searches'.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "method/search/prober.h"
#include "method/search/retune.h"
#include "method/search/search.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#define SPEED_PROBES 6
#define SPEED_NARROW 0.02 /* bracket of rates that ends the search for a speed-up */
#define SPEED_GUARD 1.02  /* aims this much above the target, so that noise does not undo it */
#define SPEED_HIGHEST 0.95
#define SPEED_INSIDE 0.15

void skip_prune_defaults(struct skip_prune_options *options)
{
	*options = (struct skip_prune_options){
	    .kinds = SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK,
	    .rate = -1,
	    .margin = 1,
	    .search = "binary",
	    .compensate = {.mode = SKIP_COMPENSATE_LS, .damping = 1e-2, .rows = INT32_MAX},
	};
	skip_retune_defaults(&options->retune);
}

void skip_prune_result_deinit(struct skip_prune_result *result)
{
	if (!result) return;
	skip_graph_destroy(result->graph);
	skip_keep_deinit(&result->keep);
	skip_free(result->trace);
	*result = (struct skip_prune_result){0};
}

/* ---- the smallest removal that is fast enough: time is nearly linear in the rate, so 1/speedup is drawn as a line */

struct speed_bracket {
	double low, high;		  /* too slow, fast enough */
	double inverse_low, inverse_high; /* 1/speedup there; high: NAN while nothing was fast enough */
};

static double next_speed_rate(const struct speed_bracket *b, double wanted)
{
	if (isnan(b->inverse_high)) {
		/* a removed share saves at most itself; from the last point on, as much as it did so far */
		double slope = b->low > 0 ? (1 - b->inverse_low) / b->low : 1;
		double rate = slope > 0 ? (1 - wanted) / slope * 1.02 : SPEED_HIGHEST;
		return fmin(SPEED_HIGHEST, fmax(rate, b->low + SPEED_NARROW));
	}
	double share = (b->inverse_low - wanted) / (b->inverse_low - b->inverse_high);
	return b->low + (b->high - b->low) * fmin(1 - SPEED_INSIDE, fmax(SPEED_INSIDE, share));
}

static enum skip_status search_speed(struct skip_prober *prober, struct skip_err *err)
{
	double wanted = 1 / (prober->options->speedup * SPEED_GUARD), highest = fmin(SPEED_HIGHEST, prober->largest);
	struct speed_bracket b = {.low = 0, .high = highest, .inverse_low = 1, .inverse_high = NAN};
	for (int probe = 0; probe < SPEED_PROBES && b.high - b.low > SPEED_NARROW; probe++) {
		struct skip_probe_point *point = NULL;
		double rate = fmin(highest, next_speed_rate(&b, wanted));
		enum skip_status status = skip_prober_probe(prober, rate, &point, err);
		if (status != SKIP_OK) return status;
		point->accepted = 1 / point->speedup <= wanted;
		if (point->accepted) {
			b.high = rate;
			b.inverse_high = 1 / point->speedup;
		} else {
			b.low = rate;
			b.inverse_low = 1 / point->speedup;
		}
		if (!point->accepted && rate >= highest) return SKIP_OK; /* the last candidate is the fastest there is */
	}
	return SKIP_OK;
}

/* ---- the three ways to a candidate */

static enum skip_status find_candidate(struct skip_prober *prober, struct skip_err *err)
{
	const struct skip_prune_options *o = prober->options;
	if (o->rate >= 0) {
		struct skip_probe_point *point = NULL;
		if (o->rate > prober->largest)
			return skip_err_set(err, SKIP_ERR_USAGE,
					    "rate %.4f cannot be reached with these units, the largest possible is %.4f", o->rate,
					    prober->largest);
		enum skip_status status = skip_prober_probe(prober, o->rate, &point, err);
		if (status == SKIP_OK) point->accepted = true;
		return status;
	}
	if (o->speedup > 0) return search_speed(prober, err);
	const struct skip_search *search = skip_search_find(o->search);
	if (!search) return skip_err_set(err, SKIP_ERR_USAGE, "no search '%s'", o->search);
	struct skip_search_state state = {.context = prober, .probe = skip_prober_probe, .margin = o->margin};
	double rate = 0;
	return search->run(&state, &rate, err);
}

/* Takes the best candidate; where none was accepted the fastest one for a speed-up, the dense network for a margin. */
static enum skip_status take_candidate(struct skip_prober *prober, struct skip_candidate *out, bool *met, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (prober->options->speedup > 0 && !prober->best.graph && prober->n_trace > 0 && !prober->trace[prober->n_trace - 1].accepted) {
		*out = prober->last;
		prober->last = (struct skip_candidate){0};
		*met = false;
		return SKIP_OK;
	}
	skip_prober_settle(prober);
	if (prober->best.graph) {
		*out = prober->best;
		prober->best = (struct skip_candidate){0};
		*met = true;
		return SKIP_OK;
	}
	struct skip_candidate none = {.point = prober->n_trace};
	SKIP_TRY(skip_keep_create(prober->units, &none.keep, err));
	SKIP_TRY(skip_graph_copy(prober->dense, &none.graph, err));
	*out = none;
	none = (struct skip_candidate){0};
	*met = false;
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
		snprintf(note, sizeof(note), "%.1f %% removed, drop %.1f on dev", 100 * point->removed, point->paired.drop);
	}
	skip_progress_report(prober->progress, "search", (int64_t)prober->n_trace, (int64_t)prober->n_trace, note);
}

static enum skip_status check(const struct skip_dataset *train, const struct skip_dataset *dev, const struct skip_prune_options *o,
			      struct skip_err *err)
{
	if (o->retune_epochs > 0 && train->problem != SKIP_SINGLE_LABEL)
		return skip_err_set(err, SKIP_ERR_USAGE, "%s cannot be tuned again; single labels can", skip_problem_names[train->problem]);
	if (o->rate >= 1) return skip_err_set(err, SKIP_ERR_USAGE, "rate %g, expected 0 <= rate < 1", o->rate);
	if (o->rate < 0 && o->speedup <= 0 && !(o->margin >= 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "margin %g, expected at least 0", o->margin);
	if (o->speedup > 0 && o->speedup < 1) return skip_err_set(err, SKIP_ERR_USAGE, "speed-up %g, expected at least 1", o->speedup);
	if (dev->n_rows == 0 || !dev->labelled)
		return skip_err_set(err, SKIP_ERR_INPUT, "pruning decides on labelled dev rows, there are none");
	if (train->n_rows == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no training rows");
	return SKIP_OK;
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
	result->removed = candidate->point < prober->n_trace ? prober->trace[candidate->point].removed : 0;
	result->target_met = met;
	result->graph = candidate->graph;
	result->keep = candidate->keep;
	candidate->graph = NULL;
	candidate->keep = (struct skip_keep){0};
	result->trace = prober->trace;
	result->n_trace = prober->n_trace;
	prober->trace = NULL;
	result->compensate_seconds = prober->compensate_seconds;
	result->score_seconds = prober->scores->seconds;
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
	struct skip_prober prober = {.device = device,
				     .dense = dense,
				     .units = &units,
				     .scores = scores,
				     .train = train,
				     .dev = dev,
				     .options = options,
				     .progress = progress};
	bool met = false;
	double start = skip_clock_seconds();
	SKIP_TRY(check(train, dev, options, err));
	SKIP_TRY(skip_units_find(dense, &units, err));
	SKIP_TRY(skip_prober_init(&prober, err));
	SKIP_TRY(find_candidate(&prober, err));
	SKIP_TRY(take_candidate(&prober, &candidate, &met, err));
	report_choice(&prober, &candidate);
	result.search_seconds = skip_clock_seconds() - start - prober.compensate_seconds;
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
