/*
 * Everything a graph must satisfy: indices in range, topological order, one producer per value, attributes in range, shapes by the op's
 * rule, unique names. A graph that was read from a file passes through here before anything else sees it.
 */
#include "graph/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_LAYER 65535

/* Puts the node in front of a message that an op's rule left in `inner`. */
static enum skip_status name_node(const struct skip_err *inner, int index, const struct skip_node *node, struct skip_err *err)
{
	return skip_err_set(err, inner->status, "node %d (%s, layer %d): %.900s", index, node->op->name, node->layer, inner->message);
}

static enum skip_status check_list(const char *what, int count, const int *list, int min, int max, size_t limit, struct skip_err *err)
{
	if (count < min || count > max) return skip_err_set(err, SKIP_ERR_INPUT, "%d %ss, possible are %d to %d", count, what, min, max);
	for (int i = 0; i < count; i++) {
		if (list[i] == SKIP_NONE && i < min) return skip_err_set(err, SKIP_ERR_INPUT, "%s %d is absent", what, i);
		if (list[i] != SKIP_NONE && (list[i] < 0 || (size_t)list[i] >= limit))
			return skip_err_set(err, SKIP_ERR_INPUT, "%s %d is index %d of %zu", what, i, list[i], limit);
	}
	return SKIP_OK;
}

static enum skip_status check_attrs(const struct skip_node *node, struct skip_err *err)
{
	for (size_t a = 0; a < node->op->n_attrs; a++) {
		const struct skip_attr_desc *desc = &node->op->attrs[a];
		const char *at = (const char *)&node->attrs + desc->offset;
		if (desc->type == SKIP_ATTR_FLOAT || desc->type == SKIP_ATTR_LATE_FLOAT) {
			float real;
			memcpy(&real, at, sizeof(real));
			if (!isfinite(real)) return skip_err_set(err, SKIP_ERR_INPUT, "attribute %s is not a finite number", desc->name);
		} else if (desc->names) {
			int names = 0, choice;
			memcpy(&choice, at, sizeof(choice));
			while (desc->names[names]) names++;
			if (choice < 0 || choice >= names)
				return skip_err_set(err, SKIP_ERR_INPUT, "attribute %s is %d of %d choices", desc->name, choice, names);
		}
	}
	return SKIP_OK;
}

static enum skip_status check_inside(const struct skip_graph *graph, int index, const struct skip_node *node, struct skip_value *shape,
                                     struct skip_err *err)
{
	const struct skip_op *op = node->op;
	enum skip_status status;
	SKIP_TRY(check_list("input", node->n_in, node->in, op->min_in, op->max_in, graph->n_values, err));
	SKIP_TRY(check_list("tensor", node->n_param, node->param, op->min_param, op->max_param, graph->n_tensors, err));
	SKIP_TRY(check_list("output", node->n_out, node->out, op->n_out_min, op->n_out_max, INT32_MAX, err));
	for (int i = 0; i < node->n_in; i++) {
		if (node->in[i] == SKIP_NONE) continue;
		const struct skip_value *value = &graph->values[node->in[i]];
		if (value->producer != SKIP_NONE && value->producer >= index) {
			status =
			    skip_err_set(err, SKIP_ERR_INPUT, "input '%s' is written only by node %d", value->name, value->producer);
			goto cleanup;
		}
	}
	if (node->layer < SKIP_NONE || node->layer > MAX_LAYER) {
		status = skip_err_set(err, SKIP_ERR_INPUT, "layer is out of range");
		goto cleanup;
	}
	SKIP_TRY(check_attrs(node, err));
	SKIP_TRY(op->infer(graph, node, shape, err));
cleanup:
	return status;
}

enum skip_status skip_check_node(const struct skip_graph *graph, int index, const struct skip_node *node,
                                 struct skip_value shape[SKIP_NODE_MAX_OUT], struct skip_err *err)
{
	struct skip_err inner;
	skip_err_init(&inner);
	memset(shape, 0, SKIP_NODE_MAX_OUT * sizeof(*shape));
	enum skip_status status = check_inside(graph, index, node, shape, &inner);
	return status == SKIP_OK ? SKIP_OK : name_node(&inner, index, node, err);
}

static enum skip_status check_shape(const struct skip_value *value, const struct skip_value *shape, struct skip_err *err)
{
	static const char *const rows[] = {"T", "B", "fixed"};
	if (value->rows == shape->rows && value->cols == shape->cols &&
	    (value->rows != SKIP_ROWS_FIXED || value->fixed_rows == shape->fixed_rows))
		return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "output '%s' has rows %s %d and %d columns, the op gives rows %s %d and %d columns",
	                    value->name, rows[value->rows], value->fixed_rows, value->cols, rows[shape->rows], shape->fixed_rows,
	                    shape->cols);
}

enum skip_status skip_check_outputs(const struct skip_graph *graph, int index, const struct skip_node *node,
                                    const struct skip_value shape[SKIP_NODE_MAX_OUT], struct skip_err *err)
{
	struct skip_err inner;
	skip_err_init(&inner);
	enum skip_status status =
	    check_list("output", node->n_out, node->out, node->op->n_out_min, node->op->n_out_max, graph->n_values, &inner);
	for (int i = 0; i < node->n_out && status == SKIP_OK; i++) {
		if (node->out[i] == SKIP_NONE) continue;
		const struct skip_value *value = &graph->values[node->out[i]];
		bool read = false;
		for (int in = 0; in < node->n_in; in++) read = read || node->in[in] == node->out[i];
		for (int n = 0; n < index && !read; n++)
			for (int in = 0; in < graph->nodes[n].n_in; in++) read = read || graph->nodes[n].in[in] == node->out[i];
		if (value->producer != SKIP_NONE)
			status =
			    skip_err_set(&inner, SKIP_ERR_INPUT, "output '%s' is already written by node %d", value->name, value->producer);
		else if (read)
			status = skip_err_set(&inner, SKIP_ERR_INPUT, "output '%s' is read before it is written", value->name);
		else
			status = check_shape(value, &shape[i], &inner);
	}
	return status == SKIP_OK ? SKIP_OK : name_node(&inner, index, node, err);
}

static enum skip_status check_names(const struct skip_graph *graph, struct skip_err *err)
{
	for (size_t i = 0; i < graph->n_values; i++) {
		const struct skip_value *value = &graph->values[i];
		if (value->producer < SKIP_NONE || value->producer >= (int)graph->n_nodes)
			return skip_err_set(err, SKIP_ERR_INPUT, "value '%s' is written by node %d of %zu", value->name, value->producer,
			                    graph->n_nodes);
		if (skip_graph_find_value(graph, value->name) != (int)i)
			return skip_err_set(err, SKIP_ERR_INPUT, "two values are called '%s'", value->name);
	}
	for (size_t i = 0; i < graph->n_tensors; i++)
		if (skip_graph_find_tensor(graph, graph->tensors[i]->name) != (int)i)
			return skip_err_set(err, SKIP_ERR_INPUT, "two tensors are called '%s'", graph->tensors[i]->name);
	return SKIP_OK;
}

/* Every value that says it has a producer is written by that node and by no other. */
static enum skip_status check_producers(const struct skip_graph *graph, int index, struct skip_err *err)
{
	const struct skip_node *node = &graph->nodes[index];
	for (int i = 0; i < node->n_out; i++) {
		if (node->out[i] == SKIP_NONE) continue;
		if ((size_t)node->out[i] >= graph->n_values)
			return skip_err_set(err, SKIP_ERR_INPUT, "output %d is index %d of %zu", i, node->out[i], graph->n_values);
		const struct skip_value *value = &graph->values[node->out[i]];
		if (value->producer != index)
			return skip_err_set(err, SKIP_ERR_INPUT, "output '%s' is written by node %d too", value->name, value->producer);
	}
	return SKIP_OK;
}

static bool writes(const struct skip_node *node, int value)
{
	for (int i = 0; i < node->n_out; i++)
		if (node->out[i] == value) return true;
	return false;
}

enum skip_status skip_graph_validate(const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = check_names(graph, err);
	for (int index = 0; index < (int)graph->n_nodes && status == SKIP_OK; index++) {
		const struct skip_node *node = &graph->nodes[index];
		struct skip_value shape[SKIP_NODE_MAX_OUT];
		struct skip_err inner;
		skip_err_init(&inner);
		status = skip_check_node(graph, index, node, shape, err);
		if (status != SKIP_OK) break;
		status = check_producers(graph, index, &inner);
		for (int i = 0; i < node->n_out && status == SKIP_OK; i++)
			if (node->out[i] != SKIP_NONE) status = check_shape(&graph->values[node->out[i]], &shape[i], &inner);
		if (status != SKIP_OK) name_node(&inner, index, node, err);
	}
	for (size_t i = 0; i < graph->n_values && status == SKIP_OK; i++) {
		const struct skip_value *value = &graph->values[i];
		if (value->producer != SKIP_NONE && !writes(&graph->nodes[value->producer], (int)i))
			status = skip_err_set(err, SKIP_ERR_INPUT, "value '%s' is not among the outputs of node %d", value->name,
			                      value->producer);
	}
	return status;
}
