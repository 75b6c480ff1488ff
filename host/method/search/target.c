/*
 * A time as the target (docs/method.md 5.4, re-measure and rescale): the share that should reach it by the table, measured, and corrected
 * along the line through what was measured. Time is nearly linear in the share, so few measurements are needed.
 */
#include "method/search/prober.h"
#include "method/search/times.h"
#include <math.h>

#define MOST_PROBES 6
#define NARROW 0.003 /* bracket of shares that ends the search */
#define MET 0.99     /* of what is asked: two measurements of one network differ by more */
#define CLOSE 1.03   /* at most this much faster than asked ends it too */
#define GUARD 1.01   /* aims this much above the target, so that noise does not undo it */
#define INSIDE 0.1   /* share of the bracket kept away from its ends */

struct bracket {
	double low, high;		  /* too slow, fast enough */
	double inverse_low, inverse_high; /* 1/speedup there; high: NAN while nothing was fast enough */
};

static double next_share(const struct bracket *b, double wanted, double largest)
{
	if (isnan(b->inverse_high)) {
		/* a removed share saves at most itself; from the last point on, as much as it did so far */
		double slope = b->low > 0 ? (1 - b->inverse_low) / b->low : 1;
		double share = slope > 0 ? (1 - wanted) / slope : largest;
		return fmin(largest, fmax(share, b->low + NARROW));
	}
	double along = (b->inverse_low - wanted) / (b->inverse_low - b->inverse_high);
	return b->low + (b->high - b->low) * fmin(1 - INSIDE, fmax(INSIDE, along));
}

/* The speed-up a target asks for. A latency is compared with the dense one, which the first measurement tells. */
static double wanted_speedup(const struct skip_prober *p)
{
	if (p->options->speedup > 0) return p->options->speedup;
	return fmax(1, p->dense_ms / (double)p->timing.n_rows / p->options->latency_ms);
}

enum skip_status skip_prober_check_ceiling(const struct skip_prober *p, double speedup, struct skip_err *err)
{
	const struct skip_options *table = &p->allocator.options;
	if (!table->known[SKIP_COST_TIME]) return SKIP_OK;
	double ceiling = 1 / (1 - p->allocator.largest);
	if (speedup < ceiling) return SKIP_OK;
	return skip_err_set(
	    err, SKIP_ERR_USAGE,
	    "%.2fx cannot be reached: without everything these units can take away the model still takes %.1f %% of its time "
	    "on this device, the ceiling is %.2fx",
	    speedup, 100 / ceiling, ceiling);
}

/*
 * What the network of a share gains, its trace entry the last. On a device what seems to end the search is measured once more, from new sessions: one
 * measurement can be off by more than what is promised, when the machine has other work.
 */
static enum skip_status look(struct skip_prober *p, double share, double asked, double *speedup, struct skip_err *err)
{
	struct skip_probe_point *point = NULL;
	enum skip_status status = skip_prober_measure(p, share, &point, err);
	if (status != SKIP_OK) return status;
	*speedup = point->speedup;
	if (p->options->board || *speedup < MET * asked || *speedup > CLOSE * asked) return SKIP_OK;
	status = skip_prober_measure(p, share, &point, err);
	if (status == SKIP_OK) *speedup = point->speedup = sqrt(*speedup * point->speedup);
	return status;
}

enum skip_status skip_prober_reach(struct skip_prober *p, double *share, bool *met, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const double largest = p->allocator.largest;
	struct bracket b = {.low = 0, .high = largest, .inverse_low = 1, .inverse_high = NAN};
	struct skip_probe_point *point = NULL;
	if (skip_times_find_aim(p->options->time_table, p->options, share, met)) return SKIP_OK;
	*met = false;
	*share = largest;
	if (p->options->latency_ms > 0) SKIP_TRY(skip_prober_measure(p, 0, &point, err));
	const double asked = wanted_speedup(p), wanted = 1 / (asked * GUARD);
	SKIP_TRY(skip_prober_check_ceiling(p, asked, err));
	for (int probe = 0; probe < MOST_PROBES && b.high - b.low > NARROW; probe++) {
		double next = next_share(&b, wanted, largest), speedup;
		SKIP_TRY(look(p, next, asked, &speedup, err));
		if (speedup >= MET * asked) {
			p->trace[p->n_trace - 1].accepted = true;
			b.high = next;
			b.inverse_high = 1 / speedup;
			*share = next;
			*met = true;
			if (speedup <= asked * CLOSE) break;
		} else {
			b.low = next;
			b.inverse_low = 1 / speedup;
			if (next >= largest) break;
		}
	}
cleanup:
	return status;
}
