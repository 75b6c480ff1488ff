/*
 * Checks before anything runs: a plan may come from a file, ids from anywhere, and a kernel looks at neither. A plan that passes cannot
 * make run/ index outside its own tables; what the kernels do with their buffers is vouched for by the hash of their text.
 */
#include "device/run/run.h"
#include "graph/op.h"
#include <string.h>

#define FAIL(...) return skip_err_set(err, SKIP_ERR_INPUT, __VA_ARGS__)

static bool good_extent(const struct skip_extent *e)
{
	return (unsigned)e->size < SKIP_SIZE_COUNT && e->mul >= 0 && e->add >= 0 && e->div >= 1;
}

static bool inside(int64_t index, size_t count)
{
	return index >= 0 && (uint64_t)index < count;
}

static enum skip_status check_buffer(const struct skip_plan *plan, const struct skip_graph *graph, size_t i, struct skip_err *err)
{
	const struct skip_plan_buffer *b = &plan->buffers[i];
	static const struct skip_sizes one = {{1, 1, 1, 1, 1}};
	if (!good_extent(&b->rows) || b->cols < 0 || b->slack < 0) FAIL("buffer %s of the plan: impossible size", b->name);
	if (b->pool != SKIP_NONE && !inside(b->pool, (size_t)plan->n_pools)) FAIL("buffer %s of the plan: no pool %d", b->name, b->pool);
	switch (b->role) {
	case SKIP_BUFFER_SCRATCH:
		return SKIP_OK;
	case SKIP_BUFFER_BATCH:
		if ((unsigned)b->batch >= SKIP_BATCH_DATA_COUNT) FAIL("buffer %s of the plan: no batch table %d", b->name, b->batch);
		return SKIP_OK;
	case SKIP_BUFFER_VALUE:
		if (!inside(b->value, graph ? graph->n_values : plan->n_values))
			FAIL("buffer %s of the plan: no value %d", b->name, b->value);
		if (graph && graph->values[b->value].cols != b->cols) {
			FAIL("buffer %s of the plan has %lld columns, the value %s has %d", b->name, (long long)b->cols,
			     graph->values[b->value].name, graph->values[b->value].cols);
		}
		return SKIP_OK;
	case SKIP_BUFFER_WEIGHT:
		break;
	}
	size_t need = 0, room = 0;
	if ((unsigned)b->layout >= SKIP_LAYOUT_COUNT) FAIL("buffer %s of the plan: no layout %d", b->name, b->layout);
	if (!graph) return SKIP_OK;
	if (!inside(b->tensor, graph->n_tensors)) FAIL("buffer %s of the plan: no tensor %d", b->name, b->tensor);
	enum skip_status status = skip_pack_count(graph->tensors[b->tensor], b->layout, b->nr, b->transpose, &need, err);
	if (status != SKIP_OK) return status;
	if (!skip_buffer_elements(b, &one, &room) || room < need) {
		FAIL("buffer %s of the plan has %zu elements, tensor %s needs %zu", b->name, room, graph->tensors[b->tensor]->name, need);
	}
	return SKIP_OK;
}

static enum skip_status check_call(const struct skip_plan *plan, size_t i, struct skip_err *err)
{
	const struct skip_plan_launch *l = &plan->launches[i];
	if (l->call != SKIP_CALL_GEMM || l->kernel != SKIP_NONE || l->n_cover) FAIL("launch %zu of the plan: a call of what no library has", i);
	if (l->n_args != SKIP_GEMM_ARGS) FAIL("launch %zu of the plan: %d arguments of a product", i, l->n_args);
	for (int a = 0; a < SKIP_GEMM_ARGS; a++) {
		const enum skip_arg_kind kind = l->arg[a].kind;
		bool good = a <= SKIP_GEMM_Y ? kind == SKIP_ARG_BUFFER : kind == SKIP_ARG_INT || (a == SKIP_GEMM_ROWS && kind == SKIP_ARG_SIZE);
		if (!good || (kind == SKIP_ARG_INT && l->arg[a].i < 0)) FAIL("launch %zu of the plan: argument %d of a product is none", i, a);
	}
	return SKIP_OK;
}

static enum skip_status check_launch(const struct skip_plan *plan, const struct skip_graph *graph, size_t i, struct skip_err *err)
{
	const struct skip_plan_launch *l = &plan->launches[i];
	if (l->node < 0 || (graph && !inside(l->node, graph->n_nodes))) FAIL("launch %zu of the plan: no node %d", i, l->node);
	if (l->n_args < 0 || l->n_args > SKIP_LAUNCH_MAX_ARGS) FAIL("launch %zu of the plan: %d arguments", i, l->n_args);
	if (l->n_cover < 0 || l->n_cover > SKIP_LAUNCH_MAX_COVER) FAIL("launch %zu of the plan: cover of %d tiles", i, l->n_cover);
	if (l->call) {
		enum skip_status status = check_call(plan, i, err);
		if (status != SKIP_OK) return status;
	}
	if (!l->call && l->n_cover == 0 && !inside(l->kernel, plan->n_kernels)) FAIL("launch %zu of the plan: no kernel %d", i, l->kernel);
	if (l->n_cover > 0 && (unsigned)l->cover_rows >= SKIP_SIZE_COUNT) FAIL("launch %zu of the plan: no size %d", i, l->cover_rows);
	for (int c = 0; c < l->n_cover; c++) {
		int tile = l->cover[c].tile, before = c > 0 ? l->cover[c - 1].tile : 4096;
		if (tile < 1 || tile >= before)
			FAIL("launch %zu of the plan: tiles of a cover are positive and descend, found %d after %d", i, tile, before);
		if (!inside(l->cover[c].kernel, plan->n_kernels)) FAIL("launch %zu of the plan: no kernel %d", i, l->cover[c].kernel);
	}
	if (l->together && (i == 0 || l->n_cover > 0 || plan->launches[i - 1].n_cover > 0 || l->node != plan->launches[i - 1].node)) {
		FAIL("launch %zu of the plan: nothing it could run together with", i);
	}
	for (int d = 0; d < 3; d++) {
		if (!good_extent(&l->global[d])) FAIL("launch %zu of the plan: impossible global size", i);
	}
	for (int a = 0; a < l->n_args; a++) {
		const struct skip_plan_arg *arg = &l->arg[a];
		if (arg->kind == SKIP_ARG_BUFFER && !inside(arg->buffer, plan->n_buffers)) {
			FAIL("launch %zu of the plan: no buffer %d", i, arg->buffer);
		}
		if (arg->kind == SKIP_ARG_TILE && l->n_cover == 0) FAIL("launch %zu of the plan: a tile without a cover", i);
		if (arg->kind == SKIP_ARG_SIZE && (unsigned)arg->size >= SKIP_SIZE_COUNT)
			FAIL("launch %zu of the plan: no size %d", i, arg->size);
	}
	return SKIP_OK;
}

enum skip_status skip_plan_check(const struct skip_plan *plan, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	if (plan->prefix < 0 || plan->query_block < 1 || plan->key_align < 1 || plan->n_pools < 0)
		FAIL("the plan's batch layout is impossible");
	if (graph && plan->n_values != graph->n_values) {
		FAIL("the plan is of a graph with %zu values, not %zu", plan->n_values, graph->n_values);
	}
	for (size_t i = 0; i < plan->n_kernels; i++) {
		const struct skip_plan_kernel *k = &plan->kernels[i];
		if (!inside(k->program, plan->n_programs)) FAIL("kernel %s of the plan: no program %d", k->name, k->program);
		if (!k->local[0] || !k->local[1] || !k->local[2]) FAIL("kernel %s of the plan: a work-group of no items", k->name);
	}
	for (size_t i = 0; i < plan->n_buffers; i++) SKIP_TRY(check_buffer(plan, graph, i, err));
	for (size_t i = 0; i < plan->n_launches; i++) SKIP_TRY(check_launch(plan, graph, i, err));
	for (size_t i = 0; i < plan->n_values; i++) {
		int b = plan->value_buffer[i];
		if (b == SKIP_NONE) continue;
		/* What changes a tensor in place leaves its value where the tensor is. */
		if (!inside(b, plan->n_buffers) || (plan->buffers[b].role != SKIP_BUFFER_VALUE && plan->buffers[b].role != SKIP_BUFFER_WEIGHT))
			FAIL("value %zu of the plan: no buffer %d", i, b);
	}
cleanup:
	return status;
}

static enum skip_status check_ids(const char *what, const int32_t *ids, int n, int64_t limit, struct skip_err *err)
{
	for (int t = 0; t < n; t++) {
		if (!inside(ids[t], (size_t)limit))
			FAIL("row %d of the batch: %s %d, the model has %lld", t, what, ids[t], (long long)limit);
	}
	return SKIP_OK;
}

enum skip_status skip_batch_check(const struct skip_batch *batch, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct skip_node *node = &graph->nodes[i];
		if (strcmp(node->op->name, "embed") != 0) continue;
		int64_t vocabulary = graph->tensors[node->param[0]]->dim[0];
		int table = node->n_param > 1 ? node->param[1] : SKIP_NONE;
		int64_t positions = table == SKIP_NONE ? graph->max_positions : graph->tensors[table]->dim[0] - node->attrs.embed.position_base;
		int types = node->n_param > 2 ? node->param[2] : SKIP_NONE;
		SKIP_TRY(check_ids("token id", batch->ids, batch->n_tokens, vocabulary, err));
		if (types != SKIP_NONE)
			SKIP_TRY(check_ids("token type", batch->types, batch->n_tokens, graph->tensors[types]->dim[0], err));
		for (int b = 0; b < batch->n_seqs; b++) {
			int n = batch->offset[b + 1] - batch->offset[b];
			if (n > positions)
				FAIL("sequence %d of the batch has %d tokens, the model %lld positions", b, n, (long long)positions);
		}
	}
cleanup:
	return status;
}
