/* Metrics and paired comparison (docs/method.md 5.3, 8). Shares are fractions; drop and its SE are points of 100. */
#ifndef SKIP_METHOD_METRICS_H
#define SKIP_METHOD_METRICS_H

#include "base/err.h"
#include "text/dataset.h"
#include <stddef.h>
#include <stdint.h>

/* What `accuracy` is: the share of rows of the right class; of rows with every label right; R^2 of numbers. */
struct skip_metrics {
	enum skip_problem problem;
	size_t n, correct; /* correct: not of numbers */
	double accuracy, accuracy_se;
	double f1;      /* two classes: of class 1; more: macro mean; several labels: micro */
	double mcc;     /* Matthews; multi-class: Gorodkin's R_K; 0 if a factor is 0; of classes only */
	double pearson; /* correlation with the targets; of numbers only */
	double loss;    /* mean cross-entropy, of several labels per label; mean squared error */
};
struct skip_paired {
	size_t n10, n01; /* reference right and candidate wrong; the reverse */
	double drop, drop_se;
	double p_exact; /* two-sided exact McNemar */
	double expected;	      /* the drop by the reference's own probabilities; of skip_compare only (belief.h) */
	double estimate, estimate_se; /* the drop by both */
};

/* logits [n][classes]; label in 0..classes-1. confusion [classes][classes] = counts of (gold, predicted), may be NULL. */
enum skip_status skip_metrics_compute(const float *logits, const int32_t *label, size_t n, int classes, struct skip_metrics *out,
				      size_t *confusion, struct skip_err *err);
void skip_paired_compute(const float *reference, const float *candidate, const int32_t *label, size_t n, int classes,
			 struct skip_paired *out);
/* drop and drop_se of a share of rows from n10 and n01 of `n` rows, and p_exact. */
void skip_paired_finish(struct skip_paired *pair, size_t n);
/* Two-sided exact McNemar test of a against b rows. */
double skip_mcnemar_exact(size_t a, size_t b);

/* The same by what the data asks for (data->problem); logits [n_rows][outputs]. confusion: of classes only, may be NULL. */
enum skip_status skip_measure(const float *logits, const struct skip_dataset *data, int outputs, struct skip_metrics *out, size_t *confusion,
			      struct skip_err *err);
double skip_sigmoid(double z); /* 1/(1 + exp(-z)) */
/* Sum of squares of the targets around their means; of numbers. */
double skip_spread(const struct skip_dataset *data, int outputs);
/* compare_at: by reference's probabilities with `factor` on its logits (skip_calibrate), which compare finds on these rows. */
void skip_compare_at(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, double factor, struct skip_paired *out);
void skip_compare(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, struct skip_paired *out);
/* Mean over rows of KL(reference || candidate) of what the logits mean. */
double skip_divergence(enum skip_problem problem, const float *reference, const float *candidate, size_t n, int outputs);

int skip_argmax(const float *row, int n); /* first of equals */
/* log(sum_c exp(logits[c]/temperature)), without overflow. */
double skip_log_sum_exp(const float *logits, int n, double temperature);
void skip_softmax(const float *logits, int n, double temperature, double *out);
/* Logits become probabilities where they stand; returns log(sum_c exp(row[c])). */
double skip_softmax_in_place(double *row, int n);
/* mean over rows of KL(softmax(reference) || softmax(candidate)) */
double skip_mean_kl(const float *reference, const float *candidate, size_t n, int classes);

#endif
