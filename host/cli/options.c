/*
 * The one option parser of all verbs. It knows nothing of what the options mean.
 */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct skip_cli_args *args, const char *name, enum skip_option_kind kind, void *target, double min, double max)
{
	if (args->n_options >= SKIP_CLI_MAX_OPTIONS) abort();
	args->option[args->n_options++] = (struct skip_option){ .name = name, .kind = kind, .target = target, .min = min, .max = max };
}

void skip_cli_flag(struct skip_cli_args *args, const char *name, bool *target)
{
	add(args, name, SKIP_OPTION_FLAG, target, 0, 0);
}

void skip_cli_string(struct skip_cli_args *args, const char *name, const char **target)
{
	add(args, name, SKIP_OPTION_STRING, (void *)target, 0, 0);
}

void skip_cli_int(struct skip_cli_args *args, const char *name, int64_t *target, double min, double max)
{
	add(args, name, SKIP_OPTION_INT, target, min, max);
}

void skip_cli_real(struct skip_cli_args *args, const char *name, double *target, double min, double max)
{
	add(args, name, SKIP_OPTION_REAL, target, min, max);
}

void skip_cli_common_options(struct skip_cli_args *args, struct skip_cli_common *common, bool with_device)
{
	skip_cli_flag(args, "--json", &common->json);
	skip_cli_flag(args, "--quiet", &common->quiet);
	if (!with_device) return;
	skip_cli_string(args, "--device", &common->device);
	skip_cli_string(args, "--dtype", &common->dtype);
	skip_cli_int(args, "--threads", &common->threads, 0, 1024);
	skip_cli_int(args, "--seed", &common->seed, 0, 4294967295.0);
}

bool skip_cli_seen(const struct skip_cli_args *args, const char *name)
{
	for (size_t i = 0; i < args->n_options; i++)
		if (!strcmp(args->option[i].name, name)) return args->option[i].seen;
	return false;
}

static struct skip_option *find(struct skip_cli_args *args, const char *word, size_t length)
{
	for (size_t i = 0; i < args->n_options; i++)
		if (strlen(args->option[i].name) == length && !strncmp(args->option[i].name, word, length)) return &args->option[i];
	return NULL;
}

static enum skip_status set_value(const struct skip_option *option, const char *value, struct skip_err *err)
{
	char *end;
	errno = 0;
	if (option->kind == SKIP_OPTION_STRING) {
		*(const char **)option->target = value;
		return SKIP_OK;
	}
	double number = strtod(value, &end);
	if (end == value || *end || !isfinite(number) || errno == ERANGE)
		return skip_err_set(err, SKIP_ERR_USAGE, "%s wants a number, found '%s'", option->name, value);
	if (option->kind == SKIP_OPTION_INT && number != floor(number))
		return skip_err_set(err, SKIP_ERR_USAGE, "%s wants a whole number, found '%s'", option->name, value);
	if ((option->min != 0 || option->max != 0) && (number < option->min || number > option->max))
		return skip_err_set(err, SKIP_ERR_USAGE, "%s must lie between %.10g and %.10g, found %s", option->name, option->min, option->max, value);
	if (option->kind == SKIP_OPTION_INT)
		*(int64_t *)option->target = (int64_t)number;
	else
		*(double *)option->target = number;
	return SKIP_OK;
}

static void print_help(const struct skip_verb *verb)
{
	printf("usage: skip %s %s\n\n%s.\n\n%s", verb->name, verb->arguments, verb->summary, verb->help);
}

static enum skip_status take_option(const struct skip_verb *verb, int argc, char **argv, int *at, struct skip_cli_args *args, struct skip_err *err)
{
	const char *word = argv[*at], *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	struct skip_option *option = find(args, word, length);
	if (!option) return skip_err_set(err, SKIP_ERR_USAGE, "skip %s has no option '%.*s'; see skip %s --help", verb->name, (int)length, word, verb->name);
	if (option->seen) return skip_err_set(err, SKIP_ERR_USAGE, "%s is given twice", option->name);
	option->seen = true;
	if (option->kind == SKIP_OPTION_FLAG) {
		if (equals) return skip_err_set(err, SKIP_ERR_USAGE, "%s takes no value", option->name);
		*(bool *)option->target = true;
		return SKIP_OK;
	}
	if (equals) return set_value(option, equals + 1, err);
	if (*at + 1 >= argc) return skip_err_set(err, SKIP_ERR_USAGE, "%s wants a value", option->name);
	return set_value(option, argv[++*at], err);
}

/* Whoever reads standard input second finds nothing there. */
static enum skip_status check_input(const struct skip_cli_args *args, struct skip_err *err)
{
	int readers = 0;
	for (int i = 0; i < args->n_words; i++) readers += !strcmp(args->word[i], "-");
	for (size_t i = 0; i < args->n_options; i++) {
		const struct skip_option *option = &args->option[i];
		readers += option->seen && option->kind == SKIP_OPTION_STRING && !strcmp(*(const char **)option->target, "-");
	}
	return readers > 1 ? skip_err_set(err, SKIP_ERR_USAGE, "- is standard input, which can be read once, found %d times", readers) : SKIP_OK;
}

enum skip_status skip_cli_parse(const struct skip_verb *verb, int argc, char **argv, struct skip_cli_args *args, int min_words, int max_words,
				struct skip_err *err)
{
	bool only_words = false;
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(verb);
			args->help = true;
			return SKIP_OK;
		}
	}
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		if (!only_words && !strcmp(word, "--")) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1]) {
			enum skip_status status = take_option(verb, argc, argv, &i, args, err);
			if (status != SKIP_OK) return status;
		} else if (args->n_words >= max_words) {
			return skip_err_set(err, SKIP_ERR_USAGE, "unexpected '%s'; usage: skip %s %s", word, verb->name, verb->arguments);
		} else {
			args->word[args->n_words++] = word;
		}
	}
	if (args->n_words < min_words)
		return skip_err_set(err, SKIP_ERR_USAGE, "something is missing; usage: skip %s %s", verb->name, verb->arguments);
	return check_input(args, err);
}

enum skip_status skip_cli_int_list(const char *option, const char *text, int max, int *out, size_t capacity, size_t *n, struct skip_err *err)
{
	size_t count = 0;
	for (const char *p = text;; p++) {
		char *end;
		long number = strtol(p, &end, 10);
		if (end == p || (*end && *end != ',') || number < 1 || number > max)
			return skip_err_set(err, SKIP_ERR_USAGE, "%s wants whole numbers from 1 to %d with commas between, found '%s'", option, max, text);
		if (count == capacity) return skip_err_set(err, SKIP_ERR_USAGE, "%s takes at most %zu numbers", option, capacity);
		out[count++] = (int)number;
		p = end;
		if (!*p) break;
	}
	*n = count;
	return SKIP_OK;
}

enum skip_status skip_cli_choice(const char *option, const char *text, const char *const *names, int *out, struct skip_err *err)
{
	char list[256] = "";
	for (int i = 0; names[i]; i++) {
		if (!strcmp(names[i], text)) {
			*out = i;
			return SKIP_OK;
		}
		size_t used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	return skip_err_set(err, SKIP_ERR_USAGE, "%s is one of %s; found '%s'", option, list, text);
}
