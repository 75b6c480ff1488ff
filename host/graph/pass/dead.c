/* Removes what no wanted value needs. Neighbours: every pass that leaves nodes behind. It judges by reachability alone, never by op. */
#include "base/alloc.h"
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

/* needed [n_values]: the wanted values and all that leads to them. */
static void mark_needed(const struct skip_graph *graph, const int *wanted, size_t n_wanted, bool *needed)
{
	for (size_t i = 0; i < n_wanted; i++) {
		if (wanted[i] != SKIP_NONE) needed[wanted[i]] = true;
	}
	for (size_t n = graph->n_nodes; n-- > 0;) {
		const struct skip_node *node = &graph->nodes[n];
		bool alive = false;
		for (int i = 0; i < node->n_out; i++) alive = alive || (node->out[i] != SKIP_NONE && needed[node->out[i]]);
		for (int i = 0; alive && i < node->n_in; i++) {
			if (node->in[i] != SKIP_NONE) needed[node->in[i]] = true;
		}
	}
}

enum skip_status skip_pass_dead(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out, struct skip_err *err)
{
	struct skip_rewrite rewrite = {0};
	enum skip_status status = SKIP_OK;
	bool *needed = skip_alloc_zeroed(graph->n_values, sizeof(*needed));
	if (!needed) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory to mark %zu values", graph->n_values));
	mark_needed(graph, wanted, n_wanted, needed);
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		bool alive = false;
		for (int i = 0; i < node->n_out; i++) alive = alive || (node->out[i] != SKIP_NONE && needed[node->out[i]]);
		if (alive) SKIP_TRY(skip_rewrite_copy(&rewrite, n, err));
	}
	for (size_t i = 0; i < n_wanted; i++) {
		int index;
		SKIP_TRY(skip_rewrite_value(&rewrite, wanted[i], &index, err));
	}
	skip_rewrite_indices(&rewrite, wanted, n_wanted);
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	skip_free(needed);
	return status;
}
