/* The unigram model: best paths, unknown characters, words; and what is refused. Ids of real text are golden/test_tokens.c. */
#include "text/unigram.h"
#include "toy_tokenizer.h"

TestSuite(unigram, .init = toy_dir_make, .fini = toy_dir_drop);

#define SIGN "\u2581"

static void make_unigram(struct skip_unigram *unigram)
{
	struct skip_err err;
	static const struct {
		const char *piece;
		double score;
	} pieces[] = {{"<unk>", 0},   {SIGN, -3},   {"a", -4},         {"b", -4},    {"ab", -5},  {SIGN "a", -5},
	              {SIGN "ab", -9}, {"bb", -8.5}, {SIGN "abb", -11}, {"c", -4.25}, {"cc", -8.5}};
	skip_unigram_init(unigram);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) CHECK_OK(skip_unigram_add(unigram, pieces[i].piece, pieces[i].score, &err));
	unigram->front = SKIP_FRONT_ALWAYS;
	cr_assert(unigram->lowest == -11);
}

static void wants_unigram(const struct skip_unigram *unigram, const char *text, const char *ids)
{
	struct skip_encoding code = {0};
	cr_assert(skip_unigram_encode(unigram, text, strlen(text), true, SIZE_MAX, &code));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), (char *)ids), "%s", text);
	skip_encoding_deinit(&code);
}

Test(unigram, best_path)
{
	struct skip_unigram unigram;
	make_unigram(&unigram);
	wants_unigram(&unigram, "a", "5");
	wants_unigram(&unigram, "ab", "1 4");   /* -8 beats -9 */
	wants_unigram(&unigram, "abb", "8");    /* -11 beats -12 */
	wants_unigram(&unigram, "ab ab", "1 4 1 4");
	wants_unigram(&unigram, "a  a ", "5 1 5 1");
	wants_unigram(&unigram, SIGN "a" SIGN, "5 1");
	wants_unigram(&unigram, "xyz", "1 0");  /* neighbours nobody knows are one */
	wants_unigram(&unigram, "xay", "1 0 2 0");
	wants_unigram(&unigram, "", "");
	wants_unigram(&unigram, "cc", "1 10");  /* a tie: what was found first, from the left, stays */
	skip_unigram_deinit(&unigram);
}

Test(unigram, words_and_their_front)
{
	struct skip_unigram unigram;
	make_unigram(&unigram);
	wants_unigram(&unigram, "a\tb", "5 0 3");
	unigram.split_spaces = true;
	wants_unigram(&unigram, " a\t\u00a0 b ", "5 1 3");
	unigram.front = SKIP_FRONT_NEVER;
	wants_unigram(&unigram, "a ab", "2 4");
	unigram.split_spaces = false;
	unigram.front = SKIP_FRONT_FIRST;
	wants_unigram(&unigram, "a a", "5 5");
	struct skip_encoding code = {0};
	cr_assert(skip_unigram_encode(&unigram, "a a", 3, false, SIZE_MAX, &code)); /* behind an added token */
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), "2 5"));
	skip_encoding_deinit(&code);
	struct skip_buf text, wanted;
	skip_buf_init(&text);
	skip_buf_init(&wanted);
	skip_buf_puts(&wanted, "5");
	skip_buf_puts(&text, "a");
	for (int i = 0; i < 400; i++) skip_buf_puts(&text, "b"), skip_buf_puts(&wanted, i % 2 ? " 7" : "");
	unigram.score[8] = -100;
	wants_unigram(&unigram, "abbbb", "1 4 3 3 3");
	unigram.score[7] = -2;
	wants_unigram(&unigram, skip_buf_text(&text), skip_buf_text(&wanted)); /* a word too long for the small buffers */
	skip_buf_deinit(&text);
	skip_buf_deinit(&wanted);
	skip_unigram_deinit(&unigram);
}

Test(unigram, bad_pieces)
{
	struct skip_err err;
	struct skip_unigram unigram;
	make_unigram(&unigram);
	CHECK_FAILS(skip_unigram_add(&unigram, "ab", -1, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "\"ab\" stands twice") != NULL);
	CHECK_FAILS(skip_unigram_add(&unigram, "new", NAN, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "\"new\" has no finite score") != NULL);
	skip_unigram_deinit(&unigram);
}

#define META "{\"type\": \"Metaspace\", \"replacement\": \"" SIGN "\", \"prepend_scheme\": \"always\", \"split\": true}"

static void write_json(const char *model, const char *pre_tokenizer, const char *rest)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_buf_printf(&text, "{\"added_tokens\": [{\"id\": 0, \"content\": \"<s>\", \"normalized\": false}], \"model\": {%s}, \"pre_tokenizer\": %s%s}", model,
	                pre_tokenizer, rest);
	toy_write_text(toy_dir, "tokenizer.json", skip_buf_text(&text));
	skip_buf_deinit(&text);
}

#define MODEL "\"unk_id\": 1, \"vocab\": [[\"<s>\", 0], [\"<unk>\", 0.0], [\"" SIGN "\", -2.5], [\"a\", -3]]"

Test(unigram, tokenizer_json)
{
	static const struct {
		enum skip_status status;
		const char *model, *pre, *rest, *message;
	} cases[] = {
	    {SKIP_ERR_INPUT, "\"vocab\": [[\"a\", -3]]", META, "", "\"unk_id\""},
	    {SKIP_ERR_INPUT, "\"unk_id\": 4, \"vocab\": [[\"a\", -3]]", META, "", "\"unk_id\""},
	    {SKIP_ERR_INPUT, "\"unk_id\": 0, \"vocab\": [[\"a\"]]", META, "", "entry 0 is no piece with a score"},
	    {SKIP_ERR_INPUT, "\"unk_id\": 0, \"vocab\": []", META, "", "empty"},
	    {SKIP_ERR_UNSUPPORTED, MODEL ", \"byte_fallback\": true", META, "", "byte_fallback"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, "null", "", "pre_tokenizer of type null"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}]}", "", "without Metaspace"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Punctuation\"}, " META "]}", "", "type Punctuation"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, "{\"type\": \"Metaspace\", \"replacement\": \"_\"}", "", "does not cut at U+2581"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, "{\"type\": \"Metaspace\", \"replacement\": \"" SIGN "\", \"split\": false}", "", "does not cut"},
	    {SKIP_ERR_UNSUPPORTED, MODEL, META, ", \"normalizer\": {\"type\": \"Nmt\"}", "normalizer of type Nmt"},
	};
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_json(cases[i].model, cases[i].pre, cases[i].rest);
		CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), cases[i].status);
		cr_assert(strstr(err.message, cases[i].message) && strstr(err.file, "tokenizer.json"), "found: %s; wanted: %s", err.message, cases[i].message);
	}
	write_json(MODEL, META, ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}, {\"type\": \"Strip\"}]}");
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	struct skip_encoding code = {0};
	CHECK_OK(skip_tokenizer_encode(tokenizer, " A<s> a x", 9, "a", 1, 20, &code, &err));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), "2 3 0 2 3 2 1 2 3"));
	cr_assert(eq(str, (char *)toy_ids(code.types, code.length), "0 0 0 0 0 0 0 1 1"));
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

Test(unigram, bad_model_files)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	toy_write_text(toy_dir, "spm.model", "no protobuf at all");
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "not a SentencePiece model") && strstr(err.file, "spm.model"), "%s", err.message);
	toy_write_text(toy_dir, "spm.model", "");
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), SKIP_ERR_INPUT);
	/* Four pieces "a" .. "d" and a trainer_spec { model_type: BPE }. */
	toy_write_text(toy_dir, "spm.model", "\x0a\x03\x0a\x01"
	                                     "a\x0a\x03\x0a\x01"
	                                     "b\x0a\x03\x0a\x01"
	                                     "c\x0a\x03\x0a\x01"
	                                     "d\x12\x02\x18\x02");
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, "not of type unigram") != NULL, "%s", err.message);
}
