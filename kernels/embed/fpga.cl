/*
 * x[t] = word[ids[t]] + position[POSITION_BASE + positions[t]] + type[types[t]] on an FPGA, a word of 16 numbers a cycle.
 *
 * D: columns; POSITION_BASE: first position id; TYPES 0 or 1: are the type arguments there.
 */
#ifndef SKIP_EMBED_D
#error "SKIP_EMBED_D: columns"
#endif
#ifndef SKIP_EMBED_POSITION_BASE
#error "SKIP_EMBED_POSITION_BASE: first position id"
#endif
#ifndef SKIP_EMBED_TYPES
#error "SKIP_EMBED_TYPES: 0 or 1"
#endif

SKIP_TASK SKIP_EMBED_NAME(
	SKIP_GLOBAL const int *SKIP_RESTRICT ids, /* [T] */
	SKIP_GLOBAL const int *SKIP_RESTRICT positions, /* [T] */
#if SKIP_EMBED_TYPES
	SKIP_GLOBAL const int *SKIP_RESTRICT types, /* [T] */
#endif
	SKIP_GLOBAL const float *SKIP_RESTRICT word, /* [V][D] */
	SKIP_GLOBAL const float *SKIP_RESTRICT position, /* [N][D] */
#if SKIP_EMBED_TYPES
	SKIP_GLOBAL const float *SKIP_RESTRICT type, /* [M][D] */
#endif
	SKIP_GLOBAL float *SKIP_RESTRICT x, /* [T][D] */
	int tokens)
{
	SKIP_REQUIRE(sizes, SKIP_EMBED_D > 0 && SKIP_EMBED_POSITION_BASE >= 0);
	for (int t = 0; t < tokens; t++) {
		const size_t w = (size_t)ids[t] * SKIP_EMBED_D, p = (size_t)(SKIP_EMBED_POSITION_BASE + positions[t]) * SKIP_EMBED_D;
#if SKIP_EMBED_TYPES
		const size_t k = (size_t)types[t] * SKIP_EMBED_D;
#endif
		SKIP_PIPE
		for (int first = 0; first < SKIP_EMBED_D; first += SKIP_WORD) {
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) {
				const int d = first + l;
				if (d >= SKIP_EMBED_D) continue;
				float sum = word[w + d] + position[p + d];
#if SKIP_EMBED_TYPES
				sum = sum + type[k + d];
#endif
				x[(size_t)t * SKIP_EMBED_D + d] = sum;
			}
		}
	}
}
