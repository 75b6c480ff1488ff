/*
 * The parts of skip_tune: the trained tensors with their optimiser state, the two sessions (training graph, inference), and the checkpoint.
 * tune.c drives them; start.c gives the first values.
 */
#ifndef SKIP_METHOD_TUNE_TRAINER_H
#define SKIP_METHOD_TUNE_TRAINER_H

#include "graph/pass.h"
#include "method/tune/tune.h"

/* One trained tensor. */
struct skip_trained {
	struct skip_tensor *tensor; /* borrowed from the graph */
	size_t n;
	struct skip_adamw_tensor step; /* indices and values of the training graph */
	struct skip_tensor *m, *v;     /* moments, borrowed from the training session */
	int in_inference;	       /* index in the session's graph, SKIP_NONE when not used there */
	float *best;		       /* [n] */
};

struct skip_trainer {
	const struct skip_tune_options *options;
	const struct skip_dataset *data; /* rows to train on */
	const int *row;			 /* [data rows] index into `teacher` */
	struct skip_graph *graph;	 /* canonical; owns the trained tensors */
	struct skip_trained *trained;
	size_t n_trained;
	bool ahead; /* the device has taken steps the tensors do not know of */
	int classes;
	struct skip_session *training, *inference;
	int training_logits, seed, step, norm, inference_logits; /* values */
	size_t n_forward, n_nodes;
	struct skip_packer packer;
	float *logits, *dlogits; /* [batch][C] */
	int32_t *label;		 /* [batch] */
	int *teacher_row;	 /* [batch] */
	double *scratch;	 /* [2*C] */
};

/* Where a run stands; what a checkpoint holds besides the tensors. */
struct skip_tune_state {
	int64_t epoch, step_in_epoch;	/* finished epochs, finished steps of the next one */
	struct skip_rng order;		/* at the start of that epoch */
	int64_t best_epoch, stale;	/* stale: evaluations since the last strictly better one */
	double best_accuracy;		/* -1 before the first evaluation */
	double probe_accuracy, seconds; /* NAN without a probe; of training so far */
	double *history;		/* [epochs], the first `epoch` are set */
};

/* `graph` must own its trained tensors (skip_pass_own_trained) and outlive the trainer. Zero the struct first; deinit accepts a zeroed one.
 */
enum skip_status skip_trainer_init(struct skip_trainer *trainer, struct skip_device *device, struct skip_graph *graph,
				   const struct skip_dataset *data, const int *row, const struct skip_tune_options *options,
				   struct skip_err *err);
void skip_trainer_deinit(struct skip_trainer *trainer);
/* One step on these rows: forward, loss, backward, clipping and AdamW on the device. `step` from 1 of `steps`. */
enum skip_status skip_trainer_step(struct skip_trainer *trainer, const int *rows, size_t n, int64_t step, int64_t steps, double *loss,
				   struct skip_err *err);
/* Brings weights and moments from the device into their tensors. */
enum skip_status skip_trainer_fetch(struct skip_trainer *trainer, struct skip_err *err);
/* And from the tensors to the training session. */
enum skip_status skip_trainer_send(struct skip_trainer *trainer, struct skip_err *err);
/* Accuracy of the present tensors on `selection`. */
enum skip_status skip_trainer_evaluate(struct skip_trainer *trainer, const struct skip_dataset *selection, double *accuracy,
				       struct skip_err *err);
/* Remembers the values the last evaluation saw; makes them the tensors' values again. */
void skip_trainer_keep_best(struct skip_trainer *trainer);
void skip_trainer_restore_best(struct skip_trainer *trainer);
/* The linear that makes the logits: node index, and the value it reads with dropout left out. */
int skip_tune_head_node(const struct skip_graph *graph);
int skip_tune_head_input(const struct skip_graph *graph);

/* First values of prefix and head in `graph`, which owns its trained tensors. */
enum skip_status skip_tune_start(struct skip_device *device, struct skip_graph *graph, const struct skip_dataset *train,
				 const struct skip_dataset *selection, const struct skip_tune_options *options, double *probe_accuracy,
				 struct skip_err *err);

/* Writes options->checkpoint_path atomically. Reading restores tensors, moments and state; SKIP_ERR_USAGE names the first setting that
 * differs. */
enum skip_status skip_tune_checkpoint_write(struct skip_trainer *trainer, const struct skip_tune_state *state, struct skip_err *err);
enum skip_status skip_tune_checkpoint_read(struct skip_trainer *trainer, struct skip_tune_state *state, struct skip_err *err);

#endif
