/*
 * Verbs: one file each in cli/verb/, found by CMake through `const struct skip_verb skip_verb_<file>`. Each parses, calls the library, prints.
 * Shared helpers: options.c (one parser), progress.c (stderr), print.c (stdout), command.c (what was typed), main.c (dispatch, exit codes), source.c (opening models, data, devices),
 * record.c (JSON of results), stage.c (the stages that single verbs and `fit` share).
 */
#ifndef SKIP_CLI_CLI_H
#define SKIP_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/progress.h"
#include <stdbool.h>
#include <stddef.h>

struct skip_verb {
	const char *name;
	const char *arguments; /* "MODEL DATA -o OUT.safetensors" */
	const char *summary;   /* one line */
	const char *help;      /* options and examples; fits one screen */
	int order;             /* place in `skip --help`; 0: not listed there, for other programs */
	bool resumes;          /* takes --resume after an interrupt */
	enum skip_status (*run)(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err);
};
extern const struct skip_verb *const skip_verbs[]; /* NULL-terminated, made by CMake */

/* Option tables. Values come as "--name v" or "--name=v"; unknown, repeated or malformed options are SKIP_ERR_USAGE. */
enum skip_option_kind { SKIP_OPTION_FLAG, SKIP_OPTION_STRING, SKIP_OPTION_INT, SKIP_OPTION_REAL };
struct skip_option {
	const char *name; /* "--epochs" or "-o" */
	enum skip_option_kind kind;
	void *target;    /* bool *, const char **, int64_t *, double * */
	double min, max; /* for numbers; both 0: any */
	bool seen;
};

/* What every verb shares. */
struct skip_cli_common {
	const char *device; /* --device */
	const char *dtype;  /* --dtype */
	const char *train_dtype; /* --train-dtype, of verbs that tune */
	const char *calibrate;   /* --calibrate, of verbs that run or make a package in int8 */
	const char *bitstreams;  /* --bitstreams, of verbs that run a package as it is */
	int64_t seed, threads;
	bool json, quiet, resume;
};

#define SKIP_CLI_MAX_OPTIONS 80
struct skip_cli_args {
	struct skip_option option[SKIP_CLI_MAX_OPTIONS];
	size_t n_options;
	const char *word[8]; /* positional words */
	int n_words;
	bool help; /* --help was given: it has been printed, the verb returns */
};

void skip_cli_flag(struct skip_cli_args *args, const char *name, bool *target);
void skip_cli_string(struct skip_cli_args *args, const char *name, const char **target);
void skip_cli_int(struct skip_cli_args *args, const char *name, int64_t *target, double min, double max);
void skip_cli_real(struct skip_cli_args *args, const char *name, double *target, double min, double max);
/* --json and --quiet; with_device adds --device, --dtype, --threads and --seed. */
void skip_cli_common_options(struct skip_cli_args *args, struct skip_cli_common *common, bool with_device);
bool skip_cli_seen(const struct skip_cli_args *args, const char *name);
enum skip_status skip_cli_parse(const struct skip_verb *verb, int argc, char **argv, struct skip_cli_args *args, int min_words, int max_words,
				struct skip_err *err);
/* "1,8,32" -> numbers in 1..max; SKIP_ERR_USAGE names the option. */
enum skip_status skip_cli_int_list(const char *option, const char *text, int max, int *out, size_t capacity, size_t *n, struct skip_err *err);
/* Index of `text` in the NULL-terminated `names`; SKIP_ERR_USAGE lists them. */
enum skip_status skip_cli_choice(const char *option, const char *text, const char *const *names, int *out, struct skip_err *err);

extern volatile int skip_cli_interrupted; /* set by SIGINT and SIGTERM once they are caught */
/* From here on SIGINT and SIGTERM set skip_cli_interrupted; a second one ends the process. For verbs that look at it: others end at once. */
void skip_cli_catch_interrupt(void);

/* Progress bar on a terminal, one line per finished stage otherwise, nothing with quiet; catches interrupts and then asks to stop. */
struct skip_progress skip_cli_progress(const struct skip_cli_common *common);
void skip_cli_progress_end(void);
/* "name     text" on stderr unless quiet. */
void skip_cli_note(const struct skip_cli_common *common, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What became of what was printed so far, asked right after printing: SKIP_ERR_OUTPUT says why stdout took no more. A reader that left early is SKIP_OK. */
enum skip_status skip_cli_printed(struct skip_err *err);
/* The reader of stdout has left: nothing more need be printed. */
bool skip_cli_reader_left(void);
/* Writes out what is buffered, then as skip_cli_printed. */
enum skip_status skip_cli_print_end(struct skip_err *err);
/* One JSON object on one line of stdout, then as skip_cli_printed; takes over the reference. SKIP_ERR_NOMEM for NULL. */
enum skip_status skip_cli_print_json(json_t *object, struct skip_err *err);
/* The command as it was typed, quoted for a shell: "skip fit minilm --train 'my data.tsv'". */
void skip_cli_remember_command(int argc, char **argv);
const char *skip_cli_command(void);

#endif
