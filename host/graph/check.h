/* Checks of nodes, for graph.c and graph_json.c. Not for use outside the room. */
#ifndef SKIP_GRAPH_CHECK_H
#define SKIP_GRAPH_CHECK_H

#include "graph/op.h"

/* Indices, counts, layer, attributes and the op's shape rule of a node that is or becomes node `index`; output shapes come back in `shape`.
 * Errors name the node. */
enum skip_status skip_check_node(const struct skip_graph *graph, int index, const struct skip_node *node,
                                 struct skip_value shape[SKIP_NODE_MAX_OUT], struct skip_err *err);
/* The output values of a new last node: they exist, have these shapes, and no node wrote or read them yet. */
enum skip_status skip_check_outputs(const struct skip_graph *graph, int index, const struct skip_node *node,
                                    const struct skip_value shape[SKIP_NODE_MAX_OUT], struct skip_err *err);

#endif
