/* Calibration rows: sentences drawn from the training data, packed into batches for the device. */
#ifndef SKIP_METHOD_SEARCH_CALIBRATION_H
#define SKIP_METHOD_SEARCH_CALIBRATION_H

#include "graph/graph.h"
#include "text/dataset.h"

struct skip_calibration {
	struct skip_dataset data;   /* the sentences drawn */
	struct skip_packer *packer; /* [n_batches], sorted by length */
	size_t n_batches, n_rows;   /* n_rows: tokens of all batches */
	int *first_row, *last_row;  /* [data.n_rows] of each sentence, in order of the batches */
};

/* Draws at most `sentences` sentences and about `tokens` tokens of `data` (at least one sentence), the same ones for a seed. */
enum skip_status skip_calibration_init(const struct skip_dataset *data, int sentences, int64_t tokens, uint64_t seed,
				       struct skip_calibration *out, struct skip_err *err);
/* How the graph makes one row of a sentence; SKIP_POOL_MEAN where no single row does. */
enum skip_pool skip_calibration_pool(const struct skip_graph *graph);
/* Accepts a zeroed one. */
void skip_calibration_deinit(struct skip_calibration *calibration);

#endif
