/*
 * linear_dw in all its bodies, with either output left out. Bound per element: (M + 1) 2^-24 of the sum of absolute products, any order of
 * M rows. In bfloat16 the reference rounds the factors as the device does, and they are at most 2^-8 larger than the floats the bound is made of.
 */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[4], n_seqs;
};

static const struct run runs[] = {
    {"generic", {1}, 1},	 {"generic", {1, 7, 61}, 3},	     {"pocl-generic", {1, 7, 61}, 3},
    {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3},
};

struct shape {
	enum skip_rows rows;
	int n, k;
	bool dw, db;
};
static const struct shape small[] = {
    {SKIP_ROWS_B, 2, 7, true, true},   {SKIP_ROWS_B, 6, 61, true, true},   {SKIP_ROWS_T, 1, 1, true, true},
    {SKIP_ROWS_T, 9, 16, true, true},  {SKIP_ROWS_T, 61, 33, true, false}, {SKIP_ROWS_T, 17, 1, false, true},
    {SKIP_ROWS_T, 61, 47, true, true}, {SKIP_ROWS_B, 16, 32, true, true},  {SKIP_ROWS_T, 3, 1, false, true},
};
static const struct shape large[] = {{SKIP_ROWS_T, 384, 384, true, true}, {SKIP_ROWS_T, 101, 389, true, true}};

static void compare(const struct kernel_check *check, const struct skip_node *node)
{
	const int dw = node->out[0], db = node->n_out > 1 ? node->out[1] : SKIP_NONE;
	const size_t n = (size_t)check->graph->values[node->in[0]].cols, m = kernel_check_count(check, node->in[0]) / n;
	const double *dy = check->input[node->in[0]], *x = dw == SKIP_NONE ? NULL : check->input[node->in[1]];
	const size_t k = x ? (size_t)check->graph->values[node->in[1]].cols : 1;
	double *bound = calloc(n * k + 1, sizeof(double)), *bias = calloc(n + 1, sizeof(double)), unit = ((double)m + 1) * 0x1p-24;
	const double larger = node->attrs.linear_dw.precision == SKIP_PRECISION_BF16 ? (1 + 0x1p-8) * (1 + 0x1p-8) : 1;
	for (size_t row = 0; row < m; row++) {
		for (size_t i = 0; i < n; i++) {
			bias[i] += unit * fabs(dy[row * n + i]);
			for (size_t j = 0; x && j < k; j++) bound[i * k + j] += unit * larger * fabs(dy[row * n + i] * x[row * k + j]);
		}
	}
	if (dw != SKIP_NONE) kernel_check_bound(check, dw, bound);
	if (db != SKIP_NONE) kernel_check_bound(check, db, bias);
	free(bound);
	free(bias);
}

static void check_shapes(const struct shape *shapes, int n_shapes, enum skip_precision precision, const struct run *run)
{
	struct kernel_check check;
	kernel_check_begin(&check, 14);
	for (int i = 0; i < n_shapes; i++) {
		const struct shape *s = &shapes[i];
		char name[4][32];
		union skip_attrs attrs;
		memset(&attrs, 0, sizeof(attrs));
		attrs.linear_dw.precision = precision;
		for (int j = 0; j < 4; j++) snprintf(name[j], sizeof(name[j]), "%c%d", "yxwb"[j], i);
		int in[2] = {kernel_check_input(&check, name[0], s->rows, 0, s->n), SKIP_NONE};
		if (s->dw) in[1] = kernel_check_input(&check, name[1], s->rows, 0, s->k);
		kernel_check_node(&check, "linear_dw", in, s->dw ? 2 : 1, NULL, 0, attrs,
				  (const char *[]){s->dw ? name[2] : NULL, s->db ? name[3] : NULL}, s->db ? 2 : 1);
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (size_t i = 0; i < check.graph->n_nodes; i++) compare(&check, &check.graph->nodes[i]);
	kernel_check_end(&check);
}

ParameterizedTestParameters(linear_dw, small_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, linear_dw, small_shapes)
{
	check_shapes(small, sizeof(small) / sizeof(*small), SKIP_PRECISION_F32, run);
}
ParameterizedTestParameters(linear_dw, large_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, linear_dw, large_shapes)
{
	check_shapes(large, sizeof(large) / sizeof(*large), SKIP_PRECISION_F32, run);
}

static const struct run bf16_runs[] = {
    {"generic", {1, 7, 30}, 3}, {"pocl-generic", {1, 13}, 2}, {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3}};

ParameterizedTestParameters(linear_dw, small_shapes_in_bf16)
{
	return cr_make_param_array(struct run, (void *)bf16_runs, sizeof(bf16_runs) / sizeof(*bf16_runs));
}
ParameterizedTest(struct run *run, linear_dw, small_shapes_in_bf16)
{
	check_shapes(small, sizeof(small) / sizeof(*small), SKIP_PRECISION_BF16, run);
}

/* The forms in assembly, which only a processor that has the instructions can show; whole blocks of 32 rows, and one row more and less. */
static const struct run assembly_runs[] = {
    {"pocl-x86-avx2", {1, 7, 6, 30}, 4}, {"pocl-x86-avx512-bf16", {1}, 1}, {"pocl-x86-avx512-bf16", {9, 61, 62}, 3}, {"pocl-x86-amx", {1}, 1},
    {"pocl-x86-amx", {31}, 1},		 {"pocl-x86-amx", {30, 34}, 2},	   {"pocl-x86-amx", {9, 61, 62, 1}, 4},
};

ParameterizedTestParameters(linear_dw, assembly)
{
	return cr_make_param_array(struct run, (void *)assembly_runs, sizeof(assembly_runs) / sizeof(*assembly_runs));
}
ParameterizedTest(struct run *run, linear_dw, assembly)
{
	if (!kernel_check_processor_has(run->profile)) cr_skip_test("this processor has no %s", run->profile);
	check_shapes(small, sizeof(small) / sizeof(*small), SKIP_PRECISION_BF16, run);
	check_shapes(large, sizeof(large) / sizeof(*large), SKIP_PRECISION_BF16, run);
}
