/* The tuning run: held-out rows, epochs, early stop, checkpoints. One step is trainer.c's, first values are start.c's. */
#include "method/tune/tune.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "graph/rules.h"
#include "method/tune/trainer.h"
#include <math.h>
#include <stdio.h>

#define HELD_OUT_SHARE 10 /* one row in ten */
#define HELD_OUT_MOST 800
#define STOP_NOT_BEFORE 0.25 /* of the budget */

void skip_tune_defaults(struct skip_tune_options *options)
{
	*options = (struct skip_tune_options){
	    .prefix = 20,
	    .epochs = 20,
	    .batch = 32,
	    .lr = 7e-3,
	    .lr_head = 1e-3,
	    .lr_weights = 5e-5,
	    .head_dropout = 0.1,
	    .weight_decay = 0.01,
	    .clip = 1,
	    .patience = 15,
	    .probe_start = true,
	    .kd_weight = 0.5,
	    .kd_temperature = 2,
	};
}

void skip_tune_result_deinit(struct skip_tune_result *result)
{
	if (!result) return;
	skip_graph_destroy(result->graph);
	skip_free(result->history);
	*result = (struct skip_tune_result){0};
}

/* The run's data: `train` dealt into rows to fit and rows held out. */
struct split {
	struct skip_dataset fit, selection;
	int *order; /* rows of train: first the held out, then the others */
	size_t n_selection;
};

static void split_deinit(struct split *split)
{
	skip_dataset_deinit(&split->fit);
	skip_dataset_deinit(&split->selection);
	skip_free(split->order);
}

static enum skip_status split_init(struct split *split, const struct skip_dataset *train, uint64_t seed, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_rng rng;
	const size_t n = train->n_rows;
	split->order = skip_alloc_array(n, sizeof(*split->order));
	if (!split->order) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", n);
	skip_rng_init(&rng, seed, "split");
	skip_rng_permute(&rng, split->order, n);
	split->n_selection = n / HELD_OUT_SHARE;
	if (split->n_selection > HELD_OUT_MOST) split->n_selection = HELD_OUT_MOST;
	if (split->n_selection == 0) split->n_selection = 1;
	SKIP_TRY(skip_dataset_take(train, split->order, split->n_selection, &split->selection, err));
	SKIP_TRY(skip_dataset_take(train, split->order + split->n_selection, n - split->n_selection, &split->fit, err));
cleanup:
	return status;
}

static enum skip_status check(const struct skip_graph *graph, const struct skip_dataset *train, const struct skip_tune_options *o,
			      struct skip_err *err)
{
	int head = skip_tune_head_node(graph);
	if (head == SKIP_NONE) return skip_err_set(err, SKIP_ERR_INPUT, "the graph has no logits to tune");
	if (o->epochs < 1 || o->batch < 1 || !(o->lr >= 0) || !(o->lr_head >= 0) || !(o->lr_weights >= 0))
		return skip_err_set(err, SKIP_ERR_USAGE, "epochs %d, batch %d, rates %g, %g and %g: expected at least 1, 1 and 0", o->epochs,
				    o->batch, o->lr, o->lr_head, o->lr_weights);
	if (o->precision != SKIP_PRECISION_F32 && o->precision != SKIP_PRECISION_BF16)
		return skip_err_set(err, SKIP_ERR_USAGE, "gradients in %s, possible are f32 and bf16", skip_precision_names[o->precision]);
	if (train->n_rows < 2) return skip_err_set(err, SKIP_ERR_INPUT, "%zu training rows, expected at least 2", train->n_rows);
	if (!train->labelled) return skip_err_set(err, SKIP_ERR_INPUT, "the training rows have no labels");
	int classes = graph->values[skip_graph_find_value(graph, "logits")].cols;
	for (size_t i = 0; i < train->n_rows; i++) {
		if (train->label[i] < 0 || train->label[i] >= classes)
			return skip_err_set(err, SKIP_ERR_INPUT, "training row %zu has label %d, expected 0..%d", i, (int)train->label[i],
					    classes - 1);
	}
	return SKIP_OK;
}

/* What one run carries around. */
struct run {
	const struct skip_tune_options *options;
	const struct skip_progress *progress;
	struct skip_trainer trainer;
	struct skip_tune_state state;
	const struct skip_dataset *selection;
	int64_t steps_per_epoch, steps, steps_done_here;
	double seconds_here;
};

static bool report(const struct run *run)
{
	char note[64] = "";
	const struct skip_tune_state *s = &run->state;
	if (s->epoch > 0)
		snprintf(note, sizeof(note), "epoch %lld/%d selection %.3f", (long long)s->epoch, run->options->epochs,
			 s->history[s->epoch - 1]);
	return skip_progress_report(run->progress, "tune", s->epoch * run->steps_per_epoch + s->step_in_epoch, run->steps, note);
}

/* Stops between steps when asked to: the checkpoint is written first. */
static enum skip_status go_on(struct run *run, struct skip_err *err)
{
	if (report(run)) return SKIP_OK;
	if (run->options->checkpoint_path) {
		enum skip_status status = skip_tune_checkpoint_write(&run->trainer, &run->state, err);
		if (status != SKIP_OK) return status;
	}
	return skip_err_set(err, SKIP_ERR_INTERRUPTED, "tuning stopped in epoch %lld of %d", (long long)run->state.epoch + 1,
			    run->options->epochs);
}

/* Keeps the present values when they are at least as good as the best (a later equal is trained longer). */
static void judge(struct run *run, double accuracy, int64_t epoch)
{
	struct skip_tune_state *s = &run->state;
	s->stale = accuracy > s->best_accuracy ? 0 : s->stale + 1;
	if (accuracy < s->best_accuracy) return;
	s->best_accuracy = accuracy;
	s->best_epoch = epoch;
	skip_trainer_keep_best(&run->trainer);
}

static enum skip_status run_epoch(struct run *run, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_tune_state *s = &run->state;
	struct skip_batches batches = {0};
	struct skip_rng order = s->order; /* s->order stays at the start of the epoch until it is over */
	double accuracy;
	SKIP_TRY(skip_batches_shuffled(run->trainer.data, run->options->batch, &order, &batches, err));
	while (s->step_in_epoch < (int64_t)batches.n_batches) {
		SKIP_TRY(go_on(run, err));
		const size_t first = batches.start[s->step_in_epoch], n = batches.start[s->step_in_epoch + 1] - first;
		double loss, start = skip_clock_seconds();
		SKIP_TRY(skip_trainer_step(&run->trainer, batches.rows + first, n, s->epoch * run->steps_per_epoch + s->step_in_epoch + 1,
					   run->steps, &loss, err));
		run->seconds_here += skip_clock_seconds() - start;
		s->seconds += skip_clock_seconds() - start;
		run->steps_done_here++;
		s->step_in_epoch++;
	}
	SKIP_TRY(skip_trainer_evaluate(&run->trainer, run->selection, &accuracy, err));
	s->history[s->epoch++] = accuracy;
	s->step_in_epoch = 0;
	s->order = order;
	judge(run, accuracy, s->epoch);
	if (run->options->checkpoint_path) SKIP_TRY(skip_tune_checkpoint_write(&run->trainer, s, err));
cleanup:
	skip_batches_deinit(&batches);
	return status;
}

static bool finished(const struct run *run)
{
	const struct skip_tune_options *o = run->options;
	const struct skip_tune_state *s = &run->state;
	if (s->epoch >= o->epochs) return true;
	return o->patience > 0 && s->stale >= o->patience && (double)s->epoch >= STOP_NOT_BEFORE * o->epochs;
}

/* From a checkpoint, from the graph's own values, or from scratch. */
static enum skip_status begin(struct run *run, struct skip_device *device, struct skip_graph *graph, const struct split *split,
			      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tune_options *o = run->options;
	struct skip_tune_state *s = &run->state;
	bool resume = o->resume && o->checkpoint_path && skip_file_exists(o->checkpoint_path);
	s->best_accuracy = -1;
	s->probe_accuracy = NAN;
	if (!resume && !o->keep_start) SKIP_TRY(skip_tune_start(device, graph, &split->fit, &split->selection, o, &s->probe_accuracy, err));
	SKIP_TRY(skip_trainer_init(&run->trainer, device, graph, &split->fit, split->order + split->n_selection, o, err));
	if (resume) {
		SKIP_TRY(skip_tune_checkpoint_read(&run->trainer, s, err));
		goto cleanup;
	}
	skip_rng_init(&s->order, o->seed, "order");
	if (o->keep_start) { /* what is there already counts: the result is never worse on the selection set */
		double accuracy;
		SKIP_TRY(skip_trainer_evaluate(&run->trainer, run->selection, &accuracy, err));
		judge(run, accuracy, 0);
	}
cleanup:
	return status;
}

/* A graph with trained tensors of its own: prompt and head, with `full` the weights too. */
static enum skip_status own_graph(const struct skip_graph *graph, bool full, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *own = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_pass_own_trained(graph, &own, err));
	SKIP_TRY(skip_pass_thaw(own, full, out, err));
cleanup:
	skip_graph_destroy(own);
	return status;
}

/* What was thawed is frozen again: what comes next decides for itself. */
static void freeze(struct skip_graph *own, const struct skip_graph *given)
{
	for (size_t t = 0; t < own->n_tensors; t++) own->tensors[t]->trained = given->tensors[t]->trained;
}

static void count_cost(const struct skip_trainer *trainer, struct skip_tune_result *result)
{
	struct skip_session_memory memory;
	for (size_t i = 0; i < trainer->n_trained; i++) result->trained += trainer->trained[i].n;
	skip_session_get_memory(trainer->training, &memory);
	result->device_bytes = memory.weights + memory.activations + memory.scratch;
}

enum skip_status skip_tune(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *train,
			   const struct skip_tune_options *options, const struct skip_progress *progress, struct skip_tune_result *out,
			   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *own = NULL;
	struct split split = {0};
	struct run run = {.options = options, .progress = progress, .selection = &split.selection};
	SKIP_TRY(check(graph, train, options, err));
	SKIP_TRY(split_init(&split, train, options->seed, err));
	SKIP_TRY(own_graph(graph, options->full, &own, err));
	run.state.history = skip_alloc_zeroed((size_t)options->epochs, sizeof(*run.state.history));
	if (!run.state.history) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "history of %d epochs", options->epochs);
		goto cleanup;
	}
	run.steps_per_epoch = ((int64_t)split.fit.n_rows + options->batch - 1) / options->batch;
	run.steps = run.steps_per_epoch * options->epochs;
	SKIP_TRY(begin(&run, device, own, &split, err));
	while (!finished(&run)) SKIP_TRY(run_epoch(&run, err));
	report(&run);
	skip_trainer_restore_best(&run.trainer);
	*out = (struct skip_tune_result){
	    .graph = own,
	    .epochs = (int)run.state.epoch,
	    .best_epoch = (int)run.state.best_epoch,
	    .selection_accuracy = run.state.best_accuracy,
	    .probe_accuracy = run.state.probe_accuracy,
	    .steps_per_second = run.seconds_here > 0 ? (double)run.steps_done_here / run.seconds_here : 0,
	    .train_seconds = run.state.seconds,
	    .precision = options->precision,
	    .history = run.state.history,
	    .held_out = split.selection.n_rows,
	};
	count_cost(&run.trainer, out);
	freeze(own, graph);
	own = NULL;
	run.state.history = NULL;
cleanup:
	skip_trainer_deinit(&run.trainer);
	skip_free(run.state.history);
	skip_graph_destroy(own);
	split_deinit(&split);
	return status;
}
