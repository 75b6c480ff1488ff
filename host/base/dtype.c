/* Element types: sizes, names, conversion to float and double. Sources may be unaligned (safetensors promises no alignment). */
#include "base/dtype.h"
#include <assert.h>
#include <string.h>

static const struct {
	const char *name;
	size_t size;
} dtypes[SKIP_DTYPE_COUNT] = {
    [SKIP_F64] = {"F64", 8}, [SKIP_F32] = {"F32", 4}, [SKIP_F16] = {"F16", 2}, [SKIP_BF16] = {"BF16", 2},
    [SKIP_I64] = {"I64", 8}, [SKIP_I32] = {"I32", 4}, [SKIP_I8] = {"I8", 1},   [SKIP_U8] = {"U8", 1},
};

size_t skip_dtype_size(enum skip_dtype dtype)
{
	return dtypes[dtype].size;
}

const char *skip_dtype_name(enum skip_dtype dtype)
{
	return dtypes[dtype].name;
}

static float float_of_bits(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static float half_to_float(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000U) << 16;
	uint32_t exponent = (half >> 10) & 31U;
	uint32_t fraction = half & 0x3ffU;
	if (exponent == 31) return float_of_bits(sign | 0x7f800000U | fraction << 13);
	if (exponent == 0) { /* zero and subnormals: fraction * 2^-24 */
		float value = (float)fraction * 0x1p-24f;
		return sign ? -value : value;
	}
	return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static uint16_t read_u16(const unsigned char *in)
{
	uint16_t bits;
	memcpy(&bits, in, sizeof(bits));
	return bits;
}

void skip_dtype_to_f32(enum skip_dtype dtype, const void *in, size_t n, float *out)
{
	const unsigned char *bytes = in;
	switch (dtype) {
	case SKIP_F32:
		if (n) memcpy(out, in, n * sizeof(float));
		return;
	case SKIP_F64:
		for (size_t i = 0; i < n; i++) {
			double value;
			memcpy(&value, bytes + 8 * i, sizeof(value));
			out[i] = (float)value;
		}
		return;
	case SKIP_F16:
		for (size_t i = 0; i < n; i++) out[i] = half_to_float(read_u16(bytes + 2 * i));
		return;
	case SKIP_BF16:
		for (size_t i = 0; i < n; i++) out[i] = float_of_bits((uint32_t)read_u16(bytes + 2 * i) << 16);
		return;
	default:
		assert(0 && "a floating dtype");
	}
}

void skip_dtype_to_f64(enum skip_dtype dtype, const void *in, size_t n, double *out)
{
	const unsigned char *bytes = in;
	if (dtype == SKIP_F64) {
		if (n) memcpy(out, in, n * sizeof(double));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float value;
		skip_dtype_to_f32(dtype, bytes + i * skip_dtype_size(dtype), 1, &value);
		out[i] = value;
	}
}
