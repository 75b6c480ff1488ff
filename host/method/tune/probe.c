/*
 * The linear probe: multinomial logistic regression by L-BFGS (Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 3.1).
 *
 *     f(W, b) = (1/n) sum_i -log softmax(W x_i + b)[y_i] + |W|^2 / (2 c n)
 *
 * Strictly convex in W, so the answer does not depend on the path. Features stay float; sums run in double over blocks of rows.
 */
#include "base/alloc.h"
#include "method/metrics.h"
#include "method/tune/tune.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

#define HISTORY 10
#define BLOCK 512	  /* rows converted to double at a time */
#define GRADIENT_END 1e-7 /* largest component */
#define ARMIJO 1e-4
#define MAX_HALVINGS 40

struct problem {
	const float *features; /* [n][D] */
	const int32_t *label;
	size_t n;
	int width, classes;
	double c;
	double *x;     /* [BLOCK][D] */
	double *score; /* [BLOCK][C] */
};

/* Turns scores of one row into dJ/dscore (times n) and returns its loss. */
static double row_loss(double *score, int classes, int label)
{
	const double gold = score[label], all = skip_softmax_in_place(score, classes);
	score[label] -= 1;
	return all - gold;
}

/* w: [C][D] weights, then [C] biases. grad has the same shape. */
static double evaluate(const struct problem *p, const double *w, double *grad)
{
	const int width = p->width, classes = p->classes;
	const size_t n_weights = (size_t)width * (size_t)classes;
	const double *bias = w + n_weights;
	double loss = 0, scale = 1 / (double)p->n;
	memset(grad, 0, (n_weights + (size_t)classes) * sizeof(*grad));
	for (size_t first = 0; first < p->n; first += BLOCK) {
		int rows = (int)(p->n - first < BLOCK ? p->n - first : BLOCK);
		const float *source = p->features + first * (size_t)width;
		for (size_t i = 0; i < (size_t)rows * (size_t)width; i++) p->x[i] = source[i];
		for (int r = 0; r < rows; r++) memcpy(p->score + (size_t)r * (size_t)classes, bias, (size_t)classes * sizeof(*bias));
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, classes, width, 1, p->x, width, w, width, 1, p->score, classes);
		for (int r = 0; r < rows; r++) {
			double *score = p->score + (size_t)r * (size_t)classes;
			loss += scale * row_loss(score, classes, p->label[first + (size_t)r]);
			for (int c = 0; c < classes; c++) grad[n_weights + (size_t)c] += scale * score[c];
		}
		cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, classes, width, rows, scale, p->score, classes, p->x, width, 1, grad,
			    width);
	}
	double ridge = scale / p->c;
	for (size_t i = 0; i < n_weights; i++) {
		loss += 0.5 * ridge * w[i] * w[i];
		grad[i] += ridge * w[i];
	}
	return loss;
}

struct memory {
	double *step[HISTORY], *change[HISTORY]; /* s_k = w_{k+1} - w_k, y_k likewise of the gradient */
	double inverse[HISTORY];		 /* 1 / (s_k . y_k) */
	int count, next;
};

/* direction = -H grad by the two-loop recursion. */
static void two_loops(const struct memory *memory, const double *grad, double *direction, int n)
{
	double alpha[HISTORY];
	cblas_dcopy(n, grad, 1, direction, 1);
	for (int k = 0; k < memory->count; k++) {
		int i = (memory->next - 1 - k + HISTORY) % HISTORY;
		alpha[i] = memory->inverse[i] * cblas_ddot(n, memory->step[i], 1, direction, 1);
		cblas_daxpy(n, -alpha[i], memory->change[i], 1, direction, 1);
	}
	if (memory->count > 0) {
		int last = (memory->next - 1 + HISTORY) % HISTORY;
		double curvature = cblas_ddot(n, memory->change[last], 1, memory->change[last], 1);
		cblas_dscal(n, 1 / (memory->inverse[last] * curvature), direction, 1);
	}
	for (int k = memory->count - 1; k >= 0; k--) {
		int i = (memory->next - 1 - k + HISTORY) % HISTORY;
		double beta = memory->inverse[i] * cblas_ddot(n, memory->change[i], 1, direction, 1);
		cblas_daxpy(n, alpha[i] - beta, memory->step[i], 1, direction, 1);
	}
	cblas_dscal(n, -1, direction, 1);
}

/* Keeps the pair (new - old) when its curvature is positive. */
static void remember(struct memory *memory, const double *w, const double *w_old, const double *grad, const double *grad_old, int n)
{
	double *s = memory->step[memory->next], *y = memory->change[memory->next];
	for (int i = 0; i < n; i++) {
		s[i] = w[i] - w_old[i];
		y[i] = grad[i] - grad_old[i];
	}
	double product = cblas_ddot(n, s, 1, y, 1);
	if (product <= 1e-14 * cblas_ddot(n, y, 1, y, 1)) return;
	memory->inverse[memory->next] = 1 / product;
	memory->next = (memory->next + 1) % HISTORY;
	if (memory->count < HISTORY) memory->count++;
}

static double largest(const double *x, int n)
{
	return fabs(x[cblas_idamax(n, x, 1)]);
}

static void minimise(const struct problem *p, double *w, double *work, struct memory *memory, int n, int max_iterations)
{
	double *grad = work, *w_old = work + n, *grad_old = work + 2 * (size_t)n, *direction = work + 3 * (size_t)n;
	double f = evaluate(p, w, grad);
	for (int k = 0; k < max_iterations && largest(grad, n) > GRADIENT_END; k++) {
		two_loops(memory, grad, direction, n);
		double slope = cblas_ddot(n, grad, 1, direction, 1);
		double length = memory->count ? 1 : fmin(1, 1 / cblas_dnrm2(n, grad, 1));
		cblas_dcopy(n, w, 1, w_old, 1);
		cblas_dcopy(n, grad, 1, grad_old, 1);
		double f_new = f;
		int halvings = 0;
		for (; halvings < MAX_HALVINGS; halvings++, length /= 2) {
			for (int i = 0; i < n; i++) w[i] = w_old[i] + length * direction[i];
			f_new = evaluate(p, w, grad);
			if (f_new <= f + ARMIJO * length * slope) break;
		}
		if (halvings == MAX_HALVINGS) { /* no descent left in double precision: w_old is the answer */
			cblas_dcopy(n, w_old, 1, w, 1);
			return;
		}
		f = f_new;
		remember(memory, w, w_old, grad, grad_old, n);
	}
}

enum skip_status skip_probe_fit(const float *features, const int32_t *label, size_t n, int width, int classes, double c, int max_iterations,
				float *weight, float *bias, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct problem problem = {.features = features, .label = label, .n = n, .width = width, .classes = classes, .c = c};
	struct memory memory = {0};
	double *block = NULL;
	if (n == 0 || classes < 2 || !(c > 0))
		return skip_err_set(err, SKIP_ERR_INPUT, "probe of %zu rows, %d classes, c %g", n, classes, c);
	size_t n_weights = (size_t)width * (size_t)classes, size = n_weights + (size_t)classes;
	/* w, then grad, old w, old grad, direction, then 2 x HISTORY pairs */
	block = skip_alloc_zeroed(size, (5 + 2 * HISTORY) * sizeof(double));
	problem.x = skip_alloc_array((size_t)width * BLOCK, sizeof(double));
	problem.score = skip_alloc_array((size_t)classes * BLOCK, sizeof(double));
	if (!block || !problem.x || !problem.score) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "probe of width %d, %d classes", width, classes);
		goto cleanup;
	}
	for (int k = 0; k < HISTORY; k++) {
		memory.step[k] = block + (5 + 2 * (size_t)k) * size;
		memory.change[k] = block + (6 + 2 * (size_t)k) * size;
	}
	minimise(&problem, block, block + size, &memory, (int)size, max_iterations);
	for (size_t i = 0; i < n_weights; i++) weight[i] = (float)block[i];
	for (int k = 0; k < classes; k++) bias[k] = (float)block[n_weights + (size_t)k];
cleanup:
	skip_free(problem.score);
	skip_free(problem.x);
	skip_free(block);
	return status;
}
