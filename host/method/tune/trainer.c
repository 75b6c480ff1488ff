/*
 * One training step, evaluation and the best values so far. The device computes forward, backward and the optimiser; the loss is the host's,
 * in double (docs/method.md 2.5, 2.8).
 */
#include "method/tune/trainer.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "method/metrics.h"
#include "method/tune/loss.h"
#include <limits.h>
#include <math.h>
#include <string.h>

int skip_tune_head_node(const struct skip_graph *graph)
{
	int logits = skip_graph_find_value(graph, "logits");
	return logits == SKIP_NONE ? SKIP_NONE : graph->values[logits].producer;
}

int skip_tune_head_input(const struct skip_graph *graph)
{
	int value = graph->nodes[skip_tune_head_node(graph)].in[0];
	for (int node = graph->values[value].producer; node != SKIP_NONE && graph->nodes[node].op == skip_op_find("dropout");
	     node = graph->values[value].producer)
		value = graph->nodes[node].in[0];
	return value;
}

static int index_of(const struct skip_graph *graph, const struct skip_tensor *tensor)
{
	for (size_t i = 0; i < graph->n_tensors; i++) {
		if (graph->tensors[i] == tensor) return (int)i;
	}
	return SKIP_NONE;
}

/* Prefixes learn at `lr`, weights of the layers at `lr_weights`, everything after them at `lr_head`; matrices of linears decay. */
static void set_rates(const struct skip_trainer *trainer, int tensor, struct skip_adamw_tensor *step)
{
	const struct skip_graph *graph = trainer->graph;
	const struct skip_tune_options *o = trainer->options;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		for (int k = 0; k < node->n_param; k++) {
			if (node->param[k] != tensor) continue;
			const bool prefix = node->op == skip_op_find("attention"), matrix = node->op == skip_op_find("linear") && k == 0;
			step->lr = (float)(prefix ? o->lr : node->layer != SKIP_NONE ? o->lr_weights : o->lr_head);
			step->decay = matrix ? (float)o->weight_decay : 0;
		}
	}
}

static enum skip_status collect_trained(struct skip_trainer *trainer, struct skip_err *err)
{
	const struct skip_graph *graph = trainer->graph;
	size_t count = 0;
	for (size_t i = 0; i < graph->n_tensors; i++) count += graph->tensors[i]->trained;
	if (count == 0) return skip_err_set(err, SKIP_ERR_INPUT, "the graph has nothing to train");
	trainer->trained = skip_alloc_zeroed(count, sizeof(*trainer->trained));
	if (!trainer->trained) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu trained tensors", count);
	for (size_t i = 0; i < graph->n_tensors; i++) {
		if (!graph->tensors[i]->trained) continue;
		struct skip_trained *t = &trainer->trained[trainer->n_trained++];
		t->tensor = graph->tensors[i];
		t->n = (size_t)skip_tensor_count(t->tensor);
		t->best = skip_alloc_zeroed(t->n, sizeof(*t->best));
		if (!t->best) return skip_err_set(err, SKIP_ERR_NOMEM, "best values of '%s'", t->tensor->name);
		set_rates(trainer, (int)i, &t->step);
	}
	return SKIP_OK;
}

/* Appends the optimiser; wanted[1] becomes the value of its norm. */
static enum skip_status add_optimiser(struct skip_trainer *trainer, const struct skip_backward *backward, struct skip_adamw *out,
				      int *wanted, struct skip_err *err)
{
	struct skip_adamw_tensor *steps = skip_alloc_zeroed(trainer->n_trained, sizeof(*steps));
	enum skip_status status = SKIP_OK;
	if (!steps) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu optimiser steps", trainer->n_trained);
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		t->step.tensor = index_of(backward->graph, t->tensor);
		t->step.gradient = t->step.tensor == SKIP_NONE ? SKIP_NONE : backward->grad_of_tensor[t->step.tensor];
		if (t->step.gradient == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "no gradient reaches '%s'", t->tensor->name);
			goto cleanup;
		}
		steps[i] = t->step;
	}
	SKIP_TRY(skip_pass_adamw(backward->graph, steps, trainer->n_trained, (float)trainer->options->clip, out, err));
	wanted[1] = out->norm;
	for (size_t i = 0; i < trainer->n_trained; i++) trainer->trained[i].step = steps[i];
cleanup:
	skip_free(steps);
	return status;
}

/* The graph with dropout, in the precision of the steps, fused as far as a backward pass allows, with gradients of the trained tensors and their optimiser. */
static enum skip_status open_training(struct skip_trainer *trainer, struct skip_device *device, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tune_options *o = trainer->options;
	struct skip_graph *noisy = NULL, *live = NULL, *rounding = NULL, *fused = NULL;
	struct skip_backward backward = {0};
	struct skip_adamw adamw = {0};
	int wanted[2]; /* the logits, the norm */
	SKIP_TRY(skip_pass_dropout(trainer->graph, (float)o->head_dropout, (float)o->prefix_dropout, &noisy, err));
	wanted[0] = skip_graph_find_value(noisy, "logits");
	SKIP_TRY(skip_pass_dead(noisy, wanted, 1, &live, err));
	SKIP_TRY(skip_pass_precision(live, o->precision, &rounding, err));
	SKIP_TRY(skip_pass_fuse(rounding, true, wanted, 1, &fused, err));
	SKIP_TRY(skip_pass_backward(fused, wanted[0], NULL, 0, &backward, err));
	SKIP_TRY(add_optimiser(trainer, &backward, &adamw, wanted, err));
	trainer->training_logits = wanted[0];
	trainer->norm = wanted[1];
	trainer->seed = backward.seed;
	trainer->step = adamw.step;
	trainer->n_forward = backward.n_forward;
	trainer->n_nodes = adamw.graph->n_nodes;
	SKIP_TRY(skip_session_open(device, adamw.graph, wanted, 2, true, &trainer->training, err));
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		t->m = skip_session_graph(trainer->training)->tensors[t->step.m];
		t->v = skip_session_graph(trainer->training)->tensors[t->step.v];
	}
cleanup:
	skip_graph_destroy(adamw.graph);
	skip_backward_deinit(&backward);
	skip_graph_destroy(fused);
	skip_graph_destroy(rounding);
	skip_graph_destroy(live);
	skip_graph_destroy(noisy);
	return status;
}

/* One step that counts for nothing, on the longest rows: memory is taken once for all steps, and steps are timed from the first on. */
static enum skip_status rehearse(struct skip_trainer *trainer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n_rows = trainer->data->n_rows, batch = (size_t)trainer->options->batch, n = n_rows < batch ? n_rows : batch;
	struct skip_batches sorted = {0};
	memset(trainer->dlogits, 0, n * (size_t)trainer->classes * sizeof(*trainer->dlogits));
	SKIP_TRY(skip_batches_sorted(trainer->data, INT_MAX, trainer->options->batch, &sorted, err));
	SKIP_TRY(skip_packer_pack(&trainer->packer, trainer->data, sorted.rows + n_rows - n, n, err));
	SKIP_TRY(skip_session_set_batch(trainer->training, &trainer->packer.batch, err));
	SKIP_TRY(skip_session_write(trainer->training, trainer->seed, trainer->dlogits, err));
	SKIP_TRY(skip_session_enqueue(trainer->training, 0, trainer->n_nodes, 0, err));
	SKIP_TRY(skip_session_finish(trainer->training, err));
cleanup:
	skip_batches_deinit(&sorted);
	return status;
}

enum skip_status skip_trainer_init(struct skip_trainer *trainer, struct skip_device *device, struct skip_graph *graph,
				   const struct skip_dataset *data, const int *row, const struct skip_tune_options *options,
				   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	skip_packer_init(&trainer->packer);
	trainer->options = options;
	trainer->data = data;
	trainer->row = row;
	trainer->graph = graph;
	trainer->classes = graph->values[skip_graph_find_value(graph, "logits")].cols;
	const size_t batch = (size_t)options->batch, cells = batch * (size_t)trainer->classes;
	trainer->logits = skip_alloc_array(cells, sizeof(*trainer->logits));
	trainer->dlogits = skip_alloc_array(cells, sizeof(*trainer->dlogits));
	trainer->label = skip_alloc_array(batch, sizeof(*trainer->label));
	trainer->teacher_row = skip_alloc_array(batch, sizeof(*trainer->teacher_row));
	trainer->scratch = skip_alloc_array(2 * (size_t)trainer->classes, sizeof(*trainer->scratch));
	if (!trainer->logits || !trainer->dlogits || !trainer->label || !trainer->teacher_row || !trainer->scratch)
		return skip_err_set(err, SKIP_ERR_NOMEM, "a batch of %d", options->batch);
	SKIP_TRY(collect_trained(trainer, err));
	SKIP_TRY(open_training(trainer, device, err));
	SKIP_TRY(rehearse(trainer, err));
	SKIP_TRY(skip_trainer_send(trainer, err)); /* warming up ran the optimiser on whatever there was */
	SKIP_TRY(skip_open_inference(device, graph, "logits", false, &trainer->inference, &trainer->inference_logits, err));
	for (size_t i = 0; i < trainer->n_trained; i++)
		trainer->trained[i].in_inference = index_of(skip_session_graph(trainer->inference), trainer->trained[i].tensor);
cleanup:
	return status;
}

void skip_trainer_deinit(struct skip_trainer *trainer)
{
	for (size_t i = 0; i < trainer->n_trained; i++) skip_free(trainer->trained[i].best);
	skip_free(trainer->trained);
	skip_session_destroy(trainer->training);
	skip_session_destroy(trainer->inference);
	skip_packer_deinit(&trainer->packer);
	skip_free(trainer->logits);
	skip_free(trainer->dlogits);
	skip_free(trainer->label);
	skip_free(trainer->teacher_row);
	skip_free(trainer->scratch);
	*trainer = (struct skip_trainer){0};
}

/* What AdamW needs to know of a step. */
static enum skip_status write_step(struct skip_trainer *trainer, int64_t step, int64_t steps, struct skip_err *err)
{
	const double beta1 = (double)SKIP_ADAMW_BETA1, beta2 = (double)SKIP_ADAMW_BETA2;
	const float numbers[3] = {(float)skip_tune_schedule(step, steps), (float)(1 / (1 - pow(beta1, (double)step))),
				  (float)(1 / (1 - pow(beta2, (double)step)))};
	return skip_session_write(trainer->training, trainer->step, numbers, err);
}

enum skip_status skip_trainer_step(struct skip_trainer *trainer, const int *rows, size_t n, int64_t step, int64_t steps, double *loss,
				   struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tune_options *o = trainer->options;
	struct skip_session *session = trainer->training;
	/* one key per step: masks never repeat and a resumed run draws the same ones */
	uint32_t key = skip_rng_hash((uint32_t)o->seed, (uint32_t)(o->seed >> 32), (uint32_t)step);
	SKIP_TRY(skip_packer_pack(&trainer->packer, trainer->data, rows, n, err));
	SKIP_TRY(skip_session_set_batch(session, &trainer->packer.batch, err));
	SKIP_TRY(skip_session_enqueue(session, 0, trainer->n_forward, key, err));
	SKIP_TRY(skip_session_read(session, trainer->training_logits, trainer->logits, err));
	for (size_t b = 0; b < n; b++) {
		trainer->label[b] = trainer->data->label[rows[b]];
		trainer->teacher_row[b] = trainer->row[rows[b]];
	}
	double value = skip_tune_loss(trainer->logits, trainer->label, (int)n, trainer->classes, o->teacher, trainer->teacher_row,
				      o->kd_weight, o->kd_temperature, trainer->scratch, trainer->dlogits);
	SKIP_TRY(skip_session_write(session, trainer->seed, trainer->dlogits, err));
	SKIP_TRY(write_step(trainer, step, steps, err));
	SKIP_TRY(skip_session_enqueue(session, trainer->n_forward, trainer->n_nodes, key, err));
	trainer->ahead = true;
	float square;
	SKIP_TRY(skip_session_read(session, trainer->norm, &square, err));
	if (!isfinite(value) || !isfinite(square)) {
		status = skip_err_set(err, SKIP_ERR_INPUT,
				      "the loss is not finite at step %lld; lower the learning rates (%g prefix, %g head, %g weights)",
				      (long long)step, o->lr, o->lr_head, o->lr_weights);
		goto cleanup;
	}
	*loss = value;
cleanup:
	return status;
}

enum skip_status skip_trainer_fetch(struct skip_trainer *trainer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; trainer->ahead && i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		SKIP_TRY(skip_session_read(trainer->training, t->step.next[0], skip_tensor_f32(t->tensor), err));
		SKIP_TRY(skip_session_read(trainer->training, t->step.next[1], skip_tensor_f32(t->m), err));
		SKIP_TRY(skip_session_read(trainer->training, t->step.next[2], skip_tensor_f32(t->v), err));
	}
	trainer->ahead = false;
cleanup:
	return status;
}

enum skip_status skip_trainer_send(struct skip_trainer *trainer, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < trainer->n_trained; i++) {
		const struct skip_adamw_tensor *step = &trainer->trained[i].step;
		SKIP_TRY(skip_session_update(trainer->training, step->tensor, err));
		SKIP_TRY(skip_session_update(trainer->training, step->m, err));
		SKIP_TRY(skip_session_update(trainer->training, step->v, err));
	}
cleanup:
	return status;
}

enum skip_status skip_trainer_evaluate(struct skip_trainer *trainer, const struct skip_dataset *selection, double *accuracy,
				       struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_metrics metrics;
	float *logits = skip_alloc_array(selection->n_rows * (size_t)trainer->classes, sizeof(*logits));
	if (!logits) return skip_err_set(err, SKIP_ERR_NOMEM, "logits of %zu rows", selection->n_rows);
	SKIP_TRY(skip_trainer_fetch(trainer, err));
	for (size_t i = 0; i < trainer->n_trained; i++) {
		int index = trainer->trained[i].in_inference;
		if (index != SKIP_NONE) SKIP_TRY(skip_session_update(trainer->inference, index, err));
	}
	SKIP_TRY(skip_predict(trainer->inference, trainer->inference_logits, selection, 0, logits, NULL, err));
	SKIP_TRY(skip_metrics_compute(logits, selection->label, selection->n_rows, trainer->classes, &metrics, NULL, err));
	*accuracy = metrics.accuracy;
cleanup:
	skip_free(logits);
	return status;
}

void skip_trainer_keep_best(struct skip_trainer *trainer)
{
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		memcpy(t->best, skip_tensor_f32(t->tensor), t->n * sizeof(*t->best));
	}
}

void skip_trainer_restore_best(struct skip_trainer *trainer)
{
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		memcpy(skip_tensor_f32(t->tensor), t->best, t->n * sizeof(*t->best));
	}
}
