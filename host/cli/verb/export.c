/* skip export: the small network for other runtimes, as ONNX. */
#include "cli/source.h"
#include "export/onnx.h"

#include <stdio.h>

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_output *output = NULL;
	const char *out = NULL;
	uint64_t bytes = 0;
	skip_cli_common_options(&args, &common, false);
	skip_cli_string(&args, "-o", &out);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "-o FILE.onnx is missing"));
	SKIP_TRY(skip_cli_check_file_place(out, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	if (skip_cli_precision(model.graph) != SKIP_PRECISION_F32) skip_cli_note(&common, "note", "the products of the exported network are in float32");
	struct skip_onnx_info info = { .label = (const char *const *)model.labels.name, .max_length = model.max_length, .version = SKIP_VERSION };
	skip_cli_catch_interrupt(); /* the file is written to its end or not at all */
	SKIP_TRY(skip_output_create_file(out, &output, err));
	SKIP_TRY(skip_export_onnx(model.graph, &info, output, &bytes, err));
	SKIP_TRY(skip_output_commit(output, err));
	if (common.json)
		SKIP_TRY(skip_cli_print_json(json_pack("{s:s, s:i, s:I}", "file", out, "opset", SKIP_ONNX_OPSET, "bytes", (json_int_t)bytes), err));
	else
		puts(out);
cleanup:
	skip_output_destroy(output);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_export = {
	.name = "export",
	.arguments = "PKG -o FILE.onnx",
	.summary = "Write the network of a package as ONNX",
	.help = "  -o FILE.onnx    inputs input_ids, attention_mask and, where the model has types, token_type_ids (int64, batch and\n"
		"                  length free, padding on the right); output logits; opset 17; the prefix is inside\n"
		"  --json, --quiet\n\nexample:\n  skip export tickets.skip -o tickets.onnx\n",
	.order = 85,
	.run = run,
};
