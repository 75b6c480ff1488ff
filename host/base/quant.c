/* Rounding to bfloat16 and int8. */
#include "base/quant.h"
#include <math.h>
#include <string.h>

uint16_t skip_bf16_round(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof(bits));
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float skip_bf16_value(uint16_t bits)
{
	uint32_t wide = (uint32_t)bits << 16;
	float value;
	memcpy(&value, &wide, sizeof(value));
	return value;
}

struct skip_int8_scale skip_int8_scale(float largest)
{
	return (struct skip_int8_scale){.scale = largest * 0x1.020408p-7f, .inverse = largest > 0x1p-100f ? 127.0f / largest : 0.0f};
}

float skip_int8_within(float x, float clip)
{
	const float low = x < clip ? x : clip;
	return low > -clip ? low : -clip;
}

int8_t skip_int8_round(float x, struct skip_int8_scale scale)
{
	/* Adding 1.5 * 2^23 leaves the nearest integer in the low bits; the fused multiply-add makes it one rounding. */
	float shifted = fmaf(x, scale.inverse, 0x1.8p+23f);
	uint32_t bits;
	memcpy(&bits, &shifted, sizeof(bits));
	return (int8_t)(uint8_t)bits;
}
