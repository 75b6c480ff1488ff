/* Cross-entropy with distillation: loss.h. */
#include "method/tune/loss.h"
#include "method/metrics.h"
#include <math.h>

/* Underflow to 0 is no reason to stop, not-a-number is: it must come through. */
static double safe_log(double x)
{
	return log(x < 1e-300 ? 1e-300 : x);
}

double skip_tune_loss(const float *logits, const int32_t *label, int n_seqs, int classes, const float *teacher, const int *teacher_row,
		      double kd_weight, double kd_temperature, double *scratch, float *dlogits)
{
	double *p = scratch, *t = scratch + classes, loss = 0;
	double hard = teacher ? 1 - kd_weight : 1, share = 1 / (double)n_seqs;
	for (int b = 0; b < n_seqs; b++) {
		const float *row = logits + (int64_t)b * classes;
		float *grad = dlogits + (int64_t)b * classes;
		skip_softmax(row, classes, 1, p);
		loss -= hard * safe_log(p[label[b]]);
		for (int c = 0; c < classes; c++) grad[c] = (float)(share * hard * (p[c] - (c == label[b])));
		if (!teacher) continue;
		skip_softmax(row, classes, kd_temperature, p);
		skip_softmax(teacher + (int64_t)teacher_row[b] * classes, classes, kd_temperature, t);
		for (int c = 0; c < classes; c++) {
			loss += kd_weight * kd_temperature * kd_temperature * t[c] * (safe_log(t[c]) - safe_log(p[c]));
			grad[c] += (float)(share * kd_weight * kd_temperature * (p[c] - t[c]));
		}
	}
	return loss * share;
}
