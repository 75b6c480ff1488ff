/* Moments of activations: unit_moments.h. */
#include "method/skill/unit_moments.h"
#include "base/alloc.h"
#include "method/skill/activations.h"
#include <cblas.h>
#include <string.h>

/* What a value of the walk is to its group. */
enum part { POST, QUERY, KEY };

struct watched {
	size_t group;
	enum part part;
	int width;
};

struct collection {
	struct skip_unit_moments *moments;
	struct watched *watched;
	size_t n_watched, n_groups;
	bool with_cov;
	double **key; /* [n_groups] sums of squares of centred keys, qk groups only */
	double **shift; /* [n_groups] subtracted before products are taken, so that the large means do not drown the variances */
	double *total; /* [widest qk group] */
	float *centred, *product;
	size_t cap_centred, cap_product;
};

static enum skip_status add_covariance(struct collection *c, size_t group, const float *data, int rows, int width, struct skip_err *err)
{
	const size_t n = (size_t)width;
	if (!skip_grow((void **)&c->centred, &c->cap_centred, (size_t)rows * n, sizeof(float)) ||
	    !skip_grow((void **)&c->product, &c->cap_product, n * n, sizeof(float)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "covariance of %d units", width);
	const double *shift = c->shift[group];
	for (int r = 0; r < rows; r++) {
		const float *row = data + (size_t)r * n;
		float *restrict centred = c->centred + (size_t)r * n;
		for (size_t j = 0; j < n; j++) centred[j] = (float)(row[j] - shift[j]);
	}
	cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, width, rows, 1, c->centred, width, 0, c->product, width);
	double *cov = c->moments[group].cov;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) cov[i * n + j] += c->product[i * n + j];
	}
	return SKIP_OK;
}

static enum skip_status add_post(struct collection *c, size_t group, const float *data, int rows, int width, struct skip_err *err)
{
	struct skip_unit_moments *m = &c->moments[group];
	double *shift = c->shift[group];
	if (m->rows == 0) {
		for (int r = 0; r < rows; r++) {
			for (int j = 0; j < width; j++) shift[j] += (double)data[(size_t)r * (size_t)width + (size_t)j] / rows;
		}
	}
	double *restrict mean = m->mean, *restrict spread = m->spread;
	for (int r = 0; r < rows; r++) {
		const float *row = data + (size_t)r * (size_t)width;
		for (int j = 0; j < width; j++) {
			double x = row[j] - shift[j];
			mean[j] += x;
			spread[j] += x * x;
		}
	}
	m->rows += (size_t)rows;
	return c->with_cov ? add_covariance(c, group, data, rows, width, err) : SKIP_OK;
}

static void add_queries(struct skip_unit_moments *m, const float *data, int rows, int width)
{
	for (int r = 0; r < rows; r++) {
		for (int j = 0; j < width; j++) {
			double q = data[(size_t)r * (size_t)width + (size_t)j];
			m->spread[j] += q * q;
		}
	}
	m->rows += (size_t)rows;
}

/* `total` [width] is for the sums of a sequence. */
static void add_keys(double *restrict sum, double *restrict total, const float *data, int width, const struct skip_batch *batch)
{
	for (int b = 0; b < batch->n_seqs; b++) {
		const int first = batch->offset[b], end = batch->offset[b + 1];
		for (int j = 0; j < width; j++) total[j] = 0;
		for (int t = first; t < end; t++) {
			const float *row = data + (size_t)t * (size_t)width;
			for (int j = 0; j < width; j++) {
				double k = row[j];
				total[j] += k;
				sum[j] += k * k;
			}
		}
		for (int j = 0; j < width; j++) sum[j] -= total[j] * total[j] / (end - first);
	}
}

static enum skip_status see(void *context, const struct skip_activations *seen, struct skip_err *err)
{
	struct collection *c = context;
	const struct watched *w = &c->watched[seen->which];
	switch (w->part) {
	case QUERY:
		add_queries(&c->moments[w->group], seen->data, seen->rows, w->width);
		return SKIP_OK;
	case KEY:
		add_keys(c->key[w->group], c->total, seen->data, w->width, seen->batch);
		return SKIP_OK;
	case POST:
		break;
	}
	return add_post(c, w->group, seen->data, seen->rows, w->width, err);
}

/* Sums over columns become those of units, in place. */
static void finish_qk(struct collection *c, size_t g, const struct skip_unit_group *group, double n_tokens)
{
	struct skip_unit_moments *m = &c->moments[g];
	const double n = m->rows ? (double)m->rows : 1;
	for (int unit = 0; unit < group->width; unit++) { /* no later unit needs what is written over */
		double sum = 0;
		for (int k = 0; k < group->columns; k++) {
			int column = skip_unit_column(group, unit, k);
			sum += m->spread[column] / n * c->key[g][column] / n_tokens;
		}
		m->spread[unit] = sum;
	}
}

/* Sums become moments. */
static void finish(struct collection *c, size_t group, int width)
{
	struct skip_unit_moments *m = &c->moments[group];
	const double n = m->rows ? (double)m->rows : 1;
	for (int j = 0; j < width; j++) {
		m->mean[j] /= n;
		m->spread[j] = m->spread[j] / n - m->mean[j] * m->mean[j];
	}
	for (size_t i = 0; m->cov && i < (size_t)width; i++) {
		for (size_t j = i; j < (size_t)width; j++) {
			double value = m->cov[i * (size_t)width + j] / n - m->mean[i] * m->mean[j];
			m->cov[i * (size_t)width + j] = m->cov[j * (size_t)width + i] = value;
		}
	}
	for (int j = 0; j < width; j++) m->mean[j] += c->shift[group][j];
}

static bool alloc_group(struct collection *c, size_t group, const struct skip_unit_group *units)
{
	const size_t width = (size_t)(units->width * units->columns);
	struct skip_unit_moments *m = &c->moments[group];
	m->spread = skip_alloc_zeroed(width, sizeof(double));
	if (units->kind == SKIP_UNIT_QK) return (c->key[group] = skip_alloc_zeroed(width, sizeof(double))) && m->spread;
	m->mean = skip_alloc_zeroed(width, sizeof(double));
	c->shift[group] = skip_alloc_zeroed(width, sizeof(double));
	if (c->with_cov) m->cov = skip_alloc_zeroed(width, width * sizeof(double));
	return m->spread && m->mean && c->shift[group] && (m->cov || !c->with_cov);
}

/* Lists the values to look at and makes room for what is summed. */
static enum skip_status prepare(struct collection *c, const struct skip_units *units, int *value, struct skip_err *err)
{
	bool ok = true;
	size_t widest = 1;
	for (size_t g = 0; ok && g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		const bool qk = group->kind == SKIP_UNIT_QK;
		const size_t columns = (size_t)(group->width * group->columns);
		if (qk && columns > widest) widest = columns;
		for (int u = 0; u < group->n_uses; u++) {
			const struct skip_unit_use *use = &group->use[u];
			for (int i = 0; i < (qk ? 2 : 1); i++) {
				value[c->n_watched] = qk ? use->pre[i] : use->post;
				c->watched[c->n_watched++] = (struct watched){g, qk ? i == 0 ? QUERY : KEY : POST, group->width * group->columns};
			}
		}
		ok = alloc_group(c, g, group);
	}
	c->total = skip_alloc_array(widest, sizeof(*c->total));
	return ok && c->total ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "moments of %zu units", units->total);
}

static void collection_free(struct collection *c)
{
	for (size_t g = 0; g < c->n_groups; g++) {
		if (c->key) skip_free(c->key[g]);
		if (c->shift) skip_free(c->shift[g]);
	}
	skip_free(c->key);
	skip_free(c->shift);
	skip_free(c->watched);
	skip_free(c->total);
	skip_free(c->centred);
	skip_free(c->product);
	skip_unit_moments_free(c->moments, c->n_groups);
}

void skip_unit_moments_free(struct skip_unit_moments *moments, size_t n_groups)
{
	for (size_t g = 0; moments && g < n_groups; g++) {
		skip_free(moments[g].mean);
		skip_free(moments[g].spread);
		skip_free(moments[g].cov);
	}
	skip_free(moments);
}

enum skip_status skip_unit_moments_collect(const struct skip_scoring *scoring, bool with_cov, struct skip_unit_moments **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_units *units = scoring->units;
	const size_t n = units->n_groups;
	size_t n_uses = 0;
	for (size_t g = 0; g < n; g++) n_uses += (size_t)units->group[g].n_uses;
	struct collection c = {.n_groups = n, .with_cov = with_cov};
	int *value = skip_alloc_array(2 * n_uses, sizeof(*value));
	c.watched = skip_alloc_array(2 * n_uses, sizeof(*c.watched));
	c.moments = skip_alloc_zeroed(n, sizeof(*c.moments));
	c.key = skip_alloc_zeroed(n, sizeof(*c.key));
	c.shift = skip_alloc_zeroed(n, sizeof(*c.shift));
	if (!value || !c.watched || !c.moments || !c.key || !c.shift) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "moments of %zu groups", n);
		goto cleanup;
	}
	SKIP_TRY(prepare(&c, units, value, err));
	SKIP_TRY(skip_activations_walk(scoring, value, c.n_watched, see, &c, err));
	const double n_tokens = (double)scoring->sample->offset[scoring->sample->n_rows];
	for (size_t g = 0; g < n; g++) {
		const struct skip_unit_group *group = &units->group[g];
		if (group->kind == SKIP_UNIT_QK)
			finish_qk(&c, g, group, n_tokens * group->n_uses);
		else
			finish(&c, g, group->width);
	}
	*out = c.moments;
	c.moments = NULL;
cleanup:
	collection_free(&c);
	skip_free(value);
	return status;
}
