/*
 * Which samples are scored when there are more than are wanted. One file per way in method/skill/choice/, found by CMake (`const struct skip_choice
 * skip_choice_<file>`). docs/method.md 3.
 */
#ifndef SKIP_METHOD_SKILL_CHOICE_H
#define SKIP_METHOD_SKILL_CHOICE_H

#include "base/err.h"
#include "base/rng.h"
#include <stdbool.h>
#include <stddef.h>

/* What the tuned network says of a pool of rows, in a random order. */
struct skip_pool_view {
	size_t n;
	int classes, width;
	const double *p; /* [n][C] */
	const float *z;	 /* [n][D] pooled vectors */
};
struct skip_choice {
	const char *name, *summary;
	bool needs_model; /* false: the pool is not run, p and z are NULL */
	/* Writes `count` <= n different rows of the pool into rows. */
	enum skip_status (*choose)(const struct skip_pool_view *pool, size_t count, int *rows, struct skip_err *err);
};
extern const struct skip_choice *const skip_choices[]; /* NULL-terminated, made by CMake */
const struct skip_choice *skip_choice_find(const char *name);

/* The `count` rows of largest key, in falling order, the earlier one of equals first. */
enum skip_status skip_choice_largest(const double *key, size_t n, size_t count, int *rows, struct skip_err *err);
/* From the `n` rows of the pool named by `from` (NULL: all of it) `count`: first the one nearest to their mean, then always the one farthest from
 * those chosen. */
enum skip_status skip_choice_spread(const struct skip_pool_view *pool, const int *from, size_t n, size_t count, int *rows, struct skip_err *err);

#endif
