/* Tokens of hostile lines and of every code point, as the Hugging Face tokenizers library gives them (tools/make-golden-tokens). */
#include "base/file.h"
#include "base/sha256.h"
#include "check.h"
#include "text/tokenizer.h"
#include "text/words.h"
#include <string.h>

static void read_source_file(const char *name, struct skip_buf *out)
{
	struct skip_err err;
	char path[1024];
	const char *source = getenv("SKIP_TEST_SOURCE");
	snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
	skip_buf_init(out);
	CHECK_OK(skip_file_read(path, out, &err));
}

/* Start of line `number` (from 1) of `text`; its length goes to *size. */
static const char *line_of(const struct skip_buf *text, long number, size_t *size)
{
	const char *line = skip_buf_text(text);
	for (long i = 1; i < number; i++) line = strchr(line, '\n') + 1;
	*size = strcspn(line, "\n");
	return line;
}

Test(tokens, hostile_lines_give_the_library_s_ids)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	struct skip_encoding code = {0};
	struct skip_buf nasty, golden;
	char folder[1024];
	snprintf(folder, sizeof(folder), "%s/models/all-minilm-l6-v2", getenv("SKIP_TEST_SOURCE"));
	CHECK_OK(skip_tokenizer_open(folder, &tokenizer, &err));
	cr_assert(eq(sz, skip_tokenizer_vocab_size(tokenizer), 30522));
	read_source_file("tests/golden/nasty.txt", &nasty);
	read_source_file("tests/golden/nasty.ids", &golden);
	size_t cases = 0, pairs = 0;
	char *save = NULL;
	for (char *line = strtok_r(golden.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		long max_length, first, second, zeros, used;
		if (line[0] == '#') continue;
		cr_assert(sscanf(line, "%ld %ld %ld %ld%ln", &max_length, &first, &second, &zeros, &used) == 4);
		size_t text_size, pair_size = 0;
		const char *text = line_of(&nasty, first, &text_size), *pair = second ? line_of(&nasty, second, &pair_size) : NULL;
		CHECK_OK(skip_tokenizer_encode(tokenizer, text, text_size, pair, pair_size, (int)max_length, &code, &err));
		char *at = line + used;
		for (size_t i = 0; i < code.length; i++) {
			long wanted = strtol(at, &at, 10);
			cr_assert(code.ids[i] == wanted, "line %ld, pair %ld, length %ld: token %zu is %d, wanted %ld", first, second,
			          max_length, i, code.ids[i], wanted);
			cr_assert(code.types[i] == ((long)i >= zeros));
		}
		cr_assert(at[0] == '\0', "line %ld, pair %ld: more tokens wanted: %s", first, second, at);
		cases++;
		pairs += pair != NULL;
	}
	cr_assert(cases >= 400 && pairs >= 90, "only %zu cases, %zu pairs", cases, pairs);
	skip_buf_deinit(&nasty);
	skip_buf_deinit(&golden);
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

/* "5 6|0 1" */
static void write_code(const struct skip_encoding *code, struct skip_buf *out)
{
	skip_buf_clear(out);
	for (size_t i = 0; i < code->length; i++) skip_buf_printf(out, "%s%d", i ? " " : "", code->ids[i]);
	for (size_t i = 0; i < code->length; i++) skip_buf_printf(out, "%s%d", i ? " " : "|", code->types[i]);
	if (!code->length) skip_buf_puts(out, "|");
}

struct family {
	char name[16], kind[16], file[32];
};

ParameterizedTestParameters(tokens, families)
{
	static struct family families[] = {
	    {"gpt2", "bpe", "merges.txt"},
	    {"roberta", "bpe", "tokenizer_config.json"},
	    {"modernbert", "bpe", "tokenizer.json"},
	    {"mpnet", "wordpiece", "config.json"},
	    {"mpnet-json", "wordpiece", "tokenizer.json"},
	    {"xlmr", "unigram", "sentencepiece.bpe.model"},
	    {"camembert", "unigram", "tokenizer_config.json"},
	    {"albert", "unigram", "spiece.model"},
	    {"deberta", "unigram", "spm.model"},
	    {"deberta-json", "unigram", "tokenizer.json"},
	};
	return cr_make_param_array(struct family, families, sizeof(families) / sizeof(families[0]));
}

/* Small vocabularies of every family (tools/make-golden-tokenizers). What differs is shown by tools/check-tokenizer. */
ParameterizedTest(struct family *family, tokens, families)
{
	struct skip_err err;
	struct skip_tokenizer *tokenizer;
	struct skip_encoding code = {0};
	struct skip_buf nasty, golden, text;
	char folder[1024], sums[64], hash[SKIP_SHA256_HEX], *save = NULL;
	size_t cases = 0;
	bool carried = false;
	snprintf(folder, sizeof(folder), "%s/tests/golden/tokenizers/%s", getenv("SKIP_TEST_SOURCE"), family->name);
	snprintf(sums, sizeof(sums), "tests/golden/tokenizers/%s/nasty.sums", family->name);
	CHECK_OK(skip_tokenizer_open(folder, &tokenizer, &err));
	cr_assert(eq(str, (char *)skip_tokenizer_kind(tokenizer), family->kind));
	for (const char *const *file = skip_tokenizer_files(tokenizer); *file; file++) carried = carried || strcmp(*file, family->file) == 0;
	cr_assert(carried, "a package would lack %s", family->file);
	read_source_file("tests/golden/nasty.txt", &nasty);
	read_source_file(sums, &golden);
	skip_buf_init(&text);
	for (char *line = strtok_r(golden.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		long max_length, first, second;
		char wanted[17];
		if (line[0] == '#') continue;
		cr_assert(sscanf(line, "%ld %ld %ld %16s", &max_length, &first, &second, wanted) == 4);
		size_t size, pair_size = 0;
		const char *one = line_of(&nasty, first, &size), *two = second ? line_of(&nasty, second, &pair_size) : NULL;
		CHECK_OK(skip_tokenizer_encode(tokenizer, one, size, two, pair_size, (int)max_length, &code, &err));
		write_code(&code, &text);
		skip_sha256_hex(skip_buf_text(&text), text.length, hash);
		cr_expect(strncmp(hash, wanted, 16) == 0, "%s: line %ld, pair %ld, length %ld: %.200s", family->name, first, second, max_length, skip_buf_text(&text));
		for (size_t i = 0; i < code.length; i++) cr_assert(skip_tokenizer_token(tokenizer, code.ids[i]) != NULL);
		cases++;
	}
	cr_assert(cases >= 400, "only %zu cases", cases);
	skip_buf_deinit(&nasty);
	skip_buf_deinit(&golden);
	skip_buf_deinit(&text);
	skip_encoding_deinit(&code);
	skip_tokenizer_close(tokenizer);
}

static bool collect(void *context, const struct skip_word *word)
{
	struct skip_buf *text = context;
	if (text->length && text->data[text->length - 1] != '\n') skip_buf_puts(text, " ");
	skip_buf_append(text, word->bytes, word->size);
	return true;
}

Test(tokens, every_code_point_splits_as_in_the_library)
{
	static const struct skip_word_rules kinds[] = {{true, true, true, true}, {true, true, false, false}};
	struct skip_buf golden, text;
	char *save = NULL, hash[SKIP_SHA256_HEX];
	int blocks = 0;
	read_source_file("tests/golden/unicode.words", &golden);
	skip_buf_init(&text);
	for (char *line = strtok_r(golden.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char wanted[2][17];
		unsigned start;
		if (line[0] == '#') continue;
		cr_assert(sscanf(line, "%x %16s %16s", &start, wanted[0], wanted[1]) == 3);
		for (int kind = 0; kind < 2; kind++) {
			skip_buf_clear(&text);
			for (uint32_t c = start; c < start + 0x1000; c++) {
				char bytes[2 + SKIP_CHAR_MAX_BYTES] = "a";
				if (c == 0 || (c >= 0xd800 && c < 0xe000)) continue;
				size_t size = 1 + skip_utf8_put(c, bytes + 1);
				bytes[size++] = 'b';
				skip_words_each(&kinds[kind], bytes, size, collect, &text);
				skip_buf_puts(&text, "\n");
			}
			skip_sha256_hex(text.data, text.length, hash);
			cr_expect(strncmp(hash, wanted[kind], 16) == 0, "block U+%04X, kind %d", start, kind);
		}
		blocks++;
	}
	cr_assert(blocks == 0x110);
	skip_buf_deinit(&golden);
	skip_buf_deinit(&text);
}
