/*
 * What the files of arch/ share: adding nodes with the checkpoint's tensors to a graph under construction. Knows the canonical node forms and no
 * architecture.
 */
#ifndef SKIP_MODEL_BUILD_H
#define SKIP_MODEL_BUILD_H

#include "model/model.h"

struct skip_build {
	struct skip_graph *graph;
	struct skip_checkpoint *checkpoint;
	const char *const *prefixes; /* of tensor names */
};

/* Adds tensor `name` [rows][cols] (cols 0: rank 1) to the graph; index in *out. A name that was added before gives that tensor again: layers may share. */
enum skip_status skip_build_tensor(struct skip_build *build, const char *name, int rows, int cols, int *out, struct skip_err *err);

/* Each adds one node with one output value called `value` and returns the value in *out. `stem`: tensors <stem>.weight and <stem>.bias. */
enum skip_status skip_build_node(struct skip_build *build, const char *op, int layer, const int *in, int n_in, const int *param, int n_param,
				 union skip_attrs attrs, const char *value, int *out, struct skip_err *err);
enum skip_status skip_build_linear(struct skip_build *build, int layer, int x, int width, const char *stem, const char *value, int *out,
				   struct skip_err *err);
/* Also accepts the older names <stem>.gamma and <stem>.beta; the graph's tensors are called weight and bias. */
enum skip_status skip_build_layernorm(struct skip_build *build, int layer, int x, float eps, const char *stem, const char *value, int *out,
				      struct skip_err *err);

/*
 * The head of ...ForSequenceClassification behind "hidden": the first row of a sequence, [dense, act], dropout, classifier. Values as skip_pass_head makes
 * them, "pooled" and "logits"; tensors "pooler.*" and "head.*". The file says how many classes there are.
 */
struct skip_build_head {
	const char *dense; /* stem of the layer before the classifier; NULL: there is none */
	enum skip_act act; /* of that layer */
	const char *out;   /* stem of the classifier */
};
enum skip_status skip_build_head(struct skip_build *build, const struct skip_build_head *head, struct skip_err *err);

#endif
