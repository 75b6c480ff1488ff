/*
 * A whole batch in one call, in chunks of whole sequences where the profile says so: on a CPU the values between two launches then stay in the
 * last cache instead of going through memory. Rows of a sequence never depend on other sequences, so the results are the same.
 */
#include "base/alloc.h"
#include "device/run/run.h"

/* Sequences from `first` on that make about `share` tokens: the last one that goes past it is in. */
static int chunk_end(const struct skip_batch *batch, int first, double share)
{
	int end = first + 1;
	while (end < batch->n_seqs && batch->offset[end] - batch->offset[first] < share) end++;
	return end;
}

static enum skip_status run_chunk(struct skip_session *session, const struct skip_batch *chunk, int value, float *out, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_session_set_batch(session, chunk, err));
	SKIP_TRY(skip_session_enqueue(session, 0, session->graph->n_nodes, 0, err));
	SKIP_TRY(skip_session_read(session, value, out, err));
cleanup:
	return status;
}

enum skip_status skip_session_run(struct skip_session *session, const struct skip_batch *batch, int value, float *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_value *v = &session->graph->values[value];
	const int most = skip_device_profile(session->device)->chunk;
	int32_t *offset = NULL;
	if (most == 0 || batch->n_tokens <= most || v->rows == SKIP_ROWS_FIXED) return run_chunk(session, batch, value, out, err);
	struct skip_sizes sizes;
	SKIP_TRY(skip_batch_sizes(batch, session->plan, &sizes, err));
	/* Equal shares: a small last chunk would leave the device half empty. */
	double share = (double)batch->n_tokens / ((batch->n_tokens + most - 1) / most);
	offset = skip_alloc_array((size_t)batch->n_seqs + 1, sizeof(*offset));
	if (!offset) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a batch of %d sequences", batch->n_seqs);
	for (int first = 0; first < batch->n_seqs;) {
		int end = chunk_end(batch, first, share), token = batch->offset[first];
		for (int b = first; b <= end; b++) offset[b - first] = batch->offset[b] - token;
		struct skip_batch chunk = {.n_tokens = offset[end - first], .n_seqs = end - first, .ids = batch->ids + token, .types = batch->types + token,
					   .offset = offset};
		size_t row = (size_t)(v->rows == SKIP_ROWS_T ? token : first);
		SKIP_TRY(run_chunk(session, &chunk, value, out + row * (size_t)v->cols, err));
		first = end;
	}
cleanup:
	skip_free(offset);
	return status;
}
