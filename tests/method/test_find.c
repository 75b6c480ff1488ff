/* The searches against probes with known answers. */
#include "check.h"
#include "method/search/search.h"
#include <string.h>

static struct skip_err err;

#define MAX_TRACE 32

struct world {
	double (*drop)(double rate);
	double more; /* what the estimate is above the drop by labels */
	int fail_at; /* probe that fails, from 1; 0: none */
	struct skip_probe_point trace[MAX_TRACE];
	int n, questions; /* probes, surrogates */
};

/* Grows with the rate, with noise that makes it fall here and there. */
static enum skip_status surrogate(void *context, double rate, double kappa, double *kl, struct skip_err *e)
{
	struct world *world = context;
	(void)kappa, (void)e;
	world->questions++;
	*kl = (0.02 * (exp(5 * rate) - 1)) * (1 + 0.1 * sin(50 * rate));
	return SKIP_OK;
}

static enum skip_status probe(void *context, double rate, struct skip_probe_point **out, struct skip_err *e)
{
	struct world *world = context;
	cr_assert_lt(world->n, MAX_TRACE);
	if (world->fail_at == world->n + 1) return skip_err_set(e, SKIP_ERR_DEVICE, "probe failed");
	struct skip_probe_point *point = &world->trace[world->n++];
	*point = (struct skip_probe_point){.rate = rate, .paired = {.drop = world->drop(rate), .estimate = world->drop(rate) + world->more}};
	*out = point;
	return SKIP_OK;
}

/* Shares in steps of 1/200 leave the same units. */
static enum skip_status same(void *context, double share, double other, bool *out, struct skip_err *e)
{
	(void)context, (void)e;
	*out = floor(200 * share) == floor(200 * other);
	return SKIP_OK;
}

static double steep(double rate)
{
	return rate < 0.37 ? 0 : 40 * (rate - 0.37);
}
static double exponential(double rate)
{
	return exp(8 * rate) / 200;
}
static double free_lunch(double rate)
{
	return -rate;
}
static double hopeless(double rate)
{
	return 10 + rate;
}

/* Cases travel to another process, so they name a curve instead of pointing at it. */
enum curve { EXPONENTIAL, STEEP, FREE_LUNCH, HOPELESS };
static double (*const curve[])(double) = {exponential, steep, free_lunch, hopeless};

static double run(const char *name, struct world *world, double margin)
{
	const struct skip_search *search = skip_search_find(name);
	cr_assert_not_null(search);
	struct skip_search_state state = {
	    .context = world, .probe = probe, .surrogate = surrogate, .same = same, .margin = margin, .largest = 0.95, .mode = SKIP_MARGIN_ADAPTIVE};
	double rate = -1;
	CHECK_OK(search->run(&state, &rate, &err));
	return rate;
}

Test(find, binary_walks_the_seven_halvings_of_the_paper)
{
	struct world world = {.drop = steep};
	double rate = run("binary", &world, 1);
	cr_assert_eq(world.n, 7);
	double low = 0, high = 0.95; /* the crossing is at 0.395 */
	for (int i = 0; i < 7; i++) {
		double middle = (low + high) / 2;
		cr_assert_eq(world.trace[i].rate, middle);
		cr_assert_eq(world.trace[i].accepted, middle <= 0.395);
		if (middle <= 0.395) low = middle;
		else
			high = middle;
	}
	cr_assert_eq(rate, low);
	cr_assert_leq(0.395 - rate, 0.95 / 128 + 1e-12);
}

struct answer {
	char search[16];
	enum curve drop;
	double margin, more, low, high;
	int most_probes;
};

ParameterizedTestParameters(find, answers)
{
	static struct answer cases[] = {
	    {"binary", FREE_LUNCH, 1, 0, 0.94, 0.95, 7},      {"binary", HOPELESS, 1, 0, 0, 0, 7},
	    {"binary", EXPONENTIAL, 1, 5, 0.6549, 0.6624, 7}, /* crossing 0.6623: labels alone count */
	    {"adaptive", STEEP, 1, 0, 0.345, 0.395, 5},	      {"adaptive", EXPONENTIAL, 1, 0, 0.60, 0.6624, 5},
	    {"adaptive", EXPONENTIAL, 1, -1, 0.68, 0.749, 5}, /* crossing 0.7489 */
	    {"adaptive", FREE_LUNCH, 1, 0, 0.90, 0.95, 5},    {"adaptive", HOPELESS, 1, 0, 0, 0, 5},
	    {"surrogate", STEEP, 1, 0, 0.34, 0.395, 4},	      {"surrogate", EXPONENTIAL, 1, 0, 0.57, 0.6624, 4},
	    {"surrogate", FREE_LUNCH, 1, 0, 0.90, 0.95, 4},   {"surrogate", HOPELESS, 1, 0, 0, 0, 4},
	};
	return cr_make_param_array(struct answer, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct answer *c, find, answers)
{
	struct world world = {.drop = curve[c->drop], .more = c->more};
	double rate = run(c->search, &world, c->margin);
	cr_assert(rate >= c->low && rate <= c->high, "%s: %g, wanted %g..%g", c->search, rate, c->low, c->high);
	cr_assert_leq(world.n, c->most_probes);
	/* the answer was probed and accepted, and nothing above it was */
	bool probed = rate == 0;
	for (int i = 0; i < world.n; i++) {
		probed |= world.trace[i].rate == rate && world.trace[i].accepted;
		cr_assert(world.trace[i].rate <= rate || !world.trace[i].accepted);
	}
	cr_assert(probed);
}

struct margin_case {
	enum skip_margin_mode mode;
	double margin, drop, se, estimate;
	bool holds;
};

ParameterizedTestParameters(find, margins)
{
	static struct margin_case cases[] = {
	    {SKIP_MARGIN_FIXED, 1, 1, 0.1, 5, true},    {SKIP_MARGIN_FIXED, 1, 1.01, 3, 0, false},
	    {SKIP_MARGIN_ADAPTIVE, 1, 0, 2, 1.1, false}, {SKIP_MARGIN_ADAPTIVE, 1, 2, 2, 1, true},
	    {SKIP_MARGIN_STRICT, 1, 0, 0.6, 5, true},    {SKIP_MARGIN_STRICT, 1, 0.1, 0.6, 0, false},
	    {SKIP_MARGIN_STRICT, 1, -1, 1.2, 5, true},
	};
	return cr_make_param_array(struct margin_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct margin_case *c, find, margins)
{
	struct skip_paired paired = {.drop = c->drop, .drop_se = c->se, .estimate = c->estimate};
	cr_assert_eq(skip_margin_holds(c->mode, c->margin, &paired), c->holds);
}

Test(find, a_drop_is_lost_when_it_is_three_errors_too_much)
{
	const struct skip_paired certain = {.estimate = 4.1, .estimate_se = 1}, likely = {.estimate = 3.9, .estimate_se = 1, .drop = 50};
	cr_assert(skip_margin_is_lost(1, &certain, 64));
	cr_assert_not(skip_margin_is_lost(1, &certain, 63));
	cr_assert_not(skip_margin_is_lost(1, &likely, 64));
}

Test(find, isotonic_fit_pools_what_falls)
{
	double rising[] = {-1, 0, 0, 2}, one[] = {3}, falling[] = {3, 2, 1}, mixed[] = {1, 3, 2, 2, 5, 4, 0};
	const double pooled[] = {1, 7. / 3, 7. / 3, 7. / 3, 3, 3, 3};
	skip_isotonic(rising, 4);
	skip_isotonic(one, 1);
	skip_isotonic(falling, 3);
	skip_isotonic(mixed, 7);
	cr_assert(rising[0] == -1 && rising[1] == 0 && rising[2] == 0 && rising[3] == 2 && one[0] == 3);
	for (int i = 0; i < 3; i++) cr_assert_float_eq(falling[i], 2, 1e-12);
	for (int i = 0; i < 7; i++) cr_assert_float_eq(mixed[i], pooled[i], 1e-12, "%d: %g", i, mixed[i]);
}

Test(find, a_failing_probe_ends_every_search)
{
	for (const struct skip_search *const *search = skip_searches; *search; search++) {
		struct world world = {.drop = steep, .fail_at = 2};
		struct skip_search_state state = {.context = &world, .probe = probe, .surrogate = surrogate, .same = same, .margin = 1, .largest = 0.95};
		double rate = -1;
		CHECK_FAILS((*search)->run(&state, &rate, &err), SKIP_ERR_DEVICE);
		cr_assert_eq(rate, -1);
	}
}

Test(find, names_are_unique_and_unknown_ones_are_not_found)
{
	for (const struct skip_search *const *a = skip_searches; *a; a++) {
		cr_assert_eq(skip_search_find((*a)->name), *a);
		cr_assert_not_null((*a)->summary);
	}
	cr_assert_null(skip_search_find("oracle"));
}
