/* Reading labelled data: formats, labels, and everything that is refused with its file and line. */
#include "text/dataset.h"
#include "toy_tokenizer.h"

TestSuite(dataset, .init = toy_dir_make, .fini = toy_dir_drop);

static struct skip_read_options learning(void)
{
	return (struct skip_read_options){.need_labels = true, .keep_text = true, .max_length = 16};
}

static const char *dir_path(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof(path), "%s/%s", toy_dir, name);
	return path;
}

static const char *row_ids(const struct skip_dataset *data, size_t row)
{
	return toy_ids(data->ids + data->offset[row], (size_t)(data->offset[row + 1] - data->offset[row]));
}

static const char *row_types(const struct skip_dataset *data, size_t row)
{
	return toy_ids(data->types + data->offset[row], (size_t)(data->offset[row + 1] - data->offset[row]));
}

Test(dataset, reads_singles)
{
	struct skip_err err;
	struct skip_labels labels;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	toy_write_text(toy_dir, "a.tsv", "sentence\tlabel\nthe \"cat\"\tyes\n\tno\nsat .\tyes\n");
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, &labels, &data, &err));
	cr_assert(data.n_rows == 3 && data.labelled);
	cr_assert(eq(str, (char *)row_ids(&data, 0), "2 5 1 6 1 3"));
	cr_assert(eq(str, (char *)row_ids(&data, 1), "2 3"));
	cr_assert(eq(str, (char *)row_ids(&data, 2), "2 7 9 3"));
	cr_assert(eq(str, data.text[0], "the \"cat\""));
	cr_assert(eq(str, data.text[1], ""));
	cr_assert(data.pair[0] == NULL);
	cr_assert(labels.count == 2 && !labels.integers);
	cr_assert(eq(str, labels.name[0], "no"));
	cr_assert(eq(str, labels.name[1], "yes"));
	cr_assert(data.label[0] == 1 && data.label[1] == 0 && data.label[2] == 1);
	cr_assert(ieee_ulp_eq(dbl, skip_dataset_mean_length(&data), 4.0, 1));
	skip_dataset_deinit(&data);
	skip_labels_deinit(&labels);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, reads_pairs_in_any_column_order)
{
	struct skip_err err;
	struct skip_labels labels;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	toy_write_text(toy_dir, "a.tsv", "\xef\xbb\xbfsentence2\tlabel\tsentence1\r\ncat\t1\tthe\r\nsat\t0\ta\r\n");
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, &labels, &data, &err));
	cr_assert(data.n_rows == 2 && labels.integers && labels.count == 2);
	cr_assert(eq(str, (char *)row_ids(&data, 0), "2 5 3 6 3"));
	cr_assert(eq(str, (char *)row_types(&data, 0), "0 0 0 1 1"));
	cr_assert(eq(str, (char *)row_ids(&data, 1), "2 10 3 7 3"));
	cr_assert(eq(str, data.text[1], "a"));
	cr_assert(eq(str, data.pair[1], "sat"));
	cr_assert(data.label[0] == 1 && data.label[1] == 0);
	skip_dataset_deinit(&data);
	skip_labels_deinit(&labels);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, reads_json_lines)
{
	struct skip_err err;
	struct skip_labels labels;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	toy_write_text(toy_dir, "a.jsonl",
	               "{\"text\": \"the\\tcat\", \"label\": \"b\"}\n\n  \t\r\n{\"label\": \"a\", \"text\": \"caf\\u00e9\", \"text_pair\": "
	               "\"sat\"}\r\n"
	               "{\"text\": \"a\", \"text_pair\": null, \"label\": 7}");
	CHECK_OK(skip_dataset_read(dir_path("a.jsonl"), tokenizer, &options, &labels, &data, &err));
	cr_assert(data.n_rows == 3 && labels.count == 3 && !labels.integers);
	cr_assert(eq(str, (char *)row_ids(&data, 0), "2 5 6 3"));
	cr_assert(eq(str, (char *)row_ids(&data, 1), "2 12 3 7 3"));
	cr_assert(eq(str, (char *)row_ids(&data, 2), "2 10 3"));
	cr_assert(eq(str, labels.name[0], "7"));
	cr_assert(data.label[0] == 2 && data.label[1] == 1 && data.label[2] == 0);
	cr_assert(eq(str, data.text[0], "the\tcat"));
	skip_dataset_deinit(&data);
	skip_labels_deinit(&labels);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, reads_plain_lines)
{
	struct skip_err err;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = {.max_length = 16};
	toy_write_text(toy_dir, "a.txt", "the\tcat\n\nsentence\n");
	CHECK_OK(skip_dataset_read(dir_path("a.txt"), tokenizer, &options, NULL, &data, &err));
	cr_assert(data.n_rows == 3 && !data.labelled && data.text == NULL && data.pair == NULL && data.label[0] == -1);
	cr_assert(eq(str, (char *)row_ids(&data, 0), "2 5 6 3"));
	cr_assert(eq(str, (char *)row_ids(&data, 1), "2 3"));
	skip_dataset_deinit(&data);
	skip_tokenizer_close(tokenizer);
}

struct guess_case {
	char name[16], text[64];
	enum skip_input_format format;
	size_t rows;
};

/* The suffix says the format; other names and "-" are told by their first line. */
ParameterizedTestParameters(dataset, guesses)
{
	static struct guess_case cases[] = {
	    {"a", "sentence\nthe\ncat\n", SKIP_INPUT_AUTO, 2},
	    {"a", "label\tsentence\r\nx\ta\n", SKIP_INPUT_AUTO, 1},
	    {"a", "{\"text\": \"the\"}\n{\"text\": \"cat\"}\n", SKIP_INPUT_AUTO, 2},
	    {"a", "the\ncat\nsat", SKIP_INPUT_AUTO, 3},
	    {"a.txt", "sentence\nthe\ncat\n", SKIP_INPUT_AUTO, 3},
	    {"a.txt", "sentence\nthe\ncat\n", SKIP_INPUT_TSV, 2},
	    {"a.tsv", "sentence\nthe\ncat\n", SKIP_INPUT_TEXT, 3},
	    {"a.tsv", "{\"text\": \"the\"}\n", SKIP_INPUT_JSONL, 1},
	    {"a.json", "{\"text\": \"the\"}\n", SKIP_INPUT_AUTO, 1},
	    {"-", "sentence1\tsentence2\nthe\tcat\n", SKIP_INPUT_AUTO, 1},
	    {"-", "the\ncat\n", SKIP_INPUT_AUTO, 2},
	    {"-", "", SKIP_INPUT_AUTO, 0},
	    {"a.tsv", "", SKIP_INPUT_AUTO, 0},
	    {"a.tsv", "sentence", SKIP_INPUT_AUTO, 0},
	    {"a.jsonl", "", SKIP_INPUT_AUTO, 0},
	    {"a.txt", "\xef\xbb\xbf", SKIP_INPUT_AUTO, 0},
	};
	return cr_make_param_array(struct guess_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct guess_case *c, dataset, guesses, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = {.format = c->format, .max_length = 16};
	bool standard = strcmp(c->name, "-") == 0;
	toy_write_text(toy_dir, standard ? "input" : c->name, c->text);
	if (standard) cr_assert(freopen(dir_path("input"), "r", stdin) != NULL);
	CHECK_OK(skip_dataset_read(standard ? "-" : dir_path(c->name), tokenizer, &options, NULL, &data, &err));
	cr_assert(eq(sz, data.n_rows, c->rows));
	cr_assert(not(data.labelled));
	skip_dataset_deinit(&data);
	skip_tokenizer_close(tokenizer);
}

struct bad_case {
	char name[12], text[96];
	size_t size; /* 0: up to the first NUL */
	int64_t line;
	char message[96];
	bool unlabelled; /* read as by verbs that need no label */
};

#define FF "\xff"

ParameterizedTestParameters(dataset, refuses)
{
	static struct bad_case cases[] = {
	    {"a.tsv", "", 0, 0, "empty; expected labelled rows", false},
	    {"a.jsonl", "\n\n", 0, 0, "no rows", false},
	    {"a.tsv", "sentence\tlabel\n", 0, 0, "a header and no rows", false},
	    {"a.tsv", "a movie\t1\nb movie\t0\n", 0, 1, "no known header: found \"a movie\t1\"; expected the columns \"sentence\"", false},
	    {"a.tsv", "Sentence\tlabel\nx\t1\n", 0, 1, "no known header", false},
	    {"a.tsv", "sentence\tlabel\tidx\nx\t1\t0\n", 0, 1, "no known header", false},
	    {"a.tsv", "sentence\tsentence\nx\ty\n", 0, 1, "no known header", true},
	    {"a.tsv", "sentence\tsentence2\nx\ty\n", 0, 1, "no known header", true},
	    {"a.tsv", "sentence1\tlabel\nx\ty\n", 0, 1, "no known header", true},
	    {"a.tsv", "label\n1\n", 0, 1, "no known header", true},
	    {"a.tsv", "sentence1\tsentence2\tlabel\tlabel\n", 0, 1, "no known header", true},
	    {"a.tsv", "\nsentence\n", 0, 1, "no known header: found \"\"", true},
	    {"a.tsv", "sentence\nx\ny\n", 0, 1, "no column \"label\"", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\ny\n", 0, 3, "1 field; expected 2", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\ty\n", 0, 2, "3 fields; expected 2", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\n\ny\t0\n", 0, 3, "1 field; expected 2", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\ny\t\n", 0, 3, "empty label", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\ny\t1\n", 0, 0, "all rows have the label \"1\"; expected at least two", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\nab" FF "\t0\n", 0, 3, "byte 0xff at offset 2 of the line", false},
	    {"a.tsv", "sentence\tlabel\nx\t1\nab\xc3\t0\n", 0, 3, "byte 0xc3 at offset 2 of the line", false},
	    {"a.tsv", "sen\xff\tlabel\nx\t1\n", 0, 1, "byte 0xff at offset 3", false},
	    {"a.tsv", "sentence\nx\nabc\0d\n", 17, 3, "NUL byte at offset 3 of the line", true},
	    {"a.txt", "the\ncat\n", 0, 0, "plain lines carry no labels", false},
	    {"a.txt", "the\ncat" FF "\n", 0, 2, "byte 0xff at offset 3", true},
	    {"a.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \n", 0, 2, "not a JSON object", false},
	    {"a.jsonl", "{\"text\": \"a\", \"label\": 1}\n[1]\n", 0, 2, "not a JSON object", false},
	    {"a.jsonl", "\"text\"\n", 0, 1, "not a JSON object", true},
	    {"a.jsonl", "{\"text\": \"a\", \"text\": \"b\"}\n", 0, 1, "not a JSON object: duplicate", true},
	    {"a.jsonl", "{\"text\": \"a\"} x\n", 0, 1, "not a JSON object", true},
	    {"a.jsonl", "{\"text\": \"a\", \"txt_pair\": \"b\"}\n", 0, 1, "unknown key \"txt_pair\"; expected \"text\"", true},
	    {"a.jsonl", "{\"text_pair\": \"b\"}\n", 0, 1, "no \"text\"", true},
	    {"a.jsonl", "{\"text\": 5}\n", 0, 1, "\"text\" is no string", true},
	    {"a.jsonl", "{\"text\": null}\n", 0, 1, "\"text\" is no string", true},
	    {"a.jsonl", "{\"text\": \"a\", \"text_pair\": []}\n", 0, 1, "\"text_pair\" is no string", true},
	    {"a.jsonl", "{\"text\": \"a\", \"label\": 1.5}\n", 0, 1, "\"label\" is no string and no integer", false},
	    {"a.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n", 0, 2, "row without a label", false},
	    {"a.jsonl", "{\"text\": \"a\\u0000b\"}\n", 0, 1, "not a JSON object", true},
	    {"a.jsonl", "{\"text\": \"a\\ud800b\"}\n", 0, 1, "not a JSON object", true},
	    {"a.jsonl", "{\"text\": \"a" FF "\"}\n", 0, 1, "byte 0xff at offset 11", true},
	};
	return cr_make_param_array(struct bad_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_case *c, dataset, refuses, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_labels labels = {0};
	struct skip_dataset data = {0};
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = {.need_labels = !c->unlabelled, .keep_text = true, .max_length = 16};
	toy_write_file(toy_dir, c->name, c->text, c->size ? c->size : strlen(c->text));
	CHECK_FAILS(skip_dataset_read(dir_path(c->name), tokenizer, &options, c->unlabelled ? NULL : &labels, &data, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, c->message) != NULL, "found: %s; wanted: %s", err.message, c->message);
	cr_assert(eq(i64, err.line, c->line), "%s", err.message);
	cr_assert(eq(str, err.file, (char *)dir_path(c->name)));
	cr_assert(data.n_rows == 0 && data.ids == NULL && labels.name == NULL);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, missing_file)
{
	struct skip_err err;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = {.max_length = 16};
	CHECK_FAILS(skip_dataset_read(dir_path("none.tsv"), tokenizer, &options, NULL, &data, &err), SKIP_ERR_IO);
	cr_assert(eq(str, err.file, (char *)dir_path("none.tsv")));
	toy_write_text(toy_dir, "a.txt", "the\n");
	options.max_length = 1;
	CHECK_FAILS(skip_dataset_read(dir_path("a.txt"), tokenizer, &options, NULL, &data, &err), SKIP_ERR_USAGE);
	skip_tokenizer_close(tokenizer);
}

struct labels_case {
	char rows[48], names[48]; /* labels of the rows; names in order of index */
	bool integers;
};

ParameterizedTestParameters(dataset, learns_labels)
{
	static struct labels_case cases[] = {
	    {"0 1 0", "0 1", true},
	    {"2 0 1", "0 1 2", true},
	    {"10 9 8 7 6 5 4 3 2 1 0", "0 1 2 3 4 5 6 7 8 9 10", true},
	    {"0 2", "0 2", false}, /* a class that never occurs cannot be learnt */
	    {"1 2 10", "1 10 2", false},
	    {"-1 0 1", "-1 0 1", false},
	    {"00 01", "00 01", false},
	    {"+1 0", "+1 0", false},
	    {"b a B A \u00e9", "A B a b \u00e9", false},
	    {"no 0", "0 no", false},
	};
	return cr_make_param_array(struct labels_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct labels_case *c, dataset, learns_labels, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_labels labels, copy;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	struct skip_buf text;
	char rows[48], *word, *save = NULL, *wanted[16];
	int n_rows = 0, n_names = 0;
	skip_buf_init(&text);
	skip_buf_puts(&text, "label\tsentence\n");
	strcpy(rows, c->rows);
	for (word = strtok_r(rows, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		skip_buf_printf(&text, "%s\tthe\n", word);
		wanted[n_rows++] = word;
	}
	toy_write_text(toy_dir, "a.tsv", skip_buf_text(&text));
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, &labels, &data, &err));
	cr_assert(labels.integers == c->integers);
	cr_assert(eq(int, (int)data.n_rows, n_rows));
	for (int i = 0; i < n_rows; i++) cr_assert(eq(str, labels.name[data.label[i]], wanted[i]));
	CHECK_OK(skip_labels_copy(&labels, &copy, &err));
	skip_labels_deinit(&labels);
	for (word = strtok_r(c->names, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		cr_assert(eq(str, copy.name[n_names], word));
		cr_assert(skip_labels_find(&copy, word) == n_names);
		n_names++;
	}
	cr_assert(copy.count == n_names && copy.integers == c->integers);
	cr_assert(skip_labels_find(&copy, "never") == -1);
	skip_buf_deinit(&text);
	skip_labels_deinit(&copy);
	skip_dataset_deinit(&data);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, known_labels)
{
	struct skip_err err;
	struct skip_dataset data;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_labels names = {.name = (char *[]){"bad", "good"}, .count = 2};
	struct skip_labels numbers = {.name = (char *[]){"0", "1"}, .count = 2, .integers = true};
	struct skip_read_options options = learning();
	options.known = &names;
	toy_write_text(toy_dir, "a.tsv", "sentence\tlabel\nthe\tgood\na\tgood\n");
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, NULL, &data, &err));
	cr_assert(data.label[0] == 1 && data.label[1] == 1 && data.labelled);
	skip_dataset_deinit(&data);
	toy_write_text(toy_dir, "a.tsv", "sentence\tlabel\nthe\t1\na\t0\n"); /* numbers find classes that have names */
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, NULL, &data, &err));
	cr_assert(data.label[0] == 1 && data.label[1] == 0);
	skip_dataset_deinit(&data);
	toy_write_text(toy_dir, "a.tsv", "sentence\tlabel\nthe\tgood\na\t2\n");
	CHECK_FAILS(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, NULL, &data, &err), SKIP_ERR_INPUT);
	cr_assert(err.line == 3 && strstr(err.message, "unknown label \"2\"; expected one of \"bad\", \"good\"") != NULL, "%s",
	          err.message);
	options.known = &numbers;
	CHECK_FAILS(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, NULL, &data, &err), SKIP_ERR_INPUT);
	cr_assert(err.line == 2 && strstr(err.message, "unknown label \"good\"; expected one of \"0\", \"1\"") != NULL, "%s", err.message);
	options = (struct skip_read_options){.max_length = 16}; /* nobody asks for labels: not looked at */
	CHECK_OK(skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, NULL, &data, &err));
	cr_assert(data.n_rows == 2 && data.label[0] == -1 && !data.labelled);
	skip_dataset_deinit(&data);
	options.known = &names; /* asked for, not needed, missing in one row */
	toy_write_text(toy_dir, "a.jsonl", "{\"text\": \"a\", \"label\": \"bad\"}\n{\"text\": \"a\"}\n");
	CHECK_OK(skip_dataset_read(dir_path("a.jsonl"), tokenizer, &options, NULL, &data, &err));
	cr_assert(data.label[0] == 0 && data.label[1] == -1 && !data.labelled);
	skip_dataset_deinit(&data);
	skip_tokenizer_close(tokenizer);
}

struct target_case {
	enum skip_problem problem;
	int count;
	char name[8], text[160]; /* of the file; its content */
	float target[6];         /* [2][count] */
	char message[80];        /* empty: read */
};

ParameterizedTestParameters(dataset, several_labels_and_numbers)
{
	static struct target_case all[] = {
	    {SKIP_MULTI_LABEL, 3, "a.tsv", "sentence\tlabel\nthe\tred|blue\na\t\n", {1, 0, 1, 0, 0, 0}, ""},
	    {SKIP_MULTI_LABEL, 3, "a.tsv", "sentence\tlabel\nthe\t2\na\tgreen\n", {0, 0, 1, 0, 1, 0}, ""},
	    {SKIP_MULTI_LABEL, 3, "a.jsonl", "{\"text\": \"the\", \"label\": [\"green\", \"red\"]}\n{\"text\": \"a\", \"label\": []}\n", {1, 1, 0, 0, 0, 0}, ""},
	    {SKIP_MULTI_LABEL, 3, "a.tsv", "sentence\tlabel\nthe\tred|pink\n", {0}, "unknown label \"pink\"; expected one of \"red\""},
	    {SKIP_REGRESSION, 1, "a.tsv", "sentence\tlabel\nthe\t-1.5\na\t3\n", {-1.5f, 3}, ""},
	    {SKIP_REGRESSION, 2, "a.jsonl", "{\"text\": \"the\", \"label\": [0.25, 4]}\n{\"text\": \"a\", \"label\": [1, 2]}\n", {0.25f, 4, 1, 2}, ""},
	    {SKIP_REGRESSION, 1, "a.jsonl", "{\"text\": \"the\", \"label\": 0.5}\n{\"text\": \"a\", \"label\": 7}\n", {0.5f, 7}, ""},
	    {SKIP_REGRESSION, 1, "a.tsv", "sentence\tlabel\nthe\tgood\n", {0}, "\"good\" is no number; the model answers with 1"},
	    {SKIP_REGRESSION, 1, "a.tsv", "sentence\tlabel\nthe\tnan\n", {0}, "\"nan\" is no number"},
	    {SKIP_REGRESSION, 1, "a.tsv", "sentence\tlabel\nthe\t1|2\n", {0}, "more than 1 numbers"},
	    {SKIP_REGRESSION, 2, "a.tsv", "sentence\tlabel\nthe\t1\n", {0}, "1 number; the model answers with 2"},
	};
	return cr_make_param_array(struct target_case, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct target_case *c, dataset, several_labels_and_numbers)
{
	struct skip_err err;
	struct skip_dataset data, part;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_labels known = {.name = (char *[]){"red", "green", "blue"}, .count = c->count, .problem = c->problem};
	struct skip_read_options options = learning();
	options.known = &known;
	toy_write_text(toy_dir, c->name, c->text);
	if (c->message[0]) {
		CHECK_FAILS(skip_dataset_read(dir_path(c->name), tokenizer, &options, NULL, &data, &err), SKIP_ERR_INPUT);
		cr_assert(err.line == 2 && strstr(err.message, c->message) != NULL, "%s", err.message);
	} else {
		CHECK_OK(skip_dataset_read(dir_path(c->name), tokenizer, &options, NULL, &data, &err));
		cr_assert(data.n_rows == 2 && data.labelled && data.problem == c->problem && data.n_targets == c->count);
		for (int i = 0; i < 2 * c->count; i++) cr_assert(data.target[i] == c->target[i], "target %d is %g", i, (double)data.target[i]);
		CHECK_OK(skip_dataset_take(&data, (const int[]){1}, 1, &part, &err));
		for (int i = 0; i < c->count; i++) cr_assert(part.target[i] == c->target[c->count + i]);
		skip_dataset_deinit(&part);
		skip_dataset_deinit(&data);
	}
	skip_tokenizer_close(tokenizer);
}

Test(dataset, takes_rows)
{
	struct skip_err err;
	struct skip_labels labels;
	struct skip_dataset data, part;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	toy_write_text(toy_dir, "a.jsonl",
	               "{\"text\": \"the\", \"label\": 0}\n{\"text\": \"cat sat\", \"text_pair\": \"a\", \"label\": 1}\n{\"text\": \".\", "
	               "\"label\": 1}\n");
	CHECK_OK(skip_dataset_read(dir_path("a.jsonl"), tokenizer, &options, &labels, &data, &err));
	const int rows[] = {2, 1, 1};
	CHECK_OK(skip_dataset_take(&data, rows, 3, &part, &err));
	skip_dataset_deinit(&data);
	cr_assert(part.n_rows == 3 && part.labelled && part.label[0] == 1 && part.label[2] == 1);
	cr_assert(eq(str, (char *)row_ids(&part, 0), "2 9 3"));
	cr_assert(eq(str, (char *)row_ids(&part, 2), "2 6 7 3 10 3"));
	cr_assert(eq(str, (char *)row_types(&part, 2), "0 0 0 0 1 1"));
	cr_assert(part.pair[0] == NULL);
	cr_assert(eq(str, part.pair[2], "a"));
	CHECK_OK(skip_dataset_take(&part, rows, 0, &data, &err));
	cr_assert(data.n_rows == 0 && !data.labelled && data.offset[0] == 0);
	skip_dataset_deinit(&data);
	skip_dataset_deinit(&part);
	skip_labels_deinit(&labels);
	skip_tokenizer_close(tokenizer);
}

Test(dataset, spread_rows_have_the_mix_of_lengths)
{
	struct skip_err err;
	int64_t offset[101] = {0};
	int32_t ids[5050] = {0}, types[5050] = {0};
	int label[100] = {0};
	/* Row i has 1 + (i * 37) % 100 tokens: every length from 1 to 100 once, in disorder. */
	for (int i = 0; i < 100; i++) offset[i + 1] = offset[i] + 1 + (i * 37) % 100;
	const struct skip_dataset data = {.n_rows = 100, .ids = ids, .types = types, .offset = offset, .label = label};
	static const struct {
		size_t asked, rows;
		double mean;
	} table[] = {{1, 1, 51}, {4, 4, 50.5}, {10, 10, 51}, {100, 100, 50.5}, {1000, 100, 50.5}, {0, 0, 0}};
	for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++) {
		struct skip_dataset few = {0};
		CHECK_OK(skip_dataset_spread(&data, table[t].asked, &few, &err));
		cr_expect(few.n_rows == table[t].rows, "%zu rows of %zu", few.n_rows, table[t].asked);
		bool seen[101] = {false};
		for (size_t i = 0; i < few.n_rows; i++) {
			const int64_t length = few.offset[i + 1] - few.offset[i];
			cr_expect(seen[length] == false, "%zu rows: length %d twice", few.n_rows, (int)length);
			seen[length] = true;
		}
		/* A batch of them has the mean of all, nearly. */
		for (size_t i = 0; i + 32 <= few.n_rows; i += 32) cr_expect(fabs((double)(few.offset[i + 32] - few.offset[i]) / 32 - 50.5) < 3);
		double mean = few.n_rows ? (double)few.offset[few.n_rows] / (double)few.n_rows : 0;
		cr_expect(fabs(mean - table[t].mean) < 1e-9, "%zu rows: mean %g", few.n_rows, mean);
		skip_dataset_deinit(&few);
	}
}

Test(dataset, survives_lack_of_memory)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	struct skip_read_options options = learning();
	struct skip_buf text;
	size_t n = 1, failures = 0;
	skip_buf_init(&text);
	skip_buf_puts(&text, "sentence1\tsentence2\tlabel\n");
	for (int i = 0; i < 61; i++) skip_buf_printf(&text, "the cat\tsat\tname%d\n", i % 3);
	toy_write_text(toy_dir, "a.tsv", skip_buf_text(&text));
	for (bool done = false; !done; n++) {
		struct skip_labels labels = {0};
		struct skip_dataset data = {0}, part = {0};
		const int rows[] = {60, 3};
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_dataset_read(dir_path("a.tsv"), tokenizer, &options, &labels, &data, &err);
		if (status == SKIP_OK) status = skip_dataset_take(&data, rows, 2, &part, &err);
		if (status == SKIP_OK) {
			skip_dataset_deinit(&part);
			status = skip_dataset_spread(&data, 5, &part, &err);
		}
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		done = status == SKIP_OK;
		failures += !done;
		skip_labels_deinit(&labels);
		skip_dataset_deinit(&data);
		skip_dataset_deinit(&part);
	}
	cr_assert(failures > 180, "only %zu", failures);
	skip_buf_deinit(&text);
	skip_tokenizer_close(tokenizer);
}
