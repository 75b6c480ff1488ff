/*
 * square_sum and adamw in all their bodies, and the layouts of a weight after a step.
 *
 * Bounds, u = 2^-24: the square of the norm over M elements is off by (M + 2) u of itself, so the clipping factor s and what is made from it
 * by es = (M + 8) u relatively; m by 3 u of its terms and es of s g, v twice that; the quotient adds their relative errors and 6 u.
 */
#include "kernel_check.h"

struct run {
	char profile[24];
};
static const struct run runs[] = {{"generic"}, {"pocl-generic"}, {"pocl-x86-avx512"}};

struct shape {
	int n, k; /* k 0: a vector */
	float lr, decay, clip;
};
static const struct shape small[] = {
    {1, 0, 0.1f, 0, 1}, {61, 0, 0.1f, 0.01f, 1}, {33, 61, 0.3f, 0.5f, 0}, {3, 7, 0, 0.01f, 1e-3f},
};
static const struct shape large[] = {{131, 257, 0.1f, 0.01f, 1}}; /* several parts, the last not whole */

static void compare_step(const struct kernel_check *check, const struct skip_node *node, double elements)
{
	const double u = 0x1p-24, es = (elements + 8) * u;
	const struct skip_attrs_adamw *a = &node->attrs.adamw;
	const double *g = check->input[node->in[0]], *step = check->reference.data[node->in[2]], norm = check->reference.data[node->in[1]][0];
	const double *m_new = check->reference.data[node->out[1]], *v_new = check->reference.data[node->out[2]];
	const float *w = skip_tensor_f32(check->graph->tensors[node->param[0]]), *m = skip_tensor_f32(check->graph->tensors[node->param[1]]);
	const double s = a->clip > 0 ? fmin(1, a->clip / (sqrt(norm) + SKIP_CLIP_EPS)) : 1;
	size_t n = kernel_check_count(check, node->in[0]);
	double *bound[3];
	for (int i = 0; i < 3; i++) bound[i] = calloc(n, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		/* 1 - b in float is off by u of 1 */
		const double grad = fabs(s * g[i]);
		bound[1][i] = 3 * u * (fabs(m[i]) + grad) + (1 - (double)a->beta1) * es * grad;
		bound[2][i] = 3 * u * v_new[i] + (2 * es + 4 * u / (1 - (double)a->beta2)) * (1 - (double)a->beta2) * grad * grad;
		const double root = sqrt(v_new[i] * step[2]) + (double)a->eps, move = fabs(m_new[i] * step[1]) / root;
		const double off = bound[1][i] * fabs(step[1]) / root + move * (bound[2][i] / (2 * v_new[i]) + 6 * u);
		bound[0][i] = 2 * u * fabs(w[i]) + fabs(a->lr * step[0]) * (off + 4 * u * (move + fabs(a->decay * w[i])));
	}
	for (int i = 0; i < 3; i++) {
		kernel_check_bound(check, node->out[i], bound[i]);
		free(bound[i]);
	}
}

static void check_steps(const struct shape *shapes, int n_shapes, const struct run *run)
{
	struct kernel_check check;
	int norm = SKIP_NONE;
	double elements = 0;
	union skip_attrs none;
	memset(&none, 0, sizeof(none));
	kernel_check_begin(&check, 21);
	check.scale = 0.05; /* step numbers near 1 */
	int raw = kernel_check_input(&check, "raw", SKIP_ROWS_FIXED, 1, 3), one = kernel_check_param(&check, "one", 3, 0, 1, 0.1);
	int step = kernel_check_node(&check, "add_bias", &raw, 1, &one, 1, none, (const char *[]){"step"}, 1);
	for (int i = 0; i < n_shapes; i++) {
		const struct shape *s = &shapes[i];
		char name[8][32];
		for (int k = 0; k < 8; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "gqwmvxyz"[k], i);
		int g = kernel_check_input(&check, name[0], SKIP_ROWS_FIXED, s->k ? s->n : 1, s->k ? s->k : s->n);
		norm = kernel_check_node(&check, "square_sum", (int[]){g, norm}, norm == SKIP_NONE ? 1 : 2, NULL, 0, none, (const char *[]){name[1]}, 1);
		int param[3] = {kernel_check_param(&check, name[2], s->n, s->k, 0, 1), kernel_check_param(&check, name[3], s->n, s->k, 0, 0.1),
				kernel_check_param(&check, name[4], s->n, s->k, 1, 0.1)};
		union skip_attrs attrs;
		memset(&attrs, 0, sizeof(attrs));
		attrs.adamw = (struct skip_attrs_adamw){s->lr, s->decay, s->clip, SKIP_ADAMW_BETA1, SKIP_ADAMW_BETA2, 1e-8f};
		kernel_check_node(&check, "adamw", (int[]){g, norm, step}, 3, param, 3, attrs, (const char *[]){name[5], name[6], name[7]}, 3);
	}
	kernel_check_run(&check, run->profile, (int[]){1}, 1, 0);
	for (size_t n = 0; n < check.graph->n_nodes; n++) {
		const struct skip_node *node = &check.graph->nodes[n];
		if (!strcmp(node->op->name, "square_sum")) {
			elements += (double)kernel_check_count(&check, node->in[0]);
			double bound = (elements + 2) * 0x1p-24 * check.reference.data[node->out[0]][0];
			kernel_check_bound(&check, node->out[0], &bound);
		}
		if (!strcmp(node->op->name, "adamw")) compare_step(&check, node, elements);
	}
	kernel_check_end(&check);
}

ParameterizedTestParameters(adamw, small_steps)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, adamw, small_steps)
{
	check_steps(small, sizeof(small) / sizeof(*small), run);
}
ParameterizedTestParameters(adamw, large_steps)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, adamw, large_steps)
{
	check_steps(large, sizeof(large) / sizeof(*large), run);
}

/* ---- every layout holds the new numbers */

struct layout_case {
	char profile[24];
	int n, k;
	enum skip_precision precision;
};

/* y = x W^T + b and dx = dy W, so that W is there both ways; then a step for W and b. */
static struct skip_graph *two_readers(struct kernel_check *check, const struct layout_case *c)
{
	union skip_attrs attrs;
	memset(&attrs, 0, sizeof(attrs));
	attrs.linear.precision = c->precision;
	int x = kernel_check_input(check, "x", SKIP_ROWS_T, 0, c->k), dy = kernel_check_input(check, "dy", SKIP_ROWS_T, 0, c->n);
	int w = kernel_check_param(check, "w", c->n, c->k, 0, 1), b = kernel_check_param(check, "b", c->n, 0, 0, 1);
	kernel_check_node(check, "linear", &x, 1, (int[]){w, b}, 2, attrs, (const char *[]){"y"}, 1);
	attrs.linear.transpose = 1;
	kernel_check_node(check, "linear", &dy, 1, &w, 1, attrs, (const char *[]){"dx"}, 1);
	int g[2] = {kernel_check_input(check, "gw", SKIP_ROWS_FIXED, c->n, c->k), kernel_check_input(check, "gb", SKIP_ROWS_FIXED, 1, c->n)};
	struct skip_adamw_tensor tensors[2] = {{.tensor = w, .gradient = g[0], .lr = 0.1f, .decay = 0.1f}, {.tensor = b, .gradient = g[1], .lr = 0.1f}};
	struct skip_adamw adamw;
	struct skip_err err;
	CHECK_OK(skip_pass_adamw(check->graph, tensors, 2, 1, &adamw, &err));
	return adamw.graph;
}

static void write_value(struct skip_session *session, const char *name, size_t n, uint64_t seed)
{
	struct skip_rng rng;
	struct skip_err err;
	float *x = malloc(n * sizeof(*x));
	skip_rng_init(&rng, seed, name);
	for (size_t i = 0; i < n; i++) x[i] = (float)skip_rng_normal(&rng);
	if (!strcmp(name, "optimiser.step")) x[0] = 1, x[1] = 10, x[2] = 1000;
	CHECK_OK(skip_session_write(session, skip_graph_find_value(skip_session_graph(session), name), x, &err));
	free(x);
}

static float *read_value(struct skip_session *session, const char *name, size_t n)
{
	struct skip_err err;
	float *x = malloc(n * sizeof(*x));
	CHECK_OK(skip_session_read(session, skip_graph_find_value(skip_session_graph(session), name), x, &err));
	return x;
}

/* The session after one step answers as one that is given the new numbers. */
static void check_layouts(const struct layout_case *c)
{
	struct kernel_check check;
	struct skip_session *session[2] = {NULL, NULL};
	struct skip_plan *plan = NULL;
	struct skip_err err;
	const int rows = 7;
	const int32_t ids[7] = {0}, offset[2] = {0, rows};
	const struct skip_batch batch = {rows, 1, ids, ids, offset};
	const size_t n_y = (size_t)rows * (size_t)c->n, n_x = (size_t)rows * (size_t)c->k, n_w = (size_t)c->n * (size_t)c->k;
	kernel_check_begin(&check, 22);
	check.device = open_device(NULL);
	struct skip_graph *graph = two_readers(&check, c);
	const struct skip_profile *profile = skip_profiles_find(check.device.profiles, c->profile);
	CHECK_OK(skip_lower(graph, profile, NULL, 0, &plan, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) plan->buffers[i].pool = SKIP_NONE;
	plan->n_pools = 0;
	for (int s = 0; s < 2; s++) {
		CHECK_OK(skip_session_create(check.device.device, graph, plan, false, &session[s], &err));
		CHECK_OK(skip_session_set_batch(session[s], &batch, &err));
		write_value(session[s], "x", n_x, 1);
		write_value(session[s], "dy", n_y, 2);
		write_value(session[s], "gw", n_w, 3);
		write_value(session[s], "gb", (size_t)c->n, 4);
		write_value(session[s], "optimiser.step", 3, 0);
		CHECK_OK(skip_session_enqueue(session[s], 0, graph->n_nodes, 0, &err));
		if (s > 0) break;
		float *before = read_value(session[0], "y", n_y), *w = read_value(session[0], "w.next", n_w),
		      *b = read_value(session[0], "b.next", (size_t)c->n);
		CHECK_OK(skip_session_enqueue(session[0], 0, 2, 0, &err));
		float *after = read_value(session[0], "y", n_y);
		cr_assert(memcmp(before, after, n_y * sizeof(*before)) != 0, "the step changed nothing");
		memcpy(skip_tensor_f32(graph->tensors[0]), w, n_w * sizeof(*w));
		memcpy(skip_tensor_f32(graph->tensors[1]), b, (size_t)c->n * sizeof(*b));
		free(before);
		free(after);
		free(w);
		free(b);
	}
	for (int which = 0; which < 2; which++) {
		const char *name = which ? "dx" : "y";
		size_t n = which ? n_x : n_y;
		float *a = read_value(session[0], name, n), *b = read_value(session[1], name, n);
		cr_assert(memcmp(a, b, n * sizeof(*a)) == 0, "%s after a step differs from %s of the new weights (%s)", name, name, c->profile);
		free(a);
		free(b);
	}
	for (int s = 0; s < 2; s++) skip_session_destroy(session[s]);
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	kernel_check_end(&check);
}

ParameterizedTestParameters(adamw, small_layouts)
{
	static struct layout_case all[] = {
	    {"generic", 7, 33, SKIP_PRECISION_F32},
	    {"generic", 9, 7, SKIP_PRECISION_BF16},
	    {"pocl-generic", 33, 61, SKIP_PRECISION_F32},
	    {"pocl-generic", 33, 61, SKIP_PRECISION_BF16},
	    {"pocl-x86-avx512", 61, 33, SKIP_PRECISION_F32},
	    {"pocl-x86-avx512", 61, 33, SKIP_PRECISION_BF16},
	    {"pocl-x86-avx512", 33, 61, SKIP_PRECISION_BF16},
	};
	return cr_make_param_array(struct layout_case, all, sizeof(all) / sizeof(*all));
}
ParameterizedTest(struct layout_case *c, adamw, small_layouts)
{
	check_layouts(c);
}

ParameterizedTestParameters(adamw, large_layouts)
{
	static struct layout_case all[] = {{"pocl-x86-avx512", 96, 539, SKIP_PRECISION_BF16}, {"pocl-x86-avx2", 539, 96, SKIP_PRECISION_BF16}};
	return cr_make_param_array(struct layout_case, all, sizeof(all) / sizeof(*all));
}
ParameterizedTest(struct layout_case *c, adamw, large_layouts)
{
	check_layouts(c);
}
