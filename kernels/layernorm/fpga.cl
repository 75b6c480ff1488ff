/*
 * Layer normalisation on an FPGA: tiles of T rows on the chip, a word of 16 numbers a cycle. Words of a row are summed in halves and added in order; the loop
 * over the rows is the inner one, so that a float adder is kept busy.
 *
 * r = 1/sqrt(var + EPS), y = gamma (x - mean) r + beta. D: columns; EPS above 0; T: rows of a tile.
 */
#ifndef SKIP_LAYERNORM_D
#error "SKIP_LAYERNORM_D: columns"
#endif
#ifndef SKIP_LAYERNORM_EPS
#error "SKIP_LAYERNORM_EPS: added to the variance"
#endif
#ifndef SKIP_LAYERNORM_T
#error "SKIP_LAYERNORM_T: rows of a tile"
#endif
#define SKIP_LAYERNORM_W ((SKIP_LAYERNORM_D + SKIP_WORD - 1) / SKIP_WORD)

SKIP_TASK SKIP_LAYERNORM_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT x, /* [rows][D] */
	SKIP_GLOBAL const float *SKIP_RESTRICT gamma, /* [D] */
	SKIP_GLOBAL const float *SKIP_RESTRICT beta, /* [D] */
	SKIP_GLOBAL float *SKIP_RESTRICT y, /* [rows][D] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_D > 0 && SKIP_LAYERNORM_T > 0);
	for (int row0 = 0; row0 < rows; row0 += SKIP_LAYERNORM_T) {
		skip_floats tile[SKIP_LAYERNORM_T * SKIP_LAYERNORM_W];
		float sum[SKIP_LAYERNORM_T], mean[SKIP_LAYERNORM_T];
		for (int m = 0; m < SKIP_LAYERNORM_T; m++) {
			sum[m] = 0.0f;
			SKIP_PIPE
			for (int w = 0; w < SKIP_LAYERNORM_W; w++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const int d = w * SKIP_WORD + l;
					tile[m * SKIP_LAYERNORM_W + w].v[l] = d < SKIP_LAYERNORM_D && row0 + m < rows ? x[(size_t)(row0 + m) * SKIP_LAYERNORM_D + d] : 0.0f;
				}
			}
		}
		for (int w = 0; w < SKIP_LAYERNORM_W; w++) {
			SKIP_PIPE
			for (int m = 0; m < SKIP_LAYERNORM_T; m++) {
				skip_floats part = tile[m * SKIP_LAYERNORM_W + w];
				sum[m] = sum[m] + skip_sum_m16(part.v);
			}
		}
		for (int m = 0; m < SKIP_LAYERNORM_T; m++) {
			mean[m] = sum[m] / (float)SKIP_LAYERNORM_D;
			sum[m] = 0.0f;
		}
		for (int w = 0; w < SKIP_LAYERNORM_W; w++) {
			SKIP_PIPE
			for (int m = 0; m < SKIP_LAYERNORM_T; m++) {
				float part[SKIP_WORD];
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const float off = w * SKIP_WORD + l < SKIP_LAYERNORM_D ? tile[m * SKIP_LAYERNORM_W + w].v[l] - mean[m] : 0.0f;
					part[l] = off * off;
				}
				sum[m] = sum[m] + skip_sum_m16(part);
			}
		}
		for (int m = 0; m < SKIP_LAYERNORM_T; m++) {
			const float r = 1.0f / SKIP_SQRT(sum[m] / (float)SKIP_LAYERNORM_D + SKIP_LAYERNORM_EPS);
			SKIP_PIPE
			for (int w = 0; w < SKIP_LAYERNORM_W; w++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const int d = w * SKIP_WORD + l;
					if (d < SKIP_LAYERNORM_D && row0 + m < rows)
						y[(size_t)(row0 + m) * SKIP_LAYERNORM_D + d] = gamma[d] * ((tile[m * SKIP_LAYERNORM_W + w].v[l] - mean[m]) * r) + beta[d];
				}
			}
		}
	}
}
#undef SKIP_LAYERNORM_W
