/*
 * Rows as lanes: a vector holds one number of WIDTH rows, for bodies that work on that many rows side by side. lanes_width.cl has the functions:
 *
 *   skip_lanes_take_f16(x, stride, width, rows, lanes)            lanes[e] = column e of `rows` rows of x, lanes behind them see the last row; bits only move
 *   skip_lanes_load_f16(x, stride, width, rows, factor, lanes)    the same times `factor`
 *   skip_lanes_store_f16(lanes, stride, width, rows, y)           the first `rows` lanes become rows of y; no column outside `width` is touched
 *   skip_lanes_spread_f16(sums, n, width, factor, stride, y)      row t of n is factor * sums[t], which lie in whole vectors
 *   skip_lanes_turn_f16(t)                                        a square transposition in place
 */
#define SKIP_LANES_WIDTH 4
#define SKIP_LANES_LOW(a, b) (float4)(a.s0, b.s0, a.s1, b.s1)
#define SKIP_LANES_HIGH(a, b) (float4)(a.s2, b.s2, a.s3, b.s3)
#include "lanes_width.cl"
#undef SKIP_LANES_WIDTH
#undef SKIP_LANES_LOW
#undef SKIP_LANES_HIGH
#define SKIP_LANES_WIDTH 8
#define SKIP_LANES_LOW(a, b) (float8)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define SKIP_LANES_HIGH(a, b) (float8)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#include "lanes_width.cl"
#undef SKIP_LANES_WIDTH
#undef SKIP_LANES_LOW
#undef SKIP_LANES_HIGH
#define SKIP_LANES_WIDTH 16
#define SKIP_LANES_LOW(a, b) (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define SKIP_LANES_HIGH(a, b) (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#include "lanes_width.cl"
#undef SKIP_LANES_WIDTH
#undef SKIP_LANES_LOW
#undef SKIP_LANES_HIGH
