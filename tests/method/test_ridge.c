/* Ridge regression towards given weights against the normal equations solved directly in double. */
#include "base/alloc.h"
#include "base/rng.h"
#include "check.h"
#include "method/search/ridge.h"
#include <string.h>

static struct skip_err err;

#define MOST_ROWS 4200
#define MOST_IN 61
#define OUT 7

struct data {
	float in[MOST_ROWS * MOST_IN], target[MOST_ROWS * OUT], weight[OUT * MOST_IN], bias[OUT];
	double mean_in[MOST_IN], mean_target[OUT];
};
static struct data d;

static void fill(int n, int width)
{
	struct skip_rng rng;
	skip_rng_init(&rng, 5, "ridge");
	for (int i = 0; i < n; i++) {
		double shared = skip_rng_normal(&rng); /* inputs that go together, off zero */
		for (int j = 0; j < width; j++) d.in[i * width + j] = (float)(0.7 * shared + skip_rng_normal(&rng) + 3);
		for (int k = 0; k < OUT; k++) d.target[i * OUT + k] = (float)(skip_rng_normal(&rng) + d.in[i * width + k % width] - 2);
	}
	for (int i = 0; i < OUT * width; i++) d.weight[i] = (float)skip_rng_normal(&rng);
}

/* Gaussian elimination with pivoting on the (width x width) system, straight from the formula. */
static void direct(const float *in, const float *target, const int *row, int n, int width, double damping, double *weight, double *bias)
{
	double *a = calloc((size_t)width * (size_t)(width + OUT), sizeof(*a)), trace = 0;
	const int cols = width + OUT;
	memset(d.mean_in, 0, sizeof(d.mean_in));
	memset(d.mean_target, 0, sizeof(d.mean_target));
	for (int i = 0; i < n; i++) {
		int r = row ? row[i] : i;
		for (int j = 0; j < width; j++) d.mean_in[j] += (double)in[r * width + j] / n;
		for (int k = 0; k < OUT; k++) d.mean_target[k] += (double)target[r * OUT + k] / n;
	}
	for (int i = 0; i < n; i++) {
		int r = row ? row[i] : i;
		for (int j = 0; j < width; j++) {
			double x = in[r * width + j] - d.mean_in[j];
			for (int k = 0; k < width; k++) a[j * cols + k] += x * (in[r * width + k] - d.mean_in[k]);
			for (int k = 0; k < OUT; k++) a[j * cols + width + k] += x * (target[r * OUT + k] - d.mean_target[k]);
		}
	}
	for (int j = 0; j < width; j++) trace += a[j * cols + j];
	double lam = damping * trace / width + 1e-9;
	for (int j = 0; j < width; j++) {
		a[j * cols + j] += lam;
		for (int k = 0; k < OUT; k++) a[j * cols + width + k] += lam * d.weight[k * width + j];
	}
	for (int j = 0; j < width; j++) {
		int pivot = j;
		for (int i = j; i < width; i++) pivot = fabs(a[i * cols + j]) > fabs(a[pivot * cols + j]) ? i : pivot;
		for (int c = 0; c < cols; c++) {
			double t = a[j * cols + c];
			a[j * cols + c] = a[pivot * cols + c];
			a[pivot * cols + c] = t;
		}
		for (int i = 0; i < width; i++) {
			if (i == j) continue;
			double f = a[i * cols + j] / a[j * cols + j];
			for (int c = j; c < cols; c++) a[i * cols + c] -= f * a[j * cols + c];
		}
	}
	for (int k = 0; k < OUT; k++) {
		bias[k] = d.mean_target[k];
		for (int j = 0; j < width; j++) {
			weight[k * width + j] = a[j * cols + width + k] / a[j * cols + j];
			bias[k] -= weight[k * width + j] * d.mean_in[j];
		}
	}
	free(a);
}

struct ridge_case {
	int n, width;
	double damping;
	int every; /* rows that count: each `every`-th; 0: all */
};

ParameterizedTestParameters(ridge, equals_the_normal_equations)
{
	static struct ridge_case cases[] = {{1, 1, 0.01, 0},	{7, 7, 0.01, 0},    {300, 61, 0.01, 0},
					    {4200, 7, 0.01, 0}, {4200, 61, 0.1, 0}, {2049, 13, 1, 3}};
	return cr_make_param_array(struct ridge_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct ridge_case *c, ridge, equals_the_normal_equations)
{
	static double weight[OUT * MOST_IN], bias[OUT];
	static int row[MOST_ROWS];
	fill(c->n, c->width);
	int n = c->every ? 0 : c->n;
	for (int i = 0; c->every && i < c->n; i += c->every) row[n++] = i;
	direct(d.in, d.target, c->every ? row : NULL, n, c->width, c->damping, weight, bias);
	struct skip_ridge problem = {.in = d.in,
				     .target = d.target,
				     .row = c->every ? row : NULL,
				     .n = (size_t)n,
				     .width = c->width,
				     .outputs = OUT,
				     .damping = c->damping};
	CHECK_OK(skip_ridge_fit(&problem, d.weight, d.bias, &err));
	for (int i = 0; i < OUT * c->width; i++)
		cr_assert_float_eq(d.weight[i], weight[i], 2e-5, "weight %d: %g, wanted %g", i, d.weight[i], weight[i]);
	for (int k = 0; k < OUT; k++) cr_assert_float_eq(d.bias[k], bias[k], 3e-4, "bias %d: %g, wanted %g", k, d.bias[k], bias[k]);
}

Test(ridge, bias_only_keeps_weights_and_makes_the_means_agree)
{
	float old[OUT * 13];
	fill(61, 13);
	memcpy(old, d.weight, sizeof(old));
	struct skip_ridge problem = {
	    .in = d.in, .target = d.target, .n = 61, .width = 13, .outputs = OUT, .damping = 0.01, .bias_only = true};
	CHECK_OK(skip_ridge_fit(&problem, d.weight, d.bias, &err));
	cr_assert_eq(memcmp(old, d.weight, sizeof(old)), 0);
	for (int k = 0; k < OUT; k++) {
		double made = 0, wanted = 0;
		for (int i = 0; i < 61; i++) {
			made += d.bias[k];
			wanted += d.target[i * OUT + k];
			for (int j = 0; j < 13; j++) made += (double)d.weight[k * 13 + j] * d.in[i * 13 + j];
		}
		cr_assert_float_eq(made / 61, wanted / 61, 1e-5);
	}
}

/* Without a bias nothing is centred: the normal equations hold on the rows as they are. */
Test(ridge, through_the_origin_leaves_nothing_along_the_inputs)
{
	fill(400, 13);
	memset(d.weight, 0, sizeof(d.weight));
	struct skip_ridge problem = {.in = d.in, .target = d.target, .n = 400, .width = 13, .outputs = OUT, .damping = 0, .through_origin = true};
	CHECK_OK(skip_ridge_fit(&problem, d.weight, NULL, &err));
	for (int k = 0; k < OUT; k++) {
		for (int j = 0; j < 13; j++) {
			double along = 0, size = 0;
			for (int i = 0; i < 400; i++) {
				double left = d.target[i * OUT + k];
				for (int m = 0; m < 13; m++) left -= (double)d.weight[k * 13 + m] * d.in[i * 13 + m];
				along += left * d.in[i * 13 + j];
				size += (double)d.in[i * 13 + j] * d.in[i * 13 + j];
			}
			cr_assert_lt(fabs(along) / size, 1e-5);
		}
	}
}

Test(ridge, no_inputs_leave_the_mean)
{
	fill(61, 1);
	struct skip_ridge problem = {.in = d.in, .target = d.target, .n = 61, .width = 0, .outputs = OUT, .damping = 0.01};
	CHECK_OK(skip_ridge_fit(&problem, NULL, d.bias, &err));
	for (int k = 0; k < OUT; k++) {
		double mean = 0;
		for (int i = 0; i < 61; i++) mean += (double)d.target[i * OUT + k] / 61;
		cr_assert_float_eq(d.bias[k], mean, 1e-6);
	}
}

Test(ridge, targets_made_by_the_weights_change_nothing)
{
	float old[OUT * 31], bias[OUT];
	fill(300, 31);
	memcpy(old, d.weight, sizeof(old));
	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < OUT; k++) {
			double sum = 0.25 * k;
			for (int j = 0; j < 31; j++) sum += (double)d.weight[k * 31 + j] * d.in[i * 31 + j];
			d.target[i * OUT + k] = (float)sum;
		}
	}
	struct skip_ridge problem = {.in = d.in, .target = d.target, .n = 300, .width = 31, .outputs = OUT, .damping = 0.01};
	CHECK_OK(skip_ridge_fit(&problem, d.weight, bias, &err));
	for (int i = 0; i < OUT * 31; i++) cr_assert_float_eq(d.weight[i], old[i], 3e-6);
	for (int k = 0; k < OUT; k++) cr_assert_float_eq(bias[k], 0.25 * k, 3e-4);
}

Test(ridge, failures_are_reported)
{
	fill(7, 7);
	struct skip_ridge problem = {.in = d.in, .target = d.target, .n = 0, .width = 7, .outputs = OUT, .damping = 0.01};
	CHECK_FAILS(skip_ridge_fit(&problem, d.weight, d.bias, &err), SKIP_ERR_INPUT);
	problem.n = 7;
	for (size_t k = 1; k <= 8; k++) {
		skip_alloc_fail_at(k);
		CHECK_FAILS(skip_ridge_fit(&problem, d.weight, d.bias, &err), SKIP_ERR_NOMEM);
	}
	skip_alloc_fail_at(0);
	d.in[3] = NAN;
	CHECK_FAILS(skip_ridge_fit(&problem, d.weight, d.bias, &err), SKIP_ERR_INTERNAL);
}
