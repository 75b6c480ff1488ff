/* Members of config.json, checked. Knows no architecture. */
#include "model/config.h"
#include <math.h>
#include <string.h>

enum skip_status skip_config_size(const json_t *config, const char *key, int64_t max, int *out, struct skip_err *err)
{
	int64_t value = 0;
	enum skip_status status = skip_json_int(config, key, 1, max, &value, err);
	if (status == SKIP_OK) *out = (int)value;
	return status;
}

enum skip_status skip_config_size_or(const json_t *config, const char *key, int fallback, int64_t max, int *out, struct skip_err *err)
{
	int64_t value = 0;
	enum skip_status status = skip_json_int_or(config, key, fallback, 1, max, &value, err);
	if (status == SKIP_OK) *out = (int)value;
	return status;
}

enum skip_status skip_config_text_or(const json_t *config, const char *key, const char *fallback, const char **out, struct skip_err *err)
{
	const json_t *value = json_object_get(config, key);
	if (value && !json_is_null(value)) return skip_json_string(config, key, out, err);
	*out = fallback;
	return SKIP_OK;
}

enum skip_status skip_config_epsilon_or(const json_t *config, const char *key, double fallback, float *out, struct skip_err *err)
{
	double eps;
	enum skip_status status = skip_json_real_or(config, key, fallback, &eps, err);
	if (status != SKIP_OK) return status;
	if (!((float)eps > 0) || !isfinite((float)eps))
		return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected a small positive number, found %g", key, eps);
	*out = (float)eps;
	return SKIP_OK;
}

enum skip_status skip_config_act_or(const json_t *config, const char *key, const char *fallback, enum skip_act *out, struct skip_err *err)
{
	static const struct {
		const char *name;
		enum skip_act act;
	} known[] = {
	    {"gelu", SKIP_ACT_GELU},
	    {"gelu_new", SKIP_ACT_GELU_TANH},
	    {"gelu_pytorch_tanh", SKIP_ACT_GELU_TANH},
	    {"relu", SKIP_ACT_RELU},
	    {"tanh", SKIP_ACT_TANH},
	};
	const char *name;
	enum skip_status status = skip_config_text_or(config, key, fallback, &name, err);
	if (status != SKIP_OK) return status;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name) != 0) continue;
		*out = known[i].act;
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported %s '%.60s'; supported: gelu, gelu_new, gelu_pytorch_tanh, relu, tanh", key,
	                    name);
}

enum skip_status skip_config_only(const json_t *config, const char *key, const char *text, struct skip_err *err)
{
	const char *found;
	enum skip_status status = skip_config_text_or(config, key, text, &found, err);
	if (status != SKIP_OK || strcmp(found, text) == 0) return status;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported %s '%.60s'; supported: %s", key, found, text);
}

enum skip_status skip_config_not(const json_t *config, const char *key, const char *supported, struct skip_err *err)
{
	bool set;
	enum skip_status status = skip_json_bool_or(config, key, false, &set, err);
	if (status != SKIP_OK || !set) return status;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "Unsupported %s true; supported: %s", key, supported);
}

enum skip_status skip_config_heads(const char *width_key, int width, const char *heads_key, int heads, struct skip_err *err)
{
	if (width % heads == 0) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\" %d is not a multiple of \"%s\" %d", width_key, width, heads_key, heads);
}
