/* The functions of maths.cl for one width; SKIP_MATHS_WIDTH, SKIP_MATHS_FLOAT and SKIP_MATHS_INT are set by it. */
#define SKIP_MATHS_FN(name) SKIP_PASTE(skip_##name##_f, SKIP_MATHS_WIDTH)
#define SKIP_MATHS_AS_FLOAT SKIP_PASTE(as_, SKIP_MATHS_FLOAT)
#define SKIP_MATHS_AS_INT SKIP_PASTE(as_, SKIP_MATHS_INT)
#define SKIP_MATHS_V(number) ((SKIP_MATHS_FLOAT)(number))

/*
 * e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds and leaves n in the low bits. ln 2 in two parts keeps r exact.
 * e^r = 1 + r + r^2 q(r), q minimax of degree 3 (relative error 1.1e-7).
 */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(exp)(SKIP_MATHS_FLOAT x)
{
	const SKIP_MATHS_FLOAT shifted = fma(x, SKIP_MATHS_V(0x1.715476p+0f), SKIP_MATHS_V(0x1.8p+23f));
	const SKIP_MATHS_FLOAT n = shifted - SKIP_MATHS_V(0x1.8p+23f);
	SKIP_MATHS_FLOAT r = fma(n, SKIP_MATHS_V(-0x1.62ep-1f), x);
	r = fma(n, SKIP_MATHS_V(-0x1.0bfbe8p-15f), r);
	SKIP_MATHS_FLOAT q = SKIP_MATHS_V(0x1.10627ap-7f);
	q = fma(q, r, SKIP_MATHS_V(0x1.572a08p-5f));
	q = fma(q, r, SKIP_MATHS_V(0x1.5557aep-3f));
	q = fma(q, r, SKIP_MATHS_V(0x1.fffdfcp-2f));
	q = fma(q, r * r, r) + SKIP_MATHS_V(1.0f);
	const SKIP_MATHS_FLOAT scale = SKIP_MATHS_AS_FLOAT((SKIP_MATHS_AS_INT(shifted) << 23) + 0x3f800000);
	q = x < SKIP_MATHS_V(-87.3f) ? SKIP_MATHS_V(0.0f) : q * scale;
	return x > SKIP_MATHS_V(88.3f) ? SKIP_MATHS_V(INFINITY) : q;
}

/* 2^x for weights in a short type: 2^n p(f), n = round(x), |f| <= 1/2, p minimax of degree 3 (7.5e-5). x in [-126, 126], below -126 as there. */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(exp2_short)(SKIP_MATHS_FLOAT x)
{
	x = x < SKIP_MATHS_V(-126.0f) ? SKIP_MATHS_V(-126.0f) : x;
	const SKIP_MATHS_FLOAT shifted = x + SKIP_MATHS_V(0x1.8p+23f), f = x - (shifted - SKIP_MATHS_V(0x1.8p+23f));
	SKIP_MATHS_FLOAT p = fma(f, SKIP_MATHS_V(0x1.c3f760p-5f), SKIP_MATHS_V(0x1.f0de1ap-3f));
	p = fma(p, f, SKIP_MATHS_V(0x1.62f31ap-1f));
	p = fma(p, f, SKIP_MATHS_V(0x1.fff692p-1f));
	return SKIP_MATHS_AS_FLOAT(SKIP_MATHS_AS_INT(p) + (SKIP_MATHS_AS_INT(shifted) << 23));
}

/*
 * erf x = z P(t), z = x clamped to [-3.8, 3.8], t = z^2 * 2 / 3.8^2 - 1 in [-1, 1], P minimax of degree 14 for the absolute error of the product
 * (5e-8); it is exactly +-1 at the clamp.
 */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(erf)(SKIP_MATHS_FLOAT x)
{
	SKIP_MATHS_FLOAT z = x > SKIP_MATHS_V(0x1.e66666p+1f) ? SKIP_MATHS_V(0x1.e66666p+1f) : x;
	z = z < SKIP_MATHS_V(-0x1.e66666p+1f) ? SKIP_MATHS_V(-0x1.e66666p+1f) : z;
	const SKIP_MATHS_FLOAT t = fma(z * z, SKIP_MATHS_V(0x1.1ba812p-3f), SKIP_MATHS_V(-1.0f));
	SKIP_MATHS_FLOAT p = SKIP_MATHS_V(0x1.0bef16p-10f);
	p = fma(p, t, SKIP_MATHS_V(-0x1.6156b2p-9f));
	p = fma(p, t, SKIP_MATHS_V(0x1.36489ap-9f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.b077bap-9f));
	p = fma(p, t, SKIP_MATHS_V(0x1.4606a4p-7f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.2c5f56p-6f));
	p = fma(p, t, SKIP_MATHS_V(0x1.b556a8p-6f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.3efe5ep-5f));
	p = fma(p, t, SKIP_MATHS_V(0x1.c305fcp-5f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.290602p-4f));
	p = fma(p, t, SKIP_MATHS_V(0x1.740dp-4f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.c76a86p-4f));
	p = fma(p, t, SKIP_MATHS_V(0x1.1a172cp-3f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.7c3174p-3f));
	p = fma(p, t, SKIP_MATHS_V(0x1.7d09c8p-2f));
	return z * p;
}

/* 1 - 2 / (e^2|x| + 1), with the sign of x. */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(tanh)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT e = SKIP_MATHS_FN(exp)(fabs(u) * 2.0f);
	return copysign(1.0f - 2.0f / (e + 1.0f), u);
}

static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(none)(SKIP_MATHS_FLOAT u) { return u; }
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(relu)(SKIP_MATHS_FLOAT u) { return u < SKIP_MATHS_V(0.0f) ? SKIP_MATHS_V(0.0f) : u; }

static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(gelu)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT h = u * 0.5f;
	return fma(h, SKIP_MATHS_FN(erf)(u * 0x1.6a09e6p-1f), h);
}

/*
 * GELU for products in a short type: u (1/2 + z P(t)), z = u clamped to [-4, 4], t = z^2 / 8 - 1, P minimax of degree 6 for the absolute error of the
 * whole (1.9e-4); it is exactly u or 0 behind the clamp.
 */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(gelu_short)(SKIP_MATHS_FLOAT u)
{
	SKIP_MATHS_FLOAT z = u > SKIP_MATHS_V(4.0f) ? SKIP_MATHS_V(4.0f) : u;
	z = z < SKIP_MATHS_V(-4.0f) ? SKIP_MATHS_V(-4.0f) : z;
	const SKIP_MATHS_FLOAT t = fma(z * z, SKIP_MATHS_V(0.125f), SKIP_MATHS_V(-1.0f));
	SKIP_MATHS_FLOAT p = SKIP_MATHS_V(0x1.840e4cp-8f);
	p = fma(p, t, SKIP_MATHS_V(-0x1.0ee654p-6f));
	p = fma(p, t, SKIP_MATHS_V(0x1.8ba3d6p-6f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.229ed0p-5f));
	p = fma(p, t, SKIP_MATHS_V(0x1.c5cbf4p-5f));
	p = fma(p, t, SKIP_MATHS_V(-0x1.59cd8ep-4f));
	p = fma(p, t, SKIP_MATHS_V(0x1.68635cp-3f));
	return u * fma(z, p, SKIP_MATHS_V(0.5f));
}

/* u (1 + tanh a) / 2 = u / (1 + e^-2a), a = sqrt(2/pi) (u + 0.044715 u^3) */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(gelu_tanh)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT a = u * 0x1.988454p-1f * fma(u * u, SKIP_MATHS_V(0x1.6e4e26p-5f), SKIP_MATHS_V(1.0f));
	return u / (1.0f + SKIP_MATHS_FN(exp)(a * -2.0f));
}

static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(none_grad)(SKIP_MATHS_FLOAT u) { return SKIP_MATHS_V(1.0f); }

static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(relu_grad)(SKIP_MATHS_FLOAT u)
{
	return u > SKIP_MATHS_V(0.0f) ? SKIP_MATHS_V(1.0f) : SKIP_MATHS_V(0.0f);
}

/* Phi(u) + u phi(u) */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(gelu_grad)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT density = SKIP_MATHS_FN(exp)(u * u * -0.5f) * 0x1.988454p-2f;
	return fma(u, density, fma(SKIP_MATHS_FN(erf)(u * 0x1.6a09e6p-1f), SKIP_MATHS_V(0.5f), SKIP_MATHS_V(0.5f)));
}

/* (1 + tanh a) / 2 + u / 2 (1 - tanh^2 a) da/du; with e = e^-2|a| the first is 1 or e over 1 + e, and (1 - tanh^2 a) / 4 is e / (1 + e)^2. */
static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(gelu_tanh_grad)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT square = u * u;
	const SKIP_MATHS_FLOAT a = u * 0x1.988454p-1f * fma(square, SKIP_MATHS_V(0x1.6e4e26p-5f), SKIP_MATHS_V(1.0f));
	const SKIP_MATHS_FLOAT slope = 0x1.988454p-1f * fma(square, SKIP_MATHS_V(0x1.12ba9ep-3f), SKIP_MATHS_V(1.0f));
	const SKIP_MATHS_FLOAT e = SKIP_MATHS_FN(exp)(fabs(a) * -2.0f), part = 1.0f / (1.0f + e);
	return fma(2.0f * u * slope, e * part * part, u < SKIP_MATHS_V(0.0f) ? e * part : part);
}

static inline SKIP_MATHS_FLOAT SKIP_MATHS_FN(tanh_grad)(SKIP_MATHS_FLOAT u)
{
	const SKIP_MATHS_FLOAT t = SKIP_MATHS_FN(tanh)(u);
	return fma(-t, t, SKIP_MATHS_V(1.0f));
}

#undef SKIP_MATHS_FN
#undef SKIP_MATHS_AS_FLOAT
#undef SKIP_MATHS_AS_INT
#undef SKIP_MATHS_V
