/*
 * The word table of a checkpoint is half of a small model, and a batch needs few of its rows. Wrapping the mapped file would keep what the
 * kernel ever touched in memory, and the system maps far more than the row asked for (whole folios of the page cache, here some 190 KB
 * for 1.5). So on a device that runs on the host's memory the table's buffer holds the rows of the batch only, in the order of its tokens,
 * and the ids count them: row t of the buffer is the row of token t. The rows are read when the node that looks them up is to run: a walk that goes on from a
 * later node, as searches do again and again, never needs them. Rows that were read stay: texts repeat their words, and a read takes longer than the copy, by
 * milliseconds a batch.
 */
#include "base/alloc.h"
#include "device/run/run.h"
#include "graph/op.h"
#include <string.h>

/* Smaller tables are copied whole. */
#define GATHER_BYTES ((size_t)1 << 20)

static int embed_node(const struct skip_graph *graph)
{
	int found = SKIP_NONE;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		if (strcmp(graph->nodes[i].op->name, "embed") != 0) continue;
		if (found != SKIP_NONE) return SKIP_NONE;
		found = (int)i;
	}
	return found;
}

/* Whether no launch of another node sees the buffer. */
static bool private_to(const struct skip_plan *plan, int buffer, int node)
{
	for (size_t l = 0; l < plan->n_launches; l++) {
		const struct skip_plan_launch *launch = &plan->launches[l];
		for (int a = 0; launch->node != node && a < launch->n_args; a++) {
			if (launch->arg[a].kind == SKIP_ARG_BUFFER && launch->arg[a].buffer == buffer) return false;
		}
	}
	return true;
}

void skip_gather_find(struct skip_session *session)
{
	const struct skip_plan *plan = session->plan;
	const struct skip_graph *graph = session->graph;
	int node = embed_node(graph), found = SKIP_NONE;
	session->gathered = SKIP_NONE;
	if (node == SKIP_NONE || !skip_cl_shares_host_memory(session->cl)) return;
	int index = graph->nodes[node].param[0];
	const struct skip_tensor *table = graph->tensors[index];
	if (!table->map || !table->data || table->trained || table->rank != 2) return;
	if ((size_t)skip_tensor_count(table) * sizeof(float) < GATHER_BYTES || table->dim[1] > (int64_t)SKIP_PACK_STAGE / 4)
		return;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &plan->buffers[i];
		bool is_table = b->role == SKIP_BUFFER_WEIGHT && b->tensor == index;
		bool is_ids = b->role == SKIP_BUFFER_BATCH && b->batch == SKIP_BATCH_IDS;
		if (!is_table && !is_ids) continue;
		if (!private_to(plan, (int)i, node)) return;
		if (!is_table) continue;
		if (found != SKIP_NONE || b->layout != SKIP_LAYOUT_ROWS || b->slack != 0) return;
		found = (int)i;
	}
	session->gathered = found;
	session->gather_node = node;
}

enum skip_status skip_gather_note(struct skip_session *session, const struct skip_batch *batch, int32_t *out, struct skip_err *err)
{
	const size_t n = (size_t)batch->n_tokens;
	if (!skip_grow((void **)&session->word, &session->word_capacity, n, sizeof(*session->word))) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu tokens", n);
	memcpy(session->word, batch->ids, n * sizeof(*session->word));
	session->gather_due = true;
	for (size_t t = 0; t < n; t++) out[t] = (int32_t)t;
	return SKIP_OK;
}

/* Room for all places of words, none of them read. */
static enum skip_status open_words(struct skip_session *session, size_t vocabulary, struct skip_err *err)
{
	if (session->word_place) return SKIP_OK;
	session->word_place = skip_alloc_array(vocabulary, sizeof(*session->word_place));
	if (!session->word_place) return skip_err_set(err, SKIP_ERR_NOMEM, "places of %zu words", vocabulary);
	for (size_t i = 0; i < vocabulary; i++) session->word_place[i] = SKIP_NONE;
	return SKIP_OK;
}

/* Row `id` of the table in float32, read where it was not before. */
static enum skip_status word_row(struct skip_session *session, const struct skip_tensor *table, int32_t id, const float **out, struct skip_err *err)
{
	const size_t cols = (size_t)table->dim[1], bytes = cols * skip_dtype_size(table->dtype);
	float *raw = session->stage + SKIP_PACK_STAGE - 2 * cols; /* one row as it is in the file, of at most 8 bytes an element */
	if (session->word_place[id] == SKIP_NONE) {
		const size_t n = (size_t)session->n_words;
		if (!skip_grow((void **)&session->word_rows, &session->word_rows_capacity, (n + 1) * cols, sizeof(*session->word_rows)))
			return skip_err_set(err, SKIP_ERR_NOMEM, "rows of %zu words", n + 1);
		skip_mapfile_copy(table->map, (const char *)table->data + (size_t)id * bytes, bytes, raw);
		skip_dtype_to_f32(table->dtype, raw, cols, session->word_rows + n * cols);
		session->word_place[id] = session->n_words++;
	}
	*out = session->word_rows + (size_t)session->word_place[id] * cols;
	return SKIP_OK;
}

enum skip_status skip_gather_send(struct skip_session *session, size_t first, size_t last, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (!session->gather_due || (size_t)session->gather_node < first || (size_t)session->gather_node >= last) return SKIP_OK;
	const struct skip_tensor *table = session->graph->tensors[session->plan->buffers[session->gathered].tensor];
	struct skip_cl_buffer *buffer = skip_memory_buffer(session, session->gathered);
	const size_t cols = (size_t)table->dim[1], n = (size_t)session->sizes.of[SKIP_SIZE_T];
	const size_t step = SKIP_PACK_STAGE / cols - 2; /* the end of the stage is word_row's */
	SKIP_TRY(open_words(session, (size_t)table->dim[0], err));
	for (size_t t = 0; t < n; t += step) {
		const size_t rows = n - t < step ? n - t : step;
		for (size_t r = 0; r < rows; r++) {
			const float *row = NULL;
			SKIP_TRY(word_row(session, table, session->word[t + r], &row, err));
			memcpy(session->stage + r * cols, row, cols * sizeof(*row));
		}
		SKIP_TRY(skip_cl_write(session->cl, buffer, t * cols * sizeof(float), session->stage, rows * cols * sizeof(float), err));
	}
	session->gather_due = false;
cleanup:
	return status;
}
