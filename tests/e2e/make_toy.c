/*
 * make_toy FOLDER [NAME=NUMBER | NAME=TEXT ...]: writes a toy BERT folder for the end-to-end scripts, as tests/toy_bert.h does for the C tests, with a
 * vocabulary of plain words (tests/e2e/lib/words.txt) from which the scripts write a task that can be learnt.
 *
 * Numbers: width heads layers ffn positions classes pooling shards seed. Texts: act type position config.
 */
#include "toy_bert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_words(const char *path, const char *folder)
{
	static const char *const special[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
	struct skip_buf text;
	char line[128];
	int n = 0;
	FILE *file = fopen(path, "r");
	if (!file) return 0;
	skip_buf_init(&text);
	for (; n < 5; n++) skip_buf_printf(&text, "%s\n", special[n]);
	for (; fgets(line, sizeof(line), file); n++) skip_buf_puts(&text, line);
	fclose(file);
	toy_write_text(folder, "vocab.txt", skip_buf_text(&text));
	toy_write_text(folder, "tokenizer_config.json", "{\"do_lower_case\": true, \"tokenizer_class\": \"BertTokenizer\"}\n");
	skip_buf_deinit(&text);
	return n;
}

/* Sets the field `word` ("width=12") names; false when there is none. */
static bool set_field(struct toy_bert *toy, const char *word)
{
	int seed = (int)toy->seed;
	const struct {
		const char *name;
		int *number;
		const char **text;
	} fields[] = {
		{ "width", &toy->width, NULL },   { "heads", &toy->heads, NULL },         { "layers", &toy->layers, NULL },
		{ "ffn", &toy->ffn, NULL },       { "positions", &toy->positions, NULL }, { "classes", &toy->classes, NULL },
		{ "pooling", &toy->pooling, NULL }, { "shards", &toy->shards, NULL },     { "seed", &seed, NULL },
		{ "act", NULL, &toy->hidden_act }, { "type", NULL, &toy->model_type },    { "position", NULL, &toy->position_type },
		{ "config", NULL, &toy->config },
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t length = strlen(fields[i].name);
		if (strncmp(word, fields[i].name, length) != 0 || word[length] != '=') continue;
		if (fields[i].text)
			*fields[i].text = word + length + 1;
		else
			*fields[i].number = atoi(word + length + 1);
		toy->seed = (uint64_t)seed;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct toy_bert toy = TOY_BERT;
	const char *source = getenv("SKIP_TEST_SOURCE");
	char words[1024];
	if (argc < 2 || !source) {
		fprintf(stderr, "usage: SKIP_TEST_SOURCE=... make_toy FOLDER [NAME=VALUE ...]\n");
		return 2;
	}
	toy.width = 24;
	toy.ffn = 40;
	toy.positions = 24;
	toy.pooling = 0;
	for (int i = 2; i < argc; i++) {
		if (set_field(&toy, argv[i])) continue;
		fprintf(stderr, "make_toy: no field is called '%s'\n", argv[i]);
		return 2;
	}
	snprintf(words, sizeof(words), "%s/tests/e2e/lib/words.txt", source);
	toy.vocab = read_words(words, argv[1]);
	if (!toy.vocab) {
		fprintf(stderr, "make_toy: cannot read %s\n", words);
		return 1;
	}
	toy_bert_write(argv[1], &toy);
	return 0;
}
