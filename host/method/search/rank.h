/* Ranking of units by score. */
#ifndef SKIP_METHOD_SEARCH_RANK_H
#define SKIP_METHOD_SEARCH_RANK_H

#include "base/err.h"

/* Clears the `n_gone` lowest of score[0..n-1] in keep [n]; of equals the first stays. */
enum skip_status skip_rank_drop_lowest(const double *score, int n, int n_gone, unsigned char *keep, struct skip_err *err);

#endif
