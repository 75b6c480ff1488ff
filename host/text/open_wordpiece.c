/*
 * WordPiece from tokenizer.json (settings, added tokens), tokenizer_config.json (settings that override it, special tokens where there is no
 * tokenizer.json) and vocab.txt (the vocabulary; tokenizer.json's where there is none). Whatever would tokenize differently from the library is refused.
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

/* [CLS] A [SEP] and [CLS] A [SEP] B [SEP]. */
static enum skip_status bert_templates(struct opening *o, const char *cls, const char *sep, struct skip_err *err)
{
	int32_t first = 0, last = 0;
	enum skip_status status = skip_opening_id(o, cls, &first, err);
	if (status == SKIP_OK) status = skip_opening_id(o, sep, &last, err);
	if (status == SKIP_OK) skip_opening_plain_templates(o->tokenizer, first, last, -1, last, 1);
	return status;
}

static enum skip_status read(struct opening *o, struct skip_err *err)
{
	static const char *const keys[] = {"unk_token", "cls_token", "sep_token", "pad_token", "mask_token"};
	const char *names[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
	enum skip_status status;
	struct skip_wordpiece *wordpiece = &o->tokenizer->wordpiece;
	enum accents accents = WITH_LOWER_CASE;
	skip_vocab_init(&wordpiece->vocab);
	wordpiece->rules = (struct skip_word_rules){true, true, true, true};
	if (o->json) SKIP_TRY(read_model_settings(o, &names[0], &accents, err));
	SKIP_TRY(read_vocab(o, err));
	SKIP_TRY(skip_opening_path(o, o->json ? json_name : config_name, err));
	SKIP_TRY(o->json ? skip_opening_added(o, err) : skip_opening_config_added(o, keys, names, 5, false, err));
	if (o->json) SKIP_TRY(skip_opening_templates(o, err));
	SKIP_TRY(skip_opening_path(o, config_name, err));
	if (o->config) SKIP_TRY(read_rules(o, o->config, NULL, "tokenize_chinese_chars", "do_lower_case", &accents, err));
	SKIP_TRY(skip_opening_path(o, skip_opening_has(o, vocab_name) ? vocab_name : json_name, err));
	SKIP_TRY(skip_opening_id(o, names[0], &wordpiece->unknown, err));
	if (!o->json) SKIP_TRY(bert_templates(o, names[1], names[2], err));
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
