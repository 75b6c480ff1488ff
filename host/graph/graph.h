/*
 * The graph: a small static network in topological order.
 *
 * Values are matrices [rows][cols]; cols is known, rows is one of T (tokens of a packed batch), B (sequences) or fixed. Nodes name an op, read
 * values and tensors, write values. Node attributes are one plain struct per op (graph/op/attrs.h) described by a table, so that they can be
 * written to and read from JSON without knowing the op. After model/ has built a graph no code knows an architecture's name.
 *
 * Naming of values and tensors is part of the contract of passes and packages: "layer0.attention.q", "layer0.ffn.hidden" (U), "hidden" (X_L),
 * "pooled" (z [B][D]), "logits" ([B][C]).
 *
 * B sequences, S length, T tokens, D model, H heads, E head width, F ffn, L layers, P prefix, C classes.
 */
#ifndef SKIP_GRAPH_GRAPH_H
#define SKIP_GRAPH_GRAPH_H

#include "base/problem.h"
#include "graph/attrs.h"
#include "graph/tensor.h"
#include <jansson.h>

#define SKIP_NAME 64
#define SKIP_NODE_MAX_IN 6
#define SKIP_NODE_MAX_PARAM 6
#define SKIP_NODE_MAX_OUT 6
#define SKIP_NONE (-1)

enum skip_rows { SKIP_ROWS_T, SKIP_ROWS_B, SKIP_ROWS_FIXED };

struct skip_value {
	char name[SKIP_NAME];
	enum skip_rows rows;
	int fixed_rows; /* SKIP_ROWS_FIXED only: gradients of tensors */
	int cols;
	int producer;   /* node, SKIP_NONE for a graph input */
};

struct skip_op;

struct skip_node {
	const struct skip_op *op;
	int layer;                      /* 0-based, SKIP_NONE outside the encoder */
	int n_in, in[SKIP_NODE_MAX_IN]; /* values; an optional one that is absent is SKIP_NONE. A value may stand more than once */
	int n_param, param[SKIP_NODE_MAX_PARAM]; /* indices of graph->tensors; absent = SKIP_NONE */
	int n_out, out[SKIP_NODE_MAX_OUT];       /* values. Two outs may name one value (column ranges of it, see attention) */
	union skip_attrs attrs;
};

struct skip_graph {
	struct skip_value *values;
	size_t n_values, cap_values;
	struct skip_node *nodes;
	size_t n_nodes, cap_nodes;
	struct skip_tensor **tensors; /* references */
	size_t n_tensors, cap_tensors;
	/* What the graph is, for people and reports; set by model/, carried along by every pass. */
	char architecture[SKIP_NAME]; /* "bert" */
	int model_width, layers, heads, head_width, ffn_width, prefix, classes; /* D, L, H, E, F as in the checkpoint; P; C */
	enum skip_problem problem; /* what "logits" mean */
	int max_positions;
	int64_t dense_encoder_params; /* encoder parameters before any removal */
	double dense_macs_per_token;  /* of the dense encoder at n = 64, P of the graph */
	int shape_classes; /* `most` where skip_pass_classes made a layer wider, else 0. Of a network that runs: no JSON has it */
};

enum skip_status skip_graph_create(struct skip_graph **out, struct skip_err *err);
void skip_graph_destroy(struct skip_graph *graph);
/* A copy that shares the tensors. */
enum skip_status skip_graph_copy(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err);

/* Adds; the index comes back in *out. add_tensor takes its own reference and returns the old index when the same tensor is there. */
enum skip_status skip_graph_add_value(struct skip_graph *graph, const char *name, enum skip_rows rows, int fixed_rows, int cols, int *out,
				      struct skip_err *err);
enum skip_status skip_graph_add_tensor(struct skip_graph *graph, struct skip_tensor *tensor, int *out, struct skip_err *err);
/*
 * Adds a node whose op, layer, in, param and attrs are filled; makes its output values (named by `out_names`) through the op's shape rule and
 * fills node.out. node.n_out 0 means n_out_max of an op whose number of outputs is fixed. An optional output is left out with a NULL name; equal
 * names make one value (column ranges). With `out_values` non-NULL these existing values (SKIP_NONE: left out) are written instead and their
 * shapes are checked; no node may have written or read them yet. Value names are unique in a graph.
 * Errors: SKIP_ERR_INPUT, naming node and shapes; the graph is then unchanged.
 */
enum skip_status skip_graph_add_node(struct skip_graph *graph, struct skip_node *node, const char *const *out_names, const int *out_values,
				     struct skip_err *err);
/* Replaces the tensor at `index` (sizes may differ; callers re-infer). */
void skip_graph_set_tensor(struct skip_graph *graph, int index, struct skip_tensor *tensor);
/* Replaces tensor `index` by a float32 copy of its own, so that writing it leaves every other graph as it was; SKIP_NONE is nothing to do. */
enum skip_status skip_graph_own_tensor(struct skip_graph *graph, int index, struct skip_err *err);
/* Places among the parameters of nodes where the tensor stands. */
int skip_graph_count_readers(const struct skip_graph *graph, int tensor);

/* `stem`, or stem2, stem3 ...: the first that no value has. SKIP_ERR_INPUT when it does not fit SKIP_NAME. */
enum skip_status skip_graph_unique_name(const struct skip_graph *graph, const char *stem, char out[SKIP_NAME], struct skip_err *err);
int skip_graph_find_value(const struct skip_graph *graph, const char *name);   /* SKIP_NONE when absent */
int skip_graph_find_tensor(const struct skip_graph *graph, const char *name);
/* Runs every op's shape rule again and checks topology, indices, finite attributes and that names are unique (values, tensors). */
enum skip_status skip_graph_validate(const struct skip_graph *graph, struct skip_err *err);

/* Weights of encoder nodes (layer >= 0; the prefix and tables of places excluded), and everything. A tensor counts once, whoever reads it. */
int64_t skip_graph_encoder_params(const struct skip_graph *graph);
int64_t skip_graph_total_params(const struct skip_graph *graph);
/* Multiply-adds of one sequence of n tokens over the encoder nodes / all nodes (docs/method.md 2.6). */
double skip_graph_macs(const struct skip_graph *graph, double n, bool encoder_only);

/* JSON form (values, nodes with attributes, names of tensors, info; not the numbers) and back; `tensors` are found by name. Round trip is
 * exact. Everything read is validated: SKIP_ERR_INPUT names the node. */
enum skip_status skip_graph_to_json(const struct skip_graph *graph, json_t **out, struct skip_err *err);
enum skip_status skip_graph_from_json(const json_t *json, struct skip_tensor *const *tensors, size_t n_tensors, struct skip_graph **out,
				      struct skip_err *err);

#endif
