/* skip tokenize: one JSON line per row. */
#include "cli/source.h"

#include <stdio.h>
#include <stdlib.h>

static enum skip_status print_row(const struct skip_cli_model *model, const struct skip_dataset *data, size_t row, struct skip_err *err)
{
	json_t *ids = json_array(), *types = json_array(), *tokens = json_array();
	for (int64_t i = data->offset[row]; i < data->offset[row + 1]; i++) {
		const char *token = skip_tokenizer_token(model->tokenizer, data->ids[i]);
		json_array_append_new(ids, json_integer(data->ids[i]));
		json_array_append_new(types, json_integer(data->types[i]));
		json_array_append_new(tokens, json_string(token ? token : ""));
	}
	return skip_cli_print_json(json_pack("{s:o, s:o, s:o}", "ids", ids, "type_ids", types, "tokens", tokens), err);
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_dataset data = { 0 };
	skip_cli_common_options(&args, &common, false);
	skip_cli_input_options(&args, &input);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 2, 2, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_cli_open_tokenizer(args.word[0], &model, err));
	SKIP_TRY(skip_cli_read(args.word[1], &model, &input, false, false, NULL, NULL, &data, err));
	for (size_t row = 0; row < data.n_rows && !skip_cli_reader_left(); row++) SKIP_TRY(print_row(&model, &data, row, err));
cleanup:
	skip_dataset_deinit(&data);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_tokenize = {
	.name = "tokenize",
	.arguments = "MODEL DATA",
	.summary = "Print the token ids of every row, one JSON object a line",
	.help = "  --max-length N          cut rows to N tokens (default: the model's limit)\n"
		"  --input-format F        tsv, jsonl or text (default: by the suffix)\n"
		"  --quiet, --json         accepted; the output is JSON Lines anyway\n"
		"  MODEL may be a folder that holds a tokenizer alone\n\n"
		"examples:\n"
		"  skip tokenize models/all-minilm-l6-v2 test.tsv\n"
		"  echo 'Where is my parcel?' | skip tokenize tickets.skip -\n",
	.order = 70,
	.run = run,
};
