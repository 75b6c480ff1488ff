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
/* What a linear takes of the file: `width` rows from `first` on of <stem>.weight, which has `rows` of them, and as much of <stem>.bias. */
struct skip_build_rows {
	const char *stem;
	int rows, first;
	bool turned;  /* the file holds the matrix as [in][out]; it is turned into memory of its own */
	bool no_bias; /* the file has none */
};
/* A linear over them. The graph's tensors are called <as>.weight and <as>.bias. */
enum skip_status skip_build_linear_rows(struct skip_build *build, int layer, int x, int width, const struct skip_build_rows *from, const char *as,
					const char *value, int *out, struct skip_err *err);
/* A float32 tensor that the file does not have, cols 0: rank 1; its zeroed numbers in *numbers. */
enum skip_status skip_build_made(struct skip_build *build, const char *name, int rows, int cols, int *out, float **numbers, struct skip_err *err);
/* A layernorm whose file has no bias: zeros take its place. */
enum skip_status skip_build_layernorm_scale(struct skip_build *build, int layer, int x, float eps, const char *stem, const char *value, int *out,
					    struct skip_err *err);
/* Also accepts the older names <stem>.gamma and <stem>.beta; the graph's tensors are called weight and bias. */
enum skip_status skip_build_layernorm(struct skip_build *build, int layer, int x, float eps, const char *stem, const char *value, int *out,
				      struct skip_err *err);

/*
 * The head of ...ForSequenceClassification behind "hidden": the first or last row of a sequence, [dense, act], dropout, classifier. Values as skip_pass_head makes
 * them, "pooled" and "logits"; tensors "pooler.*" and "head.*". The file says how many classes there are.
 */
struct skip_build_head {
	const char *dense; /* stem of the layer before the classifier; NULL: there is none */
	enum skip_act act; /* of that layer */
	const char *out;   /* stem of the classifier */
	bool last_row;     /* the last row of a sequence instead of the first */
	bool no_bias;      /* of the classifier */
};
/* The end of a head: dropout and classifier behind value x. */
enum skip_status skip_build_classifier(struct skip_build *build, const char *stem, int x, bool bias, struct skip_err *err);
enum skip_status skip_build_head(struct skip_build *build, const struct skip_build_head *head, struct skip_err *err);

#endif
