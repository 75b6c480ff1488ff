/*
 * Which units stay at a rate: one share for every prunable group, rounded so that the total comes out right.
 *
 * Each kind asked for is a stage that keeps the same share of what reaches it: attention passes the stages sub-layer, head, dim; ffn passes
 * sub-layer, neuron. With m stages on a road each keeps the m-th root of the share kept, so that any mix removes evenly. Widths are whole
 * numbers, a head's dims coarse ones: what one group removes too much or too little is carried to the next, and ffn neurons, the finest,
 * take up most of it. In classes, layers of one shape are cut as one, so that they keep one shape. Slots hold no parameters of the encoder and take no part in this: each layer loses the share of them that its groups lose.
 */
#include "base/alloc.h"
#include "method/search/rank.h"
#include "method/search/search.h"
#include <math.h>
#include <string.h>

#define ATTENTION_DIMS (SKIP_UNITS_V | SKIP_UNITS_QK)
#define ALL_KINDS (SKIP_UNITS_FFN | SKIP_UNITS_HEAD | ATTENTION_DIMS | SKIP_UNITS_LAYER | SKIP_UNITS_PREFIX)

struct layer {
	const struct skip_unit_group *qk, *v, *ffn; /* NULL: vanished earlier, or leaves in this choice */
	double qk_unit, v_unit, ffn_unit;	    /* parameters of one unit */
};

struct selection {
	const struct skip_units *units;
	const struct skip_scores *scores;
	struct skip_keep *keep;
	struct layer *layer;
	int n_layers;
	const struct layer **alike; /* [n_layers] those that are cut as one */
	unsigned kinds;
	int classes;
	double ideal, actual; /* parameters removed so far: wanted and done */
};

static double size_of(const struct skip_unit_group *group, double unit)
{
	return group ? group->width * unit : 0;
}
static double attention_size(const struct layer *l)
{
	return size_of(l->qk, l->qk_unit) + size_of(l->v, l->v_unit);
}
static double ffn_size(const struct layer *l)
{
	return size_of(l->ffn, l->ffn_unit);
}
static size_t index_of(const struct selection *s, const struct skip_unit_group *group)
{
	return (size_t)(group - s->units->group);
}

static enum skip_status find_layers(const struct skip_graph *graph, const struct skip_units *units, struct layer **out, int *n_out,
				    struct skip_err *err)
{
	int n = 0;
	for (size_t g = 0; g < units->n_groups; g++) {
		if (units->group[g].layer >= n) n = units->group[g].layer + 1;
	}
	struct layer *layer = skip_alloc_zeroed((size_t)n, sizeof(*layer));
	if (!layer) return skip_err_set(err, SKIP_ERR_NOMEM, "%d layers", n);
	for (int l = 0; l < n; l++) {
		struct layer *at = &layer[l];
		at->qk = skip_units_get(units, l, SKIP_UNIT_QK);
		at->v = skip_units_get(units, l, SKIP_UNIT_V);
		at->ffn = skip_units_get(units, l, SKIP_UNIT_FFN);
		if (at->qk) at->qk_unit = (double)skip_unit_params(graph, at->qk);
		if (at->v) at->v_unit = (double)skip_unit_params(graph, at->v);
		if (at->ffn) at->ffn_unit = (double)skip_unit_params(graph, at->ffn);
	}
	*out = layer;
	*n_out = n;
	return SKIP_OK;
}

/* ---- shares kept by the stages when share `kept` of everything prunable stays */

static double attention_share(unsigned kinds, double kept)
{
	int stages = !!(kinds & SKIP_UNITS_LAYER) + !!(kinds & SKIP_UNITS_HEAD) + !!(kinds & ATTENTION_DIMS);
	return stages ? pow(kept, 1.0 / stages) : 1;
}
static double ffn_share(unsigned kinds, double kept)
{
	int stages = !!(kinds & SKIP_UNITS_LAYER) + !!(kinds & SKIP_UNITS_FFN);
	return stages ? pow(kept, 1.0 / stages) : 1;
}
static double stage(unsigned kinds, unsigned kind, double share)
{
	return kinds & kind ? share : 1;
}

/* Parameters removed by fractional widths. */
static double removed_at(const struct selection *s, double kept)
{
	double a = attention_share(s->kinds, kept), f = ffn_share(s->kinds, kept), sum = 0;
	double reach = stage(s->kinds, SKIP_UNITS_LAYER, a) * stage(s->kinds, SKIP_UNITS_HEAD, a);
	for (int l = 0; l < s->n_layers; l++) {
		const struct layer *at = &s->layer[l];
		sum += size_of(at->qk, at->qk_unit) * (1 - reach * stage(s->kinds, SKIP_UNITS_QK, a));
		sum += size_of(at->v, at->v_unit) * (1 - reach * stage(s->kinds, SKIP_UNITS_V, a));
		sum += ffn_size(at) * (1 - stage(s->kinds, SKIP_UNITS_LAYER, f) * stage(s->kinds, SKIP_UNITS_FFN, f));
	}
	return sum;
}

/* The kept share at which `target` parameters go. */
static double solve_share(const struct selection *s, double target)
{
	double low = 0, high = 1; /* removed_at falls from low to high */
	for (int i = 0; i < 60; i++) {
		double middle = (low + high) / 2;
		if (removed_at(s, middle) > target) low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/* ---- stages */

/* How many of `most` things of `size` parameters bring the sum removed nearest to the sum wanted. */
static int nearest(const struct selection *s, double size, int most)
{
	double n = floor((s->ideal - s->actual) / size + 0.5);
	return n <= 0 ? 0 : n >= most ? most : (int)n;
}

static double sum_scores(const struct selection *s, const struct skip_unit_group *group)
{
	const double *score = s->scores->unit[index_of(s, group)];
	double sum = 0;
	for (int j = 0; j < group->width; j++) sum += score[j];
	return sum;
}

static void drop_group(struct selection *s, const struct skip_unit_group **group, double unit)
{
	if (!*group) return;
	memset(s->keep->keep[index_of(s, *group)], 0, (size_t)(*group)->width);
	s->actual += size_of(*group, unit);
	*group = NULL;
}

/* Whole sub-layers of one kind: those with the smallest sum of scores. Rounds down when a finer kind can take the rest. */
static enum skip_status drop_sublayers(struct selection *s, bool attention, double share, bool finer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double *score = skip_alloc_array((size_t)s->n_layers, sizeof(*score)), all = 0;
	unsigned char *stay = skip_alloc_array((size_t)s->n_layers, 1);
	if (!score || !stay) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%d sub-layers", s->n_layers);
		goto cleanup;
	}
	int n = 0;
	for (int l = 0; l < s->n_layers; l++) {
		const struct skip_unit_group *group = attention ? s->layer[l].v : s->layer[l].ffn;
		stay[l] = 1;
		score[l] = group ? sum_scores(s, group) : INFINITY;
		all += attention ? attention_size(&s->layer[l]) : ffn_size(&s->layer[l]);
		n += group != NULL;
	}
	if (n == 0) goto cleanup;
	s->ideal += all * (1 - share);
	double mean = all / n;
	int gone = finer ? (int)floor((s->ideal - s->actual) / mean + 1e-9) : nearest(s, mean, n);
	SKIP_TRY(skip_rank_drop_lowest(score, s->n_layers, gone < 0 ? 0 : gone > n ? n : gone, stay, err));
	for (int l = 0; l < s->n_layers; l++) {
		if (stay[l]) continue;
		if (!attention) {
			drop_group(s, &s->layer[l].ffn, s->layer[l].ffn_unit);
			continue;
		}
		drop_group(s, &s->layer[l].v, s->layer[l].v_unit);
		drop_group(s, &s->layer[l].qk, s->layer[l].qk_unit);
	}
cleanup:
	skip_free(stay);
	skip_free(score);
	return status;
}

static bool same_shape(const struct layer *a, const struct layer *b, bool attention)
{
	if (!attention) return a->ffn && b->ffn && a->ffn->width == b->ffn->width;
	if (!a->v || !a->qk || !b->v || !b->qk) return false;
	return a->v->heads == b->v->heads && a->v->per_head == b->v->per_head && a->qk->per_head == b->qk->per_head;
}

/* The layers that are cut as one with layer l into s->alike: it alone, with classes all of its shape. None where an earlier one stands for it, or where
 * its sub-layer is gone. */
static int find_alike(struct selection *s, int l, bool attention)
{
	int n = 0;
	for (int i = s->classes ? 0 : l; i < (s->classes ? s->n_layers : l + 1); i++) {
		if (!same_shape(&s->layer[i], &s->layer[l], attention)) continue;
		if (i < l) return 0;
		s->alike[n++] = &s->layer[i];
	}
	return n;
}

/* An equal count of dims out of every head that stays in each of the n layers; stays[n][heads]. */
static enum skip_status drop_dims(struct selection *s, int n, bool qk, const unsigned char *stays, int n_heads, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *like = qk ? s->alike[0]->qk : s->alike[0]->v;
	double size = 0, unit = 0;
	for (int i = 0; i < n; i++) {
		unit += qk ? s->alike[i]->qk_unit : s->alike[i]->v_unit;
		size += size_of(like, qk ? s->alike[i]->qk_unit : s->alike[i]->v_unit);
	}
	s->ideal += share * size;
	int gone = nearest(s, n_heads * unit, like->per_head - 1);
	for (int i = 0; i < n * like->heads; i++) {
		const size_t g = index_of(s, qk ? s->alike[i / like->heads]->qk : s->alike[i / like->heads]->v);
		size_t first = (size_t)(i % like->heads) * (size_t)like->per_head;
		if (stays[i]) SKIP_TRY(skip_rank_drop_lowest(s->scores->unit[g] + first, like->per_head, gone, s->keep->keep[g] + first, err));
	}
	s->actual += (double)gone * n_heads * unit;
cleanup:
	return status;
}

static void drop_head(struct selection *s, const struct skip_unit_group *group, int head)
{
	memset(s->keep->keep[index_of(s, group)] + (size_t)head * (size_t)group->per_head, 0, (size_t)group->per_head);
}

/* As many heads out of each of the n layers; stays[n][heads]. How many in *gone. */
static enum skip_status drop_heads(struct selection *s, int n, double share, unsigned char *stays, int *gone, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int heads = s->alike[0]->v->heads;
	double size = 0;
	for (int i = 0; i < n; i++) size += attention_size(s->alike[i]);
	s->ideal += (1 - share) * size;
	*gone = nearest(s, size / heads, heads - 1);
	s->actual += *gone * size / heads;
	for (int i = 0; i < n; i++) {
		const struct layer *at = s->alike[i];
		SKIP_TRY(skip_rank_drop_lowest(s->scores->head[index_of(s, at->v)], heads, *gone, stays + i * heads, err));
		for (int h = 0; h < heads; h++) {
			if (stays[i * heads + h]) continue;
			drop_head(s, at->v, h);
			drop_head(s, at->qk, h);
		}
	}
cleanup:
	return status;
}

/* Heads, then dims of the heads that stay, of the n layers in s->alike. `share` is what each stage keeps. */
static enum skip_status cut_attention(struct selection *s, int n, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	unsigned char *stays = NULL;
	if (n == 0) return SKIP_OK;
	const int heads = s->alike[0]->v->heads;
	const double head_share = stage(s->kinds, SKIP_UNITS_HEAD, share);
	int gone = 0;
	stays = skip_alloc_array((size_t)n, (size_t)heads);
	if (!stays) return skip_err_set(err, SKIP_ERR_NOMEM, "%d heads in %d layers", heads, n);
	memset(stays, 1, (size_t)n * (size_t)heads);
	if (s->kinds & SKIP_UNITS_HEAD) SKIP_TRY(drop_heads(s, n, share, stays, &gone, err));
	if (s->kinds & SKIP_UNITS_QK) SKIP_TRY(drop_dims(s, n, true, stays, heads - gone, head_share * (1 - share), err));
	if (s->kinds & SKIP_UNITS_V) SKIP_TRY(drop_dims(s, n, false, stays, heads - gone, head_share * (1 - share), err));
cleanup:
	skip_free(stays);
	return status;
}

static enum skip_status cut_ffn(struct selection *s, int n, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double size = 0, unit = 0;
	if (n == 0 || !(s->kinds & SKIP_UNITS_FFN)) return SKIP_OK;
	const int width = s->alike[0]->ffn->width;
	for (int i = 0; i < n; i++) {
		size += ffn_size(s->alike[i]);
		unit += s->alike[i]->ffn_unit;
	}
	s->ideal += (1 - share) * size;
	int gone = nearest(s, unit, width - 1);
	s->actual += gone * unit;
	for (int i = 0; i < n; i++) {
		const size_t g = index_of(s, s->alike[i]->ffn);
		SKIP_TRY(skip_rank_drop_lowest(s->scores->unit[g], width, gone, s->keep->keep[g], err));
	}
cleanup:
	return status;
}

/* One share keeps layers of one shape alike and no others. */
static enum skip_status check_classes(struct selection *s, struct skip_err *err)
{
	for (int kind = 0; kind < 2 && s->classes; kind++) {
		int shapes = 0;
		for (int l = 0; l < s->n_layers; l++) shapes += find_alike(s, l, kind == 0) > 0;
		if (shapes > s->classes)
			return skip_err_set(err, SKIP_ERR_USAGE, "classes: one share for all leaves the %d shapes of %s this model has, asked for at most %d", shapes,
					    kind == 0 ? "attention" : "ffn", s->classes);
	}
	return SKIP_OK;
}

enum skip_status skip_select_slots(const struct skip_units *units, const struct skip_scores *scores, double share, struct skip_keep *keep,
				   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t g = units->n_groups; g < units->n_all; g++) {
		const int slots = units->group[g].width, gone = (int)floor(share * slots + 0.5);
		SKIP_TRY(skip_rank_drop_lowest(scores->unit[g], slots, gone < slots ? gone : slots - 1, keep->keep[g], err));
	}
cleanup:
	return status;
}

enum skip_status skip_select_check(const struct skip_units *units, const struct skip_scores *scores, unsigned kinds, struct skip_err *err)
{
	if (!(kinds & SKIP_UNITS_PREFIX)) return SKIP_OK;
	if (kinds == SKIP_UNITS_PREFIX)
		return skip_err_set(err, SKIP_ERR_USAGE, "slots of the prefix are no part of the encoder that a share is taken of; name other units beside them");
	if (units->n_all == units->n_groups) return skip_err_set(err, SKIP_ERR_USAGE, "the model has no prefix whose slots could go");
	if (!skip_scores_know_slots(scores, units))
		return skip_err_set(err, SKIP_ERR_USAGE, "the scores ('%s') say nothing of the slots of this prefix; criteria of mask gradients do, as fisher",
				    scores->criterion);
	return SKIP_OK;
}

static enum skip_status select_units(struct selection *s, double target, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double kept = solve_share(s, target);
	if (s->kinds & SKIP_UNITS_PREFIX) SKIP_TRY(skip_select_slots(s->units, s->scores, 1 - kept, s->keep, err));
	if (s->kinds & SKIP_UNITS_LAYER) {
		bool finer = (s->kinds & ~(SKIP_UNITS_LAYER | SKIP_UNITS_PREFIX)) != 0;
		SKIP_TRY(drop_sublayers(s, true, attention_share(s->kinds, kept), finer, err));
		SKIP_TRY(drop_sublayers(s, false, ffn_share(s->kinds, kept), finer, err));
		s->kinds &= ~SKIP_UNITS_LAYER;
		/* the finer kinds share what is still missing */
		kept = solve_share(s, target - s->actual);
		s->ideal = s->actual;
	}
	SKIP_TRY(check_classes(s, err));
	for (int l = 0; l < s->n_layers; l++) {
		SKIP_TRY(cut_attention(s, find_alike(s, l, true), attention_share(s->kinds, kept), err));
		SKIP_TRY(cut_ffn(s, find_alike(s, l, false), ffn_share(s->kinds, kept), err));
	}
cleanup:
	return status;
}

/* Everything goes but one unit of each group (one head, one dim per head, one neuron); with sub-layers among the kinds, everything. */
static double largest_removal(const struct layer *layer, int n_layers, unsigned kinds)
{
	double sum = 0;
	for (int l = 0; l < n_layers; l++) {
		const struct layer *at = &layer[l];
		if (kinds & SKIP_UNITS_LAYER) {
			sum += attention_size(at) + ffn_size(at);
			continue;
		}
		if (kinds & SKIP_UNITS_FFN && at->ffn) sum += (at->ffn->width - 1) * at->ffn_unit;
		if (!at->v || !at->qk) continue;
		double heads = kinds & SKIP_UNITS_HEAD ? 1 : at->v->heads;
		double v = kinds & SKIP_UNITS_V ? 1 : at->v->per_head, qk = kinds & SKIP_UNITS_QK ? 1 : at->qk->per_head;
		sum += attention_size(at) - heads * (v * at->v_unit + qk * at->qk_unit);
	}
	return sum;
}

double skip_select_largest(const struct skip_graph *graph, const struct skip_units *units, unsigned kinds)
{
	struct layer *layer = NULL;
	int n_layers = 0;
	if (find_layers(graph, units, &layer, &n_layers, NULL) != SKIP_OK) return 0;
	double share = largest_removal(layer, n_layers, kinds) / (double)skip_graph_encoder_params(graph);
	skip_free(layer);
	return share;
}

enum skip_status skip_select_rate(const struct skip_graph *graph, const struct skip_units *units, const struct skip_scores *scores,
				  unsigned kinds, int classes, double rate, struct skip_keep *out, double *removed, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	struct selection s = {.units = units, .scores = scores, .keep = &keep, .kinds = kinds, .classes = classes};
	if (!(rate >= 0 && rate < 1)) return skip_err_set(err, SKIP_ERR_USAGE, "rate %g, expected 0 <= rate < 1", rate);
	if (kinds == 0 || (kinds & ~ALL_KINDS)) return skip_err_set(err, SKIP_ERR_USAGE, "no kinds of units to remove");
	if (scores->n_all != units->n_all)
		return skip_err_set(err, SKIP_ERR_USAGE, "scores of %zu groups for a model of %zu", scores->n_all, units->n_all);
	SKIP_TRY(skip_select_check(units, scores, kinds, err));
	SKIP_TRY(find_layers(graph, units, &s.layer, &s.n_layers, err));
	s.alike = skip_alloc_array((size_t)s.n_layers, sizeof(*s.alike));
	if (!s.alike) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%d layers", s.n_layers));
	SKIP_TRY(skip_keep_create(units, &keep, err));
	double all = (double)skip_graph_encoder_params(graph), largest = largest_removal(s.layer, s.n_layers, kinds);
	if (rate * all > largest + 0.5) {
		status = skip_err_set(err, SKIP_ERR_USAGE, "rate %.4f cannot be reached with these units, the largest possible is %.4f",
				      rate, largest / all);
		goto cleanup;
	}
	SKIP_TRY(select_units(&s, rate * all, err));
	*out = keep;
	keep = (struct skip_keep){0};
	*removed = all > 0 ? s.actual / all : 0;
cleanup:
	skip_keep_deinit(&keep);
	skip_free(s.alike);
	skip_free(s.layer);
	return status;
}
