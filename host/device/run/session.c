/* The public calls of a session. What they stand on: memory.c, bind.c, tables.c, check.c. */
#include "base/alloc.h"
#include "base/cpus.h"
#include "device/run/run.h"
#include <assert.h>
#include <string.h>

/* Enqueues after which the device is told to start, while the host goes on enqueueing. */
#define FLUSH_AFTER 8

/* Programs come as texts, all of them, or a library has built the one there is. */
static enum skip_status build_programs(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = session->plan;
	const struct skip_plan_program *only = plan->programs;
	struct skip_cl_source *source = NULL;
	session->program = skip_alloc_zeroed(plan->n_programs, sizeof(struct skip_cl_program *));
	if (!session->program) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu programs", plan->n_programs);
	if (plan->n_programs == 1 && only->binary.length)
		return skip_cl_program_load(session->cl, only->name, only->binary.data, only->binary.length, plan->options, &session->program[0], err);
	source = skip_alloc_array(plan->n_programs, sizeof(*source));
	if (!source) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu programs", plan->n_programs);
	for (size_t i = 0; i < plan->n_programs; i++) {
		assert(plan->programs[i].text);
		source[i] = (struct skip_cl_source){plan->programs[i].name, plan->programs[i].text};
	}
	SKIP_TRY(skip_cl_programs_build(session->cl, source, plan->n_programs, plan->options, session->program, err));
cleanup:
	skip_free(source);
	return status;
}

static enum skip_status take_tensors(struct skip_session *session, struct skip_err *err)
{
	const struct skip_graph *graph = session->graph;
	session->tensor = skip_alloc_zeroed(graph->n_tensors, sizeof(struct skip_tensor *));
	if (!session->tensor) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu tensors", graph->n_tensors);
	for (; session->n_tensors < graph->n_tensors; session->n_tensors++) {
		session->tensor[session->n_tensors] = skip_tensor_ref(graph->tensors[session->n_tensors]);
	}
	return SKIP_OK;
}

/* One token, so that drivers that finish compiling at the first launch do it now; then the binaries are complete and worth keeping. */
static enum skip_status warm_up(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int32_t zero = 0, offset[2] = {0, 1};
	const struct skip_batch batch = {1, 1, &zero, &zero, offset};
	SKIP_TRY(skip_session_set_batch(session, &batch, err));
	SKIP_TRY(skip_bind_warm(session, err));
	for (size_t i = 0; i < session->plan->n_programs; i++) skip_cl_program_store(session->cl, session->program[i]);
cleanup:
	session->sizes.of[SKIP_SIZE_T] = 0;
	return status;
}

/* Groups that can run side by side. Those of a team wait for each other without sleeping, which on a CPU that they share would only keep the one they wait for from it. */
static int32_t count_groups(const struct skip_device *device)
{
	const struct skip_device_info *info = skip_device_get_info(device);
	const int cpus = info->facts.local_cpu ? skip_cpus_allowed(NULL) : info->compute_units;
	return cpus < info->compute_units ? cpus : info->compute_units;
}

enum skip_status skip_session_create(struct skip_device *device, const struct skip_graph *graph, const struct skip_plan *plan, bool warm,
				     struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_session *session = skip_alloc_zeroed(1, sizeof(*session));
	if (!session) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a session");
	session->device = device;
	session->cl = skip_device_cl(device);
	session->graph = graph;
	session->plan = plan;
	session->groups = count_groups(device);
	SKIP_TRY(skip_plan_check(plan, graph, err));
	SKIP_TRY(take_tensors(session, err));
	SKIP_TRY(build_programs(session, err));
	SKIP_TRY(skip_bind_create(session, err));
	SKIP_TRY(skip_memory_create(session, err));
	if (warm) SKIP_TRY(warm_up(session, err));
	*out = session;
	session = NULL;
cleanup:
	skip_session_destroy(session);
	return status;
}

enum skip_status skip_session_binary(const struct skip_session *session, struct skip_buf *out, struct skip_err *err)
{
	assert(session->plan->n_programs == 1);
	return skip_cl_program_binary(session->program[0], out, err);
}

void skip_session_destroy(struct skip_session *session)
{
	if (!session) return;
	/* Kernels still in the queue may read host memory that goes now. */
	skip_cl_finish(session->cl, NULL);
	skip_memory_destroy(session);
	skip_bind_destroy(session);
	for (size_t i = 0; session->program && i < session->plan->n_programs; i++) skip_cl_program_destroy(session->program[i]);
	for (size_t i = 0; i < session->n_tensors; i++) skip_tensor_unref(session->tensor[i]);
	skip_free(session->program);
	skip_free(session->tensor);
	skip_plan_destroy(session->own_plan);
	skip_graph_destroy(session->own_graph);
	skip_free(session);
}

enum skip_status skip_session_update(struct skip_session *session, int tensor, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	assert(tensor >= 0 && (size_t)tensor < session->n_tensors);
	for (size_t i = 0; i < session->plan->n_buffers; i++) {
		const struct skip_plan_buffer *b = &session->plan->buffers[i];
		if (b->role != SKIP_BUFFER_WEIGHT || !skip_tensor_contains(session->tensor[b->tensor], session->tensor[tensor])) continue;
		SKIP_TRY(skip_memory_upload(session, i, err));
	}
cleanup:
	return status;
}

/* Fills and sends the index tables the plan asks for. */
static enum skip_status send_tables(struct skip_session *session, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = session->plan;
	size_t used = 0;
	SKIP_TRY(skip_cl_event_wait(session->table_event, err));
	session->table_event = NULL;
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role != SKIP_BUFFER_BATCH) continue;
		struct skip_cl_buffer *buffer = skip_memory_buffer(session, (int)i);
		size_t count = skip_batch_table_count(plan->buffers[i].batch, &session->sizes);
		struct skip_cl_event *event = NULL;
		if (count * sizeof(int32_t) > skip_cl_buffer_bytes(buffer)) {
			status =
			    skip_err_set(err, SKIP_ERR_INPUT, "buffer %s of the plan is too small for its table", plan->buffers[i].name);
			goto cleanup;
		}
		if (session->gathered != SKIP_NONE && plan->buffers[i].batch == SKIP_BATCH_IDS) {
			SKIP_TRY(skip_gather_note(session, batch, session->table + used, err));
		} else {
			skip_batch_table_fill(batch, plan, plan->buffers[i].batch, session->table + used);
		}
		SKIP_TRY(skip_cl_write_later(session->cl, buffer, 0, session->table + used, count * sizeof(int32_t), &event, err));
		/* In order, so the last one ends after all others. */
		skip_cl_event_forget(session->table_event);
		session->table_event = event;
		used += count;
	}
cleanup:
	return status;
}

enum skip_status skip_session_set_batch(struct skip_session *session, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_sizes sizes;
	SKIP_TRY(skip_batch_sizes(batch, session->plan, &sizes, err));
	SKIP_TRY(skip_batch_check(batch, session->graph, err));
	sizes.of[SKIP_SIZE_W] = session->groups;
	bool same = memcmp(&sizes, &session->sizes, sizeof(sizes)) == 0;
	session->sizes.of[SKIP_SIZE_T] = 0;
	SKIP_TRY(skip_memory_reserve(session, &sizes, err));
	session->sizes = sizes;
	status = send_tables(session, batch, err);
	if (status == SKIP_OK && (!same || session->rebind)) status = skip_bind_batch(session, err);
	if (status != SKIP_OK) session->sizes.of[SKIP_SIZE_T] = 0;
cleanup:
	return status;
}

static enum skip_status need_batch(const struct skip_session *session, struct skip_err *err)
{
	if (session->sizes.of[SKIP_SIZE_T] > 0) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INTERNAL, "the session has no batch");
}

enum skip_status skip_session_enqueue(struct skip_session *session, size_t first, size_t last, uint32_t dropout_key, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int enqueued = 0;
	SKIP_TRY(need_batch(session, err));
	assert(!session->plan->whole || (first == 0 && last >= session->graph->n_nodes));
	SKIP_TRY(skip_gather_send(session, first, last, err));
	for (size_t i = 0; i < session->plan->n_launches; i++) {
		size_t node = (size_t)session->plan->launches[i].node;
		if (node < first || node >= last) continue;
		SKIP_TRY(skip_bind_enqueue(session, i, dropout_key, err));
		if (++enqueued == FLUSH_AFTER) SKIP_TRY(skip_cl_flush(session->cl, err));
	}
cleanup:
	return status;
}

/* The buffer and bytes of a whole value. */
static enum skip_status find_value(const struct skip_session *session, int value, struct skip_cl_buffer **buffer, size_t *bytes,
				   struct skip_err *err)
{
	const struct skip_graph *graph = session->graph;
	enum skip_status status = need_batch(session, err);
	if (status != SKIP_OK) return status;
	assert(value >= 0 && (size_t)value < graph->n_values);
	const struct skip_value *v = &graph->values[value];
	int index = session->plan->value_buffer[value];
	if (index == SKIP_NONE) return skip_err_set(err, SKIP_ERR_INTERNAL, "value %s is not computed on the device", v->name);
	int32_t rows = v->rows == SKIP_ROWS_FIXED ? v->fixed_rows : session->sizes.of[v->rows == SKIP_ROWS_T ? SKIP_SIZE_T : SKIP_SIZE_B];
	*buffer = skip_memory_buffer(session, index);
	*bytes = (size_t)rows * (size_t)v->cols * sizeof(float);
	if (*bytes > skip_cl_buffer_bytes(*buffer)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "buffer %s of the plan is too small for its value", v->name);
	}
	return SKIP_OK;
}

enum skip_status skip_session_write(struct skip_session *session, int value, const float *data, struct skip_err *err)
{
	struct skip_cl_buffer *buffer = NULL;
	size_t bytes = 0;
	enum skip_status status = find_value(session, value, &buffer, &bytes, err);
	return status == SKIP_OK && bytes > 0 ? skip_cl_write(session->cl, buffer, 0, data, bytes, err) : status;
}

enum skip_status skip_session_read(struct skip_session *session, int value, float *out, struct skip_err *err)
{
	struct skip_cl_buffer *buffer = NULL;
	size_t bytes = 0;
	enum skip_status status = find_value(session, value, &buffer, &bytes, err);
	return status == SKIP_OK && bytes > 0 ? skip_cl_read(session->cl, buffer, 0, out, bytes, err) : status;
}

enum skip_status skip_session_finish(struct skip_session *session, struct skip_err *err)
{
	return skip_cl_finish(session->cl, err);
}

void skip_session_get_memory(const struct skip_session *session, struct skip_session_memory *out)
{
	const struct skip_plan *plan = session->plan;
	struct skip_session_memory sum = {0, 0, 0};
	for (size_t s = 0; s < session->n_slots; s++) {
		size_t *kind = &sum.scratch;
		for (size_t i = 0; i < plan->n_buffers; i++) {
			if ((size_t)session->slot[i] != s) continue;
			if (plan->buffers[i].role == SKIP_BUFFER_WEIGHT) kind = &sum.weights;
			if (plan->buffers[i].role == SKIP_BUFFER_VALUE) kind = &sum.activations;
		}
		if (session->memory[s]) *kind += skip_cl_buffer_bytes(session->memory[s]);
	}
	*out = sum;
}

const struct skip_graph *skip_session_graph(const struct skip_session *session)
{
	return session->graph;
}

const struct skip_plan *skip_session_plan(const struct skip_session *session)
{
	return session->plan;
}

const struct skip_session_answer *skip_session_get_answer(const struct skip_session *session)
{
	return session->answer.set[0] ? &session->answer : NULL;
}
