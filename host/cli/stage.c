/*
 * Option groups of the method's stages, and running the tuning stage. Saving packages: save.c.
 */
#include "cli/stage.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "graph/rules.h"
#include "method/search/allocation.h"
#include "method/skill/choice.h"

#include <stdio.h>
#include <string.h>

static const char *const pool_names[] = { "mean", "cls", "last", NULL }; /* as enum skip_pool */
static const char *const init_names[] = { "normal", "tokens", NULL };
static const char *const start_names[] = { "probe", "random", "keep", NULL };
static const char *const target_names[] = { "prob", "logprob", "logit", "kl", NULL };
static const char *const label_names[] = { "gold", "pred", "none", NULL };
static const char *const reduce_names[] = { "sum", "max", "mean", "absmax", NULL };
static const char *const path_names[] = { "group", "global", NULL };
static const char *const margin_names[] = { "fixed", "adaptive", "strict", NULL };
static const char *const compensate_names[] = { "none", "bias", "ls", NULL };

void skip_cli_tune_options(struct skip_cli_args *args, struct skip_cli_tune *tune)
{
	memset(tune, 0, sizeof(*tune));
	skip_tune_defaults(&tune->options);
	tune->prefix = tune->options.prefix;
	tune->epochs = tune->options.epochs;
	tune->batch = tune->options.batch;
	tune->patience = tune->options.patience;
	skip_cli_int(args, "--prefix", &tune->prefix, 0, 1024);
	skip_cli_int(args, "--epochs", &tune->epochs, 0, 10000);
	skip_cli_int(args, "--batch", &tune->batch, 1, 4096);
	skip_cli_int(args, "--patience", &tune->patience, 0, 10000);
	skip_cli_real(args, "--lr", &tune->options.lr, 1e-9, 10);
	skip_cli_real(args, "--lr-head", &tune->options.lr_head, 1e-9, 10);
	skip_cli_real(args, "--head-dropout", &tune->options.head_dropout, 0, 0.9);
	skip_cli_real(args, "--prefix-dropout", &tune->options.prefix_dropout, 0, 0.9);
	skip_cli_string(args, "--pool", &tune->pool);
	skip_cli_string(args, "--init", &tune->init);
	skip_cli_string(args, "--start", &tune->start);
	skip_cli_flag(args, "--full", &tune->options.full);
	skip_cli_real(args, "--lr-weights", &tune->options.lr_weights, 1e-9, 10);
}

enum skip_status skip_cli_tune_finish(struct skip_cli_tune *tune, const struct skip_cli_args *args, const struct skip_cli_common *common,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int choice;
	/* Where every weight may move the prompt adds little: without a word about it there is none. */
	if (tune->options.full && !skip_cli_seen(args, "--prefix")) tune->prefix = 0;
	if (!tune->options.full && skip_cli_seen(args, "--lr-weights"))
		return skip_err_set(err, SKIP_ERR_USAGE, "--lr-weights is a setting of --full");
	tune->options.prefix = (int)tune->prefix;
	tune->options.epochs = (int)tune->epochs;
	tune->options.batch = (int)tune->batch;
	tune->options.patience = (int)tune->patience;
	tune->options.seed = (uint64_t)common->seed;
	tune->options.resume = common->resume;
	SKIP_TRY(skip_cli_train_dtype(common, NULL, &tune->options.precision, err));
	if (tune->pool) SKIP_TRY(skip_cli_choice("--pool", tune->pool, pool_names, &choice, err));
	if (tune->init) {
		SKIP_TRY(skip_cli_choice("--init", tune->init, init_names, &choice, err));
		tune->options.init_tokens = choice == 1;
	}
	if (tune->start) {
		SKIP_TRY(skip_cli_choice("--start", tune->start, start_names, &choice, err));
		tune->options.probe_start = choice == 0;
		tune->keep = tune->options.keep_start = choice == 2;
	}
	if (tune->options.epochs == 0 && !tune->keep)
		return skip_err_set(err, SKIP_ERR_USAGE, "--epochs 0 takes a classifier as it stands: give --start keep too");
	if (tune->keep && (skip_cli_seen(args, "--prefix") || tune->init || tune->pool))
		return skip_err_set(err, SKIP_ERR_USAGE, "--start keep takes prompt and pooling as they are: no --prefix, --init or --pool");
cleanup:
	return status;
}

void skip_cli_skill_options(struct skip_cli_args *args, struct skip_cli_skill *skill)
{
	memset(skill, 0, sizeof(*skill));
	skip_skill_defaults(&skill->options);
	skip_cli_string(args, "--criterion", &skill->options.criterion);
	skip_cli_int(args, "--samples", &skill->samples, 1, 100000000);
	skip_cli_string(args, "--target", &skill->target);
	skip_cli_string(args, "--labels", &skill->labels);
	skip_cli_string(args, "--reduce", &skill->reduce);
	skill->steps = skill->options.steps;
	skill->permutations = skill->options.permutations;
	skip_cli_int(args, "--steps", &skill->steps, 1, 1000);
	skip_cli_int(args, "--permutations", &skill->permutations, 1, 10000);
	skip_cli_string(args, "--path", &skill->path);
	skip_cli_string(args, "--choose", &skill->options.choice);
	skip_cli_real(args, "--stable", &skill->options.stable, 0, 1);
	skip_cli_string(args, "--warm-start", &skill->warm_start);
	skill->prior = 20;
	skip_cli_real(args, "--prior", &skill->prior, 0, 1e9);
}

enum skip_status skip_cli_skill_finish(struct skip_cli_skill *skill, const struct skip_cli_common *common, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *names[64];
	size_t n = 0;
	int choice;
	for (; skip_criteria[n] && n < 63; n++) names[n] = skip_criteria[n]->name;
	names[n] = NULL;
	SKIP_TRY(skip_cli_choice("--criterion", skill->options.criterion, names, &choice, err));
	for (n = 0; skip_choices[n] && n < 63; n++) names[n] = skip_choices[n]->name;
	names[n] = NULL;
	SKIP_TRY(skip_cli_choice("--choose", skill->options.choice, names, &choice, err));
	if (skill->samples) skill->options.samples = (int)skill->samples;
	skill->options.seed = (uint64_t)common->seed;
	if (skill->target) {
		SKIP_TRY(skip_cli_choice("--target", skill->target, target_names, &choice, err));
		skill->options.target = choice;
	}
	if (skill->labels) {
		SKIP_TRY(skip_cli_choice("--labels", skill->labels, label_names, &choice, err));
		skill->options.labels = (enum skip_label_source)choice;
	}
	if (skill->reduce) {
		SKIP_TRY(skip_cli_choice("--reduce", skill->reduce, reduce_names, &choice, err));
		skill->options.reduce = (enum skip_reduce)choice;
	}
	if (skill->path) {
		SKIP_TRY(skip_cli_choice("--path", skill->path, path_names, &choice, err));
		skill->options.whole_path = choice == 1;
	}
	skill->options.steps = (int)skill->steps;
	skill->options.permutations = (int)skill->permutations;
cleanup:
	return status;
}

void skip_cli_prune_options(struct skip_cli_args *args, struct skip_cli_prune *prune)
{
	memset(prune, 0, sizeof(*prune));
	skip_prune_defaults(&prune->options);
	skip_cli_real(args, "--rate", &prune->rate, 0, 0.999);
	skip_cli_real(args, "--flops", &prune->options.flops, 0.001, 0.999);
	skip_cli_real(args, "--speedup", &prune->options.speedup, 1, 1000);
	skip_cli_real(args, "--latency-ms", &prune->options.latency_ms, 1e-6, 1e6);
	skip_cli_real(args, "--margin", &prune->options.margin, 0, 100);
	skip_cli_string(args, "--margin-mode", &prune->margin_mode);
	skip_cli_string(args, "--search", &prune->options.search);
	skip_cli_string(args, "--allocate", &prune->options.allocate);
	skip_cli_int(args, "--restarts", &prune->restarts, 0, 100000);
	prune->rounds = prune->options.rounds;
	skip_cli_int(args, "--rounds", &prune->rounds, 1, 1000);
	skip_cli_int(args, "--classes", &prune->classes, 1, 64);
	skip_cli_string(args, "--time-table", &prune->time_table);
	skip_cli_string(args, "--board", &prune->board);
	skip_cli_string(args, "--units", &prune->units);
	skip_cli_string(args, "--compensate", &prune->compensate);
	skip_cli_int(args, "--compensate-tokens", &prune->options.compensate.tokens, 1, 100000000);
	skip_cli_int(args, "--retune", &prune->retune, 0, 10000);
	skip_cli_flag(args, "--untie", &prune->untie);
	skip_cli_flag(args, "--retune-weights", &prune->options.retune.full);
	skip_cli_real(args, "--retune-lr", &prune->options.retune.lr_weights, 1e-9, 10);
	skip_cli_string(args, "--retune-data", &prune->retune_data);
}

static enum skip_status parse_units(const char *text, unsigned *kinds, struct skip_err *err)
{
	static const char *const names[] = { "ffn", "head", "v", "qk", "layer", "prefix", NULL };
	unsigned result = 0;
	char word[16];
	while (*text) {
		size_t length = strcspn(text, ",");
		int choice;
		snprintf(word, sizeof(word), "%.*s", (int)(length < 15 ? length : 15), text);
		enum skip_status status = skip_cli_choice("--units", word, names, &choice, err);
		if (status != SKIP_OK) return status;
		result |= 1u << choice;
		text += length + (text[length] == ',');
	}
	if (!result) return skip_err_set(err, SKIP_ERR_USAGE, "--units names no unit kind");
	if (result == SKIP_UNITS_PREFIX) return skip_err_set(err, SKIP_ERR_USAGE, "--units prefix: slots go beside other units only");
	*kinds = result;
	return SKIP_OK;
}

enum skip_status skip_cli_prune_finish(struct skip_cli_prune *prune, const struct skip_cli_args *args, const struct skip_cli_common *common,
				       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	static const char *const targets[] = { "--rate", "--flops", "--speedup", "--latency-ms", "--margin" };
	const char *names[32];
	size_t n = 0, seen = 0;
	int choice;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) seen += skip_cli_seen(args, targets[i]);
	if (seen > 1) return skip_err_set(err, SKIP_ERR_USAGE, "--rate, --flops, --speedup, --latency-ms and --margin contradict each other; give one");
	prune->options.rate = skip_cli_seen(args, "--rate") ? prune->rate : -1;
	for (; skip_searches[n] && n < 31; n++) names[n] = skip_searches[n]->name;
	names[n] = NULL;
	SKIP_TRY(skip_cli_choice("--search", prune->options.search, names, &choice, err));
	if (prune->margin_mode) {
		SKIP_TRY(skip_cli_choice("--margin-mode", prune->margin_mode, margin_names, &choice, err));
		prune->options.margin_mode = (enum skip_margin_mode)choice;
	}
	for (n = 0; skip_allocations[n] && n < 31; n++) names[n] = skip_allocations[n]->name;
	names[n] = NULL;
	if (prune->options.allocate) SKIP_TRY(skip_cli_choice("--allocate", prune->options.allocate, names, &choice, err));
	if (prune->time_table && skip_file_exists(prune->time_table)) SKIP_TRY(skip_json_load(prune->time_table, &prune->table, err));
	prune->options.time_table = prune->table;
	if (prune->units) SKIP_TRY(parse_units(prune->units, &prune->options.kinds, err));
	if (prune->compensate) {
		SKIP_TRY(skip_cli_choice("--compensate", prune->compensate, compensate_names, &choice, err));
		prune->options.compensate.mode = (enum skip_compensate)choice;
	}
	if (!prune->retune && (prune->options.retune.full || prune->retune_data))
		return skip_err_set(err, SKIP_ERR_USAGE, "--retune-weights and --retune-data say how to re-tune; give --retune EPOCHS too");
	if (!prune->options.retune.full && skip_cli_seen(args, "--retune-lr"))
		return skip_err_set(err, SKIP_ERR_USAGE, "--retune-lr is a setting of --retune-weights");
	prune->options.restarts = (int)prune->restarts;
	prune->options.rounds = (int)prune->rounds;
	prune->options.classes = (int)prune->classes;
	if (prune->rounds > 1 && (skip_prune_by_margin(&prune->options) || prune->options.latency_ms > 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "--rounds go to a --rate, --flops or --speedup");
	if (prune->rounds > 1 && prune->scores) return skip_err_set(err, SKIP_ERR_USAGE, "--rounds renew the scores, which --scores would read");
	prune->options.retune_epochs = (int)prune->retune;
	SKIP_TRY(skip_cli_train_dtype(common, NULL, &prune->options.retune.precision, err));
	prune->options.seed = prune->options.compensate.seed = prune->options.retune.seed = (uint64_t)common->seed;
cleanup:
	return status;
}

enum skip_status skip_cli_prune_board(struct skip_cli_prune *prune, const struct skip_profiles *profiles, enum skip_precision precision, struct skip_err *err)
{
	if (!prune->board) return SKIP_OK;
	const struct skip_profile *profile = skip_profiles_find(profiles, prune->board);
	if (!profile || !skip_profile_is_board(profile))
		return skip_err_set(err, SKIP_ERR_USAGE, "--board: there is no FPGA board '%s'; skip estimate MODEL --all lists them", prune->board);
	prune->options.board = &prune->board_file;
	prune->options.board_precision = precision;
	return skip_board_read(profile, &prune->board_file, err);
}

void skip_cli_prune_deinit(struct skip_cli_prune *prune)
{
	json_decref(prune->table);
	prune->table = NULL;
}

double skip_cli_prune_margin(const struct skip_cli_prune *prune)
{
	return skip_prune_by_margin(&prune->options) ? prune->options.margin : -1;
}

enum skip_status skip_cli_write_table(const struct skip_cli_prune *prune, const struct skip_prune_result *result, struct skip_err *err)
{
	enum skip_status status;
	struct skip_buf text;
	struct skip_output *output = NULL;
	if (!prune->time_table) return SKIP_OK;
	if (!result->time_table)
		return skip_err_set(err, SKIP_ERR_USAGE, "--time-table: the allocation %s measured no times for this target", result->allocate);
	skip_buf_init(&text);
	SKIP_TRY(skip_json_write(result->time_table, &text, err));
	SKIP_TRY(skip_output_create_file(prune->time_table, &output, err));
	SKIP_TRY(skip_output_write(output, NULL, skip_buf_text(&text), text.length, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	skip_buf_deinit(&text);
	return status;
}

/* What --pool says, else the folder. */
static enum skip_pool pool_of(const struct skip_cli_tune *tune, const struct skip_cli_model *model)
{
	int pool = (int)model->checkpoint.pool;
	for (int i = 0; tune->pool && pool_names[i]; i++)
		if (!strcmp(tune->pool, pool_names[i])) pool = i;
	return (enum skip_pool)pool;
}

enum skip_status skip_cli_tune_known(const struct skip_cli_tune *tune, const struct skip_cli_model *model, const struct skip_labels **known,
				     struct skip_err *err)
{
	*known = tune->keep ? &model->labels : NULL;
	return tune->keep ? skip_cli_need_classes(model, err) : SKIP_OK;
}

/* The model goes on with its own prompt and head; with no epochs at all it is taken as it stands. */
static enum skip_status keep_on(struct skip_device *device, const struct skip_cli_model *model, const struct skip_cli_tune *tune,
				const struct skip_dataset *train, const struct skip_progress *progress, struct skip_tune_result *out, struct skip_err *err)
{
	if (tune->options.epochs == 0) {
		*out = (struct skip_tune_result){ 0 };
		return skip_graph_copy(model->graph, &out->graph, err);
	}
	struct skip_tune_options options = tune->options;
	options.prefix = model->graph->prefix;
	return skip_tune(device, model->graph, train, &options, progress, out, err);
}

enum skip_status skip_cli_run_tune(struct skip_device *device, const struct skip_cli_model *model, const struct skip_cli_tune *tune, int classes,
				   const struct skip_dataset *train, const struct skip_progress *progress, struct skip_tune_result *out,
				   struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *prefixed = NULL, *headed = NULL;
	const struct skip_model *checkpoint = &model->checkpoint;
	enum skip_pool pool = pool_of(tune, model);
	bool cls = pool == SKIP_POOL_CLS;
	if (tune->keep) return keep_on(device, model, tune, train, progress, out, err);
	if (model->package)
		return skip_err_set(err, SKIP_ERR_USAGE, "%s is a package already tuned; go on from it with --start keep, or start from a checkpoint folder",
				    model->path);
	SKIP_TRY(skip_pass_prefix(checkpoint->graph, tune->options.prefix, &prefixed, err));
	/* The checkpoint's pooler was trained on the first token: it goes with CLS pooling only. */
	SKIP_TRY(skip_pass_head(prefixed, pool, cls ? checkpoint->pooler_w : NULL, cls ? checkpoint->pooler_b : NULL,
				classes, &headed, err));
	SKIP_TRY(skip_tune(device, headed, train, &tune->options, progress, out, err));
cleanup:
	skip_graph_destroy(prefixed);
	skip_graph_destroy(headed);
	return status;
}

void skip_cli_note_resume(const struct skip_cli_common *common, const char *checkpoint)
{
	if (!common->resume) return;
	if (skip_file_exists(checkpoint))
		skip_cli_note(common, "resume", "tuning goes on from %s", checkpoint);
	else
		skip_cli_note(common, "resume", "there is no %s; tuning starts from the beginning", checkpoint);
}

json_t *skip_cli_tune_settings(const struct skip_cli_tune *tune, const struct skip_cli_model *model, const struct skip_dataset *train)
{
	const struct skip_tune_options *o = &tune->options;
	char tokens[SKIP_SHA256_HEX], labels[SKIP_SHA256_HEX];
	skip_sha256_hex(train->ids, (size_t)train->offset[train->n_rows] * sizeof(*train->ids), tokens);
	skip_sha256_hex(train->label, train->n_rows * sizeof(*train->label), labels);
	json_t *settings =
		json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:s, s:s, s:s, s:I, s:{s:I, s:s, s:s}}", "prefix", o->prefix, "epochs", o->epochs, "batch", o->batch,
			 "patience", o->patience, "lr", o->lr, "lr_head", o->lr_head, "head_dropout", o->head_dropout, "prefix_dropout", o->prefix_dropout,
			 "weight_decay", o->weight_decay, "pool", pool_names[pool_of(tune, model)], "init", init_names[o->init_tokens], "start",
			 start_names[tune->keep ? 2 : !o->probe_start], "train_dtype", skip_precision_names[o->precision], "seed", (json_int_t)o->seed, "train", "rows", (json_int_t)train->n_rows, "tokens_sha256", tokens,
			 "labels_sha256", labels);
	if (o->full) json_object_set_new(settings, "lr_weights", json_real(o->lr_weights));
	return settings;
}

json_t *skip_cli_prune_settings(const struct skip_cli_prune *prune, const struct skip_cli_skill *skill, const struct skip_scores *scores,
				const struct skip_prune_result *result)
{
	const struct skip_prune_options *o = &prune->options;
	const bool scored = !prune->scores; /* here, and not by whoever wrote the file */
	json_t *settings = json_pack("{s:s, s:s*, s:s*, s:s, s:i, s:s, s:I, s:i, s:s, s:i, s:I}", "criterion", scores->criterion, "choose",
				     scored ? skill->options.choice : NULL, "warm_start", skill->warm_start, "allocate", result->allocate, "restarts", o->restarts, "compensate",
				     compensate_names[o->compensate.mode], "calibration_tokens", (json_int_t)o->compensate.tokens, "retune_epochs", o->retune_epochs, "search",
				     o->search, "units", (int)o->kinds, "seed", (json_int_t)o->seed);
	if (o->rounds > 1) json_object_set_new(settings, "rounds", json_integer(o->rounds));
	if (o->classes > 0) json_object_set_new(settings, "classes", json_integer(o->classes));
	json_object_set_new(settings, "train_dtype", json_string(skip_precision_names[o->precision]));
	if (prune->board) json_object_set_new(settings, "board", json_string(prune->board));
	if (prune->untie) json_object_set_new(settings, "untie", json_true());
	if (o->retune.full) json_object_set_new(settings, "retune_lr_weights", json_real(o->retune.lr_weights));
	if (o->rate >= 0)
		json_object_set_new(settings, "rate", json_real(o->rate));
	else if (o->flops > 0)
		json_object_set_new(settings, "flops", json_real(o->flops));
	else if (o->speedup > 0)
		json_object_set_new(settings, "speedup_target", json_real(o->speedup));
	else if (o->latency_ms > 0)
		json_object_set_new(settings, "latency_target", json_real(o->latency_ms));
	else
		json_object_update_new(settings, json_pack("{s:f, s:s}", "margin", o->margin, "margin_mode", margin_names[o->margin_mode]));
	return settings;
}

json_t *skip_cli_tune_record(const struct skip_tune_result *result)
{
	json_t *history = json_array();
	for (int i = 0; i < result->epochs; i++) json_array_append_new(history, json_real(result->history[i]));
	return json_pack("{s:i, s:i, s:f, s:f, s:f, s:s, s:I, s:I, s:I, s:o}", "epochs", result->epochs, "best_epoch", result->best_epoch, "selection_accuracy",
			 result->selection_accuracy, "steps_per_second", result->steps_per_second, "train_seconds", result->train_seconds, "train_dtype",
			 skip_precision_names[result->precision], "held_out_rows",
			 (json_int_t)result->held_out, "trained_parameters", (json_int_t)result->trained, "device_bytes", (json_int_t)result->device_bytes,
			 "history", history);
}

enum skip_status skip_cli_evaluate(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, float **logits,
				   struct skip_metrics *metrics, struct skip_err *err)
{
	float *out = NULL;
	int classes = graph->values[skip_graph_find_value(graph, "logits")].cols;
	enum skip_status status = skip_cli_logits(device, graph, data, &out, NULL, err);
	if (status == SKIP_OK) status = skip_measure(out, data, classes, metrics, NULL, err);
	if (status == SKIP_OK && logits) {
		*logits = out;
		return SKIP_OK;
	}
	skip_free(out);
	return status;
}

json_t *skip_cli_metrics_head(struct skip_device *device)
{
	char date[32];
	skip_clock_date(date);
	return json_pack("{s:s, s:s, s:o}", "date", date, "command", skip_cli_command(), "host", skip_record_host(device));
}
