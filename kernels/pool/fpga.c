/* pool on FPGA boards: the rows of a sequence added, a word of 16 numbers a cycle. fpga.cl is the body. */
#include "pool/fpga.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

enum skip_status skip_pool_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	if (strcmp(node->op->name, "pool")) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA kernel", node->op->name);
	skip_spec_init(&spec, "pool", "fpga", "MAIN");
	skip_spec_int(&spec, "POOL_COLS", skip_lowering_graph(lowering)->values[node->out[0]].cols);
	skip_spec_int(&spec, "POOL_CLS", node->attrs.pool.mode == SKIP_POOL_CLS);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	SKIP_TRY(skip_lowering_value(lowering, node->in[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "in");
	SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_OFFSET, &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "offset");
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "out");
	skip_launch_size(launch, SKIP_SIZE_B);
	skip_launch_name(launch, "sequences");
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_pool_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				  struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	if (strcmp(node->op->name, "pool")) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA engine", node->op->name);
	const struct skip_engine_form form = skip_engine_form(profile, false);
	const int d = graph->values[node->out[0]].cols, words = (d + form.depth - 1) / form.depth;
	const bool first = node->attrs.pool.mode == SKIP_POOL_CLS;
	const double rows = first ? work.batch : skip_engine_rows(graph, node->in[0], work);
	snprintf(out->name, sizeof(out->name), "pool_d%d%s", d, first ? "_first" : "");
	out->units = form.depth;
	out->stages = 1;
	out->overlaps = true;
	skip_engine_add_memory(out, 512, words, 1, 1, false);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, d), false);
	skip_engine_add_port(out, 4.0 * (work.batch + 1), false);
	skip_engine_add_port(out, skip_engine_row_bytes(work.batch, d), false);
	out->cycles = rows * words;
	out->rounds = work.batch;
	out->fill = skip_engine_fill(&form);
	return SKIP_OK;
}
