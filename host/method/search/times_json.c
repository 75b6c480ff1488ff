/* The time table as JSON: times.h. */
#include "base/json.h"
#include "device/device.h"
#include "graph/rules.h"
#include "method/search/on_board.h"
#include "method/search/times.h"
#include <string.h>

static const char *kind_of(const struct skip_sublayer *sub)
{
	return sub->ffn == SKIP_NO_GROUP ? "attention" : "ffn";
}

static json_t *source_of(struct skip_device *device, const struct skip_on_board *on)
{
	const struct skip_device_info *info = skip_device_get_info(device);
	if (on)
		return json_pack("{s:s, s:s, s:s, s:i}", "source", "estimated", "profile", on->board->profile->id, "dtype", skip_precision_names[on->precision],
				 "length", on->work.length);
	return json_pack("{s:s, s:s, s:s, s:s}", "source", "measured", "device", info->facts.name, "driver", info->facts.driver, "profile", info->profile_id);
}

/* Times of a board are of no use on a device, and the other way round. */
static enum skip_status check_source(const json_t *json, const struct skip_on_board *on, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *source = json_string_value(json_object_get(json, "source")), *profile, *dtype; /* older tables: measured, and say nothing */
	const bool estimated = source && strcmp(source, "estimated") == 0;
	if (!on && !estimated) return SKIP_OK;
	if (!estimated)
		return skip_err_set(err, SKIP_ERR_INPUT, "time table: measured on a device, --board %s asks for those of a board", on->board->profile->id);
	SKIP_TRY(skip_json_string(json, "profile", &profile, err));
	SKIP_TRY(skip_json_string(json, "dtype", &dtype, err));
	if (!on || strcmp(profile, on->board->profile->id) != 0 || strcmp(dtype, skip_precision_names[on->precision]) != 0)
		status = skip_err_set(err, SKIP_ERR_INPUT, "time table: estimated for board %s in %s; --board %s --dtype %s takes it", profile, dtype, profile, dtype);
cleanup:
	return status;
}

json_t *skip_times_to_json(struct skip_device *device, const struct skip_on_board *on_board, const struct skip_options *options, int batch)
{
	json_t *sublayers = json_array();
	for (size_t s = 0; s < options->n; s++) {
		const struct skip_sublayer *sub = &options->sub[s];
		json_t *list = json_array();
		for (size_t k = 0; k < sub->n_options; k++) {
			const struct skip_widths *o = &sub->option[k];
			json_t *row = sub->ffn == SKIP_NO_GROUP ? json_pack("{s:i, s:i, s:i}", "heads", o->heads, "qk", o->qk, "v", o->v)
								: json_pack("{s:i}", "ffn", o->ffn);
			json_object_set_new(row, "ms", json_real(sub->cost[SKIP_COST_TIME][k]));
			json_array_append_new(list, row);
		}
		json_array_append_new(sublayers, json_pack("{s:i, s:s, s:o}", "layer", sub->layer, "kind", kind_of(sub), "options", list));
	}
	json_t *table = source_of(device, on_board);
	json_object_update_new(table, json_pack("{s:i, s:f, s:f, s:o}", "batch", batch, "dense_ms", options->dense[SKIP_COST_TIME], "fixed_ms",
						skip_options_fixed(options, SKIP_COST_TIME), "sublayers", sublayers));
	return table;
}

static enum skip_status read_option(const json_t *row, const struct skip_sublayer *sub, size_t k, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_widths *o = &sub->option[k];
	const struct {
		const char *key;
		int wanted;
	} widths[] = {{"heads", o->heads}, {"qk", o->qk}, {"v", o->v}, {"ffn", o->ffn}};
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		int64_t width;
		SKIP_TRY(skip_json_int_or(row, widths[i].key, 0, 0, INT32_MAX, &width, err));
		if (width == widths[i].wanted) continue;
		return skip_err_set(err, SKIP_ERR_INPUT, "time table: layer %d, option %zu has %s %lld, these options have %d", sub->layer,
				    k, widths[i].key, (long long)width, widths[i].wanted);
	}
	SKIP_TRY(skip_json_real(row, "ms", &sub->cost[SKIP_COST_TIME][k], err));
	if (!(sub->cost[SKIP_COST_TIME][k] >= 0))
		status = skip_err_set(err, SKIP_ERR_INPUT, "time table: layer %d, option %zu takes %g ms", sub->layer, k,
				      sub->cost[SKIP_COST_TIME][k]);
cleanup:
	return status;
}

static enum skip_status read_sublayer(const json_t *object, const struct skip_sublayer *sub, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *list;
	const char *kind;
	int64_t layer;
	SKIP_TRY(skip_json_int(object, "layer", 0, INT32_MAX, &layer, err));
	SKIP_TRY(skip_json_string(object, "kind", &kind, err));
	SKIP_TRY(skip_json_array(object, "options", &list, err));
	if (layer != sub->layer || strcmp(kind, kind_of(sub)) != 0 || json_array_size(list) != sub->n_options)
		return skip_err_set(err, SKIP_ERR_INPUT, "time table: %s of layer %lld with %zu options, expected %s of layer %d with %zu",
				    kind, (long long)layer, json_array_size(list), kind_of(sub), sub->layer, sub->n_options);
	for (size_t k = 0; k < sub->n_options; k++) SKIP_TRY(read_option(json_array_get(list, k), sub, k, err));
cleanup:
	return status;
}

enum skip_status skip_times_from_json(const json_t *json, const struct skip_on_board *on_board, int batch, struct skip_options *options, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *sublayers;
	int64_t size;
	SKIP_TRY(check_source(json, on_board, err));
	SKIP_TRY(skip_json_int(json, "batch", 1, INT32_MAX, &size, err));
	if (size != batch)
		return skip_err_set(err, SKIP_ERR_INPUT, "time table: measured with batches of %lld, this target needs %d", (long long)size,
				    batch);
	SKIP_TRY(skip_json_array(json, "sublayers", &sublayers, err));
	if (json_array_size(sublayers) != options->n)
		return skip_err_set(err, SKIP_ERR_INPUT, "time table: %zu sub-layers, the model has %zu", json_array_size(sublayers),
				    options->n);
	for (size_t s = 0; s < options->n; s++) SKIP_TRY(read_sublayer(json_array_get(sublayers, s), &options->sub[s], err));
	SKIP_TRY(skip_json_real(json, "dense_ms", &options->dense[SKIP_COST_TIME], err));
	options->known[SKIP_COST_TIME] = true;
	if (!(skip_options_fixed(options, SKIP_COST_TIME) > 0))
		status = skip_err_set(err, SKIP_ERR_INPUT, "time table: the sub-layers take %g ms more than the whole model",
				      -skip_options_fixed(options, SKIP_COST_TIME));
cleanup:
	return status;
}

/* What a share was found for, all that decides which network a share of time becomes; NULL without memory. */
static json_t *aim_of(const struct skip_prune_options *prune)
{
	const bool speedup = prune->speedup > 0;
	return json_pack("{s:f, s:i, s:i, s:s, s:i}", speedup ? "speedup" : "latency_ms", speedup ? prune->speedup : prune->latency_ms, "rounds", prune->rounds,
			 "classes", prune->classes, "allocate", prune->allocate, "units", (int)prune->kinds);
}

void skip_times_add_aim(json_t *table, const struct skip_prune_options *prune, double share, bool met)
{
	const json_t *before = prune->time_table ? json_object_get(prune->time_table, "aims") : NULL;
	json_t *aims = before ? json_deep_copy(before) : json_array(), *aim;
	double known;
	bool ignored;
	json_object_set_new(table, "aims", aims);
	if (skip_times_find_aim(table, prune, &known, &ignored) || !(aim = aim_of(prune))) return;
	json_object_set_new(aim, "share", json_real(share));
	json_object_set_new(aim, "met", json_boolean(met));
	json_array_append_new(aims, aim);
}

bool skip_times_find_aim(const json_t *table, const struct skip_prune_options *prune, double *share, bool *met)
{
	const json_t *aims = table ? json_object_get(table, "aims") : NULL, *wanted;
	json_t *wanted_aim = aim_of(prune);
	const char *key;
	bool found = false;
	for (size_t i = 0; i < json_array_size(aims) && !found && wanted_aim; i++) {
		const json_t *aim = json_array_get(aims, i);
		found = json_is_number(json_object_get(aim, "share"));
		json_object_foreach(wanted_aim, key, wanted) found = found && json_equal(json_object_get(aim, key), wanted);
		if (!found) continue;
		*share = json_number_value(json_object_get(aim, "share"));
		*met = json_is_true(json_object_get(aim, "met"));
	}
	json_decref(wanted_aim);
	return found;
}
