/* skip export: the small network for other programs, as ONNX or as a checkpoint folder. */
#include "cli/source.h"
#include "export/folder.h"
#include "export/onnx.h"

#include <stdio.h>

static enum skip_status write_onnx(const struct skip_cli_model *model, const char *out, json_t **result, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	uint64_t bytes = 0;
	struct skip_onnx_info info = { .label = (const char *const *)model->labels.name, .max_length = model->max_length, .version = SKIP_VERSION };
	SKIP_TRY(skip_output_create_file(out, &output, err));
	SKIP_TRY(skip_export_onnx(model->graph, &info, output, &bytes, err));
	SKIP_TRY(skip_output_commit(output, err));
	*result = json_pack("{s:s, s:i, s:I}", "file", out, "opset", SKIP_ONNX_OPSET, "bytes", (json_int_t)bytes);
cleanup:
	skip_output_destroy(output);
	return status;
}

static enum skip_status write_folder(const struct skip_cli_model *model, const char *out, json_t **result, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	char folder[600];
	skip_cli_tokenizer_folder(model, folder, sizeof(folder));
	struct skip_folder_write write = {
		.graph = model->graph, .label = (const char *const *)model->labels.name, .tokenizer_folder = folder, .tokenizer = model->tokenizer,
	};
	SKIP_TRY(skip_output_create_folder(out, "config.json", &output, err));
	SKIP_TRY(skip_export_folder(&write, output, err));
	SKIP_TRY(skip_output_commit(output, err));
	*result = json_pack("{s:s}", "folder", out);
cleanup:
	skip_output_destroy(output);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_model model = { 0 };
	json_t *result = NULL;
	const char *out = NULL;
	bool folder = false;
	skip_cli_common_options(&args, &common, false);
	skip_cli_string(&args, "-o", &out);
	skip_cli_flag(&args, "--safetensors", &folder);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, folder ? "-o FOLDER is missing" : "-o FILE.onnx is missing"));
	if (!folder) SKIP_TRY(skip_cli_check_file_place(out, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	if (skip_cli_precision(model.graph) != SKIP_PRECISION_F32) skip_cli_note(&common, "note", "the products of the exported network are in float32");
	skip_cli_catch_interrupt(); /* the result is written to its end or not at all */
	SKIP_TRY(folder ? write_folder(&model, out, &result, err) : write_onnx(&model, out, &result, err));
	if (!common.json) {
		puts(out);
		goto cleanup;
	}
	status = skip_cli_print_json(result, err);
	result = NULL;
cleanup:
	json_decref(result);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_export = {
	.name = "export",
	.arguments = "PKG -o FILE.onnx | PKG --safetensors -o FOLDER",
	.summary = "Write the network of a package as ONNX or as a checkpoint folder",
	.help = "  -o FILE.onnx    inputs input_ids, attention_mask and, where the model has types, token_type_ids (int64, batch and\n"
		"                  length free, padding on the right); output logits; opset 17; the prefix is inside\n"
		"  --safetensors   a Hugging Face style folder instead, for networks whose widths are the same in every layer\n"
		"  --json, --quiet\n\nexamples:\n  skip export tickets.skip -o tickets.onnx\n  skip export classifier/ --safetensors -o copy/\n",
	.order = 85,
	.run = run,
};
