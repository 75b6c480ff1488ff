/* Ranks of scores: agreement of two scorings, and what one task's scores say for another's. */
#ifndef SKIP_METHOD_SKILL_RANKS_H
#define SKIP_METHOD_SKILL_RANKS_H

#include "method/skill/skill.h"

/* (rank + 0.5) / n of each score, in (0, 1); equal scores share the mean of their ranks. */
enum skip_status skip_ranks(const double *score, size_t n, double *out, struct skip_err *err);
/* Spearman's correlation: of the ranks. 0 where one side does not vary. */
enum skip_status skip_spearman(const double *a, const double *b, size_t n, double *out, struct skip_err *err);

struct skip_agreement {
	double lowest, mean; /* Spearman over the groups */
};
enum skip_status skip_scores_agree(const struct skip_scores *a, const struct skip_scores *b, const struct skip_units *units,
				   struct skip_agreement *out, struct skip_err *err);

/*
 * Replaces scores by ranks within their group, drawn towards the mean ranks of other tasks: (N rank + prior mean_sources rank) / (N + prior), N =
 * scores->samples (docs/method.md 3). Heads likewise.
 */
enum skip_status skip_scores_draw_towards(struct skip_scores *scores, const struct skip_scores *sources, size_t n_sources, double prior,
					  const struct skip_units *units, struct skip_err *err);

#endif
