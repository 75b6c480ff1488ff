/*
 * Shapley values of players against the divergence from the whole network (docs/method.md 3.4). Players are heads (queries, keys and values
 * together) and blocks of neurons in the order of fisher. v(S) = -mean KL(p_whole || p_S) with the players of S switched on; a player's value is the
 * mean of what v loses when it leaves, over random orders of leaving, each walked from both ends. A walk ends when v has sunk to the value of
 * nobody left. Inside a player units share its value by their fisher mass. Labels are not read.
 */
#include "base/alloc.h"
#include "graph/pass.h"
#include "method/metrics.h"
#include "method/skill/masked.h"
#include <math.h>
#include <stdlib.h>

#define BLOCK 64 /* neurons of a player */

/* Columns of one group (a block), or of the two groups of an attention (a head). */
struct player {
	size_t group[2];
	const int *unit[2]; /* [count] */
	int count[2];	    /* 0: no second group */
	double value;	    /* sum over the walks */
};

struct game {
	const struct skip_scoring *scoring;
	struct skip_scores fisher;
	struct skip_masked masked;
	struct skip_session *session;
	int logits;
	struct player *player;
	size_t n_players;
	int **order; /* [n_groups][width] units of a group as players own them */
	float *whole, *now; /* [rows][C] */
	double floor;
	int64_t evaluations, most; /* runs of the sample, for progress */
};

struct ranked {
	double score;
	int unit;
};

static int by_score(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? -1 : 1;
	return x->unit - y->unit;
}

/* ---- players */

/* order[group]: neurons by fisher; dims of heads as they stand. */
static enum skip_status order_units(struct game *game, size_t g, struct skip_err *err)
{
	const struct skip_unit_group *group = &game->scoring->units->group[g];
	struct ranked *rank = skip_alloc_array((size_t)group->width, sizeof(*rank));
	game->order[g] = skip_alloc_array((size_t)group->width, sizeof(int));
	if (!rank || !game->order[g]) {
		skip_free(rank);
		return skip_err_set(err, SKIP_ERR_NOMEM, "order of %d units", group->width);
	}
	for (int j = 0; j < group->width; j++) rank[j] = (struct ranked){group->kind == SKIP_UNIT_FFN ? game->fisher.unit[g][j] : j, j};
	qsort(rank, (size_t)group->width, sizeof(*rank), by_score);
	for (int j = 0; j < group->width; j++) game->order[g][j] = rank[j].unit;
	skip_free(rank);
	return SKIP_OK;
}

static void add_players(struct game *game, size_t g)
{
	const struct skip_units *units = game->scoring->units;
	const struct skip_unit_group *group = &units->group[g];
	const bool ffn = group->kind == SKIP_UNIT_FFN;
	const struct skip_unit_group *qk = ffn ? NULL : skip_units_get(units, group->layer, SKIP_UNIT_QK);
	const int size = ffn ? BLOCK : group->per_head;
	for (int first = 0; first < group->width; first += size) {
		struct player *player = &game->player[game->n_players++];
		*player = (struct player){.group = {g}, .unit = {game->order[g] + first}};
		player->count[0] = first + size <= group->width ? size : group->width - first;
		if (!qk) continue;
		player->group[1] = (size_t)(qk - units->group);
		player->unit[1] = game->order[player->group[1]] + first / size * qk->per_head;
		player->count[1] = qk->per_head;
	}
}

static enum skip_status make_players(struct game *game, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_units *units = game->scoring->units;
	game->order = skip_alloc_zeroed(units->n_groups, sizeof(*game->order));
	game->player = skip_alloc_array(units->total, sizeof(*game->player));
	if (!game->order || !game->player) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "players of %zu units", units->total);
		goto cleanup;
	}
	for (size_t g = 0; g < units->n_groups; g++) SKIP_TRY(order_units(game, g, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		if (units->group[g].kind != SKIP_UNIT_QK) add_players(game, g);
	}
cleanup:
	return status;
}

/* ---- walks */

static enum skip_status switch_player(struct game *game, const struct player *player, float on, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < player->count[i]; k++) skip_masked_set(&game->masked, player->group[i], player->unit[i][k], on);
		if (player->count[i] > 0) SKIP_TRY(skip_masked_update(&game->masked, game->session, player->group[i], err));
	}
cleanup:
	return status;
}

static enum skip_status run(struct game *game, float *logits, struct skip_err *err)
{
	const struct skip_scoring *s = game->scoring;
	if (!skip_progress_report(s->progress, "score", game->evaluations++, game->most, s->name))
		return skip_err_set(err, SKIP_ERR_INTERRUPTED, "scoring stopped");
	s->scores->forward += (int64_t)s->sample->n_rows;
	return skip_predict(game->session, game->logits, s->sample, 0, logits, NULL, err);
}

/* v of whoever is switched on now. */
static enum skip_status value(struct game *game, double *v, struct skip_err *err)
{
	enum skip_status status = run(game, game->now, err);
	if (status == SKIP_OK) *v = -skip_mean_kl(game->whole, game->now, game->scoring->sample->n_rows, game->scoring->classes);
	return status;
}

static enum skip_status switch_all(struct game *game, float on, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < game->n_players; i++) SKIP_TRY(switch_player(game, &game->player[i], on, err));
cleanup:
	return status;
}

/* Everybody leaves in the order given, forwards or backwards. */
static enum skip_status walk(struct game *game, const int *order, bool backwards, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double before = 0, after;
	for (size_t i = 0; i < game->n_players && before > game->floor; i++) {
		struct player *player = &game->player[order[backwards ? game->n_players - 1 - i : i]];
		SKIP_TRY(switch_player(game, player, 0, err));
		SKIP_TRY(value(game, &after, err));
		player->value += before - after;
		before = after;
	}
	SKIP_TRY(switch_all(game, 1, err));
cleanup:
	return status;
}

static enum skip_status play(struct game *game, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int permutations = game->scoring->options->permutations;
	struct skip_rng rng;
	int *order = skip_alloc_array(game->n_players, sizeof(*order));
	if (!order) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu players", game->n_players);
	skip_rng_init(&rng, game->scoring->options->seed, "permutations");
	game->most = 2 + 2 * permutations * (int64_t)game->n_players;
	SKIP_TRY(run(game, game->whole, err));
	SKIP_TRY(switch_all(game, 0, err));
	SKIP_TRY(value(game, &game->floor, err));
	SKIP_TRY(switch_all(game, 1, err));
	for (int i = 0; i < permutations; i++) {
		skip_rng_permute(&rng, order, game->n_players);
		SKIP_TRY(walk(game, order, false, err));
		SKIP_TRY(walk(game, order, true, err));
	}
cleanup:
	skip_free(order);
	return status;
}

/* ---- scores */

/* The shares sum to phi; more fisher is always more, whatever the sign of phi. */
static void share_out(const struct game *game, const struct player *player, int which, double phi)
{
	const double *fisher = game->fisher.unit[player->group[which]];
	double *unit = game->scoring->scores->unit[player->group[which]], sum = 0;
	const int n = player->count[which];
	for (int k = 0; k < n; k++) sum += fisher[player->unit[which][k]];
	for (int k = 0; k < n; k++) {
		double share = sum > 0 ? fisher[player->unit[which][k]] / sum : 1.0 / n;
		unit[player->unit[which][k]] = phi / n + fabs(phi) * (share - 1.0 / n);
	}
}

static void write_scores(const struct game *game)
{
	const int walks = 2 * game->scoring->options->permutations;
	for (size_t i = 0; i < game->n_players; i++) {
		const struct player *player = &game->player[i];
		const double phi = player->value / walks;
		double *head = game->scoring->scores->head[player->group[0]];
		for (int k = 0; k < 2; k++) {
			if (player->count[k] > 0) share_out(game, player, k, phi);
		}
		if (head) head[player->unit[0][0] / game->scoring->units->group[player->group[0]].per_head] = phi;
	}
}

static enum skip_status open_game(struct game *game, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_scoring *s = game->scoring;
	const size_t count = s->sample->n_rows * (size_t)s->classes;
	struct skip_skill_options options = *s->options;
	options.criterion = "fisher";
	options.samples = (int)s->sample->n_rows;
	options.target = -1;
	options.labels = SKIP_LABELS_PRED;
	SKIP_TRY(skip_attribute(s->device, s->graph, s->units, s->sample, &options, NULL, &game->fisher, err));
	s->scores->forward += game->fisher.forward;
	s->scores->backward += game->fisher.backward;
	SKIP_TRY(make_players(game, err));
	SKIP_TRY(skip_masked_init(s->graph, s->units, &game->masked, err));
	SKIP_TRY(skip_open_inference(s->device, game->masked.graph, "logits", false, &game->session, &game->logits, err));
	game->whole = skip_alloc_array(count, sizeof(float));
	game->now = skip_alloc_array(count, sizeof(float));
	if (!game->whole || !game->now) status = skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu samples", s->sample->n_rows);
cleanup:
	return status;
}

static enum skip_status score(const struct skip_scoring *scoring, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct game game = {.scoring = scoring};
	if (scoring->sample->problem != SKIP_SINGLE_LABEL)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "criterion 'shapley' compares the answers of single-label heads only");
	SKIP_TRY(open_game(&game, err));
	SKIP_TRY(play(&game, err));
	write_scores(&game);
cleanup:
	skip_session_destroy(game.session);
	skip_masked_deinit(&game.masked);
	skip_scores_deinit(&game.fisher);
	for (size_t g = 0; game.order && g < scoring->units->n_groups; g++) skip_free(game.order[g]);
	skip_free(game.order);
	skip_free(game.player);
	skip_free(game.whole);
	skip_free(game.now);
	return status;
}

const struct skip_criterion skip_criterion_shapley = {
    .name = "shapley",
    .summary = "what the answer loses when a head or a block of neurons leaves, over random orders of leaving",
    .default_samples = 64,
    .default_target = -1,
    .score = score,
};
