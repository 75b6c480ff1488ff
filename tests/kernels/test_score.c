/*
 * score in all its bodies: the four reductions over T rows and over B rows. Bound per element: (n + 2) 2^-24 of the sum of absolute
 * products (sum, mean), one rounding of the largest product (max, absmax).
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
static const int widths[] = {1, 15, 16, 61, 131};
enum { N_WIDTHS = sizeof(widths) / sizeof(*widths), N_REDUCES = 4 };

static void compare(const struct kernel_check *check, int h, int dh, int a, enum skip_reduce reduce, bool rows_b)
{
	size_t cols = (size_t)check->graph->values[h].cols;
	double *bound = calloc(kernel_check_count(check, a) + 1, sizeof(double));
	for (int b = 0; b < check->batch.n_seqs; b++) {
		int n = check->batch.offset[b + 1] - check->batch.offset[b], first = rows_b ? b : check->batch.offset[b],
		    rows = rows_b ? 1 : n;
		for (size_t c = 0; c < cols; c++) {
			double sum = 0, most = 0;
			for (int r = 0; r < rows; r++) {
				double term = fabs(check->input[h][(size_t)(first + r) * cols + c] *
						   check->input[dh][(size_t)(first + r) * cols + c]);
				sum += term;
				most = fmax(most, term);
			}
			bool peak = reduce == SKIP_REDUCE_MAX || reduce == SKIP_REDUCE_ABSMAX;
			bound[(size_t)b * cols + c] =
			    peak ? 0x1p-24 * most : (rows + 2) * 0x1p-24 * sum / (reduce == SKIP_REDUCE_MEAN ? n : 1);
		}
	}
	kernel_check_bound(check, a, bound);
	free(bound);
}

ParameterizedTestParameters(score, small_reduces)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, score, small_reduces)
{
	struct kernel_check check;
	int h[N_WIDTHS], dh[N_WIDTHS], a[N_WIDTHS][N_REDUCES];
	kernel_check_begin(&check, 15);
	for (int w = 0; w < N_WIDTHS; w++) {
		char name[3][32];
		for (int k = 0; k < 2; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "hd"[k], w);
		h[w] = kernel_check_input(&check, name[0], w % 2 ? SKIP_ROWS_B : SKIP_ROWS_T, 0, widths[w]);
		dh[w] = kernel_check_input(&check, name[1], w % 2 ? SKIP_ROWS_B : SKIP_ROWS_T, 0, widths[w]);
		for (int r = 0; r < N_REDUCES; r++) {
			union skip_attrs attrs = {.score = {.reduce = (enum skip_reduce)r}};
			snprintf(name[2], sizeof(name[2]), "a%d.%d", w, r);
			a[w][r] = kernel_check_node(&check, "score", (int[]){h[w], dh[w]}, 2, NULL, 0, attrs, (const char *[]){name[2]}, 1);
		}
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int w = 0; w < N_WIDTHS; w++)
		for (int r = 0; r < N_REDUCES; r++) compare(&check, h[w], dh[w], a[w][r], (enum skip_reduce)r, w % 2);
	kernel_check_end(&check);
}
