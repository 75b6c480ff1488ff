/* Which rows are scored. */
#ifndef SKIP_METHOD_SKILL_SAMPLE_H
#define SKIP_METHOD_SKILL_SAMPLE_H

#include "method/skill/skill.h"

/*
 * options->samples rows (0: the criterion's default), times the criterion's draws, without repetition and at most all rows. With draws and
 * gold labels the classes come equally often as far as the data has them: the mean of several class-balanced draws of one size is the mean
 * over their union. SKIP_ERR_INPUT: no rows, gold labels asked for and missing.
 */
enum skip_status skip_skill_sample(const struct skip_dataset *data, const struct skip_criterion *criterion,
				   const struct skip_skill_options *options, int classes, struct skip_dataset *out, struct skip_err *err);

#endif
