/*
 * A matrix product on an FPGA: tiles of T rows on the chip, the weights streamed past them once a tile, P outputs a cycle, each the dot product of a word.
 *
 * y[m][n] = act(sum_k x[m][k] w[n][k] + bias[n]) + residual[m][n]. A word is 16 floats, summed in halves, words in order; with INT it is 64 int8, x and w
 * rounded as host/base/quant.h says, sums exact in int32. The loop over the rows of a tile is the inner one: T independent sums keep a float adder busy.
 * K N: depth and columns; T: rows of a tile, at least the latency of an addition; P: outputs a cycle; INT 0 or 1; ACT: skip_none skip_gelu skip_gelu_tanh
 * skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1.
 */
#ifndef SKIP_LINEAR_K
#error "SKIP_LINEAR_K: depth of the product"
#endif
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_T
#error "SKIP_LINEAR_T: rows of a tile"
#endif
#ifndef SKIP_LINEAR_P
#error "SKIP_LINEAR_P: outputs a cycle"
#endif
#ifndef SKIP_LINEAR_INT
#error "SKIP_LINEAR_INT: 0 or 1"
#endif
#ifndef SKIP_LINEAR_ACT
#error "SKIP_LINEAR_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_LINEAR_BIAS
#error "SKIP_LINEAR_BIAS: 0 or 1"
#endif
#ifndef SKIP_LINEAR_RESIDUAL
#error "SKIP_LINEAR_RESIDUAL: 0 or 1"
#endif
/* Words of a row of x as it comes and as it is multiplied; rows of a weight panel, P words of 32 bits each; and words of 64 bytes that pass at once. */
#define SKIP_LINEAR_XW ((SKIP_LINEAR_K + SKIP_WORD - 1) / SKIP_WORD)
#if SKIP_LINEAR_INT
#define SKIP_LINEAR_KW ((SKIP_LINEAR_K + 63) / 64)
#define SKIP_LINEAR_DEPTH ((SKIP_LINEAR_K + 3) / 4)
#define SKIP_LINEAR_PANEL ((SKIP_LINEAR_DEPTH + 2) * SKIP_LINEAR_P)
#define SKIP_LINEAR_WEIGHT int
#define SKIP_LINEAR_TOKEN skip_ints
#else
#define SKIP_LINEAR_KW SKIP_LINEAR_XW
#define SKIP_LINEAR_DEPTH SKIP_LINEAR_K
#define SKIP_LINEAR_PANEL (SKIP_LINEAR_DEPTH * SKIP_LINEAR_P)
#define SKIP_LINEAR_WEIGHT float
#define SKIP_LINEAR_TOKEN skip_floats
#endif

SKIP_TASK SKIP_LINEAR_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT x, /* [rows][K] */
	SKIP_GLOBAL const SKIP_LINEAR_WEIGHT *SKIP_RESTRICT w, /* panels of P columns: [ceil(N/P)][DEPTH][P], INT: then scales [P] and starts of sums [P] */
#if SKIP_LINEAR_BIAS
	SKIP_GLOBAL const float *SKIP_RESTRICT bias, /* [N] */
#endif
#if SKIP_LINEAR_RESIDUAL
	SKIP_GLOBAL const float *SKIP_RESTRICT residual, /* [rows][N] */
#endif
	SKIP_GLOBAL float *SKIP_RESTRICT y, /* [rows][N] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_K > 0 && SKIP_LINEAR_N > 0 && SKIP_LINEAR_T > 0 && SKIP_LINEAR_P > 0 && SKIP_LINEAR_K <= 65536);
	for (int row0 = 0; row0 < rows; row0 += SKIP_LINEAR_T) {
		SKIP_LINEAR_TOKEN tile[SKIP_LINEAR_T * SKIP_LINEAR_KW];
#if SKIP_LINEAR_INT
		float scale[SKIP_LINEAR_T];
#endif
		for (int m = 0; m < SKIP_LINEAR_T; m++) {
			float row[SKIP_LINEAR_KW * (SKIP_LINEAR_INT ? 64 : SKIP_WORD)];
			float most[SKIP_WORD];
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) most[l] = 0.0f;
			SKIP_PIPE
			for (int kw = 0; kw < SKIP_LINEAR_KW * (SKIP_LINEAR_INT ? 4 : 1); kw++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const int k = kw * SKIP_WORD + l;
					const float value = k < SKIP_LINEAR_K && row0 + m < rows ? x[(size_t)(row0 + m) * SKIP_LINEAR_K + k] : 0.0f;
					row[k] = value;
					most[l] = SKIP_FABS(value) > most[l] ? SKIP_FABS(value) : most[l];
				}
			}
#if SKIP_LINEAR_INT
			float largest = 0.0f;
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) largest = most[l] > largest ? most[l] : largest;
			const float inverse = skip_inverse_m1(largest);
			scale[m] = largest * 0x1.020408p-7f;
			SKIP_PIPE
			for (int kw = 0; kw < SKIP_LINEAR_KW; kw++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) {
					const int at = kw * 64 + 4 * l;
					tile[m * SKIP_LINEAR_KW + kw].v[l] = (skip_int8_m1(row[at], inverse) & 255) | (skip_int8_m1(row[at + 1], inverse) & 255) << 8 |
									   (skip_int8_m1(row[at + 2], inverse) & 255) << 16 | skip_int8_m1(row[at + 3], inverse) << 24;
				}
			}
#else
			SKIP_PIPE
			for (int kw = 0; kw < SKIP_LINEAR_KW; kw++) {
				SKIP_LANES(16)
				for (int l = 0; l < SKIP_WORD; l++) tile[m * SKIP_LINEAR_KW + kw].v[l] = row[kw * SKIP_WORD + l];
			}
#endif
		}
		for (int panel = 0; panel < (SKIP_LINEAR_N + SKIP_LINEAR_P - 1) / SKIP_LINEAR_P; panel++) {
			SKIP_GLOBAL const SKIP_LINEAR_WEIGHT *weights = w + (size_t)panel * SKIP_LINEAR_PANEL;
			SKIP_LINEAR_WEIGHT sum[SKIP_LINEAR_T][SKIP_LINEAR_P];
			for (int m = 0; m < SKIP_LINEAR_T; m++) {
				SKIP_LANES(16)
				for (int n = 0; n < SKIP_LINEAR_P; n++) sum[m][n] = 0;
			}
			for (int kw = 0; kw < SKIP_LINEAR_KW; kw++) {
				SKIP_LINEAR_WEIGHT word[SKIP_WORD * SKIP_LINEAR_P];
				SKIP_LANES(16)
				for (int i = 0; i < SKIP_WORD * SKIP_LINEAR_P; i++) {
					const int at = kw * SKIP_WORD * SKIP_LINEAR_P + i;
					word[i] = at < SKIP_LINEAR_DEPTH * SKIP_LINEAR_P ? weights[at] : 0;
				}
				SKIP_PIPE
				for (int m = 0; m < SKIP_LINEAR_T; m++) {
					SKIP_LANES(16)
					for (int n = 0; n < SKIP_LINEAR_P; n++) {
#if SKIP_LINEAR_INT
						int part = 0;
						SKIP_LANES(16)
						for (int l = 0; l < SKIP_WORD; l++) part += skip_dot4_m1(tile[m * SKIP_LINEAR_KW + kw].v[l], word[l * SKIP_LINEAR_P + n]);
						sum[m][n] += part;
#else
						float part[SKIP_WORD];
						SKIP_LANES(16)
						for (int l = 0; l < SKIP_WORD; l++) part[l] = tile[m * SKIP_LINEAR_KW + kw].v[l] * word[l * SKIP_LINEAR_P + n];
						sum[m][n] = sum[m][n] + skip_sum_m16(part);
#endif
					}
				}
			}
			for (int m = 0; m < SKIP_LINEAR_T; m++) {
				SKIP_PIPE
				for (int n = 0; n < SKIP_LINEAR_P; n++) {
					const int column = panel * SKIP_LINEAR_P + n;
					if (column >= SKIP_LINEAR_N || row0 + m >= rows) continue;
#if SKIP_LINEAR_INT
					float out = (float)sum[m][n] * (SKIP_AS_FLOAT(weights[SKIP_LINEAR_DEPTH * SKIP_LINEAR_P + n]) * scale[m]);
#else
					float out = sum[m][n];
#endif
#if SKIP_LINEAR_BIAS
					out = out + bias[column];
#endif
					out = SKIP_PASTE(SKIP_LINEAR_ACT, _m1)(out);
#if SKIP_LINEAR_RESIDUAL
					out = out + residual[(size_t)(row0 + m) * SKIP_LINEAR_N + column];
#endif
					y[(size_t)(row0 + m) * SKIP_LINEAR_N + column] = out;
				}
			}
		}
	}
}
#undef SKIP_LINEAR_XW
#undef SKIP_LINEAR_KW
#undef SKIP_LINEAR_DEPTH
#undef SKIP_LINEAR_PANEL
#undef SKIP_LINEAR_WEIGHT
#undef SKIP_LINEAR_TOKEN
