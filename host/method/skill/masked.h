/* The network with a mask at every group, so that units can be faded and switched while a session is open. */
#ifndef SKIP_METHOD_SKILL_MASKED_H
#define SKIP_METHOD_SKILL_MASKED_H

#include "device/session.h"
#include "method/skill/skill.h"

struct skip_masked {
	struct skip_graph *graph;
	struct skip_tensor **mask; /* [n_groups] [width], of the graph; all ones at first */
	size_t n_groups;
};

enum skip_status skip_masked_init(const struct skip_graph *graph, const struct skip_units *units, struct skip_masked *out, struct skip_err *err);
void skip_masked_deinit(struct skip_masked *masked);
/* Uploads the mask of a group after its numbers changed (skip_tensor_f32). */
enum skip_status skip_masked_update(const struct skip_masked *masked, struct skip_session *session, size_t group, struct skip_err *err);

#endif
