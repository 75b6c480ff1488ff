/* The weights through which a group of units is read. */
#ifndef SKIP_METHOD_SKILL_CONSUMER_H
#define SKIP_METHOD_SKILL_CONSUMER_H

#include "method/skill/skill.h"

/* W [outputs][width] of the group's consumer, to free; SKIP_ERR_INPUT for a group without one (qk). */
enum skip_status skip_consumer_weight(const struct skip_graph *graph, const struct skip_unit_group *group, double **out, int *outputs,
				      struct skip_err *err);

#endif
