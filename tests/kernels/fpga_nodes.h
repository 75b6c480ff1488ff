/*
 * One node of every kind an encoder has, as FPGA bodies take them, in sizes that leave the last word, panel and row tile part empty. Shared by the test
 * against the float64 reference and the one that compares routes bit by bit.
 */
#ifndef SKIP_TESTS_FPGA_NODES_H
#define SKIP_TESTS_FPGA_NODES_H

#include "kernel_check.h"

#define FPGA_NODES 16

struct fpga_nodes {
	int value[FPGA_NODES];
	double eps[FPGA_NODES]; /* bound relative to the largest element */
	int n;
};

static inline void fpga_add(struct kernel_check *check, struct fpga_nodes *nodes, const char *op, const int *in, int n_in, const int *param, int n_param,
			    union skip_attrs attrs, double eps)
{
	char name[24];
	const char *names[] = {name};
	snprintf(name, sizeof(name), "y%d", nodes->n);
	nodes->eps[nodes->n] = eps;
	nodes->value[nodes->n++] = kernel_check_node(check, op, in, n_in, param, n_param, attrs, names, 1);
}

static inline int fpga_matrix(struct kernel_check *check, const char *name, int rows, int cols)
{
	return kernel_check_param(check, name, rows, cols, 0, 1 / sqrt(cols));
}

/* linear and ffn in one type; int8 sums are exact, but an input of the second product may round the other way. */
static inline struct fpga_nodes fpga_products(struct kernel_check *check, enum skip_precision precision)
{
	struct fpga_nodes nodes = {.n = 0};
	const double eps = precision == SKIP_PRECISION_INT8 ? 2e-6 : 1e-6;
	int x = kernel_check_input(check, "x", SKIP_ROWS_T, 0, 37), r = kernel_check_input(check, "r", SKIP_ROWS_T, 0, 61), z = kernel_check_input(check, "z", SKIP_ROWS_B, 0, 7);
	int w = fpga_matrix(check, "w", 61, 37), b = kernel_check_param(check, "b", 61, 0, 0, 1), head = fpga_matrix(check, "head", 3, 7);
	int w1 = fpga_matrix(check, "w1", 21, 37), w2 = fpga_matrix(check, "w2", 37, 21), b1 = kernel_check_param(check, "b1", 21, 0, 0, 1),
	    b2 = kernel_check_param(check, "b2", 37, 0, 0, 1);
	union skip_attrs linear = {.linear = {.act = SKIP_ACT_GELU, .precision = precision}}, ffn = {.ffn = {.act = SKIP_ACT_GELU, .precision = precision}};
	fpga_add(check, &nodes, "linear", (int[]){x, r}, 2, (int[]){w, b}, 2, linear, eps);
	linear.linear.act = SKIP_ACT_TANH;
	fpga_add(check, &nodes, "linear", &x, 1, &w, 1, linear, eps);
	linear.linear.act = SKIP_ACT_GELU_TANH;
	fpga_add(check, &nodes, "linear", &x, 1, &w, 1, linear, eps);
	linear.linear.act = SKIP_ACT_NONE;
	fpga_add(check, &nodes, "linear", &z, 1, &head, 1, linear, eps);
	/* One step of the hidden scale in a product of 21. */
	fpga_add(check, &nodes, "ffn", (int[]){x, x}, 2, (int[]){w1, w2, b1, b2}, 4, ffn, precision == SKIP_PRECISION_INT8 ? 4e-3 : eps);
	ffn.ffn.act = SKIP_ACT_RELU;
	fpga_add(check, &nodes, "ffn", &x, 1, (int[]){w1, w2}, 2, ffn, precision == SKIP_PRECISION_INT8 ? 4e-3 : eps);
	return nodes;
}

static inline struct fpga_nodes fpga_rest(struct kernel_check *check, enum skip_precision attention)
{
	struct fpga_nodes nodes = {.n = 0};
	int x = kernel_check_input(check, "x", SKIP_ROWS_T, 0, 37), q = kernel_check_input(check, "q", SKIP_ROWS_T, 0, 3 * 17 + 2),
	    v = kernel_check_input(check, "v", SKIP_ROWS_T, 0, 3 * 5), z = kernel_check_input(check, "z", SKIP_ROWS_B, 0, 3 * 17);
	int gamma = kernel_check_param(check, "gamma", 37, 0, 1, 0.1), beta = kernel_check_param(check, "beta", 37, 0, 0, 0.1);
	int word = kernel_check_param(check, "word", 23, 37, 0, 1), position = kernel_check_param(check, "position", 70, 37, 0, 1), type = kernel_check_param(check, "type", 2, 37, 0, 1);
	int pk = kernel_check_param(check, "pk", 4, 3 * 17, 0, 1), pv = kernel_check_param(check, "pv", 4, 3 * 5, 0, 1);
	/* A weight beside the middle of two bfloat16 may go to the other one. */
	const double eps = attention == SKIP_PRECISION_BF16 ? 4e-3 : 1e-6;
	union skip_attrs attrs = {.attention = {.heads = 3, .qk = 17, .v = 5, .q_col = 2, .scale = 0.25f, .precision = attention}}, none = {.layernorm = {0}};
	check->vocab = 23;
	check->types = 2;
	check->graph->max_positions = 68;
	fpga_add(check, &nodes, "embed", NULL, 0, (int[]){word, position, type}, 3, (union skip_attrs){.embed = {.position_base = 2}}, 1e-6);
	fpga_add(check, &nodes, "embed", NULL, 0, (int[]){word, position}, 2, none, 1e-6);
	fpga_add(check, &nodes, "layernorm", &x, 1, (int[]){gamma, beta}, 2, (union skip_attrs){.layernorm = {.eps = 1e-12f}}, 1e-6);
	fpga_add(check, &nodes, "attention", (int[]){q, q, v}, 3, NULL, 0, attrs, eps);
	fpga_add(check, &nodes, "attention", (int[]){q, q, v}, 3, (int[]){pk, pv}, 2, attrs, eps);
	attrs.attention.q_col = 0;
	attrs.attention.k_col = 1;
	fpga_add(check, &nodes, "attention", (int[]){z, q, v}, 3, (int[]){pk, pv}, 2, attrs, eps);
	fpga_add(check, &nodes, "pool", &x, 1, NULL, 0, (union skip_attrs){.pool = {.mode = SKIP_POOL_MEAN}}, 1e-6);
	fpga_add(check, &nodes, "pool", &x, 1, NULL, 0, (union skip_attrs){.pool = {.mode = SKIP_POOL_CLS}}, 0);
	fpga_add(check, &nodes, "add", (int[]){x, x}, 2, NULL, 0, none, 1e-7);
	fpga_add(check, &nodes, "add_bias", &x, 1, &beta, 1, none, 1e-7);
	fpga_add(check, &nodes, "mask", &x, 1, &gamma, 1, none, 1e-7);
	fpga_add(check, &nodes, "dropout", &x, 1, NULL, 0, (union skip_attrs){.dropout = {.rate = 0}}, 0);
	return nodes;
}

#endif
