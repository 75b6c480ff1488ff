/*
 * A graph of one node on random inputs: for tests of single ops. Values and tensors are float64; everything is reproducible from the seed.
 */
#ifndef SKIP_TESTS_ONE_OP_H
#define SKIP_TESTS_ONE_OP_H

#include "base/rng.h"
#include "check.h"
#include "graph/pass.h"
#include <string.h>

#define ONE_MAX 16

struct one_op {
	struct skip_graph *graph;
	struct skip_batch batch;
	struct skip_rng rng;
	double *data[ONE_MAX]; /* of the graph inputs, by value index */
	struct skip_node node; /* filled by the test */
	uint32_t key;
};

/* Lengths 1, 7 and 61 in one packed batch, the short ones not first and not last only. */
#define ONE_TOKENS 77
#define ONE_SEQS 5
static const int32_t one_offset[] = {0, 7, 8, 69, 70, 77};

static inline struct one_op one_make(const char *op)
{
	struct one_op one = {.batch = {ONE_TOKENS, ONE_SEQS, NULL, NULL, one_offset}, .key = 12345};
	struct skip_err err;
	skip_rng_init(&one.rng, 7, op);
	CHECK_OK(skip_graph_create(&one.graph, &err));
	one.node.op = skip_op_find(op);
	one.node.layer = 3;
	cr_assert(one.node.op != NULL, "no op '%s'", op);
	return one;
}

/* A graph input of normal numbers, also the node's next input. */
static inline int one_input(struct one_op *one, const char *name, enum skip_rows rows, int fixed, int cols)
{
	struct skip_err err;
	int index;
	CHECK_OK(skip_graph_add_value(one->graph, name, rows, fixed, cols, &index, &err));
	size_t n = (size_t)skip_value_rows(&one->graph->values[index], &one->batch) * (size_t)cols;
	one->data[index] = malloc(n * sizeof(double));
	for (size_t i = 0; i < n; i++) one->data[index][i] = skip_rng_normal(&one->rng);
	one->node.in[one->node.n_in++] = index;
	return index;
}

/* A tensor of normal numbers (cols 0: a vector), also the node's next parameter; its numbers. */
static inline double *one_tensor(struct one_op *one, const char *name, int rows, int cols, bool trained)
{
	struct skip_err err;
	struct skip_tensor *tensor;
	int index;
	CHECK_OK(skip_tensor_create(name, SKIP_F64, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, &err));
	tensor->trained = trained;
	double *data = tensor->owned;
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) data[i] = skip_rng_normal(&one->rng);
	CHECK_OK(skip_graph_add_tensor(one->graph, tensor, &index, &err));
	skip_tensor_unref(tensor);
	one->node.param[one->node.n_param++] = index;
	return data;
}

static inline void one_add(struct one_op *one)
{
	static const char *const names[SKIP_NODE_MAX_OUT] = {"out0", "out1", "out2", "out3", "out4", "out5"};
	struct skip_err err;
	CHECK_OK(skip_graph_add_node(one->graph, &one->node, names, NULL, &err));
}

/* Runs any graph whose inputs are among one->data. */
static inline struct skip_ref_result one_run_graph(const struct one_op *one, const struct skip_graph *graph, int seed_value,
                                                   const double *seed)
{
	struct skip_ref_input inputs[ONE_MAX + 1];
	struct skip_ref_result result;
	struct skip_err err;
	size_t n = 0;
	for (int i = 0; i < ONE_MAX; i++)
		if (one->data[i]) inputs[n++] = (struct skip_ref_input){i, one->data[i]};
	if (seed) inputs[n++] = (struct skip_ref_input){seed_value, seed};
	CHECK_OK(skip_reference_run(graph, &one->batch, inputs, n, one->key, &result, &err));
	return result;
}

/* Adds the node and runs it: the numbers of output 0 are result.data[one->node.out[0]]. */
static inline struct skip_ref_result one_run(struct one_op *one)
{
	one_add(one);
	return one_run_graph(one, one->graph, SKIP_NONE, NULL);
}

static inline void one_free(struct one_op *one, struct skip_ref_result *result)
{
	if (result) skip_reference_free(result);
	skip_graph_destroy(one->graph);
	for (int i = 0; i < ONE_MAX; i++) free(one->data[i]);
}

/* Compares with a message that says where. */
static inline void one_equal(const double *got, const double *wanted, size_t n, double tolerance, const char *what)
{
	size_t where = 0;
	double worst = check_max_diff(got, wanted, n, &where);
	cr_assert(worst <= tolerance, "%s: element %zu of %zu is %.17g, wanted %.17g", what, where, n, got[where], wanted[where]);
}

#endif
