/* add, add_bias, mask and dropout on FPGA boards: a word of 16 numbers a cycle. fpga.cl is the body. */
#include "elementwise/fpga.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

/* A mask of the training kind needs random bits that no board has. */
static enum skip_status body_of(const struct skip_node *node, const char **body, struct skip_err *err)
{
	static const char *const bodies[][2] = {{"add", "ADD"}, {"add_bias", "ADD_BIAS"}, {"mask", "MASK"}, {"dropout", "DROPOUT"}};
	size_t i = 0;
	const size_t n = sizeof(bodies) / sizeof(bodies[0]);
	while (i < n && strcmp(bodies[i][0], node->op->name)) i++;
	if (i == n) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA kernel", node->op->name);
	if (i == 3 && node->attrs.dropout.rate > 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "FPGA boards do not train: dropout with a rate has no kernel");
	*body = bodies[i][1];
	return SKIP_OK;
}

enum skip_status skip_elementwise_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	const char *body = NULL;
	int kernel, buffer, fixed;
	SKIP_TRY(body_of(node, &body, err));
	skip_spec_init(&spec, "elementwise", "fpga", body);
	skip_spec_int(&spec, "ELEMENTWISE_COLS", skip_lowering_graph(lowering)->values[node->out[0]].cols);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < node->n_in; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, i ? "b" : "a");
	}
	for (int i = 0; i < node->n_param; i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, "w");
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "y");
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), node->out[0], &fixed);
	if (rows == SKIP_SIZE_ONE) skip_launch_int(launch, fixed);
	if (rows != SKIP_SIZE_ONE) skip_launch_size(launch, rows);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_elementwise_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
					 struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	const char *body = NULL;
	const enum skip_status status = body_of(node, &body, err);
	if (status != SKIP_OK) return status;
	const struct skip_engine_form form = skip_engine_form(profile, false);
	const int cols = graph->values[node->out[0]].cols;
	const double rows = skip_engine_rows(graph, node->out[0], work);
	snprintf(out->name, sizeof(out->name), "%s_d%d", node->op->name, cols);
	out->units = form.depth;
	out->stages = 1;
	out->overlaps = true;
	for (int i = 0; i < node->n_in; i++) skip_engine_add_port(out, skip_engine_row_bytes(rows, cols), false);
	for (int i = 0; i < node->n_param; i++) skip_engine_add_port(out, skip_engine_row_bytes(1, cols), true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, cols), false);
	out->cycles = rows * ((cols + form.depth - 1) / form.depth);
	out->fill = skip_engine_fill(&form);
	out->rounds = rows;
	return SKIP_OK;
}
