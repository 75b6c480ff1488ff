/* layernorm on FPGA boards: a row on the chip, a word of 16 numbers a cycle, once for the sums and once for the result. fpga.cl is the body. */
#include "layernorm/fpga.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum skip_status skip_layernorm_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, buffer, fixed;
	if (strcmp(node->op->name, "layernorm")) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA kernel", node->op->name);
	skip_spec_init(&spec, "layernorm", "fpga", "MAIN");
	skip_spec_int(&spec, "LAYERNORM_D", skip_lowering_graph(lowering)->values[node->out[0]].cols);
	skip_spec_float(&spec, "LAYERNORM_EPS", node->attrs.layernorm.eps);
	skip_spec_int(&spec, "LAYERNORM_T", skip_lowering_profile(lowering)->mr[0]);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "x");
	for (int i = 0; i < 2; i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, i ? "beta" : "gamma");
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

enum skip_status skip_layernorm_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				       struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	if (strcmp(node->op->name, "layernorm")) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA engine", node->op->name);
	const struct skip_engine_form form = skip_engine_form(profile, false);
	const int d = graph->values[node->out[0]].cols, words = (d + form.depth - 1) / form.depth;
	const double rows = skip_engine_rows(graph, node->out[0], work);
	snprintf(out->name, sizeof(out->name), "layernorm_d%d", d);
	out->units = 5 * form.depth;
	out->stages = 3;
	out->overlaps = true;
	skip_engine_add_memory(out, 512, words, 1, 1, true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, d), false);
	skip_engine_add_port(out, skip_engine_row_bytes(2, d), true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, d), false);
	out->cycles = 2 * rows * words;
	out->rounds = ceil(rows / form.rows);
	out->fill = skip_engine_fill(&form);
	return SKIP_OK;
}
