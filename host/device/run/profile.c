/* Every launch on its own: time, work, traffic, and the rows its cover computes beyond the real ones. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/median.h"
#include "device/run/run.h"
#include "graph/op.h"
#include "graph/rules.h"
#include <assert.h>
#include <string.h>

enum { LEAST_RUNS = 5, MOST_RUNS = 101 };

/* One run; adds the seconds of launch i to sum[i * stride]. */
static enum skip_status time_run(struct skip_session *session, const struct skip_batch *batch, int value, double *sum, size_t stride,
				 struct skip_err *err)
{
	enum skip_status status;
	struct skip_chunks chunks = {0};
	assert(!session->plan->whole); /* skip_open_launches */
	SKIP_TRY(skip_chunks_init(session, batch, value, &chunks, err));
	while (skip_chunks_next(&chunks)) {
		SKIP_TRY(skip_session_set_batch(session, &chunks.now, err));
		SKIP_TRY(skip_gather_send(session, 0, session->graph->n_nodes, err));
		for (size_t i = 0; i < session->plan->n_launches; i++) {
			double seconds;
			SKIP_TRY(skip_bind_time(session, i, &seconds, err));
			sum[i * stride] += seconds;
		}
	}
cleanup:
	skip_chunks_deinit(&chunks);
	return status;
}

enum skip_status skip_session_time(struct skip_session *session, const struct skip_batch *batch, int value, double *seconds, struct skip_err *err)
{
	return time_run(session, batch, value, seconds, 1, err);
}

/* Bytes of a buffer for the current batch. */
static double buffer_bytes(const struct skip_session *session, const struct skip_plan_launch *launch, int index)
{
	const struct skip_plan_buffer *buffer = &session->plan->buffers[index];
	double rows = (double)skip_extent_rows(&buffer->rows, &session->sizes), tokens = session->sizes.of[SKIP_SIZE_T];
	bool table = buffer->role == SKIP_BUFFER_WEIGHT && strcmp(session->graph->nodes[launch->node].op->name, "embed") == 0;
	if (table && rows > tokens) rows = tokens;
	return rows * (double)buffer->cols * (double)sizeof(float);
}

static bool counts(const struct skip_plan *plan, const struct skip_plan_launch *launch, int arg)
{
	if (launch->arg[arg].kind != SKIP_ARG_BUFFER) return false;
	enum skip_buffer_role role = plan->buffers[launch->arg[arg].buffer].role;
	if (role == SKIP_BUFFER_BATCH) return false;
	for (int i = 0; i < arg; i++)
		if (launch->arg[i].kind == SKIP_ARG_BUFFER && launch->arg[i].buffer == launch->arg[arg].buffer) return false;
	return true;
}

/* Whether launch i computes the products of its node: a call does, else the last one, those before it prepare. */
static bool computes(const struct skip_plan *plan, size_t i)
{
	const struct skip_plan_launch *launch = &plan->launches[i];
	if (launch->call) return true;
	if (i > 0 && launch[-1].node == launch->node && launch[-1].call) return false;
	return i + 1 == plan->n_launches || launch[1].node != launch->node;
}

static double launch_macs(const struct skip_session *session, size_t i, const struct skip_batch *batch)
{
	const struct skip_plan *plan = session->plan;
	const struct skip_node *node = &session->graph->nodes[plan->launches[i].node];
	double macs = 0;
	if (!node->op->macs || !computes(plan, i)) return 0;
	for (int b = 0; b < batch->n_seqs; b++) macs += node->op->macs(session->graph, node, batch->offset[b + 1] - batch->offset[b]);
	return macs;
}

/* most: rows of the kernel in out->kernel so far. */
static void add_cover(const struct skip_session *session, const struct skip_plan_launch *launch, int64_t *most, struct skip_launch_profile *out)
{
	int tile[SKIP_LAUNCH_MAX_COVER];
	int64_t count[SKIP_LAUNCH_MAX_COVER], rows = session->sizes.of[launch->cover_rows];
	for (int c = 0; c < launch->n_cover; c++) tile[c] = launch->cover[c].tile;
	skip_cover(rows, tile, launch->n_cover, true, count);
	out->rows += (double)rows;
	for (int c = 0; c < launch->n_cover; c++) {
		int64_t now = count[c] * tile[c];
		out->computed += (double)now;
		if (now <= *most) continue;
		*most = now;
		out->kernel = launch->cover[c].kernel;
	}
}

/* Adds what launch i does for the chunk that is the current batch. */
static void add_work(const struct skip_session *session, size_t i, const struct skip_batch *chunk, int64_t *most, struct skip_launch_profile *out)
{
	const struct skip_plan *plan = session->plan;
	const struct skip_plan_launch *launch = &plan->launches[i];
	out->macs += launch_macs(session, i, chunk);
	for (int a = 0; a < launch->n_args; a++) {
		if (counts(plan, launch, a)) out->bytes += buffer_bytes(session, launch, launch->arg[a].buffer);
	}
	if (launch->n_cover > 0) add_cover(session, launch, most, out);
}

static enum skip_status count_work(struct skip_session *session, const struct skip_batch *batch, int value, struct skip_launch_profile *out,
				   struct skip_err *err)
{
	enum skip_status status;
	const struct skip_plan *plan = session->plan;
	struct skip_chunks chunks = {0};
	int64_t *most = skip_alloc_zeroed(plan->n_launches, sizeof(*most));
	if (!most) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu launches", plan->n_launches));
	for (size_t i = 0; i < plan->n_launches; i++) {
		const struct skip_node *node = &session->graph->nodes[plan->launches[i].node];
		out[i] = (struct skip_launch_profile){.kernel = plan->launches[i].kernel, .precision = skip_node_precision(node)};
	}
	SKIP_TRY(skip_chunks_init(session, batch, value, &chunks, err));
	while (skip_chunks_next(&chunks)) {
		SKIP_TRY(skip_session_set_batch(session, &chunks.now, err));
		for (size_t i = 0; i < plan->n_launches; i++) add_work(session, i, &chunks.now, &most[i], &out[i]);
	}
cleanup:
	skip_chunks_deinit(&chunks);
	skip_free(most);
	return status;
}

enum skip_status skip_session_profile(struct skip_session *session, const struct skip_batch *batch, int value, double seconds,
				      struct skip_launch_profile *out, struct skip_err *err)
{
	enum skip_status status;
	const size_t n = session->plan->n_launches;
	double *sample = skip_alloc_zeroed(n * MOST_RUNS, sizeof(*sample)); /* [launch][run] */
	size_t runs = 0;
	if (!sample) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for times of %zu launches", n));
	SKIP_TRY(time_run(session, batch, value, sample, MOST_RUNS, err));
	for (size_t i = 0; i < n; i++) sample[i * MOST_RUNS] = 0;
	for (double start = skip_clock_seconds(); runs < LEAST_RUNS || (runs < MOST_RUNS && skip_clock_seconds() - start < seconds); runs++)
		SKIP_TRY(time_run(session, batch, value, sample + runs, MOST_RUNS, err));
	SKIP_TRY(count_work(session, batch, value, out, err));
	for (size_t i = 0; i < n; i++) {
		double *own = sample + i * MOST_RUNS;
		out[i].seconds = skip_median(own, runs);
	}
cleanup:
	skip_free(sample);
	return status;
}
