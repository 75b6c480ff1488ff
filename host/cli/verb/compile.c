/* skip compile: one OpenCL C text in, its built form out; what a session starts beside itself (device/opencl/compile.c). */
#include "base/file.h"
#include "cli/source.h"

#include <stdio.h>
#include <unistd.h>

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_device device = { 0 };
	const char *options = "";
	struct skip_buf text, built;
	skip_buf_init(&text);
	skip_buf_init(&built);
	skip_cli_string(&args, "--options", &options);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (isatty(STDOUT_FILENO)) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "the built program is no text: send it to a file or a pipe"));
	SKIP_TRY(skip_file_read("-", &text, err));
	common.device = args.word[0];
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_device_compile(device.device, skip_buf_text(&text), options, &built, err));
	fwrite(built.data, 1, built.length, stdout);
	status = skip_cli_printed(err);
cleanup:
	skip_cli_close_device(&device);
	skip_buf_deinit(&text);
	skip_buf_deinit(&built);
	return status;
}

const struct skip_verb skip_verb_compile = {
	.name = "compile",
	.arguments = "DEVICE --options TEXT",
	.summary = "Compile an OpenCL C text from standard input, for a skip that runs beside",
	.help = "  DEVICE                  as for --device\n"
		"  --options TEXT          of the OpenCL compiler, one word\n"
		"  The built program goes to standard output, with its hash: input of other programs.\n\n"
		"example:\n"
		"  skip compile 0:0 --options -cl-std=CL1.2 < kernels.cl > kernels.clb\n",
	.run = run,
};
