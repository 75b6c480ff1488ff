/* A product in float32 and in int8: product.h. */
#include "method/clip/product.h"
#include "base/alloc.h"
#include "base/quant.h"
#include <cblas.h>
#include <math.h>

/* Rows of n numbers as what they are in int8; clip 0: the scale of each row. */
static void round_rows(const float *x, size_t rows, size_t n, float clip, float *out)
{
	for (size_t r = 0; r < rows; r++, x += n, out += n) {
		float largest = clip;
		for (size_t i = 0; i < n && clip == 0; i++) largest = fmaxf(largest, fabsf(x[i]));
		const struct skip_int8_scale scale = skip_int8_scale(largest);
		for (size_t i = 0; i < n; i++) out[i] = scale.scale * (float)skip_int8_round(clip > 0 ? skip_int8_within(x[i], clip) : x[i], scale);
	}
}

/* y = x W^T */
static void multiply(const struct skip_clip_product *p, const float *x, float *y)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->rows, p->n, p->k, 1, x, p->k, p->w, p->k, 0, y, p->n);
}

/* W as [n][k]. */
static enum skip_status take_weights(struct skip_clip_product *p, const struct skip_tensor *tensor, bool transpose, struct skip_err *err)
{
	const size_t n = (size_t)p->n, k = (size_t)p->k;
	float *w = skip_alloc_array(n, k * sizeof(*w));
	if (!w) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %d x %d weights", p->n, p->k);
	skip_tensor_to_f32(tensor, w);
	for (size_t i = 0; i < n * k; i++) p->w[i] = transpose ? w[i % k * n + i / k] : w[i];
	skip_free(w);
	return SKIP_OK;
}

enum skip_status skip_clip_product_init(struct skip_clip_product *p, const struct skip_graph *graph, const struct skip_node *node, const float *x, int rows,
					struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	p->x = x;
	p->rows = rows;
	p->k = graph->values[node->in[0]].cols;
	p->n = graph->values[node->out[0]].cols;
	const size_t n = (size_t)p->n, k = (size_t)p->k, m = (size_t)rows;
	p->w = skip_alloc_array(n, k * sizeof(*p->w));
	p->y = skip_alloc_array(m, n * sizeof(*p->y));
	p->short_y = skip_alloc_array(m, n * sizeof(*p->short_y));
	p->short_x = skip_alloc_array(m, k * sizeof(*p->short_x));
	if (!p->w || !p->y || !p->short_y || !p->short_x) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a product of %d rows", rows));
	SKIP_TRY(take_weights(p, graph->tensors[node->param[0]], node->attrs.linear.transpose, err));
	multiply(p, x, p->y);
	for (size_t i = 0; i < m * n; i++) p->size += (double)p->y[i] * p->y[i];
	round_rows(p->w, n, k, 0, p->w);
cleanup:
	return status;
}

void skip_clip_product_deinit(struct skip_clip_product *p)
{
	skip_free(p->w);
	skip_free(p->y);
	skip_free(p->short_y);
	skip_free(p->short_x);
	*p = (struct skip_clip_product){0};
}

double skip_clip_product_error(struct skip_clip_product *p, float clip)
{
	double sum = 0;
	round_rows(p->x, (size_t)p->rows, (size_t)p->k, clip, p->short_x);
	multiply(p, p->short_x, p->short_y);
	for (size_t i = 0; i < (size_t)p->rows * (size_t)p->n; i++) {
		const double apart = (double)p->short_y[i] - p->y[i];
		sum += apart * apart;
	}
	return sum;
}
