/*
 * WordPiece from tokenizer.json (settings, added tokens), tokenizer_config.json (settings that override it, special tokens where there is no
 * tokenizer.json) and vocab.txt (the vocabulary; tokenizer.json's where there is none). Without tokenizer.json special tokens and templates are BERT's, or
 * MPNet's where the folder says so. Whatever would tokenize differently from the library is refused.
 */
#include "base/file.h"
#include "text/tokenizer_impl.h"
#include <string.h>

static const char json_name[] = "tokenizer.json", config_name[] = "tokenizer_config.json", vocab_name[] = "vocab.txt";

enum accents { WITH_LOWER_CASE, KEEP, STRIP };

/* `clean` NULL: the file has no such setting. */
static enum skip_status read_rules(struct opening *o, const json_t *object, const char *clean, const char *cjk, const char *lower,
                                   enum accents *accents, struct skip_err *err)
{
	enum skip_status status;
	struct skip_word_rules *rules = &o->tokenizer->wordpiece.rules;
	bool strip = false;
	if (clean) SKIP_TRY(skip_json_bool_or(object, clean, rules->clean, &rules->clean, err));
	SKIP_TRY(skip_json_bool_or(object, cjk, rules->split_cjk, &rules->split_cjk, err));
	SKIP_TRY(skip_json_bool_or(object, lower, rules->lower, &rules->lower, err));
	SKIP_TRY(skip_json_bool_or(object, "strip_accents", strip, &strip, err));
	const json_t *said = json_object_get(object, "strip_accents");
	if (said) *accents = json_is_null(said) ? WITH_LOWER_CASE : strip ? STRIP : KEEP;
	rules->strip_accents = *accents == STRIP || (*accents == WITH_LOWER_CASE && rules->lower);
cleanup:
	return status;
}

static enum skip_status read_model_settings(struct opening *o, const char **unknown, enum accents *accents, struct skip_err *err)
{
	enum skip_status status;
	json_t *model;
	const char *prefix = "##";
	int64_t max_chars = SKIP_WORD_MAX_CHARS;
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	SKIP_TRY(skip_opening_want_type(o->json, "normalizer", "BertNormalizer", err));
	SKIP_TRY(skip_opening_want_type(o->json, "pre_tokenizer", "BertPreTokenizer", err));
	SKIP_TRY(read_rules(o, json_object_get(o->json, "normalizer"), "clean_text", "handle_chinese_chars", "lowercase", accents, err));
	SKIP_TRY(skip_json_string(model, "unk_token", unknown, err));
	SKIP_TRY(skip_json_string(model, "continuing_subword_prefix", &prefix, err));
	SKIP_TRY(skip_json_int_or(model, "max_input_chars_per_word", max_chars, 1, INT32_MAX, &max_chars, err));
	if (strcmp(prefix, "##") != 0 || max_chars != SKIP_WORD_MAX_CHARS) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                      "a WordPiece model with prefix \"%s\" and %lld characters a word; only \"##\" and %d are supported",
		                      prefix, (long long)max_chars, SKIP_WORD_MAX_CHARS);
		goto cleanup;
	}
cleanup:
	return status;
}

/* One token a line, the id is the line number from 0. */
static enum skip_status read_vocab_text(struct opening *o, const char *text, size_t size, struct skip_err *err)
{
	int64_t line = 0;
	for (size_t at = 0; at < size;) {
		const char *start = text + at, *end = memchr(start, '\n', size - at);
		size_t length = end ? (size_t)(end - start) : size - at, bad;
		at += length + 1;
		line++;
		if (length && start[length - 1] == '\r') length--;
		if (length == 0) return skip_err_at(err, SKIP_ERR_INPUT, o->path, line, -1, "empty line; expected one token a line");
		if (!skip_utf8_check(start, length, &bad))
			return skip_err_at(err, SKIP_ERR_INPUT, o->path, line, -1, "not UTF-8 text: byte 0x%02x at offset %zu of the line",
			                   (unsigned char)start[bad], bad);
		enum skip_status status = skip_vocab_add(&o->tokenizer->wordpiece.vocab, start, length, (int32_t)(line - 1), err);
		if (status != SKIP_OK) {
			if (err) err->line = line;
			return status;
		}
	}
	return line ? SKIP_OK : skip_err_at(err, SKIP_ERR_INPUT, o->path, 0, -1, "empty; expected one token a line");
}

/* With vocab.txt present: both must say the same. Else: adds. */
static enum skip_status read_vocab_json(struct opening *o, bool vocab_file, struct skip_err *err)
{
	enum skip_status status;
	struct skip_vocab *vocab = &o->tokenizer->wordpiece.vocab;
	json_t *model, *tokens, *value;
	const char *token;
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	SKIP_TRY(skip_json_object(model, "vocab", &tokens, err));
	if (vocab_file && json_object_size(tokens) != vocab->count) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "the vocabulary has %zu tokens, that of vocab.txt %zu", json_object_size(tokens),
		                      vocab->count);
		goto cleanup;
	}
	json_object_foreach(tokens, token, value)
	{
		json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
		if (id < 0 || id > INT32_MAX || token[0] == '\0') {
			status = skip_err_set(err, SKIP_ERR_INPUT, "vocabulary entry \"%s\" has no id", token);
			goto cleanup;
		}
		if (!vocab_file) {
			SKIP_TRY(skip_vocab_add(vocab, token, strlen(token), (int32_t)id, err));
		} else if (skip_vocab_find(vocab, token, strlen(token)) != (int32_t)id) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "token \"%s\" has id %lld here and %d in vocab.txt", token,
			                      (long long)id, skip_vocab_find(vocab, token, strlen(token)));
			goto cleanup;
		}
	}
cleanup:
	return status;
}

static enum skip_status read_vocab(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	struct skip_buf text;
	bool vocab_file = skip_opening_has(o, vocab_name);
	skip_buf_init(&text);
	if (vocab_file) {
		SKIP_TRY(skip_opening_path(o, vocab_name, err));
		SKIP_TRY(skip_file_read(o->path, &text, err));
		SKIP_TRY(read_vocab_text(o, skip_buf_text(&text), text.length, err));
	}
	if (o->json) {
		SKIP_TRY(skip_opening_path(o, json_name, err));
		SKIP_TRY(read_vocab_json(o, vocab_file, err));
	}
	o->tokenizer->vocab_size = o->tokenizer->wordpiece.vocab.count;
cleanup:
	skip_buf_deinit(&text);
	return status;
}

/*
 * Special tokens and templates of a folder without tokenizer.json: [CLS] A [SEP] B [SEP] with type 1 from B on, or MPNet's <s> A </s> </s> B </s>, whose
 * special tokens the library looks for in normalised text.
 */
static enum skip_status read_special(struct opening *o, const char **unknown, struct skip_err *err)
{
	struct skip_special bert[] = {{.key = "unk_token", .name = "[UNK]"},
	                              {.key = "cls_token", .name = "[CLS]"},
	                              {.key = "sep_token", .name = "[SEP]"},
	                              {.key = "pad_token", .name = "[PAD]"},
	                              {.key = "mask_token", .name = "[MASK]"}};
	struct skip_special mpnet[] = {{.key = "unk_token", .name = "[UNK]", .how.normalized = true},
	                               {.key = "cls_token", .name = "<s>", .how.normalized = true},
	                               {.key = "sep_token", .name = "</s>", .how.normalized = true},
	                               {.key = "pad_token", .name = "<pad>", .how.normalized = true},
	                               {.key = "mask_token", .name = "<mask>", .how = {.lstrip = true, .normalized = true}}};
	bool two = skip_opening_is_class(o, "MPNetTokenizer", "mpnet");
	struct skip_special *special = two ? mpnet : bert;
	enum skip_status status;
	int32_t first, last;
	SKIP_TRY(skip_opening_config_added(o, special, 5, false, err));
	SKIP_TRY(skip_opening_path(o, vocab_name, err));
	SKIP_TRY(skip_opening_id(o, special[1].name, &first, err));
	SKIP_TRY(skip_opening_id(o, special[2].name, &last, err));
	skip_opening_plain_templates(o->tokenizer, first, last, two ? last : -1, last, two ? 0 : 1);
	*unknown = special[0].name;
cleanup:
	return status;
}

/* Tokens that are found in normalised text need the normaliser in front; then nothing is left of it for the cutting. */
static enum skip_status read_added(struct opening *o, const char **unknown, struct skip_err *err)
{
	struct skip_tokenizer *tokenizer = o->tokenizer;
	struct skip_norm_step *step = skip_normalizer_add(&tokenizer->normalizer, SKIP_NORM_BERT);
	if (!step) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a normalizer");
	step->rules = tokenizer->wordpiece.rules;
	enum skip_status status = o->json ? skip_opening_added(o, err) : read_special(o, unknown, err);
	if (tokenizer->normal.count) tokenizer->wordpiece.rules = (struct skip_word_rules){0};
	else
		skip_normalizer_deinit(&tokenizer->normalizer);
	return status;
}

static enum skip_status read(struct opening *o, struct skip_err *err)
{
	const char *unknown = NULL;
	enum skip_status status;
	struct skip_wordpiece *wordpiece = &o->tokenizer->wordpiece;
	enum accents accents = WITH_LOWER_CASE;
	skip_vocab_init(&wordpiece->vocab);
	wordpiece->rules = (struct skip_word_rules){true, true, true, true};
	if (o->json) SKIP_TRY(read_model_settings(o, &unknown, &accents, err));
	SKIP_TRY(skip_opening_path(o, config_name, err));
	if (o->config) SKIP_TRY(read_rules(o, o->config, NULL, "tokenize_chinese_chars", "do_lower_case", &accents, err));
	SKIP_TRY(read_vocab(o, err));
	SKIP_TRY(skip_opening_path(o, o->json ? json_name : config_name, err));
	SKIP_TRY(read_added(o, &unknown, err));
	if (o->json) SKIP_TRY(skip_opening_templates(o, err));
	SKIP_TRY(skip_opening_path(o, skip_opening_has(o, vocab_name) ? vocab_name : json_name, err));
	SKIP_TRY(skip_opening_id(o, unknown, &wordpiece->unknown, err));
	wordpiece->inside = skip_vocab_walk(&wordpiece->vocab, 0, "##", 2);
	skip_opening_carry(o, vocab_name);
cleanup:
	return status;
}

static bool encode(const struct skip_tokenizer *tokenizer, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out)
{
	(void)at_start;
	return skip_wordpiece_encode(&tokenizer->wordpiece, text, size, enough, out);
}

static const struct skip_vocab *vocab(const struct skip_tokenizer *tokenizer)
{
	return &tokenizer->wordpiece.vocab;
}

static void deinit(struct skip_tokenizer *tokenizer)
{
	skip_vocab_deinit(&tokenizer->wordpiece.vocab);
}

static const char *const files[] = {vocab_name, NULL};

const struct skip_tokenizer_kind skip_tokenizer_wordpiece = {
    .name = "wordpiece",
    .model = "WordPiece",
    .files = files,
    .read = read,
    .encode = encode,
    .vocab = vocab,
    .deinit = deinit,
};
