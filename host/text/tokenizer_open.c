/*
 * Reads the files of a tokenizer: tokenizer.json (settings, added tokens), tokenizer_config.json (settings that override it, special tokens
 * where there is no tokenizer.json), vocab.txt (the vocabulary; tokenizer.json's where there is none). Whatever would tokenize differently
 * from the library is refused.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_impl.h"
#include <string.h>

static const char json_name[] = "tokenizer.json", config_name[] = "tokenizer_config.json", vocab_name[] = "vocab.txt";

struct opening {
	const char *folder;
	char path[4096]; /* of the file in hand, for messages */
	json_t *json;    /* tokenizer.json or NULL */
	json_t *config;  /* tokenizer_config.json or NULL */
	bool vocab_file;
	const char *unknown, *cls, *sep;
	enum { WITH_LOWER_CASE, KEEP, STRIP } accents;
	struct skip_tokenizer *tokenizer;
};

static enum skip_status set_path(struct opening *o, const char *name, struct skip_err *err)
{
	if (skip_path_join(o->path, sizeof(o->path), o->folder, name)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s/%s", o->folder, name);
}

static enum skip_status load_if_there(struct opening *o, const char *name, json_t **out, struct skip_err *err)
{
	enum skip_status status = set_path(o, name, err);
	if (status != SKIP_OK || !skip_file_exists(o->path)) return status;
	status = skip_json_load(o->path, out, err);
	if (status == SKIP_OK && !json_is_object(*out)) status = skip_err_at(err, SKIP_ERR_INPUT, o->path, 0, -1, "expected a JSON object");
	return status;
}

static enum skip_status want_type(const json_t *root, const char *part, const char *wanted, struct skip_err *err)
{
	const char *type = json_string_value(json_object_get(json_object_get(root, part), "type"));
	if (type && strcmp(type, wanted) == 0) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "%s of type %s; only %s is supported", part, type ? type : "null", wanted);
}

/* [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", ...}}, ...] against "[A[B[": '[' is a special token. */
static enum skip_status check_template(struct opening *o, const json_t *items, const char *form, const int *types, struct skip_err *err)
{
	for (size_t i = 0; form[i] || i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		const json_t *special = json_object_get(item, "SpecialToken"), *sequence = json_object_get(item, "Sequence");
		const char *id = json_string_value(json_object_get(special ? special : sequence, "id"));
		bool good = form[i] && id && json_integer_value(json_object_get(special ? special : sequence, "type_id")) == types[i];
		if (good && form[i] == '[') {
			const char **name = i == 0 ? &o->cls : &o->sep;
			good = special && (!*name || strcmp(*name, id) == 0);
			*name = id;
		} else if (good) {
			good = sequence && id[0] == form[i] && !id[1];
		}
		if (!good)
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED,
			                    "the post_processor template is not [CLS] A [SEP] or [CLS] A [SEP] B [SEP] (item %zu)", i);
	}
	return SKIP_OK;
}

static enum skip_status read_post_processor(struct opening *o, struct skip_err *err)
{
	static const int single_types[] = {0, 0, 0}, pair_types[] = {0, 0, 0, 1, 1};
	const json_t *processor = json_object_get(o->json, "post_processor");
	const char *type = json_string_value(json_object_get(processor, "type"));
	if (type && strcmp(type, "BertProcessing") == 0) {
		o->cls = json_string_value(json_array_get(json_object_get(processor, "cls"), 0));
		o->sep = json_string_value(json_array_get(json_object_get(processor, "sep"), 0));
		if (o->cls && o->sep) return SKIP_OK;
		return skip_err_set(err, SKIP_ERR_INPUT, "BertProcessing without \"cls\" and \"sep\"");
	}
	enum skip_status status = want_type(o->json, "post_processor", "TemplateProcessing", err);
	if (status == SKIP_OK) status = check_template(o, json_object_get(processor, "single"), "[A[", single_types, err);
	if (status == SKIP_OK) status = check_template(o, json_object_get(processor, "pair"), "[A[B[", pair_types, err);
	return status;
}

/* `clean` NULL: the file has no such setting. */
static enum skip_status read_rules(struct opening *o, const json_t *object, const char *clean, const char *cjk, const char *lower,
                                   struct skip_err *err)
{
	enum skip_status status;
	struct skip_word_rules *rules = &o->tokenizer->wordpiece.rules;
	bool strip = false;
	if (clean) SKIP_TRY(skip_json_bool_or(object, clean, rules->clean, &rules->clean, err));
	SKIP_TRY(skip_json_bool_or(object, cjk, rules->split_cjk, &rules->split_cjk, err));
	SKIP_TRY(skip_json_bool_or(object, lower, rules->lower, &rules->lower, err));
	SKIP_TRY(skip_json_bool_or(object, "strip_accents", strip, &strip, err));
	const json_t *said = json_object_get(object, "strip_accents");
	if (said) o->accents = json_is_null(said) ? WITH_LOWER_CASE : strip ? STRIP : KEEP;
	rules->strip_accents = o->accents == STRIP || (o->accents == WITH_LOWER_CASE && rules->lower);
cleanup:
	return status;
}

static enum skip_status read_model_settings(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	json_t *model;
	const char *prefix = "##";
	int64_t max_chars = SKIP_WORD_MAX_CHARS;
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	if (json_object_get(model, "type")) SKIP_TRY(want_type(o->json, "model", "WordPiece", err));
	SKIP_TRY(want_type(o->json, "normalizer", "BertNormalizer", err));
	SKIP_TRY(want_type(o->json, "pre_tokenizer", "BertPreTokenizer", err));
	SKIP_TRY(read_rules(o, json_object_get(o->json, "normalizer"), "clean_text", "handle_chinese_chars", "lowercase", err));
	SKIP_TRY(skip_json_string(model, "unk_token", &o->unknown, err));
	SKIP_TRY(skip_json_string(model, "continuing_subword_prefix", &prefix, err));
	SKIP_TRY(skip_json_int_or(model, "max_input_chars_per_word", max_chars, 1, INT32_MAX, &max_chars, err));
	if (strcmp(prefix, "##") != 0 || max_chars != SKIP_WORD_MAX_CHARS) {
		status = skip_err_set(err, SKIP_ERR_UNSUPPORTED,
		                      "a WordPiece model with prefix \"%s\" and %lld characters a word; only \"##\" and %d are supported",
		                      prefix, (long long)max_chars, SKIP_WORD_MAX_CHARS);
		goto cleanup;
	}
	SKIP_TRY(read_post_processor(o, err));
cleanup:
	return status;
}

/* "unk_token": "[UNK]", or {"content": "[UNK]", ...} */
static const char *special_name(const json_t *config, const char *key, const char *fallback)
{
	const json_t *value = json_object_get(config, key);
	if (json_is_object(value)) value = json_object_get(value, "content");
	return json_is_string(value) ? json_string_value(value) : fallback;
}

/* `object` says how the token behaves; NULL: plainly. `id` -1: that of the vocabulary, no token when it has none. */
static enum skip_status add_added(struct skip_tokenizer *tokenizer, const char *content, int64_t id, const json_t *object,
                                  struct skip_err *err)
{
	int32_t in_vocab = skip_vocab_find(&tokenizer->wordpiece.vocab, content, strlen(content));
	if (id < 0) id = in_vocab;
	if (id < 0) return SKIP_OK;
	const char *holder = skip_vocab_token(&tokenizer->wordpiece.vocab, (int32_t)id);
	if (content[0] == '\0' || (in_vocab >= 0 && in_vocab != id) || (in_vocab < 0 && holder))
		return skip_err_set(err, SKIP_ERR_INPUT, "added token \"%s\" has id %lld, which the vocabulary gives to \"%s\"", content,
		                    (long long)id, holder ? holder : "no token");
	if (json_is_true(json_object_get(object, "single_word")) || json_is_true(json_object_get(object, "normalized")))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "added token \"%s\" is single_word or normalized; neither is supported",
		                    content);
	void *added = tokenizer->added;
	bool grown = skip_grow(&added, &tokenizer->cap_added, tokenizer->n_added + 1, sizeof(*tokenizer->added));
	tokenizer->added = added;
	char *copy = grown ? skip_strdup(content) : NULL;
	if (!copy) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for added tokens");
	tokenizer->added[tokenizer->n_added++] = (struct skip_added_token){
	    copy,
	    strlen(copy),
	    (int32_t)id,
	    json_is_true(json_object_get(object, "lstrip")),
	    json_is_true(json_object_get(object, "rstrip")),
	};
	tokenizer->added_first[(unsigned char)copy[0]] = true;
	if ((size_t)id >= tokenizer->vocab_size) tokenizer->vocab_size = (size_t)id + 1;
	return SKIP_OK;
}

static enum skip_status read_added(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	size_t i;
	json_t *list, *item;
	SKIP_TRY(skip_json_array(o->json, "added_tokens", &list, err));
	json_array_foreach(list, i, item)
	{
		const char *content;
		int64_t id;
		SKIP_TRY(skip_json_string(item, "content", &content, err));
		SKIP_TRY(skip_json_int(item, "id", 0, INT32_MAX - 1, &id, err));
		SKIP_TRY(add_added(o->tokenizer, content, id, item, err));
	}
cleanup:
	return status;
}

/* Without tokenizer.json: the five special tokens by name, with the behaviour that "added_tokens_decoder" gives them. */
static enum skip_status read_config_specials(struct opening *o, struct skip_err *err)
{
	static const char *const keys[][2] = {
	    {"unk_token", "[UNK]"}, {"cls_token", "[CLS]"}, {"sep_token", "[SEP]"}, {"pad_token", "[PAD]"}, {"mask_token", "[MASK]"}};
	const char *names[5];
	json_t *decoder = json_object_get(o->config, "added_tokens_decoder"), *object;
	const char *key;
	for (size_t i = 0; i < 5; i++) names[i] = special_name(o->config, keys[i][0], keys[i][1]);
	o->unknown = names[0];
	o->cls = names[1];
	o->sep = names[2];
	bool listed[5] = {false};
	json_object_foreach(decoder, key, object)
	{
		char *end;
		const char *content = special_name(decoder, key, NULL);
		long long id = strtoll(key, &end, 10);
		if (!content || *end || end == key || id < 0 || id >= INT32_MAX)
			return skip_err_set(err, SKIP_ERR_INPUT, "\"added_tokens_decoder\": entry \"%s\" is no id with a token", key);
		for (size_t i = 0; i < 5; i++)
			if (strcmp(names[i], content) == 0) listed[i] = true;
		enum skip_status status = add_added(o->tokenizer, content, id, object, err);
		if (status != SKIP_OK) return status;
	}
	for (size_t i = 0; i < 5; i++) {
		if (listed[i]) continue;
		enum skip_status status = add_added(o->tokenizer, names[i], -1, NULL, err);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
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
static enum skip_status read_vocab_json(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	struct skip_vocab *vocab = &o->tokenizer->wordpiece.vocab;
	json_t *model, *tokens, *value;
	const char *token;
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	SKIP_TRY(skip_json_object(model, "vocab", &tokens, err));
	if (o->vocab_file && json_object_size(tokens) != vocab->count) {
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
		if (!o->vocab_file) {
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
	skip_buf_init(&text);
	SKIP_TRY(set_path(o, vocab_name, err));
	o->vocab_file = skip_file_exists(o->path);
	if (o->vocab_file) {
		SKIP_TRY(skip_file_read(o->path, &text, err));
		SKIP_TRY(read_vocab_text(o, skip_buf_text(&text), text.length, err));
	} else if (!o->json) {
		status = skip_err_at(err, SKIP_ERR_IO, o->folder, 0, -1, "no tokenizer: expected vocab.txt or tokenizer.json (WordPiece)");
		goto cleanup;
	}
	if (o->json) {
		SKIP_TRY(set_path(o, json_name, err));
		SKIP_TRY(read_vocab_json(o, err));
	}
	o->tokenizer->vocab_size = o->tokenizer->wordpiece.vocab.count;
cleanup:
	skip_buf_deinit(&text);
	return status;
}

static enum skip_status special_id(struct opening *o, const char *name, int32_t *out, struct skip_err *err)
{
	int32_t id = skip_vocab_find(&o->tokenizer->wordpiece.vocab, name, strlen(name));
	for (size_t i = 0; id < 0 && i < o->tokenizer->n_added; i++)
		if (strcmp(o->tokenizer->added[i].content, name) == 0) id = o->tokenizer->added[i].id;
	if (id < 0) return skip_err_set(err, SKIP_ERR_INPUT, "the vocabulary has no special token \"%s\"", name);
	*out = id;
	return SKIP_OK;
}

static enum skip_status read_all(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	struct skip_tokenizer *tokenizer = o->tokenizer;
	struct skip_wordpiece *wordpiece = &tokenizer->wordpiece;
	size_t n_files = 0;
	wordpiece->rules = (struct skip_word_rules){true, true, true, true};
	SKIP_TRY(load_if_there(o, config_name, &o->config, err));
	SKIP_TRY(load_if_there(o, json_name, &o->json, err));
	if (o->json) SKIP_TRY(read_model_settings(o, err));
	SKIP_TRY(read_vocab(o, err));
	SKIP_TRY(set_path(o, o->json ? json_name : config_name, err));
	SKIP_TRY(o->json ? read_added(o, err) : read_config_specials(o, err));
	SKIP_TRY(set_path(o, config_name, err));
	if (o->config) SKIP_TRY(read_rules(o, o->config, NULL, "tokenize_chinese_chars", "do_lower_case", err));
	SKIP_TRY(set_path(o, o->vocab_file ? vocab_name : json_name, err));
	SKIP_TRY(special_id(o, o->unknown, &wordpiece->unknown, err));
	SKIP_TRY(special_id(o, o->cls, &tokenizer->cls, err));
	SKIP_TRY(special_id(o, o->sep, &tokenizer->sep, err));
	wordpiece->inside = skip_vocab_walk(&wordpiece->vocab, 0, "##", 2);
	if (o->json) tokenizer->files[n_files++] = json_name;
	if (o->config) tokenizer->files[n_files++] = config_name;
	if (o->vocab_file) tokenizer->files[n_files++] = vocab_name;
cleanup:
	if (status == SKIP_ERR_INPUT || status == SKIP_ERR_UNSUPPORTED) skip_err_add_file(err, o->path);
	return status;
}

enum skip_status skip_tokenizer_open(const char *folder, struct skip_tokenizer **out, struct skip_err *err)
{
	struct opening o = {.folder = folder, .tokenizer = skip_alloc_zeroed(1, sizeof(struct skip_tokenizer))};
	if (!o.tokenizer) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tokenizer");
	skip_vocab_init(&o.tokenizer->wordpiece.vocab);
	enum skip_status status = read_all(&o, err);
	json_decref(o.json);
	json_decref(o.config);
	if (status == SKIP_OK) *out = o.tokenizer;
	else
		skip_tokenizer_close(o.tokenizer);
	return status;
}

void skip_tokenizer_close(struct skip_tokenizer *tokenizer)
{
	if (!tokenizer) return;
	skip_vocab_deinit(&tokenizer->wordpiece.vocab);
	for (size_t i = 0; i < tokenizer->n_added; i++) skip_free(tokenizer->added[i].content);
	skip_free(tokenizer->added);
	skip_free(tokenizer);
}
