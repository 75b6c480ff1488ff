/* Runs a dataset through a session, batch by batch, and puts the rows back in the order of the dataset. */
#include "method/predict.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include <limits.h>
#include <string.h>

#define DEFAULT_TOKENS 2048

enum skip_status skip_predict(struct skip_session *session, int value, const struct skip_dataset *data, int max_tokens, float *out,
			      struct skip_predict_time *time, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t cols = (size_t)skip_session_graph(session)->values[value].cols;
	struct skip_predict_time spent = {0};
	double start = skip_clock_seconds();
	struct skip_batches batches = {0};
	struct skip_packer packer;
	float *rows = NULL;
	skip_packer_init(&packer);

	SKIP_TRY(skip_batches_sorted(data, max_tokens > 0 ? max_tokens : DEFAULT_TOKENS, INT_MAX, &batches, err));
	size_t most = 0;
	for (size_t i = 0; i < batches.n_batches; i++) {
		size_t n = batches.start[i + 1] - batches.start[i];
		if (n > most) most = n;
	}
	rows = skip_alloc_array(most * cols, sizeof(*rows));
	if (!rows) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "results of %zu rows of %zu", most, cols);
		goto cleanup;
	}
	for (size_t i = 0; i < batches.n_batches; i++) {
		const int *row = batches.rows + batches.start[i];
		size_t n = batches.start[i + 1] - batches.start[i];
		SKIP_TRY(skip_packer_pack(&packer, data, row, n, err));
		double before = skip_clock_seconds();
		SKIP_TRY(skip_session_run(session, &packer.batch, value, rows, err));
		spent.device_seconds += skip_clock_seconds() - before;
		spent.tokens += packer.batch.n_tokens;
		for (size_t r = 0; r < n; r++) memcpy(out + (size_t)row[r] * cols, rows + r * cols, cols * sizeof(*out));
	}
	spent.seconds = skip_clock_seconds() - start;
	if (time) *time = spent;
cleanup:
	skip_free(rows);
	skip_packer_deinit(&packer);
	skip_batches_deinit(&batches);
	return status;
}

enum skip_status skip_open_values(struct skip_device *device, const struct skip_graph *graph, int *const *place, size_t n,
				  struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *live = NULL, *fused = NULL;
	int *wanted = skip_alloc_array(n, sizeof(*wanted));
	if (!wanted) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu values", n);
	for (size_t i = 0; i < n; i++) wanted[i] = *place[i];
	SKIP_TRY(skip_pass_dead(graph, wanted, n, &live, err));
	SKIP_TRY(skip_pass_fuse(live, false, wanted, n, &fused, err));
	SKIP_TRY(skip_session_open(device, fused, wanted, n, false, out, err));
	for (size_t i = 0; i < n; i++) *place[i] = wanted[i];
cleanup:
	skip_graph_destroy(fused);
	skip_graph_destroy(live);
	skip_free(wanted);
	return status;
}
