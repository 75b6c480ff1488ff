/*
 * skip VERB: finds the verb, runs it, prints an error, gives the exit code. Nothing else.
 */
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	for (size_t i = 0; skip_verbs[i] && n < 64; i++) {
		if (skip_verbs[i]->order > 0) sorted[n++] = skip_verbs[i];
	}
	qsort(sorted, n, sizeof(sorted[0]), by_order);
	fprintf(file, "usage: skip VERB [OPTIONS]      skip VERB --help      skip --version\n\n"
		      "Makes a trained text encoder small and fast for one task, and runs it as OpenCL kernels.\n\n");
	for (size_t i = 0; i < n; i++) fprintf(file, "  %-10s %s\n", sorted[i]->name, sorted[i]->summary);
	fprintf(file, "\nMODEL is a Hugging Face style folder or a task package NAME.skip; DATA is TSV, JSON Lines or plain text, or - for standard input.\n"
		      "example: skip fit models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv -o tickets.skip\n");
}

/* What the failure was, on one line; an interrupted verb also says how to go on. `verb` is NULL where none runs. */
static int finish(enum skip_status status, const struct skip_err *err, const struct skip_verb *verb)
{
	char text[2048];
	struct skip_err output;
	skip_err_init(&output);
	skip_cli_progress_end();
	if ((status == SKIP_OK || status == SKIP_ERR_TARGET) && skip_cli_print_end(&output) != SKIP_OK) {
		status = output.status;
		err = &output;
	}
	if (status == SKIP_OK) return 0;
	skip_err_format(err, text, sizeof(text));
	fprintf(stderr, "skip%s%s: %s: %s\n", verb ? " " : "", verb ? verb->name : "",
		status == SKIP_ERR_INTERRUPTED || status == SKIP_ERR_TARGET ? "note" : "error", text);
	if (status == SKIP_ERR_INTERRUPTED && verb)
		fprintf(stderr, "skip %s: %s: %s%s\n", verb->name, verb->resumes ? "go on with" : "start again with", skip_cli_command(),
			verb->resumes && !strstr(skip_cli_command(), " --resume") ? " --resume" : "");
	skip_output_abort_all();
	return skip_status_exit_code(status);
}

/*
 * Whatever fails once a signal was caught failed because of it: compilers inside of OpenCL runtimes catch it too and take away the files they are
 * working on, which then reads like a program that does not build.
 */
static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status = verb->run(verb, argc, argv, err);
	if (!skip_cli_interrupted || status == SKIP_OK || status == SKIP_ERR_TARGET || status == SKIP_ERR_INTERRUPTED) return status;
	struct skip_err why = *err;
	skip_err_init(err);
	return skip_err_set(err, SKIP_ERR_INTERRUPTED, "a signal stopped it: %s", why.message);
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
	signal(SIGPIPE, SIG_IGN); /* a closed pipe and a file that may not grow are errors of the write, which are handled */
	signal(SIGXFSZ, SIG_IGN);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return finish(SKIP_OK, &err, NULL);
	}
	if (!strcmp(argv[1], "--version")) {
		puts("skip " SKIP_VERSION);
		return finish(SKIP_OK, &err, NULL);
	}
	for (size_t i = 0; skip_verbs[i]; i++) {
		if (strcmp(skip_verbs[i]->name, argv[1])) continue;
		return finish(run(skip_verbs[i], argc - 2, argv + 2, &err), &err, skip_verbs[i]);
	}
	return finish(skip_err_set(&err, SKIP_ERR_USAGE, "unknown verb '%s'; see skip --help", argv[1]), &err, NULL);
}
