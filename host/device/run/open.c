/* Lowering and creating in one step: the session owns what it was made from. */
#include "device/run/run.h"

enum skip_status skip_session_open(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted,
				   bool warm, struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *copy = NULL;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	SKIP_TRY(skip_known_forms(device, graph, err));
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	SKIP_TRY(skip_lower(copy, skip_device_profile(device), wanted, n_wanted, &plan, err));
	SKIP_TRY(skip_session_create(device, copy, plan, warm, &session, err));
	session->own_graph = copy;
	session->own_plan = plan;
	*out = session;
	return SKIP_OK;
cleanup:
	skip_plan_destroy(plan);
	skip_graph_destroy(copy);
	return status;
}
