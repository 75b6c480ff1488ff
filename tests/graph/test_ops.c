/* References of the ops against independent naive formulas and numbers computed by hand. Gradient ops: test_gradients.c. */
#include "one_op.h"

#include <stdint.h>
#include <stdlib.h>

static const double *out_of(const struct one_op *one, const struct skip_ref_result *result)
{
	return result->data[one->node.out[0]];
}

Test(ops, table_is_complete_and_found_by_name)
{
	static const char *const names[] = {"embed",         "layernorm", "linear",    "act",      "attention",     "pool",
	                                    "dropout",       "mask",      "add",       "add_bias", "layernorm_bwd", "act_bwd",
	                                    "attention_bwd", "pool_bwd",  "linear_dw", "score",    "mul",           "rotary",
	                                    "layernorm_dw",  "square_sum", "adamw",         "ffn"};
	size_t n = 0;
	for (; skip_ops[n]; n++) {
		const struct skip_op *op = skip_ops[n];
		cr_assert(skip_op_find(op->name) == op && op->infer && op->reference, "%s", op->name);
		cr_assert(op->max_in <= SKIP_NODE_MAX_IN && op->max_param <= SKIP_NODE_MAX_PARAM && op->n_out_max <= SKIP_NODE_MAX_OUT);
		cr_assert(op->min_in <= op->max_in && op->min_param <= op->max_param && op->n_out_min <= op->n_out_max);
		for (size_t a = 0; a < op->n_attrs; a++) {
			bool is_enum = op->attrs[a].type == SKIP_ATTR_ENUM || op->attrs[a].type == SKIP_ATTR_LATE_ENUM; /* the others are numbers */
			cr_assert(is_enum == (op->attrs[a].names != NULL));
		}
	}
	cr_assert(n == sizeof(names) / sizeof(names[0]), "%zu ops", n);
	for (size_t i = 0; i < n; i++) cr_assert(skip_op_find(names[i]) != NULL, "%s", names[i]);
	cr_assert(skip_op_find("softmax") == NULL && skip_op_find("") == NULL);
}

Test(ops, ffn_is_two_linears)
{
	static const enum skip_precision precisions[] = {SKIP_PRECISION_F32, SKIP_PRECISION_INT8};
	for (int i = 0; i < 4; i++) {
		struct one_op one = one_make("ffn");
		struct skip_err err;
		const bool residual = i & 1;
		int x = one_input(&one, "x", SKIP_ROWS_T, 0, 7);
		if (residual) one_input(&one, "r", SKIP_ROWS_T, 0, 5);
		one_tensor(&one, "w1", 13, 7, false);
		one_tensor(&one, "w2", 5, 13, false);
		one_tensor(&one, "b1", 13, 0, false);
		one_tensor(&one, "b2", 5, 0, false);
		one.node.attrs.ffn = (struct skip_attrs_ffn){SKIP_ACT_GELU, precisions[i / 2]};
		one_add(&one);
		struct skip_node up = {.op = skip_op_find("linear"), .n_in = 1, .in = {x}, .n_param = 2, .n_out = 1}, down = up;
		up.attrs.linear = (struct skip_attrs_linear){.act = SKIP_ACT_GELU, .precision = precisions[i / 2]};
		down.attrs.linear.precision = precisions[i / 2];
		for (int p = 0; p < 2; p++) up.param[p] = one.node.param[2 * p], down.param[p] = one.node.param[1 + 2 * p];
		const char *names[] = {"hidden"};
		CHECK_OK(skip_graph_add_node(one.graph, &up, names, NULL, &err));
		down.in[0] = up.out[0];
		if (residual) down.in[down.n_in++] = one.node.in[1];
		names[0] = "y";
		CHECK_OK(skip_graph_add_node(one.graph, &down, names, NULL, &err));
		struct skip_ref_result result = one_run_graph(&one, one.graph, SKIP_NONE, NULL);
		one_equal(result.data[one.node.out[0]], result.data[down.out[0]], ONE_TOKENS * 5, 0, "ffn against its linears");
		double macs = one.node.op->macs(one.graph, &one.node, 10);
		cr_assert(macs == 10.0 * 13 * (7 + 5), "%g multiply-adds", macs);
		one_free(&one, &result);
	}
}

Test(ops, embed)
{
	for (int types = 0; types < 2; types++) {
		struct one_op one = one_make("embed");
		int32_t ids[ONE_TOKENS], kinds[ONE_TOKENS];
		for (int t = 0; t < ONE_TOKENS; t++) ids[t] = (t * 5) % 11, kinds[t] = t % 3 == 0;
		one.batch.ids = ids;
		one.batch.types = kinds;
		const double *word = one_tensor(&one, "word", 11, 7, false), *place = one_tensor(&one, "place", 64, 7, false);
		const double *type = types ? one_tensor(&one, "type", 2, 7, false) : NULL;
		one.node.attrs.embed.position_base = 2;
		struct skip_ref_result result = one_run(&one);
		cr_assert(result.rows[one.node.out[0]] == ONE_TOKENS && one.graph->values[one.node.out[0]].cols == 7);
		for (int b = 0; b < ONE_SEQS; b++)
			for (int t = one_offset[b], n = 0; t < one_offset[b + 1]; t++, n++)
				for (int d = 0; d < 7; d++) {
					double wanted = word[ids[t] * 7 + d] + place[(n + 2) * 7 + d] + (type ? type[kinds[t] * 7 + d] : 0);
					cr_assert(fabs(out_of(&one, &result)[t * 7 + d] - wanted) < 1e-15, "row %d col %d", t, d);
				}
		one_free(&one, &result);
	}
}

Test(ops, embed_refuses_ids_outside_the_tables)
{
	static const struct {
		int32_t id, type;
		int base;
		const char *message;
	} cases[] = {{11, 0, 0, "token id 11 is outside the 11 rows of 'word'"},
	             {-1, 0, 0, "token id -1"},
	             {0, 2, 0, "type id 2 is outside the 2 rows of 'type'"},
	             {0, 0, 4, "position 64 is outside the 64 rows of 'place'"}};
	for (size_t i = 0; i < 4; i++) {
		struct one_op one = one_make("embed");
		struct skip_ref_result result = {NULL, NULL, 0};
		struct skip_err err;
		int32_t ids[ONE_TOKENS] = {0}, kinds[ONE_TOKENS] = {0};
		ids[40] = cases[i].id;
		kinds[41] = cases[i].type;
		one.batch.ids = ids;
		one.batch.types = kinds;
		one_tensor(&one, "word", 11, 7, false);
		one_tensor(&one, "place", 64, 7, false);
		one_tensor(&one, "type", 2, 7, false);
		one.node.attrs.embed.position_base = cases[i].base;
		one_add(&one);
		CHECK_FAILS(skip_reference_run(one.graph, &one.batch, NULL, 0, 0, &result, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, cases[i].message) != NULL, "%s", err.message);
		cr_assert(result.data == NULL);
		one_free(&one, NULL);
	}
}

Test(ops, layernorm)
{
	static const int widths[] = {1, 7, 61};
	for (size_t w = 0; w < 3; w++) {
		struct one_op one = one_make("layernorm");
		int width = widths[w];
		one_input(&one, "x", SKIP_ROWS_T, 0, width);
		const double *gamma = one_tensor(&one, "gamma", width, 0, false), *beta = one_tensor(&one, "beta", width, 0, false);
		one.node.attrs.layernorm.eps = 1e-3f;
		struct skip_ref_result result = one_run(&one);
		for (int r = 0; r < ONE_TOKENS; r++) {
			const double *x = one.data[0] + r * width;
			long double sum = 0, square = 0;
			for (int d = 0; d < width; d++) sum += x[d], square += (long double)x[d] * x[d];
			long double mean = sum / width, var = square / width - mean * mean; /* divided by D, not D-1 */
			for (int d = 0; d < width; d++) {
				double wanted = (double)((x[d] - mean) / sqrtl(var + (long double)1e-3f) * gamma[d] + beta[d]);
				cr_assert(fabs(out_of(&one, &result)[r * width + d] - wanted) < 1e-12, "width %d row %d", width, r);
			}
		}
		one_free(&one, &result);
	}
}

Test(ops, linear)
{
	static const struct {
		int in, out;
		bool bias, residual, transpose;
		enum skip_act act;
		enum skip_rows rows;
	} cases[] = {
	    {7, 61, true, false, false, SKIP_ACT_NONE, SKIP_ROWS_T}, {61, 7, false, false, false, SKIP_ACT_NONE, SKIP_ROWS_T},
	    {1, 1, true, true, false, SKIP_ACT_GELU, SKIP_ROWS_B},   {7, 5, true, true, true, SKIP_ACT_RELU, SKIP_ROWS_T},
	    {13, 8, false, true, true, SKIP_ACT_TANH, SKIP_ROWS_B},  {3, 6, true, false, true, SKIP_ACT_GELU_TANH, SKIP_ROWS_FIXED}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct one_op one = one_make("linear");
		int in = cases[i].in, out = cases[i].out;
		int rows = cases[i].rows == SKIP_ROWS_T ? ONE_TOKENS : cases[i].rows == SKIP_ROWS_B ? ONE_SEQS : 9;
		one_input(&one, "x", cases[i].rows, 9, in);
		if (cases[i].residual) one_input(&one, "residual", cases[i].rows, 9, out);
		const double *w = cases[i].transpose ? one_tensor(&one, "w", in, out, false) : one_tensor(&one, "w", out, in, false);
		const double *b = cases[i].bias ? one_tensor(&one, "b", out, 0, false) : NULL;
		one.node.attrs.linear.transpose = cases[i].transpose;
		one.node.attrs.linear.act = cases[i].act;
		struct skip_ref_result result = one_run(&one);
		cr_assert(result.rows[one.node.out[0]] == rows);
		for (int r = 0; r < rows; r++)
			for (int n = 0; n < out; n++) {
				long double u = b ? b[n] : 0;
				for (int k = 0; k < in; k++)
					u += (long double)one.data[0][r * in + k] * w[cases[i].transpose ? k * out + n : n * in + k];
				double y = (double)u;
				if (cases[i].act == SKIP_ACT_GELU) y = y * (1 + erf(y / sqrt(2))) / 2;
				if (cases[i].act == SKIP_ACT_RELU) y = fmax(y, 0);
				if (cases[i].act == SKIP_ACT_TANH) y = tanh(y);
				if (cases[i].act == SKIP_ACT_GELU_TANH) y = y / 2 * (1 + tanh(sqrt(2 / M_PI) * (y + 0.044715 * pow(y, 3))));
				if (cases[i].residual) y += one.data[1][r * out + n];
				double got = out_of(&one, &result)[r * out + n];
				cr_assert(fabs(got - y) < 1e-12, "case %zu row %d col %d: %g, wanted %g", i, r, n, got, y);
			}
		one_free(&one, &result);
	}
}

/* With a clip of 1 and weights that are steps of int8 themselves, products are those of 127ths: what lies beyond 1 counts as 1, and rows share the scale. */
Test(ops, linear_with_a_clip)
{
	struct one_op one = one_make("linear");
	one_input(&one, "x", SKIP_ROWS_T, 0, 3);
	double *w = one_tensor(&one, "w", 2, 3, false);
	for (int i = 0; i < 6; i++) w[i] = (double[]){1, 0, 0, 127, 1, -127}[i];
	one.node.attrs.linear.precision = SKIP_PRECISION_INT8;
	one.node.attrs.linear.clip = 1;
	struct skip_ref_result result = one_run(&one);
	int saturated = 0;
	for (int r = 0; r < ONE_TOKENS; r++) {
		double x[3];
		for (int k = 0; k < 3; k++) {
			const double raw = one.data[0][r * 3 + k];
			saturated += fabs(raw) > 1;
			x[k] = rint((double)fminf(fmaxf((float)raw, -1), 1) * 127) / 127;
		}
		const double *y = out_of(&one, &result) + 2 * r;
		cr_assert(fabs(y[0] - x[0]) < 1e-6 && fabs(y[1] - (127 * x[0] + x[1] - 127 * x[2])) < 1e-4, "row %d: %g %g of %g %g %g", r, y[0], y[1], x[0], x[1], x[2]);
	}
	cr_assert(saturated > 20 && saturated < 150, "%d", saturated);
	one_free(&one, &result);
}

/* A clip is one of int8, and so large that scales are normal numbers. */
Test(ops, linear_refuses_wrong_clips)
{
	static const struct {
		enum skip_precision precision;
		float clip;
	} cases[] = {{SKIP_PRECISION_F32, 1}, {SKIP_PRECISION_BF16, 1}, {SKIP_PRECISION_INT8, -1}, {SKIP_PRECISION_INT8, 1e-38f}, {SKIP_PRECISION_INT8, 1e38f},
		     {SKIP_PRECISION_INT8, NAN}, {SKIP_PRECISION_INT8, INFINITY}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_err err;
		struct one_op one = one_make("linear");
		const char *out = "y";
		one_input(&one, "x", SKIP_ROWS_T, 0, 3);
		one_tensor(&one, "w", 2, 3, false);
		one.node.n_out = 1;
		one.node.attrs.linear.precision = cases[i].precision;
		one.node.attrs.linear.clip = cases[i].clip;
		CHECK_FAILS(skip_graph_add_node(one.graph, &one.node, &out, NULL, &err), SKIP_ERR_INPUT);
		cr_expect(strstr(err.message, "clip") != NULL, "%s", err.message);
		free(one.data[0]);
		skip_graph_destroy(one.graph);
	}
}

/* Numbers of the closed forms at a few points; the two gelus differ there. */
Test(ops, act)
{
	static const double points[] = {1, -2, 0, 3.5, -40};
	static const struct {
		enum skip_act kind;
		double wanted[5];
	} cases[] = {{SKIP_ACT_GELU, {0.84134474606854294, -0.045500263896358417, 0, 3.4991857982233756, 0}},
	             {SKIP_ACT_GELU_TANH, {0.84119199060827675, -0.045402305912224938, 0, 3.499383802344626, 0}},
	             {SKIP_ACT_RELU, {1, 0, 0, 3.5, 0}},
	             {SKIP_ACT_TANH, {0.76159415595576485, -0.9640275800758169, 0, 0.99817789761119868, -1}}};
	for (size_t i = 0; i < 4; i++) {
		struct one_op one = one_make("act");
		one_input(&one, "u", SKIP_ROWS_B, 0, 5);
		for (int r = 0; r < ONE_SEQS; r++) memcpy(one.data[0] + r * 5, points, sizeof(points));
		one.node.attrs.act.kind = cases[i].kind;
		struct skip_ref_result result = one_run(&one);
		for (int r = 0; r < ONE_SEQS; r++) one_equal(out_of(&one, &result) + r * 5, cases[i].wanted, 5, 1e-14, "act");
		one_free(&one, &result);
	}
}

Test(ops, mul)
{
	struct one_op one = one_make("mul");
	one_input(&one, "a", SKIP_ROWS_T, 0, 7);
	one_input(&one, "b", SKIP_ROWS_T, 0, 7);
	struct skip_ref_result result = one_run(&one);
	for (int i = 0; i < ONE_TOKENS * 7; i++) cr_assert(out_of(&one, &result)[i] == one.data[0][i] * one.data[1][i]);
	one_free(&one, &result);
}

/* As complex numbers: a pair times e^(i place frequency). */
Test(ops, rotary)
{
	for (int form = 0; form < 8; form++) { /* bits: inverse, one row, the last one */
		struct one_op one = one_make("rotary");
		bool inverse = form & 1, one_row = form & 2, last = form & 4;
		one_input(&one, "x", one_row ? SKIP_ROWS_B : SKIP_ROWS_T, 0, 12);
		double *frequency = one_tensor(&one, "frequency", 12, 0, false);
		for (int c = 0; c < 12; c++) frequency[c] = 1.0 / (1 + c % 3 + c / 6); /* two heads of three pairs */
		one.node.attrs.rotary = (struct skip_attrs_rotary){.heads = 2, .inverse = inverse, .at = last ? SKIP_AT_LAST : SKIP_AT_FIRST};
		struct skip_ref_result result = one_run(&one);
		for (int b = 0; b < ONE_SEQS; b++)
			for (int t = one_offset[b]; t < one_offset[b + 1]; t++)
				for (int h = 0; h < 2; h++)
					for (int e = 0; e < 3; e++) {
						int place = t - one_offset[b], row = one_row ? b : t, low = row * 12 + h * 6 + e;
						if (one_row && place != (last ? one_offset[b + 1] - one_offset[b] - 1 : 0)) continue;
						double angle = (double)((float)place * (float)frequency[h * 6 + e]) * (inverse ? -1 : 1);
						double real = one.data[0][low] * cos(angle) - one.data[0][low + 3] * sin(angle);
						double imaginary = one.data[0][low] * sin(angle) + one.data[0][low + 3] * cos(angle);
						cr_assert(fabs(out_of(&one, &result)[low] - real) < 1e-14);
						cr_assert(fabs(out_of(&one, &result)[low + 3] - imaginary) < 1e-14);
					}
		one_free(&one, &result);
	}
}

Test(ops, rotary_refuses_what_has_no_pairs)
{
	static const struct {
		int cols, heads, inverse;
		const char *message;
	} cases[] = {{9, 3, 0, "9 columns of 'x' are not pairs in 3 heads"}, {8, 3, 0, "not pairs in 3 heads"}, {8, 2, 2, "inverse is 2"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const char *const name = "y";
		struct one_op one = one_make("rotary");
		struct skip_err err;
		one_input(&one, "x", SKIP_ROWS_T, 0, cases[i].cols);
		one_tensor(&one, "frequency", cases[i].cols, 0, false);
		one.node.attrs.rotary = (struct skip_attrs_rotary){.heads = cases[i].heads, .inverse = cases[i].inverse};
		CHECK_FAILS(skip_graph_add_node(one.graph, &one.node, &name, NULL, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, cases[i].message) != NULL, "%s", err.message);
		one_free(&one, NULL);
	}
}

/* Attention of one query, written straight from the formula: all keys at once, no maximum, long double. `keep` holds the prefix factors. */
struct naive {
	int heads, qk, v, prefix;
	double scale;
	const double *q, *k, *v_in, *pk, *pv; /* first element of the sequence's rows (of the query for q) */
	int q_stride, k_stride, v_stride;
	const double *keep_k, *keep_v; /* [P][H*qk], [P][H*v] of this sequence, NULL: ones */
	int place, causal, window;     /* of the query */
	const double *bias, *rk, *rq;  /* tables by distance for NAIVE_LONGEST tokens, NULL: none */
};
#define NAIVE_LONGEST 64

static void naive_query(const struct naive *a, int tokens, double *ctx)
{
	for (int h = 0; h < a->heads; h++) {
		long double sum = 0, weighted[64] = {0};
		for (int j = 0; j < a->prefix + tokens; j++) {
			long double z = 0;
			int slot_k = j * a->heads * a->qk + h * a->qk, slot_v = j * a->heads * a->v + h * a->v, t = j - a->prefix;
			for (int e = 0; e < a->qk; e++) {
				double key = j < a->prefix ? a->pk[slot_k + e] * (a->keep_k ? a->keep_k[slot_k + e] : 1)
				                           : a->k[t * a->k_stride + h * a->qk + e];
				int at = (h * a->qk + e) * (2 * NAIVE_LONGEST - 1) + a->place - t + NAIVE_LONGEST - 1;
				z += (long double)a->q[h * a->qk + e] * (key + (a->rk && t >= 0 ? a->rk[at] : 0));
				if (a->rq && t >= 0) z += (long double)key * a->rq[at];
			}
			z *= a->scale;
			if (a->bias && t >= 0) z += a->bias[h * (2 * NAIVE_LONGEST - 1) + a->place - t + NAIVE_LONGEST - 1];
			if (t >= 0 && ((a->causal && t > a->place) || (a->window && abs(t - a->place) > a->window))) continue;
			long double weight = expl(z);
			sum += weight;
			for (int e = 0; e < a->v; e++) {
				double value = j < a->prefix ? a->pv[slot_v + e] * (a->keep_v ? a->keep_v[slot_v + e] : 1)
				                             : a->v_in[t * a->v_stride + h * a->v + e];
				weighted[e] += weight * value;
			}
		}
		for (int e = 0; e < a->v; e++) ctx[h * a->v + e] = (double)(weighted[e] / sum);
	}
}

struct attention_case {
	int heads, qk, v, prefix;
	bool fused, one_query;
	float dropout;
	int causal, window;
	bool last;
	unsigned tables; /* bit 0: bias, 1: Rk, 2: Rq */
};
static struct attention_case attention_cases[] = {
    {3, 4, 5, 0, false, false, 0, 0, 0, false, 0},     {1, 1, 1, 0, false, false, 0, 0, 0, false, 0},
    {3, 4, 5, 1, false, false, 0, 0, 0, false, 0},     {2, 7, 3, 20, false, false, 0, 0, 0, false, 0},
    {2, 7, 3, 20, true, false, 0, 0, 0, false, 0},     {3, 5, 2, 20, false, true, 0, 0, 0, false, 0},
    {3, 2, 6, 0, false, true, 0, 0, 0, false, 0},      {2, 3, 4, 20, false, false, 0.3f, 0, 0, false, 0},
    {2, 3, 4, 20, true, false, 0.9f, 0, 0, false, 0},  {2, 3, 4, 0, false, false, 0, 1, 0, false, 0},
    {2, 3, 4, 20, true, false, 0.3f, 0, 5, false, 0},  {2, 3, 4, 2, false, true, 0, 1, 0, true, 0},
    {2, 3, 4, 2, false, true, 0, 1, 0, false, 0},      {2, 3, 4, 2, false, true, 0, 0, 2, true, 0},
    {2, 3, 4, 2, false, false, 0, 1, 3, false, 0},     {3, 2, 2, 3, false, false, 0, 0, 0, false, 1},
    {3, 2, 2, 3, true, false, 0, 0, 0, false, 2},      {3, 2, 2, 3, false, false, 0, 0, 0, false, 4},
    {3, 2, 2, 3, false, true, 0, 0, 0, true, 7},       {2, 3, 4, 20, false, false, 0.3f, 1, 7, false, 7},
};

ParameterizedTestParameters(ops, attention)
{
	return cr_make_param_array(struct attention_case, attention_cases, sizeof(attention_cases) / sizeof(attention_cases[0]));
}

/* The documented rule, with the mixing of counters written again. */
static void naive_keep(const struct attention_case *c, uint32_t key, int layer, int b, int which, double *out)
{
	int width = c->heads * (which ? c->v : c->qk);
	for (int slot = 0; slot < c->prefix; slot++)
		for (int col = 0; col < width; col++) {
			uint32_t hash = skip_rng_hash(key, 0x50000000u + 2u * (uint32_t)layer + (uint32_t)which,
			                              (uint32_t)((b * c->prefix + slot) * width + col));
			out[slot * width + col] =
			    hash >= (uint32_t)((double)c->dropout * 4294967296.0) ? (double)(1.0f / (1.0f - c->dropout)) : 0;
		}
}

ParameterizedTest(struct attention_case *c, ops, attention)
{
	struct one_op one = one_make("attention");
	int wq = c->heads * c->qk, wv = c->heads * c->v, stride = 2 * wq + wv;
	struct skip_attrs_attention *attrs = &one.node.attrs.attention;
	*attrs = (struct skip_attrs_attention){.heads = c->heads, .qk = c->qk, .v = c->v, .scale = 0.375f, .prefix_dropout = c->dropout,
	                                       .causal = c->causal, .window = c->window, .at = c->last ? SKIP_AT_LAST : SKIP_AT_FIRST};
	struct naive naive = {.heads = c->heads, .qk = c->qk, .v = c->v, .prefix = c->prefix, .scale = 0.375, .causal = c->causal,
	                      .window = c->window};
	if (c->fused) { /* v first, so that no offset can be taken for another */
		one_input(&one, "vkq", SKIP_ROWS_T, 0, stride);
		one.node.in[1] = one.node.in[2] = 0;
		one.node.n_in = 3;
		attrs->k_col = wv;
		attrs->q_col = wv + wq;
	} else {
		one_input(&one, "q", c->one_query ? SKIP_ROWS_B : SKIP_ROWS_T, 0, wq);
		one_input(&one, "k", SKIP_ROWS_T, 0, wq);
		one_input(&one, "v", SKIP_ROWS_T, 0, wv);
	}
	if (c->prefix) {
		naive.pk = one_tensor(&one, "pk", c->prefix, wq, false);
		naive.pv = one_tensor(&one, "pv", c->prefix, wv, false);
	}
	const double **table[] = {&naive.bias, &naive.rk, &naive.rq};
	for (int i = 0; c->tables >> i; i++) {
		static const char *const names[] = {"bias", "rk", "rq"};
		while (one.node.n_param < SKIP_ATTENTION_BIAS + i) one.node.param[one.node.n_param++] = SKIP_NONE;
		if (c->tables >> i & 1) *table[i] = one_tensor(&one, names[i], i ? wq : c->heads, 2 * NAIVE_LONGEST - 1, false);
	}
	struct skip_ref_result result = one_run(&one);
	double ctx[64], keep_k[1024], keep_v[1024];
	double kept = 0;
	for (int b = 0; b < ONE_SEQS; b++) {
		int first = one_offset[b], tokens = one_offset[b + 1] - first;
		naive.q_stride = c->fused ? stride : wq;
		naive.k_stride = c->fused ? stride : wq;
		naive.v_stride = c->fused ? stride : wv;
		naive.k = one.data[one.node.in[1]] + first * naive.k_stride + attrs->k_col;
		naive.v_in = one.data[one.node.in[2]] + first * naive.v_stride + attrs->v_col;
		if (c->dropout > 0) {
			naive_keep(c, one.key, one.node.layer, b, 0, keep_k);
			naive_keep(c, one.key, one.node.layer, b, 1, keep_v);
			naive.keep_k = keep_k;
			naive.keep_v = keep_v;
			for (int i = 0; i < c->prefix * wq; i++) kept += keep_k[i] > 0;
		}
		for (int i = 0; i < (c->one_query ? 1 : tokens); i++) {
			int row = c->one_query ? b : first + i;
			naive.place = !c->one_query ? i : c->last ? tokens - 1 : 0;
			naive.q = one.data[0] + row * naive.q_stride + attrs->q_col;
			naive_query(&naive, tokens, ctx);
			one_equal(out_of(&one, &result) + row * wv, ctx, (size_t)wv, 1e-12, "ctx");
		}
	}
	if (c->dropout > 0) { /* the rule drops about the asked share */
		double share = kept / (ONE_SEQS * c->prefix * wq);
		cr_assert(fabs(share - (1 - (double)c->dropout)) < 0.06, "kept %g", share);
	}
	one_free(&one, &result);
}

Test(ops, attention_survives_huge_scores)
{
	struct one_op one = one_make("attention");
	one_input(&one, "q", SKIP_ROWS_T, 0, 1);
	one_input(&one, "k", SKIP_ROWS_T, 0, 1);
	one_input(&one, "v", SKIP_ROWS_T, 0, 1);
	for (int t = 0; t < ONE_TOKENS; t++) one.data[0][t] = 1e4, one.data[1][t] = t == 3 ? 2 : 1;
	one.node.attrs.attention = (struct skip_attrs_attention){.heads = 1, .qk = 1, .v = 1, .scale = 1};
	struct skip_ref_result result = one_run(&one);
	for (int t = 0; t < 7; t++) cr_assert(out_of(&one, &result)[t] == one.data[2][3]); /* all weight on the largest key */
	one_free(&one, &result);
}

Test(ops, pool_and_its_gradient)
{
	for (int mode = SKIP_POOL_MEAN; mode <= SKIP_POOL_LAST; mode++) {
		struct one_op one = one_make("pool"), bwd = one_make("pool_bwd");
		one_input(&one, "x", SKIP_ROWS_T, 0, 7);
		one_input(&bwd, "dz", SKIP_ROWS_B, 0, 7);
		one.node.attrs.pool.mode = bwd.node.attrs.pool.mode = (enum skip_pool)mode;
		struct skip_ref_result result = one_run(&one), back = one_run(&bwd);
		for (int b = 0; b < ONE_SEQS; b++) {
			int first = one_offset[b], tokens = one_offset[b + 1] - first, row = mode == SKIP_POOL_LAST ? tokens - 1 : 0;
			for (int c = 0; c < 7; c++) {
				double sum = 0;
				for (int t = 0; t < tokens; t++) {
					sum += one.data[0][(first + t) * 7 + c];
					double dx = bwd.data[0][b * 7 + c] * (mode != SKIP_POOL_MEAN ? t == row : 1.0 / tokens);
					cr_assert(fabs(out_of(&bwd, &back)[(first + t) * 7 + c] - dx) < 1e-15);
				}
				double wanted = mode != SKIP_POOL_MEAN ? one.data[0][(first + row) * 7 + c] : sum / tokens;
				cr_assert(fabs(out_of(&one, &result)[b * 7 + c] - wanted) < 1e-14, "mode %d", mode);
			}
		}
		one_free(&one, &result);
		one_free(&bwd, &back);
	}
}

Test(ops, dropout)
{
	struct one_op one = one_make("dropout");
	one_input(&one, "x", SKIP_ROWS_T, 0, 61);
	one.node.attrs.dropout.rate = 0.25f;
	one.node.attrs.dropout.stream = 9;
	struct skip_ref_result result = one_run(&one);
	double kept = 0;
	for (uint32_t i = 0; i < ONE_TOKENS * 61; i++) {
		bool keep = skip_rng_hash(one.key, 9, i) >= 0x40000000u;
		cr_assert(out_of(&one, &result)[i] == (keep ? one.data[0][i] * (double)(1.0f / 0.75f) : 0), "element %u", i);
		kept += keep;
	}
	cr_assert(fabs(kept / (ONE_TOKENS * 61) - 0.75) < 0.03, "kept %g", kept);
	skip_reference_free(&result);
	one.graph->nodes[0].attrs.dropout.rate = 0;
	result = one_run_graph(&one, one.graph, SKIP_NONE, NULL);
	one_equal(out_of(&one, &result), one.data[0], ONE_TOKENS * 61, 0, "rate 0");
	one_free(&one, &result);
}

Test(ops, elementwise)
{
	static const char *const names[] = {"mask", "add_bias", "add"};
	for (int which = 0; which < 3; which++) {
		struct one_op one = one_make(names[which]);
		one_input(&one, "x", SKIP_ROWS_T, 0, 7);
		const double *other;
		if (which == 2) {
			one_input(&one, "y", SKIP_ROWS_T, 0, 7);
			other = one.data[1];
		} else {
			other = one_tensor(&one, "m", 7, 0, false);
		}
		struct skip_ref_result result = one_run(&one);
		for (int i = 0; i < ONE_TOKENS * 7; i++) {
			double x = one.data[0][i], o = which == 2 ? other[i] : other[i % 7];
			cr_assert(out_of(&one, &result)[i] == (which == 0 ? x * o : x + o), "%s %d", names[which], i);
		}
		one_free(&one, &result);
	}
}

Test(ops, linear_dw_with_absent_parts)
{
	for (int form = 0; form < 3; form++) { /* dW and db; dW alone; db alone */
		struct one_op one = one_make("linear_dw");
		struct skip_err err;
		one_input(&one, "dy", SKIP_ROWS_T, 0, 7);
		if (form < 2) one_input(&one, "x", SKIP_ROWS_T, 0, 5);
		const char *names[2] = {form < 2 ? "dw" : NULL, "db"};
		one.node.n_out = form == 1 ? 1 : 2;
		CHECK_OK(skip_graph_add_node(one.graph, &one.node, names, NULL, &err));
		struct skip_ref_result result = one_run_graph(&one, one.graph, SKIP_NONE, NULL);
		for (int o = 0; o < 7; o++) {
			double db = 0;
			for (int r = 0; r < ONE_TOKENS; r++) db += one.data[0][r * 7 + o];
			if (form != 1) cr_assert(fabs(result.data[one.node.out[1]][o] - db) < 1e-13);
			for (int i = 0; i < 5 && form < 2; i++) {
				double dw = 0;
				for (int r = 0; r < ONE_TOKENS; r++) dw += one.data[0][r * 7 + o] * one.data[1][r * 5 + i];
				cr_assert(fabs(result.data[one.node.out[0]][o * 5 + i] - dw) < 1e-13);
			}
		}
		if (form == 2) cr_assert(one.node.out[0] == SKIP_NONE);
		one_free(&one, &result);
	}
}

Test(ops, score)
{
	for (int reduce = SKIP_REDUCE_SUM; reduce <= SKIP_REDUCE_ABSMAX; reduce++)
		for (int pooled = 0; pooled < 2; pooled++) {
			struct one_op one = one_make("score");
			one_input(&one, "h", pooled ? SKIP_ROWS_B : SKIP_ROWS_T, 0, 7);
			one_input(&one, "dh", pooled ? SKIP_ROWS_B : SKIP_ROWS_T, 0, 7);
			one.node.attrs.score.reduce = (enum skip_reduce)reduce;
			struct skip_ref_result result = one_run(&one);
			for (int b = 0; b < ONE_SEQS; b++)
				for (int c = 0; c < 7; c++) {
					int tokens = one_offset[b + 1] - one_offset[b];
					double sum = 0, largest = -1e9, absolute = 0;
					for (int t = 0; t < tokens; t++) {
						int i = (pooled ? b : one_offset[b] + t) * 7 + c;
						double a = pooled && t > 0 ? 0 : one.data[0][i] * one.data[1][i];
						sum += a;
						largest = fmax(largest, a);
						absolute = fmax(absolute, fabs(a));
					}
					const double wanted[] = {sum, largest, sum / tokens, absolute};
					cr_assert(fabs(out_of(&one, &result)[b * 7 + c] - wanted[reduce]) < 1e-13, "reduce %d pooled %d",
					          reduce, pooled);
				}
			one_free(&one, &result);
		}
}

/* A packed batch gives what its sequences give alone, and a wrong order of prefix and tokens would show. */
Test(ops, attention_packed_equals_one_by_one)
{
	struct one_op one = one_make("attention");
	one_input(&one, "q", SKIP_ROWS_T, 0, 6);
	one_input(&one, "k", SKIP_ROWS_T, 0, 6);
	one_input(&one, "v", SKIP_ROWS_T, 0, 4);
	one_tensor(&one, "pk", 20, 6, false);
	one_tensor(&one, "pv", 20, 4, false);
	one.node.attrs.attention = (struct skip_attrs_attention){.heads = 2, .qk = 3, .v = 2, .scale = 0.5f};
	struct skip_ref_result packed = one_run(&one);
	for (int b = 0; b < ONE_SEQS; b++) {
		int first = one_offset[b], tokens = one_offset[b + 1] - first;
		struct one_op alone = one;
		const int32_t offset[] = {0, tokens};
		alone.batch = (struct skip_batch){tokens, 1, NULL, NULL, offset};
		for (int i = 0; i < 3; i++) alone.data[i] = one.data[i] + first * (i == 2 ? 4 : 6);
		struct skip_ref_result result = one_run_graph(&alone, one.graph, SKIP_NONE, NULL);
		one_equal(out_of(&one, &result), out_of(&one, &packed) + first * 4, (size_t)tokens * 4, 0, "alone");
		skip_reference_free(&result);
	}
	one_free(&one, &packed);
}
