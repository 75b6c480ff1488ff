/*
 * Attention of packed sequences with a prefix on an FPGA: keys and values of one head of one sequence on the chip, R query rows beside each other.
 *
 *   Z = SCALE Q Kt^T, A = softmax of the rows of Z, Ctx = A Vt      per sequence and head; Kt = [Pk; K_b], Vt = [Pv; V_b]
 *
 * A score is a sum of words of 16, halves first, words in order. Sums over keys are L sums over j mod L, added in halves, so that a float adder of L cycles
 * takes a key every cycle. BF16 1: q, k, v and exp(z - largest) are rounded to bfloat16 before they are multiplied.
 * H heads; QK, V: widths; P: prefix rows; S: most keys of a sequence, prefix among them; R: query rows; L: partial sums, a power of two; SCALE; Q_STRIDE,
 * K_STRIDE, V_STRIDE: columns of the values that hold q, k, v; Q_COL, K_COL, V_COL: first columns there; ROWS_B 1: q has one row per sequence.
 */
#ifndef SKIP_ATTENTION_H
#error "SKIP_ATTENTION_H: heads"
#endif
#ifndef SKIP_ATTENTION_QK
#error "SKIP_ATTENTION_QK: columns per head of q and k"
#endif
#ifndef SKIP_ATTENTION_V
#error "SKIP_ATTENTION_V: columns per head of v"
#endif
#ifndef SKIP_ATTENTION_P
#error "SKIP_ATTENTION_P: prefix rows"
#endif
#ifndef SKIP_ATTENTION_S
#error "SKIP_ATTENTION_S: most keys of a sequence"
#endif
#ifndef SKIP_ATTENTION_R
#error "SKIP_ATTENTION_R: query rows beside each other"
#endif
#ifndef SKIP_ATTENTION_L
#error "SKIP_ATTENTION_L: partial sums"
#endif
#ifndef SKIP_ATTENTION_SCALE
#error "SKIP_ATTENTION_SCALE: factor of the scores"
#endif
#ifndef SKIP_ATTENTION_Q_STRIDE
#error "SKIP_ATTENTION_Q_STRIDE: columns of the value that holds q"
#endif
#ifndef SKIP_ATTENTION_K_STRIDE
#error "SKIP_ATTENTION_K_STRIDE: columns of the value that holds k"
#endif
#ifndef SKIP_ATTENTION_V_STRIDE
#error "SKIP_ATTENTION_V_STRIDE: columns of the value that holds v"
#endif
#ifndef SKIP_ATTENTION_Q_COL
#error "SKIP_ATTENTION_Q_COL: first column of q"
#endif
#ifndef SKIP_ATTENTION_K_COL
#error "SKIP_ATTENTION_K_COL: first column of k"
#endif
#ifndef SKIP_ATTENTION_V_COL
#error "SKIP_ATTENTION_V_COL: first column of v"
#endif
#ifndef SKIP_ATTENTION_ROWS_B
#error "SKIP_ATTENTION_ROWS_B: 0 or 1"
#endif
#ifndef SKIP_ATTENTION_BF16
#error "SKIP_ATTENTION_BF16: 0 or 1"
#endif
#define SKIP_ATTENTION_QK_W ((SKIP_ATTENTION_QK + SKIP_WORD - 1) / SKIP_WORD)
#define SKIP_ATTENTION_V_W ((SKIP_ATTENTION_V + SKIP_WORD - 1) / SKIP_WORD)
#if SKIP_ATTENTION_BF16
#define SKIP_ATTENTION_ROUND(x) skip_bf16_m1(x)
#else
#define SKIP_ATTENTION_ROUND(x) (x)
#endif

SKIP_TASK SKIP_ATTENTION_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT q, /* [T or B][Q_STRIDE] */
	SKIP_GLOBAL const float *SKIP_RESTRICT k, /* [T][K_STRIDE] */
	SKIP_GLOBAL const float *SKIP_RESTRICT v, /* [T][V_STRIDE] */
#if SKIP_ATTENTION_P
	SKIP_GLOBAL const float *SKIP_RESTRICT pk, /* [P][H*QK] */
	SKIP_GLOBAL const float *SKIP_RESTRICT pv, /* [P][H*V] */
#endif
	SKIP_GLOBAL const int *SKIP_RESTRICT offset, /* [B+1] */
	SKIP_GLOBAL float *SKIP_RESTRICT ctx, /* [T or B][H*V] */
	int sequences)
{
	SKIP_REQUIRE(sizes, SKIP_ATTENTION_QK > 0 && SKIP_ATTENTION_V > 0 && SKIP_ATTENTION_S > SKIP_ATTENTION_P && SKIP_ATTENTION_L > 1);
	for (int b = 0; b < sequences; b++) {
		const int first = offset[b], tokens = offset[b + 1] - first, keys = tokens + SKIP_ATTENTION_P;
		const int query0 = SKIP_ATTENTION_ROWS_B ? b : first, queries = SKIP_ATTENTION_ROWS_B ? 1 : tokens;
		for (int head = 0; head < SKIP_ATTENTION_H; head++) {
			skip_floats key[SKIP_ATTENTION_S * SKIP_ATTENTION_QK_W], value[SKIP_ATTENTION_S * SKIP_ATTENTION_V_W];
			for (int j = 0; j < keys; j++) {
				const size_t token = (size_t)(first + j - SKIP_ATTENTION_P);
				SKIP_PIPE
				for (int w = 0; w < SKIP_ATTENTION_QK_W; w++) {
					SKIP_LANES(16)
					for (int l = 0; l < SKIP_WORD; l++) {
						const int e = w * SKIP_WORD + l;
						float number = 0.0f;
						if (e < SKIP_ATTENTION_QK) {
#if SKIP_ATTENTION_P
							if (j < SKIP_ATTENTION_P)
								number = pk[((size_t)j * SKIP_ATTENTION_H + head) * SKIP_ATTENTION_QK + e];
							else
#endif
								number = k[token * SKIP_ATTENTION_K_STRIDE + SKIP_ATTENTION_K_COL + head * SKIP_ATTENTION_QK + e];
						}
						key[j * SKIP_ATTENTION_QK_W + w].v[l] = SKIP_ATTENTION_ROUND(number);
					}
				}
				SKIP_PIPE
				for (int w = 0; w < SKIP_ATTENTION_V_W; w++) {
					SKIP_LANES(16)
					for (int l = 0; l < SKIP_WORD; l++) {
						const int e = w * SKIP_WORD + l;
						float number = 0.0f;
						if (e < SKIP_ATTENTION_V) {
#if SKIP_ATTENTION_P
							if (j < SKIP_ATTENTION_P)
								number = pv[((size_t)j * SKIP_ATTENTION_H + head) * SKIP_ATTENTION_V + e];
							else
#endif
								number = v[token * SKIP_ATTENTION_V_STRIDE + SKIP_ATTENTION_V_COL + head * SKIP_ATTENTION_V + e];
						}
						value[j * SKIP_ATTENTION_V_W + w].v[l] = SKIP_ATTENTION_ROUND(number);
					}
				}
			}
			for (int row0 = 0; row0 < queries; row0 += SKIP_ATTENTION_R) {
				skip_floats query[SKIP_ATTENTION_R][SKIP_ATTENTION_QK_W];
				float score[SKIP_ATTENTION_R][SKIP_ATTENTION_S], most[SKIP_ATTENTION_R];
				float sum[SKIP_ATTENTION_R][SKIP_ATTENTION_L], out[SKIP_ATTENTION_R][SKIP_ATTENTION_V_W][SKIP_ATTENTION_L][SKIP_WORD];
				for (int r = 0; r < SKIP_ATTENTION_R; r++) {
					most[r] = -0x1.fffffep+127f;
					for (int w = 0; w < SKIP_ATTENTION_QK_W; w++) {
						SKIP_LANES(16)
						for (int l = 0; l < SKIP_WORD; l++) {
							const int e = w * SKIP_WORD + l;
							const float number = e < SKIP_ATTENTION_QK && row0 + r < queries
										 ? q[(size_t)(query0 + row0 + r) * SKIP_ATTENTION_Q_STRIDE + SKIP_ATTENTION_Q_COL + head * SKIP_ATTENTION_QK + e]
										 : 0.0f;
							query[r][w].v[l] = SKIP_ATTENTION_ROUND(number);
						}
					}
					for (int i = 0; i < SKIP_ATTENTION_L; i++) {
						sum[r][i] = 0.0f;
						for (int w = 0; w < SKIP_ATTENTION_V_W; w++) {
							SKIP_LANES(16)
							for (int l = 0; l < SKIP_WORD; l++) out[r][w][i][l] = 0.0f;
						}
					}
				}
				for (int w = 0; w < SKIP_ATTENTION_QK_W; w++) {
					SKIP_PIPE
					for (int j = 0; j < keys; j++) {
						SKIP_LANES(16)
						for (int r = 0; r < SKIP_ATTENTION_R; r++) {
							float part[SKIP_WORD];
							SKIP_LANES(16)
							for (int l = 0; l < SKIP_WORD; l++) part[l] = query[r][w].v[l] * key[j * SKIP_ATTENTION_QK_W + w].v[l];
							const float dot = skip_sum_m16(part);
							score[r][j] = w ? score[r][j] + dot : dot;
						}
					}
				}
				SKIP_PIPE
				for (int j = 0; j < keys; j++) {
					SKIP_LANES(16)
					for (int r = 0; r < SKIP_ATTENTION_R; r++) {
						score[r][j] = score[r][j] * SKIP_ATTENTION_SCALE;
						most[r] = score[r][j] > most[r] ? score[r][j] : most[r];
					}
				}
				SKIP_PIPE
				for (int j = 0; j < keys; j++) {
					SKIP_LANES(16)
					for (int r = 0; r < SKIP_ATTENTION_R; r++) {
						score[r][j] = SKIP_ATTENTION_ROUND(skip_exp_m1(score[r][j] - most[r]));
						sum[r][j % SKIP_ATTENTION_L] = sum[r][j % SKIP_ATTENTION_L] + score[r][j];
					}
				}
				for (int w = 0; w < SKIP_ATTENTION_V_W; w++) {
					SKIP_PIPE
					for (int j = 0; j < keys; j++) {
						SKIP_LANES(16)
						for (int r = 0; r < SKIP_ATTENTION_R; r++) {
							SKIP_LANES(16)
							for (int l = 0; l < SKIP_WORD; l++) {
								const float product = score[r][j] * value[j * SKIP_ATTENTION_V_W + w].v[l];
								out[r][w][j % SKIP_ATTENTION_L][l] = out[r][w][j % SKIP_ATTENTION_L][l] + product;
							}
						}
					}
				}
				for (int r = 0; r < SKIP_ATTENTION_R; r++) {
					for (int step = SKIP_ATTENTION_L / 2; step > 0; step /= 2) {
						for (int i = 0; i < step; i++) sum[r][i] = sum[r][i] + sum[r][i + step];
					}
					for (int w = 0; w < SKIP_ATTENTION_V_W; w++) {
						for (int step = SKIP_ATTENTION_L / 2; step > 0; step /= 2) {
							for (int i = 0; i < step; i++) {
								SKIP_LANES(16)
								for (int l = 0; l < SKIP_WORD; l++) out[r][w][i][l] = out[r][w][i][l] + out[r][w][i + step][l];
							}
						}
						SKIP_LANES(16)
						for (int l = 0; l < SKIP_WORD; l++) {
							const int e = w * SKIP_WORD + l;
							if (e < SKIP_ATTENTION_V && row0 + r < queries)
								ctx[((size_t)(query0 + row0 + r) * SKIP_ATTENTION_H + head) * SKIP_ATTENTION_V + e] = out[r][w][0][l] / sum[r][0];
						}
					}
				}
			}
		}
	}
}
#undef SKIP_ATTENTION_QK_W
#undef SKIP_ATTENTION_V_W
#undef SKIP_ATTENTION_ROUND
