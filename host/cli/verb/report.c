/* skip report: the report of a package, made again from its graph and its metrics. */
#include "cli/source.h"
#include "report/report.h"

#include <stdio.h>

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_output *output = NULL;
	struct skip_buf html;
	const char *out = NULL;
	skip_buf_init(&html);
	skip_cli_common_options(&args, &common, false);
	skip_cli_string(&args, "-o", &out);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "-o FILE.html is missing"));
	SKIP_TRY(skip_cli_check_file_place(out, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	if (!model.package || !model.package->metrics) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "%s is no package with recorded metrics", model.path));
	SKIP_TRY(skip_report_html(model.graph, model.package->metrics, model.path, &html, err));
	SKIP_TRY(skip_output_create_file(out, &output, err));
	SKIP_TRY(skip_output_write(output, NULL, skip_buf_text(&html), html.length, err));
	SKIP_TRY(skip_output_commit(output, err));
	if (common.json)
		SKIP_TRY(skip_cli_print_json(json_pack("{s:s}", "file", out), err));
	else
		puts(out);
cleanup:
	skip_output_destroy(output);
	skip_buf_deinit(&html);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_report = {
	.name = "report",
	.arguments = "PKG -o FILE.html",
	.summary = "Write the self-contained HTML report of a package",
	.help = "  -o FILE.html\n  --json, --quiet\n\nexample:\n  skip report tickets.skip -o tickets.html\n",
	.order = 80,
	.run = run,
};
