/* --calibrate DATA: int8 with one scale per tensor, found on rows of text. */
#ifndef SKIP_CLI_CALIBRATE_H
#define SKIP_CLI_CALIBRATE_H

#include "cli/source.h"
#include "method/clip/clip.h"

/* The rows that --calibrate names, labels or not; *out stays empty without the option. SKIP_ERR_USAGE when `precision` is not int8. */
enum skip_status skip_cli_read_calibration(const struct skip_cli_common *common, const struct skip_cli_model *model, const struct skip_cli_input *input,
					   enum skip_precision precision, struct skip_dataset *out, struct skip_err *err);
/* For verbs that run a model as it is: reads the rows and gives the model the scales. Nothing without the option. */
enum skip_status skip_cli_calibrate(const struct skip_cli_common *common, struct skip_cli_model *model, const struct skip_cli_input *input,
				    struct skip_device *device, struct skip_err *err);
/* "static" or "dynamic" of a graph in int8, NULL of others. And {tensors, tokens, error_percent, ...}. */
const char *skip_cli_activations(const struct skip_graph *graph);
json_t *skip_cli_calibration_record(const struct skip_clip_report *report);

#endif
