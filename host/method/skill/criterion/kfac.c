/*
 * Optimal brain surgeon on the loss: obs, with the error of the consumer's output measured by what it does to log p, (1/2) tr((W'-W) Hess
 * (W'-W)^T G), G the sum over a sample's rows of g g^T, g the gradient of log p at the output, and the mean of that over samples
 * (docs/method.md 3.4). Hess x G is the Fisher information of W where inputs and gradients do not depend on each other. qk dims and slots
 * have no linear reader: their score is fisher's.
 */
#include "base/alloc.h"
#include "method/skill/consumer.h"
#include "method/skill/eliminate.h"
#include "method/skill/gradients.h"
#include "method/skill/unit_moments.h"
#include <cblas.h>
#include <lapacke.h>

#define DAMPING 1e-2 /* of the mean diagonal */

struct metrics {
	const struct skip_scoring *scoring;
	const struct skip_criterion *fisher;
	double **of;	/* [n_groups] G [outputs][outputs], upper triangle; NULL without a consumer */
	float *product; /* that of a batch */
};

static size_t outputs_of(const struct skip_scoring *scoring, const struct skip_unit_group *group)
{
	const struct skip_graph *graph = scoring->graph;
	return group->consumer == SKIP_NONE ? 0 : (size_t)graph->values[graph->nodes[group->consumer].out[0]].cols;
}

static void add(void *context, size_t g, const struct skip_criterion_batch *batch)
{
	const struct metrics *m = context;
	const size_t n = outputs_of(m->scoring, batch->group);
	if (!m->of[g]) {
		m->fisher->accumulate(batch, m->scoring->scores->unit[g], m->scoring->scores->head[g]);
		return;
	}
	cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, batch->n_out, 1, batch->out, (int)n, 0, m->product, (int)n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) m->of[g][i * n + j] += m->product[i * n + j];
	}
}

static enum skip_status alloc_metrics(struct metrics *m, struct skip_err *err)
{
	const struct skip_units *units = m->scoring->units;
	size_t most = 1;
	m->of = skip_alloc_zeroed(units->n_all, sizeof(*m->of));
	bool ok = m->of != NULL;
	for (size_t g = 0; ok && g < units->n_all; g++) {
		const size_t n = outputs_of(m->scoring, &units->group[g]);
		if (n == 0) continue;
		m->of[g] = skip_alloc_zeroed(n, n * sizeof(**m->of));
		ok = m->of[g] != NULL;
		if (n > most) most = n;
	}
	m->product = skip_alloc_array(most, most * sizeof(*m->product));
	return ok && m->product ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "gradients of %zu units", units->total);
}

static void free_metrics(struct metrics *m)
{
	for (size_t g = 0; m->of && g < m->scoring->units->n_all; g++) skip_free(m->of[g]);
	skip_free(m->of);
	skip_free(m->product);
}

/* Sums over samples become G / 2, damped; those of groups without a consumer means. */
static void finish(struct metrics *m)
{
	const struct skip_scoring *scoring = m->scoring;
	const double rows = (double)scoring->sample->n_rows;
	for (size_t g = 0; g < scoring->units->n_all; g++) {
		const struct skip_unit_group *group = &scoring->units->group[g];
		const size_t n = outputs_of(scoring, group);
		double trace = 0, *metric = m->of[g];
		for (int j = 0; !metric && j < group->width; j++) scoring->scores->unit[g][j] /= rows;
		for (size_t i = 0; i < n * n; i++) metric[i] /= 2 * rows;
		for (size_t i = 0; i < n; i++) trace += metric[i * n + i];
		/* no gradient at all: every output counts alike */
		for (size_t i = 0; i < n; i++) metric[i * n + i] += trace > 0 ? DAMPING * trace / (double)n : 1;
	}
}

static enum skip_status collect_metrics(struct metrics *m, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_gradients *gradients = NULL;
	const struct skip_gradients_needs needs = {.out = true};
	SKIP_TRY(alloc_metrics(m, err));
	SKIP_TRY(skip_gradients_open(m->scoring, m->scoring->graph, needs, 1, &gradients, err));
	SKIP_TRY(skip_gradients_walk(gradients, 0, m->scoring->n_groups, add, m, err));
	finish(m);
cleanup:
	skip_gradients_destroy(gradients);
	return status;
}

/* With G = U^T U the error of W in G is the plain one of U W. */
static enum skip_status score_group(const struct skip_scoring *scoring, size_t g, double *metric, const double *cov, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &scoring->units->group[g];
	double *head = scoring->scores->head[g], *weight = NULL;
	const int width = group->width;
	int n = 0;
	SKIP_TRY(skip_consumer_weight(scoring->graph, group, &weight, &n, err));
	if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', n, metric, n) != 0) {
		status = skip_err_set(err, SKIP_ERR_INTERNAL, "gradients at %d outputs are not positive definite", n);
		goto cleanup;
	}
	cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, n, width, 1, metric, n, weight, width);
	SKIP_TRY(skip_eliminate_errors(cov, weight, width, n, 1, scoring->scores->unit[g], err));
	if (head) SKIP_TRY(skip_eliminate_errors(cov, weight, width, n, group->per_head, head, err));
cleanup:
	skip_free(weight);
	return status;
}

static enum skip_status score(const struct skip_scoring *scoring, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_unit_moments *moments = NULL;
	struct metrics metrics = {.scoring = scoring, .fisher = skip_criterion_find("fisher")};
	SKIP_TRY(collect_metrics(&metrics, err));
	SKIP_TRY(skip_unit_moments_collect(scoring, true, &moments, err));
	for (size_t g = 0; g < scoring->units->n_groups; g++) {
		if (metrics.of[g]) SKIP_TRY(score_group(scoring, g, metrics.of[g], moments[g].cov, err));
	}
cleanup:
	free_metrics(&metrics);
	skip_unit_moments_free(moments, scoring->units->n_groups);
	return status;
}

const struct skip_criterion skip_criterion_kfac = {
    .name = "kfac",
    .summary = "error of what reads the units as obs has it, in the metric of its gradients of log p",
    .default_samples = 512,
    .default_target = SKIP_TARGET_LOGPROB,
    .label_free = true,
    .slots = true,
    .score = score,
};
