/* add, mul, add_bias, mask, dropout in all their bodies. One float operation per element: bound 2^-24 of the result's terms. */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[3], n_seqs;
};

static const struct run runs[] = {
    {"generic", {1}, 1},	 {"generic", {1, 7, 61}, 3},	     {"pocl-generic", {1, 7, 61}, 3},
    {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3},
};

static const int widths[] = {1, 7, 15, 16, 17, 61};
enum { N_WIDTHS = sizeof(widths) / sizeof(*widths), N_OPS = 6 };
static const float rates[] = {0.3f, 0};

/* Element i of op `op`: value from the inputs in float64, and the sum of absolute terms. */
static void compare(const struct kernel_check *check, int value)
{
	const struct skip_node *node = &check->graph->nodes[check->graph->values[value].producer];
	size_t n = kernel_check_count(check, value), cols = (size_t)check->graph->values[value].cols;
	double *bound = calloc(n + 1, sizeof(*bound));
	for (size_t i = 0; i < n; i++) {
		double terms = fabs(check->input[node->in[0]][i]);
		if (node->n_in > 1 && !strcmp(node->op->name, "mul")) terms *= fabs(check->input[node->in[1]][i]);
		else if (node->n_in > 1)
			terms += fabs(check->input[node->in[1]][i]);
		if (node->n_param && !strcmp(node->op->name, "add_bias"))
			terms += fabs(skip_tensor_f32(check->graph->tensors[node->param[0]])[i % cols]);
		if (node->n_param && !strcmp(node->op->name, "mask"))
			terms *= fabs(skip_tensor_f32(check->graph->tensors[node->param[0]])[i % cols]);
		bound[i] = 0x1p-23 * terms;
	}
	kernel_check_bound(check, value, bound);
	free(bound);
}

static void check_ops(const struct run *run, enum skip_rows rows, int fixed_rows)
{
	struct kernel_check check;
	int value[N_WIDTHS][N_OPS], n = 0;
	kernel_check_begin(&check, 5);
	for (int w = 0; w < N_WIDTHS; w++) {
		char name[4 + N_OPS][32];
		for (int i = 0; i < 4 + N_OPS; i++) snprintf(name[i], sizeof(name[i]), "%c%d", "abmvxyzdeg"[i], w);
		int a = kernel_check_input(&check, name[0], rows, fixed_rows, widths[w]),
		    b = kernel_check_input(&check, name[1], rows, fixed_rows, widths[w]);
		int m = kernel_check_param(&check, name[2], widths[w], 0, 0, 1),
		    v = kernel_check_param(&check, name[3], widths[w], 0, 0, 1);
		union skip_attrs attrs;
		memset(&attrs, 0, sizeof(attrs));
		value[w][0] = kernel_check_node(&check, "add", (int[]){a, b}, 2, NULL, 0, attrs, (const char *[]){name[4]}, 1);
		value[w][1] = kernel_check_node(&check, "mask", &a, 1, &m, 1, attrs, (const char *[]){name[5]}, 1);
		value[w][2] = kernel_check_node(&check, "add_bias", &a, 1, &v, 1, attrs, (const char *[]){name[6]}, 1);
		value[w][5] = kernel_check_node(&check, "mul", (int[]){a, b}, 2, NULL, 0, attrs, (const char *[]){name[9]}, 1);
		for (int r = 0; r < 2; r++) {
			attrs.dropout.rate = rates[r];
			attrs.dropout.stream = 40 + w;
			value[w][3 + r] = kernel_check_node(&check, "dropout", &a, 1, NULL, 0, attrs, (const char *[]){name[7 + r]}, 1);
		}
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 991);
	for (int w = 0; w < N_WIDTHS; w++)
		for (int i = 0; i < N_OPS; i++) compare(&check, value[w][i]);
	/* The mask of a rate of 0.3 drops some and keeps most. */
	for (size_t i = 0; i < kernel_check_count(&check, value[5][3]); i++) n += check.got[value[5][3]][i] == 0;
	cr_assert(n > 0 && n < 0.6 * (double)kernel_check_count(&check, value[5][3]), "%d dropped", n);
	kernel_check_end(&check);
}

ParameterizedTestParameters(elementwise, small_tokens)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, elementwise, small_tokens)
{
	check_ops(run, SKIP_ROWS_T, 0);
}
ParameterizedTestParameters(elementwise, small_fixed)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, elementwise, small_fixed)
{
	check_ops(run, SKIP_ROWS_FIXED, 5);
}

/* More than one block of rows per work-item. */
Test(elementwise, wide)
{
	for (size_t i = 0; i < 2; i++) {
		struct kernel_check check;
		union skip_attrs attrs = {.dropout = {.rate = 0.1f, .stream = 3}};
		kernel_check_begin(&check, 6);
		int a = kernel_check_input(&check, "a", SKIP_ROWS_T, 0, 4099), b = kernel_check_input(&check, "b", SKIP_ROWS_T, 0, 385);
		int y = kernel_check_node(&check, "dropout", &a, 1, NULL, 0, attrs, (const char *[]){"y"}, 1);
		int m = kernel_check_param(&check, "m", 385, 0, 0, 1);
		int z = kernel_check_node(&check, "mask", &b, 1, &m, 1, attrs, (const char *[]){"z"}, 1);
		kernel_check_run(&check, i ? "pocl-x86-avx512" : "generic", (int[]){1, 7, 61}, 3, 5);
		compare(&check, y);
		compare(&check, z);
		kernel_check_end(&check);
	}
}
