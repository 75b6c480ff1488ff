/*
 * attention and attention_bwd in all their bodies: mixed lengths in one batch, with and without a prefix and its dropout, widths that fill
 * no vector, q != v, column ranges of one value, one query per sequence, outputs left out.
 *
 * Bounds are those of the sums that are made, in units u = 2^-24 and in any order: with |Z|_ij = scale sum_e |q||k|, a score is off by at
 * most (qk + 4) u |Z|_ij, so a weight by the relative error r_i = 2 (qk + 4) u max_j |Z|_ij + (S + 8) u + 6e-7 (exponential and sum), and
 * so on down. In bfloat16 the same numbers are rounded as in the reference; one that is computed first, x within e, ends between the rounded
 * x - e and x + e.
 */
#include "kernel_check.h"
#include "base/quant.h"

/* What depends on places, and what is added to slots. */
struct places {
	int causal, window;
	bool last;             /* of one query per sequence */
	bool bias, rk, rq;     /* tables by distance */
	bool slots;            /* the first slot is switched off, something is added to the others */
};

struct shape {
	int heads, qk, v, prefix;
	bool fused, rows_b;
	float dropout;
	unsigned outputs; /* of attention_bwd: bit i for output i; 0: no backward node */
	const struct places *places; /* NULL: none */
};

enum { DQ = 1, DK = 2, DV = 4, DPK = 8, DPV = 16, DSLOTS = 32, TOKENS = DQ | DK | DV, ALL = TOKENS | DPK | DPV };

static const struct shape small[] = {
    {1, 1, 1, 0, false, false, 0, TOKENS, NULL}, {3, 4, 4, 1, true, false, 0, ALL, NULL},	       {2, 5, 3, 2, true, false, 0.25f, ALL, NULL},
    {2, 3, 7, 5, false, true, 0.1f, ALL, NULL},  {2, 16, 17, 3, false, false, 0, DPK | DPV, NULL}, {1, 8, 9, 4, false, false, 0.5f, DQ | DV | DPK, NULL},
};
static const struct shape large[] = {
    {2, 32, 32, 20, true, false, 0, ALL, NULL},	  {3, 15, 23, 20, true, false, 0.1f, ALL, NULL},
    {2, 16, 1, 20, false, false, 0, ALL, NULL},	  {2, 23, 15, 0, true, false, 0, TOKENS, NULL},
    {1, 64, 64, 20, false, false, 0, DPK | DPV, NULL},  {2, 33, 25, 7, false, true, 0, ALL, NULL},
    {2, 17, 50, 1, false, false, 0.9f, DQ | DPV, NULL}, {1, 7, 7, 0, false, true, 0, DK, NULL},
};

static const struct places causal = {.causal = 1}, causal_last = {.causal = 1, .last = true}, window = {.window = 2}, wide = {.window = 20},
			   both = {.causal = 1, .window = 3}, window_last = {.window = 2, .last = true}, bias = {.bias = true},
			   bias_last = {.bias = true, .causal = 1, .last = true}, keys = {.rk = true}, queries = {.rq = true},
			   all = {.bias = true, .rk = true, .rq = true, .window = 9}, tables = {.rk = true, .rq = true},
			   tables_last = {.rk = true, .rq = true, .last = true};

static const struct shape small_places[] = {
    {2, 5, 3, 2, true, false, 0.25f, ALL, &causal}, {2, 3, 7, 1, false, false, 0, ALL, &window},    {1, 4, 4, 0, false, false, 0, TOKENS, &both},
    {2, 3, 3, 1, false, true, 0, ALL, &causal_last}, {2, 3, 3, 0, false, true, 0, TOKENS, &window_last}, {3, 2, 5, 1, false, false, 0, ALL, &bias},
    {2, 5, 3, 2, true, false, 0.5f, ALL, &tables},   {2, 3, 4, 1, false, true, 0, ALL, &tables_last},
};
static const struct shape large_places[] = {
    {2, 33, 25, 20, true, false, 0.1f, ALL, &causal}, {2, 16, 16, 20, false, false, 0, ALL, &wide},      {1, 17, 9, 0, false, false, 0, TOKENS, &window},
    {2, 8, 8, 3, false, true, 0, ALL, &bias_last},    {3, 16, 17, 5, true, false, 0, ALL, &bias},        {2, 17, 9, 4, false, false, 0, ALL, &all},
    {1, 32, 8, 0, true, false, 0, TOKENS, &keys},     {1, 32, 8, 1, false, false, 0, DQ | DK, &queries}, {2, 9, 9, 1, false, true, 0, ALL, &tables_last},
};
/* What attention_bwd says of slots, and slots that are switched off; in float32 only. */
static const struct places some = {.slots = true}, everything = {.bias = true, .rk = true, .rq = true, .window = 9, .slots = true};
static const struct shape small_slots[] = {
    {2, 3, 7, 5, false, true, 0.1f, ALL | DSLOTS, NULL},         {1, 8, 9, 4, false, false, 0.5f, DSLOTS, NULL},
    {2, 5, 3, 2, true, false, 0.25f, ALL | DSLOTS, &causal},     {2, 4, 4, 1, false, false, 0, 0, &some},
    {2, 3, 7, 3, false, false, 0, ALL | DSLOTS, &some},          {2, 3, 3, 7, false, true, 0, DQ | DSLOTS, &some},
};
static const struct shape large_slots[] = {
    {3, 15, 23, 20, true, false, 0.1f, ALL | DSLOTS, NULL},      {2, 32, 32, 61, false, false, 0, DSLOTS, &some},
    {2, 16, 17, 20, false, true, 0, ALL | DSLOTS, &some},        {2, 9, 9, 7, false, false, 0, ALL | DSLOTS, &everything},
};
#define LONGEST 512 /* tokens the tables by distance are for */

/* Indices of one pair of nodes. */
struct pair {
	const struct shape *shape;
	int forward, backward; /* nodes; backward SKIP_NONE */
	int in[4], param[SKIP_ATTENTION_PARAMS];
	bool bf16;
};

static void add_places(struct kernel_check *check, const struct shape *s, int index, struct skip_node *node, int *param)
{
	const bool has[3] = {s->places->bias, s->places->rk, s->places->rq};
	char name[32];
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "table%d.%d", i, index);
		if (has[i]) param[SKIP_ATTENTION_BIAS + i] = kernel_check_param(check, name, s->heads * (i ? s->qk : 1), 2 * LONGEST - 1, 0, 1);
	}
	node->n_param = SKIP_ATTENTION_SLOTS;
	node->attrs.attention.causal = s->places->causal;
	node->attrs.attention.window = s->places->window;
	node->attrs.attention.at = s->places->last ? SKIP_AT_LAST : SKIP_AT_FIRST;
}

static void add_slots(struct kernel_check *check, const struct shape *s, int index, struct skip_node *node, int *param)
{
	char name[32];
	snprintf(name, sizeof(name), "slots%d", index);
	param[SKIP_ATTENTION_SLOTS] = kernel_check_param(check, name, s->prefix, 0, 0, 1);
	skip_tensor_f32(check->graph->tensors[param[SKIP_ATTENTION_SLOTS]])[0] = -INFINITY;
	node->n_param = SKIP_ATTENTION_PARAMS;
}

static void add_pair(struct kernel_check *check, const struct shape *s, bool bf16, int index, struct pair *out)
{
	struct skip_err err;
	struct pair pair = {.shape = s, .backward = SKIP_NONE, .param = {SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE}, .bf16 = bf16};
	static const char *const kind[] = {"q", "k", "v", "g", "pk", "pv", "ctx", "dq", "dk", "dv", "dpk", "dpv", "dslots"};
	char name[13][32];
	const char *outs[6];
	for (int i = 0; i < 13; i++) snprintf(name[i], sizeof(name[i]), "%s%d", kind[i], index);
	const int width[3] = {s->heads * s->qk, s->heads * s->qk, s->heads * s->v};
	const enum skip_rows rows = s->rows_b ? SKIP_ROWS_B : SKIP_ROWS_T;
	struct skip_node node = {.op = skip_op_find("attention"), .layer = index, .n_in = 3, .n_param = s->prefix ? 2 : 0};
	struct skip_attrs_attention *attrs = &node.attrs.attention;
	*attrs = (struct skip_attrs_attention){.heads = s->heads, .qk = s->qk, .v = s->v, .prefix_dropout = s->dropout};
	attrs->scale = (float)(1 / sqrt(s->qk + 3));
	attrs->precision = bf16 ? SKIP_PRECISION_BF16 : SKIP_PRECISION_F32;
	if (s->fused) { /* v first, so that no range starts where the separate ones do */
		pair.in[0] = pair.in[1] = pair.in[2] = kernel_check_input(check, name[0], rows, 0, width[0] + width[1] + width[2]);
		attrs->q_col = width[2];
		attrs->k_col = width[2] + width[0];
	} else {
		for (int i = 0; i < 3; i++) pair.in[i] = kernel_check_input(check, name[i], i ? SKIP_ROWS_T : rows, 0, width[i]);
	}
	for (int i = 0; i < 2 && s->prefix; i++) pair.param[i] = kernel_check_param(check, name[4 + i], s->prefix, width[1 + i], 0, 1);
	if (s->places) add_places(check, s, index, &node, pair.param);
	if (s->places && s->places->slots) add_slots(check, s, index, &node, pair.param);
	memcpy(node.in, pair.in, 3 * sizeof(int));
	memcpy(node.param, pair.param, sizeof(pair.param));
	pair.forward = (int)check->graph->n_nodes;
	CHECK_OK(skip_graph_add_node(check->graph, &node, (const char *[]){name[6]}, NULL, &err));
	if (s->outputs) {
		node.op = skip_op_find("attention_bwd");
		pair.in[3] = node.in[3] = kernel_check_input(check, name[3], rows, 0, width[2]);
		node.n_in = 4;
		node.n_out = s->outputs & DSLOTS ? 6 : s->outputs & (DPK | DPV) ? 5 : 3;
		for (int i = 0; i < 6; i++) outs[i] = s->outputs >> i & 1 ? name[i < 3 && s->fused ? 7 : 7 + i] : NULL;
		pair.backward = (int)check->graph->n_nodes;
		CHECK_OK(skip_graph_add_node(check->graph, &node, outs, NULL, &err));
	}
	if (s->prefix > check->graph->prefix) check->graph->prefix = s->prefix;
	*out = pair;
}

/* One (sequence, head) in float64, with errors. */
struct head {
	int h, keys, prefix, first, n, first_row, rows; /* rows: queries */
	double *key, *value;			     /* [keys][qk], [keys][v] */
	double *factor_k, *factor_v;
	double *a, *da, *dz, *edz; /* [rows][keys] */
	double *r, *sum;	   /* [rows] relative error of a weight; sum of exp(Z - largest) */
};

static double rounded(const struct pair *pair, double x)
{
	return pair->bf16 ? skip_bf16_value(skip_bf16_round((float)x)) : x;
}

/* How far what becomes of x, known within e, may be from what becomes of x. */
static double slack(const struct pair *pair, double x, double e)
{
	return pair->bf16 ? rounded(pair, x + e) - rounded(pair, x - e) : e;
}

static double hash_factor(const struct shape *s, uint32_t key, uint32_t stream, uint32_t index)
{
	if (s->dropout <= 0) return 1;
	return skip_rng_hash(key, stream, index) >= (uint32_t)((double)s->dropout * 4294967296.0) ? 1.0f / (1.0f - s->dropout) : 0;
}

static double *numbers(size_t n)
{
	return calloc(n + 1, sizeof(double));
}

/* One head's columns of a row of q, k, v or dctx (which = 0 .. 3) as its products see it, to free. */
static double *row_of(const struct kernel_check *check, const struct pair *pair, int which, int row, int h)
{
	const struct skip_attrs_attention *attrs = &check->graph->nodes[pair->forward].attrs.attention;
	const int col[4] = {attrs->q_col, attrs->k_col, attrs->v_col, 0}, width = which < 2 ? attrs->qk : attrs->v;
	const int value = pair->in[which];
	const double *x = check->input[value] + (size_t)row * (size_t)check->graph->values[value].cols + col[which] + h * width;
	double *out = numbers((size_t)width);
	for (int e = 0; e < width; e++) out[e] = rounded(pair, x[e]);
	return out;
}

static struct head gather(const struct kernel_check *check, const struct pair *pair, int b, int h)
{
	const struct shape *s = pair->shape;
	const int32_t *offset = check->batch.offset;
	const uint32_t stream = 0x50000000u + 2 * (uint32_t)check->graph->nodes[pair->forward].layer;
	struct head head = {.h = h, .prefix = s->prefix, .first = offset[b], .n = offset[b + 1] - offset[b]};
	head.keys = s->prefix + head.n;
	head.first_row = s->rows_b ? b : head.first;
	head.rows = s->rows_b ? 1 : head.n;
	const size_t keys = (size_t)head.keys, qk = (size_t)s->qk, v = (size_t)s->v, rows = (size_t)head.rows;
	head.key = numbers(keys * qk);
	head.value = numbers(keys * v);
	head.factor_k = numbers(keys * qk);
	head.factor_v = numbers(keys * v);
	for (int j = 0; j < head.keys; j++) {
		double *key = j < s->prefix ? NULL : row_of(check, pair, 1, head.first + j - s->prefix, h);
		double *value = j < s->prefix ? NULL : row_of(check, pair, 2, head.first + j - s->prefix, h);
		for (int e = 0; e < s->qk; e++) {
			size_t i = (size_t)j * qk + (size_t)e, col = (size_t)h * qk + (size_t)e, cols = (size_t)s->heads * qk;
			head.factor_k[i] = key ? 1 : hash_factor(s, check->key, stream, (uint32_t)((size_t)(b * s->prefix + j) * cols + col));
			head.key[i] = key ? key[e] : rounded(pair, skip_tensor_f32(check->graph->tensors[pair->param[0]])[(size_t)j * cols + col] * head.factor_k[i]);
		}
		for (int e = 0; e < s->v; e++) {
			size_t i = (size_t)j * v + (size_t)e, col = (size_t)h * v + (size_t)e, cols = (size_t)s->heads * v;
			head.factor_v[i] = value ? 1 : hash_factor(s, check->key, stream + 1, (uint32_t)((size_t)(b * s->prefix + j) * cols + col));
			head.value[i] = value ? value[e] : rounded(pair, skip_tensor_f32(check->graph->tensors[pair->param[1]])[(size_t)j * cols + col] * head.factor_v[i]);
		}
		free(key);
		free(value);
	}
	head.a = numbers(rows * keys);
	head.da = numbers(rows * keys);
	head.dz = numbers(rows * keys);
	head.edz = numbers(rows * keys);
	head.r = numbers(rows);
	head.sum = numbers(rows);
	return head;
}

static void release(struct head *head)
{
	double *all[] = {head->key, head->value, head->factor_k, head->factor_v, head->a, head->da, head->dz, head->edz, head->r, head->sum};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) free(all[i]);
}

/* Query i minus key j in places. */
static int distance(const struct pair *pair, const struct head *head, int i, int j)
{
	const struct places *p = pair->shape->places;
	int place = pair->shape->rows_b ? (p && p->last ? head->n - 1 : 0) : i;
	return place - (j - head->prefix);
}

static bool sees(const struct pair *pair, const struct head *head, int i, int j)
{
	const struct places *p = pair->shape->places;
	int d = distance(pair, head, i, j);
	return !p || j < head->prefix || ((!p->causal || d >= 0) && (!p->window || abs(d) <= p->window));
}

/* What table `which` has in row `row` for query i and key j. */
static double beside(const struct kernel_check *check, const struct pair *pair, const struct head *head, enum skip_attention_param which, int row,
		     int i, int j)
{
	if (pair->param[which] == SKIP_NONE || j < head->prefix) return 0;
	return (double)skip_tensor_f32(check->graph->tensors[pair->param[which]])[row * (2 * LONGEST - 1) + LONGEST - 1 + distance(pair, head, i, j)];
}

/* What is added to the score of a slot. */
static double added(const struct kernel_check *check, const struct pair *pair, const struct head *head, int j)
{
	const int slots = pair->param[SKIP_ATTENTION_SLOTS];
	return slots == SKIP_NONE || j >= head->prefix ? 0 : (double)skip_tensor_f32(check->graph->tensors[slots])[j];
}

/* Weights of one query row, and with `g` their gradients; errors of both. */
static void weigh(const struct kernel_check *check, const struct pair *pair, double scale, const double *q, const double *g, int i, struct head *head)
{
	const struct shape *s = pair->shape;
	const double u = 0x1p-24;
	double *a = head->a + (size_t)i * (size_t)head->keys, *da = head->da + (size_t)i * (size_t)head->keys;
	double *dz = head->dz + (size_t)i * (size_t)head->keys, *edz = head->edz + (size_t)i * (size_t)head->keys;
	double largest = -INFINITY, sum = 0, most = 0, delta = 0, edelta = 0;
	double *eda = numbers((size_t)head->keys);
	for (int j = 0; j < head->keys; j++) {
		double z = beside(check, pair, head, SKIP_ATTENTION_BIAS, head->h, i, j), absolute = fabs(z);
		a[j] = -INFINITY;
		if (!sees(pair, head, i, j)) continue;
		for (int e = 0; e < s->qk; e++) {
			const double k = head->key[j * s->qk + e];
			const double term[3] = {scale * q[e] * k, scale * q[e] * beside(check, pair, head, SKIP_ATTENTION_RK, head->h * s->qk + e, i, j),
						scale * k * beside(check, pair, head, SKIP_ATTENTION_RQ, head->h * s->qk + e, i, j)};
			for (int t = 0; t < 3; t++) z += term[t], absolute += fabs(term[t]);
		}
		const double slot = added(check, pair, head, j);
		if (isfinite(slot)) absolute += fabs(slot);
		a[j] = z += slot;
		largest = fmax(largest, z);
		most = fmax(most, absolute);
	}
	for (int j = 0; j < head->keys; j++) sum += a[j] = exp(a[j] - largest);
	head->sum[i] = sum;
	head->r[i] = 2 * ((s->places ? 3 : 1) * s->qk + 4) * u * most + (head->keys + 8) * u + 6e-7;
	for (int j = 0; j < head->keys; j++) {
		double absolute = 0;
		a[j] /= sum;
		for (int e = 0; g && e < s->v; e++) {
			da[j] += g[e] * head->value[j * s->v + e];
			absolute += fabs(g[e] * head->value[j * s->v + e]);
		}
		eda[j] = (s->v + 4) * u * absolute;
		delta += a[j] * da[j];
		edelta += a[j] * (fabs(da[j]) * (head->r[i] + (head->keys + 4) * u) + eda[j]);
	}
	for (int j = 0; j < head->keys; j++) {
		dz[j] = a[j] * (da[j] - delta);
		edz[j] = a[j] * (fabs(da[j] - delta) * (head->r[i] + 4 * u) + (fabs(da[j]) + fabs(delta)) * u + eda[j] + edelta);
	}
	free(eda);
}

/* Bounds of every output of the pair, by output: 0 ctx, 1.. the six of attention_bwd. */
static void add_bounds(const struct pair *pair, const struct kernel_check *check, int b, int h, double *const *bound)
{
	const struct shape *s = pair->shape;
	const struct skip_attrs_attention *attrs = &check->graph->nodes[pair->forward].attrs.attention;
	const double u = 0x1p-24;
	const int *in = pair->in, kv_cols = s->fused ? check->graph->values[in[0]].cols : 0;
	const int stride[3] = {check->graph->values[in[0]].cols, kv_cols ? kv_cols : s->heads * s->qk, kv_cols ? kv_cols : s->heads * s->v};
	struct head head = gather(check, pair, b, h);
	for (int i = 0; i < head.rows; i++) {
		const int row = head.first_row + i;
		double *q = row_of(check, pair, 0, row, h), *g = s->outputs ? row_of(check, pair, 3, row, h) : NULL;
		weigh(check, pair, (double)attrs->scale, q, g, i, &head);
		const double *a = head.a + (size_t)i * (size_t)head.keys;
		const double *dz = head.dz + (size_t)i * (size_t)head.keys, *edz = head.edz + (size_t)i * (size_t)head.keys;
		for (int j = 0; j < head.keys; j++) {
			const bool token = j >= s->prefix;
			const size_t t = (size_t)(head.first + j - s->prefix), slot = (size_t)j;
			const double more = (head.keys + head.rows + check->batch.n_seqs + 8) * u, e_j = a[j] * head.sum[i];
			const double ea = slack(pair, a[j], a[j] * head.r[i]) + a[j] * more, ez = slack(pair, dz[j], edz[j]) + fabs(dz[j]) * more;
			/* In front of a rounding to bfloat16 an exponential of 1e-4 is good enough. */
			const double r = head.r[i] + (pair->bf16 ? 1e-4 : 0);
			const double ectx = slack(pair, e_j, e_j * r) / head.sum[i] + a[j] * (more + (pair->bf16 ? r : 0));
			if (!token && bound[6]) bound[6][(b * s->heads + h) * s->prefix + j] += edz[j] + fabs(dz[j]) * more;
			for (int e = 0; e < s->v; e++) {
				bound[0][row * s->heads * s->v + h * s->v + e] +=
				    fabs(head.value[j * s->v + e]) * ectx;
				if (!g) continue;
				double *to = token	? bound[3] ? bound[3] + t * (size_t)stride[2] + attrs->v_col : NULL
					     : bound[5] ? bound[5] + slot * (size_t)(s->heads * s->v)
							: NULL;
				if (to) to[h * s->v + e] += ea * fabs(g[e]) * head.factor_v[j * s->v + e];
			}
			for (int e = 0; g && e < s->qk; e++) {
				const double error = (double)attrs->scale * ez;
				if (bound[1])
					bound[1][row * stride[0] + attrs->q_col + h * s->qk + e] +=
					    error * (fabs(head.key[j * s->qk + e]) +
						     fabs(beside(check, pair, &head, SKIP_ATTENTION_RK, h * s->qk + e, i, j)));
				double *to = token	? bound[2] ? bound[2] + t * (size_t)stride[1] + attrs->k_col : NULL
					     : bound[4] ? bound[4] + slot * (size_t)(s->heads * s->qk)
							: NULL;
				if (to)
					to[h * s->qk + e] += error * head.factor_k[j * s->qk + e] *
							     (fabs(q[e]) + fabs(beside(check, pair, &head, SKIP_ATTENTION_RQ, h * s->qk + e, i, j)));
			}
		}
		free(q);
		free(g);
	}
	release(&head);
}

static void compare(const struct kernel_check *check, const struct pair *pair)
{
	double *bound[7] = {NULL};
	int value[7] = {check->graph->nodes[pair->forward].out[0], SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE};
	const struct skip_node *backward = pair->backward == SKIP_NONE ? NULL : &check->graph->nodes[pair->backward];
	for (int i = 0; backward && i < backward->n_out; i++) value[1 + i] = backward->out[i];
	for (int i = 0; i < 7; i++) {
		for (int j = 0; j < i && value[i] != SKIP_NONE; j++)
			if (value[j] == value[i]) bound[i] = bound[j];
		if (value[i] != SKIP_NONE && !bound[i]) bound[i] = numbers(kernel_check_count(check, value[i]));
	}
	for (int b = 0; b < check->batch.n_seqs; b++)
		for (int h = 0; h < pair->shape->heads; h++) add_bounds(pair, check, b, h, bound);
	for (int i = 0; i < 7; i++)
		if (value[i] != SKIP_NONE) kernel_check_bound(check, value[i], bound[i]);
	for (int i = 0; i < 7; i++) {
		for (int j = i + 1; j < 7; j++)
			if (bound[j] == bound[i]) bound[j] = NULL;
		free(bound[i]);
	}
}

struct run {
	char profile[24];
	int length[6], n_seqs;
};

static void check_shapes(const struct shape *shapes, int n_shapes, bool bf16, const struct run *run)
{
	struct kernel_check check;
	struct pair pair[16];
	kernel_check_begin(&check, 3);
	check.graph->max_positions = LONGEST;
	for (int i = 0; i < n_shapes; i++) add_pair(&check, &shapes[i], bf16, i, &pair[i]);
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 77);
	for (int i = 0; i < n_shapes; i++) compare(&check, &pair[i]);
	/* Equal input, equal bits. */
	float **first = check.got;
	check.got = calloc(check.graph->n_values + 1, sizeof(*check.got));
	kernel_check_execute(&check, skip_profiles_find(check.device.profiles, run->profile), 77);
	for (size_t v = 0; v < check.graph->n_values; v++) {
		if (!first[v]) continue;
		cr_assert(memcmp(first[v], check.got[v], kernel_check_count(&check, (int)v) * sizeof(float)) == 0,
			  "'%s' differs between two runs", check.graph->values[v].name);
		free(first[v]);
	}
	free(first);
	kernel_check_end(&check);
}

static const struct run small_runs[] = {
    {"generic", {1}, 1},
    {"generic", {1, 7, 3}, 3},
    {"pocl-generic", {1, 7, 3}, 3},
    {"pocl-x86-avx512", {1, 7, 3}, 3},
};
ParameterizedTestParameters(attention, small_shapes)
{
	return cr_make_param_array(struct run, (void *)small_runs, sizeof(small_runs) / sizeof(*small_runs));
}
ParameterizedTest(struct run *run, attention, small_shapes)
{
	check_shapes(small, (int)(sizeof(small) / sizeof(*small)), false, run);
}

/* Work-groups and local memory; rusticl.sh runs these too. */
Test(attention, small_gpu)
{
	const struct run run = {"nvidia-generic", {1, 7, 3}, 3};
	check_shapes(small, (int)(sizeof(small) / sizeof(*small)), false, &run);
}

static const struct run large_runs[] = {
    {"generic", {1, 7, 61}, 3},
    {"pocl-generic", {1, 7, 61, 16}, 4},
    {"pocl-x86-avx512", {1, 7, 61, 128, 17}, 5},
};
ParameterizedTestParameters(attention, large_shapes)
{
	return cr_make_param_array(struct run, (void *)large_runs, sizeof(large_runs) / sizeof(*large_runs));
}
ParameterizedTest(struct run *run, attention, large_shapes)
{
	check_shapes(large, (int)(sizeof(large) / sizeof(*large)), false, run);
}

Test(attention, large_gpu)
{
	const struct run run = {"nvidia-generic", {1, 7, 61, 17}, 4};
	check_shapes(large, (int)(sizeof(large) / sizeof(*large)), false, &run);
}

ParameterizedTestParameters(attention, small_places)
{
	return cr_make_param_array(struct run, (void *)small_runs, sizeof(small_runs) / sizeof(*small_runs));
}
ParameterizedTest(struct run *run, attention, small_places)
{
	check_shapes(small_places, (int)(sizeof(small_places) / sizeof(*small_places)), false, run);
}
ParameterizedTestParameters(attention, large_places)
{
	return cr_make_param_array(struct run, (void *)large_runs, sizeof(large_runs) / sizeof(*large_runs));
}
ParameterizedTest(struct run *run, attention, large_places)
{
	check_shapes(large_places, (int)(sizeof(large_places) / sizeof(*large_places)), false, run);
}

ParameterizedTestParameters(attention, small_slots)
{
	return cr_make_param_array(struct run, (void *)small_runs, sizeof(small_runs) / sizeof(*small_runs));
}
ParameterizedTest(struct run *run, attention, small_slots)
{
	check_shapes(small_slots, (int)(sizeof(small_slots) / sizeof(*small_slots)), false, run);
}
ParameterizedTestParameters(attention, large_slots)
{
	return cr_make_param_array(struct run, (void *)large_runs, sizeof(large_runs) / sizeof(*large_runs));
}
ParameterizedTest(struct run *run, attention, large_slots)
{
	check_shapes(large_slots, (int)(sizeof(large_slots) / sizeof(*large_slots)), false, run);
}

static const struct shape long_places[] = {
    {1, 8, 8, 3, false, false, 0, ALL, &causal},
    {1, 8, 8, 3, false, false, 0, ALL, &wide},
    {1, 8, 8, 3, false, false, 0, ALL, &tables},
    {1, 8, 8, 3, false, true, 0, 0, &bias_last},
};
Test(attention, long_sequence)
{
	const struct run run = {"pocl-x86-avx512", {LONGEST, 3}, 2};
	check_shapes(long_places, (int)(sizeof(long_places) / sizeof(*long_places)), false, &run);
}

ParameterizedTestParameters(attention, small_shapes_in_bf16)
{
	return cr_make_param_array(struct run, (void *)small_runs, sizeof(small_runs) / sizeof(*small_runs));
}
ParameterizedTest(struct run *run, attention, small_shapes_in_bf16)
{
	check_shapes(small, (int)(sizeof(small) / sizeof(*small)), true, run);
}

static void check_assembly(const char *profile, bool has)
{
	struct run run = {"", {1, 7, 61, 128, 17}, 5};
	if (!has) cr_skip_test("this processor has no %s", profile);
	snprintf(run.profile, sizeof(run.profile), "%s", profile);
	check_shapes(small, (int)(sizeof(small) / sizeof(*small)), true, &run);
	check_shapes(large, (int)(sizeof(large) / sizeof(*large)), true, &run);
}

Test(attention, bf16_assembly) { check_assembly("pocl-x86-avx512-bf16", skip_cpu_has("avx512_bf16")); }
Test(attention, bf16_amx) { check_assembly("pocl-x86-amx", skip_cpu_has("avx512_bf16") && skip_cpu_has("amx_bf16")); }

Test(attention, what_no_kernel_can_do)
{
	struct kernel_check check;
	struct skip_err err;
	struct pair pair;
	struct skip_plan *plan = NULL;
	kernel_check_begin(&check, 4);
	check.graph->max_positions = 8;
	add_pair(&check, &small[1], false, 0, &pair);
	check.device = open_device(NULL);
	struct skip_profile profile = *skip_profiles_find(check.device.profiles, "pocl-x86-avx512");
	profile.query_block = profile.vec + 1;
	CHECK_FAILS(skip_lower(check.graph, &profile, NULL, 0, &plan, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "query_block 17 is above the 16 lanes") != NULL, "%s", err.message);
	profile.query_block = profile.vec;
	check.graph->max_positions = 0;
	CHECK_FAILS(skip_lower(check.graph, &profile, NULL, 0, &plan, &err), SKIP_ERR_INTERNAL);
	cr_assert(strstr(err.message, "how long a sequence may be") != NULL, "%s", err.message);
	kernel_check_end(&check);
}
