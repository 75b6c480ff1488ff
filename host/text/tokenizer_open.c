/*
 * Opening a folder: which kind of tokenizer it holds, and what all kinds read alike (added tokens, special tokens, templates). The kinds are
 * open_*.c; normalisers are open_normalizer.c.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "text/tokenizer_impl.h"
#include <string.h>

static const char json_name[] = "tokenizer.json", config_name[] = "tokenizer_config.json", special_name[] = "special_tokens_map.json",
		  model_name[] = "config.json", decoder_key[] = "added_tokens_decoder", class_key[] = "tokenizer_class";
static const struct skip_tokenizer_kind *const kinds[] = {&skip_tokenizer_wordpiece, &skip_tokenizer_bpe, &skip_tokenizer_unigram};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum skip_status skip_opening_path(struct opening *o, const char *name, struct skip_err *err)
{
	if (skip_path_join(o->path, sizeof(o->path), o->folder, name)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s/%s", o->folder, name);
}

bool skip_opening_has(struct opening *o, const char *name)
{
	char path[4096];
	return skip_path_join(path, sizeof(path), o->folder, name) && skip_file_exists(path);
}

void skip_opening_carry(struct opening *o, const char *name)
{
	if (skip_opening_has(o, name)) o->tokenizer->files[o->n_files++] = name;
}

static enum skip_status load_if_there(struct opening *o, const char *name, enum skip_status (*load)(const char *, json_t **, struct skip_err *), json_t **out,
				      struct skip_err *err)
{
	enum skip_status status = skip_opening_path(o, name, err);
	if (status != SKIP_OK || !skip_file_exists(o->path)) return status;
	status = load(o->path, out, err);
	if (status == SKIP_OK && !json_is_object(*out)) status = skip_err_at(err, SKIP_ERR_INPUT, o->path, 0, -1, "expected a JSON object");
	return status;
}

enum skip_status skip_opening_want_type(const json_t *object, const char *part, const char *wanted, struct skip_err *err)
{
	const char *type = json_string_value(json_object_get(json_object_get(object, part), "type"));
	if (type && strcmp(type, wanted) == 0) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "%s of type %s; only %s is supported", part, type ? type : "null", wanted);
}

bool skip_opening_is_class(struct opening *o, const char *class, const char *model_type)
{
	const char *name = json_string_value(json_object_get(o->model ? o->model : o->config, class_key));
	const char *type = json_string_value(json_object_get(o->model, "model_type"));
	size_t length = strlen(class);
	bool found = name ? strncmp(name, class, length) == 0 && (!name[length] || strcmp(name + length, "Fast") == 0)
			  : type && strcmp(type, model_type) == 0;
	if (found && o->model) skip_opening_carry(o, model_name);
	return found;
}

static const struct skip_vocab *vocab_of(const struct opening *o)
{
	return o->tokenizer->kind->vocab(o->tokenizer);
}

static struct skip_behaviour behaviour_of(const json_t *object)
{
	return (struct skip_behaviour){.lstrip = json_is_true(json_object_get(object, "lstrip")),
	                               .rstrip = json_is_true(json_object_get(object, "rstrip")),
	                               .normalized = json_is_true(json_object_get(object, "normalized")),
	                               .single_word = json_is_true(json_object_get(object, "single_word"))};
}

/* `id` -1: that of the vocabulary, no token when it has none. */
static enum skip_status add_added(struct opening *o, const char *content, int64_t id, const struct skip_behaviour *how, struct skip_err *err)
{
	struct skip_tokenizer *tokenizer = o->tokenizer;
	int32_t in_vocab = skip_vocab_find(vocab_of(o), content, strlen(content));
	if (id < 0) id = in_vocab;
	if (id < 0) return SKIP_OK;
	const char *holder = skip_vocab_token(vocab_of(o), (int32_t)id);
	if (content[0] == '\0' || (in_vocab >= 0 && in_vocab != id) || (in_vocab < 0 && holder))
		return skip_err_set(err, SKIP_ERR_INPUT, "added token \"%s\" has id %lld, which the vocabulary gives to \"%s\"", content,
		                    (long long)id, holder ? holder : "no token");
	if (how->single_word) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "added token \"%s\" is single_word, which is not supported", content);
	struct skip_added_token token = {(char *)(uintptr_t)content, (int32_t)id, how->lstrip, how->rstrip};
	struct skip_buf match;
	skip_buf_init(&match);
	enum skip_status status = SKIP_OK;
	if (how->normalized && !skip_normalize(&tokenizer->normalizer, content, strlen(content), &match))
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for added tokens");
	else
		status = skip_added_add(how->normalized ? &tokenizer->normal : &tokenizer->raw, &token, how->normalized ? skip_buf_text(&match) : content,
		                        how->normalized ? match.length : strlen(content), err);
	skip_buf_deinit(&match);
	if (status == SKIP_OK && (size_t)id >= tokenizer->vocab_size) tokenizer->vocab_size = (size_t)id + 1;
	return status;
}

enum skip_status skip_opening_added(struct opening *o, struct skip_err *err)
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
		struct skip_behaviour how = behaviour_of(item);
		SKIP_TRY(add_added(o, content, id, &how, err));
	}
cleanup:
	return status;
}

static int32_t added_id(const struct skip_added *added, const char *name)
{
	for (size_t i = 0; i < added->count; i++)
		if (strcmp(added->token[i].content, name) == 0) return added->token[i].id;
	return -1;
}

static bool is_added(const struct skip_tokenizer *tokenizer, const char *name)
{
	return added_id(&tokenizer->raw, name) >= 0 || added_id(&tokenizer->normal, name) >= 0;
}

/* "unk_token": "[UNK]", or {"content": "[UNK]", "lstrip": ...}, which says the behaviour too. special_tokens_map.json goes first; it is not there where
 * "added_tokens_decoder" says all. */
static void read_special(const struct opening *o, struct skip_special *special)
{
	const json_t *said = json_object_get(o->special, special->key);
	if (!said) said = json_object_get(o->config, special->key);
	const char *content = json_string_value(json_is_object(said) ? json_object_get(said, "content") : said);
	if (!content) return;
	special->name = content;
	if (json_is_object(said)) special->how = behaviour_of(said);
}

enum skip_status skip_opening_config_added(struct opening *o, struct skip_special *special, size_t n, bool append, struct skip_err *err)
{
	json_t *decoder = json_object_get(o->config, decoder_key), *object;
	const char *key;
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < n; i++) read_special(o, &special[i]);
	json_object_foreach(decoder, key, object)
	{
		char *end;
		const char *content = json_string_value(json_object_get(object, "content"));
		struct skip_behaviour how = behaviour_of(object);
		long long id = strtoll(key, &end, 10);
		if (!content || *end || end == key || id < 0 || id >= INT32_MAX)
			return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": entry \"%s\" is no id with a token", decoder_key, key);
		SKIP_TRY(add_added(o, content, id, &how, err));
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = special[i].name;
		if (!name || is_added(o->tokenizer, name)) continue; /* one that is there already stays as it is */
		bool new_one = append && skip_vocab_find(vocab_of(o), name, strlen(name)) < 0;
		SKIP_TRY(add_added(o, name, new_one ? (int64_t)o->tokenizer->vocab_size : -1, &special[i].how, err));
	}
cleanup:
	return status;
}

enum skip_status skip_opening_id(struct opening *o, const char *name, int32_t *out, struct skip_err *err)
{
	int32_t id = skip_vocab_find(vocab_of(o), name, strlen(name));
	if (id < 0) id = added_id(&o->tokenizer->raw, name);
	if (id < 0) id = added_id(&o->tokenizer->normal, name);
	if (id < 0) return skip_err_set(err, SKIP_ERR_INPUT, "the vocabulary has no special token \"%s\"", name);
	*out = id;
	return SKIP_OK;
}

static void put_special(struct skip_template_part *part, int32_t id, int32_t type)
{
	if (id < 0) return;
	part->id[part->count] = id;
	part->type[part->count++] = type;
}

void skip_opening_plain_templates(struct skip_tokenizer *tokenizer, int32_t before, int32_t between, int32_t between2, int32_t behind, int32_t type_b)
{
	memset(&tokenizer->single, 0, sizeof(tokenizer->single));
	put_special(&tokenizer->single.before, before, 0);
	put_special(&tokenizer->single.behind, behind, 0);
	tokenizer->pair = tokenizer->single;
	tokenizer->pair.type_b = type_b;
	tokenizer->pair.behind.count = 0;
	put_special(&tokenizer->pair.between, between, 0);
	put_special(&tokenizer->pair.between, between2, 0);
	put_special(&tokenizer->pair.behind, behind, type_b);
}

/* [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", ...}}, ...] */
static enum skip_status read_template(struct opening *o, const json_t *items, const char *texts, struct skip_template *out, struct skip_err *err)
{
	struct skip_template_part *const parts[2][3] = {{&out->before, &out->behind, NULL}, {&out->before, &out->between, &out->behind}};
	size_t i, seen = 0, n_texts = strlen(texts);
	json_t *item;
	memset(out, 0, sizeof(*out));
	json_array_foreach(items, i, item)
	{
		const json_t *special = json_object_get(item, "SpecialToken"), *sequence = json_object_get(item, "Sequence");
		const char *id = json_string_value(json_object_get(special ? special : sequence, "id"));
		json_int_t type = json_integer_value(json_object_get(special ? special : sequence, "type_id"));
		struct skip_template_part *part = parts[n_texts - 1][seen];
		bool good = id && type >= 0 && type <= 1;
		if (good && special) {
			int32_t number;
			enum skip_status status = skip_opening_id(o, id, &number, err);
			if (status != SKIP_OK) return status;
			good = part->count < SKIP_TEMPLATE_MAX;
			if (good) put_special(part, number, (int32_t)type);
		} else if (good) {
			good = seen < n_texts && id[0] == texts[seen] && !id[1];
			*(seen++ ? &out->type_b : &out->type_a) = (int32_t)type;
		}
		if (!good)
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED,
			                    "the post_processor template is not special tokens around %s (item %zu)", n_texts == 1 ? "A" : "A and B", i);
	}
	if (seen == n_texts) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the post_processor template is not special tokens around %s (item %zu)",
	                    n_texts == 1 ? "A" : "A and B", json_array_size(items));
}

/* {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]} of BertProcessing and RobertaProcessing. */
static enum skip_status read_pair_of_tokens(struct opening *o, const json_t *processor, bool roberta, struct skip_err *err)
{
	const char *cls = json_string_value(json_array_get(json_object_get(processor, "cls"), 0));
	const char *sep = json_string_value(json_array_get(json_object_get(processor, "sep"), 0));
	int32_t first = 0, last = 0;
	if (!cls || !sep)
		return skip_err_set(err, SKIP_ERR_INPUT, "%s without \"cls\" and \"sep\"", roberta ? "RobertaProcessing" : "BertProcessing");
	enum skip_status status = skip_opening_id(o, cls, &first, err);
	if (status == SKIP_OK) status = skip_opening_id(o, sep, &last, err);
	if (status == SKIP_OK) skip_opening_plain_templates(o->tokenizer, first, last, roberta ? last : -1, last, roberta ? 0 : 1);
	return status;
}

static enum skip_status read_processor(struct opening *o, const json_t *processor, struct skip_err *err)
{
	const char *type = json_string_value(json_object_get(processor, "type"));
	bool wordpiece = o->tokenizer->kind == &skip_tokenizer_wordpiece;
	if (type && (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0))
		return read_pair_of_tokens(o, processor, type[0] == 'R', err);
	if (type && strcmp(type, "TemplateProcessing") == 0) {
		enum skip_status status = read_template(o, json_object_get(processor, "single"), "A", &o->tokenizer->single, err);
		return status == SKIP_OK ? read_template(o, json_object_get(processor, "pair"), "AB", &o->tokenizer->pair, err) : status;
	}
	if (!wordpiece && type && strcmp(type, "Sequence") == 0) { /* only the last can add tokens: ByteLevel before it moves offsets */
		const json_t *list = json_object_get(processor, "processors");
		size_t n = json_array_size(list);
		for (size_t i = 0; i + 1 < n; i++) {
			const char *part = json_string_value(json_object_get(json_array_get(list, i), "type"));
			if (!part || strcmp(part, "ByteLevel") != 0) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "post_processor: %s before another", part ? part : "null");
		}
		return read_processor(o, json_array_get(list, n ? n - 1 : 0), err);
	}
	bool nothing = !processor || json_is_null(processor) || (type && strcmp(type, "ByteLevel") == 0);
	if (!wordpiece && nothing) {
		skip_opening_plain_templates(o->tokenizer, -1, -1, -1, -1, 1);
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "post_processor of type %s; only TemplateProcessing is supported", type ? type : "null");
}

enum skip_status skip_opening_templates(struct opening *o, struct skip_err *err)
{
	return read_processor(o, json_object_get(o->json, "post_processor"), err);
}

/* By "model" of tokenizer.json; "type" is missing in old files, where the other members tell. Without it by the files of the folder. */
static enum skip_status find_kind(struct opening *o, struct skip_err *err)
{
	const json_t *model = json_object_get(o->json, "model");
	const char *type = json_string_value(json_object_get(model, "type"));
	if (o->json && !type) type = json_is_array(json_object_get(model, "vocab")) ? "Unigram" : json_object_get(model, "merges") ? "BPE" : "WordPiece";
	for (size_t i = 0; i < KINDS; i++) {
		bool found = type && strcmp(kinds[i]->model, type) == 0;
		for (const char *const *file = kinds[i]->files; !o->json && !found && *file; file++) found = skip_opening_has(o, *file);
		if (!found) continue;
		o->tokenizer->kind = kinds[i];
		return SKIP_OK;
	}
	if (!o->json)
		return skip_err_at(err, SKIP_ERR_IO, o->folder, 0, -1,
		                   "no tokenizer: expected tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece model");
	return skip_err_at(err, SKIP_ERR_UNSUPPORTED, o->path, 0, -1, "model of type %s; WordPiece, BPE and Unigram are supported", type);
}

/* What tokenizer.json would have said: special tokens, and by config.json the class of the tokenizer. */
static enum skip_status load_more(struct opening *o, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (!json_object_get(o->config, decoder_key)) {
		SKIP_TRY(load_if_there(o, special_name, skip_json_load, &o->special, err));
		skip_opening_carry(o, special_name);
	}
	if (!json_is_string(json_object_get(o->config, class_key))) SKIP_TRY(load_if_there(o, model_name, skip_json_load_reals, &o->model, err));
cleanup:
	return status;
}

static enum skip_status read_all(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	/* "model_max_length" of many folders is 10^30, which means none */
	SKIP_TRY(load_if_there(o, config_name, skip_json_load_reals, &o->config, err));
	SKIP_TRY(load_if_there(o, json_name, skip_json_load, &o->json, err));
	SKIP_TRY(find_kind(o, err));
	skip_opening_carry(o, json_name);
	skip_opening_carry(o, config_name);
	if (!o->json) SKIP_TRY(load_more(o, err));
	SKIP_TRY(o->tokenizer->kind->read(o, err));
cleanup:
	if (status == SKIP_ERR_INPUT || status == SKIP_ERR_UNSUPPORTED) skip_err_add_file(err, o->path);
	return status;
}

enum skip_status skip_tokenizer_open(const char *folder, struct skip_tokenizer **out, struct skip_err *err)
{
	struct opening o = {.folder = folder, .tokenizer = skip_alloc_zeroed(1, sizeof(struct skip_tokenizer))};
	if (!o.tokenizer) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a tokenizer");
	skip_added_init(&o.tokenizer->raw);
	skip_added_init(&o.tokenizer->normal);
	enum skip_status status = read_all(&o, err);
	json_decref(o.json);
	json_decref(o.config);
	json_decref(o.special);
	json_decref(o.model);
	if (status == SKIP_OK) *out = o.tokenizer;
	else
		skip_tokenizer_close(o.tokenizer);
	return status;
}

void skip_tokenizer_close(struct skip_tokenizer *tokenizer)
{
	if (!tokenizer) return;
	if (tokenizer->kind) tokenizer->kind->deinit(tokenizer);
	skip_normalizer_deinit(&tokenizer->normalizer);
	skip_added_deinit(&tokenizer->raw);
	skip_added_deinit(&tokenizer->normal);
	skip_free(tokenizer);
}
