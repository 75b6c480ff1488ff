/*
 * Rounding to the short types products are taken in. Kernels do the same to the bit: kernels/linear/dot.cl, generic_dot.cl.
 */
#ifndef SKIP_BASE_QUANT_H
#define SKIP_BASE_QUANT_H

#include <stddef.h>
#include <stdint.h>

/* The nearest bfloat16, ties to even, as its bits; and its value. */
uint16_t skip_bf16_round(float x);
float skip_bf16_value(uint16_t bits);

/*
 * Symmetric int8 with one scale for all n numbers: x ~ scale * q, scale = max |x| / 127, q = x / scale to the nearest, ties to even, within +-127.
 * Numbers that are all below 2^-100 become zero.
 */
struct skip_int8_scale {
	float scale, inverse; /* inverse: what x is multiplied by before rounding */
};
struct skip_int8_scale skip_int8_scale(float largest);
int8_t skip_int8_round(float x, struct skip_int8_scale scale);
/* For a scale that is given: x kept within +-clip, where clip is what becomes 127. NaN becomes clip. */
float skip_int8_within(float x, float clip);

#endif
