/*
 * Unigram from tokenizer.json, or from a SentencePiece model file, whose name says whose settings go with it: sentencepiece.bpe.model is XLM-R's,
 * spiece.model ALBERT's, spm.model DeBERTa's. Whatever would tokenize differently from the library is refused.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/sentencepiece.pb-c.h"
#include "text/tokenizer_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json_name[] = "tokenizer.json", config_name[] = "tokenizer_config.json";
static const char xlmr_name[] = "sentencepiece.bpe.model", albert_name[] = "spiece.model", deberta_name[] = "spm.model";

/*
 * A score as the library reads it from JSON: its reader takes the digits as an integer and divides by a power of ten, which rounds twice and now and then
 * is a bit off. Sums that tie, and with them ids, depend on that bit. The digits are the shortest that read back as `score`, which is how files have them.
 */
static double library_score(double score)
{
	char text[40] = "", power[16];
	for (int digits = 0; digits < 17 && (!text[0] || strtod(text, NULL) != score); digits++) snprintf(text, sizeof(text), "%.*e", digits, score);
	uint64_t significand = 0;
	int exponent = 0;
	const char *p = text;
	for (; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9') significand = 10 * significand + (uint64_t)(*p - '0');
	if (*p) exponent = (int)strtol(p + 1, NULL, 10);
	while (significand && significand % 10 == 0) significand /= 10;
	for (uint64_t rest = significand; rest >= 10; rest /= 10) exponent--;
	snprintf(power, sizeof(power), "1e%d", exponent < 0 ? -exponent : exponent);
	double value = exponent < 0 ? (double)significand / strtod(power, NULL) : (double)significand * strtod(power, NULL);
	return score < 0 ? -value : value;
}

static enum skip_status read_vocab(struct opening *o, const json_t *list, struct skip_err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *piece = json_string_value(json_array_get(item, 0));
		const json_t *score = json_array_get(item, 1);
		if (!piece || !*piece || !json_is_number(score)) return skip_err_set(err, SKIP_ERR_INPUT, "vocabulary entry %zu is no piece with a score", i);
		enum skip_status status = skip_unigram_add(&o->tokenizer->unigram, piece, library_score(json_number_value(score)), err);
		if (status != SKIP_OK) return status;
	}
	if (!json_array_size(list)) return skip_err_set(err, SKIP_ERR_INPUT, "the vocabulary is empty");
	o->tokenizer->vocab_size = json_array_size(list);
	return SKIP_OK;
}

static enum skip_status read_metaspace(struct skip_unigram *unigram, const json_t *object, struct skip_err *err)
{
	static const char *const schemes[] = {[SKIP_FRONT_NEVER] = "never", [SKIP_FRONT_ALWAYS] = "always", [SKIP_FRONT_FIRST] = "first"};
	const char *sign = json_string_value(json_object_get(object, "replacement")), *scheme = json_string_value(json_object_get(object, "prepend_scheme"));
	bool front, split;
	enum skip_status status;
	SKIP_TRY(skip_json_bool_or(object, "add_prefix_space", true, &front, err));
	SKIP_TRY(skip_json_bool_or(object, "split", true, &split, err));
	if (!scheme) scheme = schemes[front ? SKIP_FRONT_ALWAYS : SKIP_FRONT_NEVER];
	int i = 0;
	while (i < 3 && strcmp(schemes[i], scheme) != 0) i++;
	if (!sign || strcmp(sign, "\xe2\x96\x81") != 0 || !split || i == 3)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "pre_tokenizer Metaspace that does not cut at U+2581, or with prepend_scheme \"%s\"", scheme));
	unigram->front = (enum skip_unigram_front)i;
cleanup:
	return status;
}

/* Metaspace, or WhitespaceSplit and Metaspace. */
static enum skip_status read_pre_tokenizer(struct opening *o, struct skip_err *err)
{
	struct skip_unigram *unigram = &o->tokenizer->unigram;
	const json_t *object = json_object_get(o->json, "pre_tokenizer"), *list = json_object_get(object, "pretokenizers");
	bool sequence = json_is_array(list);
	for (size_t i = 0, n = sequence ? json_array_size(list) : 1; i < n; i++) {
		const json_t *part = sequence ? json_array_get(list, i) : object;
		const char *type = json_string_value(json_object_get(part, "type"));
		if (type && strcmp(type, "Metaspace") == 0 && i + 1 == n) return read_metaspace(unigram, part, err);
		if (!type || strcmp(type, "WhitespaceSplit") != 0 || i > 0)
			return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "pre_tokenizer of type %s; WhitespaceSplit and Metaspace are supported", type ? type : "null");
		unigram->split_spaces = true;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "pre_tokenizer without Metaspace");
}

static enum skip_status read_json(struct opening *o, struct skip_err *err)
{
	enum skip_status status;
	json_t *model, *list;
	int64_t unknown;
	bool bytes;
	SKIP_TRY(skip_opening_path(o, json_name, err));
	SKIP_TRY(skip_json_object(o->json, "model", &model, err));
	SKIP_TRY(skip_json_bool_or(model, "byte_fallback", false, &bytes, err));
	if (bytes) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a Unigram model with \"byte_fallback\" is not supported"));
	SKIP_TRY(skip_json_array(model, "vocab", &list, err));
	SKIP_TRY(read_vocab(o, list, err));
	SKIP_TRY(skip_json_int(model, "unk_id", 0, (int64_t)o->tokenizer->vocab_size - 1, &unknown, err));
	o->tokenizer->unigram.unknown = (int32_t)unknown;
	SKIP_TRY(skip_opening_normalizer(o, err));
	SKIP_TRY(read_pre_tokenizer(o, err));
	SKIP_TRY(skip_opening_added(o, err));
	SKIP_TRY(skip_opening_templates(o, err));
cleanup:
	return status;
}

static enum skip_status add_step(struct skip_normalizer *normalizer, enum skip_norm kind, const char *pattern, const char *content, struct skip_err *err)
{
	struct skip_norm_step *step = skip_normalizer_add(normalizer, kind);
	if (!step) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a normalizer");
	step->right = true;
	if (!content) return SKIP_OK;
	step->pattern = skip_strdup(pattern);
	step->content = skip_strdup(content);
	return step->pattern && step->content ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a normalizer");
}

static enum skip_status add_charsmap(struct skip_normalizer *normalizer, const Sentencepiece__ModelProto *model, struct skip_err *err)
{
	const ProtobufCBinaryData *data = model->normalizer_spec && model->normalizer_spec->has_precompiled_charsmap ? &model->normalizer_spec->precompiled_charsmap : NULL;
	if (!data || !data->len) return SKIP_OK;
	struct skip_norm_step *step = skip_normalizer_add(normalizer, SKIP_NORM_CHARSMAP);
	if (!step) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a normalizer");
	return skip_charsmap_open(&step->map, data->data, data->len, err);
}

/* What goes with a model file, by its name and where two classes share one by that of the folder: what the library's class of that family sets. */
struct family {
	const char *file, *class, *model_type; /* class NULL: any */
	const char *names[5];       /* of unk, cls, sep, pad and mask */
	const char *const *before;  /* fairseq's order: these stand before the pieces, <mask> behind them; NULL: the pieces alone */
	size_t first_piece;         /* the first that then counts */
	bool split_spaces;
	bool two_separators;        /* between A and B, and B has type 0 */
	enum skip_status (*normalizer)(struct opening *o, const Sentencepiece__ModelProto *model, struct skip_err *err);
};

static enum skip_status xlmr_normalizer(struct opening *o, const Sentencepiece__ModelProto *model, struct skip_err *err)
{
	return add_charsmap(&o->tokenizer->normalizer, model, err);
}

static enum skip_status albert_normalizer(struct opening *o, const Sentencepiece__ModelProto *model, struct skip_err *err)
{
	enum skip_status status;
	struct skip_normalizer *normalizer = &o->tokenizer->normalizer;
	bool accents, lower;
	SKIP_TRY(skip_json_bool_or(o->config, "keep_accents", false, &accents, err));
	SKIP_TRY(skip_json_bool_or(o->config, "do_lower_case", true, &lower, err));
	SKIP_TRY(add_step(normalizer, SKIP_NORM_REPLACE, "``", "\"", err));
	SKIP_TRY(add_step(normalizer, SKIP_NORM_REPLACE, "''", "\"", err));
	if (!accents) SKIP_TRY(add_step(normalizer, SKIP_NORM_NFKD, NULL, NULL, err));
	if (!accents) SKIP_TRY(add_step(normalizer, SKIP_NORM_ACCENTS, NULL, NULL, err));
	if (lower) SKIP_TRY(add_step(normalizer, SKIP_NORM_LOWER, NULL, NULL, err));
	SKIP_TRY(add_charsmap(normalizer, model, err));
cleanup:
	return status;
}

static enum skip_status deberta_normalizer(struct opening *o, const Sentencepiece__ModelProto *model, struct skip_err *err)
{
	(void)model; /* the library's class leaves the map of the file out and takes NFC */
	enum skip_status status;
	struct skip_normalizer *normalizer = &o->tokenizer->normalizer;
	bool lower, punctuation;
	SKIP_TRY(skip_json_bool_or(o->config, "do_lower_case", false, &lower, err));
	SKIP_TRY(skip_json_bool_or(o->config, "split_by_punct", false, &punctuation, err));
	if (punctuation) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "\"split_by_punct\" is not supported"));
	if (lower) SKIP_TRY(add_step(normalizer, SKIP_NORM_LOWER, NULL, NULL, err));
	SKIP_TRY(add_step(normalizer, SKIP_NORM_SPACES, "", " ", err));
	SKIP_TRY(add_step(normalizer, SKIP_NORM_NFC, NULL, NULL, err));
	SKIP_TRY(add_step(normalizer, SKIP_NORM_STRIP, NULL, NULL, err));
cleanup:
	return status;
}

/* CamemBERT's own rows of these names have no use; the pieces called so are what counts. */
static const char *const camembert_before[] = {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", NULL};
static const char *const xlmr_before[] = {"<s>", "<pad>", "</s>", "<unk>", NULL};

static const struct family families[] = {
    {xlmr_name, "CamembertTokenizer", "camembert", {"<unk>", "<s>", "</s>", "<pad>", "<mask>"}, camembert_before, 1, true, true, xlmr_normalizer},
    {xlmr_name, NULL, NULL, {"<unk>", "<s>", "</s>", "<pad>", "<mask>"}, xlmr_before, 3, true, true, xlmr_normalizer},
    {albert_name, NULL, NULL, {"<unk>", "[CLS]", "[SEP]", "<pad>", "[MASK]"}, NULL, 0, true, false, albert_normalizer},
    {deberta_name, NULL, NULL, {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"}, NULL, 0, false, false, deberta_normalizer},
};

static const struct family *family_of(struct opening *o)
{
	const struct family *family = families;
	while (!skip_opening_has(o, family->file) || (family->class && !skip_opening_is_class(o, family->class, family->model_type))) family++;
	return family;
}

static enum skip_status add_pieces(struct opening *o, const struct family *family, const Sentencepiece__ModelProto *model, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_unigram *unigram = &o->tokenizer->unigram;
	for (const char *const *name = family->before; name && *name; name++) SKIP_TRY(skip_unigram_add(unigram, *name, 0, err));
	for (size_t i = family->first_piece; i < model->n_pieces; i++) {
		const Sentencepiece__ModelProto__SentencePiece *piece = model->pieces[i];
		size_t bad;
		if (!piece->piece || !*piece->piece || !skip_utf8_check(piece->piece, strlen(piece->piece), &bad))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "piece %zu is no text", i));
		SKIP_TRY(skip_unigram_add(unigram, piece->piece, (double)piece->score, err));
	}
	if (family->before) SKIP_TRY(skip_unigram_add(unigram, family->names[4], 0, err));
	o->tokenizer->vocab_size = unigram->vocab.count;
cleanup:
	return status;
}

static enum skip_status unpack(struct opening *o, Sentencepiece__ModelProto **out, struct skip_err *err)
{
	struct skip_buf data;
	skip_buf_init(&data);
	enum skip_status status = skip_file_read(o->path, &data, err);
	Sentencepiece__ModelProto *model = NULL;
	if (status == SKIP_OK) {
		model = sentencepiece__model_proto__unpack(NULL, data.length, (const uint8_t *)skip_buf_text(&data));
		if (!model || model->n_pieces < 4) status = skip_err_set(err, SKIP_ERR_INPUT, "not a SentencePiece model");
		else if (model->trainer_spec && model->trainer_spec->model_type != SENTENCEPIECE__TRAINER_SPEC__MODEL_TYPE__UNIGRAM)
			status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a SentencePiece model that is not of type unigram");
		else if (model->trainer_spec && model->trainer_spec->byte_fallback)
			status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a SentencePiece model with byte_fallback is not supported");
	}
	skip_buf_deinit(&data);
	if (status == SKIP_OK) *out = model;
	else if (model)
		sentencepiece__model_proto__free_unpacked(model, NULL);
	return status;
}

static enum skip_status read_file(struct opening *o, struct skip_err *err)
{
	struct skip_special special[] = {{.key = "unk_token"}, {.key = "cls_token"}, {.key = "sep_token"}, {.key = "pad_token"}, {.key = "mask_token"}};
	Sentencepiece__ModelProto *model = NULL;
	struct skip_unigram *unigram = &o->tokenizer->unigram;
	enum skip_status status;
	const struct family *family = family_of(o);
	int32_t first, last;
	SKIP_TRY(skip_opening_path(o, family->file, err));
	SKIP_TRY(unpack(o, &model, err));
	SKIP_TRY(add_pieces(o, family, model, err));
	SKIP_TRY(family->normalizer(o, model, err));
	for (int i = 0; i < 5; i++) special[i].name = family->names[i];
	unigram->split_spaces = family->split_spaces;
	unigram->front = SKIP_FRONT_ALWAYS;
	SKIP_TRY(skip_opening_id(o, special[0].name, &unigram->unknown, err));
	SKIP_TRY(skip_opening_path(o, config_name, err));
	SKIP_TRY(skip_opening_config_added(o, special, 5, true, err));
	SKIP_TRY(skip_opening_id(o, special[1].name, &first, err));
	SKIP_TRY(skip_opening_id(o, special[2].name, &last, err));
	skip_opening_plain_templates(o->tokenizer, first, last, family->two_separators ? last : -1, last, family->two_separators ? 0 : 1);
	skip_opening_carry(o, family->file);
cleanup:
	if (model) sentencepiece__model_proto__free_unpacked(model, NULL);
	return status;
}

static enum skip_status read(struct opening *o, struct skip_err *err)
{
	skip_unigram_init(&o->tokenizer->unigram);
	return o->json ? read_json(o, err) : read_file(o, err);
}

static bool encode(const struct skip_tokenizer *tokenizer, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out)
{
	return skip_unigram_encode(&tokenizer->unigram, text, size, at_start, enough, out);
}

static const struct skip_vocab *vocab(const struct skip_tokenizer *tokenizer)
{
	return &tokenizer->unigram.vocab;
}

static void deinit(struct skip_tokenizer *tokenizer)
{
	skip_unigram_deinit(&tokenizer->unigram);
}

static const char *const files[] = {xlmr_name, albert_name, deberta_name, NULL};

const struct skip_tokenizer_kind skip_tokenizer_unigram = {
    .name = "unigram",
    .model = "Unigram",
    .files = files,
    .read = read,
    .encode = encode,
    .vocab = vocab,
    .deinit = deinit,
};
