/* Rank statistics: ranks.h. */
#include "method/skill/ranks.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>

struct placed {
	double score;
	size_t at;
};

static int rising(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	return (x->score > y->score) - (x->score < y->score);
}

enum skip_status skip_ranks(const double *score, size_t n, double *out, struct skip_err *err)
{
	struct placed *all = skip_alloc_array(n, sizeof(*all));
	if (!all) return skip_err_set(err, SKIP_ERR_NOMEM, "ranks of %zu scores", n);
	for (size_t i = 0; i < n; i++) all[i] = (struct placed){score[i], i};
	qsort(all, n, sizeof(*all), rising);
	for (size_t first = 0, end; first < n; first = end) {
		for (end = first + 1; end < n && all[end].score == all[first].score; end++) {}
		for (size_t i = first; i < end; i++) out[all[i].at] = (double)(first + end) / 2 / (double)n;
	}
	skip_free(all);
	return SKIP_OK;
}

enum skip_status skip_spearman(const double *a, const double *b, size_t n, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double *x = skip_alloc_array(n, sizeof(*x)), *y = skip_alloc_array(n, sizeof(*y));
	if (!x || !y) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "ranks of %zu scores", n);
		goto cleanup;
	}
	SKIP_TRY(skip_ranks(a, n, x, err));
	SKIP_TRY(skip_ranks(b, n, y, err));
	double xx = 0, yy = 0, xy = 0; /* the mean of ranks is a half */
	for (size_t i = 0; i < n; i++) {
		xx += (x[i] - 0.5) * (x[i] - 0.5);
		yy += (y[i] - 0.5) * (y[i] - 0.5);
		xy += (x[i] - 0.5) * (y[i] - 0.5);
	}
	*out = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
cleanup:
	skip_free(x);
	skip_free(y);
	return status;
}

enum skip_status skip_scores_agree(const struct skip_scores *a, const struct skip_scores *b, const struct skip_units *units,
				   struct skip_agreement *out, struct skip_err *err)
{
	struct skip_agreement found = {.lowest = 1};
	for (size_t g = 0; g < units->n_groups; g++) {
		double rho;
		enum skip_status status = skip_spearman(a->unit[g], b->unit[g], (size_t)units->group[g].width, &rho, err);
		if (status != SKIP_OK) return status;
		found.lowest = fmin(found.lowest, rho);
		found.mean += rho / (double)units->n_groups;
	}
	*out = found;
	return SKIP_OK;
}

/* One list of scores, in place. sources [n_sources] are lists of the same length. */
static enum skip_status draw(double *score, const double *const *sources, size_t n_sources, size_t n, double samples, double prior,
			     struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double *own = skip_alloc_array(n, sizeof(*own)), *other = skip_alloc_array(n, sizeof(*other));
	if (!own || !other) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "ranks of %zu scores", n);
		goto cleanup;
	}
	SKIP_TRY(skip_ranks(score, n, own, err));
	for (size_t i = 0; i < n; i++) score[i] = samples * own[i] / (samples + prior);
	for (size_t s = 0; s < n_sources; s++) {
		SKIP_TRY(skip_ranks(sources[s], n, other, err));
		for (size_t i = 0; i < n; i++) score[i] += prior * other[i] / ((double)n_sources * (samples + prior));
	}
cleanup:
	skip_free(own);
	skip_free(other);
	return status;
}

enum skip_status skip_scores_draw_towards(struct skip_scores *scores, const struct skip_scores *sources, size_t n_sources, double prior,
					  const struct skip_units *units, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const double **list = skip_alloc_array(n_sources, sizeof(*list));
	if (!list) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu sources of scores", n_sources);
	for (size_t g = 0; g < units->n_groups; g++) {
		for (size_t s = 0; s < n_sources; s++) list[s] = sources[s].unit[g];
		SKIP_TRY(draw(scores->unit[g], list, n_sources, (size_t)units->group[g].width, scores->samples, prior, err));
		if (!scores->head[g]) continue;
		for (size_t s = 0; s < n_sources; s++) list[s] = sources[s].head[g];
		SKIP_TRY(draw(scores->head[g], list, n_sources, (size_t)units->group[g].heads, scores->samples, prior, err));
	}
cleanup:
	skip_free(list);
	return status;
}
