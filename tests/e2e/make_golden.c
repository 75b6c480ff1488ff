/*
 * make_golden NAME FOLDER: writes the checkpoint NAME of tests/golden/models with a tokenizer of its kind, for the end-to-end scripts and tools/check-export.
 * A vocabulary never has more tokens than the checkpoint's table has rows.
 */
#include "golden_model.h"

#include <stdio.h>

#define VOCABULARY 1103 /* rows of the table of a checkpoint that has room for the tokenizers of tests/golden/tokenizers */

/* The folder of tests/golden/tokenizers for a checkpoint; NULL: words of e2e/lib/words.txt. */
static const char *tokenizer_of(const char *name, bool large)
{
	static const struct {
		const char *prefix, *folder;
	} known[] = {
	    {"roberta", "roberta"}, {"camembert", "camembert"},   {"xlm-roberta", "xlmr"}, {"albert", "albert"},
	    {"gpt2", "gpt2"},       {"modernbert", "modernbert"}, {"mpnet", "mpnet"},      {"deberta-v2", "deberta"},
	};
	for (size_t i = 0; large && i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i].prefix, strlen(known[i].prefix)) == 0) return known[i].folder;
	return NULL;
}

static const char *source_path(const char *folder, const char *name)
{
	static char path[1024];
	snprintf(path, sizeof(path), "%s/tests/%s/%s", getenv("SKIP_TEST_SOURCE"), folder, name);
	return path;
}

static void copy_tokenizer(const char *name, const char *to)
{
	char from[300];
	snprintf(from, sizeof(from), "golden/tokenizers/%s", name);
	DIR *folder = opendir(source_path(from, ""));
	cr_assert(folder != NULL, "no tokenizer %s", name);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "nasty.sums") == 0 || strcmp(entry->d_name, "config.json") == 0) continue;
		struct skip_buf text = golden_read(source_path(from, entry->d_name));
		toy_write_file(to, entry->d_name, text.data, text.length);
		skip_buf_deinit(&text);
	}
	closedir(folder);
}

static void write_words(const char *to)
{
	struct skip_buf text, words = golden_read(source_path("e2e/lib", "words.txt"));
	skip_buf_init(&text);
	skip_buf_printf(&text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n%s", skip_buf_text(&words));
	toy_write_text(to, "vocab.txt", skip_buf_text(&text));
	skip_buf_deinit(&words);
	skip_buf_deinit(&text);
}

int main(int argc, char **argv)
{
	static const char key[] = "\"vocab_size\": ";
	if (argc != 3 || !getenv("SKIP_TEST_SOURCE")) {
		fprintf(stderr, "usage: SKIP_TEST_SOURCE=... make_golden NAME FOLDER\n");
		return 2;
	}
	if (access(golden_path(argv[1], "weights.tsv"), R_OK) != 0 || mkdir(argv[2], 0777) != 0) {
		perror(argv[2]);
		return 1;
	}
	golden_write(argv[1], argv[2]);
	struct skip_buf config = golden_read(golden_path(argv[1], "config.json"));
	const char *rows = strstr(skip_buf_text(&config), key), *tokenizer = tokenizer_of(argv[1], rows && atoi(rows + strlen(key)) >= VOCABULARY);
	if (tokenizer) copy_tokenizer(tokenizer, argv[2]);
	else
		write_words(argv[2]);
	skip_buf_deinit(&config);
	return 0;
}
