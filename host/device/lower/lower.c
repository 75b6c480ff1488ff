/*
 * Graph + profile -> plan: every node is given to the family of its op, in the first variant of the profile that the family has; then the memory
 * plan and the texts are made. Nothing here knows an op or a family by name.
 */
#include "device/lower/lowering.h"
#include "device/emit/emit.h"
#include "device/profile/board.h"
#include "device/session.h"
#include "base/alloc.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

/* Kernels of one program where a device takes several: few enough that two processes share the work of a pruned network, each with at least as much time in
 * kernels as in the start of a program. A dense network, whose layers share their kernels, is one program. */
#define PROGRAM_KERNELS 22

const struct skip_family *skip_family_of(const char *op)
{
	for (size_t i = 0; skip_families[i]; i++) {
		for (const char *const *name = skip_families[i]->ops; *name; name++) {
			if (!strcmp(*name, op)) return skip_families[i];
		}
	}
	return NULL;
}

const char *skip_family_variant(const struct skip_family *family, const struct skip_profile *profile)
{
	for (int v = 0; v < profile->n_variants; v++) {
		for (const char *const *have = family->variants; *have; have++) {
			if (!strcmp(*have, profile->variants[v])) return *have;
		}
	}
	return NULL;
}

/* One more reader of a value in a layout: its words have one scale. */
static enum skip_status add_reader(struct skip_lowering *lowering, int value, enum skip_layout layout, float clip, struct skip_err *err)
{
	float *known = &lowering->clip[(size_t)value * SKIP_LAYOUT_COUNT + layout];
	if (skip_lowering_is_read(lowering, value, layout) && *known != clip) {
		return skip_err_set(err, SKIP_ERR_INPUT, "value '%s' is read in int8 with a clip of %g and of %g, possible is one", lowering->graph->values[value].name,
				    (double)*known, (double)clip);
	}
	lowering->read_as[value] |= 1u << layout;
	*known = clip;
	return SKIP_OK;
}

/* In which layouts each value is read: what a family makes of one node depends on how the nodes behind it read the result. */
static enum skip_status find_readers(struct skip_lowering *lowering, const int *wanted, size_t n_wanted, struct skip_err *err)
{
	const struct skip_graph *graph = lowering->graph;
	lowering->read_as = skip_alloc_zeroed(graph->n_values, sizeof(*lowering->read_as));
	lowering->clip = skip_alloc_zeroed(graph->n_values * SKIP_LAYOUT_COUNT, sizeof(*lowering->clip));
	lowering->words = skip_alloc_array(graph->n_values * SKIP_LAYOUT_COUNT, sizeof(*lowering->words));
	if (!lowering->read_as || !lowering->clip || !lowering->words) return skip_err_set(err, SKIP_ERR_NOMEM, "readers of %zu values", graph->n_values);
	for (size_t i = 0; i < graph->n_values * SKIP_LAYOUT_COUNT; i++) lowering->words[i] = SKIP_NONE;
	for (size_t w = 0; w < n_wanted; w++) lowering->read_as[wanted[w]] |= 1u << SKIP_LAYOUT_ROWS | SKIP_LOWERING_WANTED;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		const struct skip_family *family = skip_family_of(node->op->name);
		const char *variant = family ? skip_family_variant(family, lowering->profile) : NULL;
		for (int i = 0; i < node->n_in; i++) {
			if (node->in[i] == SKIP_NONE) continue;
			float clip = 0;
			enum skip_layout layout = variant && family->reads ? family->reads(graph, lowering->profile, variant, node, i, &clip) : SKIP_LAYOUT_ROWS;
			enum skip_status status = add_reader(lowering, node->in[i], layout, clip, err);
			if (status != SKIP_OK) return status;
		}
	}
	return SKIP_OK;
}

static enum skip_status lower_node(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	const char *op = node->op->name, *profile = lowering->profile->id;
	const struct skip_family *family = skip_family_of(op);
	if (!family) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "node %d: no kernel family covers op '%s'", lowering->node, op);
	const char *variant = skip_family_variant(family, lowering->profile);
	if (!variant) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "node %d: family '%s' has none of the variants of profile '%s'", lowering->node,
				    family->name, profile);
	}
	return family->lower(lowering, node, variant, err);
}

static enum skip_status create_plan(const struct skip_graph *graph, const struct skip_profile *profile, struct skip_plan **out, struct skip_err *err)
{
	struct skip_plan *plan = skip_alloc_zeroed(1, sizeof(*plan));
	if (!plan) return skip_err_set(err, SKIP_ERR_NOMEM, "plan");
	plan->value_buffer = skip_alloc_array(graph->n_values, sizeof(*plan->value_buffer));
	if (!plan->value_buffer) {
		skip_plan_destroy(plan);
		return skip_err_set(err, SKIP_ERR_NOMEM, "plan of %zu values", graph->n_values);
	}
	plan->n_values = graph->n_values;
	for (size_t v = 0; v < plan->n_values; v++) plan->value_buffer[v] = SKIP_NONE;
	snprintf(plan->profile, sizeof(plan->profile), "%s", profile->id);
	snprintf(plan->options, sizeof(plan->options), "%s", profile->options);
	plan->prefix = graph->prefix;
	plan->query_block = profile->query_block > 0 ? profile->query_block : 1;
	plan->key_align = profile->key_align > 0 ? profile->key_align : 1;
	*out = plan;
	return SKIP_OK;
}

static enum skip_status lower(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted, bool teams,
			      struct skip_plan **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_lowering lowering = {.graph = graph, .profile = profile};
	for (size_t w = 0; w < n_wanted; w++) {
		if (wanted[w] < 0 || (size_t)wanted[w] >= graph->n_values) {
			return skip_err_set(err, SKIP_ERR_USAGE, "wanted value %d does not exist (graph has %zu)", wanted[w], graph->n_values);
		}
	}
	SKIP_TRY(find_readers(&lowering, wanted, n_wanted, err));
	SKIP_TRY(skip_lowering_choose_tiles(&lowering, err));
	SKIP_TRY(create_plan(graph, profile, &lowering.plan, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		lowering.node = (int)n;
		SKIP_TRY(lower_node(&lowering, &graph->nodes[n], err));
	}
	SKIP_TRY(skip_lowering_plan_memory(&lowering, wanted, n_wanted, err));
	if (teams) SKIP_TRY(skip_lowering_make_teams(&lowering, err));
	SKIP_TRY(skip_emit_programs(lowering.specs, lowering.teams, lowering.n_teams, skip_profile_has_engines(profile) ? 0 : PROGRAM_KERNELS, lowering.plan, err));
	*out = lowering.plan;
	lowering.plan = NULL;
cleanup:
	skip_plan_destroy(lowering.plan);
	for (size_t t = 0; t < lowering.n_teams; t++) skip_free(lowering.teams[t].text);
	skip_free(lowering.teams);
	skip_free(lowering.specs);
	skip_free(lowering.tiles);
	skip_free(lowering.read_as);
	skip_free(lowering.clip);
	skip_free(lowering.words);
	return status;
}

enum skip_status skip_lower(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted, struct skip_plan **out,
			    struct skip_err *err)
{
	return lower(graph, profile, wanted, n_wanted, false, out, err);
}

enum skip_status skip_lower_whole(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted, struct skip_plan **out,
				  struct skip_err *err)
{
	return lower(graph, profile, wanted, n_wanted, profile->team, out, err);
}
