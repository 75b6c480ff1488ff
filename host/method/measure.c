/*
 * Metrics of every kind of answer (base/problem.h): classes go to metrics.c, several labels and numbers are measured here. Everything is summed in double.
 */
#include "method/belief.h"
#include <math.h>

double skip_sigmoid(double z)
{
	return 1 / (1 + exp(-z));
}

/* -log of the likelihood of label y in {0, 1}: log(1 + exp(-z)) or log(1 + exp(z)), without overflow. */
static double bernoulli_loss(double z, bool has)
{
	double wrong = has ? -z : z;
	return fmax(wrong, 0) + log1p(exp(-fabs(wrong)));
}

static bool all_labels_right(const float *logits, const float *target, int labels)
{
	for (int c = 0; c < labels; c++) {
		if ((logits[c] > 0) != (target[c] > 0)) return false;
	}
	return true;
}

static void measure_labels(const float *logits, const struct skip_dataset *data, int labels, struct skip_metrics *m)
{
	size_t hit = 0, given = 0, gold = 0;
	for (size_t i = 0; i < data->n_rows; i++) {
		const float *row = logits + i * (size_t)labels, *target = data->target + i * (size_t)labels;
		m->correct += all_labels_right(row, target, labels);
		for (int c = 0; c < labels; c++) {
			hit += row[c] > 0 && target[c] > 0;
			given += row[c] > 0;
			gold += target[c] > 0;
			m->loss += bernoulli_loss(row[c], target[c] > 0);
		}
	}
	m->loss /= (double)data->n_rows * labels;
	m->accuracy = (double)m->correct / (double)data->n_rows;
	m->accuracy_se = sqrt(m->accuracy * (1 - m->accuracy) / (double)data->n_rows);
	m->f1 = given + gold > 0 ? 2.0 * (double)hit / (double)(given + gold) : 0;
}

static double squared_error(const float *row, const float *target, int outputs)
{
	double sum = 0;
	for (int c = 0; c < outputs; c++) sum += ((double)row[c] - target[c]) * ((double)row[c] - target[c]);
	return sum;
}

double skip_spread(const struct skip_dataset *data, int outputs)
{
	double sum = 0;
	for (int c = 0; c < outputs; c++) {
		double mean = 0;
		for (size_t i = 0; i < data->n_rows; i++) mean += data->target[i * (size_t)outputs + (size_t)c] / (double)data->n_rows;
		for (size_t i = 0; i < data->n_rows; i++) {
			double d = data->target[i * (size_t)outputs + (size_t)c] - mean;
			sum += d * d;
		}
	}
	return sum;
}

/* Pearson's correlation of all numbers with their targets. */
static double pearson(const float *logits, const float *target, size_t n)
{
	double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
	for (size_t i = 0; i < n; i++) {
		x += logits[i] / (double)n;
		y += target[i] / (double)n;
	}
	for (size_t i = 0; i < n; i++) {
		double a = logits[i] - x, b = target[i] - y;
		xx += a * a;
		yy += b * b;
		xy += a * b;
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void measure_numbers(const float *logits, const struct skip_dataset *data, int outputs, struct skip_metrics *m)
{
	double error = 0, squares = 0, n = (double)data->n_rows, around = skip_spread(data, outputs);
	for (size_t i = 0; i < data->n_rows; i++) {
		double e = squared_error(logits + i * (size_t)outputs, data->target + i * (size_t)outputs, outputs);
		error += e;
		squares += e * e;
	}
	m->loss = error / (n * outputs);
	m->accuracy = around > 0 ? 1 - error / around : 0;
	m->accuracy_se = around > 0 ? sqrt(fmax(0, squares - error * error / n)) / around : 0;
	m->pearson = pearson(logits, data->target, data->n_rows * (size_t)outputs);
}

enum skip_status skip_measure(const float *logits, const struct skip_dataset *data, int outputs, struct skip_metrics *out, size_t *confusion,
			      struct skip_err *err)
{
	struct skip_metrics m = {.problem = data->problem, .n = data->n_rows};
	if (data->problem == SKIP_SINGLE_LABEL) return skip_metrics_compute(logits, data->label, data->n_rows, outputs, out, confusion, err);
	if (data->n_rows == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to measure");
	for (size_t i = 0; i < data->n_rows * (size_t)outputs; i++) {
		if (!isfinite(logits[i]))
			return skip_err_set(err, SKIP_ERR_INPUT, "logit %zu of row %zu is not finite", i % (size_t)outputs, i / (size_t)outputs);
	}
	if (data->problem == SKIP_MULTI_LABEL) measure_labels(logits, data, outputs, &m);
	else
		measure_numbers(logits, data, outputs, &m);
	*out = m;
	return SKIP_OK;
}

/* Rows that one network answers better, the drop in points of R^2, and its standard error from the differences of the rows. */
static void compare_numbers(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs,
			    struct skip_paired *out)
{
	double sum = 0, squares = 0, n = (double)data->n_rows, around = skip_spread(data, outputs);
	struct skip_paired pair = {0};
	for (size_t i = 0; i < data->n_rows; i++) {
		size_t at = i * (size_t)outputs;
		double more = squared_error(candidate + at, data->target + at, outputs) - squared_error(reference + at, data->target + at, outputs);
		pair.n10 += more > 0;
		pair.n01 += more < 0;
		sum += more;
		squares += more * more;
	}
	if (around > 0) {
		pair.drop = 100 * sum / around;
		pair.drop_se = 100 * sqrt(fmax(0, squares - sum * sum / n)) / around;
	}
	pair.p_exact = skip_mcnemar_exact(pair.n10, pair.n01);
	*out = pair;
}

static void compare_labels(const float *reference, const float *candidate, const struct skip_dataset *data, int labels, struct skip_paired *out)
{
	struct skip_paired pair = {0};
	for (size_t i = 0; i < data->n_rows; i++) {
		size_t at = i * (size_t)labels;
		bool a = all_labels_right(reference + at, data->target + at, labels);
		bool b = all_labels_right(candidate + at, data->target + at, labels);
		pair.n10 += a && !b;
		pair.n01 += !a && b;
	}
	skip_paired_finish(&pair, data->n_rows);
	*out = pair;
}

void skip_compare_at(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, double factor, struct skip_paired *out)
{
	switch (data->problem) {
	case SKIP_SINGLE_LABEL:
		skip_paired_compute(reference, candidate, data->label, data->n_rows, outputs, out);
		break;
	case SKIP_MULTI_LABEL:
		compare_labels(reference, candidate, data, outputs, out);
		break;
	case SKIP_REGRESSION:
		compare_numbers(reference, candidate, data, outputs, out);
		break;
	}
	skip_believe(reference, candidate, data, outputs, factor, out);
}

void skip_compare(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, struct skip_paired *out)
{
	skip_compare_at(reference, candidate, data, outputs, skip_calibrate(reference, data, outputs), out);
}

double skip_divergence(enum skip_problem problem, const float *reference, const float *candidate, size_t n, int outputs)
{
	double sum = 0;
	if (problem == SKIP_SINGLE_LABEL) return skip_mean_kl(reference, candidate, n, outputs);
	for (size_t i = 0; i < n * (size_t)outputs; i++) {
		double a = reference[i], b = candidate[i], p = skip_sigmoid(a);
		if (problem == SKIP_REGRESSION) sum += 0.5 * (a - b) * (a - b);
		else
			sum += p * (bernoulli_loss(b, true) - bernoulli_loss(a, true)) + (1 - p) * (bernoulli_loss(b, false) - bernoulli_loss(a, false));
	}
	return n ? sum / (double)n : 0;
}
