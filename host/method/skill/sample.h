/* Which rows are scored. */
#ifndef SKIP_METHOD_SKILL_SAMPLE_H
#define SKIP_METHOD_SKILL_SAMPLE_H

#include "method/skill/skill.h"

/*
 * options->samples rows (0: the criterion's default), times the criterion's draws, without repetition and at most all rows, as options->choice
 * chooses; a choice that asks the network runs scoring->graph over all of `data`, which counts as forward passes. With draws, gold labels and a
 * random choice the classes come equally often as far as the data has them: the mean of several class-balanced draws of one size is the mean over
 * their union. `scoring` is filled but for its sample. SKIP_ERR_INPUT: no rows, gold labels asked for and missing.
 */
enum skip_status skip_skill_sample(const struct skip_scoring *scoring, const struct skip_criterion *criterion, const struct skip_dataset *data,
				   struct skip_dataset *out, struct skip_err *err);

#endif
