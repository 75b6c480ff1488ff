/* Lowering and creating in one step: the session owns what it was made from. And the program of a library, which answers before it is used. */
#include "device/bitstream/library.h"
#include "device/run/run.h"
#include "graph/pass.h"
#include <stdio.h>

/* Takes over graph and plan, on failure too. */
static enum skip_status create(struct skip_device *device, struct skip_graph *graph, struct skip_plan *plan, bool warm, struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = skip_session_create(device, graph, plan, warm, out, err);
	if (status != SKIP_OK) {
		skip_plan_destroy(plan);
		skip_graph_destroy(graph);
		return status;
	}
	(*out)->own_graph = graph;
	(*out)->own_plan = plan;
	return SKIP_OK;
}

typedef enum skip_status (*lower)(const struct skip_graph *graph, const struct skip_profile *profile, const int *wanted, size_t n_wanted, struct skip_plan **out,
				  struct skip_err *err);

static enum skip_status open_lowered(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted, lower how, bool warm,
				     struct skip_session **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_profile *profile = skip_device_profile(device);
	const char *library, *source;
	struct skip_graph *copy = NULL;
	struct skip_plan *plan = NULL;
	if (skip_device_bitstreams(device, &library, &source))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a library holds programs of whole networks that classify, and nothing is compiled beside them");
	if (skip_profile_is_board(profile))
		return skip_err_set(err, SKIP_ERR_USAGE, "programs of board '%s' are built beforehand: name their library with --bitstreams DIR", profile->id);
	SKIP_TRY(skip_known_graph(device, graph, err));
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	SKIP_TRY(how(copy, profile, wanted, n_wanted, &plan, err));
	status = create(device, copy, plan, warm, out, err);
	copy = NULL;
	plan = NULL;
cleanup:
	skip_plan_destroy(plan);
	skip_graph_destroy(copy);
	return status;
}

enum skip_status skip_session_open(struct skip_device *device, const struct skip_graph *graph, const int *wanted, size_t n_wanted,
				   bool warm, struct skip_session **out, struct skip_err *err)
{
	return open_lowered(device, graph, wanted, n_wanted, skip_lower, warm, out, err);
}

/* The block of a program that computes something else. */
static enum skip_status refuse(const struct skip_library_entry *entry, const struct skip_bitstream_want *want, const struct skip_session_answer *answer, struct skip_err *err)
{
	char expected[150], found[150];
	struct skip_bitstream_want exact = *want;
	exact.set = &entry->set;
	snprintf(expected, sizeof(expected), "%.9g within %.2g: row %d, column %d of %.40s", answer->expected, answer->allowed, answer->row, answer->column, answer->value);
	snprintf(found, sizeof(found), "%.9g", answer->found);
	return skip_bitstream_fail(entry, &exact, SKIP_ERR_VERIFY, SKIP_BITSTREAM_ANSWER, expected, "float64 reference", found, answer->kernel, err);
}

/* What stands in a library was built elsewhere, by whom and from what text only the file says: it shows what it computes before anybody relies on it. */
static enum skip_status open_built(struct skip_device *device, struct skip_built *built, const struct skip_bitstream_want *want, bool warm, struct skip_session **out,
				   struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session = NULL;
	struct skip_graph *graph = built->graph;
	struct skip_plan *plan = built->plan;
	built->graph = NULL;
	built->plan = NULL;
	SKIP_TRY(create(device, graph, plan, warm, &session, err));
	SKIP_TRY(skip_answer_run(session, &session->answer, err));
	snprintf(session->answer.set, sizeof(session->answer.set), "%s", built->entry.set.name);
	if (!(session->answer.share <= 1)) SKIP_TRY(refuse(&built->entry, want, &session->answer, err));
	*out = session;
	session = NULL;
cleanup:
	skip_session_destroy(session);
	return status;
}

static enum skip_status open_inference(struct skip_device *device, const struct skip_graph *graph, const char *value_name, lower how, bool warm,
				       struct skip_session **out, int *value, struct skip_err *err)
{
	enum skip_status status;
	char runtime[320];
	const struct skip_profile *profile = skip_device_profile(device);
	struct skip_bitstream_want want = {.profile = profile, .runtime = runtime};
	struct skip_built built = {.graph = NULL};
	if (skip_device_bitstreams(device, &want.library, &want.source)) {
		skip_bitstream_runtime(&skip_device_get_info(device)->facts, runtime, sizeof(runtime));
		SKIP_TRY(skip_bitstream_find(graph, value_name, &want, &built, err));
		*value = built.value;
		SKIP_TRY(open_built(device, &built, &want, warm, out, err));
	} else {
		SKIP_TRY(skip_pass_inference(graph, value_name, profile->combine, &built.graph, value, err));
		status = open_lowered(device, built.graph, value, 1, how, warm, out, err);
	}
cleanup:
	skip_built_deinit(&built);
	return status;
}

enum skip_status skip_open_inference(struct skip_device *device, const struct skip_graph *graph, const char *value_name, bool warm,
				     struct skip_session **out, int *value, struct skip_err *err)
{
	return open_inference(device, graph, value_name, skip_lower_whole, warm, out, value, err);
}

enum skip_status skip_open_launches(struct skip_device *device, const struct skip_graph *graph, const char *value_name, struct skip_session **out, int *value,
				    struct skip_err *err)
{
	return open_inference(device, graph, value_name, skip_lower, true, out, value, err);
}
