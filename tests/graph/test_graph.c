/* The graph: building, look-up, copies, counts, validation, and every refusal of the shape rules with its message. */
#include "base/alloc.h"
#include "toy_graph.h"

struct build {
	struct skip_graph *graph;
	struct skip_node node;
	struct skip_err err;
};

static struct build build_make(const char *op)
{
	struct build b = {.node = {.op = skip_op_find(op), .layer = 0}};
	struct skip_err err;
	CHECK_OK(skip_graph_create(&b.graph, &err));
	return b;
}

static int build_value(struct build *b, const char *name, enum skip_rows rows, int cols)
{
	struct skip_err err;
	int index;
	CHECK_OK(skip_graph_add_value(b->graph, name, rows, 3, cols, &index, &err));
	return index;
}

static int build_tensor(struct build *b, const char *name, int rank, int64_t rows, int64_t cols)
{
	struct skip_err err;
	struct skip_tensor *tensor;
	int index;
	CHECK_OK(skip_tensor_create(name, SKIP_F32, rank, (const int64_t[]){rows, cols, 1}, &tensor, &err));
	CHECK_OK(skip_graph_add_tensor(b->graph, tensor, &index, &err));
	skip_tensor_unref(tensor);
	return index;
}

/* The values and tensors the refusal table picks from, by position. */
enum { T7, T5, B7, B5, F7, T19, ABSENT = SKIP_NONE };
enum { V7, V5, M57, M75, M64, M47, M14, R3, M07 };

static void build_stock(struct build *b)
{
	build_value(b, "t7", SKIP_ROWS_T, 7);
	build_value(b, "t5", SKIP_ROWS_T, 5);
	build_value(b, "b7", SKIP_ROWS_B, 7);
	build_value(b, "b5", SKIP_ROWS_B, 5);
	build_value(b, "f7", SKIP_ROWS_FIXED, 7);
	build_value(b, "t19", SKIP_ROWS_T, 19);
	build_tensor(b, "v7", 1, 7, 0);
	build_tensor(b, "v5", 1, 5, 0);
	build_tensor(b, "m57", 2, 5, 7);
	build_tensor(b, "m75", 2, 7, 5);
	build_tensor(b, "m64", 2, 6, 4);
	build_tensor(b, "m47", 2, 4, 7);
	build_tensor(b, "m14", 2, 1, 4);
	build_tensor(b, "r3", 3, 7, 7);
	build_tensor(b, "m07", 2, 0, 7);
}

struct refusal {
	const char *op;
	int n_in, in[4], n_param, param[3];
	union skip_attrs attrs;
	const char *message;
	int layer, n_out;
	const char *outs; /* "a.b": names of outputs by letter, '.' absent; NULL: one letter each */
};

#define ATT(...)                                                                                                                           \
	{                                                                                                                                  \
		.attention = { __VA_ARGS__ }                                                                                               \
	}

static const struct refusal refusals[] = {
    /* counts, indices, attributes: all ops */
    {"add", 1, {T7}, 0, {0}, {{0}}, "node 0 (add, layer 0): 1 inputs, possible are 2 to 2", 0, 0, NULL},
    {"add", 3, {T7, T7, T7}, 0, {0}, {{0}}, "3 inputs, possible are 2 to 2", 0, 0, NULL},
    {"add", 2, {T7, ABSENT}, 0, {0}, {{0}}, "input 1 is absent", 0, 0, NULL},
    {"add", 2, {T7, 99}, 0, {0}, {{0}}, "input 1 is index 99 of 6", 0, 0, NULL},
    {"add", 2, {T7, -7}, 0, {0}, {{0}}, "input 1 is index -7", 0, 0, NULL},
    {"mask", 1, {T7}, 0, {0}, {{0}}, "0 tensors, possible are 1 to 1", 0, 0, NULL},
    {"mask", 1, {T7}, 1, {50}, {{0}}, "tensor 0 is index 50 of 9", 0, 0, NULL},
    {"add", 2, {T7, T7}, 0, {0}, {{0}}, "layer is out of range", -2, 0, NULL},
    {"add", 2, {T7, T7}, 0, {0}, {{0}}, "layer is out of range", 65536, 0, NULL},
    {"add", 2, {T7, T7}, 0, {0}, {{0}}, "a new add node has 2 outputs, possible are 1 to 1", 0, 2, NULL},
    {"act", 1, {T7}, 0, {0}, {.act = {(enum skip_act)5}}, "attribute kind is 5 of 5 choices", 0, 0, NULL},
    {"layernorm", 1, {T7}, 2, {V7, V7}, {.layernorm = {NAN}}, "attribute eps is not a finite number", 0, 0, NULL},
    /* shape rules */
    {"embed", 0, {0}, 3, {M57, M75, ABSENT}, {{0}}, "tensor 'm75' is [7][5], needed is [any][7]", 0, 0, NULL},
    {"embed", 0, {0}, 3, {M57, M47, M14}, {{0}}, "tensor 'm14' is [1][4], needed is [any][7]", 0, 0, NULL},
    {"embed", 0, {0}, 2, {V7, M47}, {{0}}, "tensor 'v7' has rank 1, needed is a matrix [any][any]", 0, 0, NULL},
    {"embed", 0, {0}, 2, {M07, M47}, {{0}}, "tensor 'm07' is [0][7]", 0, 0, NULL},
    {"embed", 0, {0}, 2, {M57, M47}, {.embed = {4}}, "position_base 4 is outside the 4 positions", 0, 0, NULL},
    {"embed", 0, {0}, 2, {M57, M47}, {.embed = {-1}}, "position_base -1", 0, 0, NULL},
    {"layernorm", 1, {T7}, 2, {V5, V7}, {.layernorm = {1}}, "tensor 'v5' is [5], needed is [7]", 0, 0, NULL},
    {"layernorm", 1, {T7}, 2, {V7, M57}, {.layernorm = {1}}, "tensor 'm57' has rank 2, needed is a vector [7]", 0, 0, NULL},
    {"layernorm", 1, {T7}, 2, {V7, V7}, {.layernorm = {0}}, "eps is 0, it must be above 0", 0, 0, NULL},
    {"layernorm_bwd", 2, {T7, B7}, 2, {V7, V7}, {.layernorm = {1}}, "'t7' [T][7] and 'b7' [B][7] must have one shape", 0, 0, NULL},
    {"linear", 1, {T7}, 1, {M75}, {{0}}, "tensor 'm75' is [7][5], needed is [any][7]", 0, 0, NULL},
    {"linear", 1, {T7}, 1, {M57}, {.linear = {.transpose = 1}}, "tensor 'm57' is [5][7], needed is [7][any]", 0, 0, NULL},
    {"linear", 1, {T7}, 1, {M57}, {.linear = {.transpose = 2}}, "transpose is 2, possible are 0 and 1", 0, 0, NULL},
    {"linear", 1, {T7}, 1, {R3}, {{0}}, "tensor 'r3' has rank 3", 0, 0, NULL},
    {"linear", 1, {T7}, 2, {M57, V7}, {{0}}, "tensor 'v7' is [7], needed is [5]", 0, 0, NULL},
    {"linear", 2, {T7, T7}, 1, {M57}, {{0}}, "residual 't7' is [T][7], needed is [T][5]", 0, 0, NULL},
    {"linear", 2, {T7, B5}, 1, {M57}, {{0}}, "residual 'b5' is [B][5], needed is [T][5]", 0, 0, NULL},
    {"act", 1, {T7}, 0, {0}, {.act = {SKIP_ACT_NONE}}, "kind is 'none'", 0, 0, NULL},
    {"act_bwd", 2, {T7, T5}, 0, {0}, {.act = {SKIP_ACT_GELU}}, "'t7' [T][7] and 't5' [T][5]", 0, 0, NULL},
    {"pool", 1, {B7}, 0, {0}, {{0}}, "input 'b7' has B rows, needed are T", 0, 0, NULL},
    {"pool", 1, {F7}, 0, {0}, {{0}}, "input 'f7' has 3 rows, needed are T", 0, 0, NULL},
    {"pool_bwd", 1, {T7}, 0, {0}, {{0}}, "input 't7' has T rows, needed are B", 0, 0, NULL},
    {"dropout", 1, {T7}, 0, {0}, {.dropout = {.rate = 1}}, "rate is 1, possible is 0 up to", 0, 0, NULL},
    {"dropout", 1, {T7}, 0, {0}, {.dropout = {.rate = -0.5f}}, "rate is -0.5", 0, 0, NULL},
    {"mask", 1, {T7}, 1, {V5}, {{0}}, "tensor 'v5' is [5], needed is [7]", 0, 0, NULL},
    {"add_bias", 1, {T5}, 1, {V7}, {{0}}, "tensor 'v7' is [7], needed is [5]", 0, 0, NULL},
    {"add", 2, {T7, B7}, 0, {0}, {{0}}, "inputs 't7' [T][7] and 'b7' [B][7] must have one shape", 0, 0, NULL},
    {"add", 2, {F7, T7}, 0, {0}, {{0}}, "inputs 'f7' [3][7] and 't7' [T][7]", 0, 0, NULL},
    {"linear_dw", 2, {T7, B5}, 0, {0}, {{0}}, "'t7' [T][7] and 'b5' [B][5] must have as many rows", 0, 2, NULL},
    {"linear_dw", 1, {T7}, 0, {0}, {{0}}, "x and dW must be there or absent together", 0, 2, NULL},
    {"linear_dw", 2, {T7, T5}, 0, {0}, {{0}}, "x and dW must be there or absent together", 0, 2, ".b"},
    {"linear_dw", 1, {T7}, 0, {0}, {{0}}, "neither dW nor db is wanted", 0, 2, ".."},
    {"score", 2, {T7, B7}, 0, {0}, {{0}}, "must have one shape", 0, 0, NULL},
    {"score", 2, {F7, F7}, 0, {0}, {{0}}, "input 'f7' has no rows per sequence", 0, 0, NULL},
    /* attention: one head of qk 7, v 5 on t7, t7, t5; fused t19 = 7 + 7 + 5 */
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 0, .qk = 7, .v = 5), "heads 0, qk 7, v 5: each is at least 1", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 8, .v = 5), "q takes columns 0 to 8 of 't7', which has 7", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 65536, .qk = 65536, .v = 1), "heads times width fits an int", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5, .v_col = -1), "v takes columns -1 to 4", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5, .k_col = 1), "k takes columns 1 to 8 of 't7'", 0, 0, NULL},
    {"attention", 3, {T7, B7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "input 'b7' has B rows, needed are T", 0, 0, NULL},
    {"attention", 3, {F7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "input 'f7' has 3 rows", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 1, {M57}, ATT(.heads = 1, .qk = 7, .v = 5), "prefix must be there or absent together", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 2, {M57, M14}, ATT(.heads = 1, .qk = 7, .v = 5), "tensor 'm14' is [1][4], needed is [5][5]", 0, 0, NULL},
    {"attention",
     3,
     {T7, T7, T5},
     2,
     {M64, M75},
     ATT(.heads = 1, .qk = 7, .v = 5),
     "tensor 'm64' is [6][4], needed is [any][7]",
     0,
     0,
     NULL},
    {"attention", 3, {T7, T7, T5}, 2, {M07, M75}, ATT(.heads = 1, .qk = 7, .v = 5), "tensor 'm07' is [0][7]", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5, .prefix_dropout = 1), "prefix_dropout is 1", 0, 0, NULL},
    {"attention", 3, {T7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5, .prefix_dropout = 0.5f), "needs a layer", -1, 0, NULL},
    {"attention_bwd", 4, {B7, T7, T5, T7}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "input 't7' is [T][7], needed is [B][5]", 0, 3, "a.c"},
    {"attention_bwd", 4, {B7, T7, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "input 't5' is [T][5], needed is [B][5]", 0, 3, "abc"},
    {"attention_bwd", 4, {T7, T7, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "at least one of them present", 0, 3, "..."},
    {"attention_bwd", 4, {T7, T7, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "outputs are dq, dk, dv", 0, 4, "..cd"},
    {"attention_bwd", 4, {T7, T7, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "column ranges of 't7' overlap", 0, 3, "aac"},
    {"attention_bwd", 4, {T7, T7, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "must be ranges of one value", 0, 3, "abc"},
    {"attention_bwd",
     4,
     {T7, T19, T5, T5},
     0,
     {0},
     ATT(.heads = 1, .qk = 7, .v = 5),
     "column ranges cover 7 of the 19 columns of 't19'",
     0,
     3,
     "abc"},
    {"attention_bwd", 4, {T7, T19, T5, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), "a prefix gradient is wanted", 0, 5, "a..d."},
};

Test(graph, shape_rules_refuse)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct build b = build_make(r->op);
		struct skip_err err;
		static const char *const letters[SKIP_NODE_MAX_OUT] = {"a", "b", "c", "d", "e", "f"};
		const char *names[SKIP_NODE_MAX_OUT];
		build_stock(&b);
		b.node.layer = r->layer;
		b.node.n_in = r->n_in;
		b.node.n_param = r->n_param;
		b.node.n_out = r->n_out;
		b.node.attrs = r->attrs;
		memcpy(b.node.in, r->in, sizeof(r->in));
		memcpy(b.node.param, r->param, sizeof(r->param));
		for (int o = 0; o < SKIP_NODE_MAX_OUT; o++)
			names[o] = !r->outs || (size_t)o >= strlen(r->outs) ? letters[o]
			           : r->outs[o] == '.'                      ? NULL
			                                                    : letters[r->outs[o] - 'a'];
		skip_err_init(&err);
		enum skip_status status = skip_graph_add_node(b.graph, &b.node, names, NULL, &err);
		cr_assert(status == SKIP_ERR_INPUT && strstr(err.message, r->message), "case %zu (%s): '%s', wanted '%s'", i, r->op,
		          err.message, r->message);
		cr_assert(b.graph->n_nodes == 0 && b.graph->n_values == 6, "case %zu changed the graph", i);
		skip_graph_destroy(b.graph);
	}
}

Test(graph, shape_rules_give_shapes)
{
	static const struct {
		const char *op;
		int n_in, in[4], n_param, param[3];
		union skip_attrs attrs;
		enum skip_rows rows;
		int fixed, cols;
	} cases[] = {
	    {"embed", 0, {0}, 2, {M57, M47}, {{0}}, SKIP_ROWS_T, 0, 7},
	    {"layernorm", 1, {B7}, 2, {V7, V7}, {.layernorm = {1}}, SKIP_ROWS_B, 0, 7},
	    {"linear", 1, {T7}, 2, {M57, V5}, {{0}}, SKIP_ROWS_T, 0, 5},
	    {"linear", 2, {F7, ABSENT}, 2, {M75, ABSENT}, {.linear = {.transpose = 1}}, SKIP_ROWS_FIXED, 3, 5},
	    {"attention", 3, {B7, T7, T5}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5), SKIP_ROWS_B, 0, 5},
	    {"attention", 3, {T19, T19, T19}, 0, {0}, ATT(.heads = 1, .qk = 7, .v = 5, .k_col = 7, .v_col = 14), SKIP_ROWS_T, 0, 5},
	    {"pool", 1, {T5}, 0, {0}, {{0}}, SKIP_ROWS_B, 0, 5},
	    {"pool_bwd", 1, {B5}, 0, {0}, {{0}}, SKIP_ROWS_T, 0, 5},
	    {"score", 2, {T7, T7}, 0, {0}, {{0}}, SKIP_ROWS_B, 0, 7}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct build b = build_make(cases[i].op);
		struct skip_err err;
		const char *name = "out";
		build_stock(&b);
		b.node.n_in = cases[i].n_in;
		b.node.n_param = cases[i].n_param;
		b.node.attrs = cases[i].attrs;
		memcpy(b.node.in, cases[i].in, sizeof(cases[i].in));
		memcpy(b.node.param, cases[i].param, sizeof(cases[i].param));
		CHECK_OK(skip_graph_add_node(b.graph, &b.node, &name, NULL, &err));
		const struct skip_value *out = &b.graph->values[b.node.out[0]];
		cr_assert(out->rows == cases[i].rows && out->fixed_rows == cases[i].fixed && out->cols == cases[i].cols &&
		              out->producer == 0,
		          "%zu", i);
		CHECK_OK(skip_graph_validate(b.graph, &err));
		skip_graph_destroy(b.graph);
	}
}

/* Gradients of column ranges of a fused value are one value; the weights' gradients have fixed rows. */
Test(graph, gradient_ops_give_shapes)
{
	struct build b = build_make("attention_bwd");
	struct skip_err err;
	build_stock(&b);
	b.node.n_in = 4;
	b.node.in[0] = b.node.in[1] = b.node.in[2] = T19;
	b.node.in[3] = T5;
	b.node.n_param = 2;
	b.node.param[0] = M57;
	b.node.param[1] = build_tensor(&b, "pv", 2, 5, 5);
	b.node.n_out = 5;
	b.node.attrs.attention = (struct skip_attrs_attention){.heads = 1, .qk = 7, .v = 5, .k_col = 7, .v_col = 14};
	const char *names[] = {"dqkv", "dqkv", "dqkv", "dpk", "dpv"};
	CHECK_OK(skip_graph_add_node(b.graph, &b.node, names, NULL, &err));
	const struct skip_value *values = b.graph->values;
	cr_assert(b.node.out[0] == b.node.out[1] && b.node.out[1] == b.node.out[2] && b.graph->n_values == 9);
	cr_assert(values[b.node.out[0]].cols == 19 && values[b.node.out[0]].rows == SKIP_ROWS_T);
	cr_assert(values[b.node.out[3]].rows == SKIP_ROWS_FIXED && values[b.node.out[3]].fixed_rows == 5 &&
	          values[b.node.out[3]].cols == 7);
	cr_assert(values[b.node.out[4]].fixed_rows == 5 && values[b.node.out[4]].cols == 5);
	struct skip_node dw = {.op = skip_op_find("linear_dw"), .layer = 0, .n_in = 2, .in = {T7, T5}, .n_out = 2};
	CHECK_OK(skip_graph_add_node(b.graph, &dw, (const char *const[]){"dw", "db"}, NULL, &err));
	values = b.graph->values;
	cr_assert(values[dw.out[0]].fixed_rows == 7 && values[dw.out[0]].cols == 5 && values[dw.out[1]].fixed_rows == 1 &&
	          values[dw.out[1]].cols == 7);
	CHECK_OK(skip_graph_validate(b.graph, &err));
	skip_graph_destroy(b.graph);
}

Test(graph, add_value_refuses)
{
	struct build b = build_make("add");
	struct skip_err err;
	char long_name[SKIP_NAME + 1];
	int index = 77;
	memset(long_name, 'x', SKIP_NAME);
	long_name[SKIP_NAME] = '\0';
	build_value(&b, "x", SKIP_ROWS_T, 7);
	CHECK_FAILS(skip_graph_add_value(b.graph, "x", SKIP_ROWS_B, 0, 7, &index, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "two values are called 'x'") != NULL);
	CHECK_FAILS(skip_graph_add_value(b.graph, long_name, SKIP_ROWS_B, 0, 7, &index, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_graph_add_value(b.graph, "", SKIP_ROWS_B, 0, 7, &index, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_graph_add_value(b.graph, "y", SKIP_ROWS_B, 0, 0, &index, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_graph_add_value(b.graph, "y", SKIP_ROWS_FIXED, 0, 7, &index, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "'y' has 7 columns and 0 fixed rows") != NULL, "%s", err.message);
	cr_assert(index == 77 && b.graph->n_values == 1);
	skip_graph_destroy(b.graph);
}

Test(graph, unique_names)
{
	struct build b = build_make("add");
	struct skip_err err;
	char name[SKIP_NAME] = "", stem[SKIP_NAME];
	CHECK_OK(skip_graph_unique_name(b.graph, "x.grad", name, &err));
	cr_assert(strcmp(name, "x.grad") == 0);
	build_value(&b, "x.grad", SKIP_ROWS_T, 7);
	build_value(&b, "x.grad2", SKIP_ROWS_T, 7);
	CHECK_OK(skip_graph_unique_name(b.graph, "x.grad", name, &err));
	cr_assert(strcmp(name, "x.grad3") == 0);
	memset(stem, 'x', SKIP_NAME - 1);
	stem[SKIP_NAME - 1] = '\0';
	CHECK_OK(skip_graph_unique_name(b.graph, stem, name, &err));
	build_value(&b, stem, SKIP_ROWS_T, 7);
	CHECK_FAILS(skip_graph_unique_name(b.graph, stem, name, &err), SKIP_ERR_INPUT);
	skip_graph_destroy(b.graph);
}

Test(graph, existing_outputs)
{
	struct build b = build_make("add");
	struct skip_err err;
	const char *name = "free";
	build_stock(&b);
	b.node.n_in = 2;
	b.node.in[0] = b.node.in[1] = T7;
	struct skip_node node = b.node;
	static const struct {
		int out;
		const char *message;
	} cases[] = {{T5, "output 't5' has rows T 0 and 5 columns, the op gives rows T 0 and 7"},
	             {B7, "output 'b7' has rows B"},
	             {T7, "output 't7' is read before it is written"},
	             {60, "output 0 is index 60 of 6"},
	             {SKIP_NONE, "output 0 is absent"}};
	for (size_t i = 0; i < 5; i++) {
		CHECK_FAILS(skip_graph_add_node(b.graph, &node, NULL, &cases[i].out, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, cases[i].message) != NULL, "%s", err.message);
		cr_assert(strstr(err.message, "node 0 (add, layer 0): ") == err.message, "%s", err.message);
	}
	int out = build_value(&b, "sum", SKIP_ROWS_T, 7);
	CHECK_OK(skip_graph_add_node(b.graph, &node, NULL, &out, &err));
	cr_assert(node.out[0] == out && b.graph->values[out].producer == 0);
	node = b.node;
	CHECK_FAILS(skip_graph_add_node(b.graph, &node, NULL, &out, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "output 'sum' is already written by node 0") != NULL);
	CHECK_OK(skip_graph_add_node(b.graph, &node, &name, NULL, &err));
	node = b.node;
	CHECK_FAILS(skip_graph_add_node(b.graph, &node, &name, NULL, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "two values are called 'free'") && b.graph->n_nodes == 2);
	skip_graph_destroy(b.graph);
}

Test(graph, tensors_are_shared_and_replaced)
{
	struct build b = build_make("add");
	struct skip_err err;
	struct skip_graph *copy = NULL;
	int first = build_tensor(&b, "w", 1, 7, 0), again;
	struct skip_tensor *old = b.graph->tensors[first], *fresh = NULL;
	CHECK_OK(skip_graph_add_tensor(b.graph, old, &again, &err));
	cr_assert(again == first && b.graph->n_tensors == 1 && old->refs == 1);
	CHECK_OK(skip_graph_copy(b.graph, &copy, &err));
	cr_assert(copy->tensors[0] == old && old->refs == 2);
	CHECK_OK(skip_tensor_create("w", SKIP_F32, 1, (const int64_t[]){3}, &fresh, &err));
	skip_graph_set_tensor(copy, 0, fresh);
	cr_assert(old->refs == 1 && fresh->refs == 2 && b.graph->tensors[0] == old && skip_graph_find_tensor(copy, "w") == 0);
	skip_graph_set_tensor(copy, 0, fresh);
	skip_tensor_unref(fresh);
	cr_assert(fresh->refs == 1 && skip_graph_find_tensor(copy, "x") == SKIP_NONE);
	skip_graph_destroy(copy);
	skip_graph_destroy(b.graph);
	skip_graph_destroy(NULL);
}

Test(graph, copy_equals_and_is_apart)
{
	struct toy_options options = toy_defaults();
	options.prefix = 3;
	struct skip_graph *graph = toy_graph(&options), *copy = NULL;
	struct skip_err err;
	CHECK_OK(skip_graph_copy(graph, &copy, &err));
	CHECK_OK(skip_graph_validate(copy, &err));
	struct toy_batch batch = toy_batch_make(&options, (const int[]){1, 7, 61}, 3, 5);
	cr_assert(toy_difference(graph, copy, &batch.batch, "logits") == 0);
	cr_assert(copy->dense_encoder_params == graph->dense_encoder_params && strcmp(copy->architecture, "toy") == 0);
	strcpy(copy->values[0].name, "changed");
	cr_assert(skip_graph_find_value(graph, "changed") == SKIP_NONE);
	skip_graph_destroy(copy);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

/* docs/method.md 2.6 and 4, written out for the toy. */
Test(graph, parameters_and_macs)
{
	struct toy_options o = toy_defaults();
	o.qk = 3;
	o.v = 5;
	o.prefix = 20;
	struct skip_graph *graph = toy_graph(&o);
	int D = o.width, H = o.heads, F = o.ffn, L = o.layers, P = o.prefix;
	int64_t layer = H * o.qk * (2 * D + 2) + H * o.v * (2 * D + 1) + D + F * (2 * D + 1) + D + 4 * D;
	int64_t outside = (o.vocab + o.positions + o.types + 2) * D + L * P * H * (o.qk + o.v) + o.classes * (D + 1);
	cr_assert(skip_graph_encoder_params(graph) == L * layer, "%lld", (long long)skip_graph_encoder_params(graph));
	cr_assert(skip_graph_total_params(graph) == L * layer + outside);
	for (int n = 1; n <= 61; n += 20) {
		double attention = n * D * H * (2 * o.qk + o.v) + n * (P + n) * H * (o.qk + o.v) + n * H * o.v * D;
		double encoder = L * (attention + 2.0 * n * D * F);
		cr_assert(skip_graph_macs(graph, n, true) == encoder, "n %d: %g, wanted %g", n, skip_graph_macs(graph, n, true), encoder);
		cr_assert(skip_graph_macs(graph, n, false) == encoder + D * o.classes);
	}
	skip_graph_destroy(graph);
}

/* A part of a concatenation that is also read alone counts once. */
Test(graph, shared_parts_count_once)
{
	struct build b = build_make("linear");
	struct skip_err err;
	struct skip_tensor *both = NULL;
	const char *names[] = {"y", "z"};
	build_stock(&b);
	struct skip_tensor *const parts[] = {b.graph->tensors[M57], b.graph->tensors[M47]};
	CHECK_OK(skip_tensor_concat("both", parts, 2, &both, &err));
	b.node.n_in = b.node.n_param = 1;
	struct skip_node node = b.node;
	CHECK_OK(skip_graph_add_tensor(b.graph, both, &node.param[0], &err));
	skip_tensor_unref(both);
	CHECK_OK(skip_graph_add_node(b.graph, &node, &names[0], NULL, &err));
	cr_assert(skip_graph_encoder_params(b.graph) == 63);
	node = b.node;
	node.param[0] = M57;
	CHECK_OK(skip_graph_add_node(b.graph, &node, &names[1], NULL, &err));
	cr_assert(skip_graph_encoder_params(b.graph) == 63 && skip_graph_total_params(b.graph) == 63);
	skip_graph_destroy(b.graph);
}

/* Damage that only direct writes can do. */
static void damage(struct skip_graph *graph, int kind)
{
	int last = (int)graph->n_nodes - 1;
	switch (kind) {
	case 0:
		graph->nodes[last].in[0] = (int)graph->n_values;
		break;
	case 1:
		graph->nodes[0].out[0] = -5;
		break;
	case 2:
		graph->nodes[2].in[0] = graph->nodes[last].out[0];
		break;
	case 3:
		graph->values[graph->nodes[3].out[0]].cols++;
		break;
	case 4:
		graph->values[graph->nodes[3].out[0]].producer = 4;
		break;
	case 5:
		graph->values[graph->nodes[3].out[0]].producer = last + 1;
		break;
	case 6:
		strcpy(graph->values[1].name, graph->values[0].name);
		break;
	case 7:
		strcpy(graph->tensors[1]->name, graph->tensors[0]->name);
		break;
	case 8:
		graph->nodes[1].attrs.layernorm.eps = INFINITY;
		break;
	case 9:
		graph->nodes[3].out[0] = graph->nodes[2].out[0];
		break;
	case 10:
		graph->nodes[1].n_param = 3;
		break;
	case 11:
		graph->nodes[0].out[0] = (int)graph->n_values;
		break;
	case 12:
		graph->nodes[2].in[0] = graph->nodes[2].out[0];
		break;
	}
}

Test(graph, validate_finds_damage)
{
	static const char *const messages[] = {"input 0 is index",
	                                       "output 0 is index -5",
	                                       "is written only by node",
	                                       "columns, the op gives",
	                                       "is written by node 4",
	                                       "is written by node",
	                                       "two values are called",
	                                       "two tensors are called",
	                                       "node 1 (layernorm, layer -1): attribute eps",
	                                       "is written by node 2",
	                                       "3 tensors, possible are 2 to 2",
	                                       "output 0 is index",
	                                       "is written only by node 2"};
	struct toy_options options = toy_defaults();
	for (int kind = 0; kind < 13; kind++) {
		struct skip_graph *graph = toy_graph(&options);
		struct skip_err err;
		damage(graph, kind);
		CHECK_FAILS(skip_graph_validate(graph, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, messages[kind]) != NULL, "damage %d: %s", kind, err.message);
		skip_graph_destroy(graph);
	}
}

Test(graph, every_allocation_may_fail)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options);
	struct skip_err err;
	struct toy_batch batch = toy_batch_make(&options, (const int[]){1, 7}, 2, 5);
	enum skip_status status = SKIP_ERR_NOMEM;
	for (size_t n = 1; status == SKIP_ERR_NOMEM; n++) {
		struct skip_graph *copy = NULL;
		skip_alloc_fail_at(n);
		status = skip_graph_copy(graph, &copy, &err);
		cr_assert(status == SKIP_OK ? copy != NULL : copy == NULL && n < 10);
		skip_graph_destroy(copy);
	}
	cr_assert(status == SKIP_OK);
	status = SKIP_ERR_NOMEM;
	size_t failures = 0;
	for (size_t n = 1; status == SKIP_ERR_NOMEM; n++, failures++) {
		struct skip_ref_result result = {NULL, NULL, 0};
		skip_alloc_fail_at(n);
		status = skip_reference_run(graph, &batch.batch, NULL, 0, 0, &result, &err);
		cr_assert(status == SKIP_OK ? result.data != NULL : result.data == NULL);
		skip_reference_free(&result);
	}
	cr_assert(status == SKIP_OK && failures > 2 * graph->n_nodes);
	skip_alloc_fail_at(0);
	toy_batch_free(&batch);
	skip_graph_destroy(graph);
}

Test(graph, reference_wants_its_inputs)
{
	struct build b = build_make("add");
	struct skip_err err;
	struct skip_ref_result result;
	const char *name = "sum";
	const double data[7] = {0};
	static const int32_t offset[] = {0, 1};
	struct skip_batch batch = {1, 1, NULL, NULL, offset};
	build_stock(&b);
	b.node.n_in = 2;
	b.node.in[0] = b.node.in[1] = T7;
	CHECK_OK(skip_graph_add_node(b.graph, &b.node, &name, NULL, &err));
	CHECK_FAILS(skip_reference_run(b.graph, &batch, NULL, 0, 0, &result, &err), SKIP_ERR_INTERNAL);
	cr_assert(strstr(err.message, "'t7'") != NULL);
	const struct skip_ref_input wrong[] = {{T7, data}, {b.node.out[0], data}};
	CHECK_FAILS(skip_reference_run(b.graph, &batch, wrong, 2, 0, &result, &err), SKIP_ERR_INTERNAL);
	CHECK_OK(skip_reference_run(b.graph, &batch, wrong, 1, 0, &result, &err));
	cr_assert(result.data[b.node.out[0]] && result.data[T5] == NULL && result.rows[B7] == 1 && result.rows[F7] == 3);
	skip_reference_free(&result);
	skip_graph_destroy(b.graph);
}

Test(graph, attention_is_resized)
{
	static const struct {
		int heads[3], per_head[3], q_col;
		enum skip_status status;
	} cases[] = {{{2, 2, 2}, {3, 3, 5}, 0, SKIP_OK},        {{1, 1, 2}, {3, 3, 5}, 0, SKIP_ERR_INPUT},
	             {{2, 1, 2}, {3, 3, 5}, 0, SKIP_ERR_INPUT}, {{2, 2, 2}, {3, 4, 5}, 0, SKIP_ERR_INPUT},
	             {{0, 0, 0}, {0, 0, 0}, 0, SKIP_ERR_INPUT}, {{2, 2, 2}, {3, 3, 5}, 1, SKIP_ERR_INTERNAL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_node node = {.op = skip_op_find("attention"), .layer = 4};
		struct skip_attrs_attention *attrs = &node.attrs.attention;
		struct skip_resize to = {{0}, {0}, {0}};
		struct skip_err err;
		*attrs = (struct skip_attrs_attention){.heads = 12, .qk = 32, .v = 32, .q_col = cases[i].q_col, .scale = 0.25f};
		memcpy(to.in_heads, cases[i].heads, sizeof(cases[i].heads));
		memcpy(to.in_per_head, cases[i].per_head, sizeof(cases[i].per_head));
		if (cases[i].status == SKIP_OK) {
			CHECK_OK(node.op->resize(&node, &to, &err));
			cr_assert(attrs->heads == 2 && attrs->qk == 3 && attrs->v == 5 &&
			          attrs->scale == 0.25f); /* the scale stays that of E */
		} else {
			CHECK_FAILS(node.op->resize(&node, &to, &err), cases[i].status);
			cr_assert(attrs->heads == 12 && attrs->qk == 32 && attrs->v == 32);
		}
	}
}
