/*
 * The paper's search (docs/method.md 5.1): seven halvings of [0, 0.95], each answered once and for good by "drop <= margin on dev".
 */
#include "method/search/search.h"

#define HIGHEST 0.95
#define STEPS 7

static enum skip_status run(struct skip_search_state *state, double *rate, struct skip_err *err)
{
	double low = 0, high = HIGHEST;
	for (int step = 0; step < STEPS; step++) {
		double middle = (low + high) / 2;
		struct skip_probe_point *point = NULL;
		enum skip_status status = state->probe(state->context, middle, &point, err);
		if (status != SKIP_OK) return status;
		point->accepted = point->paired.drop <= state->margin;
		if (point->accepted) low = middle;
		else
			high = middle;
	}
	*rate = low;
	return SKIP_OK;
}

const struct skip_search skip_search_binary = {
    .name = "binary",
    .summary = "halves the range of rates seven times, accepts a drop up to the margin",
    .run = run,
};
