/* First values: the head from a linear probe on the frozen encoder or random, the prefix random or from K and V rows of real tokens. */
#include "base/alloc.h"
#include "graph/op.h"
#include "method/metrics.h"
#include "method/tune/trainer.h"
#include <math.h>
#include <string.h>

#define SPREAD 0.02 /* standard deviation of random values */
#define PROBE_ITERATIONS 300

static const double probe_strengths[] = {1, 10};

static void fill_normal(struct skip_tensor *tensor, struct skip_rng *rng)
{
	float *w = skip_tensor_f32(tensor);
	int64_t n = skip_tensor_count(tensor);
	for (int64_t i = 0; i < n; i++) w[i] = (float)(SPREAD * skip_rng_normal(rng));
}

/* Values the head reads for every row of `data` from the encoder without its prefix; the caller frees *out ([rows][width]). */
static enum skip_status read_features(struct skip_session *session, int value, const struct skip_dataset *data, float **out,
				      struct skip_err *err)
{
	size_t width = (size_t)skip_session_graph(session)->values[value].cols;
	float *features = skip_alloc_array(data->n_rows * width, sizeof(*features));
	if (!features) return skip_err_set(err, SKIP_ERR_NOMEM, "features of %zu rows", data->n_rows);
	enum skip_status status = skip_predict(session, value, data, 0, features, NULL, err);
	if (status != SKIP_OK) skip_free(features);
	else
		*out = features;
	return status;
}

static double probe_accuracy(const float *features, const struct skip_dataset *data, int width, int classes, const float *weight,
			     const float *bias, float *scores)
{
	size_t right = 0;
	for (size_t i = 0; i < data->n_rows; i++) {
		for (int c = 0; c < classes; c++) {
			double sum = bias[c];
			for (int d = 0; d < width; d++) sum += (double)weight[c * width + d] * features[i * (size_t)width + (size_t)d];
			scores[c] = (float)sum;
		}
		right += skip_argmax(scores, classes) == data->label[i];
	}
	return (double)right / (double)data->n_rows;
}

static enum skip_status start_from_probe(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *train,
					 const struct skip_dataset *selection, struct skip_tensor *head_w, struct skip_tensor *head_b,
					 double *accuracy, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *plain = NULL;
	struct skip_session *session = NULL;
	float *fit = NULL, *check = NULL, *weight = NULL;
	int value;
	const int classes = (int)head_w->dim[0], width = (int)head_w->dim[1];
	const size_t n_weights = (size_t)classes * (size_t)width;
	double best = -1;
	SKIP_TRY(skip_pass_prefix(graph, 0, &plain, err));
	SKIP_TRY(skip_open_inference(device, plain, plain->values[skip_tune_head_input(plain)].name, false, &session, &value, err));
	SKIP_TRY(read_features(session, value, train, &fit, err));
	SKIP_TRY(read_features(session, value, selection, &check, err));
	weight = skip_alloc_array(n_weights + 2 * (size_t)classes, sizeof(*weight)); /* W, b, scores of one row */
	if (!weight) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "probe of %d classes", classes);
		goto cleanup;
	}
	float *bias = weight + n_weights, *scores = bias + classes;
	for (size_t k = 0; k < sizeof(probe_strengths) / sizeof(*probe_strengths); k++) {
		SKIP_TRY(skip_probe_fit(fit, train->label, train->n_rows, width, classes, probe_strengths[k], PROBE_ITERATIONS, weight,
					bias, err));
		double found = probe_accuracy(check, selection, width, classes, weight, bias, scores);
		if (found <= best) continue;
		best = found;
		memcpy(skip_tensor_f32(head_w), weight, n_weights * sizeof(*weight));
		memcpy(skip_tensor_f32(head_b), bias, (size_t)classes * sizeof(*bias));
	}
	*accuracy = best;
cleanup:
	skip_free(weight);
	skip_free(check);
	skip_free(fit);
	skip_session_destroy(session);
	skip_graph_destroy(plain);
	return status;
}

/* Row p of every prefix becomes the key and value row of one random token of one random training row, seen without any prefix. */
static enum skip_status start_from_tokens(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *train,
					  int prefix, struct skip_rng *rng, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_op *attention = skip_op_find("attention");
	struct skip_graph *plain = NULL;
	struct skip_session *session = NULL;
	struct skip_packer packer;
	int *wanted = NULL, *rows = NULL, *token = NULL;
	float *states = NULL;
	size_t n_wanted = 0;
	skip_packer_init(&packer);
	SKIP_TRY(skip_pass_prefix(graph, 0, &plain, err));
	wanted = skip_alloc_array(2 * plain->n_nodes, sizeof(*wanted));
	rows = skip_alloc_array((size_t)prefix, sizeof(*rows));
	token = skip_alloc_array((size_t)prefix, sizeof(*token));
	if (!wanted || !rows || !token) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "prefix of %d tokens", prefix);
		goto cleanup;
	}
	for (size_t n = 0; n < plain->n_nodes; n++) {
		for (int which = 1; plain->nodes[n].op == attention && which <= 2; which++) wanted[n_wanted++] = plain->nodes[n].in[which];
	}
	for (int p = 0; p < prefix; p++) rows[p] = (int)skip_rng_below(rng, train->n_rows);
	SKIP_TRY(skip_packer_pack(&packer, train, rows, (size_t)prefix, err));
	for (int p = 0; p < prefix; p++) {
		int first = packer.batch.offset[p], count = packer.batch.offset[p + 1] - first;
		token[p] = first + (int)skip_rng_below(rng, (uint64_t)count);
	}
	SKIP_TRY(skip_session_open(device, plain, wanted, n_wanted, false, &session, err));
	SKIP_TRY(skip_session_set_batch(session, &packer.batch, err));
	SKIP_TRY(skip_session_enqueue(session, 0, plain->n_nodes, 0, err));
	size_t next = 0;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int which = 0; graph->nodes[n].op == attention && which < 2; which++, next++) {
			size_t cols = (size_t)plain->values[wanted[next]].cols;
			float *grown = skip_realloc_array(states, (size_t)packer.batch.n_tokens * cols, sizeof(*states));
			if (!grown) {
				status = skip_err_set(err, SKIP_ERR_NOMEM, "keys of %d tokens", packer.batch.n_tokens);
				goto cleanup;
			}
			states = grown;
			SKIP_TRY(skip_session_read(session, wanted[next], states, err));
			float *table = skip_tensor_f32(graph->tensors[graph->nodes[n].param[which]]);
			for (int p = 0; p < prefix; p++)
				memcpy(table + (size_t)p * cols, states + (size_t)token[p] * cols, cols * sizeof(*table));
		}
	}
cleanup:
	skip_free(states);
	skip_free(token);
	skip_free(rows);
	skip_free(wanted);
	skip_packer_deinit(&packer);
	skip_session_destroy(session);
	skip_graph_destroy(plain);
	return status;
}

enum skip_status skip_tune_start(struct skip_device *device, struct skip_graph *graph, const struct skip_dataset *train,
				 const struct skip_dataset *selection, const struct skip_tune_options *options, double *found,
				 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_op *attention = skip_op_find("attention");
	const struct skip_node *head = &graph->nodes[skip_tune_head_node(graph)];
	struct skip_tensor *head_w = graph->tensors[head->param[0]], *head_b = graph->tensors[head->param[1]];
	struct skip_rng rng;
	*found = NAN;
	skip_rng_init(&rng, options->seed, "init");
	fill_normal(head_w, &rng);
	memset(skip_tensor_f32(head_b), 0, (size_t)skip_tensor_count(head_b) * sizeof(float));
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		for (int k = 0; node->op == attention && k <= SKIP_ATTENTION_PV && k < node->n_param; k++) {
			if (node->param[k] != SKIP_NONE) fill_normal(graph->tensors[node->param[k]], &rng);
		}
	}
	if (options->probe_start) SKIP_TRY(start_from_probe(device, graph, train, selection, head_w, head_b, found, err));
	if (options->init_tokens && options->prefix > 0) SKIP_TRY(start_from_tokens(device, graph, train, options->prefix, &rng, err));
cleanup:
	return status;
}
