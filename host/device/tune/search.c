/* The judge: wrong candidates go first, slow ones after a round, and the best of the rest must beat the first candidate clearly. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/median.h"
#include "device/tune/internal.h"
#include <math.h>
#include <string.h>

#define ROUNDS 7
#define DROP_AFTER 2	  /* rounds */
#define DROP_SLOWER 1.15 /* than the best so far */
#define MARGIN 1.02	  /* what a choice must gain to replace what stands */

struct state {
	const struct skip_search *search;
	bool out[SKIP_SEARCH_MAX];
	double seconds[SKIP_SEARCH_MAX][SKIP_SEARCH_BATCHES][ROUNDS];
	int rounds[SKIP_SEARCH_MAX];
};

static bool right(const struct skip_search *search, const float *answer)
{
	for (size_t i = 0; i < search->count; i++) {
		if (!(fabs((double)answer[i] - search->known[i]) <= search->bound[i])) return false;
	}
	return true;
}

static enum skip_status reject_wrong(struct state *state, size_t *rejected, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_search *search = state->search;
	float *answer = skip_alloc_array(search->count, sizeof(*answer));
	if (!answer) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an answer of %zu numbers", search->count);
	*rejected = 0;
	for (size_t c = 0; c < search->n_candidates; c++) {
		struct skip_err why;
		skip_err_init(&why);
		status = search->answer(search->context, c, answer, &why);
		if (status == SKIP_ERR_NOMEM) {
			skip_err_set(err, status, "%s", why.message);
			goto cleanup;
		}
		state->out[c] = status != SKIP_OK || !right(search, answer);
		*rejected += state->out[c];
		if (state->out[c]) skip_log(SKIP_LOG_INFO, "tuning: candidate %zu is rejected: %s", c, status == SKIP_OK ? "wrong numbers" : why.message);
		status = SKIP_OK;
	}
	if (*rejected == search->n_candidates) status = skip_err_set(err, SKIP_ERR_DEVICE, "none of %zu candidates gives the right numbers", *rejected);
cleanup:
	skip_free(answer);
	return status;
}

/* Mean logarithm of the medians over the batches. */
static double score(const struct state *state, size_t candidate)
{
	double sum = 0, sorted[ROUNDS];
	for (size_t b = 0; b < state->search->n_batches; b++) {
		memcpy(sorted, state->seconds[candidate][b], sizeof(sorted));
		sum += log(skip_median(sorted, (size_t)state->rounds[candidate]) + 1e-9);
	}
	return sum / (double)state->search->n_batches;
}

static enum skip_status run_round(struct state *state, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_search *search = state->search;
	for (size_t c = 0; c < search->n_candidates; c++) {
		if (state->out[c]) continue;
		for (size_t b = 0; b < search->n_batches; b++)
			SKIP_TRY(search->time(search->context, c, b, &state->seconds[c][b][state->rounds[c]], err));
		state->rounds[c]++;
	}
cleanup:
	return status;
}

static size_t best_of(const struct state *state)
{
	size_t best = SKIP_SEARCH_MAX;
	for (size_t c = 0; c < state->search->n_candidates; c++) {
		if (!state->out[c] && (best == SKIP_SEARCH_MAX || score(state, c) < score(state, best))) best = c;
	}
	return best;
}

enum skip_status skip_search_run(const struct skip_search *search, struct skip_verdict *out, struct skip_err *err)
{
	enum skip_status status;
	struct state *state = skip_alloc_zeroed(1, sizeof(*state));
	if (!state) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a search");
	state->search = search;
	SKIP_TRY(reject_wrong(state, &out->rejected, err));
	const bool standing = !state->out[0];
	for (int round = 0; round < ROUNDS; round++) {
		SKIP_TRY(run_round(state, err));
		if (round + 1 < DROP_AFTER) continue;
		const double limit = score(state, best_of(state)) + log(DROP_SLOWER);
		/* The first stays in to be compared with. */
		for (size_t c = 1; c < search->n_candidates; c++) state->out[c] = state->out[c] || score(state, c) > limit;
	}
	out->best = best_of(state);
	out->gain = standing ? exp(score(state, 0) - score(state, out->best)) : 1;
	if (standing && out->gain < MARGIN) {
		out->best = 0;
		out->gain = 1;
	}
cleanup:
	skip_free(state);
	return status;
}
