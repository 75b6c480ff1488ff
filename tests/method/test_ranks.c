/* Ranks, agreement of scorings, scores of other tasks, samples that grow. */
#include "method/scene.h"
#include "method/skill/ranks.h"

static struct skip_err err;

Test(ranks, equal_scores_share)
{
	const double score[6] = {3, -1, 3, 7, 0, 3}, wanted[6] = {3.5 / 6, 0.5 / 6, 3.5 / 6, 5.5 / 6, 1.5 / 6, 3.5 / 6};
	double rank[6];
	CHECK_OK(skip_ranks(score, 6, rank, &err));
	for (int i = 0; i < 6; i++) cr_assert_float_eq(rank[i], wanted[i], 1e-12, "rank %d: %g", i, rank[i]);
}

Test(ranks, spearman_by_hand)
{
	const double a[5] = {1, 2, 3, 4, 5}, b[5] = {1, 8, 27, 64, 125}, c[5] = {5, 4, 3, 2, 1}, d[5] = {2, 1, 4, 3, 5}, flat[5] = {1, 1, 1, 1, 1};
	double rho;
	CHECK_OK(skip_spearman(a, b, 5, &rho, &err));
	cr_assert_float_eq(rho, 1, 1e-12);
	CHECK_OK(skip_spearman(a, c, 5, &rho, &err));
	cr_assert_float_eq(rho, -1, 1e-12);
	CHECK_OK(skip_spearman(a, d, 5, &rho, &err));
	cr_assert_float_eq(rho, 1 - 6.0 * 4 / (5 * 24), 1e-12); /* 1 - 6 sum d^2 / (n (n^2 - 1)) */
	CHECK_OK(skip_spearman(a, flat, 5, &rho, &err));
	cr_assert_eq(rho, 0);
}

Test(ranks, other_tasks_count_as_samples)
{
	struct toy_options toy = toy_defaults();
	toy.dtype = SKIP_F32;
	struct skip_graph *graph = toy_graph(&toy);
	struct skip_units units;
	struct skip_scores own, other[2];
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_scores_alloc(&units, &own, &err));
	for (int s = 0; s < 2; s++) CHECK_OK(skip_scores_alloc(&units, &other[s], &err));
	own.samples = 30;
	const int n = units.group[0].width;
	for (int j = 0; j < n; j++) {
		own.unit[0][j] = j;
		other[0].unit[0][j] = -j;
		other[1].unit[0][j] = 100 * j;
	}
	CHECK_OK(skip_scores_draw_towards(&own, other, 2, 10, &units, &err));
	for (int j = 0; j < n; j++) {
		double rank = (j + 0.5) / n, reversed = (n - 1 - j + 0.5) / n, wanted = (30 * rank + 10 * (reversed + rank) / 2) / 40;
		cr_assert_float_eq(own.unit[0][j], wanted, 1e-12, "unit %d: %g, expected %g", j, own.unit[0][j], wanted);
	}
	skip_scores_deinit(&own);
	for (int s = 0; s < 2; s++) skip_scores_deinit(&other[s]);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

/* With a demand nobody can meet every row is used, in two halves whose mean is what one scoring gives. */
Test(stable, uses_all_rows_when_halves_do_not_agree)
{
	struct scene s;
	struct skip_units units;
	struct skip_skill_options options;
	struct skip_scores whole, grown, early;
	scene_init(&s, 7, 61, 3);
	CHECK_OK(skip_units_find(s.graph, &units, &err));
	skip_skill_defaults(&options);
	options.criterion = "fisher";
	CHECK_OK(skip_attribute(s.device.device, s.graph, &units, &s.dev, &options, NULL, &whole, &err));
	cr_assert(isnan(whole.agreement));
	options.stable = 1;
	CHECK_OK(skip_attribute(s.device.device, s.graph, &units, &s.dev, &options, NULL, &grown, &err));
	cr_assert_eq(grown.samples, 61);
	cr_assert_eq(grown.backward, 20 + 61);
	for (size_t g = 0; g < units.n_groups; g++) {
		for (int j = 0; j < units.group[g].width; j++)
			cr_assert_float_eq(grown.unit[g][j], whole.unit[g][j], 1e-5 * whole.unit[g][j] + 1e-9, "group %zu unit %d", g, j);
	}
	options.stable = 1e-3;
	CHECK_OK(skip_attribute(s.device.device, s.graph, &units, &s.dev, &options, NULL, &early, &err));
	cr_assert_leq(early.samples, grown.samples);
	cr_assert(early.agreement >= 1e-3 || early.samples == 61);
	options.criterion = "obs";
	CHECK_FAILS(skip_attribute(s.device.device, s.graph, &units, &s.dev, &options, NULL, &early, &err), SKIP_ERR_USAGE);
	skip_scores_deinit(&whole);
	skip_scores_deinit(&grown);
	skip_units_deinit(&units);
	scene_deinit(&s);
}
