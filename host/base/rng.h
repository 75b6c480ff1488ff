/*
 * Random numbers, two kinds.
 *
 * Counter-based (skip_rng_hash): a pure function of its key words; the OpenCL kernels compute the very same bits (kernels/common/rng.cl),
 * so dropout masks are recomputed and never stored. Sequential (struct skip_rng): named streams fed by one seed (docs/method.md 2.5).
 */
#ifndef SKIP_BASE_RNG_H
#define SKIP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* 32 mixed bits of (key, a, b): two rounds of a 32-bit finaliser (multiply 0x7feb352d, 0x846ca68b; shifts 16, 15, 16) over
 * h = mix(mix(mix(key) ^ a) ^ b). */
uint32_t skip_rng_hash(uint32_t key, uint32_t a, uint32_t b);

struct skip_rng {
	uint64_t state; /* splitmix64 */
};

/* A stream is named ("init", "order", "dropout", "split", "calibration"), so adding one never shifts another. */
void skip_rng_init(struct skip_rng *rng, uint64_t seed, const char *stream);
uint64_t skip_rng_next(struct skip_rng *rng);
double skip_rng_uniform(struct skip_rng *rng);               /* [0, 1) */
double skip_rng_normal(struct skip_rng *rng);                /* mean 0, variance 1 (Box-Muller, no cached half) */
uint64_t skip_rng_below(struct skip_rng *rng, uint64_t n);   /* unbiased, n > 0 */
void skip_rng_permute(struct skip_rng *rng, int *order, size_t n); /* fills 0..n-1, shuffled (Fisher-Yates) */

#endif
