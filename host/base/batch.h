/*
 * A packed batch: sequences lie end to end, no padding token exists.
 * T tokens, B sequences; rows of sequence b are offset[b] .. offset[b+1]-1.
 */
#ifndef SKIP_BASE_BATCH_H
#define SKIP_BASE_BATCH_H

#include <stdint.h>

struct skip_batch {
	int n_tokens;          /* T */
	int n_seqs;            /* B */
	const int32_t *ids;    /* [T] */
	const int32_t *types;  /* [T] token type ids */
	const int32_t *offset; /* [B+1], offset[0] = 0, strictly increasing, offset[B] = T */
};

#endif
