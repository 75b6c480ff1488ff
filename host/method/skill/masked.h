/* The network with a mask at every group, so that units can be faded and switched while a session is open. */
#ifndef SKIP_METHOD_SKILL_MASKED_H
#define SKIP_METHOD_SKILL_MASKED_H

#include "device/session.h"
#include "method/skill/skill.h"

struct skip_masked {
	const struct skip_units *units; /* borrowed */
	struct skip_graph *graph;
	struct skip_tensor **mask; /* [width * columns] each, of the graph; all ones at first */
	size_t *first;		   /* [n_groups + 1] masks of group g are first[g] .. first[g + 1] - 1 */
};

enum skip_status skip_masked_init(const struct skip_graph *graph, const struct skip_units *units, struct skip_masked *out, struct skip_err *err);
void skip_masked_deinit(struct skip_masked *masked);
/* Fades a unit in every place where it acts. */
void skip_masked_set(const struct skip_masked *masked, size_t group, int unit, float value);
/* Uploads the masks of a group after that. */
enum skip_status skip_masked_update(const struct skip_masked *masked, struct skip_session *session, size_t group, struct skip_err *err);

#endif
