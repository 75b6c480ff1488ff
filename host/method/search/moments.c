/* Second moments of the dense network: moments.h. */
#include "method/search/moments.h"
#include "base/alloc.h"
#include "device/session.h"
#include "graph/op.h"
#include "method/predict.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

struct collector {
	const struct skip_graph *graph;
	const struct skip_units *units;
	struct skip_moments *moments;
	struct skip_qk_source *source; /* [n_groups] */
	int (*seen)[2];		       /* [n_groups] session values: q and k, or the consumer's input; SKIP_NONE: none */
	struct skip_session *session;
	float *rows, *means, *product;
	double *sum; /* [widest group] */
};

static void add_rows(double *restrict sum, const float *rows, int n, int width)
{
	for (int i = 0; i < n; i++) {
		const float *row = rows + (size_t)i * (size_t)width;
		for (int j = 0; j < width; j++) sum[j] += row[j];
	}
}

/* ---- queries and keys */

static int param_of(const struct skip_node *attention, enum skip_attention_param which)
{
	return attention->n_param > (int)which ? attention->param[which] : SKIP_NONE;
}

/* The linear that makes `value` and nothing else between: its tensors. */
static bool plain_linear(const struct skip_graph *graph, int value, int *weight, int *bias)
{
	int producer = value == SKIP_NONE ? SKIP_NONE : graph->values[value].producer;
	if (producer == SKIP_NONE) return false;
	const struct skip_node *node = &graph->nodes[producer];
	if (node->op != skip_op_find("linear") || node->attrs.linear.act != SKIP_ACT_NONE || node->attrs.linear.transpose) return false;
	*weight = node->param[0];
	*bias = node->n_param > 1 ? node->param[1] : SKIP_NONE;
	return true;
}

void skip_qk_source_find(const struct skip_graph *graph, const struct skip_unit_group *group, struct skip_qk_source *out)
{
	*out = (struct skip_qk_source){.q = SKIP_NONE, .k = SKIP_NONE, .prefix = SKIP_NONE};
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const struct skip_node *node = &graph->nodes[n];
		if (node->op != skip_op_find("attention") || node->in[0] != group->post) continue;
		out->q = node->in[0];
		out->k = node->in[1];
		out->prefix = param_of(node, SKIP_ATTENTION_PK);
		out->table[0] = param_of(node, SKIP_ATTENTION_RQ);
		out->table[1] = param_of(node, SKIP_ATTENTION_RK);
		out->plain = group->columns == 1 && plain_linear(graph, out->q, &out->weight[0], &out->bias[0]) &&
			     plain_linear(graph, out->k, &out->weight[1], &out->bias[1]);
		return;
	}
}

/* moment[h] += scale * rows^T rows of the head's columns; rows [n][width]. */
static void add_heads(const struct collector *c, const struct skip_unit_group *group, const float *rows, int n, double scale,
		      double *moment)
{
	const int dims = group->per_head;
	for (int h = 0; h < group->heads; h++) {
		double *to = moment + (size_t)h * (size_t)dims * (size_t)dims;
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, dims, dims, n, 1, rows + h * dims, group->width, rows + h * dims,
			    group->width, 0, c->product, dims);
		for (int i = 0; i < dims * dims; i++) to[i] += scale * c->product[i];
	}
}

/*
 * Keys centred in their sentence, prefix keys included: sum over s of (sum_k k k^T - N_s m_s m_s^T), N_s = P + S_s. The means are scaled by
 * sqrt(N_s), so that one product takes them off.
 */
static void add_keys(const struct collector *c, const struct skip_unit_group *group, const struct skip_batch *batch, const float *prefix,
		     int n_prefix, double *moment)
{
	const int width = group->width;
	for (int s = 0; s < batch->n_seqs; s++) {
		const int first = batch->offset[s], end = batch->offset[s + 1];
		const double count = n_prefix + end - first;
		float *mean = c->means + (size_t)s * (size_t)width;
		memset(c->sum, 0, (size_t)width * sizeof(*c->sum));
		add_rows(c->sum, prefix, n_prefix, width);
		add_rows(c->sum, c->rows + (size_t)first * (size_t)width, end - first, width);
		for (int j = 0; j < width; j++) mean[j] = (float)(c->sum[j] / sqrt(count));
	}
	add_heads(c, group, c->rows, batch->n_tokens, 1, moment);
	if (n_prefix > 0) add_heads(c, group, prefix, n_prefix, batch->n_seqs, moment);
	add_heads(c, group, c->means, batch->n_seqs, -1, moment);
}

static enum skip_status add_queries_and_keys(struct collector *c, size_t g, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &c->units->group[g];
	const int p = c->source[g].prefix;
	const struct skip_tensor *prefix = p == SKIP_NONE ? NULL : c->graph->tensors[p];
	SKIP_TRY(skip_session_read(c->session, c->seen[g][0], c->rows, err));
	add_heads(c, group, c->rows, batch->n_tokens, 1, c->moments->cq[g]);
	SKIP_TRY(skip_session_read(c->session, c->seen[g][1], c->rows, err));
	add_keys(c, group, batch, prefix ? prefix->data : NULL, prefix ? (int)prefix->dim[0] : 0, c->moments->ck[g]);
cleanup:
	return status;
}

/* ---- inputs of consumers: raw sums first, the mean is taken off at the end */

static enum skip_status add_inputs(struct collector *c, size_t g, const struct skip_batch *batch, struct skip_err *err)
{
	const int width = c->units->group[g].width, n = batch->n_tokens;
	enum skip_status status = skip_session_read(c->session, c->seen[g][0], c->rows, err);
	if (status != SKIP_OK) return status;
	double *mean = c->moments->mean[g], *cov = c->moments->cov[g];
	add_rows(mean, c->rows, n, width);
	cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, width, n, 1, c->rows, width, 0, c->product, width);
	for (size_t i = 0; i < (size_t)width; i++) {
		for (size_t j = i; j < (size_t)width; j++) cov[i * (size_t)width + j] += c->product[i * (size_t)width + j];
	}
	return SKIP_OK;
}

static void centre_inputs(struct skip_moments *m, size_t g, size_t width)
{
	double *mean = m->mean[g], *cov = m->cov[g];
	for (size_t j = 0; j < width; j++) mean[j] /= (double)m->rows;
	for (size_t i = 0; i < width; i++) {
		for (size_t j = i; j < width; j++) {
			cov[i * width + j] -= (double)m->rows * mean[i] * mean[j];
			cov[j * width + i] = cov[i * width + j];
		}
	}
}

/* ---- the pass over the rows */

static enum skip_status open_session(struct collector *c, struct skip_device *device, const bool *wanted_group, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t n = 0;
	int **place = skip_alloc_array(2 * c->units->n_groups, sizeof(*place));
	if (!place) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", c->units->n_groups));
	for (size_t g = 0; g < c->units->n_groups; g++) {
		const struct skip_unit_group *group = &c->units->group[g];
		c->seen[g][0] = c->seen[g][1] = SKIP_NONE;
		skip_qk_source_find(c->graph, group, &c->source[g]);
		if (!wanted_group[g] || (group->consumer == SKIP_NONE && !c->source[g].plain)) continue;
		c->seen[g][0] = group->post;
		if (group->consumer == SKIP_NONE) c->seen[g][1] = c->source[g].k;
		for (int i = 0; i < 2; i++) {
			if (c->seen[g][i] == SKIP_NONE) continue;
			place[n++] = &c->seen[g][i];
		}
	}
	if (n > 0) SKIP_TRY(skip_open_values(device, c->graph, place, n, &c->session, err));
cleanup:
	skip_free(place);
	return status;
}

static enum skip_status alloc_sums(struct collector *c, struct skip_err *err)
{
	struct skip_moments *m = c->moments;
	for (size_t g = 0; g < m->n_groups; g++) {
		const struct skip_unit_group *group = &c->units->group[g];
		size_t width = (size_t)group->width, cells = width * (size_t)group->per_head;
		if (c->seen[g][0] == SKIP_NONE) continue;
		bool qk = group->consumer == SKIP_NONE;
		double **first = qk ? &m->cq[g] : &m->mean[g], **second = qk ? &m->ck[g] : &m->cov[g];
		*first = skip_alloc_zeroed(qk ? cells : width, sizeof(double));
		*second = skip_alloc_zeroed(qk ? cells : width, qk ? sizeof(double) : width * sizeof(double));
		if (!*first || !*second) return skip_err_set(err, SKIP_ERR_NOMEM, "moments of %d units", group->width);
	}
	return SKIP_OK;
}

static enum skip_status alloc_rows(struct collector *c, const struct skip_calibration *rows, struct skip_err *err)
{
	size_t tokens = 1, seqs = 1, width = 1;
	for (size_t i = 0; i < rows->n_batches; i++) {
		if ((size_t)rows->packer[i].batch.n_tokens > tokens) tokens = (size_t)rows->packer[i].batch.n_tokens;
		if ((size_t)rows->packer[i].batch.n_seqs > seqs) seqs = (size_t)rows->packer[i].batch.n_seqs;
	}
	for (size_t g = 0; g < c->units->n_groups; g++) {
		if ((size_t)c->units->group[g].width > width) width = (size_t)c->units->group[g].width;
	}
	c->rows = skip_alloc_array(tokens, width * sizeof(float));
	c->means = skip_alloc_array(seqs, width * sizeof(float));
	c->product = skip_alloc_array(width, width * sizeof(float));
	c->sum = skip_alloc_array(width, sizeof(*c->sum));
	if (!c->rows || !c->means || !c->product || !c->sum) return skip_err_set(err, SKIP_ERR_NOMEM, "states of %zu tokens", tokens);
	return SKIP_OK;
}

static enum skip_status add_batch(struct collector *c, const struct skip_batch *batch, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_session_set_batch(c->session, batch, err));
	SKIP_TRY(skip_session_enqueue(c->session, 0, skip_session_graph(c->session)->n_nodes, 0, err));
	for (size_t g = 0; g < c->units->n_groups; g++) {
		if (c->seen[g][0] == SKIP_NONE) continue;
		if (c->units->group[g].consumer == SKIP_NONE) SKIP_TRY(add_queries_and_keys(c, g, batch, err));
		else
			SKIP_TRY(add_inputs(c, g, batch, err));
	}
	c->moments->rows += (size_t)batch->n_tokens;
cleanup:
	return status;
}

enum skip_status skip_moments_collect(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				      const struct skip_calibration *rows, const bool *group, struct skip_moments *out,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = units->n_groups;
	struct skip_moments m = {.n_groups = n,
				 .mean = skip_alloc_zeroed(n, sizeof(double *)),
				 .cov = skip_alloc_zeroed(n, sizeof(double *)),
				 .cq = skip_alloc_zeroed(n, sizeof(double *)),
				 .ck = skip_alloc_zeroed(n, sizeof(double *))};
	struct collector c = {.graph = graph, .units = units, .moments = &m};
	c.source = skip_alloc_zeroed(n, sizeof(*c.source));
	c.seen = skip_alloc_zeroed(n, sizeof(*c.seen));
	if (!m.mean || !m.cov || !m.cq || !m.ck || !c.source || !c.seen) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", n));
	SKIP_TRY(open_session(&c, device, group, err));
	SKIP_TRY(alloc_sums(&c, err));
	SKIP_TRY(alloc_rows(&c, rows, err));
	for (size_t i = 0; c.session && i < rows->n_batches; i++) SKIP_TRY(add_batch(&c, &rows->packer[i].batch, err));
	for (size_t g = 0; g < n; g++) {
		if (m.cov[g]) centre_inputs(&m, g, (size_t)units->group[g].width);
	}
	*out = m;
	m = (struct skip_moments){0};
cleanup:
	skip_moments_deinit(&m);
	skip_session_destroy(c.session);
	skip_free(c.source);
	skip_free(c.seen);
	skip_free(c.rows);
	skip_free(c.means);
	skip_free(c.sum);
	skip_free(c.product);
	return status;
}

void skip_moments_deinit(struct skip_moments *m)
{
	double **const lists[] = {m->mean, m->cov, m->cq, m->ck};
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		for (size_t g = 0; lists[i] && g < m->n_groups; g++) skip_free(lists[i][g]);
		skip_free(lists[i]);
	}
	*m = (struct skip_moments){0};
}
