/*
 * A session: one graph, lowered and emitted for one device, its programs built, its weights bound. Everything above talks to devices through this.
 */
#ifndef SKIP_DEVICE_SESSION_H
#define SKIP_DEVICE_SESSION_H

#include "base/batch.h"
#include "device/device.h"
#include "device/plan.h"

struct skip_session;

/* lower/: graph -> plan for a profile. `wanted` values keep their own memory until the end of a run, so that they can be read. */
enum skip_status skip_lower(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted,
			    struct skip_plan **out, struct skip_err *err);

/* The same for batches that always run from the first node to the last: on a device that can, the launches of a layer become one (lower/team.c). */
enum skip_status skip_lower_whole(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted,
				  struct skip_plan **out, struct skip_err *err);

/* run/: builds programs (disk cache), creates weight buffers from the graph's tensors. Takes its own references to tensors; does not keep graph
 * or plan pointers after destroy of the session only (both must outlive it). With `warm` it ends by
 * running every kernel once and keeping the binaries on disk: for programs that will be used again, in this process or another. */
enum skip_status skip_session_create(struct skip_device *device, const struct skip_graph *graph, const struct skip_plan *plan, bool warm,
				     struct skip_session **out, struct skip_err *err);
/* lower + create; the session owns a copy of the graph and the plan. A device with a library of bitstreams compiles nothing: SKIP_ERR_UNSUPPORTED; a board
 * without one is SKIP_ERR_USAGE. */
enum skip_status skip_session_open(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted, bool warm,
				   struct skip_session **out, struct skip_err *err);
/*
 * The session that gives `value_name` ("logits") of a network as it is saved or tuned: its inference graph (skip_pass_inference), *value an index of that. The usual
 * way to run one. On a device with a library the program comes from there and, once loaded, has to give known answers: SKIP_ERR_VERIFY, check "answer" of docs/boards.md.
 */
enum skip_status skip_open_inference(struct skip_device *device, const struct skip_graph *graph, const char *value_name, bool warm,
				     struct skip_session **out, int *value, struct skip_err *err);
/* The same with every launch on its own, programs kept: what skip_session_profile and skip_session_time look at. */
enum skip_status skip_open_launches(struct skip_device *device, const struct skip_graph *graph, const char *value_name, struct skip_session **out, int *value,
				    struct skip_err *err);
void skip_session_destroy(struct skip_session *session);

/*
 * What a program of a library computed before its first batch: each of its kernels ran once, for a node of the network on numbers made up, and every number it wrote was
 * compared with the float64 reference of that node. A number may differ by (256 + 2 K) 2^-24 of the largest in its row, or of 1 where that is more, K the largest dimension
 * of the node; where products are taken in a short type by 2^-7.
 */
struct skip_session_answer {
	char set[160];             /* the kernel set; "": the program was compiled here */
	int kernels, tokens, numbers;
	double seconds;
	double share;              /* largest difference as a part of what it may be */
	double expected, found, allowed; /* there */
	int row, column;
	char kernel[SKIP_NAME], value[SKIP_NAME];
};
/* NULL where the program was compiled here. */
const struct skip_session_answer *skip_session_get_answer(const struct skip_session *session);

/* Appends the binary of the plan's one program; of a session that was opened warm, so that it is whole. */
enum skip_status skip_session_binary(const struct skip_session *session, struct skip_buf *out, struct skip_err *err);

/* Whether the device multiplies in this type by instructions of its own: the first form of its profile that gives the known answer is neither
 * `portable` nor `generic`. Tries forms as opening a session does; no form at all is no error. */
enum skip_status skip_device_accelerates(struct skip_device *device, enum skip_precision precision, bool *out, struct skip_err *err);

/* Uploads a trained tensor again after its numbers changed on the host. */
enum skip_status skip_session_update(struct skip_session *session, int tensor, struct skip_err *err);
/* Sets the batch: sizes, index buffers; activations grow when needed. Values written before are lost when buffers grow. */
enum skip_status skip_session_set_batch(struct skip_session *session, const struct skip_batch *batch, struct skip_err *err);
/* Enqueues the launches of nodes first .. last-1, without waiting. dropout_key: see skip_rng_hash. */
enum skip_status skip_session_enqueue(struct skip_session *session, size_t first, size_t last, uint32_t dropout_key, struct skip_err *err);
/* Blocking transfers of a whole value ([rows][cols] floats, rows by the current batch). */
enum skip_status skip_session_write(struct skip_session *session, int value, const float *data, struct skip_err *err);
enum skip_status skip_session_read(struct skip_session *session, int value, float *out, struct skip_err *err);
enum skip_status skip_session_finish(struct skip_session *session, struct skip_err *err);
/* set_batch + enqueue all + read `value` [rows of the batch][cols]; in chunks of sequences of about the profile's size, so afterwards the current batch
 * is the last of them. */
enum skip_status skip_session_run(struct skip_session *session, const struct skip_batch *batch, int value, float *out, struct skip_err *err);

/* Bytes of device memory held: weights, activations (peak by the memory plan), scratch. */
struct skip_session_memory {
	size_t weights, activations, scratch;
};
void skip_session_get_memory(const struct skip_session *session, struct skip_session_memory *out);
const struct skip_graph *skip_session_graph(const struct skip_session *session);
const struct skip_plan *skip_session_plan(const struct skip_session *session);
/*
 * What one launch of the plan does in a run of a whole batch, all its chunks together (bench --layers). `bytes` are those it cannot avoid to move:
 * every weight and value it touches, whole and once a chunk; of tables that are looked up, a row per token.
 */
struct skip_launch_profile {
	int kernel;	       /* of the plan; with a cover the one that computes most rows; SKIP_NONE: a library's call */
	double seconds;	       /* median of the runs, the device's own clock */
	double macs, bytes;
	double rows, computed; /* of the cover: real rows, and those its tiles compute. Both 0 without a cover */
	enum skip_precision precision; /* of its node's products */
};
/* Runs `batch` as skip_session_run does, with a finish after every launch: once unseen, then for `seconds`, but 5 to 101 times. out[i] is plan
 * launch i. Afterwards the current batch is the last chunk. */
enum skip_status skip_session_profile(struct skip_session *session, const struct skip_batch *batch, int value, double seconds,
				      struct skip_launch_profile *out, struct skip_err *err);
/* Runs `batch` once in that way, and adds to seconds[i] what plan launch i took. */
enum skip_status skip_session_time(struct skip_session *session, const struct skip_batch *batch, int value, double *seconds, struct skip_err *err);

#endif
