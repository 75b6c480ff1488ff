/*
 * Verbs: one file each in cli/, found by CMake through `const struct skip_verb skip_verb_<file>`. Each parses, calls the library, prints.
 */
#ifndef SKIP_CLI_CLI_H
#define SKIP_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/progress.h"
#include <stdbool.h>

struct skip_verb {
	const char *name;
	const char *arguments; /* "MODEL DATA -o OUT.safetensors" */
	const char *summary;   /* one line */
	const char *help;      /* options and examples; fits one screen */
	int order;             /* place in `skip --help` */
	enum skip_status (*run)(int argc, char **argv, struct skip_err *err);
};
extern const struct skip_verb *const skip_verbs[]; /* NULL-terminated, made by CMake */

/* Option tables: one parser for all verbs. Value options accept "--name v" and "--name=v"; unknown, repeated or malformed ones are SKIP_ERR_USAGE. */
enum skip_option_kind { SKIP_OPTION_FLAG, SKIP_OPTION_STRING, SKIP_OPTION_INT, SKIP_OPTION_REAL };
struct skip_option {
	const char *name;   /* "--epochs" or "-o" */
	enum skip_option_kind kind;
	void *target;       /* bool *, const char **, int64_t *, double * */
	double min, max;    /* for numbers */
	bool seen;
};
/* Positional words are collected in `words` (between min and max of them). `--help` prints the help and gives *help = true. */
enum skip_status skip_cli_parse(const struct skip_verb *verb, int argc, char **argv, struct skip_option *options, size_t n_options,
				const char **words, int min_words, int max_words, int *n_words, bool *help, struct skip_err *err);

/* What every verb shares. */
struct skip_cli_common {
	const char *device; /* --device */
	const char *dtype;  /* --dtype: only f32 is accepted here, others are SKIP_ERR_USAGE with a sentence */
	int64_t seed, threads;
	bool json, quiet, resume;
};
extern volatile int skip_cli_interrupted; /* set by SIGINT/SIGTERM */
/* Progress bar on a terminal, one line per stage otherwise, nothing with quiet; returns false after an interrupt. */
struct skip_progress skip_cli_progress(const struct skip_cli_common *common);
void skip_cli_progress_end(void);
/* stderr line unless quiet. */
void skip_cli_note(const struct skip_cli_common *common, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints a JSON object on one line to stdout. */
enum skip_status skip_cli_print_json(const json_t *object, struct skip_err *err);

#endif
