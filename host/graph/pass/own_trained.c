/* Gives a graph its own storage for what it trains, so that tuning it leaves every other graph as it was. */
#include "graph/pass.h"
#include "graph/pass/rewrite.h"

/* Owned copy; float64 stays float64 (tests), everything else becomes float32, the type a tuner works in. */
static enum skip_status own_tensor(const struct skip_tensor *tensor, struct skip_tensor **out, struct skip_err *err)
{
	enum skip_dtype dtype = tensor->dtype == SKIP_F64 ? SKIP_F64 : SKIP_F32;
	struct skip_tensor *own = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_tensor_create(tensor->name, dtype, tensor->rank, tensor->dim, &own, err));
	if (dtype == SKIP_F64) {
		skip_tensor_to_f64(tensor, own->owned);
	} else {
		skip_tensor_to_f32(tensor, own->owned);
	}
	own->trained = true;
	*out = own;
cleanup:
	return status;
}

enum skip_status skip_pass_own_trained(const struct skip_graph *graph, struct skip_graph **out, struct skip_err *err)
{
	struct skip_graph *copy = NULL;
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_graph_copy(graph, &copy, err));
	for (size_t t = 0; t < copy->n_tensors; t++) {
		struct skip_tensor *own;
		if (!copy->tensors[t]->trained) continue;
		SKIP_TRY(own_tensor(copy->tensors[t], &own, err));
		skip_graph_set_tensor(copy, (int)t, own);
		skip_tensor_unref(own);
	}
	*out = copy;
	copy = NULL;
cleanup:
	skip_graph_destroy(copy);
	return status;
}
