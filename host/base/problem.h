/* What a head answers: one of C classes, any of C labels, or C numbers. */
#ifndef SKIP_BASE_PROBLEM_H
#define SKIP_BASE_PROBLEM_H

/*
 * The answer of a row by its logits z [C], its likelihood, and what stands in data:
 *   SINGLE_LABEL  softmax(z); the class of the largest one; a label
 *   MULTI_LABEL   sigmoid(z_c) for each label by itself, given above 0.5; any number of labels
 *   REGRESSION    z itself, normal with variance 1; C numbers
 */
enum skip_problem { SKIP_SINGLE_LABEL, SKIP_MULTI_LABEL, SKIP_REGRESSION };

/* "single_label_classification" ..., the words of config.json; NULL-terminated. */
extern const char *const skip_problem_names[];

#endif
