/* Product of the L2 norms of what enters a unit and what leaves it (docs/method.md 3.4). Weights only. */
#include "base/alloc.h"
#include "graph/op.h"
#include "method/skill/skill.h"
#include <math.h>

/* Adds the squares of slice `index` = 0..columns-1 of the tensor along `axis` into sum [columns]. */
static enum skip_status add_squares(const struct skip_tensor *tensor, int axis, size_t columns, double *sum, struct skip_err *err)
{
	size_t count = (size_t)skip_tensor_count(tensor);
	float *data = skip_alloc_array(count, sizeof(*data));
	if (!data) return skip_err_set(err, SKIP_ERR_NOMEM, "numbers of '%s'", tensor->name);
	skip_tensor_to_f32(tensor, data);
	size_t inner = 1;
	for (int k = axis + 1; k < tensor->rank; k++) inner *= (size_t)tensor->dim[k];
	for (size_t i = 0; i < count; i++) sum[i / inner % columns] += (double)data[i] * data[i];
	skip_free(data);
	return SKIP_OK;
}

/*
 * The slices of a unit fall into sides: every pair (matrix row, bias) of one producer is a side, a consumer's column another. A bias joins
 * the matrix whose node it shares.
 */
static enum skip_status compute(const struct skip_graph *graph, const struct skip_unit_group *group, uint64_t seed, double *unit,
				double *head, struct skip_err *err)
{
	(void)seed;
	enum skip_status status = SKIP_OK;
	const size_t columns = (size_t)group->width * (size_t)group->columns;
	double *square = skip_alloc_array(columns, sizeof(*square));
	if (!square) return skip_err_set(err, SKIP_ERR_NOMEM, "norms of %d units", group->width);
	for (int j = 0; j < group->width; j++) unit[j] = 1;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (node->op != skip_op_find("linear") || node->layer != group->layer) continue;
		bool touched = false;
		for (size_t c = 0; c < columns; c++) square[c] = 0;
		for (int s = 0; s < group->n_slices; s++) {
			for (int k = 0; k < node->n_param; k++) {
				if (node->param[k] != group->slices[s].tensor) continue;
				SKIP_TRY(add_squares(graph->tensors[node->param[k]], group->slices[s].axis, columns, square, err));
				touched = true;
			}
		}
		for (int j = 0; touched && j < group->width; j++) {
			double sum = 0;
			for (int k = 0; k < group->columns; k++) sum += square[skip_unit_column(group, j, k)];
			unit[j] *= sqrt(sum);
		}
	}
	for (int j = 0; head && j < group->width; j++) head[j / group->per_head] += unit[j];
cleanup:
	skip_free(square);
	return status;
}

const struct skip_criterion skip_criterion_magnitude = {
    .name = "magnitude",
    .summary = "product of the norms of a unit's weights",
    .default_target = -1,
    .compute = compute,
};
