/*
 * The tile of every node that has a choice: what was tuned for its shape on this device, else what the board file ships for it, else the family's first.
 * A chosen tile counts only as one of the family's own, so that nothing a cache holds can make a kernel that the family would not.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "device/lower/lowering.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

void skip_tile_text(const struct skip_tiling *tiling, const struct skip_tile *tile, char out[48])
{
	size_t used = 0;
	out[0] = '\0';
	for (int i = 0; tiling->names[i] && used < 48; i++) {
		if (tile->number[i]) used += (size_t)snprintf(out + used, 48 - used, "%s%s%d", used ? " " : "", tiling->names[i], tile->number[i]);
	}
}

static bool find_candidate(const struct skip_lowering *lowering, const struct skip_tiling *tiling, const char *variant, const struct skip_node *node,
			   const char *text, struct skip_tile *out)
{
	char own[48];
	for (size_t i = 0; tiling->candidate(lowering->graph, lowering->profile, variant, node, i, out); i++) {
		skip_tile_text(tiling, out, own);
		if (!strcmp(own, text)) return true;
	}
	return false;
}

static enum skip_status choose(struct skip_lowering *lowering, const struct skip_family *family, const char *variant, const struct skip_node *node,
			       struct skip_lowering_tile *out, struct skip_err *err)
{
	const struct skip_tiling *tiling = family->tiling;
	struct skip_tile_problem problem = {{0}, .node = *node};
	if (!tiling->problem(lowering->graph, lowering->profile, variant, node, &problem)) return SKIP_OK;
	const char *tuned = skip_profile_tile(lowering->profile, SKIP_TILE_TUNED, family->name, problem.shape);
	const char *shipped = skip_profile_tile(lowering->profile, SKIP_TILE_SHIPPED, family->name, problem.shape);
	out->origin = SKIP_TILE_TUNED;
	if (tuned && find_candidate(lowering, tiling, variant, node, tuned, &out->tile)) return SKIP_OK;
	if (tuned) skip_log(SKIP_LOG_WARN, "the tile \"%s\" tuned for %s %s is none of the family's and is not used", tuned, family->name, problem.shape);
	out->origin = SKIP_TILE_SHIPPED;
	if (shipped && find_candidate(lowering, tiling, variant, node, shipped, &out->tile)) return SKIP_OK;
	if (shipped)
		return skip_err_set(err, SKIP_ERR_INPUT, "profile '%s': the tile \"%s\" for %s %s is none of the family's", lowering->profile->id, shipped,
				    family->name, problem.shape);
	out->origin = SKIP_TILE_DEFAULT;
	if (tiling->candidate(lowering->graph, lowering->profile, variant, node, 0, &out->tile)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INTERNAL, "family '%s' has no tile for %s", family->name, problem.shape);
}

enum skip_status skip_lowering_choose_tiles(struct skip_lowering *lowering, struct skip_err *err)
{
	const struct skip_graph *graph = lowering->graph;
	lowering->tiles = skip_alloc_zeroed(graph->n_nodes, sizeof(*lowering->tiles));
	if (!lowering->tiles) return skip_err_set(err, SKIP_ERR_NOMEM, "tiles of %zu nodes", graph->n_nodes);
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_family *family = skip_family_of(graph->nodes[n].op->name);
		const char *variant = family && family->tiling ? skip_family_variant(family, lowering->profile) : NULL;
		struct skip_lowering_tile *chosen = &lowering->tiles[n];
		if (!variant) continue;
		enum skip_status status = choose(lowering, family, variant, &graph->nodes[n], chosen, err);
		if (status != SKIP_OK) return status;
		if (chosen->origin == SKIP_TILE_NONE) continue;
		if (chosen->tile.reach_rows > lowering->reach_rows) lowering->reach_rows = chosen->tile.reach_rows;
		if (chosen->tile.reach_cols > lowering->reach_cols) lowering->reach_cols = chosen->tile.reach_cols;
	}
	return SKIP_OK;
}
