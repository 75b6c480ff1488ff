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

enum skip_status skip_chunks_init(const struct skip_session *session, const struct skip_batch *batch, int value, struct skip_chunks *out,
				  struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int most = skip_device_profile(session->device)->chunk;
	struct skip_chunks chunks = {.whole = batch};
	*out = chunks;
	if (most == 0 || batch->n_tokens <= most || session->graph->values[value].rows == SKIP_ROWS_FIXED) return SKIP_OK;
	struct skip_sizes sizes;
	SKIP_TRY(skip_batch_sizes(batch, session->plan, &sizes, err));
	/* Equal shares: a small last chunk would leave the device half empty. */
	chunks.share = (double)batch->n_tokens / ((batch->n_tokens + most - 1) / most);
	chunks.offset = skip_alloc_array((size_t)batch->n_seqs + 1, sizeof(*chunks.offset));
	if (!chunks.offset) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a batch of %d sequences", batch->n_seqs);
	*out = chunks;
cleanup:
	return status;
}

bool skip_chunks_next(struct skip_chunks *chunks)
{
	const struct skip_batch *whole = chunks->whole;
	chunks->first = chunks->end;
	if (!chunks->offset) {
		chunks->now = *whole;
		chunks->end = 1;
		return chunks->first == 0;
	}
	if (chunks->first == whole->n_seqs) return false;
	const int first = chunks->first, end = chunk_end(whole, first, chunks->share), token = whole->offset[first];
	for (int b = first; b <= end; b++) chunks->offset[b - first] = whole->offset[b] - token;
	chunks->now = (struct skip_batch){.n_tokens = chunks->offset[end - first], .n_seqs = end - first, .ids = whole->ids + token,
					  .types = whole->types + token, .offset = chunks->offset};
	chunks->end = end;
	return true;
}

void skip_chunks_deinit(struct skip_chunks *chunks)
{
	skip_free(chunks->offset);
	*chunks = (struct skip_chunks){0};
}

enum skip_status skip_session_run(struct skip_session *session, const struct skip_batch *batch, int value, float *out, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *v = &session->graph->values[value];
	struct skip_chunks chunks = {0};
	SKIP_TRY(skip_chunks_init(session, batch, value, &chunks, err));
	while (skip_chunks_next(&chunks)) {
		size_t row = (size_t)(v->rows == SKIP_ROWS_T ? batch->offset[chunks.first] : chunks.first);
		SKIP_TRY(skip_session_set_batch(session, &chunks.now, err));
		SKIP_TRY(skip_session_enqueue(session, 0, session->graph->n_nodes, 0, err));
		SKIP_TRY(skip_session_read(session, value, out + row * (size_t)v->cols, err));
	}
cleanup:
	skip_chunks_deinit(&chunks);
	return status;
}
