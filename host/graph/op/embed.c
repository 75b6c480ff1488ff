/* embed: X[t] = word[ids[t]] + position[position_base + index of t in its sequence] + type[types[t]]; the last two may be absent. */
#include "graph/rules.h"

static enum skip_status infer(const struct skip_graph *graph, const struct skip_node *node, struct skip_value *out, struct skip_err *err)
{
	enum skip_status status = skip_rule_matrix(graph, node, 0, -1, -1, err);
	if (status != SKIP_OK) return status;
	int64_t width = skip_rule_param(graph, node, 0)->dim[1];
	const struct skip_tensor *position = skip_rule_param(graph, node, 1);
	for (int i = 1; i < 3 && status == SKIP_OK; i++)
		if (skip_rule_param(graph, node, i)) status = skip_rule_matrix(graph, node, i, -1, width, err);
	if (status != SKIP_OK) return status;
	int base = node->attrs.embed.position_base;
	if (position && (base < 0 || base >= position->dim[0]))
		return skip_err_set(err, SKIP_ERR_INPUT, "position_base %d is outside the %lld positions", base,
		                    (long long)position->dim[0]);
	skip_rule_shape(out, SKIP_ROWS_T, 0, (int)width);
	return SKIP_OK;
}

static enum skip_status check_id(const char *what, int64_t id, const struct skip_tensor *table, struct skip_err *err)
{
	if (id >= 0 && id < table->dim[0]) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "%s %lld is outside the %lld rows of '%s'", what, (long long)id, (long long)table->dim[0],
	                    table->name);
}

static enum skip_status reference(const struct skip_node *node, struct skip_ref_io *io, struct skip_err *err)
{
	const struct skip_batch *batch = io->batch;
	size_t width = (size_t)io->out_cols[0];
	enum skip_status status = SKIP_OK;
	for (int b = 0; b < batch->n_seqs; b++)
		for (int t = batch->offset[b]; t < batch->offset[b + 1]; t++) {
			int64_t id = batch->ids[t], position = (int64_t)node->attrs.embed.position_base + t - batch->offset[b];
			SKIP_TRY(check_id("token id", id, io->tensor[0], err));
			if (io->param[1]) SKIP_TRY(check_id("position", position, io->tensor[1], err));
			if (io->param[2]) SKIP_TRY(check_id("type id", batch->types[t], io->tensor[2], err));
			const double *word = io->param[0] + (size_t)id * width;
			const double *place = io->param[1] ? io->param[1] + (size_t)position * width : NULL;
			const double *type = io->param[2] ? io->param[2] + (size_t)batch->types[t] * width : NULL;
			double *row = io->out[0] + (size_t)t * width;
			for (size_t d = 0; d < width; d++) row[d] = word[d] + (place ? place[d] : 0) + (type ? type[d] : 0);
		}
cleanup:
	return status;
}

static const struct skip_attr_desc attrs[] = {
    {"position_base", SKIP_ATTR_INT, offsetof(struct skip_attrs_embed, position_base), NULL},
};

const struct skip_op skip_op_embed = {
    .name = "embed",
    .min_param = 1,
    .max_param = 3,
    .n_out_min = 1,
    .n_out_max = 1,
    .attrs = attrs,
    .n_attrs = 1,
    .infer = infer,
    .reference = reference,
};
