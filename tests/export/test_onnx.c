/*
 * The ONNX file read back: inputs and output, every name defined before it is read, shapes of the constants, the form of a pruned network, bytes. The
 * numbers are compared with other runtimes by tools/check-export.
 */
#include "base/alloc.h"
#include "base/onnx.pb-c.h"
#include "export/onnx.h"
#include "../graph/toy_graph.h"
#include <unistd.h>

static char path[1024];
static const char *const labels[] = {"a", "b", "c", "d", "\"e\""};
static const struct skip_onnx_info info = {.label = labels, .max_length = 61, .version = "1"};

static void make_path(void)
{
	snprintf(path, sizeof(path), "%s/export-onnx-%d", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp", (int)getpid());
}

static void remove_path(void)
{
	remove(path);
}

TestSuite(onnx, .init = make_path, .fini = remove_path);

static enum skip_status export_to_path(const struct skip_graph *graph, uint64_t *bytes, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	SKIP_TRY(skip_output_create_file(path, &output, err));
	SKIP_TRY(skip_export_onnx(graph, &info, output, bytes, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	return status;
}

static void export_text(const struct skip_graph *graph, struct skip_buf *out)
{
	struct skip_err err;
	uint64_t bytes = 0;
	skip_buf_init(out);
	CHECK_OK(export_to_path(graph, &bytes, &err));
	CHECK_OK(skip_file_read(path, out, &err));
	cr_assert(eq(u64, bytes, out->length));
}

static Onnx__ModelProto *export_model(const struct skip_graph *graph)
{
	struct skip_buf text;
	export_text(graph, &text);
	Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, text.length, (const uint8_t *)text.data);
	cr_assert(model != NULL);
	skip_buf_deinit(&text);
	return model;
}

static struct skip_graph *make_graph(const struct toy_options *options)
{
	struct skip_graph *graph = toy_graph(options);
	graph->classes = options->classes;
	return graph;
}

static const Onnx__TensorProto *constant(const Onnx__ModelProto *model, const char *name)
{
	for (size_t i = 0; i < model->graph->n_initializer; i++)
		if (strcmp(model->graph->initializer[i]->name, name) == 0) return model->graph->initializer[i];
	return NULL;
}

static bool defined_before(const Onnx__GraphProto *graph, size_t n_nodes, const char *name)
{
	for (size_t i = 0; i < graph->n_input; i++)
		if (strcmp(graph->input[i]->name, name) == 0) return true;
	for (size_t i = 0; i < graph->n_initializer; i++)
		if (strcmp(graph->initializer[i]->name, name) == 0) return true;
	for (size_t i = 0; i < n_nodes; i++)
		if (strcmp(graph->node[i]->output[0], name) == 0) return true;
	return false;
}

static size_t count_ops(const Onnx__ModelProto *model, const char *op)
{
	size_t n = 0;
	for (size_t i = 0; i < model->graph->n_node; i++) n += strcmp(model->graph->node[i]->op_type, op) == 0;
	return n;
}

/* What every file must be: names defined once and before they are read, data as long as the shape says. */
static void check_sound(const Onnx__ModelProto *model)
{
	const Onnx__GraphProto *graph = model->graph;
	for (size_t i = 0; i < graph->n_node; i++) {
		const Onnx__NodeProto *node = graph->node[i];
		for (size_t k = 0; k < node->n_input; k++)
			cr_assert(defined_before(graph, i, node->input[k]), "%s reads %s", node->name, node->input[k]);
		cr_assert(eq(sz, node->n_output, 1));
		cr_assert(not(defined_before(graph, i, node->output[0])), "%s is made twice", node->output[0]);
	}
	for (size_t i = 0; i < graph->n_initializer; i++) {
		const Onnx__TensorProto *tensor = graph->initializer[i];
		size_t count = 1;
		for (size_t d = 0; d < tensor->n_dims; d++) count *= (size_t)tensor->dims[d];
		size_t bytes = tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ? 4 : 8;
		cr_assert(eq(sz, tensor->raw_data.len, count * bytes), "%s", tensor->name);
	}
	cr_assert(defined_before(graph, graph->n_node, "logits"));
	cr_assert(eq(sz, graph->n_output, 1));
	cr_assert(eq(str, graph->output[0]->name, "logits"));
}

static void check_dims(const Onnx__ValueInfoProto *value, int type, const char *second, int64_t number)
{
	const Onnx__TypeProto__Tensor *tensor = value->type->tensor_type;
	cr_assert(eq(int, tensor->elem_type, type));
	cr_assert(eq(sz, tensor->shape->n_dim, 2));
	cr_assert(eq(str, tensor->shape->dim[0]->dim_param, "batch"));
	if (second) cr_assert(eq(str, tensor->shape->dim[1]->dim_param, (char *)(uintptr_t)second));
	else
		cr_assert(eq(i64, tensor->shape->dim[1]->dim_value, number));
}

Test(onnx, says_what_it_is)
{
	struct toy_options options = toy_defaults();
	options.dtype = SKIP_F32;
	struct skip_graph *graph = make_graph(&options);
	Onnx__ModelProto *model = export_model(graph);
	check_sound(model);
	cr_assert(eq(i64, model->ir_version, 8));
	cr_assert(eq(i64, model->opset_import[0]->version, SKIP_ONNX_OPSET));
	cr_assert(eq(sz, model->graph->n_input, 3));
	static const char *const names[] = {"input_ids", "attention_mask", "token_type_ids"};
	for (int i = 0; i < 3; i++) {
		cr_assert(eq(str, model->graph->input[i]->name, (char *)(uintptr_t)names[i]));
		check_dims(model->graph->input[i], ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "sequence", 0);
	}
	check_dims(model->graph->output[0], ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 5);
	cr_assert(eq(sz, model->n_metadata_props, 4));
	cr_assert(eq(str, model->metadata_props[1]->key, "labels"));
	cr_assert(eq(str, model->metadata_props[1]->value, "[\"a\",\"b\",\"c\",\"d\",\"\\\"e\\\"\"]"));
	cr_assert(eq(str, model->metadata_props[2]->value, "61"));
	cr_assert(eq(str, model->metadata_props[3]->value, "single_label_classification"));
	onnx__model_proto__free_unpacked(model, NULL);
	skip_graph_destroy(graph);
}

Test(onnx, weights_are_transposed_once)
{
	struct toy_options options = toy_defaults();
	options.types = 1;
	struct skip_graph *graph = make_graph(&options);
	int index = skip_graph_find_tensor(graph, "head.weight");
	const struct skip_tensor *head = graph->tensors[index];
	Onnx__ModelProto *model = export_model(graph);
	check_sound(model);
	cr_assert(eq(sz, model->graph->n_input, 2), "one type needs no token_type_ids");
	const Onnx__TensorProto *written = constant(model, "head.weight.T");
	cr_assert(written != NULL);
	cr_assert(eq(i64, written->dims[0], head->dim[1]));
	cr_assert(eq(i64, written->dims[1], head->dim[0]));
	for (int64_t r = 0; r < head->dim[0]; r++)
		for (int64_t c = 0; c < head->dim[1]; c++) {
			float found;
			memcpy(&found, written->raw_data.data + 4 * (c * head->dim[0] + r), 4);
			cr_assert(eq(flt, found, (float)((const double *)head->data)[r * head->dim[1] + c]));
		}
	onnx__model_proto__free_unpacked(model, NULL);
	skip_graph_destroy(graph);
}

struct form {
	int qk, v, prefix;
	enum skip_pool pool;
	enum skip_act act;
	size_t concats, pads, erfs, tanhs;
};

ParameterizedTestParameters(onnx, forms)
{
	static struct form forms[] = {
		{4, 4, 0, SKIP_POOL_CLS, SKIP_ACT_GELU, 0, 0, 2, 0},
		{3, 5, 7, SKIP_POOL_CLS, SKIP_ACT_GELU_TANH, 5, 1, 0, 2}, /* K and V of two layers, the shape of the batch */
		{1, 7, 1, SKIP_POOL_MEAN, SKIP_ACT_RELU, 5, 1, 0, 0},
	};
	return cr_make_param_array(struct form, forms, sizeof(forms) / sizeof(forms[0]));
}

ParameterizedTest(struct form *form, onnx, forms)
{
	struct toy_options options = toy_defaults();
	options.qk = form->qk;
	options.v = form->v;
	options.prefix = form->prefix;
	options.pool = form->pool;
	options.act = form->act;
	struct skip_graph *graph = make_graph(&options);
	Onnx__ModelProto *model = export_model(graph);
	check_sound(model);
	cr_assert(eq(sz, count_ops(model, "Softmax"), 2));
	cr_assert(eq(sz, count_ops(model, "LayerNormalization"), 5));
	cr_assert(eq(sz, count_ops(model, "Concat"), form->concats));
	cr_assert(eq(sz, count_ops(model, "Pad"), form->pads));
	cr_assert(eq(sz, count_ops(model, "Erf"), form->erfs));
	cr_assert(eq(sz, count_ops(model, "Tanh"), form->tanhs));
	cr_assert(eq(sz, count_ops(model, "ReduceSum"), form->pool == SKIP_POOL_MEAN ? 2 : 0));
	if (form->prefix) {
		const Onnx__TensorProto *key = constant(model, "prefix.1.key"), *value = constant(model, "prefix.1.value");
		cr_assert(key && value);
		const int64_t wanted[2][4] = {{1, 3, form->qk, form->prefix}, {1, 3, form->prefix, form->v}};
		for (int d = 0; d < 4; d++) {
			cr_assert(eq(i64, key->dims[d], wanted[0][d]));
			cr_assert(eq(i64, value->dims[d], wanted[1][d]));
		}
		/* Slot p, head h, column e of the key: [0][h][e][p]. */
		const struct skip_tensor *source = graph->tensors[skip_graph_find_tensor(graph, "prefix.1.key")];
		for (int h = 0; h < 3; h++)
			for (int e = 0; e < form->qk; e++)
				for (int p = 0; p < form->prefix; p++) {
					float found;
					memcpy(&found, key->raw_data.data + 4 * ((h * form->qk + e) * form->prefix + p), 4);
					cr_assert(eq(flt, found, (float)((const double *)source->data)[p * 3 * form->qk + h * form->qk + e]));
				}
	}
	onnx__model_proto__free_unpacked(model, NULL);
	skip_graph_destroy(graph);
}

Test(onnx, layers_may_keep_different_numbers_of_slots)
{
	struct skip_err err;
	struct toy_options options = toy_defaults();
	options.layers = 3;
	options.prefix = 4;
	struct skip_graph *graph = make_graph(&options), *small = NULL, *masked = NULL;
	struct skip_units units = {0};
	struct skip_keep keep = {0};
	uint64_t bytes = 0;
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	keep.keep[units.n_groups + 1][2] = 0; /* 4, 3 and 4 of them */
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &small, &err));
	Onnx__ModelProto *model = export_model(small);
	check_sound(model);
	cr_assert(eq(sz, count_ops(model, "Pad"), 3));
	cr_assert(constant(model, "prefix.0.key")->dims[3] == 4 && constant(model, "prefix.1.key")->dims[3] == 3);
	onnx__model_proto__free_unpacked(model, NULL);
	skip_graph_destroy(small);
	small = NULL;
	memset(keep.keep[units.n_groups + 1], 0, 4); /* 4, none and 4 */
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &small, &err));
	model = export_model(small);
	check_sound(model);
	cr_assert(constant(model, "prefix.1.key") == NULL);
	onnx__model_proto__free_unpacked(model, NULL);
	CHECK_OK(skip_pass_mask(graph, &units, &keep, &masked, &err));
	CHECK_FAILS(export_to_path(masked, &bytes, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, "'attention'") != NULL, "%s", err.message);
	skip_graph_destroy(masked);
	skip_graph_destroy(small);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(graph);
}

Test(onnx, a_pruned_network_keeps_its_uneven_widths)
{
	struct skip_err err;
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = make_graph(&options), *small = NULL;
	struct skip_units units = {0};
	struct skip_keep keep = {0};
	CHECK_OK(skip_units_find(graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	for (size_t g = 0; g < units.n_groups; g++) {
		if (units.group[g].kind != SKIP_UNIT_FFN) continue;
		int drop = units.group[g].layer == 0 ? 16 : 6; /* of 17 */
		for (int u = 0; u < drop; u++) keep.keep[g][u] = 0;
	}
	CHECK_OK(skip_pass_prune(graph, &units, &keep, &small, &err));
	small->classes = options.classes;
	Onnx__ModelProto *model = export_model(small);
	check_sound(model);
	static const int wanted[] = {1, 11};
	for (int l = 0; l < 2; l++) {
		char name[SKIP_TENSOR_NAME];
		const struct skip_value *hidden;
		snprintf(name, sizeof(name), "layer%d.ffn.hidden", l);
		hidden = &small->values[skip_graph_find_value(small, name)];
		const struct skip_node *up = &small->nodes[hidden->producer];
		snprintf(name, sizeof(name), "%.100s.T", small->tensors[up->param[0]]->name);
		cr_assert(constant(model, name) != NULL, "%s", name);
		cr_assert(eq(i64, constant(model, name)->dims[1], wanted[l]));
	}
	onnx__model_proto__free_unpacked(model, NULL);
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	skip_graph_destroy(small);
	skip_graph_destroy(graph);
}

Test(onnx, the_same_graph_gives_the_same_bytes)
{
	struct toy_options options = toy_defaults();
	options.prefix = 3;
	struct skip_graph *graph = make_graph(&options);
	struct skip_buf first, second;
	export_text(graph, &first);
	export_text(graph, &second);
	cr_assert(eq(sz, first.length, second.length));
	cr_assert(memcmp(first.data, second.data, first.length) == 0);
	skip_buf_deinit(&first);
	skip_buf_deinit(&second);
	skip_graph_destroy(graph);
}

Test(onnx, what_it_refuses)
{
	struct skip_err err;
	uint64_t bytes = 7;
	struct toy_options options = toy_defaults();
	options.classes = 0;
	struct skip_graph *graph = make_graph(&options);
	CHECK_FAILS(export_to_path(graph, &bytes, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "'logits'") != NULL);
	int pooled = skip_graph_find_value(graph, "pooled");
	struct skip_node node = {.op = skip_op_find("act_bwd"), /* an op that only training has */
	                         .layer = SKIP_NONE,
	                         .n_in = 2,
	                         .in = {pooled, pooled},
	                         .attrs.act.kind = SKIP_ACT_GELU};
	const char *name = "logits";
	CHECK_OK(skip_graph_add_node(graph, &node, &name, NULL, &err));
	CHECK_FAILS(export_to_path(graph, &bytes, &err), SKIP_ERR_UNSUPPORTED);
	cr_assert(strstr(err.message, "'act_bwd'") != NULL, "%s", err.message);
	cr_assert(eq(u64, bytes, 7));
	cr_assert(access(path, F_OK) != 0);
	skip_graph_destroy(graph);
}

Test(onnx, no_memory)
{
	struct skip_err err;
	uint64_t bytes;
	struct toy_options options = toy_defaults();
	options.prefix = 2;
	struct skip_graph *graph = make_graph(&options);
	size_t before = skip_alloc_fail_at(0), used;
	CHECK_OK(export_to_path(graph, &bytes, &err));
	used = skip_alloc_fail_at(0) - before;
	cr_assert(gt(sz, used, 100));
	for (size_t n = 1; n <= used; n += n < 40 ? 1 : 7) {
		skip_alloc_fail_at(n);
		skip_err_init(&err);
		cr_assert(eq(int, export_to_path(graph, &bytes, &err), SKIP_ERR_NOMEM), "allocation %zu of %zu: %s", n, used, err.message);
	}
	skip_alloc_fail_at(0);
	skip_graph_destroy(graph);
}
