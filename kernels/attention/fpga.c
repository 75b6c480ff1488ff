/*
 * attention on FPGA boards: the keys and values of one head of one sequence on the chip, `outputs` query rows beside each other, a word of a key or value a
 * cycle. Small products would waste the array of a feed-forward engine, so this one is its own. fpga.cl is the body.
 */
#include "attention/fpga.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXP_MACS 9 /* multiply-adds of an exponential */

#define PARTIAL_SUMS 8 /* at least the cycles of a float addition on the boards known */

/* The body sees every row of a sequence from every other, and adds nothing to a score. */
static enum skip_status refuse_places(const struct skip_node *node, struct skip_err *err)
{
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	if (attrs->causal || attrs->window > 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "causal and windowed attention have no FPGA kernel");
	for (int i = SKIP_ATTENTION_BIAS; i < node->n_param && i < SKIP_ATTENTION_PARAMS; i++) {
		if (node->param[i] != SKIP_NONE) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "attention with tables by distance or with slots switched off has no FPGA kernel");
	}
	return SKIP_OK;
}

enum skip_status skip_attention_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	static const char *const inputs[] = {"q", "k", "v"};
	enum skip_status status;
	const struct skip_graph *graph = skip_lowering_graph(lowering);
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const bool prefix = node->n_param > 0 && node->param[0] != SKIP_NONE, rows_b = graph->values[node->in[0]].rows == SKIP_ROWS_B;
	const int slots = prefix ? (int)graph->tensors[node->param[0]]->dim[0] : 0;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	if (strcmp(node->op->name, "attention")) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "op '%s' has no FPGA kernel", node->op->name);
	SKIP_TRY(refuse_places(node, err));
	if (attrs->prefix_dropout > 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "FPGA boards do not train: dropout of a prefix has no kernel");
	if (graph->max_positions < 1) return skip_err_set(err, SKIP_ERR_INTERNAL, "the graph does not say how long a sequence may be");
	skip_spec_init(&spec, "attention", "fpga", "MAIN");
	skip_spec_int(&spec, "ATTENTION_H", attrs->heads);
	skip_spec_int(&spec, "ATTENTION_QK", attrs->qk);
	skip_spec_int(&spec, "ATTENTION_V", attrs->v);
	skip_spec_int(&spec, "ATTENTION_P", slots);
	skip_spec_int(&spec, "ATTENTION_S", graph->max_positions + slots);
	skip_spec_int(&spec, "ATTENTION_R", skip_lowering_profile(lowering)->nv);
	skip_spec_int(&spec, "ATTENTION_L", PARTIAL_SUMS);
	skip_spec_float(&spec, "ATTENTION_SCALE", attrs->scale);
	skip_spec_int(&spec, "ATTENTION_Q_STRIDE", graph->values[node->in[0]].cols);
	skip_spec_int(&spec, "ATTENTION_K_STRIDE", graph->values[node->in[1]].cols);
	skip_spec_int(&spec, "ATTENTION_V_STRIDE", graph->values[node->in[2]].cols);
	skip_spec_int(&spec, "ATTENTION_Q_COL", attrs->q_col);
	skip_spec_int(&spec, "ATTENTION_K_COL", attrs->k_col);
	skip_spec_int(&spec, "ATTENTION_V_COL", attrs->v_col);
	skip_spec_int(&spec, "ATTENTION_ROWS_B", rows_b);
	skip_spec_int(&spec, "ATTENTION_BF16", attrs->precision == SKIP_PRECISION_BF16);
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < 3; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, inputs[i]);
	}
	for (int i = 0; i < (prefix ? 2 : 0); i++) {
		SKIP_TRY(skip_lowering_weight(lowering, node->param[i], SKIP_LAYOUT_ROWS, 0, 0, &buffer, err));
		skip_launch_buffer(launch, buffer);
		skip_launch_name(launch, i ? "pv" : "pk");
	}
	SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_OFFSET, &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "offset");
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_name(launch, "ctx");
	skip_launch_size(launch, SKIP_SIZE_B);
	skip_launch_name(launch, "sequences");
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_attention_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				       struct skip_workload work, struct skip_engine *out, struct skip_err *err)
{
	const enum skip_status status = refuse_places(node, err);
	if (status != SKIP_OK) return status;
	const struct skip_attrs_attention *attrs = &node->attrs.attention;
	const struct skip_engine_form form = skip_engine_form(profile, false);
	const int prefix = node->n_param > 0 && node->param[0] != SKIP_NONE ? (int)graph->tensors[node->param[0]]->dim[0] : 0;
	const int64_t most = graph->max_positions + prefix;
	const double keys = work.length + prefix, queries = graph->values[node->in[0]].rows == SKIP_ROWS_B ? 1 : work.length;
	const double heads = (double)attrs->heads * work.batch, blocks = ceil(queries / form.outputs);
	const int qk_words = (attrs->qk + form.depth - 1) / form.depth, v_words = (attrs->v + form.depth - 1) / form.depth;
	const double tokens = (double)work.batch * work.length, rows = queries * work.batch;
	snprintf(out->name, sizeof(out->name), "attention_h%d_qk%d_v%d%s", attrs->heads, attrs->qk, attrs->v,
		 graph->values[node->in[0]].rows == SKIP_ROWS_B ? "_first" : "");
	out->lanes[0] = 2 * form.outputs * form.depth + EXP_MACS * form.outputs;
	out->units = form.outputs;
	out->stages = 4;
	out->overlaps = true;
	skip_engine_add_memory(out, 512, most * qk_words, 1, 1, true);
	skip_engine_add_memory(out, 512, most * v_words, 1, 1, true);
	skip_engine_add_memory(out, 32, most, form.outputs, 1, true);
	skip_engine_add_port(out, skip_engine_row_bytes(rows, attrs->heads * attrs->qk), false);
	skip_engine_add_port(out, skip_engine_row_bytes(tokens, attrs->heads * attrs->qk), false);
	skip_engine_add_port(out, skip_engine_row_bytes(tokens, attrs->heads * attrs->v), false);
	if (prefix) {
		skip_engine_add_port(out, skip_engine_row_bytes((double)work.batch * prefix, attrs->heads * attrs->qk), true);
		skip_engine_add_port(out, skip_engine_row_bytes((double)work.batch * prefix, attrs->heads * attrs->v), true);
	}
	skip_engine_add_port(out, skip_engine_row_bytes(rows, attrs->heads * attrs->v), false);
	out->macs = heads * queries * keys * (attrs->qk + attrs->v);
	/* Scores, exponentials and the weighted sum of values follow each other over blocks of queries. */
	out->cycles = heads * blocks * fmax(fmax(keys * qk_words, keys * v_words), keys);
	out->rounds = work.batch;
	out->fill = 3 * skip_engine_fill(&form) + keys * qk_words;
	return SKIP_OK;
}
