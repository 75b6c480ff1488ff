#include "base/problem.h"

const char *const skip_problem_names[] = {"single_label_classification", "multi_label_classification", "regression", 0};
