/* Metrics against hand-computed numbers; the paired comparison against the closed forms of docs/method.md 5.3. */
#include "method/metrics.h"
#include "check.h"

static struct skip_err err;

/* Logits whose argmax is predicted[i]. */
static void one_hot(const int *predicted, size_t n, int classes, float *out)
{
	for (size_t i = 0; i < n * (size_t)classes; i++) out[i] = 0;
	for (size_t i = 0; i < n; i++) out[i * (size_t)classes + (size_t)predicted[i]] = 1;
}

struct metric_case {
	int classes;
	size_t n;
	int gold[8], predicted[8];
	double accuracy, f1, mcc;
};

ParameterizedTestParameters(metrics, by_hand)
{
	static struct metric_case cases[] = {
	    /* TP 2, FP 1, FN 1, TN 3 */
	    {2, 7, {1, 1, 1, 0, 0, 0, 0}, {1, 1, 0, 1, 0, 0, 0}, 5.0 / 7, 2.0 / 3, (2.0 * 3 - 1) / 12.0},
	    /* all of one class: Matthews is 0 by convention, F1 of class 1 too */
	    {2, 4, {0, 0, 1, 1}, {0, 0, 0, 0}, 0.5, 0, 0},
	    {2, 1, {1}, {1}, 1, 1, 0},
	    {3, 3, {0, 1, 2}, {0, 1, 2}, 1, 1, 1},
	    /* class 2 never occurs and is left out of the mean: F1 of 0 is 2/3, of 1 is 4/5 */
	    {3, 4, {0, 0, 1, 1}, {0, 1, 1, 1}, 0.75, (2.0 / 3 + 4.0 / 5) / 2, 0.57735026918962576 /* (3 * 4 - 8) / sqrt(8 * 6) */},
	};
	return cr_make_param_array(struct metric_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct metric_case *c, metrics, by_hand)
{
	float logits[8 * 3];
	int32_t label[8];
	size_t confusion[9];
	struct skip_metrics m;
	one_hot(c->predicted, c->n, c->classes, logits);
	for (size_t i = 0; i < c->n; i++) label[i] = c->gold[i];
	CHECK_OK(skip_metrics_compute(logits, label, c->n, c->classes, &m, confusion, &err));
	cr_assert_float_eq(m.accuracy, c->accuracy, 1e-12);
	cr_assert_float_eq(m.f1, c->f1, 1e-12, "f1 %g, wanted %g", m.f1, c->f1);
	cr_assert_float_eq(m.mcc, c->mcc, 1e-12, "mcc %g, wanted %g", m.mcc, c->mcc);
	cr_assert_float_eq(m.accuracy_se, sqrt(c->accuracy * (1 - c->accuracy) / (double)c->n), 1e-12);
	size_t total = 0;
	for (int k = 0; k < c->classes * c->classes; k++) total += confusion[k];
	cr_assert_eq(total, c->n);
	for (size_t i = 0; i < c->n; i++) cr_assert_gt(confusion[c->gold[i] * c->classes + c->predicted[i]], 0);
}

Test(metrics, loss_is_mean_cross_entropy_and_large_logits_do_not_overflow)
{
	const float logits[] = {0, 0, 1000, 0, 0, 1000};
	const int32_t label[] = {1, 0, 0};
	struct skip_metrics m;
	CHECK_OK(skip_metrics_compute(logits, label, 3, 2, &m, NULL, &err));
	cr_assert_float_eq(m.loss, (log(2) + 0 + 1000) / 3, 1e-9, "loss %g", m.loss);
}

Test(metrics, rejects_what_cannot_be_measured)
{
	float logits[] = {0, 1, 0, 1};
	int32_t label[] = {0, 2};
	struct skip_metrics m = {.n = 99};
	CHECK_FAILS(skip_metrics_compute(logits, label, 0, 2, &m, NULL, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_metrics_compute(logits, label, 2, 2, &m, NULL, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "row 1 has label 2, expected 0..1") != NULL, "%s", err.message);
	label[1] = -1;
	CHECK_FAILS(skip_metrics_compute(logits, label, 2, 2, &m, NULL, &err), SKIP_ERR_INPUT);
	label[1] = 1;
	logits[2] = NAN;
	CHECK_FAILS(skip_metrics_compute(logits, label, 2, 2, &m, NULL, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "logit 0 of row 1") != NULL, "%s", err.message);
	CHECK_FAILS(skip_metrics_compute(logits, label, 1, 1, &m, NULL, &err), SKIP_ERR_INPUT);
	cr_assert_eq(m.n, 99, "out was written on failure");
}

Test(metrics, argmax_takes_the_first_of_equals)
{
	const float row[] = {1, 3, 3, 2};
	cr_assert_eq(skip_argmax(row, 4), 1);
	cr_assert_eq(skip_argmax(row, 1), 0);
}

Test(metrics, softmax_at_a_temperature)
{
	const float row[] = {1, 3, -500};
	double p[3];
	skip_softmax(row, 3, 2, p);
	cr_assert_float_eq(p[1] / p[0], exp(1), 1e-12);
	cr_assert_float_eq(p[0] + p[1] + p[2], 1, 1e-12);
	cr_assert_geq(p[2], 0);
}

Test(metrics, kl_by_hand)
{
	/* p = (1/2, 1/2), q = (3/4, 1/4); the second row is the same on both sides, shifted */
	const float p[] = {0, 0, 1, 2}, q[] = {logf(3), 0, 5, 6};
	double kl = 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25);
	cr_assert_float_eq(skip_mean_kl(p, q, 2, 2), kl / 2, 1e-7);
	cr_assert_float_eq(skip_mean_kl(p, p, 2, 2), 0, 1e-15);
}

struct pair_case {
	size_t n, n10, n01;
	double drop, se, p;
};

ParameterizedTestParameters(metrics, pairs)
{
	static struct pair_case cases[] = {
	    {10, 0, 0, 0, 0, 1},
	    /* 2 (1 + 6) / 64 */
	    {100, 5, 1, 4, 1, 0.21875},
	    /* RTE with 20 changes and no drop: 1.6 points */
	    {277, 10, 10, 0, 100 * 4.47213595499958 / 277, 1},
	    {61, 0, 7, -100 * 7.0 / 61, 0, 2.0 / 128},
	};
	cases[1].se = 100 * sqrt(6 - 16.0 / 100) / 100;
	cases[3].se = 100 * sqrt(7 - 49.0 / 61) / 61;
	return cr_make_param_array(struct pair_case, cases, sizeof(cases) / sizeof(*cases));
}

ParameterizedTest(struct pair_case *c, metrics, pairs)
{
	float *a = calloc(c->n * 2, sizeof(*a)), *b = calloc(c->n * 2, sizeof(*b));
	int32_t *label = calloc(c->n, sizeof(*label));
	for (size_t i = 0; i < c->n; i++) {
		label[i] = i % 2;
		bool a_right = !(i >= c->n10 && i < c->n10 + c->n01), b_right = !(i < c->n10);
		a[2 * i + (size_t)(a_right ? label[i] : 1 - label[i])] = 1;
		b[2 * i + (size_t)(b_right ? label[i] : 1 - label[i])] = 1;
	}
	struct skip_paired pair;
	skip_paired_compute(a, b, label, c->n, 2, &pair);
	cr_assert_eq(pair.n10, c->n10);
	cr_assert_eq(pair.n01, c->n01);
	cr_assert_float_eq(pair.drop, c->drop, 1e-12);
	cr_assert_float_eq(pair.drop_se, c->se, 1e-12, "se %g, wanted %g", pair.drop_se, c->se);
	cr_assert_float_eq(pair.p_exact, c->p, 1e-9, "p %g, wanted %g", pair.p_exact, c->p);
	free(a);
	free(b);
	free(label);
}

Test(metrics, several_labels_by_hand)
{
	/* right in rows 0 and 2; hits 2, given 3, gold 3 */
	float logits[] = {2, -1, -3, 4, -1, -2, -1, -5}, other[] = {-2, -1, -3, 4, 1, -2, -1, -5}, target[] = {1, 0, 0, 1, 1, 0, 0, 0};
	const struct skip_dataset data = {.n_rows = 4, .problem = SKIP_MULTI_LABEL, .n_targets = 2, .target = target};
	struct skip_metrics m;
	struct skip_paired pair;
	double loss = 0;
	for (int i = 0; i < 8; i++) loss += log(1 + exp(target[i] > 0 ? -(double)logits[i] : (double)logits[i])) / 8;
	CHECK_OK(skip_measure(logits, &data, 2, &m, NULL, &err));
	cr_assert(m.problem == SKIP_MULTI_LABEL && m.n == 4 && m.correct == 3);
	cr_assert_float_eq(m.accuracy, 0.75, 1e-12);
	cr_assert_float_eq(m.f1, 2.0 * 2 / (2 + 3), 1e-12, "f1 %g", m.f1);
	cr_assert_float_eq(m.loss, loss, 1e-7);
	skip_compare(logits, other, &data, 2, &pair); /* the other loses row 0 and gains row 2 */
	cr_assert(pair.n10 == 1 && pair.n01 == 1);
	cr_assert_float_eq(pair.drop, 0, 1e-12);
	cr_assert_gt(skip_divergence(SKIP_MULTI_LABEL, logits, other, 4, 2), 0.1);
	cr_assert_float_eq(skip_divergence(SKIP_MULTI_LABEL, logits, logits, 4, 2), 0, 1e-12);
}

Test(metrics, numbers_by_hand)
{
	float logits[] = {1, 2, 3, 5}, worse[] = {1, 2, 3, 6}, target[] = {1, 2, 3, 4};
	const struct skip_dataset data = {.n_rows = 4, .problem = SKIP_REGRESSION, .n_targets = 1, .target = target};
	struct skip_metrics m;
	struct skip_paired pair;
	CHECK_OK(skip_measure(logits, &data, 1, &m, NULL, &err));
	cr_assert_float_eq(m.accuracy, 1 - 1.0 / 5, 1e-12); /* squares around the mean: 5 */
	cr_assert_float_eq(m.loss, 0.25, 1e-12);
	cr_assert_float_eq(m.pearson, 6.5 / sqrt(5 * 8.75), 1e-9);
	skip_compare(logits, worse, &data, 1, &pair);
	cr_assert(pair.n10 == 1 && pair.n01 == 0);
	cr_assert_float_eq(pair.drop, 100 * 3.0 / 5, 1e-9);
	cr_assert_float_eq(skip_divergence(SKIP_REGRESSION, logits, worse, 4, 1), 0.125, 1e-9);
	logits[2] = NAN;
	CHECK_FAILS(skip_measure(logits, &data, 1, &m, NULL, &err), SKIP_ERR_INPUT);
}
