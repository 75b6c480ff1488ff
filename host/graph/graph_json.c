/*
 * JSON form of a graph and back: info, values, names of tensors, nodes with attributes through the tables of the ops. The numbers of
 * tensors are elsewhere. Reading trusts nothing: every index and attribute is checked before use, the graph is built through
 * skip_graph_add_*.
 *
 *     {"info": {"architecture": "bert", "model_width": 384, ...},
 *      "tensors": ["embeddings.word", ...],
 *      "values": [{"name": "hidden", "rows": "T" | "B" | 3, "cols": 384}, ...],
 *      "nodes": [{"op": "linear", "layer": 0 | null, "in": [4, null], "tensors": [7, 8], "out": [5], "attrs": {"act": "gelu", ...}}, ...]}
 */
#include "base/json.h"
#include "graph/op.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

struct info_field {
	const char *name;
	size_t offset;
};

static const struct info_field info_fields[] = {
    {"model_width", offsetof(struct skip_graph, model_width)},
    {"layers", offsetof(struct skip_graph, layers)},
    {"heads", offsetof(struct skip_graph, heads)},
    {"head_width", offsetof(struct skip_graph, head_width)},
    {"ffn_width", offsetof(struct skip_graph, ffn_width)},
    {"prefix", offsetof(struct skip_graph, prefix)},
    {"classes", offsetof(struct skip_graph, classes)},
    {"max_positions", offsetof(struct skip_graph, max_positions)},
};
#define N_INFO (sizeof(info_fields) / sizeof(info_fields[0]))

/* Writing. A NULL json_t anywhere is an allocation failure: jansson's setters refuse NULL, so one flag tells. */

static json_t *index_json(int index)
{
	return index == SKIP_NONE ? json_null() : json_integer(index);
}

static bool put_indices(json_t *object, const char *key, const int *index, int count)
{
	json_t *list = json_array();
	bool ok = list != NULL;
	for (int i = 0; i < count && ok; i++) ok = json_array_append_new(list, index_json(index[i])) == 0;
	return json_object_set_new(object, key, list) == 0 && ok;
}

static json_t *attrs_json(const struct skip_node *node)
{
	json_t *attrs = json_object();
	bool ok = attrs != NULL;
	for (size_t a = 0; a < node->op->n_attrs && ok; a++) {
		const struct skip_attr_desc *desc = &node->op->attrs[a];
		const char *at = (const char *)&node->attrs + desc->offset;
		json_t *value;
		if (desc->type == SKIP_ATTR_FLOAT || desc->type == SKIP_ATTR_LATE_FLOAT) {
			float real;
			memcpy(&real, at, sizeof(real));
			value = json_real((double)real);
		} else {
			int integer;
			memcpy(&integer, at, sizeof(integer));
			value = desc->names ? json_string(desc->names[integer]) : json_integer(integer);
		}
		ok = json_object_set_new(attrs, desc->name, value) == 0;
	}
	if (ok) return attrs;
	json_decref(attrs);
	return NULL;
}

static json_t *node_json(const struct skip_node *node)
{
	json_t *object = json_object();
	if (object && json_object_set_new(object, "op", json_string(node->op->name)) == 0 &&
	    json_object_set_new(object, "layer", index_json(node->layer)) == 0 && put_indices(object, "in", node->in, node->n_in) &&
	    put_indices(object, "tensors", node->param, node->n_param) && put_indices(object, "out", node->out, node->n_out) &&
	    json_object_set_new(object, "attrs", attrs_json(node)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *value_json(const struct skip_value *value)
{
	json_t *object = json_object();
	json_t *rows =
	    value->rows == SKIP_ROWS_FIXED ? json_integer(value->fixed_rows) : json_string(value->rows == SKIP_ROWS_T ? "T" : "B");
	if (json_object_set_new(object, "rows", rows) == 0 && json_object_set_new(object, "name", json_string(value->name)) == 0 &&
	    json_object_set_new(object, "cols", json_integer(value->cols)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *info_json(const struct skip_graph *graph)
{
	json_t *object = json_object();
	bool ok = object && json_object_set_new(object, "architecture", json_string(graph->architecture)) == 0 &&
	          json_object_set_new(object, "dense_encoder_params", json_integer(graph->dense_encoder_params)) == 0 &&
	          json_object_set_new(object, "dense_macs_per_token", json_real(graph->dense_macs_per_token)) == 0;
	for (size_t i = 0; i < N_INFO && ok; i++) {
		int field;
		memcpy(&field, (const char *)graph + info_fields[i].offset, sizeof(field));
		ok = json_object_set_new(object, info_fields[i].name, json_integer(field)) == 0;
	}
	if (ok && graph->problem != SKIP_SINGLE_LABEL)
		ok = json_object_set_new(object, "problem", json_string(skip_problem_names[graph->problem])) == 0;
	if (ok) return object;
	json_decref(object);
	return NULL;
}

enum skip_status skip_graph_to_json(const struct skip_graph *graph, json_t **out, struct skip_err *err)
{
	enum skip_status status = skip_graph_validate(graph, err);
	if (status != SKIP_OK) return status;
	json_t *root = json_object(), *values = json_array(), *nodes = json_array(), *tensors = json_array();
	bool ok = root && values && nodes && tensors;
	for (size_t i = 0; i < graph->n_values && ok; i++) ok = json_array_append_new(values, value_json(&graph->values[i])) == 0;
	for (size_t i = 0; i < graph->n_nodes && ok; i++) ok = json_array_append_new(nodes, node_json(&graph->nodes[i])) == 0;
	for (size_t i = 0; i < graph->n_tensors && ok; i++) ok = json_array_append_new(tensors, json_string(graph->tensors[i]->name)) == 0;
	ok = ok && json_object_set_new(root, "info", info_json(graph)) == 0 && json_object_set(root, "values", values) == 0 &&
	     json_object_set(root, "nodes", nodes) == 0 && json_object_set(root, "tensors", tensors) == 0;
	json_decref(values);
	json_decref(nodes);
	json_decref(tensors);
	if (!ok) {
		json_decref(root);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the JSON form of a graph, or a name is not UTF-8");
	}
	*out = root;
	return SKIP_OK;
}

/* Reading. */

/* What the logits mean: graphs of single labels, and files older than the others, do not say it. */
static enum skip_status read_problem(const json_t *info, struct skip_graph *graph, struct skip_err *err)
{
	const char *name;
	int problem = 0;
	if (!json_object_get(info, "problem")) return SKIP_OK;
	enum skip_status status = skip_json_string(info, "problem", &name, err);
	if (status != SKIP_OK) return status;
	while (skip_problem_names[problem] && strcmp(skip_problem_names[problem], name) != 0) problem++;
	if (!skip_problem_names[problem]) return skip_err_set(err, SKIP_ERR_INPUT, "problem has no choice '%.100s'", name);
	graph->problem = (enum skip_problem)problem;
	return SKIP_OK;
}

static enum skip_status read_info(const json_t *root, struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status;
	json_t *info;
	const char *architecture;
	SKIP_TRY(skip_json_object(root, "info", &info, err));
	SKIP_TRY(skip_json_string(info, "architecture", &architecture, err));
	if (strlen(architecture) >= sizeof(graph->architecture)) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "architecture has more than %d characters", SKIP_NAME - 1);
		goto cleanup;
	}
	strcpy(graph->architecture, architecture);
	SKIP_TRY(skip_json_int(info, "dense_encoder_params", 0, INT64_MAX, &graph->dense_encoder_params, err));
	SKIP_TRY(skip_json_real(info, "dense_macs_per_token", &graph->dense_macs_per_token, err));
	for (size_t i = 0; i < N_INFO; i++) {
		int64_t number;
		SKIP_TRY(skip_json_int(info, info_fields[i].name, 0, INT_MAX, &number, err));
		int field = (int)number;
		memcpy((char *)graph + info_fields[i].offset, &field, sizeof(field));
	}
	SKIP_TRY(read_problem(info, graph, err));
cleanup:
	return status;
}

static enum skip_status read_tensors(const json_t *root, struct skip_tensor *const *tensors, size_t n_tensors, struct skip_graph *graph,
                                     struct skip_err *err)
{
	json_t *list;
	enum skip_status status;
	SKIP_TRY(skip_json_array(root, "tensors", &list, err));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		struct skip_tensor *found = NULL;
		for (size_t t = 0; name && t < n_tensors && !found; t++)
			if (strcmp(tensors[t]->name, name) == 0) found = tensors[t];
		int index;
		if (!found) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "tensor %zu of the graph, '%.200s', is not among the weights", i,
			                      name ? name : "(not a string)");
			goto cleanup;
		}
		SKIP_TRY(skip_graph_add_tensor(graph, found, &index, err));
		if ((size_t)index != i) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "two tensors are called '%s'", name);
			goto cleanup;
		}
	}
cleanup:
	return status;
}

static enum skip_status read_value(const json_t *object, struct skip_graph *graph, struct skip_err *err)
{
	const char *name;
	int64_t cols, fixed = 0;
	int index;
	enum skip_rows rows = SKIP_ROWS_FIXED;
	enum skip_status status;
	SKIP_TRY(skip_json_string(object, "name", &name, err));
	SKIP_TRY(skip_json_int(object, "cols", 1, INT_MAX, &cols, err));
	const char *symbol = json_string_value(json_object_get(object, "rows"));
	if (symbol && strcmp(symbol, "T") == 0) {
		rows = SKIP_ROWS_T;
	} else if (symbol && strcmp(symbol, "B") == 0) {
		rows = SKIP_ROWS_B;
	} else {
		SKIP_TRY(skip_json_int(object, "rows", 1, INT_MAX, &fixed, err));
	}
	SKIP_TRY(skip_graph_add_value(graph, name, rows, (int)fixed, (int)cols, &index, err));
cleanup:
	return status;
}

static enum skip_status read_indices(const json_t *object, const char *key, size_t limit, int max, int *out, int *count,
                                     struct skip_err *err)
{
	json_t *list;
	enum skip_status status = skip_json_array(object, key, &list, err);
	if (status != SKIP_OK) return status;
	if (json_array_size(list) > (size_t)max)
		return skip_err_set(err, SKIP_ERR_INPUT, "%s has %zu entries, possible are %d", key, json_array_size(list), max);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		json_int_t index = json_integer_value(entry);
		if (!json_is_null(entry) && (!json_is_integer(entry) || index < 0 || (size_t)index >= limit))
			return skip_err_set(err, SKIP_ERR_INPUT, "%s: entry %zu is not null or an index below %zu", key, i, limit);
		out[i] = json_is_null(entry) ? SKIP_NONE : (int)index;
	}
	*count = (int)json_array_size(list);
	return SKIP_OK;
}

static enum skip_status read_attr(const json_t *attrs, const struct skip_attr_desc *desc, union skip_attrs *out, struct skip_err *err)
{
	char *at = (char *)out + desc->offset;
	enum skip_status status;
	if (desc->type == SKIP_ATTR_FLOAT || desc->type == SKIP_ATTR_LATE_FLOAT) {
		double real;
		SKIP_TRY(skip_json_real(attrs, desc->name, &real, err));
		if (!(fabs(real) <= (double)FLT_MAX)) return skip_err_set(err, SKIP_ERR_INPUT, "%s is %g, not a float", desc->name, real);
		float narrow = (float)real;
		memcpy(at, &narrow, sizeof(narrow));
	} else if (desc->type == SKIP_ATTR_INT || desc->type == SKIP_ATTR_LATE_INT) {
		int64_t number;
		SKIP_TRY(skip_json_int(attrs, desc->name, INT_MIN, INT_MAX, &number, err));
		int narrow = (int)number;
		memcpy(at, &narrow, sizeof(narrow));
	} else {
		const char *name;
		int choice = 0;
		SKIP_TRY(skip_json_string(attrs, desc->name, &name, err));
		while (desc->names[choice] && strcmp(desc->names[choice], name) != 0) choice++;
		if (!desc->names[choice]) return skip_err_set(err, SKIP_ERR_INPUT, "%s has no choice '%.100s'", desc->name, name);
		memcpy(at, &choice, sizeof(choice));
	}
cleanup:
	return status;
}

static bool left_off(const json_t *attrs, const struct skip_attr_desc *desc)
{
	return desc->type >= SKIP_ATTR_LATE_INT && !json_object_get(attrs, desc->name);
}

static enum skip_status read_node(const json_t *object, struct skip_graph *graph, struct skip_err *err)
{
	struct skip_node node = {.layer = SKIP_NONE};
	const char *name;
	json_t *attrs;
	int out[SKIP_NODE_MAX_OUT];
	enum skip_status status;
	SKIP_TRY(skip_json_string(object, "op", &name, err));
	node.op = skip_op_find(name);
	if (!node.op) return skip_err_set(err, SKIP_ERR_INPUT, "unknown op '%.100s'", name);
	if (!json_is_null(json_object_get(object, "layer"))) {
		int64_t layer;
		SKIP_TRY(skip_json_int(object, "layer", 0, INT_MAX, &layer, err));
		node.layer = (int)layer;
	}
	SKIP_TRY(read_indices(object, "in", graph->n_values, SKIP_NODE_MAX_IN, node.in, &node.n_in, err));
	SKIP_TRY(read_indices(object, "tensors", graph->n_tensors, SKIP_NODE_MAX_PARAM, node.param, &node.n_param, err));
	SKIP_TRY(read_indices(object, "out", graph->n_values, SKIP_NODE_MAX_OUT, out, &node.n_out, err));
	if (node.n_out == 0) return skip_err_set(err, SKIP_ERR_INPUT, "out is empty");
	SKIP_TRY(skip_json_object(object, "attrs", &attrs, err));
	size_t wanted = 0;
	for (size_t a = 0; a < node.op->n_attrs; a++) wanted += !left_off(attrs, &node.op->attrs[a]);
	if (json_object_size(attrs) != wanted)
		return skip_err_set(err, SKIP_ERR_INPUT, "op %s has %zu attributes, found are %zu", name, wanted, json_object_size(attrs));
	for (size_t a = 0; a < node.op->n_attrs; a++) {
		if (!left_off(attrs, &node.op->attrs[a])) SKIP_TRY(read_attr(attrs, &node.op->attrs[a], &node.attrs, err));
	}
	SKIP_TRY(skip_graph_add_node(graph, &node, NULL, out, err));
cleanup:
	return status;
}

/* Reads every element of the array `key`; errors name the element. */
static enum skip_status read_list(const json_t *root, const char *key,
                                  enum skip_status (*read)(const json_t *object, struct skip_graph *graph, struct skip_err *err),
                                  struct skip_graph *graph, struct skip_err *err)
{
	json_t *list;
	enum skip_status status = skip_json_array(root, key, &list, err);
	if (status != SKIP_OK) return status;
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct skip_err inner;
		skip_err_init(&inner);
		status = read(json_array_get(list, i), graph, &inner);
		if (status != SKIP_OK) return skip_err_set(err, status, "%s[%zu]: %.900s", key, i, inner.message);
	}
	return SKIP_OK;
}

enum skip_status skip_graph_from_json(const json_t *json, struct skip_tensor *const *tensors, size_t n_tensors, struct skip_graph **out,
                                      struct skip_err *err)
{
	struct skip_graph *graph = NULL;
	enum skip_status status;
	SKIP_TRY(skip_graph_create(&graph, err));
	SKIP_TRY(read_info(json, graph, err));
	SKIP_TRY(read_tensors(json, tensors, n_tensors, graph, err));
	SKIP_TRY(read_list(json, "values", read_value, graph, err));
	SKIP_TRY(read_list(json, "nodes", read_node, graph, err));
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}
