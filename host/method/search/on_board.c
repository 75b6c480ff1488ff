/* Times of a board by estimate: on_board.h. */
#include "method/search/on_board.h"
#include "base/alloc.h"
#include "device/estimate/estimate.h"
#include "graph/pass.h"
#include "method/search/times.h"
#include <math.h>
#include <string.h>

/* What the board would run of a canonical network: `typed` in the type of its products, `made` of that with the ops its engines take. */
struct emitted {
	struct skip_graph *typed, *made;
};

static void emitted_deinit(struct emitted *e)
{
	skip_graph_destroy(e->made);
	skip_graph_destroy(e->typed);
	*e = (struct emitted){0};
}

static enum skip_status emit(const struct skip_on_board *on, const struct skip_graph *graph, struct emitted *out, struct skip_err *err)
{
	enum skip_status status;
	int value;
	SKIP_TRY(skip_pass_precision(graph, on->precision, &out->typed, err));
	SKIP_TRY(skip_pass_inference(out->typed, "logits", on->board->profile->combine, &out->made, &value, err));
cleanup:
	return status;
}

static enum skip_status fit(const struct skip_on_board *on, const struct skip_graph *graph, struct skip_profile *forms, struct skip_estimate *out,
			    struct skip_err *err)
{
	enum skip_status status;
	struct emitted e = {0};
	*forms = *on->board->profile;
	SKIP_TRY(emit(on, graph, &e, err));
	SKIP_TRY(skip_estimate_fit(e.made, on->board, on->work, 0, forms, out, err));
cleanup:
	emitted_deinit(&e);
	return status;
}

enum skip_status skip_on_board_init(const struct skip_board *board, enum skip_precision precision, const struct skip_graph *dense, double mean_length,
				    struct skip_on_board *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_estimate whole = {0};
	struct skip_on_board on = {.board = board, .precision = precision, .work = {1, (int)fmax(1, round(mean_length))}};
	if (skip_board_is_rtl(board)) {
		return skip_err_set(err, SKIP_ERR_USAGE, "--board: %s leaves part of the network to the host, whose time no estimate tells", board->profile->id);
	}
	SKIP_TRY(fit(&on, dense, &on.forms, &whole, err));
	if (!whole.fits) {
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--board: the dense network does not fit %s, so its times there are not known (%s)", board->profile->id, whole.why));
	}
	on.clock_mhz = whole.clock_mhz;
	on.dense_ms = 1000 * whole.seconds;
	*out = on;
cleanup:
	skip_estimate_deinit(&whole);
	return status;
}

enum skip_status skip_on_board_ms(const struct skip_on_board *on, const struct skip_graph *graph, double *ms, bool *fits, struct skip_err *err)
{
	struct skip_profile forms;
	struct skip_estimate whole = {0};
	enum skip_status status = fit(on, graph, &forms, &whole, err);
	if (status != SKIP_OK) return status;
	*ms = 1000 * whole.seconds;
	*fits = whole.fits;
	skip_estimate_deinit(&whole);
	return SKIP_OK;
}

/* ---- the table ---- */

/* Place of sub-layer `s` among those it shares its options with, and how many they are. */
static size_t place_among_peers(const struct skip_options *o, size_t s, size_t *peers)
{
	size_t place = 0;
	*peers = 0;
	for (size_t t = 0; t < o->n; t++) {
		place += t < s && o->sub[t].peer == o->sub[s].peer;
		*peers += o->sub[t].peer == o->sub[s].peer;
	}
	return place;
}

/* The option that sub-layer `s` has in network i; peers share theirs out, the dense one stands where none is left. *fresh: it was in none before. */
static size_t option_in(const struct skip_options *o, size_t s, size_t i, bool *fresh)
{
	size_t peers, k = place_among_peers(o, s, &peers);
	k += i * peers;
	*fresh = k < o->sub[s].n_options;
	return *fresh ? k : 0;
}

static size_t networks_needed(const struct skip_options *o)
{
	size_t most = 0, peers;
	for (size_t s = 0; s < o->n; s++) {
		place_among_peers(o, s, &peers);
		const size_t n = (o->sub[s].n_options + peers - 1) / peers;
		if (n > most) most = n;
	}
	return most;
}

/* Milliseconds of every sub-layer of a network, [n sub-layers], and last those of the rest. */
static enum skip_status time_network(const struct skip_on_board *on, const struct skip_graph *graph, const struct skip_options *o, double *ms, struct skip_err *err)
{
	enum skip_status status;
	struct emitted e = {0};
	struct skip_units units = {0};
	int *owner = NULL;
	double *seconds = NULL;
	SKIP_TRY(emit(on, graph, &e, err));
	SKIP_TRY(skip_units_find(e.typed, &units, err));
	SKIP_TRY(skip_times_owners(e.made, e.typed, &units, o, &owner, err));
	seconds = skip_alloc_zeroed(e.made->n_nodes, sizeof(*seconds));
	if (!seconds) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "times of %zu nodes", e.made->n_nodes));
	SKIP_TRY(skip_estimate_node_seconds(e.made, on->board, &on->forms, on->work, on->clock_mhz, seconds, err));
	memset(ms, 0, (o->n + 1) * sizeof(*ms));
	for (size_t n = 0; n < e.made->n_nodes; n++) ms[owner[n] == SKIP_NONE ? o->n : (size_t)owner[n]] += 1000 * seconds[n];
cleanup:
	skip_free(seconds);
	skip_free(owner);
	skip_units_deinit(&units);
	emitted_deinit(&e);
	return status;
}

static enum skip_status fill_from_network(const struct skip_on_board *on, const struct skip_graph *graph, const struct skip_units *units,
					  const struct skip_scores *scores, struct skip_options *o, size_t i, double *ms, struct skip_err *err)
{
	enum skip_status status;
	struct skip_keep keep = {0};
	struct skip_graph *cut = NULL;
	bool fresh;
	SKIP_TRY(skip_keep_create(units, &keep, err));
	for (size_t s = 0; s < o->n; s++) {
		const size_t k = option_in(o, s, i, &fresh);
		SKIP_TRY(skip_widths_keep(units, scores, &o->sub[s], &o->sub[s].option[k], &keep, err));
	}
	SKIP_TRY(skip_pass_prune(graph, units, &keep, &cut, err));
	SKIP_TRY(time_network(on, cut, o, ms, err));
	for (size_t s = 0; s < o->n; s++) {
		const size_t k = option_in(o, s, i, &fresh);
		if (fresh) o->sub[o->sub[s].peer].cost[SKIP_COST_TIME][k] = ms[s];
	}
cleanup:
	skip_graph_destroy(cut);
	skip_keep_deinit(&keep);
	return status;
}

enum skip_status skip_times_estimate(const struct skip_on_board *on, const struct skip_graph *graph, const struct skip_units *units,
				     const struct skip_scores *scores, struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double *ms = skip_alloc_zeroed(options->n + 1, sizeof(*ms));
	if (!ms) return skip_err_set(err, SKIP_ERR_NOMEM, "times of %zu sub-layers", options->n);
	for (size_t i = 0; i < networks_needed(options); i++) SKIP_TRY(fill_from_network(on, graph, units, scores, options, i, ms, err));
	for (size_t s = 0; s < options->n; s++) {
		const struct skip_sublayer *sub = &options->sub[s], *first = &options->sub[sub->peer];
		if (sub != first) memcpy(sub->cost[SKIP_COST_TIME], first->cost[SKIP_COST_TIME], sub->n_options * sizeof(*ms));
	}
	SKIP_TRY(time_network(on, graph, options, ms, err));
	options->dense[SKIP_COST_TIME] = 0;
	for (size_t s = 0; s <= options->n; s++) options->dense[SKIP_COST_TIME] += ms[s];
	options->known[SKIP_COST_TIME] = true;
cleanup:
	skip_free(ms);
	return status;
}
