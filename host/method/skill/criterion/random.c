/* The control every criterion must beat: uniform numbers from (seed, layer, kind, unit). */
#include "base/rng.h"
#include "method/skill/skill.h"
#include <stdio.h>

static enum skip_status compute(const struct skip_graph *graph, const struct skip_unit_group *group, uint64_t seed, double *unit,
				double *head, struct skip_err *err)
{
	(void)graph;
	(void)err;
	char stream[SKIP_NAME];
	snprintf(stream, sizeof(stream), "random.%d.%s", group->layer, skip_unit_kind_name(group->kind));
	struct skip_rng rng;
	skip_rng_init(&rng, seed, stream);
	for (int j = 0; j < group->width; j++) {
		unit[j] = skip_rng_uniform(&rng);
		if (head) head[j / group->per_head] += unit[j];
	}
	return SKIP_OK;
}

const struct skip_criterion skip_criterion_random = {
    .name = "random",
    .summary = "uniform numbers, the control",
    .default_target = -1,
    .slots = true,
    .compute = compute,
};
