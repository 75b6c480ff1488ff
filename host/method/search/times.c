/* Measuring the time table: times.h. */
#include "method/search/times.h"
#include "base/alloc.h"
#include "base/median.h"
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define ROWS 32		/* sentences timed, spread over the lengths of the data */
#define ROUNDS 12	/* of all networks in turn */
#define LEAST_SAMPLES 6 /* options of a sub-layer that are measured, where it has as many */
#define FEATURES 4

/* ---- networks that hold options side by side */

struct network {
	struct skip_graph *graph; /* cut, canonical */
	struct skip_session *session;
	int value;
	int *option;	 /* [n sub-layers] which one it holds */
	int *owner;	 /* [nodes of the session] */
	double *sample;	 /* [n sub-layers + 1][ROUNDS] seconds over all batches; the last: of launches that are no sub-layer's */
	double *ms;	 /* [n sub-layers] */
};

struct bench {
	struct skip_device *device;
	const struct skip_graph *graph;
	const struct skip_units *units;
	const struct skip_scores *scores;
	struct skip_options *options;
	struct network *network; /* network[0]: the dense one */
	size_t n_networks;
	struct skip_packer *packer; /* [n_batches] */
	size_t n_batches;
};

static size_t count_peers(const struct skip_options *options, size_t peer)
{
	size_t n = 0;
	for (size_t s = 0; s < options->n; s++) n += options->sub[s].peer == peer;
	return n;
}

static bool leaves(const struct skip_widths *option)
{
	return option->heads == 0 && option->ffn == 0;
}

/* Options beside the first that have a time of their own. */
static size_t count_timed(const struct skip_sublayer *sub)
{
	size_t n = sub->n_options - 1;
	return n > 0 && leaves(&sub->option[sub->n_options - 1]) ? n - 1 : n;
}

/* The `i`-th of `n` options to be measured, spread evenly over those that have a time. */
static int sample_option(const struct skip_sublayer *sub, size_t i, size_t n)
{
	size_t timed = count_timed(sub);
	if (i >= n || timed == 0) return 0;
	return 1 + (int)(n == 1 ? timed - 1 : (i * (timed - 1) + (n - 1) / 2) / (n - 1));
}

static size_t networks_needed(const struct skip_options *options)
{
	size_t most = 0;
	for (size_t s = 0; s < options->n; s++) {
		size_t timed = count_timed(&options->sub[s]), peers = count_peers(options, options->sub[s].peer);
		size_t samples = timed < LEAST_SAMPLES ? timed : LEAST_SAMPLES, n = (samples + peers - 1) / peers;
		if (n > most) most = n;
	}
	return 1 + most;
}

/* Network i of the bench gives peer number p of a sub-layer its sample (i - 1) * peers + p. */
static enum skip_status make_network(const struct bench *b, size_t i, struct network *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_options *o = b->options;
	struct skip_keep keep = {0};
	struct skip_units mine = {0};
	out->option = skip_alloc_zeroed(o->n, sizeof(*out->option));
	out->ms = skip_alloc_zeroed(o->n, sizeof(*out->ms));
	out->sample = skip_alloc_zeroed(o->n + 1, ROUNDS * sizeof(*out->sample));
	if (!out->option || !out->ms || !out->sample) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", o->n));
	SKIP_TRY(skip_keep_create(b->units, &keep, err));
	for (size_t s = 0; i > 0 && s < o->n; s++) {
		const struct skip_sublayer *sub = &o->sub[s];
		size_t peers = count_peers(o, sub->peer), number = 0, timed = count_timed(sub), most = peers * (b->n_networks - 1);
		for (size_t t = 0; t < s; t++) number += o->sub[t].peer == sub->peer;
		out->option[s] = sample_option(sub, (i - 1) * peers + number, timed < most ? timed : most);
		SKIP_TRY(skip_widths_keep(b->units, b->scores, sub, &sub->option[out->option[s]], &keep, err));
	}
	SKIP_TRY(skip_pass_prune(b->graph, b->units, &keep, &out->graph, err));
	SKIP_TRY(skip_units_find(out->graph, &mine, err));
	SKIP_TRY(skip_open_launches(b->device, out->graph, "logits", &out->session, &out->value, err));
	SKIP_TRY(skip_times_owners(skip_session_graph(out->session), out->graph, &mine, o, &out->owner, err));
cleanup:
	skip_units_deinit(&mine);
	skip_keep_deinit(&keep);
	return status;
}

static enum skip_status pack(struct bench *b, const struct skip_dataset *data, int batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset rows = {0};
	struct skip_batches batches = {0};
	SKIP_TRY(skip_dataset_spread(data, ROWS, &rows, err));
	SKIP_TRY(skip_batches_plain(&rows, batch, &batches, err));
	b->packer = skip_alloc_zeroed(batches.n_batches, sizeof(*b->packer));
	if (!b->packer) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu batches", batches.n_batches));
	for (; b->n_batches < batches.n_batches; b->n_batches++) {
		const size_t first = batches.start[b->n_batches];
		skip_packer_init(&b->packer[b->n_batches]);
		SKIP_TRY(
		    skip_packer_pack(&b->packer[b->n_batches], &rows, batches.rows + first, batches.start[b->n_batches + 1] - first, err));
	}
cleanup:
	skip_batches_deinit(&batches);
	skip_dataset_deinit(&rows);
	return status;
}

/* All batches once through a network, every launch on its own, added up by sub-layer. */
static enum skip_status time_round(const struct bench *b, struct network *network, size_t round, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = skip_session_plan(network->session);
	double *launch = skip_alloc_zeroed(plan->n_launches, sizeof(*launch));
	if (!launch) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu launches", plan->n_launches);
	for (size_t i = 0; i < b->n_batches; i++) SKIP_TRY(skip_session_time(network->session, &b->packer[i].batch, network->value, launch, err));
	for (size_t s = 0; s <= b->options->n; s++) network->sample[s * ROUNDS + round] = 0;
	for (size_t i = 0; i < plan->n_launches; i++) {
		const int owner = network->owner[plan->launches[i].node];
		network->sample[(owner == SKIP_NONE ? b->options->n : (size_t)owner) * ROUNDS + round] += launch[i];
	}
cleanup:
	skip_free(launch);
	return status;
}

static double median_of(const double *sample)
{
	double copy[ROUNDS];
	memcpy(copy, sample, sizeof(copy));
	return skip_median(copy, ROUNDS);
}

/* Times of a network's sub-layers: the dense network's, times the median of what each took of it in the same round. A machine that is slow for a while is
 * slow for both, and shares of time are what allocations are made of. */
static void settle(const struct bench *b, struct network *network)
{
	const struct network *dense = &b->network[0];
	double share[ROUNDS];
	for (size_t s = 0; s < b->options->n; s++) {
		const double *own = network->sample + s * ROUNDS, *whole = dense->sample + s * ROUNDS;
		for (size_t r = 0; r < ROUNDS; r++) share[r] = whole[r] > 0 ? own[r] / whole[r] : 0;
		network->ms[s] = 1000 * median_of(whole) * skip_median(share, ROUNDS);
	}
}

/* The round before the first one is not counted: the first overwrites it. */
static enum skip_status time_networks(struct bench *b, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < b->n_networks; i++) SKIP_TRY(time_round(b, &b->network[i], 0, err));
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < b->n_networks; i++) SKIP_TRY(time_round(b, &b->network[i], round, err));
	}
	for (size_t i = 0; i < b->n_networks; i++) settle(b, &b->network[i]);
cleanup:
	return status;
}

/* ---- from times of some options to times of all */

static void features_of(const struct skip_widths *option, double out[FEATURES])
{
	out[0] = 1;
	out[1] = option->ffn ? option->ffn : option->heads;
	out[2] = option->heads * option->qk;
	out[3] = option->heads * option->v;
}

/* Relative least squares of the measured times in the features; of smallest norm where options differ in fewer ways. */
static enum skip_status fit_times(const struct skip_sublayer *sub, const double *ms, const bool *measured, double out[FEATURES],
				  struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	lapack_int n = 0, rank;
	const size_t room = sub->n_options > FEATURES ? sub->n_options : FEATURES;
	double *left = skip_alloc_zeroed(room, FEATURES * sizeof(*left)), *right = skip_alloc_zeroed(room, sizeof(*right)), scale[FEATURES];
	double singular[FEATURES];
	if (!left || !right) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu options", sub->n_options));
	features_of(&sub->option[0], scale);
	for (size_t k = 0; k < sub->n_options; k++) {
		double *row = left + n * FEATURES;
		if (!measured[k]) continue;
		features_of(&sub->option[k], row);
		for (int f = 0; f < FEATURES; f++) row[f] *= scale[f] > 0 ? 1 / (scale[f] * ms[k]) : 0;
		right[n++] = 1;
	}
	if (LAPACKE_dgelsd(LAPACK_ROW_MAJOR, n, FEATURES, 1, left, FEATURES, right, 1, singular, 1e-6, &rank) != 0)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERNAL, "times of layer %d cannot be fitted", sub->layer));
	for (int f = 0; f < FEATURES; f++) out[f] = scale[f] > 0 ? right[f] / scale[f] : 0;
cleanup:
	skip_free(left);
	skip_free(right);
	return status;
}

/* Means over peers of what was measured; the others from the fit, between nothing and the whole. */
static enum skip_status fill_times(const struct bench *b, size_t peer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_options *o = b->options;
	struct skip_sublayer *sub = &o->sub[peer];
	double *ms = sub->cost[SKIP_COST_TIME], slope[FEATURES], x[FEATURES];
	size_t *count = skip_alloc_zeroed(sub->n_options, sizeof(*count));
	bool *measured = skip_alloc_zeroed(sub->n_options, sizeof(*measured));
	if (!count || !measured) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu options", sub->n_options));
	for (size_t i = 0; i < b->n_networks; i++) {
		for (size_t s = 0; s < o->n; s++) {
			int k = b->network[i].option[s];
			if (o->sub[s].peer != peer || (i > 0 && k == 0)) continue; /* the dense network speaks for the whole */
			ms[k] += b->network[i].ms[s];
			count[k]++;
		}
	}
	for (size_t k = 0; k < sub->n_options; k++) {
		if (count[k]) ms[k] /= (double)count[k];
		measured[k] = ms[k] > 0;
	}
	SKIP_TRY(fit_times(sub, ms, measured, slope, err));
	for (size_t k = 0; k < sub->n_options; k++) {
		if (measured[k] || leaves(&sub->option[k])) continue;
		features_of(&sub->option[k], x);
		for (int f = 0; f < FEATURES; f++) ms[k] += slope[f] * x[f];
		ms[k] = fmin(ms[0], fmax(0, ms[k]));
	}
cleanup:
	skip_free(measured);
	skip_free(count);
	return status;
}

static void bench_deinit(struct bench *b)
{
	for (size_t i = 0; b->network && i < b->n_networks; i++) {
		skip_session_destroy(b->network[i].session);
		skip_graph_destroy(b->network[i].graph);
		skip_free(b->network[i].option);
		skip_free(b->network[i].owner);
		skip_free(b->network[i].sample);
		skip_free(b->network[i].ms);
	}
	skip_free(b->network);
	for (size_t i = 0; i < b->n_batches; i++) skip_packer_deinit(&b->packer[i]);
	skip_free(b->packer);
}

enum skip_status skip_times_measure(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				    const struct skip_scores *scores, const struct skip_dataset *data, int batch,
				    struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct bench b = {.device = device, .graph = graph, .units = units, .scores = scores, .options = options};
	b.n_networks = networks_needed(options);
	b.network = skip_alloc_zeroed(b.n_networks, sizeof(*b.network));
	if (!b.network) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu networks", b.n_networks));
	SKIP_TRY(pack(&b, data, batch, err));
	for (size_t i = 0; i < b.n_networks; i++) SKIP_TRY(make_network(&b, i, &b.network[i], err));
	SKIP_TRY(time_networks(&b, err));
	for (size_t s = 0; s < options->n; s++) {
		if (options->sub[s].peer == s) SKIP_TRY(fill_times(&b, s, err));
		else
			memcpy(options->sub[s].cost[SKIP_COST_TIME], options->sub[options->sub[s].peer].cost[SKIP_COST_TIME],
			       options->sub[s].n_options * sizeof(double));
	}
	/* a sum of medians like the times of options: a median of sums holds what disturbs now one launch, now another */
	options->dense[SKIP_COST_TIME] = 1000 * median_of(b.network[0].sample + options->n * ROUNDS);
	for (size_t s = 0; s < options->n; s++) options->dense[SKIP_COST_TIME] += b.network[0].ms[s];
	options->known[SKIP_COST_TIME] = true;
cleanup:
	bench_deinit(&b);
	return status;
}
