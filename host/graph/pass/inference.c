/* The graph that is run: see pass.h. One place, so that what is estimated and emitted for a device is what runs on it. */
#include "graph/pass.h"
#include <string.h>

static const struct combination {
	const char *op;
	enum skip_status (*pass)(const struct skip_graph *graph, int *wanted, size_t n_wanted, struct skip_graph **out, struct skip_err *err);
} combinations[] = {
	{"ffn", skip_pass_ffn},
};

static const struct combination *find(const char *op)
{
	for (size_t i = 0; i < sizeof(combinations) / sizeof(combinations[0]); i++) {
		if (!strcmp(combinations[i].op, op)) return &combinations[i];
	}
	return NULL;
}

bool skip_pass_can_combine(const char *op) { return find(op) != NULL; }

enum skip_status skip_pass_inference(const struct skip_graph *graph, const char *value_name, const char *const *combine, struct skip_graph **out,
				     int *value, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *pooled = NULL, *live = NULL, *made = NULL;
	SKIP_TRY(skip_pass_pooled_only(graph, &pooled, err));
	int wanted = skip_graph_find_value(pooled, value_name);
	if (wanted == SKIP_NONE) SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "the graph has no value '%s'", value_name));
	SKIP_TRY(skip_pass_dead(pooled, &wanted, 1, &live, err));
	SKIP_TRY(skip_pass_fuse(live, false, &wanted, 1, &made, err));
	for (; combine && *combine; combine++) {
		struct skip_graph *next = NULL;
		const struct combination *combination = find(*combine);
		if (!combination) SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "no nodes can be combined to '%s'", *combine));
		SKIP_TRY(combination->pass(made, &wanted, 1, &next, err));
		skip_graph_destroy(made);
		made = next;
	}
	*out = made;
	*value = wanted;
	made = NULL;
cleanup:
	skip_graph_destroy(made);
	skip_graph_destroy(live);
	skip_graph_destroy(pooled);
	return status;
}
