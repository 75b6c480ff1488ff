/* Kernel objects of the launches, their arguments, and the pieces each launch is enqueued in. */
#include "base/alloc.h"
#include "base/clock.h"
#include "device/run/run.h"
#include <assert.h>

static enum skip_status create_launch(struct skip_session *session, size_t i, struct skip_err *err)
{
	const struct skip_plan *plan = session->plan;
	const struct skip_plan_launch *launch = &plan->launches[i];
	struct skip_bound *bound = &session->bound[i];
	int n = launch->call ? 0 : launch->n_cover > 0 ? launch->n_cover : 1;
	for (int v = 0; v < n; v++) {
		const struct skip_plan_kernel *kernel = &plan->kernels[launch->n_cover > 0 ? launch->cover[v].kernel : launch->kernel];
		enum skip_status status = skip_cl_kernel_create(session->program[kernel->program], kernel->name, &bound->kernel[v], err);
		if (status != SKIP_OK) return status;
		bound->plan_kernel[v] = kernel;
		bound->n_kernels++;
		unsigned takes = skip_cl_kernel_args(bound->kernel[v]);
		if (takes != (unsigned)launch->n_args) {
			return skip_err_set(err, SKIP_ERR_INTERNAL, "launch %zu passes %d arguments, kernel %s takes %u", i, launch->n_args,
					    kernel->name, takes);
		}
	}
	for (int a = 0; a < launch->n_args; a++) bound->has_key |= launch->arg[a].kind == SKIP_ARG_KEY;
	return SKIP_OK;
}

enum skip_status skip_bind_create(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	session->bound = skip_alloc_zeroed(session->plan->n_launches, sizeof(*session->bound));
	if (!session->bound) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu launches", session->plan->n_launches);
	for (size_t i = 0; i < session->plan->n_launches; i++) SKIP_TRY(create_launch(session, i, err));
	session->rebind = true;
cleanup:
	return status;
}

void skip_bind_destroy(struct skip_session *session)
{
	for (size_t i = 0; session->bound && i < session->plan->n_launches; i++) {
		for (int v = 0; v < session->bound[i].n_kernels; v++) skip_cl_kernel_destroy(session->bound[i].kernel[v]);
	}
	skip_free(session->bound);
}

/* Sets what depends on the batch, and everything when buffers have moved. */
static enum skip_status set_args(struct skip_session *session, const struct skip_plan_launch *launch, struct skip_cl_kernel *kernel,
				 uint32_t row0, int tile, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int64_t count[SKIP_LAUNCH_MAX_COVER];
	int32_t number;
	for (unsigned a = 0; a < (unsigned)launch->n_args; a++) {
		const struct skip_plan_arg *arg = &launch->arg[a];
		switch (arg->kind) {
		case SKIP_ARG_BUFFER:
			if (session->rebind) SKIP_TRY(skip_cl_set_buffer(kernel, a, skip_memory_buffer(session, arg->buffer), err));
			break;
		case SKIP_ARG_SIZE:
			SKIP_TRY(skip_cl_set_word(kernel, a, &session->sizes.of[arg->size], err));
			break;
		case SKIP_ARG_INT:
			if (session->rebind) SKIP_TRY(skip_cl_set_word(kernel, a, &arg->i, err));
			break;
		case SKIP_ARG_FLOAT:
			if (session->rebind) SKIP_TRY(skip_cl_set_word(kernel, a, &arg->f, err));
			break;
		case SKIP_ARG_ROW0:
			SKIP_TRY(skip_cl_set_word(kernel, a, &row0, err));
			break;
		case SKIP_ARG_TILE:
			if (session->rebind) SKIP_TRY(skip_cl_set_word(kernel, a, &tile, err));
			break;
		case SKIP_ARG_COUNT:
			skip_cover(session->sizes.of[arg->size], arg->tile, arg->n_tiles, false, count);
			number = (int32_t)count[arg->i];
			SKIP_TRY(skip_cl_set_word(kernel, a, &number, err));
			break;
		case SKIP_ARG_KEY: /* by enqueue */
			break;
		}
	}
cleanup:
	return status;
}

/* Work-items of a launch that is no cover, whole work-groups. */
static void global_size(const struct skip_session *session, const struct skip_plan_launch *launch, const struct skip_plan_kernel *kernel,
			size_t global[3])
{
	for (int d = 0; d < 3; d++) {
		size_t items = (size_t)skip_extent_rows(&launch->global[d], &session->sizes), group = kernel->local[d];
		global[d] = (items + group - 1) / group * group;
	}
}

static enum skip_status bind_launch(struct skip_session *session, size_t i, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan_launch *launch = &session->plan->launches[i];
	struct skip_bound *bound = &session->bound[i];
	int64_t count[SKIP_LAUNCH_MAX_COVER] = {1}, row0 = 0;
	int tile[SKIP_LAUNCH_MAX_COVER] = {0};
	for (int c = 0; c < launch->n_cover; c++) tile[c] = launch->cover[c].tile;
	if (launch->n_cover > 0) skip_cover(session->sizes.of[launch->cover_rows], tile, launch->n_cover, true, count);
	bound->n_pieces = 0;
	for (int v = 0; v < bound->n_kernels; v++) {
		SKIP_TRY(set_args(session, launch, bound->kernel[v], (uint32_t)row0, tile[v], err));
		if (count[v] == 0) continue;
		struct skip_piece *piece = &bound->piece[bound->n_pieces];
		piece->variant = v;
		global_size(session, launch, bound->plan_kernel[v], piece->global);
		if (launch->n_cover > 0) piece->global[0] = (size_t)count[v] * bound->plan_kernel[v]->local[0];
		row0 += count[v] * tile[v];
		if (piece->global[0] > 0 && piece->global[1] > 0 && piece->global[2] > 0) bound->n_pieces++;
	}
cleanup:
	return status;
}

enum skip_status skip_bind_batch(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < session->plan->n_launches; i++) SKIP_TRY(bind_launch(session, i, err));
	session->rebind = false;
cleanup:
	return status;
}

static void group_size(const struct skip_plan_kernel *kernel, size_t local[3])
{
	for (int d = 0; d < 3; d++) local[d] = kernel->local[d];
}

static enum skip_status set_key(const struct skip_plan_launch *launch, const struct skip_bound *bound, uint32_t key, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (int v = 0; bound->has_key && v < bound->n_kernels; v++) {
		for (unsigned a = 0; a < (unsigned)launch->n_args; a++) {
			if (launch->arg[a].kind == SKIP_ARG_KEY) SKIP_TRY(skip_cl_set_word(bound->kernel[v], a, &key, err));
		}
	}
cleanup:
	return status;
}

size_t skip_bind_group(const struct skip_plan *plan, size_t i)
{
	size_t n = 1;
	while (i + n < plan->n_launches && plan->launches[i + n].together) n++;
	return n;
}

/* The stages of one engine, launches i .. i + n - 1. */
static enum skip_status run_together(struct skip_session *session, size_t i, size_t n, struct skip_err *err)
{
	struct skip_cl_kernel *kernel[SKIP_CL_TOGETHER];
	if (n > SKIP_CL_TOGETHER) return skip_err_set(err, SKIP_ERR_INPUT, "%zu launches of the plan run together, at most %d", n, SKIP_CL_TOGETHER);
	for (size_t k = 0; k < n; k++) kernel[k] = session->bound[i + k].kernel[0];
	return skip_cl_run_together(session->cl, kernel, (int)n, err);
}

/* A library's routine for the current batch; it takes its arguments at every call. */
static enum skip_status enqueue_call(struct skip_session *session, const struct skip_plan_launch *launch, struct skip_err *err)
{
	const struct skip_plan_arg *arg = launch->arg, *rows = &arg[SKIP_GEMM_ROWS];
	const struct skip_cl_gemm gemm = {
	    .x = skip_memory_buffer(session, arg[SKIP_GEMM_X].buffer),
	    .w = skip_memory_buffer(session, arg[SKIP_GEMM_W].buffer),
	    .y = skip_memory_buffer(session, arg[SKIP_GEMM_Y].buffer),
	    .m = rows->kind == SKIP_ARG_SIZE ? session->sizes.of[rows->size] : rows->i,
	    .n = arg[SKIP_GEMM_COLS].i,
	    .k = arg[SKIP_GEMM_DEPTH].i,
	    .transpose = arg[SKIP_GEMM_TRANSPOSE].i,
	};
	return skip_cl_gemm(session->cl, &gemm, err);
}

enum skip_status skip_bind_enqueue(struct skip_session *session, size_t i, uint32_t dropout_key, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_bound *bound = &session->bound[i];
	if (session->plan->launches[i].call) return enqueue_call(session, &session->plan->launches[i], err);
	if (session->plan->launches[i].together) return SKIP_OK;
	if (skip_bind_group(session->plan, i) > 1) return run_together(session, i, skip_bind_group(session->plan, i), err);
	SKIP_TRY(set_key(&session->plan->launches[i], bound, dropout_key, err));
	for (int p = 0; p < bound->n_pieces; p++) {
		const struct skip_piece *piece = &bound->piece[p];
		size_t local[3];
		group_size(bound->plan_kernel[piece->variant], local);
		SKIP_TRY(skip_cl_enqueue(session->cl, bound->kernel[piece->variant], piece->global, local, err));
	}
cleanup:
	return status;
}

enum skip_status skip_bind_time(struct skip_session *session, size_t i, double *seconds, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_bound *bound = &session->bound[i];
	double sum = 0;
	if (session->plan->launches[i].call) {
		SKIP_TRY(skip_cl_finish(session->cl, err));
		double start = skip_clock_seconds();
		SKIP_TRY(enqueue_call(session, &session->plan->launches[i], err));
		SKIP_TRY(skip_cl_finish(session->cl, err));
		*seconds = skip_clock_seconds() - start;
		return SKIP_OK;
	}
	if (skip_bind_group(session->plan, i) > 1 || session->plan->launches[i].together) {
		/* The stages share one time, which the first of them gets. */
		double start = skip_clock_seconds();
		SKIP_TRY(skip_bind_enqueue(session, i, 0, err));
		*seconds = session->plan->launches[i].together ? 0 : skip_clock_seconds() - start;
		return SKIP_OK;
	}
	SKIP_TRY(set_key(&session->plan->launches[i], bound, 0, err));
	for (int p = 0; p < bound->n_pieces; p++) {
		const struct skip_piece *piece = &bound->piece[p];
		size_t local[3];
		double now = 0;
		group_size(bound->plan_kernel[piece->variant], local);
		SKIP_TRY(skip_cl_enqueue_timed(session->cl, bound->kernel[piece->variant], piece->global, local, &now, err));
		sum += now;
	}
	*seconds = sum;
cleanup:
	return status;
}

enum skip_status skip_bind_warm(struct skip_session *session, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = session->plan;
	bool *seen = skip_alloc_zeroed(plan->n_kernels, sizeof(*seen));
	if (!seen) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a table of %zu kernels", plan->n_kernels);
	for (size_t i = 0; i < plan->n_launches; i++) {
		const struct skip_bound *bound = &session->bound[i];
		if (plan->launches[i].call) SKIP_TRY(enqueue_call(session, &plan->launches[i], err));
		if (skip_bind_group(plan, i) > 1 || plan->launches[i].together) {
			SKIP_TRY(skip_bind_enqueue(session, i, 0, err));
			continue;
		}
		SKIP_TRY(set_key(&plan->launches[i], bound, 0, err));
		for (int v = 0; v < bound->n_kernels; v++) {
			size_t global[3], local[3], kernel = (size_t)(bound->plan_kernel[v] - plan->kernels);
			if (seen[kernel]) continue;
			seen[kernel] = true;
			global_size(session, &plan->launches[i], bound->plan_kernel[v], global);
			group_size(bound->plan_kernel[v], local);
			if (plan->launches[i].n_cover > 0) global[0] = local[0];
			if (global[0] == 0 || global[1] == 0 || global[2] == 0) continue;
			SKIP_TRY(skip_cl_enqueue(session->cl, bound->kernel[v], global, local, err));
		}
	}
	SKIP_TRY(skip_cl_finish(session->cl, err));
cleanup:
	skip_free(seen);
	return status;
}
