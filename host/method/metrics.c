/*
 * Metrics of logits against labels and the paired comparison of two models (docs/method.md 5.3, 8). Everything is summed in double. Knows
 * no device.
 */
#include "method/metrics.h"
#include "base/alloc.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

int skip_argmax(const float *row, int n)
{
	int best = 0;
	for (int c = 1; c < n; c++) {
		if (row[c] > row[best]) best = c;
	}
	return best;
}

double skip_log_sum_exp(const float *logits, int n, double temperature)
{
	double top = logits[0];
	for (int c = 1; c < n; c++) top = fmax(top, logits[c]);
	double sum = 0;
	for (int c = 0; c < n; c++) sum += exp((logits[c] - top) / temperature);
	return top / temperature + log(sum);
}

void skip_softmax(const float *logits, int n, double temperature, double *out)
{
	assert(n > 0 && temperature > 0);
	double lse = skip_log_sum_exp(logits, n, temperature);
	for (int c = 0; c < n; c++) out[c] = exp(logits[c] / temperature - lse);
}

double skip_softmax_in_place(double *row, int n)
{
	double top = row[0], sum = 0;
	for (int c = 1; c < n; c++) top = fmax(top, row[c]);
	for (int c = 0; c < n; c++) sum += row[c] = exp(row[c] - top);
	for (int c = 0; c < n; c++) row[c] /= sum;
	return top + log(sum);
}

double skip_mean_kl(const float *reference, const float *candidate, size_t n, int classes)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		const float *p = reference + i * (size_t)classes, *q = candidate + i * (size_t)classes;
		double lse_p = skip_log_sum_exp(p, classes, 1), lse_q = skip_log_sum_exp(q, classes, 1);
		for (int c = 0; c < classes; c++) {
			double log_p = p[c] - lse_p;
			sum += exp(log_p) * (log_p - (q[c] - lse_q));
		}
	}
	return n ? sum / (double)n : 0;
}

/* counts [classes][classes] of (gold, predicted). Two classes: F1 of class 1; else the mean over the classes that occur. */
static double f1_of(const size_t *counts, int classes)
{
	double sum = 0;
	int seen = 0;
	for (int c = classes == 2 ? 1 : 0; c < classes; c++) {
		double hit = (double)counts[c * classes + c], gold = 0, predicted = 0;
		for (int k = 0; k < classes; k++) {
			gold += (double)counts[c * classes + k];
			predicted += (double)counts[k * classes + c];
		}
		if (gold + predicted > 0) {
			sum += 2 * hit / (gold + predicted);
			seen++;
		}
	}
	return seen ? sum / seen : 0;
}

/* Gorodkin's R_K; for two classes it is Matthews' coefficient. */
static double mcc_of(const size_t *counts, int classes, size_t n, size_t correct)
{
	double cross = 0, gold_sq = 0, predicted_sq = 0, total = (double)n;
	for (int c = 0; c < classes; c++) {
		double gold = 0, predicted = 0;
		for (int k = 0; k < classes; k++) {
			gold += (double)counts[c * classes + k];
			predicted += (double)counts[k * classes + c];
		}
		cross += gold * predicted;
		gold_sq += gold * gold;
		predicted_sq += predicted * predicted;
	}
	double spread_gold = total * total - gold_sq, spread_predicted = total * total - predicted_sq;
	if (spread_gold <= 0 || spread_predicted <= 0) return 0;
	return ((double)correct * total - cross) / (sqrt(spread_gold) * sqrt(spread_predicted));
}

static enum skip_status check_row(const float *row, int32_t label, size_t index, int classes, struct skip_err *err)
{
	if (label < 0 || label >= classes)
		return skip_err_set(err, SKIP_ERR_INPUT, "row %zu has label %d, expected 0..%d", index, (int)label, classes - 1);
	for (int c = 0; c < classes; c++) {
		if (!isfinite(row[c])) return skip_err_set(err, SKIP_ERR_INPUT, "logit %d of row %zu is not finite", c, index);
	}
	return SKIP_OK;
}

enum skip_status skip_metrics_compute(const float *logits, const int32_t *label, size_t n, int classes, struct skip_metrics *out,
				      size_t *confusion, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t *counts = NULL;
	if (n == 0) return skip_err_set(err, SKIP_ERR_INPUT, "no rows to measure");
	if (classes < 2) return skip_err_set(err, SKIP_ERR_INPUT, "%d classes, expected at least 2", classes);
	size_t cells = (size_t)classes * (size_t)classes;
	counts = skip_alloc_zeroed(cells, sizeof(*counts));
	if (!counts) return skip_err_set(err, SKIP_ERR_NOMEM, "confusion matrix of %d classes", classes);

	struct skip_metrics m = {.n = n};
	double loss = 0;
	for (size_t i = 0; i < n; i++) {
		const float *row = logits + i * (size_t)classes;
		SKIP_TRY(check_row(row, label[i], i, classes, err));
		int predicted = skip_argmax(row, classes);
		counts[label[i] * classes + predicted]++;
		m.correct += predicted == label[i];
		loss += skip_log_sum_exp(row, classes, 1) - row[label[i]];
	}
	m.accuracy = (double)m.correct / (double)n;
	m.accuracy_se = sqrt(m.accuracy * (1 - m.accuracy) / (double)n);
	m.f1 = f1_of(counts, classes);
	m.mcc = mcc_of(counts, classes, n, m.correct);
	m.loss = loss / (double)n;
	*out = m;
	if (confusion) memcpy(confusion, counts, cells * sizeof(*counts));
cleanup:
	skip_free(counts);
	return status;
}

/* min(1, 2 sum_{i <= min(a, b)} C(a+b, i) / 2^(a+b)), summed in logarithms. */
double skip_mcnemar_exact(size_t a, size_t b)
{
	size_t low = a < b ? a : b;
	double n = (double)(a + b), sum = 0;
	for (size_t i = 0; i <= low; i++) {
		double k = (double)i;
		sum += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2));
	}
	return fmin(1, 2 * sum);
}

void skip_paired_finish(struct skip_paired *pair, size_t n)
{
	double total = (double)n, lost = (double)pair->n10 - (double)pair->n01, moved = (double)(pair->n10 + pair->n01);
	if (n > 0) {
		pair->drop = 100 * lost / total;
		pair->drop_se = 100 * sqrt(fmax(0, moved - lost * lost / total)) / total;
	}
	pair->p_exact = skip_mcnemar_exact(pair->n10, pair->n01);
}

void skip_paired_compute(const float *reference, const float *candidate, const int32_t *label, size_t n, int classes,
			 struct skip_paired *out)
{
	struct skip_paired pair = {0};
	for (size_t i = 0; i < n; i++) {
		bool a = skip_argmax(reference + i * (size_t)classes, classes) == label[i];
		bool b = skip_argmax(candidate + i * (size_t)classes, classes) == label[i];
		pair.n10 += a && !b;
		pair.n01 += !a && b;
	}
	skip_paired_finish(&pair, n);
	*out = pair;
}
