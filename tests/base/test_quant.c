#include "base/quant.h"
#include "check.h"
#include <math.h>

/* With a clip c the steps are c / 127: what lies beyond saturates, and nothing leaves +-127. */
Test(quant, a_clip_saturates)
{
	static const float clips[] = {1, 0x1p-90f, 3.7f, 127, 0x1.fffffep+90f};
	for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
		const float c = clips[i];
		const struct skip_int8_scale scale = skip_int8_scale(c);
		static const struct {
			float share;
			int wanted;
		} rows[] = {{0, 0}, {1, 127}, {-1, -127}, {1.001f, 127}, {-1.001f, -127}, {1e6f, 127}, {-1e6f, -127}, {INFINITY, 127}, {-INFINITY, -127}, {NAN, 127},
			    {0.4f / 127, 0}, {0.6f / 127, 1}, {-0.6f / 127, -1}, {126.4f / 127, 126}, {126.6f / 127, 127}};
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			const float x = rows[r].share * c, within = skip_int8_within(x, c);
			cr_expect(within >= -c && within <= c, "%g of %g", (double)x, (double)c);
			cr_expect(skip_int8_round(within, scale) == rows[r].wanted, "%g of %g is %d, not %d", (double)rows[r].share, (double)c,
				  skip_int8_round(within, scale), rows[r].wanted);
		}
		cr_expect(fabs((double)scale.scale * 127 / (double)c - 1) < 1e-6);
	}
}
