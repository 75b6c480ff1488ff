/*
 * Results as JSON. Keys are the contract of docs/cli.md; nothing is computed here that the library did not say.
 */
#include "cli/record.h"

#include <math.h>
#include <string.h>

json_t *skip_record_metrics(const char *split, const struct skip_metrics *m)
{
	if (m->problem == SKIP_MULTI_LABEL)
		return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f}", "split", split, "n", (json_int_t)m->n, "correct", (json_int_t)m->correct, "accuracy",
				 m->accuracy, "accuracy_se", m->accuracy_se, "f1", m->f1, "loss", m->loss);
	if (m->problem == SKIP_REGRESSION)
		return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "split", split, "n", (json_int_t)m->n, "r2", m->accuracy, "r2_se", m->accuracy_se, "pearson",
				 m->pearson, "loss", m->loss);
	return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "split", split, "n", (json_int_t)m->n, "correct", (json_int_t)m->correct, "accuracy",
			 m->accuracy, "accuracy_se", m->accuracy_se, "f1", m->f1, "mcc", m->mcc, "loss", m->loss);
}

json_t *skip_record_confusion(const size_t *confusion, int classes)
{
	json_t *rows = json_array();
	for (int gold = 0; gold < classes; gold++) {
		json_t *row = json_array();
		for (int predicted = 0; predicted < classes; predicted++)
			json_array_append_new(row, json_integer((json_int_t)confusion[gold * classes + predicted]));
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *skip_record_paired(const struct skip_paired *p)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "n10", (json_int_t)p->n10, "n01", (json_int_t)p->n01, "drop", p->drop, "drop_se", p->drop_se,
			 "p_exact", p->p_exact, "expected", p->expected, "estimate", p->estimate, "estimate_se", p->estimate_se);
}

json_t *skip_record_labels(const struct skip_labels *labels)
{
	json_t *list = json_array();
	for (int i = 0; i < labels->count; i++) json_array_append_new(list, json_string(labels->name[i]));
	return list;
}

static int prefix_of(const struct skip_graph *graph, int layer)
{
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct skip_node *node = &graph->nodes[i];
		if (node->layer == layer && !strcmp(node->op->name, "attention") && node->n_param > 0 && node->param[0] != SKIP_NONE)
			return (int)graph->tensors[node->param[0]]->dim[0];
	}
	return 0;
}

json_t *skip_record_layers(const struct skip_graph *graph, struct skip_err *err)
{
	struct skip_units units;
	if (skip_units_find(graph, &units, err) != SKIP_OK) return NULL;
	json_t *layers = json_array();
	for (int l = 0; l < graph->layers; l++) {
		const struct skip_unit_group *qk = skip_units_in(&units, l, SKIP_UNIT_QK), *v = skip_units_in(&units, l, SKIP_UNIT_V),
					     *ffn = skip_units_in(&units, l, SKIP_UNIT_FFN);
		json_array_append_new(layers, json_pack("{s:i, s:i, s:i, s:i, s:i}", "heads", v ? v->heads : 0, "qk", qk ? qk->per_head * qk->columns : 0, "v",
							v ? v->per_head : 0, "ffn", ffn ? ffn->width : 0, "prefix", prefix_of(graph, l)));
	}
	skip_units_deinit(&units);
	return layers;
}

/* Puts the layer with those of the same numbers under `keys` (NULL-terminated); one without units has no shape. */
static void add_shape(json_t *shapes, const json_t *layer, size_t index, const char *const *keys)
{
	json_t *shape = NULL;
	if (json_integer_value(json_object_get(layer, keys[0])) == 0) return;
	for (size_t i = 0; i < json_array_size(shapes) && !shape; i++) {
		shape = json_array_get(shapes, i);
		for (const char *const *key = keys; *key && shape; key++)
			if (!json_equal(json_object_get(shape, *key), json_object_get(layer, *key))) shape = NULL;
	}
	if (!shape) {
		json_array_append_new(shapes, shape = json_object());
		for (const char *const *key = keys; *key; key++) json_object_set(shape, *key, json_object_get(layer, *key));
		json_object_set_new(shape, "layers", json_array());
	}
	json_array_append_new(json_object_get(shape, "layers"), json_integer((json_int_t)index));
}

json_t *skip_record_shapes(const json_t *layers, int asked)
{
	static const char *const attention_keys[] = { "heads", "qk", "v", NULL }, *const ffn_keys[] = { "ffn", NULL };
	json_t *attention = json_array(), *ffn = json_array();
	for (size_t l = 0; l < json_array_size(layers); l++) {
		add_shape(attention, json_array_get(layers, l), l, attention_keys);
		add_shape(ffn, json_array_get(layers, l), l, ffn_keys);
	}
	json_t *shapes = json_pack("{s:o, s:o}", "attention", attention, "ffn", ffn);
	if (asked > 0) json_object_set_new(shapes, "asked", json_integer(asked));
	return shapes;
}

double skip_record_removed_percent(const struct skip_graph *graph)
{
	if (graph->dense_encoder_params <= 0) return 0;
	return 100.0 * (1.0 - (double)skip_graph_encoder_params(graph) / (double)graph->dense_encoder_params);
}

json_t *skip_record_parameters(const struct skip_graph *graph)
{
	int64_t encoder = skip_graph_encoder_params(graph), total = skip_graph_total_params(graph), dense = graph->dense_encoder_params;
	int64_t dense_total = total + dense - encoder;
	return json_pack("{s:I, s:I, s:I, s:f, s:f}", "total", (json_int_t)total, "encoder", (json_int_t)encoder, "encoder_dense", (json_int_t)dense,
			 "removed_encoder_percent", skip_record_removed_percent(graph), "removed_total_percent",
			 dense_total > 0 ? 100.0 * (double)(dense - encoder) / (double)dense_total : 0.0);
}

json_t *skip_record_trace(const struct skip_probe_point *trace, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct skip_probe_point *p = &trace[i];
		json_t *row = json_pack("{s:f, s:f, s:f, s:f, s:b}", "rate", p->rate, "removed_encoder_percent", 100 * p->removed, "macs_share", p->macs_share,
					"seconds", p->seconds, "accepted", (int)p->accepted);
		if (p->answered)
			json_object_update_new(row, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "rows", (json_int_t)p->rows, "accuracy",
							      p->metrics.accuracy, "drop", p->paired.drop, "drop_se", p->paired.drop_se, "expected",
							      p->paired.expected, "estimate", p->paired.estimate, "kl", p->kl));
		else if (p->kl > 0)
			json_object_set_new(row, "kl", json_real(p->kl)); /* a surrogate */
		if (p->round > 0) json_object_set_new(row, "round", json_integer(p->round));
		if (p->speedup > 0) json_object_set_new(row, "speedup", json_real(p->speedup));
		json_array_append_new(list, row);
	}
	return list;
}

static void append_group(json_t *list, int layer, const char *kind, const double *score, int n)
{
	double low = INFINITY, high = -INFINITY, sum = 0;
	for (int i = 0; i < n; i++) {
		low = fmin(low, score[i]);
		high = fmax(high, score[i]);
		sum += score[i];
	}
	json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:f, s:f, s:f}", "layer", layer, "kind", kind, "units", n, "min", low, "mean", sum / n, "max", high));
}

json_t *skip_record_groups(const struct skip_units *units, const struct skip_scores *scores)
{
	json_t *list = json_array();
	for (size_t g = 0; g < units->n_all; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (!scores->unit[g]) continue;
		append_group(list, group->layer, skip_unit_kind_name(group->kind), scores->unit[g], group->width);
		if (scores->head[g]) append_group(list, group->layer, "head", scores->head[g], group->heads);
	}
	return list;
}

json_t *skip_record_host(struct skip_device *device)
{
	const struct skip_device_info *info = skip_device_get_info(device);
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "platform", info->facts.platform, "device", info->facts.name, "driver", info->facts.driver, "profile",
			 skip_device_profile(device)->id, "compute_units", info->compute_units);
}
