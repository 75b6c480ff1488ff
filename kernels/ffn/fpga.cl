/*
 * The feed-forward layer on an FPGA: both products in one engine, the hidden rows of a tile of T rows never in global memory.
 *
 * y[m][n] = sum_f act(sum_d x[m][d] w1[f][d] + b1[f]) w2[n][f] + b2[n] + residual[m][n]. A word is 16 floats, summed in halves, words in order; with INT it
 * is 64 int8, x, the hidden row and the weights rounded as host/base/quant.h says, sums exact in int32. The loop over the rows of a tile is the inner one: T
 * independent sums keep a float adder busy.
 *
 *   load_x -> x, residual     load_1 -> w1     load_2 -> w2          x, w1 -> first -> hidden;  hidden, w2 -> second -> y;  y, residual -> store
 *
 * With INTEL_FPGA each of the six is a kernel <NAME>_<stage> and what stands between them are channels; with SKIP_STREAMS functions of one kernel and streams, side by
 * side by DATAFLOW; else one kernel runs first, second and store on each tile, whose streams are global memory or arrays: with XILINX_FPGA side by side on neighbouring
 * tiles by xcl_dataflow. A stage is a loop over tiles round a tile function, and all arithmetic is in the tile functions. Every pointer is read by one stage.
 * D: depth of the first product; F: hidden; N: columns of y; T: rows of a tile, at least the latency of an addition; P: outputs a cycle; INT 0 or 1; ACT:
 * skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS1, BIAS2, RESIDUAL 0 or 1; DEPTH: tokens of a short channel; DEPTH_RESIDUAL: tokens of
 * the residual's, which wait there from load_x to store: fewer than load_x writes before a tile of x is complete is a deadlock.
 */
#ifndef SKIP_FFN_D
#error "SKIP_FFN_D: depth of the first product"
#endif
#ifndef SKIP_FFN_F
#error "SKIP_FFN_F: hidden columns"
#endif
#ifndef SKIP_FFN_N
#error "SKIP_FFN_N: columns of the result"
#endif
#ifndef SKIP_FFN_T
#error "SKIP_FFN_T: rows of a tile"
#endif
#ifndef SKIP_FFN_P
#error "SKIP_FFN_P: outputs a cycle"
#endif
#ifndef SKIP_FFN_INT
#error "SKIP_FFN_INT: 0 or 1"
#endif
#ifndef SKIP_FFN_ACT
#error "SKIP_FFN_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_FFN_BIAS1
#error "SKIP_FFN_BIAS1: 0 or 1"
#endif
#ifndef SKIP_FFN_BIAS2
#error "SKIP_FFN_BIAS2: 0 or 1"
#endif
#ifndef SKIP_FFN_RESIDUAL
#error "SKIP_FFN_RESIDUAL: 0 or 1"
#endif
#ifndef SKIP_FFN_DEPTH
#error "SKIP_FFN_DEPTH: tokens of a stream"
#endif
#ifndef SKIP_FFN_DEPTH_RESIDUAL
#error "SKIP_FFN_DEPTH_RESIDUAL: tokens of the residual's stream"
#endif

#define SKIP_FFN_FN(name) SKIP_JOIN(SKIP_FFN_NAME, name)
/* Panels of P columns; words of a row as it comes, and as it is multiplied (LANES numbers); rows of P words of a panel, and its whole size. */
#define SKIP_FFN_PANELS(n) (((n) + SKIP_FFN_P - 1) / SKIP_FFN_P)
#define SKIP_FFN_XW ((SKIP_FFN_D + SKIP_WORD - 1) / SKIP_WORD)
#if SKIP_FFN_INT
#define SKIP_FFN_LANES 64
#define SKIP_FFN_ROWS(k) (((k) + 3) / 4)
#define SKIP_FFN_PANEL(k) ((SKIP_FFN_ROWS(k) + 2) * SKIP_FFN_P)
#define SKIP_FFN_WEIGHT int
#define SKIP_FFN_WORD skip_ints
#else
#define SKIP_FFN_LANES SKIP_WORD
#define SKIP_FFN_ROWS(k) (k)
#define SKIP_FFN_PANEL(k) (SKIP_FFN_ROWS(k) * SKIP_FFN_P)
#define SKIP_FFN_WEIGHT float
#define SKIP_FFN_WORD skip_floats
#endif
#define SKIP_FFN_WORDS(k) (((k) + SKIP_FFN_LANES - 1) / SKIP_FFN_LANES)
/* Hidden numbers of a row: whole panels come, whole words are multiplied. */
#define SKIP_FFN_HIDDEN (SKIP_FFN_PANELS(SKIP_FFN_F) * SKIP_FFN_P + SKIP_FFN_LANES)
/* Steps of load_x over a tile: one word of x and one token of the residual in each while there are any. */
#define SKIP_FFN_X_TOKENS (SKIP_FFN_T * SKIP_FFN_XW)
#define SKIP_FFN_Y_TOKENS (SKIP_FFN_T * SKIP_FFN_PANELS(SKIP_FFN_N))

/* P outputs of one row. */
typedef struct {
	float v[SKIP_FFN_P];
} SKIP_FFN_FN(outputs);
/* One word of each of P columns. */
typedef struct {
	SKIP_FFN_WEIGHT v[SKIP_WORD * SKIP_FFN_P];
} SKIP_FFN_FN(weights);

/* ---- global memory. Tokens go by pointer: a copy that a call makes is more than oclgrind 21.10 understands. ---- */

static inline void SKIP_JOIN(SKIP_FFN_NAME, get_x)(SKIP_GLOBAL const float *x, int row, int word, int rows, skip_floats *token)
{
	SKIP_LANES(16)
	for (int l = 0; l < SKIP_WORD; l++) {
		const int d = word * SKIP_WORD + l;
		token->v[l] = d < SKIP_FFN_D && row < rows ? x[(size_t)row * SKIP_FFN_D + d] : 0.0f;
	}
}

/* Word `word` of panel `panel` of a product of depth k: past its depth zeros. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, get_weights)(SKIP_GLOBAL const SKIP_FFN_WEIGHT *w, int k, int panel, int word, SKIP_FFN_FN(weights) *token)
{
	SKIP_LANES(16)
	for (int i = 0; i < SKIP_WORD * SKIP_FFN_P; i++) {
		const int at = word * SKIP_WORD * SKIP_FFN_P + i;
		token->v[i] = at < SKIP_FFN_ROWS(k) * SKIP_FFN_P ? w[(size_t)panel * SKIP_FFN_PANEL(k) + at] : 0;
	}
}

#if SKIP_FFN_INT
/* The scales of a panel, in the place of its first word's first numbers. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, get_scales)(SKIP_GLOBAL const SKIP_FFN_WEIGHT *w, int k, int panel, SKIP_FFN_FN(weights) *token)
{
	SKIP_LANES(16)
	for (int i = 0; i < SKIP_WORD * SKIP_FFN_P; i++) token->v[i] = i < SKIP_FFN_P ? w[(size_t)panel * SKIP_FFN_PANEL(k) + SKIP_FFN_ROWS(k) * SKIP_FFN_P + i] : 0;
}
#endif

static inline void SKIP_JOIN(SKIP_FFN_NAME, get_residual)(SKIP_GLOBAL const float *residual, int row, int panel, int rows, SKIP_FFN_FN(outputs) *token)
{
	SKIP_LANES(16)
	for (int n = 0; n < SKIP_FFN_P; n++) {
		const int column = panel * SKIP_FFN_P + n;
		token->v[n] = column < SKIP_FFN_N && row < rows ? residual[(size_t)row * SKIP_FFN_N + column] : 0.0f;
	}
}

static inline void SKIP_JOIN(SKIP_FFN_NAME, put_y)(SKIP_GLOBAL float *y, int row, int panel, int rows, const SKIP_FFN_FN(outputs) *token)
{
	SKIP_LANES(16)
	for (int n = 0; n < SKIP_FFN_P; n++) {
		const int column = panel * SKIP_FFN_P + n;
		if (column < SKIP_FFN_N && row < rows) y[(size_t)row * SKIP_FFN_N + column] = token->v[n];
	}
}

/* ---- streams: what the tile functions take and give ---- */

#ifdef INTEL_FPGA
#define SKIP_FFN_STAGE SKIP_TASK
#define SKIP_FFN_PORT(type, name)
#define SKIP_FFN_READ(name) read_channel_intel(name)
#define SKIP_FFN_WRITE(name, token) write_channel_intel(name, token)
SKIP_CHANNEL(skip_floats, SKIP_FFN_FN(c_x), SKIP_FFN_DEPTH);
SKIP_CHANNEL(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w1), SKIP_FFN_DEPTH);
SKIP_CHANNEL(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w2), SKIP_FFN_DEPTH);
SKIP_CHANNEL(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_hidden), SKIP_FFN_DEPTH);
SKIP_CHANNEL(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_y), SKIP_FFN_DEPTH);
#if SKIP_FFN_RESIDUAL
SKIP_CHANNEL(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_residual), SKIP_FFN_DEPTH_RESIDUAL);
#endif
#elif defined(SKIP_STREAMS)
#define SKIP_FFN_STAGE static void
#define SKIP_FFN_PORT(type, name) , hls::stream<type> &name
#define SKIP_FFN_READ(name) name.read()
#define SKIP_FFN_WRITE(name, token) name.write(token)
#endif
#ifdef SKIP_FFN_STAGE
#define SKIP_FFN_STREAMS_1 \
	SKIP_FFN_PORT(skip_floats, SKIP_FFN_FN(c_x)) SKIP_FFN_PORT(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w1)) SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_hidden))
#define SKIP_FFN_STREAMS_2 \
	SKIP_FFN_PORT(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w2)) SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_hidden)) SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_y))
#define SKIP_FFN_GET_X(row, word, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_x))
#define SKIP_FFN_GET_W1(panel, word, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_w1))
#define SKIP_FFN_GET_W2(panel, word, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_w2))
#define SKIP_FFN_GET_SCALES1(panel, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_w1))
#define SKIP_FFN_GET_SCALES2(panel, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_w2))
#define SKIP_FFN_PUT_HIDDEN(panel, row, token) SKIP_FFN_WRITE(SKIP_FFN_FN(c_hidden), token)
#define SKIP_FFN_GET_HIDDEN(panel, row, token) token = SKIP_FFN_READ(SKIP_FFN_FN(c_hidden))
#define SKIP_FFN_PUT_Y(panel, row, token) SKIP_FFN_WRITE(SKIP_FFN_FN(c_y), token)
#else
#define SKIP_FFN_STREAMS_1 , SKIP_GLOBAL const SKIP_FFN_WEIGHT *w1, SKIP_GLOBAL const float *x, int row0, int rows, SKIP_FFN_FN(outputs) *hidden
#define SKIP_FFN_STREAMS_2 , SKIP_GLOBAL const SKIP_FFN_WEIGHT *w2, const SKIP_FFN_FN(outputs) *hidden, SKIP_FFN_FN(outputs) *tile_y
#define SKIP_FFN_GET_SCALES1(panel, token) SKIP_FFN_FN(get_scales)(w1, SKIP_FFN_D, panel, &token)
#define SKIP_FFN_GET_SCALES2(panel, token) SKIP_FFN_FN(get_scales)(w2, SKIP_FFN_F, panel, &token)
#define SKIP_FFN_GET_X(row, word, token) SKIP_FFN_FN(get_x)(x, row0 + (row), word, rows, &token)
#define SKIP_FFN_GET_W1(panel, word, token) SKIP_FFN_FN(get_weights)(w1, SKIP_FFN_D, panel, word, &token)
#define SKIP_FFN_GET_W2(panel, word, token) SKIP_FFN_FN(get_weights)(w2, SKIP_FFN_F, panel, word, &token)
#define SKIP_FFN_PUT_HIDDEN(panel, row, token) hidden[(panel) * SKIP_FFN_T + (row)] = token
#define SKIP_FFN_GET_HIDDEN(panel, row, token) token = hidden[(panel) * SKIP_FFN_T + (row)]
#define SKIP_FFN_PUT_Y(panel, row, token) tile_y[(panel) * SKIP_FFN_T + (row)] = token
#endif

/* ---- arithmetic ---- */

#if SKIP_FFN_INT
/* A row of `words` * 64 floats as words of int8; its scale comes back. */
static inline float SKIP_JOIN(SKIP_FFN_NAME, round)(const float *row, int words, skip_ints *out)
{
	float most = 0.0f;
	SKIP_PIPE
	for (int i = 0; i < words * SKIP_FFN_LANES; i++) most = SKIP_FABS(row[i]) > most ? SKIP_FABS(row[i]) : most;
	const float inverse = skip_inverse_m1(most);
	SKIP_PIPE
	for (int w = 0; w < words; w++) {
		SKIP_LANES(16)
		for (int l = 0; l < SKIP_WORD; l++) {
			const int at = w * SKIP_FFN_LANES + 4 * l;
			out[w].v[l] = (skip_int8_m1(row[at], inverse) & 255) | (skip_int8_m1(row[at + 1], inverse) & 255) << 8 |
				      (skip_int8_m1(row[at + 2], inverse) & 255) << 16 | (skip_int8_m1(row[at + 3], inverse) & 255) << 24;
		}
	}
	return most * 0x1.020408p-7f;
}
#endif

/* One word of P columns added to the sums of one row. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, add)(const SKIP_FFN_WORD *word, const SKIP_FFN_FN(weights) *weights, SKIP_FFN_WEIGHT *sum)
{
	SKIP_LANES(16)
	for (int n = 0; n < SKIP_FFN_P; n++) {
#if SKIP_FFN_INT
		int part = 0;
		SKIP_LANES(16)
		for (int l = 0; l < SKIP_WORD; l++) part += skip_dot4_m1(word->v[l], weights->v[l * SKIP_FFN_P + n]);
		sum[n] += part;
#else
		float part[SKIP_WORD];
		SKIP_LANES(16)
		for (int l = 0; l < SKIP_WORD; l++) part[l] = word->v[l] * weights->v[l * SKIP_FFN_P + n];
		sum[n] = sum[n] + skip_sum_m16(part);
#endif
	}
}

/* The first product on one tile: T rows of x in, their hidden numbers out, panel by panel. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, tile_first)(SKIP_GLOBAL const float *b1 SKIP_FFN_STREAMS_1)
{
	SKIP_FFN_WORD tile[SKIP_FFN_T * SKIP_FFN_WORDS(SKIP_FFN_D)];
#if SKIP_FFN_INT
	float scale[SKIP_FFN_T];
#endif
	for (int m = 0; m < SKIP_FFN_T; m++) {
#if SKIP_FFN_INT
		float row[SKIP_FFN_WORDS(SKIP_FFN_D) * SKIP_FFN_LANES];
		for (int i = SKIP_FFN_XW * SKIP_WORD; i < SKIP_FFN_WORDS(SKIP_FFN_D) * SKIP_FFN_LANES; i++) row[i] = 0.0f;
#endif
		SKIP_PIPE
		for (int w = 0; w < SKIP_FFN_XW; w++) {
			skip_floats token;
			SKIP_FFN_GET_X(m, w, token);
#if SKIP_FFN_INT
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) row[w * SKIP_WORD + l] = token.v[l];
#else
			tile[m * SKIP_FFN_XW + w] = token;
#endif
		}
#if SKIP_FFN_INT
		scale[m] = SKIP_FFN_FN(round)(row, SKIP_FFN_WORDS(SKIP_FFN_D), tile + m * SKIP_FFN_WORDS(SKIP_FFN_D));
#endif
	}
	for (int panel = 0; panel < SKIP_FFN_PANELS(SKIP_FFN_F); panel++) {
		SKIP_FFN_WEIGHT sum[SKIP_FFN_T][SKIP_FFN_P];
		for (int m = 0; m < SKIP_FFN_T; m++) {
			SKIP_LANES(16)
			for (int n = 0; n < SKIP_FFN_P; n++) sum[m][n] = 0;
		}
		for (int w = 0; w < SKIP_FFN_WORDS(SKIP_FFN_D); w++) {
			SKIP_FFN_FN(weights) weights;
			SKIP_FFN_GET_W1(panel, w, weights);
			SKIP_PIPE
			for (int m = 0; m < SKIP_FFN_T; m++) SKIP_FFN_FN(add)(&tile[m * SKIP_FFN_WORDS(SKIP_FFN_D) + w], &weights, sum[m]);
		}
#if SKIP_FFN_INT
		SKIP_FFN_FN(weights) scales;
		SKIP_FFN_GET_SCALES1(panel, scales);
#endif
		SKIP_PIPE
		for (int m = 0; m < SKIP_FFN_T; m++) {
			SKIP_FFN_FN(outputs) token;
			for (int n = 0; n < SKIP_FFN_P; n++) {
				const int column = panel * SKIP_FFN_P + n;
#if SKIP_FFN_INT
				float out = (float)sum[m][n] * (SKIP_AS_FLOAT(scales.v[n]) * scale[m]);
#else
				float out = sum[m][n];
#endif
#if SKIP_FFN_BIAS1
				out = out + (column < SKIP_FFN_F ? b1[column] : 0.0f);
#endif
				out = SKIP_PASTE(SKIP_FFN_ACT, _m1)(out);
				token.v[n] = column < SKIP_FFN_F ? out : 0.0f;
			}
			SKIP_FFN_PUT_HIDDEN(panel, m, token);
		}
	}
}

/* The second product on one tile: hidden numbers in, T rows of the result without the residual out, panel by panel. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, tile_second)(SKIP_GLOBAL const float *b2 SKIP_FFN_STREAMS_2)
{
	float row[SKIP_FFN_T][SKIP_FFN_HIDDEN];
	SKIP_FFN_WORD tile[SKIP_FFN_T * SKIP_FFN_WORDS(SKIP_FFN_F)];
#if SKIP_FFN_INT
	float scale[SKIP_FFN_T];
#endif
	for (int panel = 0; panel < SKIP_FFN_PANELS(SKIP_FFN_F); panel++) {
		SKIP_PIPE
		for (int m = 0; m < SKIP_FFN_T; m++) {
			SKIP_FFN_FN(outputs) token;
			SKIP_FFN_GET_HIDDEN(panel, m, token);
			SKIP_LANES(16)
			for (int n = 0; n < SKIP_FFN_P; n++) row[m][panel * SKIP_FFN_P + n] = token.v[n];
		}
	}
	for (int m = 0; m < SKIP_FFN_T; m++) {
		for (int i = SKIP_FFN_PANELS(SKIP_FFN_F) * SKIP_FFN_P; i < SKIP_FFN_WORDS(SKIP_FFN_F) * SKIP_FFN_LANES; i++) row[m][i] = 0.0f;
#if SKIP_FFN_INT
		scale[m] = SKIP_FFN_FN(round)(row[m], SKIP_FFN_WORDS(SKIP_FFN_F), tile + m * SKIP_FFN_WORDS(SKIP_FFN_F));
#else
		SKIP_PIPE
		for (int w = 0; w < SKIP_FFN_WORDS(SKIP_FFN_F); w++) {
			SKIP_LANES(16)
			for (int l = 0; l < SKIP_WORD; l++) tile[m * SKIP_FFN_WORDS(SKIP_FFN_F) + w].v[l] = row[m][w * SKIP_WORD + l];
		}
#endif
	}
	for (int panel = 0; panel < SKIP_FFN_PANELS(SKIP_FFN_N); panel++) {
		SKIP_FFN_WEIGHT sum[SKIP_FFN_T][SKIP_FFN_P];
		for (int m = 0; m < SKIP_FFN_T; m++) {
			SKIP_LANES(16)
			for (int n = 0; n < SKIP_FFN_P; n++) sum[m][n] = 0;
		}
		for (int w = 0; w < SKIP_FFN_WORDS(SKIP_FFN_F); w++) {
			SKIP_FFN_FN(weights) weights;
			SKIP_FFN_GET_W2(panel, w, weights);
			SKIP_PIPE
			for (int m = 0; m < SKIP_FFN_T; m++) SKIP_FFN_FN(add)(&tile[m * SKIP_FFN_WORDS(SKIP_FFN_F) + w], &weights, sum[m]);
		}
#if SKIP_FFN_INT
		SKIP_FFN_FN(weights) scales;
		SKIP_FFN_GET_SCALES2(panel, scales);
#endif
		SKIP_PIPE
		for (int m = 0; m < SKIP_FFN_T; m++) {
			SKIP_FFN_FN(outputs) token;
			for (int n = 0; n < SKIP_FFN_P; n++) {
				const int column = panel * SKIP_FFN_P + n;
#if SKIP_FFN_INT
				float out = (float)sum[m][n] * (SKIP_AS_FLOAT(scales.v[n]) * scale[m]);
#else
				float out = sum[m][n];
#endif
#if SKIP_FFN_BIAS2
				out = out + (column < SKIP_FFN_N ? b2[column] : 0.0f);
#endif
				token.v[n] = out;
			}
			SKIP_FFN_PUT_Y(panel, m, token);
		}
	}
}

/* The last step of a tile: the residual added, the rows stored. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, plus)(SKIP_FFN_FN(outputs) *a, const SKIP_FFN_FN(outputs) *b)
{
	SKIP_LANES(16)
	for (int n = 0; n < SKIP_FFN_P; n++) a->v[n] = a->v[n] + b->v[n];
}

/* ---- stages and kernels ---- */

/* Arguments that are not there. */
#if SKIP_FFN_BIAS1
#define SKIP_FFN_B1 b1
#else
#define SKIP_FFN_B1 0
#endif
#if SKIP_FFN_BIAS2
#define SKIP_FFN_B2 b2
#else
#define SKIP_FFN_B2 0
#endif

#ifdef SKIP_FFN_STAGE
SKIP_FFN_STAGE SKIP_FFN_FN(load_x)(SKIP_GLOBAL const float *SKIP_RESTRICT x,
#if SKIP_FFN_RESIDUAL
				   SKIP_GLOBAL const float *SKIP_RESTRICT residual,
#endif
				   int rows SKIP_FFN_PORT(skip_floats, SKIP_FFN_FN(c_x))
#if SKIP_FFN_RESIDUAL
					    SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_residual))
#endif
)
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		for (int i = 0; i < SKIP_FFN_X_TOKENS || i < SKIP_FFN_Y_TOKENS; i++) {
			if (i < SKIP_FFN_X_TOKENS) {
				skip_floats token;
				SKIP_FFN_FN(get_x)(x, row0 + i / SKIP_FFN_XW, i % SKIP_FFN_XW, rows, &token);
				SKIP_FFN_WRITE(SKIP_FFN_FN(c_x), token);
			}
#if SKIP_FFN_RESIDUAL
			if (i < SKIP_FFN_Y_TOKENS) {
				SKIP_FFN_FN(outputs) token;
				SKIP_FFN_FN(get_residual)(residual, row0 + i % SKIP_FFN_T, i / SKIP_FFN_T, rows, &token);
				SKIP_FFN_WRITE(SKIP_FFN_FN(c_residual), token);
			}
#endif
		}
	}
}

/* The weights of a product once a tile; with INT a panel ends with its scales. */
SKIP_FFN_STAGE SKIP_FFN_FN(load_1)(SKIP_GLOBAL const SKIP_FFN_WEIGHT *SKIP_RESTRICT w1, int rows SKIP_FFN_PORT(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w1)))
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		for (int panel = 0; panel < SKIP_FFN_PANELS(SKIP_FFN_F); panel++) {
			for (int w = 0; w < SKIP_FFN_WORDS(SKIP_FFN_D) + SKIP_FFN_INT; w++) {
				SKIP_FFN_FN(weights) token;
#if SKIP_FFN_INT
				if (w == SKIP_FFN_WORDS(SKIP_FFN_D))
					SKIP_FFN_FN(get_scales)(w1, SKIP_FFN_D, panel, &token);
				else
#endif
					SKIP_FFN_FN(get_weights)(w1, SKIP_FFN_D, panel, w, &token);
				SKIP_FFN_WRITE(SKIP_FFN_FN(c_w1), token);
			}
		}
	}
}

SKIP_FFN_STAGE SKIP_FFN_FN(load_2)(SKIP_GLOBAL const SKIP_FFN_WEIGHT *SKIP_RESTRICT w2, int rows SKIP_FFN_PORT(SKIP_FFN_FN(weights), SKIP_FFN_FN(c_w2)))
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		for (int panel = 0; panel < SKIP_FFN_PANELS(SKIP_FFN_N); panel++) {
			for (int w = 0; w < SKIP_FFN_WORDS(SKIP_FFN_F) + SKIP_FFN_INT; w++) {
				SKIP_FFN_FN(weights) token;
#if SKIP_FFN_INT
				if (w == SKIP_FFN_WORDS(SKIP_FFN_F))
					SKIP_FFN_FN(get_scales)(w2, SKIP_FFN_F, panel, &token);
				else
#endif
					SKIP_FFN_FN(get_weights)(w2, SKIP_FFN_F, panel, w, &token);
				SKIP_FFN_WRITE(SKIP_FFN_FN(c_w2), token);
			}
		}
	}
}

/* What a stage gives its tile function: the streams it was given itself, or nothing where channels are known to all. */
#ifdef SKIP_STREAMS
#define SKIP_FFN_PASS_1 , SKIP_FFN_FN(c_x), SKIP_FFN_FN(c_w1), SKIP_FFN_FN(c_hidden)
#define SKIP_FFN_PASS_2 , SKIP_FFN_FN(c_w2), SKIP_FFN_FN(c_hidden), SKIP_FFN_FN(c_y)
#else
#define SKIP_FFN_PASS_1
#define SKIP_FFN_PASS_2
#endif

SKIP_FFN_STAGE SKIP_FFN_FN(first)(
#if SKIP_FFN_BIAS1
	SKIP_GLOBAL const float *SKIP_RESTRICT b1,
#endif
	int rows SKIP_FFN_STREAMS_1)
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		SKIP_FFN_FN(tile_first)(SKIP_FFN_B1 SKIP_FFN_PASS_1);
	}
}

SKIP_FFN_STAGE SKIP_FFN_FN(second)(
#if SKIP_FFN_BIAS2
	SKIP_GLOBAL const float *SKIP_RESTRICT b2,
#endif
	int rows SKIP_FFN_STREAMS_2)
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		SKIP_FFN_FN(tile_second)(SKIP_FFN_B2 SKIP_FFN_PASS_2);
	}
}

SKIP_FFN_STAGE SKIP_FFN_FN(store)(SKIP_GLOBAL float *SKIP_RESTRICT y, int rows SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_y))
#if SKIP_FFN_RESIDUAL
				  SKIP_FFN_PORT(SKIP_FFN_FN(outputs), SKIP_FFN_FN(c_residual))
#endif
)
{
	for (int row0 = 0; row0 < rows; row0 += SKIP_FFN_T) {
		for (int i = 0; i < SKIP_FFN_Y_TOKENS; i++) {
			SKIP_FFN_FN(outputs) token = SKIP_FFN_READ(SKIP_FFN_FN(c_y));
#if SKIP_FFN_RESIDUAL
			const SKIP_FFN_FN(outputs) beside = SKIP_FFN_READ(SKIP_FFN_FN(c_residual));
			SKIP_FFN_FN(plus)(&token, &beside);
#endif
			SKIP_FFN_FN(put_y)(y, row0 + i % SKIP_FFN_T, i / SKIP_FFN_T, rows, &token);
		}
	}
}
#else
/* The last step of a tile: the residual added, the rows stored. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, tile_store)(SKIP_GLOBAL const float *residual, SKIP_GLOBAL float *y, int row0, int rows, SKIP_FFN_FN(outputs) *tile_y)
{
	for (int i = 0; i < SKIP_FFN_Y_TOKENS; i++) {
#if SKIP_FFN_RESIDUAL
		SKIP_FFN_FN(outputs) beside;
		SKIP_FFN_FN(get_residual)(residual, row0 + i % SKIP_FFN_T, i / SKIP_FFN_T, rows, &beside);
		SKIP_FFN_FN(plus)(&tile_y[i], &beside);
#endif
		SKIP_FFN_FN(put_y)(y, row0 + i % SKIP_FFN_T, i / SKIP_FFN_T, rows, &tile_y[i]);
	}
}

/* All tiles. The loop has the form that dataflow in a loop asks for: a count, arrays of its own, calls. */
static inline void SKIP_JOIN(SKIP_FFN_NAME, tiles)(SKIP_GLOBAL const float *x, SKIP_GLOBAL const SKIP_FFN_WEIGHT *w1, SKIP_GLOBAL const SKIP_FFN_WEIGHT *w2, SKIP_GLOBAL const float *b1,
						   SKIP_GLOBAL const float *b2, SKIP_GLOBAL const float *residual, SKIP_GLOBAL float *y, int rows, int tiles)
{
	SKIP_FLOW
	for (int tile = 0; tile < tiles; tile++) {
		SKIP_FFN_FN(outputs) hidden[SKIP_FFN_T * SKIP_FFN_PANELS(SKIP_FFN_F)], tile_y[SKIP_FFN_Y_TOKENS];
		SKIP_FFN_FN(tile_first)(b1, w1, x, tile * SKIP_FFN_T, rows, hidden);
		SKIP_FFN_FN(tile_second)(b2, w2, hidden, tile_y);
		SKIP_FFN_FN(tile_store)(residual, y, tile * SKIP_FFN_T, rows, tile_y);
	}
}
#endif

#ifndef INTEL_FPGA
SKIP_TASK SKIP_FFN_NAME(
	SKIP_GLOBAL const float *SKIP_RESTRICT x, /* [rows][D] */
	SKIP_GLOBAL const SKIP_FFN_WEIGHT *SKIP_RESTRICT w1, /* panels of P columns: [ceil(F/P)][ROWS][P], INT: then scales [P] and starts of sums [P] */
	SKIP_GLOBAL const SKIP_FFN_WEIGHT *SKIP_RESTRICT w2, /* likewise [ceil(N/P)] .. */
#if SKIP_FFN_BIAS1
	SKIP_GLOBAL const float *SKIP_RESTRICT b1, /* [F] */
#endif
#if SKIP_FFN_BIAS2
	SKIP_GLOBAL const float *SKIP_RESTRICT b2, /* [N] */
#endif
#if SKIP_FFN_RESIDUAL
	SKIP_GLOBAL const float *SKIP_RESTRICT residual, /* [rows][N] */
#endif
	SKIP_GLOBAL float *SKIP_RESTRICT y, /* [rows][N] */
	int rows)
{
	SKIP_REQUIRE(sizes, SKIP_FFN_D > 0 && SKIP_FFN_F > 0 && SKIP_FFN_N > 0 && SKIP_FFN_T > 0 && SKIP_FFN_P > 0 && SKIP_FFN_D <= 65536 && SKIP_FFN_F <= 65536);
#ifdef SKIP_STREAMS
	SKIP_FLOW
	hls::stream<skip_floats, SKIP_FFN_DEPTH> SKIP_FFN_FN(c_x);
	hls::stream<SKIP_FFN_FN(weights), SKIP_FFN_DEPTH> SKIP_FFN_FN(c_w1), SKIP_FFN_FN(c_w2);
	hls::stream<SKIP_FFN_FN(outputs), SKIP_FFN_DEPTH> SKIP_FFN_FN(c_hidden), SKIP_FFN_FN(c_y);
#if SKIP_FFN_RESIDUAL
	hls::stream<SKIP_FFN_FN(outputs), SKIP_FFN_DEPTH_RESIDUAL> SKIP_FFN_FN(c_residual);
	SKIP_FFN_FN(load_x)(x, residual, rows, SKIP_FFN_FN(c_x), SKIP_FFN_FN(c_residual));
#else
	SKIP_FFN_FN(load_x)(x, rows, SKIP_FFN_FN(c_x));
#endif
	SKIP_FFN_FN(load_1)(w1, rows, SKIP_FFN_FN(c_w1));
	SKIP_FFN_FN(load_2)(w2, rows, SKIP_FFN_FN(c_w2));
#if SKIP_FFN_BIAS1
	SKIP_FFN_FN(first)(b1, rows SKIP_FFN_PASS_1);
#else
	SKIP_FFN_FN(first)(rows SKIP_FFN_PASS_1);
#endif
#if SKIP_FFN_BIAS2
	SKIP_FFN_FN(second)(b2, rows SKIP_FFN_PASS_2);
#else
	SKIP_FFN_FN(second)(rows SKIP_FFN_PASS_2);
#endif
#if SKIP_FFN_RESIDUAL
	SKIP_FFN_FN(store)(y, rows, SKIP_FFN_FN(c_y), SKIP_FFN_FN(c_residual));
#else
	SKIP_FFN_FN(store)(y, rows, SKIP_FFN_FN(c_y));
#endif
#elif SKIP_FFN_RESIDUAL
	SKIP_FFN_FN(tiles)(x, w1, w2, SKIP_FFN_B1, SKIP_FFN_B2, residual, y, rows, (rows + SKIP_FFN_T - 1) / SKIP_FFN_T);
#else
	SKIP_FFN_FN(tiles)(x, w1, w2, SKIP_FFN_B1, SKIP_FFN_B2, 0, y, rows, (rows + SKIP_FFN_T - 1) / SKIP_FFN_T);
#endif
}
#endif
#undef SKIP_FFN_FN
#undef SKIP_FFN_PANELS
#undef SKIP_FFN_XW
#undef SKIP_FFN_LANES
#undef SKIP_FFN_ROWS
#undef SKIP_FFN_PANEL
#undef SKIP_FFN_WEIGHT
#undef SKIP_FFN_WORD
#undef SKIP_FFN_WORDS
#undef SKIP_FFN_HIDDEN
#undef SKIP_FFN_X_TOKENS
#undef SKIP_FFN_Y_TOKENS
#undef SKIP_FFN_STREAMS_1
#undef SKIP_FFN_STREAMS_2
#undef SKIP_FFN_GET_X
#undef SKIP_FFN_GET_W1
#undef SKIP_FFN_GET_W2
#undef SKIP_FFN_PUT_HIDDEN
#undef SKIP_FFN_GET_HIDDEN
#undef SKIP_FFN_PUT_Y
#undef SKIP_FFN_GET_SCALES1
#undef SKIP_FFN_GET_SCALES2
#undef SKIP_FFN_STAGE
#undef SKIP_FFN_PORT
#undef SKIP_FFN_READ
#undef SKIP_FFN_WRITE
#undef SKIP_FFN_PASS_1
#undef SKIP_FFN_PASS_2
#undef SKIP_FFN_B1
#undef SKIP_FFN_B2
