/* What an option loses, from the scores alone: the sum of what it drops. Needs scores that are losses and add up, which Fisher's are. */
#include "method/search/allocation.h"
#include <math.h>
#include <string.h>

static double dropped(const struct skip_scores *scores, const unsigned char *keep, size_t group, int width)
{
	double sum = 0;
	for (int j = 0; j < width; j++) sum += keep[j] ? 0 : fmax(0, scores->unit[group][j]);
	return sum;
}

static enum skip_status errors(const struct skip_allocation_input *in, struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	const char *criterion = in->scores->criterion;
	if (strcmp(criterion, "fisher") != 0 && strcmp(criterion, "file") != 0)
		return skip_err_set(err, SKIP_ERR_USAGE, "the allocation fisher adds up scores of --criterion fisher, these are of %s",
				    criterion);
	SKIP_TRY(skip_keep_create(in->units, &keep, err));
	for (size_t s = 0; s < options->n; s++) {
		struct skip_sublayer *sub = &options->sub[s];
		const size_t group[3] = {sub->qk, sub->v, sub->ffn};
		for (size_t k = 1; k < sub->n_options; k++) {
			SKIP_TRY(skip_widths_keep(in->units, in->scores, sub, &sub->option[k], &keep, err));
			for (int i = 0; i < 3; i++) {
				if (group[i] != SKIP_NO_GROUP)
					sub->error[k] +=
					    dropped(in->scores, keep.keep[group[i]], group[i], in->units->group[group[i]].width);
			}
		}
	}
cleanup:
	skip_keep_deinit(&keep);
	return status;
}

const struct skip_allocation skip_allocation_fisher = {
    .name = "fisher",
    .summary = "weighs measured time against the Fisher scores dropped",
    .kinds = SKIP_UNITS_FFN | SKIP_UNITS_HEAD | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_LAYER,
    .errors = errors,
};
