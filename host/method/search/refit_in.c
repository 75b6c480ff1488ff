/* Refit of what reads the stream: refit_in.h. */
#include "method/search/refit_in.h"
#include "base/alloc.h"
#include "graph/op.h"
#include <cblas.h>
#include <string.h>

static bool add_reader(const struct skip_graph *graph, int value, struct skip_readers *readers)
{
	const int producer = graph->values[value].producer;
	if (producer == SKIP_NONE || readers->n == SKIP_MOST_READERS) return false;
	const struct skip_node *node = &graph->nodes[producer];
	if (node->op != skip_op_find("linear") || node->n_in != 1 || node->attrs.linear.act != SKIP_ACT_NONE || node->attrs.linear.transpose)
		return false;
	const int weight = node->param[0], bias = node->n_param > 1 ? node->param[1] : SKIP_NONE;
	if (skip_graph_count_readers(graph, weight) > 1 || (bias != SKIP_NONE && skip_graph_count_readers(graph, bias) > 1)) return false;
	if (readers->n > 0 && readers->value != node->in[0]) return false;
	readers->value = node->in[0];
	readers->weight[readers->n] = weight;
	readers->bias[readers->n++] = bias;
	readers->biased &= bias != SKIP_NONE;
	return true;
}

bool skip_readers_find(const struct skip_graph *graph, const struct skip_units *units, size_t g, struct skip_readers *out)
{
	const struct skip_unit_group *group = &units->group[g];
	const struct skip_unit_group *qk = group->kind == SKIP_UNIT_V ? skip_units_get(units, group->layer, SKIP_UNIT_QK) : NULL;
	*out = (struct skip_readers){.value = SKIP_NONE, .biased = true};
	for (int i = 0; i < group->n_pre; i++) {
		if (!add_reader(graph, group->pre[i], out)) return false;
	}
	for (int i = 0; qk && i < qk->n_pre; i++) {
		if (!add_reader(graph, qk->pre[i], out)) return false;
	}
	return out->n > 0;
}

enum skip_status skip_readers_move(struct skip_graph *graph, const struct skip_readers *readers, const float *delta, const float *shift,
				   struct skip_err *err)
{
	for (int i = 0; i < readers->n; i++) {
		struct skip_tensor *tensor = graph->tensors[readers->weight[i]];
		const int outputs = (int)tensor->dim[0], inputs = (int)tensor->dim[1];
		float *weight = skip_tensor_f32(tensor), *before = skip_alloc_array((size_t)outputs, (size_t)inputs * sizeof(*before));
		if (!before) return skip_err_set(err, SKIP_ERR_NOMEM, "weights of '%s'", tensor->name);
		memcpy(before, weight, (size_t)outputs * (size_t)inputs * sizeof(*before));
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, outputs, inputs, inputs, 1, before, inputs, delta, inputs, 1, weight, inputs);
		if (shift)
			cblas_sgemv(CblasRowMajor, CblasNoTrans, outputs, inputs, 1, before, inputs, shift, 1, 1,
				    skip_tensor_f32(graph->tensors[readers->bias[i]]), 1);
		skip_free(before);
	}
	return SKIP_OK;
}
