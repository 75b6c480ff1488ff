/* Lowering and creating in one step: the session owns what it was made from. */
#include "device/bitstream/library.h"
#include "device/run/run.h"

/* From source, or with the built program of a library. */
static enum skip_status make_plan(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted, struct skip_plan **out,
				  struct skip_err *err)
{
	char runtime[320];
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_bitstream_want want = {.profile = profile, .runtime = runtime};
	if (!skip_device_bitstreams(device, &want.library, &want.source)) {
		if (skip_profile_is_board(profile)) {
			return skip_err_set(err, SKIP_ERR_USAGE, "programs of board '%s' are built beforehand: name their library with --bitstreams DIR", profile->id);
		}
		return skip_lower(graph, profile, wanted, n_wanted, out, err);
	}
	skip_bitstream_runtime(&skip_device_get_info(device)->facts, runtime, sizeof(runtime));
	return skip_bitstream_plan(graph, wanted, n_wanted, &want, out, err);
}

enum skip_status skip_session_open(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted,
				   bool warm, struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *copy = NULL;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	SKIP_TRY(skip_known_graph(device, graph, err));
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	SKIP_TRY(make_plan(device, copy, wanted, n_wanted, &plan, err));
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
