/*
 * Few confirmations, many cheap questions: the share at which the divergence from the dense answers is kappa is found by bisection without
 * labels, re-tuning or dev; dev only confirms. What dev accepts lets kappa grow, what it rejects lets it shrink (docs/method.md 5).
 * Divergences are noisy and need not grow with the share, so an isotonic fit through all of them decides.
 */
#include "method/search/search.h"
#include <math.h>
#include <string.h>

#define START 0.05
#define GROW 1.5
#define MOST_GROWTH 4.0 /* where the drop is far below the margin */
#define CONFIRMATIONS 4
#define QUESTIONS 7 /* per confirmation */
#define NARROW 0.02 /* bracket of shares that ends questions and search */
#define MOST_POINTS (CONFIRMATIONS * QUESTIONS)

struct curve {
	double share[MOST_POINTS], kl[MOST_POINTS]; /* ascending shares */
	size_t n;
};

static void insert(struct curve *c, double share, double kl)
{
	size_t i = c->n++;
	for (; i > 0 && c->share[i - 1] > share; i--) {
		c->share[i] = c->share[i - 1];
		c->kl[i] = c->kl[i - 1];
	}
	c->share[i] = share;
	c->kl[i] = kl;
}

/* Where the isotonic fit passes kappa: the last share below it and the first above. */
static void bracket(const struct curve *c, double kappa, double largest, double *low, double *high)
{
	double fit[MOST_POINTS];
	memcpy(fit, c->kl, c->n * sizeof(*fit));
	skip_isotonic(fit, c->n);
	*low = 0;
	*high = largest;
	for (size_t i = 0; i < c->n; i++) {
		if (fit[i] <= kappa) *low = c->share[i];
	}
	for (size_t i = c->n; i-- > 0;) {
		if (fit[i] > kappa) *high = c->share[i];
	}
}

static enum skip_status find_share(struct skip_search_state *state, struct curve *curve, double kappa, double *share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double low, high;
	bool same = false;
	bracket(curve, kappa, state->largest, &low, &high);
	for (int i = 0; i < QUESTIONS && high - low > NARROW; i++) {
		double middle = (low + high) / 2, kl;
		SKIP_TRY(state->same(state->context, low, high, &same, err));
		if (same) break;
		SKIP_TRY(state->surrogate(state->context, middle, kappa, &kl, err));
		insert(curve, middle, kl);
		bracket(curve, kappa, state->largest, &low, &high);
	}
	*share = (low + high) / 2;
cleanup:
	return status;
}

/* A drop far below what is allowed lets kappa grow faster: small drops grow about in proportion. */
static double growth(const struct skip_search_state *state, const struct skip_paired *paired)
{
	double allowed = fmax(state->margin, 0.25), drop = state->mode == SKIP_MARGIN_ADAPTIVE ? paired->estimate : paired->drop;
	return fmin(MOST_GROWTH, fmax(GROW, allowed / fmax(drop, allowed / MOST_GROWTH)));
}

static enum skip_status run(struct skip_search_state *state, double *share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct curve curve = {0};
	double kappa = START, too_much = INFINITY, enough = 0, best = 0, worst = state->largest;
	bool same = false;
	for (int i = 0; i < CONFIRMATIONS && worst - best > NARROW && !same; i++) {
		struct skip_probe_point *point = NULL;
		double at;
		SKIP_TRY(find_share(state, &curve, kappa, &at, err));
		SKIP_TRY(state->probe(state->context, at, &point, err));
		point->accepted = skip_margin_holds(state->mode, state->margin, &point->paired);
		if (point->accepted) {
			enough = kappa;
			best = fmax(best, at);
			kappa = isinf(too_much) ? kappa * growth(state, &point->paired) : sqrt(enough * too_much);
		} else {
			too_much = kappa;
			worst = fmin(worst, at);
			kappa = enough > 0 ? sqrt(enough * too_much) : kappa / 2;
		}
		SKIP_TRY(state->same(state->context, best, worst, &same, err));
	}
	*share = best;
cleanup:
	return status;
}

const struct skip_search skip_search_surrogate = {
    .name = "surrogate",
    .summary = "bisects the divergence from the dense answers, dev confirms",
    .stops = true,
    .run = run,
};
