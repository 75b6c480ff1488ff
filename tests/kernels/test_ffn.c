/*
 * ffn in all its bodies. The bound per element is that of any order of summation through both products, (K + 4) 2^-24 of the sums of absolute values, the
 * first through the slope of the activation. In int8 the reference rounds as the device does, but an activation that differs in its last place may round
 * the hidden number to the next integer: one step of its scale in one product.
 */
#include "kernel_check.h"

struct shape {
	enum skip_rows rows;
	int d, f, n;
	enum skip_act act;
	int bias1, bias2, residual;
};

static const struct shape small[] = {
	{SKIP_ROWS_T, 1, 1, 1, SKIP_ACT_RELU, 0, 0, 0},   {SKIP_ROWS_T, 7, 61, 7, SKIP_ACT_GELU, 1, 1, 1},
	{SKIP_ROWS_T, 16, 32, 16, SKIP_ACT_GELU, 1, 0, 1}, {SKIP_ROWS_T, 61, 17, 61, SKIP_ACT_GELU_TANH, 0, 1, 0},
	{SKIP_ROWS_B, 37, 64, 5, SKIP_ACT_TANH, 1, 1, 0},
};
static const struct shape large[] = {{SKIP_ROWS_T, 384, 737, 384, SKIP_ACT_GELU, 1, 1, 1}};

struct run {
	char profile[24];
	int length[4], n_seqs;
};

static int add(struct kernel_check *check, const struct shape *s, enum skip_precision precision, int index)
{
	char name[7][16];
	static const char *const kind[] = {"x", "r", "w1_", "b1_", "w2_", "b2_", "y"};
	for (int i = 0; i < 7; i++) snprintf(name[i], sizeof(name[i]), "%s%d", kind[i], index);
	int in[2] = {kernel_check_input(check, name[0], s->rows, 0, s->d)}, n_in = 1, param[4] = {SKIP_NONE, SKIP_NONE, SKIP_NONE, SKIP_NONE};
	if (s->residual) in[n_in++] = kernel_check_input(check, name[1], s->rows, 0, s->n);
	param[0] = kernel_check_param(check, name[2], s->f, s->d, 0, 1 / sqrt(s->d));
	if (s->bias1) param[2] = kernel_check_param(check, name[3], s->f, 0, 0, 1);
	param[1] = kernel_check_param(check, name[4], s->n, s->f, 0, 1 / sqrt(s->f));
	if (s->bias2) param[3] = kernel_check_param(check, name[5], s->n, 0, 0, 1);
	union skip_attrs attrs = {.ffn = {.act = s->act, .precision = precision}};
	return kernel_check_node(check, "ffn", in, n_in, param, 4, attrs, (const char *[]){name[6]}, 1);
}

static double size_of_sums(const double *x, const float *w, int k)
{
	double sum = 0;
	for (int i = 0; i < k; i++) sum += fabs(x[i] * (double)w[i]);
	return sum;
}

static void compare(const struct kernel_check *check, const struct shape *s, int y)
{
	const struct skip_node *node = &check->graph->nodes[check->graph->values[y].producer];
	const bool int8 = node->attrs.ffn.precision == SKIP_PRECISION_INT8;
	const float *w1 = skip_tensor_f32(check->graph->tensors[node->param[0]]), *w2 = skip_tensor_f32(check->graph->tensors[node->param[1]]);
	const float *b1 = s->bias1 ? skip_tensor_f32(check->graph->tensors[node->param[2]]) : NULL;
	const int rows = (int)(kernel_check_count(check, y) / (size_t)s->n);
	double *bound = malloc(((size_t)rows * (size_t)s->n + 1) * sizeof(*bound)), *hidden = malloc((size_t)s->f * sizeof(*hidden));
	for (int m = 0; m < rows; m++) {
		const double *x = check->input[node->in[0]] + m * s->d;
		double error = 0, largest = 0;
		for (int f = 0; f < s->f; f++) {
			hidden[f] = size_of_sums(x, w1 + f * s->d, s->d) + (b1 ? fabs(b1[f]) : 0);
			largest = fmax(largest, hidden[f]);
			error = fmax(error, ((int8 ? 4 : s->d + 4) * 0x1p-23 + 6e-7) * fmax(1, hidden[f]) + (int8 ? 2e-4 : 0));
		}
		/* A step of the hidden row's scale for each number that may round the other way. */
		if (int8) error += largest / 127;
		for (int n = 0; n < s->n; n++) {
			double weights = 0, sum = size_of_sums(hidden, w2 + n * s->f, s->f);
			for (int f = 0; f < s->f; f++) weights = fmax(weights, fabs(w2[n * s->f + f]));
			double passed = int8 ? sqrt(s->f) * weights * error : s->f * weights * error;
			bound[m * s->n + n] = passed + (s->f + 8) * 0x1p-24 * (sum + 4) + 1e-6;
		}
	}
	kernel_check_bound(check, y, bound);
	free(hidden);
	free(bound);
}

static void check_shapes(const struct shape *shapes, int n_shapes, enum skip_precision precision, const struct run *run)
{
	struct kernel_check check;
	int value[8];
	kernel_check_begin(&check, 5);
	for (int i = 0; i < n_shapes; i++) value[i] = add(&check, &shapes[i], precision, i);
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int i = 0; i < n_shapes; i++) compare(&check, &shapes[i], value[i]);
	kernel_check_end(&check);
}

static const struct run runs[] = {{"generic", {1}, 1}, {"generic", {1, 7, 33}, 3}, {"fpga-generic", {1, 7, 33}, 3}};

ParameterizedTestParameters(ffn, small_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(runs[0]));
}
ParameterizedTest(struct run *run, ffn, small_shapes)
{
	check_shapes(small, (int)(sizeof(small) / sizeof(small[0])), SKIP_PRECISION_F32, run);
	check_shapes(small, (int)(sizeof(small) / sizeof(small[0])), SKIP_PRECISION_INT8, run);
}

ParameterizedTestParameters(ffn, large_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(runs[0]));
}
ParameterizedTest(struct run *run, ffn, large_shapes)
{
	check_shapes(large, 1, SKIP_PRECISION_F32, run);
	check_shapes(large, 1, SKIP_PRECISION_INT8, run);
}
