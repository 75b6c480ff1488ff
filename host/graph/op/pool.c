/* pool: z[b] = mean of the rows of sequence b, its first row, or its last. */
#include "graph/rules.h"

static const char *const modes[] = {"mean", "cls", "last", NULL};

const struct skip_attr_desc skip_desc_pool[1] = {
    {"mode", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_pool, mode), modes},
};

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	skip_rule_shape(out, SKIP_ROWS_B, 0, skip_rule_in(graph, node, 0)->cols);
	return skip_rule_rows(graph, node, 0, SKIP_ROWS_T, err);
}

struct skip_span skip_pooled_rows(enum skip_pool mode, const struct skip_batch *batch, int b)
{
	struct skip_span span = skip_span_of(batch, SKIP_ROWS_T, b);
	if (mode == SKIP_POOL_LAST) span.first += span.count - 1;
	if (mode != SKIP_POOL_MEAN) span.count = 1;
	return span;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	int cols = io->in_cols[0];
	for (int b = 0; b < io->batch->n_seqs; b++) {
		struct skip_span span = skip_pooled_rows(node->attrs.pool.mode, io->batch, b);
		double *z = io->out[0] + (size_t)b * (size_t)cols;
		for (int r = 0; r < span.count; r++) {
			const double *x = io->in[0] + (size_t)(span.first + r) * (size_t)cols;
			for (int c = 0; c < cols; c++) z[c] += x[c];
		}
		for (int c = 0; c < cols; c++) z[c] /= span.count;
	}
	return SKIP_OK;
}

static enum skip_status gradient(struct skip_grad *grad, int node, struct skip_err *err)
{
	const struct skip_node like = skip_grad_graph(grad)->nodes[node];
	if (!skip_grad_needs_value(grad, like.in[0])) return SKIP_OK;
	struct skip_node bwd = {.n_in = 1, .attrs = like.attrs};
	bwd.in[0] = skip_grad_get(grad, like.out[0]);
	return skip_grad_add_one(grad, &like, "pool_bwd", &bwd, err);
}

const struct skip_op skip_op_pool = {
    .name = "pool",
    .min_in = 1,
    .max_in = 1,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = skip_desc_pool,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
    .gradient = gradient,
};
