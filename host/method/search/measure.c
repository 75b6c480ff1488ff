/*
 * Interleaved timing: a round takes every batch through each model in turn before the next batch, and rounds differ in who is first, so that
 * a drift of the machine hits all models alike. A model's sample is the sum over the batches of a round.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/median.h"
#include "method/search/search.h"
#include <string.h>

struct packed {
	struct skip_packer *packer; /* [n_batches] */
	size_t n_batches, most_rows;
};

static void packed_deinit(struct packed *packed)
{
	for (size_t i = 0; i < packed->n_batches; i++) skip_packer_deinit(&packed->packer[i]);
	skip_free(packed->packer);
}

/* All batches are packed before the clock starts. */
static enum skip_status packed_init(struct packed *packed, const struct skip_dataset *data, int batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_batches batches = {0};
	SKIP_TRY(skip_batches_plain(data, batch, &batches, err));
	packed->packer = skip_alloc_zeroed(batches.n_batches, sizeof(*packed->packer));
	if (!packed->packer) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu packed batches", batches.n_batches);
		goto cleanup;
	}
	for (size_t i = 0; i < batches.n_batches; i++) {
		size_t n = batches.start[i + 1] - batches.start[i];
		skip_packer_init(&packed->packer[i]);
		packed->n_batches = i + 1;
		if (n > packed->most_rows) packed->most_rows = n;
		SKIP_TRY(skip_packer_pack(&packed->packer[i], data, batches.rows + batches.start[i], n, err));
	}
cleanup:
	skip_batches_deinit(&batches);
	return status;
}

/* Medians and 95th percentiles (nearest rank); sample[i] of model i is sorted in place, ratio has room for a sample. */
static void summarise(double *const *sample, size_t n, size_t rounds, double *ratio, struct skip_timing *out)
{
	const size_t rank = (95 * rounds + 99) / 100;
	for (size_t i = 0; i < n; i++) {
		for (size_t r = 0; r < rounds; r++) ratio[r] = sample[n - 1][r] / sample[i][r];
		out[i].speedup = skip_median(ratio, rounds);
	}
	for (size_t i = 0; i < n; i++) {
		out[i].median_ms = skip_median(sample[i], rounds);
		out[i].p95_ms = sample[i][rank ? rank - 1 : 0];
	}
}

/* Adds to ms[i] what all batches take in model i; `first` is the model that begins. */
static enum skip_status one_round(struct skip_session *const *sessions, const int *values, size_t n, size_t first, const struct packed *packed,
				  float *out, double *ms, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t b = 0; b < packed->n_batches; b++) {
		for (size_t turn = 0; turn < n; turn++) {
			const size_t i = (first + turn) % n;
			double start = skip_clock_seconds();
			SKIP_TRY(skip_session_run(sessions[i], &packed->packer[b].batch, values[i], out, err));
			ms[i] += 1000 * (skip_clock_seconds() - start);
		}
	}
cleanup:
	return status;
}

enum skip_status skip_measure_interleaved(struct skip_session *const *sessions, const int *values, size_t n, const struct skip_dataset *data, int batch,
					  int repeats, double seconds, struct skip_timing *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct packed packed = {0};
	double **sample = NULL, *round = NULL; /* sample[n] is for ratios */
	float *answer = NULL;
	size_t rounds = 0, *capacity = NULL, most_cols = 0;
	if (n == 0 || data->n_rows == 0 || batch < 1 || repeats < 1) return skip_err_set(err, SKIP_ERR_USAGE, "nothing to measure");
	SKIP_TRY(packed_init(&packed, data, batch, err));
	for (size_t i = 0; i < n; i++) {
		size_t cols = (size_t)skip_session_graph(sessions[i])->values[values[i]].cols;
		if (cols > most_cols) most_cols = cols;
	}
	sample = skip_alloc_zeroed(n + 1, sizeof(*sample));
	capacity = skip_alloc_zeroed(n + 1, sizeof(*capacity));
	round = skip_alloc_zeroed(n + 1, sizeof(*round));
	answer = skip_alloc_array(packed.most_rows * most_cols, sizeof(*answer));
	if (!sample || !capacity || !round || !answer) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "timing of %zu models", n));
	SKIP_TRY(one_round(sessions, values, n, 0, &packed, answer, round, err)); /* the first is not counted */
	const double start = skip_clock_seconds();
	/* `seconds` for each model: the rounds go on for n times that */
	for (; rounds < (size_t)repeats || skip_clock_seconds() - start < seconds * (double)n; rounds++) {
		memset(round, 0, (n + 1) * sizeof(*round));
		SKIP_TRY(one_round(sessions, values, n, rounds % n, &packed, answer, round, err));
		for (size_t i = 0; i <= n; i++) {
			if (!skip_grow((void **)&sample[i], &capacity[i], rounds + 1, sizeof(**sample)))
				SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu timing samples", rounds + 1));
			sample[i][rounds] = round[i];
		}
	}
	summarise(sample, n, rounds, sample[n], out);
cleanup:
	for (size_t i = 0; sample && i <= n; i++) skip_free(sample[i]);
	skip_free(round);
	skip_free(capacity);
	skip_free(sample);
	skip_free(answer);
	packed_deinit(&packed);
	return status;
}
