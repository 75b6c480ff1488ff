/*
 * The memory plan: values and scratch that are dead give their pool slot to later ones.
 *
 * A buffer lives from the first node whose launch touches it to the last. Nodes may be enqueued in several ranges within one batch, but always in
 * order, so order of nodes is all that is assumed. Buffers of one slot share the run-time size they grow with; among the free slots the smallest
 * that is large enough is taken, else the largest, which then grows.
 */
#include "device/lower/lowering.h"
#include "base/alloc.h"

struct life {
	int first, last; /* nodes; first > last: never touched */
	bool own;
};

struct slot {
	enum skip_size size;
	double capacity; /* elements for a size of one */
	int free_after;
};

static double need_of(const struct skip_plan_buffer *buffer)
{
	double rows = ((double)buffer->rows.mul + (double)buffer->rows.add) / (double)buffer->rows.div;
	return rows * (double)buffer->cols;
}

static void find_lives(const struct skip_plan *plan, struct life *life)
{
	for (size_t i = 0; i < plan->n_buffers; i++) {
		enum skip_buffer_role role = plan->buffers[i].role;
		life[i] = (struct life){.first = 1, .last = 0, .own = role != SKIP_BUFFER_VALUE && role != SKIP_BUFFER_SCRATCH};
	}
	for (size_t l = 0; l < plan->n_launches; l++) {
		const struct skip_plan_launch *launch = &plan->launches[l];
		for (int a = 0; a < launch->n_args; a++) {
			if (launch->arg[a].kind != SKIP_ARG_BUFFER) continue;
			struct life *span = &life[launch->arg[a].buffer];
			if (span->first > span->last) span->first = launch->node;
			span->last = launch->node;
		}
	}
}

static size_t choose_slot(const struct slot *slot, size_t n_slots, const struct skip_plan_buffer *buffer, int first)
{
	double need = need_of(buffer);
	size_t best = n_slots;
	for (size_t s = 0; s < n_slots; s++) {
		if (slot[s].size != buffer->rows.size || slot[s].free_after >= first) continue;
		if (best == n_slots) {
			best = s;
			continue;
		}
		bool fits = slot[s].capacity >= need, best_fits = slot[best].capacity >= need;
		bool smaller = slot[s].capacity < slot[best].capacity;
		if (fits ? (!best_fits || smaller) : (!best_fits && !smaller && slot[s].capacity > slot[best].capacity)) best = s;
	}
	return best;
}

enum skip_status skip_lowering_plan_memory(struct skip_lowering *lowering, const int *wanted, size_t n_wanted, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	enum skip_status status = SKIP_OK;
	struct life *life = skip_alloc_zeroed(plan->n_buffers, sizeof(*life));
	struct slot *slot = skip_alloc_zeroed(plan->n_buffers, sizeof(*slot));
	size_t n_slots = 0;
	if (!life || !slot) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "memory plan of %zu buffers", plan->n_buffers);
		goto cleanup;
	}
	find_lives(plan, life);
	for (size_t v = 0; v < plan->n_values; v++) {
		if (plan->value_buffer[v] != SKIP_NONE && lowering->graph->values[v].producer == SKIP_NONE) life[plan->value_buffer[v]].own = true;
	}
	for (size_t w = 0; w < n_wanted; w++) {
		if (plan->value_buffer[wanted[w]] != SKIP_NONE) life[plan->value_buffer[wanted[w]]].own = true;
	}
	for (int node = 0; node < (int)lowering->graph->n_nodes; node++) {
		for (size_t i = 0; i < plan->n_buffers; i++) {
			struct skip_plan_buffer *buffer = &plan->buffers[i];
			if (life[i].own || life[i].first != node || life[i].first > life[i].last) continue;
			size_t s = choose_slot(slot, n_slots, buffer, node);
			if (s == n_slots) slot[n_slots++] = (struct slot){.size = buffer->rows.size};
			if (need_of(buffer) > slot[s].capacity) slot[s].capacity = need_of(buffer);
			slot[s].free_after = life[i].last;
			buffer->pool = (int)s;
		}
	}
	plan->n_pools = (int)n_slots;
cleanup:
	skip_free(life);
	skip_free(slot);
	return status;
}
