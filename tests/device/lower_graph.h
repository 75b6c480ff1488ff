/* What test_lower and test_emit share: graphs of linears, profiles, and lowering for one of them. */
#ifndef SKIP_TESTS_LOWER_GRAPH_H
#define SKIP_TESTS_LOWER_GRAPH_H

#include "check.h"
#include "device/session.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

/* x [T][widths[0]] -> l0 [T][widths[1]] -> ...; every product has a bias, the last value reads the first as residual when the widths agree. */
static inline struct skip_graph *linear_chain(const int *width, int n)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	int x;
	CHECK_OK(skip_graph_create(&graph, &err));
	CHECK_OK(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, width[0], &x, &err));
	for (int i = 0; i + 1 < n; i++) {
		char name[32], weight[32], bias[32];
		const char *out = name;
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(weight, sizeof(weight), "w%d", i);
		snprintf(bias, sizeof(bias), "b%d", i);
		struct skip_tensor *w = NULL, *b = NULL;
		CHECK_OK(skip_tensor_create(weight, SKIP_F32, 2, (const int64_t[]){width[i + 1], width[i]}, &w, &err));
		CHECK_OK(skip_tensor_create(bias, SKIP_F32, 1, (const int64_t[]){width[i + 1]}, &b, &err));
		struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .in = {x}, .n_param = 2, .n_out = 1};
		CHECK_OK(skip_graph_add_tensor(graph, w, &node.param[0], &err));
		CHECK_OK(skip_graph_add_tensor(graph, b, &node.param[1], &err));
		CHECK_OK(skip_graph_add_node(graph, &node, &out, NULL, &err));
		x = node.out[0];
		skip_tensor_unref(w);
		skip_tensor_unref(b);
	}
	return graph;
}

static inline struct skip_profiles *load_profiles(void)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	return profiles;
}

static inline struct skip_plan *lower_for(const struct skip_profiles *profiles, const char *id, const struct skip_graph *graph, const int *wanted,
					  size_t n_wanted)
{
	struct skip_err err;
	struct skip_plan *plan = NULL;
	const struct skip_profile *profile = skip_profiles_find(profiles, id);
	cr_assert(profile != NULL, "no profile '%s'", id);
	CHECK_OK(skip_lower(graph, profile, wanted, n_wanted, &plan, &err));
	return plan;
}

#endif
