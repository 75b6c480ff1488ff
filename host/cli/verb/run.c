/* skip run: one line out per row in. From a terminal, each typed line is answered at once. */
#include "base/alloc.h"
#include "cli/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct printer {
	bool json_lines, logits;
	const struct skip_labels *labels;
};

static void print_logits(const struct printer *printer, const float *logits)
{
	for (int c = 0; printer->logits && c < printer->labels->count; c++) printf("\t%.9g", (double)logits[c]);
	putchar('\n');
}

static enum skip_status print_object(const struct printer *printer, json_t *row, const float *logits, struct skip_err *err)
{
	if (row && printer->logits) {
		json_t *list = json_array();
		for (int c = 0; c < printer->labels->count; c++) json_array_append_new(list, json_real((double)logits[c]));
		json_object_set_new(row, "logits", list);
	}
	return skip_cli_print_json(row, err);
}

/* The most probable class. */
static enum skip_status print_class(const struct printer *printer, const float *logits, struct skip_err *err)
{
	int classes = printer->labels->count, index = skip_argmax(logits, classes);
	double *p = skip_alloc_array((size_t)classes, sizeof(*p));
	if (!p) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d probabilities", classes);
	skip_softmax(logits, classes, 1, p);
	double score = p[index];
	skip_free(p);
	const char *name = printer->labels->name[index];
	if (printer->json_lines) return print_object(printer, json_pack("{s:s, s:i, s:f}", "label", name, "index", index, "score", score), logits, err);
	printf("%s\t%.9g", name, score);
	print_logits(printer, logits);
	return skip_cli_printed(err);
}

/* Every label above 0.5, in order of the classes; names and probabilities with | between. */
static enum skip_status print_labels(const struct printer *printer, const float *logits, struct skip_err *err)
{
	json_t *names = json_array(), *indices = json_array(), *scores = json_array();
	struct skip_buf left, right;
	skip_buf_init(&left);
	skip_buf_init(&right);
	for (int c = 0; c < printer->labels->count; c++) {
		double score = 1 / (1 + exp(-(double)logits[c]));
		if (!(logits[c] > 0)) continue;
		json_array_append_new(names, json_string(printer->labels->name[c]));
		json_array_append_new(indices, json_integer(c));
		json_array_append_new(scores, json_real(score));
		skip_buf_printf(&left, "%s%s", left.length ? "|" : "", printer->labels->name[c]);
		skip_buf_printf(&right, "%s%.9g", right.length ? "|" : "", score);
	}
	json_t *row = json_pack("{s:o, s:o, s:o}", "labels", names, "indices", indices, "scores", scores);
	enum skip_status status = SKIP_OK;
	if (printer->json_lines) {
		status = print_object(printer, row, logits, err);
		row = NULL;
	} else {
		printf("%s\t%s", skip_buf_text(&left), skip_buf_text(&right));
		print_logits(printer, logits);
		status = skip_cli_printed(err);
	}
	json_decref(row);
	skip_buf_deinit(&left);
	skip_buf_deinit(&right);
	return status;
}

/* The numbers themselves. */
static enum skip_status print_values(const struct printer *printer, const float *logits, struct skip_err *err)
{
	if (printer->json_lines) {
		json_t *values = json_array();
		for (int c = 0; c < printer->labels->count; c++) json_array_append_new(values, json_real((double)logits[c]));
		return print_object(printer, json_pack("{s:o}", "values", values), logits, err);
	}
	for (int c = 0; c < printer->labels->count; c++) printf("%s%.9g", c ? "|" : "", (double)logits[c]);
	print_logits(printer, logits);
	return skip_cli_printed(err);
}

static enum skip_status print_row(const struct printer *printer, const float *logits, struct skip_err *err)
{
	switch (printer->labels->problem) {
	case SKIP_SINGLE_LABEL:
		return print_class(printer, logits, err);
	case SKIP_MULTI_LABEL:
		return print_labels(printer, logits, err);
	case SKIP_REGRESSION:
		return print_values(printer, logits, err);
	}
	return SKIP_OK;
}

static enum skip_status answer_lines(const struct skip_cli_model *model, int max_length, struct skip_session *session, int value,
				     const struct printer *printer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_encoding encoding = { 0 };
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;
	float *logits = skip_alloc_array((size_t)printer->labels->count, sizeof(*logits));
	if (!logits) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for logits");
	while (!skip_cli_reader_left() && (length = getline(&line, &capacity, stdin)) >= 0) {
		while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) length--;
		SKIP_TRY(skip_tokenizer_encode(model->tokenizer, line, (size_t)length, NULL, 0, max_length, &encoding, err));
		int32_t offset[2] = { 0, (int32_t)encoding.length };
		struct skip_batch batch = { .n_tokens = offset[1], .n_seqs = 1, .ids = encoding.ids, .types = encoding.types, .offset = offset };
		SKIP_TRY(skip_session_run(session, &batch, value, logits, err));
		SKIP_TRY(print_row(printer, logits, err));
		fflush(stdout);
	}
cleanup:
	free(line);
	skip_free(logits);
	skip_encoding_deinit(&encoding);
	return status;
}

static enum skip_status answer_file(const char *path, const struct skip_cli_model *model, const struct skip_cli_input *input, struct skip_session *session,
				    int value, const struct printer *printer, struct skip_err *err)
{
	enum skip_status status;
	struct skip_dataset data = { 0 };
	size_t classes = (size_t)printer->labels->count;
	float *logits = NULL;
	SKIP_TRY(skip_cli_read(path, model, input, false, false, NULL, NULL, &data, err));
	logits = skip_alloc_array(data.n_rows, classes * sizeof(*logits));
	if (!logits) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu rows", data.n_rows));
	if (data.n_rows) SKIP_TRY(skip_predict(session, value, &data, 0, logits, NULL, err));
	for (size_t i = 0; i < data.n_rows && !skip_cli_reader_left(); i++) SKIP_TRY(print_row(printer, logits + i * classes, err));
cleanup:
	skip_free(logits);
	skip_dataset_deinit(&data);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	static const char *const formats[] = { "tsv", "jsonl", NULL };
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_session *session = NULL;
	struct printer printer = { 0 };
	const char *format = "tsv";
	int kind, value, limit;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_string(&args, "--calibrate", &common.calibrate);
	skip_cli_string(&args, "--format", &format);
	skip_cli_flag(&args, "--logits", &printer.logits);
	skip_cli_string(&args, "--bitstreams", &common.bitstreams);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 2, 2, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_cli_choice("--format", format, formats, &kind, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_apply_dtype(&common, &model, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	SKIP_TRY(skip_cli_limit(&model, &input, &limit, err));
	SKIP_TRY(skip_cli_check_bitstreams(&common, &model, err));
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_calibrate(&common, &model, &input, device.device, err));
	SKIP_TRY(skip_cli_open_session(&common, &model, device.device, false, &session, &value, err));
	printer.json_lines = kind == 1 || common.json;
	printer.labels = &model.labels;
	if (!strcmp(args.word[1], "-") && !input.format && isatty(STDIN_FILENO)) {
		skip_cli_note(&common, "ready", "type a line and press Enter; Ctrl-D ends");
		SKIP_TRY(answer_lines(&model, limit, session, value, &printer, err));
	} else {
		SKIP_TRY(answer_file(args.word[1], &model, &input, session, value, &printer, err));
	}
cleanup:
	skip_session_destroy(session);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_run = {
	.name = "run",
	.arguments = "PKG DATA",
	.summary = "Classify text: label and probability for every row",
	.help = "  DATA                    TSV, JSON Lines or plain lines; - reads standard input\n"
		"  --format tsv|jsonl      output form (default tsv: label, probability; every label above 0.5 with | between\n"
		"                          for several labels; the number for regression)\n"
		"  --logits                print the logits too\n"
		"  --max-length N, --input-format tsv|jsonl|text\n"
		"  --bitstreams DIR        library of built programs, for FPGA boards and their emulation (skip bitstream)\n"
		"  --device D, --threads N, --dtype T, --calibrate DATA, --json (same as --format jsonl), --quiet\n\n"
		"examples:\n"
		"  echo 'Where is my parcel?' | skip run tickets.skip -\n"
		"  skip run tickets.skip inbox.tsv --format jsonl --logits\n"
		"  skip run tickets.skip inbox.tsv --device p520n --bitstreams bitstreams\n",
	.order = 20,
	.run = run,
};
