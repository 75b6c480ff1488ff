/*
 * Device memory of a session. Buffers of the plan live in slots: a pool of the plan is one slot, every other buffer has its own. Weights
 * are filled once; the rest grows with the batch, geometrically, and starts as zeros, so that what a row tile reads past the end is
 * defined.
 */
#include "base/alloc.h"
#include "device/run/run.h"
#include <string.h>

/* Smaller weights are copied: wrapping one keeps whole pages of the file in memory for a few bytes. */
#define WRAP_BYTES ((size_t)1 << 20)

bool skip_buffer_elements(const struct skip_plan_buffer *buffer, const struct skip_sizes *sizes, size_t *out)
{
	size_t n = 0;
	if (!skip_size_mul((size_t)skip_extent_rows(&buffer->rows, sizes), (size_t)buffer->cols, &n)) return false;
	return skip_size_add(n, (size_t)buffer->slack, out);
}

/* Bytes of a buffer, a whole number of cache lines. */
static enum skip_status buffer_bytes(const struct skip_plan_buffer *buffer, const struct skip_sizes *sizes, size_t *out,
				     struct skip_err *err)
{
	size_t n = 0;
	if (!skip_buffer_elements(buffer, sizes, &n) || !skip_size_mul(n / 16 + 1, 64, &n)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "buffer %s is larger than memory can be", buffer->name);
	}
	*out = n;
	return SKIP_OK;
}

struct skip_cl_buffer *skip_memory_buffer(const struct skip_session *session, int buffer)
{
	return session->memory[session->slot[buffer]];
}

/* ---- weights ---- */

struct target {
	struct skip_cl *cl;
	struct skip_cl_buffer *buffer;
};

static enum skip_status write_block(void *context, size_t first, const float *data, size_t count, struct skip_err *err)
{
	const struct target *target = context;
	return skip_cl_write(target->cl, target->buffer, first * sizeof(*data), data, count * sizeof(*data), err);
}

enum skip_status skip_memory_upload(struct skip_session *session, size_t buffer, struct skip_err *err)
{
	const struct skip_plan_buffer *b = &session->plan->buffers[buffer];
	struct target target = {session->cl, skip_memory_buffer(session, (int)buffer)};
	if (session->wrapped[buffer] || (int)buffer == session->gathered) return SKIP_OK;
	const struct skip_pack pack = {.layout = b->layout,
				       .nr = b->nr,
				       .transpose = b->transpose,
				       .stage = session->stage,
				       .stage_count = SKIP_PACK_STAGE,
				       .write = write_block,
				       .context = &target};
	return skip_pack(&pack, session->graph->tensors[b->tensor], err);
}

/* A large float32 view of a mapped file that kernels read as it is needs no memory of its own on a device that runs on the host's. */
static bool can_wrap(const struct skip_session *session, const struct skip_plan_buffer *b, const struct skip_tensor *tensor)
{
	return skip_cl_shares_host_memory(session->cl) && b->layout == SKIP_LAYOUT_ROWS && b->slack == 0 && tensor->dtype == SKIP_F32 &&
	       tensor->map && tensor->data && !tensor->trained && (uintptr_t)tensor->data % sizeof(float) == 0 &&
	       (size_t)skip_tensor_count(tensor) * sizeof(float) >= WRAP_BYTES;
}

static enum skip_status create_weight(struct skip_session *session, size_t i, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan_buffer *b = &session->plan->buffers[i];
	const struct skip_tensor *tensor = session->graph->tensors[b->tensor];
	struct skip_cl_buffer **memory = &session->memory[session->slot[i]];
	static const struct skip_sizes one = {{1, 1, 1, 1, 1}};
	size_t bytes = 0;
	if ((int)i == session->gathered) return SKIP_OK;
	if (can_wrap(session, b, tensor)) {
		size_t size = (size_t)skip_tensor_count(tensor) * sizeof(float);
		session->wrapped[i] = true;
		return skip_cl_buffer_wrap(session->cl, tensor->data, size, memory, err);
	}
	SKIP_TRY(buffer_bytes(b, &one, &bytes, err));
	SKIP_TRY(skip_cl_buffer_create(session->cl, bytes, memory, err));
	if (b->slack > 0) SKIP_TRY(skip_cl_zero(session->cl, *memory, 0, bytes, err));
	SKIP_TRY(skip_memory_upload(session, i, err));
cleanup:
	return status;
}

enum skip_status skip_memory_create(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = session->plan;
	session->slot = skip_alloc_array(plan->n_buffers, sizeof(*session->slot));
	session->wrapped = skip_alloc_zeroed(plan->n_buffers, sizeof(*session->wrapped));
	session->stage = skip_alloc_aligned(64, SKIP_PACK_STAGE, sizeof(*session->stage));
	session->memory = skip_alloc_zeroed((size_t)plan->n_pools + plan->n_buffers, sizeof(struct skip_cl_buffer *));
	if (!session->slot || !session->wrapped || !session->stage || !session->memory) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a table of %zu buffers", plan->n_buffers);
	}
	skip_gather_find(session);
	session->n_slots = (size_t)plan->n_pools;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &plan->buffers[i];
		bool pooled = b->pool != SKIP_NONE && (b->role == SKIP_BUFFER_VALUE || b->role == SKIP_BUFFER_SCRATCH);
		session->slot[i] = pooled ? b->pool : (int)session->n_slots++;
	}
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role == SKIP_BUFFER_WEIGHT) SKIP_TRY(create_weight(session, i, err));
	}
cleanup:
	return status;
}

/* ---- what grows with the batch ---- */

/* Reallocates the slots that are too small for `capacity`. */
static enum skip_status grow_slots(struct skip_session *session, const struct skip_sizes *capacity, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = session->plan;
	size_t *need = skip_alloc_zeroed(session->n_slots, sizeof(*need));
	if (!need) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a table of %zu buffers", session->n_slots);
	for (size_t i = 0; i < plan->n_buffers; i++) {
		struct skip_plan_buffer b = plan->buffers[i];
		size_t bytes = 0;
		if ((int)i == session->gathered) {
			b.rows = (struct skip_extent){SKIP_SIZE_T, 1, 0, 1};
		} else if (b.role == SKIP_BUFFER_WEIGHT) {
			continue;
		}
		SKIP_TRY(buffer_bytes(&b, capacity, &bytes, err));
		if (bytes > need[session->slot[i]]) need[session->slot[i]] = bytes;
	}
	for (size_t s = 0; s < session->n_slots; s++) {
		struct skip_cl_buffer **memory = &session->memory[s];
		if (need[s] == 0 || (*memory && skip_cl_buffer_bytes(*memory) >= need[s])) continue;
		session->rebind = true;
		skip_cl_buffer_destroy(*memory);
		*memory = NULL;
		SKIP_TRY(skip_cl_buffer_create(session->cl, need[s], memory, err));
		SKIP_TRY(skip_cl_zero(session->cl, *memory, 0, need[s], err));
	}
cleanup:
	skip_free(need);
	return status;
}

/* Host side of the batch tables. */
static enum skip_status grow_tables(struct skip_session *session, const struct skip_sizes *capacity, struct skip_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < session->plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &session->plan->buffers[i];
		if (b->role == SKIP_BUFFER_BATCH) count += skip_batch_table_count(b->batch, capacity);
	}
	enum skip_status status = skip_cl_event_wait(session->table_event, err);
	session->table_event = NULL;
	if (status != SKIP_OK || count <= session->table_count) return status;
	skip_free(session->table);
	session->table_count = 0;
	session->table = skip_alloc_array(count, sizeof(*session->table));
	if (!session->table) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for batch tables");
	session->table_count = count;
	return SKIP_OK;
}

enum skip_status skip_memory_reserve(struct skip_session *session, const struct skip_sizes *sizes, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_sizes capacity = session->capacity;
	bool grows = false;
	for (int i = 0; i < SKIP_SIZE_COUNT; i++) {
		int64_t half_more = (int64_t)capacity.of[i] + capacity.of[i] / 2;
		if (sizes->of[i] <= capacity.of[i]) continue;
		capacity.of[i] = half_more > sizes->of[i] && half_more <= INT32_MAX ? (int32_t)half_more : sizes->of[i];
		grows = true;
	}
	if (!grows) return SKIP_OK;
	SKIP_TRY(grow_tables(session, &capacity, err));
	SKIP_TRY(grow_slots(session, &capacity, err));
	session->capacity = capacity;
cleanup:
	if (status != SKIP_OK) memset(&session->capacity, 0, sizeof(session->capacity));
	return status;
}

void skip_memory_destroy(struct skip_session *session)
{
	for (size_t s = 0; s < session->n_slots; s++) skip_cl_buffer_destroy(session->memory[s]);
	skip_cl_event_wait(session->table_event, NULL);
	skip_free(session->memory);
	skip_free(session->slot);
	skip_free(session->wrapped);
	skip_free(session->stage);
	skip_free(session->word);
	skip_free(session->word_place);
	skip_free(session->word_rows);
	skip_free(session->table);
}
