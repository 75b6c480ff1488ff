/* Byte-level BPE: the cutting pattern, the order of merges, what is refused. Ids of real text are golden/test_tokens.c. */
#include "text/bpe.h"
#include "text/unicode.h"
#include "toy_tokenizer.h"

TestSuite(bpe, .init = toy_dir_make, .fini = toy_dir_drop);

static void wants_words(const char *text, const char *wanted)
{
	struct skip_buf words;
	skip_buf_init(&words);
	for (size_t at = 0, size = strlen(text); at < size;) {
		size_t taken = skip_bpe_word(text + at, size - at);
		cr_assert(taken > 0 && at + taken <= size);
		skip_buf_printf(&words, "%s%.*s", at ? "|" : "", (int)taken, text + at);
		at += taken;
	}
	cr_assert(eq(str, (char *)skip_buf_text(&words), (char *)wanted));
	skip_buf_deinit(&words);
}

Test(bpe, words)
{
	wants_words("a", "a");
	wants_words("it's we'll I'd 'tis can'", "it|'s| we|'ll| I|'d| '|tis| can|'");
	wants_words("'S 're're", "'|S| '|re|'re");
	wants_words("a  b", "a| | b");
	wants_words("a   b", "a|  | b");
	wants_words("a \n b", "a| \n| b");
	wants_words("a\nb", "a|\n|b");
	wants_words("a\n\nb", "a|\n|\n|b");
	wants_words("a  ", "a|  ");
	wants_words(" ", " ");
	wants_words("x1 23.4!! ?", "x|1| 23|.|4|!!| ?");
	wants_words("\u00e9t\u00e9 \u0661\u0662 \u00bd\u4e2d", "\u00e9t\u00e9| \u0661\u0662| \u00bd|\u4e2d");
	wants_words("a\u00a0b", "a|\u00a0|b");
	wants_words("a\u0301", "a|\u0301"); /* a mark is neither letter nor number */
}

Test(bpe, every_byte_has_one_spelling)
{
	bool seen[0x200] = {false};
	for (int byte = 0; byte < 256; byte++) {
		uint32_t c = skip_byte_spelling((unsigned char)byte);
		cr_assert(c < 0x144 && !seen[c] && !skip_char_space(c), "byte %d", byte);
		seen[c] = true;
	}
	cr_assert(skip_byte_spelling(' ') == 0x120 && skip_byte_spelling('\n') == 0x10a && skip_byte_spelling(0x7f) == 0x121);
	cr_assert(skip_byte_spelling(0xa0) == 0x142 && skip_byte_spelling(0xad) == 0x143 && skip_byte_spelling(0xff) == 0xff);
}

static void make_bpe(struct skip_bpe *bpe, const char *const *token, size_t n_tokens, const char *const *merge, size_t n_merges)
{
	struct skip_err err;
	skip_bpe_init(bpe);
	bpe->pattern = true;
	for (size_t i = 0; i < n_tokens; i++) CHECK_OK(skip_vocab_add(&bpe->vocab, token[i], strlen(token[i]), (int32_t)i, &err));
	skip_bpe_index_bytes(bpe);
	for (size_t i = 0; i < n_merges; i++) {
		size_t left = strcspn(merge[i], " ");
		CHECK_OK(skip_bpe_add_merge(bpe, merge[i], left, merge[i] + left + 1, strlen(merge[i]) - left - 1, &err));
	}
}

static void wants_bpe(const struct skip_bpe *bpe, const char *text, const char *ids)
{
	struct skip_encoding code = {0};
	cr_assert(skip_bpe_encode(bpe, text, strlen(text), SIZE_MAX, &code));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), (char *)ids), "%s", text);
	skip_encoding_deinit(&code);
}

Test(bpe, merges_go_by_rank_then_from_the_left)
{
	/*                                   0    1    2    3     4     5      6       7 */
	static const char *const tokens[] = {"a", "b", "c", "ab", "bc", "abc", "aaaa", "aa"};
	static const char *const merges[] = {"b c", "a b", "ab c", "a bc", "a a", "aa aa"};
	struct skip_bpe bpe;
	make_bpe(&bpe, tokens, 8, merges, 6);
	wants_bpe(&bpe, "abc", "5"); /* bc first, then a bc */
	wants_bpe(&bpe, "ab", "3");
	wants_bpe(&bpe, "aab", "0 3");
	wants_bpe(&bpe, "aaa", "7 0");
	wants_bpe(&bpe, "aaaaa", "6 0");
	wants_bpe(&bpe, "axb", "3"); /* a byte the vocabulary lacks is dropped, and its neighbours meet */
	struct skip_buf text, wanted;
	skip_buf_init(&text);
	skip_buf_init(&wanted);
	for (int i = 0; i < 4 * 61 + 3; i++) skip_buf_puts(&text, "a");
	for (int i = 0; i < 61; i++) skip_buf_puts(&wanted, "6 ");
	skip_buf_puts(&wanted, "7 0");
	wants_bpe(&bpe, skip_buf_text(&text), skip_buf_text(&wanted)); /* a word too long for the small buffers */
	skip_buf_deinit(&text);
	skip_buf_deinit(&wanted);
	skip_bpe_deinit(&bpe);
}

#define BYTES "\"a\": 0, \"b\": 1, \"ab\": 2, \"\u0120\": 3, \"\u0120a\": 4, \"<s>\": 5, \"</s>\": 6, \"x y\": 7"

static void write_files(const char *vocab, const char *merges, const char *config)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_buf_printf(&text, "{%s}", vocab);
	toy_write_text(toy_dir, "vocab.json", skip_buf_text(&text));
	toy_write_text(toy_dir, "merges.txt", merges);
	toy_write_text(toy_dir, "tokenizer_config.json", config);
	skip_buf_deinit(&text);
}

static void wants(const char *text, const char *pair, int max_length, const char *ids)
{
	struct skip_err err;
	struct skip_encoding code = {0};
	struct skip_tokenizer *tokenizer;
	CHECK_OK(skip_tokenizer_open(toy_dir, &tokenizer, &err));
	CHECK_OK(skip_tokenizer_encode(tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0, max_length, &code, &err));
	cr_assert(eq(str, (char *)toy_ids(code.ids, code.length), (char *)ids), "%s", text);
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

Test(bpe, files)
{
	write_files(BYTES, "#version: 0.2\na b\n\u0120 a\r\n\n", "{}");
	wants("ab a", NULL, 9, "5 2 4 6");
	wants("ab", "a", 9, "5 2 6 6 0 6"); /* RoBERTa: two separators */
	wants("abababab", "aaaa", 8, "5 2 2 6 6 0 0 6");
	wants("a</s>b<mask>", NULL, 9, "5 0 6 1 10 6"); /* <unk> 8, <pad> 9, <mask> 10 are added behind the vocabulary */
	write_files(BYTES, "a b\n\u0120 a\n", "{\"add_prefix_space\": true}");
	wants("ab", NULL, 9, "5 3 2 6");
	wants(" ab", NULL, 9, "5 3 2 6");
	wants("", NULL, 9, "5 6");
	write_files("\"a\": 0, \"b\": 1, \"ab\": 2", "a b\n", "{}");
	wants("ab", "b", 9, "2 1"); /* GPT-2: no template */
	wants("ab<|endoftext|>a", NULL, 9, "2 3 0");
	wants("", NULL, 9, "");
}

static void refused(enum skip_status status, const char *file, const char *message)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), status);
	cr_assert(strstr(err.file, file) && strstr(err.message, message), "found: %s: %s; wanted: %s: %s", err.file, err.message, file, message);
}

Test(bpe, bad_files)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	write_files(BYTES, "a b\na c\n", "{}");
	refused(SKIP_ERR_INPUT, "merges.txt", "\"a c\": the vocabulary lacks the second");
	CHECK_FAILS(skip_tokenizer_open(toy_dir, &tokenizer, &err), SKIP_ERR_INPUT);
	cr_assert(err.line == 2);
	write_files(BYTES, "b a\n", "{}");
	refused(SKIP_ERR_INPUT, "merges.txt", "lacks the two together");
	write_files(BYTES, "ab\n", "{}");
	refused(SKIP_ERR_INPUT, "merges.txt", "expected two tokens");
	write_files(BYTES, "a b c\n", "{}");
	refused(SKIP_ERR_INPUT, "merges.txt", "expected two tokens");
	write_files(BYTES, "a \xff\n", "{}");
	refused(SKIP_ERR_INPUT, "merges.txt", "not UTF-8");
	write_files("\"a\": \"0\"", "a b\n", "{}");
	refused(SKIP_ERR_INPUT, "vocab.json", "\"a\" has no id");
	write_files("", "", "{}");
	refused(SKIP_ERR_INPUT, "vocab.json", "empty");
	write_files("\"a\": 0, \"b\": 0", "", "{}");
	refused(SKIP_ERR_INPUT, "vocab.json", "id 0 stands for");
	cr_assert(remove(toy_path(toy_dir, "vocab.json")) == 0);
	refused(SKIP_ERR_IO, "vocab.json", "");
}

static void write_json(const char *model, const char *rest)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_buf_printf(&text, "{\"added_tokens\": [], \"model\": {%s\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [[\"a\", \"b\"]]}, %s}", model, rest);
	toy_write_text(toy_dir, "tokenizer.json", skip_buf_text(&text));
	skip_buf_deinit(&text);
}

#define LEVEL "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}"

Test(bpe, bad_tokenizer_json)
{
	static const struct {
		enum skip_status status;
		const char *model, *rest, *message;
	} cases[] = {
	    {SKIP_ERR_UNSUPPORTED, "\"byte_fallback\": true, ", LEVEL, "\"byte_fallback\""},
	    {SKIP_ERR_UNSUPPORTED, "\"ignore_merges\": true, ", LEVEL, "\"ignore_merges\""},
	    {SKIP_ERR_UNSUPPORTED, "\"dropout\": 0.1, ", LEVEL, "\"dropout\""},
	    {SKIP_ERR_UNSUPPORTED, "\"end_of_word_suffix\": \"</w>\", ", LEVEL, "\"end_of_word_suffix\""},
	    {SKIP_ERR_UNSUPPORTED, "\"unk_token\": \"a\", ", LEVEL, "lacks byte 0x00"},
	    {SKIP_ERR_UNSUPPORTED, "", "\"pre_tokenizer\": null", "pre_tokenizer of type null; only ByteLevel"},
	    {SKIP_ERR_INPUT, "", "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"use_regex\": 1}", "\"use_regex\""},
	    {SKIP_ERR_UNSUPPORTED, "", LEVEL ", \"normalizer\": {\"type\": \"Prepend\"}", "normalizer of type Prepend"},
	    {SKIP_ERR_UNSUPPORTED, "", LEVEL ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x+\"}, \"content\": \"\"}", "Replace of x+"},
	    {SKIP_ERR_INPUT, "", LEVEL ", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}", "character map of 3 bytes is damaged"},
	    {SKIP_ERR_INPUT, "", LEVEL ", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"?\"}", "not base64"},
	    {SKIP_ERR_UNSUPPORTED, "", LEVEL ", \"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"X\"}, {\"type\": \"ByteLevel\"}]}", "X before another"},
	    {SKIP_ERR_INPUT, "", LEVEL ", \"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 0], \"sep\": [\"</s>\", 2]}", "no special token \"<s>\""},
	    {SKIP_ERR_INPUT, "", LEVEL ", \"post_processor\": {\"type\": \"RobertaProcessing\"}", "RobertaProcessing without"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_json(cases[i].model, cases[i].rest);
		refused(cases[i].status, "tokenizer.json", cases[i].message);
	}
	write_json("", LEVEL);
	wants("ab b", NULL, 9, "2 1"); /* the blank is no token of this vocabulary */
	write_json("", "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}");
	wants("ab b", NULL, 9, "2 1");
}

Test(bpe, survives_lack_of_memory)
{
	struct skip_err err;
	write_files(BYTES, "a b\n\u0120 a\n", "{}");
	for (size_t n = 1;; n++) {
		struct skip_tokenizer *tokenizer;
		struct skip_encoding code = {0};
		size_t before = skip_alloc_fail_at(n);
		skip_err_init(&err);
		enum skip_status status = skip_tokenizer_open(toy_dir, &tokenizer, &err);
		if (status == SKIP_OK) {
			status = skip_tokenizer_encode(tokenizer, "ab a", 4, NULL, 0, 9, &code, &err);
			skip_encoding_deinit(&code);
			skip_tokenizer_close(tokenizer);
		}
		bool failed = skip_alloc_fail_at(0) - before >= n;
		if (!failed) {
			cr_assert(n > 20 && status == SKIP_OK);
			break;
		}
		cr_assert(status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
	}
}
