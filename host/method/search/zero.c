/* Zeros where units went: zero.h. */
#include "method/search/zero.h"
#include "graph/pass.h"
#include <stdio.h>
#include <string.h>

static void zero_index(struct skip_tensor *tensor, int axis, int64_t index)
{
	float *data = skip_tensor_f32(tensor);
	const int64_t rows = tensor->dim[0], cols = tensor->rank > 1 ? tensor->dim[1] : 1;
	if (axis == 0) memset(data + index * cols, 0, (size_t)cols * sizeof(*data));
	for (int64_t i = 0; axis == 1 && i < rows; i++) data[i * cols + index] = 0;
}

void skip_zero_slice(struct skip_graph *graph, const struct skip_unit_group *group, const struct skip_unit_slice *slice,
		     const unsigned char *keep)
{
	for (int j = 0; !slice->by_head && j < group->width; j++) {
		for (int k = 0; !keep[j] && k < group->columns; k++)
			zero_index(graph->tensors[slice->tensor], slice->axis, skip_unit_column(group, j, k));
	}
}

enum skip_status skip_zero_units(const struct skip_graph *graph, const struct skip_units *units, const struct skip_keep *keep,
				 struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *copy = NULL;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		const struct skip_node *consumer = group->consumer == SKIP_NONE ? NULL : &graph->nodes[group->consumer];
		for (int p = 0; consumer && p < consumer->n_param; p++) SKIP_TRY(skip_graph_own_tensor(copy, consumer->param[p], err));
		for (int s = 0; s < group->n_slices; s++) {
			const struct skip_unit_slice *slice = &group->slices[s];
			if (consumer && slice->tensor != consumer->param[0]) continue;
			if (!consumer) SKIP_TRY(skip_graph_own_tensor(copy, slice->tensor, err));
			skip_zero_slice(copy, group, slice, keep->keep[g]);
		}
	}
	for (size_t g = units->n_groups; g < units->n_all; g++) {
		if (memchr(keep->keep[g], 0, (size_t)units->group[g].width))
			SKIP_TRY(skip_mask_slots(copy, copy->values[units->group[g].post].producer, keep->keep[g], err));
	}
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}

enum skip_status skip_place_masks(struct skip_graph *graph, const struct skip_units *units, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_keep all = {0};
	SKIP_TRY(skip_keep_create(units, &all, err));
	for (size_t g = units->n_groups; g < units->n_all; g++)
		SKIP_TRY(skip_mask_slots(graph, graph->values[units->group[g].post].producer, all.keep[g], err));
cleanup:
	skip_keep_deinit(&all);
	return status;
}

void skip_unmask_slots(struct skip_graph *graph, const struct skip_units *units)
{
	for (size_t g = units->n_groups; g < units->n_all; g++) {
		struct skip_node *attention = &graph->nodes[graph->values[units->group[g].post].producer];
		if (attention->n_param > SKIP_ATTENTION_SLOTS) attention->param[SKIP_ATTENTION_SLOTS] = SKIP_NONE;
	}
}

static enum skip_status give_bias(struct skip_graph *graph, struct skip_node *node, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tensor *weight = graph->tensors[node->param[0]];
	struct skip_tensor *bias = NULL;
	char name[SKIP_TENSOR_NAME + 8];
	if (node->n_param > 1 && node->param[1] != SKIP_NONE) return SKIP_OK;
	snprintf(name, sizeof(name), "%s.bias", weight->name);
	SKIP_TRY(skip_tensor_create(name, SKIP_F32, 1, weight->dim, &bias, err));
	SKIP_TRY(skip_graph_add_tensor(graph, bias, &node->param[1], err));
	node->n_param = 2;
cleanup:
	skip_tensor_unref(bias);
	return status;
}

enum skip_status skip_zero_biases(struct skip_graph *graph, const struct skip_units *units, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (group->consumer == SKIP_NONE || group->n_uses > 1) continue;
		SKIP_TRY(give_bias(graph, &graph->nodes[group->consumer], err));
	}
cleanup:
	return status;
}
