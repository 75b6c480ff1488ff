/*
 * Fewer probes than the binary search: the next rate is where a line through the ends of the bracket crosses what is allowed, kept inside
 * the bracket. Drops grow about exponentially with the rate, so the line is drawn through their logarithm. (docs/method.md 5).
 */
#include "method/search/search.h"
#include <math.h>

#define HIGHEST 0.95
#define FIRST 0.5
#define MAX_PROBES 5
#define NARROW 0.03 /* bracket that ends the search */
#define INSIDE 0.2  /* share of the bracket kept away from its ends */

struct bracket {
	double low, high;
	double above_low, above_high; /* excess() at the ends; NAN at an end not probed */
};

/* log of drop over what is allowed, both raised by half the margin so that a gain or no drop at all stays finite. 0 where the drop is just
 * allowed. */
static double excess(double margin, double drop)
{
	double raise = fmax(margin, 0.5) / 2;
	return log((fmax(drop, 0) + raise) / (margin + raise));
}

static double next_rate(const struct bracket *b)
{
	double width = b->high - b->low;
	if (isnan(b->above_high)) return b->low + width / 2;
	double share = -b->above_low / (b->above_high - b->above_low);
	return b->low + width * fmin(1 - INSIDE, fmax(INSIDE, share));
}

static enum skip_status run(struct skip_search_state *state, double *rate, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct bracket b = {.low = 0, .high = HIGHEST, .above_low = excess(state->margin, 0), .above_high = NAN};
	bool same = false;
	for (int probe = 0; probe < MAX_PROBES && b.high - b.low > NARROW && !same; probe++) {
		double asked = probe == 0 ? FIRST : next_rate(&b);
		struct skip_probe_point *point = NULL;
		SKIP_TRY(state->probe(state->context, asked, &point, err));
		double above = excess(state->margin, skip_margin_drop(state->mode, &point->paired));
		point->accepted = skip_margin_holds(state->mode, state->margin, &point->paired);
		if (point->accepted) {
			b.low = asked;
			b.above_low = above;
		} else {
			b.high = asked;
			b.above_high = above;
		}
		SKIP_TRY(state->same(state->context, b.low, b.high, &same, err));
	}
	*rate = b.low;
cleanup:
	return status;
}

const struct skip_search skip_search_adaptive = {
    .name = "adaptive",
    .summary = "interpolates between probes",
    .by_mode = true,
    .run = run,
};
