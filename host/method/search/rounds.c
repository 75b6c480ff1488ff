/*
 * The iterative schedule (docs/method.md 4): a share is removed in steps. After each the network is compensated and scored as it then stands, because what
 * a unit carries depends on which others are there. Compensation starts from the dense weights every time, so a network shows which units left it and
 * not the way it came.
 *
 * Everything is counted in units of the dense network: a step runs in its shape, with zeros where units went, and none comes back.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include "method/search/prober.h"
#include <math.h>
#include <stdio.h>

#define HAIR 1e-6 /* of the scale of the scores: how far below the lowest what has left begins */

/* What has left stands closely packed below everything that is there, in the order in which it left. */
static void rank_gone(const double *before, double *now, const unsigned char *stays, int n)
{
	double lowest = INFINITY, scale = 0, high = -INFINITY, low = INFINITY;
	for (int j = 0; j < n; j++) {
		if (stays[j]) {
			lowest = fmin(lowest, now[j]);
			scale = fmax(scale, fabs(now[j]));
		} else {
			high = fmax(high, before[j]);
			low = fmin(low, before[j]);
		}
	}
	if (isinf(lowest)) lowest = 0;
	if (scale == 0) scale = 1;
	for (int j = 0; j < n; j++) {
		if (!stays[j]) now[j] = lowest - HAIR * scale * (1 + (high > low ? (high - before[j]) / (high - low) : 0));
	}
}

/* The same of heads: one stays that keeps any dim. */
static enum skip_status rank_gone_heads(const struct skip_unit_group *group, const unsigned char *keep, const double *before, double *now,
					struct skip_err *err)
{
	unsigned char *stays = skip_alloc_zeroed((size_t)group->heads, 1);
	if (!stays) return skip_err_set(err, SKIP_ERR_NOMEM, "%d heads", group->heads);
	for (int j = 0; j < group->width; j++) stays[j / group->per_head] |= keep[j];
	rank_gone(before, now, stays, group->heads);
	skip_free(stays);
	return SKIP_OK;
}

/* Scores of the network as it is now, with those of what has left. */
static enum skip_status renew_scores(struct skip_prober *p, const struct skip_graph *graph, const struct skip_keep *keep, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_scores *before = p->allocator.input.scores;
	const struct skip_progress inside = skip_prober_inside(p);
	struct skip_scores now = {0};
	SKIP_TRY(skip_attribute(p->device, graph, p->units, p->train, p->options->skill, &inside, &now, err));
	for (size_t g = 0; g < p->units->n_all; g++) {
		const struct skip_unit_group *group = &p->units->group[g];
		if (now.unit[g]) rank_gone(before->unit[g], now.unit[g], keep->keep[g], group->width);
		if (now.head[g]) SKIP_TRY(rank_gone_heads(group, keep->keep[g], before->head[g], now.head[g], err));
	}
	now.seconds += p->renewed.seconds;
	skip_scores_deinit(&p->renewed);
	p->renewed = now;
	now = (struct skip_scores){0};
cleanup:
	skip_scores_deinit(&now);
	return status;
}

static double share_gone(const struct skip_prober *p, const struct skip_keep *keep)
{
	double gone = 0;
	for (size_t g = 0; g < p->units->n_groups; g++) {
		for (int j = 0; j < p->units->group[g].width; j++)
			gone += keep->keep[g][j] ? 0 : (double)skip_unit_params(p->dense, &p->units->group[g]);
	}
	return gone / (double)skip_graph_encoder_params(p->dense);
}

static enum skip_status step(struct skip_prober *p, int round, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_probe_point point = {.rate = fmin(share, p->allocator.largest), .round = round};
	const struct skip_progress inside = skip_prober_inside(p);
	struct skip_keep keep = {0};
	struct skip_graph *masked = NULL;
	double start = skip_clock_seconds(), seconds = 0;
	char note[64];
	SKIP_TRY(skip_prober_begin(p, point.rate, err));
	SKIP_TRY(skip_allocator_choose(&p->allocator, point.rate, &keep, err));
	SKIP_TRY(skip_compensate_masked(p->device, p->working, p->units, &keep, p->train, &p->options->compensate, &inside, &masked, &seconds, err));
	p->compensate_seconds += seconds;
	SKIP_TRY(renew_scores(p, masked, &keep, err));
	SKIP_TRY(skip_allocator_renew(&p->allocator, masked, &p->renewed, &keep, err));
	skip_graph_destroy(p->stepped);
	p->stepped = masked;
	masked = NULL;
	point.removed = share_gone(p, &keep);
	point.accepted = true;
	point.seconds = skip_clock_seconds() - start;
	snprintf(note, sizeof(note), "round %d of %d: %.1f %% removed", round, p->options->rounds, 100 * point.removed);
	skip_progress_report(p->progress, "search", (int64_t)p->n_trace + 1, 0, note);
	p->trace[p->n_trace++] = point;
cleanup:
	skip_graph_destroy(masked);
	skip_keep_deinit(&keep);
	return status;
}

enum skip_status skip_prober_rounds(struct skip_prober *p, double share, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int rounds = p->options->rounds;
	for (int round = 1; round < rounds; round++) SKIP_TRY(step(p, round, 1 - pow(1 - share, (double)round / rounds), err));
cleanup:
	return status;
}
