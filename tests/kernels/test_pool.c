/* pool and pool_bwd in all their bodies. Bounds: (n + 2) 2^-24 of the mean of the absolute values; one row copies exactly. */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[3], n_seqs;
};

static const struct run runs[] = {
    {"generic", {1}, 1},	 {"generic", {1, 7, 61}, 3},	     {"pocl-generic", {1, 7, 61}, 3},
    {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3},
};
static const int widths[] = {1, 7, 16, 61};
enum { N_WIDTHS = sizeof(widths) / sizeof(*widths) };

static void compare(const struct kernel_check *check, int x, int z, int dz, int dx, enum skip_pool mode)
{
	size_t cols = (size_t)check->graph->values[x].cols;
	double *bz = calloc(kernel_check_count(check, z) + 1, sizeof(double)),
	       *bdx = calloc(kernel_check_count(check, x) + 1, sizeof(double));
	for (int b = 0; b < check->batch.n_seqs && mode == SKIP_POOL_MEAN; b++) {
		int first = check->batch.offset[b], n = check->batch.offset[b + 1] - first;
		for (size_t i = 0; i < (size_t)n * cols; i++) {
			size_t row = (size_t)first + i / cols, to = (size_t)b * cols + i % cols;
			bz[to] += (n + 2) * 0x1p-24 * fabs(check->input[x][row * cols + i % cols]) / n;
			bdx[row * cols + i % cols] = 0x1p-22 * fabs(check->input[dz][to]) / n;
		}
	}
	kernel_check_bound(check, z, bz);
	kernel_check_bound(check, dx, bdx);
	free(bz);
	free(bdx);
}

ParameterizedTestParameters(pool, small_modes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, pool, small_modes)
{
	struct kernel_check check;
	int x[N_WIDTHS], dz[N_WIDTHS], z[N_WIDTHS][3], dx[N_WIDTHS][3];
	kernel_check_begin(&check, 12);
	for (int w = 0; w < N_WIDTHS; w++) {
		char name[4][32];
		for (int k = 0; k < 2; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "xg"[k], w);
		x[w] = kernel_check_input(&check, name[0], SKIP_ROWS_T, 0, widths[w]);
		dz[w] = kernel_check_input(&check, name[1], SKIP_ROWS_B, 0, widths[w]);
		for (int m = SKIP_POOL_MEAN; m <= SKIP_POOL_LAST; m++) {
			union skip_attrs attrs = {.pool = {.mode = (enum skip_pool)m}};
			for (int k = 2; k < 4; k++) snprintf(name[k], sizeof(name[k]), "%c%d.%d", "..zd"[k], w, m);
			z[w][m] = kernel_check_node(&check, "pool", &x[w], 1, NULL, 0, attrs, (const char *[]){name[2]}, 1);
			dx[w][m] = kernel_check_node(&check, "pool_bwd", &dz[w], 1, NULL, 0, attrs, (const char *[]){name[3]}, 1);
		}
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int w = 0; w < N_WIDTHS; w++)
		for (int m = SKIP_POOL_MEAN; m <= SKIP_POOL_LAST; m++) compare(&check, x[w], z[w][m], dz[w], dx[w][m], (enum skip_pool)m);
	kernel_check_end(&check);
}
