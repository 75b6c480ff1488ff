/*
 * Randomised restarts of an allocation at a fixed share (docs/method.md 4, after the coefficient search of IST-DASLab/spdy): errors of
 * sub-layers do not simply add up, so each gets a coefficient, and those whose choice diverges least as a whole are kept.
 */
#include "base/alloc.h"
#include "method/search/prober.h"
#include <math.h>
#include <string.h>

#define RESAMPLED 0.2 /* share of the coefficients a local step draws again */

static enum skip_status divergence(struct skip_prober *p, double share, const double *weight, double best, double *kl, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	memcpy(p->allocator.weight, weight, p->allocator.options.n * sizeof(*weight));
	SKIP_TRY(skip_allocator_choose(&p->allocator, share, &keep, err));
	SKIP_TRY(skip_prober_divergence(p, &keep, best, kl, err));
cleanup:
	skip_keep_deinit(&keep);
	return status;
}

/* The first half anywhere, the second half near the best. */
static void draw(struct skip_rng *rng, int round, int rounds, size_t n, const double *best, double *weight)
{
	size_t some = (size_t)fmax(1, RESAMPLED * (double)n);
	memcpy(weight, best, n * sizeof(*weight));
	if (2 * round < rounds) {
		for (size_t s = 0; s < n; s++) weight[s] = skip_rng_uniform(rng);
		return;
	}
	for (size_t i = 0; i < some; i++) weight[skip_rng_below(rng, n)] = skip_rng_uniform(rng);
}

enum skip_status skip_prober_restart(struct skip_prober *p, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = p->allocator.options.n;
	const int rounds = p->options->restarts;
	struct skip_rng rng;
	double *best = NULL, *weight = NULL, least, kl;
	if (rounds == 0 || n == 0) return SKIP_OK;
	best = skip_alloc_array(n, sizeof(*best));
	weight = skip_alloc_array(n, sizeof(*weight));
	if (!p->allocator.weight) p->allocator.weight = skip_alloc_array(n, sizeof(*weight));
	if (!best || !weight || !p->allocator.weight) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu coefficients", n));
	skip_rng_init(&rng, p->options->seed, "restarts");
	for (size_t s = 0; s < n; s++) best[s] = 1;
	SKIP_TRY(divergence(p, share, best, INFINITY, &least, err));
	for (int round = 0; round < rounds; round++) {
		if (!skip_progress_report(p->progress, "restarts", round, rounds, ""))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERRUPTED, "restarts stopped after %d", round));
		draw(&rng, round, rounds, n, best, weight);
		SKIP_TRY(divergence(p, share, weight, least, &kl, err));
		if (kl >= least) continue;
		least = kl;
		memcpy(best, weight, n * sizeof(*best));
	}
	skip_progress_report(p->progress, "restarts", rounds, rounds, "");
	memcpy(p->allocator.weight, best, n * sizeof(*best));
cleanup:
	skip_free(best);
	skip_free(weight);
	return status;
}
