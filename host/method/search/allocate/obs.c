/*
 * What an option loses, from second moments: the share of the sub-layer's output that least squares cannot bring back (docs/method.md 5.4,
 * error a). Says nothing about queries and keys, which have no linear consumer: they stay.
 */
#include "base/alloc.h"
#include "method/search/allocation.h"
#include "method/search/consumer_fit.h"
#include "method/search/moments.h"
#include <limits.h>

#define MOMENT_TOKENS 8192

static enum skip_status sublayer_errors(const struct skip_allocation_input *in, const struct skip_moments *moments,
					struct skip_sublayer *sub, struct skip_keep *keep, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t g = sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn;
	const struct skip_tensor *tensor = in->graph->tensors[in->graph->nodes[in->units->group[g].consumer].param[0]];
	const int outputs = (int)tensor->dim[0], width = in->units->group[g].width;
	struct skip_consumer consumer = {0};
	float *weight = skip_alloc_array((size_t)outputs, (size_t)width * sizeof(*weight));
	float *fitted = skip_alloc_array((size_t)outputs, ((size_t)width + 1) * sizeof(*fitted));
	if (!weight || !fitted) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "weights of layer %d", sub->layer));
	skip_tensor_to_f32(tensor, weight);
	SKIP_TRY(skip_consumer_init(moments->cov[g], moments->mean[g], weight, NULL, width, outputs, in->damping, &consumer, err));
	for (size_t k = 1; k < sub->n_options; k++) {
		SKIP_TRY(skip_widths_keep(in->units, in->scores, sub, &sub->option[k], keep, err));
		SKIP_TRY(
		    skip_consumer_fit(&consumer, keep->keep[g], fitted, fitted + (size_t)outputs * (size_t)width, &sub->error[k], err));
	}
cleanup:
	skip_consumer_deinit(&consumer);
	skip_free(weight);
	skip_free(fitted);
	return status;
}

static enum skip_status errors(const struct skip_allocation_input *in, struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_calibration rows = {0};
	struct skip_moments moments = {0};
	struct skip_keep keep = {0};
	bool *wanted = skip_alloc_zeroed(in->units->n_groups, sizeof(*wanted));
	if (!wanted) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", in->units->n_groups);
	for (size_t s = 0; s < options->n; s++) {
		const struct skip_sublayer *sub = &options->sub[s];
		wanted[sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn] = true;
		for (size_t k = 0; sub->qk != SKIP_NO_GROUP && k < sub->n_options; k++) {
			if (sub->option[k].heads > 0 && sub->option[k].qk < sub->option[0].qk)
				SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE,
						      "the allocation obs cannot judge queries and keys; leave qk out of --units"));
		}
	}
	SKIP_TRY(skip_keep_create(in->units, &keep, err));
	SKIP_TRY(skip_calibration_init(in->calibration, INT_MAX, MOMENT_TOKENS, in->seed, &rows, err));
	SKIP_TRY(skip_moments_collect(in->device, in->working, in->units, &rows, wanted, &moments, err));
	for (size_t s = 0; s < options->n; s++) SKIP_TRY(sublayer_errors(in, &moments, &options->sub[s], &keep, err));
cleanup:
	skip_keep_deinit(&keep);
	skip_moments_deinit(&moments);
	skip_calibration_deinit(&rows);
	skip_free(wanted);
	return status;
}

const struct skip_allocation skip_allocation_obs = {
    .name = "obs",
    .summary = "weighs measured time against the output least squares cannot bring back",
    .kinds = SKIP_UNITS_FFN | SKIP_UNITS_HEAD | SKIP_UNITS_V | SKIP_UNITS_LAYER,
    .errors = errors,
};
