/* A scene with units and scores, tuned or not, for tests of compensation and pruning. */
#ifndef SKIP_TESTS_METHOD_WORLD_H
#define SKIP_TESTS_METHOD_WORLD_H

#include "method/scene.h"
#include "method/search/search.h"

struct world {
	struct scene scene;
	struct skip_units units;
	struct skip_scores scores;
};

/* A tuned scene with scores. */
static inline void world_init_form(struct world *w, bool tuned, enum toy_form form)
{
	struct scene *s = &w->scene;
	struct skip_err err;
	struct skip_skill_options options;
	scene_init_form(s, 400, 150, 3, form);
	if (tuned) {
		struct skip_tune_options tune;
		struct skip_tune_result result;
		skip_tune_defaults(&tune);
		tune.prefix = 3;
		tune.epochs = 3;
		tune.lr = tune.lr_head = 2e-2;
		CHECK_OK(skip_tune(s->device.device, s->graph, &s->train, &tune, NULL, &result, &err));
		skip_graph_destroy(s->graph);
		s->graph = result.graph;
		result.graph = NULL;
		skip_tune_result_deinit(&result);
	}
	CHECK_OK(skip_units_find(s->graph, &w->units, &err));
	skip_skill_defaults(&options);
	options.criterion = "fisher";
	CHECK_OK(skip_attribute(s->device.device, s->graph, &w->units, &s->train, &options, NULL, &w->scores, &err));
}

static inline void world_init(struct world *w, bool tuned)
{
	world_init_form(w, tuned, TOY_BERT);
}

static inline void world_deinit(struct world *w)
{
	skip_scores_deinit(&w->scores);
	skip_units_deinit(&w->units);
	scene_deinit(&w->scene);
}

#endif
