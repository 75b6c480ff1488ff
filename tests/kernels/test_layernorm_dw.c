/*
 * layernorm_dw in all its bodies. Bounds, u = 2^-24, as in test_layernorm.c: xh is off by exh = em r + |xh| (er + 4 u); a sum of M rows adds
 * (M + 2) u of the sum of absolute terms, in any order.
 */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[3], n_seqs;
};

static const struct run runs[] = {
    {"generic", {1}, 1},	 {"generic", {1, 7, 61}, 3},	     {"pocl-generic", {1, 7, 61}, 3},
    {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3},
};

struct shape {
	int d;
	enum skip_rows rows;
	float eps;
};
static const struct shape small[] = {
    {7, SKIP_ROWS_T, 1e-5f}, {16, SKIP_ROWS_T, 1e-12f}, {17, SKIP_ROWS_B, 1e-5f}, {61, SKIP_ROWS_T, 1e-12f},
};

static void compare(const struct kernel_check *check, const struct shape *s, const struct skip_node *node)
{
	const double u = 0x1p-24;
	const size_t d = (size_t)s->d, rows = kernel_check_count(check, node->in[0]) / d;
	double *gamma = calloc(d, sizeof(*gamma)), *beta = calloc(d, sizeof(*beta));
	for (size_t row = 0; row < rows; row++) {
		const double *x = check->input[node->in[0]] + row * d, *dy = check->input[node->in[1]] + row * d;
		double mean = 0, size = 0, var = 0, far = 0;
		for (size_t i = 0; i < d; i++) mean += x[i] / s->d, size += fabs(x[i]) / s->d;
		for (size_t i = 0; i < d; i++) var += (x[i] - mean) * (x[i] - mean) / s->d, far = fmax(far, fabs(x[i] - mean));
		const double r = 1 / sqrt(var + s->eps), em = (s->d + 1) * u * size + u * far, er = em * r + (s->d + 4) * u;
		for (size_t i = 0; i < d; i++) {
			const double xh = fabs(x[i] - mean) * r, exh = em * r + xh * (er + 4 * u);
			gamma[i] += fabs(dy[i]) * (exh + xh * ((double)rows + 2) * u);
			beta[i] += fabs(dy[i]) * ((double)rows + 2) * u;
		}
	}
	kernel_check_bound(check, node->out[0], gamma);
	kernel_check_bound(check, node->out[1], beta);
	free(gamma);
	free(beta);
}

static void check_shapes(const struct shape *shapes, int n_shapes, const struct run *run)
{
	struct kernel_check check;
	kernel_check_begin(&check, 12);
	check.scale = 1.7;
	for (int i = 0; i < n_shapes; i++) {
		char name[4][32];
		for (int k = 0; k < 4; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "xegb"[k], i);
		union skip_attrs attrs = {.layernorm = {.eps = shapes[i].eps}};
		int in[2] = {kernel_check_input(&check, name[0], shapes[i].rows, 0, shapes[i].d),
			     kernel_check_input(&check, name[1], shapes[i].rows, 0, shapes[i].d)};
		kernel_check_node(&check, "layernorm_dw", in, 2, NULL, 0, attrs, (const char *[]){name[2], name[3]}, 2);
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int i = 0; i < n_shapes; i++) compare(&check, &shapes[i], &check.graph->nodes[i]);
	kernel_check_end(&check);
}

ParameterizedTestParameters(layernorm_dw, small_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, layernorm_dw, small_shapes)
{
	check_shapes(small, sizeof(small) / sizeof(*small), run);
}
