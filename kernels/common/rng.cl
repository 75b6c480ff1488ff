/* Counter-based random bits: the same words give the same bits on the host (base/rng.h) and here, so dropout masks are never stored. */
#ifndef SKIP_COMMON_RNG /* included by others and asked for by name */
#define SKIP_COMMON_RNG

static inline uint skip_rng_mix(uint h)
{
	h = (h ^ (h >> 16)) * 0x7feb352du;
	h = (h ^ (h >> 15)) * 0x846ca68bu;
	return h ^ (h >> 16);
}

static inline uint skip_rng_hash(uint key, uint a, uint b)
{
	return skip_rng_mix(skip_rng_mix(skip_rng_mix(key) ^ a) ^ b);
}

#endif
