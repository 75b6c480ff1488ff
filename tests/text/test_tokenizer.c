/* The tokenizer over a toy vocabulary: template, truncation, added tokens, settings of a folder, everything that is refused. */
#include "toy_tokenizer.h"

TestSuite(tokenizer, .init = toy_dir_make, .fini = toy_dir_drop);

/* tokenizer.json with the toy vocabulary; the arguments replace parts of it. */
static void write_json(const char *model, const char *added, const char *normalizer, const char *processor)
{
	static const char vocab[] =
	    "\"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, \"[MASK]\": 4, \"the\": 5, \"cat\": 6, \"sat\": 7, \"##s\": 8, "
	    "\".\": 9, \"a\": 10, \"##b\": 11, \"cafe\": 12, \"\u4e2d\": 13";
	static const char template[] =
	    "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, "
	    "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}], "
	    "\"pair\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, "
	    "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}, "
	    "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 1}}]}";
	struct skip_buf text;
	skip_buf_init(&text);
	skip_buf_printf(&text, "{\"added_tokens\": [%s], \"normalizer\": %s, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n",
	                added ? added : "{\"id\": 3, \"content\": \"[SEP]\", \"special\": true, \"normalized\": false}",
	                normalizer ? normalizer
	                           : "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, "
	                             "\"strip_accents\": null, \"lowercase\": true}");
	skip_buf_printf(&text, "\"post_processor\": %s,\n", processor ? processor : template);
	skip_buf_printf(&text, "\"model\": {%s, \"vocab\": {%s}}}",
	                model ? model
	                      : "\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
	                        "\"max_input_chars_per_word\": 100",
	                vocab);
	toy_write_text(toy_dir, "tokenizer.json", skip_buf_text(&text));
	skip_buf_deinit(&text);
}

static void wants(const struct skip_tokenizer *tokenizer, const char *text, const char *pair, int max_length, const char *ids,
                  const char *types)
{
	struct skip_err err;
	struct skip_encoding code = {0};
	CHECK_OK(skip_tokenizer_encode(tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0, max_length, &code, &err));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), (char *)ids));
	cr_assert(eq(str, (char *)toy_ids(code.types, code.length), (char *)types));
	skip_encoding_deinit(&code);
}

static void wants_ids(const struct skip_tokenizer *tokenizer, const char *text, const char *ids)
{
	struct skip_err err;
	struct skip_encoding code = {0};
	CHECK_OK(skip_tokenizer_encode(tokenizer, text, strlen(text), NULL, 0, 512, &code, &err));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), (char *)ids), "%s", text);
	skip_encoding_deinit(&code);
}

Test(tokenizer, template_and_pieces)
{
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	cr_assert(skip_tokenizer_vocab_size(tokenizer) == TOY_VOCAB_SIZE);
	cr_assert(eq(str, (char *)skip_tokenizer_token(tokenizer, 8), "##s"));
	cr_assert(skip_tokenizer_token(tokenizer, -1) == NULL && skip_tokenizer_token(tokenizer, TOY_VOCAB_SIZE) == NULL);
	cr_assert(eq(str, (char *)skip_tokenizer_files(tokenizer)[0], "vocab.txt"));
	cr_assert(skip_tokenizer_files(tokenizer)[1] == NULL);
	wants(tokenizer, "", NULL, 512, "2 3", "0 0");
	wants(tokenizer, "The cats sat.", NULL, 512, "2 5 6 8 7 9 3", "0 0 0 0 0 0 0");
	wants(tokenizer, "Caf\u00e9\u4e2dx ab abb abc", NULL, 512, "2 12 13 1 10 11 10 11 11 1 3", "0 0 0 0 0 0 0 0 0 0 0");
	wants(tokenizer, "the cat", "", 512, "2 5 6 3 3", "0 0 0 0 1");
	wants(tokenizer, "", "the cat", 512, "2 3 5 6 3", "0 0 1 1 1");
	wants(tokenizer, "the cat", "cats sat", 512, "2 5 6 3 6 8 7 3", "0 0 0 0 1 1 1 1");
	skip_tokenizer_close(tokenizer);
	skip_tokenizer_close(NULL);
}

/* The library's longest_first: the shorter text stays whole up to half the room; an odd place goes to the longer, to the second when both
 * are equal. */
Test(tokenizer, truncation)
{
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	wants(tokenizer, "the cat sat .", NULL, 5, "2 5 6 7 3", "0 0 0 0 0");
	wants(tokenizer, "the cat sat .", NULL, 6, "2 5 6 7 9 3", "0 0 0 0 0 0");
	wants(tokenizer, "the cat sat .", NULL, 2, "2 3", "0 0");
	wants(tokenizer, "cats cats", NULL, 5, "2 6 8 6 3", "0 0 0 0 0");
	wants(tokenizer, "a a a a", "the the the the", 3, "2 3 3", "0 0 1");
	wants(tokenizer, "a a a a", "the the the the", 4, "2 3 5 3", "0 0 1 1");
	wants(tokenizer, "a a a a", "the the the the", 6, "2 10 3 5 5 3", "0 0 0 1 1 1");
	wants(tokenizer, "a a a a a", "the the the the", 6, "2 10 10 3 5 3", "0 0 0 0 1 1");
	wants(tokenizer, "a a a a a", "the", 6, "2 10 10 3 5 3", "0 0 0 0 1 1");
	wants(tokenizer, "a", "the the the the the", 7, "2 10 3 5 5 5 3", "0 0 0 1 1 1 1");
	wants(tokenizer, "a a", "the the the the the", 7, "2 10 10 3 5 5 3", "0 0 0 0 1 1 1");
	wants(tokenizer, "a a a", "the the the", 9, "2 10 10 10 3 5 5 5 3", "0 0 0 0 0 1 1 1 1");
	struct skip_err err;
	struct skip_encoding code = {0};
	CHECK_FAILS(skip_tokenizer_encode(tokenizer, "a", 1, NULL, 0, 1, &code, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_tokenizer_encode(tokenizer, "a", 1, "a", 1, 2, &code, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "maximum length of 2") != NULL);
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

Test(tokenizer, special_tokens_in_the_text)
{
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	wants_ids(tokenizer, "the[SEP]cat", "2 5 3 6 3");
	wants_ids(tokenizer, "[MASK][MASK]s", "2 4 4 1 3");
	wants_ids(tokenizer, "[sep]", "2 1 1 1 3");
	wants_ids(tokenizer, "[SE[SEP]P]", "2 1 1 3 1 1 3");
	wants_ids(tokenizer, "[SEP]\u0301the", "2 3 5 3");
	wants(tokenizer, "the[SEP]cat", NULL, 4, "2 5 3 3", "0 0 0 0");
	skip_tokenizer_close(tokenizer);
}

Test(tokenizer, added_tokens_take_white_space_along)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	write_json(NULL,
	           "{\"id\": 3, \"content\": \"[SEP]\", \"lstrip\": true, \"normalized\": false}, {\"id\": 20, \"content\": \"<x>\", "
	           "\"rstrip\": true, "
	           "\"normalized\": false}, {\"id\": 21, \"content\": \"<x>y\", \"normalized\": false}",
	           "{\"type\": \"BertNormalizer\", \"clean_text\": false, \"handle_chinese_chars\": false, \"strip_accents\": false, "
	           "\"lowercase\": false}",
	           NULL);
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	cr_assert(skip_tokenizer_vocab_size(tokenizer) == 22);
	cr_assert(eq(str, (char *)skip_tokenizer_token(tokenizer, 21), "<x>y"));
	cr_assert(skip_tokenizer_token(tokenizer, 19) == NULL);
	wants_ids(tokenizer, "a<x>y<x> \u3000[SEP]the", "2 10 21 20 3 5 3");
	wants_ids(tokenizer, "a \u3000[SEP] \t<x>", "2 10 3 20 3");
	wants_ids(tokenizer, "A the", "2 1 5 3");
	wants_ids(tokenizer, "the\u4e2d", "2 1 3");
	skip_tokenizer_close(tokenizer);
}

struct settings_case {
	char normalizer[160], config[160], text[16], ids[32];
};

/* accents go with lower case unless said; tokenizer_config.json has the last word. */
ParameterizedTestParameters(tokenizer, settings)
{
	static struct settings_case cases[] = {
	    {"", "{}", "Caf\u00e9 the", "2 12 5 3"},
	    {"", "{\"do_lower_case\": false}", "Cafe cafe the", "2 1 12 5 3"},
	    {"", "{\"do_lower_case\": true, \"strip_accents\": false}", "caf\u00e9 THE", "2 1 5 3"},
	    {"", "{\"do_lower_case\": false, \"strip_accents\": true}", "caf\u00e9 The", "2 12 1 3"},
	    {"", "{\"tokenize_chinese_chars\": false}", "the\u4e2d", "2 1 3"},
	    {"\"strip_accents\": null, \"lowercase\": false", "{\"do_lower_case\": true}", "Caf\u00e9", "2 12 3"},
	    {"\"strip_accents\": true, \"lowercase\": false", "{}", "caf\u00e9 The", "2 12 1 3"},
	    {"\"strip_accents\": false, \"lowercase\": true", "{\"do_lower_case\": true}", "caf\u00e9 The", "2 1 5 3"},
	    {"\"strip_accents\": false, \"lowercase\": true", "{\"strip_accents\": null}", "caf\u00e9 The", "2 12 5 3"},
	    {"\"handle_chinese_chars\": false", "{}", "a\u4e2d", "2 1 3"},
	};
	return cr_make_param_array(struct settings_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct settings_case *c, tokenizer, settings, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	char normalizer[256];
	snprintf(normalizer, sizeof(normalizer), "{\"type\": \"BertNormalizer\", %s}", c->normalizer);
	if (c->normalizer[0]) write_json(NULL, NULL, normalizer, NULL);
	toy_write_text(toy_dir, "vocab.txt", TOY_VOCAB);
	toy_write_text(toy_dir, "tokenizer_config.json", c->config);
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	wants_ids(tokenizer, c->text, c->ids);
	const char *const *files = skip_tokenizer_files(tokenizer);
	if (c->normalizer[0]) cr_assert(eq(str, (char *)*files++, "tokenizer.json"));
	cr_assert(eq(str, (char *)files[0], "tokenizer_config.json"));
	cr_assert(eq(str, (char *)files[1], "vocab.txt"));
	cr_assert(files[2] == NULL);
	skip_tokenizer_close(tokenizer);
}

Test(tokenizer, special_tokens_by_other_names)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	toy_write_text(toy_dir, "vocab.txt", "<pad>\n<unk>\n<s>\n</s>\nthe\r\n");
	toy_write_text(
	    toy_dir, "tokenizer_config.json",
	    "{\"unk_token\": \"<unk>\", \"cls_token\": {\"content\": \"<s>\"}, \"sep_token\": \"</s>\", \"pad_token\": \"<pad>\", "
	    "\"added_tokens_decoder\": {\"3\": {\"content\": \"</s>\", \"lstrip\": true, \"normalized\": false}, "
	    "\"9\": {\"content\": \"<new>\", \"normalized\": false}}}");
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	wants_ids(tokenizer, "THE </s> x<new><s>", "2 4 3 1 9 2 3");
	cr_assert(skip_tokenizer_vocab_size(tokenizer) == 10);
	skip_tokenizer_close(tokenizer);
}

#define MPNET_VOCAB "<s>\n<pad>\n</s>\n<unk>\n[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ncat\nsat\n##s\n<\n>\n/\n<mask>\n"

struct mpnet_case {
	char config[48], class[64], special[256];
	char first[40], second[40], pair[40]; /* ids of the texts below */
};

ParameterizedTestParameters(tokenizer, mpnet)
{
	static struct mpnet_case cases[] = {
	    /* config.json, tokenizer_config.json, special_tokens_map.json */
	    {"{\"model_type\": \"mpnet\"}", "", "", "0 8 15 0 9 2", "0 2 5 5 10 2", "0 8 2 2 9 2"},
	    {"", "{\"tokenizer_class\": \"MPNetTokenizerFast\"}", "", "0 8 15 0 9 2", "0 2 5 5 10 2", "0 8 2 2 9 2"},
	    {"{\"model_type\": \"mpnet\"}", "",
	     "{\"cls_token\": \"<s>\", \"mask_token\": {\"content\": \"<mask>\", \"lstrip\": true, \"normalized\": false}, \"unk_token\": {\"content\": \"[UNK]\", "
	     "\"normalized\": false}}",
	     "0 8 15 0 9 2", "0 2 5 5 5 5 10 2", "0 8 2 2 9 2"},
	    {"{\"model_type\": \"bert\"}", "", "", "6 8 12 5 13 12 5 13 9 7", "6 12 14 5 13 5 5 5 5 10 7", "6 8 7 9 7"},
	};
	return cr_make_param_array(struct mpnet_case, cases, sizeof(cases) / sizeof(cases[0]));
}

/* vocab.txt alone: what MPNet's special tokens are, and that they are found in normalised text, is said by the class of the folder. */
ParameterizedTest(struct mpnet_case *c, tokenizer, mpnet, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	toy_write_text(toy_dir, "vocab.txt", MPNET_VOCAB);
	if (c->config[0]) toy_write_text(toy_dir, "config.json", c->config);
	if (c->class[0]) toy_write_text(toy_dir, "tokenizer_config.json", c->class);
	if (c->special[0]) toy_write_text(toy_dir, "special_tokens_map.json", c->special);
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	wants_ids(tokenizer, "the  <mask><S>cat", c->first);
	wants_ids(tokenizer, "</s>[unk] [UNK]sat", c->second);
	struct skip_encoding code = {0};
	CHECK_OK(skip_tokenizer_encode(tokenizer, "the", 3, "cat", 3, 512, &code, &err));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), c->pair));
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

struct text_case {
	char text[24];
	size_t size;
	int64_t offset;
	char message[48];
};

ParameterizedTestParameters(tokenizer, bad_text)
{
	static struct text_case cases[] = {
	    {"\xff", 1, 0, "byte 0xff at offset 0"},
	    {"the \xc3", 5, 4, "byte 0xc3 at offset 4"},
	    {"the \xed\xa0\x80", 7, 4, "byte 0xed at offset 4"},
	    {"the\0cat", 7, 3, "NUL byte at offset 3"},
	};
	return cr_make_param_array(struct text_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct text_case *c, tokenizer, bad_text, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_encoding code = {0};
	struct skip_tokenizer *tokenizer = toy_tokenizer();
	CHECK_FAILS(skip_tokenizer_encode(tokenizer, c->text, c->size, NULL, 0, 512, &code, &err), SKIP_ERR_INPUT);
	cr_assert(err.offset == c->offset && strstr(err.message, c->message) != NULL, "%s", err.message);
	CHECK_FAILS(skip_tokenizer_encode(tokenizer, "the", 3, c->text, c->size, 512, &code, &err), SKIP_ERR_INPUT);
	cr_assert(err.offset == c->offset && strncmp(err.message, "second text", 11) == 0, "%s", err.message);
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

static void refused(enum skip_status status, const char *file, const char *message)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer = NULL;
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), status);
	cr_assert(strstr(err.message, message) != NULL, "found: %s; wanted: %s", err.message, message);
	size_t length = strlen(err.file), tail = strlen(file);
	cr_assert(length >= tail && strcmp(err.file + length - tail, file) == 0, "file is %s", err.file);
	cr_assert(tokenizer == NULL);
}

struct vocab_case {
	char text[64];
	size_t size; /* 0: up to the first NUL */
	int64_t line;
	char message[64];
};

ParameterizedTestParameters(tokenizer, bad_vocab)
{
	static struct vocab_case cases[] = {
	    {"", 0, 0, "empty; expected one token a line"},
	    {"[UNK]\n\n[CLS]\n", 0, 2, "empty line"},
	    {"[UNK]\n[CLS]\n[SEP]\nx\n[CLS]\n", 0, 5, "\"[CLS]\" stands twice, with ids 1 and 4"},
	    {"[UNK]\n[CLS]\nab\xff\n", 0, 3, "byte 0xff at offset 2 of the line"},
	    {"[UNK]\n[C\0S]\n", 13, 2, "byte 0x00 at offset 2 of the line"},
	    {"[CLS]\n[SEP]\nx\n", 0, 0, "no special token \"[UNK]\""},
	    {"[UNK]\n[SEP]\nx\n", 0, 0, "no special token \"[CLS]\""},
	    {"[UNK]\n[CLS]\nx\n", 0, 0, "no special token \"[SEP]\""},
	};
	return cr_make_param_array(struct vocab_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct vocab_case *c, tokenizer, bad_vocab, .init = toy_dir_make, .fini = toy_dir_drop)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	toy_write_file(toy_dir, "vocab.txt", c->text, c->size ? c->size : strlen(c->text));
	refused(SKIP_ERR_INPUT, "/vocab.txt", c->message);
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), SKIP_ERR_INPUT);
	cr_assert(eq(i64, err.line, c->line));
}

struct json_case {
	enum skip_status status;
	char *model, *added, *normalizer, *processor;
	char *message;
};

#define WORDPIECE "\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", "

Test(tokenizer, bad_tokenizer_json)
{
	static const struct json_case cases[] = {
	    {SKIP_ERR_UNSUPPORTED, "\"type\": \"WordLevel\"", NULL, NULL, NULL, "model of type WordLevel; WordPiece, BPE and Unigram"},
	    {SKIP_ERR_INPUT, "\"type\": \"WordPiece\"", NULL, NULL, NULL, "\"unk_token\""},
	    {SKIP_ERR_UNSUPPORTED, WORDPIECE "\"continuing_subword_prefix\": \"@@\"", NULL, NULL, NULL, "prefix \"@@\""},
	    {SKIP_ERR_UNSUPPORTED, WORDPIECE "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 64", NULL, NULL, NULL,
	     "64 characters"},
	    {SKIP_ERR_UNSUPPORTED, NULL, "{\"id\": 3, \"content\": \"[SEP]\", \"single_word\": true}", NULL, NULL, "\"[SEP]\" is single_word"},
	    {SKIP_ERR_INPUT, NULL, "{\"id\": 4, \"content\": \"[SEP]\"}", NULL, NULL,
	     "\"[SEP]\" has id 4, which the vocabulary gives to \"[MASK]\""},
	    {SKIP_ERR_INPUT, NULL, "{\"id\": 5, \"content\": \"<x>\"}", NULL, NULL,
	     "\"<x>\" has id 5, which the vocabulary gives to \"the\""},
	    {SKIP_ERR_INPUT, NULL, "{\"id\": 3}", NULL, NULL, "\"content\""},
	    {SKIP_ERR_UNSUPPORTED, NULL, NULL, "{\"type\": \"Lowercase\"}", NULL, "normalizer of type Lowercase; only BertNormalizer"},
	    {SKIP_ERR_UNSUPPORTED, NULL, NULL, "null", NULL, "normalizer of type null"},
	    {SKIP_ERR_INPUT, NULL, NULL, "{\"type\": \"BertNormalizer\", \"lowercase\": 1}", NULL, "\"lowercase\""},
	    {SKIP_ERR_UNSUPPORTED, NULL, NULL, NULL, "null", "post_processor of type null"},
	    {SKIP_ERR_UNSUPPORTED, NULL, NULL, NULL,
	     "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}]}",
	     "template is not special tokens around A and B"},
	    {SKIP_ERR_INPUT, NULL, NULL, NULL, "{\"type\": \"BertProcessing\", \"cls\": [\"[CLS]\", 2]}", "\"sep\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_json(cases[i].model, cases[i].added, cases[i].normalizer, cases[i].processor);
		refused(cases[i].status, "/tokenizer.json", cases[i].message);
	}
	write_json(NULL, NULL, NULL, "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}");
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	wants_ids(tokenizer, "the", "2 5 3");
	skip_tokenizer_close(tokenizer);
}

Test(tokenizer, files_that_are_missing_or_disagree)
{
	refused(SKIP_ERR_IO, toy_dir, "expected tokenizer.json, vocab.txt");
	toy_write_text(toy_dir, "tokenizer.json", "{\"model\": ");
	refused(SKIP_ERR_INPUT, "/tokenizer.json", "JSON");
	toy_write_text(toy_dir, "tokenizer.json", "[]");
	refused(SKIP_ERR_INPUT, "/tokenizer.json", "expected a JSON object");
	write_json(NULL, NULL, NULL, NULL);
	toy_write_text(toy_dir, "vocab.txt", TOY_VOCAB "more\n");
	refused(SKIP_ERR_INPUT, "/tokenizer.json", "14 tokens, that of vocab.txt 15");
	toy_write_text(toy_dir, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\nthe\nsat\n##s\n.\na\n##b\ncafe\n\u4e2d\n");
	refused(SKIP_ERR_INPUT, "/tokenizer.json", "\"the\" has id 5 here and 6 in vocab.txt");
	toy_write_text(toy_dir, "vocab.txt", TOY_VOCAB);
	toy_write_text(toy_dir, "tokenizer_config.json", "{\"do_lower_case\": \"yes\"}");
	refused(SKIP_ERR_INPUT, "/tokenizer_config.json", "\"do_lower_case\"");
	cr_assert(remove(toy_path(toy_dir, "tokenizer.json")) == 0);
	toy_write_text(toy_dir, "tokenizer_config.json", "{\"added_tokens_decoder\": {\"x3\": {\"content\": \"y\"}}}");
	refused(SKIP_ERR_INPUT, "/tokenizer_config.json", "entry \"x3\"");
}

Test(tokenizer, survives_lack_of_memory)
{
	struct skip_err err;
	size_t n = 1, failures = 0;
	toy_write_text(toy_dir, "vocab.txt", TOY_VOCAB);
	write_json(NULL, NULL, NULL, NULL);
	for (bool done = false; !done; n++) {
		struct skip_tokenizer *tokenizer = NULL;
		struct skip_encoding code = {0};
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_tokenizer_open(toy_dir, &tokenizer, &err);
		if (status == SKIP_OK)
			status = skip_tokenizer_encode(tokenizer, "the cat[SEP]sat . a a a a a", 27, "a a a a a", 9, 512, &code, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		done = status == SKIP_OK;
		failures += !done;
		skip_encoding_deinit(&code);
		skip_tokenizer_close(tokenizer);
	}
	cr_assert(failures > 8, "only %zu", failures);
}
