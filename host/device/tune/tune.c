/* What there is to settle for a graph: every shape its families have a choice for, one by one. */
#include "base/alloc.h"
#include "device/run/run.h"
#include "device/tune/internal.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

void skip_tuning_deinit(struct skip_tuning *tuning)
{
	skip_free(tuning->choice);
	*tuning = (struct skip_tuning){0};
}

static bool is_settled(const struct skip_tuning *tuning, const char *family, const char *shape)
{
	for (size_t i = 0; i < tuning->n_choices; i++) {
		if (!strcmp(tuning->choice[i].family, family) && !strcmp(tuning->choice[i].shape, shape)) return true;
	}
	return false;
}

static bool is_listed(const struct skip_tile_choice *choice, size_t n, const char *tile)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(choice[i].tile, tile)) return true;
	}
	return false;
}

/* The family's tiles for a node, what stands without tuning (`first`) before the others. */
static size_t list_tiles(const struct skip_graph *graph, const struct skip_profile *profile, const struct skip_family *family, const struct skip_node *node,
			 const struct skip_tile_choice *first, struct skip_tile_choice *out)
{
	struct skip_tile tile;
	const char *variant = skip_family_variant(family, profile);
	size_t n = 1;
	out[0] = *first;
	for (size_t i = 0; n < SKIP_SEARCH_MAX && family->tiling->candidate(graph, profile, variant, node, i, &tile); i++) {
		out[n] = *first;
		skip_tile_text(family->tiling, &tile, out[n].tile);
		if (!is_listed(out, n, out[n].tile)) n++;
	}
	return n;
}

/* Fills shape and tile of what a node gets without tuning; false where its family has no choice. */
static bool find_standing(const struct skip_graph *graph, const struct skip_profile *profile, const struct skip_family *family,
			  const struct skip_node *node, struct skip_tile_problem *problem, struct skip_tune_found *out)
{
	struct skip_tile tile;
	const char *variant = family && family->tiling ? skip_family_variant(family, profile) : NULL;
	if (!variant || !family->tiling->problem(graph, profile, variant, node, problem)) return false;
	if (!family->tiling->candidate(graph, profile, variant, node, 0, &tile)) return false;
	const char *shipped = skip_profile_tile(profile, SKIP_TILE_SHIPPED, family->name, problem->shape);
	snprintf(out->choice.family, sizeof(out->choice.family), "%s", family->name);
	snprintf(out->choice.shape, sizeof(out->choice.shape), "%s", problem->shape);
	skip_tile_text(family->tiling, &tile, out->choice.tile);
	if (shipped) snprintf(out->choice.tile, sizeof(out->choice.tile), "%s", shipped);
	memcpy(out->before, out->choice.tile, sizeof(out->before));
	out->before_origin = shipped ? SKIP_TILE_SHIPPED : SKIP_TILE_DEFAULT;
	return true;
}

static enum skip_status settle(struct skip_device *device, const struct skip_graph *graph, const struct skip_node *node, const struct skip_tune_listener *listener,
			       struct skip_tuning *tuning, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_profile *profile = skip_device_profile(device);
	const struct skip_family *family = skip_family_of(node->op->name);
	struct skip_tile_problem problem = {{0}, .node = *node};
	struct skip_tune_found found = {.gain = 1};
	struct skip_tile_choice choice[SKIP_SEARCH_MAX];
	struct skip_verdict verdict;
	if (!find_standing(graph, profile, family, node, &problem, &found)) return SKIP_OK;
	if (is_settled(tuning, found.choice.family, found.choice.shape)) return SKIP_OK;
	found.tried = list_tiles(graph, profile, family, node, &found.choice, choice);
	if (found.tried < 2) return SKIP_OK;
	const struct skip_trial trial = {.device = device, .graph = graph, .problem = &problem, .choice = choice, .n = found.tried};
	SKIP_TRY(skip_trial_run(&trial, &verdict, err));
	found.choice = choice[verdict.best];
	found.rejected = verdict.rejected;
	found.gain = verdict.gain;
	if (!skip_grow((void **)&tuning->choice, &tuning->capacity, tuning->n_choices + 1, sizeof(*tuning->choice)))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tuning"));
	tuning->choice[tuning->n_choices++] = found.choice;
	if (listener && listener->tell) listener->tell(listener->context, &found);
cleanup:
	return status;
}

enum skip_status skip_tune_graph(struct skip_device *device, const struct skip_graph *graph, const struct skip_tune_listener *listener,
				 struct skip_tuning *tuning, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (skip_device_profile(device)->kind == SKIP_PROFILE_CHECKER) return SKIP_OK;
	SKIP_TRY(skip_known_graph(device, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) SKIP_TRY(settle(device, graph, &graph->nodes[n], listener, tuning, err));
cleanup:
	return status;
}
