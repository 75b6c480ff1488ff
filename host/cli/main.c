/*
 * skip VERB: finds the verb, runs it, prints an error, gives the exit code. Nothing else.
 */
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_signal(int signal_number)
{
	(void)signal_number;
	skip_cli_interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = (int)SA_RESETHAND; /* a second interrupt ends the process at once */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void show_warnings(void *context, enum skip_log_level level, const char *text)
{
	(void)context;
	if (level >= SKIP_LOG_WARN || getenv("SKIP_LOG")) fprintf(stderr, "skip: %s\n", text);
}

static int by_order(const void *a, const void *b)
{
	const struct skip_verb *const *x = a, *const *y = b;
	return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

static void print_usage(FILE *file)
{
	const struct skip_verb *sorted[64];
	size_t n = 0;
	for (; skip_verbs[n] && n < 64; n++) sorted[n] = skip_verbs[n];
	qsort(sorted, n, sizeof(sorted[0]), by_order);
	fprintf(file, "usage: skip VERB [OPTIONS]      skip VERB --help      skip --version\n\n"
		      "Makes a trained text encoder small and fast for one task, and runs it as OpenCL kernels.\n\n");
	for (size_t i = 0; i < n; i++) fprintf(file, "  %-10s %s\n", sorted[i]->name, sorted[i]->summary);
	fprintf(file, "\nMODEL is a Hugging Face style folder or a task package NAME.skip; DATA is TSV, JSON Lines or plain text, or - for standard input.\n"
		      "example: skip fit models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv -o tickets.skip\n");
}

/* What the failure was, on one line; an interrupted long verb also says how to go on. */
static int finish(enum skip_status status, const struct skip_err *err, const char *verb)
{
	char text[2048];
	skip_cli_progress_end();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno == EPIPE) return status == SKIP_OK ? 0 : skip_status_exit_code(status);
		fprintf(stderr, "skip %s: error: cannot write standard output: %s\n", verb, strerror(errno));
		return skip_status_exit_code(SKIP_ERR_OUTPUT);
	}
	if (status == SKIP_OK) return 0;
	skip_err_format(err, text, sizeof(text));
	fprintf(stderr, "skip %s: %s: %s\n", verb, status == SKIP_ERR_INTERRUPTED || status == SKIP_ERR_TARGET ? "note" : "error", text);
	if (status == SKIP_ERR_INTERRUPTED)
		fprintf(stderr, "skip %s: go on with: %s%s\n", verb, skip_cli_command(), strstr(skip_cli_command(), " --resume") ? "" : " --resume");
	skip_output_abort_all();
	return skip_status_exit_code(status);
}

int main(int argc, char **argv)
{
	struct skip_err err;
	skip_err_init(&err);
	skip_cli_remember_command(argc, argv);
	skip_log_set(show_warnings, NULL);
	if (argc < 2) {
		print_usage(stderr);
		return skip_status_exit_code(SKIP_ERR_USAGE);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("skip " SKIP_VERSION);
		return 0;
	}
	for (size_t i = 0; skip_verbs[i]; i++) {
		if (strcmp(skip_verbs[i]->name, argv[1])) continue;
		catch_signals();
		return finish(skip_verbs[i]->run(skip_verbs[i], argc - 2, argv + 2, &err), &err, argv[1]);
	}
	fprintf(stderr, "skip: error: unknown verb '%s'; see skip --help\n", argv[1]);
	return skip_status_exit_code(SKIP_ERR_USAGE);
}
