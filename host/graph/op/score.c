/*
 * score: a[b][c] = reduce over the rows of sequence b of h * dh (docs/method.md 3.2): sum, signed max, mean or largest absolute value.
 *
 * With B rows, one per sequence, the other n_b - 1 rows of the sequence were not computed because their gradient is zero; they count as
 * zeros: max is max(0, value) when n_b > 1, mean divides by n_b.
 */
#include "graph/rules.h"

#include <math.h>

static const char *const reduces[] = {"sum", "max", "mean", "absmax", NULL};

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	const struct skip_value *h = skip_rule_in(graph, node, 0);
	if (h->rows == SKIP_ROWS_FIXED) return skip_err_set(err, SKIP_ERR_INPUT, "input '%s' has no rows per sequence", h->name);
	skip_rule_shape(out, SKIP_ROWS_B, 0, h->cols);
	return skip_rule_same(graph, node, 0, 1, err);
}

static double fold(enum skip_reduce reduce, double sofar, double next)
{
	switch (reduce) {
	case SKIP_REDUCE_MAX:
		return next > sofar ? next : sofar;
	case SKIP_REDUCE_ABSMAX:
		return fabs(next) > sofar ? fabs(next) : sofar;
	case SKIP_REDUCE_SUM:
	case SKIP_REDUCE_MEAN:
		return sofar + next;
	}
	return sofar;
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	(void)err;
	enum skip_reduce reduce = node->attrs.score.reduce;
	enum skip_rows rows = skip_span_rows(io->batch, io->in_rows[0]);
	size_t cols = (size_t)io->in_cols[0];
	for (int b = 0; b < io->batch->n_seqs; b++) {
		struct skip_span span = skip_span_of(io->batch, rows, b);
		int tokens = io->batch->offset[b + 1] - io->batch->offset[b];
		for (size_t c = 0; c < cols; c++) {
			double a = reduce == SKIP_REDUCE_MAX && span.count == tokens ? -INFINITY : 0;
			for (int r = 0; r < span.count; r++) {
				size_t i = (size_t)(span.first + r) * cols + c;
				a = fold(reduce, a, io->in[0][i] * io->in[1][i]);
			}
			io->out[0][(size_t)b * cols + c] = reduce == SKIP_REDUCE_MEAN ? a / tokens : a;
		}
	}
	return SKIP_OK;
}

static const struct skip_attr_desc attrs[] = {
    {"reduce", SKIP_ATTR_ENUM, offsetof(struct skip_attrs_score, reduce), reduces},
};

const struct skip_op skip_op_score = {
    .name = "score",
    .min_in = 2,
    .max_in = 2,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = attrs,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
