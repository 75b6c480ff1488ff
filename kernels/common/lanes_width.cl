/* The functions of lanes.cl for one width; SKIP_LANES_WIDTH, SKIP_LANES_LOW and SKIP_LANES_HIGH are set by it. */
#define SKIP_LANES_FN(name) SKIP_PASTE(skip_lanes_##name##_f, SKIP_LANES_WIDTH)
#define SKIP_LANES_FLOAT SKIP_PASTE(float, SKIP_LANES_WIDTH)
#define SKIP_LANES_LOAD(i, p) SKIP_AT(__global const, float, SKIP_LANES_WIDTH, i, p)
#define SKIP_LANES_STORE(v, i, p) SKIP_AT(__global, float, SKIP_LANES_WIDTH, i, p) = (v)
#define SKIP_LANES_EACH(i, count) SKIP_UNROLL(count) for (uint i = 0; i < (count); i++)
/* One of the log2(WIDTH) steps of a square transposition: the halves of `from` interleaved. */
#define SKIP_LANES_STEP(from, to)                                                                          \
	SKIP_LANES_EACH(i, SKIP_LANES_WIDTH / 2)                                                           \
	{                                                                                                  \
		to[2 * i] = SKIP_LANES_LOW(from[i], from[i + SKIP_LANES_WIDTH / 2]);                       \
		to[2 * i + 1] = SKIP_LANES_HIGH(from[i], from[i + SKIP_LANES_WIDTH / 2]);                  \
	}

static inline void SKIP_LANES_FN(turn)(SKIP_LANES_FLOAT *t)
{
	SKIP_LANES_FLOAT u[SKIP_LANES_WIDTH];
	SKIP_UNROLL(1) /* all steps in one block would take LLVM 0.1 s of looking for shorter ways */
	for (uint width = 4; width <= SKIP_LANES_WIDTH; width *= 4) {
		SKIP_LANES_STEP(t, u)
		SKIP_LANES_STEP(u, t)
	}
#if SKIP_LANES_WIDTH == 8
	SKIP_LANES_STEP(t, u)
	SKIP_LANES_EACH(i, SKIP_LANES_WIDTH) t[i] = u[i];
#endif
}

SKIP_APART void SKIP_LANES_FN(take)(__global const float *x, uint stride, uint width, uint rows, SKIP_LANES_FLOAT *lanes)
{
	if (width >= SKIP_LANES_WIDTH) {
		for (uint from = 0; from < width; from += SKIP_LANES_WIDTH) {
			const uint e = min(from, width - SKIP_LANES_WIDTH);
			SKIP_LANES_FLOAT t[SKIP_LANES_WIDTH];
			SKIP_LANES_EACH(r, SKIP_LANES_WIDTH) t[r] = SKIP_LANES_LOAD(0, x + min(r, rows - 1) * stride + e);
			SKIP_LANES_FN(turn)(t);
			SKIP_LANES_EACH(r, SKIP_LANES_WIDTH) lanes[e + r] = t[r];
		}
	} else {
		float *one = (float *)lanes;
		for (uint e = 0; e < width; e++) {
			for (uint r = 0; r < SKIP_LANES_WIDTH; r++) one[e * SKIP_LANES_WIDTH + r] = x[min(r, rows - 1) * stride + e];
		}
	}
}

static inline void SKIP_LANES_FN(load)(__global const float *x, uint stride, uint width, uint rows, SKIP_LANES_FLOAT factor,
				       SKIP_LANES_FLOAT *lanes)
{
	SKIP_LANES_FN(take)(x, stride, width, rows, lanes);
	for (uint e = 0; e < width; e++) lanes[e] *= factor;
}

SKIP_APART void SKIP_LANES_FN(store)(const SKIP_LANES_FLOAT *lanes, uint stride, uint width, uint rows, __global float *y)
{
	if (width >= SKIP_LANES_WIDTH) {
		for (uint from = 0; from < width; from += SKIP_LANES_WIDTH) {
			const uint e = min(from, width - SKIP_LANES_WIDTH);
			SKIP_LANES_FLOAT t[SKIP_LANES_WIDTH];
			SKIP_LANES_EACH(r, SKIP_LANES_WIDTH) t[r] = lanes[e + r];
			SKIP_LANES_FN(turn)(t);
			for (uint r = 0; r < rows; r++) SKIP_LANES_STORE(t[r], 0, y + r * stride + e);
		}
	} else {
		const float *one = (const float *)lanes;
		for (uint r = 0; r < rows; r++)
			for (uint e = 0; e < width; e++) y[r * stride + e] = one[e * SKIP_LANES_WIDTH + r];
	}
}

SKIP_APART void SKIP_LANES_FN(spread)(const SKIP_LANES_FLOAT *sums, uint n, uint width, float factor, uint stride, __global float *y)
{
	const uint vectors = (width + SKIP_LANES_WIDTH - 1) / SKIP_LANES_WIDTH, whole = width / SKIP_LANES_WIDTH;
	for (uint t = 0; t < n; t++) {
		for (uint c = 0; c < whole; c++) SKIP_LANES_STORE(sums[t * vectors + c] * factor, c, y + t * stride);
		const float *last = (const float *)(sums + t * vectors + whole);
		for (uint e = whole * SKIP_LANES_WIDTH; e < width; e++) y[t * stride + e] = last[e - whole * SKIP_LANES_WIDTH] * factor;
	}
}

#undef SKIP_LANES_FN
#undef SKIP_LANES_FLOAT
#undef SKIP_LANES_LOAD
#undef SKIP_LANES_STORE
#undef SKIP_LANES_EACH
#undef SKIP_LANES_STEP
