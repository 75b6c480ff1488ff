/* Runs a dataset through a graph on a device. */
#ifndef SKIP_METHOD_PREDICT_H
#define SKIP_METHOD_PREDICT_H

#include "base/progress.h"
#include "device/session.h"
#include "text/dataset.h"

struct skip_predict_time {
	double device_seconds; /* enqueue to results, over all batches */
	double seconds;	       /* the whole call */
	int64_t tokens;
};
/* out [n_rows][cols] of a B-rows value ("logits", "pooled"). Batches by length, at most `max_tokens` tokens (0: 2048). `time` may be NULL.
 */
enum skip_status skip_predict(struct skip_session *session, int value, const struct skip_dataset *data, int max_tokens, float *out,
			      struct skip_predict_time *time, struct skip_err *err);
/* Opens a session for `n` values of a canonical graph, over all rows, fused around them. *place[i] is a value of `graph`, then of the session's. */
enum skip_status skip_open_values(struct skip_device *device, const struct skip_graph *graph, int *const *place, size_t n,
				  struct skip_session **out, struct skip_err *err);

#endif
