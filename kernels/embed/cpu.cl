/*
 * x[t] = word[ids[t]] + position[POSITION_BASE + positions[t]] + type[types[t]]; ROWS rows per work-item, VEC columns at a time. The last
 * vector of a row is moved back so that it ends with the row: it repeats columns already written, with the same values.
 *
 * D: columns, at least VEC; POSITION_BASE: first position id; POSITIONS, TYPES 0 or 1: are their arguments there.
 */
#ifndef SKIP_EMBED_D
#error "SKIP_EMBED_D: columns"
#endif
#ifndef SKIP_EMBED_POSITION_BASE
#error "SKIP_EMBED_POSITION_BASE: first position id"
#endif
#ifndef SKIP_EMBED_POSITIONS
#error "SKIP_EMBED_POSITIONS: 0 or 1"
#endif
#ifndef SKIP_EMBED_TYPES
#error "SKIP_EMBED_TYPES: 0 or 1"
#endif
#ifndef SKIP_EMBED_ROWS
#error "SKIP_EMBED_ROWS: rows per work-item"
#endif
#ifndef SKIP_EMBED_VEC
#error "SKIP_EMBED_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_EMBED_F SKIP_PASTE(float, SKIP_EMBED_VEC)
#define SKIP_EMBED_LOAD(i, p) SKIP_AT(__global const, float, SKIP_EMBED_VEC, i, p)
#define SKIP_EMBED_STORE(v, i, p) SKIP_AT(__global, float, SKIP_EMBED_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_EMBED_GROUP) void SKIP_EMBED_NAME(
	SKIP_ITEM
	__global const int *restrict ids, /* [T] */
#if SKIP_EMBED_POSITIONS
	__global const int *restrict positions, /* [T] */
#endif
#if SKIP_EMBED_TYPES
	__global const int *restrict types, /* [T] */
#endif
	__global const float *restrict word, /* [V][D] */
#if SKIP_EMBED_POSITIONS
	__global const float *restrict position, /* [N][D] */
#endif
#if SKIP_EMBED_TYPES
	__global const float *restrict type, /* [M][D] */
#endif
	__global float *restrict x, /* [T][D] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_EMBED_D >= SKIP_EMBED_VEC && SKIP_EMBED_POSITION_BASE >= 0 && SKIP_EMBED_ROWS > 0);
	const uint row = SKIP_ID(0) * SKIP_EMBED_ROWS, row_end = min(row + SKIP_EMBED_ROWS, (uint)rows);
	for (uint t = row; t < row_end; t++) {
		__global const float *w = word + (uint)ids[t] * SKIP_EMBED_D;
#if SKIP_EMBED_POSITIONS
		__global const float *p = position + (uint)(SKIP_EMBED_POSITION_BASE + positions[t]) * SKIP_EMBED_D;
#endif
#if SKIP_EMBED_TYPES
		__global const float *k = type + (uint)types[t] * SKIP_EMBED_D;
#endif
		for (uint from = 0; from < SKIP_EMBED_D; from += SKIP_EMBED_VEC) {
			const uint d = min(from, (uint)(SKIP_EMBED_D - SKIP_EMBED_VEC));
			SKIP_EMBED_F sum = SKIP_EMBED_LOAD(0, w + d);
#if SKIP_EMBED_POSITIONS
			sum += SKIP_EMBED_LOAD(0, p + d);
#endif
#if SKIP_EMBED_TYPES
			sum += SKIP_EMBED_LOAD(0, k + d);
#endif
			SKIP_EMBED_STORE(sum, 0, x + t * SKIP_EMBED_D + d);
		}
	}
}
#undef SKIP_EMBED_F
#undef SKIP_EMBED_LOAD
#undef SKIP_EMBED_STORE
