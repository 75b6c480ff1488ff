/*
 * Which launches belong to which sub-layer. A fused graph has no units any more, but tensors and names stay: from the node that multiplies
 * by the consumer's weight back through everything whose value is a unit's or new (joined projections), and never across a value that the
 * canonical graph knows as not removable (the residual stream and its norms).
 */
#include "base/alloc.h"
#include "method/search/times.h"
#include <string.h>

struct walk {
	const struct skip_graph *session, *graph;
	const bool *unit_value; /* [graph->n_values] */
	int *owner;
};

static void claim(const struct walk *w, int n, int owner)
{
	const struct skip_node *node = &w->session->nodes[n];
	if (w->owner[n] != SKIP_NONE) return;
	w->owner[n] = owner;
	for (int i = 0; i < node->n_in; i++) {
		if (node->in[i] == SKIP_NONE) continue;
		const struct skip_value *value = &w->session->values[node->in[i]];
		int known = skip_graph_find_value(w->graph, value->name);
		if (value->producer == SKIP_NONE || w->session->nodes[value->producer].layer != node->layer) continue;
		if (known == SKIP_NONE || w->unit_value[known]) claim(w, value->producer, owner);
	}
}

static int node_of_weight(const struct skip_graph *session, const struct skip_tensor *weight)
{
	for (size_t n = 0; n < session->n_nodes; n++) {
		const struct skip_node *node = &session->nodes[n];
		for (int p = 0; p < node->n_param; p++) { /* the first, but of an ffn taken whole */
			if (node->param[p] != SKIP_NONE && session->tensors[node->param[p]] == weight) return (int)n;
		}
	}
	return SKIP_NONE;
}

static int sublayer_of(const struct skip_options *options, const struct skip_unit_group *group)
{
	for (size_t s = 0; s < options->n; s++) {
		bool ffn = options->sub[s].ffn != SKIP_NO_GROUP;
		if (options->sub[s].layer == group->layer && ffn == (group->kind == SKIP_UNIT_FFN)) return (int)s;
	}
	return SKIP_NONE;
}

enum skip_status skip_times_owners(const struct skip_graph *session, const struct skip_graph *graph, const struct skip_units *units,
				   const struct skip_options *options, int **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	bool *unit_value = skip_alloc_zeroed(graph->n_values, sizeof(*unit_value));
	int *owner = skip_alloc_array(session->n_nodes, sizeof(*owner));
	if (!unit_value || !owner) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "owners of %zu nodes", session->n_nodes));
	const struct walk walk = {.session = session, .graph = graph, .unit_value = unit_value, .owner = owner};
	for (size_t n = 0; n < session->n_nodes; n++) owner[n] = SKIP_NONE;
	for (size_t g = 0; g < units->n_groups; g++) {
		for (int i = 0; i < units->group[g].n_values; i++) unit_value[units->group[g].values[i]] = true;
	}
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (group->consumer == SKIP_NONE) continue;
		int node = node_of_weight(session, graph->tensors[graph->nodes[group->consumer].param[0]]);
		int sub = sublayer_of(options, group);
		if (node != SKIP_NONE && sub != SKIP_NONE) claim(&walk, node, sub);
	}
	*out = owner;
	owner = NULL;
cleanup:
	skip_free(unit_value);
	skip_free(owner);
	return status;
}
