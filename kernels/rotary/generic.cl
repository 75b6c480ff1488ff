/*
 * One pair of columns of one row per work-item; dimension 0 walks pairs, dimension 1 rows.
 *
 * With the columns of a head in two halves, column e of the first and e of the second turn together by place * frequency:
 *   low' = low cos - high sin, high' = high cos + low sin; INVERSE 1: by minus that angle.
 * H heads; HALF: pairs of a head; ROWS_B 1: one row per sequence, its first or with LAST 1 its last token; 0: one per token.
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

__kernel __attribute__((reqd_work_group_size(SKIP_ROTARY_GROUP))) void SKIP_ROTARY_NAME(
	__global const float *restrict x,         /* [T or B][H*2*HALF] */
	__global const float *restrict frequency, /* [H*2*HALF] */
#if SKIP_ROTARY_ROWS_B
	__global const int *restrict offset, /* [B+1] */
#else
	__global const int *restrict positions, /* [T] */
#endif
	__global float *restrict y) /* [T or B][H*2*HALF] */
{
	SKIP_REQUIRE(sizes, SKIP_ROTARY_H > 0 && SKIP_ROTARY_HALF > 0);
	const uint pair = (uint)get_global_id(0), row = (uint)get_global_id(1);
	if (pair >= SKIP_ROTARY_H * SKIP_ROTARY_HALF) return;
#if SKIP_ROTARY_ROWS_B
	const float place = SKIP_ROTARY_LAST ? (float)(offset[row + 1] - offset[row] - 1) : 0.0f;
#else
	const float place = (float)positions[row];
#endif
	const uint low = pair / SKIP_ROTARY_HALF * (2 * SKIP_ROTARY_HALF) + pair % SKIP_ROTARY_HALF;
	const uint i = row * (SKIP_ROTARY_H * 2 * SKIP_ROTARY_HALF) + low;
	const float angle = place * frequency[low], c = cos(angle), s = SKIP_ROTARY_INVERSE ? -sin(angle) : sin(angle);
	const float a = x[i], b = x[i + SKIP_ROTARY_HALF];
	y[i] = fma(a, c, -b * s);
	y[i + SKIP_ROTARY_HALF] = fma(b, c, a * s);
}
