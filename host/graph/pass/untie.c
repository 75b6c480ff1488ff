/* Gives each layer weights of its own where layers share them, so that a unit can leave one layer and stay in another. Same answers, more parameters. */
#include "base/alloc.h"
#include "graph/pass.h"
#include <stdio.h>
#include <string.h>

/* The same numbers under another name: a view of a mapped file, or a copy (float64 stays float64, all else becomes float32). */
static enum skip_status copy_tensor(const struct skip_tensor *tensor, int layer, struct skip_tensor **out, struct skip_err *err)
{
	char name[SKIP_TENSOR_NAME];
	struct skip_tensor *copy = NULL;
	enum skip_status status = SKIP_OK;
	if (snprintf(name, sizeof(name), "%s.layer%d", tensor->name, layer) >= (int)sizeof(name))
		return skip_err_set(err, SKIP_ERR_INPUT, "the name of tensor '%s' leaves no room for the number of a layer", tensor->name);
	if (tensor->map) {
		SKIP_TRY(skip_tensor_view(name, tensor->dtype, tensor->rank, tensor->dim, tensor->data, tensor->map, &copy, err));
	} else {
		enum skip_dtype dtype = tensor->dtype == SKIP_F64 ? SKIP_F64 : SKIP_F32;
		SKIP_TRY(skip_tensor_create(name, dtype, tensor->rank, tensor->dim, &copy, err));
		if (dtype == SKIP_F64) skip_tensor_to_f64(tensor, copy->owned);
		else
			skip_tensor_to_f32(tensor, copy->owned);
	}
	copy->trained = tensor->trained;
	*out = copy;
cleanup:
	return status;
}

/* layer_of [n_tensors of the copied graph]: the layer that keeps the tensor, SKIP_NONE before anyone read it. */
static enum skip_status untie_param(struct skip_graph *graph, size_t n, int i, int *layer_of, struct skip_err *err)
{
	int layer = graph->nodes[n].layer, t = graph->nodes[n].param[i];
	struct skip_tensor *copy = NULL;
	enum skip_status status = SKIP_OK;
	if (t == SKIP_NONE || layer == SKIP_NONE) return SKIP_OK;
	if (layer_of[t] == SKIP_NONE) layer_of[t] = layer;
	if (layer_of[t] == layer) return SKIP_OK;
	SKIP_TRY(copy_tensor(graph->tensors[t], layer, &copy, err));
	int known = skip_graph_find_tensor(graph, copy->name); /* two nodes of one layer may read one tensor */
	if (known == SKIP_NONE) SKIP_TRY(skip_graph_add_tensor(graph, copy, &known, err));
	graph->nodes[n].param[i] = known;
cleanup:
	skip_tensor_unref(copy);
	return status;
}

enum skip_status skip_pass_untie(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	int64_t before = skip_graph_encoder_params(graph);
	int *layer_of = skip_alloc_array(graph->n_tensors, sizeof(*layer_of));
	enum skip_status status = SKIP_OK;
	if (!layer_of) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the layers of %zu tensors", graph->n_tensors);
	for (size_t t = 0; t < graph->n_tensors; t++) layer_of[t] = SKIP_NONE;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t n = 0; n < copy->n_nodes; n++) {
		for (int i = 0; i < copy->nodes[n].n_param; i++) SKIP_TRY(untie_param(copy, n, i, layer_of, err));
	}
	copy->dense_encoder_params += skip_graph_encoder_params(copy) - before;
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	skip_free(layer_of);
	return status;
}
