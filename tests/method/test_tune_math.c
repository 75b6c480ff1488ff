/* The numeric parts of tuning that need no device: schedule, loss, linear probe. */
#include "base/alloc.h"
#include "base/rng.h"
#include "check.h"
#include "method/tune/loss.h"
#include "method/tune/tune.h"

static struct skip_err err;

Test(schedule, warms_up_over_six_percent_and_falls_to_zero)
{
	cr_assert_float_eq(skip_tune_schedule(1, 100), 1.0 / 6, 1e-15);
	cr_assert_float_eq(skip_tune_schedule(6, 100), 1, 1e-15);
	cr_assert_float_eq(skip_tune_schedule(7, 100), 93.0 / 94, 1e-15);
	cr_assert_float_eq(skip_tune_schedule(100, 100), 0, 1e-15);
	/* ceil(0.06 * 61) = 4 */
	cr_assert_float_eq(skip_tune_schedule(3, 61), 0.75, 1e-15);
	cr_assert_float_eq(skip_tune_schedule(1, 1), 1, 1e-15);
}

#define LOSS_B 7
#define LOSS_C 3

static double loss_at(const float *logits, const float *teacher, double weight, double temperature, float *grad)
{
	static const int32_t label[LOSS_B] = {0, 1, 2, 2, 1, 0, 1};
	static const int row[LOSS_B] = {6, 5, 4, 3, 2, 1, 0};
	double scratch[2 * LOSS_C];
	return skip_tune_loss(logits, label, LOSS_B, LOSS_C, teacher, row, weight, temperature, scratch, grad);
}

struct loss_case {
	double weight, temperature;
	int with_teacher;
};

ParameterizedTestParameters(loss, gradient_is_the_central_difference)
{
	static struct loss_case cases[] = {{0.5, 2, 0}, {0.5, 2, 1}, {1, 4, 1}, {0, 1, 1}};
	return cr_make_param_array(struct loss_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct loss_case *c, loss, gradient_is_the_central_difference)
{
	float logits[LOSS_B * LOSS_C], teacher[LOSS_B * LOSS_C], grad[LOSS_B * LOSS_C], ignored[LOSS_B * LOSS_C];
	struct skip_rng rng;
	skip_rng_init(&rng, 3, "loss");
	for (int i = 0; i < LOSS_B * LOSS_C; i++) {
		logits[i] = (float)skip_rng_normal(&rng);
		teacher[i] = (float)skip_rng_normal(&rng);
	}
	const float *t = c->with_teacher ? teacher : NULL;
	loss_at(logits, t, c->weight, c->temperature, grad);
	for (int i = 0; i < LOSS_B * LOSS_C; i++) {
		const float h = 0x1p-7f, old = logits[i];
		logits[i] = old + h;
		double up = loss_at(logits, t, c->weight, c->temperature, ignored), top = logits[i];
		logits[i] = old - h;
		double down = loss_at(logits, t, c->weight, c->temperature, ignored), slope = (up - down) / (top - logits[i]);
		logits[i] = old;
		cr_assert_float_eq(grad[i], slope, 2e-6, "%d: %g, difference %g", i, grad[i], slope);
	}
}

Test(loss, the_teacher_itself_costs_only_its_entropy_term)
{
	float logits[LOSS_B * LOSS_C], turned[LOSS_B * LOSS_C], grad[LOSS_B * LOSS_C];
	for (int i = 0; i < LOSS_B * LOSS_C; i++) logits[i] = (float)(i % 5);
	for (int b = 0; b < LOSS_B; b++) {
		for (int k = 0; k < LOSS_C; k++) turned[(LOSS_B - 1 - b) * LOSS_C + k] = logits[b * LOSS_C + k];
	}
	cr_assert_float_eq(loss_at(logits, turned, 1, 2, grad), 0, 1e-12, "teacher rows are looked up through teacher_row");
	for (int i = 0; i < LOSS_B * LOSS_C; i++) cr_assert_float_eq(grad[i], 0, 1e-12);
}

Test(loss, not_a_number_comes_through_and_underflow_does_not)
{
	float logits[LOSS_B * LOSS_C] = {0}, grad[LOSS_B * LOSS_C];
	logits[1] = 5000;
	cr_assert(isfinite(loss_at(logits, NULL, 0.5, 2, grad)));
	logits[1] = NAN;
	cr_assert(isnan(loss_at(logits, NULL, 0.5, 2, grad)));
}

#define PROBE_N 200
#define PROBE_D 7

/* Largest component of the probe's gradient, in double, straight from the formula. */
static double probe_gradient(const float *x, const int32_t *y, int classes, double c, const float *w, const float *b)
{
	double worst = 0, *grad = calloc((size_t)classes * (PROBE_D + 1), sizeof(*grad));
	for (int i = 0; i < PROBE_N; i++) {
		double p[8], sum = 0;
		for (int k = 0; k < classes; k++) {
			double s = b[k];
			for (int d = 0; d < PROBE_D; d++) s += (double)w[k * PROBE_D + d] * x[i * PROBE_D + d];
			sum += p[k] = exp(s);
		}
		for (int k = 0; k < classes; k++) {
			double e = (p[k] / sum - (k == y[i])) / PROBE_N;
			for (int d = 0; d < PROBE_D; d++) grad[k * (PROBE_D + 1) + d] += e * x[i * PROBE_D + d];
			grad[k * (PROBE_D + 1) + PROBE_D] += e;
		}
	}
	for (int k = 0; k < classes; k++) {
		for (int d = 0; d < PROBE_D; d++) grad[k * (PROBE_D + 1) + d] += w[k * PROBE_D + d] / (c * PROBE_N);
	}
	for (int i = 0; i < classes * (PROBE_D + 1); i++) worst = fmax(worst, fabs(grad[i]));
	free(grad);
	return worst;
}

struct probe_case {
	int classes;
	double c;
};

ParameterizedTestParameters(probe, reaches_the_minimum)
{
	static struct probe_case cases[] = {{2, 1}, {2, 10}, {5, 1}, {5, 100}};
	return cr_make_param_array(struct probe_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct probe_case *c, probe, reaches_the_minimum)
{
	float x[PROBE_N * PROBE_D], w[5 * PROBE_D], b[5];
	int32_t y[PROBE_N];
	struct skip_rng rng;
	skip_rng_init(&rng, 11, "probe");
	for (int i = 0; i < PROBE_N; i++) {
		y[i] = (int32_t)skip_rng_below(&rng, (uint64_t)c->classes);
		for (int d = 0; d < PROBE_D; d++) x[i * PROBE_D + d] = (float)(skip_rng_normal(&rng) + (d == y[i] ? 1.5 : 0));
	}
	CHECK_OK(skip_probe_fit(x, y, PROBE_N, PROBE_D, c->classes, c->c, 300, w, b, &err));
	double worst = probe_gradient(x, y, c->classes, c->c, w, b);
	cr_assert_lt(worst, 1e-6, "gradient %g at the answer", worst); /* floats of the answer alone leave about 1e-8 */
	int right = 0;
	for (int i = 0; i < PROBE_N; i++) {
		int best = 0;
		double top = -INFINITY;
		for (int k = 0; k < c->classes; k++) {
			double s = b[k];
			for (int d = 0; d < PROBE_D; d++) s += (double)w[k * PROBE_D + d] * x[i * PROBE_D + d];
			if (s > top) top = s, best = k;
		}
		right += best == y[i];
	}
	cr_assert_gt(right, PROBE_N * 6 / 10, "%d of %d right", right, PROBE_N);
}

Test(probe, one_feature_has_a_closed_form)
{
	/* x = +1 for class 1, -1 for class 0, balanced: W = (-a, a), and f'(a) = 0 reads 1/(1+exp(2a)) = a/(c n). */
	float x[20], w[2], b[2];
	int32_t y[20];
	for (int i = 0; i < 20; i++) {
		y[i] = i % 2;
		x[i] = y[i] ? 1 : -1;
	}
	CHECK_OK(skip_probe_fit(x, y, 20, 1, 2, 0.25, 300, w, b, &err));
	cr_assert_float_eq(w[0], -w[1], 1e-6);
	cr_assert_float_eq(1 / (1 + exp(2.0 * w[1])), w[1] / (0.25 * 20), 1e-6, "a = %g", w[1]);
	cr_assert_float_eq(b[0], b[1], 1e-6);
}

Test(probe, rejects_nothing_to_fit)
{
	float x = 0, w[2], b[2];
	int32_t y = 0;
	CHECK_FAILS(skip_probe_fit(&x, &y, 0, 1, 2, 1, 10, w, b, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_probe_fit(&x, &y, 1, 1, 1, 1, 10, w, b, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_probe_fit(&x, &y, 1, 1, 2, 0, 10, w, b, &err), SKIP_ERR_INPUT);
}

Test(probe, out_of_memory_is_reported)
{
	float x[2] = {1, -1}, w[2], b[2];
	int32_t y[2] = {0, 1};
	for (size_t n = 1; n <= 3; n++) {
		skip_alloc_fail_at(n);
		CHECK_FAILS(skip_probe_fit(x, y, 2, 1, 2, 1, 10, w, b, &err), SKIP_ERR_NOMEM);
	}
	skip_alloc_fail_at(0);
	CHECK_OK(skip_probe_fit(x, y, 2, 1, 2, 1, 10, w, b, &err));
}
