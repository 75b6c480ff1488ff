/*
 * What the files of tune/ share.
 *
 *   tune.c    what there is to settle     trial.c  one node under several tiles
 *   search.c  the judge                   file.c   the user's cache
 *   usual.c   shapes without a model
 */
#ifndef SKIP_DEVICE_TUNE_INTERNAL_H
#define SKIP_DEVICE_TUNE_INTERNAL_H

#include "device/family.h"
#include "device/session.h"
#include "device/tune.h"

/* A question with several candidates; the first is what stands without an answer. */
struct skip_search {
	size_t n_candidates, n_batches;
	/* What is right: an answer of `count` numbers, each within its bound. */
	const double *known, *bound;
	size_t count;
	/* The candidate's answer; any error but SKIP_ERR_NOMEM rejects it. And the seconds of one run of a batch. */
	enum skip_status (*answer)(void *context, size_t candidate, float *out, struct skip_err *err);
	enum skip_status (*time)(void *context, size_t candidate, size_t batch, double *seconds, struct skip_err *err);
	void *context;
};
enum { SKIP_SEARCH_MAX = 32, SKIP_SEARCH_BATCHES = 4 };
struct skip_verdict {
	size_t best, rejected;
	double gain; /* of the best; 1 where the first stays */
};
/* SKIP_ERR_DEVICE when every candidate is wrong. */
enum skip_status skip_search_run(const struct skip_search *search, struct skip_verdict *out, struct skip_err *err);

/* One node, on the values and tensors of `graph`, under each of `n` choices for its shape; the first is what stands without tuning. */
struct skip_trial {
	struct skip_device *device;
	const struct skip_graph *graph;
	const struct skip_tile_problem *problem;
	const struct skip_tile_choice *choice; /* [n] */
	size_t n;
};
enum skip_status skip_trial_run(const struct skip_trial *trial, struct skip_verdict *out, struct skip_err *err);

#endif
