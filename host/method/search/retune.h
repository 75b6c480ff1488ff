/* Re-tuning what pruning left, taught by the dense network (docs/method.md 6). */
#ifndef SKIP_METHOD_RETUNE_H
#define SKIP_METHOD_RETUNE_H

#include "method/search/prober.h"

/* Tuning that starts from what is there: prompt and head at a third of their rates, weights (with `full`) at 1e-4. */
void skip_retune_defaults(struct skip_tune_options *options);

/*
 * Distils the dense network into the candidate: prompt and head, with options->retune.full the kept weights too, for
 * options->retune_epochs. The rows are options->retune_rows, else the training rows; rows without labels follow the teacher alone and are
 * judged by how often its answer is theirs. The selection rows decide the epoch and whether anything changes, and a margin that was kept on
 * dev is not given up.
 */
enum skip_status skip_retune(struct skip_prober *prober, struct skip_candidate *candidate, struct skip_err *err);

#endif
