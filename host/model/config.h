/* Reads of config.json that the architectures share; a message names the key. */
#ifndef SKIP_MODEL_CONFIG_H
#define SKIP_MODEL_CONFIG_H

#include "base/json.h"
#include "graph/attrs.h"

/* An integer of 1 to `max`; the second form takes `fallback` where the key is absent or null. */
enum skip_status skip_config_size(const json_t *config, const char *key, int64_t max, int *out, struct skip_err *err);
enum skip_status skip_config_size_or(const json_t *config, const char *key, int fallback, int64_t max, int *out, struct skip_err *err);
/* A string, borrowed. */
enum skip_status skip_config_text_or(const json_t *config, const char *key, const char *fallback, const char **out, struct skip_err *err);
/* The epsilon of layer norms, positive and finite. */
enum skip_status skip_config_epsilon_or(const json_t *config, const char *key, double fallback, float *out, struct skip_err *err);
/* An activation by its name in transformers; SKIP_ERR_UNSUPPORTED lists the known ones. */
enum skip_status skip_config_act_or(const json_t *config, const char *key, const char *fallback, enum skip_act *out, struct skip_err *err);
/* SKIP_ERR_UNSUPPORTED unless the member is absent, null or `text`. */
enum skip_status skip_config_only(const json_t *config, const char *key, const char *text, struct skip_err *err);
/* SKIP_ERR_UNSUPPORTED where the flag is set; `supported` says what is read instead. */
enum skip_status skip_config_not(const json_t *config, const char *key, const char *supported, struct skip_err *err);
/* SKIP_ERR_INPUT unless `width` is a multiple of `heads`; the keys are for the message. */
enum skip_status skip_config_heads(const char *width_key, int width, const char *heads_key, int heads, struct skip_err *err);

#endif
