/* Refit of queries and keys after a cut: refit_qk.h. Neighbours: compensate.c walks the sub-layers, ridge.c fits what reads v dims and
 * neurons. */
#include "method/search/refit_qk.h"
#include "base/alloc.h"
#include "device/session.h"
#include "graph/op.h"
#include "graph/pass.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define SWEEPS 10
#define SMALLEST_DAMPING 1e-12 /* a head without any signal stays solvable */

/* One half step: `moving` = (fixed C fixed^T + lam Id)^-1 (fixed C + lam moving), all [kept][dims]. room: [kept][dims] + [kept][kept]. */
static enum skip_status half_step(const double *c, const double *fixed, double *moving, int dims, int kept, double damping, double *room,
				  struct skip_err *err)
{
	double *right = room, *left = room + (size_t)kept * (size_t)dims, trace = 0;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kept, dims, dims, 1, fixed, dims, c, dims, 0, right, dims);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kept, kept, dims, 1, right, dims, fixed, dims, 0, left, kept);
	for (int i = 0; i < kept; i++) trace += left[i * kept + i];
	double lam = damping * trace / kept + SMALLEST_DAMPING;
	for (int i = 0; i < kept; i++) left[i * kept + i] += lam;
	cblas_daxpy(kept * dims, lam, moving, 1, right, 1);
	lapack_int info = LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', kept, dims, left, kept, right, dims);
	if (info != 0) return skip_err_set(err, SKIP_ERR_INTERNAL, "moments of %d kept dims are not positive definite", kept);
	memcpy(moving, right, (size_t)kept * (size_t)dims * sizeof(*moving));
	return SKIP_OK;
}

enum skip_status skip_refit_qk_head(const double *cq, const double *ck, int dims, const unsigned char *keep, double damping, double *t,
				    double *u, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int kept = 0;
	for (int e = 0; e < dims; e++) kept += keep[e] != 0;
	if (kept == 0) return SKIP_OK;
	size_t cells = (size_t)kept * (size_t)dims;
	double *room = skip_alloc_array(cells + (size_t)kept * (size_t)kept, sizeof(*room));
	if (!room) return skip_err_set(err, SKIP_ERR_NOMEM, "refit of %d dims", dims);
	memset(t, 0, cells * sizeof(*t));
	for (int e = 0, i = 0; e < dims; e++) {
		if (keep[e]) t[i++ * dims + e] = 1;
	}
	memcpy(u, t, cells * sizeof(*t));
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		SKIP_TRY(half_step(ck, u, t, dims, kept, damping, room, err));
		SKIP_TRY(half_step(cq, t, u, dims, kept, damping, room, err));
	}
cleanup:
	skip_free(room);
	return status;
}

/* ---- one attention of the network */

/* Everything of one layer. Values are of the session's graph, tensors of the graphs named; SKIP_NONE: absent. */
struct layer {
	size_t group;
	int q, k;				    /* values of the session */
	int weight[2], bias[2], prefix[2], table[2]; /* q and k: tensors of the dense graph; prefix[0] is always absent */
	int to_weight[2], to_bias[2], to_prefix[2], to_table[2]; /* the same of the result */
	double *cq, *ck;			    /* [heads][dims][dims] */
};

struct refit {
	const struct skip_graph *dense;
	struct skip_graph *result;
	const struct skip_units *units;
	const struct skip_keep *keep;
	struct layer *layer;
	size_t n_layers;
	struct skip_session *session;
	float *states, *means; /* [tokens of a batch][cols], [sentences of a batch][cols] */
	float *product;	       /* [dims][dims] */
};

/* The linear that makes `value` and nothing else between: its tensors. */
static bool plain_source(const struct skip_graph *graph, int value, int *weight, int *bias)
{
	int producer = value == SKIP_NONE ? SKIP_NONE : graph->values[value].producer;
	if (producer == SKIP_NONE) return false;
	const struct skip_node *node = &graph->nodes[producer];
	if (node->op != skip_op_find("linear") || node->attrs.linear.act != SKIP_ACT_NONE || node->attrs.linear.transpose) return false;
	*weight = node->param[0];
	*bias = node->n_param > 1 ? node->param[1] : SKIP_NONE;
	return true;
}

static int reader_attention(const struct skip_graph *graph, int value)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (graph->nodes[n].op == skip_op_find("attention") && graph->nodes[n].in[0] == value) return (int)n;
	}
	return SKIP_NONE;
}

static int param_of(const struct skip_node *attention, enum skip_attention_param which)
{
	return attention->n_param > (int)which ? attention->param[which] : SKIP_NONE;
}

/* Fills `layer` when the group is cut and both networks have the plain form. */
static bool find_layer(const struct refit *r, size_t g, struct layer *layer)
{
	const struct skip_unit_group *group = &r->units->group[g];
	int gone = 0, kept = 0;
	if (group->kind != SKIP_UNIT_QK || group->n_uses > 1 || group->columns > 1) return false;
	for (int j = 0; j < group->width; j++) (*(r->keep->keep[g][j] ? &kept : &gone))++;
	int node = reader_attention(r->dense, group->post);
	int to_q = skip_graph_find_value(r->result, r->dense->values[group->post].name), to_node = reader_attention(r->result, to_q);
	if (gone == 0 || kept == 0 || node == SKIP_NONE || to_node == SKIP_NONE) return false;
	const struct skip_node *from = &r->dense->nodes[node], *to = &r->result->nodes[to_node];
	*layer = (struct layer){.group = g, .q = from->in[0], .k = from->in[1]};
	layer->prefix[0] = layer->to_prefix[0] = SKIP_NONE;
	layer->prefix[1] = param_of(from, SKIP_ATTENTION_PK);
	layer->to_prefix[1] = param_of(to, SKIP_ATTENTION_PK);
	for (int side = 0; side < 2; side++) {
		/* What a distance adds to a query or a key goes with it. */
		enum skip_attention_param table = side ? SKIP_ATTENTION_RK : SKIP_ATTENTION_RQ;
		layer->table[side] = param_of(from, table);
		layer->to_table[side] = param_of(to, table);
		if (!plain_source(r->dense, from->in[side], &layer->weight[side], &layer->bias[side])) return false;
		if (!plain_source(r->result, to->in[side], &layer->to_weight[side], &layer->to_bias[side])) return false;
	}
	return true;
}

static enum skip_status find_layers(struct refit *r, struct skip_err *err)
{
	r->layer = skip_alloc_zeroed(r->units->n_groups, sizeof(*r->layer));
	if (!r->layer) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", r->units->n_groups);
	for (size_t g = 0; g < r->units->n_groups; g++) {
		struct layer *layer = &r->layer[r->n_layers];
		if (!find_layer(r, g, layer)) continue;
		const struct skip_unit_group *group = &r->units->group[g];
		size_t cells = (size_t)group->width * (size_t)group->per_head;
		r->n_layers++;
		layer->cq = skip_alloc_zeroed(cells, sizeof(double));
		layer->ck = skip_alloc_zeroed(cells, sizeof(double));
		if (!layer->cq || !layer->ck) return skip_err_set(err, SKIP_ERR_NOMEM, "moments of %d qk dims", group->width);
	}
	return SKIP_OK;
}

static enum skip_status open_dense(struct refit *r, struct skip_device *device, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_graph *live = NULL, *fused = NULL;
	int *wanted = skip_alloc_array(2 * r->n_layers, sizeof(*wanted));
	if (!wanted) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu layers", r->n_layers);
	for (size_t l = 0; l < r->n_layers; l++) {
		wanted[2 * l] = r->layer[l].q;
		wanted[2 * l + 1] = r->layer[l].k;
	}
	SKIP_TRY(skip_pass_dead(r->dense, wanted, 2 * r->n_layers, &live, err));
	SKIP_TRY(skip_pass_fuse(live, false, wanted, 2 * r->n_layers, &fused, err));
	SKIP_TRY(skip_session_open(device, fused, wanted, 2 * r->n_layers, false, &r->session, err));
	for (size_t l = 0; l < r->n_layers; l++) {
		r->layer[l].q = wanted[2 * l];
		r->layer[l].k = wanted[2 * l + 1];
	}
cleanup:
	skip_graph_destroy(fused);
	skip_graph_destroy(live);
	skip_free(wanted);
	return status;
}

/* ---- moments */

/* moment[h] += scale * rows^T rows of the head's columns; rows [n][width]. Products in float, sums in double. */
static void add_moments(const struct refit *r, const struct skip_unit_group *group, const float *rows, int n, double scale, double *moment)
{
	const int dims = group->per_head;
	for (int h = 0; h < group->heads; h++) {
		double *to = moment + (size_t)h * (size_t)dims * (size_t)dims;
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, dims, dims, n, 1, rows + h * dims, group->width, rows + h * dims,
			    group->width, 0, r->product, dims);
		for (int i = 0; i < dims * dims; i++) to[i] += scale * r->product[i];
	}
}

/*
 * Keys centred in their sentence, prefix keys included: sum over s of (sum_k k k^T - N_s m_s m_s^T), N_s = P + S_s. The means are scaled by
 * sqrt(N_s), so that one product takes them off.
 */
static void add_keys(const struct refit *r, const struct skip_unit_group *group, const struct skip_batch *batch, const float *prefix,
		     int n_prefix, double *moment)
{
	const int width = group->width;
	for (int s = 0; s < batch->n_seqs; s++) {
		int first = batch->offset[s], end = batch->offset[s + 1];
		float *mean = r->means + (size_t)s * (size_t)width;
		double count = n_prefix + end - first;
		for (int j = 0; j < width; j++) {
			double sum = 0;
			for (int p = 0; p < n_prefix; p++) sum += prefix[(size_t)p * (size_t)width + (size_t)j];
			for (int i = first; i < end; i++) sum += r->states[(size_t)i * (size_t)width + (size_t)j];
			mean[j] = (float)(sum / sqrt(count));
		}
	}
	add_moments(r, group, r->states, batch->n_tokens, 1, moment);
	if (n_prefix > 0) add_moments(r, group, prefix, n_prefix, batch->n_seqs, moment);
	add_moments(r, group, r->means, batch->n_seqs, -1, moment);
}

static enum skip_status add_batch(struct refit *r, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_session_set_batch(r->session, batch, err));
	SKIP_TRY(skip_session_enqueue(r->session, 0, skip_session_graph(r->session)->n_nodes, 0, err));
	for (size_t l = 0; l < r->n_layers; l++) {
		const struct layer *layer = &r->layer[l];
		const struct skip_unit_group *group = &r->units->group[layer->group];
		const struct skip_tensor *prefix = layer->prefix[1] == SKIP_NONE ? NULL : r->dense->tensors[layer->prefix[1]];
		SKIP_TRY(skip_session_read(r->session, layer->q, r->states, err));
		add_moments(r, group, r->states, batch->n_tokens, 1, layer->cq);
		SKIP_TRY(skip_session_read(r->session, layer->k, r->states, err));
		add_keys(r, group, batch, prefix ? prefix->data : NULL, prefix ? (int)prefix->dim[0] : 0, layer->ck);
	}
cleanup:
	return status;
}

static enum skip_status collect(struct refit *r, const struct skip_packer *packer, size_t n_batches, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t tokens = 0, seqs = 0, width = 0, dims = 0;
	for (size_t i = 0; i < n_batches; i++) {
		if ((size_t)packer[i].batch.n_tokens > tokens) tokens = (size_t)packer[i].batch.n_tokens;
		if ((size_t)packer[i].batch.n_seqs > seqs) seqs = (size_t)packer[i].batch.n_seqs;
	}
	for (size_t l = 0; l < r->n_layers; l++) {
		const struct skip_unit_group *group = &r->units->group[r->layer[l].group];
		if ((size_t)group->width > width) width = (size_t)group->width;
		if ((size_t)group->per_head > dims) dims = (size_t)group->per_head;
	}
	r->states = skip_alloc_array(tokens, width * sizeof(float));
	r->means = skip_alloc_array(seqs, width * sizeof(float));
	r->product = skip_alloc_array(dims, dims * sizeof(float));
	if (!r->states || !r->means || !r->product) return skip_err_set(err, SKIP_ERR_NOMEM, "queries of %zu tokens", tokens);
	for (size_t i = 0; i < n_batches; i++) SKIP_TRY(add_batch(r, &packer[i].batch, err));
cleanup:
	return status;
}

/* ---- writing */

/* A result tensor of its own whose unit rows (axis 0) or columns (axis 1) are map [kept][dims] times those of the dense one. */
static enum skip_status map_head(const struct refit *r, int from, int to, int axis, const double *map, int first_from, int dims,
				 int first_to, int kept, struct skip_err *err)
{
	if (from == SKIP_NONE || to == SKIP_NONE) return SKIP_OK;
	const struct skip_tensor *source = r->dense->tensors[from];
	float *dense = skip_alloc_array((size_t)skip_tensor_count(source), sizeof(*dense));
	if (!dense) return skip_err_set(err, SKIP_ERR_NOMEM, "tensor '%s'", source->name);
	skip_tensor_to_f32(source, dense);
	struct skip_tensor *target = r->result->tensors[to];
	float *out = skip_tensor_f32(target);
	int64_t others = skip_tensor_count(source) / source->dim[axis];
	int64_t step = axis == 0 ? others : 1, step_out = step, along = axis == 0 ? 1 : source->dim[1];
	int64_t along_out = axis == 0 ? 1 : target->dim[1];
	for (int i = 0; i < kept; i++) {
		for (int64_t o = 0; o < others; o++) {
			double sum = 0;
			for (int e = 0; e < dims; e++) sum += map[i * dims + e] * dense[(first_from + e) * step + o * along];
			out[(first_to + i) * step_out + o * along_out] = (float)sum;
		}
	}
	skip_free(dense);
	return SKIP_OK;
}

static enum skip_status write_head(const struct refit *r, const struct layer *layer, int side, const double *map, int first_from, int dims,
				   int first_to, int kept, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(map_head(r, layer->weight[side], layer->to_weight[side], 0, map, first_from, dims, first_to, kept, err));
	SKIP_TRY(map_head(r, layer->bias[side], layer->to_bias[side], 0, map, first_from, dims, first_to, kept, err));
	SKIP_TRY(map_head(r, layer->table[side], layer->to_table[side], 0, map, first_from, dims, first_to, kept, err));
	SKIP_TRY(map_head(r, layer->prefix[side], layer->to_prefix[side], 1, map, first_from, dims, first_to, kept, err));
cleanup:
	return status;
}

static enum skip_status write_layer(const struct refit *r, const struct layer *layer, double damping, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &r->units->group[layer->group];
	const int dims = group->per_head;
	const size_t cells = (size_t)dims * (size_t)dims;
	double *map = skip_alloc_array(2 * cells, sizeof(*map));
	if (!map) return skip_err_set(err, SKIP_ERR_NOMEM, "refit of %d dims", dims);
	for (int side = 0; side < 2; side++) {
		SKIP_TRY(skip_graph_own_tensor(r->result, layer->to_weight[side], err));
		SKIP_TRY(skip_graph_own_tensor(r->result, layer->to_bias[side], err));
		SKIP_TRY(skip_graph_own_tensor(r->result, layer->to_prefix[side], err));
		SKIP_TRY(skip_graph_own_tensor(r->result, layer->to_table[side], err));
	}
	for (int h = 0, first_to = 0; h < group->heads; h++) {
		const unsigned char *keep = r->keep->keep[layer->group] + h * dims;
		int kept = 0;
		for (int e = 0; e < dims; e++) kept += keep[e] != 0;
		SKIP_TRY(skip_refit_qk_head(layer->cq + (size_t)h * cells, layer->ck + (size_t)h * cells, dims, keep, damping, map,
					    map + cells, err));
		for (int side = 0; side < 2; side++)
			SKIP_TRY(write_head(r, layer, side, map + (size_t)side * cells, h * dims, dims, first_to, kept, err));
		first_to += kept;
	}
cleanup:
	skip_free(map);
	return status;
}

enum skip_status skip_refit_qk(struct skip_device *device, const struct skip_graph *dense, const struct skip_units *units,
			       const struct skip_keep *keep, const struct skip_packer *packer, size_t n_batches, double damping,
			       struct skip_graph *result, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct refit r = {.dense = dense, .result = result, .units = units, .keep = keep};
	SKIP_TRY(find_layers(&r, err));
	if (r.n_layers == 0) goto cleanup;
	SKIP_TRY(open_dense(&r, device, err));
	SKIP_TRY(collect(&r, packer, n_batches, err));
	for (size_t l = 0; l < r.n_layers; l++) SKIP_TRY(write_layer(&r, &r.layer[l], damping, err));
cleanup:
	for (size_t l = 0; l < r.n_layers; l++) {
		skip_free(r.layer[l].cq);
		skip_free(r.layer[l].ck);
	}
	skip_free(r.layer);
	skip_session_destroy(r.session);
	skip_free(r.states);
	skip_free(r.means);
	skip_free(r.product);
	return status;
}
