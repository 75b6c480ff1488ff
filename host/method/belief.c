/* What changed answers cost, by labels and by probabilities: belief.h. */
#include "method/belief.h"
#include <math.h>

#define SHARPEST 16.0	 /* most that calibration multiplies logits by, or divides them by */
#define HALVINGS 40
#define PER_CHANGE 0.15	 /* what probabilities are wrong by, in points per point of changed answers (docs/method.md 4) */

/* What the reference's probabilities say of all rows, in rows. */
struct witness {
	double lost;	 /* right answers lost, expected */
	double variance; /* of the count that labels would give, were the probabilities right */
	double changed;	 /* answers */
};

/* d loss / d factor: what the logits are worth by the probabilities, less what they were worth by the labels. */
static double slope(const float *logits, const struct skip_dataset *data, int outputs, double factor)
{
	double sum = 0;
	for (size_t i = 0; i < data->n_rows; i++) {
		const float *row = logits + i * (size_t)outputs;
		if (data->problem == SKIP_MULTI_LABEL) {
			for (int c = 0; c < outputs; c++) sum += (skip_sigmoid(factor * row[c]) - (data->target[i * (size_t)outputs + (size_t)c] > 0)) * row[c];
			continue;
		}
		double lse = skip_log_sum_exp(row, outputs, 1 / factor);
		for (int c = 0; c < outputs; c++) sum += exp(factor * row[c] - lse) * row[c];
		sum -= row[data->label[i]];
	}
	return sum;
}

double skip_calibrate(const float *logits, const struct skip_dataset *data, int outputs)
{
	double low = -log(SHARPEST), high = log(SHARPEST);
	if (data->problem == SKIP_REGRESSION) return 1;
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;
		if (slope(logits, data, outputs, exp(middle)) < 0) low = middle;
		else
			high = middle;
	}
	return exp((low + high) / 2);
}

/* The probability that all labels are as `answer` has them. */
static double pattern(const float *reference, const float *answer, int labels, double factor)
{
	double p = 1;
	for (int c = 0; c < labels; c++) p *= skip_sigmoid(answer[c] > 0 ? factor * reference[c] : -factor * reference[c]);
	return p;
}

/* An old answer of probability p gave way to a new one of probability q. */
static void change(struct witness *w, double p, double q)
{
	w->lost += p - q;
	w->variance += p + q - (p - q) * (p - q);
	w->changed += 1;
}

static void ask_classes(const float *reference, const float *candidate, const struct skip_dataset *data, int classes, double factor, struct witness *w)
{
	for (size_t i = 0; i < data->n_rows; i++) {
		const float *row = reference + i * (size_t)classes;
		int was = skip_argmax(row, classes), is = skip_argmax(candidate + i * (size_t)classes, classes);
		if (was == is) continue;
		double lse = skip_log_sum_exp(row, classes, 1 / factor);
		change(w, exp(factor * row[was] - lse), exp(factor * row[is] - lse));
	}
}

static void ask_labels(const float *reference, const float *candidate, const struct skip_dataset *data, int labels, double factor, struct witness *w)
{
	for (size_t i = 0; i < data->n_rows; i++) {
		const float *was = reference + i * (size_t)labels, *is = candidate + i * (size_t)labels;
		bool same = true;
		for (int c = 0; c < labels; c++) same = same && (was[c] > 0) == (is[c] > 0);
		if (!same) change(w, pattern(was, was, labels, factor), pattern(was, is, labels, factor));
	}
}

/*
 * Of numbers, with the reference for the mean of what the targets are: squares of the changes are lost, in units of the targets' spread; labels would add
 * twice change times error. As much of rms change times rms error may hide in the two going together.
 */
static void ask_numbers(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, struct witness *w)
{
	double error = 0, moved = 0, n = (double)data->n_rows * outputs, around = skip_spread(data, outputs);
	for (size_t i = 0; i < data->n_rows * (size_t)outputs; i++) {
		double e = (double)reference[i] - data->target[i], d = (double)candidate[i] - reference[i];
		error += e * e;
		moved += d * d;
	}
	if (around <= 0) return;
	double rows = (double)data->n_rows;
	*w = (struct witness){.lost = rows * moved / around, .variance = rows * rows * 4 * moved * (error / n) / (around * around), .changed = rows * 2 * sqrt(moved * error) / around};
}

void skip_believe(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, double factor, struct skip_paired *pair)
{
	struct witness w = {0};
	const double points = data->n_rows ? 100 / (double)data->n_rows : 0;
	if (data->problem == SKIP_SINGLE_LABEL) ask_classes(reference, candidate, data, outputs, factor, &w);
	else if (data->problem == SKIP_MULTI_LABEL)
		ask_labels(reference, candidate, data, outputs, factor, &w);
	else
		ask_numbers(reference, candidate, data, outputs, &w);
	double by_labels = w.variance * points * points, by_itself = PER_CHANGE * PER_CHANGE * w.changed * w.changed * points * points;
	double both = by_labels + by_itself;
	pair->expected = points * w.lost;
	pair->estimate = both > 0 ? (pair->drop * by_itself + pair->expected * by_labels) / both : pair->drop;
	pair->estimate_se = both > 0 ? sqrt(by_labels * by_itself / both) : 0;
}
