/* First and second moments of what consumers read, over the rows of a sample; of a group that acts in several layers over those of all of them. */
#ifndef SKIP_METHOD_SKILL_UNIT_MOMENTS_H
#define SKIP_METHOD_SKILL_UNIT_MOMENTS_H

#include "method/skill/skill.h"

struct skip_unit_moments {
	double *mean;	/* [width] of the post site; NULL for qk groups */
	double *spread; /* [width] variance; of a qk dim (each column of a pair) the mean square of q times that of k less its sentence's mean: what it adds to the
			   variance of a row of scores, up to their scale. Softmax does not see what all keys of a sentence share */
	double *cov;	/* [width][width] covariance; NULL for qk groups and where it was not asked for */
	size_t rows;
};

/* One per group of scoring->units, [n_groups], to be freed with skip_unit_moments_free. Products of a batch in float, sums over batches in double. */
enum skip_status skip_unit_moments_collect(const struct skip_scoring *scoring, bool with_cov, struct skip_unit_moments **out, struct skip_err *err);
void skip_unit_moments_free(struct skip_unit_moments *moments, size_t n_groups);

#endif
