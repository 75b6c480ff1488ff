/*
 * The checkpoint of a tuning run: one safetensors file with
 *     settings U8 (text, one setting a line), state I64, seconds F64, history F64, and per trained tensor weight.*, best.*, m.*, v.*
 * F32. A run resumed from it does exactly what the uninterrupted run would have done.
 */
#include "base/alloc.h"
#include "base/safetensors.h"
#include "base/sha256.h"
#include "graph/rules.h"
#include "method/tune/trainer.h"
#include <stdio.h>
#include <string.h>

enum { STATE_EPOCH, STATE_STEP, STATE_ORDER, STATE_BEST_EPOCH, STATE_STALE, STATE_COUNT };
enum { REAL_BEST, REAL_PROBE, REAL_SECONDS, REAL_COUNT };

#define ENTRIES_PER_TENSOR 4
#define ENTRIES_FIXED 4

static void add_digest(struct skip_buf *text, const char *name, const void *data, size_t size)
{
	char hex[SKIP_SHA256_HEX];
	skip_sha256_hex(data, size, hex);
	skip_buf_printf(text, "%s %s\n", name, hex);
}

/* A few bytes of every frozen tensor tell models apart. */
static void add_model(struct skip_buf *text, const struct skip_graph *graph)
{
	for (size_t i = 0; i < graph->n_tensors; i++) {
		const struct skip_tensor *tensor = graph->tensors[i];
		if (tensor->trained || !tensor->data) continue;
		size_t bytes = (size_t)skip_tensor_count(tensor) * skip_dtype_size(tensor->dtype);
		add_digest(text, tensor->name, tensor->data, bytes < 4096 ? bytes : 4096);
	}
}

/* Everything the result depends on, one per line. */
static void describe(const struct skip_trainer *trainer, struct skip_buf *text)
{
	const struct skip_tune_options *o = trainer->options;
	const struct skip_graph *graph = trainer->graph;
	const struct skip_dataset *data = trainer->data;
	skip_buf_printf(text, "full %d\nlr_weights %.17g\n", o->full, o->lr_weights);
	skip_buf_printf(text, "prefix %d\nepochs %d\nbatch %d\n", o->prefix, o->epochs, o->batch);
	skip_buf_printf(text, "lr %.17g\nlr_head %.17g\nhead_dropout %.17g\nprefix_dropout %.17g\n", o->lr, o->lr_head, o->head_dropout,
			o->prefix_dropout);
	skip_buf_printf(text, "weight_decay %.17g\nclip %.17g\npatience %d\n", o->weight_decay, o->clip, o->patience);
	skip_buf_printf(text, "probe_start %d\ninit_tokens %d\nkeep_start %d\n", o->probe_start, o->init_tokens, o->keep_start);
	skip_buf_printf(text, "train_dtype %s\n", skip_precision_names[o->precision]);
	skip_buf_printf(text, "seed %llu\n", (unsigned long long)o->seed);
	skip_buf_printf(text, "model %s layers %d width %d encoder %lld\n", graph->architecture, graph->layers, graph->model_width,
			(long long)skip_graph_encoder_params(graph));
	add_model(text, graph);
	size_t tokens = (size_t)data->offset[data->n_rows];
	skip_buf_printf(text, "rows %zu\n", data->n_rows);
	add_digest(text, "tokens", data->ids, tokens * sizeof(*data->ids));
	add_digest(text, "labels", data->label, data->n_rows * sizeof(*data->label));
	if (!o->teacher) return;
	skip_buf_printf(text, "kd_weight %.17g\nkd_temperature %.17g\n", o->kd_weight, o->kd_temperature);
	for (size_t i = 0; i < data->n_rows; i += data->n_rows / 4 + 1) { /* a few rows tell teachers apart */
		for (int c = 0; c < trainer->classes; c++)
			skip_buf_printf(text, "teacher %zu.%d %.9g\n", i, c, (double)o->teacher[trainer->row[i] * trainer->classes + c]);
	}
}

/* "weight.<name>"; names of trained tensors are far shorter than what fits. */
static void entry_name(char out[SKIP_TENSOR_NAME], const char *kind, const char *name)
{
	snprintf(out, SKIP_TENSOR_NAME, "%s%.*s", kind, SKIP_TENSOR_NAME - 16, name);
}

static void fill_entry(struct skip_st_entry *entry, const char *kind, const char *name, enum skip_dtype dtype, size_t n, const void *data)
{
	entry_name(entry->name, kind, name);
	entry->dtype = dtype;
	entry->rank = 1;
	entry->dim[0] = (int64_t)n;
	entry->data = data;
}

enum skip_status skip_tune_checkpoint_write(struct skip_trainer *trainer, const struct skip_tune_state *state, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_output *output = NULL;
	struct skip_buf settings;
	size_t n = 0;
	skip_buf_init(&settings);
	struct skip_st_entry *entries = skip_alloc_zeroed(ENTRIES_FIXED + ENTRIES_PER_TENSOR * trainer->n_trained, sizeof(*entries));
	SKIP_TRY(skip_trainer_fetch(trainer, err));
	describe(trainer, &settings);
	if (!entries || !skip_buf_ok(&settings)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "checkpoint of %zu tensors", trainer->n_trained);
		goto cleanup;
	}
	int64_t whole[STATE_COUNT] = {[STATE_EPOCH] = state->epoch,
				      [STATE_STEP] = state->step_in_epoch,
				      [STATE_BEST_EPOCH] = state->best_epoch,
				      [STATE_STALE] = state->stale};
	memcpy(&whole[STATE_ORDER], &state->order.state, sizeof(whole[STATE_ORDER]));
	double real[REAL_COUNT] = {
	    [REAL_BEST] = state->best_accuracy, [REAL_PROBE] = state->probe_accuracy, [REAL_SECONDS] = state->seconds};
	fill_entry(&entries[n++], "settings", "", SKIP_U8, settings.length, skip_buf_text(&settings));
	fill_entry(&entries[n++], "state", "", SKIP_I64, STATE_COUNT, whole);
	fill_entry(&entries[n++], "seconds", "", SKIP_F64, REAL_COUNT, real);
	fill_entry(&entries[n++], "history", "", SKIP_F64, (size_t)state->epoch, state->history);
	for (size_t i = 0; i < trainer->n_trained; i++) {
		const struct skip_trained *t = &trainer->trained[i];
		fill_entry(&entries[n++], "weight.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->tensor));
		fill_entry(&entries[n++], "best.", t->tensor->name, SKIP_F32, t->n, t->best);
		fill_entry(&entries[n++], "m.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->m));
		fill_entry(&entries[n++], "v.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->v));
	}
	SKIP_TRY(skip_output_create_file(trainer->options->checkpoint_path, &output, err));
	SKIP_TRY(skip_st_write(output, NULL, entries, n, NULL, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	skip_free(entries);
	skip_buf_deinit(&settings);
	return status;
}

static enum skip_status read_entry(const struct skip_st_file *file, const char *path, const char *kind, const char *name,
				   enum skip_dtype dtype, size_t n, void *out, struct skip_err *err)
{
	char full[SKIP_TENSOR_NAME];
	entry_name(full, kind, name);
	const struct skip_st_entry *entry = skip_st_find(file, full);
	if (!entry) return skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "not a checkpoint of this run: no '%s'", full);
	if (entry->dtype != dtype || entry->bytes != n * skip_dtype_size(dtype))
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset, "'%s' has %zu bytes of %s, expected %zu of %s", full,
				   entry->bytes, skip_dtype_name(entry->dtype), n * skip_dtype_size(dtype), skip_dtype_name(dtype));
	memcpy(out, entry->data, entry->bytes);
	return SKIP_OK;
}

/* The first line that differs between the settings of the file and ours. */
static enum skip_status compare_settings(const struct skip_st_file *file, const char *path, const char *ours, struct skip_err *err)
{
	const struct skip_st_entry *entry = skip_st_find(file, "settings");
	if (!entry || entry->dtype != SKIP_U8)
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "not a checkpoint of this run: no 'settings'");
	const char *theirs = entry->data, *end = theirs + entry->bytes;
	while (theirs < end || *ours) {
		size_t left = (size_t)(end - theirs);
		const char *stop = left ? memchr(theirs, '\n', left) : NULL;
		size_t their_length = stop ? (size_t)(stop - theirs) : left, our_length = strcspn(ours, "\n");
		if (their_length != our_length || memcmp(theirs, ours, our_length) != 0)
			return skip_err_at(err, SKIP_ERR_USAGE, path, 0, -1,
					   "cannot resume: the checkpoint was made with '%.*s', now '%.*s'", (int)their_length, theirs,
					   (int)our_length, ours);
		theirs += their_length + (stop != NULL);
		ours += our_length + (ours[our_length] == '\n');
	}
	return SKIP_OK;
}

enum skip_status skip_tune_checkpoint_read(struct skip_trainer *trainer, struct skip_tune_state *state, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *path = trainer->options->checkpoint_path;
	struct skip_st_file *file = NULL;
	struct skip_buf settings;
	int64_t whole[STATE_COUNT];
	double real[REAL_COUNT];
	skip_buf_init(&settings);
	describe(trainer, &settings);
	if (!skip_buf_ok(&settings)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "settings of the run");
		goto cleanup;
	}
	SKIP_TRY(skip_st_open(path, &file, err));
	SKIP_TRY(compare_settings(file, path, skip_buf_text(&settings), err));
	SKIP_TRY(read_entry(file, path, "state", "", SKIP_I64, STATE_COUNT, whole, err));
	SKIP_TRY(read_entry(file, path, "seconds", "", SKIP_F64, REAL_COUNT, real, err));
	if (whole[STATE_EPOCH] < 0 || whole[STATE_EPOCH] > trainer->options->epochs || whole[STATE_STEP] < 0) {
		status = skip_err_at(err, SKIP_ERR_INPUT, path, 0, -1, "epoch %lld of %d, step %lld", (long long)whole[STATE_EPOCH],
				     trainer->options->epochs, (long long)whole[STATE_STEP]);
		goto cleanup;
	}
	SKIP_TRY(read_entry(file, path, "history", "", SKIP_F64, (size_t)whole[STATE_EPOCH], state->history, err));
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		SKIP_TRY(read_entry(file, path, "weight.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->tensor), err));
		SKIP_TRY(read_entry(file, path, "best.", t->tensor->name, SKIP_F32, t->n, t->best, err));
		SKIP_TRY(read_entry(file, path, "m.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->m), err));
		SKIP_TRY(read_entry(file, path, "v.", t->tensor->name, SKIP_F32, t->n, skip_tensor_f32(t->v), err));
	}
	SKIP_TRY(skip_trainer_send(trainer, err));
	state->epoch = whole[STATE_EPOCH];
	state->step_in_epoch = whole[STATE_STEP];
	memcpy(&state->order.state, &whole[STATE_ORDER], sizeof(state->order.state));
	state->best_epoch = whole[STATE_BEST_EPOCH];
	state->stale = whole[STATE_STALE];
	state->best_accuracy = real[REAL_BEST];
	state->probe_accuracy = real[REAL_PROBE];
	state->seconds = real[REAL_SECONDS];
cleanup:
	skip_st_close(file);
	skip_buf_deinit(&settings);
	return status;
}
