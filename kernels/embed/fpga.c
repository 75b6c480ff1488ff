/* embed on FPGA boards: three rows are read and added, a word of 16 numbers a cycle. fpga.cl is the body. */
#include "embed/fpga.h"
#include "graph/op.h"
#include <stdio.h>

enum skip_status skip_embed_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	static const char *const indices[] = {"ids", "positions", "types"}, *const rows[] = {"word", "position", "type"};
	static const enum skip_batch_data tables[] = {SKIP_BATCH_IDS, SKIP_BATCH_POSITIONS, SKIP_BATCH_TYPES};
	enum skip_status status;
	const int parts = node->n_param > 2 && node->param[2] != SKIP_NONE ? 3 : 2;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	skip_spec_init(&spec, "embed", "fpga", "MAIN");
	skip_spec_int(&spec, "EMBED_D", skip_lowering_graph(lowering)->values[node->out[0]].cols);
	skip_spec_int(&spec, "EMBED_POSITION_BASE", node->attrs.embed.position_base);
	skip_spec_int(&spec, "EMBED_TYPES", parts == 3);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < parts; i++) {
		SKIP_TRY(skip_lowering_batch(lowering, tables[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, indices[i]);
	}
	for (int i = 0; i < parts; i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, rows[i]);
	}
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "x");
	skip_launch_size(launch, SKIP_SIZE_T);
	skip_launch_name(launch, "tokens");
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_embed_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				   struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	(void)err;
	const struct skip_engine_form form = skip_engine_form(profile, false);
	const int d = graph->values[node->out[0]].cols, words = (d + form.depth - 1) / form.depth;
	const int tables = node->n_param > 2 && node->param[2] != SKIP_NONE ? 3 : 2;
	const double rows = skip_engine_rows(graph, node->out[0], work);
	snprintf(out->name, sizeof(out->name), "embed_d%d", d);
	out->units = tables * form.depth;
	out->stages = 1;
	out->overlaps = true;
	for (int i = 0; i < tables; i++) skip_engine_add_port(out, rows * 4, false);
	for (int i = 0; i < tables; i++) skip_engine_add_port(out, skip_engine_row_bytes(rows, d), true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, d), false);
	out->cycles = rows * words;
	out->rounds = rows;
	out->fill = skip_engine_fill(&form);
	return SKIP_OK;
}
