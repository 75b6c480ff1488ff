/* The drop by labels and by probabilities, against numbers worked out by hand (docs/method.md 4). */
#include "check.h"
#include "method/belief.h"

#define MANY 4000

static int32_t label[MANY];
static float was[2 * MANY], is[2 * MANY];

static struct skip_dataset rows(size_t n)
{
	return (struct skip_dataset){.n_rows = n, .problem = SKIP_SINGLE_LABEL, .label = label};
}

/* Rows of class 0 by `was` with log odds `odds`; `right` of every four are of class 0. */
static void fill(size_t n, float odds, size_t right)
{
	for (size_t i = 0; i < n; i++) {
		label[i] = i % 4 >= right;
		was[2 * i] = is[2 * i] = odds;
		was[2 * i + 1] = is[2 * i + 1] = 0;
	}
}

static void change(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) is[2 * i] = -1;
}

Test(belief, calibration_finds_the_factor)
{
	/* three of four are right: odds of 3, said twice as loud, half as loud */
	struct skip_dataset data = rows(8);
	fill(8, 2 * logf(3), 3);
	cr_assert_float_eq(skip_calibrate(was, &data, 2), 0.5, 1e-6);
	fill(8, logf(3) / 2, 3);
	cr_assert_float_eq(skip_calibrate(was, &data, 2), 2, 1e-6);
	/* all right and none right: no factor is the best, the farthest is taken */
	fill(8, 1, 4);
	cr_assert_float_eq(skip_calibrate(was, &data, 2), 16, 1e-4);
	fill(8, 1, 0);
	cr_assert_float_eq(skip_calibrate(was, &data, 2), 1. / 16, 1e-6);
}

Test(belief, what_is_expected_is_what_the_old_answer_was_likelier)
{
	struct skip_paired pair = {0};
	struct skip_dataset data = rows(400);
	fill(400, 2 * logf(3), 3); /* by the labels 3/4 against 1/4: every changed answer costs half a row */
	change(0, 40);
	skip_compare(was, is, &data, 2, &pair);
	cr_assert_float_eq(pair.expected, 100 * 40 * 0.5 / 400, 1e-4, "%g", pair.expected);
	/* labels said the same of these rows: 30 lost, 10 won */
	cr_assert_float_eq(pair.drop, 5, 1e-9);
	cr_assert_float_eq(pair.estimate, 5, 1e-4);
	cr_assert(pair.estimate_se > 0 && pair.estimate_se < pair.drop_se);
}

Test(belief, nothing_changed_is_nothing_lost)
{
	struct skip_paired pair = {.estimate = 9, .estimate_se = 9};
	struct skip_dataset data = rows(40);
	fill(40, 1, 3);
	skip_compare(was, is, &data, 2, &pair);
	cr_assert(pair.expected == 0 && pair.estimate == 0 && pair.estimate_se == 0);
}

/* Ten in a hundred answers change, and by luck or truly none is lost by it: few rows are not believed, many are. */
Test(belief, few_labels_weigh_little_and_many_much)
{
	struct skip_paired few = {0}, many = {0};
	struct skip_dataset data = rows(80);
	for (size_t n = 80; n <= MANY; n *= 50) {
		fill(n, logf(3), 3);
		for (size_t i = 0; i < n / 10; i += 2) {
			label[i] = 0;
			label[i + 1] = 1;
		}
		change(0, n / 10);
		data.n_rows = n;
		skip_compare(was, is, &data, 2, n == 80 ? &few : &many);
	}
	cr_assert_float_eq(few.drop, 0, 1e-9);
	cr_assert_float_eq(many.drop, 0, 1e-9);
	cr_assert(few.estimate > 0.6 * few.expected, "%g of %g", few.estimate, few.expected);
	cr_assert(many.estimate < 0.2 * many.expected, "%g of %g", many.estimate, many.expected);
	cr_assert_lt(many.estimate_se, few.estimate_se);
}

Test(belief, several_labels_count_as_one_answer)
{
	/* odds of 3 and 7, calibrated; the second label flips: 3/4 (7/8 - 1/8) are lost */
	float logits[16], other[16], target[16];
	struct skip_dataset data = {.n_rows = 8, .problem = SKIP_MULTI_LABEL, .n_targets = 2, .target = target};
	struct skip_paired pair = {0};
	for (size_t i = 0; i < 8; i++) {
		logits[2 * i] = other[2 * i] = logf(3);
		logits[2 * i + 1] = other[2 * i + 1] = logf(7);
		target[2 * i] = i % 4 != 0;
		target[2 * i + 1] = i != 0;
	}
	other[1] = -1;
	cr_assert_float_eq(skip_calibrate(logits, &data, 2), 1, 1e-6);
	skip_compare(logits, other, &data, 2, &pair);
	cr_assert_float_eq(pair.expected, 100 * 0.75 * 0.75 / 8, 1e-4, "%g", pair.expected);
}

Test(belief, of_numbers_the_squares_of_changes_are_lost)
{
	const float logits[] = {1, 2, 3, 5}, other[] = {1, 3, 3, 5};
	float target[] = {1, 2, 3, 4};
	const struct skip_dataset data = {.n_rows = 4, .problem = SKIP_REGRESSION, .n_targets = 1, .target = target};
	struct skip_paired pair = {0};
	skip_compare(logits, other, &data, 1, &pair);
	cr_assert_float_eq(pair.expected, 100 * 1.0 / 5, 1e-9);
	cr_assert_float_eq(pair.drop, 20, 1e-9);
	cr_assert_float_eq(pair.estimate, 20, 1e-9);
}
