/*
 * Own exp, erf, tanh, the activations and their derivatives for float, float4, float8 and float16: polynomials instead of the built-ins, which some
 * CPU runtimes do not vectorise. Names and error bounds: kernels/NAMING.md; the functions themselves: maths_width.cl.
 */
#define SKIP_MATHS_WIDTH 1
#define SKIP_MATHS_FLOAT float
#define SKIP_MATHS_INT int
#include "maths_width.cl"
#undef SKIP_MATHS_WIDTH
#undef SKIP_MATHS_FLOAT
#undef SKIP_MATHS_INT
#define SKIP_MATHS_WIDTH 4
#define SKIP_MATHS_FLOAT float4
#define SKIP_MATHS_INT int4
#include "maths_width.cl"
#undef SKIP_MATHS_WIDTH
#undef SKIP_MATHS_FLOAT
#undef SKIP_MATHS_INT
#define SKIP_MATHS_WIDTH 8
#define SKIP_MATHS_FLOAT float8
#define SKIP_MATHS_INT int8
#include "maths_width.cl"
#undef SKIP_MATHS_WIDTH
#undef SKIP_MATHS_FLOAT
#undef SKIP_MATHS_INT
#define SKIP_MATHS_WIDTH 16
#define SKIP_MATHS_FLOAT float16
#define SKIP_MATHS_INT int16
#include "maths_width.cl"
#undef SKIP_MATHS_WIDTH
#undef SKIP_MATHS_FLOAT
#undef SKIP_MATHS_INT

static inline float skip_sum_f1(float v) { return v; }
static inline float skip_sum_f4(float4 v) { return (v.s0 + v.s2) + (v.s1 + v.s3); }
static inline float skip_sum_f8(float8 v) { return skip_sum_f4(v.lo + v.hi); }
static inline float skip_sum_f16(float16 v) { return skip_sum_f8(v.lo + v.hi); }

static inline float skip_max_f1(float v) { return v; }
static inline float skip_max_f4(float4 v) { return max(max(v.s0, v.s2), max(v.s1, v.s3)); }
static inline float skip_max_f8(float8 v) { return skip_max_f4(max(v.lo, v.hi)); }
static inline float skip_max_f16(float16 v) { return skip_max_f8(max(v.lo, v.hi)); }
