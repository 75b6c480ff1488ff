/* Where compensation refits: refit_sites.h. */
#include "method/search/refit_sites.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "method/search/calibration.h"

static int first_reader(const struct skip_graph *graph, int value)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int i = 0; i < graph->nodes[n].n_in; i++) {
			if (graph->nodes[n].in[i] == value) return (int)n;
		}
	}
	return SKIP_NONE;
}

/* Sub-layer of the dense graph behind `group`; false when the graph is not of the canonical form. */
static bool find_values(const struct skip_graph *graph, const struct skip_unit_group *group, struct skip_site_values *out)
{
	if (group->consumer == SKIP_NONE) return false;
	int y = graph->nodes[group->consumer].out[0], add = first_reader(graph, y);
	if (add == SKIP_NONE || graph->nodes[add].op != skip_op_find("add")) return false;
	const struct skip_node *sum = &graph->nodes[add];
	int r = sum->out[0], norm = first_reader(graph, r), readers = 0;
	for (size_t n = 0; n < graph->n_nodes; n++)
		for (int i = 0; i < graph->nodes[n].n_in; i++) readers += graph->nodes[n].in[i] == r;
	bool behind = readers == 1 && graph->nodes[norm].op == skip_op_find("layernorm"); /* LayerNorm(R) is all that goes on */
	*out = (struct skip_site_values){
	    .x = sum->in[0] == y ? sum->in[1] : sum->in[0], .in = group->post, .r = r, .next = behind ? graph->nodes[norm].out[0] : r};
	out->read = out->x;
	return true;
}

/* Whether `value` is X of the sub-layer or a norm of it: what its readers read has then D columns of the stream. */
static bool reads_stream(const struct skip_graph *graph, const struct skip_site_values *of, int value)
{
	if (value == of->x) return true;
	const int producer = graph->values[value].producer;
	return producer != SKIP_NONE && graph->nodes[producer].op == skip_op_find("layernorm") && graph->nodes[producer].in[0] == of->x;
}

static enum skip_status find_readers(struct skip_graph *result, const struct skip_units *units, struct skip_refit_site *site, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_readers readers;
	if (!skip_readers_find(result, units, site->group, &readers) || !reads_stream(result, &site->value, readers.value)) return SKIP_OK;
	for (int i = 0; i < readers.n; i++) {
		SKIP_TRY(skip_graph_own_tensor(result, readers.weight[i], err));
		SKIP_TRY(skip_graph_own_tensor(result, readers.bias[i], err));
	}
	site->value.read = readers.value;
	site->readers = readers;
cleanup:
	return status;
}

/* The first two parameters of a node, where it has both and no other node reads them, become the graph's own. */
static enum skip_status own_both(struct skip_graph *result, int n, bool *owned, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_node *node = &result->nodes[n];
	*owned = false;
	if (node->n_param < 2) return SKIP_OK;
	for (int p = 0; p < 2; p++) {
		if (node->param[p] == SKIP_NONE || skip_graph_count_readers(result, node->param[p]) > 1) return SKIP_OK;
	}
	for (int p = 0; p < 2; p++) SKIP_TRY(skip_graph_own_tensor(result, node->param[p], err));
	*owned = true;
cleanup:
	return status;
}

static enum skip_status find_norm(struct skip_graph *result, struct skip_refit_site *site, struct skip_err *err)
{
	const int n = result->values[site->value.next].producer;
	bool owned;
	if (site->value.next == site->value.r) return SKIP_OK;
	enum skip_status status = own_both(result, n, &owned, err);
	if (status == SKIP_OK && owned) site->norm = n;
	return status;
}

static enum skip_status find_classifier(struct skip_graph *result, struct skip_refit_sites *sites, struct skip_err *err)
{
	const int logits = skip_graph_find_value(result, "logits"), n = logits == SKIP_NONE ? SKIP_NONE : result->values[logits].producer;
	bool owned;
	if (n == SKIP_NONE || result->nodes[n].op != skip_op_find("linear") || result->nodes[n].attrs.linear.act != SKIP_ACT_NONE) return SKIP_OK;
	enum skip_status status = own_both(result, n, &owned, err);
	if (status != SKIP_OK || !owned) return status;
	sites->classifier = n;
	sites->pooled = result->nodes[n].in[0];
	return SKIP_OK;
}

static enum skip_status find_site(const struct skip_graph *dense, const struct skip_units *units, size_t g, bool all, struct skip_graph *result,
				  struct skip_refit_site *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &units->group[g];
	*out = (struct skip_refit_site){.group = g, .norm = SKIP_NONE};
	if (!find_values(dense, group, &out->value))
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "layer %d: compensation expects linear and add behind its %s units", group->layer,
				    skip_unit_kind_name(group->kind));
	out->weight = result->nodes[group->consumer].param[0];
	out->bias = result->nodes[group->consumer].param[1];
	SKIP_TRY(skip_graph_own_tensor(result, out->weight, err));
	SKIP_TRY(skip_graph_own_tensor(result, out->bias, err));
	if (all) SKIP_TRY(find_readers(result, units, out, err));
	if (all) SKIP_TRY(find_norm(result, out, err));
cleanup:
	return status;
}

enum skip_status skip_refit_sites_find(const struct skip_graph *dense, const struct skip_units *units, bool all, struct skip_graph *result,
				       struct skip_refit_sites *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const bool one_row = skip_calibration_pool(dense) != SKIP_POOL_MEAN;
	int last_layer = 0;
	*out = (struct skip_refit_sites){.classifier = SKIP_NONE, .pooled = SKIP_NONE};
	out->site = skip_alloc_zeroed(units->n_groups, sizeof(*out->site));
	if (!out->site) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", units->n_groups);
	for (size_t g = 0; g < units->n_groups; g++) {
		if (units->group[g].layer > last_layer) last_layer = units->group[g].layer;
	}
	for (size_t g = 0; g < units->n_groups; g++) {
		/* A qk dim has no linear consumer; one that several layers share cannot follow each of their streams. */
		if (units->group[g].kind == SKIP_UNIT_QK || units->group[g].n_uses > 1) continue;
		SKIP_TRY(find_site(dense, units, g, all, result, &out->site[out->n], err));
		out->site[out->n++].pooled = one_row && units->group[g].layer == last_layer;
	}
	if (all) SKIP_TRY(find_classifier(result, out, err));
cleanup:
	return status;
}

void skip_refit_sites_deinit(struct skip_refit_sites *sites)
{
	skip_free(sites->site);
	*sites = (struct skip_refit_sites){0};
}
