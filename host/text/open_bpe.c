/*
 * Byte-level BPE from tokenizer.json, or from vocab.json and merges.txt: GPT-2's form, or RoBERTa's where the vocabulary has <s> and </s>. Whatever would
 * tokenize differently from the library is refused.
 */
#include "base/file.h"
#include "text/tokenizer_impl.h"
#include <string.h>

static const char json_name[] = "tokenizer.json", config_name[] = "tokenizer_config.json", vocab_name[] = "vocab.json", merges_name[] = "merges.txt";

static enum skip_status read_vocab(struct opening *o, const json_t *tokens, struct skip_err *err)
{
	struct skip_bpe *bpe = &o->tokenizer->bpe;
	const char *token;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)tokens, token, value)
	{
		json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
		if (id < 0 || id > INT32_MAX || token[0] == '\0') return skip_err_set(err, SKIP_ERR_INPUT, "vocabulary entry \"%s\" has no id", token);
		enum skip_status status = skip_vocab_add(&bpe->vocab, token, strlen(token), (int32_t)id, err);
		if (status != SKIP_OK) return status;
	}
	if (!json_object_size(tokens)) return skip_err_set(err, SKIP_ERR_INPUT, "the vocabulary is empty");
	o->tokenizer->vocab_size = bpe->vocab.count;
	skip_bpe_index_bytes(bpe);
	return SKIP_OK;
}

/* "left right", or ["left", "right"]. */
static enum skip_status add_merge(struct skip_bpe *bpe, const char *text, size_t size, struct skip_err *err)
{
	const char *blank = memchr(text, ' ', size);
	size_t left = blank ? (size_t)(blank - text) : 0, right = blank ? size - left - 1 : 0;
	if (!left || !right || memchr(blank + 1, ' ', right)) return skip_err_set(err, SKIP_ERR_INPUT, "expected two tokens, found \"%.*s\"", (int)size, text);
	return skip_bpe_add_merge(bpe, text, left, blank + 1, right, err);
}

static enum skip_status read_merges_json(struct opening *o, const json_t *list, struct skip_err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *left = json_string_value(json_array_get(item, 0)), *right = json_string_value(json_array_get(item, 1));
		enum skip_status status;
		if (json_is_string(item)) status = add_merge(&o->tokenizer->bpe, json_string_value(item), json_string_length(item), err);
		else if (left && right)
			status = skip_bpe_add_merge(&o->tokenizer->bpe, left, strlen(left), right, strlen(right), err);
		else
			status = skip_err_set(err, SKIP_ERR_INPUT, "merge %zu is not two tokens", i);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
}

/* One merge a line behind an optional "#version" line. */
static enum skip_status read_merges_text(struct opening *o, struct skip_err *err)
{
	struct skip_buf text;
	int64_t line = 0;
	skip_buf_init(&text);
	enum skip_status status = skip_opening_path(o, merges_name, err);
	if (status == SKIP_OK) status = skip_file_read(o->path, &text, err);
	for (const char *p = skip_buf_text(&text), *end = p + text.length; status == SKIP_OK && p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((stop ? stop : end) - p), bad;
		line++;
		if (length && p[length - 1] == '\r') length--;
		bool skipped = length == 0 || (length >= 8 && memcmp(p, "#version", 8) == 0);
		if (!skip_utf8_check(p, length, &bad)) status = skip_err_at(err, SKIP_ERR_INPUT, o->path, line, -1, "not UTF-8 text");
		else if (!skipped)
			status = add_merge(&o->tokenizer->bpe, p, length, err);
		if (status == SKIP_ERR_INPUT && err) err->line = line;
		p = stop ? stop + 1 : end;
	}
	skip_buf_deinit(&text);
	return status;
}

static bool says_something(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return value && !json_is_null(value) && !json_is_false(value) && !(json_is_string(value) && !*json_string_value(value));
}

static enum skip_status read_pre_tokenizer(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	struct skip_bpe *bpe = &o->tokenizer->bpe;
	const json_t *object = json_object_get(o->json, "pre_tokenizer");
	SKIP_TRY(skip_opening_want_type(o->json, "pre_tokenizer", "ByteLevel", err));
	SKIP_TRY(skip_json_bool_or(object, "add_prefix_space", true, &bpe->blank_in_front, err));
	SKIP_TRY(skip_json_bool_or(object, "use_regex", true, &bpe->pattern, err));
cleanup:
	return status;
}

static enum skip_status read_json(struct opening *o, struct skip_err *err)
{
	static const char *const settings[] = {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"};
	enum skip_status status;
	json_t *model, *tokens, *merges;
	SKIP_TRY(skip_opening_path(o, json_name, err));
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		/* An unknown token would stand for bytes the vocabulary lacks; with all 256 there it never appears. */
		if (strcmp(settings[i], "unk_token") == 0 || !says_something(model, settings[i])) continue;
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a BPE model with \"%s\" is not supported", settings[i]));
	}
	SKIP_TRY(skip_json_object(model, "vocab", &tokens, err));
	SKIP_TRY(skip_json_array(model, "merges", &merges, err));
	SKIP_TRY(read_vocab(o, tokens, err));
	for (int byte = 0; says_something(model, "unk_token") && byte < 256; byte++)
		if (o->tokenizer->bpe.byte_id[byte] < 0)
			SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a BPE model with \"unk_token\" whose vocabulary lacks byte 0x%02x", (unsigned)byte));
	SKIP_TRY(read_merges_json(o, merges, err));
	SKIP_TRY(skip_opening_normalizer(o, err));
	SKIP_TRY(read_pre_tokenizer(o, err));
	SKIP_TRY(skip_opening_added(o, err));
	SKIP_TRY(skip_opening_templates(o, err));
cleanup:
	return status;
}

/* vocab.json and merges.txt. */
static enum skip_status read_files(struct opening *o, struct skip_err *err)
{
	struct skip_special roberta[] = {{.key = "unk_token", .name = "<unk>"},   {.key = "cls_token", .name = "<s>"},     {.key = "sep_token", .name = "</s>"},
	                                 {.key = "pad_token", .name = "<pad>"},   {.key = "mask_token", .name = "<mask>"}, {.key = "bos_token", .name = "<s>"},
	                                 {.key = "eos_token", .name = "</s>"}};
	struct skip_special gpt[] = {{.key = "unk_token", .name = "<|endoftext|>"},
	                             {.key = "bos_token", .name = "<|endoftext|>"},
	                             {.key = "eos_token", .name = "<|endoftext|>"},
	                             {.key = "pad_token"}};
	struct skip_bpe *bpe = &o->tokenizer->bpe;
	json_t *tokens = NULL;
	enum skip_status status;
	int32_t first, last;
	bpe->pattern = true;
	SKIP_TRY(skip_opening_path(o, vocab_name, err));
	SKIP_TRY(skip_json_load(o->path, &tokens, err));
	SKIP_TRY(read_vocab(o, tokens, err));
	SKIP_TRY(read_merges_text(o, err));
	SKIP_TRY(skip_opening_path(o, config_name, err));
	SKIP_TRY(skip_json_bool_or(o->config, "add_prefix_space", false, &bpe->blank_in_front, err));
	if (skip_vocab_find(&bpe->vocab, "<s>", 3) >= 0 && skip_vocab_find(&bpe->vocab, "</s>", 4) >= 0) {
		SKIP_TRY(skip_opening_config_added(o, roberta, 7, true, err));
		SKIP_TRY(skip_opening_id(o, roberta[1].name, &first, err));
		SKIP_TRY(skip_opening_id(o, roberta[2].name, &last, err));
		skip_opening_plain_templates(o->tokenizer, first, last, last, last, 0);
	} else {
		SKIP_TRY(skip_opening_config_added(o, gpt, 4, true, err));
		skip_opening_plain_templates(o->tokenizer, -1, -1, -1, -1, 1);
	}
	skip_opening_carry(o, vocab_name);
	skip_opening_carry(o, merges_name);
cleanup:
	json_decref(tokens);
	return status;
}

static enum skip_status read(struct opening *o, struct skip_err *err)
{
	skip_bpe_init(&o->tokenizer->bpe);
	return o->json ? read_json(o, err) : read_files(o, err);
}

static bool encode(const struct skip_tokenizer *tokenizer, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out)
{
	(void)at_start;
	return skip_bpe_encode(&tokenizer->bpe, text, size, enough, out);
}

static const struct skip_vocab *vocab(const struct skip_tokenizer *tokenizer)
{
	return &tokenizer->bpe.vocab;
}

static void deinit(struct skip_tokenizer *tokenizer)
{
	skip_bpe_deinit(&tokenizer->bpe);
}

static const char *const files[] = {merges_name, NULL};

const struct skip_tokenizer_kind skip_tokenizer_bpe = {
    .name = "bpe",
    .model = "BPE",
    .files = files,
    .read = read,
    .encode = encode,
    .vocab = vocab,
    .deinit = deinit,
};
