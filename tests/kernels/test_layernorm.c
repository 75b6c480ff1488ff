/*
 * layernorm and layernorm_bwd in all their bodies.
 *
 * Bounds, u = 2^-24, in any order of summation: the mean is off by at most (D + 1) u mean|x|, an apart value x - mean by em = that + u |x -
 * mean|, the variance relatively by 2 em sqrt(1/var) + (D + 4) u, so xh by em r + |xh| (that / 2 + 4 u). With columns of the usual sizes
 * this is a few 1e-6.
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
    {7, SKIP_ROWS_T, 1e-5f}, {15, SKIP_ROWS_T, 1e-12f}, {16, SKIP_ROWS_T, 1e-12f}, {17, SKIP_ROWS_B, 1e-5f}, {61, SKIP_ROWS_T, 1e-12f},
};
static const struct shape large[] = {{384, SKIP_ROWS_T, 1e-12f}, {768, SKIP_ROWS_B, 1e-12f}, {389, SKIP_ROWS_T, 1e-5f}};

struct pair {
	int x, dy, gamma, beta, y, dx;
};

static void compare(const struct kernel_check *check, const struct shape *s, const struct pair *p)
{
	const double u = 0x1p-24;
	const float *gamma = skip_tensor_f32(check->graph->tensors[p->gamma]), *beta = skip_tensor_f32(check->graph->tensors[p->beta]);
	size_t n = kernel_check_count(check, p->y), d = (size_t)s->d;
	double *by = calloc(n + 1, sizeof(*by)), *bdx = calloc(n + 1, sizeof(*bdx));
	for (size_t row = 0; row < n / d; row++) {
		const double *x = check->input[p->x] + row * d, *dy = check->input[p->dy] + row * d;
		double mean = 0, size = 0, var = 0, mean_a = 0, mean_axh = 0, size_a = 0, size_axh = 0, far = 0;
		for (size_t i = 0; i < d; i++) mean += x[i] / s->d, size += fabs(x[i]) / s->d;
		for (size_t i = 0; i < d; i++) var += (x[i] - mean) * (x[i] - mean) / s->d, far = fmax(far, fabs(x[i] - mean));
		const double r = 1 / sqrt(var + s->eps), em = (s->d + 1) * u * size + u * far;
		const double er = em * r + (s->d + 4) * u; /* relative, of r */
		for (size_t i = 0; i < d; i++) {
			const double a = dy[i] * gamma[i], xh = (x[i] - mean) * r;
			mean_a += a / s->d;
			size_a += fabs(a) / s->d;
			mean_axh += a * xh / s->d;
			size_axh += fabs(a) * (fabs(xh) * ((s->d + 6) * u + er) + em * r) / s->d;
		}
		for (size_t i = 0; i < d; i++) {
			const double xh = fabs(x[i] - mean) * r, exh = em * r + xh * (er + 4 * u), a = fabs(dy[i] * gamma[i]);
			by[row * d + i] = fabs(gamma[i]) * exh + u * (fabs(gamma[i]) * xh + fabs(beta[i]));
			bdx[row * d + i] = r * ((a + fabs(mean_a) + xh * fabs(mean_axh)) * (er + 6 * u) + (s->d + 2) * u * size_a +
						exh * fabs(mean_axh) + xh * size_axh);
		}
	}
	kernel_check_bound(check, p->y, by);
	kernel_check_bound(check, p->dx, bdx);
	free(by);
	free(bdx);
}

static void check_shapes(const struct shape *shapes, int n_shapes, const struct run *run)
{
	struct kernel_check check;
	struct pair pair[8];
	kernel_check_begin(&check, 11);
	check.scale = 1.7;
	for (int i = 0; i < n_shapes; i++) {
		char name[6][32];
		for (int k = 0; k < 6; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "xegbyd"[k], i);
		union skip_attrs attrs = {.layernorm = {.eps = shapes[i].eps}};
		struct pair *p = &pair[i];
		p->x = kernel_check_input(&check, name[0], shapes[i].rows, 0, shapes[i].d);
		p->dy = kernel_check_input(&check, name[1], shapes[i].rows, 0, shapes[i].d);
		p->gamma = kernel_check_param(&check, name[2], shapes[i].d, 0, 1, 0.3);
		p->beta = kernel_check_param(&check, name[3], shapes[i].d, 0, 0, 0.5);
		p->y = kernel_check_node(&check, "layernorm", &p->x, 1, (int[]){p->gamma, p->beta}, 2, attrs, (const char *[]){name[4]}, 1);
		p->dx = kernel_check_node(&check, "layernorm_bwd", (int[]){p->x, p->dy}, 2, (int[]){p->gamma, p->beta}, 2, attrs,
					  (const char *[]){name[5]}, 1);
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int i = 0; i < n_shapes; i++) compare(&check, &shapes[i], &pair[i]);
	kernel_check_end(&check);
}

ParameterizedTestParameters(layernorm, small_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, layernorm, small_shapes)
{
	check_shapes(small, sizeof(small) / sizeof(*small), run);
}
/* Work-groups and local memory; rusticl.sh runs these too. */
Test(layernorm, small_gpu)
{
	const struct run run = {"nvidia-generic", {1, 7, 61}, 3};
	check_shapes(small, sizeof(small) / sizeof(*small), &run);
}
ParameterizedTestParameters(layernorm, large_shapes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, layernorm, large_shapes)
{
	check_shapes(large, sizeof(large) / sizeof(*large), run);
}
