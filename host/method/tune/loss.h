/* Loss of one training batch and its gradient at the logits, on the host in double. */
#ifndef SKIP_METHOD_TUNE_LOSS_H
#define SKIP_METHOD_TUNE_LOSS_H

#include <stdint.h>

/*
 * J = (1-w) CE(y, p) + w tau^2 KL(teacher^tau || p^tau), mean over the batch (docs/method.md 2.8, 7). `teacher` [C] rows through
 * teacher_row[b] of `teacher` [n][C], or NULL: w counts as 0. Writes dlogits [B][C] = dJ/dlogits and returns J. `scratch` [2*C].
 */
double skip_tune_loss(const float *logits, const int32_t *label, int n_seqs, int classes, const float *teacher, const int *teacher_row,
		      double kd_weight, double kd_temperature, double *scratch, float *dlogits);

#endif
