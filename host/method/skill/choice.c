/* What ways of choosing samples share: choice.h. */
#include "method/skill/choice.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct skip_choice *skip_choice_find(const char *name)
{
	for (const struct skip_choice *const *entry = skip_choices; *entry; entry++) {
		if (strcmp((*entry)->name, name) == 0) return *entry;
	}
	return NULL;
}

struct keyed {
	double key;
	int row;
};

static int falling(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	if (x->key != y->key) return x->key > y->key ? -1 : 1;
	return x->row - y->row;
}

enum skip_status skip_choice_largest(const double *key, size_t n, size_t count, int *rows, struct skip_err *err)
{
	struct keyed *all = skip_alloc_array(n, sizeof(*all));
	if (!all) return skip_err_set(err, SKIP_ERR_NOMEM, "keys of %zu rows", n);
	for (size_t i = 0; i < n; i++) all[i] = (struct keyed){key[i], (int)i};
	qsort(all, n, sizeof(*all), falling);
	for (size_t i = 0; i < count; i++) rows[i] = all[i].row;
	skip_free(all);
	return SKIP_OK;
}

static double distance(const struct skip_pool_view *pool, int row, const double *to)
{
	double sum = 0;
	for (int d = 0; d < pool->width; d++) {
		double x = pool->z[(size_t)row * (size_t)pool->width + (size_t)d] - to[d];
		sum += x * x;
	}
	return sum;
}

static void copy_row(const struct skip_pool_view *pool, int row, double *out)
{
	for (int d = 0; d < pool->width; d++) out[d] = pool->z[(size_t)row * (size_t)pool->width + (size_t)d];
}

enum skip_status skip_choice_spread(const struct skip_pool_view *pool, const int *from, size_t n, size_t count, int *rows, struct skip_err *err)
{
	double *centre = skip_alloc_zeroed((size_t)pool->width, sizeof(*centre)), *nearest = skip_alloc_array(n, sizeof(*nearest));
	if (!centre || !nearest) {
		skip_free(centre);
		skip_free(nearest);
		return skip_err_set(err, SKIP_ERR_NOMEM, "distances of %zu rows", n);
	}
	for (size_t i = 0; i < n; i++) {
		int row = from ? from[i] : (int)i;
		for (int d = 0; d < pool->width; d++) centre[d] += pool->z[(size_t)row * (size_t)pool->width + (size_t)d] / (double)n;
	}
	for (size_t i = 0; i < n; i++) nearest[i] = INFINITY;
	size_t next = 0;
	for (size_t i = 1; i < n; i++) {
		if (distance(pool, from ? from[i] : (int)i, centre) < distance(pool, from ? from[next] : (int)next, centre)) next = i;
	}
	for (size_t c = 0; c < count; c++) {
		rows[c] = from ? from[next] : (int)next;
		copy_row(pool, rows[c], centre);
		nearest[next] = -1; /* is chosen */
		size_t best = n;
		for (size_t i = 0; i < n; i++) {
			if (nearest[i] < 0) continue;
			nearest[i] = fmin(nearest[i], distance(pool, from ? from[i] : (int)i, centre));
			if (best == n || nearest[i] > nearest[best]) best = i;
		}
		next = best;
	}
	skip_free(centre);
	skip_free(nearest);
	return SKIP_OK;
}
