/*
 * rotary in both bodies: pairs that fill no vector, both directions, one row per sequence. The angle is the float32 product that the reference takes too, so
 * what is left are cosine and sine, at most 4 u of 1 (OpenCL C 1.2, 7.4), and two products: 8 u (|a| + |b|).
 */
#include "kernel_check.h"

struct shape {
	int heads, half, inverse;
	bool rows_b, last;
};
static const struct shape shapes[] = {
    {1, 1, 0, false, false}, {3, 5, 1, false, false}, {2, 16, 0, false, false}, {2, 23, 1, false, false}, {2, 7, 0, true, false}, {1, 32, 0, true, true},
};
#define SHAPES (int)(sizeof(shapes) / sizeof(*shapes))

struct run {
	char profile[24];
	int length[4], n_seqs;
};

static void check_run(const struct run *run)
{
	struct kernel_check check;
	int x[SHAPES], y[SHAPES];
	kernel_check_begin(&check, 8);
	for (int i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		const int cols = s->heads * 2 * s->half;
		char in[16], out[16], name[16];
		snprintf(in, sizeof(in), "x%d", i);
		snprintf(out, sizeof(out), "y%d", i);
		snprintf(name, sizeof(name), "frequency%d", i);
		x[i] = kernel_check_input(&check, in, s->rows_b ? SKIP_ROWS_B : SKIP_ROWS_T, 0, cols);
		int frequency = kernel_check_param(&check, name, cols, 0, 0, 1);
		float *number = skip_tensor_f32(check.graph->tensors[frequency]);
		for (int c = 0; c < cols; c++) number[c] = number[c / (2 * s->half) * (2 * s->half) + c % s->half];
		union skip_attrs attrs = {.rotary = {.heads = s->heads, .inverse = s->inverse, .at = s->last ? SKIP_AT_LAST : SKIP_AT_FIRST}};
		y[i] = kernel_check_node(&check, "rotary", &x[i], 1, &frequency, 1, attrs, (const char *[]){out}, 1);
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int i = 0; i < SHAPES; i++) {
		const int half = shapes[i].half;
		size_t n = kernel_check_count(&check, y[i]);
		double *bound = malloc(n * sizeof(*bound));
		for (size_t j = 0; j < n; j++) {
			size_t pair = j % (size_t)(2 * half) < (size_t)half ? j + (size_t)half : j - (size_t)half;
			bound[j] = 8 * 0x1p-24 * (fabs(check.input[x[i]][j]) + fabs(check.input[x[i]][pair]));
		}
		kernel_check_bound(&check, y[i], bound);
		free(bound);
	}
	kernel_check_end(&check);
}

ParameterizedTestParameters(rotary, small_shapes)
{
	static struct run runs[] = {{"generic", {1, 7, 3}, 3}, {"pocl-generic", {1, 7, 3}, 3}, {"pocl-x86-avx512", {1, 7, 61}, 3}};
	return cr_make_param_array(struct run, runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, rotary, small_shapes)
{
	check_run(run);
}

Test(rotary, long_sequence)
{
	const struct run run = {"pocl-x86-avx512", {512, 1}, 2};
	check_run(&run);
}
