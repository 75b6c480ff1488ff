/* The cover of rows by tiles against trying everything. */
#include "check.h"
#include "device/run/run.h"

struct tiles {
	int n, tile[SKIP_LAUNCH_MAX_COVER];
};

enum { TILE = 2, LAUNCH = 8 };

/* Cheapest cost of covering `rows`, by dynamic programming over each set of tiles. */
static int64_t cheapest(int rows, const struct tiles *tiles, int launch)
{
	int64_t best = INT64_MAX;
	for (int set = 1; set < 1 << tiles->n; set++) {
		int64_t cost[512] = {0}, launches = 0;
		for (int i = 0; i < tiles->n; i++) launches += set >> i & 1 ? launch : 0;
		for (int r = 1; r <= rows; r++) {
			cost[r] = INT64_MAX;
			for (int i = 0; i < tiles->n; i++) {
				int64_t rest = r > tiles->tile[i] ? cost[r - tiles->tile[i]] : 0;
				if (set >> i & 1 && rest + tiles->tile[i] + TILE < cost[r]) cost[r] = rest + tiles->tile[i] + TILE;
			}
		}
		if (cost[rows] + launches < best) best = cost[rows] + launches;
	}
	return best;
}

ParameterizedTestParameters(cover, is_the_cheapest)
{
	static struct tiles sets[] = {{3, {12, 8, 4}},	   {2, {12, 8}}, {1, {6}},	   {3, {6, 4, 2}},
				      {4, {64, 32, 7, 1}}, {1, {1}},	 {4, {9, 5, 3, 2}}};
	return cr_make_param_array(struct tiles, sets, sizeof(sets) / sizeof(sets[0]));
}

static void check(int rows, const struct tiles *tiles, bool launches)
{
	int64_t count[SKIP_LAUNCH_MAX_COVER] = {-1, -1, -1, -1}, cost = 0, covered = 0;
	const int launch = launches ? LAUNCH : 0;
	skip_cover(rows, tiles->tile, tiles->n, launches, count);
	for (int i = 0; i < tiles->n; i++) {
		cr_assert(count[i] >= 0, "rows %d: %lld tiles of %d", rows, (long long)count[i], tiles->tile[i]);
		cost += count[i] * (tiles->tile[i] + TILE) + (count[i] > 0 ? launch : 0);
		covered += count[i] * tiles->tile[i];
	}
	cr_assert(covered >= rows, "rows %d: only %lld covered", rows, (long long)covered);
	cr_assert(cost == cheapest(rows, tiles, launch), "rows %d: cost %lld, possible is %lld", rows, (long long)cost, (long long)cheapest(rows, tiles, launch));
}

ParameterizedTest(struct tiles *tiles, cover, is_the_cheapest)
{
	for (int rows = 1; rows < 512; rows++) {
		check(rows, tiles, true);
		check(rows, tiles, false);
	}
}

struct example {
	int rows, count[3];
};

ParameterizedTestParameters(cover, examples)
{
	static struct example examples[] = {{19, {2, 0, 0}}, {16, {0, 2, 0}}, {1, {0, 0, 1}},	 {12, {1, 0, 0}}, {24, {2, 0, 0}},
					    {13, {0, 2, 0}}, {8, {0, 1, 0}},  {126, {11, 0, 0}}, {30, {0, 4, 0}}, {100000, {8334, 0, 0}},
					    {84, {7, 0, 0}}, {100, {9, 0, 0}}};
	return cr_make_param_array(struct example, examples, sizeof(examples) / sizeof(examples[0]));
}

ParameterizedTest(struct example *example, cover, examples)
{
	static const int tile[] = {12, 8, 4};
	int64_t count[SKIP_LAUNCH_MAX_COVER];
	skip_cover(example->rows, tile, 3, true, count);
	for (int i = 0; i < 3; i++) {
		cr_expect(count[i] == example->count[i], "rows %d: %lld tiles of %d, expected %d", example->rows, (long long)count[i],
			  tile[i], example->count[i]);
	}
}
