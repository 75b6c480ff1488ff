/* The iterative schedule: as much as at once, in steps, over and over the same. */
#include "method/world.h"

static struct skip_err err;

/* One round is what there was before; three remove as much, one step after the other. */
Test(rounds, remove_the_same_in_steps)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_skill_options skill;
	struct skip_prune_result result[4];
	world_init(&w, true);
	skip_skill_defaults(&skill);
	skill.criterion = "fisher";
	skip_prune_defaults(&options);
	options.allocate = "uniform";
	options.compensate.tokens = 1000;
	options.rate = 0.6;
	options.kinds = SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_PREFIX;
	for (int i = 0; i < 4; i++) {
		options.skill = i > 0 ? &skill : NULL;
		options.rounds = i > 1 ? 3 : 1;
		CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result[i], &err));
	}
	for (int i = 0; i < 2; i++) {
		for (size_t g = 0; g < w.units.n_all; g++)
			cr_assert_eq(memcmp(result[2 * i].keep.keep[g], result[2 * i + 1].keep.keep[g], (size_t)w.units.group[g].width), 0);
		cr_assert_eq(result[2 * i].pruned.loss, result[2 * i + 1].pruned.loss, "not repeated");
	}
	cr_assert_eq(result[0].n_trace, 1);
	cr_assert_eq(result[2].n_trace, 3);
	const struct skip_probe_point *trace = result[2].trace;
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(trace[i].round, i < 2 ? i + 1 : 0);
		cr_assert_eq(trace[i].answered, i == 2);
		cr_assert_float_eq(trace[i].rate, 1 - pow(0.4, (i + 1) / 3.0), 1e-12);
		cr_assert_float_eq(trace[i].removed, trace[i].rate, 0.015, "step %d removed %g", i, trace[i].removed);
	}
	cr_assert_float_eq(result[2].removed, result[0].removed, 0.005);
	cr_assert_gt(result[2].score_seconds, result[0].score_seconds);
	for (int i = 0; i < 4; i++) skip_prune_result_deinit(&result[i]);
	world_deinit(&w);
}

struct rounds_case {
	char allocate[16];
	double flops, speedup;
};

ParameterizedTestParameters(rounds, reach_other_targets)
{
	static struct rounds_case cases[] = {{"fisher", 0.4, 0}, {"kl", 0.4, 0}, {"uniform", 0, 1.05}};
	return cr_make_param_array(struct rounds_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct rounds_case *c, rounds, reach_other_targets)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_skill_options skill;
	struct skip_prune_result result;
	char allocate[16];
	world_init(&w, true);
	skip_skill_defaults(&skill);
	skill.criterion = "fisher";
	skip_prune_defaults(&options);
	options.compensate.tokens = 1000;
	snprintf(allocate, sizeof(allocate), "%s", c->allocate);
	options.allocate = allocate;
	options.flops = c->flops;
	options.speedup = c->speedup;
	options.rounds = 2;
	options.skill = &skill;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	cr_assert_eq(result.trace[0].round, 1);
	cr_assert(result.trace[0].removed > 0 && result.trace[0].removed <= result.removed + 1e-9, "%g, then %g", result.trace[0].removed, result.removed);
	if (c->flops > 0) cr_assert(result.trace[1].macs_share <= 0.6 && result.trace[1].macs_share > 0.45, "%g left", result.trace[1].macs_share);
	skip_prune_result_deinit(&result);
	world_deinit(&w);
}

Test(rounds, need_a_target_and_a_criterion)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_skill_options skill;
	struct skip_prune_result result;
	struct scene *s = &w.scene;
	world_init(&w, false);
	skip_skill_defaults(&skill);
	skip_prune_defaults(&options);
	options.rounds = 2;
	options.skill = &skill;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "target") != NULL, "%s", err.message);
	options.rate = 0.5;
	options.skill = NULL;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "renew") != NULL, "%s", err.message);
	options.rounds = 0;
	CHECK_FAILS(skip_prune(s->device.device, s->graph, &w.scores, &s->train, &s->dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	world_deinit(&w);
}
