/* Networks read from ONNX files that PyTorch's exporters and optimum wrote (tests/golden/onnx): the answers of transformers, and files that are refused. */
#include "base/onnx.pb-c.h"
#include "golden_model.h"
#include "graph/op.h"
#include "model/model.h"

#define WITHIN 1e-6 /* of the RMS: exporters write the scale of attention and epsilon in float32, each in its own way */

struct onnx_case {
	char name[GOLDEN_NAME]; /* seen from golden/models */
};

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(onnx_in, .init = make_folder, .fini = drop_folder);

ParameterizedTestParameters(onnx_in, answers_like_transformers)
{
	static struct onnx_case all[GOLDEN_MAX];
	size_t n = 0;
	DIR *files = opendir(golden_path("../onnx", ""));
	for (const struct dirent *entry; files && (entry = readdir(files));) {
		if (entry->d_name[0] != '.' && n < GOLDEN_MAX) snprintf(all[n++].name, GOLDEN_NAME, "../onnx/%.30s", entry->d_name);
	}
	if (files) closedir(files);
	qsort(all, n, sizeof(all[0]), golden_compare);
	return cr_make_param_array(struct onnx_case, all, n);
}

static double rms(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
	return sqrt(sum / (double)n);
}

ParameterizedTest(struct onnx_case *c, onnx_in, answers_like_transformers)
{
	struct skip_err err;
	struct skip_model model;
	struct skip_ref_result result;
	struct skip_units units;
	struct golden golden = golden_open(c->name);
	cr_assert(skip_model_is_onnx(golden_path(c->name, "")));
	CHECK_OK(skip_model_open(golden_path(c->name, ""), &model, &err));
	CHECK_OK(skip_graph_validate(model.graph, &err));
	CHECK_OK(skip_reference_run(model.graph, &golden.batch, NULL, 0, 0, &result, &err));
	if (golden.logits) {
		size_t n = (size_t)(golden.batch.n_seqs * golden.classes);
		cr_assert(model.has_head && model.n_labels == golden.classes);
		double worst = check_max_diff(result.data[skip_graph_find_value(model.graph, "logits")], golden.logits, n, NULL);
		cr_assert(worst <= WITHIN * rms(golden.logits, n), "logits are off by %g", worst);
	} else {
		const double *hidden = result.data[skip_graph_find_value(model.graph, "hidden")];
		size_t width = (size_t)golden.width, n = (size_t)golden.n_rows * width;
		double worst = 0;
		for (int r = 0; r < golden.n_rows; r++)
			worst = fmax(worst, check_max_diff(hidden + (size_t)golden.rows[r] * width, golden.hidden + (size_t)r * width, width, NULL));
		cr_assert(worst <= WITHIN * rms(golden.hidden, n), "hidden states are off by %g", worst);
	}
	/* The canonical form: every layer can be cut. */
	CHECK_OK(skip_units_find(model.graph, &units, &err));
	cr_assert(model.graph->layers == 2 && skip_units_in(&units, 1, SKIP_UNIT_FFN) && skip_units_in(&units, 1, SKIP_UNIT_V) != NULL);
	cr_assert(skip_units_in(&units, 1, SKIP_UNIT_QK)->width == golden.width && model.max_positions >= 61);
	skip_units_deinit(&units);
	skip_reference_free(&result);
	skip_model_deinit(&model);
	golden_close(&golden);
}

static Onnx__ModelProto *read_file(void)
{
	struct skip_buf bytes = golden_read(golden_path("../onnx/bert-opset14", "model.onnx"));
	Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, bytes.length, (const uint8_t *)bytes.data);
	skip_buf_deinit(&bytes);
	cr_assert(model != NULL);
	return model;
}

static void pack_to(const Onnx__ModelProto *model)
{
	size_t size = onnx__model_proto__get_packed_size(model);
	uint8_t *bytes = malloc(size);
	onnx__model_proto__pack(model, bytes);
	toy_write_file(folder, "model.onnx", bytes, size);
	free(bytes);
}

/* Opens the file, which must be refused with this status and text. */
static void refuses(const Onnx__ModelProto *model, enum skip_status status, const char *message)
{
	struct skip_err err;
	struct skip_model out;
	pack_to(model);
	CHECK_FAILS(skip_model_open(folder, &out, &err), status);
	cr_assert(strstr(err.message, message) != NULL, "%s", err.message);
	cr_assert(strstr(err.file, "model.onnx") != NULL, "%s", err.file);
}

static Onnx__NodeProto *node_of(const Onnx__ModelProto *model, const char *op)
{
	for (size_t i = 0; i < model->graph->n_node; i++)
		if (strcmp(model->graph->node[i]->op_type, op) == 0) return model->graph->node[i];
	cr_fatal("no %s", op);
	return NULL;
}

Test(onnx_in, a_node_that_is_not_understood_is_named)
{
	Onnx__ModelProto *model = read_file();
	Onnx__NodeProto *softmax = node_of(model, "Softmax");
	char wanted[300];
	strcpy(softmax->op_type, "Sigmoid");
	snprintf(wanted, sizeof(wanted), "node '%s' (Sigmoid) is not understood", softmax->name);
	refuses(model, SKIP_ERR_UNSUPPORTED, wanted);
	onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_in, inputs_and_bytes_that_are_refused)
{
	struct skip_err err;
	struct skip_model out;
	Onnx__ModelProto *model = read_file();
	strcpy(model->graph->input[0]->name, "in");
	refuses(model, SKIP_ERR_UNSUPPORTED, "Unsupported input 'in'; supported: input_ids");
	onnx__model_proto__free_unpacked(model, NULL);
	toy_write_text(folder, "model.onnx", "no model");
	CHECK_FAILS(skip_model_open(folder, &out, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "expected an ONNX model") != NULL, "%s", err.message);
}

Test(onnx_in, constants_that_lie_are_refused)
{
	Onnx__ModelProto *model = read_file();
	Onnx__TensorProto *first = model->graph->initializer[0];
	first->dims[0]++;
	refuses(model, SKIP_ERR_INPUT, "its shape and its bytes disagree");
	first->dims[0]--;
	first->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED;
	refuses(model, SKIP_ERR_UNSUPPORTED, "expected float32");
	onnx__model_proto__free_unpacked(model, NULL);
}

static Onnx__StringStringEntryProto *entry(const char *key, const char *value)
{
	Onnx__StringStringEntryProto *made = malloc(sizeof(*made));
	onnx__string_string_entry_proto__init(made);
	made->key = strdup(key);
	made->value = strdup(value);
	return made;
}

/* Moves the bytes of every tensor into the file `location` beside the model; returns how many there are. */
static size_t move_out(const Onnx__ModelProto *model, const char *location)
{
	struct skip_buf data;
	skip_buf_init(&data);
	for (size_t i = 0; i < model->graph->n_initializer; i++) {
		Onnx__TensorProto *tensor = model->graph->initializer[i];
		char offset[24];
		if (!tensor->has_raw_data) continue;
		snprintf(offset, sizeof(offset), "%zu", data.length);
		skip_buf_append(&data, (const char *)tensor->raw_data.data, tensor->raw_data.len);
		free(tensor->raw_data.data);
		tensor->raw_data = (ProtobufCBinaryData){0};
		tensor->has_raw_data = 0;
		tensor->n_external_data = 2;
		tensor->external_data = malloc(2 * sizeof(*tensor->external_data));
		tensor->external_data[0] = entry("location", location);
		tensor->external_data[1] = entry("offset", offset);
	}
	size_t size = data.length;
	cr_assert(size > 1000);
	if (!strchr(location, '/')) toy_write_file(folder, location, data.data, size);
	skip_buf_deinit(&data);
	return size;
}

Test(onnx_in, weights_beside_the_file)
{
	struct skip_err err;
	struct skip_model here, beside;
	Onnx__ModelProto *model = read_file();
	pack_to(model);
	CHECK_OK(skip_model_open(folder, &here, &err));
	size_t size = move_out(model, "model.onnx_data");
	pack_to(model);
	CHECK_OK(skip_model_open(folder, &beside, &err));
	cr_assert(eq(sz, here.graph->n_tensors, beside.graph->n_tensors));
	for (size_t t = 0; t < here.graph->n_tensors; t++) {
		const struct skip_tensor *a = here.graph->tensors[t], *b = beside.graph->tensors[t];
		cr_assert(memcmp(a->data, b->data, 4 * (size_t)skip_tensor_count(a)) == 0, "%s", a->name);
	}
	skip_model_deinit(&here);
	skip_model_deinit(&beside);
	cr_assert(truncate(toy_path(folder, "model.onnx_data"), (off_t)size - 1) == 0);
	refuses(model, SKIP_ERR_INPUT, "its external data end behind their file");
	cr_assert(remove(toy_path(folder, "model.onnx_data")) == 0);
	CHECK_FAILS(skip_model_open(folder, &here, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.file, "model.onnx_data") != NULL, "%s", err.file);
	onnx__model_proto__free_unpacked(model, NULL);
	model = read_file();
	move_out(model, "../weights");
	refuses(model, SKIP_ERR_INPUT, "its external data lie in no file of the folder");
	onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_in, names_that_do_not_fit_the_head)
{
	struct skip_err err;
	struct skip_model out;
	Onnx__ModelProto *model = read_file();
	pack_to(model);
	onnx__model_proto__free_unpacked(model, NULL);
	toy_write_text(folder, "config.json", "{\"id2label\": {\"0\": \"no\", \"1\": \"yes\"}}");
	CHECK_FAILS(skip_model_open(folder, &out, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "\"id2label\" has 2 labels, the head of the checkpoint has 3 classes") != NULL, "%s", err.message);
}

/* Exporters write more outputs than are asked for; what they need besides is not looked at. */
Test(onnx_in, outputs_nobody_asks_for)
{
	struct skip_err err;
	struct skip_model out;
	Onnx__ModelProto *model = read_file();
	Onnx__NodeProto *more = malloc(sizeof(*more)), **nodes = model->graph->node;
	onnx__node_proto__init(more);
	more->op_type = strdup("ReduceL2");
	more->name = strdup("length");
	more->n_input = more->n_output = 1;
	more->input = malloc(sizeof(char *));
	more->output = malloc(sizeof(char *));
	more->input[0] = strdup("logits");
	more->output[0] = strdup("length_of_logits");
	model->graph->node = malloc((model->graph->n_node + 1) * sizeof(*nodes));
	memcpy(model->graph->node, nodes, model->graph->n_node * sizeof(*nodes));
	model->graph->node[model->graph->n_node++] = more;
	free(nodes);
	pack_to(model);
	CHECK_OK(skip_model_open(folder, &out, &err));
	cr_assert(out.has_head);
	skip_model_deinit(&out);
	onnx__model_proto__free_unpacked(model, NULL);
}
