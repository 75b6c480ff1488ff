/*
 * The word table of a checkpoint is half of a small model, and a batch needs few of its rows. Wrapping the mapped file would keep what the
 * kernel ever touched in memory, and the system maps far more than the row asked for (whole folios of the page cache, here some 190 KB
 * for 1.5). So on a device that runs on the host's memory the table's buffer holds the rows of the batch only, in the order of its tokens,
 * and the ids count them: row t of the buffer is the row of token t.
 */
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

int skip_gather_find(const struct skip_session *session)
{
	const struct skip_plan *plan = session->plan;
	const struct skip_graph *graph = session->graph;
	int node = embed_node(graph), found = SKIP_NONE;
	if (node == SKIP_NONE || !skip_cl_shares_host_memory(session->cl)) return SKIP_NONE;
	int index = graph->nodes[node].param[0];
	const struct skip_tensor *table = graph->tensors[index];
	if (!table->map || !table->data || table->trained || table->rank != 2) return SKIP_NONE;
	if ((size_t)skip_tensor_count(table) * sizeof(float) < GATHER_BYTES || table->dim[1] > (int64_t)SKIP_PACK_STAGE / 4)
		return SKIP_NONE;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &plan->buffers[i];
		bool is_table = b->role == SKIP_BUFFER_WEIGHT && b->tensor == index;
		bool is_ids = b->role == SKIP_BUFFER_BATCH && b->batch == SKIP_BATCH_IDS;
		if (!is_table && !is_ids) continue;
		if (!private_to(plan, (int)i, node)) return SKIP_NONE;
		if (!is_table) continue;
		if (found != SKIP_NONE || b->layout != SKIP_LAYOUT_ROWS || b->slack != 0) return SKIP_NONE;
		found = (int)i;
	}
	return found;
}

void skip_gather_ids(const struct skip_batch *batch, int32_t *out)
{
	for (int32_t t = 0; t < batch->n_tokens; t++) out[t] = t;
}

enum skip_status skip_gather_send(struct skip_session *session, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_tensor *table = session->graph->tensors[session->plan->buffers[session->gathered].tensor];
	struct skip_cl_buffer *buffer = skip_memory_buffer(session, session->gathered);
	size_t cols = (size_t)table->dim[1], bytes = cols * skip_dtype_size(table->dtype);
	/* The end of the stage holds one row as it is in the file, of at most 8 bytes an element. */
	size_t step = SKIP_PACK_STAGE / cols - 2;
	float *raw = session->stage + SKIP_PACK_STAGE - 2 * cols;
	for (size_t t = 0; t < (size_t)batch->n_tokens; t += step) {
		size_t rows = (size_t)batch->n_tokens - t < step ? (size_t)batch->n_tokens - t : step;
		for (size_t r = 0; r < rows; r++) {
			skip_mapfile_copy(table->map, (const char *)table->data + (size_t)batch->ids[t + r] * bytes, bytes, raw);
			skip_dtype_to_f32(table->dtype, raw, cols, session->stage + r * cols);
		}
		SKIP_TRY(skip_cl_write(session->cl, buffer, t * cols * sizeof(float), session->stage, rows * cols * sizeof(float), err));
	}
cleanup:
	return status;
}
