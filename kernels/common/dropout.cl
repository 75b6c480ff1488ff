/*
 * Factors of dropped and kept elements: 0, or `scale` = 1/(1-rate), decided by the hash of (key, stream, index) against `threshold` = rate
 * * 2^32. skip_dropout_f4, f8, f16 give the factors of `index` and the elements behind it, the same bits as one by one.
 */
#include "rng.cl"

static inline float skip_dropout_f1(uint key, uint stream, uint index, uint threshold, float scale)
{
	return skip_rng_hash(key, stream, index) >= threshold ? scale : 0.0f;
}

#define SKIP_DROPOUT_LANES(lanes, ...)                                                                                                    \
	static inline float##lanes skip_dropout_f##lanes(uint key, uint stream, uint index, uint threshold, float scale)                  \
	{                                                                                                                                 \
		const uint##lanes i = (uint##lanes)(index) + (uint##lanes)(__VA_ARGS__);                                                  \
		uint##lanes h = (uint##lanes)(skip_rng_mix(skip_rng_mix(key) ^ stream)) ^ i;                                              \
		h = (h ^ (h >> 16)) * 0x7feb352du;                                                                                        \
		h = (h ^ (h >> 15)) * 0x846ca68bu;                                                                                        \
		h = h ^ (h >> 16);                                                                                                        \
		return select((float##lanes)(0.0f), (float##lanes)(scale), h >= (uint##lanes)(threshold));                                \
	}
SKIP_DROPOUT_LANES(4, 0, 1, 2, 3)
SKIP_DROPOUT_LANES(8, 0, 1, 2, 3, 4, 5, 6, 7)
SKIP_DROPOUT_LANES(16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#undef SKIP_DROPOUT_LANES
