/*
 * How much accuracy a changed network has lost, believed from two witnesses (docs/method.md 4): labels, which on few rows say little of the few answers that
 * changed, and the reference network's own probabilities, which say of every changed answer how much more likely the old one was.
 */
#ifndef SKIP_METHOD_BELIEF_H
#define SKIP_METHOD_BELIEF_H

#include "method/metrics.h"

/* Fills pair's expected, estimate and estimate_se beside drop and drop_se, which are there. Logits [n_rows][outputs]; data labelled; `factor` of skip_calibrate. */
void skip_believe(const float *reference, const float *candidate, const struct skip_dataset *data, int outputs, double factor, struct skip_paired *pair);

/* The factor on logits with the least loss on data's labels, in [1/16, 16]; 1 for numbers. The loss is convex in it. */
double skip_calibrate(const float *logits, const struct skip_dataset *data, int outputs);

#endif
