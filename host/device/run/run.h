/*
 * What the files of run/ share.
 *
 *   session.c  the public calls            tables.c  the batch: sizes and index tables
 *   bind.c     kernels, arguments, pieces  cover.c   rows cut into tiles
 *   memory.c   device buffers              pack.c    weight layouts
 *   gather.c   the word table's rows       check.c   plans and batches that cannot be
 *   chunks.c   a large batch in parts      open.c    lowering and creating in one
 *   known.c    known answers of forms       answer.c  of a loaded program
 *   profile.c  every launch on its own
 */
#ifndef SKIP_DEVICE_RUN_RUN_H
#define SKIP_DEVICE_RUN_RUN_H

#include "device/opencl/cl.h"
#include "device/session.h"

/* Values of the run-time sizes, indexed by enum skip_size; [ONE] is 1. */
struct skip_sizes {
	int32_t of[SKIP_SIZE_COUNT];
};

/* ceil((mul * size + add) / div). */
int64_t skip_extent_rows(const struct skip_extent *extent, const struct skip_sizes *sizes);

/* Elements of a buffer, slack included; false when they overflow. (memory.c) */
bool skip_buffer_elements(const struct skip_plan_buffer *buffer, const struct skip_sizes *sizes, size_t *out);

/* tables.c. Checks the batch (offsets, counts) and computes its sizes. SKIP_ERR_INPUT says what is wrong. */
enum skip_status skip_batch_sizes(const struct skip_batch *batch, const struct skip_plan *plan, struct skip_sizes *out,
				  struct skip_err *err);
/* Elements of a table; and the table itself. */
size_t skip_batch_table_count(enum skip_batch_data data, const struct skip_sizes *sizes);
void skip_batch_table_fill(const struct skip_batch *batch, const struct skip_plan *plan, enum skip_batch_data data, int32_t *out);

/*
 * cover.c. How many pieces of each tile cover `rows`: count[i] tiles of tile[i] rows. Tiles are descending. Least rows computed in all,
 * where every tile costs two rows more than it has (its weights are loaded once, whatever its height) and, where each kind of tile is a launch of its own, each kind some rows
 * too; then fewest different tiles; then larger ones.
 */
void skip_cover(int64_t rows, const int *tile, int n_tiles, bool launches, int64_t *count);

/*
 * pack.c. Gives the elements of a weight buffer in order, in blocks of at most the stage's size, to `write` (first: element index in the
 * buffer). Padding is part of the stream; slack is not.
 */
struct skip_pack {
	enum skip_layout layout;
	int nr, transpose;
	float *stage; /* [stage_count] */
	size_t stage_count;
	enum skip_status (*write)(void *context, size_t first, const float *data, size_t count, struct skip_err *err);
	void *context;
};
#define SKIP_PACK_STAGE ((size_t)64 * 1024)
enum skip_status skip_pack(const struct skip_pack *pack, const struct skip_tensor *tensor, struct skip_err *err);
/* Elements of the layout; SKIP_ERR_INTERNAL when the tensor cannot have it. */
enum skip_status skip_pack_count(const struct skip_tensor *tensor, enum skip_layout layout, int nr, int transpose, size_t *out,
				 struct skip_err *err);
/* Whether `tensor` is `part` or a concatenation that contains it. */
bool skip_tensor_contains(const struct skip_tensor *tensor, const struct skip_tensor *part);

/* One enqueue of a launch for the current batch. */
struct skip_piece {
	int variant; /* index of the launch's kernel objects */
	size_t global[3];
};

/* A launch ready to go. It has its own kernel objects, so that arguments are set when something changes and not on every run. */
struct skip_bound {
	struct skip_cl_kernel *kernel[SKIP_LAUNCH_MAX_COVER];
	const struct skip_plan_kernel *plan_kernel[SKIP_LAUNCH_MAX_COVER];
	int n_kernels;
	struct skip_piece piece[SKIP_LAUNCH_MAX_COVER];
	int n_pieces;
	bool has_key;
};

struct skip_session {
	struct skip_device *device;
	struct skip_cl *cl;
	const struct skip_graph *graph;
	const struct skip_plan *plan;
	struct skip_graph *own_graph; /* of skip_session_open, else NULL */
	struct skip_plan *own_plan;
	struct skip_tensor **tensor; /* [graph->n_tensors] references */
	size_t n_tensors;
	struct skip_cl_program **program; /* [plan->n_programs] */
	struct skip_bound *bound;	  /* [plan->n_launches] */

	struct skip_cl_buffer **memory; /* [n_slots] */
	size_t n_slots;
	int *slot;     /* [plan->n_buffers] index of `memory` */
	int gathered;  /* buffer that holds the rows of the batch instead of a whole table (gather.c), or SKIP_NONE */
	int gather_node; /* that reads it */
	bool gather_due; /* it does not hold those of the current batch yet */
	int32_t *word;	 /* [T] ids of the current batch, for it */
	size_t word_capacity;
	int32_t *word_place; /* [words of the table] which of the rows read so far is theirs, SKIP_NONE */
	float *word_rows;    /* [n_words][columns] */
	size_t word_rows_capacity;
	int32_t n_words;
	bool *wrapped; /* [plan->n_buffers] weights bound without a copy */
	float *stage;  /* [SKIP_PACK_STAGE] for packing; one for all, since blocks that come and go between lasting ones leave holes in the
			  heap */
	struct skip_sizes capacity; /* what activations have room for */
	struct skip_sizes sizes;    /* of the current batch; T = 0 before the first */
	bool rebind;		    /* buffers moved: every argument is to be set again */

	int32_t *table; /* host side of the batch tables; the queue may still read it until `table_event` */
	size_t table_count;
	struct skip_cl_event *table_event;
	int32_t groups; /* of a team, W of the plan */
	struct skip_session_answer answer; /* of a program that was loaded */
};

/* memory.c */
enum skip_status skip_memory_create(struct skip_session *session, struct skip_err *err); /* slots, weights */
enum skip_status skip_memory_upload(struct skip_session *session, size_t buffer, struct skip_err *err);
/* Makes room for `sizes`. On failure there is no current batch. */
enum skip_status skip_memory_reserve(struct skip_session *session, const struct skip_sizes *sizes, struct skip_err *err);
void skip_memory_destroy(struct skip_session *session);
struct skip_cl_buffer *skip_memory_buffer(const struct skip_session *session, int buffer);

/* gather.c. Looks for a table that can be sent row by row: session->gathered. Then the ids the kernel sees, T of them to `out`, and the rows, if their node is one of
 * first .. last - 1 and they are not there yet. */
void skip_gather_find(struct skip_session *session);
enum skip_status skip_gather_note(struct skip_session *session, const struct skip_batch *batch, int32_t *out, struct skip_err *err);
enum skip_status skip_gather_send(struct skip_session *session, size_t first, size_t last, struct skip_err *err);

/* bind.c */
enum skip_status skip_bind_create(struct skip_session *session, struct skip_err *err); /* kernel objects */
/* Arguments and pieces for session->sizes. */
enum skip_status skip_bind_batch(struct skip_session *session, struct skip_err *err);
/* Launches of the plan from `launch` on that run together, 1 for most; enqueueing the first runs all of them, and the others do nothing. */
size_t skip_bind_group(const struct skip_plan *plan, size_t launch);
enum skip_status skip_bind_enqueue(struct skip_session *session, size_t launch, uint32_t dropout_key, struct skip_err *err);
/* The same with times; see skip_cl_enqueue_timed. */
enum skip_status skip_bind_time(struct skip_session *session, size_t launch, double *seconds, struct skip_err *err);
/* Runs every kernel object once on the current batch, also those no piece uses. */
enum skip_status skip_bind_warm(struct skip_session *session, struct skip_err *err);
void skip_bind_destroy(struct skip_session *session);

/*
 * known.c: the forms of a short type are tried on the device once; those that fail are taken from its profile, so that n_dot may become 0. The state is
 * the device's (device.c). For the types of a graph: SKIP_ERR_DEVICE when no form is left. And each form of the profile on its own, nothing is taken.
 */
enum skip_status skip_known_forms(struct skip_device *device, enum skip_precision precision, struct skip_err *err);
enum skip_status skip_known_graph(struct skip_device *device, const struct skip_graph *graph, struct skip_err *err);
enum skip_status skip_known_each(struct skip_device *device, enum skip_precision precision, struct skip_device_probes *out, struct skip_err *err);
bool skip_device_form_settled(const struct skip_device *device, enum skip_precision precision);
void skip_device_settle_form(struct skip_device *device, enum skip_precision precision);
void skip_device_drop_form(struct skip_device *device, enum skip_precision precision); /* the first of its profile */

/*
 * chunks.c. The chunks skip_session_run cuts `batch` into for `value`: next moves to the first, then to each other one, and is false after the
 * last. `first` is the first sequence of the chunk `now`, which is good until the next call; the batch must outlive it.
 */
struct skip_chunks {
	const struct skip_batch *whole;
	struct skip_batch now;
	int first, end;
	double share;	 /* tokens of a chunk, about */
	int32_t *offset; /* of `now`; NULL: one chunk */
};
enum skip_status skip_chunks_init(const struct skip_session *session, const struct skip_batch *batch, int value, struct skip_chunks *out,
				  struct skip_err *err);
bool skip_chunks_next(struct skip_chunks *chunks);
void skip_chunks_deinit(struct skip_chunks *chunks);

/*
 * answer.c. Runs each kernel of the plan once and compares; all but `set` of *out is filled, of the number that is farthest off. Whether that is too far is the caller's to say.
 * Afterwards there is no current batch.
 */
enum skip_status skip_answer_run(struct skip_session *session, struct skip_session_answer *out, struct skip_err *err);

/* check.c: that the plan points nowhere outside and fits the graph (NULL: only the first); SKIP_ERR_INPUT, since plans come from files too.
 */
enum skip_status skip_plan_check(const struct skip_plan *plan, const struct skip_graph *graph, struct skip_err *err);
/* That ids, types and lengths of the batch exist in the tables of the graph's embed nodes: kernels do not look. */
enum skip_status skip_batch_check(const struct skip_batch *batch, const struct skip_graph *graph, struct skip_err *err);

#endif
