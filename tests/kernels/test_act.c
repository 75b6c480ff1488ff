/*
 * act and act_bwd in all their bodies, for inputs from small to far outside. Bounds: those of kernels/NAMING.md, 3e-7 max(1, |u|) for
 * values and 5e-7 for slopes, and one rounding of the product.
 */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[3], n_seqs;
	double scale;
};

static const struct run runs[] = {
    {"generic", {1, 7}, 2, 1},
    {"generic", {61}, 1, 5},
    {"pocl-generic", {1, 7, 61}, 3, 5},
    {"pocl-x86-avx512", {1}, 1, 1},
    {"pocl-x86-avx512", {1, 7, 61}, 3, 1},
    {"pocl-x86-avx512", {7, 61}, 2, 20},
};
static const int widths[] = {1, 16, 61};
enum { N_WIDTHS = sizeof(widths) / sizeof(*widths) };

static void compare(const struct kernel_check *check, int value, int u, int dg)
{
	size_t n = kernel_check_count(check, value);
	double *bound = calloc(n + 1, sizeof(*bound));
	for (size_t i = 0; i < n; i++)
		bound[i] = dg == SKIP_NONE ? 3e-7 * fmax(1, fabs(check->input[u][i])) : (5e-7 + 0x1p-22) * fabs(check->input[dg][i]);
	kernel_check_bound(check, value, bound);
	free(bound);
}

ParameterizedTestParameters(act, small_kinds)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, act, small_kinds)
{
	struct kernel_check check;
	int u[N_WIDTHS], dg[N_WIDTHS], value[N_WIDTHS][SKIP_ACT_TANH + 1], grad[N_WIDTHS][SKIP_ACT_TANH + 1];
	kernel_check_begin(&check, 8);
	check.scale = run->scale;
	for (int w = 0; w < N_WIDTHS; w++) {
		char name[4][32];
		snprintf(name[0], sizeof(name[0]), "u%d", w);
		snprintf(name[1], sizeof(name[1]), "dg%d", w);
		u[w] = kernel_check_input(&check, name[0], w == 1 ? SKIP_ROWS_B : SKIP_ROWS_T, 0, widths[w]);
		dg[w] = kernel_check_input(&check, name[1], w == 1 ? SKIP_ROWS_B : SKIP_ROWS_T, 0, widths[w]);
		for (int k = SKIP_ACT_GELU; k <= SKIP_ACT_TANH; k++) {
			union skip_attrs attrs = {.act = {.kind = (enum skip_act)k}};
			snprintf(name[2], sizeof(name[2]), "g%d.%d", w, k);
			snprintf(name[3], sizeof(name[3]), "du%d.%d", w, k);
			value[w][k] = kernel_check_node(&check, "act", &u[w], 1, NULL, 0, attrs, (const char *[]){name[2]}, 1);
			grad[w][k] =
			    kernel_check_node(&check, "act_bwd", (int[]){u[w], dg[w]}, 2, NULL, 0, attrs, (const char *[]){name[3]}, 1);
		}
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int w = 0; w < N_WIDTHS; w++) {
		for (int k = SKIP_ACT_GELU; k <= SKIP_ACT_TANH; k++) {
			compare(&check, value[w][k], u[w], SKIP_NONE);
			compare(&check, grad[w][k], u[w], dg[w]);
		}
	}
	kernel_check_end(&check);
}

Test(act, wide)
{
	struct kernel_check check;
	union skip_attrs attrs = {.act = {.kind = SKIP_ACT_GELU}};
	kernel_check_begin(&check, 9);
	int u = kernel_check_input(&check, "u", SKIP_ROWS_T, 0, 737),
	    g = kernel_check_node(&check, "act", &u, 1, NULL, 0, attrs, (const char *[]){"g"}, 1);
	kernel_check_run(&check, "pocl-x86-avx512", (int[]){1, 7, 61}, 3, 0);
	compare(&check, g, u, SKIP_NONE);
	kernel_check_end(&check);
}
