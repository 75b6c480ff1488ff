/* The option parser: kinds, ranges, forms, order, and every refusal with its sentence. */
#include "check.h"
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

static const struct skip_verb verb = { .name = "toy", .arguments = "ONE [TWO]", .summary = "A verb for tests", .help = "  --flag\n\nexample:\n  skip toy one\n" };

/* What one command line sets. */
struct parsed {
	struct skip_cli_args args;
	struct skip_cli_common common;
	const char *text;
	int64_t count;
	double share, any;
	bool flag;
};

#define MAX_WORDS 16

/* Splits `line` at spaces ("_" is an empty word) and parses it with one to two positional words wanted. */
static enum skip_status parse(const char *line, struct parsed *out, struct skip_err *err)
{
	static char copy[512];
	char *argv[MAX_WORDS];
	int argc = 0;
	memset(out, 0, sizeof(*out));
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc < MAX_WORDS; word = strtok(NULL, " ")) {
		if (!strcmp(word, "_")) *word = '\0';
		argv[argc++] = word;
	}
	skip_cli_flag(&out->args, "--flag", &out->flag);
	skip_cli_string(&out->args, "-o", &out->text);
	skip_cli_int(&out->args, "--count", &out->count, 1, 4294967295.0);
	skip_cli_real(&out->args, "--share", &out->share, 0, 0.5);
	skip_cli_real(&out->args, "--any", &out->any, 0, 0);
	skip_cli_common_options(&out->args, &out->common, true);
	return skip_cli_parse(&verb, argc, argv, &out->args, 1, 2, err);
}

Test(options, takes_every_kind_in_any_order)
{
	struct skip_err err;
	struct parsed p;
	CHECK_OK(parse("--count 7 one --share=0.25 -o out --flag two --any -1e3 --json --seed 61", &p, &err));
	cr_assert_eq(p.count, 7);
	cr_assert_eq(p.share, 0.25);
	cr_assert_eq(p.any, -1000);
	cr_assert_str_eq(p.text, "out");
	cr_assert(p.flag && p.common.json && !p.common.quiet && !p.args.help);
	cr_assert_eq(p.common.seed, 61);
	cr_assert_eq(p.args.n_words, 2);
	cr_assert_str_eq(p.args.word[0], "one");
	cr_assert_str_eq(p.args.word[1], "two");
	cr_assert(skip_cli_seen(&p.args, "--share") && !skip_cli_seen(&p.args, "--device") && !skip_cli_seen(&p.args, "--nothing"));
}

Test(options, leaves_what_is_not_given)
{
	struct skip_err err;
	struct parsed p;
	CHECK_OK(parse("one", &p, &err));
	cr_assert(p.text == NULL && p.common.device == NULL && p.count == 0 && p.args.n_words == 1);
	cr_assert(not(p.flag));
}

Test(options, keeps_words_that_look_like_options)
{
	struct skip_err err;
	struct parsed p;
	CHECK_OK(parse("--flag -- --count -o", &p, &err));
	cr_assert_eq(p.args.n_words, 2);
	cr_assert_str_eq(p.args.word[0], "--count");
	cr_assert_str_eq(p.args.word[1], "-o");
	CHECK_OK(parse("-- --", &p, &err));
	cr_assert_str_eq(p.args.word[0], "--");
	CHECK_OK(parse("-- --help", &p, &err));
	cr_assert(not(p.args.help));
	cr_assert_str_eq(p.args.word[0], "--help");
	CHECK_OK(parse("-", &p, &err));
	cr_assert_str_eq(p.args.word[0], "-");
	CHECK_OK(parse("one -o -", &p, &err));
	cr_assert_str_eq(p.text, "-");
	CHECK_OK(parse("one -o=a=b", &p, &err));
	cr_assert_str_eq(p.text, "a=b");
}

Test(options, accepts_the_ends_of_a_range)
{
	struct skip_err err;
	struct parsed p;
	CHECK_OK(parse("one --count 1 --share 0", &p, &err));
	CHECK_OK(parse("one --count 4294967295 --share 0.5", &p, &err));
	cr_assert_eq(p.count, 4294967295);
	CHECK_OK(parse("one --count 1e3", &p, &err));
	cr_assert_eq(p.count, 1000);
}

struct refusal {
	char line[80], says[96];
};

ParameterizedTestParameters(options, refuses)
{
	static struct refusal rows[] = {
		{ "one --colour red", "skip toy has no option '--colour'; see skip toy --help" },
		{ "one --colour=red", "has no option '--colour';" },
		{ "one --coun 3", "has no option '--coun'" },
		{ "one --counts 3", "has no option '--counts'" },
		{ "one -x", "has no option '-x'" },
		{ "one ---flag", "has no option '---flag'" },
		{ "one --flag --flag", "--flag is given twice" },
		{ "one --count 1 --count 1", "--count is given twice" },
		{ "one --flag=yes", "--flag takes no value" },
		{ "one --count", "--count wants a value" },
		{ "one -o", "-o wants a value" },
		{ "one --count seven", "--count wants a number, found 'seven'" },
		{ "one --count 7x", "--count wants a number, found '7x'" },
		{ "one --count _", "--count wants a number, found ''" },
		{ "one --count=", "--count wants a number, found ''" },
		{ "one --count 1e999", "--count wants a number, found '1e999'" },
		{ "one --share nan", "--share wants a number, found 'nan'" },
		{ "one --share inf", "--share wants a number, found 'inf'" },
		{ "one --any -inf", "--any wants a number, found '-inf'" },
		{ "one --count 1.5", "--count wants a whole number, found '1.5'" },
		{ "one --count 0", "--count must lie between 1 and 4294967295, found 0" },
		{ "one --count 4294967296", "--count must lie between 1 and 4294967295, found 4294967296" },
		{ "one --share -0.1", "--share must lie between 0 and 0.5, found -0.1" },
		{ "one --share 0.500001", "--share must lie between 0 and 0.5, found 0.500001" },
		{ "--flag", "something is missing; usage: skip toy ONE [TWO]" },
		{ "one two three", "unexpected 'three'; usage: skip toy ONE [TWO]" },
		{ "- -", "- is standard input, which can be read once, found 2 times" },
		{ "one - -o -", "- is standard input, which can be read once, found 2 times" },
		{ "-- one -- two", "unexpected 'two'; usage: skip toy ONE [TWO]" },
	};
	return cr_make_param_array(struct refusal, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct refusal *row, options, refuses)
{
	struct skip_err err;
	struct parsed p;
	CHECK_FAILS(parse(row->line, &p, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, row->says) != NULL, "'%s' gives '%s', expected '%s'", row->line, err.message, row->says);
}

Test(options, refuses_nothing_at_all)
{
	struct skip_err err;
	struct skip_cli_args args = { 0 };
	CHECK_FAILS(skip_cli_parse(&verb, 0, NULL, &args, 1, 2, &err), SKIP_ERR_USAGE);
	CHECK_OK(skip_cli_parse(&verb, 0, NULL, &args, 0, 0, &err));
}

/* Help wins over everything else on the line, wrong options included. */
Test(options, prints_help_first)
{
	struct skip_err err;
	struct parsed p;
	int ends[2];
	char text[512] = "";
	cr_assert(pipe(ends) == 0);
	int saved = dup(STDOUT_FILENO);
	fflush(stdout);
	dup2(ends[1], STDOUT_FILENO);
	enum skip_status status = parse("--colour red one two three --help", &p, &err);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(ends[1]);
	cr_assert(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	close(saved);
	cr_assert_eq(status, SKIP_OK);
	cr_assert(p.args.help);
	cr_assert_str_eq(text, "usage: skip toy ONE [TWO]\n\nA verb for tests.\n\n  --flag\n\nexample:\n  skip toy one\n");
}

Test(options, reads_lists_of_numbers)
{
	struct skip_err err;
	int out[4];
	size_t n = 0;
	CHECK_OK(skip_cli_int_list("--batch", "1,8,61", 61, out, 4, &n, &err));
	cr_assert(n == 3 && out[0] == 1 && out[1] == 8 && out[2] == 61);
	CHECK_OK(skip_cli_int_list("--batch", "7", 61, out, 4, &n, &err));
	cr_assert(n == 1 && out[0] == 7);
	static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "0", "-1", "62", "1;2", "1,2x", "x", "99999999999999999999", "1 ,2" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		n = 99;
		CHECK_FAILS(skip_cli_int_list("--batch", bad[i], 61, out, 4, &n, &err), SKIP_ERR_USAGE);
		cr_assert(strstr(err.message, "--batch wants whole numbers from 1 to 61 with commas between, found '") != NULL, "'%s': %s", bad[i], err.message);
		cr_assert_eq(n, 99);
	}
	CHECK_FAILS(skip_cli_int_list("--batch", "1,2,3,4,5", 61, out, 4, &n, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "--batch takes at most 4 numbers") != NULL);
}

Test(options, chooses_by_name)
{
	static const char *const names[] = { "mean", "cls", NULL };
	struct skip_err err;
	int choice = -1;
	CHECK_OK(skip_cli_choice("--pool", "cls", names, &choice, &err));
	cr_assert_eq(choice, 1);
	CHECK_FAILS(skip_cli_choice("--pool", "max", names, &choice, &err), SKIP_ERR_USAGE);
	cr_assert_str_eq(err.message, "--pool is one of mean, cls; found 'max'");
	CHECK_FAILS(skip_cli_choice("--pool", "", names, &choice, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_cli_choice("--pool", "mea", names, &choice, &err), SKIP_ERR_USAGE);
	cr_assert_eq(choice, 1);
}

/* Every verb: a summary of one line, help that fits a screen, ends with an example of itself and names every option it takes. */
Test(options, verbs_are_documented)
{
	for (size_t i = 0; skip_verbs[i]; i++) {
		const struct skip_verb *v = skip_verbs[i];
		int lines = 0;
		cr_assert(v->name && v->arguments && v->summary && v->help && v->run, "verb %zu is incomplete", i);
		for (const char *p = v->help; *p; p++) lines += *p == '\n';
		cr_assert(lines <= 20, "%s: %d lines of help", v->name, lines);
		cr_assert(strchr(v->summary, '\n') == NULL && strlen(v->summary) < 80, "%s: %s", v->name, v->summary);
		char example[64];
		snprintf(example, sizeof(example), "skip %s ", v->name);
		const char *examples = strstr(v->help, "example");
		cr_assert(examples && (strstr(examples, example) || !strcmp(v->name, "devices")), "%s: no example of itself", v->name);
		for (size_t k = 0; k < i; k++) cr_assert(skip_verbs[k]->order != v->order, "%s and %s share a place", v->name, skip_verbs[k]->name);
	}
}
