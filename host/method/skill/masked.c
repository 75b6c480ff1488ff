/* Masks that stay open: masked.h. */
#include "method/skill/masked.h"
#include "base/alloc.h"
#include "graph/pass.h"
#include <stdio.h>
#include <string.h>

enum skip_status skip_masked_init(const struct skip_graph *graph, const struct skip_units *units, struct skip_masked *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	struct skip_masked masked = {.n_groups = units->n_groups};
	SKIP_TRY(skip_keep_create(units, &keep, err));
	/* the pass masks groups that lose something */
	for (size_t g = 0; g < units->n_groups; g++) memset(keep.keep[g], 0, (size_t)units->group[g].width);
	SKIP_TRY(skip_pass_mask(graph, units, &keep, &masked.graph, err));
	masked.mask = skip_alloc_zeroed(units->n_groups, sizeof(struct skip_tensor *));
	if (!masked.mask) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu masks", units->n_groups);
		goto cleanup;
	}
	for (size_t g = 0; g < units->n_groups; g++) {
		char name[SKIP_NAME];
		snprintf(name, sizeof(name), "layer%d.%s.mask", units->group[g].layer, skip_unit_kind_name(units->group[g].kind));
		int index = skip_graph_find_tensor(masked.graph, name);
		if (index == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "no mask '%s'", name);
			goto cleanup;
		}
		masked.mask[g] = masked.graph->tensors[index];
		for (int j = 0; j < units->group[g].width; j++) skip_tensor_f32(masked.mask[g])[j] = 1;
	}
	*out = masked;
	masked = (struct skip_masked){0};
cleanup:
	skip_masked_deinit(&masked);
	skip_keep_deinit(&keep);
	return status;
}

void skip_masked_deinit(struct skip_masked *masked)
{
	skip_graph_destroy(masked->graph);
	skip_free(masked->mask);
	*masked = (struct skip_masked){0};
}

enum skip_status skip_masked_update(const struct skip_masked *masked, struct skip_session *session, size_t group, struct skip_err *err)
{
	const struct skip_graph *graph = skip_session_graph(session);
	for (size_t t = 0; t < graph->n_tensors; t++) {
		if (graph->tensors[t] == masked->mask[group]) return skip_session_update(session, (int)t, err);
	}
	return skip_err_set(err, SKIP_ERR_INTERNAL, "mask '%s' is not in the session", masked->mask[group]->name);
}
