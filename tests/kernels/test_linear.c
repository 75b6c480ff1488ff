/*
 * linear in all its bodies. The bound per element is that of any order of summation, (K + 4) 2^-24 sum |x||w| through the activation's slope, plus
 * the activation's own error: one missing or doubled product is far outside. In the short types the reference rounds as the device does; sums of int8
 * are exact, so only the scaling behind them has a rounding error.
 */
#include "kernel_check.h"

struct shape {
	enum skip_rows rows;
	int fixed_rows;
	int k, n;
	enum skip_act act;
	int bias, residual, transpose;
};

static const struct shape small[] = {
	{SKIP_ROWS_T, 0, 1, 1, SKIP_ACT_NONE, 0, 0, 0},      {SKIP_ROWS_T, 0, 7, 61, SKIP_ACT_GELU, 1, 0, 0},
	{SKIP_ROWS_T, 0, 61, 7, SKIP_ACT_NONE, 1, 1, 0},     {SKIP_ROWS_T, 0, 61, 33, SKIP_ACT_GELU_TANH, 1, 1, 0},
	{SKIP_ROWS_B, 0, 37, 2, SKIP_ACT_TANH, 1, 0, 0},     {SKIP_ROWS_B, 0, 64, 6, SKIP_ACT_NONE, 1, 0, 0},
	{SKIP_ROWS_T, 0, 6, 61, SKIP_ACT_NONE, 0, 1, 1},     {SKIP_ROWS_T, 0, 61, 64, SKIP_ACT_NONE, 0, 0, 1},
	{SKIP_ROWS_FIXED, 5, 16, 48, SKIP_ACT_RELU, 1, 0, 0}, {SKIP_ROWS_FIXED, 20, 9, 17, SKIP_ACT_RELU, 0, 1, 1},
};
static const struct shape large[] = {
	{SKIP_ROWS_T, 0, 384, 384, SKIP_ACT_NONE, 1, 1, 0}, {SKIP_ROWS_T, 0, 384, 737, SKIP_ACT_GELU, 1, 0, 0},
	{SKIP_ROWS_T, 0, 737, 384, SKIP_ACT_NONE, 1, 1, 0}, {SKIP_ROWS_T, 0, 737, 384, SKIP_ACT_NONE, 0, 1, 1},
};

struct run {
	char profile[24]; /* characters, not a pointer: parameters travel to another process */
	int length[5], n_seqs;
};

static const struct run runs[] = {
	{"generic", {1}, 1},         {"generic", {1, 7, 61}, 3},         {"pocl-generic", {5}, 1},          {"pocl-x86-avx2", {1, 7, 6, 30}, 4},
	{"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {12, 2, 1}, 3}, {"pocl-x86-avx512", {1, 7, 61}, 3}, {"fpga-generic", {1, 7, 30}, 3},
};

static int act_slope(enum skip_act act) { return act == SKIP_ACT_GELU || act == SKIP_ACT_GELU_TANH ? 2 : 1; }

/* Adds the node and its inputs; returns its value. */
static int add(struct kernel_check *check, const struct shape *s, enum skip_precision precision, float clip, int index)
{
	char name[5][32];
	static const char *const kind[] = {"x", "w", "b", "r", "y"};
	for (int i = 0; i < 5; i++) snprintf(name[i], sizeof(name[i]), "%s%d", kind[i], index);
	int in[2] = {kernel_check_input(check, name[0], s->rows, s->fixed_rows, s->k)}, param[2], n_in = 1, n_param = 1;
	double scale = 1 / sqrt(s->k);
	param[0] = s->transpose ? kernel_check_param(check, name[1], s->k, s->n, 0, scale) : kernel_check_param(check, name[1], s->n, s->k, 0, scale);
	if (s->bias) param[n_param++] = kernel_check_param(check, name[2], s->n, 0, 0, 1);
	if (s->residual) in[n_in++] = kernel_check_input(check, name[3], s->rows, s->fixed_rows, s->n);
	union skip_attrs attrs = {.linear = {.act = s->act, .transpose = s->transpose, .precision = precision, .clip = clip}};
	return kernel_check_node(check, "linear", in, n_in, param, n_param, attrs, (const char *[]){name[4]}, 1);
}

static void compare(const struct kernel_check *check, const struct shape *s, int y)
{
	const struct skip_node *node = &check->graph->nodes[check->graph->values[y].producer];
	const double *x = check->input[node->in[0]], *residual = s->residual ? check->input[node->in[1]] : NULL;
	const float *w = skip_tensor_f32(check->graph->tensors[node->param[0]]);
	const float *b = s->bias ? skip_tensor_f32(check->graph->tensors[node->param[1]]) : NULL;
	size_t rows = kernel_check_count(check, y) / (size_t)s->n, n = (size_t)s->n, k = (size_t)s->k;
	double *bound = malloc((rows * n + 1) * sizeof(*bound));
	for (size_t i = 0; i < rows * n; i++) {
		size_t row = i / n, col = i % n;
		double sum = b ? fabs(b[col]) : 0, rest = residual ? fabs(residual[i]) : 0;
		for (size_t j = 0; j < k; j++) sum += fabs(x[row * k + j] * w[s->transpose ? j * n + col : col * k + j]);
		double act_error = s->act == SKIP_ACT_NONE || s->act == SKIP_ACT_RELU ? 0 : 3e-7 * fmax(1, sum);
		if (s->act == SKIP_ACT_GELU && node->attrs.linear.precision != SKIP_PRECISION_F32) act_error += 2e-4;
		double roundings = node->attrs.linear.precision == SKIP_PRECISION_INT8 ? 4 : (double)s->k + 4;
		bound[i] = roundings * 0x1p-24 * sum * act_slope(s->act) + act_error + 0x1p-23 * (rest + sum);
	}
	kernel_check_bound(check, y, bound);
	free(bound);
}

static void check_clipped(const struct shape *shapes, int n_shapes, enum skip_precision precision, float clip, const struct run *run, uint64_t seed)
{
	struct kernel_check check;
	int value[16];
	kernel_check_begin(&check, seed);
	for (int i = 0; i < n_shapes; i++) value[i] = add(&check, &shapes[i], precision, clip, i);
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int i = 0; i < n_shapes; i++) compare(&check, &shapes[i], value[i]);
	kernel_check_end(&check);
}

static void check_shapes(const struct shape *shapes, int n_shapes, enum skip_precision precision, const struct run *run, uint64_t seed)
{
	check_clipped(shapes, n_shapes, precision, 0, run, seed);
}

ParameterizedTestParameters(linear, small_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(runs[0]));
}
ParameterizedTest(struct run *run, linear, small_shapes)
{
	check_shapes(small, (int)(sizeof(small) / sizeof(small[0])), SKIP_PRECISION_F32, run, 1);
}

/* Work-groups and local memory; rusticl.sh runs these too. */
Test(linear, small_gpu)
{
	const struct run run = {"nvidia-generic", {1, 7, 61}, 3};
	check_shapes(small, (int)(sizeof(small) / sizeof(small[0])), SKIP_PRECISION_F32, &run, 1);
}

static const struct run large_runs[] = {
	{"generic", {3, 61}, 2}, {"pocl-x86-avx2", {61, 62}, 2}, {"pocl-x86-avx512", {1, 7, 61}, 3}, {"pocl-x86-avx512", {126}, 1},
	{"nvidia-generic", {61, 62}, 2},
};

ParameterizedTestParameters(linear, large_shapes)
{
	return cr_make_param_array(struct run, (void *)large_runs, sizeof(large_runs) / sizeof(large_runs[0]));
}
ParameterizedTest(struct run *run, linear, large_shapes)
{
	check_shapes(large, (int)(sizeof(large) / sizeof(large[0])), SKIP_PRECISION_F32, run, 2);
}

/* By a library, of whose kernels oclgrind has nothing to say. */
Test(linear, library)
{
	const struct run run = {"pocl-clblast", {1, 7, 61}, 3};
	if (!skip_cl_has_gemm()) cr_skip_test("built without CLBlast");
	check_shapes(small, (int)(sizeof(small) / sizeof(small[0])), SKIP_PRECISION_F32, &run, 1);
	check_shapes(large, (int)(sizeof(large) / sizeof(large[0])), SKIP_PRECISION_F32, &run, 2);
}

static const enum skip_precision short_types[] = {SKIP_PRECISION_BF16, SKIP_PRECISION_INT8};

static void check_short(const struct shape *shapes, int n_shapes, const struct run *run)
{
	for (size_t i = 0; i < 2; i++) check_shapes(shapes, n_shapes, short_types[i], run, 3);
	/* One scale for all rows: of inputs that are normal a tenth and more saturates, or nothing does. */
	check_clipped(shapes, n_shapes, SKIP_PRECISION_INT8, 1.5f, run, 4);
	check_clipped(shapes, n_shapes, SKIP_PRECISION_INT8, 11.3f, run, 4);
}

static const struct run dot_runs[] = {{"generic", {1, 7, 30}, 3}, {"pocl-generic", {1, 13}, 2}, {"pocl-x86-avx512", {1, 7, 61}, 3}};

ParameterizedTestParameters(linear, small_shapes_in_short_types)
{
	return cr_make_param_array(struct run, (void *)dot_runs, sizeof(dot_runs) / sizeof(dot_runs[0]));
}
ParameterizedTest(struct run *run, linear, small_shapes_in_short_types)
{
	check_short(small, (int)(sizeof(small) / sizeof(small[0])), run);
}

/* The forms in assembly, which only a processor that has the instructions can show. */
static const struct run assembly_runs[] = {
	{"pocl-x86-avx2", {1, 7, 6, 30}, 4}, {"pocl-x86-avx512-bf16", {1}, 1}, {"pocl-x86-avx512-bf16", {9, 61, 62}, 3}, {"pocl-x86-amx", {1}, 1},
	{"pocl-x86-amx", {7, 3}, 2}, {"pocl-x86-amx", {9, 61, 62}, 3},
};

ParameterizedTestParameters(linear, assembly)
{
	return cr_make_param_array(struct run, (void *)assembly_runs, sizeof(assembly_runs) / sizeof(assembly_runs[0]));
}
ParameterizedTest(struct run *run, linear, assembly)
{
	if (!kernel_check_processor_has(run->profile)) cr_skip_test("this processor has no %s", run->profile);
	check_short(small, (int)(sizeof(small) / sizeof(small[0])), run);
	check_short(large, (int)(sizeof(large) / sizeof(large[0])), run);
}
