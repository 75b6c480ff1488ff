/* The options of every sub-layer: options.h. */
#include "method/search/options.h"
#include "base/alloc.h"
#include "device/profile/profile.h"
#include "method/search/calibration.h"
#include "method/search/rank.h"
#include <math.h>
#include <string.h>

#define MOST_OPTIONS 64

/* Shares of the full width that are tried. */
static const double ffn_shares[] = {3. / 4, 7. / 12, 11. / 24, 1. / 3, 1. / 4, 1. / 6, 1. / 12, 1. / 24};
static const double head_shares[] = {1, 3. / 4, 1. / 2, 1. / 3, 1. / 6};
static const double dim_shares[] = {1, 3. / 4, 1. / 2, 1. / 4};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

bool skip_widths_same(const struct skip_widths *a, const struct skip_widths *b)
{
	return a->heads == b->heads && a->qk == b->qk && a->v == b->v && a->ffn == b->ffn;
}

static int width_of(int full, double share, int grid)
{
	int width = (int)ceil(full * share - 1e-9);
	width = (width + grid - 1) / grid * grid;
	return width < 1 ? 1 : width > full ? full : width;
}

/* ---- the grid */

static void add_option(struct skip_sublayer *sub, struct skip_widths option)
{
	for (size_t k = 0; k < sub->n_options; k++) {
		if (skip_widths_same(&sub->option[k], &option)) return;
	}
	if (sub->n_options < MOST_OPTIONS) sub->option[sub->n_options++] = option;
}

/* With heads to remove, dims are kept whole or halved, queries and keys before values; without, every mix of the coarse shares. */
static void attention_options(struct skip_sublayer *sub, const struct skip_unit_group *qk, const struct skip_unit_group *v, unsigned kinds,
			      int grid)
{
	static const double with_heads[][2] = {{1, 1}, {0.5, 1}, {0.5, 0.5}};
	const int heads = v->heads;
	for (size_t h = 0; h < COUNT(head_shares); h++) {
		if (h > 0 && !(kinds & SKIP_UNITS_HEAD)) break;
		int kept = width_of(heads, head_shares[h], 1);
		for (size_t i = 0; kinds & SKIP_UNITS_HEAD && i < COUNT(with_heads); i++) {
			double q = kinds & SKIP_UNITS_QK ? with_heads[i][0] : 1, w = kinds & SKIP_UNITS_V ? with_heads[i][1] : 1;
			add_option(sub, (struct skip_widths){kept, width_of(qk->per_head, q, grid), width_of(v->per_head, w, grid), 0});
		}
		for (size_t i = 0; !(kinds & SKIP_UNITS_HEAD) && i < COUNT(dim_shares) * COUNT(dim_shares); i++) {
			double q = kinds & SKIP_UNITS_QK ? dim_shares[i / COUNT(dim_shares)] : 1;
			double w = kinds & SKIP_UNITS_V ? dim_shares[i % COUNT(dim_shares)] : 1;
			add_option(sub, (struct skip_widths){kept, width_of(qk->per_head, q, grid), width_of(v->per_head, w, grid), 0});
		}
	}
}

static void ffn_options(struct skip_sublayer *sub, const struct skip_unit_group *ffn, unsigned kinds, int grid)
{
	add_option(sub, (struct skip_widths){.ffn = ffn->width});
	for (size_t i = 0; kinds & SKIP_UNITS_FFN && i < COUNT(ffn_shares); i++)
		add_option(sub, (struct skip_widths){.ffn = width_of(ffn->width, ffn_shares[i], grid)});
}

static size_t index_of(const struct skip_units *units, const struct skip_unit_group *group)
{
	return group ? (size_t)(group - units->group) : SKIP_NO_GROUP;
}

static enum skip_status alloc_options(struct skip_sublayer *sub, struct skip_err *err)
{
	bool ok = (sub->option = skip_alloc_zeroed(MOST_OPTIONS, sizeof(*sub->option))) != NULL;
	ok = ok && (sub->error = skip_alloc_zeroed(MOST_OPTIONS, sizeof(*sub->error)));
	for (int c = 0; c < SKIP_COST_COUNT; c++) ok = ok && (sub->cost[c] = skip_alloc_zeroed(MOST_OPTIONS, sizeof(double)));
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "options of layer %d", sub->layer);
}

/* One sub-layer per group that has a consumer. */
static enum skip_status list_sublayers(const struct skip_units *units, const struct skip_profile *profile, unsigned kinds,
				       struct skip_options *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	out->sub = skip_alloc_zeroed(units->n_groups, sizeof(*out->sub));
	if (!out->sub) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", units->n_groups);
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g], *qk = skip_units_get(units, group->layer, SKIP_UNIT_QK);
		if (group->consumer == SKIP_NONE || (group->kind == SKIP_UNIT_V && !qk)) continue;
		struct skip_sublayer *sub = &out->sub[out->n++];
		*sub = (struct skip_sublayer){.layer = group->layer, .qk = SKIP_NO_GROUP, .v = SKIP_NO_GROUP, .ffn = SKIP_NO_GROUP};
		SKIP_TRY(alloc_options(sub, err));
		if (group->kind == SKIP_UNIT_FFN) {
			sub->ffn = g;
			ffn_options(sub, group, kinds, profile->round_ffn);
		} else {
			sub->v = g;
			sub->qk = index_of(units, qk);
			attention_options(sub, qk, group, kinds, profile->round_head);
		}
	}
cleanup:
	return status;
}

/* Whether a sub-layer of width `full` can be cut to `option` by removing `kinds` alone. */
static bool can_become(const struct skip_widths *full, const struct skip_widths *option, unsigned kinds)
{
	const int have[] = {full->heads, full->qk, full->v, full->ffn}, stay[] = {option->heads, option->qk, option->v, option->ffn};
	const unsigned kind[] = {SKIP_UNITS_HEAD, SKIP_UNITS_QK, SKIP_UNITS_V, SKIP_UNITS_FFN};
	for (int i = 0; i < 4; i++) {
		if (kinds & kind[i] ? stay[i] > have[i] : stay[i] != have[i]) return false;
	}
	return true;
}

/* Layers of other widths have other grids: to share a shape they need each other's. One place stays free. */
static void exchange_options(struct skip_options *options, unsigned kinds)
{
	for (size_t s = 0; s < options->n; s++) {
		struct skip_sublayer *sub = &options->sub[s];
		for (size_t t = 0; t < options->n; t++) {
			const struct skip_sublayer *other = &options->sub[t];
			if (t == s || (other->ffn == SKIP_NO_GROUP) != (sub->ffn == SKIP_NO_GROUP)) continue;
			for (size_t k = 0; k < other->n_options && sub->n_options < MOST_OPTIONS - 1; k++) {
				if (can_become(&sub->option[0], &other->option[k], kinds)) add_option(sub, other->option[k]);
			}
		}
	}
}

/* The attention whose outputs are the group's units. */
static const struct skip_node *attention_of(const struct skip_graph *graph, const struct skip_unit_group *v)
{
	return &graph->nodes[graph->values[v->post].producer];
}

/* Whether queries of both see as many keys: their attention costs the same. */
static bool same_view(const struct skip_graph *graph, const struct skip_units *units, const struct skip_sublayer *a,
		      const struct skip_sublayer *b)
{
	if (a->v == SKIP_NO_GROUP || b->v == SKIP_NO_GROUP) return a->v == b->v;
	const struct skip_attrs_attention *x = &attention_of(graph, &units->group[a->v])->attrs.attention;
	const struct skip_attrs_attention *y = &attention_of(graph, &units->group[b->v])->attrs.attention;
	return x->causal == y->causal && x->window == y->window;
}

/* Where one row is pooled the last layer computes fewer rows than the others and is nobody's peer. */
static void find_peers(const struct skip_graph *graph, const struct skip_units *units, struct skip_options *options)
{
	const int last = options->n ? options->sub[options->n - 1].layer : 0;
	const bool apart = skip_calibration_pool(graph) != SKIP_POOL_MEAN;
	for (size_t s = 0; s < options->n; s++) {
		struct skip_sublayer *sub = &options->sub[s];
		sub->peer = s;
		for (size_t t = 0; t < s; t++) {
			const struct skip_sublayer *other = &options->sub[t];
			bool rows = !apart || (sub->layer == last) == (other->layer == last);
			if (!rows || other->n_options != sub->n_options || (other->ffn == SKIP_NO_GROUP) != (sub->ffn == SKIP_NO_GROUP))
				continue;
			bool same = same_view(graph, units, sub, other);
			for (size_t k = 0; same && k < sub->n_options; k++) same = skip_widths_same(&sub->option[k], &other->option[k]);
			if (!same) continue;
			sub->peer = t;
			break;
		}
	}
}

/* ---- parameters and multiply-adds */

static double params_of(const struct skip_graph *graph, const struct skip_units *units, const struct skip_sublayer *sub,
			const struct skip_widths *option)
{
	if (sub->ffn != SKIP_NO_GROUP) return option->ffn * (double)skip_unit_params(graph, &units->group[sub->ffn]);
	return option->heads * (option->qk * (double)skip_unit_params(graph, &units->group[sub->qk]) +
				option->v * (double)skip_unit_params(graph, &units->group[sub->v]));
}

/* The multiply-adds that leave with the units `option` drops, by the ops' own counts. Any units will do. */
static enum skip_status macs_of(const struct skip_graph *graph, const struct skip_units *units, const struct skip_sublayer *sub,
				const struct skip_widths *option, double length, double *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	struct skip_scores any = {0};
	struct skip_graph *cut = NULL;
	SKIP_TRY(skip_scores_alloc(units, &any, err));
	SKIP_TRY(skip_keep_create(units, &keep, err));
	SKIP_TRY(skip_widths_keep(units, &any, sub, option, &keep, err));
	SKIP_TRY(skip_pass_prune(graph, units, &keep, &cut, err));
	*out = skip_graph_macs(graph, length, true) - skip_graph_macs(cut, length, true);
cleanup:
	skip_graph_destroy(cut);
	skip_keep_deinit(&keep);
	skip_scores_deinit(&any);
	return status;
}

static enum skip_status fill_costs(const struct skip_graph *graph, const struct skip_units *units, double length,
				   struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t s = 0; s < options->n; s++) {
		struct skip_sublayer *sub = &options->sub[s];
		double *macs = sub->cost[SKIP_COST_MACS], all = 0;
		const struct skip_widths none = {0};
		for (size_t k = 0; k < sub->n_options; k++) sub->cost[SKIP_COST_PARAMS][k] = params_of(graph, units, sub, &sub->option[k]);
		if (sub->peer == s) SKIP_TRY(macs_of(graph, units, sub, &none, length, &all, err));
		for (size_t k = 0; k < sub->n_options; k++) {
			double gone = 0;
			if (sub->peer == s) SKIP_TRY(macs_of(graph, units, sub, &sub->option[k], length, &gone, err));
			macs[k] = sub->peer == s ? all - gone : options->sub[sub->peer].cost[SKIP_COST_MACS][k];
		}
	}
	options->dense[SKIP_COST_PARAMS] = (double)skip_graph_encoder_params(graph);
	options->dense[SKIP_COST_MACS] = skip_graph_macs(graph, length, true);
	options->known[SKIP_COST_PARAMS] = options->known[SKIP_COST_MACS] = true;
cleanup:
	return status;
}

enum skip_status skip_options_init(const struct skip_graph *graph, const struct skip_units *units, const struct skip_profile *profile,
				   unsigned kinds, bool shared, double mean_length, struct skip_options *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_options options = {0};
	if (skip_units_shared(units))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED,
				      "layers that share weights have no options of their own: --untie gives them, or --allocate uniform cuts all alike"));
	SKIP_TRY(list_sublayers(units, profile, kinds, &options, err));
	if (shared) exchange_options(&options, kinds);
	for (size_t s = 0; kinds & SKIP_UNITS_LAYER && s < options.n; s++) add_option(&options.sub[s], (struct skip_widths){0});
	find_peers(graph, units, &options);
	SKIP_TRY(fill_costs(graph, units, mean_length, &options, err));
	*out = options;
	options = (struct skip_options){0};
cleanup:
	skip_options_deinit(&options);
	return status;
}

void skip_options_deinit(struct skip_options *options)
{
	for (size_t s = 0; s < options->n; s++) {
		skip_free(options->sub[s].option);
		skip_free(options->sub[s].error);
		for (int c = 0; c < SKIP_COST_COUNT; c++) skip_free(options->sub[s].cost[c]);
	}
	skip_free(options->sub);
	*options = (struct skip_options){0};
}

double skip_options_fixed(const struct skip_options *options, enum skip_cost cost)
{
	double sum = options->dense[cost];
	for (size_t s = 0; s < options->n; s++) sum -= options->sub[s].cost[cost][0];
	return sum;
}

/* ---- choices as units */

static enum skip_status keep_dims(const struct skip_scores *scores, size_t g, const struct skip_unit_group *group,
				  const unsigned char *stays, int kept, struct skip_keep *keep, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int h = 0; h < group->heads; h++) {
		size_t first = (size_t)h * (size_t)group->per_head;
		memset(keep->keep[g] + first, stays[h], (size_t)group->per_head);
		if (stays[h])
			SKIP_TRY(skip_rank_drop_lowest(scores->unit[g] + first, group->per_head, group->per_head - kept,
						       keep->keep[g] + first, err));
	}
cleanup:
	return status;
}

enum skip_status skip_widths_keep(const struct skip_units *units, const struct skip_scores *scores, const struct skip_sublayer *sub,
				  const struct skip_widths *option, struct skip_keep *keep, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	unsigned char *stays = NULL;
	if (sub->ffn != SKIP_NO_GROUP) {
		const int width = units->group[sub->ffn].width;
		memset(keep->keep[sub->ffn], 1, (size_t)width);
		return skip_rank_drop_lowest(scores->unit[sub->ffn], width, width - option->ffn, keep->keep[sub->ffn], err);
	}
	const int heads = units->group[sub->v].heads;
	stays = skip_alloc_array((size_t)heads, 1);
	if (!stays) return skip_err_set(err, SKIP_ERR_NOMEM, "%d heads", heads);
	memset(stays, 1, (size_t)heads);
	SKIP_TRY(skip_rank_drop_lowest(scores->head[sub->v], heads, heads - option->heads, stays, err));
	SKIP_TRY(keep_dims(scores, sub->qk, &units->group[sub->qk], stays, option->qk, keep, err));
	SKIP_TRY(keep_dims(scores, sub->v, &units->group[sub->v], stays, option->v, keep, err));
cleanup:
	skip_free(stays);
	return status;
}

static int count_kept(const unsigned char *keep, int n)
{
	int count = 0;
	for (int j = 0; j < n; j++) count += keep[j] != 0;
	return count;
}

struct skip_widths skip_keep_widths(const struct skip_units *units, const struct skip_sublayer *sub, const struct skip_keep *keep)
{
	struct skip_widths widths = {0};
	if (sub->ffn != SKIP_NO_GROUP) {
		widths.ffn = count_kept(keep->keep[sub->ffn], units->group[sub->ffn].width);
		return widths;
	}
	const struct skip_unit_group *v = &units->group[sub->v], *qk = &units->group[sub->qk];
	for (int h = 0; h < v->heads; h++) { /* heads that stay have equal widths */
		int dims = count_kept(keep->keep[sub->v] + (size_t)h * (size_t)v->per_head, v->per_head);
		if (dims == 0) continue;
		widths.heads++;
		widths.v = dims;
		widths.qk = count_kept(keep->keep[sub->qk] + (size_t)h * (size_t)qk->per_head, qk->per_head);
	}
	return widths;
}
