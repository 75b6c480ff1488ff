/* "normalizer" of tokenizer.json -> steps. A step that is not known is refused, because ids would differ. */
#include "base/alloc.h"
#include "text/tokenizer_impl.h"
#include <nettle/base64.h>
#include <string.h>

static enum skip_status no_memory(struct skip_err *err)
{
	return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a normalizer");
}

/* {"pattern": {"String": "``"} or {"Regex": " {2,}"}, "content": "\""} */
static enum skip_status read_replace(struct skip_normalizer *normalizer, const json_t *object, struct skip_err *err)
{
	static const struct {
		const char *regex;
		enum skip_norm kind;
	} known[] = {{" {2,}", SKIP_NORM_BLANKS}, {"\\s{2,}|[\\n\\r\\t]", SKIP_NORM_SPACES}};
	const json_t *pattern = json_object_get(object, "pattern");
	const char *text = json_string_value(json_object_get(pattern, "String")), *regex = json_string_value(json_object_get(pattern, "Regex"));
	const char *content = json_string_value(json_object_get(object, "content"));
	enum skip_norm kind = SKIP_NORM_REPLACE;
	size_t i = 0, n = sizeof(known) / sizeof(known[0]);
	while (regex && i < n && strcmp(known[i].regex, regex) != 0) i++;
	if (regex && i < n) kind = known[i].kind;
	if (!content || (!text && !regex) || (text && !*text) || (regex && i == n))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "normalizer Replace of %s; a text, \" {2,}\" and \"\\s{2,}|[\\n\\r\\t]\" are supported",
		                    regex ? regex : "nothing");
	struct skip_norm_step *step = skip_normalizer_add(normalizer, kind);
	if (!step) return no_memory(err);
	step->pattern = skip_strdup(text ? text : regex);
	step->content = skip_strdup(content);
	return step->pattern && step->content ? SKIP_OK : no_memory(err);
}

static enum skip_status read_charsmap(struct skip_normalizer *normalizer, const json_t *object, struct skip_err *err)
{
	const char *text;
	enum skip_status status = skip_json_string(object, "precompiled_charsmap", &text, err);
	if (status != SKIP_OK || !*text) return status;
	struct base64_decode_ctx context;
	size_t length = strlen(text), size = BASE64_DECODE_LENGTH(length);
	unsigned char *data = skip_alloc_array(size, 1);
	struct skip_norm_step *step = data ? skip_normalizer_add(normalizer, SKIP_NORM_CHARSMAP) : NULL;
	base64_decode_init(&context);
	if (!step) status = no_memory(err);
	else if (!base64_decode_update(&context, &size, data, length, text) || !base64_decode_final(&context))
		status = skip_err_set(err, SKIP_ERR_INPUT, "\"precompiled_charsmap\" is not base64");
	else
		status = skip_charsmap_open(&step->map, data, size, err);
	skip_free(data);
	return status;
}

static enum skip_status read_step(struct skip_normalizer *normalizer, const json_t *object, struct skip_err *err)
{
	static const struct {
		const char *type;
		enum skip_norm kind;
	} plain[] = {
	    {"NFC", SKIP_NORM_NFC},   {"NFD", SKIP_NORM_NFD},         {"NFKC", SKIP_NORM_NFKC},          {"NFKD", SKIP_NORM_NFKD},
	    {"Strip", SKIP_NORM_STRIP}, {"Lowercase", SKIP_NORM_LOWER}, {"StripAccents", SKIP_NORM_ACCENTS},
	};
	const char *type = json_string_value(json_object_get(object, "type"));
	enum skip_status status = SKIP_OK;
	if (type && strcmp(type, "Sequence") == 0) {
		size_t i;
		json_t *item;
		json_array_foreach(json_object_get(object, "normalizers"), i, item)
		{
			status = read_step(normalizer, item, err);
			if (status != SKIP_OK) return status;
		}
		return SKIP_OK;
	}
	if (type && strcmp(type, "Replace") == 0) return read_replace(normalizer, object, err);
	if (type && strcmp(type, "Precompiled") == 0) return read_charsmap(normalizer, object, err);
	for (size_t i = 0; type && i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(plain[i].type, type) != 0) continue;
		struct skip_norm_step *step = skip_normalizer_add(normalizer, plain[i].kind);
		if (!step) return no_memory(err);
		status = skip_json_bool_or(object, "strip_left", true, &step->left, err);
		return status == SKIP_OK ? skip_json_bool_or(object, "strip_right", true, &step->right, err) : status;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "normalizer of type %s is not supported", type ? type : "null");
}

enum skip_status skip_opening_normalizer(struct opening *o, struct skip_err *err)
{
	const json_t *object = json_object_get(o->json, "normalizer");
	return !object || json_is_null(object) ? SKIP_OK : read_step(&o->tokenizer->normalizer, object, err);
}
