/*
 * What an option loses, measured: the mean KL divergence between the dense network's answers and those of the network in which this
 * sub-layer alone took the option and was refitted.
 */
#include "base/alloc.h"
#include "method/search/allocation.h"
#include "method/search/trial.h"

#define SENTENCES 96	   /* answers are compared on at most so many sentences */
#define TOKENS 1024	   /* and about so many tokens */
#define MOMENT_TOKENS 8192 /* five to twenty per input of a consumer, with damping */

static enum skip_status errors(const struct skip_allocation_input *in, struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_trial trial = {.device = in->device, .graph = in->working, .units = in->units, .scores = in->scores, .options = options};
	const struct skip_trial_options how = {.data = in->calibration,
					       .sentences = SENTENCES,
					       .tokens = TOKENS,
					       .moment_tokens = MOMENT_TOKENS,
					       .damping = in->damping,
					       .seed = in->seed};
	double **error = skip_alloc_array(options->n, sizeof(*error));
	if (!error) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", options->n);
	for (size_t s = 0; s < options->n; s++) error[s] = options->sub[s].error;
	SKIP_TRY(skip_trial_init(&trial, &how, err));
	SKIP_TRY(skip_trial_each(&trial, error, in->progress, err));
cleanup:
	skip_trial_deinit(&trial);
	skip_free(error);
	return status;
}

const struct skip_allocation skip_allocation_kl = {
    .name = "kl",
    .summary = "weighs measured time against the measured divergence from the dense answers",
    .kinds = SKIP_UNITS_FFN | SKIP_UNITS_HEAD | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_LAYER,
    .errors = errors,
};
