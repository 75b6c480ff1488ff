/*
 * One row per work-item, VEC pairs at a time. The last vector of a half is moved back so that it ends with the half: it repeats columns already
 * written, with the same values.
 *
 * With the columns of a head in two halves, column e of the first and e of the second turn together by place * frequency:
 *   low' = low cos - high sin, high' = high cos + low sin; INVERSE 1: by minus that angle.
 * H heads; HALF: pairs of a head, at least VEC; ROWS_B 1: one row per sequence, its first or with LAST 1 its last token; 0: one per token.
 */
#ifndef SKIP_ROTARY_H
#error "SKIP_ROTARY_H: heads"
#endif
#ifndef SKIP_ROTARY_HALF
#error "SKIP_ROTARY_HALF: pairs of a head"
#endif
#ifndef SKIP_ROTARY_INVERSE
#error "SKIP_ROTARY_INVERSE: 0 or 1"
#endif
#ifndef SKIP_ROTARY_ROWS_B
#error "SKIP_ROTARY_ROWS_B: 0 or 1"
#endif
#ifndef SKIP_ROTARY_LAST
#error "SKIP_ROTARY_LAST: 0 or 1"
#endif
#ifndef SKIP_ROTARY_VEC
#error "SKIP_ROTARY_VEC: lanes, 4, 8 or 16"
#endif
#define SKIP_ROTARY_F SKIP_PASTE(float, SKIP_ROTARY_VEC)
#define SKIP_ROTARY_LOAD(i, p) SKIP_AT(__global const, float, SKIP_ROTARY_VEC, i, p)
#define SKIP_ROTARY_STORE(v, i, p) SKIP_AT(__global, float, SKIP_ROTARY_VEC, i, p) = (v)

SKIP_KERNEL(SKIP_ROTARY_GROUP) void SKIP_ROTARY_NAME(
	SKIP_ITEM
	__global const float *restrict x,         /* [T or B][H*2*HALF] */
	__global const float *restrict frequency, /* [H*2*HALF] */
#if SKIP_ROTARY_ROWS_B
	__global const int *restrict offset, /* [B+1] */
#else
	__global const int *restrict positions, /* [T] */
#endif
	__global float *restrict y) /* [T or B][H*2*HALF] */
{
	SKIP_REQUIRE(sizes, SKIP_ROTARY_H > 0 && SKIP_ROTARY_HALF >= SKIP_ROTARY_VEC);
	const uint row = SKIP_ID(0);
#if SKIP_ROTARY_ROWS_B
	const float place = SKIP_ROTARY_LAST ? (float)(offset[row + 1] - offset[row] - 1) : 0.0f;
#else
	const float place = (float)positions[row];
#endif
	x += row * (SKIP_ROTARY_H * 2 * SKIP_ROTARY_HALF);
	y += row * (SKIP_ROTARY_H * 2 * SKIP_ROTARY_HALF);
	for (uint head = 0; head < SKIP_ROTARY_H; head++) {
		for (uint from = 0; from < SKIP_ROTARY_HALF; from += SKIP_ROTARY_VEC) {
			const uint low = head * (2 * SKIP_ROTARY_HALF) + min(from, (uint)(SKIP_ROTARY_HALF - SKIP_ROTARY_VEC));
			const uint high = low + SKIP_ROTARY_HALF;
			const SKIP_ROTARY_F angle = place * SKIP_ROTARY_LOAD(0, frequency + low), c = cos(angle);
			const SKIP_ROTARY_F s = SKIP_ROTARY_INVERSE ? -sin(angle) : sin(angle);
			const SKIP_ROTARY_F a = SKIP_ROTARY_LOAD(0, x + low), b = SKIP_ROTARY_LOAD(0, x + high);
			SKIP_ROTARY_STORE(fma(a, c, -b * s), 0, y + low);
			SKIP_ROTARY_STORE(fma(b, c, a * s), 0, y + high);
		}
	}
}
#undef SKIP_ROTARY_F
#undef SKIP_ROTARY_LOAD
#undef SKIP_ROTARY_STORE
