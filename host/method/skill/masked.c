/* Masks that stay open: masked.h. */
#include "method/skill/masked.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "graph/pass.h"
#include <string.h>

/* The mask behind value `site` of the unmasked graph, made all ones. */
static enum skip_status find_mask(const struct skip_graph *graph, const struct skip_graph *masked, int site, struct skip_tensor **out,
				  struct skip_err *err)
{
	int value = skip_graph_find_value(masked, graph->values[site].name);
	for (size_t n = 0; n < masked->n_nodes; n++) {
		const struct skip_node *node = &masked->nodes[n];
		if (node->op != skip_op_find("mask") || node->in[0] != value) continue;
		*out = masked->tensors[node->param[0]];
		for (int64_t j = 0; j < skip_tensor_count(*out); j++) skip_tensor_f32(*out)[j] = 1;
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_INTERNAL, "no mask behind '%s'", graph->values[site].name);
}

/* Counts the sites of every group into first, finds their masks. */
static enum skip_status find_masks(struct skip_masked *masked, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_units *units = masked->units;
	size_t most = 0, n = 0;
	for (size_t g = 0; g < units->n_groups; g++) most += 2 * (size_t)units->group[g].n_uses;
	masked->first = skip_alloc_zeroed(units->n_groups + 1, sizeof(*masked->first));
	masked->mask = skip_alloc_zeroed(most, sizeof(struct skip_tensor *));
	if (!masked->first || !masked->mask) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu masks", most);
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		for (int i = 0; i < 2 * group->n_uses; i++) {
			int site = i % 2 ? group->use[i / 2].also : group->use[i / 2].post;
			if (site != SKIP_NONE) SKIP_TRY(find_mask(graph, masked->graph, site, &masked->mask[n++], err));
		}
		masked->first[g + 1] = n;
	}
cleanup:
	return status;
}

enum skip_status skip_masked_init(const struct skip_graph *graph, const struct skip_units *units, struct skip_masked *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep keep = {0};
	struct skip_masked masked = {.units = units};
	SKIP_TRY(skip_keep_create(units, &keep, err));
	/* the pass masks groups that lose something */
	for (size_t g = 0; g < units->n_groups; g++) memset(keep.keep[g], 0, (size_t)units->group[g].width);
	SKIP_TRY(skip_pass_mask(graph, units, &keep, &masked.graph, err));
	SKIP_TRY(find_masks(&masked, graph, err));
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
	skip_free(masked->first);
	*masked = (struct skip_masked){0};
}

void skip_masked_set(const struct skip_masked *masked, size_t g, int unit, float value)
{
	const struct skip_unit_group *group = &masked->units->group[g];
	for (size_t m = masked->first[g]; m < masked->first[g + 1]; m++) {
		for (int k = 0; k < group->columns; k++) skip_tensor_f32(masked->mask[m])[skip_unit_column(group, unit, k)] = value;
	}
}

static enum skip_status upload(const struct skip_tensor *mask, struct skip_session *session, struct skip_err *err)
{
	const struct skip_graph *graph = skip_session_graph(session);
	for (size_t t = 0; t < graph->n_tensors; t++) {
		if (graph->tensors[t] == mask) return skip_session_update(session, (int)t, err);
	}
	return skip_err_set(err, SKIP_ERR_INTERNAL, "mask '%s' is not in the session", mask->name);
}

enum skip_status skip_masked_update(const struct skip_masked *masked, struct skip_session *session, size_t group, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t m = masked->first[group]; m < masked->first[group + 1]; m++) SKIP_TRY(upload(masked->mask[m], session, err));
cleanup:
	return status;
}
