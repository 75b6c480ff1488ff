/* Networks read from ONNX files that PyTorch's exporters wrote (tests/golden/onnx): the answers of transformers, and files that are refused. */
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

/* Opens the file, which must be refused with this status and text. */
static void refuses(const Onnx__ModelProto *model, enum skip_status status, const char *message)
{
	struct skip_err err;
	struct skip_model out;
	size_t size = onnx__model_proto__get_packed_size(model);
	uint8_t *bytes = malloc(size);
	onnx__model_proto__pack(model, bytes);
	toy_write_file(folder, "model.onnx", bytes, size);
	CHECK_FAILS(skip_model_open(folder, &out, &err), status);
	cr_assert(strstr(err.message, message) != NULL, "%s", err.message);
	cr_assert(strstr(err.file, "model.onnx") != NULL, "%s", err.file);
	free(bytes);
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
