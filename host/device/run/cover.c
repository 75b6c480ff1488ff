/* Cuts rows into tiles. */
#include "device/run/run.h"
#include <assert.h>

/*
 * What a cover costs, in rows of product: its rows, TILE for each tile, which reads a panel of weights however low it is, and LAUNCH for each kind of tile where that is
 * a launch of its own: threads that have run out of work are woken anew, some 25 us in which a core takes 6 to 18 rows of MiniLM's float32 products.
 */
enum { TILE = 2, LAUNCH = 8 };

/* A cover of `rows` by tiles, cheapest first: cost, different tiles, then more of the larger ones. `paid`: tile 0 is launched anyway; `launch`: what a kind costs. */
struct best {
	int64_t cost;
	int kinds, launch;
	int64_t count[SKIP_LAUNCH_MAX_COVER];
	bool found, paid;
};

static bool better(const struct best *a, const struct best *b, int n_tiles)
{
	if (!b->found || a->cost != b->cost) return !b->found || a->cost < b->cost;
	if (a->kinds != b->kinds) return a->kinds < b->kinds;
	for (int i = 0; i < n_tiles; i++) {
		if (a->count[i] != b->count[i]) return a->count[i] > b->count[i];
	}
	return false;
}

/* Tries all counts of tile i, i+1, ... for what is left; `now` holds those before. */
static void extend(int64_t rows, const int *tile, int n_tiles, int i, struct best *now, struct best *best)
{
	if (rows <= 0) {
		now->found = true;
		if (better(now, best, n_tiles)) *best = *now;
		return;
	}
	if (i == n_tiles) return;
	int64_t most = (rows + tile[i] - 1) / tile[i];
	/* What is left costs its rows and at least `most` tiles. */
	if (best->found && now->cost + rows + most * TILE > best->cost) return;
	const struct best before = *now;
	for (int64_t n = most; n >= 0; n--) {
		*now = before;
		now->count[i] = n;
		now->cost += n * (tile[i] + TILE) + (n > 0 && (i > 0 || !now->paid) ? now->launch : 0);
		now->kinds += n > 0;
		extend(rows - n * tile[i], tile, n_tiles, i + 1, now, best);
	}
	*now = before;
}

void skip_cover(int64_t rows, const int *tile, int n_tiles, bool launches, int64_t *count)
{
	assert(n_tiles >= 1 && n_tiles <= SKIP_LAUNCH_MAX_COVER);
	/*
	 * Among any tile[0] smaller tiles some have a sum that tile[0] divides (two prefix sums agree modulo tile[0]) and could be
	 * exchanged for fewer large ones. So where the largest is launched at all smaller tiles number less than tile[0], and all but
	 * tile[0]^2 rows go to it.
	 */
	int64_t square = (int64_t)tile[0] * tile[0];
	int64_t whole = rows > square ? (rows - square) / tile[0] : 0;
	struct best now = {.paid = whole > 0, .launch = launches ? LAUNCH : 0}, best = {.found = false};
	extend(rows - whole * tile[0], tile, n_tiles, 0, &now, &best);
	for (int i = 0; i < n_tiles; i++) count[i] = best.count[i];
	count[0] += whole;
}
