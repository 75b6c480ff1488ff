/* Opening model folders: the graph computes what BERT is defined to compute; folders that must be refused. */
#include "model/model.h"
#include "toy_bert.h"

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(model, .init = make_folder, .fini = drop_folder);

/*
 * BERT again, straight from its definition, one sequence, naive loops in float64. Reads tensors by the names of the checkpoint.
 */
struct naive {
	const struct toy_bert *toy;
	struct toy_tensors tensors;
};

static const float *numbers(const struct naive *naive, const char *prefix, int layer, const char *rest)
{
	char name[SKIP_TENSOR_NAME];
	if (layer < 0) snprintf(name, sizeof(name), "%s%s", prefix, rest);
	else
		snprintf(name, sizeof(name), "%sencoder.layer.%d.%s", prefix, layer, rest);
	for (size_t i = 0; i < naive->tensors.count; i++)
		if (strcmp(naive->tensors.entry[i].name, name) == 0) return naive->tensors.entry[i].data;
	cr_fatal("no tensor %s", name);
	return NULL;
}

/* y [n][out] = x [n][in] W^T + b */
static void naive_linear(const struct naive *naive, const char *prefix, int layer, const char *stem, int n, int in, int out,
                         const double *x, double *y)
{
	char name[SKIP_TENSOR_NAME];
	snprintf(name, sizeof(name), "%s.weight", stem);
	const float *w = numbers(naive, prefix, layer, name);
	snprintf(name, sizeof(name), "%s.bias", stem);
	const float *b = numbers(naive, prefix, layer, name);
	for (int t = 0; t < n; t++)
		for (int o = 0; o < out; o++) {
			double sum = b[o];
			for (int i = 0; i < in; i++) sum += x[t * in + i] * w[o * in + i];
			y[t * out + o] = sum;
		}
}

static void naive_layernorm(const struct naive *naive, int layer, const char *stem, int n, double *x)
{
	char name[SKIP_TENSOR_NAME];
	int d = naive->toy->width;
	snprintf(name, sizeof(name), "%s.%s", stem, naive->toy->legacy_names ? "gamma" : "weight");
	const float *gamma = numbers(naive, naive->toy->prefix, layer, name);
	snprintf(name, sizeof(name), "%s.%s", stem, naive->toy->legacy_names ? "beta" : "bias");
	const float *beta = numbers(naive, naive->toy->prefix, layer, name);
	for (int t = 0; t < n; t++) {
		double *row = x + t * d, mean = 0, variance = 0;
		for (int i = 0; i < d; i++) mean += row[i] / d;
		for (int i = 0; i < d; i++) variance += (row[i] - mean) * (row[i] - mean) / d;
		for (int i = 0; i < d; i++) row[i] = (row[i] - mean) / sqrt(variance + 1e-12) * gamma[i] + beta[i];
	}
}

static void naive_attention(const struct toy_bert *toy, int n, const double *q, const double *k, const double *v, double *context)
{
	int d = toy->width, e = d / toy->heads;
	for (int h = 0; h < toy->heads; h++)
		for (int t = 0; t < n; t++) {
			double weight[64], sum = 0;
			for (int s = 0; s < n; s++) {
				double dot = 0;
				for (int i = 0; i < e; i++) dot += q[t * d + h * e + i] * k[s * d + h * e + i];
				weight[s] = exp(dot / sqrt(e));
				sum += weight[s];
			}
			for (int i = 0; i < e; i++) {
				double mixed = 0;
				for (int s = 0; s < n; s++) mixed += weight[s] / sum * v[s * d + h * e + i];
				context[t * d + h * e + i] = mixed;
			}
		}
}

static double naive_act(const char *name, double u)
{
	if (strcmp(name, "relu") == 0) return u > 0 ? u : 0;
	if (strcmp(name, "gelu") == 0) return u * 0.5 * (1 + erf(u / sqrt(2)));
	return 0.5 * u * (1 + tanh(sqrt(2 / M_PI) * (u + 0.044715 * u * u * u)));
}

/* x [n][D]: "hidden" of one sequence; logits [C] where the folder has a head. */
static void naive_bert(const struct naive *naive, const int32_t *ids, const int32_t *types, int n, double *x, double *logits)
{
	enum { MAX = 64 * 64 };
	static double q[MAX], k[MAX], v[MAX], context[MAX], u[MAX], y[MAX];
	const struct toy_bert *toy = naive->toy;
	int d = toy->width;
	const float *word = numbers(naive, toy->prefix, -1, "embeddings.word_embeddings.weight");
	const float *position = numbers(naive, toy->prefix, -1, "embeddings.position_embeddings.weight");
	const float *type = numbers(naive, toy->prefix, -1, "embeddings.token_type_embeddings.weight");
	for (int t = 0; t < n; t++)
		for (int i = 0; i < d; i++) x[t * d + i] = (double)word[ids[t] * d + i] + position[t * d + i] + type[types[t] * d + i];
	naive_layernorm(naive, -1, "embeddings.LayerNorm", n, x);
	for (int l = 0; l < toy->layers; l++) {
		naive_linear(naive, toy->prefix, l, "attention.self.query", n, d, d, x, q);
		naive_linear(naive, toy->prefix, l, "attention.self.key", n, d, d, x, k);
		naive_linear(naive, toy->prefix, l, "attention.self.value", n, d, d, x, v);
		naive_attention(toy, n, q, k, v, context);
		naive_linear(naive, toy->prefix, l, "attention.output.dense", n, d, d, context, y);
		for (int i = 0; i < n * d; i++) x[i] += y[i];
		naive_layernorm(naive, l, "attention.output.LayerNorm", n, x);
		naive_linear(naive, toy->prefix, l, "intermediate.dense", n, d, toy->ffn, x, u);
		for (int i = 0; i < n * toy->ffn; i++) u[i] = naive_act(toy->hidden_act, u[i]);
		naive_linear(naive, toy->prefix, l, "output.dense", n, toy->ffn, d, u, y);
		for (int i = 0; i < n * d; i++) x[i] += y[i];
		naive_layernorm(naive, l, "output.LayerNorm", n, x);
	}
	if (!toy->classes) return;
	naive_linear(naive, toy->prefix, -1, "pooler.dense", 1, d, d, x, y);
	for (int i = 0; i < d; i++) y[i] = tanh(y[i]);
	naive_linear(naive, "", -1, "classifier", 1, d, toy->classes, y, logits);
}

/* Three sequences of 1, 7 and 11 tokens, packed, against the naive BERT one by one. */
static void compare_with_naive(const struct toy_bert *toy)
{
	static const int32_t offset[] = {0, 1, 8, 19};
	struct skip_err err;
	struct skip_model model;
	struct skip_ref_result result;
	struct naive naive = {.toy = toy};
	int32_t ids[19], types[19];
	double x[64 * 64], logits[64];
	toy_bert_write(folder, toy);
	toy_bert_tensors(toy, &naive.tensors);
	for (int t = 0; t < 19; t++) {
		ids[t] = (t * 17 + 3) % toy->vocab;
		types[t] = t % 3 == 0;
	}
	const struct skip_batch batch = {.n_tokens = 19, .n_seqs = 3, .ids = ids, .types = types, .offset = offset};
	CHECK_OK(skip_model_open(folder, &model, &err));
	CHECK_OK(skip_graph_validate(model.graph, &err));
	int hidden = skip_graph_find_value(model.graph, "hidden"), logit = skip_graph_find_value(model.graph, "logits");
	cr_assert(hidden != SKIP_NONE && (logit != SKIP_NONE) == (toy->classes > 0));
	CHECK_OK(skip_reference_run(model.graph, &batch, NULL, 0, 0, &result, &err));
	for (int b = 0; b < 3; b++) {
		int first = offset[b], n = offset[b + 1] - first, d = toy->width;
		naive_bert(&naive, ids + first, types + first, n, x, logits);
		double worst = check_max_diff(result.data[hidden] + first * d, x, (size_t)(n * d), NULL);
		/* the graph holds 1/sqrt(E) and eps as float32, hence 1e-6 and not 1e-13 */
		cr_assert(worst < 2e-6, "sequence %d: hidden differs by %g", b, worst);
		if (!toy->classes) continue;
		worst = check_max_diff(result.data[logit] + b * toy->classes, logits, (size_t)toy->classes, NULL);
		cr_assert(worst < 2e-6, "sequence %d: logits differ by %g", b, worst);
	}
	skip_reference_free(&result);
	toy_bert_free(&naive.tensors);
	skip_model_deinit(&model);
}

Test(model, the_graph_is_bert)
{
	struct toy_bert toy = TOY_BERT;
	compare_with_naive(&toy);
}

Test(model, old_names_prefixes_and_shards)
{
	struct toy_bert toy = TOY_BERT;
	toy.legacy_names = true;
	toy.prefix = "bert.";
	toy.shards = 3;
	toy.layers = 1;
	compare_with_naive(&toy);
}

Test(model, activations)
{
	static const char *const names[] = {"relu", "gelu_new", "gelu_pytorch_tanh"};
	for (int i = 0; i < 3; i++) {
		struct toy_bert toy = TOY_BERT;
		toy.hidden_act = names[i];
		toy.heads = 1;
		toy.ffn = 61;
		compare_with_naive(&toy);
	}
}

Test(model, a_classification_head)
{
	struct skip_err err;
	struct skip_model model;
	struct toy_bert toy = TOY_BERT;
	toy.classes = 3;
	toy.prefix = "bert.";
	compare_with_naive(&toy);
	CHECK_OK(skip_model_open(folder, &model, &err));
	cr_assert(model.has_head && model.pool == SKIP_POOL_CLS && model.n_labels == 3 && model.graph->classes == 3);
	cr_assert(eq(str, model.label[0], "class0"));
	cr_assert(eq(str, model.label[2], "class2"));
	skip_model_deinit(&model);
}

Test(model, labels_without_names)
{
	struct skip_err err;
	struct skip_model model;
	struct toy_bert toy = TOY_BERT;
	toy.classes = 2;
	toy_bert_write(folder, &toy);
	toy.classes = 0; /* the same config without id2label */
	toy_write_config(folder, &toy);
	CHECK_OK(skip_model_open(folder, &model, &err));
	cr_assert(not(model.has_head));
	skip_model_deinit(&model);
	toy_write_text(folder, "config.json",
	               "{\"architectures\": [\"BertForSequenceClassification\"], \"model_type\": \"bert\", \"hidden_size\": 12, "
	               "\"num_attention_heads\": 3, \"num_hidden_layers\": 2, \"intermediate_size\": 7, \"vocab_size\": 61, "
	               "\"max_position_embeddings\": 16, \"type_vocab_size\": 2, \"problem_type\": null}");
	CHECK_OK(skip_model_open(folder, &model, &err));
	cr_assert(model.has_head && model.n_labels == 2 && strcmp(model.label[1], "LABEL_1") == 0);
	skip_model_deinit(&model);
}

Test(model, says_what_it_is)
{
	struct skip_err err;
	struct skip_model model;
	struct toy_bert toy = TOY_BERT;
	toy_bert_write(folder, &toy);
	CHECK_OK(skip_model_open(folder, &model, &err));
	const struct skip_graph *graph = model.graph;
	cr_assert(eq(str, (char *)graph->architecture, "bert"));
	cr_assert(graph->model_width == 12 && graph->heads == 3 && graph->head_width == 4 && graph->ffn_width == 7 && graph->layers == 2);
	cr_assert(graph->prefix == 0 && graph->classes == 0 && graph->max_positions == 16 && model.max_positions == 16);
	int64_t per_layer = 4 * (12 * 12 + 12) + 2 * 12 * 7 + 7 + 12 + 4 * 12;
	cr_assert(eq(i64, graph->dense_encoder_params, 2 * per_layer));
	cr_assert(fabs(graph->dense_macs_per_token - 2 * (4 * 12 * 12 + 2 * 12 * 7 + 2 * 64 * 12)) < 1e-9);
	cr_assert(graph->n_nodes == 2 + 2 * 12 && skip_graph_find_value(graph, "layer1.ffn.hidden") != SKIP_NONE);
	cr_assert(model.pool == SKIP_POOL_CLS && model.pool_known == false && model.label == NULL);
	cr_assert(model.pooler_w != NULL && model.pooler_b != NULL && strcmp(model.pooler_w->name, "pooler.weight") == 0);
	cr_assert(graph->tensors[0]->map != NULL, "weights are views");
	skip_model_deinit(&model);
	skip_model_deinit(&model);
	skip_model_deinit(NULL);
}

Test(model, pooling_of_the_folder)
{
	for (int pooling = 0; pooling < 2; pooling++) {
		struct skip_err err;
		struct skip_model model;
		struct toy_bert toy = TOY_BERT;
		toy.pooling = pooling;
		toy.pooler = false;
		toy_bert_write(folder, &toy);
		CHECK_OK(skip_model_open(folder, &model, &err));
		cr_assert(model.pool_known && model.pool == (pooling ? SKIP_POOL_CLS : SKIP_POOL_MEAN));
		cr_assert(model.pooler_w == NULL && model.pooler_b == NULL);
		skip_model_deinit(&model);
	}
}

/* Opens the folder, which must fail with this status, this file and this text. */
static void refuses(enum skip_status status, const char *file, const char *message)
{
	struct skip_err err;
	struct skip_model model = {.n_labels = 77};
	CHECK_FAILS(skip_model_open(folder, &model, &err), status);
	cr_expect(strstr(err.message, message) != NULL, "found: %s; wanted: %s", err.message, message);
	cr_expect(strstr(err.file, file) != NULL, "%s: %s", err.file, err.message);
	cr_assert(model.n_labels == 77 && model.graph == NULL);
}

Test(model, missing_files)
{
	struct toy_bert toy = TOY_BERT;
	refuses(SKIP_ERR_IO, "/config.json", "No such file or directory");
	toy_bert_write(folder, &toy);
	cr_assert(remove(toy_path(folder, "model.safetensors")) == 0);
	refuses(SKIP_ERR_IO, "/model.safetensors", "no such file");
}

Test(model, configs_that_are_not_supported)
{
	static const struct {
		const char *model_type, *act, *position, *config, *message;
	} rows[] = {
	    {"t5", "gelu", "absolute", "", "Unsupported model_type 't5'; supported: "},
	    {"bert", "silu", "absolute", "", "Unsupported hidden_act 'silu'; supported: gelu, gelu_new, gelu_pytorch_tanh, relu"},
	    {"bert", "gelu", "relative_key", "", "Unsupported position_embedding_type 'relative_key'; supported: absolute"},
	    {"bert", "gelu", "absolute", ", \"is_decoder\": true", "Unsupported is_decoder true"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct toy_bert toy = TOY_BERT;
		toy.model_type = rows[i].model_type;
		toy.hidden_act = rows[i].act;
		toy.position_type = rows[i].position;
		toy.config = rows[i].config;
		toy_bert_write(folder, &toy);
		refuses(SKIP_ERR_UNSUPPORTED, "/config.json", rows[i].message);
	}
}

Test(model, configs_that_are_wrong)
{
	static const struct {
		const char *config, *message;
	} rows[] = {
	    {"{", "not JSON at line 1"},
	    {"[]", "\"model_type\" is missing; expected a string"},
	    {"{\"model_type\": 7}", "\"model_type\": expected a string, found an integer"},
	    {"{\"model_type\": \"bert\"}", "\"hidden_size\" is missing; expected an integer"},
	    {"{\"model_type\": \"bert\", \"hidden_size\": 12.5}", "\"hidden_size\": expected an integer, found a real number"},
	    {"{\"model_type\": \"bert\", \"hidden_size\": 0}", "\"hidden_size\": expected an integer from 1 to 65536, found 0"},
	    {"{\"model_type\": \"bert\", \"hidden_act\": 1}", "\"hidden_act\": expected a string, found an integer"},
	};
	struct toy_bert toy = TOY_BERT;
	toy_bert_write(folder, &toy);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		toy_write_text(folder, "config.json", rows[i].config);
		refuses(SKIP_ERR_INPUT, "/config.json", rows[i].message);
	}
}

#define SIZES(heads, vocab, ffn, layers, eps)                                                                                              \
	"{\"model_type\": \"bert\", \"hidden_size\": 12, \"num_attention_heads\": " heads ", \"num_hidden_layers\": " layers               \
	", \"intermediate_size\": " ffn ", \"vocab_size\": " vocab                                                                         \
	", \"max_position_embeddings\": 16, \"type_vocab_size\": 2, \"layer_norm_eps\": " eps "}"

Test(model, config_and_weights_that_disagree)
{
	static const struct {
		const char *config, *file, *message;
	} rows[] = {
	    {SIZES("5", "61", "7", "2", "1e-12"), "/config.json", "\"hidden_size\" 12 is not a multiple of \"num_attention_heads\" 5"},
	    {SIZES("3", "61", "7", "2", "0"), "/config.json", "\"layer_norm_eps\": expected a small positive number, found 0"},
	    {SIZES("3", "60", "7", "2", "1e-12"), "/model.safetensors",
	     "tensor 'embeddings.word_embeddings.weight': config.json makes its shape [60, 12], the file has [61, 12]"},
	    {SIZES("3", "61", "8", "2", "1e-12"), "/model.safetensors",
	     "tensor 'encoder.layer.0.intermediate.dense.weight': config.json makes its shape [8, 12], the file has [7, 12]"},
	    {SIZES("3", "61", "7", "3", "1e-12"), "/model.safetensors", "tensor 'encoder.layer.2.attention.self.query.weight' is missing"},
	};
	struct toy_bert toy = TOY_BERT;
	toy_bert_write(folder, &toy);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		toy_write_text(folder, "config.json", rows[i].config);
		refuses(SKIP_ERR_INPUT, rows[i].file, rows[i].message);
	}
}

Test(model, weights_that_are_cut_or_not_finite)
{
	struct skip_err err;
	struct skip_buf whole;
	struct toy_bert toy = TOY_BERT;
	struct toy_tensors tensors;
	toy_bert_write(folder, &toy);
	skip_buf_init(&whole);
	CHECK_OK(skip_file_read(toy_path(folder, "model.safetensors"), &whole, &err));
	toy_write_file(folder, "model.safetensors", whole.data, whole.length - 1);
	refuses(SKIP_ERR_INPUT, "/model.safetensors", "do not lie in the");
	skip_buf_deinit(&whole);
	toy_bert_tensors(&toy, &tensors);
	((float *)(uintptr_t)tensors.entry[20].data)[3] = NAN;
	toy_write_weights(folder, &toy, &tensors);
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "tensor '%s': element 3 is nan; expected a finite number", tensors.entry[20].name);
	refuses(SKIP_ERR_INPUT, "/model.safetensors", wanted);
	toy_bert_free(&tensors);
}

Test(model, heads_that_are_refused)
{
	static const struct {
		int classes;
		const char *labels;
		enum skip_status status;
		const char *file, *message;
	} rows[] = {
	    {2, "\"id2label\": {\"0\": \"a\"}", SKIP_ERR_INPUT, "/config.json",
	     "\"id2label\" has 1 labels, the head of the checkpoint has 2 classes"},
	    {2, "\"id2label\": {\"0\": \"a\", \"7\": \"b\"}", SKIP_ERR_INPUT, "/config.json", "\"id2label\": expected a string for \"1\""},
	    {2, "\"id2label\": {\"0\": \"a\", \"1\": 1}", SKIP_ERR_INPUT, "/config.json", "\"id2label\": expected a string for \"1\""},
	    {2, "\"id2label\": [\"a\", \"b\"]", SKIP_ERR_INPUT, "/config.json", "\"id2label\": expected an object"},
	    {1, "\"problem_type\": \"single_label_classification\"", SKIP_ERR_UNSUPPORTED, "/config.json", "Unsupported head of 1 output for single_label"},
	    {2, "\"problem_type\": \"ranking\"", SKIP_ERR_UNSUPPORTED, "/config.json", "Unsupported problem_type 'ranking'"},
	    {0, "\"x\": 0", SKIP_ERR_INPUT, "/model.safetensors", "tensor 'classifier.weight' is missing"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct toy_bert toy = TOY_BERT;
		char config[1024];
		toy.classes = rows[i].classes;
		toy_bert_write(folder, &toy);
		snprintf(config, sizeof(config),
		         "{\"architectures\": [\"BertForSequenceClassification\"], \"model_type\": \"bert\", \"hidden_size\": 12, "
		         "\"num_attention_heads\": 3, "
		         "\"num_hidden_layers\": 2, \"intermediate_size\": 7, \"vocab_size\": 61, \"max_position_embeddings\": 16, "
		         "\"type_vocab_size\": 2, %s}",
		         rows[i].labels);
		toy_write_text(folder, "config.json", config);
		refuses(rows[i].status, rows[i].file, rows[i].message);
	}
}

Test(model, poolings_that_are_refused)
{
	static const struct {
		const char *text;
		enum skip_status status;
		const char *message;
	} rows[] = {
	    {"{\"pooling_mode_max_tokens\": true}", SKIP_ERR_UNSUPPORTED, "Unsupported pooling"},
	    {"{\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": true}", SKIP_ERR_UNSUPPORTED, "Unsupported pooling"},
	    {"{\"pooling_mode_mean_tokens\": 1}", SKIP_ERR_INPUT, "\"pooling_mode_mean_tokens\": expected true or false, found an integer"},
	    {"{\"pooling_mode_mean_tokens\": true, \"word_embedding_dimension\": 13}", SKIP_ERR_INPUT,
	     "\"word_embedding_dimension\": expected the model's 12, found 13"},
	    {"nonsense", SKIP_ERR_INPUT, "not JSON"},
	};
	struct toy_bert toy = TOY_BERT;
	toy_bert_write(folder, &toy);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		toy_write_text(folder, "1_Pooling/config.json", rows[i].text);
		refuses(rows[i].status, "1_Pooling/config.json", rows[i].message);
	}
}

Test(model, survives_failing_allocations)
{
	struct skip_err err;
	size_t n = 1;
	struct toy_bert toy = TOY_BERT;
	toy.classes = 2;
	toy.layers = 1;
	toy.shards = 2;
	toy.pooling = 1;
	toy_bert_write(folder, &toy);
	for (; n < 5000; n++) {
		struct skip_model model;
		skip_alloc_fail_at(n);
		enum skip_status status = skip_model_open(folder, &model, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) {
			skip_model_deinit(&model);
			break;
		}
		cr_assert(status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
	}
	cr_assert(n > 50 && n < 5000);
}
