/*
 * Interleaved timing: a round takes every batch through each model in turn before the next batch, and rounds differ in who is first, so that
 * a drift of the machine hits all models alike. A model's sample is the sum over the batches of a round. Speed-ups compare what each batch takes at its
 * fastest: other work on the machine only ever adds time, and not in proportion, so that scatters less than a median of the rounds' ratios.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/median.h"
#include "method/search/search.h"
#include <math.h>

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

/* Of one model: the sum over the batches of each round, and the fastest that each batch was. */
struct sample {
	double *ms, *fastest; /* [rounds], [n_batches] */
	size_t capacity;
};

static void samples_deinit(struct sample *sample, size_t n)
{
	for (size_t i = 0; sample && i < n; i++) {
		skip_free(sample[i].ms);
		skip_free(sample[i].fastest);
	}
	skip_free(sample);
}

static bool samples_init(struct sample *sample, size_t n, size_t n_batches)
{
	for (size_t i = 0; i < n; i++) {
		sample[i].fastest = skip_alloc_array(n_batches, sizeof(double));
		if (!sample[i].fastest) return false;
		for (size_t b = 0; b < n_batches; b++) sample[i].fastest[b] = INFINITY;
	}
	return true;
}

static double undisturbed(const struct sample *sample, size_t n_batches)
{
	double sum = 0;
	for (size_t b = 0; b < n_batches; b++) sum += sample->fastest[b];
	return sum;
}

/* Medians and 95th percentiles (nearest rank); samples are sorted in place. */
static void summarise(struct sample *sample, size_t n, size_t rounds, size_t n_batches, struct skip_timing *out)
{
	const size_t rank = (95 * rounds + 99) / 100;
	for (size_t i = 0; i < n; i++) {
		out[i].speedup = undisturbed(&sample[n - 1], n_batches) / undisturbed(&sample[i], n_batches);
		out[i].median_ms = skip_median(sample[i].ms, rounds);
		out[i].p95_ms = sample[i].ms[rank ? rank - 1 : 0];
	}
}

/* All batches once through each model, `first` begins; `round` of the samples is filled in. */
static enum skip_status one_round(struct skip_session *const *sessions, const int *values, size_t n, size_t first, const struct packed *packed,
				  float *out, struct sample *sample, size_t round, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < n; i++) {
		if (!skip_grow((void **)&sample[i].ms, &sample[i].capacity, round + 1, sizeof(*sample[i].ms)))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu timing samples", round + 1));
		sample[i].ms[round] = 0;
	}
	for (size_t b = 0; b < packed->n_batches; b++) {
		for (size_t turn = 0; turn < n; turn++) {
			const size_t i = (first + turn) % n;
			const double start = skip_clock_seconds();
			SKIP_TRY(skip_session_run(sessions[i], &packed->packer[b].batch, values[i], out, err));
			const double ms = 1000 * (skip_clock_seconds() - start);
			sample[i].ms[round] += ms;
			sample[i].fastest[b] = fmin(sample[i].fastest[b], ms);
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
	struct sample *sample = NULL;
	float *answer = NULL;
	size_t rounds = 0, most_cols = 0;
	if (n == 0 || data->n_rows == 0 || batch < 1 || repeats < 1) return skip_err_set(err, SKIP_ERR_USAGE, "nothing to measure");
	SKIP_TRY(packed_init(&packed, data, batch, err));
	for (size_t i = 0; i < n; i++) {
		size_t cols = (size_t)skip_session_graph(sessions[i])->values[values[i]].cols;
		if (cols > most_cols) most_cols = cols;
	}
	sample = skip_alloc_zeroed(n, sizeof(*sample));
	answer = skip_alloc_array(packed.most_rows * most_cols, sizeof(*answer));
	if (!sample || !answer || !samples_init(sample, n, packed.n_batches)) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "timing of %zu models", n));
	SKIP_TRY(one_round(sessions, values, n, 0, &packed, answer, sample, 0, err)); /* not counted in a median: the next overwrites it */
	const double start = skip_clock_seconds();
	/* `seconds` for each model: the rounds go on for n times that */
	for (; rounds < (size_t)repeats || skip_clock_seconds() - start < seconds * (double)n; rounds++)
		SKIP_TRY(one_round(sessions, values, n, rounds % n, &packed, answer, sample, rounds, err));
	summarise(sample, n, rounds, packed.n_batches, out);
cleanup:
	samples_deinit(sample, n);
	skip_free(answer);
	packed_deinit(&packed);
	return status;
}
