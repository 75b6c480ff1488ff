/*
 * Our products against OpenBLAS: linear in float32 and cblas_sgemm, y [M][N] = x [M][K] W[N][K]^T, on the shapes of MiniLM and BERT-base, interleaved in
 * one process. Prints one row a shape in the form of docs/results.md. usage: bench_gemm PROFILE [SECONDS a shape]
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "device/session.h"
#include "graph/op.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAST_ROUNDS = 7, MOST_ROUNDS = 101 };
#define SAMPLE_SECONDS 0.002

static const int shapes[][2] = {{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}, {2304, 768}, {768, 768}, {3072, 768}, {768, 3072}}; /* N, K */
static const int rows[] = {16, 128, 1024};

struct product {
	struct skip_graph *graph;
	struct skip_session *session;
	int x, y, m, n, k;
	float *xs, *ws, *ours, *theirs;
};

static void fill(float *to, size_t n, const char *what)
{
	struct skip_rng rng;
	skip_rng_init(&rng, 0, what);
	for (size_t i = 0; i < n; i++) to[i] = (float)skip_rng_normal(&rng);
}

static enum skip_status make(struct skip_device *device, struct product *p, struct skip_err *err)
{
	enum skip_status status;
	struct skip_tensor *w = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = SKIP_NONE, .n_in = 1, .n_param = 1, .n_out = 1};
	const size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
	p->xs = skip_alloc_aligned(64, m * k, sizeof(float));
	p->ours = skip_alloc_aligned(64, m * n, sizeof(float));
	p->theirs = skip_alloc_aligned(64, m * n, sizeof(float));
	if (!p->xs || !p->ours || !p->theirs) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu x %zu x %zu", m, n, k);
	SKIP_TRY(skip_graph_create(&p->graph, err));
	SKIP_TRY(skip_graph_add_value(p->graph, "x", SKIP_ROWS_T, 0, p->k, &node.in[0], err));
	SKIP_TRY(skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){p->n, p->k}, &w, err));
	p->ws = w->owned;
	fill(p->ws, n * k, "w");
	fill(p->xs, m * k, "x");
	SKIP_TRY(skip_graph_add_tensor(p->graph, w, &node.param[0], err));
	SKIP_TRY(skip_graph_add_node(p->graph, &node, (const char *[]){"y"}, NULL, err));
	p->x = node.in[0];
	p->y = node.out[0];
	SKIP_TRY(skip_session_open(device, p->graph, &p->y, 1, true, &p->session, err));
	const int32_t offset[2] = {0, p->m};
	int32_t *ids = skip_alloc_zeroed(m, sizeof(*ids));
	if (!ids) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a batch"));
	const struct skip_batch batch = {p->m, 1, ids, ids, offset};
	SKIP_TRY(skip_session_set_batch(p->session, &batch, err));
	SKIP_TRY(skip_session_write(p->session, p->x, p->xs, err));
	status = skip_session_finish(p->session, err);
	skip_free(ids);
cleanup:
	skip_tensor_unref(w); /* the graph has its own reference */
	return status;
}

static void unmake(struct product *p)
{
	skip_session_destroy(p->session);
	skip_graph_destroy(p->graph);
	skip_free(p->xs);
	skip_free(p->ours);
	skip_free(p->theirs);
}

static void theirs(const struct product *p)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->m, p->n, p->k, 1.0f, p->xs, p->k, p->ws, p->k, 0.0f, p->theirs, p->n);
}

/* Seconds of one product, the mean of `repeats`. */
static enum skip_status time_ours(const struct product *p, int repeats, double *seconds, struct skip_err *err)
{
	enum skip_status status;
	double start = skip_clock_seconds();
	for (int i = 0; i < repeats; i++) SKIP_TRY(skip_session_enqueue(p->session, 0, 1, 0, err));
	SKIP_TRY(skip_session_finish(p->session, err));
	*seconds = (skip_clock_seconds() - start) / repeats;
cleanup:
	return status;
}

static double time_theirs(const struct product *p, int repeats)
{
	double start = skip_clock_seconds();
	for (int i = 0; i < repeats; i++) theirs(p);
	return (skip_clock_seconds() - start) / repeats;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *sample, int n)
{
	qsort(sample, (size_t)n, sizeof(*sample), by_size);
	return sample[n / 2];
}

/* The two must compute the same before their times are worth anything. */
static enum skip_status check(const struct product *p, struct skip_err *err)
{
	const size_t n = (size_t)p->m * (size_t)p->n;
	enum skip_status status;
	double seconds;
	SKIP_TRY(time_ours(p, 1, &seconds, err));
	SKIP_TRY(skip_session_read(p->session, p->y, p->ours, err));
	theirs(p);
	for (size_t i = 0; i < n; i++) {
		if (fabs((double)p->ours[i] - (double)p->theirs[i]) <= 1e-5 * p->k) continue;
		SKIP_TRY(skip_err_set(err, SKIP_ERR_VERIFY, "%d x %d x %d: number %zu is %g, OpenBLAS has %g", p->m, p->n, p->k, i, (double)p->ours[i],
				      (double)p->theirs[i]));
	}
cleanup:
	return status;
}

static enum skip_status bench(struct skip_device *device, int m, int n, int k, double seconds, double *ratio, struct skip_err *err)
{
	enum skip_status status;
	struct product p = {.m = m, .n = n, .k = k};
	double ours[MOST_ROUNDS], blas[MOST_ROUNDS];
	int rounds = 0;
	SKIP_TRY(make(device, &p, err));
	SKIP_TRY(check(&p, err));
	const double flop = 2.0 * m * n * k;
	const int repeats = (int)(SAMPLE_SECONDS / (flop / 100e9)) + 1;
	for (double start = skip_clock_seconds(); rounds < LEAST_ROUNDS || (rounds < MOST_ROUNDS && skip_clock_seconds() - start < seconds); rounds++) {
		SKIP_TRY(time_ours(&p, repeats, &ours[rounds], err));
		blas[rounds] = time_theirs(&p, repeats);
	}
	const double a = median(ours, rounds), b = median(blas, rounds);
	*ratio = b / a;
	printf("| %d x %d x %d | %.0f | %.0f | %.2fx |\n", m, n, k, 1e-9 * flop / a, 1e-9 * flop / b, *ratio);
	fflush(stdout);
cleanup:
	unmake(&p);
	return status;
}

int main(int argc, char **argv)
{
	enum skip_status status;
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	const double seconds = argc > 2 ? atof(argv[2]) : 0.2;
	double sum = 0, least = INFINITY;
	int count = 0;
	skip_err_init(&err);
	SKIP_TRY(skip_profiles_load(NULL, &profiles, &err));
	SKIP_TRY(skip_device_open(profiles, argc > 1 ? argv[1] : NULL, 0, &device, &err));
	printf("%s on %s, OpenBLAS %s\n\n| M x N x K | skip GFLOP/s | OpenBLAS GFLOP/s | ratio |\n|---|---|---|---|\n", skip_device_profile(device)->id,
	       skip_device_get_info(device)->facts.name, openblas_get_corename());
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++, count++) {
			double ratio = 0;
			SKIP_TRY(bench(device, rows[r], shapes[s][0], shapes[s][1], seconds, &ratio, &err));
			sum += log(ratio);
			least = fmin(least, ratio);
		}
	}
	printf("\n%d products: geometric mean %.2fx, least %.2fx\n", count, exp(sum / count), least);
cleanup:
	if (status != SKIP_OK) fprintf(stderr, "bench_gemm: %s\n", err.message);
	skip_device_close(device);
	skip_profiles_destroy(profiles);
	return skip_status_exit_code(status);
}
