/*
 * Few confirmations, many cheap questions: the share at which the divergence from the dense answers is kappa is found by bisection without
 * labels, re-tuning or dev; dev only confirms. What dev accepts lets kappa grow, what it rejects lets it shrink (docs/method.md 5).
 * Divergences are noisy and need not grow with the share, so an isotonic fit through all of them decides.
 */
#include "method/search/search.h"
#include <math.h>
#include <string.h>

#define START 0.05
#define GROW 1.5	/* kappa, at least, where dev accepts */
#define SHRINK 0.5	/* at most, where it rejects */
#define MOST_CHANGE 4.0 /* of either, where the drop is far from the margin */
#define CONFIRMATIONS 4
#define KAPPAS (2 * CONFIRMATIONS) /* some lead to a share that dev has seen */
#define QUESTIONS 7 /* per kappa */
#define NARROW 0.02 /* bracket of shares that ends questions and search */
#define MOST_POINTS (KAPPAS * QUESTIONS)

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

/* What dev said of the shares it was asked for. */
struct verdict {
	double share;
	bool accepted;
	struct skip_paired paired;
};

/* The next kappa over this one while dev has said the same of all: small drops grow about in proportion to kappa. */
static double next_factor(const struct skip_search_state *state, const struct verdict *verdict)
{
	double allowed = fmax(state->margin, 0.25), drop = skip_margin_drop(state->mode, &verdict->paired);
	double factor = allowed / fmax(drop, allowed / MOST_CHANGE);
	return verdict->accepted ? fmax(GROW, factor) : fmin(SHRINK, fmax(1 / MOST_CHANGE, factor));
}

/* Asks dev of a share unless it has been: two kappas may lead to one share. */
static enum skip_status confirm(struct skip_search_state *state, double share, struct verdict *seen, int *n, const struct verdict **out, struct skip_err *err)
{
	struct skip_probe_point *point = NULL;
	for (int i = 0; i < *n; i++) {
		if (seen[i].share == share) {
			*out = &seen[i];
			return SKIP_OK;
		}
	}
	enum skip_status status = state->probe(state->context, share, &point, err);
	if (status != SKIP_OK) return status;
	point->accepted = skip_margin_holds(state->mode, state->margin, &point->paired);
	seen[*n] = (struct verdict){share, point->accepted, point->paired};
	*out = &seen[(*n)++];
	return SKIP_OK;
}

static enum skip_status run(struct skip_search_state *state, double *share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct curve curve = {0};
	struct verdict seen[CONFIRMATIONS];
	double kappa = START, too_much = INFINITY, enough = 0, best = 0, worst = state->largest;
	int confirmed = 0;
	bool same = false;
	for (int i = 0; i < KAPPAS && confirmed < CONFIRMATIONS && worst - best > NARROW && !same; i++) {
		const struct verdict *verdict = NULL;
		double at;
		SKIP_TRY(find_share(state, &curve, kappa, &at, err));
		SKIP_TRY(confirm(state, at, seen, &confirmed, &verdict, err));
		if (verdict->accepted) {
			enough = kappa;
			best = fmax(best, at);
			kappa = isinf(too_much) ? kappa * next_factor(state, verdict) : sqrt(enough * too_much);
		} else {
			too_much = kappa;
			worst = fmin(worst, at);
			kappa = enough > 0 ? sqrt(enough * too_much) : kappa * next_factor(state, verdict);
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
    .by_mode = true,
    .run = run,
};
