#include "base/dtype.h"
#include "check.h"
#include <string.h>

Test(dtype, names_and_sizes)
{
	static const struct {
		enum skip_dtype dtype;
		const char *name;
		size_t size;
	} rows[] = {{SKIP_F64, "F64", 8}, {SKIP_F32, "F32", 4}, {SKIP_F16, "F16", 2}, {SKIP_BF16, "BF16", 2},
	            {SKIP_I64, "I64", 8}, {SKIP_I32, "I32", 4}, {SKIP_I8, "I8", 1},   {SKIP_U8, "U8", 1}};
	cr_assert(eq(sz, sizeof(rows) / sizeof(*rows), SKIP_DTYPE_COUNT));
	for (size_t i = 0; i < SKIP_DTYPE_COUNT; i++) {
		cr_expect(eq(str, (char *)skip_dtype_name(rows[i].dtype), (char *)rows[i].name));
		cr_expect(eq(sz, skip_dtype_size(rows[i].dtype), rows[i].size));
	}
}

/* All 65536 half floats, against their value computed from sign, exponent and fraction. */
Test(dtype, every_half_is_exact)
{
	for (uint32_t bits = 0; bits < 65536; bits++) {
		uint16_t half = (uint16_t)bits;
		int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
		double wanted = exponent == 0    ? ldexp(fraction, -24)
		                : exponent == 31 ? (fraction ? NAN : INFINITY)
		                                 : ldexp(1024 + fraction, exponent - 25);
		if (bits >> 15) wanted = -wanted;
		float single;
		double real;
		skip_dtype_to_f32(SKIP_F16, &half, 1, &single);
		skip_dtype_to_f64(SKIP_F16, &half, 1, &real);
		if (isnan(wanted)) {
			cr_assert(isnan(single) && isnan(real));
			continue;
		}
		cr_assert(single == wanted && real == wanted && !signbit(wanted) == !signbit(single), "half %04x", bits);
	}
}

Test(dtype, brain_floats_are_the_upper_half_of_a_float)
{
	for (uint32_t bits = 0; bits < 65536; bits++) {
		uint16_t brain = (uint16_t)bits;
		uint32_t found;
		float single;
		skip_dtype_to_f32(SKIP_BF16, &brain, 1, &single);
		memcpy(&found, &single, sizeof(found));
		cr_assert(isnan(single) ? (found & 0x7f800000) == 0x7f800000 : found == bits << 16, "brain float %04x", bits);
	}
}

Test(dtype, sources_may_lie_anywhere)
{
	unsigned char bytes[8 * 7 + 1];
	float single[7];
	double real[7], back[7];
	for (int i = 0; i < 7; i++) real[i] = i / 3.0;
	memcpy(bytes + 1, real, sizeof(real));
	skip_dtype_to_f64(SKIP_F64, bytes + 1, 7, back);
	cr_assert(memcmp(real, back, sizeof(real)) == 0);
	skip_dtype_to_f32(SKIP_F64, bytes + 1, 7, single);
	for (int i = 0; i < 7; i++) cr_assert(single[i] == (float)real[i]);
	memcpy(bytes + 1, single, sizeof(single));
	skip_dtype_to_f64(SKIP_F32, bytes + 1, 7, back);
	for (int i = 0; i < 7; i++) cr_assert(back[i] == (double)single[i]);
	skip_dtype_to_f32(SKIP_F32, NULL, 0, NULL);
}
