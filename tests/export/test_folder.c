/* A checkpoint folder comes back as the same network; what a configuration cannot say is refused with the layer's name. */
#include "export/folder.h"
#include "model/model.h"
#include "golden_model.h"
#include "toy_bert.h"

static char folder[512], source[600];
static struct skip_model model;
static struct skip_tokenizer *tokenizer;

static void make_model(void)
{
	struct skip_err err;
	struct toy_bert toy = TOY_BERT;
	toy.classes = 3;
	toy.vocab_file = true;
	toy.prefix = "bert.";
	toy_folder(folder);
	snprintf(source, sizeof(source), "%s/model", folder);
	cr_assert(mkdir(source, 0777) == 0);
	toy_bert_write(source, &toy);
	CHECK_OK(skip_model_open(source, &model, &err));
	CHECK_OK(skip_tokenizer_open(source, &tokenizer, &err));
}

static void drop_model(void)
{
	skip_tokenizer_close(tokenizer);
	skip_model_deinit(&model);
	toy_folder_remove(folder);
}

TestSuite(folder, .init = make_model, .fini = drop_model);

static enum skip_status export_folder(const struct skip_graph *graph, const char *name, struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	struct skip_folder_write write = {.graph = graph,
	                                  .label = (const char *const *)model.label,
	                                  .tokenizer_folder = source,
	                                  .tokenizer = tokenizer};
	SKIP_TRY(skip_output_create_folder(toy_path(folder, name), "config.json", &output, err));
	SKIP_TRY(skip_export_folder(&write, output, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	return status;
}

Test(folder, comes_back_as_the_same_network)
{
	struct skip_err err;
	struct skip_model again;
	json_t *a = NULL, *b = NULL;
	CHECK_OK(export_folder(model.graph, "copy", &err));
	CHECK_OK(skip_model_open(toy_path(folder, "copy"), &again, &err));
	cr_assert(again.has_head);
	cr_assert(eq(int, again.n_labels, 3));
	cr_assert(eq(str, again.label[2], model.label[2]));
	cr_assert(eq(int, again.max_positions, model.max_positions));
	CHECK_OK(skip_graph_to_json(model.graph, &a, &err));
	CHECK_OK(skip_graph_to_json(again.graph, &b, &err));
	cr_assert(json_equal(a, b));
	for (size_t i = 0; i < model.graph->n_tensors; i++) {
		const struct skip_tensor *x = model.graph->tensors[i], *y = again.graph->tensors[i];
		cr_assert(memcmp(x->data, y->data, 4 * (size_t)skip_tensor_count(x)) == 0, "%s", x->name);
	}
	struct skip_tokenizer *words = NULL;
	CHECK_OK(skip_tokenizer_open(toy_path(folder, "copy"), &words, &err));
	cr_assert(eq(sz, skip_tokenizer_vocab_size(words), skip_tokenizer_vocab_size(tokenizer)));
	skip_tokenizer_close(words);
	json_decref(a);
	json_decref(b);
	skip_model_deinit(&again);
}

/* The network with the first `drop` of the 7 ffn columns of a layer removed. */
static struct skip_graph *narrow(int layer, int drop)
{
	struct skip_err err;
	struct skip_graph *out = NULL;
	struct skip_units units = {0};
	struct skip_keep keep = {0};
	CHECK_OK(skip_units_find(model.graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	for (size_t g = 0; g < units.n_groups; g++)
		if (units.group[g].kind == SKIP_UNIT_FFN && (layer == SKIP_NONE || units.group[g].layer == layer)) memset(keep.keep[g], 0, (size_t)drop);
	CHECK_OK(skip_pass_prune(model.graph, &units, &keep, &out, &err));
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
	return out;
}

Test(folder, one_width_in_every_layer_is_written)
{
	struct skip_err err;
	struct skip_model again;
	struct skip_graph *small = narrow(SKIP_NONE, 4);
	CHECK_OK(export_folder(small, "small", &err));
	CHECK_OK(skip_model_open(toy_path(folder, "small"), &again, &err));
	cr_assert(eq(int, again.graph->ffn_width, 3));
	skip_model_deinit(&again);
	skip_graph_destroy(small);
}

static void refused(struct skip_graph *graph, const char *first, const char *second)
{
	struct skip_err err;
	CHECK_FAILS(export_folder(graph, "refused", &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, first) && strstr(err.message, second), "%s", err.message);
	cr_assert(not(skip_file_exists(toy_path(folder, "refused"))));
	skip_graph_destroy(graph);
}

Test(folder, uneven_widths_are_refused_by_layer)
{
	refused(narrow(1, 3), "layer 1 ", "has 4 columns, the layers before have 7");
	refused(narrow(0, 7), "layer 0 ", "sub-layer of it was removed");
}

Test(folder, heads_that_went_are_refused_by_layer)
{
	struct skip_err err;
	struct skip_graph *small = NULL;
	struct skip_units units = {0};
	struct skip_keep keep = {0};
	CHECK_OK(skip_units_find(model.graph, &units, &err));
	CHECK_OK(skip_keep_create(&units, &keep, &err));
	for (size_t g = 0; g < units.n_groups; g++)
		if (units.group[g].layer == 1 && units.group[g].kind != SKIP_UNIT_FFN) memset(keep.keep[g], 0, (size_t)units.group[g].per_head);
	CHECK_OK(skip_pass_prune(model.graph, &units, &keep, &small, &err));
	refused(small, "layer 1 ", "2 heads of 4 query and key and 4 value columns");
	skip_keep_deinit(&keep);
	skip_units_deinit(&units);
}

Test(folder, prefix_and_pooling_are_refused)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	CHECK_OK(skip_pass_prefix(model.graph, 2, &graph, &err));
	refused(graph, "layer 0 ", "prefix");
	CHECK_OK(skip_pass_head(model.graph, SKIP_POOL_MEAN, NULL, NULL, 3, &graph, &err));
	refused(graph, "the head", "averages the rows");
	CHECK_OK(skip_pass_head(model.graph, SKIP_POOL_CLS, NULL, NULL, 3, &graph, &err));
	refused(graph, "the head", "pooler");
}

struct folder_case {
	char name[GOLDEN_NAME];
	bool written;
};

ParameterizedTestParameters(folder, every_architecture)
{
	static struct folder_case all[] = {{"bert", true},          {"roberta", true}, {"xlm-roberta", true},           {"distilbert", true}, {"electra", true},
					   {"roberta-multi", true}, {"albert", false}, {"distilbert-regression", true}, {"bert-multi", true}};
	return cr_make_param_array(struct folder_case, all, sizeof(all) / sizeof(all[0]));
}

static double *reference_logits(const struct skip_graph *graph, const struct skip_batch *batch)
{
	struct skip_err err;
	struct skip_ref_result result;
	int logits = skip_graph_find_value(graph, "logits");
	size_t n = (size_t)(batch->n_seqs * graph->values[logits].cols);
	double *out = malloc(n * sizeof(*out));
	CHECK_OK(skip_reference_run(graph, batch, NULL, 0, 0, &result, &err));
	memcpy(out, result.data[logits], n * sizeof(*out));
	skip_reference_free(&result);
	return out;
}

/* A checkpoint of the architecture, written again, is read as the same network; one that cannot be written is refused by name. */
ParameterizedTest(struct folder_case *c, folder, every_architecture)
{
	struct skip_err err;
	struct skip_model first, again;
	struct golden golden = golden_open(c->name);
	char from[600];
	snprintf(from, sizeof(from), "%s/golden", folder);
	cr_assert(mkdir(from, 0777) == 0);
	golden_write(c->name, from);
	CHECK_OK(skip_model_open(from, &first, &err));
	struct skip_model toy = model; /* labels come from the checkpoint at hand */
	model.label = first.label;
	if (c->written) {
		CHECK_OK(export_folder(first.graph, "copy", &err));
		CHECK_OK(skip_model_open(toy_path(folder, "copy"), &again, &err));
		cr_assert(eq(str, again.graph->architecture, first.graph->architecture));
		cr_assert(again.graph->problem == first.graph->problem && again.max_positions == first.max_positions);
		double *a = reference_logits(first.graph, &golden.batch), *b = reference_logits(again.graph, &golden.batch);
		cr_assert(check_max_diff(a, b, (size_t)(golden.batch.n_seqs * golden.classes), NULL) == 0);
		free(a);
		free(b);
		skip_model_deinit(&again);
	} else {
		CHECK_FAILS(export_folder(first.graph, "copy", &err), SKIP_ERR_UNSUPPORTED);
		cr_assert(strstr(err.message, "no checkpoint folder is written of albert") != NULL, "%s", err.message);
	}
	model = toy;
	skip_model_deinit(&first);
	golden_close(&golden);
}
