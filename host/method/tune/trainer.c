/*
 * One training step, evaluation and the best values so far. The device computes forward and backward; loss, clipping and AdamW run on the
 * host in double, because trained tensors are small (docs/method.md 2.5, 2.8).
 */
#include "method/tune/trainer.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "method/metrics.h"
#include "method/tune/loss.h"
#include <limits.h>
#include <math.h>
#include <string.h>

#define CLIP_EPSILON 1e-6

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

/* Prefixes learn at `lr`, everything after the encoder at `lr_head`; only the head's matrix decays. */
static void set_rates(const struct skip_trainer *trainer, const struct skip_tensor *tensor, struct skip_adamw_block *block)
{
	const struct skip_graph *graph = trainer->graph;
	int index = index_of(graph, tensor);
	block->lr = trainer->options->lr_head;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (node->op != skip_op_find("attention")) continue;
		for (int k = 0; k < node->n_param; k++) {
			if (node->param[k] == index) block->lr = trainer->options->lr;
		}
	}
	if (graph->nodes[skip_tune_head_node(graph)].param[0] == index) block->weight_decay = trainer->options->weight_decay;
}

static enum skip_status collect_trained(struct skip_trainer *trainer, struct skip_err *err)
{
	const struct skip_graph *graph = trainer->graph;
	size_t count = 0;
	for (size_t i = 0; i < graph->n_tensors; i++) count += graph->tensors[i]->trained;
	trainer->trained = skip_alloc_zeroed(count, sizeof(*trainer->trained));
	trainer->block = skip_alloc_zeroed(count, sizeof(*trainer->block));
	trainer->grad = skip_alloc_zeroed(count, sizeof(*trainer->grad));
	if (!trainer->trained || !trainer->block || !trainer->grad) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu trained tensors", count);
	for (size_t i = 0; i < graph->n_tensors; i++) {
		if (!graph->tensors[i]->trained) continue;
		struct skip_trained *t = &trainer->trained[trainer->n_trained];
		t->tensor = graph->tensors[i];
		t->n = (size_t)skip_tensor_count(t->tensor);
		t->grad = skip_alloc_zeroed(t->n, sizeof(*t->grad));
		t->best = skip_alloc_zeroed(t->n, sizeof(*t->best));
		t->m = skip_alloc_zeroed(t->n, sizeof(*t->m));
		t->v = skip_alloc_zeroed(t->n, sizeof(*t->v));
		trainer->grad[trainer->n_trained] = t->grad;
		struct skip_adamw_block *block = &trainer->block[trainer->n_trained++];
		if (!t->grad || !t->best || !t->m || !t->v)
			return skip_err_set(err, SKIP_ERR_NOMEM, "optimiser state of '%s'", t->tensor->name);
		*block = (struct skip_adamw_block){.w = skip_tensor_f32(t->tensor), .m = t->m, .v = t->v, .n = t->n};
		set_rates(trainer, t->tensor, block);
	}
	return SKIP_OK;
}

/* The graph with dropout, in the precision of the steps, fused as far as a backward pass allows, with gradients of the trained tensors. */
static enum skip_status open_training(struct skip_trainer *trainer, struct skip_device *device, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tune_options *o = trainer->options;
	struct skip_graph *noisy = NULL, *live = NULL, *rounding = NULL, *fused = NULL;
	struct skip_backward backward = {0};
	int *wanted = skip_alloc_array(trainer->n_trained + 1, sizeof(*wanted));
	if (!wanted) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu gradients", trainer->n_trained);
	SKIP_TRY(skip_pass_dropout(trainer->graph, (float)o->head_dropout, (float)o->prefix_dropout, &noisy, err));
	wanted[0] = skip_graph_find_value(noisy, "logits");
	SKIP_TRY(skip_pass_dead(noisy, wanted, 1, &live, err));
	SKIP_TRY(skip_pass_precision(live, o->precision, &rounding, err));
	SKIP_TRY(skip_pass_fuse(rounding, true, wanted, 1, &fused, err));
	SKIP_TRY(skip_pass_backward(fused, wanted[0], NULL, 0, &backward, err));
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		t->in_training = index_of(backward.graph, t->tensor);
		t->gradient = t->in_training == SKIP_NONE ? SKIP_NONE : backward.grad_of_tensor[t->in_training];
		if (t->gradient == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INTERNAL, "no gradient reaches '%s'", t->tensor->name);
			goto cleanup;
		}
		wanted[i + 1] = t->gradient;
	}
	trainer->training_logits = wanted[0];
	trainer->seed = backward.seed;
	trainer->n_forward = backward.n_forward;
	trainer->n_nodes = backward.graph->n_nodes;
	SKIP_TRY(skip_session_open(device, backward.graph, wanted, trainer->n_trained + 1, true, &trainer->training, err));
cleanup:
	skip_backward_deinit(&backward);
	skip_graph_destroy(fused);
	skip_graph_destroy(rounding);
	skip_graph_destroy(live);
	skip_graph_destroy(noisy);
	skip_free(wanted);
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
	SKIP_TRY(skip_open_inference(device, graph, "logits", false, &trainer->inference, &trainer->inference_logits, err));
	for (size_t i = 0; i < trainer->n_trained; i++)
		trainer->trained[i].in_inference = index_of(skip_session_graph(trainer->inference), trainer->trained[i].tensor);
cleanup:
	return status;
}

void skip_trainer_deinit(struct skip_trainer *trainer)
{
	for (size_t i = 0; i < trainer->n_trained; i++) {
		skip_free(trainer->trained[i].grad);
		skip_free(trainer->trained[i].best);
		skip_free(trainer->trained[i].m);
		skip_free(trainer->trained[i].v);
	}
	skip_free(trainer->trained);
	skip_free(trainer->block);
	skip_free(trainer->grad);
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

/* Global norm clipping; false when a gradient is not finite. */
static bool clip_gradients(struct skip_trainer *trainer)
{
	double square = 0;
	for (size_t i = 0; i < trainer->n_trained; i++) {
		const struct skip_trained *t = &trainer->trained[i];
		for (size_t k = 0; k < t->n; k++) square += (double)t->grad[k] * t->grad[k];
	}
	double norm = sqrt(square), scale = trainer->options->clip / (norm + CLIP_EPSILON);
	if (!isfinite(norm)) return false;
	if (trainer->options->clip <= 0 || scale >= 1) return true;
	for (size_t i = 0; i < trainer->n_trained; i++) {
		struct skip_trained *t = &trainer->trained[i];
		for (size_t k = 0; k < t->n; k++) t->grad[k] = (float)(scale * t->grad[k]);
	}
	return true;
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
	SKIP_TRY(skip_session_enqueue(session, trainer->n_forward, trainer->n_nodes, key, err));
	for (size_t i = 0; i < trainer->n_trained; i++)
		SKIP_TRY(skip_session_read(session, trainer->trained[i].gradient, trainer->trained[i].grad, err));
	if (!isfinite(value) || !clip_gradients(trainer)) {
		status =
		    skip_err_set(err, SKIP_ERR_INPUT, "the loss is not finite at step %lld; lower the learning rates (%g prefix, %g head)",
				 (long long)step, o->lr, o->lr_head);
		goto cleanup;
	}
	skip_adamw_step(trainer->block, trainer->n_trained, trainer->grad, step, skip_tune_schedule(step, steps));
	for (size_t i = 0; i < trainer->n_trained; i++) SKIP_TRY(skip_session_update(session, trainer->trained[i].in_training, err));
	*loss = value;
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
