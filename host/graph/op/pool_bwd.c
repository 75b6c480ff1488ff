/* pool_bwd: mean: dx[t] = dz[b] / n_b for every row t of sequence b; cls, last: the first or last row gets dz[b], the others 0. */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	skip_rule_shape(out, SKIP_ROWS_T, 0, skip_rule_in(graph, node, 0)->cols);
	return skip_rule_rows(graph, node, 0, SKIP_ROWS_B, err);
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	int cols = io->in_cols[0];
	for (int b = 0; b < io->batch->n_seqs; b++) {
		struct skip_span span = skip_pooled_rows(node->attrs.pool.mode, io->batch, b);
		const double *dz = io->in[0] + (size_t)b * (size_t)cols;
		for (int r = 0; r < span.count; r++) {
			double *dx = io->out[0] + (size_t)(span.first + r) * (size_t)cols;
			for (int c = 0; c < cols; c++) dx[c] = dz[c] / span.count;
		}
	}
	return SKIP_OK;
}

const struct skip_op skip_op_pool_bwd = {
    .name = "pool_bwd",
    .min_in = 1,
    .max_in = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_pool,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
