/* The consumer's weights: consumer.h. */
#include "method/skill/consumer.h"
#include "base/alloc.h"

enum skip_status skip_consumer_weight(const struct skip_graph *graph, const struct skip_unit_group *group, double **out, int *outputs,
				      struct skip_err *err)
{
	if (group->consumer == SKIP_NONE)
		return skip_err_set(err, SKIP_ERR_INPUT, "%s units of layer %d are not read through a weight", skip_unit_kind_name(group->kind),
				    group->layer);
	const struct skip_node *node = &graph->nodes[group->consumer];
	const struct skip_tensor *tensor = graph->tensors[node->param[0]];
	const size_t count = (size_t)skip_tensor_count(tensor), width = (size_t)group->width;
	const int across = node->attrs.linear.transpose ? 0 : 1; /* the axis of the units */
	if (tensor->rank != 2 || (size_t)tensor->dim[across] != width)
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "tensor '%s' is not a matrix of %zu inputs", tensor->name, width);
	double *data = skip_alloc_array(count, sizeof(*data)), *raw = skip_alloc_array(count, sizeof(*raw));
	if (!data || !raw) {
		skip_free(data);
		skip_free(raw);
		return skip_err_set(err, SKIP_ERR_NOMEM, "numbers of '%s'", tensor->name);
	}
	skip_tensor_to_f64(tensor, raw);
	*outputs = (int)tensor->dim[1 - across];
	for (size_t d = 0; d < (size_t)*outputs; d++) {
		for (size_t j = 0; j < width; j++) data[d * width + j] = across ? raw[d * width + j] : raw[j * (size_t)*outputs + d];
	}
	skip_free(raw);
	*out = data;
	return SKIP_OK;
}
