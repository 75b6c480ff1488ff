/* Calibration of int8 for verbs: calibrate.h. */
#include "cli/calibrate.h"
#include <string.h>

enum skip_status skip_cli_read_calibration(const struct skip_cli_common *common, const struct skip_cli_model *model, const struct skip_cli_input *input,
					   enum skip_precision precision, struct skip_dataset *out, struct skip_err *err)
{
	if (!common->calibrate) return SKIP_OK;
	if (precision != SKIP_PRECISION_INT8) return skip_err_set(err, SKIP_ERR_USAGE, "--calibrate finds scales of int8: it needs --dtype int8");
	enum skip_status status = skip_cli_read(common->calibrate, model, input, false, false, NULL, NULL, out, err);
	if (status == SKIP_OK && !out->n_rows) status = skip_err_at(err, SKIP_ERR_INPUT, common->calibrate, 0, -1, "no rows to calibrate on");
	return status;
}

enum skip_status skip_cli_calibrate(const struct skip_cli_common *common, struct skip_cli_model *model, const struct skip_cli_input *input,
				    struct skip_device *device, struct skip_err *err)
{
	enum skip_status status;
	struct skip_dataset rows = { 0 };
	struct skip_graph *made = NULL;
	struct skip_clip_report report;
	if (!common->calibrate) return SKIP_OK;
	SKIP_TRY(skip_cli_read_calibration(common, model, input, skip_cli_precision(model->graph), &rows, err));
	SKIP_TRY(skip_clip_find(device, model->graph, &rows, (uint64_t)common->seed, NULL, &made, &report, err));
	skip_graph_destroy(model->chosen);
	model->graph = model->chosen = made;
	skip_cli_note(common, "int8", "one scale for each of %zu tensors, by %lld tokens of %s: products are off by %.2f %%, with a scale per token %.2f %%",
		      report.tensors, (long long)report.tokens, common->calibrate, 100 * report.error, 100 * report.error_rows);
cleanup:
	skip_dataset_deinit(&rows);
	return status;
}

const char *skip_cli_activations(const struct skip_graph *graph)
{
	if (skip_cli_precision(graph) != SKIP_PRECISION_INT8) return NULL;
	return skip_cli_is_static(graph) ? "static" : "dynamic";
}

json_t *skip_cli_calibration_record(const struct skip_clip_report *report)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:f}", "tensors", (json_int_t)report->tensors, "tokens", (json_int_t)report->tokens, "error_percent",
			 100 * report->error, "error_dynamic_percent", 100 * report->error_rows, "error_unclipped_percent", 100 * report->error_widest);
}
