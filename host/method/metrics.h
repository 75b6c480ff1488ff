/* Metrics and paired comparison (docs/method.md 5.3, 8). Shares are fractions; drop and its SE are points of 100. */
#ifndef SKIP_METHOD_METRICS_H
#define SKIP_METHOD_METRICS_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct skip_metrics {
	size_t n, correct;
	double accuracy, accuracy_se;
	double f1;   /* two classes: of class 1; else macro mean */
	double mcc;  /* Matthews; multi-class: Gorodkin's R_K; 0 if a factor is 0 */
	double loss; /* mean cross-entropy */
};
struct skip_paired {
	size_t n10, n01; /* reference right and candidate wrong; the reverse */
	double drop, drop_se;
	double p_exact; /* two-sided exact McNemar */
};

/* logits [n][classes]; label in 0..classes-1. confusion [classes][classes] = counts of (gold, predicted), may be NULL. */
enum skip_status skip_metrics_compute(const float *logits, const int32_t *label, size_t n, int classes, struct skip_metrics *out,
				      size_t *confusion, struct skip_err *err);
void skip_paired_compute(const float *reference, const float *candidate, const int32_t *label, size_t n, int classes,
			 struct skip_paired *out);
int skip_argmax(const float *row, int n); /* first of equals */
void skip_softmax(const float *logits, int n, double temperature, double *out);
/* mean over rows of KL(softmax(reference) || softmax(candidate)) */
double skip_mean_kl(const float *reference, const float *candidate, size_t n, int classes);

#endif
