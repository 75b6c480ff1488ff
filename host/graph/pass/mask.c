/*
 * The masked network: every weight in place, units switched off by a 0 where the mask acts linearly, slots by -infinity at their scores. Same answers
 * as the small network (docs/method.md 4, parity property), none of its speed.
 */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>

static bool removes_any(const struct skip_unit_group *group, const unsigned char *keep)
{
	for (int j = 0; j < group->width; j++) {
		if (!keep[j]) return true;
	}
	return false;
}

/* A mask behind value `site` of a use in the new graph; everything that comes later reads the masked value. */
static enum skip_status add_mask(struct skip_rewrite *rewrite, const struct skip_unit_group *group, const struct skip_unit_use *use, int site,
                                 const unsigned char *keep, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("mask"), .layer = use->layer, .n_in = 1, .in = {rewrite->value[site]}, .n_param = 1};
	struct skip_tensor *mask = NULL;
	char stem[SKIP_NAME], name[SKIP_NAME];
	enum skip_status status = SKIP_OK;
	snprintf(stem, sizeof(stem), "layer%d.%s.mask", use->layer, skip_unit_kind_name(group->kind));
	skip_rewrite_name(rewrite, stem, name);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, 1, (const int64_t[]){group->width * group->columns}, &mask, err));
	for (int j = 0; j < group->width; j++)
		for (int k = 0; k < group->columns; k++) skip_tensor_f32(mask)[skip_unit_column(group, j, k)] = keep[j] ? 1.0f : 0.0f;
	SKIP_TRY(skip_graph_add_tensor(rewrite->to, mask, &node.param[0], err));
	SKIP_TRY(skip_rewrite_insert(rewrite, &node, name, &rewrite->value[site], err));
cleanup:
	skip_tensor_unref(mask);
	return status;
}

enum skip_status skip_mask_slots(struct skip_graph *graph, int node, const unsigned char *keep, struct skip_err *err)
{
	struct skip_node *attention = &graph->nodes[node];
	struct skip_tensor *mask = NULL;
	char name[SKIP_TENSOR_NAME];
	enum skip_status status = SKIP_OK;
	attention->attrs.attention.precision = SKIP_PRECISION_F32; /* the only form that knows slots */
	while (attention->n_param <= SKIP_ATTENTION_SLOTS) attention->param[attention->n_param++] = SKIP_NONE;
	snprintf(name, sizeof(name), "layer%d.prefix.mask", attention->layer);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, 1, graph->tensors[attention->param[SKIP_ATTENTION_PK]]->dim, &mask, err));
	int *slots = &attention->param[SKIP_ATTENTION_SLOTS];
	if (*slots != SKIP_NONE) skip_tensor_to_f32(graph->tensors[*slots], skip_tensor_f32(mask));
	for (int64_t j = 0; j < mask->dim[0]; j++)
		if (!keep[j]) skip_tensor_f32(mask)[j] = -INFINITY;
	if (*slots != SKIP_NONE) skip_graph_set_tensor(graph, *slots, mask);
	else
		SKIP_TRY(skip_graph_add_tensor(graph, mask, slots, err));
cleanup:
	skip_tensor_unref(mask);
	return status;
}

enum skip_status skip_pass_mask(const struct skip_graph *graph, const struct skip_units *units, const struct skip_keep *keep,
                                struct skip_graph **out, struct skip_err *err)
{
	struct skip_rewrite rewrite = {0};
	enum skip_status status = SKIP_OK;
	assert(keep->n_all == units->n_all);
	SKIP_TRY(skip_rewrite_begin(&rewrite, graph, err));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		SKIP_TRY(skip_rewrite_copy(&rewrite, n, err));
		for (size_t g = units->n_groups; g < units->n_all; g++) {
			if (graph->values[units->group[g].post].producer == (int)n && removes_any(&units->group[g], keep->keep[g]))
				SKIP_TRY(skip_mask_slots(rewrite.to, (int)rewrite.to->n_nodes - 1, keep->keep[g], err));
		}
		for (size_t g = 0; g < units->n_groups; g++) {
			const struct skip_unit_group *group = &units->group[g];
			for (int i = 0; i < 2 * group->n_uses && removes_any(group, keep->keep[g]); i++) {
				const struct skip_unit_use *use = &group->use[i / 2];
				int site = i % 2 ? use->also : use->post;
				if (site == SKIP_NONE || graph->values[site].producer != (int)n) continue;
				SKIP_TRY(add_mask(&rewrite, group, use, site, keep->keep[g], err));
			}
		}
	}
	*out = skip_rewrite_end(&rewrite);
cleanup:
	skip_rewrite_deinit(&rewrite);
	return status;
}
