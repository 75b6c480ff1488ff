/* Counter-based bits and named sequential streams. The OpenCL twin of skip_rng_hash is kernels/common/rng.cl. */
#include "base/rng.h"
#include <assert.h>
#include <math.h>

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	x *= 0x846ca68bU;
	x ^= x >> 16;
	return x;
}

uint32_t skip_rng_hash(uint32_t key, uint32_t a, uint32_t b)
{
	return mix(mix(mix(key) ^ a) ^ b);
}

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014. */
uint64_t skip_rng_next(struct skip_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void skip_rng_init(struct skip_rng *rng, uint64_t seed, const char *stream)
{
	uint64_t name = 0xcbf29ce484222325ULL; /* FNV-1a */
	for (const char *c = stream; *c; c++) name = (name ^ (unsigned char)*c) * 0x100000001b3ULL;
	/* One step of the generator between seed and name, so that neighbouring seeds do not give shifted copies of one stream. */
	rng->state = seed;
	rng->state = skip_rng_next(rng) ^ name;
	rng->state = skip_rng_next(rng);
}

double skip_rng_uniform(struct skip_rng *rng)
{
	return (double)(skip_rng_next(rng) >> 11) * 0x1p-53;
}

double skip_rng_normal(struct skip_rng *rng)
{
	double radius = sqrt(-2.0 * log(1.0 - skip_rng_uniform(rng)));
	return radius * cos(6.283185307179586476925 * skip_rng_uniform(rng));
}

uint64_t skip_rng_below(struct skip_rng *rng, uint64_t n)
{
	assert(n > 0);
	uint64_t reject = (0 - n) % n; /* 2^64 mod n: below it the residues are not equally frequent */
	uint64_t r;
	do r = skip_rng_next(rng);
	while (r < reject);
	return r % n;
}

void skip_rng_permute(struct skip_rng *rng, int *order, size_t n)
{
	for (size_t i = 0; i < n; i++) order[i] = (int)i;
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)skip_rng_below(rng, i);
		int other = order[j];
		order[j] = order[i - 1];
		order[i - 1] = other;
	}
}
